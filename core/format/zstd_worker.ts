/** The other side of `zstd_thread.ts`: every port that arrives is one file to decode. */
import { SIGNATURE_NAME } from "./archive_layout.ts";
import { createSha256, type Sha256 } from "./hash.ts";
import { TarReader } from "./tar.ts";
import { type LocalCodec, openCodec } from "./zstd_codec.ts";
import type { FromThread, ToThread } from "./zstd_thread.ts";

/** Buffers decoded ahead of the reader. */
const AHEAD = 8;
/** Large enough that messages cost little, small enough that the reader finds them in the processor's cache. */
const BUFFER_BYTES = 128 * 1024;

/** Buffers at rest, for whichever file needs one next. */
const spare: Uint8Array<ArrayBuffer>[] = [];

class Service {
  /** Of the file, or of its signed range. */
  readonly #sum = createSha256();
  readonly #taken: ArrayBuffer[] = [];
  readonly #codec: LocalCodec;
  #archive: TarReader | undefined;
  #hashes: string[] = [];
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #fill = 0;
  /** Buffers the reader has. */
  #away = 0;
  #sumsFile = false;

  constructor(private readonly port: MessagePort) {
    this.#codec = openCodec({
      data: (bytes) => this.#pass(bytes),
      taken: () => {
        if (this.#taken.length === 1) this.#handOver(); // nothing more is at hand: what there is may be waited for
        this.#tellTaken();
      },
      ended: () => {
        this.#handOver();
        this.#send({ kind: "ended" });
      },
      failed: (cause) => {
        this.#handOver();
        this.#send({ kind: "failed", message: cause instanceof Error ? cause.message : String(cause) });
      },
    });
    port.onmessage = ({ data }: MessageEvent<ToThread>) => this.#receive(data);
  }

  #receive(message: ToThread): void {
    switch (message.kind) {
      case "begin":
        this.#sumsFile = message.summed === "file-and-content";
        this.#archive = this.#sumsFile ? this.#openContent() : this.#openSignedRange();
        return;
      case "write":
        return this.#write(message.buffer, message.bytes);
      case "end":
        return this.#codec.end();
      case "back":
        spare.push(new Uint8Array(message.buffer));
        if (this.#away-- === AHEAD) this.#codec.resume();
        return;
      case "sum":
        return this.#send({ kind: "sum", digest: this.#sum.digest() });
      case "close":
        this.#codec.close();
        this.port.close();
    }
  }

  #write(buffer: ArrayBuffer, bytes: number): void {
    const chunk = new Uint8Array(buffer, 0, bytes);
    if (this.#sumsFile) this.#sum.update(chunk);
    this.#taken.push(buffer);
    this.#codec.write(chunk);
  }

  #tellTaken(): void {
    const buffer = this.#taken.shift();
    if (buffer !== undefined) this.#send({ kind: "taken", buffer }, [buffer]);
  }

  /** Gathers output, so that few messages carry it. */
  #pass(output: Uint8Array): void {
    this.#sumUp(output);
    for (let at = 0; at < output.length;) {
      this.#buffer ??= spare.pop() ?? new Uint8Array(BUFFER_BYTES);
      const taken = Math.min(output.length - at, this.#buffer.length - this.#fill);
      this.#buffer.set(output.subarray(at, at + taken), this.#fill);
      this.#fill += taken;
      at += taken;
      if (this.#fill === this.#buffer.length) this.#handOver();
    }
  }

  #handOver(): void {
    const buffer = this.#buffer?.buffer;
    if (buffer === undefined) return;
    this.#send({ kind: "data", buffer, bytes: this.#fill, hashes: this.#hashes }, [buffer]);
    this.#buffer = undefined;
    this.#fill = 0;
    this.#hashes = [];
    if (++this.#away === AHEAD) this.#codec.pause();
  }

  /** A fault of the archive ends the summing: the reader finds it in the same bytes. */
  #sumUp(output: Uint8Array): void {
    try {
      this.#archive?.push(output);
    } catch {
      this.#archive = undefined;
    }
  }

  #openSignedRange(): TarReader {
    const raw = (bytes: Uint8Array) => this.#sum.update(bytes);
    return new TarReader({ raw, entry() {}, data() {}, entryEnd() {} }, SIGNATURE_NAME);
  }

  #openContent(): TarReader {
    let content: Sha256 | undefined;
    return new TarReader({
      raw() {},
      entry: ({ type }) => void (content = type === "file" ? createSha256() : undefined),
      data: (bytes) => content?.update(bytes),
      entryEnd: () => content !== undefined && this.#hashes.push(content.hex()),
    }, SIGNATURE_NAME);
  }

  #send(message: FromThread, transfer: Transferable[] = []): void {
    this.port.postMessage(message, transfer);
  }
}

addEventListener("message", (event) => {
  if (!(event instanceof MessageEvent)) return;
  for (const port of event.ports) new Service(port);
});
