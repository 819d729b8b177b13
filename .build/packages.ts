/**
 * The product as packages of itself: `peipkg` (the executable, completions and manual pages), `peipkg-doc`, and the
 * third-party libraries in the bundle from their published files. Packed by the executable that was just built, so
 * that a build which cannot pack itself is noticed.
 */
import { pack } from "./executable.ts";
import type { Target } from "./runtime.ts";

export interface ProductOptions {
  readonly home: string;
  /** Holds `peipkg-TARGET`; packages are written here. */
  readonly out: string;
  readonly target: Target;
  readonly version: string;
  readonly commit: string;
  /** RFC 3339; in every manifest and header. */
  readonly timestamp: string;
  /** Signing key for `peipkg-build pack`; absent: unsigned. */
  readonly signKey: string | undefined;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly description: string;
  readonly license: string;
  readonly optionalDependencies: readonly string[];
}

const PROGRAMS = ["peipkg", "peipkg-build", "peipkg-repo"] as const;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

async function writeFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
  await Deno.chmod(path, mode);
}

async function copyTree(from: string, to: string): Promise<void> {
  for await (const entry of Deno.readDir(from)) {
    const path = `${from}/${entry.name}`;
    if (entry.isDirectory) await copyTree(path, `${to}/${entry.name}`);
    else if (entry.isFile) await writeFile(`${to}/${entry.name}`, await Deno.readFile(path));
  }
}

async function isPresent(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/**
 * Stages `peipkg`: the executable under its own name, and for the other two names scripts of one line, since a
 * compiled executable cannot see the name of the link it was started by. Completions and manual pages come from the
 * generators themselves, loaded here only, so that a plain build does not load the product.
 */
async function stageProgram(options: ProductOptions, tree: string): Promise<void> {
  const [{ COMPLETION_PATHS, COMPLETION_SHELLS, completionScript }, { manualPages }, { renderPage }] = await Promise
    .all([
      import("../cli/completion_scripts.ts"),
      import("../cli/man.ts"),
      import("../cli/mdoc.ts"),
    ]);
  const executable = await Deno.readFile(`${options.out}/peipkg-${options.target}`);
  await writeFile(`${tree}/usr/bin/peipkg`, executable, 0o755);
  for (const program of PROGRAMS) {
    if (program !== "peipkg") {
      await writeFile(`${tree}/usr/bin/${program}`, `#!/bin/sh\nexec "\${0%/*}/peipkg" --as=${program} "$@"\n`, 0o755);
    }
    for (const shell of COMPLETION_SHELLS) {
      await writeFile(`${tree}/${COMPLETION_PATHS[shell](program)}`, completionScript(program, shell));
    }
  }
  for (const page of manualPages()) {
    const path = `${tree}/usr/share/man/man${page.section}/${page.name}.${page.section}.gz`;
    await writeFile(path, pack(encoder.encode(renderPage(page))));
  }
  await writeFile(`${tree}/usr/share/licenses/peipkg/LICENSE`, await Deno.readFile(`${options.home}/LICENSE`));
}

async function stageDocumentation(options: ProductOptions, tree: string): Promise<void> {
  const doc = `${tree}/usr/share/doc/peipkg`;
  for (const name of ["README.md", "LICENSE"]) {
    if (await isPresent(`${options.home}/${name}`)) {
      await writeFile(`${doc}/${name}`, await Deno.readFile(`${options.home}/${name}`));
    }
  }
  if (await isPresent(`${options.home}/docs`)) await copyTree(`${options.home}/docs`, `${doc}/docs`);
  await writeFile(
    `${doc}/sbom-${options.target}.cdx.json`,
    await Deno.readFile(`${options.out}/peipkg-${options.target}.cdx.json`),
  );
}

function renderManifest(options: ProductOptions, manifest: Manifest): string {
  return JSON.stringify({
    schema_version: 1,
    name: manifest.name,
    version: manifest.version,
    architecture: manifest.architecture,
    description: manifest.description,
    license: manifest.license,
    homepage: "",
    dependencies: [],
    optional_dependencies: manifest.optionalDependencies.map((name) => ({ name })),
    conflicts: [],
    provides: [],
    replaces: [],
    side_effects: manifest.name === "peipkg" ? ["man-db"] : [],
    size_installed: 0,
    sd_overrides: [],
    build: { timestamp: options.timestamp, farm_id: "build.ts", source_ref: options.commit },
  });
}

async function packTree(options: ProductOptions, runner: string, work: string, manifest: Manifest): Promise<string> {
  const file = `${work}/${manifest.name}.json`;
  await Deno.writeTextFile(file, renderManifest(options, manifest) + "\n");
  const { success, stderr } = await new Deno.Command(runner, {
    args: [
      ...["--as=peipkg-build", "pack", "--manifest", file, "--staged", `${work}/${manifest.name}`],
      ...["--out", options.out, "--timestamp", options.timestamp],
      ...(options.signKey === undefined ? [] : ["--sign-key", options.signKey]),
    ],
    env: { PEIPKG_RUNTIME_DIR: `${work}/runtime` },
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`cannot pack ${manifest.name}: ${decoder.decode(stderr).trim()}`);
  const packed = `${options.out}/${manifest.name}_${manifest.version}_${manifest.architecture}.peipkg`;
  const verified = await new Deno.Command(runner, {
    args: ["--as=peipkg-build", "verify", packed],
    env: { PEIPKG_RUNTIME_DIR: `${work}/runtime` },
    stderr: "piped",
  })
    .output();
  if (!verified.success) throw new Error(`cannot use what was packed: ${decoder.decode(verified.stderr).trim()}`);
  return packed;
}

/** Published files of the libraries in the bundle, as the SBOM names them and the module cache holds them. */
async function stageLibrary(options: ProductOptions, work: string): Promise<Manifest> {
  const project: unknown = JSON.parse(await Deno.readTextFile(`${options.home}/deno.json`));
  const imports = typeof project === "object" && project !== null && "imports" in project ? project.imports : {};
  const pinned = typeof imports === "object" && imports !== null && "smol-toml" in imports ? imports["smol-toml"] : "";
  const version = typeof pinned === "string" ? pinned.slice(pinned.lastIndexOf("@") + 1) : "";
  const resolved = new URL(import.meta.resolve("smol-toml")).pathname;
  const marker = `/smol-toml/${version}/`;
  if (!resolved.includes(marker)) throw new Error(`cannot find the published files of smol-toml ${version}`);
  const directory = resolved.slice(0, resolved.indexOf(marker) + marker.length - 1);
  await copyTree(directory, `${work}/smol-toml/usr/share/javascript/smol-toml`);
  return {
    name: "smol-toml",
    version: `${version}-1`,
    architecture: "noarch",
    description: "TOML parser and serialiser for JavaScript",
    license: "BSD-3-Clause",
    optionalDependencies: [],
  };
}

/**
 * Stages and packs the product's packages for one target.
 *
 * @returns Paths of the packages written.
 */
export async function packProduct(options: ProductOptions): Promise<readonly string[]> {
  const runner = `${options.out}/peipkg-${Deno.build.arch}`;
  const work = await Deno.makeTempDir({ prefix: "peipkg-product-" });
  try {
    await stageProgram(options, `${work}/peipkg`);
    await stageDocumentation(options, `${work}/peipkg-doc`);
    const version = `${options.version}-1`;
    const common = { version, license: "MIT" };
    const manifests: readonly Manifest[] = [
      {
        ...common,
        name: "peipkg",
        architecture: options.target,
        description: "Package manager of the Peios operating system",
        optionalDependencies: ["peipkg-doc"],
      },
      {
        ...common,
        name: "peipkg-doc",
        architecture: "noarch",
        description: "Documentation of the package manager peipkg",
        optionalDependencies: [],
      },
      await stageLibrary(options, work),
    ];
    const files: string[] = [];
    for (const manifest of manifests) files.push(await packTree(options, runner, work, manifest));
    return files;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
