/**
 * Refreshing: fetch and verify without the lock, then record under it what still follows from the state found there
 * (T-LOCK-13). Repositories are independent; a failure leaves its repository as it was, except that verified
 * revocations are kept (R-REFRESH-08 … R-REFRESH-10).
 */
import { readRepositoryFiles, type RepositoryConfiguration, requireRepositories } from "../config/repo_file.ts";
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import { nearHint } from "../identity/near_name.ts";
import { dropPreviousIndex, writeCachedIndex } from "../repository/cache.ts";
import { isUnsigned } from "../repository/trust_set.ts";
import { warnHighLimits } from "../repository/freshness.ts";
import {
  fetchDescriptor,
  fetchIndex,
  type Recorded,
  type VerifiedDescriptor,
  type VerifiedIndex,
} from "../repository/refresh.ts";
import {
  type CatalogueKind,
  countPackages,
  readCatalogue,
  replaceCatalogue,
  writeCatalogueSigner,
} from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import {
  addRevocations,
  readRepositoryState,
  type RepositoryState,
  writeRepositoryState,
} from "../store/repository_state.ts";
import {
  acceptedFrom,
  auditChanges,
  configurationChanges,
  findWeakenings,
  requireGranted,
  type Weakening,
} from "./accepted_configuration.ts";
import { clockWarnings, withClockExplained } from "./clock.ts";
import { inLanes } from "./lanes.ts";
import type { RefreshedEntry, RepositoryAccess } from "./repository_access.ts";

/** How one repository fared. */
export type RefreshResult =
  | {
    readonly result: "refreshed" | "unchanged";
    readonly name: string;
    readonly indexVersion: number;
    readonly packages: number;
  }
  | { readonly result: "failed"; readonly name: string; readonly error: PeipkgError };

export interface RefreshReport {
  /** In the order of R-CONF-04; empty when no repository is configured. */
  readonly results: readonly RefreshResult[];
}

/** Attempts before a database that keeps changing under a refresh is left alone. */
const MAX_ATTEMPTS = 3;

/**
 * Reads the repositories an operation consults.
 *
 * @throws {PeipkgError} `repo-config` when any file is invalid (R-CONF-03)
 */
export function configuredRepositories(access: RepositoryAccess): readonly RepositoryConfiguration[] {
  using directory = access.openConfiguration(false);
  return requireRepositories(readRepositoryFiles(directory));
}

/**
 * Refreshes the named repositories, or all enabled ones.
 *
 * @throws {PeipkgError} `unknown-repository`, `repo-config`, before anything is fetched; failures of single
 * repositories are results
 * @see R-REFRESH-01 … R-REFRESH-13, C-REFRESH-01 … C-REFRESH-07
 */
export async function refreshRepositories(
  access: RepositoryAccess,
  handles: readonly string[] = [],
): Promise<RefreshReport> {
  const configured = configuredRepositories(access);
  for (const handle of handles) requireConfigured(configured, handle);
  const chosen = configured.filter(({ handle, enabled }) => handles.length === 0 ? enabled : handles.includes(handle));
  return await refreshChosen(access, chosen);
}

/** @throws {PeipkgError} `unknown-repository` (`E_REPO_UNKNOWN`) */
export function requireConfigured(
  configured: readonly RepositoryConfiguration[],
  handle: string,
): RepositoryConfiguration {
  const found = configured.find((configuration) => configuration.handle === handle);
  if (found !== undefined) return found;
  throw ruleError("E_REPO_UNKNOWN", `repository "${handle}" is not configured`, {
    repository: handle,
    ...nearHint(handle, configured.map((configuration) => configuration.handle)),
  });
}

/**
 * Refreshes repositories, several at once, and reports the run as one event (A-EVENT-04).
 *
 * @param granted Weakened settings that were answered yes; all others fail their repository (R-TRANS-04).
 */
export async function refreshChosen(
  access: RepositoryAccess,
  chosen: readonly RepositoryConfiguration[],
  granted: readonly Weakening[] = [],
): Promise<RefreshReport> {
  const results = new Map<number, RefreshResult>();
  const inOrder = () => [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
  try {
    await inLanes(access, chosen, async (lane, configuration, index) => {
      results.set(index, await refreshOne(lane, configuration, granted));
    });
  } finally {
    if (results.size > 0) auditRun(access, inOrder());
  }
  return { results: inOrder() };
}

async function refreshOne(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
  granted: readonly Weakening[],
): Promise<RefreshResult> {
  const name = configuration.handle;
  try {
    if (!configuration.enabled) {
      throw ruleError("E_REPO_UNAVAILABLE", `cannot refresh "${name}": it is disabled`, { repository: name });
    }
    warnAll(access, repositoryWarnings(access, configuration));
    const outcome = await withClockExplained(access, () => fetchAndRecord(access, configuration, granted));
    access.session.emit({ kind: "repository", ...outcome });
    return outcome;
  } catch (error) {
    access.session.signal.throwIfAborted();
    if (!(error instanceof PeipkgError)) throw error;
    access.session.emit({
      kind: "repository",
      name,
      result: "failed",
      code: error.code,
      message: error.message,
    });
    return { result: "failed", name, error };
  }
}

async function fetchAndRecord(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
  granted: readonly Weakening[],
): Promise<Exclude<RefreshResult, { result: "failed" }>> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const recorded = readRecorded(access, configuration.handle, "active");
    if (recorded.state !== undefined) requireGranted(findWeakenings(recorded.state.accepted, configuration), granted);
    const descriptor = await fetchDescriptor(access, configuration, recorded.state);
    const index = await fetchIndexKeepingRevocations(access, configuration, descriptor, recorded, "active");
    warnAll(access, [...descriptor.warnings, ...index.warnings]);
    const packages = await recordIndex(access, configuration, descriptor, index, recorded);
    if (packages === undefined) continue; // the state changed meanwhile: judged again (R-REFRESH-08)
    if (recorded.state === undefined) { // R-ADD-11, R-ADD-12
      access.audit({ type: "peipkg.repo-add", outcome: "success", repo: configuration.handle });
    }
    const result = index.result === "progress" ? "refreshed" : "unchanged";
    return { result, name: configuration.handle, indexVersion: index.stamp.indexVersion, packages };
  }
  throw ruleError("PLAN_STALE", `cannot refresh "${configuration.handle}": its state keeps changing`);
}

/** R-REFRESH-10: what a verified descriptor revokes is kept although a later step fails. */
async function fetchIndexKeepingRevocations(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
  descriptor: VerifiedDescriptor,
  recorded: Recorded,
  kind: CatalogueKind,
): Promise<VerifiedIndex> {
  try {
    return await fetchIndex(access, configuration, descriptor, recorded, kind);
  } catch (error) {
    const fresh = [...descriptor.revocations].filter((key) => recorded.state?.revocations.has(key) === false);
    if (fresh.length > 0) {
      const now = Math.floor(access.startedAt / 1000);
      await access.write((database) =>
        database.write(() => {
          if (readRepositoryState(database, configuration.handle) === undefined) return;
          addRevocations(database, configuration.handle, fresh, now);
        })
      );
    }
    throw error;
  }
}

/** What is recorded about a repository now. */
export function readRecorded(access: RepositoryAccess, handle: string, kind: CatalogueKind): Recorded {
  return access.read((database) => recordedIn(database, handle, kind));
}

function recordedIn(database: Database | undefined, handle: string, kind: CatalogueKind): Recorded {
  if (database === undefined) return { state: undefined, catalogue: undefined };
  return { state: readRepositoryState(database, handle), catalogue: readCatalogue(database, handle, kind) };
}

/**
 * Records a verified index under the writer lock: cache files first, then one database transaction (R-CACHE-04).
 *
 * @param options `beforeCommit` runs under the lock between the cache files and the database (R-ADD-10: the config
 * file); `via` says how changed settings came about.
 * @returns Number of active packages; `undefined` when the recorded state is no longer what was judged against.
 */
export async function recordIndex(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
  descriptor: VerifiedDescriptor,
  index: VerifiedIndex,
  recorded: Recorded,
  options: { readonly beforeCommit?: () => void; readonly via?: "command" | "file" } = {},
): Promise<number | undefined> {
  const { handle } = configuration;
  const now = Math.floor(access.startedAt / 1000);
  return await access.write((database) => {
    const current = recordedIn(database, handle, index.kind);
    if (!isSameRecord(current, recorded)) return undefined;
    using metadata = access.openCache("metadata", true);
    if (metadata !== undefined) {
      writeCachedIndex(metadata, handle, index.kind, index.digest, index.pair, current.catalogue?.digest);
    }
    options.beforeCommit?.();
    const state = nextState(configuration, descriptor, index, recorded.state, now);
    database.write(() => {
      writeRepositoryState(database, state, now);
      if (index.catalogue !== undefined) replaceCatalogue(database, index.catalogue);
      else writeCatalogueSigner(database, handle, index.kind, index.signer);
    });
    if (metadata !== undefined) dropPreviousIndex(metadata, handle, index.kind);
    if (recorded.state !== undefined) {
      const changes = configurationChanges(recorded.state.accepted, configuration);
      auditChanges(access, handle, changes, options.via ?? "file");
    }
    return countPackages(database, handle);
  });
}

function nextState(
  configuration: RepositoryConfiguration,
  descriptor: VerifiedDescriptor,
  index: VerifiedIndex,
  previous: RepositoryState | undefined,
  now: number,
): RepositoryState {
  const none = { indexVersion: 0, generatedAt: undefined };
  const floor = { indexVersion: index.stamp.indexVersion, generatedAt: index.stamp.generatedAt.raw };
  const progressed = index.result === "progress";
  const isActive = index.kind === "active";
  return {
    name: configuration.handle,
    repositoryName: descriptor.descriptor.repositoryName,
    addedAt: previous?.addedAt ?? now,
    // R-FRESH-03: only progress counts as a refresh.
    lastRefreshAt: progressed && isActive ? now : previous?.lastRefreshAt,
    active: progressed && isActive ? floor : previous?.active ?? none,
    archive: progressed && !isActive ? floor : previous?.archive ?? none,
    accepted: acceptedFrom(configuration),
    keys: index.keys,
    revocations: descriptor.revocations,
  };
}

function isSameRecord(a: Recorded, b: Recorded): boolean {
  const digest = ({ state, catalogue }: Recorded) =>
    JSON.stringify([
      catalogue?.digest,
      state?.active,
      state?.archive,
      state?.keys.map((key) => [key.fingerprint, key.status, key.validUntil]),
      state === undefined ? undefined : [...state.revocations].sort(),
    ]);
  return digest(a) === digest(b);
}

/**
 * Fetches the archive index of a repository, when it is needed (R-ARC-05, R-ARC-07): the descriptor is verified again
 * first.
 *
 * @throws {PeipkgError} as refreshing
 */
export async function refreshArchive(access: RepositoryAccess, configuration: RepositoryConfiguration): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const recorded = readRecorded(access, configuration.handle, "archive");
    if (recorded.state === undefined) throw untrustedError(configuration.handle);
    const descriptor = await fetchDescriptor(access, configuration, recorded.state);
    const index = await fetchIndexKeepingRevocations(access, configuration, descriptor, recorded, "archive");
    warnAll(access, index.warnings);
    if (await recordIndex(access, configuration, descriptor, index, recorded) !== undefined) return;
  }
  throw ruleError("PLAN_STALE", `cannot fetch the archive of "${configuration.handle}": its state keeps changing`);
}

/** The refusal of a repository whose trust ceremony has not run (R-CACHE-06, C-CONF-22). */
export function untrustedError(handle: string): PeipkgError {
  return ruleError("E_REPO_UNTRUSTED", `cannot use repository "${handle}": it has not been trusted yet`, {
    repository: handle,
    hint: `run "peipkg repo add ${handle}"`,
  });
}

/** Warnings every use of a repository gives anew (R-TRANS-02, R-POL-05, C-PLAN-07). */
export function repositoryWarnings(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
): readonly Warning[] {
  const { handle, baseUrl } = configuration;
  const warnings: Warning[] = [];
  if (configuration.allowInsecureTransport && baseUrl.toLowerCase().startsWith("http:")) {
    warnings.push({
      rule: "W_INSECURE_TRANSPORT",
      text: `repository "${handle}" uses plain http — what is fetched can be seen and held back by others`,
    });
  }
  if (isUnsigned(configuration)) {
    warnings.push({
      rule: "W_UNSIGNED_REPO",
      text: `repository "${handle}" is unsigned — its metadata and packages are not cryptographically verified`,
    });
  }
  return [...warnings, ...warnHighLimits(handle, ageLimits(access, configuration)), ...clockWarnings(access)];
}

/** Age limits of a repository: its own, else the global ones. */
export function ageLimits(access: RepositoryAccess, configuration: RepositoryConfiguration) {
  return {
    maxTrustedAgeDays: configuration.maxTrustedAgeDays ?? access.settings.maxTrustedAgeDays,
    maxIndexStalenessDays: configuration.maxIndexStalenessDays ?? access.settings.maxIndexStalenessDays,
  };
}

/** Passes warnings on. */
export function warnAll(access: RepositoryAccess, warnings: readonly Warning[]): void {
  for (const warning of warnings) access.session.emit({ kind: "warning", warning });
}

function auditRun(access: RepositoryAccess, results: readonly RefreshResult[]): void {
  const failed = results.find((item) => item.result === "failed");
  access.audit({
    type: "peipkg.refresh",
    outcome: failed === undefined ? "success" : "rejection",
    ...(failed === undefined ? {} : { reason: failed.error.detail.rule ?? failed.error.code }),
    repositories: results.map((item): RefreshedEntry =>
      item.result === "failed"
        ? { name: item.name, result: "failed", reason: item.error.detail.rule ?? item.error.code }
        : { name: item.name, result: item.result, index_version: item.indexVersion }
    ),
  });
}
