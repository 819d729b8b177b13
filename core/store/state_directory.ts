/** What has to be true of the state directory before and after SQLite opens a file in it by path. */
import { ruleError, SystemCallError } from "../errors.ts";
import type { Session } from "../system.ts";
import type { StateDirectory } from "./database.ts";
import { openFailure } from "./sqlite_failure.ts";

export const DATABASE_FILE = "db.sqlite";
const DATABASE_FILES = [DATABASE_FILE, `${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`] as const;

/** T-DB-01: SQLite follows links by itself, so what it opened is compared with what lies below the pinned directory. */
export function checkOpenedFile(session: Session, state: StateDirectory): void {
  const status = state.directory.status(DATABASE_FILE);
  if (status === undefined || !session.system.machine.holdsOpenFile(status.device, status.inode)) {
    throw ruleError("STATE_UNSAFE", `cannot open the package database: another file was opened in its place`, {
      path: `${state.directory.path}/${DATABASE_FILE}`,
    });
  }
}

/** Proves that SQLite will meet regular files only (T-DB-01) and tells whether there is a database at all. */
export function hasDatabase(state: StateDirectory, mode: "reader" | "writer"): boolean {
  try {
    for (const name of DATABASE_FILES) {
      const status = state.directory.status(name);
      if (status === undefined || (status.type === "file" && status.links === 1)) continue;
      const found = status.type === "file" ? `it has ${status.links} names` : "it is not a regular file";
      throw ruleError("STATE_UNSAFE", `cannot open the package database: ${name} is unsafe, ${found}`, {
        path: `${state.directory.path}/${name}`,
      });
    }
    return (state.directory.status(DATABASE_FILE)?.sizeBytes ?? 0) > 0;
  } catch (error) {
    throw error instanceof SystemCallError ? openFailure(error, mode) : error;
  }
}

/** T-DB-11: on a kernel without KACS, owner and mode bits are what protects the journal from forgery. */
export function checkStateIsPrivate(session: Session, state: StateDirectory): void {
  if (state.hasKacs) return;
  const { uid, mode } = state.directory.selfStatus();
  const isOurs = uid === 0 || uid === session.system.machine.euid;
  if (isOurs && (mode & 0o022) === 0) return;
  const found = isOurs ? "it is writable by others" : `it belongs to user ${uid}`;
  throw ruleError("STATE_UNSAFE", `cannot write to the state directory: ${found}`, { path: state.directory.path });
}
