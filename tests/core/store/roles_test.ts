import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { insertPackage } from "../../../core/store/installed.ts";
import {
  clearHolder,
  deleteClaimLink,
  deleteSdOverride,
  deleteSdOverridesAt,
  insertClaimLink,
  readClaimLinks,
  readHolders,
  readSdOverrides,
  setHolder,
  setSdOverride,
} from "../../../core/store/roles.ts";
import { createDatabase, openStateFixture, packageRecord, type StateFixture } from "./support.ts";
import { refusedBy } from "../../support/refusals.ts";

const link = { role: "registryd", slot: "main", target: "/usr/sbin/loregd", isVolatile: false };

function openDatabase(fixture: StateFixture) {
  const database = createDatabase(fixture);
  for (const name of ["altregd", "loregd"]) insertPackage(database, packageRecord(name));
  setHolder(database, "registryd", "loregd");
  return database;
}

Deno.test("C-TXN-01: holders stand by themselves, links hang on them", () => {
  using fixture = openStateFixture();
  const database = openDatabase(fixture);
  insertClaimLink(database, { ...link, path: "/usr/sbin/registryd" });
  insertClaimLink(database, { ...link, path: "/run/registryd", isVolatile: true });
  setHolder(database, "registryd", "altregd");
  assert.deepEqual(readHolders(database), [{ role: "registryd", holder: "altregd" }]);
  assert.deepEqual(readClaimLinks(database).map(({ path, isVolatile }) => [path, isVolatile]), [
    ["/run/registryd", true],
    ["/usr/sbin/registryd", false],
  ]);
  deleteClaimLink(database, "/run/registryd");
  assert.deepEqual(readClaimLinks(database, "registryd"), [{ ...link, path: "/usr/sbin/registryd" }]);
  clearHolder(database, "registryd");
  assert.deepEqual(readHolders(database), []);
  assert.deepEqual(readClaimLinks(database), []);
});

Deno.test("C-TXN-01: only an installed package can hold a role", () => {
  using fixture = openStateFixture();
  const database = openDatabase(fixture);
  assert.throws(() => setHolder(database, "registryd", "nothere"), PeipkgError);
});

Deno.test("a package's security descriptors are kept by path, replaced, and forgotten with it", () => {
  using fixture = openStateFixture();
  const database = openDatabase(fixture);
  const loregd = parsePackageName("loregd");
  const override = {
    package: loregd,
    path: "/a",
    descriptor: Uint8Array.of(1, 2),
    state: "applied",
    transaction: 4,
  } as const;
  setSdOverride(database, override);
  setSdOverride(database, { ...override, descriptor: Uint8Array.of(3), state: "not-applied", transaction: 5 });
  assert.deepEqual(readSdOverrides(database, "loregd"), [
    { ...override, descriptor: Uint8Array.of(3), state: "not-applied", transaction: 5 },
  ]);
  setSdOverride(database, { ...override, path: "/b" });
  deleteSdOverride(database, "loregd", "/a");
  assert.deepEqual(readSdOverrides(database).map(({ path }) => path), ["/b"]);
  deleteSdOverridesAt(database, ["/b"]); // A-SDA-17, T-CLEAN-06
  assert.deepEqual(readSdOverrides(database), []);
});

Deno.test("T-DB-10: roles, link paths and targets are validated as if foreign", () => {
  const changes = [
    "UPDATE claim_link SET path = '/usr/../etc/passwd'",
    "UPDATE claim_link SET target = '/usr//x'",
    "PRAGMA foreign_keys = OFF; UPDATE claim_link SET role = 'a role'",
  ];
  for (const change of changes) {
    using fixture = openStateFixture();
    const database = openDatabase(fixture);
    insertClaimLink(database, { ...link, path: "/usr/sbin/registryd" });
    for (const statement of change.split("; ")) database.statement(statement).run();
    assert.throws(
      () => readClaimLinks(database),
      refusedBy("DB_CORRUPT"),
      change,
    );
  }
});
