/** `peipkg check`: damage of every kind is found, named, and repaired as far as it can be. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const LIBRARY: PackageSpec = { name: "libgreet", version: "1.0-1", files: { "usr/share/libgreet/words": "hello\n" } };
const TOOL: PackageSpec = {
  name: "greet",
  version: "2.0-1",
  dependencies: [{ name: "libgreet", constraint: ">= 1.0" }],
  files: { "usr/bin/greet": "#!/bin/sh\necho hello\n", "etc/greet.conf": "tone=kind\n" },
};

/** Runs SQL on the package database behind the program's back. */
function tamper(world: World, sql: string): void {
  const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`);
  database.exec(`PRAGMA foreign_keys = OFF; ${sql}`);
  database.close();
}

async function installed(): Promise<World> {
  const world = await World.create();
  await world.publish([LIBRARY, TOOL]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "greet", "--yes"]);
  return world;
}

Deno.test("check finds nothing, then each kind of damage, and repairs it", async (t) => {
  await using world = await installed();

  await t.step("C-CHECK-02: a sound installation", async () => {
    assert.deepEqual(await world.peipkg(["check", "--deps", "--files", "--database", "--stray"]), {
      status: 0,
      stdout: "check: no problems found\n",
      stderr: "",
    });
    assert.equal((await world.expect(["check", "-q"])).stdout, "");
    assert.deepEqual(JSON.parse((await world.expect(["check", "--json"])).stdout), { ok: true, problems: [] });
  });

  await t.step("C-CHECK-01: files, in the words of verify; --quick looks at presence only", async () => {
    Deno.writeTextFileSync(`${world.root}/usr/bin/greet`, "#!/bin/sh\necho evil!\n");
    const { stdout } = await world.expect(["check"], 1);
    assert.equal(
      stdout,
      "files: greet: /usr/bin/greet has been modified since install\ncheck: 1 problem(s) found\n",
    );
    assert.equal((await world.expect(["check", "--files", "--quick"])).stdout, "check: no problems found\n");
    assert.deepEqual(JSON.parse((await world.expect(["check", "--json"], 1)).stdout), {
      ok: false,
      problems: [{
        kind: "files",
        package: "greet",
        path: "/usr/bin/greet",
        text: "greet: /usr/bin/greet has been modified since install",
      }],
    });
  });

  await t.step("C-CHECK-01: strays, temporary and unowned, are only looked for when asked", async () => {
    Deno.writeTextFileSync(`${world.root}/etc/greet.conf.peipkg-staged-51`, "left");
    Deno.writeTextFileSync(`${world.root}/usr/bin/mine`, "mine");
    Deno.writeTextFileSync(`${world.root}/etc/mine`, "mine");
    const { stdout } = await world.expect(["check", "--stray"], 1);
    assert.equal(
      stdout,
      "stray: /etc/greet.conf.peipkg-staged-51 was left by transaction 51\n" +
        "stray: /usr/bin/mine belongs to no package\ncheck: 2 problem(s) found\n",
    );
  });

  await t.step("C-CHECK-01: relations, with what stands in their way", async () => {
    tamper(
      world,
      "DELETE FROM package WHERE name = 'libgreet'; DELETE FROM package_file WHERE package_name = 'libgreet'",
    );
    const { stdout } = await world.expect(["check", "--deps"], 1);
    assert.equal(
      stdout,
      "deps: greet needs libgreet >= 1.0, which is not installed\ncheck: 1 problem(s) found\n",
    );
  });

  await t.step("C-CHECK-03: --fix --dry-run shows the plan and changes nothing", async () => {
    const { stdout } = await world.expect(["check", "--deps", "--files", "--stray", "--fix", "--dry-run"]);
    assert.match(stdout, /will be removed:\n {2}\/etc\/greet\.conf\.peipkg-staged-51\n {2}\/usr\/bin\/mine\n/);
    assert.match(stdout, / {2}install {4}libgreet 1\.0-1\n {2}reinstall {2}greet 2\.0-1\n/);
    assert.ok(await exists(`${world.root}/usr/bin/mine`));
  });

  await t.step("C-CHECK-03, C-PROMPT-10: a question answered no leaves everything", async () => {
    const { status, stdout } = await world.peipkg(["check", "--stray", "--fix"], "n\n");
    assert.equal(status, 0);
    assert.match(stdout, /cancelled\n$/);
    assert.ok(await exists(`${world.root}/usr/bin/mine`));
  });

  await t.step("C-CHECK-03: --fix installs, writes again and removes, in one go", async () => {
    const { stdout } = await world.expect(["check", "--deps", "--files", "--stray", "--fix", "--yes"]);
    assert.match(stdout, /removed 2 stray object\(s\)\n/);
    assert.match(stdout, /done — 2 operations applied\n$/);
    assert.equal(Deno.readTextFileSync(`${world.root}/usr/bin/greet`), "#!/bin/sh\necho hello\n");
    assert.equal(await exists(`${world.root}/usr/bin/mine`), false);
    assert.ok(await exists(`${world.root}/etc/mine`));
    assert.match((await world.expect(["mark", "list"])).stdout, /greet +manual\nlibgreet +auto\n/);
    assert.equal((await world.expect(["check", "--deps", "--stray", "--database"])).status, 0);
  });
});

Deno.test("C-CHECK-01, C-CHECK-03: faults of the database are named and never edited", async () => {
  await using world = await installed();
  tamper(
    world,
    `UPDATE package SET manifest = '{"oops"' WHERE name = 'libgreet';
     UPDATE package SET version = '2.1-1' WHERE name = 'greet';
     INSERT INTO package_file (package_name, path, type) VALUES ('libgreet', '/usr/bin/greet', 'dir');
     INSERT INTO annotation VALUES ('ghost', 'tag', 'value');`,
  );
  const { stdout } = await world.expect(["check", "--database"], 1);
  const lines = stdout.trimEnd().split("\n");
  assert.ok(lines.every((line) => line.startsWith("database: ") || line.startsWith("check: ")), stdout);
  assert.match(stdout, /\/usr\/bin\/greet has two owners: greet and libgreet/);
  assert.match(stdout, /annotation → package/);
  assert.match(stdout, /the record of "libgreet"/);
  assert.match(stdout, /the version recorded for greet differs from its manifest/);
  const refused = await world.expect(["check", "--database", "--fix", "--yes"], 1);
  assert.match(refused.stderr, /peipkg: check: \d+ problem\(s\) cannot be repaired here/);
});

Deno.test("C-CHECK-01, T-INDET-06: check and the forensic report find the same in the database, each row named", async () => {
  await using world = await installed();
  tamper(
    world,
    `INSERT INTO claim_holder VALUES ('editor', 'nobody');
     INSERT INTO claim_link (path, role, slot, target) VALUES ('/usr/bin/pager', 'pager', 'bin', '/usr/bin/greet');`,
  );
  const expected = [
    'role "editor" is held by nobody, which is not installed',
    'link /usr/bin/pager belongs to role "pager", which nobody holds',
  ];
  const { stdout } = await world.expect(["check", "--database"], 1);
  assert.equal(stdout, `${expected.map((text) => `database: ${text}\n`).join("")}check: 2 problem(s) found\n`);
  assert.deepEqual(JSON.parse((await world.expect(["--json", "recover", "--report"])).stdout).database, expected);
});

Deno.test("C-CHECK-03: what no repository can supply is said, and an edited configuration file is left alone", async () => {
  await using world = await World.create();
  const local = await world.pack(TOOL);
  const library = await world.pack(LIBRARY);
  await world.expect(["install", local, library, "--yes"]);
  Deno.removeSync(`${world.root}/usr/share/libgreet/words`);
  Deno.writeTextFileSync(`${world.root}/etc/greet.conf`, "tone=rude\n");
  const { stderr } = await world.expect(["check", "--files", "--fix", "--yes"], 1);
  assert.match(stderr, /words is missing or unreadable: it came from a local file; install that file again/);
  assert.match(stderr, /greet\.conf has been modified since install: it is a configuration file/);
  assert.equal(Deno.readTextFileSync(`${world.root}/etc/greet.conf`), "tone=rude\n");
});

Deno.test("C-GEN-06: check refuses calls that make no sense and names that are not installed", async () => {
  await using world = await World.create();
  assert.match((await world.expect(["check", "--yes"], 2)).stderr, /^peipkg: check: --yes needs --fix\nusage:/);
  assert.match((await world.expect(["check", "ghost"], 1)).stderr, /"ghost" is not installed/);
  assert.equal((await world.expect(["check"])).stdout, "check: no problems found\n");
  assert.deepEqual([...Deno.readDirSync(world.root)], []);
});
