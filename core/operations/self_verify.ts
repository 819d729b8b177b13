/**
 * The program's own file against a signed list of sums, as a release publishes it: `SHA256SUMS`, with a detached
 * envelope beside it. It finds damage and mix-ups; it cannot prove anything about a program that lies, which is what
 * `sha256sum -c` and another machine are for.
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { parseEnvelope } from "../format/envelope.ts";
import { sha256 } from "../format/hash.ts";
import { fingerprintOf, verifyWithTrustedKeys } from "../format/keys.ts";
import { LIMITS } from "../format/limits.ts";
import { hashFile } from "../repository/byte_source.ts";
import type { Session } from "../system.ts";
import { readPublicKeyFile } from "./key_files.ts";
import { openNamedFile, readNamedFile } from "./named_files.ts";

/** A release lists some ten files. */
const SUMS_BYTES = 64 * 1024;
const LINE_REGEXP = /^([0-9a-f]{64}) [ *]([\w.+-]{1,255})$/;

export interface SelfVerificationRequest {
  /** The list, in the form `sha256sum` reads. */
  readonly sums: string;
  /** Its signature; absent: `<sums>.sig`. */
  readonly signature?: string;
  /** Public key files, one of which must have signed. */
  readonly keys: readonly string[];
  /** Fingerprints the signer must be among; empty: any of `keys`. */
  readonly fingerprints: readonly string[];
}

export interface SelfVerification {
  /** The program's file. */
  readonly path: string;
  /** Of its bytes, 64 lowercase hex digits. */
  readonly sha256: string;
  /** Names under which the list has these bytes. */
  readonly listedAs: readonly string[];
  /** Fingerprint of the signer. */
  readonly signedBy: string;
}

/**
 * Verifies the list's signature, then looks for the program's sum in it. The file may have any name.
 *
 * @throws {PeipkgError} `signature` (as the envelope's), `format` for a list with other lines, `hash` when it does not
 *   list the program's bytes, `io`, `denied`
 * @see F-SIG-07, F-TRU-02
 */
export async function verifySelf(session: Session, request: SelfVerificationRequest): Promise<SelfVerification> {
  const { sums, fingerprints } = request;
  const path = session.system.machine.programPath;
  if (path === undefined) throw new PeipkgError("failed", "cannot verify: the program's own file is unknown");
  const bytes = readNamedFile(session, sums, SUMS_BYTES);
  const envelope = parseEnvelope(readNamedFile(session, request.signature ?? `${sums}.sig`, LIMITS.signatureBytes));
  const keys = request.keys.map((file) => {
    const publicKey = readPublicKeyFile(session, file);
    return { fingerprint: fingerprintOf(publicKey), publicKey, status: "active" } as const;
  });
  await verifyWithTrustedKeys(envelope, sha256(bytes), keys, session.system.now(), `"${sums}"`);
  const signedBy = envelope.fingerprint;
  if (fingerprints.length > 0 && !fingerprints.includes(signedBy)) {
    throw ruleError(
      "E_SIG_KEY_UNTRUSTED",
      `cannot trust "${sums}": it is signed by ${signedBy}, another was expected`,
      {
        key: signedBy,
      },
    );
  }
  const listed = readSums(bytes, sums);
  using program = openNamedFile(session, path);
  const digest = hashFile(program);
  const listedAs = listed.filter((entry) => entry.digest === digest).map(({ name }) => name);
  if (listedAs.length === 0) {
    throw new PeipkgError("hash", `cannot vouch for "${path}": its SHA-256 ${digest} is not listed in "${sums}"`, {
      path,
      hint: "use the list of this very version, or install the program again",
    });
  }
  return { path, sha256: digest, listedAs, signedBy };
}

function readSums(bytes: Uint8Array, file: string): readonly { readonly digest: string; readonly name: string }[] {
  const lines = new TextDecoder().decode(bytes).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line, index) => {
    const [, digest, name] = LINE_REGEXP.exec(line) ?? [];
    if (digest !== undefined && name !== undefined) return { digest, name };
    throw new PeipkgError("format", `cannot read "${file}" line ${index + 1}: expected a SHA-256 and a file name`, {
      path: file,
    });
  });
}
