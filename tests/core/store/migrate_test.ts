import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { migrateDatabase } from "../../../core/store/migrate.ts";
import { describeSchemaDifference, layoutStatements, MIGRATIONS, splitStatements } from "../../../core/store/schema.ts";
import { createDatabase, openStateFixture } from "./support.ts";
import { refusedBy } from "../../support/refusals.ts";

const next = (version: number) => ({
  version,
  schema: "",
  upgrade: `CREATE TABLE later_${version} (a TEXT) STRICT; INSERT INTO later_${version} VALUES ('made by ${version}')`,
});

Deno.test("T-SCHEMA-02: migrations are applied in order, each with its version", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  assert.deepEqual(migrateDatabase(database), []);
  assert.deepEqual(migrateDatabase(database, [...MIGRATIONS, next(2), next(3)]), [2, 3]);
  assert.equal(database.meta("schema_version"), "3");
  assert.equal(database.schemaVersion, 3);
  assert.equal(database.statement("SELECT a FROM later_3").get()?.a, "made by 3");
});

Deno.test("T-SCHEMA-02, FP-07: a migration that fails leaves the layout before it whole", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const broken = { version: 3, schema: "", upgrade: "CREATE TABLE half (a TEXT); CREATE TABLE half (a TEXT)" };
  assert.throws(() => migrateDatabase(database, [...MIGRATIONS, next(2), broken]), PeipkgError);
  assert.equal(database.meta("schema_version"), "2");
  assert.equal(database.statement("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'half'").get()?.n, 0);
});

Deno.test("T-SCHEMA-03: a migration never runs while a transaction is pending", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  database.statement(
    `INSERT INTO txn (state, phase, kind, started_at, op_summary, operator, invocation, started_by_version,
      journal_schema_version, boot_id) VALUES ('pending', 'staging', 'package', 1, 's', '{}', 'i', '0.1.0', 1, 'b')`,
  ).run();
  assert.throws(
    () => migrateDatabase(database, [...MIGRATIONS, next(2)]),
    refusedBy("TXN_PENDING"),
  );
  assert.equal(database.meta("schema_version"), "1");
});

Deno.test("T-SCHEMA-04: the database is copied first, for its owner alone, and the newest two copies stay", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  database.write(() => database.advanceGeneration());
  for (const version of [2, 3, 4]) migrateDatabase(database, [...MIGRATIONS, next(version)]);
  const copies = [...Deno.readDirSync(fixture.statePath)].map(({ name }) => name).filter((name) =>
    name.endsWith(".bak")
  );
  assert.deepEqual(copies.sort(), ["db.sqlite.v2.bak", "db.sqlite.v3.bak"]);
  const copy = Deno.statSync(`${fixture.statePath}/db.sqlite.v3.bak`);
  assert.equal((copy.mode ?? 0) & 0o777, 0o600);
  assert.ok(copy.size > 4096);
});

Deno.test("the first layout is the specified one: tables, indexes and nothing else", () => {
  const [layout] = MIGRATIONS;
  const kinds = splitStatements(layout?.schema ?? "").map((statement) => statement.split(" ", 2).join(" "));
  assert.equal(kinds.filter((kind) => kind === "CREATE TABLE").length, 24);
  assert.equal(kinds.filter((kind) => kind === "CREATE INDEX").length, 7);
  assert.equal(kinds.filter((kind) => kind === "CREATE UNIQUE").length, 2);
  assert.equal(kinds.length, 33);
});

Deno.test("splitStatements() takes comments out before it folds white space", () => {
  assert.deepEqual(splitStatements("CREATE  TABLE a ( -- one; two\n  b TEXT /* x */ DEFAULT 'p;  q' );\n-- end\n"), [
    "CREATE TABLE a ( b TEXT DEFAULT 'p;  q' )",
  ]);
});

Deno.test("layoutStatements() cuts every layout where statements end, and nowhere else", () => {
  for (const { schema } of MIGRATIONS) {
    const statements = layoutStatements(schema);
    assert.deepEqual(statements.flatMap(splitStatements), splitStatements(schema));
    assert.equal(statements.length, splitStatements(schema).length);
    for (const statement of statements) assert.match(statement, /^CREATE /);
  }
});

Deno.test("T-DB-09: a layout is the same whatever its comments and line breaks", () => {
  const schema = MIGRATIONS[0]?.schema ?? "";
  const objects = (statements: readonly string[]) =>
    statements.map((sql) => {
      const [, type = "", name = ""] = /^CREATE (?:UNIQUE )?(TABLE|INDEX)\s+(\w+)/.exec(sql) ?? [];
      return { type: type.toLowerCase(), name, sql };
    });
  assert.equal(describeSchemaDifference(objects(layoutStatements(schema)), schema), undefined);
  assert.equal(describeSchemaDifference(objects(splitStatements(schema)), schema), undefined);
  const [first = "", ...rest] = splitStatements(schema);
  const difference = describeSchemaDifference(objects([first.replace("TEXT NOT NULL", "TEXT"), ...rest]), schema);
  assert.equal(difference, 'table "meta" is not as created');
});
