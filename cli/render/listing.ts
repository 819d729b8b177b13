/** Lists and records for people: columns, labelled values, and the raw form for scripts. */
import { hasFlag, UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";

const COLUMN_GAP = "  ";

/**
 * Columns two blanks apart, each as wide as its widest cell; the last one is not padded (C-OUT-11).
 *
 * @param rows Cells, escaped.
 * @param minimums Least width of a column, by position.
 * @param widthOf Columns a cell takes on a terminal; needed only where cells can hold more than ASCII.
 */
export function renderColumns(
  rows: readonly (readonly string[])[],
  minimums: readonly number[] = [],
  widthOf: (cell: string) => number = (cell) => cell.length,
): readonly string[] {
  const widths: number[] = [...minimums];
  for (const row of rows) {
    row.forEach((cell, index) => widths[index] = Math.max(widths[index] ?? 0, widthOf(cell)));
  }
  return rows.map((row) => {
    let line = "";
    row.forEach((cell, index) => {
      line += cell;
      if (index < row.length - 1) line += " ".repeat((widths[index] ?? 0) - widthOf(cell)) + COLUMN_GAP;
    });
    return line.trimEnd();
  });
}

/** Whether each character takes one column, so that nothing has to be loaded to measure them. */
export function isPlain(cells: readonly string[]): boolean {
  return cells.every((cell) => /^[\x20-\x7e]*$/.test(cell));
}

const LABEL_WIDTH = 14;

/**
 * A labelled record (C-INFO-01): a label without values is left out, later values stand under the first.
 *
 * @param fields Label and values, unescaped.
 */
export function renderRecord(
  fields: readonly (readonly [label: string, values: readonly string[]])[],
): readonly string[] {
  return fields.flatMap(([label, values]) =>
    values.filter((value) => value !== "").map((value, index) =>
      (index === 0 ? `${label}:` : "").padEnd(LABEL_WIDTH) + escapeText(value)
    )
  );
}

/** A field with one value or none. */
export function field(label: string, value: string | undefined): readonly [string, readonly string[]] {
  return [label, value === undefined || value === "" ? [] : [value]];
}

/** Whether `-0` was given; it is refused where a person would have to read it (C-ESC-06). */
export function wantsNull({ args, screen }: Invocation): boolean {
  if (!hasFlag(args.options, "null")) return false;
  if (screen.terminal.isTerminal("stdout")) {
    throw new UsageError(args.words, "--null is not for a terminal", { path: args.path });
  }
  return true;
}

/** Prints values one per line, escaped; or raw, each ended by NUL. */
export function printValues(invocation: Invocation, values: readonly string[]): void {
  const { screen } = invocation;
  if (wantsNull(invocation) && !screen.mode.json) {
    if (values.length > 0) screen.raw(values.map((value) => `${value}\0`).join(""));
    return;
  }
  screen.lines(values.map(escapeText));
}
