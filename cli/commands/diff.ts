/** `peipkg diff` */
import {
  listNewDefaults,
  type NewDefault,
  type NewDefaultChoice,
  PeipkgError,
  readNamedFile,
  readNewDefault,
  settleNewDefaults,
  type Workspace,
} from "../../mod.ts";
import { hasFlag, optionText, type ParsedArguments, UsageError } from "../arguments.ts";
import { mayProceed } from "../change.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { isPlain, renderColumns } from "../render/listing.ts";
import { unifiedDiff } from "../render/unified_diff.ts";

/** As the library reads configuration files. */
const MERGED_LIMIT_BYTES = 16 * 1024 * 1024;

type Verb = NewDefaultChoice["kind"];

/** What is to become of the files, if anything (C-DIFF-02). */
function parseVerb(args: ParsedArguments): Verb | undefined {
  const { options, operands, path } = args;
  const verb = (["use-new", "keep", "merged"] as const).find((name) => options[name] !== undefined);
  if (verb === undefined && hasFlag(options, "yes")) {
    throw new UsageError(args.words, "--yes needs --use-new, --keep or --merged", { path });
  }
  if (verb === "merged" && operands.length !== 1) {
    throw new UsageError(args.words, "--merged needs exactly one path", { path });
  }
  if (verb !== undefined && operands.length === 0) {
    throw new UsageError(args.words, `--${verb} needs at least one path`, { path });
  }
  return verb;
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen, world } = invocation;
  const verb = parseVerb(args);
  const workspace = await invocation.workspace();
  const items = listNewDefaults(workspace, args.operands, world.workingDirectory());
  if (verb !== undefined) return await settle(invocation, workspace, items, verb);
  if (args.operands.length > 0) {
    showDiffs(invocation, workspace, items);
    return 0;
  }
  screen.document(items.map((item) => documentOf(item)));
  const rows = items.map(({ path, package: name, version }) => [path, name, version].map(escapeText));
  const widthOf = isPlain(rows.flat()) ? undefined : (await import("../render/width.ts")).displayWidth;
  screen.lines(renderColumns(rows, [], widthOf));
  return 0;
}

function documentOf({ path, newPath, package: name, version }: NewDefault): Readonly<Record<string, unknown>> {
  return { path, new_path: newPath, package: name, version };
}

function diffOf(workspace: Workspace, item: NewDefault): readonly string[] | undefined {
  const { present, next } = readNewDefault(workspace, item);
  return unifiedDiff(
    { label: present === undefined ? "/dev/null" : item.path, content: present ?? new Uint8Array(0) },
    { label: item.newPath, content: next },
  );
}

/** C-DIFF-01: contents are escaped where a person reads them, and left as they are for a file or a pipe. */
function showDiffs({ screen }: Invocation, workspace: Workspace, items: readonly NewDefault[]): void {
  const diffs = items.map((item) => ({ item, lines: diffOf(workspace, item) }));
  screen.document(diffs.map(({ item, lines }) => ({
    ...documentOf(item),
    ...(lines === undefined ? {} : { diff: lines.map((line) => `${line}\n`).join("") }),
  })));
  if (screen.mode.json) return;
  const isTerminal = screen.terminal.isTerminal("stdout");
  for (const { item, lines } of diffs) {
    if (lines === undefined) {
      screen.line(escapeText(`${item.path} and ${item.newPath} differ, and cannot be compared as text`));
    } else if (isTerminal) { for (const line of lines) screen.line(escapeText(line)); }
    else if (lines.length > 0) screen.raw(lines.map((line) => `${line}\n`).join(""));
  }
}

async function readChoice({ args, session }: Invocation, verb: Verb): Promise<NewDefaultChoice> {
  if (verb !== "merged") return { kind: verb };
  const file = optionText(args.options, "merged") ?? "";
  return { kind: "merged", content: readNamedFile(await session(), file, MERGED_LIMIT_BYTES) };
}

const VERB_LINES: Readonly<Record<Verb, (item: NewDefault) => string>> = {
  "use-new": ({ path, newPath }) => `${path}: replace by ${newPath}`,
  "keep": ({ path, newPath }) => `${path}: keep, and delete ${newPath}`,
  "merged": ({ path, newPath }) => `${path}: replace by the merged content, and delete ${newPath}`,
};

async function settle(
  invocation: Invocation,
  workspace: Workspace,
  items: readonly NewDefault[],
  verb: Verb,
): Promise<0 | 1> {
  const { args, screen } = invocation;
  if (items.length === 0) throw new PeipkgError("internal", "a path was taken that has no new default");
  const choice = await readChoice(invocation, verb);
  screen.line("the following files will be settled:");
  for (const item of items) screen.line(escapeText(`  ${VERB_LINES[verb](item)}`));
  if (!await mayProceed(invocation)) return 0;
  const settled = await settleNewDefaults(workspace, args.operands, choice, invocation.world.workingDirectory());
  for (const { path, oldPath, package: name } of settled) {
    const action = verb === "keep" ? "kept" : "written";
    screen.event("file", { path, action, package: name });
    screen.info(escapeText(`${action} ${path}${oldPath === undefined ? "" : `; the old file is ${oldPath}`}`));
  }
  screen.end("done", { summary: `settled ${settled.length} file(s)`, dry_run: false });
  return 0;
}
