/**
 * Writes `tests/fixtures/rules.txt`: every rule id the specification defines, one per line, with its document; and
 * `tests/fixtures/codes.txt`: every row of its table of codes, as rule, class, code and reason (- for none).
 * Run by hand when the specification changes: `deno run -A tests/generate_rules.ts DIRECTORY-OF-THE-SPECIFICATION`.
 */
const directory = Deno.args[0];
if (directory === undefined) throw new Error("the specification's directory is required");
const DOCUMENTS = [
  "format.md",
  "repository.md",
  "resolution.md",
  "transactions.md",
  "claims.md",
  "audit-and-security.md",
  "cli.md",
];
const ROW_REGEXP = /^\|\s*((?:[A-Z]-[A-Z]+-[A-Z]?\d+|FP-\d+))(?:\s*\*\*\[P\]\*\*)?(?:\s[^|]*)?\s*\|/;
const PROSE_REGEXP = /\*\*(C-[A-Z]+-\d+)\*\*|(?<![A-Za-z(])(C-[A-Z]+-\d+)(?= ?(?:tier 2)?:| JSON| exit)/g;
const lines: string[] = [];
const seen = new Set<string>();
for (const name of DOCUMENTS) {
  const text = await Deno.readTextFile(`${directory}/${name}`);
  for (const line of text.split("\n")) {
    const ids = [ROW_REGEXP.exec(line)?.[1]];
    // A row such as `| T-STEP | T-COMMIT-01 | …` names its rule in the second cell.
    ids.push(/^\|\s*\d+\s*\|\s*(T-COMMIT-\d+)\s*\|/.exec(line)?.[1]);
    if (name === "cli.md") { for (const match of line.matchAll(PROSE_REGEXP)) ids.push(match[1] ?? match[2]); }
    for (const id of ids) {
      if (id === undefined || seen.has(id)) continue;
      seen.add(id);
      lines.push(`${name} ${id}`);
    }
  }
}
await Deno.mkdir("tests/fixtures", { recursive: true });
await Deno.writeTextFile("tests/fixtures/rules.txt", lines.join("\n") + "\n");
const codes = (await Deno.readTextFile(`${directory}/codes.md`)).split("\n").flatMap((line) => {
  const cells = line.split("|").map((cell) => cell.trim().replaceAll("`", ""));
  // Six cells between the outer bars, the first a rule.
  if (!line.startsWith("| `") || cells.length !== 8) return [];
  return [cells.slice(1, 5).map((cell) => cell === "–" ? "-" : cell).join(" ")];
});
await Deno.writeTextFile("tests/fixtures/codes.txt", codes.join("\n") + "\n");
console.log(`${lines.length} rules, ${codes.length} codes`);
