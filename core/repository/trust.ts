/**
 * How a verified descriptor replaces a trust set, and where the bytes of keys come from.
 *
 * 1. A key never enters a trust set except through a descriptor that a key of the previous set, or an anchor, signed.
 * 2. Once revoked, always revoked, until the repository is removed (R-KEY-05).
 * 3. Bytes held for a fingerprint are only ever bytes that hash to it (R-KEY-02).
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { checkFingerprint, readPublicKey } from "../format/keys.ts";
import type { RepositoryKey } from "../store/repository_state.ts";
import type { RepositoryContext } from "./context.ts";
import type { Descriptor, DescriptorKey } from "./descriptor.ts";
import { isAcceptable } from "./trust_set.ts";
import { FETCH_LIMITS, fetchDocument } from "./transport.ts";
import { keyPath, mirrorUrls, type RepositoryBases, resolveReference } from "./urls.ts";

/**
 * R-SIG-10: the descriptor's signer must itself be listed there, acceptable.
 *
 * @throws {PeipkgError} `signature` (`E_SIGNER_NOT_LISTED`, `E_SIG_KEY_REVOKED`, `E_SIG_KEY_EXPIRED`)
 */
export function checkSignerListed(handle: string, descriptor: Descriptor, signer: string, now: number): void {
  const key = descriptor.keys.find((listed) => listed.fingerprint === signer);
  const detail = { repository: handle, document: "descriptor" };
  if (key === undefined) {
    throw ruleError(
      "E_SIGNER_NOT_LISTED",
      `cannot trust the descriptor of "${handle}": signed by ${signer}, which it does not list`,
      detail,
    );
  }
  if (isAcceptable(key, now)) return;
  const revoked = key.status === "revoked";
  throw ruleError(
    revoked ? "E_SIG_KEY_REVOKED" : "E_SIG_KEY_EXPIRED",
    `cannot trust the descriptor of "${handle}": signed by ${signer}, which it lists as ${
      revoked ? "revoked" : "expired"
    }`,
    detail,
  );
}

/**
 * R-KEY-05: a descriptor may not list a key otherwise than revoked once it was revoked.
 *
 * @throws {PeipkgError} `signature` (`E_KEY_UNREVOKED`)
 */
export function checkRevocationsStick(handle: string, descriptor: Descriptor, revocations: ReadonlySet<string>): void {
  const revived = descriptor.keys.find((key) => key.status !== "revoked" && revocations.has(key.fingerprint));
  if (revived === undefined) return;
  throw ruleError(
    "E_KEY_UNREVOKED",
    `cannot trust the descriptor of "${handle}": it lists ${revived.fingerprint} as ${revived.status}, ` +
      "which was revoked before",
    { repository: handle, document: "descriptor" },
  );
}

/** Fingerprints a descriptor revokes. */
export function revokedBy(descriptor: Descriptor): readonly string[] {
  return descriptor.keys.filter((key) => key.status === "revoked").map((key) => key.fingerprint);
}

/**
 * Makes the trust set of a verified descriptor, fetching the key files that are needed and not held (R-KEY-03).
 *
 * @param held Keys already known; their bytes are reused.
 * @throws {PeipkgError} `signature` (`E_KEY_UNAVAILABLE`, `E_KEY_FORMAT`, `E_KEY_FINGERPRINT`)
 */
export async function obtainKeys(
  context: RepositoryContext,
  bases: RepositoryBases,
  descriptor: Descriptor,
  held: readonly RepositoryKey[],
): Promise<readonly RepositoryKey[]> {
  const known = new Map(held.map((key) => [key.fingerprint, key.publicKey]));
  const keys: RepositoryKey[] = [];
  for (const key of descriptor.keys) {
    const have = known.get(key.fingerprint);
    const needed = have === undefined && isAcceptable(key, context.startedAt);
    const publicKey = needed ? await fetchKey(context, bases, key) : have;
    keys.push({ fingerprint: key.fingerprint, publicKey, status: key.status, validUntil: key.validUntil });
  }
  return keys;
}

/**
 * Fetches one key file: from its declared URL, then from the conventional path (R-ADD-04).
 *
 * @throws {PeipkgError} `signature` (`E_KEY_UNAVAILABLE`, `E_KEY_FORMAT`, `E_KEY_FINGERPRINT`)
 */
export async function fetchKey(
  context: RepositoryContext,
  bases: RepositoryBases,
  key: DescriptorKey,
): Promise<Uint8Array> {
  let failure: unknown;
  for (const reference of [...new Set([key.url, keyPath(key.fingerprint)])]) {
    try {
      const file = await fetchFromAnyBase(context, bases, reference);
      const publicKey = readPublicKey(file); // R-KEY-01
      checkFingerprint(publicKey, key.fingerprint); // R-KEY-02
      return publicKey;
    } catch (error) {
      context.session.signal.throwIfAborted();
      if (!(error instanceof PeipkgError)) throw error;
      failure ??= error;
    }
  }
  if (failure instanceof PeipkgError && failure.code === "signature") throw failure;
  throw ruleError(
    "E_KEY_UNAVAILABLE",
    `cannot obtain key ${key.fingerprint} of "${bases.handle}": ${failure instanceof Error ? failure.message : ""}`,
    { repository: bases.handle, cause: failure },
  );
}

async function fetchFromAnyBase(
  context: RepositoryContext,
  bases: RepositoryBases,
  reference: string,
): Promise<Uint8Array> {
  let failure: unknown;
  for (const url of mirrorUrls(bases, resolveReference(bases, reference))) {
    try {
      return await fetchDocument(context, {
        url,
        repository: bases.handle,
        allowInsecureTransport: bases.allowInsecureTransport,
        limitBytes: FETCH_LIMITS.keyFileBytes,
        compressed: false,
      });
    } catch (error) {
      if (!isAbsence(error)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Failures after which the next base is asked: a mirror can be absent, not wrong (R-MIR-06). */
export function isAbsence(error: unknown): error is PeipkgError {
  if (!(error instanceof PeipkgError)) return false;
  const { rule } = error.detail;
  return rule === "E_NETWORK" || rule === "E_NETWORK_TIMEOUT" || rule === "E_HTTP_STATUS" || rule === "E_FILE_FETCH";
}
