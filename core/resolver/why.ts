/** Why a package is installed: chains from explicit packages to it (C-WHY-01). */
import type { PackageName } from "../identity/package_name.ts";
import { namesOf } from "./context.ts";
import type { InstalledPackage, InstalledSource, RelationEntry } from "./problem.ts";
import { compareText, matchOf } from "./satisfaction.ts";

/** One step of a chain: how the package before it needs this one. */
export interface WhyLink {
  readonly name: PackageName;
  /** Reached over an optional dependency. */
  readonly optional: boolean;
  /** Name of the provides entry that satisfies, when it is not the package's own name. */
  readonly capability: string | undefined;
}

/** A package on the way, and the step from it towards the goal. */
interface Step {
  readonly from: InstalledPackage;
  readonly next: Step | undefined;
  /** How `next` (or the goal) is needed; `undefined` at the goal. */
  readonly link: WhyLink | undefined;
}

/**
 * Finds, for each explicit package that leads to `name`, the shortest chain from it to `name`.
 *
 * @param limit Chains returned at most, shortest first, then by name.
 * @returns Each chain starts with the explicit package and ends with `name`.
 * @see C-WHY-01
 */
export function whyInstalled(
  installed: InstalledSource,
  name: PackageName,
  limit: number,
): readonly (readonly WhyLink[])[] {
  const goal = installed.get(name);
  if (goal === undefined) return [];
  const seen = new Set<string>([name]);
  const chains: (readonly WhyLink[])[] = [];
  let front: Step[] = [{ from: goal, next: undefined, link: undefined }];
  // breadth first, so that the first chain found from a package is a shortest one; each front is in name order
  while (front.length > 0 && chains.length < limit) {
    const following: Step[] = [];
    for (const step of front) {
      if (step.from.reason === "explicit" && chains.length < limit) chains.push(chainOf(step));
      for (const dependent of needing(installed, step.from)) {
        if (seen.has(dependent.from.name)) continue;
        seen.add(dependent.from.name);
        following.push({ from: dependent.from, next: step, link: dependent.link });
      }
    }
    front = following.sort((a, b) => compareText(a.from.name, b.from.name));
  }
  return chains;
}

function chainOf(start: Step): readonly WhyLink[] {
  const chain: WhyLink[] = [{ name: start.from.name, optional: false, capability: undefined }];
  for (let step: Step | undefined = start; step?.link !== undefined; step = step.next) chain.push(step.link);
  return chain;
}

/** Installed packages that need one, ascending; a hard dependency is preferred to an optional one. */
function needing(
  installed: InstalledSource,
  needed: InstalledPackage,
): readonly { readonly from: InstalledPackage; readonly link: WhyLink }[] {
  const found = new Map<string, { from: InstalledPackage; link: WhyLink }>();
  for (const name of namesOf(needed)) {
    for (const from of installed.dependentsOn(name)) {
      const link = linkTo(from.dependencies, from, needed, false);
      if (link !== undefined) found.set(from.name, { from, link });
    }
  }
  for (const name of namesOf(needed)) {
    for (const from of installed.optionalDependentsOn(name)) {
      const link = found.has(from.name) ? undefined : linkTo(from.optionalDependencies, from, needed, true);
      if (link !== undefined) found.set(from.name, { from, link });
    }
  }
  return [...found.values()].sort((a, b) => compareText(a.from.name, b.from.name));
}

function linkTo(
  entries: readonly RelationEntry[],
  from: InstalledPackage,
  needed: InstalledPackage,
  optional: boolean,
): WhyLink | undefined {
  for (const entry of entries) {
    const match = matchOf(entry, from.architecture, needed);
    if (match !== undefined) {
      return { name: needed.name, optional, capability: match === "provides" ? entry.name : undefined };
    }
  }
  return undefined;
}
