/** The entries a producer was given, checked, completed by their ancestors and put in archive order. */
import { excerpt, PeipkgError, ruleError } from "../errors.ts";
import { compareBytes, parentOf, parseSafePath, type SafePath } from "../identity/safe_path.ts";
import type { PackEntry } from "./pack.ts";
import type { Violated } from "./payload_check.ts";

/** An entry in its place in the archive. */
export interface PlannedEntry {
  readonly type: "file" | "dir" | "symlink";
  readonly path: SafePath;
  readonly wireName: string;
  readonly sizeBytes: number;
  readonly target?: string;
  open(): Iterable<Uint8Array>;
}

/** Path rules that are faults of the input itself, not only of the package it would make (F-PRO-03). */
const SOURCE_RULES: ReadonlySet<string> = new Set([
  "E_PATH_EMPTY",
  "E_PATH_ABSOLUTE",
  "E_PATH_DOT",
  "E_PATH_BACKSLASH",
  "E_PATH_CONTROL",
]);

/**
 * Checks entries, adds a directory for every ancestor and sorts by wire name.
 *
 * @returns What can be packed; entries with a violation are left out.
 * @see F-PRO-02 … F-PRO-04
 */
export function arrangeEntries(entries: readonly PackEntry[], violated: Violated): readonly PlannedEntry[] {
  const planned = new Map<string, PlannedEntry>();
  for (const entry of entries) {
    const next = toPlanned(entry, violated);
    if (next === undefined) continue;
    const previous = planned.get(next.path);
    if (previous === undefined) planned.set(next.path, next);
    else if (previous.type !== "dir" || next.type !== "dir") violated(badSource(next.path, "it is given twice"));
  }
  for (const { path } of [...planned.values()]) addAncestors(path, planned, violated);
  return [...planned.values()].sort((a, b) => compareBytes(a.wireName, b.wireName));
}

function toPlanned(entry: PackEntry, violated: Violated): PlannedEntry | undefined {
  const path = toSafePath(entry.path, violated);
  if (path === undefined) return undefined;
  if (entry.type === "dir") return directory(path);
  const common = { type: entry.type, path, wireName: path };
  if (entry.type === "file") return { ...common, sizeBytes: entry.sizeBytes, open: () => entry.open() };
  if (entry.target !== "") return { ...common, sizeBytes: 0, target: entry.target, open: () => [] };
  violated(ruleError("E_TAR_LINKNAME", `cannot pack "${path}": a symlink needs a target`, { path }));
  return undefined;
}

function toSafePath(text: string, violated: Violated): SafePath | undefined {
  try {
    return parseSafePath(text);
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    const { rule } = cause.detail;
    violated(rule !== undefined && SOURCE_RULES.has(rule) ? badSource(text, cause.message) : cause);
    return undefined;
  }
}

function addAncestors(path: SafePath, planned: Map<string, PlannedEntry>, violated: Violated): void {
  for (let parent = parentOf(path); parent !== undefined; parent = parentOf(parent)) {
    const present = planned.get(parent);
    if (present === undefined) planned.set(parent, directory(parent));
    else if (present.type !== "dir") return violated(badSource(path, `"${parent}" is no directory`));
    else return; // whoever added it has added what is above
  }
}

function directory(path: SafePath): PlannedEntry {
  return { type: "dir", path, wireName: `${path}/`, sizeBytes: 0, open: () => [] };
}

function badSource(path: string, found: string): PeipkgError {
  const shown = excerpt(path);
  return ruleError("E_PACK_SOURCE", `cannot pack "${shown}": ${found}`, { path });
}
