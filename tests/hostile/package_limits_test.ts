/** Every cap of the package format: the limit itself passes, one over fails. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { compressedBound, decompressedBound, LIMITS } from "../../core/format/limits.ts";
import { parseManifest } from "../../core/format/manifest.ts";
import { parseFileList } from "../../core/format/file_list.ts";
import { ArchiveLayout } from "../../core/format/archive_layout.ts";
import { parseEnvelope } from "../../core/format/envelope.ts";
import { encodeBase64 } from "../../core/format/base64.ts";
import type { VerifyOptions } from "../../core/format/package_file.ts";
import {
  buildPackage,
  DEMO_MANIFEST,
  type Fields,
  json,
  paxEntry,
  paxRecord,
  type RawEntry,
  refusalOf,
} from "../support/package_builder.ts";
import { ruleOf } from "../support/refusals.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function manifestRule(fields: Fields): string | undefined {
  return ruleOf(() => parseManifest(encode(json({ ...DEMO_MANIFEST, ...fields })), "base"));
}

/** `count` relation entries in order. */
function relations(count: number) {
  return Array.from({ length: count }, (_, i) => ({ name: `n${String(i).padStart(6, "0")}` }));
}

Deno.test("F-LIM-01: 100,000 payload entries pass, one more fails", () => {
  const layout = new ArchiveLayout();
  const file = { type: "file", sizeBytes: 0, target: undefined, mtime: 0 } as const;
  layout.next({ ...file, wireName: ".peipkg/manifest.json", path: ".peipkg/manifest.json" });
  layout.next({ ...file, wireName: ".peipkg/files.json", path: ".peipkg/files.json" });
  const entry = (i: number) => {
    const path = `usr/share/${String(i).padStart(6, "0")}`;
    return { ...file, path, wireName: path };
  };
  for (let i = 0; i < 100_000; i++) layout.next(entry(i));
  assert.equal(ruleOf(() => layout.next(entry(100_000))), "E_LIMIT_ENTRIES");
});

Deno.test("F-LIM-02, F-JSON-07: a manifest of 16 MiB passes, one byte more fails, before its body is read", async () => {
  const text = json(DEMO_MANIFEST);
  const padded = (bytes: number) => encode(text.padStart(bytes, " "));
  assert.equal(ruleOf(() => parseManifest(padded(16_777_216), "base")), undefined);
  assert.equal(ruleOf(() => parseManifest(padded(16_777_217), "base")), "E_LIMIT_METADATA");
  const claimed = (entry: RawEntry): RawEntry => ({
    ...entry,
    patch: (block) => block.set(encode("00100000001"), 124), // 16 MiB + 1, and no such content
  });
  const arrange = ([manifest, ...rest]: readonly RawEntry[]) =>
    manifest === undefined ? [] : [claimed(manifest), ...rest];
  assert.equal(await refusalOf({ arrange }), "E_LIMIT_METADATA");
});

Deno.test("F-LIM-03: a files document of 64 MiB passes, one byte more fails", () => {
  const text = json({ schema_version: 1, algorithm: "sha256", entries: [] });
  const padded = (size: number) => {
    const bytes = new Uint8Array(size).fill(0x20);
    bytes.set(encode(text), size - text.length);
    return bytes;
  };
  assert.equal(ruleOf(() => parseFileList(padded(67_108_864))), undefined);
  assert.equal(ruleOf(() => parseFileList(padded(67_108_865))), "E_LIMIT_METADATA");
});

Deno.test("F-LIM-04: an envelope of 64 KiB passes, one byte more fails", async () => {
  const sized = (size: number) => (envelope: Uint8Array): RawEntry => ({
    name: ".peipkg/signature",
    content: new TextDecoder().decode(envelope).padEnd(size, "\n"),
  });
  assert.equal(await refusalOf({ sign: sized(65_536) }), undefined);
  assert.equal(await refusalOf({ sign: sized(65_537) }), "E_LIMIT_METADATA");
  assert.equal(ruleOf(() => parseEnvelope(new Uint8Array(65_537))), "E_LIMIT_METADATA");
});

Deno.test("F-LIM-06, F-LIM-07: relation arrays", () => {
  for (const field of ["dependencies", "optional_dependencies", "conflicts", "provides"]) {
    assert.equal(manifestRule({ [field]: relations(10_000) }), undefined, field);
    assert.equal(manifestRule({ [field]: relations(10_001) }), "E_LIMIT_ARRAY", field);
  }
  assert.equal(manifestRule({ replaces: relations(1_000) }), undefined);
  assert.equal(manifestRule({ replaces: relations(1_001) }), "E_LIMIT_ARRAY");
});

Deno.test("F-LIM-08: security-descriptor overrides", () => {
  const sd = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAA";
  const overrides = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ path: `p${String(i).padStart(6, "0")}`, sd }));
  assert.equal(manifestRule({ sd_overrides: overrides(100_000) }), undefined);
  assert.equal(manifestRule({ sd_overrides: overrides(100_001) }), "E_LIMIT_ARRAY");
});

Deno.test("F-LIM-09: an override of 65,536 bytes passes the limit and fails the syntax", () => {
  const override = (bytes: number) => ({ sd_overrides: [{ path: "a", sd: encodeBase64(new Uint8Array(bytes)) }] });
  assert.equal(manifestRule(override(65_536)), "E_SD_SYNTAX");
  assert.equal(manifestRule(override(65_537)), "E_LIMIT_SD");
});

Deno.test("F-LIM-10, F-CLM-07: 64 slots pass, 65 fail", () => {
  const claims = (count: number) => ({
    dependencies: [{
      name: "role",
      claims: Object.fromEntries(Array.from({ length: count }, (_, i) => [`slot${i}`, { path: `/run/${i}` }])),
    }],
  });
  assert.equal(manifestRule(claims(64)), undefined);
  assert.equal(manifestRule(claims(65)), "E_LIMIT_CLAIMS");
});

Deno.test("F-PAX-02: an extended header of 16 KiB passes the size check, one byte more fails", async () => {
  const body = (size: number) =>
    refusalOf({ payload: [paxEntry(paxRecord("path", "p").padEnd(size, "x")), { name: "usr/x" }] });
  assert.equal(await body(16_384), "E_TAR_PAX_SYNTAX");
  assert.equal(await body(16_385), "E_TAR_PAX_SIZE");
});

Deno.test("F-LIM-20: compressed bytes above the index's size", async () => {
  assert.equal(compressedBound(570), 575);
  assert.equal(compressedBound(10_000_000_000), 10_016_777_216);
  assert.equal(compressedBound(0), 0);
  const bytes = await buildPackage();
  const expected = (sizeCompressedBytes: number) => ({
    name: "demo",
    version: "1.0-1",
    architecture: "noarch",
    sizeCompressedBytes,
  });
  const allowed = Math.ceil(bytes.length * 100 / 101); // with its 1 % it just reaches the real size
  assert.ok(compressedBound(allowed) >= bytes.length && compressedBound(allowed - 2) < bytes.length);
  assert.equal(await refusalOf({}, { expected: expected(allowed) }), undefined);
  assert.equal(await refusalOf({}, { expected: expected(allowed - 2) }), "E_LIMIT_COMPRESSED");
});

Deno.test("F-LIM-21, F-GEN-05: decompressed bytes above the lowest known bound", async () => {
  assert.equal(decompressedBound([], LIMITS.decompressedBytes), 4_294_967_296);
  assert.equal(decompressedBound([0], LIMITS.decompressedBytes), 335_544_320);
  assert.equal(decompressedBound([10, 5], LIMITS.decompressedBytes), 335_544_325);
  assert.equal(decompressedBound([1e15], LIMITS.decompressedBytes), 4_294_967_296);
  assert.equal(decompressedBound([1e15], 8 * 1024 ** 3), 8 * 1024 ** 3);
  const capped = (maxDecompressedBytes: number): Partial<VerifyOptions> => ({ maxDecompressedBytes });
  const tarBytes = zstdDecompressSync(await buildPackage()).length;
  assert.equal(await refusalOf({}, capped(tarBytes)), undefined);
  assert.equal(await refusalOf({}, capped(tarBytes - 1)), "E_LIMIT_DECOMPRESSED");
  assert.equal(await refusalOf({ closing: new Uint8Array(1024 * 1024) }, capped(1024 * 1024)), "E_LIMIT_DECOMPRESSED");
});

Deno.test("F-LIM-21: a bomb behind an honest manifest is stopped 320 MiB above its size", async () => {
  const zeros = new Uint8Array(336 * 1024 * 1024);
  assert.equal(await refusalOf({ closing: zeros }), "E_LIMIT_DECOMPRESSED");
});
