/**
 * Every failure peipkg can report: one error class, a closed list of codes, and the closed list of exact
 * causes ("rules") with the code each is shown as. The tables mirror the specification's table of codes; a
 * test compares them. Nothing here knows how to print or which exit status follows (that is `cli/exit.ts`).
 */

/** The coarse codes programs match on (cli.md section 8). */
export type ErrorCode =
  | "usage"
  | "confirmation-required"
  | "config"
  | "repo-config"
  | "no-root"
  | "denied"
  | "io"
  | "no-space"
  | "busy"
  | "not-installed"
  | "not-owned"
  | "unresolvable"
  | "authorisation-required"
  | "modified"
  | "critical"
  | "locked"
  | "collision"
  | "unowned"
  | "unknown-repository"
  | "exists"
  | "untrusted"
  | "anchor-mismatch"
  | "signature"
  | "hash"
  | "format"
  | "index-rollback"
  | "stale"
  | "repository-unusable"
  | "transport"
  | "sd-override"
  | "alternate-upgrade"
  | "unknown-role"
  | "not-eligible"
  | "not-held"
  | "nothing-to-undo"
  | "undo-unavailable"
  | "journal-version"
  | "indeterminate"
  | "database"
  | "problems-found"
  | "vulnerable"
  | "interrupted"
  | "failed"
  | "internal";

/** Reasons that refine the code `unresolvable`. */
export type UnresolvableReason =
  | "no-candidate"
  | "unsatisfiable"
  | "conflict"
  | "architecture"
  | "regression"
  | "cycle"
  | "removal-blocked"
  | "not-older"
  | "ambiguous"
  | "too-complex";

/** Exact cause of a failure → the code it is shown as. */
export const RULE_CODES = {
  AUDIT_EVIDENCE_UNRECORDED: "failed",
  CACHE_IO: "io",
  CANCELLED: "interrupted",
  CLAIM_AMBIGUOUS: "unresolvable",
  CLAIM_FLAGS_CONFLICT: "usage",
  CLAIM_NOT_HELD: "not-held",
  CLAIM_NOT_PROVIDER: "not-eligible",
  CLAIM_PATH_CONTESTED: "collision",
  CLAIM_PATH_OWNED: "collision",
  CLAIM_REQUIRED: "critical",
  CLAIM_TARGET_NOT_OWNED: "failed",
  CLAIM_UNKNOWN_ROLE: "unknown-role",
  CROSS_ROOT_PENDING: "indeterminate",
  CROSS_ROOT_TORN: "indeterminate",
  DB_CORRUPT: "database",
  DB_FULL: "no-space",
  DB_IO: "io",
  DB_MODE: "database",
  DB_READ_UNAVAILABLE: "denied",
  DB_SCHEMA_TAMPERED: "database",
  DB_SCHEMA_TOO_NEW: "database",
  DISK_SPACE: "no-space",
  E_ALGORITHM: "format",
  E_ARCH_MISMATCH: "unresolvable",
  E_ARCH_QUALIFIER: "format",
  E_ARCH_SYNTAX: "format",
  E_ARCH_UNKNOWN: "format",
  E_AUTH_REQUIRED: "authorisation-required",
  E_BASE64: "format",
  E_BASE_URL: "repo-config",
  E_BREAKS_DEPENDENT: "unresolvable",
  E_CACHE_INVALID: "repository-unusable",
  E_CACHE_UNSIGNED: "repository-unusable",
  E_CLAIM_PATH: "format",
  E_CLAIM_SHAPE: "format",
  E_CLAIM_SLOT: "format",
  E_CLAIM_TARGET: "format",
  E_CONFIG_KEY: "repo-config",
  E_CONFIG_SYNTAX: "repo-config",
  E_CONFIG_VALUE: "repo-config",
  E_CONFLICT: "unresolvable",
  E_CONSTRAINT: "format",
  E_CRITICAL: "critical",
  E_CYCLE: "unresolvable",
  E_DESC_FIELD: "format",
  E_DESC_JSON: "format",
  E_DESC_KEY_DUPLICATE: "format",
  E_DESC_KEY_ORDER: "format",
  E_DESC_NO_ACTIVE_KEY: "format",
  E_DEST: "format",
  E_DEST_ARCH: "format",
  E_DEST_DROPIN: "format",
  E_DEST_EXEMPTION: "format",
  E_DEST_VAR: "format",
  E_ENTRY_DUPLICATE: "format",
  E_ENTRY_MISSING: "format",
  E_ENTRY_NESTING: "format",
  E_ENTRY_ORDER: "format",
  E_FIELD_MISSING: "format",
  E_FIELD_TYPE: "format",
  E_FIELD_UNKNOWN: "format",
  E_FILENAME: "format",
  E_FILES_ALGORITHM: "format",
  E_FILES_HASH_SYNTAX: "format",
  E_FILES_ORDER: "format",
  E_FILES_ORPHAN: "format",
  E_FILES_UNLISTED: "format",
  E_FILE_FETCH: "transport",
  E_FILE_HASH: "hash",
  E_FILE_SIZE: "format",
  E_FINGERPRINT: "format",
  E_HELD: "locked",
  E_HTTP_ENCODING: "transport",
  E_HTTP_STATUS: "transport",
  E_IDENTITY_MISMATCH: "format",
  E_INDEX_BELOW_MINIMUM: "index-rollback",
  E_INDEX_DIVERGES: "format",
  E_INDEX_DUPLICATE: "format",
  E_INDEX_EQUIVOCATION: "index-rollback",
  E_INDEX_FIELD: "format",
  E_INDEX_JSON: "format",
  E_INDEX_KIND: "format",
  E_INDEX_ORDER: "format",
  E_INDEX_REPO_NAME: "format",
  E_INDEX_ROLLBACK: "index-rollback",
  E_INDEX_STALE: "stale",
  E_INSECURE_TRANSPORT: "transport",
  E_JSON_DEPTH: "format",
  E_JSON_DUPLICATE_KEY: "format",
  E_JSON_INTEGER: "format",
  E_JSON_SYNTAX: "format",
  E_JSON_UNICODE: "format",
  E_JSON_UTF8: "format",
  E_KEY_FINGERPRINT: "signature",
  E_KEY_FORMAT: "signature",
  E_KEY_STATUS: "format",
  E_KEY_UNAVAILABLE: "signature",
  E_KEY_UNREVOKED: "signature",
  E_KEY_VALID_UNTIL: "format",
  E_LIMIT_ARRAY: "format",
  E_LIMIT_CLAIMS: "format",
  E_LIMIT_COMPRESSED: "transport",
  E_LIMIT_DECOMPRESSED: "format",
  E_LIMIT_ENTRIES: "format",
  E_LIMIT_METADATA: "format",
  E_LIMIT_SD: "format",
  E_LOCAL_CHANGED: "hash",
  E_MANIFEST_DESCRIPTION: "format",
  E_MANIFEST_DUPLICATE: "format",
  E_MANIFEST_HOMEPAGE: "format",
  E_MANIFEST_ORDER: "format",
  E_MANIFEST_TIMESTAMP: "format",
  E_NAME: "format",
  E_NETWORK: "transport",
  E_NETWORK_TIMEOUT: "transport",
  E_NOTHING_TO_UNDO: "nothing-to-undo",
  E_NOT_A_DOWNGRADE: "unresolvable",
  E_NOT_INSTALLED: "not-installed",
  E_NO_ANCHOR: "usage",
  E_NO_ANCHOR_MATCH: "anchor-mismatch",
  E_NO_CANDIDATE: "unresolvable",
  E_ORPHAN_NO_SOURCE: "unresolvable",
  E_PACK_SOURCE: "format",
  E_PATH_ABSOLUTE: "format",
  E_PATH_BACKSLASH: "format",
  E_PATH_COMPONENT: "format",
  E_PATH_CONTROL: "format",
  E_PATH_DEPTH: "format",
  E_PATH_DOT: "format",
  E_PATH_EMPTY: "format",
  E_PATH_LENGTH: "format",
  E_PATH_NFC: "format",
  E_PATH_RESERVED: "format",
  E_PATH_UTF8: "format",
  E_PKG_HASH: "hash",
  E_REDIRECT: "transport",
  E_REMOVAL_BLOCKED: "unresolvable",
  E_REPO_EXISTS: "exists",
  E_REPO_HANDLE: "repo-config",
  E_REPO_NAME_CHANGED: "signature",
  E_REPO_UNAVAILABLE: "repository-unusable",
  E_REPO_UNKNOWN: "unknown-repository",
  E_REPO_UNTRUSTED: "untrusted",
  E_REQ_CONTRADICTORY: "unresolvable",
  E_ROOT_REF: "format",
  E_SCHEMA_VERSION: "format",
  E_SD_POLICY: "sd-override",
  E_SD_SYNTAX: "format",
  E_SD_TARGET: "format",
  E_SIDE_EFFECT: "format",
  E_SIGNER_NOT_LISTED: "signature",
  E_SIG_ALGORITHM: "signature",
  E_SIG_ENCODING: "signature",
  E_SIG_FINGERPRINT: "signature",
  E_SIG_INVALID: "signature",
  E_SIG_KEY_EXPIRED: "signature",
  E_SIG_KEY_REVOKED: "signature",
  E_SIG_KEY_UNTRUSTED: "signature",
  E_SIG_MISSING: "signature",
  E_SIG_NOT_LAST: "signature",
  E_SIZE_BOUND: "transport",
  E_SIZE_INSTALLED: "format",
  E_SYMLINK_ABSOLUTE: "format",
  E_SYMLINK_ESCAPE: "format",
  E_SYMLINK_TARGET: "format",
  E_TAR_CHECKSUM: "format",
  E_TAR_DEVICE: "format",
  E_TAR_DIR_NAME: "format",
  E_TAR_LINKNAME: "format",
  E_TAR_MAGIC: "format",
  E_TAR_MODE: "format",
  E_TAR_MTIME: "format",
  E_TAR_NUMERIC: "format",
  E_TAR_OWNER: "format",
  E_TAR_PADDING: "format",
  E_TAR_PAX_GLOBAL: "format",
  E_TAR_PAX_KEY: "format",
  E_TAR_PAX_SIZE: "format",
  E_TAR_PAX_SYNTAX: "format",
  E_TAR_PAX_UNNEEDED: "format",
  E_TAR_PREFIX: "format",
  E_TAR_SIZE: "format",
  E_TAR_TRAILING: "format",
  E_TAR_TRUNCATED: "format",
  E_TAR_TYPE: "format",
  E_TOO_COMPLEX: "unresolvable",
  E_TRUST_AGE: "stale",
  E_UNDO_UNAVAILABLE: "undo-unavailable",
  E_UNSATISFIABLE: "unresolvable",
  E_URL: "transport",
  E_URL_SCHEME: "transport",
  E_VERSION: "format",
  E_VERSION_NOT_AVAILABLE: "unresolvable",
  E_VERSION_REGRESSION: "unresolvable",
  E_VNAME: "format",
  E_ZSTD_CORRUPT: "format",
  E_ZSTD_DICTIONARY: "format",
  E_ZSTD_MAGIC: "format",
  E_ZSTD_TRAILING: "format",
  E_ZSTD_WINDOW: "format",
  FARM_NOT_ALLOWED: "failed",
  FILE_CONFLICT: "collision",
  FSYNC_FAILED: "io",
  FS_IO: "io",
  JOURNAL_TOO_NEW: "journal-version",
  LOCK_BUSY: "busy",
  LOCK_IO: "io",
  MODIFIED_FILES: "modified",
  NOT_PERMITTED: "denied",
  PATH_APPEARED: "failed",
  PATH_CHANGED: "failed",
  PATH_RESERVED: "format",
  PATH_SYMLINK: "failed",
  PATH_UNSAFE_DIR: "failed",
  PKG_CHANGED: "hash",
  PLAN_STALE: "failed",
  RECOVERY_BACKUP_MISMATCH: "indeterminate",
  RECOVERY_BACKUP_MISSING: "indeterminate",
  RECOVERY_FOREIGN_OBJECT: "indeterminate",
  RECOVERY_MODE: "indeterminate",
  ROLLBACK_FAILED: "indeterminate",
  ROOT_AMBIGUOUS: "unresolvable",
  ROOT_CYCLE: "no-root",
  ROOT_DANGLING: "no-root",
  ROOT_UNKNOWN: "no-root",
  SD_APPLY_FAILED: "denied",
  SD_UNSAFE: "format",
  SD_UNSUPPORTED_KERNEL: "sd-override",
  STAGED_TAMPERED: "failed",
  STAGE_EXISTS: "failed",
  STATE_UNSAFE: "denied",
  TXN_OUTCOME_UNKNOWN: "database",
  TXN_PENDING: "busy",
  TYPE_CHANGE_BLOCKED: "collision",
  UNDO_SOURCE_MISMATCH: "undo-unavailable",
  UNOWNED_EXISTS: "unowned",
  VERIFY_FAILED: "problems-found",
} as const satisfies Readonly<Record<string, ErrorCode>>;

/** Name of an exact cause. */
export type ErrorRule = keyof typeof RULE_CODES;

/** Rules shown with code `unresolvable` → their reason. */
export const RULE_REASONS: { readonly [rule in ErrorRule]?: UnresolvableReason } = {
  CLAIM_AMBIGUOUS: "ambiguous",
  E_ARCH_MISMATCH: "architecture",
  E_BREAKS_DEPENDENT: "unsatisfiable",
  E_CONFLICT: "conflict",
  E_CYCLE: "cycle",
  E_NOT_A_DOWNGRADE: "not-older",
  E_NO_CANDIDATE: "no-candidate",
  E_ORPHAN_NO_SOURCE: "no-candidate",
  E_REMOVAL_BLOCKED: "removal-blocked",
  E_REQ_CONTRADICTORY: "ambiguous",
  E_TOO_COMPLEX: "too-complex",
  E_UNSATISFIABLE: "unsatisfiable",
  E_VERSION_NOT_AVAILABLE: "no-candidate",
  E_VERSION_REGRESSION: "regression",
  ROOT_AMBIGUOUS: "ambiguous",
};

/** Elevated actions → the `kind` shown for each; `undefined` where it is recorded but never asked. */
export const ELEVATED_ACTIONS = {
  AUTH_CLAIM_OVERRIDE: "claim-override",
  AUTH_CLOCK: undefined,
  AUTH_DOWNGRADE: "downgrade",
  AUTH_FOREIGN_CONFLICT: "foreign-conflicts",
  AUTH_FOREIGN_REPLACES: "foreign-replaces",
  AUTH_INSECURE_TOGGLE: "weaken-trust",
  AUTH_LOW_TRUST_PROVIDES: "low-trust-provides",
  AUTH_PURGE: "purge",
  AUTH_RECOVERY: "accept-state",
  AUTH_SD_OVERRIDE: "sd-override",
  AUTH_SD_UNSUPPORTED: "sd-unsupported",
  AUTH_STALE_TRUST: undefined,
  AUTH_TRUST_ANCHOR: "weaken-trust",
  AUTH_WEAKEN_POLICY: "weaken-trust",
} as const;

/** Code of an elevated action, as recorded. */
export type ElevatedAction = keyof typeof ELEVATED_ACTIONS;
/** Kind of an elevated action, as shown and in JSON. */
export type AuthorisationKind = Exclude<(typeof ELEVATED_ACTIONS)[ElevatedAction], undefined>;

/** Warnings by their specification name → the code used in JSON (C-JSON-12). */
export const WARNING_CODES = {
  AUDIT_LOG_UNSAFE: "audit-log-unsafe",
  AUDIT_WRITE_FAILED: "audit-write-failed",
  CLAIM_LINK_FOREIGN: "claim-link-foreign",
  CLOCK_SUSPECT: "clock-suspect",
  OWNERSHIP_OVERLAP: "ownership-overlap",
  SIDE_EFFECT_BAD_ARGUMENT: "side-effect-bad-argument",
  SIDE_EFFECT_FAILED: "side-effect-failed",
  SIDE_EFFECT_TOOL_MISSING: "side-effect-tool-missing",
  W_ADVISORIES_OLD: "advisories-old",
  W_ADVISORIES_RANGE: "advisories-range",
  W_AGE_LIMIT_HIGH: "age-limit-high",
  W_ANCHOR_UNUSED: "anchor-unused",
  W_ANSWER_REFUSED: "answer-refused",
  W_ARCHIVE_GAP: "archive-gap",
  W_ARCHIVE_SKIPPED: "archive-skipped",
  W_ARCH_CHANGED: "arch-changed",
  W_ARCH_OVER_PRIORITY: "arch-over-priority",
  W_AUTO_REFRESH: "auto-refresh",
  W_BACKUP_NOT_RETAINED: "backup-not-retained",
  W_CLAIM_WITHDRAWN: "claim-withdrawn",
  W_COMMITTED_INTERRUPTED: "committed-interrupted",
  W_CONFIG_KEPT: "config-kept",
  W_DESCRIPTION_LENGTH: "description-length",
  W_DIR_KEPT: "dir-kept",
  W_DIR_OWNER: "dir-owner",
  W_ENV_UNKNOWN: "env-unknown",
  W_ENV_WEAKER: "env-weaker",
  W_FILENAME: "filename",
  W_FILE_LEFT: "file-left",
  W_FILE_MODE: "file-mode",
  W_HOUSEKEEPING: "housekeeping",
  W_INDETERMINATE: "indeterminate",
  W_INDEX_FUTURE: "index-future",
  W_INDEX_VERSION_REUSED: "index-version-reused",
  W_INSECURE_TRANSPORT: "insecure-transport",
  W_JSON_NEWLINE: "json-newline",
  W_LIMIT_RAISED: "limit-raised",
  W_MANIFEST_STALE: "manifest-stale",
  W_ORIGIN_CHANGE: "origin-change",
  W_ORPHANED: "orphaned",
  W_PREEXISTING: "preexisting",
  W_PROVIDES_INFLATED: "provides-inflated",
  W_PROVIDES_SHADOW: "provides-shadow",
  W_RECOVERED: "recovered",
  W_REPLACES_TARGET: "replaces-target",
  W_REPO_INVALID: "repo-invalid",
  W_REPO_SKIPPED: "repo-skipped",
  W_RETAINED_CORRUPT: "retained-corrupt",
  W_SIDE_EFFECT: "side-effect",
  W_SIDE_EFFECTS_SKIPPED: "side-effects-skipped",
  W_SINGLE_ANCHOR: "single-anchor",
  W_SIZE_MISMATCH: "size-mismatch",
  W_SPACE_UNKNOWN: "space-unknown",
  W_STALE_ALLOWED: "stale-allowed",
  W_STALE_METADATA: "stale-metadata",
  W_TXN_PENDING: "txn-pending",
  W_UNSIGNED: "unsigned",
  W_UNSIGNED_REPO: "unsigned-repo",
  W_UNVERIFIED: "unverified",
} as const;

/** Name of a warning. */
export type WarningRule = keyof typeof WARNING_CODES;

/** A warning: never an error, never changes an exit status. `text` is unescaped; the terminal edge escapes it. */
export interface Warning {
  readonly rule: WarningRule;
  readonly text: string;
}

/** One path a failure is about (C-JSON-13). */
export interface PathDetail {
  readonly path: string;
  readonly package?: string;
  readonly other?: string;
  readonly rule?: ErrorRule;
}

/**
 * Data of a failure. Members beside `rule`, `hint`, `lines` and `cause` are those of C-JSON-13 for the code,
 * in camelCase; the command line writes them in snake_case. Strings are unescaped.
 */
export interface ErrorDetail {
  readonly rule?: ErrorRule;
  /** What the operator can do; shown on a line of its own. */
  readonly hint?: string;
  /** Particulars, one per indented line under the sentence. */
  readonly lines?: readonly string[];
  readonly cause?: unknown;
  readonly reason?: UnresolvableReason;
  readonly package?: string;
  readonly repository?: string;
  /** Which document: `manifest`, `files`, `signature`, `descriptor`, `index`, … */
  readonly document?: string;
  readonly path?: string;
  /** Field path inside the document, e.g. `dependencies[3].constraint`. */
  readonly field?: string;
  readonly file?: string;
  readonly line?: number;
  readonly key?: string;
  readonly url?: string;
  readonly status?: number;
  readonly paths?: readonly PathDetail[];
  readonly filesystems?: readonly { readonly mount: string; readonly needed: number; readonly available: number }[];
  readonly pid?: number;
  readonly command?: string;
  readonly startedAt?: string;
  readonly packages?: readonly string[];
  readonly transaction?: number;
  /** A signal's number, with code `interrupted`. */
  readonly signal?: number;
  /** Whether a transaction had been opened and was rolled back before this was reported. */
  readonly rolledBack?: boolean;
  /** Anything further C-JSON-13 lists for the code (chain, requirement, considered, blockers, …). */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** The one error type that leaves the library on purpose; anything else that escapes is a defect. */
export class PeipkgError extends Error {
  override readonly name = "PeipkgError";

  constructor(readonly code: ErrorCode, message: string, readonly detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
  }
}

/**
 * Builds the error of an exact cause; its code and reason follow from the tables.
 *
 * @param rule Exact cause.
 * @param message `cannot <do what> <to what>: <what was found>, <what was required>`, lower case, unescaped.
 */
export function ruleError(rule: ErrorRule, message: string, detail: Omit<ErrorDetail, "rule"> = {}): PeipkgError {
  const reason = detail.reason ?? RULE_REASONS[rule];
  return new PeipkgError(
    RULE_CODES[rule],
    message,
    reason === undefined ? { ...detail, rule } : { ...detail, rule, reason },
  );
}

/**
 * A refused system call, thrown by the file-system room. Rooms above turn it into a `PeipkgError` with the rule
 * that fits the step (`DISK_SPACE`, `NOT_PERMITTED`, `FS_IO`, …).
 */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";

  /**
   * @param errno Symbolic name (`ENOENT`); `E<number>` for one without a known name.
   * @param call System call that failed, e.g. `renameat2`.
   * @param path What it was about, for messages.
   */
  constructor(readonly errno: string, readonly call: string, readonly path: string) {
    super(`${call} ${path}: ${errno}`);
  }
}

/** Shortens foreign text for a message, so that hostile megabytes stay out of reports. */
export function excerpt(text: string, characters = 160): string {
  return text.length <= characters ? text : `${text.slice(0, characters)}…`;
}
