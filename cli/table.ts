/**
 * Every command of `peipkg`, in the order of its help. Only what works is listed (C-HELP-01); the run part of each
 * command is loaded when it runs.
 */
import type { CommandSpec, OperandSpec, OptionSpec, OutputKind, Program, Words } from "./command.ts";
import { MORE_COMMANDS } from "./table_more.ts";
import { SELF } from "./table_self.ts";
import { REPOSITORY_COMMANDS } from "./table_repositories.ts";

const flag = (name: string, summary: string, more: Partial<OptionSpec> = {}): OptionSpec => ({
  name,
  summary,
  ...more,
});

const number = (
  name: string,
  label: string,
  summary: string,
  min: number,
  more: Partial<OptionSpec> = {},
): OptionSpec => ({ name, value: { label, kind: "number", min }, summary, ...more });

const choice = (name: string, choices: readonly string[], summary: string): OptionSpec => ({
  name,
  value: { label: choices.join("|"), kind: "choice", choices },
  summary,
});

const packages = (label: string, kind: OperandSpec["kind"], optional?: true): OperandSpec =>
  optional === undefined ? { label, kind, repeatable: true } : { label, kind, repeatable: true, optional };

// --- Options of several commands (C-OPT-01) --------------------------------------------------------------------
const DRY_RUN = flag("dry-run", "show the plan and change nothing");
const YES = flag("yes", "answer the routine question with yes", { short: "y" });
const ALLOW_STALE = flag("allow-stale", "proceed though a repository is past its age limits");
const OVERWRITE_UNOWNED = flag(
  "overwrite-unowned",
  "replace differing files that belong to no package; each is kept beside its new version",
);
const SD_OVERRIDES = choice(
  "sd-overrides",
  ["apply", "store", "ignore"],
  "what to do with declared security descriptors on a kernel that cannot apply them (default apply, which refuses)",
);
const MODIFIED = choice("modified", ["keep", "remove", "abort"], "what to do with edited configuration files");
const ALLOW_CRITICAL = flag("allow-critical", "allow the removal of critical packages");
const CASCADE_REMOVE = flag("cascade", "also remove every package that needs one of these");
const CASCADE_CONFLICTS = flag("cascade", "remove installed packages that conflict");
const ALLOW_DOWNGRADE = flag("allow-downgrade", "let dependencies move backward, each asked for separately");
const NUL = flag("null", "end values with NUL instead of newline, unescaped; not to a terminal", { short: "0" });
const AUTOREMOVE = flag("autoremove", "also remove what becomes unused");
const FETCH_ONLY = flag("fetch-only", "stop after download");

/** The options every command takes (section 2 of the command-line specification). */
export const COMMON_GLOBALS: readonly OptionSpec[] = [
  flag("json", "machine output"),
  flag("quiet", "drop informational lines", { short: "q", excludes: ["verbose"] }),
  flag("verbose", "more detail; twice adds timing and request lines", { short: "v", repeatable: true }),
  choice("color", ["auto", "always", "never"], "when to colour the output (default auto)"),
  flag("help", "show help and stop", { short: "h" }),
  flag("version", "show the version and stop"),
];

const directory = (name: string, summary: string): OptionSpec => ({
  name,
  value: { label: "DIR", kind: "directory" },
  summary,
});

const GLOBALS: readonly OptionSpec[] = [
  directory("root", "operate on the installation below DIR (default /)"),
  directory("config-dir", "read peipkg.toml and *.repo here"),
  directory("state-dir", "keep database and lock here"),
  directory("cache-dir", "keep metadata and downloads here"),
  {
    name: "option",
    short: "o",
    value: { label: "KEY=VALUE", kind: "key" },
    repeatable: true,
    summary: "set one configuration key for this run",
  },
  ...COMMON_GLOBALS.slice(0, 4),
  flag("no-progress", "no progress display"),
  flag("offline", "fetch nothing over a network; file: repositories are read as ever"),
  flag("driven", "a program supplies the answers, one JSON object per line; implies --json"),
  number("lock-wait", "SECONDS", "wait this long for the writer lock (default 0)", 0),
  ...COMMON_GLOBALS.slice(4),
];

// --- Package changes -------------------------------------------------------------------------------------------
const INSTALL: CommandSpec = {
  name: "install",
  group: "changes",
  summary: "install packages and what they need",
  description: [
    "Installs the named packages, or package files, together with everything they need.",
    "A given file outranks every repository's candidate of its name and skips repository trust, not the " +
    "verification of its format. A package that is installed already is not upgraded by naming it.",
    "An empty root is begun with one command: --repo-file or --repo with --anchor first add a repository, by the same " +
    "comparison as repo add; one that is configured so already is left alone.",
  ],
  operands: [packages("package|file.peipkg", "available-or-file")],
  requirement: "at least one package or package file is required",
  options: [
    DRY_RUN,
    YES,
    ALLOW_STALE,
    OVERWRITE_UNOWNED,
    SD_OVERRIDES,
    MODIFIED,
    ALLOW_CRITICAL,
    CASCADE_CONFLICTS,
    ALLOW_DOWNGRADE,
    flag("no-claim", "take no role"),
    {
      name: "claim",
      value: { label: "ROLE[,ROLE]", kind: "role" },
      repeatable: true,
      summary: "take these roles, even if another package holds them",
    },
    flag("claim-all", "take every role the packages can take", {
      excludes: ["no-claim", "claim"],
      exclusionRule: "CLAIM_FLAGS_CONFLICT",
    }),
    flag("auto", "mark the packages as automatically installed"),
    flag("reinstall", "write installed packages again at the same version"),
    {
      name: "repository",
      value: { label: "NAME", kind: "repository" },
      repeatable: true,
      summary: "take candidates only from this repository",
    },
    FETCH_ONLY,
    flag("require-signature", "refuse package files not signed by a key of a configured repository"),
    {
      name: "repo-file",
      value: { label: "NAME.repo", kind: "file" },
      repeatable: true,
      summary: "first add the repository this file describes",
      excludes: ["dry-run"],
    },
    {
      name: "repo",
      value: { label: "NAME=URL", kind: "text" },
      summary: "first add this repository",
      excludes: ["dry-run"],
    },
    {
      name: "anchor",
      value: { label: "FINGERPRINT", kind: "text" },
      repeatable: true,
      summary: "fingerprint of a key the repository of --repo is trusted by",
    },
    flag("insecure", "let the repository of --repo be reached over plain http"),
  ],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: [
    "downgrade",
    "foreign-replaces",
    "foreign-conflicts",
    "low-trust-provides",
    "sd-override",
    "sd-unsupported",
    "claim-override",
  ],
  examples: [
    { line: "peipkg install nginx", meaning: "install nginx and what it needs" },
    { line: "peipkg install --dry-run ./tool_2.0-1_x86_64.peipkg", meaning: "show what installing a file would do" },
    {
      line: "peipkg --root /mnt/target install --repo-file official.repo base",
      meaning: "begin an empty root with a repository and a package",
    },
  ],
  load: () => import("./commands/install.ts"),
};

const REMOVE: CommandSpec = {
  name: "remove",
  aliases: ["uninstall"],
  group: "changes",
  summary: "remove packages",
  description: [
    "Removes the named packages. A package others need is refused unless --cascade takes them along.",
    "Only files the packages own are deleted; directories go when they are empty and no other package owns them.",
  ],
  operands: [packages("package", "installed")],
  requirement: "at least one package name is required",
  options: [DRY_RUN, YES, MODIFIED, ALLOW_CRITICAL, CASCADE_REMOVE, AUTOREMOVE],
  needs: "installation",
  output: "events",
  asks: true,
  examples: [
    { line: "peipkg remove nginx", meaning: "remove nginx" },
    { line: "peipkg remove --cascade --dry-run libfoo", meaning: "show what would go with libfoo" },
  ],
  load: () => import("./commands/remove.ts"),
};

const UPGRADE: CommandSpec = {
  name: "upgrade",
  group: "changes",
  summary: "move installed packages to newer versions",
  description: [
    "Upgrades the named packages, or every installed package when none is named. New dependencies come along.",
  ],
  operands: [packages("package", "installed", true)],
  options: [
    DRY_RUN,
    YES,
    ALLOW_STALE,
    OVERWRITE_UNOWNED,
    SD_OVERRIDES,
    MODIFIED,
    ALLOW_CRITICAL,
    CASCADE_CONFLICTS,
    ALLOW_DOWNGRADE,
    {
      name: "exclude",
      value: { label: "NAME", kind: "installed" },
      repeatable: true,
      summary: "leave this package as it is",
    },
    flag("vulnerable", "only packages that audit reports"),
    AUTOREMOVE,
    FETCH_ONLY,
  ],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: [
    "downgrade",
    "foreign-replaces",
    "foreign-conflicts",
    "low-trust-provides",
    "sd-override",
    "sd-unsupported",
  ],
  examples: [
    { line: "peipkg upgrade", meaning: "upgrade everything" },
    { line: "peipkg upgrade --dry-run nginx", meaning: "show what upgrading nginx would do" },
  ],
  load: () => import("./commands/upgrade.ts"),
};

const DOWNGRADE: CommandSpec = {
  name: "downgrade",
  group: "changes",
  summary: "move one package back to an exact version",
  description: [
    "Moves an installed package back to VERSION, taken from the active or archive indexes. Written without a " +
    "revision it means the highest revision of that upstream version on offer. Always asked for separately.",
  ],
  operands: [{ label: "package", kind: "installed" }, { label: "version", kind: "version" }],
  requirement: "exactly one package name and one version are required",
  options: [DRY_RUN, YES, ALLOW_STALE, OVERWRITE_UNOWNED, SD_OVERRIDES],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: [
    "downgrade",
    "foreign-replaces",
    "foreign-conflicts",
    "low-trust-provides",
    "sd-override",
    "sd-unsupported",
  ],
  examples: [{ line: "peipkg downgrade nginx 1.27.4-1", meaning: "go back to nginx 1.27.4-1" }],
  load: () => import("./commands/downgrade.ts"),
};

const UNDO: CommandSpec = {
  name: "undo",
  group: "changes",
  summary: "reverse the newest transaction",
  description: [
    "Inverts the newest committed transaction as a new one: what it installed is removed, the rest goes back to the " +
    "former version, roles to the former holder. Set-aside files serve first, so a recent undo needs no network.",
  ],
  operands: [],
  options: [DRY_RUN, YES, OVERWRITE_UNOWNED, SD_OVERRIDES, MODIFIED, ALLOW_CRITICAL],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: ["downgrade", "foreign-replaces", "foreign-conflicts", "sd-override", "sd-unsupported", "claim-override"],
  examples: [{ line: "peipkg undo", meaning: "reverse what was done last" }],
  load: () => import("./commands/undo.ts"),
};

const AUTOREMOVE_COMMAND: CommandSpec = {
  name: "autoremove",
  group: "changes",
  summary: "remove packages that were drawn in and are no longer needed",
  description: [
    "Removes automatic packages that no manual, locked, critical or role-holding package needs any more, over " +
    "dependencies, capabilities and optional dependencies.",
  ],
  operands: [],
  options: [
    DRY_RUN,
    YES,
    MODIFIED,
    ALLOW_CRITICAL,
    {
      name: "keep",
      value: { label: "NAME", kind: "installed" },
      repeatable: true,
      summary: "keep this package and what it needs",
    },
    flag("ignore-optional", "optional dependencies do not keep a package"),
  ],
  needs: "installation",
  output: "events",
  asks: true,
  examples: [{ line: "peipkg autoremove --dry-run", meaning: "show what nothing needs" }],
  load: () => import("./commands/autoremove.ts"),
};

const isChangingClaim = ({ operands, options }: Words): boolean =>
  operands.length > 1 || options["reconcile"] !== undefined;

const CLAIM: CommandSpec = {
  name: "claim",
  group: "changes",
  summary: "show and change which package holds a role",
  description: [
    "Several packages can provide a role; one holds it and owns its links. Without operands every known role is shown, " +
    "with a role its holder, links and eligible providers. grant and revoke change the holder; --reconcile makes every " +
    "link match the records and rebuilds those below /run.",
  ],
  operands: [
    { label: "role", kind: "role", optional: true },
    { label: "grant|revoke", kind: "choice", choices: ["grant", "revoke"], optional: true },
    { label: "package", kind: "installed", optional: true },
  ],
  synopses: ["[role]", "[options] <role> grant <package>", "[options] <role> revoke", "--reconcile"],
  options: [
    flag("reconcile", "make every link match the records"),
    DRY_RUN,
    YES,
    OVERWRITE_UNOWNED,
    ALLOW_CRITICAL,
  ],
  needs: "installation",
  output: (words) => isChangingClaim(words) ? "events" : "document",
  asks: ({ operands }) => operands.length > 1,
  elevated: ["claim-override"],
  examples: [
    { line: "peipkg claim registryd", meaning: "show who holds a role" },
    { line: "peipkg claim registryd grant altregd", meaning: "give a role to another package" },
  ],
  load: () => import("./commands/claim.ts"),
};

const IMPORT: CommandSpec = {
  name: "import",
  group: "changes",
  summary: "install the packages of an exported list",
  description: ["Installs what the list names and is missing here, with the recorded marks."],
  operands: [{ label: "file|-", kind: "file" }],
  requirement: "exactly one list is required, - for standard input",
  options: [
    DRY_RUN,
    YES,
    ALLOW_STALE,
    OVERWRITE_UNOWNED,
    SD_OVERRIDES,
    MODIFIED,
    ALLOW_CRITICAL,
    flag("exact", "take exactly the listed versions"),
    flag("prune", "also remove packages that are not listed"),
  ],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: [
    "downgrade",
    "foreign-replaces",
    "foreign-conflicts",
    "low-trust-provides",
    "sd-override",
    "sd-unsupported",
  ],
  examples: [{ line: "peipkg import --dry-run packages.txt", meaning: "show what is missing here" }],
  load: () => import("./commands/import.ts"),
};

// --- Repositories ----------------------------------------------------------------------------------------------
const REFRESH: CommandSpec = {
  name: "refresh",
  group: "repositories",
  summary: "fetch newer metadata from repositories",
  description: [
    "Fetches and verifies the metadata of the named repositories, or of all enabled ones. Each stands for itself: a " +
    "failure leaves its state as it was. A repository without trust state runs the ceremony from its anchors.",
  ],
  operands: [packages("repository", "repository", true)],
  options: [],
  needs: "installation",
  output: "events",
  statusOne: "at least one repository failed",
  examples: [{ line: "peipkg refresh", meaning: "refresh all repositories" }],
  load: () => import("./commands/refresh.ts"),
};

const REPO: CommandSpec = {
  name: "repo",
  group: "repositories",
  summary: "add, list, switch and remove repositories",
  operands: [],
  options: [],
  needs: "installation",
  output: "events",
  subcommands: [
    {
      name: "add",
      group: "repositories",
      summary: "trust a repository and fetch its index",
      description: [
        "Fetches the repository's descriptor and keys, shows their fingerprints beside the ones given, and records the " +
        "trust when they match. With a name alone the ceremony is run for an existing file.",
        "Get the fingerprint from the publisher by a way that does not pass through the repository itself.",
      ],
      operands: [
        { label: "name", kind: "text" },
        { label: "base-url", kind: "text", optional: true },
      ],
      synopses: ["<name> <base-url> --anchor FINGERPRINT [options]", "<name> [-y]"],
      requirement: "a name, or a name and a base URL are required",
      options: [
        {
          name: "anchor",
          value: { label: "FINGERPRINT", kind: "text" },
          repeatable: true,
          summary: "fingerprint of a key the repository signs with: 64 hexadecimal digits",
        },
        number("priority", "N", "rank, lower is stronger (default 50)", 1),
        choice("policy", ["required", "optional"], "whether signatures are required (default required)"),
        number("min-index-version", "N", "lowest index version accepted at first (default 0)", 0),
        flag("insecure", "allow plain http; warned about on every operation"),
        number("max-trusted-age-days", "N", "oldest trusted refresh (default 30)", 1),
        number("max-index-staleness-days", "N", "oldest trusted index (default 90)", 1),
        flag("replace", "change the settings of a name that is configured"),
        YES,
      ],
      needs: "installation",
      output: "events",
      asks: true,
      elevated: ["weaken-trust"],
      examples: [{
        line: "peipkg repo add official https://pkgs.peios.org --anchor 'ef86 709c …'",
        meaning: "add a repository",
      }],
      load: () => import("./commands/repo/add.ts"),
    },
    {
      name: "list",
      group: "repositories",
      summary: "list configured repositories, strongest first",
      operands: [],
      options: [],
      needs: "installation",
      output: "document",
      examples: [{ line: "peipkg repo list", meaning: "list what is configured" }],
      load: () => import("./commands/repo/list.ts"),
    },
    {
      name: "remove",
      group: "repositories",
      summary: "forget a repository; its packages stay and become orphaned",
      operands: [{ label: "name", kind: "repository" }],
      requirement: "exactly one repository name is required",
      options: [],
      needs: "installation",
      output: "events",
      examples: [{ line: "peipkg repo remove internal", meaning: "forget a repository" }],
      load: () => import("./commands/repo/remove.ts"),
    },
    ...(["enable", "disable"] as const).map((name): CommandSpec => ({
      name,
      group: "repositories",
      summary: name === "enable"
        ? "use a repository again"
        : "leave a repository out of planning and search, keeping its trust",
      operands: [{ label: "name", kind: "repository" }],
      requirement: "exactly one repository name is required",
      options: [],
      needs: "installation",
      output: "events",
      examples: [{ line: `peipkg repo ${name} internal`, meaning: `${name} a repository` }],
      load: () => import("./commands/repo/enable.ts"),
    })),
    {
      name: "keys",
      group: "repositories",
      summary: "list the keys a repository may sign with",
      operands: [{ label: "name", kind: "repository" }],
      requirement: "exactly one repository name is required",
      options: [],
      needs: "installation",
      output: "document",
      examples: [{ line: "peipkg repo keys official", meaning: "show fingerprints, status and expiry" }],
      load: () => import("./commands/repo/keys.ts"),
    },
  ],
  examples: [{ line: "peipkg repo list", meaning: "list what is configured" }],
};

// --- Information -----------------------------------------------------------------------------------------------
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

// --- History and recovery --------------------------------------------------------------------------------------
const HISTORY: CommandSpec = {
  name: "history",
  group: "history",
  summary: "list transactions, newest first",
  operands: [{ label: "id", kind: "number", optional: true }],
  synopses: ["[options]", "<id>"],
  options: [
    number("count", "N", "show at most N; 0 shows all (default 20)", 0, { short: "n" }),
    {
      name: "package",
      value: { label: "NAME", kind: "installed" },
      summary: "only transactions that changed this package",
    },
  ],
  needs: "installation",
  output: "document",
  examples: [{ line: "peipkg history -n 5", meaning: "show the last five" }, {
    line: "peipkg history 47",
    meaning: "show what one transaction did",
  }],
  load: () => import("./commands/history.ts"),
};

const RECOVER: CommandSpec = {
  name: "recover",
  group: "history",
  summary: "roll back an interrupted transaction",
  description: [
    "Rolls an interrupted transaction back, as the next change would. What could not be rolled back is never resolved " +
    "by itself: the command tries again, and for a file that cannot be decided it asks.",
  ],
  operands: [],
  options: [
    flag("report", "change nothing; show the transaction and the state of everything concerned", {
      excludes: ["accept"],
    }),
    flag("accept", "keep what is on disk and give the undecided transaction up"),
    YES,
  ],
  needs: "installation",
  output: ({ options }) => options["report"] === undefined ? "events" : "document",
  elevated: ["accept-state"],
  examples: [
    { line: "peipkg recover", meaning: "roll back what was interrupted" },
    { line: "peipkg recover --report", meaning: "see what is left of it" },
  ],
  load: () => import("./commands/recover.ts"),
};

// --- Maintenance -----------------------------------------------------------------------------------------------
const CLEAN: CommandSpec = {
  name: "clean",
  group: "maintenance",
  summary: "delete cached files that nothing needs any more",
  description: [
    "Deletes cached metadata of repositories that are no longer configured, and on request downloads. Nothing that is " +
    "deleted cannot be fetched again.",
  ],
  operands: [],
  options: [
    flag("packages", "also downloads that no index lists"),
    flag("backups", "also set-aside files past their retention"),
    flag("all", "also every other download"),
    DRY_RUN,
  ],
  needs: "installation",
  output: "events",
  examples: [{ line: "peipkg clean --packages --dry-run", meaning: "show which downloads would go" }],
  load: () => import("./commands/clean.ts"),
};

const markCommand = (name: "manual" | "auto", summary: string): CommandSpec => ({
  name,
  group: "maintenance",
  summary,
  operands: [packages("package", "installed")],
  requirement: "at least one package name is required",
  options: [],
  needs: "installation",
  output: "events",
  examples: [{ line: `peipkg mark ${name} zlib`, meaning: summary }],
  load: () => import("./commands/mark/change.ts"),
});

const MARK: CommandSpec = {
  name: "mark",
  group: "maintenance",
  summary: "mark packages as asked for or as drawn in",
  description: ["Packages drawn in are removed by autoremove once nothing needs them; packages asked for never are."],
  operands: [],
  options: [],
  needs: "installation",
  output: "events",
  subcommands: [
    markCommand("manual", "mark packages as asked for"),
    markCommand("auto", "mark packages as drawn in"),
    {
      name: "list",
      group: "maintenance",
      summary: "list packages with their marks",
      operands: [{ label: "manual|auto", kind: "choice", choices: ["manual", "auto"], optional: true }],
      options: [],
      needs: "installation",
      output: "document",
      examples: [{ line: "peipkg mark list manual", meaning: "list what was asked for" }],
      load: () => import("./commands/mark/list.ts"),
    },
  ],
  examples: [{ line: "peipkg mark auto zlib", meaning: "let autoremove take zlib once nothing needs it" }],
};

const lockOutput = ({ options }: Words): OutputKind =>
  options["list"] !== undefined || options["has-locked"] !== undefined ? "document" : "events";

const LOCK: CommandSpec = {
  name: "lock",
  group: "maintenance",
  summary: "keep packages at their version",
  description: ["A locked package is not reinstalled, moved or removed; a full upgrade holds back what needs it."],
  operands: [packages("package", "installed", true)],
  synopses: ["<package>...", "--all", "--list", "--has-locked"],
  options: [
    flag("all", "lock every package", { excludes: ["list", "has-locked"] }),
    flag("list", "list what is locked", { excludes: ["has-locked"] }),
    flag("has-locked", "say by the exit status alone whether anything is locked"),
  ],
  needs: "installation",
  output: lockOutput,
  statusOne: "it failed, or with --has-locked nothing is locked",
  examples: [{ line: "peipkg lock nginx", meaning: "keep nginx where it is" }],
  load: () => import("./commands/lock.ts"),
};

const UNLOCK: CommandSpec = {
  name: "unlock",
  group: "maintenance",
  summary: "let locked packages change again",
  operands: [packages("package", "installed", true)],
  synopses: ["<package>...", "--all"],
  options: [flag("all", "unlock every package")],
  needs: "installation",
  output: "events",
  examples: [{ line: "peipkg unlock nginx", meaning: "let nginx be upgraded again" }],
  load: () => import("./commands/lock.ts"),
};

const ANNOTATION_OPERANDS: readonly OperandSpec[] = [
  { label: "package", kind: "installed" },
  { label: "tag", kind: "text" },
];

const ANNOTATE: CommandSpec = {
  name: "annotate",
  group: "maintenance",
  summary: "attach notes to installed packages",
  description: ["Notes are short texts under a tag. They are kept on upgrade and lost with the package."],
  operands: [],
  options: [],
  needs: "installation",
  output: "events",
  subcommands: [
    {
      name: "set",
      group: "maintenance",
      summary: "attach a note, - reads it from standard input",
      operands: [...ANNOTATION_OPERANDS, { label: "value|-", kind: "text" }],
      requirement: "a package name, a tag and a value are required",
      options: [],
      needs: "installation",
      output: "events",
      examples: [{ line: "peipkg annotate set nginx ticket OPS-417", meaning: "note a ticket" }],
      load: () => import("./commands/annotate/change.ts"),
    },
    {
      name: "get",
      group: "maintenance",
      summary: "print one note",
      operands: ANNOTATION_OPERANDS,
      requirement: "a package name and a tag are required",
      options: [],
      needs: "installation",
      output: "document",
      examples: [{ line: "peipkg annotate get nginx ticket", meaning: "print the ticket" }],
      load: () => import("./commands/annotate/show.ts"),
    },
    {
      name: "delete",
      group: "maintenance",
      summary: "remove one note",
      operands: ANNOTATION_OPERANDS,
      requirement: "a package name and a tag are required",
      options: [],
      needs: "installation",
      output: "events",
      examples: [{ line: "peipkg annotate delete nginx ticket", meaning: "remove the ticket" }],
      load: () => import("./commands/annotate/change.ts"),
    },
    {
      name: "list",
      group: "maintenance",
      summary: "list notes",
      operands: [packages("package", "installed", true)],
      options: [{ name: "tag", value: { label: "TAG", kind: "text" }, summary: "only notes under this tag" }],
      needs: "installation",
      output: "document",
      examples: [{ line: "peipkg annotate list --tag ticket", meaning: "list all tickets" }],
      load: () => import("./commands/annotate/show.ts"),
    },
  ],
  examples: [{ line: "peipkg annotate set nginx owner web-team", meaning: "note who looks after nginx" }],
};

const SCHEMA: CommandSpec = {
  name: "schema",
  group: "maintenance",
  summary: "print the JSON Schema of a command's machine output",
  description: [
    "Reading commands print one document under --json, described under the command's words joined with dashes; changing " +
    "commands print one event on each line, described under event. Failures are error, warnings of reading commands " +
    "warning.",
  ],
  operands: [{ label: "name", kind: "text", optional: true }],
  synopses: ["<name>", "--list"],
  options: [flag("list", "list the names")],
  needs: "nothing",
  output: "text",
  examples: [{ line: "peipkg schema event", meaning: "describe the events of changing commands" }],
  load: () => import("./commands/schema.ts"),
};

/** `completion` and what its scripts call; every program has them (C-COMP-01). */
export const completionCommands = (program: string): readonly CommandSpec[] => [
  {
    name: "completion",
    group: "maintenance",
    summary: "print the completion script for a shell",
    operands: [{ label: "bash|zsh|fish", kind: "choice", choices: ["bash", "zsh", "fish"] }],
    requirement: "exactly one shell is required: bash, zsh or fish",
    options: [],
    needs: "nothing",
    output: "text",
    examples: [{ line: `source <(${program} completion bash)`, meaning: "complete in this shell" }],
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "__complete",
    group: "maintenance",
    summary: "list what could stand at a place of a command line",
    operands: [
      { label: "shell", kind: "text" },
      { label: "index", kind: "number" },
      { label: "word", kind: "text", optional: true, repeatable: true },
    ],
    options: [],
    needs: "nothing",
    output: "text",
    examples: [],
    hidden: true,
    load: () => import("./commands/complete.ts"),
  },
];

const PEIPKG_COMMANDS: readonly CommandSpec[] = [
  INSTALL,
  REMOVE,
  UPGRADE,
  DOWNGRADE,
  UNDO,
  AUTOREMOVE_COMMAND,
  CLAIM,
  IMPORT,
  REFRESH,
  REPO,
  ...REPOSITORY_COMMANDS,
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
  HISTORY,
  RECOVER,
  CLEAN,
  MARK,
  LOCK,
  UNLOCK,
  ANNOTATE,
  ...MORE_COMMANDS,
  SELF,
  SCHEMA,
  ...completionCommands("peipkg"),
  {
    name: "help",
    group: "maintenance",
    summary: "show help for the program or a command",
    description: ["Shows the same text as --help after the command, the source of a manual page, or the error codes."],
    operands: [{ label: "command", kind: "command", optional: true, repeatable: true }],
    synopses: ["[command [subcommand]]", "--man <page>", "--errors"],
    options: [
      {
        name: "man",
        value: { label: "PAGE", kind: "text" },
        summary: "print the source of a manual page, for example peipkg-install(8)",
      },
      flag("errors", "list the error codes and their exact causes", { excludes: ["man"] }),
    ],
    needs: "nothing",
    output: "text",
    examples: [
      { line: "peipkg help install", meaning: "show help for install" },
      { line: "peipkg help --man peipkg.toml | man -l -", meaning: "read a manual page" },
    ],
    load: () => import("./commands/help.ts"),
  },
];

export const PEIPKG: Program = {
  name: "peipkg",
  summary: "the package manager of Peios",
  description: [
    "peipkg installs, upgrades and removes packages from signed repositories. Every change is one transaction: it is " +
    "shown before it is done, and it happens as a whole or not at all.",
  ],
  globals: GLOBALS,
  commands: PEIPKG_COMMANDS,
};
