/** Execution order of a finished world and the cycles that have none (section 11). No recursion (S-BOUND-02). */
import { sortedByName } from "./context.ts";
import type { Candidate, InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import { compareText, meets } from "./satisfaction.ts";
import type { Placement, World } from "./world.ts";

/** Dependency edges between placed packages; each lists what it points to, ascending by name. */
type Edges = ReadonlyMap<Placement, readonly Placement[]>;

/**
 * Orders removals: dependents before what they need; cycles are never an error.
 *
 * @see S-ORDER-01, S-ORDER-02
 */
export function orderRemovals(world: World): readonly InstalledPackage[] {
  const removed = sortedByName([...world.removed.values()].map((removal) => removal.installed));
  const dependents = (of: InstalledPackage): readonly InstalledPackage[] =>
    world.context.dependentsOf(of).filter((dependent) =>
      dependent.name !== of.name && world.removed.has(dependent.name) &&
      dependent.dependencies.some((entry) => meets(entry, dependent.architecture, of))
    );
  return postOrder(removed, removed.length > 1 ? dependents : () => []);
}

/**
 * Orders the placed packages, dependencies first, or names the members of a cycle that cannot be ordered.
 *
 * @see S-ORDER-01, S-ORDER-03 … S-ORDER-05
 */
export function orderPlacements(
  world: World,
): { readonly kind: "order"; readonly placements: readonly Placement[] } | Cycle {
  const placements = [...world.placements].sort((a, b) => compareText(a.candidate.name, b.candidate.name));
  let edges = edgesOf(placements, world);
  for (;;) {
    const components = stronglyConnected(placements, edges);
    const cyclic = components.filter((component) => component.length > 1);
    if (cyclic.length === 0) break;
    const relaxed = relax(cyclic, edges, world);
    if (relaxed === undefined) {
      const members = cyclic.map((component) => component.map((member) => member.candidate.name).sort(compareText))
        .sort((a, b) => compareText(a[0] ?? "", b[0] ?? ""))[0] ?? [];
      return { kind: "cycle", members: inCycleOrder(members, edges, world) };
    }
    edges = relaxed;
  }
  return { kind: "order", placements: postOrder(placements, (placement) => edges.get(placement) ?? []) };
}

/** Packages that depend on each other with nothing else to stand on meanwhile (`E_CYCLE`). */
export interface Cycle {
  readonly kind: "cycle";
  readonly members: readonly Candidate[];
}

/** S-ORDER-04: edges between real packages, after provides matching. */
function edgesOf(placements: readonly Placement[], world: World): Edges {
  const edges = new Map<Placement, readonly Placement[]>();
  for (const placement of placements) {
    const { candidate } = placement;
    const targets = new Set<Placement>();
    for (const entry of candidate.dependencies) {
      for (const target of placedSatisfiers(entry, candidate, world)) {
        if (target !== placement) targets.add(target);
      }
    }
    edges.set(
      placement,
      targets.size > 1 ? [...targets].sort((a, b) => compareText(a.candidate.name, b.candidate.name)) : [...targets],
    );
  }
  return edges;
}

function placedSatisfiers(entry: RelationEntry, declaring: Candidate, world: World): readonly Placement[] {
  const result: Placement[] = [];
  const named = world.decided.get(entry.name);
  if (named !== undefined && meets(entry, declaring.architecture, named.candidate)) result.push(named);
  for (const placement of world.placedProviders(entry.name)) {
    if (placement !== named && meets(entry, declaring.architecture, placement.candidate)) result.push(placement);
  }
  return result;
}

/**
 * S-ORDER-05: drops the edges inside cycles whose dependencies are also met without them. What falls apart into
 * smaller cycles is looked at again by the caller. `undefined` when nothing could be dropped.
 */
function relax(cyclic: readonly (readonly Placement[])[], edges: Edges, world: World): Edges | undefined {
  const result = new Map(edges);
  let dropped = false;
  for (const component of cyclic) {
    const inside = new Set(component);
    for (const from of component) {
      const targets = edges.get(from) ?? [];
      const kept = targets.filter((to) => !inside.has(to) || !isSparable(from, to, inside, world));
      if (kept.length === targets.length) continue;
      dropped = true;
      result.set(from, kept);
    }
  }
  return dropped ? result : undefined;
}

/** Whether every dependency behind an edge is met by the package itself, the installed set, or outside the cycle. */
function isSparable(from: Placement, to: Placement, inside: ReadonlySet<Placement>, world: World): boolean {
  const { candidate } = from;
  return candidate.dependencies.every((entry) => {
    if (!meets(entry, candidate.architecture, to.candidate)) return true;
    if (meets(entry, candidate.architecture, candidate)) return true;
    if (isMetByInstalled(entry, candidate, world)) return true;
    return placedSatisfiers(entry, candidate, world).some((other) => !inside.has(other));
  });
}

/** An installed package meets the entry and either stays, or meets it at its new version too. */
function isMetByInstalled(entry: RelationEntry, declaring: Candidate, world: World): boolean {
  const lasts = (installed: InstalledPackage): boolean => {
    if (!meets(entry, declaring.architecture, installed)) return false;
    const after: PackageFacts | undefined = world.get(installed.name);
    return after !== undefined && meets(entry, declaring.architecture, after);
  };
  const named = world.context.installed(entry.name);
  return (named !== undefined && lasts(named)) || world.context.installedProviders(entry.name).some(lasts);
}

/** Follows first edges from the first member until one repeats: a cycle in which each name leads to the next. */
function inCycleOrder(members: readonly string[], edges: Edges, world: World): readonly Candidate[] {
  const inside = new Set(members);
  const path: Placement[] = [];
  for (let at = world.decided.get(members[0] ?? ""); at !== undefined;) {
    path.push(at);
    const next = (edges.get(at) ?? []).find((target) => inside.has(target.candidate.name));
    const again = next === undefined ? 0 : path.indexOf(next);
    if (again >= 0) return path.slice(again).map((placement) => placement.candidate);
    at = next;
  }
  return path.map((placement) => placement.candidate);
}

/** Depth-first post-order from the given roots, each item once. */
function postOrder<T>(roots: readonly T[], next: (item: T) => readonly T[]): readonly T[] {
  const result: T[] = [];
  const seen = new Set<T>();
  const stack: { readonly item: T; readonly targets: readonly T[]; at: number }[] = [];
  const enter = (item: T): void => {
    if (seen.has(item)) return;
    seen.add(item);
    stack.push({ item, targets: next(item), at: 0 });
  };
  for (const root of roots) {
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const target = top.targets[top.at++];
      if (target !== undefined) {
        enter(target);
      } else {
        result.push(top.item);
        stack.pop();
      }
    }
  }
  return result;
}

/** Tarjan's strongly connected components, iteratively. */
function stronglyConnected(nodes: readonly Placement[], edges: Edges): readonly (readonly Placement[])[] {
  const index = new Map<Placement, number>();
  const low = new Map<Placement, number>();
  const open: Placement[] = [];
  const isOpen = new Set<Placement>();
  const components: Placement[][] = [];
  const stack: { readonly node: Placement; at: number }[] = [];
  const enter = (node: Placement): void => {
    low.set(node, index.size);
    index.set(node, index.size);
    open.push(node);
    isOpen.add(node);
    stack.push({ node, at: 0 });
  };
  const lower = (node: Placement, value: number): void => {
    if (value < (low.get(node) ?? value)) low.set(node, value);
  };
  for (const root of nodes) {
    if (!index.has(root)) enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { node } = top;
      const target = (edges.get(node) ?? [])[top.at++];
      if (target !== undefined) {
        const seen = index.get(target);
        if (seen === undefined) enter(target);
        else if (isOpen.has(target)) lower(node, seen);
        continue;
      }
      stack.pop();
      const parent = stack.at(-1);
      if (parent !== undefined) lower(parent.node, low.get(node) ?? 0);
      if (low.get(node) === index.get(node)) components.push(takeComponent(node, open, isOpen));
    }
  }
  return components;
}

function takeComponent(root: Placement, open: Placement[], isOpen: Set<Placement>): Placement[] {
  const component: Placement[] = [];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    isOpen.delete(node);
    component.push(node);
    if (node === root) break;
  }
  return component;
}
