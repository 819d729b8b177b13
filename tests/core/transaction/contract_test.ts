/** What a transaction promises about paths, names and history, one rule at a time. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { readTransaction } from "../../../core/store/history.ts";
import { readFile, readInstalledPackage } from "../../../core/store/installed.ts";
import { JOURNAL_SCHEMA_VERSION } from "../../../core/store/journal.ts";
import { recoveryReport } from "../../../core/transaction/report.ts";
import { openKeptContent } from "../../../core/transaction/undo_source.ts";
import { CHANGING_CALLS, FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, World } from "./world.ts";

const spec = (version: string, files: PackageSpec["files"]): PackageSpec => ({ name: "app", version, files });
const MARGIN = 32 * 1024 * 1024;
const FRAGMENT = 4096;

Deno.test("T-COLL-01: where nothing is, the file is created", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/bin/app": "a" }) }]);
  const row = world.database.statement("SELECT action FROM txn_file WHERE final_path = '/usr/bin/app'").get();
  assert.equal(row?.action, "create");
});

Deno.test("T-COLL-05, T-REPL-01: paths of a replaced package go through the ordinary diff", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/bin/app": "same", "/usr/bin/b": "1" }) }]);
  const before = world.tree({ inodes: true });
  const successor: PackageSpec = { name: "next", files: { "/usr/bin/app": "same", "/usr/bin/b": "2" } };
  const { parsePackageName } = await import("../../../core/identity/package_name.ts");
  await world.run([
    { kind: "remove", name: "app", cause: { kind: "replaces", by: parsePackageName("next") } },
    { kind: "install", package: successor, replaces: ["app"] },
  ]);
  assert.equal(world.tree({ inodes: true })["/usr/bin/app"], before["/usr/bin/app"], "untouched");
  const rows = world.database.statement("SELECT final_path, action FROM txn_file WHERE txn_id = 2").all();
  assert.deepEqual(rows.map(({ final_path, action }) => [final_path, action]), [["/usr/bin/b", "replace"]]);
});

Deno.test("T-DIFF-09, T-DIFF-13: a directory on both sides is nothing to do, upward and downward alike", async () => {
  const one = spec("1.0-1", { "/usr/share/app/": null, "/usr/bin/app": "1", "/usr/bin/old": "o" });
  const two = spec("2.0-1", { "/usr/share/app/": null, "/usr/bin/app": "2", "/usr/bin/new": "n" });
  using world = new World();
  await world.run([{ kind: "install", package: one }]);
  const directory = world.tree({ inodes: true })["/usr/share/app"];
  const before = world.tree();
  const ops = (id: number) =>
    world.database.statement("SELECT final_path, action FROM txn_file WHERE txn_id = ? ORDER BY seq").all(id)
      .map(({ final_path, action }) => `${action} ${final_path}`);
  await world.run([{ kind: "upgrade", package: two }]);
  assert.deepEqual(ops(2), ["create /usr/bin/new", "replace /usr/bin/app", "remove /usr/bin/old"]);
  await world.run([{ kind: "downgrade", package: one }]);
  assert.deepEqual(ops(3), ["create /usr/bin/old", "replace /usr/bin/app", "remove /usr/bin/new"]);
  assert.deepEqual(world.tree(), before);
  assert.equal(world.tree({ inodes: true })["/usr/share/app"], directory);
});

Deno.test("T-ETC-11, T-NAME-05: a new default of a long name lies beside the edit, without a question", async () => {
  const name = `/etc/${"ä".repeat(120)}.conf`;
  using world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", { [name]: "1" }) }]);
  world.edit(name, "mine");
  const report = await world.run([{ kind: "upgrade", package: spec("2.0-1", { [name]: "2" }) }], {
    ask: () => assert.fail("nothing may be asked"),
  });
  const place = report.files.find(({ kind }) => kind === "kept")?.place ?? "";
  assert.match(place, /^\/etc\/ä+~[0-9a-f]{12}\.peipkg-new$/);
  assert.ok(new TextEncoder().encode(place.slice("/etc/".length)).length <= 255);
  assert.match(world.tree()[place] ?? "", /"2"$/);
  assert.equal(readFile(world.database, "app", place)?.newDefaultOf, name);
});

Deno.test("T-MODE-06, T-SIDE-12: no extended attribute is ever set, no tool is asked for input", async () => {
  using world = new World({ tree: { "/usr/bin/ldconfig": { mode: 0o755, text: "tool" } } });
  world.control(new FaultControl((_n, call) => assert.notEqual(call, "fsetxattr")));
  const library = {
    ...spec("1.0-1", { "/usr/lib/x86_64-peios/libapp.so.1": "l" }),
    sideEffects: ["ldconfig"] as const,
  };
  await world.run([{ kind: "install", package: library }], { ask: () => assert.fail("nothing may be asked") });
  assert.deepEqual(world.system.tools.map(({ path, args }) => [path, ...args]), [["/usr/bin/ldconfig"]]);
});

Deno.test("T-SPACE-03, T-SPACE-05: whole fragments, one for each new directory, journal rows and a margin", async () => {
  // Two files of a byte and a fragment and a byte; directories share and app.
  const files = { "/usr/share/app/a": "a", "/usr/share/app/b": "b".repeat(FRAGMENT + 1) };
  const needed = MARGIN + (1 + 2 + 2) * FRAGMENT + 2 * 1024;
  for (const [availableBytes, isEnough] of [[needed, true], [needed - 1, false]] as const) {
    using world = new World();
    world.fileSystem.setFileSystem(world.fileSystem.tree.root.device, { availableBytes });
    const outcome = await world.run([{ kind: "install", package: spec("1.0-1", files) }]).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof PeipkgError);
        assert.equal(error.detail.rule, "DISK_SPACE");
        return false;
      },
    );
    assert.equal(outcome, isEnough, String(availableBytes));
  }
});

Deno.test("T-RETAIN-08: kept content on a file system belongs to nobody and is no one's stray", async () => {
  using world = new World({ tree: { "/usr/share/": "" }, mounts: ["/usr/share"] });
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/share/app/x": "1" }) }]);
  await world.run([{ kind: "upgrade", package: spec("2.0-1", { "/usr/share/app/x": "2" }) }]);
  assert.ok(world.tree()["/usr/share/.peipkg-retained/2/0"] !== undefined);
  assert.equal(readFile(world.database, "app", "/usr/share/.peipkg-retained/2/0"), undefined);
  const error = await world.run([
    { kind: "upgrade", package: spec("3.0-1", { "/usr/share/.peipkg-retained/2/0": "evil" }) },
  ]).catch((error) => error);
  assert.equal(error.detail.rule, "PATH_RESERVED");
});

Deno.test("T-COMMIT-26: a repointed link changes in one rename, and its old target is its backup", async () => {
  const provider = (name: string): PackageSpec => ({
    name,
    files: { [`/usr/bin/${name}`]: name },
    provides: { registryd: { binary: { target: `/usr/bin/${name}`, path: "/usr/bin/registryd" } } },
  });
  using world = new World();
  await world.run([{ kind: "install", package: provider("one") }]);
  const calls: string[] = [];
  world.control(
    new FaultControl((_n, call, path) => {
      assert.equal(world.fileSystem.node("/usr/bin/registryd")?.type, "symlink");
      if (CHANGING_CALLS.has(call) && path === "/usr/bin/registryd") calls.push(call);
    }),
  );
  await world.run([{ kind: "install", package: provider("two") }], { claims: { forced: ["registryd"] } });
  assert.deepEqual(calls, ["renameat2"]);
  const row = world.database.statement(
    "SELECT action, backup_path, old_target, new_target FROM txn_file WHERE final_path = '/usr/bin/registryd' AND txn_id = 2",
  ).get();
  assert.deepEqual({ ...row }, { action: "repoint", backup_path: null, old_target: "one", new_target: "two" });
});

Deno.test("T-SCHEMA-01, T-SELF-02: a journal says its version; whose program wrote it does not matter", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/bin/app": "old" }) }]);
  const before = world.tree({ inodes: true });
  world.control(FaultControl.crashAt(3, (call) => call === "db-commit"));
  await world.run([{ kind: "upgrade", package: spec("2.0-1", { "/usr/bin/app": "new" }) }]).catch(() => {});
  world.restart();
  const row = world.database.statement("SELECT journal_schema_version AS v FROM txn WHERE id = 2").get();
  assert.deepEqual([row?.v, JOURNAL_SCHEMA_VERSION], [1, 1]);
  world.database.statement("UPDATE txn SET started_by_version = 'peipkg 99.0' WHERE id = 2").run();
  assert.equal((await world.recover()).kind, "rolled-back");
  assert.deepEqual(world.tree({ inodes: true }), before);
});

Deno.test("T-SELF-01, T-SELF-04: the program is a file like any other, and the report says where the old one is", async () => {
  const peipkg = (version: string): PackageSpec => ({ name: "peipkg", version, files: { "/usr/bin/peipkg": version } });
  using world = new World();
  await world.run([{ kind: "install", package: peipkg("1.0-1") }]);
  const before = world.tree({ inodes: true })["/usr/bin/peipkg"];
  await world.run([{ kind: "upgrade", package: peipkg("2.0-1") }]);
  const [kept] = recoveryReport(world.recoveryContext()).retained;
  assert.deepEqual([kept?.transaction, kept?.original, kept?.exists], [2, "/usr/bin/peipkg", true]);
  const { contents } = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  await world.run([{ kind: "downgrade", package: peipkg("1.0-1") }], { kind: "undo", undoOf: 2, contents });
  assert.equal(world.tree({ inodes: true })["/usr/bin/peipkg"], before);
});

Deno.test("T-MODEL-01, T-MODEL-03, T-MODEL-06, T-COMMIT-13: rows and state change in one commit, the last of them", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/bin/app": "1" }) }]);
  const seen: string[] = [];
  const look = (): void => {
    const { state } = readTransaction(world.database, 2) ?? {};
    if (state !== undefined) seen.push(`${state} ${readInstalledPackage(world.database, "app")?.version.raw}`);
  };
  world.control(new FaultControl((_n, call) => call === "statx" || call === "renameat2" ? look() : undefined));
  await world.run([
    { kind: "upgrade", package: spec("2.0-1", { "/usr/bin/app": "2" }) },
    { kind: "install", package: { name: "other", files: { "/usr/bin/other": "o" } } },
  ]);
  look();
  assert.deepEqual([...new Set(seen)], ["pending 1.0-1", "committed 2.0-1"]);
  assert.deepEqual(readTransaction(world.database, 2)?.kind, "package");
  assert.equal(world.database.meta("generation"), "2", "T-DB-14: once per transaction");
});

Deno.test("T-UNDO-13, T-UNDO-14: undo leaves alone what was moved aside and what no package owns", async () => {
  using world = new World({ tree: { "/usr/bin/app": "mine", "/var/lib/app/data": "data" } });
  await world.run([{ kind: "install", package: spec("1.0-1", { "/usr/bin/app": "1" }) }], { overwriteUnowned: true });
  const place = "/usr/bin/app.peipkg-backup-1";
  assert.match(world.tree()[place] ?? "", /"mine"$/);
  await world.run([{ kind: "remove", name: "app" }], { kind: "undo", undoOf: 1 });
  assert.equal(world.tree()["/usr/bin/app"], undefined);
  assert.match(world.tree()[place] ?? "", /"mine"$/);
  assert.match(world.tree()["/var/lib/app/data"] ?? "", /"data"$/);
});
