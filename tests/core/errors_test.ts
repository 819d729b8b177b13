/** The program's lists of codes and rules are those of the specification's one table (`fixtures/codes.txt`). */
import assert from "node:assert/strict";
import { ERROR_CODES } from "../../cli/error_codes.ts";
import { errorList } from "../../cli/man.ts";
import { ELEVATED_ACTIONS, RULE_CODES, RULE_REASONS, WARNING_CODES } from "../../core/errors.ts";

interface Row {
  readonly rule: string;
  readonly kind: string;
  readonly code: string;
  readonly reason: string;
}

const ROWS: readonly Row[] = (await Deno.readTextFile("tests/fixtures/codes.txt")).trimEnd().split("\n").map((line) => {
  const [rule = "", kind = "", code = "", reason = ""] = line.split(" ");
  return { rule, kind, code, reason };
});

const rowsOf = (kind: string): readonly Row[] => ROWS.filter((row) => row.kind === kind);
const pairs = (rows: readonly Row[]): Record<string, string> =>
  Object.fromEntries(rows.map(({ rule, code }) => [rule, code]));

Deno.test("C-ERR-06, C-ERR-08: every rule is shown as the code the specification's table gives it", () => {
  assert.deepEqual({ ...RULE_CODES }, pairs(rowsOf("error")));
});

Deno.test("C-ERR-06: every rule of unresolvable has the reason the table gives it", () => {
  const rows = rowsOf("error").filter(({ reason }) => reason !== "-");
  assert.deepEqual({ ...RULE_REASONS }, Object.fromEntries(rows.map(({ rule, reason }) => [rule, reason])));
});

Deno.test("C-JSON-12: every warning has the code the table gives it: its rule in kebab-case", () => {
  assert.deepEqual({ ...WARNING_CODES }, pairs(rowsOf("warning")));
  for (const [rule, code] of Object.entries(WARNING_CODES)) {
    assert.equal(code, rule.replace(/^W_/, "").toLowerCase().replaceAll("_", "-"));
  }
});

Deno.test("C-AUTH-01, C-AUTH-08: every elevated action has the kind the table gives it", () => {
  const known = Object.fromEntries(Object.entries(ELEVATED_ACTIONS).map(([rule, kind]) => [rule, kind ?? "-"]));
  assert.deepEqual(known, pairs(rowsOf("elevated")));
});

Deno.test("help --errors lists every code once, with exactly its rules", () => {
  const listed = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of errorList().trimEnd().split("\n")) {
    if (line.startsWith("  ")) current.push(line.trim());
    else listed.set(line.slice(0, line.indexOf(":")), current = []);
  }
  assert.deepEqual([...listed.keys()], [...ERROR_CODES]);
  for (const code of ERROR_CODES) {
    const rules = rowsOf("error").filter((row) => row.code === code).map(({ rule }) => rule);
    assert.deepEqual([...listed.get(code) ?? []].sort(), [...rules].sort(), code);
  }
});
