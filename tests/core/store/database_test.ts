import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { PeipkgError } from "../../../core/errors.ts";
import { Database } from "../../../core/store/database.ts";
import { migrateDatabase } from "../../../core/store/migrate.ts";
import { MIGRATIONS } from "../../../core/store/schema.ts";
import { createDatabase, openStateFixture, sessionOf, type StateFixture } from "./support.ts";
import { refusedBy } from "../../support/refusals.ts";

/** Changes the file behind the program's back. */
function tamper(fixture: StateFixture, ...statements: readonly string[]): void {
  const connection = new DatabaseSync(`${fixture.statePath}/db.sqlite`);
  try {
    for (const statement of statements) connection.exec(statement);
  } finally {
    connection.close();
  }
}

function openReader(fixture: StateFixture): Database {
  const database = Database.openForReading(fixture.session, fixture.state);
  assert.ok(database !== undefined);
  return fixture.track(database);
}

function openWriter(fixture: StateFixture): Database {
  const database = Database.openForWriting(fixture.session, fixture.state);
  assert.ok(database !== undefined);
  return fixture.track(database);
}

Deno.test("T-DB-08: openForReading() takes a missing or empty database for none and creates nothing", () => {
  using fixture = openStateFixture();
  assert.equal(Database.openForReading(fixture.session, fixture.state), undefined);
  assert.deepEqual([...Deno.readDirSync(fixture.statePath)], []);
  Deno.writeFileSync(`${fixture.statePath}/db.sqlite`, new Uint8Array());
  assert.equal(Database.openForReading(fixture.session, fixture.state), undefined);
  assert.equal(Database.openForWriting(fixture.session, fixture.state), undefined);
});

Deno.test("T-DB-17, T-DB-18: create() writes the whole layout and its facts in one go", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  assert.equal(database.meta("schema_version"), "1");
  assert.equal(database.statement("PRAGMA page_size").get()?.page_size, 16384);
  assert.equal(database.meta("primary_arch"), "x86_64");
  assert.equal(database.meta("generation"), "0");
  assert.equal(database.meta("created_at"), "1779199330");
  assert.equal(database.meta("created_by_version"), "0.1.0");
  assert.equal(database.meta("last_writer_version"), "0.1.0");
  const tables = database.statement("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'").get();
  assert.ok(Number(tables?.n) >= 24);
});

Deno.test("T-DB-17: a database left without tables by a crash counts as none and is completed", () => {
  using fixture = openStateFixture();
  tamper(fixture, "PRAGMA journal_mode = WAL");
  assert.equal(Database.openForReading(fixture.session, fixture.state), undefined);
  assert.equal(Database.openForWriting(fixture.session, fixture.state), undefined);
  assert.equal(createDatabase(fixture).meta("schema_version"), "1");
});

Deno.test("T-DB-04: create() syncs the state directory and its parent after the first commit", () => {
  using fixture = openStateFixture();
  const synced: string[] = [];
  const watch = (directory: StateFixture["state"]["directory"]) =>
    new Proxy(directory, {
      get(target, key) {
        if (key === "sync") return () => synced.push(target.path);
        const value = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const state = { ...fixture.state, directory: watch(fixture.state.directory), parent: watch(fixture.state.parent) };
  fixture.track(Database.create(fixture.session, state, { primaryArchitecture: "aarch64", createdAt: 0 }));
  assert.deepEqual(synced, ["/var/lib/peipkg", "/var/lib"]);
});

Deno.test("T-DB-06: database and log files are readable by everyone whatever the umask", () => {
  using fixture = openStateFixture();
  const before = Deno.umask(0o077);
  try {
    createDatabase(fixture);
  } finally {
    Deno.umask(before);
  }
  for (const name of ["db.sqlite", "db.sqlite-wal", "db.sqlite-shm"]) {
    assert.equal((Deno.statSync(`${fixture.statePath}/${name}`).mode ?? 0) & 0o777, 0o644, name);
  }
});

Deno.test("T-DB-06: a writer that ends leaves an empty log and the shared memory in place", () => {
  using fixture = openStateFixture();
  {
    using database = Database.create(fixture.session, fixture.state, { primaryArchitecture: "x86_64", createdAt: 0 });
    database.write(() => database.advanceGeneration());
  }
  assert.equal(Deno.statSync(`${fixture.statePath}/db.sqlite-wal`).size, 0);
  assert.ok(Deno.statSync(`${fixture.statePath}/db.sqlite-shm`).isFile);
  assert.equal(openReader(fixture).generation(), 1n);
});

Deno.test("T-DB-06: ending the process by an exit call leaves the log files in place", async () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { realSystem } from ${module("../../../core/runtime.ts")};
    import { Database } from ${module("../../../core/store/database.ts")};
    import { sessionOf } from ${module("./support.ts")};
    const system = realSystem();
    const directory = system.openRoot(Deno.args[0]).openDirectory("/");
    const state = { directory, parent: directory, path: Deno.args[0], hasKacs: true };
    { using database = Database.openForWriting(sessionOf(system), state); database.write(() => database.advanceGeneration()); }
    Deno.exit(0);`;
  const path = `${fixture.rootPath}/writer.ts`;
  Deno.writeTextFileSync(path, script);
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--no-check", "--no-lock", "--config", config, path, fixture.statePath],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(Deno.statSync(`${fixture.statePath}/db.sqlite-wal`).size, 0);
  assert.ok(Deno.statSync(`${fixture.statePath}/db.sqlite-shm`).isFile);
  assert.equal(openReader(fixture).generation(), 1n);
});

Deno.test("T-DB-05: while SQLite has the files open, nothing else opens them", () => {
  using fixture = openStateFixture();
  const opened: string[] = [];
  let isOpen = false;
  const directory = new Proxy(fixture.state.directory, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (isOpen && /File$/.test(String(key))) opened.push(String(args[0]));
        return value.apply(target, args);
      };
    },
  });
  const state = { ...fixture.state, directory };
  const database = fixture.track(
    Database.create(fixture.session, state, { primaryArchitecture: "x86_64", createdAt: 0 }),
  );
  isOpen = true;
  const reader = Database.openForReading(fixture.session, state);
  database.write(() => database.advanceGeneration());
  migrateDatabase(database, [...MIGRATIONS, { version: 2, schema: "", upgrade: "CREATE TABLE later (a TEXT)" }]);
  reader?.close();
  assert.deepEqual(opened, ["db.sqlite.v1.bak", "db.sqlite.v1.bak"]);
});

Deno.test("T-DB-02: openForWriting() sets and reads back every required mode", () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  tamper(fixture, "PRAGMA journal_mode = DELETE");
  const database = openWriter(fixture);
  const read = (name: string) => Object.values(database.statement(`PRAGMA ${name}`).get() ?? {})[0];
  assert.equal(read("journal_mode"), "wal");
  assert.equal(read("synchronous"), 2);
  assert.equal(read("foreign_keys"), 1);
  assert.equal(read("busy_timeout"), 5000);
  assert.equal(read("trusted_schema"), 0);
  assert.equal(read("cell_size_check"), 1);
});

Deno.test("T-DB-02: a mode that did not take effect is DB_MODE", async (t) => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  const modes = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema", "cell_size_check"];
  const prepare = DatabaseSync.prototype.prepare;
  for (const mode of modes) {
    await t.step(mode, () => {
      // Stands for a driver or library that was built without the mode: the answer differs from what was set.
      DatabaseSync.prototype.prepare = function (sql, ...rest) {
        return prepare.call(this, sql === `PRAGMA ${mode}` ? "SELECT 'weaker'" : sql, ...rest);
      };
      try {
        assert.throws(() => Database.openForWriting(fixture.session, fixture.state), refusedBy("DB_MODE"));
      } finally {
        DatabaseSync.prototype.prepare = prepare;
      }
    });
  }
});

Deno.test("T-DB-03: write() begins immediately, so that a second writer waits at its start and not in the middle", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  database.write(() => {
    const other = new DatabaseSync(`${fixture.statePath}/db.sqlite`);
    try {
      assert.throws(() => other.exec("BEGIN IMMEDIATE"), /locked/);
    } finally {
      other.close();
    }
  });
});

Deno.test("write() keeps nothing of work that throws and leaves no transaction open", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  assert.throws(() =>
    database.write(() => {
      database.advanceGeneration();
      throw new Error("stop");
    }), /stop/);
  assert.equal(database.isInTransaction, false);
  assert.equal(database.generation(), 0n);
});

Deno.test("T-DB-07, T-MODEL-08: a reader keeps its snapshot while a writer commits, and cannot write", () => {
  using fixture = openStateFixture();
  const writer = createDatabase(fixture);
  const reader = openReader(fixture);
  writer.write(() => writer.advanceGeneration());
  assert.equal(reader.generation(), 0n);
  assert.equal(openReader(fixture).generation(), 1n);
  assert.throws(() => reader.statement("DELETE FROM meta").run(), PeipkgError);
});

Deno.test("T-DB-09: a missing, additional or different table, index, view or trigger is DB_SCHEMA_TAMPERED", async (t) => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["additional table", ["CREATE TABLE extra (a TEXT)"]],
    ["additional view", ["CREATE VIEW peek AS SELECT * FROM package"]],
    ["additional trigger", ["CREATE TRIGGER t AFTER INSERT ON txn BEGIN DELETE FROM package; END"]],
    ["additional index", ["CREATE INDEX again ON package(version)"]],
    ["missing index", ["DROP INDEX txn_single_pending"]],
    ["missing table", ["DROP TABLE displaced_file"]],
    ["changed index", ["DROP INDEX package_by_origin", "CREATE INDEX package_by_origin ON package(version)"]],
    ["view in place of meta", [
      "ALTER TABLE meta RENAME TO kept",
      "CREATE VIEW meta AS SELECT key, value FROM kept",
    ]],
    ["column swallowed by a comment", [
      "DROP TABLE displaced_file",
      `CREATE TABLE displaced_file (-- unowned files moved aside under --overwrite-unowned; never pruned
        txn_id INTEGER NOT NULL REFERENCES txn(id), -- original TEXT NOT NULL,
        kept_at TEXT NOT NULL) STRICT`,
    ]],
    ["unknown layout version", ["UPDATE meta SET value = 'zero' WHERE key = 'schema_version'"]],
  ];
  for (const [name, statements] of cases) {
    await t.step(name, () => {
      using fixture = openStateFixture();
      createDatabase(fixture).close();
      tamper(fixture, ...statements);
      assert.throws(() => Database.openForReading(fixture.session, fixture.state), refusedBy("DB_SCHEMA_TAMPERED"));
      assert.throws(() => Database.openForWriting(fixture.session, fixture.state), refusedBy("DB_SCHEMA_TAMPERED"));
    });
  }
});

Deno.test("T-DB-09: statistics and white space do not count as tampering", () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  tamper(
    fixture,
    "ANALYZE",
    "DROP INDEX package_by_origin",
    "CREATE INDEX\n   package_by_origin /* by handle */ ON   package(origin_repo) -- same thing",
  );
  assert.equal(openReader(fixture).schemaVersion, 1);
});

Deno.test("T-SCHEMA-05: a newer layout is refused by readers and writers alike", () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  tamper(fixture, "CREATE TABLE future (a TEXT)", "UPDATE meta SET value = '2' WHERE key = 'schema_version'");
  assert.throws(() => Database.openForReading(fixture.session, fixture.state), refusedBy("DB_SCHEMA_TOO_NEW"));
  assert.throws(() => Database.openForWriting(fixture.session, fixture.state), refusedBy("DB_SCHEMA_TOO_NEW"));
});

Deno.test("T-DB-01: links and second names in place of the three files are STATE_UNSAFE", async (t) => {
  for (const name of ["db.sqlite", "db.sqlite-wal", "db.sqlite-shm"]) {
    await t.step(`${name} is a symbolic link`, () => {
      using fixture = openStateFixture();
      createDatabase(fixture).close();
      const path = `${fixture.statePath}/${name}`;
      if (name === "db.sqlite") Deno.renameSync(path, `${fixture.rootPath}/elsewhere`);
      else Deno.writeFileSync(`${fixture.rootPath}/elsewhere`, new Uint8Array());
      Deno.symlinkSync(`${fixture.rootPath}/elsewhere`, path);
      assert.throws(() => Database.openForReading(fixture.session, fixture.state), refusedBy("STATE_UNSAFE"));
      assert.throws(() => Database.openForWriting(fixture.session, fixture.state), refusedBy("STATE_UNSAFE"));
    });
  }
  await t.step("db.sqlite has a second name", () => {
    using fixture = openStateFixture();
    createDatabase(fixture).close();
    Deno.linkSync(`${fixture.statePath}/db.sqlite`, `${fixture.rootPath}/second`);
    assert.throws(() => Database.openForReading(fixture.session, fixture.state), refusedBy("STATE_UNSAFE"));
  });
});

Deno.test("T-DB-01: a file SQLite reached by another way than the pinned directory is STATE_UNSAFE", () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  // The path leads to another database than the pinned directory holds: somebody exchanged a directory above.
  const other = `${fixture.rootPath}/other`;
  Deno.mkdirSync(other);
  Deno.copyFileSync(`${fixture.statePath}/db.sqlite`, `${other}/db.sqlite`);
  const state = { ...fixture.state, path: other };
  assert.throws(() => Database.openForReading(fixture.session, state), refusedBy("STATE_UNSAFE"));
  assert.throws(() => Database.openForWriting(fixture.session, state), refusedBy("STATE_UNSAFE"));
});

Deno.test("T-DB-11: writers refuse a state directory that others may write or own; readers go on", () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  Deno.chmodSync(fixture.statePath, 0o775);
  assert.throws(() => Database.openForWriting(fixture.session, fixture.state), refusedBy("STATE_UNSAFE"));
  assert.ok(openReader(fixture));
  // Under a Peios access-control system mode bits say nothing.
  const guarded = { ...fixture.state, hasKacs: true };
  assert.ok(fixture.track(Database.openForWriting(fixture.session, guarded) ?? openReader(fixture)).mode === "writer");
});

Deno.test("T-INDET-01: a file that is no database, or a damaged one, is DB_CORRUPT", () => {
  using fixture = openStateFixture();
  Deno.writeTextFileSync(`${fixture.statePath}/db.sqlite`, "not a database at all ".repeat(500));
  assert.throws(() => Database.openForReading(fixture.session, fixture.state), refusedBy("DB_CORRUPT"));
  assert.throws(() => Database.openForWriting(fixture.session, fixture.state), refusedBy("DB_CORRUPT"));
});

Deno.test("T-LOCK-09: a second pending transaction violates the index and is TXN_PENDING", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const insert = () =>
    database.statement(
      `INSERT INTO txn (state, phase, kind, started_at, op_summary, operator, invocation, started_by_version,
        journal_schema_version, boot_id) VALUES ('pending', 'staging', 'package', 1, 's', '{}', 'i', '0.1.0', 1, 'b')`,
    ).run();
  insert();
  assert.throws(insert, refusedBy("TXN_PENDING"));
});

Deno.test("T-COMMIT-43: commit() tells a failure that committed nothing from one that may have", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  database.begin();
  database.statement("PRAGMA defer_foreign_keys = ON").run();
  database.statement("INSERT INTO claim_holder (role, holder) VALUES ('role', 'nobody')").run();
  const outcome = database.commit();
  assert.equal(outcome.kind, "not-committed");
  database.rollback();
  assert.equal(database.statement("SELECT count(*) AS n FROM claim_holder").get()?.n, 0);
});

Deno.test("T-DB-14: generation() refuses what is no decimal number", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  database.write(() => database.setMeta("generation", "1e3"));
  assert.throws(() => database.generation(), refusedBy("DB_CORRUPT"));
});

Deno.test("the version of the last writer is stamped with its first write", () => {
  using fixture = openStateFixture();
  createDatabase(fixture).close();
  const session = { ...sessionOf(fixture.session.system), version: "0.2.0" };
  const database = Database.openForWriting(session, fixture.state);
  assert.ok(database !== undefined);
  fixture.track(database);
  assert.equal(database.meta("last_writer_version"), "0.1.0");
  database.write(() => database.advanceGeneration());
  assert.equal(database.meta("last_writer_version"), "0.2.0");
  assert.equal(database.meta("created_by_version"), "0.1.0");
});

Deno.test("integers beyond 2^53 are read with bigints and refused without", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const big = 2n ** 60n;
  assert.deepEqual(database.statement("SELECT ? AS n", { bigints: true }).get(big)?.n, big);
  assert.throws(() => database.statement("SELECT ? AS n").get(big), refusedBy("DB_CORRUPT"));
});

Deno.test("foreignKeyProblems() finds nothing in a sound database and names what is wrong", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  assert.deepEqual(database.foreignKeyProblems(), []);
  database.close();
  tamper(fixture, "PRAGMA foreign_keys = OFF", "INSERT INTO claim_holder VALUES ('editor', 'nobody')");
  assert.deepEqual(openReader(fixture).foreignKeyProblems(), ["claim_holder → package"]);
});
