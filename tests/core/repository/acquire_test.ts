import { strict as assert } from "node:assert";
import { parseArchitecture } from "../../../core/identity/architecture.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import { acquirePackages } from "../../../core/repository/acquire.ts";
import { acquirePlanned, loadAvailable } from "../../../core/operations/available.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { packagesNamed } from "../../../core/store/catalogue.ts";
import {
  breaking,
  encoded,
  endless,
  honest,
  lyingRange,
  makeRepository,
  type RawServer,
  replaced,
  serveRepository,
  stalling,
  status,
  type TestRepository,
} from "../../support/repository_server.ts";
import { offered, openRepositoryWorld, type RepositoryWorld } from "../../support/repository_world.ts";
import { refusedBy } from "../../support/refusals.ts";

const FILE = "p/tool/1-1/tool_1-1_x86_64.peipkg";
const CONTENT = Array.from({ length: 4000 }, (_, index) => String(index * 7919 % 1009)).join(" ");

interface Scene extends AsyncDisposable {
  readonly world: RepositoryWorld;
  readonly repository: TestRepository;
  readonly server: RawServer;
  /** Downloads and verifies packages; gives their hashes. */
  acquire(names: readonly string[], settings?: readonly string[]): Promise<readonly string[]>;
  cached(): readonly string[];
}

async function begin(
  options: { readonly mirrors?: readonly string[]; readonly baseUrl?: string } = {},
): Promise<Scene> {
  const world = openRepositoryWorld();
  world.isOnline = true;
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`);
  await repository.publish([
    { name: "tool", version: "1-1", files: { "usr/bin/tool": CONTENT } },
    { name: "other", version: "1-1", files: { "usr/bin/other": "x" } },
  ]);
  const server = serveRepository(repository.directory);
  await world.add({ handle: "main", baseUrl: server.url, anchors: [repository.key.fingerprint], insecure: true });
  if (options.mirrors !== undefined || options.baseUrl !== undefined) {
    const file = `${world.rootPath}/conf/peipkg/main.repo`;
    let text = Deno.readTextFileSync(file);
    if (options.baseUrl !== undefined) text = text.replace(server.url, options.baseUrl);
    const mirrors = (options.mirrors ?? []).map((mirror) => mirror === "" ? server.url : mirror);
    Deno.writeTextFileSync(file, `${text}mirrors = ${JSON.stringify(mirrors)}\n`);
  }
  server.requests.length = 0;
  return {
    world,
    repository,
    server,
    async acquire(names, settings = []) {
      const workspace = world.open(settings);
      const available = await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: false });
      const planned = names.map((name) => {
        const wanted = offered(workspace, name);
        if (wanted === undefined) throw new Error(`${name} is not in the catalogue`);
        return wanted;
      });
      const acquired = await acquirePlanned(workspace, available, planned, "x86_64");
      return acquired.map((item) => {
        item[Symbol.dispose]();
        return `${item.verified.manifest.name} ${item.repository}`;
      });
    },
    cached() {
      try {
        return [...Deno.readDirSync(`${world.rootPath}/var/lib/peipkg/cache/packages`)].map((entry) => entry.name);
      } catch {
        return [];
      }
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      world[Symbol.dispose]();
    },
  };
}

Deno.test("R-PKG-02, R-PKG-08: packages are downloaded once, and verified at each use", async () => {
  await using scene = await begin();
  assert.deepEqual(await scene.acquire(["tool", "other"]), ["tool main", "other main"]);
  assert.equal(scene.cached().length, 2);
  assert.ok(scene.cached().every((name) => /^[0-9a-f]{64}\.peipkg$/.test(name)));
  scene.server.requests.length = 0;
  assert.deepEqual(await scene.acquire(["other", "tool"]), ["other main", "tool main"]);
  assert.deepEqual(scene.server.requests, []);
});

Deno.test("R-PKG-08, T-VERIFY-07: a damaged cached file is fetched anew", async () => {
  await using scene = await begin();
  await scene.acquire(["tool"]);
  const path = `${scene.world.rootPath}/var/lib/peipkg/cache/packages/${scene.cached()[0]}`;
  Deno.writeFileSync(path, Deno.readFileSync(path).map((byte, index) => index === 99 ? byte ^ 255 : byte));
  scene.server.requests.length = 0;
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
  assert.deepEqual(scene.server.requests, [FILE]);
});

Deno.test("R-PKG-02, T-VERIFY-07: other bytes than the index names are refused and not kept", async () => {
  await using scene = await begin();
  const genuine = Deno.readFileSync(`${scene.repository.directory}/${FILE}`);
  scene.server.behaviours.set(FILE, replaced(genuine.map((byte, index) => index === 60 ? byte ^ 1 : byte)));
  await assert.rejects(scene.acquire(["tool"]), refusedBy("E_PKG_HASH"));
  assert.deepEqual(scene.cached(), []);
  // A package of the same repository in its place is no better (mix and match).
  scene.server.behaviours.set(
    FILE,
    replaced(Deno.readFileSync(`${scene.repository.directory}/p/other/1-1/other_1-1_x86_64.peipkg`)),
  );
  await assert.rejects(scene.acquire(["tool"]), refusedBy("E_PKG_HASH"));
});

Deno.test("R-PKG-01: more bytes than the index allows end the download, declared or not", async () => {
  await using scene = await begin();
  scene.server.behaviours.set(FILE, endless);
  await assert.rejects(scene.acquire(["tool"]), refusedBy("E_LIMIT_COMPRESSED"));
  const genuine = Deno.readFileSync(`${scene.repository.directory}/${FILE}`);
  const longer = new Uint8Array(genuine.length + Math.floor(genuine.length / 100) + 1);
  longer.set(genuine);
  scene.server.behaviours.set(FILE, replaced(longer));
  await assert.rejects(scene.acquire(["tool"]), refusedBy("E_LIMIT_COMPRESSED"));
  assert.deepEqual(scene.cached(), []);
});

Deno.test("R-HTTP-03: a content coding on a package is refused", async () => {
  await using scene = await begin();
  scene.server.behaviours.set(FILE, encoded("zstd", Deno.readFileSync(`${scene.repository.directory}/${FILE}`)));
  await assert.rejects(scene.acquire(["tool"]), refusedBy("E_HTTP_ENCODING"));
});

Deno.test("R-HTTP-07: a broken download goes on where it stopped", async () => {
  await using scene = await begin();
  scene.server.behaviours.set(FILE, breaking(1000, 1));
  const ranges: (string | undefined)[] = [];
  const first = scene.server.behaviours.get(FILE) ?? honest;
  scene.server.behaviours.set(FILE, (connection, file) => {
    ranges.push(connection.headers.get("range"));
    return first(connection, file);
  });
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
  assert.equal(ranges[0], undefined);
  // How much of the broken answer arrived is the network's affair; that it is asked from there is ours.
  assert.ok(ranges.length === 2 && (ranges[1] === undefined || /^bytes=[1-9][0-9]*-$/.test(ranges[1])), String(ranges));
  assert.ok(scene.cached().every((name) => name.endsWith(".peipkg")), String(scene.cached()));
});

Deno.test("R-HTTP-07: a range that was not asked for, and 416, start the download anew", async () => {
  await using scene = await begin();
  const { hash } = scene.world.open().read((database) => {
    const row = database === undefined ? undefined : packagesNamed(database, "tool")[0];
    if (row === undefined) throw new Error("tool is not in the catalogue");
    return row;
  });
  const cache = `${scene.world.rootPath}/var/lib/peipkg/cache/packages`;
  const genuine = Deno.readFileSync(`${scene.repository.directory}/${FILE}`);
  const leave = (bytes: Uint8Array) => {
    Deno.mkdirSync(cache, { recursive: true });
    Deno.writeFileSync(`${cache}/${hash}.part`, bytes);
    Deno.writeTextFileSync(`${cache}/${hash}.etag`, `"${genuine.length}"`);
  };
  leave(genuine.subarray(0, 100));
  scene.server.behaviours.set(FILE, lyingRange);
  // The second request carries no range, so the same server answers it honestly.
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
  Deno.removeSync(cache, { recursive: true });
  leave(genuine.subarray(0, 100));
  scene.server.behaviours.set(
    FILE,
    (connection, file) =>
      (connection.headers.has("range") ? status("416 Range Not Satisfiable") : honest)(connection, file),
  );
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
  Deno.removeSync(cache, { recursive: true });
  // What a power cut left of an earlier attempt is part of the file that is hashed in the end; then it starts anew.
  leave(new Uint8Array(100).fill(7));
  scene.server.behaviours.delete(FILE);
  scene.server.requests.length = 0;
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
  assert.deepEqual(scene.server.requests, [FILE, FILE]);
});

Deno.test("R-NET-03, R-HTTP-05: one failing download ends the others and keeps nothing", async () => {
  await using scene = await begin();
  scene.server.behaviours.set(FILE, stalling);
  scene.server.behaviours.set("p/other/1-1/other_1-1_x86_64.peipkg", status("404 Not Found"));
  await assert.rejects(scene.acquire(["tool", "other"]), refusedBy("E_HTTP_STATUS"));
});

Deno.test("R-MIR-06: a wrong package leads to the next mirror", async () => {
  await using scene = await begin({ mirrors: ["MIRROR"] });
  const file = `${scene.world.rootPath}/conf/peipkg/main.repo`;
  Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replace("MIRROR", `file://${scene.repository.directory}`));
  const genuine = Deno.readFileSync(`${scene.repository.directory}/${FILE}`);
  scene.server.behaviours.set(FILE, replaced(genuine.map((byte, index) => index === 60 ? byte ^ 1 : byte)));
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
  assert.deepEqual(scene.server.requests, [FILE]);
});

Deno.test("R-MIR-06: an absent base leads to the next mirror", async () => {
  await using scene = await begin({ baseUrl: "http://127.0.0.1:1/gone", mirrors: [""] });
  assert.deepEqual((await refreshRepositories(scene.world.open())).results.map((item) => item.result), ["unchanged"]);
  assert.deepEqual(await scene.acquire(["tool"]), ["tool main"]);
});

Deno.test("R-MIR-06: a mirror can be absent, not wrong", async () => {
  await using scene = await begin({ mirrors: [""] });
  const { server } = scene;
  server.behaviours.set("index/active.json.sig", status("404 Not Found"));
  let [outcome] = (await refreshRepositories(scene.world.open())).results;
  assert.ok(outcome?.result === "failed" && outcome.error.detail.rule === "E_SIG_MISSING");
  server.requests.length = 0;
  server.behaviours.set(
    "index/active.json.sig",
    replaced(Deno.readFileSync(`${scene.repository.directory}/repo.json.sig`)),
  );
  [outcome] = (await refreshRepositories(scene.world.open())).results;
  assert.ok(outcome?.result === "failed" && outcome.error.detail.rule === "E_SIG_INVALID");
  // R-REFRESH-11: the pair is fetched once more after a pause, then it is final.
  assert.equal(server.requests.filter((path) => path === "index/active.json.sig").length, 2);
});

Deno.test("R-MIR-03, R-MIR-05, R-TRANS-05: packages of a file: repository are read where they are, without a warning", async () => {
  await using scene = await begin();
  scene.world.takeWarnings();
  await scene.world.add({
    handle: "disk",
    baseUrl: `file://${scene.repository.directory}`,
    anchors: [scene.repository.key.fingerprint],
    priority: 10,
  });
  assert.deepEqual(scene.world.takeWarnings(), []);
  const workspace = scene.world.open();
  const available = await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: false });
  const wanted = offered(workspace, "tool", "disk");
  assert.ok(wanted !== undefined);
  const [item] = await acquirePlanned(workspace, available, [wanted], "x86_64");
  assert.equal(item?.repository, "disk");
  item?.[Symbol.dispose]();
  assert.deepEqual(scene.cached(), []);
  // R-MIR-03: a mirror that lacks the file says so when the file is wanted.
  Deno.removeSync(`${scene.repository.directory}/${FILE}`);
  const again = {
    ...available,
    repositories: available.repositories.filter(({ configuration }) => configuration.handle === "disk"),
  };
  await assert.rejects(
    acquirePlanned(workspace, again, [wanted], "x86_64"),
    refusedBy("E_FILE_FETCH"),
  );
});

Deno.test("R-PKG-07: a package no index lists is not fetched, however well it is signed", async () => {
  await using scene = await begin();
  const workspace = scene.world.open();
  const available = await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: false });
  scene.server.requests.length = 0;
  const wanted = {
    name: parsePackageName("tool"),
    version: parseVersion("1-1"),
    architecture: parseArchitecture("x86_64"),
    hash: "0".repeat(64),
    origin: { kind: "repository" as const, repository: "main" },
  };
  await assert.rejects(acquirePlanned(workspace, available, [wanted], "x86_64"), refusedBy("PLAN_STALE"));
  assert.deepEqual(scene.server.requests, []);
});

Deno.test("R-PKG-04: content beyond the size the index gives is refused while it is unpacked", async () => {
  await using scene = await begin();
  const workspace = scene.world.open();
  const available = await loadAvailable(workspace, { dryRun: false, allowStale: false, gated: false });
  const [repository] = available.repositories;
  const row = workspace.read((database) => database === undefined ? undefined : packagesNamed(database, "tool")[0]);
  assert.ok(repository !== undefined && row !== undefined);
  const settings = { ...workspace.settings, maxDecompressedBytes: 1000 };
  const context = {
    session: workspace.session,
    settings,
    startedAt: workspace.startedAt,
    certificates: undefined,
    rate: workspace.rate,
    openCache: (area: "metadata" | "packages" | "advisories", create: boolean) => workspace.openCache(area, create),
  };
  const request = {
    name: parsePackageName("tool"),
    version: parseVersion("1-1"),
    architecture: parseArchitecture("x86_64"),
    source: { ...repository, ...row, kind: "repository" as const },
  };
  await assert.rejects(
    acquirePackages(context, [request]),
    refusedBy("E_LIMIT_DECOMPRESSED"),
  );
});

Deno.test("progress events of a download name the package and grow to the total", async () => {
  await using scene = await begin();
  scene.world.events.length = 0;
  await scene.acquire(["tool"]);
  const progress = scene.world.events.filter((event) => event.kind === "progress");
  const last = progress.filter((event) => event.phase === "fetch").at(-1);
  assert.equal(last?.subject, "tool");
  assert.equal(last?.bytes, last?.bytesTotal);
  assert.deepEqual(progress.at(-1), {
    kind: "progress",
    phase: "verify",
    step: 1,
    steps: 1,
    subject: "tool",
    version: "1-1",
  });
});

Deno.test("a limited rate spreads a download over time", async () => {
  await using scene = await begin();
  scene.world.sleeps.length = 0;
  await scene.acquire(["tool"], ["fetch_rate=1000"]);
  const size = Deno.statSync(`${scene.repository.directory}/${FILE}`).size;
  const waited = scene.world.sleeps.filter((wait) => wait < 31_000).reduce((sum, wait) => Math.max(sum, wait), 0);
  assert.ok(waited >= size * 0.8, `waited ${waited} ms for ${size} bytes`);
});
