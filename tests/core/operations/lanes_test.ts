import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { inLanes } from "../../../core/operations/lanes.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { makeRepository, serveFiles } from "../../support/repository_server.ts";
import { openRepositoryWorld, type RepositoryWorld, type Serve } from "../../support/repository_world.ts";

const texts = (world: RepositoryWorld) =>
  world.events.flatMap((event) => event.kind === "trace" && !event.text.startsWith("GET") ? [event.text] : []);

Deno.test("R-CONF-04: what lanes tell keeps the order of the items, whichever ends first", async () => {
  using world = openRepositoryWorld();
  const workspace = world.open(["fetch_parallel=3"]);
  const second = Promise.withResolvers<void>();
  const third = Promise.withResolvers<void>();
  await inLanes(workspace, ["a", "b", "c", "d"], async (lane, item) => {
    lane.session.emit({ kind: "trace", text: `${item}1` });
    if (item === "a") await second.promise;
    if (item === "b") await third.promise;
    lane.session.emit({ kind: "trace", text: `${item}2` });
    if (item === "b") second.resolve();
    if (item === "c") third.resolve();
  });
  assert.deepEqual(texts(world), ["a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"]);
});

Deno.test("no more lanes than fetch_parallel allows, and the first failure ends the queue", async () => {
  using world = openRepositoryWorld();
  let running = 0;
  let most = 0;
  const seen: number[] = [];
  const work = async (_lane: unknown, item: number) => {
    most = Math.max(most, ++running);
    seen.push(item);
    await Promise.resolve();
    running--;
    if (item === 4) throw new PeipkgError("interrupted", "stop");
  };
  await assert.rejects(
    inLanes(world.open(["fetch_parallel=2"]), [1, 2, 3, 4, 5, 6, 7, 8], work),
    (error) => error instanceof PeipkgError && error.code === "interrupted",
  );
  assert.equal(most, 2);
  assert.ok(seen.length < 8);
});

Deno.test("T-LOCK-13: lanes record one after the other under the lock", async () => {
  using world = openRepositoryWorld();
  const order: number[] = [];
  await inLanes(world.open(), [1, 2, 3], async (lane, item) => {
    await lane.write((database) => database.write(() => void order.push(item)));
  });
  assert.deepEqual(order.toSorted(), [1, 2, 3]);
});

Deno.test("R-NET-02, R-REFRESH-13: several repositories are refreshed at once and reported in order", async () => {
  using world = openRepositoryWorld();
  const served: Serve[] = [];
  const base = (name: string) => `https://${name}.test.invalid`;
  for (const [index, name] of ["slow", "broken", "quick"].entries()) {
    Deno.mkdirSync(`${world.rootPath}/${name}`);
    const repository = await makeRepository(world.session, `${world.rootPath}/${name}`);
    await repository.publish([{ name: "tool", version: "1-1" }]);
    served.push(serveFiles(base(name), repository.directory));
    world.serve = (url, request) => served.at(-1)?.(url, request);
    const anchors = [repository.key.fingerprint];
    await world.add({ handle: name, baseUrl: base(name), anchors, priority: 10 + index });
  }
  world.events.length = 0;
  world.audited.length = 0;
  const quickEnded = Promise.withResolvers<void>();
  world.serve = async (url, request) => {
    if (url.startsWith(base("broken"))) return { status: 403 };
    if (url.startsWith(base("slow"))) await quickEnded.promise; // the first one waits for the last one
    if (url === `${base("quick")}/index/active.json.sig`) quickEnded.resolve();
    for (const serve of served) {
      const answer = await serve(url, request);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  const { results } = await refreshRepositories(world.open());
  const outcome = [["slow", "unchanged"], ["broken", "failed"], ["quick", "unchanged"]];
  assert.deepEqual(results.map(({ name, result }) => [name, result]), outcome);
  const told = world.events.flatMap((event) => event.kind === "repository" ? [[event.name, event.result]] : []);
  assert.deepEqual(told, outcome);
  assert.deepEqual(world.audited.map(({ type }) => type), ["peipkg.refresh"]);
  assert.deepEqual(world.audited[0]?.repositories?.map(({ name }) => name), ["slow", "broken", "quick"]);
});
