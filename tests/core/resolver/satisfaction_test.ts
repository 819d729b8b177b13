import assert from "node:assert/strict";
import { parseConstraint } from "../../../core/identity/constraint.ts";
import { matchOf, meets, replaces } from "../../../core/resolver/satisfaction.ts";
import { candidateOf, installedOf } from "../../support/resolution_world.ts";

function entry(name: string, constraint?: string) {
  return { name, constraint: constraint === undefined ? undefined : parseConstraint(constraint) };
}

Deno.test("S-CON-01, S-CON-02, S-CON-03, S-VER-03: meets() follows the table of constraints", () => {
  const table = [
    [">= 3.0", "3.0-1", true],
    ["> 3.0", "3.0-9", false],
    ["1.26.2-3", "1.26.2-4", false],
    [">= 3.0, < 4.0", "4.0-1", false],
    ["< 1.0", "1.0-rc.1-1", true],
    ["= 1.0-rc", "1.0-rc-5", true],
    [">=3.0-2", "3.0-1", false],
    [">3.0-1", "3.0-2", true],
    ["1.26.2", "1.26.2-4", true],
    [">= 1.0", "1.0~rc1-1", false],
    [">= 2.0", "1:0.1-1", true],
    ["!= 2.0", "2.0-7", false],
  ] as const;
  for (const [constraint, version, expected] of table) {
    assert.equal(meets(entry("lib", constraint), "x86_64", candidateOf(`lib ${version}@O`)), expected, constraint);
  }
  for (const bad of ["", "1.0,", ",1.0", ">=", "==1", "=>1", "~> 1", "1 2"]) assert.throws(() => parseConstraint(bad));
});

Deno.test("S-SAT-01, S-CON-04, S-REL-09: matchOf() takes a name before a provides, unversioned provides for all", () => {
  const provider = candidateOf("postfix 3.8@O {p: full; mta 3.0}");
  assert.equal(matchOf(entry("postfix"), "x86_64", provider), "name");
  assert.equal(matchOf(entry("full", ">= 99"), "x86_64", provider), "provides");
  assert.equal(matchOf(entry("mta", ">= 3.0"), "x86_64", provider), "provides");
  assert.equal(matchOf(entry("mta", ">= 3.0-1"), "x86_64", provider), undefined);
  assert.equal(matchOf(entry("MTA"), "x86_64", provider), undefined); // S-REL-04: byte for byte
});

Deno.test("S-ARCH-02: meets() lets a noarch package's relations match noarch packages alone", () => {
  assert.ok(meets(entry("lib"), "x86_64", candidateOf("lib 1.0/noarch@O")));
  assert.ok(!meets(entry("lib"), "noarch", candidateOf("lib 1.0@O")));
  assert.ok(meets(entry("lib"), "noarch", candidateOf("lib 1.0/noarch@O")));
});

Deno.test("S-SAT-04: replaces() matches real names by installed version, never by provides, never its own name", () => {
  const declarer = candidateOf("new 2.0@O {r: cap; new; old < 2}");
  assert.ok(replaces(declarer, installedOf("old 1.0@O")));
  assert.ok(!replaces(declarer, installedOf("old 2.0@O")));
  assert.ok(!replaces(declarer, installedOf("other 1.0@O {p: cap}")));
  assert.ok(!replaces(declarer, installedOf("new 1.0@O")));
});
