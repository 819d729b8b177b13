/**
 * Search and planning in a repository of 60,000 packages: the same names, versions and relations as a signed
 * repository, as a database of pacman and as a package list of apt.
 */
import { gzipSync, zstdDecompressSync } from "node:zlib";
import { once, prepare } from "./peer.ts";
import type { Invocation, Peer } from "./peer.ts";
import { startProgram } from "./peers/peipkg.ts";
import type { Program } from "./peers/peipkg.ts";
import { openBenchRoot } from "./root.ts";
import type { Medium } from "./root.ts";
import { runCommand } from "./scenarios.ts";
import type { Context } from "./scenarios.ts";

interface Relation {
  readonly name: string;
  readonly constraint?: string;
}

interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly description: string;
  readonly dependencies: readonly Relation[];
  readonly conflicts: readonly Relation[];
  readonly provides?: readonly { readonly name: string; readonly version?: string }[];
  readonly size_compressed: number;
  readonly size_installed: number;
  readonly hash: { readonly value: string };
}

/** A word that a few hundred of the packages have in name or description. */
const TERM = "editor";
/** What an ordinary desktop machine is asked to hold: about 1,500 packages with all they need. */
const DESKTOP = [
  "task-gnome-desktop",
  "kde-standard",
  "libreoffice",
  "gimp",
  "inkscape",
  "vlc",
  "build-essential",
  "texlive",
  "emacs",
];

const encoder = new TextEncoder();

/** A ustar archive of regular files, unowned and undated. */
function renderTar(files: Iterable<readonly [string, string]>): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [name, text] of files) {
    const content = encoder.encode(text);
    const header = new Uint8Array(512);
    const put = (at: number, value: string): void => void encoder.encodeInto(value, header.subarray(at));
    put(0, name);
    put(100, "0000644\x000000000\x000000000\x00");
    put(124, `${content.length.toString(8).padStart(11, "0")} 00000000000 `);
    put(148, "        0");
    put(257, "ustar\x0000");
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, `${sum.toString(8).padStart(6, "0")}\x00 `);
    blocks.push(header, content, new Uint8Array((512 - content.length % 512) % 512));
  }
  blocks.push(new Uint8Array(1024));
  const archive = new Uint8Array(blocks.reduce((total, block) => total + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    archive.set(block, offset);
    offset += block.length;
  }
  return archive;
}

/** Without the revision, which is 1 throughout: a constraint that names none means all revisions only to peipkg. */
function aptVersion(version: string): string {
  return version.replace(/-1$/, "");
}

/** `a` with `>= 1, < 2` as apt's `a (>= 1), a (<< 2)`. */
function renderRelations(relations: readonly Relation[]): string {
  return relations.flatMap(({ name, constraint }) =>
    constraint === undefined
      ? [name]
      : constraint.split(", ").map((part) => `${name} (${aptVersion(part.replace(/^([<>]) /, "$1$1 "))})`)
  ).join(", ");
}

function renderAptEntry(entry: IndexEntry): string {
  const fields: readonly (readonly [string, string])[] = [
    ["Package", entry.name],
    ["Version", aptVersion(entry.version)],
    ["Architecture", entry.architecture === "noarch" ? "all" : "amd64"],
    ["Installed-Size", String(Math.ceil(entry.size_installed / 1024))],
    ["Depends", renderRelations(entry.dependencies)],
    ["Conflicts", renderRelations(entry.conflicts)],
    [
      "Provides",
      (entry.provides ?? []).map(({ name, version }) =>
        version === undefined ? name : `${name} (= ${aptVersion(version)})`
      ).join(
        ", ",
      ),
    ],
    ["Filename", `p/${entry.name}.deb`],
    ["Size", String(entry.size_compressed)],
    ["SHA256", entry.hash.value],
    ["Description", entry.description],
  ];
  return fields.filter(([, value]) => value !== "").map(([label, value]) => `${label}: ${value}\n`).join("") + "\n";
}

function renderPacmanEntry(entry: IndexEntry): readonly [string, string] {
  const section = (label: string, ...values: readonly string[]): string =>
    values.length === 0 ? "" : `%${label}%\n${values.join("\n")}\n\n`;
  const text = [
    section("FILENAME", `${entry.name}.pkg.tar.zst`),
    section("NAME", entry.name),
    section("VERSION", entry.version),
    section("DESC", entry.description),
    section("CSIZE", String(entry.size_compressed)),
    section("ISIZE", String(entry.size_installed)),
    section("SHA256SUM", entry.hash.value),
    section("ARCH", entry.architecture === "noarch" ? "any" : "x86_64"),
    section("DEPENDS", ...entry.dependencies.map(({ name }) => name)),
    section("CONFLICTS", ...entry.conflicts.map(({ name }) => name)),
    section("PROVIDES", ...(entry.provides ?? []).map(({ name }) => name)),
  ].join("");
  return [`${entry.name}-${entry.version.replaceAll("/", "_")}/desc`.slice(-99), text];
}

/** Writes the catalogue for all three below `directory`. */
async function prepareCatalogue(universe: string, directory: string): Promise<void> {
  await prepare(["cp", "-r", universe, `${directory}/repository`]);
  await prepare(["chmod", "-R", "u+w", `${directory}/repository`]);
  const packed = await Deno.readFile(`${universe}/index/active.json.zst`);
  const bytes = new Uint8Array(zstdDecompressSync(packed));
  await Deno.writeFile(`${directory}/repository/index/active.json`, bytes);
  const index: { readonly packages: readonly IndexEntry[] } = JSON.parse(new TextDecoder().decode(bytes));
  await Deno.mkdir(`${directory}/apt/lists`, { recursive: true });
  await Deno.writeTextFile(`${directory}/apt/Packages`, index.packages.map(renderAptEntry).join(""));
  await Deno.writeFile(`${directory}/universe.db`, gzipSync(renderTar(index.packages.map(renderPacmanEntry))));
}

function aptCommand(directory: string, program: string, ...args: readonly string[]): Invocation {
  const settings = [
    ...[
      `Dir::State=${directory}/apt/state`,
      `Dir::State::status=${directory}/apt/status`,
      `Dir::Cache=${directory}/apt/cache`,
    ],
    ...[
      `Dir::Etc::sourcelist=${directory}/apt/sources.list`,
      "Dir::Etc::sourceparts=/dev/null",
      "Dir::Etc::main=/dev/null",
    ],
    ...[
      "Dir::Etc::parts=/dev/null",
      "Dir::Etc::preferencesparts=/dev/null",
      "APT::Architecture=amd64",
      "APT::Architectures=amd64",
    ],
    ...["Acquire::Languages=none", "APT::Install-Recommends=false", "Debug::NoLocking=true", "APT::Sandbox::User=root"],
  ];
  return { command: [program, ...settings.flatMap((setting) => ["-o", setting]), ...args] };
}

async function prepareApt(directory: string): Promise<void> {
  for (const name of ["state/lists/partial", "cache/archives/partial"]) {
    await Deno.mkdir(`${directory}/apt/${name}`, { recursive: true });
  }
  await Deno.writeTextFile(`${directory}/apt/status`, "");
  await Deno.writeTextFile(`${directory}/apt/sources.list`, `deb [trusted=yes] file:${directory}/apt ./\n`);
  await prepare(aptCommand(directory, "apt-get", "update").command);
}

/** apt takes part in these workloads only: it searches and plans, and leaves installing to dpkg. */
const APT = { name: "apt" } as const;
/** Peers of these workloads, for the table. */
type Named = Pick<Peer, "name">;

async function benchApt(context: Context, names: CatalogueNames, directory: string, rounds: number): Promise<void> {
  const usable = await prepare(["apt-get", "--version"]).then(() => true, () => false);
  if (!usable) {
    context.log("without apt: apt-get is not here");
    return;
  }
  await once(directory, "apt", () => prepareApt(directory));
  const plan = aptCommand(directory, "apt-get", "-s", "-qq", "install", ...DESKTOP);
  const planned = (await prepare(plan.command)).split("\n").filter((line) => line.startsWith("Inst ")).length;
  context.log(`apt plans ${planned} packages`);
  await runCommand(context, names.search, APT, aptCommand(directory, "apt-cache", "search", TERM), rounds);
  await runCommand(context, names.plan, APT, plan, rounds);
}

async function benchPacman(context: Context, peer: Named, names: CatalogueNames, directory: string, rounds: number) {
  const root = `${directory}/pacman/root`;
  await Deno.mkdir(`${root}/var/lib/pacman/sync`, { recursive: true });
  await Deno.mkdir(`${root}/var/lib/pacman/local`, { recursive: true });
  await Deno.copyFile(`${directory}/universe.db`, `${root}/var/lib/pacman/sync/universe.db`);
  const config = `${directory}/pacman/pacman.conf`;
  const lines = ["[options]", "Architecture = x86_64", "SigLevel = Never", `DBPath = ${root}/var/lib/pacman`];
  await Deno.writeTextFile(config, [...lines, "[universe]", `Server = file://${directory}`, ""].join("\n"));
  const search: Invocation = { command: ["pacman", "--root", root, "--config", config, "-Ss", TERM] };
  await runCommand(context, names.search, peer, search, rounds);
}

async function benchPeipkg(
  context: Context,
  peer: Named,
  names: CatalogueNames,
  directory: string,
  place: { readonly program: Program; readonly medium: Medium },
  rounds: number,
): Promise<void> {
  const keys = [...Deno.readDirSync(`${directory}/repository/keys`)].map((entry) => entry.name.replace(/\.pub$/, ""));
  const add = (root: string): Invocation => ({
    command: startProgram(place.program, "main", [
      ...["--root", root, "repo", "add", "universe", `file://${directory}/repository`, "--anchor", keys[0] ?? "", "-y"],
      ...["--max-trusted-age-days", "9999", "--max-index-staleness-days", "9999"],
    ]),
  });
  for (let round = 0; round < rounds; round++) {
    await using root = await openBenchRoot(place.medium, context.scratch);
    await runCommand(context, names.adopt, peer, add(root.path), 1, { warm: false });
  }
  await using root = await openBenchRoot(place.medium, context.scratch);
  await prepare(add(root.path).command);
  const start = (...args: readonly string[]): Invocation => ({
    command: startProgram(place.program, "main", ["--root", root.path, ...args]),
  });
  await runCommand(context, names.search, peer, start("search", TERM), rounds);
  await runCommand(context, names.plan, peer, start("install", "--dry-run", "--allow-stale", ...DESKTOP), rounds);
}

interface CatalogueNames {
  readonly adopt: string;
  readonly search: string;
  readonly plan: string;
}

/**
 * @param universe Directory of the repository, index packed with zstd; `undefined`: left out.
 * @param program peipkg's bundle; `undefined`: only the peers are measured.
 */
export async function runCatalogue(
  context: Context,
  media: readonly Medium[],
  universe: string | undefined,
  program: Program | undefined,
  rounds: number,
): Promise<void> {
  const names: CatalogueNames = {
    adopt: "add a repository of 60,000 packages",
    search: "search in 60,000 packages",
    plan: "plan a desktop on 60,000 packages",
  };
  if (!Object.values(names).some((name) => context.wanted(name))) return;
  if (universe === undefined) {
    context.log("without the large catalogue: name its directory with --universe");
    return;
  }
  const directory = `${context.directory}/catalogue`;
  await once(directory, "catalogue", () => prepareCatalogue(universe, directory));
  const find = (name: string): Peer | undefined => context.peers.find((peer) => peer.name === name);
  const pacman = find("pacman");
  const peipkg = find("peipkg");
  if (peipkg !== undefined && program !== undefined) {
    await benchPeipkg(context, peipkg, names, directory, { program, medium: media[0] ?? "directory" }, rounds);
  }
  if (pacman !== undefined) await benchPacman(context, pacman, names, directory, rounds);
  await benchApt(context, names, directory, rounds);
}
