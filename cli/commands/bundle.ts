/** `peipkg bundle` */
import {
  formatTimestamp,
  isBundleName,
  makeBundle,
  PeipkgError,
  planBundle,
  readNamedFile,
  type SelectionTarget,
} from "../../mod.ts";
import { hasFlag, optionText, type ParsedArguments, UsageError } from "../arguments.ts";
import { agreeOnPackages, countText, readSelectionTarget } from "../download.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { givenTimestamp, openSignKey, requiredOption } from "../producing.ts";
import { EXPORT_HEADER } from "./export.ts";
import { parseExport } from "./import.ts";

/** A list of packages is small; anything larger is no list. */
const LIST_LIMIT_BYTES = 16 * 1024 * 1024;
const DEFAULT_NAME = "bundle";

/** What a target machine has, as `export --json --versions` wrote it there (C-BUNDLE-02). */
function parseInstalled(text: string): Pick<Parameters<typeof planBundle>[1], "installed" | "architecture"> {
  const installed = parseExport(text).map(({ name, version }) => {
    if (version !== undefined) return { name, version };
    throw new PeipkgError("format", `cannot use the list of the target: it has no version of "${name}"`, {
      hint: "make it there with peipkg export --json --versions",
    });
  });
  const document: unknown = text.trimStart().startsWith("{") ? JSON.parse(text) : undefined;
  const architecture = typeof document === "object" && document !== null && "architecture" in document
    ? document.architecture
    : undefined;
  return { installed, architecture: typeof architecture === "string" ? architecture : undefined };
}

/**
 * Names to bundle: a list of `export`, or one `NAME` or `NAME=VERSION` on each line.
 *
 * @throws {UsageError} for a line that is neither
 */
function parseNames(args: ParsedArguments, text: string): readonly SelectionTarget[] {
  if (text.startsWith(EXPORT_HEADER) || text.trimStart().startsWith("{")) {
    return parseExport(text).map(({ name, version }) => ({ name, version }));
  }
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => readSelectionTarget(args, line));
}

/** An absolute path as a `file:` base that needs no quoting in any shell (R-URL-01). */
function fileBase(path: string, workingDirectory: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${workingDirectory}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return `file:///${parts.map(encode).join("/")}`;
}

async function readText(invocation: Invocation, path: string): Promise<string> {
  return new TextDecoder().decode(readNamedFile(await invocation.session(), path, LIST_LIMIT_BYTES));
}

async function readTargets(invocation: Invocation): Promise<readonly SelectionTarget[]> {
  const { args } = invocation;
  const list = optionText(args.options, "from");
  if ((list === undefined) === (args.operands.length === 0)) {
    throw new UsageError(args.words, "packages are required, by name or with --from, not both", { path: args.path });
  }
  if (list !== undefined) return parseNames(args, await readText(invocation, list));
  return args.operands.map((word) => readSelectionTarget(args, word));
}

function readName(args: ParsedArguments): string {
  const name = optionText(args.options, "name") ?? DEFAULT_NAME;
  if (isBundleName(name)) return name;
  throw new UsageError(args.words, `"${name}" is no name for a repository: 1 to 64 of a-z, 0-9 and -`, {
    path: args.path,
  });
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen, world } = invocation;
  const { options } = args;
  const directory = requiredOption(args, "out");
  const name = readName(args);
  const targets = await readTargets(invocation);
  const workspace = await invocation.workspace();
  const signingKey = await openSignKey(invocation);
  const timestamp = givenTimestamp(invocation) ?? formatTimestamp(Math.floor(workspace.startedAt / 1000));
  const list = optionText(options, "installed");
  const target = list === undefined
    ? { installed: [], architecture: undefined }
    : parseInstalled(await readText(invocation, list));
  const choice = {
    ...target,
    targets,
    archive: hasFlag(options, "archive"),
    allowStale: hasFlag(options, "allow-stale"),
  };
  const planned = await agreeOnPackages(invocation, "bundled", (granted) => planBundle(workspace, choice, granted));
  if (planned === undefined) return 0;
  const { packages, fingerprints } = await makeBundle(workspace, planned, {
    directory,
    name,
    signingKey,
    timestamp,
    previous: optionText(options, "previous"),
    resign: hasFlag(options, "resign"),
  });
  const summary = `bundled ${countText(packages.length, planned.sizeBytes)}`;
  screen.info(summary);
  screen.info("keys the bundle lists:");
  for (const fingerprint of fingerprints) screen.info(`  ${fingerprint}`);
  const base = fileBase(directory, world.workingDirectory());
  const line = `peipkg repo add ${name} ${base} --anchor ${signingKey.fingerprint}`;
  screen.line(escapeText(line));
  screen.end("done", { summary: `${summary}; ${line}`, dry_run: false });
  return 0;
}
