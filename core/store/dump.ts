/**
 * The records of a database as a stream of rows, and back: what a backup holds. Rows are plain values named by table,
 * so that a backup is never opened as a database, and every row meets the constraints of the layout when it returns.
 *
 * Left out are `meta`, which belongs to the database at hand, and the catalogues, which are derived from cached
 * indexes and fetched again. Repository state is carried but merged by its own rules (C-BACKUP-03); the caller takes
 * it from the rows with `repositoryStates()`.
 */
import { corrupt, type Database, type Row, type SqlValue, type Statement } from "./database.ts";
import { type RepositoryState, repositoryStateOf } from "./repository_state.ts";

/** A stored value as it travels; integers that are no safe numbers keep their digits. */
export type DumpValue = null | string | number | { readonly int: string } | { readonly base64: string };

/** One row: its table, then the values in the order of the table's columns. */
export interface DumpRow {
  readonly table: string;
  readonly values: readonly DumpValue[];
}

interface DumpTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly order: string;
  /** Column with the id of the transaction a row belongs to. */
  readonly transaction?: string;
  /** Column with the package a row describes the present state of. */
  readonly package?: string;
}

const PACKAGE_STATE = "version architecture origin_repo install_reason held installed_at package_hash manifest".split(
  " ",
);
const FILE_STATE = "path type size hash symlink_target preserved_hash new_default_of".split(" ");

const table = (name: string, columns: string, order: string, more: Partial<DumpTable> = {}): DumpTable => ({
  name,
  columns: columns.split(" "),
  order,
  ...more,
});

/** Parents before children, so that rows can be inserted as they come. */
const TABLES: readonly DumpTable[] = [
  table(
    "txn",
    "id state phase kind undo_of started_at finished_at op_summary operator invocation started_by_version " +
      "journal_schema_version boot_id failure_code failure_detail indeterminate cleanup_done audited cross_root_id",
    "id",
    { transaction: "id" },
  ),
  table(
    "txn_op",
    "txn_id seq subject action from_version to_version architecture origin_repo cause caused_by",
    "txn_id, seq",
    { transaction: "txn_id" },
  ),
  table(
    "txn_file",
    "txn_id seq op_seq final_path action staged_path backup_path keep_backup new_type new_hash new_size new_target " +
      "staged_ino old_type old_ino old_size old_mtime old_target",
    "txn_id, seq",
    { transaction: "txn_id" },
  ),
  table("txn_dir", "txn_id seq path action old_sd new_sd", "txn_id, seq", { transaction: "txn_id" }),
  table("prior_package", `txn_id name ${PACKAGE_STATE.join(" ")}`, "txn_id, name", { transaction: "txn_id" }),
  table("prior_file", `txn_id package_name ${FILE_STATE.join(" ")} retained_path`, "txn_id, package_name, path", {
    transaction: "txn_id",
  }),
  table("prior_holder", "txn_id role holder", "txn_id, role", { transaction: "txn_id" }),
  table("displaced_file", "txn_id original kept_at", "txn_id, original", { transaction: "txn_id" }),
  table("side_effect", "txn_id effect argument state attempts detail", "txn_id, effect, argument", {
    transaction: "txn_id",
  }),
  table(
    "authorisation",
    "txn_id action_code subject statement method plan_digest invocation decided_at operator",
    "id",
    { transaction: "txn_id" },
  ),
  table(
    "package",
    "name version architecture origin_repo install_reason held installed_at installed_txn package_hash manifest",
    "name",
    { package: "name" },
  ),
  table("package_relation", "package_name kind name", "package_name, kind, name", { package: "package_name" }),
  table("annotation", "package_name tag value", "package_name, tag", { package: "package_name" }),
  table("package_file", `package_name ${FILE_STATE.join(" ")}`, "package_name, path", { package: "package_name" }),
  table("claim_holder", "role holder", "role"),
  table("claim_link", "path role slot target is_volatile", "path"),
  table("sd_override", "path package_name sd state txn_id", "path, package_name"),
  table(
    "repository",
    "name repo_name added_at last_refresh_at active_version active_generated archive_version archive_generated " +
      "accepted_config",
    "name",
  ),
  table("repository_key", "repository fingerprint public_key status valid_until", "repository, fingerprint"),
  table("repository_revocation", "repository fingerprint recorded_at", "repository, fingerprint"),
];

const TABLES_BY_NAME: ReadonlyMap<string, DumpTable> = new Map(TABLES.map((item) => [item.name, item]));
/** Present state: replaced as a whole. */
const STATE_TABLES = ["claim_link", "claim_holder", "sd_override", "package"];
const REPOSITORY_TABLES: ReadonlySet<string> = new Set(["repository", "repository_key", "repository_revocation"]);

/** Every row of the database, in an order that depends on nothing but the rows. */
export function* dumpRows(database: Database): Generator<DumpRow, void, undefined> {
  for (const { name, columns, order } of TABLES) {
    const sql = `SELECT ${columns.join(", ")} FROM ${name} ORDER BY ${order}`;
    for (const row of database.statement(sql, { bigints: true }).iterate()) {
      yield { table: name, values: columns.map((column) => toDump(row[column])) };
    }
  }
}

/** Whether a value read from a backup is a row of a known table; what its values mean, its table's constraints say. */
export function isDumpRow(table: unknown, values: readonly unknown[]): values is readonly DumpValue[] {
  const known = typeof table === "string" ? TABLES_BY_NAME.get(table) : undefined;
  return known !== undefined && values.length === known.columns.length && values.every(isDumpValue);
}

function isDumpValue(value: unknown): value is DumpValue {
  if (value === null || typeof value === "string" || Number.isSafeInteger(value)) return true;
  if (typeof value !== "object" || Array.isArray(value)) return false;
  const [entry, ...more] = Object.entries(value);
  if (entry === undefined || more.length > 0 || typeof entry[1] !== "string") return false;
  return entry[0] === "int" ? isInt64(entry[1]) : entry[0] === "base64" && isBase64(entry[1]);
}

function isInt64(text: string): boolean {
  return /^-?[0-9]{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

function isBase64(text: string): boolean {
  try {
    Uint8Array.fromBase64(text);
    return true;
  } catch {
    return false;
  }
}

/** The package whose present state a row is part of; `undefined`: it is part of none. */
export function packageOf({ table, values }: DumpRow): string | undefined {
  const known = TABLES_BY_NAME.get(table);
  const value = known?.package === undefined ? undefined : values[known.columns.indexOf(known.package)];
  return typeof value === "string" ? value : undefined;
}

/** Value of a column by name. */
function columnOf(row: DumpRow, column: string): DumpValue | undefined {
  const at = TABLES_BY_NAME.get(row.table)?.columns.indexOf(column) ?? -1;
  return at < 0 ? undefined : row.values[at];
}

export function isRepositoryRow({ table }: DumpRow): boolean {
  return REPOSITORY_TABLES.has(table);
}

/** What the rows of repositories say, by the same readers as rows of the database. */
export function repositoryStates(rows: readonly DumpRow[]): readonly RepositoryState[] {
  const of = (table: string, name?: DumpValue): readonly DumpRow[] =>
    rows.filter((row) => row.table === table && (name === undefined || columnOf(row, "repository") === name));
  return of("repository").map((row) => {
    const name = columnOf(row, "name") ?? "";
    return repositoryStateOf(
      toRow(row),
      of("repository_key", name).map(toRow),
      of("repository_revocation", name).map(toRow),
    );
  });
}

function toRow({ table, values }: DumpRow): Row {
  const columns = TABLES_BY_NAME.get(table)?.columns ?? [];
  return Object.fromEntries(columns.map((column, index) => {
    const value = values[index] ?? null;
    return [column, value === null || typeof value !== "object" ? value : toBytes(value)];
  }));
}

function toDump(value: Row[string] | undefined): DumpValue {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : { int: String(value) };
  }
  if (value instanceof Uint8Array) return { base64: value.toBase64() };
  throw corrupt("a column holds a value of another type");
}

/** A value as SQLite stores it. */
function fromDump(value: DumpValue): SqlValue {
  return value === null || typeof value !== "object" ? value : toBytes(value);
}

function toBytes(value: { readonly int: string } | { readonly base64: string }): bigint | Uint8Array<ArrayBuffer> {
  return "int" in value ? BigInt(value.int) : Uint8Array.fromBase64(value.base64);
}

// --- Restoring: inside one write transaction ---------------------------------------------------------------------

/**
 * Puts rows back. The present state is replaced; history is only added to: a transaction the database knows keeps its
 * rows, another one of the same number makes way, and one the backup does not know is marked abandoned, so that undo
 * never reverses what the restored records say nothing about. Numbers are never given twice (names on disk refer to
 * them).
 */
export class DumpRestore {
  readonly #database: Database;
  /** Transactions whose rows are taken from the backup. */
  readonly #added = new Set<number>();
  readonly #seen = new Set<number>();
  readonly #insertions = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
    for (const name of STATE_TABLES) database.statement(`DELETE FROM ${name}`).run();
  }

  /** Takes one row; those of repositories are not for here. */
  add(row: DumpRow): void {
    const known = TABLES_BY_NAME.get(row.table);
    if (known === undefined || isRepositoryRow(row)) return;
    if (row.table === "txn") return this.#addTransaction(row);
    if (known.transaction !== undefined && !this.#isAdded(columnOf(row, known.transaction))) return;
    this.#insert(known, row.values);
  }

  /** Ends the restoring of history. */
  finish(): void {
    const abandon = this.#database.statement("UPDATE txn SET state = 'abandoned' WHERE id = ?");
    for (const row of this.#database.statement("SELECT id FROM txn WHERE state = 'committed'").all()) {
      if (typeof row.id === "number" && !this.#seen.has(row.id)) abandon.run(row.id);
    }
  }

  #isAdded(id: DumpValue | undefined): boolean {
    return typeof id === "number" && this.#added.has(id);
  }

  #addTransaction(row: DumpRow): void {
    const id = columnOf(row, "id");
    if (typeof id !== "number") throw corrupt("a transaction of the backup has no number");
    this.#seen.add(id);
    const closed = closedState(row);
    const present = this.#database.statement("SELECT invocation, started_at FROM txn WHERE id = ?").get(id);
    const isSame = present?.invocation === columnOf(row, "invocation") &&
      present?.started_at === columnOf(row, "started_at");
    if (isSame) {
      // It may have been abandoned by the restoring of an older backup.
      this.#database.statement("UPDATE txn SET state = ? WHERE id = ?").run(fromDump(closed.get("state") ?? null), id);
      return;
    }
    if (present !== undefined) this.#removeTransaction(id);
    this.#added.add(id);
    const known = TABLES_BY_NAME.get("txn");
    if (known === undefined) return;
    this.#insert(known, known.columns.map((column) => closed.get(column) ?? null));
  }

  #removeTransaction(id: number): void {
    for (const table of ["displaced_file", "authorisation"]) {
      this.#database.statement(`DELETE FROM ${table} WHERE txn_id = ?`).run(id);
    }
    this.#database.statement("UPDATE txn SET undo_of = NULL WHERE undo_of = ?").run(id);
    this.#database.statement("DELETE FROM txn WHERE id = ?").run(id);
  }

  #insert({ name, columns }: DumpTable, values: readonly DumpValue[]): void {
    let insertion = this.#insertions.get(name);
    if (insertion === undefined) {
      const places = columns.map(() => "?").join(", ");
      insertion = this.#database.statement(`INSERT INTO ${name} (${columns.join(", ")}) VALUES (${places})`);
      this.#insertions.set(name, insertion);
    }
    insertion.run(...values.map(fromDump));
  }
}

/** A backup may catch a transaction in the middle. Its journal means nothing later: the row returns as abandoned. */
function closedState(row: DumpRow): ReadonlyMap<string, DumpValue> {
  const columns = TABLES_BY_NAME.get("txn")?.columns ?? [];
  const values = new Map(columns.map((column, index) => [column, row.values[index] ?? null]));
  if (values.get("state") !== "pending") return values;
  for (
    const [column, value] of [
      ["state", "abandoned"],
      ["phase", "closed"],
      ["finished_at", values.get("started_at") ?? 0],
      ["indeterminate", 0],
    ] as const
  ) values.set(column, value);
  return values;
}
