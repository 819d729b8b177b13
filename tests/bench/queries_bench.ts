/**
 * Reading commands beside an empty program of the runtime, by turns: on a root with one package, and on one with 2,000
 * packages and 500,000 files. The rows of the large root are written into its database, since installing them would
 * take minutes and show nothing else.
 *
 * Usage: deno run -A tests/bench/queries_bench.ts [--rounds N]
 */
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { parseArgs } from "node:util";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { measure } from "./measure.ts";
import { prepare } from "./peer.ts";
import { prepareProgram, startProgram } from "./peers/peipkg.ts";

const PACKAGES = 2000;
const FILES_PER_PACKAGE = 250;
const SAMPLE: PackageSpec = { name: "sample", version: "1.0-1", files: { "usr/share/sample/file": "x\n" } };

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "15" } } });
const rounds = Number(options.rounds);

type Row = Record<string, SQLOutputValue>;

/** Copies the rows of the one installed package under other names until there are as many as asked for. */
function fill(path: string): void {
  using database = new DatabaseSync(path);
  const read = (sql: string): Row => {
    const row = database.prepare(sql).get();
    if (row === undefined) throw new Error("the sample package is not installed");
    return row;
  };
  const insert = (table: string, row: Row): void => {
    const names = Object.keys(row);
    database.prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => "?").join()})`)
      .run(...Object.values(row));
  };
  const sample = read("SELECT * FROM package");
  const file = read("SELECT * FROM package_file WHERE type = 'file'");
  database.exec("BEGIN");
  for (let number = 1; number < PACKAGES; number++) {
    const name = `sample-${String(number).padStart(4, "0")}`;
    insert("package", { ...sample, name, manifest: String(sample["manifest"]).replaceAll("sample", name) });
    for (let at = 0; at < FILES_PER_PACKAGE; at++) {
      insert("package_file", { ...file, package_name: name, path: `/usr/share/${name}/part-${at % 10}/file-${at}` });
    }
  }
  database.exec("COMMIT");
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

// The programs that make the world run with nothing in their environment, and could not fetch what is missing.
await prepare([Deno.execPath(), "install", "-q"], { cwd: new URL("../..", import.meta.url).pathname });
await using world = await World.create();
await world.publish([SAMPLE]);
await world.addRepository(world.serve().url);
await world.expect(["install", "sample", "--yes"]);
const large = `${world.directory}/large`;
await prepare(["cp", "-a", world.root, large]);
fill(`${large}/var/lib/peipkg/db.sqlite`);

const directory = await Deno.makeTempDir({ prefix: "peipkg-queries-bench-" });
try {
  const program = await prepareProgram(directory);
  const runs: readonly (readonly [string, string, readonly string[]])[] = [
    ["empty program", "empty", []],
    ["--version", "main", ["--version"]],
    ["list, one package", "main", ["--root", world.root, "list"]],
    [`list, ${PACKAGES} packages`, "main", ["--root", large, "list"]],
    ["owns", "main", ["--root", large, "owns", "/usr/share/sample-0100/part-3/file-13"]],
    ["info", "main", ["--root", large, "info", "sample-0200"]],
    ["files", "main", ["--root", large, "files", "sample-0300"]],
    ["search", "main", ["--root", large, "search", "sample"]],
  ];
  const seconds = runs.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, [, entry, args]] of runs.entries()) {
      const sample = await measure({ command: startProgram(program, entry, args) });
      if (round >= 0) seconds[at]?.push(sample.seconds * 1000);
    }
  }
  const empty = median(seconds[0] ?? []);
  for (const [at, [label]] of runs.entries()) {
    const own = median(seconds[at] ?? []);
    const beside = `${(own / empty).toFixed(2)} × and ${(own - empty).toFixed(1)} ms over the empty program`;
    console.log(`${label.padEnd(24)}${own.toFixed(1).padStart(6)} ms   ${at === 0 ? "" : beside}`);
  }
} finally {
  await Deno.remove(directory, { recursive: true });
}
