/**
 * A second thread that decodes and hashes packages while the first one judges and writes what is in them. It is given
 * the bytes of a file and gives back the content and its sums; nothing is decided there. Content comes through shared
 * memory, which bounds how far it runs ahead, whatever a file expands to (F-ZST-03); everything else by messages.
 */
import { PeipkgError } from "../errors.ts";
import { createRing, PIECES, type RingMemory, RingReader } from "./shared_ring.ts";
import type { Codec, CodecEvents } from "./zstd_codec.ts";

/** Bytes of a SHA-256. */
const SUM_BYTES = 32;
/** How long the first thread sleeps for content before it looks after signals and downloads. */
const SLEEP_MILLISECONDS = 1;

/**
 * What the thread sums up: the signed range, or the content of every regular file. Either leaves the first thread about
 * as much to do in the pass that needs it.
 */
export type Summed = "signed-range" | "content";

/** To the thread: what to do, the next piece, the end of the file, to tell the sum, or to stop. */
export type ToThread =
  | { readonly kind: "begin"; readonly summed: Summed; readonly ring: RingMemory }
  | { readonly kind: "write"; readonly bytes: number }
  | { readonly kind: "end" }
  | { readonly kind: "sum" }
  | { readonly kind: "close" };

/** From the thread; in the ring, beside the content, the SHA-256 of every regular file that ends in it or later. */
export type FromThread =
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "sum"; readonly digest: Uint8Array<ArrayBuffer> }
  /** Nothing more is written into the ring. */
  | { readonly kind: "closed" };

export interface ThreadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly module?: URL;
}

/** Why a thread is of no more use. */
interface Loss {
  readonly cause: unknown;
}

/** Starts a thread; dispose it. One file at a time has its turn, because each needs a window of memory. */
export class ZstdThread implements Disposable {
  readonly #worker: Worker;
  readonly #started: Promise<boolean>;
  readonly #queue: (() => void)[] = [];
  readonly #ring = createRing();
  readonly #signal: AbortSignal | undefined;
  #turn: ThreadTurn | undefined;
  #isTaken = false;
  #loss: Loss | undefined;
  #isOver = false;

  /**
   * @param options.signal Ends every turn with its reason, whatever the thread is doing.
   * @param options.module For tests: another module than the one that decodes.
   */
  constructor({ signal, module = new URL("./zstd_worker.ts", import.meta.url) }: ThreadOptions = {}) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
    this.#worker = new Worker(module, { type: "module" });
    const { port1, port2 } = new MessageChannel();
    this.#started = new Promise((resolve) => {
      const answer = (isStarted: boolean) => {
        port1.postMessage({ kind: "close" } satisfies ToThread);
        port1.close();
        resolve(isStarted);
      };
      port1.onmessage = () => answer(true);
      this.#worker.onerror = (event) => {
        event.preventDefault(); // else it would end the program
        const message = `cannot decompress: the thread that does it ended: ${event.message}`;
        this.#lose({ cause: new PeipkgError("internal", message) });
        answer(false);
      };
    });
    port1.postMessage({ kind: "sum" } satisfies ToThread);
    this.#worker.postMessage(undefined, [port2]);
  }

  /**
   * Waits for the turn to decode one file; dispose it.
   *
   * @returns `undefined` when there is no thread: it could not be started, or was disposed.
   * @throws {PeipkgError} `internal` when the thread ended after it had started.
   */
  async turn(summed: Summed): Promise<ThreadTurn | undefined> {
    if (!await this.#started) return undefined;
    if (this.#isTaken && !this.#isOver) await new Promise<void>((resolve) => void this.#queue.push(resolve));
    if (this.#loss !== undefined) throw this.#loss.cause;
    if (this.#isOver) return undefined;
    this.#isTaken = true;
    const { port1, port2 } = new MessageChannel();
    this.#turn = new ThreadTurn(port1, summed, this.#ring, this.#onLeft);
    this.#worker.postMessage(undefined, [port2]);
    return this.#turn;
  }

  /** The thread has left the last turn's file: its memory is free for the next one. */
  readonly #onLeft = (): void => {
    this.#turn = undefined;
    const next = this.#queue.shift();
    this.#isTaken = next !== undefined;
    next?.();
  };

  readonly #onAbort = (): void => this.#lose({ cause: this.#signal?.reason });

  #lose(loss: Loss): void {
    this.#loss ??= loss;
    this.#turn?.lose(loss);
    this.#end();
  }

  /** No turn follows: who waits for one, now or later, goes on without. */
  #end(): void {
    this.#isOver = true;
    for (const next of this.#queue.splice(0)) next();
  }

  [Symbol.dispose](): void {
    this.#turn?.[Symbol.dispose](); // also wakes the thread, which else could not end
    this.#end();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#worker.terminate();
  }
}

/** One file being decoded by the thread. */
export class ThreadTurn implements Codec, Disposable {
  readonly depth = PIECES;
  readonly #ring: RingReader;
  readonly #hashes: string[] = [];
  #events: CodecEvents | undefined;
  #sum: Waiting | undefined;
  #loss: Loss | undefined;
  #isOpen = true;
  #hasEnded = false;
  #taken = 0;

  constructor(
    private readonly port: MessagePort,
    summed: Summed,
    ring: RingMemory,
    private readonly onLeft: () => void,
  ) {
    this.#ring = new RingReader(ring);
    this.#ring.reset();
    port.onmessage = ({ data }: MessageEvent<FromThread>) => this.#receive(data);
    this.#send({ kind: "begin", summed, ring });
  }

  /** Begins to decode. */
  open(events: CodecEvents): Codec {
    this.#events = events;
    return this;
  }

  write(chunk: Uint8Array): void {
    this.#ring.hand(chunk);
    this.#send({ kind: "write", bytes: chunk.length });
  }

  end(): void {
    this.#send({ kind: "end" });
  }

  /**
   * Passes on what is there, else sleeps for a moment; then lets messages and signals in. Sleeping here and not in
   * the event loop is what makes the hand-over cheap: thousands of slots come in a second.
   */
  async progress(): Promise<void> {
    const { news } = this.#ring;
    if (!this.#passOn()) this.#ring.wait(news, SLEEP_MILLISECONDS);
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#send({ kind: "close" });
    this.#isOpen = false;
    this.#ring.leave();
    if (this.#hasEnded) this.onLeft(); // else the thread may still be writing into the ring
  }

  /** SHA-256 of the next regular file, hex; `undefined` when it has not ended. */
  nextHash(): string | undefined {
    return this.#hashes.shift();
  }

  /** SHA-256 of the signed range, as far as the file was handed over; nothing more can be afterwards. */
  sum(): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      if (this.#loss !== undefined) return reject(this.#loss.cause);
      this.#sum = { resolve, reject };
      this.#send({ kind: "sum" });
    });
  }

  /** Ends what waits for a thread that is gone, or of no more use. */
  lose(loss: Loss): void {
    this.#loss = loss;
    this.#events?.failed(loss.cause);
    this.#sum?.reject(loss.cause);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(message: ToThread): void {
    if (this.#isOpen) this.port.postMessage(message);
  }

  /** Passes on what the thread has done since the last time. @returns whether it has done anything. */
  #passOn(): boolean {
    const { taken, hasEnded } = this.#ring; // looked at before the content, which then is all of what they tell of
    let hasNews = this.#ring.read(this.#passOnSlot);
    for (; this.#taken < taken && this.#isOpen; this.#taken++, hasNews = true) this.#events?.taken();
    if (!hasEnded || this.#hasEnded || !this.#isOpen) return hasNews;
    this.#hasEnded = true;
    this.#events?.ended();
    return true;
  }

  readonly #passOnSlot = (bytes: Uint8Array, sums: Uint8Array): void => {
    for (let at = 0; at < sums.length; at += SUM_BYTES) this.#hashes.push(sums.slice(at, at + SUM_BYTES).toHex());
    if (bytes.length > 0) this.#events?.data(bytes);
  };

  #receive(message: FromThread): void {
    if (message.kind === "closed") {
      this.port.close();
      if (!this.#hasEnded) this.onLeft();
      return;
    }
    if (!this.#isOpen) return;
    if (message.kind === "sum") return this.#sum?.resolve(message.digest);
    while (this.#passOn()); // what was decoded before the fault
    this.#events?.failed(new Error(message.message));
  }
}

interface Waiting {
  readonly resolve: (digest: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (cause: unknown) => void;
}
