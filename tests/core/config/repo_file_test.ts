import { strict as assert } from "node:assert";
import { parseBaseUrl } from "../../../core/config/base_url.ts";
import {
  parseHandle,
  parseRepositoryFile,
  readRepositoryFiles,
  removeRepositoryFile,
  renderRepositoryFile,
  requireRepositories,
  writeRepositoryFile,
} from "../../../core/config/repo_file.ts";
import { PeipkgError } from "../../../core/errors.ts";
import { memoryFileSystem } from "../../support/memory_root.ts";
import type { Directory } from "../../../core/system.ts";

const ANCHOR = "ef86709c4b1d8a02e5f3c719d640aa8b7c2e9105f8d3b6470a1c2e9d8b5f3a04";
const BASE = 'base_url = "https://pkgs.peios.org"\n';
const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string) => parseRepositoryFile("x", bytes(text), "x.repo");

const rule = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof PeipkgError, String(error));
  assert.equal(error.detail.rule, expected, error.message);
  assert.equal(error.code, "repo-config");
  return true;
};

function directoryWith(files: Readonly<Record<string, string>>): Directory {
  const root = memoryFileSystem().open();
  const directory = root.openDirectory("/");
  assert.ok(directory !== undefined);
  for (const [name, text] of Object.entries(files)) {
    using file = directory.createFile(name, 0o644);
    file.write(bytes(text));
  }
  return directory;
}

Deno.test("R-CONF-02, R-PRIO-01: parseRepositoryFile() fills in the defaults", () => {
  assert.deepEqual(parse(BASE), {
    handle: "x",
    baseUrl: "https://pkgs.peios.org",
    mirrors: [],
    priority: 50,
    signaturePolicy: "required",
    trustAnchors: [],
    allowInsecureTransport: false,
    minIndexVersion: 0,
    maxTrustedAgeDays: undefined,
    maxIndexStalenessDays: undefined,
    allowSdOverrides: false,
    sdAllowedSids: [],
    official: false,
    enabled: true,
  });
});

Deno.test("R-CONF-02, R-POL-04, R-PRIO-01, R-ADD-02, C-CONF-20: parseRepositoryFile() refuses what is not a setting", () => {
  const cases = [
    ["priority = 0\n", "E_CONFIG_VALUE"], // C28
    ["priority = -1\n", "E_CONFIG_VALUE"],
    ["priority = 2147483648\n", "E_CONFIG_VALUE"],
    ["priority = 1.0\n", "E_CONFIG_VALUE"],
    ["flavour = 1\n", "E_CONFIG_KEY"], // C28
    ["[table]\n", "E_CONFIG_KEY"], // C28
    ["trust_anchors = { a = 1 }\n", "E_CONFIG_KEY"],
    ["[[mirrors]]\na = 1\n", "E_CONFIG_KEY"],
    ['signature_policy = "none"\n', "E_CONFIG_VALUE"],
    [`trust_anchors = ["${ANCHOR.toUpperCase()}"]\n`, "E_CONFIG_VALUE"],
    ["trust_anchors = [1]\n", "E_CONFIG_VALUE"],
    ['enabled = "yes"\n', "E_CONFIG_VALUE"],
    ["min_index_version = -1\n", "E_CONFIG_VALUE"],
    ["max_trusted_age_days = 0\n", "E_CONFIG_VALUE"],
    ['mirrors = ["ftp://x/y"]\n', "E_BASE_URL"],
    ["priority = = 1\n", "E_CONFIG_SYNTAX"],
    ["priority = 1\npriority = 2\n", "E_CONFIG_SYNTAX"],
  ] as const;
  for (const [text, expected] of cases) assert.throws(() => parse(BASE + text), rule(expected), text);
  assert.throws(() => parse("priority = 1\n"), rule("E_CONFIG_VALUE"));
  assert.equal(parse(`${BASE}priority = 2147483647\n`).priority, 2_147_483_647);
});

Deno.test("C-CONF-20: an unknown key is refused with line and near match", () => {
  assert.throws(() => parse(`${BASE}\ntrust_anchor = []\n`), (error) => {
    assert.ok(error instanceof PeipkgError);
    assert.deepEqual([error.detail.line, error.detail.hint], [3, 'did you mean "trust_anchors"?']);
    return true;
  });
});

Deno.test("R-URL-01: parseBaseUrl() takes absolute https, http and file URLs without a trailing slash", () => {
  for (const good of ["https://h", "https://h/x/y", "http://h:8080/x", "file:///srv/repo", "https://[::1]/x"]) {
    assert.equal(parseBaseUrl(good), good);
  }
  const bad = [
    "",
    "h/x",
    "/x",
    "https://",
    "https:///x",
    "https://h/",
    "https://h/x/",
    "https://h/x?q",
    "https://h/x#f",
    "ftp://h/x",
    "file://h/x",
    "file://",
    "file:///",
    "https://h/../x",
    "https://h/%2e%2E/x",
    "https://h/a b",
    "https://h/a\\b",
    "javascript:x",
  ];
  for (const text of bad) assert.throws(() => parseBaseUrl(text), rule("E_BASE_URL"), text);
});

Deno.test("R-CONF-01: parseHandle() takes 1 to 64 lowercase letters, digits and hyphens", () => {
  for (const good of ["a", "0", "-", "official-2", "x".repeat(64)]) assert.equal(parseHandle(good), good);
  for (const bad of ["", "A", "a.b", "a_b", "ä", "a/b", "x".repeat(65)]) {
    assert.throws(() => parseHandle(bad), rule("E_REPO_HANDLE"));
  }
});

Deno.test("R-CONF-01, R-CONF-03, R-CONF-04, C-CONF-21: readRepositoryFiles() orders by priority, then handle", () => {
  using directory = directoryWith({
    "zeta.repo": `${BASE}priority = 10\n`,
    "beta.repo": BASE,
    "alpha.repo": BASE,
    "peipkg.toml": "json = true\n",
    ".hidden.repo": "nonsense",
    "note.txt": "x",
    "broken.repo": "x",
    "Bad_Name.repo": BASE,
  });
  directory.makeDirectory("sub.repo", 0o755);
  directory.makeSymlink("link.repo", "alpha.repo");
  const files = readRepositoryFiles(directory);
  assert.deepEqual(files.map((file) => [file.handle, file.kind]), [
    ["zeta", "valid"],
    ["alpha", "valid"],
    ["beta", "valid"],
    ["Bad_Name", "invalid"],
    ["broken", "invalid"],
    ["link", "invalid"],
  ]);
  assert.throws(() => requireRepositories(files), rule("E_REPO_HANDLE"));
  assert.deepEqual(readRepositoryFiles(undefined), []);
});

Deno.test("R-ADD-14: only one file may call itself official", () => {
  using directory = directoryWith({ "a.repo": `${BASE}official = true\n`, "b.repo": `${BASE}official = true\n` });
  const [first, second] = readRepositoryFiles(directory);
  assert.equal(first?.kind, "valid");
  assert.ok(second?.kind === "invalid" && second.problem.detail.rule === "E_CONFIG_VALUE");
});

Deno.test("R-CONF-06, C-CONF-13: writeRepositoryFile() writes what reads back the same", () => {
  using directory = directoryWith({});
  const configuration = {
    ...parse(BASE),
    handle: "y",
    mirrors: ["https://m.example/x"],
    priority: 7,
    trustAnchors: [ANCHOR],
    signaturePolicy: "optional" as const,
    allowInsecureTransport: true,
    minIndexVersion: 4,
    maxTrustedAgeDays: 12,
    maxIndexStalenessDays: 13,
    allowSdOverrides: true,
    sdAllowedSids: ["S-1-5-18"],
    official: true,
    enabled: false,
  };
  writeRepositoryFile(directory, configuration);
  assert.deepEqual(directory.list().names, ["y.repo"]); // no temporary sibling stays
  assert.deepEqual(readRepositoryFiles(directory), [{ kind: "valid", handle: "y", configuration }]);
  assert.equal(renderRepositoryFile(parse(BASE)), BASE);
  assert.equal(removeRepositoryFile(directory, "y"), true);
  assert.equal(removeRepositoryFile(directory, "y"), false);
});

Deno.test("A-SDP-05: sd_allowed_sids holds SIDs and nothing else", () => {
  for (const sid of ["S-1-5-21-1-2-3-500", "S-1-5-18"]) {
    assert.deepEqual(parse(`${BASE}sd_allowed_sids = ["${sid}"]\n`).sdAllowedSids, [sid]);
  }
  for (const sid of ["Everyone", "S-1", "S-1-5-x", ""]) {
    assert.throws(() => parse(`${BASE}sd_allowed_sids = ["${sid}"]\n`), rule("E_CONFIG_VALUE"), sid);
  }
});
