import assert from "node:assert/strict";
import type { ResolutionProblem } from "../../../core/resolver/problem.ts";
import { solve } from "../../../core/resolver/solve.ts";
import * as adversarial from "../../support/adversarial.ts";
import { faultsOf } from "../../support/plan_validator.ts";
import { Dice } from "../../support/random_world.ts";

function outcomeOf(problem: ResolutionProblem): string {
  const answer = solve(problem);
  if (answer.kind === "rejection") return answer.rule;
  return faultsOf(problem, answer).length === 0 ? `plan of ${answer.operations.length}` : "faulty plan";
}

Deno.test("S-BOUND-02: solve() proves worked example 91, a conflict behind 20 and behind 300 free choices", () => {
  assert.equal(outcomeOf(adversarial.doomedBehindChoices(20)), "E_CONFLICT");
  assert.equal(outcomeOf(adversarial.doomedBehindChoices(300)), "E_CONFLICT");
});

Deno.test("S-BOUND-02: solve() follows a chain of 20,000 levels without running out of stack", () => {
  assert.equal(outcomeOf(adversarial.chain(20_000, false)), "plan of 20000");
});

Deno.test("S-ORDER-05, S-BOUND-02: solve() finds a cycle of 20,000 members", () => {
  assert.equal(outcomeOf(adversarial.chain(20_000, true)), "E_CYCLE");
});

Deno.test("S-SELECT-07: solve() never turns to a weaker repository, and proves so behind 60 free choices", () => {
  assert.equal(outcomeOf(adversarial.shadowedBehindChoices(60)), "E_UNSATISFIABLE");
});

Deno.test("S-SEARCH-06: solve() repairs 2,000 dependents of one upgrade", () => {
  assert.equal(outcomeOf(adversarial.massRepair(2_000)), "plan of 2001");
});

Deno.test("S-CON-03: solve() finds the one version of 5,000 that fits", () => {
  assert.equal(outcomeOf(adversarial.manyVersions(5_000)), "plan of 2");
});

Deno.test("S-BOUND-02: solve() proves that seven packages do not fit in six places", () => {
  assert.equal(outcomeOf(adversarial.pigeonhole(7, 6)), "E_CONFLICT");
});

Deno.test({
  name: "S-BOUND-01: solve() gives up within its allowance on eleven packages for ten places",
  ignore: Deno.env.get("PEIPKG_TEST_WORLDS") === undefined,
  fn: () => assert.equal(outcomeOf(adversarial.pigeonhole(11, 10)), "E_TOO_COMPLEX"),
});

Deno.test("S-SEARCH-09: solve() answers random choices near the hardest ratio", () => {
  for (const [seed, variables] of [[1, 50], [2, 50], [3, 60], [4, 80], [5, 100]] as const) {
    const problem = adversarial.randomChoices(new Dice(seed), variables, Math.round(4.26 * variables));
    assert.match(outcomeOf(problem), /^plan of|^E_UNSATISFIABLE$/);
  }
});

Deno.test("S-BOUND-01, S-EXPL-01: solve() names the limit of a search with more than 100,000 placements", () => {
  const answer = solve(adversarial.endlessChain());
  assert.ok(answer.kind === "rejection");
  assert.deepEqual([answer.rule, answer.limit], ["E_TOO_COMPLEX", 100_000]);
});

Deno.test("S-UPG-05, S-BOUND-01: solve() holds back 1,000 targets one after the other without starting anew each time", () => {
  const started = performance.now();
  const answer = solve(adversarial.allHeldBack(1_000));
  assert.ok(answer.kind === "plan");
  assert.deepEqual([answer.operations.length, answer.heldBack.length], [0, 1_001]);
  assert.ok(answer.heldBack.every((item) => item.reason === "held"));
  assert.ok(performance.now() - started < 15_000);
});
