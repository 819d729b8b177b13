/**
 * The runtime inside self-extracting executables: which one, where from, and proof that it is that one. The npm
 * registry is the source; both the registry's tarball and the binary in it are pinned by hash, so nothing the
 * network says is trusted.
 */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";

export type Target = "x86_64" | "aarch64";
export const TARGETS: readonly Target[] = ["x86_64", "aarch64"];

export interface RuntimePin {
  /** npm package and exact version. */
  readonly package: string;
  readonly version: string;
  /** SHA-512 of the registry's tarball, in the registry's own notation. */
  readonly integrity: string;
  /** SHA-256 of `package/deno` inside it, hex. */
  readonly sha256: string;
  /** Target triple of `deno compile`. */
  readonly triple: string;
}

/**
 * aarch64 is one patch release behind: the registry reachable from the build machines holds no 2.9.6 of that
 * package, and a hash nobody could compute cannot be pinned. The executable's SBOM and `--version -v` show it.
 */
export const RUNTIMES: Readonly<Record<Target, RuntimePin>> = {
  x86_64: {
    package: "@deno/linux-x64-glibc",
    version: "2.9.6",
    integrity: "sha512-3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==",
    sha256: "bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0",
    triple: "x86_64-unknown-linux-gnu",
  },
  aarch64: {
    package: "@deno/linux-arm64-glibc",
    version: "2.9.5",
    integrity: "sha512-IuYjsz9PGl7CJcNXMuN27KNDB8Q40brK3SG3l+TXMDVW61ZKwcn0fQHBHnXFiiygEwI8by/fKnASEluhZB1atw==",
    sha256: "e1a70c5eb03b0ebaf761077029ef86b9ba22d50e2b54ca45ce5437457f701b63",
    triple: "aarch64-unknown-linux-gnu",
  },
};

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Content of `name` in an npm tarball; they are plain ustar archives of regular files. */
function tarMember(tar: Uint8Array, name: string): Uint8Array {
  const text = new TextDecoder();
  for (let offset = 0; offset + 512 <= tar.length;) {
    const entry = text.decode(tar.subarray(offset, offset + 100)).replace(/\0.*$/s, "");
    const size = parseInt(text.decode(tar.subarray(offset + 124, offset + 136)), 8);
    if (entry === name) return tar.subarray(offset + 512, offset + 512 + size);
    if (Number.isNaN(size)) break;
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`cannot find ${name} in the runtime's tarball`);
}

async function downloadTarball(pin: RuntimePin, cache: string): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir({ dir: cache });
  try {
    const { success, stderr } = await new Deno.Command("npm", {
      args: ["pack", `${pin.package}@${pin.version}`, "--pack-destination", directory, "--silent", "--ignore-scripts"],
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(
        `cannot fetch ${pin.package}@${pin.version} with npm: ${new TextDecoder().decode(stderr).trim()}`,
      );
    }
    for await (const entry of Deno.readDir(directory)) return await Deno.readFile(`${directory}/${entry.name}`);
    throw new Error(`npm pack left no file for ${pin.package}@${pin.version}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/**
 * Bytes of the pinned runtime: from the build cache, from the running runtime when it is the pinned one, else from
 * the npm registry. Wherever they come from, their hash decides.
 *
 * @param cache Directory for what was fetched; created.
 */
export async function acquireRuntime(target: Target, cache: string): Promise<Uint8Array> {
  const pin = RUNTIMES[target];
  const cached = `${cache}/deno-${pin.version}-${target}`;
  for (const path of [cached, ...(Deno.build.arch === target ? [Deno.execPath()] : [])]) {
    const bytes = await readIfPresent(path);
    if (bytes !== undefined && sha256(bytes) === pin.sha256) return bytes;
  }
  await Deno.mkdir(cache, { recursive: true });
  const tarball = await downloadTarball(pin, cache);
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  if (integrity !== pin.integrity) {
    throw new Error(
      `cannot use ${pin.package}@${pin.version}: its integrity is ${integrity}, pinned is ${pin.integrity}`,
    );
  }
  const runtime = tarMember(gunzipSync(tarball), "package/deno");
  if (sha256(runtime) !== pin.sha256) throw new Error(`cannot use ${pin.package}@${pin.version}: wrong binary inside`);
  await Deno.writeFile(cached, runtime);
  return runtime;
}

/** The program interpreter an ELF executable asks for: the C library's loader, `/lib64/ld-linux-x86-64.so.2`. */
export function loaderOf(elf: Uint8Array): string {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const headers = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  for (let index = 0; index < view.getUint16(56, true); index++) {
    const header = headers + index * size;
    if (view.getUint32(header, true) !== 3) continue; // PT_INTERP
    const offset = Number(view.getBigUint64(header + 8, true));
    const length = Number(view.getBigUint64(header + 32, true));
    return new TextDecoder().decode(elf.subarray(offset, offset + length - 1));
  }
  throw new Error("the runtime names no loader");
}
