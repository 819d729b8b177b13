/** Streaming SHA-256, and the checksum of zip archives. The only file of this room that names the runtime's hashes. */
import { sha256 as plainSha256 } from "@noble/hashes/sha2.js";
import type { createHash as CreateHash } from "node:crypto";

type NativeHash = ReturnType<typeof CreateHash>;

/**
 * Bytes hashed without the runtime's own hash, all contents of a run together. Loading that one takes 12 to 14 ms, twice
 * what a small package takes besides, and then it does a gibibyte a second. The plain one has taken 2 ms after 4 KiB,
 * 4 after 64 KiB, 7 after 128 KiB and 11 after 256 KiB, and stays at a fifth of the other one's speed.
 */
const PLAIN_BYTES = 64 * 1024;
let plainBytes = 0;
let loaded: typeof CreateHash | undefined;

function isPlainEnough(bytes: number): boolean {
  return loaded === undefined && plainBytes + bytes <= PLAIN_BYTES;
}

function loadNative(): typeof CreateHash {
  return loaded ??= globalThis.process.getBuiltinModule("node:crypto").createHash;
}

function createNative(): NativeHash {
  return loadNative()("sha256");
}

function hashPlain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  plainBytes += bytes.length;
  return new Uint8Array(plainSha256(bytes));
}

/** Says how long the contents are that will be hashed, where that is known: many go the fast way from the first one. */
export function expectSha256(lengths: Iterable<number>): void {
  let bytes = 0;
  for (const length of lengths) {
    bytes += length;
    if (!isPlainEnough(bytes)) return void loadNative();
  }
}

/** A SHA-256 in progress. Chunks may be reused by the caller as soon as `update()` returns. */
export interface Sha256 {
  update(chunk: Uint8Array): void;
  /** Ends the computation: 32 bytes. */
  digest(): Uint8Array<ArrayBuffer>;
  /** Ends the computation: 64 lowercase hex digits (F-GEN-02). */
  hex(): string;
}

/** Begins a SHA-256. */
export function createSha256(): Sha256 {
  return new Hash();
}

/** Keeps short content until it ends: the plain hash cannot hand a computation over. */
class Hash implements Sha256 {
  #native = loaded === undefined ? undefined : createNative();
  #kept = new Uint8Array(0);
  #length = 0;

  update(chunk: Uint8Array): void {
    if (this.#native === undefined && !this.#keep(chunk)) {
      this.#native = createNative().update(this.#kept.subarray(0, this.#length));
    }
    this.#native?.update(chunk);
  }

  digest(): Uint8Array<ArrayBuffer> {
    return this.#native === undefined
      ? sha256(this.#kept.subarray(0, this.#length))
      : new Uint8Array(this.#native.digest());
  }

  hex(): string {
    return this.#native === undefined ? sha256Hex(this.#kept.subarray(0, this.#length)) : this.#native.digest("hex");
  }

  #keep(chunk: Uint8Array): boolean {
    const length = this.#length + chunk.length;
    if (!isPlainEnough(length)) return false;
    if (length > this.#kept.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#kept.length));
      larger.set(this.#kept.subarray(0, this.#length));
      this.#kept = larger;
    }
    this.#kept.set(chunk, this.#length);
    this.#length = length;
    return true;
  }
}

/** SHA-256 of `bytes` as 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isPlainEnough(bytes.length) ? hashPlain(bytes) : new Uint8Array(createNative().update(bytes).digest());
}

/** SHA-256 of `bytes` as 64 lowercase hex digits (F-GEN-02). */
export function sha256Hex(bytes: Uint8Array): string {
  return isPlainEnough(bytes.length) ? hashPlain(bytes).toHex() : createNative().update(bytes).digest("hex");
}

/** CRC-32 of `bytes`, as zip archives have it: a checksum against accidents, no hash. */
export function crc32(bytes: Uint8Array): number {
  return globalThis.process.getBuiltinModule("node:zlib").crc32(bytes);
}
