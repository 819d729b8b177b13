/** Every cap of the package format in one table. A value equal to a maximum is accepted (section 10). */
import { MAX_COMPONENT_BYTES, MAX_PATH_BYTES, MAX_PATH_COMPONENTS } from "../identity/safe_path.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

export const LIMITS = {
  /** F-LIM-01 */
  payloadEntries: 100_000,
  /** F-LIM-02 */
  manifestBytes: 16 * MIB,
  /** F-LIM-03 */
  filesDocumentBytes: 64 * MIB,
  /** F-LIM-04 */
  signatureBytes: 64 * KIB,
  /** F-LIM-05 */
  pathComponentBytes: MAX_COMPONENT_BYTES,
  pathBytes: MAX_PATH_BYTES,
  pathComponents: MAX_PATH_COMPONENTS,
  /** F-LIM-06: each of `dependencies`, `optional_dependencies`, `conflicts`, `provides` */
  relations: 10_000,
  /** F-LIM-07 */
  replaces: 1_000,
  /** F-LIM-08 */
  sdOverrides: 100_000,
  /** F-LIM-09: one decoded override */
  sdBytes: 65_536,
  /** F-LIM-10 */
  claimSlots: 64,
  /** F-LIM-11: checked when roles are materialised */
  claimPathsPerRole: 256,
  /** F-LIM-12 */
  jsonDepth: 64,
  /** F-PAX-02 */
  paxBodyBytes: 16 * KIB,
  /** F-ZST-04 */
  zstdWindowBytes: 128 * MIB,
  /** F-KEY-02 */
  keyFileBytes: 64 * KIB,
  /** F-LIM-21: the default of the configurable cap */
  decompressedBytes: 4 * GIB,
  /** F-LIM-21: allowance above `size_installed` */
  decompressedSlackBytes: 320 * MIB,
  /** F-LIM-20: allowance above `size_compressed`, with 1 % */
  compressedSlackBytes: 16 * MIB,
} as const;

/**
 * Compressed bytes that may be consumed for a package an index gives a size for.
 *
 * @see F-LIM-20, R-PKG-01
 */
export function compressedBound(sizeCompressedBytes: number): number {
  return sizeCompressedBytes + Math.min(Math.floor(sizeCompressedBytes / 100), LIMITS.compressedSlackBytes);
}

/**
 * Decompressed bytes that may be produced.
 *
 * @param sizesInstalled What index and manifest say, as far as known; the lowest applies.
 * @param cap The absolute cap, `LIMITS.decompressedBytes` unless raised by configuration.
 * @see F-LIM-21
 */
export function decompressedBound(sizesInstalled: readonly number[], cap: number): number {
  return Math.min(cap, ...sizesInstalled.map((size) => size + LIMITS.decompressedSlackBytes));
}
