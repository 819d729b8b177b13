/**
 * Objects nobody accounts for: what an interrupted transaction left beside its files, and files that belong to no
 * package in directories that only packages write. Finding them reads names alone; removing them looks again under
 * the writer lock, one name at a time, and never follows a link or empties a directory.
 */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { compareBytes } from "../identity/safe_path.ts";
import type { Database } from "../store/database.ts";
import { readFiles, readInstalledPackages } from "../store/installed.ts";
import { displacedFiles, journalFiles } from "../store/journal.ts";
import { pendingTransaction } from "../store/pending.ts";
import { readClaimLinks } from "../store/roles.ts";
import type { Directory } from "../system.ts";
import { baseName, childPath, isBelow, parentPath } from "../transaction/names.ts";
import type { Workspace } from "./workspace.ts";

export interface Stray {
  /** Logical path. */
  readonly path: string;
  /** Transaction that left it; `undefined`: a file that belongs to no package. */
  readonly transaction: number | undefined;
}

const TEMPORARY_REGEXP = /\.peipkg-(?:staged|backup)-([0-9]{1,15})(?:-[0-9]+)?$/;
/** What operators fill by hand, and what tools write beside the files of packages: `depmod`'s tables. */
const OPERATORS_TREES: readonly string[] = ["/usr/local", "/usr/src"];
const TOOL_FILE_REGEXP = /^\/usr\/lib\/modules\/[^/]+\/modules\.[^/]+$/;

/** Finds strays, by path. @see C-CHECK-01 */
export function findStrays(workspace: Workspace, database: Database): readonly Stray[] {
  const owned = new OwnedPaths(database);
  return [...owned.directories].sort(compareBytes)
    .flatMap((path) => straysIn(workspace, owned, path))
    .sort((a, b) => compareBytes(a.path, b.path));
}

/**
 * Removes strays that still are strays.
 *
 * @param strays As found before; each is judged again under the lock.
 * @returns Those that were removed.
 * @throws {PeipkgError} `busy`, `indeterminate`, `denied`, `io`
 * @see C-CHECK-03
 */
export async function removeStrays(workspace: Workspace, strays: readonly Stray[]): Promise<readonly Stray[]> {
  const wanted = new Set(strays.map(({ path }) => path));
  return await workspace.write((database) => {
    const removed: Stray[] = [];
    const touched = new Map<string, Directory>();
    try {
      for (const stray of findStrays(workspace, database)) {
        if (!wanted.has(stray.path)) continue;
        const parent = parentPath(stray.path);
        const directory = touched.get(parent) ?? workspace.root.openDirectory(parent);
        if (directory === undefined) continue;
        touched.set(parent, directory);
        removeObject(directory, stray.path);
        workspace.session.emit({ kind: "file", path: stray.path, action: "removed" });
        removed.push(stray);
      }
      for (const directory of touched.values()) directory.sync();
    } finally {
      for (const directory of touched.values()) directory[Symbol.dispose]();
    }
    return removed;
  });
}

function removeObject(directory: Directory, path: string): void {
  try {
    directory.unlink(baseName(path));
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (error.errno === "ENOENT") return;
    throw new PeipkgError(
      error.errno === "EACCES" || error.errno === "EPERM" || error.errno === "EROFS" ? "denied" : "io",
      `cannot remove ${path}: the system answers ${error.errno}`,
      { path, cause: error },
    );
  }
}

/** Everything a row accounts for, and the directories it lies in; read once, because every name found is looked up. */
class OwnedPaths {
  readonly directories = new Set<string>();
  readonly #known = new Set<string>();

  constructor(database: Database) {
    for (const { name } of readInstalledPackages(database)) {
      for (const { path, type } of readFiles(database, name)) {
        this.#known.add(path);
        this.directories.add(type === "dir" ? path : parentPath(path));
      }
    }
    for (const { path } of readClaimLinks(database)) this.#known.add(path);
    for (const { keptAt } of displacedFiles(database)) this.#known.add(keptAt);
    const pending = pendingTransaction(database);
    for (const { stagedPath, backupPath } of pending === undefined ? [] : journalFiles(database, pending.id)) {
      if (stagedPath !== undefined) this.#known.add(stagedPath);
      if (backupPath !== undefined) this.#known.add(backupPath);
    }
  }

  isAccounted(path: string): boolean {
    return this.#known.has(path);
  }
}

/** Below `/usr`, but for the operator's own trees, only packages write. */
function isPackagesOnly(path: string): boolean {
  return isBelow(path, "/usr") && !OPERATORS_TREES.some((tree) => path === tree || isBelow(path, tree));
}

function straysIn(workspace: Workspace, owned: OwnedPaths, path: string): readonly Stray[] {
  using directory = openQuietly(workspace, path);
  if (directory === undefined) return [];
  const found: Stray[] = [];
  for (const name of directory.list().names) {
    const place = childPath(path, name);
    const number = TEMPORARY_REGEXP.exec(name)?.[1];
    const isUnowned = number === undefined && isPackagesOnly(path) && !TOOL_FILE_REGEXP.test(place);
    if ((number === undefined && !isUnowned) || owned.isAccounted(place)) continue;
    const type = directory.status(name)?.type;
    // A directory may hold what nobody can judge by its name; it is left alone, temporary or not.
    if (type === undefined || type === "dir") continue;
    found.push({ path: place, transaction: number === undefined ? undefined : Number(number) });
  }
  return found;
}

/** A directory that cannot be opened is `verify`'s to report. */
function openQuietly(workspace: Workspace, path: string): Directory | undefined {
  try {
    return workspace.root.openDirectory(path);
  } catch (error) {
    if (error instanceof SystemCallError || error instanceof PeipkgError) return undefined;
    throw error;
  }
}
