/** Who keeps a path through a transaction, answered for the whole plan at once where the plan tells what will be asked. */
import type { Database } from "../store/database.ts";
import { type PathOwner, readOwners } from "../store/installed.ts";
import { readOwnersOf, readSharedFiles } from "../store/ownership.ts";
import type { Scope } from "./scope.ts";

export class StayingOwners {
  readonly #arriving: ReadonlyMap<string, readonly PathOwner[]>;
  /** Paths of packages that go which somebody else has too, by package. */
  readonly #shared = new Map<string, ReadonlySet<string>>();

  constructor(private readonly database: Database, private readonly scope: Scope) {
    this.#arriving = readOwnersOf(database, arrivingPaths(scope));
  }

  /** Owner of a path beside the packages the transaction touches. */
  of(path: string): PathOwner | undefined {
    return this.#ownersOf(path).find((owner) => !this.scope.touched.has(owner.package));
  }

  #ownersOf(path: string): readonly PathOwner[] {
    const leaving = this.scope.leavingFiles.get(path);
    if (leaving !== undefined) {
      const isShared = !this.scope.removed.has(leaving.package) || this.#sharedOf(leaving.package).has(path);
      return isShared ? readOwners(this.database, path) : [];
    }
    if (this.scope.arrivals.has(path) || this.scope.arrivingDirectories.has(path)) {
      return this.#arriving.get(path) ?? [];
    }
    return readOwners(this.database, path);
  }

  #sharedOf(name: string): ReadonlySet<string> {
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const found = new Set(readSharedFiles(this.database, name));
    this.#shared.set(name, found);
    return found;
  }
}

function* arrivingPaths(scope: Scope): Generator<string> {
  for (const path of scope.arrivals.keys()) if (!scope.leavingFiles.has(path)) yield path;
  for (const path of scope.arrivingDirectories.keys()) if (!scope.leavingFiles.has(path)) yield path;
}
