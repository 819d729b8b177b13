/** Fresh places to install into, one per measured root: a new tmpfs or a new ext4 image, else a plain directory. */
import { prepare } from "./peer.ts";

export type Medium = "tmpfs" | "ext4" | "directory";

export interface BenchRoot extends AsyncDisposable {
  /** The root itself; its parent is the mounted file system. */
  readonly path: string;
  readonly medium: Medium;
  /** Bytes written to the device (ext4) or held (tmpfs) so far; `undefined` where nobody counts. */
  written(): Promise<number | undefined>;
}

/** Sectors written since boot, the seventh field of a block device's statistics. */
async function sectorsWritten(device: string): Promise<number> {
  const fields = (await Deno.readTextFile(`/sys/block/${device}/stat`)).trim().split(/\s+/);
  return Number(fields[6]);
}

async function bytesHeld(path: string): Promise<number> {
  const lines = (await prepare(["df", "--block-size=1", "--output=used", path])).trim().split("\n");
  return Number(lines.at(-1));
}

async function openTmpfs(scratch: string): Promise<BenchRoot> {
  const mount = await Deno.makeTempDir({ dir: scratch, prefix: "tmpfs-" });
  await prepare(["mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "bench", mount]);
  await Deno.mkdir(`${mount}/root`);
  return {
    path: `${mount}/root`,
    medium: "tmpfs",
    written: () => bytesHeld(mount),
    async [Symbol.asyncDispose]() {
      await prepare(["umount", mount]);
      await Deno.remove(mount);
    },
  };
}

async function openExt4(scratch: string): Promise<BenchRoot> {
  const mount = await Deno.makeTempDir({ dir: scratch, prefix: "ext4-" });
  const image = `${mount}.img`;
  await prepare(["truncate", "-s", "4G", image]);
  await prepare(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]);
  const device = (await prepare(["losetup", "--find", "--show", image])).trim();
  await prepare(["mount", "-t", "ext4", device, mount]);
  await Deno.mkdir(`${mount}/root`);
  await prepare(["sync", "-f", mount]);
  const name = device.slice(device.lastIndexOf("/") + 1);
  const before = await sectorsWritten(name);
  return {
    path: `${mount}/root`,
    medium: "ext4",
    async written() {
      await prepare(["sync", "-f", mount]);
      return (await sectorsWritten(name) - before) * 512;
    },
    async [Symbol.asyncDispose]() {
      await prepare(["umount", mount]);
      await prepare(["losetup", "-d", device]);
      await Deno.remove(image);
      await Deno.remove(mount);
    },
  };
}

async function openDirectory(scratch: string): Promise<BenchRoot> {
  const parent = await Deno.makeTempDir({ dir: scratch, prefix: "directory-" });
  await Deno.mkdir(`${parent}/root`);
  return {
    path: `${parent}/root`,
    medium: "directory",
    written: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Deno.remove(parent, { recursive: true }),
  };
}

export async function openBenchRoot(medium: Medium, scratch: string): Promise<BenchRoot> {
  if (medium === "tmpfs") return await openTmpfs(scratch);
  if (medium === "ext4") return await openExt4(scratch);
  return await openDirectory(scratch);
}

/** Media this machine lets us mount, with the reason for each that it does not. */
export async function usableMedia(
  scratch: string,
): Promise<{ readonly media: readonly Medium[]; readonly reasons: readonly string[] }> {
  const media: Medium[] = [];
  const reasons: string[] = [];
  for (const medium of ["tmpfs", "ext4"] as const) {
    try {
      await using _root = await openBenchRoot(medium, scratch);
      media.push(medium);
    } catch (error) {
      reasons.push(`${medium}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    }
  }
  if (media.length === 0) media.push("directory");
  return { media, reasons };
}
