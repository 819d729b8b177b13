/**
 * The resolver against the oracle, and against itself. `PEIPKG_TEST_WORLDS` and `PEIPKG_TEST_SEED` widen the search.
 */
import assert from "node:assert/strict";
import type { Rejection } from "../../core/resolver/derivation.ts";
import type { Plan } from "../../core/resolver/plan.ts";
import { solve } from "../../core/resolver/solve.ts";
import { Dice, randomWorld, tightWorld } from "../support/random_world.ts";
import { judge, type Verdict, WORLD_NAMES } from "../support/resolution_oracle.ts";
import { answerText, itemsOf, problemOf, type WorldText } from "../support/resolution_world.ts";

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

function worldOf(seed: number): WorldText {
  const dice = new Dice(seed);
  return dice.chance(50) ? randomWorld(dice) : tightWorld(dice);
}

/** An answer with everything in it, comparable. */
function everything(answer: Plan | Rejection): string {
  return JSON.stringify(answer, (_key, value) => typeof value === "bigint" ? `${value}n` : value);
}

function forEachWorld(count: number, check: (world: WorldText, label: string) => void): void {
  for (let index = 0; index < count; index++) {
    const seed = SEED * 1_000_003 + index;
    const world = worldOf(seed);
    check(world, `seed ${seed}: ${JSON.stringify(world, undefined, 1)}`);
  }
}

Deno.test("S-SEARCH-09, S-SEARCH-10, S-BOUND-02: solve() finds what the oracle finds in random worlds", () => {
  forEachWorld(WORLDS, (world, label) => {
    const problem = problemOf(world);
    const expected = judge(problem);
    if (expected.kind === "unknown") return;
    const found = verdictOf(solve(problem));
    assert.deepEqual(found, expected.kind === "failure" ? { ...expected, root: undefined } : expected, label);
  });
});

Deno.test("S-DET-01: solve() gives the same answer twice, byte for byte", () => {
  forEachWorld(WORLDS / 4, (world, label) => {
    assert.equal(everything(solve(problemOf(world))), everything(solve(problemOf(world))), label);
  });
});

Deno.test("S-DET-01, S-REQ-01: solve() does not depend on the order of candidates, installed packages or requests", () => {
  forEachWorld(WORLDS / 4, (world, label) => {
    const flags = /\[.*\]/.exec(world.request)?.[0] ?? "";
    const request = world.request.replace(flags, "");
    const reversed = (text: string): string => [...itemsOf(text)].reverse().join("; ");
    const shuffled: WorldText = {
      ...world,
      available: reversed(world.available),
      installed: reversed(world.installed),
      request: `${reversed(request)} ${flags}`,
      operation: problemOf(world).operation,
    };
    assert.equal(everything(solve(problemOf(shuffled))), everything(solve(problemOf(world))), label);
  });
});

Deno.test("S-SELECT-01: solve() does not change its plan when a package it has no use for disappears", () => {
  forEachWorld(WORLDS / 4, (world, label) => {
    const answer = solve(problemOf(world));
    if (answer.kind !== "plan") return;
    const wanted = /(?:install|upgrade|restore|downgrade|remove) ([^ ;]+)/g;
    const asked = new Set([...world.request.matchAll(wanted)].map((match) => match[1]));
    const unrelated = `zz 9@O {d: ${WORLD_NAMES[0]}; ${WORLD_NAMES[1]} < 2, c: zy}`;
    assert.ok(!asked.has("zz"));
    const larger = problemOf({ ...world, available: `${world.available}; ${unrelated}` });
    assert.equal(everything(solve(larger)), everything(answer), label);
  });
});

Deno.test("S-DET-01: solve() gives the renamed plan when all packages are renamed in the same order", () => {
  const renamed = (text: string): string => text.replaceAll(/\bp([a-g])\b/g, "q$1").replaceAll(/\bv([ab])\b/g, "w$1");
  forEachWorld(WORLDS / 4, (world, label) => {
    const other: WorldText = {
      ...world,
      available: renamed(world.available),
      installed: renamed(world.installed),
      request: renamed(world.request),
      options: { ...world.options, critical: (world.options?.critical ?? []).map(renamed) },
      automatic: (world.automatic ?? []).map(renamed),
    };
    assert.equal(answerText(solve(problemOf(other))), renamed(answerText(solve(problemOf(world)))), label);
  });
});

Deno.test("S-EXPL-01: every way on that a rejection of solve() offers has a plan", () => {
  forEachWorld(WORLDS / 4, (world, label) => {
    const answer = solve(problemOf(world));
    if (answer.kind !== "rejection") return;
    for (const suggestion of answer.suggestions) {
      if (suggestion.kind === "cascade") {
        const altered = { ...world, options: { ...world.options, cascade: true } };
        assert.equal(solve(problemOf(altered)).kind, "plan", label);
      }
      if (suggestion.kind === "unlock") {
        const request = world.request.replace(new RegExp(`(\\[held:.*)\\b${suggestion.name}\\b`), "$1");
        assert.equal(
          solve(problemOf({ ...world, request, operation: problemOf(world).operation })).kind,
          "plan",
          label,
        );
      }
    }
  });
});
