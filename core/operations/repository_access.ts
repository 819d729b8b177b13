/**
 * The border between the repository operations and what every operation shares: the database, the writer lock,
 * the configuration directory and the audit log.
 */
import type { Directory } from "../system.ts";
import type { Database } from "../store/database.ts";
import type { RepositoryContext } from "../repository/context.ts";

export interface RepositoryAccess extends RepositoryContext {
  /**
   * Opens `CONFIG`; the caller disposes it.
   *
   * @param create Makes it, mode 0755, when it is missing (T-DB-17).
   */
  openConfiguration(create: boolean): Directory | undefined;
  /** Runs `body` inside one read snapshot; `undefined`: there is no database (T-DB-08). */
  read<T>(body: (database: Database | undefined) => T): T;
  /**
   * Takes the writer lock, recovers what a crash left, opens or creates the database, runs `body`, and lets the
   * lock go (T-LOCK-13). Fetch before, compare inside: what was decided on may have changed meanwhile. Called
   * while this process holds the lock already, it runs `body` under that lock.
   */
  write<T>(body: (database: Database) => T): Promise<T>;
  /** Records one audit event (A-EVENT-04, 08, 09, 10); the fields of A-FIELD-01…05, 09, 12 are the sink's. */
  audit(event: RepositoryAuditEvent): void;
}

/** Fields of the audit events of this room; names as in the audit document. */
export interface RepositoryAuditEvent {
  readonly type: "peipkg.refresh" | "peipkg.repo-add" | "peipkg.repo-remove" | "peipkg.config-change";
  readonly outcome: "success" | "rejection";
  readonly reason?: string;
  readonly detail?: string;
  readonly repo?: string;
  readonly repositories?: readonly RefreshedEntry[];
  readonly change?: {
    readonly setting: string;
    readonly old: string | undefined;
    readonly new: string | undefined;
    readonly via: "command" | "file";
  };
}

/** One entry of A-FIELD-11. */
export interface RefreshedEntry {
  readonly name: string;
  readonly result: "refreshed" | "unchanged" | "failed";
  readonly reason?: string;
  readonly index_version?: number;
}
