/** A terminal made of strings: records what is written and answers from prepared lines. */
import { ClosedStreamError, LineReader, type OutputStream, type Terminal } from "../../../cli/terminal.ts";

export interface RecordedTerminal extends Terminal {
  readonly output: Record<OutputStream, string>;
  /** How often only fresh input was accepted. */
  readonly discards: { count: number };
}

/** @param setup `terminals`: streams that count as terminals. `closed`: streams whose reader has gone away. */
export function recordedTerminal(
  setup: {
    readonly lines?: readonly string[];
    readonly terminals?: readonly ("stdin" | OutputStream)[];
    readonly closed?: readonly OutputStream[];
    readonly width?: number;
  } = {},
): RecordedTerminal {
  const output = { stdout: "", stderr: "" };
  const discards = { count: 0 };
  const chunks = (setup.lines ?? []).map((line) => new TextEncoder().encode(`${line}\n`));
  const reader = new LineReader(() => Promise.resolve(chunks.shift()));
  const decoder = new TextDecoder();
  const write = (stream: OutputStream, text: string): void => {
    if (setup.closed?.includes(stream)) throw new ClosedStreamError(stream);
    output[stream] += text;
  };
  return {
    output,
    discards,
    isTerminal: (stream) => setup.terminals?.includes(stream) ?? false,
    width: () => setup.width ?? 80,
    write,
    writeBytes: (stream, bytes) => write(stream, decoder.decode(bytes)),
    readLine: (signal) => reader.line(signal),
    discardTyped: () => {
      discards.count += 1;
      return Promise.resolve();
    },
    readAll: (limitBytes) => reader.rest(limitBytes),
  };
}
