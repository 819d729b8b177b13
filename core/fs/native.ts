/**
 * The system calls of the C library, and nothing else; with libc.ts all that uses the foreign function interface. It
 * knows numbers, structures and buffers; what the calls mean to peipkg is said in the files above it.
 *
 * - Every function returns the call's result, or the error number negated, as the kernel itself does: refusals are
 *   ordinary here (`ENOENT` is an answer), and an exception per refusal would cost more than the call.
 * - Structures pass through buffers allocated once, as texts do (libc.ts).
 *
 * @see T-PATH-03, T-PATH-06
 */
import type { FileStatus, FileSystemStatus } from "../system.ts";
import { EAGAIN, EILSEQ, EINTR } from "./errno.ts";
import {
  changing,
  content,
  first,
  inquiring,
  libc,
  lister,
  outcome,
  ownMemory,
  rare,
  second,
  secondText,
  TEXT_BYTES,
} from "./libc.ts";
import { BESIDE } from "./symbols.ts";
import { decodeStatx, statxBuffer } from "./statx.ts";

const IS_AARCH64 = Deno.build.arch === "aarch64";

/**
 * Numbers of calls reached through `syscall` (those of Peios: peios.ts). Whole registers are
 * `bigint` here and below: the upper half of a narrower argument is undefined when C reads it as 64 bits wide.
 */
const NUMBER = {
  openat2: 437n,
  renameat2: IS_AARCH64 ? 276n : 316n,
  getdents64: IS_AARCH64 ? 61n : 217n,
  fchmodat2: 452n,
} as const;

/** Flags of `open`; four of them differ between the two architectures. */
export const OPEN = {
  readOnly: 0,
  writeOnly: 0o1,
  readWrite: 0o2,
  create: 0o100,
  exclusive: 0o200,
  noTerminal: 0o400,
  append: 0o2000,
  nonBlocking: 0o4000,
  directory: IS_AARCH64 ? 0o40000 : 0o200000,
  noFollow: IS_AARCH64 ? 0o100000 : 0o400000,
  closeOnExec: 0o2000000,
  pathOnly: 0o10000000,
} as const;

/** The current directory in place of a descriptor; only for absolute paths and those an operator typed. */
export const AT_CWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const RESOLVE_BENEATH_NO_LINKS = 0x08 | 0x04 | 0x02;
const STATX_BASIC_STATS = 0x7ff;
const UTIME_OMIT = (1 << 30) - 2;
const LOCK_EXCLUSIVE_NONBLOCKING = 2 | 4;
const RLIMIT_NOFILE = 7;
const RENAME_NOREPLACE = 1;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;
const FD_CLOEXEC = 1;

// A byte order mark is part of a name like any other character.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const structure = new Uint8Array(512);
const structureView = new DataView(structure.buffer);
const LISTING_BYTES = 32768n;
const listing = new Uint8Array(Number(LISTING_BYTES));
const listingView = new DataView(listing.buffer);
const OPEN_HOW_BYTES = 24n;
const openHow = new Uint8Array(Number(OPEN_HOW_BYTES));
const openHowView = new DataView(openHow.buffer);

// --- Opening and closing -----------------------------------------------------------------------------------------

/** `openat`; always close-on-exec (T-LOCK-03). Returns a descriptor or a negated error number. */
export function openAt(directory: number, name: string, flags: number, mode = 0): number {
  const { openat } = libc();
  for (;;) {
    const result = outcome(openat(directory, first(name), flags | OPEN.closeOnExec, mode));
    if (result !== -EINTR) return result;
  }
}

/** Repetitions of an `openat2` that raced with a rename; after so many the caller walks instead. */
const RACE_LIMIT = 64;

/**
 * `openat2` that follows no link and never leaves `directory` (T-PATH-03). A walk that raced with a rename
 * (`EAGAIN`) is repeated; it is the answer only after too many of them.
 */
export function openBeneath(directory: number, path: string, flags: number): number {
  const { openat2 } = libc();
  openHowView.setUint32(0, flags | OPEN.closeOnExec, true);
  openHowView.setUint32(16, RESOLVE_BENEATH_NO_LINKS, true);
  for (let attempt = 0; attempt < RACE_LIMIT; attempt++) {
    const result = outcome(openat2(NUMBER.openat2, directory, first(path), openHow, OPEN_HOW_BYTES));
    if (result !== -EAGAIN && result !== -EINTR) return result;
  }
  return -EAGAIN;
}

/** `close`. Its failure says nothing that a sync would not have said. */
export function closeDescriptor(descriptor: number): void {
  libc().close(descriptor);
}

// --- Looking ---------------------------------------------------------------------------------------------------

function status(directory: number, name: Uint8Array<ArrayBuffer>, flags: number): FileStatus | number {
  const { statx } = libc();
  const result = outcome(statx(directory, name, flags, STATX_BASIC_STATS, statxBuffer));
  return result < 0 ? result : decodeStatx();
}

/** Status of a name without following it. */
export function statAt(directory: number, name: string): FileStatus | number {
  return status(directory, first(name), AT_SYMLINK_NOFOLLOW);
}

/** Status of an open object. */
export function statDescriptor(descriptor: number): FileStatus | number {
  return status(descriptor, first(""), AT_EMPTY_PATH);
}

/** `fstatfs`; only `f_type`, sizes, inodes and the read-only flag. */
export function fileSystemOf(descriptor: number): FileSystemStatus | number {
  const { fstatfs } = inquiring();
  const result = outcome(fstatfs(descriptor, structure));
  if (result < 0) return result;
  const size = (offset: number) => Number(structureView.getBigUint64(offset, true));
  // Older file systems leave the fragment size 0; the block size is it then.
  const fragmentBytes = size(72) || size(8);
  return {
    type: structureView.getBigUint64(0, true),
    fragmentBytes,
    availableBytes: size(32) * fragmentBytes,
    inodes: size(40),
    inodesFree: size(48),
    readOnly: (structureView.getUint32(80, true) & 1) !== 0,
  };
}

/** `readlinkat`; a target that is not UTF-8 is `EILSEQ`. */
export function readLinkAt(directory: number, name: string): string | number {
  const length = outcome(inquiring().readlinkat(directory, first(name), secondText, TEXT_BYTES));
  if (length < 0) return length;
  try {
    return decoder.decode(secondText.subarray(0, length));
  } catch {
    return -EILSEQ;
  }
}

/** Every byte a character of its own. */
const byteDecoder = new TextDecoder("latin1");

/**
 * Adds the names of an open directory to `names`, those that contain `containing` (ASCII) where it is given; returns
 * how many were not UTF-8, or a negated error number.
 */
export function listNames(directory: number, names: string[], containing?: string): number {
  const { lseek, getdents64 } = lister();
  lseek(directory, 0n, 0);
  let undecodable = 0;
  for (;;) {
    const length = outcome(getdents64(NUMBER.getdents64, directory, listing, LISTING_BYTES));
    if (length <= 0) return length === 0 ? undecodable : length;
    // Hundreds of names are passed over with one look.
    if (containing !== undefined && !byteDecoder.decode(listing.subarray(0, length)).includes(containing)) continue;
    for (let offset = 0; offset < length;) {
      const end = listing.indexOf(0, offset + 19);
      const name = listing.subarray(offset + 19, end);
      offset += listingView.getUint16(offset + 16, true);
      if (name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e))) continue;
      try {
        const text = decoder.decode(name);
        if (containing === undefined || text.includes(containing)) names.push(text);
      } catch {
        undecodable++;
      }
    }
  }
}

// --- Reading and writing -----------------------------------------------------------------------------------------

let lastLength = 0;
let lastLengthValue = 0n;

/** The length as the calls take it; files are read through one buffer, one after the other. */
function lengthOf(buffer: Uint8Array): bigint {
  const { length } = buffer;
  if (length === lastLength) return lastLengthValue;
  lastLength = length;
  return lastLengthValue = BigInt(length);
}

/** `pread`; `offset` below 2^53. */
export function readAt(descriptor: number, buffer: Uint8Array, offset: number): number {
  const { pread } = libc();
  const length = lengthOf(buffer);
  const start = offset === 0 ? 0n : BigInt(offset);
  for (;;) {
    const result = outcome(pread(descriptor, ownMemory(buffer), length, start));
    if (result !== -EINTR) return result;
  }
}

/**
 * Opens a name, reads its first `sizeBytes` (at most what `buffer` holds) and closes it. Returns the bytes in `buffer`,
 * fewer when the file ends before, or a negated error number.
 */
export function readNameAt(
  directory: number,
  name: string,
  flags: number,
  buffer: Uint8Array,
  sizeBytes: number,
): number {
  const descriptor = openAt(directory, name, flags);
  if (descriptor < 0) return descriptor;
  let length = readAt(descriptor, buffer, 0);
  for (let count = length; count > 0 && length < sizeBytes;) {
    count = readAt(descriptor, buffer.subarray(length), length);
    length = count < 0 ? count : length + count;
  }
  closeDescriptor(descriptor);
  return length;
}

/** One `write`; may be short. */
export function writeSome(descriptor: number, bytes: Uint8Array): number {
  const { write } = changing();
  for (;;) {
    const result = outcome(write(descriptor, content(bytes), BigInt(bytes.length)));
    if (result !== -EINTR) return result;
  }
}

/** A small text file read whole by path (`/proc` has no sizes and no offsets); `undefined` when it cannot be. */
export function readTextFile(path: string): string | undefined {
  const descriptor = openAt(AT_CWD, path, OPEN.readOnly | OPEN.nonBlocking | OPEN.noTerminal);
  if (descriptor < 0) return undefined;
  const { read } = inquiring();
  const bytes = new Uint8Array(65536);
  let length = 0;
  try {
    while (length < bytes.length) {
      const result = outcome(read(descriptor, bytes.subarray(length), BigInt(bytes.length - length)));
      if (result === -EINTR) continue;
      if (result < 0) return undefined;
      if (result === 0) break;
      length += result;
    }
  } finally {
    closeDescriptor(descriptor);
  }
  try {
    return decoder.decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  }
}

export function truncateFile(descriptor: number, sizeBytes: number): number {
  return outcome(changing().ftruncate(descriptor, BigInt(sizeBytes)));
}

export function syncDescriptor(descriptor: number): number {
  return outcome(changing().fsync(descriptor));
}

export function syncFileSystem(descriptor: number): number {
  return outcome(changing().syncfs(descriptor));
}

/** `flock(LOCK_EX|LOCK_NB)` (T-LOCK-02). */
export function lockDescriptor(descriptor: number): number {
  const { flock } = changing();
  for (;;) {
    const result = outcome(flock(descriptor, LOCK_EXCLUSIVE_NONBLOCKING));
    if (result !== -EINTR) return result;
  }
}

// --- Names -------------------------------------------------------------------------------------------------------

export function makeDirectoryAt(directory: number, name: string, mode: number): number {
  return outcome(changing().mkdirat(directory, first(name), mode));
}

export function symlinkAt(target: string, directory: number, name: string): number {
  return outcome(rare().symlinkat(second(target), directory, first(name)));
}

/** `linkat`; a link itself gets the second name, never what it points to. */
export function linkAt(directory: number, name: string, newDirectory: number, newName: string): number {
  return outcome(rare().linkat(directory, first(name), newDirectory, second(newName), 0));
}

export function renameAt(
  directory: number,
  name: string,
  newDirectory: number,
  newName: string,
  noReplace: boolean,
): number {
  const { renameat2 } = changing();
  const flags = noReplace ? RENAME_NOREPLACE : 0;
  return outcome(renameat2(NUMBER.renameat2, directory, first(name), newDirectory, second(newName), flags));
}

export function unlinkAt(directory: number, name: string): number {
  return outcome(changing().unlinkat(directory, first(name), 0));
}

export function removeDirectoryAt(directory: number, name: string): number {
  return outcome(changing().unlinkat(directory, first(name), AT_REMOVEDIR));
}

// --- Attributes --------------------------------------------------------------------------------------------------

export function changeMode(descriptor: number, mode: number): number {
  return outcome(changing().fchmod(descriptor, mode));
}

/** Mode of a name that is not followed; `ENOSYS` on kernels before 6.6. */
export function changeModeAt(directory: number, name: string, mode: number): number {
  return outcome(changing().fchmodat2(NUMBER.fchmodat2, directory, first(name), mode, AT_SYMLINK_NOFOLLOW));
}

/** Owner of a name, a link itself included. */
export function changeOwnerAt(directory: number, name: string, uid: number, gid: number): number {
  return outcome(changing().fchownat(directory, first(name), uid, gid, AT_SYMLINK_NOFOLLOW));
}

export function changeOwner(descriptor: number, uid: number, gid: number): number {
  return outcome(changing().fchownat(descriptor, first(""), uid, gid, AT_EMPTY_PATH));
}

/** Two `timespec`: the access time is left, the modification time is `mtime` nanoseconds. */
function encodeTimes(mtime: bigint): Uint8Array<ArrayBuffer> {
  let seconds = mtime / 1_000_000_000n;
  let nanoseconds = mtime % 1_000_000_000n;
  if (nanoseconds < 0n) {
    seconds -= 1n;
    nanoseconds += 1_000_000_000n;
  }
  structureView.setBigInt64(0, 0n, true);
  structureView.setBigInt64(8, BigInt(UTIME_OMIT), true);
  structureView.setBigInt64(16, seconds, true);
  structureView.setBigInt64(24, nanoseconds, true);
  return structure;
}

/** Modification time of a name, a link itself included; nanoseconds. */
export function setModifiedAt(directory: number, name: string, mtime: bigint): number {
  return outcome(rare().utimensat(directory, first(name), encodeTimes(mtime), AT_SYMLINK_NOFOLLOW));
}

export function setModified(descriptor: number, mtime: bigint): number {
  return outcome(changing().futimens(descriptor, encodeTimes(mtime)));
}

/** `fgetxattr`; with an empty buffer the size. */
export function getAttribute(descriptor: number, attribute: string, buffer: Uint8Array): number {
  return outcome(rare().fgetxattr(descriptor, first(attribute), ownMemory(buffer), BigInt(buffer.length)));
}

export function setAttribute(descriptor: number, attribute: string, value: Uint8Array): number {
  return outcome(rare().fsetxattr(descriptor, first(attribute), ownMemory(value), BigInt(value.length), 0));
}

export function removeAttribute(descriptor: number, attribute: string): number {
  return outcome(rare().fremovexattr(descriptor, first(attribute)));
}

// --- This process and others ---------------------------------------------------------------------------------------

/** Process, user and group ids. */
export function identity(): { pid: number; uid: number; euid: number; gid: number } {
  const { getpid, getuid, getgid } = inquiring();
  return { pid: getpid(), uid: getuid(), euid: effectiveUser(), gid: getgid() };
}

/** Effective user id. */
export function effectiveUser(): number {
  return libc().geteuid();
}

/** `uname`: host name, kernel release and machine. */
export function systemNames(): { hostname: string; release: string; machine: string } | undefined {
  if (outcome(inquiring().uname(structure)) < 0) return undefined;
  const field = (index: number) => {
    const start = index * 65;
    return new TextDecoder().decode(structure.subarray(start, structure.indexOf(0, start)));
  };
  return { hostname: field(1), release: field(2), machine: field(4) };
}

/** `kill(pid, 0)`: 0 when a signal could be sent. */
export function probeProcess(pid: number): number {
  return outcome(rare().kill(pid, 0));
}

/** Numbers of the descriptors this process has open; empty where `/proc` is missing. */
export function openDescriptors(): readonly number[] {
  const directory = openAt(AT_CWD, "/proc/self/fd", OPEN.readOnly | OPEN.directory);
  if (directory < 0) return [];
  const names: string[] = [];
  listNames(directory, names);
  closeDescriptor(directory);
  return names.map(Number).filter((descriptor) => descriptor !== directory);
}

/** Keeps a descriptor from children. */
export function closeOnExec(descriptor: number): void {
  rare().fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

/** Raises the soft limit of open descriptors to the hard one (T-PATH-07). @returns The limit that holds then. */
export function raiseDescriptorLimit(): number | undefined {
  const { getrlimit, setrlimit } = inquiring();
  if (outcome(getrlimit(RLIMIT_NOFILE, structure)) < 0) return undefined;
  const soft = structureView.getBigUint64(0, true);
  const hard = structureView.getBigUint64(8, true);
  if (soft === hard) return Number(hard);
  structureView.setBigUint64(0, hard, true);
  // A refusal leaves the soft limit: fewer directories stay pinned, nothing else changes.
  return Number(outcome(setrlimit(RLIMIT_NOFILE, structure)) < 0 ? soft : hard);
}

/**
 * Makes room for `count` descriptors at once. The kernel doubles their table when it is full and waits for all threads
 * each time, some 10 ms; so that this one need not wait, another one makes the call.
 */
export function reserveDescriptors(count: number): void {
  const { fcntl } = Deno.dlopen("libc.so.6", BESIDE).symbols;
  void fcntl(0, F_DUPFD_CLOEXEC, count - 1).then((highest) => {
    if (highest >= 0) closeDescriptor(highest);
  });
}

// --- Calls of Peios, described in peios.ts -------------------------------------------------------------------------

/** Address of a buffer, for structures that hold one. The buffer must outlive the call. */
export function addressOf(bytes: Uint8Array): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(ownMemory(bytes)));
}

export function kmesEmit(number: bigint, type: Uint8Array, payload: Uint8Array): number {
  const { kmes_emit } = changing();
  return outcome(kmes_emit(number, ownMemory(type), type.length, ownMemory(payload), payload.length));
}

export function kacsOpenSelfToken(number: bigint, flags: number, access: number): number {
  return outcome(changing().kacs_open_self_token(number, flags, access));
}

export function kacsOpen(number: bigint, directory: number, name: string, how: Uint8Array, made: Uint8Array): number {
  const { kacs_open } = rare();
  return outcome(kacs_open(number, directory, first(name), ownMemory(how), BigInt(how.length), ownMemory(made)));
}

/** `kacs_get_sd` and `kacs_set_sd`, which take the same arguments; `descriptor` absent: no buffer, length 0. */
export function kacsDescriptor(
  number: bigint,
  directory: number,
  name: string | undefined,
  components: number,
  descriptor: Uint8Array | undefined,
): number {
  const { kacs_sd } = libc();
  // Either the descriptor itself, or a child that is not followed.
  const flags = name === undefined ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  const buffer = descriptor === undefined ? null : ownMemory(descriptor);
  return outcome(
    kacs_sd(number, directory, first(name ?? ""), components, buffer, BigInt(buffer?.length ?? 0), flags),
  );
}

/** `ioctl` with a structure as argument. */
export function controlDevice(descriptor: number, request: bigint, argument: Uint8Array): number {
  return outcome(rare().ioctl(descriptor, request, ownMemory(argument)));
}
