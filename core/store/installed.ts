/**
 * What is installed: packages, the names they relate to and the paths they own. The only SQL for `package`,
 * `package_relation` and `package_file`. Text that becomes a path, a name or a manifest is validated as if it came from
 * a package file (T-DB-10); manifests are parsed by whoever needs one, because listing and planning read names only.
 */
import { ruleError } from "../errors.ts";
import type { Architecture } from "../identity/architecture.ts";
import { nearHint } from "../identity/near_name.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { Version } from "../identity/version.ts";
import { CHILD_ROWS_PER_STATEMENT } from "./batch.ts";
import type { Database, Row, SqlValue } from "./database.ts";
import {
  architectureOf,
  booleanOf,
  hashOf,
  integerOf,
  nameOf,
  optionalIntegerOf,
  optionalTextOf,
  pathOf,
  textOf,
  versionOf,
  wordOf,
} from "./row.ts";

export type InstallReason = "explicit" | "dependency";
export type FileType = "file" | "dir" | "symlink";
export type RelationKind = "dependency" | "optional" | "conflict" | "provides" | "replaces";

/** One installed package, without its manifest. */
export interface InstalledPackage {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  /** Repository handle; `undefined`: installed from a local file (T-DB-20). */
  readonly origin: string | undefined;
  readonly reason: InstallReason;
  /** Locked at its version by the operator. */
  readonly isHeld: boolean;
  /** Seconds since the epoch. */
  readonly installedAt: number;
  readonly installedTransaction: number;
  /** SHA-256 of the package file, 64 lowercase hex digits. */
  readonly packageHash: string;
}

/** One line of a listing: columns alone. Shown only, so that nothing but the name is more than text. */
export interface PackageColumns {
  readonly name: PackageName;
  readonly version: string;
  readonly architecture: string;
  readonly origin: string | undefined;
  readonly reason: InstallReason;
  readonly isHeld: boolean;
  /** Seconds since the epoch. */
  readonly installedAt: number;
}

/** A line with what the manifest says of the package; SQLite takes it out, no manifest is parsed here. */
export interface ListedPackage extends PackageColumns {
  readonly description: string;
  readonly sizeInstalledBytes: number;
}

/** A name a package relates to; what exactly it says is in the manifest (T-DB-19). */
export interface PackageRelation {
  readonly kind: RelationKind;
  readonly name: string;
}

/** A row to write: the package with its manifest bytes as text, verbatim (T-DB-16). */
export interface PackageRecord extends InstalledPackage {
  readonly manifestText: string;
  readonly relations: readonly PackageRelation[];
}

/** One owned path. */
export interface InstalledFile {
  /** Logical path. */
  readonly path: string;
  readonly type: FileType;
  /** Delivered size; files only. */
  readonly sizeBytes: number | undefined;
  /** SHA-256 of the delivered content, never of an edit; files only. */
  readonly hash: string | undefined;
  /** Link text; symlinks only. */
  readonly target: string | undefined;
  /** Hash of the operator's content that was kept in place of the delivered one. */
  readonly preservedHash: string | undefined;
  /** Path whose new default this file is (`.peipkg-new`). */
  readonly newDefaultOf: string | undefined;
}

/** Who owns a path, and as what. */
export interface PathOwner {
  readonly package: PackageName;
  readonly type: FileType;
}

const FILE_TYPES = ["file", "dir", "symlink"] as const;
const REASONS = ["explicit", "dependency"] as const;
const RELATION_KINDS = ["dependency", "optional", "conflict", "provides", "replaces"] as const;

const PACKAGE_COLUMNS =
  "name, version, architecture, origin_repo, install_reason, held, installed_at, installed_txn, package_hash";
const LINE_COLUMNS = "name, version, architecture, origin_repo, install_reason, held, installed_at";
const LISTED_COLUMNS = `${LINE_COLUMNS},
  coalesce(json_extract(manifest, '$.description'), '') AS description,
  coalesce(json_extract(manifest, '$.size_installed'), 0) AS size_installed`;
const FILE_COLUMNS = "path, type, size, hash, symlink_target, preserved_hash, new_default_of";

// --- Reading ---------------------------------------------------------------------------------------------------

/** Every installed package, by name. */
export function readInstalledPackages(database: Database): readonly InstalledPackage[] {
  return database.statement(`SELECT ${PACKAGE_COLUMNS} FROM package ORDER BY name`).all().map(packageOf);
}

/** A line for every installed package, by name. */
export function readPackageLines(database: Database): readonly PackageColumns[] {
  return database.statement(`SELECT ${LINE_COLUMNS} FROM package ORDER BY name`).all().map(columnsOf);
}

/** Every installed package with what a listing shows, by name. */
export function readPackageListing(database: Database): readonly ListedPackage[] {
  return database.statement(`SELECT ${LISTED_COLUMNS} FROM package ORDER BY name`).all().map(listedOf);
}

/** One installed package with what a listing shows; `undefined` when it is not installed. */
export function readListedPackage(database: Database, name: string): ListedPackage | undefined {
  const row = database.statement(`SELECT ${LISTED_COLUMNS} FROM package WHERE name = ?`).get(name);
  return row === undefined ? undefined : listedOf(row);
}

/** One installed package; `undefined` when it is not installed. */
export function readInstalledPackage(database: Database, name: string): InstalledPackage | undefined {
  const row = database.statement(`SELECT ${PACKAGE_COLUMNS} FROM package WHERE name = ?`).get(name);
  return row === undefined ? undefined : packageOf(row);
}

/** One installed package or the refusal every command words the same way. */
export function requireInstalledPackage(database: Database | undefined, name: string): InstalledPackage {
  const found = database === undefined ? undefined : readInstalledPackage(database, name);
  if (found !== undefined) return found;
  const names = database?.statement("SELECT name FROM package").all().map((row) => textOf(row, "name")) ?? [];
  throw ruleError("E_NOT_INSTALLED", `"${name}" is not installed`, { package: name, ...nearHint(name, names) });
}

/** Manifest of an installed package, verbatim; parse it with the format room before using it (T-DB-10). */
export function readManifestText(database: Database, name: string): string | undefined {
  const row = database.statement("SELECT manifest FROM package WHERE name = ?").get(name);
  return row === undefined ? undefined : textOf(row, "manifest");
}

/** Installed size a package declares, in bytes; 0 when it is not installed. */
export function readPackageSize(database: Database, name: string): number {
  const sql = "SELECT coalesce(json_extract(manifest, '$.size_installed'), 0) AS size FROM package WHERE name = ?";
  const row = database.statement(sql).get(name);
  return row === undefined ? 0 : integerOf(row, "size");
}

/** Names a package relates to. */
export function readRelations(database: Database, name: string): readonly PackageRelation[] {
  const sql = "SELECT kind, name FROM package_relation WHERE package_name = ? ORDER BY kind, name";
  return database.statement(sql).all(name).map((row) => ({
    kind: wordOf(row, "kind", RELATION_KINDS),
    name: textOf(row, "name"),
  }));
}

/**
 * Installed packages that relate to a name in one way: dependents of it, providers of it, packages that conflict
 * with it or replace it. A hint to read their manifests, not a judgement (T-DB-19).
 */
export function readRelatedPackages(database: Database, name: string, kind: RelationKind): readonly PackageName[] {
  const sql = "SELECT package_name FROM package_relation WHERE name = ? AND kind = ? ORDER BY package_name";
  return database.statement(sql).all(name, kind).map((row) => nameOf(row, "package_name"));
}

/** Packages whose names and capabilities no other package depends on (C-LIST-03 `--leaves`). */
export function readUnneededNames(database: Database): ReadonlySet<string> {
  const sql = `SELECT name FROM package AS p WHERE NOT EXISTS (
      SELECT 1 FROM package_relation AS needed
      JOIN package_relation AS offered ON offered.name = needed.name AND offered.kind = 'provides'
      WHERE needed.kind = 'dependency' AND offered.package_name = p.name AND needed.package_name <> p.name
    ) AND NOT EXISTS (
      SELECT 1 FROM package_relation AS needed
      WHERE needed.kind = 'dependency' AND needed.name = p.name AND needed.package_name <> p.name
    )`;
  return new Set(database.statement(sql).all().map((row) => nameOf(row, "name")));
}

/** Packages whose manifest has claims, by name: the only ones worth parsing for roles. */
export function readClaimingPackages(database: Database): readonly PackageName[] {
  const sql = `SELECT name FROM package WHERE instr(manifest, '"claims"') > 0 ORDER BY name`;
  return database.statement(sql).all().map((row) => nameOf(row, "name"));
}

/** Paths of a package in byte order. */
export function readFiles(database: Database, name: string): readonly InstalledFile[] {
  const sql = `SELECT ${FILE_COLUMNS} FROM package_file WHERE package_name = ? ORDER BY path`;
  return database.statement(sql, { positional: true }).all(name).map(fileOf);
}

/** Files read at once by `iterateFiles()`: few enough not to outlive the young generation of the heap. */
const FILES_PER_PART = 256;

/**
 * Paths of a package in byte order, some at a time; for what looks at each once.
 *
 * @param hashesBelow Prefixes of the paths whose hashes are wanted; absent: all. They are half of what is read.
 */
export function* iterateFiles(
  database: Database,
  name: string,
  hashesBelow?: readonly string[],
): Generator<InstalledFile, void, undefined> {
  const isBelow = hashesBelow?.map((_, index) => `substr(path, 1, length(?${index + 4})) = ?${index + 4}`).join(" OR ");
  const columns = isBelow === undefined
    ? FILE_COLUMNS
    : FILE_COLUMNS.replace(/\bhash\b/, `CASE WHEN ${isBelow} THEN hash END`);
  const statement = database.statement(
    `SELECT ${columns} FROM package_file WHERE package_name = ?1 AND path > ?2 ORDER BY path LIMIT ?3`,
    { positional: true },
  );
  for (let last = "";;) {
    const rows = statement.all(name, last, FILES_PER_PART, ...hashesBelow ?? []);
    for (const row of rows) {
      const file = fileOf(row);
      last = file.path;
      yield file;
    }
    if (rows.length < FILES_PER_PART) return;
  }
}

/** Regular files of a package below a directory (`/etc`), in byte order. */
export function readFilesBelow(database: Database, name: string, directory: string): readonly InstalledFile[] {
  const sql = `SELECT ${FILE_COLUMNS} FROM package_file
    WHERE package_name = ? AND path > ? AND path < ? AND type = 'file' ORDER BY path`;
  return database.statement(sql, { positional: true }).all(name, ...rangeBelow(directory)).map(fileOf);
}

/** SHA-256 of every regular file of a package, by path. */
export function readFileHashes(database: Database, name: string): ReadonlyMap<string, string> {
  const sql = "SELECT path, hash FROM package_file WHERE package_name = ? AND type = 'file'";
  return new Map(
    database.statement(sql).all(name).map((row) => [pathOf(row, "path"), hashOf(row, "hash") ?? ""] as const),
  );
}

/** How many paths a package has, and how long its files are together. */
export function measureFiles(database: Database, name: string): { readonly files: number; readonly bytes: number } {
  const sql = "SELECT count(*) AS n, coalesce(sum(size), 0) AS bytes FROM package_file WHERE package_name = ?";
  const row = database.statement(sql).get(name) ?? {};
  return { files: integerOf(row, "n"), bytes: integerOf(row, "bytes") };
}

/** One path of a package; `undefined` when the package does not own it. */
export function readFile(database: Database, name: string, path: string): InstalledFile | undefined {
  const sql = `SELECT ${FILE_COLUMNS} FROM package_file WHERE package_name = ? AND path = ?`;
  const row = database.statement(sql, { positional: true }).get(name, path);
  return row === undefined ? undefined : fileOf(row);
}

/** Owners of a path by name: at most one unless it is a directory (T-DB-12). */
export function readOwners(database: Database, path: string): readonly PathOwner[] {
  const sql = "SELECT package_name, type FROM package_file WHERE path = ? ORDER BY package_name";
  return database.statement(sql).all(path).map((row) => ({
    package: nameOf(row, "package_name"),
    type: wordOf(row, "type", FILE_TYPES),
  }));
}

/** Owners of every path that matches a glob pattern of SQLite (`*`, `?`, `[…]`), by path and package (C-OWNS-03). */
export function findOwnersLike(
  database: Database,
  pattern: string,
): readonly { readonly path: string; readonly package: PackageName }[] {
  const sql = "SELECT path, package_name FROM package_file WHERE path GLOB ? ORDER BY path, package_name";
  return database.statement(sql).all(pattern).map((row) => ({
    path: pathOf(row, "path"),
    package: nameOf(row, "package_name"),
  }));
}

/** Some owned path strictly below a directory; `undefined` when there is none. */
export function findPathBelow(database: Database, directory: string): string | undefined {
  const sql = "SELECT path FROM package_file WHERE path > ? AND path < ? ORDER BY path LIMIT 1";
  const row = database.statement(sql).get(...rangeBelow(directory));
  return row === undefined ? undefined : pathOf(row, "path");
}

/** Both ends of the range of paths below a directory: "0" follows "/" in byte order. */
function rangeBelow(directory: string): readonly [after: string, before: string] {
  const prefix = directory === "/" ? "" : directory;
  return [`${prefix}/`, `${prefix}0`];
}

/** Every kept-aside new default with its package (`diff`). */
export function readNewDefaults(
  database: Database,
): readonly { readonly package: PackageName; readonly file: InstalledFile }[] {
  const sql = `SELECT ${FILE_COLUMNS}, package_name FROM package_file
    WHERE new_default_of IS NOT NULL ORDER BY new_default_of, package_name`;
  const rows = database.statement(sql, { positional: true }).all();
  return rows.map((row) => ({ package: nameOf(row, 7), file: fileOf(row) }));
}

// --- Writing: inside `Database.write()`, deletes before inserts (T-DB-13) -----------------------------------------

/** Adds a package and its relations. */
export function insertPackage(database: Database, record: PackageRecord): void {
  database.statement(
    `INSERT INTO package (${PACKAGE_COLUMNS}, manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(record.name, ...valuesOf(record));
  insertRelations(database, record);
}

/**
 * Changes the row of a package that stays. In place, because deleting it would take its claims and annotations along
 * (T-DB-13).
 */
export function updatePackage(database: Database, record: PackageRecord): void {
  database.statement(
    `UPDATE package SET version = ?, architecture = ?, origin_repo = ?, install_reason = ?, held = ?,
      installed_at = ?, installed_txn = ?, package_hash = ?, manifest = ? WHERE name = ?`,
  ).run(...valuesOf(record), record.name);
  database.statement("DELETE FROM package_relation WHERE package_name = ?").run(record.name);
  insertRelations(database, record);
}

/** Removes a package with everything that hangs on it: relations, files, annotations, held roles and their links. */
export function deletePackage(database: Database, name: string): void {
  database.statement("DELETE FROM package WHERE name = ?").run(name);
}

/** Adds paths of a package. Many rows go with one statement: 25,000 rows cost a third less than one by one. */
export function insertFiles(database: Database, name: string, files: Iterable<InstalledFile>): void {
  let values: SqlValue[] = [];
  let rows = 0;
  const flush = () => {
    if (rows === 0) return;
    const places = Array.from({ length: rows }, () => "(?, ?, ?, ?, ?, ?, ?, ?)").join(", ");
    database.statement(`INSERT INTO package_file (package_name, ${FILE_COLUMNS}) VALUES ${places}`).run(...values);
    values = [];
    rows = 0;
  };
  for (const file of files) {
    values.push(
      name,
      file.path,
      file.type,
      file.sizeBytes ?? null,
      file.hash ?? null,
      file.target ?? null,
      file.preservedHash ?? null,
      file.newDefaultOf ?? null,
    );
    if (++rows === CHILD_ROWS_PER_STATEMENT) flush();
  }
  flush();
}

/** Removes one path of a package. */
export function deleteFile(database: Database, name: string, path: string): void {
  database.statement("DELETE FROM package_file WHERE package_name = ? AND path = ?").run(name, path);
}

/** Records that the operator's content at a path was kept, or with `undefined` that it no longer is. */
export function setPreservedHash(database: Database, name: string, path: string, hash: string | undefined): void {
  database.statement("UPDATE package_file SET preserved_hash = ? WHERE package_name = ? AND path = ?")
    .run(hash ?? null, name, path);
}

/** Marks a package explicit or dependency. */
export function setInstallReason(database: Database, name: string, reason: InstallReason): void {
  database.statement("UPDATE package SET install_reason = ? WHERE name = ?").run(reason, name);
}

/** Locks a package at its version, or unlocks it. */
export function setHeld(database: Database, name: string, isHeld: boolean): void {
  database.statement("UPDATE package SET held = ? WHERE name = ?").run(isHeld ? 1 : 0, name);
}

function insertRelations(database: Database, record: PackageRecord): void {
  // A manifest may name one package twice with different constraints; the relation is recorded once.
  const insertion = database.statement(
    "INSERT OR IGNORE INTO package_relation (package_name, kind, name) VALUES (?, ?, ?)",
  );
  for (const { kind, name } of record.relations) insertion.run(record.name, kind, name);
}

/** Columns after the name, in the order of `PACKAGE_COLUMNS`, and the manifest. */
function valuesOf(record: PackageRecord): readonly SqlValue[] {
  return [
    record.version.raw,
    record.architecture,
    record.origin ?? null,
    record.reason,
    record.isHeld ? 1 : 0,
    record.installedAt,
    record.installedTransaction,
    record.packageHash,
    record.manifestText,
  ];
}

// --- Validation of what is read (T-DB-10) -------------------------------------------------------------------------

function packageOf(row: Row): InstalledPackage {
  return {
    name: nameOf(row, "name"),
    version: versionOf(row, "version"),
    architecture: architectureOf(row, "architecture"),
    origin: optionalTextOf(row, "origin_repo"),
    reason: wordOf(row, "install_reason", REASONS),
    isHeld: booleanOf(row, "held"),
    installedAt: integerOf(row, "installed_at"),
    installedTransaction: integerOf(row, "installed_txn"),
    packageHash: hashOf(row, "package_hash") ?? "",
  };
}

function columnsOf(row: Row): PackageColumns {
  return {
    name: nameOf(row, "name"),
    version: textOf(row, "version"),
    architecture: textOf(row, "architecture"),
    origin: optionalTextOf(row, "origin_repo"),
    reason: wordOf(row, "install_reason", REASONS),
    isHeld: booleanOf(row, "held"),
    installedAt: integerOf(row, "installed_at"),
  };
}

function listedOf(row: Row): ListedPackage {
  return {
    ...columnsOf(row),
    description: textOf(row, "description"),
    sizeInstalledBytes: integerOf(row, "size_installed"),
  };
}

/** A positional row of `FILE_COLUMNS`. */
function fileOf(row: Row): InstalledFile {
  return {
    path: pathOf(row, 0),
    type: wordOf(row, 1, FILE_TYPES),
    sizeBytes: optionalIntegerOf(row, 2),
    hash: hashOf(row, 3),
    target: optionalTextOf(row, 4),
    preservedHash: hashOf(row, 5),
    newDefaultOf: row[6] === null ? undefined : pathOf(row, 6),
  };
}
