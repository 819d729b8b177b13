/** The commands of the table for history, recovery and maintenance. */
import type { CommandSpec, OperandSpec, OutputKind, Words } from "./command.ts";
import { DRY_RUN, flag, number, packages, YES } from "./table_common.ts";

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

const settles = ({ options }: Words): boolean =>
  ["use-new", "keep", "merged"].some((name) => options[name] !== undefined);

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

const SELF: CommandSpec = {
  name: "self",
  group: "maintenance",
  summary: "look at the program itself",
  operands: [],
  options: [],
  needs: "session",
  output: "document",
  subcommands: [
    {
      name: "verify",
      group: "maintenance",
      summary: "check the program's file against signed sums",
      description: [
        "Verifies the signature of SHA256SUMS as a release publishes it, and that the running program's own bytes are " +
        "listed there, under whatever name.",
        "A program that was made to lie would lie here too: compare with sha256sum -c on another machine where that is " +
        "the question.",
      ],
      operands: [{ label: "sums", kind: "file" }],
      requirement: "exactly one list of sums is required",
      synopses: ["<SHA256SUMS> --key PUB [options]"],
      options: [
        {
          name: "key",
          value: { label: "PUB", kind: "file" },
          repeatable: true,
          summary: "public key that may have signed the list",
        },
        {
          name: "fingerprint",
          value: { label: "FP", kind: "text" },
          repeatable: true,
          summary: "fingerprint the signer must have",
        },
        {
          name: "signature",
          value: { label: "FILE", kind: "file" },
          summary: "signature of the list (default SUMS.sig)",
        },
      ],
      needs: "session",
      output: "document",
      examples: [{
        line: "peipkg self verify SHA256SUMS --key release.pub --fingerprint 'ef86 709c ...'",
        meaning: "check the program that is running",
      }],
      load: () => import("./commands/self/verify.ts"),
    },
  ],
  examples: [],
};

/** In the order of the help. */
export const UPKEEP: readonly CommandSpec[] = [
  HISTORY,
  RECOVER,
  BACKUP,
  RESTORE,
  CLEAN,
  MARK,
  LOCK,
  UNLOCK,
  ANNOTATE,
  DIFF,
  SELF,
  SCHEMA,
];
