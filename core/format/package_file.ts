/**
 * Whole-file verification of a package in one streaming pass, and the second pass that hands its verified content to
 * staging. Nothing reaches a caller before every check of section 14 has passed; nothing is ever written.
 */
import type { Warning } from "../errors.ts";
import type { Architecture } from "../identity/architecture.ts";
import type { SafePath } from "../identity/safe_path.ts";
import type { Layout } from "./destinations.ts";
import type { TrustedKey } from "./keys.ts";
import type { Manifest } from "./manifest.ts";

declare const brand: unique symbol;

/** The bytes of a package file. Each call of `chunks()` begins a new pass at byte 0. */
export interface ByteSource {
  /** Name for messages. */
  readonly label: string;
  readonly sizeBytes: number;
  /** A chunk may be reused by the source once the next one is requested. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** One payload entry, in archive order. */
export interface PayloadEntry {
  readonly path: SafePath;
  readonly type: "file" | "dir" | "symlink";
  /** Content bytes; 0 for directories and symlinks. */
  readonly sizeBytes: number;
  /** SHA-256 of a file's content, 64 lowercase hex digits. */
  readonly hash?: string;
  /** Target of a symlink. */
  readonly target?: string;
}

/** Who may have signed a package (F-TRU-01 … F-TRU-04). */
export type PackageTrust =
  | {
    readonly kind: "repository";
    readonly repository: string;
    readonly policy: "required" | "optional";
    readonly keys: readonly TrustedKey[];
    /** Milliseconds since the epoch. */
    readonly now: number;
  }
  /** A repository that signs nothing and is configured so. */
  | { readonly kind: "unsigned-repository"; readonly repository: string }
  | {
    readonly kind: "local-file";
    readonly keys?: readonly TrustedKey[];
    readonly requireSignature?: boolean;
    readonly now?: number;
  };

export interface VerifyOptions {
  readonly trust: PackageTrust;
  /** What the index or the plan says about the package (F-VFY-01, F-VFY-09). */
  readonly expected?: {
    readonly name: string;
    /** Raw version text. */
    readonly version: string;
    readonly architecture: string;
    readonly hash?: string;
    readonly sizeCompressedBytes?: number;
    readonly sizeInstalledBytes?: number;
  };
  /** The system's primary architecture; absent: installability is not judged. */
  readonly systemArchitecture?: Architecture;
  readonly layout: Layout;
  /** Whether the package comes from the official repository (F-DROP-02). */
  readonly official: boolean;
  /** Repository handle, or `local`. */
  readonly dropinRepository: string;
  /** Absolute paths added by configuration (F-DROP-01). */
  readonly dropinDirectories: readonly string[];
  /** F-LIM-21; `LIMITS.decompressedBytes` unless raised. */
  readonly maxDecompressedBytes: number;
  readonly signal?: AbortSignal;
  /** Called with the compressed bytes consumed so far. */
  readonly onBytes?: (compressedBytes: number) => void;
  /** Gather every violation that can be found; the error thrown carries them in `detail.more.violations`. */
  readonly collectViolations?: boolean;
}

/** A package file every check of which has passed; the authority for the rest of a transaction (T-VERIFY-04). */
export interface VerifiedPackage {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  /** In archive order. */
  readonly entries: readonly PayloadEntry[];
  /** SHA-256 of the compressed file. */
  readonly packageHash: string;
  readonly sizeCompressedBytes: number;
  readonly signature:
    | { readonly kind: "verified"; readonly fingerprint: string }
    | { readonly kind: "unsigned" }
    | { readonly kind: "unverified"; readonly fingerprint?: string };
  readonly warnings: readonly Warning[];
  /** Build timestamp, seconds since the epoch. */
  readonly modifiedSeconds: number;
  /** Where it came from, for the error of a changed file. */
  readonly origin: PackageTrust["kind"];
  readonly maxDecompressedBytes: number;
  readonly [brand]: "VerifiedPackage";
}

/** Receives the payload of the second pass. Synchronous; must not keep chunks. */
export interface PayloadVisitor {
  /** @returns false when the content is not wanted; it is checked all the same. */
  entry(entry: PayloadEntry): boolean;
  data(chunk: Uint8Array): void;
  /** Called after the content of a file whose `entry()` gave true, once its hash has been compared. */
  end(): void;
}

/**
 * Verifies a package file completely.
 *
 * @throws {PeipkgError} the codes of sections 1–14
 * @see F-VFY-01 … F-VFY-14, T-VERIFY-01 … T-VERIFY-03
 */
export declare function verifyPackage(source: ByteSource, options: VerifyOptions): Promise<VerifiedPackage>;

/**
 * Reads a verified package again and hands its payload to a visitor.
 *
 * @throws {PeipkgError} `hash` (`PKG_CHANGED`; local file: `E_LOCAL_CHANGED`) at any difference from the first pass
 * @see T-VERIFY-05, T-VERIFY-06
 */
export declare function replayPackage(
  source: ByteSource,
  verified: VerifiedPackage,
  visitor: PayloadVisitor,
  options?: { readonly signal?: AbortSignal },
): Promise<void>;
