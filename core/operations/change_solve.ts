/**
 * A request and a snapshot → what is shown before the questions. Synchronous and read-only: it runs inside one read
 * snapshot while planning, and again under the writer lock to see whether the plan still stands (T-PLAN-04).
 */
import { ruleError } from "../errors.ts";
import type { Architecture } from "../identity/architecture.ts";
import { parseProvidedVersion } from "../identity/version.ts";
import type { Rejection } from "../resolver/derivation.ts";
import type { Plan } from "../resolver/plan.ts";
import type { Request, ResolutionOperation, ResolutionProblem } from "../resolver/problem.ts";
import { solve } from "../resolver/solve.ts";
import { unusedAfter, type UnusedOptions, unusedPackages } from "../resolver/autoremove.ts";
import type { Database } from "../store/database.ts";
import { readHolders } from "../store/roles.ts";
import { CandidateSet } from "./candidate_set.ts";
import type { ChangeInputs } from "./change_inputs.ts";
import type { ChangeRequest } from "./change_request.ts";
import { InstalledSet } from "./installed_set.ts";
import { rankRepositories } from "./orphans.ts";
import type { UndoSubject } from "./undo.ts";
import type { Workspace } from "./workspace.ts";

export interface Solved {
  readonly answer: Plan | Rejection;
  readonly installed: InstalledSet;
  readonly candidates: CandidateSet;
}

const NO_OPERATIONS: Plan = {
  kind: "plan",
  operations: [],
  authorisations: [],
  heldBack: [],
  suggestions: [],
  marks: [],
  warnings: [],
};

/** Solves a request on a snapshot; `undefined` database: nothing is installed. */
export function solveChange(
  workspace: Workspace,
  request: ChangeRequest,
  inputs: ChangeInputs,
  undo: UndoSubject | undefined,
  architecture: Architecture,
  database: Database | undefined,
): Solved {
  const { settings } = workspace;
  const installed = new InstalledSet(database, settings.layout);
  const candidates = new CandidateSet(database, {
    priorities: inputs.available.priorities,
    kinds: new Set(inputs.usesArchive ? ["active", "archive"] : ["active"]),
    profile: settings.layout,
    retained: undo?.candidates ?? [],
  });
  if (request.kind === "claim") return { answer: NO_OPERATIONS, installed, candidates };
  const requests = requestsOf(request, inputs, undo, installed, unusedOptions(workspace, request, database));
  if (request.kind === "import") requireOffered(requests, candidates);
  const problem: ResolutionProblem = {
    operation: operationOf(request),
    requests,
    primaryArchitecture: architecture,
    repositories: database === undefined ? [] : rankRepositories(workspace, database),
    available: candidates,
    installed,
    options: {
      cascade: request.options.cascade,
      allowDowngrade: request.options.allowDowngrade,
      allowCritical: request.options.allowCritical,
      critical: criticalNames(workspace, database),
    },
  };
  return { answer: solveWithUnused(workspace, problem, request, database), installed, candidates };
}

/** `--autoremove`: what the plan leaves unused goes with it, in one plan. */
function solveWithUnused(
  workspace: Workspace,
  problem: ResolutionProblem,
  request: ChangeRequest,
  database: Database | undefined,
): Plan | Rejection {
  const answer = solve(problem);
  if (answer.kind !== "plan" || !request.options.autoRemove) return answer;
  const unused = unusedAfter(problem, answer, unusedOptions(workspace, request, database));
  if (unused.length === 0) return answer;
  const removals: readonly Request[] = unused.map((name) => ({ kind: "remove", name }));
  return solve({ ...problem, requests: [...problem.requests, ...removals] });
}

function unusedOptions(workspace: Workspace, request: ChangeRequest, database: Database | undefined): UnusedOptions {
  const isAutoremove = request.kind === "autoremove";
  return {
    critical: criticalNames(workspace, database),
    roleHolders: database === undefined ? [] : readHolders(database).map(({ holder }) => holder),
    keep: isAutoremove ? request.keep : [],
    ignoreOptional: isAutoremove && request.ignoreOptional,
  };
}

/** Names guarded from removal (S-CRIT-01, T-RM-09). */
function criticalNames(workspace: Workspace, database: Database | undefined): readonly string[] {
  const owner = database === undefined ? undefined : workspace.programOwner(database);
  return owner === undefined ? workspace.settings.criticalPackages : [...workspace.settings.criticalPackages, owner];
}

function operationOf(request: Exclude<ChangeRequest, { readonly kind: "claim" }>): ResolutionOperation {
  return request.kind;
}

function requestsOf(
  request: Exclude<ChangeRequest, { readonly kind: "claim" }>,
  inputs: ChangeInputs,
  undo: UndoSubject | undefined,
  installed: InstalledSet,
  unused: UnusedOptions,
): readonly Request[] {
  switch (request.kind) {
    case "install":
      return installRequests(request, inputs);
    case "remove":
      return request.names.map((name) => ({ kind: "remove", name }));
    case "upgrade":
      return request.names.length === 0
        ? [{ kind: "upgrade-all", exclude: request.exclude }]
        : request.names.filter((name) => !request.exclude.includes(name)).map((name) => ({ kind: "upgrade", name }));
    case "downgrade":
      return [{ kind: "downgrade", name: request.name, version: parseProvidedVersion(request.version) }];
    case "autoremove":
      return unusedPackages(installed, unused).map((name) => ({ kind: "remove", name }));
    case "undo":
      return undo?.requests ?? [];
    case "import":
      return importRequests(request, installed);
  }
}

function installRequests(
  request: Extract<ChangeRequest, { readonly kind: "install" }>,
  inputs: ChangeInputs,
): readonly Request[] {
  const { automatic } = request;
  const files = [...inputs.local.values()].map((file): Request => ({
    kind: "install-file",
    file: file.candidate,
    automatic,
    reinstall: request.reinstall,
  }));
  const names = request.targets.flatMap((target): readonly Request[] => {
    if (target.kind === "file") return [];
    if (request.reinstall || target.reinstall === true) return [{ kind: "reinstall", name: target.name }];
    return [{
      kind: "install",
      name: target.name,
      automatic,
      ...(target.version === undefined ? {} : { version: parseProvidedVersion(target.version) }),
    }];
  });
  return [...files, ...names];
}

/**
 * C-EXPORT-02: names nobody offers are all reported; a single one is for the resolver to explain.
 *
 * @throws {PeipkgError} `unresolvable` (`E_NO_CANDIDATE`)
 */
function requireOffered(requests: readonly Request[], candidates: CandidateSet): void {
  const missing = requests.flatMap((request) =>
    request.kind === "install" && candidates.named(request.name).length === 0 ? [request.name] : []
  );
  if (missing.length < 2) return;
  throw ruleError("E_NO_CANDIDATE", `no repository offers ${missing.length} of the packages listed`, {
    packages: missing,
    lines: missing,
  });
}

/** C-EXPORT-02: what is missing is installed; `--exact` wants the listed versions, `--prune` removes the rest. */
function importRequests(
  request: Extract<ChangeRequest, { readonly kind: "import" }>,
  installed: InstalledSet,
): readonly Request[] {
  const listed = new Set<string>(request.packages.map(({ name }) => name));
  const wanted = request.packages.flatMap(({ name, version, automatic }): readonly Request[] => {
    const present = installed.get(name);
    if (!request.exact || version === undefined) {
      return present === undefined ? [{ kind: "install", name, automatic }] : [];
    }
    if (present?.version.raw === version) return [];
    const exact = parseProvidedVersion(version);
    return [
      present === undefined ? { kind: "install", name, automatic, version: exact } : {
        kind: "downgrade",
        name,
        version: exact,
      },
    ];
  });
  const surplus = request.prune ? installed.packageNames.filter((name) => !listed.has(name)) : [];
  return [...wanted, ...surplus.map((name): Request => ({ kind: "remove", name }))];
}
