/** Many rows with one statement: what one call across the driver costs is several times what one row costs SQLite. */
import type { Database, SqlValue } from "./database.ts";

/** Rows of one statement; updates joined to more of them lose. */
export const ROWS_PER_STATEMENT = 64;
/**
 * The same where rows refer to a parent row: until such a statement ends, SQLite keeps every page it changes as it was,
 * above 64 KiB in a temporary file.
 */
export const CHILD_ROWS_PER_STATEMENT = 256;

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
  let values: SqlValue[] = [];
  let place = "";
  let full: string | undefined;
  let count = 0;
  const list = () => new Array<string>(count).fill(place).join(", ");
  const flush = () => {
    const text = count === rowsPerStatement ? full ??= sql(list()) : sql(list());
    database.statement(text).run(...values, ...tail);
    values = [];
    count = 0;
  };
  for (const row of rows) {
    place ||= `(${row.map(() => "?").join(", ")})`;
    for (const value of row) values.push(value);
    if (++count === rowsPerStatement) flush();
  }
  if (count > 0) flush();
}
