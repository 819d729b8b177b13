/**
 * Marks, locks and annotations: short writes under the writer lock that touch the database alone. They are audited,
 * ask nothing, are not transactions and do not appear in history (cli.md section 11).
 */
import { PeipkgError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { deleteAnnotation, readAnnotation, setAnnotation } from "../store/annotations.ts";
import {
  type InstalledPackage,
  readInstalledPackages,
  requireInstalledPackage,
  setHeld,
  setInstallReason,
} from "../store/installed.ts";
import { selectNames } from "./patterns.ts";
import type { Workspace } from "./workspace.ts";

/** What became of one operand. */
export interface MarkOutcome {
  readonly name: string;
  readonly version: string;
  /** False when it was so already; nothing was written for it then. */
  readonly changed: boolean;
}

/** Longest annotation, in bytes of UTF-8 (C-ANNOTATE-01). */
const MAX_ANNOTATION_BYTES = 64 * 1024;
const TAG_REGEXP = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Marks packages manual or automatic.
 *
 * @param names Names or patterns, at least one.
 * @throws {PeipkgError} `not-installed`, `busy`, `indeterminate`
 * @see C-MARK-01, C-MARK-02, T-DB-14
 */
export function markPackages(
  workspace: Workspace,
  mark: "manual" | "auto",
  names: readonly string[],
): Promise<readonly MarkOutcome[]> {
  const reason = mark === "auto" ? "dependency" : "explicit";
  return changeEach(workspace, names, {
    setting: "automatic",
    valueOf: (item) => item.reason === "dependency",
    wanted: mark === "auto",
    write: (database, name) => setInstallReason(database, name, reason),
  });
}

/**
 * Locks packages at their version, or unlocks them.
 *
 * @param names Names or patterns; empty: every package (`--all`).
 * @see C-LOCK-03, S-HOLD-01
 */
export function lockPackages(
  workspace: Workspace,
  locked: boolean,
  names: readonly string[],
): Promise<readonly MarkOutcome[]> {
  return changeEach(workspace, names, {
    setting: "locked",
    valueOf: (item) => item.isHeld,
    wanted: locked,
    write: (database, name) => setHeld(database, name, locked),
  });
}

/**
 * Attaches a text to a package under a tag.
 *
 * @throws {PeipkgError} `usage` for a tag or text beyond the limits, `not-installed`
 * @see C-ANNOTATE-01
 */
export async function annotatePackage(
  workspace: Workspace,
  name: string,
  tag: string,
  value: string,
): Promise<void> {
  checkTag(tag);
  const size = new TextEncoder().encode(value).length;
  if (size > MAX_ANNOTATION_BYTES || !value.isWellFormed()) {
    const found = value.isWellFormed() ? `it has ${size} bytes` : "it is no UTF-8 text";
    throw new PeipkgError("usage", `cannot annotate "${name}": ${found}, the limit is ${MAX_ANNOTATION_BYTES} bytes`);
  }
  workspace.read((database) => requireInstalledPackage(database, name));
  await workspace.write((database) => {
    const item = requireInstalledPackage(database, name);
    const old = readAnnotation(database, name, tag);
    if (old === value) return;
    database.write(() => setAnnotation(database, { package: item.name, tag, value }));
    reportChange(workspace, `package:${name}:annotation:${tag}`, old, value);
  });
}

/**
 * Reads one annotation.
 *
 * @throws {PeipkgError} `not-installed`; `failed` when there is no such tag.
 */
export function readPackageAnnotation(workspace: Workspace, name: string, tag: string): string {
  return workspace.read((database) => {
    requireInstalledPackage(database, name);
    const value = database === undefined ? undefined : readAnnotation(database, name, tag);
    if (value === undefined) throw missingTag(name, tag);
    return value;
  });
}

/** Removes an annotation. @throws {PeipkgError} `not-installed`; `failed` when there is no such tag. */
export async function removeAnnotation(workspace: Workspace, name: string, tag: string): Promise<void> {
  readPackageAnnotation(workspace, name, tag); // nothing to write: nothing is locked or created (T-DB-17)
  await workspace.write((database) => {
    requireInstalledPackage(database, name);
    const old = readAnnotation(database, name, tag);
    if (old === undefined) throw missingTag(name, tag);
    database.write(() => deleteAnnotation(database, name, tag));
    reportChange(workspace, `package:${name}:annotation:${tag}`, old, undefined);
  });
}

/** One flag of a package: how it is read, written and audited. */
interface Flag {
  readonly setting: "automatic" | "locked";
  readonly valueOf: (item: InstalledPackage) => boolean;
  readonly wanted: boolean;
  readonly write: (database: Database, name: string) => void;
}

async function changeEach(
  workspace: Workspace,
  names: readonly string[],
  flag: Flag,
): Promise<readonly MarkOutcome[]> {
  const before = workspace.read((database) => outcomesOf(database, names, flag));
  // A request that is satisfied already takes no lock and creates nothing (T-DB-17).
  if (!before.some(({ changed }) => changed)) return before;
  return await workspace.write((database) => {
    const outcomes = outcomesOf(database, names, flag);
    const changed = outcomes.filter((outcome) => outcome.changed);
    if (changed.length === 0) return outcomes;
    database.write(() => {
      for (const { name } of changed) flag.write(database, name);
      database.advanceGeneration(); // T-DB-14
    });
    for (const { name } of changed) {
      reportChange(workspace, `package:${name}:${flag.setting}`, String(!flag.wanted), String(flag.wanted));
    }
    return outcomes;
  });
}

function outcomesOf(database: Database | undefined, names: readonly string[], flag: Flag): readonly MarkOutcome[] {
  const installed = database === undefined ? [] : readInstalledPackages(database);
  const chosen = new Set<string>(selectNames(installed.map(({ name }) => name), names));
  return installed.filter(({ name }) => chosen.has(name)).map((item) => ({
    name: item.name,
    version: item.version.raw,
    changed: flag.valueOf(item) !== flag.wanted,
  }));
}

/** A-EVENT-10 */
function reportChange(workspace: Workspace, setting: string, old: string | undefined, value: string | undefined): void {
  workspace.audit({
    type: "peipkg.config-change",
    outcome: "success",
    change: { setting, old, new: value, via: "command" },
  });
}

function checkTag(tag: string): void {
  if (TAG_REGEXP.test(tag)) return;
  throw new PeipkgError(
    "usage",
    `cannot use tag "${tag}": expected 1 to 64 letters, digits, dots, underscores or hyphens`,
  );
}

function missingTag(name: string, tag: string): PeipkgError {
  return new PeipkgError("failed", `"${name}" has no annotation "${tag}"`, { package: name });
}
