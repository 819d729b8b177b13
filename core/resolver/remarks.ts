/** Warnings that come with a plan. They describe; they never change it. */
import type { Warning, WarningRule } from "../errors.ts";
import { compareEpochAndUpstream } from "../identity/version.ts";
import { shadowedBy } from "./authorisations.ts";
import { type Context, sortedByName } from "./context.ts";
import type { Breakage, InstalledPackage } from "./problem.ts";
import { compareText, handleOf } from "./satisfaction.ts";
import type { Placement, World } from "./world.ts";

/**
 * Lists the warnings of a finished world: those of removals, then of placements in their order, then older trouble.
 *
 * @see S-ARCH-04, S-SELECT-02, S-UPG-08, S-RM-05, S-RM-06, S-SEARCH-07, S-REL-11, R-PRIO-03
 */
export function warningsOf(
  world: World,
  removals: readonly InstalledPackage[],
  placements: readonly Placement[],
): readonly Warning[] {
  const warnings: Warning[] = [];
  const warn = (rule: WarningRule, text: string): void => {
    if (!warnings.some((known) => known.rule === rule && known.text === text)) warnings.push({ rule, text });
  };
  for (const installed of removals) warnOfRemoval(installed, world, warn);
  for (const placement of placements) warnOfPlacement(placement, world, warn);
  if (world.context.problem.requests.some((request) => request.kind === "upgrade-all")) {
    warnOfOrphans(world.context, warn); // C-UPGRADE-04
  }
  if (removals.length + placements.length > 0) warnOfBreakage(world, warn);
  return warnings;
}

type Warn = (rule: WarningRule, text: string) => void;

function warnOfRemoval(installed: InstalledPackage, world: World, warn: Warn): void {
  const { context } = world;
  if (context.isOrphaned(installed)) warnOrphaned(installed, warn); // S-RM-06
  if (world.removed.get(installed.name)?.cause.kind === "replaces") return;
  for (const other of sortedByName(context.problem.installed.replacersOf(installed.name))) {
    // S-RM-05
    if (world.isUntouched(other)) {
      warn("W_REPLACES_TARGET", `${other.name}, which stays installed, declares that it replaces ${installed.name}`);
    }
  }
}

function warnOfPlacement(placement: Placement, world: World, warn: Warn): void {
  const { candidate, overtaken } = placement;
  const { context } = world;
  const former = context.installed(candidate.name);
  const handle = handleOf(candidate);
  const shown = `${candidate.name} ${candidate.version.raw}`;
  if (former !== undefined) {
    if (former.architecture !== candidate.architecture) { // S-ARCH-04
      warn("W_ARCH_CHANGED", `${candidate.name} changes from ${former.architecture} to ${candidate.architecture}`);
    }
    if (context.isOrphaned(former)) warnOrphaned(former, warn);
    if (former.origin !== undefined && handle !== undefined && former.origin !== handle) { // S-UPG-08
      warn("W_ORIGIN_CHANGE", `${candidate.name} moves from repository "${former.origin}" to "${handle}"`);
    }
  }
  if (overtaken !== undefined) { // S-SELECT-02
    warn(
      "W_ARCH_OVER_PRIORITY",
      `${shown} from "${handle ?? ""}" is preferred to noarch ${overtaken.version.raw} from stronger repository "${
        handleOf(overtaken) ?? ""
      }"`,
    );
  }
  for (const entry of candidate.provides) { // S-REL-11
    if (entry.version === undefined) continue;
    const order = compareEpochAndUpstream(entry.version, candidate.version);
    const revision = entry.version.revision ?? 0n;
    if (order > 0 || (order === 0 && revision > candidate.version.revision)) {
      warn(
        "W_PROVIDES_INFLATED",
        `${shown} claims to provide ${entry.name} ${entry.version.raw}, above its own version`,
      );
    }
  }
  const shadowed = shadowedBy(placement, context);
  if (shadowed !== undefined) { // R-PRIO-03
    warn(
      "W_PROVIDES_SHADOW",
      `${shown} from "${handle ?? ""}" stands in for ${shadowed.name}, which stronger repository "${
        handleOf(shadowed) ?? ""
      }" offers as a package`,
    );
  }
}

/** R-ORPH-03 */
function warnOrphaned(installed: InstalledPackage, warn: Warn): void {
  warn(
    "W_ORPHANED",
    `${installed.name} is orphaned: ${installed.origin ?? ""} is no longer configured; check it before relying on it`,
  );
}

function warnOfOrphans(context: Context, warn: Warn): void {
  for (const name of [...context.problem.installed.names()].sort(compareText)) {
    const installed = context.installed(name);
    if (installed !== undefined && context.isOrphaned(installed)) warnOrphaned(installed, warn);
  }
}

/** S-SEARCH-07: trouble between packages the plan does not touch, and does not cure. */
function warnOfBreakage(world: World, warn: Warn): void {
  for (const breakage of [...world.context.problem.installed.breakage()].sort(compareBreakage)) {
    const installed = world.context.installed(breakage.package);
    if (installed === undefined || !world.isUntouched(installed)) continue;
    if (breakage.kind === "conflict") {
      const other = breakage.with === undefined ? undefined : world.context.installed(breakage.with);
      if (other === undefined || !world.isUntouched(other)) continue;
      warn("W_PREEXISTING", `${installed.name} conflicts with ${other.name}, and both were installed before`);
      continue;
    }
    const entry = installed.dependencies.find((dependency) => dependency.name === breakage.entry);
    if (entry === undefined || world.satisfier(entry, installed.architecture) !== undefined) continue;
    const wanted = entry.constraint === undefined ? entry.name : `${entry.name} ${entry.constraint.raw}`;
    warn("W_PREEXISTING", `${installed.name} needs ${wanted}, which was not installed before either`);
  }
}

function compareBreakage(a: Breakage, b: Breakage): number {
  return compareText(a.package, b.package) || compareText(a.entry, b.entry) || compareText(a.with ?? "", b.with ?? "");
}
