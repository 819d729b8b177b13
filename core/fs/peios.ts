/**
 * The system calls of the Peios kernel: events and security descriptors. On other kernels each answers `ENOSYS`,
 * which is an ordinary answer here. Results are as in native.ts: the call's own, or the error number negated.
 *
 * @see A-KMES-01, A-SDA-01 to A-SDA-03, A-OPER-03
 */
import { sidText } from "../identity/sid.ts";
import { EINTR } from "./errno.ts";
import {
  addressOf,
  closeDescriptor,
  controlDevice,
  kacsDescriptor,
  kacsOpen,
  kacsOpenSelfToken,
  kmesEmit,
} from "./native.ts";

const KACS_OPEN_SELF_TOKEN = 1000n;
const KACS_OPEN = 1020n;
const KACS_GET_SD = 1021n;
const KACS_SET_SD = 1022n;
const KMES_EMIT = 1090n;

/** Owner, group and DACL: what the detection of T-MODE-02 asks for. */
const OWNER_GROUP_DACL = 0x07;

/** Sends one event (A-KMES-01); an interrupted call is repeated (A-KMES-10). 0, or a negated error number. */
export function emitKernelEvent(type: string, payload: Uint8Array): number {
  const typeBytes = new TextEncoder().encode(type);
  for (;;) {
    const result = kmesEmit(KMES_EMIT, typeBytes, payload);
    if (result !== -EINTR) return result;
  }
}

/** Whether a kernel with the access-control system answers for this open directory (T-MODE-02). */
export function hasKacs(directory: number): boolean {
  return kacsDescriptor(KACS_GET_SD, directory, undefined, OWNER_GROUP_DACL, undefined) >= 0;
}

/** Security descriptor of a child, or of the directory itself (`undefined`). */
export function getSecurity(directory: number, name: string | undefined, components: number): Uint8Array | number {
  for (;;) {
    const size = kacsDescriptor(KACS_GET_SD, directory, name, components, undefined);
    if (size < 0) return size;
    const buffer = new Uint8Array(size);
    const written = kacsDescriptor(KACS_GET_SD, directory, name, components, buffer);
    // It may have grown between the two calls; the result is the size needed.
    if (written <= size) return written < 0 ? written : buffer.subarray(0, written);
  }
}

/** Sets the components named (A-SDA-03). */
export function setSecurity(
  directory: number,
  name: string | undefined,
  components: number,
  descriptor: Uint8Array,
): number {
  return kacsDescriptor(KACS_SET_SD, directory, name, components, descriptor);
}

/** Access asked for at creation, as bits of the access mask. */
const CREATE_ACCESS = {
  /** Write data, write attributes, write DAC, synchronise (A-SDA-11). */
  file: 0x0002 | 0x0100 | 0x0004_0000 | 0x0010_0000,
  /** List, traverse, read attributes (A-SDA-12). */
  dir: 0x0001 | 0x0020 | 0x0080,
} as const;

const CREATE_NEW = 2;
const OPTION_DIRECTORY = 1;
const NO_FOLLOW = 0x100;

/** Creates a file or directory that carries `descriptor` from its first instant (A-SDA-01). A descriptor. */
export function createSecured(directory: number, name: string, type: "file" | "dir", descriptor: Uint8Array): number {
  const how = new Uint8Array(32);
  const view = new DataView(how.buffer);
  view.setUint32(0, CREATE_ACCESS[type], true);
  view.setUint32(4, CREATE_NEW, true);
  view.setUint32(8, type === "dir" ? OPTION_DIRECTORY : 0, true);
  view.setUint32(12, NO_FOLLOW, true);
  view.setBigUint64(16, addressOf(descriptor), true);
  view.setUint32(24, descriptor.length, true);
  return kacsOpen(KACS_OPEN, directory, name, how, new Uint8Array(4));
}

const REAL_TOKEN = 0x01;
const TOKEN_QUERY = 0x0008;
const QUERY_TOKEN = 0xC010_4B00n;
const CLASS_USER_SID = 1;

/** User SID of the own primary token as text, `S-1-5-…` (A-OPER-03); `undefined` without one. */
export function ownSid(): string | undefined {
  const token = kacsOpenSelfToken(KACS_OPEN_SELF_TOKEN, REAL_TOKEN, TOKEN_QUERY);
  if (token < 0) return undefined;
  try {
    const query = new Uint8Array(16);
    const view = new DataView(query.buffer);
    view.setUint32(0, CLASS_USER_SID, true);
    // A first call with length 0 returns the size.
    if (controlDevice(token, QUERY_TOKEN, query) < 0) return undefined;
    const sid = new Uint8Array(Math.min(view.getUint32(4, true), 256));
    view.setUint32(4, sid.length, true);
    view.setBigUint64(8, addressOf(sid), true);
    return controlDevice(token, QUERY_TOKEN, query) < 0 ? undefined : sidText(sid);
  } finally {
    closeDescriptor(token);
  }
}
