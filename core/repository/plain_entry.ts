/**
 * Index entries read in one pass over their bytes, when they are written the way producers write them (R-PROD-02): the
 * fields in that order, without spaces, fields nobody knows, and escapes but short ones in the description. Everything
 * else, faults included, is left to
 * the reader of any JSON, which makes the same rows of what both can read.
 *
 * No values are made while they are read: an entry is some numbers that say where its parts lie, and becomes a row when
 * it is asked for. Tens of thousands of rows of a dozen values each, held until the last entry is known to be good,
 * would cost more to collect as garbage than to read.
 */
import { LIMITS } from "../format/limits.ts";
import { SIDE_EFFECTS } from "../format/manifest.ts";
import {
  isArchitectureAt,
  isConstraintAt,
  isHexAt,
  isPackageNameAt,
  isProvidedVersionAt,
  isVersionAt,
  isVirtualNameAt,
} from "../identity/byte_grammar.ts";
import type { NewCataloguePackage } from "../store/catalogue.ts";
import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, QUOTE } from "./index_elements.ts";
import { Numbers } from "./numbers.ts";

const SPACE = 0x20;
const ZERO = 0x30;
/** Digits that a double always holds exactly. */
const EXACT_DIGITS = 15;
const HASH_DIGITS = 64;
/** Text is decoded in pieces of this size and cut up then: decoding is dear by the call. */
const BLOCK_BYTES = 64 * 1024;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const NAME = encode('{"name":"');
const VERSION = encode(',"version":"');
const ARCHITECTURE = encode(',"architecture":"');
const DESCRIPTION = encode(',"description":"');
const LICENSE = encode(',"license":"');
const HOMEPAGE = encode(',"homepage":"');
const SIDE_EFFECT_LIST = encode(',"side_effects":[');
const SIDE_EFFECT_WORDS = SIDE_EFFECTS.map((word) => encode(`"${word}"`));
const SIZE_COMPRESSED = encode(',"size_compressed":');
const SIZE_INSTALLED = encode(',"size_installed":');
const HASH = encode(',"hash":{"algorithm":"sha256","value":"');
const HASH_END = encode('"}');
const URL_FIELD = encode(',"url":"');
const BUILD = encode(',"build":{"timestamp":"');
const FARM_ID = encode(',"farm_id":"');
const END = encode("}");
/** 1 for the quote and for what a string may not hold as it is. */
const ENDS_STRING = Uint8Array.from(
  { length: 256 },
  (_, code) => code < SPACE || code === QUOTE || code === BACKSLASH ? 1 : 0,
);
/** What may follow a backslash. */
const SHORT_ESCAPES = encode('"\\/bfnrt');
const NO_NAMES: readonly string[] = [];

type Check = (bytes: Uint8Array, from: number, to: number) => boolean;

/** How a relation array and its elements are written. */
interface RelationForm {
  readonly field: Uint8Array;
  readonly isRequired: boolean;
  readonly isName: Check;
  /** What may follow the name, and the check of its text. */
  readonly more: Uint8Array;
  readonly isMore: Check;
  readonly limit: number;
}

const CONSTRAINED = { more: encode(',"constraint":"'), isMore: isConstraintAt, limit: LIMITS.relations };
const DEPENDENCY = { isName: isVirtualNameAt, ...CONSTRAINED };
const CONFLICT = { isName: isPackageNameAt, ...CONSTRAINED };
const DEPENDENCIES: RelationForm = { ...DEPENDENCY, field: encode(',"dependencies":['), isRequired: true };
const OPTIONAL: RelationForm = { ...DEPENDENCY, field: encode(',"optional_dependencies":['), isRequired: false };
const CONFLICTS: RelationForm = { ...CONFLICT, field: encode(',"conflicts":['), isRequired: true };
const PROVIDES: RelationForm = {
  field: encode(',"provides":['),
  isRequired: false,
  isName: isVirtualNameAt,
  more: encode(',"version":"'),
  isMore: isProvidedVersionAt,
  limit: LIMITS.relations,
};
const REPLACES: RelationForm = {
  ...CONFLICT,
  field: encode(',"replaces":['),
  isRequired: false,
  limit: LIMITS.replaces,
};

/** Numbers kept of an entry: where parts of it begin and end, and where its own numbers begin in the lists. */
const START = 0;
const NAME_TO = 1;
const VERSION_TO = 2;
const ARCHITECTURE_TO = 3;
const DESCRIPTION_TO = 4;
const COMPRESSED_FROM = 5;
const COMPRESSED_TO = 6;
const INSTALLED_TO = 7;
const HASH_FROM = 8;
const URL_TO = 9;
const CUTS = 10;
const PROVIDED = 11;
const REPLACED = 12;
const NUMBERS = 13;

/** The plain entries of one document, in the order they are read. */
export class PlainEntries {
  readonly #bytes: Uint8Array;
  readonly #entries = new Numbers();
  /** From and to of each part of an entry's details. */
  readonly #cuts = new Numbers();
  /** From and to of each name that an entry provides, then of each it replaces. */
  readonly #names = new Numbers();
  readonly #unordered: number[] = [];
  /** The name of the entry read before. */
  #lastFrom = 0;
  #lastTo = 0;
  #at = 0;
  /** Where the string read last begins and ends. */
  #from = 0;
  #to = 0;
  /** Bytes of all characters read so far, together. */
  #seen = 0;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Text of the bytes from `#blockFrom` on, if each is a character. */
  #block = "";
  #blockFrom = 0;
  #blockTo = 0;
  /** Up to here text is made of one entry at a time. */
  #mixedTo = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Number of entries read. */
  get length(): number {
    return this.#entries.length / NUMBERS;
  }

  /** Where the entry read last ends. */
  get end(): number {
    return this.#at;
  }

  /**
   * Reads one more entry.
   *
   * @param start Where a value begins.
   * @returns false: it is not plain, or not valid.
   * @see R-IDX-05, R-IDX-06, S-REL-01 … S-REL-13
   */
  read(start: number): boolean {
    const [entries, cuts, names] = [this.#entries.length, this.#cuts.length, this.#names.length];
    this.#at = start;
    this.#seen = 0;
    for (let at = 0; at < NUMBERS; at++) this.#entries.push(start);
    this.#set(CUTS, cuts);
    this.#set(PROVIDED, names);
    if (this.#identity() && this.#details() && this.#file() && this.#isUtf8(start)) {
      this.#noteOrder(start);
      return true;
    }
    this.#entries.cutBack(entries);
    this.#cuts.cutBack(cuts);
    this.#names.cutBack(names);
    return false;
  }

  /** Entries whose name does not come after that of the entry before them, byte for byte; ascending. */
  get unordered(): readonly number[] {
    return this.#unordered;
  }

  /** The row of an entry. */
  row(index: number): NewCataloguePackage {
    const start = this.#number(index, START);
    const nameTo = this.#number(index, NAME_TO);
    const versionTo = this.#number(index, VERSION_TO);
    const architectureTo = this.#number(index, ARCHITECTURE_TO);
    const descriptionTo = this.#number(index, DESCRIPTION_TO);
    const compressedTo = this.#number(index, COMPRESSED_TO);
    const hash = this.#number(index, HASH_FROM);
    const hashTo = hash + HASH_DIGITS;
    const urlTo = this.#number(index, URL_TO);
    const replaced = this.#number(index, REPLACED);
    this.#loadBlock(start, urlTo);
    return {
      name: this.#text(start + NAME.length, nameTo),
      version: this.#text(nameTo + 1 + VERSION.length, versionTo),
      architecture: this.#text(versionTo + 1 + ARCHITECTURE.length, architectureTo),
      description: unescape(this.#text(architectureTo + 1 + DESCRIPTION.length, descriptionTo)),
      sizeCompressedBytes: Number(this.#text(this.#number(index, COMPRESSED_FROM), compressedTo)),
      sizeInstalledBytes: Number(this.#text(compressedTo + SIZE_INSTALLED.length, this.#number(index, INSTALLED_TO))),
      hash: this.#text(hash, hashTo),
      url: this.#text(hashTo + HASH_END.length + URL_FIELD.length, urlTo),
      entry: this.#entryText(this.#number(index, CUTS), this.#after(index, CUTS, this.#cuts)),
      provides: this.#nameTexts(this.#number(index, PROVIDED), replaced),
      replaces: this.#nameTexts(replaced, this.#after(index, PROVIDED, this.#names)),
    };
  }

  #noteOrder(start: number): void {
    const from = start + NAME.length;
    const to = this.#entries.get(this.#entries.length - NUMBERS + NAME_TO);
    if (!isAbove(this.#bytes, from, to, this.#lastFrom, this.#lastTo)) this.#unordered.push(this.length - 1);
    this.#lastFrom = from;
    this.#lastTo = to;
  }

  #number(index: number, part: number): number {
    return this.#entries.get(index * NUMBERS + part);
  }

  /** Sets a number of the entry that is read. */
  #set(part: number, value: number): void {
    this.#entries.set(this.#entries.length - NUMBERS + part, value);
  }

  /** Where an entry's part of a list ends: where that of the next one begins. */
  #after(index: number, part: number, list: Numbers): number {
    return index + 1 < this.length ? this.#number(index + 1, part) : list.length;
  }

  #nameTexts(from: number, to: number): readonly string[] {
    if (from === to) return NO_NAMES;
    const names: string[] = [];
    for (let at = from; at < to; at += 2) names.push(this.#text(this.#names.get(at), this.#names.get(at + 1)));
    return names;
  }

  #entryText(from: number, to: number): string {
    let text = "";
    for (let at = from; at < to; at += 2) {
      const part = this.#text(this.#cuts.get(at), this.#cuts.get(at + 1));
      text = at > from ? `${text},${part}` : part;
    }
    return `{${text}}`;
  }

  /** Makes text of the bytes from an entry on, unless it is there. */
  #loadBlock(from: number, to: number): void {
    if (from >= this.#blockFrom && to <= this.#blockTo) return;
    // Where characters of several bytes were found, other entries of the neighbourhood may still have none.
    if (from >= this.#mixedTo && this.#decodeBlock(from, Math.max(from + BLOCK_BYTES, to))) return;
    this.#mixedTo = Math.max(this.#mixedTo, from + BLOCK_BYTES);
    this.#decodeBlock(from, to);
  }

  /** @returns false: some characters have several bytes, so that places in the text are not those in the document. */
  #decodeBlock(from: number, to: number): boolean {
    const bytes = this.#bytes.subarray(from, to);
    this.#block = this.#decoder.decode(bytes);
    this.#blockFrom = from;
    const isByBytes = this.#block.length === bytes.length;
    this.#blockTo = isByBytes ? from + bytes.length : from;
    return isByBytes;
  }

  #text(from: number, to: number): string {
    return to <= this.#blockTo && from >= this.#blockFrom
      ? this.#block.slice(from - this.#blockFrom, to - this.#blockFrom)
      : this.#decoder.decode(this.#bytes.subarray(from, to));
  }

  #identity(): boolean {
    if (!this.#field(NAME, NAME_TO) || !isPackageNameAt(this.#bytes, this.#from, this.#to)) return false;
    if (!this.#field(VERSION, VERSION_TO) || !isVersionAt(this.#bytes, this.#from, this.#to)) return false;
    if (!this.#field(ARCHITECTURE, ARCHITECTURE_TO)) return false;
    if (!isArchitectureAt(this.#bytes, this.#from, this.#to)) return false;
    if (!this.#is(DESCRIPTION) || !this.#escapedString()) return false;
    this.#set(DESCRIPTION_TO, this.#to);
    return true;
  }

  #details(): boolean {
    if (!this.#detail(LICENSE) || !this.#detail(HOMEPAGE)) return false;
    if (!this.#relations(DEPENDENCIES) || !this.#relations(OPTIONAL) || !this.#relations(CONFLICTS)) return false;
    if (!this.#relations(PROVIDES, this.#names)) return false;
    this.#set(REPLACED, this.#names.length);
    return this.#relations(REPLACES, this.#names) && this.#sideEffects();
  }

  /** What follows the relations: sizes, hash, URL and build, to the end. */
  #file(): boolean {
    if (!this.#integer(SIZE_COMPRESSED)) return false;
    this.#set(COMPRESSED_FROM, this.#from);
    this.#set(COMPRESSED_TO, this.#at);
    if (!this.#integer(SIZE_INSTALLED)) return false;
    this.#set(INSTALLED_TO, this.#at);
    if (!this.#hash() || !this.#field(URL_FIELD, URL_TO) || this.#from === this.#to) return false;
    const from = this.#at;
    if (this.#is(BUILD)) {
      if (!this.#string() || !this.#is(FARM_ID) || !this.#string() || !this.#is(END)) return false;
      this.#keep(from);
    }
    return this.#is(END);
  }

  #is(literal: Uint8Array): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    for (let at = 0; at < literal.length; at++) if (bytes[start + at] !== literal[at]) return false;
    this.#at = start + literal.length;
    return true;
  }

  /** Reads on to the end of a string whose opening quote was read, or to what it may not hold. */
  #string(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    let seen = 0;
    this.#from = at;
    let code = bytes[at] ?? 0;
    while (ENDS_STRING[code] === 0) {
      seen |= code;
      code = bytes[++at] ?? 0;
    }
    this.#seen |= seen;
    this.#to = at;
    this.#at = code === QUOTE ? at + 1 : at;
    return code === QUOTE;
  }

  /** As `#string()`, with escapes of one letter (F-JSON-06 has no say in them). */
  #escapedString(): boolean {
    const from = this.#at;
    while (!this.#string()) {
      if (this.#bytes[this.#at] !== BACKSLASH || !SHORT_ESCAPES.includes(this.#bytes[this.#at + 1] ?? 0)) return false;
      this.#at += 2;
    }
    this.#from = from;
    return true;
  }

  #field(literal: Uint8Array, part: number): boolean {
    if (!this.#is(literal) || !this.#string()) return false;
    this.#set(part, this.#to);
    return true;
  }

  /** An optional string of the details; an empty one is not stored. */
  #detail(literal: Uint8Array): boolean {
    const from = this.#at;
    if (!this.#is(literal)) return true;
    if (!this.#string()) return false;
    if (this.#from < this.#to) this.#keep(from);
    return true;
  }

  /** Keeps what was read from a comma on; what follows the part before it is kept together with that. */
  #keep(comma: number): void {
    const last = this.#cuts.length - 1;
    if (last > this.#entries.get(this.#entries.length - NUMBERS + CUTS) && this.#cuts.get(last) === comma) {
      this.#cuts.set(last, this.#at);
      return;
    }
    this.#cuts.push(comma + 1);
    this.#cuts.push(this.#at);
  }

  /** @param into Receives where each name begins and ends. */
  #relations(form: RelationForm, into?: Numbers): boolean {
    const start = this.#at;
    if (!this.#is(form.field)) return !form.isRequired;
    const bytes = this.#bytes;
    if (bytes[this.#at] === CLOSE_BRACKET) {
      this.#at++;
      if (form.isRequired) this.#keep(start);
      return true;
    }
    let previousFrom = 0;
    let previousTo = 0;
    for (let count = 1; count <= form.limit; count++) {
      if (!this.#is(NAME) || !this.#string()) return false;
      const from = this.#from;
      const to = this.#to;
      if (!form.isName(bytes, from, to) || !isAbove(bytes, from, to, previousFrom, previousTo)) return false; // F-MAN-02
      if (into !== undefined) {
        into.push(from);
        into.push(to);
      }
      if (bytes[this.#at] === COMMA) {
        if (!this.#is(form.more) || !this.#string()) return false;
        if (!form.isMore(bytes, this.#from, this.#to)) return false;
      }
      if (bytes[this.#at] !== CLOSE_BRACE) return false;
      previousFrom = from;
      previousTo = to;
      const next = bytes[this.#at + 1];
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
    if (!this.#is(SIDE_EFFECT_LIST)) return true;
    if (this.#bytes[this.#at] === CLOSE_BRACKET) {
      this.#at++;
      return true;
    }
    for (const word of SIDE_EFFECT_WORDS) {
      if (!this.#is(word)) continue;
      if (this.#bytes[this.#at] !== COMMA) break;
      this.#at++;
    }
    if (this.#bytes[this.#at - 1] !== QUOTE || this.#bytes[this.#at] !== CLOSE_BRACKET) return false;
    this.#at++;
    this.#keep(start);
    return true;
  }

  /** Digits of a number that is exact; `#from` is set to the first. */
  #integer(literal: Uint8Array): boolean {
    if (!this.#is(literal)) return false;
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    for (;; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
    }
    this.#from = from;
    this.#at = at;
    const digits = at - from;
    return digits === 1 || (digits > 1 && digits <= EXACT_DIGITS && bytes[from] !== ZERO);
  }

  /** R-IDX-06 */
  #hash(): boolean {
    if (!this.#is(HASH)) return false;
    const from = this.#at;
    this.#at += HASH_DIGITS;
    if (!isHexAt(this.#bytes, from, this.#at)) return false;
    this.#set(HASH_FROM, from);
    return this.#is(HASH_END);
  }

  /** F-JSON-02, where there is anything to prove. */
  #isUtf8(start: number): boolean {
    if (this.#seen < 0x80) return true;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes.subarray(start, this.#at));
      return true;
    } catch {
      return false;
    }
  }
}

function unescape(text: string): string {
  return text.includes("\\") ? String(JSON.parse(`"${text}"`)) : text;
}

/** Whether one part of the bytes comes after another. */
function isAbove(bytes: Uint8Array, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  const length = Math.min(to - from, otherTo - otherFrom);
  for (let at = 0; at < length; at++) {
    const difference = (bytes[from + at] ?? 0) - (bytes[otherFrom + at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return to - from > otherTo - otherFrom;
}
