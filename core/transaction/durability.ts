/**
 * What has to reach the disk before the next step (transactions.md section 13.4): one barrier per file system where
 * the kernel reports errors that way, else one directory after the other (T-COMMIT-40, T-COMMIT-42).
 */
import { ruleError, SystemCallError } from "../errors.ts";
import type { Barrier, Directory } from "../system.ts";
import type { DirectoryPool } from "./directories.ts";
import { errnoWords } from "./failures.ts";

/** Barriers opened before the first write; a barrier reports what failed since then, once. */
export class Durability implements Disposable {
  readonly #barriers = new Map<bigint, Barrier | undefined>();
  /** Directories changed on file systems without a barrier. */
  readonly #touched = new Set<string>();
  /** File systems changed since the last `settle()`. */
  readonly #dirty = new Set<bigint>();
  /** Noted last: changes come directory by directory. */
  #last: Directory | undefined;

  constructor(readonly pool: DirectoryPool) {}

  /** Opens the barrier of a directory's file system; call before anything is written there. */
  prepare(directory: Directory): void {
    if (this.#barriers.has(directory.device)) return;
    // Reserved first: where there is no barrier, every file and directory is synced by itself.
    this.#barriers.set(directory.device, undefined);
    this.#barriers.set(directory.device, directory.openBarrier());
  }

  /** Whether files of this file system need a sync of their own. */
  needsFileSync(directory: Directory): boolean {
    return this.#barriers.get(directory.device) === undefined;
  }

  /** Notes that a directory gained, lost or changed an entry. */
  touch(directory: Directory): void {
    if (directory === this.#last) return;
    this.#last = directory;
    this.#dirty.add(directory.device);
    if (this.#barriers.get(directory.device) === undefined) this.#touched.add(directory.path);
  }

  /**
   * Makes everything noted so far durable.
   *
   * @throws {PeipkgError} `io` (`FSYNC_FAILED`): final, never tried again (T-COMMIT-41).
   */
  settle(): void {
    try {
      for (const device of this.#dirty) this.#barriers.get(device)?.sync();
      for (const path of this.#touched) this.pool.open(path)?.sync();
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw ruleError(
        "FSYNC_FAILED",
        `cannot make changes durable: ${errnoWords(error.errno)} (${error.call} ${error.path})`,
        { cause: error },
      );
    } finally {
      this.#dirty.clear();
      this.#touched.clear();
      this.#last = undefined;
    }
  }

  [Symbol.dispose](): void {
    for (const barrier of this.#barriers.values()) barrier?.[Symbol.dispose]();
    this.#barriers.clear();
  }
}
