/**
 * Bundles: the closure of a request, chosen and verified as an installation would, written as a small signed
 * repository for machines without network (C-BUNDLE-01 … C-BUNDLE-05).
 */
import { PeipkgError, type Warning } from "../errors.ts";
import type { SigningKey } from "../format/keys.ts";
import { type Architecture, isArchitecture } from "../identity/architecture.ts";
import { compareVersions } from "../identity/version.ts";
import { type BundleItem, type BundleResult, readPreviousBundle, writeBundle } from "../publish/bundle.ts";
import type { AcquiredPackage } from "../repository/acquire.ts";
import { trustedKeys } from "../repository/trust_set.ts";
import type { CandidateIdentity } from "../resolver/plan.ts";
import type { Weakening } from "./accepted_configuration.ts";
import { reportAnswer, staleUseEvidence } from "./authorisations.ts";
import { acquirePlanned, type Available, loadAvailable } from "./available.ts";
import { acceptGranted, plannedOf, rejected, type RejectedFetch, sortByName, totalBytes } from "./fetch.ts";
import { type ListedPackage, ListedSet } from "./listed_set.ts";
import { type SelectionTarget, Selector } from "./selection.ts";
import type { Workspace } from "./workspace.ts";

export interface BundleChoice {
  readonly targets: readonly SelectionTarget[];
  /** What the target machine has; absent: nothing. */
  readonly installed: readonly ListedPackage[];
  /** The target's; `undefined`: this machine's. */
  readonly architecture: string | undefined;
  /** Older versions of every package too, for downgrades. */
  readonly archive: boolean;
  readonly allowStale: boolean;
}

/** What a bundle would hold. */
export interface PlannedBundle {
  readonly kind: "planned";
  /** Ascending by name. */
  readonly packages: readonly CandidateIdentity[];
  /** Older versions of the same packages, newest first within a name. */
  readonly older: readonly CandidateIdentity[];
  readonly sizeBytes: number;
  readonly architecture: Architecture;
  /** Names as asked for. */
  readonly requested: readonly string[];
  /** Opaque: what it was planned from. */
  readonly available: Available;
}

export interface BundleOutput {
  /** Absent or empty. */
  readonly directory: string;
  /** Handle and name of the repository. */
  readonly name: string;
  readonly signingKey: SigningKey;
  /** RFC 3339, `Z`. */
  readonly timestamp: string;
  /** Directory of an earlier bundle. */
  readonly previous: string | undefined;
  readonly resign: boolean;
}

/**
 * Chooses what a bundle holds. Age gates apply.
 *
 * @param granted Weakened repository settings already authorised (R-TRANS-04).
 * @throws {PeipkgError} What proving the repositories throws, `format` for a list that does not parse; a request
 * without an answer is a result
 * @see C-BUNDLE-02
 */
export async function planBundle(
  workspace: Workspace,
  choice: BundleChoice,
  granted: readonly Weakening[] = [],
): Promise<PlannedBundle | RejectedFetch> {
  const { targets } = choice;
  const archives = choice.archive || targets.some(({ version }) => version !== undefined);
  const gates = { dryRun: false, allowStale: choice.allowStale, gated: true, archives };
  const available = await loadAvailable(workspace, gates, granted);
  await acceptGranted(workspace, available, granted);
  return workspace.read((database) => {
    const architecture = architectureOf(choice, () => workspace.architecture(database));
    const selector = new Selector({ workspace, available, archives, architecture, database });
    const { candidates } = selector;
    const selection = selector.closure(targets, new ListedSet(choice.installed, architecture, candidates));
    if (selection.kind === "rejected") return rejected(selection.rejection);
    const packages = sortByName(selection.packages);
    const older = choice.archive ? packages.flatMap((item) => olderVersions(item, candidates.offered(item.name))) : [];
    return {
      kind: "planned",
      packages,
      older,
      sizeBytes: totalBytes([...packages, ...older]),
      architecture,
      requested: targets.map(({ name, version }) => version === undefined ? name : `${name}=${version}`),
      available,
    };
  });
}

function architectureOf({ architecture }: BundleChoice, own: () => Architecture): Architecture {
  if (architecture === undefined) return own();
  if (isArchitecture(architecture) && architecture !== "noarch") return architecture;
  throw new PeipkgError("format", `cannot use the list of the target: its architecture is "${architecture}"`);
}

/** Versions a downgrade of `item` could go to, from the repository it comes from. */
function olderVersions(
  item: CandidateIdentity,
  offered: readonly CandidateIdentity[],
): readonly CandidateIdentity[] {
  const { origin } = item;
  if (origin.kind !== "repository") return [];
  return offered
    .filter((other) =>
      other.origin.kind === "repository" && other.origin.repository === origin.repository &&
      other.architecture === item.architecture && compareVersions(other.version, item.version) < 0
    )
    .sort((a, b) => compareVersions(b.version, a.version));
}

/**
 * Fetches, verifies and writes a planned bundle.
 *
 * @throws {PeipkgError} `exists`, `usage`, `signature` (`E_SIG_MISSING`), `hash`, what acquiring throws, and what
 * reading the previous bundle throws
 * @see C-BUNDLE-01, C-BUNDLE-03, C-BUNDLE-04
 */
export async function makeBundle(
  workspace: Workspace,
  planned: PlannedBundle,
  output: BundleOutput,
): Promise<BundleResult> {
  const { session, settings } = workspace;
  const context = { session, layout: settings.layout };
  const { directory, name, signingKey, timestamp, previous, resign } = output;
  const earlier = previous === undefined
    ? undefined
    : await readPreviousBundle(context, previous, signingKey, workspace.startedAt);
  for (const evidence of staleUseEvidence(planned.available.stale)) reportAnswer(workspace, evidence, "granted");
  using acquired = await acquireAll(workspace, planned);
  const result = await writeBundle(context, {
    directory,
    name,
    signingKey,
    timestamp,
    requested: planned.requested,
    items: acquired.packages.map((item) => itemOf(item, planned.available)),
    resign,
    ...(earlier === undefined ? {} : { previous: earlier }),
  });
  for (const { file, name: owner } of result.packages) {
    session.emit({
      kind: "file",
      path: `${directory.replace(/(?<=.)\/+$/, "")}/${file}`,
      action: "written",
      package: owner,
    });
  }
  return result;
}

async function acquireAll(
  workspace: Workspace,
  planned: PlannedBundle,
): Promise<Disposable & { readonly packages: readonly AcquiredPackage[] }> {
  const { available, architecture } = planned;
  const packages = [...await acquirePlanned(workspace, available, plannedOf(planned.packages), architecture)];
  try {
    for (const item of planned.older) packages.push(...await acquireOlder(workspace, planned, item));
  } catch (error) {
    for (const item of packages) item[Symbol.dispose]();
    throw error;
  }
  for (const item of packages) for (const warning of item.warnings) workspace.warn(warning);
  return { packages, [Symbol.dispose]: () => packages.forEach((item) => item[Symbol.dispose]()) };
}

/** R-PKG-06: a version signed by a key that was dropped or revoked since cannot be installed, so it is left out. */
async function acquireOlder(
  workspace: Workspace,
  { available, architecture }: PlannedBundle,
  item: CandidateIdentity,
): Promise<readonly AcquiredPackage[]> {
  try {
    return await acquirePlanned(workspace, available, plannedOf([item]), architecture);
  } catch (error) {
    if (!(error instanceof PeipkgError) || error.code !== "signature") throw error;
    const warning: Warning = {
      rule: "W_ARCHIVE_SKIPPED",
      text: `${item.name} ${item.version.raw} was left out: ${error.message}`,
    };
    workspace.warn(warning);
    return [];
  }
}

function itemOf({ verified, source, repository = "" }: AcquiredPackage, available: Available): BundleItem {
  const { manifest, signature } = verified;
  const state = available.repositories.find(({ configuration }) => configuration.handle === repository)?.state;
  const keys = state === undefined || signature.kind !== "verified" ? [] : trustedKeys(state);
  const key = signature.kind === "verified"
    ? keys.find(({ fingerprint }) => fingerprint === signature.fingerprint)
    : undefined;
  return {
    name: manifest.name,
    version: manifest.version.raw,
    architecture: manifest.architecture,
    hash: verified.packageHash,
    origin: repository,
    source,
    signer: key?.publicKey,
    modifiedSeconds: verified.modifiedSeconds,
  };
}

/** A name a target can use as it is printed: the handle its `repo add` takes (R-CONF-01). */
export function isBundleName(name: string): boolean {
  return /^[a-z0-9-]{1,64}$/.test(name);
}
