import assert from "node:assert/strict";
import { solve } from "../../../core/resolver/solve.ts";
import { answerText, problemOf } from "../../support/resolution_world.ts";

const EXAMPLES = new URL("worked_examples.scenario", import.meta.url);

for (const line of Deno.readTextFileSync(EXAMPLES).split("\n")) {
  if (line === "" || line.startsWith("#")) continue;
  const [number, available, installed, requestText, resultText, decidedBy] = line.split(" | ");
  const request = (requestText ?? "").replace(/^undo = /, "");
  const rules = decidedBy?.match(/[SR]-[A-Z]+-[0-9]+/g)?.join(", ") ?? "";
  Deno.test(`${rules}: solve() answers worked example ${number} (${request})`, () => {
    const answer = solve(problemOf({ available: available ?? "", installed: installed ?? "", request }));
    assert.equal(answerText(answer), resultText);
    const warnings = answer.kind === "plan" ? answer.warnings.map((warning) => warning.rule as string) : [];
    for (const expected of decidedBy?.match(/W_[A-Z_]+/g) ?? []) assert.ok(warnings.includes(expected), expected);
  });
}
