/** Sections 12 to 14: integrity, signature, trust, order of faults, the second pass. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import {
  type PayloadVisitor,
  replayPackage,
  type VerifyOptions,
  verifyPackage,
} from "../../../core/format/package_file.ts";
import {
  buildPackage,
  compress,
  DEMO_MANIFEST,
  DEMO_PAYLOAD,
  EXAMPLE_SECONDS,
  exampleKey,
  json,
  type PackageSpec,
  type RawEntry,
  refusalOf,
  sourceOf,
  verifyOptions,
} from "../../support/package_builder.ts";

const HELLO = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const ROW = { path: "usr/share/demo/hello.txt", size: 6, hash: HELLO };

async function verified(spec: PackageSpec, changes: Partial<VerifyOptions> = {}) {
  return await verifyPackage(sourceOf(await buildPackage(spec)), await verifyOptions(changes));
}

type RepositoryTrust = Extract<VerifyOptions["trust"], { kind: "repository" }>;

async function trusting(changes: Partial<RepositoryTrust>): Promise<Partial<VerifyOptions>> {
  const keys = [await exampleKey()];
  const now = EXAMPLE_SECONDS * 1000;
  return { trust: { kind: "repository", repository: "main", policy: "required", keys, now, ...changes } };
}

Deno.test("F-INT-01, F-INT-02: files and rows stand for each other, one to one", async () => {
  assert.equal(await refusalOf({ files: { entries: [] } }), "E_FILES_UNLISTED");
  assert.equal(await refusalOf({ files: { entries: [{ ...ROW, path: "usr/share/demo/a" }, ROW] } }), "E_FILES_ORPHAN");
  assert.equal(await refusalOf({ files: { entries: [ROW, { ...ROW, path: "usr/zzz" }] } }), "E_FILES_ORPHAN");
  assert.equal(await refusalOf({ files: { entries: [{ ...ROW, path: "usr/share/demo" }, ROW] } }), "E_FILES_ORPHAN");
  assert.equal(
    await refusalOf({ files: { entries: [{ ...ROW, path: ".peipkg/manifest.json" }, ROW] } }),
    "E_FILES_ORPHAN",
  );
});

Deno.test("F-INT-03, F-INT-04: size and hash of every file are compared", async () => {
  assert.equal(await refusalOf({ files: { entries: [{ ...ROW, size: 7 }] } }), "E_FILE_SIZE");
  assert.equal(await refusalOf({ files: { entries: [{ ...ROW, hash: "0".repeat(64) }] } }), "E_FILE_HASH");
});

Deno.test("F-INT-05: size_installed is the sum of the files, whatever else is there", async () => {
  for (const size of ["5", "7", "18446744073709551615"]) {
    const manifestText = json(DEMO_MANIFEST).replace('"size_installed":0', `"size_installed":${size}`);
    assert.equal(await refusalOf({ manifestText }), "E_SIZE_INSTALLED", size);
  }
  const payload: readonly RawEntry[] = [...DEMO_PAYLOAD, { name: "usr/share/demo/link", type: "symlink", target: "x" }];
  assert.equal(await refusalOf({ payload }), undefined);
});

Deno.test("F-INT-07: a good signature does not replace file hashes, good hashes do not replace the signature", async () => {
  assert.equal(await refusalOf({ files: { entries: [{ ...ROW, hash: "0".repeat(64) }] } }), "E_FILE_HASH");
  const bytes = await buildPackage();
  const tar = new Uint8Array(zstdDecompressSync(bytes));
  const text = new TextDecoder("latin1").decode(tar);
  tar[text.indexOf('"f1"') + 2] = 0x32; // farm_id, in no hash but the signed one
  const rule = await verifyPackage(sourceOf(compress(tar)), await verifyOptions()).then(() => undefined, ruleFrom);
  assert.equal(rule, "E_SIG_INVALID");
});

Deno.test("F-SIG-01, F-SIG-02, F-SIG-03: every byte before the signature's header is signed, none after it", async () => {
  const tar = new Uint8Array(zstdDecompressSync(await buildPackage()));
  const text = new TextDecoder("latin1").decode(tar);
  const signature = text.indexOf(".peipkg/signature");
  assert.equal(signature % 512, 0);
  const rules = new Set<string>();
  for (let at = 0; at < signature; at += 97) {
    const damaged = tar.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const rule = await verifyPackage(sourceOf(compress(damaged)), await verifyOptions()).then(
      () => "accepted",
      ruleFrom,
    );
    rules.add(rule);
    assert.notEqual(rule, "accepted", `byte ${at}`);
  }
  assert.ok(rules.has("E_SIG_INVALID"));
  const device = tar.slice(); // NUL device fields in the signature's own header: not signed, still legal
  device.fill(0, signature + 329, signature + 345);
  device.set(new TextEncoder().encode("013117\0 "), signature + 148);
  assert.equal((await verifyPackage(sourceOf(compress(device)), await verifyOptions())).signature.kind, "verified");
  const longer = new Uint8Array(Buffer.concat([tar, new Uint8Array(512)])); // closing blocks are not signed
  assert.equal((await verifyPackage(sourceOf(compress(longer)), await verifyOptions())).signature.kind, "verified");
});

function ruleFrom(cause: unknown): string {
  if (cause instanceof PeipkgError && cause.detail.rule !== undefined) return cause.detail.rule;
  throw cause;
}

Deno.test("F-SIG-08, F-VFY-03, T-PRE-02: an unsigned package needs a policy that allows it, and warns every time", async () => {
  assert.equal(await refusalOf({ sign: false }), "E_SIG_MISSING");
  const optional = await trusting({ policy: "optional" });
  const result = await verified({ sign: false }, optional);
  assert.deepEqual(result.signature, { kind: "unsigned" });
  assert.deepEqual(result.warnings.map((warning) => warning.rule), ["W_UNSIGNED"]);
  const forged = (envelope: Uint8Array): RawEntry => ({
    name: ".peipkg/signature",
    content: new TextDecoder().decode(envelope).replace(/"signature":"[^"]{10}/, '"signature":"AAAAAAAAAA'),
  });
  assert.equal(await refusalOf({ sign: forged }, optional), "E_SIG_INVALID");
});

Deno.test("F-VFY-04, F-VFY-05, F-VFY-06: envelope, key and signature are judged in their own scope", async () => {
  assert.equal(await refusalOf({ after: [{ name: "usr/x" }] }), "E_SIG_NOT_LAST");
  assert.equal(await refusalOf({ sign: () => ({ name: ".peipkg/signature", content: "{}" }) }), "E_FIELD_MISSING");
  assert.equal(await refusalOf({}, await trusting({ keys: [] })), "E_SIG_KEY_UNTRUSTED");
  assert.equal(
    await refusalOf({}, await trusting({ keys: [await exampleKey({ status: "revoked" })] })),
    "E_SIG_KEY_REVOKED",
  );
  const transitioning = await exampleKey({ status: "transitioning", validUntil: "2026-01-02T03:04:05Z" });
  assert.equal(await refusalOf({}, await trusting({ keys: [transitioning] })), undefined);
  const late = await trusting({ keys: [transitioning], now: EXAMPLE_SECONDS * 1000 + 1 });
  assert.equal(await refusalOf({}, late), "E_SIG_KEY_EXPIRED");
});

Deno.test("F-TRU-01, T-PRE-02: the trust set of another repository is not consulted", async () => {
  const other = await trusting({ repository: "other", keys: [] });
  assert.equal(await refusalOf({}, other), "E_SIG_KEY_UNTRUSTED");
});

Deno.test("F-TRU-04: a local file is verified but for its key, and reported as unverified", async () => {
  const local = { trust: { kind: "local-file" } } as const;
  const result = await verified({}, local);
  assert.equal(result.signature.kind, "unverified");
  assert.deepEqual(result.warnings.map((warning) => warning.rule), ["W_UNVERIFIED"]);
  assert.equal((await verified({ sign: false }, local)).signature.kind, "unsigned");
  assert.equal(
    await refusalOf({ sign: () => ({ name: ".peipkg/signature", content: "{}" }) }, local),
    "E_FIELD_MISSING",
  );
  assert.equal(await refusalOf({ files: { entries: [] } }, local), "E_FILES_UNLISTED");
  const required = { trust: { kind: "local-file", keys: [await exampleKey()], requireSignature: true } } as const;
  assert.equal((await verified({}, required)).signature.kind, "verified");
  assert.equal(await refusalOf({ sign: false }, required), "E_SIG_MISSING");
});

Deno.test("R-POL-03: in unsigned mode a signature is neither required nor examined", async () => {
  const unsigned = { trust: { kind: "unsigned-repository", repository: "main" } } as const;
  assert.deepEqual((await verified({ sign: false }, unsigned)).signature, { kind: "unsigned" });
  const garbage = () => ({ name: ".peipkg/signature", content: "garbage" });
  assert.deepEqual((await verified({ sign: garbage }, unsigned)).signature, { kind: "unverified" });
});

const IDENTITY = { name: "demo", version: "1.0-1", architecture: "noarch" };

Deno.test("F-VFY-01, F-INT-06: the hash of the file is compared with the index", async () => {
  const bytes = await buildPackage();
  const hash = sha256Hex(bytes);
  const check = async (expected: VerifyOptions["expected"]) =>
    await verifyPackage(sourceOf(bytes), await verifyOptions({ ...(expected === undefined ? {} : { expected }) })).then(
      () => undefined,
      ruleFrom,
    );
  assert.equal(await check({ ...IDENTITY, hash }), undefined);
  assert.equal(await check({ ...IDENTITY, hash: "0".repeat(64) }), "E_PKG_HASH");
});

Deno.test("F-VFY-09, F-ARCH-04: identity is that of the plan, by raw version text, and must be installable", async () => {
  assert.equal(await refusalOf({}, { expected: IDENTITY }), undefined);
  for (const change of [{ name: "other" }, { version: "0:1.0-1" }, { architecture: "x86_64" }]) {
    assert.equal(await refusalOf({}, { expected: { ...IDENTITY, ...change } }), "E_IDENTITY_MISMATCH");
  }
  const manifest = { architecture: "aarch64" };
  assert.equal(await refusalOf({ manifest }), "E_ARCH_MISMATCH");
  assert.equal(await refusalOf({ manifest }, { systemArchitecture: "aarch64" }), undefined);
});

Deno.test("F-VFY-13, T-VERIFY-02: a wrong file hash outranks all, a fault of the signature outranks what was found in the content", async () => {
  const wrongHash = { expected: { ...IDENTITY, hash: "0".repeat(64) } };
  assert.equal(await refusalOf({ file: (file) => file.slice(0, 100) }, wrongHash), "E_PKG_HASH");
  assert.equal(await refusalOf({ file: (file) => file.with(0, 0) }, wrongHash), "E_PKG_HASH");
  assert.equal(await refusalOf({ sign: false }, wrongHash), "E_PKG_HASH");
  const broken: readonly PackageSpec[] = [
    { manifest: { name: "BAD" } },
    { manifestText: "not JSON" },
    { files: { entries: [] } },
    { filesText: "[]" },
    { payload: [{ name: "bin/x" }] },
    { manifest: { build: { timestamp: "2026-01-02T03:04:06Z", farm_id: "", source_ref: "" } } },
    { manifest: { sd_overrides: [{ path: "absent", sd: "AAAA" }] } },
  ];
  for (const spec of broken) {
    assert.equal(await refusalOf({ ...spec, sign: false }), "E_SIG_MISSING", JSON.stringify(spec));
    const unsigned = await refusalOf(spec);
    assert.ok(unsigned !== undefined && !unsigned.startsWith("E_SIG"), unsigned);
  }
});

Deno.test("F-VFY-14: a valid signature excuses nothing", async () => {
  assert.equal(await refusalOf({ payload: [{ name: "bin/x" }] }), "E_DEST");
  assert.equal(await refusalOf({ payload: [{ name: "usr/l", type: "symlink", target: "/x" }] }), "E_DEST");
});

Deno.test("F-MAN-07, F-FILE-03, F-VFY-15: identity comes from the whole verified manifest, a file name only warns", async () => {
  const bytes = await buildPackage();
  const options = await verifyOptions();
  const warnings = async (label: string, changes: Partial<VerifyOptions> = {}) =>
    (await verifyPackage(sourceOf(bytes, { label }), { ...options, ...changes })).warnings.map((warning) =>
      warning.rule
    );
  assert.deepEqual(await warnings("/tmp/demo_1.0-1_noarch.peipkg"), []);
  assert.deepEqual(await warnings("/tmp/other_1.0-1_noarch.peipkg"), ["W_FILENAME"]);
  assert.deepEqual(await warnings("what.peipkg"), ["W_FILENAME"]);
  assert.deepEqual(await warnings("what.peipkg", { expected: IDENTITY }), []);
  const truncated = sourceOf(bytes.subarray(0, bytes.length - 1));
  await assert.rejects(verifyPackage(truncated, options), { code: "format" });
});

Deno.test("F-MAN-09: side effects that content and declaration disagree on are warned of", async () => {
  const library = [
    { name: "usr/", type: "dir" },
    { name: "usr/lib/", type: "dir" },
    { name: "usr/lib/x86_64-linux-peios/libx.so.1" },
  ] as const;
  const rules = async (spec: PackageSpec) => (await verified(spec)).warnings.map((warning) => warning.rule);
  const native = { architecture: "x86_64" };
  assert.deepEqual(await rules({ payload: library, manifest: native }), ["W_SIDE_EFFECT"]);
  assert.deepEqual(await rules({ payload: library, manifest: { ...native, side_effects: ["ldconfig"] } }), []);
  assert.deepEqual(await rules({ manifest: { side_effects: ["depmod"] } }), ["W_SIDE_EFFECT"]);
  assert.deepEqual(await rules({ payload: [{ name: "usr/share/man/man1/x.1" }] }), ["W_SIDE_EFFECT"]);
  assert.deepEqual(await rules({ manifest: { side_effects: ["man-db"] } }), []);
});

Deno.test("F-LATE-02: an exemption that nobody granted is refused by its own name", async () => {
  const spec = { payload: [{ name: "bin/x" }], manifest: { special_system_package: true } };
  assert.equal(await refusalOf(spec), "E_DEST");
  assert.equal(await refusalOf(spec, { layout: "late" }), "E_DEST_EXEMPTION");
});

Deno.test("C-MAT-12, A-DROPIN-05: claim links and overrides do not reach into others' drop-in directories", async () => {
  const foreign = { official: false, dropinRepository: "extra" };
  const claim = (path: string) => ({ dependencies: [{ name: "role", claims: { slot: { path } } }] });
  assert.equal(await refusalOf({ manifest: claim("/etc/sudoers.d/x") }), undefined);
  assert.equal(await refusalOf({ manifest: claim("/etc/sudoers.d/x") }, foreign), "E_DEST_DROPIN");
  assert.equal(await refusalOf({ manifest: claim("/etc/sudoers.d/extra/demo.conf") }, foreign), undefined);
  const sd = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAA";
  const override = (path: string): PackageSpec => ({
    payload: [{ name: `${path}/`, type: "dir" }],
    manifest: { sd_overrides: [{ path, sd }] },
  });
  assert.equal(await refusalOf(override("etc/sudoers.d")), undefined);
  for (const path of ["etc/sudoers.d", "etc/sudoers.d/other", "etc/sudoers.d/extra"]) {
    assert.equal(await refusalOf(override(path), foreign), "E_DEST_DROPIN", path);
  }
  assert.equal(await refusalOf(override("etc/sudoers.d/extra-demo"), foreign), undefined);
  assert.equal(await refusalOf(override("etc/demo.d"), foreign), undefined);
});

Deno.test("F-SYM-07: a link's target is that of the archive", async () => {
  const payload: readonly RawEntry[] = [...DEMO_PAYLOAD, {
    name: "usr/share/demo/l",
    type: "symlink",
    target: "hello.txt",
  }];
  const result = await verified({ payload });
  assert.deepEqual(result.entries.at(-1), {
    path: "usr/share/demo/l",
    type: "symlink",
    sizeBytes: 0,
    target: "hello.txt",
  });
});

Deno.test("F-VFY-08, T-VERIFY-04: what was verified is kept in archive order with hashes and manifest bytes", async () => {
  const result = await verified({});
  assert.deepEqual(result.entries, [
    { path: "usr", type: "dir", sizeBytes: 0 },
    { path: "usr/share", type: "dir", sizeBytes: 0 },
    { path: "usr/share/demo", type: "dir", sizeBytes: 0 },
    { path: "usr/share/demo/hello.txt", type: "file", sizeBytes: 6, hash: HELLO },
  ]);
  assert.equal(JSON.parse(new TextDecoder().decode(result.manifestBytes)).name, "demo");
});

Deno.test("F-VFY-11: nothing is returned when anything is wrong, and an aborted verification gives its reason", async () => {
  const controller = new AbortController();
  const reason = new PeipkgError("interrupted", "stopped");
  controller.abort(reason);
  const source = sourceOf(await buildPackage());
  await assert.rejects(verifyPackage(source, await verifyOptions({ signal: controller.signal })), reason);
});

Deno.test("collectViolations lists everything that is wrong with the content", async () => {
  const bytes = await buildPackage({
    payload: [{ name: "bin/x" }, { name: "sbin/y" }],
    files: { entries: [] },
    sign: false,
  });
  const options = await verifyOptions({ trust: { kind: "local-file" }, collectViolations: true });
  const cause = await verifyPackage(sourceOf(bytes), options).then(() => undefined, (error) => error);
  assert.ok(cause instanceof PeipkgError);
  const { violations } = cause.detail.more ?? {};
  assert.ok(Array.isArray(violations));
  assert.deepEqual(violations.map(ruleFrom).sort(), ["E_DEST", "E_DEST", "E_FILES_UNLISTED", "E_FILES_UNLISTED"]);
});

/** Records what a replay hands over. */
function recorder(wanted = true) {
  const seen: string[] = [];
  const visitor: PayloadVisitor = {
    entry(entry) {
      seen.push(`${entry.type} ${entry.path}`);
      return wanted;
    },
    data: (chunk) => void seen.push(`data ${new TextDecoder().decode(chunk)}`),
    end: () => void seen.push("end"),
  };
  return { seen, visitor };
}

Deno.test("T-VERIFY-05, F-VFY-12: the second pass hands over the payload", async () => {
  const bytes = await buildPackage();
  const result = await verifyPackage(sourceOf(bytes), await verifyOptions());
  const { seen, visitor } = recorder();
  await replayPackage(sourceOf(bytes, { chunkBytes: 13 }), result, visitor);
  assert.deepEqual(seen, [
    "dir usr",
    "dir usr/share",
    "dir usr/share/demo",
    "file usr/share/demo/hello.txt",
    "data hello\n",
    "end",
  ]);
  const unwanted = recorder(false);
  await replayPackage(sourceOf(bytes), result, unwanted.visitor);
  assert.equal(unwanted.seen.length, 4);
});

Deno.test("T-VERIFY-05, S-LOCAL-04: any difference in the second pass is a changed file", async () => {
  const bytes = await buildPackage();
  const other: readonly PackageSpec[] = [
    { payload: DEMO_PAYLOAD.slice(0, 3) },
    { payload: [...DEMO_PAYLOAD, { name: "usr/share/demo/more" }] },
    { payload: DEMO_PAYLOAD.map((entry) => entry.content === undefined ? entry : { ...entry, content: "jello\n" }) },
    { manifest: { description: "other" } },
    { sign: false },
    { checksum: true },
    { file: (file) => file.slice(0, -3) },
    { file: (file) => new Uint8Array([...file, 0]) },
    { file: () => new Uint8Array() },
  ];
  for (const [trust, rule] of [[undefined, "PKG_CHANGED"], [{ kind: "local-file" }, "E_LOCAL_CHANGED"]] as const) {
    const result = await verifyPackage(sourceOf(bytes), await verifyOptions(trust === undefined ? {} : { trust }));
    for (const spec of other) {
      const changed = sourceOf(await buildPackage(spec));
      const found = await replayPackage(changed, result, recorder().visitor).then(() => undefined, ruleFrom);
      assert.equal(found, rule, JSON.stringify(spec));
    }
  }
});

Deno.test("replayPackage() lets a visitor's own failure through unchanged", async () => {
  const bytes = await buildPackage();
  const result = await verifyPackage(sourceOf(bytes), await verifyOptions());
  const failure = new PeipkgError("no-space", "disk is full");
  const visitor: PayloadVisitor = {
    entry: () => true,
    data() {
      throw failure;
    },
    end() {},
  };
  await assert.rejects(replayPackage(sourceOf(bytes), result, visitor), failure);
});

/** A zstd frame of stored and repeated blocks: repeated bytes cost almost nothing. */
function storedFrame(parts: readonly (Uint8Array | { readonly byte: number; readonly count: number })[]): Uint8Array {
  const blockBytes = 128 * 1024;
  const blocks: Uint8Array[] = [];
  const header = (type: 0 | 1, size: number) =>
    Uint8Array.of(type << 1 | (size & 31) << 3, size >> 5 & 255, size >> 13);
  for (const part of parts) {
    const length = part instanceof Uint8Array ? part.length : part.count;
    for (let at = 0; at < length; at += blockBytes) {
      const size = Math.min(blockBytes, length - at);
      if (part instanceof Uint8Array) blocks.push(header(0, size), part.subarray(at, at + size));
      else blocks.push(header(1, size), Uint8Array.of(part.byte));
    }
  }
  // magic, no content size and no checksum, a window of 1 MiB; at the end an empty last block
  return Buffer.concat([Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x50), ...blocks, Uint8Array.of(1, 0, 0)]);
}

Deno.test("T-VERIFY-06: the second pass stops at its bounds, whatever the file has become", async () => {
  const content = "x".repeat(64 * 1024);
  const payload = DEMO_PAYLOAD.map((entry) => entry.content === undefined ? entry : { ...entry, content });
  const tar = new Uint8Array(zstdDecompressSync(await buildPackage({ payload, sign: false })));
  const options = await verifyOptions({ trust: { kind: "local-file" } });
  const file = storedFrame([tar]);
  const result = await verifyPackage(sourceOf(file), options);
  const upToContent = tar.subarray(0, tar.length - 1024 - content.length);
  const bomb = storedFrame([upToContent, { byte: 0x78, count: content.length }, { byte: 0, count: 420 * 1024 * 1024 }]);
  assert.ok(bomb.length < file.length);
  const failures: unknown[] = [];
  for (const changed of [bomb, Buffer.concat([file, Uint8Array.of(0)])]) {
    await replayPackage(sourceOf(changed), result, { entry: () => false, data() {}, end() {} }).catch((failure) => {
      failures.push(failure);
    });
  }
  const [tooMuch, grown] = failures;
  assert.ok(tooMuch instanceof PeipkgError && grown instanceof PeipkgError);
  assert.deepEqual([tooMuch.detail.rule, grown.detail.rule], ["E_LOCAL_CHANGED", "E_LOCAL_CHANGED"]);
  assert.match(grown.message, /it has grown$/);
  const { cause } = tooMuch.detail;
  assert.ok(cause instanceof PeipkgError && cause.detail.rule === "E_LIMIT_DECOMPRESSED");
});
