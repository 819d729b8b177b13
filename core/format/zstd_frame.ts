/**
 * The frame and block headers of a Zstandard stream (RFC 8878), walked beside the decoder, which by itself stops
 * silently after the first frame, takes a truncated frame for a whole one and does not check content checksums.
 */
import { type PeipkgError, ruleError } from "../errors.ts";
import { LIMITS } from "./limits.ts";

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const MAX_BLOCK_BYTES = 128 * 1024;
const CHECKSUM_BYTES = 4;
/** Magic, descriptor, window, dictionary id and content size at their longest. */
const MAX_HEADER_BYTES = 18;
const BLOCK_HEADER_BYTES = 3;

/** What a frame header says. */
interface FrameHeader {
  readonly length: number;
  readonly windowBytes: number;
  /** Declared content size, when there is one. */
  readonly contentBytes: bigint | undefined;
  readonly hasChecksum: boolean;
}

type State = "header" | "block-header" | "block" | "checksum" | "end";

/** Follows the structure of one frame through pieces of any size. */
export class FrameWalker {
  private state: State = "header";
  private readonly buffer = new Uint8Array(MAX_HEADER_BYTES);
  private fill = 0;
  private blockRemaining = 0;
  private lastBlock = false;
  private header: FrameHeader | undefined;
  private storedChecksum = 0;

  /** @param checkContentSize Judges the declared content size as soon as it is known (F-ZST-03). */
  constructor(private readonly checkContentSize: (bytes: bigint) => void) {}

  /** Whether the content must be checked against `checksum` once the frame has ended. */
  get hasChecksum(): boolean {
    return this.header?.hasChecksum === true;
  }

  /** The stored checksum: low 32 bits of the content's XXH64. */
  get checksum(): number {
    return this.storedChecksum;
  }

  /** Declared content size, when there is one. */
  get contentBytes(): bigint | undefined {
    return this.header?.contentBytes;
  }

  /**
   * Walks the next bytes of the file.
   *
   * @throws {PeipkgError} `format` (`E_ZSTD_MAGIC`, `E_ZSTD_CORRUPT`, `E_ZSTD_WINDOW`, `E_ZSTD_DICTIONARY`,
   *   `E_ZSTD_TRAILING`)
   * @see F-ZST-01, F-ZST-04, F-ZST-05
   */
  push(chunk: Uint8Array): void {
    if (this.take(chunk) === chunk.length) return;
    throw ruleError("E_ZSTD_TRAILING", "cannot decompress: bytes follow the compressed frame");
  }

  /**
   * As `push()`, but bytes after the frame are left alone.
   *
   * @returns How many bytes of the chunk belong to the frame.
   */
  take(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length) {
      switch (this.state) {
        case "header":
          at = this.gatherHeader(chunk, at);
          break;
        case "block-header":
          at = this.gather(chunk, at, BLOCK_HEADER_BYTES, () => this.readBlockHeader());
          break;
        case "block": {
          const taken = Math.min(this.blockRemaining, chunk.length - at);
          this.blockRemaining -= taken;
          at += taken;
          if (this.blockRemaining === 0) this.endBlock();
          break;
        }
        case "checksum":
          at = this.gather(chunk, at, CHECKSUM_BYTES, () => {
            this.storedChecksum = new DataView(this.buffer.buffer).getUint32(0, true);
            this.state = "end";
          });
          break;
        case "end":
          return at;
      }
    }
    return at;
  }

  /** `E_ZSTD_CORRUPT` when the file ended inside the frame; `E_ZSTD_MAGIC` when there is none. */
  finish(): void {
    if (this.state === "end") return;
    if (this.state === "header" && this.fill < MAGIC.length) throw badMagic();
    throw corrupt("the file ends inside the compressed frame");
  }

  private gather(chunk: Uint8Array, at: number, length: number, read: () => void): number {
    const taken = Math.min(length - this.fill, chunk.length - at);
    this.buffer.set(chunk.subarray(at, at + taken), this.fill);
    this.fill += taken;
    if (this.fill === length) {
      this.fill = 0;
      read();
    }
    return at + taken;
  }

  /** The header's length is known only from its descriptor, so it is gathered byte by byte. */
  private gatherHeader(chunk: Uint8Array, start: number): number {
    let at = start;
    while (at < chunk.length) {
      const byte = chunk[at++] ?? 0;
      if (this.fill < MAGIC.length && byte !== MAGIC[this.fill]) throw badMagic();
      this.buffer[this.fill++] = byte;
      const header = this.fill > MAGIC.length ? readFrameHeader(this.buffer.subarray(0, this.fill)) : undefined;
      if (header === undefined) continue;
      if (header.contentBytes !== undefined) this.checkContentSize(header.contentBytes);
      if (header.windowBytes > LIMITS.zstdWindowBytes) { // F-ZST-04
        throw ruleError(
          "E_ZSTD_WINDOW",
          `cannot decompress: the window has ${header.windowBytes} bytes, limit is ${LIMITS.zstdWindowBytes}`,
        );
      }
      this.header = header;
      this.fill = 0;
      this.state = "block-header";
      return at;
    }
    return at;
  }

  private readBlockHeader(): void {
    const value = (this.buffer[0] ?? 0) | (this.buffer[1] ?? 0) << 8 | (this.buffer[2] ?? 0) << 16;
    const type = value >> 1 & 3;
    const size = value >> 3;
    if (type === 3) throw corrupt("a block has the reserved type");
    if (size > Math.min(MAX_BLOCK_BYTES, this.header?.windowBytes ?? 0)) throw corrupt("a block is too large");
    this.lastBlock = (value & 1) === 1;
    this.blockRemaining = type === 1 ? 1 : size; // a repeated byte is stored once
    this.state = "block";
    if (this.blockRemaining === 0) this.endBlock();
  }

  private endBlock(): void {
    this.state = !this.lastBlock ? "block-header" : this.hasChecksum ? "checksum" : "end";
  }
}

/** Reads a frame header from its first bytes; `undefined` while there are too few. */
function readFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  const descriptor = bytes[4] ?? 0;
  if ((descriptor & 0x08) !== 0) throw corrupt("a reserved bit of the frame header is set");
  if ((descriptor & 0x03) !== 0) { // F-ZST-04
    throw ruleError("E_ZSTD_DICTIONARY", "cannot decompress: the frame names a dictionary");
  }
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeLength = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const sizeAt = singleSegment ? 5 : 6;
  const length = sizeAt + sizeLength;
  if (bytes.length < length) return undefined;
  const contentBytes = sizeLength === 0 ? undefined : readContentSize(bytes, sizeAt, sizeLength);
  const windowBytes = singleSegment ? Number(contentBytes ?? 0n) : windowOf(bytes[5] ?? 0);
  return { length, windowBytes, contentBytes, hasChecksum: (descriptor & 0x04) !== 0 };
}

function readContentSize(bytes: Uint8Array, at: number, length: number): bigint {
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[at + i] ?? 0);
  return length === 2 ? value + 256n : value; // two bytes count from 256
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + base / 8 * (descriptor & 7);
}

function badMagic(): PeipkgError {
  return ruleError("E_ZSTD_MAGIC", "cannot decompress: the file does not begin with a Zstandard frame");
}

/** The error of a stream that cannot be decoded. */
export function corrupt(found: string, cause?: unknown): PeipkgError {
  return ruleError("E_ZSTD_CORRUPT", `cannot decompress: ${found}`, cause === undefined ? {} : { cause });
}
