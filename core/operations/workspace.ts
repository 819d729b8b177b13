/**
 * One installation as operations work on it: the opened root, its layout and settings, readers' snapshots, and the
 * writer — the lock, what is recovered under it, and the database behind it. Opening a workspace reads configuration
 * and changes nothing; only `write()` and `withWriter()` may create anything (T-DB-17).
 */
import { AuditTrail } from "../audit/sink.ts";
import {
  createPlace,
  hostPath,
  isSystemRoot,
  type Layout,
  openPlace,
  parentPlace,
  PLACE_MODE,
  reservedPaths,
  resolveLayout,
} from "../config/layout.ts";
import {
  type PathSetting,
  type ResolvedSettings,
  resolvePlaces,
  resolveSettings,
  type Settings,
  type SettingsInput,
} from "../config/settings.ts";
import { PeipkgError, SystemCallError, type Warning } from "../errors.ts";
import { openOrCreateChild, readSmallFile } from "../fs/durable.ts";
import { type Architecture, isArchitecture } from "../identity/architecture.ts";
import type { CacheArea } from "../repository/context.ts";
import { RateLimit } from "../repository/rate_limit.ts";
import { Database, type StateDirectory } from "../store/database.ts";
import { DATABASE_FILE } from "../store/state_directory.ts";
import { readOwners } from "../store/installed.ts";
import { pendingTransaction } from "../store/pending.ts";
import type { Directory, RootDirectory, Session } from "../system.ts";
import { acceptSettings } from "./accepted_settings.ts";
import type { RepositoryAccess, RepositoryAuditEvent } from "./repository_access.ts";
import { repositoryEvent } from "./repository_event.ts";

/** What names an installation and its settings: everything but `peipkg.toml`, which lies inside it. */
export type WorkspaceInput = Omit<SettingsInput, "file">;

/** The writer: the lock is held and the database is open; nothing is pending in it. */
export interface Writer {
  readonly database: Database;
  readonly state: StateDirectory;
  /** Transaction that had been interrupted and was rolled back on the way here. */
  readonly recovered: number | undefined;
}

/** `peipkg.toml` is small; anything larger is no configuration. */
const CONFIGURATION_LIMIT_BYTES = 1024 * 1024;
const CONFIGURATION_FILE = "peipkg.toml";
/** Modes of T-DB-06. */
const CACHE_MODES: Readonly<Record<CacheArea, number>> = { metadata: 0o755, packages: 0o700, advisories: 0o700 };

/**
 * Opens the root and resolves the settings.
 *
 * @param tolerant Keep going with a faulty configuration file: `config` and `help` show what is wrong (C-CONF-11).
 * @throws {PeipkgError} `no-root`, `denied`, `config`
 */
export function openWorkspace(session: Session, input: WorkspaceInput, tolerant = false): Workspace {
  const places = resolvePlaces(input);
  const root = openRoot(session, places.root);
  try {
    const early = resolveLayout({ root: places.root, configDirectory: places.configDirectory });
    const resolved = resolveSettings({ ...input, file: readConfiguration(session, root, early) });
    const problem = resolved.problems[0];
    if (problem !== undefined && !tolerant) throw problem;
    const layout = resolveLayout({
      root: places.root,
      configDirectory: places.configDirectory,
      stateDirectory: resolved.settings.stateDirectory,
      cacheDirectory: resolved.settings.cacheDirectory,
    });
    return new Workspace(session, root, layout, resolved, claimedOperator(input.environment));
  } catch (error) {
    root[Symbol.dispose]();
    throw error;
  }
}

function openRoot(session: Session, path: string): RootDirectory {
  try {
    return session.system.openRoot(path);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (error.errno === "EACCES" || error.errno === "EPERM") {
      throw new PeipkgError("denied", `cannot open root "${path}": access was refused`, { cause: error });
    }
    const found = error.errno === "ENOTDIR" ? "it is not a directory" : "it does not exist";
    throw new PeipkgError("no-root", `cannot open root "${path}": ${found}`, { cause: error });
  }
}

function claimedOperator(environment: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const names = ["SUDO_USER", "SUDO_UID"].filter((name) => environment.has(name));
  return Object.fromEntries(names.map((name) => [name, environment.get(name) ?? ""]));
}

function readConfiguration(session: Session, root: RootDirectory, layout: Layout): SettingsInput["file"] {
  using directory = openPlace(session.system, root, layout.config);
  if (directory === undefined) return undefined;
  const bytes = readSmallFile(directory, CONFIGURATION_FILE, CONFIGURATION_LIMIT_BYTES);
  return bytes === undefined
    ? undefined
    : { path: `${hostPath(layout, layout.config).replace(/\/$/, "")}/${CONFIGURATION_FILE}`, bytes };
}

export class Workspace implements RepositoryAccess, Disposable {
  readonly startedAt: number;
  readonly rate: RateLimit;
  #trail: AuditTrail | undefined;
  #certificates: { readonly text: string | undefined } | undefined;
  #writer: Writer | undefined;
  #reader: { readonly state: Disposable; readonly database: Database } | undefined;

  constructor(
    readonly session: Session,
    readonly root: RootDirectory,
    readonly layout: Layout,
    readonly resolved: ResolvedSettings,
    /** `SUDO_USER` and the like, recorded as claimed (A-OPER-04). */
    readonly claimedOperator: Readonly<Record<string, string>>,
  ) {
    this.startedAt = session.system.now();
    this.rate = new RateLimit(resolved.settings.fetchRateBytesPerSecond);
  }

  get settings(): Settings {
    return this.resolved.settings;
  }

  /** Content of `ca_file`, read once. @throws {PeipkgError} `config` when it cannot be read. */
  get certificates(): string | undefined {
    this.#certificates ??= { text: this.#readCertificates() };
    return this.#certificates.text;
  }

  #readCertificates(): string | undefined {
    const place = this.settings.caFile;
    if (place === undefined) return undefined;
    const path = hostPath(this.layout, place);
    try {
      using file = this.session.system.openFile(path);
      const buffer = new Uint8Array(CONFIGURATION_LIMIT_BYTES);
      return new TextDecoder().decode(buffer.subarray(0, file.readAt(buffer, 0)));
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw new PeipkgError("config", `cannot read certificates from "${path}": ${error.errno}`, {
        key: "ca_file",
        cause: error,
      });
    }
  }

  /** The root is the running system's own (T-SIDE-04). */
  get isSystemRoot(): boolean {
    return isSystemRoot(this.layout);
  }

  /** T-COLL-15 */
  get reservedPaths(): readonly string[] {
    return reservedPaths(this.layout);
  }

  /** Package that owns the running program, if it lies in this installation (T-RM-09). */
  programOwner(database: Database): string | undefined {
    const path = this.session.system.machine.programPath;
    if (path === undefined || !this.isSystemRoot) return undefined;
    return readOwners(database, path)[0]?.package;
  }

  warn(warning: Warning): void {
    this.session.emit({ kind: "warning", warning });
  }

  /**
   * The system's primary architecture: as recorded, else configured, else the machine's.
   *
   * @throws {PeipkgError} `config` when the key contradicts the record, or the machine is neither known nor named.
   * @see C-CONF-14, S-ARCH-03, T-DB-18
   */
  architecture(database: Database | undefined): Architecture {
    const recorded = database?.meta("primary_arch");
    const configured = this.settings.architecture;
    if (recorded !== undefined && configured !== undefined && recorded !== configured) {
      throw new PeipkgError(
        "config",
        `cannot use architecture "${configured}": this installation was begun with "${recorded}"`,
        { key: "architecture", hint: "remove the setting, or begin another root" },
      );
    }
    const name = recorded ?? configured ?? this.session.system.machine.architecture;
    if (isArchitecture(name) && name !== "noarch") return name;
    throw new PeipkgError(
      "config",
      `cannot tell the architecture: the machine is "${name}", known are x86_64 and aarch64`,
      { key: "architecture", hint: "name it: -o architecture=x86_64" },
    );
  }

  // --- Places ----------------------------------------------------------------------------------------------------

  openConfiguration(create: boolean): Directory | undefined {
    const { system } = this.session;
    return create
      ? createPlace(system, this.root, this.layout.config)
      : openPlace(system, this.root, this.layout.config);
  }

  openCache(area: CacheArea, create: boolean): Directory | undefined {
    const { system } = this.session;
    using cache = create
      ? createPlace(system, this.root, this.layout.cache)
      : openPlace(system, this.root, this.layout.cache);
    if (cache === undefined) return undefined;
    return create ? openOrCreateChild(cache, area, CACHE_MODES[area]) : cache.openDirectory(area);
  }

  /** The state directory with what SQLite needs to know of it; `undefined` when it does not exist. */
  openState(): StateDirectory & Disposable | undefined {
    return this.#stateOf(openPlace(this.session.system, this.root, this.layout.state));
  }

  #stateOf(directory: Directory | undefined): StateDirectory & Disposable | undefined {
    if (directory === undefined) return undefined;
    const parent = openPlace(this.session.system, this.root, parentPlace(this.layout.state));
    if (parent === undefined) {
      directory[Symbol.dispose]();
      return undefined;
    }
    return {
      directory,
      parent,
      path: hostPath(this.layout, this.layout.state),
      hasKacs: this.root.hasKacs,
      [Symbol.dispose]: () => {
        directory[Symbol.dispose]();
        parent[Symbol.dispose]();
      },
    };
  }

  // --- Reading ---------------------------------------------------------------------------------------------------

  read<T>(body: (database: Database | undefined) => T): T {
    if (this.#writer !== undefined) return body(this.#writer.database);
    if (this.#reader !== undefined) return body(this.#reader.database);
    const state = this.openState();
    const database = state === undefined ? undefined : this.#openReader(state);
    // One snapshot serves every question of a run (T-MODEL-08); it is given up when this run begins to write.
    if (state !== undefined && database !== undefined) this.#reader = { state, database };
    return body(database);
  }

  #openReader(state: StateDirectory & Disposable): Database | undefined {
    let database: Database | undefined;
    try {
      return database = Database.openForReading(this.session, state);
    } finally {
      if (database === undefined) state[Symbol.dispose]();
    }
  }

  #closeReader(): void {
    this.#reader?.database[Symbol.dispose]();
    this.#reader?.state[Symbol.dispose]();
    this.#reader = undefined;
  }

  /**
   * What a reader has to tell about an interrupted or indeterminate transaction before its own answer.
   *
   * @param looksAtFiles Also tell of a transaction that is being worked on: files may change while they are looked at.
   * @see C-ERR-07, C-ERR-09, T-RECOV-06, T-INDET-03, T-VRFY-10
   */
  async warnOfPending(looksAtFiles = false): Promise<void> {
    if (this.#writer !== undefined) return;
    const pending = this.read((database) => database === undefined ? undefined : pendingTransaction(database));
    if (pending === undefined) return;
    if (pending.isIndeterminate) {
      this.warn({
        rule: "W_INDETERMINATE",
        text: `transaction ${pending.id} could not be rolled back completely; run 'peipkg recover'`,
      });
      return;
    }
    using state = this.openState();
    if (state === undefined) return;
    const { readHolder } = await import("../fs/lock.ts");
    if (readHolder(state.directory, this.session.system.machine).alive) {
      const text = `transaction ${pending.id} is pending; what is found now may be transient`;
      if (looksAtFiles) this.warn({ rule: "W_TXN_PENDING", text });
      return;
    }
    this.warn({
      rule: "W_TXN_PENDING",
      text: `transaction ${pending.id} was interrupted; the next change command or 'peipkg recover' rolls it back`,
    });
  }

  // --- Writing ---------------------------------------------------------------------------------------------------

  async write<T>(body: (database: Database) => T): Promise<T> {
    if (this.#writer !== undefined) return body(this.#writer.database);
    return await this.withWriter(({ database }) => Promise.resolve(body(database)));
  }

  /**
   * Takes the lock, recovers, and runs `body` under it. Creates state and database when they are missing (T-DB-17).
   *
   * @throws {PeipkgError} `busy`, `denied`, `database`, `indeterminate`, `journal-version`
   * @see T-LOCK-01, T-LOCK-13, T-COMMIT-01, T-COMMIT-02
   */
  async withWriter<T>(body: (writer: Writer) => Promise<T>): Promise<T> {
    if (this.#writer !== undefined) return await body(this.#writer);
    using directory = createPlace(this.session.system, this.root, this.layout.state, PLACE_MODE);
    return await this.#locked(directory, body, { create: true, recovers: true }) as T;
  }

  /**
   * As `withWriter()`, but an installation without a database stays without: the result is `undefined` then.
   *
   * @param recovers Roll back what is pending first; `recover` does that itself.
   */
  async withExistingWriter<T>(body: (writer: Writer) => Promise<T>, recovers = true): Promise<T | undefined> {
    if (this.#writer !== undefined) return await body(this.#writer);
    using directory = openPlace(this.session.system, this.root, this.layout.state);
    if (directory === undefined || directory.status(DATABASE_FILE) === undefined) return undefined;
    return await this.#locked(directory, body, { create: false, recovers });
  }

  async #locked<T>(
    directory: Directory,
    body: (writer: Writer) => Promise<T>,
    { create, recovers }: { readonly create: boolean; readonly recovers: boolean },
  ): Promise<T | undefined> {
    // Loaded here and below: readers take no lock and never recover, and the transaction room is the largest there is.
    const { acquireWriterLock } = await import("../fs/lock.ts");
    using _lock = await acquireWriterLock(this.session, directory, {
      waitSeconds: this.settings.lockWaitSeconds,
      startedAt: this.startedAt,
    });
    this.#closeReader();
    using state = this.openState();
    if (state === undefined) throw new PeipkgError("internal", "the state directory went away under its lock");
    using database = this.#openDatabase(state, create);
    if (database === undefined) return undefined;
    this.architecture(database);
    this.#writer = { database, state, recovered: undefined };
    try {
      const { recoverUnderLock } = await import("./recover.ts");
      const { migrateDatabase } = await import("../store/migrate.ts");
      const recovered = recovers ? await recoverUnderLock(this, { database, state }) : undefined;
      if (recovers) migrateDatabase(database); // T-SCHEMA-03: nothing is pending any more
      this.#writer = { database, state, recovered };
      acceptSettings(this.resolved.values, database, (event) => this.audit(event));
      return await body(this.#writer);
    } finally {
      this.#writer = undefined;
    }
  }

  #openDatabase(state: StateDirectory, create: boolean): Database | undefined {
    const existing = Database.openForWriting(this.session, state);
    if (existing !== undefined || !create) return existing;
    return Database.create(this.session, state, {
      primaryArchitecture: this.architecture(undefined),
      createdAt: Math.floor(this.startedAt / 1000),
    });
  }

  // --- Audit -----------------------------------------------------------------------------------------------------

  /** The audit sinks; nothing is opened before the first event. */
  get trail(): AuditTrail {
    const { eventLog } = this.settings;
    return this.#trail ??= AuditTrail.open(this.session, this.root, {
      openEventLog: eventLog === undefined ? undefined : () => this.#openFileParent(eventLog),
      hasInstallation: () => this.#hasInstallation(),
      claimed: this.claimedOperator,
    });
  }

  audit(event: RepositoryAuditEvent): void {
    this.trail.emit(repositoryEvent(event, this.startedAt));
  }

  #openFileParent(place: PathSetting): { readonly directory: Directory; readonly name: string } | undefined {
    const directory = openPlace(this.session.system, this.root, parentPlace(place));
    return directory === undefined ? undefined : { directory, name: place.path.slice(place.path.lastIndexOf("/") + 1) };
  }

  #hasInstallation(): boolean {
    using state = openPlace(this.session.system, this.root, this.layout.state);
    return state?.status(DATABASE_FILE) !== undefined;
  }

  /** Reports audit losses once, at the end of the operation (A-SINK-04). */
  finish(changedSomething: boolean): void {
    this.#trail?.finish(changedSomething);
  }

  [Symbol.dispose](): void {
    this.#closeReader();
    this.#trail?.[Symbol.dispose]();
    this.root[Symbol.dispose]();
  }
}
