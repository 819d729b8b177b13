/** `peipkg remove` */
import type { ChangeRequest } from "../../mod.ts";
import type { ParsedArguments } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageNames } from "../operands.ts";

export function parseRemove(args: ParsedArguments, defaults: ChangeDefaults): ChangeRequest {
  return { kind: "remove", names: readPackageNames(args, args.operands), options: readChangeOptions(args, defaults) };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { settings } = await invocation.workspace();
  return await runChange(invocation, parseRemove(invocation.args, settings));
}
