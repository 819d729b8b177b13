import assert from "node:assert/strict";
import { solve } from "../../../core/resolver/solve.ts";
import { faultsOf } from "../../support/plan_validator.ts";
import { Universe } from "../../support/universe.ts";

interface Query {
  readonly install: readonly string[];
  readonly solvable: boolean;
}

function readJson<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/universe/${name}`, import.meta.url)));
}

Deno.test("S-SEARCH-09, S-ORDER-03, S-CONF-01: solve() answers every labelled query of the stored universe", () => {
  const universe = new Universe("universe");
  for (const query of readJson<readonly Query[]>("queries.json")) {
    const problem = universe.install(query.install);
    const answer = solve(problem);
    assert.equal(answer.kind === "plan", query.solvable, query.install.join(" "));
    if (answer.kind === "plan") assert.deepEqual(faultsOf(problem, answer), [], query.install.join(" "));
  }
});

Deno.test("S-SEARCH-10: solve() refuses the packages of the stored universe that cannot be installed at all", () => {
  const universe = new Universe("universe");
  for (const name of readJson<readonly string[]>("uninstallable.json")) {
    assert.equal(solve(universe.install([name])).kind, "rejection", name);
  }
});

Deno.test("S-DET-03: solve() asks only for what the request leads to, in a universe of 63,666 packages", () => {
  const universe = new Universe("universe-full");
  const small = universe.install(["nginx"]);
  const answer = solve(small);
  assert.equal(answer.kind, "plan");
  assert.ok(universe.loaded < 400, `${universe.loaded} candidates were looked at`);
  if (answer.kind === "plan") assert.deepEqual(faultsOf(small, answer), []);
  const desktop = universe.install(["build-essential", "gimp", "gnome", "inkscape", "kde-full", "libreoffice"]);
  const large = solve(desktop);
  assert.ok(large.kind === "plan" && large.operations.length > 1500);
  assert.deepEqual(faultsOf(desktop, large), []);
  const random: readonly string[] = readJson("../universe-full/random-500.json");
  assert.equal(random.length, 500);
  const wide = universe.install(random);
  const answer500 = solve(wide);
  assert.ok(answer500.kind === "plan" && answer500.operations.length > 4000);
  assert.deepEqual(faultsOf(wide, answer500), []);
});
