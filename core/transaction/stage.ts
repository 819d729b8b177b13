/**
 * Directories, staged objects and shields (T-COMMIT-06 to T-COMMIT-08): everything beside its destination, nothing at it.
 *
 * 1. Every object made here was named in the journal, durably, before (T-COMMIT-05).
 * 2. Final paths do not change; a second name for the old object is all that is added (T-COMMIT-08).
 * 3. A staged file has its final mode only after its content matched the verified hash (T-STAGE-04).
 * 4. Nothing is durable until the barrier after this (T-COMMIT-09).
 */
import { ruleError } from "../errors.ts";
import type { Directory, Session, WritableFile } from "../system.ts";
import type { PathRules } from "./collision.ts";
import { createWithDescriptor, descriptorFailure, makeWithDescriptor, setDescriptors } from "./descriptor_access.ts";
import type { DirectoryPool } from "./directories.ts";
import type { Durability } from "./durability.ts";
import { asFailure, hasErrno } from "./failures.ts";
import type { ChangeSet, FileOperation } from "./file_operation.ts";
import type { ContentSource, ContentVisitor } from "./input.ts";
import { baseName, parentPath } from "./names.ts";
import { type IdentityCheck, LINK_REFUSALS } from "./objects.ts";

const PRIVATE_MODE = 0o600;
const NANOSECONDS = 1_000_000_000n;
/**
 * Content of scanned names held back in memory so that it is written last (T-STAGE-07); what exceeds it is written as
 * it comes, because a second decompression would cost more than the short time it saves.
 */
const HELD_BACK_BYTES = 16 * 1024 * 1024;

export interface StageContext {
  readonly session: Session;
  readonly pool: DirectoryPool;
  readonly durability: Durability;
  readonly identity: IdentityCheck;
  readonly rules: PathRules;
  /** Mode of files and directories (T-MODE-01). */
  readonly mode: number;
  /** The effective uid is 0: objects are given to user and group 0 (T-MODE-04). */
  readonly isPrivileged: boolean;
}

/** Step 6: makes the missing directories, parents first. */
export function makeDirectories(context: StageContext, changes: ChangeSet): void {
  const { descriptors, securities } = changes;
  // A-SDA-14: what is made below inherits from what is set, so directories come first, parents before children.
  const inOrder = [...securities].sort((a, b) => a.path < b.path ? -1 : 1);
  setDescriptors(context.pool, context.durability, inOrder, "dir");
  for (const path of changes.directories) makeOne(context, path, descriptors.get(path));
  for (const change of changes.bringing) {
    if (change.newType !== "dir" || change.stagedPath === undefined) continue;
    makeOne(context, change.stagedPath, descriptors.get(change.path));
    change.stagedInode = context.pool.need(change.stagedPath).inode;
  }
  for (const { within, path } of changes.nestedDirectories) {
    makeOne(context, placeWithin(within, path), descriptors.get(path));
  }
  setDescriptors(context.pool, context.durability, inOrder, "file");
}

/** Step 7: writes every staged file and link. */
export async function stageContents(context: StageContext, changes: ChangeSet): Promise<void> {
  const { session } = context;
  using writer = new ContentWriter(context, changes.descriptors);
  const contents = [...changes.byEntry];
  for (let step = 0; step < contents.length; step++) {
    const [content, supplied] = contents[step] ?? [];
    if (content === undefined || supplied === undefined) continue;
    session.emit({
      kind: "progress",
      phase: "stage",
      step: step + 1,
      steps: contents.length,
      subject: content.name,
      version: content.version,
    });
    if (writer.linkWhatIsKept(content, supplied)) {
      await content.replay(writer.visitor(supplied), session.signal);
    }
  }
  writer.writeHeldBack();
  for (const change of changes.nested) stageLink(context, change);
  for (const change of changes.bringing) stageLink(context, change);
}

/** Step 8: gives every object about to be replaced a second name (T-COMMIT-22). */
export function shield(context: StageContext, changes: ChangeSet): void {
  for (const change of changes.bringing) {
    if (change.action !== "replace") continue;
    if (change.oldType === "dir" || change.newType === "dir") change.isUnshielded = true; // T-COMMIT-23
    else shieldOne(context, change);
  }
}

function shieldOne(context: StageContext, change: FileOperation): void {
  const directory = context.pool.need(parentPath(change.path));
  const name = baseName(change.path);
  const backup = baseName(change.backupPath ?? "");
  requireOld(context, directory, name, change);
  try {
    directory.link(name, directory, backup);
  } catch (error) {
    if (!hasErrno(error, ...LINK_REFUSALS)) throw asFailure(error, "keep a second name of", change.path, exists(error));
    change.isUnshielded = true;
    return;
  }
  context.durability.touch(directory);
  // The object may have been exchanged between the look and the link (T-COMMIT-24).
  requireBackup(context, directory, name, backup, change);
}

/** Refuses to touch an object that is not the one recorded (T-COMMIT-24). */
export function requireOld(context: StageContext, directory: Directory, name: string, change: FileOperation): void {
  let found;
  try {
    found = directory.status(name);
    if (found !== undefined && context.identity.isOld(directory, name, found, change)) return;
  } catch (error) {
    throw asFailure(error, "examine", change.path);
  }
  throw pathChanged(change.path);
}

function requireBackup(
  context: StageContext,
  directory: Directory,
  name: string,
  backup: string,
  change: FileOperation,
): void {
  try {
    const second = directory.status(backup);
    if (second !== undefined && context.identity.isOld(directory, backup, second, change)) {
      if (!context.identity.isOverlay(directory)) return;
      if (directory.status(name)?.inode === second.inode) return;
    }
  } catch (error) {
    throw asFailure(error, "examine", change.path);
  }
  throw pathChanged(change.path);
}

/** The failure of an object that was changed by someone else after it was examined. */
export function pathChanged(path: string): Error {
  return ruleError("PATH_CHANGED", `cannot replace ${path}: it was changed during the transaction`, {
    paths: [{ path, rule: "PATH_CHANGED" }],
  });
}

function exists(error: unknown): "STAGE_EXISTS" | undefined {
  return hasErrno(error, "EEXIST") ? "STAGE_EXISTS" : undefined;
}

/** Place of an object inside a staged directory (T-DIFF-08). */
function placeWithin(root: FileOperation, path: string): string {
  return `${root.stagedPath ?? ""}${path.slice(root.path.length)}`;
}

/** Where an operation's content is written before it is applied. */
function stagedPlace(change: FileOperation): string {
  return change.within === undefined ? change.stagedPath ?? "" : placeWithin(change.within, change.path);
}

function makeOne(context: StageContext, path: string, descriptor: Uint8Array | undefined): void {
  const { pool, durability, mode } = context;
  const name = baseName(path);
  try {
    const parent = pool.need(parentPath(path));
    let isOurs = true;
    try {
      if (descriptor === undefined) parent.makeDirectory(name, mode);
      else makeWithDescriptor(parent, name, mode, descriptor);
    } catch (error) {
      // Somebody else's directory would lack the descriptor.
      if (descriptor !== undefined) throw descriptorFailure(error, path);
      if (!hasErrno(error, "EEXIST")) throw error;
      isOurs = false; // T-STAGE-06: fine if it is a directory; opening it below says so
    }
    durability.touch(parent);
    const directory = pool.created(parent, path);
    if (isOurs) {
      if (context.isPrivileged) parent.changeOwner(name, 0, 0);
      if (descriptor !== undefined) parent.changeMode(name, mode); // T-MODE-03: the other way of making one sets it
      durability.touch(directory);
    }
  } catch (error) {
    throw asFailure(error, "make the directory", path);
  }
}

function stageLink(context: StageContext, change: FileOperation): void {
  if (change.newTarget === undefined || change.stagedInode !== undefined) return;
  const place = stagedPlace(change);
  const name = baseName(place);
  try {
    const directory = context.pool.need(parentPath(place));
    directory.makeSymlink(name, change.newTarget); // T-STAGE-05
    if (context.isPrivileged) directory.changeOwner(name, 0, 0);
    if (change.mtimeSeconds !== undefined) directory.setModified(name, BigInt(change.mtimeSeconds) * NANOSECONDS);
    change.stagedInode = directory.status(name)?.inode;
    context.durability.touch(directory);
  } catch (error) {
    throw asFailure(error, "stage", change.path, exists(error));
  }
}

/** Writes file content as it is decompressed: one open file at a time, no copy, no object per file. */
class ContentWriter implements Disposable {
  readonly #context: StageContext;
  readonly #heldBack: { readonly change: FileOperation; readonly bytes: Uint8Array }[] = [];
  #heldBackBytes = 0;
  #change: FileOperation | undefined;
  #file: WritableFile | undefined;
  #directory: Directory | undefined;
  #buffer: Uint8Array | undefined;
  #filled = 0;

  constructor(context: StageContext, readonly descriptors: ReadonlyMap<string, Uint8Array>) {
    this.#context = context;
  }

  /**
   * Links retained content into place (T-UNDO-06).
   *
   * @returns Whether some content still has to be written from its bytes.
   */
  linkWhatIsKept(content: ContentSource, supplied: readonly (FileOperation | undefined)[]): boolean {
    let isNeeded = false;
    for (let index = 0; index < supplied.length; index++) {
      const change = supplied[index];
      if (change?.newType !== "file") continue;
      const place = stagedPlace(change);
      const directory = this.#context.pool.need(parentPath(place));
      // Kept content brings the descriptor it had when it was displaced; a declared one needs an object of its own.
      if (this.descriptors.has(change.path)) {
        isNeeded = true;
        continue;
      }
      if (content.link?.(index, directory, baseName(place)) === true) {
        change.stagedInode = directory.status(baseName(place))?.inode;
        this.#context.durability.touch(directory);
      } else isNeeded = true;
    }
    return isNeeded;
  }

  visitor(supplied: readonly (FileOperation | undefined)[]): ContentVisitor {
    return {
      begin: (index) => {
        const change = supplied[index];
        if (change?.newType !== "file" || change.stagedInode !== undefined) return false;
        this.#begin(change);
        return true;
      },
      chunk: (bytes) => this.#chunk(bytes),
      end: () => this.#end(),
    };
  }

  /** T-STAGE-07: names a scanner could pick up exist beside their destination as briefly as possible. */
  writeHeldBack(): void {
    for (const { change, bytes } of this.#heldBack) {
      this.#open(change);
      this.#write(bytes);
      this.#end();
    }
    this.#heldBack.length = 0;
  }

  #begin(change: FileOperation): void {
    const size = change.newSizeBytes ?? 0;
    this.#change = change;
    if (this.#context.rules.isScanned(change.path) && this.#heldBackBytes + size <= HELD_BACK_BYTES) {
      this.#heldBackBytes += size;
      this.#buffer = new Uint8Array(size);
      this.#filled = 0;
    } else this.#open(change);
  }

  #open(change: FileOperation): void {
    const place = stagedPlace(change);
    this.#change = change;
    try {
      this.#directory = this.#context.pool.need(parentPath(place));
      this.#file = this.#create(this.#directory, baseName(place), change.path);
      this.#context.durability.touch(this.#directory);
    } catch (error) {
      throw asFailure(error, "stage", change.path, exists(error));
    }
  }

  #create(directory: Directory, name: string, path: string): WritableFile {
    const descriptor = this.descriptors.get(path);
    if (descriptor === undefined) return directory.createFile(name, PRIVATE_MODE); // T-STAGE-01
    try {
      return createWithDescriptor(directory, name, descriptor); // T-STAGE-04
    } catch (error) {
      throw hasErrno(error, "EEXIST") ? error : descriptorFailure(error, path);
    }
  }

  #chunk(bytes: Uint8Array): void {
    const { signal } = this.#context.session;
    if (signal.aborted) throw signal.reason; // T-SIG-01: between chunks
    if (this.#buffer === undefined) return this.#write(bytes);
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #write(bytes: Uint8Array): void {
    try {
      this.#file?.write(bytes);
    } catch (error) {
      throw asFailure(error, "write", this.#change?.path ?? "");
    }
  }

  #end(): void {
    const change = this.#change;
    if (change === undefined) return;
    if (this.#buffer !== undefined) {
      this.#heldBack.push({ change, bytes: this.#buffer });
      this.#buffer = undefined;
      return;
    }
    const { isPrivileged, mode, durability } = this.#context;
    try {
      using file = this.#file;
      this.#file = undefined;
      if (file === undefined || this.#directory === undefined) return;
      const { inode, uid, gid } = file.status();
      change.stagedInode = inode;
      // T-MODE-04: what a directory or file system makes of a new file differs; mostly it is right already.
      if (isPrivileged && (uid !== 0 || gid !== 0)) file.changeOwner(0, 0);
      file.changeMode(mode);
      if (change.mtimeSeconds !== undefined) file.setModified(BigInt(change.mtimeSeconds) * NANOSECONDS);
      if (durability.needsFileSync(this.#directory)) file.sync();
    } catch (error) {
      throw asFailure(
        error,
        "stage",
        change.path,
        hasErrno(error, "EIO") && isSync(error) ? "FSYNC_FAILED" : undefined,
      );
    }
  }

  /** Closes a file left open by a failure. */
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }
}

function isSync(error: unknown): boolean {
  return error instanceof Error && "call" in error && error.call === "fsync";
}
