/**
 * Recorded paths that go: removed files, edited files that need a decision, and directories that may be reclaimed
 * after the commit (T-DIFF-06, T-DIFF-10, T-ETC-06, T-ETC-07, T-RM-01 to T-RM-07).
 */
import type { FileStatus } from "../system.ts";
import { isConfigPath } from "./config_files.ts";
import type { Diff } from "./diff.ts";
import { FileOperation } from "./file_operation.ts";
import { baseName, parentPath } from "./names.ts";
import type { RecordedFile } from "./scope.ts";

/** An edited file of a removed package nobody has decided about yet (T-RM-04). */
export interface UndecidedFile {
  readonly row: RecordedFile;
  readonly found: FileStatus;
}

/** Destinations packages may install to, and what lies above them: never removed (T-RM-07). */
const KEPT_DIRECTORIES: ReadonlySet<string> = new Set(
  [
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib/debug",
    "usr/lib/modules",
    "usr/lib/firmware",
    "usr/libexec",
    "usr/share",
    "usr/include",
    "usr/src",
    "usr/src/debug",
    "usr/src/dist",
    "usr/etc",
    "usr/conf",
    "usr",
    "++",
    "etc",
    "var",
    "opt",
    "boot",
    "hooks",
    "system",
    "dev",
    "proc",
    "run",
    "sys",
    "tmp",
  ].map((path) => `/${path}`),
);
/** The per-architecture destination `/usr/lib/<triplet>`. */
const TRIPLET_DIRECTORY_REGEXP = /^\/usr\/lib\/[a-z0-9_]+-[a-z0-9_]+-[a-z0-9_]+$/;

/** Whether a directory stays although it is empty and nobody owns it (T-RM-07). */
export function isKeptDirectory(path: string): boolean {
  return path === "/" || KEPT_DIRECTORIES.has(path) || TRIPLET_DIRECTORY_REGEXP.test(path);
}

/**
 * Plans the removal of every recorded path that does not come back.
 *
 * @returns Edited files that need a decision; `decideRemoval()` settles each.
 */
export function addRemovals(diff: Diff): readonly UndecidedFile[] {
  const { scope } = diff.context;
  const undecided: UndecidedFile[] = [];
  for (const row of scope.leavingFiles.values()) {
    if (scope.arrivals.has(row.path) || diff.carried.has(row.path) || diff.claimed.has(row.path)) continue;
    if (diff.isDisplaced(row.path) || diff.stagedRoots.has(row.path)) continue;
    addRemoval(diff, row, undecided);
  }
  for (const path of scope.leavingDirectoryPaths) {
    if (scope.arrivingDirectories.has(path) || scope.arrivals.has(path)) continue;
    if (!diff.isDisplaced(path)) addReclaim(diff, path);
  }
  return undecided;
}

/** Notes a directory that may go once the commit has made it nobody's. */
export function addReclaim(diff: Diff, path: string): void {
  if (!isKeptDirectory(path)) diff.changes.reclaim.push(path);
}

/** Carries out the operator's decision about one edited file (T-RM-04). */
export function decideRemoval(diff: Diff, { row, found }: UndecidedFile, decision: "remove" | "keep"): void {
  if (decision === "keep") diff.changes.notices.push(notice("left", row));
  else remove(diff, row, found);
}

function addRemoval(diff: Diff, row: RecordedFile, undecided: UndecidedFile[]): void {
  const { scope, options } = diff.context;
  const isRemoved = scope.removed.has(row.package);
  const overlap = diff.stayingOwner(row.path);
  if (overlap !== undefined) {
    // T-RM-05: a state that cannot arise from our own writes; the other package's word counts.
    diff.warn({
      rule: "OWNERSHIP_OVERLAP",
      text: `${row.path} is also recorded for ${overlap.package}; left in place`,
    });
    return;
  }
  const found = diff.found(row.path);
  if (found === undefined) {
    if (isRemoved) diff.changes.notices.push(notice("already-absent", row)); // T-RM-06
    return;
  }
  if (found.type === "dir") {
    diff.changes.notices.push(notice("not-removed", row)); // T-RM-06
    return;
  }
  if (!isEdited(diff, row, found)) return remove(diff, row, found);
  if (!isRemoved) {
    diff.changes.notices.push(notice("left", row)); // T-ETC-07
    diff.warn({
      rule: "W_FILE_LEFT",
      text: `${row.path} has been modified since install — leaving it in place; no package owns it any more`,
    });
    return;
  }
  const standing = options.modifiedDecisions.get(row.path) ??
    (options.modified === "keep" || options.modified === "remove" ? options.modified : undefined);
  if (standing === undefined) {
    undecided.push({ row, found });
    return;
  }
  if (standing === "remove") diff.removedEdits.push(row.path);
  decideRemoval(diff, { row, found }, standing);
}

/** T-RM-03, T-ETC-06: below the configuration prefixes the content decides; elsewhere a difference is no edit. */
function isEdited(diff: Diff, row: RecordedFile, found: FileStatus): boolean {
  if (row.type !== "file" || row.hash === undefined || !isConfigPath(row.path)) return false;
  const parent = diff.context.pool.need(parentPath(row.path));
  return diff.context.reader.compare(parent, baseName(row.path), found, row.hash).kind === "modified";
}

function remove(diff: Diff, row: RecordedFile, found: FileStatus): void {
  const change = new FileOperation(diff.context.scope.touched.get(row.package) ?? 0, row.path);
  change.action = "remove";
  change.recordOld(found, diff.linkText(row.path, found));
  diff.changes.operations.push(change);
}

function notice(kind: "left" | "already-absent" | "not-removed", row: RecordedFile) {
  return { kind, path: row.path, package: row.package, place: undefined } as const;
}
