/**
 * Ed25519 keys and signatures (section 13.1). The only file of this room that names WebCrypto.
 *
 * The runtime's verifier follows RFC 8032, which leaves room at its edges. Signatures whose S is not reduced, and
 * points that are not canonical or of small order, are refused here first, so that every consumer answers alike.
 */
import { type PeipkgError, ruleError } from "../errors.ts";
import { type Fingerprint, parseFingerprint } from "../identity/fingerprint.ts";
import { parseTimestamp, timestampMilliseconds } from "../identity/timestamp.ts";
import { sha256Hex } from "./hash.ts";
import { LIMITS } from "./limits.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** F-KEY-02: everything of an Ed25519 SubjectPublicKeyInfo but the key. */
const PUBLIC_KEY_PREFIX = Uint8Array.fromHex("302a300506032b6570032100");
/** F-KEY-03: everything of an Ed25519 PKCS#8 private key but the seed. */
const PRIVATE_KEY_PREFIX = Uint8Array.fromHex("302e020100300506032b657004220420");

/** A private key ready to sign. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly fingerprint: Fingerprint;
  /** Ed25519 over `message`: 64 bytes. Documents and packages sign their SHA-256 digest (F-SIG-03). */
  sign(message: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

/** A key of one repository's trust set, or one the operator named. */
export interface TrustedKey {
  readonly fingerprint: string;
  /** `undefined`: the key is listed but could not be obtained. */
  readonly publicKey: Uint8Array | undefined;
  readonly status: "active" | "transitioning" | "revoked";
  /** RFC 3339; until when a transitioning key is accepted. */
  readonly validUntil?: string;
}

/**
 * Reads a public key file: exactly 32 raw bytes, or text with a PEM block `PUBLIC KEY`.
 *
 * @returns 32 bytes.
 * @throws {PeipkgError} `signature` (`E_KEY_FORMAT`)
 * @see F-KEY-01, F-KEY-02
 */
export function readPublicKey(file: Uint8Array): Uint8Array<ArrayBuffer> {
  return readKeyFile(file, "PUBLIC KEY", PUBLIC_KEY_PREFIX);
}

/**
 * Reads a private key file: exactly 32 raw bytes (the seed), or text with a PEM block `PRIVATE KEY`.
 *
 * @returns The 32-byte seed.
 * @throws {PeipkgError} `signature` (`E_KEY_FORMAT`)
 * @see F-KEY-03
 */
export function readPrivateKey(file: Uint8Array): Uint8Array<ArrayBuffer> {
  return readKeyFile(file, "PRIVATE KEY", PRIVATE_KEY_PREFIX);
}

/** Writes a public key as a PEM block (F-KEY-02). */
export function writePublicKeyPem(publicKey: Uint8Array): string {
  return writePem("PUBLIC KEY", PUBLIC_KEY_PREFIX, publicKey);
}

/** Writes a seed as a PEM block (F-KEY-03). */
export function writePrivateKeyPem(seed: Uint8Array): string {
  return writePem("PRIVATE KEY", PRIVATE_KEY_PREFIX, seed);
}

/** Fingerprint of a raw public key (F-KEY-04). */
export function fingerprintOf(publicKey: Uint8Array): Fingerprint {
  return parseFingerprint(sha256Hex(publicKey));
}

/**
 * Checks that a key has the fingerprint it is published under.
 *
 * @throws {PeipkgError} `signature` (`E_KEY_FINGERPRINT`)
 * @see F-KEY-04
 */
export function checkFingerprint(publicKey: Uint8Array, fingerprint: string): void {
  const actual = fingerprintOf(publicKey);
  if (actual === fingerprint) return;
  throw ruleError(
    "E_KEY_FINGERPRINT",
    `cannot use key ${fingerprint}: the key found under this fingerprint has fingerprint ${actual}`,
    { key: fingerprint },
  );
}

/**
 * Prepares a seed for signing.
 *
 * @param seed 32 bytes, as `readPrivateKey()` returns them.
 * @throws {PeipkgError} `signature` (`E_KEY_FORMAT`)
 */
export async function openSigningKey(seed: Uint8Array): Promise<SigningKey> {
  if (seed.length !== KEY_BYTES) throw badKey(`a seed has ${KEY_BYTES} bytes, found ${seed.length}`);
  const key = await crypto.subtle.importKey("pkcs8", join(PRIVATE_KEY_PREFIX, seed), "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", key);
  if (x === undefined) throw badKey("the public half could not be computed");
  const publicKey = Uint8Array.fromBase64(x, { alphabet: "base64url" });
  return {
    publicKey,
    fingerprint: fingerprintOf(publicKey),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, new Uint8Array(message))),
  };
}

/**
 * Verifies an Ed25519 signature. Never throws: a malformed key or signature is one that does not verify.
 *
 * @param publicKey Raw key.
 * @param message What was signed; for documents and packages the 32-byte digest (F-SIG-03).
 * @param signature 64 bytes.
 * @see F-GEN-03, F-KEY-06
 */
export async function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  if (!isSoundPoint(publicKey) || !isSoundPoint(signature.subarray(0, KEY_BYTES))) return false;
  if (readLittleEndian(signature.subarray(KEY_BYTES)) >= GROUP_ORDER) return false; // F-KEY-06
  try {
    const key = await crypto.subtle.importKey("raw", new Uint8Array(publicKey), "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, new Uint8Array(signature), new Uint8Array(message));
  } catch {
    return false; // bytes that are no point of the curve
  }
}

/**
 * Verifies a signature over a digest with the one key its envelope names. No other key is tried (F-TRU-02).
 *
 * @param signed Fingerprint and signature of an envelope.
 * @param digest 32-byte SHA-256.
 * @param keys The trust set in scope (F-TRU-01).
 * @param now Milliseconds since the epoch.
 * @param subject What is signed, for messages.
 * @throws {PeipkgError} `signature` (`E_SIG_KEY_UNTRUSTED`, `E_SIG_KEY_EXPIRED`, `E_SIG_KEY_REVOKED`,
 *   `E_KEY_UNAVAILABLE`, `E_KEY_FINGERPRINT`, `E_SIG_INVALID`)
 * @see F-TRU-01 … F-TRU-03, F-VFY-06
 */
export async function verifyWithTrustedKeys(
  signed: { readonly fingerprint: string; readonly signature: Uint8Array },
  digest: Uint8Array,
  keys: readonly TrustedKey[],
  now: number,
  subject = "the signature",
): Promise<void> {
  const { fingerprint } = signed;
  const refuse = (rule: Parameters<typeof ruleError>[0], found: string) =>
    ruleError(rule, `cannot trust ${subject}: ${found}`, { key: fingerprint });
  const key = keys.find((candidate) => candidate.fingerprint === fingerprint);
  if (key === undefined) throw refuse("E_SIG_KEY_UNTRUSTED", `key ${fingerprint} is not trusted here`);
  if (key.status === "revoked") throw refuse("E_SIG_KEY_REVOKED", `key ${fingerprint} is revoked`);
  if (!isKeyAcceptable(key, now)) {
    throw refuse("E_SIG_KEY_EXPIRED", `key ${fingerprint} was accepted until ${key.validUntil ?? "an unknown time"}`);
  }
  if (key.publicKey === undefined) throw refuse("E_KEY_UNAVAILABLE", `key ${fingerprint} could not be obtained`);
  checkFingerprint(key.publicKey, fingerprint);
  if (!await verifySignature(key.publicKey, digest, signed.signature)) {
    throw refuse("E_SIG_INVALID", `it does not verify with key ${fingerprint}`);
  }
}

/**
 * Whether a key's status lets it sign at a moment.
 *
 * @param now Milliseconds since the epoch.
 * @see F-TRU-03
 */
export function isKeyAcceptable(key: TrustedKey, now: number): boolean {
  if (key.status !== "transitioning") return key.status === "active";
  const until = key.validUntil === undefined ? undefined : parseTimestamp(key.validUntil);
  return until !== undefined && now <= timestampMilliseconds(until);
}

function readKeyFile(file: Uint8Array, label: string, prefix: Uint8Array): Uint8Array<ArrayBuffer> {
  if (file.length === KEY_BYTES) return new Uint8Array(file); // F-KEY-01: content decides, not the name
  if (file.length > LIMITS.keyFileBytes) {
    throw badKey(`the file has ${file.length} bytes, limit is ${LIMITS.keyFileBytes}`);
  }
  const block = /-----BEGIN ([A-Z0-9 ]*)-----([^-]*)-----END ([A-Z0-9 ]*)-----/.exec(
    new TextDecoder("latin1").decode(file),
  );
  if (block === null) throw badKey(`expected ${KEY_BYTES} raw bytes or a PEM block "${label}"`);
  if (block[1] !== label || block[3] !== label) {
    throw badKey(`the first PEM block is "${block[1] ?? ""}", expected "${label}"`);
  }
  const der = decodePemBody(block[2] ?? "");
  const sound = der !== undefined && der.length === prefix.length + KEY_BYTES &&
    prefix.every((byte, at) => der[at] === byte);
  if (!sound) throw badKey("the PEM block holds no Ed25519 key");
  return der.slice(prefix.length);
}

function decodePemBody(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}

function writePem(label: string, prefix: Uint8Array, key: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${join(prefix, key).toBase64()}\n-----END ${label}-----\n`;
}

function join(prefix: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(prefix.length + key.length);
  joined.set(prefix);
  joined.set(key, prefix.length);
  return joined;
}

function badKey(found: string): PeipkgError {
  return ruleError("E_KEY_FORMAT", `cannot read key: ${found}`);
}

/** Order of the group the base point generates. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
/** Prime of the field that coordinates live in. */
const FIELD_PRIME = 2n ** 255n - 19n;
/** The y coordinates of the eight points of small order; both signs of x share one. */
const SMALL_ORDER_YS: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  readLittleEndian(Uint8Array.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
  readLittleEndian(Uint8Array.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")),
]);

/** Whether an encoded point has a reduced y and is not of small order. That it lies on the curve is checked later. */
function isSoundPoint(encoded: Uint8Array): boolean {
  const y = readLittleEndian(encoded) & (2n ** 255n - 1n); // the top bit is the sign of x
  return y < FIELD_PRIME && !SMALL_ORDER_YS.has(y);
}

function readLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.slice().reverse().toHex()}`);
}
