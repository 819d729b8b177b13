/** Open files and barriers over descriptors: each owns one and closes it when disposed. */
import { SystemCallError } from "../errors.ts";
import type { Barrier, FileStatus, ReadableFile, WritableFile } from "../system.ts";
import { EAGAIN, errnoName } from "./errno.ts";
import { joinPath } from "./names.ts";
import * as native from "./native.ts";

/** Throws for a negated error number; passes results on. */
export function checked(result: number, call: string, parent: string, name?: string): number {
  if (result >= 0) return result;
  throw new SystemCallError(errnoName(-result), call, name === undefined ? parent : joinPath(parent, name));
}

/** The same for calls that answer with more than a number. */
export function checkedValue<Value>(value: Value | number, call: string, parent: string, name?: string): Value {
  if (typeof value !== "number") return value;
  throw new SystemCallError(errnoName(-value), call, name === undefined ? parent : joinPath(parent, name));
}

/** Takes over a descriptor opened for reading; refuses anything but a regular file. */
export function readable(descriptor: number, path: string): ReadableFile {
  const status = native.statDescriptor(descriptor);
  if (typeof status !== "number" && status.type === "file") return new NativeReadableFile(descriptor, path);
  native.closeDescriptor(descriptor);
  if (typeof status === "number") throw new SystemCallError(errnoName(-status), "statx", path);
  throw new SystemCallError(status.type === "dir" ? "EISDIR" : "ENXIO", "openat", path);
}

/** `syncfs` reports write-back errors since Linux 5.8 (T-COMMIT-40). */
export function reportsSyncErrors(kernelRelease: string | undefined): boolean {
  const [major = 0, minor = 0] = (kernelRelease ?? "").split(/[.-]/, 2).map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

/** A file system to be synced whole. */
export class NativeBarrier implements Barrier {
  readonly device: bigint;
  readonly #path: string;
  #descriptor: number;

  constructor(descriptor: number, path: string, device: bigint) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.device = device;
  }

  sync(): void {
    checked(native.syncFileSystem(this.#descriptor), "syncfs", this.#path);
  }

  [Symbol.dispose](): void {
    if (this.#descriptor >= 0) native.closeDescriptor(this.#descriptor);
    this.#descriptor = -1;
  }
}

/** A regular file open for reading. */
class NativeReadableFile implements ReadableFile {
  readonly path: string;
  #descriptor: number;

  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.path = path;
  }

  status(): FileStatus {
    return checkedValue(native.statDescriptor(this.#descriptor), "statx", this.path);
  }

  readAt(buffer: Uint8Array, offset: number): number {
    return checked(native.readAt(this.#descriptor, buffer, offset), "pread", this.path);
  }

  [Symbol.dispose](): void {
    if (this.#descriptor >= 0) native.closeDescriptor(this.#descriptor);
    this.#descriptor = -1;
  }
}

/** A regular file open for writing. */
export class NativeWritableFile implements WritableFile {
  readonly #directory: string;
  readonly #name: string;
  #descriptor: number;

  constructor(descriptor: number, directory: string, name: string) {
    this.#descriptor = descriptor;
    this.#directory = directory;
    this.#name = name;
  }

  get path(): string {
    return joinPath(this.#directory, this.#name);
  }

  status(): FileStatus {
    return checkedValue(native.statDescriptor(this.#descriptor), "statx", this.#directory, this.#name);
  }

  write(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const written = checked(native.writeSome(this.#descriptor, rest), "write", this.#directory, this.#name);
      if (written === rest.length) return;
      rest = rest.subarray(written); // T-STAGE-03
    }
  }

  changeMode(mode: number): void {
    checked(native.changeMode(this.#descriptor, mode), "fchmod", this.#directory, this.#name);
  }

  changeOwner(uid: number, gid: number): void {
    checked(native.changeOwner(this.#descriptor, uid, gid), "fchown", this.#directory, this.#name);
  }

  setModified(mtime: bigint): void {
    checked(native.setModified(this.#descriptor, mtime), "futimens", this.#directory, this.#name);
  }

  sync(): void {
    checked(native.syncDescriptor(this.#descriptor), "fsync", this.#directory, this.#name);
  }

  tryLock(): boolean {
    const result = native.lockDescriptor(this.#descriptor);
    // Busy is EWOULDBLOCK, the same number (T-LOCK-02).
    if (result === -EAGAIN) return false;
    checked(result, "flock", this.#directory, this.#name);
    return true;
  }

  truncate(sizeBytes: number): void {
    checked(native.truncateFile(this.#descriptor, sizeBytes), "ftruncate", this.#directory, this.#name);
  }

  [Symbol.dispose](): void {
    if (this.#descriptor >= 0) native.closeDescriptor(this.#descriptor);
    this.#descriptor = -1;
  }
}
