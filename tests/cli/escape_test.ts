import assert from "node:assert/strict";
import { escapeLines, escapeText, needsEscape, quote, renderJson } from "../../cli/escape.ts";
import { decodeForeign } from "../../core/identity/foreign_text.ts";

Deno.test("C-ESC-02: escapeText() escapes every class of character it must and no other", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["plain ASCII ~!\"'$`", "plain ASCII ~!\"'$`"],
    ["naïve Ω 漢字 🙂", "naïve Ω 漢字 🙂"],
    ["\0\x01\x1b[31m\x1f\x7f", "\\x00\\x01\\x1B[31m\\x1F\\x7F"],
    ["a\nb\rc\td", "a\\nb\\rc\\td"],
    ["\\n", "\\\\n"],
    ["\u0080\u009b\u009f\u00a0", "\\u{80}\\u{9B}\\u{9F}\u00a0"],
    ["\u061c", "\\u{61C}"],
    ["\u200a\u200b\u200f\u2010", "\u200a\\u{200B}\\u{200F}\u2010"],
    ["\u2027\u2028\u202e\u202f", "\u2027\\u{2028}\\u{202E}\u202f"],
    ["\u205f\u2060\u2069\u206a", "\u205f\\u{2060}\\u{2069}\u206a"],
    ["\ufeff", "\\u{FEFF}"],
    ["\u{e0000}\u{e0041}\u{e007f}\u{e0080}", "\\u{E0000}\\u{E0041}\\u{E007F}\u{e0080}"],
    ["\ud800x\udcff", "\\u{D800}x\\xFF"],
  ];
  for (const [text, expected] of cases) assert.equal(escapeText(text), expected);
});

Deno.test("C-ESC-02: escapeText() covers the whole range of each class", () => {
  const ranges: readonly (readonly [number, number])[] = [
    [0x00, 0x1f],
    [0x7f, 0x9f],
    [0x61c, 0x61c],
    [0x200b, 0x200f],
    [0x2028, 0x202e],
    [0x2060, 0x2069],
    [0xfeff, 0xfeff],
    [0xe0000, 0xe007f],
  ];
  for (const [first, last] of ranges) {
    for (let code = first; code <= last; code++) assert.ok(needsEscape(String.fromCodePoint(code)), code.toString(16));
    if (first > 0) assert.equal(needsEscape(String.fromCodePoint(first - 1)), first === 0xd800, `before ${first}`);
    assert.ok(!needsEscape(String.fromCodePoint(last + 1)), `after ${last.toString(16)}`);
  }
});

Deno.test("C-ESC-02: escapeText() writes the bytes that decodeForeign() could not decode as hex", () => {
  const cases: readonly (readonly [readonly number[], string])[] = [
    [[0x61, 0xff, 0x62], "a\\xFFb"],
    [[0xc3, 0xa9], "é"],
    [[0xc0, 0xaf], "\\xC0\\xAF"], // overlong
    [[0xe0, 0x80, 0x80], "\\xE0\\x80\\x80"], // overlong
    [[0xed, 0xa0, 0x80], "\\xED\\xA0\\x80"], // surrogate
    [[0xf4, 0x90, 0x80, 0x80], "\\xF4\\x90\\x80\\x80"], // above U+10FFFF
    [[0xe2, 0x82], "\\xE2\\x82"], // cut short
    [[0xe2, 0x80, 0xae], "\\u{202E}"],
    [[0xf0, 0x9f, 0x99, 0x82], "🙂"],
    [[0xef, 0xbb, 0xbf], "\\u{FEFF}"],
    [[0x0a], "\\n"],
    [[], ""],
  ];
  for (const [bytes, expected] of cases) assert.equal(escapeText(decodeForeign(Uint8Array.from(bytes))), expected);
});

Deno.test("C-ESC-03: escapeLines() indents each line of a multi-line value", () => {
  assert.deepEqual(escapeLines("first\npeipkg: warning: \x1b[2J\n\nlast\n"), [
    "  first",
    "  peipkg: warning: \\x1B[2J",
    "",
    "  last",
  ]);
});

Deno.test("C-ESC-05: renderJson() escapes what JSON would let through", () => {
  assert.equal(
    renderJson({ a: "\u007f\u009b\u202e\ufeff\u{e0041}é🙂\n\\" }, 0),
    '{"a":"\\u007f\\u009b\\u202e\\ufeff\\udb40\\udc41é🙂\\n\\\\"}',
  );
  assert.equal(renderJson({ a: [], b: undefined }, 2), '{\n  "a": []\n}');
});

Deno.test("C-ESC-05: renderJson() writes what is no character as the text a person would see", () => {
  const cases: readonly (readonly [string, string])[] = [
    [decodeForeign(Uint8Array.of(0x61, 0xff, 0x62)), "a\\xFFb"],
    ["\ud800", "\\u{D800}"],
    ["\\ud800 \\\\udcff", "\\ud800 \\\\udcff"], // backslashes that were text stay what they were
    ["\\\udcff", "\\\\xFF"],
    ["🙂", "🙂"],
  ];
  for (const [text, expected] of cases) {
    const json = renderJson({ text }, 0);
    assert.ok(json.isWellFormed() && !/[^\\]\\ud[89a-f]/.test(json), json);
    assert.equal(JSON.parse(json).text, expected);
  }
});

Deno.test("C-OUT-14: quote() escapes inside the quotes", () => {
  assert.equal(quote("a\u001bb"), '"a\\x1Bb"');
});
