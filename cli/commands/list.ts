/** `peipkg list` */
import {
  formatTimestamp,
  type ListFilters,
  listPackages,
  type PackageLine,
  type PackageSummary,
  summarisePackages,
} from "../../mod.ts";
import { hasFlag, type ParsedArguments } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";
import { printValues, renderColumns, wantsNull } from "../render/listing.ts";

/** `Package` of cli.md 6.2. */
export function packageDocument(item: PackageSummary): Readonly<Record<string, unknown>> {
  return {
    name: item.name,
    version: item.version,
    architecture: item.architecture,
    origin: item.origin ?? "",
    orphaned: item.isOrphaned,
    installed_at: formatTimestamp(item.installedAt),
    description: item.description,
    size_installed: item.sizeInstalledBytes,
    automatic: item.isAutomatic,
    locked: item.isLocked,
  };
}

export function parseList(args: ParsedArguments): ListFilters {
  const { options } = args;
  return {
    ...(hasFlag(options, "manual") ? { mark: "manual" } : hasFlag(options, "auto") ? { mark: "auto" } : {}),
    ...(hasFlag(options, "locked") ? { locked: true } : {}),
    ...(hasFlag(options, "orphaned") ? { orphaned: true } : {}),
    ...(hasFlag(options, "leaves") ? { leaves: true } : {}),
    patterns: readPatterns(args, args.operands),
  };
}

/** Lines of the listing; the last column is never padded, so an orphan's tail stands two blanks behind it. */
function listLines(items: readonly PackageLine[]): readonly string[] {
  return renderColumns(items.map((item) => {
    const tail = item.isOrphaned ? `  [orphaned: ${item.origin ?? ""} is no longer configured]` : "";
    return [item.name, item.version, item.architecture + tail].map(escapeText);
  }));
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const isNull = wantsNull(invocation);
  const filters = parseList(args);
  const workspace = await invocation.workspace();
  if (screen.mode.json) {
    screen.document(summarisePackages(workspace, filters).map(packageDocument));
    return 0;
  }
  const items = listPackages(workspace, filters);
  if (isNull) printValues(invocation, items.map((item) => item.name));
  else {
    screen.lines(listLines(items));
    if (items.length === 0 && Object.keys(args.options).length === 0) screen.line("no packages are installed");
  }
  return 0;
}
