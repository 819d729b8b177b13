/**
 * Security descriptors as data (audit-and-security.md sections 7.2 to 7.5): for judging, showing and comparing. The
 * bytes have passed `findDescriptorFault()`, so that every offset and length holds.
 */
import { PeipkgError } from "../errors.ts";
import { sidText } from "../identity/sid.ts";
import { findDescriptorFault } from "./security_descriptor.ts";

/** Control bits with a meaning here. */
export const CONTROL = {
  daclPresent: 0x0004,
  saclPresent: 0x0010,
  serverSecurity: 0x0080,
  daclAutoInheritRequested: 0x0100,
  daclProtected: 0x1000,
  selfRelative: 0x8000,
} as const;

/** Flags of an entry. */
export const ACE_FLAG = {
  objectInherit: 0x01,
  containerInherit: 0x02,
  noPropagate: 0x04,
  inheritOnly: 0x08,
  inherited: 0x10,
  auditSuccess: 0x40,
  auditFailure: 0x80,
} as const;

/** Components, as bits of a mask (A-SDA-03). */
export const COMPONENT = { owner: 1, group: 2, dacl: 4, sacl: 8 } as const;

/** What follows the mask of an entry. */
export type AceFamily = "single" | "object" | "callback" | "callback-object" | "attribute" | "opaque";

/** One entry of a list. */
export interface AccessEntry {
  readonly type: number;
  readonly family: AceFamily;
  readonly flags: number;
  readonly sizeBytes: number;
  /** Unsigned; 0 where the type is opaque. */
  readonly mask: number;
  /** `undefined` where the type is opaque. */
  readonly sid: string | undefined;
  /** GUIDs as 32 hex digits in the order of their bytes. */
  readonly objectType: string | undefined;
  readonly inheritedObjectType: string | undefined;
  /** Application data of a callback type, claim entry of a resource attribute; empty otherwise. */
  readonly data: Uint8Array;
}

export interface AccessList {
  readonly revision: number;
  readonly entries: readonly AccessEntry[];
}

export interface SecurityDescriptor {
  readonly control: number;
  readonly owner: string | undefined;
  readonly group: string | undefined;
  readonly dacl: AccessList | undefined;
  readonly sacl: AccessList | undefined;
}

const OWNER_AT = 4, GROUP_AT = 8, SACL_AT = 12, DACL_AT = 16;
const ACL_HEADER_BYTES = 8;
const ACE_HEADER_BYTES = 4;
const GUID_BYTES = 16;
const NO_DATA = new Uint8Array();

const FAMILIES: ReadonlyMap<number, AceFamily> = new Map([
  ...[0x00, 0x01, 0x02, 0x03, 0x11, 0x13, 0x14].map((type) => [type, "single"] as const),
  ...[0x05, 0x06, 0x07, 0x08].map((type) => [type, "object"] as const),
  ...[0x09, 0x0a, 0x0d, 0x0e].map((type) => [type, "callback"] as const),
  ...[0x0b, 0x0c, 0x0f, 0x10].map((type) => [type, "callback-object"] as const),
  [0x12, "attribute"] as const,
]);

/** Types whose entries grant rights. */
export function isAllow({ type }: AccessEntry): boolean {
  return type === 0x00 || type === 0x05 || type === 0x09 || type === 0x0b;
}

/** Types whose entries take rights away. */
export function isDeny({ type }: AccessEntry): boolean {
  return type === 0x01 || type === 0x06 || type === 0x0a || type === 0x0c;
}

/** Entries that only hold where a condition does. */
export function isConditional({ family }: AccessEntry): boolean {
  return family === "callback" || family === "callback-object";
}

/**
 * Reads a descriptor.
 *
 * @throws {PeipkgError} `internal` for bytes that are none: whoever calls has checked them.
 */
export function readDescriptor(bytes: Uint8Array): SecurityDescriptor {
  const fault = findDescriptorFault(bytes);
  if (fault !== undefined) throw new PeipkgError("internal", `cannot read security descriptor: ${fault}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const control = view.getUint16(2, true);
  const sidAt = (field: number): string | undefined => {
    const at = view.getUint32(field, true);
    return at === 0 ? undefined : sidText(bytes.subarray(at));
  };
  const listAt = (field: number, present: number): AccessList | undefined => {
    const at = view.getUint32(field, true);
    return at === 0 || (control & present) === 0 ? undefined : readList(bytes, view, at);
  };
  return {
    control,
    owner: sidAt(OWNER_AT),
    group: sidAt(GROUP_AT),
    dacl: listAt(DACL_AT, CONTROL.daclPresent),
    sacl: listAt(SACL_AT, CONTROL.saclPresent),
  };
}

function readList(bytes: Uint8Array, view: DataView, at: number): AccessList {
  const entries: AccessEntry[] = [];
  let ace = at + ACL_HEADER_BYTES;
  for (let left = view.getUint16(at + 4, true); left > 0; left--) {
    const sizeBytes = view.getUint16(ace + 2, true);
    entries.push(readEntry(bytes, view, ace, sizeBytes));
    ace += sizeBytes;
  }
  return { revision: view.getUint8(at), entries };
}

function readEntry(bytes: Uint8Array, view: DataView, ace: number, sizeBytes: number): AccessEntry {
  const type = view.getUint8(ace);
  const family = FAMILIES.get(type) ?? "opaque";
  const head = { type, family, flags: view.getUint8(ace + 1), sizeBytes };
  if (family === "opaque") {
    return { ...head, mask: 0, sid: undefined, objectType: undefined, inheritedObjectType: undefined, data: NO_DATA };
  }
  let at = ace + ACE_HEADER_BYTES;
  const mask = view.getUint32(at, true);
  at += 4;
  let objectType: string | undefined;
  let inheritedObjectType: string | undefined;
  if (family === "object" || family === "callback-object") {
    const flags = view.getUint32(at, true);
    at += 4;
    if ((flags & 1) !== 0) {
      objectType = bytes.subarray(at, at + GUID_BYTES).toHex();
      at += GUID_BYTES;
    }
    if ((flags & 2) !== 0) {
      inheritedObjectType = bytes.subarray(at, at + GUID_BYTES).toHex();
      at += GUID_BYTES;
    }
  }
  const sid = sidText(bytes.subarray(at));
  at += 8 + 4 * view.getUint8(at + 1);
  return { ...head, mask, sid, objectType, inheritedObjectType, data: bytes.subarray(at, ace + sizeBytes) };
}

/**
 * Components a descriptor brings along: owner and group where they have an offset, a list only where its present bit
 * is set too. Naming more when it is applied would install an empty or a NULL list (A-SDA-13).
 */
export function describedComponents(descriptor: Uint8Array): number {
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
  const control = view.getUint16(2, true);
  const has = (field: number): boolean => view.getUint32(field, true) !== 0;
  return (has(OWNER_AT) ? COMPONENT.owner : 0) | (has(GROUP_AT) ? COMPONENT.group : 0) |
    (has(DACL_AT) && (control & CONTROL.daclPresent) !== 0 ? COMPONENT.dacl : 0) |
    (has(SACL_AT) && (control & CONTROL.saclPresent) !== 0 ? COMPONENT.sacl : 0);
}
