import { strict as assert } from "node:assert";
import {
  type CatalogueLine,
  countPackages,
  findPackage,
  iterateCatalogue,
  namesWithPrefix,
  type NewCataloguePackage,
  packagesNamed,
  packagesRelating,
  readCatalogue,
  replaceCatalogue,
  searchPackages,
  writeCatalogueSigner,
} from "../../../core/store/catalogue.ts";
import { Database } from "../../../core/store/database.ts";
import {
  addRevocations,
  listRepositoryStates,
  readRepositoryState,
  removeRepositoryState,
  type RepositoryState,
  writeAccepted,
  writeRepositoryState,
} from "../../../core/store/repository_state.ts";
import { openStateFixture } from "./support.ts";

const HASH = "a".repeat(64);
const KEY = "1".repeat(64);

const STATE: RepositoryState = {
  name: "main",
  repositoryName: "published",
  addedAt: 100,
  lastRefreshAt: 200,
  active: { indexVersion: 7, generatedAt: "2026-01-01T00:00:00.5Z" },
  archive: { indexVersion: 0, generatedAt: undefined },
  accepted: {
    baseUrl: "https://h/x",
    mirrors: ["https://m"],
    priority: 10,
    signaturePolicy: "required",
    trustAnchors: [KEY],
    allowInsecureTransport: false,
    minIndexVersion: 3,
    maxTrustedAgeDays: 12,
    maxIndexStalenessDays: undefined,
    allowSdOverrides: true,
    sdAllowedSids: ["S-1-5-18"],
    official: true,
    enabled: true,
  },
  keys: [
    { fingerprint: KEY, publicKey: new Uint8Array(32).fill(3), status: "active", validUntil: undefined },
    { fingerprint: "2".repeat(64), publicKey: undefined, status: "transitioning", validUntil: "2026-02-01T00:00:00Z" },
  ],
  revocations: new Set(["3".repeat(64)]),
};

interface Scene extends Disposable {
  readonly database: Database;
  put(packages: readonly NewCataloguePackage[], kind?: "active" | "archive", changedNames?: readonly string[]): void;
}

function begin(): Scene {
  const fixture = openStateFixture();
  const database = fixture.track(
    Database.create(fixture.session, fixture.state, { primaryArchitecture: "x86_64", createdAt: 1 }),
  );
  database.write(() => writeRepositoryState(database, STATE, 300));
  return {
    database,
    put(packages, kind = "active", changedNames) {
      database.write(() =>
        replaceCatalogue(database, {
          repository: "main",
          kind,
          digest: HASH,
          signer: KEY,
          indexVersion: 7,
          generatedAt: "2026-01-01T00:00:00Z",
          packages,
          changedNames,
        })
      );
    },
    [Symbol.dispose]: () => fixture[Symbol.dispose](),
  };
}

function pack(name: string, version = "1-1", more: Partial<NewCataloguePackage> = {}): NewCataloguePackage {
  return {
    name,
    version,
    architecture: "x86_64",
    description: `about ${name}`,
    sizeCompressedBytes: 10,
    sizeInstalledBytes: 20,
    hash: HASH,
    url: `/p/${name}`,
    entry: JSON.stringify({ provides: more.provides, replaces: more.replaces }),
    provides: [],
    replaces: [],
    ...more,
  };
}

const names = (packages: Iterable<CatalogueLine>) => [...packages].map((item) => `${item.name} ${item.version}`);
const changes = (database: Database) => Number(database.statement("SELECT total_changes() AS count").get()?.count);

Deno.test("R-CACHE-01: readRepositoryState() gives back what was written", () => {
  using scene = begin();
  const { database } = scene;
  assert.deepEqual(readRepositoryState(database, "main"), STATE);
  assert.equal(readRepositoryState(database, "other"), undefined);
  assert.deepEqual(listRepositoryStates(database), ["main"]);
  database.write(() => writeAccepted(database, "main", { ...STATE.accepted, priority: 4 }));
  assert.equal(readRepositoryState(database, "main")?.accepted.priority, 4);
});

Deno.test("R-KEY-05: revocations outlive the keys that carried them, until the repository goes", () => {
  using scene = begin();
  const { database } = scene;
  database.write(() => {
    addRevocations(database, "main", [KEY, KEY], 400);
    writeRepositoryState(database, { ...STATE, keys: [], revocations: new Set() }, 500);
  });
  assert.deepEqual([...readRepositoryState(database, "main")?.revocations ?? []].sort(), [KEY, "3".repeat(64)]);
  scene.put([pack("tool")]);
  assert.equal(database.write(() => removeRepositoryState(database, "main")), true);
  assert.equal(database.write(() => removeRepositoryState(database, "main")), false);
  for (const table of ["repository_key", "repository_revocation", "catalogue", "catalogue_package"]) {
    assert.deepEqual(database.statement(`SELECT count(*) AS count FROM ${table}`).get()?.count, 0, table);
  }
});

Deno.test("T-DB-10: settings that cannot have been written are refused", () => {
  using scene = begin();
  for (const text of ["x", "[]", "{}", '{"base_url":1}']) {
    scene.database.write(() => scene.database.statement("UPDATE repository SET accepted_config = ?").run(text));
    assert.throws(() => readRepositoryState(scene.database, "main"), { name: "PeipkgError" });
  }
});

Deno.test("T-DB-19: replaceCatalogue() makes the rows equal to the index and keeps those that are", () => {
  using scene = begin();
  const { database } = scene;
  scene.put([pack("aa"), pack("bb"), pack("dd")]);
  const before = changes(database);
  scene.put([pack("aa"), pack("bb", "2-1"), pack("cc"), pack("ee")]);
  assert.equal(changes(database) - before, 5); // the header, a row that changes, one that goes, two that come
  assert.deepEqual(names(iterateCatalogue(database, "main", "active")), ["aa 1-1", "bb 2-1", "cc 1-1", "ee 1-1"]);
  assert.equal(countPackages(database, "main"), 4);
  scene.put([]);
  assert.equal(countPackages(database, "main"), 0);
  assert.equal(database.statement("SELECT count(*) AS count FROM catalogue").get()?.count, 1);
});

Deno.test("T-DB-19, R-ARC-01: replaceCatalogue() compares every version of a name in the archive", () => {
  using scene = begin();
  const { database } = scene;
  scene.put([pack("aa", "2-1"), pack("aa", "1-1"), pack("bb")], "archive");
  const before = changes(database);
  scene.put([pack("aa", "3-1"), pack("aa", "2-1"), pack("bb", "1-1", { description: "changed" })], "archive");
  assert.deepEqual(names(packagesNamed(database, "aa")).sort(), ["aa 2-1", "aa 3-1"]);
  assert.deepEqual(findPackage(database, { repository: "main", kind: "archive", name: "aa", version: "1-1" }), []);
  assert.equal(packagesNamed(database, "bb")[0]?.description, "changed");
  assert.equal(changes(database) - before, 3); // the header, two rows that change
});

Deno.test("T-DB-19: replaceCatalogue() changes a row in place only while its relations stay", () => {
  using scene = begin();
  const { database } = scene;
  scene.put([pack("aa", "1-1", { provides: ["mail"] }), pack("bb", "1-1", { provides: ["mail"] })]);
  const next = [
    pack("aa", "2-1", {
      ...{ provides: ["mail"], architecture: "noarch", description: "new", url: "/q", hash: "f".repeat(64) },
      ...{ sizeCompressedBytes: 11, sizeInstalledBytes: 21 },
    }),
    pack("bb", "2-1", { provides: ["post"] }),
  ];
  scene.put(next);
  const stored = [...iterateCatalogue(database, "main", "active")];
  const expected = next.map(({ provides: _provides, replaces: _replaces, ...item }) => item);
  assert.deepEqual(stored, expected.map((item) => ({ ...item, repository: "main", kind: "active" })));
  assert.deepEqual(names(packagesRelating(database, "provides", "mail")), ["aa 2-1"]);
  assert.deepEqual(names(packagesRelating(database, "provides", "post")), ["bb 2-1"]);
});

Deno.test("T-DB-19: replaceCatalogue() leaves every row alone whose name did not change", () => {
  using scene = begin();
  const { database } = scene;
  scene.put([pack("aa"), pack("bb"), pack("cc"), pack("dd")]);
  const before = changes(database);
  scene.put([pack("ab"), pack("bb", "2-1"), pack("cc")], "active", ["ab", "bb", "cc", "dd"]);
  assert.equal(changes(database) - before, 4); // the header, a row that changes, one that goes, one that comes
  assert.deepEqual(names(iterateCatalogue(database, "main", "active")), ["aa 1-1", "ab 1-1", "bb 2-1", "cc 1-1"]);
});

Deno.test("T-DB-19: replaceCatalogue() keeps names and relations together over any number of rows", () => {
  using scene = begin();
  const name = (at: number) => `p${String(at).padStart(4, "0")}`;
  const packages = Array.from({ length: 1100 }, (_, at) =>
    pack(name(at), "1-1", {
      provides: at % 3 === 0 ? [`v${at}`, `w${at}`] : [],
      replaces: at % 5 === 0 ? [`old${at}`] : [],
    }));
  const find = (kind: "provides" | "replaces", of: string) =>
    packagesRelating(scene.database, kind, of).map((item) => item.name);
  scene.put(packages.filter((_, at) => at % 2 === 0));
  scene.put(packages);
  assert.equal(countPackages(scene.database, "main"), 1100);
  for (const at of [0, 63, 64, 65, 126, 1095, 1098]) {
    assert.deepEqual(find("provides", `v${at}`), at % 3 === 0 ? [name(at)] : [], `v${at}`);
    assert.deepEqual(find("replaces", `old${at}`), at % 5 === 0 ? [name(at)] : [], `old${at}`);
  }
  scene.put(packages.slice(0, 64));
  assert.equal(countPackages(scene.database, "main"), 64);
  assert.deepEqual(find("provides", "v66"), []);
});

Deno.test("packagesRelating() finds providers and packages that replace a name", () => {
  using scene = begin();
  const { database } = scene;
  scene.put([pack("aa", "1-1", { provides: ["mail"] }), pack("bb", "1-1", { provides: ["mail"], replaces: ["old"] })]);
  assert.deepEqual(names(packagesRelating(database, "provides", "mail")).sort(), ["aa 1-1", "bb 1-1"]);
  assert.deepEqual(names(packagesRelating(database, "replaces", "old")), ["bb 1-1"]);
  scene.put([pack("aa", "2-1")]);
  assert.deepEqual(packagesRelating(database, "provides", "mail"), []);
});

Deno.test("C-SEARCH-01: searchPackages() looks for a substring of name or description without case", () => {
  using scene = begin();
  const { database } = scene;
  scene.put([
    pack("aa", "1-1", { description: "An HTTP server" }),
    pack("http-x"),
    pack("per%cent"),
    pack("zz", "1-1", { description: "GRÖSSE" }),
  ]);
  const search = (term: string, fields?: "name" | "description") =>
    names(searchPackages(database, "main", term, fields));
  assert.deepEqual(search("http"), ["aa 1-1", "http-x 1-1"]);
  assert.deepEqual(search("HTTP", "name"), ["http-x 1-1"]);
  assert.deepEqual(search("http", "description"), ["aa 1-1", "http-x 1-1"]);
  assert.deepEqual(search("%"), ["per%cent 1-1"]);
  assert.deepEqual(search("_"), []);
  assert.deepEqual(search("größe"), []);
  assert.deepEqual(search("grösse"), ["zz 1-1"]);
  assert.deepEqual(searchPackages(database, "other", "http"), []);
});

Deno.test("C-SEARCH-01: searchPackages() finds what has the whole term, whatever its letters", () => {
  using scene = begin();
  const letters = ["e", "q", "Q", "%", "_", "\\", "7", "é"];
  const text = (number: number) => Array.from({ length: 5 }, (_, at) => letters[(number >> at * 3) & 7]).join("");
  const packages = Array.from({ length: 400 }, (_, at) => pack(`p${at + 100}`, "1-1", { description: text(at * 83) }));
  scene.put(packages);
  for (let number = 0; number < 32_768; number += 151) {
    const term = text(number).slice(0, 1 + number % 5);
    const folded = term.toLowerCase();
    assert.deepEqual(
      searchPackages(scene.database, "main", term, "description").map(({ name }) => name),
      packages.filter(({ description }) => description.toLowerCase().includes(folded)).map(({ name }) => name),
      term,
    );
  }
});

Deno.test("C-COMP-02: namesWithPrefix() gives names in byte order up to a limit", () => {
  using scene = begin();
  scene.put([pack("lib"), pack("lib-a"), pack("libb"), pack("zlib")]);
  assert.deepEqual(namesWithPrefix(scene.database, "lib", 10), ["lib", "lib-a", "libb"]);
  assert.deepEqual(namesWithPrefix(scene.database, "lib", 2), ["lib", "lib-a"]);
});

Deno.test("R-FRESH-03: writeCatalogueSigner() changes the signer alone", () => {
  using scene = begin();
  scene.put([pack("aa")]);
  scene.database.write(() => writeCatalogueSigner(scene.database, "main", "active", undefined));
  const header = readCatalogue(scene.database, "main", "active");
  assert.deepEqual([header?.signer, header?.digest, header?.indexVersion], [undefined, HASH, 7]);
  assert.equal(readCatalogue(scene.database, "main", "archive"), undefined);
});
