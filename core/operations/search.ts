/**
 * What repositories offer, by the columns of their catalogues: no entry is parsed, so that the answer costs what it
 * shows. Catalogue rows are trusted whose signer is acceptable now; nothing is fetched or verified again (R-CACHE-07,
 * light).
 */
import { readRepositoryFiles, type RepositoryConfiguration, requireRepositories } from "../config/repo_file.ts";
import { PeipkgError } from "../errors.ts";
import { nearHint } from "../identity/near_name.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { compareVersions, parseVersion } from "../identity/version.ts";
import { checkCatalogue } from "../repository/catalogue_check.ts";
import { isUnsigned } from "../repository/trust_set.ts";
import {
  type CatalogueKind,
  type CatalogueLine,
  type CataloguePackage,
  iterateCatalogue,
  iterateProvisions,
  packagesNamed,
  readCatalogue,
  searchPackages,
} from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import { readInstalledPackage } from "../store/installed.ts";
import { readRepositoryState } from "../store/repository_state.ts";
import { matchesPattern } from "./patterns.ts";
import type { Workspace } from "./workspace.ts";

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
): readonly CatalogueLine[] {
  const repositories = chooseRepositories(workspace, filters.repositories ?? []);
  return workspace.read((database) => {
    const usable = usableRepositories(workspace, database, repositories);
    if (database === undefined) return [];
    const found = usable.flatMap(({ handle }) => findLines(database, handle, term, filters));
    return filters.installed === undefined
      ? found
      : found.filter(({ name }) => isInstalled(database, name) === filters.installed);
  });
}

const isInstalled = (database: Database, name: string): boolean => readInstalledPackage(database, name) !== undefined;

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

/** As `findOffers()`; the ordinary search is SQLite's. */
function findLines(
  database: Database,
  handle: string,
  term: string,
  filters: SearchFilters,
): readonly CatalogueLine[] {
  const { fields = "both", match = "contains", allVersions = false } = filters;
  return fields !== "provides" && match === "contains" && !allVersions
    ? searchPackages(database, handle, term, fields)
    : findOffers(database, handle, term, filters);
}

/** What one repository offers, by name, then newest version. */
export function findOffers(
  database: Database,
  handle: string,
  term: string,
  filters: SearchFilters,
): readonly CataloguePackage[] {
  const { fields = "both", match = "contains", allVersions = false } = filters;
  const matches = matcherOf(term, match);
  const kinds: readonly CatalogueKind[] = allVersions ? ["active", "archive"] : ["active"];
  const found = new Map<string, CataloguePackage>();
  for (const kind of kinds) {
    // One name is looked up; whatever else is asked, every entry is asked.
    const candidates = match === "exact" && fields === "name"
      ? entriesNamed(database, handle, kind, term)
      : textsToSearch(database, handle, kind, fields);
    for (const { item, texts } of candidates) {
      // The active index and the archive list the current version both.
      const key = `${item.name} ${item.version} ${item.architecture}`;
      if (!found.has(key) && texts.some(matches)) found.set(key, item);
    }
  }
  return [...found.values()].sort((a, b) =>
    compareBytes(a.name, b.name) || compareVersions(parseVersion(b.version), parseVersion(a.version))
  );
}

function entriesNamed(
  database: Database,
  handle: string,
  kind: CatalogueKind,
  name: string,
): readonly { readonly item: CataloguePackage; readonly texts: readonly string[] }[] {
  return packagesNamed(database, name)
    .filter((item) => item.repository === handle && item.kind === kind)
    .map((item) => ({ item, texts: [item.name] }));
}

function* textsToSearch(
  database: Database,
  handle: string,
  kind: CatalogueKind,
  fields: NonNullable<SearchFilters["fields"]>,
): Generator<{ readonly item: CataloguePackage; readonly texts: readonly string[] }, void, undefined> {
  if (fields === "provides") {
    for (const { item, name } of iterateProvisions(database, handle, kind)) yield { item, texts: [name] };
    return;
  }
  for (const item of iterateCatalogue(database, handle, kind)) {
    yield {
      item,
      texts: [...(fields === "description" ? [] : [item.name]), ...(fields === "name" ? [] : [item.description])],
    };
  }
}

function matcherOf(term: string, match: "contains" | "glob" | "exact"): (text: string) => boolean {
  if (match === "exact") return (text) => text === term;
  if (match === "glob") return (text) => matchesPattern(term, text);
  const folded = term.toLowerCase();
  return (text) => text.toLowerCase().includes(folded);
}
