/**
 * Names, versions and constraints recognised where they stand in the bytes of a document: an index holds hundreds of
 * thousands of them, and nothing is made of most. Each function says yes only to what its parser accepts; to what is
 * rare it may say no, so whoever gets a no asks the parser.
 *
 * @see F-NAME-04, F-NAME-05, F-VNAME-01 … F-VNAME-04, F-VER-01 … F-VER-06, F-CON-01 … F-CON-04
 */

import { KNOWN_ARCHITECTURES } from "./architecture.ts";

/** Digits of a number that is certainly below the bound of F-VER-06. */
const MAX_DIGITS = 18;
/** F-NAME-04, F-VNAME-04 */
const MIN_NAME = 2;
const MAX_NAME = 64;
const MAX_VIRTUAL_NAME = 128;

const DASH = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const SPACE = 0x20;
const COMMA = 0x2c;
const LESS = 0x3c;
const EQUAL = 0x3d;
const GREATER = 0x3e;
const EXCLAMATION = 0x21;
const OPEN_PARENTHESIS = 0x28;
const CLOSE_PARENTHESIS = 0x29;

/** What a byte may do; of a name's roles, those of a package name, and of the two forms of virtual names. */
const DIGIT = 1;
const NAME_RUN = 2;
const NAME_SEPARATOR = 4;
const FORM_A_EDGE = 8;
const FORM_A = 16;
const ARGUMENT = 32;
const UPSTREAM = 64;
const LOWER = 128;
const HEX = 256;

const DIGITS = "0123456789";
const LOWERS = "abcdefghijklmnopqrstuvwxyz";
const ALPHANUMERICS = `${DIGITS}${LOWERS}${LOWERS.toUpperCase()}`;
const KINDS = new Uint16Array(256);
for (
  const [characters, kind] of [
    [DIGITS, DIGIT],
    [LOWERS, LOWER],
    [`${DIGITS}${LOWERS}+`, NAME_RUN],
    ["-.", NAME_SEPARATOR],
    [ALPHANUMERICS, FORM_A_EDGE],
    [`${ALPHANUMERICS}-.+_`, FORM_A],
    [`${ALPHANUMERICS}.+_:/-`, ARGUMENT],
    [`${ALPHANUMERICS}.+~-`, UPSTREAM],
    [`${DIGITS}abcdef`, HEX],
  ] as const
) {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    KINDS[code] = (KINDS[code] ?? 0) | kind;
  }
}

const ARCHITECTURES = KNOWN_ARCHITECTURES.map((word) => new TextEncoder().encode(word));

function kindAt(bytes: Uint8Array, at: number): number {
  return KINDS[bytes[at] ?? 0] ?? 0;
}

/** Lowercase hex digits alone (F-GEN-02). Nothing is decided at each, since no one can tell letters from digits ahead. */
export function isHexAt(bytes: Uint8Array, from: number, to: number): boolean {
  let kinds = HEX;
  for (let at = from; at < to; at++) kinds &= kindAt(bytes, at);
  return kinds !== 0;
}

/** F-NAME-05 */
export function isPackageNameAt(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < MIN_NAME || to - from > MAX_NAME || (kindAt(bytes, from) & (DIGIT | LOWER)) === 0) return false;
  let isAfterRun = true;
  for (let at = from + 1; at < to; at++) {
    const kind = kindAt(bytes, at);
    if ((kind & NAME_RUN) !== 0) isAfterRun = true;
    else if ((kind & NAME_SEPARATOR) !== 0 && isAfterRun) isAfterRun = false;
    else return false;
  }
  return isAfterRun;
}

/** F-ARCH-02 */
export function isArchitectureAt(bytes: Uint8Array, from: number, to: number): boolean {
  for (const word of ARCHITECTURES) {
    let at = from;
    while (at < to && bytes[at] === word[at - from]) at++;
    if (at === to && to - from === word.length) return true;
  }
  return false;
}

/** F-VNAME-01 … F-VNAME-04 */
export function isVirtualNameAt(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < MIN_NAME || to - from > MAX_VIRTUAL_NAME) return false;
  for (let at = from; at < to; at++) {
    if ((kindAt(bytes, at) & FORM_A) === 0) return isFormB(bytes, from, at, to);
  }
  return (kindAt(bytes, from) & FORM_A_EDGE) !== 0 && (kindAt(bytes, to - 1) & (FORM_A_EDGE | NAME_RUN)) !== 0;
}

/** F-VNAME-03: `namespace(argument)`. */
function isFormB(bytes: Uint8Array, from: number, open: number, to: number): boolean {
  if (bytes[open] !== OPEN_PARENTHESIS || bytes[to - 1] !== CLOSE_PARENTHESIS || open + 2 >= to) return false;
  if ((kindAt(bytes, from) & LOWER) === 0) return false;
  for (let at = from; at < open; at++) if ((kindAt(bytes, at) & (LOWER | DIGIT)) === 0) return false;
  for (let at = open + 1; at < to - 1; at++) if ((kindAt(bytes, at) & ARGUMENT) === 0) return false;
  return true;
}

/** A full version: F-VER-01 … F-VER-06. */
export function isVersionAt(bytes: Uint8Array, from: number, to: number): boolean {
  let dash = to - 1;
  while (dash > from && bytes[dash] !== DASH) {
    if ((kindAt(bytes, dash) & DIGIT) === 0) return false;
    dash--;
  }
  return dash > from && dash + 1 < to && bytes[dash + 1] !== ZERO && to - dash <= MAX_DIGITS &&
    isProvidedVersionAt(bytes, from, dash);
}

/** The version of a `provides` entry or a constraint's operand: F-CON-04. */
export function isProvidedVersionAt(bytes: Uint8Array, from: number, to: number): boolean {
  let start = from;
  let digits = 0;
  for (let at = from; at < to; at++) {
    const kind = kindAt(bytes, at);
    if ((kind & DIGIT) !== 0) {
      if (++digits > MAX_DIGITS) return false;
    } else if (bytes[at] === COLON && digits > 0 && digits === at - from) { // F-VER-02: an epoch
      if (bytes[from] === ZERO && digits > 1) return false;
      start = at + 1;
      digits = 0;
    } else if ((kind & UPSTREAM) !== 0) {
      digits = 0;
    } else {
      return false;
    }
  }
  return start < to && (kindAt(bytes, start) & FORM_A_EDGE) !== 0;
}

/** Terms without whitespace but for a space after a comma and one after an operator: F-CON-01, F-CON-02. */
export function isConstraintAt(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from;; at++) {
    if (at > from && bytes[at] === SPACE) at++;
    const afterOperator = skipOperator(bytes, at);
    at = afterOperator > at && bytes[afterOperator] === SPACE ? afterOperator + 1 : afterOperator;
    let end = at;
    while (end < to && bytes[end] !== COMMA) end++;
    if (!isProvidedVersionAt(bytes, at, end)) return false;
    if (end === to) return true;
    at = end;
  }
}

function skipOperator(bytes: Uint8Array, at: number): number {
  const code = bytes[at];
  const isLong = bytes[at + 1] === EQUAL;
  if (code === LESS || code === GREATER) return isLong ? at + 2 : at + 1;
  if (code === EQUAL) return at + 1;
  return code === EXCLAMATION && isLong ? at + 2 : at;
}
