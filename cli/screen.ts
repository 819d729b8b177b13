/**
 * Everything a command says goes through here, once, in the form the call asked for: text for a person, one document,
 * or a stream of events. Commands hand over data and sentences; whether they are shown, where, and in which form is
 * decided here alone.
 */
import type { ErrorCode, ProgressEvent, Warning, WarningRule } from "../mod.ts";
import type { OutputKind } from "./command.ts";
import { escapeText, renderJson } from "./escape.ts";
import type { Question } from "./prompt.ts";
import { ClosedStreamError, type OutputStream, type Terminal } from "./terminal.ts";

export interface ScreenMode {
  readonly program: string;
  /** Command words typed; empty outside a command. */
  readonly words: string;
  readonly output: OutputKind;
  readonly json: boolean;
  /** Questions are events and answers are lines of JSON (6.4). */
  readonly driven?: boolean;
  readonly quiet: boolean;
  /** 0, 1 or 2. */
  readonly verbose: number;
  /** Whether each stream is coloured (C-COL-01). */
  readonly colour: { readonly stdout: boolean; readonly stderr: boolean };
}

/** Draws and erases the one progress line; absent where none may be drawn (C-PROG-01). */
export interface ProgressDisplay {
  show(event: ProgressEvent): void;
  erase(): void;
}

/** Keeps one write of a listing of long paths at some hundred KiB. */
const LINES_PER_WRITE = 2048;

/** Styles of C-COL-03. */
const STYLES = {
  install: "32",
  reinstall: "32",
  upgrade: "36",
  downgrade: "33",
  remove: "31",
  warning: "33",
  error: "1;31",
  elevated: "1;31",
} as const;

export type Style = keyof typeof STYLES;

/** How a stream that began with `start` ended (C-JSON-10). */
type LastEvent = "done" | "cancelled" | "error";

export class Screen {
  /** The commit instant has passed: from here the changes stand. */
  committed: number | undefined;
  /** Transaction opened by this run, if any. */
  transaction: number | undefined;
  rollingBack = false;
  /** Whether a prompt has been shown and not yet answered; a signal then starts a new line (C-SIG-01). */
  atPrompt = false;

  #start: string | undefined;
  #started = false;
  #ended = false;
  #held: string[] | undefined;
  /** Output failures stop counting once a change is under way (C-OUT-03). */
  #mustGoOn = false;
  #questions = 0;
  readonly #warned = new Set<string>();

  constructor(
    readonly terminal: Terminal,
    readonly mode: ScreenMode,
    private readonly signal: AbortSignal,
    private readonly progress?: ProgressDisplay,
  ) {}

  /** Whether text for people is wanted. */
  get isHuman(): boolean {
    return !this.mode.json || this.mode.output === "text";
  }

  get isEvents(): boolean {
    return this.mode.json && this.mode.output === "events";
  }

  /** Asked-for data: one line on stdout. Foreign parts are escaped by the caller, who knows which they are. */
  line(text: string): void {
    if (this.isHuman) this.#write("stdout", `${text.trimEnd()}\n`);
  }

  /** As `line()` for many: written together, since a listing of thousands is mostly the price of its writes. */
  lines(texts: readonly string[]): void {
    if (!this.isHuman) return;
    for (let start = 0; start < texts.length; start += LINES_PER_WRITE) {
      const part = texts.slice(start, start + LINES_PER_WRITE);
      this.#write("stdout", part.map((text) => `${text.trimEnd()}\n`).join(""));
    }
  }

  /** Informational line on stdout, dropped by `-q` (5.2). */
  info(text: string): void {
    if (!this.mode.quiet) this.line(text);
  }

  /** A line on stderr, shown to people whatever the verbosity. */
  aside(text: string): void {
    if (this.isHuman) this.#write("stderr", `${text.trimEnd()}\n`);
  }

  /** Output that must not be touched: NUL-ended values, documents of another format. */
  raw(text: string): void {
    this.#write("stdout", text);
  }

  /** As `raw()`, for bytes. */
  rawBytes(bytes: Uint8Array): void {
    this.#guard("stdout", () => this.terminal.writeBytes("stdout", bytes));
  }

  /** Narration for `-v`: a line on stderr, or an event. `text` is escaped here. */
  narrate(text: string): void {
    if (this.mode.verbose === 0) return;
    if (this.isEvents) this.event("message", { text });
    else if (this.isHuman) this.aside(`${this.mode.program}: ${escapeText(text)}`);
  }

  /** Why nothing seems to happen, whatever the verbosity: a line on stderr, or an event. `text` is escaped here. */
  notice(text: string): void {
    if (this.isEvents) this.event("message", { text });
    else this.aside(`${this.mode.program}: ${escapeText(text)}`);
  }

  /** A warning, once (C-ERR-04). */
  warn(rule: WarningRule, code: string, text: string): void {
    const key = `${rule} ${text}`;
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    if (this.isHuman) {
      const label = this.style("stderr", "warning", "warning:");
      this.aside(`${this.mode.program}: ${label} ${escapeText(text)}`);
    } else if (this.isEvents) {
      this.event("warning", { code, text });
    } else {
      this.#write("stderr", `${renderJson({ warning: { code, message: text } }, 0)}\n`);
    }
  }

  /** The one document of a reading command (C-JSON-03). Nothing is printed when text was asked for. */
  document(value: unknown): void {
    if (this.mode.json && this.mode.output === "document") this.#write("stdout", `${renderJson(value, 2)}\n`);
  }

  // --- Events ------------------------------------------------------------------------------------------------

  /** Keeps events back until `begin()`: the first one needs what planning finds out (`undoes`). */
  hold(): void {
    this.#held ??= [];
  }

  /**
   * Prepares the `start` event, which is written together with whatever comes next: a call that turns out to be
   * wrong leaves stdout empty (C-JSON-08).
   */
  begin(fields: Readonly<Record<string, unknown>>): void {
    if (!this.isEvents || this.#start !== undefined) return;
    this.#start = `${renderJson({ event: "start", ...fields }, 0)}\n`;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const line of held) this.#writeEvent(line);
  }

  #writeEvent(line: string): void {
    if (!this.#started) this.#write("stdout", this.#start ?? "");
    this.#started = true;
    this.#write("stdout", line);
  }

  /** One event (C-JSON-05). Ignored unless the stream was asked for, and after its last event. */
  event(name: string, fields: Readonly<Record<string, unknown>>): void {
    if (!this.isEvents || this.#ended) return;
    const line = `${renderJson({ event: name, ...fields }, 0)}\n`;
    if (this.#held === undefined) this.#writeEvent(line);
    else this.#held.push(line);
  }

  /** The last event; a second one is dropped (C-JSON-10). */
  end(name: LastEvent, fields: Readonly<Record<string, unknown>>): void {
    this.event(name, fields);
    this.#ended = true;
  }

  /** Whether a stream was begun and has not had its last event. */
  get isOpen(): boolean {
    return this.isEvents && this.#start !== undefined && !this.#ended;
  }

  /** Whether anything of the stream has been written. */
  get hasStarted(): boolean {
    return this.#started;
  }

  // --- Questions ---------------------------------------------------------------------------------------------

  /** Where a question goes: with the plan, unless stdout is not seen or not for people. */
  get #promptStream(): OutputStream {
    if (this.mode.json) return "stderr";
    return !this.terminal.isTerminal("stdout") && this.terminal.isTerminal("stdin") ? "stderr" : "stdout";
  }

  /** Whether an elevated question can be asked (C-AUTH-03, C-JSON-07). */
  get canAskElevated(): boolean {
    if (this.mode.driven === true) return true;
    return this.terminal.isTerminal("stdin") && this.terminal.isTerminal(this.#promptStream);
  }

  /**
   * Asks and waits for one line.
   *
   * @param freshOnly For elevated questions: what was typed before is thrown away.
   * @throws The signal's reason.
   */
  async ask(question: Question, freshOnly = false): Promise<string | undefined> {
    if (this.mode.driven === true) return await this.#askDriver(question);
    const stream = this.#promptStream;
    // Before the question is shown: an answer given at once to what is on the screen counts.
    if (freshOnly) await this.terminal.discardTyped();
    for (const line of question.before) this.#write(stream, `${line}\n`);
    this.#write(stream, question.prompt);
    this.atPrompt = true;
    const answer = await this.terminal.readLine(this.signal);
    this.atPrompt = false;
    if (!this.terminal.isTerminal("stdin")) this.#write(stream, "\n");
    return answer;
  }

  /**
   * Asks the driving program. A wrong id, an unknown answer, an unreadable line and the end of input refuse
   * (C-DRV-02); so does an elevated yes without the fresh token of its question (C-DRV-03).
   */
  async #askDriver({ driven: { kind, fields, answers } }: Question): Promise<string | undefined> {
    const id = ++this.#questions;
    const token = kind === "authorise" ? freshToken() : undefined;
    this.event("question", { id, kind, ...fields, token });
    const line = await this.terminal.readLine(this.signal);
    const answer = readAnswer(line);
    const isKnown = answer !== undefined && answer.id === id && answers.includes(answer.answer);
    if (isKnown && (token === undefined || answer.token === token)) return answer.answer;
    const why = line === undefined ? "input ended" : isKnown ? "it does not repeat the token" : "it is not understood";
    this.warn("W_ANSWER_REFUSED", "answer-refused", `the answer to question ${id} is a refusal: ${why}`);
    return undefined;
  }

  /** The questions are over: from here a closed stdout no longer stops anything (C-OUT-03). */
  passPrompts(): void {
    this.#mustGoOn = true;
  }

  // --- Appearance --------------------------------------------------------------------------------------------

  /** `text` in a colour where the stream has them; the bytes without the SGR sequences are the same (C-COL-02). */
  style(stream: OutputStream, style: Style, text: string): string {
    return this.mode.colour[stream] ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  /** Shows what can be drawn of an event on the progress line. */
  draw(event: ProgressEvent): void {
    this.progress?.show(event);
  }

  /** Removes the progress line for good. */
  erase(): void {
    this.progress?.erase();
  }

  /** Ends a line a question began. */
  breakPrompt(): void {
    if (this.atPrompt) this.#write(this.#promptStream, "\n");
    this.atPrompt = false;
  }

  #write(stream: OutputStream, text: string): void {
    this.progress?.erase();
    this.#guard(stream, () => this.terminal.write(stream, text));
  }

  #guard(stream: OutputStream, write: () => void): void {
    try {
      write();
    } catch (error) {
      // Nobody listens on stderr: there is no one to tell, and nothing depends on it.
      if (error instanceof ClosedStreamError && (stream === "stderr" || this.#mustGoOn)) return;
      throw error;
    }
  }
}

const TOKEN_BYTES = 16;

/** Hexadecimal digits nobody could have prepared (C-DRV-03). */
function freshToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One answer object; `undefined` for anything else. */
function readAnswer(
  line: string | undefined,
): { readonly id: unknown; readonly answer: string; readonly token: unknown } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line ?? "");
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("id" in value) || !("answer" in value)) return undefined;
  if (typeof value.answer !== "string") return undefined;
  return { id: value.id, answer: value.answer, token: "token" in value ? value.token : undefined };
}

/** Prints warnings that came as data. */
export function showWarnings(
  screen: Screen,
  warnings: readonly Warning[],
  codes: Readonly<Record<WarningRule, string>>,
): void {
  for (const { rule, text } of warnings) screen.warn(rule, codes[rule], text);
}

/** Code and rule as `-v` and `-vv` show them after an error's sentence (C-ERR-06, C-ERR-08). */
export function codeTail(verbose: number, code: ErrorCode, rule: string | undefined): string {
  if (verbose === 0) return "";
  return verbose > 1 && rule !== undefined ? ` [${code}: ${rule}]` : ` [${code}]`;
}
