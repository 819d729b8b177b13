/** What a name below a root may be, and the refusals of paths; shared by every implementation of a tree. */
import { ruleError, SystemCallError } from "../errors.ts";

/** The logical path of `name` in the directory `parent`. */
export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** Refuses what is not one component of a path (T-PATH-05). */
export function checkName(name: string, call: string, parent: string): void {
  const isName = name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0") &&
    name.isWellFormed();
  if (!isName) throw new SystemCallError("EINVAL", call, joinPath(parent, name));
}

/** Components of a logical path; none for `/`. */
export function pathComponents(path: string): readonly string[] {
  if (path === "/") return [];
  if (!path.startsWith("/")) throw new SystemCallError("EINVAL", "openat2", path);
  const names = path.slice(1).split("/");
  for (const name of names) checkName(name, "openat2", path);
  return names;
}

/** The refusal of a link, or of anything else that is no directory, on the way to `path` (T-PATH-02). */
export function linkOnPath(path: string): Error {
  return ruleError(
    "PATH_SYMLINK",
    `cannot open directory "${path}": a component is a symbolic link or not a directory, links are not followed`,
    { path },
  );
}

/** The refusal of a directory in which others may swap names (T-PATH-09). */
export function unsafeDirectory(path: string): Error {
  return ruleError(
    "PATH_UNSAFE_DIR",
    `cannot use directory "${path}": everybody may write to it and it has no sticky bit, so others could swap files`,
    { path, hint: `take the write permission from others, as in "chmod o-w ${path}"` },
  );
}
