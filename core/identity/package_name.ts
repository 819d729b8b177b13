/** Package names: the one identifier a package, a claim role and a conflict share (F-NAME-01 … F-NAME-06). */
import { excerpt, ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** A name that satisfies the package-name grammar. Compared byte for byte (F-NAME-06). */
export type PackageName = string & { readonly [brand]: "PackageName" };

/** F-NAME-05: letters and digits first, single separators `-` `.` between runs, `+` is an ordinary character. */
const PACKAGE_NAME_REGEXP = /^[a-z0-9][a-z0-9+]*(?:[-.][a-z0-9+]+)*$/;

/** F-NAME-04 */
const MIN_CHARACTERS = 2;
const MAX_CHARACTERS = 64;

/** Whether `text` satisfies the package-name grammar (F-NAME-05). */
export function isPackageName(text: string): text is PackageName {
  return text.length >= MIN_CHARACTERS && text.length <= MAX_CHARACTERS && PACKAGE_NAME_REGEXP.test(text);
}

/**
 * Parses a package name.
 *
 * @throws {PeipkgError} `format` (`E_NAME`)
 * @see F-NAME-01 … F-NAME-06
 */
export function parsePackageName(text: string): PackageName {
  if (isPackageName(text)) return text;
  throw ruleError("E_NAME", `cannot parse package name "${excerpt(text)}": ${describe(text)}`);
}

function describe(text: string): string {
  if (text.length < MIN_CHARACTERS || text.length > MAX_CHARACTERS) {
    return `it has ${text.length} characters, expected ${MIN_CHARACTERS} to ${MAX_CHARACTERS}`;
  }
  if (!/^[a-z0-9+.-]*$/.test(text)) return `it may hold only a-z, 0-9, "-", "." and "+"`;
  if (!/^[a-z0-9]/.test(text)) return "it must begin with a-z or 0-9";
  if (!/[a-z0-9+]$/.test(text)) return `it must end with a-z, 0-9 or "+"`;
  return `two separators ("-" or ".") touch`;
}
