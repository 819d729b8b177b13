/**
 * Step 11: the renames (T-COMMIT-20 to T-COMMIT-29).
 *
 * 1. Before the first rename, journal, staged content and every backup name are durable (T-COMMIT-09, T-COMMIT-10).
 * 2. A replaced path is never absent where the file system permits (T-DIFF-14, T-COMMIT-22).
 * 3. An object is displaced only if it is the one recorded (T-COMMIT-24), and nothing that appeared since is
 *    overwritten (T-COMMIT-21).
 * 4. After each rename the object at the final path is the one staged (T-COMMIT-27).
 * 5. No rename crosses a directory (T-COMMIT-28).
 */
import { ruleError } from "../errors.ts";
import type { Directory } from "../system.ts";
import { asFailure, hasErrno } from "./failures.ts";
import type { FileOperation } from "./file_operation.ts";
import { baseName, parentPath } from "./names.ts";
import { renameNoReplace } from "./objects.ts";
import { pathChanged, requireOld, type StageContext } from "./stage.ts";

/** Longest stretch of apply without a turn of the event loop, in which a signal can be noticed (T-COMMIT-29). */
export const YIELD_MILLISECONDS = 100;
/** Reading the clock costs as much as a short rename: it is looked at once in this many operations. */
const CLOCK_EVERY = 16;

/**
 * Applies every operation in order.
 *
 * @throws {PeipkgError} The failure; the caller rolls back. The signal's reason when cancelled between two operations.
 */
export async function applyChanges(context: StageContext, operations: readonly FileOperation[]): Promise<void> {
  const { session } = context;
  let yielded = session.system.monotonic();
  for (let index = 0; index < operations.length; index++) {
    const change = operations[index];
    if (change === undefined) continue;
    if (session.signal.aborted) throw session.signal.reason;
    applyOne(context, change);
    if (index % CLOCK_EVERY !== CLOCK_EVERY - 1) continue;
    if (session.system.monotonic() - yielded < YIELD_MILLISECONDS) continue;
    await turn(context);
    yielded = session.system.monotonic();
  }
}

/** Yields one full turn to the event loop, so that signal listeners run; then obeys a cancellation. */
export async function turn(context: Pick<StageContext, "session">): Promise<void> {
  await context.session.system.sleep(0);
  if (context.session.signal.aborted) throw context.session.signal.reason;
}

function applyOne(context: StageContext, change: FileOperation): void {
  const directory = context.pool.need(parentPath(change.path));
  try {
    applyIn(context, directory, change);
  } catch (error) {
    throw asFailure(error, change.action === "remove" ? "remove" : "put in place", change.path);
  }
  context.durability.touch(directory);
}

function applyIn(context: StageContext, directory: Directory, change: FileOperation): void {
  const name = baseName(change.path);
  const staged = baseName(change.stagedPath ?? "");
  const backup = baseName(change.backupPath ?? "");
  switch (change.action) {
    case "create":
      appear(directory, staged, name, change.path);
      break;
    case "replace":
      if (change.isUnshielded) {
        requireOld(context, directory, name, change);
        renameNoReplace(directory, name, backup);
      } else requireShielded(directory, name, backup, change.path);
      directory.rename(staged, directory, name);
      break;
    case "repoint":
      if (linkText(directory, name) !== change.oldTarget) throw pathChanged(change.path);
      directory.rename(staged, directory, name); // T-COMMIT-26
      break;
    case "remove":
      requireOld(context, directory, name, change);
      renameNoReplace(directory, name, backup); // T-COMMIT-25
      return;
  }
  requireStaged(directory, name, change);
}

function appear(directory: Directory, staged: string, name: string, path: string): void {
  try {
    renameNoReplace(directory, staged, name);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
    throw ruleError("PATH_APPEARED", `cannot create ${path}: something appeared there during the transaction`, {
      paths: [{ path, rule: "PATH_APPEARED" }],
      cause: error,
    });
  }
}

/** Both names are one inode, so that replacing the first loses nothing. */
function requireShielded(directory: Directory, name: string, backup: string, path: string): void {
  const first = directory.status(name);
  const second = directory.status(backup);
  if (first === undefined || second === undefined || first.inode !== second.inode) throw pathChanged(path);
}

function requireStaged(directory: Directory, name: string, change: FileOperation): void {
  if (directory.status(name)?.inode === change.stagedInode) return;
  // Back beside its destination at once, where rolling back removes it; at the final path it would be undecidable.
  if (change.action !== "repoint") renameNoReplace(directory, name, baseName(change.stagedPath ?? ""));
  throw ruleError(
    "STAGED_TAMPERED",
    `cannot put ${change.path} in place: the staged object was exchanged`,
    { paths: [{ path: change.path, rule: "STAGED_TAMPERED" }] },
  );
}

function linkText(directory: Directory, name: string): string | undefined {
  return directory.status(name)?.type === "symlink" ? directory.readLink(name) : undefined;
}
