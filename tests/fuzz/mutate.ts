/** Changes to inputs: bytes, words of a grammar, tokens of JSON, blocks of an archive. */
import { Buffer } from "node:buffer";
import { checksumOf, FIELDS } from "../../core/format/tar_header.ts";
import type { Random } from "./target.ts";

/** Inputs never grow beyond this, so that a run stays fast. */
const MAX_BYTES = 64 * 1024;

const INTERESTING = [0x00, 0x01, 0x0a, 0x20, 0x22, 0x2e, 0x2f, 0x30, 0x5c, 0x7f, 0x80, 0xc0, 0xed, 0xff];

/** Changes a few bytes, inserts, removes or repeats pieces, or puts words in. */
export function mutateBytes(input: Uint8Array, random: Random, words: readonly string[]): Uint8Array {
  let bytes = Buffer.from(input);
  for (let change = random.below(4) + 1; change > 0; change--) {
    const at = random.below(bytes.length + 1);
    const length = Math.min(1 + random.below(16), bytes.length - at);
    const before = bytes.subarray(0, at);
    const after = bytes.subarray(at + length);
    switch (random.below(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ 1 << random.below(8);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random.pick(INTERESTING);
        break;
      case 2:
        bytes = Buffer.concat([before, after]);
        break;
      case 3:
        bytes = Buffer.concat([before, bytes.subarray(at, at + length), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([before, Buffer.from([random.pick(INTERESTING)]), bytes.subarray(at)]);
        break;
      case 5:
        if (words.length > 0) bytes = Buffer.concat([before, Buffer.from(random.pick(words)), bytes.subarray(at)]);
        break;
      case 6:
        if (random.below(8) === 0) bytes = Buffer.from(before);
        break;
    }
  }
  return bytes.subarray(0, MAX_BYTES);
}

const TOKEN_REGEXP = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;
const JSON_WORDS = [
  "null",
  "true",
  "0",
  "1",
  "-1",
  "1e0",
  "18446744073709551616",
  '""',
  "[]",
  "{}",
  '"\\ud800"',
  '"a"',
  "{",
  "[",
];

/** Swaps, repeats, drops and replaces tokens of a JSON text. */
export function mutateJson(input: Uint8Array, random: Random): Uint8Array {
  const tokens: string[] = new TextDecoder().decode(input).match(TOKEN_REGEXP) ?? [];
  for (let change = random.below(3) + 1; change > 0 && tokens.length > 0; change--) {
    const at = random.below(tokens.length);
    const other = random.below(tokens.length);
    switch (random.below(5)) {
      case 0:
        [tokens[at], tokens[other]] = [tokens[other] ?? "", tokens[at] ?? ""];
        break;
      case 1:
        tokens.splice(at, 1);
        break;
      case 2:
        tokens[at] = random.pick(JSON_WORDS);
        break;
      case 3:
        tokens.splice(at, 0, ...tokens.slice(other, other + 1 + random.below(8)));
        break;
      case 4:
        tokens[at] = tokens[other] ?? "";
        break;
    }
  }
  return new TextEncoder().encode(tokens.join("")).subarray(0, MAX_BYTES);
}

const FIELD_NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
const FIELD_TEXTS = [
  "",
  "0",
  "0000777",
  "77777777777",
  "x",
  "g",
  "5",
  "2",
  "1",
  "root",
  "../x",
  "usr/",
  ".peipkg/signature",
  "\xff",
];

/** Changes header fields with right checksums, moves, repeats and drops blocks of an archive. */
export function mutateArchive(input: Uint8Array, random: Random): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < input.length; at += 512) blocks.push(input.slice(at, at + 512));
  for (let change = random.below(3) + 1; change > 0 && blocks.length > 0; change--) {
    const at = random.below(blocks.length);
    const block = blocks[at];
    switch (random.below(5)) {
      case 0:
        blocks.splice(at, 1);
        break;
      case 1:
        blocks.splice(at, 0, blocks[random.below(blocks.length)]?.slice() ?? new Uint8Array(512));
        break;
      case 2:
        blocks.splice(at, 0, new Uint8Array(512));
        break;
      default:
        if (block !== undefined && block.length === 512) mutateHeader(block, random);
    }
  }
  return Buffer.concat(blocks).subarray(0, MAX_BYTES);
}

function mutateHeader(block: Uint8Array, random: Random): void {
  const [at, length] = FIELDS[random.pick(FIELD_NAMES)];
  if (random.below(2) === 0) {
    block.fill(0, at, at + length);
    block.set(new TextEncoder().encode(random.pick(FIELD_TEXTS)).subarray(0, length), at);
  } else {
    block[at + random.below(length)] = random.pick(INTERESTING);
  }
  if (random.below(8) === 0) return; // now and then the checksum stays wrong
  const [sumAt] = FIELDS.checksum;
  block.set(new TextEncoder().encode(`${checksumOf(block).toString(8).padStart(6, "0")}\0 `), sumAt);
}
