import assert from "node:assert/strict";
import { type AuditValue, encodeMessagePack } from "../../../core/audit/msgpack.ts";

/** Bytes as spaced hex; `…` stands for the rest. */
function hex(value: AuditValue): string {
  return [...encodeMessagePack(value)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function headOf(value: AuditValue, count: number): string {
  return hex(value).split(" ").slice(0, count).join(" ");
}

const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i % 100]));

Deno.test("A-KMES-30: a map of up to 15 members has one byte of head, more have three", () => {
  assert.equal(hex({}), "80");
  assert.equal(hex({ a: 1, b: 2 }), "82 a1 61 01 a1 62 02");
  assert.equal(headOf(members(15), 1), "8f");
  assert.equal(headOf(members(16), 3), "de 00 10");
  assert.equal(headOf(members(300), 3), "de 01 2c");
});

Deno.test("A-KMES-31: an array of up to 15 items has one byte of head, more have three", () => {
  assert.equal(hex([]), "90");
  assert.equal(hex([1, [true]]), "92 01 91 c3");
  assert.equal(headOf(Array(15).fill(0), 1), "9f");
  assert.equal(headOf(Array(16).fill(0), 4), "dc 00 10 00");
});

Deno.test("A-KMES-32: a string's head follows its length in bytes", () => {
  assert.equal(hex(""), "a0");
  assert.equal(hex("é"), "a2 c3 a9");
  assert.equal(headOf("x".repeat(31), 2), "bf 78");
  assert.equal(headOf("x".repeat(32), 3), "d9 20 78");
  assert.equal(headOf("x".repeat(255), 2), "d9 ff");
  assert.equal(headOf("x".repeat(256), 3), "da 01 00");
  assert.equal(headOf("x".repeat(65535), 3), "da ff ff");
  assert.equal(headOf("x".repeat(65536), 5), "db 00 01 00 00");
});

Deno.test("A-KMES-32: what is no text becomes valid UTF-8", () => {
  assert.equal(hex("\ud800"), "a3 ef bf bd");
});

Deno.test("A-KMES-33: small integers have one byte, all others nine, big-endian", () => {
  assert.equal(hex(0), "00");
  assert.equal(hex(127), "7f");
  assert.equal(hex(-1), "ff");
  assert.equal(hex(-32), "e0");
  assert.equal(hex(128), "d3 00 00 00 00 00 00 00 80");
  assert.equal(hex(-33), "d3 ff ff ff ff ff ff ff df");
  assert.equal(hex(4294967296), "d3 00 00 00 01 00 00 00 00");
  assert.equal(hex(Number.MAX_SAFE_INTEGER), "d3 00 1f ff ff ff ff ff ff");
});

Deno.test("A-KMES-34: booleans", () => {
  assert.equal(hex([true, false]), "92 c3 c2");
});

Deno.test("A-KMES-06: members keep their order, and a large value grows the buffer whole", () => {
  assert.equal(
    hex({ v: 1, source: "p", b: [{ z: 1, a: 2 }] }),
    "83 a1 76 01 a6 73 6f 75 72 63 65 a1 70 a1 62 91 82 a1 7a 01 a1 61 02",
  );
  assert.equal(encodeMessagePack(["x".repeat(5000), "y".repeat(70000)]).length, 1 + 3 + 5000 + 5 + 70000);
});
