/**
 * What can be fuzzed. A room adds a module that exports its targets and a line in `TARGETS`; the runner knows nothing
 * else about parsers.
 */
import { FORMAT_TARGETS } from "./format_targets.ts";
import { REPOSITORY_TARGETS } from "./repository_targets.ts";
import type { FuzzTarget } from "./target.ts";

/** Every parser that reads bytes it does not trust. */
export const TARGETS: readonly FuzzTarget[] = [...FORMAT_TARGETS, ...REPOSITORY_TARGETS];
