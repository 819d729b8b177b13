/**
 * Sanity of the system clock: it cannot be before this program was made, nor before what was recorded here or signed
 * by a repository and accepted. A clock behind any of these is wrong, and failures that follow from that say so
 * instead of blaming a repository (A-MISC-02, A-THREAT-50).
 */
import { PeipkgError, type Warning } from "../errors.ts";
import { type ClockEvidence, clockFault, programEvidence, warnClock } from "../repository/freshness.ts";
import { parseTimestamp } from "../identity/timestamp.ts";
import type { Database } from "../store/database.ts";
import { newestTransaction } from "../store/history.ts";
import { readGeneratedTimes } from "../store/repository_state.ts";
import { NetworkError } from "../system.ts";
import type { RepositoryAccess } from "./repository_access.ts";

/** Moments that are past for certain, as the program, the database and the accepted indexes show them. */
function gatherEvidence(access: RepositoryAccess): readonly ClockEvidence[] {
  const program = programEvidence(access.session.builtAt);
  return access.read((database) => database === undefined ? [program] : [program, ...recordedEvidence(database)]);
}

function recordedEvidence(database: Database): readonly ClockEvidence[] {
  const evidence: ClockEvidence[] = [];
  const created = Number(database.meta("created_at"));
  if (Number.isSafeInteger(created)) evidence.push({ what: "the database was made", seconds: created });
  const newest = newestTransaction(database);
  if (newest !== undefined) {
    evidence.push({ what: `transaction ${newest.id} ran`, seconds: newest.finishedAt ?? newest.startedAt });
  }
  for (const { repository, generatedAt } of readGeneratedTimes(database)) {
    const time = parseTimestamp(generatedAt);
    if (time === undefined) continue;
    evidence.push({ what: `an index of repository "${repository}" was generated`, seconds: time.seconds });
  }
  return evidence;
}

/** What is wrong with the clock; `undefined`: nothing that can be told. */
export function findClockFault(access: RepositoryAccess): string | undefined {
  return clockFault(access.startedAt, gatherEvidence(access));
}

/** The warning of every operation that relies on the clock while it is certainly wrong. */
export function clockWarnings(access: RepositoryAccess): readonly Warning[] {
  return warnClock(access.startedAt, gatherEvidence(access));
}

/**
 * Runs `body`; a failure that a wrong clock explains names the clock. Certificates are not valid before their time,
 * so secure connections are what fails first on a machine whose clock has lost its battery.
 */
export async function withClockExplained<T>(access: RepositoryAccess, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw explainByClock(access, error);
  }
}

function explainByClock(access: RepositoryAccess, error: unknown): unknown {
  if (!(error instanceof PeipkgError)) return error;
  const { cause } = error;
  if (!(cause instanceof NetworkError) || cause.phase !== "tls") return error;
  const fault = findClockFault(access);
  if (fault === undefined) return error;
  return new PeipkgError(error.code, `${error.message}: ${fault}`, { ...error.detail, hint: "set the clock" });
}
