/** `peipkg search` */
import {
  type AvailablePackage,
  type CatalogueLine,
  type PackageRecord,
  searchCatalogue,
  type SearchFilters,
} from "../../mod.ts";
import { hasFlag, optionList, type ParsedArguments } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { renderColumns } from "../render/listing.ts";

const NAME_WIDTH = 8;

/** `Available` of cli.md 6.2. */
export function availableDocument(item: AvailablePackage): Readonly<Record<string, unknown>> {
  return {
    name: item.name,
    version: item.version,
    architecture: item.architecture,
    repository: item.repository,
    description: item.description,
    license: item.license,
    homepage: item.homepage,
    size_download: item.sizeDownloadBytes,
    size_installed: item.sizeInstalledBytes,
    installed_version: item.installedVersion,
  };
}

/** `Available` of cli.md 6.2, for a file that no repository carries. */
export function fileDocument(record: PackageRecord): Readonly<Record<string, unknown>> {
  return availableDocument({
    name: record.name,
    version: record.version,
    architecture: record.architecture,
    repository: "",
    description: record.description,
    license: record.license,
    homepage: record.homepage,
    sizeDownloadBytes: record.sizeDownloadBytes ?? 0,
    sizeInstalledBytes: record.sizeInstalledBytes,
    installedVersion: undefined,
  });
}

export function parseSearch({ options }: ParsedArguments): SearchFilters {
  const field = (["name", "description", "provides"] as const).find((name) => hasFlag(options, name));
  const installed = hasFlag(options, "installed") ? true : hasFlag(options, "not-installed") ? false : undefined;
  return {
    fields: field ?? "both",
    match: hasFlag(options, "glob") ? "glob" : hasFlag(options, "exact") ? "exact" : "contains",
    repositories: optionList(options, "repository"),
    allVersions: hasFlag(options, "all-versions"),
    ...(installed === undefined ? {} : { installed }),
  };
}

/** Lines of the answer (C-SEARCH-01). */
function searchLines(items: readonly CatalogueLine[]): readonly string[] {
  const rows = items.map((item) => [item.name, item.version, `[${item.repository}]`, item.description].map(escapeText));
  return renderColumns(rows, [NAME_WIDTH]);
}

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [term = ""] = args.operands;
  const opened = await workspace();
  const items = searchCatalogue(opened, term, parseSearch(args));
  if (screen.mode.json) {
    // Loaded here: the table needs nothing of the entries.
    const { describeOffers } = await import("../../mod.ts");
    screen.document(describeOffers(opened, items).map(availableDocument));
  }
  screen.lines(searchLines(items));
  if (items.length === 0) screen.line(`no packages match "${escapeText(term)}"`);
  return 0;
}
