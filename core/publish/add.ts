/** Packages into a repository's storage, verified, not yet indexed (C-RTOOL-03). */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { LIMITS } from "../format/limits.ts";
import { type VerifiedPackage, verifyPackage } from "../format/package_file.ts";
import { hashFile, openByteSource } from "../repository/byte_source.ts";
import { compareBytes } from "../identity/safe_path.ts";
import type { ReadableFile } from "../system.ts";
import { packageFile, type PublishContext, type PublishedPackage, RepositoryTree } from "./repository_tree.ts";

export interface AddResult {
  readonly added: readonly PublishedPackage[];
  /** Present already with the same bytes. */
  readonly skipped: readonly PublishedPackage[];
}

const FILE_MODE = 0o644;
const TEMPORARY_SUFFIX = ".peipkg-new";

/**
 * Copies package files, or directories of them, below `p/`.
 *
 * @throws {PeipkgError} `exists` when the same name, version and architecture is there with other bytes; whatever a
 * consumer would refuse; `io`
 */
export async function addPackages(
  context: PublishContext,
  request: { readonly directory: string; readonly paths: readonly string[] },
): Promise<AddResult> {
  using tree = new RepositoryTree(context, request.directory);
  tree.descriptor();
  const added: PublishedPackage[] = [];
  const skipped: PublishedPackage[] = [];
  for (const path of request.paths.flatMap((item) => expand(context, item))) {
    using file = openOperand(context, path);
    const verified = await verifyStandalone(context, file, path);
    const entry = describe(verified);
    if (isPresent(tree, entry)) skipped.push(entry);
    else {
      copyInto(tree, entry.file, file);
      added.push(entry);
    }
  }
  return { added, skipped };
}

/** Every package file an operand stands for. */
function expand(context: PublishContext, path: string): readonly string[] {
  try {
    using root = context.session.system.openRoot(path);
    using directory = root.openDirectory("/");
    const names = directory?.list().names ?? [];
    return names.filter((name) => name.endsWith(".peipkg")).sort(compareBytes)
      .map((name) => `${path.replace(/\/+$/, "")}/${name}`);
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === "ENOTDIR") return [path];
    throw openFailure(error, path);
  }
}

function openOperand(context: PublishContext, path: string): ReadableFile {
  try {
    return context.session.system.openFile(path);
  } catch (error) {
    throw openFailure(error, path);
  }
}

function openFailure(error: unknown, path: string): unknown {
  if (!(error instanceof SystemCallError)) return error;
  const found = error.errno === "ENOENT" ? "there is no such file" : `it cannot be opened (${error.errno})`;
  return new PeipkgError("io", `cannot read "${path}": ${found}`, { path, cause: error });
}

/** Checks a package by itself: everything but trust and installability. */
export function verifyStandalone(
  context: PublishContext,
  file: ReadableFile,
  label: string,
): Promise<VerifiedPackage> {
  return verifyPackage(openByteSource(file, label), {
    trust: { kind: "local-file" },
    layout: context.layout,
    // Which repository will serve it is not the packager's to say; consumers judge drop-in places again.
    official: true,
    dropinRepository: "local",
    dropinDirectories: [],
    maxDecompressedBytes: LIMITS.decompressedBytes,
    signal: context.session.signal,
  });
}

/** The report entry of a verified package. */
export function describe(verified: VerifiedPackage): PublishedPackage {
  const { name, version, architecture } = verified.manifest;
  return {
    name,
    version: version.raw,
    architecture,
    file: packageFile(name, version.raw, architecture),
    sha256: verified.packageHash,
  };
}

function isPresent(tree: RepositoryTree, entry: PublishedPackage): boolean {
  using present = tree.open(entry.file);
  if (present === undefined) return false;
  if (hashFile(present) === entry.sha256) return true;
  throw new PeipkgError("exists", `cannot add ${entry.name} ${entry.version}: it is there with other content`, {
    package: entry.name,
    path: entry.file,
    hint: "raise the revision and add it again",
  });
}

/** Copies an open file into a repository, beside its place first. */
export function copyInto(tree: RepositoryTree, path: string, file: ReadableFile): void {
  const { directory, name } = tree.place(path);
  using place = directory;
  const temporary = `${name}${TEMPORARY_SUFFIX}`;
  if (place.status(temporary) !== undefined) place.unlink(temporary);
  {
    using output = place.createFile(temporary, FILE_MODE);
    const buffer = new Uint8Array(1024 * 1024);
    for (let offset = 0;;) {
      const count = file.readAt(buffer, offset);
      if (count === 0) break;
      output.write(buffer.subarray(0, count));
      offset += count;
    }
    output.sync();
  }
  place.rename(temporary, place, name);
  place.sync();
}
