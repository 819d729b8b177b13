/**
 * The long runs: fuzzing of every parser, random worlds for the resolver, the fault laboratory, kills of the real
 * process. `deno task laboratory [--seed N] [--only NAME]...`; one closing line per run, status 1 when one failed.
 *
 * | run | environment that sets its size | here |
 * |---|---|---|
 * | fuzz | `--executions` of `tests/fuzz/main.ts` | 1,000,000 per parser |
 * | worlds | `PEIPKG_TEST_WORLDS` | 20,000 |
 * | faults | `PEIPKG_TEST_BUDGET` | 8 times the ordinary cut points |
 * | kills | `PEIPKG_TEST_KILLS` | 2,000 |
 */
import { parseArgs } from "node:util";

interface Run {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, only: { type: "string", multiple: true, default: [] } },
});
const { seed, only } = values;

const test = ["test", "-A", "--no-check", "--quiet"];
const RUNS: readonly Run[] = [
  {
    name: "fuzz",
    args: ["run", "-A", "--no-check", "tests/fuzz/main.ts", "--seed", seed, "--executions", "1000000"],
    env: {},
  },
  {
    name: "worlds",
    args: [...test, "tests/properties", "tests/core/resolver/hard_test.ts"],
    env: { PEIPKG_TEST_WORLDS: "20000" },
  },
  { name: "faults", args: [...test, "--parallel", "tests/faults"], env: { PEIPKG_TEST_BUDGET: "8" } },
  { name: "kills", args: [...test, "tests/e2e/kill_test.ts"], env: { PEIPKG_TEST_KILLS: "2000" } },
];

const chosen = RUNS.filter(({ name }) => only.length === 0 || only.includes(name));
if (!/^\d+$/.test(seed) || chosen.length < Math.max(1, only.length)) {
  console.error(`usage: laboratory.ts [--seed N] [--only ${RUNS.map(({ name }) => name).join("|")}]...`);
  Deno.exit(2);
}

let failed = 0;
for (const { name, args, env } of chosen) {
  console.log(`== ${name}, seed ${seed}`);
  const started = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", PEIPKG_TEST_SEED: seed, ...env },
    stdin: "null",
  }).spawn().status;
  if (!success) failed++;
  console.log(`${name}: ${success ? "passed" : "FAILED"} in ${Math.round((performance.now() - started) / 1000)} s`);
}
Deno.exit(failed === 0 ? 0 : 1);
