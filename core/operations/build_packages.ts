/** Producing and examining package files: what `peipkg-build` does, as library functions. */
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import { formatPackageFileName } from "../identity/package_file_name.ts";
import { LIMITS } from "../format/limits.ts";
import type { Manifest } from "../format/manifest.ts";
import { packPackage, parseManifestDraft } from "../format/pack.ts";
import type { PackEntry } from "../format/pack.ts";
import {
  type KnownEntry,
  type PayloadEntry,
  type PayloadVisitor,
  replayPackage,
  type VerifiedPackage,
  type VerifyOptions,
  verifyPackage,
} from "../format/package_file.ts";
import { fingerprintOf, type TrustedKey } from "../format/keys.ts";
import { openOrCreateChild, openOrCreateDirectory } from "../fs/durable.ts";
import { openByteSource } from "../repository/byte_source.ts";
import type { Directory, RootDirectory, Session, WritableFile } from "../system.ts";
import type { LayoutProfile } from "./installed_set.ts";
import { readPublicKeyFile, readSigningKey } from "./key_files.ts";
import {
  createNamedDirectory,
  isNamedDirectory,
  openNamedFile,
  openNamedRoot,
  readNamedFile,
  writeNamedFile,
} from "./named_files.ts";

export interface PackRequest {
  readonly manifest: string;
  readonly staged: string;
  /** A file, or a directory in which the file gets its package file name. */
  readonly out: string;
  readonly signKey: string | undefined;
  readonly allowLooseKey: boolean;
  /** RFC 3339, `Z`; absent: the manifest's own. */
  readonly timestamp: string | undefined;
  /** zstd level. */
  readonly level: number | undefined;
  readonly layout: LayoutProfile;
}

export interface PackResult {
  /** As written. */
  readonly path: string;
  readonly manifest: Manifest;
  readonly packageHash: string;
  readonly sizeCompressedBytes: number;
  readonly files: number;
  readonly fingerprint: string | undefined;
  readonly warnings: readonly Warning[];
}

const READ_BYTES = 256 * 1024;
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

/**
 * Packs one staged tree.
 *
 * @throws {PeipkgError} `format` with every violation in `detail.more.violations`, `denied`, `io`, `exists`
 * @see C-BUILD-01, F-PRO-01 … F-PRO-16
 */
export async function packTree(session: Session, request: PackRequest): Promise<PackResult> {
  const bytes = readNamedFile(session, request.manifest, LIMITS.manifestBytes);
  const draft = parseManifestDraft(bytes, request.layout, request.timestamp);
  const { signKey } = request;
  const signingKey = signKey === undefined ? undefined : await readSigningKey(session, signKey, request.allowLooseKey);
  const fileName = formatPackageFileName(draft.name, draft.version.raw, draft.architecture);
  const path = isNamedDirectory(session, request.out) ? `${request.out.replace(/\/$/, "")}/${fileName}` : request.out;
  using tree = openNamedRoot(session, request.staged);
  const entries = readTree(tree);
  let packed: Awaited<ReturnType<typeof packPackage>> | undefined;
  await writeNamedFile(session, path, FILE_MODE, true, async (file) => {
    packed = await packPackage({
      manifest: draft,
      entries,
      layout: request.layout,
      ...(signingKey === undefined ? {} : { signingKey }),
      ...(request.level === undefined ? {} : { level: request.level }),
      write: (chunk) => file.write(chunk),
    });
  });
  if (packed === undefined) throw new PeipkgError("internal", "packing ended without a result");
  const { manifest, packageHash, sizeCompressedBytes, files, warnings } = packed;
  return { path, manifest, packageHash, sizeCompressedBytes, files, warnings, fingerprint: signingKey?.fingerprint };
}

/** Regular files and links below a staged directory; directories come as ancestors alone (F-PRO-02). */
function readTree(tree: RootDirectory): readonly PackEntry[] {
  const entries: PackEntry[] = [];
  const pending: string[] = [""];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    using directory = openBelow(tree, path);
    const { names, undecodable } = directory.list();
    if (undecodable > 0) throw packSource(path, "a name in it is not UTF-8");
    for (const name of names) {
      const child = path === "" ? name : `${path}/${name}`;
      const status = directory.status(name);
      if (status?.type === "dir") pending.push(child);
      else if (status?.type === "symlink") {
        entries.push({ type: "symlink", path: child, target: directory.readLink(name) });
      } else if (status?.type === "file") {
        entries.push({ type: "file", path: child, sizeBytes: status.sizeBytes, open: () => readContent(tree, child) });
      } else throw packSource(child, "it is neither a file, a directory nor a link");
    }
  }
  return entries;
}

function* readContent(tree: RootDirectory, path: string): Generator<Uint8Array> {
  const slash = path.lastIndexOf("/");
  using directory = openBelow(tree, slash < 0 ? "" : path.slice(0, slash));
  using file = directory.openFile(path.slice(slash + 1));
  const buffer = new Uint8Array(READ_BYTES);
  for (let offset = 0;;) {
    const read = file.readAt(buffer, offset);
    if (read === 0) return;
    yield buffer.subarray(0, read);
    offset += read;
  }
}

function openBelow(tree: RootDirectory, path: string): Directory {
  const directory = tree.openDirectory(`/${path}`);
  if (directory === undefined) throw packSource(path, "it went away while it was read");
  return directory;
}

function packSource(path: string, found: string): PeipkgError {
  return ruleError("E_PACK_SOURCE", `cannot pack "${path}": ${found}`, { path });
}

// --- Examining ---------------------------------------------------------------------------------------------------

export interface Inspection {
  readonly manifest: Manifest;
  /** Manifest bytes as text, verbatim. */
  readonly manifestText: string;
  /** The signature envelope as text, verbatim; `undefined`: unsigned. */
  readonly signatureText: string | undefined;
  readonly entries: readonly PayloadEntry[];
  readonly packageHash: string;
  readonly sizeCompressedBytes: number;
  /** `undefined`: unsigned. The signature is not checked against any key. */
  readonly fingerprint: string | undefined;
  readonly warnings: readonly Warning[];
}

/** Who may have signed, for `verify`. */
export interface SignerExpectation {
  /** Public key files. */
  readonly keys: readonly string[];
  /** Fingerprints one of which must have signed; without key files only the name is compared. */
  readonly fingerprints: readonly string[];
  readonly requireSignature: boolean;
}

export interface FileVerification {
  readonly path: string;
  readonly verified: Inspection | undefined;
  /** Whether a signature was checked against a key. */
  readonly isSignatureChecked: boolean;
  /** Everything found wrong; empty: the file is good. */
  readonly violations: readonly PeipkgError[];
}

/**
 * Checks a package file's format in full and describes it; no trust is involved.
 *
 * @throws {PeipkgError} As verifying it
 * @see C-BUILD-02, F-TRU-04
 */
export async function inspectPackage(session: Session, path: string, layout: LayoutProfile): Promise<Inspection> {
  using source = openByteSource(openNamedFile(session, path), path);
  return inspectionOf(await verifyPackage(source, examineOptions(session, layout, { kind: "local-file" }, false)));
}

/**
 * Looks for everything wrong with a package file.
 *
 * @see C-BUILD-03
 */
export async function verifyPackageFile(
  session: Session,
  path: string,
  expectation: SignerExpectation,
  layout: LayoutProfile,
): Promise<FileVerification> {
  const keys = readKeys(session, expectation);
  const isSignatureChecked = keys.length > 0;
  const trust: VerifyOptions["trust"] = isSignatureChecked
    ? { kind: "local-file", keys, requireSignature: expectation.requireSignature, now: session.system.now() }
    : { kind: "local-file", requireSignature: expectation.requireSignature };
  try {
    using source = openByteSource(openNamedFile(session, path), path);
    const verified = inspectionOf(await verifyPackage(source, examineOptions(session, layout, trust, true)));
    checkSigner(path, verified.fingerprint, expectation);
    return { path, verified, isSignatureChecked, violations: [] };
  } catch (error) {
    if (!(error instanceof PeipkgError) || error.code === "interrupted") throw error;
    const violations = error.detail.more?.violations;
    const found = Array.isArray(violations) ? violations.filter((item) => item instanceof PeipkgError) : [];
    return { path, verified: undefined, isSignatureChecked, violations: found.length > 0 ? found : [error] };
  }
}

function readKeys(session: Session, { keys }: SignerExpectation): readonly TrustedKey[] {
  return keys.map((path) => {
    const publicKey = readPublicKeyFile(session, path);
    return { fingerprint: fingerprintOf(publicKey), publicKey, status: "active" };
  });
}

function checkSigner(path: string, fingerprint: string | undefined, { fingerprints }: SignerExpectation): void {
  if (fingerprints.length === 0 || (fingerprint !== undefined && fingerprints.includes(fingerprint))) return;
  const found = fingerprint === undefined ? "it is not signed" : `it is signed by ${fingerprint}`;
  const rule = fingerprint === undefined ? "E_SIG_MISSING" : "E_SIG_KEY_UNTRUSTED";
  throw ruleError(rule, `cannot accept "${path}": ${found}, which is not an expected signer`, { path });
}

function examineOptions(
  session: Session,
  layout: LayoutProfile,
  trust: VerifyOptions["trust"],
  collectViolations: boolean,
): VerifyOptions {
  return {
    trust,
    layout,
    // Drop-in directories depend on the repository that carries the package, which is not known here.
    official: true,
    dropinRepository: "local",
    dropinDirectories: [],
    maxDecompressedBytes: LIMITS.decompressedBytes,
    signal: session.signal,
    collectViolations,
  };
}

function inspectionOf(verified: VerifiedPackage): Inspection {
  const { manifest, entries, packageHash, sizeCompressedBytes, signature, warnings } = verified;
  return {
    manifest,
    manifestText: new TextDecoder().decode(verified.manifestBytes),
    signatureText: verified.signatureBytes === undefined
      ? undefined
      : new TextDecoder().decode(verified.signatureBytes),
    entries,
    packageHash,
    sizeCompressedBytes,
    fingerprint: signature.kind === "unsigned" ? undefined : signature.fingerprint,
    warnings: warnings.filter(({ rule }) => rule !== "W_UNVERIFIED"),
  };
}

// --- Unpacking ---------------------------------------------------------------------------------------------------

/**
 * Unpacks the payload of a package file that passed every check into an empty or new directory.
 *
 * @returns Number of files, links included.
 * @throws {PeipkgError} `exists` when the directory is not empty; as verifying; `io`, `denied`
 */
export async function unpackPackage(
  session: Session,
  path: string,
  target: string,
  layout: LayoutProfile,
): Promise<number> {
  using source = openByteSource(openNamedFile(session, path), path);
  const trust = { kind: "local-file" } as const;
  const verified = await verifyPackage(source, examineOptions(session, layout, trust, false));
  createNamedDirectory(session, target, DIRECTORY_MODE);
  using tree = session.system.openRoot(target);
  using unpacker = new Unpacker(tree, target);
  await replayPackage(source, verified, unpacker, { signal: session.signal });
  return unpacker.count;
}

class Unpacker implements PayloadVisitor, Disposable {
  count = 0;
  #file: WritableFile | undefined;

  constructor(readonly tree: RootDirectory, target: string) {
    using top = openBelow(tree, "");
    if (top.list().names.length === 0) return;
    throw new PeipkgError("exists", `cannot unpack into "${target}": it is not empty`, { path: target });
  }

  entry(entry: KnownEntry): boolean {
    const slash = entry.path.lastIndexOf("/");
    using parent = openOrCreateDirectory(this.tree, `/${slash < 0 ? "" : entry.path.slice(0, slash)}`, DIRECTORY_MODE);
    const name = entry.path.slice(slash + 1);
    if (entry.type === "dir") {
      openOrCreateChild(parent, name, DIRECTORY_MODE)[Symbol.dispose]();
      return false;
    }
    this.count++;
    if (entry.type === "symlink") {
      parent.makeSymlink(name, entry.target ?? "");
      return false;
    }
    this.#file = parent.createFile(name, DIRECTORY_MODE);
    return true;
  }

  data(chunk: Uint8Array): void {
    this.#file?.write(chunk);
  }

  end(): void {
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }
}
