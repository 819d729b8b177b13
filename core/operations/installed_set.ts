/**
 * The installed set as the resolver asks for it: by name, each package's manifest parsed once and only when the
 * request leads to it, so that planning costs what it touches (T-DB-19: the relation rows find, manifests decide).
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { type Manifest, parseManifest } from "../format/manifest.ts";
import type { PackageName } from "../identity/package_name.ts";
import { findBreakage } from "../resolver/breakage.ts";
import { type Breakage, type InstalledPackage, type InstalledSource, relationsOf } from "../resolver/problem.ts";
import type { Database } from "../store/database.ts";
import {
  readInstalledPackage,
  readInstalledPackages,
  readManifestText,
  readRelatedPackages,
  type RelationKind,
} from "../store/installed.ts";

/** Payload profiles of the settings (`layout`). */
export type LayoutProfile = "base" | "late" | "both";

const encoder = new TextEncoder();

/**
 * Manifest of an installed package, validated as if it came from a package file (T-DB-10).
 *
 * @throws {PeipkgError} `database` (`DB_CORRUPT`) when it no longer parses.
 */
export function readInstalledManifest(database: Database, name: string, profile: LayoutProfile): Manifest | undefined {
  const text = readManifestText(database, name);
  if (text === undefined) return undefined;
  try {
    return parseManifest(encoder.encode(text), profile);
  } catch (error) {
    if (!(error instanceof PeipkgError)) throw error;
    throw ruleError("DB_CORRUPT", `cannot use the record of "${name}": its manifest does not parse: ${error.message}`, {
      package: name,
      cause: error,
      hint: `run "peipkg check --database" for what is damaged`,
    });
  }
}

/** The installed set behind one snapshot; `undefined` database: nothing is installed (T-DB-08). */
export class InstalledSet implements InstalledSource {
  readonly #packages = new Map<string, InstalledPackage | undefined>();
  readonly #related = new Map<string, readonly InstalledPackage[]>();
  #names: readonly PackageName[] | undefined;
  #breakage: readonly Breakage[] | undefined;

  constructor(private readonly database: Database | undefined, private readonly profile: LayoutProfile) {}

  get(name: string): InstalledPackage | undefined {
    const known = this.#packages.get(name);
    if (known !== undefined || this.#packages.has(name)) return known;
    const found = this.#read(name);
    this.#packages.set(name, found);
    return found;
  }

  names(): readonly string[] {
    return this.packageNames;
  }

  /** Every installed name, ascending. */
  get packageNames(): readonly PackageName[] {
    return this.#names ??= this.database === undefined
      ? []
      : readInstalledPackages(this.database).map(({ name }) => name);
  }

  providersOf(name: string): readonly InstalledPackage[] {
    return this.#relatedTo(name, "provides");
  }

  dependentsOn(name: string): readonly InstalledPackage[] {
    return this.#relatedTo(name, "dependency");
  }

  optionalDependentsOn(name: string): readonly InstalledPackage[] {
    return this.#relatedTo(name, "optional");
  }

  conflictingWith(name: string): readonly InstalledPackage[] {
    return this.#relatedTo(name, "conflict");
  }

  replacersOf(name: string): readonly InstalledPackage[] {
    return this.#relatedTo(name, "replaces");
  }

  breakage(): readonly Breakage[] {
    return this.#breakage ??= findBreakage(this);
  }

  #read(name: string): InstalledPackage | undefined {
    if (this.database === undefined) return undefined;
    const row = readInstalledPackage(this.database, name);
    if (row === undefined) return undefined;
    const manifest = readInstalledManifest(this.database, name, this.profile);
    if (manifest === undefined) return undefined;
    return {
      name: row.name,
      version: row.version,
      architecture: row.architecture,
      origin: row.origin,
      reason: row.reason,
      held: row.isHeld,
      ...relationsOf(manifest),
    };
  }

  #relatedTo(name: string, kind: RelationKind): readonly InstalledPackage[] {
    if (this.database === undefined) return [];
    const key = `${kind} ${name}`;
    const known = this.#related.get(key);
    if (known !== undefined) return known;
    const found = readRelatedPackages(this.database, name, kind)
      .map((related) => this.get(related))
      .filter((item) => item !== undefined);
    this.#related.set(key, found);
    return found;
  }
}
