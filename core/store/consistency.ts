/**
 * What can be wrong in the database itself although its layout is right: the engine's own checks, and statements no
 * constraint of the layout can make. Reads only; nothing is ever mended here (C-CHECK-03).
 */
import type { Database } from "./database.ts";
import { textOf } from "./row.ts";

/** One fault, with the package or path it is about where there is one. */
export interface Inconsistency {
  readonly text: string;
  readonly package?: string;
  readonly path?: string;
}

/** SQLite stops after so many faults; a broken file has no end of them. */
const MAX_ENGINE_PROBLEMS = 20;

/** Pairs of `foreignKeyProblems()` whose rows `ownerless()` names one by one. */
const NAMED_BY_ROW: ReadonlySet<string> = new Set(["claim_holder → package", "claim_link → claim_holder"]);

/**
 * Looks for faults of the whole database.
 *
 * @param quick The engine compares no index with its table, which is what costs time.
 * @throws {PeipkgError} `database` when it cannot be read at all
 * @see C-CHECK-01, T-INDET-06
 */
export function findInconsistencies(database: Database, quick: boolean): readonly Inconsistency[] {
  return [
    ...engineProblems(database, quick),
    ...database.foreignKeyProblems().filter((pair) => !NAMED_BY_ROW.has(pair)).map((pair) => ({
      text: `rows belong to something that is not recorded: ${pair}`,
    })),
    ...contestedPaths(database),
    ...ownerless(database),
  ];
}

function engineProblems(database: Database, quick: boolean): readonly Inconsistency[] {
  const pragma = quick ? "quick_check" : "integrity_check";
  return database.statement(`PRAGMA ${pragma}(${MAX_ENGINE_PROBLEMS})`).all()
    .map((row) => textOf(row, pragma))
    .filter((line) => line !== "ok")
    .map((text) => ({ text }));
}

/** T-DB-12 lets several packages own a directory only; the index behind it does not compare files with directories. */
function contestedPaths(database: Database): readonly Inconsistency[] {
  const rows = database.statement(
    `SELECT path, group_concat(package_name, ' and ') AS owners
      FROM (SELECT path, package_name, type FROM package_file ORDER BY path, package_name)
      GROUP BY path HAVING count(*) > 1 AND sum(type <> 'dir') > 0 ORDER BY path`,
  ).all();
  return rows.map((row) => {
    const path = textOf(row, "path");
    return { text: `${path} has two owners: ${textOf(row, "owners")}`, path };
  });
}

/** Rows that hang on a transaction, a package or a role in a way they should not. */
function ownerless(database: Database): readonly Inconsistency[] {
  const pending = database.statement(
    `SELECT CAST(id AS TEXT) AS id FROM txn
      WHERE state = 'pending' AND NOT EXISTS (SELECT 1 FROM txn_op WHERE txn_id = id)`,
  ).all().map((row) => ({ text: `pending transaction ${textOf(row, "id")} has no operations` }));
  const holders = database.statement(
    "SELECT role, holder FROM claim_holder WHERE holder NOT IN (SELECT name FROM package) ORDER BY role",
  ).all().map((row) => {
    const holder = textOf(row, "holder");
    return { text: `role "${textOf(row, "role")}" is held by ${holder}, which is not installed`, package: holder };
  });
  const unheld = database.statement(
    "SELECT path, role FROM claim_link WHERE role NOT IN (SELECT role FROM claim_holder) ORDER BY path",
  ).all().map((row) => {
    const path = textOf(row, "path");
    return { text: `link ${path} belongs to role "${textOf(row, "role")}", which nobody holds`, path };
  });
  const links = database.statement(
    `SELECT l.path, f.package_name FROM claim_link l JOIN package_file f ON f.path = l.path ORDER BY l.path`,
  ).all().map((row) => {
    const path = textOf(row, "path");
    return { text: `${path} is a claim link and a file of ${textOf(row, "package_name")}`, path };
  });
  return [...pending, ...holders, ...unheld, ...links];
}
