import assert from "node:assert/strict";
import { matchesPattern, selectNames } from "../../../core/operations/patterns.ts";

Deno.test("matchesPattern() knows any run, one character and sets", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["nginx", "nginx", true],
    ["nginx", "nginx2", false],
    ["*", "", true],
    ["lib*", "libssl", true],
    ["*ssl*", "libssl-dev", true],
    ["lib?", "libz", true],
    ["lib?", "lib", false],
    ["lib[a-cz]", "libz", true],
    ["lib[a-cz]", "libd", false],
    ["lib[!a-c]", "libd", true],
    ["lib[!a-c]", "libb", false],
    ["a[-z]", "a-", true],
    ["[]]x", "]x", true],
    ["c[+][+]", "c++", true],
    ["?", "\u{1f600}", true],
    ["a*b*c", "axxbxxbxc", true],
    ["a*b*c", "axxbxx", false],
    ["lib[", "lib[", true],
  ];
  for (const [pattern, text, expected] of cases) {
    assert.equal(matchesPattern(pattern, text), expected, `${pattern} on ${text}`);
  }
});

Deno.test("matchesPattern() takes no exponential time", () => {
  assert.equal(matchesPattern(`${"*a".repeat(30)}b`, "a".repeat(4000)), false);
});

Deno.test("selectNames() keeps the order of the names, not of the operands", () => {
  assert.deepEqual(selectNames(["aa", "bb", "cc"], ["cc", "a*", "aa"]), ["aa", "cc"]);
  assert.deepEqual(selectNames(["aa"], []), ["aa"]);
});
