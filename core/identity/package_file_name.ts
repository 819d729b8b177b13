/** Names of package files: `<name>_<version>_<architecture>.peipkg` (F-FILE-01, F-FILE-02). */
import { excerpt, PeipkgError, ruleError } from "../errors.ts";
import { type Architecture, parseArchitecture } from "./architecture.ts";
import { type PackageName, parsePackageName } from "./package_name.ts";
import { parseVersion, type Version } from "./version.ts";

/** What a file name says about a package. It is never trusted: identity comes from the manifest (F-FILE-03). */
export interface PackageFileName {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
}

/** The extension every package file carries. */
export const PACKAGE_FILE_SUFFIX = ".peipkg";

/** Writes the file name of a package; an epoch's colon appears literally (F-FILE-01). */
export function formatPackageFileName(name: string, version: string, architecture: string): string {
  return `${name}_${version}_${architecture}${PACKAGE_FILE_SUFFIX}`;
}

/**
 * Parses a package file's name, without any directory.
 *
 * @throws {PeipkgError} `format` (`E_FILENAME`)
 * @see F-FILE-02
 */
export function parsePackageFileName(text: string): PackageFileName {
  const stem = text.endsWith(PACKAGE_FILE_SUFFIX) ? text.slice(0, -PACKAGE_FILE_SUFFIX.length) : undefined;
  if (stem === undefined) throw badFileName(text, `it does not end in "${PACKAGE_FILE_SUFFIX}"`);
  const first = stem.indexOf("_");
  const second = first < 0 ? -1 : stem.indexOf("_", first + 1); // the architecture may hold more: x86_64
  if (second < 0) throw badFileName(text, "expected <name>_<version>_<architecture>");
  try {
    return {
      name: parsePackageName(stem.slice(0, first)),
      version: parseVersion(stem.slice(first + 1, second)),
      architecture: parseArchitecture(stem.slice(second + 1)),
    };
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    throw badFileName(text, cause.message);
  }
}

function badFileName(text: string, found: string): PeipkgError {
  const shown = excerpt(text);
  return ruleError("E_FILENAME", `cannot read package file name "${shown}": ${found}`);
}
