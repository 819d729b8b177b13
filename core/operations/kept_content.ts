/**
 * Verified content that stays in the process's own memory until it is staged, so that small packages, and the few
 * changed files of an upgrade, are decompressed and hashed once instead of twice (T-VERIFY-03, T-VERIFY-05).
 *
 * The bytes staged from here are the very bytes the hash of verification was computed over; nobody else can reach
 * them in between, so that one hash proves both what was verified and what is written (T-STAGE-02).
 */
import type { KeepContent } from "../format/package_walk.ts";

/** Content kept by one command at most. */
const BUDGET_BYTES = 32 * 1024 * 1024;
/**
 * Small files share allocations of up to this size: thousands of them would cost more than their content. The first one
 * of a package is small, because many packages have little to keep.
 */
const SLAB_BYTES = 512 * 1024;
const FIRST_SLAB_BYTES = 16 * 1024;

/** Memory for all packages of one command. */
export class ContentBudget {
  #leftBytes = BUDGET_BYTES;

  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

/** Content of one package; either all of it that is expected to be staged, or none. */
export class KeptContent {
  #contents = new Map<number, Uint8Array>();
  #takenBytes = 0;
  #slab = new Uint8Array();
  #slabFill = 0;
  #lastIndex = -1;
  #isComplete = true;

  /**
   * @param isInstalled Whether a path has that content already, by what is recorded: it will not be staged.
   */
  constructor(
    private readonly budget: ContentBudget,
    private readonly isInstalled: (path: string, hash: string) => boolean,
  ) {}

  /** Everything likely to be staged is here. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** To be given to verification. */
  readonly keep: KeepContent = (index, { path, sizeBytes, hash }) => {
    // A package whose first copy was damaged is read again from its beginning.
    if (index <= this.#lastIndex) {
      this.release();
      this.#isComplete = true;
    }
    this.#lastIndex = index;
    if (!this.#isComplete || hash === undefined || this.isInstalled(`/${path}`, hash)) return undefined;
    if (!this.budget.take(sizeBytes)) {
      this.release();
      return undefined;
    }
    this.#takenBytes += sizeBytes;
    const bytes = this.#allocate(sizeBytes);
    this.#contents.set(index, bytes);
    return bytes;
  };

  get(index: number): Uint8Array | undefined {
    return this.#contents.get(index);
  }

  /** Gives the memory back. */
  release(): void {
    this.budget.giveBack(this.#takenBytes);
    this.#takenBytes = 0;
    this.#contents = new Map();
    this.#slab = new Uint8Array();
    this.#slabFill = 0;
    this.#isComplete = false;
  }

  #allocate(bytes: number): Uint8Array {
    if (bytes > SLAB_BYTES / 8) return new Uint8Array(bytes);
    if (bytes > this.#slab.length - this.#slabFill) {
      const grown = Math.min(SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, 2 * this.#slab.length));
      this.#slab = new Uint8Array(Math.max(grown, bytes));
      this.#slabFill = 0;
    }
    this.#slabFill += bytes;
    return this.#slab.subarray(this.#slabFill - bytes, this.#slabFill);
  }
}
