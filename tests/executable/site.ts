/**
 * What an installer brings to a machine: the executable, a signed repository with the product's own package, a shell
 * and a C library, and the repository file. Everything lies in one directory, as on a medium.
 */
import { expectRun } from "../support/cli.ts";
import { canMountRoots } from "../support/privileges.ts";

const ARCHITECTURE = Deno.build.arch;
const TRIPLET = `${ARCHITECTURE}-linux-peios`;
const BUSYBOX = "/usr/bin/busybox";
const decoder = new TextDecoder();

/** Directory of the release under test, made by `main.ts`; absent: these tests have nothing to test. */
export const RELEASE = Deno.env.get("PEIPKG_RELEASE");
export const IS_BRIEF = Deno.env.get("PEIPKG_TEST_BRIEF") !== undefined;
/** The least a machine can have beside the C library. */
const TOOLS = ["sh", "tail", "gzip"];
export const CANNOT_CHROOT = RELEASE === undefined || !canMountRoots();

/** Shared libraries of these programs, loaders included, by their paths on this machine; static ones have none. */
async function librariesOf(...programs: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await new Deno.Command("ldd", { args: [...programs], stderr: "null" }).output();
  const listed = decoder.decode(stdout).split("\n").filter((line) => line.startsWith("\t"));
  return [...new Set(listed.flatMap((line) => /\/\S*\.so[^\s:]*/.exec(line) ?? []))];
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/**
 * Puts the tools into `directory`: busybox where this machine has a static one, else the machine's own.
 *
 * @returns Libraries they and the runtime need.
 */
async function copyTools(directory: string): Promise<readonly string[]> {
  const isStatic = await exists(BUSYBOX) && (await librariesOf(BUSYBOX)).length === 0;
  if (!isStatic) {
    for (const name of TOOLS) await copyInto(directory, await toolPath(name), `/${name}`);
    return await librariesOf(...TOOLS.map((name) => `${directory}/${name}`), Deno.execPath());
  }
  await copyInto(directory, BUSYBOX, "/busybox");
  for (const name of TOOLS) await Deno.symlink("busybox", `${directory}/${name}`);
  return await librariesOf(Deno.execPath());
}

async function toolPath(name: string): Promise<string> {
  return await exists(`/bin/${name}`) ? `/bin/${name}` : `/usr/bin/${name}`;
}

export async function copyInto(root: string, path: string, as = path): Promise<void> {
  const target = root + as;
  await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
  await Deno.copyFile(await Deno.realPath(path), target);
}

/** A root with a shell, two tools and the C library. */
export async function makeBareRoot(root: string): Promise<void> {
  for (const path of await copyTools(`${root}/bin`)) await copyInto(root, path);
  for (const name of ["proc", "tmp", "media", "mnt", "mnt/target"]) await Deno.mkdir(`${root}/${name}`);
}

/** What no package of these brings and a running system has: mount points, and links at the old places. */
export async function makeSkeleton(root: string): Promise<void> {
  await Deno.symlink("usr/bin", `${root}/bin`);
  for (const name of ["proc", "tmp", "media", "lib", "lib64"]) await Deno.mkdir(`${root}/${name}`);
  for await (const { name } of Deno.readDir(`${root}/usr/lib/${TRIPLET}`)) {
    for (const place of ["lib", "lib64"]) {
      await Deno.symlink(`../usr/lib/${TRIPLET}/${name}`, `${root}/${place}/${name}`);
    }
  }
}

export interface Site extends AsyncDisposable {
  readonly directory: string;
  readonly anchor: string;
  /** The executable on the medium. */
  readonly executable: string;
  /** Publishes package files. */
  publish(...files: readonly string[]): Promise<void>;
}

/** The packaged executable of the release. */
export async function releasedPackage(): Promise<string> {
  for await (const entry of Deno.readDir(`${RELEASE}/dist`)) {
    if (/^peipkg_.*\.peipkg$/.test(entry.name)) return `${RELEASE}/dist/${entry.name}`;
  }
  throw new Error("the release has no package of the product");
}

async function pack(directory: string, manifest: Readonly<Record<string, unknown>>, tree: string): Promise<string> {
  const file = `${directory}/${manifest["name"]}.json`;
  await Deno.writeTextFile(file, JSON.stringify(manifest));
  const out = `${directory}/${manifest["name"]}_${manifest["version"]}_${manifest["architecture"]}.peipkg`;
  const arguments_ = ["--manifest", file, "--staged", tree, "--out", out, "--sign-key", `${RELEASE}/release`];
  await expectRun(["pack", ...arguments_, "--timestamp", "2026-01-02T03:04:05Z", "--level", "1"], 0, {
    program: "peipkg-build",
  });
  return out;
}

function manifestOf(name: string, dependencies: readonly string[], sideEffects: readonly string[]) {
  return {
    schema_version: 1,
    name,
    version: "1.0-1",
    architecture: ARCHITECTURE,
    description: `The host's ${name}`,
    license: "GPL-2.0-only",
    homepage: "",
    dependencies: dependencies.map((dependency) => ({ name: dependency })),
    optional_dependencies: [],
    conflicts: [],
    provides: [],
    replaces: [],
    side_effects: sideEffects,
    size_installed: 0,
    sd_overrides: [],
    build: { timestamp: "2026-01-02T03:04:05Z", farm_id: "test", source_ref: `test:${name}` },
  };
}

/** `tools` and `libc`, from the files of this machine. */
async function packHostSoftware(directory: string): Promise<readonly string[]> {
  const tools = `${directory}/stage-tools`;
  const library = `${directory}/stage-libc`;
  for (const path of await copyTools(`${tools}/usr/bin`)) {
    await copyInto(library, path, `/usr/lib/${TRIPLET}/${path.slice(path.lastIndexOf("/") + 1)}`);
  }
  const packed = [
    await pack(directory, manifestOf("tools", [], []), tools),
    await pack(directory, manifestOf("libc", ["tools"], ["ldconfig"]), library),
  ];
  for (const stage of [tools, library]) await Deno.remove(stage, { recursive: true });
  return packed;
}

/** Packs the product again as a later version whose executable differs in one letter of its title. */
export async function packNext(directory: string, version: string): Promise<string> {
  const tree = `${directory}/stage-next`;
  const current = await releasedPackage();
  await expectRun(["unpack", current, tree], 0, { program: "peipkg-build" });
  const path = `${tree}/usr/bin/peipkg`;
  const bytes = await Deno.readFile(path);
  bytes[decoder.decode(bytes.subarray(0, 400)).indexOf("(commit")] = "[".charCodeAt(0);
  await Deno.chmod(path, 0o755);
  await Deno.writeFile(path, bytes);
  const { stdout } = await expectRun(["inspect", "--manifest", current], 0, { program: "peipkg-build" });
  const file = await pack(directory, { ...JSON.parse(stdout), version }, tree);
  await Deno.remove(tree, { recursive: true });
  return file;
}

/** @param directory Made; must lie where those who use it may read. */
export async function openSite(directory: string): Promise<Site> {
  await Deno.mkdir(directory, { recursive: true });
  const repository = `${directory}/repository`;
  const program = { program: "peipkg-repo" } as const;
  let publications = 0;
  /** Recent, since an index must be young to be trusted, and later each time. */
  const signing = () => {
    const time = new Date((Math.floor(Date.now() / 1000) - 3600 + publications++) * 1000);
    return ["--sign-key", `${RELEASE}/release`, "--timestamp", time.toISOString().replace(/\.\d+Z$/, "Z")];
  };
  const publish = async (...files: readonly string[]) => {
    await expectRun(["add", repository, ...files], 0, program);
    await expectRun(["publish", repository, ...signing()], 0, program);
  };
  await expectRun(["init", repository, "--name", "site", ...signing()], 0, program);
  const host = await packHostSoftware(directory);
  await publish(await releasedPackage(), ...host);
  const { stdout } = await expectRun(["inspect", "--signature", host[0] ?? ""], 0, { program: "peipkg-build" });
  const anchor = /\b[0-9a-f]{64}\b/.exec(stdout)?.[0] ?? "";
  const executable = `${directory}/peipkg-${ARCHITECTURE}`;
  await Deno.copyFile(`${RELEASE}/dist/peipkg-${ARCHITECTURE}`, executable);
  await Deno.chmod(executable, 0o755);
  await Deno.writeTextFile(
    `${directory}/site.repo`,
    `base_url = "file:///media/repository"\ntrust_anchors = ["${anchor}"]\n`,
  );
  return {
    directory,
    anchor,
    executable,
    publish,
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `args` in a root with `/proc`, with `media` at `/media`, with no network at all, not even to the machine itself,
 * and with nothing in the environment.
 */
export function inRoot(root: string, media: string, args: readonly string[], user = "0:0"): Deno.Command {
  const script = 'mount -t proc proc "$1/proc" && mount --bind "$2" "$1/media" && root=$1 user=$3 && shift 3 && ' +
    'exec env -i /usr/sbin/chroot --userspec="$user" "$root" "$@"';
  return new Deno.Command("unshare", {
    args: ["--mount", "--net", "/bin/sh", "-c", script, "sh", root, media, user, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

export async function outcome(command: Deno.Command): Promise<Outcome> {
  const { code, stdout, stderr } = await command.output();
  return { status: code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
