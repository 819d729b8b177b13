/** The pending transaction: what every command asks for first. Its journal is in `journal.ts`. */
import type { Database } from "./database.ts";
import type { TransactionKind, TransactionPhase } from "./journal.ts";
import { booleanOf, integerOf, optionalTextOf, textOf, wordOf } from "./row.ts";

/** The pending transaction as recovery reads it. */
export interface PendingTransaction {
  readonly id: number;
  readonly phase: TransactionPhase;
  readonly kind: TransactionKind;
  readonly startedAt: number;
  readonly summary: string;
  readonly startedByVersion: string;
  readonly journalSchemaVersion: number;
  readonly isIndeterminate: boolean;
  readonly crossRootId: string | undefined;
  readonly failureCode: string | undefined;
  readonly failureDetail: string | undefined;
}

/** The pending transaction, if there is one; there is at most one (T-LOCK-09). */
export function pendingTransaction(database: Database): PendingTransaction | undefined {
  const row = database.statement(
    `SELECT id, phase, kind, started_at, op_summary, started_by_version, journal_schema_version, indeterminate,
            cross_root_id, failure_code, failure_detail
     FROM txn WHERE state = 'pending'`,
  ).get();
  if (row === undefined) return undefined;
  return {
    id: integerOf(row, "id"),
    phase: wordOf(row, "phase", ["staging", "applying", "closed"] as const),
    kind: wordOf(row, "kind", ["package", "claim", "undo"] as const),
    startedAt: integerOf(row, "started_at"),
    summary: textOf(row, "op_summary"),
    startedByVersion: textOf(row, "started_by_version"),
    journalSchemaVersion: integerOf(row, "journal_schema_version"),
    isIndeterminate: booleanOf(row, "indeterminate"),
    crossRootId: optionalTextOf(row, "cross_root_id"),
    failureCode: optionalTextOf(row, "failure_code"),
    failureDetail: optionalTextOf(row, "failure_detail"),
  };
}
