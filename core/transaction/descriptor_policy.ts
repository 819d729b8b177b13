/**
 * Which security descriptors a package may bring along (audit-and-security.md section 8). Gate 1 is the key of its
 * repository; gate 2 says what needs a yes of its own. Nothing a package contains takes part in the decision but the
 * descriptor that is judged (A-SDP-05).
 */
import { ruleError } from "../errors.ts";
import {
  type AccessEntry,
  CONTROL,
  isAllow,
  isConditional,
  type SecurityDescriptor,
} from "../format/descriptor_reader.ts";
import { describePrincipal, isWellKnownSid } from "../identity/well_known_sid.ts";
import type { ContentSource, TransactionInput, TransactionQuestion } from "./input.ts";

/** What a repository's configuration says about descriptors (A-SDP-03, A-SDP-05). */
export interface DescriptorTrust {
  /** `allow_sd_overrides` */
  readonly isAllowed: boolean;
  /** `sd_allowed_sids` */
  readonly allowedSids: readonly string[];
}

/** Where a package comes from, as far as its descriptors are judged. */
export type DescriptorSource =
  | { readonly kind: "local-file" }
  | { readonly kind: "official"; readonly trust: DescriptorTrust }
  | { readonly kind: "repository"; readonly trust: DescriptorTrust };

export type AuthoriseQuestion = Extract<TransactionQuestion, { readonly kind: "authorise" }>;

const LOCAL_SYSTEM = "S-1-5-18";
const ADMINISTRATORS = "S-1-5-32-544";

/** Principals that are, or may be, anybody (A-SDP-07). */
const BROAD_PRINCIPALS: ReadonlySet<string> = new Set([
  "S-1-1-0", // Everyone
  "S-1-5-7", // Anonymous
  "S-1-5-11", // Authenticated Users
  "S-1-5-32-545", // Users
  "S-1-5-32-546", // Guests
  "S-1-5-2", // Network
  "S-1-5-4", // Interactive
  "S-1-2-0", // Local
  "S-1-5-3", // Batch
  "S-1-5-6", // Service
  "S-1-5-12", // Restricted Code
  "S-1-15-2-1", // All Application Packages
  "S-1-15-2-2", // All Restricted Application Packages
]);
/** Write data, append, write EA, delete child, write attributes, delete, write DAC, write owner, generic write, all. */
const CHANGING_RIGHTS = (0x0002 | 0x0004 | 0x0010 | 0x0040 | 0x0100 | 0x0001_0000 | 0x0004_0000 | 0x0008_0000 |
  0x4000_0000 | 0x1000_0000) >>> 0;
/** Maximum allowed, and bits 21 to 23, 26 and 27. */
const MEANINGLESS_RIGHTS = 0x0200_0000 | 0x00e0_0000 | 0x0c00_0000;
/** Entries a person can be shown (A-SDF-18). */
export const SHOWN_ENTRIES = 4096;

/**
 * Reasons why a descriptor needs an elevated yes; none: it passes gate 2 (A-SDP-04, A-SDP-06 to A-SDP-08).
 *
 * @param operatorSid SID of whoever runs this, where the kernel tells one.
 */
export function findConcerns(
  descriptor: SecurityDescriptor,
  source: DescriptorSource,
  operatorSid: string | undefined,
): readonly string[] {
  if (source.kind === "official") return []; // A-SDP-03
  if (source.kind === "local-file") return ["it comes from a local file"];
  const concerns = new Set<string>();
  const { owner, dacl, sacl, control } = descriptor;
  if (sacl !== undefined) concerns.add("it sets auditing or labels");
  if ((control & CONTROL.serverSecurity) !== 0) concerns.add("it asks for server security");
  if (owner !== undefined && owner !== LOCAL_SYSTEM && owner !== ADMINISTRATORS && owner !== operatorSid) {
    concerns.add(`it makes ${describePrincipal(owner)} the owner`); // A-SDP-08
  }
  for (const list of [dacl, sacl]) {
    if (list === undefined) continue;
    if (list.entries.length > SHOWN_ENTRIES) concerns.add("it has more entries than can be shown");
    for (const entry of list.entries) addEntryConcerns(concerns, entry, source.trust);
  }
  return [...concerns];
}

function addEntryConcerns(concerns: Set<string>, entry: AccessEntry, trust: DescriptorTrust): void {
  if (entry.family === "opaque") concerns.add("it has entries of an unknown type");
  if (isConditional(entry)) concerns.add("it has conditional entries");
  if ((entry.mask & MEANINGLESS_RIGHTS) !== 0) concerns.add("it names rights that have no meaning");
  if (!isAllow(entry) || entry.sid === undefined) return;
  const { sid } = entry;
  if (!isWellKnownSid(sid) && !trust.allowedSids.includes(sid)) {
    concerns.add(`it grants rights to ${describePrincipal(sid)}`); // A-SDP-04
  }
  if (BROAD_PRINCIPALS.has(sid) && (entry.mask & CHANGING_RIGHTS) !== 0) {
    concerns.add(`it lets ${describePrincipal(sid)} make changes`); // A-SDP-07
  }
}

// --- First gate --------------------------------------------------------------------------------------------------

/** Where a package comes from, as far as its descriptors are judged (A-SDP-03). */
export function descriptorSource(
  { repository }: Pick<ContentSource, "repository">,
  { descriptorTrust }: TransactionInput["options"],
): DescriptorSource {
  if (repository === undefined) return { kind: "local-file" };
  const trust = descriptorTrust?.get(repository);
  if (trust === undefined) return { kind: "repository", trust: { isAllowed: false, allowedSids: [] } };
  return { kind: trust.isOfficial ? "official" : "repository", trust };
}

/**
 * Gate 1 (A-SDP-03).
 *
 * @param what What the package would do, as a clause.
 * @param lines Paths concerned.
 * @throws {PeipkgError} `sd-override` (`E_SD_POLICY`), naming the key (A-SDP-09)
 */
export function requireAllowed(
  content: ContentSource,
  options: TransactionInput["options"],
  what: string,
  lines: readonly string[],
): void {
  const source = descriptorSource(content, options);
  if (source.kind === "local-file" || source.trust.isAllowed) return;
  const repository = content.repository ?? "";
  throw ruleError(
    "E_SD_POLICY",
    `cannot install ${content.name}: ${what}, and allow_sd_overrides of repository "${repository}" is false`,
    {
      package: content.name,
      repository,
      lines,
      paths: lines.map((path) => ({ path, package: content.name })),
      hint: `set allow_sd_overrides = true for "${repository}" to be asked about them`,
    },
  );
}
