/**
 * Looks for everything that can be wrong with an installation: relations between packages, files, the database, and
 * objects nobody accounts for. One damaged record does not end the search; it is one of the findings. Nothing is
 * changed here; `repair.ts` says what can be done about it.
 */
import { PeipkgError } from "../errors.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { findBreakage } from "../resolver/breakage.ts";
import type { InstalledPackage as InstalledFacts } from "../resolver/problem.ts";
import { findInconsistencies } from "../store/consistency.ts";
import type { Database } from "../store/database.ts";
import {
  type InstalledPackage,
  type PackageRelation,
  readInstalledPackages,
  readRelations,
} from "../store/installed.ts";
import type { Manifest } from "../format/manifest.ts";
import { readInstalledManifest } from "./installed_set.ts";
import { selectNames } from "./patterns.ts";
import { findStrays } from "./strays.ts";
import { verifyInstalled, type VerifyProblem } from "./verify.ts";
import type { Workspace } from "./workspace.ts";

/** What is looked at (C-CHECK-01). */
export interface CheckRequest {
  readonly deps: boolean;
  readonly files: boolean;
  readonly database: boolean;
  readonly stray: boolean;
  /** Files: presence only; database: no comparison of indexes. */
  readonly quick: boolean;
  /** Names or patterns; empty: every package. The database and strays are always looked at as a whole. */
  readonly names: readonly string[];
}

/** One finding. Strings are unescaped. */
export type CheckProblem =
  | {
    readonly kind: "deps";
    readonly package: string;
    /** Name and constraint of the entry that nothing installed meets. */
    readonly requirement: string;
    /** The entry's name. */
    readonly name: string;
    /** Version of an installed package of that name, which does not fit. */
    readonly installed: string | undefined;
  }
  | { readonly kind: "conflict"; readonly package: string; readonly other: string }
  | { readonly kind: "files"; readonly problem: VerifyProblem }
  | {
    readonly kind: "database";
    readonly text: string;
    readonly package: string | undefined;
    readonly path: string | undefined;
  }
  | {
    readonly kind: "stray";
    readonly path: string;
    /** Transaction that left it; `undefined`: a file that belongs to no package. */
    readonly transaction: number | undefined;
  };

/**
 * Checks an installation.
 *
 * @returns Findings in the order deps, conflict, files, database, stray; within each by package, then path.
 * @throws {PeipkgError} `not-installed` before anything is checked, `interrupted`, `database` when the database cannot
 *   be opened at all
 * @see C-CHECK-01
 */
export async function checkInstallation(workspace: Workspace, request: CheckRequest): Promise<readonly CheckProblem[]> {
  const found = workspace.read((database) => checkRecords(workspace, database, request));
  const files = request.files && !found.isUnreadable
    ? (await verifyInstalled(workspace, request.names, { presenceOnly: request.quick })).problems
    : [];
  const strays = request.stray && !found.isUnreadable
    ? workspace.read((database) => database === undefined ? [] : findStrays(workspace, database))
    : [];
  return [
    ...found.relations,
    ...files.map((problem): CheckProblem => ({ kind: "files", problem })),
    ...found.database,
    ...strays.map((stray): CheckProblem => ({ kind: "stray", ...stray })),
  ];
}

interface RecordFindings {
  readonly relations: readonly CheckProblem[];
  readonly database: readonly CheckProblem[];
  /** The rows of packages themselves cannot be read: nothing that rests on them can be looked at. */
  readonly isUnreadable: boolean;
}

const NOTHING: RecordFindings = { relations: [], database: [], isUnreadable: false };

function checkRecords(workspace: Workspace, database: Database | undefined, request: CheckRequest): RecordFindings {
  if (database === undefined) {
    selectNames([], request.names);
    return NOTHING;
  }
  const faults: CheckProblem[] = [];
  const attempt = <Result>(work: () => Result): Result | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof PeipkgError) || error.code !== "database") throw error;
      faults.push(databaseProblem(error.message, error.detail.package));
      return undefined;
    }
  };
  if (request.database) {
    for (const { text, package: name, path } of attempt(() => findInconsistencies(database, request.quick)) ?? []) {
      faults.push({ kind: "database", text, package: name, path });
    }
  }
  const installed = attempt(() => readInstalledPackages(database));
  if (installed === undefined) return { ...NOTHING, database: faults, isUnreadable: true };
  const chosen = new Set<string>(selectNames(installed.map(({ name }) => name), request.names));
  const readable = request.deps || request.database
    ? readManifests(workspace, database, installed, attempt)
    : new Map<string, Recorded>();
  if (request.database) faults.push(...disagreements(database, readable, chosen, attempt));
  const relations = request.deps ? brokenRelations(readable, chosen) : [];
  // Without --database a damaged record is told all the same: what rests on it could not be checked.
  return { relations, database: faults, isUnreadable: false };
}

function databaseProblem(text: string, name?: string, path?: string): CheckProblem {
  return { kind: "database", text, package: name, path };
}

/** A package with its manifest: what it says of itself, whatever the rows derived from it say. */
interface Recorded {
  readonly row: InstalledPackage;
  readonly manifest: Manifest;
}

function readManifests(
  workspace: Workspace,
  database: Database,
  installed: readonly InstalledPackage[],
  attempt: <Result>(work: () => Result) => Result | undefined,
): ReadonlyMap<string, Recorded> {
  const readable = new Map<string, Recorded>();
  for (const row of installed) {
    const manifest = attempt(() => readInstalledManifest(database, row.name, workspace.settings.layout));
    if (manifest !== undefined) readable.set(row.name, { row, manifest });
  }
  return readable;
}

/** Columns are derived from the manifest (T-DB-19); the manifest is right. */
function disagreements(
  database: Database,
  readable: ReadonlyMap<string, Recorded>,
  chosen: ReadonlySet<string>,
  attempt: <Result>(work: () => Result) => Result | undefined,
): readonly CheckProblem[] {
  const found: CheckProblem[] = [];
  for (const { row, manifest } of readable.values()) {
    if (!chosen.has(row.name)) continue;
    const differs = (field: string): number =>
      found.push(databaseProblem(`the ${field} recorded for ${row.name} differs from its manifest`, row.name));
    if (manifest.name !== row.name) differs("name");
    if (manifest.version.raw !== row.version.raw) differs("version");
    if (manifest.architecture !== row.architecture) differs("architecture");
    const relations = attempt(() => readRelations(database, row.name));
    if (relations !== undefined && relationText(relations) !== relationText(relationsOf(manifest))) {
      differs("list of relations");
    }
  }
  return found;
}

function relationsOf(manifest: Manifest): readonly PackageRelation[] {
  const of = (kind: PackageRelation["kind"], entries: readonly { readonly name: string }[]) =>
    entries.map(({ name }) => ({ kind, name }));
  return [
    ...of("dependency", manifest.dependencies),
    ...of("optional", manifest.optionalDependencies),
    ...of("conflict", manifest.conflicts),
    ...of("provides", manifest.provides),
    ...of("replaces", manifest.replaces),
  ];
}

function relationText(relations: readonly PackageRelation[]): string {
  return [...new Set(relations.map(({ kind, name }) => `${kind} ${name}`))].sort(compareBytes).join("\n");
}

function brokenRelations(
  readable: ReadonlyMap<string, Recorded>,
  chosen: ReadonlySet<string>,
): readonly CheckProblem[] {
  const facts = new Map([...readable].map(([name, recorded]) => [name, factsOf(recorded)]));
  const providers = providersByName(facts.values());
  const get = (name: string): InstalledFacts | undefined => facts.get(name);
  const breakage = findBreakage({
    get,
    names: () => [...facts.keys()],
    providersOf: (name) => providers.get(name) ?? [],
    dependentsOn: () => [],
    optionalDependentsOn: () => [],
    conflictingWith: () => [],
    replacersOf: () => [],
  });
  const broken: CheckProblem[] = [];
  const conflicts: CheckProblem[] = [];
  for (const { kind, package: name, entry, with: other } of breakage) {
    if (!chosen.has(name) && (other === undefined || !chosen.has(other))) continue;
    if (kind === "conflict" && other !== undefined) {
      const [first = "", second = ""] = [name, other].sort(compareBytes);
      const isKnown = conflicts.some((known) =>
        known.kind === "conflict" && known.package === first && known.other === second
      );
      if (!isKnown) conflicts.push({ kind: "conflict", package: first, other: second });
      continue;
    }
    broken.push(...unmet(get(name), entry, get(entry)));
  }
  return [...broken, ...conflicts];
}

function factsOf({ row, manifest }: Recorded): InstalledFacts {
  const { name, version, architecture, origin, reason, isHeld } = row;
  const { dependencies, optionalDependencies, conflicts, provides, replaces } = manifest;
  return {
    name,
    version,
    architecture,
    origin,
    reason,
    held: isHeld,
    dependencies,
    optionalDependencies,
    conflicts,
    provides,
    replaces,
  };
}

/** The relation rows are among what is checked, so providers are found by the manifests themselves. */
function providersByName(packages: Iterable<InstalledFacts>): ReadonlyMap<string, readonly InstalledFacts[]> {
  const providers = new Map<string, InstalledFacts[]>();
  for (const item of packages) {
    for (const { name } of item.provides) {
      const known = providers.get(name);
      if (known === undefined) providers.set(name, [item]);
      else if (known.at(-1) !== item) known.push(item);
    }
  }
  return providers;
}

function unmet(
  item: InstalledFacts | undefined,
  entry: string,
  installed: InstalledFacts | undefined,
): readonly CheckProblem[] {
  if (item === undefined) return [];
  return item.dependencies.filter(({ name }) => name === entry).map(({ name, constraint }) => ({
    kind: "deps",
    package: item.name,
    requirement: constraint === undefined ? name : `${name} ${constraint.raw}`,
    name,
    installed: installed?.version.raw,
  }));
}
