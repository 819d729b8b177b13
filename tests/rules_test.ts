/**
 * Every rule of the specification that the product claims to enforce is cited by at least one test. The list of
 * rules is `fixtures/rules.txt` (made by `generate_rules.ts`); a citation is the rule's id in a test file.
 */
import assert from "node:assert/strict";

/** Prefixes of rule ids that must be cited; grows with the product. */
const ENFORCED = [
  "F-",
  "R-",
  "S-",
  "T-",
  "FP-",
  "A-AUTH-",
  "A-DROPIN-",
  "A-EVENT-",
  "A-FIELD-",
  "A-KMES-",
  "A-LOG-",
  "A-OPER-",
  "A-SD",
  "A-SINK-",
  "C-AUTO-",
  "C-CMD-",
  "C-DECL-",
  "C-ELIG-",
  "C-FLAG-",
  "C-LIM-",
  "C-MAT-",
  "C-REC-",
  "C-SEC-",
  "C-TXN-",
  "C-VOL-",
  "C-WD-",
];

/** Documents every rule of which must be cited. */
const ENFORCED_DOCUMENTS: readonly string[] = ["cli.md"];

/** Rules no test of this product can break, with the reason; anything else that is enforced has to be cited. */
const EXEMPT: readonly (readonly [ids: RegExp, reason: string])[] = [
  [/^T-UNDO-12$/, "a permission that is not made use of: downgrade takes the archive"],
  [
    /^(?:C-CONC|C-DEC|A-DEC|T-DEC)-\d+$/,
    "defines words or explains a decision; the rules it leads to are cited themselves",
  ],
  [/^C-ROOT-\d+$/, "named roots are a later phase"],
  [/^C-LIM-05$/, "there is no key for it in this release"],
  [/^A-KMES-(?:01|04|05|07|08|09|20)$/, "says what the Peios kernel does; the reactions to it are cited"],
  [/^A-KMES-0[23]$/, "calls that are not used"],
  [/^A-OPER-01$/, "the kernel stamps the header"],
  [/^A-SDA-0[1-8]$/, "says what the Peios kernel does; what is asked of it is cited"],
  [/^A-AUTH-A(?:08|09)$/, "there is one source of anchors, and no check of the clock that refuses"],
  [/^A-AUTH-A14$/, "named roots are a later phase"],
  [/^A-AUTH-10$/, "about the words of documentation"],
];

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
  const missing = rules.filter(({ document, id }) =>
    (ENFORCED_DOCUMENTS.includes(document) || ENFORCED.some((prefix) => id.startsWith(prefix))) &&
    !cited.has(id) && !EXEMPT.some(([ids]) => ids.test(id))
  );
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
