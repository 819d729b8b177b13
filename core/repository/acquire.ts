/**
 * Plan entries → verified packages with their bytes at hand. Every package passes every check before any is handed
 * on (T-VERIFY-01); one failure ends all downloads and hands on nothing (R-NET-03).
 *
 * @see R-PKG-01 … R-PKG-08, R-IDX-09
 */
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import { PeipkgError, ruleError, SystemCallError, type Warning } from "../errors.ts";
import { compressedBound } from "../format/limits.ts";
import {
  type ByteSource,
  type PackageTrust,
  type VerifiedPackage,
  type VerifyOptions,
  verifyPackage,
} from "../format/package_file.ts";
import type { KeepContent } from "../format/package_walk.ts";
import type { ZstdThread } from "../format/zstd_thread.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { Version } from "../identity/version.ts";
import type { RepositoryState } from "../store/repository_state.ts";
import type { Directory, ReadableFile } from "../system.ts";
import { openByteSource } from "./byte_source.ts";
import type { RepositoryContext } from "./context.ts";
import { basesOf } from "./documents.ts";
import { readEntryDetails, relationsText } from "./index.ts";
import { downloadName, downloadPackage } from "./package_download.ts";
import { openFileUrl } from "./transport.ts";
import { isAbsence } from "./trust.ts";
import { isUnsigned, trustedKeys } from "./trust_set.ts";
import { mirrorUrls, resolveReference } from "./urls.ts";

/** Where the file of a planned package is. */
export type AcquireSource =
  | {
    readonly kind: "repository";
    readonly configuration: RepositoryConfiguration;
    readonly state: RepositoryState;
    /** URL reference as in the index. */
    readonly url: string;
    /** SHA-256 of the file as the index has it, hex. */
    readonly hash: string;
    readonly sizeCompressedBytes: number;
    readonly sizeInstalledBytes: number;
    /** The entry's relations as planned with: column `entry` of the catalogue (R-IDX-09). */
    readonly entry: string;
  }
  /** `hash` is that of the file planned with (C-INSTALL-13). */
  | { readonly kind: "local-file"; readonly path: string; readonly hash: string | undefined };

/** One package of a plan to be downloaded and verified. */
export interface AcquireRequest {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  readonly source: AcquireSource;
  /** Files whose verified content is wanted without a second reading. */
  readonly keep?: KeepContent;
}

/** A package whose file passed every check; dispose it when staging has read it again. */
export interface AcquiredPackage extends Disposable {
  readonly verified: VerifiedPackage;
  /** The compressed file, its descriptor still open (T-VERIFY-05). */
  readonly source: ByteSource & Disposable;
  /** Handle; `undefined` for a local file. */
  readonly repository: string | undefined;
  readonly official: boolean;
  readonly warnings: readonly Warning[];
}

export interface AcquireOptions {
  /** The system's primary architecture; absent: installability is not judged. */
  readonly systemArchitecture?: Architecture;
  /** Decodes packages beside this one. */
  readonly thread?: ZstdThread | undefined;
}

/**
 * Downloads and verifies packages, several at a time.
 *
 * @returns In the order wanted.
 * @throws {PeipkgError} `transport`, `hash`, `signature`, `format`, `io`, `no-space`, `interrupted`
 */
export async function acquirePackages(
  context: RepositoryContext,
  wanted: readonly AcquireRequest[],
  options: AcquireOptions = {},
): Promise<readonly AcquiredPackage[]> {
  const stop = new AbortController();
  const run = new AcquireRun(withSignal(context, stop.signal), wanted, options);
  const acquired: (AcquiredPackage | undefined)[] = wanted.map(() => undefined);
  const queue = wanted.entries();
  let failure: { readonly error: unknown } | undefined;
  const work = async () => {
    for (const [index, request] of queue) {
      try {
        acquired[index] = await run.acquire(request);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(context.settings.fetchParallel, wanted.length) }, work));
  if (failure === undefined) return acquired.filter((item) => item !== undefined);
  for (const item of acquired) item?.[Symbol.dispose]();
  context.session.signal.throwIfAborted();
  throw failure.error;
}

function withSignal(context: RepositoryContext, signal: AbortSignal): RepositoryContext {
  return {
    session: { ...context.session, signal: AbortSignal.any([context.session.signal, signal]) },
    settings: context.settings,
    startedAt: context.startedAt,
    certificates: context.certificates,
    rate: context.rate,
    openCache: (area, create) => context.openCache(area, create),
  };
}

/** The state several workers share: progress, and the directory of downloads. */
class AcquireRun {
  readonly #context: RepositoryContext;
  readonly #options: AcquireOptions;
  readonly #steps: number;
  readonly #bytesTotal: number;
  readonly #received = new Map<string, number>();
  #fetched = 0;
  #verified = 0;

  constructor(context: RepositoryContext, wanted: readonly AcquireRequest[], options: AcquireOptions) {
    this.#context = context;
    this.#options = options;
    this.#steps = wanted.length;
    this.#bytesTotal = wanted.reduce(
      (sum, { source }) => sum + (source.kind === "repository" ? source.sizeCompressedBytes : 0),
      0,
    );
  }

  async acquire(request: AcquireRequest): Promise<AcquiredPackage> {
    const { source } = request;
    if (source.kind === "local-file") {
      const file = openLocalFile(this.#context, source.path);
      return await this.#verify(request, openByteSource(file, source.path), { kind: "local-file" });
    }
    return await this.#acquireFromRepository(request, source);
  }

  async #acquireFromRepository(
    request: AcquireRequest,
    source: AcquireSource & { readonly kind: "repository" },
  ): Promise<AcquiredPackage> {
    const { configuration } = source;
    const trust = this.#trustOf(source);
    using cache = this.#context.openCache("packages", true);
    const cached = cache === undefined ? undefined : openDownload(cache, source.hash);
    if (cached !== undefined && cache !== undefined) {
      try {
        return await this.#verifyDownload(request, source, cached, trust, cache);
      } catch (error) {
        // R-PKG-08: a cached file is judged again; a damaged one is fetched anew, any other fault is the package's.
        if (!isHashFailure(error)) throw error;
      }
    }
    let failure: unknown;
    for (const url of mirrorUrls(basesOf(configuration), resolveReference(basesOf(configuration), source.url))) {
      try {
        if (url.startsWith("file:")) {
          const file = openFileUrl(this.#context, url, configuration.handle);
          this.#received.set(source.hash, source.sizeCompressedBytes);
          return await this.#verify(request, openByteSource(file, labelOf(request)), trust);
        }
        if (cache === undefined) throw new PeipkgError("internal", "the download directory was not created");
        return await this.#downloadAndVerify(request, source, url, trust, cache);
      } catch (error) {
        this.#context.session.signal.throwIfAborted();
        if (!isAbsence(error) && !isHashFailure(error)) throw error; // R-MIR-06
        failure ??= error;
      }
    }
    throw failure;
  }

  /** A download pieced together from an earlier attempt is given a second chance as a whole. */
  async #downloadAndVerify(
    request: AcquireRequest,
    source: AcquireSource & { readonly kind: "repository" },
    url: string,
    trust: PackageTrust,
    cache: Directory,
  ): Promise<AcquiredPackage> {
    const isPieced = await this.#download(request, source, url, cache);
    const verify = async () => {
      const file = openDownload(cache, source.hash);
      if (file === undefined) throw ruleError("CACHE_IO", `cannot find the download of "${url}"`);
      return await this.#verifyDownload(request, source, file, trust, cache);
    };
    try {
      return await verify();
    } catch (error) {
      if (!isPieced || !isHashFailure(error)) throw error;
      await this.#download(request, source, url, cache);
      return await verify();
    }
  }

  async #download(
    request: AcquireRequest,
    source: AcquireSource & { readonly kind: "repository" },
    url: string,
    cache: Directory,
  ): Promise<boolean> {
    const isPieced = await downloadPackage(this.#context, cache, {
      url,
      repository: source.configuration.handle,
      allowInsecureTransport: source.configuration.allowInsecureTransport,
      hash: source.hash,
      limitBytes: compressedBound(source.sizeCompressedBytes),
      onBytes: (bytes) => {
        this.#received.set(source.hash, bytes);
        this.#report("fetch", request, this.#fetched + 1);
      },
    });
    this.#fetched++;
    return isPieced;
  }

  /** A download that does not verify is deleted, so that the next attempt starts anew (T-VERIFY-07). */
  async #verifyDownload(
    request: AcquireRequest,
    source: AcquireSource & { readonly kind: "repository" },
    file: ReadableFile,
    trust: PackageTrust,
    cache: Directory,
  ): Promise<AcquiredPackage> {
    try {
      return await this.#verify(request, openByteSource(file, labelOf(request)), trust);
    } catch (error) {
      const name = downloadName(source.hash);
      if (!this.#context.session.signal.aborted && cache.status(name) !== undefined) cache.unlink(name);
      throw error;
    }
  }

  async #verify(
    request: AcquireRequest,
    source: ByteSource & Disposable,
    trust: PackageTrust,
  ): Promise<AcquiredPackage> {
    try {
      const verified = await verifyPackage(source, this.#verifyOptions(request, trust));
      const from = request.source;
      if (from.kind === "repository") this.#compareRelations(request, from.entry, verified);
      this.#report("verify", request, ++this.#verified);
      return {
        verified,
        source,
        repository: from.kind === "repository" ? from.configuration.handle : undefined,
        official: from.kind === "repository" && from.configuration.official,
        warnings: verified.warnings,
        [Symbol.dispose]: () => source[Symbol.dispose](),
      };
    } catch (error) {
      source[Symbol.dispose]();
      throw error;
    }
  }

  #verifyOptions(request: AcquireRequest, trust: PackageTrust): VerifyOptions {
    const { settings, session } = this.#context;
    const { source } = request;
    const expected = { name: request.name, version: request.version.raw, architecture: request.architecture };
    const { systemArchitecture, thread } = this.#options;
    return {
      trust,
      expected: source.kind === "repository"
        ? {
          ...expected,
          hash: source.hash,
          sizeCompressedBytes: source.sizeCompressedBytes,
          sizeInstalledBytes: source.sizeInstalledBytes,
        }
        : { ...expected, ...(source.hash === undefined ? {} : { hash: source.hash }) },
      ...(systemArchitecture === undefined ? {} : { systemArchitecture }),
      layout: settings.layout,
      official: source.kind === "repository" && source.configuration.official,
      dropinRepository: source.kind === "repository" ? source.configuration.handle : "local",
      dropinDirectories: settings.dropinDirectories,
      maxDecompressedBytes: settings.maxDecompressedBytes,
      ...(request.keep === undefined ? {} : { keep: request.keep }),
      ...(thread === undefined ? {} : { thread }),
      signal: session.signal,
    };
  }

  #trustOf(source: AcquireSource & { readonly kind: "repository" }): PackageTrust {
    const { configuration, state } = source;
    const repository = configuration.handle;
    if (isUnsigned(configuration)) return { kind: "unsigned-repository", repository };
    return {
      kind: "repository",
      repository,
      policy: configuration.signaturePolicy,
      keys: trustedKeys(state), // R-PKG-03: this repository's keys and no others
      now: this.#context.startedAt,
    };
  }

  /** R-IDX-09: a plan made from other relations than the package's own was not the operator's plan. */
  #compareRelations(request: AcquireRequest, entry: string, verified: VerifiedPackage): void {
    const planned = relationsText(readEntryDetails(entry, this.#context.settings.layout));
    if (planned === relationsText(verified.manifest)) return;
    throw ruleError(
      "E_INDEX_DIVERGES",
      `cannot use ${labelOf(request)}: its relations differ from those its index gives`,
      { package: request.name, document: "index" },
    );
  }

  #report(phase: "fetch" | "verify", request: AcquireRequest, step: number): void {
    const bytes = [...this.#received.values()].reduce((sum, count) => sum + count, 0);
    this.#context.session.emit({
      kind: "progress",
      phase,
      step: Math.min(step, this.#steps),
      steps: this.#steps,
      subject: request.name,
      version: request.version.raw,
      ...(phase === "fetch" ? { bytes, bytesTotal: this.#bytesTotal } : {}),
    });
  }
}

function labelOf(request: AcquireRequest): string {
  return `${request.name} ${request.version.raw}`;
}

function isHashFailure(error: unknown): boolean {
  return error instanceof PeipkgError && error.detail.rule === "E_PKG_HASH";
}

function openDownload(directory: Directory, hash: string): ReadableFile | undefined {
  const name = downloadName(hash);
  return directory.status(name)?.type === "file" ? directory.openFile(name) : undefined;
}

function openLocalFile(context: RepositoryContext, path: string): ReadableFile {
  try {
    return context.session.system.openFile(path);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    const denied = error.errno === "EACCES" || error.errno === "EPERM";
    const found = error.errno === "ENOENT" ? "there is no such file" : `it cannot be opened (${error.errno})`;
    throw ruleError(denied ? "NOT_PERMITTED" : "FS_IO", `cannot read "${path}": ${found}`, { path, cause: error });
  }
}
