/** Every command of `peipkg-build` and `peipkg-repo`; loads nothing but the tables' own shapes. */
import type { CommandSpec, OperandSpec, OptionSpec, Program } from "./command.ts";
import { COMMON_GLOBALS, completionCommands } from "./table_common.ts";

const flag = (name: string, summary: string): OptionSpec => ({ name, summary });
const file = (name: string, label: string, summary: string): OptionSpec => ({
  name,
  value: { label, kind: "file" },
  summary,
});
const text = (name: string, label: string, summary: string): OptionSpec => ({
  name,
  value: { label, kind: "text" },
  summary,
});
const number = (name: string, summary: string, min: number, max?: number): OptionSpec => ({
  name,
  value: { label: "N", kind: "number", min, ...(max === undefined ? {} : { max }) },
  summary,
});
const directory: OperandSpec = { label: "directory", kind: "directory" };
const packageFiles: OperandSpec = { label: "file.peipkg", kind: "file", repeatable: true };
const packageFile: OperandSpec = { label: "file.peipkg", kind: "file" };

// --- Options of several commands -------------------------------------------------------------------------------
const SIGN_KEY = file("sign-key", "FILE", "private key to sign with (default PEIPKG_SIGN_KEY)");
const LOOSE_KEY = flag("allow-loose-key", "accept a private key that others may read");
const TIMESTAMP = text("timestamp", "TS", "time to record, RFC 3339 with Z (default SOURCE_DATE_EPOCH)");
const ANCHOR: OptionSpec = {
  ...text("anchor", "FINGERPRINT", "fingerprint one of which must have signed the descriptor"),
  repeatable: true,
};

const HELP: CommandSpec = {
  name: "help",
  group: "maintenance",
  summary: "show help for the program or a command",
  operands: [{ label: "command", kind: "command", optional: true, repeatable: true }],
  synopses: ["[command]", "--man <page>"],
  options: [text("man", "PAGE", "print the source of a manual page")],
  needs: "nothing",
  output: "text",
  examples: [],
  load: () => import("./commands/help.ts"),
};

// --- peipkg-build ----------------------------------------------------------------------------------------------
const BUILD_COMMANDS: readonly CommandSpec[] = [
  {
    name: "pack",
    group: "changes",
    summary: "pack a staged tree into a package file",
    description: [
      "Packs one tree with a complete manifest. Every rule of the format is checked first and all violations are " +
      "listed. Equal input gives equal bytes.",
    ],
    operands: [],
    options: [
      file("manifest", "FILE", "the package's manifest"),
      { name: "staged", value: { label: "DIR", kind: "directory" }, summary: "the tree to pack" },
      file("out", "PATH", "file to write, or a directory in which it gets its package file name"),
      SIGN_KEY,
      LOOSE_KEY,
      TIMESTAMP,
      number("level", "zstd level (default 19)", 1, 22),
    ],
    synopses: ["--manifest FILE --staged DIR --out PATH [options]"],
    needs: "session",
    output: "document",
    examples: [{
      line: "peipkg-build pack --manifest nginx.json --staged tree --out packages --sign-key repo.key",
      meaning: "pack and sign nginx",
    }],
    load: () => import("./commands/build/pack.ts"),
  },
  {
    name: "inspect",
    group: "information",
    summary: "show what a package file holds",
    description: ["Checks the format in full and describes the package; no key is consulted."],
    operands: [packageFile],
    requirement: "exactly one package file is required",
    options: [
      { name: "manifest", summary: "print the manifest as it is", excludes: ["files", "signature"] },
      { name: "files", summary: "list mode, type, size and path of every entry", excludes: ["signature"] },
      flag("signature", "print the signature envelope as it is"),
    ],
    needs: "session",
    output: "document",
    examples: [{ line: "peipkg-build inspect nginx_1.27.5-1_x86_64.peipkg", meaning: "describe a package file" }],
    load: () => import("./commands/build/inspect.ts"),
  },
  {
    name: "verify",
    group: "information",
    summary: "check package files and their signatures",
    description: ["Lists every violation that can be found. Without a key a signature is checked for its form only."],
    operands: [packageFiles],
    requirement: "at least one package file is required",
    options: [
      { ...file("key", "PUB", "public key that may have signed"), repeatable: true },
      { ...text("fingerprint", "FP", "fingerprint that must have signed"), repeatable: true },
      flag("require-signature", "refuse unsigned files"),
    ],
    needs: "session",
    output: "document",
    statusOne: "a file is not what it should be",
    examples: [{ line: "peipkg-build verify --key repo.key.pub packages/*.peipkg", meaning: "check against a key" }],
    load: () => import("./commands/build/verify.ts"),
  },
  {
    name: "unpack",
    group: "changes",
    summary: "unpack the payload of a package file",
    description: [
      "Unpacks a package file that passed every check into an empty or new directory. No key is consulted.",
    ],
    operands: [packageFile, { label: "directory", kind: "directory" }],
    requirement: "a package file and a directory are required",
    options: [],
    needs: "session",
    output: "document",
    examples: [{ line: "peipkg-build unpack nginx_1.27.5-1_x86_64.peipkg tree", meaning: "look at its files" }],
    load: () => import("./commands/build/unpack.ts"),
  },
  HELP,
  ...completionCommands("peipkg-build"),
];

export const PEIPKG_BUILD: Program = {
  name: "peipkg-build",
  summary: "packs and examines package files",
  description: ["peipkg-build makes signed, reproducible package files and examines those of others without risk."],
  globals: COMMON_GLOBALS,
  commands: BUILD_COMMANDS,
};

// --- peipkg-repo -----------------------------------------------------------------------------------------------
const REPOSITORY_COMMANDS: readonly CommandSpec[] = [
  {
    name: "keygen",
    group: "maintenance",
    summary: "make a signing key",
    description: ["Writes an Ed25519 key for its owner alone, and FILE.pub beside it. Never overwrites."],
    operands: [],
    synopses: ["--out FILE [--raw]"],
    options: [file("out", "FILE", "private key file to write"), flag("raw", "raw bytes instead of PEM")],
    needs: "session",
    output: "document",
    examples: [{ line: "peipkg-repo keygen --out repo.key", meaning: "make repo.key and repo.key.pub" }],
    load: () => import("./commands/repository/keygen.ts"),
  },
  {
    name: "init",
    group: "repositories",
    summary: "create an empty signed repository",
    operands: [directory],
    requirement: "exactly one directory is required",
    options: [
      text("name", "NAME", "the name the repository gives itself"),
      SIGN_KEY,
      LOOSE_KEY,
      TIMESTAMP,
      text("description", "TEXT", "one line about it"),
      { ...file("extra-key", "PUB", "public key listed as active beside it, e.g. one kept offline"), repeatable: true },
    ],
    synopses: ["<directory> --name NAME --sign-key FILE [options]"],
    needs: "session",
    output: "document",
    examples: [{
      line: "peipkg-repo init /srv/repo --name example --sign-key repo.key",
      meaning: "begin a repository",
    }],
    load: () => import("./commands/repository/init.ts"),
  },
  {
    name: "add",
    group: "repositories",
    summary: "copy package files in, not yet indexed",
    operands: [directory, { label: "path", kind: "file", repeatable: true }],
    requirement: "a directory and at least one package file or directory of them are required",
    options: [],
    needs: "session",
    output: "document",
    examples: [{ line: "peipkg-repo add /srv/repo packages/", meaning: "add all package files of a directory" }],
    load: () => import("./commands/repository/add.ts"),
  },
  {
    name: "publish",
    group: "repositories",
    summary: "index and sign what was added",
    operands: [directory],
    requirement: "exactly one directory is required",
    options: [
      SIGN_KEY,
      LOOSE_KEY,
      TIMESTAMP,
      { name: "out", value: { label: "DIR", kind: "directory" }, summary: "publish a copy there instead" },
      text("url-template", "T", "URL of new packages (default /p/{name}/{version}/{filename})"),
      { ...text("withdraw", "NAME", "leave a package out of the active index"), repeatable: true },
      flag("rebuild", "hash every file again"),
      flag("refresh-date", "publish though nothing is new"),
    ],
    synopses: ["<directory> --sign-key FILE [options]"],
    needs: "session",
    output: "document",
    examples: [{ line: "peipkg-repo publish /srv/repo --sign-key repo.key", meaning: "make added packages available" }],
    load: () => import("./commands/repository/publish.ts"),
  },
  {
    name: "rotate-key",
    group: "maintenance",
    summary: "change the keys of a repository",
    description: [
      "With --new-key the new key becomes active and the old one transitioning for a while. --revoke declares a key " +
      "compromised. --drop takes an expired key off the list.",
    ],
    operands: [directory],
    requirement: "exactly one directory is required",
    options: [
      SIGN_KEY,
      LOOSE_KEY,
      TIMESTAMP,
      { ...file("new-key", "NEW", "private key that becomes active"), excludes: ["revoke", "drop"] },
      number("valid-days", "days the old key is still accepted (default 30)", 1),
      { ...text("revoke", "FINGERPRINT", "key to revoke"), excludes: ["drop"] },
      text("drop", "FINGERPRINT", "expired key to take off the list"),
    ],
    synopses: [
      "<directory> --sign-key OLD --new-key NEW [--valid-days N]",
      "<directory> --revoke FINGERPRINT --sign-key KEY",
      "<directory> --drop FINGERPRINT --sign-key KEY",
    ],
    needs: "session",
    output: "document",
    examples: [{
      line: "peipkg-repo rotate-key /srv/repo --sign-key old.key --new-key new.key",
      meaning: "change the key with an overlap of 30 days",
    }],
    load: () => import("./commands/repository/rotate_key.ts"),
  },
  {
    name: "verify",
    group: "information",
    summary: "check a repository",
    operands: [directory],
    requirement: "exactly one directory is required",
    options: [
      {
        name: "mode",
        value: { label: "metadata|hashes|both", kind: "choice", choices: ["metadata", "hashes", "both"] },
        summary: "what to check (default both)",
      },
      ANCHOR,
    ],
    needs: "session",
    output: "document",
    statusOne: "something is wrong with the repository",
    examples: [{ line: "peipkg-repo verify /srv/repo", meaning: "check signatures, indexes and every file" }],
    load: () => import("./commands/repository/verify.ts"),
  },
  {
    name: "mirror",
    group: "repositories",
    summary: "make or renew a verified copy of a repository",
    description: [
      "Bytes and signatures stay as they are, so consumers keep the publisher's anchors. A copy that broke off is " +
      "resumed; packages are fetched before the indexes that name them.",
    ],
    operands: [{ label: "url", kind: "text" }, directory],
    requirement: "exactly one URL and one directory are required",
    options: [
      ANCHOR,
      flag("active-only", "leave out the archive"),
      { ...text("package", "NAME", "copy only this package"), repeatable: true },
      flag("insecure", "allow plain http"),
    ],
    synopses: ["<url> <directory> --anchor FINGERPRINT [options]"],
    needs: "session",
    output: "document",
    examples: [{
      line: "peipkg-repo mirror https://pkgs.peios.org copy --anchor 'ef86 709c ...'",
      meaning: "make a copy",
    }],
    load: () => import("./commands/repository/mirror.ts"),
  },
  HELP,
  ...completionCommands("peipkg-repo"),
];

export const PEIPKG_REPO: Program = {
  name: "peipkg-repo",
  summary: "makes and keeps package repositories",
  description: ["peipkg-repo makes a signed repository, a directory of files that any static host can serve."],
  globals: COMMON_GLOBALS,
  commands: REPOSITORY_COMMANDS,
};
