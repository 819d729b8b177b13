/** `peipkg import` */
import { type ChangeRequest, isPackageName, type PackageName, PeipkgError, readNamedFile } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { runChange } from "../change.ts";
import { readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";
import { EXPORT_HEADER } from "./export.ts";

/** A list of packages is small; anything larger is no list. */
const LIST_LIMIT_BYTES = 16 * 1024 * 1024;
const LINE_REGEXP = /^([^ ]+)(?: = ([^ ]+))?( auto)?$/;

type Listed = Extract<ChangeRequest, { readonly kind: "import" }>["packages"][number];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function readName(word: string): PackageName {
  if (isPackageName(word)) return word;
  throw new PeipkgError("format", `cannot read the list: "${word}" is not a package name`);
}

function fromJson(text: string): readonly Listed[] {
  const wrong = (): PeipkgError => new PeipkgError("format", "cannot read the list: peipkg export did not write it");
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw wrong();
  }
  if (!isRecord(document) || document["export"] !== 1 || !Array.isArray(document["packages"])) throw wrong();
  return document["packages"].map((item: unknown) => {
    if (!isRecord(item) || typeof item["name"] !== "string") throw wrong();
    const { version } = item;
    return {
      name: readName(item["name"]),
      version: typeof version === "string" ? version : undefined,
      automatic: item["automatic"] === true,
    };
  });
}

/**
 * Reads a list in either form of `export`.
 *
 * @throws {PeipkgError} `format`
 * @see C-EXPORT-01
 */
export function parseExport(text: string): readonly Listed[] {
  if (text.trimStart().startsWith("{")) return fromJson(text);
  const [header, ...lines] = text.split("\n");
  if (header !== EXPORT_HEADER) {
    throw new PeipkgError("format", `cannot read the list: it does not begin with "${EXPORT_HEADER}"`);
  }
  return lines.flatMap((line, index) => {
    if (line === "" || line.startsWith("#")) return [];
    const [, word, version, automatic] = LINE_REGEXP.exec(line) ?? [];
    if (word === undefined) throw new PeipkgError("format", `cannot read the list: line ${index + 2} names no package`);
    return [{ name: readName(word), version, automatic: automatic !== undefined }];
  });
}

async function readText(invocation: Invocation, path: string): Promise<string> {
  const { world } = invocation;
  if (path !== "-") {
    return new TextDecoder().decode(readNamedFile(await invocation.session(), path, LIST_LIMIT_BYTES));
  }
  const bytes = await world.terminal.readAll(LIST_LIMIT_BYTES);
  if (bytes === undefined) throw new PeipkgError("io", "cannot read the list: standard input is too long");
  return new TextDecoder().decode(bytes);
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args } = invocation;
  const { settings } = await invocation.workspace();
  const packages = parseExport(await readText(invocation, args.operands[0] ?? "-"));
  return await runChange(invocation, {
    kind: "import",
    packages,
    exact: hasFlag(args.options, "exact"),
    prune: hasFlag(args.options, "prune"),
    options: readChangeOptions(args, settings),
  });
}
