/**
 * Where the elements of an index lie, found without reading it, so that those whose meaning is known need not be.
 *
 * Whoever leaves elements out puts a `null` in their place and has the rest read strictly. A document is valid exactly
 * when it is valid with values put in place of values, so that is as good as reading the whole of it, as long as what
 * was left out is valid by itself. An element that stays is only followed to its end as if it were valid: when it is
 * not, the reader meets it in the same place and refuses the document.
 */
import { PeipkgError } from "../errors.ts";
import { JsonObject, readJson } from "../format/strict_json.ts";

/** A range of bytes; `to` is not part of it. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const BACKSLASH = 0x5c;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** How far into a document its elements may begin. */
const HEAD_BYTES = 4096;
const HEAD_REGEXP = /"packages"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*/;

/** Where the first element of the top-level field `packages` begins, if it is an object. */
export function firstElement(bytes: Uint8Array): number | undefined {
  const match = HEAD_REGEXP.exec(String.fromCharCode(...bytes.subarray(0, HEAD_BYTES)));
  if (match === null) return undefined;
  const at = match.index + match[0].length;
  if (bytes[at] !== OPEN_BRACE) return undefined;
  // The name may also stand deeper down: then something is left open. Or it ends a longer one: then that is the last.
  const closed = new Uint8Array(at + 2);
  closed.set(bytes.subarray(0, at));
  closed.set([CLOSE_BRACKET, CLOSE_BRACE], at);
  try {
    const head = readJson(closed, { document: "index" });
    return head instanceof JsonObject && head.keys.at(-1) === "packages" ? at : undefined;
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    return undefined;
  }
}

/** Where the value after one that ends here begins; `undefined`: no comma follows. */
export function nextElement(bytes: Uint8Array, end: number): number | undefined {
  const at = skipSpace(bytes, end);
  return bytes[at] === COMMA ? skipSpace(bytes, at + 1) : undefined;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at++;
  return at;
}

function isSpace(code: number | undefined): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The end of an object, which need not be valid. */
export function endOfElement(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const code = bytes[at];
    if (code === QUOTE) {
      while (++at < bytes.length && bytes[at] !== QUOTE) if (bytes[at] === BACKSLASH) at++;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth++;
    } else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) {
      return at + 1;
    }
  }
  return bytes.length;
}

/** Whether a range of a document is a text. */
export function isText(bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean {
  return to - from === text.length && text.every((code, index) => bytes[from + index] === code);
}

/**
 * A document without some of its ranges.
 *
 * @param mark Stands in place of each.
 */
export function cutOut(bytes: Uint8Array, cuts: readonly Range[], mark: string): Uint8Array {
  const encoded = new TextEncoder().encode(mark);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const cut of cuts) {
    parts.push(bytes.subarray(from, cut.from), encoded);
    from = cut.to;
  }
  parts.push(bytes.subarray(from));
  const shortened = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    shortened.set(part, at);
    at += part.length;
  }
  return shortened;
}
