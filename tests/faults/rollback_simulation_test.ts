/**
 * The exhaustive simulation of the decision tables (T-ROLL-48), run against the real code: every kind of operation,
 * a crash before every changing call of the transaction, up to two crashes before every changing call of its
 * rollback, then a complete run.
 */
import assert from "node:assert/strict";
import { SystemCallError } from "../../core/errors.ts";
import { pendingTransaction } from "../../core/store/pending.ts";
import { type PackageSpec, World } from "../core/transaction/world.ts";
import { CHANGING_CALLS, CrashError, FaultControl } from "../support/fault_root.ts";
import { BUDGET } from "./laboratory.ts";
import type { MemoryFileSystem } from "../support/memory_root.ts";

interface Case {
  readonly name: string;
  readonly before: PackageSpec | undefined;
  readonly after: PackageSpec;
  /** `linkat` is refused, as on a file system without hard links. */
  readonly withoutLinks?: boolean;
  /** Somebody puts an object there between the crash and recovery, when the path is free. */
  readonly newcomer?: string;
  readonly claims?: boolean;
}

const spec = (files: PackageSpec["files"], version: string): PackageSpec => ({ name: "sim", version, files });
const role = (target: string, version: string): PackageSpec => ({
  ...spec({ [target]: "program" }, version),
  provides: { role: { slot: { target, path: "/usr/bin/role" } } },
});

const CASES: readonly Case[] = [
  { name: "create", before: undefined, after: spec({ "/usr/bin/f": "new" }, "2.0-1") },
  {
    name: "create with a newcomer",
    before: undefined,
    after: spec({ "/usr/bin/f": "new" }, "2.0-1"),
    newcomer: "/usr/bin/f",
  },
  { name: "create in a new directory", before: undefined, after: spec({ "/usr/share/sim/f": "new" }, "2.0-1") },
  { name: "replace", before: spec({ "/usr/bin/f": "old" }, "1.0-1"), after: spec({ "/usr/bin/f": "new" }, "2.0-1") },
  {
    name: "replace without links",
    before: spec({ "/usr/bin/f": "old" }, "1.0-1"),
    after: spec({ "/usr/bin/f": "new" }, "2.0-1"),
    withoutLinks: true,
  },
  {
    name: "replace a link",
    before: spec({ "/usr/bin/f": { link: "old" } }, "1.0-1"),
    after: spec({ "/usr/bin/f": { link: "new" } }, "2.0-1"),
  },
  {
    name: "directory by file",
    before: spec({ "/usr/bin/f/x": "old" }, "1.0-1"),
    after: spec({ "/usr/bin/f": "new" }, "2.0-1"),
  },
  {
    name: "file by directory",
    before: spec({ "/usr/bin/f": "old" }, "1.0-1"),
    after: spec({ "/usr/bin/f/x": "new" }, "2.0-1"),
  },
  {
    name: "remove",
    before: spec({ "/usr/bin/f": "old", "/usr/bin/k": "k" }, "1.0-1"),
    after: spec({ "/usr/bin/k": "k" }, "2.0-1"),
  },
  { name: "repoint", before: role("/usr/bin/one", "1.0-1"), after: role("/usr/bin/two", "2.0-1"), claims: true },
];

/** Every second crash in the full run, one in four otherwise. */
const STRIDE = BUDGET > 1 ? 1 : 4;

const isStep = (call: string): boolean => CHANGING_CALLS.has(call) || call === "db-commit";

/** Dies before the `n`th step; refuses links where there are none. */
function control(n: number, withoutLinks: boolean): FaultControl {
  let steps = 0;
  const fault: FaultControl = new FaultControl((_n, call, path) => {
    if (isStep(call) && ++steps === n) {
      fault.hasFired = true;
      throw new CrashError(call, path);
    }
    if (withoutLinks && call === "linkat") throw new SystemCallError("EPERM", call, path);
  });
  return fault;
}

class Simulation {
  runs = 0;
  readonly #world: World;
  readonly #case: Case;
  #start: MemoryFileSystem | undefined;
  #saved: ReturnType<World["save"]> | undefined;
  #before: Record<string, string> = {};
  #rows = "";

  constructor(world: World, item: Case) {
    this.#world = world;
    this.#case = item;
  }

  async prepare(): Promise<void> {
    const { before } = this.#case;
    if (before !== undefined) await this.#world.run([{ kind: "install", package: before }]);
    void this.#world.database;
    this.#world.fileSystem.tree.syncAll();
    this.#start = this.#world.fileSystem;
    this.#before = this.#world.tree({ inodes: this.#case.claims !== true });
    this.#rows = this.#world.rows();
    this.#saved = this.#world.save();
  }

  /** Runs the change until step `n`, then recovery until each given step, then recovery to its end. */
  async run(n: number, recoveries: readonly number[]): Promise<"done" | "change-ended" | "recovery-ended"> {
    const world = this.#world;
    if (this.#saved === undefined || this.#start === undefined) throw new Error("not prepared");
    world.load(this.#saved);
    world.fileSystem = this.#start;
    world.restart(0);
    const change = control(n, this.#case.withoutLinks === true);
    world.control(change);
    await this.#change().catch((error) => assert.ok(change.hasFired, String(error)));
    if (!change.hasFired) return "change-ended";
    world.restart();
    let newcomer = this.#arrive();
    for (const m of recoveries) {
      const fault = control(m, this.#case.withoutLinks === true);
      world.control(fault);
      await world.recover().catch((error) => assert.ok(fault.hasFired, String(error)));
      if (!fault.hasFired) return "recovery-ended";
      world.restart();
      newcomer ??= this.#arrive();
    }
    await world.recover();
    this.runs++;
    assert.equal(pendingTransaction(world.database), undefined);
    const { state } = world.database.statement("SELECT state FROM txn ORDER BY id DESC LIMIT 1").get() ?? {};
    if (state === "committed" && world.rows() !== this.#rows) return "done";
    const label = `${this.#case.name}: step ${n}, recovery at ${recoveries.join(" and ")}`;
    const found = world.tree({ inodes: this.#case.claims !== true });
    if (newcomer !== undefined) {
      assert.match(found[newcomer] ?? "", /"newcomer"$/, label);
      delete found[newcomer];
    }
    assert.deepEqual(found, this.#before, label);
    assert.equal(world.rows(), this.#rows, label);
    return "done";
  }

  #change(): Promise<unknown> {
    const { before, after } = this.#case;
    return this.#world.run([{ kind: before === undefined ? "install" : "upgrade", package: after }]);
  }

  #arrive(): string | undefined {
    const { newcomer } = this.#case;
    if (newcomer === undefined || this.#world.tree()[newcomer] !== undefined) return undefined;
    this.#world.write({ [newcomer]: "newcomer" });
    return newcomer;
  }
}

for (const item of CASES) {
  Deno.test(`T-ROLL-48, T-ROLL-04: ${item.name} is undone from every state a crash can leave`, async () => {
    using world = new World();
    const simulation = new Simulation(world, item);
    await simulation.prepare();
    for (let n = 1; await simulation.run(n, []) !== "change-ended"; n++) {
      for (let first = 1; await simulation.run(n, [first]) === "done"; first++) {
        for (let second = 1; await simulation.run(n, [first, second]) === "done"; second += STRIDE);
      }
    }
    assert.ok(simulation.runs > 20, `${simulation.runs} runs`);
  });
}
