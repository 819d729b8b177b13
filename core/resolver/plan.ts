/**
 * The ordered answer to a request: plain data, the only thing the resolver hands on. Everything a person or a
 * program is shown about a change comes from here (S-PLAN-04).
 */
import type { ElevatedAction, Warning } from "../errors.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { Version } from "../identity/version.ts";

/** Where a candidate comes from. A local file has priority 0 and no repository (S-LOCAL-02). */
export type Origin =
  | { readonly kind: "repository"; readonly repository: string; readonly priority: number }
  | { readonly kind: "local-file"; readonly path: string }
  /** Content kept from an earlier transaction (S-UNDO-04); `repository` is the package's recorded origin. */
  | { readonly kind: "retained"; readonly repository: string | undefined; readonly priority: number };

/** One version from one origin that may be picked. */
export interface CandidateIdentity {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  readonly origin: Origin;
  /** SHA-256 of the package file, 64 lowercase hex digits. */
  readonly hash: string;
  readonly sizeCompressedBytes: number;
  readonly sizeInstalledBytes: number;
  /** URL reference as in the index; empty for a local file. */
  readonly url: string;
}

/** An installed package as plans name it. */
export interface InstalledIdentity {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  /** Repository handle; `undefined`: installed from a local file. */
  readonly origin: string | undefined;
}

/** Why an operation is in the plan, with the package behind it (S-PLAN-04). */
export type Cause =
  | { readonly kind: "requested" }
  | { readonly kind: "upgrade" }
  | { readonly kind: "dependency" | "repair" | "replaces" | "conflict" | "cascade"; readonly by: PackageName };

export type InstallReason = "explicit" | "dependency";

export type Operation =
  | {
    readonly kind: "install";
    readonly target: CandidateIdentity;
    readonly reason: InstallReason;
    readonly requested: boolean;
    readonly cause: Cause;
    /** Installed packages this one replaces; each also has a `remove` with cause `replaces`. */
    readonly replaces: readonly PackageName[];
  }
  | {
    readonly kind: "upgrade" | "downgrade" | "reinstall";
    readonly from: InstalledIdentity;
    readonly target: CandidateIdentity;
    readonly reason: InstallReason;
    readonly requested: boolean;
    readonly cause: Cause;
    readonly replaces: readonly PackageName[];
  }
  | {
    readonly kind: "remove";
    readonly from: InstalledIdentity;
    readonly requested: boolean;
    readonly cause: Cause;
  };

/** An elevated action the plan needs (S-AUTH, A-AUTH). Texts are made by the command line from `data`. */
export interface Authorisation {
  readonly action: ElevatedAction;
  /** Package, repository, role or path concerned. */
  readonly subject: string;
  /** Versions, repositories and priorities as strings (`Authorisation.details` of cli.md 6.2). */
  readonly data: Readonly<Record<string, string>>;
}

/** A package left out of an upgrade, with the exclusion word (S-ELIG) that names why. */
export interface HeldBack {
  readonly name: PackageName;
  readonly version: Version;
  readonly available: Version;
  readonly reason: ExclusionWord;
}

/** Exclusion words of S-ELIG, plus `constraint` (S-EXPL-01). `held` is shown as `locked`. */
export type ExclusionWord =
  | "arch"
  | "removed"
  | "decided"
  | "same-version"
  | "regression"
  | "held"
  | "replaces-requested"
  | "critical"
  | "constraint"
  | "alternate-upgrade";

/** An uninstalled optional dependency of a newly installed package (S-PLAN-05). */
export interface Suggestion {
  readonly for: PackageName;
  readonly name: string;
  readonly constraint: string | undefined;
}

/** A mark that changes without a package operation (S-REASON-03). */
export interface Mark {
  readonly name: PackageName;
  readonly reason: InstallReason;
}

export interface Plan {
  readonly kind: "plan";
  /** In execution order: removals, then the rest (S-ORDER-01). */
  readonly operations: readonly Operation[];
  /** In order of asking (S-AUTH-08). */
  readonly authorisations: readonly Authorisation[];
  readonly heldBack: readonly HeldBack[];
  readonly suggestions: readonly Suggestion[];
  readonly marks: readonly Mark[];
  readonly warnings: readonly Warning[];
}
