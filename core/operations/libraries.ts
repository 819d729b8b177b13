/**
 * Shared libraries of installed packages, read from the files themselves at each call: a read command stores nothing
 * (C-SHLIB-01). Files are reached through pinned directories and links are not followed; what cannot be read counts as
 * no library.
 */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { type ElfLinkage, readElfLinkage } from "../format/elf.ts";
import { compareBytes } from "../identity/safe_path.ts";
import type { Database } from "../store/database.ts";
import { readFiles, readInstalledPackages } from "../store/installed.ts";
import type { Directory, RootDirectory } from "../system.ts";
import { baseName, parentPath } from "../transaction/names.ts";
import type { Workspace } from "./workspace.ts";

/** Libraries of one package, by name, each once. */
export interface PackageLibraries {
  readonly provides: readonly string[];
  readonly requires: readonly string[];
}

/** A package that provides or requires a library. */
export interface LibraryUser {
  readonly name: string;
  readonly version: string;
}

export interface LibraryAnswer {
  readonly library: string;
  readonly provides: readonly LibraryUser[];
  readonly requires: readonly LibraryUser[];
}

/** Trees that hold nothing the loader would load; leaving them out saves opening most files there are. */
const OTHER_TREES = [
  "/boot/",
  "/etc/",
  "/usr/include/",
  "/usr/lib/debug/",
  "/usr/lib/firmware/",
  "/usr/lib/modules/",
  "/usr/share/",
  "/usr/src/",
];
const LIBRARY_NAME_REGEXP = /\.so(?:\.|$)/;
/** An ELF header; nothing shorter is one. */
const LEAST_BYTES = 64;
/** How long reading may keep the event loop from seeing a signal. */
const YIELD_MILLISECONDS = 100;

/** Reads the libraries of files one after the other, keeping the directory of the last one. */
export class LibraryReader implements Disposable {
  #path: string | undefined;
  #directory: Directory | undefined;

  constructor(private readonly root: RootDirectory) {}

  /** Libraries of an installed package. */
  readPackage(database: Database, name: string): PackageLibraries {
    const provides = new Set<string>();
    const requires = new Set<string>();
    for (const { path, type, sizeBytes } of readFiles(database, name)) {
      if (type !== "file" || (sizeBytes ?? 0) < LEAST_BYTES || OTHER_TREES.some((tree) => path.startsWith(tree))) {
        continue;
      }
      const linkage = this.#read(path);
      if (linkage === undefined) continue;
      for (const needed of linkage.needed) requires.add(baseName(needed));
      // A library without a name of its own is found by its file's.
      if (linkage.soname !== undefined) provides.add(baseName(linkage.soname));
      else if (LIBRARY_NAME_REGEXP.test(baseName(path))) provides.add(baseName(path));
    }
    return { provides: [...provides].sort(compareBytes), requires: [...requires].sort(compareBytes) };
  }

  [Symbol.dispose](): void {
    this.#directory?.[Symbol.dispose]();
    this.#directory = undefined;
    this.#path = undefined;
  }

  #read(path: string): ElfLinkage | undefined {
    try {
      const parent = parentPath(path);
      if (parent !== this.#path) {
        this[Symbol.dispose]();
        this.#directory = this.root.openDirectory(parent);
        this.#path = parent;
      }
      if (this.#directory === undefined) return undefined;
      using file = this.#directory.openFile(baseName(path));
      const { sizeBytes } = file.status();
      return readElfLinkage({ sizeBytes, readAt: (buffer, offset) => file.readAt(buffer, offset) });
    } catch (error) {
      if (error instanceof SystemCallError || error instanceof PeipkgError) return undefined;
      throw error;
    }
  }
}

/**
 * Says which packages provide and which require a library.
 *
 * @param library File name; directories before it are ignored.
 * @throws {PeipkgError} `failed` when no installed package has anything to do with it, `interrupted`
 * @see C-SHLIB-01
 */
export async function findLibrary(workspace: Workspace, library: string): Promise<LibraryAnswer> {
  const wanted = baseName(library);
  const provides: LibraryUser[] = [];
  const requires: LibraryUser[] = [];
  await forEachPackage(workspace, (user, libraries) => {
    if (libraries.provides.includes(wanted)) provides.push(user);
    if (libraries.requires.includes(wanted)) requires.push(user);
  });
  if (provides.length > 0 || requires.length > 0) return { library: wanted, provides, requires };
  throw new PeipkgError("failed", `no installed package provides or requires a library named "${wanted}"`);
}

/**
 * Finds required libraries that nothing installed provides.
 *
 * @returns By library, with the packages that require it.
 * @see C-SHLIB-01
 */
export async function findMissingLibraries(workspace: Workspace): Promise<readonly LibraryAnswer[]> {
  const provided = new Set<string>();
  const required = new Map<string, LibraryUser[]>();
  await forEachPackage(workspace, (user, libraries) => {
    for (const name of libraries.provides) provided.add(name);
    for (const name of libraries.requires) {
      const users = required.get(name);
      if (users === undefined) required.set(name, [user]);
      else users.push(user);
    }
  });
  return [...required].filter(([name]) => !provided.has(name))
    .sort(([a], [b]) => compareBytes(a, b))
    .map(([library, requires]) => ({ library, provides: [], requires }));
}

async function forEachPackage(
  workspace: Workspace,
  visit: (user: LibraryUser, libraries: PackageLibraries) => void,
): Promise<void> {
  const { session } = workspace;
  const installed = workspace.read((database) => database === undefined ? [] : readInstalledPackages(database));
  using reader = new LibraryReader(workspace.root);
  let yieldAt = session.system.monotonic() + YIELD_MILLISECONDS;
  for (const { name, version } of installed) {
    if (session.system.monotonic() >= yieldAt) {
      await session.system.sleep(0);
      yieldAt = session.system.monotonic() + YIELD_MILLISECONDS;
    }
    session.signal.throwIfAborted();
    const libraries = workspace.read((database) =>
      database === undefined ? undefined : reader.readPackage(database, name)
    );
    if (libraries !== undefined) visit({ name, version: version.raw }, libraries);
  }
}
