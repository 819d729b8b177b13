/**
 * Every rule of the specification that the product claims to enforce is cited by at least one test. The list of
 * rules is `fixtures/rules.txt` (made by `generate_rules.ts`); a citation is the rule's id in a test file.
 */
import assert from "node:assert/strict";

/** Prefixes of rule ids that must be cited; grows with the product. */
const ENFORCED = ["F-", "S-"];

async function* testFiles(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory && entry.name !== "fixtures" && entry.name !== "bench") yield* testFiles(path);
    else if (/_test\.ts$|_suite\.ts$|\.scenario$/.test(entry.name)) yield path;
  }
}

Deno.test("every enforced rule is cited by a test", async () => {
  const rules = (await Deno.readTextFile("tests/fixtures/rules.txt")).trim().split("\n").map((line) => {
    const [document = "", id = ""] = line.split(" ");
    return { document, id };
  });
  const cited = new Set<string>();
  for await (const path of testFiles("tests")) {
    if (path === "tests/rules_test.ts") continue;
    const text = await Deno.readTextFile(path);
    for (const match of text.matchAll(/\b(?:[A-Z]-[A-Z]+-[A-Z]?\d+|FP-\d+)\b/g)) cited.add(match[0]);
  }
  const missing = rules.filter(({ id }) => ENFORCED.some((prefix) => id.startsWith(prefix)) && !cited.has(id));
  assert.deepEqual(missing.map(({ document, id }) => `${document} ${id}`), []);
});

Deno.test("tests cite only rules that exist", async () => {
  const known = new Set(
    (await Deno.readTextFile("tests/fixtures/rules.txt")).trim().split("\n").map((line) => line.split(" ")[1]),
  );
  const unknown = new Set<string>();
  for await (const path of testFiles("tests")) {
    const text = await Deno.readTextFile(path);
    for (const match of text.matchAll(/\b[FRSTA]-(?:[A-Z]+)-[A-Z]?\d\d\b/g)) {
      if (!known.has(match[0])) unknown.add(`${path}: ${match[0]}`);
    }
  }
  assert.deepEqual([...unknown].sort(), []);
});
