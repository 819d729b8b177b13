/**
 * Takes the writer lock of a directory as a process of its own, says so, and holds it until standard input ends.
 * Argument: the state directory.
 */
import { acquireWriterLock } from "../../core/fs/lock.ts";
import { realSystem } from "../../core/runtime.ts";

using system = realSystem();
using root = system.openRoot(Deno.args[0] ?? "");
using state = root.openDirectory("/");
if (state === undefined) throw new Error("no state directory");
using _lock = await acquireWriterLock(
  {
    system,
    emit: () => {},
    signal: new AbortController().signal,
    invocation: "00",
    version: "peipkg 0.1.0",
    command: "upgrade",
  },
  state,
  { waitSeconds: 0, startedAt: 1_767_323_045_000 },
);
await Deno.stdout.write(new TextEncoder().encode("held\n"));
await Deno.stdin.readable.pipeTo(new WritableStream());
