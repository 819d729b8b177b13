/**
 * A repository file given by the operator instead of lying in the configuration directory: what an installer brings
 * along for a root that has no configuration. It says what is wanted; trust comes from the same ceremony as ever.
 */
import { parseHandle, parseRepositoryFile, type RepositoryConfiguration } from "../config/repo_file.ts";
import { CONFIGURATION_BYTES } from "../config/toml.ts";
import { PeipkgError } from "../errors.ts";
import type { Session } from "../system.ts";
import { readNamedFile } from "./named_files.ts";

const SUFFIX = ".repo";

/**
 * Reads a repository file; its name without `.repo` is the repository's.
 *
 * @param path As the operator wrote it.
 * @throws {PeipkgError} `usage` when the name does not end in `.repo`, `repo-config`, `io`, `denied`
 * @see R-CONF-01, R-CONF-02
 */
export function readRepositorySeed(session: Session, path: string): RepositoryConfiguration {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (!name.endsWith(SUFFIX)) {
    throw new PeipkgError("usage", `cannot use "${path}": a repository file is named NAME${SUFFIX}`);
  }
  const handle = parseHandle(name.slice(0, -SUFFIX.length));
  return parseRepositoryFile(handle, readNamedFile(session, path, CONFIGURATION_BYTES), path);
}
