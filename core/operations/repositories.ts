/**
 * Adding, listing and removing repositories. Adding has three steps, so that a front end can ask between them:
 * `planRepositoryAdd()` looks at settings only, `fetchRepositoryAdd()` fetches what the trust question is about, and
 * `commitRepositoryAdd()` records everything together or leaves nothing (R-ADD-10).
 */
import { parseBaseUrl } from "../config/base_url.ts";
import {
  parseHandle,
  readRepositoryFiles,
  removeRepositoryFile,
  type RepositoryConfiguration,
  type RepositoryFile,
  repositoryFileName,
  writeRepositoryFile,
} from "../config/repo_file.ts";
import { CONFIGURATION_BYTES } from "../config/toml.ts";
import { PeipkgError, ruleError } from "../errors.ts";
import { readSmallFile, writeFileDurably } from "../fs/durable.ts";
import { isFingerprint } from "../identity/fingerprint.ts";
import { DEFAULT_REPOSITORY_SETTINGS, MAX_PRIORITY, type SignaturePolicy } from "../identity/repository_settings.ts";
import { removeCachedIndexes } from "../repository/cache.ts";
import { fetchDescriptor, fetchIndex, type Recorded, type VerifiedDescriptor } from "../repository/refresh.ts";
import { hasAcceptableKey, isUnsigned } from "../repository/trust_set.ts";
import { countPackages } from "../store/catalogue.ts";
import {
  type KeyStatus,
  readRepositoryState,
  removeRepositoryState,
  type RepositoryKey,
} from "../store/repository_state.ts";
import type { Directory } from "../system.ts";
import { acceptedFrom, findWeakenings, requireGranted, type Weakening } from "./accepted_configuration.ts";
import { removeCopies } from "./advisory_source.ts";
import { ageFinding } from "./available.ts";
import { withClockExplained } from "./clock.ts";
import {
  readRecorded,
  recordIndex,
  repositoryWarnings,
  requireConfigured,
  untrustedError,
  warnAll,
} from "./refresh.ts";
import type { RepositoryAccess } from "./repository_access.ts";

/** What the operator asked for; with `baseUrl` absent the ceremony is run for an existing file (C-REPO-08). */
export interface RepositoryAddRequest {
  readonly handle: string;
  /** All settings at once, as `readRepositorySeed()` gives them; nothing but `handle` is read beside it. */
  readonly configuration?: RepositoryConfiguration;
  readonly baseUrl?: string;
  /** As typed: any case, blanks and colons as grouping (C-REPO-01). */
  readonly anchors?: readonly string[];
  readonly priority?: number;
  readonly policy?: SignaturePolicy;
  readonly minIndexVersion?: number;
  readonly insecure?: boolean;
  readonly maxTrustedAgeDays?: number;
  readonly maxIndexStalenessDays?: number;
  readonly replace?: boolean;
}

/** Settings checked, nothing fetched. */
export interface RepositoryAddPlan {
  readonly configuration: RepositoryConfiguration;
  /** Each needs an elevated yes before `fetchRepositoryAdd()` (C-REPO-09). */
  readonly weakenings: readonly Weakening[];
  /** A file of this name exists; it is kept on failure (C-REPO-07). */
  readonly hadFile: boolean;
  /** The settings differ from the file's, so it will be written. */
  readonly writesFile: boolean;
  /** The repository is configured with these settings and trusted: adding it again would change nothing. */
  readonly isSettled: boolean;
}

/** What the trust question shows (R-ADD-07, C-REPO-05). */
export interface RepositoryCeremony {
  readonly plan: RepositoryAddPlan;
  readonly repositoryName: string;
  /** Every key of the verified descriptor. */
  readonly keys: readonly {
    readonly fingerprint: string;
    readonly status: KeyStatus;
    readonly validUntil: string | undefined;
    /** It was given as an anchor. */
    readonly matches: boolean;
  }[];
  readonly anchors: readonly { readonly fingerprint: string; readonly matches: boolean }[];
  /** Unsigned mode has no fingerprints to compare, hence no question (R-ADD-02). */
  readonly asksTrust: boolean;
  /** Opaque: what commit goes on with. */
  readonly verified: VerifiedDescriptor;
  readonly recorded: Recorded;
}

/**
 * Checks a request before any network access (R-ADD-01, R-ADD-02).
 *
 * @throws {PeipkgError} `usage`, `exists` (`E_REPO_EXISTS`), `unknown-repository`, `repo-config`, `transport`
 * (`E_INSECURE_TRANSPORT`)
 */
export function planRepositoryAdd(access: RepositoryAccess, request: RepositoryAddRequest): RepositoryAddPlan {
  const handle = operand(() => parseHandle(request.handle));
  using directory = access.openConfiguration(false);
  const existing = readRepositoryFiles(directory).find((file) => file.handle === handle);
  const configuration = request.configuration ??
    (request.baseUrl === undefined
      ? configurationOf(existing, handle)
      : configurationFrom(handle, request.baseUrl, request, existing));
  requireAnchors(configuration);
  if (/^http:/i.test(configuration.baseUrl) && !configuration.allowInsecureTransport) { // R-TRANS-01
    throw ruleError(
      "E_INSECURE_TRANSPORT",
      `cannot add repository "${handle}": "${configuration.baseUrl}" is plain http`,
      { repository: handle, url: configuration.baseUrl, hint: "use --insecure to allow it for this repository" },
    );
  }
  const differs = existing?.kind !== "valid" || !isSame(existing.configuration, configuration);
  if (existing !== undefined && differs && request.replace !== true) {
    throw ruleError("E_REPO_EXISTS", `repository "${handle}" is configured with other settings`, {
      repository: handle,
      hint: "use --replace to change them",
    });
  }
  // State without a file is what a removal left behind and counts as absent (R-RM-01).
  const state = existing === undefined ? undefined : readRecorded(access, handle, "active").state;
  const weakenings = state === undefined ? [] : findWeakenings(state.accepted, configuration);
  const isSettled = !differs && state !== undefined && weakenings.length === 0 &&
    (isUnsigned(configuration) || hasAcceptableKey(state, access.startedAt));
  return { configuration, weakenings, hadFile: existing !== undefined, writesFile: differs, isSettled };
}

/** R-ADD-02: what must be signed needs somebody whose signature counts. */
function requireAnchors({ handle, signaturePolicy, trustAnchors }: RepositoryConfiguration): void {
  if (signaturePolicy !== "required" || trustAnchors.length > 0) return;
  throw ruleError("E_CONFIG_VALUE", `cannot add repository "${handle}": "trust_anchors" is empty in its file`, {
    repository: handle,
    file: repositoryFileName(handle),
    key: "trust_anchors",
  });
}

function configurationOf(existing: RepositoryFile | undefined, handle: string): RepositoryConfiguration {
  if (existing?.kind === "invalid") throw existing.problem;
  return requireConfigured(existing === undefined ? [] : [existing.configuration], handle);
}

function configurationFrom(
  handle: string,
  baseUrl: string,
  request: RepositoryAddRequest,
  existing: RepositoryFile | undefined,
): RepositoryConfiguration {
  const anchors = (request.anchors ?? []).map(parseAnchor);
  const policy = request.policy ?? "required";
  if (policy === "required" && anchors.length === 0) {
    throw ruleError("E_NO_ANCHOR", `cannot add repository "${handle}": no --anchor is given`, {
      repository: handle,
      hint: "get the fingerprint from the publisher by a way you trust",
    });
  }
  // What no option of this command can say stays as the file had it.
  const { mirrors, allowSdOverrides, sdAllowedSids, official, enabled } = existing?.kind === "valid"
    ? existing.configuration
    : DEFAULT_REPOSITORY_SETTINGS;
  const { priority, minIndexVersion } = DEFAULT_REPOSITORY_SETTINGS;
  return {
    handle,
    baseUrl: operand(() => parseBaseUrl(baseUrl)),
    priority: inRange("--priority", request.priority ?? priority, 1, MAX_PRIORITY),
    signaturePolicy: policy,
    trustAnchors: [...new Set(anchors)],
    allowInsecureTransport: request.insecure ?? false,
    minIndexVersion: inRange(
      "--min-index-version",
      request.minIndexVersion ?? minIndexVersion,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    maxTrustedAgeDays: optionalInRange("--max-trusted-age-days", request.maxTrustedAgeDays),
    maxIndexStalenessDays: optionalInRange("--max-index-staleness-days", request.maxIndexStalenessDays),
    ...{ mirrors, allowSdOverrides, sdAllowedSids, official, enabled },
  };
}

/** A malformed operand is a usage error, whatever rule it breaks in a file (R-ADD-01). */
function operand<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof PeipkgError)) throw error;
    throw new PeipkgError("usage", error.message);
  }
}

function parseAnchor(text: string): string {
  const fingerprint = text.replace(/[\s:]/g, "").toLowerCase();
  if (isFingerprint(fingerprint)) return fingerprint;
  throw new PeipkgError("usage", `cannot use --anchor "${text}": expected 64 hexadecimal digits`);
}

function inRange(option: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new PeipkgError("usage", `cannot use ${option} ${value}: expected an integer from ${min} to ${max}`);
}

function optionalInRange(option: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : inRange(option, value, 1, 36_500);
}

function isSame(a: RepositoryConfiguration, b: RepositoryConfiguration): boolean {
  return JSON.stringify(acceptedFrom(a)) === JSON.stringify({ ...acceptedFrom(a), ...acceptedFrom(b) });
}

/**
 * Fetches and verifies the descriptor against the anchors (R-ADD-03 … R-ADD-06).
 *
 * @param granted Weakenings answered yes.
 * @throws {PeipkgError} `authorisation-required`, `anchor-mismatch`, `signature`, `format`, `transport`
 */
export async function fetchRepositoryAdd(
  access: RepositoryAccess,
  plan: RepositoryAddPlan,
  granted: readonly Weakening[] = [],
): Promise<RepositoryCeremony> {
  const { configuration } = plan;
  requireGranted(plan.weakenings, granted);
  warnAll(access, repositoryWarnings(access, configuration));
  const recorded: Recorded = plan.hadFile
    ? readRecorded(access, configuration.handle, "active")
    : { state: undefined, catalogue: undefined };
  // Anchors are the operator's word of now, so they decide again; floors and revocations stay.
  const state = recorded.state === undefined ? undefined : { ...recorded.state, keys: [] };
  const verified = await withClockExplained(access, () => fetchDescriptor(access, configuration, state));
  warnAll(access, verified.warnings);
  const { descriptor } = verified;
  const anchors = configuration.trustAnchors.map((fingerprint) => ({
    fingerprint,
    matches: descriptor.keys.some((key) => key.fingerprint === fingerprint),
  }));
  return {
    plan,
    repositoryName: descriptor.repositoryName,
    keys: descriptor.keys.map(({ fingerprint, status, validUntil }) => ({
      fingerprint,
      status,
      validUntil,
      matches: configuration.trustAnchors.includes(fingerprint),
    })),
    anchors,
    asksTrust: !isUnsigned(configuration),
    verified,
    recorded,
  };
}

/**
 * Fetches and verifies the active index and records everything together (R-ADD-08 … R-ADD-11). On failure what this
 * call wrote is taken back (C-REPO-07).
 *
 * @returns Index version and number of packages.
 */
export async function commitRepositoryAdd(
  access: RepositoryAccess,
  ceremony: RepositoryCeremony,
): Promise<{ readonly indexVersion: number; readonly packages: number }> {
  const { plan, verified, recorded } = ceremony;
  const { configuration } = plan;
  const { handle } = configuration;
  let undo = () => {};
  try {
    const index = await fetchIndex(access, configuration, verified, recorded, "active");
    warnAll(access, index.warnings);
    if (!plan.hadFile) await forget(access, handle);
    const packages = await recordIndex(access, configuration, verified, index, recorded, {
      via: "command",
      beforeCommit: () => {
        if (plan.writesFile) undo = writeConfiguration(access, configuration);
      },
    });
    if (packages === undefined) {
      throw ruleError("PLAN_STALE", `cannot add repository "${handle}": its state changed meanwhile`, {
        repository: handle,
      });
    }
    const { indexVersion } = index.stamp;
    access.audit({ type: "peipkg.repo-add", outcome: "success", repo: handle });
    access.session.emit({ kind: "repository", name: handle, result: "added", indexVersion, packages });
    return { indexVersion, packages };
  } catch (error) {
    undo();
    if (recorded.state === undefined) removeCache(access, handle);
    if (error instanceof PeipkgError) {
      const reason = error.detail.rule ?? error.code;
      access.audit({ type: "peipkg.repo-add", outcome: "rejection", reason, detail: error.message, repo: handle });
    }
    throw error;
  }
}

/** Writes the file and says how to take that back. */
function writeConfiguration(access: RepositoryAccess, configuration: RepositoryConfiguration): () => void {
  const name = repositoryFileName(configuration.handle);
  using directory = openConfigurationForWriting(access);
  const previous = readSmallFile(directory, name, CONFIGURATION_BYTES);
  writeRepositoryFile(directory, configuration);
  return () => {
    using again = openConfigurationForWriting(access);
    if (previous === undefined) removeRepositoryFile(again, configuration.handle);
    else writeFileDurably(again, name, previous, 0o644);
  };
}

function openConfigurationForWriting(access: RepositoryAccess): Directory {
  const directory = access.openConfiguration(true);
  if (directory === undefined) throw new PeipkgError("internal", "the configuration directory was not created");
  return directory;
}

function removeCache(access: RepositoryAccess, handle: string): void {
  using metadata = access.openCache("metadata", false);
  if (metadata !== undefined) removeCachedIndexes(metadata, handle);
  using advisories = access.openCache("advisories", false);
  if (advisories !== undefined) removeCopies(advisories, handle);
}

/** Deletes recorded state that belongs to no file (R-RM-01, R-ADD-13). */
async function forget(access: RepositoryAccess, handle: string): Promise<void> {
  const isThere = access.read((database) =>
    database !== undefined && readRepositoryState(database, handle) !== undefined
  );
  if (!isThere) return;
  await access.write((database) => database.write(() => removeRepositoryState(database, handle)));
}

/** One configured repository as shown (C-REPO-10). */
export type RepositoryListing =
  | {
    readonly kind: "valid";
    readonly configuration: RepositoryConfiguration;
    readonly trusted: boolean;
    readonly stale: boolean;
    /** Seconds since the epoch. */
    readonly lastRefreshAt: number | undefined;
    readonly indexGenerated: string | undefined;
    readonly indexVersion: number | undefined;
    readonly packages: number;
  }
  | { readonly kind: "invalid"; readonly handle: string; readonly problem: PeipkgError };

/** Lists repositories by priority, then name; invalid files come last, each with a warning. */
export function listRepositories(access: RepositoryAccess): readonly RepositoryListing[] {
  using directory = access.openConfiguration(false);
  return readRepositoryFiles(directory).map((file): RepositoryListing => {
    if (file.kind === "invalid") {
      warnAll(access, [{ rule: "W_REPO_INVALID", text: `repository "${file.handle}": ${file.problem.message}` }]);
      return file;
    }
    const { configuration } = file;
    const { state, catalogue } = readRecorded(access, file.handle, "active");
    const trusted = state !== undefined &&
      (isUnsigned(configuration) || hasAcceptableKey(state, access.startedAt));
    return {
      kind: "valid",
      configuration,
      trusted,
      stale: trusted && ageFinding(access, configuration) !== undefined,
      lastRefreshAt: state?.lastRefreshAt,
      indexGenerated: catalogue?.generatedAt,
      indexVersion: catalogue?.indexVersion,
      packages: access.read((database) => database === undefined ? 0 : countPackages(database, file.handle)),
    };
  });
}

/**
 * Removes file, recorded state and cached metadata; installed packages stay (R-RM-01, R-RM-02, C-REPO-11).
 *
 * @returns false when the name was not configured.
 */
export async function removeRepository(access: RepositoryAccess, handle: string): Promise<boolean> {
  using directory = access.openConfiguration(false);
  const isThere = directory !== undefined && handle !== "" && !handle.includes("/") &&
    directory.status(repositoryFileName(handle)) !== undefined;
  if (!isThere) return false;
  const hasState = access.read((database) =>
    database !== undefined && readRepositoryState(database, handle) !== undefined
  );
  // The file goes first: state without a file counts as absent, a file without state would ask for trust again.
  removeRepositoryFile(directory, handle);
  if (hasState) await access.write((database) => database.write(() => removeRepositoryState(database, handle)));
  removeCache(access, handle);
  access.audit({ type: "peipkg.repo-remove", outcome: "success", repo: handle });
  access.session.emit({ kind: "repository", name: handle, result: "removed" });
  return true;
}

/**
 * Switches a repository on or off, keeping its file's other settings and its trust (C-REPO-12).
 *
 * @returns false when it was so already.
 * @throws {PeipkgError} `unknown-repository`, `repo-config`
 */
export function setRepositoryEnabled(access: RepositoryAccess, handle: string, enabled: boolean): boolean {
  using directory = openConfigurationForWriting(access);
  const file = readRepositoryFiles(directory).find((found) => found.handle === handle);
  if (file?.kind === "invalid") throw file.problem;
  const configuration = requireConfigured(file === undefined ? [] : [file.configuration], handle);
  if (configuration.enabled === enabled) return false;
  writeRepositoryFile(directory, { ...configuration, enabled });
  return true;
}

/**
 * The keys a repository is trusted by (C-REPO-12); sticky revocations are shown as revoked.
 *
 * @throws {PeipkgError} `unknown-repository`, `untrusted`
 */
export function listRepositoryKeys(access: RepositoryAccess, handle: string): readonly RepositoryKey[] {
  using directory = access.openConfiguration(false);
  if (!readRepositoryFiles(directory).some((file) => file.handle === handle)) requireConfigured([], handle);
  const { state } = readRecorded(access, handle, "active");
  if (state === undefined) throw untrustedError(handle);
  return state.keys.map((key) => state.revocations.has(key.fingerprint) ? { ...key, status: "revoked" } : key);
}
