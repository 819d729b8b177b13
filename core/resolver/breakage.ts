/** What is broken in an installed set before anything is planned (S-SEARCH-07). */
import type { Breakage, InstalledPackage, InstalledSource, RelationEntry } from "./problem.ts";
import { compareText, meets } from "./satisfaction.ts";

/**
 * Finds every unsatisfied dependency and active conflict, by package name, then entry.
 *
 * @param among Names to look at, where a cheaper look has already told which can be broken; else the whole set.
 * @see S-SEARCH-07
 */
export function findBreakage(
  installed: Omit<InstalledSource, "breakage">,
  among: readonly string[] = installed.names(),
): readonly Breakage[] {
  const found: Breakage[] = [];
  for (const name of [...among].sort(compareText)) {
    const item = installed.get(name);
    if (item === undefined) continue;
    for (const entry of item.dependencies) {
      if (satisfiers(entry, item, installed).length > 0) continue;
      found.push({ kind: "dependency", package: item.name, entry: entry.name, with: undefined });
    }
    for (const entry of item.conflicts) {
      for (const other of satisfiers(entry, item, installed)) {
        if (other.name === item.name) continue;
        found.push({ kind: "conflict", package: item.name, entry: entry.name, with: other.name });
      }
    }
  }
  return found;
}

function satisfiers(
  entry: RelationEntry,
  declaring: InstalledPackage,
  installed: Omit<InstalledSource, "breakage">,
): readonly InstalledPackage[] {
  const named = installed.get(entry.name);
  const providers = installed.providersOf(entry.name).filter((provider) => provider.name !== entry.name);
  const all = named === undefined ? providers : [named, ...providers];
  return all.filter((other) => meets(entry, declaring.architecture, other))
    .sort((a, b) => compareText(a.name, b.name));
}
