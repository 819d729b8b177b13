/** The published conformance packages: each is accepted or refused as its label says, and refused for its own reason. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import { replayPackage, type VerifyOptions, verifyPackage } from "../../../core/format/package_file.ts";
import { sourceOf } from "../../support/package_builder.ts";

const FIXTURES = new URL("../../fixtures/packages/", import.meta.url);
const CASES = JSON.parse(Deno.readTextFileSync(new URL("cases.json", FIXTURES)));
const KEYRINGS = JSON.parse(Deno.readTextFileSync(new URL("keyrings.json", FIXTURES)));
const NOW = Date.UTC(2026, 6, 1);

function* vectors() {
  const all = new Uint8Array(zstdDecompressSync(Deno.readFileSync(new URL("packages.bin.zst", FIXTURES))));
  let at = 0;
  for (const item of CASES) {
    const bytes = all.subarray(at, at += item.size);
    assert.equal(sha256Hex(bytes), item.sha256, item.file);
    yield { item, bytes };
  }
}

function optionsFor(item: { keyring: string; system_architecture?: "x86_64" | "aarch64" }): VerifyOptions {
  const ring = KEYRINGS[item.keyring];
  const keys = ring.keys.map((
    key: { fingerprint: string; status: "active"; valid_until?: string; public_key: string },
  ) => ({
    fingerprint: key.fingerprint,
    status: key.status,
    publicKey: Uint8Array.fromHex(key.public_key),
    ...(key.valid_until === undefined ? {} : { validUntil: key.valid_until }),
  }));
  return {
    trust: { kind: "repository", repository: ring.repository, policy: ring.policy, keys, now: NOW },
    systemArchitecture: item.system_architecture ?? "x86_64",
    layout: "base",
    official: ring.official,
    dropinRepository: ring.repository,
    dropinDirectories: [],
    maxDecompressedBytes: 4294967296,
  };
}

/** Cause of every refused vector, by the prefix of its name; the rest is listed one by one. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/^(?:not-zstd-.*|empty-file)\./, "E_ZSTD_MAGIC"],
  [/^(?:truncated-.*|corrupt-checksum)\./, "E_ZSTD_CORRUPT"],
  [/^(?:trailing-garbage|two-frames-.*|skippable-frame-after)\./, "E_ZSTD_TRAILING"],
  [/^(?:bomb-.*|content-size-lie)\./, "E_LIMIT_DECOMPRESSED"],
  [/^mode-/, "E_TAR_MODE"],
  [/^mtime-/, "E_TAR_MTIME"],
  [/^(?:uid|gid|uname|gname)-/, "E_TAR_OWNER"],
  [/^type-/, "E_TAR_TYPE"],
  [/^pax-global/, "E_TAR_PAX_GLOBAL"],
  [/^(?:pax-.*-record|xattr-schily)\./, "E_TAR_PAX_KEY"],
  [/^path-(?:dot|dotdot-.*|dot-.*|only-dot)\./, "E_PATH_DOT"],
  [/^schema-version-2\./, "E_SCHEMA_VERSION"],
  [/^manifest-no-(?!newline)/, "E_FIELD_MISSING"],
  [/^homepage-/, "E_MANIFEST_HOMEPAGE"],
  [/^dest-|^dir-/, "E_DEST"],
  [/^symlink-(?:escape-.*|to-.*|dot-segments-.*)\./, "E_SYMLINK_ESCAPE"],
  [/^algorithm-/, "E_SIG_ALGORITHM"],
  [/^base64-/, "E_SIG_ENCODING"],
];

Deno.test("F-VFY-02, F-VFY-07, F-VFY-10: every conformance package is accepted or refused as published", async () => {
  const outcomes: string[] = [];
  for (const { item, bytes } of vectors()) {
    const source = sourceOf(bytes);
    const outcome = await verifyPackage(source, optionsFor(item)).then(
      async (verified) => {
        let entries = 0;
        await replayPackage(source, verified, { entry: () => ++entries > 0, data() {}, end() {} });
        assert.equal(entries, verified.entries.length, item.file);
        assert.equal(verified.packageHash, item.sha256, item.file);
        return "accept";
      },
      (cause) => {
        assert.ok(cause instanceof PeipkgError && cause.detail.rule !== undefined, `${item.file}: ${cause}`);
        const expected = CAUSES.find(([pattern]) => pattern.test(item.file))?.[1];
        if (item.expect === "reject" && expected !== undefined) assert.equal(cause.detail.rule, expected, item.file);
        return "reject";
      },
    );
    if (outcome !== item.expect) outcomes.push(`${item.file}: ${outcome}, published ${item.expect} (${item.note})`);
  }
  assert.deepEqual(outcomes, []);
});

Deno.test("F-ZST-06: the size of the pieces a package arrives in changes nothing", async () => {
  for (const { item, bytes } of vectors()) {
    if (bytes.length > 3000 || !/^(?:one-file|long-path|unicode|path-exactly|extra|claims)/.test(item.file)) continue;
    if (item.expect !== "accept") continue;
    for (const chunkBytes of [1, 7, 511]) {
      const verified = await verifyPackage(sourceOf(bytes, { chunkBytes }), optionsFor(item));
      assert.equal(verified.packageHash, item.sha256, `${item.file} in pieces of ${chunkBytes}`);
    }
  }
});
