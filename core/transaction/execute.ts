import type { TransactionInput, TransactionReport } from "./input.ts";

/**
 * Runs one transaction from its plan to its report (T-COMMIT-04 to T-COMMIT-17). The caller holds the writer lock,
 * has recovered, and has verified every package.
 *
 * @throws {PeipkgError} The cause; `detail.rolledBack` says whether a transaction had been opened and was undone.
 */
export function executeTransaction(input: TransactionInput): Promise<TransactionReport> {
  return Promise.reject(new Error(`not built: ${input.summary}`));
}
