/** Global options, settings and where they come from, through the program. */
import assert from "node:assert/strict";
import { run } from "../support/cli.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { runInProcess } from "../support/in_process.ts";
import { recordedTerminal } from "./support/recorded_terminal.ts";

const GREET: PackageSpec = { name: "greet", version: "1.0-1", files: { "usr/bin/greet": "x\n" } };
const MANUAL: PackageSpec = {
  name: "manual",
  version: "1.0-1",
  sideEffects: ["man-db"],
  files: { "usr/share/man/man1/manual.1": ".Dd today\n" },
};

Deno.test("global options and the places they name", async (t) => {
  await using world = await World.create(runInProcess);
  await world.publish([GREET, MANUAL]);
  await world.addRepository(world.serve().url);
  const at = ["--root", world.root];

  await t.step("C-GLOB-01: a relative root is relative to the working directory, and must exist", async () => {
    assert.equal((await run(["--root", "root", "repo", "list"], { cwd: world.directory })).status, 0);
    const { status, stderr } = await world.peipkg(["--root", `${world.directory}/none`, "list"]);
    assert.deepEqual(
      [status, stderr],
      [1, `peipkg: list: cannot open root "${world.directory}/none": it does not exist\n`],
    );
  });

  await t.step("C-GLOB-02, C-GLOB-03: directories given as options are taken literally", async () => {
    const [config, state, cache] = ["c", "s", "k"].map((name) => `${world.directory}/${name}`);
    await Deno.mkdir(`${config}`);
    await Deno.copyFile(`${world.root}/conf/peipkg/main.repo`, `${config}/other.repo`);
    const options = ["--config-dir", `${config}`, "--state-dir", `${state}`, "--cache-dir", `${cache}`];
    assert.match((await world.expect([...options, "repo", "list"])).stdout, /^other /);
    await world.expect([...options, "refresh"]);
    assert.ok(await exists(`${state}/db.sqlite`));
    assert.ok([...Deno.readDirSync(`${cache}`)].length > 0);
  });

  await t.step("C-GLOB-04, C-CONF-01: option, -o, variable and file, in this order of strength", async () => {
    const file = `${world.root}/conf/peipkg/peipkg.toml`;
    await Deno.writeTextFile(file, "lock_wait = 1\nfetch_parallel = 2\n");
    const env = { PEIPKG_LOCK_WAIT: "2" };
    const show = async (more: readonly string[], environment: Record<string, string>): Promise<string> => {
      const { stdout } = await runInProcess([...at, "config", "--changed", ...more], { env: environment });
      return stdout.split("\n").find((line) => line.startsWith("lock_wait")) ?? "";
    };
    const line = (value: number, source: string): string => `lock_wait                   ${value}  (${source})`;
    assert.equal(await show([], {}), line(1, "file"));
    assert.equal(await show([], env), line(2, "environment"));
    assert.equal(await show(["-o", "lock_wait=3"], env), line(3, "option"));
    assert.equal(await show(["-o", "lock_wait=3", "--lock-wait", "4"], env), line(4, "option"));
    assert.equal((await runInProcess([...at, "config", "lock_wait"], { env })).stdout, "2\n");
  });

  await t.step("C-CONFIG-01: every key with its value and source, then the repositories as blocks", async () => {
    const { stdout } = await world.expect(["config"]);
    const lines = stdout.split("\n");
    assert.ok(lines.includes(`critical_packages           ["peipkg"]  (default)`), stdout);
    assert.ok(lines.includes("fetch_parallel              2  (file)"));
    assert.ok(lines.indexOf("repository main") > lines.indexOf("fetch_parallel              2  (file)"));
    assert.match(stdout, /\nrepository main\n {2}base_url +"http/);
    assert.equal((await world.expect(["config", "critical_packages"])).stdout, "peipkg\n");
    assert.equal((await world.expect(["config", "--check"])).stdout, "configuration is valid\n");
  });

  await t.step("C-CONF-11: what is wrong is named by file, line and key, and stops all but config", async () => {
    const file = `${world.root}/conf/peipkg/peipkg.toml`;
    await Deno.writeTextFile(file, "lock_wait = 1\nfetch_paralel = 2\n");
    const refused = await world.peipkg(["list"]);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /peipkg\.toml" line 2: unknown key "fetch_paralel"\ndid you mean "fetch_parallel"\?\n$/,
    );
    const { error } = JSON.parse((await world.peipkg(["list", "--json"])).stderr);
    assert.deepEqual([error.code, error.details.line, error.details.key], ["config", 2, "fetch_paralel"]);
    assert.match((await world.expect(["config"])).stderr, /unknown key "fetch_paralel"/);
    assert.equal((await world.peipkg(["config", "--check"])).status, 1);
    for (const args of [["help"], ["--help"], ["--version"]]) assert.equal((await world.peipkg(args)).status, 0);
    await Deno.remove(file);
  });

  await t.step("C-GLOB-14: side effects are not run for another root, and one warning lists them", async () => {
    const { stderr } = await world.expect(["install", "manual", "--yes"]);
    assert.match(stderr, /^peipkg: warning: side effects not run for another root: man-db$/m);
  });

  await t.step("C-GLOB-05, C-GLOB-06, C-GLOB-07: what quiet and verbose leave out and add", async () => {
    const quiet = await world.expect(["install", "greet", "--yes", "-q"]);
    assert.equal(quiet.stdout, "");
    await world.expect(["remove", "greet", "--yes"]);
    const verbose = await world.expect(["install", "greet", "--yes", "-v"]);
    assert.match(verbose.stdout, /install {4}greet 1\.0-1 \[main\]\ntotal: download /);
    assert.match(verbose.stdout, /\ndone — 1 operation applied\n$/);
    assert.deepEqual(verbose.stderr.split("\n").filter((line) => !line.includes("warning:")).slice(0, 3), [
      "peipkg: verifying greet 1.0-1 (1/1)",
      "peipkg: staging greet 1.0-1 (1/1)",
      "peipkg: committing transaction 4",
    ]);
    assert.equal((await world.expect(["install", "greet", "--yes", "-q"])).stdout, "");
    assert.equal((await world.expect(["verify", "-q"])).stdout, "");
    assert.equal((await world.expect(["list", "-q"])).stdout, (await world.expect(["list"])).stdout);
    assert.equal((await world.peipkg(["list", "-q", "-v"])).status, 2);
    assert.match((await world.peipkg(["list", "-vv"])).stderr, /^peipkg: list took \d+ ms\n$/);
    const traced = (await world.expect(["install", "greet", "--reinstall", "--yes", "-vv"])).stderr;
    assert.match(traced, /^peipkg: staging took \d+ ms$/m);
    assert.match((await world.expect(["refresh", "-vv"])).stderr, /^peipkg: GET http:\/\/\S+\/repo\.json$/m);
    assert.match((await world.peipkg(["info", "none", "-v"])).stderr, / \[not-installed\]\n/);
    assert.match((await world.peipkg(["info", "none", "-vv"])).stderr, / \[not-installed: E_NOT_INSTALLED\]\n/);
  });

  await t.step("C-GLOB-10: --lock-wait waits for the lock, 0 does not", async () => {
    using lock = await Deno.open(`${world.root}/var/lib/peipkg/lock`);
    await lock.lock(true);
    assert.equal((await world.peipkg(["mark", "auto", "greet"])).status, 1);
    const terminal = recordedTerminal();
    const { write } = terminal;
    terminal.write = (stream, text) => {
      write(stream, text);
      if (text.includes("waiting for")) void lock.unlock();
    };
    const waited = await runInProcess([...at, "--lock-wait", "60", "mark", "auto", "greet"], { terminal });
    assert.deepEqual([waited.status, waited.stdout], [0, "marked greet auto\n"]);
  });
});

Deno.test("C-CONF-14: the first change records the architecture, and nothing contradicts it later", async () => {
  await using world = await World.create(runInProcess);
  const file = await world.pack(GREET);
  const other = Deno.build.arch === "aarch64" ? "x86_64" : "aarch64";
  await world.expect(["-o", `architecture=${other}`, "list"]);
  assert.deepEqual([...Deno.readDirSync(world.root)], [], "a reader records nothing");
  await world.expect(["-o", `architecture=${other}`, "install", file, "--yes"]);
  assert.equal(JSON.parse((await world.expect(["export", "--json"])).stdout).architecture, other);
  const contrary = ["-o", `architecture=${Deno.build.arch}`, "--json", "install", file, "--reinstall", "--yes"];
  const last = (await world.peipkg(contrary)).stdout.trimEnd().split("\n").at(-1) ?? "";
  assert.equal(JSON.parse(last).code, "config");
});

Deno.test("C-GEN-09: what the caller may not do is denied by the system, not by the program", async () => {
  await using world = await World.create(runInProcess);
  // The kernel's own tree refuses everybody, the superuser included.
  const args = ["--json", "--root", "/sys", "-o", "architecture=x86_64", "install", await world.pack(GREET), "--yes"];
  const { status, stdout } = await runInProcess(args);
  assert.deepEqual([status, JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "").code], [1, "denied"]);
});
