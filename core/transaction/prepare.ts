/**
 * Step 4 (T-COMMIT-04): everything a transaction will do, computed and decided before anything is written.
 */
import { ruleError, type Warning } from "../errors.ts";
import { prunableTransactions, retainedPaths } from "../store/history.ts";
import { readManifestText } from "../store/installed.ts";
import { type AuthorisationRow, nextTransactionId } from "../store/journal.ts";
import { addClaimLinks, checkLinkPlaces, type ClaimDiff, planLinks, withdrawnLinks } from "./claims.ts";
import { Obstacles, PathRules } from "./collision.ts";
import { ContentReader } from "./config_files.ts";
import { requireDescriptorPolicy } from "./descriptors.ts";
import { Diff } from "./diff.ts";
import { DirectoryPool } from "./directories.ts";
import { type DueEffect, dueEffects } from "./effects.ts";
import type { ChangeSet } from "./file_operation.ts";
import { planHolders } from "./holders.ts";
import type { TransactionInput } from "./input.ts";
import { addRemovals, decideRemoval, type UndecidedFile } from "./removal.ts";
import { readScope, type Scope } from "./scope.ts";
import { sequenceChanges } from "./sequence.ts";
import { requireSpace } from "./space.ts";

/** A transaction ready to be recorded. */
export interface PreparedTransaction {
  readonly kind: "prepared";
  readonly id: number;
  readonly pool: DirectoryPool;
  readonly reader: ContentReader;
  readonly rules: PathRules;
  readonly scope: Scope;
  readonly changes: ChangeSet;
  readonly claims: ClaimDiff;
  readonly effects: readonly DueEffect[];
  /** Decisions on edited files, recorded like authorisations (T-RM-04). */
  readonly decisions: readonly AuthorisationRow[];
  readonly mode: number;
}

export interface CancelledTransaction {
  readonly kind: "cancelled";
  readonly reason: "modified-abort";
}

/** Path rules with the operator's settings. */
export function pathRules(
  options: Pick<TransactionInput["options"], "reservedPaths" | "dropinDirectories">,
): PathRules {
  return new PathRules(options.reservedPaths, options.dropinDirectories);
}

/**
 * Computes and decides everything.
 *
 * @param pool Owned by the caller, who disposes it at the end of the transaction (T-PATH-07).
 * @throws {PeipkgError} `collision`, `unowned`, `modified`, `no-space`, `format`, `sd-override`, `critical`, `io`, …
 */
export async function prepareTransaction(
  input: TransactionInput,
  pool: DirectoryPool,
): Promise<PreparedTransaction | CancelledTransaction> {
  const { database, plan, contents, options, root, session } = input;
  requireDescriptorPolicy(contents.values(), root.hasKacs);
  const rules = pathRules(options);
  const obstacles = new Obstacles();
  const reader = new ContentReader();
  const mode = root.hasKacs && input.isSystemRoot ? 0o777 : 0o755; // T-MODE-01
  const scope = readScope(database, plan, contents, rules, obstacles);
  const holders = planHolders(database, {
    arriving: plan.operations.flatMap((operation) => {
      if (operation.kind === "remove") return [];
      const content = contents.get(operation.target.name);
      if (content === undefined) return [];
      const { name, manifest } = content;
      return [{ name, relations: manifest, isNamed: operation.requested, isNew: operation.kind === "install" }];
    }),
    touched: new Set(scope.touched.keys()),
    request: input.claims,
    allowCritical: options.allowCritical,
  });
  const links = planLinks(database, holders);
  const diff = new Diff({
    database,
    pool,
    scope,
    rules,
    obstacles,
    options,
    callerUid: session.system.machine.euid,
    fileMode: mode,
    reader,
    withdrawnLinks: withdrawnLinks(links),
    declarations: holders.declarations,
  });
  for (const warning of holders.warnings) diff.warn(warning);
  checkLinkPlaces(diff, links);
  if (!obstacles.isEmpty) throw obstacles.toError();
  diff.addArrivals();
  const claims = addClaimLinks(diff, holders, links, input.isSystemRoot);
  const undecided = addRemovals(diff);
  if (!obstacles.isEmpty) throw obstacles.toError();
  const decisions = standingDecisions(input, diff);
  for (const file of undecided) {
    const decision = await decide(input, undecided, file);
    if (decision === "abort") return { kind: "cancelled", reason: "modified-abort" };
    decideRemoval(diff, file, decision);
    if (decision === "remove") decisions.push(removalEvidence(file.row.path, "tty"));
  }
  const id = nextTransactionId(database);
  const hasRetained = (): boolean =>
    prunableTransactions(database).some((entry) => retainedPaths(database, entry.id).length > 0);
  sequenceChanges(diff.changes, pool, id, (path) => scope.arrivals.has(path));
  for (const warning of requireSpace(pool, input.state.directory, diff.changes, hasRetained)) diff.warn(warning);
  for (const warning of foreignOwners(root.foreignDirectories)) diff.warn(warning);
  const due = dueEffects(scope, diff.changes, declaredByRemoved(input, scope));
  for (const warning of due.warnings) diff.warn(warning);
  return {
    kind: "prepared",
    id,
    pool,
    reader,
    rules,
    scope,
    changes: diff.changes,
    claims,
    effects: due.effects,
    decisions,
    mode,
  };
}

/** T-RM-04: a decision, or the refusal that names every file without one. */
async function decide(
  input: TransactionInput,
  undecided: readonly UndecidedFile[],
  { row }: UndecidedFile,
): Promise<"remove" | "keep" | "abort"> {
  if (input.options.modified === "abort") return "abort";
  const answer = await input.ask({ kind: "modified", package: row.package, path: row.path });
  if (answer.kind === "modified" && answer.decision !== "unavailable") return answer.decision;
  throw ruleError("MODIFIED_FILES", `cannot remove ${row.package}: ${row.path} has been modified since install`, {
    paths: undecided.map((file) => ({ path: file.row.path, package: file.row.package, rule: "MODIFIED_FILES" })),
    hint: "pass --modified keep or --modified remove",
  });
}

/** Edited files removed by a decision taken before: evidence of the option or the earlier answer. */
function standingDecisions(input: TransactionInput, diff: Diff): AuthorisationRow[] {
  return diff.removedEdits.map((path) =>
    removalEvidence(path, input.options.modifiedDecisions.has(path) ? "tty" : "flag")
  );
}

function removalEvidence(path: string, method: "tty" | "flag"): AuthorisationRow {
  return {
    action: "modified-remove",
    subject: path,
    statement: `${path} has been modified since install and is removed`,
    method,
    planDigest: undefined,
  };
}

function foreignOwners(paths: readonly string[]): readonly Warning[] {
  return paths.map((path) => ({
    rule: "W_DIR_OWNER" as const,
    text: `${path} belongs to another user, who could exchange files in it`,
  }));
}

/** T-RM-10: effects declared by the stored manifests of packages that go. */
function declaredByRemoved(input: TransactionInput, scope: Scope): readonly string[] {
  const declared: string[] = [];
  for (const name of scope.removed) {
    const text = readManifestText(input.database, name) ?? "";
    for (const [, effect] of text.matchAll(/"(ldconfig|depmod|man-db)"/g)) {
      if (effect !== undefined && text.includes('"side_effects"')) declared.push(effect);
    }
  }
  return declared;
}
