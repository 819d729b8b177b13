/**
 * After the boundary (transactions.md section 14): backups leave the live directories, directories nobody owns go.
 * Everything is idempotent and repeated at the next start while it is not finished; no failure undoes anything.
 *
 * 1. The place a backup is moved to is recorded before the first move (T-CLEAN-03).
 * 2. This runs before side effects: scanners would take a backup for the real thing (T-CLEAN-04).
 * 3. An object of the operator's is never deleted (T-COLL-11).
 */
import type { Warning } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { priorOwners, readTransaction, type RetainedPlace, setRetainedPaths } from "../store/history.ts";
import { readOwners } from "../store/installed.ts";
import { type JournalDirectory, type JournalFile, recordDisplaced } from "../store/journal.ts";
import { deleteSdOverridesAt } from "../store/roles.ts";
import type { Directory } from "../system.ts";
import type { PathRules } from "./collision.ts";
import type { DirectoryPool } from "./directories.ts";
import { Durability } from "./durability.ts";
import { describeFailure, hasErrno } from "./failures.ts";
import { baseName, isBelow, parentPath } from "./names.ts";
import { removeTree } from "./objects.ts";
import { consumeRetained } from "./retention.ts";
import { makeRetained, type RetainedObject, retainedPlace } from "./retained.ts";

export interface HousekeepingContext {
  readonly database: Database;
  readonly pool: DirectoryPool;
  readonly state: Directory;
  readonly rules: PathRules;
  /** Displaced originals are kept for undo (T-RETAIN-01). */
  readonly retains: boolean;
}

export interface HousekeepingResult {
  /** Nothing is left to be done. */
  readonly isComplete: boolean;
  readonly warnings: readonly Warning[];
  /** Where displaced objects of the operator's are, by original path. */
  readonly displaced: ReadonlyMap<string, string>;
}

/** What becomes of one backup. */
interface Fate {
  readonly file: JournalFile;
  /** `undefined`: deleted; equal to the backup's own path: it stays there. */
  readonly place: string | undefined;
}

/**
 * Clears away what a committed transaction left in live directories.
 *
 * @param hasStaged Whether staged objects may be left: after a crash, never in the process that committed (T-CLEAN-02).
 */
export function tidyCommitted(
  context: HousekeepingContext,
  id: number,
  files: readonly JournalFile[],
  directories: readonly JournalDirectory[],
  hasStaged: boolean,
): HousekeepingResult {
  using run = new Tidying(context, id, hasStaged);
  if (hasStaged) run.removeStaged(files);
  run.placeBackups(files);
  run.reclaim(directories);
  run.consumeUndone();
  run.settle();
  return run.result();
}

/** Deletes what an abandoned transaction left beside final paths (T-INDET-09); the operator's objects stay. */
export function tidyAbandoned(
  context: HousekeepingContext,
  id: number,
  files: readonly JournalFile[],
): HousekeepingResult {
  using run = new Tidying({ ...context, retains: false }, id, true);
  run.removeStaged(files);
  run.placeBackups(files);
  run.settle();
  return run.result();
}

class Tidying implements Disposable {
  readonly #warnings: Warning[] = [];
  readonly #displaced = new Map<string, string>();
  readonly #durability: Durability;
  #isComplete = true;
  #lost = 0;
  /** The retained directory used last: a transaction has one per file system. */
  #retained: { readonly parent: string; readonly object: RetainedObject } | undefined;

  /** @param isRepeat An earlier run may have done part of this. */
  constructor(readonly context: HousekeepingContext, readonly id: number, readonly isRepeat: boolean) {
    this.#durability = new Durability(context.pool);
  }

  removeStaged(files: readonly JournalFile[]): void {
    for (const { stagedPath } of files) {
      if (stagedPath !== undefined) this.#attempt(stagedPath, () => this.#delete(stagedPath));
    }
  }

  placeBackups(files: readonly JournalFile[]): void {
    const fates = this.#decideFates(files);
    if (fates.length === 0) return;
    try {
      this.#recordPlaces(fates);
    } catch (error) {
      this.#fail("the database", error);
      return; // T-CLEAN-03: nothing moves before its place is recorded
    }
    for (const fate of fates) this.#attempt(fate.file.path, () => this.#carryOut(fate));
    if (this.#lost > 0) {
      this.#warnings.push({
        rule: "W_BACKUP_NOT_RETAINED",
        text: `${this.#lost} ${this.#lost === 1 ? "backup" : "backups"} could not be kept; undo needs the archive`,
      });
    }
  }

  /** T-CLEAN-06 */
  reclaim(directories: readonly JournalDirectory[]): void {
    for (const { path, action } of directories) {
      if (action !== "reclaim") continue;
      this.#attempt(path, () => {
        if (readOwners(this.context.database, path).length > 0) return;
        const parent = this.context.pool.open(parentPath(path));
        const found = parent?.status(baseName(path));
        if (found === undefined) deleteSdOverridesAt(this.context.database, path); // removed by an earlier run
        if (parent === undefined || found?.type !== "dir") return;
        this.#durability.prepare(parent);
        try {
          parent.removeDirectory(baseName(path));
          this.#durability.touch(parent);
          deleteSdOverridesAt(this.context.database, path);
        } catch (error) {
          if (!hasErrno(error, "ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR", "EBUSY")) throw error;
        }
      });
    }
  }

  /** T-UNDO-06: an undo uses up what it put back. */
  consumeUndone(): void {
    const undone = readTransaction(this.context.database, this.id)?.undoOf;
    if (undone === undefined) return;
    this.#attempt("kept content", () => consumeRetained(this.context, undone));
  }

  /** T-CLEAN-07 */
  settle(): void {
    this.#attempt("/", () => this.#durability.settle());
  }

  result(): HousekeepingResult {
    return { isComplete: this.#isComplete, warnings: this.#warnings, displaced: this.#displaced };
  }

  [Symbol.dispose](): void {
    this.#retained?.object[Symbol.dispose]();
    this.#durability[Symbol.dispose]();
  }

  #decideFates(files: readonly JournalFile[]): readonly Fate[] {
    const { pool, state, rules, retains } = this.context;
    const fates: Fate[] = [];
    for (const file of files) {
      const { backupPath } = file;
      if (backupPath === undefined) continue;
      this.#attempt(file.path, () => {
        const directory = pool.open(parentPath(file.path));
        if (directory === undefined) return;
        const staysHere = file.keepBackup && !rules.isScanned(file.path);
        const isKept = file.keepBackup || retains;
        const place = staysHere
          ? backupPath
          : isKept
          ? retainedPlace(state, pool, directory, this.id, file.sequence)
          : undefined;
        fates.push({ file, place });
      });
    }
    return fates;
  }

  #recordPlaces(fates: readonly Fate[]): void {
    const { database } = this.context;
    const wanted = fates.filter(({ place }) => place !== undefined);
    if (wanted.length === 0) return;
    const owners = priorOwners(database, this.id);
    database.write(() => {
      const places: RetainedPlace[] = [];
      for (const { file, place } of wanted) {
        if (place === undefined) continue;
        if (file.keepBackup) recordDisplaced(database, this.id, file.path, place);
        else places.push(...retainedPlaces(owners, file, place));
      }
      setRetainedPaths(database, this.id, places);
    });
  }

  #carryOut({ file, place }: Fate): void {
    const { pool } = this.context;
    const backup = file.backupPath ?? "";
    if (place === backup) {
      this.#displaced.set(file.path, backup);
      return;
    }
    const directory = pool.open(parentPath(backup));
    if (directory === undefined) return;
    if (place === undefined) return this.#delete(backup);
    if (file.keepBackup) this.#displaced.set(file.path, place);
    try {
      const target = this.#openRetained(place);
      this.#durability.prepare(directory);
      this.#durability.prepare(target.directory);
      if (this.isRepeat && isSameObject(directory, baseName(backup), target.directory, placeName(place))) {
        // A power cut kept both names of the move: renaming one over the other would do nothing.
        directory.unlink(baseName(backup));
      } else directory.rename(baseName(backup), target.directory, placeName(place));
      this.#durability.touch(directory);
      // Not by its path: the state directory may lie outside the root.
      if (this.#durability.needsFileSync(target.directory)) target.directory.sync();
      else this.#durability.touch(target.directory);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return; // moved by an earlier run
      if (file.keepBackup) {
        // The operator's object stays where it is rather than being lost.
        this.#displaced.set(file.path, backup);
        this.context.database.write(() => recordDisplaced(this.context.database, this.id, file.path, backup));
        return;
      }
      this.#delete(backup);
      this.#lost++;
      const { database } = this.context;
      const places = retainedPlaces(priorOwners(database, this.id), file, undefined);
      database.write(() => setRetainedPaths(database, this.id, places)); // T-RETAIN-04
    }
  }

  #openRetained(place: string): RetainedObject {
    const parent = parentPath(place);
    if (this.#retained?.parent === parent) return this.#retained.object;
    this.#retained?.object[Symbol.dispose]();
    this.#retained = undefined;
    const object = makeRetained(this.context.state, this.context.pool, place);
    this.#retained = { parent, object };
    return object;
  }

  #delete(path: string): void {
    const directory = this.context.pool.open(parentPath(path));
    const found = directory?.status(baseName(path));
    if (directory === undefined || found === undefined) return;
    this.#durability.prepare(directory);
    removeTree(directory, baseName(path), found.type);
    this.#durability.touch(directory);
  }

  #attempt(path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(path, error);
    }
  }

  #fail(path: string, error: unknown): void {
    this.#isComplete = false;
    this.#warnings.push({
      rule: "W_HOUSEKEEPING",
      text: `clearing up after transaction ${this.id} is not finished: ${path}: ${describeFailure(error)}`,
    });
  }
}

function isSameObject(directory: Directory, name: string, other: Directory, otherName: string): boolean {
  const first = directory.status(name);
  const second = other.status(otherName);
  return first !== undefined && second !== undefined && first.inode === second.inode && first.device === second.device;
}

/** The prior rows a backup is the content of. */
function retainedPlaces(
  owners: ReadonlyMap<string, string>,
  file: JournalFile,
  place: string | undefined,
): readonly RetainedPlace[] {
  if (file.oldType !== "dir") {
    const owner = owners.get(file.path);
    return owner === undefined ? [] : [{ package: owner, path: file.path, place }];
  }
  // A directory moved as a whole keeps its children below its own number.
  const places: RetainedPlace[] = [];
  for (const [path, owner] of owners) {
    if (!isBelow(path, file.path)) continue;
    const inside = place === undefined ? undefined : `${place}${path.slice(file.path.length)}`;
    places.push({ package: owner, path, place: inside });
  }
  return places;
}

/** Last component of a recorded place. */
function placeName(place: string): string {
  return place.slice(place.lastIndexOf("/") + 1);
}
