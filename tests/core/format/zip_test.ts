import assert from "node:assert/strict";
import { isZip, readZip, type ZipLimits } from "../../../core/format/zip.ts";
import { PeipkgError } from "../../../core/errors.ts";
import { zipOf } from "../../support/zip_writer.ts";

const LIMITS: ZipLimits = { entries: 4, entryBytes: 1000, totalBytes: 1500 };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function read(bytes: Uint8Array): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name, bytes: content } of readZip(bytes, LIMITS)) {
    found.push(`${name}=${new TextDecoder().decode(content)}`);
  }
  return found;
}

const refused = (bytes: Uint8Array, pattern: RegExp): Promise<void> =>
  assert.rejects(
    read(bytes),
    (error) => error instanceof PeipkgError && error.code === "format" && pattern.test(error.message),
  );

Deno.test("readZip() unpacks entries in order and leaves directories out", async () => {
  const archive = await zipOf({ "b": bytesOf("2"), "dir/": new Uint8Array(0), "a": bytesOf("1") });
  assert.ok(isZip(archive));
  assert.deepEqual(await read(archive), ["b=2", "a=1"]);
  assert.equal(isZip(bytesOf("{}")), false);
});

Deno.test("readZip() refuses what is damaged, unsupported or too large", async (t) => {
  const plain = { "a": bytesOf("hello") };
  const good = await zipOf(plain);
  const cases: readonly (readonly [name: string, bytes: Uint8Array, pattern: RegExp])[] = [
    ["no directory", good.subarray(0, good.length - 30), /no directory/],
    ["empty", new Uint8Array(0), /no directory/],
    ["an encrypted entry", await zipOf(plain, { flags: 1 }), /encrypted/],
    ["an unknown method", await zipOf(plain, { method: 12 }), /method 12/],
    ["a wrong checksum", await zipOf(plain, { crc: 7 }), /checksum/],
    ["stored bytes that are not", await zipOf(plain, { method: 0 }), /checksum/],
    ["too many entries", await zipOf({ a: plain.a, b: plain.a, c: plain.a, d: plain.a, e: plain.a }), /5 entries/],
    ["a bomb in one entry", await zipOf({ a: new Uint8Array(100_000) }), /exceeds 1000/],
    ["a bomb in many", await zipOf({ a: new Uint8Array(900), b: new Uint8Array(900) }), /exceeds 600/],
  ];
  for (const [name, bytes, pattern] of cases) await t.step(name, () => refused(bytes, pattern));
  await t.step("any byte changed: an answer or a refusal, nothing else", async () => {
    for (let at = 0; at < good.length; at++) {
      const changed = new Uint8Array(good);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      await read(changed).catch((error) => assert.ok(error instanceof PeipkgError, String(error)));
    }
  });
});
