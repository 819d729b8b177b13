/**
 * Questions about packages that need their manifests, the catalogues, or the whole installed graph. Reading commands
 * trust catalogue rows whose signer is acceptable now; nothing is fetched or verified again (R-CACHE-07, light).
 */
import { readRepositoryFiles, type RepositoryConfiguration, requireRepositories } from "../config/repo_file.ts";
import { PeipkgError } from "../errors.ts";
import type { Dependency, PackageRelation, Provides } from "../format/relations.ts";
import { nearHint } from "../identity/near_name.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { compareVersions, parseVersion } from "../identity/version.ts";
import { checkCatalogue } from "../repository/cache.ts";
import { isUnsigned } from "../repository/trust_set.ts";
import { readEntryDetails } from "../repository/index.ts";
import { meets } from "../resolver/satisfaction.ts";
import { whyInstalled as findChains, type WhyLink } from "../resolver/why.ts";
import {
  type CatalogueKind,
  type CataloguePackage,
  iterateCatalogue,
  readCatalogue,
  searchPackages,
} from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import {
  countFiles,
  readAnnotations,
  readInstalledPackage,
  readListedPackage,
  readPackageListing,
  requireInstalledPackage,
} from "../store/installed.ts";
import { readRepositoryState } from "../store/repository_state.ts";
import { readHeldRoles, readSdOverrides, type SdState } from "../store/roles.ts";
import { InstalledSet, type LayoutProfile, readInstalledManifest } from "./installed_set.ts";
import { openOrphanTest } from "./orphans.ts";
import { matchesPattern } from "./patterns.ts";
import { type PackageSummary, summaryOf } from "./query.ts";
import type { Workspace } from "./workspace.ts";

/** Everything `info` shows of one installed package. Relations read `name` or `name constraint`. */
export interface PackageDetail extends PackageSummary {
  readonly license: string;
  readonly homepage: string;
  readonly dependencies: readonly string[];
  readonly optionalDependencies: readonly string[];
  readonly conflicts: readonly string[];
  readonly provides: readonly string[];
  readonly replaces: readonly string[];
  /** Installed packages with a dependency this one satisfies. */
  readonly requiredBy: readonly string[];
  /** Roles held. */
  readonly roles: readonly string[];
  readonly annotations: readonly { readonly tag: string; readonly value: string }[];
  readonly fileCount: number;
  readonly build: { readonly timestamp: string; readonly farmId: string; readonly sourceRef: string };
  readonly packageHash: string;
  readonly sdOverrides: readonly { readonly path: string; readonly state: SdState }[];
  readonly alternateUpgrade: string | undefined;
}

/** A package a repository offers. */
export interface AvailablePackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly repository: string;
  readonly description: string;
  readonly license: string;
  readonly homepage: string;
  readonly sizeDownloadBytes: number;
  readonly sizeInstalledBytes: number;
  readonly installedVersion: string | undefined;
}

/** How `search` looks (C-SEARCH-05). */
export interface SearchFilters {
  /** What is compared with the term; `provides` finds capabilities. */
  readonly fields?: "both" | "name" | "description" | "provides";
  /** `contains` ignores case; `glob` and `exact` do not. */
  readonly match?: "contains" | "glob" | "exact";
  /** Handles; empty: every enabled repository. */
  readonly repositories?: readonly string[];
  /** Also what only the archive index lists. */
  readonly allVersions?: boolean;
  readonly installed?: boolean;
}

/** Why a package is here (C-WHY-01). */
export interface WhyAnswer {
  readonly name: string;
  readonly version: string;
  readonly isAutomatic: boolean;
  /** Each starts with a manual package and ends with the one asked about; empty when nothing needs it. */
  readonly chains: readonly (readonly WhyLink[])[];
}

/** Figures of `stats` (C-STATS-01); sizes in bytes. */
export interface Statistics {
  readonly local: {
    readonly packages: number;
    readonly manual: number;
    readonly automatic: number;
    readonly sizeInstalledBytes: number;
    readonly cacheSizeBytes: number;
  };
  readonly repositories: readonly {
    readonly name: string;
    readonly packages: number;
    readonly sizeDownloadBytes: number;
  }[];
}

/** Chains `why` shows without `--all`. */
const SHOWN_CHAINS = 10;

/**
 * Describes one installed package.
 *
 * @throws {PeipkgError} `not-installed`, `database` (`DB_CORRUPT`)
 * @see C-INFO-01 … C-INFO-03
 */
export function packageDetail(workspace: Workspace, name: string): PackageDetail {
  return workspace.read((database) => {
    const { packageHash } = requireInstalledPackage(database, name);
    const listed = database === undefined ? undefined : readListedPackage(database, name);
    const profile = profileOf(workspace);
    const manifest = database === undefined ? undefined : readInstalledManifest(database, name, profile);
    if (database === undefined || listed === undefined || manifest === undefined) {
      throw new PeipkgError("internal", `the record of "${name}" went away inside one snapshot`);
    }
    return {
      ...summaryOf(listed, openOrphanTest(workspace, database)(listed.origin)),
      license: manifest.license,
      homepage: manifest.homepage,
      dependencies: manifest.dependencies.map(requirementText),
      optionalDependencies: manifest.optionalDependencies.map(requirementText),
      conflicts: manifest.conflicts.map(requirementText),
      provides: manifest.provides.map(provisionText),
      replaces: manifest.replaces.map(requirementText),
      requiredBy: requiredBy(new InstalledSet(database, profile), name),
      roles: readHeldRoles(database, name),
      annotations: readAnnotations(database, name).map(({ tag, value }) => ({ tag, value })),
      fileCount: countFiles(database, name),
      build: {
        timestamp: manifest.build.timestamp,
        farmId: manifest.build.farmId,
        sourceRef: manifest.build.sourceRef,
      },
      packageHash,
      sdOverrides: readSdOverrides(database, name).map(({ path, state }) => ({ path, state })),
      alternateUpgrade: manifest.alternateUpgrade === "" ? undefined : manifest.alternateUpgrade,
    };
  });
}

/**
 * Searches the catalogues of enabled repositories, by repository order, then name, then newest version.
 *
 * @throws {PeipkgError} `repo-config` when a repository file is broken (R-CONF-03), `unknown-repository`
 * @see C-SEARCH-01 … C-SEARCH-05
 */
export function searchCatalogue(
  workspace: Workspace,
  term: string,
  filters: SearchFilters = {},
): readonly AvailablePackage[] {
  const repositories = chooseRepositories(workspace, filters.repositories ?? []);
  return workspace.read((database) => {
    const usable = usableRepositories(workspace, database, repositories);
    if (database === undefined) return [];
    const found: AvailablePackage[] = [];
    for (const repository of usable) {
      for (const item of findOffers(database, repository.handle, term, filters, profileOf(workspace))) {
        const available = describeOffer(database, item, profileOf(workspace));
        if (filters.installed === undefined || filters.installed === (available.installedVersion !== undefined)) {
          found.push(available);
        }
      }
    }
    return found;
  });
}

/**
 * Explains why a package is installed.
 *
 * @param all Every chain instead of the ten shortest.
 * @throws {PeipkgError} `not-installed`
 * @see C-WHY-01
 */
export function explainInstalled(workspace: Workspace, name: string, all: boolean): WhyAnswer {
  return workspace.read((database) => {
    const item = requireInstalledPackage(database, name);
    const installed = new InstalledSet(database, profileOf(workspace));
    const isAutomatic = item.reason === "dependency";
    return {
      name,
      version: item.version.raw,
      isAutomatic,
      chains: isAutomatic ? findChains(installed, item.name, all ? Infinity : SHOWN_CHAINS) : [],
    };
  });
}

/** Counts what is installed, cached and on offer. @see C-STATS-01 */
export function statistics(workspace: Workspace): Statistics {
  const repositories = chooseRepositories(workspace, []);
  return workspace.read((database) => {
    const usable = usableRepositories(workspace, database, repositories);
    const listed = database === undefined ? [] : readPackageListing(database);
    const automatic = listed.filter(({ reason }) => reason === "dependency").length;
    return {
      local: {
        packages: listed.length,
        manual: listed.length - automatic,
        automatic,
        sizeInstalledBytes: listed.reduce((sum, { sizeInstalledBytes }) => sum + sizeInstalledBytes, 0),
        cacheSizeBytes: downloadedBytes(workspace),
      },
      repositories: database === undefined
        ? []
        : usable.map(({ handle }) => ({ name: handle, ...offeredTotals(database, handle) })),
    };
  });
}

/** Layout profile that manifests are judged by. */
export function profileOf(workspace: Workspace): LayoutProfile {
  const { layout } = workspace.settings;
  return layout === "late" || layout === "both" ? layout : "base";
}

function requirementText({ name, constraint }: Dependency | PackageRelation): string {
  return constraint === undefined ? name : `${name} ${constraint.raw}`;
}

function provisionText({ name, version }: Provides): string {
  return version === undefined ? name : `${name} = ${version.raw}`;
}

/** Installed packages with a dependency that a package of the set satisfies, by name. */
export function requiredBy(installed: InstalledSet, name: string): readonly string[] {
  const target = installed.get(name);
  if (target === undefined) return [];
  const names = new Set<string>();
  for (const offered of new Set([name, ...target.provides.map((provided) => provided.name)])) {
    for (const dependent of installed.dependentsOn(offered)) {
      const needs = dependent.name !== name &&
        dependent.dependencies.some((entry) => entry.name === offered && meets(entry, dependent.architecture, target));
      if (needs) names.add(dependent.name);
    }
  }
  return [...names].sort(compareBytes);
}

/**
 * Enabled repositories, all or those named, in their order.
 *
 * @throws {PeipkgError} `unknown-repository`, `repo-config`
 */
export function chooseRepositories(
  workspace: Workspace,
  handles: readonly string[],
): readonly RepositoryConfiguration[] {
  using directory = workspace.openConfiguration(false);
  const enabled = requireRepositories(readRepositoryFiles(directory)).filter((repository) => repository.enabled);
  for (const handle of handles) {
    if (!enabled.some((repository) => repository.handle === handle)) {
      throw new PeipkgError("unknown-repository", `no enabled repository is named "${handle}"`, {
        rule: "E_REPO_UNKNOWN",
        repository: handle,
        ...nearHint(handle, enabled.map((repository) => repository.handle)),
      });
    }
  }
  return handles.length === 0 ? enabled : enabled.filter(({ handle }) => handles.includes(handle));
}

/**
 * Those whose catalogue may be read. Unlike a change, a query goes on without the others, with a warning each.
 *
 * @see C-SEARCH-03, R-CACHE-05, R-CACHE-06
 */
export function usableRepositories(
  workspace: Workspace,
  database: Database | undefined,
  repositories: readonly RepositoryConfiguration[],
): readonly RepositoryConfiguration[] {
  return repositories.filter((repository) => {
    try {
      checkUsable(workspace, database, repository);
      return true;
    } catch (error) {
      if (!(error instanceof PeipkgError) || error.code === "database") throw error;
      workspace.warn({
        rule: "W_REPO_SKIPPED",
        text: `repository "${repository.handle}" is skipped: ${error.message}`,
      });
      return false;
    }
  });
}

function checkUsable(workspace: Workspace, database: Database | undefined, repository: RepositoryConfiguration): void {
  const state = database === undefined ? undefined : readRepositoryState(database, repository.handle);
  if (database === undefined || state === undefined) {
    throw new PeipkgError("untrusted", "its trust ceremony has not run");
  }
  const catalogue = readCatalogue(database, repository.handle, "active");
  checkCatalogue(state, catalogue, isUnsigned(repository), workspace.startedAt);
}

/** What one repository offers, by name, then newest version. */
export function findOffers(
  database: Database,
  handle: string,
  term: string,
  filters: SearchFilters,
  profile: LayoutProfile,
): readonly CataloguePackage[] {
  const { fields = "both", match = "contains", allVersions = false } = filters;
  if (fields !== "provides" && match === "contains" && !allVersions) {
    return searchPackages(database, handle, term, fields);
  }
  const matches = matcherOf(term, match);
  const kinds: readonly CatalogueKind[] = allVersions ? ["active", "archive"] : ["active"];
  const found = new Map<string, CataloguePackage>();
  for (const kind of kinds) {
    for (const item of iterateCatalogue(database, handle, kind)) {
      // The active index and the archive list the current version both.
      const key = `${item.name} ${item.version} ${item.architecture}`;
      if (!found.has(key) && textsOf(item, fields, profile).some(matches)) found.set(key, item);
    }
  }
  return [...found.values()].sort((a, b) =>
    compareBytes(a.name, b.name) || compareVersions(parseVersion(b.version), parseVersion(a.version))
  );
}

function textsOf(
  item: CataloguePackage,
  fields: SearchFilters["fields"],
  profile: LayoutProfile,
): readonly string[] {
  switch (fields) {
    case "name":
      return [item.name];
    case "description":
      return [item.description];
    case "provides":
      return readEntryDetails(item.entry, profile).provides.map(({ name }) => name);
    default:
      return [item.name, item.description];
  }
}

function matcherOf(term: string, match: "contains" | "glob" | "exact"): (text: string) => boolean {
  if (match === "exact") return (text) => text === term;
  if (match === "glob") return (text) => matchesPattern(term, text);
  const folded = term.toLowerCase();
  return (text) => text.toLowerCase().includes(folded);
}

/** A catalogue row as listings show it. */
export function describeOffer(database: Database, item: CataloguePackage, profile: LayoutProfile): AvailablePackage {
  const { license, homepage } = readEntryDetails(item.entry, profile);
  return {
    name: item.name,
    version: item.version,
    architecture: item.architecture,
    repository: item.repository,
    description: item.description,
    license,
    homepage,
    sizeDownloadBytes: item.sizeCompressedBytes,
    sizeInstalledBytes: item.sizeInstalledBytes,
    installedVersion: readInstalledPackage(database, item.name)?.version.raw,
  };
}

function offeredTotals(
  database: Database,
  handle: string,
): { readonly packages: number; readonly sizeDownloadBytes: number } {
  let packages = 0, sizeDownloadBytes = 0;
  for (const { sizeCompressedBytes } of iterateCatalogue(database, handle, "active")) {
    packages++;
    sizeDownloadBytes += sizeCompressedBytes;
  }
  return { packages, sizeDownloadBytes };
}

function downloadedBytes(workspace: Workspace): number {
  using directory = workspace.openCache("packages", false);
  if (directory === undefined) return 0;
  return directory.list().names.reduce((sum, name) => sum + (directory.status(name)?.sizeBytes ?? 0), 0);
}
