/**
 * Several repositories at once. Requests overlap; everything that is told keeps the order of the repositories
 * (R-CONF-04), as if each had been dealt with after the other, and recording happens one by one under the lock.
 */
import type { Emit, ProgressEvent } from "../events.ts";
import type { RepositoryAccess } from "./repository_access.ts";

/**
 * Calls `work` for every item, at most `fetch_parallel` at a time.
 *
 * @param work Is given a view of `access` of its own; must report through that view alone.
 * @throws Whatever `work` throws first, once every call has ended.
 */
export async function inLanes<T>(
  access: RepositoryAccess,
  items: readonly T[],
  work: (lane: RepositoryAccess, item: T, index: number) => Promise<void>,
): Promise<void> {
  const events = new OrderedEvents(access.session.emit);
  const write = oneByOne(access);
  const queue = items.entries();
  let failure: { readonly error: unknown } | undefined;
  const run = async () => {
    for (const [index, item] of queue) {
      try {
        await work(openLane(access, write, (event) => events.emit(index, event)), item, index);
      } catch (error) {
        failure ??= { error };
      } finally {
        events.finish(index);
      }
      if (failure !== undefined) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(access.settings.fetchParallel, items.length) }, run));
  if (failure !== undefined) throw failure.error;
}

function openLane(access: RepositoryAccess, write: RepositoryAccess["write"], emit: Emit): RepositoryAccess {
  return {
    session: { ...access.session, emit },
    settings: access.settings,
    startedAt: access.startedAt,
    get certificates() {
      return access.certificates;
    },
    rate: access.rate,
    openCache: (area, create) => access.openCache(area, create),
    openConfiguration: (create) => access.openConfiguration(create),
    read: (body) => access.read(body),
    write,
    audit: (event) => access.audit(event),
  };
}

/** A process that holds the lock runs what it is given at once, so that turns have to be taken before. */
function oneByOne(access: RepositoryAccess): RepositoryAccess["write"] {
  let last: Promise<unknown> = Promise.resolve();
  return (body) => {
    const turn = last.then(() => access.write(body));
    last = turn.catch(() => {});
    return turn;
  };
}

/** Holds back what a later lane tells until every earlier one has ended. */
class OrderedEvents {
  #current = 0;
  readonly #held = new Map<number, ProgressEvent[]>();
  readonly #finished = new Set<number>();

  constructor(private readonly sink: Emit) {}

  emit(index: number, event: ProgressEvent): void {
    if (index === this.#current) return this.sink(event);
    const held = this.#held.get(index);
    if (held === undefined) this.#held.set(index, [event]);
    else held.push(event);
  }

  finish(index: number): void {
    this.#finished.add(index);
    while (this.#finished.has(this.#current)) {
      this.#current++;
      for (const event of this.#held.get(this.#current) ?? []) this.sink(event);
      this.#held.delete(this.#current);
    }
  }
}
