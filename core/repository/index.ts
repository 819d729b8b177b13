/**
 * Active and archive indexes: strict parsing of every entry into what the catalogue stores. Entries are visited
 * while the document is read and never held as parsed JSON, so that memory follows what is kept.
 *
 * @see R-IDX-01 … R-IDX-07, R-ARC-01, R-ARC-02
 */
import { type ErrorRule, PeipkgError, ruleError } from "../errors.ts";
import type { Layout } from "../format/destinations.ts";
import { SIDE_EFFECTS } from "../format/manifest.ts";
import { readRelations, RELATION_SHAPES, type Relations } from "../format/relations.ts";
import {
  checkSchemaVersion,
  elementPlace,
  fieldError,
  type Place,
  readDocument,
  readInteger,
  readObject,
  readOptionalArray,
  readOptionalObject,
  readOptionalString,
  readString,
} from "../format/document.ts";
import { type DocumentKind, JsonObject, type JsonValue, SCALAR, type Shape, shapeOf } from "../format/strict_json.ts";
import { parseArchitecture } from "../identity/architecture.ts";
import { parsePackageName } from "../identity/package_name.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { parseTimestamp, type Timestamp } from "../identity/timestamp.ts";
import { compareVersions, parseVersion } from "../identity/version.ts";
import type { CatalogueKind, NewCataloguePackage, NewPackages } from "../store/catalogue.ts";
import { leaveOutKnown, type ShortenedIndex } from "./known_entries.ts";
import type { PlainEntries } from "./plain_entry.ts";
import { type TakenEntries, takePlainEntries } from "./taken_entries.ts";

/** A parsed index. */
export interface Index {
  /** The publisher's name of the repository. */
  readonly repositoryName: string;
  readonly kind: CatalogueKind;
  readonly indexVersion: number;
  readonly generatedAt: Timestamp;
  /** Ascending by name. */
  readonly packages: NewPackages;
  /**
   * Names whose entries may differ from those of the known index; `packages` holds no others then. `undefined`: all.
   */
  readonly changedNames: readonly string[] | undefined;
}

export interface IndexExpectation {
  /** Handle, for messages. */
  readonly handle: string;
  readonly kind: CatalogueKind;
  /** `repo.name` of the verified descriptor. */
  readonly repositoryName: string;
  readonly layout: Layout;
}

/** The known fields of an entry beside those with a column of their own. */
export interface EntryDetails extends Relations {
  readonly license: string;
  readonly homepage: string;
  readonly sideEffects: readonly string[];
  readonly build: { readonly timestamp: string; readonly farmId: string } | undefined;
  /** Message about another upgrade path (F-LATE-07); empty in the base profile, which does not know the field. */
  readonly alternateUpgrade: string;
}

/** Fields of the entry that `readDetails()` reads; what is stored of an entry has no others. */
const DETAILS: Readonly<Record<string, Shape>> = {
  ...RELATION_SHAPES,
  license: SCALAR,
  homepage: SCALAR,
  alternate_upgrade: SCALAR,
  side_effects: { elements: SCALAR },
  build: shapeOf(["timestamp", "farm_id"]),
};
const ENTRY: Shape = shapeOf([
  "name",
  "version",
  "architecture",
  "description",
  "size_compressed",
  "size_installed",
  "url",
], { ...DETAILS, hash: shapeOf(["algorithm", "value"]) });

/** An index and the fields read of it. */
export const INDEX_DOCUMENT: DocumentKind = {
  document: "index",
  syntaxRule: "E_INDEX_JSON",
  fieldRule: "E_INDEX_FIELD",
  integerRule: "E_INDEX_FIELD",
  shape: shapeOf(["schema_version", "repo", "kind", "index_version", "generated_at"], {
    packages: { elements: ENTRY },
  }),
};
const STORED_DETAILS: DocumentKind = { ...INDEX_DOCUMENT, shape: shapeOf([], DETAILS) };
const HASH_REGEXP = /^[0-9a-f]{64}$/;
/** Entries are visited before their document is complete, so their place hangs below this one. */
const INDEX_PLACE: Place = {
  object: new JsonObject([], []),
  kind: INDEX_DOCUMENT,
  parent: undefined,
  field: "",
  index: -1,
};

/**
 * Parses an index whose signature was verified over the same bytes.
 *
 * @param known An active index that was parsed before and whose entries are stored: those that both have byte for byte
 * are not read again.
 * @throws {PeipkgError} `format` (`E_INDEX_JSON`, `E_INDEX_FIELD`, `E_INDEX_KIND`, `E_INDEX_REPO_NAME`,
 * `E_INDEX_ORDER`, `E_INDEX_DUPLICATE`, `E_SCHEMA_VERSION`, `E_ALGORITHM`, codes of relation arrays)
 */
export function parseIndex(bytes: Uint8Array, expected: IndexExpectation, known?: Uint8Array): Index {
  // Versions of one name are compared with all their neighbours, which an archive has and an active index has not.
  const shortened = known === undefined || expected.kind !== "active" ? undefined : leaveOutKnown(bytes, known);
  const taken = takePlainEntries(shortened?.bytes ?? bytes);
  if (shortened !== undefined || taken !== undefined) {
    try {
      return readIndex(taken?.rest ?? shortened?.bytes ?? bytes, expected, shortened, taken);
    } catch (cause) {
      if (!(cause instanceof PeipkgError)) throw cause;
      // What is wrong is told by its place in the document as it was published.
    }
  }
  return readIndex(bytes, expected, undefined, undefined);
}

function readIndex(
  bytes: Uint8Array,
  expected: IndexExpectation,
  shortened: ShortenedIndex | undefined,
  taken: TakenEntries | undefined,
): Index {
  const rows = new IndexRows(expected, shortened, taken?.entries);
  let entryFailure: unknown;
  const place = readDocument(bytes, INDEX_DOCUMENT, {
    field: "packages",
    visit(element, index) {
      if (entryFailure !== undefined) return;
      try {
        const run = taken?.runs.get(index);
        if (run !== undefined) rows.addPlain(run);
        else if (element === null && rows.isLeftOut) rows.pass();
        else rows.add(readEntry(elementPlace(INDEX_PLACE, "packages", element, index), expected.layout));
      } catch (failure) {
        // Kept until the head of the document is known: a wrong schema version or kind explains more.
        entryFailure = failure;
      }
    },
  });
  const head = readHead(place, expected);
  if (entryFailure !== undefined) throw entryFailure;
  const changedNames = shortened && [...new Set([...shortened.formerNames, ...Array.from(rows, ({ name }) => name)])];
  return { ...head, kind: expected.kind, packages: rows, changedNames: changedNames?.sort(compareBytes) };
}

/** Plain entries next to each other; `to` is not among them. */
interface PlainRange {
  readonly from: number;
  readonly to: number;
}

/** The rows of an index in its order; those of plain entries are made each time they are asked for. */
class IndexRows implements NewPackages {
  readonly #order: OrderCheck;
  readonly #leftOut: ReadonlySet<number>;
  readonly #plain: PlainEntries | undefined;
  readonly #rows: (NewCataloguePackage | PlainRange)[] = [];
  #length = 0;
  /** Elements of the document there were so far, plain entries counted each. */
  #elements = 0;
  #plainEntries = 0;
  /** Of the plain entries out of order, those there were so far. */
  #unordered = 0;

  constructor(expected: IndexExpectation, shortened: ShortenedIndex | undefined, plain: PlainEntries | undefined) {
    this.#order = new OrderCheck(expected);
    this.#leftOut = shortened?.leftOut ?? new Set();
    this.#plain = plain;
  }

  get length(): number {
    return this.#length;
  }

  *[Symbol.iterator](): Generator<NewCataloguePackage, void, undefined> {
    for (const row of this.#rows) {
      if ("name" in row) {
        yield row;
      } else if (this.#plain !== undefined) {
        for (let at = row.from; at < row.to; at++) yield this.#plain.row(at);
      }
    }
  }

  /** Whether the next element stands for known entries. */
  get isLeftOut(): boolean {
    return this.#leftOut.has(this.#elements);
  }

  /** Goes on to the element after one that stands for known entries. */
  pass(): void {
    this.#elements++;
  }

  add(row: NewCataloguePackage): void {
    this.#order.check(row);
    const element = this.#elements++;
    if (this.#isBesideLeftOut(element)) return;
    this.#rows.push(row);
    this.#length++;
  }

  /** Adds the next plain entries. */
  addPlain(count: number): void {
    const plain = this.#plain;
    if (plain === undefined) return;
    const from = this.#plainEntries;
    const to = this.#plainEntries += count;
    // Rows are made for the comparison at the ends of a run alone, and where it takes more than the names.
    for (let at = from; at < to;) {
      this.#order.check(plain.row(at));
      while ((plain.unordered[this.#unordered] ?? to) <= at) this.#unordered++;
      const next = Math.min(plain.unordered[this.#unordered] ?? to, to);
      if (next > at + 1) this.#order.goOn(plain.row(next - 1));
      at = next;
    }
    const first = this.#elements;
    const last = first + count - 1;
    this.#elements += count;
    const range = {
      from: this.#isBesideLeftOut(first) ? from + 1 : from,
      to: this.#isBesideLeftOut(last) ? to - 1 : to,
    };
    if (range.from >= range.to) return;
    this.#rows.push(range);
    this.#length += range.to - range.from;
  }

  /** Beside what was left out stand known entries, there to be compared with their neighbours. */
  #isBesideLeftOut(element: number): boolean {
    return this.#leftOut.has(element - 1) || this.#leftOut.has(element + 1);
  }
}

function readHead(
  place: Place,
  expected: IndexExpectation,
): Pick<Index, "repositoryName" | "indexVersion" | "generatedAt"> {
  checkSchemaVersion(place);
  const repositoryName = readString(place, "repo");
  if (repositoryName !== expected.repositoryName) {
    throw indexError(
      expected,
      "E_INDEX_REPO_NAME",
      `it names repository "${repositoryName}", the descriptor says "${expected.repositoryName}"`,
    );
  }
  const kind = readString(place, "kind");
  if (kind !== expected.kind) { // R-IDX-02
    throw indexError(expected, "E_INDEX_KIND", `its kind is "${kind}", expected "${expected.kind}"`);
  }
  const indexVersion = readInteger(place, "index_version");
  if (indexVersion < 1 || indexVersion > Number.MAX_SAFE_INTEGER) { // R-IDX-03
    throw indexError(expected, "E_INDEX_FIELD", '"index_version" is out of range, expected 1 to 2^53-1');
  }
  const text = readString(place, "generated_at");
  const generatedAt = parseTimestamp(text);
  if (generatedAt === undefined) {
    throw indexError(expected, "E_INDEX_FIELD", `"generated_at" is "${text}", expected a time in UTC`);
  }
  if (readOptionalArray(place, "packages") === undefined) {
    throw indexError(expected, "E_INDEX_FIELD", '"packages" is missing');
  }
  return { repositoryName, indexVersion, generatedAt };
}

/** R-IDX-07, R-ARC-02: neighbours only. */
class OrderCheck {
  #previous: NewCataloguePackage | undefined;
  /**
   * Versions and architectures of the current name, for exact repeats among versions that compare equal; made when the
   * name comes a second time, which in an active index it never does.
   */
  #seen: Set<string> | undefined;

  constructor(private readonly expected: IndexExpectation) {}

  check(next: NewCataloguePackage): void {
    const previous = this.#previous;
    this.#previous = next;
    if (previous === undefined) return;
    const { name, version, architecture } = next;
    const order = compareBytes(previous.name, name);
    if (order > 0) throw this.#fail("E_INDEX_ORDER", `"${name}" follows "${previous.name}"`);
    if (order < 0) {
      this.#seen = undefined;
      return;
    }
    this.#seen ??= new Set([`${previous.version} ${previous.architecture}`]);
    const key = `${version} ${architecture}`;
    if (this.expected.kind === "active" || this.#seen.has(key)) {
      throw this.#fail("E_INDEX_DUPLICATE", `"${name}" ${version} is listed twice`);
    }
    if (compareVersions(parseVersion(previous.version), parseVersion(version)) < 0) {
      throw this.#fail("E_INDEX_ORDER", `"${name}" ${version} follows ${previous.version}`);
    }
    this.#seen.add(key);
  }

  /** Takes a row as the previous one whose name is known to be above that of the row before it. */
  goOn(previous: NewCataloguePackage): void {
    this.#previous = previous;
    this.#seen = undefined;
  }

  #fail(rule: ErrorRule, found: string): PeipkgError {
    return indexError(this.expected, rule, found);
  }
}

function indexError(expected: IndexExpectation, rule: ErrorRule, found: string): PeipkgError {
  return ruleError(rule, `cannot read the ${expected.kind} index of "${expected.handle}": ${found}`, {
    repository: expected.handle,
    document: "index",
  });
}

/** R-IDX-05, R-IDX-06. */
function readEntry(place: Place, layout: Layout): NewCataloguePackage {
  const name = readGrammar(place, "name", parsePackageName);
  const version = readGrammar(place, "version", parseVersion);
  const architecture = readGrammar(place, "architecture", parseArchitecture);
  const hash = readObject(place, "hash");
  const algorithm = readString(hash, "algorithm");
  if (algorithm !== "sha256") {
    throw fieldError(hash, "algorithm", "E_ALGORITHM", `it is "${algorithm}", expected "sha256"`);
  }
  const value = readString(hash, "value");
  if (!HASH_REGEXP.test(value)) throw fieldError(hash, "value", "E_INDEX_FIELD", "it is not 64 lowercase hex digits");
  const url = readString(place, "url");
  if (url === "") throw fieldError(place, "url", "E_INDEX_FIELD", "it is empty");
  const details = readDetails(place, layout);
  return {
    name,
    version: version.raw,
    architecture,
    description: readOptionalString(place, "description") ?? "",
    sizeCompressedBytes: readSize(place, "size_compressed"),
    sizeInstalledBytes: readSize(place, "size_installed"),
    hash: value,
    url,
    entry: renderDetails(details),
    provides: details.provides.map((item) => item.name),
    replaces: details.replaces.map((item) => item.name),
  };
}

function readGrammar<T>(place: Place, field: string, parse: (text: string) => T): T {
  const text = readString(place, field);
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    throw fieldError(place, field, "E_INDEX_FIELD", `it is wrong: ${cause.message}`);
  }
}

function readSize(place: Place, field: string): number {
  const size = readInteger(place, field);
  if (size > Number.MAX_SAFE_INTEGER) throw fieldError(place, field, "E_INDEX_FIELD", "it is too large");
  return size;
}

function readDetails(place: Place, layout: Layout): EntryDetails {
  const build = readOptionalObject(place, "build");
  return {
    ...readRelations(place, layout),
    license: readOptionalString(place, "license") ?? "",
    homepage: readOptionalString(place, "homepage") ?? "",
    sideEffects: readSideEffects(place),
    build: build === undefined ? undefined : {
      timestamp: readOptionalString(build, "timestamp") ?? "",
      farmId: readOptionalString(build, "farm_id") ?? "",
    },
    alternateUpgrade: layout === "base" ? "" : readOptionalString(place, "alternate_upgrade") ?? "",
  };
}

function readSideEffects(place: Place): readonly string[] {
  const items: readonly JsonValue[] = readOptionalArray(place, "side_effects") ?? [];
  return items.map((item, index) => {
    const known = SIDE_EFFECTS.find((word) => word === item);
    if (known === undefined || items.indexOf(item) !== index) {
      throw fieldError(place, `side_effects[${index}]`, "E_INDEX_FIELD", "it is unknown or repeated");
    }
    return known;
  });
}

/** Canonical text of the details; {@link readEntryDetails} reads it back. */
export function renderDetails(details: EntryDetails): string {
  return JSON.stringify({
    license: details.license || undefined,
    homepage: details.homepage || undefined,
    ...relationFields(details),
    side_effects: details.sideEffects.length === 0 ? undefined : details.sideEffects,
    build: details.build === undefined ? undefined : {
      timestamp: details.build.timestamp,
      farm_id: details.build.farmId,
    },
    alternate_upgrade: details.alternateUpgrade || undefined,
  });
}

/** What R-IDX-09 compares between manifest and index entry: the relations planning relied on, as one text. */
export function relationsText(relations: Relations): string {
  const { dependencies, conflicts, provides, replaces } = relationFields(relations);
  return JSON.stringify({ dependencies, conflicts, provides, replaces });
}

function relationFields(relations: Relations) {
  const plain = (item: Relations["conflicts"][number]) => ({ name: item.name, constraint: item.constraint?.raw });
  const claims = (item: { readonly claims: Relations["provides"][number]["claims"] }) =>
    item.claims.length === 0 ? undefined : Object.fromEntries(item.claims.map((claim) => [claim.slot, {
      path: claim.path === undefined ? undefined : `/${claim.path}`,
      target: claim.target === undefined ? undefined : `/${claim.target}`,
    }]));
  const dependency = (item: Relations["dependencies"][number]) => ({
    name: item.name,
    constraint: item.constraint?.raw,
    root: item.root,
    claims: claims(item),
  });
  return {
    dependencies: relations.dependencies.map(dependency),
    optional_dependencies: relations.optionalDependencies.length === 0
      ? undefined
      : relations.optionalDependencies.map(dependency),
    conflicts: relations.conflicts.map(plain),
    provides: relations.provides.length === 0 ? undefined : relations.provides.map((item) => ({
      name: item.name,
      version: item.version?.raw,
      claims: claims(item),
    })),
    replaces: relations.replaces.length === 0 ? undefined : relations.replaces.map(plain),
  };
}

/**
 * Reads the stored details of an entry, as strictly as they were read the first time (T-DB-10).
 *
 * @param text Column `entry` of the catalogue.
 */
export function readEntryDetails(text: string, layout: Layout): EntryDetails {
  return readDetails(readDocument(new TextEncoder().encode(text), STORED_DETAILS), layout);
}
