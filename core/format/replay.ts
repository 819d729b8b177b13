/**
 * The handler of the second pass over a package: its verified payload is handed to staging, and every byte is compared again with
 * what the first pass proved, because the file may have been changed in between (T-VERIFY-05).
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { ArchiveLayout } from "./archive_layout.ts";
import { createSha256, type Sha256 } from "./hash.ts";
import type { KnownEntry, KnownPackage, PayloadVisitor } from "./package_file.ts";
import type { TarEntry, TarHandler } from "./tar.ts";

/** Carries what a visitor threw through the decoder, so that it is not taken for a fault of the file. */
class VisitorFailure extends Error {
  constructor(override readonly cause: unknown) {
    super("a visitor failed");
  }
}

/** Rethrows what ended a replay: a visitor's own failure as it is, everything else as a changed file. */
export function rethrowReplay(verified: KnownPackage, cause: unknown): never {
  if (cause instanceof VisitorFailure) throw cause.cause;
  if (cause instanceof PeipkgError && cause.detail.rule !== undefined && CHANGED_RULES.has(cause.detail.rule)) {
    throw cause;
  }
  if (cause instanceof PeipkgError && cause.code === "internal") throw cause; // nothing the file could do
  throw changed(verified, "it can no longer be read", cause);
}

const CHANGED_RULES: ReadonlySet<string> = new Set(["PKG_CHANGED", "E_LOCAL_CHANGED"]);

/** The error of a file that is no longer the one that was verified. */
export function changed(verified: KnownPackage, found: string, cause?: unknown): PeipkgError {
  const { name, version } = verified.manifest;
  return ruleError(
    verified.origin === "local-file" ? "E_LOCAL_CHANGED" : "PKG_CHANGED",
    `cannot install ${name} ${version.raw}: its file was changed after it was verified: ${found}`,
    { package: name, ...(cause === undefined ? {} : { cause }) },
  );
}

/** Compares the entries of the second pass with the list of the first. */
export class Replay implements TarHandler {
  private readonly layout = new ArchiveLayout();
  private next = 0;
  private current: KnownEntry | undefined;
  private wanted = false;
  private isFile = false;
  private hash: Sha256 | undefined;

  /** @param hashes Sums of the regular files in the order of the archive, when they are made elsewhere. */
  constructor(
    private readonly verified: KnownPackage,
    private readonly visitor: PayloadVisitor,
    private readonly hashes: { nextHash(): string | undefined } | undefined,
  ) {}

  raw(): void {
    // The hash of the whole file is compared instead of the signed range.
  }

  entry(entry: TarEntry): void {
    this.isFile = entry.type === "file";
    if (this.layout.next(entry).kind !== "payload") return;
    const known = this.verified.entries.at(this.next++);
    const same = known !== undefined && known.path === entry.path && known.type === entry.type &&
      known.sizeBytes === entry.sizeBytes && known.target === entry.target &&
      entry.mtime === this.verified.modifiedSeconds;
    if (!same) throw changed(this.verified, `entry "${entry.wireName}" differs`);
    this.current = known;
    this.hash = known.type === "file" && this.hashes === undefined ? createSha256() : undefined;
    this.wanted = visit(() => this.visitor.entry(known));
  }

  data(bytes: Uint8Array): void {
    if (this.current === undefined) return;
    this.hash?.update(bytes);
    if (this.wanted) visit(() => this.visitor.data(bytes));
  }

  entryEnd(): void {
    const { current } = this;
    const hash = this.isFile ? this.hash?.hex() ?? this.hashes?.nextHash() : undefined;
    if (current === undefined) return;
    this.current = undefined;
    if (current.type === "file" && hash !== current.hash) {
      throw changed(this.verified, `the content of "${current.path}" differs`);
    }
    this.hash = undefined;
    if (this.wanted && current.type === "file") visit(() => this.visitor.end());
  }
}

function visit<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new VisitorFailure(cause);
  }
}
