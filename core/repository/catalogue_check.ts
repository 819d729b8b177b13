/** Whether a recorded catalogue may be read now, by what the database says of it alone. */
import { type ErrorRule, type PeipkgError, ruleError } from "../errors.ts";
import { compareTimestamps, parseTimestamp } from "../identity/timestamp.ts";
import type { CatalogueHeader } from "../store/catalogue.ts";
import type { RepositoryState } from "../store/repository_state.ts";
import { isAcceptable, trustedKeys } from "./trust_set.ts";

/**
 * Light check, database only: a catalogue is there, its signer is acceptable now, it is not below the floor.
 *
 * @returns The catalogue's header.
 * @throws {PeipkgError} `repository-unusable` (`E_CACHE_INVALID`)
 * @see R-CACHE-07
 */
export function checkCatalogue(
  state: RepositoryState,
  header: CatalogueHeader | undefined,
  unsigned: boolean,
  now: number,
): CatalogueHeader {
  if (header === undefined) throw cacheError("E_CACHE_INVALID", state.name, "there is none");
  const floor = header.kind === "active" ? state.active : state.archive;
  const generated = parseTimestamp(header.generatedAt);
  const oldest = floor.generatedAt === undefined ? undefined : parseTimestamp(floor.generatedAt);
  const below = header.indexVersion < floor.indexVersion || generated === undefined ||
    (oldest !== undefined && compareTimestamps(generated, oldest) < 0);
  if (below) throw cacheError("E_CACHE_INVALID", state.name, "it is older than the one last accepted");
  if (unsigned) return header;
  const signer = trustedKeys(state).find((key) => key.fingerprint === header.signer);
  if (signer === undefined || !isAcceptable(signer, now)) {
    const word = signer === undefined ? "no longer trusted" : signer.status === "revoked" ? "revoked" : "expired";
    throw cacheError("E_CACHE_INVALID", state.name, `the key that signed it is ${word}`);
  }
  return header;
}

/** The refusal of a cached index. */
export function cacheError(rule: ErrorRule, handle: string, found: string, cause?: unknown): PeipkgError {
  return ruleError(rule, `cannot use the cached index of "${handle}": ${found}`, {
    repository: handle,
    hint: `run "peipkg refresh ${handle}"`,
    cause,
  });
}
