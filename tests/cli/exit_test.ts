import assert from "node:assert/strict";
import { exitStatus } from "../../cli/exit.ts";
import { type ErrorCode, RULE_CODES } from "../../mod.ts";

Deno.test("C-EXIT-02: usage errors are 2 and nothing else is", () => {
  assert.equal(exitStatus("usage"), 2);
  assert.equal(exitStatus("confirmation-required"), 2);
  const others = new Set<ErrorCode>(Object.values(RULE_CODES));
  for (const code of others) if (code !== "usage") assert.notEqual(exitStatus(code), 2, code);
});

Deno.test("C-EXIT-01: every other failure is 1", () => {
  const codes: readonly ErrorCode[] = ["busy", "unresolvable", "config", "internal", "problems-found", "vulnerable"];
  for (const code of codes) assert.equal(exitStatus(code), 1);
});

Deno.test("C-EXIT-03: a signal is 128 and its number", () => {
  assert.deepEqual([1, 2, 15].map((signal) => exitStatus("interrupted", signal)), [129, 130, 143]);
});
