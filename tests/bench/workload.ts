/**
 * What is installed: package trees made of real files of this machine, staged once and reused. Every peer packs the
 * same trees, and every path lies where each of them may write (`usr/share/PACKAGE/…`).
 */
export interface BenchPackage {
  readonly name: string;
  /** `1.0` or `2.0`; each peer adds the release `1` in its own notation. */
  readonly version: string;
  /** Holds `usr/share/NAME/…`. */
  readonly tree: string;
  readonly files: number;
  readonly bytes: number;
}

export type SetName = "set" | "changed" | "tiny" | "many" | "big" | "thousands";

export interface Workload {
  readonly directory: string;
  /** `changed` is `set` with one file in twenty changed and every version raised. */
  readonly sets: Readonly<Record<SetName, readonly BenchPackage[]>>;
}

export interface Sizes {
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
  /** Files of the one package with many. */
  readonly many: number;
  /** Bytes of the one big file. */
  readonly big: number;
  /** Packages of the set that is only listed. */
  readonly thousands: number;
}

export const FULL: Sizes = {
  packages: 116,
  files: 30_000,
  bytes: 0.8 * 2 ** 30,
  many: 5_000,
  big: 500 * 2 ** 20,
  thousands: 2_000,
};
export const QUICK: Sizes = {
  packages: 24,
  files: 3_000,
  bytes: 0.08 * 2 ** 30,
  many: 500,
  big: 50 * 2 ** 20,
  thousands: 200,
};

/** Where real files come from, in this order. */
const SOURCES = ["/usr/share", "/usr/lib", "/usr/include", "/usr/local", "/opt"];
const LARGEST_FILE = 8 * 2 ** 20;
/** Plain names only: no format may have to quote, escape or refuse one. */
const NAME_REGEXP = /^[A-Za-z0-9_+.-]{1,100}$/;

interface SourceFile {
  readonly path: string;
  readonly bytes: number;
}

/** Regular files below `directory` in a fixed order, given out as a depth-first walk. */
function* sourceFiles(directory: string): Generator<SourceFile> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(directory)].sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return;
  }
  for (const entry of entries) {
    if (!NAME_REGEXP.test(entry.name)) continue;
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (entry.isFile && path.length < 180) {
      const { size } = Deno.statSync(path);
      if (size <= LARGEST_FILE) yield { path, bytes: size };
    }
  }
}

/**
 * Chooses files until count and bytes are about right: from a list that is too small on average, big ones are
 * preferred, and the other way round.
 */
function chooseFiles(sizes: Sizes): readonly SourceFile[] {
  const chosen: SourceFile[] = [];
  let bytes = 0;
  const wanted = sizes.bytes / sizes.files;
  for (const source of SOURCES) {
    for (const file of sourceFiles(source)) {
      if (chosen.length >= sizes.files && bytes >= sizes.bytes) return chosen;
      const average = bytes / Math.max(1, chosen.length);
      if (chosen.length > 100 && average > 1.2 * wanted && file.bytes > wanted) continue;
      if (chosen.length > sizes.files && file.bytes < wanted) continue;
      chosen.push(file);
      bytes += file.bytes;
    }
  }
  return chosen;
}

function measureFiles(files: readonly SourceFile[]): { readonly files: number; readonly bytes: number } {
  return { files: files.length, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
}

async function stageFiles(tree: string, name: string, files: readonly SourceFile[]): Promise<void> {
  const made = new Set<string>();
  for (const file of files) {
    const target = `${tree}/usr/share/${name}${file.path}`;
    const directory = target.slice(0, target.lastIndexOf("/"));
    if (!made.has(directory)) await Deno.mkdir(directory, { recursive: true });
    made.add(directory);
    await Deno.copyFile(file.path, target);
    await Deno.chmod(target, 0o644);
  }
}

async function stageSet(directory: string, sizes: Sizes): Promise<readonly BenchPackage[]> {
  const files = chooseFiles(sizes);
  const packages: BenchPackage[] = [];
  const per = Math.ceil(files.length / sizes.packages);
  for (let index = 0; index * per < files.length; index++) {
    const own = files.slice(index * per, (index + 1) * per);
    const name = `bench-set-${String(index).padStart(3, "0")}`;
    const tree = `${directory}/set/${name}`;
    await stageFiles(tree, name, own);
    packages.push({ name, version: "1.0", tree, ...measureFiles(own) });
  }
  return packages;
}

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stderr: "piped" }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
}

/** Copies the set and appends to every twentieth file. */
async function stageChanged(directory: string, set: readonly BenchPackage[]): Promise<readonly BenchPackage[]> {
  await run("cp", "-a", `${directory}/set`, `${directory}/changed`);
  let count = 0;
  const visit = async (path: string): Promise<void> => {
    const entries = [...Deno.readDirSync(path)].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (entry.isDirectory) await visit(`${path}/${entry.name}`);
      else if (++count % 20 === 0) await Deno.writeTextFile(`${path}/${entry.name}`, "changed\n", { append: true });
    }
  };
  await visit(`${directory}/changed`);
  return set.map((entry) => ({ ...entry, version: "2.0", tree: `${directory}/changed/${entry.name}` }));
}

/** Every other block random, the rest text that packs to nothing. */
async function writeHalfCompressible(path: string, bytes: number): Promise<void> {
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  const block = new Uint8Array(2 ** 20);
  const text = new TextEncoder().encode("half of this file compresses well and half of it does not\n");
  for (let written = 0; written < bytes; written += block.length) {
    for (let offset = 0; offset < block.length; offset += 65536) {
      const part = block.subarray(offset, offset + 65536);
      if (offset % 131072 === 0) crypto.getRandomValues(part);
      else for (let at = 0; at < part.length; at++) part[at] = text[at % text.length] ?? 0;
    }
    await file.write(block);
  }
  file.close();
}

async function stageSpecial(directory: string, sizes: Sizes): Promise<Omit<Workload["sets"], "set" | "changed">> {
  const single = (set: string, files: number, bytes: number): BenchPackage => {
    const name = `bench-${set}`;
    return { name, version: "1.0", tree: `${directory}/${set}/${name}`, files, bytes };
  };
  const tiny = single("tiny", 3, 3 * 1024);
  await Deno.mkdir(`${tiny.tree}/usr/share/${tiny.name}`, { recursive: true });
  for (const letter of "abc") {
    await Deno.writeTextFile(`${tiny.tree}/usr/share/${tiny.name}/${letter}`, letter.repeat(1024));
  }
  const files: SourceFile[] = [];
  for (const file of sourceFiles(SOURCES[0] ?? "")) {
    if (file.bytes < 256 * 1024) files.push(file);
    if (files.length === sizes.many) break;
  }
  const many = single("many", files.length, measureFiles(files).bytes);
  await stageFiles(many.tree, many.name, files);
  const big = single("big", 1, sizes.big);
  await Deno.mkdir(`${big.tree}/usr/share/${big.name}`, { recursive: true });
  await writeHalfCompressible(`${big.tree}/usr/share/${big.name}/file`, sizes.big);
  const thousands: BenchPackage[] = [];
  for (let index = 0; index < sizes.thousands; index++) {
    const name = `bench-one-${String(index).padStart(4, "0")}`;
    const tree = `${directory}/thousands/${name}`;
    await Deno.mkdir(`${tree}/usr/share/${name}`, { recursive: true });
    await Deno.writeTextFile(`${tree}/usr/share/${name}/file`, `${name}\n`);
    thousands.push({ name, version: "1.0", tree, files: 1, bytes: name.length + 1 });
  }
  return { tiny: [tiny], many: [many], big: [big], thousands };
}

/**
 * Stages all sets below `directory`, or reads what an earlier run staged there.
 *
 * @param directory Must be named after `sizes`; its content is trusted when complete.
 */
export async function prepareWorkload(directory: string, sizes: Sizes): Promise<Workload> {
  const index = `${directory}/workload.json`;
  try {
    const stored: Workload = JSON.parse(await Deno.readTextFile(index));
    return stored;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.remove(directory, { recursive: true }).catch(() => undefined);
  await Deno.mkdir(directory, { recursive: true });
  const set = await stageSet(directory, sizes);
  const changed = await stageChanged(directory, set);
  const workload = { directory, sets: { set, changed, ...await stageSpecial(directory, sizes) } };
  await Deno.writeTextFile(index, JSON.stringify(workload));
  return workload;
}

/** `116 packages, 30102 files, 0.81 GiB`. */
export function describeSet(set: readonly BenchPackage[]): string {
  const files = set.reduce((sum, entry) => sum + entry.files, 0);
  const bytes = set.reduce((sum, entry) => sum + entry.bytes, 0);
  return `${set.length} package(s), ${files} file(s), ${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
