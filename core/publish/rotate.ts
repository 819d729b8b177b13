/** Key rotation, revocation and dropping of keys (R-ROT-01, R-ROT-04, C-RTOOL-05). */
import { PeipkgError } from "../errors.ts";
import type { SigningKey } from "../format/keys.ts";
import { formatTimestamp, parseTimestamp } from "../identity/timestamp.ts";
import type { DescriptorKey } from "../repository/descriptor.ts";
import { isAcceptable } from "../repository/trust_set.ts";
import { keyPath } from "../repository/urls.ts";
import { checkSigner } from "./publish.ts";
import { DESCRIPTOR_FILE, indexFile, type PublishContext, RepositoryTree, writeDescriptor } from "./repository_tree.ts";

/** The key table before and after a change. */
export interface KeyChange {
  readonly before: readonly DescriptorKey[];
  readonly after: readonly DescriptorKey[];
}

export type KeyRequest =
  & { readonly directory: string; readonly signingKey: SigningKey; readonly timestamp: string }
  & (
    /** `newKey` becomes active, the signing key transitioning for `validDays`. */
    | { readonly kind: "rotate"; readonly newKey: SigningKey; readonly validDays: number }
    | { readonly kind: "revoke"; readonly fingerprint: string }
    /** Takes an expired key off the list. */
    | { readonly kind: "drop"; readonly fingerprint: string }
  );

/**
 * Changes the keys of a repository. The descriptor is signed by the key today's consumers accept, the indexes by the
 * one that stays.
 *
 * @throws {PeipkgError} `failed` when no active key would remain or the key may not sign
 */
export async function changeKeys(context: PublishContext, request: KeyRequest): Promise<KeyChange> {
  using tree = new RepositoryTree(context, request.directory);
  const descriptor = tree.descriptor();
  checkSigner(descriptor, request.signingKey);
  const after = nextKeys(descriptor.keys, request);
  if (!after.some((key) => key.status === "active")) {
    throw new PeipkgError("failed", "cannot change the keys: no active key would remain");
  }
  const signer = after.find((key) => key.fingerprint === request.signingKey.fingerprint);
  if (signer === undefined || signer.status === "revoked") {
    throw new PeipkgError("failed", `cannot sign with key ${request.signingKey.fingerprint}: it would be revoked`);
  }
  const indexKey = request.kind === "rotate" ? request.newKey : request.signingKey;
  if (request.kind === "rotate") tree.writeKey(indexKey.fingerprint, indexKey.publicKey);
  for (const kind of ["archive", "active"] as const) await tree.signAgain(indexFile(kind), indexKey);
  await tree.writeSigned(DESCRIPTOR_FILE, writeDescriptor({ ...descriptor, keys: after }), request.signingKey);
  return { before: descriptor.keys, after: tree.descriptor().keys };
}

function nextKeys(keys: readonly DescriptorKey[], request: KeyRequest): readonly DescriptorKey[] {
  switch (request.kind) {
    case "rotate":
      return rotate(keys, request);
    case "revoke":
      requireListed(keys, request.fingerprint);
      return keys.map((key) =>
        key.fingerprint === request.fingerprint ? { ...key, status: "revoked", validUntil: undefined } : key
      );
    case "drop": {
      const key = requireListed(keys, request.fingerprint);
      const now = secondsOf(request.timestamp) * 1000;
      if (key.status !== "transitioning" || isAcceptable(key, now)) { // R-ROT-04: revoked entries stay
        throw new PeipkgError("failed", `cannot drop key ${key.fingerprint}: it is ${key.status}, expected expired`);
      }
      return keys.filter((item) => item !== key);
    }
  }
}

function rotate(
  keys: readonly DescriptorKey[],
  request: KeyRequest & { readonly kind: "rotate" },
): readonly DescriptorKey[] {
  const { fingerprint } = request.newKey;
  if (keys.some((key) => key.fingerprint === fingerprint)) {
    throw new PeipkgError("failed", `cannot rotate to key ${fingerprint}: it is listed already`);
  }
  const validUntil = formatTimestamp(secondsOf(request.timestamp) + request.validDays * 86_400);
  const rest = keys.map((key): DescriptorKey =>
    key.fingerprint === request.signingKey.fingerprint ? { ...key, status: "transitioning", validUntil } : key
  );
  return [...rest, { fingerprint, url: keyPath(fingerprint), status: "active", validUntil: undefined }];
}

function requireListed(keys: readonly DescriptorKey[], fingerprint: string): DescriptorKey {
  const found = keys.find((key) => key.fingerprint === fingerprint);
  if (found !== undefined) return found;
  throw new PeipkgError("failed", `cannot change key ${fingerprint}: the descriptor does not list it`);
}

function secondsOf(timestamp: string): number {
  const parsed = parseTimestamp(timestamp);
  if (parsed !== undefined) return parsed.seconds;
  throw new PeipkgError("usage", `cannot use timestamp "${timestamp}": expected RFC 3339 with Z`);
}
