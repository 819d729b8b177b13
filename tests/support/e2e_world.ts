/**
 * A private directory for one end-to-end test: a signing key, packages packed from text, a signed repository served on
 * loopback, and an empty root. Everything is made by the real programs; disposing it leaves nothing behind.
 */
import { statfsSync } from "node:fs";
import { type CliOptions, type CliResult, requireStatus, run } from "./cli.ts";
import { serveDirectory, type StaticServer } from "./static_server.ts";

/** Content of a payload file, or a link. */
export type Payload = string | Uint8Array | { readonly link: string };

export interface PackageSpec {
  readonly name: string;
  readonly version: string;
  /** Payload by path without a leading slash. */
  readonly files?: Readonly<Record<string, Payload>>;
  readonly architecture?: string;
  readonly dependencies?: readonly (string | Record<string, unknown>)[];
  readonly conflicts?: readonly (string | Record<string, unknown>)[];
  readonly provides?: readonly (string | Record<string, unknown>)[];
  readonly replaces?: readonly (string | Record<string, unknown>)[];
  readonly optional?: readonly (string | Record<string, unknown>)[];
  readonly sideEffects?: readonly string[];
  /** Security descriptor by payload path without a leading slash. */
  readonly sdOverrides?: Readonly<Record<string, Uint8Array>>;
  readonly description?: string;
  readonly license?: string;
  readonly homepage?: string;
  /** Further members of the manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

/** Room a world in memory may need, with others beside it. */
const MEMORY_BYTES = 1024 ** 3;

/**
 * A place in memory, where there is room: tests about what is said spend most of their time waiting for a disk to be
 * sure of every change. Processes of their own cannot work there: the runtime keeps `/dev` from them.
 */
function memoryDirectory(): { readonly dir?: string } {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > MEMORY_BYTES ? { dir: "/dev/shm" } : {};
  } catch {
    return {}; // there is none here
  }
}

export type Runner = (args: readonly string[], options: CliOptions) => Promise<CliResult>;

const EPOCH = Date.UTC(2026, 0, 2, 3, 4, 5);

export class World implements AsyncDisposable {
  readonly anchor: string;
  readonly #servers: StaticServer[] = [];
  #publications = 0;

  private constructor(readonly directory: string, anchor: string, private readonly runner: Runner) {
    this.anchor = anchor;
  }

  /**
   * @param runner How programs are run: as processes, or inside this one.
   * @param place `memory` only where no program is run as a process.
   */
  static async create(runner: Runner = run, place: "disk" | "memory" = "disk"): Promise<World> {
    const directory = await Deno.realPath(
      await Deno.makeTempDir({
        prefix: "peipkg-e2e-",
        ...(place === "disk" ? {} : memoryDirectory()),
      }),
    );
    const keygen = ["keygen", "--out", `${directory}/key`];
    const program = { program: "peipkg-repo" } as const;
    try {
      const { stdout } = requireStatus(keygen, 0, await runner(keygen, program), program);
      for (const name of ["root", "repositories"]) await Deno.mkdir(`${directory}/${name}`);
      return new World(directory, /\b[0-9a-f]{64}\b/.exec(stdout)?.[0] ?? "", runner);
    } catch (error) {
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  /** Runs a program, insisting on an exit status. */
  async #run(args: readonly string[], status: number, options: CliOptions): Promise<CliResult> {
    return requireStatus(args, status, await this.runner(args, options), options);
  }

  get root(): string {
    return `${this.directory}/root`;
  }

  /** Time of the n-th publication: today, so that no age limit trips, and later each time. */
  #timestamp(): string {
    const today = Math.floor(Date.now() / 1000) - 3600 + this.#publications++;
    return new Date(today * 1000).toISOString().replace(/\.\d+Z$/, "Z");
  }

  /** Packs one package; returns the file's path. */
  async pack(spec: PackageSpec, key = `${this.directory}/key`, out = `${this.directory}/packed`): Promise<string> {
    const stage = await Deno.makeTempDir({ dir: this.directory, prefix: "stage-" });
    await Deno.mkdir(`${stage}/tree`);
    await Deno.mkdir(out, { recursive: true });
    for (const [path, payload] of Object.entries(spec.files ?? {})) {
      const target = `${stage}/tree/${path}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      if (typeof payload === "string") await Deno.writeTextFile(target, payload);
      else if (payload instanceof Uint8Array) await Deno.writeFile(target, payload);
      else await Deno.symlink(payload.link, target);
    }
    await Deno.writeTextFile(`${stage}/manifest.json`, JSON.stringify(manifestOf(spec)));
    const architecture = spec.architecture ?? "noarch";
    const file = `${out}/${spec.name}_${spec.version}_${architecture}.peipkg`;
    await this.#run(
      [
        "pack",
        "--manifest",
        `${stage}/manifest.json`,
        "--staged",
        `${stage}/tree`,
        "--out",
        file,
        "--sign-key",
        key,
        // The default is made for publishing once; tests pack hundreds of small packages.
        "--level",
        "1",
        "--timestamp",
        new Date(EPOCH).toISOString().replace(/\.\d+Z$/, "Z"),
      ],
      0,
      { program: "peipkg-build" },
    );
    await Deno.remove(stage, { recursive: true });
    return file;
  }

  /** Packs and publishes packages in a repository, making it when it does not exist. */
  async publish(specs: readonly PackageSpec[], name = "main"): Promise<void> {
    const repository = this.repository(name);
    const out = await Deno.makeTempDir({ dir: this.directory, prefix: "packed-" });
    for (const spec of specs) await this.pack(spec, `${this.directory}/key`, out);
    const sign = ["--sign-key", `${this.directory}/key`, "--timestamp"];
    const program = { program: "peipkg-repo" as const };
    if (!await exists(repository)) {
      await this.#run(["init", repository, "--name", name, ...sign, this.#timestamp()], 0, program);
    }
    if (specs.length > 0) await this.#run(["add", repository, out], 0, program);
    const refresh = specs.length > 0 ? [] : ["--refresh-date"];
    await this.#run(["publish", repository, ...sign, this.#timestamp(), ...refresh], 0, program);
    await Deno.remove(out, { recursive: true });
  }

  repository(name = "main"): string {
    return `${this.directory}/repositories/${name}`;
  }

  /** The published file of a package. */
  published(spec: PackageSpec, name = "main"): string {
    const file = `${spec.name}_${spec.version}_${spec.architecture ?? "noarch"}.peipkg`;
    return `${this.repository(name)}/p/${spec.name}/${spec.version}/${file}`;
  }

  /** Serves a repository on loopback for the rest of the test. */
  serve(name = "main", before?: (path: string) => Promise<void>): StaticServer {
    const server = serveDirectory(this.repository(name), before);
    this.#servers.push(server);
    return server;
  }

  /** Adds a served repository to the root. */
  async addRepository(url: string, handle = "main", options: readonly string[] = []): Promise<void> {
    await this.expect(["repo", "add", handle, url, "--anchor", this.anchor, "--insecure", "-y", ...options]);
  }

  /** Runs `peipkg --root ROOT …`. */
  peipkg(args: readonly string[], stdin?: string): Promise<CliResult> {
    return this.runner(["--root", this.root, ...args], {
      cwd: this.directory,
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  /** The same, insisting on an exit status. */
  expect(args: readonly string[], status = 0): Promise<CliResult> {
    return this.#run(["--root", this.root, ...args], status, { cwd: this.directory });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function manifestOf(spec: PackageSpec): Record<string, unknown> {
  const entries = (list: PackageSpec["dependencies"]) =>
    (list ?? []).map((item) => typeof item === "string" ? { name: item } : item);
  return {
    schema_version: 1,
    name: spec.name,
    version: spec.version,
    architecture: spec.architecture ?? "noarch",
    description: spec.description ?? `Test package ${spec.name}`,
    license: spec.license ?? "MIT",
    homepage: spec.homepage ?? "",
    dependencies: entries(spec.dependencies),
    optional_dependencies: entries(spec.optional),
    conflicts: entries(spec.conflicts),
    provides: entries(spec.provides),
    replaces: entries(spec.replaces),
    side_effects: spec.sideEffects ?? [],
    size_installed: 0,
    sd_overrides: Object.entries(spec.sdOverrides ?? {}).map(([path, bytes]) => ({
      path,
      sd: bytes.toBase64({ omitPadding: true }),
    })),
    build: { timestamp: "2026-01-02T03:04:05Z", farm_id: "test", source_ref: `test:${spec.name}` },
    ...spec.manifest,
  };
}
