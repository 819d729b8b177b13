/**
 * Everything a search could ever place, whatever it chooses: a superset worked out from the goals along dependencies,
 * repairs and replacements. Worked out only when the branch of first options has failed.
 */
import type { Context } from "./context.ts";
import { type Agenda, type Goal, goalCandidates, goalDemand, isMet } from "./goals.ts";
import { type Demand, isOffered, lastingExclusion, PLAIN_DEMAND } from "./preference.ts";
import type { Candidate, InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import { meets, priorityOf } from "./satisfaction.ts";
import { World } from "./world.ts";

/** More supporters than this are not worth a statement. */
const MAX_SUPPORTERS = 40;

export class Closure {
  readonly candidates = new Set<Candidate>();
  /** Installed names that could be moved, replaced or removed. */
  readonly changeable = new Set<string>();
  /** For each goal that must be met by a placement, by its name: one of these is placed. */
  readonly goals = new Map<string, readonly Candidate[]>();
  /** Whether packages may leave the installed set by cascade, so that nothing about untouched ones is certain. */
  readonly cascades: boolean;
  readonly #queue: Candidate[] = [];
  readonly #byName = new Map<string, Candidate[]>();
  /** What asked for a candidate; `undefined`: a goal or an installed package, which is always there to ask. */
  readonly #supporters = new Map<Candidate, Set<Candidate> | undefined>();
  readonly #replacers = new Map<string, Candidate[]>();
  readonly #removed: ReadonlySet<string>;
  readonly #anchored = new Map<string, InstalledPackage>();
  readonly #dependents = new Map<string, InstalledPackage>();
  /** The world before anything is placed. */
  readonly #start: World;

  constructor(readonly context: Context, agenda: Agenda) {
    this.#removed = new Set(agenda.removals.map((installed) => installed.name));
    this.cascades = context.problem.options.cascade && agenda.removals.length > 0;
    this.#start = new World(context);
    for (const installed of agenda.removals) this.#start.remove({ installed, cause: { kind: "requested" } });
    for (const goal of agenda.goals) this.#enterGoal(goal);
    for (const installed of agenda.removals) this.#loseAll(installed);
    for (let candidate = this.#queue.pop(); candidate !== undefined; candidate = this.#queue.pop()) {
      for (const entry of candidate.dependencies) this.#enterSatisfiers(entry, candidate, candidate);
      this.#enterChanges(candidate);
    }
    for (const goal of agenda.goals) this.#stateGoal(goal);
  }

  /** Candidates of this name. */
  named(name: string): readonly Candidate[] {
    return this.#byName.get(name) ?? [];
  }

  /** Candidates that replace an installed package of this name. */
  replacersOf(name: string): readonly Candidate[] {
    return this.#replacers.get(name) ?? [];
  }

  /** Whether the request itself removes it. */
  isRemoved(installed: InstalledPackage): boolean {
    return this.#removed.has(installed.name);
  }

  /** Whether a request leaves it as it is and needs its dependencies. */
  isAnchored(installed: InstalledPackage): boolean {
    return this.#anchored.has(installed.name);
  }

  /** Installed packages whose dependencies a search could touch, and anchored ones; removed ones left out. */
  dependents(): readonly InstalledPackage[] {
    return [...this.#dependents.values()].filter((installed) => !this.isRemoved(installed));
  }

  /** Candidates one of which must be placed for this one to be; `undefined` when nothing certain can be said. */
  supporters(candidate: Candidate): readonly Candidate[] | undefined {
    const found = this.#supporters.get(candidate);
    return found === undefined || found.size > MAX_SUPPORTERS ? undefined : [...found];
  }

  #enterGoal(goal: Goal): void {
    const installed = this.context.installed(goal.name);
    if (installed !== undefined && goal.kind !== "upgrade" && isMet(goal, this.#start)) {
      this.#anchored.set(installed.name, installed);
      this.#dependents.set(installed.name, installed);
      for (const entry of installed.dependencies) this.#enterSatisfiers(entry, installed, undefined);
    } else {
      this.#enterEligible(goalCandidates(goal, this.context), goalDemand(goal), undefined);
    }
  }

  /** A goal that is not met from the start is met by one of its candidates, or its package has moved otherwise. */
  #stateGoal(goal: Goal): void {
    if (isMet(goal, this.#start)) return;
    const possible = goalCandidates(goal, this.context).filter((candidate) => this.candidates.has(candidate));
    if (goal.kind !== "upgrade") {
      this.goals.set(goal.name, possible);
      return;
    }
    // S-UPG-05: left out when none of its options is eligible, which depends on what else is placed
    if (
      !goal.named &&
      (possible.length === 0 || possible.some((candidate) => this.context.targetsOf(candidate).length > 0))
    ) return;
    const names = new Set([goal.name, ...possible.map((candidate) => candidate.name)]);
    const movers = [...names].flatMap((name) => [...this.named(name), ...this.replacersOf(name)]);
    this.goals.set(goal.name, [...new Set(movers)]);
  }

  #enter(candidate: Candidate, supporter: Candidate | undefined): void {
    if (this.#removed.has(candidate.name)) return;
    if (!this.candidates.has(candidate)) {
      this.candidates.add(candidate);
      const others = this.#byName.get(candidate.name);
      if (others === undefined) this.#byName.set(candidate.name, [candidate]);
      else others.push(candidate);
      this.#supporters.set(candidate, new Set());
      this.#queue.push(candidate);
    }
    if (supporter === undefined) this.#supporters.set(candidate, undefined);
    else this.#supporters.get(candidate)?.add(supporter);
  }

  /** Enters what could be picked for a dependency. */
  #enterSatisfiers(entry: RelationEntry, declaring: PackageFacts, supporter: Candidate | undefined): void {
    const demand: Demand = { entry, declaring: declaring.architecture, depender: undefined, retained: false };
    const matching = this.context.pool(entry.name).filter((candidate) => {
      if (!meets(entry, declaring.architecture, candidate)) return false;
      const installed = this.context.installed(candidate.name);
      // S-SELECT-01: while it is installed and fits, nothing of its name is picked; once it is not, its name is taken
      return installed === undefined || this.#removed.has(installed.name) ||
        !meets(entry, declaring.architecture, installed);
    });
    this.#enterEligible(matching, demand, supporter);
  }

  #enterEligible(candidates: readonly Candidate[], demand: Demand, supporter: Candidate | undefined): void {
    const eligible = candidates.filter((candidate) =>
      isOffered(candidate, demand) && lastingExclusion(candidate, demand, this.context) === undefined
    );
    for (const candidate of eligible) {
      if (!this.#isShadowed(candidate, eligible, demand)) this.#enter(candidate, supporter);
    }
  }

  /**
   * S-SELECT-07: something stronger is eligible whenever this candidate is, so this one is never an option. That holds
   * for a candidate of the same name, and for one whose name can only ever be taken by what meets the demand as well.
   */
  #isShadowed(candidate: Candidate, eligible: readonly Candidate[], demand: Demand): boolean {
    return eligible.some((other) => {
      if (priorityOf(other) >= priorityOf(candidate) || this.context.targetsOf(other).length > 0) return false;
      // S-SELECT-02: a demoted candidate comes after weaker ones and shadows nothing
      const isDemoted = other.architecture === "noarch" &&
        eligible.some((exact) => exact.name === other.name && exact.architecture !== "noarch");
      return !isDemoted && (other.name === candidate.name || this.#alwaysMeets(other, demand));
    });
  }

  #alwaysMeets(other: Candidate, demand: Demand): boolean {
    const { entry, declaring } = demand;
    if (entry === undefined || declaring === undefined || this.context.installed(other.name) !== undefined) {
      return false;
    }
    return this.context.pool(other.name).every((same) => same.name !== other.name || meets(entry, declaring, same));
  }

  /** Enters the repairs that placing a candidate could call for. */
  #enterChanges(candidate: Candidate): void {
    const former = this.context.installed(candidate.name);
    if (former !== undefined) {
      this.#lose(former, (entry, dependent) => !meets(entry, dependent.architecture, candidate));
    }
    for (const target of this.context.targetsOf(candidate)) {
      const replacers = this.#replacers.get(target.name);
      if (replacers === undefined) this.#replacers.set(target.name, [candidate]);
      else replacers.push(candidate);
      this.#loseAll(target);
    }
  }

  #loseAll(installed: InstalledPackage): void {
    this.#lose(installed, () => true);
  }

  /** Notes that an installed package may change, and what its dependents could need where they lose it. */
  #lose(changed: InstalledPackage, isLost: (entry: RelationEntry, dependent: InstalledPackage) => boolean): void {
    this.changeable.add(changed.name);
    for (const dependent of this.context.dependentsOf(changed)) {
      if (dependent.name === changed.name) continue;
      this.#dependents.set(dependent.name, dependent);
      const lost = dependent.dependencies.filter((entry) =>
        meets(entry, dependent.architecture, changed) && isLost(entry, dependent)
      );
      if (lost.length === 0) continue;
      this.#enterEligible(this.context.named(dependent.name), PLAIN_DEMAND, undefined);
      for (const entry of lost) this.#enterSatisfiers(entry, dependent, undefined);
    }
  }
}
