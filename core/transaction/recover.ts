import type { Warning } from "../errors.ts";
import type { Evidence, TransactionAnswer, TransactionContext, TransactionQuestion } from "./input.ts";

/** What recovery found and did. */
export type RecoveryOutcome =
  | { readonly kind: "nothing"; readonly warnings: readonly Warning[] }
  | { readonly kind: "rolled-back"; readonly transaction: number; readonly warnings: readonly Warning[] };

/** Context of recovery, with the settings housekeeping needs. */
export interface RecoveryContext extends TransactionContext {
  readonly keepTransactions: number;
  readonly keepDays: number;
  readonly sideEffects: "auto" | "skip";
  readonly startedAt: number;
}
export type AskRecovery = (question: TransactionQuestion) => Promise<TransactionAnswer>;
export type { Evidence };
