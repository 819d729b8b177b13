/** Planned packages → verified content for the transaction room: downloads, local files, and their second reading. */
import { PeipkgError, ruleError } from "../errors.ts";
import { type KnownEntry, type PayloadEntry, replayPackage } from "../format/package_file.ts";
import { ZstdThread } from "../format/zstd_thread.ts";
import type { Architecture } from "../identity/architecture.ts";
import { readFileHashes } from "../store/installed.ts";
import type { AcquiredPackage } from "../repository/acquire.ts";
import type { Plan } from "../resolver/plan.ts";
import type { ContentEntry, ContentSource, ContentVisitor } from "../transaction/input.ts";
import { expectManyDirectories } from "../transaction/directories.ts";
import { acquirePlanned, type PlannedPackage } from "./available.ts";
import type { ChangeInputs } from "./change_inputs.ts";
import { ContentBudget, KeptContent } from "./kept_content.ts";
import type { Workspace } from "./workspace.ts";

/** Content of every package a plan installs, kept open until the transaction has read it. */
export interface ChangeContents extends Disposable {
  readonly sources: ReadonlyMap<string, ContentSource>;
}

const decoder = new TextDecoder();

/** Packages of a plan whose files are needed; `kept` content needs none. */
function plannedPackages(plan: Plan, kept: ReadonlyMap<string, ContentSource>): readonly PlannedPackage[] {
  return plan.operations.flatMap((operation) => {
    if (operation.kind === "remove" || kept.has(operation.target.name)) return [];
    const { name, version, architecture, hash, origin } = operation.target;
    if (origin.kind === "retained") {
      throw new PeipkgError("internal", `kept content of ${name} ${version.raw} was planned with and is not there`);
    }
    return [{ name, version, architecture, hash, origin }];
  });
}

/**
 * Downloads and verifies everything a plan installs.
 *
 * @throws {PeipkgError} What acquiring throws; `hash` (`E_LOCAL_CHANGED`) for a local file that is not the one planned
 * with.
 * @param thread Decodes beside this one; it is ended when everything has been staged.
 * @see T-VERIFY-01, S-LOCAL-04, C-INSTALL-13
 */
export async function acquireContents(
  workspace: Workspace,
  plan: Plan,
  inputs: ChangeInputs,
  kept: ReadonlyMap<string, ContentSource>,
  architecture: Architecture,
  thread: ZstdThread | undefined,
): Promise<ChangeContents> {
  workspace.root.raiseDescriptorLimit?.(); // every package stays open until it is staged
  if (packedBytes(plan) >= MANY_BYTES) expectManyDirectories(workspace.root);
  const budget = new ContentBudget();
  const contents = new Map<string, KeptContent>();
  const streamed = streamedPackages(plan);
  const planned = plannedPackages(plan, kept).map((item) => {
    if (streamed.has(item.name)) return item;
    const content = new KeptContent(budget, openInstalledTest(workspace, item.name));
    contents.set(item.name, content);
    return { ...item, keep: content.keep };
  });
  const acquired = await acquirePlanned(workspace, inputs.available, planned, architecture, thread).catch(
    (error: unknown) => {
      throw asLocalChange(error, planned);
    },
  );
  for (const item of acquired) for (const warning of item.warnings) workspace.warn(warning);
  let left = acquired.length;
  const whenStaged = () => {
    if (--left === 0) thread?.[Symbol.dispose](); // its memory is free for what follows
  };
  const sources = new Map(kept);
  for (const item of acquired) {
    const { name } = item.verified.manifest;
    sources.set(name, contentOf(item, contents.get(name), thread, whenStaged));
  }
  const files = acquired.map(({ source }) => source); // and nothing else of them: their entries are in another form now
  return {
    sources,
    [Symbol.dispose]() {
      for (const file of files) file[Symbol.dispose]();
    },
  };
}

/** Content that is likely to lie in many directories. */
const MANY_BYTES = 4 * 1024 * 1024;
/** Content from which starting a thread to decode it pays. */
const THREAD_BYTES = 64 * 1024 * 1024;

/** Starts the thread that decodes what a plan installs, when that is much; as early as it is certain, it takes its time. */
export function startThread(plan: Plan, signal: AbortSignal): ZstdThread | undefined {
  return packedBytes(plan) < THREAD_BYTES ? undefined : new ZstdThread({ signal });
}

/** Bytes of content a plan installs from packages; kept content is not packed. */
function packedBytes({ operations }: Plan): number {
  return operations.reduce(
    (sum, operation) =>
      operation.kind === "remove" || operation.target.origin.kind === "retained"
        ? sum
        : sum + operation.target.sizeInstalledBytes,
    0,
  );
}

/** New content from which keeping some of it saves too little to be worth its memory. */
const STREAMED_BYTES = 128 * 1024 * 1024;

/** Packages not to be kept between verification and staging: new ones, when there are many of them. */
function streamedPackages(plan: Plan): ReadonlySet<string> {
  const installs = plan.operations.flatMap((operation) => operation.kind === "install" ? [operation.target] : []);
  const bytes = installs.reduce((sum, { sizeInstalledBytes }) => sum + sizeInstalledBytes, 0);
  return new Set(bytes < STREAMED_BYTES ? [] : installs.map(({ name }) => name));
}

/** A hash that fails for a local file means that the file is no longer the one planned with. */
function asLocalChange(error: unknown, planned: readonly PlannedPackage[]): unknown {
  if (!(error instanceof PeipkgError) || error.detail.rule !== "E_PKG_HASH") return error;
  const file = planned.find(({ name, origin }) => name === error.detail.package && origin.kind === "local-file");
  if (file === undefined || file.origin.kind !== "local-file") return error;
  return ruleError("E_LOCAL_CHANGED", `cannot install "${file.origin.path}": the file changed after it was checked`, {
    package: file.name,
    cause: error,
  });
}

/** Tells which paths of a package have which content by its recorded rows, read when first asked. */
function openInstalledTest(workspace: Workspace, name: string): (path: string, hash: string) => boolean {
  let hashes: ReadonlyMap<string, string> | undefined;
  return (path, hash) => {
    hashes ??= workspace.read((database) => database === undefined ? new Map() : readFileHashes(database, name));
    return hashes.get(path) === hash;
  };
}

function contentOf(
  { verified, source, repository, official }: AcquiredPackage,
  kept: KeptContent | undefined,
  thread: ZstdThread | undefined,
  whenStaged: () => void,
): ContentSource {
  const { entries: found, ...facts } = verified;
  const { manifest } = facts;
  const entries = found.map((entry) => contentEntry(entry, facts.modifiedSeconds));
  return {
    name: manifest.name,
    version: manifest.version.raw,
    architecture: manifest.architecture,
    packageHash: facts.packageHash,
    manifest,
    manifestText: decoder.decode(facts.manifestBytes),
    entries,
    repository,
    official,
    async replay(visitor: ContentVisitor, signal: AbortSignal): Promise<void> {
      const open = kept?.isComplete === true ? serveKept(kept, entries.length, visitor) : -1;
      kept?.release();
      if (open === undefined) return whenStaged();
      let index = -1;
      const known = { ...facts, entries: { at: (at: number) => knownEntry(entries[at]) } };
      await replayPackage(source, known, {
        entry: () => ++index === open || (index > open && visitor.begin(index)),
        data: (chunk) => visitor.chunk(chunk),
        end: () => visitor.end(),
      }, { signal, thread });
      whenStaged();
    },
  };
}

/**
 * Hands over what is in memory.
 *
 * @returns The entry begun whose content is not there (it was thought installed); `undefined` when all was served.
 */
function serveKept(
  kept: KeptContent,
  count: number,
  visitor: ContentVisitor,
): number | undefined {
  for (let index = 0; index < count; index++) {
    if (!visitor.begin(index)) continue;
    const bytes = kept.get(index);
    if (bytes === undefined) return index;
    visitor.chunk(bytes);
    visitor.end();
  }
  return undefined;
}

function contentEntry(entry: PayloadEntry, modifiedSeconds: number): ContentEntry {
  return {
    path: `/${entry.path}`,
    type: entry.type,
    sizeBytes: entry.sizeBytes,
    hash: entry.hash ?? "",
    target: entry.target ?? "",
    mtimeSeconds: entry.type === "dir" ? undefined : modifiedSeconds,
  };
}

/** The entry as verification had it. Tens of thousands of them are not kept in both forms. */
function knownEntry(entry: ContentEntry | undefined): KnownEntry | undefined {
  if (entry === undefined) return undefined;
  const { path, type, sizeBytes, hash, target } = entry;
  const base = { path: path.slice(1), type, sizeBytes };
  return type === "file" ? { ...base, hash } : type === "symlink" ? { ...base, target } : base;
}
