import assert from "node:assert/strict";
import { parseArguments, type ParsedArguments, UsageError } from "../../../cli/arguments.ts";
import { parseClaim } from "../../../cli/commands/claim.ts";
import { parseDowngrade } from "../../../cli/commands/downgrade.ts";
import { EXPORT_HEADER, exportLines } from "../../../cli/commands/export.ts";
import { parseExport } from "../../../cli/commands/import.ts";
import { parseInstall } from "../../../cli/commands/install.ts";
import { parseList } from "../../../cli/commands/list.ts";
import { parseRemove } from "../../../cli/commands/remove.ts";
import { parseRepositoryAdd } from "../../../cli/commands/repo/add.ts";
import { parseSearch } from "../../../cli/commands/search.ts";
import { parseUpgrade } from "../../../cli/commands/upgrade.ts";
import { PEIPKG } from "../../../cli/table.ts";
import { DEFAULT_CHANGE_OPTIONS, PeipkgError } from "../../../mod.ts";

const DEFAULTS = { modified: "ask", autoRemove: false };
const args = (line: string): ParsedArguments => parseArguments(PEIPKG, line.split(" "));

function fault(parse: () => unknown): UsageError {
  try {
    parse();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "accepted" });
}

Deno.test("C-INSTALL-10, C-INSTALL-05: install takes names, exact versions and files in the order typed", () => {
  assert.deepEqual(parseInstall(args("install nginx ./tool.peipkg zlib=1.3.1-1 --yes"), DEFAULTS), {
    kind: "install",
    targets: [
      { kind: "name", name: "nginx", version: undefined },
      { kind: "file", path: "./tool.peipkg" },
      { kind: "name", name: "zlib", version: "1.3.1-1" },
    ],
    claims: { none: false, all: false, roles: [] },
    automatic: false,
    reinstall: false,
    repositories: [],
    requireSignature: false,
    options: DEFAULT_CHANGE_OPTIONS,
  });
});

Deno.test("C-OPT-01: shared options reach the request", () => {
  const line = "install a1 --dry-run --allow-stale --overwrite-unowned --sd-overrides store --modified keep " +
    "--allow-critical --cascade --allow-downgrade --fetch-only";
  assert.deepEqual(parseInstall(args(line), DEFAULTS).options, {
    dryRun: true,
    allowStale: true,
    overwriteUnowned: true,
    sdOverrides: "store",
    modified: "keep",
    allowCritical: true,
    cascade: true,
    allowDowngrade: true,
    autoRemove: false,
    fetchOnly: true,
  });
});

Deno.test("C-CONF-01: the keys modified and auto_remove stand in for options, where a command has them", () => {
  const defaults = { modified: "keep", autoRemove: true };
  assert.equal(parseRemove(args("remove a1"), defaults).options.modified, "keep");
  assert.equal(parseRemove(args("remove a1 --modified abort"), defaults).options.modified, "abort");
  assert.equal(parseRemove(args("remove a1"), defaults).options.autoRemove, true);
  assert.equal(parseInstall(args("install a1"), defaults).options.autoRemove, false);
});

Deno.test("C-INSTALL-04, C-FLAG-09: roles are joined, duplicates ignored, empty items refused", () => {
  const claims = (line: string) => {
    const request = parseInstall(args(line), DEFAULTS);
    return request.kind === "install" ? request.claims : undefined;
  };
  assert.deepEqual(claims("install a1 --no-claim --claim r1,r2 --claim r2,r3"), {
    none: true,
    all: false,
    roles: ["r1", "r2", "r3"],
  });
  assert.equal(fault(() => claims("install a1 --claim r1,,r2")).message, "option --claim has an empty item");
  assert.equal(fault(() => claims("install a1 --claim=")).message, "option --claim has an empty item");
});

Deno.test("C-GEN-10: what is no package name is a usage error, with a hint where a file was meant", () => {
  for (const word of ["A1", "a", "-a1", "a1-", "a--b", "a_b", "x".repeat(65), "ä1"]) {
    const parsed = { ...args("remove placeholder"), operands: [word] };
    assert.equal(fault(() => parseRemove(parsed, DEFAULTS)).message, `"${word}" is not a package name`);
  }
  const path = fault(() => parseInstall(args("install ./nginx"), DEFAULTS));
  assert.deepEqual([path.extra.hint, path.extra.path], ["a package file must end in .peipkg", ["install"]]);
  assert.equal(fault(() => parseInstall(args("install a1="), DEFAULTS)).message, '"a1=" names no version');
});

Deno.test("C-UPGRADE-01, C-DOWN-01: upgrade without names, downgrade with a version as typed", () => {
  assert.deepEqual(parseUpgrade(args("upgrade --exclude a1 --exclude b1"), DEFAULTS), {
    kind: "upgrade",
    names: [],
    exclude: ["a1", "b1"],
    options: DEFAULT_CHANGE_OPTIONS,
  });
  assert.deepEqual(parseDowngrade(args("downgrade nginx 1.27"), DEFAULTS), {
    kind: "downgrade",
    name: "nginx",
    version: "1.27",
    options: DEFAULT_CHANGE_OPTIONS,
  });
});

Deno.test("C-CMD-06: claim knows its four forms and nothing else", () => {
  assert.equal(parseClaim(args("claim"), DEFAULTS), undefined);
  assert.equal(parseClaim(args("claim role"), DEFAULTS), undefined);
  assert.deepEqual(parseClaim(args("claim role grant a1 -y"), DEFAULTS), {
    kind: "claim",
    action: "grant",
    role: "role",
    package: "a1",
    options: DEFAULT_CHANGE_OPTIONS,
  });
  assert.equal(parseClaim(args("claim role revoke"), DEFAULTS)?.action, "revoke");
  assert.equal(parseClaim(args("claim --reconcile"), DEFAULTS)?.action, "reconcile");
  for (const line of ["claim role grant", "claim role revoke a1", "claim --reconcile role"]) {
    fault(() => parseClaim(args(line), DEFAULTS));
  }
  assert.equal(
    fault(() => args("claim role take a1")).message,
    'grant|revoke must be one of grant, revoke, not "take"',
  );
});

Deno.test("C-REPO-08: with a name alone, no setting may be given", () => {
  assert.deepEqual(parseRepositoryAdd(args("repo add official -y")), { handle: "official" });
  assert.equal(
    fault(() => parseRepositoryAdd(args("repo add official --priority 3"))).message,
    "--priority needs a base URL beside the name",
  );
  assert.deepEqual(
    parseRepositoryAdd(args("repo add a https://b --anchor c --anchor d --policy optional --insecure")),
    {
      handle: "a",
      baseUrl: "https://b",
      anchors: ["c", "d"],
      policy: "optional",
      insecure: true,
      replace: false,
    },
  );
});

Deno.test("C-LIST-03, C-SEARCH-05: filters of reading commands", () => {
  assert.deepEqual(parseList(args("list --auto --leaves lib*")), { mark: "auto", leaves: true, patterns: ["lib*"] });
  assert.deepEqual(parseSearch(args("search x --provides --exact --not-installed --repository r")), {
    fields: "provides",
    match: "exact",
    repositories: ["r"],
    allVersions: false,
    installed: false,
  });
});

Deno.test("C-EXPORT-01: what export writes, import reads, in both forms", () => {
  const item = {
    name: "nginx",
    version: "1.0-1",
    architecture: "x86_64",
    origin: "official",
    isOrphaned: false,
    installedAt: 0,
    description: "",
    sizeInstalledBytes: 0,
    isAutomatic: false,
    isLocked: false,
  };
  const lines = exportLines([item, { ...item, name: "zlib", isAutomatic: true }], true);
  assert.deepEqual(lines, ["# peipkg export 1", "nginx = 1.0-1", "zlib = 1.0-1 auto"]);
  const expected = [
    { name: "nginx", version: "1.0-1", automatic: false },
    { name: "zlib", version: "1.0-1", automatic: true },
  ];
  assert.deepEqual(parseExport(`${lines.join("\n")}\n`), expected);
  assert.deepEqual(parseExport(JSON.stringify({ export: 1, architecture: "x86_64", packages: expected })), expected);
  for (const text of ["", "nginx\n", `${EXPORT_HEADER}\nBad Name\n`, "{}", "{", '{"export":2,"packages":[]}']) {
    assert.throws(() => parseExport(text), (error) => error instanceof PeipkgError && error.code === "format", text);
  }
});
