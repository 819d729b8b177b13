/** `peipkg repo add`: the trust ceremony (C-REPO-05), then the first index. */
import { planRepositoryAdd, type RepositoryAddRequest } from "../../../mod.ts";
import { hasFlag, optionList, optionNumber, optionText, type ParsedArguments, UsageError } from "../../arguments.ts";
import { addedText, runCeremony } from "../../ceremony.ts";
import { cancelChange } from "../../change.ts";
import type { Invocation } from "../../invocation.ts";

/** The request; with one operand no setting may be given (C-REPO-08). */
export function parseRepositoryAdd(args: ParsedArguments): RepositoryAddRequest {
  const { options, operands } = args;
  const [handle = "", baseUrl] = operands;
  if (baseUrl === undefined) {
    const given = Object.keys(options).find((name) => name !== "yes");
    if (given !== undefined) {
      throw new UsageError(args.words, `--${given} needs a base URL beside the name`, { path: args.path });
    }
    return { handle };
  }
  const policy = optionText(options, "policy");
  const priority = optionNumber(options, "priority");
  const minIndexVersion = optionNumber(options, "min-index-version");
  const maxTrustedAgeDays = optionNumber(options, "max-trusted-age-days");
  const maxIndexStalenessDays = optionNumber(options, "max-index-staleness-days");
  return {
    handle,
    baseUrl,
    anchors: optionList(options, "anchor"),
    ...(priority === undefined ? {} : { priority }),
    ...(policy === "optional" || policy === "required" ? { policy } : {}),
    ...(minIndexVersion === undefined ? {} : { minIndexVersion }),
    ...(maxTrustedAgeDays === undefined ? {} : { maxTrustedAgeDays }),
    ...(maxIndexStalenessDays === undefined ? {} : { maxIndexStalenessDays }),
    insecure: hasFlag(options, "insecure"),
    replace: hasFlag(options, "replace"),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const request = parseRepositoryAdd(args);
  const plan = planRepositoryAdd(await invocation.workspace(), request);
  const outcome = await runCeremony(invocation, plan, request.baseUrl !== undefined);
  if (outcome !== "added") return cancelChange(screen, outcome);
  screen.end("done", { summary: addedText(plan), dry_run: false });
  return 0;
}
