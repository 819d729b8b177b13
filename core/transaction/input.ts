/**
 * The border of the transaction room: everything `executeTransaction()` is given and everything it tells. Plain
 * data and a few handles; nothing in here decides anything.
 */
import type { ElevatedAction, Warning } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Authorisation, Plan } from "../resolver/plan.ts";
import type { Database } from "../store/database.ts";
import type { SdState } from "../store/roles.ts";
import type { Directory, RootDirectory, Session } from "../system.ts";

/** What one payload entry becomes on disk; `path` is logical (`/usr/bin/jq`). */
export interface ContentEntry {
  readonly path: string;
  readonly type: "file" | "dir" | "symlink";
  readonly sizeBytes: number;
  /** SHA-256, 64 lowercase hex digits; empty for anything but a file. */
  readonly hash: string;
  /** Link text; empty for anything but a symlink. */
  readonly target: string;
  /** Modification time to set, seconds since the epoch; `undefined`: leave what the kernel set. */
  readonly mtimeSeconds: number | undefined;
}

/** Receives the content of one package, in the order of `ContentSource.entries`. */
export interface ContentVisitor {
  /** Whether the entry's bytes are wanted; a refused entry brings no `chunk` and no `end`. */
  begin(index: number): boolean;
  /** Bytes of the entry begun last; the buffer may be reused after the call returns. */
  chunk(bytes: Uint8Array): void;
  /** The entry is complete. */
  end(): void;
}

/** One package's content, verified before it is handed over: a package file, or what an earlier transaction kept. */
export interface ContentSource {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** SHA-256 of the package file. */
  readonly packageHash: string;
  readonly manifest: Manifest;
  /** Manifest bytes as text, verbatim (T-DB-16). */
  readonly manifestText: string;
  readonly entries: readonly ContentEntry[];
  /** Handle of the repository it comes from; `undefined`: a local file. */
  readonly repository: string | undefined;
  /** The repository is the official one: drop-in directories are open to it (T-COLL-14). */
  readonly official: boolean;
  /**
   * Reads the content a second time and hands it to `visitor` (T-VERIFY-05). Throws when it is not what was verified.
   */
  replay(visitor: ContentVisitor, signal: AbortSignal): Promise<void>;
  /**
   * Gives the staged object another way than by its bytes: links retained content to `name` in `directory`
   * (T-UNDO-06). Returns false when the bytes have to be copied. Absent for package files.
   */
  readonly link?: (index: number, directory: Directory, name: string) => boolean;
}

/** Holder changes asked for (claims.md sections 6 and 7). */
export interface ClaimRequest {
  /** `--no-claim` */
  readonly none: boolean;
  /** `--claim-all` */
  readonly all: boolean;
  /** Roles of `--claim`. */
  readonly forced: readonly string[];
  /** `claim ROLE grant PACKAGE`, `claim ROLE revoke` (`holder` undefined), and the prior holders of an undo. */
  readonly assign: readonly ClaimAssignment[];
  /** Packages named by the operator beside those the plan marks as requested (they may be installed already). */
  readonly named?: readonly string[];
  /** Every role, not only those whose inputs change (C-REC-23). */
  readonly reconcileAll: boolean;
}

export interface ClaimAssignment {
  readonly role: string;
  readonly holder: string | undefined;
  /** An assignment of an undo that cannot be met leaves the role unheld with a notice (C-TXN-04). */
  readonly isUndo: boolean;
}

export const NO_CLAIM_REQUEST: ClaimRequest = {
  none: false,
  all: false,
  forced: [],
  assign: [],
  reconcileAll: false,
};

/** Why a holder changed (A-FIELD-17). */
export type ClaimCause = "auto" | "force" | "grant" | "revoke" | "withdraw";

export interface HolderChange {
  readonly role: string;
  /** `undefined`: unheld. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly cause: ClaimCause;
}

export interface TransactionOptions {
  readonly overwriteUnowned: boolean;
  /** Standing decision on edited configuration files of removed packages (T-RM-04). */
  readonly modified: "ask" | "keep" | "remove" | "abort";
  /** Decision per path given while planning; outranks `modified`. */
  readonly modifiedDecisions: ReadonlyMap<string, "remove" | "keep">;
  readonly sdOverrides: "apply" | "store" | "ignore";
  /** What each repository's configuration says about descriptors, by handle; one that is missing may bring none. */
  readonly descriptorTrust?: ReadonlyMap<string, RepositoryDescriptorTrust>;
  readonly allowCritical: boolean;
  readonly sideEffects: "auto" | "skip";
  /** `backup_keep_transactions`, `backup_keep_days` (T-RETAIN-01). */
  readonly keepTransactions: number;
  readonly keepDays: number;
  /** Protected drop-in directories beside the built-in ones, logical paths (A-DROPIN-02). */
  readonly dropinDirectories: readonly string[];
  /** Reserved logical paths beside the built-in ones: `STATE`, `CACHE`, `CONFIG` where options put them (T-COLL-15). */
  readonly reservedPaths: readonly string[];
}

/** A repository's `allow_sd_overrides` and `sd_allowed_sids` (A-SDP-03, A-SDP-05). */
export interface RepositoryDescriptorTrust {
  readonly isOfficial: boolean;
  readonly isAllowed: boolean;
  readonly allowedSids: readonly string[];
}

/** The state directory: pinned, and where it lies inside the root (`undefined`: elsewhere). */
export interface StatePlace {
  readonly directory: Directory;
  readonly logicalPath: string | undefined;
}

/** An elevated or lesser authorisation already given, recorded with the journal (A-AUTH-07). */
export interface Evidence {
  /** `AUTH_…`, or the name of an option that names a lesser action (A-AUTH-04). */
  readonly action: string;
  readonly subject: string;
  readonly statement: string;
  readonly method: "tty" | "driven" | "flag";
  /** Digest of the plan the action belongs to; absent outside a plan. */
  readonly planDigest?: string;
}

/** A question that can only be asked once contents are known (T-COMMIT-04). */
export type TransactionQuestion =
  | { readonly kind: "modified"; readonly package: string; readonly path: string }
  | {
    readonly kind: "authorise";
    readonly action: ElevatedAction;
    readonly subject: string;
    readonly data: Readonly<Record<string, string>>;
    /** Lines to show first, unescaped (readable security descriptor). */
    readonly display: readonly string[];
    /** Every action of this transaction that needs a yes, this one included: named together where nobody can be
     * asked (C-AUTH-04). */
    readonly pending?: readonly Authorisation[];
  };

export type TransactionAnswer =
  | { readonly kind: "modified"; readonly decision: "remove" | "keep" | "abort" | "unavailable" }
  /** `unavailable`: no terminal, so the operation fails closed. */
  | { readonly kind: "authorise"; readonly answer: "yes" | "no" | "unavailable"; readonly evidence?: Evidence };

/** Reports one closed transaction to the audit sinks; false when an event could not be written (A-EVENT-23). */
export type AuditTransaction = (transactionId: number, replayed: boolean) => boolean;

/** What every entry point of the room needs. */
export interface TransactionContext {
  readonly session: Session;
  readonly root: RootDirectory;
  /** The root is the running system's own (`/`): tools run, `/run` links are made (T-SIDE-04, C-VOL-03). */
  readonly isSystemRoot: boolean;
  readonly state: StatePlace;
  readonly database: Database;
  readonly audit: AuditTransaction;
}

export interface TransactionInput extends TransactionContext {
  readonly plan: Plan;
  /** Content of every package the plan installs, by name. */
  readonly contents: ReadonlyMap<string, ContentSource>;
  readonly kind: "package" | "claim" | "undo";
  readonly undoOf: number | undefined;
  readonly claims: ClaimRequest;
  readonly options: TransactionOptions;
  /** Marks to set after an undo: `held` and `install_reason` return to their prior values (T-UNDO-02). */
  readonly restoreMarks: ReadonlyMap<string, { readonly held: boolean; readonly reason: "explicit" | "dependency" }>;
  /** Operator as JSON (A-FIELD-12). */
  readonly operator: string;
  readonly evidence: readonly Evidence[];
  readonly summary: string;
  /** Milliseconds since the epoch, read once (T-CONV-02). */
  readonly startedAt: number;
  readonly ask: (question: TransactionQuestion) => Promise<TransactionAnswer>;
}

/** A path the report names (T-COLL-12, T-ETC-03, T-ETC-07, T-RM-04, T-RM-06). */
export interface FileNotice {
  readonly kind: "adopted" | "displaced" | "kept" | "left" | "restored-default" | "already-absent" | "not-removed";
  readonly path: string;
  readonly package: string;
  /** Where the old content is (displaced) or the new default was written (kept). */
  readonly place: string | undefined;
}

/** A package-declared security descriptor and what became of it (A-SDP-02). */
export interface DescriptorNotice {
  readonly package: string;
  readonly version: string;
  /** Logical path. */
  readonly path: string;
  readonly state: SdState;
  /** What it lets whom do, in one line, unescaped. */
  readonly summary: string;
}

export interface SideEffectOutcome {
  readonly effect: "ldconfig" | "depmod" | "man-db";
  readonly argument: string;
  readonly state: "done" | "failed" | "skipped";
  readonly detail: string | undefined;
}

export interface TransactionReport {
  readonly kind: "committed" | "cancelled";
  /** Set when cancelled by an answer; nothing was changed then. */
  readonly cancelReason: "authorisation-declined" | "modified-abort" | undefined;
  /** `undefined` when no transaction was opened. */
  readonly transaction: number | undefined;
  readonly operations: number;
  readonly holders: readonly HolderChange[];
  readonly files: readonly FileNotice[];
  readonly descriptors: readonly DescriptorNotice[];
  readonly sideEffects: readonly SideEffectOutcome[];
  readonly warnings: readonly Warning[];
  /** A signal came after the commit instant (T-SIG-03). */
  readonly interruptedAfterCommit: boolean;
}
