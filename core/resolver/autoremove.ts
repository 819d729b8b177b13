/** Which automatically installed packages nothing needs any more (S-REASON-05). */
import type { PackageName } from "../identity/package_name.ts";
import type { InstalledSource, ResolutionProblem } from "./problem.ts";
import type { Plan } from "./plan.ts";

export interface UnusedOptions {
  readonly critical: readonly string[];
  /** Packages that hold a role (S-REASON-05). */
  readonly roleHolders: readonly string[];
  /** Counted as needed (`--keep`). */
  readonly keep: readonly string[];
  /** Optional dependencies do not count as needed (`--ignore-optional`). */
  readonly ignoreOptional: boolean;
}

/**
 * Lists the automatic packages not reachable from explicit, critical, held or role-holding ones, ascending.
 *
 * @see S-REASON-05, C-AUTOREMOVE-01
 */
export declare function unusedPackages(installed: InstalledSource, options: UnusedOptions): readonly PackageName[];

/**
 * Lists what would be unused after a plan and was not before: the names to add as `remove` requests for
 * `--autoremove`.
 */
export declare function unusedAfter(
  problem: ResolutionProblem,
  plan: Plan,
  options: UnusedOptions,
): readonly PackageName[];
