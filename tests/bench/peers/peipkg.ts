/** peipkg itself, bundled as the executable is, installing from a signed repository. */
import { bundle, stageSources } from "../../../.build/bundle.ts";
import { permissionFile } from "../../../.build/permissions.ts";
import { RUNTIME_ENVIRONMENT, RUNTIME_OPTIONS } from "../../../.build/runtime_options.ts";
import { eachInPairs, LEVEL, once, prepare, SET_NAMES } from "../peer.ts";
import type { Invocation, Peer, Source } from "../peer.ts";
import type { BenchPackage, SetName } from "../workload.ts";

type Command = readonly [string, ...string[]];

const HOME = new URL("../../..", import.meta.url).pathname;
const TIMESTAMP = "2026-01-01T00:00:00Z";

/** How the three programs are started; decided once by `prepareProgram`. */
export interface Program {
  /** Directory of the bundle. */
  readonly directory: string;
  /** Further options of the runtime (`--cpu-prof …`). */
  readonly runtimeOptions: readonly string[];
}

/** Bundles the tree as `build.ts` does; a fresh bundle each time, since the code changes between runs. */
export async function prepareProgram(directory: string): Promise<Program> {
  await Deno.mkdir(directory, { recursive: true });
  const staged = await Deno.makeTempDir({ dir: directory, prefix: "source-" });
  try {
    await stageSources(HOME, staged, { version: "0.1.0", commit: "benchmark", form: "source" });
    const { files } = await bundle(staged);
    const program = `${directory}/program`;
    await Deno.remove(program, { recursive: true }).catch(() => undefined);
    await Deno.mkdir(program);
    for (const { name, content } of files) await Deno.writeFile(`${program}/${name}`, content);
    await Deno.writeTextFile(`${program}/empty.js`, "");
    const project: object = JSON.parse(await Deno.readTextFile(`${HOME}/deno.json`));
    await Deno.writeTextFile(`${program}/permissions.json`, permissionFile(project));
    return { directory: program, runtimeOptions: [] };
  } finally {
    await Deno.remove(staged, { recursive: true });
  }
}

/** Command line of one of the programs: `main`, `build_main`, `repo_main`, or `empty`, the empty program. */
export function startProgram(program: Program, entry: string, args: readonly string[]): Command {
  return [
    Deno.execPath(),
    ...["run", "-q", "--no-prompt", "--no-lock", "--no-remote", "--no-npm", ...RUNTIME_OPTIONS],
    ...[`--config=${program.directory}/permissions.json`, "-P=peipkg", ...program.runtimeOptions],
    ...[`${program.directory}/${entry}.js`, ...args],
  ];
}

/** Whether a tree must declare `ldconfig`: it has a shared library, wherever it lies (F-MAN-09). */
function hasSharedLibrary(directory: string): boolean {
  return [...Deno.readDirSync(directory)].some((entry) =>
    entry.isDirectory ? hasSharedLibrary(`${directory}/${entry.name}`) : /\.so(?:\.|$)/.test(entry.name)
  );
}

function renderManifest(entry: BenchPackage): string {
  const effects = hasSharedLibrary(entry.tree) ? ["ldconfig"] : [];
  return JSON.stringify({
    ...{ schema_version: 1, name: entry.name, version: `${entry.version}-1`, architecture: "noarch" },
    ...{ description: "benchmark", license: "MIT", homepage: "", dependencies: [], optional_dependencies: [] },
    ...{
      conflicts: [],
      provides: [],
      replaces: [],
      side_effects: effects,
      size_installed: entry.bytes,
      sd_overrides: [],
    },
    build: { timestamp: TIMESTAMP, farm_id: "bench", source_ref: "bench" },
  }) + "\n";
}

export function peipkgPeer(program: Program, quiet: Program): Peer {
  const tool = async (entry: string, ...args: readonly string[]): Promise<string> =>
    await prepare(startProgram(quiet, entry, args));
  const invoke = (root: string, ...args: readonly string[]): Invocation => ({
    command: startProgram(program, "main", ["--root", root, "--no-progress", ...args]),
    env: RUNTIME_ENVIRONMENT,
  });

  const packSet = async (directory: string, set: SetName, packages: readonly BenchPackage[]): Promise<void> => {
    const out = `${directory}/peipkg-files/${set}`;
    const key = `${directory}/peipkg.key`;
    await Deno.mkdir(out, { recursive: true });
    await Deno.mkdir(`${directory}/peipkg`, { recursive: true });
    await eachInPairs(packages, async (entry) => {
      const manifest = `${directory}/peipkg-files/${entry.name}.json`;
      await Deno.writeTextFile(manifest, renderManifest(entry));
      await tool(
        "build_main",
        ...["pack", "--manifest", manifest, "--staged", entry.tree, "--out", out, "--sign-key", key],
        ...["--timestamp", TIMESTAMP, "--level", String(LEVEL)],
      );
    });
    const repository = `${directory}/peipkg/${set}`;
    if (set === "changed") await prepare(["cp", "-a", `${directory}/peipkg/set`, repository]);
    else await tool("repo_main", "init", repository, "--name", "bench", "--sign-key", key, "--timestamp", TIMESTAMP);
    await tool("repo_main", "add", repository, out);
    await tool(
      "repo_main",
      "publish",
      repository,
      "--sign-key",
      key,
      "--timestamp",
      new Date().toISOString().replace(/\.\d+/, ""),
    );
  };

  return {
    name: "peipkg",
    checks: "repository signature, digest and Ed25519 signature of every package",
    isDurable: true,
    async missing() {
      const started = await new Deno.Command(Deno.execPath(), {
        args: startProgram(quiet, "main", ["--version"]).slice(1),
        stdout: "null",
        stderr: "piped",
      }).output();
      return started.success
        ? undefined
        : `it does not start: ${new TextDecoder().decode(started.stderr).slice(0, 300)}`;
    },
    async pack(workload, directory) {
      await once(directory, "peipkg-key", async () => {
        const printed = await tool("repo_main", "keygen", "--out", `${directory}/peipkg.key`);
        const fingerprint = /\b[0-9a-f]{64}\b/.exec(printed)?.[0];
        if (fingerprint === undefined) throw new Error("peipkg-repo keygen printed no fingerprint");
        await Deno.writeTextFile(`${directory}/peipkg.anchor`, fingerprint);
      });
      for (const set of SET_NAMES) {
        await once(directory, `peipkg-${set}`, () => packSet(directory, set, workload.sets[set]));
      }
    },
    served: (directory) => `${directory}/peipkg`,
    prepareRoot: () => Promise.resolve(),
    async offer(root, directory, set, source: Source) {
      const base = source.kind === "http" ? source.url : `file://${directory}/peipkg`;
      const anchor = await Deno.readTextFile(`${directory}/peipkg.anchor`);
      const insecure = source.kind === "http" ? ["--insecure"] : [];
      const isAdded = await Deno.lstat(`${root}/conf/peipkg/bench.repo`).then(() => true, () => false);
      const replace = isAdded ? ["--replace"] : [];
      await tool(
        "main",
        ...[
          "--root",
          root,
          "repo",
          "add",
          "bench",
          `${base}/${set}`,
          "--anchor",
          anchor,
          "-y",
          ...insecure,
          ...replace,
        ],
      );
      await tool("main", "--root", root, "refresh");
    },
    install: (root, _directory, _set, packages) => invoke(root, "install", "-y", ...packages.map(({ name }) => name)),
    upgrade: (root) => invoke(root, "upgrade", "-y"),
    remove: (root, packages) => invoke(root, "remove", "-y", ...packages.map(({ name }) => name)),
    verify: (root) => invoke(root, "verify"),
    list: (root) => invoke(root, "list"),
    owner: (root, path) => invoke(root, "owns", `/${path}`),
    version: () => ({ command: startProgram(program, "main", ["--version"]) }),
  };
}
