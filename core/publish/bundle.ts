/**
 * A bundle: a complete small repository for machines without network, signed with the operator's own key, holding
 * packages as their publishers signed them (C-BUNDLE-01, C-BUNDLE-03, C-BUNDLE-04).
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { createSha256 } from "../format/hash.ts";
import { JsonFields, writeDocument } from "../format/json_writer.ts";
import { checkFingerprint, type SigningKey, type TrustedKey } from "../format/keys.ts";
import type { ByteSource } from "../format/package_file.ts";
import { resignPackage } from "../format/resign.ts";
import { compareTimestamps, parseTimestamp } from "../identity/timestamp.ts";
import { parseDescriptor } from "../repository/descriptor.ts";
import { verifyDetached } from "../repository/detached.ts";
import { parseIndex } from "../repository/index.ts";
import { FETCH_LIMITS } from "../repository/transport.ts";
import { checkSignerListed } from "../repository/trust.ts";
import { initRepository } from "./init.ts";
import { publishRepository } from "./publish.ts";
import {
  DESCRIPTOR_FILE,
  indexFile,
  packageFile,
  type PublishContext,
  type PublishedPackage,
  RepositoryTree,
} from "./repository_tree.ts";

/** One verified package that goes into the bundle. */
export interface BundleItem {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** SHA-256 of the file, hex. */
  readonly hash: string;
  /** Handle of the repository it came from. */
  readonly origin: string;
  readonly source: ByteSource;
  /** Public key its inline signature verified with; `undefined`: unsigned. */
  readonly signer: Uint8Array | undefined;
  /** Time its entries carry, seconds since the epoch; for signing it again. */
  readonly modifiedSeconds: number;
}

/** What an earlier bundle said about itself. */
export interface PreviousBundle {
  readonly indexVersion: number;
  /** RFC 3339, `Z`. */
  readonly generatedAt: string;
}

export interface BundleRequest {
  /** Absent or empty. */
  readonly directory: string;
  readonly name: string;
  readonly signingKey: SigningKey;
  /** RFC 3339, `Z`; its Unix time is the index version. */
  readonly timestamp: string;
  /** Names as asked for, for `bundle.json`. */
  readonly requested: readonly string[];
  readonly items: readonly BundleItem[];
  /** An earlier bundle for the same machines: this one is newer in both respects (R-FRESH-01). */
  readonly previous?: PreviousBundle;
  /** Put the operator's signature into each package instead of listing its publisher's key. */
  readonly resign?: boolean;
}

export interface BundleResult {
  readonly indexVersion: number;
  readonly packages: readonly PublishedPackage[];
  /** Every key the descriptor lists; the operator's first. */
  readonly fingerprints: readonly string[];
}

/**
 * Reads what a later bundle must exceed. A forged index could name a version no later bundle exceeds, so the index
 * must be signed with the operator's own key; the descriptor may be signed with another key of the list, as it is
 * after a rotation.
 *
 * @param now Milliseconds since the epoch.
 * @throws {PeipkgError} `io`, `format`, `signature` (`E_SIG_MISSING`, `E_SIGNER_NOT_LISTED`, `E_SIG_INVALID`, …)
 * @see C-BUNDLE-04, R-SIG-08 … R-SIG-10
 */
export async function readPreviousBundle(
  context: PublishContext,
  directory: string,
  signingKey: SigningKey,
  now: number,
): Promise<PreviousBundle> {
  using tree = new RepositoryTree(context, directory);
  const signedDescriptor = readSigned(tree, DESCRIPTOR_FILE, "descriptor", FETCH_LIMITS.descriptorBytes);
  const descriptor = parseDescriptor(signedDescriptor.bytes);
  const handle = descriptor.repositoryName;
  checkSignerListed(handle, descriptor, signingKey.fingerprint, now);
  const keys = descriptor.keys.map((key): TrustedKey => ({
    fingerprint: key.fingerprint,
    publicKey: key.fingerprint === signingKey.fingerprint ? signingKey.publicKey : listedKey(tree, key.fingerprint),
    status: key.status,
    ...(key.validUntil === undefined ? {} : { validUntil: key.validUntil }),
  }));
  await verifyDetached({ ...signedDescriptor, repository: handle }, keys, now);
  const signedIndex = readSigned(tree, indexFile("active"), "active index", FETCH_LIMITS.indexBytes);
  const own = keys.filter((key) => key.fingerprint === signingKey.fingerprint);
  await verifyDetached({ ...signedIndex, repository: handle }, own, now);
  const { indexVersion, generatedAt } = parseIndex(signedIndex.bytes, {
    handle,
    kind: "active",
    repositoryName: handle,
    layout: context.layout,
  });
  return { indexVersion, generatedAt: generatedAt.raw };
}

/** The file is read once, so that what is parsed is what was verified. */
function readSigned(tree: RepositoryTree, path: string, document: string, limitBytes: number) {
  const bytes = tree.read(path, limitBytes);
  if (bytes === undefined) {
    throw new PeipkgError("io", `cannot read the previous bundle "${tree.path}": ${path} is missing`, { path });
  }
  const signature = tree.read(`${path}.sig`, FETCH_LIMITS.signatureBytes);
  if (signature !== undefined) return { document, bytes, signature };
  throw ruleError("E_SIG_MISSING", `cannot trust the previous bundle "${tree.path}": ${path}.sig is missing`, {
    document,
    path: `${path}.sig`,
  });
}

function listedKey(tree: RepositoryTree, fingerprint: string): Uint8Array | undefined {
  const publicKey = tree.publicKey(fingerprint);
  if (publicKey !== undefined) checkFingerprint(publicKey, fingerprint);
  return publicKey;
}

/**
 * Writes a bundle.
 *
 * @throws {PeipkgError} `exists` when the directory is not empty; `usage` for a time before the previous bundle's;
 * `signature` (`E_SIG_MISSING`) for an unsigned package, which its target would refuse; `hash` (`PKG_CHANGED`)
 */
export async function writeBundle(context: PublishContext, request: BundleRequest): Promise<BundleResult> {
  const { directory, name, signingKey, timestamp } = request;
  checkLater(timestamp, request.previous);
  const extraKeys = request.resign === true ? [] : request.items.map(signerOf);
  await initRepository(context, { directory, name, signingKey, extraKeys, timestamp });
  using tree = new RepositoryTree(context, directory);
  try {
    return await fillBundle(context, tree, request);
  } catch (error) {
    tree.clear(); // the directory was empty before, and half a bundle looks like a whole one
    throw error;
  }
}

async function fillBundle(
  context: PublishContext,
  tree: RepositoryTree,
  request: BundleRequest,
): Promise<BundleResult> {
  const { directory, signingKey, timestamp, items, previous } = request;
  const hashes: string[] = [];
  for (const item of items) hashes.push(await storeItem(tree, item, request));
  const seconds = parseTimestamp(timestamp)?.seconds ?? 0;
  const published = await publishRepository(context, {
    directory,
    signingKey,
    timestamp,
    refreshDate: true,
    minimumIndexVersion: Math.max(seconds, (previous?.indexVersion ?? 0) + 1),
  });
  tree.write("bundle.json", bundleDocument(request, hashes));
  const listed = tree.descriptor().keys.map((key) => key.fingerprint);
  return {
    indexVersion: published.indexVersion,
    packages: published.kind === "published" ? published.packages : [],
    fingerprints: [signingKey.fingerprint, ...listed.filter((key) => key !== signingKey.fingerprint)],
  };
}

/** A machine that has seen the previous bundle refuses anything dated before it (R-FRESH-01). */
function checkLater(timestamp: string, previous: PreviousBundle | undefined): void {
  if (previous === undefined) return;
  const [next, last] = [parseTimestamp(timestamp), parseTimestamp(previous.generatedAt)];
  if (next === undefined || last === undefined || compareTimestamps(next, last) >= 0) return;
  throw new PeipkgError(
    "usage",
    `cannot bundle as of ${timestamp}: the previous bundle is of ${previous.generatedAt}, expected a later time`,
  );
}

function signerOf(item: BundleItem): Uint8Array {
  if (item.signer !== undefined) return item.signer;
  throw ruleError("E_SIG_MISSING", `cannot bundle ${item.name} ${item.version}: it is not signed`, {
    package: item.name,
    repository: item.origin,
    hint: "pass --resign to sign every package with your own key",
  });
}

/**
 * The bytes are compared with what was verified while they are read.
 *
 * @returns SHA-256 of the stored file, hex.
 */
async function storeItem(tree: RepositoryTree, item: BundleItem, request: BundleRequest): Promise<string> {
  const { directory, name } = tree.place(packageFile(item.name, item.version, item.architecture));
  using place = directory;
  const read = createSha256();
  const source: ByteSource = {
    label: item.source.label,
    sizeBytes: item.source.sizeBytes,
    async *chunks() {
      for await (const chunk of item.source.chunks()) {
        read.update(chunk);
        yield chunk;
      }
    },
  };
  using output = place.createFile(name, 0o644);
  let stored: string | undefined;
  if (request.resign === true) {
    stored = await resignPackage(source, {
      signingKey: request.signingKey,
      modifiedSeconds: item.modifiedSeconds,
      signal: tree.context.session.signal,
      write: (chunk) => output.write(chunk),
    });
  } else for await (const chunk of source.chunks()) output.write(chunk);
  output.sync();
  const hash = read.hex();
  if (hash === item.hash) return stored ?? hash;
  place.unlink(name);
  throw ruleError("PKG_CHANGED", `cannot bundle ${item.name} ${item.version}: its file changed after verification`, {
    package: item.name,
  });
}

function bundleDocument(request: BundleRequest, hashes: readonly string[]): Uint8Array {
  const packages = request.items.map((item, index) =>
    new JsonFields([
      ["name", item.name],
      ["version", item.version],
      ["architecture", item.architecture],
      ["origin", item.origin],
      ["sha256", hashes[index] ?? item.hash],
    ])
  );
  return writeDocument(
    new JsonFields([
      ["name", request.name],
      ["created", request.timestamp],
      ["requested", request.requested],
      ["packages", packages],
    ]),
  );
}
