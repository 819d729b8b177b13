/** Elevated actions a plan needs (section 14), as data; the command line words them. */
import type { ElevatedAction } from "../errors.ts";
import type { Context } from "./context.ts";
import { bestOf } from "./goals.ts";
import type { Authorisation, CandidateIdentity, InstalledIdentity, Operation } from "./plan.ts";
import type { Candidate, InstalledPackage } from "./problem.ts";
import { compareText, handleOf, matchOf, priorityOf } from "./satisfaction.ts";
import type { Placement, Removal, World } from "./world.ts";

/** S-AUTH-08: kinds in the order of the table. */
const KIND_ORDER: readonly ElevatedAction[] = [
  "AUTH_DOWNGRADE",
  "AUTH_FOREIGN_REPLACES",
  "AUTH_LOW_TRUST_PROVIDES",
  "AUTH_FOREIGN_CONFLICT",
];

/** An authorisation and the name of the operation it belongs to. */
interface Raised {
  readonly operation: string;
  readonly authorisation: Authorisation;
}

/**
 * Lists the elevated actions of a plan in the order they are asked.
 *
 * @see S-AUTH-01 … S-AUTH-04, S-AUTH-08, S-AUTH-09
 */
export function authorisationsOf(world: World, operations: readonly Operation[]): readonly Authorisation[] {
  const raised: Raised[] = [];
  for (const operation of operations) {
    if (operation.kind === "downgrade") raised.push(downgrade(operation.from, operation.target)); // S-AUTH-01
  }
  for (const placement of world.placements) {
    for (const target of placement.replaced) {
      const data = foreignData(placement, target, world.context);
      if (data !== undefined) raised.push(raise("AUTH_FOREIGN_REPLACES", target.name, target.name, data)); // S-AUTH-02
    }
    const shadowed = shadowedName(placement, world.context);
    if (shadowed !== undefined) raised.push(shadowed); // S-AUTH-03
  }
  for (const removal of world.removed.values()) {
    const root = conflictRoot(removal);
    const data = root === undefined ? undefined : foreignData(root, removal.installed, world.context);
    // S-AUTH-04
    if (data !== undefined) {
      raised.push(raise("AUTH_FOREIGN_CONFLICT", removal.installed.name, removal.installed.name, data));
    }
  }
  return inOrderOfAsking(raised, operations);
}

/** The stronger repository's package that a placement's provides stands in for (S-AUTH-03, R-PRIO-03). */
export function shadowedBy(placement: Placement, context: Context): Candidate | undefined {
  const { candidate, ground } = placement;
  if (ground.kind === "goal") return undefined;
  if (ground.kind === "repair" && candidate.name === ground.by.name) return undefined;
  const declaring = ground.kind === "repair" ? ground.by.architecture : ground.by.facts.architecture;
  if (matchOf(ground.entry, declaring, candidate) !== "provides") return undefined;
  return bestOf(
    context.named(ground.entry.name).filter((named) =>
      context.isInstallable(named) && named.origin.kind === "repository" && priorityOf(named) < priorityOf(candidate)
    ),
    context,
  );
}

function shadowedName(placement: Placement, context: Context): Raised | undefined {
  const shadowed = shadowedBy(placement, context);
  if (shadowed === undefined || placement.ground.kind === "goal") return undefined;
  const { candidate, ground } = placement;
  return raise("AUTH_LOW_TRUST_PROVIDES", candidate.name, ground.entry.name, {
    dependency: ground.entry.name,
    package: candidate.name,
    version: candidate.version.raw,
    ...repositoryData(candidate),
    shadowed_version: shadowed.version.raw,
    shadowed_repository: handleOf(shadowed) ?? "",
    shadowed_priority: String(priorityOf(shadowed)),
  });
}

function downgrade(from: InstalledIdentity, target: CandidateIdentity): Raised {
  const origin = target.origin.kind === "local-file" ? undefined : target.origin.repository;
  return raise("AUTH_DOWNGRADE", target.name, target.name, {
    from: from.version.raw,
    to: target.version.raw,
    ...(origin === undefined ? {} : { repository: origin }),
  });
}

/** Data when a placement takes away a package of a stronger or unknown origin; a local file's has none to protect. */
function foreignData(
  placement: Placement,
  target: InstalledPackage,
  context: Context,
): Readonly<Record<string, string>> | undefined {
  if (target.origin === undefined) return undefined;
  const { candidate } = placement;
  const strength = context.originPriority(target); // S-AUTH-09: as configured now
  if (strength !== undefined && strength >= priorityOf(candidate)) return undefined;
  return {
    package: candidate.name,
    version: candidate.version.raw,
    ...repositoryData(candidate),
    removed: target.name,
    removed_version: target.version.raw,
    removed_repository: target.origin,
    ...(strength === undefined ? { orphaned: "true" } : { removed_priority: String(strength) }),
  };
}

function repositoryData(candidate: Candidate): Readonly<Record<string, string>> {
  const handle = handleOf(candidate);
  return handle === undefined ? {} : { repository: handle, priority: String(priorityOf(candidate)) };
}

function conflictRoot(removal: Removal): Placement | undefined {
  const { cause } = removal;
  if (cause.kind === "conflict") return cause.by;
  return cause.kind === "conflict-cascade" ? cause.root : undefined;
}

function raise(
  action: ElevatedAction,
  operation: string,
  subject: string,
  data: Readonly<Record<string, string>>,
): Raised {
  return { operation, authorisation: { action, subject, data } };
}

/** S-AUTH-08: by position of the operation, kind, detail; identical ones once. */
function inOrderOfAsking(raised: readonly Raised[], operations: readonly Operation[]): readonly Authorisation[] {
  const positions = new Map<string, number>();
  operations.forEach((operation, index) =>
    positions.set(operation.kind === "remove" ? operation.from.name : operation.target.name, index)
  );
  const detailOf = (item: Raised): string => JSON.stringify([item.authorisation.subject, item.authorisation.data]);
  const ordered = [...raised].sort((a, b) =>
    (positions.get(a.operation) ?? 0) - (positions.get(b.operation) ?? 0) ||
    KIND_ORDER.indexOf(a.authorisation.action) - KIND_ORDER.indexOf(b.authorisation.action) ||
    compareText(detailOf(a), detailOf(b))
  );
  return ordered.map((item) => item.authorisation);
}
