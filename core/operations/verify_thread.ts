/**
 * A second thread that looks at files beside the first one, for `verify` of many. It is given parts of the recorded
 * list and gives back what it found; the first thread does what the second has no time for, so that neither waits.
 * Whatever becomes of the thread, every part is looked at: what it did not answer the first one does itself.
 */
import type { InstalledFile } from "../store/installed.ts";
import type { RootDirectory } from "../system.ts";
import type { Finding } from "./file_inspector.ts";

/** Parts handed over ahead: the first thread comes by after each part of its own. */
const AHEAD = 3;
/** Places in the memory both threads see: whether the second has started, and how many parts it has finished. */
export const STARTED = 0;
export const FINISHED = 1;

/** Recorded paths of one package, some at a time, and what was found. */
export interface Part {
  /** Emptied when they have been looked at. */
  files: readonly InstalledFile[];
  findings: readonly Finding[] | undefined;
}

/** To the thread. */
export type ToVerifyThread =
  | { readonly kind: "begin"; readonly path: string; readonly descriptor: number; readonly counters: SharedArrayBuffer }
  | { readonly kind: "part"; readonly number: number; readonly files: readonly InstalledFile[] };

/** From the thread. */
export interface FromVerifyThread {
  readonly number: number;
  readonly findings: readonly Finding[];
}

export class VerifyThread implements Disposable {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #counters = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  readonly #open = new Map<number, Part>();
  #given = 0;
  #isLost = false;
  #onProgress: () => void = () => {};

  private constructor(path: string, descriptor: number, module: URL) {
    this.#worker = new Worker(module, { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault(); // else it would end the program
      this.#isLost = true;
      this.#onProgress();
    };
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<FromVerifyThread>) => this.#receive(data);
    this.#send({ kind: "begin", path, descriptor, counters: this.#sharedMemory() });
    this.#worker.postMessage(undefined, [port2]);
  }

  /**
   * Starts a thread.
   *
   * @param module For tests: another module than the one that looks.
   * @returns `undefined` when the root is not one another thread can reach.
   */
  static start(
    root: RootDirectory,
    module: URL = new URL("./verify_worker.ts", import.meta.url),
  ): VerifyThread | undefined {
    return root.descriptor === undefined ? undefined : new VerifyThread(root.path, root.descriptor, module);
  }

  /** @returns Whether the thread takes the part: it has started and has not enough to do. */
  offer(part: Part): boolean {
    if (this.#isLost || Atomics.load(this.#counters, STARTED) === 0) return false;
    if (this.#given - Atomics.load(this.#counters, FINISHED) >= AHEAD) return false;
    const number = this.#given++;
    this.#open.set(number, part);
    this.#send({ kind: "part", number, files: part.files });
    return true;
  }

  /**
   * Waits for what the thread has taken.
   *
   * @returns Parts it will not answer any more.
   * @throws The signal's reason.
   */
  async finish(signal: AbortSignal): Promise<readonly Part[]> {
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort);
      this.#onProgress = () => {
        if (!this.#isLost && this.#open.size > 0) return;
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#onProgress();
    });
    return [...this.#open.values()];
  }

  [Symbol.dispose](): void {
    this.#port.close();
    this.#worker.terminate();
  }

  #receive({ number, findings }: FromVerifyThread): void {
    const part = this.#open.get(number);
    if (part === undefined) return;
    part.files = [];
    part.findings = findings;
    this.#open.delete(number);
    this.#onProgress();
  }

  #sharedMemory(): SharedArrayBuffer {
    const { buffer } = this.#counters;
    if (buffer instanceof SharedArrayBuffer) return buffer;
    throw new TypeError("the counters must be shared");
  }

  #send(message: ToVerifyThread): void {
    this.#port.postMessage(message);
  }
}
