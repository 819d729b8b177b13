/**
 * Every command of `peipkg`, in the order of its help. Only what works is listed (C-HELP-01); the run part of each
 * command is loaded when it runs.
 */
import type { CommandSpec, OptionSpec, Program } from "./command.ts";
import { CHANGES } from "./table_changes.ts";
import { INFORMATION } from "./table_information.ts";
import { COMMON_GLOBALS, completionCommands, flag, number } from "./table_common.ts";
import { REPOSITORIES } from "./table_repositories.ts";
import { UPKEEP } from "./table_upkeep.ts";

const directory = (name: string, summary: string): OptionSpec => ({
  name,
  value: { label: "DIR", kind: "directory" },
  summary,
});

const GLOBALS: readonly OptionSpec[] = [
  directory("root", "operate on the installation below DIR (default /)"),
  directory("config-dir", "read peipkg.toml and *.repo here"),
  directory("state-dir", "keep database and lock here"),
  directory("cache-dir", "keep metadata and downloads here"),
  {
    name: "option",
    short: "o",
    value: { label: "KEY=VALUE", kind: "key" },
    repeatable: true,
    summary: "set one configuration key for this run",
  },
  ...COMMON_GLOBALS.slice(0, 4),
  flag("no-progress", "no progress display"),
  flag("offline", "fetch nothing over a network; file: repositories are read as ever"),
  flag("driven", "a program supplies the answers, one JSON object per line; implies --json"),
  number("lock-wait", "SECONDS", "wait this long for the writer lock (default 0)", 0),
  ...COMMON_GLOBALS.slice(4),
];

const PEIPKG_COMMANDS: readonly CommandSpec[] = [
  ...CHANGES,
  ...REPOSITORIES,
  ...INFORMATION,
  ...UPKEEP,
  ...completionCommands("peipkg"),
  {
    name: "help",
    group: "maintenance",
    summary: "show help for the program or a command",
    description: ["Shows the same text as --help after the command, the source of a manual page, or the error codes."],
    operands: [{ label: "command", kind: "command", optional: true, repeatable: true }],
    synopses: ["[command [subcommand]]", "--man <page>", "--errors"],
    options: [
      {
        name: "man",
        value: { label: "PAGE", kind: "text" },
        summary: "print the source of a manual page, for example peipkg-install(8)",
      },
      flag("errors", "list the error codes and their exact causes", { excludes: ["man"] }),
    ],
    needs: "nothing",
    output: "text",
    examples: [
      { line: "peipkg help install", meaning: "show help for install" },
      { line: "peipkg help --man peipkg.toml | man -l -", meaning: "read a manual page" },
    ],
    load: () => import("./commands/help.ts"),
  },
];

export const PEIPKG: Program = {
  name: "peipkg",
  summary: "the package manager of Peios",
  description: [
    "peipkg installs, upgrades and removes packages from signed repositories. Every change is one transaction: it is " +
    "shown before it is done, and it happens as a whole or not at all.",
  ],
  globals: GLOBALS,
  commands: PEIPKG_COMMANDS,
};
