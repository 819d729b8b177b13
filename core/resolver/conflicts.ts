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
export function* conflictsOf(world: World): Generator<ConflictFound> {
  const placements = [...world.placements].sort((a, b) => compareText(a.candidate.name, b.candidate.name));
  for (const placed of placements) {
    const { candidate } = placed;
    for (const entry of candidate.conflicts) {
      for (const other of world.satisfiers(entry, candidate.architecture, candidate.name)) {
        yield { placed, other, declaring: "placed", entry };
      }
    }
    for (const name of namesOf(candidate)) {
      for (const other of world.context.problem.installed.conflictingWith(name)) {
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
 * @param cascade Remove installed packages that conflict (S-CONF-02); else any conflict fails.
 */
export function settleConflicts(world: World, cascade: boolean): ConflictFailure | undefined {
  for (const conflict of cascade ? [...conflictsOf(world)] : conflictsOf(world)) {
    if (!cascade) return { kind: "conflict", conflict };
    const other = world.context.installed(conflict.other.name);
    if (other === undefined || !isRemovable(other, conflict.other, world)) {
      if (world.get(conflict.other.name) !== conflict.other) continue;
      return { kind: "conflict", conflict };
    }
    const guard = guardOf(other, conflict.placed, world.context);
    if (guard !== undefined) return guard;
    world.remove({ installed: other, cause: { kind: "conflict", by: conflict.placed } });
    const failure = removeBroken(other, conflict, world);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function isRemovable(installed: InstalledPackage, other: PackageFacts, world: World): boolean {
  return installed === other && world.isUntouched(installed) && !world.isAnchored(installed.name);
}

/** S-CONF-02: to the fixed point; an anchored package that would break keeps the conflict. */
function removeBroken(first: InstalledPackage, conflict: ConflictFound, world: World): ConflictFailure | undefined {
  const root = conflict.placed;
  for (let gone = [first]; gone.length > 0;) {
    const next: InstalledPackage[] = [];
    for (const removed of gone) {
      if (breaksAnchor(removed, world)) return { kind: "conflict", conflict };
      for (const dependent of world.context.dependentsOf(removed)) {
        if (!world.isUntouched(dependent) || world.isAnchored(dependent.name)) continue;
        if (!isBroken(dependent, world)) continue;
        const guard = guardOf(dependent, root, world.context);
        if (guard !== undefined) return guard;
        world.remove({ installed: dependent, cause: { kind: "conflict-cascade", by: removed, root } });
        next.push(dependent);
      }
    }
    gone = next;
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
