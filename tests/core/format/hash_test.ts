import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createSha256, sha256, sha256Hex } from "../../../core/format/hash.ts";

/** Around the edges of a block, then enough to leave the way of small contents, then small ones again. */
const LENGTHS = [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 127, 128, 1000, 5000, 20_000, 64, 40_000, 100_000, 3];

function expected(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => Math.imul(at + length, 2654435761) >>> 24);
}

/** Fed in pieces through one buffer, as files are read. */
function hashInPieces(bytes: Uint8Array, pieceBytes: number): ReturnType<typeof createSha256> {
  const hash = createSha256();
  const buffer = new Uint8Array(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    buffer.set(piece);
    hash.update(buffer.subarray(0, piece.length));
    buffer.fill(0xff);
  }
  return hash;
}

// In one test, because what a run has hashed decides how the next content is: few bytes at first, many in the end.
Deno.test("F-GEN-02: SHA-256 is right whatever is hashed before, at once or in pieces, for every length", () => {
  const parallel = createSha256();
  const whole = content(100_000);
  for (const length of LENGTHS) {
    parallel.update(whole.subarray(0, length));
    const bytes = content(length);
    const hex = expected(bytes);
    assert.equal(sha256Hex(bytes), hex, `${length}`);
    assert.equal(sha256(bytes).toHex(), hex, `${length}`);
    for (const pieceBytes of [7, 64, 512, 65_536]) {
      assert.equal(hashInPieces(bytes, pieceBytes).hex(), hex, `${length} in pieces of ${pieceBytes}`);
      assert.equal(hashInPieces(bytes, pieceBytes).digest().toHex(), hex, `${length} in pieces of ${pieceBytes}`);
    }
  }
  const parts = createHash("sha256");
  for (const length of LENGTHS) parts.update(whole.subarray(0, length));
  assert.equal(parallel.hex(), parts.digest("hex"));
});

Deno.test("F-GEN-02: nothing at all has a SHA-256", () => {
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  assert.equal(createSha256().hex(), empty);
  assert.equal(createSha256().digest().toHex(), empty);
});
