/**
 * Deletes what is no longer needed: metadata and recorded state of repositories that are not configured any more, and
 * on request downloads and set-aside files past their retention (C-CLEAN).
 */
import { hostPath } from "../config/layout.ts";
import { readRepositoryFiles } from "../config/repo_file.ts";
import { removeDurably } from "../fs/durable.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { listOrphanedFiles } from "../repository/cache.ts";
import type { CacheArea } from "../repository/context.ts";
import { type CatalogueKind, iterateCatalogue } from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import { retainedPaths } from "../store/history.ts";
import { listRepositoryStates, removeRepositoryState } from "../store/repository_state.ts";
import type { Directory } from "../system.ts";
import { DirectoryPool } from "../transaction/directories.ts";
import { expiredTransactions, pruneRetained, type RetentionSettings } from "../transaction/retention.ts";
import { openRetained, placeWords } from "../transaction/retained.ts";
import type { Workspace } from "./workspace.ts";

export interface CleanRequest {
  /** Also downloads that no index lists. */
  readonly packages: boolean;
  /** Every download. */
  readonly allPackages: boolean;
  /** Also set-aside files past their retention (T-RETAIN-05). */
  readonly backups: boolean;
  /** Only tell what would go. */
  readonly dryRun: boolean;
}

/** One file that went, or would go. */
export interface CleanedFile {
  /** As the host reaches it. */
  readonly path: string;
  readonly sizeBytes: number;
}

export type CleanReport =
  | { readonly kind: "no-cache" }
  | { readonly kind: "cleaned"; readonly files: readonly CleanedFile[] };

/** A download, complete or begun: named by the hash it has or must have. */
const DOWNLOAD_REGEXP = /^([0-9a-f]{64})\.peipkg(?:\.part)?$/;
const CATALOGUE_KINDS: readonly CatalogueKind[] = ["active", "archive"];

interface Garbage extends CleanedFile {
  readonly area: CacheArea;
  readonly name: string;
}

/**
 * Cleans the cache, and on request the set-aside files. Takes the writer lock only when there is something to delete.
 *
 * @throws {PeipkgError} `busy`, `denied`
 * @see C-CLEAN-01, R-RM-03, T-LOCK-01, T-DB-17
 */
export async function cleanCache(workspace: Workspace, request: CleanRequest): Promise<CleanReport> {
  const [garbage, backups, leftover] = workspace.read((database) => [
    findGarbage(workspace, database, request),
    database === undefined || !request.backups ? [] : findBackups(workspace, database),
    database === undefined ? [] : findLeftoverStates(workspace, database),
  ]);
  const files = [...garbage.map(shown), ...backups];
  const cleaned = (removed: readonly CleanedFile[]): CleanReport =>
    hasCache(workspace) || request.backups ? { kind: "cleaned", files: removed } : { kind: "no-cache" };
  if (request.dryRun || (files.length === 0 && leftover.length === 0)) return cleaned(files);
  const removed = await workspace.withExistingWriter(({ database }) => {
    removeLeftoverStates(workspace, database);
    return Promise.resolve([
      ...removeGarbage(workspace, findGarbage(workspace, database, request)),
      ...(request.backups ? removeBackups(workspace, database) : []),
    ]);
  });
  // Without a database nobody works here, and there is no lock to take.
  return cleaned(removed ?? removeGarbage(workspace, garbage));
}

/** Handles in use. A broken file still names a repository that is configured. */
function configuredHandles(workspace: Workspace): ReadonlySet<string> {
  using configuration = workspace.openConfiguration(false);
  return new Set(readRepositoryFiles(configuration).map(({ handle }) => handle));
}

/** Repositories whose state was left by a removal that was cut short, or by a file deleted by hand (R-RM-01). */
function findLeftoverStates(workspace: Workspace, database: Database): readonly string[] {
  const configured = configuredHandles(workspace);
  return listRepositoryStates(database).filter((handle) => !configured.has(handle));
}

function removeLeftoverStates(workspace: Workspace, database: Database): void {
  const leftover = findLeftoverStates(workspace, database);
  if (leftover.length === 0) return;
  database.write(() => {
    for (const handle of leftover) removeRepositoryState(database, handle);
  });
}

function retentionOf(workspace: Workspace): RetentionSettings {
  const { backupKeepTransactions, backupKeepDays } = workspace.settings;
  return { keepTransactions: backupKeepTransactions, keepDays: backupKeepDays };
}

/** Set-aside files past their retention. */
function findBackups(workspace: Workspace, database: Database): readonly CleanedFile[] {
  using state = workspace.openState();
  using pool = new DirectoryPool(workspace.root);
  if (state === undefined) return [];
  const now = Math.floor(workspace.startedAt / 1000);
  const files: CleanedFile[] = [];
  for (const id of expiredTransactions(database, retentionOf(workspace), now)) {
    for (const place of retainedPaths(database, id)) {
      using kept = openRetained(state.directory, pool, place);
      const status = kept?.directory.status(kept.name);
      if (status === undefined) continue; // dropped by a run that was cut short
      const path = placeWords(place, hostPath(workspace.layout, workspace.layout.state));
      files.push({ path, sizeBytes: status.sizeBytes });
    }
  }
  return files.sort((a, b) => compareBytes(a.path, b.path));
}

function removeBackups(workspace: Workspace, database: Database): readonly CleanedFile[] {
  const files = findBackups(workspace, database);
  using state = workspace.openState();
  using pool = new DirectoryPool(workspace.root);
  if (state === undefined) return [];
  const now = Math.floor(workspace.startedAt / 1000);
  const context = { database, pool, state: state.directory };
  for (const warning of pruneRetained(context, retentionOf(workspace), now).warnings) workspace.warn(warning);
  for (const { path } of files) workspace.session.emit({ kind: "file", path, action: "removed" });
  return files;
}

function hasCache(workspace: Workspace): boolean {
  using metadata = workspace.openCache("metadata", false);
  using packages = workspace.openCache("packages", false);
  return metadata !== undefined || packages !== undefined;
}

function findGarbage(workspace: Workspace, database: Database | undefined, request: CleanRequest): readonly Garbage[] {
  const found = findOrphanedMetadata(workspace);
  if (request.packages || request.allPackages) {
    const isListed = request.allPackages || database === undefined ? () => false : listedHashes(database);
    found.push(...findDownloads(workspace, isListed));
  }
  return found.sort((a, b) => compareBytes(a.path, b.path));
}

function findOrphanedMetadata(workspace: Workspace): Garbage[] {
  using directory = workspace.openCache("metadata", false);
  if (directory === undefined) return [];
  return listOrphanedFiles(directory, configuredHandles(workspace)).map((name) =>
    garbageOf(workspace, "metadata", directory, name)
  );
}

function findDownloads(workspace: Workspace, isListed: (hash: string) => boolean): readonly Garbage[] {
  using directory = workspace.openCache("packages", false);
  if (directory === undefined) return [];
  return directory.list().names
    .filter((name) => {
      const hash = DOWNLOAD_REGEXP.exec(name)?.[1];
      return hash !== undefined && !isListed(hash);
    })
    .map((name) => garbageOf(workspace, "packages", directory, name));
}

function listedHashes(database: Database): (hash: string) => boolean {
  const hashes = new Set<string>();
  for (const repository of listRepositoryStates(database)) {
    for (const kind of CATALOGUE_KINDS) {
      for (const { hash } of iterateCatalogue(database, repository, kind)) hashes.add(hash);
    }
  }
  return (hash) => hashes.has(hash);
}

function garbageOf(workspace: Workspace, area: CacheArea, directory: Directory, name: string): Garbage {
  const path = `${hostPath(workspace.layout, workspace.layout.cache)}/${area}/${name}`;
  return { area, name, path, sizeBytes: directory.status(name)?.sizeBytes ?? 0 };
}

function removeGarbage(workspace: Workspace, files: readonly Garbage[]): readonly CleanedFile[] {
  using metadata = workspace.openCache("metadata", false);
  using packages = workspace.openCache("packages", false);
  const removed = files.filter(({ area, name }) => {
    const directory = area === "metadata" ? metadata : packages;
    return directory !== undefined && removeDurably(directory, name);
  });
  for (const { path } of removed) workspace.session.emit({ kind: "file", path, action: "removed" });
  return removed.map(shown);
}

function shown({ path, sizeBytes }: Garbage): CleanedFile {
  return { path, sizeBytes };
}
