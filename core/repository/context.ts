/**
 * What the repository room is given: the session, the settings, and the directories it keeps its files in.
 * Everything it writes lies below `CACHE`; the database and the configuration are its caller's to open.
 */
import type { Directory, Session } from "../system.ts";
import type { RateLimit } from "./rate_limit.ts";
import type { Settings } from "../config/settings.ts";

/** Directories below `CACHE` (T-DB-06): `metadata` is public, the others are private to the owner. */
export type CacheArea = "metadata" | "packages" | "advisories";

export interface RepositoryContext {
  readonly session: Session;
  readonly settings: Settings;
  /** Operation start, milliseconds since the epoch. */
  readonly startedAt: number;
  /** Extra certificate authorities (content of `ca_file`), PEM. */
  readonly certificates: string | undefined;
  /** Shared by all transfers of the operation. */
  readonly rate: RateLimit;
  /**
   * Opens a directory below `CACHE`; the caller disposes it.
   *
   * @param create Makes missing directories with the modes of T-DB-06.
   * @returns `undefined` when it does not exist and `create` is false.
   */
  openCache(area: CacheArea, create: boolean): Directory | undefined;
}
