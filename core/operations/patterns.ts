/** Package operands that may be patterns: exact, or a glob when they hold `*`, `?` or `[` (cli.md section 11). */
import { ruleError } from "../errors.ts";
import { nearHint } from "../identity/near_name.ts";

/** Whether an operand is a pattern rather than a name. */
function isPattern(operand: string): boolean {
  return /[*?[]/.test(operand);
}

/**
 * Chooses the names that some operand means.
 *
 * @param names In the order wanted.
 * @param operands Names or patterns; empty chooses every name.
 * @throws {PeipkgError} `not-installed` (`E_NOT_INSTALLED`) for an operand that means none of them.
 */
export function selectNames<Name extends string>(
  names: readonly Name[],
  operands: readonly string[],
): readonly Name[] {
  if (operands.length === 0) return names;
  const chosen = new Set<Name>();
  for (const operand of operands) {
    const found = names.filter((name) => isPattern(operand) ? matchesPattern(operand, name) : name === operand);
    if (found.length === 0) {
      const message = isPattern(operand)
        ? `no installed package matches "${operand}"`
        : `"${operand}" is not installed`;
      throw ruleError("E_NOT_INSTALLED", message, { package: operand, ...nearHint(operand, names) });
    }
    for (const name of found) chosen.add(name);
  }
  return names.filter((name) => chosen.has(name));
}

/**
 * Whether a text matches a glob pattern: `*` any run, `?` one character, `[a-z]` one of, `[!a-z]` none of. Walks both
 * once, going back to the last `*` only, so that no pattern takes exponential time.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = splitPattern(pattern);
  const characters = [...text];
  let part = 0, at = 0, star = -1, resume = 0;
  while (at < characters.length) {
    const current = parts[part];
    if (current === "any-run") {
      star = part++;
      resume = at;
    } else if (current !== undefined && current(characters[at] ?? "")) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (parts[part] === "any-run") part++;
  return part === parts.length;
}

type PatternPart = "any-run" | ((character: string) => boolean);

function splitPattern(pattern: string): readonly PatternPart[] {
  const parts: PatternPart[] = [];
  for (const [token] of pattern.matchAll(/\[!?\]?[^\]]*\]|[\s\S]/gu)) {
    if (token === "*") parts.push("any-run");
    else if (token === "?") parts.push(() => true);
    else if (token.length > 1 && token.startsWith("[")) parts.push(classOf(token));
    else parts.push((character) => character === token);
  }
  return parts;
}

function classOf(token: string): (character: string) => boolean {
  const isNegated = token.startsWith("[!");
  const members = [...token.slice(isNegated ? 2 : 1, -1)];
  return (character) => {
    let isMember = false;
    for (let index = 0; index < members.length; index++) {
      const from = members[index] ?? "";
      const isRange = members[index + 1] === "-" && index + 2 < members.length;
      const to = isRange ? members[index + 2] ?? "" : from;
      if (character >= from && character <= to) isMember = true;
      if (isRange) index += 2;
    }
    return isMember !== isNegated;
  };
}
