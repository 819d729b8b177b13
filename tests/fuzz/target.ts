/** A parser under test and how its input is made. */

/** Deterministic randomness: the same seed gives the same run on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0 || 1;
  }

  /** An integer from 0 to `limit` − 1. */
  below(limit: number): number {
    // mulberry32: small, fast, and good enough to choose mutations
    this.state = this.state + 0x6d2b79f5 >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 4294967296 * limit);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

export interface FuzzTarget {
  readonly name: string;
  /** Inputs to begin with: valid ones, and ones at the edges. */
  readonly seeds: () => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /**
   * Feeds the parser. Returning means it accepted; a `PeipkgError` means it refused; everything else is a defect. It
   * may throw an `Error` of its own when what was accepted breaks an invariant (a round trip, a cap).
   */
  readonly run: (input: Uint8Array) => unknown;
  /** Changes an input by its structure; bytes are changed in any case. */
  readonly mutate?: (input: Uint8Array, random: Random) => Uint8Array;
  /** Words that occur in the grammar. */
  readonly words?: readonly string[];
}
