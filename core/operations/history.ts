/** What transactions did, as `history` shows it. */
import type { Database } from "../store/database.ts";
import { readOperations, readTransaction, readTransactions, type TransactionRecord } from "../store/history.ts";
import { type FileAction, journalFiles, type OperationAction, type TransactionState } from "../store/journal.ts";
import type { Workspace } from "./workspace.ts";

/** One line of history (C-HIST-04). */
export interface HistoryEntry {
  readonly id: number;
  readonly state: TransactionState;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  readonly finishedAt: number | undefined;
  readonly summary: string;
  readonly operations: readonly HistoryOperation[];
  /** Version of the program that began it. */
  readonly byVersion: string;
}

/** What a transaction did to one package, or, for `claim`, to one role: `from` and `to` are then its holders. */
export interface HistoryOperation {
  readonly action: OperationAction;
  readonly name: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly origin: string | undefined;
}

/** One change of a file by a transaction. */
export interface HistoryFile {
  readonly path: string;
  readonly action: FileAction;
}

/**
 * Lists transactions, newest first.
 *
 * @param filters `limit`: so many at most; `package`: only those that changed it (or a role of that name).
 * @see T-HIST-01, T-HIST-02, C-HIST-02, C-HIST-05
 */
export function transactionHistory(
  workspace: Workspace,
  filters: { readonly limit?: number; readonly package?: string } = {},
): readonly HistoryEntry[] {
  return workspace.read((database) => {
    if (database === undefined) return [];
    const { limit = Infinity, package: name } = filters;
    // A filter looks at every transaction; without one SQLite stops at the limit.
    const records = readTransactions(database, name === undefined && limit !== Infinity ? limit : undefined);
    const entries: HistoryEntry[] = [];
    for (const record of records) {
      if (entries.length >= limit) break;
      const entry = entryOf(database, record);
      if (name === undefined || entry.operations.some((operation) => operation.name === name)) entries.push(entry);
    }
    return entries;
  });
}

/**
 * What a transaction did to files, in the order it did it; empty once its details are past their retention.
 *
 * @see C-HIST-05
 */
export function transactionFiles(workspace: Workspace, id: number): readonly HistoryFile[] {
  return workspace.read((database) =>
    database === undefined ? [] : journalFiles(database, id).map(({ path, action }) => ({ path, action }))
  );
}

/** One transaction; `undefined` when there is none of that number (C-HIST-05). */
export function transactionEntry(workspace: Workspace, id: number): HistoryEntry | undefined {
  return workspace.read((database) => {
    const record = database === undefined ? undefined : readTransaction(database, id);
    return database === undefined || record === undefined ? undefined : entryOf(database, record);
  });
}

function entryOf(database: Database, record: TransactionRecord): HistoryEntry {
  return {
    id: record.id,
    state: record.state,
    startedAt: record.startedAt,
    finishedAt: record.finishedAt,
    summary: record.summary,
    operations: readOperations(database, record.id).map(({ action, subject, from, to, origin }) => ({
      action,
      name: subject,
      from,
      to,
      origin,
    })),
    byVersion: record.startedByVersion,
  };
}
