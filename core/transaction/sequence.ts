/** Apply order and the names of staged and backup objects, fixed before the journal is written (T-COMMIT-20). */
import { byteOrderOf, compareBytes } from "../identity/safe_path.ts";
import type { Directory } from "../system.ts";
import type { DirectoryPool } from "./directories.ts";
import type { ChangeSet, FileOperation } from "./file_operation.ts";
import { backupSuffix, baseName, childPath, freeSiblingName, isCut, parentPath, stagedSuffix } from "./names.ts";

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
  const compare = byteOrderOf(changes.operations, ({ path }) => path);
  changes.operations.sort((a, b) => {
    const byClass = classOf(a) - classOf(b);
    if (byClass !== 0) return byClass;
    const byPlan = classOf(a) === 0 ? 0 : a.operation - b.operation;
    return byPlan !== 0 ? byPlan : compare(a.path, b.path);
  });
  const removals = changes.operations.findIndex(({ action }) => action === "remove");
  changes.bringing = removals < 0 ? changes.operations : changes.operations.slice(0, removals);
  changes.directories.sort(compareBytes);
  changes.nestedDirectories.sort((a, b) => compareBytes(a.path, b.path));
  changes.reclaim = deepestFirst(new Set(changes.reclaim));
  const counts = countByDirectory(changes);
  changes.parents = [...counts.keys()];
  const names = new SiblingNames(pool, isPayload, counts);
  const staged = stagedSuffix(id);
  const backup = backupSuffix(id);
  changes.operations.forEach((change, sequence) => {
    change.sequence = sequence;
    const needsBackup = change.action === "replace" || change.action === "remove";
    if (change.action !== "remove") change.stageAt(names.choose(change.path, staged), staged);
    if (needsBackup) change.backUpAt(names.choose(change.path, backup), backup);
  });
}

/** Operations in one directory from which reading it once is cheaper than asking for every name. */
const LIST_FROM = 8;

function countByDirectory(changes: ChangeSet): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { path } of changes.operations) {
    const parent = parentPath(path);
    counts.set(parent, (counts.get(parent) ?? 0) + 1);
  }
  return counts;
}

/** Every sibling name contains the marker, cut or not: only names that do can be in the way. */
function temporaryNames(directory: Directory | undefined): ReadonlySet<string> {
  return new Set(directory?.list(".peipkg-").names);
}

class SiblingNames {
  /** Names that had to be cut: only these could meet each other. */
  readonly #cut = new Set<string>();

  /** The directory asked about last: its names that look like temporary ones, or `undefined` to ask one by one. */
  #parent = "";
  #temporary: ReadonlySet<string> | undefined;

  constructor(
    readonly pool: DirectoryPool,
    readonly isPayload: (path: string) => boolean,
    readonly counts: ReadonlyMap<string, number>,
  ) {}

  /** @returns `undefined`: what the suffix makes of the path, which is so for all but a few. */
  choose(path: string, suffix: string): string | undefined {
    const parent = parentPath(path);
    const base = baseName(path);
    const directory = this.pool.open(parent);
    if (parent !== this.#parent) {
      this.#parent = parent;
      this.#temporary = (this.counts.get(parent) ?? 0) < LIST_FROM ? undefined : temporaryNames(directory);
    }
    const temporary = this.#temporary;
    const hasNoOther = temporary?.size === 0 && this.#cut.size === 0 && !isCut(base, suffix);
    if (hasNoOther && !this.isPayload(path + suffix)) return undefined;
    const isOnDisk = (name: string): boolean =>
      temporary === undefined ? directory?.status(name) !== undefined : temporary.has(name);
    const isTaken = (name: string): boolean => {
      const place = childPath(parent, name);
      return isOnDisk(name) || this.isPayload(place) || this.#cut.has(place);
    };
    if (isCut(base, suffix)) {
      const place = childPath(parent, freeSiblingName(base, suffix, isTaken));
      this.#cut.add(place);
      return place;
    }
    const plain = path + suffix;
    const isFree = !isOnDisk(base + suffix) && !this.isPayload(plain) && !this.#cut.has(plain);
    return isFree ? undefined : childPath(parent, freeSiblingName(base, suffix, isTaken));
  }
}

function deepestFirst(paths: Iterable<string>): string[] {
  const places = Array.from(paths, (path) => ({ path, depth: depth(path) }));
  const compare = byteOrderOf(places, ({ path }) => path);
  return places.sort((a, b) => b.depth - a.depth || compare(b.path, a.path)).map(({ path }) => path);
}

function depth(path: string): number {
  let count = 0;
  for (let index = 0; index < path.length; index++) if (path.charCodeAt(index) === 0x2f) count++;
  return count;
}
