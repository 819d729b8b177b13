/**
 * XXH64 with seed 0, the content checksum of Zstandard frames (RFC 8878, section 3.1.1). 64-bit words are pairs of
 * 32-bit halves here: big integers are some fifty times slower on the bulk of the data and serve for its end only.
 */

/** The primes, as halves for the bulk and whole for the end. */
const P1_LOW = 0x85ebca87 | 0;
const P1_HIGH = 0x9e3779b1 | 0;
const P2_LOW = 0x27d4eb4f | 0;
const P2_HIGH = 0xc2b2ae3d | 0;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const STRIPE_BYTES = 32;
/** Bytes copied at a time where the input is not aligned for reading whole words. */
const SCRATCH_BYTES = 16384;

/** A checksum in progress. */
export class Xxh64 {
  /** Low and high halves of the four lanes. */
  private readonly lanes = new Int32Array(8);
  private readonly scratch = new Uint8Array(SCRATCH_BYTES);
  /** Bytes at the start of `scratch` that do not fill a stripe. */
  private fill = 0;
  private totalBytes = 0;

  constructor() {
    const seeds = [P1 + P2, P2, 0n, -P1];
    seeds.forEach((seed, lane) => {
      this.lanes[2 * lane] = Number(BigInt.asIntN(32, seed));
      this.lanes[2 * lane + 1] = Number(BigInt.asIntN(32, seed >> 32n));
    });
  }

  update(bytes: Uint8Array): void {
    this.totalBytes += bytes.length;
    let at = 0;
    if (this.fill === 0 && bytes.byteOffset % 4 === 0 && bytes.length >= STRIPE_BYTES) {
      at = bytes.length - bytes.length % STRIPE_BYTES;
      consume(this.lanes, new Int32Array(bytes.buffer, bytes.byteOffset, at / 4));
    }
    while (at < bytes.length) {
      const taken = Math.min(SCRATCH_BYTES - this.fill, bytes.length - at);
      this.scratch.set(bytes.subarray(at, at + taken), this.fill);
      at += taken;
      this.fill += taken;
      const whole = this.fill - this.fill % STRIPE_BYTES;
      consume(this.lanes, new Int32Array(this.scratch.buffer, 0, whole / 4));
      this.scratch.copyWithin(0, whole, this.fill);
      this.fill -= whole;
    }
  }

  /** The whole checksum. Frames store its low 32 bits. */
  digest(): bigint {
    let hash = this.totalBytes >= STRIPE_BYTES ? this.mergedLanes() : P5;
    hash = wrap(hash + BigInt(this.totalBytes));
    const view = new DataView(this.scratch.buffer);
    let at = 0;
    for (; at + 8 <= this.fill; at += 8) {
      hash = wrap(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
    }
    if (at + 4 <= this.fill) {
      hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
      at += 4;
    }
    for (; at < this.fill; at++) hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint8(at)) * P5), 11n) * P1);
    hash = wrap((hash ^ hash >> 33n) * P2);
    hash = wrap((hash ^ hash >> 29n) * P3);
    return hash ^ hash >> 32n;
  }

  private mergedLanes(): bigint {
    const view = new DataView(this.lanes.buffer);
    const lanes = [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
    const rotations = [1n, 7n, 12n, 18n];
    const sum = wrap(lanes.reduce((total, lane, at) => total + rotate(lane, rotations[at] ?? 0n), 0n));
    return lanes.reduce((hash, lane) => wrap((hash ^ round(0n, lane)) * P1 + P4), sum);
  }
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotate(value: bigint, bits: bigint): bigint {
  return wrap(value << bits | value >> 64n - bits);
}

function round(lane: bigint, input: bigint): bigint {
  return wrap(rotate(wrap(lane + input * P2), 31n) * P1);
}

/** Mixes whole stripes into the lanes: lane = rotate(lane + word × P2, 31) × P1 for each of a stripe's four words. */
function consume(lanes: Int32Array, words: Int32Array): void {
  for (let lane = 0; lane < 4; lane++) {
    let low = lanes[2 * lane] ?? 0;
    let high = lanes[2 * lane + 1] ?? 0;
    for (let at = 2 * lane; at < words.length; at += 8) {
      const wordLow = words[at] ?? 0;
      const wordHigh = words[at + 1] ?? 0;
      const addLow = Math.imul(wordLow, P2_LOW);
      const addHigh = mulHigh(wordLow, P2_LOW) + Math.imul(wordLow, P2_HIGH) + Math.imul(wordHigh, P2_LOW);
      const sumLow = low + addLow | 0;
      const carry = sumLow >>> 0 < addLow >>> 0 ? 1 : 0;
      const sumHigh = high + addHigh + carry | 0;
      const turnedLow = sumLow << 31 | sumHigh >>> 1;
      const turnedHigh = sumHigh << 31 | sumLow >>> 1;
      low = Math.imul(turnedLow, P1_LOW);
      high = mulHigh(turnedLow, P1_LOW) + Math.imul(turnedLow, P1_HIGH) + Math.imul(turnedHigh, P1_LOW) | 0;
    }
    lanes[2 * lane] = low;
    lanes[2 * lane + 1] = high;
  }
}

/** High half of the product of two unsigned 32-bit numbers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + (aLow * bLow >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (cross >>> 16) | 0;
}
