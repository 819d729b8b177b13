/**
 * Files and directories the operator names literally: operands, keys, lists, outputs. Links in their paths are
 * followed, as the operator wrote them; outputs are written beside their place and renamed (cli.md section 12).
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import type { Directory, ReadableFile, RootDirectory, Session, WritableFile } from "../system.ts";

const DENIED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);

/** Words a refused system call on a named path. */
function namedPathError(error: SystemCallError, what: string, path: string): PeipkgError {
  const found = error.errno === "ENOENT" ? "it does not exist" : `the system answers ${error.errno}`;
  return ruleError(DENIED.has(error.errno) ? "NOT_PERMITTED" : "FS_IO", `cannot ${what} "${path}": ${found}`, {
    path,
    cause: error,
  });
}

/** Opens a named file for reading. */
export function openNamedFile(session: Session, path: string): ReadableFile {
  try {
    return session.system.openFile(path);
  } catch (error) {
    throw error instanceof SystemCallError ? namedPathError(error, "read", path) : error;
  }
}

/**
 * Reads a named file whole.
 *
 * @throws {PeipkgError} `format` when it is larger than `limitBytes`, `io`, `denied`
 */
export function readNamedFile(session: Session, path: string, limitBytes: number): Uint8Array<ArrayBuffer> {
  using file = openNamedFile(session, path);
  const { sizeBytes } = file.status();
  if (sizeBytes > limitBytes) {
    throw new PeipkgError("format", `cannot read "${path}": it has ${sizeBytes} bytes, limit is ${limitBytes}`, {
      path,
    });
  }
  const buffer = new Uint8Array(limitBytes === sizeBytes ? sizeBytes : Math.min(sizeBytes + 1, limitBytes));
  let length = 0;
  while (length < buffer.length) {
    const read = file.readAt(buffer.subarray(length), length);
    if (read === 0) break;
    length += read;
  }
  return buffer.slice(0, length);
}

/** The directory a named path lies in, pinned, and the last component. The caller disposes the directory. */
export function openNamedParent(
  session: Session,
  path: string,
): { readonly directory: Directory; readonly name: string } {
  const trimmed = path.replace(/(?<=.)\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  const parent = slash < 0 ? "." : slash === 0 ? "/" : trimmed.slice(0, slash);
  const name = trimmed.slice(slash + 1);
  if (name === "" || name === "." || name === "..") {
    throw new PeipkgError("usage", `cannot write to "${path}": a file name is required`);
  }
  return { directory: openNamedDirectory(session, parent), name };
}

/** A named directory, pinned. The caller disposes it. */
export function openNamedDirectory(session: Session, path: string): Directory {
  using root = openNamedRoot(session, path);
  const directory = root.openDirectory("/");
  if (directory === undefined) throw namedPathError(new SystemCallError("ENOENT", "open", path), "open", path);
  return directory;
}

/** A named directory as a tree below which no link is followed. The caller disposes it. */
export function openNamedRoot(session: Session, path: string): RootDirectory {
  try {
    return session.system.openRoot(path);
  } catch (error) {
    throw error instanceof SystemCallError ? namedPathError(error, "open", path) : error;
  }
}

/** Makes a named directory when it does not exist. */
export function createNamedDirectory(session: Session, path: string, mode: number): void {
  if (isNamedDirectory(session, path)) return;
  const { directory, name } = openNamedParent(session, path);
  using _directory = directory;
  try {
    directory.makeDirectory(name, mode);
  } catch (error) {
    throw error instanceof SystemCallError ? namedPathError(error, "create", path) : error;
  }
}

/** Whether a named path is an existing directory, links followed. */
export function isNamedDirectory(session: Session, path: string): boolean {
  try {
    using _root = session.system.openRoot(path);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError || error instanceof PeipkgError) return false;
    throw error;
  }
}

/**
 * Writes a named file beside its place and renames it there when `write` has succeeded; otherwise nothing is left.
 *
 * @param replace Whether a file that is there may be replaced.
 * @throws {PeipkgError} `exists`, `denied`, `io`, and what `write` throws
 */
export async function writeNamedFile(
  session: Session,
  path: string,
  mode: number,
  replace: boolean,
  write: (file: WritableFile) => Promise<void> | void,
): Promise<void> {
  const { directory, name } = openNamedParent(session, path);
  using _directory = directory;
  if (!replace && directory.status(name) !== undefined) {
    throw new PeipkgError("exists", `cannot write "${path}": it exists`, { path });
  }
  const suffix = [...session.system.randomBytes(6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const temporary = `.${name.slice(0, 200)}.${suffix}`;
  try {
    using file = directory.createFile(temporary, mode);
    await write(file);
    file.sync();
    directory.rename(temporary, directory, name, { noReplace: !replace });
    directory.sync();
  } catch (error) {
    if (directory.status(temporary) !== undefined) directory.unlink(temporary);
    throw error instanceof SystemCallError ? namedPathError(error, "write", path) : error;
  }
}
