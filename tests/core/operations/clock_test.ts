/** What is said and done when the system clock is behind what is certainly past. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { loadAvailable } from "../../../core/operations/available.ts";
import { findClockFault } from "../../../core/operations/clock.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { NetworkError } from "../../../core/system.ts";
import { dayOf, makeRepository, serveFiles, type TestRepository } from "../../support/repository_server.ts";
import { openRepositoryWorld, type RepositoryWorld } from "../../support/repository_world.ts";

const BASE = "https://pkgs.test.invalid/main";
const DAY = 86_400_000;

interface Scene extends Disposable {
  readonly world: RepositoryWorld;
  readonly repository: TestRepository;
  add(): Promise<unknown>;
}

/** A repository whose index was generated on day 40, with the clock on day 41. */
async function begin(): Promise<Scene> {
  const world = openRepositoryWorld();
  Deno.mkdirSync(`${world.rootPath}/srv`);
  const repository = await makeRepository(world.session, `${world.rootPath}/srv`);
  await repository.publish([{ name: "tool", version: "1-1" }], { timestamp: dayOf(40) });
  world.serve = serveFiles(BASE, repository.directory);
  world.now = Date.parse(dayOf(41));
  return {
    world,
    repository,
    add: () => world.add({ handle: "main", baseUrl: BASE, anchors: [repository.key.fingerprint] }),
    [Symbol.dispose]: () => world[Symbol.dispose](),
  };
}

async function failureOf(run: () => Promise<unknown>): Promise<PeipkgError> {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof PeipkgError);
    return error;
  }
  throw new Error("it did not fail");
}

Deno.test("A-MISC-02, R-AGE-05, A-THREAT-50: a clock set back behind the accepted index is called wrong", async () => {
  using scene = await begin();
  const { world } = scene;
  await scene.add();
  assert.equal(findClockFault(world.open()), undefined);
  world.takeWarnings();
  world.now = Date.parse(dayOf(30));
  const load = (allowStale: boolean) => loadAvailable(world.open(), { dryRun: false, allowStale, gated: true });
  const error = await failureOf(() => load(false));
  assert.equal(error.detail.rule, "E_TRUST_AGE");
  assert.match(error.message, /^cannot tell the age of repository "main": the clock is wrong: it shows 2026-.*, but /);
  assert.match(error.detail.hint ?? "", /^set the clock/);
  assert.ok(world.takeWarnings().includes("CLOCK_SUSPECT"));
  assert.equal((await load(true)).stale.length, 1);
  world.now = Date.parse(dayOf(41));
  world.takeWarnings();
  await load(false);
  assert.deepEqual(world.takeWarnings(), []);
});

Deno.test("A-MISC-02: every kind of evidence bounds the present, the latest is named", async () => {
  using scene = await begin();
  const { world, repository } = scene;
  const fault = (now: string) => {
    world.now = Date.parse(now);
    return findClockFault(world.open());
  };
  world.now = Date.parse(dayOf(39)); // the index is of tomorrow, which is allowed
  await scene.add();
  assert.equal(fault(dayOf(39)), undefined);
  assert.match(fault(dayOf(38)) ?? "", /but an index of repository "main" was generated at /);
  const later = Math.floor(Date.parse(dayOf(50)) / 1000);
  await world.open().write((database) =>
    database.write(() =>
      database.statement(
        `INSERT INTO txn (state, phase, kind, started_at, finished_at, op_summary, operator, invocation,
        started_by_version, journal_schema_version, boot_id) VALUES ('committed', 'closed', 'package', ?, ?, '', '{}',
        '', '0.1.0', 1, '')`,
      ).run(later - 5, later)
    )
  );
  assert.match(fault(dayOf(45)) ?? "", /but transaction 1 ran at /);
  await world.open().write((database) =>
    database.write(() => database.setMeta("created_at", String(Math.floor(Date.parse(dayOf(52)) / 1000))))
  );
  assert.match(fault(dayOf(45)) ?? "", /but the database was made at /);
  const workspace = world.open();
  const builtAt = Math.floor(Date.parse(dayOf(60)) / 1000);
  const built = new Proxy(workspace, {
    get(target, key) {
      if (key === "session") return { ...world.session, builtAt };
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  assert.match(findClockFault(built) ?? "", /but this program was made at /);
  assert.equal(fault(dayOf(52)), undefined);
  // Floors outlive the catalogue, so they count without one.
  await repository.publish([], { refreshDate: true, timestamp: dayOf(70) });
  world.now = Date.parse(dayOf(71));
  await refreshRepositories(world.open());
  assert.match(fault(dayOf(60)) ?? "", /but an index of repository "main" was generated at /);
});

Deno.test("A-MISC-02: a connection that fails on certificates blames a clock that is behind", async () => {
  using scene = await begin();
  const { world } = scene;
  const honest = world.serve;
  const refuse = () => {
    throw new NetworkError("tls", "certificate not valid yet");
  };
  world.serve = refuse;
  const right = await failureOf(() => scene.add());
  assert.doesNotMatch(right.message, /clock/);
  world.now = Date.UTC(1970, 0, 2);
  const wrong = await failureOf(() => scene.add());
  assert.equal(wrong.code, right.code);
  assert.match(wrong.message, /: the clock is wrong: it shows 1970-01-02T00:00:00Z, but this program was made at /);
  assert.equal(wrong.detail.hint, "set the clock");
  world.serve = () => {
    throw new NetworkError("connect", "refused");
  };
  assert.doesNotMatch((await failureOf(() => scene.add())).message, /clock/);

  world.serve = honest;
  world.now = Date.parse(dayOf(41));
  await scene.add();
  world.serve = refuse;
  world.now -= 30 * DAY;
  const [outcome] = (await refreshRepositories(world.open())).results;
  assert.ok(outcome?.result === "failed");
  assert.match(outcome.error.message, /the clock is wrong/);
});
