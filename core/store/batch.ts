/** Many rows with one statement: what one call across the driver costs is several times what one row costs SQLite. */
import type { Database, SqlValue } from "./database.ts";

/** Rows of one statement; updates joined to more of them lose. */
export const ROWS_PER_STATEMENT = 64;
/**
 * The same where rows refer to a parent row: until such a statement ends, SQLite keeps every page it changes as it was,
 * above 64 KiB in a temporary file.
 */
export const CHILD_ROWS_PER_STATEMENT = 256;

/** A statement that is run for many rows, some dozens at a time. */
export class Batch {
  readonly #database: Database;
  readonly #sql: (places: string) => string;
  readonly #tail: readonly SqlValue[];
  readonly #rowsPerStatement: number;
  /** Of the rows that wait; what is beyond `#length` is left of others, since a list that grows anew is dear. */
  readonly #values: SqlValue[] = [];
  #length = 0;
  #place = "";
  #full: string | undefined;
  #count = 0;

  /**
   * @param sql Makes the text around the list of rows, `(?, ?), (?, ?), …`.
   * @param tail Values after the rows.
   * @param rowsPerStatement How many at a time.
   */
  constructor(
    database: Database,
    sql: (places: string) => string,
    tail: readonly SqlValue[] = [],
    rowsPerStatement = ROWS_PER_STATEMENT,
  ) {
    this.#database = database;
    this.#sql = sql;
    this.#tail = tail;
    this.#rowsPerStatement = rowsPerStatement;
  }

  /** Adds a row, which may wait for others; each has the same number of values. */
  add(row: readonly SqlValue[]): void {
    this.#place ||= `(${row.map(() => "?").join(", ")})`;
    for (const value of row) this.#values[this.#length++] = value;
    if (++this.#count === this.#rowsPerStatement) this.flush();
  }

  /** Runs the statement for the rows that wait. */
  flush(): void {
    if (this.#count === 0) return;
    const text = this.#count === this.#rowsPerStatement ? this.#full ??= this.#text() : this.#text();
    this.#values.length = this.#length;
    // A list that is not the last of a call is gone through value by value.
    const values = this.#tail.length === 0 ? this.#values : [...this.#values, ...this.#tail];
    this.#database.statement(text).run(...values);
    this.#length = 0;
    this.#count = 0;
  }

  #text(): string {
    return this.#sql(new Array<string>(this.#count).fill(this.#place).join(", "));
  }
}

/**
 * Runs a statement for many rows, some dozens at a time.
 *
 * @param sql Makes the text around the list of rows, `(?, ?), (?, ?), …`.
 * @param rows Each of them with the same number of values.
 * @param tail Values after the rows.
 * @param rowsPerStatement How many at a time.
 */
export function runInBatches(
  database: Database,
  sql: (places: string) => string,
  rows: Iterable<readonly SqlValue[]>,
  tail: readonly SqlValue[] = [],
  rowsPerStatement = ROWS_PER_STATEMENT,
): void {
  const batch = new Batch(database, sql, tail, rowsPerStatement);
  for (const row of rows) batch.add(row);
  batch.flush();
}
