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

const AUDIT: CommandSpec = {
  name: "audit",
  group: "information",
  summary: "compare packages with security advisories",
  description: [
    "Says which installed packages, or offered ones, advisories in the OSV format are about. Advisories come from " +
    "trusted repositories, a URL or a file (key audit_source); what was fetched is kept and used until --fetch renews it.",
  ],
  operands: [PACKAGES],
  options: [
    { name: "fetch", summary: "fetch the advisories again first" },
    { name: "file", value: { label: "PATH", kind: "file" }, summary: "read advisories from PATH", excludes: ["fetch"] },
    { name: "recursive", summary: "also name what depends on a vulnerable package" },
    {
      name: "ignore",
      value: { label: "ID", kind: "text" },
      repeatable: true,
      summary: "leave out this advisory, by its identifier or an alias",
    },
    { name: "available", summary: "check what repositories offer instead" },
  ],
  needs: "installation",
  output: "document",
  statusOne: "a package is vulnerable, or the audit could not be made",
  examples: [
    { line: "peipkg audit --fetch", meaning: "check everything against the newest advisories" },
    { line: "peipkg audit --file osv.zip nginx", meaning: "check one package against a file" },
  ],
  load: () => import("./commands/audit.ts"),
};

const NUL: OptionSpec = {
  name: "null",
  short: "0",
  summary: "end values with NUL instead of newline, unescaped; not to a terminal",
};
const EXPRESSION: OptionSpec = {
  name: "expression",
  short: "e",
  value: { label: "EXPR", kind: "text" },
  summary: "only packages for which this is true",
};
const QUERY_NOTES: readonly string[] = [
  "A format is text with patterns: %n name, %v version, %q architecture, %R origin or repository, %c description, " +
  "%w homepage, %l licence, %sb and %sh installed size in bytes and readable, %dn and %dv dependencies, %En %xn %zn " +
  "optional dependencies, conflicts and replaced packages (v for their constraints), %yn and %yv provided " +
  "capabilities. %?X tells whether list X has entries, %#X how many; %{dn|, } joins a list on one line. Otherwise a " +
  "list makes one line per element. \\n, \\t, \\\\ and %% are a newline, a tab, a " +
  "backslash and a percent sign.",
  "An expression compares patterns: ~ and !~ with a glob, = and != exactly, =~ and !=~ without case, < <= > >= by " +
  "number, or for %v by version; && || ! and parentheses join. A list matches if any element does.",
];

const QUERY: CommandSpec = {
  name: "query",
  group: "information",
  summary: "print chosen fields of installed packages",
  description: [
    "Prints FORMAT for each installed package, or for a package file.",
    ...QUERY_NOTES,
    "Of installed packages also: %t and %T install time, %a automatic, %k locked, %rn and %rv dependents, %Fp %Ft %Fs " +
    "%Fl files, %D directories, %h roles held, %b and %B libraries provided and required, %At and %Av annotations.",
  ],
  operands: [{ label: "format", kind: "text", optional: true }, PACKAGES],
  synopses: ["[options] <format> [package]...", "--file PKG.peipkg <format>"],
  options: [
    EXPRESSION,
    NUL,
    {
      name: "file",
      value: { label: "PKG.peipkg", kind: "file" },
      summary: "ask about a package file, which is checked in full",
    },
  ],
  needs: "installation",
  output: "document",
  examples: [
    { line: "peipkg query '%n %v'", meaning: "list names and versions" },
    { line: "peipkg query -e '%a = 0 && %#r = 0' '%n'", meaning: "list what was asked for and nothing needs" },
  ],
  load: () => import("./commands/query.ts"),
};

const RQUERY: CommandSpec = {
  name: "rquery",
  group: "information",
  summary: "print chosen fields of packages on offer",
  description: [
    "Prints FORMAT for each package that enabled repositories offer.",
    ...QUERY_NOTES,
    "Of offered packages also: %Sb and %Sh download size in bytes and readable.",
  ],
  operands: [
    { label: "format", kind: "text", optional: true },
    { label: "package", kind: "available", repeatable: true, optional: true },
  ],
  synopses: ["[options] <format> [package]..."],
  options: [
    {
      name: "repository",
      value: { label: "NAME", kind: "repository" },
      repeatable: true,
      summary: "look in this repository only",
    },
    { name: "all-versions", summary: "also versions that only the archive lists" },
    EXPRESSION,
    NUL,
  ],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg rquery -e '%Sb > 10000000' '%n %Sh'", meaning: "list large downloads" }],
  load: () => import("./commands/query.ts"),
};

const settles = ({ options }: Words): boolean =>
  ["use-new", "keep", "merged"].some((name) => options[name] !== undefined);

const SBOM: CommandSpec = {
  name: "sbom",
  group: "information",
  summary: "describe what is installed, for compliance tools",
  description: [
    "Prints an inventory of everything installed, or of the named packages and all they need: versions, licences, " +
    "digests, origins and dependencies. Equal input and SOURCE_DATE_EPOCH give equal bytes.",
  ],
  operands: [PACKAGES],
  options: [
    {
      name: "format",
      value: { label: "spdx|cyclonedx", kind: "choice", choices: ["spdx", "cyclonedx"] },
      summary: "SPDX 2.3 (default) or CycloneDX 1.5, both as JSON",
    },
    { name: "files", summary: "also every file with its SHA-256" },
    { name: "out", value: { label: "FILE", kind: "file" }, summary: "write to FILE, replacing it as a whole" },
  ],
  needs: "installation",
  output: "text",
  examples: [
    { line: "peipkg sbom > inventory.spdx.json", meaning: "describe everything" },
    { line: "peipkg sbom --format cyclonedx --files nginx", meaning: "describe nginx and what it needs" },
  ],
  load: () => import("./commands/sbom.ts"),
};

const DIFF: CommandSpec = {
  name: "diff",
  group: "maintenance",
  summary: "look at and settle new defaults of edited configuration files",
  description: [
    "An upgrade that meets an edited configuration file leaves it alone and puts the new default beside it, ending in " +
    ".peipkg-new. Without operands these are listed; with paths, the differences are shown.",
    "Then each can be taken (the old file is kept as .peipkg-old), left, or replaced by the result of a merge. No " +
    "merge tool is run.",
  ],
  operands: [{ label: "path", kind: "file", repeatable: true, optional: true }],
  synopses: ["[path]...", "--use-new|--keep <path>... [-y]", "--merged FILE <path> [-y]"],
  options: [
    { name: "use-new", summary: "put the new default in place", excludes: ["keep", "merged"] },
    { name: "keep", summary: "keep the present file and delete the new default", excludes: ["merged"] },
    { name: "merged", value: { label: "FILE", kind: "file" }, summary: "put the content of FILE in place" },
    YES,
  ],
  needs: "installation",
  output: (words) => settles(words) ? "events" : "document",
  asks: settles,
  examples: [
    { line: "peipkg diff", meaning: "list what waits to be settled" },
    { line: "peipkg diff --use-new /etc/nginx/nginx.conf", meaning: "take the new default" },
  ],
  load: () => import("./commands/diff.ts"),
};

const WHY_NOT: CommandSpec = {
  name: "why-not",
  group: "information",
  summary: "explain what keeps a package or version from being installed",
  description: [
    "Plans what install would do for the name or exact version, and for an installed package without a version what " +
    "upgrade would, then says what stands in the way, or that nothing does. Nothing is fetched or changed: the answer " +
    "is that of the indexes last refreshed, whatever auto_refresh_hours says, and of the archive as last fetched.",
  ],
  operands: [{ label: "package[=version]", kind: "available" }],
  requirement: "exactly one package name is required",
  options: [],
  needs: "installation",
  output: "document",
  examples: [
    { line: "peipkg why-not nginx", meaning: "show what keeps nginx out, or at its version" },
    { line: "peipkg why-not nginx=1.26", meaning: "ask about one version" },
  ],
  load: () => import("./commands/why_not.ts"),
};

/** In the order of the help. */
export const MORE_COMMANDS: readonly CommandSpec[] = [
  WHY_NOT,
  CHECK,
  AUDIT,
  QUERY,
  RQUERY,
  SBOM,
  BACKUP,
  RESTORE,
  DIFF,
];
