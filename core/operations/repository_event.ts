/** Events of repository operations, for the audit room. */
import type { AuditEvent } from "../audit/record.ts";
import type { RepositoryAuditEvent } from "./repository_access.ts";

/** The event of a repository operation as the audit room takes it. */
export function repositoryEvent(event: RepositoryAuditEvent, startedAt: number): AuditEvent {
  const common = { startedAt, reason: event.reason, detail: event.detail };
  switch (event.type) {
    case "peipkg.refresh":
      return {
        ...common,
        type: event.type,
        outcome: event.outcome,
        repositories: (event.repositories ?? []).map((entry) => ({
          name: entry.name,
          result: entry.result,
          reason: entry.reason,
          indexVersion: entry.index_version,
        })),
      };
    case "peipkg.repo-add":
    case "peipkg.repo-remove":
      return { ...common, type: event.type, outcome: event.outcome, repository: event.repo ?? "" };
    case "peipkg.config-change":
      return {
        ...common,
        type: event.type,
        outcome: "success",
        repository: event.repo,
        change: event.change ?? { setting: "", old: undefined, new: undefined, via: "command" },
      };
  }
}
