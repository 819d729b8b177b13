/** The commands of the table about repositories and what they offer. */
import type { CommandSpec } from "./command.ts";
import { ALLOW_STALE, choice, flag, number, packages, YES } from "./table_common.ts";

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

const FETCH: CommandSpec = {
  name: "fetch",
  group: "repositories",
  summary: "download and verify packages without installing them",
  description: [
    "Fetches the named packages into the package cache or a directory, verified as for an installation. Files that " +
    "are there with the right digest are kept.",
  ],
  operands: [{ label: "package[=version]", kind: "available", repeatable: true, optional: true }],
  requirement: "at least one package is required, or --updates",
  options: [
    { name: "deps", summary: "also what they need and is not installed", excludes: ["all-deps"] },
    { name: "all-deps", summary: "also everything they need" },
    { name: "updates", summary: "also what an upgrade of everything would bring" },
    {
      name: "out",
      value: { label: "DIR", kind: "directory" },
      summary: "write package files here instead of the package cache",
    },
    {
      name: "repository",
      value: { label: "NAME", kind: "repository" },
      repeatable: true,
      summary: "take candidates only from this repository",
    },
    ALLOW_STALE,
    YES,
  ],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: ["weaken-trust"],
  examples: [
    { line: "peipkg fetch --updates", meaning: "download what the next upgrade needs" },
    { line: "peipkg fetch --all-deps --out /media/stick nginx", meaning: "carry a package and its needs away" },
  ],
  load: () => import("./commands/fetch.ts"),
};

const BUNDLE: CommandSpec = {
  name: "bundle",
  group: "repositories",
  summary: "write a signed repository of chosen packages for machines without network",
  description: [
    "Makes DIR a complete repository of the named packages and everything they need, signed with your own key. The " +
    "last line printed is what to run on the machine that gets it.",
    "Packages keep their publishers' signatures, so the bundle lists those keys beside yours; with --resign it lists " +
    "yours alone.",
  ],
  operands: [{ label: "package[=version]", kind: "available", repeatable: true, optional: true }],
  synopses: [
    "--out DIR --sign-key FILE [options] <package[=version]>...",
    "--out DIR --sign-key FILE [options] --from LIST",
  ],
  options: [
    { name: "out", value: { label: "DIR", kind: "directory" }, summary: "where to write it: absent or empty" },
    { name: "sign-key", value: { label: "FILE", kind: "file" }, summary: "your private key" },
    { name: "name", value: { label: "NAME", kind: "text" }, summary: "name of the repository (default bundle)" },
    { name: "from", value: { label: "LIST", kind: "file" }, summary: "take the names from a file" },
    {
      name: "installed",
      value: { label: "LIST", kind: "file" },
      summary: "leave out what the target has: the output of export --json --versions there",
    },
    {
      name: "previous",
      value: { label: "DIR", kind: "directory" },
      summary: "an earlier bundle for the same machines, which this one supersedes",
    },
    { name: "timestamp", value: { label: "TS", kind: "text" }, summary: "time of the bundle (default now)" },
    { name: "archive", summary: "also older versions, for downgrades" },
    { name: "resign", summary: "sign each package with your key instead of its publisher's" },
    ALLOW_STALE,
    YES,
  ],
  needs: "installation",
  output: "events",
  asks: true,
  elevated: ["weaken-trust"],
  examples: [
    {
      line: "peipkg bundle --out /media/bundle --sign-key site.key nginx",
      meaning: "make a repository of one package and its needs",
    },
  ],
  load: () => import("./commands/bundle.ts"),
};

/** In the order of the help. */

/** In the order of the help. */
export const REPOSITORIES: readonly CommandSpec[] = [REFRESH, REPO, FETCH, BUNDLE];
