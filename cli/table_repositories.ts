/**
 * The commands of the table that carry package files away from repositories. Part of the one table of `table.ts`,
 * which spreads it.
 */
import type { CommandSpec, OptionSpec } from "./command.ts";

const YES: OptionSpec = { name: "yes", short: "y", summary: "answer the routine question with yes" };
const ALLOW_STALE: OptionSpec = {
  name: "allow-stale",
  summary: "proceed though a repository is past its age limits",
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
export const REPOSITORY_COMMANDS: readonly CommandSpec[] = [FETCH, BUNDLE];
