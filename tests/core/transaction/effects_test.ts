import assert from "node:assert/strict";
import { openSideEffects } from "../../../core/store/journal.ts";
import { finishHousekeeping } from "../../../core/transaction/recover.ts";
import { TestSystem } from "../../support/fault_system.ts";
import { type PackageSpec, STARTED_AT, World, type WorldOptions } from "./world.ts";

const TOOLS = {
  "/usr/bin/ldconfig": { mode: 0o755, text: "tool" },
  "/usr/bin/depmod": { mode: 0o755, text: "tool" },
  "/usr/bin/mandb": { mode: 0o755, text: "tool" },
};

interface ToolWorld extends WorldOptions {
  /** Exit status of every tool. */
  readonly status?: number;
}

/** A tool's last words end in a byte that is no UTF-8, which reaches the edge as what stands for it (C-ESC-02). */
const SAID = Uint8Array.of(...new TextEncoder().encode("said so"), 0xff);

class EffectsWorld extends World {
  override readonly system: TestSystem;
  constructor(options: ToolWorld = {}) {
    super({ ...options, tree: { ...TOOLS, ...options.tree } });
    this.system = new TestSystem({
      now: STARTED_AT,
      runTool: () => ({ status: options.status ?? 0, timedOut: false, output: SAID }),
    });
    this.session = { ...this.session, system: this.system };
  }

  get ran(): readonly string[] {
    return this.system.tools.map(({ path, args }) => [path, ...args].join(" "));
  }
}

const spec = (files: PackageSpec["files"], sideEffects: NonNullable<PackageSpec["sideEffects"]> = []): PackageSpec => ({
  name: "app",
  files,
  sideEffects,
});

Deno.test("T-SIDE-02, T-SIDE-03: declared effects run once, after the boundary, in order", async () => {
  using world = new EffectsWorld();
  const effects = ["man-db", "ldconfig"] as const;
  await world.run([
    {
      kind: "install",
      package: spec({ "/usr/bin/app": "a", "/usr/lib/modules/6.1/x.ko": "m" }, [...effects, "depmod"]),
    },
    { kind: "install", package: { ...spec({ "/usr/bin/other": "o" }, [...effects]), name: "other" } },
  ]);
  assert.deepEqual(world.ran, ["/usr/bin/ldconfig", "/usr/bin/depmod 6.1", "/usr/bin/mandb -q"]);
  assert.deepEqual(openSideEffects(world.database), []);
});

Deno.test("T-RM-10, T-SIDE-02: effects are inferred from what is removed", async () => {
  using world = new EffectsWorld();
  const files = {
    "/usr/lib/x86_64-peios-gnu/libapp.so.1": "l",
    "/usr/share/man/man1/app.1": "m",
    "/usr/lib/modules/6.1/x.ko": "m",
    "/usr/lib/modules/6.2/x.ko": "m",
  };
  await world.run([{ kind: "install", package: spec(files) }]);
  assert.deepEqual(world.ran, ["/usr/bin/depmod 6.1", "/usr/bin/depmod 6.2"]);
  world.write({ "/usr/lib/modules/6.2/local.ko": "stays" });
  world.system.tools.length = 0;
  await world.run([{ kind: "remove", name: "app" }]);
  // Nothing is left of 6.1, so that there is nothing to index.
  assert.deepEqual(world.ran, ["/usr/bin/ldconfig", "/usr/bin/depmod 6.2", "/usr/bin/mandb -q"]);
});

Deno.test("T-SIDE-06: a kernel version that is none is not passed on", async () => {
  using world = new EffectsWorld();
  const report = await world.run([{ kind: "install", package: spec({ "/usr/lib/modules/-evil/x.ko": "m" }) }]);
  assert.deepEqual(world.ran, []);
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["SIDE_EFFECT_BAD_ARGUMENT"]);
});

Deno.test("T-SIDE-07: depmod without any module runs nothing", async () => {
  using world = new EffectsWorld();
  await world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["depmod"]) }]);
  assert.deepEqual(world.ran, []);
});

Deno.test("T-SIDE-04: for another root nothing runs; the system itself makes up for it", async () => {
  using world = new EffectsWorld();
  const report = await world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["ldconfig"]) }], {
    isSystemRoot: false,
  });
  assert.deepEqual(world.ran, []);
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["W_SIDE_EFFECTS_SKIPPED"]);
  assert.deepEqual(report.sideEffects, [{ effect: "ldconfig", argument: "", state: "skipped", detail: "other-root" }]);
  await world.recover();
  assert.deepEqual(world.ran, ["/usr/bin/ldconfig"]);
});

Deno.test("T-SIDE-04: skipped by the operator, an effect waits for an explicit recover", async () => {
  using world = new EffectsWorld();
  await world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["ldconfig"]) }], { sideEffects: "skip" });
  await world.recover();
  assert.deepEqual(world.ran, []);
  await finishHousekeeping(world.recoveryContext(), true);
  assert.deepEqual(world.ran, ["/usr/bin/ldconfig"]);
});

Deno.test("T-SIDE-09, FP-54: a tool that fails is a warning with its words; the transaction stands", async () => {
  using world = new EffectsWorld({ status: 3 });
  const report = await world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["ldconfig"]) }]);
  assert.equal(report.kind, "committed");
  assert.deepEqual(report.warnings, [{
    rule: "SIDE_EFFECT_FAILED",
    text: "side effect ldconfig failed: said so\udcff",
  }]);
});

Deno.test("T-SIDE-09, T-SIDE-03: a missing tool, or one others may write, is not run", async () => {
  for (const mode of [undefined, 0o775]) {
    using world = new EffectsWorld();
    world.remove("/usr/bin/ldconfig");
    if (mode !== undefined) world.write({ "/usr/bin/ldconfig": { mode, text: "tool" } });
    const report = await world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["ldconfig"]) }]);
    assert.deepEqual(world.ran, []);
    assert.deepEqual(report.warnings.map(({ rule }) => rule), ["SIDE_EFFECT_TOOL_MISSING"]);
  }
});

Deno.test("T-SIDE-10: what failed is retried by later transactions, three times, then by recover alone", async () => {
  using world = new EffectsWorld({ status: 1 });
  await world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["ldconfig"]) }]);
  const touch = async (version: string) => {
    await world.run([{ kind: "upgrade", package: { name: "app", version, files: { "/usr/bin/app": version } } }]);
  };
  await touch("2.0-1");
  await touch("3.0-1");
  assert.equal(world.ran.length, 3);
  await touch("4.0-1");
  assert.equal(world.ran.length, 3);
  await finishHousekeeping(world.recoveryContext(), true);
  assert.equal(world.ran.length, 4);
});

Deno.test("T-SIDE-11: a transaction that is rolled back runs nothing", async () => {
  using world = new EffectsWorld({ tree: { "/usr/bin/app": "mine" } });
  await assert.rejects(world.run([{ kind: "install", package: spec({ "/usr/bin/app": "a" }, ["ldconfig"]) }]));
  assert.deepEqual(world.ran, []);
});

Deno.test("T-CLEAN-04: no backup lies beside its place when the tools run", async () => {
  using world = new EffectsWorld();
  await world.run([{ kind: "install", package: spec({ "/usr/lib/x86_64-peios-gnu/liba.so.1": "1" }) }]);
  let seen: string[] = ["not run"];
  const system = new TestSystem({
    now: STARTED_AT,
    runTool: () => {
      seen = Object.keys(world.tree()).filter((path) => path.includes(".peipkg-"));
      return { status: 0, timedOut: false, output: new Uint8Array() };
    },
  });
  world.session = { ...world.session, system };
  const next = { ...spec({ "/usr/lib/x86_64-peios-gnu/liba.so.1": "2" }, ["ldconfig"]), version: "2.0-1" };
  await world.run([{ kind: "upgrade", package: next }]);
  assert.deepEqual(seen, []);
});
