/**
 * Repositories at scale: refreshing the stored index of 63,666 packages from the loopback beside what `JSON.parse`
 * alone takes on the same file — for the first time, and after none, some or all of its entries changed — and searching
 * and planning on it beside a start of the program and an index of 100.
 *
 * Every figure is given in wall time and in CPU time; ratios are of CPU time, which other work on the machine disturbs
 * less, but for what is over in some ticks of its clock.
 *
 * Usage: deno run -A tests/bench/refresh_bench.ts [--rounds N]
 */
import { zstdDecompressSync } from "node:zlib";
import { parseArgs } from "node:util";
import { indexFile, RepositoryTree } from "../../core/publish/repository_tree.ts";
import { realSystem } from "../../core/runtime.ts";
import type { Session } from "../../core/system.ts";
import { makeRepository, testKey } from "../support/repository_server.ts";
import { serveDirectory } from "../support/static_server.ts";
import { measure, type Sample } from "./measure.ts";
import { prepareProgram, type Program, startProgram } from "./peers/peipkg.ts";

/** Repository name in the stored index. */
const UNIVERSE = "debian-universe";
const SMALL_PACKAGES = 100;
const TERM = "editor";
/** Runs per round of a comparison by turns. */
const TURNS = 5;

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
const rounds = Number(options.rounds);

const directory = await Deno.makeTempDir({ prefix: "peipkg-refresh-bench-" });
using system = realSystem();
const session: Session = {
  system,
  emit: () => {},
  signal: new AbortController().signal,
  invocation: "0".repeat(32),
  version: "0.1.0",
  command: "bench",
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

/** Medians of several runs. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

const costOf = (samples: readonly Pick<Sample, "seconds" | "cpuSeconds">[]): Cost => ({
  wall: median(samples.map((sample) => sample.seconds)),
  cpu: median(samples.map((sample) => sample.cpuSeconds)),
});
const text = ({ wall, cpu }: Cost): string => `${(wall * 1000).toFixed(0)} ms (CPU ${(cpu * 1000).toFixed(0)} ms)`;
const times = (cost: Cost, other: Cost): string => `${(cost.cpu / other.cpu).toFixed(2)} ×`;
const tell = (label: string, value: string): void => console.log(`${label.padEnd(44)}${value}`);
const stamp = (version: number): string =>
  new Date(Date.now() - 86_400_000 + version * 1000).toISOString().replace(/\.\d+/, "");

interface Edition {
  /** Keeps that many of the first packages. */
  readonly limit?: number;
  /** Every so-manieth entry is an upgrade since the stored index. */
  readonly changedEvery?: number;
}

/** The stored index with another version and date. */
function indexText(version: number, { limit, changedEvery }: Edition = {}): string {
  const packed = Deno.readFileSync(new URL("../fixtures/universe-full/active.json.zst", import.meta.url));
  const text = zstdDecompressSync(packed).toString()
    .replace(
      /"index_version":\d+,"generated_at":"[^"]*"/,
      `"index_version":${version},"generated_at":"${stamp(version)}"`,
    );
  if (limit === undefined && changedEvery === undefined) return text;
  const index: { readonly packages: readonly { readonly version: string }[] } = JSON.parse(text);
  const packages = index.packages.slice(0, limit).map((item, at) =>
    changedEvery === undefined || at % changedEvery > 0 ? item : { ...item, version: `${item.version}${version}` }
  );
  return `${JSON.stringify({ ...index, packages })}\n`;
}

interface Site extends AsyncDisposable {
  readonly root: string;
  run(...args: readonly string[]): Promise<Sample>;
  /** Makes the repository trusted, which fetches its index for the first time. */
  add(): Promise<Sample>;
  remove(): Promise<Sample>;
  publish(version: number, edition?: Edition): Promise<void>;
}

/** A served repository and a root that trusts it. */
async function openSite(program: Program, name: string, first: Edition = {}): Promise<Site> {
  const parent = `${directory}/${name}`;
  const root = `${parent}/root`;
  await Deno.mkdir(root, { recursive: true });
  const repository = await makeRepository(session, parent, { name: UNIVERSE, key: await testKey(3) });
  const server = serveDirectory(repository.directory);
  const site: Site = {
    root,
    run: (...args) => measure({ command: startProgram(program, "main", ["--root", root, ...args]) }),
    add: () =>
      site.run("repo", "add", "universe", server.url, "--anchor", repository.key.fingerprint, "--insecure", "-y"),
    remove: () => site.run("repo", "remove", "universe"),
    async publish(version, edition = first) {
      using tree = new RepositoryTree(repository.context, repository.directory);
      const bytes = new TextEncoder().encode(indexText(version, edition));
      await tree.writeSigned(indexFile("active"), bytes, repository.key);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  await site.publish(2);
  await site.add();
  return site;
}

/** What `JSON.parse` takes on the file in a process of its own, its start not counted. */
async function parseCost(path: string): Promise<Cost> {
  const script = `${directory}/parse.js`;
  await Deno.writeTextFile(
    script,
    `const process = (await import("node:process")).default;
     const text = Deno.readTextFileSync(${JSON.stringify(path)});
     const before = process.cpuUsage();
     const began = performance.now();
     JSON.parse(text);
     const seconds = (performance.now() - began) / 1000;
     const { user, system } = process.cpuUsage(before);
     console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6 }));`,
  );
  const samples: Pick<Sample, "seconds" | "cpuSeconds">[] = [];
  for (let round = 0; round < rounds; round++) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "-q", "-A", script] }).output();
    samples.push(JSON.parse(new TextDecoder().decode(stdout)));
  }
  return costOf(samples);
}

/** @param times Short runs need more of them. */
async function repeat(run: () => Promise<Sample>, times = rounds): Promise<readonly Sample[]> {
  await run();
  const samples: Sample[] = [];
  for (let round = 0; round < times; round++) samples.push(await run());
  return samples;
}

/** Mean costs of two commands, run by turns. */
async function compareByTurns(
  one: () => Promise<Sample>,
  other: () => Promise<Sample>,
): Promise<readonly [Cost, Cost]> {
  const samples: (readonly [Sample, Sample])[] = [];
  for (let round = 0; round < rounds * TURNS; round++) samples.push([await one(), await other()]);
  const mean = (of: (pair: readonly [Sample, Sample]) => number) =>
    samples.reduce((sum, pair) => sum + of(pair), 0) / samples.length;
  return [
    { wall: mean(([sample]) => sample.seconds), cpu: mean(([sample]) => sample.cpuSeconds) },
    { wall: mean(([, sample]) => sample.seconds), cpu: mean(([, sample]) => sample.cpuSeconds) },
  ];
}

try {
  const program = await prepareProgram(`${directory}/program`);
  await using large = await openSite(program, "large");
  await using small = await openSite(program, "small", { limit: SMALL_PACKAGES });
  const start = costOf(await repeat(() => large.run("--version"), 5 * rounds));
  tell("start of the program (--version)", text(start));

  const path = `${directory}/large/${UNIVERSE}/index/active.json`;
  const parse = await parseCost(path);
  tell("JSON.parse of the index alone", `${text(parse)}, ${(Deno.statSync(path).size / 1e6).toFixed(1)} MB`);
  const tellRefresh = (label: string, samples: readonly Sample[], aim: string) => {
    const peak = (Math.max(...samples.map((sample) => sample.peakKib)) / 1024).toFixed(0);
    const cost = costOf(samples);
    tell(label, `${text(cost)}, ${times(cost, parse)} JSON.parse${aim}, peak ${peak} MiB (aim 700)`);
  };
  const adds: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    await large.remove();
    adds.push(await large.add());
  }
  tellRefresh("first refresh of 63,666 packages", adds, " (aim 4)");
  let version = 2;
  for (
    const [label, edition, aim] of [
      ["refresh, a newer date alone", {}, " (aim 4)"],
      ["refresh, one entry of 100 changed", { changedEvery: 100 }, ""],
      ["refresh, every entry changed", { changedEvery: 1 }, ""],
    ] as const
  ) {
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) {
      await large.publish(++version, edition);
      samples.push(await large.run("refresh"));
    }
    tellRefresh(label, samples, aim);
  }
  tell("refresh without a newer index", text(costOf(await repeat(() => large.run("refresh")))));

  const search = costOf(await repeat(() => large.run("search", TERM), 5 * rounds));
  // By wall: the clock of CPU time ticks ten times in a search and once in a start.
  tell(`search ${TERM}`, `${text(search)}, ${(search.wall / start.wall).toFixed(2)} × start (aim 3)`);
  const name = JSON.parse(indexText(2, { limit: SMALL_PACKAGES })).packages.find(
    (item: { readonly dependencies: readonly unknown[] }) => item.dependencies.length === 0,
  )?.name;
  // A plan takes a few of the clock's ticks: many runs, by turns, and their mean.
  const [onLarge, onSmall] = await compareByTurns(
    () => large.run("install", name, "--dry-run"),
    () => small.run("install", name, "--dry-run"),
  );
  tell(`plan of one package (${name})`, `${text(onLarge)}, ${times(onLarge, onSmall)} the next (aim 1.5)`);
  tell(`the same on an index of ${SMALL_PACKAGES}`, text(onSmall));
} finally {
  await Deno.remove(directory, { recursive: true });
}
