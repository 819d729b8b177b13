/**
 * Fetching and verifying newer metadata, up to the point where it may be recorded. Nothing is written here.
 *
 * 1. The previous trust set alone decides who may introduce a descriptor; the configuration's anchors decide only
 *    when nothing was trusted before (R-REFRESH-03, R-ADD-06).
 * 2. The descriptor's keys decide who may sign indexes (R-REFRESH-06).
 * 3. What a verified descriptor revokes survives every later failure (R-REFRESH-10).
 */
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import { sha256 } from "../format/hash.ts";
import type { TrustedKey } from "../format/keys.ts";
import { parseTimestamp } from "../identity/timestamp.ts";
import type { CatalogueHeader, CatalogueKind, NewCatalogue } from "../store/catalogue.ts";
import { corrupt } from "../store/database.ts";
import type { RepositoryKey, RepositoryState } from "../store/repository_state.ts";
import { readCountedIndex } from "./cache.ts";
import type { RepositoryContext } from "./context.ts";
import { type Descriptor, parseDescriptor } from "./descriptor.ts";
import { verifyDetached } from "./detached.ts";
import { basesOf, type FetchedPair, fetchPair, type PairRequest } from "./documents.ts";
import { checkMinimum, type IndexStamp, judgeStamp, warnFuture } from "./freshness.ts";
import { parseIndex } from "./index.ts";
import { FETCH_LIMITS } from "./transport.ts";
import { checkRevocationsStick, checkSignerListed, fetchKey, obtainKeys, revokedBy } from "./trust.ts";
import { isAcceptable, isUnsigned, trustedKeys } from "./trust_set.ts";
import { DESCRIPTOR_PATH, DESCRIPTOR_SIGNATURE_PATH } from "./urls.ts";

/** What is recorded about a repository before an operation. */
export interface Recorded {
  readonly state: RepositoryState | undefined;
  readonly catalogue: CatalogueHeader | undefined;
}

/** A descriptor that verified. */
export interface VerifiedDescriptor {
  readonly descriptor: Descriptor;
  /** Its exact bytes, for mirrors. */
  readonly pair: FetchedPair;
  /** `undefined` in unsigned mode. */
  readonly signer: string | undefined;
  /** Keys whose bytes are known already. */
  readonly held: readonly RepositoryKey[];
  /** Sticky revocations, those of this descriptor included. */
  readonly revocations: ReadonlySet<string>;
  readonly warnings: readonly Warning[];
}

/** An index that verified and may be recorded. */
export interface VerifiedIndex {
  readonly kind: CatalogueKind;
  readonly result: "progress" | "no-progress";
  readonly keys: readonly RepositoryKey[];
  readonly stamp: IndexStamp;
  readonly digest: string;
  readonly signer: string | undefined;
  /** For the cache files. */
  readonly pair: FetchedPair;
  /** Rows to store; `undefined`: the stored ones were made from the same bytes. */
  readonly catalogue: NewCatalogue | undefined;
  readonly warnings: readonly Warning[];
}

/** Pause before a pair that does not match is fetched once more (R-REFRESH-11). */
const PUBLISH_PAUSE_MILLISECONDS = 1000;

/**
 * Fetches and verifies the descriptor: against the recorded trust set, or, when none is recorded, against the
 * configured anchors.
 *
 * @throws {PeipkgError} `anchor-mismatch`, `signature`, `format`, `transport`, `repo-config`
 * @see R-ADD-03 … R-ADD-06, R-REFRESH-02 … R-REFRESH-04
 */
export async function fetchDescriptor(
  context: RepositoryContext,
  configuration: RepositoryConfiguration,
  state: RepositoryState | undefined,
): Promise<VerifiedDescriptor> {
  const unsigned = isUnsigned(configuration);
  const request: PairRequest = {
    document: "descriptor",
    reference: DESCRIPTOR_PATH,
    signatureReference: DESCRIPTOR_SIGNATURE_PATH,
    limitBytes: FETCH_LIMITS.descriptorBytes,
    signed: !unsigned,
  };
  const verified = await fetchMatching(context, configuration, request, async (pair) => {
    if (unsigned) return { descriptor: parseDescriptor(pair.bytes), pair, signer: undefined, held: [], warnings: [] };
    // Coming from unsigned mode there is nothing trusted yet: a first add, floors kept (R-POL-06).
    return state === undefined || state.keys.length === 0
      ? await verifyByAnchors(context, configuration, pair)
      : await verifyByTrustSet(context, configuration, pair, state);
  });
  const { descriptor } = verified;
  if (state !== undefined && descriptor.repositoryName !== state.repositoryName) { // R-DESC-11
    throw ruleError(
      "E_REPO_NAME_CHANGED",
      `cannot trust the descriptor of "${configuration.handle}": it names repository "${descriptor.repositoryName}", ` +
        `recorded is "${state.repositoryName}"`,
      { repository: configuration.handle, hint: "remove and add the repository again if the change is intended" },
    );
  }
  const sticky = state?.revocations ?? new Set<string>();
  checkRevocationsStick(configuration.handle, descriptor, sticky);
  return { ...verified, revocations: new Set([...sticky, ...revokedBy(descriptor)]) };
}

async function verifyByTrustSet(
  context: RepositoryContext,
  configuration: RepositoryConfiguration,
  pair: FetchedPair,
  state: RepositoryState,
): Promise<Omit<VerifiedDescriptor, "revocations">> {
  const signer = await verifyPair(context, configuration.handle, "descriptor", pair, trustedKeys(state));
  const descriptor = parseDescriptor(pair.bytes);
  checkSignerListed(configuration.handle, descriptor, signer, context.startedAt);
  return { descriptor, pair, signer, held: state.keys, warnings: [] };
}

/** R-ADD-04 … R-ADD-06: the only time a descriptor is read before its signature is known to be good. */
async function verifyByAnchors(
  context: RepositoryContext,
  configuration: RepositoryConfiguration,
  pair: FetchedPair,
): Promise<Omit<VerifiedDescriptor, "revocations">> {
  const { handle, trustAnchors } = configuration;
  if (trustAnchors.length === 0) { // R-ADD-02, for a file
    throw ruleError("E_CONFIG_VALUE", `cannot add repository "${handle}": "trust_anchors" is empty`, {
      repository: handle,
      key: "trust_anchors",
    });
  }
  const descriptor = parseDescriptor(pair.bytes);
  const matching = descriptor.keys.filter((key) => trustAnchors.includes(key.fingerprint));
  if (matching.length === 0) {
    throw ruleError(
      "E_NO_ANCHOR_MATCH",
      `cannot trust repository "${handle}": none of its keys is the one given`,
      { repository: handle, hint: "check the fingerprint with the publisher by another way" },
    );
  }
  const held: RepositoryKey[] = [];
  let failure: unknown;
  for (const key of matching) {
    const usable = isAcceptable(key, context.startedAt);
    try {
      const publicKey = usable ? await fetchKey(context, basesOf(configuration), key) : undefined;
      held.push({ fingerprint: key.fingerprint, publicKey, status: key.status, validUntil: key.validUntil });
    } catch (error) {
      context.session.signal.throwIfAborted();
      if (!(error instanceof PeipkgError)) throw error;
      failure ??= error;
    }
  }
  if (held.length === 0) throw failure;
  const keys = trustedKeys({ keys: held, revocations: new Set() });
  const [only] = keys;
  if (only !== undefined && keys.every((key) => !isAcceptable(key, context.startedAt))) {
    checkSignerListed(handle, descriptor, only.fingerprint, context.startedAt); // R-ADD-05: names the cause
  }
  const signer = await verifyPair(context, handle, "descriptor", pair, keys);
  checkSignerListed(handle, descriptor, signer, context.startedAt);
  return { descriptor, pair, signer, held, warnings: anchorWarnings(configuration, descriptor) };
}

function anchorWarnings(configuration: RepositoryConfiguration, descriptor: Descriptor): readonly Warning[] {
  const { handle, trustAnchors } = configuration;
  const warnings: Warning[] = trustAnchors
    .filter((anchor) => !descriptor.keys.some((key) => key.fingerprint === anchor))
    .map((anchor) => ({ rule: "W_ANCHOR_UNUSED", text: `repository "${handle}" does not list the key ${anchor}` }));
  const active = descriptor.keys.filter((key) => key.status === "active").length;
  if (active >= 2 && trustAnchors.length === 1) {
    warnings.push({
      rule: "W_SINGLE_ANCHOR",
      text: `repository "${handle}" has ${active} active keys, only one was given to compare with`,
    });
  }
  return warnings;
}

/**
 * Fetches and verifies one index under a verified descriptor.
 *
 * @throws {PeipkgError} `signature`, `format`, `index-rollback`, `transport`
 * @see R-ADD-09, R-REFRESH-05 … R-REFRESH-07, R-ARC-04, R-ARC-06
 */
export async function fetchIndex(
  context: RepositoryContext,
  configuration: RepositoryConfiguration,
  verified: VerifiedDescriptor,
  recorded: Recorded,
  kind: CatalogueKind,
): Promise<VerifiedIndex> {
  const { handle } = configuration;
  const { descriptor } = verified;
  const unsigned = isUnsigned(configuration);
  const keys = unsigned ? [] : await obtainKeys(context, basesOf(configuration), descriptor, verified.held);
  const pointer = kind === "active" ? descriptor.active : descriptor.archive;
  const request: PairRequest = {
    document: `${kind} index`,
    reference: pointer.url,
    signatureReference: pointer.signatureUrl,
    limitBytes: FETCH_LIMITS.indexBytes,
    signed: !unsigned,
  };
  const trusted = trustedKeys({ keys, revocations: verified.revocations });
  const { pair, digest, signer } = await fetchMatching(context, configuration, request, async (fetched) => {
    const hash = sha256(fetched.bytes);
    return {
      pair: fetched,
      digest: hash.toHex(),
      signer: unsigned ? undefined : await verifyPair(context, handle, request.document, fetched, trusted, hash),
    };
  });
  const { stamp, catalogue } = readStamp(context, configuration, descriptor, recorded, kind, pair, digest, signer);
  const floor = (kind === "active" ? recorded.state?.active : recorded.state?.archive) ??
    { indexVersion: 0, generatedAt: undefined };
  const judgement = judgeStamp(handle, stamp, floor);
  if (judgement === "no-progress" && recorded.catalogue !== undefined && recorded.catalogue.digest !== digest) {
    throw ruleError( // R-FRESH-04
      "E_INDEX_EQUIVOCATION",
      `cannot refresh "${handle}": index version ${stamp.indexVersion} was published twice with different content`,
      { repository: handle, document: "index" },
    );
  }
  if (kind === "active") checkMinimum(handle, stamp.indexVersion, configuration.minIndexVersion);
  const warnings: Warning[] = [...warnFuture(handle, stamp.generatedAt, context.startedAt)];
  if (judgement === "reused") {
    warnings.push({
      rule: "W_INDEX_VERSION_REUSED",
      text: `repository "${handle}" published index version ${stamp.indexVersion} again with a newer date`,
    });
  }
  const result = judgement === "no-progress" ? "no-progress" : "progress";
  return { kind, result, keys, stamp, digest, signer, pair, catalogue, warnings };
}

/** Reads the index, unless the stored rows were made from the very same bytes: then its stamp is known. */
function readStamp(
  context: RepositoryContext,
  configuration: RepositoryConfiguration,
  descriptor: Descriptor,
  recorded: Recorded,
  kind: CatalogueKind,
  pair: FetchedPair,
  digest: string,
  signer: string | undefined,
): { readonly stamp: IndexStamp; readonly catalogue: NewCatalogue | undefined } {
  const known = recorded.catalogue;
  if (known?.digest === digest && known.kind === kind && recorded.state !== undefined) {
    const generatedAt = parseTimestamp(known.generatedAt);
    if (generatedAt === undefined) throw corrupt(`the catalogue of "${configuration.handle}" has no valid time`);
    return { stamp: { indexVersion: known.indexVersion, generatedAt }, catalogue: undefined };
  }
  const expected = {
    handle: configuration.handle,
    kind,
    repositoryName: descriptor.repositoryName,
    layout: context.settings.layout,
  };
  const counted = known?.kind === "active" ? readCountedIndex(context, known) : undefined;
  const { indexVersion, generatedAt, packages, changedNames } = parseIndex(pair.bytes, expected, counted);
  const catalogue: NewCatalogue = {
    repository: configuration.handle,
    kind,
    digest,
    signer,
    indexVersion,
    generatedAt: generatedAt.raw,
    packages,
    changedNames,
  };
  return { stamp: { indexVersion, generatedAt }, catalogue };
}

/** Fetches a pair and judges it; a signature that does not match is given a second chance (R-REFRESH-11). */
async function fetchMatching<T>(
  context: RepositoryContext,
  configuration: RepositoryConfiguration,
  request: PairRequest,
  judge: (pair: FetchedPair) => Promise<T>,
): Promise<T> {
  const bases = basesOf(configuration);
  const pair = await fetchPair(context, bases, request);
  try {
    return await judge(pair);
  } catch (error) {
    if (!(error instanceof PeipkgError) || error.detail.rule !== "E_SIG_INVALID") throw error;
    await context.session.system.sleep(PUBLISH_PAUSE_MILLISECONDS, context.session.signal);
    return await judge(await fetchPair(context, bases, request));
  }
}

async function verifyPair(
  context: RepositoryContext,
  handle: string,
  document: string,
  pair: FetchedPair,
  keys: readonly TrustedKey[],
  digest?: Uint8Array,
): Promise<string> {
  const { bytes, signature } = pair;
  if (signature === undefined) throw new PeipkgError("internal", `no signature of the ${document} was fetched`);
  try {
    const detached = { document, repository: handle, signature, bytes, ...(digest === undefined ? {} : { digest }) };
    return await verifyDetached(detached, keys, context.startedAt);
  } catch (error) {
    if (!(error instanceof PeipkgError) || error.detail.repository !== undefined) throw error;
    // The signature readers know the rule, not which document of which repository it was about.
    const { rule, ...detail } = error.detail;
    const message = `cannot trust the ${document} of "${handle}": ${error.message}`;
    if (rule === undefined) throw new PeipkgError(error.code, message, { ...detail, repository: handle, document });
    throw ruleError(rule, message, { ...detail, repository: handle, document });
  }
}
