/** Completion as shells ask for it: the script of bash run by bash, with the real program behind it. */
import assert from "node:assert/strict";
import { COMPLETION_SHELLS, completionScript } from "../../cli/completion_scripts.ts";
import { PROGRAMS } from "../../cli/programs.ts";
import { baseEnvironment, commandLine, run } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { runInProcess } from "../support/in_process.ts";

const GREET: PackageSpec = { name: "greet", version: "2.0-1", files: { "usr/bin/greet": "x\n" } };
const GREY: PackageSpec = { name: "grey", version: "1.0-1", files: { "usr/bin/grey": "x\n" } };

const shellOf = (name: string): boolean => {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
};

/** Completes a line in bash; returns what was offered. */
async function completeInBash(bin: string, line: string): Promise<readonly string[]> {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${completionScript("peipkg", "bash")}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
compopt() { :; }
_peipkg
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, code } = await new Deno.Command("bash", {
    args: ["--norc", "-c", script],
    cwd: bin,
    clearEnv: true,
    env: { ...baseEnvironment(), PATH: `${bin}:/usr/bin:/bin` },
  }).output();
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""], line);
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "");
}

Deno.test("C-COMP-01, C-COMP-02, C-COMP-03: bash completes commands, names, versions and paths", async () => {
  await using world = await World.create(runInProcess);
  await world.publish([GREET, GREY]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "greet", "--yes"]);
  // Not in the world itself: programs may not be allowed to run from there.
  const bin = await Deno.makeTempDir();
  await using _removed = { [Symbol.asyncDispose]: () => Deno.remove(bin, { recursive: true }) };
  const command = commandLine("peipkg").map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${bin}/peipkg`, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const at = `peipkg --root ${world.root}`;
  assert.deepEqual(await completeInBash(bin, "peipkg unin"), []);
  assert.deepEqual(await completeInBash(bin, "peipkg autor"), ["autoremove"]);
  assert.deepEqual(await completeInBash(bin, `${at} remove g`), ["greet"]);
  assert.deepEqual(await completeInBash(bin, `${at} install gr`), ["greet", "grey"]);
  assert.deepEqual(await completeInBash(bin, `${at} downgrade greet `), ["2.0-1"]);
  assert.deepEqual(await completeInBash(bin, `${at} refresh `), ["main"]);
  assert.deepEqual(await completeInBash(bin, "peipkg --root /nonexistent remove g"), []);
});

Deno.test("C-COMP-02: what fails is not offered, in silence and with status 0", async () => {
  for (const words of [["remove", ""], ["--root", "/nonexistent", "install", "x"], ["nonsense", ""]]) {
    const line = ["peipkg", ...words];
    const result = await run(["__complete", "zsh", String(line.length - 1), "--", ...line]);
    assert.deepEqual([result.status, result.stderr], [0, ""], line.join(" "));
  }
});

Deno.test("C-COMP-01: every script is one its shell can read", async () => {
  for (const shell of COMPLETION_SHELLS) {
    if (!shellOf(shell)) continue;
    for (const { name } of PROGRAMS) {
      const file = await Deno.makeTempFile();
      await Deno.writeTextFile(file, completionScript(name, shell));
      const { success, stderr } = await new Deno.Command(shell, { args: ["-n", file], stdout: "null" }).output();
      await Deno.remove(file);
      assert.ok(success, `${shell} ${name}: ${new TextDecoder().decode(stderr)}`);
    }
  }
});
