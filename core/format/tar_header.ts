/**
 * One 512-byte header block, checked field by field as the table of section 6 demands, and the records of a pax
 * extended header. Nothing here looks at more than one entry.
 */
import { type PeipkgError, ruleError } from "../errors.ts";
import { LIMITS } from "./limits.ts";

export const BLOCK_BYTES = 512;

/** Where fields of a header stand: offset and length. */
export const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  uname: [265, 32],
  gname: [297, 32],
  devmajor: [329, 8],
  devminor: [337, 8],
  prefix: [345, 155],
  tail: [500, 12],
} as const;

type Field = readonly [offset: number, length: number];

/** Bytes of the name and linkname fields; longer names need another encoding (F-PAX-05). */
export const NAME_BYTES = 100;

export type HeaderType = "file" | "dir" | "symlink" | "pax";

/** A header that satisfies every rule about single fields. Names are still bytes of the block. */
export interface TarHeader {
  readonly type: HeaderType;
  readonly sizeBytes: number;
  /** Seconds since the epoch; 0 for a pax header, whose time means nothing. */
  readonly mtime: number;
  /** Bytes in use of each text field. */
  readonly nameBytes: number;
  readonly linknameBytes: number;
  readonly prefixBytes: number;
}

/** Values of the records of one pax header, as bytes not yet decoded. */
export interface PaxRecords {
  readonly path: Uint8Array | undefined;
  readonly linkpath: Uint8Array | undefined;
}

const MAGIC = [0x75, 0x73, 0x74, 0x61, 0x72, 0x00, 0x30, 0x30]; // `ustar`, NUL, `00`
const ROOT = [0x72, 0x6f, 0x6f, 0x74];
const MODE = 0o777;

/**
 * Reads a header block that is not all zero.
 *
 * @throws {PeipkgError} `format` (`E_TAR_MAGIC`, `E_TAR_CHECKSUM`, `E_TAR_TYPE`, `E_TAR_PAX_GLOBAL`,
 *   `E_TAR_NUMERIC`, `E_TAR_MODE`, `E_TAR_OWNER`, `E_TAR_SIZE`, `E_TAR_LINKNAME`, `E_TAR_DEVICE`, `E_TAR_PADDING`)
 * @see F-TAR-01 … F-TAR-03, F-TAR-06, F-PAX-01
 */
export function readHeader(block: Uint8Array): TarHeader {
  if (!startsWith(block, FIELDS.magic[0], MAGIC)) throw badHeader("E_TAR_MAGIC", `magic is not "ustar" version "00"`);
  if (readNumber(block, FIELDS.checksum, "checksum") !== checksumOf(block)) {
    throw badHeader("E_TAR_CHECKSUM", "its checksum does not match its bytes");
  }
  const type = readType(block[FIELDS.type[0]] ?? 0);
  const sizeBytes = readNumber(block, FIELDS.size, "size");
  const nameBytes = textBytes(block, FIELDS.name, "name");
  const linknameBytes = textBytes(block, FIELDS.linkname, "linkname");
  const prefixBytes = textBytes(block, FIELDS.prefix, "prefix");
  checkCommon(block, type, sizeBytes, linknameBytes);
  if (type === "pax") return { type, sizeBytes, mtime: 0, nameBytes, linknameBytes, prefixBytes };
  if (readNumber(block, FIELDS.mode, "mode") !== MODE) throw badHeader("E_TAR_MODE", "its mode is not 0777");
  const mtime = readNumber(block, FIELDS.mtime, "mtime");
  if (!isRoot(block, FIELDS.uname) || !isRoot(block, FIELDS.gname)) {
    throw badHeader("E_TAR_OWNER", `its owner names are not "root"`);
  }
  return { type, sizeBytes, mtime, nameBytes, linknameBytes, prefixBytes };
}

/** Whether a block is all zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Unsigned sum of a block's bytes with the checksum field taken as spaces. */
export function checksumOf(block: Uint8Array): number {
  const [from, length] = FIELDS.checksum;
  let sum = 0x20 * length;
  for (let i = 0; i < from; i++) sum += block[i] ?? 0;
  for (let i = from + length; i < BLOCK_BYTES; i++) sum += block[i] ?? 0;
  return sum;
}

/**
 * Reads the body of a pax header.
 *
 * @throws {PeipkgError} `format` (`E_TAR_PAX_SIZE`, `E_TAR_PAX_SYNTAX`, `E_TAR_PAX_KEY`)
 * @see F-PAX-02 … F-PAX-04, F-PAX-06
 */
export function readPaxRecords(body: Uint8Array): PaxRecords {
  let path: Uint8Array | undefined;
  let linkpath: Uint8Array | undefined;
  let at = 0;
  while (at < body.length) {
    const record = readPaxRecord(body, at);
    at = record.end;
    if (record.key === "path" && path === undefined) path = record.value;
    else if (record.key === "linkpath" && linkpath === undefined) linkpath = record.value;
    else if (record.key === "path" || record.key === "linkpath") throw badPax(`key "${record.key}" is repeated`);
    else {
      throw ruleError(
        "E_TAR_PAX_KEY",
        `cannot read extended header: key "${record.key}" is not allowed, expected "path" or "linkpath"`,
      );
    }
  }
  if (path === undefined && linkpath === undefined) throw badPax("it has no record");
  return { path, linkpath };
}

/** Refuses an extended header whose body is too big, before it is read (F-PAX-02). */
export function checkPaxSize(sizeBytes: number): void {
  if (sizeBytes <= LIMITS.paxBodyBytes) return;
  throw ruleError(
    "E_TAR_PAX_SIZE",
    `cannot read extended header: it has ${sizeBytes} bytes, limit is ${LIMITS.paxBodyBytes}`,
  );
}

function readType(code: number): HeaderType {
  switch (code) {
    case 0x00:
    case 0x30:
      return "file";
    case 0x35:
      return "dir";
    case 0x32:
      return "symlink";
    case 0x78:
      return "pax";
    case 0x67:
      throw badHeader("E_TAR_PAX_GLOBAL", "global extended headers are not allowed");
    default:
      throw badHeader("E_TAR_TYPE", `type 0x${code.toString(16)} is not file, directory or symlink`);
  }
}

/** The rows of the table that bind pax headers too (F-PAX-01). */
function checkCommon(block: Uint8Array, type: HeaderType, sizeBytes: number, linknameBytes: number): void {
  if (readNumber(block, FIELDS.uid, "uid") !== 0 || readNumber(block, FIELDS.gid, "gid") !== 0) {
    throw badHeader("E_TAR_OWNER", "its owner is not 0");
  }
  if (sizeBytes !== 0 && (type === "dir" || type === "symlink")) {
    throw badHeader("E_TAR_SIZE", `a directory or symlink has size ${sizeBytes}`);
  }
  if (linknameBytes !== 0 && type !== "symlink") throw badHeader("E_TAR_LINKNAME", "only a symlink has a link name");
  if (!isDeviceZero(block, FIELDS.devmajor) || !isDeviceZero(block, FIELDS.devminor)) {
    throw badHeader("E_TAR_DEVICE", "its device number is not 0");
  }
  const [from, length] = FIELDS.tail;
  if (!isZero(block.subarray(from, from + length))) throw badHeader("E_TAR_PADDING", "its last bytes are not NUL");
}

/** F-TAR-02: leading spaces, octal digits, then NUL or space to the end of the field. */
function readNumber(block: Uint8Array, field: Field, name: string): number {
  const end = field[0] + field[1];
  let at = field[0];
  while (at < end && block[at] === 0x20) at++;
  let value = 0;
  const firstDigit = at;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  let sound = at > firstDigit;
  for (; at < end; at++) sound = sound && (block[at] === 0x00 || block[at] === 0x20);
  if (!sound) throw badHeader("E_TAR_NUMERIC", `field "${name}" is no octal number`);
  return value;
}

/** F-TAR-03: octal zeros, or eight NUL bytes. */
function isDeviceZero(block: Uint8Array, field: Field): boolean {
  if (block[field[0]] === 0) return isZero(block.subarray(field[0], field[0] + field[1]));
  return readNumber(block, field, "device") === 0;
}

/** Bytes before the first NUL; everything after it must be NUL. */
function textBytes(block: Uint8Array, field: Field, name: string): number {
  const end = field[0] + field[1];
  let at = field[0];
  while (at < end && block[at] !== 0) at++;
  const used = at - field[0];
  for (; at < end; at++) {
    if (block[at] !== 0) throw badHeader("E_TAR_PADDING", `field "${name}" goes on after a NUL`);
  }
  return used;
}

function isRoot(block: Uint8Array, field: Field): boolean {
  if (!startsWith(block, field[0], ROOT)) return false;
  for (let at = field[0] + ROOT.length; at < field[0] + field[1]; at++) if (block[at] !== 0) return false;
  return true;
}

function startsWith(block: Uint8Array, at: number, bytes: readonly number[]): boolean {
  for (let i = 0; i < bytes.length; i++) if (block[at + i] !== bytes[i]) return false;
  return true;
}

interface PaxRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly end: number;
}

/** F-PAX-02: `<len> <key>=<value>` and a line feed, where `<len>` counts all of it. */
function readPaxRecord(body: Uint8Array, start: number): PaxRecord {
  let at = start;
  let length = 0;
  for (; at < body.length && at - start < 6; at++) {
    const digit = (body[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const end = start + length;
  if (at === start || body[start] === 0x30 || body[at] !== 0x20) throw badPax("a record has no plain length");
  if (end > body.length || end <= at + 1) throw badPax("a record's length does not fit");
  if (body[end - 1] !== 0x0a) throw badPax("a record does not end with a line feed");
  const content = body.subarray(at + 1, end - 1);
  const equals = content.indexOf(0x3d);
  const value = content.subarray(equals + 1);
  if (equals < 1 || value.length === 0) throw badPax("a record has no key or no value");
  if (content.includes(0)) throw badPax("a record holds a NUL");
  return { key: new TextDecoder("latin1").decode(content.subarray(0, equals)), value, end };
}

function badHeader(rule: Parameters<typeof ruleError>[0], found: string): PeipkgError {
  return ruleError(rule, `cannot read archive header: ${found}`);
}

function badPax(found: string): PeipkgError {
  return ruleError("E_TAR_PAX_SYNTAX", `cannot read extended header: ${found}`);
}
