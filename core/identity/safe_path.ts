/**
 * Payload paths: relative, already clean, in NFC, bounded. Everything that later touches a disk takes a `SafePath`,
 * so no other room has to think about `..`, control characters or names that change when normalised.
 */
import { type ErrorRule, excerpt, type PeipkgError, ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** A payload path without leading slash that satisfies F-PATH-01 … F-PATH-11. */
export type SafePath = string & { readonly [brand]: "SafePath" };

/** F-PATH-08, F-PATH-09, F-PATH-10 (F-LIM-05) */
export const MAX_COMPONENT_BYTES = 255;
export const MAX_PATH_BYTES = 4096;
export const MAX_PATH_COMPONENTS = 256;

/** The archive directory that holds metadata and is never installed. */
const RESERVED = ".peipkg";

/**
 * Parses a payload path.
 *
 * @param text Path without a directory's trailing slash.
 * @param options `allowReserved`: skip F-PATH-11, for metadata entries of an archive (F-LAY-05).
 * @throws {PeipkgError} `format` (`E_PATH_UTF8`, `E_PATH_ABSOLUTE`, `E_PATH_CONTROL`, `E_PATH_BACKSLASH`,
 *   `E_PATH_EMPTY`, `E_PATH_DOT`, `E_PATH_RESERVED`, `E_PATH_LENGTH`, `E_PATH_COMPONENT`, `E_PATH_DEPTH`,
 *   `E_PATH_NFC`)
 * @see F-PATH-01 … F-PATH-11
 */
export function parseSafePath(text: string, options: { readonly allowReserved?: boolean } = {}): SafePath {
  const violation = findPathViolation(text, options.allowReserved === true);
  if (violation !== undefined) throw pathError(text, violation);
  return text as SafePath;
}

/** Whether `text` satisfies every path rule, the reserved name included. */
export function isSafePath(text: string): text is SafePath {
  return findPathViolation(text, false) === undefined;
}

/**
 * The path of the directory an entry stands in.
 *
 * @returns `undefined` for a path of one component.
 */
export function parentOf(path: SafePath): SafePath | undefined {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? undefined : path.slice(0, slash) as SafePath;
}

/** Last component of a path. */
export function baseNameOf(path: SafePath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * Compares two strings by their UTF-8 bytes, which differs from the language's order above U+FFFF.
 *
 * @see F-GEN-01
 */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return utf8Rank(left) - utf8Rank(right);
  }
  return a.length - b.length;
}

/** Below the surrogates a string's units are in the order of its bytes. */
const EARLY_REGEXP = /^[\0-\ud7ff]*$/;

/**
 * `compareBytes()` for many texts: where none has a character from U+D800 on, the language's own order is the same and
 * needs no look at each unit.
 */
export function byteOrderOf<Item>(
  items: readonly Item[],
  textOf: (item: Item) => string,
): (a: string, b: string) => number {
  if (!items.every((item) => EARLY_REGEXP.test(textOf(item)))) return compareBytes;
  return (a, b) => a < b ? -1 : a > b ? 1 : 0;
}

/** Moves surrogates, which encode the highest code points, above the rest of the first plane. */
function utf8Rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** A refused path shape that also binds symlink targets (F-SYM-02); `undefined` when none applies. */
export function findTextViolation(text: string): ErrorRule | undefined {
  if (!text.isWellFormed()) return "E_PATH_UTF8";
  if (CONTROL_REGEXP.test(text)) return "E_PATH_CONTROL";
  if (text.includes("\\")) return "E_PATH_BACKSLASH";
  return findSizeViolation(text) ?? (text.normalize("NFC") === text ? undefined : "E_PATH_NFC");
}

/** Written as what is allowed: everything from the space on but DEL. */
const CONTROL_REGEXP = /[^\x20-\x7e\x80-\u{10ffff}]/u;
/** Ordinary names: printable ASCII without `%` and `\`, so that only shape and size are left to judge. */
const PLAIN_REGEXP = /^[\x20-\x24\x26-\x5b\x5d-\x7e]+$/;

/** The first broken rule in the order section 8 fixes. */
function findPathViolation(text: string, allowReserved: boolean): ErrorRule | undefined {
  const plain = PLAIN_REGEXP.test(text);
  if (!plain && !text.isWellFormed()) return "E_PATH_UTF8"; // F-PATH-04
  if (text.startsWith("/")) return "E_PATH_ABSOLUTE"; // F-PATH-02
  if (!plain && CONTROL_REGEXP.test(text)) return "E_PATH_CONTROL"; // F-PATH-05
  if (!plain && text.includes("\\")) return "E_PATH_BACKSLASH"; // F-PATH-06
  if (text === "" || text.endsWith("/") || text.includes("//")) return "E_PATH_EMPTY"; // F-PATH-01
  if (hasDotSegment(text, plain)) return "E_PATH_DOT"; // F-PATH-03
  if (!allowReserved && (text === RESERVED || text.startsWith(`${RESERVED}/`))) return "E_PATH_RESERVED"; // F-PATH-11
  if (plain && text.length <= MAX_COMPONENT_BYTES) return undefined; // nothing short can break a size rule
  return findSizeViolation(text) ?? (plain || text.normalize("NFC") === text ? undefined : "E_PATH_NFC"); // F-PATH-07
}

function findSizeViolation(text: string): ErrorRule | undefined {
  let pathBytes = 0;
  let componentBytes = 0;
  let components = 1;
  let longest = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x2f) {
      if (componentBytes > 0) components++;
      longest = Math.max(longest, componentBytes);
      componentBytes = 0;
      pathBytes++;
      continue;
    }
    // A surrogate pair takes four bytes: two for each half.
    const bytes = unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
    componentBytes += bytes;
    pathBytes += bytes;
  }
  if (pathBytes > MAX_PATH_BYTES) return "E_PATH_LENGTH"; // F-PATH-09
  if (Math.max(longest, componentBytes) > MAX_COMPONENT_BYTES) return "E_PATH_COMPONENT"; // F-PATH-08
  return components > MAX_PATH_COMPONENTS ? "E_PATH_DEPTH" : undefined; // F-PATH-10
}

/** F-PATH-03: `.` and `..`, also when they appear only after percent-decoding to a fixed point. */
function hasDotSegment(text: string, plain: boolean): boolean {
  if (plain) return text.includes(".") && /(?:^|\/)\.\.?(?:\/|$)/.test(text);
  return text.split("/").some((segment) => {
    const decoded = segment.includes("%") ? percentDecode(segment) : segment;
    return decoded === "." || decoded === "..";
  });
}

/** Decodes until nothing is left to decode, in one pass: a decoded character may complete an earlier sequence. */
function percentDecode(segment: string): string {
  const stack: string[] = [];
  for (const character of segment) {
    stack.push(character);
    for (;;) {
      const [percent, high, low] = stack.slice(-3);
      if (percent !== "%" || high === undefined || low === undefined || !/^[0-9a-fA-F]{2}$/.test(high + low)) break;
      stack.splice(-3, 3, String.fromCharCode(parseInt(high + low, 16)));
    }
  }
  return stack.join("");
}

const DESCRIPTIONS: ReadonlyMap<ErrorRule, string> = new Map<ErrorRule, string>([
  ["E_PATH_UTF8", "it is not valid UTF-8"],
  ["E_PATH_ABSOLUTE", "it begins with a slash"],
  ["E_PATH_CONTROL", "it holds a control character"],
  ["E_PATH_BACKSLASH", "it holds a backslash"],
  ["E_PATH_EMPTY", "it is empty or has an empty segment"],
  ["E_PATH_DOT", `it has a "." or ".." segment, plain or encoded`],
  ["E_PATH_RESERVED", `"${RESERVED}" is reserved for package metadata`],
  ["E_PATH_LENGTH", `it is longer than ${MAX_PATH_BYTES} bytes`],
  ["E_PATH_COMPONENT", `a component is longer than ${MAX_COMPONENT_BYTES} bytes`],
  ["E_PATH_DEPTH", `it has more than ${MAX_PATH_COMPONENTS} components`],
  ["E_PATH_NFC", "it is not in Unicode normal form C"],
]);

/** The error of a refused path; `text` may be any string. */
export function pathError(text: string, rule: ErrorRule): PeipkgError {
  const shown = excerpt(text);
  const found = DESCRIPTIONS.get(rule) ?? "it breaks a path rule";
  return ruleError(rule, `cannot accept path "${shown}": ${found}`, { path: text });
}
