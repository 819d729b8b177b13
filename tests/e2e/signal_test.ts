/**
 * Signals to the real process in every phase of a change, chosen by watching its events. Whatever the moment, the root
 * is then that of before or that of after, the exit status says which, and nothing is left to be recovered.
 */
import assert from "node:assert/strict";
import { spawn } from "../support/cli.ts";
import { snapshotDirectory } from "../support/directory_snapshot.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { signalQuietly, type StreamEvent, watch, type WatchedResult } from "../support/watched_process.ts";

const OWN = ["/var/lib/peipkg", "/var/log/peipkg"];
const STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Ending = keyof typeof STATUS;

const payload = (version: string): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: 240 }, (_, index) => [
      `usr/share/many/${index % 9}/file-${index}`,
      index % 3 === 0 ? `same ${index}\n` : `${version} ${index}\n`.repeat(100),
    ]),
  );
const OLD: PackageSpec = { name: "many", version: "1.0-1", files: { ...payload("one"), "etc/many.conf": "one\n" } };
const NEW: PackageSpec = { name: "many", version: "2.0-1", files: { ...payload("two"), "etc/many.conf": "two\n" } };

/** A root with the old version, a repository that offers the new one, and both trees to compare with. */
class SignalWorld implements AsyncDisposable {
  before: ReadonlyMap<string, string> = new Map();
  after: ReadonlyMap<string, string> = new Map();
  /** Called while a package is asked for; its end lets the server answer. */
  onDownload: (() => Promise<void>) | undefined;

  private constructor(readonly world: World) {}

  static async create(): Promise<SignalWorld> {
    const made = new SignalWorld(await World.create());
    const { world } = made;
    await world.publish([OLD]);
    const server = world.serve("main", async (path) => {
      if (path.endsWith(".peipkg")) await made.onDownload?.();
    });
    await world.addRepository(server.url);
    await world.expect(["install", "many", "--yes"]);
    await world.publish([NEW]);
    await world.expect(["refresh"]);
    made.before = await snapshotDirectory(world.root, OWN);
    await copyTree(world.root, `${world.directory}/saved`);
    await world.expect(["upgrade", "--yes"]);
    made.after = await snapshotDirectory(world.root, OWN);
    await made.reset();
    return made;
  }

  /** Back to the root with the old version, and nothing downloaded. */
  async reset(): Promise<void> {
    await Deno.remove(this.world.root, { recursive: true });
    await copyTree(`${this.world.directory}/saved`, this.world.root);
  }

  upgrade(onEvent: (event: StreamEvent, child: Deno.ChildProcess) => void = () => {}): Promise<WatchedResult> {
    const { world } = this;
    return watch(["--root", world.root, "upgrade", "--yes"], { cwd: world.directory, onEvent });
  }

  tree(): Promise<ReadonlyMap<string, string>> {
    return snapshotDirectory(this.world.root, OWN);
  }

  /** Either nothing happened and the status names the signal, or all of it did and the status is 0. */
  async requireOneOf(result: WatchedResult, signal: Ending): Promise<"interrupted" | "committed"> {
    const isInterrupted = result.status !== 0;
    assert.deepEqual(await this.tree(), isInterrupted ? this.before : this.after);
    if (isInterrupted) {
      const { last, events } = result;
      assert.deepEqual([result.status, last.event, last.code], [STATUS[signal], "error", "interrupted"]);
      const hasRow = events.some(({ event }) => event === "transaction");
      assert.equal(
        last.message,
        hasRow ? "interrupted; the transaction was rolled back" : "interrupted; nothing was changed",
      );
      assert.equal(last.rolled_back, hasRow);
    } else assert.equal(result.last.event, "done");
    const { stdout } = await this.world.expect(["recover"]);
    assert.equal(stdout, "no interrupted transaction to recover\n", "T-ROLL-01: nothing waits for the next start");
    return isInterrupted ? "interrupted" : "committed";
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-a", from, to] }).output();
  assert.ok(success);
}

/** A phase may be over when the signal arrives; so often is it tried to meet it. */
const ROUNDS = 6;
const PHASES: readonly (readonly [phase: string, signal: Ending])[] = [
  ["verify", "SIGTERM"],
  ["stage", "SIGINT"],
  ["apply", "SIGHUP"],
  ["commit", "SIGTERM"],
];

Deno.test("C-SIG-01…C-SIG-05, T-SIG-01…T-SIG-05, FP-09, FP-10: signals in every phase, in the real process", async (t) => {
  await using made = await SignalWorld.create();
  const { world } = made;

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    await t.step(`FP-09, C-SIG-02, C-SIG-08: ${signal} while a package is on its way`, async () => {
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<void>();
      made.onDownload = () => (asked.resolve(), answer.promise);
      const child = spawn(["--root", world.root, "upgrade", "--yes"], { cwd: world.directory });
      await asked.promise;
      child.kill(signal);
      const { code, stderr } = await child.output();
      answer.resolve();
      made.onDownload = undefined;
      assert.equal(code, STATUS[signal]);
      assert.match(new TextDecoder().decode(stderr), /^peipkg: upgrade: interrupted; nothing was changed$/m);
      assert.deepEqual(await made.tree(), made.before);
    });
  }

  for (const [phase, signal] of PHASES) {
    await t.step(`C-SIG-02, C-SIG-04, T-SIG-01: ${signal} at the event of phase ${phase}`, async () => {
      let outcome = "";
      for (let round = 0; round < ROUNDS && outcome !== "interrupted"; round++) {
        await made.reset();
        let isSent = false;
        const result = await made.upgrade((event, child) => {
          if (isSent || event.event !== "progress" || event.phase !== phase) return;
          isSent = true;
          signalQuietly(child, signal);
        });
        assert.ok(isSent, `the phase ${phase} was announced`);
        outcome = await made.requireOneOf(result, signal);
      }
      assert.equal(outcome, "interrupted", `one of ${ROUNDS} signals met the phase`);
    });
  }

  await t.step("T-SIG-04, C-SIG-03, T-ROLL-09: more signals do not hurry the rollback", async () => {
    await made.reset();
    let isSent = false;
    const result = await made.upgrade((event, child) => {
      if (event.event === "progress" && event.phase === "stage" && !isSent) {
        isSent = true;
        const again: readonly Ending[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGINT", "SIGTERM"];
        for (const signal of again) signalQuietly(child, signal);
      }
    });
    // The first signal noticed decides the status; the kernel may deliver different ones in any order.
    const first = (["SIGINT", "SIGTERM", "SIGHUP"] as const).find((signal) => STATUS[signal] === result.status);
    await made.requireOneOf(result, first ?? "SIGINT");
  });

  await t.step("T-SIG-03, C-SIG-05: after the commit instant the changes stand", async () => {
    await made.reset();
    const result = await made.upgrade((event, child) => {
      if (event.event === "committed") signalQuietly(child, "SIGTERM");
    });
    assert.equal(result.status, 0);
    assert.equal(await made.requireOneOf(result, "SIGTERM"), "committed");
    const warnings = result.events.filter(({ code }) => code === "committed-interrupted").map(({ text }) => text);
    assert.deepEqual(warnings, ["interrupted after the transaction had committed — the changes stand"]);
  });

  await t.step("T-SIG-05: SIGPIPE is ignored in every phase", async () => {
    await made.reset();
    const result = await made.upgrade((_event, child) => signalQuietly(child, "SIGPIPE"));
    assert.equal(result.status, 0);
    assert.equal(await made.requireOneOf(result, "SIGTERM"), "committed");
  });

  await t.step("T-COMMIT-45, C-OUT-03: losing the reader of its output never stops a transaction", async () => {
    await made.reset();
    const child = spawn(["--root", world.root, "--json", "upgrade", "--yes"], { cwd: world.directory });
    const errors = child.stderr.cancel();
    let seen = "";
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    while (!seen.includes('"phase":"stage"')) {
      const { value, done } = await reader.read();
      assert.equal(done, false);
      seen += value;
    }
    await reader.cancel();
    await errors;
    const { code } = await child.status;
    assert.deepEqual(await made.tree(), made.after);
    assert.equal(code, 0);
  });
});
