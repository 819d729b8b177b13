/** Two and more real processes on one root: one writer at a time, readers never in the way. */
import assert from "node:assert/strict";
import { type CliResult, spawn } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { signalQuietly, type StreamEvent, watch, type WatchedResult } from "../support/watched_process.ts";

const many = (name: string): PackageSpec => ({
  name,
  version: "1.0-1",
  files: Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [`usr/share/${name}/${index}`, `${name} ${index}\n`]),
  ),
});
const NAMES = ["big", "one", "two", "three"];

/** A process stopped while it holds the lock; a test that fails does not leave it behind. */
interface StoppedInstall extends Disposable {
  readonly child: Deno.ChildProcess;
  readonly end: Promise<WatchedResult>;
}

/** Runs an install and stops the process (SIGSTOP) once its transaction is open. */
async function stoppedInstall(world: World): Promise<StoppedInstall> {
  const stopped = Promise.withResolvers<Deno.ChildProcess>();
  const onEvent = (event: StreamEvent, child: Deno.ChildProcess): void => {
    if (event.event !== "transaction") return;
    child.kill("SIGSTOP");
    stopped.resolve(child);
  };
  const end = watch(["--root", world.root, "install", "big", "--yes"], { cwd: world.directory, onEvent });
  const child = await Promise.race([
    stopped.promise,
    end.then(({ stderr }) => assert.fail(`no transaction: ${stderr}`)),
  ]);
  return { child, end, [Symbol.dispose]: () => signalQuietly(child, "SIGKILL") };
}

async function requireInstalled(world: World, names: readonly string[]): Promise<void> {
  const { stdout } = await world.expect(["--json", "list"]);
  assert.deepEqual(JSON.parse(stdout).map(({ name }: { name: string }) => name), [...names].sort());
  assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
}

/** Starts an install that waits for the lock, and calls back once it says so. */
async function waitingInstall(world: World, name: string, onWaiting: () => void): Promise<CliResult> {
  const child = spawn(["--root", world.root, "--lock-wait", "120", "install", name, "--yes"], { cwd: world.directory });
  const stdout = new Response(child.stdout).text();
  let stderr = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    const isNews = !stderr.includes("waiting for");
    stderr += text;
    if (isNews && stderr.includes("waiting for")) onWaiting();
  }
  return { status: (await child.status).code, stdout: await stdout, stderr };
}

Deno.test("T-LOCK-01, T-LOCK-05, T-LOCK-06, T-SIG-05: one writer at a time, stopped or not", async (t) => {
  await using world = await World.create();
  await world.publish(NAMES.map(many));
  await world.addRepository(world.serve().url);
  await world.expect(["install", "one", "--yes"]);
  await world.expect(["remove", "one", "--yes"]);

  await t.step("T-SIG-05, T-LOCK-05, T-LOCK-10, T-MODEL-08, T-MODEL-11: a stopped writer keeps the lock", async () => {
    using install = await stoppedInstall(world);
    const { child, end } = install;
    const refused = await world.expect(["--json", "install", "one", "--yes"], 1);
    const error = JSON.parse(refused.stdout.trimEnd().split("\n").at(-1) ?? "");
    assert.deepEqual([error.code, error.details.rule, error.rolled_back], ["busy", "LOCK_BUSY", false]);
    const told = await world.expect(["install", "one", "--yes"], 1);
    assert.match(told.stderr, new RegExp(`^peipkg: install: .*process ${child.pid}\\b`, "m"));
    const waited = await world.expect(["--lock-wait", "1", "install", "one", "--yes"], 1);
    assert.match(waited.stderr, new RegExp(`waiting for process ${child.pid}\\b`));
    const program = await world.expect(["--json", "--lock-wait", "1", "install", "one", "--yes"], 1);
    const messages = program.stdout.split("\n").filter((line) => line.includes('"event":"message"'));
    assert.deepEqual(messages.map((line) => JSON.parse(line).text), [`waiting for process ${child.pid} (install)`]);
    // Readers and dry runs see the committed state and wait for nobody.
    assert.equal((await world.expect(["list"])).stdout, "no packages are installed\n");
    assert.match((await world.expect(["install", "one", "--dry-run"])).stdout, /dry run/);
    assert.deepEqual((await world.expect(["list"])).stderr.includes("interrupted"), false, "T-RECOV-06: it lives");
    child.kill("SIGCONT");
    assert.equal((await end).status, 0);
    await requireInstalled(world, ["big"]);
    await world.expect(["remove", "big", "--yes"]);
  });

  await t.step("T-LOCK-05, T-RECOV-09: who waits goes on when the holder is done, with the same plan", async () => {
    using install = await stoppedInstall(world);
    const { child, end } = install;
    const second = await waitingInstall(world, "one", () => child.kill("SIGCONT"));
    assert.equal(second.status, 0, second.stderr);
    assert.equal((await end).status, 0);
    await requireInstalled(world, ["big", "one"]);
    await world.expect(["remove", "big", "one", "--yes"]);
  });

  await t.step(
    "T-LOCK-02, T-RECOV-01, C-SIG-06: the lock of a killed holder is free, and its work undone",
    async () => {
      using install = await stoppedInstall(world);
      const { child, end } = install;
      const second = await waitingInstall(world, "one", () => signalQuietly(child, "SIGKILL"));
      signalQuietly(child, "SIGKILL");
      await end;
      assert.equal(second.status, 0, second.stderr);
      assert.match(second.stderr, /^peipkg: warning: recovered: interrupted transaction \d+ was rolled back$/m);
      await requireInstalled(world, ["one"]);
      await world.expect(["remove", "one", "--yes"]);
    },
  );

  await t.step("T-PLAN-04: what changed while waiting makes the plan stale", async () => {
    using install = await stoppedInstall(world);
    const { child, end } = install;
    const second = await waitingInstall(world, "big", () => child.kill("SIGCONT"));
    assert.equal(second.status, 1);
    assert.match(second.stderr, /^peipkg: install: the system changed while waiting; run the command again$/m);
    assert.equal((await end).status, 0);
    await requireInstalled(world, ["big"]);
  });

  await t.step("T-LOCK-01, T-LOCK-09: writers started together all succeed, one after the other", async () => {
    const others = NAMES.slice(1);
    const results = await Promise.all(
      others.map((name) => world.peipkg(["--lock-wait", "120", "install", name, "--yes"])),
    );
    assert.deepEqual(results.map(({ status }) => status), [0, 0, 0], results.map(({ stderr }) => stderr).join(""));
    await requireInstalled(world, NAMES);
  });
});
