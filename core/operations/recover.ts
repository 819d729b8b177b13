/**
 * What a writer does before its own work — roll back what a crash left, finish housekeeping — and the command that
 * does the same on demand, with its resolutions of the indeterminate state.
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { openOrCreateChild, writeFileDurably } from "../fs/durable.ts";
import { formatTimestamp } from "../identity/timestamp.ts";
import type { Database } from "../store/database.ts";
import { pendingTransaction } from "../store/pending.ts";
import { acceptState, resolveIndeterminate } from "../transaction/resolution.ts";
import { type RecoveryReport, recoveryReport } from "../transaction/report.ts";
import type { AuthorisationEvidence, ChangeAnswers } from "./change_request.ts";
import { verifyInstalled, type VerifyProblem } from "./verify.ts";
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

// --- The command -------------------------------------------------------------------------------------------------

/** How `recover` ended. */
export type RecoverResult =
  | { readonly kind: "nothing" }
  | {
    readonly kind: "rolled-back";
    readonly transaction: number;
    /** Objects put aside on the operator's word. */
    readonly displaced: readonly { readonly path: string; readonly place: string }[];
  };

/**
 * Rolls back a pending transaction, also one that could not be before, and retries what is due after commits.
 *
 * @param ask Asks one elevated question per undecided path.
 * @throws {PeipkgError} `indeterminate`, `journal-version`, `busy`
 * @see C-RECOVER-01 … C-RECOVER-04, T-RECOV-05, T-INDET-08, T-SIDE-10
 */
export async function recoverInstallation(workspace: Workspace, ask: ChangeAnswers["ask"]): Promise<RecoverResult> {
  let transaction: number | undefined;
  const outcome = await workspace.withExistingWriter(async (writer) => {
    transaction = pendingTransaction(writer.database)?.id;
    const operator = JSON.stringify(workspace.trail.operator);
    return await resolveIndeterminate(recoveryContext(workspace, writer), operator, ask);
  }, false).catch((error: unknown) => {
    if (transaction !== undefined && error instanceof PeipkgError) {
      auditRecovery(workspace, transaction, "none", [error.detail.rule ?? error.code]);
    }
    throw error;
  });
  for (const warning of outcome?.warnings ?? []) workspace.warn(warning);
  if (outcome === undefined || outcome.kind === "nothing") return { kind: "nothing" };
  auditRecovery(workspace, outcome.transaction, "rollback", []);
  workspace.finish(true);
  return { kind: "rolled-back", transaction: outcome.transaction, displaced: outcome.displaced };
}

/** The transaction whose state is undecided; `recover --accept` asks about it by number. */
export function undecidedTransaction(workspace: Workspace): number | undefined {
  return workspace.read((database) => {
    const pending = database === undefined ? undefined : pendingTransaction(database);
    return pending?.isIndeterminate === true ? pending.id : undefined;
  });
}

/**
 * Keeps what is on disk and gives the undecided transaction up.
 *
 * @returns Recorded paths that differ from now on.
 * @throws {PeipkgError} `indeterminate` when nothing is undecided
 * @see C-RECOVER-06, T-INDET-09, T-INDET-10
 */
export async function acceptRecovery(
  workspace: Workspace,
  evidence: AuthorisationEvidence,
): Promise<readonly string[]> {
  const accepted = await workspace.withExistingWriter(
    (writer) => acceptState(recoveryContext(workspace, writer), JSON.stringify(workspace.trail.operator), evidence),
    false,
  );
  if (accepted === undefined) {
    throw ruleError("RECOVERY_MODE", "cannot accept the state on disk: no transaction is in an undecided state");
  }
  for (const warning of accepted.warnings) workspace.warn(warning);
  auditRecovery(workspace, accepted.transaction, "accept", []);
  workspace.finish(true);
  return accepted.differing;
}

function auditRecovery(
  workspace: Workspace,
  transaction: number,
  resolution: "rollback" | "accept" | "none",
  problems: readonly string[],
): void {
  workspace.trail.emit({
    type: "peipkg.recovery",
    outcome: resolution === "none" ? "rejection" : "success",
    startedAt: workspace.startedAt,
    transaction,
    ...(problems[0] === undefined ? {} : { reason: problems[0] }),
    recovery: { mode: "operator", resolution, problems },
  });
}

/** The forensic report, with the recorded files that differ (T-INDET-06). */
export interface RecoveryDocument extends RecoveryReport {
  readonly differing: readonly VerifyProblem[];
  /** Where a copy was saved; `undefined`: the caller may not write there. */
  readonly savedAs: string | undefined;
}

/**
 * Gathers the report without changing anything but a saved copy of it.
 *
 * @see C-RECOVER-05, T-INDET-05 … T-INDET-07
 */
export async function reportRecovery(workspace: Workspace): Promise<RecoveryDocument | undefined> {
  const report = workspace.read((database) => {
    using state = workspace.openState();
    if (database === undefined || state === undefined) return undefined;
    return recoveryReport(transactionContext(workspace, { database, state }));
  });
  if (report === undefined) return undefined;
  const { problems } = await verifyInstalled(workspace, []);
  return { ...report, differing: problems, savedAs: saveReport(workspace, report, problems) };
}

const REPORTS_MODE = 0o700;
const REPORT_MODE = 0o600;

function saveReport(
  workspace: Workspace,
  report: RecoveryReport,
  differing: readonly VerifyProblem[],
): string | undefined {
  const id = report.transaction?.id ?? 0;
  const name = `recovery-${id}-${formatTimestamp(Math.floor(workspace.startedAt / 1000)).replaceAll(":", "")}.json`;
  const text = JSON.stringify(
    { ...report, differing },
    (_key, value: unknown) => typeof value === "bigint" ? String(value) : value,
    2,
  );
  try {
    using state = workspace.openState();
    if (state === undefined) return undefined;
    using reports = openOrCreateChild(state.directory, "reports", REPORTS_MODE);
    writeFileDurably(reports, name, new TextEncoder().encode(`${text}\n`), REPORT_MODE);
    return `${reports.path}/${name}`;
  } catch (error) {
    if (error instanceof SystemCallError || error instanceof PeipkgError) return undefined; // T-INDET-07: silently
    throw error;
  }
}
