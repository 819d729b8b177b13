/**
 * After the boundary (transactions.md section 14): backups leave the live directories, directories nobody owns go.
 * Everything is idempotent and repeated at the next start while it is not finished; no failure undoes anything.
 *
 * 1. The place a backup is moved to is recorded before the first move (T-CLEAN-03): with the journal, of most.
 * 2. This runs before side effects: scanners would take a backup for the real thing (T-CLEAN-04).
 * 3. An object of the operator's is never deleted (T-COLL-11).
 */
import type { Warning } from "../errors.ts";
import type { Database } from "../store/database.ts";
import {
  priorOwners,
  readTransaction,
  type RetainedPlace,
  setRetainedPaths,
  setRetainedRuns,
} from "../store/history.ts";
import { type JournalDirectory, type JournalFile, recordDisplaced } from "../store/journal.ts";
import { readOwnersOf } from "../store/ownership.ts";
import { deleteSdOverridesAt } from "../store/roles.ts";
import type { Directory } from "../system.ts";
import type { PathRules } from "./collision.ts";
import type { DirectoryPool } from "./directories.ts";
import { Durability } from "./durability.ts";
import { describeFailure, hasErrno } from "./failures.ts";
import { baseName, isBelow, parentPath } from "./names.ts";
import { removeTree } from "./objects.ts";
import { consumeRetained } from "./retention.ts";
import { makeRetained, RetainedAreas, type RetainedObject } from "./retained.ts";

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
  readonly backupPath: string;
  /** Where it is kept under its number; `"here"`: it stays where it is; `undefined`: it is deleted. */
  readonly area: string | "here" | undefined;
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
  /** Backups that could not be kept. */
  readonly #lost: JournalFile[] = [];
  readonly #areas: RetainedAreas;
  /** The retained directory used last: a transaction has one per file system. */
  #retained: { readonly area: string; readonly object: RetainedObject } | undefined;

  /** @param isRepeat An earlier run may have done part of this. */
  constructor(readonly context: HousekeepingContext, readonly id: number, readonly isRepeat: boolean) {
    this.#durability = new Durability(context.pool);
    this.#areas = new RetainedAreas(context.state, context.pool, id);
  }

  removeStaged(files: readonly JournalFile[]): void {
    for (const { stagedPath } of files) {
      if (stagedPath !== undefined) this.#attempt(stagedPath, () => this.#delete(stagedPath));
    }
  }

  placeBackups(files: readonly JournalFile[]): void {
    // What an earlier process recorded is not relied upon: settings may be others by now.
    const needsRecord = (file: JournalFile): boolean => this.isRepeat || file.keepBackup || file.oldType === "dir";
    const fates: Fate[] = [];
    for (const file of files) {
      if (!needsRecord(file)) continue;
      this.#attempt(file.path, () => {
        const fate = this.#decideFate(file);
        if (fate !== undefined) fates.push(fate);
      });
    }
    try {
      this.#recordPlaces(fates);
    } catch (error) {
      this.#fail("the database", error);
      return; // T-CLEAN-03: nothing moves before its place is recorded
    }
    for (const fate of fates) this.#attempt(fate.file.path, () => this.#carryOut(fate));
    for (const file of files) {
      if (needsRecord(file)) continue;
      this.#attempt(file.path, () => {
        const fate = this.#decideFate(file);
        if (fate !== undefined) this.#carryOut(fate);
      });
    }
    if (this.#lost.length > 0) this.#attempt("the database", () => this.#forgetLost());
  }

  /** T-CLEAN-06 */
  reclaim(directories: readonly JournalDirectory[]): void {
    const { database } = this.context;
    const paths = directories.filter(({ action }) => action === "reclaim").map(({ path }) => path);
    if (paths.length === 0) return;
    this.#attempt("directories", () => {
      const owners = readOwnersOf(database, paths);
      const gone: string[] = [];
      for (const path of paths) {
        if (!owners.has(path)) this.#attempt(path, () => this.#removeEmpty(path) && gone.push(path));
      }
      database.write(() => deleteSdOverridesAt(database, gone));
    });
  }

  /** @returns Whether the directory is gone, now or since an earlier run. */
  #removeEmpty(path: string): boolean {
    const parent = this.context.pool.open(parentPath(path));
    if (parent === undefined) return true;
    this.#durability.prepare(parent);
    try {
      parent.removeDirectory(baseName(path));
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR", "EBUSY")) throw error;
      return hasErrno(error, "ENOENT");
    }
    this.#durability.touch(parent);
    return true;
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

  /** @returns `undefined`: there is no backup, or its directory is gone. */
  #decideFate(file: JournalFile): Fate | undefined {
    const { pool, rules, retains } = this.context;
    const { backupPath, keepBackup } = file;
    if (backupPath === undefined) return undefined;
    const directory = pool.open(parentPath(file.path));
    if (directory === undefined) return undefined;
    const staysHere = keepBackup && !rules.isScanned(file.path);
    const area = staysHere ? "here" : keepBackup || retains ? this.#areas.of(directory) : undefined;
    return { file, backupPath, area };
  }

  #recordPlaces(fates: readonly Fate[]): void {
    const { database } = this.context;
    const displaced: Fate[] = [];
    const trees: Fate[] = [];
    const files: JournalFile[] = [];
    for (const fate of fates) {
      if (fate.area === undefined) continue;
      if (fate.file.keepBackup) displaced.push(fate);
      else if (fate.file.oldType === "dir") trees.push(fate);
      else files.push(fate.file);
    }
    if (displaced.length + trees.length + files.length === 0) return;
    database.write(() => {
      for (const fate of displaced) recordDisplaced(database, this.id, fate.file.path, placeOf(fate));
      setRetainedRuns(database, this.id, this.#areas.runs(files));
      if (trees.length === 0) return;
      const owners = priorOwners(database, this.id);
      setRetainedPaths(database, this.id, trees.flatMap((fate) => retainedPlaces(owners, fate.file, placeOf(fate))));
    });
  }

  #carryOut(fate: Fate): void {
    const { file, backupPath, area } = fate;
    if (area === "here") {
      this.#displaced.set(file.path, backupPath);
      return;
    }
    const directory = this.context.pool.open(parentPath(backupPath));
    if (directory === undefined) return;
    const backup = baseName(backupPath);
    if (area === undefined) return this.#drop(directory, backup, file.oldType);
    if (file.keepBackup) this.#displaced.set(file.path, placeOf(fate));
    try {
      const target = this.#openRetained(fate).directory;
      const number = String(file.sequence);
      this.#durability.prepare(directory);
      this.#durability.prepare(target);
      if (this.isRepeat && isSameObject(directory, backup, target, number)) {
        // A power cut kept both names of the move: renaming one over the other would do nothing.
        directory.unlink(backup);
      } else directory.rename(backup, target, number);
      this.#durability.touch(directory);
      // Not by its path: the state directory may lie outside the root.
      if (this.#durability.needsFileSync(target)) target.sync();
      else this.#durability.touch(target);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return; // moved by an earlier run
      if (file.keepBackup) {
        // The operator's object stays where it is rather than being lost.
        this.#displaced.set(file.path, backupPath);
        this.context.database.write(() => recordDisplaced(this.context.database, this.id, file.path, backupPath));
        return;
      }
      this.#drop(directory, backup, file.oldType);
      this.#lost.push(file);
    }
  }

  /** T-RETAIN-04; until it is written, the places name files that are missing, which count as dropped. */
  #forgetLost(): void {
    const { database } = this.context;
    const count = this.#lost.length;
    this.#warnings.push({
      rule: "W_BACKUP_NOT_RETAINED",
      text: `${count} ${count === 1 ? "backup" : "backups"} could not be kept; undo needs the archive`,
    });
    const owners = priorOwners(database, this.id);
    const places = this.#lost.flatMap((file) => retainedPlaces(owners, file, undefined));
    database.write(() => setRetainedPaths(database, this.id, places));
  }

  #openRetained(fate: Fate): RetainedObject {
    const area = fate.area ?? "";
    if (this.#retained?.area === area) return this.#retained.object;
    this.#retained?.object[Symbol.dispose]();
    this.#retained = undefined;
    const object = makeRetained(this.context.state, this.context.pool, placeOf(fate));
    this.#retained = { area, object };
    return object;
  }

  #delete(path: string): void {
    const directory = this.context.pool.open(parentPath(path));
    if (directory !== undefined) this.#drop(directory, baseName(path), "file");
  }

  /** Deletes an object; told what it most probably is, so that the usual one goes without a look at it. */
  #drop(directory: Directory, name: string, type: JournalFile["oldType"]): void {
    this.#durability.prepare(directory);
    if (type === "dir" || !unlinkFile(directory, name)) {
      const found = directory.status(name);
      if (found !== undefined) removeTree(directory, name, found.type);
    }
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

/** @returns false for a directory; a file that is gone already is fine. */
function unlinkFile(directory: Directory, name: string): boolean {
  try {
    directory.unlink(name);
  } catch (error) {
    if (hasErrno(error, "EISDIR")) return false;
    if (!hasErrno(error, "ENOENT")) throw error;
  }
  return true;
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

/** Recorded place of an object that is kept. */
function placeOf({ file, backupPath, area }: Fate): string {
  return area === "here" ? backupPath : `${area}/${file.sequence}`;
}
