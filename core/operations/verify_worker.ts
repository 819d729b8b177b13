/** The other side of `verify_thread.ts`: the port that arrives brings the root, then parts of the recorded list. */
import { expectSha256 } from "../format/hash.ts";
import { openSameRoot } from "../fs/root.ts";
import { FileInspector, type Finding } from "./file_inspector.ts";
import { FINISHED, type FromVerifyThread, STARTED, type ToVerifyThread } from "./verify_thread.ts";

addEventListener("message", (event) => {
  if (!(event instanceof MessageEvent)) return;
  for (const port of event.ports) serve(port);
});

function serve(port: MessagePort): void {
  let inspector: FileInspector | undefined;
  let counters: Int32Array | undefined;
  port.onmessage = ({ data }: MessageEvent<ToVerifyThread>) => {
    if (data.kind === "begin") {
      inspector = new FileInspector(openSameRoot(data.path, data.descriptor), false);
      expectSha256([Infinity]);
      counters = new Int32Array(data.counters);
      return void Atomics.store(counters, STARTED, 1);
    }
    if (inspector === undefined || counters === undefined) return;
    const findings: Finding[] = [];
    for (const file of data.files) {
      const finding = inspector.inspect(file);
      if (finding !== undefined) findings.push(finding);
    }
    Atomics.add(counters, FINISHED, 1);
    port.postMessage({ number: data.number, findings } satisfies FromVerifyThread);
  };
}
