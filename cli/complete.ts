/**
 * What could stand at a place of a command line: from the command table alone, or from the installation where a word
 * names something in it. Never asks, never touches the network or the lock; what fails is simply not offered.
 *
 * @see C-COMP-02, C-COMP-03
 */
import { type CommandSpec, type OptionSpec, type Program, type WordKind } from "./command.ts";
import { needsEscape } from "./escape.ts";

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** Where names come from; each list may be empty. */
export interface NameSource {
  installed(): readonly Candidate[];
  /** @param prefix What was typed so far. */
  available(prefix: string): readonly Candidate[];
  versions(name: string): readonly Candidate[];
  repositories(): readonly Candidate[];
  roles(): readonly Candidate[];
  keys(): readonly Candidate[];
  /** @param prefix Path typed so far. @param suffix Files without it are left out; directories always stay. */
  paths(prefix: string, suffix: string, directoriesOnly: boolean): readonly Candidate[];
}

/** What is at the place to complete. */
export interface CompletionPlace {
  /** Options naming the installation that were typed before, by long name. */
  readonly globals: ReadonlyMap<string, string>;
  /** Candidates, given where names come from. */
  readonly candidates: (names: NameSource) => readonly Candidate[];
}

interface State {
  path: readonly string[];
  command: CommandSpec | undefined;
  readonly operands: string[];
  readonly globals: Map<string, string>;
  /** An option whose value comes next. */
  waiting: OptionSpec | undefined;
  optionsEnded: boolean;
}

const plain = (value: string, description = ""): Candidate => ({ value, description });

/** bash cuts words at `=`; the pieces of `--name=value` are put together again. */
function joinPieces(words: readonly string[], index: number): { readonly words: string[]; readonly index: number } {
  const joined: string[] = [];
  let at = index;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const last = joined.at(-1);
    if (word === "=" && last?.startsWith("--") === true && !last.includes("=")) {
      const value = words[i + 1] ?? "";
      joined[joined.length - 1] = `${last}=${i + 1 < words.length ? value : ""}`;
      if (index >= i) at -= Math.min(index - i + 1, 2);
      i += 1;
    } else joined.push(word);
  }
  return { words: joined, index: Math.max(0, Math.min(at, joined.length - 1)) };
}

function findOption(program: Program, state: State, matches: (option: OptionSpec) => boolean): OptionSpec | undefined {
  return state.command?.options.find(matches) ?? program.globals.find(matches);
}

function readOption(program: Program, state: State, word: string): void {
  const equals = word.indexOf("=");
  if (word.startsWith("--")) {
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const option = findOption(program, state, (candidate) => candidate.name === name);
    if (option?.value === undefined) return;
    if (equals < 0) state.waiting = option;
    else state.globals.set(name, word.slice(equals + 1));
    return;
  }
  const letters = [...word.slice(1)];
  for (const [position, letter] of letters.entries()) {
    const option = findOption(program, state, (candidate) => candidate.short === letter);
    if (option?.value === undefined) continue;
    if (position === letters.length - 1) state.waiting = option;
    return;
  }
}

function readWord(program: Program, state: State, word: string): void {
  if (state.waiting !== undefined) {
    state.globals.set(state.waiting.name, word);
    state.waiting = undefined;
    return;
  }
  if (!state.optionsEnded && word === "--") state.optionsEnded = true;
  else if (!state.optionsEnded && word.startsWith("-") && word !== "-") readOption(program, state, word);
  else {
    const level = state.command === undefined ? program.commands : state.command.subcommands ?? [];
    const found = state.operands.length > 0
      ? undefined
      : level.find((command) => command.name === word || command.aliases?.includes(word));
    if (found === undefined) state.operands.push(word);
    else {
      state.command = found;
      state.path = [...state.path, found.name];
    }
  }
}

function namesOf(kind: WordKind, state: State, prefix: string, names: NameSource): readonly Candidate[] {
  switch (kind) {
    case "installed":
      return names.installed();
    case "available":
      return names.available(prefix);
    case "available-or-file":
      return [...names.available(prefix), ...names.paths(prefix, ".peipkg", false)];
    case "version":
      return names.versions(state.operands[0] ?? "");
    case "repository":
      return names.repositories();
    case "role":
      return names.roles();
    case "key":
      return names.keys();
    case "directory":
      return names.paths(prefix, "", true);
    case "file":
      return names.paths(prefix, "", false);
    case "command":
    case "choice":
    case "number":
    case "text":
      return [];
  }
}

function valueCandidates(option: OptionSpec, state: State, prefix: string, names: NameSource): readonly Candidate[] {
  const { value } = option;
  if (value === undefined) return [];
  if (value.choices !== undefined) return value.choices.map((choice) => plain(choice));
  const found = namesOf(value.kind, state, prefix, names);
  // `-o` takes a key with its value.
  return value.kind === "key" ? found.map((key) => ({ ...key, value: `${key.value}=` })) : found;
}

function optionCandidates(program: Program, state: State): readonly Candidate[] {
  return [...(state.command?.options ?? []), ...program.globals].map(({ name, summary }) =>
    plain(`--${name}`, summary)
  );
}

const commandCandidates = (commands: readonly CommandSpec[]): readonly Candidate[] =>
  commands.filter((command) => command.hidden !== true).map(({ name, summary }) => plain(name, summary));

function wordCandidates(program: Program, state: State, prefix: string, names: NameSource): readonly Candidate[] {
  const { command, operands } = state;
  if (command === undefined) return commandCandidates(program.commands);
  const below = operands.length === 0 ? commandCandidates(command.subcommands ?? []) : [];
  const spec = command.operands[Math.min(operands.length, command.operands.length - 1)];
  const isBeyond = operands.length >= command.operands.length && spec?.repeatable !== true;
  if (spec === undefined || isBeyond) return below;
  if (spec.choices !== undefined) return [...below, ...spec.choices.map((choice) => plain(choice))];
  if (spec.kind === "command") {
    const inside = operands.length === 0 ? program.commands : subcommandsOf(program, operands);
    return [...below, ...commandCandidates(inside)];
  }
  return [...below, ...namesOf(spec.kind, state, prefix, names)];
}

function subcommandsOf(program: Program, path: readonly string[]): readonly CommandSpec[] {
  let level: readonly CommandSpec[] = program.commands;
  for (const word of path) level = level.find((command) => command.name === word)?.subcommands ?? [];
  return level;
}

/**
 * Reads a command line up to the word to complete.
 *
 * @param words All words, the program's name first.
 * @param index Position of the word to complete; one beyond the last is an empty word.
 * @param splitsAtEquals The shell cuts words at `=` and wants only the piece behind it.
 */
export function completionPlace(
  program: Program,
  words: readonly string[],
  index: number,
  splitsAtEquals: boolean,
): CompletionPlace {
  const given = splitsAtEquals ? joinPieces(words, index) : { words: [...words], index };
  const state: State = {
    path: [],
    command: undefined,
    operands: [],
    globals: new Map(),
    waiting: undefined,
    optionsEnded: false,
  };
  for (const word of given.words.slice(1, given.index)) readWord(program, state, word);
  const current = given.words[given.index] ?? "";
  const candidates = (names: NameSource): readonly Candidate[] => {
    const fitting = (found: readonly Candidate[], prefix: string): readonly Candidate[] =>
      found.filter(({ value }) => value.startsWith(prefix) && !needsEscape(value));
    if (state.waiting !== undefined) return fitting(valueCandidates(state.waiting, state, current, names), current);
    if (!state.optionsEnded && current.startsWith("-")) {
      const equals = current.indexOf("=");
      if (equals < 0) return fitting(optionCandidates(program, state), current);
      const option = findOption(program, state, ({ name }) => name === current.slice(2, equals));
      const prefix = current.slice(equals + 1);
      const found = option === undefined ? [] : fitting(valueCandidates(option, state, prefix, names), prefix);
      const head = splitsAtEquals ? "" : current.slice(0, equals + 1);
      return found.map((candidate) => ({ ...candidate, value: head + candidate.value }));
    }
    return fitting(wordCandidates(program, state, current, names), current);
  };
  return { globals: state.globals, candidates };
}
