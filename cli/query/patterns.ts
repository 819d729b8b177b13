/**
 * The patterns of `query` and `rquery`: what each one means, of which packages it can be asked, and where its value
 * comes from. One table serves formats and expressions (C-QUERY-01).
 */
import { formatTimestamp, type PackageRecord, type RecordItem, type RecordList } from "../../mod.ts";
import { renderSize } from "../render/sizes.ts";

/** Where records come from. */
export type RecordSource = "installed" | "offered" | "file";

export interface ScalarPattern {
  readonly kind: "scalar";
  /** Letters after `%`. */
  readonly name: string;
  readonly type: "text" | "number" | "version";
  readonly sources: readonly RecordSource[];
  value(record: PackageRecord): string;
}

export interface ListPattern {
  readonly kind: "list";
  readonly name: string;
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
  value: (record: PackageRecord) => string,
  sources = EVERYWHERE,
  type: ScalarPattern["type"] = "text",
): ScalarPattern => ({ kind: "scalar", name, type, sources, value });

const flag = (value: boolean | undefined): string => value === true ? "1" : "0";

const SCALARS: readonly ScalarPattern[] = [
  scalar("n", ({ name }) => name),
  scalar("v", ({ version }) => version, EVERYWHERE, "version"),
  scalar("q", ({ architecture }) => architecture),
  scalar("R", ({ repository }) => repository ?? "(local file)"),
  scalar("c", ({ description }) => description),
  scalar("w", ({ homepage }) => homepage),
  scalar("l", ({ license }) => license),
  scalar("sb", (record) => String(record.sizeInstalledBytes), EVERYWHERE, "number"),
  scalar("sh", (record) => renderSize(record.sizeInstalledBytes)),
  scalar("Sb", (record) => String(record.sizeDownloadBytes ?? 0), DOWNLOADED, "number"),
  scalar("Sh", (record) => renderSize(record.sizeDownloadBytes ?? 0), DOWNLOADED),
  scalar("t", (record) => String(installedAt(record)), INSTALLED, "number"),
  scalar("T", (record) => formatTimestamp(installedAt(record)), INSTALLED),
  scalar("a", ({ installed }) => flag(installed?.isAutomatic), INSTALLED, "number"),
  scalar("k", ({ installed }) => flag(installed?.isLocked), INSTALLED, "number"),
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

const element = (name: string, of: ListFamily, member: string): ListPattern => ({
  kind: "list",
  name,
  family: of,
  member,
});

const ELEMENTS: readonly ListPattern[] = [
  element("dn", DEPENDENCIES, "name"),
  element("dv", DEPENDENCIES, "version"),
  element("rn", DEPENDENTS, "name"),
  element("rv", DEPENDENTS, "version"),
  element("En", OPTIONAL, "name"),
  element("Ev", OPTIONAL, "version"),
  element("xn", CONFLICTS, "name"),
  element("xv", CONFLICTS, "version"),
  element("zn", REPLACES, "name"),
  element("zv", REPLACES, "version"),
  element("yn", PROVIDES, "name"),
  element("yv", PROVIDES, "version"),
  element("Fp", FILES, "path"),
  element("Ft", FILES, "type"),
  element("Fs", FILES, "hash"),
  element("Fl", FILES, "target"),
  element("D", DIRECTORIES, "path"),
  element("h", ROLES, "name"),
  element("b", PROVIDED_LIBRARIES, "name"),
  element("B", REQUIRED_LIBRARIES, "name"),
  element("At", ANNOTATIONS, "tag"),
  element("Av", ANNOTATIONS, "value"),
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
