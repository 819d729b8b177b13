/**
 * Runs the programs inside the test's own process, with the real library on real files: what the process itself adds
 * (signals, exit, terminals) is left to the end-to-end tests, everything else costs milliseconds instead of a start.
 */
import { runProgram } from "../../cli/run.ts";
import { PROGRAMS } from "../../cli/programs.ts";
import { realSystem, type System } from "../../mod.ts";
import type { CliOptions, CliResult } from "./cli.ts";
import { type RecordedTerminal, recordedTerminal } from "../cli/support/recorded_terminal.ts";

export interface InProcessOptions extends CliOptions {
  /** Absent: `stdin` as an input that is no terminal, and outputs that are none. */
  readonly terminal?: RecordedTerminal;
  /** How far ahead the clock is, in milliseconds. */
  readonly clockAhead?: number;
  /** The world in place of the real one; its clock is its own. */
  readonly system?: System;
}

/** The real system, but for its clock. */
function systemAhead(milliseconds: number): System {
  return new Proxy(realSystem(), {
    get(target, key) {
      if (key === "now") return () => target.now() + milliseconds;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** Runs a program to its end. */
export async function runInProcess(args: readonly string[], options: InProcessOptions = {}): Promise<CliResult> {
  const wanted = options.program ?? "peipkg";
  const program = PROGRAMS.find(({ name }) => name === wanted);
  if (program === undefined) throw new Error(`there is no program ${wanted}`);
  const terminal = options.terminal ??
    recordedTerminal({ lines: options.stdin === undefined ? [] : options.stdin.split("\n").slice(0, -1) });
  const status = await runProgram(program, args, {
    terminal,
    environment: new Map(Object.entries(options.env ?? {})),
    workingDirectory: () => options.cwd ?? "/",
    system: () => Promise.resolve(options.system ?? systemAhead(options.clockAhead ?? 0)),
    onSignal: () => {},
    monotonic: () => performance.now(),
  });
  return { status, stdout: terminal.output.stdout, stderr: terminal.output.stderr };
}
