/** `peipkg backup` and `peipkg restore`: records travel through one file, and trust only ever becomes stricter. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { createHash } from "node:crypto";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const ONE: PackageSpec = { name: "one", version: "1.0-1", files: { "usr/share/one/file": "1\n" } };
const TWO: PackageSpec = { name: "two", version: "1.0-1", files: { "usr/share/two/file": "2\n" } };
const NEWER: PackageSpec = { ...ONE, version: "1.1-1", files: { "usr/share/one/file": "1.1\n" } };

function query(world: World, sql: string): readonly Record<string, unknown>[] {
  const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`);
  try {
    return database.prepare(sql).all().map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

/** A backup with other rows; the digest in its header is made right again. */
function rewrite(path: string, change: (lines: string[]) => string[]): Uint8Array {
  const text = zstdDecompressSync(Deno.readFileSync(path)).toString();
  const end = text.indexOf("\n");
  const rows = change(text.slice(end + 1).trimEnd().split("\n")).map((line) => `${line}\n`).join("");
  const header = { ...JSON.parse(text.slice(0, end)), sha256: createHash("sha256").update(rows).digest("hex") };
  return zstdCompressSync(`${JSON.stringify(header)}\n${rows}`);
}

Deno.test("a backup is made, compared and restored", async (t) => {
  await using world = await World.create();
  await world.publish([ONE, TWO]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "one", "--yes"]);
  await world.expect(["annotate", "set", "one", "ticket", "OPS-1"]);
  const file = `${world.directory}/first.backup`;

  await t.step("C-BACKUP-01: one file with a header and the digest of its rows, written once", async () => {
    const { stdout } = await world.expect(["backup", file]);
    assert.equal(stdout, `backed up 1 package record(s) to "${file}"\n`);
    const text = zstdDecompressSync(Deno.readFileSync(file)).toString();
    const header = JSON.parse(text.slice(0, text.indexOf("\n")));
    assert.deepEqual(Object.keys(header), [
      "peipkg_backup",
      "version",
      "root",
      "created_at",
      "schema_version",
      "architecture",
      "packages",
      "sha256",
    ]);
    assert.equal(header.root, world.root);
    assert.equal(header.sha256, createHash("sha256").update(text.slice(text.indexOf("\n") + 1)).digest("hex"));
    const again = await world.expect(["backup", file], 1);
    assert.match(again.stderr, /peipkg: backup: cannot write ".*": it exists\n/);
  });

  await t.step("C-BACKUP-01: - writes to standard output and excludes --json", async () => {
    const { stdout, stderr } = await world.expect(["backup", "-"]);
    assert.ok(stdout.length > 100);
    assert.equal(stderr, "");
    assert.match((await world.expect(["backup", "-", "--json"], 2)).stderr, /standard output cannot carry both/);
  });

  await t.step("C-BACKUP-02: the same records give a plan of nothing", async () => {
    const { stdout } = await world.expect(["restore", "--dry-run", file]);
    assert.match(stdout, /^backup of .*: 1 package record\(s\)\n {2}0 would be added\n {2}0 would be dropped\n/);
  });

  await world.publish([NEWER]);
  await world.expect(["refresh"]);
  await world.expect(["upgrade", "--yes"]);
  await world.expect(["install", "two", "--yes"]);

  await t.step("C-BACKUP-02: counts, the routine question, and what no means", async () => {
    const { status, stdout } = await world.peipkg(["restore", file], "n\n");
    assert.equal(status, 0);
    assert.match(
      stdout,
      / {2}0 would be added\n {2}1 would be dropped\n {2}1 would be changed\nproceed\? \[y\/N\] \ncancelled\n$/,
    );
    assert.match((await world.expect(["list"])).stdout, /one {2}1\.1-1/);
  });

  await t.step("C-BACKUP-02, A-EVENT-10: yes replaces, keeps what was there, and advises a check", async () => {
    const { stdout } = await world.expect(["restore", file, "--yes", "-v"]);
    assert.match(stdout, / {2}1 would be dropped: two\n {2}1 would be changed: one\n/);
    assert.match(stdout, /restored 1 package record\(s\); run 'peipkg check' to compare them with the files\n$/);
    assert.equal((await world.expect(["list"])).stdout, "one  1.0-1  noarch\n");
    assert.equal((await world.expect(["annotate", "get", "one", "ticket"])).stdout, "OPS-1\n");
    const kept = /kept what was replaced in (.*)\n/.exec(stdout)?.[1] ?? "";
    assert.match((await world.expect(["restore", "--dry-run", kept])).stdout, / {2}1 would be added\n/);
    assert.match((await world.expect(["check", "--files"], 1)).stdout, /\/usr\/share\/one\/file has been modified/);
    const log = Deno.readTextFileSync(`${world.root}/var/log/peipkg/audit.jsonl`);
    assert.match(log, /"setting":"database"/);
    assert.equal((await world.expect(["check", "--database"])).status, 0);
  });

  await t.step(
    "C-BACKUP-02: later transactions stay in history, abandoned, and their numbers are not given again",
    async () => {
      const history = (await world.expect(["history"])).stdout;
      assert.match(
        history,
        /^3 .* abandoned +install two\n2 .* abandoned +upgrade one\n1 .* committed +install one\n$/,
      );
      await world.expect(["install", "two", "--yes", "--overwrite-unowned"]);
      assert.match((await world.expect(["history", "-n", "1"])).stdout, /^4 /);
    },
  );
});

Deno.test("C-BACKUP-03: restoring lowers no floor, revives no key and trusts nothing anew", async (t) => {
  await using world = await World.create();
  await world.publish([ONE]);
  const { url } = world.serve();
  await world.addRepository(url);
  const file = `${world.directory}/old.backup`;
  await world.expect(["backup", file]);
  await world.publish([TWO]);
  await world.expect(["refresh"]);
  const floor = "SELECT name, active_version FROM repository";
  const [before] = query(world, floor);

  await t.step("floors stay where they are", async () => {
    query(world, "INSERT INTO repository_revocation SELECT name, printf('%064d', 7), 0 FROM repository RETURNING 1");
    await world.expect(["restore", file, "--yes"]);
    assert.deepEqual(query(world, floor), [before]);
    assert.equal(query(world, "SELECT * FROM repository_revocation").length, 1);
    assert.equal((await world.expect(["install", "two", "--yes"])).status, 0);
  });

  await t.step("a higher floor and a revocation of the backup are taken over", async () => {
    const [key] = query(world, "SELECT fingerprint FROM repository_key");
    const stricter = rewrite(file, (rows) => [
      ...rows.map((row) => row.startsWith('["repository",') ? raiseFloor(row) : row),
      JSON.stringify(["repository_revocation", "main", key?.fingerprint, 1]),
    ]);
    Deno.writeFileSync(`${world.directory}/strict.backup`, stricter);
    await world.expect(["restore", `${world.directory}/strict.backup`, "--yes"]);
    assert.deepEqual(query(world, "SELECT active_version FROM repository"), [{ active_version: 900 }]);
    assert.deepEqual(query(world, "SELECT status FROM repository_key"), [{ status: "revoked" }]);
  });

  await t.step("a repository that is no longer configured is not trusted again", async () => {
    await world.expect(["repo", "remove", "main"]);
    await world.expect(["restore", file, "--yes"]);
    assert.deepEqual(query(world, floor), []);
  });

  await t.step("one that is configured as it was gets its trust back, one with another base does not", async () => {
    const configuration = `base_url = "${url}"\ntrust_anchors = ["${world.anchor}"]\nallow_insecure_transport = true\n`;
    Deno.writeTextFileSync(`${world.root}/conf/peipkg/main.repo`, configuration.replace("http:", "https:"));
    await world.expect(["restore", file, "--yes"]);
    assert.deepEqual(query(world, floor), []);
    Deno.writeTextFileSync(`${world.root}/conf/peipkg/main.repo`, configuration);
    await world.expect(["restore", file, "--yes"]);
    assert.deepEqual(query(world, "SELECT name FROM repository"), [{ name: "main" }]);
  });
});

function raiseFloor(row: string): string {
  const values: unknown[] = JSON.parse(row);
  values[5] = 900;
  return JSON.stringify(values);
}

Deno.test("C-BACKUP-02: what is no sound backup is refused and nothing is changed", async (t) => {
  await using world = await World.create();
  await world.expect(["install", await world.pack(ONE), "--yes"]);
  const file = `${world.directory}/good.backup`;
  await world.expect(["backup", file]);
  const good = Deno.readFileSync(file);
  const bad = `${world.directory}/bad.backup`;
  const listed = (await world.expect(["list", "--json"])).stdout;
  const text = zstdDecompressSync(good).toString();
  const rowsChanged = (change: (lines: string[]) => string[]) => rewrite(file, change);

  const cases: readonly (readonly [name: string, bytes: Uint8Array, expected: RegExp])[] = [
    ["text", new TextEncoder().encode("hello\n"), /peipkg: restore: /],
    ["empty", new Uint8Array(0), /peipkg: restore: /],
    ["cut short", good.subarray(0, good.length - 20), /peipkg: restore: /],
    ["other content", zstdCompressSync("{}\n"), /it is no backup of peipkg/],
    [
      "another format",
      zstdCompressSync(text.replace('"peipkg_backup":1', '"peipkg_backup":9')),
      /format 9, known is 1/,
    ],
    ["another layout", zstdCompressSync(text.replace('"schema_version":1', '"schema_version":7')), /layout 7/],
    ["another machine", zstdCompressSync(text.replace(/"architecture":"\w+"/, '"architecture":"riscv64"')), /riscv64/],
    ["an altered row", zstdCompressSync(text.replace('"one"', '"two"')), /its digest is/],
    ["no JSON", rowsChanged((rows) => [...rows, "oops"]), /no JSON/],
    ["an unknown table", rowsChanged((rows) => [...rows, '["meta","schema_version","9"]']), /no row/],
    ["too many values", rowsChanged((rows) => [...rows, '["claim_holder","a","b","c"]']), /no row/],
    ["a value of another kind", rowsChanged((rows) => [...rows, '["claim_holder",true,"b"]']), /no row/],
    [
      "a row of a missing parent",
      rowsChanged((rows) => [...rows, '["annotation","ghost","a","b"]']),
      /peipkg: restore: /,
    ],
    ["an endless header", zstdCompressSync(new Uint8Array(200_000).fill(0x61)), /a line is longer/],
  ];
  for (const [name, bytes, expected] of cases) {
    await t.step(name, async () => {
      Deno.writeFileSync(bad, bytes);
      const { stderr, stdout } = await world.expect(["restore", bad, "--yes"], 1);
      assert.match(stderr, expected);
      assert.doesNotMatch(stdout + stderr, /defect/);
      assert.equal((await world.expect(["list", "--json"])).stdout, listed);
    });
  }

  await t.step("C-BACKUP-02: a root without a database takes one", async () => {
    await Deno.mkdir(`${world.directory}/other`);
    await world.expect(["--root", `${world.directory}/other`, "restore", file, "--yes"]);
    assert.equal((await world.expect(["--root", `${world.directory}/other`, "list"])).stdout, "one  1.0-1  noarch\n");
    assert.match((await world.expect(["restore", `${world.directory}/none`, "--yes"], 1)).stderr, /does not exist/);
  });

  await t.step("C-BACKUP-01: without a database there is nothing to back up, and no file is left", async () => {
    await Deno.mkdir(`${world.directory}/empty`);
    const result = await world.expect(["--root", `${world.directory}/empty`, "backup", `${world.directory}/x`], 1);
    assert.match(result.stderr, /there is no package database here/);
    assert.equal(await exists(`${world.directory}/x`), false);
  });
});
