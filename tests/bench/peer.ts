/** What the benchmark asks of a package manager. Every method names a command; only the runner starts them. */
import type { BenchPackage, SetName, Workload } from "./workload.ts";

export interface Invocation {
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** How package files reach the package manager. */
export type Source = { readonly kind: "files" } | { readonly kind: "http"; readonly url: string };

export interface Peer {
  readonly name: string;
  /** What is checked before a package is unpacked, for the table's legend. */
  readonly checks: string;
  /** Everything is on the disk when the command ends; otherwise the runner adds a sync. */
  readonly isDurable: boolean;
  /** Why it cannot take part, with what would enable it; `undefined`: it can. */
  missing(): Promise<string | undefined>;
  /** Packs all sets into `directory`, once; later runs find them there. */
  pack(workload: Workload, directory: string): Promise<void>;
  /** Directory to serve over HTTP; `undefined`: installs from files only. */
  served(directory: string): string | undefined;
  /** Makes an empty root ready for its first install, not measured. */
  prepareRoot(root: string, directory: string, source: Source): Promise<void>;
  /** Makes a set available to a root, not measured: before an install, and before an upgrade with `changed`. */
  offer(root: string, directory: string, set: SetName, source: Source): Promise<void>;
  install(root: string, directory: string, set: SetName, packages: readonly BenchPackage[], source: Source): Invocation;
  /** Installs `changed` over `set`. */
  upgrade(root: string, directory: string, packages: readonly BenchPackage[], source: Source): Invocation;
  remove(root: string, packages: readonly BenchPackage[]): Invocation;
  verify(root: string): Invocation | undefined;
  list(root: string): Invocation | undefined;
  owner(root: string, path: string): Invocation | undefined;
  version(): Invocation | undefined;
}

const decoder = new TextDecoder();

/** Runs a command that is not measured; throws with its output when it fails. */
export async function prepare(
  command: readonly [string, ...string[]],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly stdin?: Uint8Array } = {},
): Promise<string> {
  const [path, ...args] = command;
  const child = new Deno.Command(path, {
    args,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { LC_ALL: "C.UTF-8", ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(options.stdin);
    await writer.close();
  }
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    throw new Error(
      `${command.slice(0, 6).join(" ")} failed: ${decoder.decode(stderr).slice(-2000)}${
        decoder.decode(stdout).slice(-1000)
      }`,
    );
  }
  return decoder.decode(stdout);
}

/** Runs `work` unless a marker says an earlier run finished it. */
export async function once(directory: string, step: string, work: () => Promise<void>): Promise<void> {
  const marker = `${directory}/.done-${step}`;
  if (await Deno.lstat(marker).then(() => true, () => false)) return;
  await Deno.mkdir(directory, { recursive: true });
  await work();
  await Deno.writeTextFile(marker, "");
}

/** Whether a program starts and knows its version. */
export async function isInstalled(program: string): Promise<boolean> {
  return await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output()
    .then(({ success }) => success, () => false);
}

/** Runs at most two jobs at once. */
export async function eachInPairs<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const iterator = items.values();
  const worker = async (): Promise<void> => {
    for (const item of iterator) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

/** Compression level given to every packer. */
export const LEVEL = 9;

/** Names of the sets, in packing order. */
export const SET_NAMES: readonly SetName[] = ["set", "changed", "tiny", "many", "big", "thousands"];

/** A throwaway signing key, made once: GnuPG home directory and key id. */
export async function signingKey(directory: string): Promise<{ readonly home: string; readonly id: string }> {
  const home = `${directory}/gnupg`;
  await once(directory, "gnupg", async () => {
    await Deno.mkdir(home, { recursive: true });
    await Deno.chmod(home, 0o700);
    await prepare(
      [
        ...["gpg", "--homedir", home, "--batch", "--passphrase", "", "--quick-gen-key", "bench@example.invalid"],
        ...["rsa2048", "sign", "never"],
      ] as const satisfies readonly [string, ...string[]],
    );
  });
  const listed = await prepare(["gpg", "--homedir", home, "--batch", "--with-colons", "--list-secret-keys"]);
  const id = /^fpr:+([0-9A-F]+):/m.exec(listed)?.[1];
  if (id === undefined) throw new Error("gpg made no key");
  return { home, id };
}
