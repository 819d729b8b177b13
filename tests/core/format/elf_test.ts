import assert from "node:assert/strict";
import { type ElfLinkage, readElfLinkage } from "../../../core/format/elf.ts";
import { elfOf, type ElfSpec } from "../../support/elf_writer.ts";

/** Reads, and counts the bytes asked for. */
function read(bytes: Uint8Array): { readonly linkage: ElfLinkage | undefined; readonly bytesRead: number } {
  let bytesRead = 0;
  const linkage = readElfLinkage({
    sizeBytes: bytes.length,
    readAt(buffer, offset) {
      const part = bytes.subarray(offset, offset + buffer.length);
      buffer.set(part);
      bytesRead += part.length;
      return part.length;
    },
  });
  return { linkage, bytesRead };
}

const LIBRARY: ElfSpec = { soname: "libz.so.1", needed: ["libc.so.6", "/usr/lib/libm.so.6"] };

Deno.test("C-SHLIB-01: readElfLinkage() reads SONAME and NEEDED of both classes and byte orders", () => {
  for (const isWide of [true, false]) {
    for (const isLittle of [true, false]) {
      const { linkage } = read(elfOf({ ...LIBRARY, isWide, isLittle }));
      assert.deepEqual(linkage, { soname: "libz.so.1", needed: ["libc.so.6", "/usr/lib/libm.so.6"] });
    }
  }
});

Deno.test("C-SHLIB-01: an executable has needs and no name", () => {
  assert.deepEqual(read(elfOf({ needed: ["libc.so.6"], type: 2 })).linkage, {
    soname: undefined,
    needed: ["libc.so.6"],
  });
});

const good = elfOf(LIBRARY);
const REFUSED: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["an empty file", new Uint8Array(0)],
  ["text", new TextEncoder().encode("#!/bin/sh\n".repeat(20))],
  ["a header alone", good.subarray(0, 64)],
  ["a file cut in its strings", good.subarray(0, good.length - 12)],
  ["a core dump", elfOf({ ...LIBRARY, type: 4 })],
  ["a string table outside every segment", elfOf({ ...LIBRARY, stringShift: 1 << 30 })],
  ["names outside the string table", elfOf({ ...LIBRARY, stringBytes: 3 })],
  ["a number of segments beyond reason", elfOf({ ...LIBRARY, segments: 0xffff })],
  ["a dynamic section beyond reason", elfOf({ ...LIBRARY, dynamicBytes: 1 << 30 })],
  ["a dynamic section beyond the file", elfOf({ ...LIBRARY, dynamicBytes: 4096 })],
  ["an endless name", elfOf({ soname: "x".repeat(3000) })],
  ["an empty name", elfOf({ soname: "" })],
  ["needs beyond reason", elfOf({ needed: Array.from({ length: 5000 }, () => "a") })],
];

for (const [name, bytes] of REFUSED) {
  Deno.test(`C-SHLIB-01: readElfLinkage() has no answer for ${name}`, () => {
    assert.equal(read(bytes).linkage, undefined);
  });
}

Deno.test("C-SHLIB-01: any byte changed gives an answer or none, and reads no more than it must", () => {
  for (const spec of [LIBRARY, { ...LIBRARY, isWide: false, isLittle: false }]) {
    const bytes = elfOf(spec);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const changed = new Uint8Array(bytes);
        changed[at] = (changed[at] ?? 0) ^ mask;
        assert.ok(read(changed).bytesRead < 64 * 1024);
      }
    }
  }
});

Deno.test("C-SHLIB-01: a name that is not UTF-8 is none", () => {
  const bytes = elfOf({ soname: "libz.so.1" });
  const at = bytes.length - 9;
  bytes[at] = 0xff;
  assert.equal(read(bytes).linkage, undefined);
});
