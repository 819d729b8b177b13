/**
 * New defaults kept beside configuration files the operator edited (`.peipkg-new`), and their three ends: taken, left,
 * or merged. Not a transaction: each file is settled by itself under the writer lock — a second name for the old file,
 * one rename, then the database — and every step can be repeated after a crash (C-DIFF-02).
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { sha256Hex } from "../format/hash.ts";
import { readSmallFile } from "../fs/durable.ts";
import type { Database } from "../store/database.ts";
import {
  deleteFile,
  type InstalledFile,
  readFile,
  readInstalledPackage,
  readNewDefaults,
  setPreservedHash,
} from "../store/installed.ts";
import type { Directory, FileStatus } from "../system.ts";
import { ContentReader } from "../transaction/config_files.ts";
import { baseName, freeSiblingName, parentPath, siblingName } from "../transaction/names.ts";
import { foldPath } from "./query.ts";
import type { Workspace } from "./workspace.ts";

/** A configuration file with a new default beside it. */
export interface NewDefault {
  readonly path: string;
  readonly newPath: string;
  readonly package: string;
  readonly version: string;
}

/** Both contents of one file. */
export interface NewDefaultContents extends NewDefault {
  /** `undefined`: the file is gone. */
  readonly present: Uint8Array | undefined;
  readonly next: Uint8Array;
}

/** What becomes of a new default. */
export type NewDefaultChoice =
  | { readonly kind: "use-new" }
  | { readonly kind: "keep" }
  /** The content to put in place. */
  | { readonly kind: "merged"; readonly content: Uint8Array };

/** One settled file. */
export interface SettledDefault extends NewDefault {
  /** Where the old file is kept; `undefined`: it was left in place, or there was none. */
  readonly oldPath: string | undefined;
}

const OLD_SUFFIX = ".peipkg-old";
const MERGED_SUFFIX = ".peipkg-merged";
/** Configuration files are read whole; anything larger is none. */
const CONTENT_LIMIT_BYTES = 16 * 1024 * 1024;

interface Recorded extends NewDefault {
  /** Row of the file itself. */
  readonly file: InstalledFile;
}

/**
 * Lists the new defaults that are on disk, by path.
 *
 * @param paths Logical paths, of the file or of its new default; relative ones begin at `workingDirectory` when the
 *   root is `/`, else at the root. Empty: all.
 * @throws {PeipkgError} `failed` for a path that has no new default
 * @see C-DIFF-01
 */
export function listNewDefaults(
  workspace: Workspace,
  paths: readonly string[],
  workingDirectory: string,
): readonly NewDefault[] {
  return workspace.read((database) =>
    choose(workspace, database, paths, workingDirectory)
      .filter(({ newPath }) => paths.length > 0 || isOnDisk(workspace, newPath))
      .map(describe)
  );
}

/** Reads both contents of a listed file. @throws {PeipkgError} `io` when one cannot be read or is too large */
export function readNewDefault(workspace: Workspace, item: NewDefault): NewDefaultContents {
  const next = readContent(workspace, item.newPath);
  if (next === undefined) throw missing(item.newPath);
  return { ...item, present: readContent(workspace, item.path), next };
}

/**
 * Settles new defaults, one after the other.
 *
 * @throws {PeipkgError} `failed`, `busy`, `denied`, `io`
 * @see C-DIFF-02, A-EVENT-10, T-ETC-03
 */
export async function settleNewDefaults(
  workspace: Workspace,
  paths: readonly string[],
  choice: NewDefaultChoice,
  workingDirectory: string,
): Promise<readonly SettledDefault[]> {
  return await workspace.write((database) =>
    choose(workspace, database, paths, workingDirectory).map((item) => settle(workspace, database, item, choice))
  );
}

function choose(
  workspace: Workspace,
  database: Database | undefined,
  paths: readonly string[],
  workingDirectory: string,
): readonly Recorded[] {
  const recorded = database === undefined ? [] : readNewDefaults(database).flatMap(({ package: name, file: row }) => {
    const path = row.newDefaultOf;
    const file = path === undefined ? undefined : readFile(database, name, path);
    const version = readInstalledPackage(database, name)?.version.raw;
    return path === undefined || file === undefined || version === undefined
      ? []
      : [{ path, newPath: row.path, package: name, version, file }];
  });
  if (paths.length === 0) return recorded;
  const base = workspace.isSystemRoot ? workingDirectory : "/";
  return paths.map((given) => {
    const path = foldPath(given.startsWith("/") ? given : `${base}/${given}`);
    const found = recorded.find((item) => item.path === path || item.newPath === path);
    if (found !== undefined) return found;
    throw new PeipkgError("failed", `no new default is kept for "${given}"`, { path });
  });
}

function describe({ path, newPath, package: name, version }: NewDefault): NewDefault {
  return { path, newPath, package: name, version };
}

function missing(path: string): PeipkgError {
  return new PeipkgError("failed", `the new default "${path}" is missing`, {
    path,
    hint: "use --keep to forget it",
  });
}

function isOnDisk(workspace: Workspace, path: string): boolean {
  using directory = workspace.root.openDirectory(parentPath(path));
  return directory?.status(baseName(path)) !== undefined;
}

function readContent(workspace: Workspace, path: string): Uint8Array | undefined {
  using directory = workspace.root.openDirectory(parentPath(path));
  try {
    return directory === undefined ? undefined : readSmallFile(directory, baseName(path), CONTENT_LIMIT_BYTES);
  } catch (error) {
    throw error instanceof SystemCallError ? callError(error, "read", path) : error;
  }
}

function callError(error: SystemCallError, what: string, path: string): PeipkgError {
  const isDenied = error.errno === "EACCES" || error.errno === "EPERM" || error.errno === "EROFS";
  return ruleError(
    isDenied ? "NOT_PERMITTED" : "FS_IO",
    `cannot ${what} "${path}": the system answers ${error.errno}`,
    {
      path,
      cause: error,
    },
  );
}

// --- Settling ----------------------------------------------------------------------------------------------------

function settle(workspace: Workspace, database: Database, item: Recorded, choice: NewDefaultChoice): SettledDefault {
  using directory = workspace.root.openDirectory(parentPath(item.path));
  if (directory === undefined) throw missing(item.newPath);
  const before = hashAt(directory, baseName(item.path));
  let oldPath: string | undefined;
  try {
    oldPath = choice.kind === "keep" ? undefined : replace(directory, item, choice);
    removeIfThere(directory, baseName(item.newPath));
    directory.sync();
  } catch (error) {
    throw error instanceof SystemCallError ? callError(error, "settle", item.path) : error;
  }
  const after = hashAt(directory, baseName(item.path));
  database.write(() => {
    deleteFile(database, item.package, item.newPath);
    // The recorded digest is that of the package's default; what differs from it was kept by the operator (T-ETC-09).
    setPreservedHash(database, item.package, item.path, after === item.file.hash ? undefined : after);
  });
  workspace.session.emit({ kind: "file", path: item.newPath, action: "removed", package: item.package });
  workspace.audit({
    type: "peipkg.config-change",
    outcome: "success",
    change: { setting: `path:${item.path}`, old: before, new: after, via: "command" },
  });
  return { ...describe(item), oldPath };
}

/** @returns Where the old file is kept. */
function replace(
  directory: Directory,
  item: Recorded,
  choice: Exclude<NewDefaultChoice, { readonly kind: "keep" }>,
): string | undefined {
  const name = baseName(item.path);
  const present = directory.status(name);
  if (present?.type === "dir") {
    throw new PeipkgError("failed", `cannot replace "${item.path}": it is a directory`, { path: item.path });
  }
  const wanted = choice.kind === "merged" ? sha256Hex(choice.content) : item.file.hash;
  const isDone = hashAt(directory, name) === wanted;
  const source = choice.kind === "merged" ? undefined : directory.status(baseName(item.newPath));
  if (isDone && source === undefined) return undefined; // a repeated call finds its own work
  if (choice.kind === "use-new" && source === undefined) throw missing(item.newPath);
  const oldPath = present === undefined ? undefined : keepOld(directory, item.path, present);
  if (choice.kind === "use-new") directory.rename(baseName(item.newPath), directory, name);
  else writeMerged(directory, name, choice.content, present);
  return oldPath;
}

/** Gives the old file a second name; one it has from an interrupted call serves. */
function keepOld(directory: Directory, path: string, present: FileStatus): string {
  const name = baseName(path);
  const known = directory.status(siblingName(name, OLD_SUFFIX));
  const isSame = known?.inode === present.inode && known.device === present.device;
  const old = isSame
    ? siblingName(name, OLD_SUFFIX)
    : freeSiblingName(name, OLD_SUFFIX, (candidate) => directory.status(candidate) !== undefined);
  if (!isSame) directory.link(name, directory, old);
  return `${parentPath(path).replace(/\/$/, "")}/${old}`;
}

/** Mode and owner are those of the file it replaces. */
function writeMerged(
  directory: Directory,
  name: string,
  content: Uint8Array,
  present: FileStatus | undefined,
): void {
  const sibling = siblingName(name, MERGED_SUFFIX);
  removeIfThere(directory, sibling);
  try {
    using file = directory.createFile(sibling, present?.type === "file" ? present.mode & 0o777 : 0o644);
    const { uid, gid } = file.status();
    if (present !== undefined && (present.uid !== uid || present.gid !== gid)) {
      file.changeOwner(present.uid, present.gid);
    }
    file.write(content);
    file.sync();
    directory.rename(sibling, directory, name);
  } catch (error) {
    removeIfThere(directory, sibling);
    throw error;
  }
}

function removeIfThere(directory: Directory, name: string): void {
  try {
    directory.unlink(name);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.errno !== "ENOENT") throw error;
  }
}

/** `undefined`: there is no regular file. */
function hashAt(directory: Directory, name: string): string | undefined {
  return directory.status(name)?.type === "file" ? new ContentReader().hash(directory, name) : undefined;
}
