/** The commands of the table that tell what is installed and on offer, and whether it is sound. */
import type { CommandSpec, OptionSpec, OutputKind, Words } from "./command.ts";
import { choice, DRY_RUN, flag, packages, YES } from "./table_common.ts";

const NUL = flag("null", "end values with NUL instead of newline, unescaped; not to a terminal", { short: "0" });

const LIST: CommandSpec = {
  name: "list",
  group: "information",
  summary: "list installed packages",
  operands: [packages("pattern", "installed", true)],
  options: [
    flag("manual", "only packages that were asked for", { excludes: ["auto"] }),
    flag("auto", "only packages drawn in as dependencies"),
    flag("locked", "only locked packages"),
    flag("orphaned", "only packages whose origin is no longer configured"),
    flag("leaves", "only packages that no other one needs"),
    NUL,
  ],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg list", meaning: "list everything installed" }, {
    line: "peipkg list --manual 'lib*'",
    meaning: "list libraries that were asked for",
  }],
  load: () => import("./commands/list.ts"),
};

const FILES: CommandSpec = {
  name: "files",
  group: "information",
  summary: "list the files of an installed package",
  operands: [packages("package", "installed")],
  requirement: "at least one package name is required",
  options: [choice("type", ["file", "dir", "symlink"], "only objects of this type"), NUL],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg files nginx", meaning: "list what nginx installed" }],
  load: () => import("./commands/files.ts"),
};

const OWNS: CommandSpec = {
  name: "owns",
  group: "information",
  summary: "show which package owns a path",
  description: [
    "Names the package that owns PATH; for a directory, every owner. A claim link is answered with its holder.",
  ],
  operands: [packages("path", "file")],
  requirement: "at least one path is required",
  options: [
    flag("glob", "the operands are patterns of recorded paths"),
    flag("available", "search the file lists of repositories, where offered", { excludes: ["glob"] }),
    NUL,
  ],
  needs: "installation",
  output: "document",
  statusOne: "no package owns it, or the answer could not be had",
  examples: [{ line: "peipkg owns /usr/sbin/nginx", meaning: "name the package behind a file" }],
  load: () => import("./commands/owns.ts"),
};

const VERIFY: CommandSpec = {
  name: "verify",
  group: "information",
  summary: "compare installed files with what was recorded",
  operands: [packages("package", "installed", true)],
  options: [],
  needs: "installation",
  output: "document",
  statusOne: "problems were found, or the check could not be made",
  examples: [{ line: "peipkg verify", meaning: "check everything" }, {
    line: "peipkg verify nginx",
    meaning: "check one package",
  }],
  load: () => import("./commands/verify.ts"),
};

const INFO: CommandSpec = {
  name: "info",
  group: "information",
  summary: "show the record of a package",
  description: [
    "Shows what is recorded of installed packages; of package files what is in them, checked in full but trusted to " +
    "nobody.",
  ],
  operands: [packages("package|file.peipkg", "installed")],
  requirement: "at least one package name or package file is required",
  options: [
    flag("available", "show what repositories offer instead"),
    flag("exists", "say by the exit status alone whether the packages are installed", { excludes: ["available"] }),
  ],
  needs: "installation",
  output: "document",
  statusOne: "a package is not installed, or the answer could not be had",
  examples: [{ line: "peipkg info nginx", meaning: "show what is installed" }, {
    line: "peipkg info -v nginx",
    meaning: "show its relations as well",
  }],
  load: () => import("./commands/info.ts"),
};

const SEARCH: CommandSpec = {
  name: "search",
  group: "information",
  summary: "find packages that repositories offer",
  description: [
    "Looks for TERM, without case, in the names and descriptions of the active indexes of enabled repositories.",
  ],
  operands: [{ label: "term", kind: "text" }],
  requirement: "exactly one search term is required",
  options: [
    flag("name", "look at names only", { excludes: ["description", "provides"] }),
    flag("description", "look at descriptions only", { excludes: ["provides"] }),
    flag("provides", "look at provided capabilities"),
    flag("glob", "the term is a pattern", { excludes: ["exact"] }),
    flag("exact", "the term is the whole text"),
    {
      name: "repository",
      value: { label: "NAME", kind: "repository" },
      repeatable: true,
      summary: "look in this repository only",
    },
    flag("all-versions", "also versions that only the archive lists"),
    flag("installed", "only packages that are installed", { excludes: ["not-installed"] }),
    flag("not-installed", "only packages that are not installed"),
  ],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg search proxy", meaning: "find proxies" }],
  load: () => import("./commands/search.ts"),
};

const WHY: CommandSpec = {
  name: "why",
  group: "information",
  summary: "explain why a package is installed",
  description: ["Shows the shortest chain from each package that was asked for to the one named, at most ten."],
  operands: [{ label: "package", kind: "installed" }],
  requirement: "exactly one package name is required",
  options: [flag("all", "show every chain")],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg why zlib", meaning: "show what needs zlib" }],
  load: () => import("./commands/why.ts"),
};

const STATS: CommandSpec = {
  name: "stats",
  group: "information",
  summary: "count what is installed and on offer",
  operands: [],
  options: [
    flag("local", "only the installed packages", { excludes: ["remote"] }),
    flag("remote", "only the repositories"),
    flag("bytes", "sizes in bytes"),
  ],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg stats", meaning: "show all figures" }],
  load: () => import("./commands/stats.ts"),
};

const SHLIB: CommandSpec = {
  name: "shlib",
  group: "information",
  summary: "show who provides and who needs a shared library",
  operands: [{ label: "library", kind: "text", optional: true }],
  synopses: ["[--provides|--requires] <library>", "--missing"],
  options: [
    flag("provides", "only who provides it", { excludes: ["requires", "missing"] }),
    flag("requires", "only who needs it", { excludes: ["missing"] }),
    flag("missing", "list needs that nothing installed provides"),
  ],
  needs: "installation",
  output: "document",
  statusOne: "the library is unknown, or with --missing something is missing",
  examples: [{ line: "peipkg shlib libz.so.1", meaning: "show both sides of a library" }],
  load: () => import("./commands/shlib.ts"),
};

const EXPORT: CommandSpec = {
  name: "export",
  group: "information",
  summary: "list installed packages for import elsewhere",
  operands: [],
  options: [flag("manual", "leave out automatic packages"), flag("versions", "with versions")],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg export --manual > packages.txt", meaning: "write down what was asked for" }],
  load: () => import("./commands/export.ts"),
};

const CONFIG: CommandSpec = {
  name: "config",
  group: "information",
  summary: "show the settings in force and where they come from",
  operands: [{ label: "key", kind: "key", optional: true }],
  options: [
    flag("changed", "only keys that differ from their default"),
    flag("repositories", "only the repositories", { excludes: ["changed", "check"] }),
    flag("check", "only say whether everything can be read", { excludes: ["changed"] }),
  ],
  needs: "tolerant-installation",
  output: "document",
  statusOne: "with --check, a configuration file is wrong",
  examples: [{ line: "peipkg config --changed", meaning: "show what was set" }],
  load: () => import("./commands/config.ts"),
};

const isGiven = (option: string) => ({ options }: Words): boolean => options[option] !== undefined;

const eventsWith = (option: string) => (words: Words): OutputKind => isGiven(option)(words) ? "events" : "document";

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
  operands: [packages("package", "installed", true)],
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

const AUDIT: CommandSpec = {
  name: "audit",
  group: "information",
  summary: "compare packages with security advisories",
  description: [
    "Says which installed packages, or offered ones, advisories in the OSV format are about. Advisories come from " +
    "trusted repositories, a URL or a file (key audit_source); what was fetched is kept and used until --fetch renews it.",
  ],
  operands: [packages("package", "installed", true)],
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
  operands: [{ label: "format", kind: "text", optional: true }, packages("package", "installed", true)],
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

const SBOM: CommandSpec = {
  name: "sbom",
  group: "information",
  summary: "describe what is installed, for compliance tools",
  description: [
    "Prints an inventory of everything installed, or of the named packages and all they need: versions, licences, " +
    "digests, origins and dependencies. Equal input and SOURCE_DATE_EPOCH give equal bytes.",
  ],
  operands: [packages("package", "installed", true)],
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

/** In the order of the help. */
export const INFORMATION: readonly CommandSpec[] = [
  LIST,
  INFO,
  FILES,
  OWNS,
  SEARCH,
  WHY,
  STATS,
  VERIFY,
  SHLIB,
  EXPORT,
  CONFIG,
  WHY_NOT,
  CHECK,
  AUDIT,
  QUERY,
  RQUERY,
  SBOM,
];
