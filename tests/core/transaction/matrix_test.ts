/** Cells of the failure matrix (transactions.md section 25) that need more than one refused call. */
import assert from "node:assert/strict";
import { type ErrorRule, PeipkgError, SystemCallError } from "../../../core/errors.ts";
import { readTransaction, retainedPaths } from "../../../core/store/history.ts";
import { journalFiles, unfinishedTransactions } from "../../../core/store/journal.ts";
import { pendingTransaction } from "../../../core/store/pending.ts";
import { finishHousekeeping } from "../../../core/transaction/recover.ts";
import { recoveryReport } from "../../../core/transaction/report.ts";
import { resolveIndeterminate } from "../../../core/transaction/resolution.ts";
import { openKeptContent } from "../../../core/transaction/undo_source.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, type RunOptions, World } from "./world.ts";

const spec = (version: string, files: PackageSpec["files"]): PackageSpec => ({ name: "app", version, files });
const OLD = spec("1.0-1", { "/usr/bin/app": "old", "/usr/bin/gone": "gone", "/usr/share/app/a": "a" });
const NEW = spec("2.0-1", { "/usr/bin/app": "new", "/usr/bin/more": "more", "/usr/share/app/new/b": "b" });

interface Calls {
  /** How often each call was made, and how many database commits there were. */
  readonly count: (call: string) => number;
}

/** Refuses calls as a predicate says; it sees how many of each there were, the present one included. */
function refuse(world: World, errno: string, applies: (call: string, path: string, calls: Calls) => boolean): void {
  const counts = new Map<string, number>();
  const calls: Calls = { count: (call) => counts.get(call) ?? 0 };
  world.control(
    new FaultControl((_n, call, path) => {
      counts.set(call, calls.count(call) + 1);
      if (applies(call, path, calls)) throw new SystemCallError(errno, call, path);
    }),
  );
}

async function installed(options: RunOptions = {}): Promise<World> {
  const world = new World();
  await world.run([{ kind: "install", package: OLD }], options);
  return world;
}

async function failure(work: Promise<unknown>): Promise<PeipkgError> {
  const error: unknown = await work.then(() => assert.fail("did not fail"), (error) => error);
  assert.ok(error instanceof PeipkgError, String(error));
  return error;
}

const state = (world: World): unknown => [world.tree({ inodes: true, times: true }), world.rows()];
const upgrade = (world: World, options: RunOptions = {}) => world.run([{ kind: "upgrade", package: NEW }], options);
const temporaries = (world: World): readonly string[] =>
  Object.keys(world.tree()).filter((path) => path.includes(".peipkg-"));

/** After the flip, which is the second commit of a transaction. */
const isApplying = (calls: Calls): boolean => calls.count("db-commit") >= 2;

const APPLY_CELLS: readonly (readonly [point: string, call: string, path: RegExp, errno: string, rule: ErrorRule])[] = [
  ["FP-30", "statx", /gone$/, "EACCES", "NOT_PERMITTED"],
  ["FP-30", "statx", /gone$/, "EIO", "FS_IO"],
  ["FP-36", "statx", /more$/, "EIO", "FS_IO"],
  ["FP-37, T-COMMIT-12", "syncfs", /./, "EIO", "FSYNC_FAILED"],
  ["FP-37", "syncfs", /./, "ENOSPC", "FSYNC_FAILED"],
];

for (const [point, call, path, errno, rule] of APPLY_CELLS) {
  Deno.test(`${point}: ${errno} from ${call} after the flip rolls back with ${rule}`, async () => {
    using world = await installed();
    const before = state(world);
    let isDone = false;
    refuse(world, errno, (name, at, calls) => {
      if (isDone || !isApplying(calls) || name !== call || !path.test(at)) return false;
      return isDone = true;
    });
    const error = await failure(upgrade(world));
    assert.deepEqual([error.detail.rule, error.detail.rolledBack], [rule, true]);
    assert.deepEqual(state(world), before);
  });
}

Deno.test("FP-33, T-COMMIT-23: a refused first rename of the fallback rolls back", async () => {
  for (const [errno, rule] of [["EACCES", "NOT_PERMITTED"], ["EIO", "FS_IO"], ["ENOSPC", "DISK_SPACE"]]) {
    using world = await installed();
    const before = state(world);
    let isDone = false;
    world.control(
      new FaultControl((_n, call, path) => {
        if (call === "linkat") throw new SystemCallError("EPERM", call, path);
        if (isDone || call !== "renameat2" || !path.includes("/app.peipkg-backup")) return;
        isDone = true;
        throw new SystemCallError(errno ?? "", call, path);
      }),
    );
    const error = await failure(upgrade(world));
    assert.deepEqual([error.detail.rule, error.detail.rolledBack], [rule, true]);
    assert.deepEqual(state(world), before);
  }
});

/** Rollbacks that are refused too: the cause is a failing first barrier, then a call of the rollback fails. */
const ROLLBACK_CELLS: readonly (readonly [point: string, call: string, path: RegExp, nth: number])[] = [
  ["FP-61, T-ROLL-20", "unlinkat", /peipkg-staged/, 1],
  ["FP-61, T-ROLL-21", "unlinkat", /peipkg-backup/, 1],
  ["FP-62", "unlinkat", /share\/app\/new$/, 1],
  ["FP-64", "syncfs", /./, 2],
];

for (const [point, call, path, nth] of ROLLBACK_CELLS) {
  for (const errno of ["EROFS", "EIO"]) {
    Deno.test(`${point}: ${errno} from ${call} at ${path.source} in a rollback is left to the operator`, async () => {
      using world = await installed();
      const before = world.tree({ inodes: true });
      let seen = 0;
      refuse(world, errno, (name, at, calls) => {
        if (name === "syncfs" && calls.count("syncfs") === 1) return true;
        return name === call && path.test(at) && ++seen >= (call === "syncfs" ? nth - 1 : nth);
      });
      const error = await failure(upgrade(world));
      assert.deepEqual([error.code, error.detail.rule, error.detail.rolledBack], [
        "indeterminate",
        "ROLLBACK_FAILED",
        false,
      ]);
      assert.match(error.detail.hint ?? "", /peipkg recover/, "T-FAIL-02");
      assert.match(error.detail.lines?.[0] ?? "", /durable/, "T-ROLL-08: the cause comes first");
      assert.equal(pendingTransaction(world.database)?.isIndeterminate, true);
      // FP-71, T-INDET-08: when the cause is gone, the operator's recover completes.
      world.restart();
      const outcome = await resolveIndeterminate(world.recoveryContext(), "{}", () => assert.fail("nothing to ask"));
      assert.equal(outcome.kind, "rolled-back");
      assert.deepEqual(world.tree({ inodes: true }), before);
    });
  }
}

/** A world whose upgrade died before the given commit: 2 is the flip, 3 the boundary. */
async function diedAt(commit: number): Promise<World> {
  const world = await installed();
  const control = FaultControl.crashAt(commit, (call) => call === "db-commit");
  world.control(control);
  await upgrade(world).catch(() => {});
  assert.ok(control.hasFired);
  world.restart();
  return world;
}

Deno.test("FP-05, T-ROLL-07: recovery at a start that is refused is indeterminate; a full database only waits", async () => {
  {
    using world = await diedAt(3);
    refuse(world, "EROFS", (call) => call === "renameat2");
    const error = await failure(world.recover());
    assert.deepEqual([error.code, error.detail.rule], ["indeterminate", "ROLLBACK_FAILED"]);
    assert.equal(pendingTransaction(world.database)?.isIndeterminate, true);
  }
  using world = await diedAt(3);
  const { database } = world;
  const { begin } = Object.getPrototypeOf(database);
  Object.assign(database, {
    begin() {
      throw new PeipkgError("no-space", "the database is full", { rule: "DB_FULL" });
    },
  });
  const error = await failure(world.recover());
  assert.equal(error.detail.rule, "DB_FULL");
  assert.equal(pendingTransaction(database)?.isIndeterminate, false);
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"', "files are restored all the same");
  Object.assign(database, { begin });
  assert.equal((await world.recover()).kind, "rolled-back");
});

Deno.test("T-ROLL-20, T-ROLL-21, T-ROLL-22: before the flip only temporary names are taken away", async () => {
  using world = await diedAt(2);
  assert.equal(temporaries(world).length > 3, true);
  world.edit("/usr/bin/app", "edited meanwhile");
  world.write({ "/usr/bin/more": "appeared meanwhile" });
  assert.equal((await world.recover()).kind, "rolled-back");
  assert.deepEqual(temporaries(world), []);
  assert.equal(world.tree()["/usr/bin/app"], 'file 0644 0:0 "edited meanwhile"');
  assert.equal(world.tree()["/usr/bin/more"], 'file 0644 0:0 "appeared meanwhile"');
});

Deno.test("T-PATH-08: what lay in a directory that is gone is gone; recovery goes on", async () => {
  using world = await diedAt(2);
  const staged = "/usr/share/app/new/b.peipkg-staged-2";
  assert.ok(world.tree()[staged] !== undefined);
  world.remove(staged);
  {
    using root = world.fileSystem.open("/");
    using parent = root.openDirectory("/usr/share/app");
    parent?.removeDirectory("new");
  }
  assert.equal((await world.recover()).kind, "rolled-back");
  assert.deepEqual(temporaries(world), []);
});

/** A world whose upgrade died right after its boundary, before any housekeeping. */
async function diedAfterCommit(): Promise<World> {
  const world = await installed();
  let isCommitted = false;
  const control: FaultControl = FaultControl.crashAt(1, (call) => {
    isCommitted ||= call !== "db-commit" && readTransaction(world.database, 2)?.state === "committed";
    return isCommitted;
  });
  world.control(control);
  await upgrade(world).catch(() => {});
  assert.ok(control.hasFired);
  world.restart();
  assert.deepEqual(unfinishedTransactions(world.database).map(({ id }) => id), [2]);
  return world;
}

Deno.test("FP-06, T-COMMIT-02: housekeeping that is refused again is a warning and stays due", async () => {
  using world = await diedAfterCommit();
  refuse(world, "EACCES", (call) => call === "renameat2" || call === "unlinkat");
  const outcome = await world.recover();
  assert.equal(outcome.kind, "nothing");
  assert.ok(outcome.warnings.some(({ rule }) => rule === "W_HOUSEKEEPING"));
  assert.equal(unfinishedTransactions(world.database).length, 1);
  world.restart();
  assert.deepEqual((await world.recover()).warnings, []);
  assert.deepEqual([temporaries(world), unfinishedTransactions(world.database)], [[], []]);
});

Deno.test("T-CLEAN-02, T-CLEAN-05: a staged object or directory that is still there goes with the housekeeping", async () => {
  using world = await diedAfterCommit();
  const [file, directory] = journalFiles(world.database, 2).flatMap(({ stagedPath }) => stagedPath ?? []);
  world.write({ [file ?? ""]: "left", [`${directory ?? ""}/`]: "" });
  assert.ok(world.tree()[file ?? ""] !== undefined && world.tree()[directory ?? ""] !== undefined);
  await world.recover();
  assert.deepEqual(temporaries(world), []);
});

Deno.test("T-NAME-04, T-INDET-06: names alone make nothing temporary", async () => {
  using world = await diedAfterCommit();
  const strangers = { "/usr/bin/x.peipkg-staged-2": "mine", "/usr/bin/y.peipkg-backup-1": "mine too" };
  world.write(strangers);
  await world.recover();
  assert.deepEqual(temporaries(world), Object.keys(strangers));
  const report = recoveryReport(world.recoveryContext());
  assert.deepEqual(report.strays.map(({ path }) => path), Object.keys(strangers));
});

Deno.test("T-COMMIT-14, T-COMMIT-15, T-COMMIT-16, T-COMMIT-17, T-CLEAN-04: audit, then housekeeping, then side effects, then the end", async () => {
  using world = new World({ tree: { "/usr/bin/ldconfig": { mode: 0o755, text: "tool" } } });
  const library = (version: string): PackageSpec => ({
    ...spec(version, { "/usr/lib/x86_64-peios/libapp.so.1": version }),
    sideEffects: ["ldconfig"],
  });
  await world.run([{ kind: "install", package: library("1.0-1") }]);
  const order: string[] = [];
  const note = (word: string): void => {
    if (order.at(-1) !== word) order.push(word);
  };
  let tools = world.system.tools.length;
  world.control(
    new FaultControl((_n, call, path) => {
      if (world.system.tools.length > tools) note("side effect");
      tools = world.system.tools.length;
      if (call === "db-commit") {
        const row = readTransaction(world.database, 2);
        note(row?.state === "committed" ? "database" : "boundary");
      }
      if (call === "renameat2" && path.includes("/retained/")) note("backup moved");
    }),
  );
  await world.run([{ kind: "upgrade", package: library("2.0-1") }], { audit: () => (note("audit"), true) });
  const after = order.slice(order.indexOf("audit"));
  assert.deepEqual(after.filter((word) => word !== "database"), ["audit", "backup moved", "side effect"]);
  assert.equal(after.at(-1), "database", "the end is recorded last");
  assert.deepEqual(unfinishedTransactions(world.database), []);
});

Deno.test("FP-56, FP-82, T-RETAIN-05: kept content that cannot be dropped is a warning and is dropped later", async () => {
  using world = await installed();
  await upgrade(world);
  const kept = retainedPaths(world.database, 2).length;
  assert.ok(kept > 0);
  refuse(world, "EIO", (call, path) => call === "unlinkat" && path.includes("/retained/2/"));
  const third = spec("3.0-1", { "/usr/bin/app": "third" });
  const report = await world.run([{ kind: "upgrade", package: third }], { keepTransactions: 1 });
  assert.equal(report.kind, "committed");
  assert.ok(report.warnings.some(({ rule, text }) => rule === "W_HOUSEKEEPING" && text.includes("transaction 2")));
  assert.equal(retainedPaths(world.database, 2).length, kept, "still on record");
  world.restart();
  const fourth = spec("4.0-1", { "/usr/bin/app": "fourth" });
  assert.deepEqual((await world.run([{ kind: "upgrade", package: fourth }], { keepTransactions: 1 })).warnings, []);
  assert.deepEqual(retainedPaths(world.database, 2), []);
  assert.equal(world.fileSystem.node("/var/lib/peipkg/retained/2"), undefined);
});

Deno.test("FP-66: events of a rolled back transaction that cannot be written are a warning, and replayed", async () => {
  using world = await installed();
  refuse(world, "EIO", (call) => call === "symlinkat" || (call === "create"));
  const error = await failure(upgrade(world, {
    audit: () => {
      throw new SystemCallError("ENOSPC", "write", "/var/log/peipkg/audit.jsonl");
    },
  }));
  assert.deepEqual([error.detail.rule, error.detail.rolledBack], ["FS_IO", true]);
  const warnings = world.session.events.flatMap((event) => event.kind === "warning" ? [event.warning.rule] : []);
  assert.deepEqual(warnings, ["AUDIT_WRITE_FAILED"]);
  world.restart();
  const replayed: [number, boolean][] = [];
  await finishHousekeeping({
    ...world.recoveryContext(),
    audit: (id, isReplay) => (replayed.push([id, isReplay]), true),
  });
  assert.deepEqual(replayed, [[2, true]]);
});

Deno.test("FP-80, T-UNDO-11: kept content that cannot be read is not used and is reported", async () => {
  for (const call of ["openat", "pread"]) {
    using world = await installed();
    await upgrade(world);
    refuse(world, "EIO", (name, path) => name === call && /\/retained\/2\/\d+$/.test(path));
    const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
    assert.equal(kept.contents.size, 0, call);
    assert.deepEqual([...new Set(kept.warnings.map(({ rule }) => rule))], ["W_RETAINED_CORRUPT"], call);
  }
});

Deno.test("FP-81, T-UNDO-06: an undo that fails is rolled back and may be tried again", async () => {
  using world = await installed();
  await upgrade(world);
  const before = state(world);
  const places = retainedPaths(world.database, 2);
  const undo = () => {
    const { contents } = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
    return world.run([{ kind: "downgrade", package: OLD }], { kind: "undo", undoOf: 2, contents });
  };
  for (const [call, nth] of [["linkat", 1], ["syncfs", 1], ["renameat2", 2], ["syncfs", 2]] as const) {
    let seen = 0;
    refuse(world, "EIO", (name) => name === call && ++seen === nth);
    const error = await failure(undo());
    assert.equal(error.detail.rolledBack, true, `${call} ${nth}`);
    assert.deepEqual(state(world), before, `${call} ${nth}`);
    assert.deepEqual(retainedPaths(world.database, 2), places, "kept content stays");
    world.restart();
  }
  await undo();
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
});
