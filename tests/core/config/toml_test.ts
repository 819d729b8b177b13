import assert from "node:assert/strict";
import { readFlatToml, renderTomlEntry } from "../../../core/config/toml.ts";

Deno.test("C-CONF-10: renderTomlEntry() writes what readFlatToml() reads back as the same value", () => {
  for (const value of ['a\u0000"\\\n', 1n, -9223372036854775808n, 1, 0.5, true, ["x", "y"], [1n, 2n], []]) {
    const document = readFlatToml(new TextEncoder().encode(renderTomlEntry("key", value)));
    assert.ok(document.kind === "entries");
    assert.deepEqual(document.entries.map((entry) => [entry.key, entry.value]), [["key", value]]);
  }
});
