/**
 * Packages as records whose every field can be asked for: what `query` and `rquery` print and compare. Columns come
 * with the listing; manifests, files and libraries are read only when a field needs them, so that a query costs what
 * it asks. Records are valid within the run that made them.
 */
import { PeipkgError } from "../errors.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Relations } from "../format/relations.ts";
import { parseConstraint, satisfiesConstraint } from "../identity/constraint.ts";
import { parseProvidedVersion } from "../identity/version.ts";
import { readEntryDetails } from "../repository/index.ts";
import type { CataloguePackage } from "../store/catalogue.ts";
import type { Database } from "../store/database.ts";
import { readAnnotations } from "../store/annotations.ts";
import { type ListedPackage, readFiles, readPackageListing } from "../store/installed.ts";
import { readHeldRoles } from "../store/roles.ts";
import { inspectPackage } from "./build_packages.ts";
import { type AvailablePackage, describeOffer, profileOf, requiredBy } from "./inspect.ts";
import { chooseRepositories, findOffers, usableRepositories } from "./search.ts";
import { InstalledSet, readInstalledManifest } from "./installed_set.ts";
import { LibraryReader } from "./libraries.ts";
import { matchesPattern, selectNames } from "./patterns.ts";
import type { Workspace } from "./workspace.ts";

/** Lists a record can have. */
export type RecordList =
  | "dependencies"
  | "dependents"
  | "optional"
  | "conflicts"
  | "replaces"
  | "provides"
  | "files"
  | "directories"
  | "roles"
  | "provided-libraries"
  | "required-libraries"
  | "annotations";

/** One element of a list: `name` with `version`, or `path` with `type`, `hash` and `target`, or `tag` with `value`. */
export type RecordItem = Readonly<Record<string, string>>;

/** What only installed packages have. */
export interface InstalledFacts {
  /** Seconds since the epoch. */
  readonly installedAt: number;
  readonly isAutomatic: boolean;
  readonly isLocked: boolean;
}

export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Origin of an installed package, repository of an offered one; `undefined`: a local file. */
  readonly repository: string | undefined;
  readonly description: string;
  readonly sizeInstalledBytes: number;
  /** `undefined`: it is not downloaded from anywhere. */
  readonly sizeDownloadBytes: number | undefined;
  readonly installed: InstalledFacts | undefined;
  readonly license: string;
  readonly homepage: string;
  /** Elements of a list; one the record cannot have is empty. */
  list(kind: RecordList): readonly RecordItem[];
}

/** An offered record, with what a listing of offers shows. */
export interface OfferedRecord extends PackageRecord {
  offer(): AvailablePackage;
}

const CURRENT = { fields: "name", match: "glob" } as const;

/**
 * Records of installed packages, by name.
 *
 * @param names Names or patterns; empty: every package.
 * @throws {PeipkgError} `not-installed`
 * @see C-QUERY-01
 */
export function installedRecords(workspace: Workspace, names: readonly string[]): readonly PackageRecord[] {
  return workspace.read((database) => {
    const listed = database === undefined ? [] : readPackageListing(database);
    const chosen = new Set<string>(selectNames(listed.map(({ name }) => name), names));
    if (database === undefined) return [];
    const set = new InstalledSet(database, profileOf(workspace));
    return listed.filter(({ name }) => chosen.has(name))
      .map((item) => new InstalledRecord(workspace, database, set, item));
  });
}

/**
 * Records of what repositories offer, by repository order, name, newest version.
 *
 * @param scope `repositories`: handles, empty for all enabled; `allVersions`: what only archives list, too.
 * @param names Names or patterns; empty: every package.
 * @throws {PeipkgError} `unresolvable` (`E_NO_CANDIDATE`) for an operand nothing answers to, `unknown-repository`
 * @see C-QUERY-01
 */
export function offeredRecords(
  workspace: Workspace,
  scope: { readonly repositories: readonly string[]; readonly allVersions: boolean },
  names: readonly string[],
): readonly OfferedRecord[] {
  const repositories = chooseRepositories(workspace, scope.repositories);
  const answered = new Set<string>();
  const isChosen = (name: string): boolean => {
    const operands = names.filter((operand) => operand === name || matchesPattern(operand, name));
    for (const operand of operands) answered.add(operand);
    return names.length === 0 || operands.length > 0;
  };
  const records = workspace.read((database) => {
    const usable = usableRepositories(workspace, database, repositories);
    if (database === undefined) return [];
    return usable
      .flatMap(({ handle }) => findOffers(database, handle, "*", { ...CURRENT, allVersions: scope.allVersions }))
      .filter(({ name }) => isChosen(name))
      .map((item) => new Offered(workspace, database, item));
  });
  const missing = names.find((operand) => !answered.has(operand));
  if (missing === undefined) return records;
  throw new PeipkgError("unresolvable", `no repository offers a package named "${missing}"`, {
    rule: "E_NO_CANDIDATE",
    reason: "no-candidate",
  });
}

/**
 * The record of a package file, which is checked in full.
 *
 * @throws {PeipkgError} As `inspectPackage()`
 */
export async function fileRecord(workspace: Workspace, path: string): Promise<PackageRecord> {
  const { manifest, entries, sizeCompressedBytes } = await inspectPackage(
    workspace.session,
    path,
    profileOf(workspace),
  );
  const files = entries.map((entry) => ({
    path: `/${entry.path}`,
    type: entry.type,
    hash: entry.hash ?? "",
    target: entry.target ?? "",
  }));
  return {
    name: manifest.name,
    version: manifest.version.raw,
    architecture: manifest.architecture,
    repository: undefined,
    description: manifest.description,
    sizeInstalledBytes: manifest.sizeInstalledBytes,
    sizeDownloadBytes: sizeCompressedBytes,
    installed: undefined,
    license: manifest.license,
    homepage: manifest.homepage,
    list(kind) {
      if (kind === "files") return files.filter(({ type }) => type !== "dir");
      if (kind === "directories") return files.filter(({ type }) => type === "dir");
      return relationItems(manifest, kind);
    },
  };
}

/**
 * A test of version texts by their order, for expressions.
 *
 * @param operator `<`, `<=`, `>` or `>=`
 * @param version Without a revision, revisions are not compared (F-CON-05).
 * @throws {PeipkgError} `format` when it is no version
 */
export function versionTest(operator: string, version: string): (text: string) => boolean {
  parseProvidedVersion(version); // a comma would make two terms of it
  const constraint = parseConstraint(`${operator} ${version}`);
  return (text) => satisfiesConstraint(constraint, parseProvidedVersion(text));
}

function relationItems(relations: Relations, kind: RecordList): readonly RecordItem[] {
  const entries = (
    list: readonly { readonly name: string; readonly constraint: { readonly raw: string } | undefined }[],
  ): readonly RecordItem[] => list.map(({ name, constraint }) => ({ name, version: constraint?.raw ?? "" }));
  switch (kind) {
    case "dependencies":
      return entries(relations.dependencies);
    case "optional":
      return entries(relations.optionalDependencies);
    case "conflicts":
      return entries(relations.conflicts);
    case "replaces":
      return entries(relations.replaces);
    case "provides":
      return relations.provides.map(({ name, version }) => ({ name, version: version?.raw ?? "" }));
    default:
      return [];
  }
}

class InstalledRecord implements PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly repository: string | undefined;
  readonly description: string;
  readonly sizeInstalledBytes: number;
  readonly sizeDownloadBytes = undefined;
  readonly installed: InstalledFacts;
  readonly #lists = new Map<RecordList, readonly RecordItem[]>();
  #manifest: Manifest | undefined;

  constructor(
    private readonly workspace: Workspace,
    private readonly database: Database,
    private readonly set: InstalledSet,
    item: ListedPackage,
  ) {
    this.name = item.name;
    this.version = item.version;
    this.architecture = item.architecture;
    this.repository = item.origin;
    this.description = item.description;
    this.sizeInstalledBytes = item.sizeInstalledBytes;
    this.installed = {
      installedAt: item.installedAt,
      isAutomatic: item.reason === "dependency",
      isLocked: item.isHeld,
    };
  }

  get license(): string {
    return this.#readManifest().license;
  }

  get homepage(): string {
    return this.#readManifest().homepage;
  }

  list(kind: RecordList): readonly RecordItem[] {
    const known = this.#lists.get(kind);
    if (known !== undefined) return known;
    const items = this.#read(kind);
    this.#lists.set(kind, items);
    return items;
  }

  #read(kind: RecordList): readonly RecordItem[] {
    const { database, name } = this;
    switch (kind) {
      case "files":
      case "directories":
        return readFiles(database, name).filter(({ type }) => (type === "dir") === (kind === "directories"))
          .map(({ path, type, hash = "", target = "" }) => ({ path, type, hash, target }));
      case "dependents":
        return requiredBy(this.set, name).map((other) => ({
          name: other,
          version: this.set.get(other)?.version.raw ?? "",
        }));
      case "roles":
        return readHeldRoles(database, name).map((role) => ({ name: role }));
      case "annotations":
        return readAnnotations(database, name).map(({ tag, value }) => ({ tag, value }));
      case "provided-libraries":
      case "required-libraries":
        return this.#readLibraries(kind);
      default:
        return relationItems(this.#readManifest(), kind);
    }
  }

  #readLibraries(kind: "provided-libraries" | "required-libraries"): readonly RecordItem[] {
    using reader = new LibraryReader(this.workspace.root);
    const { provides, requires } = reader.readPackage(this.database, this.name);
    const items = (names: readonly string[]) => names.map((name) => ({ name }));
    this.#lists.set("provided-libraries", items(provides));
    this.#lists.set("required-libraries", items(requires));
    return items(kind === "provided-libraries" ? provides : requires);
  }

  #readManifest(): Manifest {
    this.#manifest ??= readInstalledManifest(this.database, this.name, profileOf(this.workspace));
    if (this.#manifest !== undefined) return this.#manifest;
    throw new PeipkgError("internal", `the record of "${this.name}" went away inside one snapshot`);
  }
}

class Offered implements OfferedRecord {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly repository: string;
  readonly description: string;
  readonly sizeInstalledBytes: number;
  readonly sizeDownloadBytes: number;
  readonly installed = undefined;
  #details: ReturnType<typeof readEntryDetails> | undefined;

  constructor(
    private readonly workspace: Workspace,
    private readonly database: Database,
    private readonly item: CataloguePackage,
  ) {
    this.name = item.name;
    this.version = item.version;
    this.architecture = item.architecture;
    this.repository = item.repository;
    this.description = item.description;
    this.sizeInstalledBytes = item.sizeInstalledBytes;
    this.sizeDownloadBytes = item.sizeCompressedBytes;
  }

  get license(): string {
    return this.#readDetails().license;
  }

  get homepage(): string {
    return this.#readDetails().homepage;
  }

  list(kind: RecordList): readonly RecordItem[] {
    return relationItems(this.#readDetails(), kind);
  }

  offer(): AvailablePackage {
    return describeOffer(this.database, this.item, profileOf(this.workspace));
  }

  #readDetails(): ReturnType<typeof readEntryDetails> {
    return this.#details ??= readEntryDetails(this.item.entry, profileOf(this.workspace));
  }
}
