/**
 * Who holds which role, the links that follow from it, and the security descriptors packages brought along. The only
 * SQL for `claim_holder`, `claim_link` and `sd_override`. Rows change only in the boundary transaction (C-TXN-02).
 */
import type { PackageName } from "../identity/package_name.ts";
import { isVirtualName } from "../identity/virtual_name.ts";
import { corrupt, type Database, type Row } from "./database.ts";
import { booleanOf, bytesOf, integerOf, nameOf, pathOf, textOf, wordOf } from "./row.ts";

export interface RoleHolder {
  readonly role: string;
  readonly holder: PackageName;
}

/** One link as recorded; its text on disk is relative (C-MAT-04). */
export interface ClaimLink {
  /** Logical path of the link. */
  readonly path: string;
  readonly role: string;
  readonly slot: string;
  /** Logical path it leads to. */
  readonly target: string;
  /** Below `/run`: may be missing (C-VOL-01). */
  readonly isVolatile: boolean;
}

/** What became of a package-declared security descriptor. */
export type SdState = "applied" | "stored" | "not-applied";

export interface SdOverride {
  readonly path: string;
  readonly package: PackageName;
  readonly descriptor: Uint8Array;
  readonly state: SdState;
  readonly transaction: number;
}

const SD_STATES = ["applied", "stored", "not-applied"] as const;
const LINK_COLUMNS = "path, role, slot, target, is_volatile";

/** Every held role, by name. */
export function readHolders(database: Database): readonly RoleHolder[] {
  return database.statement("SELECT role, holder FROM claim_holder ORDER BY role").all().map((row) => ({
    role: roleOf(row),
    holder: nameOf(row, "holder"),
  }));
}

/** Holder of a role; `undefined`: unheld. */
export function readHolder(database: Database, role: string): PackageName | undefined {
  const row = database.statement("SELECT holder FROM claim_holder WHERE role = ?").get(role);
  return row === undefined ? undefined : nameOf(row, "holder");
}

/** Roles a package holds. */
export function readHeldRoles(database: Database, name: string): readonly string[] {
  const sql = "SELECT role FROM claim_holder WHERE holder = ? ORDER BY role";
  return database.statement(sql).all(name).map(roleOf);
}

/** Links, all or of one role, by path. */
export function readClaimLinks(database: Database, role?: string): readonly ClaimLink[] {
  const where = role === undefined ? "" : "WHERE role = ?";
  const values = role === undefined ? [] : [role];
  return database.statement(`SELECT ${LINK_COLUMNS} FROM claim_link ${where} ORDER BY path`).all(...values).map(linkOf);
}

/** The link recorded at a path with the holder of its role (C-OWNS-04). */
export function readClaimLinkAt(
  database: Database,
  path: string,
): { readonly link: ClaimLink; readonly holder: PackageName } | undefined {
  const sql = `SELECT ${LINK_COLUMNS}, holder FROM claim_link JOIN claim_holder USING (role) WHERE path = ?`;
  const row = database.statement(sql).get(path);
  return row === undefined ? undefined : { link: linkOf(row), holder: nameOf(row, "holder") };
}

/** Makes a package the holder of a role. */
export function setHolder(database: Database, role: string, holder: string): void {
  database.statement(
    "INSERT INTO claim_holder (role, holder) VALUES (?, ?) ON CONFLICT (role) DO UPDATE SET holder = excluded.holder",
  ).run(role, holder);
}

/** Leaves a role unheld; its link rows go with it. */
export function clearHolder(database: Database, role: string): void {
  database.statement("DELETE FROM claim_holder WHERE role = ?").run(role);
}

export function insertClaimLink(database: Database, link: ClaimLink): void {
  database.statement(`INSERT INTO claim_link (${LINK_COLUMNS}) VALUES (?, ?, ?, ?, ?)`)
    .run(link.path, link.role, link.slot, link.target, link.isVolatile ? 1 : 0);
}

export function deleteClaimLink(database: Database, path: string): void {
  database.statement("DELETE FROM claim_link WHERE path = ?").run(path);
}

/** Recorded descriptors, all or of one package, by package and path. */
export function readSdOverrides(database: Database, name?: string): readonly SdOverride[] {
  const where = name === undefined ? "" : "WHERE package_name = ?";
  const values = name === undefined ? [] : [name];
  const sql = `SELECT path, package_name, sd, state, txn_id FROM sd_override ${where} ORDER BY package_name, path`;
  return database.statement(sql).all(...values).map((row) => ({
    path: pathOf(row, "path"),
    package: nameOf(row, "package_name"),
    descriptor: bytesOf(row, "sd"),
    state: wordOf(row, "state", SD_STATES),
    transaction: integerOf(row, "txn_id"),
  }));
}

export function setSdOverride(database: Database, override: SdOverride): void {
  database.statement(
    `INSERT INTO sd_override (path, package_name, sd, state, txn_id) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (path, package_name) DO UPDATE SET sd = excluded.sd, state = excluded.state, txn_id = excluded.txn_id`,
  ).run(override.path, override.package, override.descriptor, override.state, override.transaction);
}

/** Forgets one descriptor of a package that no longer declares it. */
export function deleteSdOverride(database: Database, name: string, path: string): void {
  database.statement("DELETE FROM sd_override WHERE package_name = ? AND path = ?").run(name, path);
}

/** Forgets every descriptor of objects that are gone (T-CLEAN-06). */
export function deleteSdOverridesAt(database: Database, paths: readonly string[]): void {
  const statement = database.statement("DELETE FROM sd_override WHERE path = ?");
  for (const path of paths) statement.run(path);
}

function linkOf(row: Row): ClaimLink {
  return {
    path: pathOf(row, "path"),
    role: roleOf(row),
    slot: textOf(row, "slot"),
    target: pathOf(row, "target"),
    isVolatile: booleanOf(row, "is_volatile"),
  };
}

function roleOf(row: Row): string {
  const role = textOf(row, "role");
  if (!isVirtualName(role)) throw corrupt(`"${role}" is no role name`);
  return role;
}
