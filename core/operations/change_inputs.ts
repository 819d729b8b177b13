/**
 * What a change is planned from, gathered before the plan: the repositories that may be used, proven, and the local
 * files named, verified in full (C-INSTALL-13). Everything else is read from the snapshot while solving.
 */
import { ruleError, type Warning } from "../errors.ts";
import { verifyPackage } from "../format/package_file.ts";
import type { Manifest } from "../format/manifest.ts";
import type { Architecture } from "../identity/architecture.ts";
import { openByteSource } from "../repository/byte_source.ts";
import { trustedKeys } from "../repository/trust_set.ts";
import { type Candidate, relationsOf } from "../resolver/problem.ts";
import type { Weakening } from "./accepted_configuration.ts";
import { type Available, loadAvailable } from "./available.ts";
import type { ChangeRequest } from "./change_request.ts";
import { openNamedFile } from "./named_files.ts";
import type { Workspace } from "./workspace.ts";

/** A package file given by the operator. */
export interface LocalPackage {
  readonly path: string;
  readonly candidate: Candidate;
  readonly manifest: Manifest;
}

export interface ChangeInputs {
  /** Nothing where the request needs no candidates. */
  readonly available: Available;
  readonly usesArchive: boolean;
  /** By package name. */
  readonly local: ReadonlyMap<string, LocalPackage>;
  readonly warnings: readonly Warning[];
}

const NOTHING_AVAILABLE: Available = {
  repositories: [],
  priorities: new Map(),
  digests: new Map(),
  stale: [],
  consulted: [],
};

/** What the repositories are needed for. */
export interface CandidateNeed {
  readonly candidates: boolean;
  readonly archive: boolean;
  /** Age gates apply (R-AGE-06). */
  readonly gated: boolean;
}

/** @see R-CACHE-07, C-PLAN-06, C-UNDO-05 */
export function needOf(request: ChangeRequest): CandidateNeed {
  switch (request.kind) {
    case "remove":
    case "autoremove":
    case "claim":
    case "undo": // an undo that kept content does not serve asks again, for the archive
      return { candidates: false, archive: false, gated: false };
    case "downgrade":
      return { candidates: true, archive: true, gated: true };
    case "import":
      return { candidates: true, archive: request.exact, gated: true };
    case "install": {
      const exact = request.targets.some((target) => target.kind === "name" && target.version !== undefined);
      return { candidates: true, archive: exact, gated: true };
    }
    case "upgrade":
      return { candidates: true, archive: false, gated: true };
  }
}

/**
 * Gathers the inputs of a request. May refresh repositories that are past their age limits, unless it is a dry run.
 *
 * @throws {PeipkgError} `untrusted`, `stale`, `repository-unusable`, `repo-config`, `authorisation-required`, and
 * what verifying a local file throws
 * @see C-INSTALL-13, C-INSTALL-14, C-PLAN-06, R-CACHE-07, R-AGE-04
 */
export async function gatherInputs(
  workspace: Workspace,
  request: ChangeRequest,
  architecture: Architecture,
  need: CandidateNeed,
  granted: readonly Weakening[],
): Promise<ChangeInputs> {
  const available = need.candidates
    ? await loadAvailable(workspace, availableOptions(request, need), granted)
    : NOTHING_AVAILABLE;
  const local = new Map<string, LocalPackage>();
  const warnings: Warning[] = [];
  for (const path of request.kind === "install" ? filesOf(request) : []) {
    const isRequired = request.kind === "install" && request.requireSignature;
    const file = await readLocalPackage(workspace, path, architecture, isRequired ? available : undefined);
    const other = local.get(file.candidate.name);
    if (other !== undefined && other.candidate.hash !== file.candidate.hash) { // C-INSTALL-11
      throw ruleError(
        "E_REQ_CONTRADICTORY",
        `cannot install "${other.path}" and "${file.path}": both are "${file.candidate.name}"`,
        { package: file.candidate.name },
      );
    }
    local.set(file.candidate.name, file);
    warnings.push(...file.warnings);
  }
  return { available, usesArchive: need.archive, local, warnings };
}

function availableOptions(request: ChangeRequest, need: CandidateNeed) {
  const only = request.kind === "install" && request.repositories.length > 0 ? { only: request.repositories } : {};
  return {
    dryRun: request.options.dryRun,
    allowStale: request.options.allowStale,
    gated: need.gated,
    archives: need.archive,
    ...only,
  };
}

function filesOf(request: Extract<ChangeRequest, { readonly kind: "install" }>): readonly string[] {
  return request.targets.flatMap((target) => target.kind === "file" ? [target.path] : []);
}

/** @param signers Repositories whose keys must have signed the file; absent: the signature is not judged. */
async function readLocalPackage(
  workspace: Workspace,
  path: string,
  architecture: Architecture,
  signers: Available | undefined,
): Promise<LocalPackage & { readonly warnings: readonly Warning[] }> {
  const { settings, session, startedAt } = workspace;
  using source = openByteSource(openNamedFile(workspace.session, path), path);
  const keys = signers?.repositories.flatMap(({ state }) => trustedKeys(state));
  const verified = await verifyPackage(source, {
    trust: keys === undefined
      ? { kind: "local-file" }
      : { kind: "local-file", keys, requireSignature: true, now: startedAt },
    systemArchitecture: architecture,
    layout: settings.layout,
    official: false,
    dropinRepository: "local",
    dropinDirectories: settings.dropinDirectories,
    maxDecompressedBytes: settings.maxDecompressedBytes,
    signal: session.signal,
  });
  const { manifest } = verified;
  const candidate: Candidate = {
    name: manifest.name,
    version: manifest.version,
    architecture: manifest.architecture,
    origin: { kind: "local-file", path },
    hash: verified.packageHash,
    sizeCompressedBytes: verified.sizeCompressedBytes,
    sizeInstalledBytes: manifest.sizeInstalledBytes,
    url: "",
    ...relationsOf(manifest),
    alternateUpgrade: manifest.alternateUpgrade,
  };
  return { path, manifest, candidate, warnings: verified.warnings };
}
