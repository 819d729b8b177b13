/** Elevated actions through the real program: asked one by one, answered only by a person, recorded either way. */
import assert from "node:assert/strict";
import { commandLine } from "../support/cli.ts";
import { drive, type Driver, type Event, lastEvent, questionsOf, yes } from "../support/drive.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

interface LogLine {
  readonly type: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly change?: Readonly<Record<string, string>>;
  readonly authorisation?: Readonly<Record<string, string>>;
  readonly operator?: Readonly<Record<string, unknown>>;
}

function log(world: World): readonly LogLine[] {
  const text = Deno.readTextFileSync(`${world.root}/var/log/peipkg/audit.jsonl`);
  return text.trimEnd().split("\n").map((line): LogLine => JSON.parse(line));
}

const answers = (world: World) =>
  log(world).filter(({ type }) => type === "peipkg.authorisation").map(({ outcome, authorisation }) => [
    authorisation?.["action"],
    outcome,
  ]);

const plain = (name: string, version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name,
  version,
  files: { [`usr/bin/${name}`]: `${name} ${version}\n` },
  ...more,
});

/** Kind of the action a question is about. */
const kindOf = (question: Event): string | undefined =>
  /"authorisation":\{"kind":"([a-z-]+)"/.exec(JSON.stringify(question))?.[1];
const kinds = (events: readonly Event[]) => events.map(kindOf).filter((kind) => kind !== undefined);

/** Says no to the n-th elevated question and yes to everything else. */
function refusing(n: number): Driver {
  let seen = 0;
  return (question) =>
    question["kind"] === "authorise" && ++seen === n ? { id: question["id"], answer: "no" } : yes(question);
}

async function twoRepositories(strong: readonly PackageSpec[], weak: readonly PackageSpec[]): Promise<World> {
  const world = await World.create();
  await world.publish(strong);
  await world.publish(weak, "weak");
  await world.addRepository(world.serve().url, "main", ["--priority", "10"]);
  await world.addRepository(world.serve("weak").url, "weak", ["--priority", "50"]);
  return world;
}

Deno.test("A-AUTH-A01, A-AUTH-02, A-AUTH-07: each package that moves backward is asked about, also inside undo", async () => {
  await using world = await World.create();
  await world.publish([plain("one", "1.0-1"), plain("two", "1.0-1")]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "one", "two", "-y"]);
  await world.publish([plain("one", "2.0-1"), plain("two", "2.0-1")]);
  await world.expect(["refresh"]);
  await world.expect(["upgrade", "-y"]);
  const refused = await drive(world, ["undo"], refusing(2));
  assert.deepEqual(kinds(questionsOf(refused)), ["downgrade", "downgrade"]);
  assert.deepEqual([lastEvent(refused)?.event, lastEvent(refused)?.["reason"]], [
    "cancelled",
    "authorisation-declined",
  ]);
  assert.equal(await Deno.readTextFile(`${world.root}/usr/bin/one`), "one 2.0-1\n");
  // The yes that came first is evidence as much as the no that followed it.
  assert.deepEqual(answers(world), [["AUTH_DOWNGRADE", "success"], ["AUTH_DOWNGRADE", "rejection"]]);
  const done = await drive(world, ["undo"], yes);
  assert.equal(lastEvent(done)?.event, "done");
  assert.equal(await Deno.readTextFile(`${world.root}/usr/bin/one`), "one 1.0-1\n");
});

Deno.test("A-AUTH-A02: a weaker repository's package does not replace a stronger one's unasked", async () => {
  await using world = await twoRepositories(
    [plain("tool", "1.0-1")],
    [plain("newtool", "1.0-1", { replaces: [{ name: "tool" }] })],
  );
  await world.expect(["install", "tool", "-y"]);
  await world.expect(["install", "newtool", "-y"], 1);
  const run = await drive(world, ["install", "newtool"], refusing(1));
  assert.deepEqual(kinds(questionsOf(run)), ["foreign-replaces"]);
  assert.ok(await exists(`${world.root}/usr/bin/tool`));
});

Deno.test("A-AUTH-A03: nor does it remove one by a conflict", async () => {
  await using world = await twoRepositories(
    [plain("tool", "1.0-1")],
    [plain("rival", "1.0-1", { conflicts: [{ name: "tool" }] })],
  );
  await world.expect(["install", "tool", "-y"]);
  await world.expect(["install", "rival", "--cascade", "-y"], 1);
  const run = await drive(world, ["install", "rival", "--cascade"], refusing(1));
  assert.deepEqual(kinds(questionsOf(run)), ["foreign-conflicts"]);
  assert.ok(await exists(`${world.root}/usr/bin/tool`));
});

Deno.test("A-AUTH-A04: nor does it satisfy a dependency a stronger repository names a package for", async () => {
  await using world = await twoRepositories(
    [plain("libx", "1.0-1"), plain("app", "1.0-1", { dependencies: [{ name: "libx", constraint: ">=2.0-1" }] })],
    [plain("fakex", "1.0-1", { provides: [{ name: "libx", version: "2.0-1" }] })],
  );
  const run = await drive(world, ["install", "app"], refusing(1));
  assert.deepEqual(kinds(questionsOf(run)), ["low-trust-provides"]);
  assert.equal(await exists(`${world.root}/usr/bin/app`), false);
});

Deno.test("A-AUTH-A06, A-EVENT-10: a weakened file is asked about before anything else, each time until granted", async () => {
  await using world = await World.create();
  await world.publish([plain("tool", "1.0-1")]);
  await world.addRepository(world.serve().url);
  const file = `${world.root}/conf/peipkg/main.repo`;
  const text = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `${text.replace(/^signature_policy.*\n/m, "")}\nsignature_policy = "optional"\n`);
  await world.expect(["install", "tool", "-y"], 1);
  const refused = await drive(world, ["install", "tool"], refusing(1));
  assert.deepEqual(kinds(questionsOf(refused)), ["weaken-trust"]);
  const done = await drive(world, ["install", "tool"], yes);
  assert.deepEqual(kinds(questionsOf(done)), ["weaken-trust"]);
  assert.equal(lastEvent(done)?.event, "done");
  assert.ok(log(world).some(({ change }) => change?.["setting"] === "signature_policy" && change["via"] === "file"));
  assert.deepEqual(kinds(questionsOf(await drive(world, ["remove", "tool"], yes))), []);
});

Deno.test("A-AUTH-A05, A-AUTH-04: stale metadata is used only by its option, and that is recorded", async () => {
  await using world = await World.create();
  await world.publish([plain("tool", "1.0-1")]);
  const server = world.serve();
  await world.addRepository(server.url);
  const { DatabaseSync } = await import("node:sqlite");
  const age = (): void => {
    const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`);
    database.exec("UPDATE repository SET last_refresh_at = last_refresh_at - 100 * 86400");
    database.close();
  };
  age();
  const offline = ["-o", "fetch_retries=0", "install", "tool", "-y"];
  // No newer index is no progress, so that asking the server does not help (R-AGE-04).
  await world.expect(offline, 1);
  assert.deepEqual(answers(world), []);
  await world.expect([...offline, "--allow-stale"]);
  assert.deepEqual(answers(world), [["AUTH_STALE_TRUST", "success"]]);
  const evidence = log(world).find(({ type }) => type === "peipkg.authorisation")?.authorisation;
  assert.deepEqual([evidence?.["subject"], evidence?.["method"]], ["main", "flag"]);
  const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`, { readOnly: true });
  const rows = database.prepare("SELECT action_code, subject, method, plan_digest FROM authorisation").all();
  database.close();
  assert.deepEqual(rows.map((row) => [row["action_code"], row["subject"], row["method"], row["plan_digest"]]), [
    ["AUTH_STALE_TRUST", "main", "flag", evidence?.["plan_digest"]],
  ]);
});

Deno.test("A-AUTH-01, A-AUTH-03, A-THREAT-42: no option, variable, setting or prepared input grants an elevated action", async () => {
  await using world = await World.create();
  await world.publish([plain("tool", "1.0-1")]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "tool", "-y"]);
  await world.publish([plain("tool", "2.0-1")]);
  await world.expect(["refresh"]);
  await world.expect(["upgrade", "-y"]);
  const downgrade = ["downgrade", "tool", "1.0-1"];
  for (
    const args of [[...downgrade, "-y"], ["-o", "assume_yes=true", ...downgrade], ["-q", ...downgrade, "-y"], [
      ...downgrade,
      "-y",
      "--json",
    ]]
  ) {
    const { stdout, stderr } = await world.expect(args, 1);
    assert.match(stderr + stdout, /authorisation-required|elevated authorisation is needed/, args.join(" "));
  }
  assert.equal((await world.peipkg(downgrade, "y\ny\ny\n")).status, 1);
  assert.equal(await Deno.readTextFile(`${world.root}/usr/bin/tool`), "tool 2.0-1\n");
});

Deno.test("A-AUTH-08, T-PLAN-04: a yes is void when the plan has changed before it is used", async () => {
  await using world = await World.create();
  await world.publish([plain("tool", "1.0-1"), plain("other", "1.0-1")]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "tool", "-y"]);
  await world.publish([plain("tool", "2.0-1")]);
  await world.expect(["refresh"]);
  await world.expect(["upgrade", "-y"]);
  const run = await drive(world, ["downgrade", "tool", "1.0-1"], (question) => {
    if (question["kind"] === "proceed") {
      removeNow(world); // meanwhile somebody takes the package away
    }
    return yes(question);
  });
  assert.deepEqual([run.status, lastEvent(run)?.event], [1, "error"]);
  assert.match(JSON.stringify(lastEvent(run)), /PLAN_STALE/);
  assert.equal(await exists(`${world.root}/usr/bin/tool`), false);
});

/** Another process removes the package while a question waits; the test stands still until it is done. */
function removeNow(world: World): void {
  const [command, ...leading] = commandLine("peipkg");
  const { code } = new Deno.Command(command, { args: [...leading, "--root", world.root, "remove", "tool", "-y"] })
    .outputSync();
  assert.equal(code, 0);
}
