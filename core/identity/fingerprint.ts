/** Key fingerprints: lowercase hex SHA-256 of a raw public key (F-KEY-04, F-KEY-05). */
import { type ErrorRule, excerpt, ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** 64 lowercase hex digits naming a key. */
export type Fingerprint = string & { readonly [brand]: "Fingerprint" };

/** F-GEN-02: uppercase hex is refused. */
const FINGERPRINT_REGEXP = /^[0-9a-f]{64}$/;

/** Whether `text` is a fingerprint in its wire form. */
export function isFingerprint(text: string): text is Fingerprint {
  return text.length === 64 && FINGERPRINT_REGEXP.test(text);
}

/**
 * Parses a fingerprint in its unbroken wire form.
 *
 * @param rule Cause to report; it depends on the document the text stands in.
 * @throws {PeipkgError} the code of `rule`
 * @see F-GEN-02, F-KEY-04
 */
export function parseFingerprint(text: string, rule: ErrorRule = "E_FINGERPRINT"): Fingerprint {
  if (isFingerprint(text)) return text;
  const shown = excerpt(text, 80);
  throw ruleError(rule, `cannot parse fingerprint "${shown}": expected 64 lowercase hex digits`);
}

/** Groups a fingerprint in fours for people: `1a2b 3c4d …` (F-KEY-05). */
export function groupFingerprint(fingerprint: string): string {
  return fingerprint.replace(/(.{4})(?=.)/g, "$1 ");
}
