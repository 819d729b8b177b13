import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import { deleteAnnotation, readAnnotation, readAnnotations, setAnnotation } from "../../../core/store/annotations.ts";
import {
  deleteFile,
  deletePackage,
  findOwnersLike,
  findPathBelow,
  insertFiles,
  insertPackage,
  iterateFiles,
  readFile,
  readFiles,
  readFilesBelow,
  readInstalledPackage,
  readInstalledPackages,
  readManifestText,
  readNewDefaults,
  readOwners,
  readPackageListing,
  readRelatedPackages,
  readRelations,
  readUnneededNames,
  requireInstalledPackage,
  setHeld,
  setInstallReason,
  setPreservedHash,
  updatePackage,
} from "../../../core/store/installed.ts";
import { insertClaimLink, readClaimLinkAt, readHeldRoles, readHolder, setHolder } from "../../../core/store/roles.ts";
import { createDatabase, fileRow, openStateFixture, packageRecord, STARTED_AT, ZERO_HASH } from "./support.ts";
import { refusedBy } from "../../support/refusals.ts";

const isCorrupt = refusedBy("DB_CORRUPT");
const nginx = parsePackageName("nginx");

Deno.test("T-DB-16: an install records the package, its manifest verbatim and every owned path", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const manifestText = '{ "description": "Ünïcode",\n "size_installed": 9007199254740991 }\n';
  const files = [
    fileRow("/usr/bin/nginx"),
    fileRow("/usr/lib/nginx", { type: "dir", hash: undefined, sizeBytes: undefined }),
    fileRow("/usr/lib/nginx/module", { type: "symlink", hash: undefined, sizeBytes: undefined, target: "../m" }),
  ];
  database.write(() => {
    insertPackage(database, packageRecord("nginx", { manifestText }));
    insertFiles(database, "nginx", files);
  });
  assert.deepEqual(readInstalledPackage(database, "nginx"), {
    name: "nginx",
    version: parseVersion("1.0-1"),
    architecture: "x86_64",
    origin: "official",
    reason: "explicit",
    isHeld: false,
    installedAt: STARTED_AT / 1000,
    installedTransaction: 1,
    packageHash: ZERO_HASH,
  });
  assert.equal(readManifestText(database, "nginx"), manifestText);
  assert.deepEqual(readFiles(database, "nginx"), files);
});

Deno.test("T-DB-20: a local file has no origin", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("tool", { origin: undefined }));
  assert.equal(readInstalledPackage(database, "tool")?.origin, undefined);
});

Deno.test("C-LIST-01: the listing is in byte order and takes its texts from the manifest without parsing it", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  for (const name of ["zlib", "a+b", "nginx", "a-b"]) insertPackage(database, packageRecord(name));
  const listing = readPackageListing(database);
  assert.deepEqual(listing.map(({ name }) => name), ["a+b", "a-b", "nginx", "zlib"]);
  assert.deepEqual(listing.map(({ description }) => description).at(-1), "about zlib");
  assert.equal(listing[0]?.sizeInstalledBytes, 4096);
});

Deno.test("T-DB-13: updatePackage() keeps annotations and roles, because the row is changed in place", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("nginx", { relations: [{ kind: "dependency", name: "zlib" }] }));
  setAnnotation(database, { package: nginx, tag: "ticket", value: "OPS-417" });
  setHolder(database, "httpd", "nginx");
  insertClaimLink(database, {
    path: "/usr/bin/httpd",
    role: "httpd",
    slot: "main",
    target: "/usr/bin/nginx",
    isVolatile: false,
  });
  updatePackage(
    database,
    packageRecord("nginx", { version: parseVersion("2.0-1"), relations: [{ kind: "provides", name: "httpd" }] }),
  );
  assert.equal(readInstalledPackage(database, "nginx")?.version.raw, "2.0-1");
  assert.equal(readAnnotation(database, "nginx", "ticket"), "OPS-417");
  assert.deepEqual(readHeldRoles(database, "nginx"), ["httpd"]);
  assert.equal(readClaimLinkAt(database, "/usr/bin/httpd")?.holder, "nginx");
  assert.deepEqual(readRelations(database, "nginx"), [{ kind: "provides", name: "httpd" }]);
});

Deno.test("C-TXN-01: deletePackage() takes files, relations, annotations, held roles and their links along", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("nginx", { relations: [{ kind: "provides", name: "httpd" }] }));
  insertFiles(database, "nginx", [fileRow("/usr/bin/nginx")]);
  setAnnotation(database, { package: nginx, tag: "a", value: "b" });
  setHolder(database, "httpd", "nginx");
  insertClaimLink(database, { path: "/x/httpd", role: "httpd", slot: "main", target: "/y", isVolatile: true });
  deletePackage(database, "nginx");
  for (const table of ["package", "package_file", "package_relation", "annotation", "claim_holder", "claim_link"]) {
    assert.equal(database.statement(`SELECT count(*) AS n FROM ${table}`).get()?.n, 0, table);
  }
  assert.equal(readHolder(database, "httpd"), undefined);
});

Deno.test("T-DB-12: two owners of one path are refused unless it is a directory", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const directory = fileRow("/usr", { type: "dir", hash: undefined, sizeBytes: undefined });
  for (const name of ["aa", "bb"]) {
    insertPackage(database, packageRecord(name));
    insertFiles(database, name, [directory]);
  }
  insertFiles(database, "aa", [fileRow("/usr/x")]);
  assert.throws(
    () => insertFiles(database, "bb", [fileRow("/usr/x")]),
    refusedBy("FILE_CONFLICT"),
  );
  assert.deepEqual(readOwners(database, "/usr"), [{ package: "aa", type: "dir" }, { package: "bb", type: "dir" }]);
});

Deno.test("T-DB-13: within one transaction a path may move to another package once its old row is gone", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  for (const name of ["aa", "bb"]) insertPackage(database, packageRecord(name));
  insertFiles(database, "aa", [fileRow("/usr/x")]);
  database.write(() => {
    deleteFile(database, "aa", "/usr/x");
    insertFiles(database, "bb", [fileRow("/usr/x")]);
  });
  assert.deepEqual(readOwners(database, "/usr/x"), [{ package: "bb", type: "file" }]);
});

Deno.test("findPathBelow() finds what lies inside a directory and not beside it", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("aa"));
  insertFiles(database, "aa", [fileRow("/usr/lib-x"), fileRow("/usr/lib/y"), fileRow("/usr/lib0")]);
  assert.equal(findPathBelow(database, "/usr/lib"), "/usr/lib/y");
  assert.equal(findPathBelow(database, "/usr/li"), undefined);
  assert.equal(findPathBelow(database, "/"), "/usr/lib-x");
});

Deno.test("T-VRFY-09: iterateFiles() gives every path of one package once, in byte order, however many there are", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  for (const name of ["aa", "bb"]) insertPackage(database, packageRecord(name));
  for (const count of [0, 256, 700]) {
    for (const { path } of readFiles(database, "aa")) deleteFile(database, "aa", path);
    insertFiles(database, "aa", Array.from({ length: count }, (_, index) => fileRow(`/usr/share/aa/${index}`)));
    assert.deepEqual([...iterateFiles(database, "aa")], readFiles(database, "aa"));
    assert.equal(readFiles(database, "aa").length, count);
  }
});

Deno.test("readFilesBelow() gives the regular files of one package inside a directory, in byte order", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  for (const name of ["aa", "bb"]) insertPackage(database, packageRecord(name));
  insertFiles(database, "aa", [
    { ...fileRow("/etc"), type: "dir", sizeBytes: undefined, hash: undefined },
    fileRow("/etc/b"),
    fileRow("/etc/a/c"),
    fileRow("/etc-x"),
    fileRow("/etc0"),
    { ...fileRow("/etc/link"), type: "symlink", sizeBytes: undefined, hash: undefined, target: "b" },
  ]);
  insertFiles(database, "bb", [fileRow("/etc/other")]);
  assert.deepEqual(readFilesBelow(database, "aa", "/etc"), [fileRow("/etc/a/c"), fileRow("/etc/b")]);
  assert.deepEqual(readFilesBelow(database, "aa", "/usr"), []);
});

Deno.test("iterateFiles() gives every path, and hashes below the wanted prefixes alone", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("aa"));
  const files = ["/etc-x", "/etc/b", "/opt/c", "/usr/d"].map((path) => fileRow(path));
  insertFiles(database, "aa", files);
  assert.deepEqual([...iterateFiles(database, "aa")], files);
  const some = files.map((file) => /^\/(etc|opt)\//.test(file.path) ? file : { ...file, hash: undefined });
  assert.deepEqual([...iterateFiles(database, "aa", ["/etc/", "/opt/"])], some);
});

Deno.test("T-DB-19: packages are found by the names they relate to", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const dependency = (name: string) => ({ kind: "dependency", name }) as const;
  insertPackage(database, packageRecord("curl", { relations: [dependency("zlib"), dependency("lib(ssl)")] }));
  insertPackage(database, packageRecord("nginx", { relations: [dependency("zlib"), dependency("zlib")] }));
  insertPackage(database, packageRecord("openssl", { relations: [{ kind: "provides", name: "lib(ssl)" }] }));
  insertPackage(database, packageRecord("zlib", { relations: [{ kind: "conflict", name: "zlib-ng" }] }));
  assert.deepEqual(readRelatedPackages(database, "zlib", "dependency"), ["curl", "nginx"]);
  assert.deepEqual(readRelatedPackages(database, "lib(ssl)", "provides"), ["openssl"]);
  assert.deepEqual(readRelatedPackages(database, "zlib-ng", "conflict"), ["zlib"]);
  assert.deepEqual([...readUnneededNames(database)].sort(), ["curl", "nginx"]);
});

Deno.test("C-OWNS-03: findOwnersLike() matches recorded paths by glob", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("aa"));
  insertFiles(database, "aa", [fileRow("/usr/lib/libz.so.1"), fileRow("/usr/lib/libz.so.2"), fileRow("/usr/bin/z")]);
  assert.deepEqual(findOwnersLike(database, "*libz.so.[13]"), [{ path: "/usr/lib/libz.so.1", package: "aa" }]);
});

Deno.test("marks, kept content and annotations are written where they belong", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  insertPackage(database, packageRecord("nginx"));
  insertFiles(database, "nginx", [
    fileRow("/etc/n.conf"),
    fileRow("/etc/n.conf.peipkg-new", { newDefaultOf: "/etc/n.conf" }),
  ]);
  setInstallReason(database, "nginx", "dependency");
  setHeld(database, "nginx", true);
  setPreservedHash(database, "nginx", "/etc/n.conf", "a".repeat(64));
  setAnnotation(database, { package: nginx, tag: "ticket", value: "1" });
  setAnnotation(database, { package: nginx, tag: "ticket", value: "2" });
  const item = requireInstalledPackage(database, "nginx");
  assert.deepEqual([item.reason, item.isHeld], ["dependency", true]);
  assert.equal(readFile(database, "nginx", "/etc/n.conf")?.preservedHash, "a".repeat(64));
  assert.deepEqual(readNewDefaults(database).map(({ file }) => file.newDefaultOf), ["/etc/n.conf"]);
  assert.deepEqual(readAnnotations(database), [{ package: "nginx", tag: "ticket", value: "2" }]);
  assert.equal(deleteAnnotation(database, "nginx", "ticket"), true);
  assert.equal(deleteAnnotation(database, "nginx", "ticket"), false);
});

Deno.test("T-DB-10: what is read as name, version, path, hash or type is validated as if foreign", async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ["name", "UPDATE package SET name = '../etc' WHERE name = 'aa'"],
    ["version", "UPDATE package SET version = '1.0; rm' WHERE name = 'aa'"],
    ["architecture", "UPDATE package SET architecture = 'vax' WHERE name = 'aa'"],
    ["hash of the package", `UPDATE package SET package_hash = '${"Z".repeat(64)}'`],
  ];
  for (const [name, statement] of cases) {
    await t.step(name, () => {
      using fixture = openStateFixture();
      const database = createDatabase(fixture);
      insertPackage(database, packageRecord("aa"));
      database.statement(statement).run();
      assert.throws(() => readInstalledPackages(database), isCorrupt);
    });
  }
  const paths = ["/usr/../etc/shadow", "//usr", "/usr/", "/usr/a\u0007b", "/usr/%2e%2e/x", "/.peipkg/x"];
  for (const path of paths) {
    await t.step(`path ${JSON.stringify(path)}`, () => {
      using fixture = openStateFixture();
      const database = createDatabase(fixture);
      insertPackage(database, packageRecord("aa"));
      insertFiles(database, "aa", [fileRow(path)]);
      assert.throws(() => readFiles(database, "aa"), isCorrupt);
    });
  }
  await t.step("manifest that is no JSON", () => {
    using fixture = openStateFixture();
    const database = createDatabase(fixture);
    insertPackage(database, packageRecord("aa", { manifestText: "{" }));
    assert.throws(() => readPackageListing(database), isCorrupt);
  });
});

Deno.test("requireInstalledPackage() words the refusal", () => {
  assert.throws(
    () => requireInstalledPackage(undefined, "nginx"),
    (error) =>
      error instanceof PeipkgError && error.detail.rule === "E_NOT_INSTALLED" && error.code === "not-installed",
  );
});
