/** Who owns many paths at once: asking for each alone costs more than everything else a plan reads. */
import { ROWS_PER_STATEMENT } from "./batch.ts";
import type { Database } from "./database.ts";
import type { PathOwner } from "./installed.ts";
import { nameOf, pathOf, wordOf } from "./row.ts";

/** Owners of those of `paths` that have any; the order of one path's owners is by name. */
export function readOwnersOf(
  database: Database,
  paths: Iterable<string>,
): ReadonlyMap<string, readonly PathOwner[]> {
  const places = new Array<string>(ROWS_PER_STATEMENT).fill("?").join(", ");
  const statement = database.statement(
    `SELECT path, package_name, type FROM package_file WHERE path IN (${places}) ORDER BY path, package_name`,
  );
  const owners = new Map<string, PathOwner[]>();
  const ask = (asked: readonly string[]) => {
    for (const row of statement.all(...asked)) {
      const path = pathOf(row, "path");
      const owner: PathOwner = {
        package: nameOf(row, "package_name"),
        type: wordOf(row, "type", ["file", "dir", "symlink"] as const),
      };
      const known = owners.get(path);
      if (known === undefined) owners.set(path, [owner]);
      else known.push(owner);
    }
  };
  let asked: string[] = [];
  for (const path of paths) {
    asked.push(path);
    if (asked.length < ROWS_PER_STATEMENT) continue;
    ask(asked);
    asked = [];
  }
  const [first] = asked;
  // One statement serves every number of paths: asking for one of them again changes nothing.
  if (first !== undefined) {
    while (asked.length < ROWS_PER_STATEMENT) asked.push(first);
    ask(asked);
  }
  return owners;
}

/** Paths recorded as file or symlink of a package that another package is recorded for too (T-RM-05). */
export function readSharedFiles(database: Database, name: string): readonly string[] {
  return database.statement(
    `SELECT path FROM package_file AS own WHERE package_name = ? AND type <> 'dir' AND EXISTS (
       SELECT 1 FROM package_file AS other WHERE other.path = own.path AND other.package_name <> own.package_name)`,
  ).all(name).map((row) => pathOf(row, "path"));
}
