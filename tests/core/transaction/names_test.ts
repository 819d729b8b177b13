import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  backupSuffix,
  freeSiblingName,
  isBelow,
  parentPath,
  siblingName,
  stagedSuffix,
} from "../../../core/transaction/names.ts";

Deno.test("T-NAME-01: siblingName() appends the suffix of the transaction", () => {
  assert.equal(siblingName("jq", stagedSuffix(12)), "jq.peipkg-staged-12");
  assert.equal(siblingName("jq", backupSuffix(12)), "jq.peipkg-backup-12");
});

Deno.test("T-NAME-02: siblingName() cuts a long base at a character boundary and marks it with its hash", () => {
  const base = "ä".repeat(120) + "x";
  const name = siblingName(base, ".peipkg-staged-7");
  const hash = createHash("sha256").update(base).digest("hex").slice(0, 12);
  // 255 - 16 - 13 = 226 bytes: 113 characters of two bytes.
  assert.equal(name, `${"ä".repeat(113)}~${hash}.peipkg-staged-7`);
  assert.equal(new TextEncoder().encode(name).length, 255);
  const odd = siblingName("x" + "ä".repeat(120), ".peipkg-staged-7");
  assert.equal(new TextEncoder().encode(odd).length, 254);
});

Deno.test("T-NAME-02: siblingName() keeps two long names with a common prefix apart", () => {
  const prefix = "n".repeat(250);
  assert.notEqual(siblingName(`${prefix}a`, ".peipkg-new"), siblingName(`${prefix}b`, ".peipkg-new"));
});

Deno.test("T-NAME-02: siblingName() cuts only when it has to", () => {
  const base = "b".repeat(255 - 16);
  assert.equal(siblingName(base, ".peipkg-staged-7"), `${base}.peipkg-staged-7`);
});

Deno.test("T-NAME-03: freeSiblingName() numbers a name that is taken", () => {
  const taken = new Set(["jq.peipkg-staged-1", "jq.peipkg-staged-1-1"]);
  assert.equal(freeSiblingName("jq", ".peipkg-staged-1", (name) => taken.has(name)), "jq.peipkg-staged-1-2");
});

Deno.test("isBelow() and parentPath() work on whole components", () => {
  assert.equal(isBelow("/etc/x", "/etc"), true);
  assert.equal(isBelow("/etcetera", "/etc"), false);
  assert.equal(isBelow("/etc", "/etc"), false);
  assert.equal(isBelow("/etc", "/"), true);
  assert.equal(parentPath("/etc"), "/");
  assert.equal(parentPath("/etc/a/b"), "/etc/a");
});
