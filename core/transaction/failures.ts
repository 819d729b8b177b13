/** Refused system calls → the error of the step they happened in (the failure matrix of transactions.md section 25). */
import { type ErrorDetail, type ErrorRule, PeipkgError, ruleError, SystemCallError } from "../errors.ts";

const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);
const DENIED = new Set(["EACCES", "EPERM", "EROFS"]);
const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the file system",
  EDQUOT: "the disk quota is used up",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  EIO: "input/output error",
  EMFILE: "too many open files",
  EXDEV: "the object lies on another file system",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "no such file or directory",
  EEXIST: "something is there already",
  ENOTEMPTY: "the directory is not empty",
  EBUSY: "the object is in use",
  ELOOP: "a symbolic link is in the way",
};

/** Words for an errno, for messages. */
export function errnoWords(errno: string): string {
  return WORDS[errno] ?? errno;
}

/** The rule of a refused call that writes or reads below the root. */
function fileSystemRule(errno: string): ErrorRule {
  if (NO_SPACE.has(errno)) return "DISK_SPACE";
  return DENIED.has(errno) ? "NOT_PERMITTED" : "FS_IO";
}

/**
 * Turns what a call threw into the error of its step; errors of the product pass unchanged.
 *
 * @param action What was being done, e.g. `stage /usr/bin/jq`.
 * @param rule Rule whatever the errno; absent: by errno.
 */
export function asFailure(error: unknown, action: string, path: string, rule?: ErrorRule): unknown {
  if (!(error instanceof SystemCallError)) return error;
  const chosen = rule ?? fileSystemRule(error.errno);
  const detail: Omit<ErrorDetail, "rule"> = { cause: error, paths: [{ path, rule: chosen }] };
  const message = `cannot ${action} ${path}: ${errnoWords(error.errno)} (${error.call})`;
  if (chosen !== "DISK_SPACE") return ruleError(chosen, message, detail);
  return ruleError(chosen, message, { ...detail, filesystems: [] });
}

/** Whether a call failed with one of these errno names. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof SystemCallError && names.includes(error.errno);
}

/** One line for any thrown value. */
export function describeFailure(error: unknown): string {
  if (error instanceof SystemCallError) return `${error.call} ${error.path}: ${errnoWords(error.errno)}`;
  return error instanceof Error ? error.message : String(error);
}

/** The rule of an error of the product, or the closest one. */
export function ruleOf(error: unknown): ErrorRule | undefined {
  return error instanceof PeipkgError ? error.detail.rule : undefined;
}
