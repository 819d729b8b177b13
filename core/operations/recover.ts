/**
 * What a writer does before its own work — roll back what a crash left, finish housekeeping — and the command that
 * does the same on demand, with its resolutions of the indeterminate state.
 */
import type { Database } from "../store/database.ts";
import type { TransactionContext } from "../transaction/input.ts";
import { recoverPending, type RecoveryContext } from "../transaction/recover.ts";
import { logicalPath } from "../config/layout.ts";
import { auditTransaction } from "./trail.ts";
import type { Workspace, Writer } from "./workspace.ts";

/** What every entry point of the transaction room is given. */
export function transactionContext(workspace: Workspace, writer: Omit<Writer, "recovered">): TransactionContext {
  const { database, state } = writer;
  return {
    session: workspace.session,
    root: workspace.root,
    isSystemRoot: workspace.isSystemRoot,
    state: { directory: state.directory, logicalPath: logicalPath(workspace.layout, workspace.layout.state) },
    database,
    audit: (id, replayed) => auditTransaction(workspace.trail, database, id, replayed),
  };
}

/** The same with what recovery and housekeeping need of the settings. */
export function recoveryContext(workspace: Workspace, writer: Omit<Writer, "recovered">): RecoveryContext {
  const { settings } = workspace;
  return {
    ...transactionContext(workspace, writer),
    keepTransactions: settings.backupKeepTransactions,
    keepDays: settings.backupKeepDays,
    sideEffects: settings.sideEffects === "skip" ? "skip" : "auto",
    startedAt: workspace.startedAt,
  };
}

/**
 * Rolls back a pending transaction and finishes what closed ones left (T-COMMIT-02, T-RECOV-01, T-RECOV-03).
 *
 * @returns The transaction that was rolled back.
 * @throws {PeipkgError} `indeterminate`, `journal-version`, `busy`
 */
export async function recoverUnderLock(
  workspace: Workspace,
  writer: { readonly database: Database; readonly state: Writer["state"] },
): Promise<number | undefined> {
  const outcome = await recoverPending(recoveryContext(workspace, writer));
  for (const warning of outcome.warnings) workspace.warn(warning);
  if (outcome.kind === "nothing") return undefined;
  workspace.session.emit({ kind: "recovered", id: outcome.transaction });
  workspace.warn({
    rule: "W_RECOVERED",
    text: `recovered: interrupted transaction ${outcome.transaction} was rolled back`,
  });
  workspace.trail.emit({
    type: "peipkg.recovery",
    outcome: "success",
    startedAt: workspace.startedAt,
    transaction: outcome.transaction,
    recovery: { mode: "automatic", resolution: "rollback", problems: [] },
  });
  return outcome.transaction;
}
