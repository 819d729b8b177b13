import assert from "node:assert/strict";
import { type ErrorRule, PeipkgError, ruleError, SystemCallError } from "../../../core/errors.ts";
import { Database } from "../../../core/store/database.ts";
import { readTransaction } from "../../../core/store/history.ts";
import { pendingTransaction } from "../../../core/store/pending.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, World } from "./world.ts";

const spec = (version: string, files: PackageSpec["files"]): PackageSpec => ({ name: "app", version, files });
const OLD = spec("1.0-1", { "/usr/bin/app": "old", "/usr/bin/gone": "gone", "/usr/share/app/l": { link: "x" } });
const NEW = spec("2.0-1", { "/usr/bin/app": "new", "/usr/bin/more": "more", "/usr/share/app/l": { link: "y" } });

async function upgradeFails(
  arrange: (world: World) => void,
  signal?: AbortSignal,
): Promise<{ readonly world: World; readonly error: PeipkgError; readonly isBefore: boolean }> {
  const world = new World();
  await world.run([{ kind: "install", package: OLD }]);
  const before = [world.tree({ inodes: true, times: true }), world.rows()];
  arrange(world);
  const error = await world.run([{ kind: "upgrade", package: NEW }], signal === undefined ? {} : { signal }).then(
    () => assert.fail("did not fail"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof PeipkgError, String(error));
  const after = [world.tree({ inodes: true, times: true }), world.rows()];
  return { world, error, isBefore: JSON.stringify(after) === JSON.stringify(before) };
}

/** Refuses the first call of a kind on a matching path. */
function refusing(call: string, errno: string, matches: RegExp): (world: World) => void {
  return (world) => world.control(FaultControl.failAt(1, errno, (name, path) => name === call && matches.test(path)));
}

const CELLS: readonly (readonly [point: string, call: string, path: RegExp, errno: string, rule: ErrorRule])[] = [
  ["FP-20", "mkdirat", /./, "ENOSPC", "DISK_SPACE"],
  ["FP-22", "create", /staged/, "ENOSPC", "DISK_SPACE"],
  ["FP-22", "create", /staged/, "EACCES", "NOT_PERMITTED"],
  ["FP-22", "create", /staged/, "EIO", "FS_IO"],
  ["FP-22, T-STAGE-01", "create", /staged/, "EEXIST", "STAGE_EXISTS"],
  ["FP-23", "write", /staged/, "EDQUOT", "DISK_SPACE"],
  ["FP-23", "write", /staged/, "EIO", "FS_IO"],
  ["FP-25", "fchmod", /staged/, "EROFS", "NOT_PERMITTED"],
  ["FP-26", "symlinkat", /staged/, "ENOSPC", "DISK_SPACE"],
  ["FP-26", "symlinkat", /staged/, "EPERM", "NOT_PERMITTED"],
  ["FP-27", "linkat", /backup/, "ENOSPC", "DISK_SPACE"],
  ["FP-27", "linkat", /backup/, "EIO", "FS_IO"],
  ["FP-28, T-COMMIT-41", "syncfs", /./, "EIO", "FSYNC_FAILED"],
  ["FP-28", "syncfs", /./, "ENOSPC", "FSYNC_FAILED"],
  ["FP-31", "renameat2", /more$/, "ENOSPC", "DISK_SPACE"],
  ["FP-31, T-COMMIT-21", "renameat2", /more$/, "EEXIST", "PATH_APPEARED"],
  ["FP-32", "renameat2", /app$/, "EIO", "FS_IO"],
  ["FP-34", "renameat2", /gone\.peipkg-backup/, "EACCES", "NOT_PERMITTED"],
];

for (const [point, call, path, errno, rule] of CELLS) {
  Deno.test(`${point}: ${errno} from ${call} at ${path.source} rolls back with ${rule}`, async () => {
    const files = { ...NEW.files, "/usr/share/new/dir/x": "x" };
    const world = new World();
    using _world = world;
    await world.run([{ kind: "install", package: OLD }]);
    const before = [world.tree({ inodes: true, times: true }), world.rows()];
    refusing(call, errno, path)(world);
    const error = await world.run([{ kind: "upgrade", package: { ...NEW, files } }]).catch((error) => error);
    assert.ok(error instanceof PeipkgError, String(error));
    assert.deepEqual([error.detail.rule, error.detail.rolledBack, error.detail.transaction], [rule, true, 2]);
    assert.deepEqual([world.tree({ inodes: true, times: true }), world.rows()], before);
    const record = readTransaction(world.database, 2);
    assert.deepEqual([record?.state, record?.failureCode], ["rolled-back", rule]);
    world.restart();
    await world.run([{ kind: "upgrade", package: NEW }]); // T-FAIL-01: the next one works
  });
}

Deno.test("FP-27, T-COMMIT-23: where links are refused the two-step rename does", async () => {
  for (const errno of ["EPERM", "EACCES", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"]) {
    using world = new World();
    await world.run([{ kind: "install", package: OLD }]);
    world.control(
      new FaultControl((_n, call, path) => {
        if (call === "linkat") throw new SystemCallError(errno, call, path);
      }),
    );
    await world.run([{ kind: "upgrade", package: NEW }]);
    assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "new"', errno);
  }
});

Deno.test("T-COMMIT-22, T-DIFF-14: a replaced path is never absent", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: OLD }]);
  let looks = 0;
  world.control(
    new FaultControl(() => {
      looks++;
      assert.ok(world.fileSystem.node("/usr/bin/app") !== undefined);
      assert.ok(world.fileSystem.node("/usr/share/app/l") !== undefined);
    }),
  );
  await world.run([{ kind: "upgrade", package: NEW }]);
  assert.ok(looks > 20);
});

Deno.test("T-COMMIT-24: a file changed after it was examined is not displaced", async () => {
  for (const call of ["linkat", "renameat2"]) {
    const { world, error } = await upgradeFails((world) => {
      let done = false;
      world.control(
        new FaultControl((_n, name) => {
          if (done || name !== (call === "linkat" ? "symlinkat" : "linkat")) return;
          done = true;
          world.edit(call === "linkat" ? "/usr/bin/app" : "/usr/bin/gone", "somebody else's");
        }),
      );
    });
    using _world = world;
    assert.equal(error.detail.rule, "PATH_CHANGED");
    const path = call === "linkat" ? "/usr/bin/app" : "/usr/bin/gone";
    assert.equal(world.tree()[path], 'file 0644 0:0 "somebody else\'s"');
  }
});

Deno.test("FP-36, T-COMMIT-27: a staged object that was exchanged is noticed and not left in place", async () => {
  const { world, error, isBefore } = await upgradeFails((world) => {
    let done = false;
    world.control(
      new FaultControl((_n, call, path) => {
        if (done || call !== "renameat2" || !path.endsWith("/more")) return;
        done = true;
        world.edit("/usr/bin/more.peipkg-staged-2", "evil");
      }),
    );
  });
  using _world = world;
  assert.deepEqual([error.detail.rule, error.detail.rolledBack], ["STAGED_TAMPERED", true]);
  assert.ok(isBefore);
});

Deno.test("T-SIG-01, T-COMMIT-29, C-SIG-02: a signal before the boundary rolls back", async () => {
  for (const phase of ["create", "linkat", "renameat2"]) {
    const controller = new AbortController();
    const { world, error, isBefore } = await upgradeFails((world) => {
      world.control(
        new FaultControl((_n, call) => {
          if (call === phase) controller.abort(ruleError("CANCELLED", "interrupted", { signal: 15 }));
        }),
      );
    }, controller.signal);
    using _world = world;
    assert.deepEqual([error.code, error.detail.rule, error.detail.signal, error.detail.rolledBack], [
      "interrupted",
      "CANCELLED",
      15,
      true,
    ]);
    assert.ok(isBefore, phase);
  }
});

Deno.test("T-SIG-02, T-SIG-03: a signal once COMMIT was issued changes nothing but a flag", async () => {
  using world = new World();
  const controller = new AbortController();
  let commits = 0;
  world.control(
    new FaultControl((_n, call) => {
      if (call === "db-commit" && ++commits === 3) {
        controller.abort(ruleError("CANCELLED", "interrupted", { signal: 2 }));
      }
    }),
  );
  const report = await world.run([{ kind: "install", package: NEW }], { signal: controller.signal });
  assert.equal(report.interruptedAfterCommit, true);
  assert.equal(readTransaction(world.database, 1)?.state, "committed");
});

/** Makes the `n`th commit fail as told, really committing first when `commits`. */
function failCommit(
  world: World,
  n: number,
  kind: "not-committed" | "unknown",
  rule: ErrorRule,
  commits: boolean,
): void {
  const { database } = world;
  let count = 0;
  Object.assign(database, {
    commit() {
      if (++count !== n) return Database.prototype.commit.call(database);
      if (commits) Database.prototype.commit.call(database);
      return { kind, error: ruleError(rule, "the database failed") };
    },
  });
}

Deno.test("FP-39, T-COMMIT-43: a full database at the boundary rolls back", async () => {
  const { world, error, isBefore } = await upgradeFails((world) =>
    failCommit(world, 3, "not-committed", "DB_FULL", false)
  );
  using _world = world;
  assert.deepEqual([error.detail.rule, error.detail.rolledBack], ["DB_FULL", true]);
  assert.ok(isBefore);
});

Deno.test("FP-39, T-COMMIT-44: an unknown outcome touches nothing, the next start decides either way", async () => {
  for (const commits of [false, true]) {
    let atFailure: Record<string, string> = {};
    const { world, error } = await upgradeFails((world) => {
      failCommit(world, 3, "unknown", "DB_IO", commits);
      const inner = world.database.commit.bind(world.database);
      Object.assign(world.database, {
        commit() {
          const outcome = inner();
          if (outcome.kind === "unknown") atFailure = world.tree({ inodes: true });
          return outcome;
        },
      });
    });
    using _world = world;
    assert.equal(error.detail.rule, "TXN_OUTCOME_UNKNOWN");
    assert.deepEqual(world.tree({ inodes: true }), atFailure);
    world.restart();
    const outcome = await world.recover();
    assert.equal(outcome.kind, commits ? "nothing" : "rolled-back");
    assert.equal(world.tree()["/usr/bin/app"], `file 0755 0:0 "${commits ? "new" : "old"}"`);
    assert.deepEqual(Object.keys(world.tree()).filter((path) => path.includes(".peipkg-")), []);
  }
});

Deno.test("FP-29: a flip whose outcome is unknown leaves everything to the next start", async () => {
  const { world, error } = await upgradeFails((world) => failCommit(world, 2, "unknown", "DB_IO", true));
  using _world = world;
  assert.equal(error.detail.rule, "DB_IO");
  assert.equal(pendingTransaction(world.database)?.phase, "applying");
  world.restart();
  await world.recover();
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
});

Deno.test("FP-12, FP-13: a journal that cannot be written leaves nothing", async () => {
  const { world, error, isBefore } = await upgradeFails((world) =>
    failCommit(world, 1, "not-committed", "DB_FULL", false)
  );
  using _world = world;
  assert.equal(error.detail.rule, "DB_FULL");
  assert.equal(error.detail.rolledBack, undefined);
  assert.ok(isBefore);
  assert.equal(readTransaction(world.database, 2), undefined, "T-HIST-03");
});

Deno.test("FP-65, T-ROLL-07: when only the closing write fails the files are restored and the row waits", async () => {
  const { world, error } = await upgradeFails((world) => {
    world.control(FaultControl.failAt(1, "EIO", (call, path) => call === "create" && path.includes("staged")));
    failCommit(world, 2, "not-committed", "DB_FULL", false);
  });
  using _world = world;
  assert.equal(error.detail.rule, "DB_FULL");
  assert.equal(pendingTransaction(world.database)?.isIndeterminate, false);
  assert.equal(world.tree()["/usr/bin/app"], 'file 0755 0:0 "old"');
  world.restart();
  assert.equal((await world.recover()).kind, "rolled-back");
});

Deno.test("FP-50, A-EVENT-23, T-CLEAN-01: events that could not be written are replayed at the next start", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: OLD }], { audit: () => false });
  const replayed: [number, boolean][] = [];
  const { recoverPending } = await import("../../../core/transaction/recover.ts");
  await recoverPending({
    ...world.recoveryContext(),
    audit: (id, isReplay) => {
      replayed.push([id, isReplay]);
      return true;
    },
  });
  assert.deepEqual(replayed, [[1, true]]);
  await world.recover();
});
