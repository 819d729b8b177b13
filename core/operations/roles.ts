/** Roles as reading commands show them: who holds one, where its links are, who could hold it. */
import { ruleError } from "../errors.ts";
import { parentPath } from "../transaction/names.ts";
import { relativeTarget } from "../transaction/claims.ts";
import { declarationsOf, type RoleDeclaration } from "../transaction/holders.ts";
import type { Database } from "../store/database.ts";
import { readClaimingPackages } from "../store/installed.ts";
import { readClaimLinks, readHolders } from "../store/roles.ts";
import { readInstalledManifest } from "./installed_set.ts";
import type { Workspace } from "./workspace.ts";

/** State of one claim path on disk (C-CMD-01). */
export type LinkStatus = "ok" | "missing" | "foreign" | "unfilled" | "volatile";

export interface RoleLink {
  readonly path: string;
  /** Logical path it leads to; `undefined`: the holder does not fill the slot (C-MAT-02). */
  readonly target: string | undefined;
  readonly slot: string;
  readonly status: LinkStatus;
}

export interface RoleDetail {
  readonly role: string;
  readonly holder: string | undefined;
  readonly links: readonly RoleLink[];
  /** Installed eligible providers, by name. */
  readonly providers: readonly string[];
  readonly consumers: readonly {
    readonly package: string;
    readonly slot: string;
    readonly path: string;
    readonly required: boolean;
  }[];
}

/** Every role known from installed manifests and records, by name (C-CMD-04). */
export function listRoles(workspace: Workspace): readonly RoleDetail[] {
  return workspace.read((database) => {
    if (database === undefined) return [];
    const declared = readDeclarations(workspace, database);
    const holders = new Map(readHolders(database).map(({ role, holder }) => [role, holder as string]));
    const roles = new Set([...declared.map(({ role }) => role), ...holders.keys()]);
    return [...roles].sort().map((role) => detailOf(workspace, database, role, holders.get(role), declared));
  });
}

/**
 * One role.
 *
 * @throws {PeipkgError} `unknown-role` (`CLAIM_UNKNOWN_ROLE`)
 * @see C-CMD-01, C-CLAIM-05
 */
export function roleDetail(workspace: Workspace, role: string): RoleDetail {
  const found = listRoles(workspace).find((item) => item.role === role);
  if (found !== undefined) return found;
  throw ruleError("CLAIM_UNKNOWN_ROLE", `no installed package provides, uses or holds the role "${role}"`);
}

function readDeclarations(workspace: Workspace, database: Database): readonly RoleDeclaration[] {
  return readClaimingPackages(database).flatMap((name) => {
    const manifest = readInstalledManifest(database, name, workspace.settings.layout);
    return manifest === undefined ? [] : declarationsOf(name, manifest);
  });
}

function detailOf(
  workspace: Workspace,
  database: Database,
  role: string,
  holder: string | undefined,
  declared: readonly RoleDeclaration[],
): RoleDetail {
  const own = declared.filter((entry) => entry.role === role);
  const recorded = readClaimLinks(database, role);
  const links: RoleLink[] = recorded.map(({ path, target, slot, isVolatile }) => ({
    path,
    target,
    slot,
    status: linkStatus(workspace, path, target, isVolatile),
  }));
  const paths = new Set(recorded.map(({ path }) => path));
  const consumers = own.filter((entry) => entry.target === undefined && entry.path !== undefined);
  for (const { path, slot } of consumers) {
    if (holder === undefined || path === undefined || paths.has(path)) continue;
    paths.add(path);
    links.push({ path, target: undefined, slot, status: "unfilled" });
  }
  return {
    role,
    holder,
    links,
    providers: [...new Set(own.filter(({ target }) => target !== undefined).map((entry) => entry.package))].sort(),
    consumers: consumers.map((entry) => ({
      package: entry.package,
      slot: entry.slot,
      path: entry.path ?? "",
      required: entry.isRequired,
    })),
  };
}

function linkStatus(workspace: Workspace, path: string, target: string, isVolatile: boolean): LinkStatus {
  using directory = workspace.root.openDirectory(parentPath(path));
  const name = path.slice(path.lastIndexOf("/") + 1);
  const status = directory?.status(name);
  if (directory === undefined || status === undefined) return isVolatile ? "volatile" : "missing";
  return status.type === "symlink" && directory.readLink(name) === relativeTarget(path, target) ? "ok" : "foreign";
}
