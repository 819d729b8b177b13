/** Which candidates may be picked (S-ELIG) and in what order (S-SELECT): one comparison per rule, in rule order. */
import { type Architecture, matchesQualifierAny } from "../identity/architecture.ts";
import { compareVersions } from "../identity/version.ts";
import type { Context } from "./context.ts";
import type { ExclusionWord } from "./plan.ts";
import type { Candidate, RelationEntry } from "./problem.ts";
import { compareText, handleOf, matchOf, priorityOf } from "./satisfaction.ts";
import type { World } from "./world.ts";

/** What a decision is for; it changes a few rules of eligibility and order. */
export interface Demand {
  /** The dependency to meet; `undefined` for goals and for repairs by a package's own name. */
  readonly entry: RelationEntry | undefined;
  /** Architecture of the package that declares the dependency; `undefined` for goals. */
  readonly declaring: Architecture | undefined;
  /** The depending package, when it is being installed from a repository (S-SELECT-04). */
  readonly depender: Candidate | undefined;
  /** A package kept from an earlier transaction may be picked (S-UNDO-04). */
  readonly retained: boolean;
}

/** A demand without a dependency behind it. */
export const PLAIN_DEMAND: Demand = { entry: undefined, declaring: undefined, depender: undefined, retained: false };

/**
 * Names the first rule that keeps a candidate from being picked now; `undefined` when it is eligible.
 *
 * @see S-ELIG-01 … S-ELIG-08
 */
export function exclusionOf(candidate: Candidate, demand: Demand, world: World): ExclusionWord | undefined {
  const lasting = lastingExclusion(candidate, demand, world.context);
  if (lasting === "arch") return lasting;
  const { name } = candidate;
  if (world.removed.has(name)) return "removed"; // S-ELIG-02
  if (world.decided.has(name)) return "decided"; // S-ELIG-03
  if (lasting !== undefined && lasting !== "critical") return lasting;
  for (const target of world.context.targetsOf(candidate)) {
    if (world.decided.has(target.name)) return "replaces-requested"; // S-ELIG-07
  }
  return lasting;
}

/**
 * The part of eligibility that no placement changes, for the whole search.
 *
 * @see S-ELIG-01, S-ELIG-04 … S-ELIG-08
 */
export function lastingExclusion(candidate: Candidate, demand: Demand, context: Context): ExclusionWord | undefined {
  const { name } = candidate;
  if (!context.isInstallable(candidate)) return "arch"; // S-ELIG-01
  if (demand.declaring !== undefined && !matchesQualifierAny(candidate.architecture, demand.declaring)) return "arch";
  const file = context.files.get(name);
  if (file !== undefined && file !== candidate) return "decided"; // S-LOCAL-02
  const installed = context.installed(name);
  if (installed !== undefined) {
    const order = compareVersions(candidate.version, installed.version);
    if (order === 0 && !context.isReinstalled(name)) return "same-version"; // S-ELIG-04
    if (order < 0 && !context.mayRegress(name)) return "regression"; // S-ELIG-05
    if (installed.held) return "held"; // S-ELIG-06
  }
  const targets = context.targetsOf(candidate);
  if (targets.length === 0) return undefined;
  if (targets.some((target) => target.held)) return "held";
  if (targets.some((target) => context.requested.has(target.name))) return "replaces-requested"; // S-ELIG-07
  // S-ELIG-08, S-CRIT-03: only another critical package may take a critical one's place
  const guarded = !context.problem.options.allowCritical && !context.isCritical(name);
  return guarded && targets.some((target) => context.isCritical(target.name)) ? "critical" : undefined;
}

/** Candidates of one decision in order of preference; the order is worked out only as far as it is read. */
export class Options {
  readonly #left: Ranked[];
  #priority: number | undefined;

  /** @param candidates Eligible candidates in scan order (S-SELECT-08). */
  constructor(candidates: readonly Candidate[], demand: Demand, primary: Architecture) {
    this.#left = rank(candidates, demand, primary);
  }

  /**
   * Takes the next candidate. All have the priority of the first: nothing ever falls back to a weaker repository
   * (S-SELECT-07).
   */
  next(): Choice | undefined {
    let best: Ranked | undefined;
    for (const ranked of this.#left) {
      if (this.#priority !== undefined && ranked.priority !== this.#priority) continue;
      // S-SELECT-08: scan in fixed order, keep the strictly better one
      if (best === undefined || compareRanked(ranked, best) < 0) best = ranked;
    }
    if (best === undefined) return undefined;
    const { candidate, priority } = best;
    const overtaken = best.demoted
      ? undefined
      : this.#left.find((other) =>
        other.demoted && other.candidate.name === candidate.name && other.priority < priority
      )?.candidate;
    this.#priority = priority;
    this.#left.splice(this.#left.indexOf(best), 1);
    return { candidate, overtaken };
  }

  /** Takes all that are left, in order. */
  drain(): readonly Choice[] {
    const result: Choice[] = [];
    for (let choice = this.next(); choice !== undefined; choice = this.next()) result.push(choice);
    return result;
  }
}

export interface Choice {
  readonly candidate: Candidate;
  /** A stronger repository's `noarch` candidate of the same name that S-SELECT-02 moved behind this one. */
  readonly overtaken: Candidate | undefined;
}

interface Ranked {
  readonly candidate: Candidate;
  readonly demoted: boolean;
  readonly priority: number;
  readonly elsewhere: boolean;
  readonly byProvides: boolean;
  readonly kept: boolean;
}

function rank(candidates: readonly Candidate[], demand: Demand, primary: Architecture): Ranked[] {
  const exact = new Set<string>();
  if (candidates.length > 1) {
    for (const candidate of candidates) if (candidate.architecture === primary) exact.add(candidate.name);
  }
  const home = demand.depender === undefined ? undefined : handleOf(demand.depender);
  return candidates.map((candidate) => ({
    candidate,
    demoted: candidate.architecture === "noarch" && exact.has(candidate.name), // S-SELECT-02
    priority: priorityOf(candidate),
    elsewhere: home !== undefined && handleOf(candidate) !== home,
    byProvides: demand.entry !== undefined &&
      matchOf(demand.entry, demand.declaring ?? primary, candidate) === "provides",
    kept: candidate.origin.kind === "retained",
  }));
}

function compareRanked(a: Ranked, b: Ranked): number {
  if (a.kept !== b.kept) return a.kept ? -1 : 1; // S-UNDO-04
  if (a.demoted !== b.demoted) return a.demoted ? 1 : -1; // S-SELECT-02
  if (a.priority !== b.priority) return a.priority - b.priority; // S-SELECT-03
  if (a.elsewhere !== b.elsewhere) return a.elsewhere ? 1 : -1; // S-SELECT-04
  const version = compareVersions(b.candidate.version, a.candidate.version); // S-SELECT-05
  if (version !== 0) return version;
  if (a.byProvides !== b.byProvides) return a.byProvides ? 1 : -1; // S-SELECT-06
  return compareText(a.candidate.name, b.candidate.name) ||
    compareText(handleOf(a.candidate) ?? "", handleOf(b.candidate) ?? "") ||
    compareText(a.candidate.hash, b.candidate.hash);
}

/** Options to meet a dependency, or of a goal's candidates: the eligible ones, ranked. */
export function optionsAmong(candidates: readonly Candidate[], demand: Demand, world: World): Options {
  const { primaryArchitecture } = world.context.problem;
  const eligible = candidates.filter((candidate) =>
    isOffered(candidate, demand) && isPickable(candidate, demand, world)
  );
  return new Options(eligible, demand, primaryArchitecture);
}

/** Whether a candidate is one this demand may be answered with at all, eligible or not. */
export function isOffered(candidate: Candidate, demand: Demand): boolean {
  return demand.retained || candidate.origin.kind !== "retained"; // S-UNDO-04: for restoring its own name alone
}

function isPickable(candidate: Candidate, demand: Demand, world: World): boolean {
  const { entry, declaring } = demand;
  if (entry !== undefined && declaring !== undefined && matchOf(entry, declaring, candidate) === undefined) {
    return false;
  }
  return exclusionOf(candidate, demand, world) === undefined;
}
