import assert from "node:assert/strict";
import { cleanCache } from "../../../core/operations/clean.ts";
import { configure, type InstallationFixture, openInstallation } from "./installation_fixture.ts";

const METADATA = { packages: false, allPackages: false, backups: false, dryRun: false };
const listed = "1".repeat(64);
const unlisted = "2".repeat(64);

async function openCache(): Promise<InstallationFixture> {
  const fixture = openInstallation();
  configure(fixture, "kept");
  configure(fixture, "broken", ["not toml"]);
  await fixture.install({ name: "aa" });
  await fixture.change((database) => {
    database.statement(
      "INSERT INTO repository (name, repo_name, added_at, accepted_config) VALUES ('kept', 'kept', 0, '{}')",
    )
      .run();
    database.statement(
      `INSERT INTO catalogue (repository, kind, digest, index_version, generated_at)
        VALUES ('kept', 'archive', ?, 1, '2026-01-01T00:00:00Z')`,
    ).run("d".repeat(64));
    database.statement(
      `INSERT INTO catalogue_package (catalogue_id, name, version, architecture, description, size_compressed,
        size_installed, hash, url, entry) VALUES (1, 'aa', '1-1', 'noarch', '', 1, 1, ?, 'u', '{}')`,
    ).run(listed);
  });
  const cache = `${fixture.rootPath}/var/lib/peipkg/cache`;
  for (const area of ["metadata", "packages"]) Deno.mkdirSync(`${cache}/${area}`, { recursive: true });
  const files = [
    "metadata/kept.active.json",
    "metadata/broken.active.json",
    "metadata/gone.active.json",
    "metadata/gone.active.json.sig",
    `packages/${listed}.peipkg`,
    `packages/${unlisted}.peipkg`,
    `packages/${unlisted}.peipkg.part`,
    "packages/README",
  ];
  for (const file of files) Deno.writeTextFileSync(`${cache}/${file}`, "12345");
  return fixture;
}

const namesOf = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path.split("/").at(-1));

Deno.test("C-CLEAN-01: cleanCache() deletes metadata of repositories no longer configured and nothing else", async () => {
  using fixture = await openCache();
  const report = await cleanCache(fixture.workspace, METADATA);
  assert.ok(report.kind === "cleaned");
  assert.deepEqual(namesOf(report.files), ["gone.active.json", "gone.active.json.sig"]);
  assert.equal(report.files[0]?.sizeBytes, 5);
  assert.deepEqual(fixture.events.filter(({ kind }) => kind === "file").length, 2);
  const left = [...Deno.readDirSync(`${fixture.rootPath}/var/lib/peipkg/cache/metadata`)].map(({ name }) => name);
  assert.deepEqual(left.sort(), ["broken.active.json", "kept.active.json"]);
  assert.deepEqual(await cleanCache(fixture.workspace, METADATA), { kind: "cleaned", files: [] });
});

Deno.test("C-CLEAN-01: downloads that no index lists go with --packages, all of them with --all", async () => {
  using fixture = await openCache();
  const packages = await cleanCache(fixture.workspace, { ...METADATA, packages: true });
  assert.ok(packages.kind === "cleaned");
  assert.deepEqual(namesOf(packages.files).slice(2), [`${unlisted}.peipkg`, `${unlisted}.peipkg.part`]);
  const all = await cleanCache(fixture.workspace, { ...METADATA, allPackages: true });
  assert.ok(all.kind === "cleaned");
  assert.deepEqual(namesOf(all.files), [`${listed}.peipkg`]);
});

Deno.test("C-CLEAN-01: --dry-run names the files with their sizes and deletes none", async () => {
  using fixture = await openCache();
  const report = await cleanCache(fixture.workspace, { ...METADATA, allPackages: true, dryRun: true });
  assert.ok(report.kind === "cleaned");
  assert.equal(report.files.length, 5);
  assert.ok(report.files.every(({ path }) => Deno.statSync(path).isFile));
});

Deno.test("T-DB-17: without a cache there is nothing to do and nothing is created", async () => {
  using fixture = openInstallation();
  assert.deepEqual(await cleanCache(fixture.workspace, METADATA), { kind: "no-cache" });
  assert.deepEqual([...Deno.readDirSync(fixture.rootPath)], []);
});

Deno.test("C-CLEAN-01, T-RETAIN-02, T-RETAIN-05: --backups drops set-aside files past their retention only", async () => {
  using fixture = openInstallation();
  await fixture.install({ name: "aa" });
  const day = 86_400;
  const now = 1779199330;
  await fixture.change((database) => {
    for (const [id, age] of [[1, 40], [2, 1]] as const) {
      database.statement(
        `INSERT INTO txn (id, state, phase, kind, started_at, finished_at, op_summary, operator, invocation,
          started_by_version, journal_schema_version, boot_id, cleanup_done, audited)
          VALUES (?, 'committed', 'closed', 'package', 0, ?, 's', '{}', 'i', '0.1.0', 1, 'b', 1, 1)`,
      ).run(id, now - age * day);
      database.statement(
        "INSERT INTO prior_package VALUES (?, 'aa', '1.0-1', 'noarch', NULL, 'explicit', 0, 0, ?, '{}')",
      ).run(id, "a".repeat(64));
      database.statement(
        "INSERT INTO prior_file VALUES (?, 'aa', '/usr/aa', 'file', 5, ?, NULL, NULL, NULL, ?)",
      ).run(id, "a".repeat(64), `state:retained/${id}/0`);
    }
  });
  const state = `${fixture.rootPath}/var/lib/peipkg`;
  for (const id of [1, 2]) {
    Deno.mkdirSync(`${state}/retained/${id}`, { recursive: true });
    Deno.writeTextFileSync(`${state}/retained/${id}/0`, "12345");
  }
  const expected = { kind: "cleaned", files: [{ path: `${state}/retained/1/0`, sizeBytes: 5 }] };
  assert.deepEqual(await cleanCache(fixture.workspace, { ...METADATA, backups: true, dryRun: true }), expected);
  assert.deepEqual(await cleanCache(fixture.workspace, { ...METADATA, backups: true }), expected);
  assert.deepEqual([...Deno.readDirSync(`${state}/retained`)].map(({ name }) => name), ["2"]);
  assert.deepEqual(await cleanCache(fixture.workspace, { ...METADATA, backups: true }), { kind: "cleaned", files: [] });
});
