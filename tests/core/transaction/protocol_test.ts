/** The order of the steps, seen from outside: every call a transaction makes, in sequence. */
import assert from "node:assert/strict";
import { SystemCallError } from "../../../core/errors.ts";
import { readFile, readInstalledPackage } from "../../../core/store/installed.ts";
import { pendingTransaction } from "../../../core/store/pending.ts";
import { CHANGING_CALLS, FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, type RunOptions, type Step, World } from "./world.ts";

const OLD: PackageSpec = {
  name: "app",
  files: {
    "/usr/bin/app": "old",
    "/usr/bin/gone": "gone",
    "/usr/share/app/old/x": "x",
    "/usr/lib/x86_64-a-b/libapp.so": "1",
  },
};
const NEW: PackageSpec = {
  name: "app",
  version: "2.0-1",
  files: {
    "/usr/bin/app": "new",
    "/usr/bin/link": { link: "app" },
    "/usr/lib/x86_64-a-b/libapp.so": "2",
    "/usr/share/app/new/y": "y",
  },
};

interface Call {
  readonly call: string;
  readonly path: string;
}

async function traced(
  setup: readonly Step[],
  steps: readonly Step[],
  options: RunOptions = {},
  look: (world: World, call: Call) => void = () => {},
): Promise<{ readonly world: World; readonly calls: readonly Call[] }> {
  const world = new World();
  if (setup.length > 0) await world.run(setup);
  const calls: Call[] = [];
  world.control(
    new FaultControl((_n, call, path) => {
      if (!CHANGING_CALLS.has(call) && call !== "db-commit") return;
      look(world, { call, path });
      calls.push({ call, path });
    }),
  );
  await world.run(steps, options);
  return { world, calls };
}

const upgrade = () => traced([{ kind: "install", package: OLD }], [{ kind: "upgrade", package: NEW }]);
const names = (calls: readonly Call[]): string[] => calls.map(({ call }) => call);

Deno.test("T-COMMIT-04, T-COMMIT-05 to T-COMMIT-13: intent, directories, staging, shield, barrier, flip, renames, barrier, boundary", async () => {
  const { world, calls } = await upgrade();
  using _world = world;
  const order = names(calls);
  const commits = order.flatMap((call, index) => call === "db-commit" ? [index] : []);
  const [intent = -1, flip = -1, boundary = -1] = commits;
  assert.equal(intent, 0, "T-COMMIT-05: nothing is touched before the journal is durable");
  const staging = order.slice(intent + 1, flip);
  const applying = order.slice(flip + 1, boundary);
  assert.ok(staging.lastIndexOf("mkdirat") < staging.indexOf("create"), "T-COMMIT-06 before T-COMMIT-07");
  assert.ok(staging.lastIndexOf("create") < staging.indexOf("linkat"), "T-COMMIT-07 before T-COMMIT-08");
  assert.ok(staging.lastIndexOf("symlinkat") < staging.indexOf("linkat"));
  assert.equal(staging.at(-1), "syncfs", "T-COMMIT-09: the barrier is last before the flip of T-COMMIT-10");
  assert.equal(staging.includes("renameat2"), false, "T-COMMIT-08: final paths do not change");
  assert.deepEqual([...new Set(applying)], ["renameat2", "syncfs"], "T-COMMIT-11");
  assert.equal(applying.at(-1), "syncfs", "T-COMMIT-12: the second barrier is last before the boundary");
});

Deno.test("T-COMMIT-20, T-COMMIT-25: new things appear first, old things leave last", async () => {
  const { world, calls } = await upgrade();
  using _world = world;
  const flip = calls.map(({ call }) => call).indexOf("db-commit", 1);
  const renames = calls.slice(flip + 1).filter(({ call }) => call === "renameat2").map(({ path }) => path);
  assert.deepEqual(renames.slice(0, 6), [
    "/usr/bin/link",
    "/usr/share/app/new/y",
    "/usr/bin/app",
    "/usr/lib/x86_64-a-b/libapp.so",
    "/usr/bin/gone.peipkg-backup-2",
    "/usr/share/app/old/x.peipkg-backup-2",
  ]);
});

Deno.test("T-STAGE-04, T-MODEL-09: staged content is private until it is complete", async () => {
  let modes: number[] = [];
  const { world } = await traced([], [{ kind: "install", package: OLD }], {}, (world, { call, path }) => {
    if (call === "write" || call === "fchown") modes.push(world.fileSystem.node(path)?.mode ?? 0);
  });
  using _world = world;
  modes = [...new Set(modes)];
  assert.deepEqual(modes, [0o600]);
});

Deno.test("T-STAGE-07: names a scanner picks up are staged last", async () => {
  const { world, calls } = await traced([], [{ kind: "install", package: OLD }]);
  using _world = world;
  const created = calls.filter(({ call }) => call === "create").map(({ path }) => path);
  assert.equal(created.at(-1), "/usr/lib/x86_64-a-b/libapp.so.peipkg-staged-1");
});

Deno.test("T-STAGE-05, T-MODE-04: links are made, given away and dated without being opened", async () => {
  const { world, calls } = await upgrade();
  using _world = world;
  const about = calls.filter(({ path }) => path === "/usr/bin/link.peipkg-staged-2").map(({ call }) => call);
  assert.deepEqual(about, ["symlinkat", "fchownat", "utimensat"]);
});

Deno.test("T-STAGE-06: a directory that appears meanwhile is used and not taken away", async () => {
  const { world } = await traced([], [{ kind: "install", package: OLD }], {}, (world, { call, path }) => {
    if (call === "mkdirat" && path === "/usr/share" && world.fileSystem.node(path) === undefined) {
      world.write({ "/usr/share/": { mode: 0o700 } });
    }
  });
  using _world = world;
  assert.equal(world.tree()["/usr/share"], "dir 0700 0:0");
});

Deno.test("T-ROLL-05: a created directory somebody put something into stays, with a warning", async () => {
  using world = new World();
  world.control(
    new FaultControl((_n, call, path) => {
      if (call !== "syncfs" || world.fileSystem.node("/usr/share/app/mine") !== undefined) return;
      world.write({ "/usr/share/app/mine": "mine" });
      throw new SystemCallError("EIO", call, path);
    }),
  );
  await assert.rejects(world.run([{ kind: "install", package: OLD }]));
  assert.equal(world.tree()["/usr/share/app/mine"], 'file 0644 0:0 "mine"');
  assert.equal(world.tree()["/usr/share/app/old"], undefined);
  assert.equal(pendingTransaction(world.database), undefined);
  assert.ok(world.session.events.some((event) => event.kind === "warning" && event.warning.rule === "W_DIR_KEPT"));
});

Deno.test("T-COMMIT-40: where no barrier exists every file and directory is synced by itself", async () => {
  using world = new World({ withoutBarrier: true });
  const calls: Call[] = [];
  world.control(new FaultControl((_n, call, path) => void calls.push({ call, path })));
  await world.run([{ kind: "install", package: OLD }]);
  const synced = calls.filter(({ call }) => call === "fsync").map(({ path }) => path);
  for (const path of ["/usr/bin/app.peipkg-staged-1", "/usr/bin", "/usr/share/app/old"]) {
    assert.ok(synced.includes(path), path);
  }
  assert.equal(calls.some(({ call }) => call === "syncfs"), false);
});

Deno.test("T-DB-15, T-COMMIT-10: the journal names everything before it exists, inodes come with the flip", async () => {
  const seen: (number | undefined)[] = [];
  const { world } = await traced(
    [{ kind: "install", package: OLD }],
    [{ kind: "upgrade", package: NEW }],
    {},
    (world, { call, path }) => {
      if (call !== "create" && call !== "symlinkat" && call !== "linkat") return;
      const row = world.database.statement(
        "SELECT count(*) AS n, count(staged_ino) AS inodes FROM txn_file WHERE staged_path = ?1 OR backup_path = ?1",
      ).get(path);
      assert.equal(row?.n, 1, path);
      seen.push(Number(row?.inodes));
    },
  );
  using _world = world;
  assert.deepEqual([...new Set(seen)], [0]);
  const row = world.database.statement(
    "SELECT count(*) AS n FROM txn_file WHERE txn_id = 2 AND staged_path IS NOT NULL AND staged_ino IS NULL",
  ).get();
  assert.equal(row?.n, 0);
});

Deno.test("T-CLEAN-03: a place is recorded before anything moves there", async () => {
  let moves = 0;
  const { world } = await traced(
    [{ kind: "install", package: OLD }],
    [{ kind: "upgrade", package: NEW }],
    {},
    (world, { call, path }) => {
      if (call !== "renameat2" || !path.includes("/retained/2/")) return;
      moves++;
      const place = `state:${path.slice("/var/lib/peipkg/".length)}`;
      const row = world.database.statement("SELECT count(*) AS n FROM prior_file WHERE retained_path = ?").get(place);
      assert.equal(row?.n, 1, path);
    },
  );
  using _world = world;
  assert.equal(moves, 4);
});

Deno.test("T-CLEAN-06, T-DIFF-10, T-CLEAN-07: directories are reclaimed deepest first, then everything is synced", async () => {
  const { world, calls } = await traced([{ kind: "install", package: OLD }], [{ kind: "remove", name: "app" }]);
  using _world = world;
  const boundary = calls.map(({ call }) => call).lastIndexOf("renameat2");
  const removed = calls.slice(boundary).filter(({ call }) => call === "unlinkat").map(({ path }) => path);
  assert.deepEqual(removed, ["/usr/share/app/old", "/usr/share/app"]);
  assert.equal(world.tree()["/usr/lib/x86_64-a-b"], "dir 0755 0:0", "T-RM-07: a destination stays");
  const order = names(calls);
  assert.ok(order.lastIndexOf("unlinkat") < order.lastIndexOf("syncfs"));
  assert.deepEqual(order.slice(-2), ["syncfs", "db-commit"], "T-CLEAN-07: durable before cleanup_done");
});

Deno.test("FP-52, FP-53, FP-55: what cannot be cleared up is a warning and is done by the next start", async () => {
  for (const refused of ["unlinkat", "renameat2"]) {
    using world = new World();
    await world.run([{ kind: "install", package: OLD }]);
    let isCommitted = false;
    world.control(
      new FaultControl((_n, call, path) => {
        const isCleaning = call === refused && (path.includes("/retained/") || !path.includes(".peipkg-staged"));
        isCommitted ||= pendingTransaction(world.database) === undefined &&
          readInstalledPackage(world.database, "app") === undefined;
        if (isCommitted && isCleaning) throw new SystemCallError("EACCES", call, path);
        if (isCommitted && call === "unlinkat") throw new SystemCallError("EACCES", call, path);
      }),
    );
    const report = await world.run([{ kind: "remove", name: "app" }]);
    assert.equal(report.kind, "committed");
    assert.ok(report.warnings.some(({ rule }) => rule === "W_HOUSEKEEPING"), refused);
    world.restart();
    await world.recover(); // T-RECOV-03
    assert.deepEqual(
      Object.keys(world.tree()).filter((path) => path.includes(".peipkg-") || path === "/usr/share/app"),
      [],
    );
  }
});

Deno.test("T-SPACE-01, T-DIFF-11: only what is staged is charged", async () => {
  using world = new World();
  const big = "x".repeat(100_000);
  await world.run([{ kind: "install", package: { name: "app", files: { "/usr/bin/a": big, "/usr/bin/b": "1" } } }]);
  const margin = 32 * 1024 * 1024;
  world.fileSystem.setFileSystem(world.fileSystem.tree.root.device, { availableBytes: margin + 3 * 4096 });
  const next: PackageSpec = { name: "app", version: "2.0-1", files: { "/usr/bin/a": big, "/usr/bin/b": "2" } };
  await world.run([{ kind: "upgrade", package: next }]);
  await world.run([{ kind: "remove", name: "app" }]);
});

Deno.test("T-SPACE-07: a file system that does not answer is not taken for full", async () => {
  using world = new World();
  world.control(
    new FaultControl((_n, call, path) => {
      if (call === "fstatfs") throw new SystemCallError("ENOSYS", call, path);
    }),
  );
  const report = await world.run([{ kind: "install", package: { name: "app", files: { "/usr/bin/a": "a" } } }]);
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["W_SPACE_UNKNOWN"]);
});

Deno.test("T-DB-16, T-DB-20, T-CONV-02: an install records what it is and where it came from", async () => {
  using world = new World();
  await world.run([{ kind: "install", package: { name: "app", files: { "/usr/bin/a": "a" }, repository: null } }]);
  const found = readInstalledPackage(world.database, "app");
  assert.deepEqual([found?.version.raw, found?.origin, found?.installedAt, found?.installedTransaction], [
    "1.0-1",
    undefined,
    1_767_323_045,
    1,
  ]);
  assert.equal(readFile(world.database, "app", "/usr/bin")?.type, "dir");
});

Deno.test("T-SIG-07, T-ROLL-01: an exception in the program rolls back like any failure", async () => {
  using world = new World();
  const before = world.tree();
  world.control(
    new FaultControl((_n, call) => {
      if (call === "symlinkat") throw new TypeError("a defect");
    }),
  );
  const error = await world.run([{ kind: "install", package: NEW }]).catch((error) => error);
  assert.deepEqual([error.code, error.detail.rolledBack], ["internal", true]);
  assert.deepEqual(world.tree(), before);
});

Deno.test("T-STAGE-02, FP-24: content that is not what was verified is never left", async () => {
  using world = new World();
  const before = world.tree();
  const { content } = await import("./world.ts");
  const { ruleError } = await import("../../../core/errors.ts");
  const source = content(OLD);
  const contents = new Map([["app", {
    ...source,
    async replay(...args: Parameters<typeof source.replay>) {
      await source.replay(...args);
      throw ruleError("PKG_CHANGED", "the package changed");
    },
  }]]);
  const error = await world.run([{ kind: "install", package: OLD }], { contents }).catch((error) => error);
  assert.deepEqual([error.detail.rule, error.detail.rolledBack], ["PKG_CHANGED", true]);
  assert.deepEqual(world.tree(), before);
});
