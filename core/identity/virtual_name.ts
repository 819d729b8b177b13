/** Virtual names: what dependencies ask for and provides entries offer (F-VNAME-01 … F-VNAME-04). */
import { excerpt, ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** A package name or a virtual name of form A or B; case is significant. */
export type VirtualName = string & { readonly [brand]: "VirtualName" };

/** F-VNAME-03: `namespace(argument)`, nothing after the parenthesis. */
const FORM_B_REGEXP = /^[a-z][a-z0-9]*\([A-Za-z0-9.+_:/-]+\)$/;

/** F-VNAME-04 */
const MIN_CHARACTERS = 2;
const MAX_CHARACTERS = 128;

/** F-VNAME-02: what a character of form A may do. */
const MAY_BEGIN = 1;
const MAY_END = 2;
const MAY_STAND = 4;
const ROLES = new Uint8Array(128);
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") {
  ROLES[character.charCodeAt(0)] = MAY_BEGIN | MAY_END | MAY_STAND;
}
for (const character of "-.+_") ROLES[character.charCodeAt(0)] = MAY_STAND;
ROLES["+".charCodeAt(0)] = MAY_STAND | MAY_END;

/** Whether `text` is a virtual name; every package name is one (F-VNAME-01). */
export function isVirtualName(text: string): text is VirtualName {
  return isVirtualNameAt(text, 0, text.length);
}

/** Whether a part of `text` is a virtual name, without cutting it out: an index holds hundreds of thousands. */
export function isVirtualNameAt(text: string, from: number, to: number): boolean {
  if (to - from < MIN_CHARACTERS || to - from > MAX_CHARACTERS) return false;
  for (let at = from; at < to; at++) {
    if ((roleAt(text, at) & MAY_STAND) === 0) return FORM_B_REGEXP.test(text.slice(from, to));
  }
  return (roleAt(text, from) & MAY_BEGIN) !== 0 && (roleAt(text, to - 1) & MAY_END) !== 0;
}

function roleAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < ROLES.length ? ROLES[code] ?? 0 : 0;
}

/**
 * Parses a package or virtual name.
 *
 * @throws {PeipkgError} `format` (`E_VNAME`)
 * @see F-VNAME-01 … F-VNAME-04
 */
export function parseVirtualName(text: string): VirtualName {
  if (isVirtualName(text)) return text;
  const shown = excerpt(text);
  throw ruleError(
    "E_VNAME",
    `cannot parse name "${shown}": expected a package name, a capability such as "libssl.so.3" ` +
      `or "namespace(argument)", ${MIN_CHARACTERS} to ${MAX_CHARACTERS} characters`,
  );
}
