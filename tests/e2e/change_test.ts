/** Upgrades, downgrades, undo, replacements and collisions through the real program. */
import assert from "node:assert/strict";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { runAtTerminal } from "../support/terminal.ts";

const APP1: PackageSpec = {
  name: "app",
  version: "1.0-1",
  dependencies: ["lib"],
  optional: ["extras"],
  files: { "usr/bin/app": "app 1\n", "etc/app.conf": "level=1\n", "usr/share/app/same": "same\n" },
};
const APP2: PackageSpec = {
  ...APP1,
  version: "2.0-1",
  dependencies: [{ name: "lib", constraint: ">= 2.0" }],
  files: { "usr/bin/app": "app 2\n", "etc/app.conf": "level=2\n", "usr/share/app/same": "same\n" },
};
const LIB1: PackageSpec = { name: "lib", version: "1.0-1", files: { "usr/share/lib/v": "1\n" } };
const LIB2: PackageSpec = { name: "lib", version: "2.0-1", files: { "usr/share/lib/v": "2\n" } };
const EXTRAS: PackageSpec = { name: "extras", version: "1.0-1", files: { "usr/share/extras/x": "x\n" } };

function read(world: World, path: string): string {
  return Deno.readTextFileSync(`${world.root}/${path}`);
}

Deno.test("an upgrade, its edited file, its undo and a downgrade", async (t) => {
  await using world = await World.create();
  await world.publish([APP1, LIB1, EXTRAS]);
  await world.addRepository(world.serve().url);
  await t.step("C-PLAN-02, S-PLAN-05: optional dependencies are notes, never operations", async () => {
    const { stdout } = await world.expect(["install", "app", "--yes"]);
    assert.match(stdout, /\n {2}note: optional for app: extras\n/);
    assert.equal(await exists(`${world.root}/usr/share/extras`), false);
  });
  const inode = Deno.statSync(`${world.root}/usr/share/app/same`).ino;
  await world.publish([APP2, LIB2]);
  await world.expect(["refresh"]);
  await t.step("C-UPGRADE-03: an upgrade of what is not installed is refused", async () => {
    const { stderr } = await world.expect(["upgrade", "extras"], 1);
    assert.match(stderr, /peipkg: upgrade: "extras" is not installed\n$/);
  });
  Deno.writeTextFileSync(`${world.root}/etc/app.conf`, "level=9\n");
  await t.step(
    "C-UPGRADE-01, C-UPGRADE-02, C-PLAN-08, T-ETC-03: edits are kept, the new default lies beside",
    async () => {
      const { stdout, stderr } = await world.expect(["upgrade", "--yes"]);
      assert.match(stdout, /upgrade {4}lib 1\.0-1 -> 2\.0-1\n {2}upgrade {4}app 1\.0-1 -> 2\.0-1/);
      assert.match(
        stderr,
        /warning: \/etc\/app\.conf has been modified since install — keeping it; the new default was written to \/etc\/app\.conf\.peipkg-new/,
      );
      assert.equal(read(world, "etc/app.conf"), "level=9\n");
      assert.equal(read(world, "etc/app.conf.peipkg-new"), "level=2\n");
      assert.equal(read(world, "usr/bin/app"), "app 2\n");
    },
  );
  await t.step("T-DIFF-02: a file that did not change keeps its inode", () => {
    assert.equal(Deno.statSync(`${world.root}/usr/share/app/same`).ino, inode);
  });
  await t.step("C-PLAN-03: a second upgrade has nothing to do", async () => {
    assert.equal((await world.expect(["upgrade"])).stdout, "nothing to do — the request is already satisfied\n");
  });
  await t.step(
    "C-AUTH-02, C-AUTH-04, C-UNDO-03, S-AUTH-06: undo goes backward, and --yes does not answer that",
    async () => {
      const { stderr } = await world.expect(["undo", "--yes"], 1);
      assert.match(stderr, /^peipkg: undo: elevated authorisation is needed and there is no terminal to give it on\n/m);
      assert.match(stderr, /\n {2}lib would move backward from 2\.0-1 to 1\.0-1\n/);
      assert.match(stderr, /app would move backward from 2\.0-1 to 1\.0-1\n/);
      assert.equal(read(world, "usr/bin/app"), "app 2\n");
    },
  );
  await t.step("C-UNDO-06, S-PLAN-03: a dry run of undo names the transaction and asks nothing", async () => {
    const { stdout } = await world.expect(["undo", "--dry-run"]);
    assert.match(stdout, /^undoing transaction 2 \(upgrade app, lib\)\nthe following changes will be made:\n/);
    assert.match(stdout, /\(dry run — no changes were made\)\n$/);
  });
  await t.step("C-AUTH-05, S-AUTH-05: one no at the terminal cancels everything", async () => {
    const { status, screen } = await runAtTerminal(["--root", world.root, "undo"], ["n"]);
    assert.equal(status, 0);
    assert.match(screen, /cancelled — required authorisation was not given/);
    assert.equal(read(world, "usr/bin/app"), "app 2\n");
  });
  await t.step(
    "C-UNDO-01, C-UNDO-02, T-UNDO-10: with every yes at a terminal it restores from kept content",
    async () => {
      await Deno.rename(world.repository(), `${world.repository()}.away`);
      const { status, screen } = await runAtTerminal(["--root", world.root, "undo"], ["y", "y", "y"]);
      assert.equal(status, 0, screen);
      assert.match(screen, /authorise this specific action\? \[y\/N\]/);
      assert.equal(read(world, "usr/bin/app"), "app 1\n");
      assert.equal(read(world, "usr/share/lib/v"), "1\n");
      assert.equal(read(world, "etc/app.conf"), "level=9\n");
      await Deno.rename(`${world.repository()}.away`, world.repository());
    },
  );
  await t.step("C-HIST-03: history names the undo", async () => {
    assert.match((await world.expect(["history", "-n", "1"])).stdout, /^3 .* committed {4}undo transaction 2\n$/);
  });
  await t.step("C-DOWN-03: versions that are not older are named for what they are", async () => {
    const newer = JSON.parse(
      (await world.expect(["--json", "downgrade", "lib", "2.0-1", "--yes"], 1)).stdout.trimEnd().split("\n").at(-1) ??
        "",
    );
    assert.deepEqual([newer.code, newer.reason], ["unresolvable", "not-older"]);
    const { stderr } = await world.expect(["downgrade", "extras", "1.0-1"], 1);
    assert.match(stderr, /peipkg: downgrade: "extras" is not installed\n$/);
    assert.match((await world.expect(["downgrade", "lib", "1.0-1"])).stdout, /nothing to do/);
  });
  await t.step(
    "C-DOWN-01, C-DOWN-02, C-DOWN-04, C-DOWN-05: the archive supplies an older version, at a terminal",
    async () => {
      await world.expect(["upgrade", "--yes"]);
      const { status, screen } = await runAtTerminal(["--root", world.root, "downgrade", "app", "1.0"], ["y", "y"]);
      assert.equal(status, 0, screen);
      assert.match(screen, /app would move backward from 2\.0-1 to 1\.0-1/);
      assert.equal(read(world, "usr/bin/app"), "app 1\n");
      assert.match((await world.expect(["list"])).stdout, /app {2}1\.0-1 .*\nlib {2}2\.0-1/);
    },
  );
});

Deno.test("S-COLL-01, S-COLL-02, T-COLL-04: two packages of one plan with one path are refused before staging", async () => {
  await using world = await World.create();
  const agent: PackageSpec = { name: "agent", version: "1.0-1", files: { "usr/bin/run": "a\n" } };
  const app: PackageSpec = { name: "app", version: "1.0-1", dependencies: ["agent"], files: { "usr/bin/run": "b\n" } };
  await world.publish([agent, app]);
  await world.addRepository(world.serve().url);
  const result = await world.expect(["--json", "install", "app", "--yes"], 1);
  const last = JSON.parse(result.stdout.trimEnd().split("\n").at(-1) ?? "");
  assert.deepEqual([last.code, last.details.rule, last.rolled_back], ["collision", "FILE_CONFLICT", false]);
  assert.equal(await exists(`${world.root}/usr`), false);
});

Deno.test("S-COLL-04, T-COLL-06, T-COLL-07, C-INSTALL-03: unowned files are adopted, refused or moved aside", async () => {
  await using world = await World.create();
  await world.publish([LIB1, EXTRAS]);
  await world.addRepository(world.serve().url);
  await Deno.mkdir(`${world.root}/usr/share/lib`, { recursive: true });
  await Deno.mkdir(`${world.root}/usr/share/extras`, { recursive: true });
  await Deno.writeTextFile(`${world.root}/usr/share/lib/v`, "1\n", { mode: 0o644 });
  await Deno.writeTextFile(`${world.root}/usr/share/extras/x`, "mine\n");
  await world.expect(["install", "lib", "--yes"]);
  assert.equal((await world.expect(["owns", "/usr/share/lib/v"])).stdout, "lib\n");
  const refused = await world.expect(["install", "extras", "--yes"], 1);
  assert.match(refused.stderr, /\/usr\/share\/extras\/x exists and no package owns it/);
  assert.match(refused.stderr, /--overwrite-unowned/);
  assert.equal(read(world, "usr/share/extras/x"), "mine\n");
  const forced = await world.expect(["install", "extras", "--yes", "--overwrite-unowned"]);
  assert.equal(read(world, "usr/share/extras/x"), "x\n");
  const place = /\/usr\/share\/extras\/x\.peipkg-backup-\d+/.exec(forced.stdout + forced.stderr)?.[0] ?? "";
  assert.equal(read(world, place), "mine\n");
});

Deno.test("C-REMOVE-02, C-REMOVE-03, C-REMOVE-04, T-PRE-12, T-RM-09: cascades, unknown names and critical packages", async () => {
  await using world = await World.create();
  const peipkg: PackageSpec = {
    name: "peipkg",
    version: "1.0-1",
    dependencies: ["lib"],
    files: { "usr/bin/p": "p\n" },
  };
  await world.publish([APP1, LIB1, peipkg]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "app", "peipkg", "--yes"]);
  const unknown = await world.expect(["remove", "app", "nothing", "--yes"], 1);
  assert.equal(unknown.stderr, 'peipkg: remove: "nothing" is not installed\n');
  const critical = JSON.parse(
    (await world.expect(["--json", "remove", "lib", "--cascade", "--yes"], 1)).stdout.trimEnd().split("\n").at(-1) ??
      "",
  );
  assert.equal(critical.code, "critical");
  assert.equal((await world.expect(["list"])).stdout.split("\n").length, 4);
  const { stdout } = await world.expect(["remove", "lib", "--cascade", "--allow-critical", "--yes"]);
  assert.match(stdout, /remove {5}app 1\.0-1\n {2}remove {5}peipkg 1\.0-1\n {2}remove {5}lib 1\.0-1\n/);
});

Deno.test("C-LOCK-01, C-LOCK-02, C-LOCK-03, T-HOLD-01: a locked package stays, and what needs more is refused", async () => {
  await using world = await World.create();
  await world.publish([APP1, LIB1]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "app", "--yes"]);
  assert.equal((await world.expect(["lock", "lib"])).stdout, "locked lib 1.0-1\n");
  assert.equal((await world.expect(["lock", "lib"])).stdout, "lib is already locked\n");
  await world.publish([APP2, LIB2]);
  await world.expect(["refresh"]);
  const { stdout } = await world.expect(["upgrade"]);
  assert.match(stdout, /note: held back: lib 1\.0-1, 2\.0-1 available \(locked\)|nothing to do/);
  assert.equal(read(world, "usr/bin/app"), "app 1\n");
  const refused = await world.expect(["upgrade", "lib"], 1);
  assert.match(refused.stderr, /^peipkg: upgrade: .*lib/m);
  assert.match((await world.expect(["unlock", "lib"])).stdout, /^unlocked lib/);
  await world.expect(["upgrade", "--yes"]);
  assert.equal(read(world, "usr/bin/app"), "app 2\n");
});
