import assert from "node:assert/strict";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { decompressZstd, ZstdDecoder, ZstdEncoder } from "../../../core/format/zstd.ts";
import { FrameWalker } from "../../../core/format/zstd_frame.ts";

/** Bytes that do not compress, from a seed. */
function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

Deno.test("F-PRO-11: ZstdEncoder writes exactly one frame, also where its end meets an output chunk's edge", async () => {
  // The compressed size passes the 512 KiB edge of an output chunk byte by byte.
  for (let length = 512 * 1024 - 40; length < 512 * 1024 + 8; length++) {
    const content = noise(length, length);
    const pieces: Uint8Array[] = [];
    using encoder = new ZstdEncoder(3, (bytes) => void pieces.push(bytes.slice()));
    await encoder.push(content);
    await encoder.finish();
    const file = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    pieces.reduce((at, piece) => (file.set(piece, at), at + piece.length), 0);
    const walker = new FrameWalker(() => {});
    walker.push(file);
    walker.finish();
    assert.deepEqual(new Uint8Array(zstdDecompressSync(file)), content, `content of ${length} bytes`);
  }
});

Deno.test("F-ZST-06: what is kept of the decoder's output by slice() stays, however much follows", async () => {
  const content = noise(3 * 1024 * 1024 + 7, 3);
  const file = zstdCompressSync(content);
  const kept: Uint8Array[] = [];
  using decoder = new ZstdDecoder({ output: (bytes) => void kept.push(bytes.slice()), bound: () => 1 << 23 });
  for (let at = 0; at < file.length; at += 100_000) await decoder.push(file.subarray(at, at + 100_000));
  await decoder.finish();
  const pieces: Uint8Array[] = [];
  for await (const bytes of decompressZstd(ReadableStream.from([file]))) pieces.push(bytes);
  for (const found of [kept, pieces]) {
    const whole = new Uint8Array(found.reduce((sum, piece) => sum + piece.length, 0));
    found.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
    assert.deepEqual(whole, content);
  }
});
