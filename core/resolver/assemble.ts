/** From a finished world to the plan (section 16): operations, reasons, causes, notes. */
import { compareVersions } from "../identity/version.ts";
import { authorisationsOf } from "./authorisations.ts";
import type { Agenda, Goal } from "./goals.ts";
import type {
  CandidateIdentity,
  Cause,
  HeldBack,
  InstalledIdentity,
  InstallReason,
  Mark,
  Operation,
  Plan,
  Suggestion,
} from "./plan.ts";
import type { Candidate, InstalledPackage } from "./problem.ts";
import { warningsOf } from "./remarks.ts";
import { compareText } from "./satisfaction.ts";
import type { Placement, RemovalCause, World } from "./world.ts";

/** A finished world with its order. */
export interface Found {
  readonly world: World;
  readonly removals: readonly InstalledPackage[];
  readonly placements: readonly Placement[];
}

/**
 * Builds the plan of a finished world.
 *
 * @param heldBack Targets left out because the search failed with them (S-UPG-05).
 * @see S-PLAN-04, S-PLAN-05, S-REASON-01 … S-REASON-03, S-REPL-05, S-ORDER-01
 */
export function assemblePlan(found: Found, agenda: Agenda, heldBack: readonly HeldBack[]): Plan {
  const { world, removals, placements } = found;
  const goals = new Map(agenda.goals.map((goal) => [goal.name, goal]));
  const operations = [
    ...removals.map((installed) => removalOperation(installed, world)),
    ...placements.map((placement) => placementOperation(placement, world, goals)),
  ];
  return {
    kind: "plan",
    operations,
    authorisations: authorisationsOf(world, operations),
    heldBack: allHeldBack(world, agenda, heldBack),
    suggestions: suggestionsOf(world, placements),
    marks: marksOf(world, agenda),
    warnings: warningsOf(world, removals, placements),
  };
}

function removalOperation(installed: InstalledPackage, world: World): Operation {
  const cause = world.removed.get(installed.name)?.cause;
  return {
    kind: "remove",
    from: installedIdentity(installed),
    requested: cause?.kind === "requested",
    cause: removalCause(cause),
  };
}

function removalCause(cause: RemovalCause | undefined): Cause {
  if (cause === undefined || cause.kind === "requested") return { kind: "requested" };
  switch (cause.kind) {
    case "replaces":
    case "conflict":
      return { kind: cause.kind, by: cause.by.candidate.name };
    case "cascade":
    case "conflict-cascade":
      return { kind: "cascade", by: cause.by.name };
  }
}

function placementOperation(placement: Placement, world: World, goals: ReadonlyMap<string, Goal>): Operation {
  const { candidate, ground } = placement;
  const former = world.context.installed(candidate.name);
  const common = {
    target: candidateIdentity(candidate),
    reason: reasonAfter(placement, former, goals.get(candidate.name)),
    requested: ground.kind === "goal" && (ground.goal.kind !== "upgrade" || ground.goal.named),
    cause: placementCause(placement),
    replaces: placement.replaced.map((target) => target.name),
  };
  if (former === undefined) return { kind: "install", ...common };
  const order = compareVersions(candidate.version, former.version);
  const kind = order > 0 ? "upgrade" : order < 0 ? "downgrade" : "reinstall";
  return { kind, from: installedIdentity(former), ...common };
}

function placementCause(placement: Placement): Cause {
  const { candidate, ground } = placement;
  switch (ground.kind) {
    case "obligation":
      return { kind: "dependency", by: ground.by.facts.name };
    case "repair":
      return { kind: "repair", by: ground.by.name };
    case "goal":
      if (ground.goal.kind !== "upgrade") return { kind: "requested" };
      return { kind: ground.goal.named && ground.goal.name === candidate.name ? "requested" : "upgrade" };
  }
}

/** S-REASON-01, S-REASON-02, S-REPL-05, S-UNDO-02 */
function reasonAfter(
  placement: Placement,
  former: InstalledPackage | undefined,
  goal: Goal | undefined,
): InstallReason {
  const wished = goal === undefined ? undefined : wishedReason(goal, former);
  if (wished !== undefined && (goal?.kind === "restore" || wished === "explicit")) return wished;
  if (placement.replaced.some((target) => target.reason === "explicit")) return "explicit";
  return former?.reason ?? "dependency";
}

/** Reason a request gives to the package it names; `undefined`: it leaves the reason as it is. */
function wishedReason(goal: Goal, former: InstalledPackage | undefined): InstallReason | undefined {
  switch (goal.kind) {
    case "install":
    case "file":
      return goal.automatic ? undefined : "explicit";
    case "restore":
      return goal.reason ?? former?.reason ?? "explicit";
    default:
      return undefined;
  }
}

/** S-REASON-03 */
function marksOf(world: World, agenda: Agenda): readonly Mark[] {
  const marks: Mark[] = [];
  for (const goal of agenda.goals) {
    const installed = world.context.installed(goal.name);
    if (installed === undefined || !world.isUntouched(installed)) continue;
    const wished = wishedReason(goal, installed);
    if (wished !== undefined && wished !== installed.reason) marks.push({ name: installed.name, reason: wished });
  }
  return marks;
}

function allHeldBack(world: World, agenda: Agenda, heldBack: readonly HeldBack[]): readonly HeldBack[] {
  const result: HeldBack[] = [...heldBack, ...agenda.leftOut];
  for (const { goal, reason } of world.skipped) {
    const installed = world.context.installed(goal.name);
    if (installed === undefined) continue;
    result.push({ name: installed.name, version: installed.version, available: goal.target.best.version, reason });
  }
  return result.sort((a, b) => compareText(a.name, b.name));
}

/** S-PLAN-05 */
function suggestionsOf(world: World, placements: readonly Placement[]): readonly Suggestion[] {
  const result: Suggestion[] = [];
  for (const { candidate } of placements) {
    if (world.context.installed(candidate.name) !== undefined) continue;
    for (const entry of candidate.optionalDependencies) {
      if (world.satisfier(entry, candidate.architecture) !== undefined) continue;
      result.push({ for: candidate.name, name: entry.name, constraint: entry.constraint?.raw });
    }
  }
  return result.sort((a, b) => compareText(a.for, b.for) || compareText(a.name, b.name));
}

function installedIdentity(installed: InstalledPackage): InstalledIdentity {
  const { name, version, architecture, origin } = installed;
  return { name, version, architecture, origin };
}

function candidateIdentity(candidate: Candidate): CandidateIdentity {
  const { name, version, architecture, origin, hash, sizeCompressedBytes, sizeInstalledBytes, url } = candidate;
  return { name, version, architecture, origin, hash, sizeCompressedBytes, sizeInstalledBytes, url };
}
