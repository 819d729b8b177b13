/** The stored repository indexes of a whole distribution, as resolver problems. */
import { zstdDecompressSync } from "node:zlib";
import { parseArchitecture } from "../../core/identity/architecture.ts";
import { type Constraint, parseConstraint } from "../../core/identity/constraint.ts";
import { parsePackageName } from "../../core/identity/package_name.ts";
import { parseProvidedVersion, parseVersion, type ProvidedVersion } from "../../core/identity/version.ts";
import {
  type Candidate,
  type CandidateSource,
  DEFAULT_RESOLUTION_OPTIONS,
  type ProvidesEntry,
  type RelationEntry,
  type ResolutionProblem,
} from "../../core/resolver/problem.ts";
import { installedSource } from "./resolution_world.ts";

interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly dependencies: readonly { readonly name: string; readonly constraint?: string }[];
  readonly conflicts: readonly { readonly name: string; readonly constraint?: string }[];
  readonly provides?: readonly { readonly name: string; readonly version?: string }[];
  readonly size_compressed: number;
  readonly size_installed: number;
  readonly hash: { readonly value: string };
  readonly url: string;
}

/** A stored index whose entries become candidates only when they are asked for, as a database would. */
export class Universe implements CandidateSource {
  readonly #named = new Map<string, IndexEntry[]>();
  readonly #provided = new Map<string, IndexEntry[]>();
  readonly #candidates = new Map<IndexEntry, Candidate>();
  readonly #constraints = new Map<string, Constraint>();
  readonly #versions = new Map<string, ProvidedVersion>();

  constructor(directory: "universe" | "universe-full") {
    const bytes = Deno.readFileSync(new URL(`../fixtures/${directory}/active.json.zst`, import.meta.url));
    const document: { readonly packages: readonly IndexEntry[] } = JSON.parse(
      new TextDecoder().decode(zstdDecompressSync(bytes)),
    );
    for (const entry of document.packages) {
      append(this.#named, entry.name, entry);
      for (const provided of entry.provides ?? []) append(this.#provided, provided.name, entry);
    }
  }

  /** Every package name, ascending. */
  get names(): readonly string[] {
    return [...this.#named.keys()].sort();
  }

  /** How many entries have been turned into candidates. */
  get loaded(): number {
    return this.#candidates.size;
  }

  named(name: string): readonly Candidate[] {
    return (this.#named.get(name) ?? []).map((entry) => this.#candidate(entry));
  }

  providersOf(name: string): readonly Candidate[] {
    return (this.#provided.get(name) ?? []).map((entry) => this.#candidate(entry));
  }

  replacersOf(_name: string): readonly Candidate[] {
    return [];
  }

  nearNames(_name: string): readonly string[] {
    return [];
  }

  /** Installing these names on an empty system. */
  install(names: readonly string[]): ResolutionProblem {
    return {
      operation: "install",
      requests: names.map((name) => ({ kind: "install", name: parsePackageName(name) })),
      primaryArchitecture: "x86_64",
      repositories: [{ handle: "main", priority: 50 }],
      available: this,
      installed: installedSource([]),
      options: DEFAULT_RESOLUTION_OPTIONS,
    };
  }

  #candidate(entry: IndexEntry): Candidate {
    const known = this.#candidates.get(entry);
    if (known !== undefined) return known;
    const candidate: Candidate = {
      name: parsePackageName(entry.name),
      version: parseVersion(entry.version),
      architecture: parseArchitecture(entry.architecture),
      origin: { kind: "repository", repository: "main", priority: 50 },
      hash: entry.hash.value,
      sizeCompressedBytes: entry.size_compressed,
      sizeInstalledBytes: entry.size_installed,
      url: entry.url,
      dependencies: entry.dependencies.map((item) => this.#relation(item)),
      optionalDependencies: [],
      conflicts: entry.conflicts.map((item) => this.#relation(item)),
      provides: (entry.provides ?? []).map((item) => this.#provides(item)),
      replaces: [],
    };
    this.#candidates.set(entry, candidate);
    return candidate;
  }

  #relation(item: { readonly name: string; readonly constraint?: string }): RelationEntry {
    if (item.constraint === undefined) return { name: item.name, constraint: undefined };
    const constraint = this.#constraints.get(item.constraint) ?? parseConstraint(item.constraint);
    this.#constraints.set(item.constraint, constraint);
    return { name: item.name, constraint };
  }

  #provides(item: { readonly name: string; readonly version?: string }): ProvidesEntry {
    if (item.version === undefined) return { name: item.name, version: undefined };
    const version = this.#versions.get(item.version) ?? parseProvidedVersion(item.version);
    this.#versions.set(item.version, version);
    return { name: item.name, version };
  }
}

function append<T>(index: Map<string, T[]>, key: string, item: T): void {
  const items = index.get(key);
  if (items === undefined) index.set(key, [item]);
  else items.push(item);
}
