/**
 * The packages of another machine, known from a list of names and versions: an installed set for the resolver. What
 * a package provides or needs is known as far as a repository still offers that very version.
 */
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import { compareVersions, parseVersion, type Version } from "../identity/version.ts";
import { findBreakage } from "../resolver/breakage.ts";
import {
  type Breakage,
  type CandidateSource,
  type InstalledPackage,
  type InstalledSource,
  NO_RELATIONS,
  type PackageRelations,
  relationsOf,
} from "../resolver/problem.ts";

/** One line of a list made by `export --versions`. */
export interface ListedPackage {
  readonly name: PackageName;
  readonly version: string;
}

type RelationKey = keyof PackageRelations;

export class ListedSet implements InstalledSource {
  readonly #packages = new Map<string, InstalledPackage>();
  readonly #related = new Map<RelationKey, ReadonlyMap<string, readonly InstalledPackage[]>>();

  /** @throws {PeipkgError} `format` when a version does not parse */
  constructor(listed: readonly ListedPackage[], architecture: Architecture, offers: CandidateSource) {
    for (const { name, version } of listed) {
      this.#packages.set(name, knownPackage(name, parseVersion(version), architecture, offers));
    }
  }

  get(name: string): InstalledPackage | undefined {
    return this.#packages.get(name);
  }

  names(): readonly string[] {
    return [...this.#packages.keys()];
  }

  providersOf(name: string): readonly InstalledPackage[] {
    return this.#relatedTo("provides", name);
  }

  dependentsOn(name: string): readonly InstalledPackage[] {
    return this.#relatedTo("dependencies", name);
  }

  optionalDependentsOn(name: string): readonly InstalledPackage[] {
    return this.#relatedTo("optionalDependencies", name);
  }

  conflictingWith(name: string): readonly InstalledPackage[] {
    return this.#relatedTo("conflicts", name);
  }

  replacersOf(name: string): readonly InstalledPackage[] {
    return this.#relatedTo("replaces", name);
  }

  breakage(): readonly Breakage[] {
    return findBreakage(this);
  }

  #relatedTo(key: RelationKey, name: string): readonly InstalledPackage[] {
    const known = this.#related.get(key) ?? this.#relate(key);
    return known.get(name) ?? [];
  }

  #relate(key: RelationKey): ReadonlyMap<string, readonly InstalledPackage[]> {
    const byName = new Map<string, InstalledPackage[]>();
    for (const item of this.#packages.values()) {
      for (const name of new Set(item[key].map((entry) => entry.name))) {
        const group = byName.get(name);
        if (group === undefined) byName.set(name, [item]);
        else group.push(item);
      }
    }
    this.#related.set(key, byName);
    return byName;
  }
}

function knownPackage(
  name: PackageName,
  version: Version,
  architecture: Architecture,
  offers: CandidateSource,
): InstalledPackage {
  const offered = offers.named(name);
  const same = offered.find((candidate) => compareVersions(candidate.version, version) === 0);
  return {
    name,
    version,
    // A list has no architectures; a name rarely changes its own from one version to the next.
    architecture: (same ?? offered[0])?.architecture ?? architecture,
    ...relationsOf(same ?? NO_RELATIONS),
    origin: same?.origin.kind === "repository" ? same.origin.repository : undefined,
    reason: "explicit",
    held: false,
  };
}
