/** The manifest: a package's signed metadata (section 9). It outranks every other source (F-MAN-07). */
import { excerpt, type PeipkgError, ruleError, type Warning } from "../errors.ts";
import { type Architecture, parseArchitecture } from "../identity/architecture.ts";
import { type PackageName, parsePackageName } from "../identity/package_name.ts";
import { parseRootReference, type RootReference } from "../identity/root_reference.ts";
import { compareBytes, parseSafePath, type SafePath } from "../identity/safe_path.ts";
import { parseBuildTimestamp } from "../identity/timestamp.ts";
import { parseVersion, type Version } from "../identity/version.ts";
import { decodeBase64 } from "./base64.ts";
import type { Layout } from "./destinations.ts";
import {
  checkNewline,
  checkSchemaVersion,
  elementPlace,
  fieldError,
  parseAt,
  type Place,
  readDocument,
  readInteger,
  readObject,
  readOptionalArray,
  readOptionalBoolean,
  readOptionalString,
  readString,
} from "./document.ts";
import { LIMITS } from "./limits.ts";
import { readRelations, RELATION_SHAPES, type Relations } from "./relations.ts";
import { findDescriptorFault } from "./security_descriptor.ts";
import { type DocumentKind, SCALAR, shapeOf } from "./strict_json.ts";

/** The closed set of F-MAN-08. */
export const SIDE_EFFECTS = ["ldconfig", "depmod", "man-db"] as const;
export type SideEffect = (typeof SIDE_EFFECTS)[number];

/** An explicit security descriptor for one payload entry (section 9.2). */
export interface SdOverride {
  readonly path: SafePath;
  /** Self-relative descriptor; syntax already checked (F-SDO-04). */
  readonly descriptor: Uint8Array;
}

export interface Build {
  /** As written, `2026-01-02T03:04:05Z`. */
  readonly timestamp: string;
  /** The same in seconds since the epoch; modification time of every entry. */
  readonly seconds: number;
  readonly farmId: string;
  readonly sourceRef: string;
  /** Empty when absent. */
  readonly sourcePackage: string;
}

export interface Manifest extends Relations {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  readonly description: string;
  readonly license: string;
  readonly homepage: string;
  /** Counts only for a top-level request that names no root (F-ROOT-02). */
  readonly defaultRoot: RootReference | undefined;
  /** In the order given. */
  readonly sideEffects: readonly SideEffect[];
  readonly sizeInstalledBytes: number;
  readonly sdOverrides: readonly SdOverride[];
  readonly build: Build;
  /** Late profile only, else false: asks for an exemption from the layout (F-LATE-02). */
  readonly specialSystemPackage: boolean;
  /** Late profile only, else empty: a message about another way to upgrade (F-LATE-07). */
  readonly alternateUpgrade: string;
}

/** What may be said about a package's manifest text that is no error. */
export type Warn = (warning: Warning) => void;

const DESCRIPTION_CHARACTERS = 80;

/** F-MAN-04: letters, marks, numbers, punctuation, symbols and the plain space. */
const DESCRIPTION_REGEXP = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/** RFC 3986: every character a URI may hold; flat patterns, which text of any length cannot exhaust. */
const URI_REGEXP = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/?#[\]%]*$/;
const BAD_PERCENT_REGEXP = /%(?![0-9A-Fa-f]{2})/;
/** A literal in brackets or a name, and perhaps a port. */
const HOST_REGEXP = /^(\[[0-9A-Fa-f:.]+\]|[^:@[\]]+)(?::[0-9]*)?$/;

/** The manifest document and the fields this room reads of it (F-JSON-10). */
export const MANIFEST_DOCUMENT: DocumentKind = {
  document: "manifest",
  shape: shapeOf([
    "schema_version",
    "name",
    "version",
    "architecture",
    "description",
    "license",
    "homepage",
    "default_root",
    "size_installed",
    "special_system_package",
    "alternate_upgrade",
  ], {
    ...RELATION_SHAPES,
    side_effects: { elements: SCALAR },
    sd_overrides: { elements: shapeOf(["path", "sd"]) },
    build: shapeOf(["timestamp", "farm_id", "source_ref", "source_package"]),
  }),
};

/**
 * Parses a manifest from its exact bytes.
 *
 * @param layout Profile: which claim paths and late fields count.
 * @param warn Receives `W_JSON_NEWLINE`, `W_DESCRIPTION_LENGTH`.
 * @throws {PeipkgError} `format`: section 4, 9 and 10 rules
 * @see F-MAN-01 … F-MAN-08, F-CLM-01 … F-CLM-07, F-SDO-02 … F-SDO-05
 */
export function parseManifest(bytes: Uint8Array, layout: Layout, warn?: Warn): Manifest {
  if (bytes.length > LIMITS.manifestBytes) {
    throw ruleError(
      "E_LIMIT_METADATA",
      `cannot read the manifest document: it has ${bytes.length} bytes, limit is ${LIMITS.manifestBytes}`,
      { document: "manifest" },
    );
  }
  const place = readDocument(bytes, MANIFEST_DOCUMENT);
  checkSchemaVersion(place);
  const sizeInstalledBytes = readInteger(place, "size_installed");
  const manifest = { ...readManifestFields(place, layout), sizeInstalledBytes };
  checkNewline(bytes, "manifest", warn);
  warnAboutDescription(manifest.description, warn);
  return manifest;
}

/**
 * Reads every manifest field but `schema_version` and `size_installed`.
 *
 * @param producing What a producer may leave to this program: `sort` puts relations and overrides in order instead of
 *   demanding it; `timestamp` stands in for the document's build timestamp.
 */
export function readManifestFields(
  place: Place,
  layout: Layout,
  producing: { readonly sort?: boolean; readonly timestamp?: string | undefined } = {},
): Omit<Manifest, "sizeInstalledBytes"> {
  const late = layout !== "base";
  const { sort = false, timestamp } = producing;
  return {
    name: parseAt(place, "name", readString(place, "name"), parsePackageName),
    version: parseAt(place, "version", readString(place, "version"), parseVersion),
    architecture: parseAt(place, "architecture", readString(place, "architecture"), parseArchitecture),
    description: readDescription(place),
    license: readOptionalString(place, "license") ?? "",
    homepage: readHomepage(place),
    defaultRoot: readDefaultRoot(place),
    ...readRelations(place, layout, { sort }),
    sideEffects: readSideEffects(place),
    sdOverrides: readOverrides(place, sort),
    build: readBuild(readObject(place, "build"), timestamp),
    specialSystemPackage: late && (readOptionalBoolean(place, "special_system_package") ?? false),
    alternateUpgrade: late ? readOptionalString(place, "alternate_upgrade") ?? "" : "",
  };
}

/** F-MAN-04: producers stay under 80 characters. */
export function warnAboutDescription(description: string, warn: Warn | undefined): void {
  if (warn === undefined || description.length < DESCRIPTION_CHARACTERS) return;
  const text = `the description has ${description.length} characters, recommended are fewer than ` +
    `${DESCRIPTION_CHARACTERS}`;
  warn({ rule: "W_DESCRIPTION_LENGTH", text });
}

function readDescription(place: Place): string {
  const description = readOptionalString(place, "description") ?? "";
  if (DESCRIPTION_REGEXP.test(description) && !description.includes("\ufffd")) return description;
  throw fieldError(place, "description", "E_MANIFEST_DESCRIPTION", "it holds a character that is not printable");
}

function readHomepage(place: Place): string {
  const homepage = readOptionalString(place, "homepage") ?? "";
  if (homepage === "") return ""; // F-MAN-03
  if (isHomepage(homepage)) return homepage;
  throw fieldError(place, "homepage", "E_MANIFEST_HOMEPAGE", "expected an http or https URL with a host");
}

/** F-MAN-05 */
function isHomepage(text: string): boolean {
  const scheme = /^https?:\/\//i.exec(text)?.[0];
  if (scheme === undefined || !URI_REGEXP.test(text) || BAD_PERCENT_REGEXP.test(text)) return false;
  const rest = text.slice(scheme.length);
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const tail = end < 0 ? "" : rest.slice(end);
  if (/[[\]]/.test(tail) || tail.indexOf("#") !== tail.lastIndexOf("#")) return false;
  const at = authority.lastIndexOf("@");
  const userInformation = authority.slice(0, Math.max(at, 0));
  const host = HOST_REGEXP.exec(authority.slice(at + 1))?.[1];
  if (host === undefined || /[@[\]]/.test(userInformation)) return false;
  return !host.startsWith("[") || URL.canParse(`http://${host}/`);
}

function readDefaultRoot(place: Place): RootReference | undefined {
  const text = readOptionalString(place, "default_root") ?? "";
  return text === "" ? undefined : parseAt(place, "default_root", text, parseRootReference);
}

function readSideEffects(place: Place): readonly SideEffect[] {
  const effects: SideEffect[] = [];
  for (const value of readOptionalArray(place, "side_effects") ?? []) {
    if (typeof value !== "string") {
      throw fieldError(place, "side_effects", "E_FIELD_TYPE", "an element is no string");
    }
    const effect = SIDE_EFFECTS.find((known) => known === value);
    if (effect === undefined || effects.includes(effect)) { // F-MAN-08
      const found = effect === undefined ? "is not known" : "is repeated";
      throw fieldError(place, "side_effects", "E_SIDE_EFFECT", `"${excerpt(value, 80)}" ${found}`);
    }
    effects.push(effect);
  }
  return effects;
}

function readOverrides(place: Place, sort: boolean): readonly SdOverride[] {
  const values = readOptionalArray(place, "sd_overrides") ?? [];
  if (values.length > LIMITS.sdOverrides) {
    const found = `it has ${values.length} entries, limit is ${LIMITS.sdOverrides}`;
    throw fieldError(place, "sd_overrides", "E_LIMIT_ARRAY", found);
  }
  const overrides = values.map((value, index) => {
    const entry = elementPlace(place, "sd_overrides", value, index);
    const path = parseAt(entry, "path", readString(entry, "path"), parseSafePath);
    return { path, descriptor: readDescriptor(entry) };
  });
  if (sort) overrides.sort((a, b) => compareBytes(a.path, b.path));
  for (const [index, { path }] of overrides.entries()) { // F-SDO-03
    const previous = overrides[index - 1]?.path;
    const order = previous === undefined ? -1 : compareBytes(previous, path);
    const field = `sd_overrides[${index}].path`;
    if (order === 0) throw fieldError(place, field, "E_MANIFEST_DUPLICATE", `"${path}" is repeated`);
    if (order > 0) throw fieldError(place, field, "E_MANIFEST_ORDER", `"${path}" stands after "${previous}"`);
  }
  return overrides;
}

function readDescriptor(entry: Place): Uint8Array {
  const text = readString(entry, "sd");
  // F-SDO-02: judged by its length first, so that an oversized value is never decoded
  const decodedBytes = Math.floor(text.length * 3 / 4);
  if (decodedBytes > LIMITS.sdBytes) {
    const found = `it has ${decodedBytes} bytes when decoded, limit is ${LIMITS.sdBytes}`;
    throw fieldError(entry, "sd", "E_LIMIT_SD", found);
  }
  const descriptor = decodeBase64(text);
  if (descriptor === undefined) throw fieldError(entry, "sd", "E_BASE64", "it is no unpadded base64");
  const fault = findDescriptorFault(descriptor); // F-SDO-04
  if (fault !== undefined) throw fieldError(entry, "sd", "E_SD_SYNTAX", `it is no security descriptor: ${fault}`);
  return descriptor;
}

function readBuild(place: Place, given: string | undefined): Build {
  const timestamp = given ?? readString(place, "timestamp");
  const seconds = parseBuildTimestamp(timestamp);
  if (seconds === undefined) throw badTimestamp(place, timestamp);
  return {
    timestamp,
    seconds,
    farmId: readString(place, "farm_id"),
    sourceRef: readString(place, "source_ref"),
    sourcePackage: readOptionalString(place, "source_package") ?? "",
  };
}

/** F-MAN-06 */
function badTimestamp(place: Place, text: string): PeipkgError {
  const shown = excerpt(text, 80);
  const found = `it is "${shown}", expected YYYY-MM-DDThh:mm:ssZ without a fraction, from 1970 on`;
  return fieldError(place, "timestamp", "E_MANIFEST_TIMESTAMP", found);
}
