/** Content codings of metadata, decoded and bounded here instead of by the runtime (R-HTTP-02, R-HTTP-03). */
import { PeipkgError, ruleError } from "../errors.ts";
import { ZstdDecoder } from "../format/zstd.ts";

export type ContentCoding = "identity" | "gzip" | "zstd";

/** What is offered for descriptor and indexes. */
export const OFFERED_CODINGS = "zstd, gzip";

/** Bytes handed to a decoder at once: 4 KiB of gzip expand to 4 MiB at most before the caller can object. */
const SLICE_BYTES = 4096;
/** First two bytes of every gzip file. */
const GZIP_MAGIC = [0x1f, 0x8b];

/** Reads a `Content-Encoding` header; `undefined`: a coding that is never offered. */
export function parseCoding(text: string | undefined): ContentCoding | undefined {
  const coding = (text ?? "").trim().toLowerCase();
  if (coding === "" || coding === "identity") return "identity";
  return coding === "gzip" || coding === "zstd" ? coding : undefined;
}

/** What is decoded, and how its size is refused. */
export interface DecodePlace {
  readonly url: string;
  readonly repository: string;
  readonly limitBytes: number;
}

/**
 * Removes a content coding from a stream.
 *
 * @throws {PeipkgError} `transport` (`E_HTTP_ENCODING`) when the bytes are not in that coding
 */
export async function* decodeContent(
  chunks: AsyncIterable<Uint8Array>,
  coding: ContentCoding,
  where: DecodePlace,
): AsyncGenerator<Uint8Array> {
  if (coding === "identity") return yield* chunks;
  let source: { failure: unknown } | undefined;
  const guarded = (async function* () {
    try {
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
          yield new Uint8Array(chunk.subarray(at, at + SLICE_BYTES));
        }
      }
    } catch (failure) {
      source = { failure };
      throw failure;
    }
  })();
  try {
    yield* coding === "gzip" ? gunzip(guarded) : unzstd(guarded, where);
  } catch (cause) {
    if (source !== undefined) throw source.failure;
    if (cause instanceof PeipkgError && cause.detail.rule === "E_LIMIT_DECOMPRESSED") throw sizeError(where);
    throw ruleError("E_HTTP_ENCODING", `cannot fetch "${where.url}": its ${coding} content coding is damaged`, {
      url: where.url,
      repository: where.repository,
      cause,
    });
  }
}

/**
 * The runtime's client takes gzip off by itself and leaves the header standing (measured with 2.9.6; it does so for
 * gzip alone), so what does not begin like gzip is taken as decoded. Nothing rests on the guess: limits count either
 * way, and the document's signature or hash judges the bytes.
 */
async function* gunzip(chunks: AsyncGenerator<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
  const first = await chunks.next();
  if (first.done === true) return;
  const rest = (async function* () {
    yield first.value;
    yield* chunks;
  })();
  if (first.value[0] !== GZIP_MAGIC[0] || (first.value.length > 1 && first.value[1] !== GZIP_MAGIC[1])) yield* rest;
  else yield* ReadableStream.from(rest).pipeThrough(new DecompressionStream("gzip"));
}

async function* unzstd(chunks: AsyncIterable<Uint8Array>, where: DecodePlace): AsyncGenerator<Uint8Array> {
  const decoded: Uint8Array[] = [];
  using decoder = new ZstdDecoder({
    output: (bytes) => void decoded.push(bytes.slice()),
    bound: () => where.limitBytes,
  });
  for await (const chunk of chunks) {
    await decoder.push(chunk);
    yield* decoded.splice(0);
  }
  await decoder.finish();
  yield* decoded.splice(0);
}

/** The refusal of a document larger than its limit (R-HTTP-02). */
export function sizeError(place: DecodePlace): PeipkgError {
  return ruleError("E_SIZE_BOUND", `cannot fetch "${place.url}": it is larger than ${place.limitBytes} bytes`, {
    repository: place.repository,
    url: place.url,
  });
}
