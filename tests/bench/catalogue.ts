/** Search and planning in a repository of 60,000 packages. */
import type { Program } from "./peers/peipkg.ts";
import type { Medium } from "./root.ts";
import type { Context } from "./scenarios.ts";

export async function runCatalogue(
  _c: Context,
  _m: readonly Medium[],
  _p: Program | undefined,
  _r: number,
): Promise<void> {}
