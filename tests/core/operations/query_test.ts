import assert from "node:assert/strict";
import { transactionEntry, transactionHistory } from "../../../core/operations/history.ts";
import { PeipkgError } from "../../../core/errors.ts";
import {
  listAnnotations,
  listPackages,
  ownersLike,
  ownersOf,
  packageFiles,
  summarisePackages,
} from "../../../core/operations/query.ts";
import { DEFAULT_REPOSITORY_SETTINGS } from "../../../core/identity/repository_settings.ts";
import { openWorkspace } from "../../../core/operations/workspace.ts";
import { insertClaimLink, setHolder } from "../../../core/store/roles.ts";
import { writeRepositoryState } from "../../../core/store/repository_state.ts";
import { configure, type InstallationFixture, openInstallation } from "./installation_fixture.ts";

const withCode = (code: string) => (error: unknown) => error instanceof PeipkgError && error.code === code;
const names = (fixture: InstallationFixture, filters = {}) =>
  listPackages(fixture.workspace, filters).map(({ name }) => name);

Deno.test("C-GLOB-15, T-DB-08: every question about an empty root is answered and creates nothing", () => {
  using fixture = openInstallation();
  assert.deepEqual(listPackages(fixture.workspace), []);
  assert.deepEqual(transactionHistory(fixture.workspace), []);
  assert.deepEqual(ownersLike(fixture.workspace, "*"), []);
  assert.deepEqual(listAnnotations(fixture.workspace), []);
  assert.throws(() => packageFiles(fixture.workspace, "nginx"), withCode("not-installed"));
  assert.throws(() => ownersOf(fixture.workspace, "/usr", "/"), withCode("not-owned"));
  assert.throws(() => listPackages(fixture.workspace, { patterns: ["nginx"] }), withCode("not-installed"));
  assert.deepEqual([...Deno.readDirSync(fixture.rootPath)], []);
});

Deno.test("C-LIST-01, R-ORPH-01: summarisePackages() tells everything a listing shows, listPackages() a line", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "zlib", reason: "dependency", isHeld: true, origin: "gone" }, { name: "nginx" });
  const summaries = summarisePackages(fixture.workspace);
  const lines = summaries.map(({ description: _text, sizeInstalledBytes: _size, ...line }) => line);
  assert.deepEqual(listPackages(fixture.workspace), lines);
  assert.deepEqual(summaries, [
    {
      name: "nginx",
      version: "1.0-1",
      architecture: "x86_64",
      origin: undefined,
      isOrphaned: false,
      installedAt: 1779199330,
      description: "about nginx",
      sizeInstalledBytes: 4096,
      isAutomatic: false,
      isLocked: false,
    },
    {
      name: "zlib",
      version: "1.0-1",
      architecture: "x86_64",
      origin: "gone",
      isOrphaned: true,
      installedAt: 1779199330,
      description: "about zlib",
      sizeInstalledBytes: 4096,
      isAutomatic: true,
      isLocked: true,
    },
  ]);
});

Deno.test("C-LIST-03: listPackages() filters by mark, lock, orphans, need and pattern", async () => {
  using fixture = openInstallation();
  configure(fixture, "here", ['signature_policy = "optional"']);
  await fixture.install(
    { name: "curl", origin: "here", manifest: { dependencies: [{ name: "libssl" }] } },
    { name: "openssl", reason: "dependency", origin: "here", manifest: { provides: [{ name: "libssl" }] } },
    { name: "tool", isHeld: true, origin: "gone" },
  );
  assert.deepEqual(names(fixture, { mark: "manual" }), ["curl", "tool"]);
  assert.deepEqual(names(fixture, { mark: "auto" }), ["openssl"]);
  assert.deepEqual(names(fixture, { locked: true }), ["tool"]);
  assert.deepEqual(names(fixture, { orphaned: true }), ["tool"]);
  assert.deepEqual(names(fixture, { leaves: true }), ["curl", "tool"]);
  assert.deepEqual(names(fixture, { patterns: ["*l", "open???"] }), ["curl", "openssl", "tool"]);
  assert.deepEqual(names(fixture, { patterns: ["[a-d]*"] }), ["curl"]);
  assert.throws(() => names(fixture, { patterns: ["x*"] }), withCode("not-installed"));
});

Deno.test("R-ORPH-01: a package is orphaned without a configured repository or an acceptable key, not otherwise", async (t) => {
  const fingerprint = "f".repeat(64);
  const anchors = [`trust_anchors = ["${fingerprint}"]`];
  const key = { fingerprint, publicKey: undefined, validUntil: undefined };
  const now = "2026-05-19T14:02:10Z";
  const cases = [
    ["local file", undefined, undefined, undefined, false],
    ["not configured", "official", undefined, undefined, true],
    ["configured, ceremony never run", "official", anchors, undefined, true],
    ["active key", "official", anchors, [{ ...key, status: "active" as const }], false],
    ["revoked key", "official", anchors, [{ ...key, status: "revoked" as const }], true],
    ["transitioning key, still valid", "official", anchors, [
      { ...key, status: "transitioning" as const, validUntil: now },
    ], false],
    ["transitioning key, expired", "official", anchors, [
      { ...key, status: "transitioning" as const, validUntil: "2026-05-19T14:02:09Z" },
    ], true],
    ["unsigned mode", "official", ['signature_policy = "optional"'], undefined, false],
    ["broken file, active key", "official", ["no = such = toml"], [{ ...key, status: "active" as const }], false],
  ] as const;
  for (const [name, origin, lines, keys, expected] of cases) {
    await t.step(name, async () => {
      using fixture = openInstallation();
      if (lines !== undefined) configure(fixture, "official", lines);
      await fixture.install({ name: "tool", origin });
      if (keys !== undefined) {
        await fixture.change((database) =>
          writeRepositoryState(database, {
            name: "official",
            repositoryName: "official",
            addedAt: 0,
            lastRefreshAt: undefined,
            active: { indexVersion: 0, generatedAt: undefined },
            archive: { indexVersion: 0, generatedAt: undefined },
            accepted: {
              ...DEFAULT_REPOSITORY_SETTINGS,
              baseUrl: "https://packages.example",
              trustAnchors: [fingerprint],
            },
            keys,
            revocations: new Set(),
          }, 0)
        );
      }
      assert.equal(listPackages(fixture.workspace)[0]?.isOrphaned, expected);
    });
  }
});

Deno.test("C-FILES-01, C-FILES-02, C-TXN-05: packageFiles() lists paths in byte order, without claim links", async () => {
  using fixture = openInstallation();
  await fixture.install({
    name: "nginx",
    files: { "/usr/sbin/nginx": { text: "x" }, "/usr/sbin": "dir", "/usr/lib": { link: "lib64" } },
  });
  await fixture.change((database) => {
    setHolder(database, "httpd", "nginx");
    insertClaimLink(database, {
      path: "/usr/sbin/httpd",
      role: "httpd",
      slot: "main",
      target: "/usr/sbin/nginx",
      isVolatile: false,
    });
  });
  const paths = packageFiles(fixture.workspace, "nginx").map(({ path, type }) => `${type} ${path}`);
  assert.deepEqual(paths, ["symlink /usr/lib", "dir /usr/sbin", "file /usr/sbin/nginx"]);
  assert.deepEqual(packageFiles(fixture.workspace, "nginx", "dir").map(({ path }) => path), ["/usr/sbin"]);
});

Deno.test("C-OWNS-01: ownersOf() folds the path and begins a relative one at the root of another installation", async () => {
  using fixture = openInstallation();
  await fixture.install(
    { name: "aa", files: { "/usr/share": "dir", "/usr/share/aa": { text: "x" } } },
    { name: "bb", files: { "/usr/share": "dir" } },
  );
  const owners = (path: string) => ownersOf(fixture.workspace, path, "/somewhere/else").owners.map((o) => o.package);
  assert.deepEqual(owners("/usr/share/aa"), ["aa"]);
  assert.deepEqual(owners("//usr/./bin/../share//aa/"), ["aa"]);
  assert.deepEqual(owners("usr/share/aa"), ["aa"]);
  assert.deepEqual(owners("../../usr/share"), ["aa", "bb"]);
});

Deno.test("C-OWNS-01: when nothing matches, links among the parents are followed inside the root", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa", files: { "/usr/lib/x/liba.so": { text: "x" } } });
  const { rootPath } = fixture;
  Deno.symlinkSync("usr/lib", `${rootPath}/lib`);
  Deno.symlinkSync("/lib/x", `${rootPath}/absolute`);
  Deno.symlinkSync("../../../../usr/lib/x", `${rootPath}/above`);
  Deno.symlinkSync("circle", `${rootPath}/circle`);
  for (const path of ["/lib/x/liba.so", "/absolute/liba.so", "/above/liba.so"]) {
    assert.deepEqual(ownersOf(fixture.workspace, path, "/").path, "/usr/lib/x/liba.so", path);
  }
  for (const path of ["/circle/liba.so", "/lib/none/liba.so", "/usr/lib/x/other"]) {
    assert.throws(() => ownersOf(fixture.workspace, path, "/"), withCode("not-owned"), path);
  }
});

Deno.test("C-OWNS-04: a claim link is answered with role and holder", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx" });
  await fixture.change((database) => {
    setHolder(database, "httpd", "nginx");
    const link = { role: "httpd", slot: "main", target: "/usr/sbin/nginx", isVolatile: false };
    insertClaimLink(database, { ...link, path: "/usr/sbin/httpd" });
  });
  assert.deepEqual(ownersOf(fixture.workspace, "/usr/sbin/httpd", "/"), {
    path: "/usr/sbin/httpd",
    owners: [],
    claim: { role: "httpd", holder: "nginx" },
  });
});

Deno.test("T-HIST-01, T-HIST-02, C-HIST-02: history is newest first, with its operations, up to the limit", async () => {
  using fixture = openInstallation();
  await fixture.change((database) => {
    for (const [id, state] of [[1, "committed"], [2, "rolled-back"], [3, "abandoned"]] as const) {
      database.statement(
        `INSERT INTO txn (id, state, phase, kind, started_at, finished_at, op_summary, operator, invocation,
          started_by_version, journal_schema_version, boot_id)
          VALUES (?, ?, 'closed', 'package', ?, ?, ?, '{}', 'i', '0.1.0', 1, 'b')`,
      ).run(id, state, 100 * id, 100 * id + 5, `install p${id}`);
      database.statement(
        "INSERT INTO txn_op (txn_id, seq, subject, action, to_version, origin_repo, cause) VALUES (?, 0, ?, 'install', '1-1', 'official', 'requested')",
      ).run(id, `p${id}`);
    }
  });
  assert.deepEqual(transactionHistory(fixture.workspace).map(({ id, state }) => [id, state]), [
    [3, "abandoned"],
    [2, "rolled-back"],
    [1, "committed"],
  ]);
  assert.deepEqual(transactionHistory(fixture.workspace, { limit: 1 }).map(({ id }) => id), [3]);
  assert.deepEqual(transactionHistory(fixture.workspace, { limit: 1, package: "p1" }), [{
    id: 1,
    state: "committed",
    startedAt: 100,
    finishedAt: 105,
    summary: "install p1",
    operations: [{ action: "install", name: "p1", from: undefined, to: "1-1", origin: "official" }],
    byVersion: "0.1.0",
  }]);
  assert.equal(transactionEntry(fixture.workspace, 2)?.summary, "install p2");
  assert.equal(transactionEntry(fixture.workspace, 9), undefined);
});

Deno.test("A-EVENT-22, T-LOCK-10: questions are not audited and take no lock", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx", files: { "/usr/sbin/nginx": { text: "x" } } });
  await fixture.workspace.withWriter(() => {
    listPackages(fixture.workspace);
    return Promise.resolve();
  });
  const before = Deno.statSync(`${fixture.rootPath}/var/lib/peipkg/lock`).mtime?.getTime();
  listPackages(fixture.workspace);
  ownersOf(fixture.workspace, "/usr/sbin/nginx", "/");
  packageFiles(fixture.workspace, "nginx");
  transactionHistory(fixture.workspace);
  assert.deepEqual(fixture.audited(), []);
  assert.equal(Deno.statSync(`${fixture.rootPath}/var/lib/peipkg/lock`).mtime?.getTime(), before);
});

Deno.test("T-MODEL-08, T-DB-07: every question of one run sees the same snapshot, until the run writes itself", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx" });
  const { workspace } = fixture;
  assert.equal(listPackages(workspace).length, 1);
  using other = openWorkspace(workspace.session, {
    options: new Map([["root", fixture.rootPath]]),
    overrides: [],
    environment: new Map(),
    version: "0.1.0",
  });
  await other.write((database) => database.write(() => database.statement("DELETE FROM package").run()));
  assert.equal(listPackages(workspace).length, 1);
  await fixture.change(() => {});
  assert.equal(listPackages(workspace).length, 0);
});
