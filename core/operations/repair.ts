/** What can be done about the findings of a check (C-CHECK-03). Decides only; changing goes its usual ways. */
import type { PackageName } from "../identity/package_name.ts";
import { type InstalledPackage, readInstalledPackages } from "../store/installed.ts";
import { isConfigPath } from "../transaction/config_files.ts";
import type { InstallTarget } from "./change_request.ts";
import type { CheckProblem } from "./check.ts";
import { searchCatalogue } from "./search.ts";
import type { Stray } from "./strays.ts";
import type { Workspace } from "./workspace.ts";

/** Findings sorted by their cure. */
export interface Repairs {
  /**
   * For one install request with `automatic`, which leaves the mark of what is installed as it is: damaged packages are
   * written again, and naming an installed package demands that its dependencies hold (S-REQ-04).
   */
  readonly targets: readonly InstallTarget[];
  readonly strays: readonly Stray[];
  /** Findings nothing here can cure, and why. */
  readonly remaining: readonly { readonly problem: CheckProblem; readonly reason: string }[];
}

/**
 * Sorts findings by their cure. An edited configuration file is the operator's and no damage.
 *
 * @throws {PeipkgError} `repo-config` when a repository file is broken
 */
export function planRepairs(workspace: Workspace, problems: readonly CheckProblem[]): Repairs {
  const installed = workspace.read((database) => database === undefined ? [] : readInstalledPackages(database));
  const rows = new Map<string, InstalledPackage>(installed.map((row) => [row.name, row]));
  const targets = new Map<PackageName, InstallTarget>();
  const strays: Stray[] = [];
  const remaining: { problem: CheckProblem; reason: string }[] = [];
  const sources = new Map<string, string | undefined>();
  for (const problem of problems) {
    if (problem.kind === "stray") {
      strays.push({ path: problem.path, transaction: problem.transaction });
      continue;
    }
    const row = rows.get(nameIn(problem) ?? "");
    const obstacle = row === undefined ? DATABASE_OBSTACLE : obstacleOf(workspace, sources, problem, row);
    if (row === undefined || obstacle !== undefined) {
      remaining.push({ problem, reason: obstacle ?? DATABASE_OBSTACLE });
      continue;
    }
    const { name } = row;
    if (problem.kind === "files") targets.set(name, { kind: "name", name, version: undefined, reinstall: true });
    else if (!targets.has(name)) targets.set(name, { kind: "name", name, version: undefined });
  }
  return { targets: [...targets.values()], strays, remaining };
}

const DATABASE_OBSTACLE = "the database is never edited silently; restore a backup of it";

function nameIn(problem: CheckProblem): string | undefined {
  if (problem.kind === "files") return problem.problem.package;
  return problem.kind === "deps" || problem.kind === "conflict" ? problem.package : undefined;
}

/** Why a finding about a package cannot be cured; `undefined`: it can. */
function obstacleOf(
  workspace: Workspace,
  sources: Map<string, string | undefined>,
  problem: CheckProblem,
  row: InstalledPackage,
): string | undefined {
  if (problem.kind === "deps") return undefined;
  if (problem.kind === "conflict") return "remove one of the two";
  if (problem.kind !== "files") return DATABASE_OBSTACLE;
  const { object, path, kind } = problem.problem;
  if (object === "claim-link") return "run 'peipkg claim --reconcile'";
  if (object === "file" && kind === "modified" && isConfigPath(path)) return "it is a configuration file";
  if (!sources.has(row.name)) sources.set(row.name, missingSource(workspace, row));
  return sources.get(row.name);
}

function missingSource(workspace: Workspace, { name, version, origin }: InstalledPackage): string | undefined {
  if (origin === undefined) return "it came from a local file; install that file again";
  const isOffered = searchCatalogue(workspace, name, { fields: "name", match: "exact" })
    .some((offer) => offer.repository === origin && offer.version === version.raw);
  return isOffered ? undefined : `${origin} no longer offers ${name} ${version.raw}; upgrade it`;
}
