/** The worked example of section 16 and the golden archive of section 17, byte for byte. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { decodeBase64, encodeBase64 } from "../../../core/format/base64.ts";
import { parseEnvelope } from "../../../core/format/envelope.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import {
  fingerprintOf,
  openSigningKey,
  readPrivateKey,
  readPublicKey,
  writePublicKeyPem,
} from "../../../core/format/keys.ts";
import { type PackEntry, packPackage, parseManifestDraft } from "../../../core/format/pack.ts";
import { verifyPackage } from "../../../core/format/package_file.ts";
import { compress, DEMO_MANIFEST, EXAMPLE_SEED, json, sourceOf, verifyOptions } from "../../support/package_builder.ts";

const GOLDEN = new URL("../../fixtures/golden/", import.meta.url);
const EXAMPLE_FINGERPRINT = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c";

function golden(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, GOLDEN));
}

function fileEntry(path: string, text: string): PackEntry {
  const bytes = new TextEncoder().encode(text);
  return { type: "file", path, sizeBytes: bytes.length, open: () => [bytes] };
}

async function packExample(signed: boolean) {
  const parts: Uint8Array[] = [];
  const packed = await packPackage({
    manifest: parseManifestDraft(new TextEncoder().encode(json(DEMO_MANIFEST)), "base"),
    entries: [
      fileEntry("usr/share/demo/hello.txt", "hello\n"),
      { type: "symlink", path: "usr/share/demo/alias.txt", target: "hello.txt" },
    ],
    layout: "base",
    ...(signed ? { signingKey: await openSigningKey(EXAMPLE_SEED) } : {}),
    write: (chunk) => void parts.push(chunk.slice()),
  });
  const file = new Uint8Array(await new Blob(parts.map((part) => new Uint8Array(part))).arrayBuffer());
  return { packed, file, tar: new Uint8Array(zstdDecompressSync(file)) };
}

function field(tar: Uint8Array, header: number, at: number, length: number): string {
  return new TextDecoder("latin1").decode(tar.subarray(header + at, header + at + length));
}

Deno.test("F-PRO-01, F-PRO-02, F-PRO-05: the unsigned worked example has the published bytes", async () => {
  const { tar } = await packExample(false);
  assert.equal(tar.length, 6144);
  assert.equal(sha256Hex(tar), "dfd2f2362f1249b66a21a64e93859ee1ef5387d8d3964fbc36de318662d6f322");
});

Deno.test("F-PRO-04, F-PRO-10: the signed worked example has the published entries, checksums and signature", async () => {
  const { tar, file } = await packExample(true);
  const rows = [
    [0, ".peipkg/manifest.json", "00000000526", "015135"],
    [1024, ".peipkg/files.json", "00000000255", "014430"],
    [2048, "usr/", "00000000000", "011702"],
    [2560, "usr/share/", "00000000000", "013004"],
    [3072, "usr/share/demo/", "00000000000", "013730"],
    [3584, "usr/share/demo/alias.txt", "00000000000", "017417"],
    [4096, "usr/share/demo/hello.txt", "00000000006", "015573"],
    [5120, ".peipkg/signature", "00000000345", "014357"],
  ] as const;
  for (const [at, name, size, checksum] of rows) {
    assert.equal(field(tar, at, 0, 100), name.padEnd(100, "\0"));
    assert.equal(field(tar, at, 124, 12), `${size}\0`, name);
    assert.equal(field(tar, at, 136, 12), "15125632645\0", name);
    assert.equal(field(tar, at, 148, 8), `${checksum}\0 `, name);
  }
  assert.equal(tar.length, 7168);
  assert.equal(sha256Hex(tar), "a97f37792f7e583540a80979b276516ec515702d8ef6f1160808a8e6c33ce413");
  assert.equal(sha256Hex(tar.subarray(0, 5120)), "c15b7d687c65f785de55466729d85f2c47ae67b14899fe593d868af8dd34a9d5");
  const envelope = parseEnvelope(tar.subarray(5632, 5632 + 229));
  assert.equal(envelope.fingerprint, EXAMPLE_FINGERPRINT);
  assert.equal(
    encodeBase64(envelope.signature),
    "zo5XBMdVP4AT5H6PhEXUdvhVeQBwct+r4RGqxH3klGvitsocYAqhRa3S3fhW2ZylBhJGIuADz3lMJ/PKc/fWBQ",
  );
  const verified = await verifyPackage(sourceOf(file), await verifyOptions());
  assert.deepEqual(verified.signature, { kind: "verified", fingerprint: EXAMPLE_FINGERPRINT });
});

Deno.test("F-PRO-06, F-PRO-08: documents of the worked example are the published text", async () => {
  const { tar } = await packExample(false);
  const text = (at: number, length: number) => new TextDecoder().decode(tar.subarray(at, at + length));
  assert.equal(text(512, 342), json({ ...DEMO_MANIFEST, size_installed: 6 }));
  assert.equal(
    text(1536, 173),
    '{"schema_version":1,"algorithm":"sha256","entries":[{"path":"usr/share/demo/hello.txt","size":6,' +
      '"hash":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}]}\n',
  );
});

Deno.test("F-TAR-03: the worked example with NUL device fields is read and its signature holds", async () => {
  const { tar } = await packExample(true);
  // Rewriting the device fields changes the signed range, so the published signature of that spelling is put in.
  const checksums = ["013675", "013170", "010442", "011544", "012470", "016157", "014333", "013117"];
  const headers = [0, 1024, 2048, 2560, 3072, 3584, 4096, 5120];
  for (const [index, at] of headers.entries()) {
    tar.fill(0, at + 329, at + 345);
    tar.set(new TextEncoder().encode(`${checksums[index]}\0 `), at + 148);
  }
  const signature = "tI2wC6F2NilcVBZO63rbcwl1ZYYvw/imefIonEDPDTSrWLKgrxYEi7n5tm/OVOiu3og3/4XKRCFkYBswYREKAw";
  const envelope = new TextDecoder().decode(tar.subarray(5632, 5632 + 229));
  const changed = envelope.replace(/"signature":"[^"]*"/, `"signature":"${signature}"`);
  tar.set(new TextEncoder().encode(changed), 5632);
  assert.equal(sha256Hex(tar), "ae8b834d76609ef47a7a0b4d49d929e249aa6405f3c438e16895f5187363800c");
  const verified = await verifyPackage(sourceOf(compress(tar)), await verifyOptions());
  assert.equal(verified.signature.kind, "verified");
});

Deno.test("F-SIG-05: recompressing leaves the signature valid and changes the package hash", async () => {
  const { tar, packed } = await packExample(true);
  const verified = await verifyPackage(sourceOf(compress(tar)), await verifyOptions());
  assert.equal(verified.signature.kind, "verified");
  assert.notEqual(verified.packageHash, packed.packageHash);
});

Deno.test("F-PRO-11: two runs give identical files, and the frame has no checksum", async () => {
  const [first, second] = [await packExample(true), await packExample(true)];
  assert.deepEqual(first.file, second.file);
  assert.equal(first.packed.packageHash, sha256Hex(first.file));
  assert.equal((first.file[4] ?? 0) & 0x07, 0, "neither checksum nor dictionary");
});

Deno.test("F-INT-06: the package hash is that of the compressed file, and stands nowhere inside", async () => {
  const { packed, file, tar } = await packExample(true);
  const verified = await verifyPackage(sourceOf(file), await verifyOptions());
  assert.equal(verified.packageHash, packed.packageHash);
  assert.equal(new TextDecoder("latin1").decode(tar).includes(packed.packageHash), false);
});

Deno.test("F-TAR-03: the golden archive is read, and its content packs into the reference producer's bytes", async () => {
  const file = golden("hello_0.1-1_noarch.peipkg");
  assert.equal(sha256Hex(file), "64840dab60cebcd13387aaf7cd4a1be3ee756698077476aeeaafdaf2256c8abf");
  const tar = new Uint8Array(zstdDecompressSync(file));
  assert.equal(sha256Hex(tar), "dd9d1d1b31fd8d9a590718f4644b7a645560027e441e707581aa87c4402f3d80");
  const verified = await verifyPackage(sourceOf(file), await verifyOptions({ trust: { kind: "local-file" } }));
  assert.deepEqual(verified.entries.map((entry) => [entry.type, entry.path]), [
    ["dir", "usr"],
    ["dir", "usr/share"],
    ["dir", "usr/share/hello"],
    ["file", "usr/share/hello/MESSAGE"],
  ]);
  assert.equal(verified.modifiedSeconds, 1778068800);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  await packPackage({
    manifest: verified.manifest,
    entries: [{
      type: "file",
      path: "usr/share/hello/MESSAGE",
      sizeBytes: 14,
      open: () => [tar.subarray(4096, 4110)],
    }],
    layout: "base",
    write: (chunk) => void parts.push(new Uint8Array(chunk)),
  });
  const packed = zstdDecompressSync(new Uint8Array(await new Blob(parts).arrayBuffer()));
  assert.equal(sha256Hex(packed), "90d6c33d2ba217affea32da8b68601a1121aeba4c6997aa00a676a88caf348ff");
});

Deno.test("F-KEY-01, F-KEY-02, F-KEY-03, F-KEY-04: the golden keys are read in every form and verify the golden signature", async () => {
  const raw = readPublicKey(golden("test-signing.raw.pub"));
  assert.equal(raw.toHex(), "5fb53bcb248936467a1db5163d18d8403cec776e4f9ed4ff7584ff84be6256f5");
  assert.deepEqual(readPublicKey(golden("test-signing.pub")), raw);
  assert.equal(fingerprintOf(raw), "5a491c24f72d717f1f6c09620af2bbccc79513118c3919be7f86f64e825d0b68");
  const key = await openSigningKey(readPrivateKey(golden("test-signing.ed25519")));
  assert.deepEqual(key.publicKey, raw);
  const trust = {
    kind: "repository",
    repository: "golden",
    policy: "required",
    keys: [{ fingerprint: key.fingerprint, publicKey: raw, status: "active" }],
    now: 0,
  } as const;
  const verified = await verifyPackage(
    sourceOf(golden("hello_0.1-1_noarch.signed.peipkg")),
    await verifyOptions({ trust }),
  );
  assert.deepEqual(verified.signature, { kind: "verified", fingerprint: key.fingerprint });
  const digest = Uint8Array.fromHex("1fedc396cac8b1ef984130f3a5c424dcf409b379acc79e5a683cf9c2e8a3e0e4");
  const expected = "dujYoKRlx4GncOXz+zHNrTurPCFSYkL//6KVYhI64VP1Uek6FNiHrPPGjC2Z4G0lsUnCu2KX5mNziLVTIivkBQ";
  assert.deepEqual(await key.sign(digest), decodeBase64(expected));
});

Deno.test("F-KEY-04: the example key has the published fingerprint and PEM body", async () => {
  const key = await openSigningKey(EXAMPLE_SEED);
  assert.equal(key.publicKey.toHex(), "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
  assert.equal(key.fingerprint, EXAMPLE_FINGERPRINT);
  const pem = writePublicKeyPem(key.publicKey);
  assert.equal(pem.split("\n")[1], "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
  assert.deepEqual(readPublicKey(new TextEncoder().encode(pem)), key.publicKey);
});
