import assert from "node:assert/strict";
import { nearestName, nearHint } from "../../../core/identity/near_name.ts";

Deno.test("C-GEN-07: nearestName() counts insertions, deletions and replacements, up to its limit", () => {
  assert.equal(nearestName("kitten", ["sitting"], 3), "sitting");
  assert.equal(nearestName("kitten", ["sitting"], 2), undefined);
  assert.equal(nearestName("zilb", ["zlib", "xz"]), "zlib");
  assert.equal(nearestName("", ["a", "bcd"]), "a");
  assert.equal(nearestName("anything", []), undefined);
});

Deno.test("C-CONF-11: nearestName() takes the nearest, the earlier of two equally near, and more edits in long names", () => {
  assert.equal(nearestName("lib", ["libx", "liby", "lib"]), "lib");
  assert.equal(nearestName("libz", ["libx", "liby"]), "libx");
  assert.equal(nearestName("libz", ["liby", "libx"]), "liby");
  assert.equal(nearestName("fetchparal", ["fetch_parallel"]), undefined);
  assert.equal(nearestName("fetchparalel", ["fetch_parallel"]), "fetch_parallel");
  assert.deepEqual(nearHint("ngnix", ["nginx"]), { hint: 'did you mean "nginx"?' });
  assert.deepEqual(nearHint("frobnicate", ["nginx"]), {});
});
