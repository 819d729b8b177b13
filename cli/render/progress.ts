/**
 * The progress line: what it says for each event, cut to the terminal's width, redrawn at most ten times a second and
 * erased before anything else is printed.
 *
 * @see C-PROG-01 to C-PROG-05
 */
import { escapeText } from "../escape.ts";
import { commitText, type Step, stepSubject } from "../listen.ts";
import type { ProgressDisplay } from "../screen.ts";
import type { Terminal } from "../terminal.ts";
import { renderSize } from "./sizes.ts";
import { isPlain } from "./listing.ts";

const REDRAW_MILLISECONDS = 100;
/** Rates are measured over at least this long, so that the first chunk does not promise the impossible. */
const RATE_MILLISECONDS = 500;
const CLEAR_LINE = "\r\x1b[K";

/**
 * The progress line of a step (C-PROG-03).
 *
 * @param rate Bytes per second; `undefined` while it is not known.
 */
export function renderProgress(step: Step, rate: number | undefined): string {
  const parts = [`[${step.step}/${step.steps}] ${escapeText(stepSubject(step))}`];
  const { bytes, bytesTotal } = step;
  if (bytes !== undefined) {
    // C-PROG-05: without a length there is no percentage.
    if (bytesTotal === undefined || bytesTotal === 0) parts.push(renderSize(bytes));
    else {
      parts.push(`${renderSize(bytes)} of ${renderSize(bytesTotal)}`);
      parts.push(`${Math.min(100, Math.floor((bytes / bytesTotal) * 100))}%`);
    }
    if (rate !== undefined) parts.push(`${renderSize(Math.round(rate))}/s`);
  }
  return parts.join("  ");
}

type Cut = (text: string, columns: number) => string;

/** Cuts text of unknown width: what is not ASCII counts as two columns, so that the line never wraps. */
export function cutCarefully(text: string, columns: number): string {
  let cut = "";
  let width = 0;
  for (const character of text) {
    width += isPlain([character]) ? 1 : 2;
    if (width > columns) break;
    cut += character;
  }
  return cut;
}

/** Cutting at once: exact for plain text, and for other text once the library that measures it is loaded. */
function createCut(): Cut {
  let cutWide: Cut | undefined;
  return (text, columns) => {
    if (isPlain([text])) return text.slice(0, columns);
    if (cutWide === undefined) {
      cutWide = cutCarefully;
      void import("./width.ts").then(({ cutToWidth }) => cutWide = cutToWidth);
    }
    return cutWide(text, columns);
  };
}

/**
 * The display on stderr of a terminal.
 *
 * @param monotonic Milliseconds of a clock that never goes back.
 */
export function createProgressDisplay(terminal: Terminal, monotonic: () => number): ProgressDisplay {
  let drawn = "";
  let last = -Infinity;
  let subject = "";
  let transaction: number | undefined;
  let measured = { at: 0, bytes: 0 };
  const cut = createCut();
  const draw = (text: string): void => {
    // One column stays free: a full line would make some terminals wrap.
    drawn = cut(text, Math.max(1, terminal.width() - 1));
    terminal.write("stderr", CLEAR_LINE + drawn);
  };
  const rateOf = (step: Step, now: number): number | undefined => {
    const elapsed = now - measured.at;
    if (step.bytes === undefined || elapsed < RATE_MILLISECONDS) return undefined;
    return ((step.bytes - measured.bytes) * 1000) / elapsed;
  };
  const showStep = (step: Step): void => {
    const now = monotonic();
    const current = `${step.phase} ${step.step} ${step.subject ?? ""}`;
    const isNew = current !== subject;
    if (isNew) measured = { at: now, bytes: step.bytes ?? 0 };
    subject = current;
    if (!isNew && now - last < REDRAW_MILLISECONDS) return;
    if (now - last < REDRAW_MILLISECONDS && drawn !== "") return;
    last = now;
    draw(renderProgress(step, rateOf(step, now)));
  };
  return {
    show(event) {
      // A closed stderr must not stop the work it reports on.
      try {
        if (event.kind === "progress" && event.phase !== "commit" && event.phase !== "finish") showStep(event);
        else if (event.kind === "transaction") transaction = event.id;
        else if (event.kind === "side-effects") draw(`running side effects: ${event.names.map(escapeText).join(", ")}`);
        else if (event.kind === "progress" && event.phase === "commit") draw(commitText(transaction));
      } catch (error) {
        if (!(error instanceof Error && error.name === "ClosedStreamError")) throw error;
      }
    },
    erase() {
      if (drawn === "") return;
      drawn = "";
      try {
        terminal.write("stderr", CLEAR_LINE);
      } catch (error) {
        if (!(error instanceof Error && error.name === "ClosedStreamError")) throw error;
      }
    },
  };
}
