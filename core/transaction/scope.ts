/**
 * Which recorded paths a plan takes away and which it brings: the two sides the diff compares. Paths are looked at
 * across the whole plan, so that one package may hand a path over to another without it ever being absent (T-DIFF-12).
 */
import { PeipkgError } from "../errors.ts";
import type { Operation, Plan } from "../resolver/plan.ts";
import type { Database } from "../store/database.ts";
import type { JournalOperation } from "../store/journal.ts";
import { type InstalledFile, iterateFiles } from "../store/installed.ts";
import { CONFIG_PREFIXES } from "./config_files.ts";
import { checkPayloadPath, type Obstacles, type PathRules } from "./collision.ts";
import type { ContentSource } from "./input.ts";
import { parentPath } from "./names.ts";

/** One recorded path of one package; in a plan that only removes, with the hash where an edit counts. */
export interface RecordedFile extends InstalledFile {
  readonly package: string;
}

/** A package the plan installs, with its place in the journal. */
export interface Arriving {
  readonly operation: number;
  readonly content: ContentSource;
  readonly isReinstall: boolean;
}

/** One arriving non-directory path. */
export interface Arrival {
  readonly package: Arriving;
  readonly index: number;
}

export interface Scope {
  /** `txn_op` rows of the plan, in its order. */
  readonly operations: readonly JournalOperation[];
  readonly arriving: readonly Arriving[];
  /** Packages whose rows are all on the leaving side, with their `txn_op.seq`. */
  readonly touched: ReadonlyMap<string, number>;
  /** Packages that go for good, neither upgraded nor replaced: their edited files need a decision (T-RM-04). */
  readonly removed: ReadonlySet<string>;
  /** Recorded files and symlinks of the touched packages. */
  readonly leavingFiles: ReadonlyMap<string, RecordedFile>;
  /** The same rows by package. */
  readonly leavingByPackage: ReadonlyMap<string, readonly RecordedFile[]>;
  /** Recorded directories of the touched packages, by package. */
  readonly leavingDirectories: ReadonlyMap<string, ReadonlySet<string>>;
  /** Every path in `leavingDirectories`. */
  readonly leavingDirectoryPaths: ReadonlySet<string>;
  readonly arrivals: ReadonlyMap<string, Arrival>;
  readonly arrivingDirectories: ReadonlyMap<string, Arriving>;
}

/** Reads what the plan takes away, and gathers what it brings; conflicts inside the plan go to `obstacles`. */
export function readScope(
  database: Database,
  plan: Plan,
  contents: ReadonlyMap<string, ContentSource>,
  rules: PathRules,
  obstacles: Obstacles,
): Scope {
  const touched = new Map<string, number>();
  const removed = new Set<string>();
  const arriving: Arriving[] = [];
  plan.operations.forEach((operation, sequence) => {
    if (operation.kind !== "install") touched.set(operation.from.name, sequence);
    if (operation.kind === "remove") {
      if (operation.cause.kind !== "replaces") removed.add(operation.from.name);
      return;
    }
    const content = contents.get(operation.target.name);
    if (content === undefined) throw new PeipkgError("internal", `no content for ${operation.target.name}`);
    arriving.push({
      operation: sequence,
      content,
      isReinstall: operation.kind === "reinstall",
    });
  });
  const leavingFiles = new Map<string, RecordedFile>();
  const leavingByPackage = new Map<string, readonly RecordedFile[]>();
  const leavingDirectories = new Map<string, Set<string>>();
  const leavingDirectoryPaths = new Set<string>();
  // Where nothing comes, content counts for edits alone (T-RM-03).
  const hashesBelow = arriving.length === 0 ? CONFIG_PREFIXES : undefined;
  for (const name of touched.keys()) {
    const directories = new Set<string>();
    const files: RecordedFile[] = [];
    leavingDirectories.set(name, directories);
    leavingByPackage.set(name, files);
    for (const row of iterateFiles(database, name, hashesBelow)) {
      if (row.type === "dir") {
        directories.add(row.path);
        leavingDirectoryPaths.add(row.path);
      } else {
        const file = { ...row, package: name };
        files.push(file);
        leavingFiles.set(row.path, file);
      }
    }
  }
  return {
    operations: plan.operations.map(journalOperation),
    arriving,
    touched,
    removed,
    leavingFiles,
    leavingByPackage,
    leavingDirectories,
    leavingDirectoryPaths,
    ...gatherArrivals(arriving, rules, obstacles),
  };
}

function gatherArrivals(
  arriving: readonly Arriving[],
  rules: PathRules,
  obstacles: Obstacles,
): Pick<Scope, "arrivals" | "arrivingDirectories"> {
  const arrivals = new Map<string, Arrival>();
  const arrivingDirectories = new Map<string, Arriving>();
  for (const from of arriving) {
    const { content } = from;
    const { entries } = content;
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index];
      if (entry === undefined) continue;
      checkPayloadPath(rules, content, entry, obstacles);
      if (entry.type === "dir") {
        arrivingDirectories.set(entry.path, from);
        continue;
      }
      const other = arrivals.get(entry.path);
      if (other !== undefined) {
        obstacles.add("FILE_CONFLICT", entry.path, content.name, other.package.content.name); // T-COLL-04
      } else arrivals.set(entry.path, { package: from, index });
    }
  }
  checkNesting(arrivals, arrivingDirectories, obstacles);
  return { arrivals, arrivingDirectories };
}

/** T-COLL-04: nothing of the plan may lie at or below a path that another package of it ships as a non-directory. */
function checkNesting(
  arrivals: ReadonlyMap<string, Arrival>,
  directories: ReadonlyMap<string, Arriving>,
  obstacles: Obstacles,
): void {
  const checked = new Set<string>(["/"]);
  const check = (path: string, name: string): void => {
    for (let place = path; !checked.has(place); place = parentPath(place)) {
      checked.add(place);
      const other = arrivals.get(place);
      if (other !== undefined) obstacles.add("FILE_CONFLICT", place, name, other.package.content.name);
    }
  };
  for (const [path, from] of directories) check(path, from.content.name);
  for (const [path, arrival] of arrivals) check(parentPath(path), arrival.package.content.name);
}

function journalOperation(operation: Operation, sequence: number): JournalOperation {
  const causedBy = "by" in operation.cause ? operation.cause.by : undefined;
  const base = { sequence, action: operation.kind, cause: operation.cause.kind, causedBy };
  if (operation.kind === "remove") {
    const { name, version, architecture, origin } = operation.from;
    return { ...base, subject: name, from: version.raw, to: undefined, architecture, origin };
  }
  const { name, version, architecture, origin } = operation.target;
  return {
    ...base,
    subject: name,
    from: operation.kind === "install" ? undefined : operation.from.version.raw,
    to: version.raw,
    architecture,
    origin: origin.kind === "local-file" ? undefined : origin.repository,
  };
}
