/** dpkg, which checks no signature and syncs every file by itself. */
import { eachInPairs, isInstalled, LEVEL, once, prepare, SET_NAMES } from "../peer.ts";
import type { Invocation, Peer } from "../peer.ts";
import type { BenchPackage } from "../workload.ts";

function fileName({ name, version }: BenchPackage): string {
  return `${name}_${version}-1_all.deb`;
}

async function packOne(entry: BenchPackage, out: string): Promise<void> {
  const control = `${entry.tree}/DEBIAN`;
  await Deno.mkdir(control, { recursive: true });
  try {
    const fields = [
      ...[`Package: ${entry.name}`, `Version: ${entry.version}-1`, "Architecture: all"],
      ...["Maintainer: bench <bench@example.invalid>", "Description: benchmark", ""],
    ].join("\n");
    await Deno.writeTextFile(`${control}/control`, fields);
    const sums = await prepare(["sh", "-c", "find usr -type f -print0 | sort -z | xargs -0 md5sum"], {
      cwd: entry.tree,
    });
    await Deno.writeTextFile(`${control}/md5sums`, sums);
    await prepare([
      "dpkg-deb",
      "-Zzstd",
      `-z${LEVEL}`,
      "--root-owner-group",
      "-b",
      entry.tree,
      `${out}/${fileName(entry)}`,
    ]);
  } finally {
    await Deno.remove(control, { recursive: true });
  }
}

function command(root: string, ...args: readonly string[]): Invocation {
  return { command: ["dpkg", `--root=${root}`, "--force-not-root", "--log=/dev/null", ...args] };
}

export const dpkg: Peer = {
  name: "dpkg",
  checks: "nothing",
  isDurable: true,
  async missing() {
    return (await isInstalled("dpkg")) && (await isInstalled("dpkg-deb")) ? undefined : "apt-get install dpkg";
  },
  async pack(workload, directory) {
    for (const set of SET_NAMES) {
      await once(directory, `dpkg-${set}`, async () => {
        const out = `${directory}/dpkg/${set}`;
        await Deno.mkdir(out, { recursive: true });
        await eachInPairs(workload.sets[set], (entry) => packOne(entry, out));
      });
    }
  },
  served: () => undefined,
  async prepareRoot(root) {
    for (const name of ["info", "updates", "triggers"]) {
      await Deno.mkdir(`${root}/var/lib/dpkg/${name}`, { recursive: true });
    }
    for (const name of ["status", "available"]) await Deno.writeTextFile(`${root}/var/lib/dpkg/${name}`, "");
  },
  offer: () => Promise.resolve(),
  install(root, directory, set, packages) {
    return command(root, "-i", ...packages.map((entry) => `${directory}/dpkg/${set}/${fileName(entry)}`));
  },
  upgrade(root, directory, packages) {
    return command(root, "-i", ...packages.map((entry) => `${directory}/dpkg/changed/${fileName(entry)}`));
  },
  remove: (root, packages) => command(root, "-P", ...packages.map(({ name }) => name)),
  verify: (root) => command(root, "-V"),
  list: (root) => ({ command: ["dpkg-query", `--root=${root}`, "-W"] }),
  owner: (root, path) => ({ command: ["dpkg-query", `--root=${root}`, "-S", `/${path}`] }),
  version: () => ({ command: ["dpkg", "--version"] }),
};
