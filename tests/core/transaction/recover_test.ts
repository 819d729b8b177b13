import assert from "node:assert/strict";
import { PeipkgError, SystemCallError } from "../../../core/errors.ts";
import { readTransaction } from "../../../core/store/history.ts";
import { pendingTransaction } from "../../../core/store/pending.ts";
import { recoveryReport } from "../../../core/transaction/report.ts";
import { acceptState, resolveIndeterminate } from "../../../core/transaction/resolution.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, World } from "./world.ts";
import { refusedBy } from "../../support/refusals.ts";

const spec = (version: string, text: string): PackageSpec => ({
  name: "app",
  version,
  files: { "/usr/bin/app": text },
});

/** A world whose upgrade died after its renames. */
async function interrupted(change: (world: World) => void = () => {}): Promise<World> {
  const world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", "old") }]);
  // The third commit of an upgrade is the boundary: journal, flip, boundary.
  const control = FaultControl.crashAt(3, (call) => call === "db-commit");
  world.control(control);
  await world.run([{ kind: "upgrade", package: spec("2.0-1", "new") }]).catch(() => {});
  assert.ok(control.hasFired);
  world.restart();
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "new"');
  change(world);
  return world;
}

const evidence = { action: "AUTH_RECOVERY", subject: "2", statement: "accept", method: "tty" as const };

Deno.test("T-RECOV-01, T-MODEL-05: a pending transaction is rolled back, reported and closed", async () => {
  using world = await interrupted();
  const outcome = await world.recover();
  assert.equal(outcome.kind, "rolled-back");
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
  const record = readTransaction(world.database, 2);
  assert.deepEqual([record?.state, record?.phase, record?.failureCode], ["rolled-back", "closed", "interrupted"]);
  assert.equal((await world.recover()).kind, "nothing");
  const report = await world.run([{ kind: "upgrade", package: spec("2.0-1", "new") }]);
  assert.equal(report.transaction, 3, "ids are not used again");
});

Deno.test("T-ROLL-02: closing a rolled back transaction drops its prior rows and side effects", async () => {
  using world = await interrupted();
  await world.recover();
  for (const table of ["prior_package", "prior_file", "prior_holder", "side_effect"]) {
    const row = world.database.statement(`SELECT count(*) AS n FROM ${table} WHERE txn_id = 2`).get();
    assert.equal(row?.n, 0, table);
  }
});

Deno.test("T-RECOV-07: a journal of a newer version is left alone", async () => {
  using world = await interrupted();
  world.database.statement("UPDATE txn SET journal_schema_version = 99 WHERE id = 2").run();
  const before = world.tree({ inodes: true });
  await assert.rejects(world.recover(), refusedBy("JOURNAL_TOO_NEW"));
  assert.deepEqual(world.tree({ inodes: true }), before);
});

Deno.test("T-RECOV-08: a transaction over several roots is not rolled back on its own", async () => {
  using world = await interrupted();
  world.database.statement("UPDATE txn SET cross_root_id = 'aa' WHERE id = 2").run();
  await assert.rejects(world.recover(), refusedBy("CROSS_ROOT_PENDING"));
});

Deno.test("T-DB-10, T-INDET-01: a journal with a path elsewhere is not followed", async () => {
  using world = await interrupted();
  for (const path of ["/etc/passwd", "/usr/bin/../../etc/passwd", "/usr/bin/sub/app.peipkg-backup-2"]) {
    world.database.statement("UPDATE txn_file SET backup_path = ? WHERE txn_id = 2").run(path);
    await assert.rejects(world.recover(), refusedBy("RECOVERY_MODE"), path);
  }
});

Deno.test("T-ROLL-07, T-ROLL-36, T-INDET-02, T-INDET-04: a foreign object makes it indeterminate, and it stays so", async () => {
  using world = await interrupted((world) => world.edit("/usr/bin/app", "somebody else's"));
  await assert.rejects(world.recover(), refusedBy("RECOVERY_FOREIGN_OBJECT"));
  assert.equal(pendingTransaction(world.database)?.isIndeterminate, true);
  const before = world.tree({ inodes: true });
  await assert.rejects(world.recover(), refusedBy("RECOVERY_MODE"));
  assert.deepEqual(world.tree({ inodes: true }), before);
});

Deno.test("T-ROLL-38, T-ROLL-39: a lost backup is indeterminate", async () => {
  using world = await interrupted((world) => world.remove("/usr/bin/app.peipkg-backup-2"));
  await assert.rejects(world.recover(), refusedBy("RECOVERY_BACKUP_MISSING"));
});

Deno.test("T-ROLL-47: a backup of another kind is indeterminate", async () => {
  using world = await interrupted((world) => {
    world.remove("/usr/bin/app.peipkg-backup-2");
    world.write({ "/usr/bin/app.peipkg-backup-2": { link: "elsewhere" } });
  });
  await assert.rejects(world.recover(), refusedBy("RECOVERY_BACKUP_MISMATCH"));
});

Deno.test("T-INDET-08, A-AUTH-A10: recover asks per path, puts aside what is there and restores the backup", async () => {
  using world = await interrupted((world) => world.edit("/usr/bin/app", "somebody else's"));
  await assert.rejects(world.recover());
  await assert.rejects(
    resolveIndeterminate(world.recoveryContext(), "{}", () => Promise.resolve({ kind: "authorise", answer: "no" })),
    refusedBy("RECOVERY_FOREIGN_OBJECT"),
  );
  assert.equal(world.tree()["/usr/bin/app"], 'file 0644 0:0 "somebody else\'s"');
  const asked: string[] = [];
  const outcome = await resolveIndeterminate(world.recoveryContext(), "{}", (question) => {
    if (question.kind === "authorise") asked.push(`${question.action} ${question.subject}`);
    return Promise.resolve({ kind: "authorise", answer: "yes" });
  });
  assert.deepEqual(asked, ["AUTH_RECOVERY /usr/bin/app"]);
  assert.deepEqual(outcome.kind === "rolled-back" ? outcome.displaced : [], [
    { path: "/usr/bin/app", place: "/usr/bin/app.peipkg-backup-2-1" },
  ]);
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
  assert.equal(world.tree()["/usr/bin/app.peipkg-backup-2-1"], 'file 0644 0:0 "somebody else\'s"');
  assert.equal(pendingTransaction(world.database), undefined);
});

Deno.test("T-INDET-09, T-INDET-12: accepting keeps the files, gives the transaction up and cleans", async () => {
  using world = await interrupted((world) => world.edit("/usr/bin/app", "somebody else's"));
  await assert.rejects(acceptState(world.recoveryContext(), "{}", evidence), refusedBy("RECOVERY_MODE"));
  await assert.rejects(world.recover());
  const accepted = await acceptState(world.recoveryContext(), "{}", evidence);
  assert.deepEqual(accepted.differing, ["/usr/bin/app"]);
  assert.equal(world.tree()["/usr/bin/app"], 'file 0644 0:0 "somebody else\'s"');
  assert.deepEqual(Object.keys(world.tree()).filter((path) => path.includes("peipkg-")), ["/var/lib/peipkg"].slice(1));
  assert.equal(readTransaction(world.database, 2)?.state, "abandoned");
  await world.run([{ kind: "reinstall", package: spec("1.0-1", "old") }]);
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
});

Deno.test("T-INDET-06, T-INDET-05: the report names what is found, the row that applies, and strays", async () => {
  using world = await interrupted((world) => world.write({ "/usr/bin/stray.peipkg-staged-77": "stray" }));
  const before = [world.tree({ inodes: true }), world.rows()];
  const report = recoveryReport(world.recoveryContext());
  assert.equal(report.transaction?.id, 2);
  assert.deepEqual(report.files.map(({ path, action, decision }) => [path, action, decision]), [
    ["/usr/bin/app", "replace", "T-ROLL-35"],
  ]);
  assert.deepEqual(report.strays, [
    { path: "/usr/bin/app.peipkg-backup-2", transaction: 2, isNamed: true },
    { path: "/usr/bin/stray.peipkg-staged-77", transaction: 77, isNamed: false },
  ]);
  assert.deepEqual(report.database, []);
  assert.equal(report.filesystems.length, 1);
  assert.deepEqual([world.tree({ inodes: true }), world.rows()], before);
});

Deno.test("FP-60, T-ROLL-03, T-ROLL-08: a rollback that is refused too is reported with its cause", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: spec("1.0-1", "old") }]);
  let renames = 0;
  world.control(
    new FaultControl((_n, call, path) => {
      if (call === "renameat2" && ++renames > 1) throw new SystemCallError("EROFS", call, path);
      if (call === "syncfs" && renames === 1) throw new SystemCallError("EIO", call, path);
    }),
  );
  const error = await world.run([{ kind: "upgrade", package: spec("2.0-1", "new") }]).catch((error) => error);
  assert.ok(error instanceof PeipkgError);
  assert.deepEqual([error.code, error.detail.rule, error.detail.rolledBack], [
    "indeterminate",
    "ROLLBACK_FAILED",
    false,
  ]);
  assert.match(error.detail.lines?.[0] ?? "", /durable/);
  assert.equal(pendingTransaction(world.database)?.isIndeterminate, true);
  world.restart();
  const outcome = await resolveIndeterminate(world.recoveryContext(), "{}", () => assert.fail("nothing to ask"));
  assert.equal(outcome.kind, "rolled-back");
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
});
