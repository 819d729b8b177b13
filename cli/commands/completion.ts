/** `peipkg completion`: the script for one shell. */
import { completionScript } from "../completion_scripts.ts";
import type { Invocation } from "../invocation.ts";

export function run({ args, program, screen }: Invocation): Promise<0 | 1> {
  screen.raw(completionScript(program.name, args.operands[0] ?? ""));
  return Promise.resolve(0);
}
