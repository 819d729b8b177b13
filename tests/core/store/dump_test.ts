import assert from "node:assert/strict";
import { Database } from "../../../core/store/database.ts";
import { DumpRestore, type DumpRow, dumpRows, isDumpRow, packageOf } from "../../../core/store/dump.ts";
import { openStateFixture, type StateFixture, ZERO_HASH } from "./support.ts";

const FACTS = { primaryArchitecture: "x86_64", createdAt: 1 } as const;

function create(fixture: StateFixture): Database {
  return fixture.track(Database.create(fixture.session, fixture.state, FACTS));
}

function fill(database: Database, statements: readonly string[]): void {
  database.write(() => {
    for (const sql of statements) database.statement(sql).run();
  });
}

const txn = (id: number, state: string, invocation = `i${id}`): string => {
  const isPending = state === "pending";
  return `INSERT INTO txn (id, state, phase, kind, started_at, finished_at, op_summary, operator, invocation,
      started_by_version, journal_schema_version, boot_id)
    VALUES (${id}, '${state}', '${isPending ? "applying" : "closed"}', 'package', ${id * 100},
      ${isPending ? "NULL" : id * 100 + 1}, 'install x', '{}', '${invocation}', '0.1.0', 1, 'boot')`;
};
const op = (id: number): string =>
  `INSERT INTO txn_op (txn_id, seq, subject, action, to_version, cause) VALUES (${id}, 1, 'aa', 'install', '1-1', 'requested')`;
const pkg = (name: string): string =>
  `INSERT INTO package VALUES ('${name}', '1-1', 'noarch', NULL, 'explicit', 0, 5, 1, '${ZERO_HASH}', '{}')`;

const rowsOf = (database: Database): readonly string[] => [...dumpRows(database)].map((row) => JSON.stringify(row));

function restore(database: Database, rows: readonly DumpRow[]): void {
  database.write(() => {
    const target = new DumpRestore(database);
    for (const row of rows) target.add(row);
    target.finish();
  });
}

Deno.test("C-BACKUP-01: every kind of value survives: large integers, bytes, text and nothing", () => {
  using from = openStateFixture();
  using to = openStateFixture();
  const source = create(from), target = create(to);
  fill(source, [
    txn(1, "committed"),
    op(1),
    `INSERT INTO txn_file (txn_id, seq, op_seq, final_path, action, staged_path, backup_path, new_type, old_type,
        staged_ino, old_ino, old_mtime)
      VALUES (1, 1, 1, '/usr/bin/aa', 'replace', '/usr/bin/aa.s', '/usr/bin/aa.b', 'file', 'file',
        9223372036854775807, 9007199254740993, -1)`,
    "INSERT INTO txn_dir VALUES (1, 1, '/usr', 'set-sd', x'00ff10', x'')",
    pkg("aa"),
    `INSERT INTO package_file VALUES ('aa', '/usr/bin/aa', 'file', 3, '${ZERO_HASH}', NULL, NULL, NULL)`,
    "INSERT INTO annotation VALUES ('aa', 'tag', 'line one' || char(10) || '\"two\"' || char(0x202e))",
    "INSERT INTO claim_holder VALUES ('registryd', 'aa')",
    "INSERT INTO sd_override VALUES ('/usr/bin/aa', 'aa', x'0102', 'applied', 1)",
  ]);
  const lines = rowsOf(source);
  const rows = lines.map((line): DumpRow => JSON.parse(line));
  for (const { table, values } of rows) assert.ok(isDumpRow(table, values));
  restore(target, rows);
  assert.deepEqual(rowsOf(target), lines);
  assert.deepEqual(target.foreignKeyProblems(), []);
});

Deno.test("C-BACKUP-02: a transaction caught in the middle returns as abandoned", () => {
  using from = openStateFixture();
  using to = openStateFixture();
  const source = create(from), target = create(to);
  fill(source, [txn(1, "committed"), txn(2, "pending"), op(2)]);
  restore(target, [...dumpRows(source)]);
  const states = target.statement("SELECT id, state, phase, finished_at FROM txn").all().map((row) => ({ ...row }));
  assert.deepEqual(states, [
    { id: 1, state: "committed", phase: "closed", finished_at: 101 },
    { id: 2, state: "abandoned", phase: "closed", finished_at: 200 },
  ]);
});

Deno.test("C-BACKUP-02: history is added to, and a number never names two transactions", () => {
  using from = openStateFixture();
  using to = openStateFixture();
  const source = create(from), target = create(to);
  fill(source, [txn(1, "committed"), op(1), txn(2, "committed", "other"), op(2), pkg("aa")]);
  fill(target, [
    txn(1, "committed"),
    op(1),
    txn(2, "committed"),
    "INSERT INTO displaced_file VALUES (2, '/etc/a', '/etc/a.peipkg-backup-2')",
    txn(3, "committed"),
    "INSERT INTO displaced_file VALUES (3, '/etc/b', '/etc/b.peipkg-backup-3')",
    txn(4, "rolled-back"),
    pkg("bb"),
  ]);
  restore(target, [...dumpRows(source)]);
  const states = target.statement("SELECT id, state, invocation FROM txn").all().map((row) =>
    `${row.id} ${row.state} ${row.invocation}`
  );
  assert.deepEqual(states, ["1 committed i1", "2 committed other", "3 abandoned i3", "4 rolled-back i4"]);
  const kept = target.statement("SELECT kept_at FROM displaced_file").all().map((row) => row.kept_at);
  assert.deepEqual(kept, ["/etc/b.peipkg-backup-3"], "what an abandoned transaction displaced stays accounted for");
  assert.deepEqual(target.statement("SELECT name FROM package").all().map((row) => row.name), ["aa"]);
  const next = target.write(() =>
    target.statement(txn(0, "committed").replace("VALUES (0,", "VALUES (NULL,")).insert()
  );
  assert.equal(next, 5);
});

Deno.test("C-BACKUP-02: an abandoned transaction is committed again by the backup that knows it so", () => {
  using from = openStateFixture();
  using to = openStateFixture();
  const source = create(from), target = create(to);
  fill(source, [txn(1, "committed")]);
  fill(target, [txn(1, "abandoned")]);
  restore(target, [...dumpRows(source)]);
  assert.equal(target.statement("SELECT state FROM txn").get()?.state, "committed");
});

Deno.test("C-BACKUP-02: isDumpRow() takes rows of known tables with storable values only", () => {
  assert.equal(isDumpRow("claim_holder", ["a", "b"]), true);
  assert.equal(isDumpRow("claim_holder", ["a", { int: "-9223372036854775808" }]), true);
  const bad: readonly (readonly [unknown, readonly unknown[]])[] = [
    ["meta", ["a", "b"]],
    ["constructor", []],
    [7, []],
    ["claim_holder", ["a"]],
    ["claim_holder", ["a", true]],
    ["claim_holder", ["a", 1.5]],
    ["claim_holder", ["a", ["b"]]],
    ["claim_holder", ["a", { int: "1.5" }]],
    ["claim_holder", ["a", { int: "9223372036854775808" }]],
    ["claim_holder", ["a", { base64: "!" }]],
    ["claim_holder", ["a", { int: "1", base64: "" }]],
    ["claim_holder", ["a", {}]],
  ];
  for (const [table, values] of bad) assert.equal(isDumpRow(table, values), false, JSON.stringify([table, values]));
  assert.equal(packageOf({ table: "package_file", values: ["aa", "/p", "dir", null, null, null, null, null] }), "aa");
  assert.equal(packageOf({ table: "claim_holder", values: ["a", "b"] }), undefined);
});
