/** Security identifiers: who a descriptor speaks of (audit-and-security.md section 7.3). */

const HEADER_BYTES = 8;
const MAX_SUB_AUTHORITIES = 15;
const SID_REGEXP = /^S-1-(?:0x[0-9a-f]{12}|0|[1-9]\d{0,9})(?:-(?:0|[1-9]\d{0,9})){0,15}$/;

/**
 * Binary SID as text; `undefined` when the bytes are none. Equal texts are equal bytes and the other way round.
 *
 * @param sid Revision, count, six bytes of authority (big-endian), then 32-bit sub-authorities (little-endian); what
 *   follows is not looked at.
 */
export function sidText(sid: Uint8Array): string | undefined {
  const count = sid[1] ?? 0;
  if (sid[0] !== 1 || count > MAX_SUB_AUTHORITIES || sid.length < HEADER_BYTES + 4 * count) return undefined;
  const view = new DataView(sid.buffer, sid.byteOffset, sid.byteLength);
  const upper = view.getUint16(2);
  const lower = view.getUint32(4);
  const authority = upper === 0
    ? String(lower)
    : `0x${upper.toString(16).padStart(4, "0")}${lower.toString(16).padStart(8, "0")}`;
  let text = `S-1-${authority}`;
  for (let index = 0; index < count; index++) text += `-${view.getUint32(HEADER_BYTES + 4 * index, true)}`;
  return text;
}

/** Whether `text` is a SID as `sidText()` writes one. */
export function isSid(text: string): boolean {
  if (!SID_REGEXP.test(text)) return false;
  return text.split("-").slice(2).every((part) => part.startsWith("0x") || Number(part) <= 0xffff_ffff);
}
