import assert from "node:assert/strict";
import { readFile, readInstalledPackage } from "../../../core/store/installed.ts";
import { hashOf, type PackageSpec, type PayloadSpec, World } from "./world.ts";
import { refusedBy } from "../../support/refusals.ts";

const conf = (version: string, files: PayloadSpec): PackageSpec => ({ name: "app", version, files });

async function upgraded(
  before: PayloadSpec,
  after: PayloadSpec,
  change: (world: World) => void = () => {},
): Promise<{ world: World; report: Awaited<ReturnType<World["run"]>> }> {
  const world = new World();
  await world.run([{ kind: "install", package: conf("1.0-1", before) }]);
  change(world);
  const report = await world.run([{ kind: "upgrade", package: conf("2.0-1", after) }]);
  return { world, report };
}

Deno.test("T-DIFF-02, T-DIFF-04: untouched content is left alone, even edited or deleted", async () => {
  const files: PayloadSpec = {
    "/usr/bin/a": "a",
    "/usr/bin/gone": "g",
    "/usr/bin/l": { link: "a" },
    "/usr/bin/n": "1",
  };
  let before: Record<string, string> = {};
  const { world } = await upgraded(files, { ...files, "/usr/bin/n": "2" }, (world) => {
    world.edit("/usr/bin/a", "edited");
    world.remove("/usr/bin/gone");
    before = world.tree({ inodes: true, times: true });
  });
  using _world = world;
  const after = world.tree({ inodes: true, times: true });
  assert.equal(after["/usr/bin/a"], before["/usr/bin/a"]);
  assert.equal(after["/usr/bin/l"], before["/usr/bin/l"]);
  assert.equal(after["/usr/bin/gone"], undefined);
  assert.match(after["/usr/bin/n"] ?? "", /"2"$/);
});

Deno.test("T-DIFF-01, T-DIFF-03, T-DIFF-05, T-DIFF-06: paths are added, replaced and removed", async () => {
  const { world } = await upgraded(
    { "/usr/bin/r": "1", "/usr/bin/was-link": { link: "r" }, "/usr/bin/old": "old", "/usr/bin/lost": "1" },
    { "/usr/bin/r": "2", "/usr/bin/was-link": "file", "/usr/bin/new": "new", "/usr/bin/lost": "2" },
    (world) => world.remove("/usr/bin/lost"),
  );
  using _world = world;
  const tree = world.tree();
  assert.equal(tree["/usr/bin/r"], 'file 0755 0:0 "2"');
  assert.equal(tree["/usr/bin/was-link"], 'file 0755 0:0 "file"');
  assert.equal(tree["/usr/bin/new"], 'file 0755 0:0 "new"');
  assert.equal(tree["/usr/bin/lost"], 'file 0755 0:0 "2"');
  assert.equal(tree["/usr/bin/old"], undefined);
});

Deno.test("T-DIFF-07: a directory gives way to a file only when nothing in it is anybody else's", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: conf("1.0-1", { "/usr/share/app/d/x": "x" }) }]);
  world.write({ "/usr/share/app/d/mine": "mine" });
  const before = world.tree({ inodes: true });
  const next = conf("2.0-1", { "/usr/share/app/d": "file" });
  await assert.rejects(
    world.run([{ kind: "upgrade", package: next }]),
    refusedBy("TYPE_CHANGE_BLOCKED"),
  );
  assert.deepEqual(world.tree({ inodes: true }), before);
  world.remove("/usr/share/app/d/mine");
  await world.run([{ kind: "upgrade", package: next }]);
  assert.equal(world.tree()["/usr/share/app/d"], 'file 0755 0:0 "file"');
});

Deno.test("T-DIFF-08: a file becomes a directory with its whole content in one step", async () => {
  const { world } = await upgraded({ "/usr/share/app": "file" }, {
    "/usr/share/app/a/b": "b",
    "/usr/share/app/l": { link: "a" },
  });
  using _world = world;
  assert.equal(world.tree()["/usr/share/app/a/b"], 'file 0755 0:0 "b"');
  assert.equal(world.tree()["/usr/share/app"], "dir 0755 0:0");
});

Deno.test("T-DIFF-12, T-REPL-01, T-DB-13: a path handed over to another package is replaced once", async () => {
  using world = new World();
  await world.run([
    { kind: "install", package: conf("1.0-1", { "/usr/bin/moved": "1", "/usr/bin/app": "app" }) },
    { kind: "install", package: { name: "lib", files: { "/usr/bin/lib": "lib" } } },
  ]);
  await world.run([
    {
      kind: "upgrade",
      package: { name: "lib", version: "2.0-1", files: { "/usr/bin/lib": "lib", "/usr/bin/moved": "2" } },
    },
    { kind: "upgrade", package: conf("2.0-1", { "/usr/bin/app": "app" }) },
  ]);
  assert.equal(world.tree()["/usr/bin/moved"], 'file 0755 0:0 "2"');
  assert.equal(readFile(world.database, "lib", "/usr/bin/moved")?.hash, hashOf("2"));
  assert.equal(readFile(world.database, "app", "/usr/bin/moved"), undefined);
});

Deno.test("T-DIFF-15: a reinstall repairs what is wrong and leaves what is right", async () => {
  using world = new World();
  const spec = conf("1.0-1", {
    "/usr/bin/right": "r",
    "/usr/bin/edited": "e",
    "/usr/bin/missing": "m",
    "/usr/bin/mode": "x",
    "/usr/bin/link": { link: "right" },
    "/etc/app.conf": "default",
    "/etc/lost.conf": "lost",
  });
  await world.run([{ kind: "install", package: spec }]);
  world.edit("/usr/bin/edited", "changed");
  world.remove("/usr/bin/missing");
  world.remove("/etc/lost.conf");
  world.edit("/etc/app.conf", "mine");
  world.edit("/usr/bin/mode", "x"); // content as delivered, mode 0644
  const before = world.tree({ inodes: true });
  await world.run([{ kind: "reinstall", package: spec }]);
  const after = world.tree();
  assert.equal(world.tree({ inodes: true })["/usr/bin/right"], before["/usr/bin/right"]);
  assert.equal(world.tree({ inodes: true })["/usr/bin/link"], before["/usr/bin/link"]);
  assert.equal(after["/usr/bin/edited"], 'file 0755 0:0 "e"');
  assert.equal(after["/usr/bin/missing"], 'file 0755 0:0 "m"');
  assert.equal(after["/usr/bin/mode"], 'file 0755 0:0 "x"');
  assert.equal(after["/etc/app.conf"], 'file 0644 0:0 "mine"');
  assert.equal(after["/etc/lost.conf"], 'file 0755 0:0 "lost"');
});

Deno.test("T-ETC-01, T-ETC-04: an unmodified or missing default is replaced by the new one", async () => {
  const { world, report } = await upgraded(
    { "/etc/a.conf": "1", "/etc/b.conf": "1" },
    { "/etc/a.conf": "2", "/etc/b.conf": "2" },
    (world) => world.remove("/etc/b.conf"),
  );
  using _world = world;
  assert.equal(world.tree()["/etc/a.conf"], 'file 0755 0:0 "2"');
  assert.equal(world.tree()["/etc/b.conf"], 'file 0755 0:0 "2"');
  assert.deepEqual(report.files.map(({ kind, path }) => [kind, path]), [["restored-default", "/etc/b.conf"]]);
});

Deno.test("T-ETC-02: an edit equal to the new default needs nothing but its row", async () => {
  const { world } = await upgraded(
    { "/etc/a.conf": "1" },
    { "/etc/a.conf": "2" },
    (world) => world.edit("/etc/a.conf", "2"),
  );
  using _world = world;
  assert.equal(world.tree()["/etc/a.conf"], 'file 0644 0:0 "2"');
  const row = readFile(world.database, "app", "/etc/a.conf");
  assert.deepEqual([row?.hash, row?.preservedHash], [hashOf("2"), undefined]);
});

Deno.test("T-ETC-03, T-ETC-09, T-ETC-10: an edited file stays, the new default lies beside it and is owned", async () => {
  const { world, report } = await upgraded(
    { "/etc/a.conf": "1" },
    { "/etc/a.conf": "2" },
    (world) => world.edit("/etc/a.conf", "mine"),
  );
  using _world = world;
  assert.equal(world.tree()["/etc/a.conf"], 'file 0644 0:0 "mine"');
  assert.equal(world.tree()["/etc/a.conf.peipkg-new"], 'file 0755 0:0 "2"');
  const row = readFile(world.database, "app", "/etc/a.conf");
  assert.deepEqual([row?.hash, row?.preservedHash], [hashOf("2"), hashOf("mine")]);
  assert.equal(readFile(world.database, "app", "/etc/a.conf.peipkg-new")?.newDefaultOf, "/etc/a.conf");
  assert.deepEqual(report.files, [
    { kind: "kept", path: "/etc/a.conf", package: "app", place: "/etc/a.conf.peipkg-new" },
  ]);
});

Deno.test("T-ETC-05, T-ETC-10: an untouched default keeps the edit and its .peipkg-new", async () => {
  const { world } = await upgraded(
    { "/etc/a.conf": "1" },
    { "/etc/a.conf": "2" },
    (world) => world.edit("/etc/a.conf", "mine"),
  );
  using _world = world;
  const before = world.tree({ inodes: true });
  await world.run([{ kind: "upgrade", package: conf("3.0-1", { "/etc/a.conf": "2", "/usr/bin/new": "n" }) }]);
  const after = world.tree({ inodes: true });
  assert.equal(after["/etc/a.conf"], before["/etc/a.conf"]);
  assert.equal(after["/etc/a.conf.peipkg-new"], before["/etc/a.conf.peipkg-new"]);
  assert.equal(readFile(world.database, "app", "/etc/a.conf")?.preservedHash, hashOf("mine"));
  assert.equal(readFile(world.database, "app", "/etc/a.conf.peipkg-new")?.newDefaultOf, "/etc/a.conf");
});

Deno.test("T-ETC-08: the next new default replaces the one before, an edit of it is put aside", async () => {
  const { world } = await upgraded(
    { "/etc/a.conf": "1" },
    { "/etc/a.conf": "2" },
    (world) => world.edit("/etc/a.conf", "mine"),
  );
  using _world = world;
  await world.run([{ kind: "upgrade", package: conf("3.0-1", { "/etc/a.conf": "3" }) }]);
  assert.equal(world.tree()["/etc/a.conf.peipkg-new"], 'file 0755 0:0 "3"');
  world.edit("/etc/a.conf.peipkg-new", "notes");
  await world.run([{ kind: "upgrade", package: conf("4.0-1", { "/etc/a.conf": "4" }) }]);
  assert.equal(world.tree()["/etc/a.conf.peipkg-new"], 'file 0755 0:0 "4"');
  assert.equal(world.tree()["/etc/a.conf.peipkg-new.peipkg-backup-4"], 'file 0644 0:0 "notes"');
});

Deno.test("T-ETC-10: an unmodified upgrade takes an older .peipkg-new away", async () => {
  const { world } = await upgraded(
    { "/etc/a.conf": "1" },
    { "/etc/a.conf": "2" },
    (world) => world.edit("/etc/a.conf", "mine"),
  );
  using _world = world;
  world.edit("/etc/a.conf", "2");
  await world.run([{ kind: "upgrade", package: conf("3.0-1", { "/etc/a.conf": "3" }) }]);
  assert.equal(world.tree()["/etc/a.conf"], 'file 0755 0:0 "3"');
  assert.equal(world.tree()["/etc/a.conf.peipkg-new"], undefined);
});

Deno.test("T-ETC-06, T-ETC-07: a default that goes leaves an edit behind, unowned and named", async () => {
  const { world, report } = await upgraded(
    { "/etc/a.conf": "1", "/etc/b.conf": "1" },
    { "/usr/bin/app": "app" },
    (world) => world.edit("/etc/b.conf", "mine"),
  );
  using _world = world;
  assert.equal(world.tree()["/etc/a.conf"], undefined);
  assert.equal(world.tree()["/etc/b.conf"], 'file 0644 0:0 "mine"');
  assert.equal(readFile(world.database, "app", "/etc/b.conf"), undefined);
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["W_FILE_LEFT"]);
});

Deno.test("T-DB-13: an upgrade keeps annotations and the row's lock", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: conf("1.0-1", { "/usr/bin/app": "1" }) }]);
  world.database.statement("INSERT INTO annotation VALUES ('app', 'note', 'keep me')").run();
  world.database.statement("UPDATE package SET held = 1").run();
  await world.run([{ kind: "upgrade", package: conf("2.0-1", { "/usr/bin/app": "2" }) }]);
  assert.equal(world.database.statement("SELECT value FROM annotation").get()?.value, "keep me");
  assert.equal(readInstalledPackage(world.database, "app")?.isHeld, true);
  assert.equal(readInstalledPackage(world.database, "app")?.version.raw, "2.0-1");
});

Deno.test("T-MODE-01, T-MODE-03: modes are 0755 unless Peios itself guards the running root", async () => {
  const spec = conf("1.0-1", { "/usr/share/app/x": "x" });
  using plain = new World();
  await plain.run([{ kind: "install", package: spec }]);
  assert.equal(plain.tree()["/usr/share/app/x"], 'file 0755 0:0 "x"');
  using peios = new World({ hasKacs: true });
  await peios.run([{ kind: "install", package: spec }]);
  assert.equal(peios.tree()["/usr/share/app/x"], 'file 0777 0:0 "x"');
  assert.equal(peios.tree()["/usr/share/app"], "dir 0777 0:0");
  using image = new World({ hasKacs: true });
  await image.run([{ kind: "install", package: spec }], { isSystemRoot: false });
  assert.equal(image.tree()["/usr/share/app/x"], 'file 0755 0:0 "x"');
});

Deno.test("T-MODE-05: files and links get the time of the archive entry", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: conf("1.0-1", { "/usr/bin/a": "a", "/usr/bin/l": { link: "a" } }) }]);
  const tree = world.tree({ times: true });
  assert.match(tree["/usr/bin/a"] ?? "", /mtime 1700000000000000000/);
  assert.match(tree["/usr/bin/l"] ?? "", /mtime 1700000000000000000/);
});
