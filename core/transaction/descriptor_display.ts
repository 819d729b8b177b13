/**
 * Security descriptors in words (audit-and-security.md section 7.7): everything a person needs before saying yes, and
 * one line for experts. Texts are unescaped; the terminal edge escapes them.
 */
import {
  type AccessEntry,
  type AccessList,
  ACE_FLAG,
  CONTROL,
  isAllow,
  isConditional,
  isDeny,
  type SecurityDescriptor,
} from "../format/descriptor_reader.ts";
import { abbreviatePrincipal, describePrincipal } from "../identity/well_known_sid.ts";
import { SHOWN_ENTRIES } from "./descriptor_policy.ts";
import { expandRights, type Inherited } from "./inheritance.ts";

export type ObjectKind = "file" | "dir";

/** Entries named in the one-line summary. */
const SUMMARY_ENTRIES = 4;

const FULL_CONTROL = 0x001f_01ff;
const READ = 0x0012_0089;
const WRITE = 0x0012_0116;
const EXECUTE = 0x0012_00a0;
const DELETE = 0x0001_0000;

/** Single rights of files and, where it differs, of directories. */
const RIGHTS: readonly (readonly [bit: number, file: string, directory?: string])[] = [
  [0x0001, "read data", "list directory"],
  [0x0002, "write data", "add file"],
  [0x0004, "append", "add subdirectory"],
  [0x0008, "read EA"],
  [0x0010, "write EA"],
  [0x0020, "execute", "traverse"],
  [0x0040, "delete child"],
  [0x0080, "read attributes"],
  [0x0100, "write attributes"],
  [0x0001_0000, "delete"],
  [0x0002_0000, "read control"],
  [0x0004_0000, "write DAC"],
  [0x0008_0000, "write owner"],
  [0x0010_0000, "synchronize"],
  [0x0100_0000, "access system security"],
  [0x0200_0000, "maximum allowed"],
];

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x02, "audit"],
  [0x03, "alarm"],
  [0x07, "audit"],
  [0x08, "alarm"],
  [0x0d, "audit"],
  [0x0e, "alarm"],
  [0x0f, "audit"],
  [0x10, "alarm"],
  [0x11, "integrity label"],
  [0x12, "resource attribute of"],
  [0x13, "scoped policy"],
  [0x14, "process trust label"],
]);

/** A mask in words (A-SDD-03). */
export function describeRights(mask: number, kind: ObjectKind): string {
  let rest = expandRights(mask);
  const words: string[] = [];
  const take = (bits: number, word: string): boolean => {
    if (((rest & bits) >>> 0) !== bits) return false;
    words.push(word);
    return true;
  };
  if (take(FULL_CONTROL, "full control")) rest &= ~FULL_CONTROL;
  else if (take(READ | WRITE | EXECUTE | DELETE, "modify")) rest &= ~(READ | WRITE | EXECUTE | DELETE);
  else {
    const whole = rest;
    if (take(READ | EXECUTE, "read & execute")) rest &= ~(READ | EXECUTE);
    else if (take(READ, "read")) rest &= ~READ;
    // The two overlap in rights that every reader has, so that each is looked for in the whole mask.
    if ((whole & WRITE) === WRITE) {
      words.push("write");
      rest &= ~WRITE;
    }
  }
  for (const [bit, file, directory] of RIGHTS) {
    if ((rest & bit) === 0) continue;
    words.push(kind === "dir" ? directory ?? file : file);
    rest &= ~bit;
  }
  rest >>>= 0;
  if (rest !== 0) words.push(hex(rest));
  return words.length === 0 ? "nothing" : words.join(", ");
}

/**
 * One descriptor in full (A-SDD-01).
 *
 * @param path Logical path.
 * @param inherited What the object would have without it; "unknown" is said.
 */
export function describeDescriptor(
  path: string,
  kind: ObjectKind,
  descriptor: SecurityDescriptor,
  sizeBytes: number,
  inherited: Inherited,
  operator: string,
): readonly string[] {
  const { owner, group, dacl, sacl, control } = descriptor;
  return [
    `${path} (${kind === "dir" ? "directory" : "file"}, descriptor of ${sizeBytes} bytes)`,
    `  owner: ${owner === undefined ? "not set" : describePrincipal(owner)}`,
    `  group: ${group === undefined ? "not set" : describePrincipal(group)}`,
    `  ${(control & CONTROL.daclProtected) !== 0 ? "does not inherit" : "inherits"}`,
    ...(dacl === undefined ? ["  rights: as inherited"] : describeList(dacl, kind)),
    ...(sacl === undefined ? [] : describeList(sacl, kind)),
    ...describeDifference(descriptor, inherited, kind, operator),
    `  ${renderSddl(descriptor)}`,
  ];
}

function describeList(list: AccessList, kind: ObjectKind): readonly string[] {
  const lines = list.entries.slice(0, SHOWN_ENTRIES).map((entry) => `  ${describeEntry(entry, kind)}`);
  const hidden = list.entries.length - lines.length; // A-SDF-18
  if (list.entries.length === 0) return ["  nobody has rights"];
  return hidden > 0 ? [...lines, `  and ${hidden} more entries, not shown`] : lines;
}

/** One entry: what it does, for whom, which rights, where (A-SDD-01, A-SDD-04). */
function describeEntry(entry: AccessEntry, kind: ObjectKind): string {
  if (entry.family === "opaque" || entry.sid === undefined) {
    return `unknown entry of type ${hex(entry.type)}, ${entry.sizeBytes} bytes`;
  }
  const parts = [
    `${entryVerb(entry)} ${describePrincipal(entry.sid)}: ${describeRights(entry.mask, kind)}`,
    ...(entry.objectType === undefined ? [] : [`for object type ${entry.objectType}`]),
    ...(isConditional(entry) ? [`conditional, ${entry.data.length} bytes, not shown`] : []),
    ...(entry.family === "attribute" ? [`${entry.data.length} bytes of attribute`] : []),
    ...(kind === "dir" ? [describeReach(entry.flags)] : []),
    ...((entry.flags & ACE_FLAG.inherited) !== 0 ? ["inherited"] : []),
  ];
  return parts.join("; ");
}

function entryVerb(entry: AccessEntry): string {
  if (isAllow(entry)) return "allow";
  if (isDeny(entry)) return "deny";
  const name = TYPE_NAMES.get(entry.type) ?? hex(entry.type);
  const outcomes = [
    ...((entry.flags & ACE_FLAG.auditSuccess) !== 0 ? ["success"] : []),
    ...((entry.flags & ACE_FLAG.auditFailure) !== 0 ? ["failure"] : []),
  ];
  return outcomes.length === 0 ? name : `${name} ${outcomes.join(" and ")} of`;
}

/** Which objects an entry of a directory reaches. */
function describeReach(flags: number): string {
  const reached = [
    ...((flags & ACE_FLAG.inheritOnly) === 0 ? ["this directory"] : []),
    ...((flags & ACE_FLAG.containerInherit) !== 0 ? ["subdirectories"] : []),
    ...((flags & ACE_FLAG.objectInherit) !== 0 ? ["files"] : []),
  ];
  const where = reached.length === 0 ? "nothing" : reached.join(", ");
  return (flags & ACE_FLAG.noPropagate) !== 0 ? `${where}, one level` : where;
}

/** One sentence part: whom it lets do what. */
export function summariseDescriptor(descriptor: SecurityDescriptor, kind: ObjectKind): string {
  const { owner, dacl, sacl } = descriptor;
  const entries = dacl?.entries ?? [];
  const shown = entries.slice(0, SUMMARY_ENTRIES).map((entry) =>
    entry.sid === undefined
      ? `unknown entry of type ${hex(entry.type)}`
      : `${entryVerb(entry)} ${describePrincipal(entry.sid)} ${describeRights(entry.mask, kind)}`
  );
  const hidden = entries.length - shown.length;
  return [
    ...(owner === undefined ? [] : [`owner ${describePrincipal(owner)}`]),
    ...(dacl === undefined ? ["rights as inherited"] : entries.length === 0 ? ["nobody has rights"] : shown),
    ...(hidden > 0 ? [`${hidden} more`] : []),
    ...(sacl === undefined ? [] : ["auditing or labels"]),
  ].join("; ");
}

// --- Difference against inheritance (A-SDD-06) ------------------------------------------------------------------

function describeDifference(
  descriptor: SecurityDescriptor,
  inherited: Inherited,
  kind: ObjectKind,
  operator: string,
): readonly string[] {
  if (inherited.kind === "unknown") return ["  inheritance unknown"]; // A-SDA-22
  if (inherited.kind === "default") return [`  would otherwise be: default of ${operator}`]; // A-SDA-21
  const before = effectiveRights(inherited.descriptor.dacl?.entries ?? []);
  const own = descriptor.dacl?.entries;
  const asksMore = (descriptor.control & CONTROL.daclAutoInheritRequested) !== 0 &&
    (descriptor.control & CONTROL.daclProtected) === 0;
  const parent = inherited.descriptor.dacl?.entries ?? [];
  // A-SDA-05: without a list of its own, or where it asks for it, the inheritable entries count too.
  const after = effectiveRights(own === undefined ? parent : asksMore ? [...own, ...parent] : own);
  const lines: string[] = [];
  for (const sid of new Set([...after.keys(), ...before.keys()])) {
    const now = after.get(sid) ?? 0;
    const then = before.get(sid) ?? 0;
    const name = describePrincipal(sid);
    const gained = (now & ~then) >>> 0;
    const lost = (then & ~now) >>> 0;
    if (gained !== 0) lines.push(`  against inheritance, ${name} gains: ${describeRights(gained, kind)}`);
    if (lost !== 0) lines.push(`  against inheritance, ${name} loses: ${describeRights(lost, kind)}`);
    if (gained === 0 && lost === 0 && now !== 0) lines.push(`  as by inheritance, ${name} keeps its rights`);
  }
  return lines;
}

/** Rights each principal named has on the object itself: first word counts, as the kernel reads a list. */
function effectiveRights(entries: readonly AccessEntry[]): ReadonlyMap<string, number> {
  const granted = new Map<string, number>();
  const denied = new Map<string, number>();
  for (const entry of entries) {
    const { sid } = entry;
    if (sid === undefined || (entry.flags & ACE_FLAG.inheritOnly) !== 0) continue;
    const mask = expandRights(entry.mask);
    if (isDeny(entry)) denied.set(sid, (denied.get(sid) ?? 0) | (mask & ~(granted.get(sid) ?? 0)));
    if (isAllow(entry)) granted.set(sid, (granted.get(sid) ?? 0) | (mask & ~(denied.get(sid) ?? 0)));
  }
  return granted;
}

// --- For experts ------------------------------------------------------------------------------------------------

const SDDL_TYPES: ReadonlyMap<number, string> = new Map([
  [0x00, "A"],
  [0x01, "D"],
  [0x02, "AU"],
  [0x03, "AL"],
  [0x05, "OA"],
  [0x06, "OD"],
  [0x07, "OU"],
  [0x08, "OL"],
  [0x09, "XA"],
  [0x0a, "XD"],
  [0x0b, "ZA"],
  [0x0d, "XU"],
  [0x11, "ML"],
  [0x12, "RA"],
  [0x13, "SP"],
  [0x14, "TL"],
]);
const SDDL_RIGHTS: ReadonlyMap<number, string> = new Map([
  [FULL_CONTROL, "FA"],
  [READ, "FR"],
  [WRITE, "FW"],
  [EXECUTE, "FX"],
  [0x1000_0000, "GA"],
  [0x2000_0000, "GX"],
  [0x4000_0000, "GW"],
  [0x8000_0000, "GR"],
]);
const SDDL_FLAGS = [
  [ACE_FLAG.objectInherit, "OI"],
  [ACE_FLAG.containerInherit, "CI"],
  [ACE_FLAG.noPropagate, "NP"],
  [ACE_FLAG.inheritOnly, "IO"],
  [ACE_FLAG.inherited, "ID"],
  [ACE_FLAG.auditSuccess, "SA"],
  [ACE_FLAG.auditFailure, "FA"],
] as const;

/** The line for experts: `O:BAG:SYD:P(A;OICI;FA;;;BA)`. What it cannot express stands in angle brackets. */
export function renderSddl({ owner, group, dacl, sacl, control }: SecurityDescriptor): string {
  return [
    owner === undefined ? "" : `O:${abbreviatePrincipal(owner)}`,
    group === undefined ? "" : `G:${abbreviatePrincipal(group)}`,
    dacl === undefined ? "" : `D:${listFlags(control, 0x1000, 0x0100, 0x0400)}${renderEntries(dacl)}`,
    sacl === undefined ? "" : `S:${listFlags(control, 0x2000, 0x0200, 0x0800)}${renderEntries(sacl)}`,
  ].join("");
}

function listFlags(control: number, isProtected: number, asksInheritance: number, hasInherited: number): string {
  return `${(control & isProtected) !== 0 ? "P" : ""}${(control & asksInheritance) !== 0 ? "AR" : ""}${
    (control & hasInherited) !== 0 ? "AI" : ""
  }`;
}

function renderEntries({ entries }: AccessList): string {
  return entries.slice(0, SHOWN_ENTRIES).map((entry) => {
    if (entry.sid === undefined) return `(<${hex(entry.type)}, ${entry.sizeBytes} bytes>)`;
    const flags = SDDL_FLAGS.filter(([bit]) => (entry.flags & bit) !== 0).map(([, letters]) => letters).join("");
    const fields = [
      SDDL_TYPES.get(entry.type) ?? hex(entry.type),
      flags,
      SDDL_RIGHTS.get(entry.mask) ?? hex(entry.mask),
      entry.objectType ?? "",
      entry.inheritedObjectType ?? "",
      abbreviatePrincipal(entry.sid),
    ].join(";");
    return entry.data.length === 0 ? `(${fields})` : `(${fields};<${entry.data.length} bytes>)`;
  }).join("");
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
