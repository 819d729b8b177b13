/** New signing keys as files (C-RTOOL-01). */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { openSigningKey, writePrivateKeyPem, writePublicKeyPem } from "../format/keys.ts";
import { type PublishContext, RepositoryTree } from "./repository_tree.ts";

const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const SEED_BYTES = 32;

export interface KeygenRequest {
  /** The private key's file; `<file>.pub` is written beside it. */
  readonly path: string;
  /** 32 raw bytes each instead of PEM. */
  readonly raw?: boolean;
}

/**
 * Creates a key pair. Nothing is ever overwritten: a key that was lost to a slip cannot be had again.
 *
 * @returns The fingerprint.
 * @throws {PeipkgError} `exists`, `io`
 */
export async function createKeyFiles(context: PublishContext, request: KeygenRequest): Promise<string> {
  const { path, raw = false } = request;
  const seed = context.session.system.randomBytes(SEED_BYTES);
  const key = await openSigningKey(seed);
  const slash = path.lastIndexOf("/");
  const [parent, name] = slash < 0 ? [".", path] : [path.slice(0, slash) || "/", path.slice(slash + 1)];
  using tree = new RepositoryTree(context, parent);
  using directory = tree.place("x").directory;
  const text = (pem: string) => new TextEncoder().encode(pem);
  const files = [
    [name, raw ? seed : text(writePrivateKeyPem(seed)), PRIVATE_MODE],
    [`${name}.pub`, raw ? key.publicKey : text(writePublicKeyPem(key.publicKey)), PUBLIC_MODE],
  ] as const;
  for (const [file] of files) {
    if (directory.status(file) !== undefined) throw existsError(`${parent}/${file}`);
  }
  for (const [file, bytes, mode] of files) {
    try {
      using output = directory.createFile(file, mode);
      output.write(bytes);
      output.sync();
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      if (error.errno === "EEXIST") throw existsError(`${parent}/${file}`);
      throw new PeipkgError("io", `cannot write "${parent}/${file}": ${error.errno}`, { path: file, cause: error });
    }
  }
  directory.sync();
  return key.fingerprint;
}

function existsError(path: string): PeipkgError {
  return new PeipkgError("exists", `cannot write key "${path}": it exists`, { path });
}
