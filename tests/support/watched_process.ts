/**
 * A real program whose `--json` events are looked at while it runs, so that a test can act at a moment of its choice:
 * send a signal when staging begins, start a second process once the first holds the lock.
 */
import { type CliOptions, spawn } from "./cli.ts";

/** One line of the stream; its members depend on `event`. */
export type StreamEvent = Readonly<Record<string, unknown>>;

export interface WatchedResult {
  /** Exit status; of a process that a signal ended, 128 plus its number. */
  readonly status: number;
  readonly events: readonly StreamEvent[];
  /** The last event: the one word every run ends with. */
  readonly last: StreamEvent;
  readonly stderr: string;
}

export interface WatchOptions extends CliOptions {
  /** Called for each event as it is read. */
  readonly onEvent?: (event: StreamEvent, child: Deno.ChildProcess) => void | Promise<void>;
}

/** Runs a program with `--json` and follows its events to the end. */
export async function watch(args: readonly string[], options: WatchOptions = {}): Promise<WatchedResult> {
  const child = spawn(["--json", ...args], options);
  const stderr = new Response(child.stderr).text();
  const events: StreamEvent[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const event: StreamEvent = JSON.parse(line);
      events.push(event);
      await options.onEvent?.(event, child);
    }
  }
  const { code } = await child.status;
  return { status: code, events, last: events.at(-1) ?? {}, stderr: await stderr };
}

/** Sends a signal; a process that has just ended gets none. */
export function signalQuietly(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}
