/**
 * A verified, byte-for-byte copy of a published repository (R-MIR-01 … R-MIR-03, C-RTOOL-07). Packages are fetched
 * before the indexes that name them, so that the copy is complete at every moment; signatures are never made anew.
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { writePublicKeyPem } from "../format/keys.ts";
import { compressedBound } from "../format/limits.ts";
import { DEFAULT_REPOSITORY_SETTINGS } from "../identity/repository_settings.ts";
import { hashFile } from "../repository/byte_source.ts";
import type { RepositoryContext } from "../repository/context.ts";
import { downloadName, downloadPackage } from "../repository/package_download.ts";
import { fetchDescriptor, fetchIndex, type VerifiedDescriptor, type VerifiedIndex } from "../repository/refresh.ts";
import { FETCH_LIMITS } from "../repository/transport.ts";
import { keyPath, type RepositoryBases, resolveReference } from "../repository/urls.ts";
import type { Directory } from "../system.ts";
import { createDirectory } from "./init.ts";
import {
  DESCRIPTOR_FILE,
  type IndexEntry,
  type IndexKind,
  type PublishContext,
  RepositoryTree,
} from "./repository_tree.ts";

export interface MirrorRequest {
  /** Base URL, checked. */
  readonly baseUrl: string;
  readonly directory: string;
  /** Fingerprints, at least one. */
  readonly anchors: readonly string[];
  /** Leave the archive out: no downgrade from this mirror. */
  readonly activeOnly?: boolean;
  /** Only these names; the indexes still list the others. */
  readonly packages?: readonly string[];
  readonly allowInsecureTransport?: boolean;
}

export interface MirrorResult {
  readonly indexVersion: number;
  readonly fetched: number;
  readonly present: number;
  /** URLs outside the base, which a copy cannot serve (R-MIR-02). */
  readonly notMirrored: readonly string[];
  /** Packages the indexes list and the copy lacks, by request. */
  readonly leftOut: number;
}

/** Unfinished downloads; consumers never look here. */
const PARTIAL_DIRECTORY = ".peipkg-mirror";

/**
 * Brings a mirror up to date.
 *
 * @param network How documents are fetched; its `openCache` is not used.
 * @throws {PeipkgError} `anchor-mismatch`, `signature`, `transport`, `hash`; `index-rollback` when the publisher's
 * index is older than the mirror's
 */
export async function mirrorRepository(
  context: PublishContext,
  network: RepositoryContext,
  request: MirrorRequest,
): Promise<MirrorResult> {
  if (request.anchors.length === 0) throw new PeipkgError("usage", "cannot mirror: no --anchor is given");
  createDirectory(context, request.directory);
  using tree = new RepositoryTree(context, request.directory);
  return await new Mirror(tree, network, request).run();
}

type Configuration = Parameters<typeof fetchDescriptor>[1];

class Mirror {
  readonly #configuration: Configuration;
  readonly #bases: RepositoryBases;
  readonly #notMirrored = new Set<string>();
  #fetched = 0;
  #present = 0;

  constructor(
    private readonly tree: RepositoryTree,
    private readonly network: RepositoryContext,
    private readonly request: MirrorRequest,
  ) {
    const { baseUrl, anchors, allowInsecureTransport = false } = request;
    this.#bases = { handle: "mirror", baseUrl, mirrors: [], allowInsecureTransport };
    this.#configuration = { ...DEFAULT_REPOSITORY_SETTINGS, ...this.#bases, trustAnchors: anchors };
  }

  async run(): Promise<MirrorResult> {
    const verified = await fetchDescriptor(this.network, this.#configuration, undefined);
    const active = await this.#index(verified, "active");
    const archive = this.request.activeOnly === true ? undefined : await this.#index(verified, "archive");
    this.#checkProgress(active);
    // The archive lists what is active too (R-ARC-03); each file counts once.
    const listed = [...active.catalogue?.packages ?? [], ...archive?.catalogue?.packages ?? []];
    const entries = [...new Map(listed.map((entry) => [`${entry.url} ${entry.hash}`, entry])).values()];
    const wanted = entries.filter(({ name }) => this.request.packages?.includes(name) ?? true);
    for (const entry of wanted) await this.#package(entry);
    this.#keys(verified, active);
    for (const index of archive === undefined ? [active] : [archive, active]) {
      const pointer = verified.descriptor[index.kind];
      this.#document(pointer.url, index.pair.bytes);
      if (index.pair.signature !== undefined) this.#document(pointer.signatureUrl, index.pair.signature);
    }
    // The descriptor comes last (R-PROD-09).
    this.tree.write(DESCRIPTOR_FILE, verified.pair.bytes);
    if (verified.pair.signature !== undefined) this.tree.write(`${DESCRIPTOR_FILE}.sig`, verified.pair.signature);
    return {
      indexVersion: active.stamp.indexVersion,
      fetched: this.#fetched,
      present: this.#present,
      notMirrored: [...this.#notMirrored],
      leftOut: entries.length - wanted.length,
    };
  }

  #index(verified: VerifiedDescriptor, kind: IndexKind): Promise<VerifiedIndex> {
    const recorded = { state: undefined, catalogue: undefined };
    return fetchIndex(this.network, this.#configuration, verified, recorded, kind);
  }

  #checkProgress(active: VerifiedIndex): void {
    if (this.tree.read(DESCRIPTOR_FILE, FETCH_LIMITS.descriptorBytes) === undefined) return;
    const known = this.tree.index(this.tree.descriptor(), "active");
    if (active.stamp.indexVersion >= known.indexVersion) return;
    throw ruleError(
      "E_INDEX_ROLLBACK",
      `cannot mirror "${this.request.baseUrl}": index version ${active.stamp.indexVersion} is below ` +
        `${known.indexVersion}, already mirrored`,
      { url: this.request.baseUrl, document: "index" },
    );
  }

  /** Path below the base; `undefined`: the reference leads elsewhere. */
  #pathOf(reference: string): string | undefined {
    const url = resolveReference(this.#bases, reference);
    const base = `${new URL(this.request.baseUrl).href.replace(/\/$/, "")}/`;
    if (url.startsWith(base) && !url.includes("?")) return decodeURIComponent(url.slice(base.length));
    this.#notMirrored.add(url);
    return undefined;
  }

  #document(reference: string, bytes: Uint8Array): void {
    const path = this.#pathOf(reference);
    if (path !== undefined) this.tree.write(path, bytes);
  }

  /** Every key whose bytes are known; consumers need those of the acceptable ones (R-KEY-03). */
  #keys(verified: VerifiedDescriptor, active: VerifiedIndex): void {
    for (const key of verified.descriptor.keys) {
      const publicKey = active.keys.find(({ fingerprint }) => fingerprint === key.fingerprint)?.publicKey;
      const path = this.#pathOf(key.url);
      if (publicKey === undefined) continue;
      this.tree.write(
        path ?? keyPath(key.fingerprint).slice(1),
        new TextEncoder().encode(writePublicKeyPem(publicKey)),
      );
    }
  }

  async #package(entry: IndexEntry): Promise<void> {
    const path = this.#pathOf(entry.url);
    if (path === undefined) return;
    if (this.#isPresent(path, entry)) {
      this.#present++;
      return;
    }
    const { directory, name } = this.tree.place(path);
    using target = directory;
    using partial = this.tree.place(`${PARTIAL_DIRECTORY}/x`).directory;
    await downloadPackage(this.network, partial, {
      url: resolveReference(this.#bases, entry.url),
      repository: this.#bases.handle,
      allowInsecureTransport: this.#bases.allowInsecureTransport,
      hash: entry.hash,
      limitBytes: compressedBound(entry.sizeCompressedBytes),
      onBytes: () => {},
    });
    this.#moveVerified(partial, target, name, entry);
    this.#fetched++;
  }

  #isPresent(path: string, entry: IndexEntry): boolean {
    using file = this.tree.open(path);
    return file !== undefined && file.status().sizeBytes === entry.sizeCompressedBytes && hashFile(file) === entry.hash;
  }

  #moveVerified(partial: Directory, target: Directory, name: string, entry: IndexEntry): void {
    const download = downloadName(entry.hash);
    {
      using file = partial.openFile(download);
      if (hashFile(file) !== entry.hash) {
        partial.unlink(download);
        throw ruleError(
          "E_PKG_HASH",
          `cannot mirror ${entry.name} ${entry.version}: it is not the file its index lists`,
          {
            package: entry.name,
          },
        );
      }
    }
    partial.changeMode(download, 0o644);
    partial.rename(download, target, name);
  }
}
