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
import { askAboutDescriptors, type DescriptorPlan, planDescriptors, requireDescriptorPolicy } from "./descriptors.ts";
import { Diff } from "./diff.ts";
import { DirectoryPool } from "./directories.ts";
import { type DueEffect, dueEffects } from "./effects.ts";
import type { ChangeSet } from "./file_operation.ts";
import { type ClaimSubject, planHolders } from "./holders.ts";
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
  readonly descriptors: DescriptorPlan;
  readonly effects: readonly DueEffect[];
  /** Decisions on edited files, recorded like authorisations (T-RM-04). */
  readonly decisions: readonly AuthorisationRow[];
  readonly mode: number;
}

export interface CancelledTransaction {
  readonly kind: "cancelled";
  readonly reason: "modified-abort" | "authorisation-declined";
}

/** Path rules with the operator's settings. */
function pathRules(
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
  requireDescriptorPolicy(input, pathRules(input.options));
  const compared = comparePlan(input, pool);
  const decisions = await decideEdits(input, compared.diff, compared.undecided);
  if (decisions === undefined) return { kind: "cancelled", reason: "modified-abort" };
  const descriptors = planDescriptors(compared.diff, input);
  const granted: AuthorisationRow[] = [];
  const isGranted = await askAboutDescriptors(input, descriptors.questions, ({ action, subject }, evidence) => {
    granted.push({ action, subject, ...evidence });
  });
  if (!isGranted) return { kind: "cancelled", reason: "authorisation-declined" };
  return finishPreparation(input, compared, descriptors, [...decisions, ...granted]);
}

/** The plan against the database and the disk: everything but the operator's word. */
interface ComparedPlan {
  readonly diff: Diff;
  readonly claims: ClaimDiff;
  readonly undecided: readonly UndecidedFile[];
}

function comparePlan(input: TransactionInput, pool: DirectoryPool): ComparedPlan {
  const { database, plan, contents, options, root, session } = input;
  const rules = pathRules(options);
  const obstacles = new Obstacles();
  const scope = readScope(database, plan, contents, rules, obstacles);
  const holders = planHolders(database, {
    arriving: claimSubjects(input),
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
    fileMode: root.hasKacs && input.isSystemRoot ? 0o777 : 0o755, // T-MODE-01
    reader: new ContentReader(),
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
  return { diff, claims, undecided };
}

function claimSubjects({ plan, contents }: TransactionInput): readonly ClaimSubject[] {
  return plan.operations.flatMap((operation) => {
    if (operation.kind === "remove") return [];
    const content = contents.get(operation.target.name);
    if (content === undefined) return [];
    const { name, manifest } = content;
    return [{ name, relations: manifest, isNamed: operation.requested, isNew: operation.kind === "install" }];
  });
}

/** Settles every edited file; `undefined` when the operator aborts (T-RM-04). */
async function decideEdits(
  input: TransactionInput,
  diff: Diff,
  undecided: readonly UndecidedFile[],
): Promise<readonly AuthorisationRow[] | undefined> {
  const decisions = standingDecisions(input, diff);
  for (const file of undecided) {
    const decision = await decide(input, undecided, file);
    if (decision === "abort") return undefined;
    decideRemoval(diff, file, decision);
    if (decision === "remove") decisions.push(removalEvidence(file.row.path, "tty"));
  }
  return decisions;
}

function finishPreparation(
  input: TransactionInput,
  { diff, claims }: ComparedPlan,
  descriptors: DescriptorPlan,
  decisions: readonly AuthorisationRow[],
): PreparedTransaction {
  const { database, root } = input;
  const { pool, scope, rules, reader, fileMode } = diff.context;
  const id = nextTransactionId(database);
  const hasRetained = (): boolean =>
    prunableTransactions(database).some((entry) => retainedPaths(database, entry.id).length > 0);
  sequenceChanges(diff.changes, pool, id, (path) => scope.arrivals.size > 0 && scope.arrivals.has(path));
  for (const warning of requireSpace(pool, input.state.directory, diff.changes, hasRetained)) diff.warn(warning);
  for (const warning of foreignOwners(root.foreignDirectories)) diff.warn(warning);
  const due = dueEffects(scope, diff.changes, declaredByRemoved(input, scope));
  for (const warning of due.warnings) diff.warn(warning);
  const { changes } = diff;
  return {
    kind: "prepared",
    id,
    pool,
    reader,
    rules,
    scope,
    changes,
    claims,
    descriptors,
    effects: due.effects,
    decisions,
    mode: fileMode,
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
