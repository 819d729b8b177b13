/** Unified diffs of two contents, for `peipkg diff`. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";

/** Edits after which two files count as too different to be compared line by line: the cost grows with their square. */
const MAX_EDITS = 20_000;

export interface DiffSide {
  readonly label: string;
  readonly content: Uint8Array;
}

function textOf(content: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/**
 * Lines of a unified diff, unescaped, without line ends; none when the contents are equal.
 *
 * @returns `undefined` when one of them is no text, or they are too different.
 * @see C-DIFF-01
 */
export function unifiedDiff(before: DiffSide, after: DiffSide): readonly string[] | undefined {
  const [old, next] = [textOf(before.content), textOf(after.content)];
  if (old === undefined || next === undefined) return undefined;
  if (old === next) return [];
  const patch = createTwoFilesPatch(before.label, after.label, old, next, undefined, undefined, {
    context: 3,
    maxEditLength: MAX_EDITS,
    headerOptions: FILE_HEADERS_ONLY,
  });
  return patch?.replace(/\n$/, "").split("\n");
}
