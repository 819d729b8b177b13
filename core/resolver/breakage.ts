/** What is broken in an installed set before anything is planned (S-SEARCH-07). */
import type { Breakage, InstalledSource } from "./problem.ts";

/** Finds every unsatisfied dependency and active conflict of the whole set, by package name, then entry. */
export declare function findBreakage(installed: Omit<InstalledSource, "breakage">): readonly Breakage[];
