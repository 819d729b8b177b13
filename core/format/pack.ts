/**
 * Producing package files: the same inputs give the same archive bytes (section 15), and nothing is written that a
 * consumer would refuse.
 */
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import { compareEpochAndUpstream } from "../identity/version.ts";
import { FILES_NAME, MANIFEST_NAME, SIGNATURE_NAME } from "./archive_layout.ts";
import type { Layout } from "./destinations.ts";
import { readDocument } from "./document.ts";
import { signDigest } from "./envelope.ts";
import { type FileList, writeFileList } from "./file_list.ts";
import { createSha256, type Sha256 } from "./hash.ts";
import type { SigningKey } from "./keys.ts";
import { decompressedBound, LIMITS } from "./limits.ts";
import {
  type Manifest,
  MANIFEST_DOCUMENT,
  parseManifest,
  readManifestFields,
  warnAboutDescription,
} from "./manifest.ts";
import { writeManifest } from "./manifest_writer.ts";
import { arrangeEntries, type PlannedEntry } from "./pack_entries.ts";
import { checkReferences, collect, createPlaceCheck, SideEffectNeeds } from "./payload_check.ts";
import { CLOSING_BYTES, type NameEncoding, paddingBytes, writeHeaders } from "./tar_writer.ts";
import { ZstdEncoder } from "./zstd.ts";

/** One entry to pack. */
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

export interface PackInput {
  readonly manifest: ManifestDraft;
  /** In any order; ancestors are added (F-PRO-02). */
  readonly entries: readonly PackEntry[];
  /** Profile that places are judged by and, for `late`, names are encoded by. */
  readonly layout: Layout;
}

export interface PackOptions extends PackInput {
  /** Absent: unsigned. */
  readonly signingKey?: SigningKey;
  /** zstd level 1–22; 19 when absent. */
  readonly level?: number;
  /** Receives the compressed file in order; a chunk must not be kept. */
  write(chunk: Uint8Array): void;
}

export interface PackedPackage {
  readonly manifest: Manifest;
  /** SHA-256 of the compressed file. */
  readonly packageHash: string;
  readonly sizeCompressedBytes: number;
  /** Payload entries by kind, ancestors included. */
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly warnings: readonly Warning[];
}

const DEFAULT_LEVEL = 19;
/** Archive bytes gathered before they are compressed, so that the encoder sees the same pieces in every run. */
const WRITE_BYTES = 256 * 1024;

/**
 * Reads a manifest file for packing: `schema_version` and `size_installed` are ignored, relation arrays and overrides
 * are sorted (F-PRO-01, F-PRO-09).
 *
 * @param timestamp Build timestamp that stands in for the file's, when given.
 * @throws {PeipkgError} `format`, as a consumer would refuse the manifest
 */
export function parseManifestDraft(bytes: Uint8Array, layout: Layout, timestamp?: string): ManifestDraft {
  return readManifestFields(readDocument(bytes, MANIFEST_DOCUMENT), layout, { sort: true, timestamp });
}

/**
 * Looks for everything a consumer would refuse, without reading any content.
 *
 * @returns Violations in the order found; empty when the input can be packed.
 * @see F-PRO-03, F-PRO-16, F-MAN-09
 */
export function findPackViolations(input: PackInput): readonly PeipkgError[] {
  const violations: PeipkgError[] = [];
  const violated = (violation: PeipkgError) => void violations.push(violation);
  const planned = arrangeEntries(input.entries, violated);
  const manifest = completeManifest(input.manifest, planned);
  collect(violated, () => void parseManifest(writeManifest(manifest), input.layout));
  const { architecture, name: packageName } = manifest;
  const { layout } = input;
  // Drop-in directories depend on the repository that will carry the package, which is not known here.
  const rules = { layout, architecture, packageName, official: true, dropinRepository: "", dropinDirectories: [] };
  const checkPlace = createPlaceCheck(rules, false, violated);
  for (const entry of planned) checkPlace(entry);
  checkReferences(manifest, planned, violated);
  checkSideEffects(manifest, planned, violated);
  if (planned.length > LIMITS.payloadEntries) {
    const found = `it has ${planned.length} payload entries, limit is ${LIMITS.payloadEntries}`;
    violated(ruleError("E_LIMIT_ENTRIES", `cannot pack ${manifest.name}: ${found}`));
  }
  return violations;
}

/**
 * Packs a package file.
 *
 * @throws {PeipkgError} `format` (`E_PACK_SOURCE`, and what a consumer would refuse). When several things are wrong,
 *   `detail.more.violations` lists all of them.
 * @see F-PRO-01 … F-PRO-16
 */
export async function packPackage(options: PackOptions): Promise<PackedPackage> {
  const violations = findPackViolations(options);
  const [first] = violations;
  if (first !== undefined) {
    throw new PeipkgError(first.code, first.message, { ...first.detail, more: { violations } });
  }
  const entries = arrangeEntries(options.entries, (violation) => {
    throw violation;
  });
  const manifest = completeManifest(options.manifest, entries);
  const list = hashFiles(entries);
  const documents = { manifest: writeManifest(manifest), files: writeFileList(list) };
  const encoding: NameEncoding = options.layout === "late" ? "late" : "reference";
  using archive = new ArchiveWriter(options, manifest.build.seconds, encoding);
  await archive.document(MANIFEST_NAME, documents.manifest, LIMITS.manifestBytes);
  await archive.document(FILES_NAME, documents.files, LIMITS.filesDocumentBytes);
  let file = 0;
  for (const entry of entries) {
    await archive.entry(entry, entry.type === "file" ? list.hashes[file++] : undefined);
  }
  if (options.signingKey !== undefined) {
    const envelope = await signDigest(options.signingKey, archive.signedDigest());
    await archive.document(SIGNATURE_NAME, envelope, LIMITS.signatureBytes);
  }
  const { hash, sizeBytes } = await archive.finish(manifest.sizeInstalledBytes);
  const count = (type: PlannedEntry["type"]) => entries.filter((entry) => entry.type === type).length;
  return {
    manifest,
    packageHash: hash,
    sizeCompressedBytes: sizeBytes,
    files: count("file"),
    directories: count("dir"),
    symlinks: count("symlink"),
    warnings: packWarnings(manifest, entries, options.signingKey !== undefined),
  };
}

function completeManifest(draft: ManifestDraft, entries: readonly PlannedEntry[]): Manifest {
  const sizeInstalledBytes = entries.reduce((total, entry) => total + entry.sizeBytes, 0);
  return { ...draft, sizeInstalledBytes };
}

/** First reading of all content: the files document comes before the files (F-PRO-04). */
function hashFiles(entries: readonly PlannedEntry[]): FileList {
  const files = entries.filter((entry) => entry.type === "file");
  return {
    paths: files.map((entry) => entry.path),
    sizes: files.map((entry) => entry.sizeBytes),
    hashes: files.map((entry) => {
      const hash = createSha256();
      for (const chunk of sizedContent(entry)) hash.update(chunk);
      return hash.hex();
    }),
  };
}

/** A file's content, refused when it is not as long as announced (F-PRO-02). */
function* sizedContent(entry: PlannedEntry): Generator<Uint8Array> {
  let read = 0;
  for (const chunk of entry.open()) {
    read += chunk.length;
    if (read > entry.sizeBytes) break;
    yield chunk;
  }
  if (read !== entry.sizeBytes) throw changedWhilePacking(entry);
}

function changedWhilePacking(entry: PlannedEntry): PeipkgError {
  return ruleError("E_PACK_SOURCE", `cannot pack "${entry.path}": it changed while it was read`, { path: entry.path });
}

/** F-MAN-09 binds producers; consumers only warn. */
function checkSideEffects(
  manifest: Manifest,
  entries: readonly PlannedEntry[],
  violated: (violation: PeipkgError) => void,
): void {
  for (const { effect, text } of sideEffectNeeds(entries).differences(manifest)) {
    if (effect === "man-db") continue;
    violated(ruleError("E_SIDE_EFFECT", `cannot pack ${manifest.name}: ${text}`, { field: "side_effects" }));
  }
}

function sideEffectNeeds(entries: readonly PlannedEntry[]): SideEffectNeeds {
  const needs = new SideEffectNeeds();
  for (const entry of entries) needs.note(entry.path, entry.type);
  return needs;
}

function packWarnings(manifest: Manifest, entries: readonly PlannedEntry[], signed: boolean): readonly Warning[] {
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => void warnings.push(warning);
  warnAboutDescription(manifest.description, warn);
  sideEffectNeeds(entries).warn(manifest, warn);
  for (const { name, version } of manifest.provides) { // F-MAN-10
    if (version === undefined) continue;
    const order = compareEpochAndUpstream(version, manifest.version);
    if (order < 0 || (order === 0 && (version.revision ?? 0n) <= manifest.version.revision)) continue;
    warn({
      rule: "W_PROVIDES_INFLATED",
      text: `${name} is provided in version ${version.raw}, above the package's own`,
    });
  }
  if (!signed) warn({ rule: "W_UNSIGNED", text: `${manifest.name} is not signed` });
  return warnings;
}

/** Writes the archive's bytes into the encoder and hashes what is signed. */
class ArchiveWriter implements Disposable {
  private readonly encoder: ZstdEncoder;
  private readonly signedRange: Sha256 = createSha256();
  private readonly packageHash = createSha256();
  private readonly buffer = new Uint8Array(WRITE_BYTES);
  private fill = 0;
  private writtenBytes = 0;
  private compressedBytes = 0;
  private signed = false;

  constructor(options: PackOptions, private readonly mtime: number, private readonly encoding: NameEncoding) {
    this.encoder = new ZstdEncoder(options.level ?? DEFAULT_LEVEL, (bytes) => {
      this.packageHash.update(bytes);
      this.compressedBytes += bytes.length;
      options.write(bytes);
    });
  }

  async document(name: string, bytes: Uint8Array, limit: number): Promise<void> {
    if (bytes.length > limit) {
      throw ruleError("E_LIMIT_METADATA", `cannot pack: "${name}" has ${bytes.length} bytes, limit is ${limit}`);
    }
    await this.put(writeHeaders({ type: "file", wireName: name, sizeBytes: bytes.length }, this.mtime, this.encoding));
    await this.put(bytes);
    await this.put(new Uint8Array(paddingBytes(bytes.length)));
  }

  /** Writes a payload entry; the second reading of a file must give what the first one hashed. */
  async entry(entry: PlannedEntry, expectedHash: string | undefined): Promise<void> {
    await this.put(writeHeaders(entry, this.mtime, this.encoding));
    if (entry.type !== "file") return;
    const hash = createSha256();
    for (const chunk of sizedContent(entry)) {
      hash.update(chunk);
      await this.put(chunk);
    }
    if (hash.hex() !== expectedHash) throw changedWhilePacking(entry);
    await this.put(new Uint8Array(paddingBytes(entry.sizeBytes)));
  }

  /** Digest of everything written so far; the signature entry follows (F-PRO-10). */
  signedDigest(): Uint8Array {
    this.signed = true;
    return this.signedRange.digest();
  }

  async finish(sizeInstalledBytes: number): Promise<{ readonly hash: string; readonly sizeBytes: number }> {
    await this.put(new Uint8Array(CLOSING_BYTES));
    const bound = decompressedBound([sizeInstalledBytes], LIMITS.decompressedBytes);
    if (this.writtenBytes > bound) {
      throw ruleError(
        "E_LIMIT_DECOMPRESSED",
        `cannot pack: the archive has ${this.writtenBytes} bytes, limit is ${bound}`,
      );
    }
    await this.flush();
    await this.encoder.finish();
    return { hash: this.packageHash.hex(), sizeBytes: this.compressedBytes };
  }

  [Symbol.dispose](): void {
    this.encoder[Symbol.dispose]();
  }

  private async put(bytes: Uint8Array): Promise<void> {
    if (!this.signed) this.signedRange.update(bytes);
    this.writtenBytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const taken = Math.min(WRITE_BYTES - this.fill, bytes.length - at);
      this.buffer.set(bytes.subarray(at, at + taken), this.fill);
      this.fill += taken;
      at += taken;
      if (this.fill === WRITE_BYTES) await this.flush();
    }
  }

  private async flush(): Promise<void> {
    if (this.fill > 0) await this.encoder.push(this.buffer.subarray(0, this.fill));
    this.fill = 0;
  }
}
