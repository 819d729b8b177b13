/**
 * What this program was built from. Source runs read the version from `deno.json`; `build.ts` replaces this whole
 * file in its staging copy, so that an executable carries version, commit and form as constants.
 */
import project from "../deno.json" with { type: "json" };

export interface BuildInfo {
  /** Of the product, `0.1.0`. */
  readonly version: string;
  /** Full commit id, with `-modified` when the tree was not clean; `undefined` in source runs. */
  readonly commit: string | undefined;
  /** Seconds since the epoch of that commit; `undefined` in source runs. */
  readonly builtAt?: number;
  readonly form: "source" | "compiled" | "self-extracting";
}

export const BUILD_INFO: BuildInfo = { version: project.version, commit: undefined, form: "source" };

/**
 * Variable in which the head of a self-extracting executable names the file that was started, since the process
 * itself runs the extracted runtime. Not spelled `PEIPKG_…`, which would make it a configuration key (C-CONF-12).
 */
export const PROGRAM_VARIABLE = "_PEIPKG_PROGRAM";
