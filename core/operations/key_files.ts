/** Key files: reading them with the care a private key deserves, and making new ones (cli.md section 12). */
import { PeipkgError } from "../errors.ts";
import {
  fingerprintOf,
  openSigningKey,
  readPrivateKey,
  readPublicKey,
  type SigningKey,
  writePrivateKeyPem,
  writePublicKeyPem,
} from "../format/keys.ts";
import type { Session } from "../system.ts";
import { openNamedFile, openNamedParent, readNamedFile, writeNamedFile } from "./named_files.ts";

/** Largest key file that is read (F-KEY-02). */
const KEY_FILE_BYTES = 64 * 1024;
const READABLE_BY_OTHERS = 0o077;
const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const SEED_BYTES = 32;

/**
 * Reads a private key for signing.
 *
 * @param allowLoose Accept a file that others may read.
 * @throws {PeipkgError} `denied` for a file others may read, `signature` (`E_KEY_FORMAT`), `io`
 * @see F-KEY-03
 */
export async function readSigningKey(session: Session, path: string, allowLoose: boolean): Promise<SigningKey> {
  using file = openNamedFile(session, path);
  if (!allowLoose && (file.status().mode & READABLE_BY_OTHERS) !== 0) {
    throw new PeipkgError("denied", `cannot use the key "${path}": others than its owner may read it`, {
      path,
      hint: `run "chmod 600 ${path}", or pass --allow-loose-key`,
    });
  }
  return await openSigningKey(readPrivateKey(readNamedFile(session, path, KEY_FILE_BYTES)));
}

/** Reads a public key file. @throws {PeipkgError} `signature` (`E_KEY_FORMAT`), `io` */
export function readPublicKeyFile(session: Session, path: string): Uint8Array<ArrayBuffer> {
  return readPublicKey(readNamedFile(session, path, KEY_FILE_BYTES));
}

/**
 * Makes an Ed25519 key: the private file for its owner alone, the public one beside it as `FILE.pub`. Never overwrites.
 *
 * @param raw Raw bytes in both files instead of PEM.
 * @returns The fingerprint.
 * @throws {PeipkgError} `exists`, `denied`, `io`
 * @see C-RTOOL-01
 */
export async function generateKey(session: Session, path: string, raw: boolean): Promise<string> {
  const publicPath = `${path}.pub`;
  const { directory, name } = openNamedParent(session, publicPath);
  using _directory = directory;
  if (directory.status(name) !== undefined) {
    throw new PeipkgError("exists", `cannot write "${publicPath}": it exists`, { path: publicPath });
  }
  const seed = session.system.randomBytes(SEED_BYTES);
  const { publicKey } = await openSigningKey(seed);
  const encoder = new TextEncoder();
  await writeNamedFile(session, path, PRIVATE_MODE, false, (file) => {
    file.write(raw ? seed : encoder.encode(writePrivateKeyPem(seed)));
  });
  await writeNamedFile(session, publicPath, PUBLIC_MODE, false, (file) => {
    file.write(raw ? publicKey : encoder.encode(writePublicKeyPem(publicKey)));
  });
  return fingerprintOf(publicKey);
}
