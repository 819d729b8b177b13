/** Why a package is in a world, traced back to the request (the `chain` of S-EXPL-01). */
import type { Goal } from "./goals.ts";
import type { InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import type { Anchor, Placement, World } from "./world.ts";

/** A package as chains name it. */
export function shown(facts: PackageFacts): string {
  return `${facts.name} ${facts.version.raw}`;
}

/** A request in the words of the command line. */
export function requestText(goal: Goal): string {
  switch (goal.kind) {
    case "file":
      return `${goal.again ? "reinstall" : "install"} ${
        goal.file.origin.kind === "local-file" ? goal.file.origin.path : goal.name
      }`;
    case "downgrade":
      return `downgrade ${goal.name} ${goal.version.raw}`;
    case "restore":
      return `restore ${goal.name} ${goal.version.raw}`;
    case "keep":
      return `${goal.verb} ${goal.name}`;
    case "install":
      return goal.version === undefined ? `install ${goal.name}` : `install ${goal.name}=${goal.version.raw}`;
    case "reinstall":
    case "upgrade":
      return `${goal.kind} ${goal.name}`;
  }
}

/** From the request to a placed package. */
export function chainOfPlacement(placement: Placement, world: World): readonly string[] {
  const chain: string[] = [];
  for (let at: Placement | undefined = placement; at !== undefined;) {
    chain.push(shown(at.candidate));
    const { ground }: Placement = at;
    if (ground.kind === "goal") {
      chain.push(requestText(ground.goal));
      break;
    }
    if (ground.kind === "obligation") {
      at = ground.by.placement;
      if (at === undefined) chain.push(...anchorLinks(ground.by));
      continue;
    }
    if (ground.by.name !== at.candidate.name) chain.push(shown(ground.by));
    at = changeBehind(ground.by, ground.entry, world);
  }
  return chain.reverse();
}

/** From the request to an anchored package. */
export function chainOfAnchor(anchor: Anchor, world: World): readonly string[] {
  return anchor.placement === undefined ? anchorLinks(anchor).reverse() : chainOfPlacement(anchor.placement, world);
}

/** From the request to what changed an installed package. */
export function chainOfChange(changed: InstalledPackage, world: World): readonly string[] {
  const removal = world.removed.get(changed.name);
  if (removal !== undefined) {
    if ("by" in removal.cause && "candidate" in removal.cause.by) return chainOfPlacement(removal.cause.by, world);
    return [`remove ${changed.name}`];
  }
  const placement = world.decided.get(changed.name);
  return placement === undefined ? [] : chainOfPlacement(placement, world);
}

/** The goal at the root of a placement; `undefined` when it leads to none. */
export function rootGoal(placement: Placement | undefined, world: World): Goal | undefined {
  for (let at = placement; at !== undefined;) {
    const { ground }: Placement = at;
    if (ground.kind === "goal") return ground.goal;
    if (ground.kind === "obligation") {
      if (ground.by.placement === undefined) return ground.by.goal;
      at = ground.by.placement;
    } else {
      at = changeBehind(ground.by, ground.entry, world);
    }
  }
  return undefined;
}

/** The placement that took away what met an entry of an installed package. */
export function changeBehind(by: InstalledPackage, entry: RelationEntry, world: World): Placement | undefined {
  for (const former of world.context.originalSatisfiers(entry, by)) {
    const placement = world.decided.get(former.name);
    if (placement !== undefined) return placement;
    const cause = world.removed.get(former.name)?.cause;
    if (cause !== undefined && "by" in cause && "candidate" in cause.by) return cause.by;
  }
  return undefined;
}

function anchorLinks(anchor: Anchor): string[] {
  return anchor.goal === undefined ? [shown(anchor.facts)] : [shown(anchor.facts), requestText(anchor.goal)];
}
