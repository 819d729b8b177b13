/**
 * Manual pages, generated from the command table, the configuration keys and the lists of codes, so that every option
 * and key appears and none can differ from the program.
 *
 * @see C-MAN-01
 */
import { REPOSITORY_KEYS, RULE_CODES, SETTINGS, WARNING_CODES } from "../mod.ts";
import { allCommands, type CommandSpec, type Program } from "./command.ts";
import { ERROR_MEANINGS } from "./error_codes.ts";
import { exitStatuses, optionSyntax, synopsisTails } from "./help.ts";
import { schemaNames } from "./json_documents.ts";
import { eventNotes, shapeNotes } from "./json_schema.ts";
import {
  mdocArgument,
  mdocList,
  mdocLiteral,
  mdocParagraphs,
  mdocText,
  type Page,
  renderPage,
  type Section,
} from "./mdoc.ts";
import { PROGRAMS } from "./programs.ts";

const FILES: readonly (readonly [string, string])[] = [
  ["/conf/peipkg/peipkg.toml", "settings, see peipkg.toml(5)"],
  ["/conf/peipkg/*.repo", "one file for each repository, see peipkg.repo(5)"],
  ["/var/lib/peipkg", "database, lock, cache and set-aside files"],
  ["/var/log/peipkg/audit.jsonl", "audit log"],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["PEIPKG_KEY", "sets the configuration key KEY, written in upper case; see peipkg.toml(5)"],
  ["NO_COLOR, TERM", "whether the output may be coloured"],
  ["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies, where the key proxy is empty"],
  ["SOURCE_DATE_EPOCH", "time written into what is produced, in seconds"],
  ["SUDO_USER, SUDO_UID", "recorded in the audit log"],
];

/** Closed: a key without a text is a type error. */
export const REPOSITORY_KEY_TEXTS: Readonly<Record<(typeof REPOSITORY_KEYS)[number], string>> = {
  base_url: "required: https://, http:// (only with allow_insecure_transport) or file:///absolute/path",
  mirrors: "further base URLs with the same content, tried for each file in this order after base_url",
  priority: "rank, positive, lower is stronger (default 50)",
  signature_policy: '"required" or "optional"; optional with no anchors is unsigned mode (default "required")',
  trust_anchors: "fingerprints: SHA-256 of the raw public key, 64 lowercase hexadecimal digits each",
  allow_insecure_transport: "allow plain http; its use is warned about on every operation (default false)",
  min_index_version: "lowest index version accepted at the first fetch (default 0)",
  max_trusted_age_days: "oldest trusted refresh; default from peipkg.toml",
  max_index_staleness_days: "oldest trusted index; default from peipkg.toml",
  allow_sd_overrides: "whether its packages may carry security descriptors (default false)",
  sd_allowed_sids: "security identifiers those descriptors may name beside the usual ones",
  official: "marks the operating system's own repository; at most one file may set it (default false)",
  enabled: "false keeps file and trust but leaves the repository out of planning and search (default true)",
};

const SECURITY =
  "Some actions weaken a protection and are asked for one by one at a terminal, whatever other options say. No " +
  "option, variable or setting answers such a question, and input that does not come from a terminal is never read " +
  "for it. The kinds that can occur here are: ";

/** `peipkg-repo-add` for `repo add` of `peipkg`; subcommands have no pages of their own. */
const pageName = (program: Program, path: readonly string[]): string => [program.name, ...path].join("-");

/** Manual section: what changes a system is administration, what makes packages is a user's command. */
const sectionOf = (program: Program): number => program.name === "peipkg" ? 8 : 1;

function optionSection(heading: string, options: Program["globals"]): Section {
  return {
    heading,
    lines: options.length === 0 ? [] : mdocList(options.map((option) => [optionSyntax(option), option.summary])),
  };
}

function synopsis(program: Program, commands: readonly { path: readonly string[]; command: CommandSpec }[]): Section {
  const lines = commands.flatMap(({ path, command }) =>
    command.load === undefined
      ? []
      : synopsisTails(command).map((tail) => [program.name, ...path, tail].filter((word) => word !== "").join(" "))
  );
  return { heading: "SYNOPSIS", lines: mdocLiteral(lines) };
}

function seeAlso(program: Program, own: string): Section {
  const section = sectionOf(program);
  const names = [
    program.name,
    ...program.commands.filter((command) => command.hidden !== true).map(({ name }) => pageName(program, [name])),
  ].filter((name) => name !== own);
  const listed = section === 8 ? names : names.slice(0, 1).filter((name) => name !== own);
  const others = [["peipkg.toml", 5], ["peipkg.repo", 5], ["peipkg-json", 7]] as const;
  const all = [...listed.map((name) => [name, section] as const), ...others];
  return { heading: "SEE ALSO", lines: all.map(([name, number]) => `.Xr ${mdocArgument(name)} ${number}`) };
}

function subcommandLines(command: CommandSpec): readonly string[] {
  return (command.subcommands ?? []).flatMap((subcommand) => [
    `.Ss ${mdocArgument(subcommand.name)}`,
    ...mdocParagraphs(subcommand.description ?? [`${subcommand.summary}.`]),
    ...optionSection("", subcommand.options).lines,
  ]);
}

function commandPage(program: Program, command: CommandSpec): Page {
  const commands = [
    { path: [command.name], command },
    ...(command.subcommands ?? []).map((subcommand) => ({
      path: [command.name, subcommand.name],
      command: subcommand,
    })),
  ];
  const elevated = [...new Set(commands.flatMap((entry) => entry.command.elevated ?? []))];
  const examples = commands.flatMap((entry) => entry.command.examples);
  const name = pageName(program, [command.name]);
  return {
    name,
    section: sectionOf(program),
    summary: command.summary,
    sections: [
      synopsis(program, commands),
      {
        heading: "DESCRIPTION",
        lines: [...mdocParagraphs(command.description ?? [`${command.summary}.`]), ...subcommandLines(command)],
      },
      optionSection("OPTIONS", command.options),
      { heading: "ENVIRONMENT", lines: mdocList(ENVIRONMENT) },
      { heading: "FILES", lines: mdocList(FILES) },
      { heading: "EXIT STATUS", lines: mdocList(exitStatuses(command)) },
      { heading: "EXAMPLES", lines: mdocList(examples.map(({ line, meaning }) => [line, meaning])) },
      seeAlso(program, name),
      {
        heading: "SECURITY CONSIDERATIONS",
        lines: elevated.length === 0 ? [] : [mdocText(`${SECURITY}${elevated.join(", ")}.`)],
      },
    ],
  };
}

function programPage(program: Program): Page {
  const commands = allCommands(program);
  const isManager = program.name === "peipkg";
  const shown = commands.filter(({ path }) => path.length === 1);
  return {
    name: program.name,
    section: sectionOf(program),
    summary: program.summary,
    sections: [
      synopsis(program, commands),
      {
        heading: "DESCRIPTION",
        lines: [
          ...mdocParagraphs(program.description),
          ".Pp",
          "The commands are:",
          ...mdocList(shown.map(({ command }) => [command.name, command.summary])),
          // The producer tools have one page each, so their options stand here.
          ...(isManager ? [] : shown.flatMap(({ command }) => [
            `.Ss ${mdocArgument(command.name)}`,
            ...mdocParagraphs(command.description ?? [`${command.summary}.`]),
            ...optionSection("", command.options).lines,
            ...subcommandLines(command),
          ])),
        ],
      },
      optionSection("OPTIONS", program.globals),
      { heading: "ENVIRONMENT", lines: mdocList(ENVIRONMENT) },
      { heading: "FILES", lines: isManager ? mdocList(FILES) : [] },
      { heading: "EXIT STATUS", lines: mdocList(exitStatuses(undefined)) },
      {
        heading: "EXAMPLES",
        lines: mdocList(
          shown.flatMap(({ command }) => command.examples.slice(0, 1)).map(({ line, meaning }) => [line, meaning]),
        ),
      },
      seeAlso(program, program.name),
    ],
  };
}

function settingsPage(): Page {
  return {
    name: "peipkg.toml",
    section: 5,
    summary: "settings of the package manager",
    sections: [
      {
        heading: "DESCRIPTION",
        lines: [
          ...mdocParagraphs([
            "The file is optional. It holds top-level keys with single values or lists of them, as TOML 1.0.",
            "Each key can also be set by the variable PEIPKG_ and the key in upper case, and by the option -o KEY=VALUE. " +
            "The strongest is a command-line option, then -o, then the variable, then the file, then the default.",
          ]),
          ...mdocList(SETTINGS.map(({ key, description, default: value, inFile }) => [
            key,
            `${description} (default ${JSON.stringify(value)}${inFile ? "" : "; not in the file"})`,
          ])),
        ],
      },
      { heading: "FILES", lines: mdocList(FILES.slice(0, 1)) },
      { heading: "SEE ALSO", lines: [".Xr peipkg 8"] },
    ],
  };
}

function repositoryPage(): Page {
  return {
    name: "peipkg.repo",
    section: 5,
    summary: "a repository's configuration",
    sections: [
      {
        heading: "DESCRIPTION",
        lines: [
          ...mdocParagraphs([
            "One file for each repository, named after it: lowercase letters, digits and hyphens, then .repo. It is " +
            "normally written by peipkg repo add. Until the trust ceremony has run the repository is not used.",
          ]),
          ...mdocList(REPOSITORY_KEYS.map((key) => [key, REPOSITORY_KEY_TEXTS[key]])),
        ],
      },
      { heading: "FILES", lines: mdocList(FILES.slice(1, 2)) },
      { heading: "SEE ALSO", lines: [".Xr peipkg 8", ".Xr peipkg-repo-add 8"] },
    ],
  };
}

function rulesOf(code: string): string {
  const rules = Object.entries(RULE_CODES).filter(([, value]) => value === code).map(([rule]) => rule);
  return rules.length === 0 ? "" : ` Rules: ${rules.join(", ")}.`;
}

function jsonPage(): Page {
  const codes = Object.entries(ERROR_MEANINGS);
  return {
    name: "peipkg-json",
    section: 7,
    summary: "machine output of the package manager",
    sections: [
      {
        heading: "DESCRIPTION",
        lines: [
          ...mdocParagraphs([
            "With --json, reading commands print one document; changing commands print one event on each line. Members " +
            "are never renamed, retyped or removed without raising the schema's number, which is 1; new ones may come. " +
            "There is no null: a member marked with ? may be absent.",
          ]),
          ".Ss Shapes",
          ...mdocList(shapeNotes()),
          ".Ss Events",
          ...mdocList(eventNotes()),
          ".Ss Schemas",
          ...mdocParagraphs([
            "peipkg schema NAME prints a JSON Schema of each document: " + schemaNames().join(", ") + ".",
          ]),
          ".Ss Error codes",
          ...mdocList(codes.map(([code, meaning]) => [code, `${meaning}.${rulesOf(code)}`])),
          ".Ss Warning codes",
          ...mdocParagraphs([Object.values(WARNING_CODES).join(", ")]),
        ],
      },
      { heading: "SEE ALSO", lines: [".Xr peipkg 8"] },
    ],
  };
}

/** Every page there is. */
export function manualPages(): readonly Page[] {
  return [
    ...PROGRAMS.map(programPage),
    ...PROGRAMS.filter(({ name }) => name === "peipkg").flatMap((program) =>
      program.commands.filter((command) => command.hidden !== true).map((command) => commandPage(program, command))
    ),
    settingsPage(),
    repositoryPage(),
    jsonPage(),
  ];
}

/** Source of a page, `peipkg-install` or `peipkg-install(8)`; `undefined` when there is none. */
export function manualPage(wanted: string): string | undefined {
  const page = manualPages().find(({ name, section }) => wanted === name || wanted === `${name}(${section})`);
  return page === undefined ? undefined : renderPage(page);
}

/** Codes with their meanings and exact causes, for `help --errors`. */
export function errorList(): string {
  return Object.entries(ERROR_MEANINGS).map(([code, meaning]) => {
    const rules = Object.entries(RULE_CODES).filter(([, value]) => value === code).map(([rule]) => `  ${rule}\n`);
    return `${code}: ${meaning}\n${rules.join("")}`;
  }).join("");
}
