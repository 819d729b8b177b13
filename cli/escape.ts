/**
 * The one escaping function. Everything not written in the source passes through `escapeText()` before it reaches a
 * stream that a person reads, and through `renderJson()` before it reaches one that a program reads, so that no
 * outside text can move the cursor, start a line of its own or hide what follows.
 *
 * @see C-ESC-01, C-ESC-02, C-ESC-05
 */

/** Characters of C-ESC-02, backslash included. `Cc` is U+0000–001F and U+007F–009F; lone surrogates are ill-formed. */
const UNSAFE_REGEXP = /[\p{Cc}\\\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

/** The members of C-ESC-02 above U+007E, which JSON itself would let through. */
const JSON_UNSAFE_REGEXP = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

const NAMED_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\\", "\\\\"],
]);

const hexByte = (byte: number): string => `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`;

function escapeCharacter(character: string): string {
  const named = NAMED_ESCAPES.get(character);
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return hexByte(code);
  if (code >= 0xd800 && code <= 0xdfff) {
    // A lone surrogate is ill-formed; show the three bytes it would be.
    return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)].map(hexByte).join("");
  }
  return `\\u{${code.toString(16).toUpperCase()}}`;
}

/**
 * Makes foreign text safe to print on a line: the result holds no control, format or ill-formed character.
 *
 * @see C-ESC-02
 */
export function escapeText(text: string): string {
  return text.replace(UNSAFE_REGEXP, escapeCharacter);
}

/** Length of the well-formed UTF-8 sequence starting at `at`, or 0. Overlong forms and surrogates are ill-formed. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  const continues = (offset: number) => ((bytes[at + offset] ?? 0) & 0xc0) === 0x80;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const low = first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/**
 * As `escapeText()`, for bytes that may not be UTF-8: each ill-formed byte becomes `\xNN`.
 *
 * @see C-ESC-02
 */
export function escapeBytes(bytes: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += escapeText(decoder.decode(bytes.subarray(start, at))) + hexByte(bytes[at] ?? 0);
    at += 1;
    start = at;
  }
  return text + escapeText(decoder.decode(bytes.subarray(start)));
}

/** Whether printing `text` would need any escape; completion leaves such values out (C-COMP-03). */
export function needsEscape(text: string): boolean {
  return escapeText(text) !== text;
}

/** Foreign text between double quotes (C-OUT-14). */
export function quote(text: string): string {
  return `"${escapeText(text)}"`;
}

/**
 * Lines of a value documented as multi-line, each escaped and indented by two spaces, so that none of them can start
 * at column one.
 *
 * @see C-ESC-03
 */
export function escapeLines(text: string): readonly string[] {
  return text.replace(/\n$/, "").split("\n").map((line) => `  ${escapeText(line)}`.trimEnd());
}

/**
 * JSON text of a value. `undefined` members are left out; there is no `null` (C-JSON-02).
 *
 * @param indent Spaces per level; 0 gives one compact line.
 * @see C-ESC-05
 */
export function renderJson(value: unknown, indent: 0 | 2): string {
  return JSON.stringify(value, undefined, indent).replace(JSON_UNSAFE_REGEXP, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}
