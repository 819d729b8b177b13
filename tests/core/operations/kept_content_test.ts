import assert from "node:assert/strict";
import { ContentBudget, KeptContent } from "../../../core/operations/kept_content.ts";
import { parseSafePath } from "../../../core/identity/safe_path.ts";

const MIB = 1024 * 1024;

function entry(path: string, sizeBytes: number) {
  return { path: parseSafePath(path), type: "file", sizeBytes, hash: "a".repeat(64) } as const;
}

Deno.test("T-VERIFY-05: KeptContent keeps what is not installed with the same content", () => {
  const kept = new KeptContent(new ContentBudget(), (path) => path === "/usr/same");
  kept.keep(0, entry("usr/new", 3))?.set([1, 2, 3]);
  assert.equal(kept.keep(1, entry("usr/same", 3)), undefined);
  kept.keep(2, entry("usr/other", 2))?.set([4, 5]);
  assert.equal(kept.isComplete, true);
  assert.deepEqual(kept.get(0), Uint8Array.of(1, 2, 3));
  assert.equal(kept.get(1), undefined);
  assert.deepEqual(kept.get(2), Uint8Array.of(4, 5));
});

Deno.test("T-VERIFY-05: KeptContent gives up a package the budget cannot hold and frees its share", () => {
  const budget = new ContentBudget();
  const large = new KeptContent(budget, () => false);
  assert.notEqual(large.keep(0, entry("usr/a", 20 * MIB)), undefined);
  assert.equal(large.keep(1, entry("usr/b", 20 * MIB)), undefined);
  assert.equal(large.keep(2, entry("usr/c", 1)), undefined);
  assert.equal(large.isComplete, false);
  assert.equal(large.get(0), undefined);
  const next = new KeptContent(budget, () => false);
  assert.equal(next.keep(0, entry("usr/d", 30 * MIB))?.length, 30 * MIB);
});

Deno.test("T-VERIFY-05: KeptContent begins anew when a package is read again", () => {
  const kept = new KeptContent(new ContentBudget(), () => false);
  kept.keep(3, entry("usr/a", 1))?.set([9]);
  kept.keep(3, entry("usr/a", 1))?.set([7]);
  assert.equal(kept.isComplete, true);
  assert.deepEqual(kept.get(3), Uint8Array.of(7));
});
