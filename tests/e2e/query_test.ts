/** `peipkg query` and `peipkg rquery` through the real program. */
import assert from "node:assert/strict";
import { type PackageSpec, World } from "../support/e2e_world.ts";

const LIBRARY: PackageSpec = {
  name: "libgreet",
  version: "1.0-1",
  files: { "usr/share/libgreet/words": "hello\n" },
  provides: ["greeting"],
};
const TOOL: PackageSpec = {
  name: "greet",
  version: "2.0-1",
  description: "Says \u{1f44b} hello",
  dependencies: [{ name: "libgreet", constraint: ">= 1.0" }],
  files: { "usr/bin/greet": "#!/bin/sh\n", "usr/bin/hi": { link: "greet" } },
};

Deno.test("packages are queried, installed, on offer and in a file", async (t) => {
  await using world = await World.create();
  await world.publish([LIBRARY, TOOL, { ...LIBRARY, name: "other", provides: [] }]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "greet", "--yes"]);
  await world.expect(["annotate", "set", "greet", "ticket", "OPS\\1"]);
  const stdout = async (...args: string[]): Promise<string> => (await world.expect(args)).stdout;

  await t.step("C-QUERY-01: lines by package and by element", async () => {
    assert.equal(await stdout("query", "%n %v %R %a"), "greet 2.0-1 main 0\nlibgreet 1.0-1 main 1\n");
    assert.equal(
      await stdout("query", "%n: %Fp %Ft %Fl", "greet"),
      "greet: /usr/bin/greet file\ngreet: /usr/bin/hi symlink greet\n",
    );
    assert.equal(await stdout("query", "%n <- %rn %rv", "lib*"), "libgreet <- greet 2.0-1\n");
    assert.equal(
      await stdout("query", "%n %{yn|,} %?d %#F"),
      "greet  1 2\nlibgreet greeting 0 1\n",
    );
  });

  await t.step("C-QUERY-01, C-ESC-06: values are escaped unless NUL ends them", async () => {
    assert.equal(await stdout("query", "%At %Av", "greet"), "ticket OPS\\\\1\n");
    assert.equal(await stdout("query", "-0", "%At %Av", "greet"), "ticket OPS\\1\0");
  });

  await t.step("C-QUERY-02: expressions choose, a fault is shown with a caret and exit 2", async () => {
    assert.equal(await stdout("query", "-e", "%a = 1 && %v >= 1.0", "%n"), "libgreet\n");
    const { stderr } = await world.expect(["query", "-e", "%a == 1 &", "%n"], 2);
    assert.match(
      stderr,
      /^peipkg: query: cannot read the expression: "&&", "\|\|" or the end is expected\n {2}%a == 1 &\n {10}\^\nusage:/,
    );
    assert.match((await world.expect(["query", "%n %Q"], 2)).stderr, /there is no pattern "%Q"\n {2}%n %Q\n {6}\^\n/);
    assert.match((await world.expect(["query"], 2)).stderr, /a format is required/);
  });

  await t.step("C-QUERY-01: a name that is not installed, and one nobody offers", async () => {
    assert.match((await world.expect(["query", "%n", "ghost"], 1)).stderr, /"ghost" is not installed/);
    assert.match(
      (await world.expect(["rquery", "%n", "ghost"], 1)).stderr,
      /no repository offers a package named "ghost"/,
    );
  });

  await t.step("C-QUERY-01: rquery asks repositories", async () => {
    assert.equal(await stdout("rquery", "%n %R %l", "*e*"), "greet main MIT\nlibgreet main MIT\nother main MIT\n");
    assert.match(await stdout("rquery", "-e", "%Sb > 10", "%n %Sh", "other"), /^other \d+(\.\d)? K?i?B\n$/);
    assert.equal(await stdout("rquery", "--repository", "main", "--all-versions", "%n", "other"), "other\n");
    assert.match((await world.expect(["rquery", "--repository", "nope", "%n"], 1)).stderr, /"nope"/);
    assert.match((await world.expect(["rquery", "%t"], 2)).stderr, /%t cannot be asked of an offered package/);
  });

  await t.step("C-QUERY-03: --json prints records of their own, the format may be left out", async () => {
    const detail = JSON.parse(await stdout("query", "--json", "greet"));
    assert.deepEqual(detail.map((item: { name: string; dependencies: string[] }) => [item.name, item.dependencies]), [
      ["greet", ["libgreet >= 1.0"]],
    ]);
    assert.equal(JSON.parse(await stdout("query", "--json", "%n", "-e", "%a = 1")).length, 1);
    const offers = JSON.parse(await stdout("rquery", "--json"));
    assert.deepEqual(offers.map((item: { name: string }) => item.name), ["greet", "libgreet", "other"]);
    assert.equal(offers[0].installed_version, "2.0-1");
  });

  await t.step("C-QUERY-01: a package file is asked without being installed", async () => {
    const file = world.published(TOOL);
    assert.equal(await stdout("query", "--file", file, "%n %R %dn %dv"), "greet (local file) libgreet >= 1.0\n");
    assert.match((await world.expect(["query", "--file", file, "%a"], 2)).stderr, /cannot be asked of a package file/);
    assert.match((await world.expect(["query", "--file", file, "%n", "greet"], 2)).stderr, /exclude each other/);
    Deno.writeTextFileSync(`${world.directory}/bad.peipkg`, "no package");
    await world.expect(["query", "--file", `${world.directory}/bad.peipkg`, "%n"], 1);
  });
});
