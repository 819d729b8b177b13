import type { Directory, Machine, Session } from "../system.ts";

/** What the holder wrote about itself (T-LOCK-04); information, not authority. */
export interface LockHolder {
  readonly pid: number;
  readonly startTicks: string | undefined;
  readonly bootId: string | undefined;
  readonly pidNamespace: string | undefined;
  readonly hostname: string | undefined;
  readonly version: string | undefined;
  readonly command: string | undefined;
  /** RFC 3339, UTC. */
  readonly startedAt: string | undefined;
}

/** The writer lock, held until disposed. */
export interface WriterLock extends Disposable {
  /** Held by the kernel's `flock`, or by the file of T-LOCK-07. */
  readonly kind: "flock" | "file";
}

export interface LockOptions {
  /** Seconds to wait for another holder; 0: fail at once. */
  readonly waitSeconds: number;
  /** Milliseconds since the epoch at which the operation started; read from the system when absent. */
  readonly startedAt?: number;
}

/**
 * Takes the writer lock of a state directory.
 *
 * @throws {PeipkgError} `busy` (`LOCK_BUSY`), `denied` (`STATE_UNSAFE`, `NOT_PERMITTED`), `io` (`LOCK_IO`)
 */
export function acquireWriterLock(session: Session, state: Directory, options: LockOptions): Promise<WriterLock> {
  return Promise.reject(new Error(`not built: ${session.command} ${state.path} ${options.waitSeconds}`));
}

/** Refuses a state directory that writers must not use (T-LOCK-12, T-DB-11). `acquireWriterLock()` includes it. */
export function checkStateDirectory(state: Directory, machine: Machine): void {
  throw new Error(`not built: ${state.path} ${machine.pid}`);
}

/** Who the lock names, and whether that process may still be at work (T-RECOV-06: anything unclear is alive). */
export function readHolder(
  state: Directory,
  machine: Machine,
): { readonly alive: boolean; readonly holder: LockHolder | undefined } {
  throw new Error(`not built: ${state.path} ${machine.pid}`);
}
