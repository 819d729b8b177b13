/**
 * Expressions of `query -e`: comparisons of patterns, joined by `&&`, `||`, `!` and parentheses. Parsed once into a
 * test; the parser goes down as deep as the text nests, which is bounded.
 *
 * @see C-QUERY-02
 */
import { matchesPattern, type PackageRecord, PeipkgError, versionTest } from "../../mod.ts";
import { elementValues, type Pattern, QueryFault, readPattern, type RecordSource } from "./patterns.ts";

export type RecordTest = (record: PackageRecord) => boolean;

/** Longest first, so that `!=~` is not read as `!=`. */
const OPERATORS = ["!=~", "!~", "!=", "=~", "==", "<=", ">=", "=", "~", "<", ">"] as const;
type Operator = (typeof OPERATORS)[number];

type ValueTest = (value: string) => boolean;

const MAX_DEPTH = 100;
const NUMBER_REGEXP = /^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$/;

/**
 * Parses an expression.
 *
 * @throws {QueryFault}
 */
export function parseExpression(text: string, source: RecordSource): RecordTest {
  const parser = new Parser(text, source);
  return parser.whole();
}

class Parser {
  #at = 0;
  #depth = 0;

  constructor(private readonly text: string, private readonly source: RecordSource) {}

  whole(): RecordTest {
    const test = this.#alternatives();
    if (this.#at < this.text.length) throw new QueryFault('"&&", "||" or the end is expected', this.#at);
    return test;
  }

  #alternatives(): RecordTest {
    const tests = this.#joined("||", () => this.#joinedTerms());
    return tests.length === 1 && tests[0] !== undefined ? tests[0] : (record) => tests.some((test) => test(record));
  }

  #joinedTerms(): RecordTest {
    const tests = this.#joined("&&", () => this.#term());
    return tests.length === 1 && tests[0] !== undefined ? tests[0] : (record) => tests.every((test) => test(record));
  }

  #joined(operator: "||" | "&&", next: () => RecordTest): readonly RecordTest[] {
    const tests = [next()];
    while (this.#take(operator)) tests.push(next());
    return tests;
  }

  #term(): RecordTest {
    if (++this.#depth > MAX_DEPTH) throw new QueryFault("it nests too deeply", this.#at);
    try {
      this.#skipBlanks();
      if (this.#take("!")) {
        const test = this.#term();
        return (record) => !test(record);
      }
      if (!this.#take("(")) return this.#comparison();
      const test = this.#alternatives();
      if (!this.#take(")")) throw new QueryFault('")" is expected', this.#at);
      return test;
    } finally {
      this.#depth--;
    }
  }

  #comparison(): RecordTest {
    if (this.text[this.#at] !== "%") throw new QueryFault("a pattern is expected", this.#at);
    const patternAt = this.#at;
    const { pattern, length } = readPattern(this.text, this.#at + 1, this.source);
    this.#at += 1 + length;
    this.#skipBlanks();
    const operatorAt = this.#at;
    const operator = OPERATORS.find((item) => this.text.startsWith(item, this.#at));
    if (operator === undefined) throw new QueryFault("a comparison is expected", this.#at);
    this.#at += operator.length;
    this.#skipBlanks();
    const literalAt = this.#at;
    const literal = this.#literal();
    this.#skipBlanks();
    return comparisonOf(pattern, operator, literal, { pattern: patternAt, operator: operatorAt, literal: literalAt });
  }

  /** A word, or text between quotes in which a backslash takes the next character as it is. */
  #literal(): string {
    const quote = this.text[this.#at];
    if (quote !== '"' && quote !== "'") {
      const [word = ""] = /^[^\s()&|!<>=~"'%]+/.exec(this.text.slice(this.#at)) ?? [];
      if (word === "") throw new QueryFault("a number, a word or a quoted text is expected", this.#at);
      this.#at += word.length;
      return word;
    }
    let value = "";
    for (let at = this.#at + 1; at < this.text.length; at++) {
      const character = this.text[at] ?? "";
      if (character === quote) {
        this.#at = at + 1;
        return value;
      }
      value += character === "\\" ? this.text[++at] ?? "" : character;
    }
    throw new QueryFault("the quoted text does not end", this.#at);
  }

  #take(word: string): boolean {
    this.#skipBlanks();
    if (!this.text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    this.#skipBlanks();
    return true;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.text[this.#at] ?? "")) this.#at++;
  }
}

/** A list is tested by its elements; the negative operators say that none of them matches. */
function comparisonOf(
  pattern: Pattern,
  operator: Operator,
  literal: string,
  at: { readonly pattern: number; readonly operator: number; readonly literal: number },
): RecordTest {
  const isNegative = operator.startsWith("!");
  const positive = valueTest(pattern, isNegative ? positiveOf(operator) : operator, literal, at);
  const matches: RecordTest = pattern.kind === "scalar"
    ? (record) => positive(pattern.value(record))
    : (record) => elementValues(pattern, record).some(positive);
  return isNegative ? (record) => !matches(record) : matches;
}

function positiveOf(operator: Operator): Operator {
  return operator === "!~" ? "~" : operator === "!=~" ? "=~" : "=";
}

function valueTest(
  pattern: Pattern,
  operator: Operator,
  literal: string,
  at: { readonly operator: number; readonly literal: number },
): ValueTest {
  switch (operator) {
    case "~":
      return (value) => matchesPattern(literal, value);
    case "=~": {
      const folded = literal.toLowerCase();
      return (value) => value.toLowerCase() === folded;
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
      return orderTest(pattern, operator, literal, at);
    default:
      return (value) => value === literal;
  }
}

function orderTest(
  pattern: Pattern,
  operator: "<" | "<=" | ">" | ">=",
  literal: string,
  at: { readonly operator: number; readonly literal: number },
): ValueTest {
  const type = pattern.kind === "scalar" ? pattern.type : "text";
  if (type === "version") return readVersionTest(operator, literal, at.literal);
  if (type !== "number") throw new QueryFault(`%${pattern.name} is no number`, at.operator);
  if (!NUMBER_REGEXP.test(literal)) throw new QueryFault("a number is expected", at.literal);
  const number = Number(literal);
  switch (operator) {
    case "<":
      return (value) => Number(value) < number;
    case "<=":
      return (value) => Number(value) <= number;
    case ">":
      return (value) => Number(value) > number;
    case ">=":
      return (value) => Number(value) >= number;
  }
}

function readVersionTest(operator: string, literal: string, at: number): ValueTest {
  try {
    return versionTest(operator, literal);
  } catch (error) {
    if (!(error instanceof PeipkgError)) throw error;
    throw new QueryFault("a version is expected", at);
  }
}
