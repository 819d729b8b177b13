/**
 * The reference in `docs/reference/`, generated from the tables and readers of the program itself. A test fails when
 * it is not current.
 *
 * Usage: deno task reference
 */
import { allCommands } from "../cli/command.ts";
import { ERROR_MEANINGS } from "../cli/error_codes.ts";
import { helpText } from "../cli/help.ts";
import { schemaNames } from "../cli/json_documents.ts";
import { eventNotes, shapeNotes } from "../cli/json_schema.ts";
import { REPOSITORY_KEY_TEXTS } from "../cli/man.ts";
import { PROGRAMS } from "../cli/programs.ts";
import { RULE_CODES, SETTINGS, WARNING_CODES } from "../mod.ts";
import { FILES_NAME, MANIFEST_NAME, SIGNATURE_NAME } from "../core/format/archive_layout.ts";
import { createDestinationCheck, type Layout } from "../core/format/destinations.ts";
import { FILE_LIST_DOCUMENT } from "../core/format/file_list.ts";
import { MANIFEST_DOCUMENT, SIDE_EFFECTS } from "../core/format/manifest.ts";
import type { Shape } from "../core/format/strict_json.ts";
import { FIELDS } from "../core/format/tar_header.ts";
import { type Architecture, KNOWN_ARCHITECTURES, tripletOf } from "../core/identity/architecture.ts";
import { parseSafePath } from "../core/identity/safe_path.ts";
import { DESCRIPTOR_DOCUMENT } from "../core/repository/descriptor.ts";
import { INDEX_DOCUMENT } from "../core/repository/index.ts";

const HOME = `${import.meta.dirname}/..`;
const NOTICE = "Generated from the code by `deno task reference`; edits here are lost.";

type Row = readonly string[];

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll("|", "\\|");

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.map(cell).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

function page(title: string, ...parts: readonly string[]): string {
  return [`# ${title}\n`, `${NOTICE}\n`, ...parts.map((part) => part.endsWith("\n") ? part : `${part}\n`)].join("\n");
}

function commandsPage(): string {
  const parts = PROGRAMS.flatMap((program) => [
    `## ${program.name}`,
    "```\n" + helpText(program, []) + "```",
    ...allCommands(program).flatMap(({ path, command }) =>
      command.load === undefined
        ? []
        : [`### ${[program.name, ...path].join(" ")}`, "```\n" + helpText(program, path) + "```"]
    ),
  ]);
  return page("Commands", ...parts);
}

function settingsPage(): string {
  const settings = SETTINGS.map(({ key, default: value, inFile, description }) => [
    code(key),
    code(JSON.stringify(value)),
    inFile ? "yes" : "no",
    description,
  ]);
  return page(
    "Settings",
    "## peipkg.toml\n\nEach key can also be given as `-o KEY=VALUE` or as the variable `PEIPKG_KEY`. The strongest is a " +
      "command-line option, then `-o`, then the variable, then the file, then the default.",
    table(["key", "default", "in the file", "meaning"], settings),
    "## NAME.repo",
    table(["key", "meaning"], Object.entries(REPOSITORY_KEY_TEXTS).map(([key, text]) => [code(key), text])),
  );
}

const rulesOf = (wanted: string): string =>
  Object.entries(RULE_CODES).filter(([, value]) => value === wanted).map(([rule]) => code(rule)).join(", ");

function jsonPage(): string {
  const named = (notes: readonly (readonly [string, string])[]): readonly Row[] =>
    notes.map(([name, members]) => [code(name), members]);
  return page(
    "Machine output",
    "With `--json` reading commands print one document, changing commands one event on each line. Members are never " +
      "renamed, retyped or removed without raising the schema's number; new ones may come. There is no null: a member " +
      "marked with `?` may be absent. `peipkg schema NAME` prints a JSON Schema of each document.",
    `Schemas: ${schemaNames().map(code).join(", ")}.`,
    "## Shapes",
    table(["shape", "members"], named(shapeNotes())),
    "## Events",
    table(["event", "members"], named(eventNotes())),
    "## Error codes",
    table(
      ["code", "meaning", "exact causes"],
      Object.entries(ERROR_MEANINGS).map(([name, meaning]) => [code(name), meaning, rulesOf(name)]),
    ),
    "## Warning codes",
    table(["code", "exact cause"], Object.entries(WARNING_CODES).map(([rule, name]) => [code(name), code(rule)])),
  );
}

// --- Format ------------------------------------------------------------------------------------------------------

/** Fields of a document as an indented list, arrays marked with `[]`. */
function fieldLines(shape: Shape, depth = 0): readonly string[] {
  const indent = "  ".repeat(depth);
  return [...shape.fields ?? []].flatMap(([name, field]) => {
    const inner = field.elements ?? field;
    const mark = field.elements === undefined ? "" : "[]";
    const keyed = inner.anyField === undefined ? [] : [`${indent}  <key>`, ...fieldLines(inner.anyField, depth + 2)];
    return [`${indent}${name}${mark}`, ...fieldLines(inner, depth + 1), ...keyed];
  });
}

const DOCUMENTS = [
  [`\`${MANIFEST_NAME}\`, in the package`, MANIFEST_DOCUMENT],
  [`\`${FILES_NAME}\`, in the package`, FILE_LIST_DOCUMENT],
  ["Repository descriptor", DESCRIPTOR_DOCUMENT],
  ["Active and archive index", INDEX_DOCUMENT],
] as const;

/** Places asked about; what is permitted is found by asking the check itself. */
const PLACES = (triplet: string): readonly string[] => [
  ...["usr/bin", "usr/sbin", "usr/libexec", "usr/share", "usr/include", `usr/lib/${triplet}`, "usr/lib/debug"],
  ...[
    "usr/lib/modules/6.1.0",
    "usr/lib/firmware",
    "usr/src/debug",
    "usr/src/dist",
    "usr/etc",
    "usr/conf",
    "etc",
    "opt",
  ],
  ...["boot", "hooks", "system", "var", "bin", "lib", "usr/local", "srv", "home", "root"],
];

function isAllowed(place: string, architecture: Architecture, layout: Layout, kind: "file" | "dir"): boolean {
  const check = createDestinationCheck({
    layout,
    architecture,
    packageName: "example",
    official: true,
    dropinRepository: "local",
    dropinDirectories: [],
  });
  try {
    check.check(parseSafePath(`${place}/example`), kind);
    return true;
  } catch {
    return false;
  }
}

function destinationRows(): readonly Row[] {
  const triplet = tripletOf("x86_64") ?? "";
  return PLACES(triplet).map((place) => [
    code(`${place}/`),
    ...(["base", "late"] as const).flatMap((layout) =>
      (["x86_64", "noarch"] as const).map((architecture) => {
        if (isAllowed(place, architecture, layout, "file")) return "yes";
        return isAllowed(place, architecture, layout, "dir") ? "directories" : "no";
      })
    ),
  ]);
}

/** The caps with the rules beside them, read from the source so that the rule ids come along. */
async function limitRows(): Promise<readonly Row[]> {
  const source = await Deno.readTextFile(`${HOME}/core/format/limits.ts`);
  const { LIMITS } = await import("../core/format/limits.ts");
  const rows: Row[] = [];
  let rule = "";
  for (const line of source.split("\n")) {
    rule = /^ {2}\/\*\* (.*) \*\/$/.exec(line)?.[1] ?? rule;
    const name = /^ {2}(\w+): /.exec(line)?.[1];
    const found = Object.entries(LIMITS).find(([key]) => key === name);
    if (found !== undefined) rows.push([code(found[0]), found[1].toLocaleString("en-GB"), rule]);
  }
  return rows;
}

async function formatPage(): Promise<string> {
  const architectures = KNOWN_ARCHITECTURES.map((name) => [code(name), tripletOf(name) ?? "–"]);
  return page(
    "Package and repository format",
    `A package file is one zstd frame around a tar archive: ${code(MANIFEST_NAME)}, ${code(FILES_NAME)}, the payload ` +
      `sorted by path, and ${code(SIGNATURE_NAME)} last, which signs every byte before it.`,
    "## Documents\n\nStrict JSON: UTF-8, no duplicate keys; fields that are not listed are ignored.",
    ...DOCUMENTS.map(([title, { shape }]) => `### ${title}\n\n\`\`\`\n${fieldLines(shape ?? {}).join("\n")}\n\`\`\``),
    "## Header fields",
    table(
      ["field", "offset", "bytes"],
      Object.entries(FIELDS).map(([name, [offset, length]]) => [code(name), String(offset), String(length)]),
    ),
    "## Architectures",
    table(["architecture", "triplet"], architectures),
    `## Side effects\n\n${SIDE_EFFECTS.map(code).join(", ")}.`,
    "## Destinations\n\nWhere a package may put files, by profile and architecture.",
    table(["place", "base, x86_64", "base, noarch", "late, x86_64", "late, noarch"], destinationRows()),
    "## Limits\n\nA value equal to a limit is accepted.",
    table(["limit", "value", "rule"], await limitRows()),
    "## Exact causes of refusal",
    table(["code", "causes"], ["format", "signature", "hash"].map((name) => [code(name), rulesOf(name)])),
  );
}

/** Every page by its name in `docs/reference/`. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["commands.md", commandsPage()],
    ["format.md", await formatPage()],
    ["json.md", jsonPage()],
    ["settings.md", settingsPage()],
  ]);
}

if (import.meta.main) {
  await Deno.mkdir(`${HOME}/docs/reference`, { recursive: true });
  for (const [name, text] of await referencePages()) await Deno.writeTextFile(`${HOME}/docs/reference/${name}`, text);
}
