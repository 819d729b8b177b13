/** What `fetch` and `bundle` share: the question about settings, the list of files, and the routine question. */
import {
  pendingWeakenings,
  type PlannedBundle,
  type PlannedFetch,
  type RejectedFetch,
  type SelectionTarget,
  type Weakening,
} from "../mod.ts";
import { type ParsedArguments, UsageError } from "./arguments.ts";
import { askWeakenings, cancelChange, mayProceed, NOTHING_TO_DO } from "./change.ts";
import { escapeText } from "./escape.ts";
import type { Invocation } from "./invocation.ts";
import { readInstallTarget } from "./operands.ts";
import { rejectionError } from "./render/rejection.ts";
import { renderSize } from "./render/sizes.ts";

type Planned = PlannedFetch | PlannedBundle;
type Listed = Planned["packages"][number];

/**
 * Reads `NAME` or `NAME=VERSION`.
 *
 * @throws {UsageError}
 */
export function readSelectionTarget(args: ParsedArguments, word: string): SelectionTarget {
  const target = readInstallTarget(args, word);
  if (target.kind === "name") return { name: target.name, version: target.version };
  throw new UsageError(args.words, `"${word}" is a package file, a name is required`, { path: args.path });
}

/** `  nginx 1.27.5-1  4.1 MiB` */
function packageLine({ name, version, sizeCompressedBytes }: Listed): string {
  return escapeText(`  ${name} ${version.raw}  ${renderSize(sizeCompressedBytes)}`);
}

/** `3 package(s), 9.8 MiB` */
export function countText(count: number, bytes: number): string {
  return `${count} package(s), ${renderSize(bytes)}`;
}

/**
 * Plans with the settings that are authorised, shows what would be fetched, and asks.
 *
 * @param verb `fetched`, `bundled`.
 * @returns What to carry out; `undefined`: it has ended, with status 0.
 * @throws {PeipkgError} `unresolvable`, `authorisation-required`, and what planning throws
 * @see C-FETCH-01, C-PROMPT-03
 */
export async function agreeOnPackages<T extends Planned>(
  invocation: Invocation,
  verb: string,
  plan: (granted: readonly Weakening[]) => Promise<T | RejectedFetch>,
): Promise<T | undefined> {
  const { screen } = invocation;
  const workspace = await invocation.workspace();
  const weakenings = pendingWeakenings(workspace);
  if (!(await askWeakenings(screen, workspace, weakenings))) {
    cancelChange(screen, "authorisation-declined");
    return undefined;
  }
  const planned = await plan(weakenings);
  if (planned.kind === "rejected") throw rejectionError(planned);
  const packages = planned.kind === "planned" && "older" in planned
    ? [...planned.packages, ...planned.older]
    : planned.packages;
  if (packages.length === 0) {
    screen.info(NOTHING_TO_DO);
    screen.end("done", { summary: "nothing to do", operations: 0, dry_run: false });
    return undefined;
  }
  if (!invocation.assumeYes || !screen.mode.quiet) {
    screen.line(`the following packages will be ${verb}:`);
    for (const item of packages) screen.line(packageLine(item));
    screen.line(`  total: ${renderSize(planned.sizeBytes)}`);
  }
  return await mayProceed(invocation) ? planned : undefined;
}
