/**
 * Licence expressions of the SPDX specification, judged against its published lists of identifiers and exceptions:
 * the only file that names them. Loaded by the inventory alone.
 */
import EXCEPTIONS from "spdx-exceptions" with { type: "json" };
import LICENSES from "spdx-license-ids" with { type: "json" };
import DEPRECATED from "spdx-license-ids/deprecated" with { type: "json" };

const KNOWN_LICENSES: ReadonlySet<string> = new Set([...LICENSES, ...DEPRECATED]);
const KNOWN_EXCEPTIONS: ReadonlySet<string> = new Set(EXCEPTIONS);
const REFERENCE_REGEXP = /^(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+$/;
const TOKEN_REGEXP = /\s*(\(|\)|[^\s()]+)/y;
/** Manifests bound the text; this bounds how deep it may nest. */
const MAX_DEPTH = 50;

/** What a licence text is: an expression, or words of its own. */
export interface Licence {
  readonly kind: "identifier" | "expression" | "text";
}

/** Tells what a licence text is. Identifiers count only as they are published, capitals included. */
export function judgeLicence(text: string): Licence {
  if (KNOWN_LICENSES.has(text)) return { kind: "identifier" };
  const tokens = tokensOf(text);
  const end = tokens === undefined ? undefined : readAlternatives(tokens, 0, 0);
  return { kind: tokens !== undefined && end === tokens.length ? "expression" : "text" };
}

function tokensOf(text: string): readonly string[] | undefined {
  const tokens: string[] = [];
  TOKEN_REGEXP.lastIndex = 0;
  const trimmed = text.trimEnd();
  while (TOKEN_REGEXP.lastIndex < trimmed.length) {
    const token = TOKEN_REGEXP.exec(trimmed)?.[1];
    if (token === undefined) return undefined;
    tokens.push(token);
  }
  return tokens;
}

// Each reader takes the place of its first token and gives the place after its last; `undefined`: it does not fit.

function readAlternatives(tokens: readonly string[], at: number, depth: number): number | undefined {
  let end = readTerm(tokens, at, depth);
  while (end !== undefined && (tokens[end] === "AND" || tokens[end] === "OR")) end = readTerm(tokens, end + 1, depth);
  return end;
}

function readTerm(tokens: readonly string[], at: number, depth: number): number | undefined {
  if (tokens[at] === "(") {
    const end = depth < MAX_DEPTH ? readAlternatives(tokens, at + 1, depth + 1) : undefined;
    return end !== undefined && tokens[end] === ")" ? end + 1 : undefined;
  }
  const name = tokens[at] ?? "";
  if (REFERENCE_REGEXP.test(name)) return at + 1;
  if (!KNOWN_LICENSES.has(name) && !KNOWN_LICENSES.has(name.replace(/\+$/, ""))) return undefined;
  if (tokens[at + 1] !== "WITH") return at + 1;
  return KNOWN_EXCEPTIONS.has(tokens[at + 2] ?? "") ? at + 3 : undefined;
}
