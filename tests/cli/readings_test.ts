/** What reading commands answer, and what change commands say besides, on one installation. */
import assert from "node:assert/strict";
import { World } from "../support/e2e_world.ts";
import { runInProcess } from "../support/in_process.ts";
import { APP1, CONSUMER, LIB1, LIB2, provider } from "./support/packages.ts";
import { recordedTerminal } from "./support/recorded_terminal.ts";

const events = (text: string): readonly Record<string, unknown>[] =>
  text.trimEnd().split("\n").map((line) => Object(JSON.parse(line)));

async function world(): Promise<World> {
  const made = await World.create(runInProcess, "memory");
  await made.publish([LIB1, APP1, CONSUMER, provider("alpha"), provider("beta")]);
  await made.addRepository(made.serve().url);
  return made;
}

Deno.test("an installation, looked at", async (t) => {
  await using made = await world();
  const { expect } = { expect: made.expect.bind(made) };
  const out = async (args: readonly string[], status = 0): Promise<string> => (await expect(args, status)).stdout;
  const say = async (args: readonly string[], status = 1): Promise<string> => (await expect(args, status)).stderr;

  await t.step("C-LIST-02, C-HIST-04, C-SEARCH-02: nothing to show is said, and is no failure", async () => {
    assert.equal(await out(["list"]), "no packages are installed\n");
    assert.equal(await out(["history"]), "no transactions recorded\n");
    assert.equal(await out(["search", "zzz"]), 'no packages match "zzz"\n');
    assert.equal(await out(["search", "zzz", "--json"]), "[]\n");
  });
  await t.step("C-UNDO-04: there is nothing to undo", async () => {
    assert.equal(await say(["undo"]), "peipkg: undo: there is no committed transaction to undo\n");
  });
  await t.step("C-AUTOREMOVE-02: nothing is unused", async () => {
    assert.equal(
      await out(["autoremove"]),
      "nothing to do — no automatically installed package is unused\n",
    );
  });
  await t.step("C-EXIT-00, C-PROMPT-04, C-JSON-11: an empty plan and a dry run ask nothing and end well", async () => {
    const dry = events(await out(["--json", "install", "app", "--dry-run"])).at(-1);
    assert.deepEqual([dry?.["event"], dry?.["summary"], dry?.["dry_run"]], ["done", "dry run", true]);
    await expect(["install", "app", "--yes"]);
    const done = events(await out(["--json", "install", "app", "--yes"])).at(-1);
    assert.deepEqual([done?.["event"], done?.["summary"]], ["done", "nothing to do"]);
    const terminal = recordedTerminal({ terminals: ["stdin", "stdout"] });
    await runInProcess(["--root", made.root, "install", "app"], { terminal });
    await runInProcess(["--root", made.root, "remove", "app", "--dry-run"], { terminal });
    assert.ok(!terminal.output.stdout.includes("[y/N]"));
  });
  await t.step("C-FILES-03, C-INFO-04: what is not installed is exit 1, and --exists says no more", async () => {
    assert.equal(await say(["files", "none"]), 'peipkg: files: "none" is not installed\n');
    assert.deepEqual(await made.peipkg(["info", "--exists", "app"]), { status: 0, stdout: "", stderr: "" });
    assert.deepEqual(await made.peipkg(["info", "--exists", "none"]), { status: 1, stdout: "", stderr: "" });
  });
  await t.step("C-INFO-04: several records, package files and offers", async () => {
    assert.match(await out(["info", "app", "lib"]), /^name: {9}app\n[\s\S]*\n\nname: {9}lib\n/);
    const file = await out(["info", made.published(APP1)]);
    assert.match(file, /^name: {9}app\nversion: {6}1\.0-1\narchitecture: noarch\norigin: {7}\(local file\)\n/);
    assert.match(await out(["info", "-v", made.published(APP1)]), /\ndepends: {6}lib\n/);
    assert.match(await out(["info", "--available", "lib"]), /^name: {9}lib\n[\s\S]*\nrepository: {3}main\n/);
  });
  await t.step("C-VERIFY-01, C-VERIFY-02: each kind of difference in its own words", async () => {
    const { root } = made;
    await Deno.writeTextFile(`${root}/usr/bin/app`, "changed\n");
    await Deno.remove(`${root}/usr/bin/a`);
    await Deno.symlink("lib", `${root}/usr/bin/a`);
    await Deno.remove(`${root}/etc/app.conf`);
    await Deno.mkdir(`${root}/etc/app.conf`);
    await Deno.remove(`${root}/usr/share/lib`, { recursive: true });
    assert.equal(
      await out(["verify"], 1),
      "app: /etc/app.conf is not a regular file\n" +
        'app: /usr/bin/a points at "lib", recorded as "app"\n' +
        "app: /usr/bin/app has been modified since install\n" +
        "lib: /usr/share/lib is missing or not a directory\n" +
        "lib: /usr/share/lib/v is missing or unreadable\n" +
        "verify: 5 problem(s) found\n",
    );
    assert.match(await say(["verify", "app", "none"]), /^peipkg: verify: "none" is not installed\n/);
    await Deno.remove(`${root}/usr/bin/a`);
    await Deno.mkdir(`${root}/usr/bin/a`);
    assert.match(await out(["verify", "app"], 1), /\/usr\/bin\/a is not a symbolic link\n/);
    await Deno.remove(`${root}/usr/bin/a`);
    assert.match(await out(["verify", "app"], 1), /\/usr\/bin\/a is missing\n/);
    await Deno.remove(`${root}/etc/app.conf`);
    await expect(["install", "app", "lib", "--reinstall", "--yes", "--overwrite-unowned"]);
    assert.equal(await out(["verify"]), "all recorded files are intact\n");
  });
  await t.step("C-HIST-05: one transaction, its operations and its file actions", async () => {
    const shown = await out(["history", "1", "-v"]);
    assert.match(
      shown,
      /^1 {2}\S+Z {2}committed {4}install app\n {2}install {4}lib 1\.0-1\n {2}install {4}app 1\.0-1\n/,
    );
    assert.match(shown, /\n {2}create {5}\/usr\/bin\/app\n/);
    assert.ok(!(await out(["history", "1"])).includes("create"));
    assert.equal((await out(["history", "--package", "lib"])).split("\n").length, 3);
    assert.equal(JSON.parse(await out(["history", "1", "-v", "--json"])).files[0].action, "create");
  });
  await t.step("C-CLAIM-01, C-CLAIM-05: an unheld role, and one nobody knows", async () => {
    await expect(["install", "consumer", "alpha", "--yes"]);
    await expect(["claim", "registry", "revoke", "--allow-critical", "--yes"]);
    assert.match(await out(["claim", "registry"]), /^role registry is unheld\n/);
    assert.match(await say(["claim", "none"]), /^peipkg: claim: .*"none"\n$/);
  });
  await t.step("C-OUT-11, C-OUT-12: columns are padded but the last, and equal input gives equal bytes", async () => {
    const listed = await out(["list"]);
    assert.match(listed, /^alpha {5}1\.0-1 {2}noarch\napp {7}1\.0-1 {2}noarch\nconsumer {2}1\.0-1 {2}noarch\n/);
    for (const args of [["list"], ["info", "app"], ["search", "a"], ["list", "--json"], ["export"]]) {
      assert.equal(await out(args), await out(args), args.join(" "));
    }
  });
  await t.step("C-INSTALL-11: a file and a name, or two files, of one package are ambiguous", async () => {
    const other = await made.pack({ ...LIB1, version: "1.5-1" });
    for (const operands of [[other, "lib"], [other, made.published(LIB1)]]) {
      const last = events((await made.peipkg(["--json", "install", ...operands, "--yes"])).stdout).at(-1);
      assert.deepEqual([last?.["code"], last?.["reason"]], ["unresolvable", "ambiguous"], operands.join(" "));
    }
    await expect(["install", made.published(LIB1), "lib", "--dry-run"]);
  });
  await t.step("C-LOCK-04, C-UNDO-05: neither undo nor downgrade passes a lock; undo knows no age limit", async () => {
    await made.publish([LIB2]);
    await expect(["refresh"]);
    await expect(["upgrade", "--yes"]);
    await expect(["lock", "lib"]);
    for (const args of [["undo", "--yes"], ["downgrade", "lib", "1.0-1", "--yes"]]) {
      const last = events((await made.peipkg(["--json", ...args])).stdout).at(-1);
      assert.equal(last?.["code"], "locked", args.join(" "));
    }
    await expect(["unlock", "lib"]);
    const late = { clockAhead: 400 * 86_400_000, cwd: made.directory };
    const undo = await runInProcess(["--root", made.root, "undo", "--dry-run"], late);
    assert.deepEqual([undo.status, /downgrade {2}lib 2\.0-1 -> 1\.0-1/.test(undo.stdout)], [0, true]);
  });
  await t.step("C-AUTOREMOVE-03: quiet and dry is a list for scripts", async () => {
    await expect(["mark", "auto", "app"]);
    assert.equal(await out(["autoremove", "-q", "--dry-run"]), "app 1.0-1\nlib 2.0-1\n");
  });
  await t.step("C-PLAN-06: planning takes no lock", async () => {
    using lock = await Deno.open(`${made.root}/var/lib/peipkg/lock`);
    await lock.lock(true);
    assert.match(await out(["autoremove", "--dry-run"]), /\(dry run — no changes were made\)\n$/);
    const declined = await made.peipkg(["remove", "app"], "n\n");
    assert.equal(declined.status, 0);
    assert.match(declined.stdout, /cancelled\n$/);
  });
  await t.step("C-PLAN-05: a system that changed while the question stood is not changed further", async () => {
    const terminal = recordedTerminal({ terminals: ["stdin", "stdout"] });
    terminal.readLine = async () => {
      await expect(["mark", "manual", "app"]);
      await expect(["remove", "app", "--yes"]);
      return "y";
    };
    const result = await runInProcess(["--root", made.root, "remove", "app", "lib", "-vv"], { terminal });
    assert.equal(result.status, 1);
    assert.match(result.stderr, /the system changed while waiting; run the command again \[failed: PLAN_STALE\]\n/);
    assert.match(await out(["list"]), /^lib /m);
  });
  await t.step(
    "C-UPGRADE-04, C-SEARCH-04, T-PRE-09: orphans are refused by name and warned of in a full upgrade",
    async () => {
      await expect(["repo", "remove", "main"]);
      const refused = events((await made.peipkg(["--json", "upgrade", "lib", "--yes"])).stdout).at(-1);
      assert.deepEqual([refused?.["code"], Object(refused?.["details"]).rule], ["unresolvable", "E_ORPHAN_NO_SOURCE"]);
      assert.match(await say(["upgrade"], 0), /warning: .*lib.* orphaned/);
      assert.equal((await made.peipkg(["search", "lib"])).status, 0);
    },
  );
});

Deno.test("C-SEARCH-03, C-SEARCH-04: search goes on without a repository that installing refuses to go on without", async () => {
  await using made = await world();
  const broken = `base_url = "https://127.0.0.1:1"\ntrust_anchors = ["${made.anchor}"]\n`;
  await Deno.writeTextFile(`${made.root}/conf/peipkg/other.repo`, broken);
  const search = await made.peipkg(["search", "app"]);
  assert.deepEqual([search.status, search.stdout.startsWith("app ")], [0, true]);
  assert.match(search.stderr, /warning: .*other/);
  assert.equal((await made.peipkg(["install", "app", "--yes"])).status, 1);
});

Deno.test("C-INSTALL-13: a file that changed after it was verified is code hash", async () => {
  await using made = await world();
  const file = await made.pack(LIB1);
  const terminal = recordedTerminal({ terminals: ["stdin", "stdout"] });
  terminal.readLine = async () => {
    await Deno.copyFile(await made.pack(LIB2), file);
    return "y";
  };
  const result = await runInProcess(["--root", made.root, "install", file, "-v"], { terminal });
  assert.equal(result.status, 1);
  assert.match(result.stderr, / \[hash\]\n/);
  assert.equal((await made.expect(["list"])).stdout, "no packages are installed\n");
});

Deno.test("C-JSON-07: under --json an elevated question is still asked, as text on stderr, of a terminal", async () => {
  await using made = await world();
  await made.publish([LIB2]);
  await made.expect(["refresh"]);
  await made.expect(["install", "lib", "--yes"]);
  const args = ["--json", "--root", made.root, "downgrade", "lib", "1.0-1", "--yes"];
  const terminal = recordedTerminal({ terminals: ["stdin", "stderr"], lines: ["y"] });
  const { status, stdout, stderr } = await runInProcess(args, { terminal });
  assert.equal(status, 0, stdout);
  assert.equal(
    stderr,
    "\nthis operation requires elevated authorisation:\n  lib would move backward from 2.0-1 to 1.0-1\n" +
      "authorise this specific action? [y/N] ",
  );
  assert.ok(events(stdout).some(({ event, kind }) => event === "authorised" && kind === "downgrade"));
});

Deno.test("C-BUILD-02: inspect shows a record, the raw manifest, entries with their modes, and the envelope", async () => {
  await using made = await world();
  const file = made.published(APP1);
  const inspect = async (...more: readonly string[]): Promise<string> =>
    (await runInProcess(["inspect", file, ...more], { program: "peipkg-build" })).stdout;
  assert.match(await inspect(), /^name: {9}app\nversion: {6}1\.0-1\n[\s\S]*\nsigned-by: {4}[0-9a-f]{64}\n$/);
  assert.equal(JSON.parse(await inspect("--manifest")).name, "app");
  assert.match(await inspect("--files"), /^0777\/file 8 etc\/app\.conf$/m);
  assert.match(await inspect("--files"), /^0777\/symlink 0 usr\/bin\/a -> app$/m);
  const envelope = JSON.parse(await inspect("--signature"));
  assert.deepEqual([envelope.key_fingerprint, typeof envelope.signature], [made.anchor, "string"]);
  assert.deepEqual(JSON.parse(await inspect("--json")).signature, envelope);
});

Deno.test("C-OUT-01, C-OUT-02, C-OUT-04: one file writes to the streams, in UTF-8, at once", async () => {
  const writers: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for await (const entry of Deno.readDir(directory)) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (/\bconsole\.|Deno\.(?:stdout|stderr|stdin)|process\.std/.test(await Deno.readTextFile(path))) {
        writers.push(path);
      }
    }
  };
  for (const directory of ["cli", "core"]) await walk(directory);
  assert.deepEqual(writers, ["cli/terminal.ts"]);
  const text = await Deno.readTextFile("cli/terminal.ts");
  assert.match(text, /writeSync/, "nothing is buffered, so nothing has to be flushed");
});

Deno.test("C-OUT-15: messages are in British spelling, lower case, without a final stop", async () => {
  const american = /\b(?:authoriz|canceled|initializ|recogniz|unauthoriz|behavior|colored)/i;
  const found: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for await (const entry of Deno.readDir(directory)) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (american.test(await Deno.readTextFile(path))) found.push(path);
    }
  };
  for (const directory of ["cli", "core"]) await walk(directory);
  assert.deepEqual(found, []);
  const screens = await Deno.readTextFile("tests/fixtures/screens/errors.txt");
  for (const line of screens.split("\n").filter((text) => /^peipkg: /.test(text))) {
    assert.doesNotMatch(line, /\.$/);
    assert.doesNotMatch(line, /^peipkg: (?:\w+: )?[A-Z][a-z]/);
  }
});
