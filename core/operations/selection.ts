/**
 * Which package files a request leads to when nothing is installed by it: for downloads kept for later and for
 * bundles. The resolver chooses, so that what is carried away is what the target would choose.
 */
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import { compareVersions, parseProvidedVersion } from "../identity/version.ts";
import type { Rejection } from "../resolver/derivation.ts";
import type { CandidateIdentity, Plan } from "../resolver/plan.ts";
import {
  type Candidate,
  type CandidateSource,
  type InstalledSource,
  NO_RELATIONS,
  type Request,
  type ResolutionOperation,
  type ResolutionProblem,
} from "../resolver/problem.ts";
import { solve } from "../resolver/solve.ts";
import type { Database } from "../store/database.ts";
import type { Available } from "./available.ts";
import { CandidateSet } from "./candidate_set.ts";
import { InstalledSet } from "./installed_set.ts";
import { rankRepositories } from "./orphans.ts";
import type { Workspace } from "./workspace.ts";

/** A package named, or an exact version of it. */
export interface SelectionTarget {
  readonly name: PackageName;
  readonly version: string | undefined;
}

/** What is chosen from, and for which machine. */
export interface SelectionScope {
  readonly workspace: Workspace;
  readonly available: Available;
  /** Versions of archive indexes too. */
  readonly archives: boolean;
  readonly architecture: Architecture;
  /** One snapshot; `undefined`: there is no database. */
  readonly database: Database | undefined;
}

/** Chosen packages by name, or the proof that there is no choice. */
export type Selection =
  | { readonly kind: "selected"; readonly packages: ReadonlyMap<string, CandidateIdentity> }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

export class Selector {
  /** What repositories offer. */
  readonly candidates: CandidateSet;

  constructor(private readonly scope: SelectionScope) {
    this.candidates = new CandidateSet(scope.database, {
      priorities: scope.available.priorities,
      kinds: new Set(scope.archives ? ["active", "archive"] : ["active"]),
      profile: scope.workspace.settings.layout,
      retained: [],
    });
  }

  /** The packages named and nothing else. */
  named(targets: readonly SelectionTarget[]): Selection {
    const requests = targets.map(({ name, version }): Request => ({
      kind: "install",
      name,
      ...(version === undefined ? {} : { version: parseProvidedVersion(version) }),
    }));
    return this.#solve("install", requests, this.#nothing(), new WithoutRelations(this.candidates));
  }

  /**
   * The packages named with everything they need beyond `installed`; a package that is there in another version is
   * moved to the one named.
   */
  closure(targets: readonly SelectionTarget[], installed: InstalledSource = this.#nothing()): Selection {
    const named = this.named(targets);
    if (named.kind === "rejected") return named;
    const requests: Request[] = [];
    let goesBack = false;
    for (const { name, version } of named.packages.values()) {
      const present = installed.get(name);
      const order = present === undefined ? 1 : compareVersions(version, present.version);
      if (order === 0) continue;
      goesBack ||= order < 0;
      requests.push({ kind: order < 0 ? "downgrade" : "install", name, version: parseProvidedVersion(version.raw) });
    }
    return this.#solve(goesBack ? "downgrade" : "install", requests, installed, this.candidates);
  }

  /** What a full upgrade of `installed` would bring. */
  updates(installed: InstalledSource): Selection {
    return this.#solve("upgrade", [{ kind: "upgrade-all" }], installed, this.candidates);
  }

  #nothing(): InstalledSource {
    return new InstalledSet(undefined, this.scope.workspace.settings.layout);
  }

  #solve(
    operation: ResolutionOperation,
    requests: readonly Request[],
    installed: InstalledSource,
    available: CandidateSource,
  ): Selection {
    const { workspace, architecture, database } = this.scope;
    const problem: ResolutionProblem = {
      operation,
      requests,
      primaryArchitecture: architecture,
      repositories: database === undefined ? [] : rankRepositories(workspace, database),
      available,
      installed,
      // Nothing is removed by carrying files away; what would have to go is asked where they are installed.
      options: { cascade: true, allowDowngrade: operation === "downgrade", allowCritical: true, critical: [] },
    };
    const answer = requests.length === 0 ? undefined : solve(problem);
    if (answer?.kind === "rejection") return { kind: "rejected", rejection: answer };
    return { kind: "selected", packages: targetsOf(answer) };
  }
}

function targetsOf(plan: Plan | undefined): ReadonlyMap<string, CandidateIdentity> {
  const operations = plan?.operations ?? [];
  return new Map(
    operations.flatMap((operation) =>
      operation.kind === "remove" ? [] : [[operation.target.name, operation.target] as const]
    ),
  );
}

/** Candidates that need nothing, conflict with nothing and stand for nothing but themselves. */
class WithoutRelations implements CandidateSource {
  readonly #bare = new Map<Candidate, Candidate>();

  constructor(private readonly source: CandidateSource) {}

  named(name: string): readonly Candidate[] {
    return this.source.named(name).map((candidate) => this.#strip(candidate));
  }

  providersOf(): readonly Candidate[] {
    return [];
  }

  replacersOf(): readonly Candidate[] {
    return [];
  }

  nearNames(name: string): readonly string[] {
    return this.source.nearNames(name);
  }

  #strip(candidate: Candidate): Candidate {
    const known = this.#bare.get(candidate);
    if (known !== undefined) return known;
    const bare: Candidate = {
      ...candidate,
      ...NO_RELATIONS,
    };
    this.#bare.set(candidate, bare);
    return bare;
  }
}
