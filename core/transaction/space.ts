/** Whether what will be staged fits, file system by file system (transactions.md section 9). Advisory (T-SPACE-08). */
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import type { Directory } from "../system.ts";
import type { DirectoryPool } from "./directories.ts";
import { describeFailure } from "./failures.ts";
import type { ChangeSet, FileOperation } from "./file_operation.ts";
import { parentPath } from "./names.ts";

/** Kept free for inodes, directory blocks and journals (T-SPACE-03). */
const MARGIN_BYTES = 32 * 1024 * 1024;
const MARGIN_INODES = 64;
/** What one journal row may take in the database (T-SPACE-05). */
const JOURNAL_ROW_BYTES = 1024;

interface Demand {
  readonly directory: Directory;
  readonly fragmentBytes: number;
  bytes: number;
  inodes: number;
}

/**
 * Compares what the change set stages with what each file system has left.
 *
 * @param hasRetained Whether there are kept backups to drop, for the message; asked only when space is short
 *   (T-SPACE-06).
 * @throws {PeipkgError} `no-space` (`DISK_SPACE`), naming every file system that is too small
 */
export function requireSpace(
  pool: DirectoryPool,
  state: Directory,
  changes: ChangeSet,
  hasRetained: () => boolean,
): readonly Warning[] {
  const warnings: Warning[] = [];
  const demands = new Map<bigint, Demand | undefined>();
  let last: { readonly parent: string; readonly demand: Demand | undefined } | undefined;
  const demandAt = (directory: Directory): Demand | undefined => {
    if (!demands.has(directory.device)) demands.set(directory.device, startDemand(directory, warnings));
    return demands.get(directory.device);
  };
  const add = (path: string, sizeBytes: number): void => {
    const parent = parentPath(path);
    if (last?.parent !== parent) last = { parent, demand: demandAt(pool.nearest(parent)) };
    if (last.demand === undefined) return;
    last.demand.bytes += Math.ceil(sizeBytes / last.demand.fragmentBytes) * last.demand.fragmentBytes;
    last.demand.inodes++;
  };
  for (const path of changes.directories) add(path, 1); // T-SPACE-03: one fragment each
  for (const { within } of changes.nestedDirectories) add(within.path, 1);
  const addFile = (change: FileOperation): void => {
    // What lies inside a staged directory is written beside the object that directory replaces.
    const { path } = change.within ?? change;
    if (change.newType !== undefined) add(path, change.newSizeBytes ?? 0);
  };
  changes.bringing.forEach(addFile);
  changes.nested.forEach(addFile);
  const stateDemand = demandAt(state);
  if (stateDemand !== undefined) stateDemand.bytes += changes.operations.length * JOURNAL_ROW_BYTES;
  refuseShortage(pool, [...demands.values()], hasRetained);
  return warnings;
}

function startDemand(directory: Directory, warnings: Warning[]): Demand | undefined {
  try {
    const { fragmentBytes } = directory.fileSystemStatus();
    return { directory, fragmentBytes: Math.max(1, fragmentBytes), bytes: MARGIN_BYTES, inodes: MARGIN_INODES };
  } catch (error) {
    if (error instanceof PeipkgError) throw error;
    // T-SPACE-07: not knowing is not the same as being full.
    warnings.push({
      rule: "W_SPACE_UNKNOWN",
      text: `cannot tell how much space is left at ${directory.path}: ${describeFailure(error)}`,
    });
    return undefined;
  }
}

function refuseShortage(
  pool: DirectoryPool,
  demands: readonly (Demand | undefined)[],
  hasRetained: () => boolean,
): void {
  const short: { mount: string; needed: number; available: number }[] = [];
  for (const demand of demands) {
    if (demand === undefined) continue;
    const status = demand.directory.fileSystemStatus();
    const lacksInodes = status.inodes !== 0 && status.inodesFree < demand.inodes; // T-SPACE-04
    if (status.availableBytes >= demand.bytes && !lacksInodes) continue;
    short.push({ mount: pool.mountPoint(demand.directory), needed: demand.bytes, available: status.availableBytes });
  }
  const [first] = short;
  if (first === undefined) return;
  const hint = hasRetained() ? { hint: "'peipkg clean --backups' gives space back by dropping kept backups" } : {};
  throw ruleError(
    "DISK_SPACE",
    `cannot stage the packages: ${first.needed} bytes are needed at ${first.mount}, ${first.available} are available`,
    { filesystems: short, ...hint },
  );
}
