/**
 * What the resolver is asked: requests, the installed set, the available set and the options, as plain data and
 * synchronous lookups by name. A lookup is made only for names the request leads to, so the cost of a plan follows
 * the closure of the request and never the size of the catalogue or of the installed set. Whoever backs these
 * interfaces memoises: the resolver asks for one name many times and expects the same objects back.
 */
import type { Architecture } from "../identity/architecture.ts";
import type { Constraint } from "../identity/constraint.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { ProvidedVersion, Version } from "../identity/version.ts";
import type { CandidateIdentity, InstallReason } from "./plan.ts";

/** An entry of `dependencies`, `optional_dependencies`, `conflicts` or `replaces`. Claims play no part (C-ELIG-04). */
export interface RelationEntry {
  readonly name: string;
  /** `undefined`: any version (S-REL-08). */
  readonly constraint: Constraint | undefined;
}

/** An entry of `provides`; `undefined` version: every version (S-REL-09). */
export interface ProvidesEntry {
  readonly name: string;
  readonly version: ProvidedVersion | undefined;
}

/** The five relations, each ascending by name (S-REL-05). */
export interface PackageRelations {
  readonly dependencies: readonly RelationEntry[];
  readonly optionalDependencies: readonly RelationEntry[];
  readonly conflicts: readonly RelationEntry[];
  readonly provides: readonly ProvidesEntry[];
  readonly replaces: readonly RelationEntry[];
}

/** Relations of what needs and offers nothing. */
export const NO_RELATIONS: PackageRelations = {
  dependencies: [],
  optionalDependencies: [],
  conflicts: [],
  provides: [],
  replaces: [],
};

/** The relations alone of a record that holds more. */
export function relationsOf(
  { dependencies, optionalDependencies, conflicts, provides, replaces }: PackageRelations,
): PackageRelations {
  return { dependencies, optionalDependencies, conflicts, provides, replaces };
}

/** What candidates and installed packages have in common. */
export interface PackageFacts extends PackageRelations {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
}

/** One version from one origin that may be picked. */
export interface Candidate extends CandidateIdentity, PackageRelations {
  /** Message about another upgrade path; a full upgrade leaves such a target alone (F-LATE-07). Absent or empty: none. */
  readonly alternateUpgrade?: string;
}

/** A package of the installed set. */
export interface InstalledPackage extends PackageFacts {
  /** Repository handle; `undefined`: installed from a local file. */
  readonly origin: string | undefined;
  /** S-REASON-01 */
  readonly reason: InstallReason;
  /** S-HOLD-01 */
  readonly held: boolean;
}

/** A configured, trusted repository (R-ORPH-01); origins outside this list are orphaned. */
export interface RepositoryRank {
  readonly handle: string;
  /** Lower is stronger. */
  readonly priority: number;
}

/**
 * The available set (section 4), without local files: those come with their requests. For downgrade and undo the
 * archive entries and retained packages are part of it.
 */
export interface CandidateSource {
  /** Candidates with this package name, in any order. */
  named(name: string): readonly Candidate[];
  /** Candidates with a `provides` entry of this name, in any order. */
  providersOf(name: string): readonly Candidate[];
  /** Candidates with a `replaces` entry of this name, in any order. */
  replacersOf(name: string): readonly Candidate[];
  /** Names on offer whose spelling is near; only asked while a rejection is explained. */
  nearNames(name: string): readonly string[];
}

/** A dependency or conflict that is broken before anything is planned (S-SEARCH-07). */
export interface Breakage {
  readonly kind: "dependency" | "conflict";
  readonly package: PackageName;
  /** The entry's name. */
  readonly entry: string;
  /** The package in conflict; `undefined` for a dependency. */
  readonly with: PackageName | undefined;
}

/** The installed set, in any order of answers. */
export interface InstalledSource {
  get(name: string): InstalledPackage | undefined;
  /** Every installed name; asked by full upgrades alone. */
  names(): readonly string[];
  /** Packages with a `provides` entry of this name. */
  providersOf(name: string): readonly InstalledPackage[];
  /** Packages with a `dependencies` entry of this name. */
  dependentsOn(name: string): readonly InstalledPackage[];
  /** Packages with an `optional_dependencies` entry of this name; asked by `whyInstalled()` alone. */
  optionalDependentsOn(name: string): readonly InstalledPackage[];
  /** Packages with a `conflicts` entry of this name. */
  conflictingWith(name: string): readonly InstalledPackage[];
  /** Packages with a `replaces` entry of this name. */
  replacersOf(name: string): readonly InstalledPackage[];
  /** What is already broken, for `W_PREEXISTING`; `findBreakage()` computes it from the whole set. */
  breakage(): readonly Breakage[];
}

/** One wish of section 4. */
export type Request =
  | {
    readonly kind: "install";
    readonly name: PackageName;
    /** `name=version` (C-INSTALL-05): this version, in the form S-CON-02 gives an operand. */
    readonly version?: ProvidedVersion;
    /** Mark as automatic (`--auto`). */
    readonly automatic?: boolean;
  }
  | {
    readonly kind: "install-file";
    readonly file: Candidate;
    readonly automatic?: boolean;
    /** Write it again when it is installed at this version (`--reinstall`). */
    readonly reinstall?: boolean;
  }
  | { readonly kind: "reinstall"; readonly name: PackageName }
  | { readonly kind: "upgrade"; readonly name: PackageName }
  | { readonly kind: "upgrade-all"; readonly exclude?: readonly string[] }
  | { readonly kind: "downgrade"; readonly name: PackageName; readonly version: ProvidedVersion }
  | {
    readonly kind: "restore";
    readonly name: PackageName;
    readonly version: Version;
    /** The reason it had (S-UNDO-02); absent: kept, or explicit when it is not installed. */
    readonly reason?: InstallReason;
  }
  | { readonly kind: "remove"; readonly name: PackageName };

/** The command behind the requests; downgrade and undo allow every regression (S-REQ-06). */
export type ResolutionOperation = "install" | "remove" | "upgrade" | "downgrade" | "undo" | "autoremove" | "import";

export interface ResolutionOptions {
  /** S-RM-03, S-CONF-02 */
  readonly cascade: boolean;
  /** S-REQ-06 */
  readonly allowDowngrade: boolean;
  /** S-CRIT-02 */
  readonly allowCritical: boolean;
  /** Names of the system-critical set beside `peipkg` (S-CRIT-01). */
  readonly critical: readonly string[];
}

/** Everything `solve()` reads. */
export interface ResolutionProblem {
  readonly operation: ResolutionOperation;
  readonly requests: readonly Request[];
  /** S-ARCH-03 */
  readonly primaryArchitecture: Architecture;
  /** Every configured and trusted repository, enabled or not. */
  readonly repositories: readonly RepositoryRank[];
  readonly available: CandidateSource;
  readonly installed: InstalledSource;
  readonly options: ResolutionOptions;
}
