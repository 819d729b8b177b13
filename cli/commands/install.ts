/** `peipkg install` */
import type { ChangeRequest } from "../../mod.ts";
import { hasFlag, optionList, type ParsedArguments } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";
import { readInstallTarget, readList } from "../operands.ts";

/** What was asked for; nothing is looked up. */
export function parseInstall(args: ParsedArguments, defaults: ChangeDefaults): ChangeRequest {
  const { options } = args;
  return {
    kind: "install",
    targets: args.operands.map((word) => readInstallTarget(args, word)),
    claims: {
      none: hasFlag(options, "no-claim"),
      all: hasFlag(options, "claim-all"),
      roles: readList(args, "claim", optionList(options, "claim")),
    },
    automatic: hasFlag(options, "auto"),
    reinstall: hasFlag(options, "reinstall"),
    repositories: optionList(options, "repository"),
    requireSignature: false,
    options: readChangeOptions(args, defaults),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { settings } = await invocation.workspace();
  return await runChange(invocation, parseInstall(invocation.args, settings));
}
