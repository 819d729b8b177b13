/** `peipkg autoremove` */
import type { ChangeRequest } from "../../mod.ts";
import { hasFlag, optionList, type ParsedArguments } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageNames } from "../operands.ts";

function parseAutoremove(args: ParsedArguments, defaults: ChangeDefaults): ChangeRequest {
  return {
    kind: "autoremove",
    keep: readPackageNames(args, optionList(args.options, "keep")),
    ignoreOptional: hasFlag(args.options, "ignore-optional"),
    options: readChangeOptions(args, defaults),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { settings } = await invocation.workspace();
  const request = parseAutoremove(invocation.args, settings);
  return await runChange(invocation, request, {
    nothing: "nothing to do — no automatically installed package is unused",
    // C-AUTOREMOVE-03
    ...(request.options.dryRun
      ? {
        briefPlan: ({ plan }) =>
          plan.operations.flatMap((operation) =>
            operation.kind === "remove" ? [escapeText(`${operation.from.name} ${operation.from.version.raw}`)] : []
          ),
      }
      : {}),
  });
}
