/** Why a package is installed: chains from explicit packages to it (C-WHY-01). */
import type { PackageName } from "../identity/package_name.ts";
import type { InstalledSource } from "./problem.ts";

/** One step of a chain: how the package before it needs this one. */
export interface WhyLink {
  readonly name: PackageName;
  /** Reached over an optional dependency. */
  readonly optional: boolean;
  /** Name of the provides entry that satisfies, when it is not the package's own name. */
  readonly capability: string | undefined;
}

/**
 * Finds, for each explicit package that leads to `name`, the shortest chain from it to `name`.
 *
 * @param limit Chains returned at most, shortest first, then by name.
 * @returns Each chain starts with the explicit package and ends with `name`.
 */
export declare function whyInstalled(
  installed: InstalledSource,
  name: PackageName,
  limit: number,
): readonly (readonly WhyLink[])[];
