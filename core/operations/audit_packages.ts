/** Compares packages with security advisories (C-AUDIT). */
import { formatTimestamp } from "../identity/timestamp.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { readInstalledPackages } from "../store/installed.ts";
import { type Advisory, AdvisoryReader, matchAdvisory } from "./advisories.ts";
import { obtainAdvisories, sourceName } from "./advisory_source.ts";
import { profileOf, requiredBy } from "./inspect.ts";
import { InstalledSet } from "./installed_set.ts";
import { selectNames } from "./patterns.ts";
import { offeredRecords } from "./records.ts";
import type { Workspace } from "./workspace.ts";

export interface AuditRequest {
  /** Renew the cached copy first. */
  readonly fetch: boolean;
  /** Read advisories from this file instead. */
  readonly file: string | undefined;
  /** Also name what depends on a vulnerable package. */
  readonly recursive: boolean;
  /** Identifiers left out, besides `audit_ignore`; aliases count. */
  readonly ignore: readonly string[];
  /** Check what repositories offer instead of what is installed. */
  readonly available: boolean;
  /** Names or patterns; empty: every package. */
  readonly names: readonly string[];
}

/** One advisory about one package. */
export interface Vulnerability {
  readonly name: string;
  readonly version: string;
  readonly id: string;
  readonly aliases: readonly string[];
  readonly severity: string | undefined;
  readonly summary: string;
  readonly fixedIn: string | undefined;
  readonly references: readonly string[];
  /** Packages that depend on it, over any number of steps; `undefined`: not asked for. */
  readonly requiredBy: readonly string[] | undefined;
}

export interface AuditReport {
  readonly source: string;
  /** Newest change of an advisory, as written. */
  readonly generated: string | undefined;
  /** Packages checked. */
  readonly packages: number;
  /** By package, then identifier. */
  readonly vulnerable: readonly Vulnerability[];
}

interface Checked {
  readonly name: string;
  readonly version: string;
}

const SECONDS_PER_DAY = 86_400;

/**
 * Checks packages against advisories.
 *
 * @throws {PeipkgError} `stale`, `not-installed`, `format`, `signature`, `transport`, `config`, `io`
 * @see C-AUDIT-01 … C-AUDIT-04
 */
export async function auditPackages(workspace: Workspace, request: AuditRequest): Promise<AuditReport> {
  const checked = request.available ? offered(workspace, request.names) : installed(workspace, request.names);
  const names = new Set(checked.map(({ name }) => name));
  const reader = new AdvisoryReader(workspace.settings.auditEcosystem, (name) => names.has(name));
  for (const { label, bytes, obtainedAt } of await obtainAdvisories(workspace, request)) {
    warnOfAge(workspace, label, obtainedAt);
    await reader.read(bytes, label);
  }
  const { byName, generated, ignoredRanges } = reader.finish();
  if (ignoredRanges > 0) {
    workspace.warn({
      rule: "W_ADVISORIES_RANGE",
      text: `${ignoredRanges} version range(s) of advisories cannot be compared with versions of packages`,
    });
  }
  const ignored = new Set([...request.ignore, ...workspace.settings.auditIgnore]);
  const dependents = request.recursive ? openDependents(workspace) : undefined;
  const vulnerable = checked.flatMap(({ name, version }) =>
    (byName.get(name) ?? [])
      .filter((advisory) => !isIgnored(advisory, ignored))
      .flatMap((advisory): readonly Vulnerability[] => {
        const match = matchAdvisory(advisory, version);
        if (match === undefined) return [];
        const { id, aliases, severity, summary, references } = advisory;
        return [{
          name,
          version,
          id,
          aliases,
          severity,
          summary,
          fixedIn: match.fixedIn,
          references,
          requiredBy: dependents?.(name),
        }];
      })
  );
  return {
    source: sourceName(workspace, request.file),
    generated,
    packages: checked.length,
    vulnerable: withoutRepeats(vulnerable),
  };
}

function installed(workspace: Workspace, names: readonly string[]): readonly Checked[] {
  return workspace.read((database) => {
    const rows = database === undefined ? [] : readInstalledPackages(database);
    const chosen = new Set<string>(selectNames(rows.map(({ name }) => name), names));
    return rows.filter(({ name }) => chosen.has(name)).map(({ name, version }) => ({ name, version: version.raw }));
  });
}

function offered(workspace: Workspace, names: readonly string[]): readonly Checked[] {
  const records = offeredRecords(workspace, { repositories: [], allVersions: false }, names);
  const byVersion = new Map(records.map(({ name, version }) => [`${name} ${version}`, { name, version }]));
  return [...byVersion.values()].sort((a, b) => compareBytes(a.name, b.name) || compareBytes(a.version, b.version));
}

function isIgnored({ id, aliases }: Advisory, ignored: ReadonlySet<string>): boolean {
  return ignored.has(id) || aliases.some((alias) => ignored.has(alias));
}

/** Several repositories may publish the same advisory. */
function withoutRepeats(found: readonly Vulnerability[]): readonly Vulnerability[] {
  const known = new Map<string, Vulnerability>();
  for (const item of found) {
    const key = `${item.name} ${item.version} ${item.id}`;
    if (!known.has(key)) known.set(key, item);
  }
  return [...known.values()].sort((a, b) =>
    compareBytes(a.name, b.name) || compareBytes(a.version, b.version) || compareBytes(a.id, b.id)
  );
}

/** Installed packages that need a name, directly or through others. */
function openDependents(workspace: Workspace): (name: string) => readonly string[] {
  return workspace.read((database) => {
    const set = new InstalledSet(database, profileOf(workspace));
    return (name) => {
      const found = new Set<string>();
      for (const pending = [name]; pending.length > 0;) {
        for (const dependent of requiredBy(set, pending.pop() ?? "")) {
          if (dependent === name || found.has(dependent)) continue;
          found.add(dependent);
          pending.push(dependent);
        }
      }
      return [...found].sort(compareBytes);
    };
  });
}

function warnOfAge(workspace: Workspace, label: string, obtainedAt: number): void {
  const days = Math.floor((workspace.startedAt / 1000 - obtainedAt) / SECONDS_PER_DAY);
  const limit = workspace.settings.auditMaxAgeDays;
  if (days <= limit) return;
  workspace.warn({
    rule: "W_ADVISORIES_OLD",
    text: `the advisories of ${label} are of ${formatTimestamp(obtainedAt)}, ${days}d old (maximum ${limit}d)`,
  });
}
