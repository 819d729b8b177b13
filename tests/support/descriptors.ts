/** Security descriptors from a few words, byte by byte. */

export interface AceSpec {
  /** Defaults to allow (0x00). */
  readonly type?: number;
  readonly flags?: number;
  readonly mask?: number;
  readonly sid?: string;
  /** Replaces everything after type, flags and size. */
  readonly body?: readonly number[];
  /** After the SID. */
  readonly data?: readonly number[];
  /** Between mask and SID. */
  readonly object?: readonly number[];
}

export interface DescriptorSpec {
  readonly owner?: string;
  readonly group?: string;
  readonly dacl?: readonly AceSpec[];
  readonly sacl?: readonly AceSpec[];
  /** Control bits beside self-relative and the present bits. */
  readonly control?: number;
  readonly revision?: number;
}

export const SYSTEM = "S-1-5-18";
export const ADMINISTRATORS = "S-1-5-32-544";
export const EVERYONE = "S-1-1-0";
export const USERS = "S-1-5-32-545";
export const FULL = 0x001f_01ff;
export const READ = 0x0012_0089;
/** Object inherit and container inherit. */
export const INHERITABLE = 0x03;

export function sidBytes(text: string): readonly number[] {
  const [authority = "0", ...subs] = text.split("-").slice(2);
  const bytes = new Uint8Array(8 + 4 * subs.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  bytes[1] = subs.length;
  view.setUint32(4, Number(authority));
  subs.forEach((sub, index) => view.setUint32(8 + 4 * index, Number(sub), true));
  return [...bytes];
}

function little(value: number): readonly number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
}

function ace({ type = 0, flags = 0, mask = READ, sid = EVERYONE, body, data = [], object = [] }: AceSpec): number[] {
  const rest = body ?? [...little(mask), ...object, ...sidBytes(sid), ...data];
  const size = 4 + rest.length;
  return [type, flags, size & 255, size >> 8, ...rest];
}

function list(entries: readonly AceSpec[], revision: number): number[] {
  const bytes = entries.flatMap(ace);
  const size = 8 + bytes.length;
  return [revision, 0, size & 255, size >> 8, entries.length & 255, entries.length >> 8, 0, 0, ...bytes];
}

/** Encodes a descriptor: header, owner, group, SACL, DACL. */
export function descriptor({ owner, group, dacl, sacl, control = 0, revision = 2 }: DescriptorSpec): Uint8Array {
  const parts = [
    owner === undefined ? undefined : sidBytes(owner),
    group === undefined ? undefined : sidBytes(group),
    sacl === undefined ? undefined : list(sacl, revision),
    dacl === undefined ? undefined : list(dacl, revision),
  ];
  const bits = 0x8000 | control | (dacl === undefined ? 0 : 0x0004) | (sacl === undefined ? 0 : 0x0010);
  const header = [1, 0, bits & 255, bits >> 8];
  const offsets: number[] = [];
  let at = 20;
  for (const part of parts) {
    offsets.push(...little(part === undefined ? 0 : at));
    at += part?.length ?? 0;
  }
  return Uint8Array.from([...header, ...offsets, ...parts.flatMap((part) => part ?? [])]);
}
