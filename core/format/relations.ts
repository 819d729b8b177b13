/** Relation arrays, read alike from manifests and index entries (section 9; S-REL-01 … S-REL-13). */
import { excerpt, type PeipkgError } from "../errors.ts";
import { type Constraint, parseConstraint } from "../identity/constraint.ts";
import { type PackageName, parsePackageName } from "../identity/package_name.ts";
import { parseRootReference, type RootReference } from "../identity/root_reference.ts";
import { parseProvidedVersion, type ProvidedVersion } from "../identity/version.ts";
import { parseVirtualName, type VirtualName } from "../identity/virtual_name.ts";
import { type Claim, CLAIMS_SHAPE, readClaims } from "./claims_field.ts";
import type { Layout } from "./destinations.ts";
import {
  elementPlace,
  fieldError,
  parseAt,
  type Place,
  readArray,
  readOptionalArray,
  readOptionalString,
  readString,
} from "./document.ts";
import { LIMITS } from "./limits.ts";
import { type Shape, shapeOf } from "./strict_json.ts";

/** An entry of `dependencies` or `optional_dependencies`. */
export interface Dependency {
  readonly name: VirtualName;
  readonly constraint: Constraint | undefined;
  /** `undefined`: the depending package's own root (F-ROOT-02). */
  readonly root: RootReference | undefined;
  /** In byte order of slots. */
  readonly claims: readonly Claim[];
}

/** An entry of `conflicts` or `replaces`. */
export interface PackageRelation {
  readonly name: PackageName;
  readonly constraint: Constraint | undefined;
}

/** An entry of `provides`; without a version it satisfies every constraint (F-CON-07). */
export interface Provides {
  readonly name: VirtualName;
  readonly version: ProvidedVersion | undefined;
  /** In byte order of slots. */
  readonly claims: readonly Claim[];
}

/** The five relation arrays of a manifest or an index entry, each in byte order of names. */
export interface Relations {
  readonly dependencies: readonly Dependency[];
  readonly optionalDependencies: readonly Dependency[];
  readonly conflicts: readonly PackageRelation[];
  readonly provides: readonly Provides[];
  readonly replaces: readonly PackageRelation[];
}

const DEPENDENCY: Shape = shapeOf(["name", "constraint", "arch", "root"], { claims: CLAIMS_SHAPE });
const NAMED: Shape = shapeOf(["name", "constraint", "arch"]);

/** What `readRelations()` reads of its object. */
export const RELATION_SHAPES: Readonly<Record<string, Shape>> = {
  dependencies: { elements: DEPENDENCY },
  optional_dependencies: { elements: DEPENDENCY },
  conflicts: { elements: NAMED },
  provides: { elements: shapeOf(["name", "version"], { claims: CLAIMS_SHAPE }) },
  replaces: { elements: NAMED },
};

const NO_CLAIMS: readonly Claim[] = [];

/**
 * Reads the five relation arrays of `place`. `dependencies` and `conflicts` are required (F-MAN-01).
 *
 * @param layout Profile that claim paths are judged by (F-CLM-05).
 * @param options `sort`: put entries in order instead of demanding it, as producers do (F-PRO-09).
 * @throws {PeipkgError} `format` (`E_FIELD_MISSING`, `E_FIELD_TYPE` or the document's rule, `E_NAME`, `E_VNAME`,
 *   `E_CONSTRAINT`, `E_VERSION`, `E_ARCH_QUALIFIER`, `E_ROOT_REF`, `E_CLAIM_SLOT`, `E_CLAIM_SHAPE`, `E_CLAIM_PATH`,
 *   `E_LIMIT_ARRAY`, `E_LIMIT_CLAIMS`, `E_MANIFEST_ORDER`, `E_MANIFEST_DUPLICATE`)
 * @see F-MAN-01 … F-MAN-03, S-REL-01 … S-REL-13
 */
export function readRelations(
  place: Place,
  layout: Layout,
  options: { readonly sort?: boolean } = {},
): Relations {
  const { sort = false } = options;
  const readDependency = (entry: Place): Dependency => {
    const name = at(entry, "name", readString, parseVirtualName); // F-VNAME-01
    if (entry.object.keys.length === 1) return { name, constraint: undefined, root: undefined, claims: NO_CLAIMS };
    const constraint = readConstraint(entry);
    // Nearly every dependency has these two fields: it is not asked for the others.
    const isPlain = constraint !== undefined && entry.object.keys.length === 2;
    return {
      name,
      constraint,
      root: isPlain ? undefined : optional(entry, "root", parseRootReference),
      claims: isPlain ? NO_CLAIMS : readClaims(entry, "consumer", layout),
    };
  };
  const readProvides = (entry: Place): Provides => ({
    name: at(entry, "name", readString, parseVirtualName),
    version: optional(entry, "version", parseProvidedVersion), // F-CON-07
    claims: readClaims(entry, "provider", layout),
  });
  const required = { required: true, limit: LIMITS.relations, sort };
  const voluntary = { required: false, limit: LIMITS.relations, sort };
  return {
    dependencies: readEntries(place, "dependencies", required, readDependency),
    optionalDependencies: readEntries(place, "optional_dependencies", voluntary, readDependency),
    conflicts: readEntries(place, "conflicts", required, readConflict),
    provides: readEntries(place, "provides", voluntary, readProvides),
    replaces: readEntries(place, "replaces", { ...voluntary, limit: LIMITS.replaces }, readNamed),
  };
}

function readConflict(entry: Place): PackageRelation {
  const relation = readNamed(entry);
  checkQualifier(entry);
  return relation;
}

/** F-VNAME-05: package-name grammar. `claims`, `root` and, here, `arch` are unknown fields and ignored. */
function readNamed(entry: Place): PackageRelation {
  return {
    name: at(entry, "name", readString, parsePackageName),
    constraint: optional(entry, "constraint", parseConstraint),
  };
}

function readConstraint(entry: Place): Constraint | undefined {
  const constraint = optional(entry, "constraint", parseConstraint);
  if (constraint === undefined || entry.object.keys.length > 2) checkQualifier(entry);
  return constraint;
}

/** F-ARCH-05 */
function checkQualifier(entry: Place): void {
  const qualifier = readOptionalString(entry, "arch");
  if (qualifier === undefined || qualifier === "" || qualifier === "any") return;
  const shown = excerpt(qualifier, 80);
  throw fieldError(entry, "arch", "E_ARCH_QUALIFIER", `it is "${shown}", only "any" is possible`);
}

function readEntries<T extends { readonly name: string }>(
  place: Place,
  field: string,
  { required, limit, sort }: { readonly required: boolean; readonly limit: number; readonly sort: boolean },
  read: (entry: Place) => T,
): readonly T[] {
  const values = required ? readArray(place, field) : readOptionalArray(place, field) ?? [];
  if (values.length > limit) {
    throw fieldError(place, field, "E_LIMIT_ARRAY", `it has ${values.length} entries, limit is ${limit}`);
  }
  const entries: T[] = [];
  let previous = "";
  for (let index = 0; index < values.length; index++) {
    const entry = elementPlace(place, field, values[index] ?? null, index);
    const relation = read(entry);
    // F-MAN-02; names are ASCII, so code-unit order is byte order
    if (!(relation.name > previous)) {
      if (relation.name === previous) throw repeated(entry, relation.name);
      if (!sort) throw fieldError(entry, "name", "E_MANIFEST_ORDER", `"${relation.name}" stands after "${previous}"`);
    }
    previous = relation.name;
    entries.push(relation);
  }
  if (!sort) return entries;
  entries.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  for (const [index, { name }] of entries.entries()) {
    if (index > 0 && entries[index - 1]?.name === name) throw repeated(place, name, field);
  }
  return entries;
}

function repeated(place: Place, name: string, field = "name"): PeipkgError {
  return fieldError(place, field, "E_MANIFEST_DUPLICATE", `"${name}" is repeated`);
}

/** F-MAN-03: an empty string means absent. */
function optional<T>(entry: Place, field: string, parse: (text: string) => T): T | undefined {
  const text = readOptionalString(entry, field);
  return text === undefined || text === "" ? undefined : parseAt(entry, field, text, parse);
}

function at<T>(
  entry: Place,
  field: string,
  read: (place: Place, field: string) => string,
  parse: (text: string) => T,
): T {
  return parseAt(entry, field, read(entry, field), parse);
}
