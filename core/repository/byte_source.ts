/** Open files as the byte sources that package verification reads. */
import { createSha256 } from "../format/hash.ts";
import type { ByteSource } from "../format/package_file.ts";
import type { ReadableFile } from "../system.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * Wraps an open file. Each pass reads through the same descriptor, so that the second pass sees the file the first
 * one verified even when its name was given to another file meanwhile (T-VERIFY-05).
 *
 * @param label Name for messages.
 */
export function openByteSource(file: ReadableFile, label: string): ByteSource & Disposable {
  const { sizeBytes } = file.status();
  return {
    label,
    sizeBytes,
    async *chunks() {
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (let offset = 0;;) {
        const count = file.readAt(buffer, offset);
        if (count === 0) return;
        yield buffer.subarray(0, count);
        offset += count;
      }
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

/** SHA-256 of an open file, 64 lowercase hex digits. */
export function hashFile(file: ReadableFile): string {
  const hash = createSha256();
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let offset = 0;;) {
    const count = file.readAt(buffer, offset);
    if (count === 0) return hash.hex();
    hash.update(buffer.subarray(0, count));
    offset += count;
  }
}
