import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConstraint, satisfiesConstraint, termsOf } from "../../../core/identity/constraint.ts";
import { compareVersions, highestVersion, parseProvidedVersion, parseVersion } from "../../../core/identity/version.ts";
import { ruleOf } from "../../support/refusals.ts";

const VECTORS = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/identity/versions.json", import.meta.url)),
);

function compare(a: string, b: string): number {
  return Math.sign(compareVersions(parseVersion(a), parseVersion(b)));
}

function satisfied(constraint: string, version: string): boolean {
  return satisfiesConstraint(parseConstraint(constraint), parseVersion(version));
}

Deno.test("F-VER-01, F-VER-03: parseVersion() splits every valid vector into epoch, upstream, revision", () => {
  for (const { version, epoch, upstream, revision } of VECTORS.valid_versions) {
    const parsed = parseVersion(version);
    assert.deepEqual(
      [parsed.raw, parsed.epoch, parsed.upstream, parsed.revision],
      [version, BigInt(epoch), upstream, BigInt(revision)],
    );
  }
});

Deno.test("F-VER-02, F-VER-04, F-VER-05: parseVersion() refuses every invalid vector", () => {
  for (const { version, reason } of VECTORS.invalid_versions) {
    assert.equal(ruleOf(() => parseVersion(version)), "E_VERSION", `${JSON.stringify(version)}: ${reason}`);
  }
  const bad = ["", "1.0", "1.0-", "-1", "1.0-0", "1.0-01", "1.0-1.5", "1.0-rc.1", "01:1.0-1", ":1.0-1", "x:1.0-1"];
  for (const text of [...bad, "2:", "1:2:3-1", ".5-1", "~1-1", "1.0 -1", "1@0-1", "1.0_1-1", "1.0-1\n"]) {
    assert.equal(ruleOf(() => parseVersion(text)), "E_VERSION", text);
  }
});

Deno.test("F-VER-06: epoch and revision end at 2^63-1, numeric runs of the upstream do not", () => {
  assert.equal(parseVersion("9223372036854775807:1-9223372036854775807").epoch, 9223372036854775807n);
  assert.equal(ruleOf(() => parseVersion("9223372036854775808:1-1")), "E_VERSION");
  assert.equal(ruleOf(() => parseVersion("1-9223372036854775808")), "E_VERSION");
  assert.equal(ruleOf(() => parseVersion(`1-${"9".repeat(1_000_000)}`)), "E_VERSION");
  assert.equal(compare(`${"9".repeat(100)}-1`, `1${"0".repeat(100)}-1`), -1);
});

Deno.test("F-VER-07: a version keeps its text, and different texts may compare equal", () => {
  assert.equal(parseVersion("0:1.00-1").raw, "0:1.00-1");
  assert.equal(compare("0:1.00-1", "1.0-1"), 0);
});

Deno.test("F-CMP-01, F-CMP-05, F-CMP-06, F-CMP-07, F-CMP-08: compareVersions() agrees with every vector both ways", () => {
  for (const { a, b, cmp } of [...VECTORS.comparisons, ...VECTORS.intransitive]) {
    assert.equal(compare(a, b), cmp, `${a} ? ${b}`);
    assert.equal(compare(b, a), -cmp + 0, `${b} ? ${a}`);
  }
});

Deno.test("F-CMP-02, F-CMP-03, F-CMP-04: compareVersions() follows the table of section 2.1", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["1.9-1", "<", "1.10-1"],
    ["1.0-foo-1", ">", "1.0.1-1"],
    ["1.0-1", ">", "1.0-rc.1-1"],
    ["1.0~rc1-1", "=", "1.0-rc.1-1"],
    ["1.0.RC1-1", "=", "1.0.rc1-1"],
    ["1.0-1", "<", "1.0~1-1"],
    ["1.0~1-1", "=", "1.0.1-1"],
    ["1.0-1", "=", "1-0-1"],
    ["1.0-1", "=", "1.0.-1"],
    ["1.0dev1-1", "<", "1.0alpha1-1"],
    ["1.0-pre1-1", "<", "1.0-rc1-1"],
    ["1.0.beta.x-1", "<", "1.0.beta-1"],
    ["1.0.beta-1", "<", "1.0.beta2-1"],
    ["1.0~alpha-1", "<", "1.0~a-2"],
    ["16beta1-1", "<", "16-1"],
    ["1.1.1-1", ">", "1.1.1a-1"],
    ["1.1.1-1", "<", "1.1.1c-1"],
    ["1.0rcx-1", ">", "1.0-1"],
    ["2024.1-1", ">", "2024a-1"],
    ["1.0~zeta-1", ">", "1.0.rc1-1"],
    ["1.0.Foo-1", "<", "1.0.foo-1"],
    ["9.9-9", "<", "1:0.1-1"],
    ["1.0-2", "<", "1.0-10"],
  ];
  const signs = new Map([["<", -1], ["=", 0], [">", 1]]);
  for (const [a, sign, b] of rows) assert.equal(compare(a, b), signs.get(sign), `${a} ${sign} ${b}`);
});

Deno.test("F-CMP-09: the documented cycle is kept, and comparison is antisymmetric everywhere", () => {
  assert.deepEqual([compare("1~foo-1", "1-1"), compare("1-1", "1.bar-1"), compare("1~foo-1", "1.bar-1")], [-1, -1, 1]);
  const upstream = fc.stringMatching(/^[0-9a-c][0-9a-cr.~+-]{0,8}$/);
  fc.assert(
    fc.property(upstream, upstream, (a, b) => {
      assert.equal(compare(`${a}-1`, `${b}-1`), -compare(`${b}-1`, `${a}-1`) + 0);
    }),
    { seed: 7, numRuns: 3000 },
  );
});

Deno.test("compareVersions() keeps every ascending list ascending", () => {
  for (const list of VECTORS.ascending) {
    for (let i = 1; i < list.length; i++) {
      assert.equal(compare(list[i - 1], list[i]), -1, `${list[i - 1]} < ${list[i]}`);
    }
  }
});

Deno.test("F-CMP-10: highestVersion() gives the result of the fixed scan, whatever the order of candidates", () => {
  const cycle = ["1~foo-1", "1-1", "1.bar-1"];
  const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  // Byte order is 1-1, 1.bar-1, 1~foo-1: 1.bar beats 1, then 1~foo beats 1.bar.
  for (const order of orders) {
    assert.equal(highestVersion(order.map((i) => cycle[i] ?? ""), parseVersion), "1~foo-1");
  }
  assert.equal(highestVersion(["1.0-1", "1.00-1"], parseVersion), "1.0-1");
  assert.equal(highestVersion([], parseVersion), undefined);
});

Deno.test("F-CON-01, F-CON-02, F-CON-03: parseConstraint() refuses every invalid vector and other systems' operators", () => {
  for (const { constraint, reason } of VECTORS.invalid_constraints) {
    assert.equal(ruleOf(() => parseConstraint(constraint)), "E_CONSTRAINT", `${JSON.stringify(constraint)}: ${reason}`);
  }
  const bad = [
    "",
    ">=",
    ">= , < 4",
    "3.0-1,",
    ">> 1",
    "== 1",
    "~> 1",
    ">= 1 2",
    "^1",
    "=> 1",
    "1,,2",
    ", 1",
    "1\u00a0",
  ];
  for (const text of bad) assert.equal(ruleOf(() => parseConstraint(text)), "E_CONSTRAINT", text);
  assert.equal([...termsOf(parseConstraint(" >= 1.0\t,\r\n< 2 "))].length, 2);
  assert.deepEqual([...termsOf(parseConstraint("<=1,!=2,3"))].map((term) => term.operator), ["<=", "!=", "="]);
});

Deno.test("F-CON-04, F-CON-05: satisfiesConstraint() follows every vector and the table of section 2.2", () => {
  for (const { constraint, version, satisfied: expected } of VECTORS.constraints) {
    assert.equal(satisfied(constraint, version), expected, `${version} in ${constraint}`);
  }
  const rows: readonly (readonly [string, string, boolean])[] = [
    [">= 3.0", "3.0-1", true],
    ["> 3.0", "3.0-5", false],
    [">= 3.0", "3.0~rc1-9", false],
    ["> 3.0-1", "3.0-2", true],
    ["= 3.0", "3.00-1", true],
    ["!= 3.0", "3.0-5", false],
    ["3.0-2", "3.0-3", false],
    ["< 2:1.0", "99.0-1", true],
    [">= 3.0, < 4.0", "4.0~rc1-1", true],
    ["= 1.0-0", "1.0-0-1", true],
    [">=1.0-rc1", "1.0-rc1-4", true],
    ["= 1.0-0", "1.0-1", false],
  ];
  for (const [constraint, version, expected] of rows) {
    assert.equal(satisfied(constraint, version), expected, `${version} in ${constraint}`);
  }
});

Deno.test("F-CON-06: an absent constraint matches every version", () => {
  assert.equal(satisfiesConstraint(undefined, parseVersion("1-1")), true);
});

Deno.test("F-CON-07: a provided version without revision counts as revision 0, an unversioned entry satisfies all", () => {
  for (const { constraint, provided, satisfied: expected } of VECTORS.provided) {
    const version = provided === undefined || provided === null ? undefined : parseProvidedVersion(provided);
    assert.equal(satisfiesConstraint(parseConstraint(constraint), version), expected, `${provided} in ${constraint}`);
  }
  const provided = parseProvidedVersion("1.0");
  assert.equal(provided.revision, undefined);
  assert.equal(satisfiesConstraint(parseConstraint(">= 1.0-1"), provided), false);
  assert.equal(satisfiesConstraint(parseConstraint(">= 1.0"), provided), true);
  assert.equal(satisfiesConstraint(parseConstraint("= 7"), undefined), true);
  assert.equal(parseProvidedVersion("1.0-0").upstream, "1.0-0");
  assert.equal(ruleOf(() => parseProvidedVersion("1.0 ")), "E_VERSION");
});

Deno.test("F-CON-03: megabytes of whitespace and terms are judged in linear time and bounded memory", () => {
  const started = performance.now();
  const spaces = " ".repeat(4_000_000);
  assert.equal(ruleOf(() => parseConstraint(spaces)), "E_CONSTRAINT");
  assert.equal([...termsOf(parseConstraint(`${spaces}>=${spaces}1.0${spaces}`))].length, 1);
  assert.equal(ruleOf(() => parseConstraint("1,".repeat(4_000_000))), "E_CONSTRAINT");
  assert.ok(performance.now() - started < 5000);
});

Deno.test("F-GEN-05, F-CON-01: a constraint may have as many terms as its document holds", () => {
  const many = parseConstraint([...new Array(1_000_000).fill("!= 2"), "< 3"].join());
  assert.deepEqual([satisfiesConstraint(many, parseVersion("1-1")), satisfiesConstraint(many, parseVersion("2-1"))], [
    true,
    false,
  ]);
  assert.equal(satisfiesConstraint(many, parseVersion("3-1")), false);
  assert.equal(ruleOf(() => parseConstraint(`${"1,".repeat(1_000_000)}==1`)), "E_CONSTRAINT");
  assert.equal([...termsOf(parseConstraint("1,2,3,4,5,6"))].length, 6);
});

Deno.test("F-VER-06: upstreams of any length are compared", () => {
  const long = "1.".repeat(1_000_000);
  assert.equal(compare(`${long}1-1`, `${long}2-1`), -1);
  assert.equal(compare(`${long}1-1`, `${long}01-1`), 0);
  assert.equal(compare(`${long}rc-1`, `${long}-1`), -1);
});
