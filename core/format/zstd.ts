/**
 * Streaming Zstandard: a decoder that holds everything section 5 demands, and the producer's encoder.
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { PIECE_BYTES } from "./shared_ring.ts";
import { Xxh64 } from "./xxh64.ts";
import { type Codec, type CodecEvents, openCodec, OUTPUT_BYTES, zlib } from "./zstd_codec.ts";
import { corrupt, FrameWalker } from "./zstd_frame.ts";

export interface ZstdDecoderOptions {
  /** Receives the content in order. Must not keep the bytes. What it throws ends the decoding. */
  readonly output: (bytes: Uint8Array) => void;
  /** Bytes that may be produced; asked before every piece of output, so that it may shrink (F-LIM-21). */
  readonly bound: () => number;
  /** What decodes, absent: this thread. */
  readonly codec?: { open(events: CodecEvents): Codec } | undefined;
}

/**
 * Decodes exactly one frame. Feed it with `push()`, awaiting each call, then `finish()`; dispose it in any case.
 *
 * Wherever the bytes are decoded, pieces, what they hold and faults come in the order of the file: a fault in a
 * piece is found after everything before it has been passed on.
 *
 * @throws {PeipkgError} `format` (`E_ZSTD_…`, `E_LIMIT_DECOMPRESSED`)
 * @see F-ZST-01 … F-ZST-06
 */
export class ZstdDecoder implements Disposable {
  private readonly walker = new FrameWalker((bytes) => this.checkBound(bytes));
  private readonly codec: Codec;
  private checksum: Xxh64 | undefined;
  private producedBytes = 0;
  /** Pieces handed over and not yet decoded. */
  private pending = 0;
  private hasEnded = false;
  private failure: { readonly cause: unknown } | undefined;
  /** Wakes who waits for the next event. */
  private wake = () => {};

  constructor(private readonly options: ZstdDecoderOptions) {
    const events = {
      data: (bytes: Uint8Array) => this.take(bytes),
      taken: () => {
        this.pending--;
        this.wake();
      },
      ended: () => {
        this.hasEnded = true;
        this.wake();
      },
      failed: (cause: unknown) =>
        this.fail(cause instanceof PeipkgError ? cause : corrupt("the data cannot be decoded", cause)),
    };
    this.codec = options.codec?.open(events) ?? openCodec(events);
  }

  /** Content bytes produced so far. */
  get outputBytes(): number {
    return this.producedBytes;
  }

  /** Decodes the next bytes of the file; they may be reused when the promise has settled. */
  async push(chunk: Uint8Array): Promise<void> {
    await this.inOrder(() => this.walker.push(chunk));
    if (this.walker.hasChecksum) this.checksum ??= new Xxh64();
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      this.pending++;
      this.codec.write(chunk.subarray(at, at + PIECE_BYTES));
      await this.until(this.codec.depth - 1);
    }
  }

  /** Ends the file: the frame must be whole, and its checksum and declared size right. */
  async finish(): Promise<void> {
    await this.inOrder(() => this.walker.finish());
    await this.until(0);
    this.codec.end();
    await this.until(-1);
    const { contentBytes, checksum } = this.walker;
    if (contentBytes !== undefined && contentBytes !== BigInt(this.producedBytes)) {
      throw corrupt(`the frame declares ${contentBytes} bytes and holds ${this.producedBytes}`);
    }
    if (this.checksum !== undefined && Number(this.checksum.digest() & 0xffffffffn) !== checksum) { // F-ZST-02
      throw corrupt("the content checksum does not match");
    }
  }

  [Symbol.dispose](): void {
    this.codec.close();
  }

  /** Looks ahead in the file; a fault found there waits for what comes before it. */
  private async inOrder(look: () => void): Promise<void> {
    try {
      look();
    } catch (cause) {
      await this.until(0);
      throw cause;
    }
  }

  /** Waits until no more than `most` pieces are pending, -1: for the end; a failure ends the waiting. */
  private async until(most: number): Promise<void> {
    while (this.failure === undefined && (most < 0 ? !this.hasEnded : this.pending > most)) {
      await (this.codec.progress?.() ?? new Promise<void>((resolve) => this.wake = resolve));
    }
    if (this.failure !== undefined) throw this.failure.cause;
  }

  private take(bytes: Uint8Array): void {
    if (this.failure !== undefined) return;
    try {
      this.producedBytes += bytes.length;
      this.checkBound(BigInt(this.producedBytes)); // F-ZST-06
      this.checksum?.update(bytes);
      this.options.output(bytes);
    } catch (cause) {
      this.fail(cause);
    }
  }

  private fail(cause: unknown): void {
    this.failure ??= { cause };
    this.codec.close(); // stops a bomb at once instead of decoding what was already handed over
    this.wake();
  }

  private checkBound(bytes: bigint): void {
    const bound = this.options.bound();
    if (bytes <= BigInt(bound)) return;
    throw ruleError("E_LIMIT_DECOMPRESSED", `cannot decompress: the content exceeds ${bound} bytes`); // F-ZST-03
  }
}

/** Bytes handed over at once by `decompressZstd()`: four bytes may expand to 128 KiB, so these to 32 MiB at most. */
const SLICE_BYTES = 1024;

/**
 * Decodes exactly one frame of unknown size as a stream; the consumer sets the bound by reading no further.
 *
 * @throws {PeipkgError} `format` (`E_ZSTD_…`)
 */
export async function* decompressZstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  using decoder = new ZstdDecoder({
    output: (bytes) => void ready.push(bytes.slice()),
    bound: () => Number.MAX_SAFE_INTEGER,
  });
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      await decoder.push(chunk.subarray(at, at + SLICE_BYTES));
      yield* ready;
      ready = [];
    }
  }
  await decoder.finish();
  yield* ready;
}

/** Encodes one frame without checksum or dictionary (F-PRO-11). Feed it with `push()`, awaiting each call. */
export class ZstdEncoder implements Disposable {
  private readonly stream;
  private failure: { readonly cause: unknown } | undefined;
  private waiting: { readonly reject: (cause: unknown) => void } | undefined;

  /**
   * @param level 1–22.
   * @param output Receives the compressed file in order. Must not keep the bytes.
   */
  constructor(level: number, output: (bytes: Uint8Array) => void) {
    const { constants, createZstdCompress } = zlib();
    this.stream = createZstdCompress({
      chunkSize: OUTPUT_BYTES,
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 0 },
    });
    // The runtime's encoder appends an empty second frame when its end falls on the edge of an output chunk: exactly
    // one frame may be written (F-PRO-11), so nothing after the first one's end is passed on.
    const frame = new FrameWalker(() => {});
    this.stream.on("data", (bytes: Uint8Array) => {
      try {
        const length = frame.take(bytes);
        if (length > 0) output(bytes.subarray(0, length));
      } catch (cause) {
        this.fail(cause);
      }
    });
    this.stream.on("error", (cause: unknown) => this.fail(cause));
  }

  /** Compresses the next bytes; they may be reused when the promise has settled. */
  push(bytes: Uint8Array): Promise<void> {
    return this.wait((done) => void this.stream.write(bytes, (cause) => cause == null && done()));
  }

  finish(): Promise<void> {
    return this.wait((done) => {
      this.stream.once("end", done);
      this.stream.end();
    });
  }

  [Symbol.dispose](): void {
    this.stream.destroy();
  }

  private wait(begin: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure.cause);
      this.waiting = { reject };
      begin(() => resolve());
    });
  }

  private fail(cause: unknown): void {
    this.failure ??= { cause };
    this.stream.destroy();
    this.waiting?.reject(this.failure.cause);
  }
}
