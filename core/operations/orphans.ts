/** Orphans: packages whose origin can no longer be trusted for them (R-ORPH-01). */
import { hasRepositoryFile, readRepositoryFiles, type RepositoryFile } from "../config/repo_file.ts";
import { hasAcceptableKey, isUnsigned } from "../repository/trust_set.ts";
import type { RepositoryRank } from "../resolver/problem.ts";
import type { Database } from "../store/database.ts";
import { readTrustSet } from "../store/repository_state.ts";
import type { Workspace } from "./workspace.ts";

/** Whether a package of this origin is orphaned; `undefined`, a local file, never is. */
export type OrphanTest = (origin: string | undefined) => boolean;

/**
 * Answers once for each origin and remembers it.
 *
 * @see R-ORPH-01, A-MISC-04
 */
export function openOrphanTest(workspace: Workspace, database: Database): OrphanTest {
  const known = new Map<string, boolean>();
  return (origin) => {
    if (origin === undefined) return false;
    const answer = known.get(origin) ?? !canBeTrusted(workspace, database, origin);
    known.set(origin, answer);
    return answer;
  };
}

/** Every configured repository that may still be trusted, with its priority; what the resolver ranks origins by. */
export function rankRepositories(workspace: Workspace, database: Database): readonly RepositoryRank[] {
  const isOrphaned = openOrphanTest(workspace, database);
  return readConfigured(workspace).flatMap((file) =>
    file.kind === "valid" && !isOrphaned(file.handle)
      ? [{ handle: file.handle, priority: file.configuration.priority }]
      : []
  );
}

function readConfigured(workspace: Workspace): readonly RepositoryFile[] {
  using directory = workspace.openConfiguration(false);
  return readRepositoryFiles(directory);
}

/**
 * Configured, and with a key that may still verify or in unsigned mode; a broken file leaves the recorded keys. Only
 * the last question needs the file's content.
 */
function canBeTrusted(workspace: Workspace, database: Database, origin: string): boolean {
  using directory = workspace.openConfiguration(false);
  if (directory === undefined || !hasRepositoryFile(directory, origin)) return false;
  if (hasAcceptableKey(readTrustSet(database, origin), workspace.startedAt)) return true;
  const file = readRepositoryFiles(directory).find(({ handle }) => handle === origin);
  return file?.kind === "valid" && isUnsigned(file.configuration);
}
