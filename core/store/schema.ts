/**
 * Which table layouts exist, and whether a database has exactly one of them. Pure text work: the statements are run
 * by `database.ts` and `migrate.ts`.
 */
import { MIGRATION_1 } from "./migrations/v1.ts";

/** One step of the layout. Once released it is never edited (T-SCHEMA-02). */
export interface Migration {
  readonly version: number;
  /** The whole layout at this version, as a new database gets it. */
  readonly schema: string;
  /** Statements that lead here from the version before; for version 1 the layout itself. */
  readonly upgrade: string;
}

/** Every layout this program knows, oldest first. */
export const MIGRATIONS: readonly Migration[] = [MIGRATION_1];

/** Layout of databases this program creates. */
export const SCHEMA_VERSION = 1;

/** A row of `sqlite_schema`. */
export interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string | undefined;
}

/** A string literal, a run of white space and comments, or the end of a statement. */
const SQL_BREAK_REGEXP = /'(?:[^']|'')*'|(?:--[^\n]*|\/\*[\s\S]*?\*\/|\s)+|;/g;
/** Stands for the end of a statement; SQL text has no such character. */
const STATEMENT_END = "\u0000";
const CREATED_OBJECT_REGEXP = /^CREATE (TABLE|VIEW|TRIGGER|(?:UNIQUE )?INDEX) (\w+)/;
/** What SQLite itself adds: counters of AUTOINCREMENT, statistics, indexes behind constraints. */
const SQLITE_TABLE_REGEXP = /^sqlite_(?:sequence|stat[1-4])$/;

/**
 * Cuts a script into statements without comments, white space folded. Comments have to go, not only white space:
 * once a line break is folded, `-- note` would swallow the column after it, and two different tables would look equal.
 */
export function splitStatements(script: string): readonly string[] {
  // Only what breaks is matched: every start runs this over the whole layout (0.5 ms; token by token it was 2.5 ms).
  return script
    .replace(SQL_BREAK_REGEXP, (found) => found === ";" ? STATEMENT_END : found.startsWith("'") ? found : " ")
    .split(STATEMENT_END)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

/** The statements of the first layout, taken apart when a database is first opened. */
let firstLayout: readonly string[] | undefined;

function statementsOf(schema: string): readonly string[] {
  if (schema !== MIGRATION_1.schema) return splitStatements(schema);
  return firstLayout ??= splitStatements(schema);
}

/** Whether the table that names the layout is ours, so that its word can be taken; a view could say anything. */
export function hasMetaTable(objects: readonly SchemaObject[]): boolean {
  const [wanted] = statementsOf(MIGRATION_1.schema);
  return objects.some(({ type, name, sql }) => type === "table" && name === "meta" && isStatement(sql ?? "", wanted));
}

/** Whether stored text is a statement. SQLite keeps the text it was given, so that our own needs no normalising. */
function isStatement(stored: string, wanted: string | undefined): boolean {
  if (stored === wanted) return true;
  const found = splitStatements(stored);
  return found.length === 1 && found[0] === wanted;
}

/**
 * Compares a database's objects with a layout (T-DB-09).
 *
 * @param objects Every row of `sqlite_schema`.
 * @returns What differs, as words for a message; `undefined` when nothing does.
 */
export function describeSchemaDifference(objects: readonly SchemaObject[], schema: string): string | undefined {
  const expected = new Map<string, string>();
  for (const statement of statementsOf(schema)) {
    const [, kind = "", name = ""] = CREATED_OBJECT_REGEXP.exec(statement) ?? [];
    expected.set(`${kind.replace("UNIQUE ", "").toLowerCase()} ${name}`, statement);
  }
  for (const { type, name, sql } of objects) {
    if (type === "table" && SQLITE_TABLE_REGEXP.test(name)) continue;
    if (type === "index" && sql === undefined && name.startsWith("sqlite_autoindex_")) continue;
    const key = `${type} ${name}`;
    const wanted = expected.get(key);
    if (wanted === undefined) return `${type} "${name}" does not belong there`;
    if (!isStatement(sql ?? "", wanted)) return `${type} "${name}" is not as created`;
    expected.delete(key);
  }
  const [missing] = expected.keys();
  return missing === undefined ? undefined : `${missing} is missing`;
}
