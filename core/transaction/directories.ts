/**
 * The pinned directories of one transaction (T-PATH-07): the directory examined is the directory changed.
 *
 * Each distinct directory is resolved once, without following a link, and its descriptor kept. Past the limit of
 * open descriptors the one unused longest is closed; when it is needed again it is resolved by the same rules and
 * must be the same directory, else `PATH_CHANGED`.
 */
import { ruleError } from "../errors.ts";
import type { Directory, RootDirectory } from "../system.ts";
import { baseName, parentPath } from "./names.ts";
import { hasErrno } from "./failures.ts";

/** Descriptors kept open at most. */
const OPEN_MAX = 16384;
/** The share of all descriptors a pool takes; packages, database and runtime need some too. */
const SHARE = 0.5;
/** So many directories open, and there will be many more. */
const MANY = 96;
/** The directories handed out last stay open whatever happens: a caller still works with them. */
const HELD = 8;

interface Identity {
  readonly device: bigint;
  readonly inode: bigint;
}

/** Descriptors that pools may keep open below a root. */
function pinnedAtMost(root: RootDirectory): number {
  return Math.max(HELD, Math.floor((root.raiseDescriptorLimit?.() ?? Infinity) * SHARE));
}

/** Has room made for the directories of a large transaction, some time before it begins. */
export function expectManyDirectories(root: RootDirectory): void {
  root.reserveDescriptors?.(Math.min(OPEN_MAX, pinnedAtMost(root)));
}

export class DirectoryPool implements Disposable {
  /** Insertion order is order of use: the first key was used longest ago. */
  readonly #open = new Map<string, Directory>();
  readonly #seen = new Map<string, Identity>();
  /** Known not to exist; nothing below them exists either. */
  readonly #absent = new Set<string>();
  #limit: number;
  #last: Directory | undefined;
  readonly #held: (Directory | undefined)[] = new Array(HELD).fill(undefined);
  #turn = 0;

  constructor(readonly root: RootDirectory, limit = OPEN_MAX) {
    this.#limit = Math.min(limit, pinnedAtMost(root));
  }

  /**
   * Opens a directory below the root, or `undefined` when it does not exist.
   *
   * @param path Logical path.
   * @throws {PeipkgError} `failed`: `PATH_SYMLINK` when a component is a link or no directory (T-PATH-02),
   * `PATH_CHANGED` when it is not the directory opened before.
   */
  open(path: string): Directory | undefined {
    // Operations come sorted by path, so most of them repeat the directory of the one before.
    if (this.#last?.path === path) return this.#last;
    const pinned = this.#open.get(path);
    if (pinned !== undefined) return this.#hold(this.#touch(path, pinned));
    if (this.#absent.has(path)) return undefined;
    if (path !== "/" && this.#absent.has(parentPath(path))) {
      this.#absent.add(path);
      return undefined;
    }
    const directory = this.#resolve(() => this.root.openDirectory(path));
    if (directory === undefined) {
      if (this.#seen.has(path)) throw changed(path);
      this.#absent.add(path);
      return undefined;
    }
    return this.#hold(this.#pin(path, directory));
  }

  /** Opens a directory that must exist. */
  need(path: string): Directory {
    const directory = this.open(path);
    if (directory === undefined) throw gone(path);
    return directory;
  }

  /** The closest ancestor that exists, the directory itself included. */
  nearest(path: string): Directory {
    for (let place = path;; place = parentPath(place)) {
      const directory = this.open(place);
      if (directory !== undefined) return directory;
    }
  }

  /** The highest directory of a file system inside the root. */
  mountPoint(directory: Directory): string {
    let top = directory.path;
    while (top !== "/") {
      const parent = this.open(parentPath(top));
      if (parent === undefined || parent.device !== directory.device) return top;
      top = parent.path;
    }
    return top;
  }

  /** Forgets that a directory was absent, because the transaction made it in `parent`, and pins it. */
  created(parent: Directory, path: string): Directory {
    this.#absent.delete(path);
    const pinned = this.#open.get(path);
    if (pinned !== undefined) return this.#hold(pinned);
    const directory = this.#resolve(() => parent.openDirectory(baseName(path)));
    if (directory === undefined) throw gone(path);
    return this.#hold(this.#pin(path, directory));
  }

  /** Whether `path` is known not to exist. */
  isAbsent(path: string): boolean {
    return this.open(path) === undefined;
  }

  #hold(directory: Directory): Directory {
    this.#held[this.#turn] = directory;
    this.#turn = (this.#turn + 1) % HELD;
    return this.#last = directory;
  }

  #touch(path: string, directory: Directory): Directory {
    // Re-insertion is only worth its price when something may have to be closed.
    if (this.#open.size * 2 > this.#limit) {
      this.#open.delete(path);
      this.#open.set(path, directory);
    }
    return directory;
  }

  #resolve(open: () => Directory | undefined): Directory | undefined {
    for (;;) {
      try {
        return open();
      } catch (error) {
        // The process may use fewer descriptors than the limit says: make room and go on with less.
        if (!hasErrno(error, "EMFILE", "ENFILE")) throw error;
        this.#limit = Math.max(1, this.#open.size >> 1);
        if (!this.#shrink()) throw error;
      }
    }
  }

  #pin(path: string, directory: Directory): Directory {
    const before = this.#seen.get(path);
    if (before === undefined) this.#seen.set(path, { device: directory.device, inode: directory.inode });
    else if (before.device !== directory.device || before.inode !== directory.inode) {
      directory[Symbol.dispose]();
      throw changed(path);
    }
    this.#shrink();
    this.#open.set(path, directory);
    if (this.#open.size === MANY) this.root.reserveDescriptors?.(this.#limit);
    return directory;
  }

  /** Closes what was used longest ago until the limit holds. @returns whether anything was closed. */
  #shrink(): boolean {
    let hasClosed = false;
    for (const [path, directory] of this.#open) {
      if (this.#open.size < this.#limit) break;
      if (this.#held.includes(directory)) continue;
      this.#open.delete(path);
      directory[Symbol.dispose]();
      hasClosed = true;
    }
    return hasClosed;
  }

  [Symbol.dispose](): void {
    for (const directory of this.#open.values()) directory[Symbol.dispose]();
    this.#open.clear();
    this.#last = undefined;
  }
}

function gone(path: string): Error {
  return ruleError("PATH_CHANGED", `cannot use ${path}: the directory is gone`, {
    paths: [{ path, rule: "PATH_CHANGED" }],
  });
}

function changed(path: string): Error {
  return ruleError("PATH_CHANGED", `cannot use ${path}: another directory took its place during the transaction`, {
    paths: [{ path, rule: "PATH_CHANGED" }],
  });
}
