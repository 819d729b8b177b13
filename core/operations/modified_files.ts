/** Which recorded configuration files an operator has edited; asked before a removal would delete them (T-RM-03). */
import type { Database } from "../store/database.ts";
import { readFilesBelow } from "../store/installed.ts";
import type { RootDirectory } from "../system.ts";
import { CONFIG_PREFIXES, ContentReader } from "../transaction/config_files.ts";
import type { ModifiedFile } from "./change_request.ts";

/**
 * Finds the edited configuration files of packages, by package, then path. A file that cannot be read counts as
 * edited: nothing proves that it is not.
 */
export function findModifiedFiles(
  root: RootDirectory,
  database: Database,
  names: readonly string[],
): readonly ModifiedFile[] {
  const reader = new ContentReader();
  const found: ModifiedFile[] = [];
  for (const name of [...names].sort()) {
    // Only what an edit of counts is read: of most packages nothing.
    const files = CONFIG_PREFIXES.flatMap((prefix) => readFilesBelow(database, name, prefix.slice(0, -1)));
    for (const { path, hash } of files) {
      if (hash !== undefined && isEdited(root, reader, path, hash)) found.push({ package: name, path });
    }
  }
  return found;
}

function isEdited(root: RootDirectory, reader: ContentReader, path: string, hash: string): boolean {
  const slash = path.lastIndexOf("/");
  using directory = root.openDirectory(path.slice(0, slash) || "/");
  const name = path.slice(slash + 1);
  const status = directory?.status(name);
  if (directory === undefined || status === undefined) return false; // gone: there is nothing to delete
  try {
    return reader.compare(directory, name, status, hash).kind === "modified";
  } catch {
    return true;
  }
}
