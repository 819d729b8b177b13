/** References to named roots: dotted names, never paths (F-ROOT-01). */
import { excerpt, ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** A syntactically valid root reference; whether such a root exists is not a question of format. */
export type RootReference = string & { readonly [brand]: "RootReference" };

/** Characters that occur at all. Two flat tests stand for one nested pattern, which long text could exhaust. */
const CHARACTERS_REGEXP = /^[a-z0-9._-]+$/;
/** A name, after the start or a dot, that does not begin with a letter or digit. */
const BAD_START_REGEXP = /(?:^|\.)(?![a-z0-9])/;

/** Whether `text` is a root reference (F-ROOT-01). */
function isRootReference(text: string): text is RootReference {
  return CHARACTERS_REGEXP.test(text) && !BAD_START_REGEXP.test(text);
}

/**
 * Parses a root reference.
 *
 * @throws {PeipkgError} `format` (`E_ROOT_REF`)
 * @see F-ROOT-01
 */
export function parseRootReference(text: string): RootReference {
  if (isRootReference(text)) return text;
  const shown = excerpt(text);
  throw ruleError(
    "E_ROOT_REF",
    `cannot parse root reference "${shown}": expected names of a-z, 0-9, "_" and "-" joined by single dots`,
  );
}
