/** Apply order and the names of staged and backup objects, fixed before the journal is written (T-COMMIT-20). */
import { compareBytes } from "../identity/safe_path.ts";
import type { DirectoryPool } from "./directories.ts";
import type { ChangeSet, FileOperation } from "./file_operation.ts";
import {
  backupSuffix,
  baseName,
  childPath,
  freeSiblingName,
  isCut,
  parentPath,
  siblingName,
  stagedSuffix,
} from "./names.ts";

/** New things appear before what may need them, old things leave last (T-COMMIT-20). */
function classOf(change: FileOperation): number {
  if (change.action === "remove") return 3;
  if (change.action === "repoint") return 2;
  if (change.action === "create") return change.isClaim ? 2 : 0;
  return 1;
}

/**
 * Orders the operations, numbers them and names their temporary objects.
 *
 * @param id Transaction id the names carry.
 * @param isPayload Whether a path arrives with a package of this transaction (T-NAME-03).
 */
export function sequenceChanges(
  changes: ChangeSet,
  pool: DirectoryPool,
  id: number,
  isPayload: (path: string) => boolean,
): void {
  changes.operations.sort((a, b) => {
    const byClass = classOf(a) - classOf(b);
    if (byClass !== 0) return byClass;
    const byPlan = classOf(a) === 0 ? 0 : a.operation - b.operation;
    return byPlan !== 0 ? byPlan : compareBytes(a.path, b.path);
  });
  changes.directories.sort(compareBytes);
  changes.nestedDirectories.sort((a, b) => compareBytes(a.path, b.path));
  changes.reclaim = [...new Set(changes.reclaim)].sort((a, b) => depth(b) - depth(a) || compareBytes(b, a));
  const names = new SiblingNames(pool, isPayload);
  const staged = stagedSuffix(id);
  const backup = backupSuffix(id);
  changes.operations.forEach((change, sequence) => {
    change.sequence = sequence;
    const needsBackup = change.action === "replace" || change.action === "remove";
    if (change.action !== "remove") change.stagedPath = names.choose(change.path, staged);
    if (needsBackup) change.backupPath = names.choose(change.path, backup);
  });
}

class SiblingNames {
  /** Names that had to be cut: only these could meet each other. */
  readonly #cut = new Set<string>();

  constructor(readonly pool: DirectoryPool, readonly isPayload: (path: string) => boolean) {}

  choose(path: string, suffix: string): string {
    const parent = parentPath(path);
    const base = baseName(path);
    const directory = this.pool.open(parent);
    const plain = siblingName(base, suffix);
    const isTaken = (name: string): boolean =>
      directory?.status(name) !== undefined || this.isPayload(childPath(parent, name)) ||
      this.#cut.has(childPath(parent, name));
    if (!isCut(base, suffix)) {
      return childPath(parent, isTaken(plain) ? freeSiblingName(base, suffix, isTaken) : plain);
    }
    const path255 = childPath(parent, freeSiblingName(base, suffix, isTaken));
    this.#cut.add(path255);
    return path255;
  }
}

function depth(path: string): number {
  let count = 0;
  for (let index = 0; index < path.length; index++) if (path.charCodeAt(index) === 0x2f) count++;
  return count;
}
