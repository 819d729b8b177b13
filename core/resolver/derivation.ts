/**
 * The proof that no plan exists, as data: what was asked, the chain of demands that failed, every candidate looked
 * at with the word that excluded it, and ways on that were tried and work. Wording it is the command line's business.
 */
import type { ErrorRule } from "../errors.ts";
import type { ExclusionWord } from "./plan.ts";

/** A demand: `package` (with `version`, unless it is the request itself) asks for `name`, within `constraint`. */
export interface Requirement {
  /** `undefined`: the operator's own request. */
  readonly package: string | undefined;
  readonly packageVersion: string | undefined;
  readonly name: string;
  /** Constraint as written; `undefined`: any version. */
  readonly constraint: string | undefined;
}

/** A candidate or installed package that matches the requirement by name or provides (S-EXPL-01). */
export interface Considered {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Repository handle; `undefined`: installed, or a local file. */
  readonly repository: string | undefined;
  readonly installed: boolean;
  /** How it matches: by its own name, or by a `provides` entry with this version (`""`: unversioned). */
  readonly provides: string | undefined;
  /** `undefined`: nothing excludes it by itself. */
  readonly excluded: ExclusionWord | undefined;
}

/** One side of a conflict. */
export interface ConflictSide {
  readonly name: string;
  readonly version: string;
  /** Repository handle; `undefined`: a local file. */
  readonly origin: string | undefined;
  readonly installed: boolean;
}

/** A package that stands in the way of a removal, with the dependency and the package it needs (S-RM-02). */
export interface Blocker {
  readonly package: string;
  readonly version: string;
  readonly dependency: string;
  readonly constraint: string | undefined;
  /** The removed package that satisfied the dependency. */
  readonly needs: string;
}

/** An installed package left without what it needs (S-SEARCH-06). */
export interface BrokenDependent {
  readonly dependent: string;
  readonly version: string;
  readonly held: boolean;
  readonly dependency: string;
  readonly constraint: string | undefined;
  /** The package that satisfied it before, and what the plan does to it. */
  readonly changed: string;
  readonly changedFrom: string;
  /** Version it moves to; `undefined`: it is removed or replaced. */
  readonly changedTo: string | undefined;
  /** Chain from the request to that change. */
  readonly because: readonly string[];
}

/** A way on. Each was proven by solving the altered request before it is offered. */
export type RejectionSuggestion =
  | { readonly kind: "cascade"; readonly removes: readonly string[] }
  | { readonly kind: "allow-downgrade"; readonly moves: readonly { name: string; from: string; to: string }[] }
  | { readonly kind: "unlock"; readonly name: string }
  | { readonly kind: "allow-critical"; readonly name: string }
  | { readonly kind: "version"; readonly name: string; readonly version: string; readonly repository: string }
  /** Leave this name out of the request (`--exclude` in a full upgrade). */
  | { readonly kind: "without"; readonly name: string };

/** Why there is no plan. Lists are in the order they are shown. */
export interface Rejection {
  readonly kind: "rejection";
  readonly rule: ErrorRule;
  /**
   * Name the failure is about: the package that would move back, is locked or is critical, the dependent that would
   * break, the package that cannot be had; empty when it concerns several.
   */
  readonly subject: string;
  /** From the request to what failed: `install nginx`, `nginx 1.0-1`, `libssl`. */
  readonly chain: readonly string[];
  readonly requirement: Requirement | undefined;
  readonly considered: readonly Considered[];
  /** Both demands when one name cannot serve two (S-EXPL-02). */
  readonly demands: readonly Requirement[];
  readonly conflict:
    | {
      readonly declaring: ConflictSide;
      readonly other: ConflictSide;
      readonly entry: string;
      readonly constraint: string | undefined;
      /** Chain from the request to the other side; empty when it is installed. */
      readonly otherChain: readonly string[];
    }
    | undefined;
  readonly broken: BrokenDependent | undefined;
  readonly blockers: readonly Blocker[];
  /** Names `--cascade` would remove beside the request. */
  readonly closure: readonly string[];
  /** Members of a cycle, in order. */
  readonly members: readonly string[];
  /** Names without a source, for `E_UNDO_UNAVAILABLE`. */
  readonly missing: readonly string[];
  /** Packages that provide a name no package bears (S-REQ-03). */
  readonly providers: readonly Considered[];
  readonly nearNames: readonly string[];
  /** Version installed, where the failure is about it (`E_NOT_A_DOWNGRADE`, `E_VERSION_NOT_AVAILABLE`). */
  readonly installedVersion: string | undefined;
  /** Placements a search may make, for `E_TOO_COMPLEX`. */
  readonly limit: number | undefined;
  readonly suggestions: readonly RejectionSuggestion[];
}
