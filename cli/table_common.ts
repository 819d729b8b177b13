/** What the command tables share: builders of options, options of several commands, the global ones, completion. */
import type { CommandSpec, OperandSpec, OptionSpec } from "./command.ts";

export const flag = (name: string, summary: string, more: Partial<OptionSpec> = {}): OptionSpec => ({
  name,
  summary,
  ...more,
});

export const number = (
  name: string,
  label: string,
  summary: string,
  min: number,
  more: Partial<OptionSpec> = {},
): OptionSpec => ({ name, value: { label, kind: "number", min }, summary, ...more });

export const choice = (name: string, choices: readonly string[], summary: string): OptionSpec => ({
  name,
  value: { label: choices.join("|"), kind: "choice", choices },
  summary,
});

export const packages = (label: string, kind: OperandSpec["kind"], optional?: true): OperandSpec =>
  optional === undefined ? { label, kind, repeatable: true } : { label, kind, repeatable: true, optional };

// --- Options of several commands (C-OPT-01) --------------------------------------------------------------------
export const DRY_RUN = flag("dry-run", "show the plan and change nothing");
export const YES = flag("yes", "answer the routine question with yes", { short: "y" });
export const ALLOW_STALE = flag("allow-stale", "proceed though a repository is past its age limits");

/** The options every command takes (section 2 of the command-line specification). */
export const COMMON_GLOBALS: readonly OptionSpec[] = [
  flag("json", "machine output"),
  flag("quiet", "drop informational lines", { short: "q", excludes: ["verbose"] }),
  flag("verbose", "more detail; twice adds timing and request lines", { short: "v", repeatable: true }),
  choice("color", ["auto", "always", "never"], "when to colour the output (default auto)"),
  flag("help", "show help and stop", { short: "h" }),
  flag("version", "show the version and stop"),
];

/** `completion` and what its scripts call; every program has them (C-COMP-01). */
export const completionCommands = (program: string): readonly CommandSpec[] => [
  {
    name: "completion",
    group: "maintenance",
    summary: "print the completion script for a shell",
    operands: [{ label: "bash|zsh|fish", kind: "choice", choices: ["bash", "zsh", "fish"] }],
    requirement: "exactly one shell is required: bash, zsh or fish",
    options: [],
    needs: "nothing",
    output: "text",
    examples: [{ line: `source <(${program} completion bash)`, meaning: "complete in this shell" }],
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "__complete",
    group: "maintenance",
    summary: "list what could stand at a place of a command line",
    operands: [
      { label: "shell", kind: "text" },
      { label: "index", kind: "number" },
      { label: "word", kind: "text", optional: true, repeatable: true },
    ],
    options: [],
    needs: "nothing",
    output: "text",
    examples: [],
    hidden: true,
    load: () => import("./commands/complete.ts"),
  },
];
