/**
 * Looks at recorded objects one after the other, keeping the buffer and the directory of the last one: rows come in
 * path order. Changes nothing and follows no link; used by the threads of `verify` alike.
 */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { createSha256, sha256Hex } from "../format/hash.ts";
import type { InstalledFile } from "../store/installed.ts";
import type { Directory, FileStatus, RootDirectory } from "../system.ts";

/** What is wrong with an object (C-VERIFY-04). */
export type VerifyKind = "modified" | "missing" | "unreadable" | "type" | "target";

/** How an object differs from what is recorded. */
export interface Difference {
  readonly kind: VerifyKind;
  /** Recorded hash or link text. */
  readonly expected?: string;
  /** Hash or link text found, or the type found. */
  readonly actual?: string;
}

/** What there is to say about one recorded path. */
export interface Finding {
  readonly path: string;
  readonly type: InstalledFile["type"];
  readonly difference: Difference | undefined;
  /** Mode bits somebody should know of (T-VRFY-08). */
  readonly mode: "is writable by others" | "has a set-id bit" | undefined;
}

/** Why an object could not be looked at. */
type Obstacle = "missing" | "unreadable";

const BUFFER_BYTES = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o002;
const SET_ID_BITS = 0o6000;

export class FileInspector implements Disposable {
  readonly #root: RootDirectory;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #presenceOnly: boolean;
  #directoryPath: string | undefined;
  #directory: Directory | Obstacle = "missing";
  #mode: Finding["mode"];

  /** @param presenceOnly Whether each object exists and has its type, and nothing else. */
  constructor(root: RootDirectory, presenceOnly: boolean) {
    this.#root = root;
    this.#presenceOnly = presenceOnly;
  }

  /** @returns `undefined`: there is nothing to say. A refused call is a finding (T-VRFY-09). */
  inspect(file: InstalledFile): Finding | undefined {
    this.#mode = undefined;
    const { path, type } = file;
    const difference = this.#look(path, (directory, base) => this.#compareFile(directory, base, file));
    const mode = this.#mode;
    return difference === undefined && mode === undefined ? undefined : { path, type, difference, mode };
  }

  /** Compares a link that no package recorded as its file (T-VRFY-04). */
  inspectLink(path: string, expected: string): Difference | undefined {
    return this.#look(path, (directory, base) => compareLink(directory, base, expected));
  }

  /** The directory a path lies in; a link on the way counts as absence, because links are not followed (T-VRFY-09). */
  parentOf(path: string): Directory | Obstacle {
    const end = path.lastIndexOf("/");
    // Asked without making the text: consecutive paths mostly share their directory.
    if (this.#directoryPath?.length === end && path.startsWith(this.#directoryPath)) return this.#directory;
    const parent = path.slice(0, end) || "/";
    this[Symbol.dispose]();
    this.#directory = openParent(this.#root, parent);
    this.#directoryPath = parent;
    return this.#directory;
  }

  [Symbol.dispose](): void {
    if (typeof this.#directory === "object") this.#directory[Symbol.dispose]();
    this.#directory = "missing";
    this.#directoryPath = undefined;
  }

  #look(
    path: string,
    compare: (directory: Directory, base: string) => Difference | undefined,
  ): Difference | undefined {
    const directory = this.parentOf(path);
    if (typeof directory === "string") return { kind: directory };
    try {
      return compare(directory, baseName(path));
    } catch (error) {
      if (error instanceof SystemCallError) return { kind: "unreadable" };
      throw error;
    }
  }

  #compareFile(directory: Directory, base: string, file: InstalledFile): Difference | undefined {
    const { type, hash } = file;
    const status = directory.status(base);
    if (status === undefined) return { kind: "missing" };
    if (status.type !== type) return { kind: "type", actual: status.type }; // T-VRFY-01, T-VRFY-02, T-VRFY-03
    if (type === "dir" || this.#presenceOnly) return undefined;
    if (type === "symlink") {
      const target = directory.readLink(base);
      if (target === file.target) return undefined;
      return { kind: "target", actual: target, ...(file.target === undefined ? {} : { expected: file.target }) };
    }
    this.#judgeMode(status);
    const expected = hash === undefined ? {} : { expected: hash };
    if (status.sizeBytes !== file.sizeBytes) return { kind: "modified", ...expected };
    const actual = this.#hash(directory, base, status);
    return actual === hash ? undefined : { kind: "modified", ...expected, actual };
  }

  /** T-VRFY-08 */
  #judgeMode({ mode }: FileStatus): void {
    if ((mode & (WRITABLE_BY_OTHERS | SET_ID_BITS)) === 0 || this.#root.hasKacs) return;
    this.#mode = (mode & WRITABLE_BY_OTHERS) !== 0 ? "is writable by others" : "has a set-id bit";
  }

  #hash(directory: Directory, base: string, status: FileStatus): string {
    const { sizeBytes } = status;
    if (sizeBytes <= BUFFER_BYTES) {
      return sha256Hex(this.#buffer.subarray(0, directory.readFile(base, this.#buffer, sizeBytes)));
    }
    using file = directory.openFile(base);
    const hash = createSha256();
    for (let offset = 0; offset < sizeBytes;) {
      const count = file.readAt(this.#buffer, offset);
      if (count === 0) break; // cut short while we read: the hash will differ
      hash.update(this.#buffer.subarray(0, count));
      offset += count;
    }
    return hash.hex();
  }
}

function openParent(root: RootDirectory, path: string): Directory | Obstacle {
  try {
    return root.openDirectory(path) ?? "missing";
  } catch (error) {
    if (error instanceof PeipkgError) return error.detail.rule === "PATH_SYMLINK" ? "missing" : "unreadable";
    if (error instanceof SystemCallError) return "unreadable";
    throw error;
  }
}

function compareLink(directory: Directory, base: string, expected: string): Difference | undefined {
  const status = directory.status(base);
  if (status === undefined) return { kind: "missing" };
  if (status.type !== "symlink") return { kind: "type", actual: status.type };
  const actual = directory.readLink(base);
  return actual === expected ? undefined : { kind: "target", actual };
}

/** Last component of a logical path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
