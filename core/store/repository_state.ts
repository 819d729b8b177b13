/**
 * What was recorded about each repository: its trust set, its freshness floors, the revocations that stick, and the
 * configuration last accepted. The only SQL for the tables `repository`, `repository_key` and
 * `repository_revocation`. A row exists for each trust ceremony passed; settings live in `.repo` files.
 */
import { REPOSITORY_SETTING_KEYS, type RepositorySettings } from "../identity/repository_settings.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { corrupt, type Database, type Row } from "./database.ts";
import { integerOf, optionalBytesOf, optionalIntegerOf, optionalTextOf, textOf, wordOf } from "./row.ts";

export type KeyStatus = "active" | "transitioning" | "revoked";

/** One key of a repository's trust set, as the last verified descriptor declared it. */
export interface RepositoryKey {
  /** 64 lowercase hex digits. */
  readonly fingerprint: string;
  /** Raw 32 bytes; `undefined`: never fetched, never needed (R-KEY-03). */
  readonly publicKey: Uint8Array | undefined;
  readonly status: KeyStatus;
  /** Timestamp as signed; only with status `transitioning`. */
  readonly validUntil: string | undefined;
}

/** Lowest values still accepted for one index kind (R-FRESH, R-ARC-06). */
export interface Floor {
  /** 0: none yet. */
  readonly indexVersion: number;
  /** Text as signed; `undefined`: none yet. */
  readonly generatedAt: string | undefined;
}

export interface RepositoryState {
  /** Handle. */
  readonly name: string;
  /** Name in the descriptor (R-DESC-11). */
  readonly repositoryName: string;
  /** Seconds since the epoch. */
  readonly addedAt: number;
  /** Seconds since the epoch of the last progress; `undefined`: never. */
  readonly lastRefreshAt: number | undefined;
  readonly active: Floor;
  readonly archive: Floor;
  /** Last accepted settings of its file (R-TRANS-04, A-EVENT-10). */
  readonly accepted: RepositorySettings;
  /** Ascending by fingerprint; empty in unsigned mode. */
  readonly keys: readonly RepositoryKey[];
  /** Fingerprints revoked for as long as the repository stays (R-KEY-05). */
  readonly revocations: ReadonlySet<string>;
}

/** The recorded state of a repository; `undefined`: its trust ceremony has not been passed. */
export function readRepositoryState(database: Database, name: string): RepositoryState | undefined {
  const row = database.statement("SELECT * FROM repository WHERE name = ?").get(name);
  return row === undefined ? undefined : stateOf(database, row);
}

/** Handles that have recorded state, in byte order. */
export function listRepositoryStates(database: Database): readonly string[] {
  const rows = database.statement("SELECT name FROM repository").all();
  return rows.map((row) => textOf(row, "name")).sort(compareBytes);
}

/** When the accepted indexes say they were generated, text as signed; every repository and kind. */
export function readGeneratedTimes(
  database: Database,
): readonly { readonly repository: string; readonly generatedAt: string }[] {
  return database.statement(`
    SELECT name, active_generated AS generated FROM repository WHERE active_generated IS NOT NULL
    UNION ALL SELECT name, archive_generated FROM repository WHERE archive_generated IS NOT NULL`)
    .all().map((row) => ({ repository: textOf(row, "name"), generatedAt: textOf(row, "generated") }));
}

/** What decides whose signatures count for a repository; without recorded state, no key. */
export function readTrustSet(database: Database, name: string): Pick<RepositoryState, "keys" | "revocations"> {
  return trustSetOf(keyRows(database, name), revocationRows(database, name));
}

function keyRows(database: Database, name: string): readonly Row[] {
  return database.statement("SELECT * FROM repository_key WHERE repository = ? ORDER BY fingerprint").all(name);
}

function revocationRows(database: Database, name: string): readonly Row[] {
  return database.statement("SELECT fingerprint FROM repository_revocation WHERE repository = ?").all(name);
}

function trustSetOf(keys: readonly Row[], revoked: readonly Row[]): Pick<RepositoryState, "keys" | "revocations"> {
  return {
    keys: keys.map(keyOf),
    revocations: new Set(revoked.map((item) => textOf(item, "fingerprint"))),
  };
}

function stateOf(database: Database, row: Row): RepositoryState {
  const name = textOf(row, "name");
  return repositoryStateOf(row, keyRows(database, name), revocationRows(database, name));
}

/** The state that rows of the three tables make; they may come from a backup (T-DB-10). */
export function repositoryStateOf(row: Row, keys: readonly Row[], revoked: readonly Row[]): RepositoryState {
  return {
    name: textOf(row, "name"),
    repositoryName: textOf(row, "repo_name"),
    addedAt: integerOf(row, "added_at"),
    lastRefreshAt: optionalIntegerOf(row, "last_refresh_at"),
    active: { indexVersion: integerOf(row, "active_version"), generatedAt: optionalTextOf(row, "active_generated") },
    archive: { indexVersion: integerOf(row, "archive_version"), generatedAt: optionalTextOf(row, "archive_generated") },
    accepted: parseAccepted(textOf(row, "accepted_config")),
    ...trustSetOf(keys, revoked),
  };
}

function keyOf(row: Row): RepositoryKey {
  return {
    fingerprint: textOf(row, "fingerprint"),
    publicKey: optionalBytesOf(row, "public_key"),
    status: wordOf(row, "status", ["active", "transitioning", "revoked"]),
    validUntil: optionalTextOf(row, "valid_until"),
  };
}

/** Writes the whole state of a repository, inside a write transaction. Sticky revocations are only ever added. */
export function writeRepositoryState(database: Database, state: RepositoryState, recordedAt: number): void {
  database.statement(`
    INSERT INTO repository (name, repo_name, added_at, last_refresh_at, active_version, active_generated,
      archive_version, archive_generated, accepted_config) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET repo_name = excluded.repo_name, added_at = excluded.added_at,
      last_refresh_at = excluded.last_refresh_at, active_version = excluded.active_version,
      active_generated = excluded.active_generated, archive_version = excluded.archive_version,
      archive_generated = excluded.archive_generated, accepted_config = excluded.accepted_config`)
    .run(
      state.name,
      state.repositoryName,
      state.addedAt,
      state.lastRefreshAt ?? null,
      state.active.indexVersion,
      state.active.generatedAt ?? null,
      state.archive.indexVersion,
      state.archive.generatedAt ?? null,
      renderAccepted(state.accepted),
    );
  database.statement("DELETE FROM repository_key WHERE repository = ?").run(state.name);
  const insert = database.statement(`
    INSERT INTO repository_key (repository, fingerprint, public_key, status, valid_until) VALUES (?, ?, ?, ?, ?)`);
  for (const key of state.keys) {
    insert.run(state.name, key.fingerprint, key.publicKey ?? null, key.status, key.validUntil ?? null);
  }
  addRevocations(database, state.name, state.revocations, recordedAt);
}

/**
 * Records fingerprints as revoked for good (R-KEY-05, R-REFRESH-10), inside a write transaction.
 *
 * @param recordedAt Seconds since the epoch.
 */
export function addRevocations(
  database: Database,
  name: string,
  fingerprints: Iterable<string>,
  recordedAt: number,
): void {
  const insert = database.statement(`
    INSERT INTO repository_revocation (repository, fingerprint, recorded_at) VALUES (?, ?, ?)
    ON CONFLICT (repository, fingerprint) DO NOTHING`);
  for (const fingerprint of fingerprints) insert.run(name, fingerprint, recordedAt);
}

/** Stores the accepted settings alone, inside a write transaction. */
export function writeAccepted(database: Database, name: string, accepted: RepositorySettings): void {
  database.statement("UPDATE repository SET accepted_config = ? WHERE name = ?").run(renderAccepted(accepted), name);
}

/**
 * Deletes keys, floors, revocations and catalogues of a repository, inside a write transaction (R-RM-01).
 *
 * @returns false when nothing was recorded.
 */
export function removeRepositoryState(database: Database, name: string): boolean {
  return database.statement("DELETE FROM repository WHERE name = ?").run(name) > 0;
}

function renderAccepted(accepted: RepositorySettings): string {
  return JSON.stringify(Object.fromEntries(REPOSITORY_SETTING_KEYS.map(([key, field]) => [key, accepted[field]])));
}

/** T-DB-10: what the database holds is checked like any other foreign text. */
function parseAccepted(text: string): RepositorySettings {
  const fail = () => corrupt("the accepted settings of a repository are not as written");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail();
  }
  if (typeof value !== "object" || value === null) throw fail();
  const fields = new Map<string, unknown>(Object.entries(value));
  const string = (key: string): string => {
    const found = fields.get(key);
    if (typeof found !== "string") throw fail();
    return found;
  };
  const strings = (key: string): readonly string[] => {
    const found: unknown = fields.get(key);
    const items: readonly unknown[] = Array.isArray(found) ? found : [undefined];
    const texts = items.filter((item) => typeof item === "string");
    if (texts.length !== items.length) throw fail();
    return texts;
  };
  const count = (key: string): number | undefined => {
    const found = fields.get(key);
    if (found !== undefined && !(typeof found === "number" && Number.isSafeInteger(found))) throw fail();
    return found;
  };
  return {
    baseUrl: string("base_url"),
    mirrors: strings("mirrors"),
    priority: count("priority") ?? 0,
    signaturePolicy: string("signature_policy") === "optional" ? "optional" : "required",
    trustAnchors: strings("trust_anchors"),
    allowInsecureTransport: fields.get("allow_insecure_transport") === true,
    minIndexVersion: count("min_index_version") ?? 0,
    maxTrustedAgeDays: count("max_trusted_age_days"),
    maxIndexStalenessDays: count("max_index_staleness_days"),
    allowSdOverrides: fields.get("allow_sd_overrides") === true,
    sdAllowedSids: strings("sd_allowed_sids"),
    official: fields.get("official") === true,
    enabled: fields.get("enabled") === true,
  };
}
