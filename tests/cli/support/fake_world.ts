/** A process made of values: no library, no signals, a clock that stands still. */
import type { World } from "../../../cli/invocation.ts";
import { type RecordedTerminal, recordedTerminal } from "./recorded_terminal.ts";
import { runProgram } from "../../../cli/run.ts";
import type { Program } from "../../../cli/command.ts";

export interface FakeRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function fakeWorld(terminal: RecordedTerminal, environment: Readonly<Record<string, string>> = {}): World {
  return {
    terminal,
    environment: new Map(Object.entries(environment)),
    workingDirectory: () => "/work",
    system: () => Promise.reject(new Error("the library was loaded")),
    onSignal: () => {},
    monotonic: () => 0,
  };
}

/** Runs a program that must not need the library. */
export async function runFake(
  program: Program,
  argv: readonly string[],
  terminal: RecordedTerminal = recordedTerminal(),
): Promise<FakeRun> {
  const status = await runProgram(program, argv, fakeWorld(terminal));
  return { status, ...terminal.output };
}
