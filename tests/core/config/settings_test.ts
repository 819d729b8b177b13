import { strict as assert } from "node:assert";
import { resolvePlaces, resolveSettings, type SettingsInput, variableOf } from "../../../core/config/settings.ts";
import { SETTINGS } from "../../../core/config/setting_table.ts";

interface Given {
  readonly options?: Readonly<Record<string, string>>;
  readonly overrides?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly file?: string;
}

function resolve(given: Given) {
  const input: SettingsInput = {
    options: new Map(Object.entries(given.options ?? {})),
    overrides: given.overrides ?? [],
    environment: new Map(Object.entries(given.environment ?? {})),
    file: given.file === undefined
      ? undefined
      : { path: "/conf/peipkg/peipkg.toml", bytes: new TextEncoder().encode(given.file) },
    version: "0.1.0",
  };
  return resolveSettings(input);
}

const sourceOf = (given: Given, key: string) =>
  resolve(given).values.find((item) => item.definition.key === key)?.source;

Deno.test("C-CONF-01: resolveSettings() lets the stronger source win and says which it was", () => {
  const file = "fetch_parallel = 2\n";
  const environment = { PEIPKG_FETCH_PARALLEL: "3" };
  const overrides = ["fetch_parallel=5"];
  const options = { fetch_parallel: "6" };
  const expected = [
    [{}, 4, "default"],
    [{ file }, 2, "file"],
    [{ file, environment }, 3, "environment"],
    [{ file, environment, overrides }, 5, "override"],
    [{ file, environment, overrides, options }, 6, "option"],
  ] as const;
  for (const [given, value, source] of expected) {
    assert.equal(resolve(given).settings.fetchParallel, value);
    assert.equal(sourceOf(given, "fetch_parallel"), source);
  }
});

Deno.test("C-CONF-02: every key is settable by its variable", () => {
  for (const { key, type, tightenOnly } of SETTINGS) {
    const text = type.kind === "boolean"
      ? "true"
      : type.kind === "integer"
      ? String(type.max === 6 ? 4 : type.min + (key === "verbose" ? 1 : 0))
      : type.kind === "word"
      ? type.words.find((word) => word !== "") ?? ""
      : "/x";
    const environment = { [variableOf(key)]: text };
    const resolved = resolve({ environment });
    assert.deepEqual(resolved.problems.map((problem) => problem.message), [], key);
    const ignored = resolved.warnings.some((warning) => warning.rule === "W_ENV_WEAKER");
    if (!ignored) assert.equal(sourceOf({ environment }, key), "environment", key);
    else assert.ok(tightenOnly, key);
  }
});

Deno.test("C-CONF-03: lists in variables are comma-separated and an empty variable is unset", () => {
  const { settings } = resolve({ environment: { PEIPKG_AUDIT_IGNORE: "A-1, A-2", PEIPKG_FETCH_TIMEOUT: "" } });
  assert.deepEqual(settings.auditIgnore, ["A-1", "A-2"]);
  assert.equal(settings.fetchTimeoutSeconds, 60);
});

Deno.test("C-CONF-04: paths from the file lie beneath the root, others are literal", () => {
  assert.deepEqual(resolve({ file: 'state_dir = "/s"\n' }).settings.stateDirectory, { path: "/s", beneathRoot: true });
  assert.deepEqual(resolve({ overrides: ["state_dir=/s"] }).settings.stateDirectory, {
    path: "/s",
    beneathRoot: false,
  });
  assert.deepEqual(resolve({ environment: { PEIPKG_STATE_DIR: "s" } }).settings.stateDirectory, {
    path: "s",
    beneathRoot: false,
  });
  assert.deepEqual(resolve({ file: 'state_dir = "s"\n' }).problems.map((problem) => problem.code), ["config"]);
  assert.deepEqual(resolve({ file: 'audit_source = "file:///media/x"\n' }).settings.auditSource, {
    path: "file:///media/x",
    beneathRoot: false,
  });
});

Deno.test("C-CONF-05: no key answers an elevated question", () => {
  const names = SETTINGS.map((definition) => definition.key);
  for (const word of ["allow", "elevat", "authori", "stale_ok", "force"]) {
    assert.deepEqual(names.filter((name) => name.includes(word)), []);
  }
});

Deno.test("C-CONF-10, C-CONF-11: resolveSettings() names file, line and key of every fault in peipkg.toml", () => {
  const cases = [
    ["fetch_paralell = 2\n", 1, "fetch_paralell", 'did you mean "fetch_parallel"?'],
    ["\n# c\nfetch_parallel = 0\n", 3, "fetch_parallel", undefined],
    ['fetch_parallel = "4"\n', 1, "fetch_parallel", undefined],
    ["fetch_parallel = 4.0\n", 1, "fetch_parallel", undefined],
    ["ip_version = 5\n", 1, "ip_version", undefined],
    ['color = "red"\n', 1, "color", undefined],
    ["critical_packages = [1]\n", 1, "critical_packages", undefined],
    ["[fetch]\nparallel = 4\n", 1, "fetch", undefined],
    ['root = "/x"\n', 1, "root", undefined],
    ["max_decompressed_bytes = 1000\n", 1, "max_decompressed_bytes", undefined],
    ["lock_wait = 2026-01-01\n", 1, "lock_wait", undefined],
  ] as const;
  for (const [file, line, key, hint] of cases) {
    const [problem] = resolve({ file }).problems;
    assert.equal(problem?.code, "config", file);
    assert.equal(problem.detail.file, "/conf/peipkg/peipkg.toml");
    assert.equal(problem.detail.line, line, file);
    assert.equal(problem.detail.key, key);
    assert.equal(problem.detail.hint, hint, file);
  }
  const [syntax] = resolve({ file: "json = true\nverbose = = 1\n" }).problems;
  assert.equal(syntax?.code, "config");
  assert.equal(syntax.detail.line, 2);
});

Deno.test("C-CONF-11: resolveSettings() refuses unknown keys and malformed values of -o and variables", () => {
  assert.deepEqual(resolve({ overrides: ["nonsense=1"] }).problems.map((item) => item.code), ["config"]);
  assert.deepEqual(resolve({ overrides: ["nonsense"] }).problems.map((item) => item.code), ["usage"]);
  assert.deepEqual(resolve({ environment: { PEIPKG_JSON: "maybe" } }).problems.map((item) => item.code), ["config"]);
  assert.deepEqual(resolve({ overrides: ["fetch_timeout=1e3"] }).problems.map((item) => item.code), ["config"]);
});

Deno.test("C-CONF-12: an unknown PEIPKG_ variable is a warning", () => {
  const { warnings, problems } = resolve({
    environment: { PEIPKG_NONSENSE: "1", PEIPKG_SIGN_KEY: "/k", HOME: "/root" },
  });
  assert.deepEqual(warnings.map((warning) => warning.rule), ["W_ENV_UNKNOWN"]);
  assert.deepEqual(problems, []);
});

Deno.test("C-CONF-15: a variable may only tighten what protects", () => {
  const weaker = (environment: Readonly<Record<string, string>>, file?: string) => {
    const resolved = resolve(file === undefined ? { environment } : { environment, file });
    return {
      settings: resolved.settings,
      ignored: resolved.warnings.some((warning) => warning.rule === "W_ENV_WEAKER"),
    };
  };
  const days = weaker({ PEIPKG_MAX_TRUSTED_AGE_DAYS: "31" });
  assert.deepEqual([days.settings.maxTrustedAgeDays, days.ignored], [30, true]);
  const tighter = weaker({ PEIPKG_MAX_TRUSTED_AGE_DAYS: "29", PEIPKG_MAX_INDEX_STALENESS_DAYS: "1" });
  assert.deepEqual([tighter.settings.maxTrustedAgeDays, tighter.settings.maxIndexStalenessDays, tighter.ignored], [
    29,
    1,
    false,
  ]);
  const raised = weaker({ PEIPKG_MAX_TRUSTED_AGE_DAYS: "60" }, "max_trusted_age_days = 90\n");
  assert.deepEqual([raised.settings.maxTrustedAgeDays, raised.ignored], [60, false]);
  assert.equal(weaker({ PEIPKG_LAYOUT: "both" }).ignored, true);
  assert.equal(weaker({ PEIPKG_LAYOUT: "late" }, 'layout = "both"\n').settings.layout, "late");
  const critical = weaker({ PEIPKG_CRITICAL_PACKAGES: "glibc" });
  assert.deepEqual([critical.settings.criticalPackages, critical.ignored], [["peipkg", "glibc"], false]);
  assert.equal(weaker({ PEIPKG_CRITICAL_PACKAGES: "bash" }, 'critical_packages = ["glibc"]\n').ignored, true);
  assert.equal(weaker({ PEIPKG_DROPIN_DIRECTORIES: "/b" }, 'dropin_directories = ["/a"]\n').ignored, true);
  assert.equal(weaker({ PEIPKG_MAX_DECOMPRESSED_BYTES: "9000000000" }).settings.maxDecompressedBytes, 4_294_967_296);
  assert.equal(resolve({ overrides: ["max_trusted_age_days=400"] }).settings.maxTrustedAgeDays, 400);
});

Deno.test("resolveSettings() warns when the limit of package content is raised", () => {
  assert.deepEqual(resolve({ overrides: ["max_decompressed_bytes=5000000000"] }).warnings.map((item) => item.rule), [
    "W_LIMIT_RAISED",
  ]);
});

Deno.test("resolvePlaces() finds root and configuration directory before any file is read", () => {
  const places = resolvePlaces({
    options: new Map([["root", "/mnt"]]),
    overrides: [],
    environment: new Map([["PEIPKG_CONFIG_DIR", "/etc/p"], ["PEIPKG_ROOT", "/other"]]),
    version: "0.1.0",
  });
  assert.deepEqual(places, { root: "/mnt", configDirectory: { path: "/etc/p", beneathRoot: false } });
});
