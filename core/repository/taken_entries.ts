/** Takes the entries out of an index that are read without reading it as JSON. */
import { cutOut, endOfElement, firstElement, isText, nextElement, OPEN_BRACE } from "./index_elements.ts";
import { PlainEntries } from "./plain_entry.ts";

const NULL = new TextEncoder().encode("null");

/** A document whose plain entries were taken out. */
export interface TakenEntries {
  readonly entries: PlainEntries;
  /** The document with a `null` for each run of plain entries. */
  readonly rest: Uint8Array;
  /** How many entries each of these stands for, by its position among the elements of `rest`. */
  readonly runs: ReadonlyMap<number, number>;
}

/**
 * Takes the plain entries out of an index.
 *
 * @returns `undefined`: the document is not written as expected.
 */
export function takePlainEntries(bytes: Uint8Array): TakenEntries | undefined {
  const entries = new PlainEntries(bytes);
  const cuts: { from: number; to: number }[] = [];
  const runs = new Map<number, number>();
  let run = 0;
  let elements = 0;
  for (let at = firstElement(bytes); at !== undefined;) {
    const cut = cuts.at(-1);
    if (entries.read(at)) {
      if (run > 0 && cut !== undefined) cut.to = entries.end;
      else cuts.push({ from: at, to: entries.end });
      if (run === 0) elements++;
      runs.set(elements - 1, ++run);
      at = nextElement(bytes, entries.end);
      continue;
    }
    run = 0;
    elements++;
    // Elements other than objects stand for known entries (see `known_entries.ts`), or are wrong.
    if (bytes[at] === OPEN_BRACE) at = nextElement(bytes, endOfElement(bytes, at));
    else if (isText(bytes, at, at + NULL.length, NULL)) at = nextElement(bytes, at + NULL.length);
    else break;
  }
  return cuts.length === 0 ? undefined : { entries, rest: cutOut(bytes, cuts, "null"), runs };
}
