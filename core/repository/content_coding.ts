/** Content codings of metadata, decoded and bounded here instead of by the runtime (R-HTTP-02, R-HTTP-03). */
import { ruleError } from "../errors.ts";
import { decompressZstd } from "../format/zstd.ts";

export type ContentCoding = "identity" | "gzip" | "zstd";

/** What is offered for descriptor and indexes. */
export const OFFERED_CODINGS = "zstd, gzip";

/** Bytes handed to a decoder at once: 4 KiB of gzip expand to 4 MiB at most before the caller can object. */
const SLICE_BYTES = 4096;

/** Reads a `Content-Encoding` header; `undefined`: a coding that is never offered. */
export function parseCoding(text: string | undefined): ContentCoding | undefined {
  const coding = (text ?? "").trim().toLowerCase();
  if (coding === "" || coding === "identity") return "identity";
  return coding === "gzip" || coding === "zstd" ? coding : undefined;
}

/**
 * Removes a content coding from a stream.
 *
 * @throws {PeipkgError} `transport` (`E_HTTP_ENCODING`) when the bytes are not in that coding
 */
export async function* decodeContent(
  chunks: AsyncIterable<Uint8Array>,
  coding: ContentCoding,
  where: { readonly url: string; readonly repository: string },
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
    yield* coding === "gzip" ? gunzip(guarded) : decompressZstd(guarded);
  } catch (cause) {
    if (source !== undefined) throw source.failure;
    throw ruleError("E_HTTP_ENCODING", `cannot fetch "${where.url}": its ${coding} content coding is damaged`, {
      ...where,
      cause,
    });
  }
}

async function* gunzip(chunks: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
  yield* ReadableStream.from(chunks).pipeThrough(new DecompressionStream("gzip"));
}
