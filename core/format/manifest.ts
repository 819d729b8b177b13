/** The manifest: a package's signed metadata (section 9). */
import type { Architecture } from "../identity/architecture.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { RootReference } from "../identity/root_reference.ts";
import type { SafePath } from "../identity/safe_path.ts";
import type { Version } from "../identity/version.ts";
import type { Warning } from "../errors.ts";
import type { Layout } from "./destinations.ts";
import type { Relations } from "./relations.ts";

/** The closed set of F-MAN-08. */
export const SIDE_EFFECTS = ["ldconfig", "depmod", "man-db"] as const;
export type SideEffect = (typeof SIDE_EFFECTS)[number];

/** An explicit security descriptor for one payload entry (section 9.2). */
export interface SdOverride {
  readonly path: SafePath;
  /** Self-relative descriptor; syntax already checked (F-SDO-04). */
  readonly descriptor: Uint8Array;
}

export interface Build {
  /** As written, `2026-01-02T03:04:05Z`. */
  readonly timestamp: string;
  /** The same in seconds since the epoch; modification time of every entry. */
  readonly seconds: number;
  readonly farmId: string;
  readonly sourceRef: string;
  /** Empty when absent. */
  readonly sourcePackage: string;
}

export interface Manifest extends Relations {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  readonly description: string;
  readonly license: string;
  readonly homepage: string;
  readonly defaultRoot: RootReference | undefined;
  readonly sideEffects: readonly SideEffect[];
  readonly sizeInstalledBytes: number;
  readonly sdOverrides: readonly SdOverride[];
  readonly build: Build;
  /** Late profile only, else false (F-LATE-02). */
  readonly specialSystemPackage: boolean;
  /** Late profile only, else empty (F-LATE-07). */
  readonly alternateUpgrade: string;
}

/**
 * Parses a manifest from its exact bytes.
 *
 * @param layout Profile: which claim paths and late fields count.
 * @param warn Receives `W_JSON_NEWLINE`, `W_DESCRIPTION_LENGTH`.
 * @see F-JSON-01 … F-JSON-13, F-MAN-01 … F-MAN-08, F-CLM-01 … F-CLM-07, F-SDO-02 … F-SDO-04
 */
export declare function parseManifest(bytes: Uint8Array, layout: Layout, warn?: (warning: Warning) => void): Manifest;

/** Writes a manifest in canonical form (F-PRO-06 … F-PRO-08). */
export declare function writeManifest(manifest: Manifest): Uint8Array<ArrayBuffer>;
