/**
 * Planning time over a stored distribution of 63,666 packages: what `solve()` takes, first and again, beside what apt
 * takes to plan the same request from its own lists, where this machine has any.
 *
 * Usage: deno run -A tests/bench/resolver_bench.ts
 */
import { solve } from "../../core/resolver/solve.ts";
import { Universe } from "../support/universe.ts";

const ROUNDS = 5;
const DESKTOP = ["build-essential", "gimp", "gnome", "inkscape", "kde-full", "libreoffice"];
const MEBIBYTE = 1024 * 1024;

/** Milliseconds apt takes to plan an installation without recommended packages, or why it cannot be told. */
function planWithApt(names: readonly string[]): number | string {
  try {
    const started = performance.now();
    const { stdout } = new Deno.Command("apt-get", {
      args: ["install", "--assume-no", "--no-install-recommends", ...names],
      env: { LC_ALL: "C" },
    }).outputSync();
    const elapsed = performance.now() - started;
    const isPlanned = new TextDecoder().decode(stdout).includes("newly installed");
    return isPlanned ? elapsed : "skipped: apt has no package lists, or no such packages";
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return "skipped: there is no apt";
    throw cause;
  }
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? NaN;
}

/** Packages drawn at random, without those that conflict with others of the draw. */
const RANDOM: readonly string[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/universe-full/random-500.json", import.meta.url)),
);

const universe = new Universe("universe-full");
console.log(`resident with the index loaded: ${Math.round(Deno.memoryUsage().rss / MEBIBYTE)} MiB`);
const requests: readonly (readonly [string, readonly string[]])[] = [
  ["nginx", ["nginx"]],
  ["build-essential", ["build-essential"]],
  ["desktop", DESKTOP],
  ["500 at random", RANDOM],
];
for (const [label, names] of requests) {
  const problem = universe.install(names);
  const times: number[] = [];
  let outcome = "";
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    const answer = solve(problem);
    times.push(performance.now() - started);
    outcome = answer.kind === "plan" ? `${answer.operations.length} operations` : answer.rule;
  }
  const apt = label === "500 at random" ? "skipped: the names are peipkg's own" : planWithApt(names);
  const compared = typeof apt === "string"
    ? apt
    : `${apt.toFixed(0)} ms, first time ${((times[0] ?? NaN) / apt).toFixed(2)} of that`;
  console.log(
    `${label}: ${outcome}; first ${(times[0] ?? NaN).toFixed(1)} ms, median ${
      median(times).toFixed(1)
    } ms; apt: ${compared}`,
  );
}
console.log(`resident at the end: ${Math.round(Deno.memoryUsage().rss / MEBIBYTE)} MiB`);
