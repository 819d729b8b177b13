/**
 * Streaming Zstandard: a decoder that holds everything section 5 demands, and the producer's encoder. The only file
 * of this room that names the runtime's codec.
 */
import type * as Zlib from "node:zlib";
import { ruleError } from "../errors.ts";
import { Xxh64 } from "./xxh64.ts";
import { corrupt, FrameWalker } from "./zstd_frame.ts";

/** Loaded when first needed: importing it costs every start as much as a small command takes altogether. */
function codec(): typeof Zlib {
  return globalThis.process.getBuiltinModule("node:zlib");
}

/** Bytes of one output buffer: large enough that the cost of a call vanishes, small enough to bound memory. */
const OUTPUT_BYTES = 256 * 1024;
/** log2 of `LIMITS.zstdWindowBytes` */
const WINDOW_LOG_MAX = 27;

export interface ZstdDecoderOptions {
  /** Receives the content in order. Must not keep the bytes. What it throws ends the decoding. */
  readonly output: (bytes: Uint8Array) => void;
  /** Bytes that may be produced; asked before every piece of output, so that it may shrink (F-LIM-21). */
  readonly bound: () => number;
}

/**
 * Decodes exactly one frame. Feed it with `push()`, awaiting each call, then `finish()`; dispose it in any case.
 *
 * @throws {PeipkgError} `format` (`E_ZSTD_…`, `E_LIMIT_DECOMPRESSED`)
 * @see F-ZST-01 … F-ZST-06
 */
export class ZstdDecoder implements Disposable {
  private readonly walker = new FrameWalker((bytes) => this.checkBound(bytes));
  private readonly stream = codec().createZstdDecompress({
    chunkSize: OUTPUT_BYTES,
    params: { [codec().constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
  private checksum: Xxh64 | undefined;
  private producedBytes = 0;
  private failure: { readonly cause: unknown } | undefined;
  private waiting: { readonly reject: (cause: unknown) => void } | undefined;

  constructor(private readonly options: ZstdDecoderOptions) {
    // As plain bytes: slice() of the runtime's own kind makes no copy, and the buffer is freed once it was passed on.
    this.stream.on("data", ({ buffer, byteOffset, byteLength }: Uint8Array) => {
      this.take(new Uint8Array(buffer, byteOffset, byteLength));
    });
    this.stream.on("error", (cause: unknown) => this.fail(corrupt("the data cannot be decoded", cause)));
  }

  /** Content bytes produced so far. */
  get outputBytes(): number {
    return this.producedBytes;
  }

  /** Decodes the next bytes of the file; they may be reused when the promise has settled. */
  async push(chunk: Uint8Array): Promise<void> {
    this.walker.push(chunk);
    if (this.walker.hasChecksum) this.checksum ??= new Xxh64();
    await this.wait((done) => void this.stream.write(chunk, (cause) => cause == null && done()));
  }

  /** Ends the file: the frame must be whole, and its checksum and declared size right. */
  async finish(): Promise<void> {
    this.walker.finish();
    await this.wait((done) => {
      this.stream.once("end", done);
      this.stream.end();
    });
    const { contentBytes, checksum } = this.walker;
    if (contentBytes !== undefined && contentBytes !== BigInt(this.producedBytes)) {
      throw corrupt(`the frame declares ${contentBytes} bytes and holds ${this.producedBytes}`);
    }
    if (this.checksum !== undefined && Number(this.checksum.digest() & 0xffffffffn) !== checksum) { // F-ZST-02
      throw corrupt("the content checksum does not match");
    }
  }

  [Symbol.dispose](): void {
    this.stream.destroy();
  }

  /** Waits for the decoder; a fault of the data or of the receiver ends the waiting. */
  private wait(begin: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure.cause);
      this.waiting = { reject };
      begin(() => resolve());
    });
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
    release(bytes);
  }

  private fail(cause: unknown): void {
    this.failure ??= { cause };
    this.stream.destroy(); // stops a bomb at once instead of decoding what was already handed over
    this.waiting?.reject(this.failure.cause);
  }

  private checkBound(bytes: bigint): void {
    const bound = this.options.bound();
    if (bytes <= BigInt(bound)) return;
    throw ruleError("E_LIMIT_DECOMPRESSED", `cannot decompress: the content exceeds ${bound} bytes`); // F-ZST-03
  }
}

/**
 * Frees an output buffer that has been passed on. The runtime makes a new one for every piece of output; left to the
 * garbage collector, tens of MiB of them pile up, and each is memory the processor has not seen yet. The runtime goes
 * on filling a buffer until it is full, so only then it may go.
 */
function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.byteOffset + bytes.byteLength < buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
  buffer.transfer(0);
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
    const { constants, createZstdCompress } = codec();
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
