/**
 * A second thread that decodes and hashes packages while the first one judges and writes what is in them. It is given
 * the bytes of a file and gives back the content and its sums; nothing is decided there. It runs at most a few
 * buffers ahead, whatever a file expands to (F-ZST-03), and buffers go to and fro instead of being made anew.
 */
import { PeipkgError } from "../errors.ts";
import { type Codec, type CodecEvents, PIECE_BYTES } from "./zstd_codec.ts";

/** Files decoded at once: each needs a window of memory. */
const TURNS = 1;
/** Pieces of a file handed over ahead. */
const DEPTH = 3;

/**
 * What the thread sums up: the signed range, or the file itself and the content of every regular file in it. Either
 * leaves the first thread about as much to do in the pass that needs it.
 */
export type Summed = "signed-range" | "file-and-content";

/** To the thread: what to do, the next piece, the end of the file, a buffer back, to tell the sum, or to stop. */
export type ToThread =
  | { readonly kind: "begin"; readonly summed: Summed }
  | { readonly kind: "write"; readonly buffer: ArrayBuffer; readonly bytes: number }
  | { readonly kind: "end" }
  | { readonly kind: "back"; readonly buffer: ArrayBuffer }
  | { readonly kind: "sum" }
  | { readonly kind: "close" };

/** From the thread. */
export type FromThread =
  /** The next content, and the SHA-256 of every regular file that ends in it. */
  | { readonly kind: "data"; readonly buffer: ArrayBuffer; readonly bytes: number; readonly hashes: readonly string[] }
  | { readonly kind: "taken"; readonly buffer: ArrayBuffer }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "sum"; readonly digest: Uint8Array<ArrayBuffer> };

export interface ThreadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly module?: URL;
}

/** Why a thread is of no more use. */
interface Loss {
  readonly cause: unknown;
}

/** Starts a thread; dispose it. */
export class ZstdThread implements Disposable {
  readonly #worker: Worker;
  readonly #started: Promise<boolean>;
  readonly #open = new Set<ThreadTurn>();
  readonly #queue: (() => void)[] = [];
  /** Buffers for pieces of files, at most `DEPTH` of them for each turn. */
  readonly #spare: ArrayBuffer[] = [];
  readonly #signal: AbortSignal | undefined;
  #turnsLeft = TURNS;
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
   * Waits for a turn to decode one file; dispose it.
   *
   * @returns `undefined` when there is no thread: it could not be started, or was disposed.
   * @throws {PeipkgError} `internal` when the thread ended after it had started.
   */
  async turn(summed: Summed): Promise<ThreadTurn | undefined> {
    if (!await this.#started) return undefined;
    if (this.#turnsLeft > 0) this.#turnsLeft--;
    else if (!this.#isOver) await new Promise<void>((resolve) => void this.#queue.push(resolve));
    if (this.#loss !== undefined) throw this.#loss.cause;
    if (this.#isOver) return undefined;
    const { port1, port2 } = new MessageChannel();
    const turn = new ThreadTurn(port1, summed, this.#spare, () => {
      this.#open.delete(turn);
      const next = this.#queue.shift();
      if (next === undefined) this.#turnsLeft++;
      else next();
    });
    this.#open.add(turn);
    this.#worker.postMessage(undefined, [port2]);
    return turn;
  }

  readonly #onAbort = (): void => this.#lose({ cause: this.#signal?.reason });

  #lose(loss: Loss): void {
    this.#loss ??= loss;
    for (const turn of this.#open) turn.lose(loss);
    this.#end();
  }

  /** Nobody gives a turn back from here on: who waits for one, now or later, goes on without. */
  #end(): void {
    this.#isOver = true;
    for (const next of this.#queue.splice(0)) next();
  }

  [Symbol.dispose](): void {
    for (const turn of this.#open) turn[Symbol.dispose]();
    this.#end();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#worker.terminate();
  }
}

/** One file being decoded by the thread. */
export class ThreadTurn implements Codec, Disposable {
  readonly depth = DEPTH;
  readonly #hashes: string[] = [];
  #events: CodecEvents | undefined;
  #sum: Waiting | undefined;
  #loss: Loss | undefined;
  #isOpen = true;

  constructor(
    private readonly port: MessagePort,
    summed: Summed,
    private readonly spare: ArrayBuffer[],
    private readonly onClose: () => void,
  ) {
    port.onmessage = ({ data }: MessageEvent<FromThread>) => this.#receive(data);
    this.#send({ kind: "begin", summed });
  }

  /** Begins to decode. */
  open(events: CodecEvents): Codec {
    this.#events = events;
    return this;
  }

  write(chunk: Uint8Array): void {
    let buffer = this.spare.pop();
    if (buffer === undefined || buffer.byteLength < chunk.length) {
      buffer = new ArrayBuffer(Math.max(chunk.length, PIECE_BYTES));
    }
    new Uint8Array(buffer).set(chunk);
    this.#send({ kind: "write", buffer, bytes: chunk.length }, [buffer]);
  }

  end(): void {
    this.#send({ kind: "end" });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#send({ kind: "close" });
    this.#isOpen = false;
    this.port.close();
    this.onClose();
  }

  /** SHA-256 of the next regular file, hex; `undefined` when it has not ended. */
  nextHash(): string | undefined {
    return this.#hashes.shift();
  }

  /** SHA-256 of the file, or of its signed range, as far as it was handed over; nothing more can be afterwards. */
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

  #send(message: ToThread, transfer: Transferable[] = []): void {
    if (this.#isOpen) this.port.postMessage(message, transfer);
  }

  #receive(message: FromThread): void {
    if (!this.#isOpen) return;
    switch (message.kind) {
      case "data": {
        const { buffer, bytes, hashes } = message;
        this.#hashes.push(...hashes);
        this.#events?.data(new Uint8Array(buffer, 0, bytes));
        return this.#send({ kind: "back", buffer }, [buffer]);
      }
      case "taken":
        this.spare.push(message.buffer);
        return this.#events?.taken();
      case "ended":
        return this.#events?.ended();
      case "failed":
        return this.#events?.failed(new Error(message.message));
      case "sum":
        return this.#sum?.resolve(message.digest);
    }
  }
}

interface Waiting {
  readonly resolve: (digest: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (cause: unknown) => void;
}
