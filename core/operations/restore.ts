/**
 * Restoring the package database from a backup, in two passes over the file: the first proves its digest and compares
 * it with what is recorded now, the second writes, and proves the digest again before anything counts.
 *
 * 1. Nothing is restored while a transaction is pending; the writer rolls it back first or refuses.
 * 2. What is replaced has been backed up before the first row is written.
 * 3. Trust only ever becomes stricter: floors rise, revocations are added, and trust is restored only for a repository
 *    that is configured with the same base, anchors and policy and has no recorded state (C-BACKUP-03).
 */
import { readRepositoryFiles, type RepositoryConfiguration } from "../config/repo_file.ts";
import { hostPath } from "../config/layout.ts";
import { PeipkgError } from "../errors.ts";
import { createSha256, type Sha256 } from "../format/hash.ts";
import { ZstdDecoder } from "../format/zstd.ts";
import { openOrCreateChild } from "../fs/durable.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { compareTimestamps, parseTimestamp } from "../identity/timestamp.ts";
import type { Database } from "../store/database.ts";
import {
  DumpRestore,
  type DumpRow,
  dumpRows,
  isDumpRow,
  isRepositoryRow,
  packageOf,
  repositoryStates,
} from "../store/dump.ts";
import {
  type Floor,
  readRepositoryState,
  type RepositoryState,
  writeRepositoryState,
} from "../store/repository_state.ts";
import { BACKUP_FORMAT, backupDatabase, type BackupHeader, rowLine } from "./backup.ts";
import { openNamedFile } from "./named_files.ts";
import type { Workspace, Writer } from "./workspace.ts";

/** What restoring would do; computing it changed nothing. */
export interface RestorePlan {
  /** As the operator gave it. */
  readonly path: string;
  readonly header: BackupHeader;
  /** Package records, by name. */
  readonly added: readonly string[];
  readonly dropped: readonly string[];
  readonly changed: readonly string[];
}

export interface RestoreReport {
  readonly packages: number;
  /** Where what was replaced is kept, as the host reaches it. */
  readonly keptAt: string;
}

const READ_BYTES = 256 * 1024;
/** A manifest and its escapes; a line beyond it is no row. */
const LINE_LIMIT_CHARACTERS = 64 * 1024 * 1024;
/** No database of packages comes near it; a bomb does. */
const CONTENT_LIMIT_BYTES = 16 * 1024 * 1024 * 1024;
const HEADER_LIMIT_CHARACTERS = 64 * 1024;
const KEPT_DIRECTORY = "reports";
const KEPT_MODE = 0o600;
const DIRECTORY_MODE = 0o755;

/**
 * Reads a backup, proves its digest, and compares it with what is recorded.
 *
 * @throws {PeipkgError} `format` when it is no backup, `hash` when its digest does not match, `io`, `denied`
 * @see C-BACKUP-02
 */
export async function planRestore(workspace: Workspace, path: string): Promise<RestorePlan> {
  const prints = new Fingerprints();
  const header = await readBackup(workspace, path, (row) => prints.add(row));
  workspace.read((database) => checkHeader(workspace, header, path, database));
  const present = workspace.read((database) => {
    const current = new Fingerprints();
    if (database !== undefined) { for (const row of dumpRows(database)) current.add(row); }
    return current.finish();
  });
  const backed = prints.finish();
  const names = [...new Set([...present.keys(), ...backed.keys()])].sort(compareBytes);
  return {
    path,
    header,
    added: names.filter((name) => !present.has(name)),
    dropped: names.filter((name) => !backed.has(name)),
    changed: names.filter((name) => {
      const [now, then] = [present.get(name), backed.get(name)];
      return now !== undefined && then !== undefined && now !== then;
    }),
  };
}

/**
 * Replaces the records by those of a backup.
 *
 * @throws {PeipkgError} `hash` when the file is no longer the one planned with; `busy`, `indeterminate`, `database`
 * @see C-BACKUP-02, C-BACKUP-03, T-DB-14, A-EVENT-10
 */
export async function restoreBackup(workspace: Workspace, plan: RestorePlan): Promise<RestoreReport> {
  return await workspace.withWriter(async (writer) => {
    const { database } = writer;
    checkHeader(workspace, plan.header, plan.path, database);
    const kept = await keepPresent(workspace, writer);
    database.begin();
    try {
      await replaceRecords(workspace, plan, database);
      const broken = database.foreignKeyProblems();
      if (broken.length > 0) throw unfit(plan.path, `its rows do not belong together: ${broken.join(", ")}`);
      database.advanceGeneration();
    } catch (error) {
      database.rollback();
      throw error;
    }
    const outcome = database.commit();
    if (outcome.kind !== "committed") {
      if (outcome.kind === "not-committed") database.rollback();
      throw outcome.error;
    }
    workspace.audit({
      type: "peipkg.config-change",
      outcome: "success",
      change: { setting: "database", old: kept.digest, new: plan.header.digest, via: "command" },
    });
    return { packages: plan.header.packages, keptAt: kept.path };
  });
}

/** C-BACKUP-02: an automatic backup of what is about to be replaced. */
async function keepPresent(
  workspace: Workspace,
  { database, state }: Writer,
): Promise<{ readonly path: string; readonly digest: string }> {
  using directory = openOrCreateChild(state.directory, KEPT_DIRECTORY, DIRECTORY_MODE);
  const stamp = new Uint8Array(workspace.session.system.randomBytes(4)).toHex();
  const name = `before-restore-${Math.floor(workspace.startedAt / 1000)}-${stamp}.backup`;
  using file = directory.createFile(name, KEPT_MODE);
  try {
    const { digest } = await backupDatabase(workspace, database, (bytes) => file.write(bytes));
    file.sync();
    directory.sync();
    const path = `${hostPath(workspace.layout, workspace.layout.state)}/${KEPT_DIRECTORY}/${name}`;
    workspace.session.emit({ kind: "file", path, action: "written" });
    return { path, digest };
  } catch (error) {
    directory.unlink(name);
    throw error;
  }
}

async function replaceRecords(workspace: Workspace, plan: RestorePlan, database: Database): Promise<void> {
  const restore = new DumpRestore(database);
  const repositories: DumpRow[] = [];
  const header = await readBackup(workspace, plan.path, (row) => {
    if (isRepositoryRow(row)) repositories.push(row);
    else addRow(restore, row, plan.path);
  });
  if (header.digest !== plan.header.digest) {
    throw new PeipkgError("hash", `cannot restore "${plan.path}": it changed while it was being read`, {
      path: plan.path,
    });
  }
  restore.finish();
  mergeRepositories(workspace, database, repositoryStates(repositories));
}

/** A row the layout refuses is the file's fault, not the database's. */
function addRow(restore: DumpRestore, row: DumpRow, path: string): void {
  try {
    restore.add(row);
  } catch (error) {
    if (!(error instanceof PeipkgError) || error.code !== "database") throw error;
    throw unfit(path, `a row of ${row.table} does not fit: ${error.message}`, error);
  }
}

// --- Repositories (C-BACKUP-03) ------------------------------------------------------------------------------------

function mergeRepositories(workspace: Workspace, database: Database, states: readonly RepositoryState[]): void {
  const configured = configurations(workspace);
  const now = Math.floor(workspace.startedAt / 1000);
  for (const restored of states) {
    const configuration = configured.get(restored.name);
    const present = readRepositoryState(database, restored.name);
    if (present !== undefined) {
      writeRepositoryState(database, stricter(present, restored), now);
    } else if (configuration !== undefined && isSameTrust(configuration, restored)) {
      writeRepositoryState(database, withRevocations(restored, restored.revocations), now);
    }
  }
}

function configurations(workspace: Workspace): ReadonlyMap<string, RepositoryConfiguration> {
  using directory = workspace.openConfiguration(false);
  return new Map(
    readRepositoryFiles(directory).flatMap((file) =>
      file.kind === "valid" ? [[file.handle, file.configuration] as const] : []
    ),
  );
}

/** A file that says something else now was not what the operator trusted then. */
function isSameTrust(configuration: RepositoryConfiguration, { accepted }: RepositoryState): boolean {
  return configuration.baseUrl === accepted.baseUrl && configuration.signaturePolicy === accepted.signaturePolicy &&
    configuration.allowInsecureTransport === accepted.allowInsecureTransport &&
    [...configuration.trustAnchors].sort().join() === [...accepted.trustAnchors].sort().join();
}

/** What is recorded now, with the higher floors and the revocations of both. */
function stricter(present: RepositoryState, restored: RepositoryState): RepositoryState {
  return {
    ...withRevocations(present, new Set([...present.revocations, ...restored.revocations])),
    active: higher(present.active, restored.active),
    archive: higher(present.archive, restored.archive),
  };
}

/** Both values of a floor only ever rise, each by itself. */
function higher(a: Floor, b: Floor): Floor {
  const [first, second] = [a.generatedAt, b.generatedAt].map((text) =>
    text === undefined ? undefined : parseTimestamp(text)
  );
  const isLater = second !== undefined && (first === undefined || compareTimestamps(second, first) > 0);
  return {
    indexVersion: Math.max(a.indexVersion, b.indexVersion),
    generatedAt: isLater ? b.generatedAt : a.generatedAt,
  };
}

function withRevocations(state: RepositoryState, revocations: ReadonlySet<string>): RepositoryState {
  const keys = state.keys.map((key) =>
    revocations.has(key.fingerprint) ? { ...key, status: "revoked" as const, validUntil: undefined } : key
  );
  return { ...state, keys, revocations };
}

// --- Reading -------------------------------------------------------------------------------------------------------

function unfit(path: string, found: string, cause?: unknown): PeipkgError {
  return new PeipkgError("format", `cannot restore "${path}": ${found}`, { path, cause });
}

/** Reads a whole backup, row by row; returns only when its digest is right. */
async function readBackup(workspace: Workspace, path: string, receive: (row: DumpRow) => void): Promise<BackupHeader> {
  using file = openNamedFile(workspace.session, path);
  const reader = new BackupReader(path, receive);
  using decoder = new ZstdDecoder({ output: (bytes) => reader.push(bytes), bound: () => CONTENT_LIMIT_BYTES });
  const buffer = new Uint8Array(READ_BYTES);
  for (let offset = 0;;) {
    workspace.session.signal.throwIfAborted();
    const count = file.readAt(buffer, offset);
    if (count === 0) break;
    await decoder.push(buffer.subarray(0, count));
    offset += count;
  }
  await decoder.finish();
  return reader.finish();
}

function checkHeader(
  workspace: Workspace,
  { architecture, schemaVersion }: BackupHeader,
  path: string,
  database: Database | undefined,
): void {
  if (database !== undefined && schemaVersion !== database.schemaVersion) {
    throw unfit(path, `it has layout ${schemaVersion}, this database has ${database.schemaVersion}`);
  }
  const wanted = workspace.architecture(database);
  if (architecture === wanted) return;
  throw new PeipkgError(
    "config",
    `cannot restore "${path}": it is of an ${architecture} installation, this one is ${wanted}`,
    {
      key: "architecture",
      ...(database === undefined ? { hint: `begin this root with -o architecture=${architecture}` } : {}),
    },
  );
}

/** Lines to rows; hashes everything after the header as it comes. */
class BackupReader {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #hash: Sha256 = createSha256();
  readonly #path: string;
  readonly #receive: (row: DumpRow) => void;
  #header: BackupHeader | undefined;
  #text = "";

  constructor(path: string, receive: (row: DumpRow) => void) {
    this.#path = path;
    this.#receive = receive;
  }

  push(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#header === undefined) {
      const end = bytes.indexOf(0x0a);
      if (end < 0) {
        this.#decode(bytes, HEADER_LIMIT_CHARACTERS);
        return;
      }
      this.#decode(bytes.subarray(0, end), HEADER_LIMIT_CHARACTERS);
      this.#header = this.#parseHeader(this.#text);
      this.#text = "";
      rest = bytes.subarray(end + 1);
    }
    this.#hash.update(rest);
    this.#decode(rest, LINE_LIMIT_CHARACTERS);
    this.#takeLines();
  }

  finish(): BackupHeader {
    const header = this.#header;
    if (header === undefined || this.#text !== "") throw unfit(this.#path, "it ends in the middle of a line");
    const digest = this.#hash.hex();
    if (digest === header.digest) return header;
    throw new PeipkgError(
      "hash",
      `cannot restore "${this.#path}": its digest is ${digest}, expected ${header.digest}`,
      {
        path: this.#path,
      },
    );
  }

  #decode(bytes: Uint8Array, limit: number): void {
    try {
      this.#text += this.#decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw unfit(this.#path, "it is not UTF-8", cause);
    }
    if (this.#text.length > limit) throw unfit(this.#path, `a line is longer than ${limit} characters`);
  }

  #takeLines(): void {
    let start = 0;
    for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n", start)) {
      this.#receive(this.#parseRow(this.#text.slice(start, end)));
      start = end + 1;
    }
    this.#text = this.#text.slice(start);
  }

  #parse(line: string): unknown {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw unfit(this.#path, "it holds a line that is no JSON", cause);
    }
  }

  #parseRow(line: string): DumpRow {
    const value = this.#parse(line);
    const [table, ...values]: readonly unknown[] = Array.isArray(value) ? value : [];
    if (typeof table !== "string" || !isDumpRow(table, values)) {
      throw unfit(this.#path, "it holds a line that is no row");
    }
    return { table, values };
  }

  #parseHeader(line: string): BackupHeader {
    const value = this.#parse(line);
    const fields = new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
    const format = fields.get("peipkg_backup");
    if (typeof format !== "number") throw unfit(this.#path, "it is no backup of peipkg");
    if (format !== BACKUP_FORMAT) throw unfit(this.#path, `it has format ${format}, known is ${BACKUP_FORMAT}`);
    const text = (name: string): string => {
      const found = fields.get(name);
      if (typeof found !== "string") throw unfit(this.#path, `its header has no "${name}"`);
      return found;
    };
    const count = (name: string): number => {
      const found = fields.get(name);
      if (typeof found !== "number" || !Number.isSafeInteger(found)) {
        throw unfit(this.#path, `its header has no "${name}"`);
      }
      return found;
    };
    return {
      format,
      program: text("version"),
      root: text("root"),
      createdAt: text("created_at"),
      schemaVersion: count("schema_version"),
      architecture: text("architecture"),
      packages: count("packages"),
      digest: text("sha256"),
    };
  }
}

/** One hash per package over all rows of its present state, so that two sets can be compared without holding them. */
class Fingerprints {
  readonly #hashes = new Map<string, Sha256>();
  readonly #encoder = new TextEncoder();
  /** Rows of one package follow each other: they are hashed together, which costs a tenth. */
  #name: string | undefined;
  #text = "";

  add(row: DumpRow): void {
    const name = packageOf(row);
    if (name === undefined) return;
    if (name !== this.#name || this.#text.length > READ_BYTES) this.#flush();
    this.#name = name;
    this.#text += rowLine(row);
  }

  finish(): ReadonlyMap<string, string> {
    this.#flush();
    return new Map([...this.#hashes].map(([name, hash]) => [name, hash.hex()]));
  }

  #flush(): void {
    if (this.#name === undefined) return;
    let hash = this.#hashes.get(this.#name);
    if (hash === undefined) this.#hashes.set(this.#name, hash = createSha256());
    hash.update(this.#encoder.encode(this.#text));
    this.#text = "";
  }
}
