/** What the configured repositories may do with security descriptors, for the transaction that has some. */
import { readSdOverrides } from "../store/roles.ts";
import type { Database } from "../store/database.ts";
import type { ContentSource, RepositoryDescriptorTrust } from "../transaction/input.ts";
import { configuredRepositories } from "./refresh.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Reads `allow_sd_overrides` and `sd_allowed_sids` of every repository. A change without descriptors, declared or
 * recorded, looks at no repository: removing works with unusable ones too (C-REMOVE-06).
 *
 * @see A-SDP-03, A-SDP-05
 */
export function readDescriptorTrust(
  workspace: Workspace,
  database: Database,
  contents: Iterable<ContentSource>,
): ReadonlyMap<string, RepositoryDescriptorTrust> {
  const arriving = [...contents];
  const isConcerned = arriving.length > 0 &&
    (arriving.some(({ manifest }) => manifest.sdOverrides.length > 0) || readSdOverrides(database).length > 0);
  if (!isConcerned) return new Map();
  return new Map(
    configuredRepositories(workspace).map(({ handle, official, allowSdOverrides, sdAllowedSids }) => [
      handle,
      { isOfficial: official, isAllowed: allowSdOverrides, allowedSids: sdAllowedSids },
    ]),
  );
}
