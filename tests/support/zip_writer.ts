/** Zip archives for tests: deflated entries, a directory, and room to lie about any field. */

import { crc32 } from "node:zlib";

async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fields(...values: readonly (readonly [bytes: 2 | 4, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of values) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Makes an archive of entries by name. */
export async function zipOf(
  entries: Readonly<Record<string, Uint8Array>>,
  lies: { readonly method?: number; readonly flags?: number; readonly crc?: number } = {},
): Promise<Uint8Array> {
  const locals: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const nameBytes = new TextEncoder().encode(name);
    const packed = await deflate(content);
    const { method = 8, flags = 0, crc = crc32(content) } = lies;
    const common = [
      [2, 20],
      [2, flags],
      [2, method],
      [4, 0],
      [4, crc],
      [4, packed.length],
      [4, content.length],
      [2, nameBytes.length],
      [2, 0],
    ] as const;
    const local = join([fields([4, 0x04034b50], ...common), nameBytes, packed]);
    const more = [[2, 0], [2, 0], [2, 0], [4, 0], [4, offset]] as const;
    directory.push(fields([4, 0x02014b50], [2, 20], ...common, ...more), nameBytes);
    locals.push(local);
    offset += local.length;
  }
  const central = join(directory);
  const count = Object.keys(entries).length;
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, central.length], [4, offset], [2, 0]);
  return join([...locals, central, end]);
}
