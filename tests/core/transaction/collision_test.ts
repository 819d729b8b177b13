import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { pendingTransaction } from "../../../core/store/pending.ts";
import { PathRules } from "../../../core/transaction/collision.ts";
import type { PackageSpec, RunOptions } from "./world.ts";
import { World } from "./world.ts";
import { refusedBy } from "../../support/refusals.ts";

const ONE: PackageSpec = { name: "one", files: { "/usr/bin/shared": "one", "/usr/share/one/x": "x" } };
const TWO: PackageSpec = { name: "two", files: { "/usr/bin/shared": "two" } };

async function refusal(world: World, spec: PackageSpec, options: RunOptions = {}): Promise<PeipkgError> {
  const before = [world.tree(), world.rows()];
  const error = await world.run([{ kind: "install", package: spec }], options).then(
    () => assert.fail("was not refused"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof PeipkgError, String(error));
  assert.deepEqual([world.tree(), world.rows()], before, "nothing is staged");
  assert.equal(pendingTransaction(world.database), undefined);
  return error;
}

Deno.test("T-COLL-02, F-DST-11: a path of another installed package is refused, naming both", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: ONE }]);
  const error = await refusal(world, TWO);
  assert.equal(error.detail.rule, "FILE_CONFLICT");
  assert.deepEqual(error.detail.paths, [{
    path: "/usr/bin/shared",
    package: "two",
    other: "one",
    rule: "FILE_CONFLICT",
  }]);
});

Deno.test("T-COLL-03, T-DB-12: a file never takes the place of another package's directory, nor the reverse", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: ONE }]);
  const file = await refusal(world, { name: "two", files: { "/usr/share/one": "file" } });
  assert.equal(file.detail.rule, "FILE_CONFLICT");
  const directory = await refusal(world, { name: "two", files: { "/usr/bin/shared/": "" } });
  assert.equal(directory.detail.rule, "FILE_CONFLICT");
});

Deno.test("T-COLL-03: an unowned directory is not displaced by a file, whatever is allowed", async () => {
  using world = new World({ tree: { "/usr/bin/shared/mine": "mine" } });
  const error = await refusal(world, TWO, { overwriteUnowned: true });
  assert.equal(error.detail.rule, "UNOWNED_EXISTS");
});

Deno.test("T-COLL-04: two packages of one plan may not ship one path, or one below the other's file", async () => {
  using world = new World();
  const before = world.tree();
  for (const other of [TWO, { name: "two", files: { "/usr/bin/shared/below": "x" } }]) {
    await assert.rejects(
      world.run([{ kind: "install", package: ONE }, { kind: "install", package: other }]),
      refusedBy("FILE_CONFLICT"),
    );
  }
  assert.deepEqual(world.tree(), before);
});

Deno.test("T-COLL-06, T-COLL-12: an identical unowned file is adopted and stays the same object", async () => {
  using world = new World({ tree: { "/usr/bin/shared": { mode: 0o755, text: "one" } } });
  const before = world.tree({ inodes: true, times: true })["/usr/bin/shared"];
  const report = await world.run([{ kind: "install", package: ONE }]);
  assert.equal(world.tree({ inodes: true, times: true })["/usr/bin/shared"], before);
  assert.deepEqual(report.files, [{ kind: "adopted", path: "/usr/bin/shared", package: "one", place: undefined }]);
});

Deno.test("T-COLL-09: a file others can write, run set-uid or reach by a second name is not adopted", async () => {
  for (const mode of [0o775, 0o757, 0o4755, 0o2755]) {
    using world = new World({ tree: { "/usr/bin/shared": { mode, text: "one" } } });
    assert.equal((await refusal(world, ONE)).detail.rule, "UNOWNED_EXISTS", mode.toString(8));
  }
  using world = new World({ tree: { "/usr/bin/shared": { mode: 0o755, text: "one" } } });
  using root = world.fileSystem.open("/");
  using directory = root.openDirectory("/usr/bin");
  directory?.link("shared", directory, "second");
  assert.equal((await refusal(world, ONE)).detail.rule, "UNOWNED_EXISTS");
});

Deno.test("T-COLL-07: every unowned path in the way is listed at once, with the way to insist", async () => {
  using world = new World({ tree: { "/usr/bin/shared": "mine", "/usr/share/one/x": "mine" } });
  const error = await refusal(world, ONE);
  assert.equal(error.code, "unowned");
  assert.deepEqual(error.detail.paths?.map(({ path }) => path), ["/usr/bin/shared", "/usr/share/one/x"]);
  assert.match(error.detail.hint ?? "", /--overwrite-unowned/);
});

Deno.test("T-COLL-08, T-COLL-11, T-RETAIN-06: a displaced unowned file stays beside the new one for ever", async () => {
  using world = new World({ tree: { "/usr/bin/shared": "mine" } });
  const report = await world.run([{ kind: "install", package: ONE }], { overwriteUnowned: true, keepDays: 0 });
  assert.equal(world.tree()["/usr/bin/shared.peipkg-backup-1"], 'file 0644 0:0 "mine"');
  assert.deepEqual(report.files, [{
    kind: "displaced",
    path: "/usr/bin/shared",
    package: "one",
    place: "/usr/bin/shared.peipkg-backup-1",
  }]);
  const rows = world.database.statement("SELECT original, kept_at FROM displaced_file").all();
  assert.deepEqual(rows.map((row) => ({ ...row })), [
    { original: "/usr/bin/shared", kept_at: "/usr/bin/shared.peipkg-backup-1" },
  ]);
});

Deno.test("T-COLL-11: a displaced library does not stay where a loader would find it", async () => {
  using world = new World({ tree: { "/usr/lib/x86_64-peios/libone.so.1": "mine" } });
  const report = await world.run(
    [{ kind: "install", package: { name: "one", files: { "/usr/lib/x86_64-peios/libone.so.1": "one" } } }],
    { overwriteUnowned: true },
  );
  assert.deepEqual(Object.keys(world.tree()).filter((path) => path.includes("peipkg-backup")), []);
  assert.deepEqual(report.files.map(({ kind, place }) => [kind, place]), [
    ["displaced", "/var/lib/peipkg/retained/1/0"],
  ]);
});

Deno.test("T-COLL-10: an existing directory keeps its mode and owner", async () => {
  using world = new World({ tree: { "/usr/share/one/": { mode: 0o700 } } });
  const before = world.tree({ inodes: true })["/usr/share/one"];
  await world.run([{ kind: "install", package: ONE }]);
  assert.equal(world.tree({ inodes: true })["/usr/share/one"], before);
});

Deno.test("T-COLL-15: reserved paths are refused for every package, its own empty directories excepted", async () => {
  using world = new World();
  for (const path of ["/conf/peipkg/extra.repo", "/var/log/peipkg/", "/usr/share/.peipkg-retained/1", "/srv/state/x"]) {
    const error = await refusal(world, { name: "one", files: { [path]: "x" } }, { reservedPaths: ["/srv/state"] });
    assert.equal(error.detail.rule, "PATH_RESERVED", path);
  }
  await world.run([{ kind: "install", package: { name: "peipkg", files: { "/conf/peipkg/": "" } } }]);
});

Deno.test("T-COLL-14, A-DROPIN-03, A-DROPIN-04: drop-in directories are the official repository's", async () => {
  using world = new World();
  const spec = (path: string): PackageSpec => ({
    name: "one",
    files: { [path]: "x" },
    repository: "extra",
    official: false,
  });
  assert.equal((await refusal(world, spec("/etc/profile.d/one.sh"))).detail.rule, "E_DEST_DROPIN");
  assert.equal((await refusal(world, spec("/etc/profile.d/other/one.sh"))).detail.rule, "E_DEST_DROPIN");
  const added = { dropinDirectories: ["/usr/share/hooks.d"] };
  assert.equal((await refusal(world, spec("/usr/share/hooks.d/one"), added)).detail.rule, "E_DEST_DROPIN");
  await world.run([{ kind: "install", package: spec("/etc/profile.d/extra/one.sh") }]);
  await world.run([{ kind: "install", package: { name: "two", files: { "/etc/profile.d/two.sh": "x" } } }]);
});

Deno.test("F-DROP-03: allowsDropin() knows the forms a package's own place may have", () => {
  const rules = new PathRules([], []);
  const allows = (path: string) => rules.allowsDropin(`/etc/ld.so.conf.d/${path}`, "extra", "tool");
  assert.equal(allows("extra/tool.conf"), true);
  assert.equal(allows("peios-extra/tool-more.conf"), true);
  assert.equal(allows("extra-tool/any.conf"), true);
  assert.equal(allows("extra/tool/deep.conf"), true);
  assert.equal(allows("extra/toolbox.conf"), false);
  assert.equal(allows("extra/other.conf"), false);
  assert.equal(allows("tool.conf"), false);
});

Deno.test("A-SDA-30, A-SDP-09, A-SDP-12: a package with security descriptors is refused before anything is staged", async () => {
  const spec: PackageSpec = { name: "one", files: { "/usr/bin/one": "one" }, sdOverrides: ["usr/bin/one"] };
  using world = new World();
  const error = await refusal(world, spec);
  assert.equal(error.detail.rule, "SD_UNSUPPORTED_KERNEL");
  assert.deepEqual(error.detail.lines, ["/usr/bin/one"]);
  using peios = new World({ hasKacs: true });
  assert.equal((await refusal(peios, spec)).detail.rule, "E_SD_POLICY");
});

Deno.test("T-SPACE-06: a shortage names the file system with what is needed and what there is", async () => {
  using world = new World();
  world.fileSystem.setFileSystem(world.fileSystem.tree.root.device, { availableBytes: 1024 });
  const error = await refusal(world, ONE);
  assert.equal(error.detail.rule, "DISK_SPACE");
  // Two files and two directories of one fragment each, the margin, and two journal rows.
  const needed = 32 * 1024 * 1024 + 4 * 4096 + 2 * 1024;
  assert.deepEqual(error.detail.filesystems, [{ mount: "/", needed, available: 1024 }]);
});

Deno.test("T-SPACE-02, T-SPACE-04: each file system is asked for what lands on it, inodes included", async () => {
  using world = new World({ tree: { "/usr/share/": "" } });
  world.fileSystem.mount("/usr/share", { inodes: 100, inodesFree: 3, availableBytes: 2 ** 40 });
  const error = await refusal(world, ONE);
  assert.deepEqual(error.detail.filesystems?.map(({ mount }) => mount), ["/usr/share"]);
});
