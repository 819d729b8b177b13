/**
 * One package of 10,000 small files beside the plain tools that do the file work alone: installing beside
 * `tar --zstd -x` plus a sync of the tree, removing beside `rm -r` plus the same, verifying beside `sha256sum -c`.
 *
 * `deno run -A tests/bench/small_files_bench.ts [--rounds N] [--files N] [--directory DIR]`; the two sides take turns,
 * the median counts. `PEIPKG_PROGRAMS` measures a built executable, without it the sources.
 */
import { parseArgs } from "node:util";
import { baseEnvironment, commandLine } from "../support/cli.ts";
import { World } from "../support/e2e_world.ts";
import { measure, missingTime, type Sample } from "./measure.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    files: { type: "string", default: "10000" },
    directory: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const count = Number(values.files);
const PER_DIRECTORY = 100;
/** What a change may cost beyond the plain tool, and keep in memory. */
const EXTRA_MAX = 0.35;
const PEAK_MAX_MIB = 200;

const missing = await missingTime();
if (missing !== undefined) {
  console.error(missing);
  Deno.exit(2);
}

function content(index: number): string {
  const line = `file ${index}: ${Math.imul(index, 2654435761) >>> 0}\n`;
  return line.repeat(1 + index % 120);
}

const files = Object.fromEntries(
  Array.from({ length: count }, (_, index) => [
    `usr/share/small/${Math.floor(index / PER_DIRECTORY)}/file-${index}`,
    content(index),
  ]),
);

await using world = await World.create();
const base = values.directory ?? world.directory;
const root = await Deno.makeTempDir({ dir: base, prefix: "root-" });
const plain = await Deno.makeTempDir({ dir: base, prefix: "plain-" });
const file = await world.pack({ name: "small", version: "1.0-1", files });
const archive = `${world.directory}/small.tar.zst`;
const list = `${world.directory}/small.sums`;

async function shell(command: string): Promise<Sample> {
  return await measure({ command: ["sh", "-ec", command, "sh", plain, archive, list] });
}
async function peipkg(...args: readonly string[]): Promise<Sample> {
  // Reading the sources once more each time is no part of the work, so types are not checked and nothing is fetched.
  return await measure({ command: [...commandLine("peipkg"), "--root", root, ...args], env: baseEnvironment() });
}

// The plain side's archive and list are made from what was installed once.
await peipkg("install", file, "--yes");
await shell(`cd "${root}/usr/share" && tar --zstd -cf "$2" small && find small -type f -exec sha256sum {} + > "$3"`);
await peipkg("remove", "small", "--yes");

interface Pair {
  readonly name: string;
  readonly ours: () => Promise<Sample>;
  readonly theirs: () => Promise<Sample>;
}
const PAIRS: readonly Pair[] = [
  {
    name: "install, tar --zstd -x and sync",
    ours: () => peipkg("-o", "backup_keep_days=0", "install", file, "--yes"),
    theirs: () => shell('tar --zstd -xf "$2" -C "$1" && sync -f "$1"'),
  },
  {
    name: "verify, sha256sum -c",
    ours: () => peipkg("verify", "small"),
    theirs: () => shell('cd "$1" && sha256sum --quiet -c "$3"'),
  },
  {
    name: "remove, rm -r and sync",
    ours: () => peipkg("-o", "backup_keep_days=0", "remove", "small", "--yes"),
    theirs: () => shell('rm -r "$1/small" && sync -f "$1"'),
  },
];

const found = PAIRS.map(() => ({ ours: [] as Sample[], theirs: [] as Sample[] }));
for (let round = 0; round < rounds; round++) {
  for (const [index, pair] of PAIRS.entries()) {
    found[index]?.ours.push(await pair.ours());
    found[index]?.theirs.push(await pair.theirs());
  }
}

function median(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const sorted = samples.map(value).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

console.log(`${count} files, median of ${rounds} rounds`);
for (const [index, { name }] of PAIRS.entries()) {
  const { ours, theirs } = found[index] ?? { ours: [], theirs: [] };
  const seconds = median(ours, (sample) => sample.seconds);
  const plainSeconds = median(theirs, (sample) => sample.seconds);
  const peak = Math.max(...ours.map((sample) => sample.peakKib)) / 1024;
  const extra = seconds / plainSeconds - 1;
  console.log(
    `${name}: ${seconds.toFixed(2)} s, plain ${plainSeconds.toFixed(2)} s (${extra >= 0 ? "+" : ""}` +
      `${(100 * extra).toFixed(0)} %, allowed +${100 * EXTRA_MAX} %), peak ${peak.toFixed(0)} MiB ` +
      `(allowed ${PEAK_MAX_MIB})`,
  );
}
for (const path of [root, plain]) await Deno.remove(path, { recursive: true });
