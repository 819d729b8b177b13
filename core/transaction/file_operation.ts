/**
 * One change of one final path, and the set of them a transaction makes. The record is the only thing kept per
 * file from the diff to housekeeping: it is the journal row, and it carries what staging needs to find its content.
 */
import type { Warning } from "../errors.ts";
import type { FileAction, JournalFile } from "../store/journal.ts";
import type { FileStatus, FileType } from "../system.ts";
import type { ContentSource, FileNotice } from "./input.ts";

/** Types a journal row can name. */
export type RecordedType = "file" | "symlink" | "dir";

/** A change of one final path; filled by the diff, its inode by staging. */
export class FileOperation implements JournalFile {
  sequence = 0;
  action: FileAction = "create";
  keepBackup = false;
  newType: RecordedType | undefined = undefined;
  newHash: string | undefined = undefined;
  newSizeBytes: number | undefined = undefined;
  newTarget: string | undefined = undefined;
  stagedInode: bigint | undefined = undefined;
  oldType: RecordedType | undefined = undefined;
  oldInode: bigint | undefined = undefined;
  oldSizeBytes: number | undefined = undefined;
  oldMtime: bigint | undefined = undefined;
  oldTarget: string | undefined = undefined;
  /** Index of the content's entry; -1 where no package supplies the object (claim links, removals). */
  entry = -1;
  /** Modification time to set, seconds. */
  mtimeSeconds: number | undefined = undefined;
  /** The staged directory this object is made in, when an ancestor changes from file to directory (T-DIFF-08). */
  within: FileOperation | undefined = undefined;
  /** The link or rename of step 8 was refused, so that apply moves the old object first (T-COMMIT-23). */
  isUnshielded = false;
  isClaim = false;
  /** Sibling names; where they are usual only the suffix, which all share: one text less for each of many files. */
  #staged: string | undefined = undefined;
  #backup: string | undefined = undefined;

  /**
   * @param operation `txn_op.seq` of the package or role behind it.
   * @param path Logical path.
   */
  constructor(public operation: number, readonly path: string) {}

  /** Where the new object waits; `undefined`: there is none. */
  get stagedPath(): string | undefined {
    return this.#sibling(this.#staged);
  }

  /** Where the old object goes; `undefined`: there is none. */
  get backupPath(): string | undefined {
    return this.#sibling(this.#backup);
  }

  /** @param path Absent: `this.path` with the suffix, unless that had to be cut or was taken. */
  stageAt(path: string | undefined, suffix: string): void {
    this.#staged = path ?? suffix;
  }

  /** See `stageAt()`. */
  backUpAt(path: string | undefined, suffix: string): void {
    this.#backup = path ?? suffix;
  }

  #sibling(name: string | undefined): string | undefined {
    return name === undefined || name.startsWith("/") ? name : this.path + name;
  }

  /** Records the object found at the final path as the one to be displaced. */
  recordOld(status: FileStatus, target: string | undefined): void {
    this.oldType = recordedType(status.type);
    this.oldInode = status.inode;
    this.oldSizeBytes = status.sizeBytes;
    this.oldMtime = status.mtime;
    this.oldTarget = target;
  }
}

/** The journal's word for what is on disk; sockets, devices and FIFOs are displaced like files. */
function recordedType(type: FileType): RecordedType {
  return type === "other" ? "file" : type;
}

/** A `.peipkg-new` row to be written for a package (T-ETC-10). */
export interface NewDefault {
  readonly package: string;
  readonly path: string;
  /** The path whose new default this is. */
  readonly of: string;
  readonly hash: string;
  readonly sizeBytes: number;
}

/** A directory inside a staged directory (T-DIFF-08). */
export interface NestedDirectory {
  readonly within: FileOperation;
  readonly path: string;
}

/** A descriptor given to an object that stays (A-SDA-12, A-SDA-18, A-SDA-31). */
export interface SecurityChange {
  /** Logical path. */
  readonly path: string;
  readonly type: "file" | "dir";
  readonly descriptor: Uint8Array;
}

/** Everything one transaction changes below its root, in the order it is done. */
export interface ChangeSet {
  /** Journal rows in apply order (T-COMMIT-20); `sequence` is the index. */
  operations: FileOperation[];
  /** Those of them that stage something: all but removals. Set with the order, like the next. */
  bringing: readonly FileOperation[];
  /** Logical paths of the directories that `operations` change. */
  parents: readonly string[];
  /** Per content, per entry: what is staged for it; `undefined` where nothing is. */
  readonly byEntry: Map<ContentSource, (FileOperation | undefined)[]>;
  /** Objects made inside staged directories: no rows of their own. */
  readonly nested: FileOperation[];
  readonly nestedDirectories: NestedDirectory[];
  /** Directories to be made, parents first. */
  readonly directories: string[];
  /** Directories that may go after the commit, deepest first. */
  reclaim: string[];
  /** Hash of what was kept at a path whose row gets the new default's (T-ETC-03); `undefined`: not a file. */
  readonly preserved: Map<string, string | undefined>;
  readonly newDefaults: NewDefault[];
  /** Descriptors of objects the transaction makes, by final path (A-SDA-11). */
  readonly descriptors: Map<string, Uint8Array>;
  readonly securities: SecurityChange[];
  readonly notices: FileNotice[];
  readonly warnings: Warning[];
}

/** A change set of nothing. */
export function emptyChangeSet(): ChangeSet {
  return {
    operations: [],
    bringing: [],
    parents: [],
    byEntry: new Map(),
    nested: [],
    nestedDirectories: [],
    directories: [],
    reclaim: [],
    preserved: new Map(),
    newDefaults: [],
    descriptors: new Map(),
    securities: [],
    notices: [],
    warnings: [],
  };
}
