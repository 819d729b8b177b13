/** Signature envelopes: inside packages and detached beside repository documents (section 13, F-SIG-07). */
import { excerpt, ruleError, type Warning } from "../errors.ts";
import { type Fingerprint, parseFingerprint } from "../identity/fingerprint.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import {
  checkNewline,
  checkSchemaVersion,
  fieldError,
  readDocument,
  readString,
  refuseUnknownFields,
} from "./document.ts";
import { JsonFields, writeDocument } from "./json_writer.ts";
import type { SigningKey } from "./keys.ts";
import { LIMITS } from "./limits.ts";

export interface SignatureEnvelope {
  readonly fingerprint: Fingerprint;
  /** 64 bytes. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

const FIELDS = ["schema_version", "algorithm", "key_fingerprint", "signature"];

/** 64 bytes in unpadded base64. */
const SIGNATURE_CHARACTERS = 86;

/**
 * Parses an envelope strictly: all four fields, no other.
 *
 * @param warn Receives `W_JSON_NEWLINE`.
 * @throws {PeipkgError} `format` (`E_LIMIT_METADATA`, `E_JSON_…`, `E_FIELD_MISSING`, `E_FIELD_UNKNOWN`,
 *   `E_FIELD_TYPE`, `E_SCHEMA_VERSION`), `signature` (`E_SIG_ALGORITHM`, `E_SIG_FINGERPRINT`, `E_SIG_ENCODING`)
 * @see F-SIG-06, R-SIG-05
 */
export function parseEnvelope(bytes: Uint8Array, warn?: (warning: Warning) => void): SignatureEnvelope {
  if (bytes.length > LIMITS.signatureBytes) {
    throw ruleError(
      "E_LIMIT_METADATA",
      `cannot read the signature document: it has ${bytes.length} bytes, limit is ${LIMITS.signatureBytes}`,
      { document: "signature" },
    );
  }
  const place = readDocument(bytes, { document: "signature" });
  checkSchemaVersion(place); // F-SIG-06: reported even when unknown fields are present
  refuseUnknownFields(place, FIELDS);
  const algorithm = readString(place, "algorithm");
  const fingerprintText = readString(place, "key_fingerprint");
  const signatureText = readString(place, "signature");
  if (algorithm !== "ed25519") {
    const shown = excerpt(algorithm, 80);
    throw fieldError(place, "algorithm", "E_SIG_ALGORITHM", `it is "${shown}", expected "ed25519"`);
  }
  const fingerprint = parseFingerprint(fingerprintText, "E_SIG_FINGERPRINT");
  const signature = signatureText.length === SIGNATURE_CHARACTERS ? decodeBase64(signatureText) : undefined;
  if (signature === undefined) {
    const expected = `expected ${SIGNATURE_CHARACTERS} characters of unpadded base64`;
    throw fieldError(place, "signature", "E_SIG_ENCODING", expected); // F-GEN-04
  }
  checkNewline(bytes, "signature", warn);
  return { fingerprint, signature };
}

/** Writes an envelope with its trailing LF (F-PRO-10). */
export function writeEnvelope(envelope: SignatureEnvelope): Uint8Array<ArrayBuffer> {
  return writeDocument(
    new JsonFields([
      ["schema_version", 1],
      ["algorithm", "ed25519"],
      ["key_fingerprint", envelope.fingerprint],
      ["signature", encodeBase64(envelope.signature)],
    ]),
  );
}

/**
 * Signs a digest.
 *
 * @param digest 32-byte SHA-256 of a package's signed range or of a document's exact bytes (F-SIG-03, F-SIG-07).
 * @returns The envelope's bytes.
 */
export async function signDigest(key: SigningKey, digest: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return writeEnvelope({ fingerprint: key.fingerprint, signature: await key.sign(digest) });
}
