/** Streaming SHA-256, and the checksum of zip archives. The only file of this room that names the runtime's hashes. */
import type { createHash as CreateHash } from "node:crypto";

let loaded: typeof CreateHash | undefined;

/** Loaded when first needed: importing it costs every start some 15 ms, and most reading commands hash nothing. */
function createHash(algorithm: "sha256"): ReturnType<typeof CreateHash> {
  loaded ??= globalThis.process.getBuiltinModule("node:crypto").createHash;
  return loaded(algorithm);
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
  const hash = createHash("sha256");
  return {
    update(chunk) {
      hash.update(chunk);
    },
    digest: () => new Uint8Array(hash.digest()),
    hex: () => hash.digest("hex"),
  };
}

/** SHA-256 of `bytes` as 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** SHA-256 of `bytes` as 64 lowercase hex digits (F-GEN-02). */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** CRC-32 of `bytes`, as zip archives have it: a checksum against accidents, no hash. */
export function crc32(bytes: Uint8Array): number {
  return globalThis.process.getBuiltinModule("node:zlib").crc32(bytes);
}
