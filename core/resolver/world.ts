/**
 * The state of a search: which packages the result holds so far, who was placed and why, and whose dependencies must
 * hold. Everything is a stack, so that the search can take back its latest placements.
 *
 * Invariants:
 * 1. a name is at most one of: decided, removed, installed and unchanged;
 * 2. `anchors` grows at the end only, each name once, and taking back restores its former length;
 * 3. `changed` lists every installed name that is decided or removed, in the order that happened.
 */
import type { Architecture } from "../identity/architecture.ts";
import type { Context } from "./context.ts";
import type { Goal } from "./goals.ts";
import type { ExclusionWord } from "./plan.ts";
import type { Candidate, InstalledPackage, PackageFacts, RelationEntry } from "./problem.ts";
import { meets } from "./satisfaction.ts";

/** Why a candidate was placed. */
export type Ground =
  | { readonly kind: "goal"; readonly goal: Goal }
  | { readonly kind: "obligation"; readonly by: Anchor; readonly entry: RelationEntry }
  | { readonly kind: "repair"; readonly by: InstalledPackage; readonly entry: RelationEntry };

/** A candidate in the result. */
export interface Placement {
  readonly candidate: Candidate;
  readonly ground: Ground;
  /** Installed packages its placing removed (S-SEARCH-03). */
  readonly replaced: readonly InstalledPackage[];
  /** Set when an exact-architecture candidate overtook a stronger repository's `noarch` one (S-SELECT-02). */
  readonly overtaken: Candidate | undefined;
}

/** A package whose dependencies must hold in the result. */
export interface Anchor {
  readonly facts: PackageFacts;
  /** `undefined`: an installed package a request leaves as it is. */
  readonly placement: Placement | undefined;
  /** The request behind an installed anchor. */
  readonly goal: Goal | undefined;
}

/** Why an installed package leaves. */
export type RemovalCause =
  | { readonly kind: "requested" }
  | { readonly kind: "cascade"; readonly by: InstalledPackage }
  | { readonly kind: "replaces" | "conflict"; readonly by: Placement }
  | { readonly kind: "conflict-cascade"; readonly by: InstalledPackage; readonly root: Placement };

export interface Removal {
  readonly installed: InstalledPackage;
  readonly cause: RemovalCause;
}

/** A target of a full upgrade left out because nothing eligible moves it. */
export interface Skipped {
  readonly goal: Extract<Goal, { kind: "upgrade" }>;
  readonly reason: ExclusionWord;
}

/** A point to go back to. */
export interface Mark {
  readonly placements: number;
  readonly anchors: number;
  readonly removals: number;
  readonly changed: number;
  readonly cursor: number;
  readonly goal: number;
  readonly closed: boolean;
  readonly skipped: number;
}

export class World {
  readonly placements: Placement[] = [];
  readonly anchors: Anchor[] = [];
  readonly decided = new Map<string, Placement>();
  readonly removed = new Map<string, Removal>();
  /** Installed packages a request leaves as they are, with their place among the anchors. */
  readonly #anchoredInstalled = new Map<string, number>();
  readonly changed: InstalledPackage[] = [];
  /** Upgrade targets left out because no option was eligible (S-UPG-05). */
  readonly skipped: Skipped[] = [];
  /** Next goal to look at. */
  goal = 0;
  /** Whether the removal closure is done (S-SEARCH-04). */
  closed = false;
  /** How often placements were taken back; tells followers of `changed` to start over. */
  restored = 0;
  /** First anchor that may have an open obligation. */
  cursor = 0;
  readonly #removals: Removal[] = [];
  readonly #placedProviders = new Map<string, Placement[]>();
  /** Per installed name, the earliest anchor that relied on it: a lower bound, so going back need not correct it. */
  readonly #reliedOn = new Map<string, number>();

  constructor(readonly context: Context) {}

  /** The package of this name in the result so far. */
  get(name: string): PackageFacts | undefined {
    const placement = this.decided.get(name);
    if (placement !== undefined) return placement.candidate;
    return this.removed.has(name) ? undefined : this.context.installed(name);
  }

  /** Whether an installed package is neither decided nor removed. */
  isUntouched(installed: InstalledPackage): boolean {
    return !this.decided.has(installed.name) && !this.removed.has(installed.name);
  }

  isAnchored(name: string): boolean {
    return this.decided.has(name) || this.#anchoredInstalled.has(name);
  }

  /** Placed packages with a `provides` entry of this name, in order of placing. */
  placedProviders(name: string): readonly Placement[] {
    return this.#placedProviders.get(name) ?? [];
  }

  /** The package of the result that meets an entry; placed ones are looked at before untouched installed ones. */
  satisfier(entry: RelationEntry, declaring: Architecture): PackageFacts | undefined {
    const named = this.get(entry.name);
    if (named !== undefined && meets(entry, declaring, named)) return named;
    const placed = this.#placedProviders.get(entry.name);
    if (placed !== undefined) {
      for (const { candidate } of placed) if (meets(entry, declaring, candidate)) return candidate;
    }
    for (const provider of this.context.installedProviders(entry.name)) {
      if (this.isUntouched(provider) && meets(entry, declaring, provider)) return provider;
    }
    return undefined;
  }

  /** Every package of the result, except `except`, that meets an entry; by name match, then in stable order. */
  satisfiers(entry: RelationEntry, declaring: Architecture, except: string): readonly PackageFacts[] {
    const result: PackageFacts[] = [];
    const add = (facts: PackageFacts) => {
      if (facts.name !== except && !result.includes(facts) && meets(entry, declaring, facts)) result.push(facts);
    };
    const named = this.get(entry.name);
    if (named !== undefined) add(named);
    for (const { candidate } of this.placedProviders(entry.name)) add(candidate);
    for (const provider of this.context.installedProviders(entry.name)) {
      if (this.isUntouched(provider)) add(provider);
    }
    return result;
  }

  /** The next open obligation in anchor order (S-SEARCH-05); `undefined` when none is open. */
  openObligation(): { readonly anchor: Anchor; readonly entry: RelationEntry } | undefined {
    for (; this.cursor < this.anchors.length; this.cursor++) {
      const anchor = this.#anchorAt(this.cursor);
      if (anchor === undefined) continue;
      for (const entry of anchor.facts.dependencies) {
        const satisfier = this.satisfier(entry, anchor.facts.architecture);
        if (satisfier === undefined) return { anchor, entry };
        if (!this.decided.has(satisfier.name)) this.#relyOn(satisfier.name);
      }
    }
    return undefined;
  }

  /** Places a candidate (S-SEARCH-03). */
  place(candidate: Candidate, ground: Ground, overtaken: Candidate | undefined): void {
    const replaced = this.context.targetsOf(candidate).filter((target) => this.isUntouched(target));
    const placement: Placement = { candidate, ground, replaced, overtaken };
    const former = this.context.installed(candidate.name);
    this.placements.push(placement);
    this.decided.set(candidate.name, placement);
    if (former !== undefined) this.#touch(former);
    for (const target of replaced) this.remove({ installed: target, cause: { kind: "replaces", by: placement } });
    for (const entry of candidate.provides) {
      const providers = this.#placedProviders.get(entry.name);
      if (providers === undefined) this.#placedProviders.set(entry.name, [placement]);
      else if (providers.at(-1) !== placement) providers.push(placement);
    }
    const place = this.#anchoredInstalled.get(candidate.name);
    if (place === undefined) this.anchors.push({ facts: candidate, placement, goal: undefined });
    else this.cursor = Math.min(this.cursor, place);
  }

  /** Takes an installed package out of the result. */
  remove(removal: Removal): void {
    this.removed.set(removal.installed.name, removal);
    this.#removals.push(removal);
    this.#touch(removal.installed);
  }

  /** Requires the dependencies of an installed package a request leaves as it is (S-REQ-04). */
  anchorInstalled(installed: InstalledPackage, goal: Goal): void {
    if (this.isAnchored(installed.name)) return;
    this.#anchoredInstalled.set(installed.name, this.anchors.length);
    this.anchors.push({ facts: installed, placement: undefined, goal });
  }

  mark(): Mark {
    return {
      placements: this.placements.length,
      anchors: this.anchors.length,
      removals: this.#removals.length,
      changed: this.changed.length,
      cursor: this.cursor,
      goal: this.goal,
      closed: this.closed,
      skipped: this.skipped.length,
    };
  }

  /** Takes back everything after `mark`. */
  restore(mark: Mark): void {
    while (this.anchors.length > mark.anchors) {
      const anchor = this.anchors.pop();
      if (anchor?.placement === undefined && anchor !== undefined) this.#anchoredInstalled.delete(anchor.facts.name);
    }
    while (this.#removals.length > mark.removals) {
      const removal = this.#removals.pop();
      if (removal !== undefined) this.removed.delete(removal.installed.name);
    }
    while (this.placements.length > mark.placements) {
      const placement = this.placements.pop();
      if (placement !== undefined) this.#unplace(placement);
    }
    this.changed.length = mark.changed;
    this.skipped.length = mark.skipped;
    this.cursor = mark.cursor;
    this.goal = mark.goal;
    this.closed = mark.closed;
    this.restored++;
  }

  #unplace(placement: Placement): void {
    this.decided.delete(placement.candidate.name);
    for (const entry of placement.candidate.provides) {
      const providers = this.#placedProviders.get(entry.name);
      if (providers?.at(-1) === placement) providers.pop();
    }
  }

  /** An anchor as it is now: one that was installed may have been moved, which leaves its place in the list. */
  #anchorAt(index: number): Anchor | undefined {
    const anchor = this.anchors[index];
    if (anchor === undefined || anchor.placement !== undefined) return anchor;
    const placement = this.decided.get(anchor.facts.name);
    if (placement !== undefined) return { facts: placement.candidate, placement, goal: anchor.goal };
    return this.removed.has(anchor.facts.name) ? undefined : anchor;
  }

  #touch(installed: InstalledPackage): void {
    this.changed.push(installed);
    const earliest = this.#reliedOn.get(installed.name);
    if (earliest !== undefined && earliest < this.cursor) this.cursor = earliest;
  }

  #relyOn(name: string): void {
    const earliest = this.#reliedOn.get(name);
    if (earliest === undefined || earliest > this.cursor) this.#reliedOn.set(name, this.cursor);
  }
}
