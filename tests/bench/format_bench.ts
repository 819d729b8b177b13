/**
 * Figures of the format room: strict JSON in MB/s on an index-like document, and verification of a large package
 * beside `zstd -dc FILE | sha256sum`, which reads the same bytes and proves less.
 *
 * `deno run -A tests/bench/format_bench.ts [--megabytes N] [--rounds N]`
 */
import { parseArgs } from "node:util";
import { readDocument } from "../../core/format/document.ts";
import { type PackEntry, packPackage, parseManifestDraft } from "../../core/format/pack.ts";
import { type ByteSource, replayPackage, verifyPackage } from "../../core/format/package_file.ts";
import { DEMO_MANIFEST, json } from "../support/package_builder.ts";

const { values } = parseArgs({
  options: { megabytes: { type: "string", default: "256" }, rounds: { type: "string", default: "3" } },
});
const MEGABYTES = Number(values.megabytes);
const ROUNDS = Number(values.rounds);
const MIB = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

const directory = await Deno.makeTempDir({ prefix: "peipkg-bench-" });
try {
  await benchJson();
  await benchVerification(`${directory}/large.peipkg`, largeFiles(), `one package of ${MEGABYTES} MiB in large files`);
  await benchVerification(`${directory}/small.peipkg`, smallFiles(20_000), "one package of 20,000 files of 4 KiB");
} finally {
  await Deno.remove(directory, { recursive: true });
}

/** Best time of several rounds, milliseconds. */
async function best(run: () => unknown): Promise<number> {
  return (await bestOf([run]))[0] ?? NaN;
}

/** Best times of several runs that take turns, milliseconds. */
async function bestOf(runs: readonly (() => unknown)[]): Promise<readonly number[]> {
  const least = runs.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, run] of runs.entries()) {
      const started = performance.now();
      await run();
      least[index] = Math.min(least[index] ?? Infinity, performance.now() - started);
    }
  }
  return least;
}

function report(what: string, bytes: number, milliseconds: number): void {
  const rate = bytes / 1e3 / milliseconds;
  console.log(`${what}: ${milliseconds.toFixed(0)} ms, ${rate.toFixed(0)} MB/s`);
}

async function benchJson(): Promise<void> {
  const packages = Array.from({ length: 20_000 }, (_, i) => ({
    name: `package-${String(i).padStart(6, "0")}`,
    version: `1.${i}.0-1`,
    architecture: "x86_64",
    description: "A package of the benchmark with a description of ordinary length",
    license: "MIT",
    homepage: "https://example.org/project",
    dependencies: Array.from({ length: 6 }, (_, d) => ({ name: `lib${d}.so.1`, constraint: ">= 1.0" })),
    optional_dependencies: [],
    conflicts: [],
    provides: [{ name: `lib${i}.so.1` }],
    replaces: [],
    side_effects: ["ldconfig"],
    size_compressed: 123_456,
    size_installed: 654_321,
    hash: { algorithm: "sha256", value: "0123456789abcdef".repeat(4) },
    url: `/p/package-${i}/1.${i}.0-1/package.peipkg`,
  }));
  const bytes = new TextEncoder().encode(json({ schema_version: 1, repo: "bench", kind: "active", packages }));
  const visit = () => readDocument(bytes, { document: "index" }, { field: "packages", visit() {} });
  report(`strict JSON, ${(bytes.length / 1e6).toFixed(1)} MB, visited`, bytes.length, await best(visit));
  report("strict JSON, kept as a tree", bytes.length, await best(() => readDocument(bytes, { document: "index" })));
}

/** Deterministic content that compresses about three to one. */
function content(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < sizeBytes; at++) {
    if (at % 3 === 0) state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    bytes[at] = at % 3 === 0 ? state >>> 24 : 0x61 + at % 7;
  }
  return bytes;
}

function largeFiles(): readonly PackEntry[] {
  const bytes = content(16 * MIB, 1);
  return Array.from({ length: Math.ceil(MEGABYTES / 16) }, (_, i) => ({
    type: "file",
    path: `usr/share/bench/${String(i).padStart(4, "0")}`,
    sizeBytes: bytes.length,
    open: () => [bytes],
  }));
}

function smallFiles(count: number): readonly PackEntry[] {
  const bytes = content(4096, 2);
  return Array.from({ length: count }, (_, i) => ({
    type: "file",
    path: `usr/share/bench/${i % 100}/${String(i).padStart(6, "0")}`,
    sizeBytes: bytes.length,
    open: () => [bytes],
  }));
}

async function benchVerification(path: string, entries: readonly PackEntry[], what: string): Promise<void> {
  const manifest = parseManifestDraft(new TextEncoder().encode(json(DEMO_MANIFEST)), "base");
  const file = await Deno.create(path);
  await packPackage({ manifest, entries, layout: "base", level: 1, write: (chunk) => void file.writeSync(chunk) });
  file.close();
  const source = fileSource(path);
  const options = {
    trust: { kind: "local-file" },
    layout: "base",
    official: true,
    dropinRepository: "local",
    dropinDirectories: [],
    maxDecompressedBytes: 4294967296,
  } as const;
  const bytes = entries.reduce((total, entry) => total + (entry.type === "file" ? entry.sizeBytes : 0), 0);
  console.log(`${what}, ${(source.sizeBytes / 1e6).toFixed(1)} MB compressed`);
  const verified = await verifyPackage(source, options);
  // turn and turn about, so that whatever else the machine does meets both
  const pipe = () => new Deno.Command("sh", { args: ["-c", `zstd -dc "$0" | sha256sum`, path] }).output();
  const [shell = NaN, own = NaN] = await bestOf([pipe, () => verifyPackage(source, options)]);
  report("  zstd -dc | sha256sum", bytes, shell);
  report("  verifyPackage()", bytes, own);
  const visitor = { entry: () => true, data() {}, end() {} };
  report("  replayPackage()", bytes, await best(() => replayPackage(source, verified, visitor)));
  console.log(`  ratio ${(shell / own).toFixed(2)}, resident ${(Deno.memoryUsage().rss / MIB).toFixed(0)} MiB`);
}

function fileSource(path: string): ByteSource {
  return {
    label: path,
    sizeBytes: Deno.statSync(path).size,
    async *chunks() {
      using file = await Deno.open(path);
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (let read = file.readSync(buffer); read !== null; read = file.readSync(buffer)) {
        yield buffer.subarray(0, read);
      }
    },
  };
}
