/**
 * Another signature in place of a package's own (C-BUNDLE-03): documents and payload stay byte for byte what they
 * were, the signature entry is written anew, and the archive is compressed again around it.
 */
import { SIGNATURE_NAME } from "./archive_layout.ts";
import { signDigest } from "./envelope.ts";
import { createSha256 } from "./hash.ts";
import type { SigningKey } from "./keys.ts";
import type { ByteSource } from "./package_file.ts";
import { type TarEntry, type TarHandler, TarReader } from "./tar.ts";
import { BLOCK_BYTES } from "./tar_header.ts";
import { CLOSING_BYTES, paddingBytes, writeHeaders } from "./tar_writer.ts";
import { decompressZstd, ZstdEncoder } from "./zstd.ts";

export interface ResignOptions {
  readonly signingKey: SigningKey;
  /** Time its entries carry, seconds since the epoch. */
  readonly modifiedSeconds: number;
  readonly signal: AbortSignal;
  /** Receives the compressed file in order; a chunk must not be kept. */
  write(chunk: Uint8Array): void;
}

/** A tenth of the time of the publisher's level, for a few more bytes: a bundle is made on the way to a site. */
const LEVEL = 9;

/**
 * Signs a package again. The package must have been verified: its bounds are not judged here.
 *
 * @returns SHA-256 of the new file, hex.
 * @throws {PeipkgError} `format` when the file is no longer what was verified
 * @see C-BUNDLE-03, F-SIG-01
 */
export async function resignPackage(source: ByteSource, options: ResignOptions): Promise<string> {
  const { signingKey, modifiedSeconds, signal } = options;
  const packageHash = createSha256();
  const signedRange = createSha256();
  using encoder = new ZstdEncoder(LEVEL, (bytes) => {
    packageHash.update(bytes);
    options.write(bytes);
  });
  const content = new SignedContent();
  const tar = new TarReader(content, SIGNATURE_NAME);
  const drain = async () => {
    for (const bytes of content.take()) {
      signedRange.update(bytes);
      await encoder.push(bytes);
    }
  };
  for await (const bytes of decompressZstd(source.chunks())) {
    signal.throwIfAborted();
    tar.push(bytes);
    await drain();
  }
  tar.finish();
  const envelope = await signDigest(signingKey, signedRange.digest());
  const entry = { type: "file" as const, wireName: SIGNATURE_NAME, sizeBytes: envelope.length };
  await encoder.push(writeHeaders(entry, modifiedSeconds, "reference"));
  await encoder.push(envelope);
  await encoder.push(new Uint8Array(paddingBytes(envelope.length) + CLOSING_BYTES));
  await encoder.finish();
  return packageHash.hex();
}

/**
 * The bytes a signature covers. An unsigned archive does not say where they end, so what follows the last entry is
 * held back until another entry shows that it belongs to the archive.
 */
class SignedContent implements TarHandler {
  private held: Uint8Array[] = [];
  private heldFrom = 0;
  private seen = 0;
  /** Offset at which the last entry ends, padding included. */
  private end = 0;

  raw(bytes: Uint8Array): void {
    this.held.push(bytes.slice());
    this.seen += bytes.length;
  }

  entry(entry: TarEntry): void {
    // The header's own bytes are passed on after it was reported, so it begins at what has been seen.
    if (entry.wireName === SIGNATURE_NAME) this.end = this.seen;
    else this.end = this.seen + BLOCK_BYTES + entry.sizeBytes + paddingBytes(entry.sizeBytes);
  }

  data(): void {
    // The content is among the raw bytes.
  }

  entryEnd(): void {
    // Nothing depends on single entries.
  }

  /** What is known to be covered and was not taken before. */
  *take(): Generator<Uint8Array> {
    while (this.heldFrom < this.end) {
      const [first] = this.held;
      if (first === undefined) return;
      const length = Math.min(first.length, this.end - this.heldFrom);
      if (length === first.length) this.held.shift();
      else this.held[0] = first.subarray(length);
      this.heldFrom += length;
      yield first.subarray(0, length);
    }
  }
}
