/**
 * Plan entries → verified packages with their bytes at hand.
 */
import type { Session } from "../system.ts";
import type { Warning } from "../errors.ts";
import type { ByteSource, VerifiedPackage } from "../format/package_file.ts";
import type { PackageName } from "../identity/package_name.ts";
import type { Version } from "../identity/version.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { RepositoryContext } from "./context.ts";

/** Where the file of a planned package is. */
export type AcquireSource =
  | {
    readonly kind: "repository";
    /** Handle. */
    readonly repository: string;
    /** URL reference as in the index. */
    readonly url: string;
    /** SHA-256 of the file as the index has it, hex. */
    readonly hash: string;
    readonly sizeCompressedBytes: number;
    readonly sizeInstalledBytes: number;
    /** Which index supplied the entry; the archive's rows are only there after an archive fetch. */
    readonly index: "active" | "archive";
  }
  | { readonly kind: "local-file"; readonly path: string; readonly hash: string | undefined };

/** One package of a plan to be downloaded and verified. */
export interface AcquireRequest {
  readonly name: PackageName;
  readonly version: Version;
  readonly architecture: Architecture;
  readonly source: AcquireSource;
}

/** A package whose file passed every check; dispose it when staging has read it again. */
export interface AcquiredPackage extends Disposable {
  readonly verified: VerifiedPackage;
  /** The compressed file, its descriptor still open (T-VERIFY-05). */
  readonly source: ByteSource & Disposable;
  /** Handle; `undefined` for a local file. */
  readonly repository: string | undefined;
  readonly official: boolean;
  readonly warnings: readonly Warning[];
}
