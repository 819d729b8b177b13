/**
 * Files the operator may edit (transactions.md section 11.2): which paths count, and whether one was edited. The
 * recorded hash is always that of the delivered content, never of an edit (T-ETC-09).
 */
import { createSha256 } from "../format/hash.ts";
import type { Directory, FileStatus } from "../system.ts";

/** Below these, recorded regular files are compared before they are replaced or removed; a later layout adds one. */
export const CONFIG_PREFIXES: readonly string[] = ["/etc/"];

const BUFFER_BYTES = 256 * 1024;

/** Whether the operator's edits at a path are kept. */
export function isConfigPath(path: string): boolean {
  return CONFIG_PREFIXES.some((prefix) => path.startsWith(prefix));
}

/** What is found at a recorded configuration file. */
export type ConfigState =
  | { readonly kind: "unmodified" }
  /** `hash` is `undefined` when the object is not a regular file. */
  | { readonly kind: "modified"; readonly hash: string | undefined };

/** Reads files through one buffer; kept per transaction so that hashing allocates nothing per file. */
export class ContentReader {
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  /** SHA-256 of a regular file's content, reached through its pinned parent without following a link (T-PATH-11). */
  hash(directory: Directory, name: string): string {
    using file = directory.openFile(name);
    const hash = createSha256();
    for (let offset = 0;;) {
      const read = file.readAt(this.#buffer, offset);
      if (read === 0) return hash.hex();
      hash.update(this.#buffer.subarray(0, read));
      offset += read;
    }
  }

  /** Copies a regular file's content to a receiver and returns its hash. */
  copy(directory: Directory, name: string, receive: (bytes: Uint8Array) => void): string {
    using file = directory.openFile(name);
    const hash = createSha256();
    for (let offset = 0;;) {
      const read = file.readAt(this.#buffer, offset);
      if (read === 0) return hash.hex();
      const chunk = this.#buffer.subarray(0, read);
      hash.update(chunk);
      receive(chunk);
      offset += read;
    }
  }

  /** Compares a recorded configuration file with what is on disk now. */
  compare(directory: Directory, name: string, found: FileStatus, recordedHash: string): ConfigState {
    if (found.type !== "file") return { kind: "modified", hash: undefined };
    const hash = this.hash(directory, name);
    return hash === recordedHash ? { kind: "unmodified" } : { kind: "modified", hash };
  }
}
