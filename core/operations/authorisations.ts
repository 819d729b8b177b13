/**
 * Evidence of elevated actions (audit-and-security.md section 6.2): what was asked, about which plan, and how it was
 * answered. Whoever asks on a person's behalf reports every answer here, right after it was given.
 */
import type { ElevatedAction } from "../errors.ts";
import { sha256Hex } from "../format/hash.ts";
import type { Plan } from "../resolver/plan.ts";
import type { StaleUse } from "./available.ts";
import type { AuthorisationEvidence, ClaimChange } from "./change_request.ts";
import type { Workspace } from "./workspace.ts";

/** Actions no transaction records: their evidence has to be kept somewhere before they are carried out. */
const WITHOUT_TRANSACTION: ReadonlySet<ElevatedAction> = new Set<ElevatedAction>([
  "AUTH_CLOCK",
  "AUTH_INSECURE_TOGGLE",
  "AUTH_PURGE",
  "AUTH_STALE_TRUST",
  "AUTH_TRUST_ANCHOR",
  "AUTH_WEAKEN_POLICY",
]);

/** How an elevated question ended; `unanswered`: there was nobody to ask. */
export type ElevatedOutcome = "granted" | "declined" | "unanswered";

/**
 * Reports one answer to an elevated question.
 *
 * @throws {PeipkgError} `failed` (`AUDIT_EVIDENCE_UNRECORDED`): no sink keeps the evidence of a granted action that
 * opens no transaction, so that it must not be carried out (A-AUTH-09)
 * @see A-EVENT-07, A-AUTH-07
 */
export function reportAnswer(workspace: Workspace, evidence: AuthorisationEvidence, outcome: ElevatedOutcome): void {
  const event = {
    type: "peipkg.authorisation" as const,
    startedAt: workspace.startedAt,
    authorisation: {
      action: evidence.action,
      subject: evidence.subject,
      statement: evidence.statement,
      method: evidence.method,
      planDigest: evidence.planDigest,
    },
  };
  if (outcome !== "granted") {
    const reason = outcome === "declined" ? "AUTH_DECLINED" : "E_AUTH_REQUIRED";
    workspace.trail.emit({ ...event, outcome: "rejection", reason });
  } else if (WITHOUT_TRANSACTION.has(evidence.action)) {
    workspace.trail.recordEvidence({ ...event, outcome: "success" });
  } else workspace.trail.emit({ ...event, outcome: "success" });
}

/** The canonical plan as text: what is done, what was asked, which marks and holders change. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "bigint") return String(item);
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
  });
}

/** SHA-256 over the canonical plan, hex: equal for equal plans, whatever they were computed from (A-AUTH-07). */
export function digestPlan(plan: Plan, claims: readonly ClaimChange[]): string {
  const { operations, authorisations, marks } = plan;
  return sha256Hex(new TextEncoder().encode(canonicalText({ operations, authorisations, marks, claims })));
}

/**
 * Repositories used past an age limit because `--allow-stale` says so, each an action of its own (A-AUTH-A05).
 *
 * @param planDigest Of the plan they are used for; absent where none is carried out.
 */
export function staleUseEvidence(stale: readonly StaleUse[], planDigest?: string): readonly AuthorisationEvidence[] {
  return stale.map(({ repository, ageDays, limitDays }) => ({
    action: "AUTH_STALE_TRUST",
    subject: repository,
    statement: `repository "${repository}" is used ${
      ageDays === undefined ? "without a known age" : `${ageDays} days old`
    }, past its limit of ${limitDays} days`,
    method: "flag",
    ...(planDigest === undefined ? {} : { planDigest }),
  }));
}
