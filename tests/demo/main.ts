/**
 * The demonstration: packs real software, publishes it in a signed repository, serves that over HTTP on loopback,
 * and bootstraps an empty root from it with the real programs, printing every command and its output as a terminal
 * would show them. Every step is checked; the first surprise ends the demonstration with status 1.
 *
 * Usage: `deno task demo [DIRECTORY]`. The result stays in DIRECTORY (default: a fresh temporary directory).
 */
import { run } from "../support/cli.ts";
import type { CliResult, Program } from "../support/cli.ts";
import { serveDirectory } from "../support/static_server.ts";
import { stageDocumentation, type StagedPackage, stageLibrary, stageProgram } from "./packages.ts";

const encoder = new TextEncoder();
const started = performance.now();

function say(text: string): void {
  Deno.stdout.writeSync(encoder.encode(`${text}\n`));
}

function heading(text: string): void {
  say(`\n# ${text}`);
}

/** Paths as typed in the working directory. */
function relative(path: string): string {
  return path.startsWith(`${work}/`) ? path.slice(work.length + 1) : path;
}

/** Shows a command, runs it, shows what it printed, and insists on its exit status. */
async function show(program: Program, args: readonly string[], status = 0): Promise<CliResult> {
  say(`$ ${program} ${args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ")}`);
  const result = await run(args, { program, cwd: work });
  for (const text of [result.stdout, result.stderr]) if (text !== "") say(text.replace(/\n$/, ""));
  if (result.status !== status) {
    say(`demo: exit status ${result.status} where ${status} was expected`);
    Deno.exit(1);
  }
  if (status !== 0) say(`(exit status ${result.status}, as it should be)`);
  return result;
}

/** Packs and signs staged trees into a directory. */
async function packAll(stages: readonly StagedPackage[], out: string): Promise<void> {
  for (const { manifest, tree } of stages) {
    const places = ["--manifest", relative(manifest), "--staged", relative(tree), "--out", out];
    await show("peipkg-build", ["pack", ...places, "--sign-key", "repository.key", "--timestamp", BUILT]);
  }
}

function insist(holds: boolean, what: string): void {
  if (holds) return;
  say(`demo: ${what}`);
  Deno.exit(1);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

const work = await Deno.realPath(
  await (async () => {
    const named = Deno.args[0];
    if (named === undefined) return await Deno.makeTempDir({ prefix: "peipkg-demo-" });
    await Deno.mkdir(named, { recursive: true });
    return named;
  })(),
);
/** Build times are fixed, so that packing again gives the same bytes; an index must be recent to be trusted. */
const BUILT = "2026-01-02T03:04:05Z";
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
const FIRST = hoursAgo(2);
const SECOND = hoursAgo(1);

heading("A signing key, and real software staged for packing");
await Deno.mkdir(`${work}/packages`, { recursive: true });
const keygen = await show("peipkg-repo", ["keygen", "--out", "repository.key"]);
const anchor = /\b[0-9a-f]{64}\b/.exec(keygen.stdout)?.[0] ?? "";
insist(anchor !== "", "keygen printed no fingerprint");

const stages = [
  await stageLibrary(work),
  await stageProgram(work, "0.1.0-1"),
  await stageDocumentation(work, "0.1.0-1"),
];
await packAll(stages, "packages");

heading("A signed repository, served by a static web server");
await show("peipkg-repo", [
  "init",
  "repository",
  "--name",
  "demo",
  "--sign-key",
  "repository.key",
  "--timestamp",
  FIRST,
]);
await show("peipkg-repo", ["add", "repository", "packages"]);
await show("peipkg-repo", ["publish", "repository", "--sign-key", "repository.key", "--timestamp", FIRST]);
await show("peipkg-repo", ["verify", "repository"]);
await using server = serveDirectory(`${work}/repository`);
say(`(serving ${work}/repository at ${server.url})`);

heading("An empty root, bootstrapped over HTTP");
await Deno.mkdir(`${work}/root`);
const root = ["--root", "./root"];
await show("peipkg", [...root, "repo", "add", "demo", server.url, "--anchor", anchor, "--insecure", "-y"]);
await show("peipkg", [...root, "search", "toml"]);
await show("peipkg", [...root, "install", "peipkg", "peipkg-doc", "--yes"]);
await show("peipkg", [...root, "list"]);
await show("peipkg", [...root, "info", "peipkg"]);
await show("peipkg", [...root, "owns", "/usr/share/doc/peipkg/README.md"]);
await show("peipkg", [...root, "verify"]);

heading("A second version; the server's copy of one package is altered by one bit");
const newer = [await stageProgram(work, "0.1.0-2"), await stageDocumentation(work, "0.1.0-2")];
await Deno.mkdir(`${work}/packages-2`);
await packAll(newer, "packages-2");
await show("peipkg-repo", ["add", "repository", "packages-2"]);
await show("peipkg-repo", ["publish", "repository", "--sign-key", "repository.key", "--timestamp", SECOND]);
const altered = `${work}/repository/p/peipkg-doc/0.1.0-2/peipkg-doc_0.1.0-2_noarch.peipkg`;
const original = await Deno.readFile(altered);
const changed = original.slice();
changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
await Deno.writeFile(altered, changed);
await show("peipkg", [...root, "refresh"]);
await show("peipkg", [...root, "upgrade", "--yes"], 1);
const listed = await show("peipkg", [...root, "list"]);
insist(
  listed.stdout.includes("0.1.0-1") && !listed.stdout.includes("0.1.0-2"),
  "the refused upgrade changed something",
);
await show("peipkg", [...root, "verify"]);

heading("The file is put right, and the upgrade goes through");
await Deno.writeFile(altered, original);
await show("peipkg", [...root, "upgrade", "--yes"]);
await show("peipkg", [...root, "verify"]);

heading("A package is removed");
await show("peipkg", [...root, "remove", "peipkg-doc", "--yes"]);
insist(!(await exists(`${work}/root/usr/share/doc/peipkg/README.md`)), "a file of the removed package is still there");
await show("peipkg", [...root, "list"]);
await show("peipkg", [...root, "history"]);
await show("peipkg", [...root, "verify"]);

say(`\nThe root is ${work}/root; look around. (${((performance.now() - started) / 1000).toFixed(1)} s)`);
