/** Parsers of names, documents, keys, archives and whole packages. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { PeipkgError } from "../../core/errors.ts";
import { checkSymlinkTarget } from "../../core/format/destinations.ts";
import { parseEnvelope, writeEnvelope } from "../../core/format/envelope.ts";
import { parseFileList, writeFileList } from "../../core/format/file_list.ts";
import { readPrivateKey, readPublicKey, verifySignature } from "../../core/format/keys.ts";
import { LIMITS } from "../../core/format/limits.ts";
import { parseManifest } from "../../core/format/manifest.ts";
import { writeManifest } from "../../core/format/manifest_writer.ts";
import { replayPackage, verifyPackage } from "../../core/format/package_file.ts";
import { descriptor, SYSTEM } from "../support/descriptors.ts";
import { readDescriptor } from "../../core/format/descriptor_reader.ts";
import { findDescriptorDanger } from "../../core/format/descriptor_safety.ts";
import { findDescriptorFault } from "../../core/format/security_descriptor.ts";
import { renderSddl, summariseDescriptor } from "../../core/transaction/descriptor_display.ts";
import { inheritThrough } from "../../core/transaction/inheritance.ts";
import { readJson } from "../../core/format/strict_json.ts";
import { TarReader } from "../../core/format/tar.ts";
import { ZstdDecoder } from "../../core/format/zstd.ts";
import { parseArchitecture } from "../../core/identity/architecture.ts";
import { parseConstraint, satisfiesConstraint } from "../../core/identity/constraint.ts";
import { parseFingerprint } from "../../core/identity/fingerprint.ts";
import { formatPackageFileName, parsePackageFileName } from "../../core/identity/package_file_name.ts";
import { parsePackageName } from "../../core/identity/package_name.ts";
import { parseRootReference } from "../../core/identity/root_reference.ts";
import { parseSafePath } from "../../core/identity/safe_path.ts";
import { parseTimestamp } from "../../core/identity/timestamp.ts";
import { compareVersions, parseProvidedVersion, parseVersion } from "../../core/identity/version.ts";
import { parseVirtualName } from "../../core/identity/virtual_name.ts";
import {
  buildPackage,
  compress,
  DEMO_MANIFEST,
  DEMO_PAYLOAD,
  json,
  paxEntry,
  paxRecord,
  sourceOf,
  verifyOptions,
} from "../support/package_builder.ts";
import { mutateArchive, mutateJson } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

/** A target over short texts. */
function textTarget(
  name: string,
  seeds: readonly string[],
  run: (text: string) => unknown,
  words: readonly string[] = [],
): FuzzTarget {
  return { name, seeds: () => seeds.map(encode), run: (input) => run(decode(input)), words: [...words, ...seeds] };
}

const SD = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAA";
const FULL_MANIFEST = json({
  ...DEMO_MANIFEST,
  default_root: "web",
  homepage: "https://example.org/x?y#z",
  dependencies: [{ name: "aa", constraint: ">=1, <2", root: "r", claims: { sh: { path: "/run/a" } } }],
  provides: [{ name: "pkgconfig(x)", version: "2.0", claims: { sh: { target: "/usr/bin/x" } } }],
  conflicts: [{ name: "bb", arch: "any" }],
  side_effects: ["ldconfig"],
  sd_overrides: [{ path: "usr/x", sd: SD }],
});
const FILES = json({ schema_version: 1, algorithm: "sha256", entries: [{ path: "a", size: 1, hash: "0".repeat(64) }] });
const ENVELOPE = json({
  schema_version: 1,
  algorithm: "ed25519",
  key_fingerprint: "0".repeat(64),
  signature: "A".repeat(86),
});

const NAME_TARGETS: readonly FuzzTarget[] = [
  textTarget("package-name", ["nginx", "g++", "a-b.c"], (text) => parsePackageName(text), ["-", ".", "+"]),
  textTarget("virtual-name", ["libGL.so.1", "pkgconfig(x)"], (text) => parseVirtualName(text), ["(", ")"]),
  textTarget("version", ["1.0-1", "2:1.0~rc1-3", "1.0-rc.1-1"], (text) => {
    const version = parseVersion(text);
    assert.equal(compareVersions(version, parseVersion(text)), 0);
    const other = parseVersion("1.0~rc1-1");
    assert.equal(compareVersions(version, other) + compareVersions(other, version), 0);
  }, ["~", "-", ":", ".", "99999999999999999999", "rc", "alpha"]),
  textTarget("provided-version", ["1.0", "1.0-0"], (text) => parseProvidedVersion(text)),
  textTarget(
    "constraint",
    [">= 1.0, < 2", "!=1-1"],
    (text) => satisfiesConstraint(parseConstraint(text), parseVersion("1-1")),
    [
      ",",
      ">=",
      " ",
    ],
  ),
  textTarget("architecture", ["x86_64", "noarch"], (text) => parseArchitecture(text)),
  textTarget("fingerprint", ["0123456789abcdef".repeat(4)], (text) => parseFingerprint(text)),
  textTarget("root-reference", ["a.b", "web_1"], (text) => parseRootReference(text)),
  textTarget("timestamp", ["2026-05-06T12:00:00Z", "2026-05-06T12:00:00.123Z"], (text) => parseTimestamp(text)),
  textTarget("package-file-name", ["nginx_1.26.2-3_x86_64.peipkg"], (text) => {
    const { name, version, architecture } = parsePackageFileName(text);
    assert.equal(formatPackageFileName(name, version.raw, architecture), text);
  }, ["_", ".peipkg"]),
  textTarget("path", ["usr/share/x", "a/%2e%252e/b", "e\u0301"], (text) => {
    const path = parseSafePath(text);
    assert.ok(path.length <= LIMITS.pathBytes);
    assert.ok(!path.split("/").includes(".."));
  }, ["/", "..", "%2e", "%25", "\\"]),
  textTarget(
    "symlink-target",
    ["../x", "../../etc/passwd"],
    (text) => checkSymlinkTarget(parseSafePath("usr/share/l"), text, "both"),
    [
      "../",
      "/",
      "./",
    ],
  ),
];

const DOCUMENT_TARGETS: readonly FuzzTarget[] = [
  {
    name: "json",
    seeds: () => [FULL_MANIFEST, FILES, '[1,-0.5e3,"\\ud835\\udcb3",null]'].map(encode),
    mutate: mutateJson,
    run(input) {
      readJson(input, { document: "test" });
      JSON.parse(new TextDecoder().decode(input)); // whatever the strict reader accepts is JSON
    },
  },
  {
    name: "manifest",
    seeds: () => [FULL_MANIFEST, json(DEMO_MANIFEST)].map(encode),
    mutate: mutateJson,
    run(input) {
      const manifest = parseManifest(input, "both");
      if (!Number.isSafeInteger(manifest.sizeInstalledBytes)) return;
      assert.deepEqual(parseManifest(writeManifest(manifest), "both"), manifest);
    },
  },
  {
    name: "files-document",
    seeds: () => [encode(FILES)],
    mutate: mutateJson,
    run(input) {
      const list = parseFileList(input);
      if (list.sizes.every(Number.isSafeInteger)) assert.deepEqual(parseFileList(writeFileList(list)), list);
    },
  },
  {
    name: "envelope",
    seeds: () => [encode(ENVELOPE)],
    mutate: mutateJson,
    run(input) {
      const envelope = parseEnvelope(input);
      assert.deepEqual(parseEnvelope(writeEnvelope(envelope)), envelope);
    },
  },
  {
    name: "key-files",
    seeds: () => [
      encode(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n-----END PUBLIC KEY-----\n",
      ),
    ],
    words: ["-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", "PRIVATE", "\n"],
    run(input) {
      for (const read of [readPublicKey, readPrivateKey]) {
        try {
          assert.equal(read(input).length, 32);
        } catch (cause) {
          if (!(cause instanceof PeipkgError)) throw cause;
        }
      }
    },
  },
  {
    name: "signature",
    seeds: () => [new Uint8Array(128).fill(7)],
    run: (input) => verifySignature(input.subarray(0, 32), input.subarray(96), input.subarray(32, 96)),
  },
  {
    name: "security-descriptor",
    seeds: () => [
      Uint8Array.fromBase64(SD),
      descriptor({
        owner: SYSTEM,
        dacl: [{ flags: 3, mask: 0x1000_0000 }, { type: 9, data: [0x61, 0x72, 0x74, 0x78] }, {
          type: 0x77,
          body: [0, 0, 0, 0],
        }],
        sacl: [{ type: 7, flags: 0x40, object: [3, 0, 0, 0, ...new Array(32).fill(7)] }],
      }),
    ],
    run: (input) => {
      const fault = findDescriptorFault(input);
      // What is well-formed must be readable to its end, by those who judge it and those who show it.
      if (fault === undefined) {
        findDescriptorDanger(input);
        const read = readDescriptor(input);
        renderSddl(read);
        summariseDescriptor(read, "dir");
        inheritThrough(read, 1, "file", {});
      }
      return fault;
    },
  },
];

const ARCHIVE_TARGETS: readonly FuzzTarget[] = [
  {
    name: "zstd",
    seeds: async () => [await buildPackage(), await buildPackage({ checksum: true })],
    async run(input) {
      let produced = 0;
      using decoder = new ZstdDecoder({ output: (bytes) => void (produced += bytes.length), bound: () => 1 << 20 });
      try {
        await decoder.push(input);
        await decoder.finish();
      } finally {
        assert.ok(produced <= 1 << 20, "the bound was passed");
      }
    },
  },
  {
    name: "archive",
    seeds: archiveSeeds,
    mutate: mutateArchive,
    run(input) {
      const seen = { raw: 0, data: 0, announced: 0 };
      const reader = new TarReader({
        raw: (bytes) => void (seen.raw += bytes.length),
        entry: (entry) => void (seen.announced += entry.sizeBytes),
        data: (bytes) => void (seen.data += bytes.length),
        entryEnd() {},
      }, ".peipkg/signature");
      for (let at = 0; at < input.length; at += 333) reader.push(input.subarray(at, at + 333));
      reader.finish();
      assert.equal(seen.data, seen.announced);
      assert.ok(seen.raw <= input.length);
    },
  },
  {
    name: "package",
    seeds: archiveSeeds,
    mutate: mutateArchive,
    async run(input) {
      const source = sourceOf(compress(input), { chunkBytes: 100 });
      const options = await verifyOptions({ trust: { kind: "local-file" }, maxDecompressedBytes: 1 << 20 });
      const verified = await verifyPackage(source, options);
      let entries = 0;
      await replayPackage(source, verified, { entry: () => ++entries > 0, data() {}, end() {} });
      assert.equal(entries, verified.entries.length);
    },
  },
  {
    name: "package-file",
    seeds: async () => [await buildPackage(), await buildPackage({ checksum: true, payload: [] })],
    run: async (input) => verifyPackage(sourceOf(input), await verifyOptions({ trust: { kind: "local-file" } })),
  },
];

async function archiveSeeds(): Promise<readonly Uint8Array[]> {
  const link = { name: "usr/share/demo/l", type: "symlink", target: "hello.txt" } as const;
  const long = paxEntry(paxRecord("path", `usr/share/demo/${"n".repeat(101)}`));
  const packages = [
    await buildPackage(),
    await buildPackage({ payload: [...DEMO_PAYLOAD, link] }),
    await buildPackage({ payload: [...DEMO_PAYLOAD, long, { name: "usr/share/demo/n" }], sign: false }),
  ];
  return packages.map((bytes) => new Uint8Array(zstdDecompressSync(bytes)));
}

/** The targets of the identity and format rooms. */
export const FORMAT_TARGETS: readonly FuzzTarget[] = [...NAME_TARGETS, ...DOCUMENT_TARGETS, ...ARCHIVE_TARGETS];
