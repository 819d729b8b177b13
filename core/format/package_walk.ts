/**
 * One pass over the entries of a package archive: documents are parsed, every file is hashed, everything is compared.
 * Faults of the archive itself are thrown at once; faults of what it says and holds are kept until the signature has
 * been judged (F-VFY-13).
 */
import { type PeipkgError, ruleError, type Warning } from "../errors.ts";
import type { SafePath } from "../identity/safe_path.ts";
import { ArchiveLayout, type EntryRole } from "./archive_layout.ts";
import type { DestinationRules } from "./destinations.ts";
import { type FileList, parseFileList } from "./file_list.ts";
import { createSha256, type Sha256 } from "./hash.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import {
  checkDropinReferences,
  type CheckedEntry,
  checkReferences,
  collect,
  createPlaceCheck,
  FileCoverage,
  SideEffectNeeds,
} from "./payload_check.ts";
import type { TarEntry, TarHandler } from "./tar.ts";

/** A payload entry with everything that was proved about it. */
export interface WalkedEntry extends CheckedEntry {
  readonly hash?: string;
}

export interface WalkOptions {
  /** Destination rules but for what the manifest tells. */
  readonly places: Omit<DestinationRules, "architecture" | "packageName">;
  /** Called once the manifest has been parsed; what it throws is a violation (F-VFY-09). */
  readonly identify: (manifest: Manifest) => void;
  /** Keep every violation instead of the first. */
  readonly gather: boolean;
  /** Absent: `signedDigest` is set from outside. */
  readonly sumsSignedRange: boolean;
  /** See `VerifyOptions.keep`. */
  readonly keep: KeepContent | undefined;
}

/**
 * Says where the content of a file is kept for later; `undefined`: nowhere. The memory given is filled while the
 * package is read and holds what was verified once verification has succeeded, and only then.
 *
 * @param index Place among the payload entries.
 */
export type KeepContent = (index: number, entry: WalkedEntry) => Uint8Array | undefined;

/** Violations kept when all are gathered: enough for a report, few enough to bound memory. */
const MAX_VIOLATIONS = 1000;

const NO_BYTES = new Uint8Array();

export class PackageWalk implements TarHandler {
  readonly entries: WalkedEntry[] = [];
  readonly violations: PeipkgError[] = [];
  readonly warnings: Warning[] = [];
  manifest: Manifest | undefined;
  manifestBytes: Uint8Array<ArrayBuffer> = new Uint8Array();
  /** Bytes of the signature entry, when there is one. */
  signatureBytes: Uint8Array<ArrayBuffer> | undefined;
  /** SHA-256 of the signed range, once finished (F-SIG-01, F-SIG-03). */
  signedDigest: Uint8Array<ArrayBuffer> = new Uint8Array();

  private readonly layout = new ArchiveLayout();
  private readonly signedRange: Sha256 | undefined;
  private readonly needs = new SideEffectNeeds();
  private coverage = new FileCoverage(undefined, () => {});
  private checkPlace: ((entry: CheckedEntry) => void) | undefined;
  private role: EntryRole = { kind: "other-metadata" };
  /** Body of the document being read. */
  private document: Uint8Array<ArrayBuffer> = NO_BYTES;
  private documentFill = 0;
  private fileHash: Sha256 | undefined;
  private kept: Uint8Array | undefined;
  private keptFill = 0;
  private expectedHash: string | undefined;
  private firstTime: number | undefined;

  constructor(private readonly options: WalkOptions) {
    this.signedRange = options.sumsSignedRange ? createSha256() : undefined;
  }

  raw(bytes: Uint8Array): void {
    this.signedRange?.update(bytes);
  }

  entry(entry: TarEntry): void {
    this.role = this.layout.next(entry);
    this.checkTime(entry);
    if (this.role.kind === "payload") return this.payloadEntry(entry, this.role.path);
    if (this.role.kind === "other-metadata") return;
    this.document = new Uint8Array(entry.sizeBytes); // within the document's limit: the layout has checked it
    this.documentFill = 0;
  }

  data(bytes: Uint8Array): void {
    if (this.fileHash !== undefined) {
      this.fileHash.update(bytes);
      if (this.kept === undefined) return;
      this.kept.set(bytes, this.keptFill);
      this.keptFill += bytes.length;
    } else if (this.role.kind !== "other-metadata") {
      this.document.set(bytes, this.documentFill);
      this.documentFill += bytes.length;
    }
  }

  entryEnd(): void {
    const document = this.document;
    this.document = NO_BYTES; // a large files document need not outlive its parsing
    switch (this.role.kind) {
      case "manifest":
        this.manifestBytes = document;
        collect(this.violated, () => this.readManifest());
        break;
      case "files":
        collect(this.violated, () => this.readFiles(parseFileList(document, this.warn)));
        document.buffer.transfer(0); // freed now: waiting for the collector would add its size to the peak
        break;
      case "signature":
        this.signatureBytes = document;
        break;
      case "payload":
        this.endFile(this.role.path);
        break;
      case "other-metadata":
        break;
    }
  }

  /** Ends the walk. */
  finish(): void {
    this.layout.finish();
    this.coverage.finish(this.manifest?.sizeInstalledBytes);
    if (this.manifest !== undefined) {
      checkReferences(this.manifest, this.entries, this.violated);
      this.needs.warn(this.manifest, this.warn);
    }
    if (this.signedRange !== undefined) this.signedDigest = this.signedRange.digest();
  }

  private readonly violated = (violation: PeipkgError): void => {
    if (this.violations.length < (this.options.gather ? MAX_VIOLATIONS : 1)) this.violations.push(violation);
  };

  private readonly warn = (warning: Warning): void => void this.warnings.push(warning);

  private readManifest(): void {
    const { places } = this.options;
    const manifest = parseManifest(this.manifestBytes, places.layout, this.warn);
    this.manifest = manifest;
    const { architecture, name: packageName } = manifest;
    const rules: DestinationRules = { ...places, architecture, packageName };
    this.checkPlace = createPlaceCheck(rules, manifest.specialSystemPackage, this.violated);
    checkDropinReferences(manifest, rules, this.violated);
    if (this.firstTime !== manifest.build.seconds) {
      this.violated(ruleError(
        "E_TAR_MTIME",
        `cannot accept package: its entries have time ${this.firstTime}, the manifest says ${manifest.build.seconds}`,
      ));
    }
    collect(this.violated, () => this.options.identify(manifest));
  }

  private readFiles(list: FileList): void {
    this.coverage = new FileCoverage(list, this.violated);
  }

  /** All entries carry one time, the first one's, which the manifest then confirms. */
  private checkTime(entry: TarEntry): void {
    this.firstTime ??= entry.mtime;
    if (entry.mtime === this.firstTime) return;
    this.violated(ruleError(
      "E_TAR_MTIME",
      `cannot accept package: entry "${entry.wireName}" has time ${entry.mtime}, the first has ${this.firstTime}`,
    ));
  }

  private payloadEntry(entry: TarEntry, path: SafePath): void {
    const { type, sizeBytes, target } = entry;
    this.needs.note(path, type);
    if (type === "file") {
      this.expectedHash = this.coverage.match(path, sizeBytes);
      this.fileHash = createSha256();
      const hash = this.expectedHash;
      this.entries.push(hash === undefined ? { path, type, sizeBytes } : { path, type, sizeBytes, hash });
    } else {
      this.entries.push(target === undefined ? { path, type, sizeBytes } : { path, type, sizeBytes, target });
    }
    const added = this.entries.at(-1);
    if (added === undefined) return;
    this.checkPlace?.(added);
    if (type !== "file") return;
    this.kept = this.options.keep?.(this.entries.length - 1, added);
    this.keptFill = 0;
  }

  /** F-INT-04 */
  private endFile(path: SafePath): void {
    const hash = this.fileHash?.hex();
    this.fileHash = undefined;
    this.kept = undefined;
    if (hash === undefined || this.expectedHash === undefined) return;
    if (hash === this.expectedHash) {
      // The same text, but one that does not keep the whole files document in memory as a part of it would.
      const entry = this.entries.pop();
      if (entry !== undefined) this.entries.push({ path: entry.path, type: "file", sizeBytes: entry.sizeBytes, hash });
      return;
    }
    const message = `cannot accept file "${path}": its content has SHA-256 ${hash}, the files document says ` +
      this.expectedHash;
    this.violated(ruleError("E_FILE_HASH", message, { path: `/${path}` }));
  }
}
