/**
 * Content an earlier transaction displaced, as a source for putting it back without network or archive (T-UNDO-06).
 * Per package all or nothing: every file the inverse needs is there, is what was recorded, and hashes right — checked
 * before anything is staged.
 */
import { parseManifest } from "../format/manifest.ts";
import { ruleError, type Warning } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { type PriorFile, priorFiles, type PriorPackage, priorPackages } from "../store/history.ts";
import { readFile } from "../store/installed.ts";
import type { Directory, RootDirectory } from "../system.ts";
import { ContentReader } from "./config_files.ts";
import { DirectoryPool } from "./directories.ts";
import { describeFailure, hasErrno } from "./failures.ts";
import type { ContentEntry, ContentSource, ContentVisitor } from "./input.ts";
import { LINK_REFUSALS } from "./objects.ts";
import { openRetained } from "./retained.ts";

/** Where kept content lies. */
export interface KeptPlace {
  readonly root: RootDirectory;
  /** The pinned state directory. */
  readonly state: Directory;
}

export interface KeptContent {
  /** Packages all of whose content is at hand, by name. */
  readonly contents: ReadonlyMap<string, ContentSource>;
  readonly warnings: readonly Warning[];
}

/**
 * Finds the packages of a transaction whose prior content is kept completely.
 *
 * @param transaction The one to be undone.
 */
export function openKeptContent(place: KeptPlace, database: Database, transaction: number): KeptContent {
  const contents = new Map<string, ContentSource>();
  const warnings: Warning[] = [];
  const reader = new ContentReader();
  for (const item of priorPackages(database, transaction)) {
    const files = priorFiles(database, transaction, item.name).filter((row) => row.newDefaultOf === undefined);
    if (files.length === 0) continue; // pruned
    const isComplete = files.every((row) => isAtHand(place, database, row, reader, warnings));
    if (isComplete) contents.set(item.name, keptSource(place, item, files, reader));
  }
  return { contents, warnings };
}

/** Whether a prior path needs no content, or its content is kept and right. */
function isAtHand(
  place: KeptPlace,
  database: Database,
  row: PriorFile,
  reader: ContentReader,
  warnings: Warning[],
): boolean {
  if (row.type === "dir" || row.type === "symlink") return true; // made from the row itself
  // What the newer version left untouched is still in place: the diff needs nothing for it (T-DIFF-02).
  const current = readFile(database, row.package, row.path);
  if (current !== undefined && current.type === row.type && current.hash === row.hash) return true;
  if (row.retainedPath === undefined) return false;
  try {
    using pool = new DirectoryPool(place.root, 8);
    using kept = openRetained(place.state, pool, row.retainedPath);
    if (kept?.directory.status(kept.name)?.type !== "file") return false;
    if (reader.hash(kept.directory, kept.name) === row.hash) return true;
    warnings.push({ rule: "W_RETAINED_CORRUPT", text: `the kept content of ${row.path} is damaged and is not used` });
  } catch (error) {
    warnings.push({
      rule: "W_RETAINED_CORRUPT",
      text: `the kept content of ${row.path} cannot be read: ${describeFailure(error)}`,
    });
  }
  return false;
}

function keptSource(
  place: KeptPlace,
  item: PriorPackage,
  files: readonly PriorFile[],
  reader: ContentReader,
): ContentSource {
  const entries = files.map(entryOf);
  return {
    name: item.name,
    version: item.version.raw,
    architecture: item.architecture,
    packageHash: item.packageHash,
    manifest: parseManifest(new TextEncoder().encode(item.manifestText), "both"),
    manifestText: item.manifestText,
    entries,
    repository: item.origin,
    // It was installed before: what it ships was judged by its own repository then.
    official: true,
    link: (index, directory, name) => linkKept(place, files[index], directory, name),
    replay: (visitor, signal) => copyKept(place, files, reader, visitor, signal),
  };
}

function entryOf(row: PriorFile): ContentEntry {
  return {
    path: row.path,
    type: row.type,
    sizeBytes: row.sizeBytes ?? 0,
    hash: row.hash ?? "",
    target: row.target ?? "",
    mtimeSeconds: undefined,
  };
}

/** Gives kept content a second name beside its destination; it stays where it is until the commit (T-UNDO-06). */
function linkKept(place: KeptPlace, row: PriorFile | undefined, directory: Directory, name: string): boolean {
  if (row?.retainedPath === undefined) return false;
  using pool = new DirectoryPool(place.root, 8);
  using kept = openRetained(place.state, pool, row.retainedPath);
  if (kept === undefined || kept.directory.device !== directory.device) return false;
  try {
    kept.directory.link(kept.name, directory, name);
    return true;
  } catch (error) {
    if (hasErrno(error, ...LINK_REFUSALS)) return false;
    throw error;
  }
}

async function copyKept(
  place: KeptPlace,
  files: readonly PriorFile[],
  reader: ContentReader,
  visitor: ContentVisitor,
  signal: AbortSignal,
): Promise<void> {
  await Promise.resolve();
  for (let index = 0; index < files.length; index++) {
    const row = files[index];
    if (signal.aborted) throw signal.reason;
    if (row?.type !== "file" || !visitor.begin(index)) continue;
    copyOne(place, row, reader, visitor);
    visitor.end();
  }
}

function copyOne(place: KeptPlace, row: PriorFile, reader: ContentReader, visitor: ContentVisitor): void {
  using pool = new DirectoryPool(place.root, 8);
  using kept = openRetained(place.state, pool, row.retainedPath ?? "");
  const hash = kept === undefined ? undefined : reader.copy(kept.directory, kept.name, (bytes) => visitor.chunk(bytes));
  if (hash !== row.hash) throw keptChanged(row.path);
}

function keptChanged(path: string): Error {
  return ruleError("PKG_CHANGED", `cannot restore ${path}: its kept content changed after it was checked`, {
    paths: [{ path, rule: "PKG_CHANGED" }],
  });
}
