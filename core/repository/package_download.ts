/**
 * One package file over the network into the private download directory, resumed where an earlier attempt broke off.
 * The name of a download is the hash it must have; whatever arrives is worth nothing until its reader has hashed it.
 *
 * @see R-PKG-01, R-HTTP-07
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { readSmallFile, writeFileDurably } from "../fs/durable.ts";
import type { Directory, WritableFile } from "../system.ts";
import { cacheWriteError } from "./cache.ts";
import type { RepositoryContext } from "./context.ts";
import { codingError, openHttp, type OpenResponse, statusError, withRetries } from "./transport.ts";

const FILE_MODE = 0o600;
const ETAG_BYTES = 1024;

export interface DownloadRequest {
  /** Absolute http(s) URL. */
  readonly url: string;
  /** Handle, for messages. */
  readonly repository: string;
  readonly allowInsecureTransport: boolean;
  /** SHA-256 the file must have; names the partial file. */
  readonly hash: string;
  /** Most bytes that may arrive (R-PKG-01). */
  readonly limitBytes: number;
  /** Called with the size of the partial file as it grows. */
  readonly onBytes: (bytes: number) => void;
}

/** Name of a finished download. */
export function downloadName(hash: string): string {
  return `${hash}.peipkg`;
}

/**
 * Downloads one file.
 *
 * @param directory `CACHE/packages`.
 * @returns Whether it went on from an earlier attempt: such bytes may be what a power cut left of them.
 * @throws {PeipkgError} `transport` (`E_LIMIT_COMPRESSED`, `E_HTTP_STATUS`, `E_NETWORK`, …), `io` (`CACHE_IO`),
 * `no-space` (`DISK_SPACE`)
 */
export async function downloadPackage(
  context: RepositoryContext,
  directory: Directory,
  request: DownloadRequest,
): Promise<boolean> {
  const partial = `${request.hash}.part`;
  const tag = `${request.hash}.etag`;
  try {
    const found = directory.status(partial)?.sizeBytes ?? 0;
    await withRetries(context, request.url, () => attemptDownload(context, directory, request, partial, tag));
    directory.rename(partial, directory, downloadName(request.hash));
    removeIfThere(directory, tag);
    return found > 0;
  } catch (error) {
    if (error instanceof PeipkgError && error.detail.rule === "E_LIMIT_COMPRESSED") {
      removeIfThere(directory, partial);
      removeIfThere(directory, tag);
    }
    throw cacheWriteError(error, `cannot keep the download of "${request.url}"`, request.repository);
  }
}

async function attemptDownload(
  context: RepositoryContext,
  directory: Directory,
  request: DownloadRequest,
  partial: string,
  tag: string,
): Promise<void> {
  using file = directory.appendFile(partial, FILE_MODE);
  // Another process may be downloading the same file; its bytes and ours must not mix.
  if (!file.tryLock()) {
    throw ruleError("LOCK_BUSY", `cannot fetch "${request.url}": another process is downloading it`, {
      repository: request.repository,
      url: request.url,
    });
  }
  const known = file.status().sizeBytes === 0 ? undefined : readTag(directory, tag);
  let offset = known === undefined ? 0 : file.status().sizeBytes;
  let response = await openPart(context, request, offset, known);
  if (response.status === 416 || (response.status === 206 && rangeStart(response) !== offset)) {
    await response.discard();
    offset = 0;
    response = await openPart(context, request, 0, undefined);
  }
  if (response.status !== 206) offset = 0;
  if (response.status !== 200 && response.status !== 206) {
    await response.discard();
    throw statusError(request, response.status);
  }
  await receive(directory, request, response, file, offset, tag);
}

function openPart(
  context: RepositoryContext,
  request: DownloadRequest,
  offset: number,
  tag: string | undefined,
): Promise<OpenResponse> {
  const resume = offset > 0 && tag !== undefined ? { range: `bytes=${offset}-`, "if-range": tag } : {};
  return openHttp(context, request, { "accept-encoding": "identity", ...resume });
}

async function receive(
  directory: Directory,
  request: DownloadRequest,
  response: OpenResponse,
  file: WritableFile,
  offset: number,
  tag: string,
): Promise<void> {
  const coding = (response.header("content-encoding") ?? "identity").toLowerCase();
  const declared = Number(response.header("content-length") ?? "0");
  if (coding !== "identity" || offset + declared > request.limitBytes) {
    await response.discard();
    // R-HTTP-03: the hash covers the file as it is; a coding on top of it is not what was asked for.
    throw coding === "identity" ? limitError(request) : codingError(request.url, request.repository, coding);
  }
  if (offset === 0) {
    file.truncate(0);
    rememberTag(directory, tag, response.header("etag"));
  }
  let total = offset;
  for await (const chunk of response.body) {
    total += chunk.length;
    if (total > request.limitBytes) throw limitError(request);
    file.write(chunk);
    request.onBytes(total);
  }
}

/** Only a strong tag says that two answers have the same bytes. */
function rememberTag(directory: Directory, name: string, tag: string | undefined): void {
  if (tag !== undefined && tag.startsWith('"') && tag.length <= ETAG_BYTES) {
    writeFileDurably(directory, name, new TextEncoder().encode(tag), FILE_MODE);
  } else removeIfThere(directory, name);
}

function readTag(directory: Directory, name: string): string | undefined {
  const bytes = readSmallFile(directory, name, ETAG_BYTES);
  const text = bytes === undefined ? "" : new TextDecoder().decode(bytes);
  return /^"[\x21-\x7e]*"$/.test(text) ? text : undefined;
}

function rangeStart(response: OpenResponse): number | undefined {
  const match = /^bytes ([0-9]{1,15})-/.exec(response.header("content-range") ?? "");
  return match === null ? undefined : Number(match[1]);
}

function removeIfThere(directory: Directory, name: string): void {
  if (directory.status(name) !== undefined) directory.unlink(name);
}

function limitError(request: DownloadRequest): PeipkgError {
  return ruleError(
    "E_LIMIT_COMPRESSED",
    `cannot fetch "${request.url}": it is larger than ${request.limitBytes} bytes, the most its index allows`,
    { repository: request.repository, url: request.url },
  );
}
