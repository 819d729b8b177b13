/**
 * A strict JSON reader: what the platform's parser cannot tell apart — repeated keys, exact integers, depth, lone
 * surrogates, bytes that are no UTF-8 — is an error here (section 4).
 *
 * The bytes are decoded once; strings and keys are then slices of that text, which is several times faster than
 * decoding each by itself. A caller that keeps a few short strings of a huge document keeps its text alive with them.
 */
import { type ErrorRule, excerpt, type PeipkgError, ruleError } from "../errors.ts";
import { LIMITS } from "./limits.ts";

/** A JSON value. Canonical integers up to 2^53−1 are numbers, every other number keeps its token. */
export type JsonValue = null | boolean | string | number | JsonNumber | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];

/** A number that is no canonical non-negative integer below 2^53. */
export class JsonNumber {
  constructor(readonly token: string) {}
}

/** An object with unique keys, in the order of the document. */
export class JsonObject {
  constructor(readonly keys: readonly string[], private readonly values: readonly JsonValue[]) {}

  /** Value of a key; `undefined` when absent. Foreign keys never meet an object's prototype. */
  get(key: string): JsonValue | undefined {
    const at = this.keys.indexOf(key);
    return at < 0 ? undefined : this.values[at];
  }
}

/** Shared by all empty values: a text of nothing but `{}` and `[]` must not grow a hundredfold in memory. */
const EMPTY_OBJECT = new JsonObject([], []);
const EMPTY_ARRAY: JsonArray = [];

/** Of a value with this shape nothing is kept. */
const SKIPPED: Shape = {};
/** Stands where the value of a field outside the shape would. */
const LEFT_OUT = new JsonObject([], []);

/** Which document is read, and the rules its faults are reported under where they differ (R-DESC-02, R-IDX-01). */
export interface DocumentKind {
  /** Word for messages and `detail.document`: `manifest`, `files`, `signature`, `descriptor`, `index`. */
  readonly document: string;
  /** Syntax, UTF-8 and escape faults; absent: each keeps its own rule (F-JSON-01, 02, 06). */
  readonly syntaxRule?: ErrorRule;
  /** A missing required or mistyped field; absent: `E_FIELD_MISSING`, `E_FIELD_TYPE`. */
  readonly fieldRule?: ErrorRule;
  /** A malformed integer field; absent: `E_JSON_INTEGER`. */
  readonly integerRule?: ErrorRule;
  /** What its reader can use; absent: everything is kept. */
  readonly shape?: Shape;
}

/**
 * What of a value its reader can use. The rest is checked like everything else and then left out, so that memory
 * follows what is known of a document and not what fills it.
 */
export interface Shape {
  /** Fields an object may have; others are left out of it. Absent, as is `anyField`: every object reads as empty. */
  readonly fields?: ReadonlyMap<string, Shape>;
  /** Every field an object has, whatever its key. */
  readonly anyField?: Shape;
  /** Elements of an array. Absent: every array reads as empty. */
  readonly elements?: Shape;
}

/** A string, number, boolean or `null`. */
export const SCALAR: Shape = {};

/** An object of some fields, each a scalar unless `others` says more of it. */
export function shapeOf(scalars: readonly string[], others: Readonly<Record<string, Shape>> = {}): Shape {
  return { fields: new Map([...scalars.map((field) => [field, SCALAR] as const), ...Object.entries(others)]) };
}

/** Receives the elements of one top-level array field as they are read, so that they need not be kept. */
export interface ElementVisitor {
  readonly field: string;
  visit(element: JsonValue, index: number): void;
}

/**
 * Reads a JSON text of any type.
 *
 * @param visitor The elements of this top-level field are visited in order and not kept; the array is then empty in
 *   the result. An error the visitor throws is held back until the document has been read, and `failed` receives it.
 * @throws {PeipkgError} `E_JSON_SYNTAX`, `E_JSON_UTF8`, `E_JSON_UNICODE` (or `kind.syntaxRule`),
 *   `E_JSON_DUPLICATE_KEY`, `E_JSON_DEPTH`
 * @see F-JSON-01 … F-JSON-06
 */
export function readJson(
  bytes: Uint8Array,
  kind: DocumentKind,
  visitor?: ElementVisitor & { failed(cause: unknown): void },
): JsonValue {
  return new Reader(decodeText(bytes, kind), kind, visitor).document();
}

/** F-JSON-02: overlong forms and encoded surrogates are refused; a byte order mark stays and fails as syntax. */
function decodeText(bytes: Uint8Array, kind: DocumentKind): string {
  try {
    // Several times faster than refusing from the start: only a text that has a replacement character may have had
    // anything replaced.
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    if (!text.includes("\ufffd")) return text;
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw ruleError(
      kind.syntaxRule ?? "E_JSON_UTF8",
      `cannot read the ${kind.document} document: it is not valid UTF-8`,
      { document: kind.document },
    );
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const ZERO = 0x30;

/** Digits that a double always holds exactly. */
const EXACT_DIGITS = 15;
/** Objects with more keys look them up in a set when duplicates are sought. */
const MANY_KEYS = 24;

/** RFC 8259 numbers; sticky, so that it is matched at the reader's place. */
const NUMBER_REGEXP = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INTEGER_REGEXP = /^(?:0|[1-9][0-9]*)$/;

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/** Removes everything from an index on and returns it, in an array of just that size. */
function takeFrom<T>(pending: T[], from: number): readonly T[] {
  const taken = pending.slice(from);
  pending.length = from;
  return taken;
}

/** One pass over a text. Recursion is bounded by the depth limit. */
class Reader {
  private at = 0;
  private depth = 0;
  /** Keys seen before, by a cheap hash: the few keys of a large document are then one string each. */
  private readonly knownKeys: (string | undefined)[] = new Array(256).fill(undefined);

  /**
   * Keys and values of everything still open, innermost last. Finished containers take theirs off in one piece, so
   * that their arrays are exactly as long as they need to be.
   */
  private readonly pendingKeys: string[] = [];
  private readonly pendingValues: JsonValue[] = [];
  /** Keys of the last object, by their number. */
  private readonly lastKeys: (readonly string[] | undefined)[] = new Array(MANY_KEYS + 1).fill(undefined);

  constructor(
    private readonly text: string,
    private readonly kind: DocumentKind,
    private readonly visitor: (ElementVisitor & { failed(cause: unknown): void }) | undefined,
  ) {}

  document(): JsonValue {
    this.skipWhitespace();
    const value = this.value(this.kind.shape);
    this.skipWhitespace();
    if (this.at < this.text.length) throw this.syntax("text follows the value"); // F-JSON-01
    return value;
  }

  /** @param shape What of the value is kept; `undefined`: everything. */
  private value(shape: Shape | undefined): JsonValue {
    const code = this.text.charCodeAt(this.at);
    switch (code) {
      case QUOTE:
        return this.string();
      case OPEN_BRACE:
        return this.object(shape);
      case OPEN_BRACKET:
        return this.array(shape);
      case 0x74:
        return this.word("true", true);
      case 0x66:
        return this.word("false", false);
      case 0x6e:
        return this.word("null", null);
      default:
        return this.number(code);
    }
  }

  private object(shape: Shape | undefined): JsonObject {
    this.enter();
    this.at++;
    this.skipWhitespace();
    if (this.text.charCodeAt(this.at) === CLOSE_BRACE) return this.leave(EMPTY_OBJECT);
    const keysFrom = this.pendingKeys.length;
    const valuesFrom = this.pendingValues.length;
    let isWhole = true;
    let seen: Set<string> | undefined;
    for (;;) {
      if (this.text.charCodeAt(this.at) !== QUOTE) throw this.syntax("a key was expected");
      const key = this.key();
      // F-JSON-03: compared after unescaping, also in fields nobody reads
      if (seen === undefined ? this.pendingKeys.includes(key, keysFrom) : seen.has(key)) throw this.duplicate(key);
      if (seen !== undefined) seen.add(key);
      else if (this.pendingKeys.length - keysFrom >= MANY_KEYS) {
        seen = new Set(this.pendingKeys.slice(keysFrom)).add(key);
      }
      this.skipWhitespace();
      if (this.text.charCodeAt(this.at) !== COLON) throw this.syntax(`":" was expected`);
      this.at++;
      this.skipWhitespace();
      const inner = shape === undefined ? undefined : shape.fields?.get(key) ?? shape.anyField ?? SKIPPED;
      if (inner === SKIPPED) isWhole = false;
      if (inner !== SKIPPED || seen === undefined) this.pendingKeys.push(key);
      const value = this.visitor !== undefined && this.depth === 1 ? this.topLevelField(key, inner) : this.value(inner);
      if (inner !== SKIPPED) this.pendingValues.push(value);
      else if (seen === undefined) this.pendingValues.push(LEFT_OUT);
      this.skipWhitespace();
      const next = this.text.charCodeAt(this.at);
      if (next === CLOSE_BRACE) {
        if (!isWhole) this.dropLeftOut(keysFrom, valuesFrom);
        if (this.pendingKeys.length === keysFrom) return this.leave(EMPTY_OBJECT);
        const keys = this.takeKeys(keysFrom);
        return this.leave(new JsonObject(keys, takeFrom(this.pendingValues, valuesFrom)));
      }
      if (next !== COMMA) throw this.syntax(`"," or "}" was expected`);
      this.at++;
      this.skipWhitespace();
    }
  }

  /** Closes the gaps of fields outside the shape, whose keys stood here to be compared with later ones. */
  private dropLeftOut(keysFrom: number, valuesFrom: number): void {
    const keys = this.pendingKeys;
    const values = this.pendingValues;
    let kept = 0;
    for (let at = 0; valuesFrom + at < values.length; at++) {
      const value = values[valuesFrom + at];
      if (value === undefined || value === LEFT_OUT) continue;
      keys[keysFrom + kept] = keys[keysFrom + at] ?? "";
      values[valuesFrom + kept++] = value;
    }
    keys.length = keysFrom + kept;
    values.length = valuesFrom + kept;
  }

  /** Objects of one shape, which follow each other in every large document, share one list of keys. */
  private takeKeys(from: number): readonly string[] {
    const pending = this.pendingKeys;
    const known = this.lastKeys[pending.length - from];
    if (known !== undefined && known.every((key, at) => key === pending[from + at])) {
      pending.length = from;
      return known;
    }
    const keys = takeFrom(pending, from);
    if (keys.length <= MANY_KEYS) this.lastKeys[keys.length] = keys;
    return keys;
  }

  /** Steps over the closing bracket of a finished value. */
  private leave<T extends JsonObject | JsonArray>(value: T): T {
    this.at++;
    this.depth--;
    return value;
  }

  private topLevelField(key: string, shape: Shape | undefined): JsonValue {
    const visitor = this.visitor;
    if (visitor === undefined || visitor.field !== key || this.text.charCodeAt(this.at) !== OPEN_BRACKET) {
      return this.value(shape);
    }
    let failed = false;
    return this.array(shape, (element, index) => {
      if (failed) return;
      try {
        visitor.visit(element, index);
      } catch (cause) {
        failed = true; // the rest is still read: a fault of syntax or of the schema outranks this one
        visitor.failed(cause);
      }
    });
  }

  private array(shape: Shape | undefined, visit?: (element: JsonValue, index: number) => void): JsonArray {
    this.enter();
    this.at++;
    this.skipWhitespace();
    if (this.text.charCodeAt(this.at) === CLOSE_BRACKET) return this.leave(EMPTY_ARRAY);
    const elementsFrom = this.pendingValues.length;
    const inner = shape === undefined ? undefined : shape.elements ?? SKIPPED;
    for (let index = 0;; index++) {
      const element = this.value(inner);
      if (visit !== undefined) visit(element, index);
      else if (inner !== SKIPPED) this.pendingValues.push(element);
      this.skipWhitespace();
      const next = this.text.charCodeAt(this.at);
      if (next === CLOSE_BRACKET) {
        const isEmpty = this.pendingValues.length === elementsFrom;
        return this.leave(isEmpty ? EMPTY_ARRAY : takeFrom(this.pendingValues, elementsFrom));
      }
      if (next !== COMMA) throw this.syntax(`"," or "]" was expected`);
      this.at++;
      this.skipWhitespace();
    }
  }

  /** F-JSON-04: the top level counts as 1. */
  private enter(): void {
    if (++this.depth > LIMITS.jsonDepth) {
      throw ruleError(
        "E_JSON_DEPTH",
        `cannot read the ${this.kind.document} document: it nests deeper than ${LIMITS.jsonDepth} levels`,
        { document: this.kind.document },
      );
    }
  }

  private key(): string {
    const start = this.at + 1;
    const text = this.text;
    let end = start;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === QUOTE) break;
      if (code === BACKSLASH || !(code >= 0x20)) return this.string();
      end++;
    }
    this.at = end + 1;
    const length = end - start;
    const slot = (text.charCodeAt(start) * 7 + text.charCodeAt(end - 1) * 31 + length * 3) & 255;
    const known = this.knownKeys[slot];
    if (known !== undefined && known.length === length && text.startsWith(known, start)) return known;
    return this.knownKeys[slot] = text.slice(start, end);
  }

  private string(): string {
    const text = this.text;
    const start = this.at + 1;
    let end = start;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === QUOTE) {
        this.at = end + 1;
        return text.slice(start, end);
      }
      if (code === BACKSLASH) return this.escapedString(start, end);
      if (!(code >= 0x20)) { // a control character, or not a number at the end of the text
        this.at = end;
        throw this.syntax(end < text.length ? "a string holds a control character" : "a string does not end");
      }
      end++;
    }
  }

  private escapedString(start: number, firstEscape: number): string {
    const text = this.text;
    let result = "";
    let from = start;
    let end = firstEscape;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === QUOTE) {
        this.at = end + 1;
        return result + text.slice(from, end);
      }
      if (code === BACKSLASH) {
        result += text.slice(from, end);
        this.at = end + 1;
        result += this.escape();
        end = from = this.at;
      } else if (code >= 0x20) {
        end++;
      } else {
        this.at = end;
        throw this.syntax(end < text.length ? "a string holds a control character" : "a string does not end");
      }
    }
  }

  /** Reads what follows a backslash. */
  private escape(): string {
    const letter = this.text.charAt(this.at++);
    if (letter === "u") return this.unicodeEscape();
    const character = SHORT_ESCAPES.get(letter);
    if (character === undefined) throw this.syntax("a string holds an unknown escape");
    return character;
  }

  /** F-JSON-06: surrogates only as a correct pair. */
  private unicodeEscape(): string {
    const first = this.hexUnit();
    if (first < 0xd800 || first > 0xdfff) return String.fromCharCode(first);
    if (first > 0xdbff || !this.text.startsWith("\\u", this.at)) throw this.loneSurrogate();
    this.at += 2;
    const second = this.hexUnit();
    if (second < 0xdc00 || second > 0xdfff) throw this.loneSurrogate();
    return String.fromCharCode(first, second);
  }

  private hexUnit(): number {
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.syntax(`"\\u" needs four hex digits`);
    this.at += 4;
    return parseInt(digits, 16);
  }

  private number(code: number): number | JsonNumber {
    const text = this.text;
    const start = this.at;
    if (code > ZERO && code <= 0x39) {
      let value = 0;
      let end = start;
      let digit = code - ZERO;
      while (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        digit = text.charCodeAt(++end) - ZERO;
      }
      const next = digit + ZERO;
      if (end - start <= EXACT_DIGITS && next !== 0x2e && next !== 0x65 && next !== 0x45) {
        this.at = end;
        return value;
      }
    }
    NUMBER_REGEXP.lastIndex = start;
    const token = NUMBER_REGEXP.exec(text)?.[0];
    if (token === undefined) throw this.syntax("a value was expected");
    this.at = start + token.length;
    if (token.length > EXACT_DIGITS + 1 || !INTEGER_REGEXP.test(token)) return new JsonNumber(token);
    const value = Number(token);
    return Number.isSafeInteger(value) ? value : new JsonNumber(token);
  }

  private word<T extends true | false | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.syntax("a value was expected");
    this.at += word.length;
    return value;
  }

  private skipWhitespace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  private syntax(found: string): PeipkgError {
    return this.fault("E_JSON_SYNTAX", `${found}, at character ${this.at + 1}`);
  }

  private loneSurrogate(): PeipkgError {
    return this.fault("E_JSON_UNICODE", `an escape is half of a surrogate pair, at character ${this.at + 1}`);
  }

  private fault(rule: ErrorRule, found: string): PeipkgError {
    const document = this.kind.document;
    return ruleError(this.kind.syntaxRule ?? rule, `cannot read the ${document} document: ${found}`, { document });
  }

  private duplicate(key: string): PeipkgError {
    const document = this.kind.document;
    const shown = excerpt(key, 80);
    return ruleError(
      "E_JSON_DUPLICATE_KEY",
      `cannot read the ${document} document: key "${shown}" is repeated in one object`,
      { document, field: key },
    );
  }
}
