/** Worker modules are files of the bundle, under the names the program asks for. */
import assert from "node:assert/strict";
import { bundle, stageSources } from "../../.build/bundle.ts";
import { ZstdThread } from "../../core/format/zstd_thread.ts";
import { type Part, VerifyThread } from "../../core/operations/verify_thread.ts";
import { realSystem } from "../../core/runtime.ts";

const HOME = new URL("../..", import.meta.url).pathname;

Deno.test("the bundled program's second threads are asked for by their names and start", async () => {
  const staged = await Deno.makeTempDir({ prefix: "peipkg-worker-" });
  try {
    await stageSources(HOME, staged, { version: "0.1.0", commit: "test", form: "source" });
    const { files } = await bundle(staged);
    const decoder = new TextDecoder();
    for (const worker of ["zstd_worker", "verify_worker"]) {
      const asking = files.filter(({ content }) =>
        decoder.decode(content).includes(`new URL("./${worker}.js", import.meta.url)`)
      );
      assert.equal(asking.length, 1, worker);
    }
    const program = `${staged}/program`;
    await Deno.mkdir(program);
    for (const { name, content } of files) await Deno.writeFile(`${program}/${name}`, content);
    using thread = new ZstdThread({ module: new URL(`file://${program}/zstd_worker.js`) });
    using turn = await thread.turn("signed-range");
    assert.ok(turn !== undefined);
    using system = realSystem();
    using root = system.openRoot(staged);
    using looking = VerifyThread.start(root, new URL(`file://${program}/verify_worker.js`));
    const part: Part = { files: [], findings: undefined };
    while (looking?.offer(part) === false) await new Promise((resolve) => setTimeout(resolve, 1));
    await looking?.finish(new AbortController().signal);
    assert.deepEqual(part.findings, []);
  } finally {
    await Deno.remove(staged, { recursive: true });
  }
});
