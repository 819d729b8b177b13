/** Checking a produced repository as a whole (R-PROD-10, C-RTOOL-06). */
import { PeipkgError } from "../errors.ts";
import { checkFingerprint } from "../format/keys.ts";
import { hashFile } from "../repository/byte_source.ts";
import type { Descriptor } from "../repository/descriptor.ts";
import { verifyDetached } from "../repository/detached.ts";
import { FETCH_LIMITS } from "../repository/transport.ts";
import { DESCRIPTOR_FILE, type IndexEntry, indexFile, type PublishContext, RepositoryTree } from "./repository_tree.ts";

export interface RepositoryIssue {
  /** Rule or code of the fault. */
  readonly code: string;
  readonly path?: string;
  readonly text: string;
}

export interface RepositoryCheck {
  readonly issues: readonly RepositoryIssue[];
  readonly warnings: readonly RepositoryIssue[];
}

export interface RepositoryCheckRequest {
  readonly directory: string;
  readonly mode: "metadata" | "hashes" | "both";
  /** Fingerprints one of which must have signed the descriptor. */
  readonly anchors: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Checks signatures, keys, indexes and, as asked, every file. Findings are returned, not thrown. */
export async function checkRepository(
  context: PublishContext,
  request: RepositoryCheckRequest,
): Promise<RepositoryCheck> {
  using tree = new RepositoryTree(context, request.directory);
  const check = new Check(tree, request);
  await check.run();
  return { issues: check.issues, warnings: check.warnings };
}

class Check {
  readonly issues: RepositoryIssue[] = [];
  readonly warnings: RepositoryIssue[] = [];

  constructor(private readonly tree: RepositoryTree, private readonly request: RepositoryCheckRequest) {}

  async run(): Promise<void> {
    const { mode } = this.request;
    const descriptor = this.#attempt(DESCRIPTOR_FILE, () => this.tree.descriptor());
    if (descriptor === undefined) return;
    const active = this.#attempt(indexFile("active"), () => this.tree.index(descriptor, "active"));
    const archive = this.#attempt(indexFile("archive"), () => this.tree.index(descriptor, "archive"));
    if (mode !== "hashes") {
      const signer = await this.#signature(descriptor, DESCRIPTOR_FILE, "descriptor");
      const { anchors } = this.request;
      if (signer !== undefined && anchors.length > 0 && !anchors.includes(signer)) {
        this.#issue("E_NO_ANCHOR_MATCH", DESCRIPTOR_FILE, `it is signed by ${signer}, which is no anchor`);
      }
      for (const kind of ["active", "archive"] as const) {
        await this.#signature(descriptor, indexFile(kind), `${kind} index`);
      }
      if (active !== undefined && archive !== undefined) this.#superset(active.packages, archive.packages);
    }
    if (mode !== "metadata") this.#hashes(archive?.packages ?? active?.packages ?? []);
  }

  async #signature(descriptor: Descriptor, path: string, document: string): Promise<string | undefined> {
    const bytes = this.tree.read(path, FETCH_LIMITS.indexBytes);
    const signature = this.tree.read(`${path}.sig`, FETCH_LIMITS.signatureBytes);
    if (bytes === undefined) return undefined;
    if (signature === undefined) {
      this.#issue("E_SIG_MISSING", `${path}.sig`, "it is missing");
      return undefined;
    }
    const keys = descriptor.keys.map((key) => ({
      fingerprint: key.fingerprint,
      publicKey: this.#publicKey(key.fingerprint, key.url),
      status: key.status,
      ...(key.validUntil === undefined ? {} : { validUntil: key.validUntil }),
    }));
    try {
      const detached = { document, repository: descriptor.repositoryName, signature, bytes };
      return await verifyDetached(detached, keys, this.request.now);
    } catch (error) {
      this.#caught(error, `${path}.sig`);
      return undefined;
    }
  }

  #publicKey(fingerprint: string, url: string): Uint8Array | undefined {
    const path = `keys/${fingerprint}.pub`;
    return this.#attempt(path, () => {
      const key = this.tree.publicKey(fingerprint);
      if (key === undefined) {
        if (url.startsWith("/")) this.#issue("E_KEY_UNAVAILABLE", path, "it is missing");
        else this.#warning("E_KEY_UNAVAILABLE", path, `the key is elsewhere: ${url}`);
        return undefined;
      }
      checkFingerprint(key, fingerprint);
      return key;
    });
  }

  /** R-ARC-03 */
  #superset(active: readonly IndexEntry[], archive: readonly IndexEntry[]): void {
    const keyOf = (entry: IndexEntry) => `${entry.name} ${entry.version} ${entry.architecture} ${entry.hash}`;
    const known = new Set(archive.map(keyOf));
    for (const entry of active) {
      if (known.has(keyOf(entry))) continue;
      this.#issue("W_ARCHIVE_GAP", indexFile("archive"), `it lacks ${entry.name} ${entry.version}`);
    }
  }

  #hashes(entries: readonly IndexEntry[]): void {
    for (const entry of entries) {
      if (!entry.url.startsWith("/")) {
        this.#warning("E_FILE_FETCH", entry.url, "it is stored elsewhere and was not read");
        continue;
      }
      const path = decodeURIComponent(entry.url.slice(1));
      this.#attempt(path, () => {
        using file = this.tree.open(path);
        if (file === undefined) return this.#issue("E_FILE_FETCH", path, "it is missing");
        if (file.status().sizeBytes !== entry.sizeCompressedBytes) {
          this.#issue("W_SIZE_MISMATCH", path, "its size differs");
        }
        if (hashFile(file) !== entry.hash) this.#issue("E_PKG_HASH", path, "it is not the file that was published");
      });
    }
  }

  #attempt<T>(path: string, body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      this.#caught(error, path);
      return undefined;
    }
  }

  #caught(error: unknown, path: string): void {
    if (!(error instanceof PeipkgError)) throw error;
    this.#issue(error.detail.rule ?? error.code, path, error.message);
  }

  #issue(code: string, path: string, text: string): void {
    if (!this.issues.some((item) => item.code === code && item.path === path && item.text === text)) {
      this.issues.push({ code, path, text });
    }
  }

  #warning(code: string, path: string, text: string): void {
    this.warnings.push({ code, path, text });
  }
}
