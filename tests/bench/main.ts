/**
 * The benchmark: peipkg beside what its users would otherwise run, on the same files, in the same run.
 *
 * Usage: deno task bench [--json] [--compare FILE] [--only TEXT] [--profile DIRECTORY] [--quick] [--rounds N]
 *                        [--without PEER] [--universe DIRECTORY]
 *
 * `--only` takes the workloads whose name contains TEXT. `--compare` shows the change against a report stored by
 * `--json`. `--profile` has every measured peipkg write a CPU profile (`.cpuprofile`) there; times are then
 * not comparable. `--universe` names the repository of 60,000 packages. Package sets are made once, below `.cache/bench`, and used again.
 */
import { parseArgs } from "node:util";
import { missingTime } from "./measure.ts";
import type { Invocation, Peer } from "./peer.ts";
import { dpkg } from "./peers/dpkg.ts";
import { floor } from "./peers/floor.ts";
import { pacman } from "./peers/pacman.ts";
import { peipkgPeer, prepareProgram, startProgram } from "./peers/peipkg.ts";
import type { Program } from "./peers/peipkg.ts";
import { rpm } from "./peers/rpm.ts";
import { runCatalogue } from "./catalogue.ts";
import { renderReport, summarise } from "./report.ts";
import type { Report } from "./report.ts";
import { usableMedia } from "./root.ts";
import { runCommand, runInstalls, runLives, runReads } from "./scenarios.ts";
import type { Context, Results } from "./scenarios.ts";
import { serveFiles } from "./server.ts";
import { describeSet, FULL, prepareWorkload, QUICK } from "./workload.ts";

const HOME = new URL("../..", import.meta.url).pathname;

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    compare: { type: "string" },
    only: { type: "string", default: "" },
    profile: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    universe: { type: "string" },
    without: { type: "string", multiple: true, default: [] },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 1 : 3));

/** Progress, apart from the result on standard output. */
function log(text: string): void {
  console.error(text);
}

/** After a signal the command that runs is the last one: what was measured is reported, what was mounted unmounted. */
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => stopped = true);

function wanted(workload: string): boolean {
  return !stopped && workload.includes(options.only);
}

async function describeMachine(): Promise<string> {
  const text = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const model = /^model name\s*:\s*(.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
  return `${navigator.hardwareConcurrency} × ${model}, Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}`;
}

async function currentCommit(): Promise<string> {
  const { stdout } = await new Deno.Command("git", { args: ["-C", HOME, "rev-parse", "HEAD"], stderr: "null" })
    .output();
  return new TextDecoder().decode(stdout).trim();
}

/** The bundled program; nothing when the tree does not bundle, so that the peers can still be measured. */
async function prepareOwn(directory: string): Promise<Program | undefined> {
  try {
    return await prepareProgram(directory);
  } catch (error) {
    log(`without peipkg: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Directory of the large catalogue: as named, or where a checkout has it. */
async function findUniverse(): Promise<string | undefined> {
  const usual = [`${HOME}tests/fixtures/universe-full`, `${HOME}../shared/vectors/universe-full`];
  for (const directory of options.universe === undefined ? usual : [options.universe]) {
    if (await Deno.stat(`${directory}/repo.json`).then(() => true, () => false)) return await Deno.realPath(directory);
  }
  return undefined;
}

/** The executable in `dist/`, when there is one: its first start, which unpacks, and every later one. */
async function benchExecutable(context: Context, scratch: string): Promise<void> {
  const executable = `${HOME}dist/peipkg-${Deno.build.arch}`;
  const [first, later] = ["start: one file, unpacking", "start: one file, --version"];
  if (!wanted(first) && !wanted(later)) return;
  if (!(await Deno.stat(executable).then(() => true, () => false))) {
    log(`without the one-file executable: deno task build makes ${executable}`);
    return;
  }
  log(`one file: ${((await Deno.stat(executable)).size / 2 ** 20).toFixed(1)} MiB`);
  const peer = { name: "peipkg" };
  const place = await Deno.makeTempDir({ dir: scratch, prefix: "runtime-" });
  const start = (directory: string): Invocation => ({
    command: [executable, "--version"],
    env: { PEIPKG_RUNTIME_DIR: `${place}/${directory}` },
  });
  for (let round = 0; round < rounds; round++) {
    await runCommand(context, first, peer, start(String(round)), 1, { warm: false });
  }
  await runCommand(context, later, peer, start("0"), 7 * rounds);
  await Deno.remove(place, { recursive: true });
}

async function takePart(peers: readonly Peer[]): Promise<readonly Peer[]> {
  const taking: Peer[] = [];
  for (const peer of peers) {
    if (options.without.includes(peer.name)) continue;
    const reason = await peer.missing();
    if (reason === undefined) taking.push(peer);
    else log(`without ${peer.name}: ${reason}`);
  }
  return taking;
}

async function main(): Promise<void> {
  const unusable = await missingTime();
  if (unusable !== undefined) throw new Error(unusable);
  const base = `${HOME}.cache/bench/${options.quick ? "quick" : "full"}`;
  const scratch = `${base}/roots`;
  await Deno.mkdir(scratch, { recursive: true });
  const { media, reasons } = await usableMedia(scratch);
  for (const reason of reasons) log(`without ${reason}`);

  const workload = await prepareWorkload(`${base}/trees`, options.quick ? QUICK : FULL);
  for (const [name, set] of Object.entries(workload.sets)) log(`${name}: ${describeSet(set)}`);
  const program = options.without.includes("peipkg") ? undefined : await prepareOwn(`${base}/peipkg-program`);
  const profiling = options.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${options.profile}`];
  const own = program === undefined ? [] : [peipkgPeer({ ...program, runtimeOptions: profiling }, program)];
  const directory = `${base}/packages`;
  const peers: Peer[] = [];
  for (const peer of await takePart([floor, pacman, rpm, dpkg, ...own])) {
    log(`${peer.name}: checks ${peer.checks}`);
    try {
      await peer.pack(workload, directory);
      peers.push(peer);
    } catch (error) {
      log(`without ${peer.name}: cannot pack: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  const servers = new Map<string, string>();
  await using stack = new AsyncDisposableStack();
  for (const peer of peers) {
    const served = peer.served(directory);
    if (served !== undefined) servers.set(peer.name, stack.use(serveFiles(served)).url);
  }
  const results: Results = new Map();
  const context: Context = { workload, directory, scratch, peers, servers, results, wanted, log };

  const empty = "start: empty Deno program";
  if (program !== undefined && wanted(empty)) {
    for (const peer of own) {
      await runCommand(context, empty, peer, { command: startProgram(program, "empty", []) }, 7 * rounds);
    }
  }
  await benchExecutable(context, scratch);
  await runReads(context, media, 7 * rounds);
  await runCatalogue(context, media, await findUniverse(), program, 2 * rounds);
  await runInstalls(context, media, rounds);
  await runLives(context, media, rounds);

  const report: Report = {
    at: new Date().toISOString(),
    machine: await describeMachine(),
    commit: await currentCommit(),
    rows: summarise(results),
  };
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else {
    const previous: Report | undefined = options.compare === undefined
      ? undefined
      : JSON.parse(await Deno.readTextFile(options.compare));
    console.log(`${report.machine}\n${renderReport(report, previous)}`);
  }
}

await main();
Deno.exit(0);
