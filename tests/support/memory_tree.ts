/**
 * The objects of an in-memory file system and what of them a power cut would leave.
 *
 * Durability is modelled pessimistically, as POSIX promises and no more: the content and attributes of a file last
 * since its own sync, the names in a directory since the directory's sync, and everything on a device since that
 * device's sync. Attributes of directories and links come with their name. Unsynced changes may or may not survive,
 * each on its own, but none survives that builds on a lost one.
 */

export type NodeType = "file" | "dir" | "symlink" | "other";

interface FileState {
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly attributes: ReadonlyMap<string, Uint8Array>;
  readonly security: Uint8Array | undefined;
}

/** A name set or cleared by one call; the two halves of a rename share the number. */
interface NameChange {
  readonly operation: number;
  readonly name: string;
  readonly node: MemoryNode | undefined;
  /** Other directory of a rename that moves a directory: its half becomes durable together with this one. */
  readonly peer: MemoryNode | undefined;
}

/** One inode. */
export class MemoryNode {
  mode: number;
  uid = 0;
  gid = 0;
  mtime = 0n;
  links = 0;
  /** Capacity may exceed `sizeBytes`. */
  #buffer = new Uint8Array();
  sizeBytes = 0;
  target = "";
  entries = new Map<string, MemoryNode>();
  attributes = new Map<string, Uint8Array>();
  security: Uint8Array | undefined;
  isMountPoint = false;
  /** The open file that holds the advisory lock. */
  lockedBy: object | undefined;
  durableFile: FileState | undefined;
  durableNames = new Map<string, MemoryNode>();
  pendingNames: NameChange[] = [];

  constructor(readonly type: NodeType, readonly inode: bigint, public device: bigint, mode: number) {
    this.mode = mode;
  }

  /** A view; changes with the next write. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.sizeBytes);
  }

  append(bytes: Uint8Array): void {
    const size = this.sizeBytes + bytes.length;
    if (size > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(size, this.#buffer.length * 2));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.sizeBytes);
    this.sizeBytes = size;
  }

  truncate(sizeBytes: number): void {
    const kept = this.bytes.slice(0, sizeBytes);
    this.#buffer = new Uint8Array(sizeBytes);
    this.#buffer.set(kept);
    this.sizeBytes = sizeBytes;
  }

  /** What a sync of this object makes durable. */
  sync(): void {
    if (this.type === "file") {
      this.durableFile = {
        bytes: this.bytes.slice(),
        mode: this.mode,
        uid: this.uid,
        gid: this.gid,
        mtime: this.mtime,
        attributes: new Map(this.attributes),
        security: this.security,
      };
    } else if (this.type === "dir") {
      for (const { operation, peer } of this.pendingNames) {
        if (peer !== undefined) peer.#syncOperation(operation);
      }
      this.durableNames = new Map(this.entries);
      this.pendingNames = [];
    }
  }

  #syncOperation(operation: number): void {
    for (const change of this.pendingNames.filter((change) => change.operation === operation)) {
      if (change.node === undefined) this.durableNames.delete(change.name);
      else this.durableNames.set(change.name, change.node);
      this.pendingNames = this.pendingNames.filter(({ operation: other, name }) =>
        other > operation || name !== change.name
      );
    }
  }
}

/** An in-memory file system; `MemoryTree.root` is its top directory. */
export class MemoryTree {
  root: MemoryNode;
  #nextInode = 2n;
  #nextDevice = 65025n;
  #nextOperation = 1;
  #clock = 1_700_000_000_000_000_000n;

  constructor() {
    this.root = this.create("dir", 65024n, 0o755);
    this.root.links = 2;
  }

  /** A fresh object without a name. */
  create(type: NodeType, device: bigint, mode: number): MemoryNode {
    const node = new MemoryNode(type, this.#nextInode++, device, mode);
    node.mtime = this.tick();
    return node;
  }

  /** Nanoseconds of a clock that advances with every change. */
  tick(): bigint {
    this.#clock += 1000n;
    return this.#clock;
  }

  freshDevice(): bigint {
    return this.#nextDevice++;
  }

  /** Applies the name changes of one call. */
  change(changes: readonly { directory: MemoryNode; name: string; node: MemoryNode | undefined }[]): void {
    const operation = this.#nextOperation++;
    const movesDirectory = changes.length === 2 && changes.some(({ node }) => node?.type === "dir");
    for (const { directory, name, node } of changes) {
      const peer = movesDirectory ? changes.find((other) => other.directory !== directory)?.directory : undefined;
      if (node === undefined) directory.entries.delete(name);
      else directory.entries.set(name, node);
      directory.pendingNames.push({ operation, name, node, peer });
      directory.mtime = this.tick();
    }
  }

  /** Every object reachable by a name. */
  *nodes(): Generator<MemoryNode> {
    const seen = new Set<MemoryNode>([this.root]);
    for (const node of seen) {
      yield node;
      for (const child of node.entries.values()) seen.add(child);
    }
  }

  /** Makes everything on a device durable. */
  syncDevice(device: bigint): void {
    for (const node of this.nodes()) if (node.device === device) node.sync();
  }

  /** Makes everything durable; for the world a test starts from. */
  syncAll(): void {
    for (const node of this.nodes()) node.sync();
  }

  /**
   * The tree after a power cut.
   *
   * @param seed 0: nothing unsynced survives. Otherwise each unsynced change survives or not, and unsynced content
   *   is old, new, torn or zeroes, as the seed decides.
   */
  powerCut(seed = 0): MemoryTree {
    const after = new MemoryTree();
    after.#nextInode = this.#nextInode;
    after.#nextDevice = this.#nextDevice;
    after.#clock = this.#clock;
    after.root = new PowerCut(this, seed).survivor(this.root);
    return after;
  }
}

/** A small generator of repeatable choices (mulberry32). */
export function repeatableRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

class PowerCut {
  readonly #random: () => number;
  readonly #keepsNothing: boolean;
  readonly #survivors = new Map<MemoryNode, MemoryNode>();
  /** Names in each directory after the cut. */
  readonly #names = new Map<MemoryNode, Map<string, MemoryNode>>();

  constructor(tree: MemoryTree, seed: number) {
    this.#keepsNothing = seed === 0;
    this.#random = repeatableRandom(seed);
    this.#chooseNames(tree);
  }

  /** Decides in the order of the calls, so that no change survives that builds on a lost one. */
  #chooseNames(tree: MemoryTree): void {
    const directories = this.#knownDirectories(tree);
    const pending = new Map<number, { directory: MemoryNode; change: NameChange }[]>();
    for (const directory of directories) {
      this.#names.set(directory, new Map(directory.durableNames));
      for (const change of directory.pendingNames) {
        const halves = pending.get(change.operation) ?? [];
        halves.push({ directory, change });
        pending.set(change.operation, halves);
      }
    }
    const lostNodes = new Set<MemoryNode>();
    const lostNames = new Map<MemoryNode, Set<string>>();
    for (const [, halves] of [...pending].sort(([one], [other]) => one - other)) {
      const buildsOnLost = halves.some(({ directory, change }) =>
        lostNames.get(directory)?.has(change.name) || (change.node !== undefined && lostNodes.has(change.node))
      );
      const survives = !this.#keepsNothing && !buildsOnLost && this.#random() < 0.5;
      for (const { directory, change } of halves) {
        if (!survives) {
          if (change.node !== undefined) lostNodes.add(change.node);
          lostNames.set(directory, (lostNames.get(directory) ?? new Set()).add(change.name));
        } else if (change.node === undefined) this.#names.get(directory)?.delete(change.name);
        else this.#names.get(directory)?.set(change.name, change.node);
      }
    }
  }

  /** Every directory that is named now, or durably, or was between. */
  #knownDirectories(tree: MemoryTree): Set<MemoryNode> {
    const known = new Set<MemoryNode>([tree.root]);
    for (const directory of known) {
      const children = [
        ...directory.entries.values(),
        ...directory.durableNames.values(),
        ...directory.pendingNames.flatMap(({ node }) => node === undefined ? [] : [node]),
      ];
      for (const child of children) if (child.type === "dir") known.add(child);
    }
    return known;
  }

  survivor(node: MemoryNode): MemoryNode {
    const known = this.#survivors.get(node);
    if (known !== undefined) return known;
    const copy = new MemoryNode(node.type, node.inode, node.device, node.mode);
    this.#survivors.set(node, copy);
    copy.isMountPoint = node.isMountPoint;
    copy.target = node.target;
    const current: FileState = node;
    const state = node.type === "file" ? this.#fileState(node, current) : current;
    copy.mode = state.mode;
    copy.uid = state.uid;
    copy.gid = state.gid;
    copy.mtime = state.mtime;
    copy.attributes = new Map(state.attributes);
    copy.security = state.security;
    if (node.type === "file") copy.append(state.bytes);
    if (node.type === "dir") copy.links = 2;
    for (const [name, child] of this.#names.get(node) ?? []) {
      const kept = this.survivor(child);
      copy.entries.set(name, kept);
      if (kept.type !== "dir") kept.links++;
    }
    copy.sync();
    return copy;
  }

  #fileState(node: MemoryNode, current: FileState): FileState {
    const durable = node.durableFile ?? { ...current, bytes: new Uint8Array(), mode: 0o600 };
    if (this.#keepsNothing) return durable;
    const attributes = this.#random() < 0.5 ? current : durable;
    return {
      bytes: this.#content(durable.bytes, current.bytes),
      mode: attributes.mode,
      uid: attributes.uid,
      gid: attributes.gid,
      mtime: attributes.mtime,
      attributes: attributes.attributes,
      security: attributes.security,
    };
  }

  #content(durable: Uint8Array, current: Uint8Array): Uint8Array {
    if (durable.length === current.length && durable.every((byte, index) => byte === current[index])) return durable;
    const kind = Math.floor(this.#random() * 4);
    if (kind === 0) return durable;
    if (kind === 1) return current.slice();
    if (kind === 2) return new Uint8Array(current.length);
    const torn = new Uint8Array(current.length);
    torn.set(current.subarray(0, Math.floor(this.#random() * current.length)));
    return torn;
  }
}
