/**
 * The order of entries in a package archive (section 7): manifest, files document, other metadata, payload, signature;
 * each group strictly ascending, nothing twice, nothing below a file or link.
 */
import { excerpt, type PeipkgError, ruleError } from "../errors.ts";
import { compareBytes, parseSafePath, pathError, type SafePath } from "../identity/safe_path.ts";
import { LIMITS } from "./limits.ts";
import type { TarEntry } from "./tar.ts";

export const MANIFEST_NAME = ".peipkg/manifest.json";
export const FILES_NAME = ".peipkg/files.json";
export const SIGNATURE_NAME = ".peipkg/signature";
const METADATA_PREFIX = ".peipkg/";

/** What an entry is to the package. */
export type EntryRole =
  | { readonly kind: "manifest" | "files" | "signature" | "other-metadata" }
  | { readonly kind: "payload"; readonly path: SafePath };

const MANIFEST: EntryRole = { kind: "manifest" };
const FILES: EntryRole = { kind: "files" };
const SIGNATURE: EntryRole = { kind: "signature" };
const OTHER_METADATA: EntryRole = { kind: "other-metadata" };

type Stage = "manifest" | "files" | "other-metadata" | "payload" | "signature";

/** Follows the entries of one archive. */
export class ArchiveLayout {
  private stage: Stage = "manifest";
  /** Wire name of the previous entry of the current group. */
  private previous: string | undefined;
  private payloadEntries = 0;
  /**
   * Files and links whose name begins the current wire name. Names ascend, so those that share a beginning stand
   * together, and this stack finds every entry below a file without remembering all files.
   */
  private readonly open: string[] = [];

  /**
   * Says what the next entry is.
   *
   * @throws {PeipkgError} `format` (`E_ENTRY_…`, `E_PATH_…`, `E_TAR_TYPE`, `E_LIMIT_ENTRIES`, `E_LIMIT_METADATA`),
   *   `signature` (`E_SIG_NOT_LAST`)
   * @see F-LAY-01 … F-LAY-10, F-PATH-01 … F-PATH-11, F-LIM-01 … F-LIM-04
   */
  next(entry: TarEntry): EntryRole {
    const name = entry.wireName;
    switch (this.stage) {
      case "manifest":
        this.expect(entry, MANIFEST_NAME, LIMITS.manifestBytes);
        this.stage = "files";
        return MANIFEST;
      case "files":
        this.expect(entry, FILES_NAME, LIMITS.filesDocumentBytes);
        this.stage = "other-metadata";
        return FILES;
      case "signature":
        throw ruleError("E_SIG_NOT_LAST", `cannot accept package: entry "${excerpt(name)}" follows the signature`);
      default:
        if (!name.startsWith(METADATA_PREFIX)) return this.nextPayload(entry);
        return name === SIGNATURE_NAME ? this.nextSignature(entry) : this.nextMetadata(entry);
    }
  }

  /** `E_ENTRY_MISSING` when the archive ended before its documents (F-LAY-01). */
  finish(): void {
    if (this.stage === "manifest") throw missing(MANIFEST_NAME);
    if (this.stage === "files") throw missing(FILES_NAME);
  }

  private expect(entry: TarEntry, name: string, limit: number): void {
    if (entry.wireName !== name) {
      if (name === FILES_NAME && entry.wireName === MANIFEST_NAME) throw repeated(entry.wireName);
      throw entry.wireName === FILES_NAME ? misplaced(entry.wireName) : missing(name);
    }
    requireFile(entry);
    requireSize(entry, limit);
  }

  private nextSignature(entry: TarEntry): EntryRole {
    requireFile(entry);
    requireSize(entry, LIMITS.signatureBytes);
    this.stage = "signature";
    return SIGNATURE;
  }

  /** F-LAY-05: unknown metadata is ignored, yet it must be well-formed and in its place. */
  private nextMetadata(entry: TarEntry): EntryRole {
    if (entry.path === ".peipkg") throw pathError(entry.path, "E_PATH_RESERVED"); // F-LAY-06
    const path = parseSafePath(entry.path, { allowReserved: true });
    if (entry.type === "symlink") requireFile(entry);
    if (path === MANIFEST_NAME || path === FILES_NAME || path === SIGNATURE_NAME) throw repeated(path);
    if (this.stage === "payload") throw misplaced(entry.wireName);
    this.ascend(entry.wireName);
    return OTHER_METADATA;
  }

  private nextPayload(entry: TarEntry): EntryRole {
    const path = parseSafePath(entry.path);
    if (this.stage !== "payload") {
      this.stage = "payload";
      this.previous = undefined;
    }
    if (++this.payloadEntries > LIMITS.payloadEntries) {
      throw ruleError(
        "E_LIMIT_ENTRIES",
        `cannot accept package: it has more than ${LIMITS.payloadEntries} payload entries`,
      );
    }
    this.ascend(entry.wireName);
    this.checkNesting(entry);
    return { kind: "payload", path };
  }

  /** F-LAY-02, F-LAY-03 */
  private ascend(wireName: string): void {
    if (this.previous !== undefined) {
      const order = compareBytes(this.previous, wireName);
      if (order === 0) throw repeated(wireName);
      if (order > 0) throw misplaced(wireName);
    }
    this.previous = wireName;
  }

  /** F-LAY-07, F-LAY-08 */
  private checkNesting(entry: TarEntry): void {
    const name = entry.wireName;
    for (let top = this.open.at(-1); top !== undefined && !name.startsWith(top); top = this.open.at(-1)) {
      this.open.pop();
    }
    for (const file of this.open) {
      if (name.charCodeAt(file.length) !== 0x2f) continue;
      if (name.length === file.length + 1) throw repeated(file);
      throw ruleError(
        "E_ENTRY_NESTING",
        `cannot accept package: entry "${excerpt(name)}" lies below "${excerpt(file)}", which is no directory`,
        { path: `/${entry.path}` },
      );
    }
    if (entry.type !== "dir") this.open.push(name);
  }
}

function requireFile(entry: TarEntry): void {
  if (entry.type === "file") return;
  throw ruleError(
    "E_TAR_TYPE",
    `cannot accept package: metadata entry "${excerpt(entry.wireName)}" is no regular file`,
  );
}

function requireSize(entry: TarEntry, limit: number): void {
  if (entry.sizeBytes <= limit) return;
  throw ruleError(
    "E_LIMIT_METADATA",
    `cannot accept package: "${entry.wireName}" has ${entry.sizeBytes} bytes, limit is ${limit}`,
  );
}

function missing(name: string): PeipkgError {
  return ruleError("E_ENTRY_MISSING", `cannot accept package: entry "${name}" is missing`);
}

function misplaced(name: string): PeipkgError {
  return ruleError("E_ENTRY_ORDER", `cannot accept package: entry "${excerpt(name)}" is out of order`);
}

function repeated(name: string): PeipkgError {
  return ruleError("E_ENTRY_DUPLICATE", `cannot accept package: entry "${excerpt(name)}" is repeated`);
}
