/**
 * The recorded paths as a transaction reads them and writes them at its boundary. Reads come before anything is
 * changed; the writes run inside the boundary transaction alone, deletions before insertions (T-DB-13).
 */
import type { Database, Row } from "./database.ts";
import { optionalIntegerOf, optionalTextOf, textOf, wordOf } from "./row.ts";

/** One recorded path of one package. */
export interface RecordedFile {
  readonly package: string;
  readonly path: string;
  readonly type: "file" | "dir" | "symlink";
  readonly sizeBytes: number | undefined;
  /** Hash of the delivered content. */
  readonly hash: string | undefined;
  readonly target: string | undefined;
  readonly preservedHash: string | undefined;
  readonly newDefaultOf: string | undefined;
}

const COLUMNS = "package_name, path, type, size, hash, symlink_target, preserved_hash, new_default_of";

/** Every recorded path of a package, in path order. */
export function recordedFiles(database: Database, name: string): readonly RecordedFile[] {
  return database.statement(`SELECT ${COLUMNS} FROM package_file WHERE package_name = ? ORDER BY path`).all(name)
    .map(recordedFileOf);
}

/** Who has a path recorded; at most one of them as something other than a directory (T-DB-12). */
export function ownersOf(
  database: Database,
  path: string,
): readonly { readonly package: string; readonly type: "file" | "dir" | "symlink" }[] {
  return database.statement("SELECT package_name, type FROM package_file WHERE path = ?").all(path).map((row) => ({
    package: textOf(row, "package_name"),
    type: wordOf(row, "type", ["file", "dir", "symlink"] as const),
  }));
}

/** Recorded paths below a directory, of whatever package. */
export function ownersBelow(
  database: Database,
  path: string,
): readonly { readonly package: string; readonly path: string }[] {
  // "0" follows "/" in byte order: the range holds exactly what lies below.
  return database.statement("SELECT package_name, path FROM package_file WHERE path > ? AND path < ?")
    .all(`${path}/`, `${path}0`)
    .map((row) => ({ package: textOf(row, "package_name"), path: textOf(row, "path") }));
}

/** Whether any package has a path recorded. */
export function isOwned(database: Database, path: string): boolean {
  return database.statement("SELECT 1 FROM package_file WHERE path = ? LIMIT 1").get(path) !== undefined;
}

/** Deletes a package that goes; its paths, relations, annotations and claims go with it. */
export function deletePackage(database: Database, name: string): void {
  database.statement("DELETE FROM package WHERE name = ?").run(name);
}

export function deleteFile(database: Database, name: string, path: string): void {
  database.statement("DELETE FROM package_file WHERE package_name = ? AND path = ?").run(name, path);
}

export function insertFile(database: Database, row: RecordedFile): void {
  database.statement(`INSERT INTO package_file (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`).run(
    row.package,
    row.path,
    row.type,
    row.sizeBytes ?? null,
    row.hash ?? null,
    row.target ?? null,
    row.preservedHash ?? null,
    row.newDefaultOf ?? null,
  );
}

function recordedFileOf(row: Row): RecordedFile {
  return {
    package: textOf(row, "package_name"),
    path: textOf(row, "path"),
    type: wordOf(row, "type", ["file", "dir", "symlink"] as const),
    sizeBytes: optionalIntegerOf(row, "size"),
    hash: optionalTextOf(row, "hash"),
    target: optionalTextOf(row, "symlink_target"),
    preservedHash: optionalTextOf(row, "preserved_hash"),
    newDefaultOf: optionalTextOf(row, "new_default_of"),
  };
}
