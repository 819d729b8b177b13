/** Finds installed packages that placements left without a dependency (S-SEARCH-06). */
import type { InstalledPackage, RelationEntry } from "./problem.ts";
import type { World } from "./world.ts";

export interface BrokenFound {
  readonly installed: InstalledPackage;
  readonly entry: RelationEntry;
}

/**
 * Follows the changed packages of a world and keeps, in name order, the dependents still to be looked at, so that the
 * cost follows what changed and not the installed set.
 */
export class RepairWatch {
  /** Binary heap of names; `#waiting` says which of them still count. */
  #heap: string[] = [];
  readonly #waiting = new Map<string, InstalledPackage>();
  #followed = 0;
  #restored = 0;

  constructor(readonly world: World) {}

  /** The first unanchored installed package in name order with a dependency the world no longer meets. */
  next(): BrokenFound | undefined {
    this.#follow();
    for (let name = this.#heap[0]; name !== undefined; name = this.#heap[0]) {
      const installed = this.#waiting.get(name);
      const entry = installed === undefined ? undefined : this.#brokenEntry(installed);
      if (installed !== undefined && entry !== undefined) return { installed, entry };
      this.#waiting.delete(name);
      this.#pop();
    }
    return undefined;
  }

  #brokenEntry(installed: InstalledPackage): RelationEntry | undefined {
    const { world } = this;
    if (!world.isUntouched(installed) || world.isAnchored(installed.name)) return undefined;
    return installed.dependencies.find((entry) =>
      world.satisfier(entry, installed.architecture) === undefined && world.context.metOriginally(entry, installed)
    );
  }

  #follow(): void {
    const { world } = this;
    if (this.#restored !== world.restored) {
      this.#restored = world.restored;
      this.#followed = 0;
      this.#heap = [];
      this.#waiting.clear();
    }
    for (; this.#followed < world.changed.length; this.#followed++) {
      const changed = world.changed[this.#followed];
      if (changed === undefined) continue;
      for (const dependent of world.context.dependentsOf(changed)) {
        if (this.#waiting.has(dependent.name)) continue;
        this.#waiting.set(dependent.name, dependent);
        this.#push(dependent.name);
      }
    }
  }

  #push(name: string): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(name);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above <= name) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = name;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const below = right !== undefined && left !== undefined && right < left ? right : left;
      if (below === undefined || last <= below) break;
      heap[at] = below;
      at = below === left ? 2 * at + 1 : 2 * at + 2;
    }
    heap[at] = last;
  }
}
