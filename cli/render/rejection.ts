/**
 * Why there is no plan, in words: the cause in terms of what was asked, then what was looked at, then the way on.
 *
 * @see S-EXPL-01, S-EXPL-02, C-ERR-02, C-JSON-13
 */
import {
  type Considered,
  type ErrorCode,
  type ErrorRule,
  type PeipkgError,
  type RejectedChange,
  type Rejection,
  type RejectionSuggestion,
  type Requirement,
  RULE_CODES,
  ruleError,
} from "../../mod.ts";
import { exclusionWord } from "./plan.ts";

interface Wording {
  readonly message: string;
  readonly lines: readonly string[];
}

/** `libssl >= 3.0` */
function demandText(name: string, constraint: string | undefined): string {
  return constraint === undefined ? name : `${name} ${constraint}`;
}

/** `nginx 1.0-1 needs libssl >= 3.0`, or what the request itself asks for. */
function requirementText({ package: name, packageVersion, name: wanted, constraint }: Requirement): string {
  const demand = demandText(wanted, constraint);
  return name === undefined
    ? `${demand} is asked for`
    : `${name}${packageVersion === undefined ? "" : ` ${packageVersion}`} needs ${demand}`;
}

const EXCLUSION_TEXTS: ReadonlyMap<string, string> = new Map([
  ["arch", "is for another architecture"],
  ["removed", "would be removed"],
  ["decided", "another version is needed at the same time"],
  ["same-version", "is the version installed"],
  ["regression", "is older than what is installed"],
  ["locked", "is locked"],
  ["replaces-requested", "replaces a package that was asked for"],
  ["critical", "would remove a critical package"],
  ["constraint", "does not fit"],
  ["alternate-upgrade", "declares another upgrade path"],
]);

function consideredText({ name, version, repository, installed, provides, excluded }: Considered): string {
  const origin = installed ? "installed" : repository ?? "local file";
  const via = provides === undefined ? "" : ` through provides${provides === "" ? "" : ` ${provides}`}`;
  const word = excluded === undefined ? undefined : exclusionWord(excluded);
  const why = word === undefined ? "what it needs cannot be had" : EXCLUSION_TEXTS.get(word) ?? word;
  return `${name} ${version} [${origin}]${via}: ${why}`;
}

const quoted = (name: string): string => `"${name}"`;

function unavailable(rejection: Rejection): Wording {
  const { requirement, subject, providers } = rejection;
  const name = requirement?.name ?? subject;
  const lines = providers.length > 0
    ? providers.map((provider) => `${provider.name} ${provider.version} provides it`)
    : rejection.considered.map(consideredText);
  if (requirement?.package !== undefined) {
    return { message: `${requirementText(requirement)}, and no repository offers it`, lines };
  }
  return {
    message: providers.length > 0
      ? `no package is named ${quoted(name)}, but others provide it`
      : `no repository offers a package named ${quoted(name)}`,
    lines,
  };
}

function unsatisfiable(rejection: Rejection): Wording {
  const { requirement, subject, demands, chain } = rejection;
  const head = requirement === undefined || requirement.package === undefined
    ? `${quoted(requirement?.name ?? subject)} cannot be brought to a version that fits`
    : `${requirementText(requirement)}, and nothing on offer fits`;
  // the request, what it names and what that needs are in the sentence already
  const way = chain.length > 3 ? chainLines(chain) : [];
  return {
    message: head,
    lines: [...way, ...demands.map(requirementText), ...rejection.considered.map(consideredText)],
  };
}

function conflict(rejection: Rejection): Wording {
  const found = rejection.conflict;
  if (found === undefined) return unsatisfiable(rejection);
  const { declaring, other } = found;
  const side = `${quoted(other.name)} ${other.version}`;
  return {
    message: `${quoted(declaring.name)} ${declaring.version} conflicts with ${
      other.installed ? "installed " : ""
    }${side}`,
    lines: [
      `${declaring.name} ${declaring.version} declares a conflict with ${demandText(found.entry, found.constraint)}`,
      ...chainLines(rejection.chain),
      ...chainLines(found.otherChain),
    ],
  };
}

function broken(rejection: Rejection): Wording {
  const found = rejection.broken;
  if (found === undefined) return unsatisfiable(rejection);
  const fate = found.changedTo === undefined ? "would be removed" : `would move to ${found.changedTo}`;
  const need = demandText(found.dependency, found.constraint);
  return {
    message: `${
      quoted(found.dependent)
    } ${found.version} needs ${need}, but ${found.changed} ${found.changedFrom} ${fate}`,
    lines: [...chainLines(found.because), ...rejection.considered.map(consideredText)],
  };
}

function blocked({ subject, blockers }: Rejection): Wording {
  const lines = blockers.map((blocker) =>
    `${blocker.package} ${blocker.version} needs ${demandText(blocker.dependency, blocker.constraint)}`
  );
  const what = subject === "" ? "what would be removed" : quoted(subject);
  return { message: `${what} is needed by other installed packages`, lines };
}

/** A chain worth showing has more than the request in it. */
function chainLines(chain: readonly string[]): readonly string[] {
  return chain.length < 2 ? [] : [chain.join(" -> ")];
}

function wordingOf(rejection: Rejection): Wording {
  const { rule, subject, chain, considered, installedVersion } = rejection;
  const name = quoted(subject);
  const all = [...chainLines(chain), ...considered.map(consideredText)];
  const texts: { readonly [rule in ErrorRule]?: () => Wording } = {
    E_NO_CANDIDATE: () => unavailable(rejection),
    E_UNSATISFIABLE: () => unsatisfiable(rejection),
    E_CONFLICT: () => conflict(rejection),
    E_BREAKS_DEPENDENT: () => broken(rejection),
    E_REMOVAL_BLOCKED: () => blocked(rejection),
    E_CRITICAL: () => ({ message: `${name} is a critical package and would be removed`, lines: chainLines(chain) }),
    E_HELD: () => ({
      message: rejection.broken === undefined
        ? `${name} is locked${installedVersion === undefined ? "" : ` at ${installedVersion}`}`
        : `${quoted(rejection.broken.dependent)} is locked and needs what would change`,
      lines: rejection.broken === undefined ? all : broken(rejection).lines,
    }),
    E_CYCLE: () => ({ message: "packages need each other in a way that no order satisfies", lines: rejection.members }),
    E_NOT_A_DOWNGRADE: () => ({
      message: `the version asked for is newer than ${name} ${installedVersion ?? ""}`.trimEnd(),
      lines: [],
    }),
    E_VERSION_NOT_AVAILABLE: () => ({ message: `no repository offers that version of ${name}`, lines: all }),
    E_VERSION_REGRESSION: () => ({
      message: `${name} ${installedVersion ?? ""} would move backward`.replace("  ", " "),
      lines: all,
    }),
    E_ARCH_MISMATCH: () => ({ message: `${name} is not available for this architecture`, lines: all }),
    E_NOT_INSTALLED: () => ({ message: `${name} is not installed`, lines: [] }),
    E_ORPHAN_NO_SOURCE: () => ({ message: `${name} is orphaned and no configured repository offers it`, lines: all }),
    E_REQ_CONTRADICTORY: () => ({ message: `${name} is asked for in two ways that exclude each other`, lines: all }),
    E_TOO_COMPLEX: () => ({ message: "the request leads to too many possibilities to decide", lines: all }),
    E_NOTHING_TO_UNDO: () => ({ message: "there is no committed transaction to undo", lines: [] }),
    E_UNDO_UNAVAILABLE: () => ({
      message: "an earlier version is in neither backups nor archive",
      lines: rejection.missing,
    }),
  };
  return texts[rule]?.() ??
    { message: subject === "" ? "the request cannot be met" : `${name} cannot be changed so`, lines: all };
}

function suggestionText(suggestion: RejectionSuggestion): string {
  switch (suggestion.kind) {
    case "cascade":
      return "use --cascade to remove them too";
    case "allow-downgrade":
      return `use --allow-downgrade to move ${suggestion.moves.map((move) => move.name).join(", ")} backward`;
    case "unlock":
      return `use 'peipkg unlock ${suggestion.name}' first`;
    case "allow-critical":
      return `use --allow-critical to remove ${suggestion.name}`;
    case "version":
      return `${suggestion.name}=${suggestion.version} from ${suggestion.repository} would fit`;
    case "without":
      return `leave ${suggestion.name} out`;
  }
}

/** Ways on that follow from the rule alone, where the resolver proved none. */
const DEFAULT_HINTS: { readonly [rule in ErrorRule]?: string } = {
  E_CRITICAL: "use --allow-critical to remove it",
  E_HELD: "use 'peipkg unlock' first",
  E_NOT_A_DOWNGRADE: "use 'peipkg upgrade' to move forward",
  E_REMOVAL_BLOCKED: "use --cascade to remove them too",
};

function hintOf(rejection: Rejection): string | undefined {
  const [nearest] = rejection.nearNames;
  if (nearest !== undefined) return `did you mean "${nearest}"?`;
  const [suggestion] = rejection.suggestions;
  if (suggestion !== undefined) return suggestionText(suggestion);
  const { rule, installedVersion, requirement } = rejection;
  // An older version asked for by name is what `downgrade` is for (C-INSTALL-05).
  if (rule === "E_VERSION_REGRESSION" && installedVersion !== undefined && requirement?.package === undefined) {
    return "use 'peipkg downgrade' to move back on purpose";
  }
  return DEFAULT_HINTS[rule];
}

/** Codes whose `details` tell how the search went. */
const EXPLAINED: ReadonlySet<ErrorCode> = new Set(["unresolvable", "locked", "critical"]);

/** Members of `details` (C-JSON-13). */
function details(rejection: Rejection): Readonly<Record<string, unknown>> {
  const { requirement, blockers, closure, members, missing } = rejection;
  if (!EXPLAINED.has(RULE_CODES[rejection.rule])) return missing.length === 0 ? {} : { packages: missing };
  return {
    chain: rejection.chain,
    considered: rejection.considered.map(({ name, version, repository, excluded }) => ({
      name,
      version,
      repository,
      excluded: excluded === undefined ? "unsatisfiable" : exclusionWord(excluded),
    })),
    ...(requirement === undefined ? {} : {
      requirement: {
        package: requirement.package ?? "",
        name: requirement.name,
        constraint: requirement.constraint,
      },
    }),
    ...(blockers.length === 0
      ? {}
      : { blockers: blockers.map(({ package: name, dependency }) => ({ package: name, dependency })) }),
    ...(closure.length === 0 ? {} : { closure }),
    ...(members.length === 0 ? {} : { members }),
    ...(missing.length === 0 ? {} : { packages: missing }),
  };
}

/** With the sentence and the hint, an explanation has at most twelve lines. */
const MAX_LINES = 10;

/** Leaves out what no one would read; everything is in `details`. What blocks a removal is listed in full (S-RM-02). */
function shortened(lines: readonly string[], { rule }: Rejection): readonly string[] {
  if (lines.length <= MAX_LINES || rule === "E_REMOVAL_BLOCKED") return lines;
  const shown = lines.slice(0, MAX_LINES - 1);
  return [...shown, `and ${lines.length - shown.length} more`];
}

/** The failure a rejected request ends with. */
export function rejectionError({ rejection, reason }: Pick<RejectedChange, "rejection" | "reason">): PeipkgError {
  const { message, lines } = wordingOf(rejection);
  const hint = hintOf(rejection);
  return ruleError(rejection.rule, message, {
    lines: shortened(lines, rejection),
    more: details(rejection),
    ...(hint === undefined ? {} : { hint }),
    ...(reason === undefined ? {} : { reason }),
  });
}
