/** `peipkg diff`: what an upgrade kept beside edited configuration files is listed, compared and settled. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const spec = (version: string, tone: string): PackageSpec => ({
  name: "greet",
  version,
  files: {
    "etc/greet.conf": `# greet\ntone=${tone}\nvolume=3\n`,
    "etc/greet/more.conf": `more=${tone}\n`,
    "etc/greet/image": new Uint8Array([0, 1, 2, version.charCodeAt(0)]),
  },
});

/** A root in which three edited files have new defaults beside them. */
async function upgraded(): Promise<World> {
  const world = await World.create();
  await world.expect(["install", await world.pack(spec("1.0-1", "kind")), "--yes"]);
  Deno.writeTextFileSync(`${world.root}/etc/greet.conf`, "# greet\ntone=mine\nvolume=3\n");
  Deno.writeTextFileSync(`${world.root}/etc/greet/more.conf`, "more=mine\n");
  Deno.writeFileSync(`${world.root}/etc/greet/image`, new Uint8Array([9, 9]));
  await world.expect(["install", await world.pack(spec("2.0-1", "warm")), "--yes"]);
  return world;
}

const read = (world: World, path: string): string => Deno.readTextFileSync(`${world.root}${path}`);

function rows(world: World): unknown {
  const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`);
  try {
    return database.prepare(
      "SELECT path, preserved_hash IS NOT NULL AS kept, new_default_of AS of FROM package_file WHERE type = 'file'",
    ).all().map((row) => `${row.path} ${row.kept} ${row.of ?? "-"}`);
  } finally {
    database.close();
  }
}

Deno.test("new defaults are listed, compared, taken, left and merged", async (t) => {
  await using world = await upgraded();

  await t.step("C-DIFF-01: the list, for people and for programs", async () => {
    assert.equal(
      (await world.expect(["diff"])).stdout,
      "/etc/greet.conf       greet  2.0-1\n/etc/greet/image      greet  2.0-1\n/etc/greet/more.conf  greet  2.0-1\n",
    );
    const [first] = JSON.parse((await world.expect(["diff", "--json"])).stdout);
    assert.deepEqual(first, {
      path: "/etc/greet.conf",
      new_path: "/etc/greet.conf.peipkg-new",
      package: "greet",
      version: "2.0-1",
    });
  });

  await t.step("C-DIFF-01: a unified diff from the present to the new file, exit 0", async () => {
    const { stdout } = await world.expect(["diff", "/etc/greet.conf"]);
    assert.equal(
      stdout,
      "--- /etc/greet.conf\n+++ /etc/greet.conf.peipkg-new\n@@ -1,3 +1,3 @@\n # greet\n-tone=mine\n+tone=warm\n volume=3\n",
    );
    assert.match((await world.expect(["diff", "etc/greet/image"])).stdout, /cannot be compared as text\n$/);
    const [item] = JSON.parse((await world.expect(["diff", "--json", "/etc/greet.conf.peipkg-new"])).stdout);
    assert.equal(item.diff, stdout);
  });

  await t.step("C-DIFF-02, C-PROMPT-10: asked, and no changes nothing", async () => {
    const { status, stdout } = await world.peipkg(["diff", "--use-new", "/etc/greet.conf"], "n\n");
    assert.equal(status, 0);
    assert.match(stdout, /replace by \/etc\/greet\.conf\.peipkg-new\nproceed\? \[y\/N\] \ncancelled\n$/);
    assert.equal(read(world, "/etc/greet.conf"), "# greet\ntone=mine\nvolume=3\n");
  });

  await t.step("C-DIFF-02, A-EVENT-10: --use-new puts the new one in place and keeps the old", async () => {
    const { stdout } = await world.expect(["diff", "--use-new", "/etc/greet.conf", "-y"]);
    assert.match(stdout, /written \/etc\/greet\.conf; the old file is \/etc\/greet\.conf\.peipkg-old\n$/);
    assert.equal(read(world, "/etc/greet.conf"), "# greet\ntone=warm\nvolume=3\n");
    assert.equal(read(world, "/etc/greet.conf.peipkg-old"), "# greet\ntone=mine\nvolume=3\n");
    assert.equal(await exists(`${world.root}/etc/greet.conf.peipkg-new`), false);
    assert.match(
      Deno.readTextFileSync(`${world.root}/var/log/peipkg/audit.jsonl`),
      /"setting":"path:\/etc\/greet\.conf"/,
    );
    assert.equal((await world.peipkg(["verify"])).stdout.includes("/etc/greet.conf"), false);
  });

  await t.step("C-DIFF-02: --merged puts the content of a file in place", async () => {
    Deno.writeTextFileSync(`${world.directory}/merged`, "more=ours\n");
    Deno.chmodSync(`${world.root}/etc/greet/more.conf`, 0o640);
    await world.expect(["diff", "--merged", `${world.directory}/merged`, "/etc/greet/more.conf", "-y"]);
    assert.equal(read(world, "/etc/greet/more.conf"), "more=ours\n");
    assert.equal((Deno.statSync(`${world.root}/etc/greet/more.conf`).mode ?? 0) & 0o777, 0o640);
    assert.equal(read(world, "/etc/greet/more.conf.peipkg-old"), "more=mine\n");
  });

  await t.step("C-DIFF-02: --keep deletes the new one", async () => {
    const events = (await world.expect(["diff", "--keep", "/etc/greet/image", "-y", "--json"])).stdout;
    assert.match(events, /"event":"file","path":"\/etc\/greet\/image","action":"kept"/);
    assert.deepEqual(Deno.readFileSync(`${world.root}/etc/greet/image`), new Uint8Array([9, 9]));
    assert.equal((await world.expect(["diff"])).stdout, "");
  });

  await t.step("C-DIFF-02: the recorded digest is the package's, so a later upgrade compares correctly", async () => {
    assert.deepEqual(rows(world), ["/etc/greet.conf 0 -", "/etc/greet/image 1 -", "/etc/greet/more.conf 1 -"]);
    await world.expect(["install", await world.pack(spec("3.0-1", "cold")), "--yes"]);
    assert.equal(read(world, "/etc/greet.conf"), "# greet\ntone=cold\nvolume=3\n");
    assert.equal(read(world, "/etc/greet/more.conf"), "more=ours\n");
    assert.equal(
      (await world.expect(["diff"])).stdout,
      "/etc/greet/image      greet  3.0-1\n/etc/greet/more.conf  greet  3.0-1\n",
    );
  });

  await t.step("C-DIFF-02: an older .peipkg-old is not overwritten", async () => {
    await world.expect(["diff", "--use-new", "/etc/greet/more.conf", "-y"]);
    assert.equal(read(world, "/etc/greet/more.conf.peipkg-old"), "more=mine\n");
    assert.equal(read(world, "/etc/greet/more.conf.peipkg-old-1"), "more=ours\n");
  });
});

Deno.test("C-DIFF-02: what an interrupted call left is finished by the next one", async (t) => {
  await using world = await upgraded();
  const conf = `${world.root}/etc/greet.conf`;

  await t.step("after the second name", async () => {
    Deno.linkSync(conf, `${conf}.peipkg-old`);
    await world.expect(["diff", "--use-new", "/etc/greet.conf", "-y"]);
    assert.equal(read(world, "/etc/greet.conf.peipkg-old"), "# greet\ntone=mine\nvolume=3\n");
    assert.equal(await exists(`${conf}.peipkg-old-1`), false);
  });

  await t.step("after the rename, before the database", async () => {
    const more = `${world.root}/etc/greet/more.conf`;
    Deno.renameSync(more, `${more}.peipkg-old`);
    Deno.renameSync(`${more}.peipkg-new`, more);
    await world.expect(["diff", "--use-new", "/etc/greet/more.conf", "-y"]);
    assert.equal(read(world, "/etc/greet/more.conf"), "more=warm\n");
    assert.equal(read(world, "/etc/greet/more.conf.peipkg-old"), "more=mine\n");
  });

  await t.step("a new default that is gone can only be forgotten", async () => {
    Deno.removeSync(`${world.root}/etc/greet/image.peipkg-new`);
    assert.equal((await world.expect(["diff"])).stdout, "");
    assert.match(
      (await world.expect(["diff", "--use-new", "/etc/greet/image", "-y"], 1)).stderr,
      /is missing\nuse --keep/,
    );
    await world.expect(["diff", "--keep", "/etc/greet/image", "-y"]);
    assert.match((await world.expect(["diff", "/etc/greet/image"], 1)).stderr, /no new default is kept/);
  });
});

Deno.test("C-DIFF-01, C-GEN-04: diff refuses calls that make no sense", async () => {
  await using world = await World.create();
  assert.equal((await world.expect(["diff"])).stdout, "");
  assert.match((await world.expect(["diff", "--use-new"], 2)).stderr, /--use-new needs at least one path/);
  assert.match((await world.expect(["diff", "--merged", "x", "/a", "/b"], 2)).stderr, /exactly one path/);
  assert.match(
    (await world.expect(["diff", "--keep", "--use-new", "/a"], 2)).stderr,
    /--use-new.*--keep|--keep.*--use-new/,
  );
  assert.match((await world.expect(["diff", "-y"], 2)).stderr, /--yes needs/);
  assert.match((await world.expect(["diff", "/etc/none"], 1)).stderr, /no new default is kept for "\/etc\/none"/);
});
