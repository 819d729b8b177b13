/** What the README says of permissions, dependencies and the layout of the tree, against the tree. */
import assert from "node:assert/strict";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
/** All there may be at the top, besides what git does not keep. */
const TOP_LEVEL = [
  "LICENSE",
  "README.md",
  "build.ts",
  "cli",
  "core",
  "deno.json",
  "deno.lock",
  "docs",
  "mod.ts",
  "tests",
];

const readme = await Deno.readTextFile(`${HOME}/README.md`);
const project = JSON.parse(await Deno.readTextFile(`${HOME}/deno.json`));

function section(title: string): string {
  const [, text = ""] = new RegExp(`^## ${title}\\n([^]*?)(?=^## |$(?![^]))`, "m").exec(readme) ?? [];
  assert.notEqual(text, "", `the README has no section "${title}"`);
  return text;
}

Deno.test("the README lists every permission of the executable, and no other", () => {
  const text = section("Permissions");
  const rows = [...text.matchAll(/^\| (.*?) \| (.*) \|$/gm)];
  const named = rows.flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name)).sort();
  assert.deepEqual(named, Object.keys(project.permissions.peipkg).sort());
  for (const tool of project.permissions.peipkg.run) assert.ok(text.includes(`\`${tool.split("/").at(-1)}\``), tool);
  for (const entry of project.permissions.peipkg.sys) assert.ok(text.includes(`\`${entry}\``), entry);
});

Deno.test("the README lists every dependency with its version", () => {
  const text = section("Dependencies");
  for (const specifier of Object.values<string>(project.imports)) {
    const [, name = "", version = ""] = /^npm:((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(specifier) ?? [];
    const row = text.split("\n").find((line) => line.includes(`\`${name}\``)) ?? "";
    assert.ok(row.includes(version), `${name} ${version}: ${row}`);
  }
});

Deno.test("the README's picture of the house shows what is there", async () => {
  const { stdout } = await new Deno.Command("git", { args: ["-C", HOME, "ls-files"] }).output();
  const files = new TextDecoder().decode(stdout).trim().split("\n");
  const top = [...new Set(files.map((file) => file.split("/")[0] ?? ""))].filter((name) => !name.startsWith("."));
  // In an archive of the sources there is no list of files to compare with.
  if (files.length > 1) assert.deepEqual(top.sort(), TOP_LEVEL);
  const picture = section("The house");
  for (const entry of Deno.readDirSync(`${HOME}/core`)) {
    if (entry.isDirectory) assert.ok(picture.includes(`${entry.name}/`), `core/${entry.name}`);
  }
  for (const entry of Deno.readDirSync(`${HOME}/tests`)) {
    if (entry.isDirectory && !["cli", "core", "build"].includes(entry.name)) {
      assert.ok(picture.includes(`${entry.name}/`), `tests/${entry.name}`);
    }
  }
});
