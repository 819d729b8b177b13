/**
 * The trust ceremony (C-REPO-05) as `repo add` holds it, and `install` for the repositories it is given: what the
 * repository signs with is shown beside the anchors, and a person compares.
 */
import {
  commitRepositoryAdd,
  fetchRepositoryAdd,
  groupFingerprint,
  planRepositoryAdd,
  readRepositorySeed,
  type RepositoryAddPlan,
  type RepositoryAddRequest,
  type RepositoryCeremony,
} from "../mod.ts";
import { hasFlag, optionList, optionText, type ParsedArguments, UsageError } from "./arguments.ts";
import { askWeakenings } from "./change.ts";
import { escapeText } from "./escape.ts";
import type { Invocation } from "./invocation.ts";
import { isYes, trustQuestion } from "./prompt.ts";

/** What the operator compares, escaped (C-REPO-05). */
function ceremonyLines({ plan, keys, anchors }: RepositoryCeremony, isTyped: boolean): readonly string[] {
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

/** The closing sentence, unescaped. */
export function addedText({ configuration }: RepositoryAddPlan): string {
  return `added repository "${configuration.handle}"`;
}

/**
 * Fetches, shows, asks and records.
 *
 * @param isTyped The anchors stand on the command line rather than in a file.
 * @returns `added`, or which question was answered with no; then nothing was recorded.
 */
export async function runCeremony(
  invocation: Invocation,
  plan: RepositoryAddPlan,
  isTyped: boolean,
): Promise<"added" | "authorisation-declined" | "trust-declined"> {
  const { screen } = invocation;
  const workspace = await invocation.workspace();
  if (!(await askWeakenings(screen, workspace, plan.weakenings))) return "authorisation-declined";
  const ceremony = await fetchRepositoryAdd(workspace, plan, plan.weakenings);
  if (ceremony.asksTrust) {
    for (const line of ceremonyLines(ceremony, isTyped)) screen.aside(line);
    // Without a terminal the anchors given are the comparison; they matched, or nothing had been verified.
    const canAsk = screen.mode.driven === true || screen.terminal.isTerminal("stdin");
    const asks = !invocation.assumeYes && canAsk;
    const question = trustQuestion(plan.configuration.handle, ceremony.keys.map(({ fingerprint }) => fingerprint));
    if (asks && !isYes(await screen.ask(question))) return "trust-declined";
  }
  screen.passPrompts();
  await commitRepositoryAdd(workspace, ceremony);
  screen.info(escapeText(addedText(plan)));
  return "added";
}

/** Repositories a command is given to begin with: files of their own, and one in words. */
interface Seeds {
  readonly files: readonly string[];
  readonly typed: RepositoryAddRequest | undefined;
}

/**
 * Reads `--repo-file`, `--repo`, `--anchor` and `--insecure`.
 *
 * @throws {UsageError}
 */
export function readSeeds(args: ParsedArguments): Seeds {
  const { options } = args;
  const files = optionList(options, "repo-file");
  const repository = optionText(options, "repo");
  const anchors = optionList(options, "anchor");
  if (repository === undefined) {
    const given = ["anchor", "insecure"].find((name) => options[name] !== undefined);
    if (given === undefined) return { files, typed: undefined };
    throw new UsageError(args.words, `--${given} needs --repo NAME=URL beside it`, { path: args.path });
  }
  const equals = repository.indexOf("=");
  if (equals < 1) throw new UsageError(args.words, `--repo "${repository}" is not NAME=URL`, { path: args.path });
  const handle = repository.slice(0, equals);
  const baseUrl = repository.slice(equals + 1);
  return { files, typed: { handle, baseUrl, anchors, insecure: hasFlag(options, "insecure") } };
}

/**
 * Adds the repositories a command is given, each by its own ceremony. Those that are configured so and trusted
 * already are left alone, so that the same command can be run again.
 *
 * @returns Which question was answered with no; what was added before it stays.
 */
export async function addSeeds(
  invocation: Invocation,
  { files, typed }: Seeds,
): Promise<"authorisation-declined" | "trust-declined" | undefined> {
  if (files.length === 0 && typed === undefined) return undefined;
  const workspace = await invocation.workspace();
  const session = await invocation.session();
  const requests = files.map((path): RepositoryAddRequest => {
    const configuration = readRepositorySeed(session, path);
    return { handle: configuration.handle, configuration };
  });
  for (const request of typed === undefined ? requests : [...requests, typed]) {
    const plan = planRepositoryAdd(workspace, request);
    if (plan.isSettled) continue;
    const outcome = await runCeremony(invocation, plan, request === typed);
    if (outcome !== "added") return outcome;
  }
  return undefined;
}
