/**
 * The content of Zstandard blocks (RFC 8878, section 3.1.1.2), for a short frame: all of its content is held. Whatever
 * is not as the format says is thrown as `E_ZSTD_CORRUPT`.
 */
import { bitsAt, fseSymbol, type FseTable, fseTable, type HuffmanTable } from "./zstd_entropy.ts";
import { readFseTable, readHuffmanStream, readHuffmanTable, startOfBits } from "./zstd_entropy.ts";
import { corrupt, MAX_BLOCK_BYTES } from "./zstd_frame.ts";

/** One of the three codes of a sequence: what its table may be at most, and the table nobody needs to describe. */
interface Kind {
  readonly symbols: number;
  readonly log: number;
  readonly usualCounts: readonly number[];
  readonly usualLog: number;
}

const LITERAL_LENGTHS: Kind = {
  symbols: 36,
  log: 9,
  usualCounts: [4, 3, ...times(11, 2), 1, 1, 1, ...times(9, 2), 3, 2, ...times(5, 1), ...times(4, -1)],
  usualLog: 6,
};
const OFFSETS: Kind = {
  symbols: 32,
  log: 8,
  usualCounts: [...times(6, 1), 2, 2, 2, ...times(15, 1), ...times(5, -1)],
  usualLog: 5,
};
const MATCH_LENGTHS: Kind = {
  symbols: 53,
  log: 9,
  usualCounts: [1, 4, 3, ...times(6, 2), ...times(37, 1), ...times(7, -1)],
  usualLog: 6,
};

/** Further bits that follow a length's code, and the length without them, by code. */
const LITERAL_LENGTH_BITS = [...times(16, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LITERAL_LENGTH_BASES = lengthBases(0, LITERAL_LENGTH_BITS);
const MATCH_LENGTH_BITS = [...times(32, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const MATCH_LENGTH_BASES = lengthBases(3, MATCH_LENGTH_BITS);
/** Offsets with more bits reach further back than anything held here. */
const OFFSET_BITS_MAX = 24;

function times(count: number, value: number): readonly number[] {
  return Array<number>(count).fill(value);
}

function lengthBases(first: number, bits: readonly number[]): readonly number[] {
  let next = first;
  return bits.map((count) => {
    const base = next;
    next += 1 << count;
    return base;
  });
}

interface SequenceTables {
  readonly literalLengths: FseTable;
  readonly offsets: FseTable;
  readonly matchLengths: FseTable;
}

/** Decodes the blocks of one frame, in their order. */
export class BlockDecoder {
  /** The content so far, then room. */
  #output = new Uint8Array(MAX_BLOCK_BYTES);
  #length = 0;
  /** What the content may grow to in this block. */
  #limit = 0;
  readonly #blockBytesMax: number;
  #literals = new Uint8Array(0);
  #huffman: HuffmanTable | undefined;
  #tables: SequenceTables | undefined;
  /** Offsets used last. */
  readonly #recent: [number, number, number] = [1, 4, 8];
  /** Where in the input the next section begins. */
  #at = 0;

  /** @param windowBytes What the frame's header says. */
  constructor(private readonly windowBytes: number) {
    this.#blockBytesMax = Math.min(MAX_BLOCK_BYTES, windowBytes);
  }

  /** Content bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Part of the content; valid until the next block. */
  content(start: number, end: number): Uint8Array<ArrayBuffer> {
    return this.#output.subarray(start, end);
  }

  /** A block that is stored as it is. */
  store(bytes: Uint8Array): void {
    this.#begin();
    this.#append(bytes);
  }

  /** A block of one byte, repeated. */
  repeat(byte: number, count: number): void {
    this.#begin();
    const end = this.#grow(count);
    this.#output.fill(byte, this.#length, end);
    this.#length = end;
  }

  /** A compressed block: what lies between two places of the input. */
  decode(input: Uint8Array, start: number, end: number): void {
    this.#begin();
    this.#at = start;
    this.#readLiterals(input, end);
    const count = this.#readCount(input, end);
    const used = count === 0 ? 0 : this.#execute(input, end, count);
    if (count === 0 && this.#at !== end) throw corrupt("bytes follow the last section of a block");
    this.#append(this.#literals.subarray(used));
  }

  #begin(): void {
    this.#limit = this.#length + this.#blockBytesMax;
    if (this.#output.length >= this.#limit) return;
    const larger = new Uint8Array(2 * this.#output.length);
    larger.set(this.#output.subarray(0, this.#length));
    this.#output = larger;
  }

  /** @returns Where the content ends with so many more bytes. */
  #grow(count: number): number {
    const end = this.#length + count;
    if (end > this.#limit) throw corrupt("a block holds too much");
    return end;
  }

  #append(bytes: Uint8Array): void {
    const end = this.#grow(bytes.length);
    this.#output.set(bytes, this.#length);
    this.#length = end;
  }

  #take(end: number, count: number): number {
    const start = this.#at;
    this.#at += count;
    if (this.#at > end) throw corrupt("a section of a block is cut short");
    return start;
  }

  /** Section 3.1.1.3.1 */
  #readLiterals(input: Uint8Array, end: number): void {
    const head = input[this.#take(end, 1)] ?? 0;
    const first = 8 * (this.#at - 1);
    const type = head & 3;
    const form = head >> 2 & 3;
    if (type < 2) {
      const headBytes = form === 1 ? 2 : form === 3 ? 3 : 1;
      this.#take(end, headBytes - 1);
      const count = headBytes === 1 ? head >> 3 : bitsAt(input, first + 4, 8 * headBytes - 4);
      if (count > this.#blockBytesMax) throw corrupt("a block has too many literals");
      const start = this.#take(end, type === 0 ? count : 1);
      this.#literals = type === 0 ? input.slice(start, start + count) : new Uint8Array(count).fill(input[start] ?? 0);
      return;
    }
    const bits = form < 2 ? 10 : form === 2 ? 14 : 18;
    this.#take(end, (4 + 2 * bits >> 3) - 1);
    const count = bitsAt(input, first + 4, bits);
    if (count > this.#blockBytesMax) throw corrupt("a block has too many literals");
    let start = this.#take(end, bitsAt(input, first + 4 + bits, bits));
    if (type === 2) {
      const { table, end: streams } = readHuffmanTable(input, start, this.#at);
      this.#huffman = table;
      start = streams;
    }
    if (this.#huffman === undefined) throw corrupt("the first literals have no Huffman table");
    this.#literals = new Uint8Array(count);
    if (form === 0) readHuffmanStream(input, start, this.#at, this.#huffman, this.#literals);
    else this.#readFourStreams(input, start, this.#huffman);
  }

  #readFourStreams(input: Uint8Array, sizes: number, table: HuffmanTable): void {
    const literals = this.#literals;
    const part = literals.length + 3 >> 2;
    if (3 * part > literals.length) throw corrupt("four streams hold too few literals");
    let start = sizes + 6;
    for (let stream = 0; stream < 4; stream++) {
      const end = stream === 3 ? this.#at : start + bitsAt(input, 8 * sizes + 16 * stream, 16);
      if (end > this.#at) throw corrupt("a section of a block is cut short");
      const to = stream === 3 ? literals.length : (stream + 1) * part;
      readHuffmanStream(input, start, end, table, literals.subarray(stream * part, to));
      start = end;
    }
  }

  /** How many sequences follow (section 3.1.1.3.2.1). */
  #readCount(input: Uint8Array, end: number): number {
    const first = input[this.#take(end, 1)] ?? 0;
    if (first < 128) return first;
    const second = input[this.#take(end, 1)] ?? 0;
    if (first < 255) return (first - 128 << 8) + second;
    return second + ((input[this.#take(end, 1)] ?? 0) << 8) + 0x7f00;
  }

  #readTables(input: Uint8Array, end: number): SequenceTables {
    const modes = input[this.#take(end, 1)] ?? 0;
    if ((modes & 3) !== 0) throw corrupt("a reserved bit of a block is set");
    return this.#tables = {
      literalLengths: this.#readTable(input, end, modes >> 6, LITERAL_LENGTHS, this.#tables?.literalLengths),
      offsets: this.#readTable(input, end, modes >> 4 & 3, OFFSETS, this.#tables?.offsets),
      matchLengths: this.#readTable(input, end, modes >> 2 & 3, MATCH_LENGTHS, this.#tables?.matchLengths),
    };
  }

  #readTable(input: Uint8Array, end: number, mode: number, kind: Kind, previous: FseTable | undefined): FseTable {
    if (mode === 0) return fseTable(kind.usualCounts, kind.usualLog);
    if (mode === 1) {
      const symbol = input[this.#take(end, 1)] ?? 0;
      if (symbol >= kind.symbols) throw corrupt("a sequence has an unknown code");
      return fseSymbol(symbol);
    }
    if (mode === 2) {
      const described = readFseTable(input, this.#at, end, kind);
      this.#at = described.end;
      return described.table;
    }
    if (previous === undefined) throw corrupt("the first sequences have no table");
    return previous;
  }

  /**
   * Carries out the sequences: so many literals, then so many bytes again that were there before (section 3.1.1.4).
   *
   * @returns How many literals they use.
   */
  #execute(input: Uint8Array, end: number, count: number): number {
    const { literalLengths, offsets, matchLengths } = this.#readTables(input, end);
    const base = 8 * this.#at;
    let left = startOfBits(input, this.#at, end);
    const read = (bits: number): number => {
      left -= bits;
      if (left < 0) throw corrupt("the bits of the sequences are cut short");
      return bitsAt(input, base + left, bits);
    };
    let literalState = read(literalLengths.log);
    let offsetState = read(offsets.log);
    let matchState = read(matchLengths.log);
    let used = 0;
    for (let index = 0; index < count; index++) {
      const literalCode = literalLengths.symbols[literalState] ?? 0;
      const offsetCode = offsets.symbols[offsetState] ?? 0;
      const matchCode = matchLengths.symbols[matchState] ?? 0;
      if (offsetCode > OFFSET_BITS_MAX) throw corrupt("an offset reaches too far back");
      const offsetValue = (1 << offsetCode) + read(offsetCode);
      const matchLength = (MATCH_LENGTH_BASES[matchCode] ?? 0) + read(MATCH_LENGTH_BITS[matchCode] ?? 0);
      const literalLength = (LITERAL_LENGTH_BASES[literalCode] ?? 0) + read(LITERAL_LENGTH_BITS[literalCode] ?? 0);
      if (used + literalLength > this.#literals.length) throw corrupt("a sequence has more literals than there are");
      this.#append(this.#literals.subarray(used, used + literalLength));
      used += literalLength;
      this.#copy(this.#offsetOf(offsetValue, literalLength === 0), matchLength);
      if (index === count - 1) break;
      literalState = (literalLengths.bases[literalState] ?? 0) + read(literalLengths.bits[literalState] ?? 0);
      matchState = (matchLengths.bases[matchState] ?? 0) + read(matchLengths.bits[matchState] ?? 0);
      offsetState = (offsets.bases[offsetState] ?? 0) + read(offsets.bits[offsetState] ?? 0);
    }
    if (left !== 0) throw corrupt("the sequences do not end where their bits end");
    return used;
  }

  /** Values up to three mean an offset used before (section 3.1.1.5). */
  #offsetOf(value: number, hasNoLiterals: boolean): number {
    const recent = this.#recent;
    const index = value - (hasNoLiterals ? 0 : 1);
    if (value <= 3 && index === 0) return recent[0];
    const offset = value > 3 ? value - 3 : index === 1 ? recent[1] : index === 2 ? recent[2] : recent[0] - 1;
    if (value > 3 || index > 1) recent[2] = recent[1];
    recent[1] = recent[0];
    recent[0] = offset;
    return offset;
  }

  /** Repeats content; what is repeated may begin before and end after where it goes. */
  #copy(offset: number, count: number): void {
    const start = this.#length;
    if (offset < 1 || offset > start || offset > this.windowBytes) throw corrupt("an offset reaches too far back");
    const end = this.#grow(count);
    const output = this.#output;
    if (offset >= count) output.copyWithin(start, start - offset, start - offset + count);
    else if (offset === 1) output.fill(output[start - 1] ?? 0, start, end);
    else for (let at = start; at < end; at++) output[at] = output[at - offset] ?? 0;
    this.#length = end;
  }
}
