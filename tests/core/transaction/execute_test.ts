import assert from "node:assert/strict";
import { readTransactions } from "../../../core/store/history.ts";
import { World } from "./world.ts";

const JQ = {
  name: "jq",
  files: { "/usr/bin/jq": "jq 1", "/usr/share/doc/jq/README": "read me", "/usr/bin/jqq": { link: "jq" } },
};

Deno.test("T-COMMIT-13: an install puts files, links, rows and history in place", async () => {
  using world = new World();
  const report = await world.run([{ kind: "install", package: JQ }]);
  assert.equal(report.kind, "committed");
  assert.equal(report.transaction, 1);
  const tree = world.tree();
  assert.equal(tree["/usr/bin/jq"], 'file 0755 0:0 "jq 1"');
  assert.equal(tree["/usr/bin/jqq"], "symlink 0777 0:0 -> jq");
  assert.equal(tree["/usr/share/doc/jq"], "dir 0755 0:0");
  assert.deepEqual(Object.keys(tree).filter((path) => path.includes(".peipkg-")), []);
  const [record] = readTransactions(world.database);
  assert.equal(record?.state, "committed");
});

Deno.test("T-RM-01, T-RM-07: a removal takes files and empty directories, never destinations", async () => {
  using world = new World();
  const before = world.tree();
  await world.run([{ kind: "install", package: JQ }]);
  await world.run([{ kind: "remove", name: "jq" }]);
  const after = world.tree();
  assert.deepEqual(Object.keys(after).sort(), [...Object.keys(before), "/usr/share"].sort());
});
