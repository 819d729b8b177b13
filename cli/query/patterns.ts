/**
 * The patterns of `query` and `rquery`: what each one means, of which packages it can be asked, and where its value
 * comes from. One table serves formats, expressions and the manual page (C-QUERY-01).
 */
import { formatTimestamp, type PackageRecord, type RecordItem, type RecordList } from "../../mod.ts";
import { renderSize } from "../render/sizes.ts";

/** Where records come from. */
export type RecordSource = "installed" | "offered" | "file";

export interface ScalarPattern {
  readonly kind: "scalar";
  /** Letters after `%`. */
  readonly name: string;
  readonly meaning: string;
  readonly type: "text" | "number" | "version";
  readonly sources: readonly RecordSource[];
  value(record: PackageRecord): string;
}

export interface ListPattern {
  readonly kind: "list";
  readonly name: string;
  readonly meaning: string;
  readonly family: ListFamily;
  /** Member of the list's elements. */
  readonly member: string;
}

export interface ListFamily {
  readonly letter: string;
  readonly list: RecordList;
  readonly sources: readonly RecordSource[];
}

export type Pattern = ScalarPattern | ListPattern;

const EVERYWHERE: readonly RecordSource[] = ["installed", "offered", "file"];
const INSTALLED: readonly RecordSource[] = ["installed"];
const DOWNLOADED: readonly RecordSource[] = ["offered", "file"];
const WITH_FILES: readonly RecordSource[] = ["installed", "file"];

const scalar = (
  name: string,
  meaning: string,
  value: (record: PackageRecord) => string,
  sources = EVERYWHERE,
  type: ScalarPattern["type"] = "text",
): ScalarPattern => ({ kind: "scalar", name, meaning, type, sources, value });

const flag = (value: boolean | undefined): string => value === true ? "1" : "0";

const SCALARS: readonly ScalarPattern[] = [
  scalar("n", "name", ({ name }) => name),
  scalar("v", "version", ({ version }) => version, EVERYWHERE, "version"),
  scalar("q", "architecture", ({ architecture }) => architecture),
  scalar("R", "origin or repository", ({ repository }) => repository ?? "(local file)"),
  scalar("c", "description", ({ description }) => description),
  scalar("w", "homepage", ({ homepage }) => homepage),
  scalar("l", "licence", ({ license }) => license),
  scalar("sb", "installed size in bytes", (record) => String(record.sizeInstalledBytes), EVERYWHERE, "number"),
  scalar("sh", "installed size, readable", (record) => renderSize(record.sizeInstalledBytes)),
  scalar("Sb", "download size in bytes", (record) => String(record.sizeDownloadBytes ?? 0), DOWNLOADED, "number"),
  scalar("Sh", "download size, readable", (record) => renderSize(record.sizeDownloadBytes ?? 0), DOWNLOADED),
  scalar("t", "install time, seconds since 1970", (record) => String(installedAt(record)), INSTALLED, "number"),
  scalar("T", "install time", (record) => formatTimestamp(installedAt(record)), INSTALLED),
  scalar("a", "1 if drawn in, else 0", ({ installed }) => flag(installed?.isAutomatic), INSTALLED, "number"),
  scalar("k", "1 if locked, else 0", ({ installed }) => flag(installed?.isLocked), INSTALLED, "number"),
];

function installedAt({ installed }: PackageRecord): number {
  return installed?.installedAt ?? 0;
}

const family = (letter: string, list: RecordList, sources: readonly RecordSource[]): ListFamily => ({
  letter,
  list,
  sources,
});

const DEPENDENCIES = family("d", "dependencies", EVERYWHERE);
const DEPENDENTS = family("r", "dependents", INSTALLED);
const OPTIONAL = family("E", "optional", EVERYWHERE);
const CONFLICTS = family("x", "conflicts", EVERYWHERE);
const REPLACES = family("z", "replaces", EVERYWHERE);
const PROVIDES = family("y", "provides", EVERYWHERE);
const FILES = family("F", "files", WITH_FILES);
const DIRECTORIES = family("D", "directories", WITH_FILES);
const ROLES = family("h", "roles", INSTALLED);
const PROVIDED_LIBRARIES = family("b", "provided-libraries", INSTALLED);
const REQUIRED_LIBRARIES = family("B", "required-libraries", INSTALLED);
const ANNOTATIONS = family("A", "annotations", INSTALLED);

const FAMILIES: readonly ListFamily[] = [
  DEPENDENCIES,
  DEPENDENTS,
  OPTIONAL,
  CONFLICTS,
  REPLACES,
  PROVIDES,
  FILES,
  DIRECTORIES,
  ROLES,
  PROVIDED_LIBRARIES,
  REQUIRED_LIBRARIES,
  ANNOTATIONS,
];

const element = (name: string, meaning: string, of: ListFamily, member: string): ListPattern => ({
  kind: "list",
  name,
  meaning,
  family: of,
  member,
});

const ELEMENTS: readonly ListPattern[] = [
  element("dn", "dependency: name", DEPENDENCIES, "name"),
  element("dv", "dependency: constraint", DEPENDENCIES, "version"),
  element("rn", "dependent: name", DEPENDENTS, "name"),
  element("rv", "dependent: version", DEPENDENTS, "version"),
  element("En", "optional dependency: name", OPTIONAL, "name"),
  element("Ev", "optional dependency: constraint", OPTIONAL, "version"),
  element("xn", "conflict: name", CONFLICTS, "name"),
  element("xv", "conflict: constraint", CONFLICTS, "version"),
  element("zn", "replaced package: name", REPLACES, "name"),
  element("zv", "replaced package: constraint", REPLACES, "version"),
  element("yn", "provided capability: name", PROVIDES, "name"),
  element("yv", "provided capability: version", PROVIDES, "version"),
  element("Fp", "file: path", FILES, "path"),
  element("Ft", "file: type", FILES, "type"),
  element("Fs", "file: SHA-256", FILES, "hash"),
  element("Fl", "file: link target", FILES, "target"),
  element("D", "directory", DIRECTORIES, "path"),
  element("h", "role held", ROLES, "name"),
  element("b", "library provided", PROVIDED_LIBRARIES, "name"),
  element("B", "library required", REQUIRED_LIBRARIES, "name"),
  element("At", "annotation: tag", ANNOTATIONS, "tag"),
  element("Av", "annotation: value", ANNOTATIONS, "value"),
];

const SOURCE_WORDS: Readonly<Record<RecordSource, string>> = {
  installed: "an installed package",
  offered: "an offered package",
  file: "a package file",
};

/** A place in a format or expression that cannot be understood. */
export class QueryFault extends Error {
  override readonly name = "QueryFault";
  /** @param at Index into the text. */
  constructor(message: string, readonly at: number) {
    super(message);
  }
}

/** A pattern found in a text, with the length of what stands after `%`. */
export interface FoundPattern {
  readonly pattern: Pattern;
  readonly length: number;
}

/**
 * Reads the pattern whose letters begin at `at`.
 *
 * @throws {QueryFault} when there is none, or none that can be asked of this kind of package
 */
export function readPattern(text: string, at: number, source: RecordSource): FoundPattern {
  const mark = text[at] ?? "";
  if (mark === "?" || mark === "#") return { pattern: countPattern(text, at, source), length: 2 };
  const found = [...SCALARS, ...ELEMENTS].find(({ name }) => text.startsWith(name, at));
  if (found === undefined) throw new QueryFault(`there is no pattern "%${text.slice(at, at + 1)}"`, at);
  checkSource(found.kind === "scalar" ? found.sources : found.family.sources, `%${found.name}`, at, source);
  return { pattern: found, length: found.name.length };
}

/** `%?X` and `%#X` */
function countPattern(text: string, at: number, source: RecordSource): ScalarPattern {
  const mark = text[at] ?? "";
  const letter = text[at + 1] ?? "";
  const found = FAMILIES.find((item) => item.letter === letter);
  if (found === undefined) throw new QueryFault(`there is no list "${letter}"`, at + 1);
  checkSource(found.sources, `%${mark}${letter}`, at, source);
  return scalar(
    mark + letter,
    mark === "?" ? "1 if the list has entries, else 0" : "number of entries",
    (record) => {
      const { length } = record.list(found.list);
      return mark === "?" ? flag(length > 0) : String(length);
    },
    found.sources,
    "number",
  );
}

function checkSource(sources: readonly RecordSource[], shown: string, at: number, source: RecordSource): void {
  if (sources.includes(source)) return;
  throw new QueryFault(`${shown} cannot be asked of ${SOURCE_WORDS[source]}`, at);
}

/** Values of a list pattern, one per element. */
export function elementValues({ family: of, member }: ListPattern, record: PackageRecord): readonly string[] {
  return record.list(of.list).map((item) => memberOf(item, member));
}

/** One value of one element. */
export function memberOf(item: RecordItem, member: string): string {
  return item[member] ?? "";
}

/** Every pattern with its meaning, for the manual page. */
export function patternTable(): readonly (readonly [pattern: string, meaning: string])[] {
  return [...SCALARS, ...ELEMENTS].map(({ name, meaning }) => [`%${name}`, meaning] as const);
}
