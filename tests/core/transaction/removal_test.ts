import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { pendingTransaction } from "../../../core/store/pending.ts";
import type { TransactionInput } from "../../../core/transaction/input.ts";
import { isKeptDirectory } from "../../../core/transaction/removal.ts";
import { type PackageSpec, type RunOptions, World } from "./world.ts";
import { refusedBy } from "../../support/refusals.ts";

const APP: PackageSpec = {
  name: "app",
  files: { "/usr/bin/app": "app", "/etc/app.conf": "default", "/etc/app.d/more.conf": "more", "/usr/share/app/x": "x" },
};

async function installed(change: (world: World) => void = () => {}): Promise<World> {
  const world = new World();
  await world.run([{ kind: "install", package: APP }]);
  change(world);
  return world;
}

function answering(decision: "remove" | "abort"): TransactionInput["ask"] {
  return () => Promise.resolve({ kind: "modified", decision });
}

const remove = (world: World, options: RunOptions = {}) => world.run([{ kind: "remove", name: "app" }], options);

Deno.test("T-RM-04: an edited file without a decision refuses the removal and changes nothing", async () => {
  using world = await installed((world) => world.edit("/etc/app.conf", "mine"));
  const before = [world.tree({ inodes: true }), world.rows()];
  await assert.rejects(
    remove(world),
    (error: unknown) =>
      error instanceof PeipkgError && error.detail.rule === "MODIFIED_FILES" &&
      error.detail.paths?.[0]?.path === "/etc/app.conf",
  );
  assert.deepEqual([world.tree({ inodes: true }), world.rows()], before);
  assert.equal(pendingTransaction(world.database), undefined);
});

Deno.test("T-RM-04: kept on request, the edited file stays and is named", async () => {
  using world = await installed((world) => world.edit("/etc/app.conf", "mine"));
  const report = await remove(world, { modified: "keep" });
  assert.equal(world.tree()["/etc/app.conf"], 'file 0644 0:0 "mine"');
  assert.equal(world.tree()["/etc/app.d"], undefined);
  assert.deepEqual(report.files, [{ kind: "left", path: "/etc/app.conf", package: "app", place: undefined }]);
});

Deno.test("T-RM-04, A-AUTH-04: removed on request, the decision is recorded with its channel", async () => {
  const cases: readonly (readonly [RunOptions, string])[] = [
    [{ modified: "remove" }, "flag"],
    [{ modifiedDecisions: new Map([["/etc/app.conf", "remove"]]) }, "tty"],
    [{ ask: answering("remove") }, "tty"],
  ];
  for (const [options, method] of cases) {
    using world = await installed((world) => world.edit("/etc/app.conf", "mine"));
    await remove(world, options);
    assert.equal(world.tree()["/etc/app.conf"], undefined);
    const rows = world.database.statement("SELECT action_code, subject, method FROM authorisation").all();
    assert.deepEqual(rows.map((row) => ({ ...row })), [{
      action_code: "modified-remove",
      subject: "/etc/app.conf",
      method,
    }]);
  }
});

Deno.test("T-RM-04: an abort cancels without a trace", async () => {
  const cases: readonly RunOptions[] = [{ modified: "abort" }, { ask: answering("abort") }];
  for (const options of cases) {
    using world = await installed((world) => world.edit("/etc/app.conf", "mine"));
    const before = world.tree();
    const report = await remove(world, options);
    assert.deepEqual([report.kind, report.cancelReason, report.transaction], [
      "cancelled",
      "modified-abort",
      undefined,
    ]);
    assert.deepEqual(world.tree(), before);
  }
});

Deno.test("T-RM-03: a link in place of a configuration file is an edit, elsewhere content does not matter", async () => {
  using world = await installed((world) => {
    world.edit("/usr/bin/app", "changed");
    world.remove("/etc/app.conf");
    world.write({ "/etc/app.conf": { link: "elsewhere" } });
  });
  const report = await remove(world, { modified: "keep" });
  assert.deepEqual(report.files.map(({ kind, path }) => [kind, path]), [["left", "/etc/app.conf"]]);
  assert.equal(world.tree()["/usr/bin/app"], undefined);
});

Deno.test("T-RM-06: what is gone already or became a directory is reported, not an error", async () => {
  using world = await installed((world) => {
    world.remove("/usr/bin/app");
    world.remove("/usr/share/app/x");
    world.write({ "/usr/share/app/x/inside": "mine" });
  });
  const report = await remove(world);
  assert.deepEqual(report.files.map(({ kind, path }) => [kind, path]).sort(), [
    ["already-absent", "/usr/bin/app"],
    ["not-removed", "/usr/share/app/x"],
  ]);
  assert.equal(world.tree()["/usr/share/app/x/inside"], 'file 0644 0:0 "mine"');
});

Deno.test("T-RM-07: a directory another package owns, or that is not empty, stays", async () => {
  using world = await installed();
  await world.run([{ kind: "install", package: { name: "other", files: { "/usr/share/app/": "" } } }]);
  world.write({ "/etc/app.d/mine": "mine" });
  await remove(world);
  assert.equal(world.tree()["/usr/share/app"], "dir 0755 0:0");
  assert.equal(world.tree()["/etc/app.d/mine"], 'file 0644 0:0 "mine"');
});

Deno.test("T-RM-07: isKeptDirectory() knows the destinations and what lies above them", () => {
  for (const path of ["/", "/usr", "/usr/lib", "/usr/lib/x86_64-peios-gnu", "/etc", "/usr/lib/modules"]) {
    assert.equal(isKeptDirectory(path), true, path);
  }
  for (const path of ["/usr/share/app", "/etc/app.d", "/usr/lib/x86_64-peios-gnu/app"]) {
    assert.equal(isKeptDirectory(path), false, path);
  }
});

Deno.test("T-PATH-02, T-PATH-10: a link on the way to a path fails, nothing is followed", async () => {
  using world = await installed((world) => {
    world.remove("/usr/share/app/x");
    using root = world.fileSystem.open("/");
    using share = root.openDirectory("/usr/share");
    share?.removeDirectory("app");
    world.write({ "/srv/target/x": "not ours", "/usr/share/app": { link: "../../srv/target" } });
  });
  const before = world.tree();
  await assert.rejects(
    remove(world),
    refusedBy("PATH_SYMLINK"),
  );
  assert.deepEqual(world.tree(), before);
});
