/** The other side of `zstd_thread.ts`: every port that arrives is one file to decode. */
import { SIGNATURE_NAME } from "./archive_layout.ts";
import { createSha256, type Sha256 } from "./hash.ts";
import { RingWriter } from "./shared_ring.ts";
import { TarReader } from "./tar.ts";
import { type Codec, openCodec } from "./zstd_codec.ts";
import type { FromThread, ToThread } from "./zstd_thread.ts";

class Service {
  /** Of the signed range. */
  readonly #sum = createSha256();
  readonly #codec: Codec;
  #ring: RingWriter | undefined;
  #archive: TarReader | undefined;

  constructor(private readonly port: MessagePort) {
    this.#codec = openCodec({
      data: (bytes) => this.#pass(bytes),
      taken: () => this.#ring?.take(),
      ended: () => this.#ring?.end(),
      failed: (cause) => {
        this.#ring?.flush();
        this.#send({ kind: "failed", message: cause instanceof Error ? cause.message : String(cause) });
      },
    });
    port.onmessage = ({ data }: MessageEvent<ToThread>) => this.#receive(data);
  }

  #receive(message: ToThread): void {
    switch (message.kind) {
      case "begin":
        this.#ring = new RingWriter(message.ring);
        this.#archive = message.summed === "content" ? this.#openContent(this.#ring) : this.#openSignedRange();
        return;
      case "write":
        if (this.#ring !== undefined) this.#codec.write(this.#ring.receive(message.bytes));
        return;
      case "end":
        return this.#codec.end();
      case "sum":
        return this.#send({ kind: "sum", digest: this.#sum.digest() });
      case "close":
        this.#codec.close();
        this.#send({ kind: "closed" });
        this.port.close();
    }
  }

  #pass(output: Uint8Array): void {
    this.#sumUp(output);
    if (this.#ring?.write(output) === false) this.#codec.close(); // nobody reads on: the rest need not be decoded
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

  #openContent(ring: RingWriter): TarReader {
    let content: Sha256 | undefined;
    return new TarReader({
      raw() {},
      entry: ({ type }) => void (content = type === "file" ? createSha256() : undefined),
      data: (bytes) => content?.update(bytes),
      entryEnd: () => content !== undefined && ring.note(content.digest()),
    }, SIGNATURE_NAME);
  }

  #send(message: FromThread): void {
    this.port.postMessage(message);
  }
}

addEventListener("message", (event) => {
  if (!(event instanceof MessageEvent)) return;
  for (const port of event.ports) new Service(port);
});
