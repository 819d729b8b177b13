/** How many columns of a terminal text takes, and cutting it to them. Loaded only where text is not plain ASCII. */
import stringWidth from "string-width";

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Columns of escaped text: East Asian characters take two, marks that combine none. */
export function displayWidth(text: string): number {
  return stringWidth(text);
}

/** Cuts text to a number of columns without halving a character. */
export function cutToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let cut = "";
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    width += displayWidth(segment);
    if (width > columns) break;
    cut += segment;
  }
  return cut;
}
