/**
 * Whole-file verification of a package in one streaming pass. Nothing reaches a caller before every check of section
 * 14 has passed, and nothing is ever written (F-VFY-11, T-VERIFY-03). A second pass hands the verified content to
 * staging and compares everything again (T-VERIFY-05).
 */
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import { type Architecture, isInstallableOn } from "../identity/architecture.ts";
import { PACKAGE_FILE_SUFFIX, parsePackageFileName } from "../identity/package_file_name.ts";
import type { SafePath } from "../identity/safe_path.ts";
import { SIGNATURE_NAME } from "./archive_layout.ts";
import type { Layout } from "./destinations.ts";
import { parseEnvelope } from "./envelope.ts";
import { createSha256 } from "./hash.ts";
import { type TrustedKey, verifyWithTrustedKeys } from "./keys.ts";
import { compressedBound, decompressedBound } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import { type KeepContent, PackageWalk } from "./package_walk.ts";
import { changed, Replay, rethrowReplay } from "./replay.ts";
import { TarReader } from "./tar.ts";
import { ZstdDecoder } from "./zstd.ts";
import type { Summed, ThreadTurn, ZstdThread } from "./zstd_thread.ts";

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
  /** Files whose verified content is wanted without a second reading (T-VERIFY-05). */
  readonly keep?: KeepContent;
  /** Decodes in another thread, if the package is worth it. */
  readonly thread?: ZstdThread;
  /** Gather every violation that can be found; the error thrown carries them in `detail.more.violations`. */
  readonly collectViolations?: boolean;
}

/** A package file every check of which has passed; the authority for the rest of a transaction (T-VERIFY-04). */
export interface VerifiedPackage {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  /** The signature document as it is; `undefined`: unsigned. */
  readonly signatureBytes: Uint8Array | undefined;
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

/** An entry as the second pass compares it. */
export type KnownEntry = Omit<PayloadEntry, "path"> & { readonly path: string };

/** A verified package whose entries may be kept in another form. */
export type KnownPackage = Omit<VerifiedPackage, "entries"> & {
  readonly entries: { at(index: number): KnownEntry | undefined };
};

/** Receives the payload of the second pass. Synchronous; must not keep chunks. */
export interface PayloadVisitor {
  /** @returns false when the content is not wanted; it is checked all the same. */
  entry(entry: KnownEntry): boolean;
  data(chunk: Uint8Array): void;
  /** Called after the content of a file whose `entry()` gave true, once its hash has been compared. */
  end(): void;
}

/** What the index or the plan says, or nothing for a local file. */
type Expected = VerifyOptions["expected"];

/**
 * Verifies a package file completely.
 *
 * @throws {PeipkgError} `hash` (`E_PKG_HASH`, `E_FILE_HASH`), `signature` (`E_SIG_…`, `E_KEY_…`), `transport`
 *   (`E_LIMIT_COMPRESSED`), `unresolvable` (`E_ARCH_MISMATCH`), `format` (every other rule of sections 1–12). The
 *   reason of `options.signal`, when it is aborted.
 * @see F-VFY-01 … F-VFY-14, T-VERIFY-01 … T-VERIFY-03
 */
export async function verifyPackage(source: ByteSource, options: VerifyOptions): Promise<VerifiedPackage> {
  using turn = await turnFor(source, options.thread, "signed-range");
  const walk = new PackageWalk({
    places: options,
    identify: (manifest) => checkIdentity(manifest, options),
    gather: options.collectViolations === true,
    keep: options.keep,
    sumsSignedRange: turn === undefined,
  });
  const { hash, sizeBytes, failure } = await readOnce(source, options, walk, turn);
  checkPackageHash(hash, options.expected); // F-VFY-13: outranks everything else
  if (failure !== undefined) throw withViolations(failure.cause, walk, options);
  const signature = await judgeSignature(walk, options).catch((cause) => {
    throw withViolations(cause, walk, options);
  });
  const [violation] = walk.violations;
  if (violation !== undefined) throw withViolations(violation, walk, options);
  const { manifest } = walk;
  if (manifest === undefined) throw ruleError("E_ENTRY_MISSING", "cannot accept package: it has no manifest");
  warnAboutFileName(source, manifest, options, walk);
  return seal({
    manifest,
    manifestBytes: walk.manifestBytes,
    signatureBytes: walk.signatureBytes,
    entries: walk.entries,
    packageHash: hash,
    sizeCompressedBytes: sizeBytes,
    signature,
    warnings: walk.warnings,
    modifiedSeconds: manifest.build.seconds,
    origin: options.trust.kind,
    maxDecompressedBytes: options.maxDecompressedBytes,
  });
}

/**
 * Reads a verified package again and hands its payload to a visitor. A file's content reaches the visitor before its
 * hash is known: the visitor may stage it unseen, and must discard it when this throws.
 *
 * @throws {PeipkgError} `hash` (`PKG_CHANGED`; local file: `E_LOCAL_CHANGED`) at any difference from the first pass.
 *   What the visitor throws. The reason of `options.signal`, when it is aborted.
 * @see T-VERIFY-05, T-VERIFY-06, S-LOCAL-04
 */
export async function replayPackage(
  source: ByteSource,
  verified: KnownPackage,
  visitor: PayloadVisitor,
  options: { readonly signal?: AbortSignal; readonly thread?: ZstdThread | undefined } = {},
): Promise<void> {
  using turn = await turnFor(source, options.thread, "content");
  const replay = new Replay(verified, visitor, turn);
  const fail = (cause: unknown): never => {
    options.signal?.throwIfAborted();
    return rethrowReplay(verified, cause);
  };
  const bound = decompressedBound([verified.manifest.sizeInstalledBytes], verified.maxDecompressedBytes); // T-VERIFY-06
  const tar = new TarReader(replay, SIGNATURE_NAME);
  const hash = createSha256();
  using decoder = new ZstdDecoder({ output: (bytes) => tar.push(bytes), bound: () => bound, codec: turn });
  let sizeBytes = 0;
  for await (const chunk of source.chunks()) {
    options.signal?.throwIfAborted();
    sizeBytes += chunk.length;
    if (sizeBytes > verified.sizeCompressedBytes) throw changed(verified, "it has grown");
    hash.update(chunk);
    await decoder.push(chunk).catch(fail);
  }
  options.signal?.throwIfAborted();
  await decoder.finish().catch(fail);
  if (hash.hex() !== verified.packageHash) throw changed(verified, "its SHA-256 differs");
}

/** Only this file can make a verified package. */
function seal(fields: Omit<VerifiedPackage, typeof brand>): VerifiedPackage {
  return fields as VerifiedPackage;
}

interface PassResult {
  readonly hash: string;
  readonly sizeBytes: number;
  /** SHA-256 of the signed range is in the walk; what ended it early, if anything. */
  readonly failure: { readonly cause: unknown } | undefined;
}

/** Feeds the compressed hash and the decoder from one reading (F-VFY-12). */
async function readOnce(
  source: ByteSource,
  options: VerifyOptions,
  walk: PackageWalk,
  turn: ThreadTurn | undefined,
): Promise<PassResult> {
  const { expected, signal } = options;
  const hash = createSha256();
  const tar = new TarReader(walk, SIGNATURE_NAME);
  using decoder = new ZstdDecoder({
    output: (bytes) => tar.push(bytes),
    bound: () => currentBound(walk, options),
    codec: turn,
  });
  const limit = expected?.sizeCompressedBytes === undefined ? Infinity : compressedBound(expected.sizeCompressedBytes);
  let sizeBytes = 0;
  let failure: { readonly cause: unknown } | undefined;
  const attempt = async (step: () => Promise<void>) => {
    if (failure !== undefined) return;
    try {
      await step();
    } catch (cause) {
      failure = { cause };
    }
  };
  for await (const chunk of source.chunks()) {
    signal?.throwIfAborted();
    sizeBytes += chunk.length;
    if (sizeBytes > limit) { // F-LIM-20
      throw ruleError("E_LIMIT_COMPRESSED", `cannot read "${source.label}": it has more than ${limit} bytes`);
    }
    hash.update(chunk);
    await attempt(() => decoder.push(chunk));
    // A wrong hash is a better answer than the damage it causes, but only an index tells which hash is right.
    if (failure !== undefined && expected?.hash === undefined) break;
    options.onBytes?.(sizeBytes);
  }
  signal?.throwIfAborted();
  await attempt(async () => {
    await decoder.finish();
    tar.finish();
    walk.finish();
    if (turn !== undefined) walk.signedDigest = await turn.sum();
  });
  signal?.throwIfAborted(); // decoding failed for that, not for the file
  return { hash: hash.hex(), sizeBytes, failure };
}

/** Below this, handing pieces to and fro takes longer than decoding them. */
const THREAD_BYTES = 256 * 1024;

async function turnFor(
  source: ByteSource,
  thread: ZstdThread | undefined,
  summed: Summed,
): Promise<ThreadTurn | undefined> {
  return source.sizeBytes < THREAD_BYTES ? undefined : await thread?.turn(summed);
}

/** F-LIM-21: whatever is known so far, the lowest applies. */
function currentBound(walk: PackageWalk, options: VerifyOptions): number {
  const sizes = [options.expected?.sizeInstalledBytes, walk.manifest?.sizeInstalledBytes];
  return decompressedBound(sizes.filter((size) => size !== undefined), options.maxDecompressedBytes);
}

/** F-VFY-01 */
function checkPackageHash(hash: string, expected: Expected): void {
  if (expected?.hash === undefined || expected.hash === hash) return;
  throw ruleError(
    "E_PKG_HASH",
    `cannot accept ${expected.name} ${expected.version}: its file has SHA-256 ${hash}, the index says ${expected.hash}`,
    { package: expected.name },
  );
}

/** F-VFY-09 */
function checkIdentity(manifest: Manifest, options: VerifyOptions): void {
  const { expected, systemArchitecture } = options;
  if (expected !== undefined) {
    const found = `${manifest.name} ${manifest.version.raw} ${manifest.architecture}`;
    const wanted = `${expected.name} ${expected.version} ${expected.architecture}`;
    if (found !== wanted) {
      const message = `cannot accept package: its manifest is that of ${found}, expected ${wanted}`;
      throw ruleError("E_IDENTITY_MISMATCH", message, { package: expected.name });
    }
  }
  if (systemArchitecture !== undefined && !isInstallableOn(manifest.architecture, systemArchitecture)) { // F-ARCH-04
    throw ruleError(
      "E_ARCH_MISMATCH",
      `cannot install ${manifest.name}: it is for ${manifest.architecture}, this system is ${systemArchitecture}`,
      { package: manifest.name },
    );
  }
}

/** F-VFY-03 … F-VFY-06, F-SIG-08, F-TRU-04 */
async function judgeSignature(walk: PackageWalk, options: VerifyOptions): Promise<VerifiedPackage["signature"]> {
  const { trust } = options;
  const name = walk.manifest?.name ?? "package";
  if (walk.signatureBytes === undefined) {
    const required = trust.kind === "repository" ? trust.policy === "required" : trust.kind === "local-file" &&
      trust.requireSignature === true;
    if (required) throw ruleError("E_SIG_MISSING", `cannot trust ${name}: it is not signed`, { package: name });
    if (trust.kind === "repository") {
      walk.warnings.push({
        rule: "W_UNSIGNED",
        text: `${name} is not signed; repository ${trust.repository} allows it`,
      });
    } else if (trust.kind === "local-file") {
      walk.warnings.push({ rule: "W_UNVERIFIED", text: `${name} comes from a local file and is not signed` });
    }
    return { kind: "unsigned" };
  }
  if (trust.kind === "unsigned-repository") return { kind: "unverified" }; // R-POL-03: none is examined
  const envelope = parseEnvelope(walk.signatureBytes, (warning) => void walk.warnings.push(warning));
  const { fingerprint } = envelope;
  if (trust.keys === undefined) { // F-TRU-04
    const text = `${name} comes from a local file; its signature by ${fingerprint} was not checked`;
    walk.warnings.push({ rule: "W_UNVERIFIED", text });
    return { kind: "unverified", fingerprint };
  }
  await verifyWithTrustedKeys(envelope, walk.signedDigest, trust.keys, trust.now ?? 0, name);
  return { kind: "verified", fingerprint };
}

/** F-FILE-03: a local file's name is compared, never believed. */
function warnAboutFileName(source: ByteSource, manifest: Manifest, options: VerifyOptions, walk: PackageWalk): void {
  const fileName = source.label.slice(source.label.lastIndexOf("/") + 1);
  if (options.expected !== undefined || !fileName.endsWith(PACKAGE_FILE_SUFFIX)) return;
  const actual = `${manifest.name} ${manifest.version.raw} ${manifest.architecture}`;
  if (identityInName(fileName) === actual) return;
  walk.warnings.push({ rule: "W_FILENAME", text: `file "${fileName}" holds ${actual}` });
}

function identityInName(fileName: string): string | undefined {
  try {
    const { name, version, architecture } = parsePackageFileName(fileName);
    return `${name} ${version.raw} ${architecture}`;
  } catch {
    return undefined;
  }
}

/** Gives an error the list of everything found, when all violations were asked for. */
function withViolations(cause: unknown, walk: PackageWalk, options: VerifyOptions): unknown {
  if (options.collectViolations !== true || !(cause instanceof PeipkgError)) return cause;
  const violations = [cause, ...walk.violations.filter((violation) => violation !== cause)];
  return new PeipkgError(cause.code, cause.message, { ...cause.detail, more: { ...cause.detail.more, violations } });
}
