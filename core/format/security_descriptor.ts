/**
 * Syntax of self-relative security descriptors (section 9.2): every offset, length and count is checked against the
 * bytes that are there. What a descriptor grants is judged elsewhere.
 */

const HEADER_BYTES = 20;
const MAX_BYTES = 65_535;
const ACL_HEADER_BYTES = 8;
const ACE_HEADER_BYTES = 4;
const SID_HEADER_BYTES = 8;
const GUID_BYTES = 16;

const SELF_RELATIVE = 0x8000;
const DACL_PRESENT = 0x0004;
const SACL_PRESENT = 0x0010;

/** Shape of an ACE's body by type; types without one are opaque. */
const ACE_SHAPES: ReadonlyMap<number, "plain" | "object" | "plain-data" | "object-data" | "label"> = new Map([
  ...[0x00, 0x01, 0x02, 0x03, 0x11, 0x13, 0x14].map((type) => [type, "plain"] as const),
  ...[0x05, 0x06, 0x07, 0x08].map((type) => [type, "object"] as const),
  ...[0x09, 0x0a, 0x0d, 0x0e].map((type) => [type, "plain-data"] as const),
  ...[0x0b, 0x0c, 0x0f, 0x10].map((type) => [type, "object-data"] as const),
  [0x12, "label"] as const,
]);

/**
 * Checks the syntax of a self-relative security descriptor.
 *
 * @returns What is wrong, as the end of a sentence; `undefined` for a valid descriptor.
 * @see F-SDO-04
 */
export function findDescriptorFault(bytes: Uint8Array): string | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_BYTES) {
    return `it has ${bytes.length} bytes, expected ${HEADER_BYTES} to ${MAX_BYTES}`;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== 1) return "its revision is not 1";
  const control = view.getUint16(2, true);
  if ((control & SELF_RELATIVE) === 0) return "it is not self-relative";
  for (const [at, name] of [[4, "owner"], [8, "group"], [12, "SACL"], [16, "DACL"]] as const) {
    const offset = view.getUint32(at, true);
    if (offset !== 0 && (offset < HEADER_BYTES || offset >= bytes.length)) return `its ${name} lies outside the bytes`;
  }
  const owner = view.getUint32(4, true);
  const group = view.getUint32(8, true);
  const sacl = view.getUint32(12, true);
  const dacl = view.getUint32(16, true);
  if (owner !== 0 && sidBytes(view, owner, bytes.length) === undefined) return "its owner is no valid SID";
  if (group !== 0 && sidBytes(view, group, bytes.length) === undefined) return "its group is no valid SID";
  if (sacl !== 0 && (control & SACL_PRESENT) !== 0 && !isAcl(view, sacl)) return "its SACL is no valid ACL";
  if (dacl !== 0 && (control & DACL_PRESENT) !== 0 && !isAcl(view, dacl)) return "its DACL is no valid ACL";
  return undefined;
}

/** Length of the SID at `at`, or `undefined` when it is malformed or passes `end`. */
function sidBytes(view: DataView, at: number, end: number): number | undefined {
  if (at + SID_HEADER_BYTES > end || view.getUint8(at) !== 1) return undefined;
  const count = view.getUint8(at + 1);
  const length = SID_HEADER_BYTES + 4 * count;
  return count <= 15 && at + length <= end ? length : undefined;
}

function isAcl(view: DataView, at: number): boolean {
  if (at + ACL_HEADER_BYTES > view.byteLength) return false;
  const size = view.getUint16(at + 2, true);
  if (size < ACL_HEADER_BYTES || at + size > view.byteLength) return false;
  const end = at + size;
  let ace = at + ACL_HEADER_BYTES;
  for (let left = view.getUint16(at + 4, true); left > 0; left--) {
    if (ace + ACE_HEADER_BYTES > end) return false;
    const aceSize = view.getUint16(ace + 2, true);
    if (aceSize < ACE_HEADER_BYTES || aceSize % 4 !== 0 || ace + aceSize > end) return false;
    if (!isAceBody(view, ace, ace + aceSize)) return false;
    ace += aceSize;
  }
  return ace === end;
}

function isAceBody(view: DataView, ace: number, end: number): boolean {
  const shape = ACE_SHAPES.get(view.getUint8(ace));
  if (shape === undefined) return true;
  let at = ace + ACE_HEADER_BYTES + 4; // after the mask
  if (shape === "object" || shape === "object-data") {
    if (at + 4 > end) return false;
    const flags = view.getUint32(at, true);
    at += 4 + ((flags & 1) !== 0 ? GUID_BYTES : 0) + ((flags & 2) !== 0 ? GUID_BYTES : 0);
  }
  const length = sidBytes(view, at, end);
  if (length === undefined) return false;
  if (shape === "label") return isEveryone(view, at) && at + length < end;
  return shape === "plain" || shape === "object" ? at + length === end : true;
}

/** S-1-1-0 */
function isEveryone(view: DataView, at: number): boolean {
  return view.getUint8(at + 1) === 1 && view.getUint16(at + 2) === 0 && view.getUint32(at + 4) === 1 &&
    view.getUint32(at + 8, true) === 0;
}
