/**
 * The rows written at the durability boundary (T-COMMIT-13): new package state and `committed` in one database
 * transaction, which is the only instant at which anything becomes true (T-MODEL-03).
 */
import type { Database } from "../store/database.ts";
import {
  deleteFile,
  deletePackage,
  insertFiles,
  insertPackage,
  type InstalledFile,
  type InstallReason,
  type PackageRecord,
  type PackageRelation,
  readInstalledPackage,
  setHeld,
  setInstallReason,
  updatePackage,
} from "../store/installed.ts";
import { recordCommitted } from "../store/journal.ts";
import {
  clearHolder,
  deleteClaimLink,
  deleteSdOverride,
  insertClaimLink,
  setHolder,
  setSdOverride,
} from "../store/roles.ts";
import type { Operation } from "../resolver/plan.ts";
import type { ClaimDiff } from "./claims.ts";
import type { DescriptorPlan } from "./descriptors.ts";
import type { ChangeSet, NewDefault } from "./file_operation.ts";
import type { ContentEntry, ContentSource, TransactionInput } from "./input.ts";
import type { Scope } from "./scope.ts";

/** What the boundary makes true. */
export interface BoundaryFacts {
  readonly id: number;
  readonly scope: Scope;
  readonly changes: ChangeSet;
  readonly claims: ClaimDiff;
  readonly descriptors: DescriptorPlan;
  readonly finishedAt: number;
}

/** Writes every row of the boundary; the caller has begun the database transaction and commits it. */
export function writeBoundary(input: TransactionInput, facts: BoundaryFacts): void {
  const { database } = input;
  const { scope, changes } = facts;
  const reasons = new Map<string, { readonly reason: InstallReason; readonly isHeld: boolean }>();
  for (const name of scope.touched.keys()) {
    const before = readInstalledPackage(database, name);
    if (before !== undefined) reasons.set(name, { reason: before.reason, isHeld: before.isHeld });
  }
  const newDefaults = groupByPackage(changes.newDefaults);
  // T-DB-13: everything that goes, goes before anything comes, so that a path can change hands.
  for (const operation of input.plan.operations) {
    if (operation.kind === "remove") deletePackage(database, operation.from.name);
  }
  for (const { content } of scope.arriving) deleteStaleRows(database, content, scope, changes);
  for (const operation of input.plan.operations) {
    if (operation.kind === "remove") continue;
    const content = input.contents.get(operation.target.name);
    if (content === undefined) continue;
    const record = packageRecord(input, facts.id, operation, content, reasons.get(content.name)?.isHeld ?? false);
    if (operation.kind === "install") insertPackage(database, record);
    else updatePackage(database, record);
    insertFiles(database, content.name, newRows(content, scope, changes, newDefaults.get(content.name) ?? []));
  }
  for (const mark of input.plan.marks) setInstallReason(database, mark.name, mark.reason);
  for (const [name, { held, reason }] of input.restoreMarks) {
    setHeld(database, name, held);
    setInstallReason(database, name, reason);
  }
  writeDescriptors(database, facts);
  writeClaims(database, facts.claims);
  database.advanceGeneration();
  recordCommitted(database, facts.id, facts.finishedAt);
}

/** A-SDA-17 */
function writeDescriptors(database: Database, { id, descriptors }: BoundaryFacts): void {
  for (const row of descriptors.stale) deleteSdOverride(database, row.package, row.path);
  for (const row of descriptors.rows) setSdOverride(database, { ...row, transaction: id });
}

/** C-TXN-02: cleared holders, holders, old links, new links, after the package rows. */
function writeClaims(database: Database, claims: ClaimDiff): void {
  for (const change of claims.holders) if (change.to === undefined) clearHolder(database, change.role);
  for (const change of claims.holders) if (change.to !== undefined) setHolder(database, change.role, change.to);
  for (const path of claims.staleLinks) deleteClaimLink(database, path);
  for (const link of claims.newLinks) insertClaimLink(database, link);
}

/** Rows of a package that stays are touched only where they differ: the cost follows the size of the change. */
function deleteStaleRows(database: Database, content: ContentSource, scope: Scope, changes: ChangeSet): void {
  if (!scope.touched.has(content.name)) return;
  const kept = new Map(changes.newDefaults.map((row) => [row.path, row]));
  for (const row of scope.leavingByPackage.get(content.name) ?? []) {
    const arrival = scope.arrivals.get(row.path);
    const stays = arrival?.package.content === content
      ? isSameRow(row, wantedRow(content.entries[arrival.index], changes))
      : isSameRow(row, defaultRow(kept.get(row.path), content.name));
    if (!stays) deleteFile(database, content.name, row.path);
  }
  const entries = new Set<string>();
  for (const entry of content.entries) if (entry.type === "dir") entries.add(entry.path);
  for (const path of scope.leavingDirectories.get(content.name) ?? []) {
    if (!entries.has(path)) deleteFile(database, content.name, path);
  }
}

function* newRows(
  content: ContentSource,
  scope: Scope,
  changes: ChangeSet,
  newDefaults: readonly NewDefault[],
): Generator<InstalledFile> {
  const ownDirectories = scope.leavingDirectories.get(content.name);
  for (const entry of content.entries) {
    const row = wantedRow(entry, changes);
    if (row === undefined) continue;
    if (entry.type === "dir" ? ownDirectories?.has(entry.path) === true : isRecorded(content.name, row, scope)) {
      continue;
    }
    yield row;
  }
  for (const row of newDefaults) {
    const wanted = defaultRow(row, content.name);
    if (wanted !== undefined && !isRecorded(content.name, wanted, scope)) yield wanted;
  }
}

function isRecorded(name: string, row: InstalledFile, scope: Scope): boolean {
  const old = scope.leavingFiles.get(row.path);
  return old?.package === name && isSameRow(old, row);
}

function wantedRow(entry: ContentEntry | undefined, changes: ChangeSet): InstalledFile | undefined {
  if (entry === undefined) return undefined;
  const isFile = entry.type === "file";
  return {
    path: entry.path,
    type: entry.type,
    sizeBytes: isFile ? entry.sizeBytes : undefined,
    hash: isFile ? entry.hash : undefined,
    target: entry.type === "symlink" ? entry.target : undefined,
    // T-ETC-09: `hash` is the delivered one even where the operator's content stays.
    preservedHash: isFile ? changes.preserved.get(entry.path) : undefined,
    newDefaultOf: undefined,
  };
}

function defaultRow(row: NewDefault | undefined, owner: string): InstalledFile | undefined {
  if (row === undefined || row.package !== owner) return undefined;
  return {
    path: row.path,
    type: "file",
    sizeBytes: row.sizeBytes,
    hash: row.hash,
    target: undefined,
    preservedHash: undefined,
    newDefaultOf: row.of,
  };
}

function isSameRow(a: InstalledFile, b: InstalledFile | undefined): boolean {
  return b !== undefined && a.type === b.type && a.hash === b.hash && a.target === b.target &&
    a.sizeBytes === b.sizeBytes && a.preservedHash === b.preservedHash && a.newDefaultOf === b.newDefaultOf;
}

function groupByPackage(rows: readonly NewDefault[]): ReadonlyMap<string, readonly NewDefault[]> {
  const groups = new Map<string, NewDefault[]>();
  for (const row of rows) {
    const group = groups.get(row.package);
    if (group === undefined) groups.set(row.package, [row]);
    else group.push(row);
  }
  return groups;
}

function packageRecord(
  input: TransactionInput,
  id: number,
  operation: Exclude<Operation, { readonly kind: "remove" }>,
  content: ContentSource,
  isHeld: boolean,
): PackageRecord {
  const { origin } = operation.target;
  return {
    name: operation.target.name,
    version: operation.target.version,
    architecture: operation.target.architecture,
    origin: origin.kind === "local-file" ? undefined : origin.repository,
    reason: operation.reason,
    isHeld,
    installedAt: Math.floor(input.startedAt / 1000),
    installedTransaction: id,
    packageHash: content.packageHash,
    manifestText: content.manifestText,
    relations: relationsOf(content),
  };
}

/** T-DB-19: derived from the manifest in the same database transaction. */
function relationsOf({ manifest }: ContentSource): readonly PackageRelation[] {
  const relations: PackageRelation[] = [];
  for (const { name } of manifest.dependencies) relations.push({ kind: "dependency", name });
  for (const { name } of manifest.optionalDependencies) relations.push({ kind: "optional", name });
  for (const { name } of manifest.conflicts) relations.push({ kind: "conflict", name });
  for (const { name } of manifest.provides) relations.push({ kind: "provides", name });
  for (const { name } of manifest.replaces) relations.push({ kind: "replaces", name });
  return relations;
}
