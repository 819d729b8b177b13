/** Preconditions of an operation and what a plan promises, with the real program and a signed repository. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { snapshotDirectory } from "../support/directory_snapshot.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import type { StaticServer } from "../support/static_server.ts";
import { runAtTerminal } from "../support/terminal.ts";
import { watch } from "../support/watched_process.ts";

const spec = (name: string, version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name,
  version,
  files: { [`usr/share/${name}/v`]: `${name} ${version}\n` },
  ...more,
});
const LIB = spec("lib", "1.0-1");
const APP = spec("app", "1.0-1", { dependencies: ["lib"] });
const SOLO = spec("solo", "1.0-1");
const OLD = spec("old", "1.0-1");

const last = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");

async function refused(world: World, args: readonly string[]): Promise<readonly [string, string, boolean]> {
  const before = await snapshotDirectory(world.root, ["/var/log/peipkg", "/var/lib/peipkg"]);
  const { code, details, rolled_back } = last((await world.expect(["--json", ...args], 1)).stdout);
  assert.deepEqual(await snapshotDirectory(world.root, ["/var/log/peipkg", "/var/lib/peipkg"]), before);
  return [code, details?.rule, rolled_back]; // T-CONV-03: one code, one rule
}

const packagesAsked = (server: StaticServer): readonly string[] =>
  server.requests.filter((path) => path.endsWith(".peipkg"));

Deno.test("T-PRE-01…T-PRE-10, T-PLAN-01…T-PLAN-07, T-CONV-03: plans and their preconditions", async (t) => {
  await using world = await World.create();
  await world.publish([LIB, APP, SOLO, OLD]);
  const server = world.serve();
  await world.addRepository(server.url);

  await t.step("T-PLAN-01, T-PLAN-03, T-MODEL-07, T-MODEL-13: equal plans, in order, without a download", async () => {
    const plans = [];
    for (let round = 0; round < 2; round++) {
      const { events } = await watch(["--root", world.root, "install", "app", "solo", "--dry-run"]);
      plans.push(events.find(({ event }) => event === "plan"));
    }
    assert.deepEqual(plans[0], plans[1]);
    const names = JSON.parse(JSON.stringify(plans[0])).operations.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, ["lib", "app", "solo"], "dependencies before dependents");
    const { download_size, size_change } = JSON.parse(JSON.stringify(plans[0]));
    assert.ok(download_size > 0 && size_change > 0);
    assert.deepEqual(packagesAsked(server), []);
  });

  await t.step("T-PLAN-05, FP-02: no answer, or none that can be read, is a no", async () => {
    const { status, stdout } = await world.peipkg(["install", "app"], "");
    assert.deepEqual([status, stdout.endsWith("cancelled\n")], [0, true], stdout);
    assert.equal(await exists(`${world.root}/usr`), false);
    assert.equal((await world.peipkg(["install", "app"], "n\n")).status, 0);
    assert.deepEqual(packagesAsked(server), []);
  });

  await t.step("T-PRE-01, T-VERIFY-01: other bytes than the index names are refused", async () => {
    const file = world.published(LIB);
    const bytes = await Deno.readFile(file);
    const damaged = bytes.slice();
    damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 1;
    await Deno.writeFile(file, damaged);
    const [code, , rolledBack] = await refused(world, ["install", "app", "--yes"]);
    assert.deepEqual([code, rolledBack], ["hash", false]);
    await Deno.writeFile(file, bytes);
  });

  await t.step("T-COMMIT-01, T-COMMIT-03, T-VERIFY-03: verified under the lock, and kept in memory alone", async () => {
    const found: string[] = [];
    const { status } = await watch(["--root", world.root, "install", "app", "solo", "--yes"], {
      onEvent(event, child) {
        if (event.phase !== "verify") return;
        child.kill("SIGSTOP");
        const lock = JSON.parse(Deno.readTextFileSync(`${world.root}/var/lib/peipkg/lock`));
        assert.equal(lock.pid, child.pid);
        found.push(...filesWith(world.root, "1.0-1\n"));
        child.kill("SIGCONT");
      },
    });
    assert.equal(status, 0);
    // Once the last package is verified staging may begin before the process is stopped: then only staged names.
    assert.deepEqual(found.filter((path) => !path.includes(".peipkg-staged-")), []);
    assert.equal(filesWith(world.root, "1.0-1\n").length, 3);
  });

  await t.step("T-CONV-01: times are seconds in the database and UTC in what is shown", async () => {
    using database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`, { readOnly: true });
    const row = database.prepare("SELECT started_at, finished_at FROM txn ORDER BY id DESC").get();
    const now = Date.now() / 1000;
    assert.ok(Number.isInteger(row?.started_at) && Math.abs(Number(row?.started_at) - now) < 600);
    const [entry] = JSON.parse((await world.expect(["--json", "history", "-n", "1"])).stdout);
    assert.match(entry.started_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(Date.parse(entry.started_at) / 1000, row?.started_at);
  });

  await t.step("T-PRE-03, T-PLAN-07, T-AUTO-02: what is there already is not installed again, but marked", async () => {
    const transactions = JSON.parse((await world.expect(["--json", "history"])).stdout).length;
    assert.match((await world.expect(["install", "app", "--yes"])).stdout, /nothing to do/);
    assert.match((await world.expect(["mark", "list", "auto"])).stdout, /^lib\b/m);
    await world.expect(["install", "lib", "--yes"]);
    assert.doesNotMatch((await world.expect(["mark", "list", "auto"])).stdout, /^lib\b/m);
    assert.equal(JSON.parse((await world.expect(["--json", "history"])).stdout).length, transactions);
    await world.expect(["mark", "auto", "lib"]);
  });

  await t.step("T-PRE-06, T-PRE-10, T-RM-02, T-PLAN-02: nothing others need is removed on its own", async () => {
    const [code, rule] = await refused(world, ["remove", "lib", "--yes"]);
    assert.deepEqual([code, rule], ["unresolvable", "E_REMOVAL_BLOCKED"]);
    const { events } = await watch(["--root", world.root, "remove", "lib", "--cascade", "--dry-run"]);
    const plan = JSON.parse(JSON.stringify(events.find(({ event }) => event === "plan")));
    assert.deepEqual(plan.operations.map(({ name }: { name: string }) => name), ["app", "lib"]);
  });

  await t.step("T-PRE-05: a package of another architecture is not installed", async () => {
    const machine = (await new Deno.Command("uname", { args: ["-m"] }).output()).stdout;
    const foreign = new TextDecoder().decode(machine).trim() === "x86_64" ? "aarch64" : "x86_64";
    const file = await world.pack(spec("foreign", "1.0-1", { architecture: foreign }));
    assert.equal((await refused(world, ["install", file, "--yes"]))[2], false);
  });

  await t.step("T-PRE-08, T-DB-20: a local file needs no index, but every check of its content", async () => {
    const file = await world.pack(spec("local", "1.0-1"));
    const bytes = await Deno.readFile(file);
    await Deno.writeFile(file, bytes.subarray(0, bytes.length - 9));
    await refused(world, ["install", file, "--yes"]);
    await Deno.writeFile(file, bytes);
    await world.expect(["install", file, "--yes"]);
    using database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`, { readOnly: true });
    const row = database.prepare("SELECT origin_repo, install_reason FROM package WHERE name = 'local'").get();
    assert.deepEqual({ ...row }, { origin_repo: null, install_reason: "explicit" });
  });

  await t.step("T-PRE-04, T-PRE-07: a lower version is a matter of its own, which --yes does not decide", async () => {
    await world.publish([spec("lib", "2.0-1"), spec("solo", "2.0-1")]);
    await world.expect(["refresh"]);
    await world.expect(["-o", "backup_keep_days=0", "upgrade", "lib", "solo", "--yes"]);
    const [code, rule] = await refused(world, ["downgrade", "solo", "1.0-1", "--yes"]);
    assert.deepEqual([code, rule], ["authorisation-required", "E_AUTH_REQUIRED"]);
  });

  await t.step(
    "T-UNDO-03, T-UNDO-07, T-UNDO-02: without kept content the archive supplies what was there",
    async () => {
      assert.equal((await world.peipkg(["undo", "1"])).status, 2);
      await world.expect(["clean", "--packages", "--all"]);
      const asked = packagesAsked(server).length;
      const { status, screen } = await runAtTerminal(["--root", world.root, "undo"], ["y", "y", "y"]);
      assert.equal(status, 0, screen);
      assert.equal(Deno.readTextFileSync(`${world.root}/usr/share/solo/v`), "solo 1.0-1\n");
      assert.equal(packagesAsked(server).length, asked + 2);
      assert.match((await world.expect(["mark", "list", "auto"])).stdout, /^lib\b/m, "marks return to what they were");
    },
  );

  await t.step("T-UNDO-09: what is kept of one package is used, the other comes from the archive", async () => {
    await world.expect(["upgrade", "lib", "solo", "--yes"]);
    {
      using database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`, { readOnly: true });
      const row = database.prepare(
        "SELECT retained_path FROM prior_file WHERE path = '/usr/share/solo/v' ORDER BY txn_id DESC",
      ).get();
      const place = String(row?.retained_path).replace("state:", `${world.root}/var/lib/peipkg/`);
      await Deno.remove(place);
    }
    await world.expect(["clean", "--packages", "--all"]);
    const asked = packagesAsked(server).length;
    const { status, screen } = await runAtTerminal(["--root", world.root, "undo"], ["y", "y", "y"]);
    assert.equal(status, 0, screen);
    assert.deepEqual(packagesAsked(server).slice(asked).map((path) => path.split("/")[2]), ["solo"]);
    for (const name of ["lib", "solo"]) {
      assert.equal(Deno.readTextFileSync(`${world.root}/usr/share/${name}/v`), `${name} 1.0-1\n`);
    }
    await world.expect(["verify"]);
  });

  await t.step("T-REPL-02, T-REPL-01: what takes the place of a package somebody asked for is asked for", async () => {
    await world.expect(["install", "old", "--yes"]);
    await world.publish([spec("young", "1.0-1", { replaces: ["old"] })]);
    await world.expect(["refresh"]);
    await world.expect(["upgrade", "--yes"]);
    assert.match((await world.expect(["mark", "list", "manual"])).stdout, /^young\b/m);
    assert.equal(await exists(`${world.root}/usr/share/old`), false);
  });

  await t.step("T-AUTO-01: autoremove is a removal like any other, and can be undone", async () => {
    await world.expect(["remove", "app", "--yes"]);
    const { stdout } = await world.expect(["autoremove", "--yes"]);
    assert.match(stdout, /remove {5}lib/);
    assert.equal(await exists(`${world.root}/usr/share/lib`), false);
    const [entry] = JSON.parse((await world.expect(["--json", "history", "-n", "1"])).stdout);
    assert.deepEqual([entry.state, entry.operations[0].action], ["committed", "remove"]);
    await world.expect(["undo", "--yes"]);
    assert.match((await world.expect(["mark", "list", "auto"])).stdout, /^lib\b/m);
  });
});

/** Paths below a directory whose content ends with a text. */
function filesWith(directory: string, ending: string): readonly string[] {
  const found: string[] = [];
  for (const { name, isDirectory, isFile } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) found.push(...filesWith(path, ending));
    else if (isFile && new TextDecoder().decode(Deno.readFileSync(path)).endsWith(ending)) found.push(path);
  }
  return found;
}
