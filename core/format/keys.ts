/** Ed25519 keys and signatures (section 13.1). The only file of this room that names WebCrypto. */
import type { Fingerprint } from "../identity/fingerprint.ts";

/** Reads a public key file: 32 raw bytes or one PEM block. `E_KEY_FORMAT`. F-KEY-01, F-KEY-02. Returns 32 bytes. */
export declare function readPublicKey(file: Uint8Array): Uint8Array<ArrayBuffer>;
/** Reads a private key file: a raw seed or PKCS#8 PEM. `E_KEY_FORMAT`. F-KEY-03. Returns the 32-byte seed. */
export declare function readPrivateKey(file: Uint8Array): Uint8Array<ArrayBuffer>;
/** Writes a public key as PEM with LF line ends. */
export declare function writePublicKeyPem(publicKey: Uint8Array): string;
/** Writes a seed as PKCS#8 PEM. */
export declare function writePrivateKeyPem(seed: Uint8Array): string;
/** F-KEY-04 */
export declare function fingerprintOf(publicKey: Uint8Array): Fingerprint;
/** Checks that a key has the fingerprint it is published under. `E_KEY_FINGERPRINT`. F-KEY-04 */
export declare function checkFingerprint(publicKey: Uint8Array, fingerprint: string): void;

/** A private key ready to sign. */
export interface SigningKey {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly fingerprint: Fingerprint;
  /** Ed25519 over `message`; 64 bytes. For documents and packages the message is the SHA-256 digest (F-SIG-03). */
  sign(message: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}

/** Prepares a seed for signing. */
export declare function openSigningKey(seed: Uint8Array): Promise<SigningKey>;

/**
 * Verifies an Ed25519 signature. Never throws for a bad key or signature: small-order and non-canonical points and
 * S at or above the group order are simply not valid (F-KEY-06).
 */
export declare function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean>;

export interface TrustedKey {
  readonly fingerprint: string;
  /** `undefined`: the key is listed but could not be obtained. */
  readonly publicKey: Uint8Array | undefined;
  readonly status: "active" | "transitioning" | "revoked";
  /** RFC 3339; of a transitioning key. */
  readonly validUntil?: string;
}

/**
 * Verifies an envelope's signature over a digest with the key it names.
 *
 * @param now Milliseconds since the epoch.
 * @throws {PeipkgError} `signature` (`E_SIG_KEY_UNTRUSTED`, `E_SIG_KEY_EXPIRED`, `E_SIG_KEY_REVOKED`,
 *   `E_KEY_UNAVAILABLE`, `E_SIG_INVALID`)
 * @see F-TRU-01 … F-TRU-03, F-VFY-06
 */
export declare function verifyWithTrustedKeys(
  envelope: { readonly fingerprint: Fingerprint; readonly signature: Uint8Array },
  digest: Uint8Array,
  keys: readonly TrustedKey[],
  now: number,
): Promise<void>;
