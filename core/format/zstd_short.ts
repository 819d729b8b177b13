/**
 * A Zstandard decoder for short frames that needs nothing of the runtime: loading `node:zlib` takes 12 to 15 ms, as much
 * as everything else done with a small package. What is long, and what it cannot decode, is left to that one from its
 * first byte, so that the two agree on what is corrupt.
 */
import { PeipkgError } from "../errors.ts";
import { type Codec, type CodecEvents, openCodec, OUTPUT_BYTES } from "./zstd_codec.ts";
import { BlockDecoder } from "./zstd_block.ts";
import { BLOCK_HEADER_BYTES, corrupt, readBlockHeader, readFrameHeader } from "./zstd_frame.ts";

/**
 * What is decoded here, compressed and expanded. Source code of 10 KiB takes 6 ms and 22 ms there, 40 KiB 14 and 29,
 * 80 KiB (20 KiB compressed) 20 and 27, 160 KiB 30 and 28.
 */
const SHORT_INPUT_BYTES = 16 * 1024;
const SHORT_CONTENT_BYTES = 128 * 1024;
const NOTHING = new Uint8Array(0);

/** Decodes one frame, whose structure the caller follows. */
export class ShortFrameCodec implements Codec {
  readonly depth = 1;
  readonly #input = new Uint8Array(SHORT_INPUT_BYTES);
  #fill = 0;
  /** Where in the input the next block begins. */
  #at = 0;
  #blocks: BlockDecoder | undefined;
  #passed = 0;
  #hasEnded = false;
  #isOpen = true;
  /** The runtime's decoder, once it has taken over. */
  #successor: Codec | undefined;

  constructor(private readonly events: CodecEvents) {}

  write(chunk: Uint8Array): void {
    if (this.#successor !== undefined) return this.#successor.write(chunk);
    if (this.#fill + chunk.length > SHORT_INPUT_BYTES) return this.#handOver(chunk);
    this.#input.set(chunk, this.#fill);
    this.#fill += chunk.length;
    while (this.#isOpen && !this.#hasEnded) {
      const step = this.#step();
      if (step === "wait") break;
      if (step === "give-up") return this.#handOver(NOTHING);
      this.#pass();
    }
    this.events.taken();
  }

  end(): void {
    if (this.#successor !== undefined) this.#successor.end();
    else if (this.#hasEnded) this.events.ended();
    else this.events.failed(corrupt("the frame has no last block"));
  }

  close(): void {
    this.#isOpen = false;
    this.#successor?.close();
  }

  /** Decodes the next block, if it is there. */
  #step(): "done" | "wait" | "give-up" {
    try {
      return this.#decode() ? "done" : "wait";
    } catch (cause) {
      if (cause instanceof PeipkgError) return "give-up";
      throw cause;
    }
  }

  #decode(): boolean {
    const input = this.#input.subarray(0, this.#fill);
    if (this.#blocks === undefined) {
      const header = readFrameHeader(input);
      if (header === undefined) return false;
      this.#blocks = new BlockDecoder(header.windowBytes);
      this.#at = header.length;
    }
    const start = this.#at + BLOCK_HEADER_BYTES;
    if (start > input.length) return false;
    const { type, sizeBytes, storedBytes, isLast } = readBlockHeader(input, this.#at);
    const end = start + storedBytes;
    if (end > input.length) return false;
    if (type === "stored") this.#blocks.store(input.subarray(start, end));
    else if (type === "repeated") this.#blocks.repeat(input[start] ?? 0, sizeBytes);
    else this.#blocks.decode(input, start, end);
    if (this.#blocks.length > SHORT_CONTENT_BYTES) throw corrupt("the frame is not short");
    this.#at = end;
    this.#hasEnded = isLast;
    return true;
  }

  /** Passes on what has been decoded, in pieces as the other decoder's. */
  #pass(): void {
    const blocks = this.#blocks;
    while (this.#isOpen && blocks !== undefined && this.#passed < blocks.length) {
      const start = this.#passed;
      this.#passed = Math.min(start + OUTPUT_BYTES, blocks.length);
      this.events.data(blocks.content(start, this.#passed));
    }
  }

  /** Has the runtime's decoder begin again; what has been passed on already is not passed on once more. */
  #handOver(chunk: Uint8Array): void {
    let known = this.#passed;
    this.#blocks = undefined;
    this.#successor = openCodec({
      ...this.events,
      data: (bytes) => {
        const from = Math.min(known, bytes.length);
        known -= from;
        if (from < bytes.length) this.events.data(bytes.subarray(from));
      },
    });
    const input = new Uint8Array(this.#fill + chunk.length);
    input.set(this.#input.subarray(0, this.#fill));
    input.set(chunk, this.#fill);
    this.#successor.write(input);
  }
}
