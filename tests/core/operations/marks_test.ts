import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import {
  annotatePackage,
  lockPackages,
  markPackages,
  readPackageAnnotation,
  removeAnnotation,
} from "../../../core/operations/marks.ts";
import { transactionHistory } from "../../../core/operations/history.ts";
import { listAnnotations, listPackages } from "../../../core/operations/query.ts";
import { type InstallationFixture, openInstallation } from "./installation_fixture.ts";

const withCode = (code: string) => (error: unknown) => error instanceof PeipkgError && error.code === code;
const generation = (fixture: InstallationFixture) => fixture.workspace.read((database) => database?.generation());

Deno.test("C-MARK-01, C-MARK-02, T-DB-14: marks are written once, told, counted and not in history", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx" }, { name: "zlib", reason: "dependency" }, { name: "curl" });
  assert.deepEqual(await markPackages(fixture.workspace, "auto", ["nginx", "zlib"]), [
    { name: "nginx", version: "1.0-1", changed: true },
    { name: "zlib", version: "1.0-1", changed: false },
  ]);
  assert.deepEqual(listPackages(fixture.workspace, { mark: "auto" }).map(({ name }) => name), ["nginx", "zlib"]);
  assert.equal(generation(fixture), 1n);
  assert.deepEqual(transactionHistory(fixture.workspace), []);
  await markPackages(fixture.workspace, "manual", ["z*"]);
  assert.equal(generation(fixture), 2n);
  await assert.rejects(markPackages(fixture.workspace, "auto", ["nothere"]), withCode("not-installed"));
});

Deno.test("C-LOCK-03: locks are set and taken back, for some or for all", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa" }, { name: "bb", isHeld: true });
  assert.deepEqual(await lockPackages(fixture.workspace, true, []), [
    { name: "aa", version: "1.0-1", changed: true },
    { name: "bb", version: "1.0-1", changed: false },
  ]);
  await lockPackages(fixture.workspace, false, ["bb"]);
  assert.deepEqual(listPackages(fixture.workspace, { locked: true }).map(({ name }) => name), ["aa"]);
});

Deno.test("T-DB-17: a mark that is so already takes no lock and creates nothing", async () => {
  using fixture = openInstallation();
  assert.deepEqual(await lockPackages(fixture.workspace, true, []), []);
  await assert.rejects(markPackages(fixture.workspace, "auto", ["nginx"]), withCode("not-installed"));
  await assert.rejects(annotatePackage(fixture.workspace, "nginx", "tag", "x"), withCode("not-installed"));
  assert.deepEqual([...Deno.readDirSync(fixture.rootPath)], []);
});

Deno.test("A-EVENT-10: every mark, lock and annotation that changes is audited with old and new value", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx" });
  await markPackages(fixture.workspace, "auto", ["nginx"]);
  await markPackages(fixture.workspace, "auto", ["nginx"]);
  await lockPackages(fixture.workspace, true, ["nginx"]);
  await annotatePackage(fixture.workspace, "nginx", "ticket", "OPS-417");
  await annotatePackage(fixture.workspace, "nginx", "ticket", "OPS-417");
  await removeAnnotation(fixture.workspace, "nginx", "ticket");
  const changes = fixture.audited().filter(({ type }) => type === "peipkg.config-change").map(({ change }) => change);
  assert.deepEqual(changes, [
    { setting: "package:nginx:automatic", old: "false", new: "true", via: "command" },
    { setting: "package:nginx:locked", old: "false", new: "true", via: "command" },
    { setting: "package:nginx:annotation:ticket", new: "OPS-417", via: "command" },
    { setting: "package:nginx:annotation:ticket", old: "OPS-417", via: "command" },
  ]);
});

Deno.test("C-ANNOTATE-01: annotations are set, replaced, read, listed and deleted within their limits", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx" }, { name: "zlib" });
  const { workspace } = fixture;
  await annotatePackage(workspace, "nginx", "ticket", "first");
  await annotatePackage(workspace, "nginx", "ticket", "second");
  await annotatePackage(workspace, "zlib", "A.b_c-9", "x".repeat(65536));
  assert.equal(readPackageAnnotation(workspace, "nginx", "ticket"), "second");
  assert.deepEqual(listAnnotations(workspace, { tag: "ticket" }), [{
    package: "nginx",
    tag: "ticket",
    value: "second",
  }]);
  assert.deepEqual(listAnnotations(workspace, { patterns: ["zlib"] }).map(({ tag }) => tag), ["A.b_c-9"]);
  for (const tag of ["", "a b", "ü", "x".repeat(65)]) {
    await assert.rejects(annotatePackage(workspace, "nginx", tag, "x"), withCode("usage"), tag);
  }
  await assert.rejects(annotatePackage(workspace, "nginx", "t", "é".repeat(32769)), withCode("usage"));
  await removeAnnotation(workspace, "nginx", "ticket");
  assert.throws(() => readPackageAnnotation(workspace, "nginx", "ticket"), withCode("failed"));
  await assert.rejects(removeAnnotation(workspace, "nginx", "ticket"), withCode("failed"));
  assert.equal(generation(fixture), 0n, "annotations are nothing planning reads (T-DB-14)");
});

Deno.test("T-INDET-02: marks, locks and annotations are refused while the state is indeterminate", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "nginx" });
  await fixture.change((database) =>
    database.statement(
      `INSERT INTO txn (state, phase, kind, started_at, op_summary, operator, invocation, started_by_version,
        journal_schema_version, boot_id, indeterminate)
        VALUES ('pending', 'applying', 'package', 1, 's', '{}', 'i', '0.1.0', 1, 'b', 1)`,
    ).run()
  );
  const { workspace } = fixture;
  await assert.rejects(markPackages(workspace, "auto", ["nginx"]), withCode("indeterminate"));
  await assert.rejects(lockPackages(workspace, true, ["nginx"]), withCode("indeterminate"));
  await assert.rejects(annotatePackage(workspace, "nginx", "t", "x"), withCode("indeterminate"));
});
