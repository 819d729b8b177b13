/**
 * What a plan changes on disk (T-COMMIT-04): recorded rows, verified lists and what is found through pinned parents,
 * turned into operations. Nothing is written here.
 *
 * 1. A path whose recorded content does not change gets no operation, whatever is on disk (T-DIFF-02, T-DIFF-04).
 * 2. An object nobody recorded is never destroyed: it is adopted, displaced and kept, or refused (section 8).
 * 3. An edited configuration file is never replaced (section 11.2).
 * 4. Every displaced object is recorded as found here; whoever touches it later compares first (T-COMMIT-24).
 */
import type { Warning } from "../errors.ts";
import type { Database } from "../store/database.ts";
import type { PathOwner } from "../store/installed.ts";
import type { FileStatus } from "../system.ts";
import { isAdoptable, Obstacles, type PathRules } from "./collision.ts";
import { ContentReader, isConfigPath } from "./config_files.ts";
import type { DirectoryPool } from "./directories.ts";
import { type ChangeSet, emptyChangeSet, FileOperation } from "./file_operation.ts";
import type { RoleDeclaration } from "./holders.ts";
import type { ContentEntry, TransactionOptions } from "./input.ts";
import { baseName, childPath, freeSiblingName, isBelow, NEW_DEFAULT_SUFFIX, parentPath } from "./names.ts";
import type { Arrival, RecordedFile, Scope } from "./scope.ts";
import { StayingOwners } from "./staying_owners.ts";
import { blocksTypeChange } from "./type_change.ts";

/** Facts the diff works from. */
export interface DiffContext {
  readonly database: Database;
  readonly pool: DirectoryPool;
  readonly scope: Scope;
  readonly rules: PathRules;
  readonly obstacles: Obstacles;
  readonly options: Pick<TransactionOptions, "overwriteUnowned" | "modified" | "modifiedDecisions">;
  /** Effective uid of this process. */
  readonly callerUid: number;
  /** Mode of the files to be installed (T-MODE-01). */
  readonly fileMode: number;
  readonly reader: ContentReader;
  /** Links on disk that are the package manager's own and go in this transaction, by path → link text. */
  readonly withdrawnLinks: ReadonlyMap<string, string>;
  /** What installed packages declare for the roles concerned. */
  readonly declarations: readonly RoleDeclaration[];
}

/** The diff in progress; `claims.ts`, `removal.ts` and `sequence.ts` add to the same change set. */
export class Diff {
  readonly changes: ChangeSet = emptyChangeSet();
  /** Directories to be made, for membership tests. */
  readonly #made = new Set<string>();
  /** Answers of `#isObstructed()`. */
  readonly #obstructed = new Map<string, boolean>();
  /** Paths that change from file to directory: everything below is staged inside (T-DIFF-08). */
  readonly stagedRoots = new Map<string, FileOperation>();
  /** Directories displaced as a whole (T-DIFF-07): what is below gets no operation of its own. */
  readonly displacedTrees: string[] = [];
  /** `.peipkg-new` rows that live on although no manifest lists them (T-ETC-05). */
  readonly carried = new Set<string>();
  /** Edited files removed by a standing decision (T-RM-04). */
  readonly removedEdits: string[] = [];
  /** Leaving paths a claim link takes over (C-REC-18). */
  readonly claimed = new Set<string>();

  readonly #owners: StayingOwners;

  constructor(readonly context: DiffContext) {
    this.#owners = new StayingOwners(context.database, context.scope);
  }

  /** Decides every arriving path. */
  addArrivals(): void {
    const { scope } = this.context;
    for (const [path, from] of [...scope.arrivingDirectories].sort(byPath)) {
      if (!this.#isObstructed(path, from.content.name)) this.#arriveDirectory(path, from.operation);
    }
    for (const from of scope.arriving) {
      this.changes.byEntry.set(from.content, new Array<FileOperation | undefined>(from.content.entries.length));
    }
    for (const [path, arrival] of scope.arrivals) {
      if (!this.#isObstructed(parentPath(path), arrival.package.content.name)) this.#arrive(path, arrival);
    }
  }

  /** T-COLL-03, T-DB-12: whether a package that stays has a file or link where a directory is needed. */
  #isObstructed(directory: string, name: string): boolean {
    if (directory === "/") return false;
    const known = this.#obstructed.get(directory);
    if (known !== undefined) return known;
    let isObstructed = this.#isObstructed(parentPath(directory), name);
    const owner = isObstructed ? undefined : this.stayingOwner(directory);
    if (owner !== undefined && owner.type !== "dir") {
      isObstructed = true;
      this.context.obstacles.add("FILE_CONFLICT", directory, name, owner.package);
    }
    this.#obstructed.set(directory, isObstructed);
    return isObstructed;
  }

  warn(warning: Warning): void {
    this.changes.warnings.push(warning);
  }

  /** Owner of a path that keeps it through this transaction. */
  stayingOwner(path: string): PathOwner | undefined {
    return this.#owners.of(path);
  }

  /** Plans a directory and its missing ancestors; inside a staged directory it needs no row. */
  makeDirectory(path: string, operation: number): void {
    if (path === "/" || this.#made.has(path)) return;
    const root = this.rootOf(path);
    if (root !== undefined) {
      if (root.path === path) return;
      this.#made.add(path);
      this.makeDirectory(parentPath(path), operation);
      this.changes.nestedDirectories.push({ within: root, path });
      return;
    }
    if (this.context.pool.open(path) !== undefined) return;
    this.#made.add(path);
    this.makeDirectory(parentPath(path), operation);
    this.changes.directories.push(path);
  }

  /** The staged directory a path is made in, if one of its ancestors (or itself) changes to a directory. */
  rootOf(path: string): FileOperation | undefined {
    if (this.stagedRoots.size === 0) return undefined;
    for (let place = path; place !== "/"; place = parentPath(place)) {
      const root = this.stagedRoots.get(place);
      if (root !== undefined) return root;
    }
    return undefined;
  }

  /** What is at a path now; `undefined` when nothing is, also when its directory does not exist yet. */
  found(path: string): FileStatus | undefined {
    return this.context.pool.open(parentPath(path))?.status(baseName(path));
  }

  /** Starts a `create` or, over an object found, a `replace`. */
  place(operation: number, path: string, found: FileStatus | undefined): FileOperation {
    const change = new FileOperation(operation, path);
    if (found !== undefined) {
      change.action = "replace";
      change.recordOld(found, this.linkText(path, found));
    }
    this.changes.operations.push(change);
    return change;
  }

  /**
   * Makes a file anew although its content stays, because its descriptor is to be the inherited one (A-SDA-18), or
   * because it is missing and a descriptor is declared for it.
   *
   * @returns false for what is not such a file, and for one the operator edited.
   */
  recreate(path: string): boolean {
    const arrival = this.context.scope.arrivals.get(path);
    const entry = arrival?.package.content.entries[arrival.index];
    if (arrival === undefined || entry?.type !== "file" || this.rootOf(path) !== undefined) return false;
    const found = this.found(path);
    const old = this.context.scope.leavingFiles.get(path);
    if (found !== undefined && (found.type !== "file" || (old !== undefined && this.#isEdited(path, old, found)))) {
      return false;
    }
    this.#replace(path, arrival, entry, found);
    return true;
  }

  linkText(path: string, found: FileStatus): string | undefined {
    if (found.type !== "symlink") return undefined;
    return this.context.pool.need(parentPath(path)).readLink(baseName(path));
  }

  #arriveDirectory(path: string, operation: number): void {
    const { scope } = this.context;
    const old = scope.leavingFiles.get(path);
    if (old === undefined || this.rootOf(path) !== undefined) return this.makeDirectory(path, operation);
    const found = this.found(path);
    if (found === undefined || found.type === "dir") return this.makeDirectory(path, operation);
    // T-DIFF-08: the subtree is staged beside the file and takes its place in one step.
    this.makeDirectory(parentPath(path), operation);
    const change = this.place(operation, path, found);
    change.newType = "dir";
    // An edit has no place to stay in: the object is kept aside instead.
    change.keepBackup = this.#isEdited(path, old, found);
    this.stagedRoots.set(path, change);
  }

  #isEdited(path: string, old: RecordedFile, found: FileStatus): boolean {
    if (old.type !== "file" || old.hash === undefined || !isConfigPath(path)) return false;
    const parent = this.context.pool.need(parentPath(path));
    return this.context.reader.compare(parent, baseName(path), found, old.hash).kind === "modified";
  }

  #arrive(path: string, arrival: Arrival): void {
    const { scope } = this.context;
    const entry = arrival.package.content.entries[arrival.index];
    if (entry === undefined) return;
    const root = this.rootOf(parentPath(path));
    if (root !== undefined) {
      this.makeDirectory(parentPath(path), arrival.package.operation);
      const inside = new FileOperation(arrival.package.operation, path);
      inside.within = root;
      this.changes.nested.push(inside);
      return this.#supply(inside, arrival, entry);
    }
    const old = scope.leavingFiles.get(path);
    if (old !== undefined) return this.#arriveOverRecorded(path, arrival, entry, old);
    if (scope.leavingDirectoryPaths.has(path)) return this.#arriveOverDirectory(path, arrival, entry);
    this.#arriveAdded(path, arrival, entry);
  }

  /** T-DIFF-02 to T-DIFF-05, T-DIFF-15, T-ETC-01 to T-ETC-05. */
  #arriveOverRecorded(path: string, arrival: Arrival, entry: ContentEntry, old: RecordedFile): void {
    const isSame = old.type === entry.type && (old.hash ?? "") === entry.hash && (old.target ?? "") === entry.target;
    if (isSame && !arrival.package.isReinstall) return this.#leaveUntouched(path, arrival, old);
    const found = this.found(path);
    const isConfig = old.type === "file" && isConfigPath(path);
    if (found === undefined) {
      if (isConfig) this.#notice("restored-default", path, arrival); // T-ETC-04
      return this.#replace(path, arrival, entry, undefined);
    }
    if (found.type === "dir") return this.#refuseUnowned(path, arrival);
    if (isConfig && old.hash !== undefined) {
      return this.#arriveOverConfig(path, arrival, entry, { hash: old.hash, isSame, found, row: old });
    }
    if (isSame && this.#isRight(path, entry, found)) return; // T-DIFF-15
    this.#replace(path, arrival, entry, found);
  }

  #arriveOverConfig(
    path: string,
    arrival: Arrival,
    entry: ContentEntry,
    old: { readonly hash: string; readonly isSame: boolean; readonly found: FileStatus; readonly row: RecordedFile },
  ): void {
    const parent = this.context.pool.need(parentPath(path));
    const state = this.context.reader.compare(parent, baseName(path), old.found, old.hash);
    if (state.kind === "unmodified") {
      if (old.isSame && this.#isRightMode(old.found)) return;
      return this.#replace(path, arrival, entry, old.found); // T-ETC-01
    }
    if (old.isSame) return this.#leaveUntouched(path, arrival, old.row); // T-DIFF-15, T-ETC-05
    if (entry.type === "file" && state.hash === entry.hash) return; // T-ETC-02
    this.#keepEdited(path, arrival, entry, state.hash);
  }

  /** T-DIFF-02: no operation. What the row says about a kept edit stays, and so does its `.peipkg-new` (T-ETC-05). */
  #leaveUntouched(path: string, arrival: Arrival, old: RecordedFile): void {
    if (old.preservedHash !== undefined) this.changes.preserved.set(path, old.preservedHash);
    if (!isConfigPath(path)) return;
    for (const suffix of newDefaultNames(path)) {
      const row = this.context.scope.leavingFiles.get(suffix);
      if (row?.newDefaultOf !== path || row.hash === undefined) continue;
      this.carried.add(row.path);
      this.changes.newDefaults.push({
        package: arrival.package.content.name,
        path: row.path,
        of: path,
        hash: row.hash,
        sizeBytes: row.sizeBytes ?? 0,
      });
    }
  }

  /** T-ETC-03: the operator's object stays, the new default is installed beside it. */
  #keepEdited(path: string, arrival: Arrival, entry: ContentEntry, keptHash: string | undefined): void {
    const { scope } = this.context;
    this.changes.preserved.set(path, keptHash);
    if (entry.type !== "file") {
      this.#notice("kept", path, arrival);
      return;
    }
    const parent = parentPath(path);
    const place = childPath(
      parent,
      freeSiblingName(baseName(path), NEW_DEFAULT_SUFFIX, (name) => {
        const candidate = childPath(parent, name);
        return scope.arrivals.has(candidate) || this.stayingOwner(candidate) !== undefined;
      }),
    );
    const found = this.found(place);
    const row = scope.leavingFiles.get(place);
    this.carried.add(place);
    const name = arrival.package.content.name;
    this.changes.newDefaults.push({
      package: name,
      path: place,
      of: path,
      hash: entry.hash,
      sizeBytes: entry.sizeBytes,
    });
    this.#notice("kept", path, arrival, place);
    if (found?.type === "dir") return this.context.obstacles.add("UNOWNED_EXISTS", place, name);
    const change = this.place(arrival.package.operation, place, found);
    // T-ETC-08: what the operator wrote there is displaced, what was delivered is replaced.
    change.keepBackup = found !== undefined && (row?.hash === undefined || this.#isEdited(place, row, found));
    this.#supply(change, arrival, entry);
  }

  /** T-DIFF-07: the directory gives way as a whole, if nothing in it belongs to anybody else. */
  #arriveOverDirectory(path: string, arrival: Arrival, entry: ContentEntry): void {
    const owner = this.stayingOwner(path);
    const name = arrival.package.content.name;
    if (owner !== undefined) return this.context.obstacles.add("FILE_CONFLICT", path, name, owner.package);
    const found = this.found(path);
    if (found === undefined) return this.#replace(path, arrival, entry, undefined);
    if (found.type !== "dir") return this.#arriveOverUnowned(path, arrival, entry, found);
    if (blocksTypeChange(this, path)) return this.context.obstacles.add("TYPE_CHANGE_BLOCKED", path, name);
    this.displacedTrees.push(path);
    this.#replace(path, arrival, entry, found);
  }

  /** T-COLL-01 to T-COLL-08: a path no touched package recorded. */
  #arriveAdded(path: string, arrival: Arrival, entry: ContentEntry): void {
    const owner = this.stayingOwner(path);
    const name = arrival.package.content.name;
    if (owner !== undefined) return this.context.obstacles.add("FILE_CONFLICT", path, name, owner.package);
    const found = this.found(path);
    if (found === undefined) return this.#replace(path, arrival, entry, undefined);
    const withdrawn = this.context.withdrawnLinks.get(path);
    if (withdrawn !== undefined && this.linkText(path, found) === withdrawn) {
      return this.#replace(path, arrival, entry, found);
    }
    if (found.type === "dir") return this.#refuseUnowned(path, arrival); // T-COLL-03
    this.#arriveOverUnowned(path, arrival, entry, found);
  }

  #arriveOverUnowned(path: string, arrival: Arrival, entry: ContentEntry, found: FileStatus): void {
    const { pool, callerUid, reader, options } = this.context;
    const parent = pool.need(parentPath(path));
    const wanted = { ...entry, type: entry.type === "symlink" ? "symlink" as const : "file" as const };
    const facts = { hasKacs: pool.root.hasKacs, callerUid };
    if (isAdoptable(parent, baseName(path), found, wanted, facts, reader)) {
      return this.#notice("adopted", path, arrival); // T-COLL-06
    }
    if (!options.overwriteUnowned) return this.#refuseUnowned(path, arrival); // T-COLL-07
    this.#replace(path, arrival, entry, found, true); // T-COLL-08
  }

  #refuseUnowned(path: string, arrival: Arrival): void {
    this.context.obstacles.add("UNOWNED_EXISTS", path, arrival.package.content.name);
  }

  #replace(
    path: string,
    arrival: Arrival,
    entry: ContentEntry,
    found: FileStatus | undefined,
    keepBackup = false,
  ): void {
    this.makeDirectory(parentPath(path), arrival.package.operation);
    const change = this.place(arrival.package.operation, path, found);
    change.keepBackup = keepBackup;
    this.#supply(change, arrival, entry);
  }

  #supply(change: FileOperation, arrival: Arrival, entry: ContentEntry): void {
    change.entry = arrival.index;
    change.newType = entry.type;
    change.mtimeSeconds = entry.mtimeSeconds;
    if (entry.type === "file") {
      change.newHash = entry.hash;
      change.newSizeBytes = entry.sizeBytes;
    } else change.newTarget = entry.target;
    const supplied = this.changes.byEntry.get(arrival.package.content);
    if (supplied !== undefined) supplied[arrival.index] = change;
  }

  #isRight(path: string, entry: ContentEntry, found: FileStatus): boolean {
    const parent = this.context.pool.need(parentPath(path));
    if (found.type !== entry.type) return false;
    if (entry.type === "symlink") return parent.readLink(baseName(path)) === entry.target;
    return this.#isRightMode(found) && found.sizeBytes === entry.sizeBytes &&
      this.context.reader.hash(parent, baseName(path)) === entry.hash;
  }

  #isRightMode(found: FileStatus): boolean {
    return found.mode === this.context.fileMode;
  }

  #notice(kind: "adopted" | "kept" | "restored-default", path: string, arrival: Arrival, place?: string): void {
    this.changes.notices.push({ kind, path, package: arrival.package.content.name, place });
  }

  /** Whether a path lies in a directory that is displaced as a whole. */
  isDisplaced(path: string): boolean {
    return this.displacedTrees.some((tree) => isBelow(path, tree));
  }
}

/** The names a new default may have been given: the plain one and the numbered ones (T-NAME-03, T-NAME-05). */
function* newDefaultNames(path: string): Generator<string> {
  const parent = parentPath(path);
  for (let attempt = 0; attempt < 3; attempt++) {
    let left = attempt;
    yield childPath(parent, freeSiblingName(baseName(path), NEW_DEFAULT_SUFFIX, () => left-- > 0));
  }
}

function byPath(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
