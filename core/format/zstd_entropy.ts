/**
 * The two codes inside Zstandard blocks: finite state entropy and Huffman (RFC 8878, sections 4.1 and 4.2). Both are
 * read from the last bit to the first. Whatever is not as the format says is thrown as `E_ZSTD_CORRUPT`.
 */
import { corrupt } from "./zstd_frame.ts";

/** Decoding table of a finite state entropy code: for each state its symbol, and how the next state is found. */
export interface FseTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

/** Decoding table of a Huffman code, by the next `log` bits. */
export interface HuffmanTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
}

/** A table, and where in the input its description ends. */
export interface Described<Table> {
  readonly table: Table;
  readonly end: number;
}

const WEIGHTS_LOG_MAX = 6;
const WEIGHTS_MAX = 255;
const HUFFMAN_LOG_MAX = 11;

/** Up to 25 bits at bit `at` of the input, the first bit the lowest. */
export function bitsAt(input: Uint8Array, at: number, count: number): number {
  const byte = at >> 3;
  const low = (input[byte] ?? 0) | (input[byte + 1] ?? 0) << 8;
  const high = (input[byte + 2] ?? 0) | (input[byte + 3] ?? 0) << 8;
  return (low | high << 16) >>> (at & 7) & (1 << count) - 1;
}

/** Position of the highest set bit of a positive number. */
function highestBit(value: number): number {
  return 31 - Math.clz32(value);
}

/** Bits of a part of the input that is read from its end; its last set bit only marks that end. */
export function startOfBits(input: Uint8Array, start: number, end: number): number {
  const last = end > start ? input[end - 1] ?? 0 : 0;
  if (last === 0) throw corrupt("a bit stream has no end");
  return 8 * (end - 1 - start) + highestBit(last);
}

/** The table for counts of symbols, −1: less than one. */
export function fseTable(counts: ArrayLike<number>, log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size - 1;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    const count = counts[symbol] ?? 0;
    next[symbol] = count === -1 ? 1 : count;
    if (count === -1) symbols[high--] = symbol;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let left = counts[symbol] ?? 0; left > 0; left--) {
      symbols[at] = symbol;
      do at = at + step & size - 1; while (at > high);
    }
  }
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0;
    const order = next[symbol] ?? 0;
    next[symbol] = order + 1;
    const count = log - highestBit(order);
    bits[state] = count;
    bases[state] = (order << count) - size;
  }
  return { log, symbols, bits, bases };
}

/** A code of one symbol only, which takes no bits. */
export function fseSymbol(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) };
}

/** Reads the description of a finite state entropy code (section 4.1.1). */
export function readFseTable(
  input: Uint8Array,
  start: number,
  end: number,
  limits: { readonly symbols: number; readonly log: number },
): Described<FseTable> {
  let at = 8 * start;
  const log = bitsAt(input, at, 4) + 5;
  at += 4;
  if (log > limits.log) throw corrupt("an entropy table is too large");
  const counts: number[] = [];
  for (let left = 1 << log; left > 0;) {
    if (counts.length >= limits.symbols || at > 8 * end) throw corrupt("an entropy table has too many symbols");
    // Values up to `left + 1`; the lowest of them take a bit less.
    const bits = highestBit(left + 1) + 1;
    const short = (1 << bits) - 2 - left;
    const low = bitsAt(input, at, bits - 1);
    const whole = bitsAt(input, at, bits);
    at += low < short ? bits - 1 : bits;
    const value = low < short ? low : whole < 1 << bits - 1 ? whole : whole - short;
    counts.push(value - 1);
    left -= Math.abs(value - 1);
    if (value !== 1) continue;
    for (let zeros = 3; zeros === 3;) {
      zeros = bitsAt(input, at, 2);
      at += 2;
      for (let zero = 0; zero < zeros; zero++) counts.push(0);
      if (counts.length > limits.symbols || at > 8 * end) throw corrupt("an entropy table has too many symbols");
    }
  }
  if (at > 8 * end) throw corrupt("an entropy table is cut short");
  return { table: fseTable(counts, log), end: at + 7 >> 3 };
}

/** Reads the description of a Huffman code (section 4.2.1). */
export function readHuffmanTable(input: Uint8Array, start: number, end: number): Described<HuffmanTable> {
  if (start >= end) throw corrupt("a Huffman table is cut short");
  const head = input[start] ?? 0;
  const first = start + 1;
  if (head < 128) {
    if (first + head > end) throw corrupt("a Huffman table is cut short");
    return { table: huffmanTable(readWeights(input, first, first + head)), end: first + head };
  }
  const weights: number[] = [];
  for (let index = 0; index < head - 127; index++) {
    const pair = input[first + (index >> 1)] ?? 0;
    weights.push(index % 2 === 0 ? pair >> 4 : pair & 15);
  }
  const last = first + (weights.length + 1 >> 1);
  if (last > end) throw corrupt("a Huffman table is cut short");
  return { table: huffmanTable(weights), end: last };
}

/** Weights, as two entropy-coded streams that take turns until the bits are used up (section 4.2.1.2). */
function readWeights(input: Uint8Array, start: number, end: number): number[] {
  const { table, end: first } = readFseTable(input, start, end, { symbols: WEIGHTS_MAX + 1, log: WEIGHTS_LOG_MAX });
  const { log, symbols, bits, bases } = table;
  const base = 8 * first;
  let left = startOfBits(input, first, end) - log;
  let state = left < 0 ? 0 : bitsAt(input, base + left, log);
  left -= log;
  if (left < 0) throw corrupt("the weights of a Huffman table are cut short");
  let other = bitsAt(input, base + left, log);
  const weights: number[] = [];
  for (;;) {
    weights.push(symbols[state] ?? 0);
    const count = bits[state] ?? 0;
    left -= count;
    if (weights.length >= WEIGHTS_MAX) throw corrupt("a Huffman table has too many weights");
    if (left < 0) break;
    const next = (bases[state] ?? 0) + bitsAt(input, base + left, count);
    state = other;
    other = next;
  }
  weights.push(symbols[other] ?? 0);
  return weights;
}

/** The table for the weights of all symbols but the last, whose weight fills it (section 4.2.1.3). */
function huffmanTable(weights: number[]): HuffmanTable {
  let total = 0;
  for (const weight of weights) {
    if (weight > HUFFMAN_LOG_MAX) throw corrupt("a Huffman table has impossible weights");
    total += weight > 0 ? 1 << weight - 1 : 0;
  }
  const log = total === 0 ? 0 : highestBit(total) + 1;
  if (log === 0 || log > HUFFMAN_LOG_MAX) throw corrupt("a Huffman table has impossible weights");
  const size = 1 << log;
  const rest = size - total;
  if ((rest & rest - 1) !== 0) throw corrupt("a Huffman table has impossible weights");
  weights.push(highestBit(rest) + 1);
  const symbols = new Uint8Array(size);
  const bits = new Uint8Array(size);
  let at = 0;
  for (let weight = 1; weight <= log; weight++) {
    const span = 1 << weight - 1;
    const first = at;
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      symbols.fill(symbol, at, at + span);
      at += span;
    }
    if (weight === 1 && (at < 2 || at % 2 !== 0)) throw corrupt("a Huffman table has impossible weights");
    bits.fill(log + 1 - weight, first, at);
  }
  return { log, symbols, bits };
}

/** Decodes one stream of Huffman codes into `output`, which it must fill exactly. */
export function readHuffmanStream(
  input: Uint8Array,
  start: number,
  end: number,
  table: HuffmanTable,
  output: Uint8Array,
): void {
  const { log, symbols, bits } = table;
  const mask = (1 << log) - 1;
  const base = 8 * start;
  let left = startOfBits(input, start, end);
  for (let index = 0; index < output.length; index++) {
    const from = left - log;
    let code: number;
    if (from >= 0) {
      const at = base + from;
      const byte = at >> 3;
      code = ((input[byte] ?? 0) | (input[byte + 1] ?? 0) << 8 | (input[byte + 2] ?? 0) << 16) >> (at & 7) & mask;
    } else {
      code = left > 0 ? bitsAt(input, base, left) << -from & mask : 0;
    }
    output[index] = symbols[code] ?? 0;
    left -= bits[code] ?? 0;
  }
  if (left !== 0) throw corrupt("literals do not end where their bits end");
}
