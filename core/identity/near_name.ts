/** What may have been meant by a name that means nothing. */

/**
 * The name closest to a misspelt one; the earlier one on a tie.
 *
 * @param limit Most edits away; when absent two, three for long names.
 * @returns `undefined` when nothing is close.
 */
export function nearestName(
  text: string,
  names: readonly string[],
  limit = text.length > 8 ? 3 : 2,
): string | undefined {
  let best: string | undefined;
  let distance = limit + 1;
  for (const name of names) {
    if (Math.abs(name.length - text.length) >= distance) continue;
    const found = editDistance(text, name);
    if (found < distance) [best, distance] = [name, found];
  }
  return best;
}

/** Levenshtein distance in UTF-16 code units. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The hint that goes with a failure about an unknown name; empty when nothing is close. */
export function nearHint(text: string, names: readonly string[]): { readonly hint?: string } {
  const near = nearestName(text, names);
  return near === undefined ? {} : { hint: `did you mean "${near}"?` };
}
