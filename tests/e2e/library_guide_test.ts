/** The programs of the library guide: printed there word for word, and doing what the guide says. */
import assert from "node:assert/strict";
import { baseEnvironment } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const PROGRAMS = ["install_with_progress.ts", "begin_root.ts", "report_damage.ts"];
const LINES = 31;

const TOOL: PackageSpec = {
  name: "tool",
  version: "1.0-1",
  dependencies: ["lib"],
  files: { "usr/bin/tool": "tool\n" },
};
const LIB: PackageSpec = { name: "lib", version: "2.0-1", files: { "usr/share/lib/v": "2\n" } };

async function runProgram(name: string, ...args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--no-prompt", `--config=${HOME}/deno.json`, "-P=peipkg"],
      `${HOME}/tests/docs/${name}`,
      ...args,
    ],
    clearEnv: true,
    env: { ...baseEnvironment(), NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { status: code, lines: decoder.decode(stdout).trimEnd().split("\n"), stderr: decoder.decode(stderr) };
}

Deno.test("docs/library-guide.md prints the programs that are tested", async () => {
  const guide = await Deno.readTextFile(`${HOME}/docs/library-guide.md`);
  const blocks = [...guide.matchAll(/```ts\n\/\/ (\S+)\n([^]*?)```/g)];
  assert.deepEqual(blocks.map(([, name]) => name), PROGRAMS);
  for (const [, name = "", text = ""] of blocks) {
    const program = await Deno.readTextFile(`${HOME}/tests/docs/${name}`);
    assert.equal(text, program.replaceAll('"../../mod.ts"', '"@peios/peipkg"'), name);
    assert.ok(program.trimEnd().split("\n").length <= LINES, `${name} is longer than a guide should show`);
  }
  for (const name of guide.matchAll(/`([a-z]+[A-Z]\w+)(?:\(\))?`/g)) {
    const known = await Deno.readTextFile(`${HOME}/mod.ts`);
    assert.ok(known.includes(name[1] ?? "") || guide.includes(`// ${name[1]}`), `mod.ts has no ${name[1]}`);
  }
});

Deno.test("the library guide's programs begin a root, install with a progress display of their own, and look", async () => {
  await using world = await World.create();
  await world.publish([TOOL, LIB]);
  const file = `${world.directory}/main.repo`;
  const text = `base_url = "file://${world.repository()}"\ntrust_anchors = `;
  await Deno.writeTextFile(file, `${text}["${"0".repeat(64)}"]\n`);
  const refused = await runProgram("begin_root.ts", world.root, file);
  assert.equal(refused.status, 1);
  assert.match(refused.lines[0] ?? "", /^anchor-mismatch: /);
  await Deno.writeTextFile(file, `${text}["${world.anchor}"]\n`);
  const begun = await runProgram("begin_root.ts", world.root, file);
  assert.deepEqual(begun, {
    status: 0,
    lines: [`${world.anchor.replace(/(.{4})(?!$)/g, "$1 ")} is an anchor`, "2 packages on offer"],
    stderr: "",
  });
  assert.deepEqual((await runProgram("begin_root.ts", world.root, file)).lines, [""]);

  const installed = await runProgram("install_with_progress.ts", world.root, "tool");
  assert.deepEqual([installed.status, installed.stderr], [0, ""]);
  assert.deepEqual(installed.lines.slice(0, 2), ["install lib", "install tool"]);
  const bars = installed.lines.filter((line) => line.startsWith("["));
  assert.ok(
    bars.length > 2 && bars.every((line) => /^\[#*\.*\] (?:fetch|verify|stage|apply|commit|finish)/.test(line)),
  );
  assert.deepEqual(installed.lines.slice(-1), ["2 operations, transaction 1"]);
  assert.deepEqual((await runProgram("install_with_progress.ts", world.root, "tool")).lines, [""]);

  await Deno.writeTextFile(`${world.root}/usr/bin/tool`, "changed\n");
  const report = await runProgram("report_damage.ts", world.root);
  assert.deepEqual(report.lines.slice(0, 3), ["lib 2.0-1 main", "tool 1.0-1 main", "tool: /usr/bin/tool: modified"]);
  assert.match(report.lines[3] ?? "", /^\d+ paths checked, 1 problems$/);
});
