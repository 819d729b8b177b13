import assert from "node:assert/strict";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { whyInstalled } from "../../../core/resolver/why.ts";
import { installedOf, installedSource } from "../../support/resolution_world.ts";

const INSTALLED = installedSource([
  installedOf("app 1.0@O {d: mid}"),
  installedOf("web 1.0@O {o: lib}"),
  installedOf("mail 1.0@O {d: smtp}"),
  installedOf("mid 1.0@O {d: lib}", false, true),
  installedOf("lib 1.0@O {p: smtp}", false, true),
]);

function chains(name: string, limit: number): readonly string[] {
  return whyInstalled(INSTALLED, parsePackageName(name), limit).map((chain) =>
    chain.map((link) =>
      link.name + (link.optional ? " (optional)" : "") + (link.capability === undefined ? "" : ` (${link.capability})`)
    ).join(" > ")
  );
}

Deno.test("C-WHY-01: whyInstalled() finds the shortest chain from each explicit package, shortest first", () => {
  assert.deepEqual(chains("lib", 10), ["mail > lib (smtp)", "web > lib (optional)", "app > mid > lib"]);
  assert.deepEqual(chains("lib", 1), ["mail > lib (smtp)"]);
});

Deno.test("C-WHY-01: whyInstalled() answers an explicit package with itself, and an unknown one with nothing", () => {
  assert.deepEqual(chains("app", 10), ["app"]);
  assert.deepEqual(chains("none", 10), []);
});
