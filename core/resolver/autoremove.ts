/** Which automatically installed packages nothing needs any more (S-REASON-05). */
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { CandidateIdentity, Plan } from "./plan.ts";
import type { InstalledPackage, InstalledSource, PackageFacts, RelationEntry, ResolutionProblem } from "./problem.ts";
import { compareText, meets } from "./satisfaction.ts";

export interface UnusedOptions {
  readonly critical: readonly string[];
  /** Packages that hold a role (S-REASON-05). */
  readonly roleHolders: readonly string[];
  /** Counted as needed (`--keep`). */
  readonly keep: readonly string[];
  /** Optional dependencies do not count as needed (`--ignore-optional`). */
  readonly ignoreOptional: boolean;
}

/** A package of the set that is judged, and whether something else than reachability keeps it. */
interface Member {
  readonly facts: PackageFacts;
  readonly rooted: boolean;
}

/** Lookups in the set that is judged. */
interface MemberSource {
  readonly members: ReadonlyMap<string, Member>;
  providersOf(name: string): readonly PackageFacts[];
}

/** S-CRIT-01 */
const ALWAYS_CRITICAL = "peipkg";

/**
 * Lists the automatic packages not reachable from explicit, critical, held or role-holding ones, ascending.
 *
 * @see S-REASON-05, C-AUTOREMOVE-01
 */
export function unusedPackages(installed: InstalledSource, options: UnusedOptions): readonly PackageName[] {
  const kept = keptNames(options);
  const members = new Map<string, Member>();
  for (const name of installed.names()) {
    const item = installed.get(name);
    if (item !== undefined) members.set(name, { facts: item, rooted: isRooted(item, kept) });
  }
  return unreached({ members, providersOf: (name) => installed.providersOf(name) }, options);
}

/**
 * Lists what would be unused after a plan: the names to add as `remove` requests for `--autoremove`. Only packages
 * installed before are listed.
 *
 * @see S-REASON-05, C-REMOVE-06
 */
export function unusedAfter(
  problem: ResolutionProblem,
  plan: Plan,
  options: UnusedOptions,
): readonly PackageName[] {
  const kept = keptNames(options);
  const members = new Map<string, Member>();
  const marks = new Map(plan.marks.map((mark) => [mark.name, mark.reason]));
  for (const name of problem.installed.names()) {
    const item = problem.installed.get(name);
    if (item === undefined) continue;
    const reason = marks.get(item.name) ?? item.reason;
    members.set(name, { facts: item, rooted: isRooted({ ...item, reason }, kept) });
  }
  for (const operation of plan.operations) {
    if (operation.kind === "remove") {
      members.delete(operation.from.name);
      continue;
    }
    const facts = factsOf(operation.target, problem);
    // a package just placed because something needs it is reached from there
    if (facts === undefined) continue;
    const held = problem.installed.get(operation.target.name)?.held === true;
    members.set(facts.name, { facts, rooted: operation.reason === "explicit" || held || kept.has(facts.name) });
  }
  const unused = unreached({ members, providersOf: providersAmong(members) }, options);
  return unused.filter((name) => problem.installed.get(name) !== undefined);
}

function factsOf(target: CandidateIdentity, problem: ResolutionProblem): PackageFacts | undefined {
  for (const request of problem.requests) {
    if (request.kind === "install-file" && request.file.hash === target.hash) return request.file;
  }
  return problem.available.named(target.name).find((candidate) =>
    candidate.hash === target.hash && candidate.version.raw === target.version.raw
  );
}

function keptNames(options: UnusedOptions): ReadonlySet<string> {
  return new Set([ALWAYS_CRITICAL, ...options.critical, ...options.roleHolders, ...options.keep]);
}

function isRooted(installed: InstalledPackage, kept: ReadonlySet<string>): boolean {
  return installed.reason === "explicit" || installed.held || kept.has(installed.name);
}

function providersAmong(members: ReadonlyMap<string, Member>): (name: string) => readonly PackageFacts[] {
  const byName = new Map<string, PackageFacts[]>();
  for (const { facts } of members.values()) {
    for (const entry of facts.provides) {
      const providers = byName.get(entry.name);
      if (providers === undefined) byName.set(entry.name, [facts]);
      else providers.push(facts);
    }
  }
  return (name) => byName.get(name) ?? [];
}

/** S-REASON-05: edges lead to all satisfiers, so that no provider in use by chance is taken away. */
function unreached(source: MemberSource, options: UnusedOptions): readonly PackageName[] {
  const reached = new Set<string>();
  const queue: PackageFacts[] = [];
  const reach = (facts: PackageFacts): void => {
    if (reached.has(facts.name)) return;
    reached.add(facts.name);
    queue.push(facts);
  };
  for (const { facts, rooted } of source.members.values()) if (rooted) reach(facts);
  for (let facts = queue.pop(); facts !== undefined; facts = queue.pop()) {
    const entries = options.ignoreOptional
      ? facts.dependencies
      : [...facts.dependencies, ...facts.optionalDependencies];
    for (const entry of entries) {
      for (const satisfier of satisfiersOf(entry, facts.architecture, source)) reach(satisfier);
    }
  }
  const unused: PackageName[] = [];
  for (const [name, { facts }] of source.members) if (!reached.has(name)) unused.push(facts.name);
  return unused.sort(compareText);
}

function satisfiersOf(entry: RelationEntry, declaring: Architecture, source: MemberSource): readonly PackageFacts[] {
  const named = source.members.get(entry.name)?.facts;
  const all = named === undefined ? source.providersOf(entry.name) : [named, ...source.providersOf(entry.name)];
  return all.filter((facts) => meets(entry, declaring, facts));
}
