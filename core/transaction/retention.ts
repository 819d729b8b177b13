/** How long displaced content is kept, and dropping it (T-RETAIN-01 to T-RETAIN-07). */
import type { Warning } from "../errors.ts";
import type { Database } from "../store/database.ts";
import {
  deleteDetails,
  newestCommitted,
  newestCommittedIds,
  priorFiles,
  prunableTransactions,
  retainedPaths,
  setRetainedPaths,
} from "../store/history.ts";
import type { Directory } from "../system.ts";
import type { DirectoryPool } from "./directories.ts";
import { describeFailure } from "./failures.ts";
import { removeTree } from "./objects.ts";
import { numberedPlace, openRetained, openRetainedArea } from "./retained.ts";

const SECONDS_PER_DAY = 86_400;

export interface RetentionSettings {
  /** `backup_keep_transactions`; 0 keeps nothing. */
  readonly keepTransactions: number;
  /** `backup_keep_days`; 0 keeps nothing. */
  readonly keepDays: number;
}

/** Whether displaced content is kept at all (T-RETAIN-01). */
export function retainsBackups({ keepTransactions, keepDays }: RetentionSettings): boolean {
  return keepTransactions > 0 && keepDays > 0;
}

export interface RetentionContext {
  readonly database: Database;
  readonly pool: DirectoryPool;
  readonly state: Directory;
}

/** Transactions whose kept content is past its time, newest first; with `all`, every one that keeps some (T-RETAIN-02). */
export function expiredTransactions(
  database: Database,
  settings: RetentionSettings,
  now: number,
  all = false,
): readonly number[] {
  const kept = retainsBackups(settings) && !all
    ? newestCommittedIds(database, settings.keepTransactions)
    : new Set<number>();
  return prunableTransactions(database)
    .filter(({ id, finishedAt }) => !kept.has(id) || now - finishedAt > settings.keepDays * SECONDS_PER_DAY)
    .map(({ id }) => id);
}

/**
 * Drops what is past its time; with `all`, everything (`clean --backups`).
 *
 * A crash between deleting files and forgetting them leaves recorded files that are missing; those count as dropped
 * (T-RETAIN-05).
 *
 * @param now Seconds since the epoch.
 * @returns How many transactions lost their kept content.
 */
export function pruneRetained(
  context: RetentionContext,
  settings: RetentionSettings,
  now: number,
  all = false,
): { readonly transactions: number; readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = [];
  const { database } = context;
  const newest = newestCommitted(database)?.id;
  let transactions = 0;
  for (const id of expiredTransactions(database, settings, now, all)) {
    try {
      if (dropContent(context, id)) transactions++;
      database.write(() => deleteDetails(database, id, id === newest)); // T-RETAIN-07
    } catch (error) {
      warnings.push({
        rule: "W_HOUSEKEEPING",
        text: `cannot drop backups of transaction ${id}: ${describeFailure(error)}`,
      });
    }
  }
  return { transactions, warnings };
}

/**
 * Deletes the kept content of one transaction, durably: the rows that name it are forgotten only afterwards, or a power
 * cut would bring back files nobody knows about.
 */
function dropContent(context: RetentionContext, id: number): boolean {
  const places = new Set(retainedPaths(context.database, id).map(numberedPlace));
  for (const place of places) removeRetained(context, place);
  const areas = new Map([...places].map((place) => [place.slice(0, place.lastIndexOf("/")), place]));
  for (const place of areas.values()) settleArea(context, place);
  return places.size > 0;
}

/** Deletes one kept object; one that is gone already is fine. */
function removeRetained({ pool, state }: RetentionContext, place: string): void {
  using kept = openRetained(state, pool, place);
  const found = kept?.directory.status(kept.name);
  if (kept !== undefined && found !== undefined) removeTree(kept.directory, kept.name, found.type);
}

/** Removes the numbered directory if it is empty; displaced objects of the operator's keep it (T-RETAIN-06). */
function settleArea({ pool, state }: RetentionContext, place: string): void {
  using kept = openRetained(state, pool, place);
  kept?.directory.sync();
  using area = openRetainedArea(state, pool, place);
  if (area === undefined || kept === undefined || kept.directory.list().names.length > 0) return;
  area.directory.removeDirectory(area.name);
  area.directory.sync();
}

/**
 * Drops the kept content of a transaction that was undone: what the undo put back shares its inode with a live file
 * now, and the transaction itself cannot be undone a second time (T-UNDO-06). Repeatable.
 */
export function consumeRetained(context: RetentionContext, undone: number): void {
  const consumed = priorFiles(context.database, undone).filter((row) => row.retainedPath !== undefined);
  if (consumed.length === 0) return;
  dropContent(context, undone);
  context.database.write(() => {
    const gone = consumed.map(({ package: name, path }) => ({ package: name, path, place: undefined }));
    setRetainedPaths(context.database, undone, gone);
  });
}
