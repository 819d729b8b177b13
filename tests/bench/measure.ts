/** Starts one command and says what it cost. */
import type { Invocation } from "./peer.ts";

export interface Sample {
  readonly seconds: number;
  /** CPU seconds of the command and its children, user and system. */
  readonly cpuSeconds: number;
  /** Largest resident size of the command or any one child, KiB. */
  readonly peakKib: number;
  /** See `BenchRoot.written`; the growth during this command. */
  readonly writtenBytes: number | undefined;
}

const decoder = new TextDecoder();
const TIME = "/usr/bin/time";

/**
 * Runs to the end under GNU time, which waits for the command itself and so knows its peak.
 *
 * @param syncAfter A path whose file system is synced within the measured time.
 * @param accept Exit statuses beside 0 that are no failure (verification that finds something).
 * @throws {Error} with the command's last words when it fails.
 */
export async function measure(
  invocation: Invocation,
  options: { readonly syncAfter?: string; readonly accept?: readonly number[] } = {},
): Promise<Sample> {
  const report = await Deno.makeTempFile({ prefix: "bench-time-" });
  const wrapped = options.syncAfter === undefined
    ? invocation.command
    : ["sh", "-c", 'place=$1; shift; "$@" && exec sync -f "$place"', "sh", options.syncAfter, ...invocation.command];
  try {
    const started = performance.now();
    const { code, stderr } = await new Deno.Command(TIME, {
      args: ["-q", "-o", report, "-f", "%U %S %M", "--", ...wrapped],
      env: { LC_ALL: "C.UTF-8", ...invocation.env },
      ...(invocation.cwd === undefined ? {} : { cwd: invocation.cwd }),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0 && options.accept?.includes(code) !== true) {
      const words = decoder.decode(stderr).trim().slice(-1500);
      throw new Error(`${invocation.command.slice(0, 8).join(" ")} ended with status ${code}: ${words}`);
    }
    const [user = 0, system = 0, peakKib = 0] = (await Deno.readTextFile(report)).trim().split(" ").map(Number);
    return { seconds, cpuSeconds: user + system, peakKib, writtenBytes: undefined };
  } finally {
    await Deno.remove(report);
  }
}

export async function missingTime(): Promise<string | undefined> {
  return await Deno.stat(TIME).then(() => undefined, () => `${TIME} is missing: apt-get install time`);
}
