/**
 * Arguments to words: options are known, their values have the right form, operands have the right number. What a
 * word means (a package name, a version) is for the command; this file knows no packages. Every fault is a
 * `UsageError` with what a person needs to correct the call: one line, a near spelling, the usage lines.
 */
import type { ErrorRule } from "../mod.ts";
import { type CommandSpec, findCommand, type OptionSpec, type OptionValues, type Program } from "./command.ts";

/** The options every command takes, as typed. Absent members were not given. */
export interface GlobalOptions {
  readonly root?: string;
  readonly configDirectory?: string;
  readonly stateDirectory?: string;
  readonly cacheDirectory?: string;
  /** `KEY=VALUE` pairs, in order. */
  readonly settings: readonly (readonly [key: string, value: string])[];
  readonly json: boolean;
  readonly quiet: boolean;
  /** 0, 1 or 2. */
  readonly verbose: number;
  readonly color?: string;
  readonly noProgress: boolean;
  /** Nothing is fetched over a network. */
  readonly offline: boolean;
  /** A program supplies the answers (6.4). */
  readonly driven: boolean;
  /** Seconds. */
  readonly lockWait?: number;
}

export interface ParsedArguments {
  readonly kind: "command" | "help" | "version";
  /** Path of the command in its own names; empty for the program itself. */
  readonly path: readonly string[];
  readonly command: CommandSpec | undefined;
  /** The words typed: an alias keeps its own name (C-ERR-05). */
  readonly words: string;
  readonly globals: GlobalOptions;
  readonly options: OptionValues;
  readonly operands: readonly string[];
}

/** A call that cannot be understood. Nothing was read or changed; the exit status is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /**
   * @param words Command words as far as they were understood; empty before one was.
   * @param message Unescaped, like every message: it is made safe where it is printed.
   * @param extra `suggestion`: what may have been meant. `near`: a word that means nothing, and those it may be a
   * misspelling of (C-GEN-07). `path`: whose usage lines help; absent: none are shown.
   */
  constructor(
    readonly words: string,
    message: string,
    readonly extra: {
      readonly code?: "usage" | "confirmation-required";
      readonly suggestion?: string;
      readonly near?: { readonly word: string; readonly among: readonly string[] };
      readonly hint?: string;
      readonly lines?: readonly string[];
      readonly path?: readonly string[];
      readonly rule?: ErrorRule;
    } = {},
  ) {
    super(message);
  }
}

/** Words of other systems and what they are called here (section 14.1 of the command-line specification). */
const FOREIGN_WORDS: ReadonlyMap<string, string> = new Map([
  ["add", "install"],
  ["delete", "remove"],
  ["deinstall", "remove"],
  ["erase", "remove"],
  ["purge", "remove"],
  ["update", "refresh"],
  ["which", "owns"],
  ["provides", "owns"],
  ["rwhich", "owns --available"],
  ["rollback", "undo"],
  ["revert", "undo"],
  ["log", "history"],
  ["pin", "lock"],
  ["hold", "lock"],
  ["unhold", "unlock"],
  ["set", "mark"],
  ["create", "peipkg-build"],
  ["depends", "why"],
  ["rdepends", "why"],
  ["outdated", "upgrade --dry-run"],
  ["version", "upgrade --dry-run"],
  ["dist-upgrade", "upgrade"],
  ["full-upgrade", "upgrade"],
  ["repositories", "repo list"],
]);

const quote = (word: string): string => `"${word}"`;

/** What an unknown command may have been: a word of another system, or a misspelling. */
function meantCommand(program: Program, word: string): Pick<UsageError["extra"], "suggestion" | "near"> {
  const foreign = program.name === "peipkg" ? FOREIGN_WORDS.get(word) : undefined;
  // Only what this build has is suggested; the first word of the suggestion is a command of the table, or a program.
  if (foreign !== undefined) {
    const first = foreign.split(" ")[0] ?? "";
    if (first.startsWith("peipkg-") || findCommand(program, [first]) !== undefined) return { suggestion: foreign };
  }
  const visible = program.commands.filter((command) => command.hidden !== true);
  return { near: { word, among: visible.flatMap((command) => [command.name, ...(command.aliases ?? [])]) } };
}

/** Parsing state: what is known so far. Lives for one call of `parseArguments()`. */
interface State {
  readonly program: Program;
  path: readonly string[];
  typed: readonly string[];
  command: CommandSpec | undefined;
  readonly operands: string[];
  readonly values: Map<string, true | number | string | string[]>;
  readonly globals: Map<string, true | number | string | string[]>;
  helpAt: readonly string[] | undefined;
}

const fault = (state: State, message: string, extra: UsageError["extra"] = {}): UsageError =>
  new UsageError(state.typed.join(" "), message, { path: state.path, ...extra });

function findOption(
  state: State,
  matches: (option: OptionSpec) => boolean,
): { option: OptionSpec; own: boolean } | undefined {
  const own = state.command?.options.find(matches);
  if (own !== undefined) return { option: own, own: true };
  const global = state.program.globals.find(matches);
  return global === undefined ? undefined : { option: global, own: false };
}

function unknownOption(state: State, shown: string): UsageError {
  const among = [...(state.command?.options ?? []), ...state.program.globals].map((option) => `--${option.name}`);
  const word = shown.startsWith("--") ? shown : `-${shown}`;
  return fault(state, `unknown option ${quote(shown)}`, { near: { word, among } });
}

/** Checks the form of a value (C-GEN-05) and gives the number of a numeric one. */
function checkValue(state: State, option: OptionSpec, text: string): string | number {
  const spec = option.value;
  if (spec === undefined) return text;
  if (spec.kind === "number") {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec;
    if (value === undefined || value < min || value > max) {
      const range = spec.max === undefined ? (min > 0 ? `, ${min} or more` : "") : ` from ${min} to ${max}`;
      throw fault(state, `option --${option.name} needs a plain decimal number${range}, not ${quote(text)}`);
    }
    return value;
  }
  if (spec.kind === "choice" && spec.choices?.includes(text) !== true) {
    const { choices = [] } = spec;
    throw fault(state, `option --${option.name} needs one of ${choices.join(", ")}, not ${quote(text)}`, {
      near: { word: text, among: choices },
    });
  }
  return text;
}

function recordOption(state: State, found: { option: OptionSpec; own: boolean }, text: string | undefined): void {
  const { option, own } = found;
  const values = own ? state.values : state.globals;
  if (option.value === undefined) {
    const before = values.get(option.name);
    const count = before === undefined ? 0 : before === true ? 1 : Number(before);
    values.set(option.name, option.repeatable === true ? count + 1 : true);
    // Help is for the command it follows (C-GLOB-11), so the place is remembered.
    if (!own && option.name === "help") state.helpAt ??= state.path;
    return;
  }
  const value = checkValue(state, option, text ?? "");
  if (option.repeatable !== true) {
    values.set(option.name, value); // C-GEN-04: the last value counts
    return;
  }
  const list = values.get(option.name);
  if (Array.isArray(list)) list.push(String(value));
  else values.set(option.name, [String(value)]);
}

/** Reads one long option; returns how many further arguments it took. */
function readLong(state: State, argument: string, next: string | undefined): 0 | 1 {
  const equals = argument.indexOf("=");
  const name = argument.slice(2, equals < 0 ? undefined : equals);
  const found = findOption(state, (option) => option.name === name);
  if (found === undefined) throw unknownOption(state, `--${name}`);
  if (found.option.value === undefined) {
    if (equals >= 0) throw fault(state, `option --${name} takes no value`);
    recordOption(state, found, undefined);
    return 0;
  }
  if (equals >= 0) {
    recordOption(state, found, argument.slice(equals + 1));
    return 0;
  }
  if (next === undefined) throw fault(state, `option --${name} needs a value`);
  recordOption(state, found, next);
  return 1;
}

/** Reads a bundle of short options: flags, the last of which may take a value, attached or following (C-GEN-03). */
function readShort(state: State, argument: string, next: string | undefined): 0 | 1 {
  const letters = [...argument.slice(1)];
  for (const [index, letter] of letters.entries()) {
    const found = findOption(state, (option) => option.short === letter);
    if (found === undefined) throw unknownOption(state, argument);
    if (found.option.value === undefined) {
      recordOption(state, found, undefined);
      continue;
    }
    const attached = letters.slice(index + 1).join("");
    if (attached !== "") {
      recordOption(state, found, attached);
      return 0;
    }
    if (next === undefined) throw fault(state, `option -${letter} needs a value`);
    recordOption(state, found, next);
    return 1;
  }
  return 0;
}

/** Takes a word that is not an option: the command, its subcommand, or an operand. */
function readWord(state: State, word: string): void {
  const level = state.command === undefined ? state.program.commands : state.command.subcommands;
  // Once an operand was read no further word can be a subcommand.
  if (level === undefined || level.length === 0 || state.operands.length > 0) {
    state.operands.push(word);
    return;
  }
  const found = level.find((command) => command.name === word || command.aliases?.includes(word));
  if (found === undefined && state.command?.load !== undefined) {
    state.operands.push(word);
    return;
  }
  if (found === undefined) {
    const inside = state.command !== undefined;
    const message = `unknown ${inside ? "subcommand" : "command"} ${quote(word)}`;
    const meant = inside
      ? { near: { word, among: level.map((command) => command.name) } }
      : meantCommand(state.program, word);
    // A command that does not exist has no usage lines, and the program's would hide the suggestion (C-GEN-07).
    throw inside ? fault(state, message, meant) : new UsageError("", message, meant);
  }
  state.command = found;
  state.path = [...state.path, found.name];
  state.typed = [...state.typed, word];
}

function readAll(state: State, argv: readonly string[]): void {
  let optionsEnded = false;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (optionsEnded || argument === "-" || !argument.startsWith("-")) readWord(state, argument);
    else if (argument === "--") optionsEnded = true;
    else if (argument.startsWith("--")) i += readLong(state, argument, argv[i + 1]);
    else i += readShort(state, argument, argv[i + 1]);
  }
}

function checkExclusions(state: State): void {
  for (
    const [options, values] of [
      [state.program.globals, state.globals],
      [state.command?.options ?? [], state.values],
    ] as const
  ) {
    for (const option of options) {
      if (!values.has(option.name)) continue;
      const other = option.excludes?.find((name) => values.has(name));
      if (other === undefined) continue;
      const rule = option.exclusionRule;
      throw fault(
        state,
        `--${option.name} and --${other} exclude each other`,
        rule === undefined ? {} : { rule },
      );
    }
  }
}

/** C-GEN-11: repeated operands are one. Only those that share a place in the synopsis can be repeats. */
function foldOperands(command: CommandSpec, operands: readonly string[]): readonly string[] {
  if (command.hidden === true) return operands;
  const fixed = Math.max(0, command.operands.length - 1);
  return [...operands.slice(0, fixed), ...new Set(operands.slice(fixed))];
}

function checkOperands(state: State, command: CommandSpec, operands: readonly string[]): void {
  const least = command.operands.filter((operand) => operand.optional !== true).length;
  const most = command.operands.at(-1)?.repeatable === true ? Infinity : command.operands.length;
  if (operands.length >= least && operands.length <= most) {
    for (const [index, operand] of operands.entries()) {
      const spec = command.operands[Math.min(index, command.operands.length - 1)];
      if (spec?.choices !== undefined && !spec.choices.includes(operand)) {
        throw fault(state, `${spec.label} must be one of ${spec.choices.join(", ")}, not ${quote(operand)}`, {
          near: { word: operand, among: spec.choices },
        });
      }
    }
    return;
  }
  if (command.requirement !== undefined) throw fault(state, command.requirement);
  throw fault(state, `unexpected operand ${quote(operands[most === Infinity ? 0 : most] ?? "")}`);
}

function readSettings(state: State): GlobalOptions["settings"] {
  const pairs = state.globals.get("option");
  if (!Array.isArray(pairs)) return Object.freeze([]);
  return Object.freeze(pairs.map((pair) => {
    const equals = pair.indexOf("=");
    if (equals < 1) throw fault(state, `option --option needs KEY=VALUE, not ${quote(pair)}`);
    return Object.freeze([pair.slice(0, equals), pair.slice(equals + 1)] as const);
  }));
}

function globalOptions(state: State): GlobalOptions {
  const text = (name: string): string | undefined => {
    const value = state.globals.get(name);
    return typeof value === "string" ? value : undefined;
  };
  const root = text("root");
  const configDirectory = text("config-dir");
  const stateDirectory = text("state-dir");
  const cacheDirectory = text("cache-dir");
  const color = text("color");
  const lockWait = state.globals.get("lock-wait");
  return Object.freeze({
    ...(root === undefined ? {} : { root }),
    ...(configDirectory === undefined ? {} : { configDirectory }),
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
    ...(cacheDirectory === undefined ? {} : { cacheDirectory }),
    settings: readSettings(state),
    json: state.globals.has("json") || state.globals.has("driven"),
    quiet: state.globals.has("quiet"),
    verbose: Math.min(2, Number(state.globals.get("verbose") ?? 0)),
    ...(color === undefined ? {} : { color }),
    noProgress: state.globals.has("no-progress"),
    offline: state.globals.has("offline"),
    driven: state.globals.has("driven"),
    ...(typeof lockWait === "number" ? { lockWait } : {}),
  });
}

function missingCommand(state: State): UsageError {
  const { command } = state;
  if (command !== undefined) {
    const names = (command.subcommands ?? []).map((subcommand) => subcommand.name).join(", ");
    return fault(state, `a subcommand is required (${names})`);
  }
  // 14.1: `-vv` alone is how another system shows its configuration.
  const suggestion = state.globals.get("verbose") === 2 && findCommand(state.program, ["config"])
    ? "config"
    : undefined;
  return fault(state, "a command is required", suggestion === undefined ? {} : { suggestion });
}

/**
 * Reads the arguments of a program.
 *
 * @returns A frozen record; `kind` is `help` or `version` when one was asked for, and then nothing else was checked.
 * @throws {UsageError}
 * @see C-GEN-01 to C-GEN-07, C-GEN-11
 */
export function parseArguments(program: Program, argv: readonly string[]): ParsedArguments {
  const state: State = {
    program,
    path: [],
    typed: [],
    command: undefined,
    operands: [],
    values: new Map(),
    globals: new Map(),
    helpAt: undefined,
  };
  readAll(state, argv);
  checkExclusions(state);
  const globals = globalOptions(state);
  const common = { globals, options: Object.freeze(Object.fromEntries(state.values)), words: state.typed.join(" ") };
  if (state.helpAt !== undefined) {
    const command = findCommand(program, state.helpAt);
    return Object.freeze({ ...common, kind: "help", path: state.helpAt, command, operands: Object.freeze([]) });
  }
  const { command } = state;
  if (state.globals.has("version")) {
    return Object.freeze({ ...common, kind: "version", path: state.path, command, operands: Object.freeze([]) });
  }
  if (command?.load === undefined) throw missingCommand(state);
  const operands = Object.freeze(foldOperands(command, state.operands));
  checkOperands(state, command, operands);
  return Object.freeze({ ...common, kind: "command", path: Object.freeze([...state.path]), command, operands });
}

/** Whether a flag was given. */
export function hasFlag(options: OptionValues, name: string): boolean {
  return options[name] !== undefined;
}

/** The text of an option with one value. */
export function optionText(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** The number of an option with one numeric value. */
export function optionNumber(options: OptionValues, name: string): number | undefined {
  const value = options[name];
  return typeof value === "number" ? value : undefined;
}

/** All values of a repeatable option, in order. */
export function optionList(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value : [];
}
