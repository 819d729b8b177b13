/**
 * A reader of zip archives, for advisories that are published as one. Small on purpose: stored and deflated entries,
 * no encryption, no ZIP64. The central directory says what there is; every offset is checked against the file, and
 * content is bounded while it is unpacked, whatever sizes the archive claims.
 */
import { PeipkgError } from "../errors.ts";
import { crc32 } from "./hash.ts";

export interface ZipLimits {
  /** Entries at most. */
  readonly entries: number;
  /** Unpacked bytes of one entry, and of all together. */
  readonly entryBytes: number;
  readonly totalBytes: number;
}

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;

/** Whether bytes begin like a zip archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === LOCAL_SIGNATURE;
}

/**
 * Unpacks an archive entry by entry, in the order of its directory; directories are left out.
 *
 * @throws {PeipkgError} `format` when it is damaged, uses what is not supported, or exceeds a limit
 */
export async function* readZip(bytes: Uint8Array, limits: ZipLimits): AsyncGenerator<ZipEntry> {
  const view = viewOf(bytes);
  const { count, offset } = findDirectory(view);
  if (count > limits.entries) throw damaged(`it has ${count} entries, the limit is ${limits.entries}`);
  let at = offset;
  let total = 0;
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      throw damaged("its directory is cut short");
    }
    const lengths = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const [nameLength = 0, extraLength = 0, commentLength = 0] = lengths;
    const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength));
    if (!name.endsWith("/")) {
      const limit = Math.min(limits.entryBytes, limits.totalBytes - total);
      const content = await unpack(bytes, view, at, limit);
      total += content.length;
      yield { name, bytes: content };
    }
    at += CENTRAL_BYTES + nameLength + extraLength + commentLength;
  }
}

/** The end record stands at the end, before a comment of any length. */
function findDirectory(view: DataView): { readonly count: number; readonly offset: number } {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= 0 && at >= last - MAX_COMMENT_BYTES; at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    const count = view.getUint16(at + 10, true);
    const offset = view.getUint32(at + 16, true);
    if (count === 0xffff || offset === 0xffffffff) throw damaged("it is a ZIP64 archive, which is not supported");
    return { count, offset };
  }
  throw damaged("it has no directory");
}

async function unpack(bytes: Uint8Array, view: DataView, central: number, limit: number): Promise<Uint8Array> {
  const flags = view.getUint16(central + 8, true);
  const method = view.getUint16(central + 10, true);
  const packedBytes = view.getUint32(central + 20, true);
  const local = view.getUint32(central + 42, true);
  if ((flags & ENCRYPTED) !== 0) throw damaged("an entry is encrypted");
  if (local + LOCAL_BYTES > bytes.length || view.getUint32(local, true) !== LOCAL_SIGNATURE) {
    throw damaged("an entry is not where the directory says");
  }
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packedBytes > bytes.length) throw damaged("an entry is cut short");
  const packed = bytes.subarray(start, start + packedBytes);
  const content = method === STORED ? packed : method === DEFLATED ? await inflate(packed, limit) : undefined;
  if (content === undefined) throw damaged(`an entry uses method ${method}, which is not supported`);
  if (content.length > limit) throw tooLarge(limit);
  if (crc32(content) !== view.getUint32(central + 16, true)) throw damaged("the checksum of an entry does not match");
  return content;
}

async function inflate(packed: Uint8Array, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const stream = new Blob([new Uint8Array(packed)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    for await (const part of stream) {
      length += part.length;
      if (length > limit) throw tooLarge(limit);
      parts.push(part);
    }
  } catch (cause) {
    throw cause instanceof PeipkgError ? cause : damaged("an entry cannot be unpacked", cause);
  }
  const content = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

function tooLarge(limit: number): PeipkgError {
  return new PeipkgError("format", `cannot read the archive: its content exceeds ${limit} bytes`);
}

function damaged(found: string, cause?: unknown): PeipkgError {
  return new PeipkgError("format", `cannot read the archive: ${found}`, { cause });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
