/** Sections 5 to 8: compression, header fields, extended headers, layout of entries. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import { decompressZstd, ZstdDecoder } from "../../../core/format/zstd.ts";
import { openCodec } from "../../../core/format/zstd_codec.ts";
import { Xxh64 } from "../../../core/format/xxh64.ts";
import { verifyPackage } from "../../../core/format/package_file.ts";
import {
  buildPackage,
  compress,
  DEMO_PAYLOAD,
  entryBytes,
  paxEntry,
  paxRecord,
  putField,
  type RawEntry,
  refusalOf,
  sourceOf,
  verifyOptions,
} from "../../support/package_builder.ts";

const SHARE: readonly RawEntry[] = [{ name: "usr/", type: "dir" }, { name: "usr/share/", type: "dir" }];
const FILE = "usr/share/demo/hello.txt";

/** Refusal of a package whose last payload file has a changed header. */
function headerRefusal(patch: (block: Uint8Array) => void): Promise<string | undefined> {
  return refusalOf({ payload: DEMO_PAYLOAD.map((entry) => entry.name === FILE ? { ...entry, patch } : entry) });
}

function fieldRefusal(field: Parameters<typeof putField>[1], text: string): Promise<string | undefined> {
  return headerRefusal((block) => putField(block, field, text));
}

Deno.test("an honest package is accepted", async () => {
  assert.equal(await refusalOf({}), undefined);
});

Deno.test("F-ZST-01: magic, damage and a missing end are told apart", async () => {
  assert.equal(await refusalOf({ file: (file) => file.with(0, 0x29) }), "E_ZSTD_MAGIC");
  assert.equal(
    await refusalOf({ file: (file) => new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0, ...file]) }),
    "E_ZSTD_MAGIC",
  );
  assert.equal(await refusalOf({ file: () => new Uint8Array() }), "E_ZSTD_MAGIC");
  for (const cut of [4, 5, 6, 7, 20, 200]) {
    assert.equal(await refusalOf({ file: (file) => file.slice(0, cut) }), "E_ZSTD_CORRUPT", `cut to ${cut}`);
  }
  assert.equal(await refusalOf({ file: (file) => file.slice(0, -1) }), "E_ZSTD_CORRUPT");
  const damaged = await refusalOf({ file: (file) => file.with(60, (file[60] ?? 0) ^ 0xff) });
  assert.notEqual(damaged, undefined);
});

Deno.test("F-ZST-01: damage far inside a piece of the file is refused as any other", async () => {
  const text = Array.from({ length: 40_000 }, (_, at) => String(Math.imul(at, 2654435761))).join();
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  const file = new Uint8Array(zstdCompressSync(text, { params, chunkSize: 1 << 20 }));
  for (const at of [file.length - 1, file.length - 50_000]) {
    using decoder = new ZstdDecoder({ output() {}, bound: () => 1 << 20, codec: { open: openCodec } });
    const decoded = decoder.push(file.with(at, (file[at] ?? 0) ^ 0x5a)).then(() => decoder.finish());
    await assert.rejects(decoded, (error) => error instanceof PeipkgError && error.detail.rule === "E_ZSTD_CORRUPT");
  }
});

Deno.test("F-ZST-02: a content checksum is verified when it is there", async () => {
  assert.equal(await refusalOf({ checksum: true }), undefined);
  const wrong = (file: Uint8Array<ArrayBuffer>) => file.with(file.length - 1, (file.at(-1) ?? 0) ^ 1);
  assert.equal(await refusalOf({ checksum: true, file: wrong }), "E_ZSTD_CORRUPT");
});

Deno.test("F-ZST-02: XXH64 gives the published values, in pieces of any size", () => {
  const of = (text: string) => {
    const hash = new Xxh64();
    hash.update(new TextEncoder().encode(text));
    return hash.digest().toString(16);
  };
  assert.equal(of(""), "ef46db3751d8e999");
  assert.equal(of("a"), "d24ec4f1a98c6e5b");
  assert.equal(of("abc"), "44bc2cf5ad770999");
  assert.equal(of("Nobody inspects the spammish repetition"), "fbcea83c8a378bf1");
  const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => i * 7 + (i >> 8));
  const whole = new Xxh64();
  whole.update(bytes);
  const pieces = new Xxh64();
  for (let at = 0, size = 1; at < bytes.length; at += size, size = size * 3 % 977) {
    pieces.update(bytes.subarray(at, at + size));
  }
  assert.equal(pieces.digest(), whole.digest());
});

/** A frame header of our own before raw blocks. */
function frame(header: readonly number[], content: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts = [Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...header])];
  for (let at = 0; at < content.length; at += 1000) {
    const block = content.subarray(at, at + 1000);
    const last = at + 1000 >= content.length ? 1 : 0;
    const value = block.length << 3 | last;
    parts.push(Uint8Array.of(value & 255, value >> 8 & 255, value >> 16), new Uint8Array(block));
  }
  return new Uint8Array(Buffer.concat(parts));
}

Deno.test("F-ZST-03: a declared content size above the bound is refused at once, a wrong one at the end", async () => {
  const honest = await buildPackage();
  const tar = new Uint8Array(zstdDecompressSync(honest));
  const size = (value: bigint) => [...new Uint8Array(new BigUint64Array([value]).buffer)];
  // 0xc0: eight bytes of content size, window descriptor 0x58 (2 MiB)
  const declared = (value: bigint) => ({ file: () => frame([0xc0, 0x58, ...size(value)], tar) });
  assert.equal(await refusalOf(declared(BigInt(tar.length))), undefined);
  assert.notEqual(await refusalOf(declared(BigInt(tar.length + 1))), undefined);
  assert.equal(await refusalOf(declared(4294967297n)), "E_LIMIT_DECOMPRESSED");
  assert.equal(await refusalOf(declared(1n << 60n)), "E_LIMIT_DECOMPRESSED");
});

Deno.test("F-ZST-04: a window of 128 MiB is read, a larger one and every dictionary are refused", async () => {
  const tar = new Uint8Array(zstdDecompressSync(await buildPackage()));
  const window = (descriptor: number) => refusalOf({ file: () => frame([0x00, descriptor], tar) });
  assert.equal(await window(17 << 3), undefined); // 2^27
  assert.equal(await window(17 << 3 | 1), "E_ZSTD_WINDOW");
  assert.equal(await window(31 << 3), "E_ZSTD_WINDOW");
  assert.equal(await refusalOf({ file: () => frame([0x01, 0x58, 0x07], tar) }), "E_ZSTD_DICTIONARY");
  assert.equal(await refusalOf({ file: () => frame([0x08, 0x58], tar) }), "E_ZSTD_CORRUPT");
});

Deno.test("F-ZST-05: exactly one frame, no byte after it", async () => {
  for (const extra of [[0], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]]) {
    assert.equal(await refusalOf({ file: (file) => new Uint8Array([...file, ...extra]) }), "E_ZSTD_TRAILING");
  }
  assert.equal(await refusalOf({ file: (file) => new Uint8Array([...file, ...file]) }), "E_ZSTD_TRAILING");
});

Deno.test("F-ZST-06: the bound is checked with every piece of output", async () => {
  const bomb = compress(new Uint8Array(64 * 1024 * 1024));
  let produced = 0;
  using decoder = new ZstdDecoder({ output: (bytes) => void (produced += bytes.length), bound: () => 1_000_000 });
  await assert.rejects(decoder.push(bomb), { code: "format" });
  assert.ok(produced <= 1_000_000);
});

Deno.test("decompressZstd() gives the content of one frame", async () => {
  const content = new TextEncoder().encode("content ".repeat(5000));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of decompressZstd(sourceOf(compress(content)).chunks())) parts.push(new Uint8Array(part));
  assert.deepEqual(new Uint8Array(await new Blob(parts).arrayBuffer()), content);
});

Deno.test("F-TAR-01: every field of every header is judged", async () => {
  const rows: readonly (readonly [Parameters<typeof putField>[1], string, string])[] = [
    ["mode", "0000755", "E_TAR_MODE"],
    ["mode", "0100777", "E_TAR_MODE"],
    ["mode", "0004777", "E_TAR_MODE"],
    ["uid", "0000001", "E_TAR_OWNER"],
    ["gid", "0000001", "E_TAR_OWNER"],
    ["uname", "user", "E_TAR_OWNER"],
    ["gname", "wheel", "E_TAR_OWNER"],
    ["uname", "", "E_TAR_OWNER"],
    ["uname", "root\0x", "E_TAR_OWNER"],
    ["mtime", "15125632646", "E_TAR_MTIME"],
    ["devmajor", "0000001", "E_TAR_DEVICE"],
    ["devminor", "\0\0\0\0\0\0\0x", "E_TAR_DEVICE"],
    ["magic", "ustar ", "E_TAR_MAGIC"],
    ["version", " \0", "E_TAR_MAGIC"],
    ["linkname", "x", "E_TAR_LINKNAME"],
    ["tail", "x", "E_TAR_PADDING"],
    ["name", "usr/share/demo/hello.txt\0x", "E_TAR_PADDING"],
  ];
  for (const [field, text, rule] of rows) assert.equal(await fieldRefusal(field, text), rule, `${field} ${text}`);
  const badSum = (bytes: Uint8Array<ArrayBuffer>) => bytes.with(148, 0x37);
  const payload = DEMO_PAYLOAD.map((entry) => entry.name === FILE ? { ...entry, damage: badSum } : entry);
  assert.equal(await refusalOf({ payload }), "E_TAR_CHECKSUM");
});

Deno.test("F-TAR-01, F-PERM-01: metadata and signature entries obey the same table, modes are always 0777", async () => {
  const patch = (block: Uint8Array) => putField(block, "mode", "0000644");
  for (const name of [".peipkg/manifest.json", ".peipkg/files.json", "usr/share/demo/"]) {
    const arrange = (entries: readonly RawEntry[]) =>
      entries.map((entry) => entry.name === name ? { ...entry, patch } : entry);
    assert.equal(await refusalOf({ arrange }), "E_TAR_MODE", name);
  }
  const sign = (content: Uint8Array) => ({ name: ".peipkg/signature", content, patch });
  assert.equal(await refusalOf({ sign }), "E_TAR_MODE");
});

Deno.test("F-TAR-02: numbers may have leading spaces and end in NULs or spaces, nothing else", async () => {
  for (const text of ["    777", "   777 ", "777", "777 \0 ", "00000777"]) {
    assert.equal(await fieldRefusal("mode", text), undefined, JSON.stringify(text));
  }
  for (const text of ["", "       ", "-000777", "0x00777", "777 777", "0000778", "\x80\0\0\0\0\0\x01\xff", "777\x01"]) {
    const patch = (block: Uint8Array) => {
      putField(block, "mode", "");
      for (let i = 0; i < text.length; i++) block[100 + i] = text.charCodeAt(i);
    };
    assert.equal(await headerRefusal(patch), "E_TAR_NUMERIC", JSON.stringify(text));
  }
});

Deno.test("F-TAR-03: device fields are octal zeros or eight NULs", async () => {
  for (const text of ["", "0000000", "      0", "0"]) {
    assert.equal(await fieldRefusal("devmajor", text), undefined, text);
  }
});

Deno.test("F-TAR-04: padding after content is NUL", async () => {
  const damage = (bytes: Uint8Array<ArrayBuffer>) => bytes.with(bytes.length - 1, 1);
  const payload = DEMO_PAYLOAD.map((entry) => entry.name === FILE ? { ...entry, damage } : entry);
  assert.equal(await refusalOf({ payload }), "E_TAR_PADDING");
});

Deno.test("F-TAR-05: directories end in one slash, files in none", async () => {
  const directory = (name: string) => refusalOf({ payload: [...SHARE, { name, type: "dir" }] });
  assert.equal(await directory("usr/share/d/"), undefined);
  assert.equal(await directory("usr/share/d"), "E_TAR_DIR_NAME");
  assert.equal(await directory("usr/share/d//"), "E_PATH_EMPTY");
  assert.equal(await refusalOf({ payload: [...SHARE, { name: "usr/share/f/" }] }), "E_PATH_EMPTY");
  const verified = await verifyPackage(sourceOf(await buildPackage({ payload: SHARE })), await verifyOptions());
  assert.deepEqual(verified.entries.map((entry) => entry.path), ["usr", "usr/share"]);
});

Deno.test("F-TAR-06, F-TAR-09: only files, directories and symlinks; no vendor types or records", async () => {
  for (const type of ["1", "3", "4", "6", "7", "L", "K", "S", "Z", "A", "X", "D"]) {
    assert.equal(await fieldRefusal("type", type), "E_TAR_TYPE", type);
  }
  assert.equal(await fieldRefusal("type", "g"), "E_TAR_PAX_GLOBAL");
  assert.equal(await fieldRefusal("type", "\0"), undefined);
  const records = paxEntry(paxRecord("SCHILY.xattr.user.x", "1"));
  assert.equal(
    await refusalOf({ payload: [...SHARE, records, { name: "usr/share/f" }], files: { entries: [] } }),
    "E_TAR_PAX_KEY",
  );
});

Deno.test("F-TAR-06: directories and symlinks have no size, links have a target", async () => {
  const link = (patch: (block: Uint8Array) => void) =>
    refusalOf({ payload: [...SHARE, { name: "usr/share/l", type: "symlink", target: "f", patch }] });
  assert.equal(await link(() => {}), undefined);
  assert.equal(await link((block) => putField(block, "size", "00000000001")), "E_TAR_SIZE");
  assert.equal(await link((block) => putField(block, "linkname", "")), "E_TAR_LINKNAME");
  const sized = (block: Uint8Array) => putField(block, "size", "00000000001");
  assert.equal(await refusalOf({ payload: [{ name: "usr/", type: "dir", patch: sized }] }), "E_TAR_SIZE");
});

Deno.test("F-TAR-07: the prefix field serves long ASCII names only", async () => {
  const prefixed = (prefix: string, name: string, path: string) =>
    refusalOf({
      payload: [...SHARE, {
        name: path,
        patch(block) {
          putField(block, "name", name);
          putField(block, "prefix", prefix);
        },
      }],
    });
  const base = "h".repeat(89);
  assert.equal(await prefixed("usr/share/x", base, `usr/share/x/${base}`), undefined);
  assert.equal(await prefixed("usr/share/", `${base}h`, `usr/share/${base}h`), "E_PATH_EMPTY");
  assert.equal(await prefixed("usr/share", "h", "usr/share/h"), "E_TAR_PREFIX");
  const accented = "é".repeat(60);
  assert.equal(
    await refusalOf({
      payload: [...SHARE, {
        name: "usr/share/é",
        patch(block) {
          putField(block, "prefix", `usr/share/${accented}`);
          putField(block, "name", "x");
        },
      }],
      arrange: (entries) => entries,
    }),
    "E_TAR_PREFIX",
  );
});

Deno.test("F-TAR-08: an archive ends with two zero blocks; more are read, data after them is not", async () => {
  assert.equal(await refusalOf({ closing: new Uint8Array(512) }), "E_TAR_TRUNCATED");
  assert.equal(await refusalOf({ closing: new Uint8Array(0) }), "E_TAR_TRUNCATED");
  assert.equal(await refusalOf({ closing: new Uint8Array(1025) }), "E_TAR_TRUNCATED");
  assert.equal(await refusalOf({ closing: new Uint8Array(10240) }), undefined);
  assert.equal(await refusalOf({ closing: new Uint8Array(1024).with(600, 1) }), "E_TAR_TRAILING");
  assert.equal(await refusalOf({ closing: new Uint8Array(4096).with(4095, 1) }), "E_TAR_TRAILING");
  assert.equal(await refusalOf({ archive: (tar) => tar.subarray(0, 700) }), "E_TAR_TRUNCATED");
  assert.equal(await refusalOf({ archive: (tar) => tar.subarray(0, 100) }), "E_TAR_TRUNCATED");
});

const LONG = `usr/share/${"e".repeat(120)}`;

/** Refusal of a package with an extended header of our own before a file. */
function paxRefusal(body: string, path = LONG, patch?: (block: Uint8Array) => void): Promise<string | undefined> {
  const main: RawEntry = {
    name: "usr/share/x",
    content: "x",
    patch(block) {
      putField(block, "name", "ignored");
      patch?.(block);
    },
  };
  return refusalOf({
    payload: [...SHARE, paxEntry(body), main],
    files: {
      entries: [{
        path,
        size: 1,
        hash: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
      }],
    },
    // The builder counts the extended header's body as content.
    manifest: { size_installed: 1 },
  });
}

Deno.test("F-PAX-01, F-PAX-07: an anonymous extended header is read, its record replaces the header's name", async () => {
  assert.equal(await paxRefusal(paxRecord("path", LONG)), undefined);
  const prefix = (block: Uint8Array) => putField(block, "prefix", "usr");
  assert.equal(await paxRefusal(paxRecord("path", LONG), LONG, prefix), "E_TAR_PREFIX");
});

Deno.test("F-PAX-02: records have exact lengths, a value, no NUL and fill the body", async () => {
  const good = paxRecord("path", LONG);
  const bad = [
    "",
    good.slice(0, -1),
    `0${good}`,
    good.replace("\n", "x"),
    `${good}x`,
    good.replace("path=", "path:"),
    "8 path=\n",
    "5 =x\n",
    "99999 path=x\n",
    "1 path=x\n",
    "x path=x\n",
    paxRecord("path", `${LONG}\0`),
    "9999999999999999999999 path=x\n",
  ];
  for (const body of bad) assert.equal(await paxRefusal(body), "E_TAR_PAX_SYNTAX", JSON.stringify(body));
});

Deno.test("F-PAX-03: one extended header before one entry, each key once", async () => {
  const record = paxRecord("path", LONG);
  assert.equal(await paxRefusal(record + record), "E_TAR_PAX_SYNTAX");
  const twice = [...SHARE, paxEntry(record), paxEntry(record), { name: "usr/share/x" }];
  assert.equal(await refusalOf({ payload: twice }), "E_TAR_PAX_SYNTAX");
  assert.equal(await refusalOf({ payload: [...SHARE, paxEntry(record)], sign: false }), "E_TAR_PAX_SYNTAX");
});

Deno.test("F-PAX-04: only path and linkpath", async () => {
  for (const key of ["mtime", "size", "uname", "comment", "GNU.sparse.name", "Path"]) {
    assert.equal(await paxRefusal(paxRecord("path", LONG) + paxRecord(key, "1")), "E_TAR_PAX_KEY", key);
  }
});

Deno.test("F-PAX-05: records are for names above 100 bytes or outside ASCII", async () => {
  assert.equal(await paxRefusal(paxRecord("path", "usr/share/é"), "usr/share/é"), undefined);
  assert.equal(await paxRefusal(paxRecord("path", "usr/share/e")), "E_TAR_PAX_UNNEEDED");
  const hundred = `usr/share/${"e".repeat(90)}`;
  assert.equal(await paxRefusal(paxRecord("path", hundred), hundred), "E_TAR_PAX_UNNEEDED");
  assert.equal(await paxRefusal(paxRecord("path", `${hundred}e`), `${hundred}e`), undefined);
  assert.equal(await paxRefusal(paxRecord("path", LONG) + paxRecord("linkpath", LONG)), "E_TAR_LINKNAME");
});

Deno.test("F-PAX-06: path and linkpath may stand in either order", async () => {
  const target = `../share/${"t".repeat(101)}`;
  for (const keys of [["path", "linkpath"], ["linkpath", "path"]] as const) {
    const body = keys.map((key) => paxRecord(key, key === "path" ? LONG : target)).join("");
    const link: RawEntry = { name: "usr/share/x", type: "symlink", target: "y" };
    const rule = await refusalOf({
      payload: [...SHARE, paxEntry(body), link],
      manifest: { size_installed: 0 },
      files: { entries: [] },
    });
    assert.equal(rule, undefined, keys.join());
  }
});

Deno.test("F-PAX-08: the extended header's own name is not interpreted", async () => {
  for (const name of ["../../etc/passwd", "/", "\xff\xfe"]) {
    const patch = (block: Uint8Array) => putField(block, "name", name);
    const record = paxEntry(paxRecord("path", LONG), patch);
    const rule = await refusalOf({
      payload: [...SHARE, record, { name: "usr/share/x", content: "" }],
      manifest: { size_installed: 0 },
      files: {
        entries: [{ path: LONG, size: 0, hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }],
      },
    });
    assert.equal(rule, undefined, name);
  }
});

Deno.test("F-LAY-01: manifest and files document come first, as regular files", async () => {
  const without = (name: string) => refusalOf({ arrange: (entries) => entries.filter((entry) => entry.name !== name) });
  assert.equal(await without(".peipkg/files.json"), "E_ENTRY_MISSING");
  assert.equal(await without(".peipkg/manifest.json"), "E_ENTRY_ORDER");
  assert.equal(await refusalOf({ arrange: () => [], sign: false }), "E_ENTRY_MISSING");
  assert.equal(
    await refusalOf({ arrange: ([a, b, ...rest]) => [b, a, ...rest].filter((e) => e !== undefined) }),
    "E_ENTRY_ORDER",
  );
  assert.equal(
    await refusalOf({ arrange: ([a, ...rest]) => [a, a, ...rest].filter((e) => e !== undefined) }),
    "E_ENTRY_DUPLICATE",
  );
  const link: RawEntry = { name: ".peipkg/manifest.json", type: "symlink", target: "x" };
  assert.equal(await refusalOf({ arrange: (entries) => [link, ...entries.slice(1)] }), "E_TAR_TYPE");
});

function withMetadata(...extra: readonly RawEntry[]): Promise<string | undefined> {
  return refusalOf({ arrange: (entries) => [...entries.slice(0, 2), ...extra, ...entries.slice(2)] });
}

Deno.test("F-LAY-02, F-LAY-05: unknown metadata is ignored in its place and in ascending order", async () => {
  const a: RawEntry = { name: ".peipkg/a", content: "anything" };
  const b: RawEntry = { name: ".peipkg/zz/", type: "dir" };
  assert.equal(await withMetadata(a, b), undefined);
  assert.equal(await withMetadata(b, a), "E_ENTRY_ORDER");
  assert.equal(await withMetadata(a, a), "E_ENTRY_DUPLICATE");
  assert.equal(await withMetadata({ name: ".peipkg/a", type: "symlink", target: "x" }), "E_TAR_TYPE");
  assert.equal(await withMetadata({ name: ".peipkg/../x" }), "E_PATH_DOT");
  for (const name of [".peipkg/manifest.json", ".peipkg/files.json"]) {
    assert.equal(await withMetadata({ name }), "E_ENTRY_DUPLICATE", name);
  }
  assert.equal(await withMetadata({ name: ".peipkg/signature/", type: "dir" }), "E_ENTRY_DUPLICATE");
  assert.equal(await refusalOf({ arrange: (entries) => [...entries, a] }), "E_ENTRY_ORDER");
  const verified = await verifyPackage(
    sourceOf(await buildPackage({ arrange: (entries) => [...entries.slice(0, 2), a, ...entries.slice(2)] })),
    await verifyOptions(),
  );
  assert.equal(verified.entries.some((entry) => entry.path.startsWith(".peipkg")), false);
});

Deno.test("F-LAY-03, F-LATE-06: payload ascends by wire name, so asm/fpu.h stands before asm/fpu/", async () => {
  const directory = (name: string): RawEntry => ({ name, type: "dir" });
  const payload = [...SHARE, { name: "usr/share/fpu.h" }, directory("usr/share/fpu/")];
  assert.equal(await refusalOf({ payload }), undefined);
  assert.equal(
    await refusalOf({ payload: [...SHARE, directory("usr/share/fpu/"), { name: "usr/share/fpu.h" }] }),
    "E_ENTRY_ORDER",
  );
  assert.equal(
    await refusalOf({ payload: [...SHARE, directory("usr/share/x/"), directory("usr/share/x/")] }),
    "E_ENTRY_DUPLICATE",
  );
});

Deno.test("F-LAY-04: nothing follows the signature", async () => {
  assert.equal(await refusalOf({ after: [{ name: "usr/share/z" }] }), "E_SIG_NOT_LAST");
  assert.equal(await refusalOf({ after: [{ name: ".peipkg/zz" }] }), "E_SIG_NOT_LAST");
});

Deno.test("F-LAY-06: nothing of the payload is or lies in .peipkg", async () => {
  assert.equal(await refusalOf({ payload: [{ name: ".peipkg" }] }), "E_PATH_RESERVED");
  assert.equal(await withMetadata({ name: ".peipkg/", type: "dir" }), "E_PATH_RESERVED");
});

Deno.test("F-LAY-07, F-LAY-08: a path has one kind, and nothing lies below a file or link", async () => {
  const below = (...names: RawEntry[]) => refusalOf({ payload: [...SHARE, ...names] });
  const directory = (name: string): RawEntry => ({ name, type: "dir" });
  assert.equal(await below({ name: "usr/share/a" }, directory("usr/share/a/")), "E_ENTRY_DUPLICATE");
  assert.equal(
    await below({ name: "usr/share/a" }, { name: "usr/share/a-b" }, directory("usr/share/a/")),
    "E_ENTRY_DUPLICATE",
  );
  assert.equal(await below({ name: "usr/share/a" }, { name: "usr/share/a/b" }), "E_ENTRY_NESTING");
  assert.equal(
    await below({ name: "usr/share/a", type: "symlink", target: "b" }, { name: "usr/share/a.x" }, {
      name: "usr/share/a/b/c",
    }),
    "E_ENTRY_NESTING",
  );
  assert.equal(
    await below({ name: "usr/share/a" }, { name: "usr/share/a.x" }, { name: "usr/share/a0" }, {
      name: "usr/share/aa/b",
    }),
    undefined,
  );
});

Deno.test("F-LAY-09: a package without payload is legal, and parents need not be listed", async () => {
  assert.equal(await refusalOf({ payload: [] }), undefined);
  assert.equal(await refusalOf({ payload: [{ name: "usr/share/demo/x" }] }), undefined);
});

Deno.test("F-LAY-10: no second archive after the first", async () => {
  assert.equal(await refusalOf({ archive: (tar) => new Uint8Array(Buffer.concat([tar, tar])) }), "E_TAR_TRAILING");
  assert.equal(
    await refusalOf({ archive: (tar) => new Uint8Array(Buffer.concat([tar, entryBytes({ name: "x" })])) }),
    "E_TAR_TRAILING",
  );
});

Deno.test("F-SIG-04: an extended header before the signature is never legal", async () => {
  const sign = (content: Uint8Array): RawEntry => ({ name: ".peipkg/signature", content });
  const record = paxEntry(paxRecord("path", ".peipkg/signature"));
  assert.equal(await refusalOf({ arrange: (entries) => [...entries, record], sign }), "E_TAR_PAX_UNNEEDED");
});
