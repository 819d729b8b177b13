/**
 * Bundles the three programs into a handful of script files that import each other only by fixed names, the same
 * bytes whatever directory the tree or the module cache lies in.
 */
import { resolve } from "node:path";
import { prepareStart } from "./start.ts";

export interface BundledFile {
  /** File name, no directory. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** A third-party package whose code is in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** Directory in the module cache. */
  readonly directory: string;
}

export interface Bundle {
  /** Sorted by name. */
  readonly files: readonly BundledFile[];
  /** Sorted by name. */
  readonly packages: readonly BundledPackage[];
}

/** Entry points besides workers, which are found by name. */
export const ENTRIES = ["cli/build_main.ts", "cli/main.ts", "cli/repo_main.ts"] as const;
/** What a build reads of the tree. */
const SOURCES = ["cli", "core", "mod.ts", "deno.json", "deno.lock"] as const;
const NPM_COMMENT_REGEXP = /^\/\/ (\S*\/npm\/registry\.npmjs\.org\/((?:@[^/\s]+\/)?[^/\s]+)\/([^/\s]+))\/(\S+)$/gm;
/** An import whose file the runtime can tell in advance: it would read it, and all behind it, before the first line runs. */
const LATE_IMPORT_REGEXP = /\bimport\(("\.\/[\w.-]+\.js")\)/g;
const CHUNK_REGEXP = /\.\/([\w.-]+-[A-Z0-9]{8})\.js/g;

async function copyTree(from: string, to: string): Promise<void> {
  const status = await Deno.lstat(from);
  if (!status.isDirectory) {
    await Deno.copyFile(from, to);
    return;
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
}

/** Copies what a build needs from `home` to `staged` and stamps the build facts. */
export async function stageSources(
  home: string,
  staged: string,
  info: { readonly version: string; readonly commit: string; readonly builtAt?: number; readonly form: string },
): Promise<void> {
  await Deno.mkdir(staged, { recursive: true });
  for (const name of SOURCES) await copyTree(`${home}/${name}`, `${staged}/${name}`);
  const facts = await Deno.readTextFile(`${home}/cli/build_info.ts`);
  const stamped = facts
    .replace(/^import project .*\n/m, "")
    .replace(/BUILD_INFO: BuildInfo = \{.*\};/, `BUILD_INFO: BuildInfo = ${JSON.stringify(info)};`);
  if (!stamped.includes(info.commit)) throw new Error("cli/build_info.ts has no BUILD_INFO to stamp");
  await Deno.writeTextFile(`${staged}/cli/build_info.ts`, stamped);
}

async function* findWorkers(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* findWorkers(path);
    else if (entry.name.endsWith("_worker.ts")) yield path;
  }
}

/** Worker modules (`…_worker.ts`), relative to the staged tree, sorted. */
export async function workerModules(staged: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const room of ["cli", "core"]) {
    for await (const path of findWorkers(`${staged}/${room}`)) found.push(path.slice(staged.length + 1));
  }
  return found.sort();
}

/** Names chunks by the order in which a walk from the entry points meets them; the bundler's names hash paths. */
function chunkNames(texts: ReadonlyMap<string, string>, entries: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const visit = (file: string): void => {
    for (const match of texts.get(file)?.matchAll(CHUNK_REGEXP) ?? []) {
      const chunk = match[1] ?? "";
      if (names.has(chunk) || !texts.has(`${chunk}.js`)) continue;
      names.set(chunk, `part-${String(names.size + 1).padStart(3, "0")}`);
      visit(`${chunk}.js`);
    }
  };
  for (const entry of entries) visit(entry);
  return names;
}

function collectPackages(texts: Iterable<string>, staged: string): readonly BundledPackage[] {
  const packages = new Map<string, BundledPackage>();
  for (const text of texts) {
    for (const [, path = "", name = "", version = ""] of text.matchAll(NPM_COMMENT_REGEXP)) {
      packages.set(`${name}@${version}`, { name, version, directory: resolve(staged, path) });
    }
  }
  return [...packages.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Bundles a staged tree, code split so that a command loads only what it needs, not minified so that a report of
 * a defect names real places.
 */
export async function bundle(directory: string): Promise<Bundle> {
  // The bundler names module files relative to the directory without links.
  const staged = await Deno.realPath(directory);
  await prepareStart(staged);
  const workers = await workerModules(staged);
  const output = await Deno.makeTempDir({ dir: staged, prefix: "bundle-" });
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "-q", "--platform=deno", "--code-splitting", `--outdir=${output}`, ...ENTRIES, ...workers],
    cwd: staged,
    env: { NO_COLOR: "1" },
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`cannot bundle the programs:\n${new TextDecoder().decode(stderr)}`);
  const texts = new Map<string, string>();
  const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const collect = async (directory: string): Promise<void> => {
    for await (const entry of Deno.readDir(directory)) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory) await collect(path);
      else {texts.set(
          entry.name,
          (await Deno.readTextFile(path)).replaceAll(/(["'])(?:\.\.?\/)+(?=[\w.-]+\.js\1)/g, "$1./"),
        );}
    }
  };
  await collect(output);
  const packages = collectPackages(texts.values(), staged);
  const names = chunkNames(texts, [...ENTRIES, ...workers].map((path) => base(path).replace(/ts$/, "js")));
  const encoder = new TextEncoder();
  const files = [...texts].map(([name, text]) => {
    const renamed = text
      .replaceAll(NPM_COMMENT_REGEXP, "// npm:$2@$3/$4")
      .replaceAll(CHUNK_REGEXP, (whole, chunk: string) => (names.has(chunk) ? `./${names.get(chunk)}.js` : whole))
      .replaceAll(LATE_IMPORT_REGEXP, "import(String($1))")
      .replaceAll(/(["'])(?:\.\.?\/)*(?:[\w-]+\/)*([\w]+_worker)\.ts\1/g, '"./$2.js"');
    return { name: `${names.get(name.slice(0, -3)) ?? name.slice(0, -3)}.js`, content: encoder.encode(renamed) };
  });
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)), packages };
}
