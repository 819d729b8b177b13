/**
 * The journal of the pending transaction: intent recorded before anything exists on disk, flipped to `applying`
 * before the first rename, closed at the end. The only SQL that writes `txn`, `txn_op`, `txn_file`, `txn_dir`,
 * `side_effect`, `authorisation` and `displaced_file`; what undo and history read is in `history.ts`.
 *
 * Nothing here opens a database transaction: the caller groups the writes, because which of them become durable
 * together is the protocol (T-COMMIT-05, T-COMMIT-10, T-COMMIT-13).
 */
import { CHILD_ROWS_PER_STATEMENT, runInBatches } from "./batch.ts";
import type { Database, Row } from "./database.ts";
import { directoryRows, fileRows, removalRows, stagedRows } from "./journal_rows.ts";
import { booleanOf, bytesOf, integerOf, optionalBigintOf, optionalTextOf, textOf, wordOf } from "./row.ts";

/** Meaning of the journal rows this program writes (T-SCHEMA-01). */
export const JOURNAL_SCHEMA_VERSION = 1;

export type FileAction = "create" | "replace" | "remove" | "repoint";
export type JournalFileType = "file" | "symlink" | "dir";
const FILE_ACTIONS = ["create", "replace", "remove", "repoint"] as const;
const FILE_TYPES = ["file", "symlink", "dir"] as const;

/** One row of `txn_file`: the backup map (T-DB-15). */
export interface JournalFile {
  /** Place in the apply order. */
  readonly sequence: number;
  /** `txn_op.seq` it belongs to. */
  readonly operation: number;
  /** Logical path. */
  readonly path: string;
  readonly action: FileAction;
  readonly stagedPath: string | undefined;
  readonly backupPath: string | undefined;
  readonly keepBackup: boolean;
  readonly newType: JournalFileType | undefined;
  readonly newHash: string | undefined;
  readonly newSizeBytes: number | undefined;
  readonly newTarget: string | undefined;
  /** Filled by the phase flip. */
  readonly stagedInode: bigint | undefined;
  readonly oldType: JournalFileType | undefined;
  readonly oldInode: bigint | undefined;
  readonly oldSizeBytes: number | undefined;
  /** Nanoseconds since the epoch. */
  readonly oldMtime: bigint | undefined;
  readonly oldTarget: string | undefined;
}

export type DirectoryAction = "create" | "set-sd" | "reclaim";

/** One row of `txn_dir`. */
export type JournalDirectory =
  | { readonly path: string; readonly action: Exclude<DirectoryAction, "set-sd"> }
  | {
    /** A directory or a file (A-SDA-18). */
    readonly path: string;
    readonly action: "set-sd";
    /** What the object had; empty: nothing was stored (A-SDA-31). */
    readonly old: Uint8Array;
    readonly descriptor: Uint8Array;
  };

export type OperationAction = "install" | "reinstall" | "upgrade" | "downgrade" | "remove" | "claim";
const OPERATION_ACTIONS = ["install", "reinstall", "upgrade", "downgrade", "remove", "claim"] as const;

/** One row of `txn_op`; of action `claim` the subject is a role and the versions are old and new holder. */
export interface JournalOperation {
  readonly sequence: number;
  readonly subject: string;
  readonly action: OperationAction;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly architecture: string | undefined;
  readonly origin: string | undefined;
  readonly cause: string;
  readonly causedBy: string | undefined;
}

export type TransactionKind = "package" | "claim" | "undo";
export type TransactionPhase = "staging" | "applying" | "closed";
export type TransactionState = "pending" | "committed" | "rolled-back" | "abandoned";

/** What a new `txn` row records. */
export interface NewTransaction {
  readonly kind: TransactionKind;
  readonly undoOf: number | undefined;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  readonly summary: string;
  readonly operator: string;
  readonly invocation: string;
  readonly version: string;
  readonly bootId: string;
}

/** A closed transaction whose housekeeping is not finished (T-RECOV-03). */
export interface UnfinishedTransaction {
  readonly id: number;
  readonly state: TransactionState;
  readonly isAudited: boolean;
}

export type SideEffectName = "ldconfig" | "depmod" | "man-db";
const SIDE_EFFECT_NAMES = ["ldconfig", "depmod", "man-db"] as const;
export type SideEffectState = "due" | "done" | "failed" | "skipped";
const SIDE_EFFECT_STATES = ["due", "done", "failed", "skipped"] as const;

export interface SideEffectRow {
  readonly transaction: number;
  readonly effect: SideEffectName;
  readonly argument: string;
  readonly state: SideEffectState;
  readonly attempts: number;
  readonly detail: string | undefined;
}

/** An authorisation as recorded (A-AUTH-07). */
export interface AuthorisationRow {
  readonly action: string;
  readonly subject: string;
  readonly statement: string;
  readonly method: "tty" | "driven" | "flag";
  readonly planDigest: string | undefined;
}

/** Opens a transaction: inserts its pending row and returns its id, which is never used again (T-COMMIT-05). */
export function insertTransaction(database: Database, row: NewTransaction): number {
  return database.statement(
    `INSERT INTO txn (state, phase, kind, undo_of, started_at, op_summary, operator, invocation, started_by_version,
                      journal_schema_version, boot_id)
     VALUES ('pending', 'staging', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).insert(
    row.kind,
    row.undoOf ?? null,
    row.startedAt,
    row.summary,
    row.operator,
    row.invocation,
    row.version,
    JOURNAL_SCHEMA_VERSION,
    row.bootId,
  );
}

/** The id the next transaction gets; names on disk are computed with it before its row exists. */
export function nextTransactionId(database: Database): number {
  const row = database.statement("SELECT seq FROM sqlite_sequence WHERE name = 'txn'").get();
  return row === undefined ? 1 : integerOf(row, "seq") + 1;
}

export function insertOperations(database: Database, id: number, operations: readonly JournalOperation[]): void {
  const statement = database.statement(
    `INSERT INTO txn_op (txn_id, seq, subject, action, from_version, to_version, architecture, origin_repo, cause,
                         caused_by)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const row of operations) {
    statement.run(
      id,
      row.sequence,
      row.subject,
      row.action,
      row.from ?? null,
      row.to ?? null,
      row.architecture ?? null,
      row.origin ?? null,
      row.cause,
      row.causedBy ?? null,
    );
  }
}

/** Writes the backup map. Called once, before anything it describes exists (T-DB-15). */
export function insertFiles(database: Database, id: number, files: readonly JournalFile[]): void {
  runInBatches(
    database,
    (places) =>
      `INSERT INTO txn_file (txn_id, seq, op_seq, final_path, action, staged_path, backup_path, keep_backup, new_type,
                             new_hash, new_size, new_target, old_type, old_ino, old_size, old_mtime, old_target)
       VALUES ${places}`,
    fileRows(id, files),
    [],
    CHILD_ROWS_PER_STATEMENT,
  );
  // Removals have half the columns, and a value not passed costs nothing.
  runInBatches(
    database,
    (places) =>
      `INSERT INTO txn_file (txn_id, seq, op_seq, final_path, action, backup_path, keep_backup, old_type, old_ino,
                             old_size, old_mtime, old_target)
       VALUES ${places}`,
    removalRows(id, files),
    [],
    CHILD_ROWS_PER_STATEMENT,
  );
}

export function insertDirectories(database: Database, id: number, directories: readonly JournalDirectory[]): void {
  runInBatches(
    database,
    (places) => `INSERT INTO txn_dir (txn_id, seq, path, action, old_sd, new_sd) VALUES ${places}`,
    directoryRows(id, directories),
    [],
    CHILD_ROWS_PER_STATEMENT,
  );
}

export function insertAuthorisations(
  database: Database,
  id: number | undefined,
  facts: { readonly invocation: string; readonly decidedAt: number; readonly operator: string },
  rows: readonly AuthorisationRow[],
): void {
  const statement = database.statement(
    `INSERT INTO authorisation (txn_id, action_code, subject, statement, method, plan_digest, invocation, decided_at,
                                operator)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const row of rows) {
    statement.run(
      id ?? null,
      row.action,
      row.subject,
      row.statement,
      row.method,
      row.planDigest ?? null,
      facts.invocation,
      facts.decidedAt,
      facts.operator,
    );
  }
}

export function insertSideEffects(
  database: Database,
  id: number,
  effects: readonly { readonly effect: SideEffectName; readonly argument: string }[],
): void {
  const statement = database.statement(
    "INSERT INTO side_effect (txn_id, effect, argument, state) VALUES (?, ?, ?, 'due')",
  );
  for (const { effect, argument } of effects) statement.run(id, effect, argument);
}

/** Flips the phase to `applying` and records what was staged (T-COMMIT-10). */
export function recordApplying(database: Database, id: number, files: readonly JournalFile[]): void {
  runInBatches(
    database,
    (places) =>
      `WITH staged(seq, ino) AS (VALUES ${places})
       UPDATE txn_file SET staged_ino = staged.ino FROM staged WHERE txn_id = ? AND txn_file.seq = staged.seq`,
    stagedRows(files),
    [id],
  );
  database.statement("UPDATE txn SET phase = 'applying' WHERE id = ? AND state = 'pending'").run(id);
}

/** Sets the phase back once every final path is as before the transaction (T-ROLL-02, stage A). */
export function recordStaging(database: Database, id: number): void {
  database.statement("UPDATE txn SET phase = 'staging' WHERE id = ? AND state = 'pending'").run(id);
}

/** Makes the transaction committed; part of the boundary (T-COMMIT-13). */
export function recordCommitted(database: Database, id: number, finishedAt: number): void {
  database.statement(
    "UPDATE txn SET state = 'committed', phase = 'closed', finished_at = ? WHERE id = ? AND state = 'pending'",
  ).run(finishedAt, id);
}

/** Closes a transaction that was undone completely (T-ROLL-02, stage B). */
export function recordRolledBack(
  database: Database,
  id: number,
  finishedAt: number,
  failure: { readonly code: string; readonly detail: string },
): void {
  database.statement(
    `UPDATE txn SET state = 'rolled-back', phase = 'closed', indeterminate = 0, failure_code = ?, failure_detail = ?,
                    finished_at = ?, cleanup_done = 1
     WHERE id = ? AND state = 'pending'`,
  ).run(failure.code, failure.detail, finishedAt, id);
  for (const table of ["prior_file", "prior_package", "prior_holder", "side_effect"]) {
    database.statement(`DELETE FROM ${table} WHERE txn_id = ?`).run(id);
  }
}

/** Marks a transaction whose rollback failed (T-ROLL-07). */
export function recordIndeterminate(
  database: Database,
  id: number,
  failure: { readonly code: string; readonly detail: string },
): void {
  database.statement(
    "UPDATE txn SET indeterminate = 1, failure_code = ?, failure_detail = ? WHERE id = ? AND state = 'pending'",
  ).run(failure.code, failure.detail, id);
}

/** Gives an indeterminate transaction up: the files stay, the package rows are those of before (T-INDET-09). */
export function recordAbandoned(database: Database, id: number, finishedAt: number): void {
  database.statement(
    `UPDATE txn SET state = 'abandoned', phase = 'closed', indeterminate = 0, finished_at = ?
     WHERE id = ? AND state = 'pending' AND indeterminate = 1`,
  ).run(finishedAt, id);
  for (const table of ["prior_file", "prior_package", "prior_holder", "side_effect"]) {
    database.statement(`DELETE FROM ${table} WHERE txn_id = ?`).run(id);
  }
}

export function recordAudited(database: Database, id: number): void {
  database.statement("UPDATE txn SET audited = 1 WHERE id = ?").run(id);
}

export function recordCleaned(database: Database, id: number): void {
  database.statement("UPDATE txn SET cleanup_done = 1 WHERE id = ?").run(id);
}

/** State of one transaction, read on the connection that tried to change it (T-COMMIT-43). */
export function transactionState(database: Database, id: number): TransactionState | undefined {
  const row = database.statement("SELECT state FROM txn WHERE id = ?").get(id);
  return row === undefined
    ? undefined
    : wordOf(row, "state", ["pending", "committed", "rolled-back", "abandoned"] as const);
}

/** Closed transactions with work left (T-RECOV-03), oldest first. */
export function unfinishedTransactions(database: Database): readonly UnfinishedTransaction[] {
  return database.statement(
    `SELECT id, state, audited FROM txn
     WHERE state <> 'pending' AND (cleanup_done = 0 OR audited = 0) ORDER BY id`,
  ).all().map((row) => ({
    id: integerOf(row, "id"),
    state: wordOf(row, "state", ["committed", "rolled-back", "abandoned"] as const),
    isAudited: booleanOf(row, "audited"),
  }));
}

/** Whether the housekeeping of a closed transaction is finished. */
export function isCleaned(database: Database, id: number): boolean {
  const row = database.statement("SELECT cleanup_done FROM txn WHERE id = ?").get(id);
  return row !== undefined && booleanOf(row, "cleanup_done");
}

/** The backup map of one transaction, in apply order. */
export function journalFiles(database: Database, id: number): JournalFile[] {
  return database.statement(
    `SELECT seq, op_seq, final_path, action, staged_path, backup_path, keep_backup, new_type, new_hash, new_size,
            new_target, staged_ino, old_type, old_ino, old_size, old_mtime, old_target
     FROM txn_file WHERE txn_id = ? ORDER BY seq`,
    { bigints: true },
  ).all(id).map(fileOf);
}

function fileOf(row: Row): JournalFile {
  return {
    sequence: Number(row.seq),
    operation: Number(row.op_seq),
    path: textOf(row, "final_path"),
    action: wordOf(row, "action", FILE_ACTIONS),
    stagedPath: optionalTextOf(row, "staged_path"),
    backupPath: optionalTextOf(row, "backup_path"),
    keepBackup: row.keep_backup === 1n,
    newType: optionalType(row, "new_type"),
    newHash: optionalTextOf(row, "new_hash"),
    newSizeBytes: optionalNumber(row, "new_size"),
    newTarget: optionalTextOf(row, "new_target"),
    stagedInode: read(optionalBigintOf(row, "staged_ino")),
    oldType: optionalType(row, "old_type"),
    oldInode: read(optionalBigintOf(row, "old_ino")),
    oldSizeBytes: optionalNumber(row, "old_size"),
    oldMtime: optionalBigintOf(row, "old_mtime"),
    oldTarget: optionalTextOf(row, "old_target"),
  };
}

/** The directory rows of one transaction, in order. */
export function journalDirectories(database: Database, id: number): readonly JournalDirectory[] {
  const sql = "SELECT path, action, old_sd, new_sd FROM txn_dir WHERE txn_id = ? ORDER BY seq";
  return database.statement(sql).all(id).map((row) => {
    const path = textOf(row, "path");
    const action = wordOf(row, "action", ["create", "set-sd", "reclaim"] as const);
    if (action !== "set-sd") return { path, action };
    return { path, action, old: bytesOf(row, "old_sd"), descriptor: bytesOf(row, "new_sd") };
  });
}

/** The operations of one transaction, in order. */
export function journalOperations(database: Database, id: number): readonly JournalOperation[] {
  return database.statement(
    `SELECT seq, subject, action, from_version, to_version, architecture, origin_repo, cause, caused_by
     FROM txn_op WHERE txn_id = ? ORDER BY seq`,
  ).all(id).map((row) => ({
    sequence: integerOf(row, "seq"),
    subject: textOf(row, "subject"),
    action: wordOf(row, "action", OPERATION_ACTIONS),
    from: optionalTextOf(row, "from_version"),
    to: optionalTextOf(row, "to_version"),
    architecture: optionalTextOf(row, "architecture"),
    origin: optionalTextOf(row, "origin_repo"),
    cause: textOf(row, "cause"),
    causedBy: optionalTextOf(row, "caused_by"),
  }));
}

/** Side effects that still have to run: due, failed, or skipped under another root (T-SIDE-04, T-SIDE-10). */
export function openSideEffects(database: Database): readonly SideEffectRow[] {
  return database.statement(
    `SELECT e.txn_id, e.effect, e.argument, e.state, e.attempts, e.detail
     FROM side_effect e JOIN txn t ON t.id = e.txn_id
     WHERE t.state = 'committed' AND e.state <> 'done' ORDER BY e.txn_id, e.effect, e.argument`,
  ).all().map((row) => ({
    transaction: integerOf(row, "txn_id"),
    effect: wordOf(row, "effect", SIDE_EFFECT_NAMES),
    argument: textOf(row, "argument"),
    state: wordOf(row, "state", SIDE_EFFECT_STATES),
    attempts: integerOf(row, "attempts"),
    detail: optionalTextOf(row, "detail"),
  }));
}

/** Records how one side effect ended, on every open row of that effect and argument. */
export function recordSideEffect(
  database: Database,
  effect: SideEffectName,
  argument: string,
  result: { readonly state: SideEffectState; readonly isAttempt: boolean; readonly detail: string | undefined },
): void {
  database.statement(
    `UPDATE side_effect SET state = ?, attempts = attempts + ?, detail = ?
     WHERE effect = ? AND argument = ? AND state <> 'done'
       AND txn_id IN (SELECT id FROM txn WHERE state = 'committed')`,
  ).run(result.state, result.isAttempt ? 1 : 0, result.detail ?? null, effect, argument);
}

/** Records where a displaced object of the operator's is kept (T-COLL-11). */
export function recordDisplaced(database: Database, id: number, original: string, keptAt: string): void {
  database.statement(
    `INSERT INTO displaced_file (txn_id, original, kept_at) VALUES (?, ?, ?)
     ON CONFLICT (txn_id, original) DO UPDATE SET kept_at = excluded.kept_at`,
  ).run(id, original, keptAt);
}

/** Displaced objects of one transaction, or of all. */
export function displacedFiles(
  database: Database,
  id?: number,
): readonly { readonly transaction: number; readonly original: string; readonly keptAt: string }[] {
  return database.statement(
    "SELECT txn_id, original, kept_at FROM displaced_file WHERE ?1 IS NULL OR txn_id = ?1 ORDER BY txn_id, original",
  ).all(id ?? null).map((row) => ({
    transaction: integerOf(row, "txn_id"),
    original: textOf(row, "original"),
    keptAt: textOf(row, "kept_at"),
  }));
}

function read(value: bigint | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt.asUintN(64, value);
}

function optionalType(row: Row, column: string): JournalFileType | undefined {
  return row[column] === null ? undefined : wordOf(row, column, FILE_TYPES);
}

function optionalNumber(row: Row, column: string): number | undefined {
  const value = optionalBigintOf(row, column);
  return value === undefined ? undefined : Number(value);
}
