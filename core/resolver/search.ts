/**
 * The search of section 6: goals, removal closure, obligations, repairs, final checks. The answer is the first world
 * that passes, in depth-first order of preference. The branch of first options is walked plainly, and is the plan
 * nearly always; only when it fails is the rest of the tree searched, with the feasibility judge cutting off every
 * placement that no world can contain, which changes no answer because nothing that could pass is cut.
 */
import type { Context } from "./context.ts";
import { type ConflictFailure, settleConflicts } from "./conflicts.ts";
import type { Feasibility, Judges } from "./feasibility.ts";
import { type Agenda, type Goal, goalOptions, isMet } from "./goals.ts";
import { type Cycle, orderPlacements, orderRemovals } from "./order.ts";
import { type Choice, type Demand, exclusionOf, optionsAmong, PLAIN_DEMAND } from "./preference.ts";
import type { InstalledPackage, RelationEntry } from "./problem.ts";
import { closeRemovals, type ClosureFailure } from "./removal.ts";
import { RepairWatch } from "./repair.ts";
import { type Anchor, type Ground, type Mark, type Placement, World } from "./world.ts";

/** S-BOUND-01 */
export const MAX_PLACEMENTS = 100_000;

/** How much work the judge may do, counted in conflicts: some seconds for an answer, less to look for ways on. */
export const EFFORT = { answer: 60_000, suggestion: 4_000 } as const;

/** What one search may do. */
export interface SearchOptions {
  /** Whether `--cascade` may widen removals. */
  readonly cascade: boolean;
  /** Whether conflicts with installed packages are settled by removal (S-CONF-02). */
  readonly settle: boolean;
  readonly judges: Judges;
}

/** Where a branch of the search ended without a plan. */
export type Failure =
  | { readonly kind: "goal"; readonly goal: Goal }
  | { readonly kind: "dependency"; readonly by: Anchor; readonly entry: RelationEntry }
  | { readonly kind: "repair"; readonly by: InstalledPackage; readonly entry: RelationEntry }
  | { readonly kind: "too-complex" }
  | ClosureFailure
  | ConflictFailure
  | Cycle;

export type Outcome =
  | {
    readonly kind: "found";
    readonly world: World;
    readonly removals: readonly InstalledPackage[];
    readonly placements: readonly Placement[];
  }
  | { readonly kind: "failed"; readonly world: World; readonly failure: Failure };

/** A choice to make: options in order of preference, taken one by one. */
interface Decision {
  readonly kind: "decision";
  readonly ground: Ground;
  next(): Choice | undefined;
}

type Step = Decision | { readonly kind: "failure"; readonly failure: Failure } | { readonly kind: "complete" };

/** A decision on the way to the current world. */
interface Frame {
  readonly decision: Decision;
  readonly mark: Mark;
}

/**
 * Searches for the first world that passes.
 *
 * @see S-SEARCH-09, S-SEARCH-10, S-BOUND-01, S-BOUND-02
 */
export function search(context: Context, agenda: Agenda, options: SearchOptions): Outcome {
  const first = new Branch(context, agenda, options);
  const plain = first.walk();
  if (plain.kind === "found" || plain.failure.kind === "too-complex" || !first.hadAlternatives) return plain;
  const placed = new Set(plain.world.placements.map((placement) => placement.candidate));
  const judge = options.judges.judgeOf(agenda, options.settle, placed);
  const rest = new Branch(context, agenda, options);
  const outcome = rest.explore(judge);
  // S-SEARCH-10: the branch of first options explains the rejection
  return outcome.kind === "failed" && outcome.failure.kind !== "too-complex" ? plain : outcome;
}

class Branch {
  readonly #world: World;
  readonly #repairs: RepairWatch;
  #placed = 0;
  /** Whether any decision on the way had a second option. */
  hadAlternatives = false;

  constructor(
    readonly context: Context,
    readonly agenda: Agenda,
    readonly options: SearchOptions,
  ) {
    this.#world = new World(context);
    this.#repairs = new RepairWatch(this.#world);
    // S-SEARCH-01
    for (const installed of agenda.removals) this.#world.remove({ installed, cause: { kind: "requested" } });
  }

  /** Takes every first option. */
  walk(): Outcome {
    for (;;) {
      const step = this.#step();
      if (step.kind === "failure") return this.#failed(step.failure);
      if (step.kind === "complete") return this.#finish();
      const choice = step.next();
      if (choice === undefined) return this.#failed(failureOf(step.ground));
      if (!this.hadAlternatives && step.next() !== undefined) this.hadAlternatives = true;
      if (++this.#placed > MAX_PLACEMENTS) return this.#failed({ kind: "too-complex" });
      this.#world.place(choice.candidate, step.ground, choice.overtaken);
    }
  }

  /** Walks the tree depth-first, placing only what the judge holds possible. */
  explore(judge: Feasibility): Outcome {
    const frames: Frame[] = [];
    if (!judge.isPossible()) return this.#failed(judge.exhausted ? { kind: "too-complex" } : DEAD_END);
    for (;;) {
      const step = this.#step();
      if (step.kind === "complete") {
        const outcome = this.#finish();
        if (outcome.kind === "found") return outcome;
        if (outcome.failure.kind === "cycle") judge.forbidCycle(outcome.failure.members);
      } else if (step.kind === "decision") {
        frames.push({ decision: step, mark: this.#world.mark() });
      }
      // on a fresh decision take its first possible option; after a failure, the next one of the latest decision
      if (!this.#advance(frames, judge, step.kind === "decision")) {
        const complex = judge.exhausted || this.#placed > MAX_PLACEMENTS;
        return this.#failed(complex ? { kind: "too-complex" } : DEAD_END);
      }
    }
  }

  /** Moves to the next branch; `false` when the tree or the allowance is used up. */
  #advance(frames: Frame[], judge: Feasibility, fresh: boolean): boolean {
    let atMark = fresh;
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      if (!atMark) this.#world.restore(frame.mark);
      atMark = false;
      judge.retreat(frames.length - 1);
      for (let choice = frame.decision.next(); choice !== undefined; choice = frame.decision.next()) {
        if (!judge.admits(choice.candidate)) {
          if (judge.exhausted) return false;
          continue;
        }
        if (++this.#placed > MAX_PLACEMENTS) return false;
        this.#world.place(choice.candidate, frame.decision.ground, choice.overtaken);
        return true;
      }
      frames.pop();
    }
    return false;
  }

  #step(): Step {
    return this.#goalStep() ?? this.#closureStep() ?? this.#obligationStep() ?? this.#repairStep() ??
      { kind: "complete" };
  }

  /** S-SEARCH-02 */
  #goalStep(): Step | undefined {
    const world = this.#world;
    for (; world.goal < this.agenda.goals.length; world.goal++) {
      const goal = this.agenda.goals[world.goal];
      if (goal === undefined) continue;
      if (isMet(goal, world)) {
        const installed = this.context.installed(goal.name);
        if (installed !== undefined && goal.kind !== "upgrade" && world.isUntouched(installed)) {
          world.anchorInstalled(installed, goal);
        }
        continue;
      }
      const options = goalOptions(goal, world);
      const ground: Ground = { kind: "goal", goal };
      const first = options.next();
      if (first !== undefined) return decision(ground, first, () => options.next());
      if (goal.kind !== "upgrade" || goal.named) return { kind: "failure", failure: { kind: "goal", goal } };
      const reason = exclusionOf(goal.target.best, PLAIN_DEMAND, world) ?? "constraint";
      world.skipped.push({ goal, reason }); // S-UPG-05
    }
    return undefined;
  }

  /** S-SEARCH-04 */
  #closureStep(): Step | undefined {
    if (this.#world.closed) return undefined;
    this.#world.closed = true;
    const failure = closeRemovals(this.#world, this.options.cascade);
    return failure === undefined ? undefined : { kind: "failure", failure };
  }

  /** S-SEARCH-05 */
  #obligationStep(): Step | undefined {
    const open = this.#world.openObligation();
    if (open === undefined) return undefined;
    const { anchor, entry } = open;
    const demand: Demand = {
      entry,
      declaring: anchor.facts.architecture,
      depender: anchor.placement?.candidate,
      retained: false,
    };
    const options = optionsAmong(this.context.pool(entry.name), demand, this.#world);
    return decision({ kind: "obligation", by: anchor, entry }, options.next(), () => options.next());
  }

  /** S-SEARCH-06 */
  #repairStep(): Step | undefined {
    const broken = this.#repairs.next();
    if (broken === undefined) return undefined;
    const { installed, entry } = broken;
    const own = optionsAmong(this.context.named(installed.name), PLAIN_DEMAND, this.#world);
    const demand: Demand = { entry, declaring: installed.architecture, depender: undefined, retained: false };
    const others = optionsAmong(this.context.pool(entry.name), demand, this.#world);
    const next = (): Choice | undefined => own.next() ?? others.next();
    return decision({ kind: "repair", by: installed, entry }, next(), next);
  }

  /** S-SEARCH-08 */
  #finish(): Outcome {
    const failure = settleConflicts(this.#world, this.options.settle);
    if (failure !== undefined) return this.#failed(failure);
    const order = orderPlacements(this.#world);
    if (order.kind === "cycle") return this.#failed(order);
    return {
      kind: "found",
      world: this.#world,
      removals: orderRemovals(this.#world),
      placements: order.placements,
    };
  }

  #failed(failure: Failure): Outcome {
    return { kind: "failed", world: this.#world, failure };
  }
}

/** Stands for the failure of a whole tree, which the branch of first options explains. */
const DEAD_END: Failure = { kind: "cycle", members: [] };

/** The failure of a decision none of whose options is left. */
function failureOf(ground: Ground): Failure {
  switch (ground.kind) {
    case "goal":
      return { kind: "goal", goal: ground.goal };
    case "obligation":
      return { kind: "dependency", by: ground.by, entry: ground.entry };
    case "repair":
      return { kind: "repair", by: ground.by, entry: ground.entry };
  }
}

/** A decision whose first option has been looked at already. */
function decision(ground: Ground, first: Choice | undefined, rest: () => Choice | undefined): Decision {
  let isFirst = true;
  const next = (): Choice | undefined => {
    if (!isFirst) return rest();
    isFirst = false;
    return first;
  };
  return { kind: "decision", ground, next };
}
