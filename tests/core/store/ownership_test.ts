import assert from "node:assert/strict";
import { insertFiles, insertPackage } from "../../../core/store/installed.ts";
import { readOwnersOf, readSharedFiles } from "../../../core/store/ownership.ts";
import { createDatabase, fileRow, openStateFixture, packageRecord } from "./support.ts";

const directory = (path: string) => fileRow(path, { type: "dir", hash: undefined, sizeBytes: undefined });

Deno.test("T-COLL-02: readOwnersOf() finds the owners of any number of paths", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const files = Array.from({ length: 200 }, (_, index) => fileRow(`/usr/share/a/${index}`));
  database.write(() => {
    insertPackage(database, packageRecord("aa"));
    insertPackage(database, packageRecord("bb"));
    insertFiles(database, "aa", [directory("/usr/share/a"), ...files]);
    insertFiles(database, "bb", [directory("/usr/share/a")]);
  });
  const asked = ["/usr/share/a", "/usr/share/none", ...files.map(({ path }) => path)];
  const owners = readOwnersOf(database, asked);
  assert.equal(owners.size, 201);
  assert.deepEqual(owners.get("/usr/share/a"), [{ package: "aa", type: "dir" }, { package: "bb", type: "dir" }]);
  assert.deepEqual(owners.get("/usr/share/a/199"), [{ package: "aa", type: "file" }]);
  assert.equal(owners.get("/usr/share/none"), undefined);
  assert.equal(readOwnersOf(database, []).size, 0);
});

Deno.test("T-RM-05: readSharedFiles() finds files another package is recorded for, and no directories", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  database.write(() => {
    insertPackage(database, packageRecord("aa"));
    insertPackage(database, packageRecord("bb"));
    insertFiles(database, "aa", [directory("/usr/share/x"), fileRow("/usr/bin/a"), fileRow("/usr/bin/both")]);
    insertFiles(database, "bb", [directory("/usr/share/x"), directory("/usr/bin/both")]);
  });
  assert.deepEqual(readSharedFiles(database, "aa"), ["/usr/bin/both"]);
  assert.deepEqual(readSharedFiles(database, "bb"), []);
});
