/** Compares a package-declared security descriptor with the one an object has (T-VRFY-05). */
const OWNER = 1, GROUP = 2, DACL = 4, SACL = 8;
/** Where a self-relative descriptor says each component begins; 0: it has none. */
const OFFSETS = [[OWNER, 4], [GROUP, 8], [SACL, 12], [DACL, 16]] as const;
const HEADER_BYTES = 20;

/** Whether every component of `declared` is, byte for byte, in `stored`; where it lies there does not matter. */
export function haveSameComponents(declared: Uint8Array, stored: Uint8Array): boolean {
  return OFFSETS.every(([component]) => {
    const wanted = componentBytes(declared, component);
    if (wanted === undefined) return true;
    const found = componentBytes(stored, component);
    return found !== undefined && wanted.length === found.length &&
      wanted.every((byte, index) => byte === found[index]);
  });
}

function componentBytes(descriptor: Uint8Array, component: number): Uint8Array | undefined {
  const field = OFFSETS.find(([known]) => known === component)?.[1];
  if (field === undefined || descriptor.length < HEADER_BYTES) return undefined;
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
  const offset = view.getUint32(field, true);
  if (offset < HEADER_BYTES || offset + 4 > descriptor.length) return undefined;
  // A SID has 8 bytes and 4 for each sub-authority; a list says its own size.
  const isSid = component === OWNER || component === GROUP;
  const length = isSid ? 8 + 4 * view.getUint8(offset + 1) : view.getUint16(offset + 2, true);
  return offset + length > descriptor.length ? undefined : descriptor.subarray(offset, offset + length);
}
