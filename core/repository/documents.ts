/** A document and its signature, fetched together from one base (R-MIR-06, R-SIG-08). */
import { PeipkgError, ruleError } from "../errors.ts";
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import type { RepositoryContext } from "./context.ts";
import { FETCH_LIMITS, fetchDocument } from "./transport.ts";
import { isAbsence } from "./trust.ts";
import { mirrorUrls, type RepositoryBases, resolveReference } from "./urls.ts";

/** What one pair is called and how large it may be. */
export interface PairRequest {
  /** `descriptor`, `active index`, `archive index`; for messages. */
  readonly document: string;
  /** URL references as written in the descriptor, or the conventional paths. */
  readonly reference: string;
  readonly signatureReference: string;
  readonly limitBytes: number;
  /** Unsigned mode does not even fetch the signature (R-POL-03). */
  readonly signed: boolean;
}

export interface FetchedPair {
  readonly bytes: Uint8Array;
  /** `undefined` in unsigned mode. */
  readonly signature: Uint8Array | undefined;
}

/** Statuses that mean "there is no such file" (R-SIG-08). */
const MISSING_STATUSES: ReadonlySet<number | undefined> = new Set([404, 410]);

/** Bases of a configured repository. */
export function basesOf(configuration: RepositoryConfiguration): RepositoryBases {
  return {
    handle: configuration.handle,
    baseUrl: configuration.baseUrl,
    mirrors: configuration.mirrors,
    allowInsecureTransport: configuration.allowInsecureTransport,
  };
}

/**
 * Fetches a document and its signature. The next base is asked when one is absent.
 *
 * @throws {PeipkgError} `transport`, `signature` (`E_SIG_MISSING`)
 */
export async function fetchPair(
  context: RepositoryContext,
  bases: RepositoryBases,
  request: PairRequest,
): Promise<FetchedPair> {
  const documents = mirrorUrls(bases, resolveReference(bases, request.reference));
  const signatures = request.signed ? mirrorUrls(bases, resolveReference(bases, request.signatureReference)) : [];
  const fetchBounded = (url: string, limitBytes: number, compressed: boolean) =>
    fetchDocument(context, {
      url,
      repository: bases.handle,
      allowInsecureTransport: bases.allowInsecureTransport,
      limitBytes,
      compressed,
    });
  let failure: PeipkgError | undefined;
  for (const [index, url] of documents.entries()) {
    try {
      const bytes = await fetchBounded(url, request.limitBytes, true);
      if (!request.signed) return { bytes, signature: undefined };
      const signatureUrl = signatures[index] ?? signatures[0] ?? "";
      try {
        return { bytes, signature: await fetchBounded(signatureUrl, FETCH_LIMITS.signatureBytes, false) };
      } catch (error) {
        throw isMissing(error) ? missingSignature(bases.handle, request.document, error) : error;
      }
    } catch (error) {
      context.session.signal.throwIfAborted();
      if (!isAbsence(error) && !(error instanceof PeipkgError && error.detail.rule === "E_SIG_MISSING")) throw error;
      failure ??= error;
      const next = documents[index + 1];
      if (next !== undefined) context.session.emit({ kind: "trace", text: `${error.message}; trying ${next}` });
    }
  }
  throw failure ?? ruleError("E_NETWORK", `cannot fetch the ${request.document} of "${bases.handle}"`);
}

function isMissing(error: unknown): error is PeipkgError {
  if (!(error instanceof PeipkgError)) return false;
  const { rule, status, cause } = error.detail;
  if (rule === "E_HTTP_STATUS") return MISSING_STATUSES.has(status);
  return rule === "E_FILE_FETCH" && cause instanceof Error && cause.message.endsWith("ENOENT");
}

function missingSignature(handle: string, document: string, cause: PeipkgError): PeipkgError {
  return ruleError("E_SIG_MISSING", `cannot trust the ${document} of "${handle}": it has no signature`, {
    repository: handle,
    document,
    cause,
    ...(cause.detail.url === undefined ? {} : { url: cause.detail.url }),
  });
}
