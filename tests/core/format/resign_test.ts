import assert from "node:assert/strict";
import type { SigningKey } from "../../../core/format/keys.ts";
import { type ByteSource, type VerifiedPackage, verifyPackage } from "../../../core/format/package_file.ts";
import { resignPackage } from "../../../core/format/resign.ts";
import { packTestPackage, testKey } from "../../support/repository_server.ts";
import { refusedBy } from "../../support/refusals.ts";

const ITEM = {
  name: "tool",
  version: "1-1",
  files: { "usr/bin/tool": "honest\n", "usr/share/tool/large": "x".repeat(700_000), "usr/share/tool/none": "" },
};

/** A source that hands its bytes over in small pieces. */
function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    label: "tool",
    sizeBytes: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += 333) yield bytes.subarray(at, at + 333);
    },
  };
}

async function verify(bytes: Uint8Array, key: SigningKey): Promise<VerifiedPackage> {
  const { fingerprint, publicKey } = key;
  return await verifyPackage(sourceOf(bytes), {
    trust: {
      kind: "repository",
      repository: "main",
      policy: "required",
      keys: [{ fingerprint, publicKey, status: "active" }],
      now: 0,
    },
    layout: "base",
    official: true,
    dropinRepository: "main",
    dropinDirectories: [],
    maxDecompressedBytes: 1 << 30,
  });
}

async function resign(bytes: Uint8Array, signingKey: SigningKey, modifiedSeconds: number): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const options = { signingKey, modifiedSeconds, signal: new AbortController().signal };
  await resignPackage(sourceOf(bytes), { ...options, write: (chunk) => void parts.push(new Uint8Array(chunk)) });
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

Deno.test("C-BUNDLE-03, F-SIG-01: resignPackage() changes the signature and nothing else", async () => {
  const [publisher, operator] = [await testKey(3), await testKey(4)];
  const original = await packTestPackage(ITEM, publisher);
  const before = await verify(original, publisher);
  for (const bytes of [original, await packTestPackage(ITEM)]) {
    const signed = await resign(bytes, operator, before.modifiedSeconds);
    const after = await verify(signed, operator);
    assert.deepEqual(after.signature, { kind: "verified", fingerprint: operator.fingerprint });
    assert.deepEqual(after.entries, before.entries);
    assert.deepEqual(after.manifestBytes, before.manifestBytes);
    assert.deepEqual(await resign(bytes, operator, before.modifiedSeconds), signed); // equal input, equal bytes
    await assert.rejects(
      verify(signed, publisher),
      refusedBy("E_SIG_KEY_UNTRUSTED"),
    );
  }
});
