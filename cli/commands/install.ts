/** `peipkg install` */
import type { ChangeRequest } from "../../mod.ts";
import { hasFlag, optionList, type ParsedArguments } from "../arguments.ts";
import { addSeeds, readSeeds } from "../ceremony.ts";
import { cancelChange, runChange } from "../change.ts";
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
    requireSignature: hasFlag(options, "require-signature"),
    options: readChangeOptions(args, defaults),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const { settings } = await invocation.workspace();
  const request = parseInstall(args, settings);
  const declined = await addSeeds(invocation, readSeeds(args));
  if (declined !== undefined) return cancelChange(screen, declined);
  return await runChange(invocation, request);
}
