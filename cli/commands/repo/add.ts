/** `peipkg repo add`: the trust ceremony (C-REPO-05), then the first index. */
import {
  commitRepositoryAdd,
  fetchRepositoryAdd,
  groupFingerprint,
  planRepositoryAdd,
  type RepositoryAddRequest,
  type RepositoryCeremony,
} from "../../../mod.ts";
import { hasFlag, optionList, optionNumber, optionText, type ParsedArguments, UsageError } from "../../arguments.ts";
import { askWeakenings, cancelChange } from "../../change.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { isYes, trustQuestion } from "../../prompt.ts";

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

/** What the operator compares, escaped (C-REPO-05). */
export function ceremonyLines({ plan, keys, anchors }: RepositoryCeremony, isTyped: boolean): readonly string[] {
  const { handle, baseUrl } = plan.configuration;
  return [
    `repository "${escapeText(handle)}" (${escapeText(baseUrl)}) signs with`,
    ...keys.map((key) => {
      const until = key.validUntil === undefined ? "" : ` until ${escapeText(key.validUntil)}`;
      return `  ${groupFingerprint(key.fingerprint)}  ${key.status}${until}`;
    }),
    isTyped ? "given --anchor" : "configured in trust_anchors",
    ...anchors.map(({ fingerprint, matches }) =>
      `  ${groupFingerprint(fingerprint)}  ${matches ? "matches" : "does not match"}`
    ),
  ];
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const workspace = await invocation.workspace();
  const request = parseRepositoryAdd(args);
  const plan = planRepositoryAdd(workspace, request);
  const isGranted = await askWeakenings(screen, workspace, plan.weakenings);
  if (!isGranted) return cancelChange(screen, "authorisation-declined");
  const ceremony = await fetchRepositoryAdd(workspace, plan, plan.weakenings);
  if (ceremony.asksTrust) {
    for (const line of ceremonyLines(ceremony, request.baseUrl !== undefined)) screen.aside(line);
    // Without a terminal the anchors given are the comparison; they matched, or nothing had been verified.
    const canAsk = screen.mode.driven === true || screen.terminal.isTerminal("stdin");
    const asks = !invocation.assumeYes && canAsk;
    const question = trustQuestion(plan.configuration.handle, ceremony.keys.map(({ fingerprint }) => fingerprint));
    if (asks && !isYes(await screen.ask(question))) return cancelChange(screen, "trust-declined");
  }
  screen.passPrompts();
  await commitRepositoryAdd(workspace, ceremony);
  const summary = `added repository "${plan.configuration.handle}"`;
  screen.info(escapeText(summary));
  screen.end("done", { summary, dry_run: false });
  return 0;
}
