/**
 * The crash laboratory: a change is stopped at every outside call, refused at every outside call, or loses power at
 * every outside call; a new process recovers, and the system must be exactly as before or exactly as after.
 */
import assert from "node:assert/strict";
import { PeipkgError, ruleError } from "../../core/errors.ts";
import { Database } from "../../core/store/database.ts";
import { unfinishedTransactions } from "../../core/store/journal.ts";
import { pendingTransaction } from "../../core/store/pending.ts";
import { World, type WorldOptions } from "../core/transaction/world.ts";
import { FaultControl } from "../support/fault_root.ts";
import type { MemoryFileSystem } from "../support/memory_root.ts";

/** One change and the state it starts from. */
export interface Scenario {
  readonly name: string;
  readonly world?: WorldOptions;
  readonly setup?: (world: World) => Promise<unknown>;
  readonly act: (world: World) => Promise<unknown>;
  /** A claim link is restored as a new link with the old text, not as the old object (T-ROLL-44). */
  readonly repoints?: boolean;
}

type Outcome = { readonly exact: Record<string, string>; readonly tree: Record<string, string>; readonly rows: string };

/** Cut points per scenario and kind: `PEIPKG_TEST_BUDGET` multiplies them. */
export const BUDGET = Number(Deno.env.get("PEIPKG_TEST_BUDGET") ?? "1");

/** A scenario made ready: its start can be repeated, and both of its legal endings are known. */
export class Laboratory implements Disposable {
  readonly world: World;
  readonly #start: MemoryFileSystem;
  readonly #saved: ReturnType<World["save"]>;
  readonly before: Outcome;
  readonly after: Outcome;
  /** Outside calls of the undisturbed change. */
  readonly calls: number;
  /** Cut points tried so far. */
  cuts = 0;

  private constructor(
    readonly scenario: Scenario,
    world: World,
    start: MemoryFileSystem,
    saved: ReturnType<World["save"]>,
    endings: { before: Outcome; after: Outcome; calls: number },
  ) {
    this.world = world;
    this.#start = start;
    this.#saved = saved;
    this.before = endings.before;
    this.after = endings.after;
    this.calls = endings.calls;
  }

  static async open(scenario: Scenario): Promise<Laboratory> {
    const world = new World(scenario.world);
    await scenario.setup?.(world);
    void world.database;
    world.fileSystem.tree.syncAll();
    const start = world.fileSystem;
    const before = observe(world);
    const saved = world.save();
    world.restart(0);
    const control = new FaultControl();
    world.control(control);
    await scenario.act(world);
    const after = observe(world);
    assert.notDeepEqual(after, before, `${scenario.name} changes something`);
    return new Laboratory(scenario, world, start, saved, { before, after, calls: control.calls });
  }

  /** Back to the start, under a control. */
  #begin(control: FaultControl): void {
    this.world.load(this.#saved);
    this.world.fileSystem = this.#start;
    this.world.restart(0);
    this.world.control(control);
    this.cuts++;
  }

  /** Runs the change until it dies at call `n`. */
  async #dieAt(n: number): Promise<void> {
    const control = FaultControl.crashAt(n);
    this.#begin(control);
    await this.scenario.act(this.world).catch((error: unknown) => {
      if (!control.hasFired) throw error;
    });
  }

  /** The process is killed before call `n`. */
  async crash(n: number): Promise<void> {
    await this.#dieAt(n);
    this.world.restart();
    await this.#recoverAndCompare(`crash at call ${n}`);
  }

  /** The power goes before call `n`; what was not synced survives as the seed decides. */
  async powerCut(n: number, seed: number): Promise<void> {
    await this.#dieAt(n);
    this.world.restart(seed);
    await this.#recoverAndCompare(`power cut at call ${n}, seed ${seed}`);
  }

  /** Killed before call `n`, and recovery killed before its call `m`. @returns false when recovery made fewer calls. */
  async crashTwice(n: number, m: number, seed?: number): Promise<boolean> {
    await this.#dieAt(n);
    this.world.restart(seed);
    const control = FaultControl.crashAt(m);
    this.world.control(control);
    await this.world.recover().catch((error: unknown) => {
      if (!control.hasFired) throw error;
    });
    if (!control.hasFired) return false;
    this.cuts++;
    this.world.restart(seed);
    await this.#recoverAndCompare(`crash at call ${n}, then at call ${m} of recovery, seed ${seed}`);
    return true;
  }

  /** Call `n` is refused once. */
  async refuse(n: number, errno: string): Promise<void> {
    const control = FaultControl.failAt(n, errno, (call) => !call.startsWith("db-"));
    this.#begin(control);
    const what = `${errno} at call ${n}`;
    let failure: unknown;
    try {
      await this.scenario.act(this.world);
    } catch (error) {
      failure = error;
    }
    if (failure !== undefined && !(failure instanceof PeipkgError)) {
      throw new Error(`${this.scenario.name}: ${what} escaped as ${String(failure)}`, { cause: failure });
    }
    // One refused call never leaves anything undecided: the rollback itself meets no other.
    assert.equal(pendingTransaction(this.world.database), undefined, `${this.scenario.name}: ${what}: pending`);
    if (failure !== undefined) this.#compare(what, this.before);
    this.world.restart();
    await this.#recoverAndCompare(what);
  }

  /**
   * The `n`th begin or commit of the database fails: a begin refuses, a commit fails for certain or with an unknown
   * outcome, the latter with or without having committed.
   */
  async refuseDatabase(n: number, kind: "certain" | "unknown" | "unknown-committed"): Promise<boolean> {
    this.#begin(new FaultControl());
    const { database } = this.world;
    let count = 0;
    const isHit = (): boolean => ++count === n;
    Object.assign(database, {
      begin() {
        if (isHit()) throw ruleError("DB_FULL", "the database is full");
        Database.prototype.begin.call(database);
      },
      commit() {
        if (!isHit()) return Database.prototype.commit.call(database);
        if (kind === "unknown-committed") Database.prototype.commit.call(database);
        const error = ruleError(kind === "certain" ? "DB_FULL" : "DB_IO", "the database failed");
        return { kind: kind === "certain" ? "not-committed" : "unknown", error };
      },
    });
    await this.scenario.act(this.world).catch((error: unknown) =>
      assert.ok(error instanceof PeipkgError, String(error))
    );
    if (count < n) return false;
    this.world.restart();
    await this.#recoverAndCompare(`database call ${n} ${kind}`);
    return true;
  }

  async #recoverAndCompare(what: string): Promise<void> {
    const { world, scenario } = this;
    try {
      await world.recover();
    } catch (error) {
      throw new Error(`${scenario.name}: ${what}: recovery failed: ${String(error)}`, { cause: error });
    }
    assert.equal(pendingTransaction(world.database), undefined, `${scenario.name}: ${what}: still pending`);
    assert.deepEqual(unfinishedTransactions(world.database), [], `${scenario.name}: ${what}: housekeeping is left`);
    const rows = world.rows();
    this.#compare(what, rows === this.after.rows ? this.after : this.before);
    assert.equal(world.fileSystem.openHandles >= 0, true);
  }

  #compare(what: string, expected: Outcome): void {
    const found = observe(this.world);
    const label = `${this.scenario.name}: ${what}: ${expected === this.after ? "as after" : "as before"}`;
    assert.deepEqual(found.tree, expected.tree, label);
    // What existed before is not only equal: it is the same object, with the same time (T-ROLL-06).
    if (expected === this.before && this.scenario.repoints !== true) {
      assert.deepEqual(found.exact, expected.exact, label);
    }
    assert.equal(found.rows, expected.rows, label);
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

/** Numbers from 1 to `count`, at most `limit` of them, evenly spread and always with both ends. */
export function spread(count: number, limit: number): readonly number[] {
  if (count <= limit) return Array.from({ length: count }, (_, index) => index + 1);
  return [...new Set(Array.from({ length: limit }, (_, index) => 1 + Math.round(index * (count - 1) / (limit - 1))))];
}

/** Descriptors beside the paths that have them. */
function securities(world: World): Record<string, string> {
  return Object.fromEntries(Object.entries(world.securities()).map(([path, text]) => [`${path} descriptor`, text]));
}

/** The tree without kept content: a backup that could not be kept is a notice, not a failure (T-RETAIN-04). */
function observe(world: World): Outcome {
  const lasting = (tree: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(tree).filter(([path]) => !path.includes("/.peipkg-retained")));
  return {
    tree: { ...lasting(world.tree()), ...securities(world) },
    exact: lasting(world.tree({ inodes: true, times: true })),
    rows: world.rows(),
  };
}
