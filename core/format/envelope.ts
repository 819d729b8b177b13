/** Signature envelopes: inside packages and detached beside repository documents (section 13, F-SIG-07). */
import type { Fingerprint } from "../identity/fingerprint.ts";

export interface SignatureEnvelope {
  readonly fingerprint: Fingerprint;
  /** 64 bytes. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * Parses an envelope strictly.
 *
 * @throws {PeipkgError} `E_LIMIT_METADATA`, `E_JSON_…`, `E_FIELD_MISSING`, `E_FIELD_UNKNOWN`, `E_FIELD_TYPE`,
 *   `E_SCHEMA_VERSION`, `E_SIG_ALGORITHM`, `E_SIG_FINGERPRINT`, `E_SIG_ENCODING`
 * @see F-SIG-06, R-SIG-05
 */
export declare function parseEnvelope(bytes: Uint8Array): SignatureEnvelope;

/** Writes an envelope with its trailing LF (F-PRO-10). */
export declare function writeEnvelope(envelope: SignatureEnvelope): Uint8Array<ArrayBuffer>;
