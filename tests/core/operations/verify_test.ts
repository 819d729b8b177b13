import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import { haveSameComponents } from "../../../core/operations/security_comparison.ts";
import { verifyInstalled } from "../../../core/operations/verify.ts";
import { setPreservedHash } from "../../../core/store/installed.ts";
import { insertClaimLink, setHolder } from "../../../core/store/roles.ts";
import { bound, type InstallationFixture, openInstallation, refuseReading } from "./installation_fixture.ts";
import { refusedBy } from "../../support/refusals.ts";

const hashOf = (text: string) => sha256Hex(new TextEncoder().encode(text));

const verify = (fixture: InstallationFixture, ...names: readonly string[]) => verifyInstalled(fixture.workspace, names);

async function problemsOf(fixture: InstallationFixture) {
  return (await verify(fixture)).problems.map(({ path, kind, object }) => `${path} ${object} ${kind}`);
}

Deno.test("T-VRFY-06: what is as recorded is intact", async () => {
  using fixture = openInstallation();
  await fixture.install(
    { name: "aa", files: { "/usr": "dir", "/usr/aa": { text: "content" }, "/usr/empty": { text: "" } } },
    { name: "bb", files: { "/usr": "dir", "/usr/bb": { link: "aa" } } },
  );
  assert.deepEqual(await verify(fixture), { packages: 2, files: 5, problems: [] });
});

Deno.test("T-VRFY-01: a file is modified, missing or of another type", async () => {
  using fixture = openInstallation();
  const text = { text: "delivered" };
  await fixture.install({ name: "aa", files: { "/a": text, "/b": text, "/c": text, "/d": text, "/e": text } });
  const { rootPath } = fixture;
  Deno.writeTextFileSync(`${rootPath}/a`, "edited!!!");
  Deno.writeTextFileSync(`${rootPath}/b`, "of another size");
  Deno.removeSync(`${rootPath}/c`);
  Deno.removeSync(`${rootPath}/d`);
  Deno.mkdirSync(`${rootPath}/d`);
  Deno.removeSync(`${rootPath}/e`);
  Deno.symlinkSync("a", `${rootPath}/e`);
  const expected = hashOf("delivered");
  const base = { package: "aa", object: "file" } as const;
  assert.deepEqual((await verify(fixture)).problems, [
    { ...base, path: "/a", kind: "modified", expected, actual: hashOf("edited!!!") },
    { ...base, path: "/b", kind: "modified", expected },
    { ...base, path: "/c", kind: "missing" },
    { ...base, path: "/d", kind: "type", actual: "dir" },
    { ...base, path: "/e", kind: "type", actual: "symlink" },
  ]);
});

Deno.test("T-VRFY-01: a kept configuration file is reported as modified all the same", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa", files: { "/etc/aa.conf": { text: "default" } } });
  Deno.writeTextFileSync(`${fixture.rootPath}/etc/aa.conf`, "edited1");
  await fixture.change((database) => setPreservedHash(database, "aa", "/etc/aa.conf", hashOf("edited1")));
  assert.deepEqual(await problemsOf(fixture), ["/etc/aa.conf file modified"]);
});

Deno.test("T-VRFY-02: a link is missing, of another type or points elsewhere", async () => {
  using fixture = openInstallation();
  const link = { link: "target" };
  await fixture.install({ name: "aa", files: { "/a": link, "/b": link, "/c": link, "/d": link } });
  Deno.removeSync(`${fixture.rootPath}/b`);
  Deno.removeSync(`${fixture.rootPath}/c`);
  Deno.writeTextFileSync(`${fixture.rootPath}/c`, "target");
  Deno.removeSync(`${fixture.rootPath}/d`);
  Deno.symlinkSync("./target", `${fixture.rootPath}/d`);
  const base = { package: "aa", object: "symlink" } as const;
  assert.deepEqual((await verify(fixture)).problems, [
    { ...base, path: "/b", kind: "missing" },
    { ...base, path: "/c", kind: "type", actual: "file" },
    { ...base, path: "/d", kind: "target", expected: "target", actual: "./target" },
  ]);
});

Deno.test("T-VRFY-03, T-VRFY-09: a directory is no link, and nothing is looked for behind one", async () => {
  using fixture = openInstallation();
  await fixture.install({
    name: "aa",
    files: { "/usr": "dir", "/usr/lib": "dir", "/usr/lib/x": { text: "x" }, "/usr/share": "dir" },
  });
  Deno.renameSync(`${fixture.rootPath}/usr/lib`, `${fixture.rootPath}/usr/real`);
  Deno.symlinkSync("real", `${fixture.rootPath}/usr/lib`);
  Deno.removeSync(`${fixture.rootPath}/usr/share`);
  assert.deepEqual(await problemsOf(fixture), [
    "/usr/lib dir type",
    "/usr/lib/x file missing",
    "/usr/share dir missing",
  ]);
});

Deno.test("T-VRFY-01, T-VRFY-09: reading goes on after an object that cannot be read", async () => {
  using fixture = openInstallation({
    system: (real) => ({
      ...bound(real),
      openRoot: (path) => refuseReading(real.openRoot(path), "secret"),
    }),
  });
  await fixture.install({
    name: "aa",
    files: { "/after": { text: "x" }, "/secret": { text: "y" }, "/z": { text: "z" } },
  });
  Deno.writeTextFileSync(`${fixture.rootPath}/z`, "Z");
  assert.deepEqual(await problemsOf(fixture), ["/secret file unreadable", "/z file modified"]);
});

Deno.test("T-VRFY-04, C-VOL-01, C-TXN-05: claim links are checked with their holder; a volatile one may be missing", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "loregd" }, { name: "other" });
  const link = { role: "registryd", slot: "main", target: "/usr/sbin/loregd", isVolatile: false };
  await fixture.change((database) => {
    setHolder(database, "registryd", "loregd");
    for (const path of ["/usr/sbin/registryd", "/usr/bin/registryd", "/usr/lib/x/registryd", "/usr/registryd"]) {
      insertClaimLink(database, { ...link, path });
    }
    insertClaimLink(database, { ...link, path: "/run/registryd", isVolatile: true });
  });
  const { rootPath } = fixture;
  for (const directory of ["sbin", "bin", "lib/x"]) Deno.mkdirSync(`${rootPath}/usr/${directory}`, { recursive: true });
  Deno.symlinkSync("loregd", `${rootPath}/usr/sbin/registryd`);
  Deno.symlinkSync("/usr/sbin/loregd", `${rootPath}/usr/bin/registryd`);
  Deno.writeTextFileSync(`${rootPath}/usr/lib/x/registryd`, "");
  const base = { package: "loregd", object: "claim-link" } as const;
  assert.deepEqual((await verify(fixture)).problems, [
    {
      ...base,
      path: "/usr/bin/registryd",
      kind: "target",
      expected: "../sbin/loregd",
      actual: "/usr/sbin/loregd",
    },
    { ...base, path: "/usr/lib/x/registryd", kind: "type", expected: "../../sbin/loregd", actual: "file" },
    { ...base, path: "/usr/registryd", kind: "missing", expected: "sbin/loregd" },
  ]);
  assert.deepEqual((await verify(fixture, "other")).problems, []);
});

Deno.test("T-VRFY-05: descriptors are compared by their components, wherever these lie", () => {
  const sid = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
  const acl = [2, 0, 8, 0, 0, 0, 0, 0];
  const header = (owner: number, dacl: number) => [1, 0, 4, 128, owner, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, dacl, 0, 0, 0];
  const declared = Uint8Array.from([...header(20, 32), ...sid, ...acl]);
  const moved = Uint8Array.from([...header(28, 20), ...acl, ...sid]);
  const other = Uint8Array.from([...header(28, 20), ...acl, ...sid.with(8, 19)]);
  assert.equal(haveSameComponents(declared, moved), true);
  assert.equal(haveSameComponents(declared, other), false);
  assert.equal(haveSameComponents(declared, Uint8Array.from(header(0, 0))), false);
});

Deno.test("T-VRFY-07: a package that is not installed is refused before anything is checked", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa", files: { "/a": { text: "x" } } });
  await assert.rejects(
    verify(fixture, "aa", "nothere"),
    refusedBy("E_NOT_INSTALLED"),
  );
  assert.deepEqual(fixture.events.filter(({ kind }) => kind === "progress"), []);
});

Deno.test("T-VRFY-08: a file writable by others or with a set-id bit is a warning and no problem", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa", files: { "/a": { text: "x" }, "/b": { text: "x" }, "/c": { text: "x" } } });
  Deno.chmodSync(`${fixture.rootPath}/a`, 0o757);
  Deno.chmodSync(`${fixture.rootPath}/b`, 0o4755);
  assert.deepEqual((await verify(fixture)).problems, []);
  assert.deepEqual(fixture.warnings(), ["W_FILE_MODE", "W_FILE_MODE"]);
});

Deno.test("T-VRFY-09: problems are ordered by package, then by path bytes", async () => {
  using fixture = openInstallation();
  const files = Object.fromEntries(
    ["/b", "/a/z", "/a-b", "/\u{10000}", "/\uffee"].map((path) => [path, { text: "x" }]),
  );
  await fixture.install({ name: "bb", files: { "/0": { text: "x" } } }, { name: "aa", files });
  for (const { name } of Deno.readDirSync(fixture.rootPath)) {
    if (name !== "var") Deno.removeSync(`${fixture.rootPath}/${name}`, { recursive: true });
  }
  const found = (await verify(fixture)).problems.map(({ path }) => path);
  assert.deepEqual(found, ["/a-b", "/a/z", "/b", "/\uffee", "/\u{10000}", "/0"]);
});

Deno.test("T-VRFY-10: a pending transaction is warned of, an indeterminate one by its own name", async () => {
  for (const [indeterminate, expected] of [[0, "W_TXN_PENDING"], [1, "W_INDETERMINATE"]] as const) {
    using fixture = openInstallation();
    await fixture.install({ name: "aa" });
    await fixture.change((database) =>
      database.statement(
        `INSERT INTO txn (state, phase, kind, started_at, op_summary, operator, invocation, started_by_version,
          journal_schema_version, boot_id, indeterminate)
          VALUES ('pending', 'staging', 'package', 1, 's', '{}', 'i', '0.1.0', 1, 'b', ?)`,
      ).run(indeterminate)
    );
    await verify(fixture);
    assert.deepEqual(fixture.warnings(), [expected]);
  }
});

Deno.test("C-VERIFY-04, R-ORPH-03: an orphan among the packages checked is a warning", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa", origin: "gone" }, { name: "bb" });
  await verify(fixture, "bb");
  assert.deepEqual(fixture.warnings(), []);
  await verify(fixture);
  assert.deepEqual(fixture.warnings(), ["W_ORPHANED"]);
});

Deno.test("FP-83: verifying stops at a signal and has changed nothing", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa", files: { "/a": { text: "x" } } });
  fixture.abort.abort(new PeipkgError("interrupted", "interrupted", { signal: 2 }));
  await assert.rejects(verify(fixture), (error) => error instanceof PeipkgError && error.code === "interrupted");
});
