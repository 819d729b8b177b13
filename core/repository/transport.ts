/**
 * Bounded fetching: the only place that asks for anything over the network. Every answer is limited while it
 * arrives, before and after content decoding; silence and dawdling end a request; it can be aborted at any time.
 * Trust never comes from here: whatever arrives is verified by its reader.
 *
 * @see R-HTTP-01 … R-HTTP-08, R-MIR-05
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { NetworkError } from "../system.ts";
import type { HttpResponse, ReadableFile } from "../system.ts";
import type { RepositoryContext } from "./context.ts";
import { type ContentCoding, decodeContent, OFFERED_CODINGS, parseCoding, sizeError } from "./content_coding.ts";
import { chooseProxy } from "./proxy.ts";

/** Caps of metadata, of wire and decoded bytes alike (R-HTTP-02). */
export const FETCH_LIMITS = {
  descriptorBytes: 4 * 1024 * 1024,
  signatureBytes: 4 * 1024,
  keyFileBytes: 64 * 1024,
  indexBytes: 64 * 1024 * 1024,
} as const;

const MAX_REDIRECTS = 10;
const MAX_RETRY_AFTER_SECONDS = 30;
const READ_BYTES = 256 * 1024;
/** Room for a document of unknown length to begin with. */
const LEAST_BYTES = 4 * 1024;
/** A sender below this is as good as silent: within its size limit it could hold a request open for years. */
const SLOWEST_BYTES_PER_SECOND = 1000;
const HANDLED_STATUSES: ReadonlySet<number> = new Set([200, 206, 416]);

export interface DocumentRequest {
  /** Absolute URL, scheme already checked. */
  readonly url: string;
  /** Handle, for messages. */
  readonly repository: string;
  readonly allowInsecureTransport: boolean;
  readonly limitBytes: number;
  /** Offer content codings (descriptor and indexes); others are `identity` (R-HTTP-03). */
  readonly compressed: boolean;
}

/** An open answer: status 200, 206 or 416, body as it arrives, time-out and rate limit applied. */
export interface OpenResponse {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  /** Raw bytes. Leaving the loop early cancels the transfer. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The body in one piece, bounded by the request. */
  whole(request: DocumentRequest, expectedBytes: number): Promise<Uint8Array>;
  /** Gives the answer up before its body was asked for. */
  discard(): Promise<void>;
}

/**
 * Fetches a small document whole. No request is conditional: nothing but 200 is a success (R-HTTP-01), so that "not
 * modified" is no answer to what has to be verified again anyway; an index that has not changed is recognised by its
 * digest and not parsed again.
 *
 * @returns The exact bytes, content coding removed (R-SIG-01).
 * @throws {PeipkgError} `transport` (`E_HTTP_STATUS`, `E_SIZE_BOUND`, `E_HTTP_ENCODING`, `E_REDIRECT`, `E_NETWORK`,
 * `E_NETWORK_TIMEOUT`, `E_FILE_FETCH`), `interrupted`
 */
export async function fetchDocument(context: RepositoryContext, request: DocumentRequest): Promise<Uint8Array> {
  const { url, repository, limitBytes } = request;
  if (url.startsWith("file:")) return readFileUrl(context, url, repository, limitBytes);
  return await withRetries(context, url, async () => {
    const headers = { "accept-encoding": request.compressed ? OFFERED_CODINGS : "identity" };
    const response = await openHttp(context, request, headers);
    let head: { readonly coding: ContentCoding; readonly declaredBytes: number };
    try {
      if (response.status !== 200) throw statusError(request, response.status);
      head = { coding: checkCoding(request, response), declaredBytes: checkDeclaredLength(request, response) };
    } catch (error) {
      await response.discard();
      throw error;
    }
    if (head.coding === "identity") return await response.whole(request, head.declaredBytes);
    const bounded = limitStream(response.body, limitBytes, request);
    const decoded = decodeContent(bounded, head.coding, request);
    return await collect(limitStream(decoded, limitBytes, request), head.declaredBytes);
  });
}

/** Refuses a content coding that was not offered (R-HTTP-03). */
function checkCoding(request: DocumentRequest, response: OpenResponse): ContentCoding {
  const text = response.header("content-encoding");
  const coding = parseCoding(text);
  if (coding !== undefined && (coding === "identity" || request.compressed)) return coding;
  throw codingError(request.url, request.repository, text ?? "");
}

/** The refusal of a content coding that was not offered. */
export function codingError(url: string, repository: string, coding: string): PeipkgError {
  return ruleError("E_HTTP_ENCODING", `cannot fetch "${url}": content coding is "${coding}", which was not offered`, {
    repository,
    url,
  });
}

/** @returns Bytes the server says it sends; 0: it does not say. */
function checkDeclaredLength(request: DocumentRequest, response: OpenResponse): number {
  const text = response.header("content-length") ?? "";
  const declared = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (declared > request.limitBytes) throw sizeError(request);
  return declared;
}

/** Passes chunks on until the limit is passed. */
async function* limitStream(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
  request: DocumentRequest,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > limitBytes) throw sizeError(request); // R-HTTP-02: stop reading at once
    yield chunk;
  }
}

/** @param expectedBytes So much is likely to come: chunks are then put in place as they arrive. */
async function collect(chunks: AsyncIterable<Uint8Array>, expectedBytes: number): Promise<Uint8Array> {
  let bytes = new Uint8Array(expectedBytes);
  let total = 0;
  for await (const chunk of chunks) {
    const needed = total + chunk.length;
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * bytes.length));
      larger.set(bytes.subarray(0, total));
      bytes = larger;
    }
    bytes.set(chunk, total);
    total = needed;
  }
  return bytes.subarray(0, total);
}

/**
 * Runs an attempt and repeats it after connection errors, time-outs, 408, 429 and 5xx (R-HTTP-06).
 *
 * @param attempt Throws the errors of {@link openHttp}; a {@link RetryableError} wraps those worth another try.
 */
export async function withRetries<T>(
  context: RepositoryContext,
  url: string,
  attempt: (number: number) => Promise<T>,
): Promise<T> {
  const { session, settings } = context;
  for (let number = 0;; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      session.signal.throwIfAborted();
      if (!(error instanceof RetryableError)) throw error;
      if (number >= settings.fetchRetries) throw error.failure;
      const seconds = error.retryAfterSeconds ?? 2 ** number;
      session.emit({ kind: "trace", text: `retrying ${url} in ${seconds} s: ${error.failure.message}` });
      await session.system.sleep(Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000, session.signal);
    }
  }
}

/** A failure another attempt may cure. Never leaves this room. */
class RetryableError extends Error {
  override readonly name = "RetryableError";
  constructor(readonly failure: PeipkgError, readonly retryAfterSeconds?: number) {
    super(failure.message, { cause: failure });
  }
}

/** The failure of an answer with a status that is no success (R-HTTP-01). */
export function statusError(
  request: { readonly url: string; readonly repository: string },
  status: number,
): PeipkgError {
  return ruleError("E_HTTP_STATUS", `cannot fetch "${request.url}": the server answered with status ${status}`, {
    repository: request.repository,
    url: request.url,
    status,
  });
}

/**
 * Sends one GET, follows redirects, and hands over the answer while it arrives.
 *
 * @throws {RetryableError} where R-HTTP-06 allows another attempt
 * @throws {PeipkgError} `transport` (`E_HTTP_STATUS`, `E_REDIRECT`), `interrupted`
 */
export async function openHttp(
  context: RepositoryContext,
  request: { readonly url: string; readonly repository: string; readonly allowInsecureTransport: boolean },
  headers: Readonly<Record<string, string>>,
): Promise<OpenResponse> {
  if (context.session.offline === true) {
    // An absence like any other, so that a mirror on this machine is asked next (R-MIR-06); waiting would not cure it.
    throw ruleError("E_NETWORK", `cannot fetch "${request.url}": --offline allows no network`, {
      repository: request.repository,
      url: request.url,
    });
  }
  const patience = new Patience(context, request);
  try {
    const response = await followRedirects(context, request, headers, patience);
    if (!HANDLED_STATUSES.has(response.status)) {
      await response.body?.cancel().catch(() => {});
      const failure = statusError(request, response.status);
      const { status } = response;
      if (status === 408 || status === 429 || status >= 500) {
        throw new RetryableError(failure, parseRetryAfter(response.headers.get("retry-after")));
      }
      throw failure;
    }
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: readBody(context, response, patience),
      whole: (document, expectedBytes) => readWhole(context, response, patience, document, expectedBytes),
      async discard() {
        patience.stop();
        await response.body?.cancel().catch(() => {});
      },
    };
  } catch (error) {
    patience.stop();
    throw patience.explain(error);
  }
}

/** R-HTTP-04. */
async function followRedirects(
  context: RepositoryContext,
  request: { readonly url: string; readonly repository: string; readonly allowInsecureTransport: boolean },
  headers: Readonly<Record<string, string>>,
  patience: Patience,
): Promise<HttpResponse> {
  const { session, settings } = context;
  let url = new URL(request.url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const proxy = chooseProxy(settings.proxies, url);
    session.emit({ kind: "trace", text: `GET ${url.href}` });
    patience.wait();
    const response = await session.system.fetch({
      url,
      headers: { "user-agent": settings.userAgent, accept: "*/*", ...headers },
      signal: patience.signal,
      ipVersion: settings.ipVersion,
      ...(context.certificates === undefined ? {} : { certificates: context.certificates }),
      ...(proxy === undefined ? {} : { proxy }),
    });
    patience.answered();
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel().catch(() => {});
    url = redirectTarget(request, url, location);
  }
  throw redirectError(request, `it redirects more than ${MAX_REDIRECTS} times`);
}

function redirectTarget(
  request: { readonly url: string; readonly repository: string; readonly allowInsecureTransport: boolean },
  from: URL,
  location: string,
): URL {
  if (!URL.canParse(location, from)) throw redirectError(request, `it redirects to "${location}", which is no URL`);
  const target = new URL(location, from);
  const secure = target.protocol === "https:";
  if (secure || (target.protocol === "http:" && request.allowInsecureTransport)) return target;
  throw redirectError(request, `it redirects to "${target.href}", expected https`);
}

function redirectError(request: { readonly url: string; readonly repository: string }, found: string): PeipkgError {
  return ruleError("E_REDIRECT", `cannot fetch "${request.url}": ${found}`, {
    repository: request.repository,
    url: request.url,
  });
}

/** Seconds of a `Retry-After` header; its date form is ignored. */
function parseRetryAfter(text: string | null): number | undefined {
  return text !== null && /^[0-9]{1,6}$/.test(text) ? Number(text) : undefined;
}

async function* readBody(
  context: RepositoryContext,
  response: HttpResponse,
  patience: Patience,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    while (reader !== undefined) {
      patience.wait();
      const { done, value } = await reader.read();
      if (done) return;
      patience.received(value.length);
      await context.rate.take(context, value.length);
      yield value;
    }
  } catch (error) {
    throw patience.explain(error);
  } finally {
    patience.stop();
    await reader?.cancel().catch(() => {});
  }
}

/**
 * Reads a body into one piece, in place where the stream allows it: of 40 MB in chunks each is cleared, filled and
 * copied, which takes as long again.
 *
 * @param expectedBytes So much is likely to come.
 */
async function readWhole(
  context: RepositoryContext,
  response: HttpResponse,
  patience: Patience,
  request: DocumentRequest,
  expectedBytes: number,
): Promise<Uint8Array> {
  const reader = response.body === null ? undefined : openInPlace(response.body);
  if (reader === undefined) {
    return await collect(
      limitStream(readBody(context, response, patience), request.limitBytes, request),
      expectedBytes,
    );
  }
  let bytes = new Uint8Array(Math.max(expectedBytes + 1, LEAST_BYTES)); // the end shows where there is room for more
  let total = 0;
  try {
    for (;;) {
      patience.wait();
      // What is handed over comes back as another object.
      const { done, value } = await reader.read(bytes.subarray(total, total + READ_BYTES));
      if (value === undefined) throw new NetworkError("body", "the body was given up");
      bytes = new Uint8Array(value.buffer);
      if (done) return bytes.subarray(0, total);
      total += value.length;
      if (total > request.limitBytes) throw sizeError(request); // R-HTTP-02: stop reading at once
      patience.received(value.length);
      await context.rate.take(context, value.length);
      if (total === bytes.length) bytes = enlarged(bytes);
    }
  } catch (error) {
    throw patience.explain(error);
  } finally {
    patience.stop();
    await reader.cancel().catch(() => {});
  }
}

/** @returns `undefined`: the stream gives chunks of its own only. */
function openInPlace(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function enlarged(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * bytes.length);
  larger.set(bytes);
  return larger;
}

/**
 * Ends a request whose server keeps it waiting, or when the session is aborted. There are `fetch_timeout` seconds of
 * patience: waiting for the server uses it up, its answer gives back all of it, and bytes of the body as much as they
 * may take at the slowest. So silence of that length ends a request (R-HTTP-05), and so does a sender that is too slow
 * on average (A-INPUT-12); time the rate limit or the reader takes is not the server's.
 */
class Patience {
  readonly #controller = new AbortController();
  readonly #stop = new AbortController();
  readonly #context: RepositoryContext;
  readonly #request: { readonly url: string; readonly repository: string };
  /** Milliseconds, when full. */
  readonly #limit: number;
  /** Milliseconds left when the present wait began. */
  #left: number;
  /** When the present wait began; `undefined`: nobody waits for the server. */
  #since: number | undefined;
  /** What ended the request, if patience did. */
  #found: string | undefined;

  constructor(context: RepositoryContext, request: { readonly url: string; readonly repository: string }) {
    this.#context = context;
    this.#request = request;
    this.#limit = context.settings.fetchTimeoutSeconds * 1000;
    this.#left = this.#limit;
    this.#watch().catch(() => {});
  }

  get signal(): AbortSignal {
    return AbortSignal.any([this.#controller.signal, this.#context.session.signal]);
  }

  /** From here on it is the server that takes the time. */
  wait(): void {
    this.#since = this.#context.session.system.monotonic();
  }

  /** The server has answered: the wait is over, and forgiven. */
  answered(): void {
    this.#left = this.#limit;
    this.#since = undefined;
  }

  /** Part of the body has arrived: the wait is over. */
  received(bytes: number): void {
    const now = this.#context.session.system.monotonic();
    const back = bytes / SLOWEST_BYTES_PER_SECOND * 1000;
    this.#left = Math.min(this.#limit, this.#left - (now - (this.#since ?? now)) + back);
    this.#since = undefined;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #watch(): Promise<void> {
    const { system } = this.#context.session;
    while (!this.#stop.signal.aborted) {
      const waited = this.#since === undefined ? 0 : system.monotonic() - this.#since;
      const left = this.#left - waited;
      if (left <= 0) {
        const seconds = this.#limit / 1000;
        const isSilent = waited >= this.#limit;
        this.#found = isSilent ? `no data for ${seconds} s` : `less than ${SLOWEST_BYTES_PER_SECOND} bytes a second`;
        this.#controller.abort(new NetworkError("body", this.#found));
        return;
      }
      await system.sleep(left, this.#stop.signal);
    }
  }

  /** Says what an exception of the runtime means. */
  explain(error: unknown): unknown {
    this.#context.session.signal.throwIfAborted();
    const { url, repository } = this.#request;
    if (this.#found !== undefined) {
      return new RetryableError(
        ruleError("E_NETWORK_TIMEOUT", `cannot fetch "${url}": ${this.#found}`, { repository, url }),
      );
    }
    if (!(error instanceof NetworkError)) return error;
    const what = {
      resolve: "the host name cannot be resolved",
      connect: "no connection",
      tls: "no secure connection",
      body: "the connection broke off",
    }[error.phase];
    return new RetryableError(
      ruleError("E_NETWORK", `cannot fetch "${url}": ${what} (${error.message})`, { repository, url, cause: error }),
    );
  }
}

/**
 * Opens the file behind a `file:` URL.
 *
 * @throws {PeipkgError} `transport` (`E_FILE_FETCH`)
 * @see R-MIR-05
 */
export function openFileUrl(context: RepositoryContext, url: string, repository: string): ReadableFile {
  const fail = (found: string, cause?: unknown) =>
    ruleError("E_FILE_FETCH", `cannot read "${url}": ${found}`, { repository, url, cause });
  let path: string;
  try {
    path = decodeURIComponent(new URL(url).pathname);
  } catch (cause) {
    throw fail("its path is not UTF-8", cause);
  }
  try {
    const file = context.session.system.openFile(path);
    if (file.status().type === "file") return file;
    file[Symbol.dispose]();
  } catch (cause) {
    if (!(cause instanceof SystemCallError)) throw cause;
    throw fail(cause.errno === "ENOENT" ? "there is no such file" : `it cannot be opened (${cause.errno})`, cause);
  }
  throw fail("it is no regular file");
}

function readFileUrl(context: RepositoryContext, url: string, repository: string, limitBytes: number): Uint8Array {
  using file = openFileUrl(context, url, repository);
  const { sizeBytes } = file.status();
  if (sizeBytes > limitBytes) throw sizeError({ url, repository, limitBytes });
  const bytes = new Uint8Array(sizeBytes);
  let offset = 0;
  while (offset < sizeBytes) {
    const count = file.readAt(bytes.subarray(offset, Math.min(sizeBytes, offset + READ_BYTES)), offset);
    if (count === 0) break;
    offset += count;
  }
  return bytes.subarray(0, offset);
}
