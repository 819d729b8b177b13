/**
 * The real process, killed with SIGKILL at random moments of a refresh. What was there before stays usable without
 * network, a package can be installed from one version or the next, and the next refresh succeeds (R-CACHE-04,
 * R-REFRESH-08).
 *
 * `PEIPKG_TEST_KILLS` sets how often (default 30), `PEIPKG_TEST_SEED` where the moments come from.
 */
import assert from "node:assert/strict";
import { spawn } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { runInProcess } from "../support/in_process.ts";

const KILLS = Number(Deno.env.get("PEIPKG_TEST_KILLS") ?? "30");
const SEED = Number(Deno.env.get("PEIPKG_TEST_SEED") ?? "1");

/** Many versions of one small repository: every publication is a refresh that has something to record. */
const toolOf = (version: number): PackageSpec => ({
  name: "tool",
  version: `${version}.0-1`,
  files: { "usr/share/tool/v": `${version}\n` },
});

/** The minimal standard generator: the same seed, the same moments. */
function moments(seed: number): () => number {
  let state = seed % 2_147_483_647 || 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

async function duration(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

Deno.test(`R-CACHE-04, R-REFRESH-08, R-REFRESH-09: ${KILLS} kills of a refresh leave usable metadata`, async () => {
  await using world = await World.create(runInProcess);
  await world.publish([toolOf(1)]);
  await world.addRepository(world.serve().url);
  const refresh = ["--root", world.root, "refresh"];
  const full = await duration(async () => await spawn(refresh).output());
  const random = moments(SEED);
  const seen = new Set<string>();
  let version = 1;
  for (let kill = 0; kill < KILLS; kill++) {
    if (kill % 3 === 0) await world.publish([toolOf(++version)]); // most kills meet something to record
    const child = spawn(refresh);
    const killer = setTimeout(() => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It had ended already.
      }
    }, full * (0.3 + random() * 0.8));
    const { code } = await child.output();
    clearTimeout(killer);
    // Full re-verification and no network: the cached metadata alone is planned with (R-CACHE-07).
    const plan = await world.peipkg(["--offline", "--json", "install", "tool", "--dry-run"]);
    const where = `kill ${kill}, status ${code}\n${plan.stdout}${plan.stderr}`;
    assert.equal(plan.status, 0, where);
    const operations = plan.stdout.split("\n").filter((line) => line.includes('"event":"plan"'))
      .flatMap((line) => JSON.parse(line).operations);
    const [planned] = operations;
    assert.match(planned?.to ?? "", /^\d+\.0-1$/, where);
    assert.ok(Number.parseInt(planned.to) <= version, where);
    seen.add(code === 0 ? "ended" : "killed");
    if (kill % 3 === 2) {
      await world.expect(["refresh"]);
      const next = await world.expect(["install", "tool", "--dry-run"]);
      assert.match(next.stdout, new RegExp(`tool ${version}\\.0-1`), where);
    }
  }
  assert.ok(seen.has("killed"), [...seen].join());
});
