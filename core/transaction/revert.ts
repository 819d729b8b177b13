/**
 * Undoing a transaction that did not reach its boundary: the same code in the process that failed and in the one that
 * finds a pending row later (transactions.md section 16).
 *
 * 1. Stage A restores final paths and keeps all evidence; stage B removes the evidence (T-ROLL-02).
 * 2. Between them the phase is set back to `staging`, durably: a repetition then never looks at final paths again.
 * 3. Every decision comes from `decisions.ts` and from what is on disk now (T-ROLL-04).
 * 4. Every operation is tried, whatever happened to the ones before (T-ROLL-03).
 * 5. What cannot be decided is left exactly as it is, and so is the row (T-ROLL-07).
 */
import { type ErrorRule, PeipkgError, type Warning } from "../errors.ts";
import type { Database } from "../store/database.ts";
import {
  type JournalDirectory,
  type JournalFile,
  recordIndeterminate,
  recordRolledBack,
  recordStaging,
  type TransactionPhase,
} from "../store/journal.ts";
import type { Directory, FileStatus } from "../system.ts";
import { BACKUP_MISMATCH, decideRestoration, type DecisionRow, type FinalFound } from "./decisions.ts";
import type { ContentReader } from "./config_files.ts";
import { restoreDescriptors } from "./descriptor_access.ts";
import type { DirectoryPool } from "./directories.ts";
import { Durability } from "./durability.ts";
import { describeFailure, hasErrno, ruleOf } from "./failures.ts";
import { baseName, parentPath } from "./names.ts";
import { IdentityCheck, removeTree, renameNoReplace } from "./objects.ts";

/** What stands in the way of restoring one path. */
export interface RollbackProblem {
  readonly path: string;
  readonly rule: ErrorRule;
  readonly text: string;
}

/** One transaction's journal, as kept in memory or as read back. */
export interface JournalView {
  readonly id: number;
  readonly phase: TransactionPhase;
  readonly files: readonly JournalFile[];
  readonly directories: readonly JournalDirectory[];
}

export interface RevertContext {
  readonly database: Database;
  readonly pool: DirectoryPool;
  readonly reader: ContentReader;
}

/** How a rollback ended. */
export type RollbackResult =
  | { readonly kind: "rolled-back"; readonly warnings: readonly Warning[] }
  /** Some path could not be restored; recorded if the database could be written (T-ROLL-07). */
  | {
    readonly kind: "indeterminate";
    readonly problems: readonly RollbackProblem[];
    readonly warnings: readonly Warning[];
  }
  /** Every file was restored, but the database could not be told: the next start repeats it (FP-65, FP-67). */
  | { readonly kind: "unclosed"; readonly error: unknown; readonly warnings: readonly Warning[] };

/** What is found for one journal row now, and the row of the table that applies. */
export interface Situation {
  readonly staged: FileStatus | undefined;
  readonly final: FileStatus | undefined;
  readonly backup: FileStatus | undefined;
  readonly decision: DecisionRow;
}

/**
 * Rolls a transaction back completely, or as far as it can be decided.
 *
 * @param failure Cause, recorded with the closed row.
 * @param finishedAt Seconds since the epoch; read when it is needed (T-CONV-02).
 */
export function rollBack(
  context: RevertContext,
  journal: JournalView,
  failure: { readonly code: string; readonly detail: string },
  finishedAt: () => number,
): RollbackResult {
  const { database } = context;
  const revert = new Revert(context);
  try {
    if (journal.phase === "applying") {
      revert.restoreFinalPaths(journal.files);
      if (revert.problems.length > 0) return revert.asIndeterminate(journal.id, failure.detail);
      try {
        database.write(() => recordStaging(database, journal.id));
      } catch (error) {
        return { kind: "unclosed", error, warnings: revert.warnings };
      }
    }
    revert.removeLeftovers(journal);
    if (revert.problems.length > 0) return revert.asIndeterminate(journal.id, failure.detail);
    try {
      database.write(() => recordRolledBack(database, journal.id, finishedAt(), failure));
    } catch (error) {
      return { kind: "unclosed", error, warnings: revert.warnings };
    }
    return { kind: "rolled-back", warnings: revert.warnings };
  } finally {
    revert[Symbol.dispose]();
  }
}

/** Looks at one row without changing anything: the forensic report and the operator's questions start here. */
export function examine(context: RevertContext, identity: IdentityCheck, file: JournalFile): Situation {
  const directory = context.pool.open(parentPath(file.path));
  if (directory === undefined) {
    return {
      staged: undefined,
      final: undefined,
      backup: undefined,
      decision: decideRestoration(file.action, false, "absent", false),
    };
  }
  const staged = statusOf(directory, file.stagedPath);
  const final = directory.status(baseName(file.path));
  const backup = statusOf(directory, file.backupPath);
  if (backup !== undefined && typeOf(backup) !== file.oldType) {
    return { staged, final, backup, decision: BACKUP_MISMATCH }; // T-ROLL-47
  }
  const found = classify(context, identity, directory, file, final, backup);
  return {
    staged,
    final,
    backup,
    decision: decideRestoration(file.action, staged !== undefined, found, backup !== undefined),
  };
}

class Revert implements Disposable {
  readonly problems: RollbackProblem[] = [];
  readonly warnings: Warning[] = [];
  readonly #durability: Durability;
  readonly #identity = new IdentityCheck();

  constructor(readonly context: RevertContext) {
    this.#durability = new Durability(context.pool);
  }

  /** Stage A. */
  restoreFinalPaths(files: readonly JournalFile[]): void {
    for (let index = files.length - 1; index >= 0; index--) {
      const file = files[index];
      if (file !== undefined) this.#guard(file.path, () => this.#restore(file));
    }
    this.#guard("/", () => this.#durability.settle());
  }

  /** Stage B. */
  removeLeftovers(journal: JournalView): void {
    for (let index = journal.files.length - 1; index >= 0; index--) {
      const file = journal.files[index];
      if (file !== undefined) this.#guard(file.path, () => this.#removeTemporary(file));
    }
    for (let index = journal.directories.length - 1; index >= 0; index--) {
      const row = journal.directories[index];
      if (row?.action !== "set-sd") continue;
      this.#guard(row.path, () => restoreDescriptors(this.context.pool, this.#durability, row)); // FP-63
    }
    for (let index = journal.directories.length - 1; index >= 0; index--) {
      const row = journal.directories[index];
      if (row?.action === "create") this.#guard(row.path, () => this.#removeCreated(row.path));
    }
    this.#guard("/", () => this.#durability.settle());
  }

  /** Records that the operator has to look (T-ROLL-07). */
  asIndeterminate(id: number, cause: string): RollbackResult {
    const { database } = this.context;
    const detail = [cause, ...this.problems.map((problem) => `${problem.path}: ${problem.text}`)].join("; ");
    const code = this.problems.find((problem) => problem.rule.startsWith("RECOVERY_"))?.rule ?? "ROLLBACK_FAILED";
    try {
      database.write(() => recordIndeterminate(database, id, { code, detail }));
    } catch (error) {
      this.warnings.push({ rule: "W_INDETERMINATE", text: `cannot record the state: ${describeFailure(error)}` });
    }
    return { kind: "indeterminate", problems: this.problems, warnings: this.warnings };
  }

  [Symbol.dispose](): void {
    this.#durability[Symbol.dispose]();
  }

  #restore(file: JournalFile): void {
    const directory = this.context.pool.open(parentPath(file.path));
    const situation = examine(this.context, this.#identity, file);
    const { restoration, rule } = situation.decision;
    if (restoration === "none") return;
    if (restoration === "indeterminate" || directory === undefined) {
      this.#problem(file.path, rule ?? "RECOVERY_BACKUP_MISSING", INDETERMINATE_TEXTS[rule ?? ""] ?? "undecidable");
      return;
    }
    this.#warnOfDrift(directory, file, situation);
    this.#durability.prepare(directory);
    carryOut(directory, file, situation);
    this.#durability.touch(directory);
  }

  #warnOfDrift(directory: Directory, file: JournalFile, { backup }: Situation): void {
    if (backup === undefined || file.backupPath === undefined || file.oldType === "dir") return;
    if (this.#identity.isOld(directory, baseName(file.backupPath), backup, file)) return;
    this.warnings.push({ rule: "W_RECOVERED", text: `${file.path} was restored, but it had been changed meanwhile` });
  }

  #removeTemporary(file: JournalFile): void {
    const directory = this.context.pool.open(parentPath(file.path));
    if (directory === undefined) return;
    const staged = statusOf(directory, file.stagedPath);
    if (staged !== undefined && file.stagedPath !== undefined) {
      this.#durability.prepare(directory);
      removeTree(directory, baseName(file.stagedPath), staged.type); // T-ROLL-20
      this.#durability.touch(directory);
    }
    if (statusOf(directory, file.backupPath) === undefined || file.backupPath === undefined) return;
    this.#durability.prepare(directory);
    directory.unlink(baseName(file.backupPath)); // T-ROLL-21: a second name; a directory here refuses to go
    this.#durability.touch(directory);
  }

  #removeCreated(path: string): void {
    const parent = this.context.pool.open(parentPath(path));
    if (parent === undefined) return;
    this.#durability.prepare(parent);
    try {
      parent.removeDirectory(baseName(path));
      this.#durability.touch(parent);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return;
      if (!hasErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
      this.warnings.push({ rule: "W_DIR_KEPT", text: `${path} stays: something else was put there` }); // T-ROLL-05
    }
  }

  #guard(path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const rule = ruleOf(error);
      this.#problem(path, rule?.startsWith("RECOVERY_") ? rule : "ROLLBACK_FAILED", describeFailure(error));
    }
  }

  #problem(path: string, rule: ErrorRule, text: string): void {
    this.problems.push({ path, rule, text });
  }
}

const INDETERMINATE_TEXTS: Readonly<Record<string, string>> = {
  RECOVERY_FOREIGN_OBJECT: "something else is there now",
  RECOVERY_BACKUP_MISSING: "the backup needed to restore it is gone",
  RECOVERY_BACKUP_MISMATCH: "the backup is not the kind of object that was there",
};

function carryOut(directory: Directory, file: JournalFile, { staged, final, decision }: Situation): void {
  const name = baseName(file.path);
  const stagedName = baseName(file.stagedPath ?? "");
  const backupName = baseName(file.backupPath ?? "");
  switch (decision.restoration) {
    case "unapply":
      renameNoReplace(directory, name, stagedName);
      return;
    case "restore-over":
      // A directory cannot be renamed over a file, nor a file over a directory.
      if (final !== undefined && (final.type === "dir" || file.oldType === "dir")) {
        renameNoReplace(directory, name, stagedName);
      }
      directory.rename(backupName, directory, name);
      return;
    case "restore":
      renameNoReplace(directory, backupName, name);
      return;
    case "relink":
      if (staged !== undefined) directory.unlink(stagedName);
      directory.makeSymlink(stagedName, file.oldTarget ?? "");
      directory.rename(stagedName, directory, name);
      return;
  }
}

function classify(
  context: RevertContext,
  identity: IdentityCheck,
  directory: Directory,
  file: JournalFile,
  final: FileStatus | undefined,
  backup: FileStatus | undefined,
): FinalFound {
  if (final === undefined) return "absent";
  const name = baseName(file.path);
  if (file.action === "repoint") {
    if (final.type !== "symlink") return "other";
    const target = directory.readLink(name);
    return target === file.newTarget ? "new-target" : target === file.oldTarget ? "old-target" : "other";
  }
  if (backup !== undefined && final.inode === backup.inode && final.device === backup.device) return "same-as-backup";
  return isStagedObject(context, identity, directory, name, file, final) ? "new" : "other";
}

/** "Is new" of section 16.2: the staged inode with the staged size, or content equal to what was staged. */
function isStagedObject(
  context: RevertContext,
  identity: IdentityCheck,
  directory: Directory,
  name: string,
  file: JournalFile,
  found: FileStatus,
): boolean {
  if (found.type !== file.newType) return false;
  const hasSize = file.newType !== "file" || found.sizeBytes === file.newSizeBytes;
  const hasTarget = file.newType !== "symlink" || directory.readLink(name) === file.newTarget;
  if (!hasSize || !hasTarget) return false;
  if (found.inode === file.stagedInode) return true;
  // The object of before may have the content of after (a reinstall that only set modes): it is still the old one.
  if (file.oldType !== undefined && identity.isOld(directory, name, found, file)) return false;
  if (file.newType === "file") return context.reader.hash(directory, name) === file.newHash;
  return file.newType === "symlink";
}

function statusOf(directory: Directory, path: string | undefined): FileStatus | undefined {
  return path === undefined ? undefined : directory.status(baseName(path));
}

function typeOf(status: FileStatus): "file" | "symlink" | "dir" {
  return status.type === "other" ? "file" : status.type;
}

/** Joins the cause of a rollback with what the rollback met (T-ROLL-08). */
export function rollbackError(cause: unknown, result: RollbackResult, id: number): PeipkgError {
  const first = cause instanceof PeipkgError ? cause : new PeipkgError("internal", describeFailure(cause), { cause });
  if (result.kind === "rolled-back") {
    return new PeipkgError(first.code, first.message, { ...first.detail, rolledBack: true, transaction: id });
  }
  if (result.kind === "unclosed") {
    const store = result.error instanceof PeipkgError ? result.error : first;
    return new PeipkgError(store.code, store.message, {
      ...store.detail,
      transaction: id,
      rolledBack: false,
      lines: [first.message],
      hint: "every file is as it was; the next command that changes something closes the transaction",
      cause: first,
    });
  }
  return indeterminateError(id, result.problems, first);
}

/** The failure of a rollback that left paths undecided. */
export function indeterminateError(id: number, problems: readonly RollbackProblem[], cause?: PeipkgError): PeipkgError {
  const rule = problems.find((problem) => problem.rule !== "ROLLBACK_FAILED")?.rule ?? "ROLLBACK_FAILED";
  return new PeipkgError("indeterminate", `cannot roll transaction ${id} back completely`, {
    rule,
    transaction: id,
    rolledBack: false,
    paths: problems.map((problem) => ({ path: problem.path, rule: problem.rule })),
    lines: [...(cause === undefined ? [] : [cause.message]), ...problems.map((p) => `${p.path}: ${p.text}`)],
    hint: "run 'peipkg recover'",
    ...(cause === undefined ? {} : { cause }),
  });
}
