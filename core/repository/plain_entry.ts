/**
 * Index entries read in one pass over their text, when they are written the way producers write them (R-PROD-02): the
 * fields in that order, without spaces, escapes or fields nobody knows. Everything else, faults included, is left to
 * the reader of any JSON, which makes the same rows of what both can read.
 *
 * Most of an index is the relations of its tens of thousands of entries. No values are made of them here: they are
 * checked where they stand, and the details to store are cut from the text.
 */
import { LIMITS } from "../format/limits.ts";
import { SIDE_EFFECTS } from "../format/manifest.ts";
import { isArchitecture } from "../identity/architecture.ts";
import { isConstraint } from "../identity/constraint.ts";
import { isPackageName } from "../identity/package_name.ts";
import { isProvidedVersion, isVersion } from "../identity/version.ts";
import { isVirtualNameAt } from "../identity/virtual_name.ts";
import type { NewCataloguePackage } from "../store/catalogue.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const CLOSE_BRACE = 0x7d;
/** Digits that a double always holds exactly. */
const EXACT_DIGITS = 15;
const HASH_REGEXP = /[0-9a-f]{64}"/y;
const NO_NAMES: readonly string[] = [];

/** How the elements of a relation array are written. */
interface RelationForm {
  readonly isName: (text: string, from: number, to: number) => boolean;
  /** What may follow the name, and the check of its text. */
  readonly more: string;
  readonly isMore: (text: string) => boolean;
  readonly limit: number;
}

const CONSTRAINED = { more: ',"constraint":"', isMore: isConstraint, limit: LIMITS.relations };
const DEPENDENCY: RelationForm = { isName: isVirtualNameAt, ...CONSTRAINED };
const CONFLICT: RelationForm = {
  isName: (text, from, to) => isPackageName(text.slice(from, to)),
  ...CONSTRAINED,
};
const PROVIDES: RelationForm = { ...DEPENDENCY, more: ',"version":"', isMore: isProvidedVersion };
const REPLACES: RelationForm = { ...CONFLICT, limit: LIMITS.replaces };

/** Reads the plain entries of one document. */
export class PlainEntryReader {
  #text = "";
  #at = 0;
  /** Where the string read last begins and ends. */
  #from = 0;
  #to = 0;
  /** The part of the details that is not yet among those cut out. */
  #cutFrom = 0;
  #cutTo = 0;
  #details = "";

  /** Where the entry read last ends. */
  get end(): number {
    return this.#at;
  }

  /**
   * Reads an entry.
   *
   * @param start Where a value begins.
   * @returns `undefined`: it is not plain, or not valid.
   * @see R-IDX-05, R-IDX-06, S-REL-01 … S-REL-13
   */
  read(text: string, start: number): NewCataloguePackage | undefined {
    this.#text = text;
    this.#at = start;
    this.#details = "";
    this.#cutFrom = this.#cutTo = NaN;
    const name = this.#field('{"name":"');
    if (name === undefined || !isPackageName(name)) return undefined;
    const version = this.#field(',"version":"');
    if (version === undefined || !isVersion(version)) return undefined;
    const architecture = this.#field(',"architecture":"');
    if (architecture === undefined || !isArchitecture(architecture)) return undefined;
    const description = this.#field(',"description":"');
    if (description === undefined) return undefined;
    if (!this.#detail(',"license":"') || !this.#detail(',"homepage":"')) return undefined;
    if (!this.#relations(',"dependencies":[', DEPENDENCY, true)) return undefined;
    if (!this.#relations(',"optional_dependencies":[', DEPENDENCY)) return undefined;
    if (!this.#relations(',"conflicts":[', CONFLICT, true)) return undefined;
    const provides: string[] = [];
    if (!this.#relations(',"provides":[', PROVIDES, false, provides)) return undefined;
    const replaces: string[] = [];
    if (!this.#relations(',"replaces":[', REPLACES, false, replaces)) return undefined;
    if (!this.#sideEffects()) return undefined;
    const sizeCompressedBytes = this.#integer(',"size_compressed":');
    const sizeInstalledBytes = this.#integer(',"size_installed":');
    const hash = this.#hashValue();
    const url = this.#field(',"url":"');
    if (!(sizeCompressedBytes >= 0 && sizeInstalledBytes >= 0) || hash === undefined || !url) return undefined;
    const from = this.#at;
    if (this.#is(',"build":{"timestamp":"')) {
      if (!this.#string() || !this.#is(',"farm_id":"') || !this.#string() || !this.#is("}")) return undefined;
      this.#keep(from);
    }
    if (!this.#is("}")) return undefined;
    return {
      name,
      version,
      architecture,
      description,
      sizeCompressedBytes,
      sizeInstalledBytes,
      hash,
      url,
      entry: `{${this.#details}${text.slice(this.#cutFrom, this.#cutTo)}}`,
      provides: provides.length === 0 ? NO_NAMES : provides,
      replaces: replaces.length === 0 ? NO_NAMES : replaces,
    };
  }

  #is(literal: string): boolean {
    if (!this.#text.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  /** Reads on to the end of a string whose opening quote was read. */
  #string(): boolean {
    const text = this.#text;
    let at = this.#at;
    this.#from = at;
    for (;; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH || !(code >= 0x20)) return false;
    }
    this.#to = at;
    this.#at = at + 1;
    return true;
  }

  #field(literal: string): string | undefined {
    return this.#is(literal) && this.#string() ? this.#text.slice(this.#from, this.#to) : undefined;
  }

  /** An optional string of the details; an empty one is not stored. */
  #detail(literal: string): boolean {
    const from = this.#at;
    if (!this.#is(literal)) return true;
    if (!this.#string()) return false;
    if (this.#from < this.#to) this.#keep(from);
    return true;
  }

  /** Keeps what was read from a comma on; what follows the part before it is cut out together with that. */
  #keep(comma: number): void {
    if (comma !== this.#cutTo) {
      if (this.#cutTo > 0) this.#details += `${this.#text.slice(this.#cutFrom, this.#cutTo)},`;
      this.#cutFrom = comma + 1;
    }
    this.#cutTo = this.#at;
  }

  #relations(literal: string, form: RelationForm, required = false, into?: string[]): boolean {
    const start = this.#at;
    if (!this.#is(literal)) return !required;
    const text = this.#text;
    if (text.charCodeAt(this.#at) === CLOSE_BRACKET) {
      this.#at++;
      if (required) this.#keep(start);
      return true;
    }
    let previousFrom = 0;
    let previousTo = 0;
    for (let count = 1; count <= form.limit; count++) {
      if (!this.#is('{"name":"') || !this.#string()) return false;
      const from = this.#from;
      const to = this.#to;
      if (!form.isName(text, from, to) || !isAbove(text, from, to, previousFrom, previousTo)) return false; // F-MAN-02
      into?.push(text.slice(from, to));
      if (text.charCodeAt(this.#at) === COMMA) {
        if (!this.#is(form.more) || !this.#string() || this.#from === this.#to) return false;
        if (!form.isMore(text.slice(this.#from, this.#to))) return false;
      }
      if (text.charCodeAt(this.#at) !== CLOSE_BRACE) return false;
      previousFrom = from;
      previousTo = to;
      const next = text.charCodeAt(this.#at + 1);
      this.#at += 2;
      if (next === CLOSE_BRACKET) {
        this.#keep(start);
        return true;
      }
      if (next !== COMMA) return false;
    }
    return false;
  }

  /** R-IDX-05, table 3.1: known words, none of them twice; here in one order. */
  #sideEffects(): boolean {
    const start = this.#at;
    if (!this.#is(',"side_effects":[') || this.#is("]")) return true;
    let separator = "";
    for (const word of SIDE_EFFECTS) if (this.#is(`${separator}"${word}"`)) separator = ",";
    if (!this.#is("]")) return false;
    this.#keep(start);
    return true;
  }

  /** @returns `NaN`: no integer of so few digits that it is exact. */
  #integer(literal: string): number {
    if (!this.#is(literal)) return NaN;
    const text = this.#text;
    const start = this.#at;
    let value = 0;
    for (;;) {
      const digit = text.charCodeAt(this.#at) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      this.#at++;
    }
    const digits = this.#at - start;
    const isCanonical = digits === 1 || (digits > 1 && text.charCodeAt(start) !== ZERO);
    return isCanonical && digits <= EXACT_DIGITS ? value : NaN;
  }

  /** R-IDX-06 */
  #hashValue(): string | undefined {
    if (!this.#is(',"hash":{"algorithm":"sha256","value":"')) return undefined;
    const from = this.#at;
    HASH_REGEXP.lastIndex = from;
    if (!HASH_REGEXP.test(this.#text)) return undefined;
    this.#at = HASH_REGEXP.lastIndex;
    return this.#is("}") ? this.#text.slice(from, this.#at - 2) : undefined;
  }
}

/** Whether one part of an ASCII text comes after another. */
function isAbove(text: string, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  const length = Math.min(to - from, otherTo - otherFrom);
  for (let at = 0; at < length; at++) {
    const difference = text.charCodeAt(from + at) - text.charCodeAt(otherFrom + at);
    if (difference !== 0) return difference > 0;
  }
  return to - from > otherTo - otherFrom;
}
