/** A new, empty, signed repository (R-PROD-04, C-RTOOL-02). */
import { PeipkgError } from "../errors.ts";
import { fingerprintOf, type SigningKey } from "../format/keys.ts";
import { openOrCreateChild } from "../fs/durable.ts";
import type { Descriptor } from "../repository/descriptor.ts";
import { keyPath } from "../repository/urls.ts";
import {
  DESCRIPTOR_FILE,
  indexFile,
  type IndexKind,
  type PublishContext,
  RepositoryTree,
  writeDescriptor,
  writeIndex,
} from "./repository_tree.ts";

export interface InitRequest {
  /** Absent or empty. */
  readonly directory: string;
  readonly name: string;
  readonly description?: string;
  readonly signingKey: SigningKey;
  /** Public keys listed as active beside it, e.g. one kept offline (R-ROT-03). */
  readonly extraKeys?: readonly Uint8Array[];
  /** RFC 3339, `Z`. */
  readonly timestamp: string;
}

/**
 * Creates a repository: one active key and both indexes, empty, at version 1.
 *
 * @throws {PeipkgError} `exists` when the directory is not empty, `usage` when the name is empty
 */
export async function initRepository(context: PublishContext, request: InitRequest): Promise<void> {
  if (request.name === "") throw new PeipkgError("usage", "cannot create a repository without a name");
  createDirectory(context, request.directory);
  using tree = new RepositoryTree(context, request.directory);
  if (tree.list("").length > 0) {
    throw new PeipkgError("exists", `cannot create a repository in "${request.directory}": it is not empty`, {
      path: request.directory,
    });
  }
  const publicKeys = [request.signingKey.publicKey, ...request.extraKeys ?? []];
  const keys = new Map(publicKeys.map((key) => [fingerprintOf(key), key]));
  for (const [fingerprint, key] of keys) tree.writeKey(fingerprint, key);
  const descriptor: Descriptor = {
    repositoryName: request.name,
    description: request.description ?? "",
    keys: [...keys.keys()].map((fingerprint) => ({
      fingerprint,
      url: keyPath(fingerprint),
      status: "active",
      validUntil: undefined,
    })),
    active: pointerOf("active"),
    archive: pointerOf("archive"),
  };
  for (const kind of ["archive", "active"] as const) {
    const head = { repositoryName: request.name, kind, indexVersion: 1, generatedAt: request.timestamp };
    await tree.writeSigned(indexFile(kind), writeIndex(head, [], context.layout), request.signingKey);
  }
  // The descriptor comes last: with it the directory is a repository (R-PROD-09).
  await tree.writeSigned(DESCRIPTOR_FILE, writeDescriptor(descriptor), request.signingKey);
}

function pointerOf(kind: IndexKind): Descriptor["active"] {
  const url = `/${indexFile(kind)}`;
  return { url, signatureUrl: `${url}.sig` };
}

/** Makes the directory itself when only it is missing. */
export function createDirectory(context: PublishContext, path: string): void {
  const clean = path.replace(/(?<=.)\/+$/, "");
  const slash = clean.lastIndexOf("/");
  const [parent, name] = slash < 0 ? [".", clean] : [clean.slice(0, slash) || "/", clean.slice(slash + 1)];
  if (name === "" || name === "." || name === "..") return;
  using base = new RepositoryTree(context, parent);
  using place = base.place("x").directory;
  openOrCreateChild(place, name, 0o755)[Symbol.dispose]();
}
