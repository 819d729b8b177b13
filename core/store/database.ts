/**
 * Opens the package database and keeps its promises: who may open it, in which mode, with which layout, and what a
 * failure of SQLite means. The other files of this room hold the statements; only this one names the driver.
 *
 * 1. Nothing is read from a database whose layout is not exactly the recorded one (T-DB-09).
 * 2. A writer never runs with weaker durability than asked for (T-DB-02), and every write begins with
 *    `BEGIN IMMEDIATE` (T-DB-03).
 * 3. A reader sees one snapshot from its first statement to its end and changes nothing (T-DB-07).
 * 4. The file SQLite opened by path is the one below the pinned state directory (T-DB-01).
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { PeipkgError, ruleError } from "../errors.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { Directory, Session } from "../system.ts";
import {
  describeSchemaDifference,
  hasMetaTable,
  layoutStatements,
  MIGRATIONS,
  SCHEMA_VERSION,
  type SchemaObject,
} from "./schema.ts";
import { checkOpenedFile, checkStateIsPrivate, DATABASE_FILE, hasDatabase } from "./state_directory.ts";
import { commitFailureIsCertain, openFailure, statementFailure } from "./sqlite_failure.ts";

/** A value bound to a statement. */
export type SqlValue = SQLInputValue;
declare module "node:sqlite" {
  interface StatementSync {
    /** In the runtime, not yet in its types: rows come as arrays of their columns. */
    setReturnArrays(enabled: boolean): void;
  }
}

/** What a statement's rows are made of. */
export interface StatementOptions {
  /** Integers come as `bigint` (inode numbers, nanoseconds). */
  readonly bigints?: boolean;
  /** Columns are named by their positions: reading many rows costs half. */
  readonly positional?: boolean;
}

/** A row as read; use the column readers of `row.ts`. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** The state directory, pinned and proven free of links by whoever opened it. */
export interface StateDirectory {
  readonly directory: Directory;
  /** Its parent; synced once when the database is created (T-DB-04). */
  readonly parent: Directory;
  /** Path by which SQLite reaches it. */
  readonly path: string;
  /** A Peios access-control system guards it; mode bits then say nothing (T-DB-11). */
  readonly hasKacs: boolean;
}

/** What is recorded when a database is created. */
export interface CreationFacts {
  readonly primaryArchitecture: Architecture;
  /** Seconds since the epoch. */
  readonly createdAt: number;
}

/** Keys of the `meta` table. */
export type MetaKey =
  | "schema_version"
  | "primary_arch"
  | "generation"
  | "created_at"
  | "created_by_version"
  | "last_writer_version"
  | "accepted_settings";

/** How a `COMMIT` ended; `unknown`: frames may have reached the disk (T-COMMIT-43, T-COMMIT-44). */
export type CommitOutcome =
  | { readonly kind: "committed" }
  | { readonly kind: "not-committed" | "unknown"; readonly error: PeipkgError };

const DATABASE_MODE = 0o644;
/**
 * Page size of new databases: a search reads the whole catalogue, 40 MB for 60,000 packages, and a quarter of the pages
 * makes it a tenth shorter. Nothing else was measured to change; an empty database has 0.6 MiB instead of 0.2.
 */
const PAGE_BYTES = 16 * 1024;
const BUSY_TIMEOUT_MILLISECONDS = 5000;

/** Settings that do not touch the file, for every connection. */
const CONNECTION_PRAGMAS = [
  `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MILLISECONDS}`,
  "PRAGMA trusted_schema = OFF",
  "PRAGMA cell_size_check = ON",
  "PRAGMA foreign_keys = ON",
];
/** Setting → statement that sets it, and the value it must have afterwards (T-DB-02). */
const WRITER_PRAGMAS: readonly (readonly [name: string, set: string, value: string])[] = [
  ["journal_mode", "PRAGMA journal_mode = WAL", "wal"],
  ["synchronous", "PRAGMA synchronous = FULL", "2"],
  ["foreign_keys", "PRAGMA foreign_keys = ON", "1"],
  ["busy_timeout", `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MILLISECONDS}`, String(BUSY_TIMEOUT_MILLISECONDS)],
  ["trusted_schema", "PRAGMA trusted_schema = OFF", "0"],
  ["cell_size_check", "PRAGMA cell_size_check = ON", "1"],
];

/**
 * Connections a writer leaves open on purpose: closing the last one, or letting it be collected, deletes the log and
 * shared-memory files, and readers without write access could not open the database any more (T-DB-06).
 */
const LEFT_OPEN: DatabaseSync[] = [];

/** A prepared statement whose failures are `PeipkgError`s. Made by `Database.statement()`, which caches it. */
export class Statement {
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
  }

  /** @returns Number of rows changed. */
  run(...values: SqlValue[]): number {
    try {
      return Number(this.#statement.run(...values).changes);
    } catch (error) {
      throw statementFailure(error);
    }
  }

  /** Runs an insertion. @returns Its row id. */
  insert(...values: SqlValue[]): number {
    try {
      return Number(this.#statement.run(...values).lastInsertRowid);
    } catch (error) {
      throw statementFailure(error);
    }
  }

  get(...values: SqlValue[]): Row | undefined {
    try {
      return this.#statement.get(...values);
    } catch (error) {
      throw statementFailure(error);
    }
  }

  all(...values: SqlValue[]): readonly Row[] {
    try {
      return this.#statement.all(...values);
    } catch (error) {
      throw statementFailure(error);
    }
  }

  /** Rows one by one, for results that should not be held at once. The statement must not be run meanwhile. */
  *iterate(...values: SqlValue[]): Generator<Row, void, undefined> {
    try {
      yield* this.#statement.iterate(...values);
    } catch (error) {
      throw statementFailure(error);
    }
  }
}

/** An open package database. A reader holds one snapshot; a writer may change it while the writer lock is held. */
export class Database implements Disposable {
  readonly mode: "reader" | "writer";
  readonly state: StateDirectory;
  readonly #connection: DatabaseSync;
  readonly #version: string;
  readonly #statements = new Map<string, Statement>();
  #schemaVersion = 0;
  #isStamped = false;
  #isOpen = true;

  private constructor(connection: DatabaseSync, state: StateDirectory, mode: "reader" | "writer", version: string) {
    this.#connection = connection;
    this.state = state;
    this.mode = mode;
    this.#version = version;
  }

  /**
   * Opens the database for reading and fixes its snapshot.
   *
   * @returns `undefined` when there is none or it is empty: the installed set is empty then (T-DB-08, T-DB-17).
   * @throws {PeipkgError} `denied` (`DB_READ_UNAVAILABLE`, `STATE_UNSAFE`), `database` (`DB_SCHEMA_TAMPERED`,
   * `DB_SCHEMA_TOO_NEW`, `DB_CORRUPT`), `io` (`DB_IO`)
   * @see T-DB-01, T-DB-07, T-DB-08, T-DB-09
   */
  static openForReading(session: Session, state: StateDirectory): Database | undefined {
    if (!hasDatabase(state, "reader")) return undefined;
    return openChecked(() => {
      // T-DB-07: never `immutable=1`, which would ignore a concurrent writer.
      const connection = connect(session, state, true);
      return new Database(connection, state, "reader", session.version);
    }, (database) => {
      database.statement("PRAGMA query_only = ON").run();
      database.statement("BEGIN").run();
      return database.#checkSchema();
    }, "reader");
  }

  /**
   * Opens an existing database for writing. The caller holds the writer lock.
   *
   * @returns `undefined` when there is none or it is empty; `create()` makes one.
   * @throws {PeipkgError} As `openForReading()`, and `database` (`DB_MODE`), `denied` (`NOT_PERMITTED`)
   * @see T-DB-02, T-DB-11
   */
  static openForWriting(session: Session, state: StateDirectory): Database | undefined {
    checkStateIsPrivate(session, state);
    if (!hasDatabase(state, "writer")) return undefined;
    return openChecked(
      () => new Database(connect(session, state, false), state, "writer", session.version),
      (database) => {
        if (!database.#checkSchema()) return false;
        database.#setWriterMode();
        return true;
      },
      "writer",
    );
  }

  /**
   * Creates the database: file, layout and first `meta` rows; a crash leaves none or a complete one. The caller holds
   * the writer lock.
   *
   * @see T-DB-04, T-DB-06, T-DB-17, T-DB-18
   */
  static create(session: Session, state: StateDirectory, facts: CreationFacts): Database {
    checkStateIsPrivate(session, state);
    // Made by us and not by SQLite: the mode must not depend on the umask, and the log files inherit it.
    if (state.directory.status(DATABASE_FILE) === undefined) {
      using _file = state.directory.createFile(DATABASE_FILE, DATABASE_MODE);
    }
    hasDatabase(state, "writer");
    const database = openChecked(
      () => new Database(connect(session, state, false), state, "writer", session.version),
      (opened) => {
        if (opened.#readSchema().length > 0) {
          throw new PeipkgError("internal", "cannot create the package database: it exists already");
        }
        opened.statement(`PRAGMA page_size = ${PAGE_BYTES}`).run();
        opened.#setWriterMode();
        opened.#createSchema(session, facts);
        return true;
      },
      "writer",
    );
    if (database === undefined) throw new PeipkgError("internal", "cannot create the package database");
    state.directory.sync();
    state.parent.sync();
    return database;
  }

  /** Layout version the database has; readers work on older ones (T-SCHEMA-05). */
  get schemaVersion(): number {
    return this.#schemaVersion;
  }

  /** Whether a transaction is open on this connection. */
  get isInTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /** Prepares a statement once and keeps it. */
  statement(sql: string, { bigints = false, positional = false }: StatementOptions = {}): Statement {
    const key = bigints || positional ? `${bigints}${positional}${sql}` : sql;
    const known = this.#statements.get(key);
    if (known !== undefined) return known;
    try {
      const prepared = this.#connection.prepare(sql);
      if (bigints) prepared.setReadBigInts(true);
      if (positional) prepared.setReturnArrays(true);
      const statement = new Statement(prepared);
      this.#statements.set(key, statement);
      return statement;
    } catch (error) {
      throw statementFailure(error);
    }
  }

  /** Runs `work` in one write transaction: all of it or, when it throws, nothing (T-DB-03). */
  write<Result>(work: () => Result): Result {
    this.begin();
    let result: Result;
    try {
      result = work();
    } catch (error) {
      this.rollback();
      throw error;
    }
    const outcome = this.commit();
    if (outcome.kind === "committed") return result;
    if (outcome.kind === "not-committed") this.rollback();
    throw outcome.error;
  }

  /** Begins a write transaction (T-DB-03). Prefer `write()`. */
  begin(): void {
    this.statement("BEGIN IMMEDIATE").run();
    if (this.#isStamped) return;
    if (this.meta("last_writer_version") !== this.#version) this.setMeta("last_writer_version", this.#version);
    this.#isStamped = true;
  }

  /** Issues `COMMIT` and tells how it ended instead of throwing, because the three endings differ (T-COMMIT-43/44). */
  commit(): CommitOutcome {
    try {
      this.statement("COMMIT").run();
      return { kind: "committed" };
    } catch (error) {
      if (!(error instanceof PeipkgError)) throw error;
      return { kind: commitFailureIsCertain(error) ? "not-committed" : "unknown", error };
    }
  }

  /** Gives up the open transaction, if there is one: SQLite may have done so by itself after a failure. */
  rollback(): void {
    if (this.#connection.isTransaction) this.statement("ROLLBACK").run();
    this.#isStamped = false;
  }

  meta(key: MetaKey): string | undefined {
    const value = this.statement("SELECT value FROM meta WHERE key = ?").get(key)?.value;
    return typeof value === "string" ? value : undefined;
  }

  setMeta(key: MetaKey, value: string): void {
    this.statement(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ).run(key, value);
  }

  /** Raises the recorded layout version, inside the transaction that changes the layout (T-SCHEMA-02). */
  recordSchemaVersion(version: number): void {
    this.setMeta("schema_version", String(version));
    this.#schemaVersion = version;
  }

  /** Counter of changes to what planning reads (T-DB-14). */
  generation(): bigint {
    const text = this.meta("generation") ?? "";
    if (!/^\d{1,18}$/.test(text)) throw corrupt(`its generation is "${text}", expected a decimal number`);
    return BigInt(text);
  }

  /** Counts one change of what planning reads; inside a write transaction (T-DB-14). */
  advanceGeneration(): void {
    this.setMeta("generation", String(this.generation() + 1n));
  }

  /** Rows whose foreign key points nowhere, as `table → parent`. */
  foreignKeyProblems(): readonly string[] {
    const rows = this.statement("PRAGMA foreign_key_check").all();
    return [...new Set(rows.map((row) => `${row.table} → ${row.parent}`))];
  }

  /**
   * Copies a consistent snapshot into an empty file (T-SCHEMA-04, backups).
   *
   * @param path By which SQLite reaches the file; it is created beforehand, with the mode it shall have.
   */
  copyInto(path: string): void {
    // A snapshot copy cannot run inside a transaction; a reader takes a new snapshot afterwards.
    const isReader = this.mode === "reader" && this.#connection.isTransaction;
    if (isReader) this.statement("COMMIT").run();
    try {
      this.statement("VACUUM INTO ?").run(path);
    } finally {
      if (isReader) this.statement("BEGIN").run();
    }
  }

  /**
   * Ends the use of the database. A writer empties the log but leaves the connection, and with it the log files, in
   * place: the process ends by an explicit exit (T-DB-06).
   */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    if (this.mode === "reader") {
      this.close();
      return;
    }
    this.rollback();
    this.#isOpen = false;
    LEFT_OPEN.push(this.#connection);
    try {
      // A reader in the middle of its snapshot must not hold up our end: whatever is left waits for the next writer.
      this.#connection.exec("PRAGMA busy_timeout = 0");
      this.#connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
    } catch {
      // Emptying the log is a courtesy; everything in it is committed already.
    }
    this.#statements.clear();
  }

  /** Closes the connection; the last one to close deletes the log files (T-DB-06). */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#statements.clear();
    this.#connection.close();
  }

  #readSchema(): readonly SchemaObject[] {
    return this.statement("SELECT type, name, sql FROM sqlite_schema").all().map(({ type, name, sql }) => ({
      type: String(type),
      name: String(name),
      sql: typeof sql === "string" ? sql : undefined,
    }));
  }

  /** @returns false when the database is still empty: it counts as none (T-DB-17). */
  #checkSchema(): boolean {
    const objects = this.#readSchema();
    if (objects.length === 0) return false;
    if (!hasMetaTable(objects)) {
      throw ruleError(
        "DB_SCHEMA_TAMPERED",
        'cannot use the package database: table "meta" is missing or not as created',
      );
    }
    const recorded = this.meta("schema_version") ?? "";
    if (/^\d{1,9}$/.test(recorded) && Number(recorded) > SCHEMA_VERSION) {
      throw ruleError(
        "DB_SCHEMA_TOO_NEW",
        `cannot use the package database: it has layout ${recorded}, this program knows layouts up to ${SCHEMA_VERSION}`,
        { hint: `use peipkg ${this.meta("last_writer_version") ?? "of a newer version"}` },
      );
    }
    const layout = MIGRATIONS.find(({ version }) => String(version) === recorded);
    const difference = layout === undefined
      ? `layout version "${recorded}" is unknown`
      : describeSchemaDifference(objects, layout.schema);
    if (layout === undefined || difference !== undefined) {
      throw ruleError("DB_SCHEMA_TAMPERED", `cannot use the package database: ${difference}`); // T-DB-09
    }
    this.#schemaVersion = layout.version;
    return true;
  }

  #setWriterMode(): void {
    for (const [name, set, wanted] of WRITER_PRAGMAS) {
      this.statement(set).all();
      const row = this.statement(`PRAGMA ${name}`).get() ?? {};
      const [found] = Object.values(row);
      if (String(found) !== wanted) {
        throw ruleError(
          "DB_MODE",
          `cannot open the package database for writing: ${name} is "${found}", required is "${wanted}"`,
        );
      }
    }
  }

  #createSchema(session: Session, facts: CreationFacts): void {
    const layout = MIGRATIONS.find(({ version }) => version === SCHEMA_VERSION);
    this.#isStamped = true; // there is no `meta` table to stamp before this transaction
    this.write(() => {
      for (const statement of layoutStatements(layout?.schema ?? "")) this.statement(statement).run();
      this.setMeta("schema_version", String(SCHEMA_VERSION));
      this.setMeta("primary_arch", facts.primaryArchitecture);
      this.setMeta("generation", "0");
      this.setMeta("created_at", String(facts.createdAt));
      this.setMeta("created_by_version", session.version);
      this.setMeta("last_writer_version", session.version);
    });
    this.#statements.clear();
    this.#schemaVersion = SCHEMA_VERSION;
  }
}

/** Builds the failure for content that cannot be what was stored. */
export function corrupt(what: string): PeipkgError {
  return ruleError("DB_CORRUPT", `cannot use the package database: ${what}`);
}

/** Opens, prepares, and closes again when either fails or the database turns out to be empty. */
function openChecked(
  open: () => Database,
  prepare: (database: Database) => boolean,
  mode: "reader" | "writer",
): Database | undefined {
  let database: Database | undefined;
  let isReady = false;
  try {
    database = open();
    isReady = prepare(database);
  } catch (error) {
    throw openFailure(error, mode);
  } finally {
    if (!isReady) database?.close();
  }
  return isReady ? database : undefined;
}

function connect(session: Session, state: StateDirectory, readOnly: boolean): DatabaseSync {
  const connection = new DatabaseSync(`${state.path.replace(/\/+$/, "")}/${DATABASE_FILE}`, {
    readOnly,
    allowExtension: false,
    enableDoubleQuotedStringLiterals: false,
  });
  try {
    for (const pragma of CONNECTION_PRAGMAS) connection.prepare(pragma).all();
    checkOpenedFile(session, state);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}
