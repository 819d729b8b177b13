/**
 * The resolver's door. Pure and synchronous: no clock, no store, no network, no iteration whose order depends on
 * anything but the names and versions themselves (S-DET-01).
 */
import type { Rejection } from "./derivation.ts";
import type { Plan } from "./plan.ts";
import type { ResolutionProblem } from "./problem.ts";

/**
 * Finds the one plan the specification fixes for a problem, or the proof that there is none.
 *
 * @see S-SEARCH-09, S-SEARCH-10, S-DET-01, S-BOUND-01
 */
export declare function solve(problem: ResolutionProblem): Plan | Rejection;
