/**
 * What was recorded about each repository: its trust set, its freshness floors, the revocations that stick, and the
 * configuration last accepted. The only SQL for the tables `repository`, `repository_key` and
 * `repository_revocation`. A row exists for each trust ceremony passed; settings live in `.repo` files.
 */
import type { Database } from "./database.ts";

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

/** Last accepted settings of a `.repo` file (R-TRANS-04, A-EVENT-10). */
export interface AcceptedConfiguration {
  readonly baseUrl: string;
  readonly mirrors: readonly string[];
  readonly priority: number;
  readonly signaturePolicy: "required" | "optional";
  readonly trustAnchors: readonly string[];
  readonly allowInsecureTransport: boolean;
  readonly minIndexVersion: number;
  readonly maxTrustedAgeDays: number | undefined;
  readonly maxIndexStalenessDays: number | undefined;
  readonly allowSdOverrides: boolean;
  readonly sdAllowedSids: readonly string[];
  readonly official: boolean;
  readonly enabled: boolean;
}

export interface RepositoryState {
  /** Handle. */
  readonly name: string;
  /** Name in the descriptor (R-DESC-11). */
  readonly repositoryName: string;
  /** Milliseconds since the epoch. */
  readonly addedAt: number;
  /** Milliseconds since the epoch of the last progress; `undefined`: never. */
  readonly lastRefreshAt: number | undefined;
  readonly active: Floor;
  readonly archive: Floor;
  readonly accepted: AcceptedConfiguration;
  /** Ascending by fingerprint; empty in unsigned mode. */
  readonly keys: readonly RepositoryKey[];
  /** Fingerprints revoked for as long as the repository stays (R-KEY-05). */
  readonly revocations: ReadonlySet<string>;
}
