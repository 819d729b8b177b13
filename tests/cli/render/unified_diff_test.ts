import assert from "node:assert/strict";
import { unifiedDiff } from "../../../cli/render/unified_diff.ts";

const side = (label: string, content: string | Uint8Array) => ({
  label,
  content: typeof content === "string" ? new TextEncoder().encode(content) : content,
});

Deno.test("C-DIFF-01: unifiedDiff() shows three lines around each change, without times", () => {
  const before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
  assert.deepEqual(unifiedDiff(side("a", before), side("b", before.replace("5", "five"))), [
    "--- a",
    "+++ b",
    "@@ -2,7 +2,7 @@",
    " 2",
    " 3",
    " 4",
    "-5",
    "+five",
    " 6",
    " 7",
    " 8",
  ]);
});

Deno.test("C-DIFF-01: a missing last newline is told, equal contents have no lines", () => {
  assert.deepEqual(unifiedDiff(side("a", "x"), side("b", "x\n")), [
    "--- a",
    "+++ b",
    "@@ -1,1 +1,1 @@",
    "-x",
    "\\ No newline at end of file",
    "+x",
  ]);
  assert.deepEqual(unifiedDiff(side("a", "x\n"), side("b", "x\n")), []);
});

Deno.test("C-DIFF-01: unifiedDiff() has no answer for what is no text", () => {
  assert.equal(unifiedDiff(side("a", "x\n"), side("b", new Uint8Array([0xff, 0x0a]))), undefined);
  assert.equal(unifiedDiff(side("a", "x\0\n"), side("b", "x\n")), undefined);
});
