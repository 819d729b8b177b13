/** What a removal pulls after it (section 9): blockers, and their removal under `--cascade`. */
import type { Context } from "./context.ts";
import type { InstalledPackage, RelationEntry } from "./problem.ts";
import { compareText, meets } from "./satisfaction.ts";
import type { World } from "./world.ts";

/** An installed package that a removal would leave without a dependency (S-RM-01). */
export interface BlockerFound {
  readonly installed: InstalledPackage;
  readonly entry: RelationEntry;
  /** A former satisfier that was removed by request or cascade. */
  readonly needs: InstalledPackage;
}

export type ClosureFailure =
  | { readonly kind: "removal"; readonly blockers: readonly BlockerFound[]; readonly closure: readonly string[] }
  | { readonly kind: "guard"; readonly rule: "E_CRITICAL" | "E_HELD"; readonly blocker: BlockerFound };

/**
 * Settles the removals of the request: refuses while something still needs them, or under `--cascade` removes that
 * too, to the fixed point. Nothing is installed to rescue a blocker; what is installed and still fits does rescue it.
 *
 * @see S-RM-01 … S-RM-04, S-CRIT-02, S-HOLD-02, S-UNDO-03
 */
export function closeRemovals(world: World, cascade: boolean): ClosureFailure | undefined {
  if (world.removed.size === 0) return undefined;
  if (!cascade) {
    const blockers = findBlockers(world, requestedRemovals(world));
    if (blockers.length === 0) return undefined;
    return { kind: "removal", blockers, closure: fullClosure(world) };
  }
  return cascadeRemovals(world, true);
}

function cascadeRemovals(world: World, guarded: boolean): ClosureFailure | undefined {
  for (let latest = requestedRemovals(world); latest.length > 0;) {
    const blockers = findBlockers(world, latest);
    if (guarded) {
      const guard = blockers.map((blocker) => guardOf(blocker, world.context)).find((found) => found !== undefined);
      if (guard !== undefined) return guard;
    }
    for (const { installed, needs } of blockers) world.remove({ installed, cause: { kind: "cascade", by: needs } });
    latest = blockers.map((blocker) => blocker.installed);
  }
  return undefined;
}

/** Names `--cascade` would remove, guards aside, ascending (S-RM-02). */
function fullClosure(world: World): readonly string[] {
  const mark = world.mark();
  const before = new Set(world.removed.keys());
  cascadeRemovals(world, false);
  const closure = [...world.removed.keys()].filter((name) => !before.has(name)).sort(compareText);
  world.restore(mark);
  return closure;
}

function guardOf(blocker: BlockerFound, context: Context): ClosureFailure | undefined {
  const { installed } = blocker;
  if (context.isCritical(installed.name) && !context.problem.options.allowCritical) {
    return { kind: "guard", rule: "E_CRITICAL", blocker };
  }
  return installed.held ? { kind: "guard", rule: "E_HELD", blocker } : undefined;
}

function requestedRemovals(world: World): readonly InstalledPackage[] {
  const result: InstalledPackage[] = [];
  for (const { installed, cause } of world.removed.values()) {
    if (cause.kind === "requested" || cause.kind === "cascade") result.push(installed);
  }
  return result;
}

/** Unanchored packages that relied on one of `gone` and have nothing left to rely on, ascending, each once. */
function findBlockers(world: World, gone: readonly InstalledPackage[]): readonly BlockerFound[] {
  const found = new Map<string, BlockerFound>();
  for (const removed of gone) {
    for (const dependent of world.context.dependentsOf(removed)) {
      if (found.has(dependent.name) || !world.isUntouched(dependent) || world.isAnchored(dependent.name)) continue;
      const entry = dependent.dependencies.find((candidate) =>
        meets(candidate, dependent.architecture, removed) &&
        world.satisfier(candidate, dependent.architecture) === undefined
      );
      if (entry !== undefined) found.set(dependent.name, { installed: dependent, entry, needs: removed });
    }
  }
  return [...found.values()].sort((a, b) => compareText(a.installed.name, b.installed.name));
}
