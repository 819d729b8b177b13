/**
 * Builds the executables: for each target one file that needs nothing but a C library (compiled) or a C library, a
 * shell, tail and gzip (self-extracting). Nothing else makes an executable, and two builds of the self-extracting
 * form from one commit are equal byte for byte.
 *
 * Usage: deno run -A build.ts [--target x86_64|aarch64|all] [--compiled|--self-extracting] [--out DIR] [--packages]
 *                             [--sign-key FILE]
 *
 * Makes, per target: `peipkg-TARGET` (self-extracting) and `peipkg-TARGET-compiled` where `deno compile` finds a
 * base (DENORT_BIN, Deno's cache, network); `--compiled` or `--self-extracting` asks for one of them. Beside them an
 * SBOM each (`….cdx.json`) and `SHA256SUMS`, with `--sign-key` also `SHA256SUMS.sig`. `bin-TARGET/` holds links under
 * the names of the three programs, which the file goes by; `--as=PROGRAM` as its first argument says the same.
 * `--packages` also packs the product's own packages with the executable just built, signed by the same key.
 */
import { parseArgs } from "node:util";
import { bundle, ENTRIES, stageSources, workerModules } from "./.build/bundle.ts";
import type { Bundle, BundledFile } from "./.build/bundle.ts";
import { layOut, pack } from "./.build/executable.ts";
import { packProduct } from "./.build/packages.ts";
import { permissionFile, permissionFlags } from "./.build/permissions.ts";
import { acquireRuntime, RUNTIMES, sha256, TARGETS } from "./.build/runtime.ts";
import type { Target } from "./.build/runtime.ts";
import { RUNTIME_OPTIONS } from "./.build/runtime_options.ts";
import { renderSbom } from "./.build/sbom.ts";
import { writeSums } from "./.build/sums.ts";

type Form = "compiled" | "self-extracting";

interface BuildOptions {
  readonly targets: readonly Target[];
  readonly forms: readonly Form[];
  /** A form was asked for by name. */
  readonly insist: boolean;
  readonly out: string;
  readonly packages: boolean;
  readonly signKey: string | undefined;
}

interface Facts {
  readonly version: string;
  readonly commit: string;
  /** RFC 3339, of the commit. */
  readonly timestamp: string;
  /** Parsed `deno.json`, which holds the permission list. */
  readonly project: object;
}

const HOME = import.meta.dirname ?? ".";
const CACHE = `${HOME}/.cache/build`;
/** A base comes within this time or not at all; machines without network should not wait for one. */
const COMPILE_MILLISECONDS = 240_000;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

function say(text: string): void {
  console.log(`build: ${text}`);
}

function readOptions(args: readonly string[]): BuildOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "target": { type: "string", default: Deno.build.arch },
      "compiled": { type: "boolean", default: false },
      "self-extracting": { type: "boolean", default: false },
      "out": { type: "string", default: `${HOME}/dist` },
      "packages": { type: "boolean", default: false },
      "sign-key": { type: "string" },
    },
  });
  const targets = TARGETS.filter((target) => values.target === "all" || values.target === target);
  if (targets.length === 0) {
    throw new Error(`cannot build for "${values.target}": targets are ${TARGETS.join(", ")}, all`);
  }
  const forms: Form[] = [];
  if (values["self-extracting"] || !values.compiled) forms.push("self-extracting");
  if (values.compiled || !values["self-extracting"]) forms.push("compiled");
  return {
    targets,
    forms,
    insist: values.compiled,
    out: values.out.startsWith("/") ? values.out : `${Deno.cwd()}/${values.out}`,
    packages: values.packages,
    signKey: values["sign-key"],
  };
}

async function git(...args: readonly string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command("git", { args: ["-C", HOME, ...args], stderr: "null" }).output();
  return success ? decoder.decode(stdout).trim() : "";
}

/** Version from `deno.json`, commit and its date from git; a source archive gives them in the environment. */
async function gatherFacts(): Promise<Facts> {
  const project: unknown = JSON.parse(await Deno.readTextFile(`${HOME}/deno.json`));
  if (
    typeof project !== "object" || project === null || !("version" in project) || typeof project.version !== "string"
  ) {
    throw new Error("deno.json has no version");
  }
  const head = await git("rev-parse", "HEAD").catch(() => "");
  const modified = head !== "" && (await git("status", "--porcelain")) !== "";
  const epoch = Deno.env.get("SOURCE_DATE_EPOCH") ?? (head === "" ? "0" : await git("log", "-1", "--format=%ct"));
  return {
    version: project.version,
    commit: head === "" ? (Deno.env.get("PEIPKG_COMMIT") ?? "unknown") : head + (modified ? "-modified" : ""),
    timestamp: new Date(Number(epoch) * 1000).toISOString().replace(".000Z", "Z"),
    project,
  };
}

const LICENCE_FILE_REGEXP = /^(?:licen[cs]e|copying)(?:\.(?:md|txt))?$/i;

/** What a package says of its licence; packages of mere data bring no such file, so theirs are kept here. */
async function licenceText(name: string, directory: string): Promise<string> {
  for await (const entry of Deno.readDir(directory)) {
    if (LICENCE_FILE_REGEXP.test(entry.name)) return await Deno.readTextFile(`${directory}/${entry.name}`);
  }
  try {
    return await Deno.readTextFile(`${HOME}/.build/licences/${name}.txt`);
  } catch (cause) {
    throw new Error(`cannot bundle ${directory}: it has no licence file`, { cause });
  }
}

async function packageLicence(directory: string): Promise<string> {
  const project: unknown = JSON.parse(await Deno.readTextFile(`${directory}/package.json`));
  const license = typeof project === "object" && project !== null && "license" in project ? project.license : undefined;
  if (typeof license !== "string") throw new Error(`cannot bundle ${directory}: it names no licence`);
  return license;
}

/** The licences of everything in the file, one after the other. */
async function gatherLicences(bundled: Bundle, target: Target): Promise<BundledFile> {
  const pin = RUNTIMES[target];
  const parts = [
    ["peipkg", await Deno.readTextFile(`${HOME}/LICENSE`)],
    [`Deno ${pin.version} (${pin.package})`, await Deno.readTextFile(`${HOME}/.build/licences/deno.txt`)],
  ];
  for (const { name, version, directory } of bundled.packages) {
    parts.push([`${name} ${version}`, await licenceText(name, directory)]);
  }
  const text = parts.map(([title, body = ""]) => `==== ${title}\n\n${body.trim()}\n`).join("\n");
  return { name: "LICENCES.txt", content: encoder.encode(text) };
}

/** The runtime packed; kept between builds under its hash, since packing takes longer than all the rest. */
async function packRuntime(runtime: Uint8Array): Promise<Uint8Array> {
  const path = `${CACHE}/runtime-${sha256(runtime)}.gz`;
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const packed = pack(runtime);
  const temporary = await Deno.makeTempFile({ dir: CACHE });
  await Deno.writeFile(temporary, packed);
  await Deno.rename(temporary, path);
  return packed;
}

async function withStagedSources<Result>(
  facts: Facts,
  form: Form,
  use: (staged: string) => Promise<Result>,
): Promise<Result> {
  await Deno.mkdir(CACHE, { recursive: true });
  const directory = await Deno.makeTempDir({ dir: CACHE, prefix: "stage-" });
  try {
    const builtAt = Math.floor(Date.parse(facts.timestamp) / 1000);
    await stageSources(HOME, `${directory}/source`, { version: facts.version, commit: facts.commit, builtAt, form });
    return await use(`${directory}/source`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function writeExecutable(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.writeFile(`${path}.part`, bytes);
  await Deno.chmod(`${path}.part`, 0o755);
  await Deno.rename(`${path}.part`, path);
}

async function writeSbom(path: string, facts: Facts, target: Target, bundled: Bundle): Promise<void> {
  const packages = await Promise.all(
    bundled.packages.map(async (entry) => ({ ...entry, license: await packageLicence(entry.directory) })),
  );
  const { version, commit, timestamp } = facts;
  const digest = sha256(await Deno.readFile(path));
  const input = { version, commit, timestamp, target, packages, sha256: digest, runtime: RUNTIMES[target] };
  await Deno.writeTextFile(`${path}.cdx.json`, renderSbom(input));
}

async function buildSelfExtracting(options: BuildOptions, facts: Facts): Promise<void> {
  const bundled = await withStagedSources(facts, "self-extracting", bundle);
  const [head, unpacker] = await Promise.all(
    ["head.sh", "unpack.js"].map((name) => Deno.readTextFile(`${HOME}/.build/${name}`)),
  );
  const permissions = { name: "permissions.json", content: encoder.encode(permissionFile(facts.project)) };
  for (const target of options.targets) {
    const runtime = await acquireRuntime(target, CACHE);
    const program = [...bundled.files, permissions, await gatherLicences(bundled, target)];
    const title = `peipkg ${facts.version} ${target} (commit ${facts.commit})`;
    const list = permissionFlags(facts.project);
    const parts = { title, runtime, program, permissions: list, head: head ?? "", unpacker: unpacker ?? "" };
    const file = layOut(parts, await packRuntime(runtime));
    const path = `${options.out}/peipkg-${target}`;
    await writeExecutable(path, file);
    await writeSbom(path, facts, target, bundled);
    const links = `${options.out}/bin-${target}`;
    await Deno.remove(links, { recursive: true }).catch(() => undefined);
    await Deno.mkdir(links);
    for (const name of ["peipkg", "peipkg-build", "peipkg-repo"]) {
      await Deno.symlink(`../peipkg-${target}`, `${links}/${name}`);
    }
    say(`${path} (${(file.length / 2 ** 20).toFixed(1)} MiB, self-extracting)`);
  }
}

/** One entry for the compiled form: takes `--as=PROGRAM` off the arguments and becomes that program. */
function dispatcher(): string {
  const cases = ENTRIES.map((entry) => {
    const name =
      { "cli/main.ts": "peipkg", "cli/build_main.ts": "peipkg-build", "cli/repo_main.ts": "peipkg-repo" }[entry];
    return `  case ${JSON.stringify(name)}:\n    await import("./${entry.slice("cli/".length)}");\n    break;`;
  });
  return `const named = Deno.args[0]?.startsWith("--as=") ? Deno.args[0].slice(5) : undefined;
if (named !== undefined) Object.defineProperty(Deno, "args", { value: Object.freeze(Deno.args.slice(1)) });
switch (named ?? "peipkg") {
${cases.join("\n")}
  default:
    console.error(\`peipkg: unknown program "\${named}"\`);
    Deno.exit(2);
}
`;
}

/** @returns Why there is no compiled executable; `undefined`: there is one. */
async function compileTarget(path: string, facts: Facts, target: Target): Promise<string | undefined> {
  return await withStagedSources(facts, "compiled", async (staged) => {
    await Deno.writeTextFile(`${staged}/cli/any_program.ts`, dispatcher());
    const workers = await workerModules(staged);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["compile", "-q", "--no-check", "--no-prompt", "-P=peipkg", ...RUNTIME_OPTIONS],
        ...workers.flatMap((worker) => ["--include", worker]),
        ...[`--target=${RUNTIMES[target].triple}`, `--output=${path}`, "cli/any_program.ts"],
      ],
      cwd: staged,
      env: { NO_COLOR: "1" },
      stderr: "piped",
      signal: AbortSignal.timeout(COMPILE_MILLISECONDS),
    }).output();
    if (!success) {
      const lines = decoder.decode(stderr).split("\n").map((line) => line.trim());
      return lines.find((line) => line.includes("error sending request")) ?? lines.find((line) => line !== "") ??
        "no reason given";
    }
    if (target !== Deno.build.arch) return undefined;
    // Any file can be appended to; only a real base runs what was appended.
    const started = await new Deno.Command(path, { args: ["--version"], stderr: "null" }).output().catch(() =>
      undefined
    );
    if (started !== undefined && decoder.decode(started.stdout).startsWith(`peipkg ${facts.version}`)) return undefined;
    await Deno.remove(path);
    return "the base that was found does not run programs";
  });
}

/** @returns Whether every target could be compiled. */
async function buildCompiled(options: BuildOptions, facts: Facts): Promise<boolean> {
  let all = true;
  for (const target of options.targets) {
    const path = `${options.out}/peipkg-${target}-compiled`;
    const fault = await compileTarget(path, facts, target);
    if (fault === undefined) {
      const bundled = await withStagedSources(facts, "compiled", bundle);
      await writeSbom(path, facts, target, bundled);
      say(`${path} (${((await Deno.stat(path)).size / 2 ** 20).toFixed(1)} MiB, compiled)`);
    } else {
      all = false;
      say(`no compiled executable for ${target}: no base for deno compile (${fault}); the self-extracting one serves`);
    }
  }
  return all;
}

async function build(options: BuildOptions): Promise<void> {
  const facts = await gatherFacts();
  await Deno.mkdir(options.out, { recursive: true });
  for (const form of options.forms) {
    if (form === "self-extracting") await buildSelfExtracting(options, facts);
    else if (!(await buildCompiled(options, facts)) && options.insist) await buildSelfExtracting(options, facts);
  }
  if (options.packages) {
    for (const target of options.targets) {
      const files = await packProduct({ home: HOME, out: options.out, target, ...facts, signKey: options.signKey });
      for (const file of files) say(file);
    }
  }
  const signer = await writeSums(options.out, options.signKey);
  if (signer !== undefined) say(`SHA256SUMS signed by ${signer}`);
}

try {
  await build(readOptions(Deno.args));
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  Deno.exit(1);
}
