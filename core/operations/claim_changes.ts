/** Holder changes of a request: what the transaction is asked for, what the plan shows, and what needs its own yes. */
import type { Authorisation, Plan } from "../resolver/plan.ts";
import type { Database } from "../store/database.ts";
import { readInstalledPackage } from "../store/installed.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { type LinkPlan, planLinks } from "../transaction/claims.ts";
import { planHolders } from "../transaction/holders.ts";
import { type ClaimRequest, type HolderChange, NO_CLAIM_REQUEST } from "../transaction/input.ts";
import type { CandidateSet } from "./candidate_set.ts";
import type { ChangeInputs } from "./change_inputs.ts";
import type { ChangeRequest, ClaimLinkChange } from "./change_request.ts";
import { nameOf } from "./change_summary.ts";
import { rankRepositories } from "./orphans.ts";
import type { UndoSubject } from "./undo.ts";
import type { Workspace } from "./workspace.ts";

/** What a request asks of the roles (claims.md sections 6 and 7). */
export function claimRequestOf(
  request: ChangeRequest,
  inputs: ChangeInputs,
  undo: UndoSubject | undefined,
): ClaimRequest {
  switch (request.kind) {
    case "install":
      return {
        ...NO_CLAIM_REQUEST,
        none: request.claims.none,
        all: request.claims.all,
        forced: request.claims.roles,
        named: [
          ...request.targets.flatMap((target) => target.kind === "name" ? [target.name] : []),
          ...inputs.local.keys(),
        ],
      };
    case "undo":
      return { ...NO_CLAIM_REQUEST, none: true, assign: undo?.claims ?? [] };
    case "claim":
      if (request.action === "reconcile") return { ...NO_CLAIM_REQUEST, reconcileAll: true };
      return {
        ...NO_CLAIM_REQUEST,
        assign: [{
          role: request.role,
          holder: request.action === "grant" ? request.package : undefined,
          isUndo: false,
        }],
      };
    default:
      return NO_CLAIM_REQUEST;
  }
}

/** A holder change with the links it makes, moves and takes away. */
export interface PlannedClaim extends HolderChange {
  readonly links: readonly ClaimLinkChange[];
}

/** Holder changes a plan leads to (C-AUTO-08). The transaction chooses again, from the packages themselves. */
export function previewClaims(
  request: ChangeRequest,
  plan: Plan,
  inputs: ChangeInputs,
  candidates: CandidateSet,
  undo: UndoSubject | undefined,
  database: Database | undefined,
): readonly PlannedClaim[] {
  const arriving = plan.operations.flatMap((operation) => {
    if (operation.kind === "remove") return [];
    const { name, hash } = operation.target;
    const relations = inputs.local.get(name)?.manifest ?? undo?.kept.get(name)?.manifest ??
      candidates.offered(name).find((item) => item.hash === hash)?.details;
    if (relations === undefined) return [];
    return [{ name, relations, isNamed: operation.requested, isNew: operation.kind === "install" }];
  });
  const holders = planHolders(database, {
    arriving,
    touched: new Set(plan.operations.map(nameOf)),
    request: claimRequestOf(request, inputs, undo),
    allowCritical: request.options.allowCritical,
  });
  if (holders.changes.length === 0) return [];
  const links = [...linkChanges(planLinks(database, holders))];
  return holders.changes.map((change) => ({ ...change, links: links.filter(({ role }) => role === change.role) }));
}

/** What becomes of the links of the roles concerned, by path. */
function* linkChanges({ wanted, recorded }: LinkPlan): Generator<ClaimLinkChange & { readonly role: string }> {
  for (const [path, { role, target }] of [...wanted].sort(([a], [b]) => compareBytes(a, b))) {
    const old = recorded.get(path)?.target;
    if (old !== target) yield { role, path, target, change: old === undefined ? "create" : "repoint" };
  }
  for (const [path, { role }] of [...recorded].sort(([a], [b]) => compareBytes(a, b))) {
    if (!wanted.has(path)) yield { role, path, target: undefined, change: "remove" };
  }
}

/**
 * Overrides of a holder from a stronger repository by a package from a weaker one, each an elevated action.
 *
 * @see C-AUTO-09, A-AUTH-A13
 */
export function claimOverrides(
  workspace: Workspace,
  changes: readonly HolderChange[],
  plan: Plan,
  database: Database,
): readonly Authorisation[] {
  const forced = changes.filter(({ cause, from, to }) =>
    (cause === "force" || cause === "grant") && from !== undefined && to !== undefined
  );
  if (forced.length === 0) return [];
  const ranks = new Map(rankRepositories(workspace, database).map(({ handle, priority }) => [handle, priority]));
  return forced.flatMap(({ role, from = "", to = "" }): readonly Authorisation[] => {
    const old = readInstalledPackage(database, from)?.origin;
    const next = originAfter(plan, to) ?? readInstalledPackage(database, to)?.origin;
    const oldRank = old === undefined ? undefined : ranks.get(old);
    // A local file has no repository that could be weaker (S-LOCAL-02 ranks it first).
    const nextRank = next === undefined ? 0 : ranks.get(next) ?? Number.POSITIVE_INFINITY;
    if (old === undefined || oldRank === undefined || nextRank <= oldRank) return [];
    return [{
      action: "AUTH_CLAIM_OVERRIDE",
      subject: role,
      data: { from, from_repository: old, to, to_repository: next ?? "" },
    }];
  });
}

function originAfter(plan: Plan, name: string): string | undefined {
  const operation = plan.operations.find((item) => nameOf(item) === name && item.kind !== "remove");
  if (operation === undefined || operation.kind === "remove") return undefined;
  const { origin } = operation.target;
  return origin.kind === "repository" ? origin.repository : undefined;
}
