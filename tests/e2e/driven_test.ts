/** Driven mode through the real process: a program reads events, answers questions, and may go away. */
import assert from "node:assert/strict";
import { spawn } from "../support/cli.ts";
import {
  drive,
  type Driver,
  lastEvent as last,
  questionsOf as questions,
  warningsOf as warnings,
  yes,
} from "../support/drive.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const tool = (version: string): PackageSpec => ({
  name: "tool",
  version,
  files: { "usr/bin/tool": `#!/bin/sh\n# ${version}\n`, "etc/tool.conf": "a=1\n" },
});

Deno.test("a program answers for a person", async (t) => {
  await using world = await World.create();
  await world.publish([tool("1.0-1")]);
  await world.publish([tool("2.0-1")]);
  await world.addRepository(world.serve().url);

  await t.step("C-DRV-01, C-DRV-04: proceed is asked, whatever assume_yes says", async () => {
    const run = await drive(world, ["-o", "assume_yes=true", "install", "tool"], yes);
    assert.deepEqual(questions(run), [{ event: "question", id: 1, kind: "proceed" }]);
    assert.equal(last(run)?.event, "done");
    assert.deepEqual([run.status, run.stderr], [0, ""]);
    assert.ok(await exists(`${world.root}/usr/bin/tool`));
  });

  await t.step("C-DRV-02: a wrong id, an unreadable line and an unknown answer refuse, with a warning", async () => {
    const refusals: readonly Driver[] = [
      () => ({ id: 7, answer: "yes" }),
      () => "yes",
      ({ id }) => ({ id, answer: "sure" }),
      ({ id }) => ({ id }),
      ({ id }) => ({ id: String(id), answer: "yes" }),
      () => "[]",
      () => "null",
    ];
    for (const driver of refusals) {
      const run = await drive(world, ["remove", "tool"], driver);
      assert.deepEqual([last(run)?.event, last(run)?.["reason"], run.status], ["cancelled", "declined", 0]);
      assert.deepEqual(warnings(run), ["answer-refused"]);
    }
    const plain = await drive(world, ["remove", "tool"], ({ id }) => ({ id, answer: "no" }));
    assert.deepEqual([last(plain)?.event, warnings(plain)], ["cancelled", []]);
  });

  await t.step("C-DRV-05: a driver that disappears before proceed cancels", async () => {
    const run = await drive(world, ["remove", "tool"], () => undefined);
    assert.equal(last(run)?.event, "cancelled");
    assert.ok(await exists(`${world.root}/usr/bin/tool`));
  });

  await t.step("C-DRV-03: an elevated yes without its token is a refusal", async () => {
    const bare = await drive(world, ["downgrade", "tool", "1.0-1"], ({ id }) => ({ id, answer: "yes" }));
    assert.deepEqual([last(bare)?.event, last(bare)?.["reason"]], ["cancelled", "authorisation-declined"]);
    const [question] = questions(bare);
    assert.equal(question?.["kind"], "authorise");
    assert.match(String(question?.["token"]), /^[0-9a-f]{32}$/);
    const stale = await drive(
      world,
      ["downgrade", "tool", "1.0-1"],
      ({ id }) => ({ id, answer: "yes", token: question?.["token"] }),
    );
    assert.equal(last(stale)?.["reason"], "authorisation-declined");
    assert.notEqual(questions(stale)[0]?.["token"], question?.["token"]);
  });

  await t.step("C-DRV-03, C-DRV-06: with it the action is done and audited with channel driven", async () => {
    const run = await drive(world, ["downgrade", "tool", "1.0-1"], yes);
    assert.deepEqual(questions(run).map(({ id, kind }) => [id, kind]), [[1, "authorise"], [2, "proceed"]]);
    assert.equal(last(run)?.event, "done");
    const log = Deno.readTextFileSync(`${world.root}/var/log/peipkg/audit.jsonl`).trimEnd().split("\n");
    const authorised = log.map((line) => JSON.parse(line)).filter(({ type }) => type === "peipkg.authorisation");
    assert.match(JSON.stringify(authorised.at(-1)), /"method":"driven"/);
  });

  await t.step("C-DRV-01: an edited configuration file", async () => {
    Deno.writeTextFileSync(`${world.root}/etc/tool.conf`, "a=mine\n");
    const run = await drive(
      world,
      ["remove", "tool"],
      (question) => question["kind"] === "modified" ? { id: question["id"], answer: "keep" } : yes(question),
    );
    const [modified] = questions(run);
    assert.deepEqual(modified, { event: "question", id: 1, kind: "modified", package: "tool", path: "/etc/tool.conf" });
    assert.equal(last(run)?.event, "done");
    assert.equal(Deno.readTextFileSync(`${world.root}/etc/tool.conf`), "a=mine\n");
  });

  await t.step("C-DRV-04: --yes and --driven exclude each other", async () => {
    const run = await drive(world, ["install", "tool", "--yes"], yes);
    assert.deepEqual([run.status, run.events], [2, []]);
    assert.match(run.stderr, /"code":"usage"/);
  });
});

Deno.test("C-DRV-01: the trust ceremony asks with the fingerprints", async () => {
  await using world = await World.create();
  await world.publish([tool("1.0-1")]);
  const { url } = world.serve();
  const add = ["repo", "add", "main", url, "--anchor", world.anchor, "--insecure"];
  const declined = await drive(world, add, ({ id }) => ({ id, answer: "no" }));
  const [question] = questions(declined);
  assert.deepEqual([question?.["kind"], question?.["repository"]], ["trust", "main"]);
  assert.match(JSON.stringify(question?.["fingerprints"]), new RegExp(world.anchor));
  assert.equal(last(declined)?.["reason"], "trust-declined");
  const accepted = await drive(world, add, yes);
  assert.equal(last(accepted)?.event, "done");
});

Deno.test("C-DRV-05: a driver that goes away after its yes stops nothing", async () => {
  await using world = await World.create();
  const file = await world.pack(tool("1.0-1"));
  const child = spawn(["--root", world.root, "--driven", "install", file], { cwd: world.directory, stdin: "" });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  while (!seen.includes('"question"')) {
    const { done, value } = await reader.read();
    assert.ok(!done, seen);
    seen += value;
  }
  await reader.cancel();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode('{"id":1,"answer":"yes"}\n'));
  await writer.close();
  await child.stderr.cancel();
  assert.equal((await child.status).code, 0);
  assert.equal((await world.expect(["list"])).stdout, "tool  1.0-1  noarch\n");
});

Deno.test("C-DRV-01: the question of restore comes the same way", async () => {
  await using world = await World.create();
  await world.expect(["install", await world.pack(tool("1.0-1")), "--yes"]);
  await world.expect(["backup", `${world.directory}/b`]);
  const restored = await drive(world, ["restore", `${world.directory}/b`], yes);
  assert.deepEqual(questions(restored).map(({ kind }) => kind), ["proceed"]);
  assert.equal(last(restored)?.event, "done");
  const declined = await drive(world, ["restore", `${world.directory}/b`], () => undefined);
  assert.equal(last(declined)?.event, "cancelled");
});
