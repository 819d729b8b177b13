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
  /** `undefined` for constraints of too many terms to keep. */
  readonly [parsed]: readonly ConstraintTerm[] | undefined;
}

/** F-CON-02: two-character operators first. */
const OPERATOR_REGEXP = /^(?:>=|<=|!=|=|>|<)/;

/**
 * Constraints of more terms, which only hostile text has, are taken apart anew each time they are asked: terms take a
 * hundred times the memory of their text, and a document may consist of nothing else.
 */
const KEPT_TERMS = 4;

/**
 * Parses a constraint.
 *
 * @throws {PeipkgError} `format` (`E_CONSTRAINT`)
 * @see F-CON-01 … F-CON-04
 */
export function parseConstraint(text: string): Constraint {
  const kept: ConstraintTerm[] = [];
  let count = 0;
  for (const term of scanTerms(text)) {
    if (count++ < KEPT_TERMS) kept.push(term);
  }
  return { raw: text, [parsed]: count > KEPT_TERMS ? undefined : kept };
}

/** The terms of a constraint, in the order written. */
export function termsOf(constraint: Constraint): Iterable<ConstraintTerm> {
  return constraint[parsed] ?? scanTerms(constraint.raw);
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
  for (const term of termsOf(constraint)) if (!satisfiesTerm(term, version)) return false;
  return true;
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

/** F-CON-01: one term after the other, so that nothing is held for all of them. */
function* scanTerms(text: string): Generator<ConstraintTerm> {
  for (let from = 0, to = 0; to >= 0; from = to + 1) {
    to = text.indexOf(",", from);
    yield parseTerm(text, to < 0 ? text.slice(from) : text.slice(from, to));
  }
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
