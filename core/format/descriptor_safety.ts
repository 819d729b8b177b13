/**
 * Descriptors that are well-formed and still refused for every repository (the additional checks of
 * audit-and-security.md section 7.6): what the kernel would not take, and what nobody means.
 */
import { type AccessEntry, CONTROL, readDescriptor } from "./descriptor_reader.ts";

const HEADER_BYTES = 20;
const NAME_BYTES = 512;
const MAX_VALUES = 1024;
const INTEGER_BYTES = 8;
/** Value types of a claim entry: integers (signed, unsigned), text, SID, truth value, bytes. */
const INTEGER_TYPES: readonly number[] = [0x0001, 0x0002, 0x0006];
const TEXT_TYPE = 0x0003;
const BLOB_TYPES: readonly number[] = [0x0005, 0x0010];
const CLAIM_HEADER_BYTES = 16;

/**
 * Finds what makes a well-formed descriptor unsafe.
 *
 * @param bytes A descriptor without syntax fault.
 * @returns What is wrong, as the end of a sentence; `undefined` for a safe descriptor.
 * @see A-SDF-11, A-SDF-12, A-SDF-14, A-SDF-15, A-SDF-16
 */
export function findDescriptorDanger(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const control = view.getUint16(2, true);
  const [owner, group, sacl, dacl] = [4, 8, 12, 16].map((at) => view.getUint32(at, true));
  // A-SDF-12: present without a list reads as "access for everybody"; a list that is not present is never looked at.
  if (((control & CONTROL.daclPresent) !== 0) !== (dacl !== 0)) return "its DACL and the bit that announces it differ";
  if (((control & CONTROL.saclPresent) !== 0) !== (sacl !== 0)) return "its SACL and the bit that announces it differ";
  const extents = [
    ...[owner, group].filter((at) => at !== 0).map((at = 0) => [at, at + 8 + 4 * view.getUint8(at + 1)] as const),
    ...[sacl, dacl].filter((at) => at !== 0).map((at = 0) => [at, at + view.getUint16(at + 2, true)] as const),
  ].sort((a, b) => a[0] - b[0]);
  let end = HEADER_BYTES;
  for (const [from, to] of extents) {
    if (from < end) return "two of its parts lie over one another"; // A-SDF-11
    end = to;
  }
  const descriptor = readDescriptor(bytes);
  for (const list of [descriptor.sacl, descriptor.dacl]) {
    if (list === undefined) continue;
    if (list.revision < 2 || list.revision > 4) return `a list has revision ${list.revision}, expected 2 to 4`; // A-SDF-14
    for (const entry of list.entries) {
      const danger = findEntryDanger(entry);
      if (danger !== undefined) return danger;
    }
  }
  return undefined;
}

function findEntryDanger(entry: AccessEntry): string | undefined {
  if (entry.sizeBytes < 8) return `an entry has ${entry.sizeBytes} bytes, at least 8 are needed`; // A-SDF-15
  if (entry.family === "attribute" && !isClaimEntry(entry.data)) return "a resource attribute is malformed"; // A-SDF-16
  return undefined;
}

/** Name offset, value type, reserved, flags, value count, then one offset per value; offsets count from its start. */
function isClaimEntry(data: Uint8Array): boolean {
  if (data.length < CLAIM_HEADER_BYTES) return false;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const type = view.getUint16(4, true);
  const count = view.getUint32(12, true);
  if (count > MAX_VALUES || CLAIM_HEADER_BYTES + 4 * count > data.length) return false;
  if (!isText(view, view.getUint32(0, true), NAME_BYTES)) return false;
  if (!INTEGER_TYPES.includes(type) && type !== TEXT_TYPE && !BLOB_TYPES.includes(type)) return false;
  for (let index = 0; index < count; index++) {
    const at = view.getUint32(CLAIM_HEADER_BYTES + 4 * index, true);
    if (!isValue(view, type, at)) return false;
  }
  return true;
}

function isValue(view: DataView, type: number, at: number): boolean {
  if (INTEGER_TYPES.includes(type)) return at + INTEGER_BYTES <= view.byteLength;
  if (type === TEXT_TYPE) return isText(view, at, view.byteLength);
  return at + 4 <= view.byteLength && at + 4 + view.getUint32(at, true) <= view.byteLength;
}

/** UTF-16LE with its terminator inside the entry and within so many bytes. */
function isText(view: DataView, at: number, limitBytes: number): boolean {
  const end = Math.min(view.byteLength, at + limitBytes);
  for (let unit = at; unit + 2 <= end; unit += 2) if (view.getUint16(unit, true) === 0) return true;
  return false;
}
