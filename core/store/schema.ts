/**
 * Which table layouts exist, and whether a database has exactly one of them. Pure text work: the statements are run
 * by `database.ts` and `migrate.ts`.
 */
import { MIGRATION_1 } from "./migrations/v1.ts";

/** One step of the layout. Once released it is never edited (T-SCHEMA-02). */
export interface Migration {
  readonly version: number;
  /** The whole layout at this version, as a new database gets it; each statement ends its line, but for a comment. */
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
/** The end of a line that ends a statement, and what stands before the next one. */
const LAYOUT_BREAK_REGEXP = /; *(?:--.*)?\n(?:\s|--.*\n)*/;
/** Stands for the end of a statement; SQL text has no such character. */
const STATEMENT_END = "\u0000";
const CREATED_OBJECT_REGEXP = /^CREATE (TABLE|VIEW|TRIGGER|(?:UNIQUE )?INDEX)\s+(\w+)/;
/** What SQLite itself adds: counters of AUTOINCREMENT, statistics, indexes behind constraints. */
const SQLITE_TABLE_REGEXP = /^sqlite_(?:sequence|stat[1-4])$/;

/**
 * Cuts a script into statements without comments, white space folded. Comments have to go, not only white space:
 * once a line break is folded, `-- note` would swallow the column after it, and two different tables would look equal.
 */
export function splitStatements(script: string): readonly string[] {
  return script
    .replace(SQL_BREAK_REGEXP, (found) => found === ";" ? STATEMENT_END : found.startsWith("'") ? found : " ")
    .split(STATEMENT_END)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

/**
 * Cuts a whole layout where statements end their line, comments and line breaks left as they are: what SQLite is given
 * it keeps, so that a database made of these texts is recognised without taking either apart.
 */
export function layoutStatements(script: string): readonly string[] {
  return script
    .split(LAYOUT_BREAK_REGEXP)
    .filter((statement) => statement !== "")
    // SQLite writes the words before the name itself.
    .map((statement) => statement.replace(/^(CREATE \w+(?: INDEX)?) +/, "$1 "));
}

/** Whether the table that names the layout is ours, so that its word can be taken; a view could say anything. */
export function hasMetaTable(objects: readonly SchemaObject[]): boolean {
  const [wanted = ""] = layoutStatements(MIGRATION_1.schema);
  return objects.some(({ type, name, sql }) => type === "table" && name === "meta" && isStatement(sql ?? "", wanted));
}

/** Whether two texts are one statement, however they are written. */
function isStatement(stored: string, wanted: string): boolean {
  if (stored === wanted) return true;
  const found = splitStatements(stored);
  return found.length === 1 && found[0] === splitStatements(wanted)[0];
}

/**
 * Compares a database's objects with a layout (T-DB-09).
 *
 * @param objects Every row of `sqlite_schema`.
 * @returns What differs, as words for a message; `undefined` when nothing does.
 */
export function describeSchemaDifference(objects: readonly SchemaObject[], schema: string): string | undefined {
  const expected = new Map<string, string>();
  for (const statement of layoutStatements(schema)) {
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
