import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  baseNameOf,
  byteOrderOf,
  compareBytes,
  isSafePath,
  parentOf,
  parseSafePath,
} from "../../../core/identity/safe_path.ts";
import { ruleOf } from "../../support/refusals.ts";

const ruleOfPath = (text: string): string | undefined => ruleOf(() => parseSafePath(text));

Deno.test("parseSafePath() takes ordinary and unusual, yet clean, paths", () => {
  const paths = ["usr/bin/x", "a", "usr/share/é", ".hidden", "...", "a.b/c..d", "100%/x", "a%20b", "%", "日本語/𝒳"];
  for (const path of paths) {
    assert.equal(parseSafePath(path), path);
  }
});

const REFUSED: readonly (readonly [string, string, readonly string[]])[] = [
  ["F-PATH-01", "E_PATH_EMPTY", ["", "a//b", "a/", "a//"]],
  ["F-PATH-02", "E_PATH_ABSOLUTE", ["/", "/a", "//a"]],
  ["F-PATH-03", "E_PATH_DOT", [
    ".",
    "..",
    "./a",
    "a/.",
    "a/../b",
    "a/..",
    "a/%2e/b",
    "%2E%2e",
    ".%2e/a",
    "%252e",
    "%25252E%252525252e/x",
    "%2%65",
    "é/..",
  ]],
  ["F-PATH-04", "E_PATH_UTF8", ["a\ud800", "\udc00/b", "a/\ud83d"]],
  ["F-PATH-05", "E_PATH_CONTROL", ["a\nb", "a\u0000", "\u001f", "a\u007fb", "é\t"]],
  ["F-PATH-06", "E_PATH_BACKSLASH", ["a\\b", "\\", "é\\"]],
  ["F-PATH-07", "E_PATH_NFC", ["e\u0301", "usr/A\u030a", "\u212b"]],
  ["F-PATH-11", "E_PATH_RESERVED", [".peipkg", ".peipkg/manifest.json", ".peipkg/x"]],
];
for (const [id, rule, texts] of REFUSED) {
  Deno.test(`${id}: parseSafePath() refuses what it must`, () => {
    for (const text of texts) assert.equal(ruleOfPath(text), rule, JSON.stringify(text));
  });
}

Deno.test("F-PATH-08, F-PATH-09, F-PATH-10, F-LIM-05: sizes are counted in bytes, each limit itself passes", () => {
  assert.equal(isSafePath("a".repeat(255)), true);
  assert.equal(ruleOfPath("a".repeat(256)), "E_PATH_COMPONENT");
  assert.equal(isSafePath("é".repeat(127)), true);
  assert.equal(ruleOfPath("é".repeat(128)), "E_PATH_COMPONENT");
  assert.equal(isSafePath("𝒳".repeat(63)), true);
  assert.equal(ruleOfPath("𝒳".repeat(64)), "E_PATH_COMPONENT");
  const long = Array.from({ length: 16 }, () => "b".repeat(255)).join("/"); // 4095 bytes
  assert.equal(long.length, 4095);
  assert.equal(isSafePath(`${long.slice(0, -2)}/cc`), true); // 4096
  assert.equal(ruleOfPath(`${long.slice(0, -2)}/ccc`), "E_PATH_LENGTH");
  assert.equal(isSafePath(Array.from({ length: 256 }, () => "d").join("/")), true);
  assert.equal(ruleOfPath(Array.from({ length: 257 }, () => "d").join("/")), "E_PATH_DEPTH");
});

Deno.test("parseSafePath() checks in the fixed order when several rules are broken", () => {
  assert.equal(ruleOfPath("/\ud800"), "E_PATH_UTF8");
  assert.equal(ruleOfPath("/a\n"), "E_PATH_ABSOLUTE");
  assert.equal(ruleOfPath("a\n\\"), "E_PATH_CONTROL");
  assert.equal(ruleOfPath("a\\//"), "E_PATH_BACKSLASH");
  assert.equal(ruleOfPath("..//a"), "E_PATH_EMPTY");
  assert.equal(ruleOfPath(".peipkg/.."), "E_PATH_DOT");
  assert.equal(ruleOfPath(`.peipkg/${"a".repeat(5000)}`), "E_PATH_RESERVED");
  assert.equal(ruleOfPath("a".repeat(5000)), "E_PATH_LENGTH");
  assert.equal(ruleOfPath(`e\u0301${"a".repeat(256)}`), "E_PATH_COMPONENT");
});

Deno.test("F-PATH-03: decoding a long run of encoded percent signs takes linear time", () => {
  const started = performance.now();
  assert.equal(ruleOfPath(`%${"25".repeat(2_000_000)}2e`), "E_PATH_DOT");
  assert.ok(performance.now() - started < 5000);
});

Deno.test("parseSafePath() allows the reserved directory for metadata entries only", () => {
  assert.equal(parseSafePath(".peipkg/extra", { allowReserved: true }), ".peipkg/extra");
  assert.throws(() => parseSafePath(".peipkg/..", { allowReserved: true }));
});

Deno.test("F-GEN-01: compareBytes() is the order of UTF-8 bytes, which is not that of code units", () => {
  assert.ok(compareBytes("\uffff", "\u{10000}") < 0);
  assert.ok("\uffff" > "\u{10000}");
  const encoder = new TextEncoder();
  const text = fc.string({ unit: "binary", maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(encoder.encode(a), encoder.encode(b)));
    }),
    { seed: 11, numRuns: 5000 },
  );
});

Deno.test("F-GEN-01: byteOrderOf() gives the order of compareBytes() for the texts it was asked about", () => {
  const order = (texts: readonly string[]) => byteOrderOf(texts, (text) => text);
  const early = ["", "a", "a\n", "\0", "é", "日本", "\ud7ff"];
  const late = ["\ue000", "\uffff", "\u{10000}"];
  for (const texts of [early, late, [...early, ...late]]) {
    const compare = order(texts);
    for (const a of texts) {
      for (const b of texts) assert.equal(Math.sign(compare(a, b)), Math.sign(compareBytes(a, b)), `${a} ${b}`);
    }
  }
});

Deno.test("parentOf() and baseNameOf() take a path apart", () => {
  const path = parseSafePath("usr/bin/x");
  assert.equal(parentOf(path), "usr/bin");
  assert.equal(parentOf(parseSafePath("usr")), undefined);
  assert.equal(baseNameOf(path), "x");
});
