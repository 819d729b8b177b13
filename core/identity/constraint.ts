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

/** F-CON-02: two-character operators first. F-CON-03: only these four characters count as whitespace. */
const TERM_REGEXP = /^[ \t\n\r]*(>=|<=|!=|=|>|<)?[ \t\n\r]*([^ \t\n\r]+)[ \t\n\r]*$/;

/**
 * Parses a constraint.
 *
 * @throws {PeipkgError} `format` (`E_CONSTRAINT`)
 * @see F-CON-01 … F-CON-04
 */
export function parseConstraint(text: string): Constraint {
  return { raw: text, terms: text.split(",").map((term) => parseTerm(text, term)), [parsed]: true };
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
  const match = TERM_REGEXP.exec(term);
  const operand = match?.[2];
  if (operand === undefined) {
    const found = /[^ \t\n\r<>=!]/.test(term) ? "an operand may not hold whitespace" : "a term has no version";
    throw badConstraint(text, found);
  }
  try {
    return { operator: toOperator(match?.[1]), operand: parseProvidedVersion(operand) };
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    throw badConstraint(text, cause.message.replace(/^cannot parse version /, "operand "));
  }
}

function toOperator(text: string | undefined): ConstraintOperator {
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
