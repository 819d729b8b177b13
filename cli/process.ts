/**
 * The real process: the only place where arguments, environment and signals are read, on behalf of the three main
 * files.
 */
import { PROGRAM_VARIABLE } from "./build_info.ts";
import type { Program } from "./command.ts";
import { type EndingSignal, exitStatus, STATUS_CLOSED_OUTPUT } from "./exit.ts";
import type { World } from "./invocation.ts";
import { runProgram } from "./run.ts";
import { ClosedStreamError, realTerminal } from "./terminal.ts";

/** Files and directories get the modes they are created with; nothing else of the caller's environment counts. */
const UMASK = 0o022;

function realWorld(): World {
  const environment = new Map(Object.entries(Deno.env.toObject()));
  const programPath = environment.get(PROGRAM_VARIABLE);
  environment.delete(PROGRAM_VARIABLE);
  return {
    terminal: realTerminal(),
    environment,
    workingDirectory: () => Deno.cwd(),
    system: async () => {
      const { realSystem } = await import("../mod.ts");
      return realSystem(programPath === undefined ? {} : { programPath });
    },
    onSignal: (listener) => {
      const names: readonly EndingSignal[] = ["SIGHUP", "SIGINT", "SIGTERM"];
      for (const name of names) Deno.addSignalListener(name, () => listener(name));
    },
    monotonic: () => performance.now(),
  };
}

/**
 * Runs a program in this process.
 *
 * @returns The status to exit with.
 */
export async function runProcess(program: Program): Promise<number> {
  Deno.umask(UMASK);
  const world = realWorld();
  try {
    return await runProgram(program, Deno.args, world);
  } catch (error) {
    if (error instanceof ClosedStreamError) return STATUS_CLOSED_OUTPUT;
    // Nothing reaches this place but a defect in reporting itself.
    world.terminal.write("stderr", `${program.name}: a defect of this program stopped it [internal]\n`);
    return exitStatus("internal");
  }
}
