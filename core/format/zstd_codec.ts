/**
 * The runtime's Zstandard decoder as this room uses it, in the thread that calls it or in another one
 * (`zstd_thread.ts`). It turns bytes into bytes; everything section 5 demands beyond that is checked by
 * `ZstdDecoder`, in the thread that reads the package.
 */
import type * as Zlib from "node:zlib";

/** Loaded when first needed: importing it costs every start as much as a small command takes altogether. */
export function zlib(): typeof Zlib {
  return globalThis.process.getBuiltinModule("node:zlib");
}

/** Bytes of one output buffer: large enough that the cost of a call vanishes, small enough for the C library to reuse. */
export const OUTPUT_BYTES = 64 * 1024;
/** log2 of `LIMITS.zstdWindowBytes` */
const WINDOW_LOG_MAX = 27;

/** What a codec tells. Everything decoded from a piece comes before the piece is `taken()`. */
export interface CodecEvents {
  /** The next content. Must be passed on or copied before this returns. */
  readonly data: (bytes: Uint8Array) => void;
  /** A piece handed over has been decoded whole. */
  readonly taken: () => void;
  readonly ended: () => void;
  readonly failed: (cause: unknown) => void;
}

/** A decoder at work. */
export interface Codec {
  /** Pieces that may be handed over before the first of them is taken. */
  readonly depth: number;
  /** Hands over the next piece, of at most `PIECE_BYTES`; with a depth of 1 it must not be changed until it is taken. */
  write(chunk: Uint8Array): void;
  end(): void;
  /** Stops at once. */
  close(): void;
  /** Makes events happen while somebody waits for one; absent: they come by themselves. */
  progress?(): Promise<void>;
}

/**
 * Ends the stream with a fault that the runtime throws where nobody can catch it: one behind the first buffer of output
 * of a piece, which it decodes in turns of its own (measured; the method it does that by has a symbol as its name).
 */
function catchLateFaults(stream: Zlib.ZstdDecompress, onFault: () => void): void {
  const handle: unknown = Reflect.get(stream, "_handle");
  if (typeof handle !== "object" || handle === null) return;
  for (const name of Object.getOwnPropertySymbols(handle)) {
    const method: unknown = Reflect.get(handle, name);
    if (typeof method !== "function") continue;
    Reflect.set(handle, name, (...values: unknown[]): unknown => {
      try {
        return Reflect.apply(method, handle, values);
      } catch (cause) {
        if (values[2] === 0 || !(cause instanceof Error)) throw cause; // from the beginning of a piece: it is caught
        onFault();
        stream.destroy(cause);
        return undefined;
      }
    });
  }
}

/** Begins to decode in the thread that calls. */
export function openCodec(events: CodecEvents): Codec {
  const { constants, createZstdDecompress } = zlib();
  const stream = createZstdDecompress({
    chunkSize: OUTPUT_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
  // As plain bytes: slice() of the runtime's own kind makes no copy.
  stream.on("data", ({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>) => {
    events.data(new Uint8Array(buffer, byteOffset, byteLength));
    // The runtime makes a new buffer for every piece of output and goes on filling one until it is full. Left to the
    // garbage collector, tens of MiB of them pile up, and each is memory the processor has not seen yet.
    if (byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
  });
  let hasFailed = false;
  stream.on("error", events.failed);
  catchLateFaults(stream, () => hasFailed = true);
  return {
    depth: 1,
    write: (chunk) => void stream.write(chunk, (cause) => cause == null && !hasFailed && events.taken()),
    end() {
      stream.once("end", events.ended);
      stream.end();
    },
    close: () => void stream.destroy(),
  };
}
