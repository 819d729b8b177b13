/**
 * The parsed catalogue of each repository: rows derived from a verified index, replaced as a whole, looked up by
 * name on demand. The only SQL for the tables `catalogue`, `catalogue_package` and `catalogue_relation`.
 */
import { compareBytes } from "../identity/safe_path.ts";
import { Batch, ROWS_PER_STATEMENT } from "./batch.ts";
import type { Database, Row, Statement } from "./database.ts";
import { integerOf, optionalTextOf, textOf, wordOf } from "./row.ts";

export type CatalogueKind = "active" | "archive";

/** One cached index. */
export interface CatalogueHeader {
  readonly id: number;
  /** Handle. */
  readonly repository: string;
  readonly kind: CatalogueKind;
  /** SHA-256 of the exact bytes verified and parsed. */
  readonly digest: string;
  /** Fingerprint; `undefined` in unsigned mode. */
  readonly signer: string | undefined;
  readonly indexVersion: number;
  /** Text as signed. */
  readonly generatedAt: string;
}

/** What a listing shows of a package entry. */
export interface CatalogueLine {
  readonly repository: string;
  readonly kind: CatalogueKind;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly description: string;
  readonly sizeCompressedBytes: number;
  readonly sizeInstalledBytes: number;
}

/** One package entry as stored and as planning reads it; strings are validated again by their readers (T-DB-10). */
export interface CataloguePackage extends CatalogueLine {
  /** SHA-256 of the package file, hex. */
  readonly hash: string;
  /** URL reference as in the index. */
  readonly url: string;
  /** The other known fields as canonical JSON; `readEntryDetails()` of `core/repository/index.ts` parses it. */
  readonly entry: string;
}

/** One package to store, with the names its relations are found by, which are those in `entry`. */
export interface NewCataloguePackage extends Omit<CataloguePackage, "repository" | "kind"> {
  readonly provides: readonly string[];
  readonly replaces: readonly string[];
}

/** Packages to store, which need not be held all at once; each time they are gone through they are the same. */
export interface NewPackages extends Iterable<NewCataloguePackage> {
  readonly length: number;
}

/** An index to store; `packages` ascending by name in byte order (R-IDX-07). */
export interface NewCatalogue extends Omit<CatalogueHeader, "id"> {
  readonly packages: NewPackages;
  /**
   * Names, ascending, that alone may differ from what is stored; `packages` has those and no others. `undefined`: all
   * of the index is in `packages`.
   */
  readonly changedNames: readonly string[] | undefined;
}

const LINE_COLUMNS = `p.name, p.version, p.architecture, p.description, p.size_compressed, p.size_installed,
  c.repository, c.kind`;
const COLUMNS = `${LINE_COLUMNS}, p.hash, p.url, p.entry`;
const CATALOGUE_OF = "JOIN catalogue c ON c.id = p.catalogue_id";
const JOINED = `catalogue_package p ${CATALOGUE_OF}`;
/** As they lie: for what looks at every row there is. */
const JOINED_UNSORTED = `catalogue_package p NOT INDEXED ${CATALOGUE_OF}`;

/** So many new rows touch more pages than the engine keeps by itself, which would write and read them many times. */
const MANY_PACKAGES = 1000;
const CACHE_KIB = 64 * 1024;
/** While the whole catalogue is looked at. */
const SCAN_CACHE_KIB = 256;

/** Header of a cached index; `undefined`: none. */
export function readCatalogue(
  database: Database,
  repository: string,
  kind: CatalogueKind,
): CatalogueHeader | undefined {
  const row = database.statement("SELECT * FROM catalogue WHERE repository = ? AND kind = ?").get(repository, kind);
  if (row === undefined) return undefined;
  return {
    id: integerOf(row, "id"),
    repository: textOf(row, "repository"),
    kind: wordOf(row, "kind", ["active", "archive"]),
    digest: textOf(row, "digest"),
    signer: optionalTextOf(row, "signer"),
    indexVersion: integerOf(row, "index_version"),
    generatedAt: textOf(row, "generated_at"),
  };
}

/**
 * Makes the stored catalogue equal to `next`, inside a write transaction (T-DB-19). Rows that are the same stay, so
 * that the cost of writing follows what changed between two indexes and not their size.
 */
export function replaceCatalogue(database: Database, next: NewCatalogue): void {
  const id = writeHeader(database, next);
  if (!hasPackages(database, id)) {
    insertPackages(database, id, next.packages);
    return;
  }
  const stored = next.changedNames === undefined
    ? storedPackages(database, id)
    : storedPackagesNamed(database, id, next.changedNames);
  const { stale, fresh } = compareWithStored(stored, next.packages, updatePackage(database));
  const remove = database.statement("DELETE FROM catalogue_package WHERE id = ?");
  for (const row of stale) remove.run(row);
  insertPackages(database, id, fresh);
}

/** Changes a row in place: names and relations, which indexes are made of, are the same. */
function updatePackage(database: Database): (id: number, item: NewCataloguePackage) => void {
  const statement = database.statement(`
    UPDATE catalogue_package SET version = ?, architecture = ?, description = ?, size_compressed = ?,
      size_installed = ?, hash = ?, url = ? WHERE id = ?`);
  return (id, { version, architecture, description, sizeCompressedBytes, sizeInstalledBytes, hash, url }) => {
    statement.run(version, architecture, description, sizeCompressedBytes, sizeInstalledBytes, hash, url, id);
  };
}

function hasPackages(database: Database, id: number): boolean {
  return database.statement("SELECT 1 FROM catalogue_package WHERE catalogue_id = ? LIMIT 1").get(id) !== undefined;
}

/** Numbers the rows itself, so that many go into one statement and their relations need not ask for them. */
function insertPackages(database: Database, catalogue: number, packages: NewPackages): void {
  if (packages.length === 0) return;
  if (packages.length > MANY_PACKAGES) database.statement(`PRAGMA cache_size = -${CACHE_KIB}`).run();
  const last = database.statement("SELECT coalesce(max(id), 0) AS last FROM catalogue_package").get();
  const firstId = (last === undefined ? 0 : integerOf(last, "last")) + 1;
  const rows = new Batch(
    database,
    (places) => `
      INSERT INTO catalogue_package (id, catalogue_id, name, version, architecture, description, size_compressed,
        size_installed, hash, url, entry) VALUES ${places}`,
  );
  const relations = new Batch(
    database,
    (places) => `INSERT INTO catalogue_relation (name, kind, package_id) VALUES ${places}`,
  );
  // Relations wait for the rows they point to, and for no more: their names keep the text around them alive.
  let waiting: [name: string, kind: "provides" | "replaces", id: number][] = [];
  const flush = () => {
    rows.flush();
    for (const relation of waiting) relations.add(relation);
    waiting = [];
  };
  let id = firstId;
  for (const item of packages) {
    const { name, version, architecture, description, sizeCompressedBytes, sizeInstalledBytes, hash, url } = item;
    rows.add([
      id,
      catalogue,
      name,
      version,
      architecture,
      description,
      sizeCompressedBytes,
      sizeInstalledBytes,
      hash,
      url,
      item.entry,
    ]);
    for (const name of item.provides) waiting.push([name, "provides", id]);
    for (const name of item.replaces) waiting.push([name, "replaces", id]);
    if ((++id - firstId) % ROWS_PER_STATEMENT === 0) flush();
  }
  flush();
  relations.flush();
}

function writeHeader(database: Database, next: NewCatalogue): number {
  database.statement(`
    INSERT INTO catalogue (repository, kind, digest, signer, index_version, generated_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (repository, kind) DO UPDATE SET digest = excluded.digest, signer = excluded.signer,
      index_version = excluded.index_version, generated_at = excluded.generated_at`)
    .run(next.repository, next.kind, next.digest, next.signer ?? null, next.indexVersion, next.generatedAt);
  const row = database.statement("SELECT id FROM catalogue WHERE repository = ? AND kind = ?")
    .get(next.repository, next.kind);
  return row === undefined ? 0 : integerOf(row, "id");
}

const COMPARED = `SELECT id, name, version, architecture, description, size_compressed, size_installed, hash, url, entry
  FROM catalogue_package WHERE catalogue_id = ?`;

function storedPackages(database: Database, id: number): Iterable<Row> {
  return database.statement(`${COMPARED} ORDER BY name, id`).iterate(id);
}

function* storedPackagesNamed(database: Database, id: number, names: readonly string[]): Generator<Row> {
  const statement = database.statement(`${COMPARED} AND name = ? ORDER BY id`);
  for (const name of names) yield* statement.all(id, name);
}

/**
 * Walks stored and new packages side by side in name order.
 *
 * @param update Receives stored rows that have to change, with what they become; their details stay.
 */
function compareWithStored(
  stored: Iterable<Row>,
  packages: NewPackages,
  update: (id: number, item: NewCataloguePackage) => void,
): { readonly stale: readonly number[]; readonly fresh: readonly NewCataloguePackage[] } {
  const stale: number[] = [];
  const fresh: NewCataloguePackage[] = [];
  const rest = packages[Symbol.iterator]();
  let next = rest.next();
  let group: NewCataloguePackage[] = [];
  let groupName: string | undefined;
  for (const row of stored) {
    const name = textOf(row, "name");
    if (name !== groupName) {
      fresh.push(...group);
      group = [];
      groupName = name;
      for (; next.done !== true; next = rest.next()) {
        const order = next.value.name === name ? 0 : compareBytes(next.value.name, name);
        if (order > 0) break;
        (order === 0 ? group : fresh).push(next.value);
      }
    }
    const [only] = group;
    const kept = group.findIndex((item) => isStored(row, item));
    if (kept >= 0) {
      group.splice(kept, 1);
    } else if (only !== undefined && group.length === 1 && row.entry === only.entry) {
      update(integerOf(row, "id"), only);
      group = [];
    } else {
      stale.push(integerOf(row, "id"));
    }
  }
  fresh.push(...group);
  for (; next.done !== true; next = rest.next()) fresh.push(next.value);
  return { stale, fresh };
}

function isStored(row: Row, item: NewCataloguePackage): boolean {
  return row.hash === item.hash && row.version === item.version && row.architecture === item.architecture &&
    row.size_compressed === item.sizeCompressedBytes && row.size_installed === item.sizeInstalledBytes &&
    row.url === item.url && row.description === item.description && row.entry === item.entry;
}

/** Moves a catalogue to another signer without touching its packages (R-FRESH-03), inside a write transaction. */
export function writeCatalogueSigner(
  database: Database,
  repository: string,
  kind: CatalogueKind,
  signer: string | undefined,
): void {
  database.statement("UPDATE catalogue SET signer = ? WHERE repository = ? AND kind = ?")
    .run(signer ?? null, repository, kind);
}

/** A statement whose rows have columns by position: naming them would cost as much again. */
function rowsOf(database: Database, sql: string): Statement {
  return database.statement(sql, { positional: true });
}

/** Every stored entry of a name, all repositories and kinds. */
export function packagesNamed(database: Database, name: string): readonly CataloguePackage[] {
  return rowsOf(database, `SELECT ${COLUMNS} FROM ${JOINED} WHERE p.name = ?`).all(name).map(packageOf);
}

/** Every stored entry whose `provides` or `replaces` has a name. */
export function packagesRelating(
  database: Database,
  kind: "provides" | "replaces",
  name: string,
): readonly CataloguePackage[] {
  return rowsOf(
    database,
    `SELECT ${COLUMNS} FROM catalogue_relation r JOIN catalogue_package p ON p.id = r.package_id
    JOIN catalogue c ON c.id = p.catalogue_id WHERE r.name = ? AND r.kind = ?`,
  ).all(name, kind).map(packageOf);
}

/** The stored entries of one exact version; several when it exists for several architectures. */
export function findPackage(
  database: Database,
  key: { readonly repository: string; readonly kind: CatalogueKind; readonly name: string; readonly version: string },
): readonly CataloguePackage[] {
  return rowsOf(
    database,
    `SELECT ${COLUMNS} FROM ${JOINED} WHERE p.name = ? AND p.version = ? AND c.repository = ? AND c.kind = ?`,
  ).all(key.name, key.version, key.repository, key.kind).map(packageOf);
}

/**
 * Active entries of a repository whose name or description contains a term, without case, by name (C-SEARCH).
 *
 * @param fields Which texts are searched.
 */
export function searchPackages(
  database: Database,
  repository: string,
  term: string,
  fields: "name" | "description" | "both" = "both",
): readonly CatalogueLine[] {
  // No page is asked for twice, so that few of them, which stay in the processor's cache, are better than many.
  database.statement(`PRAGMA cache_size = -${SCAN_CACHE_KIB}`).run();
  // Read as they lie, the rows of the only catalogue come a tenth sooner; among several the index finds theirs.
  const isOnly = database.statement("SELECT count(*) AS count FROM catalogue").get()?.count === 1;
  const from = `FROM ${isOnly ? JOINED_UNSORTED : JOINED} WHERE c.repository = ? AND c.kind = 'active'`;
  // deno-lint-ignore no-control-regex -- ASCII is exactly what LIKE folds
  if (/^[\u0000-\u007f]*$/.test(term)) {
    const columns = fields === "both" ? ["p.name", "p.description"] : [`p.${fields}`];
    const escape = /[\\%_]/.test(term) ? " ESCAPE '\\'" : "";
    const condition = `(${columns.map((column) => `${column} LIKE ?${escape}`).join(" OR ")})`;
    // LIKE stops wherever the first letter stands: from a rarer one on it passes over most rows in half the time.
    const parts = [...new Set([term.slice(rarestLetter(term)), term])];
    const patterns = parts.flatMap((part) => columns.map(() => `%${part.replace(/[\\%_]/g, "\\$&")}%`));
    return rowsOf(
      database,
      `SELECT ${LINE_COLUMNS} ${from} AND ${parts.map(() => condition).join(" AND ")} ORDER BY p.name`,
    ).all(repository, ...patterns).map(lineOf);
  }
  // LIKE folds ASCII only; other terms are rare enough to be compared here.
  const folded = term.toLowerCase();
  return rowsOf(database, `SELECT ${LINE_COLUMNS} ${from} ORDER BY p.name`).all(repository).map(lineOf)
    .filter((item) =>
      (fields !== "description" && item.name.toLowerCase().includes(folded)) ||
      (fields !== "name" && item.description.toLowerCase().includes(folded))
    );
}

/** Characters of names and descriptions, the most frequent first; others are rarer still. */
const FREQUENT = " eiortanlscpd-mugbfhyvkwxjqz";
/** Shorter ends of a term are in too many texts for what is left to compare to be little. */
const MIN_PART = 3;

/** Where the rarest of the letters stands that leave an end of some length. */
function rarestLetter(term: string): number {
  const rarity = (at: number) => {
    const found = FREQUENT.indexOf(term.charAt(at).toLowerCase());
    return found < 0 ? FREQUENT.length : found;
  };
  let rarest = 0;
  for (let at = 1; at <= term.length - MIN_PART; at++) if (rarity(at) > rarity(rarest)) rarest = at;
  return rarest;
}

/** Distinct active names beginning with a prefix, in byte order; for completion. */
export function namesWithPrefix(database: Database, prefix: string, limit: number): readonly string[] {
  return database.statement(`
    SELECT DISTINCT p.name FROM ${JOINED} WHERE c.kind = 'active' AND p.name >= ? AND p.name < ?
    ORDER BY p.name LIMIT ?`).all(prefix, `${prefix}\u{10ffff}`, limit).map((row) => textOf(row, "name"));
}

/** Number of active entries of a repository. */
export function countPackages(database: Database, repository: string): number {
  const row = database.statement(`
    SELECT count(*) AS count FROM ${JOINED} WHERE c.repository = ? AND c.kind = 'active'`).get(repository);
  return row === undefined ? 0 : integerOf(row, "count");
}

/** Every entry of one cached index in name order; row by row. */
export function* iterateCatalogue(
  database: Database,
  repository: string,
  kind: CatalogueKind,
): Generator<CataloguePackage, void, undefined> {
  const rows = rowsOf(
    database,
    `SELECT ${COLUMNS} FROM ${JOINED} WHERE c.repository = ? AND c.kind = ? ORDER BY p.name`,
  )
    .iterate(repository, kind);
  for (const row of rows) yield packageOf(row);
}

/** @param row Begins with {@link LINE_COLUMNS}. */
function lineOf(row: Row): CatalogueLine {
  return {
    name: textOf(row, 0),
    version: textOf(row, 1),
    architecture: textOf(row, 2),
    description: textOf(row, 3),
    sizeCompressedBytes: integerOf(row, 4),
    sizeInstalledBytes: integerOf(row, 5),
    repository: textOf(row, 6),
    kind: wordOf(row, 7, ["active", "archive"]),
  };
}

/** @param row Begins with {@link COLUMNS}. */
function packageOf(row: Row): CataloguePackage {
  return { ...lineOf(row), hash: textOf(row, 8), url: textOf(row, 9), entry: textOf(row, 10) };
}

/** Every capability that entries of one cached index provide, with the entry, by the entry's name. */
export function* iterateProvisions(
  database: Database,
  repository: string,
  kind: CatalogueKind,
): Generator<{ readonly item: CataloguePackage; readonly name: string }, void, undefined> {
  const rows = rowsOf(
    database,
    `SELECT ${COLUMNS}, r.name FROM ${JOINED}
     JOIN catalogue_relation r ON r.package_id = p.id AND r.kind = 'provides'
     WHERE c.repository = ? AND c.kind = ? ORDER BY p.name`,
  )
    .iterate(repository, kind);
  for (const row of rows) yield { item: packageOf(row), name: textOf(row, 11) };
}
