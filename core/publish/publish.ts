/** Indexing what was added, and signing the result (R-PROD-05 … R-PROD-09, C-RTOOL-04). */
import { PeipkgError } from "../errors.ts";
import type { SigningKey } from "../format/keys.ts";
import type { VerifiedPackage } from "../format/package_file.ts";
import { parsePackageFileName } from "../identity/package_file_name.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { compareTimestamps, parseTimestamp } from "../identity/timestamp.ts";
import { compareVersions, highestVersion, parseVersion } from "../identity/version.ts";
import { hashFile } from "../repository/byte_source.ts";
import type { Descriptor } from "../repository/descriptor.ts";
import { renderDetails } from "../repository/index.ts";
import { copyInto, describe, verifyStandalone } from "./add.ts";
import { createDirectory } from "./init.ts";
import {
  type IndexEntry,
  indexFile,
  packageFile,
  type PublishContext,
  type PublishedPackage,
  RepositoryTree,
  writeIndex,
} from "./repository_tree.ts";

export interface PublishRequest {
  readonly directory: string;
  /** Absent or empty: the repository is copied there first and stays as it is here. */
  readonly outDirectory?: string;
  readonly signingKey: SigningKey;
  /** RFC 3339, `Z`; not earlier than the last. */
  readonly timestamp: string;
  /** Placeholders `{name} {version} {arch} {filename}`; for new entries only (R-PROD-08). */
  readonly urlTemplate?: string;
  /** Names taken out of the active index; they come back with a new version. */
  readonly withdraw?: readonly string[];
  /** Hash every indexed file again. */
  readonly rebuild?: boolean;
  /** The index version is at least this, and higher than the last. */
  readonly minimumIndexVersion?: number;
  /** Publish though nothing is new (R-PROD-07). */
  readonly refreshDate?: boolean;
}

export type PublishResult =
  | { readonly kind: "nothing"; readonly indexVersion: number }
  | { readonly kind: "published"; readonly indexVersion: number; readonly packages: readonly PublishedPackage[] };

const DEFAULT_URL_TEMPLATE = "/p/{name}/{version}/{filename}";

/**
 * Publishes the next index version. The descriptor is left alone.
 *
 * @throws {PeipkgError} `failed` when the key may not sign, the timestamp goes back, or a newest version exists for
 * two architectures (R-PROD-06); `hash` when a file is not what was published
 */
export async function publishRepository(context: PublishContext, request: PublishRequest): Promise<PublishResult> {
  const { directory, outDirectory } = request;
  if (outDirectory !== undefined) copyRepository(context, directory, outDirectory);
  using tree = new RepositoryTree(context, outDirectory ?? directory);
  const descriptor = tree.descriptor();
  checkSigner(descriptor, request.signingKey);
  const oldActive = tree.index(descriptor, "active");
  const oldArchive = tree.index(descriptor, "archive");
  checkTimestamp(request.timestamp, [oldActive.generatedAt.raw, oldArchive.generatedAt.raw]);
  if (request.rebuild === true) rehash(tree, oldArchive.packages);
  const found = await readNewPackages(tree, request, oldArchive.packages);
  const withdraw = new Set(request.withdraw ?? []);
  for (const name of withdraw) {
    if (!oldActive.packages.some((entry) => entry.name === name)) {
      throw new PeipkgError("not-installed", `cannot withdraw "${name}": the active index does not list it`, {
        package: name,
      });
    }
  }
  const previousVersion = Math.max(oldActive.indexVersion, oldArchive.indexVersion);
  if (found.length === 0 && withdraw.size === 0 && request.refreshDate !== true) {
    return { kind: "nothing", indexVersion: previousVersion };
  }
  const archive = sortArchive([...oldArchive.packages, ...found.map((item) => item.entry)]);
  // A name that was withdrawn before stays out until something new is published under it.
  const fresh = new Set(found.map((item) => item.entry.name));
  const listed = new Set(oldActive.packages.map((entry) => entry.name));
  const active = newest(archive).filter(({ name }) => !withdraw.has(name) && (listed.has(name) || fresh.has(name)));
  const indexVersion = Math.max(previousVersion + 1, request.minimumIndexVersion ?? 0);
  const head = { repositoryName: descriptor.repositoryName, indexVersion, generatedAt: request.timestamp };
  const { signingKey } = request;
  const bytes = {
    archive: writeIndex({ ...head, kind: "archive" }, archive, context.layout),
    active: writeIndex({ ...head, kind: "active" }, active, context.layout),
  };
  for (const kind of ["archive", "active"] as const) { // R-PROD-09
    await tree.writeSigned(indexFile(kind), bytes[kind], signingKey);
  }
  return { kind: "published", indexVersion, packages: found.map((item) => item.report) };
}

/** Only a key listed as active signs new content (table 1.2). */
export function checkSigner(descriptor: Descriptor, key: SigningKey): void {
  const listed = descriptor.keys.find(({ fingerprint }) => fingerprint === key.fingerprint);
  if (listed?.status === "active") return;
  throw new PeipkgError(
    "failed",
    `cannot sign with key ${key.fingerprint}: it is ${listed?.status ?? "not listed"}, expected active`,
  );
}

function checkTimestamp(text: string, previous: readonly string[]): void {
  const next = parseTimestamp(text);
  if (next === undefined) throw new PeipkgError("usage", `cannot use timestamp "${text}": expected RFC 3339 with Z`);
  for (const item of previous) {
    const known = parseTimestamp(item);
    if (known !== undefined && compareTimestamps(next, known) < 0) {
      throw new PeipkgError("failed", `cannot publish at ${text}: the last index was generated at ${item}`);
    }
  }
}

interface NewPackage {
  readonly entry: IndexEntry;
  readonly report: PublishedPackage;
}

/** R-PROD-03, R-PROD-05: every file below `p/` that no archive entry stands for. */
async function readNewPackages(
  tree: RepositoryTree,
  request: PublishRequest,
  archive: readonly IndexEntry[],
): Promise<readonly NewPackage[]> {
  const known = new Set(archive.map((entry) => packageFile(entry.name, entry.version, entry.architecture)));
  const found: NewPackage[] = [];
  for (const path of tree.packageFiles()) {
    if (known.has(path)) continue;
    parsePackageFileName(path.slice(path.lastIndexOf("/") + 1));
    using file = tree.open(path);
    if (file === undefined) continue;
    const verified = await verifyStandalone(tree.context, file, path);
    const report = describe(verified);
    if (report.file !== path) {
      throw new PeipkgError("failed", `cannot publish "${path}": it holds ${report.name} ${report.version}`, { path });
    }
    found.push({ report, entry: entryOf(verified, request.urlTemplate ?? DEFAULT_URL_TEMPLATE) });
  }
  return found;
}

function entryOf(verified: VerifiedPackage, template: string): IndexEntry {
  const { manifest } = verified;
  const { name, architecture } = manifest;
  const version = manifest.version.raw;
  const filename = packageFile(name, version, architecture).split("/").pop() ?? "";
  const url = template.replaceAll("{name}", name).replaceAll("{version}", version)
    .replaceAll("{arch}", architecture).replaceAll("{filename}", filename);
  if (!/^(?:\/(?!\/)|https?:\/\/)/.test(url) || /[{}\s]/.test(url)) { // R-URL-06: never relative in an index
    throw new PeipkgError("usage", `cannot use URL template "${template}": it gives "${url}"`);
  }
  return {
    name,
    version,
    architecture,
    description: manifest.description,
    sizeCompressedBytes: verified.sizeCompressedBytes,
    sizeInstalledBytes: manifest.sizeInstalledBytes,
    hash: verified.packageHash,
    url,
    entry: renderDetails({
      ...manifest,
      build: { timestamp: manifest.build.timestamp, farmId: manifest.build.farmId },
    }),
    provides: [],
    replaces: [],
  };
}

/** R-ARC-02 */
function sortArchive(entries: readonly IndexEntry[]): readonly IndexEntry[] {
  const versions = new Map(entries.map((entry) => [entry.version, parseVersion(entry.version)]));
  return [...entries].sort((a, b) => {
    const [left, right] = [versions.get(a.version), versions.get(b.version)];
    const order = compareBytes(a.name, b.name);
    if (order !== 0 || left === undefined || right === undefined) return order;
    return compareVersions(right, left) || compareBytes(a.version, b.version) ||
      compareBytes(a.architecture, b.architecture);
  });
}

/** The highest version of each name (R-PROD-05); two architectures of it are refused (R-PROD-06). */
function newest(archive: readonly IndexEntry[]): readonly IndexEntry[] {
  const byName = new Map<string, IndexEntry[]>();
  for (const entry of archive) {
    const group = byName.get(entry.name);
    if (group === undefined) byName.set(entry.name, [entry]);
    else group.push(entry);
  }
  return [...byName.values()].flatMap((group) => {
    const best = highestVersion(group, (entry) => parseVersion(entry.version));
    if (best === undefined) return [];
    const version = parseVersion(best.version);
    const rival = group.find((entry) =>
      entry.architecture !== best.architecture && compareVersions(parseVersion(entry.version), version) === 0
    );
    if (rival === undefined) return [best];
    throw new PeipkgError(
      "failed",
      `cannot publish ${best.name} ${best.version}: it exists for ${best.architecture} and ${rival.architecture}, ` +
        "expected one architecture per repository",
      { package: best.name },
    );
  });
}

/** Compares every stored file with its entry. */
function rehash(tree: RepositoryTree, archive: readonly IndexEntry[]): void {
  for (const entry of archive) {
    using file = tree.open(packageFile(entry.name, entry.version, entry.architecture));
    if (file === undefined || hashFile(file) === entry.hash) continue;
    throw new PeipkgError("hash", `cannot publish: ${entry.name} ${entry.version} is not the file published before`, {
      package: entry.name,
    });
  }
}

function copyRepository(context: PublishContext, from: string, to: string): void {
  using source = new RepositoryTree(context, from);
  source.descriptor();
  createDirectory(context, to);
  using target = new RepositoryTree(context, to);
  if (target.list("").length > 0) {
    throw new PeipkgError("exists", `cannot publish into "${to}": it is not empty`, { path: to });
  }
  for (const path of source.allFiles()) {
    using file = source.open(path);
    if (file !== undefined) copyInto(target, path, file);
  }
}
