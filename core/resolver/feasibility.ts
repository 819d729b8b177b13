/**
 * The judge of the search: whether any world at all could contain a set of placements. It knows everything a search
 * from these goals could ever place, and states what every finished world obeys: one package per name, dependencies
 * met, conflicts apart, replaced packages gone. A world the search could reach never breaks a statement made here, so
 * refusing what the judge rules out changes no answer; what it admits may still fail.
 */
import type { Context } from "./context.ts";
import type { Agenda, Goal } from "./goals.ts";
import { Closure } from "./closure.ts";
import type { Candidate, InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import { negated, positive, Solver } from "./satisfiability.ts";
import { meets } from "./satisfaction.ts";
import { namesOf } from "./context.ts";

/** Up to so many candidates of one name are kept apart pair by pair. */
const MAX_PAIRWISE = 6;

export class Feasibility {
  /** Whether the allowance of work ended before an answer was found. */
  exhausted = false;
  readonly #solver: Solver;
  /** The goals it was made for, by name. */
  readonly #agenda: ReadonlyMap<string, Goal>;
  readonly #closure: Closure;
  readonly #placed = new Map<Candidate, number>();
  /** Literals that say an installed package is left as it is; only for those that could change. */
  readonly #kept = new Map<string, number>();
  readonly #byName = new Map<string, Candidate[]>();
  /** Literals that say a goal is to be met, by its name. */
  readonly #goals = new Map<string, number>();
  /** Those of the goals of the present search. */
  #wanted: readonly number[];
  readonly #assumed: (number | undefined)[] = [];
  #model: ReadonlySet<number> | undefined;

  /**
   * @param hint Candidates the branch of first options placed; tried first.
   * @param maxConflicts Allowance of work, counted in conflicts of the solver.
   * @param settle Whether installed packages may leave because of conflicts (S-CONF-02).
   */
  constructor(
    readonly context: Context,
    agenda: Agenda,
    readonly settle: boolean,
    hint: ReadonlySet<Candidate>,
    maxConflicts: number,
  ) {
    this.#solver = new Solver(maxConflicts);
    this.#agenda = new Map(agenda.goals.map((goal) => [goal.name, goal]));
    this.#closure = new Closure(context, agenda);
    for (const candidate of this.#closure.candidates) {
      this.#placed.set(candidate, positive(this.#solver.addVariable(hint.has(candidate))));
      const others = this.#byName.get(candidate.name);
      if (others === undefined) this.#byName.set(candidate.name, [candidate]);
      else others.push(candidate);
    }
    for (const name of this.#closure.changeable) {
      this.#kept.set(name, positive(this.#solver.addVariable(!this.#byName.has(name))));
    }
    this.#stateNames();
    for (const candidate of this.#closure.candidates) this.#stateCandidate(candidate);
    this.#stateInstalled();
    for (const [name, candidates] of this.#closure.goals) {
      const goal = positive(this.#solver.addVariable(true));
      this.#goals.set(name, goal);
      this.#add([negated(goal), ...candidates.map((candidate) => this.#placed.get(candidate))]);
    }
    this.#wanted = [...this.#goals.values()];
  }

  /**
   * Turns to a search for fewer of the goals. What was stated and learnt for all of them stays right: such a search
   * can place nothing that the earlier one could not.
   *
   * @returns Whether the goals are among those this judge was made for; if not, nothing has changed.
   */
  narrow(agenda: Agenda): boolean {
    if (agenda.goals.some((goal) => this.#agenda.get(goal.name)?.kind !== goal.kind)) return false;
    const names = new Set(agenda.goals.map((goal) => goal.name));
    this.#wanted = [...this.#goals].flatMap(([name, literal]) => names.has(name) ? [literal] : []);
    this.#assumed.length = 0;
    this.#model = undefined;
    this.exhausted = false;
    this.#solver.renew();
    return true;
  }

  /** Whether any world could meet the goals under what is assumed. */
  isPossible(): boolean {
    return this.#solve(this.#assumptions());
  }

  /** Forgets all but the first `count` placements. */
  retreat(count: number): void {
    this.#assumed.length = Math.min(count, this.#assumed.length);
  }

  /** Assumes one more placement when a world could contain it with those before. */
  admits(candidate: Candidate): boolean {
    const literal = this.#placed.get(candidate);
    const isPossible = literal === undefined
      ? this.#model !== undefined || this.isPossible()
      : this.#model?.has(literal) === true || this.#solve([...this.#assumptions(), literal]);
    if (isPossible) this.#assumed.push(literal);
    return isPossible;
  }

  /**
   * States that the members of a cycle cannot be placed together unless something else meets one of the dependencies
   * between them (S-ORDER-05).
   */
  forbidCycle(members: readonly Candidate[]): void {
    const clause: (number | undefined)[] = [];
    const inside = new Set(members);
    for (const member of members) {
      clause.push(negate(this.#placed.get(member)));
      for (const entry of member.dependencies) {
        if (!members.some((other) => other !== member && meets(entry, member.architecture, other))) continue;
        for (const other of this.#placeable(entry, member)) {
          if (!inside.has(other)) clause.push(this.#placed.get(other));
        }
        for (const installed of this.#installedMeeting(entry, member)) clause.push(this.#kept.get(installed.name));
      }
    }
    this.#model = undefined;
    this.#add(clause);
  }

  #assumptions(): readonly number[] {
    return [...this.#wanted, ...this.#assumed.filter((literal) => literal !== undefined)];
  }

  #solve(assumptions: readonly number[]): boolean {
    const answer = this.#solver.solve(assumptions);
    if (answer === undefined) this.exhausted = true;
    if (answer !== true) return false;
    const model = new Set<number>();
    for (const literal of this.#placed.values()) if (this.#solver.isTrue(literal >> 1)) model.add(literal);
    this.#model = model;
    return true;
  }

  /** Adds a clause; an `undefined` literal stands for a candidate nothing places, and is left out. */
  #add(literals: readonly (number | undefined)[]): void {
    this.#solver.addClause(literals.filter((literal) => literal !== undefined));
  }

  /** One package per name; an untouched installed package is one that nothing moved or replaced. */
  #stateNames(): void {
    for (const candidates of this.#byName.values()) this.#atMostOne(candidates);
    for (const candidate of this.#closure.candidates) {
      const literal = this.#literal(candidate);
      const kept = this.#kept.get(candidate.name);
      if (kept !== undefined) this.#add([negated(literal), negated(kept)]);
      for (const target of this.context.targetsOf(candidate)) {
        const targetKept = this.#kept.get(target.name);
        if (targetKept !== undefined) this.#add([negated(literal), negated(targetKept)]);
        // S-ELIG-07, S-ELIG-02: what is replaced is not placed, whichever comes first
        for (const other of this.#byName.get(target.name) ?? []) {
          this.#add([negated(literal), negate(this.#literal(other))]);
        }
      }
    }
    if (this.settle || this.#closure.cascades) return;
    for (const [name, kept] of this.#kept) {
      const movers = [...this.#byName.get(name) ?? [], ...this.#closure.replacersOf(name)];
      this.#add([kept, ...movers.map((mover) => this.#literal(mover))]);
    }
  }

  #atMostOne(candidates: readonly Candidate[]): void {
    if (candidates.length <= MAX_PAIRWISE) {
      candidates.forEach((a, index) => {
        for (const b of candidates.slice(index + 1)) this.#add([negate(this.#literal(a)), negate(this.#literal(b))]);
      });
      return;
    }
    // a ladder: `before` says that one of the candidates so far is placed
    let before: number | undefined;
    for (const candidate of candidates) {
      const literal = this.#literal(candidate);
      const now = positive(this.#solver.addVariable(false));
      this.#add([negated(literal), now]);
      if (before !== undefined) {
        this.#add([negated(before), now]);
        this.#add([negated(before), negated(literal)]);
      }
      before = now;
    }
  }

  #stateCandidate(candidate: Candidate): void {
    const absent = negated(this.#literal(candidate));
    for (const entry of candidate.dependencies) {
      if (meets(entry, candidate.architecture, candidate)) continue; // S-SAT-03
      const met = this.#meeting(entry, candidate);
      if (met !== undefined) this.#add([absent, ...met]);
    }
    // nothing is placed without something that asks for it
    const supporters = this.#closure.supporters(candidate);
    if (supporters !== undefined) this.#add([absent, ...supporters.map((supporter) => this.#literal(supporter))]);
    for (const entry of candidate.conflicts) {
      for (const other of this.#placeable(entry, candidate)) {
        if (other.name !== candidate.name) this.#add([absent, negated(this.#literal(other))]);
      }
      if (this.settle || this.#closure.cascades) continue;
      for (const other of this.#installedMeeting(entry, candidate)) this.#keepApart(absent, candidate, other);
    }
    if (this.settle || this.#closure.cascades) return;
    for (const name of namesOf(candidate)) {
      for (const other of this.context.installedOpponents(name)) {
        const isTriggered = other.conflicts.some((entry) =>
          entry.name === name && meets(entry, other.architecture, candidate)
        );
        if (isTriggered) this.#keepApart(absent, candidate, other);
      }
    }
  }

  #keepApart(absent: number, candidate: Candidate, other: InstalledPackage): void {
    if (other.name === candidate.name || this.#closure.isRemoved(other)) return;
    const kept = this.#kept.get(other.name);
    this.#add(kept === undefined ? [absent] : [absent, negated(kept)]);
  }

  /** Untouched installed packages keep what they had; anchored ones have all they need. */
  #stateInstalled(): void {
    for (const installed of this.#closure.dependents()) {
      const isAnchored = this.#closure.isAnchored(installed);
      if (!isAnchored && (this.settle || this.#closure.cascades)) continue;
      const kept = this.#kept.get(installed.name);
      for (const entry of installed.dependencies) {
        if (!isAnchored && !this.context.metOriginally(entry, installed)) continue; // S-SEARCH-07
        const met = this.#meeting(entry, installed);
        if (met !== undefined) this.#add(kept === undefined ? met : [negated(kept), ...met]);
      }
    }
  }

  /** Literals of what could meet an entry; `undefined` when something certain does. */
  #meeting(entry: RelationEntry, declaring: PackageFacts): readonly number[] | undefined {
    const literals: number[] = [];
    for (const installed of this.#installedMeeting(entry, declaring)) {
      if (this.#closure.isRemoved(installed)) continue;
      const kept = this.#kept.get(installed.name);
      if (kept === undefined) return undefined;
      literals.push(kept);
    }
    for (const candidate of this.#placeable(entry, declaring)) literals.push(this.#literal(candidate));
    return literals;
  }

  #installedMeeting(entry: RelationEntry, declaring: PackageFacts): readonly InstalledPackage[] {
    const result: InstalledPackage[] = [];
    const named = this.context.installed(entry.name);
    if (named !== undefined && meets(entry, declaring.architecture, named)) result.push(named);
    for (const provider of this.context.installedProviders(entry.name)) {
      if (provider !== named && meets(entry, declaring.architecture, provider)) result.push(provider);
    }
    return result;
  }

  #placeable(entry: RelationEntry, declaring: PackageFacts): readonly Candidate[] {
    return this.context.pool(entry.name).filter((candidate) =>
      this.#placed.has(candidate) && meets(entry, declaring.architecture, candidate)
    );
  }

  #literal(candidate: Candidate): number {
    const literal = this.#placed.get(candidate);
    if (literal === undefined) throw new RangeError(`no variable for ${candidate.name}`);
    return literal;
  }
}

/** The judges of one problem: repetitions of a full upgrade (S-UPG-05) ask the one that is there already. */
export class Judges {
  /** By whether conflicts with installed packages are settled by removal. */
  readonly #known = new Map<boolean, Feasibility>();

  /** @param maxConflicts Allowance of each judge. */
  constructor(readonly context: Context, readonly maxConflicts: number) {}

  /** A judge for these goals. The other parameters are those of its constructor. */
  judgeOf(agenda: Agenda, settle: boolean, hint: ReadonlySet<Candidate>): Feasibility {
    const known = this.#known.get(settle);
    if (known?.narrow(agenda) === true) return known;
    const judge = new Feasibility(this.context, agenda, settle, hint, this.maxConflicts);
    this.#known.set(settle, judge);
    return judge;
  }
}

function negate(literal: number | undefined): number | undefined {
  return literal === undefined ? undefined : negated(literal);
}
