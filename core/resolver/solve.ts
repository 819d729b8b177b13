/**
 * The resolver's door. Pure and synchronous: no clock, no store, no network, no iteration whose order depends on
 * anything but the names and versions themselves (S-DET-01).
 */
import { assemblePlan } from "./assemble.ts";
import { Context } from "./context.ts";
import type { Rejection } from "./derivation.ts";
import { Judges } from "./feasibility.ts";
import { explainFailure, explainRequest } from "./explain.ts";
import { type Agenda, type Goal, planAgenda } from "./goals.ts";
import type { HeldBack, Plan } from "./plan.ts";
import type { ResolutionProblem } from "./problem.ts";
import { changeBehind, rootGoal } from "./provenance.ts";
import { EFFORT, type Outcome, search } from "./search.ts";
import { suggestionsFor } from "./suggestions.ts";

/**
 * Finds the one plan the specification fixes for a problem, or the proof that there is none.
 *
 * @see S-SEARCH-09, S-SEARCH-10, S-DET-01, S-BOUND-01
 */
export function solve(problem: ResolutionProblem): Plan | Rejection {
  const answer = resolve(problem, EFFORT.answer);
  if (answer.kind === "plan") return answer;
  return { ...answer, suggestions: suggestionsFor(answer, problem, (altered) => resolve(altered, EFFORT.suggestion)) };
}

function resolve(problem: ResolutionProblem, effort: number): Plan | Rejection {
  const context = new Context(problem);
  const judges = new Judges(context, effort);
  const heldBack = new Map<string, HeldBack>();
  for (;;) {
    const agenda = planAgenda(context, new Set(heldBack.keys()));
    if ("rule" in agenda) return explainRequest(agenda, context);
    const outcome = searchSettling(context, agenda, judges);
    if (outcome.kind === "found") return assemblePlan(outcome, agenda, [...heldBack.values()]);
    const rejection = explainFailure(outcome.failure, outcome.world);
    const target = blockedTarget(outcome, rejection);
    const installed = target === undefined ? undefined : context.installed(target.name);
    if (target === undefined || installed === undefined || heldBack.has(target.name)) return rejection;
    heldBack.set(target.name, {
      name: installed.name,
      version: installed.version,
      available: target.target.best.version,
      reason: "held",
    });
  }
}

/** S-CONF-02: removal settles conflicts only once the search without it has ended in one. */
function searchSettling(context: Context, agenda: Agenda, judges: Judges): Outcome {
  const { operation, options } = context.problem;
  const cascade = options.cascade && operation !== "undo"; // S-UNDO-03
  const outcome = search(context, agenda, { cascade, settle: false, judges });
  const isConflict = outcome.kind === "failed" && outcome.failure.kind === "conflict";
  return cascade && isConflict ? search(context, agenda, { cascade, settle: true, judges }) : outcome;
}

/** S-UPG-05: the full-upgrade target at the root of a failure that a held package causes. */
function blockedTarget(
  outcome: Extract<Outcome, { kind: "failed" }>,
  rejection: Rejection,
): Extract<Goal, { kind: "upgrade" }> | undefined {
  const { failure, world } = outcome;
  let goal: Goal | undefined;
  if (failure.kind === "dependency" && rejection.rule === "E_HELD") {
    goal = failure.by.placement === undefined ? failure.by.goal : rootGoal(failure.by.placement, world);
  } else if (failure.kind === "repair" && failure.by.held) {
    goal = rootGoal(changeBehind(failure.by, failure.entry, world), world);
  } else if (failure.kind === "conflict-guard" && failure.rule === "E_HELD") {
    goal = rootGoal(failure.root, world);
  }
  return goal?.kind === "upgrade" && !goal.named ? goal : undefined;
}
