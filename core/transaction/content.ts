/** Verified package files as the content of a transaction: their entries with logical paths, their second pass. */
import { type ByteSource, type PayloadEntry, replayPackage, type VerifiedPackage } from "../format/package_file.ts";
import type { ContentEntry, ContentSource, ContentVisitor } from "./input.ts";

/** What acquiring yields for one package; its descriptor stays open until staging is done (T-VERIFY-05). */
export interface AcquiredContent {
  readonly verified: VerifiedPackage;
  readonly source: ByteSource;
  /** Handle; `undefined` for a local file. */
  readonly repository: string | undefined;
  readonly official: boolean;
}

/** Makes a verified package file a source of content. */
export function packageContent(acquired: AcquiredContent): ContentSource {
  const { verified, source } = acquired;
  return {
    name: verified.manifest.name,
    version: verified.manifest.version.raw,
    architecture: verified.manifest.architecture,
    packageHash: verified.packageHash,
    manifest: verified.manifest,
    // The manifest was read as UTF-8 without a byte-order mark, so that this is its bytes verbatim (T-DB-16).
    manifestText: new TextDecoder("utf-8", { ignoreBOM: true }).decode(verified.manifestBytes),
    entries: verified.entries.map((entry) => contentEntry(entry, verified.modifiedSeconds)),
    repository: acquired.repository,
    official: acquired.official,
    replay(visitor: ContentVisitor, signal: AbortSignal): Promise<void> {
      let next = 0;
      return replayPackage(source, verified, {
        entry: () => visitor.begin(next++),
        data: (chunk) => visitor.chunk(chunk),
        end: () => visitor.end(),
      }, { signal });
    },
  };
}

function contentEntry(entry: PayloadEntry, mtimeSeconds: number): ContentEntry {
  return {
    path: `/${entry.path}`,
    type: entry.type,
    sizeBytes: entry.sizeBytes,
    hash: entry.hash ?? "",
    target: entry.target ?? "",
    mtimeSeconds,
  };
}
