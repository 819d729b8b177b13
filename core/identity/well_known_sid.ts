/**
 * Principals that mean the same on every system (audit-and-security.md section 7.7). Families of which each member
 * belongs to one machine, service or session are named for people, but are not well-known where rights are judged.
 */

/** SID, name, and the two letters experts write for it. */
const PRINCIPALS: readonly (readonly [sid: string, name: string, letters?: string])[] = [
  ["S-1-0-0", "Nobody"],
  ["S-1-1-0", "Everyone", "WD"],
  ["S-1-2-0", "Local"],
  ["S-1-2-1", "Console Logon"],
  ["S-1-3-0", "Creator Owner", "CO"],
  ["S-1-3-1", "Creator Group", "CG"],
  ["S-1-3-4", "Owner Rights", "OW"],
  ["S-1-5-2", "Network", "NU"],
  ["S-1-5-3", "Batch"],
  ["S-1-5-4", "Interactive", "IU"],
  ["S-1-5-6", "Service", "SU"],
  ["S-1-5-7", "Anonymous", "AN"],
  ["S-1-5-9", "Enterprise Domain Controllers", "ED"],
  ["S-1-5-10", "Principal Self", "PS"],
  ["S-1-5-11", "Authenticated Users", "AU"],
  ["S-1-5-12", "Restricted Code", "RC"],
  ["S-1-5-13", "Terminal Server Users"],
  ["S-1-5-14", "Remote Interactive Logon"],
  ["S-1-5-15", "This Organization"],
  ["S-1-5-17", "IUSR"],
  ["S-1-5-18", "Local System", "SY"],
  ["S-1-5-19", "Local Service", "LS"],
  ["S-1-5-20", "Network Service", "NS"],
  ["S-1-5-32-544", "Administrators", "BA"],
  ["S-1-5-32-545", "Users", "BU"],
  ["S-1-5-32-546", "Guests", "BG"],
  ["S-1-5-32-548", "Account Operators", "AO"],
  ["S-1-5-32-549", "Server Operators", "SO"],
  ["S-1-5-32-550", "Print Operators", "PO"],
  ["S-1-5-32-551", "Backup Operators", "BO"],
  ["S-1-5-32-552", "Replicators", "RE"],
  ["S-1-15-2-1", "All Application Packages", "AC"],
  ["S-1-15-2-2", "All Restricted Application Packages"],
  ["S-1-16-0", "Integrity Untrusted"],
  ["S-1-16-4096", "Integrity Low", "LW"],
  ["S-1-16-8192", "Integrity Medium", "ME"],
  ["S-1-16-12288", "Integrity High", "HI"],
  ["S-1-16-16384", "Integrity System", "SI"],
];

const BY_SID = new Map(PRINCIPALS.map(([sid, name, letters]) => [sid, { name, letters }]));
const FAMILIES: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^S-1-5-80(?:-\d+){5}$/, "Service"],
  [/^S-1-5-5-\d+-\d+$/, "Logon session"],
  [/^S-1-19-/, "Process trust label"],
];

/** Whether a SID may be granted rights without asking (A-SDP-05). */
export function isWellKnownSid(sid: string): boolean {
  return BY_SID.has(sid);
}

/** Name and SID, or the SID alone where no name is known (A-SDD-02). */
export function describePrincipal(sid: string): string {
  const name = BY_SID.get(sid)?.name ?? FAMILIES.find(([pattern]) => pattern.test(sid))?.[1];
  return name === undefined ? sid : `${name} (${sid})`;
}

/** The short form experts write: two letters where there are some, else the SID. */
export function abbreviatePrincipal(sid: string): string {
  return BY_SID.get(sid)?.letters ?? sid;
}
