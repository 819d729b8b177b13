/** Which keys may sign for a repository, as recorded, and whether any has to. */
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import type { TrustedKey } from "../format/keys.ts";
import { parseTimestamp } from "../identity/timestamp.ts";
import type { RepositoryState } from "../store/repository_state.ts";

/** Unsigned mode (R-POL-03): policy `optional` and no anchor. */
export function isUnsigned(configuration: RepositoryConfiguration): boolean {
  return configuration.signaturePolicy === "optional" && configuration.trustAnchors.length === 0;
}

/**
 * Whether a key may verify at an instant (section 1.2): active, or transitioning and not past its deadline.
 *
 * @param now Milliseconds since the epoch; the deadline itself still counts.
 */
export function isAcceptable(
  key: { readonly status: string; readonly validUntil?: string | undefined },
  now: number,
): boolean {
  if (key.status === "active") return true;
  if (key.status !== "transitioning" || key.validUntil === undefined) return false;
  const deadline = parseTimestamp(key.validUntil);
  if (deadline === undefined) return false;
  const seconds = Math.floor(now / 1000);
  // Whole milliseconds of the fraction decide; finer digits are below the clock's precision.
  return seconds < deadline.seconds ||
    (seconds === deadline.seconds && now % 1000 <= Number(deadline.fraction.slice(0, 3).padEnd(3, "0")));
}

/** A recorded trust set as verification takes it; sticky revocations win over the descriptor's word. */
export function trustedKeys(state: Pick<RepositoryState, "keys" | "revocations">): readonly TrustedKey[] {
  return state.keys.map((key) => ({
    fingerprint: key.fingerprint,
    publicKey: key.publicKey,
    status: state.revocations.has(key.fingerprint) ? "revoked" : key.status,
    ...(key.validUntil === undefined ? {} : { validUntil: key.validUntil }),
  }));
}

/** Whether nothing of a recorded trust set can verify any more (R-ORPH-01). */
export function hasAcceptableKey(state: Pick<RepositoryState, "keys" | "revocations">, now: number): boolean {
  return trustedKeys(state).some((key) => isAcceptable(key, now));
}
