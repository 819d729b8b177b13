/**
 * What an object inherits from its directory (A-SDA-20, A-SDA-21): for showing a difference and for judging what a
 * package's files receive (A-SDP-10). Never applied: on the system the kernel inherits (A-SDA-10).
 */
import { type AccessEntry, ACE_FLAG, CONTROL, type SecurityDescriptor } from "../format/descriptor_reader.ts";

const CREATOR_OWNER = "S-1-3-0";
const CREATOR_GROUP = "S-1-3-1";

/** Generic rights → the rights of files they stand for (section 7.5). */
const GENERIC_RIGHTS = [
  [0x8000_0000, 0x0012_0089],
  [0x4000_0000, 0x0012_0116],
  [0x2000_0000, 0x0012_00a0],
  [0x1000_0000, 0x001f_01ff],
] as const;

/** Who creators are; absent: their placeholders stay. */
export interface Creator {
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
}

/** A mask with its generic rights written out. */
export function expandRights(mask: number): number {
  let rights = mask;
  for (const [generic, meaning] of GENERIC_RIGHTS) {
    if ((mask & generic) !== 0) rights = (rights & ~generic) | meaning;
  }
  return rights >>> 0;
}

/**
 * Entries a new object takes over from the list of its directory, in their order.
 *
 * @returns Empty when nothing is inheritable: then the default list of whoever creates it applies (A-SDA-21).
 */
export function inheritEntries(
  parent: readonly AccessEntry[],
  kind: "file" | "dir",
  creator: Creator,
): readonly AccessEntry[] {
  return parent.flatMap((entry) => {
    const { flags } = entry;
    const forFiles = (flags & ACE_FLAG.objectInherit) !== 0;
    const forDirectories = (flags & ACE_FLAG.containerInherit) !== 0;
    const stops = (flags & ACE_FLAG.noPropagate) !== 0;
    if (kind === "file" ? !forFiles : !forDirectories && !(forFiles && !stops)) return [];
    // A directory below one whose entries are for files only passes them on without being subject to them.
    const isPassedOn = kind === "dir" && !forDirectories;
    const kept = flags &
      ~(ACE_FLAG.inheritOnly | ACE_FLAG.noPropagate | ACE_FLAG.objectInherit | ACE_FLAG.containerInherit);
    const spread = kind === "file" || stops ? 0 : flags & (ACE_FLAG.objectInherit | ACE_FLAG.containerInherit);
    return [{
      ...entry,
      flags: kept | spread | (isPassedOn ? ACE_FLAG.inheritOnly : 0) | ACE_FLAG.inherited,
      mask: expandRights(entry.mask),
      sid: isPassedOn ? entry.sid : resolveCreator(entry.sid, creator),
    }];
  });
}

function resolveCreator(sid: string | undefined, { owner, group }: Creator): string | undefined {
  if (sid === CREATOR_OWNER) return owner ?? sid;
  return sid === CREATOR_GROUP ? group ?? sid : sid;
}

/** What a new object inherits over several directories. */
export type Inherited =
  | { readonly kind: "descriptor"; readonly descriptor: SecurityDescriptor }
  /** Nothing inheritable: the creator's default (A-SDA-21). */
  | { readonly kind: "default" }
  | { readonly kind: "unknown" };

/**
 * What an object below a directory receives when everything between them inherits.
 *
 * @param levels Directories between the two; 0 for a direct child.
 * @see A-SDA-20 to A-SDA-22
 */
export function inheritThrough(
  from: SecurityDescriptor,
  levels: number,
  kind: "file" | "dir",
  creator: Creator,
): Inherited {
  if (from.dacl === undefined) return { kind: "unknown" }; // its own list is inherited from above
  const descend = (entries: readonly AccessEntry[]): readonly AccessEntry[] => {
    let current = entries;
    for (let level = 0; level < levels; level++) current = inheritEntries(current, "dir", creator);
    return inheritEntries(current, kind, creator);
  };
  const entries = descend(from.dacl.entries);
  const audits = descend(from.sacl?.entries ?? []);
  if (entries.length === 0 && audits.length === 0) return { kind: "default" };
  return {
    kind: "descriptor",
    descriptor: {
      control: CONTROL.selfRelative | CONTROL.daclPresent | (audits.length > 0 ? CONTROL.saclPresent : 0),
      owner: undefined,
      group: undefined,
      dacl: { revision: from.dacl.revision, entries },
      sacl: audits.length === 0 ? undefined : { revision: from.sacl?.revision ?? 2, entries: audits },
    },
  };
}
