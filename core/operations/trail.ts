/**
 * What operations report to the audit sinks: repository events as the repository operations give them, and each
 * closed transaction as one event per package and role, read back from its rows so that a replay after a crash tells
 * the same (A-EVENT-23).
 */
import type { AuditMap } from "../audit/msgpack.ts";
import type { AuditedPackage, AuditEvent, AuditFlag } from "../audit/record.ts";
import type { AuditTrail } from "../audit/sink.ts";
import type { Database } from "../store/database.ts";
import { readOperations, readTransaction, type TransactionRecord } from "../store/history.ts";
import { readInstalledPackage } from "../store/installed.ts";
import { readSdOverrides } from "../store/roles.ts";
import type { JournalOperation } from "../store/journal.ts";

const CLAIM_CAUSES = ["auto", "force", "grant", "revoke", "withdraw"] as const;

/**
 * Emits the events of one closed or indeterminate transaction.
 *
 * @param flags Override options of this run; unknown in a replay.
 * @returns false when one of them could not be stored.
 * @see A-EVENT-01 to A-EVENT-05, A-EVENT-11, A-EVENT-21, A-EVENT-23
 */
export function auditTransaction(
  trail: AuditTrail,
  database: Database,
  id: number,
  replayed: boolean,
  flags: readonly AuditFlag[] = [],
): boolean {
  const record = readTransaction(database, id);
  if (record === undefined) return true;
  const operations = readOperations(database, id);
  const common = {
    startedAt: record.startedAt * 1000,
    transaction: id,
    undoOf: record.undoOf,
    flags: flags.length === 0 ? undefined : flags,
    replayed: replayed ? { invocation: record.invocation, operator: operatorOf(record) } : undefined,
  };
  if (record.state !== "committed") {
    return trail.emit({
      ...common,
      type: "peipkg.transaction-failed",
      outcome: record.isIndeterminate ? "indeterminate" : "rollback",
      reason: record.failureCode,
      detail: record.failureDetail,
      packages: operations.filter(({ action }) => action !== "claim").map((item) => packageOf(database, item)),
    }).stored;
  }
  return trail.emitAll(
    operations.map((operation) => ({ ...operationEvent(database, operation, common.startedAt), ...common })),
  ).stored;
}

type OperationEvent = Extract<
  AuditEvent,
  { readonly type: "peipkg.install" | "peipkg.upgrade" | "peipkg.uninstall" | "peipkg.claim" }
>;

function operationEvent(database: Database, operation: JournalOperation, startedAt: number): OperationEvent {
  switch (operation.action) {
    case "claim":
      return {
        startedAt,
        type: "peipkg.claim",
        outcome: "success",
        claim: {
          role: operation.subject,
          oldHolder: operation.from,
          newHolder: operation.to,
          cause: CLAIM_CAUSES.find((cause) => cause === operation.cause) ?? "auto",
        },
      };
    case "remove":
      return {
        startedAt,
        type: "peipkg.uninstall",
        outcome: "success",
        package: packageOf(database, operation),
        replacedBy: operation.cause === "replaces" ? operation.causedBy : undefined,
      };
    case "install":
      return {
        startedAt,
        type: "peipkg.install",
        outcome: "success",
        package: packageOf(database, operation),
        sdOverrides: appliedDescriptors(database, operation.subject),
      };
    default:
      return {
        startedAt,
        type: "peipkg.upgrade",
        outcome: "success",
        direction: operation.action,
        package: packageOf(database, operation),
        sdOverrides: appliedDescriptors(database, operation.subject),
      };
  }
}

function packageOf(database: Database, operation: JournalOperation): AuditedPackage {
  const installed = operation.action === "remove" ? undefined : readInstalledPackage(database, operation.subject);
  // A later transaction may have moved the package on; then its row says nothing about this one.
  const row = installed?.version.raw === operation.to ? installed : undefined;
  return {
    name: operation.subject,
    version: operation.to ?? operation.from ?? "",
    architecture: operation.architecture ?? row?.architecture ?? "",
    fromVersion: operation.action === "install" || operation.action === "remove" ? undefined : operation.from,
    repository: operation.action === "remove" ? undefined : operation.origin,
    packageHash: row?.packageHash,
    reason: row?.reason,
  };
}

function appliedDescriptors(database: Database, name: string): readonly string[] | undefined {
  const paths = readSdOverrides(database, name).filter(({ state }) => state !== "not-applied").map(({ path }) => path);
  return paths.length === 0 ? undefined : paths;
}

/** Operator as stored with the transaction; text that no longer parses is kept as text. */
function operatorOf(record: TransactionRecord): AuditMap {
  try {
    const value: unknown = JSON.parse(record.operator);
    if (isAuditMap(value)) return value;
  } catch {
    // Falls through: the row was edited by hand.
  }
  return { recorded: record.operator };
}

function isAuditMap(value: unknown): value is AuditMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((item) =>
      typeof item === "string" || typeof item === "number" || typeof item === "boolean" || isAuditMap(item)
    );
}
