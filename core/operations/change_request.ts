/**
 * What an operator can ask for, what is shown before it is done, and what is told afterwards: plain data, the
 * border between the library's changing operations and whoever asks on a person's behalf.
 */
import type { ElevatedAction, ErrorRule, UnresolvableReason, Warning } from "../errors.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { Rejection } from "../resolver/derivation.ts";
import type { Plan } from "../resolver/plan.ts";
import type { DescriptorNotice, Evidence, TransactionAnswer, TransactionQuestion } from "../transaction/input.ts";
import type { ChangeInputs } from "./change_inputs.ts";

/** An operand of `install`: a name, an exact version of it, or a package file named literally. */
export type InstallTarget =
  | {
    readonly kind: "name";
    readonly name: PackageName;
    readonly version: string | undefined;
    /** Write the installed version again, whatever the request says for the others. */
    readonly reinstall?: true;
  }
  | { readonly kind: "file"; readonly path: string };

/** Claim flags of `install` (claims.md C-FLAG). */
export interface ClaimFlags {
  /** `--no-claim` */
  readonly none: boolean;
  /** `--claim-all` */
  readonly all: boolean;
  /** Roles named by `--claim`. */
  readonly roles: readonly string[];
}

/** Options shared by the changing commands (cli.md C-OPT-01); a command that does not take one leaves its default. */
export interface ChangeOptions {
  readonly dryRun: boolean;
  readonly allowStale: boolean;
  readonly overwriteUnowned: boolean;
  readonly sdOverrides: "apply" | "store" | "ignore";
  /** What to do with edited configuration files; `ask` leaves it to the answers. */
  readonly modified: "ask" | "keep" | "remove" | "abort";
  readonly allowCritical: boolean;
  readonly cascade: boolean;
  readonly allowDowngrade: boolean;
  /** Also plan what becomes unused (`--autoremove`, key `auto_remove`). */
  readonly autoRemove: boolean;
  /** Stop after download. */
  readonly fetchOnly: boolean;
}

export const DEFAULT_CHANGE_OPTIONS: ChangeOptions = {
  dryRun: false,
  allowStale: false,
  overwriteUnowned: false,
  sdOverrides: "apply",
  modified: "ask",
  allowCritical: false,
  cascade: false,
  allowDowngrade: false,
  autoRemove: false,
  fetchOnly: false,
};

export type ChangeRequest =
  | {
    readonly kind: "install";
    readonly targets: readonly InstallTarget[];
    readonly claims: ClaimFlags;
    /** `--auto`: mark as automatic. */
    readonly automatic: boolean;
    readonly reinstall: boolean;
    /** Take candidates only from these; empty: from all. */
    readonly repositories: readonly string[];
    /** Local files must verify against a key of a configured repository. */
    readonly requireSignature: boolean;
    readonly options: ChangeOptions;
  }
  | { readonly kind: "remove"; readonly names: readonly PackageName[]; readonly options: ChangeOptions }
  | {
    readonly kind: "upgrade";
    /** Empty: every installed package. */
    readonly names: readonly PackageName[];
    readonly exclude: readonly PackageName[];
    readonly options: ChangeOptions;
  }
  | {
    readonly kind: "downgrade";
    readonly name: PackageName;
    /** As typed; without a revision the highest one on offer is meant. */
    readonly version: string;
    readonly options: ChangeOptions;
  }
  | { readonly kind: "undo"; readonly options: ChangeOptions }
  | {
    readonly kind: "autoremove";
    readonly keep: readonly PackageName[];
    readonly ignoreOptional: boolean;
    readonly options: ChangeOptions;
  }
  | {
    readonly kind: "claim";
    readonly action: "grant" | "revoke" | "reconcile";
    /** Empty with `reconcile`. */
    readonly role: string;
    readonly package: PackageName | undefined;
    readonly options: ChangeOptions;
  }
  | {
    readonly kind: "import";
    readonly packages: readonly {
      readonly name: PackageName;
      readonly version: string | undefined;
      readonly automatic: boolean;
    }[];
    readonly exact: boolean;
    readonly prune: boolean;
    readonly options: ChangeOptions;
  };

/** What a holder change does to one link. */
export interface ClaimLinkChange {
  /** Logical path of the link. */
  readonly path: string;
  /** Logical path it will lead to; `undefined`: it goes. */
  readonly target: string | undefined;
  readonly change: "create" | "repoint" | "remove";
}

/** A holder change shown with the plan; `undefined`: unheld. */
export interface ClaimChange {
  readonly role: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** By path; in plans only. */
  readonly links?: readonly ClaimLinkChange[];
}

/** A line of the plan's notes (C-PLAN-02), worded at the edge. */
export type PlanNote =
  | { readonly kind: "optional"; readonly for: string; readonly names: readonly string[] }
  | { readonly kind: "orphaned"; readonly name: string; readonly origin: string }
  | {
    readonly kind: "local-file-offered";
    readonly name: string;
    readonly version: string;
    readonly repository: string;
    readonly offered: string;
  };

/** An edited configuration file a removal would delete (cli.md 7.4). */
export interface ModifiedFile {
  readonly package: string;
  readonly path: string;
}

/** Everything shown before the questions; computing it changed nothing. */
export interface PreparedChange {
  readonly kind: "prepared";
  readonly request: ChangeRequest;
  readonly plan: Plan;
  readonly claims: readonly ClaimChange[];
  /** Tool identifiers: `ldconfig`, `depmod`, `man-db`. */
  readonly sideEffects: readonly string[];
  readonly downloadBytes: number;
  /** Change of installed size; negative when it shrinks. */
  readonly sizeChangeBytes: number;
  readonly notes: readonly PlanNote[];
  /** Files that need an answer because `modified` is `ask`. */
  readonly modifiedFiles: readonly ModifiedFile[];
  /** Set for `undo`: the transaction reversed and its summary. */
  readonly undoes: { readonly transaction: number; readonly summary: string } | undefined;
  /** No operation, claim change or mark: nothing to do (C-PLAN-03). */
  readonly isEmpty: boolean;
  /** Marks alone: no question, no transaction (C-PLAN-09). */
  readonly isMarksOnly: boolean;
  /** Human summary stored with the transaction (C-HIST-03). */
  readonly summary: string;
  readonly warnings: readonly Warning[];
  /** SHA-256 of the canonical plan, for evidence (A-AUTH-07). */
  readonly digest: string;
  /** Opaque: what the plan was computed from, compared under the lock (T-PLAN-04). */
  readonly basis: PlanBasis;
}

export interface PlanBasis {
  /** `meta.generation`; 0 without a database. */
  readonly generation: bigint;
  /** Digest of each index used, by repository and kind. */
  readonly digests: ReadonlyMap<string, string>;
  readonly inputs: ChangeInputs;
}

/** Proof that no plan exists; worded by the command line. */
export interface RejectedChange {
  readonly kind: "rejected";
  readonly request: ChangeRequest;
  readonly rule: ErrorRule;
  readonly reason: UnresolvableReason | undefined;
  /** The resolver's explanation (S-EXPL-01). */
  readonly rejection: Rejection;
}

/** An elevated action that was answered yes, with the exact statement shown (A-AUTH-07). */
export interface AuthorisationEvidence extends Evidence {
  readonly action: ElevatedAction;
}

/** A question that can only be asked under the lock (T-COMMIT-04). */
export type LateQuestion = TransactionQuestion;
export type LateAnswer = TransactionAnswer;

/** The operator's answers to everything `PreparedChange` asks. */
export interface ChangeAnswers {
  readonly evidence: readonly AuthorisationEvidence[];
  /** Decision per modified file path. */
  readonly modified: ReadonlyMap<string, "remove" | "keep">;
  readonly ask: (question: LateQuestion) => Promise<LateAnswer>;
}

/** What was done. */
export interface ChangeReport {
  readonly kind: "done" | "cancelled";
  /** Set when cancelled by an answer given under the lock. */
  readonly cancelReason: "authorisation-declined" | "modified-abort" | undefined;
  readonly transaction: number | undefined;
  readonly operations: number;
  /** Package names whose mark changed without an operation. */
  readonly marks: readonly { readonly name: string; readonly reason: "explicit" | "dependency" }[];
  /** Holder changes made, for the report of `claim`. */
  readonly holders: readonly ClaimChange[];
  /** Security descriptors the packages declare, and what became of each (A-SDP-02). */
  readonly descriptors: readonly DescriptorNotice[];
  readonly warnings: readonly Warning[];
  /** Names of the packages fetched with `fetchOnly`. */
  readonly fetched: readonly string[];
  /** A signal arrived after the commit instant (C-SIG-05). */
  readonly interruptedAfterCommit: boolean;
}
