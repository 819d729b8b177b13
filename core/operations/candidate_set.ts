/**
 * The available set as the resolver asks for it: catalogue rows by name, loaded on demand and kept, each entry's
 * relations parsed once. What a plan does not lead to is never read.
 */
import { nearestName } from "../identity/near_name.ts";
import { parsePackageName } from "../identity/package_name.ts";
import { parseArchitecture } from "../identity/architecture.ts";
import { parseVersion } from "../identity/version.ts";
import { type EntryDetails, readEntryDetails } from "../repository/index.ts";
import { type Candidate, type CandidateSource, relationsOf } from "../resolver/problem.ts";
import {
  type CatalogueKind,
  type CataloguePackage,
  namesWithPrefix,
  packagesNamed,
  packagesRelating,
} from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import type { LayoutProfile } from "./installed_set.ts";

/** Names compared when a misspelt one is explained. */
const MAX_NEAR_NAMES = 20_000;

export interface CandidateScope {
  /** Priority by handle of each repository whose catalogue may be used. */
  readonly priorities: ReadonlyMap<string, number>;
  /** `archive` beside `active` for downgrade, undo and exact versions. */
  readonly kinds: ReadonlySet<CatalogueKind>;
  readonly profile: LayoutProfile;
  /** Packages whose content an earlier transaction kept (S-UNDO-04). */
  readonly retained: readonly Candidate[];
}

/** A candidate with what its catalogue row says beyond resolution. */
export interface CatalogueCandidate extends Candidate {
  readonly kind: CatalogueKind;
  readonly details: EntryDetails;
  readonly description: string;
}

export class CandidateSet implements CandidateSource {
  readonly #named = new Map<string, readonly Candidate[]>();
  readonly #rows = new Map<string, readonly CatalogueCandidate[]>();
  readonly #related = new Map<string, readonly CatalogueCandidate[]>();
  /** One object per row, however it was found. */
  readonly #candidates = new Map<string, CatalogueCandidate>();

  constructor(private readonly database: Database | undefined, private readonly scope: CandidateScope) {}

  named(name: string): readonly Candidate[] {
    return remember(
      this.#named,
      name,
      () => [...this.scope.retained.filter((item) => item.name === name), ...this.offered(name)],
    );
  }

  /** What repositories offer under a name. */
  offered(name: string): readonly CatalogueCandidate[] {
    return remember(this.#rows, name, () => this.#candidatesOf(this.database && packagesNamed(this.database, name)));
  }

  providersOf(name: string): readonly Candidate[] {
    return this.#relating("provides", name);
  }

  replacersOf(name: string): readonly Candidate[] {
    return this.#relating("replaces", name);
  }

  nearNames(name: string): readonly string[] {
    if (this.database === undefined) return [];
    const near = nearestName(name, namesWithPrefix(this.database, name.slice(0, 1), MAX_NEAR_NAMES));
    return near === undefined || near === name ? [] : [near];
  }

  #relating(kind: "provides" | "replaces", name: string): readonly CatalogueCandidate[] {
    return remember(
      this.#related,
      `${kind} ${name}`,
      () => this.#candidatesOf(this.database && packagesRelating(this.database, kind, name)),
    );
  }

  #candidatesOf(rows: readonly CataloguePackage[] | undefined): readonly CatalogueCandidate[] {
    const found = new Set<CatalogueCandidate>();
    // An archive index repeats what the active one holds (R-ARC-03); the active row is taken.
    for (const kind of ["active", "archive"] as const) {
      if (!this.scope.kinds.has(kind)) continue;
      for (const row of rows ?? []) {
        const priority = this.scope.priorities.get(row.repository);
        if (row.kind === kind && priority !== undefined) found.add(this.#candidateOf(row, priority));
      }
    }
    return [...found];
  }

  #candidateOf(row: CataloguePackage, priority: number): CatalogueCandidate {
    const key = `${row.repository} ${row.name} ${row.version} ${row.architecture} ${row.hash}`;
    return remember(this.#candidates, key, () => {
      const details = readEntryDetails(row.entry, this.scope.profile);
      return {
        name: parsePackageName(row.name),
        version: parseVersion(row.version),
        architecture: parseArchitecture(row.architecture),
        origin: { kind: "repository", repository: row.repository, priority },
        hash: row.hash,
        sizeCompressedBytes: row.sizeCompressedBytes,
        sizeInstalledBytes: row.sizeInstalledBytes,
        url: row.url,
        ...relationsOf(details),
        alternateUpgrade: details.alternateUpgrade,
        kind: row.kind,
        details,
        description: row.description,
      };
    });
  }
}

function remember<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
