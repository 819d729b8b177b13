import type { Directory, RootDirectory } from "../system.ts";

/** Replaces (or creates) a small file so that a reader sees the old or the new bytes whole, also after a power cut. */
export function writeFileDurably(directory: Directory, name: string, bytes: Uint8Array, mode: number): void {
  throw new Error(`not built: ${directory.path} ${name} ${bytes.length} ${mode}`);
}

/** Removes a file and makes the removal durable; false when it did not exist. */
export function removeDurably(directory: Directory, name: string): boolean {
  throw new Error(`not built: ${directory.path} ${name}`);
}

/**
 * Opens a directory by logical path, creating what is missing (each created directory gets `mode` and its parent is
 * synced). No component may be a link.
 */
export function openOrCreateDirectory(root: RootDirectory, path: string, mode: number): Directory {
  throw new Error(`not built: ${root.path} ${path} ${mode}`);
}

/** Opens a child directory, creating it durably when it is missing. */
export function openOrCreateChild(directory: Directory, name: string, mode: number): Directory {
  throw new Error(`not built: ${directory.path} ${name} ${mode}`);
}

/**
 * Reads a small file whole.
 *
 * @returns `undefined` when it does not exist.
 * @throws {SystemCallError} `EFBIG` when it holds more than `limitBytes`; `ELOOP` for a link.
 */
export function readSmallFile(directory: Directory, name: string, limitBytes: number): Uint8Array | undefined {
  throw new Error(`not built: ${directory.path} ${name} ${limitBytes}`);
}
