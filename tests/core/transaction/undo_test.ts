import assert from "node:assert/strict";
import { priorFiles, priorPackages, retainedPaths } from "../../../core/store/history.ts";
import { openKeptContent } from "../../../core/transaction/undo_source.ts";
import { snapshotTree } from "../../support/tree_snapshot.ts";
import { type PackageSpec, type PayloadSpec, World } from "./world.ts";

const spec = (version: string, files: PayloadSpec): PackageSpec => ({ name: "app", version, files });
const ONE = spec("1.0-1", {
  "/usr/bin/app": "1",
  "/usr/bin/same": "same",
  "/usr/bin/l": { link: "app" },
  "/usr/bin/gone": "g",
});
const TWO = spec("2.0-1", {
  "/usr/bin/app": "2",
  "/usr/bin/same": "same",
  "/usr/bin/l": { link: "x" },
  "/usr/bin/new": "n",
});

async function upgraded(options = {}): Promise<World> {
  const world = new World();
  await world.run([{ kind: "install", package: ONE }]);
  await world.run([{ kind: "upgrade", package: TWO }], options);
  return world;
}

function retained(world: World): string[] {
  using root = world.fileSystem.open("/");
  return Object.entries(snapshotTree(root, {}, "/var/lib/peipkg")).filter(([, line]) => !line.startsWith("dir"))
    .map(([path]) => path);
}

Deno.test("T-RETAIN-01, T-RETAIN-03, T-RETAIN-09: displaced originals are kept under numbers below the state", async () => {
  using world = await upgraded();
  assert.deepEqual(retainedPaths(world.database, 2).length, 3);
  assert.equal(retained(world).every((path) => /^\/var\/lib\/peipkg\/retained\/2\/\d+$/.test(path)), true);
  const row = priorFiles(world.database, 2).find(({ path }) => path === "/usr/bin/app");
  assert.match(row?.retainedPath ?? "", /^state:retained\/2\/\d+$/);
});

Deno.test("T-RETAIN-03: on another file system they are kept at its top, and never below the state", async () => {
  using world = new World({ tree: { "/usr/share/": "" } });
  world.fileSystem.mount("/usr/share", { availableBytes: 2 ** 40 });
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/share/app/x": "1" }) }]);
  await world.run([{ kind: "upgrade", package: spec("2.0-1", { "/usr/share/app/x": "2" }) }]);
  assert.deepEqual(retained(world), []);
  assert.deepEqual(retainedPaths(world.database, 2), ["root:/usr/share/.peipkg-retained/2/0"]);
  assert.equal(world.tree()["/usr/share/.peipkg-retained"], "dir 0700 0:0");
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  assert.deepEqual([...kept.contents.keys()], ["app"]);
});

Deno.test("T-CLEAN-03, T-RETAIN-09: every recorded place holds that file's content, on many file systems in turn", async () => {
  // Every other directory is a file system of its own; some paths are added, so that not every number has a backup.
  const directories = Array.from({ length: 80 }, (_, index) => `/usr/share/app/d${index + 10}`);
  using world = new World({ tree: Object.fromEntries(directories.map((path) => [`${path}/`, ""])) });
  directories.forEach((path, index) => index % 2 === 0 && world.fileSystem.mount(path, { availableBytes: 2 ** 40 }));
  const files = (version: string) => directories.map((path) => [`${path}/x`, `${version} of ${path}`] as const);
  await world.run([{ kind: "install", package: spec("1.0-1", Object.fromEntries(files("1"))) }]);
  const second = Object.fromEntries([...files("2").slice(0, 60), ["/usr/share/app/a", "new"]]);
  await world.run([{ kind: "upgrade", package: spec("2.0-1", second) }]);
  const rows = priorFiles(world.database, 2).filter(({ type }) => type === "file");
  assert.deepEqual(rows.map(({ path }) => path), files("1").map(([path]) => path));
  assert.equal(new Set(rows.map(({ retainedPath }) => retainedPath)).size, rows.length);
  rows.forEach(({ path, retainedPath }, index) => {
    const area = index % 2 === 0 ? `root:${path.slice(0, -2)}/.peipkg-retained/2/` : "state:retained/2/";
    assert.equal(retainedPath?.startsWith(area), true, `${path} is kept at ${retainedPath}`);
  });
  // Content is hashed before it counts: a place that held another file's would be missing here.
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  assert.deepEqual([...kept.contents.keys()], ["app"]);
});

Deno.test("T-RETAIN-01, T-RETAIN-07: with retention off nothing is kept but what undo by archive needs", async () => {
  for (const options of [{ keepDays: 0 }, { keepTransactions: 0 }]) {
    using world = await upgraded(options);
    assert.deepEqual(retained(world), []);
    assert.deepEqual(priorPackages(world.database, 2).map(({ version }) => version.raw), ["1.0-1"]);
    assert.equal(world.database.statement("SELECT count(*) AS n FROM txn_file").get()?.n, 0);
    assert.equal(world.database.statement("SELECT count(*) AS n FROM txn_op").get()?.n, 2);
    assert.equal(openKeptContent({ root: world.root, state: world.state }, world.database, 2).contents.size, 0);
  }
});

Deno.test("T-RETAIN-02: old transactions lose their content, by count and by age", async () => {
  using world = await upgraded({ keepTransactions: 1 });
  assert.equal(retained(world).length, 3);
  await world.run([{ kind: "upgrade", package: spec("3.0-1", { "/usr/bin/app": "3" }) }], { keepTransactions: 1 });
  assert.equal(retained(world).every((path) => path.includes("/retained/3/")), true);
  world.system.advance(15 * 86_400_000);
  await world.run([{ kind: "install", package: { name: "other", files: { "/usr/bin/other": "o" } } }]);
  assert.deepEqual(retained(world), []);
});

Deno.test("T-RETAIN-04, FP-51: a backup that cannot be moved is deleted, with a notice", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: ONE }]);
  const { FaultControl } = await import("../../support/fault_root.ts");
  const { SystemCallError } = await import("../../../core/errors.ts");
  world.control(
    new FaultControl((_n, call, path) => {
      if (call === "renameat2" && path.includes("/retained/")) throw new SystemCallError("ENOSPC", call, path);
    }),
  );
  const report = await world.run([{ kind: "upgrade", package: TWO }]);
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["W_BACKUP_NOT_RETAINED"]);
  assert.deepEqual(retainedPaths(world.database, 2), []);
  assert.deepEqual(Object.keys(world.tree()).filter((path) => path.includes(".peipkg-")), []);
});

Deno.test("T-UNDO-06: kept content goes back as the very objects it was, then is used up", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: ONE }]);
  const before = world.tree({ inodes: true, times: true });
  await world.run([{ kind: "upgrade", package: TWO }]);
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  assert.deepEqual(kept.warnings, []);
  const report = await world.run([{ kind: "downgrade", package: ONE }], {
    kind: "undo",
    undoOf: 2,
    contents: kept.contents,
  });
  assert.deepEqual(report.warnings, []);
  const after = world.tree({ inodes: true, times: true });
  assert.equal(after["/usr/bin/app"], before["/usr/bin/app"]);
  assert.equal(after["/usr/bin/gone"], before["/usr/bin/gone"]);
  assert.match(after["/usr/bin/l"] ?? "", /-> app$/);
  assert.equal(after["/usr/bin/new"], undefined);
  assert.deepEqual(retainedPaths(world.database, 2), []);
  // What the undo displaced is kept in turn: an undo can be undone (T-UNDO-01).
  const again = openKeptContent({ root: world.root, state: world.state }, world.database, 3);
  assert.deepEqual([...again.contents.keys()], ["app"]);
});

Deno.test("T-UNDO-06: across file systems kept content is copied", async () => {
  using world = await upgraded();
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  const { FaultControl } = await import("../../support/fault_root.ts");
  const { SystemCallError } = await import("../../../core/errors.ts");
  const contents = new Map([...kept.contents].map(([name, source]) => [name, { ...source, link: () => false }]));
  world.control(
    new FaultControl((_n, call, path) => {
      if (call === "linkat" && path.includes("staged")) throw new SystemCallError("EXDEV", call, path);
    }),
  );
  await world.run([{ kind: "downgrade", package: ONE }], { kind: "undo", undoOf: 2, contents });
  assert.match(world.tree()["/usr/bin/app"] ?? "", /"1"$/);
});

Deno.test("T-UNDO-11: damaged kept content is not used and is reported", async () => {
  using world = await upgraded();
  const place = priorFiles(world.database, 2).find(({ path }) => path === "/usr/bin/app")?.retainedPath ?? "";
  world.edit(place.replace("state:", "/var/lib/peipkg/"), "damaged");
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  assert.equal(kept.contents.size, 0);
  assert.deepEqual(kept.warnings.map(({ rule }) => rule), ["W_RETAINED_CORRUPT"]);
});

Deno.test("T-RETAIN-05: kept content that is missing counts as dropped", async () => {
  using world = await upgraded();
  const place = priorFiles(world.database, 2).find(({ path }) => path === "/usr/bin/app")?.retainedPath ?? "";
  world.remove(place.replace("state:", "/var/lib/peipkg/"));
  assert.equal(openKeptContent({ root: world.root, state: world.state }, world.database, 2).contents.size, 0);
});
