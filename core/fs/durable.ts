/**
 * Small files and directories made durable at once: what configuration, cache and lock need outside a transaction.
 * After a function returns, its effect survives a power cut; when it throws, the old state does. Callers exclude
 * each other with the writer lock.
 */
import { SystemCallError } from "../errors.ts";
import type { Directory, RootDirectory, WritableFile } from "../system.ts";

/** Suffix of the sibling a new content is written to; a name of ours, so a leftover of a crash may be replaced. */
const WRITE_SUFFIX = ".peipkg-write";

/**
 * Creates or replaces a small file: a reader sees the old or the new bytes whole, also after a power cut.
 *
 * @param mode Permission bits, set whatever the umask.
 * @throws {SystemCallError} The refused call; the old file is unchanged then, unless only the last sync was refused.
 * @see T-PATH-11
 */
export function writeFileDurably(directory: Directory, name: string, bytes: Uint8Array, mode: number): void {
  const sibling = name + WRITE_SUFFIX;
  {
    using file = createFresh(directory, sibling, mode);
    try {
      file.write(bytes);
      file.sync();
      directory.rename(sibling, directory, name);
    } catch (error) {
      removeQuietly(directory, sibling);
      throw error;
    }
  }
  directory.sync();
}

function createFresh(directory: Directory, name: string, mode: number): WritableFile {
  try {
    return directory.createFile(name, mode);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.errno !== "EEXIST") throw error;
    directory.unlink(name);
    return directory.createFile(name, mode);
  }
}

/** Clears up while another failure is on its way to the caller; that one is the one to report. */
function removeQuietly(directory: Directory, name: string): void {
  try {
    directory.unlink(name);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
  }
}

/** Removes a file and makes the removal durable; false when it did not exist. */
export function removeDurably(directory: Directory, name: string): boolean {
  try {
    directory.unlink(name);
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === "ENOENT") return false;
    throw error;
  }
  directory.sync();
  return true;
}

/**
 * Opens a directory by its logical path, creating what is missing. Every directory created gets `mode`, and its
 * parent is synced before the next one is made.
 *
 * @throws {PeipkgError} `PATH_SYMLINK` when a component is a link or no directory.
 * @see T-DB-17
 */
export function openOrCreateDirectory(root: RootDirectory, path: string, mode: number): Directory {
  const existing = root.openDirectory(path);
  if (existing !== undefined) return existing;
  const end = path.lastIndexOf("/");
  using parent = openOrCreateDirectory(root, path.slice(0, end) || "/", mode);
  return openOrCreateChild(parent, path.slice(end + 1), mode);
}

/** Opens a child directory, creating it durably when it is missing. */
export function openOrCreateChild(directory: Directory, name: string, mode: number): Directory {
  const existing = directory.openDirectory(name);
  if (existing !== undefined) return existing;
  try {
    directory.makeDirectory(name, mode);
    directory.sync();
  } catch (error) {
    // Another process was faster; what it made must pass the same checks.
    if (!(error instanceof SystemCallError) || error.errno !== "EEXIST") throw error;
  }
  const created = directory.openDirectory(name);
  if (created !== undefined) return created;
  throw new SystemCallError("ENOENT", "openat", `${directory.path}/${name}`);
}

/**
 * Reads a small file whole.
 *
 * @returns `undefined` when it does not exist.
 * @throws {SystemCallError} `EFBIG` when it holds more than `limitBytes`; `ELOOP` for a link; `EISDIR`, `ENXIO` for
 *   anything else that is no regular file.
 */
export function readSmallFile(directory: Directory, name: string, limitBytes: number): Uint8Array | undefined {
  let file;
  try {
    file = directory.openFile(name);
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === "ENOENT") return undefined;
    throw error;
  }
  using opened = file;
  const { sizeBytes } = opened.status();
  if (sizeBytes > limitBytes) throw new SystemCallError("EFBIG", "pread", opened.path);
  // One byte more than stated: a file that grows meanwhile is noticed, not cut.
  const buffer = new Uint8Array(Math.min(sizeBytes, limitBytes) + 1);
  let length = 0;
  while (length < buffer.length) {
    const count = opened.readAt(buffer.subarray(length), length);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
  }
  throw new SystemCallError("EFBIG", "pread", opened.path);
}
