/**
 * Backups of the package database: a consistent snapshot, taken without any lock while readers and writers go on, as
 * one Zstandard frame of JSON lines. The first line is the header with the SHA-256 of everything after it; each
 * further line is one row.
 */
import { PeipkgError } from "../errors.ts";
import { createSha256 } from "../format/hash.ts";
import { ZstdEncoder } from "../format/zstd.ts";
import { formatTimestamp } from "../identity/timestamp.ts";
import { Database } from "../store/database.ts";
import { type DumpRow, dumpRows } from "../store/dump.ts";
import { writeNamedFile } from "./named_files.ts";
import type { Workspace } from "./workspace.ts";

/** First line of a backup. */
export interface BackupHeader {
  /** Version of this format. */
  readonly format: number;
  readonly program: string;
  /** Root it was taken of, as its operator gave it. */
  readonly root: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly schemaVersion: number;
  readonly architecture: string;
  readonly packages: number;
  /** SHA-256 of every line after the header. */
  readonly digest: string;
}

export interface BackupReport {
  readonly packages: number;
  readonly digest: string;
}

export const BACKUP_FORMAT = 1;
const LEVEL = 6;
/** Annotations and operators' names are in it. */
const FILE_MODE = 0o600;
/** Text gathered before it is hashed or compressed. */
const BATCH_CHARACTERS = 256 * 1024;

/**
 * Backs the database up into a new file.
 *
 * @throws {PeipkgError} `exists`, `denied`, `io`, `no-space`; `database` when it cannot be read
 * @see C-BACKUP-01
 */
export async function backupToFile(workspace: Workspace, path: string): Promise<BackupReport> {
  let report: BackupReport | undefined;
  await writeNamedFile(workspace.session, path, FILE_MODE, false, async (file) => {
    report = await backupTo(workspace, (bytes) => file.write(bytes));
  });
  if (report === undefined) throw new PeipkgError("internal", "the backup ended without a report");
  return report;
}

/**
 * Backs the database up into a receiver of bytes, which must not keep them.
 *
 * @see C-BACKUP-01
 */
export async function backupTo(workspace: Workspace, write: (bytes: Uint8Array) => void): Promise<BackupReport> {
  using state = workspace.openState();
  using database = state === undefined ? undefined : Database.openForReading(workspace.session, state);
  if (database === undefined) throw new PeipkgError("failed", "cannot back up: there is no package database here");
  return await backupDatabase(workspace, database, write);
}

/** The same for a database that is open already; it must not change meanwhile. */
export async function backupDatabase(
  workspace: Workspace,
  database: Database,
  write: (bytes: Uint8Array) => void,
): Promise<BackupReport> {
  // The digest stands in front, so the rows are read twice: both times the same snapshot, and never held at once.
  const hash = createSha256();
  let packages = 0;
  for (const batch of batches(database, ({ table }) => packages += table === "package" ? 1 : 0)) hash.update(batch);
  const digest = hash.hex();
  using encoder = new ZstdEncoder(LEVEL, write);
  await encoder.push(headerLine({
    format: BACKUP_FORMAT,
    program: workspace.session.version,
    root: workspace.layout.root,
    createdAt: formatTimestamp(Math.floor(workspace.startedAt / 1000)),
    schemaVersion: database.schemaVersion,
    architecture: database.meta("primary_arch") ?? "",
    packages,
    digest,
  }));
  for (const batch of batches(database)) {
    workspace.session.signal.throwIfAborted();
    await encoder.push(batch);
  }
  await encoder.finish();
  return { packages, digest };
}

function headerLine(header: BackupHeader): Uint8Array {
  return new TextEncoder().encode(
    `${
      JSON.stringify({
        peipkg_backup: header.format,
        version: header.program,
        root: header.root,
        created_at: header.createdAt,
        schema_version: header.schemaVersion,
        architecture: header.architecture,
        packages: header.packages,
        sha256: header.digest,
      })
    }\n`,
  );
}

function* batches(
  database: Database,
  visit: (row: DumpRow) => void = () => {},
): Generator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  let text = "";
  for (const row of dumpRows(database)) {
    visit(row);
    text += rowLine(row);
    if (text.length < BATCH_CHARACTERS) continue;
    yield encoder.encode(text);
    text = "";
  }
  if (text !== "") yield encoder.encode(text);
}

/** A row as it stands in a backup. */
export function rowLine({ table, values }: DumpRow): string {
  return `${JSON.stringify([table, ...values])}\n`;
}
