/**
 * What an index has in common with the one it replaces, so that reading it costs what changed and not its size.
 *
 * 1. Only bytes that stand in an index that was read strictly before are left out, as whole elements from the first
 *    byte to the last, and each run of them leaves a `null` behind (see `index_elements.ts`).
 * 2. The first and the last element of a run stay, so that order is checked against them.
 * 3. The rows of what is left out stay as they were made. Elements that are read by settings too are not left out; a
 *    release that stores something else of an entry drops the catalogues by a migration.
 */
import { isPackageName } from "../identity/package_name.ts";
import { compareBytes } from "../identity/safe_path.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  cutOut,
  endOfElement,
  firstElement,
  isText,
  nextElement,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  type Range,
} from "./index_elements.ts";

/** An index without what is known of it. */
export interface ShortenedIndex {
  readonly bytes: Uint8Array;
  /** Positions among the remaining elements of each `null` that stands for known ones; its neighbours are known too. */
  readonly leftOut: ReadonlySet<number>;
  /** Names of elements of the known index that were changed or are gone. */
  readonly formerNames: readonly string[];
}

/** Elements at the front of two arrays that are the same. */
interface Run {
  readonly count: number;
  /** Bytes of all of them. */
  readonly bytes: number;
  /** Where the first one ends and the last one begins, from the start of the run. */
  readonly firstEnd: number;
  readonly lastStart: number;
}

/** Shorter runs are read like the rest; what it costs to leave them out would gain nothing. */
const MIN_ELEMENTS = 8;
/** An index of which more than this part is new is cheaper to read and to store as a whole. */
const MAX_CHANGED_PART = 1 / 4;
/** How elements begin that producers write (R-PROD-02). */
const NAME_START = new TextEncoder().encode('{"name":"');
/** Longest name and the quote after it. */
const NAME_BYTES = 65;

const LETTER_U = 0x75;

const CLAIMS = new TextEncoder().encode("claims");
const ALTERNATE_UPGRADE = new TextEncoder().encode("alternate_upgrade");

/**
 * Leaves out of an active index what another one has byte for byte.
 *
 * @param known An index that was read strictly, and whose every entry is stored.
 * @returns `undefined` when nothing worth the trouble is the same, or the documents are not written as expected.
 */
export function leaveOutKnown(bytes: Uint8Array, known: Uint8Array): ShortenedIndex | undefined {
  const cuts: Range[] = [];
  const leftOut = new Set<number>();
  const formerNames: string[] = [];
  let changedBytes = 0;
  let kept = 0;
  let at = firstElement(bytes);
  let from = firstElement(known);
  while (at !== undefined && from !== undefined) {
    const run = commonRun(bytes, at, known, from);
    if (run.count >= MIN_ELEMENTS) {
      cuts.push({ from: at + run.firstEnd, to: at + run.lastStart });
      leftOut.add(kept + 1);
      kept += 3;
    } else {
      kept += run.count;
    }
    if (run.count > 0) {
      at = nextElement(bytes, at + run.bytes);
      from = nextElement(known, from + run.bytes);
      if (at === undefined || from === undefined) break;
    }
    const name = nameOf(bytes, at);
    const formerName = nameOf(known, from);
    if (name === undefined || formerName === undefined) return undefined;
    const order = compareBytes(name, formerName);
    if (order <= 0) {
      const end = endOfElement(bytes, at);
      changedBytes += end - at;
      kept++;
      at = nextElement(bytes, end);
    }
    if (order >= 0) {
      const end = endOfElement(known, from);
      changedBytes += end - from;
      formerNames.push(formerName);
      from = nextElement(known, end);
    }
    if (changedBytes > MAX_CHANGED_PART * known.length) return undefined;
  }
  while (from !== undefined) { // these are gone
    const formerName = nameOf(known, from);
    if (formerName === undefined) return undefined;
    formerNames.push(formerName);
    from = nextElement(known, endOfElement(known, from));
  }
  return cuts.length === 0 ? undefined : { bytes: cutOut(bytes, cuts, ",null,"), leftOut, formerNames };
}

/**
 * Whole elements that are the same in both, up to one that is not, or that is not read by its text alone. The known
 * ones are valid, so that equal bytes need no other care than where they end.
 */
function commonRun(bytes: Uint8Array, start: number, known: Uint8Array, knownStart: number): Run {
  const distance = knownStart - start;
  let run: Run = { count: 0, bytes: 0, firstEnd: 0, lastStart: 0 };
  let elementStart = start;
  let depth = 0;
  for (let at = start;; at++) {
    const code = known[at + distance];
    if (bytes[at] !== code || code === undefined) return run;
    if (code === QUOTE) {
      const end = endOfCommonString(bytes, at + 1, known, distance);
      if (end === undefined) return run;
      at = end;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (depth++ === 0) elementStart = at;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      if (--depth < 0) return run;
      if (depth > 0) continue;
      const length = at + 1 - start;
      const firstEnd = run.count === 0 ? length : run.firstEnd;
      run = { count: run.count + 1, bytes: length, firstEnd, lastStart: elementStart - start };
    }
  }
}

/** Place of the closing quote; `undefined`: the strings differ, or may name a field that is read by the profile. */
function endOfCommonString(
  bytes: Uint8Array,
  start: number,
  known: Uint8Array,
  distance: number,
): number | undefined {
  for (let at = start;; at++) {
    const code = known[at + distance];
    if (bytes[at] !== code || code === undefined) return undefined;
    if (code === QUOTE) return isReadByProfile(bytes, start, at) ? undefined : at;
    if (code === BACKSLASH) {
      const letter = known[++at + distance];
      if (bytes[at] !== letter || letter === LETTER_U) return undefined;
    }
  }
}

/** Fields that are read by the layout profile and not by their text alone (F-CLM-05, F-LATE-07). */
function isReadByProfile(bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  return (length === CLAIMS.length && isText(bytes, from, to, CLAIMS)) ||
    (length === ALTERNATE_UPGRADE.length && isText(bytes, from, to, ALTERNATE_UPGRADE));
}

/** The name an element begins with. */
function nameOf(bytes: Uint8Array, start: number): string | undefined {
  const from = start + NAME_START.length;
  if (!isText(bytes, start, from, NAME_START)) return undefined;
  const quote = bytes.subarray(from, from + NAME_BYTES).indexOf(QUOTE);
  const name = String.fromCharCode(...bytes.subarray(from, from + Math.max(quote, 0)));
  return isPackageName(name) ? name : undefined; // it has no escapes then
}
