/** The one place where an outcome becomes an exit status. */
import type { ErrorCode } from "../mod.ts";

/** Standard output was closed under a read command: as if ended by SIGPIPE (C-OUT-03). */
export const STATUS_CLOSED_OUTPUT = 141;
/** Signals that end the program, with their numbers. */
export const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
export type EndingSignal = keyof typeof SIGNAL_NUMBERS;

/**
 * Exit status of a failure.
 *
 * @param signal Number of the signal, with code `interrupted`.
 * @see C-EXIT-01, C-EXIT-02, C-EXIT-03
 */
export function exitStatus(code: ErrorCode, signal?: number): number {
  switch (code) {
    case "usage":
    case "confirmation-required":
      return 2;
    case "interrupted":
      return 128 + (signal ?? SIGNAL_NUMBERS.SIGINT);
    case "config":
    case "repo-config":
    case "no-root":
    case "denied":
    case "io":
    case "no-space":
    case "busy":
    case "not-installed":
    case "not-owned":
    case "unresolvable":
    case "authorisation-required":
    case "modified":
    case "critical":
    case "locked":
    case "collision":
    case "unowned":
    case "unknown-repository":
    case "exists":
    case "untrusted":
    case "anchor-mismatch":
    case "signature":
    case "hash":
    case "format":
    case "index-rollback":
    case "stale":
    case "repository-unusable":
    case "transport":
    case "sd-override":
    case "alternate-upgrade":
    case "unknown-role":
    case "not-eligible":
    case "not-held":
    case "nothing-to-undo":
    case "undo-unavailable":
    case "journal-version":
    case "indeterminate":
    case "database":
    case "problems-found":
    case "vulnerable":
    case "failed":
    case "internal":
      return 1;
    default:
      // A code without a case is a type error here; nothing of the library is loaded just to say so.
      return code satisfies never;
  }
}
