/** Many rows with one statement: what one call across the driver costs is several times what one row costs SQLite. */
import type { Database, SqlValue } from "./database.ts";

/** Rows of one statement; more gain nothing, and updates joined to more of them lose. */
export const ROWS_PER_STATEMENT = 64;

/**
 * Runs a statement for many rows, some dozens at a time.
 *
 * @param sql Makes the text around the list of rows, `(?, ?), (?, ?), …`.
 * @param rows Each of them with the same number of values.
 * @param tail Values after the rows.
 */
export function runInBatches(
  database: Database,
  sql: (places: string) => string,
  rows: Iterable<readonly SqlValue[]>,
  tail: readonly SqlValue[] = [],
): void {
  let values: SqlValue[] = [];
  let place = "";
  let full: string | undefined;
  let count = 0;
  const list = () => new Array<string>(count).fill(place).join(", ");
  const flush = () => {
    const text = count === ROWS_PER_STATEMENT ? full ??= sql(list()) : sql(list());
    database.statement(text).run(...values, ...tail);
    values = [];
    count = 0;
  };
  for (const row of rows) {
    place ||= `(${row.map(() => "?").join(", ")})`;
    for (const value of row) values.push(value);
    if (++count === ROWS_PER_STATEMENT) flush();
  }
  if (count > 0) flush();
}
