/** Interrupted and undecidable transactions through the real program, and how long displaced content is kept. */
import assert from "node:assert/strict";
import { snapshotDirectory } from "../support/directory_snapshot.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { runAtTerminal } from "../support/terminal.ts";
import { signalQuietly, watch } from "../support/watched_process.ts";

const OWN = ["/var/lib/peipkg", "/var/log/peipkg"];
const COUNT = 150;

const many = (version: string): PackageSpec => ({
  name: "many",
  version,
  files: Object.fromEntries(
    Array.from({ length: COUNT }, (_, index) => [`usr/share/many/${index % 5}/file-${index}`, `${version} ${index}\n`]),
  ),
});
const VICTIM = "/usr/share/many/0/file-0";

/** A root in which an upgrade died after its renames, before its commit. */
async function interruptedUpgrade(world: World, next: string): Promise<number> {
  // The process may reach its commit before the signal; then the next round goes the other way round.
  for (let round = 0; round < 10; round++) {
    await watch(["--root", world.root, "install", next, "--yes"], {
      cwd: world.directory,
      onEvent(event, child) {
        if (event.event === "progress" && event.phase === "commit") signalQuietly(child, "SIGKILL");
      },
    });
    const [newest] = JSON.parse((await world.expect(["--json", "history", "-n", "1"])).stdout);
    const isApplied = Deno.readTextFileSync(world.root + VICTIM).startsWith("2.0");
    if (newest.state === "pending" && isApplied) return newest.id;
    if (newest.state === "pending") await world.expect(["recover"]);
    else await runAtTerminal(["--root", world.root, "undo"], ["y", "y"]);
  }
  return assert.fail("no upgrade could be caught between its renames and its commit");
}

const json = (text: string) => JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");

Deno.test("T-RECOV-05, T-RECOV-06, T-INDET-01…T-INDET-12, C-RECOVER-01…C-RECOVER-06: an interrupted upgrade", async (t) => {
  await using world = await World.create();
  const [first = "", second = ""] = await Promise.all([many("1.0-1"), many("2.0-1")].map((spec) => world.pack(spec)));
  await world.expect(["install", first, "--yes"]);
  const before = await snapshotDirectory(world.root, OWN);
  assert.equal((await world.expect(["recover"])).stdout, "no interrupted transaction to recover\n", "C-RECOVER-01");

  await t.step("T-RECOV-06, T-MODEL-08: readers see the old state and say what waits", async () => {
    const id = await interruptedUpgrade(world, second);
    const { stdout, stderr } = await world.expect(["list"]);
    assert.match(stdout, /^many {2}1\.0-1 /m);
    assert.match(stderr, new RegExp(`^peipkg: warning: .*transaction ${id}\\b`, "m"));
    assert.match((await world.expect(["history", "-n", "1"])).stdout, / pending {6}/);
  });

  await t.step("T-INDET-05, T-INDET-07, C-RECOVER-05, FP-70: the report changes nothing but its copy", async () => {
    const found = await snapshotDirectory(world.root, OWN);
    const report = json((await world.expect(["--json", "recover", "--report"])).stdout.replaceAll("\n", ""));
    assert.equal(report.operations[0].name, "many");
    assert.equal(report.files.length, COUNT);
    assert.deepEqual([...new Set(report.files.map(({ decision }: { decision: string }) => decision))], ["T-ROLL-35"]);
    assert.equal(report.differing.length, COUNT);
    assert.deepEqual(report.database, []);
    assert.deepEqual(await snapshotDirectory(world.root, OWN), found);
    const saved = [...Deno.readDirSync(`${world.root}/var/lib/peipkg/reports`)].map(({ name }) => name);
    assert.equal(saved.length, 1);
    const status = Deno.lstatSync(`${world.root}/var/lib/peipkg/reports/${saved[0]}`);
    assert.equal((status.mode ?? 0) & 0o777, 0o600);
    const parent = Deno.lstatSync(`${world.root}/var/lib/peipkg/reports`);
    assert.equal((parent.mode ?? 0) & 0o777, 0o700);

    // Where no copy can be kept, the report is printed all the same.
    await Deno.remove(`${world.root}/var/lib/peipkg/reports`, { recursive: true });
    await Deno.writeTextFile(`${world.root}/var/lib/peipkg/reports`, "");
    const unsaved = await world.expect(["recover", "--report"]);
    assert.match(unsaved.stdout, /T-ROLL-35/);
    assert.doesNotMatch(unsaved.stdout, /saved as/);
    await Deno.remove(`${world.root}/var/lib/peipkg/reports`);
  });

  await t.step("A-LOG-10: the report names the place where the audit log was tampered with", async () => {
    const path = `${world.root}/var/log/peipkg/audit.jsonl`;
    const log = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, `${log}edited by hand\n`);
    const line = log.split("\n").length;
    const { stdout } = await world.expect(["recover", "--report"]);
    const told = `/var/log/peipkg/audit.jsonl: the chain breaks at line ${line} (unreadable-line)`;
    assert.ok(stdout.includes(told), stdout);
    await Deno.writeTextFile(path, log);
  });

  await t.step("T-RECOV-05, T-RECOV-02, C-RECOVER-02, T-ROLL-06: recover rolls back without a question", async () => {
    const { stdout } = await world.expect(["recover"]);
    assert.equal(stdout, "recovered: the interrupted transaction was rolled back\n");
    assert.deepEqual(await snapshotDirectory(world.root, OWN), before);
    assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
  });

  await t.step(
    "T-INDET-02, T-INDET-03, T-INDET-04, T-PRE-13, C-RECOVER-04, C-ERR-07, FP-71: somebody else's file makes it undecidable",
    async () => {
      const id = await interruptedUpgrade(world, second);
      await Deno.remove(world.root + VICTIM);
      await Deno.writeTextFile(world.root + VICTIM, "somebody else's\n");
      const failed = await world.expect(["recover"], 1);
      assert.match(failed.stderr, new RegExp(VICTIM));
      const commands = [["install", second, "--yes"], ["remove", "many", "--yes"], ["undo"], [
        "mark",
        "auto",
        "many",
      ]];
      for (const args of [...commands, ["lock", "many"]]) {
        const refused = await world.peipkg(["--json", ...args, ...args[0] === "undo" ? ["--yes"] : []]);
        assert.equal(refused.status, 1, args.join(" "));
        const { code } = json(refused.stdout.includes("{") ? refused.stdout : refused.stderr);
        assert.equal(code, "indeterminate", args.join(" "));
      }
      const { stderr } = await world.expect(["list"]);
      const told = `peipkg: warning: transaction ${id} could not be rolled back completely; run 'peipkg recover'\n`;
      assert.ok(stderr.includes(told), stderr);
      assert.equal((await world.expect(["recover"], 1)).stdout, "");
      assert.equal(Deno.readTextFileSync(world.root + VICTIM), "somebody else's\n", "nothing resolves it by itself");
    },
  );

  await t.step("T-INDET-08: at a terminal recover asks about the path and puts the file aside", async () => {
    const declined = await runAtTerminal(["--root", world.root, "recover"], ["n"]);
    assert.equal(declined.status, 1, declined.screen);
    const { status, screen } = await runAtTerminal(["--root", world.root, "recover"], ["y"]);
    assert.equal(status, 0, screen);
    const place = /moved aside \S+ to (\S+)/.exec(screen)?.[1] ?? "";
    assert.equal(Deno.readTextFileSync(world.root + place), "somebody else's\n");
    await Deno.remove(world.root + place);
    assert.deepEqual(await snapshotDirectory(world.root, OWN), before);
  });

  await t.step("T-INDET-09, T-INDET-10, C-RECOVER-06, FP-72, FP-73: accepting is elevated and ends it", async () => {
    assert.match((await world.expect(["recover", "--accept"], 1)).stderr, /no transaction is in an undecided state/);
    await interruptedUpgrade(world, second);
    await Deno.remove(world.root + VICTIM);
    await Deno.writeTextFile(world.root + VICTIM, "somebody else's\n");
    await world.expect(["recover"], 1);
    const refused = await world.expect(["--json", "recover", "--accept", "--yes"], 1);
    assert.equal(json(refused.stdout).code, "authorisation-required");
    const { status, screen } = await runAtTerminal(["--root", world.root, "recover", "--accept"], ["y"]);
    assert.equal(status, 0, screen);
    assert.equal(Deno.readTextFileSync(world.root + VICTIM), "somebody else's\n");
    const names = [...(await snapshotDirectory(world.root, OWN)).keys()];
    assert.deepEqual(names.filter((name) => name.includes(".peipkg-")), []);
    assert.match((await world.expect(["history", "-n", "1"])).stdout, / abandoned {4}/);
    assert.match((await world.expect(["verify"], 1)).stdout, new RegExp(`${VICTIM}`));
    const events = (await Deno.readTextFile(`${world.root}/var/log/peipkg/audit.jsonl`)).trimEnd().split("\n");
    const recovery = events.map((line) => JSON.parse(line)).filter(({ type }) => type === "peipkg.recovery").at(-1);
    assert.deepEqual([recovery.recovery?.mode ?? recovery.mode, recovery.recovery?.resolution ?? recovery.resolution], [
      "operator",
      "accept",
    ]);
    // T-INDET-12: without a restart everything works again.
    await world.expect(["remove", "many", "--yes"]);
    await world.expect(["install", first, "--yes"]);
    assert.deepEqual(await snapshotDirectory(world.root, OWN), before);
  });
});

Deno.test("T-RETAIN-01, T-RETAIN-02, T-RETAIN-05, T-UNDO-06, C-HIST-05, FP-82: kept content through the program", async (t) => {
  await using world = await World.create();
  const files: string[] = [];
  for (const version of ["1.0-1", "2.0-1", "3.0-1", "4.0-1"]) {
    files.push(await world.pack({ name: "app", version, files: { "usr/bin/app": version, "usr/bin/same": "same" } }));
  }
  const retained = (): readonly string[] =>
    [...Deno.readDirSync(`${world.root}/var/lib/peipkg/retained`)].map(({ name }) => name).sort();

  await t.step("T-RETAIN-02: the number of transactions", async () => {
    for (const file of files.slice(0, 3)) {
      await world.expect(["-o", "backup_keep_transactions=2", "install", file, "--yes"]);
    }
    assert.deepEqual(retained(), ["2", "3"]);
    await world.expect(["-o", "backup_keep_transactions=1", "install", files[3] ?? "", "--yes"]);
    assert.deepEqual(retained(), ["4"]);
  });

  await t.step("C-HIST-05, T-HIST-02: history shows what a transaction did to files", async () => {
    const { stdout } = await world.expect(["history", "4", "-v"]);
    const [line, ...rest] = stdout.trimEnd().split("\n");
    assert.match(line ?? "", /^4 .* committed {4}/);
    assert.ok(rest.some((text) => /upgrade +app 3\.0-1 -> 4\.0-1/.test(text)), stdout);
    assert.ok(rest.some((text) => text.includes("/usr/bin/app")) && !stdout.includes("/usr/bin/same"), stdout);
    assert.equal((await world.expect(["history", "99"], 1)).stderr, "peipkg: history: there is no transaction 99\n");
  });

  await t.step("T-UNDO-05, T-UNDO-06: undo of local files needs neither file nor network", async () => {
    for (const file of files) await Deno.remove(file);
    const inode = Deno.statSync(`${world.root}/usr/bin/same`).ino;
    const { status, screen } = await runAtTerminal(["--root", world.root, "undo"], ["y", "y"]);
    assert.equal(status, 0, screen);
    assert.equal(Deno.readTextFileSync(`${world.root}/usr/bin/app`), "3.0-1");
    assert.equal(Deno.statSync(`${world.root}/usr/bin/same`).ino, inode);
    await world.expect(["verify"]);
  });

  await t.step(
    "T-RETAIN-02, T-UNDO-08: with an age of 0 days nothing is kept, and undo says what is missing",
    async () => {
      await world.expect(["-o", "backup_keep_days=0", "remove", "app", "--yes"]);
      assert.deepEqual(retained(), []);
      const refused = json((await world.expect(["--json", "undo", "--yes"], 1)).stdout);
      assert.deepEqual([refused.code, refused.details.rule], ["undo-unavailable", "E_UNDO_UNAVAILABLE"]);
      assert.equal(await exists(`${world.root}/usr/bin/app`), false);
    },
  );
});
