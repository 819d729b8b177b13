/** From a failed branch to the rejection that describes it (section 13). */
import type { ErrorRule } from "../errors.ts";
import { compareVersions, type Version } from "../identity/version.ts";
import type { ConflictFound } from "./conflicts.ts";
import type { Context } from "./context.ts";
import type { BrokenDependent, ConflictSide, Considered, Rejection, Requirement } from "./derivation.ts";
import { type Goal, goalCandidates, goalDemand, type RequestFailure } from "./goals.ts";
import type { ExclusionWord } from "./plan.ts";
import { type Demand, exclusionOf, isOffered } from "./preference.ts";
import type { Candidate, InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import { chainOfAnchor, chainOfChange, chainOfPlacement, requestText, shown } from "./provenance.ts";
import type { BlockerFound } from "./removal.ts";
import { compareText, handleOf, matchOf, meets } from "./satisfaction.ts";
import { type Failure, MAX_PLACEMENTS } from "./search.ts";
import type { Anchor, RemovalCause, World } from "./world.ts";

type Parts = Partial<Rejection> & Pick<Rejection, "rule">;

/** S-EXPL-01: words that name the failure of a dependency, in order. */
const DEPENDENCY_RULES: readonly (readonly [ExclusionWord, ErrorRule])[] = [
  ["regression", "E_VERSION_REGRESSION"],
  ["held", "E_HELD"],
  ["critical", "E_CRITICAL"],
];
const GOAL_RULES: readonly (readonly [ExclusionWord, ErrorRule])[] = [...DEPENDENCY_RULES, ["arch", "E_ARCH_MISMATCH"]];

/** Explains a request that failed before any search. @see S-REQ-02, S-REQ-05, S-UPG-06, S-DOWN-01 */
export function explainRequest(failure: RequestFailure, context: Context): Rejection {
  const { rule, name, verb } = failure;
  const installed = context.installed(name);
  const needsNames = rule === "E_NOT_INSTALLED" || rule === "E_ORPHAN_NO_SOURCE";
  return rejection({
    rule,
    subject: name,
    chain: [`${verb === "install-file" ? "install" : verb} ${name}`],
    considered: rule === "E_VERSION_NOT_AVAILABLE" || rule === "E_NOT_A_DOWNGRADE"
      ? consideredByName(name, context)
      : [],
    installedVersion: installed?.version.raw,
    nearNames: needsNames && installed === undefined ? context.problem.available.nearNames(name) : [],
  });
}

/** Explains where the branch of first options failed. @see S-SEARCH-10, S-EXPL-01 … S-EXPL-03 */
export function explainFailure(failure: Failure, world: World): Rejection {
  switch (failure.kind) {
    case "goal":
      return explainGoal(failure.goal, world);
    case "dependency":
      return explainDependency(failure.by, failure.entry, world);
    case "repair":
      return explainRepair(failure.by, failure.entry, world);
    case "conflict":
      return explainConflict(failure.conflict, world);
    case "cycle":
      return rejection({
        rule: "E_CYCLE",
        subject: failure.members[0]?.name ?? "",
        chain: chainOfName(failure.members[0], world),
        members: failure.members.map((member) => member.name),
      });
    case "removal":
      return rejection({
        rule: "E_REMOVAL_BLOCKED",
        subject: failure.blockers[0]?.needs.name ?? "",
        chain: removalChain(failure.blockers[0]),
        blockers: failure.blockers.map(blockerData),
        closure: failure.closure,
      });
    case "guard":
      return rejection({
        rule: failure.rule,
        subject: failure.blocker.installed.name,
        chain: [...cascadeChain(failure.blocker.needs, world), shown(failure.blocker.installed)],
        requirement: requirementOf(failure.blocker.installed, failure.blocker.entry),
        blockers: [blockerData(failure.blocker)],
      });
    case "conflict-guard":
      return rejection({
        rule: failure.rule,
        subject: failure.installed.name,
        chain: [...chainOfPlacement(failure.root, world), shown(failure.installed)],
      });
    case "too-complex":
      return rejection({ rule: "E_TOO_COMPLEX", chain: [], limit: MAX_PLACEMENTS });
  }
}

function explainGoal(goal: Goal, world: World): Rejection {
  const { context } = world;
  const demand = goalDemand(goal);
  const candidates = goalCandidates(goal, context).filter((candidate) => isOffered(candidate, demand));
  const words = candidates.map((candidate) => exclusionOf(candidate, demand, world));
  const rule = candidates.length === 0 ? missingRule(goal, context) : ruleByWord(words, GOAL_RULES);
  const sameName = context.named(goal.name);
  const listed = candidates.length === 0 ? sameName : candidates;
  const isUnknown = rule === "E_NO_CANDIDATE";
  const subject = packageBehind(rule, candidates, demand, world) ?? goal.name;
  return rejection({
    rule,
    subject,
    chain: [requestText(goal)],
    requirement: { package: undefined, packageVersion: undefined, name: goal.name, constraint: goalConstraint(goal) },
    considered: listed.map((candidate) =>
      considered(candidate, candidates.length === 0 ? "constraint" : exclusionOf(candidate, demand, world), undefined)
    ),
    installedVersion: context.installed(subject)?.version.raw,
    missing: rule === "E_UNDO_UNAVAILABLE" ? missingNames(context) : [],
    // S-REQ-03
    providers: isUnknown ? context.pool(goal.name).map((candidate) => provider(candidate, goal.name)) : [],
    nearNames: isUnknown ? context.problem.available.nearNames(goal.name) : [],
  });
}

/** The installed package that a guard protects: the one that would move back, is held, or is critical. */
function packageBehind(
  rule: ErrorRule,
  candidates: readonly Candidate[],
  demand: Demand,
  world: World,
): string | undefined {
  const { context } = world;
  const word = GOAL_RULES.find(([, named]) => named === rule)?.[0];
  if (word === undefined || word === "arch") return undefined;
  const excluded = candidates.find((candidate) =>
    isOffered(candidate, demand) && exclusionOf(candidate, demand, world) === word &&
    (demand.entry === undefined || matchOf(demand.entry, candidate.architecture, candidate) !== undefined)
  );
  if (excluded === undefined) return undefined;
  const isHeld = context.installed(excluded.name)?.held === true;
  if (word === "regression" || (word === "held" && isHeld)) return excluded.name;
  const targets = context.targetsOf(excluded);
  return targets.find((target) => word === "held" ? target.held : context.isCritical(target.name))?.name;
}

/** What a goal without any candidate is called. */
function missingRule(goal: Goal, context: Context): ErrorRule {
  if (goal.kind === "restore") return "E_UNDO_UNAVAILABLE"; // S-UNDO-03
  if (goal.kind === "install" && (goal.version === undefined || context.named(goal.name).length === 0)) {
    return "E_NO_CANDIDATE";
  }
  return "E_VERSION_NOT_AVAILABLE";
}

/** S-UNDO-03: every package to restore that has no source. */
function missingNames(context: Context): readonly string[] {
  const names: string[] = [];
  for (const request of context.problem.requests) {
    if (request.kind !== "restore") continue;
    const installed = context.installed(request.name);
    const isSource = (version: Version): boolean => compareVersions(version, request.version) === 0;
    if (installed !== undefined && isSource(installed.version)) continue;
    if (!context.named(request.name).some((candidate) => isSource(candidate.version))) names.push(request.name);
  }
  return names.sort(compareText);
}

function goalConstraint(goal: Goal): string | undefined {
  switch (goal.kind) {
    case "install":
    case "downgrade":
    case "restore":
      return goal.version === undefined ? undefined : `= ${goal.version.raw}`;
    case "file":
      return `= ${goal.file.version.raw}`;
    default:
      return undefined;
  }
}

function explainDependency(by: Anchor, entry: RelationEntry, world: World): Rejection {
  const demand: Demand = {
    entry,
    declaring: by.facts.architecture,
    depender: by.placement?.candidate,
    retained: false,
  };
  const list = consideredFor(demand, world);
  // an arch word hides the rest, so a candidate that fits but for its architecture names no other rule
  const matching = list.filter((item) => item.excluded !== "constraint");
  const rule = ruleByWord(matching.map((item) => item.excluded), DEPENDENCY_RULES);
  const requirement = requirementOf(by.facts, entry);
  const about = packageBehind(rule, world.context.pool(entry.name), demand, world);
  return rejection({
    rule,
    subject: about ?? by.facts.name,
    installedVersion: about === undefined ? undefined : world.context.installed(about)?.version.raw,
    chain: [...chainOfAnchor(by, world), entry.name],
    requirement,
    considered: list,
    demands: rule === "E_UNSATISFIABLE" ? bothDemands(requirement, demand, world) : [],
    nearNames: list.length === 0 ? world.context.problem.available.nearNames(entry.name) : [],
  });
}

/** S-EXPL-02: the demand that decided the name otherwise, beside the one that fails. */
function bothDemands(requirement: Requirement, demand: Demand, world: World): readonly Requirement[] {
  const { entry } = demand;
  if (entry === undefined) return [];
  for (const candidate of world.context.pool(entry.name)) {
    const placement = world.decided.get(candidate.name);
    if (placement === undefined || placement.candidate === candidate) continue;
    if (matchOf(entry, demand.declaring ?? candidate.architecture, candidate) === undefined) continue;
    const { ground } = placement;
    if (ground.kind === "goal") {
      const other = { package: undefined, packageVersion: undefined, name: candidate.name };
      return [{ ...other, constraint: goalConstraint(ground.goal) }, requirement];
    }
    const asking = ground.kind === "repair" ? ground.by : ground.by.facts;
    return [requirementOf(asking, ground.entry), requirement];
  }
  return [];
}

function explainRepair(by: InstalledPackage, entry: RelationEntry, world: World): Rejection {
  const demand: Demand = { entry, declaring: by.architecture, depender: undefined, retained: false };
  const own = world.context.named(by.name).filter((candidate) => isOffered(candidate, demand));
  const broken = brokenDependent(by, entry, world);
  return rejection({
    rule: "E_BREAKS_DEPENDENT",
    subject: by.name,
    chain: [...broken.because, shown(by)],
    requirement: requirementOf(by, entry),
    considered: [
      ...own.map((candidate) =>
        considered(candidate, exclusionOf(candidate, { ...demand, entry: undefined }, world), undefined)
      ),
      ...consideredFor(demand, world).filter((item) => item.name !== by.name),
    ],
    broken,
  });
}

function brokenDependent(by: InstalledPackage, entry: RelationEntry, world: World): BrokenDependent {
  const former = world.context.originalSatisfiers(entry, by);
  const changed = former.find((satisfier) => !world.isUntouched(satisfier));
  return {
    dependent: by.name,
    version: by.version.raw,
    held: by.held,
    dependency: entry.name,
    constraint: entry.constraint?.raw,
    changed: changed?.name ?? entry.name,
    changedFrom: changed?.version.raw ?? "",
    changedTo: changed === undefined ? undefined : world.decided.get(changed.name)?.candidate.version.raw,
    because: changed === undefined ? [] : chainOfChange(changed, world),
  };
}

function explainConflict(conflict: ConflictFound, world: World): Rejection {
  const { placed, other, declaring, entry } = conflict;
  const otherPlacement = world.decided.get(other.name);
  const placedSide = side(placed.candidate, handleOf(placed.candidate), false);
  const otherSide = otherPlacement === undefined
    ? side(other, world.context.installed(other.name)?.origin, true)
    : side(other, handleOf(otherPlacement.candidate), false);
  return rejection({
    rule: "E_CONFLICT",
    subject: placed.candidate.name,
    chain: chainOfPlacement(placed, world),
    conflict: {
      declaring: declaring === "placed" ? placedSide : otherSide,
      other: declaring === "placed" ? otherSide : placedSide,
      entry: entry.name,
      constraint: entry.constraint?.raw,
      otherChain: otherPlacement === undefined ? [] : chainOfPlacement(otherPlacement, world),
    },
  });
}

function side(facts: PackageFacts, origin: string | undefined, installed: boolean): ConflictSide {
  return { name: facts.name, version: facts.version.raw, origin, installed };
}

/** Every candidate and installed package that matches a dependency by name or provides, sorted. */
function consideredFor(demand: Demand, world: World): readonly Considered[] {
  const { entry, declaring } = demand;
  if (entry === undefined) return [];
  const result: Considered[] = [];
  const { context } = world;
  for (const candidate of context.pool(entry.name)) {
    if (!isOffered(candidate, demand)) continue;
    // the constraint is judged apart from the architecture, which has a word of its own
    const fits = matchOf(entry, candidate.architecture, candidate) !== undefined;
    const excluded = fits ? exclusionOf(candidate, demand, world) : "constraint";
    result.push(considered(candidate, excluded, providedVersion(candidate, entry.name)));
  }
  const installed = [context.installed(entry.name), ...context.installedProviders(entry.name)];
  for (const facts of new Set(installed)) {
    if (facts === undefined) continue;
    const fits = meets(entry, declaring ?? facts.architecture, facts);
    const excluded = world.removed.has(facts.name) ? "removed" : fits ? "decided" : "constraint";
    result.push(consideredInstalled(facts, excluded, providedVersion(facts, entry.name)));
  }
  return result;
}

function consideredByName(name: string, context: Context): readonly Considered[] {
  return context.named(name).map((candidate) => considered(candidate, "constraint", undefined));
}

function considered(
  candidate: Candidate,
  excluded: ExclusionWord | undefined,
  provides: string | undefined,
): Considered {
  return {
    name: candidate.name,
    version: candidate.version.raw,
    architecture: candidate.architecture,
    repository: handleOf(candidate),
    installed: false,
    provides,
    excluded,
  };
}

function consideredInstalled(
  facts: InstalledPackage,
  excluded: ExclusionWord,
  provides: string | undefined,
): Considered {
  const { name, version, architecture } = facts;
  return { name, version: version.raw, architecture, repository: undefined, installed: true, provides, excluded };
}

function provider(candidate: Candidate, name: string): Considered {
  return considered(candidate, undefined, providedVersion(candidate, name));
}

function providedVersion(facts: PackageFacts, name: string): string | undefined {
  if (facts.name === name) return undefined;
  const entry = facts.provides.find((provided) => provided.name === name);
  return entry === undefined ? undefined : entry.version?.raw ?? "";
}

function requirementOf(facts: PackageFacts, entry: RelationEntry): Requirement {
  return {
    package: facts.name,
    packageVersion: facts.version.raw,
    name: entry.name,
    constraint: entry.constraint?.raw,
  };
}

function blockerData(blocker: BlockerFound) {
  return {
    package: blocker.installed.name,
    version: blocker.installed.version.raw,
    dependency: blocker.entry.name,
    constraint: blocker.entry.constraint?.raw,
    needs: blocker.needs.name,
  };
}

function removalChain(blocker: BlockerFound | undefined): readonly string[] {
  return blocker === undefined ? [] : [`remove ${blocker.needs.name}`, shown(blocker.installed)];
}

/** From the requested removal down to a package the cascade reached. */
function cascadeChain(removed: InstalledPackage, world: World): readonly string[] {
  const chain: string[] = [];
  for (let at: InstalledPackage | undefined = removed; at !== undefined;) {
    const cause: RemovalCause | undefined = world.removed.get(at.name)?.cause;
    if (cause?.kind !== "cascade") return [`remove ${at.name}`, ...chain];
    chain.unshift(shown(at));
    at = cause.by;
  }
  return chain;
}

function chainOfName(member: Candidate | undefined, world: World): readonly string[] {
  const placement = member === undefined ? undefined : world.decided.get(member.name);
  return placement === undefined ? [] : chainOfPlacement(placement, world);
}

function ruleByWord(
  words: readonly (ExclusionWord | undefined)[],
  rules: readonly (readonly [ExclusionWord, ErrorRule])[],
): ErrorRule {
  return rules.find(([word]) => words.includes(word))?.[1] ?? "E_UNSATISFIABLE";
}

/** Fills what a rule does not speak of with nothing. */
function rejection(parts: Parts): Rejection {
  return {
    kind: "rejection",
    subject: "",
    chain: [],
    requirement: undefined,
    demands: [],
    conflict: undefined,
    broken: undefined,
    blockers: [],
    closure: [],
    members: [],
    missing: [],
    providers: [],
    nearNames: [],
    installedVersion: undefined,
    limit: undefined,
    suggestions: [],
    ...parts,
    considered: [...parts.considered ?? []].sort(compareConsidered), // S-EXPL-03
  };
}

function compareConsidered(a: Considered, b: Considered): number {
  return compareText(a.name, b.name) || compareText(a.version, b.version) ||
    compareText(a.repository ?? "", b.repository ?? "") || Number(b.installed) - Number(a.installed) ||
    compareText(a.architecture, b.architecture);
}
