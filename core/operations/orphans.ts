/** Orphans: packages whose origin can no longer be trusted for them (R-ORPH-01). */
import { readRepositoryFiles, type RepositoryFile } from "../config/repo_file.ts";
import { isUnsigned } from "../repository/documents.ts";
import { hasAcceptableKey } from "../repository/trust.ts";
import type { RepositoryRank } from "../resolver/problem.ts";
import type { Database } from "../store/database.ts";
import { readRepositoryState } from "../store/repository_state.ts";
import type { Workspace } from "./workspace.ts";

/** Whether a package of this origin is orphaned; `undefined`, a local file, never is. */
export type OrphanTest = (origin: string | undefined) => boolean;

/**
 * Reads the configured repositories once and remembers the answer for each origin.
 *
 * @see R-ORPH-01, A-MISC-04
 */
export function openOrphanTest(workspace: Workspace, database: Database): OrphanTest {
  const known = new Map<string, boolean>();
  let files: readonly RepositoryFile[] | undefined;
  return (origin) => {
    if (origin === undefined) return false;
    const answer = known.get(origin);
    if (answer !== undefined) return answer;
    files ??= readConfigured(workspace);
    const isOrphan = !canBeTrusted(
      files.find(({ handle }) => handle === origin),
      database,
      origin,
      workspace.startedAt,
    );
    known.set(origin, isOrphan);
    return isOrphan;
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

/** Configured, and in unsigned mode or with a key that may still verify; a broken file leaves the recorded keys. */
function canBeTrusted(file: RepositoryFile | undefined, database: Database, origin: string, now: number): boolean {
  if (file === undefined) return false;
  if (file.kind === "valid" && isUnsigned(file.configuration)) return true;
  const state = readRepositoryState(database, origin);
  return state !== undefined && hasAcceptableKey(state, now);
}
