/**
 * Cached metadata: the exact verified bytes of each index and its signature below `CACHE/metadata`, and the proof,
 * repeated by every operation that chooses packages, that catalogue rows still stand for bytes that verify.
 *
 * @see R-CACHE-01 … R-CACHE-07
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { sha256Hex } from "../format/hash.ts";
import { readSmallFile, removeDurably, writeFileDurably } from "../fs/durable.ts";
import type { Directory } from "../system.ts";
import type { CatalogueHeader, CatalogueKind } from "../store/catalogue.ts";
import type { RepositoryState } from "../store/repository_state.ts";
import { hashFile } from "./byte_source.ts";
import { cacheError, checkCatalogue } from "./catalogue_check.ts";
import type { RepositoryContext } from "./context.ts";
import { verifyDetached } from "./detached.ts";
import type { FetchedPair } from "./documents.ts";
import { FETCH_LIMITS } from "./transport.ts";
import { trustedKeys } from "./trust_set.ts";

const FILE_MODE = 0o644;
const FILE_REGEXP = /^([a-z0-9-]{1,64})\.(?:active|archive)\.json(?:\.sig)?(?:\.previous)?$/;
/** Of the files a refresh replaces, until the database says that the new ones count. */
const PREVIOUS_SUFFIX = ".previous";

/** Name of a cached index file. */
function cachedIndexName(handle: string, kind: CatalogueKind): string {
  return `${handle}.${kind}.json`;
}

/**
 * Writes index and signature; the database record that makes them count follows (R-CACHE-04). Bytes that are there
 * already stay; the fetched signature always replaces the cached one (R-FRESH-03). What is replaced keeps a second
 * name until {@link dropPreviousIndex}, so that a crash in between costs nobody the metadata that still counts.
 *
 * @param counted Digest of the index the database counts on now.
 */
export function writeCachedIndex(
  directory: Directory,
  handle: string,
  kind: CatalogueKind,
  digest: string,
  pair: FetchedPair,
  counted: string | undefined,
): void {
  const { bytes, signature } = pair;
  const name = cachedIndexName(handle, kind);
  try {
    // Without a second name no refresh was cut off: the file is the one that counts, or none that would be missed.
    const isSettled = directory.status(`${name}${PREVIOUS_SUFFIX}`) === undefined;
    const presentDigest = isSettled && digest !== counted ? counted : hashCachedIndex(directory, name);
    if (presentDigest !== undefined && presentDigest === counted) keepPrevious(directory, handle, kind);
    if (presentDigest !== digest) writeFileDurably(directory, name, bytes, FILE_MODE);
    if (signature === undefined) removeDurably(directory, `${name}.sig`);
    else writeFileDurably(directory, `${name}.sig`, signature, FILE_MODE);
  } catch (error) {
    throw cacheWriteError(error, `cannot keep the index of "${handle}"`, handle);
  }
}

/** Gives the files that count a second name. Where the file system knows no such thing they go without. */
function keepPrevious(directory: Directory, handle: string, kind: CatalogueKind): void {
  dropPreviousIndex(directory, handle, kind); // of a refresh that was cut off after its record
  const name = cachedIndexName(handle, kind);
  for (const file of [name, `${name}.sig`]) {
    if (directory.status(file) === undefined) continue;
    try {
      directory.link(file, directory, `${file}${PREVIOUS_SUFFIX}`);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }
}

/** Forgets what a refresh replaced; its database record is there. */
export function dropPreviousIndex(directory: Directory, handle: string, kind: CatalogueKind): void {
  const name = cachedIndexName(handle, kind);
  for (const file of [name, `${name}.sig`]) {
    const previous = `${file}${PREVIOUS_SUFFIX}`;
    if (directory.status(previous) !== undefined) directory.unlink(previous);
  }
}

/**
 * What a refused system call means for a file of the cache.
 *
 * @param what Begins the message.
 * @returns `no-space` (`DISK_SPACE`) or `io` (`CACHE_IO`); anything that is no refused call as it is.
 */
export function cacheWriteError(error: unknown, what: string, handle: string): unknown {
  if (!(error instanceof SystemCallError)) return error;
  const isFull = error.errno === "ENOSPC" || error.errno === "EDQUOT";
  return ruleError(
    isFull ? "DISK_SPACE" : "CACHE_IO",
    `${what}: ${isFull ? "the file system is full" : `the system refused (${error.errno})`}`,
    { repository: handle, path: error.path, cause: error },
  );
}

/** Deletes the cached metadata of a repository. */
export function removeCachedIndexes(directory: Directory, handle: string): void {
  for (const kind of ["active", "archive"] as const) {
    removeDurably(directory, cachedIndexName(handle, kind));
    removeDurably(directory, `${cachedIndexName(handle, kind)}.sig`);
    dropPreviousIndex(directory, handle, kind);
  }
}

/** Cached files whose handle is not among `configured`, for `clean` (R-RM-03). */
export function listOrphanedFiles(directory: Directory, configured: ReadonlySet<string>): readonly string[] {
  return directory.list().names.filter((name) => {
    const handle = FILE_REGEXP.exec(name)?.[1];
    return handle !== undefined && !configured.has(handle);
  });
}

/**
 * Full re-verification: the cached bytes are those the catalogue was made from, their signature verifies under a key
 * acceptable now, and they are not below the floor.
 *
 * @param header `undefined`: the database has no catalogue.
 * @param unsigned Unsigned mode: digest and floor alone are compared.
 * @throws {PeipkgError} `repository-unusable` (`E_CACHE_INVALID`, `E_CACHE_UNSIGNED`)
 * @see R-CACHE-02 … R-CACHE-04, R-CACHE-07
 */
export async function verifyCachedIndex(
  context: RepositoryContext,
  state: RepositoryState,
  header: CatalogueHeader | undefined,
  unsigned: boolean,
): Promise<void> {
  const known = checkCatalogue(state, header, unsigned, context.startedAt);
  using directory = context.openCache("metadata", false);
  try {
    await verifyFiles(context, directory, state, known, unsigned, "");
  } catch (error) {
    // A refresh that was cut off before its record leaves new files beside those that still count.
    await verifyFiles(context, directory, state, known, unsigned, PREVIOUS_SUFFIX).catch(() => {
      throw error;
    });
  }
}

async function verifyFiles(
  context: RepositoryContext,
  directory: Directory | undefined,
  state: RepositoryState,
  known: CatalogueHeader,
  unsigned: boolean,
  suffix: string,
): Promise<void> {
  const name = cachedIndexName(state.name, known.kind);
  const found = directory === undefined ? undefined : hashCachedIndex(directory, `${name}${suffix}`);
  if (directory === undefined || found === undefined) {
    throw cacheError("E_CACHE_INVALID", state.name, "it is missing");
  }
  const other = () => cacheError("E_CACHE_INVALID", state.name, "it is not the file that was verified");
  if (found !== known.digest) throw other();
  if (unsigned) return;
  const signature = readCachedFile(directory, `${name}.sig${suffix}`, FETCH_LIMITS.signatureBytes);
  if (signature === undefined) throw cacheError("E_CACHE_UNSIGNED", state.name, "its signature is missing");
  const bytes = () => {
    const whole = readCachedFile(directory, `${name}${suffix}`, FETCH_LIMITS.indexBytes);
    if (whole === undefined || sha256Hex(whole) !== known.digest) throw other();
    return whole;
  };
  try {
    const digest = Uint8Array.fromHex(found);
    const detached = { document: `${known.kind} index`, repository: state.name, signature, bytes, digest };
    await verifyDetached(detached, trustedKeys(state), context.startedAt);
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    throw cacheError("E_CACHE_INVALID", state.name, `its signature is not accepted (${cause.message})`, cause);
  }
}

/**
 * The bytes the stored rows were made from, where they are still to be had.
 *
 * @param header Of the catalogue the database counts on.
 */
export function readCountedIndex(context: RepositoryContext, header: CatalogueHeader): Uint8Array | undefined {
  using directory = context.openCache("metadata", false);
  if (directory === undefined) return undefined;
  const name = cachedIndexName(header.repository, header.kind);
  for (const suffix of ["", PREVIOUS_SUFFIX]) {
    const bytes = readCachedFile(directory, `${name}${suffix}`, FETCH_LIMITS.indexBytes);
    if (bytes !== undefined && sha256Hex(bytes) === header.digest) return bytes;
  }
  return undefined;
}

/** SHA-256 of a cached index, hex, read in pieces: it is large, and its digest is all that most proofs need. */
function hashCachedIndex(directory: Directory, name: string): string | undefined {
  try {
    using file = directory.openFile(name);
    return file.status().sizeBytes > FETCH_LIMITS.indexBytes ? undefined : hashFile(file);
  } catch (error) {
    if (error instanceof SystemCallError && (error.errno === "ENOENT" || error.errno === "ELOOP")) return undefined;
    throw error;
  }
}

/** `undefined` also for a file that is too large or no regular file: it cannot be what was verified. */
function readCachedFile(directory: Directory, name: string, limitBytes: number): Uint8Array | undefined {
  try {
    return readSmallFile(directory, name, limitBytes);
  } catch (error) {
    if (error instanceof SystemCallError && (error.errno === "EFBIG" || error.errno === "ELOOP")) return undefined;
    throw error;
  }
}
