/**
 * A slow, obvious reading of the resolution rules for small worlds: plain depth-first search that copies its state,
 * checks only at the end and learns nothing. It shares no code with the resolver but versions and constraints.
 * It covers install, upgrade, downgrade, restore and remove requests, holds, cascades and local files; not the
 * wording, authorisations and warnings.
 */
import { satisfiesConstraint } from "../../core/identity/constraint.ts";
import { compareEpochAndUpstream, compareVersions, type Version } from "../../core/identity/version.ts";
import type {
  Candidate,
  InstalledPackage,
  PackageFacts,
  RelationEntry,
  Request,
  ResolutionProblem,
} from "../../core/resolver/problem.ts";

/** What the oracle says: the changed names with their new version (or `-`), or a code. */
export type Verdict =
  | { readonly kind: "world"; readonly changes: readonly string[] }
  | { readonly kind: "failure"; readonly code: string; readonly root: string | undefined }
  | { readonly kind: "unknown" };

interface State {
  readonly world: Map<string, PackageFacts>;
  readonly placed: Map<string, Candidate>;
  /** Names being removed, and whether by request or cascade. */
  readonly gone: Map<string, boolean>;
  readonly anchors: string[];
  /** For each placed name, the goal at its root. */
  readonly roots: Map<string, string>;
}

interface Goal {
  readonly name: string;
  readonly kind: Request["kind"];
  readonly named: boolean;
  readonly candidates: readonly Candidate[];
  /** The exact version a file, downgrade or restore wants. */
  readonly version?: Version;
}

const PLACEMENT_LIMIT = 200_000;

/** Answers a problem by trying everything. */
export function judge(problem: ResolutionProblem): Verdict {
  const heldBack = new Set<string>();
  for (;;) {
    const plain = new Oracle(problem, heldBack, false).run();
    const verdict = plain.kind === "failure" && plain.code === "E_CONFLICT" && mayCascade(problem)
      ? new Oracle(problem, heldBack, true).run()
      : plain;
    if (verdict.kind !== "failure" || verdict.root === undefined || heldBack.has(verdict.root)) return verdict;
    heldBack.add(verdict.root); // S-UPG-05
  }
}

class Oracle {
  #first: { code: string; root: string | undefined } | undefined;
  #placements = 0;
  #goals: readonly Goal[] = [];
  readonly #all: readonly Candidate[];
  readonly #installed: readonly InstalledPackage[];

  constructor(readonly problem: ResolutionProblem, readonly heldBack: ReadonlySet<string>, readonly settle: boolean) {
    const files = problem.requests.flatMap((request) => request.kind === "install-file" ? [request.file] : []);
    this.#all = [...WORLD_NAMES.flatMap((name) => problem.available.named(name)), ...files];
    this.#installed = problem.installed.names().map((name) => problem.installed.get(name))
      .filter((item) => item !== undefined);
  }

  run(): Verdict {
    const early = this.#prepare();
    if (typeof early === "string") return { kind: "failure", code: early, root: undefined };
    const answer = this.#goal(0, early);
    if (this.#placements > PLACEMENT_LIMIT) return { kind: "unknown" };
    if (answer !== undefined) return { kind: "world", changes: this.#changes(answer) };
    return { kind: "failure", code: this.#first?.code ?? "", root: this.#first?.root };
  }

  #changes(state: State): readonly string[] {
    const changes: string[] = [];
    for (const [name, candidate] of state.placed) changes.push(`${name} ${candidate.version.raw} ${candidate.hash}`);
    for (const name of state.gone.keys()) changes.push(`${name} -`);
    return changes.sort();
  }

  #get(name: string): InstalledPackage | undefined {
    return this.problem.installed.get(name);
  }

  #prepare(): State | string {
    const { requests } = this.problem;
    const names = requests.flatMap((request) =>
      request.kind === "upgrade-all" ? [] : request.kind === "install-file" ? [request.file.name] : [request.name]
    );
    if (new Set(names).size < names.length) return "E_REQ_CONTRADICTORY";
    const sorted = [...requests].sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
    for (const request of sorted) {
      const needs = request.kind === "upgrade" || request.kind === "remove" || request.kind === "downgrade";
      if (needs && this.#get(nameOf(request)) === undefined) return "E_NOT_INSTALLED";
    }
    const state: State = {
      world: new Map(this.#installed.map((item) => [item.name, item])),
      placed: new Map(),
      gone: new Map(),
      anchors: [],
      roots: new Map(),
    };
    const goals: Goal[] = [];
    for (const request of sorted) {
      const code = this.#prepareRequest(request, goals, state);
      if (code !== undefined) return code;
    }
    this.#goals = this.#dropReplaced(goals.sort((a, b) => a.name < b.name ? -1 : 1));
    return state;
  }

  #prepareRequest(request: Request, goals: Goal[], state: State): string | undefined {
    const name = nameOf(request);
    const installed = this.#get(name);
    const named = this.#all.filter((candidate) => candidate.name === name);
    switch (request.kind) {
      case "install":
        goals.push({ name, kind: "install", named: true, candidates: named });
        return;
      case "install-file":
        goals.push({
          name,
          kind: "install-file",
          named: true,
          candidates: [request.file],
          version: request.file.version,
        });
        return;
      case "restore":
        goals.push({
          name,
          kind: "restore",
          named: true,
          version: request.version,
          candidates: named.filter((candidate) => compareVersions(candidate.version, request.version) === 0),
        });
        return;
      case "downgrade": {
        const fits = named.filter((candidate) =>
          this.#runs(candidate) && compareEpochAndUpstream(candidate.version, request.version) === 0 &&
          (request.version.revision ?? candidate.version.revision) === candidate.version.revision
        );
        if (installed === undefined) return "E_NOT_INSTALLED";
        let best: Candidate | undefined;
        for (const candidate of fits) {
          if (best === undefined || compareVersions(candidate.version, best.version) > 0) best = candidate;
        }
        if (best === undefined) {
          const order = compareEpochAndUpstream(request.version, installed.version);
          if (order > 0) return "E_NOT_A_DOWNGRADE";
          if (order < 0) return "E_VERSION_NOT_AVAILABLE";
        } else if (compareVersions(best.version, installed.version) > 0) return "E_NOT_A_DOWNGRADE";
        const version = best?.version;
        const candidates = named.filter((candidate) =>
          version !== undefined && compareVersions(candidate.version, version) === 0
        );
        const same = version === undefined || compareVersions(version, installed.version) === 0;
        goals.push(
          same || version === undefined
            ? { name, kind: "reinstall", named: true, candidates }
            : { name, kind: "downgrade", named: true, candidates, version },
        );
        return;
      }
      case "remove":
        if (installed === undefined) return "E_NOT_INSTALLED";
        if (this.#critical(name)) return "E_CRITICAL";
        if (installed.held) return "E_HELD";
        state.world.delete(name);
        state.gone.set(name, true);
        return;
      case "upgrade": {
        if (installed === undefined) return "E_NOT_INSTALLED";
        if (installed.held) return "E_HELD";
        const target = this.#target(installed);
        if (target.length > 0) goals.push({ name, kind: "upgrade", named: true, candidates: target });
        else if (this.#orphaned(installed) && !named.some((candidate) => this.#runs(candidate))) {
          return "E_ORPHAN_NO_SOURCE";
        } else goals.push({ name, kind: "reinstall", named: true, candidates: [] });
        return;
      }
      case "upgrade-all":
        for (const item of this.#installed) {
          if (item.held || this.heldBack.has(item.name)) continue;
          const target = this.#target(item);
          if (target.length > 0) goals.push({ name: item.name, kind: "upgrade", named: false, candidates: target });
        }
        return;
      case "reinstall":
        throw new TypeError("not covered");
    }
  }

  /** S-UPG-04 */
  #dropReplaced(goals: readonly Goal[]): readonly Goal[] {
    return goals.filter((goal) =>
      goal.named || goal.kind !== "upgrade" || !goals.some((other) => {
        const best = this.#ranked(other.candidates, undefined, undefined)[0];
        if (other.kind !== "upgrade" || best === undefined) return false;
        if (best === this.#ranked(goal.candidates, undefined, undefined)[0]) return false;
        return this.#targets(best).some((target) => target.name === goal.name);
      })
    );
  }

  /** S-UPG-01 */
  #target(installed: InstalledPackage): readonly Candidate[] {
    const named = this.#all.filter((item) => item.name === installed.name && this.#runs(item));
    const successors = this.#all.filter((item) => {
      if (!this.#runs(item) || !this.#targets(item).includes(installed)) return false;
      const present = this.#get(item.name);
      if (present !== undefined && compareVersions(present.version, item.version) >= 0) return false;
      return !named.some((own) => rankOf(own) < rankOf(item));
    });
    const successor = this.#ranked(successors, undefined, undefined)[0];
    if (successor !== undefined) return successors.filter((item) => rankOf(item) === rankOf(successor));
    const best = this.#ranked(named, undefined, undefined)[0];
    if (best === undefined || compareVersions(best.version, installed.version) <= 0) return [];
    return named.filter((item) =>
      rankOf(item) === rankOf(best) && compareVersions(item.version, installed.version) > 0
    );
  }

  #goal(index: number, state: State): State | undefined {
    const goal = this.#goals[index];
    if (goal === undefined) return this.#closure(state);
    const present = state.world.get(goal.name);
    const isMet = goal.kind === "upgrade"
      ? state.gone.has(goal.name) || state.placed.has(goal.name) ||
        goal.candidates.some((candidate) => state.placed.get(candidate.name) === candidate)
      : goal.kind === "reinstall" ||
        present !== undefined && (goal.version === undefined || compareVersions(present.version, goal.version) === 0);
    if (isMet) {
      const next = copy(state);
      if (goal.kind !== "upgrade" && present !== undefined && !next.anchors.includes(goal.name)) {
        next.anchors.push(goal.name);
        if (!next.placed.has(goal.name)) next.roots.set(goal.name, goal.name);
      }
      return this.#goal(index + 1, next);
    }
    const words = goal.candidates.map((candidate) => this.#excluded(candidate, undefined, state));
    const options = this.#options(goal.candidates, undefined, undefined, state);
    if (options.length === 0 && goal.kind === "upgrade" && !goal.named) return this.#goal(index + 1, state);
    if (options.length === 0) {
      const missing = goal.kind === "restore" ? "E_UNDO_UNAVAILABLE" : "E_NO_CANDIDATE";
      return this.#fail(goal.candidates.length === 0 ? missing : byWord(words, true), undefined);
    }
    for (const option of options) {
      const answer = this.#goal(index + 1, this.#place(option, goal.name, state));
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /** S-RM-01 … S-RM-03 */
  #closure(state: State): State | undefined {
    const next = copy(state);
    for (;;) {
      const blockers = this.#installed.filter((item) =>
        next.world.get(item.name) === item && !next.anchors.includes(item.name) &&
        item.dependencies.some((entry) =>
          !this.#met(entry, item, next) &&
          this.#installed.some((other) => meets(entry, item, other) && next.gone.get(other.name) === true)
        )
      );
      if (blockers.length === 0) return this.#obligations(next);
      if (!mayCascade(this.problem)) return this.#fail("E_REMOVAL_BLOCKED", undefined);
      for (const blocker of blockers.sort((a, b) => a.name < b.name ? -1 : 1)) {
        if (this.#critical(blocker.name)) return this.#fail("E_CRITICAL", undefined);
        if (blocker.held) return this.#fail("E_HELD", undefined);
      }
      for (const blocker of blockers) {
        next.world.delete(blocker.name);
        next.gone.set(blocker.name, true);
      }
    }
  }

  #obligations(state: State): State | undefined {
    for (const name of state.anchors) {
      const facts = state.world.get(name);
      if (facts === undefined) continue;
      for (const entry of facts.dependencies) {
        if (this.#met(entry, facts, state)) continue;
        const root = state.roots.get(name);
        const pool = this.#all.filter((candidate) => fits(entry, candidate));
        const options = this.#options(pool, facts, state.placed.get(name), state, entry).filter((candidate) =>
          meets(entry, facts, candidate)
        );
        if (options.length === 0) {
          const code = byWord(pool.map((candidate) => this.#excluded(candidate, facts, state)), false);
          return this.#fail(code, code === "E_HELD" ? root : undefined);
        }
        return this.#try(options, root ?? "", state);
      }
    }
    return this.#repairs(state);
  }

  /** S-SEARCH-06 */
  #repairs(state: State): State | undefined {
    for (const item of [...this.#installed].sort((a, b) => a.name < b.name ? -1 : 1)) {
      if (state.world.get(item.name) !== item || state.anchors.includes(item.name)) continue;
      for (const entry of item.dependencies) {
        if (this.#met(entry, item, state) || !this.#installed.some((other) => meets(entry, item, other))) continue;
        const own = this.#options(this.#all.filter((other) => other.name === item.name), undefined, undefined, state);
        const pool = this.#all.filter((candidate) => fits(entry, candidate));
        const others = this.#options(pool, item, undefined, state, entry);
        const root = this.#rootOfChange(entry, item, state);
        if (own.length + others.length === 0) return this.#fail("E_BREAKS_DEPENDENT", item.held ? root : undefined);
        return this.#try([...own, ...others], root ?? "", state);
      }
    }
    return this.#checks(state);
  }

  #rootOfChange(entry: RelationEntry, item: InstalledPackage, state: State): string | undefined {
    for (const other of [...this.#installed].sort((a, b) => a.name < b.name ? -1 : 1)) {
      if (!meets(entry, item, other) || state.world.get(other.name) === other) continue;
      if (state.placed.has(other.name)) return state.roots.get(other.name);
      const replacer = [...state.placed.values()].find((candidate) => this.#targets(candidate).includes(other));
      if (replacer !== undefined) return state.roots.get(replacer.name);
    }
    return undefined;
  }

  #try(options: readonly Candidate[], root: string, state: State): State | undefined {
    for (const option of options) {
      if (this.#placements > PLACEMENT_LIMIT) return undefined;
      const answer = this.#obligations(this.#place(option, root, state));
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /** S-SEARCH-08 */
  #checks(state: State): State | undefined {
    const next = copy(state);
    if (this.settle) {
      const failed = this.#settle(next);
      if (failed !== undefined) return this.#fail(failed.code, failed.root);
    }
    if (this.#conflicts(next).length > 0) return this.#fail("E_CONFLICT", undefined);
    return this.#isCyclic(next) ? this.#fail("E_CYCLE", undefined) : next;
  }

  /** S-CONF-02: first the conflicting packages, then rounds of what is broken, then a look at what is left. */
  #settle(state: State): { readonly code: string; readonly root: string | undefined } | undefined {
    const blame = new Map<string, string | undefined>();
    const removeAll = (names: readonly string[]): { code: string; root: string | undefined } | undefined => {
      for (const name of [...names].sort()) {
        if (this.#critical(name)) return { code: "E_CRITICAL", root: undefined };
        if (this.#get(name)?.held === true) return { code: "E_HELD", root: blame.get(name) };
        state.world.delete(name);
        state.gone.set(name, false);
      }
      return undefined;
    };
    for (const pair of this.#conflicts(state)) {
      for (const facts of pair) {
        if (this.#get(facts.name) !== facts || state.anchors.includes(facts.name) || blame.has(facts.name)) continue;
        const placed = pair.find((other) => other !== facts);
        blame.set(facts.name, placed === undefined ? undefined : state.roots.get(placed.name));
      }
    }
    let failed = removeAll([...blame.keys()]);
    for (let latest = [...blame.keys()]; failed === undefined && latest.length > 0;) {
      const broken = this.#installed.filter((item) =>
        state.world.get(item.name) === item && !state.anchors.includes(item.name) &&
        item.dependencies.some((entry) =>
          !this.#met(entry, item, state) && this.#installed.some((other) => meets(entry, item, other))
        )
      );
      for (const item of broken) {
        const former = latest.find((name) =>
          item.dependencies.some((entry) => {
            const gone = this.#get(name);
            return gone !== undefined && meets(entry, item, gone);
          })
        );
        blame.set(item.name, former === undefined ? undefined : blame.get(former));
      }
      latest = broken.map((item) => item.name);
      failed = removeAll(latest);
    }
    if (failed !== undefined) return failed;
    const isBroken = state.anchors.some((name) => {
      const facts = state.world.get(name);
      return facts?.dependencies.some((entry) => !this.#met(entry, facts, state));
    });
    return isBroken ? { code: "E_CONFLICT", root: undefined } : undefined;
  }

  /** Pairs in conflict of which one is placed, by the names of the other side, then of the placed. */
  #conflicts(state: State): readonly (readonly PackageFacts[])[] {
    const world = [...state.world.values()].sort((a, b) => a.name < b.name ? -1 : 1);
    const pairs: (readonly PackageFacts[])[] = [];
    for (const a of world) {
      for (const b of world) {
        if (a.name === b.name || (!state.placed.has(a.name) && !state.placed.has(b.name))) continue;
        if (a.conflicts.some((entry) => meets(entry, a, b))) pairs.push([a, b]);
      }
    }
    return pairs;
  }

  /** S-ORDER-05, by repeated marking: whether some set of placed packages can never be put in order. */
  #isCyclic(state: State): boolean {
    const placed = [...state.placed.values()];
    const edge = (p: Candidate, q: Candidate): boolean => p !== q && p.dependencies.some((entry) => meets(entry, p, q));
    let edges = placed.flatMap((p) => placed.filter((q) => edge(p, q)).map((q) => [p, q] as const));
    for (;;) {
      const reaches = (from: Candidate, to: Candidate): boolean => {
        const seen = new Set<Candidate>();
        const queue = [from];
        for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
          for (const [p, q] of edges) {
            if (p !== at || seen.has(q)) continue;
            if (q === to) return true;
            seen.add(q);
            queue.push(q);
          }
        }
        return false;
      };
      const together = (p: Candidate, q: Candidate): boolean => p === q || (reaches(p, q) && reaches(q, p));
      const cyclic = edges.filter(([p, q]) => reaches(q, p));
      if (cyclic.length === 0) return false;
      const spare = cyclic.filter(([p, q]) =>
        p.dependencies.every((entry) =>
          !meets(entry, p, q) || meets(entry, p, p) ||
          this.#installed.some((item) => {
            const after = state.world.get(item.name);
            return meets(entry, p, item) && after !== undefined && meets(entry, p, after);
          }) ||
          placed.some((other) => meets(entry, p, other) && !together(p, other))
        )
      );
      if (spare.length === 0) return true;
      edges = edges.filter((item) => !spare.includes(item));
    }
  }

  #place(candidate: Candidate, root: string, state: State): State {
    this.#placements++;
    const next = copy(state);
    next.world.set(candidate.name, candidate);
    next.placed.set(candidate.name, candidate);
    next.anchors.push(candidate.name);
    next.roots.set(candidate.name, root);
    for (const target of this.#targets(candidate)) {
      if (next.world.get(target.name) !== target) continue;
      next.world.delete(target.name);
      next.gone.set(target.name, false);
    }
    return next;
  }

  /** Section 5: eligible, ranked, of the first one's priority. */
  #options(
    pool: readonly Candidate[],
    declaring: PackageFacts | undefined,
    depender: Candidate | undefined,
    state: State,
    entry?: RelationEntry,
  ): readonly Candidate[] {
    const eligible = pool.filter((candidate) => this.#excluded(candidate, declaring, state) === undefined);
    const ranked = this.#ranked(eligible, depender, entry);
    return ranked.filter((candidate) => rankOf(candidate) === rankOf(ranked[0] ?? candidate));
  }

  #ranked(
    candidates: readonly Candidate[],
    depender: Candidate | undefined,
    entry: RelationEntry | undefined,
  ): readonly Candidate[] {
    const home = depender?.origin.kind === "repository" ? depender.origin.repository : undefined;
    const key = (candidate: Candidate): readonly number[] => [
      Number(
        candidate.architecture === "noarch" &&
          candidates.some((other) => other.name === candidate.name && other.architecture !== "noarch"),
      ),
      rankOf(candidate),
      Number(home !== undefined && handleOf(candidate) !== home),
    ];
    return [...candidates].sort((a, b) => {
      const left = key(a);
      const right = key(b);
      for (let index = 0; index < left.length; index++) {
        const order = (left[index] ?? 0) - (right[index] ?? 0);
        if (order !== 0) return order;
      }
      const byProvides = (candidate: Candidate): number =>
        Number(
          entry !== undefined &&
            !(candidate.name === entry.name && satisfiesConstraint(entry.constraint, candidate.version)),
        );
      return compareVersions(b.version, a.version) || byProvides(a) - byProvides(b) ||
        (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) ||
        (handleOf(a) < handleOf(b) ? -1 : handleOf(a) > handleOf(b) ? 1 : 0) || (a.hash < b.hash ? -1 : 1);
    });
  }

  #excluded(candidate: Candidate, declaring: PackageFacts | undefined, state: State): string | undefined {
    const { name } = candidate;
    if (!this.#runs(candidate)) return "arch";
    if (declaring !== undefined && !new Set([declaring.architecture, "noarch"]).has(candidate.architecture)) {
      return "arch";
    }
    if (state.gone.has(name)) return "removed";
    if (state.placed.has(name)) return "decided";
    const files = this.problem.requests.flatMap((request) => request.kind === "install-file" ? [request.file] : []);
    if (files.some((file) => file.name === name && file !== candidate)) return "decided";
    const installed = this.#get(name);
    if (installed !== undefined) {
      const order = compareVersions(candidate.version, installed.version);
      if (order === 0) return "same-version";
      if (order < 0 && !this.#mayRegress(name)) return "regression";
      if (installed.held) return "held";
    }
    const targets = this.#targets(candidate);
    if (targets.some((target) => target.held)) return "held";
    const wanted = this.problem.requests.filter((request) =>
      request.kind === "install" || request.kind === "install-file" || request.kind === "downgrade" ||
      request.kind === "restore"
    ).map(nameOf);
    if (targets.some((target) => wanted.includes(target.name) || state.placed.has(target.name))) {
      return "replaces-requested";
    }
    return targets.some((target) => this.#critical(target.name)) && !this.#critical(name) ? "critical" : undefined;
  }

  #mayRegress(name: string): boolean {
    const { operation, options, requests } = this.problem;
    return operation === "downgrade" || operation === "undo" || options.allowDowngrade ||
      requests.some((request) => request.kind === "install-file" && request.file.name === name);
  }

  #targets(candidate: Candidate): readonly InstalledPackage[] {
    return this.#installed.filter((item) =>
      item.name !== candidate.name &&
      candidate.replaces.some((entry) =>
        entry.name === item.name && satisfiesConstraint(entry.constraint, item.version)
      )
    );
  }

  #met(entry: RelationEntry, declaring: PackageFacts, state: State): boolean {
    return [...state.world.values()].some((facts) => meets(entry, declaring, facts));
  }

  #runs(candidate: Candidate): boolean {
    return candidate.architecture === this.problem.primaryArchitecture || candidate.architecture === "noarch";
  }

  #orphaned(installed: InstalledPackage): boolean {
    return installed.origin !== undefined &&
      !this.problem.repositories.some((repository) => repository.handle === installed.origin);
  }

  #critical(name: string): boolean {
    return (name === "peipkg" || this.problem.options.critical.includes(name)) && !this.problem.options.allowCritical;
  }

  #fail(code: string, root: string | undefined): undefined {
    const isTarget = this.#goals.some((goal) => goal.kind === "upgrade" && !goal.named && goal.name === root);
    this.#first ??= { code, root: isTarget ? root : undefined };
  }
}

/** S-UNDO-03: nothing is cascaded to make an undo fit. */
function mayCascade(problem: ResolutionProblem): boolean {
  return problem.options.cascade && problem.operation !== "undo";
}

function byWord(words: readonly (string | undefined)[], isGoal: boolean): string {
  if (words.includes("regression")) return "E_VERSION_REGRESSION";
  if (words.includes("held")) return "E_HELD";
  if (words.includes("critical")) return "E_CRITICAL";
  return isGoal && words.includes("arch") ? "E_ARCH_MISMATCH" : "E_UNSATISFIABLE";
}

function meets(entry: RelationEntry, declaring: PackageFacts, other: PackageFacts): boolean {
  return (other.architecture === declaring.architecture || other.architecture === "noarch") && fits(entry, other);
}

function fits(entry: RelationEntry, other: PackageFacts): boolean {
  if (other.name === entry.name && satisfiesConstraint(entry.constraint, other.version)) return true;
  return other.provides.some((provided) =>
    provided.name === entry.name && satisfiesConstraint(entry.constraint, provided.version)
  );
}

function copy(state: State): State {
  return {
    world: new Map(state.world),
    placed: new Map(state.placed),
    gone: new Map(state.gone),
    anchors: [...state.anchors],
    roots: new Map(state.roots),
  };
}

function nameOf(request: Request): string {
  return request.kind === "upgrade-all" ? "" : request.kind === "install-file" ? request.file.name : request.name;
}

function rankOf(candidate: Candidate): number {
  return candidate.origin.kind === "local-file" ? 0 : candidate.origin.priority;
}

function handleOf(candidate: Candidate): string {
  return candidate.origin.kind === "repository" ? candidate.origin.repository : "";
}

/** Every name the generated worlds use. */
export const WORLD_NAMES = ["pa", "pb", "pc", "pd", "pe", "pf", "pg"] as const;
