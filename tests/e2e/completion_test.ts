/** Completion as shells ask for it: each script run by its shell, where there is one, with the real program behind it. */
import assert from "node:assert/strict";
import { COMPLETION_SHELLS, completionScript, type CompletionShell } from "../../cli/completion_scripts.ts";
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

const quote = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(" ");

/** For each shell, how to complete a line without a terminal, one offer a line: its completion builtins are played. */
const DRIVERS: Readonly<Record<CompletionShell, (words: readonly string[]) => readonly string[]>> = {
  bash: (words) => [
    "--norc",
    "-c",
    `${completionScript("peipkg", "bash")}
COMP_WORDS=(${quote(words)}); COMP_CWORD=${words.length - 1}
compopt() { :; }
_peipkg
printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  zsh: (words) => [
    "-f",
    "-c",
    `_describe() { print -rl -- "\${(@P)4}" }
compadd() { print -rl -- "\${(@P)4}" }
words=(${quote(words)}); CURRENT=${words.length}
${completionScript("peipkg", "zsh")}`,
  ],
  fish: (
    words,
  ) => ["--no-config", "-c", `${completionScript("peipkg", "fish")}\ncomplete -C ${quote([words.join(" ")])}`],
};

/** Completes a line; returns the values offered, without what describes them. */
async function complete(shell: CompletionShell, bin: string, line: string): Promise<readonly string[]> {
  const { stdout, stderr, success } = await new Deno.Command(shell, {
    args: [...DRIVERS[shell](line.split(" "))],
    cwd: bin,
    clearEnv: true,
    env: { ...baseEnvironment(), XDG_CONFIG_HOME: bin, XDG_DATA_HOME: bin, PATH: `${bin}:/usr/bin:/bin` },
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "", `${shell}: ${line}`);
  // zsh ends with the status of its last condition.
  assert.ok(success || shell === "zsh", `${shell}: ${line}`);
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "")
    .map((offer) => offer.split("\t", 1)[0] ?? "").map((offer) =>
      shell === "zsh" ? offer.split(":", 1)[0] ?? "" : offer
    );
}

Deno.test("C-COMP-01, C-COMP-02, C-COMP-03: shells complete commands, names, versions and paths", async (test) => {
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
  for (const shell of COMPLETION_SHELLS) {
    await test.step({
      name: shellOf(shell) ? shell : `${shell}: not on this machine`,
      ignore: !shellOf(shell),
      async fn() {
        const offered = (line: string) => complete(shell, bin, line);
        assert.deepEqual(await offered("peipkg autor"), ["autoremove"]);
        assert.deepEqual(await offered(`${at} remove g`), ["greet"]);
        assert.deepEqual(await offered(`${at} install gr`), ["greet", "grey"]);
        assert.deepEqual(await offered(`${at} downgrade greet `), ["2.0-1"]);
        assert.deepEqual(await offered(`${at} refresh `), ["main"]);
        assert.deepEqual(await offered(`peipkg --root ${world.directory}/ro`), [`${world.directory}/root/`]);
        // fish goes on to names that contain what was typed.
        if (shell !== "fish") assert.deepEqual(await offered("peipkg unin"), []);
        assert.deepEqual(await offered("peipkg --root /nonexistent remove g"), []);
      },
    });
  }
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
