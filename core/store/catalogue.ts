/**
 * The parsed catalogue of each repository: rows derived from a verified index, replaced as a whole, looked up by
 * name on demand. The only SQL for the tables `catalogue`, `catalogue_package` and `catalogue_relation`.
 */
import type { Database } from "./database.ts";

export type CatalogueKind = "active" | "archive";

/** One cached index. */
export interface CatalogueHeader {
  readonly id: number;
  /** Handle. */
  readonly repository: string;
  readonly kind: CatalogueKind;
  /** SHA-256 of the exact bytes verified and parsed. */
  readonly digest: string;
  /** Fingerprint; `undefined` in unsigned mode. */
  readonly signer: string | undefined;
  readonly indexVersion: number;
  /** Text as signed. */
  readonly generatedAt: string;
}

/** One package entry as stored and as planning reads it; strings are validated again by their readers (T-DB-10). */
export interface CataloguePackage {
  readonly repository: string;
  readonly kind: CatalogueKind;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly description: string;
  readonly sizeCompressedBytes: number;
  readonly sizeInstalledBytes: number;
  /** SHA-256 of the package file, hex. */
  readonly hash: string;
  /** URL reference as in the index. */
  readonly url: string;
  /** The other known fields as canonical JSON; `readEntryDetails()` of `core/repository/index.ts` parses it. */
  readonly entry: string;
}
