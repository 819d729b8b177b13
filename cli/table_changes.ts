/** The commands of the table that change what is installed. */
import type { CommandSpec, Words } from "./command.ts";
import { ALLOW_STALE, choice, DRY_RUN, flag, packages, YES } from "./table_common.ts";

// --- Options of several of them (C-OPT-01) ----------------------------------------------------------------------
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
const AUTOREMOVE = flag("autoremove", "also remove what becomes unused");
const FETCH_ONLY = flag("fetch-only", "stop after download");

/** What bringing packages in may need. */
const ARRIVAL_OPTIONS = [
  DRY_RUN,
  YES,
  ALLOW_STALE,
  OVERWRITE_UNOWNED,
  SD_OVERRIDES,
  MODIFIED,
  ALLOW_CRITICAL,
  CASCADE_CONFLICTS,
  ALLOW_DOWNGRADE,
] as const;

/** What a plan that chooses packages may have to ask for. */
const ELEVATED: NonNullable<CommandSpec["elevated"]> = [
  "downgrade",
  "foreign-replaces",
  "foreign-conflicts",
  "low-trust-provides",
  "sd-override",
  "sd-unsupported",
];

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
    ...ARRIVAL_OPTIONS,
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
  elevated: [...ELEVATED, "claim-override"],
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
    ...ARRIVAL_OPTIONS,
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
  elevated: ELEVATED,
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
  elevated: ELEVATED,
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
  elevated: ELEVATED,
  examples: [{ line: "peipkg import --dry-run packages.txt", meaning: "show what is missing here" }],
  load: () => import("./commands/import.ts"),
};

/** In the order of the help. */
export const CHANGES: readonly CommandSpec[] = [
  INSTALL,
  REMOVE,
  UPGRADE,
  DOWNGRADE,
  UNDO,
  AUTOREMOVE_COMMAND,
  CLAIM,
  IMPORT,
];
