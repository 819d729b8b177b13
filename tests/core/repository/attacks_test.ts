/** The classic attacks on software updates, by a server that controls every byte and holds no trusted key. */
import { strict as assert } from "node:assert";
import { zstdCompressSync } from "node:zlib";
import { acquirePlanned, loadAvailable } from "../../../core/operations/available.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { readRepositoryState, type RepositoryState } from "../../../core/store/repository_state.ts";
import {
  encoded,
  endless,
  makeRepository,
  packTestPackage,
  type RawServer,
  replaced,
  serveRepository,
  stalling,
  status,
  testKey,
  type TestRepository,
} from "../../support/repository_server.ts";
import { offered, openRepositoryWorld, type RepositoryWorld } from "../../support/repository_world.ts";
import { ruleOrCode } from "../../support/refusals.ts";

const TOOL = "p/tool/1-1/tool_1-1_x86_64.peipkg";
const DAY = 86_400_000;

interface Victim extends AsyncDisposable {
  readonly world: RepositoryWorld;
  readonly repository: TestRepository;
  readonly server: RawServer;
  state(): RepositoryState | undefined;
  /** Result word, or rule of the failure. */
  refresh(settings?: readonly string[]): Promise<string | undefined>;
  install(name: string): Promise<string | undefined>;
}

async function begin(): Promise<Victim> {
  const world = openRepositoryWorld();
  world.isOnline = true;
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`);
  await repository.publish([{ name: "tool", version: "1-1", files: { "usr/bin/tool": "honest" } }]);
  const server = serveRepository(repository.directory);
  await world.add({ handle: "main", baseUrl: server.url, anchors: [repository.key.fingerprint], insecure: true });
  return {
    world,
    repository,
    server,
    state: () =>
      world.open().read((database) => database === undefined ? undefined : readRepositoryState(database, "main")),
    async refresh(settings = []) {
      const [outcome] = (await refreshRepositories(world.open(settings))).results;
      return outcome?.result === "failed" ? ruleOrCode(outcome.error) : outcome?.result;
    },
    async install(name) {
      const workspace = world.open();
      try {
        const available = await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: true });
        const wanted = offered(workspace, name);
        if (wanted === undefined) return "not offered";
        const [item] = await acquirePlanned(workspace, available, [wanted], "x86_64");
        item?.[Symbol.dispose]();
        return `got ${item?.verified.manifest.version.raw}`;
      } catch (error) {
        return ruleOrCode(error);
      }
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      world[Symbol.dispose]();
    },
  };
}

Deno.test("A-THREAT-01: arbitrary software instead of the wanted is refused, whoever signed it", async () => {
  await using victim = await begin();
  assert.equal(await victim.install("tool"), "got 1-1");
  Deno.removeSync(`${victim.world.rootPath}/var/lib/peipkg/cache/packages`, { recursive: true });
  for (const key of [undefined, await testKey(9), victim.repository.key]) {
    const evil = await packTestPackage({ name: "tool", version: "1-1", files: { "usr/bin/tool": "evil!!" } }, key);
    victim.server.behaviours.set(TOOL, replaced(evil));
    assert.ok(["E_PKG_HASH", "E_LIMIT_COMPRESSED"].includes(await victim.install("tool") ?? ""));
  }
});

Deno.test("A-THREAT-05: an older repository replayed whole is refused and changes nothing", async () => {
  await using victim = await begin();
  const old = victim.repository.snapshot();
  await victim.repository.publish([{ name: "tool", version: "2-1" }]);
  assert.equal(await victim.refresh(), "refreshed");
  const before = victim.state();
  for (const [path, bytes] of old) victim.server.behaviours.set(path, replaced(bytes));
  assert.equal(await victim.refresh(), "E_INDEX_ROLLBACK");
  assert.deepEqual(victim.state(), before);
});

Deno.test("A-THREAT-06: a repository that is frozen stops being trusted", async () => {
  await using victim = await begin();
  victim.world.now += 31 * DAY;
  assert.equal(await victim.refresh(), "unchanged"); // the attacker repeats what is known, as honestly as can be
  assert.equal(await victim.install("tool"), "E_TRUST_AGE");
});

Deno.test("A-THREAT-04: an old signed package under a new name of the index is refused", async () => {
  await using victim = await begin();
  const old = Deno.readFileSync(`${victim.repository.directory}/${TOOL}`);
  await victim.repository.publish([{ name: "tool", version: "2-1" }]);
  assert.equal(await victim.refresh(), "refreshed");
  victim.server.behaviours.set("p/tool/2-1/tool_2-1_x86_64.peipkg", replaced(old));
  assert.ok(["E_PKG_HASH", "E_LIMIT_COMPRESSED"].includes(await victim.install("tool") ?? ""));
});

Deno.test("mix and match: documents of different days or kinds never pass for one state", async () => {
  await using victim = await begin();
  const old = victim.repository.snapshot();
  await victim.repository.publish([{ name: "tool", version: "2-1" }]);
  const now = victim.repository.snapshot();
  const pick = (files: ReadonlyMap<string, Uint8Array>, path: string) => replaced(files.get(path) ?? new Uint8Array());
  victim.server.behaviours.set("index/active.json.sig", pick(old, "index/active.json.sig"));
  assert.equal(await victim.refresh(), "E_SIG_INVALID");
  victim.server.behaviours.set("index/active.json", pick(now, "index/archive.json"));
  victim.server.behaviours.set("index/active.json.sig", pick(now, "index/archive.json.sig"));
  assert.equal(await victim.refresh(), "E_INDEX_KIND");
  assert.equal(victim.state()?.active.indexVersion, 2);
});

Deno.test("extraneous dependencies: an index changed to pull in more is refused", async () => {
  await using victim = await begin();
  const text = Deno.readTextFileSync(`${victim.repository.directory}/index/active.json`);
  const more = text.replace('"dependencies":[]', '"dependencies":[{"name":"evil"}]');
  assert.notEqual(more, text);
  victim.server.behaviours.set("index/active.json", replaced(new TextEncoder().encode(more)));
  assert.equal(await victim.refresh(), "E_SIG_INVALID");
});

Deno.test("A-THREAT-02, A-THREAT-07: a repository signed by somebody else's key is not followed", async () => {
  await using victim = await begin();
  Deno.mkdirSync(`${victim.world.rootPath}/srv/evil`);
  const evil = await makeRepository(victim.world.session, `${victim.world.rootPath}/srv/evil`, {
    key: await testKey(9),
  });
  await evil.publish([{ name: "tool", version: "9-1" }]);
  await evil.publish([{ name: "tool", version: "10-1" }]);
  const before = victim.state();
  victim.server.directory = evil.directory;
  assert.equal(await victim.refresh(), "E_SIG_KEY_UNTRUSTED");
  assert.deepEqual(victim.state(), before);
});

Deno.test("endless data and A-THREAT-12: no document and no bomb is read beyond its limit", async () => {
  await using victim = await begin();
  for (const path of ["repo.json", "repo.json.sig", "index/active.json.sig"]) {
    victim.server.behaviours.set(path, endless);
    assert.equal(await victim.refresh(), "E_SIZE_BOUND", path);
    victim.server.behaviours.delete(path);
  }
  victim.server.behaviours.set(
    "index/active.json",
    encoded("zstd", zstdCompressSync(new Uint8Array(80 * 1024 * 1024))),
  );
  assert.equal(await victim.refresh(), "E_SIZE_BOUND"); // R-HTTP-08
  victim.server.behaviours.clear();
  assert.equal(await victim.refresh(), "unchanged");
});

Deno.test("slow retrieval: a server that never finishes is given up", async () => {
  await using victim = await begin();
  victim.server.behaviours.set("repo.json", stalling);
  assert.equal(await victim.refresh(["fetch_timeout=1", "fetch_retries=0"]), "E_NETWORK_TIMEOUT");
});

Deno.test("A-THREAT-44: redirects never leave for another scheme", async () => {
  await using victim = await begin();
  for (
    const location of ["file:///etc/passwd", `file://${victim.repository.directory}/repo.json`, "ftp://h/repo.json"]
  ) {
    victim.server.behaviours.set("repo.json", status("302 Found", { Location: location }));
    assert.equal(await victim.refresh(), "E_REDIRECT");
  }
});

Deno.test("stripped signatures: a missing signature is a failure of that document", async () => {
  await using victim = await begin();
  for (const path of ["repo.json.sig", "index/active.json.sig"]) {
    for (const line of ["404 Not Found", "410 Gone"]) {
      victim.server.behaviours.set(path, status(line));
      assert.equal(await victim.refresh(), "E_SIG_MISSING");
    }
    victim.server.behaviours.set(path, replaced(new Uint8Array()));
    assert.equal(await victim.refresh(), "E_SIG_ENCODING");
    victim.server.behaviours.delete(path);
  }
});

Deno.test("malicious mirror: it can withhold, and nothing else", async () => {
  await using victim = await begin();
  const file = `${victim.world.rootPath}/conf/peipkg/main.repo`;
  await using mirror = serveRepository(victim.repository.directory);
  Deno.writeTextFileSync(file, `${Deno.readTextFileSync(file)}mirrors = ["${mirror.url}"]\n`);
  victim.server.behaviours.set("index/active.json", status("503 Busy"));
  await victim.repository.publish([{ name: "tool", version: "2-1" }]);
  mirror.behaviours.set("index/active.json", replaced(new TextEncoder().encode("{}")));
  assert.equal(await victim.refresh(["fetch_retries=0"]), "E_SIG_INVALID");
  mirror.behaviours.clear();
  assert.equal(await victim.refresh(["fetch_retries=0"]), "refreshed");
});
