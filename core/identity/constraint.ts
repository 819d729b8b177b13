/** Version constraints: comma-separated terms that must all hold (F-CON-01 … F-CON-07). */
import { excerpt, PeipkgError, ruleError } from "../errors.ts";
import { compareEpochAndUpstream, parseProvidedVersion, type ProvidedVersion } from "./version.ts";

const parsed: unique symbol = Symbol("parsed");

export type ConstraintOperator = "=" | ">" | ">=" | "<" | "<=" | "!=";

/** One comparison. Without a revision in the operand, revisions are not compared (F-CON-05). */
export interface ConstraintTerm {
  readonly operator: ConstraintOperator;
  readonly operand: ProvidedVersion;
}

/** A parsed constraint; an absent field is `undefined` and matches everything (F-CON-06). */
export interface Constraint {
  /** The text as written. */
  readonly raw: string;
  readonly terms: readonly ConstraintTerm[];
  readonly [parsed]: true;
}

/** F-CON-02: two-character operators first. */
const OPERATOR_REGEXP = /^(?:>=|<=|!=|=|>|<)/;

/**
 * Terms of one constraint. No real one has more than a few; a document's worth of them would take hundreds of times
 * its own size in memory.
 */
const MAX_TERMS = 1000;

/**
 * Parses a constraint.
 *
 * @throws {PeipkgError} `format` (`E_CONSTRAINT`)
 * @see F-CON-01 … F-CON-04
 */
export function parseConstraint(text: string): Constraint {
  const terms = text.split(",", MAX_TERMS + 1);
  if (terms.length > MAX_TERMS) throw badConstraint(text, `it has more than ${MAX_TERMS} terms`);
  return { raw: text, terms: terms.map((term) => parseTerm(text, term)), [parsed]: true };
}

/**
 * Whether a version, full or as provided, satisfies a constraint.
 *
 * @param constraint `undefined` matches every version (F-CON-06).
 * @param version A package's version or a provides entry's; `undefined` for an unversioned provides entry, which
 *   satisfies any constraint (F-CON-07).
 * @see F-CON-05 … F-CON-07
 */
export function satisfiesConstraint(constraint: Constraint | undefined, version: ProvidedVersion | undefined): boolean {
  if (constraint === undefined || version === undefined) return true;
  return constraint.terms.every((term) => satisfiesTerm(term, version));
}

function satisfiesTerm(term: ConstraintTerm, version: ProvidedVersion): boolean {
  const order = compareToOperand(version, term.operand);
  switch (term.operator) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
  }
}

function compareToOperand(version: ProvidedVersion, operand: ProvidedVersion): number {
  const order = compareEpochAndUpstream(version, operand);
  if (order !== 0 || operand.revision === undefined) return order;
  const revision = version.revision ?? 0n; // F-CON-07
  return revision < operand.revision ? -1 : revision > operand.revision ? 1 : 0;
}

function parseTerm(text: string, term: string): ConstraintTerm {
  const start = skipSpace(term, 0);
  const operator = OPERATOR_REGEXP.exec(term.slice(start, start + 2))?.[0] ?? "";
  const from = skipSpace(term, start + operator.length);
  let end = from;
  while (end < term.length && !isSpace(term.charCodeAt(end))) end++;
  if (end === from) throw badConstraint(text, "a term has no version");
  if (skipSpace(term, end) < term.length) throw badConstraint(text, "an operand may not hold whitespace");
  try {
    return { operator: toOperator(operator), operand: parseProvidedVersion(term.slice(from, end)) };
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    throw badConstraint(text, cause.message.replace(/^cannot parse version /, "operand "));
  }
}

/** F-CON-03: space, tab, LF and CR. Scanned by hand: adjoining repetitions of a pattern would take quadratic time. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function skipSpace(term: string, from: number): number {
  let at = from;
  while (at < term.length && isSpace(term.charCodeAt(at))) at++;
  return at;
}

function toOperator(text: string): ConstraintOperator {
  switch (text) {
    case ">":
    case ">=":
    case "<":
    case "<=":
    case "!=":
      return text;
    default:
      return "="; // F-CON-02: no operator means equality
  }
}

function badConstraint(text: string, found: string): PeipkgError {
  const shown = excerpt(text);
  return ruleError("E_CONSTRAINT", `cannot parse constraint "${shown}": ${found}`);
}
