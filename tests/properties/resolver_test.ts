/**
 * The resolver against the oracle, and against itself. `PEIPKG_TEST_WORLDS` and `PEIPKG_TEST_SEED` widen the search.
 */
import assert from "node:assert/strict";
import type { Rejection } from "../../core/resolver/derivation.ts";
import type { Plan } from "../../core/resolver/plan.ts";
import { solve } from "../../core/resolver/solve.ts";
import { Dice, randomWorld } from "../support/random_world.ts";
import { judge, type Verdict } from "../support/resolution_oracle.ts";
import { problemOf } from "../support/resolution_world.ts";

const WORLDS = Number(Deno.env.get("PEIPKG_TEST_WORLDS") ?? 2000);
const SEED = Number(Deno.env.get("PEIPKG_TEST_SEED") ?? 1);

function verdictOf(answer: Plan | Rejection): Verdict {
  if (answer.kind === "rejection") return { kind: "failure", code: answer.rule, root: undefined };
  const changes = answer.operations.map((operation) =>
    operation.kind === "remove"
      ? `${operation.from.name} -`
      : `${operation.target.name} ${operation.target.version.raw} ${operation.target.hash}`
  );
  return { kind: "world", changes: changes.sort() };
}

Deno.test("S-SEARCH-09, S-SEARCH-10, S-BOUND-02: solve() finds what the oracle finds in random worlds", () => {
  for (let index = 0; index < WORLDS; index++) {
    const seed = SEED * 1_000_003 + index;
    const world = randomWorld(new Dice(seed));
    const problem = problemOf(world);
    const expected = judge(problem);
    if (expected.kind === "unknown") continue;
    const found = verdictOf(solve(problem));
    const wanted = expected.kind === "failure" ? { ...expected, root: undefined } : expected;
    assert.deepEqual(found, wanted, `seed ${seed}: ${JSON.stringify(world, undefined, 1)}`);
  }
});
