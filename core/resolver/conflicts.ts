/** Conflicts of a finished world, and their settlement by removal under `--cascade` (section 8). */
import type { Context } from "./context.ts";
import { namesOf } from "./context.ts";
import type { InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import { compareText, meets } from "./satisfaction.ts";
import type { Placement, World } from "./world.ts";

/** A placed package and another of the result that may not be installed together. */
export interface ConflictFound {
  readonly placed: Placement;
  readonly other: PackageFacts;
  /** Which of the two declares the entry. */
  readonly declaring: "placed" | "other";
  readonly entry: RelationEntry;
}

export type ConflictFailure =
  | { readonly kind: "conflict"; readonly conflict: ConflictFound }
  | {
    readonly kind: "conflict-guard";
    readonly rule: "E_CRITICAL" | "E_HELD";
    readonly installed: InstalledPackage;
    readonly root: Placement;
  };

/**
 * Lists the conflicts a placed package takes part in, by its name, declared entries first. Conflicts between packages
 * the plan does not touch are older than the plan and do not count (S-SEARCH-07).
 *
 * @see S-CONF-01, S-SAT-02
 */
function* conflictsOf(world: World): Generator<ConflictFound> {
  const placements = [...world.placements].sort((a, b) => compareText(a.candidate.name, b.candidate.name));
  for (const placed of placements) {
    const { candidate } = placed;
    for (const entry of candidate.conflicts) {
      for (const other of world.satisfiers(entry, candidate.architecture, candidate.name)) {
        yield { placed, other, declaring: "placed", entry };
      }
    }
    for (const name of namesOf(candidate)) {
      for (const other of world.context.installedOpponents(name)) {
        if (other.name === candidate.name || !world.isUntouched(other)) continue;
        const entry = other.conflicts.find((declared) =>
          declared.name === name && meets(declared, other.architecture, candidate)
        );
        if (entry !== undefined) yield { placed, other, declaring: "other", entry };
      }
    }
  }
}

/**
 * Settles the conflicts of a finished world.
 *
 * @param cascade Remove installed packages that conflict, then what that breaks, to the fixed point (S-CONF-02);
 *   else any conflict fails.
 */
export function settleConflicts(world: World, cascade: boolean): ConflictFailure | undefined {
  const conflicts = cascade ? [...conflictsOf(world)] : conflictsOf(world);
  for (const conflict of conflicts) {
    if (!cascade) return { kind: "conflict", conflict };
  }
  const removed = new Map<string, ConflictFound>();
  const failure = removeConflicting(conflicts, removed, world) ?? removeBroken(removed, world);
  if (failure !== undefined) return failure;
  for (const [name, conflict] of removed) {
    const installed = world.context.installed(name);
    if (installed !== undefined && breaksAnchor(installed, world)) return { kind: "conflict", conflict };
  }
  for (const conflict of conflictsOf(world)) return { kind: "conflict", conflict };
  return undefined;
}

/** Removes the installed, unanchored sides, by name. */
function removeConflicting(
  conflicts: Iterable<ConflictFound>,
  removed: Map<string, ConflictFound>,
  world: World,
): ConflictFailure | undefined {
  for (const conflict of [...conflicts].sort((a, b) => compareText(a.other.name, b.other.name))) {
    const installed = world.context.installed(conflict.other.name);
    if (installed !== conflict.other || !world.isUntouched(installed) || world.isAnchored(installed.name)) continue;
    const guard = guardOf(installed, conflict.placed, world.context);
    if (guard !== undefined) return guard;
    world.remove({ installed, cause: { kind: "conflict", by: conflict.placed } });
    removed.set(installed.name, conflict);
  }
  return undefined;
}

/** Removes unanchored packages left without a dependency, by name within each round. */
function removeBroken(removed: Map<string, ConflictFound>, world: World): ConflictFailure | undefined {
  for (let gone = [...removed.keys()]; gone.length > 0;) {
    const broken = new Map<string, { readonly installed: InstalledPackage; readonly by: InstalledPackage }>();
    for (const name of gone) {
      const by = world.context.installed(name);
      if (by === undefined) continue;
      for (const dependent of world.context.dependentsOf(by)) {
        if (!world.isUntouched(dependent) || world.isAnchored(dependent.name) || broken.has(dependent.name)) continue;
        if (isBroken(dependent, world)) broken.set(dependent.name, { installed: dependent, by });
      }
    }
    gone = [...broken.keys()].sort(compareText);
    for (const name of gone) {
      const found = broken.get(name);
      const conflict = found === undefined ? undefined : removed.get(found.by.name);
      if (found === undefined || conflict === undefined) continue;
      const guard = guardOf(found.installed, conflict.placed, world.context);
      if (guard !== undefined) return guard;
      const cause = { kind: "conflict-cascade", by: found.by, root: conflict.placed } as const;
      world.remove({ installed: found.installed, cause });
      removed.set(name, conflict);
    }
  }
  return undefined;
}

function isBroken(installed: InstalledPackage, world: World): boolean {
  return installed.dependencies.some((entry) =>
    world.satisfier(entry, installed.architecture) === undefined && world.context.metOriginally(entry, installed)
  );
}

function breaksAnchor(removed: InstalledPackage, world: World): boolean {
  const names = new Set(namesOf(removed));
  return world.anchors.some((anchor) => {
    const facts = world.get(anchor.facts.name);
    return facts?.dependencies.some((entry) =>
      names.has(entry.name) && world.satisfier(entry, facts.architecture) === undefined
    );
  });
}

/** S-CONF-03 */
function guardOf(installed: InstalledPackage, root: Placement, context: Context): ConflictFailure | undefined {
  if (context.isCritical(installed.name) && !context.problem.options.allowCritical) {
    return { kind: "conflict-guard", rule: "E_CRITICAL", installed, root };
  }
  return installed.held ? { kind: "conflict-guard", rule: "E_HELD", installed, root } : undefined;
}
