/** From requests to goals: duplicates and contradictions, guards, and the targets of upgrades (sections 4 and 7). */
import { compareEpochAndUpstream, compareVersions, highestVersion, type ProvidedVersion } from "../identity/version.ts";
import type { Version } from "../identity/version.ts";
import type { Context } from "./context.ts";
import type { HeldBack, InstallReason } from "./plan.ts";
import { type Demand, Options, optionsAmong, PLAIN_DEMAND } from "./preference.ts";
import type { Candidate, InstalledPackage, Request } from "./problem.ts";
import { compareText, priorityOf, replaces } from "./satisfaction.ts";
import type { World } from "./world.ts";

/** A request about one name that wants a package present. */
export type Goal =
  | {
    readonly kind: "install";
    readonly name: string;
    readonly version: ProvidedVersion | undefined;
    automatic: boolean;
  }
  | {
    readonly kind: "file";
    readonly name: string;
    readonly file: Candidate;
    readonly automatic: boolean;
    /** It is installed at this version and written again all the same. */
    readonly again: boolean;
  }
  | { readonly kind: "reinstall"; readonly name: string }
  | { readonly kind: "downgrade"; readonly name: string; readonly version: Version }
  | {
    readonly kind: "restore";
    readonly name: string;
    readonly version: Version;
    readonly reason: InstallReason | undefined;
  }
  | { readonly kind: "upgrade"; readonly name: string; readonly named: boolean; readonly target: Target }
  /** Nothing to move, but its dependencies must hold. */
  | { readonly kind: "keep"; readonly name: string; readonly verb: string };

/** Where an installed package can move forward to (S-UPG-01). */
export interface Target {
  /** Candidates of the chosen kind with the priority of the best, in scan order. */
  readonly candidates: readonly Candidate[];
  readonly best: Candidate;
  /** They bear another name and replace it. */
  readonly successor: boolean;
}

/** A request that fails before anything is searched. */
export type RequestFailure =
  | { readonly rule: "E_REQ_CONTRADICTORY" | "E_NOT_INSTALLED"; readonly name: string; readonly verb: string }
  | { readonly rule: "E_CRITICAL" | "E_HELD"; readonly name: string; readonly verb: string }
  | { readonly rule: "E_ORPHAN_NO_SOURCE"; readonly name: string; readonly verb: string }
  | { readonly rule: "E_NOT_A_DOWNGRADE" | "E_VERSION_NOT_AVAILABLE"; readonly name: string; readonly verb: string };

/** What a search sets out to do. */
export interface Agenda {
  /** In byte order of names (S-REQ-01). */
  readonly goals: readonly Goal[];
  /** Installed packages to remove, ascending. */
  readonly removals: readonly InstalledPackage[];
  /** Packages a full upgrade leaves out, though something newer is on offer (S-HOLD-02, F-LATE-07). */
  readonly leftOut: readonly HeldBack[];
}

/**
 * Turns requests into goals.
 *
 * @param heldBack Names of full-upgrade targets to leave out of this attempt (S-UPG-05).
 * @see S-REQ-01, S-REQ-02, S-REQ-05, S-UPG-06, S-DOWN-01, S-CRIT-02, S-HOLD-02
 */
export function planAgenda(context: Context, heldBack: ReadonlySet<string>): Agenda | RequestFailure {
  const byName = new Map<string, Request>();
  let all: Extract<Request, { kind: "upgrade-all" }> | undefined;
  for (const request of context.problem.requests) {
    if (request.kind === "upgrade-all") {
      all = request;
      continue;
    }
    const name = request.kind === "install-file" ? request.file.name : request.name;
    const other = byName.get(name);
    if (other === undefined) byName.set(name, request);
    else {
      const merged = mergeRequests(request, other, context);
      if (merged === undefined) return { rule: "E_REQ_CONTRADICTORY", name, verb: request.kind };
      byName.set(name, merged);
    }
  }
  const requests = [...byName].sort(([a], [b]) => compareText(a, b));
  const goals: Goal[] = [];
  const removals: InstalledPackage[] = [];
  for (const [name, request] of requests) {
    const installed = context.installed(name);
    if (installed === undefined && needsInstalled(request)) {
      return { rule: "E_NOT_INSTALLED", name, verb: request.kind };
    }
  }
  for (const [name, request] of requests) {
    const goal = request.kind === "remove" ? removal(name, context, removals) : goalOf(name, request, context);
    if (goal === undefined) continue;
    if ("rule" in goal) return goal;
    goals.push(goal);
  }
  const leftOut: HeldBack[] = [];
  if (all !== undefined) addUpgrades(all, byName, heldBack, goals, leftOut, context);
  goals.sort((a, b) => compareText(a.name, b.name));
  return { goals: withoutReplacedTargets(goals, context), removals, leftOut };
}

/** Whether a goal needs no decision in this world: met, or without anything left to move. */
export function isMet(goal: Goal, world: World): boolean {
  const present = world.get(goal.name);
  switch (goal.kind) {
    case "keep":
      return true;
    case "install":
      if (goal.version === undefined) return present !== undefined;
      return present !== undefined && isVersion(present.version, goal.version);
    case "file":
      if (goal.again) return world.decided.has(goal.name);
      return present !== undefined && compareVersions(present.version, goal.file.version) === 0; // S-LOCAL-03
    case "reinstall":
      return world.decided.has(goal.name);
    case "downgrade":
    case "restore":
      return present !== undefined && compareVersions(present.version, goal.version) === 0;
    case "upgrade":
      if (world.removed.has(goal.name) || world.decided.has(goal.name)) return true;
      return goal.target.candidates.some((candidate) => world.get(candidate.name) === candidate);
  }
}

/** Demand of a goal's decision. */
export function goalDemand(goal: Goal): Demand {
  return goal.kind === "restore" ? { ...PLAIN_DEMAND, retained: true } : PLAIN_DEMAND;
}

/** Every candidate a goal could be met with, in scan order, eligible or not. */
export function goalCandidates(goal: Goal, context: Context): readonly Candidate[] {
  switch (goal.kind) {
    case "keep":
      return [];
    case "file":
      return [goal.file];
    case "upgrade":
      return goal.target.candidates;
    case "install": {
      const { version } = goal;
      const named = context.named(goal.name);
      return version === undefined ? named : named.filter((candidate) => isVersion(candidate.version, version));
    }
    case "reinstall": {
      const installed = context.installed(goal.name);
      if (installed === undefined) return [];
      return context.named(goal.name).filter((candidate) =>
        compareVersions(candidate.version, installed.version) === 0
      );
    }
    case "downgrade":
    case "restore":
      return context.named(goal.name).filter((candidate) => compareVersions(candidate.version, goal.version) === 0);
  }
}

/** Options of a goal's decision (S-SEARCH-02). */
export function goalOptions(goal: Goal, world: World): Options {
  return optionsAmong(goalCandidates(goal, world.context), goalDemand(goal), world);
}

/**
 * Finds where an installed package can move forward to.
 *
 * @see S-UPG-01, S-UPG-02
 */
function findTarget(installed: InstalledPackage, context: Context): Target | undefined {
  if (!context.upgradeTargets.has(installed.name)) {
    context.upgradeTargets.set(installed.name, computeTarget(installed, context));
  }
  return context.upgradeTargets.get(installed.name);
}

function computeTarget(installed: InstalledPackage, context: Context): Target | undefined {
  const named = context.named(installed.name).filter((candidate) => isOnOffer(candidate, context));
  const successors = context.replacersOf(installed.name).filter((candidate) => {
    if (!isOnOffer(candidate, context) || !replaces(candidate, installed)) return false;
    const present = context.installed(candidate.name);
    if (present !== undefined && compareVersions(present.version, candidate.version) >= 0) return false;
    return !named.some((own) => priorityOf(own) < priorityOf(candidate));
  });
  const successor = bestOf(successors, context);
  if (successor !== undefined) {
    const candidates = successors.filter((candidate) => priorityOf(candidate) === priorityOf(successor));
    return { candidates, best: successor, successor: true };
  }
  const best = bestOf(named, context); // S-UPG-02: decided before comparing with the installed version
  if (best === undefined || compareVersions(best.version, installed.version) <= 0) return undefined;
  const candidates = named.filter((candidate) =>
    priorityOf(candidate) === priorityOf(best) && compareVersions(candidate.version, installed.version) > 0
  );
  return { candidates, best, successor: false };
}

/** The most preferred of some candidates, eligibility of the moment aside. */
export function bestOf(candidates: readonly Candidate[], context: Context): Candidate | undefined {
  return new Options(candidates, PLAIN_DEMAND, context.problem.primaryArchitecture).next()?.candidate;
}

function isOnOffer(candidate: Candidate, context: Context): boolean {
  return context.isInstallable(candidate) && candidate.origin.kind !== "retained";
}

/** Whether a version is the one an operand means: without a revision in the operand, revisions do not count (S-CON-03). */
function isVersion(version: Version, wanted: ProvidedVersion): boolean {
  return compareEpochAndUpstream(version, wanted) === 0 &&
    (wanted.revision === undefined || wanted.revision === version.revision);
}

function needsInstalled(request: Request): boolean {
  return request.kind === "upgrade" || request.kind === "downgrade" || request.kind === "remove" ||
    request.kind === "reinstall";
}

/** S-REQ-01, S-REQ-02, C-INSTALL-11 */
function mergeRequests(a: Request, b: Request, context: Context): Request | undefined {
  if (a.kind === "install-file" && b.kind === "install-file") return a.file.hash === b.file.hash ? a : undefined;
  if (a.kind === "install-file") return denotes(b, a.file, context) ? a : undefined;
  if (b.kind === "install-file") return denotes(a, b.file, context) ? b : undefined;
  if (a.kind !== b.kind) return undefined;
  if (a.kind === "downgrade" && b.kind === "downgrade") return a.version.raw === b.version.raw ? a : undefined;
  if (a.kind === "restore" && b.kind === "restore") return a.version.raw === b.version.raw ? a : undefined;
  if (a.kind === "install" && b.kind === "install") return a.version?.raw === b.version?.raw ? a : undefined;
  return a;
}

/** Whether a request by name could only mean the very file that was given. */
function denotes(request: Request, file: Candidate, context: Context): boolean {
  return (request.kind === "install" || request.kind === "reinstall") &&
    context.named(file.name).some((candidate) => candidate.hash === file.hash);
}

/** S-SEARCH-01: guards of a requested removal. */
function removal(name: string, context: Context, removals: InstalledPackage[]): RequestFailure | undefined {
  const installed = context.installed(name);
  if (installed === undefined) return { rule: "E_NOT_INSTALLED", name, verb: "remove" };
  if (context.isCritical(name) && !context.problem.options.allowCritical) {
    return { rule: "E_CRITICAL", name, verb: "remove" }; // S-CRIT-02
  }
  if (installed.held) return { rule: "E_HELD", name, verb: "remove" }; // S-HOLD-02
  removals.push(installed);
  return undefined;
}

function goalOf(name: string, request: Request, context: Context): Goal | RequestFailure | undefined {
  switch (request.kind) {
    case "install":
      return { kind: "install", name, version: request.version, automatic: request.automatic === true };
    case "install-file":
      return fileGoal(name, request, context);
    case "reinstall":
      return { kind: "reinstall", name };
    case "restore":
      return { kind: "restore", name, version: request.version, reason: request.reason };
    case "downgrade":
      return downgradeGoal(name, request.version, context);
    case "upgrade":
      return upgradeGoal(name, context);
    case "remove":
    case "upgrade-all":
      return undefined;
  }
}

/** S-LOCAL-03: the installed version is met as it stands, unless it is to be written again. */
function fileGoal(name: string, request: Extract<Request, { kind: "install-file" }>, context: Context): Goal {
  const { file } = request;
  const installed = context.installed(name);
  const again = request.reinstall === true && installed !== undefined &&
    compareVersions(installed.version, file.version) === 0;
  return { kind: "file", name, file, automatic: request.automatic === true, again };
}

/** S-DOWN-01 */
function downgradeGoal(name: string, wanted: ProvidedVersion, context: Context): Goal | RequestFailure | undefined {
  const installed = context.installed(name);
  if (installed === undefined) return { rule: "E_NOT_INSTALLED", name, verb: "downgrade" };
  const onOffer = context.named(name).filter((candidate) =>
    isOnOffer(candidate, context) && isVersion(candidate.version, wanted)
  );
  const version = highestVersion(onOffer, (candidate) => candidate.version)?.version;
  if (version === undefined) {
    if (isVersion(installed.version, wanted)) return { kind: "keep", name, verb: "downgrade" };
    const newer = compareEpochAndUpstream(wanted, installed.version) ||
      Number((wanted.revision ?? 0n) > installed.version.revision);
    return { rule: newer > 0 ? "E_NOT_A_DOWNGRADE" : "E_VERSION_NOT_AVAILABLE", name, verb: "downgrade" };
  }
  const order = compareVersions(version, installed.version);
  if (order === 0) return { kind: "keep", name, verb: "downgrade" };
  if (order > 0) return { rule: "E_NOT_A_DOWNGRADE", name, verb: "downgrade" };
  return { kind: "downgrade", name, version };
}

/** S-UPG-06 */
function upgradeGoal(name: string, context: Context): Goal | RequestFailure | undefined {
  const installed = context.installed(name);
  if (installed === undefined) return { rule: "E_NOT_INSTALLED", name, verb: "upgrade" };
  if (installed.held) return { rule: "E_HELD", name, verb: "upgrade" };
  const target = findTarget(installed, context);
  if (target !== undefined) return { kind: "upgrade", name, named: true, target };
  if (context.isOrphaned(installed) && !context.named(name).some((candidate) => isOnOffer(candidate, context))) {
    return { rule: "E_ORPHAN_NO_SOURCE", name, verb: "upgrade" };
  }
  return { kind: "keep", name, verb: "upgrade" };
}

/** S-UPG-03 */
function addUpgrades(
  request: Extract<Request, { kind: "upgrade-all" }>,
  named: ReadonlyMap<string, Request>,
  heldBack: ReadonlySet<string>,
  goals: Goal[],
  leftOut: HeldBack[],
  context: Context,
): void {
  const excluded = new Set(request.exclude ?? []);
  for (const name of context.installedNames) {
    const installed = context.installed(name);
    if (installed === undefined || named.has(name) || excluded.has(name) || heldBack.has(name)) continue;
    const target = findTarget(installed, context);
    if (target === undefined) continue;
    const { version } = installed;
    const available = target.best.version;
    if (installed.held) {
      // a successor bears another name: nothing newer of this one is on offer
      if (!target.successor) leftOut.push({ name: installed.name, version, available, reason: "held" });
    } else if ((target.best.alternateUpgrade ?? "") !== "") {
      leftOut.push({ name: installed.name, version, available, reason: "alternate-upgrade" });
    } else {
      goals.push({ kind: "upgrade", name, named: false, target });
    }
  }
}

/**
 * S-UPG-04: a target that another target's package replaces is dropped; that replacement removes it. Targets that
 * lead to one package are not each other's reason, and dropping them all would lose it.
 */
function withoutReplacedTargets(goals: readonly Goal[], context: Context): readonly Goal[] {
  const replacers = new Map<string, Set<Candidate>>();
  for (const goal of goals) {
    if (goal.kind !== "upgrade") continue;
    for (const target of context.targetsOf(goal.target.best)) {
      const found = replacers.get(target.name);
      if (found === undefined) replacers.set(target.name, new Set([goal.target.best]));
      else found.add(goal.target.best);
    }
  }
  return goals.filter((goal) => {
    const found = goal.kind === "upgrade" && !goal.named ? replacers.get(goal.name) : undefined;
    if (found === undefined || goal.kind !== "upgrade") return true;
    return found.size === 1 && found.has(goal.target.best);
  });
}
