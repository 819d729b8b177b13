/** What a failure of SQLite means to whoever asked. The driver's own words stay in `cause`. */
import { type ErrorRule, PeipkgError, ruleError, SystemCallError } from "../errors.ts";

/** Primary result codes of SQLite. */
const BUSY = 5, LOCKED = 6, READONLY = 8, IOERR = 10, CORRUPT = 11, FULL = 13, CANTOPEN = 14, CONSTRAINT = 19;
const GENERIC = 1, PERM = 3, AUTH = 23, NOTADB = 26;

/** Result codes of a `COMMIT` after which certainly nothing was committed (T-COMMIT-43). */
const CERTAIN_COMMIT_FAILURES: ReadonlySet<number> = new Set([FULL, BUSY, CONSTRAINT]);

const TEXTS: { readonly [rule in ErrorRule]?: string } = {
  DB_FULL: "no space is left for the package database",
  DB_IO: "cannot read or write the package database: the device reports an error",
  DB_CORRUPT: "cannot use the package database: the file is damaged",
  NOT_PERMITTED: "cannot write the package database: access is denied",
  LOCK_BUSY: "cannot write the package database: another program is writing to it",
  TXN_PENDING: "cannot begin a transaction: another one is pending",
  FILE_CONFLICT: "cannot record ownership: two packages would own one path",
};

/** SQLite's extended result code behind a failure; `undefined` when it was not SQLite's. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const source = error instanceof PeipkgError ? error.cause : error;
  if (!(source instanceof Error) || !("code" in source) || source.code !== "ERR_SQLITE_ERROR") return undefined;
  return "errcode" in source && typeof source.errcode === "number" ? source.errcode : 0;
}

/** Whether a failed `COMMIT` certainly committed nothing (T-COMMIT-43); anything else is unknown (T-COMMIT-44). */
export function commitFailureIsCertain(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code !== undefined && CERTAIN_COMMIT_FAILURES.has(code & 0xff);
}

/** Words a failed statement. */
export function statementFailure(error: unknown): PeipkgError {
  if (error instanceof PeipkgError) return error;
  const rule = ruleOfStatement(error);
  if (rule === undefined) {
    return new PeipkgError("internal", "cannot run a statement on the package database", { cause: error });
  }
  return ruleError(rule, TEXTS[rule] ?? "cannot use the package database", { cause: error });
}

/** Words a failure while opening: for a reader, refused access has a code and a way out of its own (T-DB-07). */
export function openFailure(error: unknown, mode: "reader" | "writer"): unknown {
  if (error instanceof SystemCallError) {
    const isDenied = ["EACCES", "EPERM", "EROFS"].includes(error.errno);
    const isFull = error.errno === "ENOSPC" || error.errno === "EDQUOT";
    if (isDenied && mode === "reader") return readUnavailable(error);
    return statementRule(isDenied ? "NOT_PERMITTED" : isFull ? "DB_FULL" : "DB_IO", error);
  }
  const code = sqliteCodeOf(error);
  if (code === undefined) return error;
  const cause = error instanceof PeipkgError ? error.cause : error;
  const primary = code & 0xff;
  // Code 0: opening failed before there was a connection that could tell a number.
  if (mode === "reader" && [0, CANTOPEN, READONLY, PERM].includes(primary)) return readUnavailable(cause);
  if (primary === 0) return statementRule("NOT_PERMITTED", cause);
  return statementFailure(cause);
}

function readUnavailable(cause: unknown): PeipkgError {
  return ruleError("DB_READ_UNAVAILABLE", "cannot read the package database: access is denied", {
    hint: "any command that writes puts the shared files back, for example 'peipkg recover'",
    cause,
  });
}

function statementRule(rule: ErrorRule, cause: unknown): PeipkgError {
  return ruleError(rule, TEXTS[rule] ?? "cannot use the package database", { cause });
}

function ruleOfStatement(error: unknown): ErrorRule | undefined {
  const code = sqliteCodeOf(error);
  // The driver refuses integers beyond 2^53 where no `bigint` was asked for: no such number is ever stored there.
  if (code === undefined) return isOutOfRange(error) ? "DB_CORRUPT" : undefined;
  switch (code & 0xff) {
    case FULL:
      return "DB_FULL";
    case IOERR:
      return "DB_IO";
    case CORRUPT:
    case NOTADB:
      return "DB_CORRUPT";
    case READONLY:
    case PERM:
    case AUTH:
    case CANTOPEN:
      return "NOT_PERMITTED";
    case BUSY:
    case LOCKED:
      return "LOCK_BUSY";
    case CONSTRAINT:
      return ruleOfConstraint(error);
    case GENERIC:
      // A manifest that is no JSON can only have been stored by someone else.
      return error instanceof Error && error.message.includes("malformed JSON") ? "DB_CORRUPT" : undefined;
    default:
      return undefined;
  }
}

/** The two constraints that say something to an operator (T-LOCK-09, T-DB-12); any other violation is a defect. */
function ruleOfConstraint(error: unknown): ErrorRule | undefined {
  const text = error instanceof Error ? error.message : "";
  if (text.includes("txn.state") || text.includes("txn_single_pending")) return "TXN_PENDING";
  return text.includes("UNIQUE constraint failed: package_file.path") ? "FILE_CONFLICT" : undefined;
}

function isOutOfRange(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_OUT_OF_RANGE";
}
