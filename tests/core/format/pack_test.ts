/** Section 15: producing. The encodings of names were checked against the reference tar writer. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import type { Layout } from "../../../core/format/destinations.ts";
import { findPackViolations, type PackEntry, packPackage, parseManifestDraft } from "../../../core/format/pack.ts";
import { verifyPackage } from "../../../core/format/package_file.ts";
import { writeHeaders } from "../../../core/format/tar_writer.ts";
import { DEMO_MANIFEST, type Fields, json, sourceOf, verifyOptions } from "../../support/package_builder.ts";
import { ruleOf } from "../../support/refusals.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const LOCAL = { trust: { kind: "local-file" } } as const;

function file(path: string, text = ""): PackEntry {
  const bytes = encode(text);
  return { type: "file", path, sizeBytes: bytes.length, open: () => [bytes] };
}

function draft(fields: Fields = {}, layout: Layout = "base") {
  return parseManifestDraft(encode(json({ ...DEMO_MANIFEST, ...fields })), layout);
}

async function pack(entries: readonly PackEntry[], fields: Fields = {}, layout: Layout = "base") {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const manifest = draft(fields, layout);
  const write = (chunk: Uint8Array) => void parts.push(new Uint8Array(chunk));
  const packed = await packPackage({ manifest, entries, layout, level: 1, write });
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return { packed, bytes, tar: new Uint8Array(zstdDecompressSync(bytes)) };
}

function violations(entries: readonly PackEntry[], fields: Fields = {}): readonly (string | undefined)[] {
  return findPackViolations({ manifest: draft(fields), entries, layout: "base" }).map((violation) =>
    violation.detail.rule
  );
}

Deno.test("F-PRO-02: every ancestor gets a directory entry, once", async () => {
  const { bytes, packed } = await pack([file("usr/share/a/b/c"), file("usr/share/a/d"), {
    type: "dir",
    path: "var/lib/x",
  }]);
  const verified = await verifyPackage(sourceOf(bytes), await verifyOptions(LOCAL));
  assert.deepEqual(verified.entries.map((entry) => entry.path), [
    "usr",
    "usr/share",
    "usr/share/a",
    "usr/share/a/b",
    "usr/share/a/b/c",
    "usr/share/a/d",
    "var",
    "var/lib",
    "var/lib/x",
  ]);
  assert.deepEqual([packed.files, packed.directories, packed.symlinks], [2, 7, 0]);
});

Deno.test("F-PRO-02: a file that is not what it was announced to be stops the packing", async () => {
  const bytes = encode("content");
  const shorter: PackEntry = { type: "file", path: "usr/share/x", sizeBytes: 8, open: () => [bytes] };
  const longer: PackEntry = { type: "file", path: "usr/share/x", sizeBytes: 6, open: () => [bytes] };
  let reading = 0;
  const restless: PackEntry = {
    type: "file",
    path: "usr/share/x",
    sizeBytes: 7,
    open: () => [encode(reading++ === 0 ? "content" : "conTent")],
  };
  for (const entry of [shorter, longer, restless]) {
    const rule = await pack([entry]).then(
      () => undefined,
      (cause) => cause instanceof PeipkgError && cause.detail.rule,
    );
    assert.equal(rule, "E_PACK_SOURCE");
  }
});

Deno.test("F-PRO-03: keys are relative, clean and not nested under a file", () => {
  for (const path of ["", "/usr/x", "usr/share/", "usr\\x", "usr/\0", "usr//x", "./usr", "usr/../x"]) {
    assert.deepEqual(violations([file(path)]), ["E_PACK_SOURCE"], path);
  }
  assert.deepEqual(violations([file("usr/share/a"), file("usr/share/a/b")]), ["E_PACK_SOURCE"]);
  assert.deepEqual(violations([file("usr/share/a"), file("usr/share/a")]), ["E_PACK_SOURCE"]);
  assert.deepEqual(violations([file("usr/share/a"), { type: "dir", path: "usr/share/a" }]), ["E_PACK_SOURCE"]);
  assert.deepEqual(violations([{ type: "dir", path: "usr/share/a" }, { type: "dir", path: "usr/share/a" }]), []);
});

Deno.test("F-PRO-09: relations and overrides are sorted, duplicates refused, side effects left alone", () => {
  const manifest = draft({
    dependencies: [{ name: "bb" }, { name: "aa" }],
    provides: [{ name: "zz" }, { name: "Xx" }],
    side_effects: ["man-db", "depmod"],
  });
  assert.deepEqual(manifest.dependencies.map((dependency) => dependency.name), ["aa", "bb"]);
  assert.deepEqual(manifest.provides.map((provides) => provides.name), ["Xx", "zz"]);
  assert.deepEqual(manifest.sideEffects, ["man-db", "depmod"]);
  const repeated = { conflicts: [{ name: "bb" }, { name: "aa" }, { name: "bb" }] };
  assert.equal(ruleOf(() => draft(repeated)), "E_MANIFEST_DUPLICATE");
  const sd = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAA";
  const overrides = draft({ sd_overrides: [{ path: "b", sd }, { path: "a", sd }] }).sdOverrides;
  assert.deepEqual(overrides.map((override) => override.path), ["a", "b"]);
  assert.equal(ruleOf(() => draft({ sd_overrides: [{ path: "b", sd }, { path: "b", sd }] })), "E_MANIFEST_DUPLICATE");
});

Deno.test("F-PRO-01: schema_version and size_installed are computed, a given timestamp wins", async () => {
  const { packed } = await pack([file("usr/share/x", "12345")], {
    schema_version: undefined,
    size_installed: undefined,
  });
  assert.equal(packed.manifest.sizeInstalledBytes, 5);
  const bytes = encode(json({ ...DEMO_MANIFEST, build: { farm_id: "f", source_ref: "s" } }));
  assert.equal(parseManifestDraft(bytes, "base", "2026-05-06T12:00:00Z").build.seconds, 1778068800);
  assert.equal(ruleOf(() => parseManifestDraft(bytes, "base")), "E_FIELD_MISSING");
});

Deno.test("F-PRO-16: what a consumer would refuse is not written, and everything wrong is named", () => {
  const link = (target: string): PackEntry => ({ type: "symlink", path: "usr/share/l", target });
  assert.deepEqual(violations([file("bin/x"), link("/etc"), file("var/x")]), [
    "E_DEST",
    "E_DEST",
    "E_SYMLINK_ABSOLUTE",
    "E_DEST_VAR",
  ]);
  assert.deepEqual(violations([file("usr/share/e\u0301")]), ["E_PATH_NFC"]);
  assert.deepEqual(violations([link("")]), ["E_TAR_LINKNAME"]);
  assert.deepEqual(violations([], { provides: [{ name: "sh-role", claims: { sh: { target: "/usr/bin/x" } } }] }), [
    "E_CLAIM_TARGET",
  ]);
});

Deno.test("F-MAN-09: a producer declares the side effects its content needs, and no others", () => {
  const library = file("usr/lib/x86_64-linux-peios/libx.so");
  const native = { architecture: "x86_64" };
  assert.deepEqual(violations([library], native), ["E_SIDE_EFFECT"]);
  assert.deepEqual(violations([library], { ...native, side_effects: ["ldconfig"] }), []);
  assert.deepEqual(violations([], { side_effects: ["ldconfig"] }), ["E_SIDE_EFFECT"]);
  assert.deepEqual(violations([file("usr/share/man/man1/x.1")]), []);
});

Deno.test("F-MAN-10, F-SIG-08: inflated provides and a missing signature are warned of", async () => {
  const { packed } = await pack([], { provides: [{ name: "aa", version: "1.0" }, { name: "bb", version: "2.0" }] });
  assert.deepEqual(packed.warnings.map((warning) => warning.rule), ["W_PROVIDES_INFLATED", "W_UNSIGNED"]);
});

interface Blocks {
  readonly extended: string | undefined;
  readonly body: string | undefined;
  readonly name: string;
  readonly linkname: string;
  readonly prefix: string;
}

/** The text fields of what is written for an entry. */
function encoded(wireName: string, target?: string, encoding: "reference" | "late" = "reference"): Blocks {
  const type = target !== undefined ? "symlink" : wireName.endsWith("/") ? "dir" : "file";
  const bytes = writeHeaders(
    { type, wireName, sizeBytes: 0, ...(target === undefined ? {} : { target }) },
    0,
    encoding,
  );
  const text = (at: number, length: number) =>
    new TextDecoder().decode(bytes.subarray(at, at + length)).replace(/\0+$/, "");
  const main = bytes.length - 512;
  const size = main === 0 ? 0 : parseInt(text(124, 11), 8);
  return {
    extended: main === 0 ? undefined : text(0, 100),
    body: main === 0 ? undefined : text(512, size),
    name: text(main, 100),
    linkname: text(main + 157, 100),
    prefix: text(main + 345, 155),
  };
}

Deno.test("F-PRO-12: short ASCII names are plain, up to a full field", () => {
  const hundred = "n".repeat(100);
  assert.deepEqual(encoded(hundred), { extended: undefined, body: undefined, name: hundred, linkname: "", prefix: "" });
  assert.equal(encoded(`${"d".repeat(99)}/`).extended, undefined);
  assert.equal(encoded("a", "t".repeat(100)).linkname, "t".repeat(100));
});

Deno.test("F-PRO-13: long ASCII names are split at a slash when they can be", () => {
  const h = "h".repeat(89);
  assert.deepEqual(encoded(`usr/share/x/${h}`), {
    extended: undefined,
    body: undefined,
    name: h,
    linkname: "",
    prefix: "usr/share/x",
  });
  const e = `usr/share/${"e".repeat(120)}`;
  assert.deepEqual([encoded(`${e}/z`).prefix, encoded(`${e}/z`).name], [e, "z"]);
  assert.equal(encoded(`${"p".repeat(155)}/n`).prefix.length, 155);
  assert.notEqual(encoded(`${"p".repeat(156)}/n`).extended, undefined);
  assert.notEqual(encoded(`p/${"n".repeat(101)}`).extended, undefined);
  const directory = encoded(`usr/share/${"d".repeat(95)}/`);
  assert.deepEqual([directory.prefix, directory.name], ["usr/share", `${"d".repeat(95)}/`]);
});

Deno.test("F-PRO-14: an extended header is named after its entry, the main name is cut to ASCII", () => {
  const accent = encoded("usr/share/é");
  assert.deepEqual(accent, {
    extended: "usr/share/PaxHeaders.0",
    body: "21 path=usr/share/é\n",
    name: "usr/share/",
    linkname: "",
    prefix: "",
  });
  const directory = encoded("usr/share/éd/");
  assert.deepEqual(
    [directory.extended, directory.body, directory.name],
    ["usr/share/d/PaxHeaders.0", "23 path=usr/share/éd/\n", "usr/share/d/"],
  );
  const link = encoded("usr/share/sl2", "t".repeat(101));
  assert.equal(link.extended, "usr/share/PaxHeaders.0/sl2");
  assert.equal(link.body, `115 linkpath=${"t".repeat(101)}\n`);
  assert.deepEqual([link.name, link.linkname], ["usr/share/sl2", "t".repeat(100)]);
});

Deno.test("F-PRO-12, F-PRO-15: both records, in the order of the profile; late never splits", () => {
  const name = `usr/share/${"n".repeat(60)}/${"m".repeat(61)}`;
  assert.equal(name.length, 132);
  const target = "t".repeat(104);
  const both = encoded(name, target);
  assert.equal(both.body, `118 linkpath=${target}\n142 path=${name}\n`);
  assert.deepEqual([both.prefix, both.name], ["", name.slice(0, 100)]);
  assert.equal(encoded(name, target, "late").body, `142 path=${name}\n118 linkpath=${target}\n`);
  const late = encoded(`usr/share/x/${"h".repeat(89)}`, undefined, "late");
  assert.deepEqual([late.prefix, late.extended?.startsWith("usr/share/x/PaxHeaders.0/h")], ["", true]);
});

Deno.test("F-PRO-12: a slash left at the cut becomes NUL", () => {
  const cut = encoded(`${"a".repeat(99)}/${"b".repeat(101)}`);
  assert.equal(cut.name, "a".repeat(99));
});

Deno.test("F-LATE-05: both profiles' files are read, names of every length come back", async () => {
  const names = ["é", "e".repeat(90), "e".repeat(120), `${"a".repeat(100)}/${"b".repeat(100)}`, "日本語".repeat(20)];
  const entries = names.flatMap((name): PackEntry[] => [
    file(`usr/share/${name}`, name),
    { type: "symlink", path: `usr/share/${name}-l`, target: `${"./".repeat(60)}${name}` },
  ]);
  for (const layout of ["base", "late"] as const) {
    const { bytes } = await pack(entries, {}, layout);
    const verified = await verifyPackage(sourceOf(bytes), await verifyOptions({ ...LOCAL, layout }));
    const paths = new Set<string>(verified.entries.map((entry) => entry.path));
    for (const entry of entries) assert.ok(paths.has(entry.path), entry.path);
  }
});

Deno.test("F-DST-10: equal content gives equal archives, whatever order the entries came in", async () => {
  const entries = [file("usr/share/b", "1"), file("usr/share/a", "2"), file("usr/share/a.d/x", "3")];
  const [first, second] = [await pack(entries), await pack(entries.toReversed())];
  assert.deepEqual(first.tar, second.tar);
});
