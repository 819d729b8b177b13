/** Relation arrays and claims, read alike from manifests and index entries (section 9, 9.1). */
import type { Constraint } from "../identity/constraint.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { RootReference } from "../identity/root_reference.ts";
import type { SafePath } from "../identity/safe_path.ts";
import type { ProvidedVersion } from "../identity/version.ts";
import type { VirtualName } from "../identity/virtual_name.ts";
import type { Layout } from "./destinations.ts";
import type { Place } from "./document.ts";

/** One slot of a role (F-CLM-02): the consumer side carries `path`, the provider side `target` and perhaps `path`. */
export interface Claim {
  readonly slot: PackageName;
  /** Claim path without its leading slash. */
  readonly path: SafePath | undefined;
  /** Claim target without its leading slash. */
  readonly target: SafePath | undefined;
}

/** An entry of `dependencies` or `optional_dependencies`. */
export interface Dependency {
  readonly name: VirtualName;
  readonly constraint: Constraint | undefined;
  readonly root: RootReference | undefined;
  /** In byte order of slots. */
  readonly claims: readonly Claim[];
}

/** An entry of `conflicts` or `replaces`. */
export interface PackageRelation {
  readonly name: PackageName;
  readonly constraint: Constraint | undefined;
}

/** An entry of `provides`; without a version it satisfies every constraint. */
export interface Provides {
  readonly name: VirtualName;
  readonly version: ProvidedVersion | undefined;
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

/**
 * Reads the five relation arrays of `place`. `dependencies` and `conflicts` are required (F-MAN-01).
 *
 * @param layout Profile that claim paths are judged by (F-CLM-05).
 * @throws {PeipkgError} `E_FIELD_MISSING`, `E_FIELD_TYPE` (or the document's rule), `E_NAME`, `E_VNAME`,
 *   `E_CONSTRAINT`, `E_VERSION`, `E_ARCH_QUALIFIER`, `E_ROOT_REF`, `E_CLAIM_SLOT`, `E_CLAIM_SHAPE`, `E_CLAIM_PATH`,
 *   `E_LIMIT_ARRAY`, `E_LIMIT_CLAIMS`, `E_MANIFEST_ORDER`, `E_MANIFEST_DUPLICATE`
 * @see F-MAN-01 … F-MAN-03, S-REL-01 … S-REL-13
 */
export declare function readRelations(place: Place, layout: Layout): Relations;
