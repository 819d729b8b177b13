/**
 * The one skeleton of every change: plan (read-only), then — once its questions are answered — take the lock, plan
 * again and compare, fetch and verify everything, and run the transaction (style: what is shown is what is done).
 */
import { PeipkgError, RULE_REASONS, ruleError, type Warning } from "../errors.ts";
import type { ZstdThread } from "../format/zstd_thread.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { Plan } from "../resolver/plan.ts";
import type { Database } from "../store/database.ts";
import { readPackageSize, setInstallReason } from "../store/installed.ts";
import { executeTransaction } from "../transaction/execute.ts";
import { type FileNotice, type TransactionInput, type TransactionReport } from "../transaction/input.ts";
import { findModifiedFiles } from "./modified_files.ts";
import { acceptConfigurations, type Weakening } from "./accepted_configuration.ts";
import { refuseAlternateUpgrades } from "./alternate_upgrade.ts";
import { digestPlan, reportAnswer } from "./authorisations.ts";
import { auditClaimFailure, auditFailure, auditRefusal, flagEvidence, flagsOf, staleEvidence } from "./change_audit.ts";
import { readDescriptorTrust } from "./descriptor_trust.ts";
import { acquireContents, startThread } from "./change_contents.ts";
import { type ChangeInputs, gatherInputs, needOf } from "./change_inputs.ts";
import type {
  ChangeAnswers,
  ChangeReport,
  ChangeRequest,
  ModifiedFile,
  PreparedChange,
  RejectedChange,
} from "./change_request.ts";
import { claimOverrides, claimRequestOf, previewClaims } from "./claim_changes.ts";
import { solveChange, type Solved } from "./change_solve.ts";
import { downloadBytes, notesOf, sideEffectsOf, sizeChangeBytes, summariseChange } from "./change_summary.ts";
import { readInstalledManifest } from "./installed_set.ts";
import { openOrphanTest } from "./orphans.ts";
import { transactionContext } from "./recover.ts";
import { auditTransaction } from "./trail.ts";
import { readUndoSubject, type UndoSubject } from "./undo.ts";
import type { Workspace, Writer } from "./workspace.ts";

/**
 * Plans a change. Nothing is written, except that repositories past their age limits are refreshed first (not for a
 * dry run), and that settings authorised for a plan that turns out empty are recorded.
 *
 * @param granted Weakened repository settings already authorised (R-TRANS-04).
 * @throws {PeipkgError} What gathering the inputs throws; a request that has no plan is a result
 * @see T-MODEL-11, C-PLAN-06, S-DET-01
 */
export async function planChange(
  workspace: Workspace,
  request: ChangeRequest,
  granted: readonly Weakening[] = [],
): Promise<PreparedChange | RejectedChange> {
  try {
    return await planAndAudit(workspace, request, granted);
  } catch (error) {
    if (error instanceof PeipkgError && error.code !== "usage" && !request.options.dryRun) { // A-EVENT-22
      auditClaimFailure(workspace, request, error);
      auditRefusal(workspace, error.detail.rule ?? error.code, error.message);
    }
    throw error;
  }
}

async function planAndAudit(
  workspace: Workspace,
  request: ChangeRequest,
  granted: readonly Weakening[],
): Promise<PreparedChange | RejectedChange> {
  const architecture = workspace.read((database) => workspace.architecture(database));
  const need = needOf(request);
  const inputs = await gatherInputs(workspace, request, architecture, need, granted);
  const first = workspace.read((database) => prepare(workspace, request, inputs, architecture, database));
  if (first.kind === "prepared" && first.isEmpty && granted.length > 0) {
    // Nothing follows under whose lock the settings just authorised could be recorded.
    await workspace.write((database) => acceptConfigurations(workspace, database, inputs.available.consulted, "file"));
  }
  if (request.kind !== "undo" || first.kind === "prepared") return auditRejection(workspace, first);
  // C-UNDO-02: kept content did not serve; the archives are asked, which needs the network.
  const archive = { candidates: true, archive: true, gated: false };
  const wider = await gatherInputs(workspace, request, architecture, archive, granted);
  return auditRejection(
    workspace,
    workspace.read((database) => prepare(workspace, request, wider, architecture, database)),
  );
}

/** A-EVENT-05(a), S-EXPL-04: a rejected request is reported, a dry run is not. */
function auditRejection<T extends PreparedChange | RejectedChange>(workspace: Workspace, outcome: T): T {
  if (outcome.kind === "rejected" && !outcome.request.options.dryRun) auditRefusal(workspace, outcome.rule);
  return outcome;
}

function prepare(
  workspace: Workspace,
  request: ChangeRequest,
  inputs: ChangeInputs,
  architecture: Architecture,
  database: Database | undefined,
): PreparedChange | RejectedChange {
  using state = request.kind === "undo" ? workspace.openState() : undefined;
  const undo = request.kind === "undo" ? readUndoSubject(workspace, database, state?.directory) : undefined;
  const solved = solveChange(workspace, request, inputs, undo, architecture, database);
  const { answer: plan, candidates } = solved;
  if (plan.kind === "rejection") {
    return { kind: "rejected", request, rule: plan.rule, reason: RULE_REASONS[plan.rule], rejection: plan };
  }
  refuseAlternateUpgrades(
    request,
    plan,
    (name, hash) =>
      inputs.local.get(name)?.manifest.alternateUpgrade ??
        candidates.offered(name).find((candidate) => candidate.hash === hash)?.details.alternateUpgrade ?? "",
  );
  const claims = previewClaims(request, plan, inputs, candidates, undo, database);
  const overrides = database === undefined ? [] : claimOverrides(workspace, claims, plan, database);
  const shown = overrides.length === 0 ? plan : { ...plan, authorisations: [...plan.authorisations, ...overrides] };
  const isOrphaned = database === undefined ? () => false : openOrphanTest(workspace, database);
  const isChanging = plan.operations.length > 0 || claims.length > 0 || isReconcile(request);
  return {
    kind: "prepared",
    request,
    plan: shown,
    claims: claims.map(({ role, from, to, links }) => ({ role, from, to, links })),
    sideEffects: sideEffectsOf(
      plan,
      inputs,
      candidates,
      (name) =>
        database === undefined
          ? []
          : readInstalledManifest(database, name, workspace.settings.layout)?.sideEffects ?? [],
    ),
    downloadBytes: downloadBytes(plan),
    sizeChangeBytes: sizeChangeBytes(plan, (name) => database === undefined ? 0 : readPackageSize(database, name)),
    notes: notesOf(plan, candidates, isOrphaned),
    modifiedFiles: database === undefined ? [] : modifiedFiles(workspace, request, plan, database),
    undoes: undo === undefined ? undefined : { transaction: undo.transaction, summary: undo.summary },
    isEmpty: !isChanging && plan.marks.length === 0,
    isMarksOnly: !isChanging && plan.marks.length > 0,
    summary: summariseChange(request, plan, claims, undo?.transaction),
    warnings: [...inputs.warnings, ...undo?.warnings ?? []],
    digest: digestPlan(shown, claims.map(({ role, from, to }) => ({ role, from, to }))),
    basis: { generation: database?.generation() ?? 0n, digests: inputs.available.digests, inputs },
  };
}

function isReconcile(request: ChangeRequest): boolean {
  return request.kind === "claim" && request.action === "reconcile";
}

/** T-RM-03: edited files a removal would delete, unless a standing decision answers for them. */
function modifiedFiles(
  workspace: Workspace,
  request: ChangeRequest,
  plan: Plan,
  database: Database,
): readonly ModifiedFile[] {
  const decision = request.options.modified;
  if (decision === "keep" || decision === "remove") return [];
  const removed = plan.operations.flatMap((operation) =>
    operation.kind === "remove" && operation.cause.kind !== "replaces" ? [operation.from.name] : []
  );
  const found = findModifiedFiles(workspace.root, database, removed);
  if (found.length > 0 && decision === "abort") {
    throw ruleError("MODIFIED_FILES", "edited configuration files would be removed", {
      paths: found.map(({ path, package: owner }) => ({ path, package: owner })),
      lines: found.map(({ path, package: owner }) => `${path} (${owner})`),
      hint: "use --modified keep or --modified remove to decide",
    });
  }
  return found;
}

// --- Applying ----------------------------------------------------------------------------------------------------

/**
 * Carries out a prepared change.
 *
 * @throws {PeipkgError} `busy`, `failed` (`PLAN_STALE`), and whatever fetching, verifying and the transaction throw;
 * `detail.rolledBack` tells whether a transaction had been opened.
 * @see C-PLAN-05, T-PLAN-04, T-COMMIT-01 … T-COMMIT-17
 */
export async function applyChange(
  workspace: Workspace,
  prepared: PreparedChange,
  answers: ChangeAnswers,
): Promise<ChangeReport> {
  const stale = staleEvidence(prepared);
  for (const evidence of stale) reportAnswer(workspace, evidence, "granted"); // A-AUTH-A05
  using thread = startThread(prepared.plan, workspace.session.signal);
  try {
    return await workspace.withWriter(async (writer) => {
      const current = revalidate(workspace, prepared, writer);
      // R-TRANS-04: what was authorised before planning is accepted now that something is written.
      acceptConfigurations(workspace, writer.database, prepared.basis.inputs.available.consulted, "file");
      if (prepared.isMarksOnly) return applyMarks(workspace, prepared, writer.database);
      return await runTransaction(workspace, prepared, current, answers, writer, thread);
    });
  } catch (error) {
    auditFailure(workspace, prepared, error);
    throw error;
  } finally {
    workspace.finish(true);
  }
}

interface Current {
  readonly solved: Solved;
  readonly undo: UndoSubject | undefined;
  readonly architecture: Architecture;
}

/** T-PLAN-04: under the lock the same request must still lead to the same plan. */
function revalidate(workspace: Workspace, prepared: PreparedChange, { database, state }: Writer): Current {
  const { request, basis } = prepared;
  const architecture = workspace.architecture(database);
  const undo = request.kind === "undo" ? readUndoSubject(workspace, database, state.directory) : undefined;
  const solved = solveChange(workspace, request, basis.inputs, undo, architecture, database);
  // Claim overrides are compared by the transaction, which chooses the holders again.
  const isSame = solved.answer.kind === "plan" && planText(solved.answer) === planText(prepared.plan);
  if (isSame) return { solved, undo, architecture };
  throw ruleError("PLAN_STALE", "the system changed while waiting; run the command again");
}

/** The parts of a plan that decide what is done, as text. */
function planText(plan: Plan): string {
  return JSON.stringify(
    [plan.operations, plan.authorisations.filter(({ action }) => action !== "AUTH_CLAIM_OVERRIDE"), plan.marks],
    (_key, value: unknown) => typeof value === "bigint" ? String(value) : value,
  );
}

function applyMarks(workspace: Workspace, prepared: PreparedChange, database: Database): ChangeReport {
  database.write(() => {
    for (const { name, reason } of prepared.plan.marks) setInstallReason(database, name, reason);
    database.advanceGeneration();
  });
  for (const { name, reason } of prepared.plan.marks) {
    const automatic = reason === "dependency";
    workspace.audit({
      type: "peipkg.config-change",
      outcome: "success",
      change: {
        setting: `package:${name}:automatic`,
        old: String(!automatic),
        new: String(automatic),
        via: "command",
      },
    });
  }
  return { ...NO_REPORT, marks: prepared.plan.marks };
}

const NO_REPORT: ChangeReport = {
  kind: "done",
  cancelReason: undefined,
  transaction: undefined,
  operations: 0,
  marks: [],
  holders: [],
  descriptors: [],
  warnings: [],
  fetched: [],
  interruptedAfterCommit: false,
};

async function runTransaction(
  workspace: Workspace,
  prepared: PreparedChange,
  current: Current,
  answers: ChangeAnswers,
  writer: Writer,
  thread: ZstdThread | undefined,
): Promise<ChangeReport> {
  const { plan, request } = prepared;
  const { undo, architecture } = current;
  using contents = await acquireContents(
    workspace,
    plan,
    prepared.basis.inputs,
    undo?.kept ?? new Map(),
    architecture,
    thread,
  );
  // F-LATE-07: what the index kept quiet about
  refuseAlternateUpgrades(request, plan, (name) => contents.sources.get(name)?.manifest.alternateUpgrade ?? "");
  if (request.options.fetchOnly) return { ...NO_REPORT, fetched: [...contents.sources.keys()].sort() };
  checkPriorHashes(contents.sources, undo);
  const flags = flagsOf(request, workspace);
  const report = await executeTransaction({
    ...transactionContext(workspace, writer),
    audit: (id, replayed) => auditTransaction(workspace.trail, writer.database, id, replayed, replayed ? [] : flags),
    plan,
    contents: contents.sources,
    kind: request.kind === "undo" ? "undo" : request.kind === "claim" ? "claim" : "package",
    undoOf: undo?.transaction,
    claims: claimRequestOf(request, prepared.basis.inputs, undo),
    options: {
      ...transactionOptions(workspace, request, answers),
      descriptorTrust: readDescriptorTrust(workspace, writer.database, contents.sources.values()),
    },
    restoreMarks: undo?.marks ?? new Map(),
    operator: JSON.stringify(workspace.trail.operator),
    evidence: [...answers.evidence, ...staleEvidence(prepared), ...flagEvidence(prepared, flags)],
    summary: prepared.summary,
    startedAt: workspace.startedAt,
    ask: answers.ask,
  });
  return reportOf(workspace, report, plan);
}

/** T-UNDO-07: the archive must offer the very bytes that were installed. */
function checkPriorHashes(
  sources: ReadonlyMap<string, { readonly packageHash: string }>,
  undo: UndoSubject | undefined,
): void {
  for (const [name, hash] of undo?.hashes ?? []) {
    const source = sources.get(name);
    if (source === undefined || source.packageHash === hash) continue;
    throw ruleError("UNDO_SOURCE_MISMATCH", `cannot undo: the archive offers other bytes for the prior "${name}"`, {
      packages: [name],
    });
  }
}

function transactionOptions(
  workspace: Workspace,
  request: ChangeRequest,
  answers: ChangeAnswers,
): TransactionInput["options"] {
  const { settings } = workspace;
  const { options } = request;
  return {
    overwriteUnowned: options.overwriteUnowned,
    modified: options.modified,
    modifiedDecisions: answers.modified,
    sdOverrides: options.sdOverrides,
    allowCritical: options.allowCritical,
    sideEffects: settings.sideEffects === "skip" ? "skip" : "auto",
    keepTransactions: settings.backupKeepTransactions,
    keepDays: settings.backupKeepDays,
    dropinDirectories: settings.dropinDirectories,
    reservedPaths: workspace.reservedPaths,
  };
}

function reportOf(workspace: Workspace, report: TransactionReport, plan: Plan): ChangeReport {
  return {
    kind: report.kind === "committed" ? "done" : "cancelled",
    cancelReason: report.cancelReason,
    transaction: report.transaction,
    operations: report.operations,
    marks: report.kind === "committed" ? plan.marks : [],
    holders: report.holders.map(({ role, from, to }) => ({ role, from, to })),
    descriptors: report.descriptors,
    warnings: [...report.files.flatMap((notice) => tellFile(workspace, notice)), ...report.warnings],
    fetched: [],
    interruptedAfterCommit: report.interruptedAfterCommit,
  };
}

/** Reports a path the transaction treated in a special way; some are worth a warning (C-PLAN-08, T-COLL-12). */
function tellFile(workspace: Workspace, { kind, path, place, package: owner }: FileNotice): readonly Warning[] {
  const tell = (action: "adopted" | "displaced" | "kept" | "written", at: string) =>
    workspace.session.emit({
      kind: "file",
      path: at,
      action,
      package: owner,
      ...(place === undefined ? {} : { place }),
    });
  switch (kind) {
    case "adopted":
    case "displaced":
      tell(kind, path);
      return [];
    case "kept": {
      tell("kept", path);
      if (place === undefined) return [];
      tell("written", place);
      return [{
        rule: "W_CONFIG_KEPT",
        text: `${path} has been modified since install — keeping it; the new default was written to ${place}`,
      }];
    }
    case "left":
      tell("kept", path);
      return [{
        rule: "W_FILE_LEFT",
        text: `${path} has been modified since install and was left; no package owns it`,
      }];
    case "not-removed":
      return [{ rule: "W_FILE_LEFT", text: `${path} is not what was recorded and was left; no package owns it` }];
    case "restored-default":
      tell("written", path);
      return [];
    case "already-absent":
      workspace.session.emit({ kind: "trace", text: `${path} was absent already` });
      return [];
  }
}
