/**
 * The writer lock of a state directory.
 *
 * I1  At most one process holds it. The authority is the kernel's `flock` on `STATE/lock`, which ends with its holder
 *     (T-LOCK-01, T-LOCK-02); where the file system has none, the exclusive creation of `STATE/lock.pid` (T-LOCK-07).
 * I2  `STATE/lock` is never unlinked: two processes would lock two inodes (T-LOCK-04).
 * I3  What is written inside is information. It decides only whether a `lock.pid` may be broken, and then only when
 *     the holder is provably gone; age proves nothing (T-LOCK-06).
 * I4  `lock.pid` is replaced only while `lock.break` is held (T-LOCK-08).
 * I5  Readers never take it, not even for an instant (T-LOCK-10).
 *
 * @see T-LOCK-01 to T-LOCK-13, T-DB-11, T-RECOV-06
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { formatTimestamp } from "../identity/timestamp.ts";
import type { Directory, FileStatus, Machine, Session, WritableFile } from "../system.ts";
import { readSmallFile } from "./durable.ts";

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

const LOCK_NAME = "lock";
const FALLBACK_NAME = "lock.pid";
const BREAK_NAME = "lock.break";
const LOCK_MODE = 0o644;
/** More than any holder writes. */
const CONTENT_LIMIT_BYTES = 4096;
const POLL_MILLISECONDS = 100;

/** File systems shared between machines, by `f_type` (T-LOCK-12). */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<bigint, string> = new Map([
  [0x6969n, "NFS"],
  [0x517bn, "SMB"],
  [0xff534d42n, "SMB"],
  [0xfe534d42n, "SMB"],
  [0x5346414fn, "AFS"],
  [0x6b414653n, "AFS"],
  [0x00c36400n, "Ceph"],
  [0x01161970n, "GFS2"],
  [0x7461636fn, "OCFS2"],
  [0x0bd00bd0n, "Lustre"],
]);

/** Refusals that mean "this file system has no `flock`" (T-LOCK-07). */
const NO_FLOCK = new Set(["ENOLCK", "EOPNOTSUPP", "ENOSYS"]);
const DENIED = new Set(["EACCES", "EPERM", "EROFS"]);
/** What opening something that is no regular file answers. */
const WRONG_TYPE = new Set(["ELOOP", "EISDIR", "ENXIO"]);

type Attempt = { readonly kind: "held"; readonly lock: WriterLock } | {
  readonly kind: "busy";
  readonly holder: LockHolder | undefined;
  /** What an operator may remove when the holder cannot be named and is known to be gone. */
  readonly leftover?: string;
};

/**
 * Takes the writer lock of a state directory.
 *
 * @param state Pinned state directory; it must exist (T-DB-17).
 * @throws {PeipkgError} `busy` (`LOCK_BUSY`), `denied` (`STATE_UNSAFE`, `NOT_PERMITTED`), `io` (`LOCK_IO`);
 *   `session.signal`'s reason when it is aborted while waiting.
 */
export async function acquireWriterLock(
  session: Session,
  state: Directory,
  options: LockOptions,
): Promise<WriterLock> {
  const { system } = session;
  checkStateDirectory(state, system.machine);
  const content = holderContent(session, options.startedAt ?? system.now());
  const deadline = system.monotonic() + options.waitSeconds * 1000;
  for (let hasTold = false;; hasTold = true) {
    session.signal.throwIfAborted();
    const attempt = withLockErrors(state, () => tryLock(state, system.machine, content));
    if (attempt.kind === "held") return attempt.lock;
    const left = deadline - system.monotonic();
    if (left <= 0) throw busy(state, attempt.holder, attempt.leftover);
    if (!hasTold) {
      const { pid, command } = attempt.holder ?? {};
      session.emit({
        kind: "waiting-for-lock",
        ...(pid === undefined ? {} : { pid }),
        ...(command === undefined ? {} : { command }),
      });
    }
    await system.sleep(Math.min(POLL_MILLISECONDS, left), session.signal);
  }
}

/**
 * Refuses a state directory that writers must not use: on a network file system (T-LOCK-12), or one that somebody
 * else may change (T-DB-11; with the Peios access-control system its descriptor protects it instead).
 *
 * @throws {PeipkgError} `denied` (`STATE_UNSAFE`)
 */
export function checkStateDirectory(state: Directory, machine: Machine): void {
  const network = NETWORK_FILE_SYSTEMS.get(state.fileSystemStatus().type);
  if (network !== undefined) throw unsafe(state, `it lies on ${network}, a local file system is required`);
  if (state.hasKacs) return;
  const { uid, mode } = state.selfStatus();
  if (uid !== 0 && uid !== machine.euid) {
    throw unsafe(state, `user ${uid} owns it, root or user ${machine.euid} is required`);
  }
  if ((mode & 0o022) !== 0) {
    const octal = mode.toString(8).padStart(4, "0");
    throw unsafe(state, `its mode is ${octal}, nobody but its owner may be able to write`);
  }
}

function unsafe(state: Directory, found: string): PeipkgError {
  return ruleError("STATE_UNSAFE", `cannot use state directory "${state.path}": ${found}`, { path: state.path });
}

function busy(state: Directory, holder: LockHolder | undefined, leftover: string | undefined): PeipkgError {
  const { pid, command, startedAt } = holder ?? {};
  const facts = [
    ...(pid === undefined ? [] : [`process ${pid}`]),
    ...(command === undefined ? [] : [`"${command}"`]),
    ...(startedAt === undefined ? [] : [`started ${startedAt}`]),
  ];
  return ruleError("LOCK_BUSY", `another peipkg is at work${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`, {
    path: state.path,
    hint: leftover === undefined
      ? "wait for it with --lock-wait SECONDS"
      : `wait for it with --lock-wait SECONDS, or remove "${state.path}/${leftover}" when no peipkg runs anywhere`,
    ...(pid === undefined ? {} : { pid }),
    ...(command === undefined ? {} : { command }),
    ...(startedAt === undefined ? {} : { startedAt }),
  });
}

/** Turns refused calls into the failures of FP-03. */
function withLockErrors<Result>(state: Directory, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (WRONG_TYPE.has(error.errno)) throw notRegular(state);
    if (DENIED.has(error.errno)) {
      throw ruleError("NOT_PERMITTED", `cannot lock "${state.path}": writing there is not permitted`, {
        path: error.path,
        cause: error,
      });
    }
    throw ruleError("LOCK_IO", `cannot lock "${state.path}": ${error.call} was refused with ${error.errno}`, {
      path: error.path,
      cause: error,
    });
  }
}

function notRegular(state: Directory): PeipkgError {
  return unsafe(state, `its "${LOCK_NAME}" is not a regular file`);
}

function tryLock(state: Directory, machine: Machine, content: Uint8Array): Attempt {
  // T-LOCK-11; looked at first, because opening a device would do something.
  const found = state.status(LOCK_NAME);
  if (found !== undefined && found.type !== "file") throw notRegular(state);
  const file = state.appendFile(LOCK_NAME, LOCK_MODE);
  let isKept = false;
  try {
    const taken = tryFlock(file);
    if (taken === "unsupported") return tryFallback(state, machine, content);
    if (!taken) return { kind: "busy", holder: readContent(state, LOCK_NAME).holder };
    if (!isSameObject(state.status(LOCK_NAME), file.status())) {
      throw unsafe(state, `its "${LOCK_NAME}" was replaced while it was being locked`);
    }
    file.truncate(0);
    file.write(content);
    isKept = true;
    return { kind: "held", lock: new FlockLock(file) };
  } finally {
    if (!isKept) file[Symbol.dispose]();
  }
}

function tryFlock(file: WritableFile): boolean | "unsupported" {
  try {
    return file.tryLock();
  } catch (error) {
    if (error instanceof SystemCallError && NO_FLOCK.has(error.errno)) return "unsupported";
    throw error;
  }
}

function isSameObject(one: FileStatus | undefined, other: FileStatus): boolean {
  return one?.device === other.device && one.inode === other.inode;
}

class FlockLock implements WriterLock {
  readonly kind = "flock";
  readonly #file: WritableFile;
  #isHeld = true;

  constructor(file: WritableFile) {
    this.#file = file;
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    try {
      this.#file.truncate(0);
    } catch (error) {
      // Text left behind misleads nobody: its process is gone, and the kernel's lock with it (FP-57).
      if (!(error instanceof SystemCallError)) throw error;
    } finally {
      this.#file[Symbol.dispose]();
    }
  }
}

// --- Where the file system has no flock (T-LOCK-07, T-LOCK-08) -----------------------------------------------------

function tryFallback(state: Directory, machine: Machine, content: Uint8Array): Attempt {
  if (createExclusive(state, FALLBACK_NAME, content)) return { kind: "held", lock: new FileLock(state) };
  const { holder } = readContent(state, FALLBACK_NAME);
  if (!isProvablyGone(holder, machine)) return { kind: "busy", holder, leftover: FALLBACK_NAME };
  if (!createExclusive(state, BREAK_NAME, content)) return { kind: "busy", holder, leftover: BREAK_NAME };
  try {
    // Between the look above and the creation of `lock.break` another breaker may have finished: look again.
    const again = readContent(state, FALLBACK_NAME).holder;
    if (!isProvablyGone(again, machine)) return { kind: "busy", holder: again, leftover: FALLBACK_NAME };
    state.unlink(FALLBACK_NAME);
    if (createExclusive(state, FALLBACK_NAME, content)) return { kind: "held", lock: new FileLock(state) };
    return { kind: "busy", holder: readContent(state, FALLBACK_NAME).holder, leftover: FALLBACK_NAME };
  } finally {
    state.unlink(BREAK_NAME);
  }
}

/** Creates a file with this content unless it exists; false when it does. */
function createExclusive(state: Directory, name: string, content: Uint8Array): boolean {
  let created;
  try {
    created = state.createFile(name, LOCK_MODE);
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === "EEXIST") return false;
    throw error;
  }
  using file = created;
  try {
    file.write(content);
    // An empty one left by a power cut would count as held for ever.
    file.sync();
  } catch (error) {
    state.unlink(name);
    throw error;
  }
  return true;
}

/** Proof that a holder named in `lock.pid` is gone; anything unclear is no proof (T-LOCK-07). */
function isProvablyGone(holder: LockHolder | undefined, machine: Machine): boolean {
  if (holder === undefined) return false;
  const { bootId, hostname, pidNamespace } = holder;
  if (bootId === undefined || machine.bootId === undefined) return false;
  if (hostname === undefined || hostname !== machine.hostname) return false;
  if (bootId !== machine.bootId) return true;
  if (pidNamespace === undefined || pidNamespace !== machine.pidNamespace) return false;
  return machine.processState(holder.pid, holder.startTicks) === "gone";
}

class FileLock implements WriterLock {
  readonly kind = "file";
  readonly #state: Directory;
  #isHeld = true;

  /** @param state Must stay open until the lock is disposed. */
  constructor(state: Directory) {
    this.#state = state;
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    try {
      this.#state.unlink(FALLBACK_NAME);
    } catch (error) {
      // The next writer finds its process gone and breaks it.
      if (!(error instanceof SystemCallError)) throw error;
    }
  }
}

// --- Content -------------------------------------------------------------------------------------------------------

/** The JSON object of T-LOCK-04; members the machine does not tell are left out. */
function holderContent(session: Session, startedAt: number): Uint8Array {
  const { machine } = session.system;
  const text = JSON.stringify({
    pid: machine.pid,
    start_ticks: machine.startTicks,
    boot_id: machine.bootId,
    pid_ns: machine.pidNamespace,
    hostname: machine.hostname,
    version: session.version,
    command: session.command,
    started_at: formatTimestamp(Math.floor(startedAt / 1000)),
  });
  return new TextEncoder().encode(`${text}\n`);
}

interface LockContent {
  /** Nothing there, or nothing in it. */
  readonly isEmpty: boolean;
  readonly holder: LockHolder | undefined;
}

/** What is written in a lock file; anything but an object of T-LOCK-04 names no holder (A-INPUT-21). */
function readContent(state: Directory, name: string): LockContent {
  try {
    const bytes = readSmallFile(state, name, CONTENT_LIMIT_BYTES);
    if (bytes === undefined || bytes.length === 0) return { isEmpty: true, holder: undefined };
    return { isEmpty: false, holder: parseHolder(new TextDecoder().decode(bytes)) };
  } catch (error) {
    if (error instanceof SystemCallError) return { isEmpty: false, holder: undefined };
    throw error;
  }
}

function parseHolder(text: string): LockHolder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const members = new Map<string, unknown>(Object.entries(value));
  const pid = members.get("pid");
  if (typeof pid !== "number" || !Number.isInteger(pid) || pid < 1 || pid > 0x7fffffff) return undefined;
  const member = (name: string) => {
    const found = members.get(name);
    return typeof found === "string" ? found : undefined;
  };
  return {
    pid,
    startTicks: member("start_ticks"),
    bootId: member("boot_id"),
    pidNamespace: member("pid_ns"),
    hostname: member("hostname"),
    version: member("version"),
    command: member("command"),
    startedAt: member("started_at"),
  };
}

/**
 * Who the lock names, and whether that process may still be at work, for readers that found a pending transaction
 * (T-RECOV-06). Takes no lock.
 *
 * @returns `alive` is false only when nothing is written, or the process named is certainly gone.
 */
export function readHolder(
  state: Directory,
  machine: Machine,
): { readonly alive: boolean; readonly holder: LockHolder | undefined } {
  const lock = readContent(state, LOCK_NAME);
  const { isEmpty, holder } = lock.isEmpty ? readContent(state, FALLBACK_NAME) : lock;
  if (isEmpty) return { alive: false, holder };
  if (holder === undefined) return { alive: true, holder };
  const { bootId, pidNamespace } = holder;
  if (bootId === undefined || machine.bootId === undefined) return { alive: true, holder };
  if (bootId !== machine.bootId) return { alive: false, holder };
  if (pidNamespace === undefined || pidNamespace !== machine.pidNamespace) return { alive: true, holder };
  return { alive: machine.processState(holder.pid, holder.startTicks) !== "gone", holder };
}
