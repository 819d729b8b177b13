/** Journal records as the values of their columns, in the order of the statements that write them. */
import type { SqlValue } from "./database.ts";
import type { JournalDirectory, JournalFile } from "./journal.ts";

/** Rows of `txn_file` without what staging adds; removals apart. */
export function* fileRows(id: number, files: readonly JournalFile[]): Generator<readonly SqlValue[]> {
  for (const row of files) {
    if (row.action === "remove") continue;
    yield [
      id,
      row.sequence,
      row.operation,
      row.path,
      row.action,
      row.stagedPath ?? null,
      row.backupPath ?? null,
      row.keepBackup ? 1 : 0,
      row.newType ?? null,
      row.newHash ?? null,
      row.newSizeBytes ?? null,
      row.newTarget ?? null,
      row.oldType ?? null,
      stored(row.oldInode),
      row.oldSizeBytes ?? null,
      stored(row.oldMtime),
      row.oldTarget ?? null,
    ];
  }
}

/** Rows of `txn_file` that remove, with the columns those have. */
export function* removalRows(id: number, files: readonly JournalFile[]): Generator<readonly SqlValue[]> {
  for (const row of files) {
    if (row.action !== "remove") continue;
    yield [
      id,
      row.sequence,
      row.operation,
      row.path,
      row.action,
      row.backupPath ?? null,
      row.keepBackup ? 1 : 0,
      row.oldType ?? null,
      stored(row.oldInode),
      row.oldSizeBytes ?? null,
      stored(row.oldMtime),
      row.oldTarget ?? null,
    ];
  }
}

/** Rows of `txn_dir`; their places in the list are their sequence. */
export function* directoryRows(
  id: number,
  directories: readonly JournalDirectory[],
): Generator<readonly SqlValue[]> {
  for (const [sequence, row] of directories.entries()) {
    const [old, descriptor] = row.action === "set-sd" ? [row.old, row.descriptor] : [null, null];
    yield [id, sequence, row.path, row.action, old, descriptor];
  }
}

/** Sequence and inode of every staged object. */
export function* stagedRows(files: readonly JournalFile[]): Generator<readonly SqlValue[]> {
  for (const { sequence, stagedInode } of files) {
    if (stagedInode !== undefined) yield [sequence, stored(stagedInode)];
  }
}

/** Inode numbers are unsigned, SQLite's integers signed: the same 64 bits either way. */
function stored(value: bigint | undefined): bigint | null {
  return value === undefined ? null : BigInt.asIntN(64, value);
}
