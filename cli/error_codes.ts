/** What each error code means, in one sentence and with the way on; for `help --errors` and peipkg-json(7). */
import type { ErrorCode } from "../mod.ts";

/** Closed: a code without a meaning is a type error. */
export const ERROR_MEANINGS: Readonly<Record<ErrorCode, string>> = {
  "usage": "the call was wrong; correct it",
  "confirmation-required": "--json needs the routine question answered beforehand: use --yes or --dry-run",
  "config": "a configuration file or variable is wrong; edit it",
  "repo-config": "a repository file is wrong; edit it",
  "no-root": "the root does not exist",
  "denied": "access was refused",
  "io": "input or output failed",
  "no-space": "there is not enough room on a file system",
  "busy": "another process holds the writer lock; wait with --lock-wait",
  "not-installed": "a named package is not installed",
  "not-owned": "no package owns the path",
  "unresolvable": "no plan meets the request; change the request",
  "authorisation-required": "an elevated action needs an answer and there is no terminal; run it at one",
  "modified": "an edited configuration file needs an answer; use --modified",
  "critical": "a critical package would be removed; use --allow-critical",
  "locked": "a locked package would change; use unlock",
  "collision": "a path belongs to another installed package",
  "unowned": "a differing file that belongs to no package is in the way; use --overwrite-unowned",
  "unknown-repository": "no repository of that name is configured",
  "exists": "a different repository of that name is configured",
  "untrusted": "the trust ceremony of a repository has not run; use repo add",
  "anchor-mismatch": "the descriptor does not verify against any anchor; compare the fingerprint by another way",
  "signature": "a signature is missing or wrong",
  "hash": "content differs from its digest",
  "format": "a document or package has a wrong structure",
  "index-rollback": "an index went below the version or date already accepted; investigate the source",
  "stale": "trust state or index is older than its limit and refreshing did not help; use --allow-stale",
  "repository-unusable": "an enabled repository has no usable index; use refresh",
  "transport": "the network, the server or a size limit failed; try again",
  "sd-override": "security descriptors are refused by policy or cannot be applied; use --sd-overrides",
  "alternate-upgrade": "the package declares another upgrade path",
  "unknown-role": "no package provides or holds the role",
  "not-eligible": "the package cannot hold the role",
  "not-held": "nobody holds the role",
  "nothing-to-undo": "there is no committed transaction",
  "undo-unavailable": "an earlier version is in neither backups nor archive",
  "journal-version": "the pending transaction was begun by a newer program",
  "indeterminate": "a rollback failed; use recover",
  "database": "the database cannot be read; use recover",
  "problems-found": "a check found problems",
  "vulnerable": "an installed package is vulnerable",
  "interrupted": "a signal ended the run before anything was committed",
  "failed": "anything else that went wrong",
  "internal": "a defect of the program; report it",
};

const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(ERROR_MEANINGS, word);

/** Every code, in the order of the specification's table. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(ERROR_MEANINGS).filter(isErrorCode);
