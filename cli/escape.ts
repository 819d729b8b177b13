/**
 * The one escaping function. Everything not written in the source passes through `escapeText()` before it reaches a
 * stream that a person reads, and through `renderJson()` before it reaches one that a program reads, so that no
 * outside text can move the cursor, start a line of its own or hide what follows.
 *
 * @see C-ESC-01, C-ESC-02, C-ESC-05
 */

/** Characters of C-ESC-02, backslash included. `Cc` is U+0000–001F and U+007F–009F; lone surrogates are ill-formed. */
const UNSAFE_REGEXP = /[\p{Cc}\\\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

/** Text without any of them: nearly all there is, found much faster. */
const PLAIN_REGEXP = /^[\x20-\x5b\x5d-\x7e]*$/;

/** The members of C-ESC-02 above U+007E, which JSON itself would let through. */
const JSON_UNSAFE_REGEXP = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/** A lone surrogate as `JSON.stringify()` writes it, or an escaped backslash, which must not be taken for its first half. */
const LONE_SURROGATE_REGEXP = /\\(?:\\|u(d[89a-f][0-9a-f]{2}))/g;

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
  if (code >= 0xdc80 && code <= 0xdcff) return hexByte(code & 0xff); // an ill-formed byte, as the library hands it on
  return `\\u{${code.toString(16).toUpperCase()}}`;
}

/**
 * Makes foreign text safe to print on a line: the result holds no control, format or ill-formed character.
 *
 * @see C-ESC-02
 */
export function escapeText(text: string): string {
  return PLAIN_REGEXP.test(text) ? text : text.replace(UNSAFE_REGEXP, escapeCharacter);
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

function withoutLoneSurrogate(escape: string, code: string | undefined): string {
  return code === undefined ? escape : escapeText(String.fromCharCode(parseInt(code, 16))).replaceAll("\\", "\\\\");
}

/**
 * JSON text of a value. `undefined` members are left out; there is no `null` (C-JSON-02). What is no character, and so
 * has no place in JSON, is the text that a person would be shown.
 *
 * @param indent Spaces per level; 0 gives one compact line.
 * @see C-ESC-05
 */
export function renderJson(value: unknown, indent: 0 | 2): string {
  const json = JSON.stringify(value, undefined, indent);
  const sound = json.includes("\\ud") ? json.replace(LONE_SURROGATE_REGEXP, withoutLoneSurrogate) : json;
  return sound.replace(JSON_UNSAFE_REGEXP, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}
