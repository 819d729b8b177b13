/** What the Peios kernel does with the components of a call, for the in-memory system. */

const FIELDS = [[1, 4], [2, 8], [8, 12], [4, 16]] as const;
const PRESENT = [[4, 0x0004], [8, 0x0010]] as const;

/** One descriptor with the named components of `given`, the others of `current`; lists in their present bits. */
export function mergeSecurity(current: Uint8Array, components: number, given: Uint8Array): Uint8Array {
  let control = 0x8000;
  for (const [component, bit] of PRESENT) {
    control |= controlOf((components & component) !== 0 ? given : current) &
      (component === 4 ? 0x1508 | bit : 0x2a20 | bit);
  }
  const parts = FIELDS.map(([component, field]) =>
    part((components & component) !== 0 ? given : current, component, field)
  );
  const bytes = new Uint8Array(20 + parts.reduce((sum, item) => sum + item.length, 0));
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  view.setUint16(2, control, true);
  let at = 20;
  for (const [index, [, field]] of FIELDS.entries()) {
    const item = parts[index] ?? new Uint8Array();
    if (item.length === 0) continue;
    view.setUint32(field, at, true);
    bytes.set(item, at);
    at += item.length;
  }
  return bytes;
}

function controlOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint16(2, true);
}

function part(bytes: Uint8Array, component: number, field: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = view.getUint32(field, true);
  if (at === 0) return new Uint8Array();
  const length = component < 4 ? 8 + 4 * view.getUint8(at + 1) : view.getUint16(at + 2, true);
  return bytes.slice(at, at + length);
}
