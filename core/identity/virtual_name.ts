/** Virtual names: what dependencies ask for and provides entries offer (F-VNAME-01 … F-VNAME-04). */
import { excerpt, ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** A package name or a virtual name of form A or B; case is significant. */
export type VirtualName = string & { readonly [brand]: "VirtualName" };

/** F-VNAME-02 */
const FORM_A_REGEXP = /^[A-Za-z0-9](?:[A-Za-z0-9.+_-]*[A-Za-z0-9+])?$/;
/** F-VNAME-03: `namespace(argument)`, nothing after the parenthesis. */
const FORM_B_REGEXP = /^[a-z][a-z0-9]*\([A-Za-z0-9.+_:/-]+\)$/;

/** F-VNAME-04 */
const MIN_CHARACTERS = 2;
const MAX_CHARACTERS = 128;

/** Whether `text` is a virtual name; every package name is one (F-VNAME-01). */
export function isVirtualName(text: string): text is VirtualName {
  if (text.length < MIN_CHARACTERS || text.length > MAX_CHARACTERS) return false;
  return FORM_A_REGEXP.test(text) || FORM_B_REGEXP.test(text);
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
