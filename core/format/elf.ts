/**
 * The dynamic section of an ELF file: which shared library it is, and which it needs. Files are foreign even when a
 * package installed them, so every offset is checked against the file, every count is capped, and only what is asked
 * for is read. A file that is not as it should be has no answer; it is never an error.
 */

/** A file that can be read at any place. */
export interface ElfSource {
  readonly sizeBytes: number;
  /** Reads at an offset; returns the bytes read, 0 at the end. */
  readAt(buffer: Uint8Array, offset: number): number;
}

/** What the dynamic section says. Names are as written; they may hold directories. */
export interface ElfLinkage {
  /** The name the file wants to be found by; `undefined`: it states none. */
  readonly soname: string | undefined;
  /** In the order of the file. */
  readonly needed: readonly string[];
}

const HEADER_BYTES = 64;
const IDENT_CLASS = 4;
const IDENT_DATA = 5;
const EXECUTABLE = 2;
const SHARED = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_STRSZ = 10n;
const DT_SONAME = 14n;
/** Linkers write a dozen segments, and a few hundred entries; these allow for far more. */
const MAX_SEGMENTS = 512;
const MAX_DYNAMIC_BYTES = 256 * 1024;
const MAX_NEEDED = 4096;
const NAME_BYTES = 1024;

/** Where the fields of both classes lie. */
interface Fields {
  readonly isWide: boolean;
  readonly isLittle: boolean;
}

interface Segment {
  readonly type: number;
  readonly offset: bigint;
  readonly address: bigint;
  readonly fileBytes: bigint;
}

/**
 * Reads what a file is linked as and against.
 *
 * @returns `undefined` when it is no ELF executable or library with a sound dynamic section.
 * @see C-SHLIB-01
 */
export function readElfLinkage(source: ElfSource): ElfLinkage | undefined {
  const header = readBytes(source, 0n, HEADER_BYTES);
  const fields = header === undefined ? undefined : readIdentity(header);
  if (header === undefined || fields === undefined) return undefined;
  const segments = readSegments(source, header, fields);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined || dynamic.fileBytes > BigInt(MAX_DYNAMIC_BYTES)) return undefined;
  const bytes = readBytes(source, dynamic.offset, Number(dynamic.fileBytes));
  return bytes === undefined ? undefined : readDynamic(source, bytes, fields, segments);
}

function readIdentity(header: Uint8Array): Fields | undefined {
  const isElf = header[0] === 0x7f && header[1] === 0x45 && header[2] === 0x4c && header[3] === 0x46;
  const width = header[IDENT_CLASS], order = header[IDENT_DATA];
  if (!isElf || (width !== 1 && width !== 2) || (order !== 1 && order !== 2)) return undefined;
  const fields = { isWide: width === 2, isLittle: order === 1 };
  const type = viewOf(header).getUint16(16, fields.isLittle);
  return type === EXECUTABLE || type === SHARED ? fields : undefined;
}

function readSegments(source: ElfSource, header: Uint8Array, fields: Fields): readonly Segment[] {
  const { isWide, isLittle } = fields;
  const view = viewOf(header);
  const offset = isWide ? view.getBigUint64(32, isLittle) : BigInt(view.getUint32(28, isLittle));
  const entryBytes = view.getUint16(isWide ? 54 : 42, isLittle);
  const count = view.getUint16(isWide ? 56 : 44, isLittle);
  if (count > MAX_SEGMENTS || entryBytes < (isWide ? 56 : 32)) return [];
  const table = readBytes(source, offset, entryBytes * count);
  if (table === undefined) return [];
  const entries = viewOf(table);
  return Array.from({ length: count }, (_, index) => {
    const at = index * entryBytes;
    const word = (wide: number, narrow: number): bigint =>
      isWide ? entries.getBigUint64(at + wide, isLittle) : BigInt(entries.getUint32(at + narrow, isLittle));
    return {
      type: entries.getUint32(at, isLittle),
      offset: word(8, 4),
      address: word(16, 8),
      fileBytes: word(32, 16),
    };
  });
}

function readDynamic(
  source: ElfSource,
  bytes: Uint8Array,
  { isWide, isLittle }: Fields,
  segments: readonly Segment[],
): ElfLinkage | undefined {
  const view = viewOf(bytes);
  const entryBytes = isWide ? 16 : 8;
  const single = new Map<bigint, bigint>();
  const needed: bigint[] = [];
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
    const tag = isWide ? view.getBigUint64(at, isLittle) : BigInt(view.getUint32(at, isLittle));
    const value = isWide ? view.getBigUint64(at + 8, isLittle) : BigInt(view.getUint32(at + 4, isLittle));
    if (tag === DT_NULL) break;
    if (tag === DT_NEEDED) needed.push(value);
    else if (!single.has(tag)) single.set(tag, value);
  }
  const address = single.get(DT_STRTAB), size = single.get(DT_STRSZ);
  const start = address === undefined ? undefined : fileOffset(segments, address);
  if (start === undefined || size === undefined || needed.length > MAX_NEEDED) return undefined;
  const nameAt = (place: bigint) => place < size ? readName(source, start + place, size - place) : undefined;
  const sonamePlace = single.get(DT_SONAME);
  const soname = sonamePlace === undefined ? undefined : nameAt(sonamePlace);
  const names = needed.map(nameAt);
  if ((sonamePlace !== undefined && soname === undefined) || names.includes(undefined)) return undefined;
  return { soname, needed: names.filter((name) => name !== undefined) };
}

/** The dynamic section speaks of addresses; segments say where in the file they are. */
function fileOffset(segments: readonly Segment[], address: bigint): bigint | undefined {
  const segment = segments.find((item) =>
    item.type === PT_LOAD && address >= item.address && address - item.address < item.fileBytes
  );
  return segment === undefined ? undefined : segment.offset + (address - segment.address);
}

/** A name up to its NUL; one that is empty, endless or no UTF-8 is none. */
function readName(source: ElfSource, offset: bigint, available: bigint): string | undefined {
  const length = available < BigInt(NAME_BYTES) ? Number(available) : NAME_BYTES;
  const start = toOffset(source, offset);
  if (start === undefined) return undefined;
  const bytes = new Uint8Array(Math.min(length, source.sizeBytes - start));
  if (source.readAt(bytes, start) !== bytes.length) return undefined;
  const end = bytes.indexOf(0);
  if (end <= 0) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end));
  } catch {
    return undefined;
  }
}

/** Exactly `length` bytes, or nothing. */
function readBytes(source: ElfSource, offset: bigint, length: number): Uint8Array | undefined {
  const start = toOffset(source, offset);
  if (start === undefined || length > source.sizeBytes - start) return undefined;
  const bytes = new Uint8Array(length);
  return source.readAt(bytes, start) === length ? bytes : undefined;
}

function toOffset(source: ElfSource, offset: bigint): number | undefined {
  return offset <= BigInt(source.sizeBytes) ? Number(offset) : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
