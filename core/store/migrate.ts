/**
 * Brings a database to the layout this program writes, one numbered step at a time (T-SCHEMA-02). Runs after
 * recovery and housekeeping, never while a transaction is pending (T-SCHEMA-03).
 */
import { ruleError } from "../errors.ts";
import type { Database } from "./database.ts";
import { type Migration, MIGRATIONS, splitStatements } from "./schema.ts";

/** Copies kept of databases as they were before a migration (T-SCHEMA-04). */
const KEPT_COPIES = 2;
const COPY_MODE = 0o600;
const COPY_REGEXP = /^db\.sqlite\.v(\d{1,9})\.bak$/;

/**
 * Applies the missing migrations. Each is one database transaction that also raises the recorded version, so that a
 * crash leaves either layout whole.
 *
 * @returns The versions reached, in order; empty when there was nothing to do.
 * @throws {PeipkgError} `busy` (`TXN_PENDING`), `no-space` (`DB_FULL`), `denied` (`NOT_PERMITTED`), `io` (`DB_IO`)
 */
export function migrateDatabase(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): readonly number[] {
  const missing = migrations.filter(({ version }) => version > database.schemaVersion);
  if (missing.length === 0) return [];
  if (database.statement("SELECT 1 FROM txn WHERE state = 'pending'").get() !== undefined) {
    throw ruleError("TXN_PENDING", "cannot change the layout of the package database: a transaction is pending");
  }
  copyBeforeMigration(database);
  for (const { version, upgrade } of missing) {
    database.write(() => {
      for (const statement of splitStatements(upgrade)) database.statement(statement).run();
      database.recordSchemaVersion(version);
    });
  }
  return missing.map(({ version }) => version);
}

/** T-SCHEMA-04: a copy that nobody else can read, made whole before the first step. */
function copyBeforeMigration(database: Database): void {
  const { directory, path } = database.state;
  const name = `db.sqlite.v${database.schemaVersion}.bak`;
  // A crash may have left half a copy of an attempt that never began.
  if (directory.status(name) !== undefined) directory.unlink(name);
  // SQLite fills an empty file that exists, which is how the copy gets its mode before it gets its content.
  {
    using _file = directory.createFile(name, COPY_MODE);
  }
  database.copyInto(`${path}/${name}`);
  {
    using copy = directory.appendFile(name, COPY_MODE);
    copy.sync();
  }
  directory.sync();
  const copies = directory.list().names
    .map((found) => ({ found, version: Number(COPY_REGEXP.exec(found)?.[1] ?? -1) }))
    .filter(({ version }) => version >= 0)
    .sort((a, b) => b.version - a.version);
  for (const { found } of copies.slice(KEPT_COPIES)) directory.unlink(found);
}
