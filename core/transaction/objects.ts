/** Renames, identity and removal of single objects below pinned directories, shared by commit, rollback and cleaning. */
import { ruleError } from "../errors.ts";
import type { Directory, FileStatus } from "../system.ts";
import { hasErrno } from "./failures.ts";

/** File system whose first link or rename may change an inode number (T-COMMIT-24). */
const OVERLAYFS = 0x794c7630n;

/** What a journal row recorded about the object at the final path before the transaction. */
export interface OldIdentity {
  readonly oldType: "file" | "symlink" | "dir" | undefined;
  readonly oldInode: bigint | undefined;
  readonly oldSizeBytes: number | undefined;
  readonly oldMtime: bigint | undefined;
  readonly oldTarget: string | undefined;
}

/** Compares objects with what the journal recorded, knowing which file systems renumber inodes. */
export class IdentityCheck {
  readonly #overlays = new Map<bigint, boolean>();

  /** Whether inode numbers of this file system are no evidence (T-COMMIT-24). */
  isOverlay(directory: Directory): boolean {
    const known = this.#overlays.get(directory.device);
    if (known !== undefined) return known;
    const isOverlay = directory.fileSystemStatus().type === OVERLAYFS;
    this.#overlays.set(directory.device, isOverlay);
    return isOverlay;
  }

  /** Whether an object is the recorded one: type, inode, size, time in nanoseconds, and the target of a link. */
  isOld(directory: Directory, name: string, found: FileStatus, old: OldIdentity): boolean {
    const type = found.type === "other" ? "file" : found.type;
    if (type !== old.oldType || found.sizeBytes !== old.oldSizeBytes || found.mtime !== old.oldMtime) return false;
    if (found.type === "symlink" && directory.readLink(name) !== old.oldTarget) return false;
    return found.inode === old.oldInode || this.isOverlay(directory);
  }
}

/** Renames within one directory and never over something, also where the kernel has no flag for that. */
export function renameNoReplace(directory: Directory, from: string, to: string): void {
  try {
    directory.rename(from, directory, to, { noReplace: true });
    return;
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "ENOSYS")) throw error;
  }
  // T-COMMIT-21: a link is refused when the name exists, which is the same promise in two steps.
  try {
    directory.link(from, directory, to);
    directory.unlink(from);
    return;
  } catch (error) {
    if (!hasErrno(error, ...LINK_REFUSALS)) throw error;
  }
  if (directory.status(to) !== undefined) {
    throw ruleError("PATH_APPEARED", `cannot move ${from} to ${to} in ${directory.path}: something appeared there`, {
      paths: [{ path: `${directory.path}/${to}`, rule: "PATH_APPEARED" }],
    });
  }
  directory.rename(from, directory, to);
}

/** Refusals of `linkat` after which the two-step rename is used (T-COMMIT-23). */
export const LINK_REFUSALS = ["EPERM", "EACCES", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK", "EXDEV"] as const;

/** Removes an object, a directory with everything in it; no link is followed (T-ROLL-20). */
export function removeTree(directory: Directory, name: string, type: FileStatus["type"]): void {
  if (type !== "dir") return directory.unlink(name);
  using child = directory.openDirectory(name);
  if (child === undefined) return;
  for (const entry of child.list().names) {
    const found = child.status(entry);
    if (found !== undefined) removeTree(child, entry, found.type);
  }
  directory.removeDirectory(name);
}
