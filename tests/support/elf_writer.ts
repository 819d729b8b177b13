/** Small ELF files for tests: one loaded segment, one dynamic section, and room to lie about any field. */

export interface ElfSpec {
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly isWide?: boolean;
  readonly isLittle?: boolean;
  /** `e_type`; 3: shared object. */
  readonly type?: number;
  /** Added to the address of the string table. */
  readonly stringShift?: number;
  /** Instead of the string table's size. */
  readonly stringBytes?: number;
  /** Instead of the number of segments. */
  readonly segments?: number;
  /** Instead of the size of the dynamic section. */
  readonly dynamicBytes?: number;
}

const LOAD_ADDRESS = 0x10000;
const ENTRY_COUNT = 2;

/** Makes a file. */
export function elfOf(spec: ElfSpec): Uint8Array {
  const { isWide = true, isLittle = true, type = 3, needed = [], soname } = spec;
  const headerBytes = isWide ? 64 : 52;
  const segmentBytes = isWide ? 56 : 32;
  const entryBytes = isWide ? 16 : 8;
  const strings = ["", ...(soname === undefined ? [] : [soname]), ...needed].map((text) => `${text}\0`);
  const encoded = new TextEncoder().encode(strings.join(""));
  const places = strings.map((_, index) => new TextEncoder().encode(strings.slice(0, index).join("")).length);
  const dynamicOffset = headerBytes + ENTRY_COUNT * segmentBytes;
  const names = places.slice(1);
  const entries: (readonly [tag: number, value: number])[] = [];
  if (soname !== undefined) entries.push([14, names.shift() ?? 0]);
  for (const place of names) entries.push([1, place]);
  const stringOffset = dynamicOffset + (entries.length + 3) * entryBytes;
  entries.push([5, LOAD_ADDRESS + stringOffset + (spec.stringShift ?? 0)]);
  entries.push([10, spec.stringBytes ?? encoded.length], [0, 0]);

  const bytes = new Uint8Array(stringOffset + encoded.length);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, isWide ? 2 : 1, isLittle ? 1 : 2, 1]);
  bytes.set(encoded, stringOffset);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void =>
    isWide ? view.setBigUint64(at, BigInt(value), isLittle) : view.setUint32(at, value, isLittle);
  view.setUint16(16, type, isLittle);
  word(isWide ? 32 : 28, headerBytes);
  view.setUint16(isWide ? 54 : 42, segmentBytes, isLittle);
  view.setUint16(isWide ? 56 : 44, spec.segments ?? ENTRY_COUNT, isLittle);
  const segments = [
    { type: 1, offset: 0, address: LOAD_ADDRESS, size: bytes.length },
    { type: 2, offset: dynamicOffset, address: LOAD_ADDRESS, size: spec.dynamicBytes ?? entries.length * entryBytes },
  ];
  for (const [index, segment] of segments.entries()) {
    const at = headerBytes + index * segmentBytes;
    view.setUint32(at, segment.type, isLittle);
    word(at + (isWide ? 8 : 4), segment.offset);
    word(at + (isWide ? 16 : 8), segment.address);
    word(at + (isWide ? 32 : 16), segment.size);
  }
  for (const [index, [tag, value]] of entries.entries()) {
    word(dynamicOffset + index * entryBytes, tag);
    word(dynamicOffset + index * entryBytes + entryBytes / 2, value);
  }
  return bytes;
}
