/**
 * An in-memory `RootDirectory` with the semantics of the real one: inodes, hard links, links that are never
 * followed, owners, nanosecond times, mounts, locks, and the kernel's refusals. The shared suite
 * `tests/core/fs/root_suite.ts` holds both to the same behaviour.
 */
import { SystemCallError } from "../../core/errors.ts";
import { checkName, joinPath, linkOnPath, pathComponents, unsafeDirectory } from "../../core/fs/names.ts";
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
import { FaultControl, faultRoot, type OnCall } from "./fault_root.ts";
import { type MemoryNode, MemoryTree } from "./memory_tree.ts";
import { mergeSecurity } from "./security_merge.ts";

export { CrashError, FaultControl } from "./fault_root.ts";
export { MemoryTree } from "./memory_tree.ts";

export interface MemoryOptions {
  /** Who the caller is: owner of what is created, and the one T-PATH-09 is about. */
  readonly euid?: number;
  readonly egid?: number;
  /** Simulate the Peios access-control system. */
  readonly hasKacs?: boolean;
  /** Answer of `openBarrier()` on kernels before 5.8. */
  readonly withoutBarrier?: boolean;
}

const EMPTY_DESCRIPTOR = new Uint8Array(20);
EMPTY_DESCRIPTOR.set([1, 0, 0, 0x80]);

/** An in-memory system: a tree, the handles open on it, and what its kernel would say. */
export class MemoryFileSystem {
  readonly tree: MemoryTree;
  readonly options: MemoryOptions;
  /** Handles not yet disposed. */
  openHandles = 0;
  readonly #statuses = new Map<bigint, Partial<FileSystemStatus>>();

  constructor(options: MemoryOptions = {}, tree = new MemoryTree()) {
    this.options = options;
    this.tree = tree;
  }

  /**
   * Opens the tree as a root.
   *
   * @param control Counts the calls and may refuse them; shared between several roots of one process.
   * @param at Logical path of the directory that becomes the root.
   */
  open(path = "/", control?: FaultControl | OnCall, at = "/"): RootDirectory {
    const top = this.node(at);
    if (top?.type !== "dir") throw new SystemCallError(top === undefined ? "ENOENT" : "ENOTDIR", "openat", path);
    const root = new MemoryRoot(this, path, top);
    if (control === undefined) return root;
    return faultRoot(root, control instanceof FaultControl ? control : new FaultControl(control));
  }

  /** The object at a logical path, for arranging and inspecting; never follows a link. */
  node(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.tree.root;
    for (const name of pathComponents(path)) node = node?.entries.get(name);
    return node;
  }

  /** Puts another file system on an existing directory; returns its device number. */
  mount(path: string, status: Partial<FileSystemStatus> = {}): bigint {
    const node = this.node(path);
    if (node?.type !== "dir") throw new TypeError(`${path} is no directory`);
    node.device = this.tree.freshDevice();
    node.isMountPoint = true;
    this.setFileSystem(node.device, status);
    return node.device;
  }

  /** What `fstatfs` says about a device. */
  setFileSystem(device: bigint, status: Partial<FileSystemStatus>): void {
    this.#statuses.set(device, status);
  }

  fileSystemStatus(device: bigint): FileSystemStatus {
    return {
      type: 0xef53n,
      fragmentBytes: 4096,
      availableBytes: 2 ** 40,
      inodes: 1_000_000,
      inodesFree: 900_000,
      readOnly: false,
      ...this.#statuses.get(device),
    };
  }

  /** The system after the process died: everything stays but handles and locks. */
  restart(options: MemoryOptions = this.options): MemoryFileSystem {
    for (const node of this.tree.nodes()) node.lockedBy = undefined;
    return this.#successor(this.tree, options);
  }

  /** The system after a power cut; see `MemoryTree.powerCut()`. */
  powerCut(seed = 0, options: MemoryOptions = this.options): MemoryFileSystem {
    return this.#successor(this.tree.powerCut(seed), options);
  }

  #successor(tree: MemoryTree, options: MemoryOptions): MemoryFileSystem {
    const successor = new MemoryFileSystem(options, tree);
    for (const [device, status] of this.#statuses) successor.setFileSystem(device, status);
    return successor;
  }
}

/** A fresh in-memory system with an empty root directory. */
export function memoryFileSystem(options: MemoryOptions = {}): MemoryFileSystem {
  const system = new MemoryFileSystem(options);
  system.tree.root.uid = options.euid ?? 0;
  system.tree.root.gid = options.egid ?? 0;
  return system;
}

function refuse(errno: string, call: string, path: string): never {
  throw new SystemCallError(errno, call, path);
}

function statusOf(node: MemoryNode): FileStatus {
  const subdirectories = [...node.entries.values()].filter(({ type }) => type === "dir").length;
  return {
    type: node.type,
    device: node.device,
    inode: node.inode,
    sizeBytes: node.type === "symlink" ? new TextEncoder().encode(node.target).length : node.sizeBytes,
    mtime: node.mtime,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    links: node.type === "dir" ? 2 + subdirectories : node.links,
  };
}

/** An open object: usable until disposed. */
class Handle implements Disposable {
  #isOpen = true;

  constructor(protected readonly system: MemoryFileSystem, protected readonly node: MemoryNode, readonly path: string) {
    system.openHandles++;
  }

  protected live(call: string): MemoryNode {
    return this.#isOpen ? this.node : refuse("EBADF", call, this.path);
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.system.openHandles--;
    if (this.node.lockedBy === this) this.node.lockedBy = undefined;
  }
}

class MemoryRoot extends Handle implements RootDirectory {
  readonly foreignDirectories: string[] = [];
  readonly #judged = new Set<string>();

  constructor(system: MemoryFileSystem, path: string, node: MemoryNode) {
    super(system, node, path);
    try {
      this.judge("/", node);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  get hasKacs(): boolean {
    return this.system.options.hasKacs === true;
  }

  /** As the real one does (T-PATH-09). */
  judge(path: string, node: MemoryNode): void {
    if (this.hasKacs || (this.system.options.euid ?? 0) !== 0 || this.#judged.has(path)) return;
    if ((node.mode & 0o1002) === 0o0002) throw unsafeDirectory(path);
    if (node.uid !== 0) this.foreignDirectories.push(path);
    this.#judged.add(path);
  }

  openDirectory(path: string): Directory | undefined {
    let node = this.live("openat2");
    const passed: { path: string; node: MemoryNode }[] = [];
    for (const name of pathComponents(path)) {
      if (new TextEncoder().encode(name).length > 255) refuse("ENAMETOOLONG", "openat2", path);
      const child = node.entries.get(name);
      if (child === undefined) return undefined;
      if (child.type !== "dir") throw linkOnPath(path);
      node = child;
      passed.push({ path: joinPath(passed.at(-1)?.path ?? "/", name), node });
    }
    for (const step of passed) this.judge(step.path, step.node);
    return new MemoryDirectory(this.system, node, path, this);
  }
}

class MemoryDirectory extends Handle implements Directory {
  readonly device: bigint;
  readonly inode: bigint;
  readonly #root: MemoryRoot;

  constructor(system: MemoryFileSystem, node: MemoryNode, path: string, root: MemoryRoot) {
    root.judge(path, node);
    super(system, node, path);
    this.device = node.device;
    this.inode = node.inode;
    this.#root = root;
  }

  get hasKacs(): boolean {
    return this.#root.hasKacs;
  }

  /** The child, or `undefined`. */
  #find(name: string, call: string): MemoryNode | undefined {
    checkName(name, call, this.path);
    const directory = this.live(call);
    if (new TextEncoder().encode(name).length > 255) refuse("ENAMETOOLONG", call, joinPath(this.path, name));
    return directory.entries.get(name);
  }

  #existing(name: string, call: string): MemoryNode {
    return this.#find(name, call) ?? refuse("ENOENT", call, joinPath(this.path, name));
  }

  /** Refuses when the name exists, or when the directory itself was removed. */
  #free(name: string, call: string): void {
    if (this.#find(name, call) !== undefined) refuse("EEXIST", call, joinPath(this.path, name));
    if (this.node.links === 0) refuse("ENOENT", call, joinPath(this.path, name));
  }

  #add(name: string, node: MemoryNode): void {
    node.links += node.type === "dir" ? 2 : 1;
    this.system.tree.change([{ directory: this.node, name, node }]);
  }

  #create(name: string, type: "file" | "dir" | "symlink", mode: number, call: string): MemoryNode {
    this.#free(name, call);
    const node = this.system.tree.create(type, this.node.device, mode);
    node.uid = this.system.options.euid ?? 0;
    node.gid = this.system.options.egid ?? 0;
    this.#add(name, node);
    return node;
  }

  status(name: string): FileStatus | undefined {
    const node = this.#find(name, "statx");
    return node === undefined ? undefined : statusOf(node);
  }

  selfStatus(): FileStatus {
    return statusOf(this.live("statx"));
  }

  readLink(name: string): string {
    const node = this.#existing(name, "readlinkat");
    return node.type === "symlink" ? node.target : refuse("EINVAL", "readlinkat", joinPath(this.path, name));
  }

  list(containing = ""): { readonly names: readonly string[]; readonly undecodable: number } {
    const names = [...this.live("getdents64").entries.keys()].filter((name) => name.includes(containing));
    return { names, undecodable: 0 };
  }

  openDirectory(name: string): Directory | undefined {
    const node = this.#find(name, "openat");
    if (node === undefined) return undefined;
    const path = joinPath(this.path, name);
    if (node.type !== "dir") throw linkOnPath(path);
    return new MemoryDirectory(this.system, node, path, this.#root);
  }

  openFile(name: string): ReadableFile {
    return new MemoryFile(this.system, this.#regular(name), joinPath(this.path, name));
  }

  readFile(name: string, buffer: Uint8Array): number {
    using file = this.openFile(name);
    return file.readAt(buffer, 0);
  }

  #regular(name: string): MemoryNode {
    const node = this.#existing(name, "openat");
    if (node.type === "file") return node;
    return refuse(NO_FILE_ERRNO[node.type], "openat", joinPath(this.path, name));
  }

  createFile(name: string, mode: number): WritableFile {
    const node = this.#create(name, "file", mode, "openat");
    return new MemoryFile(this.system, node, joinPath(this.path, name));
  }

  appendFile(name: string, mode: number): WritableFile {
    if (this.#find(name, "openat") === undefined) return this.createFile(name, mode);
    return new MemoryFile(this.system, this.#regular(name), joinPath(this.path, name));
  }

  makeDirectory(name: string, mode: number): void {
    this.#create(name, "dir", mode, "mkdirat");
  }

  makeSymlink(name: string, target: string): void {
    const path = joinPath(this.path, name);
    checkName(name, "symlinkat", this.path);
    if (target.includes("\0")) refuse("EINVAL", "symlinkat", path);
    if (target === "") refuse("ENOENT", "symlinkat", path);
    if (new TextEncoder().encode(target).length > 4095) refuse("ENAMETOOLONG", "symlinkat", path);
    this.#create(name, "symlink", 0o777, "symlinkat").target = target;
  }

  link(name: string, to: Directory, newName: string): void {
    const target = memoryDirectory(to);
    const path = joinPath(target.path, newName);
    checkName(name, "linkat", this.path);
    checkName(newName, "linkat", target.path);
    const node = this.#find(name, "linkat") ?? refuse("ENOENT", "linkat", path);
    target.#free(newName, "linkat");
    if (target.node.device !== this.node.device) refuse("EXDEV", "linkat", path);
    if (node.type === "dir") refuse("EPERM", "linkat", path);
    target.#add(newName, node);
  }

  rename(name: string, to: Directory, newName: string, options?: { readonly noReplace?: boolean }): void {
    const target = memoryDirectory(to);
    const path = joinPath(target.path, newName);
    checkName(name, "renameat2", this.path);
    checkName(newName, "renameat2", target.path);
    if (target.live("renameat2").device !== this.live("renameat2").device) refuse("EXDEV", "renameat2", path);
    const node = this.#find(name, "renameat2") ?? refuse("ENOENT", "renameat2", path);
    const displaced = target.#find(newName, "renameat2");
    if (displaced !== undefined && options?.noReplace === true) refuse("EEXIST", "renameat2", path);
    if (target.node.links === 0) refuse("ENOENT", "renameat2", path);
    // Two names of one inode: the kernel leaves both and reports success.
    if (displaced === node) return;
    checkReplacement(node, this.node, displaced, target.node, path);
    if (displaced !== undefined) displaced.links = displaced.type === "dir" ? 0 : displaced.links - 1;
    this.system.tree.change([
      { directory: this.node, name, node: undefined },
      { directory: target.node, name: newName, node },
    ]);
  }

  unlink(name: string): void {
    const node = this.#existing(name, "unlinkat");
    if (node.type === "dir") refuse("EISDIR", "unlinkat", joinPath(this.path, name));
    node.links--;
    this.system.tree.change([{ directory: this.node, name, node: undefined }]);
  }

  removeDirectory(name: string): void {
    const node = this.#existing(name, "unlinkat");
    const path = joinPath(this.path, name);
    if (node.type !== "dir") refuse("ENOTDIR", "unlinkat", path);
    if (node.isMountPoint) refuse("EBUSY", "unlinkat", path);
    if (node.entries.size > 0) refuse("ENOTEMPTY", "unlinkat", path);
    node.links = 0;
    this.system.tree.change([{ directory: this.node, name, node: undefined }]);
  }

  changeMode(name: string, mode: number): void {
    const node = this.#existing(name, "fchmod");
    if (node.type === "symlink") refuse("EOPNOTSUPP", "fchmod", joinPath(this.path, name));
    node.mode = mode & 0o7777;
  }

  changeOwner(name: string, uid: number, gid: number): void {
    changeOwner(this.#existing(name, "fchownat"), uid, gid);
  }

  setModified(name: string, mtime: bigint): void {
    this.#existing(name, "utimensat").mtime = mtime;
  }

  sync(): void {
    this.live("fsync").sync();
  }

  fileSystemStatus(): FileSystemStatus {
    return this.system.fileSystemStatus(this.live("fstatfs").device);
  }

  openBarrier(): Barrier | undefined {
    this.live("openat");
    return this.system.options.withoutBarrier === true
      ? undefined
      : new MemoryBarrier(this.system, this.node, this.path);
  }

  createSecuredFile(name: string, descriptor: Uint8Array): WritableFile {
    checkName(name, "kacs_open", this.path);
    this.#requireKacs("kacs_open", name);
    const node = this.#create(name, "file", 0o600, "kacs_open");
    node.security = descriptor.slice();
    return new MemoryFile(this.system, node, joinPath(this.path, name));
  }

  makeSecuredDirectory(name: string, descriptor: Uint8Array): void {
    checkName(name, "kacs_open", this.path);
    this.#requireKacs("kacs_open", name);
    this.#create(name, "dir", 0o700, "kacs_open").security = descriptor.slice();
  }

  #requireKacs(call: string, name: string | undefined): void {
    if (!this.hasKacs) refuse("ENOSYS", call, name === undefined ? this.path : joinPath(this.path, name));
  }

  readSecurity(name: string | undefined, components: SecurityComponents): Uint8Array {
    this.#requireKacs("kacs_get_sd", name);
    const node = name === undefined ? this.live("kacs_get_sd") : this.#existing(name, "kacs_get_sd");
    return mergeSecurity(EMPTY_DESCRIPTOR, components, node.security ?? EMPTY_DESCRIPTOR);
  }

  writeSecurity(name: string | undefined, components: SecurityComponents, descriptor: Uint8Array): void {
    this.#requireKacs("kacs_set_sd", name);
    const node = name === undefined ? this.live("kacs_set_sd") : this.#existing(name, "kacs_set_sd");
    node.security = mergeSecurity(node.security ?? EMPTY_DESCRIPTOR, components, descriptor);
  }

  readAttribute(name: string | undefined, attribute: string): Uint8Array | undefined {
    return this.#attributed(name).attributes.get(attribute)?.slice();
  }

  writeAttribute(name: string | undefined, attribute: string, value: Uint8Array | undefined): void {
    const { attributes } = this.#attributed(name);
    if (value === undefined) attributes.delete(attribute);
    else attributes.set(attribute, value.slice());
  }

  #attributed(name: string | undefined): MemoryNode {
    if (name === undefined) return this.live("fgetxattr");
    const node = this.#existing(name, "openat");
    return node.type === "dir" ? node : this.#regular(name);
  }
}

const NO_FILE_ERRNO = { symlink: "ELOOP", dir: "EISDIR", other: "ENXIO" } as const;

function memoryDirectory(directory: Directory): MemoryDirectory {
  if (directory instanceof MemoryDirectory) return directory;
  throw new TypeError("both directories of a link or rename must be of the same kind");
}

function changeOwner(node: MemoryNode, uid: number, gid: number): void {
  node.uid = uid;
  node.gid = gid;
}

/** The kernel's refusals of a rename onto something. */
function checkReplacement(
  node: MemoryNode,
  from: MemoryNode,
  displaced: MemoryNode | undefined,
  to: MemoryNode,
  path: string,
): void {
  if (node.isMountPoint || displaced?.isMountPoint) refuse("EBUSY", "renameat2", path);
  if (node.type === "dir" && contains(node, to)) refuse("EINVAL", "renameat2", path);
  if (displaced === undefined) return;
  // A directory that holds the source is not empty, whatever the types are.
  if (contains(displaced, from)) refuse("ENOTEMPTY", "renameat2", path);
  if (displaced.type === "dir" && node.type !== "dir") refuse("EISDIR", "renameat2", path);
  if (displaced.type !== "dir" && node.type === "dir") refuse("ENOTDIR", "renameat2", path);
  if (displaced.entries.size > 0) refuse("ENOTEMPTY", "renameat2", path);
}

function contains(directory: MemoryNode, sought: MemoryNode): boolean {
  return directory === sought ||
    [...directory.entries.values()].some((child) => child.type === "dir" && contains(child, sought));
}

class MemoryBarrier extends Handle implements Barrier {
  get device(): bigint {
    return this.node.device;
  }

  sync(): void {
    this.system.tree.syncDevice(this.live("syncfs").device);
  }
}

class MemoryFile extends Handle implements ReadableFile, WritableFile {
  status(): FileStatus {
    return statusOf(this.live("statx"));
  }

  readAt(buffer: Uint8Array, offset: number): number {
    const bytes = this.live("pread").bytes.subarray(offset, offset + buffer.length);
    buffer.set(bytes);
    return bytes.length;
  }

  write(bytes: Uint8Array): void {
    this.live("write").append(bytes);
    this.node.mtime = this.system.tree.tick();
  }

  changeMode(mode: number): void {
    this.live("fchmod").mode = mode & 0o7777;
  }

  changeOwner(uid: number, gid: number): void {
    changeOwner(this.live("fchown"), uid, gid);
  }

  setModified(mtime: bigint): void {
    this.live("futimens").mtime = mtime;
  }

  sync(): void {
    this.live("fsync").sync();
  }

  tryLock(): boolean {
    const node = this.live("flock");
    if (node.lockedBy !== undefined && node.lockedBy !== this) return false;
    node.lockedBy = this;
    return true;
  }

  truncate(sizeBytes: number): void {
    this.live("ftruncate").truncate(sizeBytes);
    this.node.mtime = this.system.tree.tick();
  }
}
