/** Whether a directory may give way to a file: it must hold nothing of anybody else's (T-DIFF-07). */
import { findOwnersLike } from "../store/installed.ts";
import type { Directory } from "../system.ts";
import { isConfigPath } from "./config_files.ts";
import type { Diff } from "./diff.ts";
import { childPath } from "./names.ts";

/** Whether anything below `path` belongs to a package that stays, to nobody, or was edited. */
export function blocksTypeChange(diff: Diff, path: string): boolean {
  const { database, scope, pool } = diff.context;
  if (findOwnersLike(database, `${literalGlob(path)}/*`).some((owner) => !scope.touched.has(owner.package))) {
    return true;
  }
  return holdsForeign(diff, pool.need(path), path);
}

/** A glob pattern that matches exactly this text. */
function literalGlob(text: string): string {
  return text.replace(/[*?[]/g, "[$&]");
}

function holdsForeign(diff: Diff, directory: Directory, path: string): boolean {
  const { names, undecodable } = directory.list();
  return undecodable > 0 || names.some((name) => isForeign(diff, directory, name, childPath(path, name)));
}

function isForeign(diff: Diff, directory: Directory, name: string, path: string): boolean {
  const { scope, reader } = diff.context;
  const found = directory.status(name);
  if (found === undefined) return false;
  if (found.type === "dir") {
    if (!scope.leavingDirectoryPaths.has(path)) return true;
    using child = directory.openDirectory(name);
    return child !== undefined && holdsForeign(diff, child, path);
  }
  const recorded = scope.leavingFiles.get(path);
  if (recorded === undefined) return true;
  if (!isConfigPath(path) || recorded.hash === undefined) return false;
  return reader.compare(directory, name, found, recorded.hash).kind === "modified";
}
