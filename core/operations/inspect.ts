/**
 * Questions about packages that need their manifests or entries, or the whole installed graph. What needs columns alone
 * is in `query.ts` and `search.ts`.
 */
import { PeipkgError } from "../errors.ts";
import type { Dependency, PackageRelation, Provides } from "../format/relations.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { readEntryDetails } from "../repository/index.ts";
import { meets } from "../resolver/satisfaction.ts";
import { whyInstalled as findChains, type WhyLink } from "../resolver/why.ts";
import { type CatalogueLine, type CataloguePackage, findPackage, iterateCatalogue } from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import { readAnnotations } from "../store/annotations.ts";
import {
  measureFiles,
  readInstalledPackage,
  readListedPackage,
  readPackageListing,
  requireInstalledPackage,
} from "../store/installed.ts";
import { readHeldRoles, readSdOverrides, type SdState } from "../store/roles.ts";
import { InstalledSet, type LayoutProfile, readInstalledManifest } from "./installed_set.ts";
import { openOrphanTest } from "./orphans.ts";
import { type PackageSummary, summaryOf } from "./query.ts";
import { chooseRepositories, usableRepositories } from "./search.ts";
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
      fileCount: measureFiles(database, name).files,
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

/** What a repository offers, with what its entry in the index says besides. */
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

/** As `describeOffer()`, for what a search found. */
export function describeOffers(
  workspace: Workspace,
  lines: readonly CatalogueLine[],
): readonly AvailablePackage[] {
  return workspace.read((database) => {
    if (database === undefined) return [];
    return lines
      .flatMap((line) => findPackage(database, line).filter(({ architecture }) => architecture === line.architecture))
      .map((item) => describeOffer(database, item, profileOf(workspace)));
  });
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
