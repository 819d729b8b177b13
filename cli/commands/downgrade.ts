/** `peipkg downgrade` */
import type { ChangeRequest } from "../../mod.ts";
import type { ParsedArguments } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageName } from "../operands.ts";

export function parseDowngrade(args: ParsedArguments, defaults: ChangeDefaults): ChangeRequest {
  const [name = "", version = ""] = args.operands;
  return { kind: "downgrade", name: readPackageName(args, name), version, options: readChangeOptions(args, defaults) };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { settings } = await invocation.workspace();
  return await runChange(invocation, parseDowngrade(invocation.args, settings));
}
