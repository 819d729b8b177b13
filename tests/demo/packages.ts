/** Stages the packages of the demonstration from real files: this program, its documentation, a library it uses. */
import { fromFileUrl } from "../support/paths.ts";

export interface StagedPackage {
  /** Manifest file for `peipkg-build pack`. */
  readonly manifest: string;
  /** Directory holding the payload tree. */
  readonly tree: string;
}

interface ManifestFields {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly homepage?: string;
  readonly dependencies?: readonly { readonly name: string; readonly constraint?: string }[];
}

const HOME = fromFileUrl(import.meta.url, 3);

async function copyTree(from: string, to: string, accept: (name: string) => boolean): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.isDirectory) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`, accept);
    else if (entry.isFile && accept(entry.name)) await Deno.copyFile(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

async function writeManifest(work: string, fields: ManifestFields): Promise<string> {
  const path = `${work}/${fields.name}_${fields.version}.json`;
  const manifest = {
    schema_version: 1,
    name: fields.name,
    version: fields.version,
    architecture: "noarch",
    description: fields.description,
    license: fields.license,
    homepage: fields.homepage ?? "",
    dependencies: fields.dependencies ?? [],
    optional_dependencies: [],
    conflicts: [],
    provides: [],
    replaces: [],
    side_effects: [],
    size_installed: 0,
    sd_overrides: [],
    build: { timestamp: "2026-01-02T03:04:05Z", farm_id: "demo", source_ref: `demo:${fields.name}` },
  };
  await Deno.writeTextFile(path, JSON.stringify(manifest, null, 2) + "\n");
  return path;
}

/** The program's own source, with a launcher in `usr/bin`. */
export async function stageProgram(work: string, version: string): Promise<StagedPackage> {
  const tree = `${work}/stage/peipkg-${version}`;
  const source = `${tree}/usr/share/peipkg`;
  await copyTree(`${HOME}/core`, `${source}/core`, (name) => name.endsWith(".ts"));
  await copyTree(`${HOME}/cli`, `${source}/cli`, (name) => name.endsWith(".ts"));
  for (const name of ["mod.ts", "deno.json", "deno.lock", "LICENSE"]) {
    await Deno.copyFile(`${HOME}/${name}`, `${source}/${name}`);
  }
  await Deno.mkdir(`${tree}/usr/bin`, { recursive: true });
  await Deno.writeTextFile(
    `${tree}/usr/bin/peipkg`,
    `#!/bin/sh\n# peipkg ${version}\nexec deno run -q --no-prompt --config=/usr/share/peipkg/deno.json -P=peipkg /usr/share/peipkg/cli/main.ts "$@"\n`,
  );
  const manifest = await writeManifest(work, {
    name: "peipkg",
    version,
    description: "Package manager of the Peios operating system",
    license: "MIT",
    dependencies: [{ name: "smol-toml", constraint: ">= 1.9" }],
  });
  return { manifest, tree };
}

/** What is there to read. */
export async function stageDocumentation(work: string, version: string): Promise<StagedPackage> {
  const tree = `${work}/stage/peipkg-doc-${version}`;
  const target = `${tree}/usr/share/doc/peipkg`;
  await copyTree(`${HOME}/docs`, target, (name) => name.endsWith(".md"));
  for (const name of ["README.md", "LICENSE"]) await Deno.copyFile(`${HOME}/${name}`, `${target}/${name}`);
  await Deno.writeTextFile(`${target}/VERSION`, `${version}\n`);
  const manifest = await writeManifest(work, {
    name: "peipkg-doc",
    version,
    description: "Documentation of peipkg",
    license: "MIT",
  });
  return { manifest, tree };
}

/** A library the program uses, from the files its authors published. */
export async function stageLibrary(work: string): Promise<StagedPackage> {
  const { npmCache } = JSON.parse(
    new TextDecoder().decode((await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()).stdout),
  ) as { npmCache: string };
  const config = JSON.parse(await Deno.readTextFile(`${HOME}/deno.json`)) as { imports: Record<string, string> };
  const version = config.imports["smol-toml"]?.split("@").at(-1) ?? "";
  let published: string | undefined;
  for await (const registry of Deno.readDir(npmCache)) {
    const path = `${npmCache}/${registry.name}/smol-toml/${version}`;
    if (await Deno.stat(path).then((status) => status.isDirectory, () => false)) published = path;
  }
  if (published === undefined) throw new Error(`smol-toml ${version} is not in the module cache (${npmCache})`);
  const tree = `${work}/stage/smol-toml`;
  await copyTree(published, `${tree}/usr/share/smol-toml`, (name) => name !== ".registry.json");
  const manifest = await writeManifest(work, {
    name: "smol-toml",
    version: `${version}-1`,
    description: "TOML parser and serialiser for JavaScript",
    license: "BSD-3-Clause",
    homepage: "https://github.com/squirrelchat/smol-toml",
  });
  return { manifest, tree };
}
