/** The stored repository indexes of a whole distribution, as resolver problems. */
import { zstdDecompressSync } from "node:zlib";
import { parseArchitecture } from "../../core/identity/architecture.ts";
import { type Constraint, parseConstraint } from "../../core/identity/constraint.ts";
import { parsePackageName } from "../../core/identity/package_name.ts";
import { parseProvidedVersion, parseVersion, type ProvidedVersion } from "../../core/identity/version.ts";
import {
  type Candidate,
  type CandidateSource,
  type ProvidesEntry,
  type RelationEntry,
  type ResolutionProblem,
} from "../../core/resolver/problem.ts";
import { DEFAULT_RESOLUTION_OPTIONS, installedSource } from "./resolution_world.ts";

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

/** How an entry of the index begins, and no other object of it does. */
const ENTRY_REGEXP = /\{"name":"[^"]*","version":"[^"]*","architecture":/g;

/** A stored index whose entries become candidates only when they are asked for, as a database would. */
export class Universe implements CandidateSource {
  /** The index as stored; entries are read from it one by one. */
  readonly #bytes: Uint8Array;
  /** Where each entry begins, and where the last one ends. */
  readonly #starts: Uint32Array;
  /** Entries by the names they bear and provide. */
  readonly #named = new Map<string, number[]>();
  readonly #provided = new Map<string, number[]>();
  readonly #candidates = new Map<number, Candidate>();
  readonly #constraints = new Map<string, Constraint>();
  readonly #versions = new Map<string, ProvidedVersion>();

  constructor(directory: "universe" | "universe-full") {
    this.#bytes = zstdDecompressSync(
      Deno.readFileSync(new URL(`../fixtures/${directory}/active.json.zst`, import.meta.url)),
    );
    // one character per byte, so that places in the text are places in the bytes
    const text = new TextDecoder("latin1").decode(this.#bytes);
    const starts = [...text.matchAll(ENTRY_REGEXP)].map(({ index }) => index);
    this.#starts = Uint32Array.from([...starts, text.lastIndexOf("]") + 1]);
    starts.forEach((_start, number) => {
      const entry = this.#read(number);
      append(this.#named, entry.name, number);
      for (const provided of entry.provides ?? []) append(this.#provided, provided.name, number);
    });
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
    return (this.#named.get(name) ?? []).map((number) => this.#candidate(number));
  }

  providersOf(name: string): readonly Candidate[] {
    return (this.#provided.get(name) ?? []).map((number) => this.#candidate(number));
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

  /** An entry's text ends before the comma or bracket that follows it. */
  #read(number: number): IndexEntry {
    const bytes = this.#bytes.subarray(this.#starts[number], (this.#starts[number + 1] ?? 0) - 1);
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  #candidate(number: number): Candidate {
    const known = this.#candidates.get(number);
    if (known !== undefined) return known;
    const entry = this.#read(number);
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
    this.#candidates.set(number, candidate);
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
