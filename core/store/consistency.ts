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

/**
 * Looks for faults of the whole database.
 *
 * @param quick The engine compares no index with its table, which is what costs time.
 * @throws {PeipkgError} `database` when it cannot be read at all
 * @see C-CHECK-01
 */
export function findInconsistencies(database: Database, quick: boolean): readonly Inconsistency[] {
  return [
    ...engineProblems(database, quick),
    ...database.foreignKeyProblems().map((pair) => ({
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

/** Rows that hang on a package or a role without the layout saying so. */
function ownerless(database: Database): readonly Inconsistency[] {
  const pending = database.statement(
    `SELECT CAST(id AS TEXT) AS id FROM txn
      WHERE state = 'pending' AND NOT EXISTS (SELECT 1 FROM txn_op WHERE txn_id = id)`,
  ).all().map((row) => ({ text: `pending transaction ${textOf(row, "id")} has no operations` }));
  const links = database.statement(
    `SELECT l.path, f.package_name FROM claim_link l JOIN package_file f ON f.path = l.path ORDER BY l.path`,
  ).all().map((row) => {
    const path = textOf(row, "path");
    return { text: `${path} is a claim link and a file of ${textOf(row, "package_name")}`, path };
  });
  return [...pending, ...links];
}
