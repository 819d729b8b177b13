/** What a person reads when a request has no plan: whole texts, written out in `golden/rejections.txt`. */
import assert from "node:assert/strict";
import { rejectionError } from "../../../cli/render/rejection.ts";
import { RULE_REASONS } from "../../../core/errors.ts";
import type { ResolutionProblem } from "../../../core/resolver/problem.ts";
import { solve } from "../../../core/resolver/solve.ts";
import { problemOf } from "../../support/resolution_world.ts";
import { Universe } from "../../support/universe.ts";

const GOLDEN = new URL("../../golden/rejections.txt", import.meta.url);
const UNINSTALLABLE = new URL("../../fixtures/universe/uninstallable.json", import.meta.url);

function explain(problem: ResolutionProblem): string {
  const rejection = solve(problem);
  assert.ok(rejection.kind === "rejection");
  const { message, detail } = rejectionError({ rejection, reason: RULE_REASONS[rejection.rule] });
  const { lines = [], hint } = detail;
  return [message, ...lines.map((line) => `  ${line}`), ...(hint === undefined ? [] : [hint])].join("\n");
}

for (const block of Deno.readTextFileSync(GOLDEN).trimEnd().split("\n\n")) {
  const [available = "", installed = "", request = "", ...expected] = block.split("\n");
  Deno.test(`S-EXPL-01, S-EXPL-02, S-EXPL-03, C-ERR-02: the text for "${request}" without a plan`, () => {
    const world = request.startsWith("universe: ")
      ? new Universe("universe").install(request.slice("universe: ".length).split(" "))
      : problemOf({ available: available.slice(2), installed: installed.slice(2), request });
    assert.deepEqual(explain(world).split("\n"), expected);
  });
}

Deno.test("S-EXPL-01: what cannot be installed from a real distribution is explained in twelve lines at most", () => {
  const universe = new Universe("universe");
  const names: readonly string[] = JSON.parse(Deno.readTextFileSync(UNINSTALLABLE));
  for (const name of names) {
    const lines = explain(universe.install([name])).split("\n");
    assert.ok(lines.length <= 12, lines.join("\n"));
  }
});

Deno.test("S-EXPL-01: many candidates are counted, not listed", () => {
  const available = Array.from({ length: 40 }, (_, index) => `lib ${index + 1}.0@O`);
  const text = explain(problemOf({
    available: ["app 1.0@O {d: lib >= 99}", ...available].join("; "),
    installed: "",
    request: "install app",
  }));
  const lines = text.split("\n");
  assert.deepEqual([lines.length, lines.at(-1)], [11, "  and 31 more"]);
});

Deno.test("S-RM-02: everything that blocks a removal is listed", () => {
  const users = Array.from({ length: 30 }, (_, index) => `user${index} 1.0@O {d: lib}`);
  const text = explain(problemOf({
    available: "",
    installed: ["lib 1.0@O", ...users].join("; "),
    request: "remove lib",
  }));
  assert.equal(text.split("\n").length, 32);
});
