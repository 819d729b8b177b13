/** Worker modules are files of the bundle, under the names the program asks for. */
import assert from "node:assert/strict";
import { bundle, stageSources } from "../../.build/bundle.ts";
import { ZstdThread } from "../../core/format/zstd_thread.ts";

const HOME = new URL("../..", import.meta.url).pathname;

Deno.test("the bundled program's second thread is asked for by its name and starts", async () => {
  const staged = await Deno.makeTempDir({ prefix: "peipkg-worker-" });
  try {
    await stageSources(HOME, staged, { version: "0.1.0", commit: "test", form: "source" });
    const { files } = await bundle(staged);
    const decoder = new TextDecoder();
    const asking = files.filter(({ content }) =>
      decoder.decode(content).includes('new URL("./zstd_worker.js", import.meta.url)')
    );
    assert.equal(asking.length, 1);
    const program = `${staged}/program`;
    await Deno.mkdir(program);
    for (const { name, content } of files) await Deno.writeFile(`${program}/${name}`, content);
    using thread = new ZstdThread({ module: new URL(`file://${program}/zstd_worker.js`) });
    using turn = await thread.turn("signed-range");
    assert.ok(turn !== undefined);
  } finally {
    await Deno.remove(staged, { recursive: true });
  }
});
