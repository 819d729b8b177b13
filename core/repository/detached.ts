/**
 * Detached signatures beside repository documents, in both forms found in the field: an envelope over the digest
 * (form E) and bare base64 over the bytes (form B).
 *
 * @see R-SIG-01 … R-SIG-08
 */
import { ruleError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { parseEnvelope } from "../format/envelope.ts";
import { sha256 } from "../format/hash.ts";
import { type TrustedKey, verifySignature, verifyWithTrustedKeys } from "../format/keys.ts";
import { isAcceptable } from "./trust_set.ts";

const SIGNATURE_BYTES = 64;
const OPEN_BRACE = 0x7b;
/** Space, tab, CR, LF. */
const WHITESPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, 0x0a]);

export interface DetachedSignature {
  /** Which document, for messages: `descriptor`, `active index`, `archive index`. */
  readonly document: string;
  /** Handle. */
  readonly repository: string;
  /** Body of the `.sig` file. */
  readonly signature: Uint8Array;
  /** The document exactly as published, or what reads it: beside a known digest, form B alone needs it. */
  readonly bytes: Uint8Array | (() => Uint8Array);
  /** SHA-256 of `bytes` where it is known already: an index is large. */
  readonly digest?: Uint8Array;
}

/**
 * Verifies a detached signature.
 *
 * @param keys The eligible set (R-SIG-09), unacceptable keys included so that the failure can name them (R-KEY-06).
 * @param now Milliseconds since the epoch.
 * @returns Fingerprint of the signer.
 * @throws {PeipkgError} `signature` (`E_SIG_ENCODING`, `E_SIG_KEY_UNTRUSTED`, `E_SIG_KEY_EXPIRED`,
 * `E_SIG_KEY_REVOKED`, `E_SIG_INVALID`, …) or the envelope's own codes
 */
export async function verifyDetached(
  detached: DetachedSignature,
  keys: readonly TrustedKey[],
  now: number,
): Promise<string> {
  const body = trimWhitespace(detached.signature); // R-SIG-04
  return body[0] === OPEN_BRACE // R-SIG-03
    ? await verifyEnvelope(body, detached, keys, now)
    : await verifyBare(body, detached, keys, now);
}

async function verifyEnvelope(
  body: Uint8Array,
  detached: DetachedSignature,
  keys: readonly TrustedKey[],
  now: number,
): Promise<string> {
  const envelope = parseEnvelope(body); // R-SIG-05
  await verifyWithTrustedKeys(envelope, detached.digest ?? sha256(bytesOf(detached)), keys, now); // R-SIG-06
  return envelope.fingerprint;
}

/** R-SIG-07: no fingerprint, so every key is tried; the acceptable ones first. */
async function verifyBare(
  body: Uint8Array,
  detached: DetachedSignature,
  keys: readonly TrustedKey[],
  now: number,
): Promise<string> {
  const signature = decodeBase64(new TextDecoder("latin1").decode(body));
  const about = { document: detached.document, repository: detached.repository };
  const where = `the ${detached.document} of "${detached.repository}"`;
  if (signature === undefined || signature.length !== SIGNATURE_BYTES) { // R-SIG-02
    throw ruleError("E_SIG_ENCODING", `cannot verify ${where}: its signature is not 86 characters of base64`, about);
  }
  const bytes = bytesOf(detached);
  const byUse = [...keys].sort((a, b) => Number(isAcceptable(b, now)) - Number(isAcceptable(a, now)));
  for (const key of byUse) {
    if (key.publicKey === undefined) continue;
    if (!await verifySignature(key.publicKey, bytes, signature)) continue;
    if (isAcceptable(key, now)) return key.fingerprint;
    const revoked = key.status === "revoked"; // R-KEY-06
    throw ruleError(
      revoked ? "E_SIG_KEY_REVOKED" : "E_SIG_KEY_EXPIRED",
      `cannot trust ${where}: signed by ${key.fingerprint}, which ${revoked ? "is revoked" : "has expired"}`,
      about,
    );
  }
  throw ruleError("E_SIG_INVALID", `cannot trust ${where}: its signature matches none of the trusted keys`, about);
}

function bytesOf({ bytes }: DetachedSignature): Uint8Array {
  return typeof bytes === "function" ? bytes() : bytes;
}

function trimWhitespace(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.length;
  while (start < end && WHITESPACE.has(bytes[start] ?? 0)) start++;
  while (end > start && WHITESPACE.has(bytes[end - 1] ?? 0)) end--;
  return bytes.subarray(start, end);
}
