/**
 * What is installed, as reading commands show it. Listing reads columns only: no manifest is parsed, so that the
 * answer costs what it prints. What needs manifests or catalogues is in `inspect.ts`.
 */
import { PeipkgError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { type Annotation, readAnnotations } from "../store/annotations.ts";
import {
  type FileType,
  findOwnersLike,
  type InstalledFile,
  type ListedPackage,
  type PackageColumns,
  readFiles,
  readOwners,
  readPackageLines,
  readPackageListing,
  readUnneededNames,
  requireInstalledPackage,
} from "../store/installed.ts";
import { readClaimLinkAt } from "../store/roles.ts";
import type { RootDirectory } from "../system.ts";
import { openOrphanTest } from "./orphans.ts";
import { selectNames } from "./patterns.ts";
import type { Workspace } from "./workspace.ts";

/** One line of a listing. */
export interface PackageLine {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Repository handle; `undefined`: a local file. */
  readonly origin: string | undefined;
  /** No repository to trust for it is configured any more (R-ORPH-01). */
  readonly isOrphaned: boolean;
  /** Seconds since the epoch. */
  readonly installedAt: number;
  readonly isAutomatic: boolean;
  readonly isLocked: boolean;
}

/** An installed package in short (`Package` of cli.md 6.2). */
export interface PackageSummary extends PackageLine {
  readonly description: string;
  readonly sizeInstalledBytes: number;
}

/** Filters of `list`; all that are set must hold (C-LIST-03). */
export interface ListFilters {
  /** `manual` or `auto`. */
  readonly mark?: "manual" | "auto";
  readonly locked?: boolean;
  readonly orphaned?: boolean;
  /** Only packages no other installed package needs. */
  readonly leaves?: boolean;
  /** Names or glob patterns; empty: every package. */
  readonly patterns?: readonly string[];
}

/** Who owns a path (C-OWNS). */
export interface PathOwnership {
  /** Logical path the answer is about: the one asked for, or where its links lead. */
  readonly path: string;
  /** By name; several only for a directory. */
  readonly owners: readonly { readonly package: string; readonly type: FileType }[];
  /** The path is a claim link (C-OWNS-04). */
  readonly claim: { readonly role: string; readonly holder: string } | undefined;
}

/** Links followed at most while resolving parents, as the kernel does. */
const MAX_LINKS = 40;

/**
 * Lists installed packages by name.
 *
 * @throws {PeipkgError} `not-installed` when a pattern matches nothing.
 * @see C-LIST-01, C-LIST-03, R-ORPH-02
 */
export function listPackages(workspace: Workspace, filters: ListFilters = {}): readonly PackageLine[] {
  return choosePackages(workspace, filters, readPackageLines, lineOf);
}

/** As `listPackages()`, with what manifests say; twice the work. */
export function summarisePackages(workspace: Workspace, filters: ListFilters = {}): readonly PackageSummary[] {
  return choosePackages(workspace, filters, readPackageListing, summaryOf);
}

function choosePackages<Item extends PackageColumns, Line extends PackageLine>(
  workspace: Workspace,
  filters: ListFilters,
  readItems: (database: Database) => readonly Item[],
  lineOf: (item: Item, isOrphaned: boolean) => Line,
): readonly Line[] {
  return workspace.read((database) => {
    const listed = database === undefined ? [] : readItems(database);
    const wanted = new Set(selectNames(listed.map(({ name }) => name), filters.patterns ?? []));
    if (database === undefined) return [];
    const unneeded = filters.leaves === true ? readUnneededNames(database) : undefined;
    const isOrphaned = openOrphanTest(workspace, database);
    return listed
      .filter((item) => wanted.has(item.name) && hasMarks(item, filters) && unneeded?.has(item.name) !== false)
      .map((item) => lineOf(item, isOrphaned(item.origin)))
      .filter((item) => filters.orphaned === undefined || item.isOrphaned === filters.orphaned);
  });
}

function lineOf(item: PackageColumns, isOrphaned: boolean): PackageLine {
  return {
    name: item.name,
    version: item.version,
    architecture: item.architecture,
    origin: item.origin,
    isOrphaned,
    installedAt: item.installedAt,
    isAutomatic: item.reason === "dependency",
    isLocked: item.isHeld,
  };
}

/** Builds the summary of one package. */
export function summaryOf(item: ListedPackage, isOrphaned: boolean): PackageSummary {
  return {
    ...lineOf(item, isOrphaned),
    description: item.description,
    sizeInstalledBytes: item.sizeInstalledBytes,
  };
}

function hasMarks(item: PackageColumns, filters: ListFilters): boolean {
  const isWanted = filters.mark === undefined || (filters.mark === "auto") === (item.reason === "dependency");
  return isWanted && (filters.locked === undefined || filters.locked === item.isHeld);
}

/**
 * Lists the paths of a package in byte order.
 *
 * @throws {PeipkgError} `not-installed`
 * @see C-FILES-01, C-FILES-03, C-TXN-05
 */
export function packageFiles(workspace: Workspace, name: string, type?: FileType): readonly InstalledFile[] {
  return workspace.read((database) => {
    requireInstalledPackage(database, name);
    const files = database === undefined ? [] : readFiles(database, name);
    return type === undefined ? files : files.filter((file) => file.type === type);
  });
}

/**
 * Finds who owns a path, or holds the claim link there.
 *
 * @param path As typed.
 * @param workingDirectory Where a relative path begins when the root is `/`; otherwise it begins at the root.
 * @throws {PeipkgError} `not-owned` when nobody does.
 * @see C-OWNS-01, C-OWNS-02, C-OWNS-04
 */
export function ownersOf(workspace: Workspace, path: string, workingDirectory: string): PathOwnership {
  const base = workspace.isSystemRoot ? workingDirectory : "/";
  const asked = foldPath(path.startsWith("/") ? path : `${base}/${path}`);
  const found = workspace.read((database) => {
    if (database === undefined) return undefined;
    const direct = ownershipAt(database, asked);
    if (direct !== undefined) return direct;
    const resolved = resolveParents(workspace.root, asked);
    return resolved === undefined || resolved === asked ? undefined : ownershipAt(database, resolved);
  });
  if (found !== undefined) return found;
  // The one failure `owns` reports by itself: no rule names it.
  throw new PeipkgError("not-owned", `no package owns "${path}"`, { path: asked });
}

/**
 * Finds the owners of every recorded path that matches a glob pattern (C-OWNS-03).
 *
 * @returns By path, then package.
 */
export function ownersLike(
  workspace: Workspace,
  pattern: string,
): readonly { readonly path: string; readonly package: string }[] {
  return workspace.read((database) => database === undefined ? [] : findOwnersLike(database, pattern));
}

/** Annotations of all packages or of one, by package and tag (C-ANNOTATE-01). */
export function listAnnotations(
  workspace: Workspace,
  filters: { readonly patterns?: readonly string[]; readonly tag?: string } = {},
): readonly Annotation[] {
  return workspace.read((database) => {
    const names = database === undefined ? [] : readPackageLines(database).map(({ name }) => name);
    const wanted = new Set<string>(selectNames(names, filters.patterns ?? []));
    const all = database === undefined ? [] : readAnnotations(database);
    return all.filter((item) => wanted.has(item.package) && (filters.tag === undefined || item.tag === filters.tag));
  });
}

function ownershipAt(database: Database, path: string): PathOwnership | undefined {
  const owners = readOwners(database, path);
  if (owners.length > 0) return { path, owners, claim: undefined };
  const claim = readClaimLinkAt(database, path);
  return claim === undefined ? undefined : { path, owners: [], claim: { role: claim.link.role, holder: claim.holder } };
}

/** Folds `.`, `..` and repeated slashes of an absolute path by its text alone; `..` stops at the root. */
export function foldPath(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/**
 * Follows links among the parents of a path, inside the root: an absolute link begins at the root, `..` stops there.
 * The only place that follows links below a root, and it reads nothing but the links.
 *
 * @returns `undefined` when a parent does not exist or links run in circles.
 */
function resolveParents(root: RootDirectory, path: string): string | undefined {
  const pending = path.slice(1).split("/").reverse();
  const resolved: string[] = [];
  let links = 0;
  for (;;) {
    const name = pending.pop();
    if (name === undefined) return `/${resolved.join("/")}`;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      resolved.pop();
      continue;
    }
    if (pending.length === 0) return `/${[...resolved, name].join("/")}`; // the object itself is not followed
    const parent = readParent(root, resolved, name);
    if (parent === undefined) return undefined;
    const { target } = parent;
    if (target === undefined) {
      resolved.push(name);
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    if (target.startsWith("/")) resolved.length = 0;
    pending.push(...target.split("/").reverse());
  }
}

/** Text of the link `name` in a directory, if it is one; `undefined` when there is no such object. */
function readParent(
  root: RootDirectory,
  parent: readonly string[],
  name: string,
): { readonly target: string | undefined } | undefined {
  using directory = root.openDirectory(`/${parent.join("/")}`);
  const status = directory?.status(name);
  if (directory === undefined || status === undefined) return undefined;
  return { target: status.type === "symlink" ? directory.readLink(name) : undefined };
}
