/**
 * The operator's two ways out of a transaction whose rollback failed (transactions.md section 18): try again, putting
 * aside what is in the way, or accept what is on disk. Nothing here happens by itself (T-INDET-04).
 */
import { ruleError, type Warning } from "../errors.ts";
import { readFile, readOwners } from "../store/installed.ts";
import {
  insertAuthorisations,
  type JournalFile,
  journalFiles,
  recordAbandoned,
  recordDisplaced,
} from "../store/journal.ts";
import { type PendingTransaction, pendingTransaction } from "../store/pending.ts";
import { ContentReader } from "./config_files.ts";
import { DirectoryPool } from "./directories.ts";
import type { Evidence, TransactionAnswer, TransactionQuestion } from "./input.ts";
import { backupSuffix, baseName, childPath, freeSiblingName, parentPath } from "./names.ts";
import { IdentityCheck, renameNoReplace } from "./objects.ts";
import {
  finishHousekeeping,
  readJournal,
  type RecoveryContext,
  requireRecoverable,
  requireRolledBack,
  rollBackPending,
} from "./recover.ts";
import { examine } from "./revert.ts";

/** How the explicit command ended. */
export type ResolutionOutcome =
  | { readonly kind: "nothing"; readonly warnings: readonly Warning[] }
  | {
    readonly kind: "rolled-back";
    readonly transaction: number;
    /** Objects put aside on the operator's word, with the place where each is. */
    readonly displaced: readonly { readonly path: string; readonly place: string }[];
    readonly warnings: readonly Warning[];
  };

/** Asks one elevated question per path (`AUTH_RECOVERY`). */
export type AskResolution = (question: TransactionQuestion) => Promise<TransactionAnswer>;

/**
 * Plain `peipkg recover`: rolls back, also what failed before; for a path that still cannot be decided although its
 * backup exists, asks whether to put aside what is there (T-INDET-08). Then finishes housekeeping, failed side effects
 * included (T-SIDE-10).
 *
 * @param operator Operator as JSON, recorded with each answer.
 * @throws {PeipkgError} `indeterminate` when something stays undecided; nothing of that path changed.
 */
export async function resolveIndeterminate(
  context: RecoveryContext,
  operator: string,
  ask: AskResolution,
): Promise<ResolutionOutcome> {
  const pending = pendingTransaction(context.database);
  if (pending === undefined) return { kind: "nothing", warnings: await finishHousekeeping(context, true) };
  requireRecoverable(pending);
  let result = rollBackPending(context, pending);
  const displaced: { path: string; place: string }[] = [];
  if (result.kind === "indeterminate") {
    const current = pendingTransaction(context.database) ?? pending;
    displaced.push(...await putAside(context, current, operator, ask));
    if (displaced.length > 0) result = rollBackPending(context, current);
  }
  requireRolledBack(pending.id, result);
  const warnings = [...result.warnings, ...await finishHousekeeping(context, true)];
  return { kind: "rolled-back", transaction: pending.id, displaced, warnings };
}

async function putAside(
  context: RecoveryContext,
  pending: PendingTransaction,
  operator: string,
  ask: AskResolution,
): Promise<readonly { readonly path: string; readonly place: string }[]> {
  const displaced: { path: string; place: string }[] = [];
  if (pending.phase !== "applying") return displaced;
  using pool = new DirectoryPool(context.root);
  const identity = new IdentityCheck();
  const revert = { database: context.database, pool, reader: new ContentReader() };
  for (const file of readJournal(context, pending).files) {
    const { decision, backup } = examine(revert, identity, file);
    if (decision.restoration !== "indeterminate" || backup === undefined) continue;
    const answer = await ask({
      kind: "authorise",
      action: "AUTH_RECOVERY",
      subject: file.path,
      data: { path: file.path, transaction: String(pending.id) },
      display: [],
    });
    if (answer.kind !== "authorise" || answer.answer !== "yes") continue;
    recordAnswer(context, pending.id, operator, answer.evidence ?? evidenceOf(file.path));
    displaced.push({ path: file.path, place: restoreOver(context, pool, pending.id, file) });
  }
  return displaced;
}

/** Moves what is at the final path aside, for good, and puts the backup back. */
function restoreOver(context: RecoveryContext, pool: DirectoryPool, id: number, file: JournalFile): string {
  const parent = parentPath(file.path);
  const directory = pool.need(parent);
  const name = baseName(file.path);
  if (directory.status(name) === undefined) {
    renameNoReplace(directory, baseName(file.backupPath ?? ""), name);
    return file.path;
  }
  const aside = freeSiblingName(name, backupSuffix(id), (candidate) => directory.status(candidate) !== undefined);
  const place = childPath(parent, aside);
  // Recorded before it moves, as every displaced object (T-COLL-11).
  context.database.write(() => recordDisplaced(context.database, id, file.path, place));
  renameNoReplace(directory, name, aside);
  renameNoReplace(directory, baseName(file.backupPath ?? ""), name);
  directory.sync();
  return place;
}

function evidenceOf(path: string): Evidence {
  return {
    action: "AUTH_RECOVERY",
    subject: path,
    statement: `restore ${path} from its backup and move aside what is there now`,
    method: "tty",
  };
}

function recordAnswer(context: RecoveryContext, id: number, operator: string, evidence: Evidence): void {
  const facts = {
    invocation: context.session.invocation,
    decidedAt: Math.floor(context.startedAt / 1000),
    operator,
  };
  const row = { ...evidence, planDigest: evidence.planDigest };
  context.database.write(() => insertAuthorisations(context.database, id, facts, [row]));
}

/** What accepting the state on disk left behind. */
export interface AcceptedState {
  readonly transaction: number;
  /** Recorded paths of the transaction whose content is not the recorded one any more (T-INDET-09). */
  readonly differing: readonly string[];
  readonly warnings: readonly Warning[];
}

/**
 * `peipkg recover --accept`: keeps what is on disk, gives the transaction up, then deletes what it left beside final
 * paths. The caller has asked the elevated question (T-INDET-10).
 *
 * @throws {PeipkgError} `indeterminate` (`RECOVERY_MODE`) when there is nothing indeterminate to accept
 */
export async function acceptState(
  context: RecoveryContext,
  operator: string,
  evidence: Evidence,
): Promise<AcceptedState> {
  const { database, session } = context;
  const pending = pendingTransaction(database);
  if (pending === undefined || !pending.isIndeterminate) {
    throw ruleError("RECOVERY_MODE", "cannot accept the state on disk: no transaction is in an undecided state");
  }
  requireRecoverable(pending);
  const differing = differingPaths(context, journalFiles(database, pending.id));
  const decidedAt = Math.floor(context.startedAt / 1000);
  database.write(() => {
    recordAbandoned(database, pending.id, Math.floor(session.system.now() / 1000));
    const row = { ...evidence, planDigest: evidence.planDigest };
    insertAuthorisations(database, pending.id, { invocation: session.invocation, decidedAt, operator }, [row]);
  });
  // FP-72, FP-73: backups are deleted only now that the database says so.
  const warnings = await finishHousekeeping(context);
  return { transaction: pending.id, differing, warnings };
}

function differingPaths(context: RecoveryContext, files: readonly JournalFile[]): readonly string[] {
  using pool = new DirectoryPool(context.root);
  const reader = new ContentReader();
  return files.filter(({ path }) => differs(context, pool, reader, path)).map(({ path }) => path);
}

/** Whether the package rows, which are those of before the transaction, say something else than the disk. */
function differs(context: RecoveryContext, pool: DirectoryPool, reader: ContentReader, path: string): boolean {
  const [owner] = readOwners(context.database, path);
  const directory = pool.open(parentPath(path));
  const found = directory?.status(baseName(path));
  if (owner === undefined) return false;
  const row = readFile(context.database, owner.package, path);
  if (directory === undefined || found === undefined || row === undefined || found.type !== row.type) return true;
  if (row.type === "file") return reader.hash(directory, baseName(path)) !== row.hash;
  return row.type === "symlink" && directory.readLink(baseName(path)) !== row.target;
}
