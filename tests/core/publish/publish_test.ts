import { strict as assert } from "node:assert";
import { PeipkgError } from "../../../core/errors.ts";
import { openSigningKey, readPrivateKey, readPublicKey } from "../../../core/format/keys.ts";
import { generateKey } from "../../../core/operations/key_files.ts";
import { readPreviousBundle, writeBundle } from "../../../core/publish/bundle.ts";
import { hashFile, openByteSource } from "../../../core/repository/byte_source.ts";
import { RepositoryTree, writeDescriptor } from "../../../core/publish/repository_tree.ts";
import { mirrorRepository } from "../../../core/publish/mirror.ts";
import { publishRepository } from "../../../core/publish/publish.ts";
import { changeKeys } from "../../../core/publish/rotate.ts";
import { checkRepository } from "../../../core/publish/verify.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { dayOf, makeRepository, serveFiles, testKey, type TestRepository } from "../../support/repository_server.ts";
import { FaultControl, faultRoot } from "../../support/fault_root.ts";
import { openRepositoryWorld, type RepositoryWorld, WORLD_NOW } from "../../support/repository_world.ts";
import { refusedBy } from "../../support/refusals.ts";

const BASE = "https://pkgs.test.invalid/main";

async function begin(): Promise<{ world: RepositoryWorld; repository: TestRepository } & Disposable> {
  const world = openRepositoryWorld();
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`);
  world.serve = serveFiles(BASE, repository.directory);
  return { world, repository, [Symbol.dispose]: () => world[Symbol.dispose]() };
}

function text(repository: TestRepository, path: string): string {
  return Deno.readTextFileSync(`${repository.directory}/${path}`);
}

async function issuesOf(repository: TestRepository, mode: "metadata" | "hashes" | "both" = "both") {
  const check = await checkRepository(repository.context, {
    directory: repository.directory,
    mode,
    anchors: [repository.key.fingerprint],
    now: WORLD_NOW,
  });
  return check.issues.map((issue) => `${issue.code} ${issue.path}`);
}

Deno.test("R-PROD-01, R-PROD-02, R-PROD-04, C-RTOOL-02: initRepository() writes the canonical empty tree", async () => {
  using scene = await begin();
  const { repository } = scene;
  const { fingerprint } = repository.key;
  assert.deepEqual([...repository.snapshot().keys()].sort(), [
    "index/active.json",
    "index/active.json.sig",
    "index/archive.json",
    "index/archive.json.sig",
    `keys/${fingerprint}.pub`,
    "repo.json",
    "repo.json.sig",
  ]);
  assert.equal(
    text(repository, "repo.json"),
    `{"schema_version":1,"repo":{"name":"test","signing":{"algorithm":"ed25519","keys":[{"fingerprint":"${fingerprint}",` +
      `"url":"/keys/${fingerprint}.pub","status":"active"}]}},"indexes":{"active":{"url":"/index/active.json",` +
      `"signature_url":"/index/active.json.sig"},"archive":{"url":"/index/archive.json",` +
      `"signature_url":"/index/archive.json.sig"}}}\n`,
  );
  assert.equal(
    text(repository, "index/active.json"),
    '{"schema_version":1,"repo":"test","kind":"active","index_version":1,"generated_at":"2026-03-01T00:00:00Z","packages":[]}\n',
  );
  assert.match(
    text(repository, "index/active.json.sig"),
    /^\{"schema_version":1,"algorithm":"ed25519","key_fingerprint":"[0-9a-f]{64}","signature":"[A-Za-z0-9+/]{86}"\}\n$/,
  );
  assert.match(text(repository, `keys/${fingerprint}.pub`), /^-----BEGIN PUBLIC KEY-----\n/);
  assert.deepEqual(await issuesOf(repository), []);
});

Deno.test("R-PROD-03, R-PROD-05, R-PROD-08, R-ARC-02, C-RTOOL-03, C-RTOOL-04: publishRepository() indexes what was added", async () => {
  using scene = await begin();
  const { repository } = scene;
  await repository.publish([{ name: "zlib", version: "1.3-1" }, {
    name: "app",
    version: "2.0-1",
    dependencies: [{ name: "zlib", constraint: ">= 1.3" }],
  }]);
  const result = await repository.publish([{ name: "zlib", version: "1.10-1" }], {
    urlTemplate: "/p/{name}/{version}/{filename}",
  });
  assert.equal(result.indexVersion, 3);
  const names = (path: string) =>
    JSON.parse(text(repository, path)).packages.map((item: { name: string; version: string }) =>
      `${item.name} ${item.version}`
    );
  assert.deepEqual(names("index/active.json"), ["app 2.0-1", "zlib 1.10-1"]);
  assert.deepEqual(names("index/archive.json"), ["app 2.0-1", "zlib 1.10-1", "zlib 1.3-1"]);
  const [app] = JSON.parse(text(repository, "index/active.json")).packages;
  assert.deepEqual(Object.keys(app), [
    "name",
    "version",
    "architecture",
    "description",
    "license",
    "homepage",
    "dependencies",
    "optional_dependencies",
    "conflicts",
    "provides",
    "replaces",
    "side_effects",
    "size_compressed",
    "size_installed",
    "hash",
    "url",
    "build",
  ]);
  assert.equal(app.url, "/p/app/2.0-1/app_2.0-1_x86_64.peipkg");
  assert.deepEqual(app.dependencies, [{ name: "zlib", constraint: ">= 1.3" }]);
  assert.deepEqual(await issuesOf(repository), []);
});

Deno.test("R-PROD-05: publishing twice from equal input gives equal bytes", async () => {
  using first = await begin();
  using second = await begin();
  for (const { repository } of [first, second]) {
    await repository.publish([{ name: "tool", version: "1-1", files: { "usr/bin/tool": "x" } }]);
  }
  assert.deepEqual([...first.repository.snapshot()].sort(), [...second.repository.snapshot()].sort());
});

Deno.test("R-PROD-07, C-RTOOL-04: publishing nothing is refused politely, a heartbeat is not", async () => {
  using scene = await begin();
  const { repository } = scene;
  assert.deepEqual(await repository.publish([]), { kind: "nothing", indexVersion: 1 });
  const descriptor = text(repository, "repo.json.sig");
  const beat = await repository.publish([], { refreshDate: true });
  assert.deepEqual(beat, { kind: "published", indexVersion: 2, packages: [] });
  assert.equal(text(repository, "repo.json.sig"), descriptor);
});

Deno.test("R-PROD-05, C-RTOOL-04: a withdrawn name leaves the active index until a new version comes", async () => {
  using scene = await begin();
  const { repository } = scene;
  await repository.publish([{ name: "bad", version: "1-1" }]);
  await repository.publish([], { withdraw: ["bad"] });
  assert.equal(JSON.parse(text(repository, "index/active.json")).packages.length, 0);
  await repository.publish([{ name: "good", version: "1-1" }]);
  assert.equal(JSON.parse(text(repository, "index/active.json")).packages.length, 1);
  await repository.publish([{ name: "bad", version: "2-1" }]);
  assert.equal(JSON.parse(text(repository, "index/active.json")).packages.length, 2);
  assert.equal(JSON.parse(text(repository, "index/archive.json")).packages.length, 3);
});

Deno.test("R-PROD-06, C-RTOOL-04: one newest version for two architectures is refused", async () => {
  using scene = await begin();
  await assert.rejects(
    scene.repository.publish([{ name: "tool", version: "1-1" }, {
      name: "tool",
      version: "1-1",
      architecture: "aarch64",
    }]),
    (error) => error instanceof PeipkgError && error.message.includes("one architecture"),
  );
});

Deno.test("C-RTOOL-03: the same version with other bytes is refused, identical bytes are skipped", async () => {
  using scene = await begin();
  const { repository } = scene;
  await repository.publish([{ name: "tool", version: "1-1", files: { "usr/bin/tool": "a" } }]);
  assert.equal(
    (await repository.publish([{ name: "tool", version: "1-1", files: { "usr/bin/tool": "a" } }])).kind,
    "nothing",
  );
  await assert.rejects(
    repository.publish([{ name: "tool", version: "1-1", files: { "usr/bin/tool": "b" } }]),
    (error) => error instanceof PeipkgError && error.code === "exists",
  );
});

Deno.test("R-PROD-05: a timestamp before the last one, and a key not listed, are refused", async () => {
  using scene = await begin();
  const { repository } = scene;
  const request = { directory: repository.directory, signingKey: repository.key, refreshDate: true };
  await assert.rejects(
    publishRepository(repository.context, { ...request, timestamp: "2026-02-28T00:00:00Z" }),
    PeipkgError,
  );
  await assert.rejects(
    publishRepository(repository.context, { ...request, signingKey: await testKey(9), timestamp: dayOf(1) }),
    PeipkgError,
  );
});

Deno.test("R-ROT-01, R-ROT-02, C-RTOOL-05: consumers follow a rotation, a revocation and a drop", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  await repository.publish([{ name: "tool", version: "1-1" }]);
  await world.add({ handle: "main", baseUrl: BASE, anchors: [repository.key.fingerprint] });
  const next = await testKey(2);
  const request = { directory: repository.directory, timestamp: dayOf(20) };
  const change = await changeKeys(repository.context, {
    ...request,
    kind: "rotate",
    signingKey: repository.key,
    newKey: next,
    validDays: 30,
  });
  assert.deepEqual(change.before.map((key) => key.status), ["active"]);
  assert.deepEqual(change.after.map((key) => [key.status, key.validUntil]).sort(), [["active", undefined], [
    "transitioning",
    "2026-04-20T00:00:00Z",
  ]]);
  assert.deepEqual(await issuesOf(repository, "metadata"), []);
  const refresh = async () => (await refreshRepositories(world.open())).results.map((item) => item.result);
  assert.deepEqual(await refresh(), ["unchanged"]);
  await changeKeys(repository.context, {
    ...request,
    kind: "revoke",
    signingKey: next,
    fingerprint: repository.key.fingerprint,
  });
  assert.deepEqual(await refresh(), ["unchanged"]);
  await assert.rejects(
    changeKeys(repository.context, { ...request, kind: "revoke", signingKey: next, fingerprint: next.fingerprint }),
    PeipkgError,
  );
  await assert.rejects(
    changeKeys(repository.context, {
      ...request,
      kind: "drop",
      signingKey: next,
      fingerprint: repository.key.fingerprint,
    }),
    PeipkgError,
  );
});

Deno.test("R-PROD-10, R-ARC-03, C-RTOOL-06: checkRepository() names every fault", async () => {
  using scene = await begin();
  const { repository } = scene;
  await repository.publish([{ name: "tool", version: "1-1" }]);
  const file = `${repository.directory}/p/tool/1-1/tool_1-1_x86_64.peipkg`;
  const bytes = Deno.readFileSync(file);
  Deno.writeFileSync(file, bytes.map((byte, index) => index === 40 ? byte ^ 1 : byte));
  assert.deepEqual(await issuesOf(repository, "metadata"), []);
  assert.deepEqual(await issuesOf(repository, "hashes"), ["E_PKG_HASH p/tool/1-1/tool_1-1_x86_64.peipkg"]);
  Deno.removeSync(file);
  Deno.removeSync(`${repository.directory}/index/active.json.sig`);
  Deno.writeTextFileSync(
    `${repository.directory}/index/archive.json`,
    text(repository, "index/archive.json").replace('"MIT"', '"BSD"'),
  );
  assert.deepEqual((await issuesOf(repository)).sort(), [
    "E_FILE_FETCH p/tool/1-1/tool_1-1_x86_64.peipkg",
    "E_SIG_INVALID index/archive.json.sig",
    "E_SIG_MISSING index/active.json.sig",
  ]);
});

Deno.test("R-MIR-01, R-MIR-02, C-RTOOL-07: mirrorRepository() copies bytes, resumes, and never goes back", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  await repository.publish([{ name: "tool", version: "1-1" }, { name: "lib", version: "1-1" }]);
  const old = repository.snapshot();
  const mirror = { baseUrl: BASE, directory: `${world.rootPath}/copy`, anchors: [repository.key.fingerprint] };
  const first = await mirrorRepository(repository.context, world.open(), mirror);
  assert.deepEqual(first, { indexVersion: 2, fetched: 2, present: 0, notMirrored: [], leftOut: 0 });
  await repository.publish([{ name: "tool", version: "2-1" }]);
  const second = await mirrorRepository(repository.context, world.open(), mirror);
  assert.deepEqual([second.indexVersion, second.fetched, second.present], [3, 1, 2]);
  for (const [path, bytes] of repository.snapshot()) {
    assert.deepEqual(Deno.readFileSync(`${mirror.directory}/${path}`), bytes, path);
  }
  world.serve = serveFiles(BASE, old);
  await assert.rejects(
    mirrorRepository(repository.context, world.open(), mirror),
    refusedBy("E_INDEX_ROLLBACK"),
  );
  // R-MIR-01: the copy serves as a repository of its own, anchors unchanged.
  await world.add({ handle: "copy", baseUrl: `file://${mirror.directory}`, anchors: [repository.key.fingerprint] });
});

Deno.test("C-RTOOL-04: --out publishes a copy and leaves the source alone", async () => {
  using scene = await begin();
  const { repository, world } = scene;
  await repository.publish([{ name: "tool", version: "1-1" }]);
  const before = repository.snapshot();
  const outDirectory = `${world.rootPath}/out`;
  await repository.publish([], { refreshDate: true, outDirectory });
  assert.deepEqual(repository.snapshot(), before);
  assert.equal(JSON.parse(Deno.readTextFileSync(`${outDirectory}/index/active.json`)).index_version, 3);
  assert.deepEqual(
    Deno.readFileSync(`${outDirectory}/p/tool/1-1/tool_1-1_x86_64.peipkg`),
    before.get("p/tool/1-1/tool_1-1_x86_64.peipkg"),
  );
});

Deno.test("C-RTOOL-01: generateKey() writes an owner-only key, its public half, and overwrites nothing", async () => {
  using scene = await begin();
  const { world } = scene;
  for (const raw of [false, true]) {
    const path = `${world.rootPath}/key-${raw}`;
    const fingerprint = await generateKey(world.session, path, raw);
    const key = await openSigningKey(readPrivateKey(Deno.readFileSync(path)));
    assert.equal(key.fingerprint, fingerprint);
    assert.deepEqual(readPublicKey(Deno.readFileSync(`${path}.pub`)), key.publicKey);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    await assert.rejects(
      generateKey(world.session, path, false),
      (error) => error instanceof PeipkgError && error.code === "exists",
    );
  }
});

Deno.test("C-BUNDLE-01, C-BUNDLE-03, C-BUNDLE-04: writeBundle() makes a repository of packages as their publishers signed them", async () => {
  using scene = await begin();
  const { repository, world } = scene;
  await repository.publish([{ name: "tool", version: "1-1" }]);
  const path = `${repository.directory}/p/tool/1-1/tool_1-1_x86_64.peipkg`;
  const operator = await testKey(5);
  const file = world.session.system.openFile(path);
  using source = openByteSource(file, "tool");
  const item = {
    name: "tool",
    version: "1-1",
    architecture: "x86_64",
    hash: hashFile(file),
    origin: "main",
    source,
    signer: repository.key.publicKey,
    modifiedSeconds: 0,
  };
  const directory = `${world.rootPath}/bundle`;
  const request = {
    directory,
    name: "bundle",
    signingKey: operator,
    timestamp: dayOf(10),
    requested: ["tool"],
    items: [item],
  };
  const result = await writeBundle(repository.context, request);
  assert.equal(result.indexVersion, Date.parse(dayOf(10)) / 1000);
  assert.deepEqual(result.fingerprints, [operator.fingerprint, repository.key.fingerprint]);
  assert.deepEqual(Deno.readFileSync(`${directory}/p/tool/1-1/tool_1-1_x86_64.peipkg`), Deno.readFileSync(path));
  assert.deepEqual(JSON.parse(Deno.readTextFileSync(`${directory}/bundle.json`)), {
    name: "bundle",
    created: dayOf(10),
    requested: ["tool"],
    packages: [{ name: "tool", version: "1-1", architecture: "x86_64", origin: "main", sha256: item.hash }],
  });
  await world.add({ handle: "bundle", baseUrl: `file://${directory}`, anchors: [operator.fingerprint] });
  const later = await writeBundle(repository.context, {
    ...request,
    directory: `${world.rootPath}/later`,
    previous: await readPreviousBundle(repository.context, directory, operator, Date.parse(dayOf(10))),
  });
  assert.equal(later.indexVersion, result.indexVersion + 1);
  await assert.rejects(
    writeBundle(repository.context, {
      ...request,
      directory: `${world.rootPath}/third`,
      items: [{ ...item, signer: undefined }],
    }),
    refusedBy("E_SIG_MISSING"),
  );
  await assert.rejects(
    writeBundle(repository.context, {
      ...request,
      directory: `${world.rootPath}/older`,
      timestamp: dayOf(9),
      previous: await readPreviousBundle(repository.context, directory, operator, Date.parse(dayOf(10))),
    }),
    (error) => error instanceof PeipkgError && error.code === "usage",
  );
  await assert.rejects(
    writeBundle(repository.context, {
      ...request,
      directory: `${world.rootPath}/changed`,
      items: [{ ...item, hash: "0".repeat(64) }],
    }),
    refusedBy("PKG_CHANGED"),
  );
  assert.deepEqual([...Deno.readDirSync(`${world.rootPath}/changed`)], []); // nothing that looks like a bundle
});

Deno.test("C-BUNDLE-04, R-SIG-08, R-SIG-10: readPreviousBundle() believes only what the operator's key signed", async () => {
  using scene = await begin();
  const { repository, world } = scene;
  const operator = repository.key;
  const { directory, context } = repository;
  const now = Date.parse(dayOf(10));
  await repository.publish([{ name: "tool", version: "1-1" }]);
  const read = (key = operator, at = now) => readPreviousBundle(context, directory, key, at);
  const refuses = (rule: string, reading: Promise<unknown>) => assert.rejects(reading, refusedBy(rule));
  assert.equal((await read()).indexVersion, 2);

  await refuses("E_SIGNER_NOT_LISTED", read(await testKey(7)));
  const rewrite = (path: string, from: string, to: string) => {
    const before = text(repository, path);
    assert.ok(before.includes(from));
    Deno.writeTextFileSync(`${directory}/${path}`, before.replace(from, to));
    return () => Deno.writeTextFileSync(`${directory}/${path}`, before);
  };
  let restore = rewrite("index/active.json", '"index_version":2', '"index_version":9007199254740991');
  await refuses("E_SIG_INVALID", read());
  restore();
  restore = rewrite("repo.json", '"schema_version":1', '"schema_version": 1');
  await refuses("E_SIG_INVALID", read());
  restore();
  for (const path of ["repo.json.sig", "index/active.json.sig"]) {
    Deno.renameSync(`${directory}/${path}`, `${world.rootPath}/aside`);
    await refuses("E_SIG_MISSING", read());
    Deno.renameSync(`${world.rootPath}/aside`, `${directory}/${path}`);
  }

  // After a rotation the old key has signed the descriptor, the one that stays the index.
  const next = await testKey(8);
  const timestamp = dayOf(10);
  await changeKeys(context, { kind: "rotate", directory, signingKey: operator, timestamp, newKey: next, validDays: 1 });
  assert.equal((await read(next)).indexVersion, 2);
  await refuses("E_SIG_KEY_UNTRUSTED", read());
  await refuses("E_SIG_KEY_EXPIRED", read(next, now + 2 * 86_400_000));
  await refuses("E_SIG_KEY_EXPIRED", read(operator, now + 2 * 86_400_000));

  // A stranger's descriptor may list the operator's key, but a stranger's index is not believed.
  using tree = new RepositoryTree(context, directory);
  const stranger = await testKey(9);
  const descriptor = tree.descriptor();
  const listed = { fingerprint: stranger.fingerprint, url: "/k", status: "active", validUntil: undefined } as const;
  tree.writeKey(stranger.fingerprint, stranger.publicKey);
  await tree.writeSigned("repo.json", writeDescriptor({ ...descriptor, keys: [...descriptor.keys, listed] }), stranger);
  await tree.signAgain("index/active.json", stranger);
  await refuses("E_SIG_KEY_UNTRUSTED", read(next));
});

Deno.test("R-PROD-09: packages and keys are in place before the indexes, the descriptor comes last", async () => {
  using world = openRepositoryWorld();
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const renamed: string[] = [];
  const control = new FaultControl((_n, call, path) => void (call.startsWith("rename") && renamed.push(path)));
  const { system } = world.session;
  const watched = new Proxy(system, {
    get(target, key) {
      if (key === "openRoot") return (path: string) => faultRoot(target.openRoot(path), control);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const repository = await makeRepository({ ...world.session, system: watched }, `${world.rootPath}/srv`);
  const key = `/keys/${repository.key.fingerprint}.pub`;
  const index = (kind: string) => [`/index/${kind}.json`, `/index/${kind}.json.sig`];
  const order = () => renamed.splice(0).filter((path) => !path.includes("files"));
  assert.deepEqual(order(), [key, ...index("archive"), ...index("active"), "/repo.json", "/repo.json.sig"]);
  await repository.publish([{ name: "tool", version: "1-1" }]);
  assert.deepEqual(order(), ["/p/tool/1-1/tool_1-1_x86_64.peipkg", ...index("archive"), ...index("active")]);
});
