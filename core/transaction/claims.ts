/**
 * Claim links: the set that has to exist after the transaction, and the operations that lead there from what is
 * recorded and what is on disk (claims.md sections 4 and 5). Idempotent: nothing to change gives no operation.
 */
import { ruleError } from "../errors.ts";
import { LIMITS } from "../format/limits.ts";
import type { Database } from "../store/database.ts";
import { findPathBelow, readOwners } from "../store/installed.ts";
import type { JournalOperation } from "../store/journal.ts";
import { type ClaimLink, readClaimLinks } from "../store/roles.ts";
import type { Diff } from "./diff.ts";
import type { FileOperation } from "./file_operation.ts";
import type { HolderPlan } from "./holders.ts";
import type { HolderChange } from "./input.ts";
import { isBelow, parentPath } from "./names.ts";
import { addReclaim } from "./removal.ts";
import type { Scope } from "./scope.ts";

const VOLATILE_PREFIX = "/run/";

/** What the boundary writes about claims. */
export interface ClaimDiff {
  readonly holders: readonly HolderChange[];
  /** Paths whose rows go. */
  readonly staleLinks: readonly string[];
  /** Rows that come; every link of every role concerned. */
  readonly newLinks: readonly ClaimLink[];
  /** `txn_op` rows of action `claim`, after those of the plan. */
  readonly operations: readonly JournalOperation[];
}

/** Links wanted and recorded for the roles concerned, before the disk is looked at. */
export interface LinkPlan {
  readonly wanted: ReadonlyMap<string, ClaimLink>;
  readonly recorded: ReadonlyMap<string, ClaimLink>;
  /** Links of roles that are not concerned: they stay as they are. */
  readonly untouched: ReadonlyMap<string, ClaimLink>;
}

/** Text of a link: its target relative to its directory (C-MAT-04). */
export function relativeTarget(path: string, target: string): string {
  const from = parentPath(path).split("/").filter((part) => part !== "");
  const to = target.split("/").filter((part) => part !== "");
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++;
  return [...from.slice(shared).map(() => ".."), ...to.slice(shared)].join("/");
}

/**
 * Computes the links that have to exist (C-MAT-01, C-MAT-02).
 *
 * @throws {PeipkgError} `collision` (`CLAIM_PATH_CONTESTED`), `format` (`E_LIMIT_CLAIMS`)
 */
export function planLinks(database: Database | undefined, plan: HolderPlan): LinkPlan {
  const recorded = new Map<string, ClaimLink>();
  const untouched = new Map<string, ClaimLink>();
  for (const link of database === undefined ? [] : readClaimLinks(database)) {
    (plan.roles.has(link.role) ? recorded : untouched).set(link.path, link);
  }
  const wanted = new Map<string, ClaimLink>();
  for (const [role, holder] of plan.holders) {
    const own = plan.declarations.filter((entry) => entry.role === role);
    const before = wanted.size;
    for (const { slot, target } of own) {
      if (target === undefined || !own.some((e) => e.package === holder && e.slot === slot && e.target === target)) {
        continue;
      }
      for (const entry of own) {
        const counts = entry.target === undefined || entry.package === holder; // C-MAT-01
        if (entry.slot !== slot || entry.path === undefined || !counts) continue;
        const link = { path: entry.path, role, slot, target, isVolatile: entry.path.startsWith(VOLATILE_PREFIX) };
        addWanted(wanted, untouched, link);
      }
    }
    const links = wanted.size - before;
    if (links > LIMITS.claimPathsPerRole) { // C-LIM-02, F-LIM-11
      throw ruleError(
        "E_LIMIT_CLAIMS",
        `cannot claim "${role}": ${links} links would be needed, the limit is ${LIMITS.claimPathsPerRole}`,
      );
    }
  }
  return { wanted, recorded, untouched };
}

function addWanted(wanted: Map<string, ClaimLink>, untouched: ReadonlyMap<string, ClaimLink>, link: ClaimLink): void {
  const other = wanted.get(link.path) ?? untouched.get(link.path);
  if (other !== undefined && (other.role !== link.role || other.target !== link.target)) {
    throw ruleError(
      "CLAIM_PATH_CONTESTED",
      `cannot make the link ${link.path}: roles "${other.role}" and "${link.role}" want different targets there`,
      { paths: [{ path: link.path, rule: "CLAIM_PATH_CONTESTED" }] },
    ); // C-MAT-07
  }
  wanted.set(link.path, link);
}

/** Links that go, by path → text on disk: a payload path arriving there may take their place. */
export function withdrawnLinks(links: LinkPlan): ReadonlyMap<string, string> {
  const withdrawn = new Map<string, string>();
  for (const [path, link] of links.recorded) {
    if (!links.wanted.has(path)) withdrawn.set(path, relativeTarget(path, link.target));
  }
  return withdrawn;
}

/**
 * Adds the operations that make the links right, after the payload's (C-REC-10 to C-REC-18).
 *
 * @param makesVolatile Whether links below `/run` are made here (C-VOL-03).
 */
export function addClaimLinks(diff: Diff, plan: HolderPlan, links: LinkPlan, makesVolatile: boolean): ClaimDiff {
  const { scope } = diff.context;
  const rows = claimRows(scope, plan);
  const place = (role: string): number => rows.get(role)?.sequence ?? declaringOperation(scope, plan, role);
  let changed = 0;
  for (const link of links.wanted.values()) {
    if (link.isVolatile && !makesVolatile) continue;
    if (wantLink(diff, link, links.recorded.get(link.path), place(link.role))) changed++;
  }
  for (const [path, link] of links.recorded) {
    if (links.wanted.has(path) || scope.arrivals.has(path)) continue;
    if (link.isVolatile && !makesVolatile) continue;
    if (dropLink(diff, link, place(link.role))) changed++;
  }
  // A transaction of links alone still needs a row to hang its files on (C-CMD-08).
  if (changed > 0 && rows.size === 0 && scope.operations.length === 0) {
    const role = [...plan.roles][0] ?? "";
    const holder = plan.holders.get(role);
    rows.set(role, claimRow(0, { role, from: holder, to: holder, cause: "grant" }));
  }
  return {
    holders: plan.changes,
    staleLinks: [...links.recorded.keys()],
    newLinks: [...links.wanted.values()],
    operations: [...rows.values()],
  };
}

function claimRows(scope: Scope, plan: HolderPlan): Map<string, JournalOperation> {
  const rows = new Map<string, JournalOperation>();
  plan.changes.forEach((change, index) => rows.set(change.role, claimRow(scope.operations.length + index, change)));
  return rows;
}

function claimRow(sequence: number, change: HolderChange): JournalOperation {
  return {
    sequence,
    subject: change.role,
    action: "claim",
    from: change.from,
    to: change.to,
    architecture: undefined,
    origin: undefined,
    cause: change.cause,
    causedBy: undefined,
  };
}

/** Links of a role whose holder stays belong to the operation of the package that brought or took them. */
function declaringOperation(scope: Scope, plan: HolderPlan, role: string): number {
  const declared = plan.declarations.find((entry) => entry.role === role && scope.touched.has(entry.package));
  const arriving = scope.arriving.find(({ content }) =>
    plan.declarations.some((entry) => entry.role === role && entry.package === content.name)
  );
  return arriving?.operation ?? (declared === undefined ? 0 : scope.touched.get(declared.package) ?? 0);
}

/**
 * Refuses links whose places or targets belong to somebody (C-MAT-05, C-MAT-06, C-MAT-08, C-MAT-12), judged against the
 * state after the transaction. Comes before the payload is looked at: a path below a link would not even open.
 */
export function checkLinkPlaces(diff: Diff, links: LinkPlan): void {
  const { database, scope, rules, obstacles } = diff.context;
  const all = new Map([...links.untouched, ...links.wanted]);
  for (const [path, link] of all) {
    const arrival = scope.arrivals.get(path)?.package ?? scope.arrivingDirectories.get(path);
    const owner = arrival?.content.name ?? diff.stayingOwner(path)?.package;
    if (owner !== undefined) obstacles.add("CLAIM_PATH_OWNED", path, owner, `role ${link.role}`);
    const below = arrivalBelow(scope, path) ?? stayingBelow(diff, path);
    if (below !== undefined) obstacles.add("CLAIM_PATH_OWNED", path, below, `role ${link.role}`);
    for (let place = parentPath(path); place !== "/"; place = parentPath(place)) {
      if (all.has(place) || scope.arrivals.has(place)) obstacles.add("CLAIM_PATH_OWNED", path, link.role, place);
    }
  }
  for (const [path, link] of links.wanted) {
    if (rules.isReserved(path)) obstacles.add("PATH_RESERVED", path, link.role);
    requireTarget(database, diff, link);
  }
  checkDropins(diff, links);
}

function arrivalBelow(scope: Scope, path: string): string | undefined {
  for (const [candidate, arrival] of scope.arrivals) {
    if (isBelow(candidate, path)) return arrival.package.content.name;
  }
  return undefined;
}

function stayingBelow(diff: Diff, path: string): string | undefined {
  const { database, scope } = diff.context;
  const below = findPathBelow(database, path);
  if (below === undefined) return undefined;
  return readOwners(database, below).find((owner) => !scope.touched.has(owner.package))?.package;
}

/** C-MAT-08 */
function requireTarget(database: Database, diff: Diff, link: ClaimLink): void {
  const { scope } = diff.context;
  const arrival = scope.arrivals.get(link.target);
  if (arrival !== undefined) return;
  const owners = readOwners(database, link.target);
  if (owners.some((owner) => owner.type !== "dir" && !scope.touched.has(owner.package))) return;
  throw ruleError(
    "CLAIM_TARGET_NOT_OWNED",
    `cannot make the link ${link.path}: its target ${link.target} belongs to no installed package`,
    { paths: [{ path: link.target, rule: "CLAIM_TARGET_NOT_OWNED" }] },
  );
}

/** C-MAT-12: a claim path counts as payload of the package that declares it. */
function checkDropins(diff: Diff, links: LinkPlan): void {
  const { scope, rules, obstacles, declarations } = diff.context;
  for (const { path, package: name } of declarations) {
    if (path === undefined || !links.wanted.has(path)) continue;
    const content = scope.arriving.find((entry) => entry.content.name === name)?.content;
    if (content === undefined || content.official) continue;
    if (!rules.allowsDropin(path, content.repository ?? "local", name)) obstacles.add("E_DEST_DROPIN", path, name);
  }
}

/** @returns Whether an operation was added. */
function wantLink(diff: Diff, link: ClaimLink, recorded: ClaimLink | undefined, operation: number): boolean {
  const { path } = link;
  const text = relativeTarget(path, link.target);
  const found = diff.found(path);
  if (found === undefined) {
    if (recorded !== undefined && !link.isVolatile) {
      diff.changes.notices.push({ kind: "restored-default", path, package: link.role, place: undefined }); // C-REC-13
    }
    return add(diff, operation, path, text, undefined); // C-REC-10, C-VOL-04
  }
  const present = diff.linkText(path, found);
  const leaving = diff.context.scope.leavingFiles.get(path);
  if (present === text && leaving === undefined) return false; // C-REC-11
  if (recorded !== undefined && present === relativeTarget(path, recorded.target)) {
    const change = add(diff, operation, path, text, undefined);
    const last = diff.changes.operations.at(-1);
    if (last !== undefined) {
      last.action = "repoint"; // C-REC-12
      last.oldTarget = present;
    }
    return change;
  }
  if (leaving !== undefined && found.type !== "dir") {
    diff.claimed.add(path); // C-REC-18: one replacement instead of a removal and a creation
    return add(diff, operation, path, text, found);
  }
  if (found.type === "dir" || !diff.context.options.overwriteUnowned) {
    diff.context.obstacles.add("UNOWNED_EXISTS", path, link.role); // C-MAT-09
    return false;
  }
  return add(diff, operation, path, text, found, true);
}

function add(
  diff: Diff,
  operation: number,
  path: string,
  text: string,
  found: Parameters<Diff["place"]>[2],
  keepBackup = false,
): boolean {
  diff.makeDirectory(parentPath(path), operation); // C-MAT-10
  const change: FileOperation = diff.place(operation, path, found);
  change.newType = "symlink";
  change.newTarget = text;
  change.isClaim = true;
  change.keepBackup = keepBackup;
  return true;
}

function dropLink(diff: Diff, link: ClaimLink, operation: number): boolean {
  const { path } = link;
  const found = diff.found(path);
  if (found === undefined) return false; // C-REC-16
  if (diff.linkText(path, found) !== relativeTarget(path, link.target)) {
    diff.warn({ rule: "CLAIM_LINK_FOREIGN", text: `${path} is not the link of "${link.role}" any more; left alone` });
    return false; // C-REC-17
  }
  const change = diff.place(operation, path, found); // C-REC-15
  change.action = "remove";
  change.isClaim = true;
  for (let place = parentPath(path); place !== "/"; place = parentPath(place)) addReclaim(diff, place);
  return true;
}
