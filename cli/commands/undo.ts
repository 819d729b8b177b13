/** `peipkg undo` */
import { runChange } from "../change.ts";
import { readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { settings } = await invocation.workspace();
  return await runChange(invocation, { kind: "undo", options: readChangeOptions(invocation.args, settings) });
}
