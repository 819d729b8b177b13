/**
 * What closed transactions leave behind: the package rows as they were before (for undo), where displaced content is
 * kept, and the list of everything that ever ran. The only SQL for `prior_package`, `prior_file` and `prior_holder`,
 * and the only one that reads `txn` and `txn_op` of closed transactions.
 */
import type { PackageName } from "../identity/package_name.ts";
import { runInBatches } from "./batch.ts";
import type { Database, Row, SqlValue } from "./database.ts";
import type { InstalledFile, InstalledPackage } from "./installed.ts";
import {
  type JournalOperation,
  journalOperations,
  type TransactionKind,
  type TransactionPhase,
  type TransactionState,
} from "./journal.ts";
import {
  architectureOf,
  booleanOf,
  hashOf,
  integerOf,
  nameOf,
  optionalIntegerOf,
  optionalTextOf,
  pathOf,
  textOf,
  versionOf,
  wordOf,
} from "./row.ts";

/** A package as it was before a transaction. */
export interface PriorPackage extends Omit<InstalledPackage, "installedTransaction"> {
  readonly manifestText: string;
}

/** One of its paths, with the place of the displaced content (T-RETAIN-09). */
export interface PriorFile extends InstalledFile {
  readonly package: PackageName;
  readonly retainedPath: string | undefined;
}

export interface PriorHolder {
  readonly role: string;
  /** `undefined`: the role was unheld. */
  readonly holder: string | undefined;
}

/** One transaction as history shows it. */
export interface TransactionRecord {
  readonly id: number;
  readonly state: TransactionState;
  readonly phase: TransactionPhase;
  readonly kind: TransactionKind;
  readonly undoOf: number | undefined;
  readonly startedAt: number;
  readonly finishedAt: number | undefined;
  readonly summary: string;
  /** Operator as JSON (A-FIELD-12). */
  readonly operator: string;
  readonly invocation: string;
  readonly startedByVersion: string;
  readonly failureCode: string | undefined;
  readonly failureDetail: string | undefined;
  readonly isIndeterminate: boolean;
}

const STATES = ["pending", "committed", "rolled-back", "abandoned"] as const;
const PHASES = ["staging", "applying", "closed"] as const;
const KINDS = ["package", "claim", "undo"] as const;
const RECORD_COLUMNS = `id, state, phase, kind, undo_of, started_at, finished_at, op_summary, operator, invocation,
  started_by_version, failure_code, failure_detail, indeterminate`;

/** Transactions, newest first (T-HIST-01). */
export function readTransactions(database: Database, limit?: number): readonly TransactionRecord[] {
  return database.statement(`SELECT ${RECORD_COLUMNS} FROM txn ORDER BY id DESC LIMIT ?`).all(limit ?? -1)
    .map(recordOf);
}

/** The newest transaction of any state; `undefined`: none ever ran. */
export function newestTransaction(database: Database): TransactionRecord | undefined {
  return readTransactions(database, 1)[0];
}

export function readTransaction(database: Database, id: number): TransactionRecord | undefined {
  const row = database.statement(`SELECT ${RECORD_COLUMNS} FROM txn WHERE id = ?`).get(id);
  return row === undefined ? undefined : recordOf(row);
}

/** The newest committed transaction, the one undo reverses (T-UNDO-01). */
export function newestCommitted(database: Database): TransactionRecord | undefined {
  const row = database.statement(
    `SELECT ${RECORD_COLUMNS} FROM txn WHERE state = 'committed' ORDER BY id DESC LIMIT 1`,
  ).get();
  return row === undefined ? undefined : recordOf(row);
}

/** Operations of a transaction, in plan order (T-HIST-02). */
export function readOperations(database: Database, id: number): readonly JournalOperation[] {
  return journalOperations(database, id);
}

/**
 * Copies the rows of packages about to change into the transaction's prior rows, the journal's files being there.
 *
 * @param retained Where displaced files and links will be kept, so that it need not be added to every row later.
 */
export function insertPrior(
  database: Database,
  id: number,
  names: Iterable<string>,
  holders: readonly PriorHolder[],
  retained: readonly RetainedRun[],
): void {
  const runs = retained.length <= RUNS_PER_STATEMENT ? retained : [];
  const packages = database.statement(
    `INSERT INTO prior_package SELECT ?, name, version, architecture, origin_repo, install_reason, held, installed_at,
       package_hash, manifest FROM package WHERE name = ?`,
  );
  const place = runs.length === 0 ? "NULL" : `CASE type WHEN 'dir' THEN NULL ELSE (
      SELECT ${numberedPlace(runs.length, 3)} FROM txn_file WHERE txn_id = ?1 AND final_path = path) END`;
  const files = database.statement(
    `INSERT INTO prior_file SELECT ?1, package_name, path, type, size, hash, symlink_target, preserved_hash,
       new_default_of, ${place} FROM package_file WHERE package_name = ?2`,
  );
  for (const name of names) {
    packages.run(id, name);
    files.run(id, name, ...runs.flatMap(placeValues));
  }
  if (runs.length < retained.length) setRetainedRuns(database, id, retained);
  const statement = database.statement("INSERT INTO prior_holder (txn_id, role, holder) VALUES (?, ?, ?)");
  for (const { role, holder } of holders) statement.run(id, role, holder ?? null);
}

export function priorPackages(database: Database, id: number): readonly PriorPackage[] {
  return database.statement(
    `SELECT name, version, architecture, origin_repo, install_reason, held, installed_at, package_hash, manifest
     FROM prior_package WHERE txn_id = ? ORDER BY name`,
  ).all(id).map((row) => ({
    name: nameOf(row, "name"),
    version: versionOf(row, "version"),
    architecture: architectureOf(row, "architecture"),
    origin: optionalTextOf(row, "origin_repo"),
    reason: wordOf(row, "install_reason", ["explicit", "dependency"] as const),
    isHeld: booleanOf(row, "held"),
    installedAt: integerOf(row, "installed_at"),
    packageHash: hashOf(row, "package_hash") ?? "",
    manifestText: textOf(row, "manifest"),
  }));
}

/** Prior paths of one package, or of the whole transaction. */
export function priorFiles(database: Database, id: number, name?: string): readonly PriorFile[] {
  return database.statement(
    `SELECT package_name, path, type, size, hash, symlink_target, preserved_hash, new_default_of, retained_path
     FROM prior_file WHERE txn_id = ?1 AND (?2 IS NULL OR package_name = ?2) ORDER BY package_name, path`,
  ).all(id, name ?? null).map((row) => ({
    package: nameOf(row, "package_name"),
    path: pathOf(row, "path"),
    type: wordOf(row, "type", ["file", "dir", "symlink"] as const),
    sizeBytes: optionalIntegerOf(row, "size"),
    hash: hashOf(row, "hash"),
    target: optionalTextOf(row, "symlink_target"),
    preservedHash: hashOf(row, "preserved_hash"),
    newDefaultOf: optionalTextOf(row, "new_default_of"),
    retainedPath: optionalTextOf(row, "retained_path"),
  }));
}

export function priorHolders(database: Database, id: number): readonly PriorHolder[] {
  return database.statement("SELECT role, holder FROM prior_holder WHERE txn_id = ? ORDER BY role").all(id).map((
    row,
  ) => ({ role: textOf(row, "role"), holder: optionalTextOf(row, "holder") }));
}

/** Package of every prior file and symlink, by path. */
export function priorOwners(database: Database, id: number): ReadonlyMap<string, string> {
  const sql =
    "SELECT path, package_name FROM prior_file WHERE txn_id = ? AND type <> 'dir' ORDER BY package_name, path";
  return new Map(
    database.statement(sql).all(id).map((row) => [pathOf(row, "path"), nameOf(row, "package_name")] as const),
  );
}

/** Where the content of one prior path is kept; `undefined`: no longer. */
export interface RetainedPlace {
  readonly package: string;
  readonly path: string;
  readonly place: string | undefined;
}

/** A stretch of a transaction's journal whose displaced files are kept in one area (`state:retained/12`). */
export interface RetainedRun {
  readonly area: string;
  /** First and last `txn_file.seq`. */
  readonly first: number;
  readonly last: number;
}

/** Stretches one statement takes: it looks at every prior row once, however many there are. */
const RUNS_PER_STATEMENT = 32;

/** The place of what `seq` numbers, NULL outside the stretches; their values are those of `placeValues()`. */
function numberedPlace(count: number, firstParameter: number): string {
  const cases = Array.from({ length: count }, (_, index) => {
    const first = firstParameter + 3 * index;
    return `WHEN seq BETWEEN ?${first} AND ?${first + 1} THEN ?${first + 2} `;
  });
  return `CASE ${cases.join("")}END || seq`;
}

function placeValues({ first, last, area }: RetainedRun): readonly SqlValue[] {
  return [first, last, `${area}/`];
}

/**
 * Records that displaced files and links are kept under their numbers (T-CLEAN-03), without a value per file crossing
 * the driver, where it is not on record.
 */
export function setRetainedRuns(database: Database, id: number, runs: readonly RetainedRun[]): void {
  for (let start = 0; start < runs.length; start += RUNS_PER_STATEMENT) {
    const some = runs.slice(start, start + RUNS_PER_STATEMENT);
    database.statement(
      `UPDATE prior_file SET retained_path = (
         SELECT ${numberedPlace(some.length, 2)} FROM txn_file AS file
         WHERE file.txn_id = prior_file.txn_id AND final_path = path
           AND backup_path IS NOT NULL AND keep_backup = 0 AND old_type <> 'dir'
       ) WHERE txn_id = ?1 AND type <> 'dir' AND retained_path IS NULL`,
    ).run(id, ...some.flatMap(placeValues));
  }
}

/** Records where displaced content is kept, one by one (T-RETAIN-04, T-RETAIN-05). */
export function setRetainedPaths(database: Database, id: number, places: Iterable<RetainedPlace>): void {
  runInBatches(
    database,
    (rows) =>
      `WITH kept(package_name, path, place) AS (VALUES ${rows})
       UPDATE prior_file SET retained_path = kept.place FROM kept
       WHERE txn_id = ? AND prior_file.package_name = kept.package_name AND prior_file.path = kept.path`,
    retainedRows(places),
    [id],
  );
}

function* retainedRows(places: Iterable<RetainedPlace>): Generator<readonly SqlValue[]> {
  for (const { package: name, path, place } of places) yield [name, path, place ?? null];
}

/** Every recorded place of kept content, by transaction. */
export function retainedPaths(database: Database, id: number): readonly string[] {
  return database.statement(
    "SELECT retained_path FROM prior_file WHERE txn_id = ? AND retained_path IS NOT NULL ORDER BY retained_path",
  ).all(id).map((row) => textOf(row, "retained_path"));
}

/** Closed and cleaned transactions that still have journal or prior rows, newest first, for pruning (T-RETAIN-02). */
export function prunableTransactions(
  database: Database,
): readonly { readonly id: number; readonly state: TransactionState; readonly finishedAt: number }[] {
  return database.statement(
    `SELECT id, state, finished_at FROM txn AS t
     WHERE state <> 'pending' AND cleanup_done = 1
       AND (EXISTS (SELECT 1 FROM txn_file WHERE txn_id = t.id) OR EXISTS (SELECT 1 FROM txn_dir WHERE txn_id = t.id)
         OR EXISTS (SELECT 1 FROM prior_file WHERE txn_id = t.id)
         OR EXISTS (SELECT 1 FROM prior_package WHERE txn_id = t.id)
         OR EXISTS (SELECT 1 FROM prior_holder WHERE txn_id = t.id))
     ORDER BY id DESC`,
  ).all().map((row) => ({
    id: integerOf(row, "id"),
    state: wordOf(row, "state", STATES),
    finishedAt: integerOf(row, "finished_at"),
  }));
}

/** Ids of the newest committed transactions. */
export function newestCommittedIds(database: Database, count: number): ReadonlySet<number> {
  const rows = database.statement("SELECT id FROM txn WHERE state = 'committed' ORDER BY id DESC LIMIT ?").all(count);
  return new Set(rows.map((row) => integerOf(row, "id")));
}

/**
 * Deletes what is no longer needed of a closed transaction (T-RETAIN-07).
 *
 * @param keepsSubject It is the newest committed one: its prior packages and holders stay, for undo by archive.
 */
export function deleteDetails(database: Database, id: number, keepsSubject: boolean): void {
  const tables = keepsSubject
    ? ["txn_file", "txn_dir", "prior_file"]
    : ["txn_file", "txn_dir", "prior_file", "prior_package", "prior_holder"];
  for (const table of tables) database.statement(`DELETE FROM ${table} WHERE txn_id = ?`).run(id);
}

function recordOf(row: Row): TransactionRecord {
  return {
    id: integerOf(row, "id"),
    state: wordOf(row, "state", STATES),
    phase: wordOf(row, "phase", PHASES),
    kind: wordOf(row, "kind", KINDS),
    undoOf: optionalIntegerOf(row, "undo_of"),
    startedAt: integerOf(row, "started_at"),
    finishedAt: optionalIntegerOf(row, "finished_at"),
    summary: textOf(row, "op_summary"),
    operator: textOf(row, "operator"),
    invocation: textOf(row, "invocation"),
    startedByVersion: textOf(row, "started_by_version"),
    failureCode: optionalTextOf(row, "failure_code"),
    failureDetail: optionalTextOf(row, "failure_detail"),
    isIndeterminate: booleanOf(row, "indeterminate"),
  };
}
