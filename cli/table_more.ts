/**
 * The commands of the table that look into, keep or describe a whole installation: checks, queries, backups,
 * inventories. Part of the one table of `table.ts`, which spreads it.
 */
import type { CommandSpec, OperandSpec, OptionSpec, OutputKind, Words } from "./command.ts";

const YES: OptionSpec = { name: "yes", short: "y", summary: "answer the routine question with yes" };
const DRY_RUN: OptionSpec = { name: "dry-run", summary: "show what would be done and change nothing" };

const PACKAGES: OperandSpec = { label: "package", kind: "installed", repeatable: true, optional: true };

const isGiven = (option: string) => ({ options }: Words): boolean => options[option] !== undefined;

const eventsWith = (option: string) => (words: Words): OutputKind => isGiven(option)(words) ? "events" : "document";

const CHECK: CommandSpec = {
  name: "check",
  group: "information",
  summary: "look for everything that can be wrong with an installation",
  description: [
    "Looks at relations between packages, at recorded files and at the database; with selectors, only at what they " +
    "name. The database and strays are always looked at as a whole.",
    "With --fix, missing dependencies are installed, damaged packages are written again from their origin, and strays " +
    "are removed. The database itself is never edited.",
  ],
  operands: [PACKAGES],
  options: [
    { name: "deps", summary: "dependencies and conflicts of installed packages" },
    { name: "files", summary: "recorded files, as verify does" },
    { name: "database", summary: "the package database" },
    { name: "stray", summary: "leftovers, and files no package owns in directories only packages write" },
    { name: "quick", summary: "whether files exist, not what is in them" },
    { name: "fix", summary: "offer to repair what can be repaired" },
    DRY_RUN,
    YES,
  ],
  needs: "installation",
  output: eventsWith("fix"),
  asks: isGiven("fix"),
  statusOne: "problems were found, or the check could not be made",
  examples: [
    { line: "peipkg check", meaning: "check everything but strays" },
    { line: "peipkg check --files --fix nginx", meaning: "write nginx again if it is damaged" },
  ],
  load: () => import("./commands/check.ts"),
};

const BACKUP: CommandSpec = {
  name: "backup",
  group: "history",
  summary: "write the package database into a file",
  description: [
    "Takes a consistent snapshot while others go on reading and writing, as one compressed file with a digest. An " +
    "existing file is never overwritten; - writes to standard output.",
  ],
  operands: [{ label: "file|-", kind: "file" }],
  requirement: "exactly one file is required, - for standard output",
  options: [],
  needs: "installation",
  output: "events",
  examples: [
    { line: "peipkg backup /var/backups/peipkg.backup", meaning: "keep a copy" },
    { line: "peipkg backup - | ssh host 'cat > peipkg.backup'", meaning: "keep it elsewhere" },
  ],
  load: () => import("./commands/backup.ts"),
};

const RESTORE: CommandSpec = {
  name: "restore",
  group: "history",
  summary: "replace the package database by a backup",
  description: [
    "Proves the digest, shows how many package records would be added, dropped and changed, asks, and keeps a backup " +
    "of what it replaces. Files are not touched; run check afterwards.",
    "Freshness floors never fall, revoked keys stay revoked, and trust returns only for repositories that are " +
    "configured as they were.",
  ],
  operands: [{ label: "file", kind: "file" }],
  requirement: "exactly one backup is required",
  options: [DRY_RUN, YES],
  needs: "installation",
  output: "events",
  asks: true,
  examples: [{ line: "peipkg restore --dry-run peipkg.backup", meaning: "show what would change" }],
  load: () => import("./commands/restore.ts"),
};

/** In the order of the help. */
export const MORE_COMMANDS: readonly CommandSpec[] = [CHECK, BACKUP, RESTORE];
