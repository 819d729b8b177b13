/** Journal records as the values of their columns, in the order of the statements that write them. */
import type { SqlValue } from "./database.ts";
import type { JournalFile } from "./journal.ts";

/** Rows of `txn_file` without what staging adds. */
export function* fileRows(id: number, files: readonly JournalFile[]): Generator<readonly SqlValue[]> {
  for (const row of files) {
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
