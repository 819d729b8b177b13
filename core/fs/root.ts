/**
 * Directory trees reached through pinned descriptors. Guaranteed to every room that touches files:
 *
 * - the tree's own path is resolved once, with its links; below it no symbolic link is ever followed, also not one
 *   peipkg made a moment ago (T-PATH-01, T-PATH-02);
 * - every effect takes a pinned directory and one name, so what was examined is what is changed (T-PATH-06);
 * - every descriptor is closed by its owner (`using`) and inherited by no child (T-LOCK-03);
 * - a refused call is a `SystemCallError` that names the call and the logical path.
 */
import { SystemCallError } from "../errors.ts";
import type {
  Barrier,
  Directory,
  FileStatus,
  FileSystemStatus,
  ReadableFile,
  RootDirectory,
  SecurityComponents,
  WritableFile,
} from "../system.ts";
import {
  EAGAIN,
  EINVAL,
  ELOOP,
  ENODATA,
  ENOENT,
  ENOSYS,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
  errnoName,
  EXDEV,
} from "./errno.ts";
import { checked, checkedValue, NativeBarrier, NativeWritableFile, readable, reportsSyncErrors } from "./files.ts";
import { checkName, joinPath, linkOnPath, pathComponents, unsafeDirectory } from "./names.ts";
import * as native from "./native.ts";
import { AT_CWD, OPEN } from "./native.ts";
import { createSecured, getSecurity, hasKacs, setSecurity } from "./peios.ts";

const DIRECTORY_FLAGS = OPEN.readOnly | OPEN.directory | OPEN.noFollow;
const READ_FLAGS = OPEN.readOnly | OPEN.noFollow | OPEN.nonBlocking | OPEN.noTerminal;

export interface RootOptions {
  /** Never use `openat2`, as on a kernel that lacks it (T-PATH-05). */
  readonly withoutOpenat2?: boolean;
}

/**
 * Opens a directory tree; links in `path` are followed.
 *
 * @throws {SystemCallError} `ENOENT`, `ENOTDIR`, `EACCES`, …
 * @throws {PeipkgError} `PATH_UNSAFE_DIR`
 * @see T-PATH-01, T-PATH-07
 */
export function openRoot(path: string, options: RootOptions = {}): RootDirectory {
  return adoptRoot(path, native.openAt(AT_CWD, path, OPEN.readOnly | OPEN.directory), options);
}

/**
 * Opens the tree another thread of this process has open: its path is not resolved a second time (T-PATH-01).
 *
 * @param descriptor `RootDirectory.descriptor`; it stays the other's.
 */
export function openSameRoot(path: string, descriptor: number): RootDirectory {
  return adoptRoot(path, native.openAt(descriptor, ".", OPEN.readOnly | OPEN.directory), {});
}

function adoptRoot(path: string, opened: number, options: RootOptions): RootDirectory {
  const descriptor = checked(opened, "openat", path);
  const tree = new Tree(descriptor, options.withoutOpenat2 === true);
  try {
    tree.judge("/", checkedValue(native.statDescriptor(descriptor), "statx", path));
  } catch (error) {
    native.closeDescriptor(descriptor);
    throw error;
  }
  return new NativeRoot(path, descriptor, tree);
}

/** Opens a regular file the operator named; links are followed, a FIFO does not block. */
export function openOperatorFile(path: string): ReadableFile {
  const flags = OPEN.readOnly | OPEN.nonBlocking | OPEN.noTerminal;
  return readable(checked(native.openAt(AT_CWD, path, flags), "openat", path), path);
}

/** What all handles of one tree share. */
class Tree {
  readonly hasKacs: boolean;
  readonly foreignDirectories: string[] = [];
  /** Only uid 0 on a kernel where mode bits decide has anything to lose here (T-PATH-09). */
  readonly #judges: boolean;
  readonly #judged = new Set<string>();
  /** `openat2` is refused here: walk name by name (T-PATH-05). */
  walks: boolean;

  constructor(descriptor: number, walks: boolean) {
    this.walks = walks;
    this.hasKacs = hasKacs(descriptor);
    this.#judges = !this.hasKacs && native.effectiveUser() === 0;
  }

  /** Parents of `path` that were not judged yet, outermost first; the handle made for `path` judges itself. */
  unjudged(path: string): readonly string[] {
    if (!this.#judges || this.#judged.has(path)) return [];
    const paths: string[] = [];
    for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
      const parent = path.slice(0, end);
      if (!this.#judged.has(parent)) paths.push(parent);
    }
    return paths;
  }

  /** @throws {PeipkgError} `PATH_UNSAFE_DIR` */
  judge(path: string, status: FileStatus): void {
    if (!this.#judges || this.#judged.has(path)) return;
    if ((status.mode & 0o1002) === 0o0002) throw unsafeDirectory(path);
    // The caller is uid 0 here, so there is one owner to expect.
    if (status.uid !== 0) this.foreignDirectories.push(path);
    this.#judged.add(path);
  }
}

class NativeRoot implements RootDirectory {
  readonly path: string;
  readonly #tree: Tree;
  #descriptor: number;

  constructor(path: string, descriptor: number, tree: Tree) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#tree = tree;
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get hasKacs(): boolean {
    return this.#tree.hasKacs;
  }

  get foreignDirectories(): readonly string[] {
    return this.#tree.foreignDirectories;
  }

  reserveDescriptors(count: number): void {
    native.reserveDescriptors(count);
  }

  raiseDescriptorLimit(): number | undefined {
    return native.raiseDescriptorLimit();
  }

  openDirectory(path: string): Directory | undefined {
    const names = pathComponents(path);
    const descriptor = this.#open(path, names);
    if (descriptor === undefined) return undefined;
    try {
      for (const parent of this.#tree.unjudged(path)) this.#judge(parent);
      return new NativeDirectory(path, descriptor, this.#tree);
    } catch (error) {
      native.closeDescriptor(descriptor);
      throw error;
    }
  }

  #judge(path: string): void {
    const descriptor = this.#open(path, pathComponents(path));
    // Gone since: then nothing below it can be reached through it either.
    if (descriptor === undefined) return;
    try {
      this.#tree.judge(path, checkedValue(native.statDescriptor(descriptor), "statx", path));
    } finally {
      native.closeDescriptor(descriptor);
    }
  }

  #open(path: string, names: readonly string[]): number | undefined {
    let result = -ENOSYS;
    if (!this.#tree.walks) {
      const relative = names.length === 0 ? "." : path.slice(1);
      result = native.openBeneath(this.#descriptor, relative, DIRECTORY_FLAGS);
    }
    if (result === -ENOSYS || result === -EPERM || result === -EAGAIN) {
      // A race says nothing about the kernel; the other two do.
      if (result !== -EAGAIN) this.#tree.walks = true;
      result = this.#walk(names);
    }
    if (result === -ENOENT) return undefined;
    if (result === -ELOOP || result === -ENOTDIR || result === -EXDEV) throw linkOnPath(path);
    return checked(result, "openat2", path);
  }

  /** One name at a time, refusing links at each (T-PATH-05). A descriptor or a negated error number. */
  #walk(names: readonly string[]): number {
    let current = native.openAt(this.#descriptor, ".", DIRECTORY_FLAGS);
    for (const name of names) {
      if (current < 0) return current;
      const next = native.openAt(current, name, DIRECTORY_FLAGS);
      native.closeDescriptor(current);
      current = next;
    }
    return current;
  }

  [Symbol.dispose](): void {
    if (this.#descriptor >= 0) native.closeDescriptor(this.#descriptor);
    this.#descriptor = -1;
  }
}

class NativeDirectory implements Directory {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  readonly #tree: Tree;
  #descriptor: number;

  /** Takes over `descriptor` unless it throws. */
  constructor(path: string, descriptor: number, tree: Tree) {
    const status = checkedValue(native.statDescriptor(descriptor), "statx", path);
    tree.judge(path, status);
    this.path = path;
    this.device = status.device;
    this.inode = status.inode;
    this.#descriptor = descriptor;
    this.#tree = tree;
  }

  get hasKacs(): boolean {
    return this.#tree.hasKacs;
  }

  status(name: string): FileStatus | undefined {
    checkName(name, "statx", this.path);
    const status = native.statAt(this.#descriptor, name);
    return status === -ENOENT ? undefined : checkedValue(status, "statx", this.path, name);
  }

  selfStatus(): FileStatus {
    return checkedValue(native.statDescriptor(this.#descriptor), "statx", this.path);
  }

  readLink(name: string): string {
    checkName(name, "readlinkat", this.path);
    return checkedValue(native.readLinkAt(this.#descriptor, name), "readlinkat", this.path, name);
  }

  list(containing?: string): { readonly names: readonly string[]; readonly undecodable: number } {
    const names: string[] = [];
    const undecodable = checked(native.listNames(this.#descriptor, names, containing), "getdents64", this.path);
    return { names, undecodable };
  }

  openDirectory(name: string): Directory | undefined {
    checkName(name, "openat", this.path);
    const path = joinPath(this.path, name);
    const descriptor = native.openAt(this.#descriptor, name, DIRECTORY_FLAGS);
    if (descriptor === -ENOENT) return undefined;
    if (descriptor === -ELOOP || descriptor === -ENOTDIR) throw linkOnPath(path);
    checked(descriptor, "openat", path);
    try {
      return new NativeDirectory(path, descriptor, this.#tree);
    } catch (error) {
      native.closeDescriptor(descriptor);
      throw error;
    }
  }

  openFile(name: string): ReadableFile {
    const descriptor = this.#openName(name, READ_FLAGS);
    return readable(descriptor, joinPath(this.path, name));
  }

  readFile(name: string, buffer: Uint8Array, sizeBytes: number): number {
    checkName(name, "openat", this.path);
    const length = native.readNameAt(this.#descriptor, name, READ_FLAGS, buffer, sizeBytes);
    return checked(length, "pread", this.path, name);
  }

  createFile(name: string, mode: number): WritableFile {
    const flags = OPEN.writeOnly | OPEN.create | OPEN.exclusive | OPEN.noFollow;
    const descriptor = this.#openName(name, flags, mode);
    // The umask (022 in every peipkg process, T-SIDE-05) takes bits from group and others only; files are staged
    // without any, so the usual case needs no second call.
    if ((mode & 0o077) !== 0) this.#setNewMode(descriptor, name, mode);
    return new NativeWritableFile(descriptor, this.path, name);
  }

  appendFile(name: string, mode: number): WritableFile {
    // Reading as well, because a network file system locks only what may be written and read (T-LOCK-02).
    const flags = OPEN.readWrite | OPEN.append | OPEN.noFollow | OPEN.nonBlocking | OPEN.noTerminal;
    checkName(name, "openat", this.path);
    const path = joinPath(this.path, name);
    for (;;) {
      const existing = native.openAt(this.#descriptor, name, flags);
      if (existing !== -ENOENT) {
        checked(existing, "openat", path);
        const status = native.statDescriptor(existing);
        if (typeof status !== "number" && status.type === "file") {
          return new NativeWritableFile(existing, this.path, name);
        }
        native.closeDescriptor(existing);
        checkedValue(status, "statx", path);
        throw new SystemCallError("ENXIO", "openat", path);
      }
      const created = native.openAt(this.#descriptor, name, flags | OPEN.create | OPEN.exclusive, mode);
      if (created >= 0) {
        this.#setNewMode(created, name, mode);
        return new NativeWritableFile(created, this.path, name);
      }
      // Somebody else created it in between: then it is there to be opened.
      if (errnoName(-created) !== "EEXIST") checked(created, "openat", path);
    }
  }

  #openName(name: string, flags: number, mode = 0): number {
    checkName(name, "openat", this.path);
    return checked(native.openAt(this.#descriptor, name, flags, mode), "openat", this.path, name);
  }

  #setNewMode(descriptor: number, name: string, mode: number): void {
    const result = native.changeMode(descriptor, mode);
    if (result >= 0) return;
    native.closeDescriptor(descriptor);
    checked(result, "fchmod", this.path, name);
  }

  makeDirectory(name: string, mode: number): void {
    checkName(name, "mkdirat", this.path);
    checked(native.makeDirectoryAt(this.#descriptor, name, mode), "mkdirat", this.path, name);
    this.changeMode(name, mode);
  }

  makeSymlink(name: string, target: string): void {
    checkName(name, "symlinkat", this.path);
    if (target.includes("\0")) throw new SystemCallError("EINVAL", "symlinkat", joinPath(this.path, name));
    checked(native.symlinkAt(target, this.#descriptor, name), "symlinkat", this.path, name);
  }

  link(name: string, to: Directory, newName: string): void {
    checkName(name, "linkat", this.path);
    checkName(newName, "linkat", to.path);
    const result = native.linkAt(this.#descriptor, name, nativeDirectory(to).#descriptor, newName);
    checked(result, "linkat", to.path, newName);
  }

  rename(name: string, to: Directory, newName: string, options?: { readonly noReplace?: boolean }): void {
    checkName(name, "renameat2", this.path);
    checkName(newName, "renameat2", to.path);
    const target = nativeDirectory(to).#descriptor;
    const result = native.renameAt(this.#descriptor, name, target, newName, options?.noReplace === true);
    checked(result, "renameat2", to.path, newName);
  }

  unlink(name: string): void {
    checkName(name, "unlinkat", this.path);
    checked(native.unlinkAt(this.#descriptor, name), "unlinkat", this.path, name);
  }

  removeDirectory(name: string): void {
    checkName(name, "unlinkat", this.path);
    checked(native.removeDirectoryAt(this.#descriptor, name), "unlinkat", this.path, name);
  }

  changeMode(name: string, mode: number): void {
    checkName(name, "fchmodat2", this.path);
    let result = native.changeModeAt(this.#descriptor, name, mode);
    // Kernels before 6.6, and filters that do not know the call yet.
    if (result === -ENOSYS || result === -EPERM) result = this.#changeModeOpened(name, mode);
    checked(result, "fchmod", this.path, name);
  }

  #changeModeOpened(name: string, mode: number): number {
    const status = this.status(name);
    // Opening a device would do something; no device is ever ours.
    if (status !== undefined && status.type !== "file" && status.type !== "dir") return -EOPNOTSUPP;
    const descriptor = this.#openName(name, READ_FLAGS);
    const result = native.changeMode(descriptor, mode);
    native.closeDescriptor(descriptor);
    return result;
  }

  changeOwner(name: string, uid: number, gid: number): void {
    checkName(name, "fchownat", this.path);
    checked(native.changeOwnerAt(this.#descriptor, name, uid, gid), "fchownat", this.path, name);
  }

  setModified(name: string, mtime: bigint): void {
    checkName(name, "utimensat", this.path);
    checked(native.setModifiedAt(this.#descriptor, name, mtime), "utimensat", this.path, name);
  }

  sync(): void {
    let result = native.syncDescriptor(this.#descriptor);
    // T-COMMIT-42
    if (result === -EINVAL || result === -EOPNOTSUPP) result = native.syncFileSystem(this.#descriptor);
    checked(result, "fsync", this.path);
  }

  fileSystemStatus(): FileSystemStatus {
    return checkedValue(native.fileSystemOf(this.#descriptor), "fstatfs", this.path);
  }

  openBarrier(): Barrier | undefined {
    if (!reportsSyncErrors(native.systemNames()?.release)) return undefined;
    const descriptor = checked(native.openAt(this.#descriptor, ".", DIRECTORY_FLAGS), "openat", this.path);
    return new NativeBarrier(descriptor, this.path, this.device);
  }

  createSecuredFile(name: string, descriptor: Uint8Array): WritableFile {
    checkName(name, "kacs_open", this.path);
    const file = createSecured(this.#descriptor, name, "file", descriptor);
    return new NativeWritableFile(checked(file, "kacs_open", this.path, name), this.path, name);
  }

  makeSecuredDirectory(name: string, descriptor: Uint8Array): void {
    checkName(name, "kacs_open", this.path);
    const directory = createSecured(this.#descriptor, name, "dir", descriptor);
    native.closeDescriptor(checked(directory, "kacs_open", this.path, name));
  }

  readSecurity(name: string | undefined, components: SecurityComponents): Uint8Array {
    if (name !== undefined) checkName(name, "kacs_get_sd", this.path);
    return checkedValue(getSecurity(this.#descriptor, name, components), "kacs_get_sd", this.path, name);
  }

  writeSecurity(name: string | undefined, components: SecurityComponents, descriptor: Uint8Array): void {
    if (name !== undefined) checkName(name, "kacs_set_sd", this.path);
    checked(setSecurity(this.#descriptor, name, components, descriptor), "kacs_set_sd", this.path, name);
  }

  readAttribute(name: string | undefined, attribute: string): Uint8Array | undefined {
    return this.#withObject(name, (descriptor) => {
      const size = native.getAttribute(descriptor, attribute, new Uint8Array());
      if (size === -ENODATA) return undefined;
      const value = new Uint8Array(checked(size, "fgetxattr", this.path, name));
      checked(native.getAttribute(descriptor, attribute, value), "fgetxattr", this.path, name);
      return value;
    });
  }

  writeAttribute(name: string | undefined, attribute: string, value: Uint8Array | undefined): void {
    this.#withObject(name, (descriptor) => {
      if (value === undefined) {
        const result = native.removeAttribute(descriptor, attribute);
        if (result !== -ENODATA) checked(result, "fremovexattr", this.path, name);
      } else {
        checked(native.setAttribute(descriptor, attribute, value), "fsetxattr", this.path, name);
      }
    });
  }

  #withObject<Result>(name: string | undefined, act: (descriptor: number) => Result): Result {
    if (name === undefined) return act(this.#descriptor);
    const descriptor = this.#openName(name, READ_FLAGS);
    try {
      return act(descriptor);
    } finally {
      native.closeDescriptor(descriptor);
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor >= 0) native.closeDescriptor(this.#descriptor);
    this.#descriptor = -1;
  }
}

function nativeDirectory(directory: Directory): NativeDirectory {
  if (directory instanceof NativeDirectory) return directory;
  throw new TypeError("both directories of a link or rename must be of the same kind");
}
