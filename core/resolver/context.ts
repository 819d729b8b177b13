/**
 * What stays the same during one search: the problem, memoised lookups, and the facts that follow from requests and
 * options alone. Every lookup of the search goes through here, so each name is asked of its source once.
 */
import { isInstallableOn } from "../identity/architecture.ts";
import type { Target } from "./goals.ts";
import type { Candidate, InstalledPackage, RelationEntry, ResolutionProblem } from "./problem.ts";
import { compareCandidates, compareText, meets, replaces } from "./satisfaction.ts";

/** S-CRIT-01 */
const ALWAYS_CRITICAL = "peipkg";
const NONE: readonly never[] = [];

/** The unchanging side of a search. */
export class Context {
  readonly #installed = new Map<string, InstalledPackage | undefined>();
  #installedNames: readonly string[] | undefined;
  readonly #pools = new Map<string, readonly Candidate[]>();
  readonly #named = new Map<string, readonly Candidate[]>();
  readonly #targets = new Map<Candidate, readonly InstalledPackage[]>();
  readonly #installedProviders = new Map<string, readonly InstalledPackage[]>();
  readonly #priorities: ReadonlyMap<string, number>;
  readonly #critical: ReadonlySet<string>;
  /** Names that install, file, downgrade and restore requests are about (S-ELIG-07). */
  readonly requested = new Set<string>();
  /** Local files by name: the only option for their name (S-LOCAL-02). */
  readonly files = new Map<string, Candidate>();
  /** Where installed packages can move forward to, once worked out: repetitions of a full upgrade ask again. */
  readonly upgradeTargets = new Map<string, Target | undefined>();
  /** Names that may move backward whatever the operation (S-REQ-06). */
  readonly #mayRegress = new Set<string>();
  readonly #reinstalled = new Set<string>();
  readonly #anyRegression: boolean;

  constructor(readonly problem: ResolutionProblem) {
    this.#priorities = new Map(problem.repositories.map((repository) => [repository.handle, repository.priority]));
    this.#critical = new Set([ALWAYS_CRITICAL, ...problem.options.critical]);
    this.#anyRegression = problem.operation === "downgrade" || problem.operation === "undo" ||
      problem.options.allowDowngrade;
    for (const request of problem.requests) {
      if (request.kind === "install-file") this.files.set(request.file.name, request.file);
      if (request.kind === "reinstall") this.#reinstalled.add(request.name);
      if (request.kind === "install-file" && request.reinstall === true) this.#reinstalled.add(request.file.name);
      if (request.kind === "install" || request.kind === "downgrade" || request.kind === "restore") {
        this.requested.add(request.name);
      }
      if (request.kind === "install-file") this.requested.add(request.file.name);
      if (request.kind === "install-file") this.#mayRegress.add(request.file.name);
      if (request.kind === "downgrade" || request.kind === "restore") this.#mayRegress.add(request.name);
    }
  }

  installed(name: string): InstalledPackage | undefined {
    const known = this.#installed.get(name);
    if (known !== undefined || this.#installed.has(name)) return known;
    const found = this.problem.installed.get(name);
    this.#installed.set(name, found);
    return found;
  }

  /** Every installed name, ascending. */
  get installedNames(): readonly string[] {
    return this.#installedNames ??= [...this.problem.installed.names()].sort(compareText);
  }

  /** Installed packages with a `provides` entry of this name, ascending. */
  installedProviders(name: string): readonly InstalledPackage[] {
    let found = this.#installedProviders.get(name);
    if (found === undefined) {
      found = sortedByName(this.problem.installed.providersOf(name));
      this.#installedProviders.set(name, found);
    }
    return found;
  }

  /** Installed packages with a `conflicts` entry of this name, ascending. */
  installedOpponents(name: string): readonly InstalledPackage[] {
    return sortedByName(this.problem.installed.conflictingWith(name));
  }

  /** Candidates of this name, in scan order (S-SELECT-08). */
  named(name: string): readonly Candidate[] {
    let found = this.#named.get(name);
    if (found === undefined) {
      const candidates = this.problem.available.named(name);
      found = candidates.length > 1 ? withoutRepeats([...candidates].sort(compareCandidates)) : candidates;
      this.#named.set(name, found);
    }
    return found;
  }

  /** Candidates that bear or provide this name, in scan order, each once. */
  pool(name: string): readonly Candidate[] {
    let found = this.#pools.get(name);
    if (found === undefined) {
      const named = this.named(name);
      const providers = this.problem.available.providersOf(name).filter((candidate) => candidate.name !== name);
      const files = [...this.files.values()].filter((file) =>
        file.name === name || file.provides.some((entry) => entry.name === name)
      );
      found = providers.length === 0 && files.length === 0
        ? named
        : withoutRepeats([...named, ...providers, ...files].sort(compareCandidates));
      this.#pools.set(name, found);
    }
    return found;
  }

  /** Candidates that declare `replaces` for this name, in scan order. */
  replacersOf(name: string): readonly Candidate[] {
    return [...this.problem.available.replacersOf(name)].sort(compareCandidates);
  }

  /** Installed packages this candidate's `replaces` match, ascending (S-SAT-04). */
  targetsOf(candidate: Candidate): readonly InstalledPackage[] {
    if (candidate.replaces.length === 0) return NONE;
    let found = this.#targets.get(candidate);
    if (found === undefined) {
      const targets: InstalledPackage[] = [];
      for (const entry of candidate.replaces) {
        const target = this.installed(entry.name);
        if (target !== undefined && replaces(candidate, target)) targets.push(target);
      }
      found = targets;
      this.#targets.set(candidate, found);
    }
    return found;
  }

  /** Whether the original installed set meets an entry of an installed package (S-SEARCH-06). */
  metOriginally(entry: RelationEntry, declaring: InstalledPackage): boolean {
    return this.originalSatisfiers(entry, declaring).length > 0;
  }

  /** Installed packages that meet an entry of an installed package, ascending. */
  originalSatisfiers(entry: RelationEntry, declaring: InstalledPackage): readonly InstalledPackage[] {
    const own = this.installed(entry.name);
    const result: InstalledPackage[] = [];
    if (own !== undefined && meets(entry, declaring.architecture, own)) result.push(own);
    for (const provider of this.installedProviders(entry.name)) {
      if (provider.name !== own?.name && meets(entry, declaring.architecture, provider)) result.push(provider);
    }
    return result.length > 1 ? sortedByName(result) : result;
  }

  /** Installed packages that an installed package's change could leave without a dependency, ascending. */
  dependentsOf(changed: InstalledPackage): readonly InstalledPackage[] {
    const source = this.problem.installed;
    if (changed.provides.length === 0) return sortedByName(source.dependentsOn(changed.name));
    const found = new Map<string, InstalledPackage>();
    for (const name of namesOf(changed)) {
      for (const dependent of source.dependentsOn(name)) found.set(dependent.name, dependent);
    }
    return sortedByName([...found.values()]);
  }

  /** Priority of an installed package's origin; `undefined` for local files and orphans. */
  originPriority(installed: InstalledPackage): number | undefined {
    return installed.origin === undefined ? undefined : this.#priorities.get(installed.origin);
  }

  /** R-ORPH-01: it has an origin, and that is not configured. */
  isOrphaned(installed: InstalledPackage): boolean {
    return installed.origin !== undefined && !this.#priorities.has(installed.origin);
  }

  isCritical(name: string): boolean {
    return this.#critical.has(name);
  }

  /** S-REQ-06 */
  mayRegress(name: string): boolean {
    return this.#anyRegression || this.#mayRegress.has(name);
  }

  isReinstalled(name: string): boolean {
    return this.#reinstalled.has(name);
  }

  /** S-ARCH-01 */
  isInstallable(candidate: Candidate): boolean {
    return isInstallableOn(candidate.architecture, this.problem.primaryArchitecture);
  }
}

/** Active and archive index of one repository list the same package file: one of them is enough. */
function withoutRepeats(sorted: readonly Candidate[]): readonly Candidate[] {
  return sorted.filter((candidate, index) => {
    const before = sorted[index - 1];
    return before === undefined || compareCandidates(before, candidate) !== 0;
  });
}

/** The names a package answers to: its own, then those it provides, each once. */
export function namesOf(
  facts: { readonly name: string; readonly provides: readonly { readonly name: string }[] },
): readonly string[] {
  if (facts.provides.length === 0) return [facts.name];
  return [...new Set([facts.name, ...facts.provides.map((entry) => entry.name)])];
}

/** Sorts by package name; the given list is left alone. */
export function sortedByName<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.length > 1 ? [...items].sort((a, b) => compareText(a.name, b.name)) : items;
}
