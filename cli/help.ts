/**
 * Help and usage text, all made from the command table, so that what is described is what is parsed (C-GEN-08).
 *
 * @see C-HELP-01, C-GEN-06
 */
import {
  COMMAND_GROUPS,
  type CommandGroup,
  type CommandSpec,
  findCommand,
  type OperandSpec,
  type OptionSpec,
  type Program,
} from "./command.ts";

const NAME_COLUMN = 2;
const NAME_END = 26;
const TEXT_COLUMN = 28;
const LINE_WIDTH = 80;

/** `<package>...`, `[repository]...`, `manual|auto` */
function operandSyntax(operand: OperandSpec): string {
  const label = operand.optional === true ? `[${operand.label}]` : `<${operand.label}>`;
  return operand.repeatable === true ? `${label}...` : label;
}

/** `-o KEY=VALUE, --option KEY=VALUE`, `--json` */
export function optionSyntax(option: OptionSpec): string {
  const value = option.value === undefined ? "" : ` ${option.value.label}`;
  return option.short === undefined ? `--${option.name}${value}` : `-${option.short}, --${option.name}${value}`;
}

/** What may follow the name of a command, one entry per usage line. */
export function synopsisTails(command: CommandSpec): readonly string[] {
  if (command.synopses !== undefined) return command.synopses;
  const options = command.options.length === 0 ? [] : ["[options]"];
  return [[...options, ...command.operands.map(operandSyntax)].join(" ")];
}

/**
 * Usage lines of a command, or of the program when the path is empty; without an end of line.
 *
 * @param path Names of the command and its subcommand, as in the table.
 */
export function usageLines(program: Program, path: readonly string[]): readonly string[] {
  const command = findCommand(program, path);
  if (command === undefined) {
    return [`usage: ${program.name} [global options] <command> [subcommand] [options and operands]`];
  }
  const words = [program.name, ...path].join(" ");
  const own = command.load === undefined
    ? []
    : synopsisTails(command).map((tail) => `usage: ${words} ${tail}`.trimEnd());
  const below = (command.subcommands ?? []).flatMap((subcommand) => usageLines(program, [...path, subcommand.name]));
  return [...own, ...below];
}

/** Breaks text at blanks into lines of at most `width` characters; a longer word stands alone. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A name with its text in the second column, wrapped; a long name has the text below it. */
function entry(name: string, text: string): readonly string[] {
  const wrapped = wrapText(text, LINE_WIDTH - TEXT_COLUMN);
  const fits = NAME_COLUMN + name.length <= NAME_END;
  const first = " ".repeat(NAME_COLUMN) + name;
  const indent = " ".repeat(TEXT_COLUMN);
  const [head = "", ...rest] = wrapped;
  return fits
    ? [first.padEnd(TEXT_COLUMN) + head, ...rest.map((line) => indent + line)]
    : [first, ...wrapped.map((line) => indent + line)];
}

/** Meanings of the exit statuses (C-EXIT-00 to C-EXIT-03). */
export function exitStatuses(command: CommandSpec | undefined): readonly (readonly [string, string])[] {
  const reads = command !== undefined && command.output !== "events";
  return [
    [
      "0",
      command?.asks === undefined
        ? "done, or there was nothing to do"
        : "done, nothing to do, declined, or shown by --dry-run",
    ],
    ["1", command?.statusOne ?? "it failed; stderr says why"],
    ["2", "the call was wrong; nothing was read or changed"],
    ["128+N", reads ? "ended by signal N" : "ended by signal N before anything was committed"],
  ];
}

function commandHelp(program: Program, path: readonly string[], command: CommandSpec): readonly string[] {
  const title = [program.name, ...path].join(" ");
  const lines = [...usageLines(program, path), "", command.description?.[0] ?? command.summary];
  const head = lines.slice(0, -1);
  const text = wrapText(lines.at(-1) ?? "", LINE_WIDTH);
  const sections: string[][] = [];
  if ((command.subcommands ?? []).length > 0) {
    sections.push(["subcommands:", ...(command.subcommands ?? []).flatMap((sub) => entry(sub.name, sub.summary))]);
  }
  if (command.options.length > 0) {
    sections.push(["options:", ...command.options.flatMap((option) => entry(optionSyntax(option), option.summary))]);
  }
  sections.push(["exit status:", ...exitStatuses(command).flatMap(([status, meaning]) => entry(status, meaning))]);
  if (command.examples.length > 0) {
    sections.push(["examples:", ...command.examples.flatMap(({ line, meaning }) => entry(line, meaning))]);
  }
  sections.push([`global options: ${program.name} --help`]);
  const alias = command.aliases === undefined ? [] : [`${title} is also known as ${command.aliases.join(", ")}`];
  return [...head, ...text, ...alias, ...sections.flatMap((section) => ["", ...section])];
}

function programHelp(program: Program): readonly string[] {
  const groups = Object.keys(COMMAND_GROUPS).filter((group): group is CommandGroup => group in COMMAND_GROUPS);
  const visible = program.commands.filter((command) => command.hidden !== true);
  const sections = groups.map((group) => {
    const commands = visible.filter((command) => command.group === group);
    return commands.length === 0
      ? []
      : ["", `${COMMAND_GROUPS[group]}:`, ...commands.flatMap((command) => entry(command.name, command.summary))];
  });
  return [
    ...usageLines(program, []),
    "",
    ...program.description.flatMap((paragraph) => wrapText(paragraph, LINE_WIDTH)),
    ...sections.flat(),
    "",
    "global options:",
    ...program.globals.flatMap((option) => entry(optionSyntax(option), option.summary)),
    "",
    "exit status:",
    ...exitStatuses(undefined).flatMap(([status, meaning]) => entry(status, meaning)),
  ];
}

/**
 * Help for a command, or for the program when the path is empty; with an end of line.
 *
 * @see C-HELP-01
 */
export function helpText(program: Program, path: readonly string[]): string {
  const command = findCommand(program, path);
  const lines = command === undefined ? programHelp(program) : commandHelp(program, path, command);
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}
