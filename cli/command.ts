/**
 * What a command is: the shape of the one table from which the parser, the help, the manual pages and the completions
 * are all made (C-GEN-08), and the few options that several commands share. Loading this file loads no command and
 * nothing of the library.
 */
import type { AuthorisationKind, ErrorRule } from "../mod.ts";
import type { Invocation } from "./invocation.ts";

/** Version of the JSON output (C-JSON-01). */
export const JSON_SCHEMA = 1;

/** What a word on the command line names; completion offers candidates by it (C-COMP-03). */
export type WordKind =
  | "installed"
  | "available"
  | "available-or-file"
  | "version"
  | "repository"
  | "role"
  | "key"
  | "directory"
  | "file"
  | "command"
  | "choice"
  | "number"
  | "text";

export interface OperandSpec {
  /** As shown in usage lines, without brackets. */
  readonly label: string;
  readonly kind: WordKind;
  readonly choices?: readonly string[];
  readonly optional?: true;
  /** Only on the last operand. */
  readonly repeatable?: true;
}

export interface ValueSpec {
  /** As shown after the option, e.g. `DIR`. */
  readonly label: string;
  readonly kind: WordKind;
  /** With kind `choice`: the only values accepted. */
  readonly choices?: readonly string[];
  /** With kind `number`: the least and greatest value accepted. */
  readonly min?: number;
  readonly max?: number;
}

export interface OptionSpec {
  /** Long name without its dashes; also the key under which the parser files the value. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** Absent: a flag. */
  readonly value?: ValueSpec;
  /** Accumulates (C-GEN-04): values are listed, flags are counted. */
  readonly repeatable?: true;
  readonly summary: string;
  /** Long names of options that may not stand beside it (C-GEN-04). */
  readonly excludes?: readonly string[];
  /** Rule of codes.md for that exclusion, where it lists one. */
  readonly exclusionRule?: ErrorRule;
}

export interface Example {
  readonly line: string;
  readonly meaning: string;
}

/** Headings of the program's help, in order (C-HELP-01). */
export const COMMAND_GROUPS = {
  changes: "package changes",
  repositories: "repositories",
  information: "information",
  history: "history and recovery",
  maintenance: "maintenance",
} as const;

export type CommandGroup = keyof typeof COMMAND_GROUPS;

/**
 * What stdout carries under `--json`: one document, a stream of events, or the same text as without.
 */
export type OutputKind = "document" | "events" | "text";

/** The words given to a command, before they mean anything. */
export interface Words {
  readonly operands: readonly string[];
  readonly options: OptionValues;
}

/** Values by long name: `true` or a count for flags, text or number for one value, a list for repeatable ones. */
export type OptionValues = Readonly<Record<string, true | number | string | readonly string[]>>;

export interface CommandModule {
  /** Carries the command out. Returns the exit status of a success: 0, or 1 where a check found something. */
  run(invocation: Invocation): Promise<0 | 1>;
}

export interface CommandSpec {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: CommandGroup;
  /** One line for lists of commands. */
  readonly summary: string;
  /** Paragraphs of the manual page; the first is also shown by `--help`. */
  readonly description?: readonly string[];
  readonly operands: readonly OperandSpec[];
  /** Tails of the usage lines where operands alone do not say it; otherwise one line is made from them. */
  readonly synopses?: readonly string[];
  /** What to say when the number of operands is wrong (C-GEN-06). */
  readonly requirement?: string;
  readonly options: readonly OptionSpec[];
  readonly subcommands?: readonly CommandSpec[];
  readonly output: OutputKind | ((words: Words) => OutputKind);
  /** Whether it has a routine or trust question (C-JSON-06). */
  readonly asks?: boolean | ((words: Words) => boolean);
  /** Elevated questions that can occur; named in the manual page. */
  readonly elevated?: readonly AuthorisationKind[];
  /**
   * What it needs beside its arguments: the library's session, an installation, or nothing at all. Only the last kind
   * is not stopped by a faulty configuration, `tolerant` being the exception (C-CONF-11).
   */
  readonly needs: "nothing" | "session" | "installation" | "tolerant-installation";
  /** Meaning of exit status 1 where it is not just a failure. */
  readonly statusOne?: string;
  readonly examples: readonly Example[];
  /** Neither listed nor completed, its operands taken as they are: for scripts of our own. */
  readonly hidden?: true;
  /** Absent only where subcommands are required. */
  readonly load?: () => Promise<CommandModule>;
}

export type ProgramName = "peipkg" | "peipkg-build" | "peipkg-repo";

export interface Program {
  readonly name: ProgramName;
  readonly summary: string;
  readonly description: readonly string[];
  readonly globals: readonly OptionSpec[];
  readonly commands: readonly CommandSpec[];
}

/** Whether options and operands of `words` make the command print a document, events or text. */
export function outputKind(command: CommandSpec, words: Words): OutputKind {
  return typeof command.output === "function" ? command.output(words) : command.output;
}

/** Whether a routine or trust question may follow (C-JSON-06). */
export function asksQuestion(command: CommandSpec, words: Words): boolean {
  return typeof command.asks === "function" ? command.asks(words) : command.asks === true;
}

/**
 * The command a path of words names, aliases included.
 *
 * @returns The specification and the path in its own names, or `undefined`.
 */
export function findCommand(program: Program, path: readonly string[]): CommandSpec | undefined {
  let commands: readonly CommandSpec[] = program.commands;
  let found: CommandSpec | undefined;
  for (const word of path) {
    found = commands.find((command) => command.name === word || command.aliases?.includes(word));
    if (found === undefined) return undefined;
    commands = found.subcommands ?? [];
  }
  return found;
}

/** Every command with its path, subcommands after their parent, in table order. */
export function allCommands(
  program: Program,
): readonly { readonly path: readonly string[]; readonly command: CommandSpec }[] {
  const walk = (
    commands: readonly CommandSpec[],
    prefix: readonly string[],
  ): { path: readonly string[]; command: CommandSpec }[] =>
    commands.flatMap((command) => {
      const path = [...prefix, command.name];
      return [{ path, command }, ...walk(command.subcommands ?? [], path)];
    });
  return walk(program.commands.filter((command) => command.hidden !== true), []);
}
