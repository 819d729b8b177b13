/**
 * Security advisories in the OSV format: reading them in every form they are published in, and telling which
 * versions of a package they are about. Pure; where they come from is `advisory_source.ts`.
 *
 * A document that cannot be read is an error, because silence would look like safety. Within a record, a member of
 * another type than the format says counts as absent.
 */
import { PeipkgError } from "../errors.ts";
import { isZip, readZip } from "../format/zip.ts";
import { compareEpochAndUpstream, parseProvidedVersion, type ProvidedVersion } from "../identity/version.ts";
import { severityOfScore, severityWord } from "./cvss.ts";

/** One advisory, as far as it concerns one package name. */
export interface Advisory {
  readonly id: string;
  readonly aliases: readonly string[];
  /** `LOW` to `CRITICAL`, or the record's own word. */
  readonly severity: string | undefined;
  readonly summary: string;
  /** URLs. */
  readonly references: readonly string[];
  /** Versions named one by one. */
  readonly versions: ReadonlySet<string>;
  readonly ranges: readonly VersionRange[];
}

/** Bounds of one range: it begins at each `introduced`, and ends before the next `fixed` or after the `lastAffected`. */
export interface VersionRange {
  /** `undefined`: the beginning of all versions. */
  readonly introduced: readonly (ProvidedVersion | undefined)[];
  readonly fixed: readonly ProvidedVersion[];
  readonly lastAffected: readonly ProvidedVersion[];
}

export interface AdvisorySet {
  /** By package name; only names that were asked for. */
  readonly byName: ReadonlyMap<string, readonly Advisory[]>;
  /** Newest `modified` of the records, as written. */
  readonly generated: string | undefined;
  /** Ranges of other types than `ECOSYSTEM`, or with versions that cannot be read; nothing is told from them. */
  readonly ignoredRanges: number;
}

const ZIP_LIMITS = { entries: 60_000, entryBytes: 4 * 1024 * 1024, totalBytes: 512 * 1024 * 1024 };
const TIME_REGEXP = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}Z$/;

type Fields = ReadonlyMap<string, unknown>;

/** Gathers records of several documents. */
export class AdvisoryReader {
  readonly #byName = new Map<string, Advisory[]>();
  #generated: string | undefined;
  #ignoredRanges = 0;

  /**
   * @param ecosystem Name of the ecosystem whose packages count.
   * @param isWanted Whether a package name is asked for; nothing is kept of others.
   */
  constructor(private readonly ecosystem: string, private readonly isWanted: (name: string) => boolean) {}

  /**
   * Reads one document: a record, a list, `{"vulns": […]}`, JSON Lines, or a zip archive of records.
   *
   * @param label For messages.
   * @throws {PeipkgError} `format`
   * @see C-AUDIT-01
   */
  async read(bytes: Uint8Array, label: string): Promise<void> {
    if (!isZip(bytes)) return this.#readText(bytes, label);
    for await (const entry of readZip(bytes, ZIP_LIMITS)) {
      if (entry.name.endsWith(".json")) this.#readText(entry.bytes, `${label}: ${entry.name}`);
    }
  }

  finish(): AdvisorySet {
    return { byName: this.#byName, generated: this.#generated, ignoredRanges: this.#ignoredRanges };
  }

  #readText(bytes: Uint8Array, label: string): void {
    const text = decode(bytes, label);
    const whole = parseJson(text);
    if (whole !== undefined) {
      for (const record of recordsOf(whole.value)) this.#readRecord(record, label);
      return;
    }
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "") continue;
      const parsed = parseJson(line);
      if (parsed === undefined) throw unreadable(label, `line ${index + 1} is no JSON`);
      this.#readRecord(parsed.value, label);
    }
  }

  #readRecord(value: unknown, label: string): void {
    const record = fieldsOf(value);
    const id = record === undefined ? undefined : textIn(record, "id");
    if (record === undefined || id === undefined || id === "") {
      throw unreadable(label, "it holds a record without an id");
    }
    const modified = textIn(record, "modified") ?? "";
    if (TIME_REGEXP.test(modified) && (this.#generated === undefined || modified > this.#generated)) {
      this.#generated = modified;
    }
    if (record.get("withdrawn") !== undefined) return; // C-AUDIT-02
    for (const item of listIn(record, "affected")) {
      const affected = fieldsOf(item);
      const affectedPackage = fieldsOf(affected?.get("package"));
      const name = affectedPackage === undefined ? undefined : textIn(affectedPackage, "name");
      if (affected === undefined || name === undefined || !this.isWanted(name)) continue;
      if (affectedPackage?.get("ecosystem") !== this.ecosystem) continue;
      this.#add(name, {
        id,
        aliases: textsIn(record, "aliases"),
        severity: severityIn(record, affected),
        summary: summaryIn(record),
        references: listIn(record, "references").flatMap((reference) =>
          textIn(fieldsOf(reference) ?? new Map(), "url") ?? []
        ),
        versions: new Set(textsIn(affected, "versions")),
        ranges: listIn(affected, "ranges").flatMap((range) => this.#readRange(range)),
      });
    }
  }

  #add(name: string, advisory: Advisory): void {
    const known = this.#byName.get(name);
    if (known === undefined) this.#byName.set(name, [advisory]);
    else known.push(advisory);
  }

  #readRange(value: unknown): readonly VersionRange[] {
    const range = fieldsOf(value);
    const parsed = range?.get("type") === "ECOSYSTEM" ? parseRange(range) : undefined;
    if (parsed !== undefined) return [parsed];
    this.#ignoredRanges++;
    return [];
  }
}

/**
 * Whether an advisory is about a version.
 *
 * @returns `undefined`: it is not. `fixedIn`: where the range it lies in ends, if it says so.
 * @see C-AUDIT-02
 */
export function matchAdvisory(
  { versions, ranges }: Advisory,
  version: string,
): { readonly fixedIn: string | undefined } | undefined {
  const parsed = parseProvidedVersion(version);
  const hits = ranges.flatMap((range) => startsHit(range, parsed));
  if (hits.length === 0 && !versions.has(version)) return undefined;
  const bounds = hits.length > 0 ? hits.map(({ fixed }) => fixed) : ranges.map(({ fixed }) => fixed);
  const later = bounds.flat().filter((bound) => compareBound(parsed, bound) < 0);
  const first = later.reduce<ProvidedVersion | undefined>(
    (least, bound) => least === undefined || compareBound(bound, least) < 0 ? bound : least,
    undefined,
  );
  return { fixedIn: first?.raw };
}

/**
 * The range, if one of its beginnings holds for the version: nothing ends it between there and the version. Looked at
 * pair by pair, because versions are never sorted (F-CMP-09).
 */
function startsHit(range: VersionRange, version: ProvidedVersion): readonly VersionRange[] {
  const isHit = range.introduced.some((start) => {
    if (start !== undefined && compareBound(version, start) < 0) return false;
    const isFrom = (bound: ProvidedVersion): boolean => start === undefined || compareBound(bound, start) >= 0;
    return !range.fixed.some((bound) => isFrom(bound) && compareBound(version, bound) >= 0) &&
      !range.lastAffected.some((bound) => isFrom(bound) && compareBound(version, bound) > 0);
  });
  return isHit ? [range] : [];
}

/** Order of a version and a bound; a bound without revision stands for all of them. */
function compareBound(version: ProvidedVersion, bound: ProvidedVersion): number {
  const order = compareEpochAndUpstream(version, bound);
  if (order !== 0 || bound.revision === undefined) return order;
  const revision = version.revision ?? 0n;
  return revision < bound.revision ? -1 : revision > bound.revision ? 1 : 0;
}

// --- Reading foreign JSON ----------------------------------------------------------------------------------------

/** @returns `undefined` when a version cannot be read. */
function parseRange(range: Fields): VersionRange | undefined {
  const events = listIn(range, "events").flatMap((item) => fieldsOf(item) ?? []);
  const bounds = (name: string): readonly string[] => events.flatMap((event) => textIn(event, name) ?? []);
  try {
    return {
      introduced: bounds("introduced").map((text) => text === "0" ? undefined : parseProvidedVersion(text)),
      fixed: bounds("fixed").map(parseProvidedVersion),
      lastAffected: bounds("last_affected").map(parseProvidedVersion),
    };
  } catch (error) {
    if (error instanceof PeipkgError) return undefined;
    throw error;
  }
}

function recordsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const list: unknown = fieldsOf(value)?.get("vulns");
  return Array.isArray(list) ? list : [value];
}

function severityIn(record: Fields, affected: Fields): string | undefined {
  const places = [
    affected.get("ecosystem_specific"),
    affected.get("database_specific"),
    record.get("database_specific"),
  ];
  for (const place of places) {
    const word = severityWord(fieldsOf(place)?.get("severity"));
    if (word !== undefined) return word;
  }
  for (const item of [...listIn(affected, "severity"), ...listIn(record, "severity")]) {
    const word = severityOfScore(textIn(fieldsOf(item) ?? new Map(), "score") ?? "");
    if (word !== undefined) return word;
  }
  return undefined;
}

function summaryIn(record: Fields): string {
  const summary = textIn(record, "summary") ?? "";
  return summary !== "" ? summary : (textIn(record, "details") ?? "").trim().split("\n", 1)[0] ?? "";
}

function decode(bytes: Uint8Array, label: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(label, "it is not UTF-8", cause);
  }
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function unreadable(label: string, found: string, cause?: unknown): PeipkgError {
  return new PeipkgError("format", `cannot read the advisories of ${label}: ${found}`, { cause });
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? new Map(Object.entries(value))
    : undefined;
}

function textIn(fields: Fields, name: string): string | undefined {
  const value = fields.get(name);
  return typeof value === "string" ? value : undefined;
}

function listIn(fields: Fields, name: string): readonly unknown[] {
  const value = fields.get(name);
  return Array.isArray(value) ? value : [];
}

function textsIn(fields: Fields, name: string): readonly string[] {
  return listIn(fields, name).filter((item) => typeof item === "string");
}
