/**
 * Where advisories come from: each trusted repository, one URL, or a file. What is fetched is kept below the cache
 * together with its signature, and proven again at each use; fetching happens only when asked for, and is the only
 * thing an audit writes (C-AUDIT-01).
 */
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import { hostPath } from "../config/layout.ts";
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { sha256Hex } from "../format/hash.ts";
import { readSmallFile, removeDurably, writeFileDurably } from "../fs/durable.ts";
import { verifyDetached } from "../repository/detached.ts";
import { basesOf, fetchPair } from "../repository/documents.ts";
import { fetchDocument } from "../repository/transport.ts";
import { isUnsigned, trustedKeys } from "../repository/trust_set.ts";
import type { RepositoryState } from "../store/repository_state.ts";
import type { Directory } from "../system.ts";
import { openNamedFile, readNamedFile } from "./named_files.ts";
import { configuredRepositories, readRecorded } from "./refresh.ts";
import type { Workspace } from "./workspace.ts";

/** One document, proven where its source signs. */
export interface AdvisoryDocument {
  /** For messages: a repository, URL or path. */
  readonly label: string;
  readonly bytes: Uint8Array;
  /** When it was fetched or written, seconds since the epoch. */
  readonly obtainedAt: number;
}

const DOCUMENT = "advisories";
const REFERENCE = "/advisories/osv.json";
const LIMIT_BYTES = 256 * 1024 * 1024;
const SIGNATURE_LIMIT_BYTES = 4 * 1024;
const FILE_MODE = 0o644;

/**
 * Obtains every document of the source in force.
 *
 * @param file Stands in for the setting; literal.
 * @throws {PeipkgError} `stale` when there is no copy, `signature`, `transport`, `config`, `io`, `denied`
 * @see C-AUDIT-01
 */
export async function obtainAdvisories(
  workspace: Workspace,
  options: { readonly fetch: boolean; readonly file: string | undefined },
): Promise<readonly AdvisoryDocument[]> {
  const { auditSource } = workspace.settings;
  if (options.file !== undefined) return [readFile(workspace, options.file)];
  if (auditSource.path === "repository") return await fromRepositories(workspace, options.fetch);
  if (/^[a-z][a-z0-9+.-]*:/i.test(auditSource.path)) return [await fromUrl(workspace, auditSource.path, options.fetch)];
  return [readFile(workspace, hostPath(workspace.layout, auditSource))];
}

/** What the report names as its source. */
export function sourceName(workspace: Workspace, file: string | undefined): string {
  return file ?? workspace.settings.auditSource.path;
}

function readFile(workspace: Workspace, path: string): AdvisoryDocument {
  using file = openNamedFile(workspace.session, path);
  const obtainedAt = Number(file.status().mtime / 1_000_000_000n);
  return { label: `"${path}"`, bytes: readNamedFile(workspace.session, path, LIMIT_BYTES), obtainedAt };
}

// --- One URL -------------------------------------------------------------------------------------------------------

async function fromUrl(workspace: Workspace, url: string, fetch: boolean): Promise<AdvisoryDocument> {
  const scheme = URL.canParse(url) ? new URL(url).protocol : "";
  if (scheme !== "https:" && scheme !== "file:") {
    throw new PeipkgError("config", `cannot use audit_source "${url}": expected "repository", https, file or a path`, {
      key: "audit_source",
    });
  }
  // No handle has an underscore, so that no repository's copy is ever taken for this one.
  const name = `url_${sha256Hex(new TextEncoder().encode(url)).slice(0, 32)}.json`;
  if (fetch) {
    const bytes = await fetchDocument(workspace, {
      url,
      repository: DOCUMENT,
      allowInsecureTransport: false,
      limitBytes: LIMIT_BYTES,
      compressed: true,
    });
    withCache(workspace, true, (directory) => writeFileDurably(directory, name, bytes, FILE_MODE));
  }
  const copy = withCache(workspace, false, (directory) => readCopy(directory, name, LIMIT_BYTES));
  if (copy === undefined) throw noCopy(`of ${url}`);
  return { label: `"${url}"`, ...copy };
}

// --- Repositories ----------------------------------------------------------------------------------------------------

async function fromRepositories(workspace: Workspace, fetch: boolean): Promise<readonly AdvisoryDocument[]> {
  const trusted = configuredRepositories(workspace).filter(({ enabled }) => enabled).flatMap((configuration) => {
    const { state } = readRecorded(workspace, configuration.handle, "active");
    return state === undefined ? [] : [{ configuration, state }];
  });
  const documents: AdvisoryDocument[] = [];
  for (const { configuration, state } of trusted) {
    if (fetch) await renew(workspace, configuration, state);
    const { handle } = configuration;
    const copy = withCache(workspace, false, (directory) => readPair(directory, handle));
    if (copy === undefined) continue;
    await prove(workspace, configuration, state, copy);
    documents.push({ label: `repository "${handle}"`, bytes: copy.bytes, obtainedAt: copy.obtainedAt });
  }
  if (documents.length === 0) throw noCopy(fetch ? "at any trusted repository" : "of any trusted repository");
  return documents;
}

/** A repository without advisories is none to complain about; one whose advisories do not verify is. */
async function renew(
  workspace: Workspace,
  configuration: RepositoryConfiguration,
  state: RepositoryState,
): Promise<void> {
  const { handle } = configuration;
  try {
    const pair = await fetchPair(workspace, basesOf(configuration), {
      document: DOCUMENT,
      reference: REFERENCE,
      signatureReference: `${REFERENCE}.sig`,
      limitBytes: LIMIT_BYTES,
      signed: !isUnsigned(configuration),
    });
    await prove(workspace, configuration, state, pair);
    withCache(workspace, true, (directory) => {
      writeFileDurably(directory, `${handle}.json`, pair.bytes, FILE_MODE);
      if (pair.signature !== undefined) writeFileDurably(directory, `${handle}.sig`, pair.signature, FILE_MODE);
    });
  } catch (error) {
    if (!isAbsent(error)) throw error;
    workspace.session.emit({ kind: "trace", text: `repository "${handle}" publishes no advisories` });
    withCache(workspace, true, (directory) => removeCopies(directory, handle));
  }
}

function isAbsent(error: unknown): boolean {
  if (!(error instanceof PeipkgError)) return false;
  const { rule, status, cause } = error.detail;
  if (rule === "E_HTTP_STATUS") return status === 404 || status === 410;
  return rule === "E_FILE_FETCH" && cause instanceof SystemCallError && cause.errno === "ENOENT";
}

async function prove(
  workspace: Workspace,
  configuration: RepositoryConfiguration,
  state: RepositoryState,
  pair: { readonly bytes: Uint8Array; readonly signature: Uint8Array | undefined },
): Promise<void> {
  if (isUnsigned(configuration)) return;
  const { handle } = configuration;
  if (pair.signature === undefined) {
    throw ruleError("E_SIG_MISSING", `cannot trust the advisories of "${handle}": they have no signature`, {
      repository: handle,
      document: DOCUMENT,
    });
  }
  await verifyDetached(
    { document: DOCUMENT, repository: handle, signature: pair.signature, bytes: pair.bytes },
    trustedKeys(state),
    workspace.startedAt,
  );
}

function readPair(
  directory: Directory,
  handle: string,
): { readonly bytes: Uint8Array; readonly obtainedAt: number; readonly signature: Uint8Array | undefined } | undefined {
  const copy = readCopy(directory, `${handle}.json`, LIMIT_BYTES);
  if (copy === undefined) return undefined;
  return { ...copy, signature: readSmallFile(directory, `${handle}.sig`, SIGNATURE_LIMIT_BYTES) };
}

/** Deletes the copies of a repository's advisories. */
export function removeCopies(directory: Directory, handle: string): void {
  removeDurably(directory, `${handle}.json`);
  removeDurably(directory, `${handle}.sig`);
}

// --- The cache -------------------------------------------------------------------------------------------------------

function readCopy(
  directory: Directory,
  name: string,
  limitBytes: number,
): { readonly bytes: Uint8Array; readonly obtainedAt: number } | undefined {
  const bytes = readSmallFile(directory, name, limitBytes);
  const status = directory.status(name);
  if (bytes === undefined || status === undefined) return undefined;
  return { bytes, obtainedAt: Number(status.mtime / 1_000_000_000n) };
}

function withCache<Result>(
  workspace: Workspace,
  create: boolean,
  work: (directory: Directory) => Result,
): Result | undefined {
  try {
    using directory = workspace.openCache("advisories", create);
    return directory === undefined ? undefined : work(directory);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    const isDenied = error.errno === "EACCES" || error.errno === "EPERM" || error.errno === "EROFS";
    throw ruleError(
      isDenied ? "NOT_PERMITTED" : "CACHE_IO",
      `cannot use the cached advisories: the system answers ${error.errno}`,
      { cause: error },
    );
  }
}

function noCopy(where: string): PeipkgError {
  return new PeipkgError("stale", `there is no copy of advisories ${where}`, {
    hint: "use --fetch to get one, or --file to name one",
  });
}
