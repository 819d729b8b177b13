/** What is shown and stored about a plan beside the plan itself: its summary, totals, notes, and tools to run. */
import { SIDE_EFFECTS } from "../format/manifest.ts";
import type { Operation, Plan } from "../resolver/plan.ts";
import type { CandidateSet } from "./candidate_set.ts";
import type { ChangeInputs } from "./change_inputs.ts";
import type { ChangeRequest, ClaimChange, PlanNote } from "./change_request.ts";

/** Verbs in the order a summary names them (C-HIST-03). */
const SUMMARY_VERBS = ["remove", "install", "reinstall", "upgrade", "downgrade"] as const;
const SUMMARY_NAMES = 8;

/** Name of the package an operation is about. */
export function nameOf(operation: Operation): string {
  return operation.kind === "remove" ? operation.from.name : operation.target.name;
}

/**
 * Words a transaction for history.
 *
 * @see C-HIST-03
 */
export function summariseChange(
  request: ChangeRequest,
  plan: Plan,
  claims: readonly ClaimChange[],
  undoOf: number | undefined,
): string {
  if (undoOf !== undefined) return `undo transaction ${undoOf}`;
  if (request.kind === "claim") {
    if (request.action === "reconcile") return "claim reconcile";
    return request.action === "grant"
      ? `claim ${request.role} grant ${request.package ?? ""}`
      : `claim ${request.role} revoke`;
  }
  const requested = plan.operations.filter((operation) => operation.requested);
  const named = requested.length > 0 ? requested : plan.operations;
  const parts: string[] = SUMMARY_VERBS.flatMap((verb) => {
    const names = named.filter(({ kind }) => kind === verb).map(nameOf).sort();
    return names.length === 0 ? [] : [`${verb} ${shortList(names)}`];
  });
  const forced = claims.filter(({ to }) => to !== undefined).map(({ role }) => role).sort();
  if (parts.length === 0 && forced.length > 0) parts.push(`claim ${shortList(forced)}`);
  return parts.join("; ");
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, SUMMARY_NAMES).join(", ");
  return names.length > SUMMARY_NAMES ? `${shown} and ${names.length - SUMMARY_NAMES} more` : shown;
}

/** Bytes to download; local files and kept content cost nothing. */
export function downloadBytes(plan: Plan): number {
  return plan.operations.reduce((sum, operation) => {
    if (operation.kind === "remove" || operation.target.origin.kind !== "repository") return sum;
    return sum + operation.target.sizeCompressedBytes;
  }, 0);
}

/** Change of the installed size. */
export function sizeChangeBytes(plan: Plan, installedSize: (name: string) => number): number {
  return plan.operations.reduce((sum, operation) => {
    const before = operation.kind === "install" ? 0 : installedSize(nameOf(operation));
    const after = operation.kind === "remove" ? 0 : operation.target.sizeInstalledBytes;
    return sum + after - before;
  }, 0);
}

/** Tools the plan is known to need before contents are (section 15 of transactions.md), in running order. */
export function sideEffectsOf(
  plan: Plan,
  inputs: ChangeInputs,
  candidates: CandidateSet,
  declaredBy: (name: string) => readonly string[],
): readonly string[] {
  const due = new Set<string>();
  for (const operation of plan.operations) {
    const declared = operation.kind === "remove"
      ? declaredBy(operation.from.name)
      : inputs.local.get(operation.target.name)?.manifest.sideEffects ??
        candidates.offered(operation.target.name).find(({ hash }) => hash === operation.target.hash)?.details
          .sideEffects ??
        [];
    for (const effect of declared) due.add(effect);
  }
  return SIDE_EFFECTS.filter((effect) => due.has(effect));
}

/**
 * Notes below a plan.
 *
 * @see C-PLAN-02, S-PLAN-05
 */
export function notesOf(
  plan: Plan,
  candidates: CandidateSet,
  isOrphaned: (origin: string | undefined) => boolean,
): readonly PlanNote[] {
  const notes: PlanNote[] = [];
  const requested = new Set(plan.operations.filter((operation) => operation.requested).map(nameOf));
  const suggested = new Map<string, string[]>();
  for (const suggestion of plan.suggestions) {
    if (!requested.has(suggestion.for)) continue;
    suggested.set(suggestion.for, [...suggested.get(suggestion.for) ?? [], suggestion.name]);
  }
  for (const [name, names] of suggested) notes.push({ kind: "optional", for: name, names });
  for (const operation of plan.operations) {
    if (operation.kind !== "install" && isOrphaned(operation.from.origin)) {
      notes.push({ kind: "orphaned", name: operation.from.name, origin: operation.from.origin ?? "" });
    }
  }
  for (const operation of plan.operations) {
    if (operation.kind === "remove" || operation.target.origin.kind !== "local-file") continue;
    const offered = candidates.offered(operation.target.name)[0];
    if (offered === undefined || offered.origin.kind !== "repository") continue;
    notes.push({
      kind: "local-file-offered",
      name: operation.target.name,
      version: operation.target.version.raw,
      repository: offered.origin.repository,
      offered: offered.version.raw,
    });
  }
  return notes;
}
