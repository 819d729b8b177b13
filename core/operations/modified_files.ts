/** Which recorded configuration files an operator has edited; asked before a removal would delete them (T-RM-03). */
import type { Database } from "../store/database.ts";
import { readFiles } from "../store/installed.ts";
import type { RootDirectory } from "../system.ts";
import { ContentReader, isConfigPath } from "../transaction/config_files.ts";
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
    for (const file of readFiles(database, name)) {
      if (file.type !== "file" || file.hash === undefined || !isConfigPath(file.path)) continue;
      if (isEdited(root, reader, file.path, file.hash)) found.push({ package: name, path: file.path });
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
