import assert from "node:assert/strict";
import { unusedAfter, unusedPackages } from "../../../core/resolver/autoremove.ts";
import { solve } from "../../../core/resolver/solve.ts";
import { installedOf, installedSource, problemOf } from "../../support/resolution_world.ts";

const NOTHING = { critical: [], roleHolders: [], keep: [], ignoreOptional: false };

function source(explicit: readonly string[], automatic: readonly string[], held: readonly string[] = []) {
  return installedSource([
    ...explicit.map((text) => installedOf(text)),
    ...automatic.map((text) => installedOf(text, false, true)),
    ...held.map((text) => installedOf(text, true, true)),
  ]);
}

Deno.test("S-REASON-05: unusedPackages() answers worked example 87", () => {
  const installed = source(["app 1.0@O {d: lib}"], ["lib 1.0@O", "old-lib 1.0@O"]);
  assert.deepEqual(unusedPackages(installed, NOTHING), ["old-lib"]);
});

Deno.test("S-REASON-05, C-AUTOREMOVE-01: unusedPackages() keeps all satisfiers, held, critical, kept and role-holding ones", () => {
  const installed = source(
    ["app 1.0@O {d: mta, o: extras}"],
    [
      "exim 1.0@O {p: mta}",
      "postfix 1.0@O {p: mta}",
      "extras 1.0@O",
      "holder 1.0@O",
      "kept 1.0@O",
      "base 1.0@O",
      "zz 1.0@O",
    ],
    ["frozen 1.0@O"],
  );
  const options = { ...NOTHING, critical: ["base"], roleHolders: ["holder"], keep: ["kept"] };
  assert.deepEqual(unusedPackages(installed, options), ["zz"]);
  assert.deepEqual(unusedPackages(installed, { ...options, ignoreOptional: true }), ["extras", "zz"]);
});

Deno.test("S-REASON-05, S-BOUND-02: unusedPackages() finds a cycle nobody needs, and follows 20,000 levels", () => {
  assert.deepEqual(unusedPackages(source([], ["aa 1.0@O {d: bb}", "bb 1.0@O {d: aa}"]), NOTHING), ["aa", "bb"]);
  const levels = Array.from({ length: 20_000 }, (_, level) => `n${level} 1.0@O {d: n${level + 1}}`);
  assert.deepEqual(unusedPackages(source(["top 1.0@O {d: n0}"], levels), NOTHING), []);
});

Deno.test("C-REMOVE-06: unusedAfter() lists what a plan leaves without use", () => {
  const problem = problemOf({
    available: "app 2.0@O {d: new-lib}; new-lib 1.0@O",
    installed: "app 1.0@O {d: old-lib}; old-lib 1.0@O; other 1.0@O",
    request: "upgrade app",
    automatic: ["old-lib"],
  });
  const plan = solve(problem);
  assert.ok(plan.kind === "plan");
  assert.deepEqual(unusedAfter(problem, plan, NOTHING), ["old-lib"]);
});
