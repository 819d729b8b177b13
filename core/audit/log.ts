/**
 * The JSON-Lines log: one line per event, each naming the SHA-256 of the line before it, so that a removed or edited
 * line shows. Tamper evidence, not protection: who can write the file can rewrite it (A-LOG-03).
 *
 * 1. `seq` and `prev` are read and the line is written under one exclusive lock of the file (A-LOG-05).
 * 2. A line is written by one call, and synced before the lock goes: lines that come together, together (A-LOG-04).
 * 3. What a crash tore stays in place, ends with a newline, and the next line says so (A-LOG-06).
 */
import { SystemCallError } from "../errors.ts";
import type { Directory, System, WritableFile } from "../system.ts";
import type { AuditMap, AuditValue } from "./msgpack.ts";
import { sha256Hex } from "../format/hash.ts";

/** Name of the log in its directory. */
export const AUDIT_LOG_FILE = "audit.jsonl";
/** Longest line, newline included (A-LOG-02). */
export const MAX_LINE_BYTES = 64 * 1024;
/** Size at which a new file is begun (A-LOG-07). */
export const MAX_LOG_BYTES = 10 * 1024 * 1024;
/** Rotated files kept. */
const KEPT_LOGS = 8;

const FILE_MODE = 0o600;
const LOCK_WAIT_MILLISECONDS = 5000;
const LOCK_RETRY_MILLISECONDS = 10;
const WRITABLE_BY_OTHERS = 0o022;
const FIRST_PREVIOUS = "0".repeat(64);
const UNSUPPORTED_LOCK: ReadonlySet<string> = new Set(["ENOLCK", "EOPNOTSUPP", "ENOSYS"]);
const NEWLINE = 0x0a;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
/** Characters JSON lets through that a line of a log must not hold raw (A-LOG-02, C-ESC-05). */
const UNSAFE_REGEXP = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu;

/** A log that must not be written: a sink failure with a warning of its own (A-LOG-01, A-LOG-04). */
export class UnsafeLogError extends Error {
  override readonly name = "UnsafeLogError";
}

/** One file that receives events. */
export interface LogFile {
  readonly directory: Directory;
  readonly name: string;
  /** Begins a new file when the limit is reached (A-LOG-07); never for the copy of A-LOG-11. */
  readonly rotates: boolean;
  /** Mode bits do not say who may write here (a Peios kernel). */
  readonly ignoresModes: boolean;
}

/** Blocks for so many milliseconds. */
export type Pause = (milliseconds: number) => void;

/** Where the chain stands. */
interface ChainEnd {
  readonly sequence: number;
  readonly previous: string;
  /** The file ends inside a line. */
  readonly isTorn: boolean;
}

/** How long a payload's line would be, for the sink to divide what is too long. */
export function lineBytes(type: string, payload: AuditMap): number {
  return renderLine(type, payload, { sequence: Number.MAX_SAFE_INTEGER, previous: FIRST_PREVIOUS, isTorn: true })
    .length;
}

/** One event as a line of the log has it. */
export interface LogEvent {
  readonly type: string;
  readonly payload: AuditMap;
}

/**
 * Appends events, one line each. All of them are durable when this returns: one sync for the events of a transaction
 * of a hundred packages, not a hundred.
 *
 * @throws {UnsafeLogError} The file or its directory may be written by others, or is no regular file.
 * @throws {SystemCallError} A refused system call; `EWOULDBLOCK` when the lock was not to be had in time. Some of the
 *   events may be in the log then.
 */
export function appendEvents(system: System, log: LogFile, pause: Pause, events: readonly LogEvent[]): void {
  const deadline = system.monotonic() + LOCK_WAIT_MILLISECONDS;
  for (;;) {
    using file = openLog(log);
    takeLock(system, file, log, deadline, pause);
    // Rotation may have renamed the file while we waited; the lines belong into the one that has the name now.
    if (!isStillNamed(log, file)) continue;
    const end = findChainEnd(log, file);
    writeLines(log, file, events, end, (next) => takeLock(system, next, log, deadline, pause));
    return;
  }
}

/** Writes the lines, beginning a new file when one would be too long; the lock of `file` is held throughout. */
function writeLines(
  log: LogFile,
  file: WritableFile,
  events: readonly LogEvent[],
  start: ChainEnd,
  lock: (next: WritableFile) => void,
): void {
  let end = start;
  let sizeBytes = log.rotates ? file.status().sizeBytes : 0;
  for (const [index, { type, payload }] of events.entries()) {
    const line = renderLine(type, payload, end);
    if (log.rotates && sizeBytes + line.length > MAX_LOG_BYTES) {
      if (index > 0) file.sync();
      // Still under the old file's lock: nobody else can be rotating.
      using next = rotate(log, file);
      lock(next);
      return writeLines(log, next, events.slice(index), { ...end, isTorn: false }, lock);
    }
    file.write(line);
    sizeBytes += line.length;
    end = { sequence: end.sequence + 1, previous: sha256Hex(end.isTorn ? line.subarray(1) : line), isTorn: false };
  }
  file.sync();
}

/** The first place where the chain does not hold. */
export interface ChainBreak {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly found: "unreadable-line" | "sequence" | "previous";
}

/**
 * Walks the chain over the rotated files and the present one, oldest first (A-LOG-10).
 *
 * @returns The first break, or `undefined` when the chain holds. The oldest kept line is taken as it is.
 */
export function walkAuditLog(directory: Directory, name: string = AUDIT_LOG_FILE): ChainBreak | undefined {
  let expected: { sequence: number; previous: string } | undefined;
  for (const file of logNames(name)) {
    const status = directory.status(file);
    if (status === undefined) continue;
    let number = 0;
    let torn: { readonly line: number } | undefined;
    for (const bytes of readLines(directory, file)) {
      number++;
      const line = parseLine(bytes);
      if (line === undefined) {
        // Only a line that the next one calls torn may be unreadable.
        if (torn !== undefined) return { file, line: torn.line, found: "unreadable-line" };
        torn = { line: number };
        if (expected !== undefined) expected = { ...expected, previous: sha256Hex(bytes) };
        continue;
      }
      if (torn !== undefined && !line.isAfterTorn) return { file, line: torn.line, found: "unreadable-line" };
      torn = undefined;
      if (expected !== undefined && line.sequence !== expected.sequence) {
        return { file, line: number, found: "sequence" };
      }
      if (expected !== undefined && line.previous !== expected.previous) {
        return { file, line: number, found: "previous" };
      }
      expected = { sequence: line.sequence + 1, previous: sha256Hex(bytes) };
    }
    if (torn !== undefined) return { file, line: torn.line, found: "unreadable-line" };
  }
  return undefined;
}

function openLog(log: LogFile): WritableFile {
  // Opening something else than a file for appending could block or do harm, so its type is known before.
  const before = log.directory.status(log.name);
  if (before !== undefined && before.type !== "file") throw new UnsafeLogError("it is not a regular file");
  const file = log.directory.appendFile(log.name, FILE_MODE);
  try {
    const status = file.status();
    if (status.type !== "file") throw new UnsafeLogError("it is not a regular file");
    if (!log.ignoresModes && (status.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new UnsafeLogError("it is writable by others");
    }
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function takeLock(system: System, file: WritableFile, log: LogFile, deadline: number, pause: Pause): void {
  try {
    while (!file.tryLock()) {
      if (system.monotonic() >= deadline) throw new SystemCallError("EWOULDBLOCK", "flock", log.name);
      pause(LOCK_RETRY_MILLISECONDS);
    }
  } catch (error) {
    // Without locks on this file system an event out of order is still better than none.
    if (!(error instanceof SystemCallError) || !UNSUPPORTED_LOCK.has(error.errno)) throw error;
  }
}

function isStillNamed(log: LogFile, file: WritableFile): boolean {
  const named = log.directory.status(log.name);
  const ours = file.status();
  return named !== undefined && named.inode === ours.inode && named.device === ours.device;
}

/** Renames `.n` → `.n+1` from the highest down, begins a new file with the rights of the old one (A-LOG-01, A-LOG-07). */
function rotate(log: LogFile, old: WritableFile): WritableFile {
  const { directory, name } = log;
  for (let number = KEPT_LOGS - 1; number >= 1; number--) {
    if (directory.status(`${name}.${number}`) === undefined) continue;
    directory.rename(`${name}.${number}`, directory, `${name}.${number + 1}`);
  }
  directory.rename(name, directory, `${name}.1`);
  const { mode, uid, gid } = old.status();
  const file = directory.createFile(name, mode & 0o777);
  try {
    if (file.status().gid !== gid) file.changeOwner(uid, gid);
  } catch {
    // A group's read access is a convenience; only its owner may hand a file on.
  }
  directory.sync();
  return file;
}

/** `seq` and `prev` for the next line; they continue over rotation (A-LOG-03). */
function findChainEnd(log: LogFile, file: WritableFile): ChainEnd {
  const size = file.status().sizeBytes;
  if (size > 0) return chainEndOf(log.directory, log.name, size);
  const rotated = log.rotates ? log.directory.status(`${log.name}.1`) : undefined;
  if (rotated?.type === "file" && rotated.sizeBytes > 0) {
    return { ...chainEndOf(log.directory, `${log.name}.1`, rotated.sizeBytes), isTorn: false };
  }
  return { sequence: 0, previous: FIRST_PREVIOUS, isTorn: false };
}

function chainEndOf(directory: Directory, name: string, sizeBytes: number): ChainEnd {
  // Two lines and a bit always fit: the last whole one, and whatever was torn after it.
  const tail = new Uint8Array(Math.min(sizeBytes, 2 * MAX_LINE_BYTES + 1));
  using reader = directory.openFile(name);
  readFully(reader, tail, sizeBytes - tail.length);
  const isTorn = tail[tail.length - 1] !== NEWLINE;
  const end = isTorn ? tail.length : tail.length - 1;
  const start = tail.subarray(0, end).lastIndexOf(NEWLINE) + 1;
  const last = tail.subarray(start, end);
  // The newline that a torn line lacks is written before the next line, so it belongs to the line's hash.
  const previous = sha256Hex(concatenate(last, Uint8Array.of(NEWLINE)));
  const whole = parseLine(last);
  if (whole !== undefined) return { sequence: whole.sequence, previous, isTorn };
  const before = tail.subarray(0, Math.max(0, start - 1));
  const earlier = parseLine(before.subarray(before.lastIndexOf(NEWLINE) + 1));
  return { sequence: earlier?.sequence ?? 0, previous, isTorn };
}

function renderLine(type: string, payload: AuditMap, end: ChainEnd): Uint8Array {
  const line: Record<string, AuditValue> = { seq: end.sequence + 1, prev: end.previous, type, ...payload };
  if (end.isTorn) line.after_torn_line = true;
  const text = JSON.stringify(line).replace(
    UNSAFE_REGEXP,
    (character) =>
      Array.from(
        { length: character.length },
        (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
  return ENCODER.encode(`${end.isTorn ? "\n" : ""}${text}\n`);
}

interface ParsedLine {
  readonly sequence: number;
  readonly previous: string;
  readonly isAfterTorn: boolean;
}

function parseLine(bytes: Uint8Array): ParsedLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(DECODER.decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("seq" in value) || !("prev" in value)) return undefined;
  const { seq, prev } = value;
  if (typeof seq !== "number" || !Number.isSafeInteger(seq) || typeof prev !== "string") return undefined;
  return { sequence: seq, previous: prev, isAfterTorn: "after_torn_line" in value && value.after_torn_line === true };
}

/** Rotated names from the oldest to the present one. */
function logNames(name: string): readonly string[] {
  const rotated = Array.from({ length: KEPT_LOGS }, (_, index) => `${name}.${KEPT_LOGS - index}`);
  return [...rotated, name];
}

/** Lines with their newline; the last one may lack it. */
function* readLines(directory: Directory, name: string): Generator<Uint8Array> {
  using reader = directory.openFile(name);
  const buffer = new Uint8Array(256 * 1024);
  let pending = new Uint8Array(0);
  for (let offset = 0;;) {
    const count = reader.readAt(buffer, offset);
    if (count === 0) break;
    offset += count;
    let rest: Uint8Array<ArrayBuffer> = concatenate(pending, buffer.subarray(0, count));
    for (;;) {
      const newline = rest.indexOf(NEWLINE);
      if (newline < 0) break;
      yield rest.subarray(0, newline + 1);
      rest = rest.subarray(newline + 1);
    }
    pending = rest.slice();
  }
  if (pending.length > 0) yield pending;
}

function readFully(
  reader: { readAt(buffer: Uint8Array, offset: number): number },
  buffer: Uint8Array,
  offset: number,
): void {
  for (let filled = 0; filled < buffer.length;) {
    const count = reader.readAt(buffer.subarray(filled), offset + filled);
    if (count === 0) return;
    filled += count;
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
