/**
 * The repositories an operation may choose packages from: configured, trusted, fresh enough, and with cached
 * metadata that was proven again for this operation (R-AGE-01 … R-AGE-07, R-CACHE-02 … R-CACHE-07).
 */
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import { PeipkgError, ruleError } from "../errors.ts";
import type { KeepContent } from "../format/package_walk.ts";
import type { ZstdThread } from "../format/zstd_thread.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { Version } from "../identity/version.ts";
import { type AcquiredPackage, acquirePackages, type AcquireRequest } from "../repository/acquire.ts";
import { verifyCachedIndex } from "../repository/cache.ts";
import { isUnsigned } from "../repository/trust_set.ts";
import { ageError, type AgeFinding, findAgeProblem } from "../repository/freshness.ts";
import type { Recorded } from "../repository/refresh.ts";
import { type CatalogueKind, findPackage } from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import type { RepositoryState } from "../store/repository_state.ts";
import { findClockFault } from "./clock.ts";
import { findWeakenings, requireGranted, type Weakening } from "./accepted_configuration.ts";
import {
  ageLimits,
  configuredRepositories,
  readRecorded,
  refreshArchive,
  refreshChosen,
  type RefreshResult,
  repositoryWarnings,
  requireConfigured,
  untrustedError,
  warnAll,
} from "./refresh.ts";
import type { RepositoryAccess } from "./repository_access.ts";

/** One repository that may be planned with. */
export interface AvailableRepository {
  readonly configuration: RepositoryConfiguration;
  readonly state: RepositoryState;
}

/** A repository used although it is past an age limit, as `--allow-stale` allows; recorded as `AUTH_STALE_TRUST`. */
export interface StaleUse {
  readonly repository: string;
  readonly ageDays: number | undefined;
  readonly limitDays: number;
}

export interface Available {
  /** In the order of R-CONF-04. */
  readonly repositories: readonly AvailableRepository[];
  /** Priority by handle: the scope of candidates. */
  readonly priorities: ReadonlyMap<string, number>;
  /** Digest of each index by `<handle> <kind>` (T-PLAN-04). */
  readonly digests: ReadonlyMap<string, string>;
  readonly stale: readonly StaleUse[];
  /** Every enabled repository: their settings are recorded as accepted once something is written (R-TRANS-04). */
  readonly consulted: readonly RepositoryConfiguration[];
}

export interface AvailableOptions {
  /** Neither refresh nor write; an age limit passed is a warning (R-AGE-06). */
  readonly dryRun: boolean;
  readonly allowStale: boolean;
  /** Age gates apply (install, upgrade, downgrade, fetch, bundle, import; not undo). */
  readonly gated: boolean;
  /** Archive indexes too; one that cannot be had is left out with a warning (C-DOWN-02). */
  readonly archives?: boolean;
  /** Only these repositories may supply candidates; all are checked all the same. */
  readonly only?: readonly string[];
}

/**
 * Weakened settings that need an elevated yes before anything else (R-TRANS-04). Once granted, they are recorded by
 * `acceptConfigurations()`.
 */
export function pendingWeakenings(access: RepositoryAccess): readonly Weakening[] {
  return configuredRepositories(access).filter(({ enabled }) => enabled).flatMap((configuration) => {
    const { state } = readRecorded(access, configuration.handle, "active");
    return state === undefined ? [] : findWeakenings(state.accepted, configuration);
  });
}

/**
 * Proves every enabled repository usable for an operation that chooses packages. One that is not makes the operation
 * fail: leaving it out could let a weaker repository step in.
 *
 * @param granted Weakenings that were answered yes.
 * @throws {PeipkgError} `unknown-repository`, `untrusted`, `stale`, `repository-unusable`, `repo-config`,
 * `authorisation-required`
 */
export async function loadAvailable(
  access: RepositoryAccess,
  options: AvailableOptions,
  granted: readonly Weakening[] = [],
): Promise<Available> {
  const configured = configuredRepositories(access);
  for (const handle of options.only ?? []) requireConfigured(configured, handle);
  const enabled = configured.filter((configuration) => configuration.enabled);
  for (const configuration of enabled) {
    const { state } = readRecorded(access, configuration.handle, "active");
    if (state === undefined) throw untrustedError(configuration.handle); // R-CACHE-06
    requireGranted(findWeakenings(state.accepted, configuration), granted);
    warnAll(access, repositoryWarnings(access, configuration));
  }
  if (!options.dryRun) await refreshByAge(access, enabled, granted);
  const stale = options.gated ? await ensureFresh(access, enabled, options, granted) : [];
  const usable = options.only === undefined
    ? enabled
    : enabled.filter(({ handle }) => options.only?.includes(handle) === true);
  return await proveAll(access, enabled, usable, options, stale, granted);
}

/** `auto_refresh_hours`: an opportunity, not a condition, so its failure is a warning (R-NET-01). */
async function refreshByAge(
  access: RepositoryAccess,
  enabled: readonly RepositoryConfiguration[],
  granted: readonly Weakening[],
): Promise<void> {
  const hours = access.settings.autoRefreshHours;
  if (hours === 0) return;
  const due = enabled.filter(({ handle }) => {
    const last = readRecorded(access, handle, "active").state?.lastRefreshAt;
    return last === undefined || Math.floor(access.startedAt / 1000) - last > hours * 3600;
  });
  for (const item of (await refreshChosen(access, due, granted)).results) {
    if (item.result !== "failed") continue;
    warnAll(access, [{ rule: "W_AUTO_REFRESH", text: `refreshing "${item.name}" failed: ${item.error.message}` }]);
  }
}

/**
 * Applies the age gates: an over-age repository is refreshed first, and refused when that does not help.
 *
 * @returns What is used in spite of its age.
 * @throws {PeipkgError} `stale` (`E_TRUST_AGE`, `E_INDEX_STALE`)
 * @see R-AGE-03 … R-AGE-06, C-INSTALL-14
 */
async function ensureFresh(
  access: RepositoryAccess,
  enabled: readonly RepositoryConfiguration[],
  options: Pick<AvailableOptions, "dryRun" | "allowStale">,
  granted: readonly Weakening[] = [],
): Promise<readonly StaleUse[]> {
  const stale: StaleUse[] = [];
  for (const configuration of enabled) {
    const { handle } = configuration;
    const finding = ageFinding(access, configuration);
    if (finding === undefined) continue;
    const { ageDays, limitDays } = finding;
    if (options.dryRun) {
      warnAll(access, [{ rule: "W_STALE_METADATA", text: ageError(handle, finding, findClockFault(access)).message }]);
      continue;
    }
    const measured = finding.rule === "E_TRUST_AGE" ? "refresh" : "index";
    access.session.emit({ kind: "over-age", repository: handle, measured, ageDays, limitDays });
    const [outcome] = (await refreshChosen(access, [configuration], granted)).results;
    const left = ageFinding(access, configuration);
    // R-AGE-04: only progress helps; "no newer index" is a failed refresh for every gate.
    if (left === undefined) continue;
    if (!options.allowStale) throw withCause(ageError(handle, left, findClockFault(access)), outcome);
    stale.push({ repository: handle, ageDays: left.ageDays, limitDays: left.limitDays });
    warnAll(access, [{
      rule: "W_STALE_ALLOWED",
      text: `using repository "${handle}" past its age limit of ${left.limitDays}d, as --allow-stale asks`,
    }]);
  }
  return stale;
}

function withCause(error: PeipkgError, outcome: RefreshResult | undefined): PeipkgError {
  if (outcome?.result !== "failed") return error;
  const cause = outcome.error;
  return new PeipkgError(error.code, error.message, {
    ...error.detail,
    lines: [`refreshing failed: ${cause.message}`],
    cause,
  });
}

/** The age gate of a repository that trips now. */
export function ageFinding(access: RepositoryAccess, configuration: RepositoryConfiguration): AgeFinding | undefined {
  const { state, catalogue } = readRecorded(access, configuration.handle, "active");
  return findAgeProblem({
    lastRefreshAt: state?.lastRefreshAt,
    generatedAt: catalogue?.generatedAt ?? state?.active.generatedAt,
    ...ageLimits(access, configuration),
  }, access.startedAt);
}

async function proveAll(
  access: RepositoryAccess,
  enabled: readonly RepositoryConfiguration[],
  usable: readonly RepositoryConfiguration[],
  options: AvailableOptions,
  stale: readonly StaleUse[],
  granted: readonly Weakening[],
): Promise<Available> {
  const repositories: AvailableRepository[] = [];
  const digests = new Map<string, string>();
  for (const configuration of enabled) {
    const { handle } = configuration;
    const recorded = await proveActive(access, configuration, options.dryRun, granted);
    if (recorded.state === undefined || recorded.catalogue === undefined) throw untrustedError(handle);
    digests.set(`${handle} active`, recorded.catalogue.digest);
    if (!usable.includes(configuration)) continue;
    if (options.archives === true) {
      const digest = await proveArchive(access, configuration, options.dryRun);
      if (digest !== undefined) digests.set(`${handle} archive`, digest);
    }
    const { state } = readRecorded(access, handle, "active");
    repositories.push({ configuration, state: state ?? recorded.state });
  }
  const priorities = new Map(repositories.map(({ configuration }) => [configuration.handle, configuration.priority]));
  return { repositories, priorities, digests, stale, consulted: enabled };
}

/** R-CACHE-05: an unusable cache is refreshed once; what is still unusable stops the operation. */
async function proveActive(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
  dryRun: boolean,
  granted: readonly Weakening[],
): Promise<Recorded> {
  const { handle } = configuration;
  const prove = async () => {
    const recorded = readRecorded(access, handle, "active");
    if (recorded.state === undefined) throw untrustedError(handle);
    await verifyCachedIndex(access, recorded.state, recorded.catalogue, isUnsigned(configuration));
    return recorded;
  };
  try {
    return await prove();
  } catch (error) {
    if (!isUnusable(error)) throw error;
    if (!dryRun) {
      const [outcome] = (await refreshChosen(access, [configuration], granted)).results;
      try {
        return await prove();
      } catch (again) {
        if (!isUnusable(again)) throw again;
        throw unavailable(handle, outcome?.result === "failed" ? outcome.error : again);
      }
    }
    throw unavailable(handle, error);
  }
}

async function proveArchive(
  access: RepositoryAccess,
  configuration: RepositoryConfiguration,
  dryRun: boolean,
): Promise<string | undefined> {
  const { handle } = configuration;
  try {
    // C-PLAN-06: archives are fetched while planning, but a dry run writes nothing.
    if (!dryRun) await refreshArchive(access, configuration);
    const { state, catalogue } = readRecorded(access, handle, "archive");
    if (state === undefined) return undefined;
    await verifyCachedIndex(access, state, catalogue, isUnsigned(configuration));
    return catalogue?.digest;
  } catch (error) {
    access.session.signal.throwIfAborted();
    if (!(error instanceof PeipkgError)) throw error;
    warnAll(access, [{
      rule: "W_ARCHIVE_SKIPPED",
      text: `the archive of repository "${handle}" was left out: ${error.message}`,
    }]);
    return undefined;
  }
}

function isUnusable(error: unknown): error is PeipkgError {
  return error instanceof PeipkgError && error.code === "repository-unusable";
}

function unavailable(handle: string, cause: PeipkgError): PeipkgError {
  return ruleError("E_REPO_UNAVAILABLE", `cannot use repository "${handle}": ${cause.message}`, {
    repository: handle,
    cause,
    hint: `run "peipkg refresh ${handle}", or disable or remove the repository`,
  });
}

/** A planned package as the plan names it. */
export interface PlannedPackage {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  readonly hash: string;
  readonly origin:
    | { readonly kind: "repository"; readonly repository: string }
    | { readonly kind: "local-file"; readonly path: string };
  /** Files whose verified content is wanted without a second reading. */
  readonly keep?: KeepContent;
}

/**
 * Downloads and verifies the packages of a plan (R-PKG-01 … R-PKG-08), in the plan's order.
 *
 * @throws {PeipkgError} `failed` (`PLAN_STALE`) when the entry planned with is no longer in the catalogue
 */
export async function acquirePlanned(
  access: RepositoryAccess,
  available: Available,
  planned: readonly PlannedPackage[],
  systemArchitecture: Architecture,
  thread?: ZstdThread,
): Promise<readonly AcquiredPackage[]> {
  const requests = access.read((database) =>
    planned.map((item): AcquireRequest => {
      const { name, version, architecture, origin, hash } = item;
      const source: AcquireRequest["source"] = origin.kind === "local-file"
        ? { kind: "local-file", path: origin.path, hash }
        : repositorySource(database, available, item, origin.repository);
      return { name, version, architecture, source, ...(item.keep === undefined ? {} : { keep: item.keep }) };
    })
  );
  return await acquirePackages(access, requests, { systemArchitecture, thread });
}

function repositorySource(
  database: Database | undefined,
  available: Available,
  item: PlannedPackage,
  handle: string,
): AcquireRequest["source"] {
  const repository = available.repositories.find(({ configuration }) => configuration.handle === handle);
  const kinds: readonly CatalogueKind[] = ["active", "archive"];
  const row = database === undefined ? undefined : kinds
    .flatMap((kind) => findPackage(database, { repository: handle, kind, name: item.name, version: item.version.raw }))
    .find((found) => found.hash === item.hash && found.architecture === item.architecture);
  if (repository === undefined || row === undefined) {
    throw ruleError("PLAN_STALE", `cannot fetch ${item.name} ${item.version.raw}: "${handle}" no longer offers it`, {
      repository: handle,
      package: item.name,
    });
  }
  const { url, hash, sizeCompressedBytes, sizeInstalledBytes, entry } = row;
  return { kind: "repository", ...repository, url, hash, sizeCompressedBytes, sizeInstalledBytes, entry };
}
