/**
 * The real process, killed with SIGKILL at random moments of install, upgrade and remove. After the next command the
 * tree is that of before or that of after, byte for byte, and `verify` is clean (T-MODEL-02, C-SIG-06).
 *
 * `PEIPKG_TEST_KILLS` sets how often (default 210), `PEIPKG_TEST_SEED` where the moments come from.
 */
import assert from "node:assert/strict";
import { spawn } from "../support/cli.ts";
import { snapshotDirectory } from "../support/directory_snapshot.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { signalQuietly } from "../support/watched_process.ts";

const KILLS = Number(Deno.env.get("PEIPKG_TEST_KILLS") ?? "210");
const SEED = Number(Deno.env.get("PEIPKG_TEST_SEED") ?? "1");
const OWN = ["/var/lib/peipkg", "/var/log/peipkg"];

function payload(version: string, files: number): Record<string, string> {
  const made: Record<string, string> = { "etc/many.conf": `version=${version}\n` };
  for (let index = 0; index < files; index++) {
    const folder = `usr/share/many/${index % 7}`;
    // Two files of three differ between the versions; the rest must stay untouched.
    made[`${folder}/file-${index}`] = index % 3 === 0 ? `same ${index}\n` : `${version} ${index}\n`.repeat(30);
  }
  return made;
}

const FIRST: PackageSpec = { name: "many", version: "1.0-1", files: payload("one", 120), dependencies: ["base"] };
const SECOND: PackageSpec = { name: "many", version: "2.0-1", files: payload("two", 140), dependencies: ["base"] };
const BASE: PackageSpec = { name: "base", version: "1.0-1", files: { "usr/share/base/x": "x\n" } };

/** xorshift32: the same seed, the same moments. */
function moments(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

interface Step {
  readonly args: readonly string[];
  readonly after: string;
}

Deno.test(`T-MODEL-02, T-SIG-06, C-SIG-06: ${KILLS} kills leave the old state or the new one`, async (t) => {
  await using world = await World.create();
  await world.publish([BASE, FIRST]);
  await world.addRepository(world.serve().url);
  const local = await world.pack(SECOND);
  const states = new Map<string, ReadonlyMap<string, string>>();
  await world.expect(["install", "many", "--yes"]);
  states.set("first", await snapshotDirectory(world.root, OWN));
  await world.expect(["install", local, "--yes"]);
  states.set("second", await snapshotDirectory(world.root, OWN));
  await world.expect(["remove", "many", "base", "--yes"]);
  // Taken now: destinations such as /usr/share stay once they are there (T-RM-07).
  states.set("empty", await snapshotDirectory(world.root, OWN));
  const next: Readonly<Record<string, Step>> = {
    empty: { args: ["install", "many", "--yes"], after: "first" },
    first: { args: ["install", local, "--yes"], after: "second" },
    second: { args: ["remove", "many", "base", "--yes"], after: "empty" },
  };
  const random = moments(SEED);
  // How long each step takes undisturbed, so that the moments spread over all of it.
  const durations = new Map<string, number>();
  for (const [state, step] of Object.entries(next)) {
    const started = performance.now();
    await world.expect(step.args);
    durations.set(state, performance.now() - started);
  }
  let state = "empty";
  let kills = 0;
  const reached = { before: 0, after: 0 };
  while (kills < KILLS) {
    const step = next[state];
    if (step === undefined) throw new Error(`no step from ${state}`);
    const child = spawn(["--root", world.root, ...step.args], { cwd: world.directory });
    const timer = setTimeout(() => signalQuietly(child, "SIGKILL"), random() * (durations.get(state) ?? 500) * 1.05);
    const output = await child.output();
    clearTimeout(timer);
    if (output.signal === "SIGKILL") kills++;
    // The next command recovers; a mark of nothing would write nothing, so `recover` is asked.
    const recovered = await world.peipkg(["recover"]);
    assert.equal(recovered.status, 0, `recover after ${step.args.join(" ")}: ${recovered.stderr}`);
    const found = await snapshotDirectory(world.root, OWN);
    const outcome = [state, step.after].find((name) => sameState(found, states.get(name)));
    if (outcome === undefined) assert.deepEqual(found, states.get(step.after), `a third state after ${step.args[0]}`);
    reached[outcome === state ? "before" : "after"]++;
    state = outcome ?? state;
    const verified = await world.peipkg(["verify"]);
    assert.deepEqual([verified.status, verified.stdout], [0, "all recorded files are intact\n"], verified.stderr);
  }
  // A step, because its name is printed whatever the verbosity of the run.
  await t.step(`${kills} kills: ${reached.before} found the old state, ${reached.after} the new one`, () => {
    assert.ok(reached.before > 0);
  });
});

function sameState(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string> | undefined): boolean {
  return b !== undefined && a.size === b.size && [...a].every(([path, value]) => b.get(path) === value);
}
