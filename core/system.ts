/**
 * The whole outside world as interfaces: clock, randomness, network, processes, the machine, and directory trees
 * that are reached only through pinned descriptors. `core/runtime.ts` implements them for real; tests hand in
 * others. Nothing else in `core/` may touch the runtime's globals.
 */
import type { Emit } from "./events.ts";

export interface System {
  /** Milliseconds since the epoch. Operations read it once and pass it down. */
  now(): number;
  /** Milliseconds of a clock that never goes back; for rates and time-outs only. */
  monotonic(): number;
  randomBytes(count: number): Uint8Array;
  /** Waits; rejects with the signal's reason when aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** One GET request, no redirect followed, no content decoding. Network failures throw `NetworkError`. */
  fetch(request: HttpRequest): Promise<HttpResponse>;
  /** Opens a directory tree; links in `path` itself are followed, nothing below it ever is (T-PATH-01). */
  openRoot(path: string): RootDirectory;
  /** Opens a file named literally by the operator (package operand, key, list). Links are followed. */
  openFile(path: string): ReadableFile;
  /** Runs a side-effect tool (T-SIDE-05). */
  runTool(tool: ToolInvocation): Promise<ToolResult>;
  /** Sends one audit record to the kernel's event interface (A-KMES-01). */
  emitKernelEvent(type: string, payload: Uint8Array): KernelEventResult;
  readonly machine: Machine;
}

export interface HttpRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts the request and its body. */
  readonly signal: AbortSignal;
  /** Extra certificate authorities, PEM. */
  readonly certificates?: string;
  /** Proxy URL; absent: direct. */
  readonly proxy?: string;
  /** Force an address family; 0 or absent: either. */
  readonly ipVersion?: 0 | 4 | 6;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** Raw bytes as sent, content coding included. Cancel it when it is not read to its end. */
  readonly body: ReadableStream<Uint8Array> | null;
}

/** A request that got no response, or whose body broke off. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  /** @param phase Where it failed. */
  constructor(readonly phase: "resolve" | "connect" | "tls" | "body", message: string, cause?: unknown) {
    super(message, { cause });
  }
}

export interface ToolInvocation {
  readonly path: string;
  readonly args: readonly string[];
  readonly timeoutMilliseconds: number;
}

export interface ToolResult {
  /** Exit status; `undefined` when killed. */
  readonly status?: number;
  readonly signal?: string;
  readonly timedOut: boolean;
  /** Standard output and error joined, at most 64 KiB. */
  readonly output: Uint8Array;
}

/** `ENOSYS` means no kernel events exist here; other errno names are refusals (A-SINK). */
export type KernelEventResult = { readonly kind: "accepted" } | { readonly kind: "refused"; readonly errno: string };

/** Facts about this process and machine; each may be absent where the kernel does not tell (A-INPUT-21). */
export interface Machine {
  /** `x86_64` or `aarch64`, or what the kernel calls it. */
  readonly architecture: string;
  readonly pid: number;
  readonly startTicks?: string | undefined;
  readonly bootId?: string | undefined;
  readonly pidNamespace?: string | undefined;
  readonly hostname?: string | undefined;
  readonly loginUid?: number | undefined;
  readonly uid: number;
  readonly euid: number;
  readonly gid: number;
  readonly userName?: string | undefined;
  /** User SID of the own primary token; absent without the Peios access-control system (A-OPER-03). */
  readonly sid?: string | undefined;
  /** Controlling terminal's device path. */
  readonly terminal?: string | undefined;
  /** Path of the running program, for the critical set (T-RM-09). */
  readonly programPath?: string | undefined;
  /** Kernel release, `6.18.0` */
  readonly kernelRelease?: string | undefined;
  /** Whether another process is certainly gone (T-LOCK-07b); anything unclear is "unknown". */
  processState(pid: number, startTicks?: string): "alive" | "gone" | "unknown";
  /** Whether an open descriptor of this process is that object; found through `/proc/self/fd`, opens nothing (T-DB-01). */
  holdsOpenFile(device: bigint, inode: bigint): boolean;
}

// --- Directory trees -------------------------------------------------------------------------------------------
// Every method throws `SystemCallError` on a refused call unless its documentation names another result.
// Names are single components: never empty, `.`, `..`, and never containing `/` or NUL.

export type FileType = "file" | "dir" | "symlink" | "other";

export interface FileStatus {
  readonly type: FileType;
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: number;
  /** Modification time, nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** Permission bits including set-uid, set-gid and sticky (`0o7777`). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
}

export interface FileSystemStatus {
  /** `f_type` of statfs. */
  readonly type: bigint;
  /** Fragment size in bytes. */
  readonly fragmentBytes: number;
  /** Bytes available to this caller. */
  readonly availableBytes: number;
  /** Inodes: total (0 where the file system has no count) and free. */
  readonly inodes: number;
  readonly inodesFree: number;
  readonly readOnly: boolean;
}

/** A tree below which no symbolic link is ever followed. */
export interface RootDirectory extends Disposable {
  /** As the operator gave it; for messages and for SQLite, which opens by path. */
  readonly path: string;
  /**
   * Opens a directory by its logical path (`/usr/bin`; `/` is the root itself).
   *
   * @returns A pinned handle owned by the caller, or `undefined` when a component does not exist.
   * @throws {PeipkgError} `failed` (`PATH_SYMLINK`) when a component is a link or not a directory (T-PATH-02).
   */
  openDirectory(path: string): Directory | undefined;
  /** Number of the descriptor, by which another thread of this process reaches the same tree. */
  readonly descriptor?: number;
  /** A kernel with the Peios access-control system answered (T-MODE-02). */
  readonly hasKacs: boolean;
  /**
   * Directories met so far on opened paths that belong to neither uid 0 nor the caller, while the caller is uid 0
   * on a kernel without KACS; each is worth one `W_DIR_OWNER` (T-PATH-09).
   */
  readonly foreignDirectories: readonly string[];
  /**
   * Raises the number of descriptors this process may have open at once as far as it goes, before many are opened.
   *
   * @returns What it is then, where that is known (T-PATH-07).
   */
  raiseDescriptorLimit?(): number | undefined;
  /**
   * Says that about so many descriptors will soon be open at once, so that the kernel makes room for them once and not
   * by and by. Does not wait for it.
   */
  reserveDescriptors?(count: number): void;
}

/** Components of a security descriptor, as bits (A-SDA): owner 1, group 2, DACL 4, SACL 8, label 16. */
export type SecurityComponents = number;

/** A pinned directory. All effects take single names below it (T-PATH-06). */
export interface Directory extends Disposable {
  /** Logical path, for messages and journal rows. */
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  /** As `RootDirectory.hasKacs` of the tree it lies in. */
  readonly hasKacs: boolean;
  /** Status without following a link; `undefined` when the name does not exist. */
  status(name: string): FileStatus | undefined;
  /** Status of the directory itself. */
  selfStatus(): FileStatus;
  readLink(name: string): string;
  /**
   * Names in no particular order; names that are not UTF-8 are left out and counted.
   *
   * @param containing ASCII text: only names with it count, which costs much less than all of them.
   */
  list(containing?: string): { readonly names: readonly string[]; readonly undecodable: number };
  /** Opens a child directory; `undefined` when absent; `PATH_SYMLINK` when it is a link or no directory. */
  openDirectory(name: string): Directory | undefined;
  /** Opens a regular file for reading without following a link and without blocking on a FIFO. */
  openFile(name: string): ReadableFile;
  /**
   * Reads a small regular file in one step, when many are read: `openFile()` and `readAt()` from the beginning, without
   * the second look at what the caller's `status()` found a moment ago.
   *
   * @param sizeBytes Size found; at most the buffer's.
   * @returns Bytes in `buffer`; fewer than `sizeBytes` when the file was cut meanwhile.
   */
  readFile(name: string, buffer: Uint8Array, sizeBytes: number): number;
  /** `O_CREAT|O_EXCL|O_NOFOLLOW|O_WRONLY`, mode as given whatever the umask. */
  createFile(name: string, mode: number): WritableFile;
  /** Opens for appending, creating when absent; never follows a link. */
  appendFile(name: string, mode: number): WritableFile;
  makeDirectory(name: string, mode: number): void;
  makeSymlink(name: string, target: string): void;
  /** `linkat` without following; both names may lie in different pinned directories. */
  link(name: string, to: Directory, newName: string): void;
  /** `renameat2`; with `noReplace` an existing target is `EEXIST`, an unsupported flag `EINVAL`/`ENOSYS`. */
  rename(name: string, to: Directory, newName: string, options?: { readonly noReplace?: boolean }): void;
  unlink(name: string): void;
  removeDirectory(name: string): void;
  /** Mode of a child that is not a link. */
  changeMode(name: string, mode: number): void;
  /** Owner of a child, a link itself included. */
  changeOwner(name: string, uid: number, gid: number): void;
  /** Modification time of a child, a link itself included; nanoseconds. */
  setModified(name: string, mtime: bigint): void;
  /** `fsync` of the directory; falls back to `syncfs` as T-COMMIT-42 says. */
  sync(): void;
  fileSystemStatus(): FileSystemStatus;
  /**
   * A barrier over this directory's whole file system (T-COMMIT-40): open before the first write, `sync()` as often
   * as needed. `undefined` where the kernel reports no errors that way.
   */
  openBarrier(): Barrier | undefined;
  /** As `createFile()`, created with this security descriptor before its first byte (KACS kernels; A-SDA-11). */
  createSecuredFile(name: string, descriptor: Uint8Array): WritableFile;
  /** As `makeDirectory()`, created with this security descriptor (KACS kernels; A-SDA-12). */
  makeSecuredDirectory(name: string, descriptor: Uint8Array): void;
  /** Security descriptor of a child that is not a link, or of the directory itself (`undefined`; A-SDA-02). */
  readSecurity(name: string | undefined, components: SecurityComponents): Uint8Array;
  /** Sets exactly the components named (A-SDA-03, A-SDA-13). */
  writeSecurity(name: string | undefined, components: SecurityComponents, descriptor: Uint8Array): void;
  /** Extended attribute of a child file or directory, or of the directory itself; `undefined` when there is none. */
  readAttribute(name: string | undefined, attribute: string): Uint8Array | undefined;
  /** Sets an extended attribute (A-SDA-31); `undefined` as value removes it. */
  writeAttribute(name: string | undefined, attribute: string, value: Uint8Array | undefined): void;
}

export interface Barrier extends Disposable {
  readonly device: bigint;
  /** Waits until everything written so far is durable. A failure is final (T-COMMIT-41). */
  sync(): void;
}

export interface ReadableFile extends Disposable {
  readonly path: string;
  status(): FileStatus;
  /** Reads at an offset into `buffer`; returns the bytes read, 0 at the end. */
  readAt(buffer: Uint8Array, offset: number): number;
}

export interface WritableFile extends Disposable {
  readonly path: string;
  status(): FileStatus;
  /** Writes all of `bytes`, continuing short writes. */
  write(bytes: Uint8Array): void;
  changeMode(mode: number): void;
  changeOwner(uid: number, gid: number): void;
  setModified(mtime: bigint): void;
  sync(): void;
  /**
   * Exclusive advisory lock (`flock`) without waiting.
   *
   * @returns false when another open file holds it. `ENOLCK`, `EOPNOTSUPP`, `ENOSYS` are thrown.
   */
  tryLock(): boolean;
  truncate(sizeBytes: number): void;
}

/** What every operation is given: the world, where to report, how to be stopped, and who runs it. */
export interface Session {
  readonly system: System;
  readonly emit: Emit;
  /** Aborted by a signal; its reason is a `PeipkgError` `interrupted`. Ignored after the commit instant. */
  readonly signal: AbortSignal;
  /** 16 random bytes in hex, one per process run (A-FIELD-04). */
  readonly invocation: string;
  /** `peipkg 0.1.0`-style version of this program, recorded with transactions. */
  readonly version: string;
  /** Seconds since the epoch of the sources this program was built from; `undefined` in source runs (A-MISC-02). */
  readonly builtAt?: number | undefined;
  /** Command words typed, for lock file and messages, e.g. `install`. */
  readonly command: string;
  /** No request may leave this machine: every transfer but of `file:` is refused. */
  readonly offline?: boolean;
}
