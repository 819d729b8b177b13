/** Ways on from a rejection. Nothing is offered that was not solved: each is the same problem, altered, with a plan. */
import { compareVersions } from "../identity/version.ts";
import type { Rejection, RejectionSuggestion } from "./derivation.ts";
import type { Plan } from "./plan.ts";
import type { InstalledPackage, InstalledSource, Request, ResolutionOptions, ResolutionProblem } from "./problem.ts";
import { compareCandidates, compareText } from "./satisfaction.ts";

type Resolve = (problem: ResolutionProblem) => Plan | Rejection;

/** Attempts per rejection; each costs a search. */
const MAX_ATTEMPTS = 6;
/** Other versions of the named package tried. */
const MAX_VERSIONS = 3;

/**
 * Finds ways on from a rejection, most direct first.
 *
 * @see S-EXPL-01
 */
export function suggestionsFor(
  rejection: Rejection,
  problem: ResolutionProblem,
  resolve: Resolve,
): readonly RejectionSuggestion[] {
  if (rejection.rule === "E_TOO_COMPLEX") return [];
  const found: RejectionSuggestion[] = [];
  let attempts = 0;
  for (const attempt of attemptsFor(rejection, problem)) {
    if (attempts++ === MAX_ATTEMPTS) break;
    const answer = resolve(attempt.problem);
    if (answer.kind === "plan") found.push(attempt.offer(answer));
  }
  return found;
}

interface Attempt {
  readonly problem: ResolutionProblem;
  readonly offer: (plan: Plan) => RejectionSuggestion;
}

function* attemptsFor(rejection: Rejection, problem: ResolutionProblem): Generator<Attempt> {
  const { options } = problem;
  switch (rejection.rule) {
    case "E_CONFLICT":
    case "E_REMOVAL_BLOCKED":
      if (!options.cascade && problem.operation !== "undo") {
        yield { problem: withOptions(problem, { cascade: true }), offer: offerCascade };
      }
      break;
    case "E_VERSION_REGRESSION":
      yield { problem: withOptions(problem, { allowDowngrade: true }), offer: offerDowngrade };
      break;
    case "E_CRITICAL": {
      const { subject } = rejection;
      yield {
        problem: withOptions(problem, { allowCritical: true }),
        offer: () => ({ kind: "allow-critical", name: subject }),
      };
      break;
    }
    default:
      break;
  }
  for (const name of heldNames(rejection, problem)) {
    yield { problem: unlocked(problem, name), offer: () => ({ kind: "unlock", name }) };
  }
  yield* otherVersions(rejection, problem);
  yield* withoutOne(rejection, problem);
}

function offerCascade(plan: Plan): RejectionSuggestion {
  const removes: string[] = [];
  for (const operation of plan.operations) {
    if (operation.kind === "remove" && !operation.requested) removes.push(operation.from.name);
  }
  return { kind: "cascade", removes: removes.sort(compareText) };
}

function offerDowngrade(plan: Plan): RejectionSuggestion {
  const moves: { name: string; from: string; to: string }[] = [];
  for (const operation of plan.operations) {
    if (operation.kind !== "downgrade") continue;
    moves.push({ name: operation.target.name, from: operation.from.version.raw, to: operation.target.version.raw });
  }
  return { kind: "allow-downgrade", moves: moves.sort((a, b) => compareText(a.name, b.name)) };
}

/** Held packages the rejection speaks of. */
function heldNames(rejection: Rejection, problem: ResolutionProblem): readonly string[] {
  const names = new Set<string>();
  if (rejection.rule === "E_HELD") names.add(rejection.subject);
  if (rejection.broken?.held === true) names.add(rejection.broken.dependent);
  for (const item of rejection.considered) if (item.excluded === "held") names.add(item.name);
  return [...names].filter((name) => problem.installed.get(name)?.held === true).sort(compareText);
}

/** Other versions of a package named for installation: what the search is not free to pick by itself. */
function* otherVersions(rejection: Rejection, problem: ResolutionProblem): Generator<Attempt> {
  if (rejection.rule === "E_CYCLE" || rejection.chain[0] === undefined) return;
  const request = problem.requests.find((item) =>
    item.kind === "install" && item.version === undefined && rejection.chain[0] === `install ${item.name}`
  );
  if (request?.kind !== "install" || problem.installed.get(request.name) !== undefined) return;
  const { name } = request;
  const tried = new Set<string>();
  // newest first; the first sort fixes the order in which the second meets its items (S-SELECT-08)
  const candidates = [...problem.available.named(name)].sort(compareCandidates)
    .sort((a, b) => compareVersions(b.version, a.version));
  if (candidates.length < 2) return;
  for (const candidate of candidates) {
    if (tried.size === MAX_VERSIONS || tried.has(candidate.version.raw)) continue;
    if (candidate.origin.kind !== "repository") continue;
    tried.add(candidate.version.raw);
    const { version } = candidate;
    const altered: Request = { ...request, version };
    yield {
      problem: { ...problem, requests: problem.requests.map((item) => item === request ? altered : item) },
      offer: (plan) => ({ kind: "version", name, version: version.raw, repository: repositoryOf(plan, name) }),
    };
  }
}

/** Where a plan takes a package from. */
function repositoryOf(plan: Plan, name: string): string {
  for (const operation of plan.operations) {
    if (operation.kind === "remove" || operation.target.name !== name) continue;
    const { origin } = operation.target;
    if (origin.kind === "repository") return origin.repository;
  }
  return "";
}

/** The rest of a request of several names, or of a full upgrade, when one of them is what fails. */
function* withoutOne(rejection: Rejection, problem: ResolutionProblem): Generator<Attempt> {
  const all = problem.requests.find((request) => request.kind === "upgrade-all");
  const target = rejection.chain[0]?.startsWith("upgrade ") === true ? rejection.chain[0].slice("upgrade ".length) : "";
  if (all?.kind === "upgrade-all" && problem.installed.get(target) !== undefined) {
    const altered: Request = { ...all, exclude: [...all.exclude ?? [], target] };
    yield {
      problem: { ...problem, requests: problem.requests.map((request) => request === all ? altered : request) },
      offer: () => ({ kind: "without", name: target }),
    };
    return;
  }
  const named = problem.requests.filter((request) => request.kind === "install" || request.kind === "upgrade");
  if (named.length < 2) return;
  const failing = named.find((request) => rejection.chain[0] === `${request.kind} ${request.name}`);
  if (failing === undefined) return;
  const { name } = failing;
  yield {
    problem: { ...problem, requests: problem.requests.filter((request) => request !== failing) },
    offer: () => ({ kind: "without", name }),
  };
}

function withOptions(problem: ResolutionProblem, change: Partial<ResolutionOptions>): ResolutionProblem {
  return { ...problem, options: { ...problem.options, ...change } };
}

/** The same installed set with one lock taken off. */
function unlocked(problem: ResolutionProblem, name: string): ResolutionProblem {
  const { installed } = problem;
  const swapped = new Map<InstalledPackage, InstalledPackage>();
  const swap = (item: InstalledPackage): InstalledPackage => {
    if (item.name !== name || !item.held) return item;
    const known = swapped.get(item) ?? { ...item, held: false };
    swapped.set(item, known);
    return known;
  };
  const source: InstalledSource = {
    get: (wanted) => {
      const item = installed.get(wanted);
      return item === undefined ? undefined : swap(item);
    },
    names: () => installed.names(),
    providersOf: (wanted) => installed.providersOf(wanted).map(swap),
    dependentsOn: (wanted) => installed.dependentsOn(wanted).map(swap),
    optionalDependentsOn: (wanted) => installed.optionalDependentsOn(wanted).map(swap),
    conflictingWith: (wanted) => installed.conflictingWith(wanted).map(swap),
    replacersOf: (wanted) => installed.replacersOf(wanted).map(swap),
    breakage: () => installed.breakage(),
  };
  return { ...problem, installed: source };
}
