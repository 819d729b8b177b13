import { strict as assert } from "node:assert";
import { PeipkgError } from "../../../core/errors.ts";
import { acceptConfigurations } from "../../../core/operations/accepted_configuration.ts";
import { cleanCache } from "../../../core/operations/clean.ts";
import { loadAvailable, pendingWeakenings } from "../../../core/operations/available.ts";
import { statistics } from "../../../core/operations/inspect.ts";
import { configuredRepositories, refreshRepositories } from "../../../core/operations/refresh.ts";
import {
  commitRepositoryAdd,
  fetchRepositoryAdd,
  listRepositories,
  planRepositoryAdd,
  removeRepository,
} from "../../../core/operations/repositories.ts";
import { changeKeys } from "../../../core/publish/rotate.ts";
import { packagesNamed } from "../../../core/store/catalogue.ts";
import { readRepositoryState } from "../../../core/store/repository_state.ts";
import { dayOf, makeRepository, serveFiles, testKey, type TestRepository } from "../../support/repository_server.ts";
import { openRepositoryWorld, type RepositoryWorld } from "../../support/repository_world.ts";
import { refusedBy, ruleOrCode } from "../../support/refusals.ts";

const BASE = "https://pkgs.test.invalid/main";
const DAY = 86_400_000;

interface Scene extends Disposable {
  readonly world: RepositoryWorld;
  readonly repository: TestRepository;
  readonly anchor: string;
  add(more?: object): Promise<unknown>;
  /** Result word, or rule of the failure. */
  refresh(): Promise<string | undefined>;
  load(more?: object): Promise<string | undefined>;
  files(): readonly string[];
}

async function begin(): Promise<Scene> {
  const world = openRepositoryWorld();
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`, { extraKeys: [await testKey(7)] });
  await repository.publish([{ name: "tool", version: "1-1" }, { name: "lib", version: "1-1" }]);
  world.serve = serveFiles(BASE, repository.directory);
  const anchor = repository.key.fingerprint;
  const attempt = async (run: () => Promise<string | undefined>) => {
    try {
      return await run();
    } catch (error) {
      return ruleOrCode(error);
    }
  };
  return {
    world,
    repository,
    anchor,
    add: (more = {}) => world.add({ handle: "main", baseUrl: BASE, anchors: [anchor], ...more }),
    refresh: () =>
      attempt(async () => {
        const [outcome] = (await refreshRepositories(world.open())).results;
        return outcome?.result === "failed" ? ruleOrCode(outcome.error) : outcome?.result;
      }),
    load: (more = {}) =>
      attempt(async () => {
        await loadAvailable(world.open(), { dryRun: false, allowStale: false, gated: true, ...more });
        return "ok";
      }),
    files: () => [...listTree(world.rootPath)].filter((path) => !path.startsWith("srv")).sort(),
    [Symbol.dispose]: () => world[Symbol.dispose](),
  };
}

function* listTree(directory: string, prefix = ""): Generator<string> {
  for (const entry of Deno.readDirSync(directory)) {
    if (entry.isDirectory) yield* listTree(`${directory}/${entry.name}`, `${prefix}${entry.name}/`);
    else yield `${prefix}${entry.name}`;
  }
}

function stateOf(world: RepositoryWorld) {
  return world.open().read((database) => database === undefined ? undefined : readRepositoryState(database, "main"));
}

Deno.test("R-ADD-03 … R-ADD-11, C-REPO-05, C-REPO-06: adding records everything together", async () => { // C01
  using scene = await begin();
  const { world } = scene;
  assert.deepEqual(await scene.add({ priority: 10 }), { indexVersion: 2, packages: 2 });
  const state = stateOf(world);
  assert.deepEqual([state?.repositoryName, state?.active.indexVersion, state?.lastRefreshAt], [
    "test",
    2,
    Math.floor(world.now / 1000),
  ]);
  assert.equal(state?.keys.length, 2); // R-ADD-08: all keys, not just the anchors
  assert.deepEqual(scene.files().filter((path) => !path.includes("db.sqlite") && !path.endsWith("lock")), [
    "conf/peipkg/main.repo",
    "var/lib/peipkg/cache/metadata/main.active.json",
    "var/lib/peipkg/cache/metadata/main.active.json.sig",
  ]);
  assert.deepEqual(world.audited.map((event) => [event.type, event.outcome, event.repo]), [[
    "peipkg.repo-add",
    "success",
    "main",
  ]]);
  assert.ok(world.takeWarnings().includes("W_SINGLE_ANCHOR")); // R-ADD-07
});

Deno.test("R-ADD-05, R-ADD-07, C-REPO-05: the ceremony shows keys and anchors side by side", async () => {
  using scene = await begin();
  const workspace = scene.world.open();
  const anchors = [scene.anchor, "f".repeat(64)];
  const ceremony = await fetchRepositoryAdd(
    workspace,
    planRepositoryAdd(workspace, { handle: "main", baseUrl: BASE, anchors }),
  );
  assert.equal(ceremony.asksTrust, true);
  assert.deepEqual(ceremony.anchors, [{ fingerprint: scene.anchor, matches: true }, {
    fingerprint: "f".repeat(64),
    matches: false,
  }]);
  assert.deepEqual(ceremony.keys.filter((key) => key.matches).map((key) => [key.fingerprint, key.status]), [[
    scene.anchor,
    "active",
  ]]);
  assert.ok(scene.world.takeWarnings().includes("W_ANCHOR_UNUSED"));
  assert.deepEqual(scene.files(), []); // R-ADD-07: nothing is recorded before the answer
});

Deno.test("R-ADD-05, R-ADD-06, R-ADD-10, R-SIG-09, C-REPO-07: a failed add leaves nothing behind", async () => { // C02, C03, C04, C05
  using scene = await begin();
  const { world, repository } = scene;
  await assert.rejects(scene.add({ anchors: ["f".repeat(64)] }), refusedBy("E_NO_ANCHOR_MATCH"));
  const offline = (await testKey(7)).fingerprint;
  await assert.rejects(scene.add({ anchors: [offline] }), refusedBy("E_SIG_KEY_UNTRUSTED"));
  await assert.rejects(scene.add({ minIndexVersion: 3 }), refusedBy("E_INDEX_BELOW_MINIMUM")); // R-FRESH-06
  const honest = world.serve;
  world.serve = (url, request) => url.endsWith("repo.json.sig") ? undefined : honest(url, request);
  await assert.rejects(scene.add(), refusedBy("E_SIG_MISSING"));
  world.serve = (url, request) => url.endsWith("active.json") ? undefined : honest(url, request);
  await assert.rejects(scene.add(), refusedBy("E_HTTP_STATUS"));
  world.serve = honest;
  assert.deepEqual(scene.files().filter((path) => path.includes("repo") || path.includes("main")), []);
  assert.equal(stateOf(world), undefined);
  await scene.add({ minIndexVersion: 2 });
  assert.equal(repository.name, "test");
});

Deno.test("R-ADD-01, R-ADD-02, C-REPO-01, C-REPO-04: a request is checked before any network access", async () => {
  using scene = await begin();
  const workspace = scene.world.open();
  const plan = (request: object) => {
    try {
      return planRepositoryAdd(workspace, { handle: "main", baseUrl: BASE, anchors: [scene.anchor], ...request });
    } catch (error) {
      return ruleOrCode(error);
    }
  };
  assert.equal(plan({ handle: "Main" }), "usage");
  assert.equal(plan({ baseUrl: "https://h/" }), "usage");
  assert.equal(plan({ anchors: ["12"] }), "usage");
  assert.equal(plan({ anchors: [] }), "E_NO_ANCHOR");
  assert.equal(plan({ priority: 0 }), "usage");
  assert.equal(plan({ minIndexVersion: -1 }), "usage");
  assert.equal(plan({ maxTrustedAgeDays: 0 }), "usage");
  assert.equal(plan({ baseUrl: "http://h/x" }), "E_INSECURE_TRANSPORT");
  const grouped = scene.anchor.toUpperCase().replace(/(.{4})/g, "$1 ").replace(" ", ":");
  const accepted = plan({ anchors: [grouped] });
  assert.deepEqual(typeof accepted === "object" ? accepted.configuration.trustAnchors : accepted, [scene.anchor]);
  assert.deepEqual(scene.world.requests, []);
});

Deno.test("R-ADD-01, R-TRANS-04, C-REPO-09: other settings need --replace, weaker ones an elevated yes", async () => {
  using scene = await begin();
  await scene.add();
  await assert.rejects(scene.add({ priority: 9 }), refusedBy("E_REPO_EXISTS"));
  await scene.add(); // the same settings: the ceremony again
  await scene.add({ priority: 9, replace: true });
  assert.ok(
    scene.world.audited.some((event) => event.change?.setting === "priority" && event.change.via === "command"),
  );
  const workspace = scene.world.open();
  const plan = planRepositoryAdd(workspace, {
    handle: "main",
    baseUrl: BASE,
    anchors: [scene.anchor],
    policy: "optional",
    replace: true,
  });
  assert.deepEqual(plan.weakenings.map((item) => item.action), ["AUTH_WEAKEN_POLICY"]);
  scene.world.requests.length = 0;
  await assert.rejects(fetchRepositoryAdd(workspace, plan), refusedBy("E_AUTH_REQUIRED"));
  assert.deepEqual(scene.world.requests, []); // before the first fetch
});

Deno.test("R-ADD-12, R-REFRESH-01, C-REPO-08, C-CONF-22, R-CACHE-06: a hand-written file is trusted by its first refresh", async () => {
  using scene = await begin();
  Deno.mkdirSync(`${scene.world.rootPath}/conf/peipkg`, { recursive: true });
  Deno.writeTextFileSync(
    `${scene.world.rootPath}/conf/peipkg/main.repo`,
    `base_url = "${BASE}"\ntrust_anchors = ["${scene.anchor}"]\n`,
  );
  assert.equal(await scene.load(), "E_REPO_UNTRUSTED");
  assert.deepEqual(statistics(scene.world.open()).repositories, []);
  assert.ok(scene.world.takeWarnings().includes("W_REPO_SKIPPED"));
  assert.equal(await scene.refresh(), "refreshed");
  assert.equal(await scene.load(), "ok");
  assert.deepEqual(statistics(scene.world.open()).repositories.map(({ name }) => name), ["main"]);
  const [listing] = listRepositories(scene.world.open());
  assert.ok(
    listing?.kind === "valid" && listing.trusted && !listing.stale && listing.packages === 2 &&
      listing.indexVersion === 2,
  );
});

Deno.test("R-FRESH-02, R-FRESH-03, R-REFRESH-13, C-REFRESH-03, A-EVENT-04: only progress moves time and floor", async () => { // C06, C09
  using scene = await begin();
  const { world, repository } = scene;
  await scene.add();
  const added = stateOf(world)?.lastRefreshAt;
  world.now += 3 * DAY;
  assert.equal(await scene.refresh(), "unchanged");
  assert.equal(stateOf(world)?.lastRefreshAt, added);
  await repository.publish([{ name: "tool", version: "2-1" }]);
  assert.equal(await scene.refresh(), "refreshed");
  const state = stateOf(world);
  assert.deepEqual([state?.lastRefreshAt, state?.active], [Math.floor(world.now / 1000), {
    indexVersion: 3,
    generatedAt: dayOf(2),
  }]);
  const runs = world.audited.filter((event) => event.type === "peipkg.refresh");
  assert.deepEqual(runs.map((event) => event.repositories), [
    [{ name: "main", result: "unchanged", index_version: 2 }],
    [{ name: "main", result: "refreshed", index_version: 3 }],
  ]);
});

Deno.test("R-REFRESH-06, R-CACHE-02, T-DB-19: a refresh stores what changed, all of it without the index known so far", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  const names = Array.from({ length: 24 }, (_, at) => `pack-${at + 10}`);
  await repository.publish(names.map((name) => ({ name, version: "1-1" })));
  await scene.add();
  const described = (name: string) =>
    world.open().read((database) =>
      database === undefined ? [] : packagesNamed(database, name).map((item) => `${item.version} ${item.description}`)
    );
  // A row that no index ever had shows which rows are written.
  await world.open().write((database) =>
    database.write(() => database.statement("UPDATE catalogue_package SET description = 'mark'").run())
  );
  await repository.publish([{ name: "pack-20", version: "2-1" }, { name: "pack-205", version: "1-1" }]);
  assert.equal(await scene.refresh(), "refreshed");
  assert.deepEqual(described("pack-20"), ["2-1 Test package pack-20"]);
  assert.deepEqual(described("pack-205"), ["1-1 Test package pack-205"]);
  assert.deepEqual(described("pack-15"), ["1-1 mark"]);
  Deno.removeSync(`${world.rootPath}/var/lib/peipkg/cache/metadata/main.active.json`);
  await repository.publish([{ name: "pack-20", version: "3-1" }]);
  assert.equal(await scene.refresh(), "refreshed");
  assert.deepEqual(described("pack-20"), ["3-1 Test package pack-20"]);
  assert.deepEqual(described("pack-15"), ["1-1 Test package pack-15"]);
});

Deno.test("R-FRESH-01, R-FRESH-04, R-REFRESH-09: a replayed or split repository is refused and nothing changes", async () => { // C07, C10
  using scene = await begin();
  const { world, repository } = scene;
  const old = repository.snapshot();
  await repository.publish([{ name: "tool", version: "2-1" }]);
  await scene.add();
  const before = stateOf(world);
  world.serve = serveFiles(BASE, old);
  assert.equal(await scene.refresh(), "E_INDEX_ROLLBACK");
  assert.deepEqual(stateOf(world), before);
  // The same version and date with other content: somebody is shown another history.
  Deno.mkdirSync(`${world.rootPath}/srv/fork`);
  const fork = await makeRepository(world.session, `${world.rootPath}/srv/fork`, { extraKeys: [await testKey(7)] });
  await fork.publish([{ name: "tool", version: "1-1" }, { name: "lib", version: "1-1" }]);
  await fork.publish([{ name: "evil", version: "2-1" }]);
  world.serve = serveFiles(BASE, fork.directory);
  assert.equal(await scene.refresh(), "E_INDEX_EQUIVOCATION");
  assert.deepEqual(stateOf(world), before);
});

Deno.test("R-REFRESH-03, R-KEY-05, R-REFRESH-10, R-CACHE-02: revocations are followed, kept and not undone", async () => { // C11, C12, C13, C14
  using scene = await begin();
  const { world, repository } = scene;
  await scene.add({ anchors: [repository.key.fingerprint, (await testKey(7)).fingerprint] });
  const before = repository.snapshot();
  const offline = await testKey(7);
  await changeKeys(repository.context, {
    kind: "revoke",
    directory: repository.directory,
    signingKey: offline,
    timestamp: dayOf(5),
    fingerprint: repository.key.fingerprint,
  });
  const honest = world.serve;
  world.serve = (url, request) => url.endsWith("active.json") ? undefined : honest(url, request);
  assert.equal(await scene.refresh(), "E_HTTP_STATUS");
  assert.deepEqual([...stateOf(world)?.revocations ?? []], [repository.key.fingerprint]);
  // The cached index was signed by the revoked key, so it no longer counts.
  assert.equal(await scene.load({ dryRun: true }), "E_REPO_UNAVAILABLE");
  world.serve = serveFiles(BASE, new Map([...before]));
  assert.equal(await scene.refresh(), "E_SIG_KEY_REVOKED");
  world.serve = honest;
  assert.equal(await scene.refresh(), "unchanged");
  assert.equal(await scene.load(), "ok");
});

Deno.test("R-DESC-11: a repository that changes its name is refused", async () => {
  using scene = await begin();
  await scene.add();
  const other = await makeRepository(scene.world.session, `${scene.world.rootPath}/srv`, {
    name: "renamed",
    extraKeys: [await testKey(7)],
  });
  scene.world.serve = serveFiles(BASE, other.directory);
  assert.equal(await scene.refresh(), "E_REPO_NAME_CHANGED");
});

Deno.test("R-REFRESH-11: a pair caught in the middle of a publish is fetched once more", async () => {
  using scene = await begin();
  await scene.add();
  const old = scene.repository.snapshot();
  await scene.repository.publish([{ name: "tool", version: "2-1" }]);
  const honest = scene.world.serve;
  let stale = 1;
  scene.world.serve = (url, request) =>
    url.endsWith("active.json.sig") && stale-- > 0 ? serveFiles(BASE, old)(url, request) : honest(url, request);
  assert.equal(await scene.refresh(), "refreshed");
  assert.ok(scene.world.sleeps.includes(1000));
});

Deno.test("R-AGE-04, R-AGE-05, R-AGE-06, C-INSTALL-14: an over-age repository is refreshed first, or refused", async () => { // C18, C19, C20, C21
  using scene = await begin();
  const { world, repository } = scene;
  await scene.add();
  world.now += 30 * DAY;
  assert.equal(await scene.load(), "ok");
  world.now += 1000;
  assert.equal(await scene.load(), "E_TRUST_AGE"); // C20: no progress is a failed refresh
  assert.ok(world.events.some((event) => event.kind === "over-age" && event.ageDays === 30));
  world.takeWarnings();
  assert.equal(await scene.load({ dryRun: true }), "ok");
  assert.deepEqual(world.takeWarnings().filter((rule) => rule.startsWith("W_STALE")), ["W_STALE_METADATA"]);
  assert.equal(await scene.load({ gated: false }), "ok");
  const available = await loadAvailable(world.open(), { dryRun: false, allowStale: true, gated: true });
  assert.deepEqual(available.stale, [{ repository: "main", ageDays: 30, limitDays: 30 }]);
  assert.ok(world.takeWarnings().includes("W_STALE_ALLOWED"));
  const honest = world.serve;
  world.serve = () => undefined;
  assert.equal(await scene.load(), "E_TRUST_AGE"); // C19
  world.serve = honest;
  await repository.publish([], { refreshDate: true, timestamp: dayOf(48) });
  assert.equal(await scene.load(), "ok"); // C18
});

Deno.test("auto_refresh_hours: an opportunity whose failure is a warning", async () => {
  using scene = await begin();
  await scene.add();
  scene.world.now += 3 * 3_600_000;
  scene.world.serve = () => undefined;
  scene.world.takeWarnings();
  const open = (hours: number) =>
    loadAvailable(scene.world.open([`auto_refresh_hours=${hours}`]), { dryRun: false, allowStale: false, gated: true });
  await open(4);
  assert.ok(!scene.world.takeWarnings().includes("W_AUTO_REFRESH"));
  await open(2);
  assert.ok(scene.world.takeWarnings().includes("W_AUTO_REFRESH"));
});

Deno.test("R-CACHE-02, R-CACHE-03, R-CACHE-04, R-CACHE-05: a cache that was tampered with is found and repaired", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  const old = repository.snapshot();
  await repository.publish([{ name: "tool", version: "2-1" }]);
  await scene.add();
  const cache = `${world.rootPath}/var/lib/peipkg/cache/metadata/main.active.json`;
  const good = Deno.readFileSync(cache);
  const damage = [
    () => Deno.writeFileSync(cache, good.map((byte, at) => at === 200 ? byte ^ 1 : byte)),
    () => Deno.removeSync(cache),
    () => Deno.removeSync(`${cache}.sig`),
    () => Deno.writeFileSync(`${cache}.sig`, Deno.readFileSync(`${repository.directory}/repo.json.sig`)),
    () => { // an older signed index planted whole
      Deno.writeFileSync(cache, old.get("index/active.json") ?? new Uint8Array());
      Deno.writeFileSync(`${cache}.sig`, old.get("index/active.json.sig") ?? new Uint8Array());
    },
  ];
  for (const [index, spoil] of damage.entries()) {
    spoil();
    assert.equal(await scene.load({ dryRun: true }), "E_REPO_UNAVAILABLE", `damage ${index}`);
    assert.equal(statistics(world.open()).repositories.length, 1); // R-CACHE-07: reading commands trust the rows
    assert.equal(await scene.load(), "ok", `damage ${index}`);
    assert.deepEqual(Deno.readFileSync(cache), good);
  }
});

Deno.test("R-POL-03, R-POL-05, R-POL-06, R-TRANS-04: unsigned mode warns each time, entering it is elevated", async () => { // C26
  using scene = await begin();
  const { world } = scene;
  await scene.add({ anchors: [], policy: "optional" });
  assert.ok(world.requests.every((url) => !url.endsWith(".sig")));
  world.takeWarnings();
  for (let round = 0; round < 3; round++) {
    assert.equal(await scene.refresh(), "unchanged");
    assert.deepEqual(world.takeWarnings().filter((rule) => rule === "W_UNSIGNED_REPO"), ["W_UNSIGNED_REPO"]);
  }
  assert.deepEqual(stateOf(world)?.keys, []);
  const file = `${world.rootPath}/conf/peipkg/main.repo`;
  const unsigned = Deno.readTextFileSync(file);
  // Leaving: anchors added later make the next refresh a first add, floors kept.
  Deno.writeTextFileSync(file, `${unsigned}trust_anchors = ["${scene.anchor}"]\n`);
  assert.equal(await scene.refresh(), "unchanged");
  assert.equal(stateOf(world)?.keys.length, 2);
  Deno.writeTextFileSync(file, unsigned);
  assert.deepEqual(pendingWeakenings(world.open()).map((item) => item.action), ["AUTH_WEAKEN_POLICY"]);
  assert.equal(await scene.refresh(), "E_AUTH_REQUIRED"); // refresh never asks
  assert.equal(await scene.load(), "E_AUTH_REQUIRED");
  const workspace = world.open();
  const granted = pendingWeakenings(workspace);
  await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: true }, granted).catch(() => {});
  await workspace.write((database) =>
    acceptConfigurations(workspace, database, configuredRepositories(workspace), "file")
  );
  assert.ok(world.audited.some((event) => event.change?.setting === "trust_anchors" && event.change.via === "file"));
  assert.equal(await scene.refresh(), "unchanged");
  assert.deepEqual(stateOf(world)?.keys, []);
});

Deno.test("R-TRANS-02, R-TRANS-03, R-TRANS-04: plain http warns at every use, switching it on in the file is elevated", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  const base = "http://pkgs.test.invalid/main";
  world.serve = serveFiles(base, repository.directory);
  await world.add({ handle: "main", baseUrl: base, anchors: [scene.anchor], insecure: true });
  assert.deepEqual(world.audited.map((event) => event.type), ["peipkg.repo-add"]); // part of that trust decision
  world.takeWarnings();
  assert.equal(await scene.load(), "ok");
  assert.ok(world.takeWarnings().includes("W_INSECURE_TRANSPORT"));
  const file = `${world.rootPath}/conf/peipkg/main.repo`;
  const text = Deno.readTextFileSync(file);
  Deno.writeTextFileSync(file, text.replace("allow_insecure_transport = true\n", ""));
  assert.equal(await scene.refresh(), "E_INSECURE_TRANSPORT");
  // Accepted once without the flag, the flag is a weakening when it comes back.
  const disk = `base_url = "file://${repository.directory}"\ntrust_anchors = ["${scene.anchor}"]\n`;
  Deno.writeTextFileSync(file, disk);
  assert.equal(await scene.refresh(), "unchanged");
  Deno.writeTextFileSync(file, text);
  assert.deepEqual(pendingWeakenings(world.open()).map((item) => item.action), ["AUTH_INSECURE_TOGGLE"]);
  assert.equal(await scene.refresh(), "E_AUTH_REQUIRED");
});

Deno.test("R-POL-02: with an anchor a missing signature is an error, not unsigned mode", async () => { // C27
  using scene = await begin();
  await scene.add({ policy: "optional" });
  const honest = scene.world.serve;
  scene.world.serve = (url, request) => url.endsWith("active.json.sig") ? undefined : honest(url, request);
  assert.equal(await scene.refresh(), "E_SIG_MISSING");
});

Deno.test("C-REFRESH-01, C-REFRESH-02, R-CONF-03, R-NET-02: repositories are refreshed independently, unknown names first", async () => {
  using scene = await begin();
  const { world } = scene;
  await scene.add();
  await world.add({
    handle: "other",
    baseUrl: `file://${scene.repository.directory}`,
    anchors: [scene.anchor],
    priority: 10,
  });
  world.requests.length = 0;
  await assert.rejects(
    refreshRepositories(world.open(), ["main", "missing"]),
    refusedBy("E_REPO_UNKNOWN"),
  );
  assert.deepEqual(world.requests, []);
  world.serve = () => undefined;
  const { results } = await refreshRepositories(world.open());
  assert.deepEqual(results.map((item) => [item.name, item.result]), [["other", "unchanged"], ["main", "failed"]]); // R-CONF-04
  Deno.writeTextFileSync(`${world.rootPath}/conf/peipkg/bad.repo`, "x");
  await assert.rejects(refreshRepositories(world.open()), refusedBy("E_CONFIG_SYNTAX"));
  assert.deepEqual(listRepositories(world.open()).map((item) => item.kind), ["valid", "valid", "invalid"]); // C-REPO-10
  assert.ok(world.takeWarnings().includes("W_REPO_INVALID"));
  assert.equal(await removeRepository(world.open(), "bad"), true);
});

Deno.test("R-RM-01, R-RM-02, R-ADD-13, C-REPO-11: removing forgets floors, keys, rows and files", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  const old = repository.snapshot();
  await repository.publish([{ name: "tool", version: "2-1" }]);
  await scene.add();
  assert.equal(await removeRepository(world.open(), "main"), true);
  assert.equal(stateOf(world), undefined);
  assert.deepEqual(world.open().read((database) => database === undefined ? [] : packagesNamed(database, "tool")), []);
  assert.deepEqual(scene.files().filter((path) => path.includes("main")), []);
  assert.equal(await removeRepository(world.open(), "main"), false);
  assert.ok(world.audited.some((event) => event.type === "peipkg.repo-remove"));
  world.serve = serveFiles(BASE, old);
  assert.deepEqual(await scene.add(), { indexVersion: 2, packages: 2 }); // no floor is left
});

Deno.test("R-RM-03: cleaning deletes what no configured repository owns, and nothing else", async () => {
  using scene = await begin();
  await scene.add();
  const metadata = `${scene.world.rootPath}/var/lib/peipkg/cache/metadata`;
  Deno.writeTextFileSync(`${metadata}/gone.active.json`, "x");
  Deno.writeTextFileSync(`${metadata}/note`, "x");
  const request = { packages: false, allPackages: false, backups: false, dryRun: false };
  const report = await cleanCache(scene.world.open(), request);
  assert.ok(report.kind === "cleaned");
  assert.deepEqual(report.files.map(({ path }) => path), [`${metadata}/gone.active.json`]);
  assert.notEqual(stateOf(scene.world), undefined);
  assert.deepEqual([...Deno.readDirSync(metadata)].map((entry) => entry.name).sort(), [
    "main.active.json",
    "main.active.json.sig",
    "note",
  ]);
  Deno.removeSync(`${scene.world.rootPath}/conf/peipkg/main.repo`);
  await cleanCache(scene.world.open(), { ...request, dryRun: true });
  assert.notEqual(stateOf(scene.world), undefined);
  await cleanCache(scene.world.open(), request);
  assert.equal(stateOf(scene.world), undefined);

  await scene.add();
  for (
    const path of [`${scene.world.rootPath}/conf/peipkg/main.repo`, `${scene.world.rootPath}/var/lib/peipkg/cache`]
  ) {
    Deno.removeSync(path, { recursive: true });
  }
  assert.deepEqual(await cleanCache(scene.world.open(), request), { kind: "no-cache" });
  assert.equal(stateOf(scene.world), undefined); // the rows go though there is no cache
});

Deno.test("R-ARC-05, R-ARC-06, R-ARC-07, R-REFRESH-12: the archive is fetched only when asked for, with its own floor", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  await repository.publish([{ name: "tool", version: "2-1" }]);
  await scene.add();
  assert.equal(await scene.refresh(), "unchanged");
  assert.ok(world.requests.every((url) => !url.includes("archive")));
  const load = () => loadAvailable(world.open(), { dryRun: false, allowStale: false, gated: true, archives: true });
  assert.deepEqual([...(await load()).digests.keys()], ["main active", "main archive"]);
  const versions = world.open().read((database) => database === undefined ? [] : packagesNamed(database, "tool"))
    .map((row) => `${row.kind} ${row.version}`).sort();
  assert.deepEqual(versions, ["active 2-1", "archive 1-1", "archive 2-1"]);
  assert.equal(stateOf(world)?.archive.indexVersion, 3);
  assert.deepEqual([...(await load()).digests.keys()], ["main active", "main archive"]); // an equal archive is fine
  const honest = world.serve;
  world.serve = (url, request) => url.includes("archive") ? undefined : honest(url, request);
  world.takeWarnings();
  await load();
  assert.ok(world.takeWarnings().includes("W_ARCHIVE_SKIPPED"));
});

Deno.test("R-COMP-01: a disabled repository is neither fetched nor consulted", async () => {
  using scene = await begin();
  await scene.add();
  const file = `${scene.world.rootPath}/conf/peipkg/main.repo`;
  Deno.writeTextFileSync(file, `${Deno.readTextFileSync(file)}enabled = false\n`);
  scene.world.requests.length = 0;
  assert.deepEqual((await refreshRepositories(scene.world.open())).results, []);
  const available = await loadAvailable(scene.world.open(), { dryRun: false, allowStale: false, gated: true });
  assert.deepEqual(available.repositories, []);
  assert.deepEqual(scene.world.requests, []);
});

Deno.test("R-FRESH-07: floors hold in unsigned mode too", async () => {
  using scene = await begin();
  const old = scene.repository.snapshot();
  await scene.repository.publish([{ name: "tool", version: "2-1" }]);
  await scene.add({ anchors: [], policy: "optional" });
  scene.world.serve = serveFiles(BASE, old);
  assert.equal(await scene.refresh(), "E_INDEX_ROLLBACK");
});

Deno.test("R-ADD-10, C-REPO-07: when the last step fails, the file this command wrote goes and an older one returns", async () => {
  using scene = await begin();
  const { world } = scene;
  const commit = async (request: object) => {
    const workspace = world.open();
    const plan = planRepositoryAdd(workspace, { handle: "main", baseUrl: BASE, anchors: [scene.anchor], ...request });
    const ceremony = await fetchRepositoryAdd(workspace, plan, plan.weakenings);
    const write = workspace.write.bind(workspace);
    workspace.write = (body) =>
      write((database) =>
        body(
          new Proxy(database, {
            get(target, key) {
              if (key === "write") {
                return () => {
                  throw new PeipkgError("no-space", "the disk is full", { rule: "DB_FULL" });
                };
              }
              const value: unknown = Reflect.get(target, key);
              return typeof value === "function" ? value.bind(target) : value;
            },
          }),
        )
      );
    await commitRepositoryAdd(workspace, ceremony);
  };
  await assert.rejects(commit({}), refusedBy("DB_FULL"));
  assert.deepEqual(scene.files().filter((path) => path.includes("main")), []);
  assert.deepEqual(world.audited.map((event) => [event.type, event.outcome, event.reason]), [[
    "peipkg.repo-add",
    "rejection",
    "DB_FULL",
  ]]);
  await scene.add();
  const before = Deno.readTextFileSync(`${world.rootPath}/conf/peipkg/main.repo`);
  await assert.rejects(commit({ priority: 3, replace: true }), refusedBy("DB_FULL"));
  assert.equal(Deno.readTextFileSync(`${world.rootPath}/conf/peipkg/main.repo`), before);
  assert.equal(await scene.load(), "ok");
});
