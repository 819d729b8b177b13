/**
 * Memory through which a thread that turns one stream of bytes into another hands over what it makes: a row of slots,
 * filled and read in turn. Handing a slot over costs a change of one number instead of a message, and who waits for
 * one sleeps in the kernel. The pieces it is fed with lie here too.
 *
 * Invariants
 * 1. Slots from `READ` up to `WRITTEN` belong to the reader, all others to the writer; either number only grows, and
 *    only its owner changes it.
 * 2. What was made of a piece is in slots before the piece counts as `TAKEN`; everything before `ENDED` is set.
 * 3. `NEWS` grows after all of this, so that nothing told before a reader slept escapes it.
 */

/** Bytes of a slot: large enough to cost little, small enough that the reader finds it in the processor's cache. */
export const SLOT_BYTES = 128 * 1024;
/** Slots: what the writer may be ahead. */
export const SLOTS = 16;
/** Bytes of notes that go with a slot. */
const NOTE_BYTES = 8 * 1024;
/** Pieces that may be handed over before the first of them is taken, and the bytes of one. */
export const PIECES = 8;
export const PIECE_BYTES = 256 * 1024;

/** Numbers of a ring: see the invariants; `GONE` is set when the reader wants no more. */
const [WRITTEN, READ, NEWS, GONE, TAKEN, ENDED, LENGTHS] = [0, 1, 2, 3, 4, 5, 6];
/** After the length of each slot that of its notes. */
const WORDS = LENGTHS + 2 * SLOTS;
/** How long a writer sleeps before it looks again; the reader wakes it, this is for the case that it cannot. */
const WRITER_SLEEP_MILLISECONDS = 1000;

/** What both sides are given. */
export interface RingMemory {
  readonly words: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  readonly notes: SharedArrayBuffer;
  readonly pieces: SharedArrayBuffer;
}

/** Memory for one ring. */
export function createRing(): RingMemory {
  return {
    words: new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT),
    slots: new SharedArrayBuffer(SLOTS * SLOT_BYTES),
    notes: new SharedArrayBuffer(SLOTS * NOTE_BYTES),
    pieces: new SharedArrayBuffer(PIECES * PIECE_BYTES),
  };
}

/** A ring as arrays, made once. */
class Side {
  protected readonly words: Int32Array;
  protected readonly slots: readonly Uint8Array[];
  protected readonly notes: readonly Uint8Array[];
  protected readonly pieces: readonly Uint8Array[];
  /** Pieces handed over, or received. */
  protected piecesMoved = 0;

  constructor({ words, slots, notes, pieces }: RingMemory) {
    this.words = new Int32Array(words);
    this.slots = divide(slots, SLOT_BYTES);
    this.notes = divide(notes, NOTE_BYTES);
    this.pieces = divide(pieces, PIECE_BYTES);
  }

  protected nextPiece(bytes: number): Uint8Array {
    return (this.pieces[this.piecesMoved++ % PIECES] ?? new Uint8Array()).subarray(0, bytes);
  }
}

function divide(memory: SharedArrayBuffer, length: number): readonly Uint8Array[] {
  return Array.from({ length: memory.byteLength / length }, (_, part) => new Uint8Array(memory, part * length, length));
}

/** The side that fills slots. */
export class RingWriter extends Side {
  #fill = 0;
  #noteFill = 0;

  /**
   * Copies bytes into the ring; waits while it is full.
   *
   * @returns `false` when the reader wants no more.
   */
  write(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length;) {
      const slot = this.#slot(this.slots);
      if (slot === undefined) return false;
      const taken = Math.min(bytes.length - at, SLOT_BYTES - this.#fill);
      slot.set(bytes.subarray(at, at + taken), this.#fill);
      this.#fill += taken;
      at += taken;
      if (this.#fill === SLOT_BYTES) this.flush();
    }
    return true;
  }

  /** Adds a note to the slot being filled, the bytes so far or the next ones in it; waits like `write()`. */
  note(bytes: Uint8Array): boolean {
    if (this.#noteFill + bytes.length > NOTE_BYTES) this.flush();
    const notes = this.#slot(this.notes);
    if (notes === undefined) return false;
    notes.set(bytes, this.#noteFill);
    this.#noteFill += bytes.length;
    return true;
  }

  /** Hands over what the slot being filled has. */
  flush(): void {
    if (this.#fill === 0 && this.#noteFill === 0) return;
    const written = Atomics.load(this.words, WRITTEN);
    const length = LENGTHS + 2 * (written % SLOTS);
    Atomics.store(this.words, length, this.#fill);
    Atomics.store(this.words, length + 1, this.#noteFill);
    Atomics.store(this.words, WRITTEN, written + 1);
    this.#fill = this.#noteFill = 0;
    this.#tell();
  }

  /** The next piece of `bytes` bytes; the reader leaves it alone until it is taken. */
  receive(bytes: number): Uint8Array {
    return this.nextPiece(bytes);
  }

  /** The piece received first of those not yet taken is no longer needed, and everything made of it is written. */
  take(): void {
    this.flush();
    Atomics.add(this.words, TAKEN, 1);
    this.#tell();
  }

  /** Nothing follows what is written. */
  end(): void {
    this.flush();
    Atomics.store(this.words, ENDED, 1);
    this.#tell();
  }

  #tell(): void {
    Atomics.add(this.words, NEWS, 1);
    Atomics.notify(this.words, NEWS);
  }

  #slot(of: readonly Uint8Array[]): Uint8Array | undefined {
    const written = Atomics.load(this.words, WRITTEN);
    for (;;) {
      if (Atomics.load(this.words, GONE) !== 0) return undefined;
      const read = Atomics.load(this.words, READ);
      if (written - read < SLOTS) return of[written % SLOTS];
      Atomics.wait(this.words, READ, read, WRITER_SLEEP_MILLISECONDS);
    }
  }
}

/** The side that reads slots. */
export class RingReader extends Side {
  /** Slots that wait to be read. */
  get waiting(): number {
    return Atomics.load(this.words, WRITTEN) - Atomics.load(this.words, READ);
  }

  /**
   * Hands over what is there, at most one round of slots. The bytes must not be kept.
   *
   * @returns Whether there was anything.
   */
  read(take: (bytes: Uint8Array, notes: Uint8Array) => void): boolean {
    let read = Atomics.load(this.words, READ);
    const end = read + this.waiting;
    const hasSome = read < end;
    while (read < end && Atomics.load(this.words, GONE) === 0) {
      const slot = read % SLOTS;
      const length = Atomics.load(this.words, LENGTHS + 2 * slot);
      const noteLength = Atomics.load(this.words, LENGTHS + 2 * slot + 1);
      const [bytes, notes] = [this.slots[slot], this.notes[slot]];
      if (bytes === undefined || notes === undefined) break;
      take(bytes.subarray(0, length), notes.subarray(0, noteLength));
      Atomics.store(this.words, READ, ++read);
      Atomics.notify(this.words, READ);
    }
    return hasSome;
  }

  /** Puts the next piece, of at most `PIECE_BYTES`, where the writer finds it; it must be told. */
  hand(piece: Uint8Array): void {
    this.nextPiece(piece.length).set(piece);
  }

  /** Pieces taken so far. */
  get taken(): number {
    return Atomics.load(this.words, TAKEN);
  }

  get hasEnded(): boolean {
    return Atomics.load(this.words, ENDED) !== 0;
  }

  /** To be compared by `wait()`: taken before looking for what it waits for. */
  get news(): number {
    return Atomics.load(this.words, NEWS);
  }

  /** Sleeps until the writer tells something after `news`, at most so long. */
  wait(news: number, milliseconds: number): void {
    Atomics.wait(this.words, NEWS, news, milliseconds);
  }

  /** Lets the writer drop what it has. */
  leave(): void {
    Atomics.store(this.words, GONE, 1);
    Atomics.notify(this.words, READ);
  }

  /** Makes the ring empty and usable again; the writer must not be at work. */
  reset(): void {
    this.words.fill(0);
    this.piecesMoved = 0;
  }
}
