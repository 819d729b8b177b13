/**
 * Small text worlds for the resolver, in the notation of the worked examples: `name version@R`, revision `-1` and
 * architecture `x86_64` left out, `{d: … c: … p: … r: … o: …}` with entries separated by `;`.
 */
import { type Architecture, parseArchitecture } from "../../core/identity/architecture.ts";
import { parseConstraint } from "../../core/identity/constraint.ts";
import { parsePackageName } from "../../core/identity/package_name.ts";
import { parseProvidedVersion, parseVersion } from "../../core/identity/version.ts";
import { findBreakage } from "../../core/resolver/breakage.ts";
import type { Rejection } from "../../core/resolver/derivation.ts";
import type { InstallReason, Plan } from "../../core/resolver/plan.ts";
import {
  type Candidate,
  type CandidateSource,
  type InstalledPackage,
  type InstalledSource,
  type PackageFacts,
  type PackageRelations,
  type ProvidesEntry,
  type RelationEntry,
  type RepositoryRank,
  type Request,
  type ResolutionOperation,
  type ResolutionOptions,
  type ResolutionProblem,
} from "../../core/resolver/problem.ts";

/** The repositories of the notation. */
export const REPOSITORIES: readonly RepositoryRank[] = [
  { handle: "O", priority: 10 },
  { handle: "E", priority: 10 },
  { handle: "X", priority: 50 },
];

/** No option given. */
export const DEFAULT_RESOLUTION_OPTIONS: ResolutionOptions = {
  cascade: false,
  allowDowngrade: false,
  allowCritical: false,
  critical: [],
};

/** A world before it becomes a problem. */
export interface WorldText {
  readonly available: string;
  readonly installed: string;
  readonly request: string;
  readonly operation?: ResolutionOperation;
  readonly options?: Partial<ResolutionOptions>;
  /** Names installed as dependencies; all others are explicit. */
  readonly automatic?: readonly string[];
  readonly repositories?: readonly RepositoryRank[];
}

/** Builds a problem from a text world. */
export function problemOf(text: WorldText): ResolutionProblem {
  const flags = /\[(.*)\]/.exec(text.request)?.[1] ?? "";
  const held = new Set((/held: *([^\]]*)/.exec(flags)?.[1] ?? "").split(/[, ]+/).filter((name) => name !== ""));
  const automatic = new Set(text.automatic ?? []);
  const repositories = text.repositories ?? REPOSITORIES;
  const installed = itemsOf(text.installed).map((item) =>
    installedOf(item, held.has(item.split(" ")[0] ?? ""), automatic.has(item.split(" ")[0] ?? ""))
  );
  const requests = itemsOf(text.request.replace(/\[.*\]/, "")).map(requestOf);
  return {
    operation: text.operation ?? operationOf(text.request),
    requests,
    primaryArchitecture: "x86_64",
    repositories,
    available: candidateSource(itemsOf(text.available).map((item) => candidateOf(item, repositories))),
    installed: installedSource(installed),
    options: { ...DEFAULT_RESOLUTION_OPTIONS, cascade: flags.includes("--cascade"), ...text.options },
  };
}

/** The answer in the notation of the result column. */
export function answerText(answer: Plan | Rejection): string {
  if (answer.kind === "rejection") return `\`${answer.rule}\``;
  if (answer.operations.length === 0) return "nothing to do";
  const operations = answer.operations.map((operation) => {
    if (operation.kind === "remove") return `−${operation.from.name}`;
    const { target } = operation;
    const origin = target.origin.kind === "repository" ? `@${target.origin.repository}` : " (local)";
    const to = `${short(target.version.raw)}${origin}`;
    switch (operation.kind) {
      case "install":
        return `+${target.name} ${to}`;
      case "upgrade":
        return `↑${target.name} ${short(operation.from.version.raw)}→${to}`;
      case "downgrade":
        return `↓${target.name} ${short(operation.from.version.raw)}→${to}`;
      case "reinstall":
        return `=${target.name} ${to}`;
    }
  });
  const authorisations = answer.authorisations.map((item) => `${item.action.slice("AUTH_".length)}(${item.subject})`);
  return operations.join(", ") + (authorisations.length === 0 ? "" : ` **${authorisations.join(", ")}**`);
}

/** In-memory candidates. */
export function candidateSource(candidates: readonly Candidate[]): CandidateSource {
  const named = indexBy(candidates, (candidate) => [candidate.name]);
  const provided = indexBy(candidates, (candidate) => candidate.provides.map((entry) => entry.name));
  const replaced = indexBy(candidates, (candidate) => candidate.replaces.map((entry) => entry.name));
  return {
    named: (name) => named.get(name) ?? [],
    providersOf: (name) => provided.get(name) ?? [],
    replacersOf: (name) => replaced.get(name) ?? [],
    nearNames: (name) => [...named.keys()].filter((other) => isNear(name, other)).sort(),
  };
}

/** An in-memory installed set. */
export function installedSource(packages: readonly InstalledPackage[]): InstalledSource {
  const named = new Map(packages.map((item) => [item.name as string, item]));
  const provided = indexBy(packages, (item) => item.provides.map((entry) => entry.name));
  const needed = indexBy(packages, (item) => item.dependencies.map((entry) => entry.name));
  const wanted = indexBy(packages, (item) => item.optionalDependencies.map((entry) => entry.name));
  const opposed = indexBy(packages, (item) => item.conflicts.map((entry) => entry.name));
  const replaced = indexBy(packages, (item) => item.replaces.map((entry) => entry.name));
  const source: Omit<InstalledSource, "breakage"> = {
    get: (name) => named.get(name),
    names: () => [...named.keys()],
    providersOf: (name) => provided.get(name) ?? [],
    dependentsOn: (name) => needed.get(name) ?? [],
    optionalDependentsOn: (name) => wanted.get(name) ?? [],
    conflictingWith: (name) => opposed.get(name) ?? [],
    replacersOf: (name) => replaced.get(name) ?? [],
  };
  return { ...source, breakage: () => findBreakage(source) };
}

/** One candidate from `name version/arch@R {…}`. */
export function candidateOf(text: string, repositories: readonly RepositoryRank[] = REPOSITORIES): Candidate {
  const { facts, origin } = factsOf(text);
  const priority = repositories.find((repository) => repository.handle === origin)?.priority ?? 0;
  return {
    ...facts,
    origin: origin === undefined
      ? { kind: "local-file", path: `./${facts.name}` }
      : { kind: "repository", repository: origin, priority },
    hash: hashOf(text),
    sizeCompressedBytes: 1,
    sizeInstalledBytes: 1,
    url: "",
  };
}

/** One installed package from `name version/arch@R {…}`. */
export function installedOf(text: string, held = false, automatic = false): InstalledPackage {
  const { facts, origin } = factsOf(text);
  const reason: InstallReason = automatic ? "dependency" : "explicit";
  return { ...facts, origin, reason, held };
}

/** Splits at `;` outside braces. */
export function itemsOf(text: string): readonly string[] {
  const items: string[] = [];
  let depth = 0;
  let item = "";
  for (const character of text) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    if (character === ";" && depth === 0) {
      items.push(item);
      item = "";
    } else item += character;
  }
  items.push(item);
  return items.map((part) => part.trim()).filter((part) => part !== "" && part !== "–");
}

const FACTS_REGEXP = /^(\S+) ([^\s/@]+)(?:\/(\w+))?(?:@(\w+))?(?: \{(.*)\})?$/;

function factsOf(text: string): { readonly facts: PackageFacts; readonly origin: string | undefined } {
  const [, name, version, architecture, origin, relations] = FACTS_REGEXP.exec(text) ?? [];
  if (name === undefined || version === undefined) throw new TypeError(`not a package: ${text}`);
  const facts: PackageFacts = {
    name: parsePackageName(name),
    version: parseVersion(/-[1-9][0-9]*$/.test(version) ? version : `${version}-1`),
    architecture: architectureOf(architecture),
    ...relationsOf(relations ?? ""),
  };
  return { facts, origin };
}

function architectureOf(text: string | undefined): Architecture {
  return text === undefined ? "x86_64" : parseArchitecture(text);
}

function relationsOf(text: string): PackageRelations {
  const parts = new Map<string, string>();
  for (const part of text.split(/,\s*(?=[cdopr]:)/)) {
    const [letter, entries] = part.split(/:(.*)/s);
    if (letter !== undefined && entries !== undefined) parts.set(letter.trim(), entries);
  }
  const list = (letter: string): readonly string[] =>
    (parts.get(letter) ?? "").split(";").map((entry) => entry.trim()).filter((entry) => entry !== "").sort();
  return {
    dependencies: list("d").map(relationOf),
    optionalDependencies: list("o").map(relationOf),
    conflicts: list("c").map(relationOf),
    provides: list("p").map(providesOf),
    replaces: list("r").map(relationOf),
  };
}

function relationOf(text: string): RelationEntry {
  const [name, constraint] = text.split(/ (.*)/s);
  return { name: name ?? "", constraint: constraint === undefined ? undefined : parseConstraint(constraint) };
}

function providesOf(text: string): ProvidesEntry {
  const [name, version] = text.split(" ");
  return { name: name ?? "", version: version === undefined ? undefined : parseProvidedVersion(version) };
}

function requestOf(text: string): Request {
  const [verb, name, version] = text.split(" ");
  if (verb === "upgrade" && name === undefined) return { kind: "upgrade-all" };
  if (name === undefined) throw new TypeError(`not a request: ${text}`);
  if (name.startsWith("./")) {
    const file = candidateOf(text.slice(`${verb} ./`.length));
    return { kind: "install-file", file, reinstall: verb === "reinstall" };
  }
  const packageName = parsePackageName(name);
  switch (verb) {
    case "install":
      return version === undefined
        ? { kind: "install", name: packageName }
        : { kind: "install", name: packageName, version: parseProvidedVersion(version) };
    case "upgrade":
    case "remove":
    case "reinstall":
      return { kind: verb, name: packageName };
    case "downgrade":
      return { kind: "downgrade", name: packageName, version: parseProvidedVersion(version ?? "") };
    case "restore":
      return { kind: "restore", name: packageName, version: parseVersion(`${version}-1`) };
    default:
      throw new TypeError(`not a request: ${text}`);
  }
}

function operationOf(request: string): ResolutionOperation {
  if (request.includes("restore ")) return "undo";
  if (request.includes("downgrade ")) return "downgrade";
  if (request.includes("install ")) return "install";
  return request.startsWith("remove ") ? "remove" : "upgrade";
}

function short(version: string): string {
  return version.replace(/-1$/, "");
}

/** 64 digits that differ from text to text. */
function hashOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const character of text) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.codePointAt(0) ?? 0)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(64, "0");
}

function indexBy<T>(items: readonly T[], keysOf: (item: T) => readonly string[]): ReadonlyMap<string, readonly T[]> {
  const index = new Map<string, T[]>();
  for (const item of items) {
    for (const key of new Set(keysOf(item))) {
      const found = index.get(key);
      if (found === undefined) index.set(key, [item]);
      else found.push(item);
    }
  }
  return index;
}

/** Same letters, or one letter more, less or other. */
function isNear(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  const sorted = (text: string): string => [...text].sort().join("");
  if (sorted(a) === sorted(b)) return true;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return Math.max(a.length, b.length) - start - end <= 1;
}
