/** `peipkg upgrade` */
import type { ChangeRequest } from "../../mod.ts";
import { optionList, type ParsedArguments } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageNames } from "../operands.ts";

export function parseUpgrade(args: ParsedArguments, defaults: ChangeDefaults): ChangeRequest {
  return {
    kind: "upgrade",
    names: readPackageNames(args, args.operands),
    exclude: readPackageNames(args, optionList(args.options, "exclude")),
    options: readChangeOptions(args, defaults),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { settings } = await invocation.workspace();
  return await runChange(invocation, parseUpgrade(invocation.args, settings));
}
