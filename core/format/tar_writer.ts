/** Header blocks of package archives, byte for byte as section 15 fixes them. */
import { BLOCK_BYTES, checksumOf, FIELDS, NAME_BYTES } from "./tar_header.ts";

/** Which of the two emission profiles names are encoded by (F-PRO-12, F-PRO-15). */
export type NameEncoding = "reference" | "late";

/** An entry to write. */
export interface OutputEntry {
  readonly type: "file" | "dir" | "symlink";
  /** A directory's with its slash. */
  readonly wireName: string;
  readonly sizeBytes: number;
  readonly target?: string;
}

/** Two zero blocks and nothing else (F-PRO-05). */
export const CLOSING_BYTES = 2 * BLOCK_BYTES;

/** Bytes of padding after content of a size. */
export function paddingBytes(sizeBytes: number): number {
  return (BLOCK_BYTES - sizeBytes % BLOCK_BYTES) % BLOCK_BYTES;
}

/**
 * Writes the header of an entry, preceded by its extended header when the names need one.
 *
 * @param mtime Seconds since the epoch, at most what eleven octal digits hold.
 * @see F-PRO-05, F-PRO-12 … F-PRO-15
 */
export function writeHeaders(entry: OutputEntry, mtime: number, encoding: NameEncoding): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const name = encoder.encode(entry.wireName);
  const target = encoder.encode(entry.target ?? "");
  const longName = name.length > NAME_BYTES || !isAscii(name);
  const longTarget = target.length > NAME_BYTES || !isAscii(target);
  if (!longName && !longTarget) return mainHeader(entry, mtime, name, target, NO_BYTES);
  const split = longName && !longTarget && isAscii(name) && encoding === "reference" ? splitAt(name) : 0;
  if (split > 0) return mainHeader(entry, mtime, name.subarray(split + 1), target, name.subarray(0, split));
  const path = longName ? [record("path", name)] : [];
  const linkpath = longTarget ? [record("linkpath", target)] : [];
  const body = concat(encoding === "late" ? [...path, ...linkpath] : [...linkpath, ...path]);
  const padded = new Uint8Array(body.length + paddingBytes(body.length));
  padded.set(body);
  return concat([
    extendedHeader(name, body.length),
    padded,
    mainHeader(entry, mtime, shortened(name), shortened(target), NO_BYTES),
  ]);
}

const NO_BYTES = new Uint8Array();
const PREFIX_BYTES = FIELDS.prefix[1];
const TYPE_CODES = { file: 0x30, dir: 0x35, symlink: 0x32 } as const;
const PAX_CODE = 0x78;
const SLASH = 0x2f;

/** F-PRO-13: where a name splits into prefix and name; 0 when it does not. */
function splitAt(name: Uint8Array): number {
  const searched = name[name.length - 1] === SLASH ? name.subarray(0, -1) : name;
  const at = searched.subarray(0, PREFIX_BYTES + 1).lastIndexOf(SLASH);
  const rest = name.length - at - 1;
  return at >= 1 && at <= PREFIX_BYTES && rest >= 1 && rest <= NAME_BYTES ? at : 0;
}

/** F-PRO-12 (c): ASCII bytes, cut to the field; a slash that the cut leaves at the end becomes NUL. */
function shortened(name: Uint8Array): Uint8Array {
  const ascii = name.filter((byte) => byte < 0x80);
  if (ascii.length <= NAME_BYTES) return ascii;
  return ascii.subarray(0, ascii[NAME_BYTES - 1] === SLASH ? NAME_BYTES - 1 : NAME_BYTES);
}

function mainHeader(
  entry: OutputEntry,
  mtime: number,
  name: Uint8Array,
  target: Uint8Array,
  prefix: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(name, FIELDS.name[0]);
  block.set(target, FIELDS.linkname[0]);
  block.set(prefix, FIELDS.prefix[0]);
  putText(block, FIELDS.uname[0], "root");
  putText(block, FIELDS.gname[0], "root");
  putOctal(block, FIELDS.devmajor, 0);
  putOctal(block, FIELDS.devminor, 0);
  return finishHeader(block, 0o777, entry.sizeBytes, mtime, TYPE_CODES[entry.type]);
}

/** F-PRO-14: an anonymous header, named after the entry it describes. */
function extendedHeader(name: Uint8Array, bodyBytes: number): Uint8Array<ArrayBuffer> {
  const slash = name.lastIndexOf(SLASH);
  const parts = [name.subarray(0, slash + 1), new TextEncoder().encode("PaxHeaders.0"), NO_BYTES, NO_BYTES];
  if (slash < name.length - 1) {
    parts[2] = Uint8Array.of(SLASH);
    parts[3] = name.subarray(slash + 1);
  }
  let ascii = concat(parts).filter((byte) => byte < 0x80).subarray(0, NAME_BYTES);
  while (ascii.at(-1) === SLASH) ascii = ascii.subarray(0, -1);
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(ascii, FIELDS.name[0]);
  return finishHeader(block, 0, bodyBytes, 0, PAX_CODE);
}

function finishHeader(
  block: Uint8Array<ArrayBuffer>,
  mode: number,
  sizeBytes: number,
  mtime: number,
  type: number,
): Uint8Array<ArrayBuffer> {
  putOctal(block, FIELDS.mode, mode);
  putOctal(block, FIELDS.uid, 0);
  putOctal(block, FIELDS.gid, 0);
  putOctal(block, FIELDS.size, sizeBytes);
  putOctal(block, FIELDS.mtime, mtime);
  block[FIELDS.type[0]] = type;
  putText(block, FIELDS.magic[0], "ustar\0" + "00");
  putText(block, FIELDS.checksum[0], `${checksumOf(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

function putText(block: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i);
}

function putOctal(block: Uint8Array, field: readonly [number, number], value: number): void {
  putText(block, field[0], value.toString(8).padStart(field[1] - 1, "0"));
}

/** A pax record; its length counts its own digits. */
function record(key: string, value: Uint8Array): Uint8Array {
  const fixed = key.length + value.length + 3; // space, equals sign, line feed
  let length = fixed + String(fixed).length;
  if (String(length).length > String(fixed).length) length = fixed + String(length).length;
  return concat([new TextEncoder().encode(`${length} ${key}=`), value, Uint8Array.of(0x0a)]);
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
