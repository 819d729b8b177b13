/**
 * The forensic report (T-INDET-06): what a pending transaction left, what strays lie about, where kept content is. It
 * reads, and changes nothing. Recorded files whose content differs are `verify`'s to find.
 */
import { walkAuditLog } from "../audit/log.ts";
import { AUDIT_DIRECTORY } from "../audit/sink.ts";
import { findInconsistencies } from "../store/consistency.ts";
import type { Database } from "../store/database.ts";
import { priorFiles, readTransactions } from "../store/history.ts";
import { readFiles, readInstalledPackages, readOwners } from "../store/installed.ts";
import { displacedFiles, type JournalFile, type JournalOperation, journalOperations } from "../store/journal.ts";
import { type PendingTransaction, pendingTransaction } from "../store/pending.ts";
import type { Directory, FileStatus, FileSystemStatus } from "../system.ts";
import { ContentReader } from "./config_files.ts";
import { DirectoryPool } from "./directories.ts";
import { describeFailure } from "./failures.ts";
import type { TransactionContext } from "./input.ts";
import { baseName, childPath, parentPath } from "./names.ts";
import { IdentityCheck } from "./objects.ts";
import { readJournal } from "./recover.ts";
import { openRetained } from "./retained.ts";
import { examine } from "./revert.ts";

/** One file operation of the pending transaction, with what is found now. */
export interface ReportedFile {
  readonly path: string;
  readonly action: string;
  readonly final: string;
  readonly staged: string;
  readonly backup: string;
  /** Row of the decision table that applies, e.g. `T-ROLL-35`. */
  readonly decision: string;
}

export interface RecoveryReport {
  readonly transaction: PendingTransaction | undefined;
  readonly operations: readonly JournalOperation[];
  readonly files: readonly ReportedFile[];
  /** Database inconsistencies, one sentence each. */
  readonly database: readonly string[];
  /** Temporary objects in directories of owned paths, and whether a row names them. */
  readonly strays: readonly {
    readonly path: string;
    readonly transaction: number | undefined;
    readonly isNamed: boolean;
  }[];
  readonly retained: readonly {
    readonly transaction: number;
    readonly original: string | undefined;
    readonly place: string;
    readonly exists: boolean;
  }[];
  readonly filesystems: readonly ({ readonly mount: string } & FileSystemStatus)[];
  /** What could not be looked at (FP-70). */
  readonly gaps: readonly string[];
}

const STRAY_REGEXP = /\.peipkg-(?:(?:staged|backup)-([0-9]+)(?:-[0-9]+)?|new(?:-[0-9]+)?)$/;

/** Gathers the report; what cannot be read is named in `gaps`. */
export function recoveryReport(context: TransactionContext): RecoveryReport {
  using pool = new DirectoryPool(context.root);
  const gaps: string[] = [];
  const attempt = <Result>(what: string, fallback: Result, work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      gaps.push(`${what}: ${describeFailure(error)}`);
      return fallback;
    }
  };
  const { database } = context;
  const pending = attempt("pending transaction", undefined, () => pendingTransaction(database));
  const rows = pending === undefined
    ? []
    : attempt<readonly JournalFile[]>("journal", [], () => readJournal(context, pending).files);
  const operations = pending === undefined
    ? []
    : attempt<readonly JournalOperation[]>("operations", [], () => journalOperations(database, pending.id));
  const directories = attempt<ReadonlySet<string>>(
    "owned paths",
    new Set(),
    () => concernedDirectories(database, rows),
  );
  let journalled: ReadonlySet<string | undefined> | undefined;
  const named = () => journalled ??= namedObjects(database, rows);
  return {
    transaction: pending,
    operations,
    files: rows.flatMap((file) => attempt<ReportedFile[]>(file.path, [], () => [describe(context, pool, file)])),
    database: [
      ...attempt<readonly string[]>("database", [], () => findInconsistencies(database, true).map(({ text }) => text)),
      ...attempt<readonly string[]>("audit log", [], () => auditLogBreak(pool)),
    ],
    strays: [...directories].flatMap((path) => attempt(path, [], () => straysIn(database, pool, named(), path))),
    retained: attempt<RecoveryReport["retained"]>("kept content", [], () => keptObjects(context, pool)),
    filesystems: attempt<RecoveryReport["filesystems"]>("file systems", [], () => fileSystems(pool, directories)),
    gaps,
  };
}

function describe(context: TransactionContext, pool: DirectoryPool, file: JournalFile): ReportedFile {
  const revert = { database: context.database, pool, reader: new ContentReader() };
  const { final, staged, backup, decision } = examine(revert, new IdentityCheck(), file);
  return {
    path: file.path,
    action: file.action,
    final: words(final),
    staged: words(staged),
    backup: words(backup),
    decision: decision.id,
  };
}

function words(status: FileStatus | undefined): string {
  return status === undefined ? "absent" : `${status.type} inode ${status.inode} size ${status.sizeBytes}`;
}

function concernedDirectories(database: Database, rows: readonly JournalFile[]): ReadonlySet<string> {
  const directories = new Set(rows.map(({ path }) => parentPath(path)));
  for (const { name } of readInstalledPackages(database)) {
    for (const { path, type } of readFiles(database, name)) directories.add(type === "dir" ? path : parentPath(path));
  }
  return directories;
}

/** Where the chain of the audit log does not hold (A-LOG-10); a record that disagrees, though no row. */
function auditLogBreak(pool: DirectoryPool): readonly string[] {
  const directory = pool.open(AUDIT_DIRECTORY);
  const broken = directory === undefined ? undefined : walkAuditLog(directory);
  if (broken === undefined) return [];
  const { file, line, found } = broken;
  return [`${AUDIT_DIRECTORY}/${file}: the chain breaks at line ${line} (${found})`];
}

/** Objects that a journal row names. */
function namedObjects(database: Database, rows: readonly JournalFile[]): ReadonlySet<string | undefined> {
  return new Set([
    ...rows.flatMap((row) => [row.stagedPath, row.backupPath]),
    ...displacedFiles(database).map(({ keptAt }) => keptAt),
  ]);
}

function straysIn(
  database: Database,
  pool: DirectoryPool,
  named: ReadonlySet<string | undefined>,
  path: string,
): RecoveryReport["strays"] {
  const directory = pool.open(path);
  if (directory === undefined) return [];
  return directory.list().names.flatMap((name) => {
    const match = STRAY_REGEXP.exec(name);
    if (match === null) return [];
    const place = childPath(path, name);
    const isNamed = named.has(place) || readOwners(database, place).length > 0;
    return [{ path: place, transaction: match[1] === undefined ? undefined : Number(match[1]), isNamed }];
  });
}

function keptObjects(context: TransactionContext, pool: DirectoryPool): RecoveryReport["retained"] {
  const { database, state } = context;
  const kept: { transaction: number; original: string | undefined; place: string; exists: boolean }[] = [];
  const exists = (place: string): boolean => {
    if (place.startsWith("/")) return pool.open(parentPath(place))?.status(baseName(place)) !== undefined;
    using object = openRetained(state.directory, pool, place);
    return object?.directory.status(object.name) !== undefined;
  };
  for (const { id } of readTransactions(database)) {
    for (const { path, retainedPath: place } of priorFiles(database, id)) {
      if (place !== undefined) kept.push({ transaction: id, original: path, place, exists: exists(place) }); // T-SELF-04
    }
  }
  for (const { transaction, original, keptAt } of displacedFiles(database)) {
    kept.push({ transaction, original, place: keptAt, exists: exists(keptAt) });
  }
  return kept;
}

function fileSystems(pool: DirectoryPool, directories: ReadonlySet<string>): RecoveryReport["filesystems"] {
  const byDevice = new Map<bigint, Directory>();
  for (const path of ["/", ...directories]) {
    const directory = pool.open(path);
    if (directory !== undefined && !byDevice.has(directory.device)) byDevice.set(directory.device, directory);
  }
  return [...byDevice.values()].map((directory) => ({
    mount: pool.mountPoint(directory),
    ...directory.fileSystemStatus(),
  }));
}
