/** What a change reports to the audit sinks beside its transaction: refusals, and options that count as evidence. */
import { staleUseEvidence } from "./authorisations.ts";
import type { AuditFlag } from "../audit/record.ts";
import { PeipkgError } from "../errors.ts";
import type { Evidence } from "../transaction/input.ts";
import type { AuthorisationEvidence, ChangeRequest, PreparedChange } from "./change_request.ts";
import type { Workspace } from "./workspace.ts";

/** A-EVENT-05(a): a request refused while it was planned. */
export function auditRefusal(workspace: Workspace, reason: string, detail?: string): void {
  workspace.trail.emit({
    type: "peipkg.transaction-failed",
    outcome: "rejection",
    startedAt: workspace.startedAt,
    reason,
    detail,
    packages: [],
  });
}

/** Override options in force (A-FIELD-19). */
export function flagsOf({ options }: ChangeRequest, workspace: Workspace): readonly AuditFlag[] {
  const flags: readonly (readonly [AuditFlag, boolean])[] = [
    ["overwrite-unowned", options.overwriteUnowned],
    ["allow-critical", options.allowCritical],
    ["cascade", options.cascade],
    ["allow-stale", options.allowStale],
    ["allow-downgrade", options.allowDowngrade],
    ["modified-keep", options.modified === "keep"],
    ["modified-remove", options.modified === "remove"],
    ["sd-overrides-store", options.sdOverrides === "store"],
    ["sd-overrides-ignore", options.sdOverrides === "ignore"],
    ["side-effects-skip", workspace.settings.sideEffects === "skip"],
  ];
  return flags.filter(([, isSet]) => isSet).map(([flag]) => flag);
}

/** A-AUTH-04: options that by themselves name a lesser action are evidence too. */
export function flagEvidence({ request, digest }: PreparedChange, flags: readonly AuditFlag[]): readonly Evidence[] {
  const lesser: readonly AuditFlag[] = ["overwrite-unowned", "allow-critical", "cascade", "modified-remove"];
  return flags.filter((flag) => lesser.includes(flag)).map((flag) => ({
    action: flag,
    subject: request.kind,
    statement: `option --${flag === "modified-remove" ? "modified remove" : flag}`,
    method: "flag",
    planDigest: digest,
  }));
}

/** A-AUTH-A05: repositories used past an age limit because `--allow-stale` says so, each an action of its own. */
export function staleEvidence({ basis, digest }: PreparedChange): readonly AuthorisationEvidence[] {
  return staleUseEvidence(basis.inputs.available.stale, digest);
}

/** A-EVENT-05(a): a failure before a transaction was opened; later ones are reported from their rows. */
export function auditFailure(workspace: Workspace, prepared: PreparedChange, error: unknown): void {
  if (!(error instanceof PeipkgError)) return;
  auditClaimFailure(workspace, prepared.request, error);
  if (error.detail.transaction !== undefined) return;
  workspace.trail.emit({
    type: "peipkg.transaction-failed",
    outcome: "rejection",
    startedAt: workspace.startedAt,
    reason: error.detail.rule ?? error.code,
    detail: error.message,
    packages: prepared.plan.operations.map((operation) =>
      operation.kind === "remove"
        ? { name: operation.from.name, version: operation.from.version.raw, architecture: operation.from.architecture }
        : {
          name: operation.target.name,
          version: operation.target.version.raw,
          architecture: operation.target.architecture,
        }
    ),
  });
}

/** A-EVENT-11: a grant or revoke that failed, also when it was rolled back. */
export function auditClaimFailure(workspace: Workspace, request: ChangeRequest, error: PeipkgError): void {
  if (request.kind !== "claim" || request.action === "reconcile") return;
  workspace.trail.emit({
    type: "peipkg.claim",
    outcome: error.detail.rolledBack === true ? "rollback" : "rejection",
    startedAt: workspace.startedAt,
    reason: error.detail.rule ?? error.code,
    detail: error.message,
    transaction: error.detail.transaction,
    claim: {
      role: request.role,
      oldHolder: undefined,
      newHolder: request.action === "grant" ? request.package : undefined,
      cause: request.action,
    },
  });
}
