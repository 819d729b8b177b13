/** The least any package manager must do: unpack, hash every file, sync once. Runs the system's own tools. */
import { eachInPairs, LEVEL, once, prepare, SET_NAMES } from "../peer.ts";
import type { Invocation, Peer } from "../peer.ts";
import type { BenchPackage } from "../workload.ts";

const UNPACK = 'root=$1; shift; for file; do zstd -dcq "$file" | tar -x -C "$root" || exit 1; done';
const HASH = 'find "$root" -type f -print0 | xargs -0 sha256sum >"$root.sums"';

function invocation(root: string, files: readonly string[]): Invocation {
  return { command: ["sh", "-c", `${UNPACK}; ${HASH}`, "sh", root, ...files] };
}

export const floor: Peer = {
  name: "floor",
  checks: "nothing: zstd -dc | tar -x, SHA-256 of every file",
  isDurable: false,
  missing: () => Promise.resolve(undefined),
  async pack(workload, directory) {
    for (const set of SET_NAMES) {
      await once(directory, `floor-${set}`, async () => {
        await Deno.mkdir(`${directory}/floor/${set}`, { recursive: true });
        await eachInPairs(workload.sets[set], async ({ name, tree }) => {
          const script = `tar -cf - --sort=name --owner=0 --group=0 usr | zstd -q -${LEVEL} -o "$1"`;
          await prepare(["sh", "-c", script, "sh", `${directory}/floor/${set}/${name}.tar.zst`], { cwd: tree });
        });
      });
    }
  },
  served: () => undefined,
  prepareRoot: () => Promise.resolve(),
  offer: () => Promise.resolve(),
  install(root, directory, set, packages) {
    return invocation(root, packages.map(({ name }: BenchPackage) => `${directory}/floor/${set}/${name}.tar.zst`));
  },
  upgrade(root, directory, packages) {
    return invocation(root, packages.map(({ name }: BenchPackage) => `${directory}/floor/changed/${name}.tar.zst`));
  },
  remove: (root) => ({ command: ["rm", "-rf", `${root}/usr`] }),
  verify: (root) => ({ command: ["sha256sum", "--quiet", "-c", `${root}.sums`] }),
  list: () => undefined,
  owner: () => undefined,
  version: () => undefined,
};
