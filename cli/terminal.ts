/**
 * The three standard streams: whether each is a terminal, how wide, lines in, text out. The only file that writes to
 * them (C-OUT-04) or reads from standard input.
 */

export type OutputStream = "stdout" | "stderr";

/** A stream whose reader has gone away. */
export class ClosedStreamError extends Error {
  override readonly name = "ClosedStreamError";
  constructor(readonly stream: OutputStream) {
    super(`${stream} was closed`);
  }
}

export interface Terminal {
  isTerminal(stream: "stdin" | OutputStream): boolean;
  /** Columns of the terminal on stderr. */
  width(): number;
  /**
   * Writes UTF-8, completely and at once: nothing is buffered, so nothing is left to flush (C-OUT-02).
   *
   * @throws {ClosedStreamError}
   */
  write(stream: OutputStream, text: string): void;
  /** As `write()`, for bytes that are passed through. */
  writeBytes(stream: OutputStream, bytes: Uint8Array): void;
  /**
   * One line from standard input without its end.
   *
   * @returns `undefined` at the end of input and for a line over 1024 bytes (C-PROMPT-01).
   * @throws The signal's reason when it is aborted while waiting.
   */
  readLine(signal: AbortSignal): Promise<string | undefined>;
  /** Throws away what was typed before a question was shown (C-AUTH-03). */
  discardTyped(): Promise<void>;
  /** All of standard input, at most `limitBytes`; `undefined` when there is more. */
  readAll(limitBytes: number): Promise<Uint8Array | undefined>;
}

const LINE_LIMIT_BYTES = 1024;
const DEFAULT_WIDTH = 80;
/** Long enough for the kernel to hand over a line that was typed already, too short for a person to type one. */
const TYPED_AHEAD_MILLISECONDS = 15;
const RETRY_MILLISECONDS = 5;
const NEWLINE = 0x0a;

/** Lines of a byte source; keeps what was read beyond the line asked for. Exported for its tests. */
export class LineReader {
  #buffer: Uint8Array = new Uint8Array(0);
  /** A read that was started and not yet taken: input cannot be un-read, so it is kept for the next caller. */
  #pending: Promise<Uint8Array | undefined> | undefined;

  constructor(private readonly readChunk: () => Promise<Uint8Array | undefined>) {}

  #next(): Promise<Uint8Array | undefined> {
    this.#pending ??= this.readChunk();
    return this.#pending;
  }

  async line(signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      const end = this.#buffer.indexOf(NEWLINE);
      if (end >= 0) return this.#take(end, end + 1);
      const chunk = await abortable(this.#next(), signal);
      this.#pending = undefined;
      if (chunk === undefined) return this.#buffer.length === 0 ? undefined : this.#take(this.#buffer.length);
      this.#buffer = joinBytes(this.#buffer, chunk);
      // An endless line must not fill the memory: nothing after its limit can make it an answer.
      if (this.#buffer.length > LINE_LIMIT_BYTES && !this.#buffer.includes(NEWLINE)) {
        this.#buffer = this.#buffer.subarray(0, LINE_LIMIT_BYTES + 1);
      }
    }
  }

  #take(length: number, consumed: number = length): string | undefined {
    const line = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(consumed);
    return line.length > LINE_LIMIT_BYTES ? undefined : new TextDecoder().decode(line);
  }

  /**
   * Drops whatever is there already. The read that finds nothing stays pending and receives the next line typed;
   * cancelling it is not possible, and would lose input.
   */
  async discard(): Promise<void> {
    for (;;) {
      this.#buffer = new Uint8Array(0);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const quiet = new Promise<"quiet">((resolve) => {
        timer = setTimeout(() => resolve("quiet"), TYPED_AHEAD_MILLISECONDS);
      });
      const chunk = await Promise.race([this.#next(), quiet]);
      clearTimeout(timer);
      if (chunk === "quiet" || chunk === undefined) return;
      this.#pending = undefined;
    }
  }

  async rest(limitBytes: number): Promise<Uint8Array | undefined> {
    let bytes = this.#buffer;
    for (;;) {
      const chunk = await this.#next();
      this.#pending = undefined;
      if (chunk === undefined) return bytes;
      bytes = joinBytes(bytes, chunk);
      if (bytes.length > limitBytes) return undefined;
    }
  }
}

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Waits for `promise` or for the signal, whichever is first; the promise itself goes on. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The real streams. */
export function realTerminal(): Terminal {
  const outputs = { stdout: Deno.stdout, stderr: Deno.stderr };
  const encoder = new TextEncoder();
  const reader = new LineReader(async () => {
    const buffer = new Uint8Array(4096);
    const count = await Deno.stdin.read(buffer);
    return count === null ? undefined : buffer.subarray(0, count);
  });
  const writeBytes = (stream: OutputStream, bytes: Uint8Array): void => {
    let written = 0;
    while (written < bytes.length) {
      try {
        written += outputs[stream].writeSync(bytes.subarray(written));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw new ClosedStreamError(stream);
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        // Another process made the pipe non-blocking; wait for its reader.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MILLISECONDS);
      }
    }
  };
  return {
    isTerminal: (stream) => stream === "stdin" ? Deno.stdin.isTerminal() : outputs[stream].isTerminal(),
    width: () => {
      try {
        return Deno.consoleSize().columns || DEFAULT_WIDTH;
      } catch {
        return DEFAULT_WIDTH; // no stream is a terminal
      }
    },
    write: (stream, text) => writeBytes(stream, encoder.encode(text)),
    writeBytes,
    readLine: (signal) => reader.line(signal),
    discardTyped: () => reader.discard(),
    readAll: (limitBytes) => reader.rest(limitBytes),
  };
}
