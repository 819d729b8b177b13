/** The decoder for short frames beside the runtime's: whatever the input, both say the same. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import { ZstdDecoder, type ZstdDecoderOptions } from "../../../core/format/zstd.ts";
import { isZlibLoaded, openCodec } from "../../../core/format/zstd_codec.ts";
import { ShortFrameCodec } from "../../../core/format/zstd_short.ts";
import { mutateBytes } from "../../fuzz/mutate.ts";
import { Random } from "../../fuzz/target.ts";
import { buildPackage } from "../../support/package_builder.ts";

type Opener = NonNullable<ZstdDecoderOptions["codec"]>;

const NATIVE: Opener = { open: openCodec };
const SHORT: Opener = { open: (events) => new ShortFrameCodec(events) };
const LEVELS = [-5, 1, 3, 6, 12, 19];

interface Verdict {
  readonly rule: string | undefined;
  readonly content: Uint8Array;
}

async function decode(codec: Opener, file: Uint8Array, pieceBytes = file.length, bound = 1 << 20): Promise<Verdict> {
  const pieces: Uint8Array[] = [];
  using decoder = new ZstdDecoder({ codec, bound: () => bound, output: (bytes) => void pieces.push(bytes.slice()) });
  let rule: string | undefined;
  try {
    // Through one buffer, as files are read.
    const buffer = new Uint8Array(pieceBytes);
    for (let at = 0; at < file.length; at += pieceBytes) {
      const piece = file.subarray(at, at + pieceBytes);
      buffer.set(piece);
      await decoder.push(buffer.subarray(0, piece.length));
    }
    await decoder.finish();
  } catch (error) {
    if (!(error instanceof PeipkgError)) throw error;
    rule = error.detail.rule ?? error.code;
  }
  return { rule, content: Buffer.concat(pieces) };
}

/** The same verdict, the same content; of what is refused one may have passed on more than the other. */
async function assertSame(file: Uint8Array, what: string, pieceBytes?: number, bound?: number): Promise<Verdict> {
  const native = await decode(NATIVE, file, pieceBytes, bound);
  const short = await decode(SHORT, file, pieceBytes, bound);
  assert.equal(short.rule, native.rule, what);
  const common = short.rule === undefined ? Infinity : Math.min(native.content.length, short.content.length);
  assert.ok(Buffer.compare(native.content.subarray(0, common), short.content.subarray(0, common)) === 0, what);
  return short;
}

const TEXT = new TextEncoder().encode(await Deno.readTextFile(new URL(import.meta.url)));

/** Contents of many kinds: noise, few symbols, pieces of text in any order, long runs, mixtures. */
function contentOf(random: Random, lengthMax: number): Uint8Array {
  const kind = random.below(5);
  const content = new Uint8Array(random.below(lengthMax));
  for (let at = 0; at < content.length;) {
    const length = Math.min(1 + random.below(kind === 3 ? 4000 : 60), content.length - at);
    const from = random.below(TEXT.length - 60);
    for (let index = 0; index < length; index++, at++) {
      const noise = kind === 0 || (kind === 4 && from % 5 === 0);
      content[at] = noise
        ? random.below(256)
        : kind === 1
        ? 65 + random.below(4)
        : kind === 3
        ? from
        : TEXT[from + index % 60] ?? 0;
    }
  }
  return content;
}

function compress(content: Uint8Array, random: Random): Uint8Array {
  const params: Record<number, number> = {
    [constants.ZSTD_c_compressionLevel]: random.pick(LEVELS),
    [constants.ZSTD_c_checksumFlag]: random.below(2),
    [constants.ZSTD_c_contentSizeFlag]: random.below(2),
  };
  if (random.below(2) === 0) params[constants.ZSTD_c_windowLog] = 10 + random.below(8);
  // In one piece: at the edge of two, the runtime's encoder appends an empty frame.
  return new Uint8Array(zstdCompressSync(content, { params, chunkSize: 1 << 20 }));
}

// First, because nothing before it may have loaded the runtime's decoder.
Deno.test("F-ZST-01, F-ZST-02: short frames of every kind are decoded without the runtime's decoder", async () => {
  const random = new Random(1);
  for (let round = 0; round < 80; round++) {
    const content = contentOf(random, round % 10 === 0 ? 15_000 : 4000);
    const file = compress(content, random);
    const { rule, content: found } = await decode(SHORT, file, random.pick([file.length, 1000, 7]));
    assert.equal(rule, undefined, `round ${round}`);
    assert.ok(Buffer.compare(found, content) === 0, `round ${round}`);
  }
  assert.equal((await decode(SHORT, await buildPackage())).rule, undefined);
  assert.equal(isZlibLoaded(), false);
});

Deno.test("F-ZST-01 … F-ZST-06: both decoders refuse the same frames with the same code", async () => {
  const honest = await buildPackage({ checksum: true });
  const content = new Uint8Array(100_000).map((_, at) => at * at >> 7);
  const noise = new Uint8Array(60_000).map((_, at) => Math.imul(at, 2654435761) >>> 13);
  const large = new Uint8Array(zstdCompressSync(noise));
  const bomb = new Uint8Array(zstdCompressSync(new Uint8Array(64 * 1024 * 1024)));
  const repeated = Uint8Array.of(
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0,
    0x58,
    ...Array(600).fill([2, 0, 0x10, 7]).flat(),
    3,
    0,
    0,
    1,
  );
  const cases: Readonly<Record<string, readonly [Uint8Array, string | undefined]>> = {
    "an honest package": [honest, undefined],
    "an empty file": [new Uint8Array(), "E_ZSTD_MAGIC"],
    "another magic": [honest.with(0, 0x29), "E_ZSTD_MAGIC"],
    "a skippable frame first": [Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0, ...honest), "E_ZSTD_MAGIC"],
    "a skippable frame last": [Uint8Array.of(...honest, 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0), "E_ZSTD_TRAILING"],
    "two frames": [Uint8Array.of(...honest, ...honest), "E_ZSTD_TRAILING"],
    "a wrong checksum": [honest.with(-1, (honest.at(-1) ?? 0) ^ 1), "E_ZSTD_CORRUPT"],
    "a dictionary": [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 1, 0x58, 7, 1, 0, 0), "E_ZSTD_DICTIONARY"],
    "a window too large": [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3 | 1, 1, 0, 0), "E_ZSTD_WINDOW"],
    "a window of 128 MiB": [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 1, 0, 0), undefined],
    "a wrong content size": [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 2, 9, 0, 0, 65), "E_ZSTD_CORRUPT"],
    "nothing in it": [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0), undefined],
    "long content": [new Uint8Array(zstdCompressSync(content)), undefined],
    "a long file": [large, undefined],
    "a bomb": [bomb, "E_LIMIT_DECOMPRESSED"],
    "a bomb of repeated bytes": [repeated, "E_LIMIT_DECOMPRESSED"],
  };
  for (const [name, [file, rule]] of Object.entries(cases)) {
    for (const pieceBytes of [Math.max(1, file.length), 1024, 13]) {
      const found = await assertSame(file, name, pieceBytes);
      assert.equal(found.rule, rule, name);
      assert.ok(found.content.length <= 1 << 20, name);
    }
  }
  for (let cut = 0; cut < honest.length; cut += cut < 40 ? 1 : 17) {
    const { rule } = await assertSame(honest.subarray(0, cut), `cut to ${cut}`);
    assert.equal(rule, cut < 4 ? "E_ZSTD_MAGIC" : "E_ZSTD_CORRUPT", `cut to ${cut}`);
  }
});

Deno.test("F-ZST-01: both decoders say the same of damaged frames", async () => {
  const random = new Random(2);
  const rules = new Map<string | undefined, number>();
  for (let round = 0; round < 60; round++) {
    const file = compress(contentOf(random, round % 10 === 0 ? 300_000 : 3000), random);
    for (let change = 0; change < 12; change++) {
      // The tables come first, and there damage says most.
      const head = file.subarray(0, random.below(2) === 0 ? 80 : file.length);
      const damaged = new Uint8Array([...mutateBytes(head, random, []), ...file.subarray(head.length)]);
      const { rule } = await assertSame(
        damaged,
        `round ${round}, change ${change}`,
        random.pick([damaged.length, 500]),
      );
      rules.set(rule, (rules.get(rule) ?? 0) + 1);
    }
  }
  assert.ok((rules.get(undefined) ?? 0) > 50 && (rules.get("E_ZSTD_CORRUPT") ?? 0) > 100, JSON.stringify([...rules]));
});
