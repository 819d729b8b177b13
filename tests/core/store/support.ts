/** A real state directory in a temporary root, and rows to put into it. */
import { realSystem } from "../../../core/runtime.ts";
import { Database, type StateDirectory } from "../../../core/store/database.ts";
import type { InstalledFile, PackageRecord } from "../../../core/store/installed.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import type { RootDirectory, Session, System } from "../../../core/system.ts";
import type { ProgressEvent } from "../../../core/events.ts";

export const STARTED_AT = Date.UTC(2026, 4, 19, 14, 2, 10);
export const ZERO_HASH = "0".repeat(64);

/** A temporary root with its state directory; disposing removes everything. */
export interface StateFixture extends Disposable {
  readonly root: RootDirectory;
  readonly rootPath: string;
  readonly state: StateDirectory;
  readonly statePath: string;
  readonly session: Session;
  readonly events: readonly ProgressEvent[];
  /** Closes a writer on disposal; a left-open one would outlive the test. */
  track(database: Database): Database;
}

export function openStateFixture(options: { readonly system?: (real: System) => System } = {}): StateFixture {
  const rootPath = Deno.makeTempDirSync({ prefix: "peipkg-store-" });
  const statePath = `${rootPath}/var/lib/peipkg`;
  Deno.mkdirSync(statePath, { recursive: true });
  const real = realSystem();
  const system = options.system?.(real) ?? real;
  const root = real.openRoot(rootPath);
  const directory = root.openDirectory("/var/lib/peipkg");
  const parent = root.openDirectory("/var/lib");
  if (directory === undefined || parent === undefined) throw new Error("the fixture's directories are missing");
  const events: ProgressEvent[] = [];
  const databases: Database[] = [];
  return {
    root,
    rootPath,
    statePath,
    state: { directory, parent, path: statePath, hasKacs: false },
    session: sessionOf(system, events),
    events,
    track(database) {
      databases.push(database);
      return database;
    },
    [Symbol.dispose]() {
      for (const database of databases) database.close();
      directory[Symbol.dispose]();
      parent[Symbol.dispose]();
      root[Symbol.dispose]();
      real[Symbol.dispose]();
      Deno.removeSync(rootPath, { recursive: true });
    },
  };
}

export function sessionOf(system: System, events: ProgressEvent[] = []): Session {
  return {
    system,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    invocation: "00112233445566778899aabbccddeeff",
    version: "0.1.0",
    command: "test",
  };
}

/** Creates the fixture's database and keeps it open until the fixture goes. */
export function createDatabase(fixture: StateFixture): Database {
  return fixture.track(
    Database.create(fixture.session, fixture.state, { primaryArchitecture: "x86_64", createdAt: STARTED_AT / 1000 }),
  );
}

/** A package as the boundary would record it. */
export function packageRecord(name: string, changes: Partial<PackageRecord> = {}): PackageRecord {
  return {
    name: parsePackageName(name),
    version: parseVersion("1.0-1"),
    architecture: "x86_64",
    origin: "official",
    reason: "explicit",
    isHeld: false,
    installedAt: STARTED_AT / 1000,
    installedTransaction: 1,
    packageHash: ZERO_HASH,
    manifestText: `{"description":"about ${name}","name":"${name}","size_installed":4096}`,
    relations: [],
    ...changes,
  };
}

export function fileRow(path: string, changes: Partial<InstalledFile> = {}): InstalledFile {
  return {
    path,
    type: "file",
    sizeBytes: 5,
    hash: ZERO_HASH,
    target: undefined,
    preservedHash: undefined,
    newDefaultOf: undefined,
    ...changes,
  };
}
