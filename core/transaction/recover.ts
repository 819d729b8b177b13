/**
 * What every writer does before its own work (transactions.md section 17): roll back what a crash left pending, and
 * finish what closed transactions left to do. Recovery only ever rolls back, and never asks (T-RECOV-02).
 */
import { type PeipkgError, ruleError, type Warning } from "../errors.ts";
import {
  isCleaned,
  JOURNAL_SCHEMA_VERSION,
  journalDirectories,
  type JournalFile,
  journalFiles,
  openSideEffects,
  recordAudited,
  recordCleaned,
  type UnfinishedTransaction,
  unfinishedTransactions,
} from "../store/journal.ts";
import { type PendingTransaction, pendingTransaction } from "../store/pending.ts";
import { isSafePath } from "../identity/safe_path.ts";
import { PathRules } from "./collision.ts";
import { ContentReader } from "./config_files.ts";
import { DirectoryPool } from "./directories.ts";
import { recordOutcomes, runSideEffects } from "./effects.ts";
import { describeFailure } from "./failures.ts";
import { tidyAbandoned, tidyCommitted } from "./housekeeping.ts";
import type { TransactionContext } from "./input.ts";
import { parentPath } from "./names.ts";
import { pruneRetained, retainsBackups } from "./retention.ts";
import { indeterminateError, type JournalView, rollBack, type RollbackResult } from "./revert.ts";

/** What recovery found and did. */
export type RecoveryOutcome =
  | { readonly kind: "nothing"; readonly warnings: readonly Warning[] }
  | { readonly kind: "rolled-back"; readonly transaction: number; readonly warnings: readonly Warning[] };

/** Context of recovery, with the settings housekeeping needs. */
export interface RecoveryContext extends TransactionContext {
  /** `backup_keep_transactions`, `backup_keep_days` */
  readonly keepTransactions: number;
  readonly keepDays: number;
  readonly sideEffects: "auto" | "skip";
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Drop-in directories beside the built-in ones: displaced objects do not stay in them (T-COLL-11). */
  readonly dropinDirectories?: readonly string[];
}

/**
 * Rolls back a pending transaction, then finishes the housekeeping of closed ones (T-RECOV-01, T-RECOV-03). The caller
 * holds the writer lock.
 *
 * @throws {PeipkgError} `indeterminate` (`RECOVERY_MODE` where the operator has to resolve it, `ROLLBACK_FAILED` or a
 * `RECOVERY_…` rule when this attempt failed, `CROSS_ROOT_PENDING`), `journal-version` (`JOURNAL_TOO_NEW`), and what
 * the database throws when every file was restored but the row could not be closed
 */
export async function recoverPending(context: RecoveryContext): Promise<RecoveryOutcome> {
  const pending = pendingTransaction(context.database);
  if (pending === undefined) return { kind: "nothing", warnings: await finishHousekeeping(context) };
  requireRecoverable(pending);
  if (pending.isIndeterminate) {
    // T-INDET-04: once recorded as undecided, only the operator's command tries again.
    throw ruleError(
      "RECOVERY_MODE",
      `cannot change anything: transaction ${pending.id} could not be rolled back completely`,
      { transaction: pending.id, hint: "run 'peipkg recover'" },
    );
  }
  const result = rollBackPending(context, pending);
  requireRolledBack(pending.id, result);
  const warnings = [...result.warnings, ...await finishHousekeeping(context)];
  return { kind: "rolled-back", transaction: pending.id, warnings };
}

/** Runs section 16 for a pending row, from the journal alone (T-PATH-08). */
export function rollBackPending(context: TransactionContext, pending: PendingTransaction): RollbackResult {
  const { database, root, session } = context;
  using pool = new DirectoryPool(root);
  return rollBack(
    { database, pool, reader: new ContentReader() },
    readJournal(context, pending),
    {
      code: pending.failureCode ?? "interrupted",
      detail: pending.failureDetail ?? "the process ended before the transaction was committed",
    },
    () => Math.floor(session.system.now() / 1000),
  );
}

/** Throws unless a rollback closed its transaction. */
export function requireRolledBack(id: number, result: RollbackResult): void {
  if (result.kind === "indeterminate") throw indeterminateError(id, result.problems);
  if (result.kind === "unclosed") throw result.error;
}

/** T-RECOV-07, T-RECOV-08 */
export function requireRecoverable(pending: PendingTransaction): void {
  if (pending.journalSchemaVersion > JOURNAL_SCHEMA_VERSION) {
    throw ruleError(
      "JOURNAL_TOO_NEW",
      `cannot recover transaction ${pending.id}: its journal has version ${pending.journalSchemaVersion}, ` +
        `written by ${pending.startedByVersion}`,
      { transaction: pending.id, hint: `run 'peipkg recover' of ${pending.startedByVersion} or newer` },
    );
  }
  if (pending.crossRootId !== undefined) {
    throw ruleError(
      "CROSS_ROOT_PENDING",
      `cannot recover transaction ${pending.id}: it is part of a transaction over several roots`,
      { transaction: pending.id },
    );
  }
}

/**
 * Reads a journal back, trusting nothing in it (T-DB-10).
 *
 * @throws {PeipkgError} `indeterminate` (`RECOVERY_MODE`) when a path is unsafe or a temporary name lies elsewhere
 */
export function readJournal(context: TransactionContext, pending: PendingTransaction): JournalView {
  const { database } = context;
  const files = journalFiles(database, pending.id);
  const directories = journalDirectories(database, pending.id);
  for (const file of files) requireSoundRow(pending.id, file);
  for (const { path } of directories) {
    if (!isSafePath(path.slice(1))) throw unsound(pending.id, path);
  }
  return { id: pending.id, phase: pending.phase, files, directories };
}

function requireSoundRow(id: number, file: JournalFile): void {
  const parent = parentPath(file.path);
  for (const path of [file.path, file.stagedPath, file.backupPath]) {
    if (path === undefined) continue;
    if (!path.startsWith("/") || !isSafePath(path.slice(1)) || parentPath(path) !== parent) throw unsound(id, path);
  }
  const needsStaged = file.action !== "remove";
  const needsBackup = file.action === "remove" || file.action === "replace";
  if (needsStaged !== (file.stagedPath !== undefined) || needsBackup !== (file.backupPath !== undefined)) {
    throw unsound(id, file.path);
  }
}

function unsound(id: number, path: string): PeipkgError {
  return ruleError("RECOVERY_MODE", `cannot recover transaction ${id}: its journal is inconsistent at ${path}`, {
    transaction: id,
    paths: [{ path, rule: "RECOVERY_MODE" }],
  });
}

/**
 * Finishes what closed transactions left: missing audit events, backups in live directories, side effects, pruning
 * (T-CLEAN-01 to T-CLEAN-07, T-SIDE-10). Nothing in here fails; what is left over is tried again next time.
 *
 * @param isExplicit `peipkg recover`: retries side effects that failed too often or were skipped.
 */
export async function finishHousekeeping(context: RecoveryContext, isExplicit = false): Promise<readonly Warning[]> {
  const warnings: Warning[] = [];
  const { database } = context;
  const unfinished = unfinishedTransactions(database);
  for (const transaction of unfinished) finishOne(context, transaction, warnings);
  try {
    // What a committed transaction still owes, or another root skipped, is due as soon as there is a writer.
    const isTidy = unfinished.every(({ id }) => isCleaned(database, id)); // T-CLEAN-04
    if (isTidy && (unfinished.length > 0 || isExplicit || hasForeignEffects(context))) {
      const effects = await runSideEffects(context, isExplicit);
      if (effects.outcomes.length > 0) database.write(() => recordOutcomes(database, effects.outcomes));
      warnings.push(...effects.warnings);
    }
    if (unfinished.length > 0) {
      using pool = new DirectoryPool(context.root);
      const now = Math.floor(context.session.system.now() / 1000);
      warnings.push(...pruneRetained({ database, pool, state: context.state.directory }, context, now).warnings);
    }
  } catch (error) {
    warnings.push({ rule: "W_HOUSEKEEPING", text: `the next command repeats the rest: ${describeFailure(error)}` });
  }
  return warnings;
}

function hasForeignEffects(context: RecoveryContext): boolean {
  if (!context.isSystemRoot) return false;
  return openSideEffects(context.database).some((row) => row.state === "skipped" && row.detail === "other-root");
}

function finishOne(context: RecoveryContext, transaction: UnfinishedTransaction, warnings: Warning[]): void {
  const { database } = context;
  const { id } = transaction;
  try {
    const isAudited = transaction.isAudited || context.audit(id, true); // T-CLEAN-01
    const isComplete = transaction.state === "rolled-back" || tidy(context, transaction, warnings);
    database.write(() => {
      if (isAudited) recordAudited(database, id);
      if (isComplete) recordCleaned(database, id);
    });
  } catch (error) {
    warnings.push({
      rule: "W_HOUSEKEEPING",
      text: `clearing up after transaction ${id} is not finished: ${describeFailure(error)}`,
    });
  }
}

function tidy(context: RecoveryContext, { id, state }: UnfinishedTransaction, warnings: Warning[]): boolean {
  const { database } = context;
  using pool = new DirectoryPool(context.root);
  const housekeeping = {
    database,
    pool,
    state: context.state.directory,
    rules: new PathRules([], context.dropinDirectories ?? []),
    retains: retainsBackups(context),
  };
  const files = journalFiles(database, id);
  for (const file of files) requireSoundRow(id, file);
  const result = state === "abandoned"
    ? tidyAbandoned(housekeeping, id, files)
    : tidyCommitted(housekeeping, id, files, journalDirectories(database, id), true);
  warnings.push(...result.warnings);
  return result.isComplete;
}
