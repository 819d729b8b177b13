/**
 * A bundle: a complete small repository for machines without network, signed with the operator's own key, holding
 * packages as their publishers signed them (C-BUNDLE-01, C-BUNDLE-03, C-BUNDLE-04).
 */
import { ruleError } from "../errors.ts";
import { createSha256 } from "../format/hash.ts";
import { JsonFields, writeDocument } from "../format/json_writer.ts";
import type { SigningKey } from "../format/keys.ts";
import type { ByteSource } from "../format/package_file.ts";
import { parseTimestamp } from "../identity/timestamp.ts";
import { initRepository } from "./init.ts";
import { publishRepository } from "./publish.ts";
import { packageFile, type PublishContext, type PublishedPackage, RepositoryTree } from "./repository_tree.ts";

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
  /** Index version of an earlier bundle; this one gets a higher one. */
  readonly previousIndexVersion?: number;
}

export interface BundleResult {
  readonly indexVersion: number;
  readonly packages: readonly PublishedPackage[];
  /** Every key the descriptor lists; the operator's first. */
  readonly fingerprints: readonly string[];
}

/**
 * Writes a bundle.
 *
 * @throws {PeipkgError} `exists` when the directory is not empty; `signature` (`E_SIG_MISSING`) for an unsigned
 * package, which its target would refuse; `hash` (`PKG_CHANGED`)
 */
export async function writeBundle(context: PublishContext, request: BundleRequest): Promise<BundleResult> {
  const { directory, name, signingKey, timestamp, items } = request;
  const extraKeys = items.map((item) => {
    if (item.signer !== undefined) return item.signer;
    throw ruleError("E_SIG_MISSING", `cannot bundle ${item.name} ${item.version}: it is not signed`, {
      package: item.name,
      repository: item.origin,
    });
  });
  await initRepository(context, { directory, name, signingKey, extraKeys, timestamp });
  using tree = new RepositoryTree(context, directory);
  for (const item of items) await storeItem(tree, item);
  const seconds = parseTimestamp(timestamp)?.seconds ?? 0;
  const published = await publishRepository(context, {
    directory,
    signingKey,
    timestamp,
    refreshDate: true,
    minimumIndexVersion: Math.max(seconds, (request.previousIndexVersion ?? 0) + 1),
  });
  tree.write("bundle.json", bundleDocument(request));
  const listed = tree.descriptor().keys.map((key) => key.fingerprint);
  return {
    indexVersion: published.indexVersion,
    packages: published.kind === "published" ? published.packages : [],
    fingerprints: [signingKey.fingerprint, ...listed.filter((key) => key !== signingKey.fingerprint)],
  };
}

/** The bytes are compared with what was verified while they are copied. */
async function storeItem(tree: RepositoryTree, item: BundleItem): Promise<void> {
  const { directory, name } = tree.place(packageFile(item.name, item.version, item.architecture));
  using place = directory;
  const hash = createSha256();
  {
    using output = place.createFile(name, 0o644);
    for await (const chunk of item.source.chunks()) {
      hash.update(chunk);
      output.write(chunk);
    }
    output.sync();
  }
  if (hash.hex() === item.hash) return;
  place.unlink(name);
  throw ruleError("PKG_CHANGED", `cannot bundle ${item.name} ${item.version}: its file changed after verification`, {
    package: item.name,
  });
}

function bundleDocument(request: BundleRequest): Uint8Array {
  const packages = request.items.map((item) =>
    new JsonFields([
      ["name", item.name],
      ["version", item.version],
      ["architecture", item.architecture],
      ["origin", item.origin],
      ["sha256", item.hash],
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
