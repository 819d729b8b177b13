/** What the protocol is built on: scale, retention, heartbeats, and how far trust and its loss reach. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { loadAvailable } from "../../../core/operations/available.ts";
import { acquirePlanned } from "../../../core/operations/available.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { groupFingerprint } from "../../../core/identity/fingerprint.ts";
import { indexFile, RepositoryTree } from "../../../core/publish/repository_tree.ts";
import { changeKeys } from "../../../core/publish/rotate.ts";
import { parseIndex } from "../../../core/repository/index.ts";
import { FETCH_LIMITS } from "../../../core/repository/transport.ts";
import { readRepositoryState } from "../../../core/store/repository_state.ts";
import { dayOf, makeRepository, serveFiles, testKey, type TestRepository } from "../../support/repository_server.ts";
import { offered, openRepositoryWorld, type RepositoryWorld } from "../../support/repository_world.ts";
import { ruleOrCode } from "../../support/refusals.ts";

const BASE = "https://pkgs.test.invalid/main";
const DAY = 86_400_000;

interface Scene extends Disposable {
  readonly world: RepositoryWorld;
  readonly repository: TestRepository;
  /** Result word, or rule of the failure. */
  add(): Promise<string | undefined>;
  refresh(): Promise<string | undefined>;
  install(name: string): Promise<string | undefined>;
}

async function attempt(run: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await run();
  } catch (error) {
    return ruleOrCode(error);
  }
}

/** A repository with a routine key (1) and one kept offline (7), not added yet. */
async function begin(): Promise<Scene> {
  const world = openRepositoryWorld();
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`, { extraKeys: [await testKey(7)] });
  await repository.publish([{ name: "tool", version: "1-1" }]);
  world.serve = serveFiles(BASE, repository.directory);
  world.now = Date.parse(dayOf(2));
  return {
    world,
    repository,
    add: () =>
      attempt(async () => {
        await world.add({ handle: "main", baseUrl: BASE, anchors: [repository.key.fingerprint] });
        return "added";
      }),
    refresh: () =>
      attempt(async () => {
        const [outcome] = (await refreshRepositories(world.open())).results;
        if (outcome?.result === "failed") throw outcome.error;
        return outcome?.result;
      }),
    install: (name) =>
      attempt(async () => {
        const workspace = world.open();
        const available = await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: true });
        const wanted = offered(workspace, name);
        if (wanted === undefined) return "not offered";
        const acquired = await acquirePlanned(workspace, available, [wanted], "x86_64");
        for (const item of acquired) item[Symbol.dispose]();
        return "verified";
      }),
    [Symbol.dispose]: () => world[Symbol.dispose](),
  };
}

/** Replaces text of a document and signs the result with the repository's own key. */
async function rewrite({ repository }: Scene, path: string, from: RegExp, to: string): Promise<void> {
  using tree = new RepositoryTree(repository.context, repository.directory);
  const text = Deno.readTextFileSync(`${repository.directory}/${path}`);
  assert.match(text, from);
  await tree.writeSigned(path, new TextEncoder().encode(text.replace(from, to)), repository.key);
}

/** An index of this many names and versions, each entry as long as real ones are. */
function largeIndex(kind: "active" | "archive", names: number, versions: number, relations: number): Uint8Array {
  const dependencies = Array.from({ length: relations }, (_, index) => ({
    name: `dependency-number-${String(index).padStart(3, "0")}`,
    constraint: ">= 1.0",
  }));
  const packages = Array.from({ length: names * versions }, (_, index) => {
    const name = `package-${String(Math.floor(index / versions)).padStart(5, "0")}`;
    const version = `${versions - index % versions}.0-1`;
    return {
      ...{ name, version, architecture: "x86_64", description: `A package for tests, number ${index}` },
      ...{ license: "MIT", homepage: "https://example.org/", dependencies, optional_dependencies: [], conflicts: [] },
      ...{ provides: [], replaces: [], side_effects: [], size_compressed: 1000, size_installed: 2000 },
      hash: { algorithm: "sha256", value: index.toString(16).padStart(64, "0") },
      url: `/p/${name}/${version}/${name}_${version}_x86_64.peipkg`,
      build: { timestamp: dayOf(0), farm_id: "test" },
    };
  });
  const head = { schema_version: 1, repo: "test", kind, index_version: 1, generated_at: dayOf(0) };
  return new TextEncoder().encode(`${JSON.stringify({ ...head, packages })}\n`);
}

Deno.test("R-IDX-10, R-ARC-09: indexes of the expected scale are within every limit", () => {
  const parse = (bytes: Uint8Array, kind: "active" | "archive") =>
    parseIndex(bytes, { handle: "main", kind, repositoryName: "test", layout: "base" }).packages.length;
  const usual = largeIndex("active", 300, 1, 30);
  assert.ok(usual.length > 500_000 && usual.length < 800_000, String(usual.length));
  assert.equal(parse(usual, "active"), 300);
  const large = largeIndex("active", 5000, 1, 30);
  assert.ok(large.length < FETCH_LIMITS.indexBytes);
  assert.equal(parse(large, "active"), 5000);
  const archive = largeIndex("archive", 300, 20, 36);
  assert.ok(archive.length > 12_000_000 && archive.length < 18_000_000, String(archive.length));
  assert.equal(parse(archive, "archive"), 6000);
});

Deno.test("R-ADD-09: the index is checked for kind, name and minimum before anything is recorded", async () => {
  for (
    const [from, to, rule] of [
      [/"kind":"active"/, '"kind":"archive"', "E_INDEX_KIND"],
      [/"repo":"test"/, '"repo":"other"', "E_INDEX_REPO_NAME"],
      [/"index_version":2/, '"index_version":0', "E_INDEX_FIELD"],
    ] as const
  ) {
    using scene = await begin();
    await rewrite(scene, indexFile("active"), from, to);
    assert.equal(await scene.add(), rule);
    assert.equal(await scene.refresh(), undefined); // nothing is configured
  }
  using scene = await begin();
  const { world, repository } = scene;
  const request = { handle: "main", baseUrl: BASE, anchors: [repository.key.fingerprint] };
  assert.equal(
    await attempt(async () => String((await world.add({ ...request, minIndexVersion: 3 })).packages)),
    "E_INDEX_BELOW_MINIMUM",
  );
  assert.equal(await attempt(async () => String((await world.add({ ...request, minIndexVersion: 2 })).packages)), "1");
});

Deno.test("R-KEY-04: people see groups of four, files and state hold the unbroken form", async () => {
  using scene = await begin();
  const { fingerprint } = scene.repository.key;
  const grouped = groupFingerprint(fingerprint);
  assert.match(grouped, /^(?:[0-9a-f]{4}[ :]){15}[0-9a-f]{4}$/);
  assert.equal(grouped.replaceAll(/[ :]/g, ""), fingerprint);
  assert.equal(await scene.add(), "added");
  const file = Deno.readTextFileSync(`${scene.world.rootPath}/conf/peipkg/main.repo`);
  assert.match(file, new RegExp(`trust_anchors = \\[ ?"${fingerprint}" ?\\]`));
  const state = scene.world.open().read((database) =>
    database === undefined ? undefined : readRepositoryState(database, "main")
  );
  assert.ok(state?.keys.some((key) => key.fingerprint === fingerprint));
});

Deno.test("R-ARC-08: every version ever published stays listed and fetchable", async () => {
  using scene = await begin();
  const { repository } = scene;
  for (const version of ["2-1", "3-1"]) await repository.publish([{ name: "tool", version }]);
  await repository.publish([], { withdraw: ["tool"] });
  using tree = new RepositoryTree(repository.context, repository.directory);
  const archive = tree.index(tree.descriptor(), "archive").packages;
  assert.deepEqual(archive.map((entry) => entry.version), ["3-1", "2-1", "1-1"]);
  for (const { url } of archive) assert.ok(Deno.statSync(`${repository.directory}${url}`).isFile, url);
  assert.deepEqual(tree.index(tree.descriptor(), "active").packages, []);
});

Deno.test("R-AGE-07, R-PROD-07: a repository with nothing new stays usable by publishing again", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  assert.equal(await scene.add(), "added");
  world.now += 29 * DAY;
  await repository.publish([], { refreshDate: true, timestamp: dayOf(31) });
  assert.equal(await scene.refresh(), "refreshed"); // the heartbeat counts as progress
  world.now += 29 * DAY;
  assert.equal(await scene.install("tool"), "verified"); // 58 days after the last package
  world.now += 2 * DAY;
  assert.equal(await scene.install("tool"), "E_TRUST_AGE"); // without the next heartbeat
});

Deno.test("R-AGE-08: ages are those of the local clock, right or wrong", async () => {
  using scene = await begin();
  assert.equal(await scene.add(), "added");
  scene.world.now += 31 * DAY;
  assert.equal(await scene.install("tool"), "E_TRUST_AGE");
  scene.world.now -= 31 * DAY; // the clock was wrong; nothing else changed
  assert.equal(await scene.install("tool"), "verified");
});

Deno.test("R-COMP-02, R-URL-09: a refresh asks for descriptor, keys, index and their signatures, and for nothing else", async () => {
  using scene = await begin();
  assert.equal(await scene.add(), "added");
  scene.world.requests.length = 0;
  await scene.repository.publish([{ name: "tool", version: "2-1" }]);
  assert.equal(await scene.refresh(), "refreshed");
  assert.deepEqual(
    scene.world.requests.map((url) => url.slice(BASE.length)),
    ["/repo.json", "/repo.json.sig", "/index/active.json", "/index/active.json.sig"],
  );
  scene.world.requests.length = 0;
  assert.equal(await scene.install("tool"), "verified");
  assert.deepEqual(scene.world.requests, [`${BASE}/p/tool/2-1/tool_2-1_x86_64.peipkg`]);
});

Deno.test("R-ROT-03, R-ROT-05: a key kept offline revokes a stolen one, and consumers learn it at their next refresh", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  assert.equal(await scene.add(), "added");
  const offline = await testKey(7);
  await changeKeys(repository.context, {
    directory: repository.directory,
    timestamp: dayOf(3),
    kind: "revoke",
    signingKey: offline, // not the key it revokes
    fingerprint: repository.key.fingerprint,
  });
  assert.equal(await scene.install("tool"), "verified"); // not heard of yet
  world.now += 31 * DAY;
  // Neither can it be overlooked for longer than the maximum age: the gate makes the refresh happen.
  assert.equal(await scene.install("tool"), "E_TRUST_AGE");
  world.now -= 31 * DAY;
  assert.equal(await scene.install("tool"), "E_SIG_KEY_REVOKED");
  // R-ROT-04: what it signed comes back as a new revision under a fresh key.
  const next = await testKey(9);
  await changeKeys(repository.context, {
    directory: repository.directory,
    timestamp: dayOf(4),
    kind: "rotate",
    signingKey: offline,
    newKey: next,
    validDays: 30,
  });
  await repository.publish([{ name: "tool", version: "1-2" }], { signingKey: next, timestamp: dayOf(5) });
  assert.equal(await scene.refresh(), "refreshed");
  assert.equal(await scene.install("tool"), "verified");
});

Deno.test("R-ROT-04: a revoked key cannot be taken off the list", async () => {
  using scene = await begin();
  const { repository } = scene;
  const common = { directory: repository.directory, signingKey: await testKey(7) };
  const { fingerprint } = repository.key;
  await changeKeys(repository.context, { ...common, timestamp: dayOf(3), kind: "revoke", fingerprint });
  await assert.rejects(
    changeKeys(repository.context, { ...common, timestamp: dayOf(300), kind: "drop", fingerprint }),
    (error) => error instanceof PeipkgError && /expected expired/.test(error.message),
  );
});

Deno.test("R-CACHE-02, R-CACHE-04: until a new index is recorded, the one it replaces still counts", async () => {
  using scene = await begin();
  const { world } = scene;
  assert.equal(await scene.add(), "added");
  const cache = `${world.rootPath}/var/lib/peipkg/cache/metadata`;
  const files = () => [...Deno.readDirSync(cache)].map(({ name }) => name).sort();
  assert.deepEqual(files(), ["main.active.json", "main.active.json.sig"]); // nothing is left of a refresh that ended
  const old = ["main.active.json", "main.active.json.sig"].map((name) => Deno.readFileSync(`${cache}/${name}`));
  // What a crash between files and record leaves.
  const cut = () => {
    for (const [index, name] of ["main.active.json", "main.active.json.sig"].entries()) {
      Deno.writeFileSync(`${cache}/${name}.previous`, old[index] ?? new Uint8Array());
      Deno.writeTextFileSync(`${cache}/${name}`, "newer");
    }
  };
  cut();
  world.serve = () => undefined; // the network is gone
  assert.equal(await scene.install("tool"), "E_HTTP_STATUS"); // planned with; only the package cannot be had
  Deno.writeTextFileSync(`${cache}/main.active.json.previous`, "planted");
  assert.equal(await scene.install("tool"), "E_REPO_UNAVAILABLE");
  cut();
  Deno.removeSync(`${cache}/main.active.json.sig.previous`);
  assert.equal(await scene.install("tool"), "E_REPO_UNAVAILABLE");
  cut();
  world.serve = serveFiles(BASE, scene.repository.directory);
  assert.equal(await scene.refresh(), "unchanged");
  assert.deepEqual(files(), ["main.active.json", "main.active.json.sig"]);
  assert.equal(await scene.install("tool"), "verified");
});
