import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { describeOffers, explainInstalled, packageDetail, statistics } from "../../../core/operations/inspect.ts";
import { searchCatalogue, type SearchFilters } from "../../../core/operations/search.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { insertClaimLink, setHolder, setSdOverride } from "../../../core/store/roles.ts";
import { setAnnotation } from "../../../core/store/annotations.ts";
import { configure, type InstallationFixture, openInstallation } from "./installation_fixture.ts";

const withCode = (code: string) => (error: unknown) => error instanceof PeipkgError && error.code === code;
const nginx = parsePackageName("nginx");

Deno.test("C-INFO-02, C-INFO-03: packageDetail() tells everything recorded about a package", async () => {
  using fixture = openInstallation();
  await fixture.install(
    {
      name: "nginx",
      version: "1.27.5-1",
      manifest: {
        conflicts: [{ name: "apache" }],
        dependencies: [{ constraint: ">= 10", name: "pcre2" }, { name: "zlib" }],
        homepage: "https://nginx.org",
        license: "BSD-2-Clause",
        optional_dependencies: [{ name: "geoip" }],
        provides: [{ name: "httpd", version: "1.27" }, { name: "webserver" }],
        replaces: [{ constraint: "< 2", name: "nginx-full" }],
      },
      files: { "/usr/sbin/nginx": { text: "x" }, "/usr/sbin": "dir" },
    },
    { name: "site", manifest: { dependencies: [{ name: "webserver" }] } },
    { name: "new-site", manifest: { dependencies: [{ constraint: ">= 2", name: "httpd" }] } },
    { name: "fond", manifest: { optional_dependencies: [{ name: "nginx" }] } },
  );
  await fixture.change((database) => {
    setHolder(database, "httpd", "nginx");
    insertClaimLink(database, {
      path: "/h",
      role: "httpd",
      slot: "main",
      target: "/usr/sbin/nginx",
      isVolatile: false,
    });
    setAnnotation(database, { package: nginx, tag: "ticket", value: "OPS-417" });
    setSdOverride(database, {
      path: "/usr/sbin/nginx",
      package: nginx,
      descriptor: Uint8Array.of(1),
      state: "stored",
      transaction: 1,
    });
  });
  assert.deepEqual(packageDetail(fixture.workspace, "nginx"), {
    name: "nginx",
    version: "1.27.5-1",
    architecture: "x86_64",
    origin: undefined,
    isOrphaned: false,
    installedAt: 1779199330,
    description: "about nginx",
    sizeInstalledBytes: 4096,
    isAutomatic: false,
    isLocked: false,
    license: "BSD-2-Clause",
    homepage: "https://nginx.org",
    dependencies: ["pcre2 >= 10", "zlib"],
    optionalDependencies: ["geoip"],
    conflicts: ["apache"],
    provides: ["httpd = 1.27", "webserver"],
    replaces: ["nginx-full < 2"],
    requiredBy: ["site"],
    roles: ["httpd"],
    annotations: [{ tag: "ticket", value: "OPS-417" }],
    fileCount: 2,
    build: { timestamp: "2026-05-19T14:02:10Z", farmId: "test", sourceRef: "0123456" },
    packageHash: "a".repeat(64),
    sdOverrides: [{ path: "/usr/sbin/nginx", state: "stored" }],
    alternateUpgrade: undefined,
  });
  assert.throws(() => packageDetail(fixture.workspace, "nothere"), withCode("not-installed"));
});

Deno.test("C-WHY-01: explainInstalled() names the chains that lead to an automatic package", async () => {
  using fixture = openInstallation();
  const needs = (...names: readonly string[]) => ({ dependencies: names.map((name) => ({ name })) });
  await fixture.install(
    { name: "curl", manifest: needs("libssh2") },
    { name: "libssh2", reason: "dependency", manifest: needs("zlib") },
    { name: "nginx", manifest: needs("zlib") },
    { name: "spare", reason: "dependency" },
    { name: "zlib", reason: "dependency" },
  );
  const why = (name: string) => {
    const { isAutomatic, chains } = explainInstalled(fixture.workspace, name, false);
    return { isAutomatic, chains: chains.map((chain) => chain.map((link) => link.name).join(" ")) };
  };
  assert.deepEqual(why("zlib"), { isAutomatic: true, chains: ["nginx zlib", "curl libssh2 zlib"] });
  assert.deepEqual(why("nginx"), { isAutomatic: false, chains: [] });
  assert.deepEqual(why("spare"), { isAutomatic: true, chains: [] });
});

const ENTRY = JSON.stringify({ license: "MIT", homepage: "https://zlib.net", dependencies: [], conflicts: [] });

/** Two usable repositories and one without metadata. */
async function openCatalogues(): Promise<InstallationFixture> {
  const fixture = openInstallation();
  configure(fixture, "second", ['signature_policy = "optional"', "priority = 60"]);
  configure(fixture, "first", ['signature_policy = "optional"', "priority = 10"]);
  configure(fixture, "empty", ['signature_policy = "optional"', "priority = 5"]);
  configure(fixture, "off", ['signature_policy = "optional"', "enabled = false"]);
  await fixture.install({ name: "zlib", version: "1.3.1-1" });
  await fixture.change((database) => {
    const offers: readonly (readonly [string, string, string, string, string])[] = [
      ["first", "active", "haproxy", "2.9.7-1", "Reliable HTTP load balancer"],
      ["first", "active", "zlib", "1.3.2-1", "Compression library"],
      ["first", "archive", "zlib", "1.3.1-1", "Compression library"],
      ["first", "archive", "zlib", "1.3.2-1", "Compression library"],
      ["second", "active", "nginx", "1.27.5-1", "HTTP and reverse proxy server"],
      ["off", "active", "nginx", "9.9-9", "HTTP server of a disabled repository"],
    ];
    for (const handle of ["empty", "first", "off", "second"]) {
      database.statement("INSERT INTO repository (name, repo_name, added_at, accepted_config) VALUES (?, ?, 0, ?)")
        .run(handle, handle, ACCEPTED);
    }
    for (const [handle, kind, name, version, description] of offers) {
      database.statement(
        `INSERT OR IGNORE INTO catalogue (repository, kind, digest, index_version, generated_at)
          VALUES (?, ?, ?, 1, '2026-01-01T00:00:00Z')`,
      ).run(handle, kind, "d".repeat(64));
      database.statement(
        `INSERT INTO catalogue_package (catalogue_id, name, version, architecture, description, size_compressed,
          size_installed, hash, url, entry)
          SELECT id, ?, ?, 'x86_64', ?, 100, 4096, ?, 'u', ? FROM catalogue WHERE repository = ? AND kind = ?`,
      ).run(name, version, description, "1".repeat(64), ENTRY, handle, kind);
    }
  });
  return fixture;
}

const ACCEPTED = JSON.stringify({
  base_url: "https://packages.example",
  mirrors: [],
  priority: 50,
  signature_policy: "optional",
  trust_anchors: [],
  allow_insecure_transport: false,
  min_index_version: 0,
  allow_sd_overrides: false,
  sd_allowed_sids: [],
  official: false,
  enabled: true,
});

const search = (fixture: InstallationFixture, term: string, filters: SearchFilters = {}) =>
  searchCatalogue(fixture.workspace, term, filters)
    .map(({ repository, name, version }) => `${repository} ${name} ${version}`);

Deno.test("C-SEARCH-01, C-SEARCH-03, R-CACHE-07: search goes by repository order and skips what it cannot use", async () => {
  using fixture = await openCatalogues();
  assert.deepEqual(search(fixture, "http"), ["first haproxy 2.9.7-1", "second nginx 1.27.5-1"]);
  assert.deepEqual(fixture.warnings(), ["W_REPO_SKIPPED"]);
  assert.deepEqual(describeOffers(fixture.workspace, searchCatalogue(fixture.workspace, "ZLIB")), [{
    name: "zlib",
    version: "1.3.2-1",
    architecture: "x86_64",
    repository: "first",
    description: "Compression library",
    license: "MIT",
    homepage: "https://zlib.net",
    sizeDownloadBytes: 100,
    sizeInstalledBytes: 4096,
    installedVersion: "1.3.1-1",
  }]);
  assert.deepEqual(search(fixture, "nothing of the kind"), []);
});

Deno.test("C-SEARCH-05: search filters by field, match, repository, versions and installed set", async () => {
  using fixture = await openCatalogues();
  assert.deepEqual(search(fixture, "lib", { fields: "description" }), ["first zlib 1.3.2-1"]);
  assert.deepEqual(search(fixture, "HTTP", { fields: "name" }), []);
  assert.deepEqual(search(fixture, "n*x", { match: "glob" }), ["second nginx 1.27.5-1"]);
  assert.deepEqual(search(fixture, "zli", { match: "exact" }), []);
  assert.deepEqual(search(fixture, "zlib", { allVersions: true }), ["first zlib 1.3.2-1", "first zlib 1.3.1-1"]);
  assert.deepEqual(search(fixture, "", { repositories: ["second"] }), ["second nginx 1.27.5-1"]);
  assert.deepEqual(search(fixture, "", { installed: true }), ["first zlib 1.3.2-1"]);
  assert.throws(() => search(fixture, "", { repositories: ["off"] }), withCode("unknown-repository"));
});

Deno.test("R-CONF-03: a broken repository file stops the search, which might otherwise show another order", async () => {
  using fixture = await openCatalogues();
  configure(fixture, "first", ["priority = 0"]);
  assert.throws(() => search(fixture, "zlib"), withCode("repo-config"));
});

Deno.test("C-STATS-01: statistics() counts what is installed, cached and on offer", async () => {
  using fixture = await openCatalogues();
  await fixture.install({ name: "pcre2", reason: "dependency" });
  const cache = `${fixture.rootPath}/var/lib/peipkg/cache/packages`;
  Deno.mkdirSync(cache, { recursive: true });
  Deno.writeTextFileSync(`${cache}/x.peipkg`, "12345");
  assert.deepEqual(statistics(fixture.workspace), {
    local: { packages: 2, manual: 1, automatic: 1, sizeInstalledBytes: 8192, cacheSizeBytes: 5 },
    repositories: [
      { name: "first", packages: 2, sizeDownloadBytes: 200 },
      { name: "second", packages: 1, sizeDownloadBytes: 100 },
    ],
  });
});
