/**
 * Downloading without installing (C-FETCH-01): the files a later change will need, verified as that change would
 * verify them, into a directory or the package cache.
 */
import type { ByteSource } from "../format/package_file.ts";
import { formatPackageFileName } from "../identity/package_file_name.ts";
import { PeipkgError, RULE_REASONS, type UnresolvableReason } from "../errors.ts";
import { hostPath } from "../config/layout.ts";
import { createNamedDirectory, isNamedDirectory, openNamedDirectory, writeNamedFile } from "./named_files.ts";
import type { AcquiredPackage } from "../repository/acquire.ts";
import { hashFile, openByteSource } from "../repository/byte_source.ts";
import { downloadName } from "../repository/package_download.ts";
import type { Rejection } from "../resolver/derivation.ts";
import type { CandidateIdentity } from "../resolver/plan.ts";
import type { Directory } from "../system.ts";
import { acceptConfigurations, type Weakening } from "./accepted_configuration.ts";
import { reportAnswer, staleUseEvidence } from "./authorisations.ts";
import { acquirePlanned, type Available, loadAvailable, type PlannedPackage } from "./available.ts";
import { InstalledSet } from "./installed_set.ts";
import { type Selection, type SelectionTarget, Selector } from "./selection.ts";
import type { Workspace } from "./workspace.ts";

export interface FetchRequest {
  readonly targets: readonly SelectionTarget[];
  /** `missing`: what they need and is not installed; `all`: everything they need. */
  readonly dependencies: "none" | "missing" | "all";
  /** Also what a full upgrade would bring. */
  readonly updates: boolean;
  /** Take candidates only from these; empty: from all. */
  readonly repositories: readonly string[];
  readonly allowStale: boolean;
}

/** What would be fetched. */
export interface PlannedFetch {
  readonly kind: "planned";
  /** Ascending by name. */
  readonly packages: readonly CandidateIdentity[];
  readonly sizeBytes: number;
  /** Opaque: what it was planned from. */
  readonly available: Available;
}

/** There is nothing to fetch that fits together. */
export interface RejectedFetch {
  readonly kind: "rejected";
  readonly rejection: Rejection;
  readonly reason: UnresolvableReason | undefined;
}

/** One file that is there now. */
export interface FetchedFile {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  /** `kept`: it was there with the right digest. */
  readonly action: "written" | "kept";
}

const FILE_MODE = 0o644;
const CACHE_MODE = 0o600;

/**
 * Chooses what to fetch. Age gates apply.
 *
 * @param granted Weakened repository settings already authorised (R-TRANS-04).
 * @throws {PeipkgError} What proving the repositories throws; a request without an answer is a result
 * @see C-FETCH-01, R-CACHE-07
 */
export async function planFetch(
  workspace: Workspace,
  request: FetchRequest,
  granted: readonly Weakening[] = [],
): Promise<PlannedFetch | RejectedFetch> {
  const archives = request.targets.some(({ version }) => version !== undefined);
  const available = await loadAvailable(workspace, {
    dryRun: false,
    allowStale: request.allowStale,
    gated: true,
    archives,
    ...(request.repositories.length === 0 ? {} : { only: request.repositories }),
  }, granted);
  await acceptGranted(workspace, available, granted);
  const parts = workspace.read((database) => {
    const architecture = workspace.architecture(database);
    const selector = new Selector({ workspace, available, archives, architecture, database });
    return selectAll(selector, request, new InstalledSet(database, workspace.settings.layout));
  });
  const packages = new Map<string, CandidateIdentity>();
  for (const part of parts) {
    if (part.kind === "rejected") return rejected(part.rejection);
    for (const [name, item] of part.packages) packages.set(name, item);
  }
  const sorted = sortByName(packages);
  return { kind: "planned", packages: sorted, sizeBytes: totalBytes(sorted), available };
}

/** Later parts win where two name one package: they were chosen to fit the others. */
function selectAll(selector: Selector, request: FetchRequest, installed: InstalledSet): readonly Selection[] {
  const { targets, dependencies } = request;
  const parts = [selector.named(targets)];
  if (request.updates) parts.push(selector.updates(installed));
  if (dependencies === "all") parts.push(selector.closure(targets));
  if (dependencies === "missing") parts.push(selector.closure(targets, installed));
  return parts;
}

/** The proof in the form both commands end with. */
export function rejected(rejection: Rejection): RejectedFetch {
  return { kind: "rejected", rejection, reason: RULE_REASONS[rejection.rule] };
}

/** Records settings that were just authorised; nothing else of such an operation writes (R-TRANS-04). */
export async function acceptGranted(
  workspace: Workspace,
  available: Available,
  granted: readonly Weakening[],
): Promise<void> {
  if (granted.length === 0) return;
  await workspace.write((database) => acceptConfigurations(workspace, database, available.consulted, "file"));
}

/** Package names are ASCII: code-unit order is byte order. */
export function sortByName(packages: ReadonlyMap<string, CandidateIdentity>): readonly CandidateIdentity[] {
  return [...packages.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Bytes of the files together. */
export function totalBytes(packages: readonly CandidateIdentity[]): number {
  return packages.reduce((sum, item) => sum + item.sizeCompressedBytes, 0);
}

/** Chosen packages as acquiring takes them. */
export function plannedOf(packages: readonly CandidateIdentity[]): readonly PlannedPackage[] {
  return packages.map(({ name, version, architecture, hash, origin }) => {
    if (origin.kind === "repository") return { name, version, architecture, hash, origin };
    throw new PeipkgError("internal", `${name} was chosen from no repository`);
  });
}

/**
 * Fetches and verifies what was planned.
 *
 * @param out A directory, made when only it is missing; absent: the package cache.
 * @returns In the plan's order.
 * @throws {PeipkgError} What acquiring throws, `io`, `denied`
 */
export async function fetchPackages(
  workspace: Workspace,
  planned: PlannedFetch,
  out: string | undefined,
): Promise<readonly FetchedFile[]> {
  for (const evidence of staleUseEvidence(planned.available.stale)) reportAnswer(workspace, evidence, "granted");
  return out === undefined ? await fetchIntoCache(workspace, planned) : await fetchInto(workspace, planned, out);
}

async function fetchInto(workspace: Workspace, planned: PlannedFetch, out: string): Promise<readonly FetchedFile[]> {
  const { session } = workspace;
  createNamedDirectory(session, out, 0o755);
  if (!isNamedDirectory(session, out)) throw new PeipkgError("io", `cannot write to "${out}": it is no directory`);
  using directory = openNamedDirectory(session, out);
  const place = (item: CandidateIdentity) => `${out.replace(/(?<=.)\/+$/, "")}/${fileName(item)}`;
  const present = new Set(planned.packages.filter((item) => holds(directory, fileName(item), item.hash)));
  // The right digest says nothing about keys that were revoked since: what is kept is verified like the rest, from a
  // copy in the cache, so that it need not be fetched for that.
  for (const item of present) await copyToCache(workspace, directory, item);
  const acquired = new Map<string, AcquiredPackage>();
  using _files = await acquire(workspace, planned, acquired);
  const files: FetchedFile[] = [];
  for (const item of planned.packages) {
    const found = acquired.get(item.name);
    if (found !== undefined && !present.has(item)) {
      await writeNamedFile(session, place(item), FILE_MODE, true, async (file) => {
        for await (const chunk of found.source.chunks()) file.write(chunk);
      });
    }
    files.push(report(workspace, item, place(item), present.has(item)));
  }
  return files;
}

async function fetchIntoCache(workspace: Workspace, planned: PlannedFetch): Promise<readonly FetchedFile[]> {
  using directory = workspace.openCache("packages", true);
  if (directory === undefined) throw new PeipkgError("internal", "the download directory was not created");
  const present = new Set(planned.packages.filter((item) => directory.status(downloadName(item.hash)) !== undefined));
  const acquired = new Map<string, AcquiredPackage>();
  using _files = await acquire(workspace, planned, acquired);
  const path = hostPath(workspace.layout, workspace.layout.cache);
  const files: FetchedFile[] = [];
  for (const item of planned.packages) {
    const found = acquired.get(item.name);
    // A `file:` repository is read where it is; asked for by name, its files are kept as downloads are.
    if (found !== undefined && directory.status(downloadName(item.hash)) === undefined) {
      await keepDownload(directory, item.hash, found.source);
    }
    files.push(report(workspace, item, `${path}/packages/${downloadName(item.hash)}`, present.has(item)));
  }
  return files;
}

async function acquire(
  workspace: Workspace,
  planned: PlannedFetch,
  into: Map<string, AcquiredPackage>,
): Promise<Disposable> {
  const architecture = workspace.read((database) => workspace.architecture(database));
  const acquired = await acquirePlanned(workspace, planned.available, plannedOf(planned.packages), architecture);
  for (const item of acquired) {
    into.set(item.verified.manifest.name, item);
    for (const warning of item.warnings) workspace.warn(warning);
  }
  return { [Symbol.dispose]: () => acquired.forEach((item) => item[Symbol.dispose]()) };
}

async function copyToCache(workspace: Workspace, from: Directory, item: CandidateIdentity): Promise<void> {
  using cache = workspace.openCache("packages", true);
  if (cache === undefined || cache.status(downloadName(item.hash)) !== undefined) return;
  using source = openByteSource(from.openFile(fileName(item)), item.name);
  await keepDownload(cache, item.hash, source);
}

async function keepDownload(directory: Directory, hash: string, source: ByteSource): Promise<void> {
  const partial = `${hash}.part`;
  {
    using file = directory.appendFile(partial, CACHE_MODE);
    file.truncate(0);
    for await (const chunk of source.chunks()) file.write(chunk);
    file.sync();
  }
  directory.rename(partial, directory, downloadName(hash));
}

function holds(directory: Directory, name: string, hash: string): boolean {
  if (directory.status(name)?.type !== "file") return false;
  using file = directory.openFile(name);
  return hashFile(file) === hash;
}

function fileName({ name, version, architecture }: CandidateIdentity): string {
  return formatPackageFileName(name, version.raw, architecture);
}

function report(workspace: Workspace, item: CandidateIdentity, path: string, isKept: boolean): FetchedFile {
  const action = isKept ? "kept" : "written";
  workspace.session.emit({ kind: "file", path, action, package: item.name });
  return { name: item.name, version: item.version.raw, path, action };
}
