import { strict as assert } from "node:assert";
import { loadAvailable } from "../../../core/operations/available.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { listRepositoryKeys, setRepositoryEnabled } from "../../../core/operations/repositories.ts";
import { RepositoryTree } from "../../../core/publish/repository_tree.ts";
import { changeKeys } from "../../../core/publish/rotate.ts";
import { readRepositoryState } from "../../../core/store/repository_state.ts";
import { dayOf, makeRepository, serveFiles, testKey, type TestRepository } from "../../support/repository_server.ts";
import { openRepositoryWorld, type RepositoryWorld } from "../../support/repository_world.ts";
import { refusedBy, ruleOrCode } from "../../support/refusals.ts";

const BASE = "https://pkgs.test.invalid/main";

interface Scene extends Disposable {
  readonly world: RepositoryWorld;
  readonly repository: TestRepository;
  add(): Promise<unknown>;
  refresh(): Promise<string | undefined>;
}

async function begin(): Promise<Scene> {
  const world = openRepositoryWorld();
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`);
  await repository.publish([{ name: "tool", version: "1-1" }]);
  world.serve = serveFiles(BASE, repository.directory);
  return {
    world,
    repository,
    add: () => world.add({ handle: "main", baseUrl: BASE, anchors: [repository.key.fingerprint] }),
    async refresh() {
      const [outcome] = (await refreshRepositories(world.open())).results;
      return outcome?.result === "failed" ? ruleOrCode(outcome.error) : outcome?.result;
    },
    [Symbol.dispose]: () => world[Symbol.dispose](),
  };
}

/** Rotates to a new key; the old one stays transitioning. */
async function rotate(scene: Scene) {
  const newKey = await testKey(2);
  await changeKeys(scene.repository.context, {
    kind: "rotate",
    directory: scene.repository.directory,
    signingKey: scene.repository.key,
    newKey,
    validDays: 30,
    timestamp: dayOf(19),
  });
  return newKey;
}

Deno.test("R-KEY-03: key bytes that are held are not fetched again", async () => {
  using scene = await begin();
  await scene.add();
  scene.world.requests.length = 0;
  assert.equal(await scene.refresh(), "unchanged");
  assert.deepEqual(scene.world.requests.filter((url) => url.includes("/keys/")), []);
});

Deno.test("R-KEY-03, R-REFRESH-05: a new key whose file cannot be had fails the refresh, nothing is adopted", async () => {
  using scene = await begin();
  await scene.add();
  const newKey = await rotate(scene);
  const honest = scene.world.serve;
  scene.world.serve = (url, request) => url.includes(newKey.fingerprint) ? undefined : honest(url, request);
  assert.equal(await scene.refresh(), "E_KEY_UNAVAILABLE");
  const keys = () =>
    listRepositoryKeys(scene.world.open(), "main").map((key) => [key.status, key.publicKey !== undefined]);
  assert.deepEqual(keys(), [["active", true]]);
  scene.world.serve = honest;
  assert.equal(await scene.refresh(), "unchanged");
  assert.deepEqual(keys().sort(), [["active", true], ["transitioning", true]]);
});

Deno.test("R-KEY-03: files of revoked keys are never required", async () => {
  using scene = await begin();
  const newKey = await rotate(scene);
  await changeKeys(scene.repository.context, {
    kind: "revoke",
    directory: scene.repository.directory,
    signingKey: newKey,
    fingerprint: scene.repository.key.fingerprint,
    timestamp: dayOf(19),
  });
  Deno.removeSync(`${scene.repository.directory}/keys/${scene.repository.key.fingerprint}.pub`);
  await scene.world.add({ handle: "main", baseUrl: BASE, anchors: [newKey.fingerprint] });
  assert.ok(scene.world.requests.every((url) => !url.includes(scene.repository.key.fingerprint)));
});

Deno.test("R-KEY-01, R-KEY-02: a key file is 32 raw bytes or PEM, and hashes to its name", async () => {
  using scene = await begin();
  const path = `${scene.repository.directory}/keys/${scene.repository.key.fingerprint}.pub`;
  const put = (bytes: Uint8Array) => Deno.writeFileSync(path, bytes);
  put((await testKey(3)).publicKey);
  await assert.rejects(scene.add(), refusedBy("E_KEY_FINGERPRINT"));
  put(new TextEncoder().encode("no key"));
  await assert.rejects(scene.add(), refusedBy("E_KEY_FORMAT"));
  put(scene.repository.key.publicKey);
  await scene.add();
});

Deno.test("R-ADD-04: an anchor whose declared URL fails is sought at the conventional path", async () => {
  using scene = await begin();
  const file = `${scene.repository.directory}/repo.json`;
  const text = Deno.readTextFileSync(file).replace(/"url":"\/keys\/[0-9a-f]+\.pub"/, '"url":"/elsewhere/k.pub"');
  Deno.writeTextFileSync(file, text);
  using tree = new RepositoryTree(scene.repository.context, scene.repository.directory);
  await tree.signAgain("repo.json", scene.repository.key);
  await scene.add();
  assert.ok(scene.world.requests.includes(`${BASE}/elsewhere/k.pub`));
});

Deno.test("R-KEY-06, R-ROT-02: who missed the whole rotation has to add the repository again", async () => {
  using scene = await begin();
  await scene.add();
  const newKey = await rotate(scene);
  await changeKeys(scene.repository.context, {
    kind: "drop",
    directory: scene.repository.directory,
    signingKey: newKey,
    fingerprint: scene.repository.key.fingerprint,
    timestamp: dayOf(60),
  });
  assert.equal(await scene.refresh(), "E_SIG_KEY_UNTRUSTED");
});

Deno.test("R-REFRESH-08, T-LOCK-13: what changed while fetching is judged again under the lock", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  await scene.add();
  const old = repository.snapshot();
  await repository.publish([{ name: "tool", version: "2-1" }]);
  await repository.publish([{ name: "tool", version: "3-1" }]);
  // While the first refresh still reads version 2, another process adopts version 4.
  const honest = world.serve;
  let isNested = false;
  world.serve = async (url, request) => {
    if (isNested) return await honest(url, request);
    if (url.endsWith("active.json.sig")) {
      isNested = true;
      assert.deepEqual((await refreshRepositories(world.open())).results.map((item) => item.result), ["refreshed"]);
      isNested = false;
      world.serve = serveFiles(BASE, old);
    }
    return await serveFiles(BASE, old)(url, request);
  };
  assert.equal(await scene.refresh(), "E_INDEX_ROLLBACK");
  const state = world.open().read((database) =>
    database === undefined ? undefined : readRepositoryState(database, "main")
  );
  assert.equal(state?.active.indexVersion, 4);
});

Deno.test("C-REPO-12: a repository is switched off and on, its trust stays", async () => {
  using scene = await begin();
  await scene.add();
  const load = async () =>
    (await loadAvailable(scene.world.open(), { dryRun: false, allowStale: false, gated: true })).repositories.length;
  assert.equal(setRepositoryEnabled(scene.world.open(), "main", false), true);
  assert.equal(await load(), 0);
  assert.equal(setRepositoryEnabled(scene.world.open(), "main", false), false);
  assert.equal(setRepositoryEnabled(scene.world.open(), "main", true), true);
  assert.equal(await load(), 1);
  assert.throws(
    () => setRepositoryEnabled(scene.world.open(), "missing", true),
    refusedBy("E_REPO_UNKNOWN"),
  );
  assert.throws(() => listRepositoryKeys(scene.world.open(), "missing"), refusedBy("E_REPO_UNKNOWN"));
});

Deno.test("R-PROD-11, R-POL-03: a repository without signatures serves unsigned mode", async () => {
  using scene = await begin();
  for (const path of ["repo.json.sig", "index/active.json.sig", "index/archive.json.sig"]) {
    Deno.removeSync(`${scene.repository.directory}/${path}`);
  }
  await scene.world.add({ handle: "main", baseUrl: BASE, policy: "optional" });
  assert.ok(scene.world.takeWarnings().includes("W_UNSIGNED_REPO"));
  await assert.rejects(
    scene.world.add({ handle: "second", baseUrl: BASE, anchors: [scene.repository.key.fingerprint] }),
    refusedBy("E_SIG_MISSING"),
  );
});

Deno.test("R-MIR-03, R-MIR-04, R-NET-01: a partial mirror serves what it has; age gates run unchanged", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  for (const path of ["index/archive.json", "index/archive.json.sig", "p"]) {
    Deno.removeSync(`${repository.directory}/${path}`, { recursive: true });
  }
  await world.add({ handle: "main", baseUrl: `file://${repository.directory}`, anchors: [repository.key.fingerprint] });
  world.now += 31 * 86_400_000;
  await assert.rejects(
    loadAvailable(world.open(), { dryRun: false, allowStale: false, gated: true }),
    refusedBy("E_TRUST_AGE"),
  );
});

Deno.test("R-URL-09, R-REFRESH-02: only the documents that are needed are asked for", async () => {
  using scene = await begin();
  await scene.add();
  assert.deepEqual(scene.world.requests.map((url) => url.slice(BASE.length)), [
    "/repo.json",
    "/repo.json.sig",
    `/keys/${scene.repository.key.fingerprint}.pub`,
    "/index/active.json",
    "/index/active.json.sig",
  ]);
});
