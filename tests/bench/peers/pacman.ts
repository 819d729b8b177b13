/** pacman from Debian's `pacman-package-manager`, packages packed without makepkg, signatures required. */
import { eachInPairs, isInstalled, LEVEL, once, prepare, SET_NAMES, signingKey } from "../peer.ts";
import type { Invocation, Peer, Source } from "../peer.ts";
import type { BenchPackage } from "../workload.ts";

function fileName({ name, version }: BenchPackage): string {
  return `${name}-${version}-1-any.pkg.tar.zst`;
}

async function packOne(entry: BenchPackage, out: string): Promise<void> {
  const info = [
    ...[`pkgname = ${entry.name}`, `pkgbase = ${entry.name}`, `pkgver = ${entry.version}-1`],
    ...["pkgdesc = benchmark", "builddate = 1767225600", "packager = bench", `size = ${entry.bytes}`, "arch = any", ""],
  ].join("\n");
  await Deno.writeTextFile(`${entry.tree}/.PKGINFO`, info);
  try {
    const options = "!all,use-set,type,uid,gid,mode,time,size,sha256,link";
    const owner = ["--uid", "0", "--gid", "0", "--uname", "root", "--gname", "root"] as const;
    const mtree = await new Deno.Command("bsdtar", {
      args: ["-czf", ".MTREE", ...owner, "--format=mtree", `--options=${options}`, ".PKGINFO", "usr"],
      cwd: entry.tree,
    }).output();
    if (!mtree.success) throw new Error(`bsdtar failed on ${entry.name}`);
    await prepare(
      [
        ...["bsdtar", "-cf", `${out}/${fileName(entry)}`, ...owner, "--zstd", `--options=compression-level=${LEVEL}`],
        ...[".PKGINFO", ".MTREE", "usr"],
      ] as const satisfies readonly [string, ...string[]],
      { cwd: entry.tree },
    );
  } finally {
    for (const name of [".PKGINFO", ".MTREE"]) await Deno.remove(`${entry.tree}/${name}`).catch(() => undefined);
  }
}

function command(root: string, ...args: readonly string[]): Invocation {
  return {
    command: ["pacman", "--noconfirm", "--root", root, "--config", `${root}.pacman.conf`, ...args],
  };
}

export const pacman: Peer = {
  name: "pacman",
  checks: "OpenPGP signature of every package (SigLevel = Required)",
  isDurable: false,
  async missing() {
    for (const program of ["pacman", "repo-add", "bsdtar", "gpg"]) {
      if (!(await isInstalled(program))) return "apt-get install pacman-package-manager makepkg libarchive-tools gnupg";
    }
    return undefined;
  },
  async pack(workload, directory) {
    const { home } = await signingKey(directory);
    for (const set of SET_NAMES) {
      await once(directory, `pacman-${set}`, async () => {
        const out = `${directory}/pacman/${set}`;
        await Deno.mkdir(out, { recursive: true });
        await eachInPairs(workload.sets[set], (entry) => packOne(entry, out));
        const files = workload.sets[set].map((entry) => `${out}/${fileName(entry)}`);
        for (const file of files) {
          await prepare(["gpg", "--homedir", home, "--batch", "--yes", "--detach-sign", "--no-armor", file]);
        }
        // Minutes for thousands of packages, and only this set is installed from a repository.
        if (set === "set") await prepare(["repo-add", "-q", `${out}/bench.db.tar.gz`, ...files]);
      });
    }
  },
  served: (directory) => `${directory}/pacman`,
  async prepareRoot(root, directory) {
    const { home } = await signingKey(directory);
    await Deno.mkdir(`${root}/var/lib/pacman/sync`, { recursive: true });
    const config = [
      ...["[options]", "Architecture = x86_64", "SigLevel = Required DatabaseOptional", "LocalFileSigLevel = Required"],
      ...[`GPGDir = ${home}`, `DBPath = ${root}/var/lib/pacman`, `CacheDir = ${root}/var/cache/pacman/pkg`],
      ...[`LogFile = ${root}/var/log/pacman.log`, `HookDir = ${root}/etc/pacman.d/hooks`, "ParallelDownloads = 4"],
    ];
    await Deno.mkdir(`${root}/var/log`, { recursive: true });
    await Deno.writeTextFile(`${root}.pacman.conf`, config.join("\n") + "\n");
  },
  async offer(root, _directory, set, source) {
    if (source.kind === "files") return;
    await Deno.writeTextFile(`${root}.pacman.conf`, `[bench]\nServer = ${source.url}/${set}\n`, { append: true });
    await prepare(["pacman", "--root", root, "--config", `${root}.pacman.conf`, "-Sy"]);
  },
  install(root, directory, set, packages, source: Source) {
    if (source.kind === "http") return command(root, "-S", ...packages.map(({ name }) => name));
    return command(root, "-U", ...packages.map((entry) => `${directory}/pacman/${set}/${fileName(entry)}`));
  },
  upgrade(root, directory, packages) {
    return command(root, "-U", ...packages.map((entry) => `${directory}/pacman/changed/${fileName(entry)}`));
  },
  remove: (root, packages) => command(root, "-R", ...packages.map(({ name }) => name)),
  verify: (root) => command(root, "-Qkk"),
  list: (root) => command(root, "-Q"),
  owner: (root, path) => command(root, "-Qo", `${root}/${path}`),
  version: () => ({ command: ["pacman", "--version"] }),
};
