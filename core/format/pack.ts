/** Producing package files: the same inputs give the same bytes (section 15). */
import type { Warning } from "../errors.ts";
import type { Layout } from "./destinations.ts";
import type { SigningKey } from "./keys.ts";
import type { Manifest } from "./manifest.ts";

/** One entry to pack; ancestors are added by the packer (F-PRO-02). */
export type PackEntry =
  | {
    readonly type: "file";
    readonly path: string;
    readonly sizeBytes: number;
    /** Content from its start; called twice, and both readings must be equal. */
    open(): Iterable<Uint8Array>;
  }
  | { readonly type: "dir"; readonly path: string }
  | { readonly type: "symlink"; readonly path: string; readonly target: string };

/** A manifest before packing: `size_installed` is computed (F-PRO-01). */
export type ManifestDraft = Omit<Manifest, "sizeInstalledBytes">;

export interface PackOptions {
  readonly manifest: ManifestDraft;
  readonly entries: readonly PackEntry[];
  readonly layout: Layout;
  /** Absent: unsigned. */
  readonly signingKey?: SigningKey;
  /** zstd level 1–22. */
  readonly level?: number;
  /** Receives the compressed file in order; a chunk must not be kept. */
  write(chunk: Uint8Array): void;
}

export interface PackedPackage {
  readonly manifest: Manifest;
  readonly packageHash: string;
  readonly sizeCompressedBytes: number;
  /** Payload entries, ancestors included. */
  readonly entryCount: number;
  readonly warnings: readonly Warning[];
}

/**
 * Reads a manifest file for packing: `schema_version` and `size_installed` may be absent and are ignored.
 *
 * @param timestamp Build timestamp that replaces the file's, when given.
 */
export declare function parseManifestDraft(bytes: Uint8Array, layout: Layout, timestamp?: string): ManifestDraft;

/** Everything wrong with the input, in the order found; empty when it can be packed (F-PRO-16). */
export declare function findPackViolations(options: Omit<PackOptions, "write">): readonly Error[];

/**
 * Packs a package file.
 *
 * @throws {PeipkgError} `E_PACK_SOURCE`, and whatever a consumer would refuse (F-PRO-16)
 * @see F-PRO-01 … F-PRO-16
 */
export declare function packPackage(options: PackOptions): Promise<PackedPackage>;
