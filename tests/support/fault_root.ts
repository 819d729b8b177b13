/**
 * Counts and refuses the calls of any `RootDirectory`, the real one or the in-memory one: every call first goes
 * through a hook, which may throw a `SystemCallError` (the call is refused) or a `CrashError` (the process dies there
 * and every later call dies too).
 */
import { SystemCallError } from "../../core/errors.ts";
import { joinPath } from "../../core/fs/names.ts";
import type {
  Barrier,
  Directory,
  FileStatus,
  FileSystemStatus,
  ReadableFile,
  RootDirectory,
  SecurityComponents,
  WritableFile,
} from "../../core/system.ts";

/** The process died at this call. Code under test must not catch it for good. */
export class CrashError extends Error {
  override readonly name = "CrashError";

  constructor(readonly call: string, readonly path: string) {
    super(`crashed before ${call} ${path}`);
  }
}

/**
 * Called before each call.
 *
 * @param n Number of the call, from 1, over every root that shares the control.
 * @param call Name of the system call, as `SystemCallError` has it.
 * @param path Logical path it is about; of a link or rename the new one.
 */
export type OnCall = (n: number, call: string, path: string) => void;

/** Calls that change something; the others only look. */
export const CHANGING_CALLS: ReadonlySet<string> = new Set([
  "create",
  "append",
  "mkdirat",
  "symlinkat",
  "linkat",
  "renameat2",
  "unlinkat",
  "fchmod",
  "fchown",
  "fchownat",
  "futimens",
  "utimensat",
  "write",
  "ftruncate",
  "fsync",
  "syncfs",
  "kacs_open",
  "kacs_set_sd",
  "fsetxattr",
]);

/** What the roots of one simulated process share. */
export class FaultControl {
  /** Calls made so far. */
  calls = 0;
  /** Set by a `CrashError`; nothing works any more. */
  hasCrashed = false;
  /** Whether the hook of `failAt()` or `crashAt()` fired. */
  hasFired = false;

  constructor(public onCall: OnCall = () => {}) {}

  /** Refuses the `n`th call for which `applies` says true (all of them when absent). */
  static failAt(n: number, errno: string, applies: (call: string, path: string) => boolean = () => true): FaultControl {
    return FaultControl.#at(n, applies, (call, path) => new SystemCallError(errno, call, path));
  }

  /** Dies before the `n`th call for which `applies` says true. */
  static crashAt(n: number, applies: (call: string, path: string) => boolean = () => true): FaultControl {
    return FaultControl.#at(n, applies, (call, path) => new CrashError(call, path));
  }

  static #at(
    n: number,
    applies: (call: string, path: string) => boolean,
    failure: (call: string, path: string) => Error,
  ): FaultControl {
    let seen = 0;
    const control = new FaultControl((_n, call, path) => {
      if (!applies(call, path) || ++seen !== n) return;
      control.hasFired = true;
      throw failure(call, path);
    });
    return control;
  }

  /** Counts a call and lets the hook speak. */
  enter(call: string, path: string): void {
    if (this.hasCrashed) throw new CrashError(call, path);
    this.calls++;
    try {
      this.onCall(this.calls, call, path);
    } catch (error) {
      if (error instanceof CrashError) this.hasCrashed = true;
      throw error;
    }
  }
}

/**
 * Wraps a root. `create` and `append` stand for the `openat` that creates, so that hooks can tell it from opening.
 */
export function faultRoot(root: RootDirectory, control: FaultControl): RootDirectory {
  return new FaultRoot(root, control);
}

class FaultRoot implements RootDirectory {
  constructor(readonly inner: RootDirectory, readonly control: FaultControl) {}

  get path(): string {
    return this.inner.path;
  }
  get hasKacs(): boolean {
    return this.inner.hasKacs;
  }
  get foreignDirectories(): readonly string[] {
    return this.inner.foreignDirectories;
  }

  openDirectory(path: string): Directory | undefined {
    this.control.enter("openat2", path);
    const directory = this.inner.openDirectory(path);
    return directory === undefined ? undefined : new FaultDirectory(directory, this.control);
  }

  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}

class FaultDirectory implements Directory {
  constructor(readonly inner: Directory, readonly control: FaultControl) {}

  get path(): string {
    return this.inner.path;
  }
  get device(): bigint {
    return this.inner.device;
  }
  get inode(): bigint {
    return this.inner.inode;
  }
  get hasKacs(): boolean {
    return this.inner.hasKacs;
  }

  #enter(call: string, name?: string): Directory {
    this.control.enter(call, name === undefined ? this.path : joinPath(this.path, name));
    return this.inner;
  }

  status(name: string): FileStatus | undefined {
    return this.#enter("statx", name).status(name);
  }
  selfStatus(): FileStatus {
    return this.#enter("statx").selfStatus();
  }
  readLink(name: string): string {
    return this.#enter("readlinkat", name).readLink(name);
  }
  list(containing?: string): { readonly names: readonly string[]; readonly undecodable: number } {
    return this.#enter("getdents64").list(containing);
  }
  openDirectory(name: string): Directory | undefined {
    const directory = this.#enter("openat", name).openDirectory(name);
    return directory === undefined ? undefined : new FaultDirectory(directory, this.control);
  }
  openFile(name: string): ReadableFile {
    return new FaultReadableFile(this.#enter("openat", name).openFile(name), this.control);
  }
  readFile(name: string, buffer: Uint8Array, sizeBytes: number): number {
    const directory = this.#enter("openat", name);
    this.control.enter("pread", joinPath(this.path, name));
    return directory.readFile(name, buffer, sizeBytes);
  }
  createFile(name: string, mode: number): WritableFile {
    return new FaultWritableFile(this.#enter("create", name).createFile(name, mode), this.control);
  }
  appendFile(name: string, mode: number): WritableFile {
    return new FaultWritableFile(this.#enter("append", name).appendFile(name, mode), this.control);
  }
  makeDirectory(name: string, mode: number): void {
    this.#enter("mkdirat", name).makeDirectory(name, mode);
  }
  makeSymlink(name: string, target: string): void {
    this.#enter("symlinkat", name).makeSymlink(name, target);
  }
  link(name: string, to: Directory, newName: string): void {
    const target = faultDirectory(to);
    target.#enter("linkat", newName);
    this.inner.link(name, target.inner, newName);
  }
  rename(name: string, to: Directory, newName: string, options?: { readonly noReplace?: boolean }): void {
    const target = faultDirectory(to);
    target.#enter("renameat2", newName);
    this.inner.rename(name, target.inner, newName, options);
  }
  unlink(name: string): void {
    this.#enter("unlinkat", name).unlink(name);
  }
  removeDirectory(name: string): void {
    this.#enter("unlinkat", name).removeDirectory(name);
  }
  changeMode(name: string, mode: number): void {
    this.#enter("fchmod", name).changeMode(name, mode);
  }
  changeOwner(name: string, uid: number, gid: number): void {
    this.#enter("fchownat", name).changeOwner(name, uid, gid);
  }
  setModified(name: string, mtime: bigint): void {
    this.#enter("utimensat", name).setModified(name, mtime);
  }
  sync(): void {
    this.#enter("fsync").sync();
  }
  fileSystemStatus(): FileSystemStatus {
    return this.#enter("fstatfs").fileSystemStatus();
  }
  openBarrier(): Barrier | undefined {
    const barrier = this.#enter("openat").openBarrier();
    return barrier === undefined ? undefined : new FaultBarrier(barrier, this.control, this.path);
  }
  createSecuredFile(name: string, descriptor: Uint8Array): WritableFile {
    return new FaultWritableFile(this.#enter("kacs_open", name).createSecuredFile(name, descriptor), this.control);
  }
  makeSecuredDirectory(name: string, descriptor: Uint8Array): void {
    this.#enter("kacs_open", name).makeSecuredDirectory(name, descriptor);
  }
  readSecurity(name: string | undefined, components: SecurityComponents): Uint8Array {
    return this.#enter("kacs_get_sd", name).readSecurity(name, components);
  }
  writeSecurity(name: string | undefined, components: SecurityComponents, descriptor: Uint8Array): void {
    this.#enter("kacs_set_sd", name).writeSecurity(name, components, descriptor);
  }
  readAttribute(name: string | undefined, attribute: string): Uint8Array | undefined {
    return this.#enter("fgetxattr", name).readAttribute(name, attribute);
  }
  writeAttribute(name: string | undefined, attribute: string, value: Uint8Array | undefined): void {
    this.#enter("fsetxattr", name).writeAttribute(name, attribute, value);
  }
  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}

function faultDirectory(directory: Directory): FaultDirectory {
  if (directory instanceof FaultDirectory) return directory;
  throw new TypeError("both directories of a link or rename must be of the same kind");
}

class FaultBarrier implements Barrier {
  constructor(readonly inner: Barrier, readonly control: FaultControl, readonly path: string) {}

  get device(): bigint {
    return this.inner.device;
  }
  sync(): void {
    this.control.enter("syncfs", this.path);
    this.inner.sync();
  }
  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}

class FaultReadableFile implements ReadableFile {
  constructor(readonly inner: ReadableFile, readonly control: FaultControl) {}

  get path(): string {
    return this.inner.path;
  }
  status(): FileStatus {
    this.control.enter("statx", this.path);
    return this.inner.status();
  }
  readAt(buffer: Uint8Array, offset: number): number {
    this.control.enter("pread", this.path);
    return this.inner.readAt(buffer, offset);
  }
  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}

class FaultWritableFile implements WritableFile {
  constructor(readonly inner: WritableFile, readonly control: FaultControl) {}

  get path(): string {
    return this.inner.path;
  }
  #enter(call: string): WritableFile {
    this.control.enter(call, this.path);
    return this.inner;
  }
  status(): FileStatus {
    return this.#enter("statx").status();
  }
  write(bytes: Uint8Array): void {
    this.#enter("write").write(bytes);
  }
  changeMode(mode: number): void {
    this.#enter("fchmod").changeMode(mode);
  }
  changeOwner(uid: number, gid: number): void {
    this.#enter("fchown").changeOwner(uid, gid);
  }
  setModified(mtime: bigint): void {
    this.#enter("futimens").setModified(mtime);
  }
  sync(): void {
    this.#enter("fsync").sync();
  }
  tryLock(): boolean {
    return this.#enter("flock").tryLock();
  }
  truncate(sizeBytes: number): void {
    this.#enter("ftruncate").truncate(sizeBytes);
  }
  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}
