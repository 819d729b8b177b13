/** When one package meets a relation of another: the single test behind dependencies, conflicts and replaces. */
import { type Architecture, matchesQualifierAny } from "../identity/architecture.ts";
import { satisfiesConstraint } from "../identity/constraint.ts";
import type { Candidate, PackageFacts, RelationEntry } from "./problem.ts";

/** How a package meets an entry. */
export type MatchKind = "name" | "provides";

/** Orders names, handles and hashes; all are ASCII, so code-unit order is byte order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Tells how `other` meets an entry declared by a package of architecture `declaring`, or `undefined`.
 * Provides do not chain (S-REL-10), and a real name and a virtual one may coincide (S-REL-12).
 *
 * @see S-SAT-01, S-SAT-02, S-ARCH-02
 */
export function matchOf(entry: RelationEntry, declaring: Architecture, other: PackageFacts): MatchKind | undefined {
  if (!matchesQualifierAny(other.architecture, declaring)) return undefined;
  if (other.name === entry.name && satisfiesConstraint(entry.constraint, other.version)) return "name";
  for (const provided of other.provides) {
    // S-CON-04, S-REL-09: a provided version without revision counts as revision 0; none at all meets everything
    if (provided.name === entry.name && satisfiesConstraint(entry.constraint, provided.version)) return "provides";
  }
  return undefined;
}

/** Whether `other` meets an entry declared by a package of architecture `declaring`. @see S-SAT-01, S-SAT-02 */
export function meets(entry: RelationEntry, declaring: Architecture, other: PackageFacts): boolean {
  return matchOf(entry, declaring, other) !== undefined;
}

/**
 * Whether a `replaces` entry of `declarer` acts on an installed package: by real name and installed version alone.
 * A package never replaces its own name; moving to a newer version of it is an upgrade.
 *
 * @see S-SAT-04
 */
export function replaces(declarer: PackageFacts, target: PackageFacts): boolean {
  if (declarer.replaces.length === 0 || declarer.name === target.name) return false;
  return declarer.replaces.some((entry) =>
    entry.name === target.name && satisfiesConstraint(entry.constraint, target.version)
  );
}

/** Ascending (name, version bytes, handle, hash): the order in which candidates are scanned (S-SELECT-08). */
export function compareCandidates(a: Candidate, b: Candidate): number {
  return compareText(a.name, b.name) || compareText(a.version.raw, b.version.raw) ||
    compareText(handleOf(a) ?? "", handleOf(b) ?? "") || compareText(a.hash, b.hash) ||
    compareText(a.origin.kind, b.origin.kind);
}

/** Repository a candidate comes from; `undefined` for local files and for retained content without an origin. */
export function handleOf(candidate: Candidate): string | undefined {
  return candidate.origin.kind === "local-file" ? undefined : candidate.origin.repository;
}

/** Rank of a candidate's origin, lower is stronger; a local file's is 0 (S-LOCAL-02). */
export function priorityOf(candidate: Candidate): number {
  return candidate.origin.kind === "local-file" ? 0 : candidate.origin.priority;
}
