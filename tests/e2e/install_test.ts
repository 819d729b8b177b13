/** The main job through the real program: an empty root, a signed repository over HTTP, software on and off again. */
import assert from "node:assert/strict";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const LIBRARY: PackageSpec = { name: "libgreet", version: "1.0-1", files: { "usr/share/libgreet/words": "hello\n" } };
const TOOL: PackageSpec = {
  name: "greet",
  version: "2.0-1",
  dependencies: [{ name: "libgreet", constraint: ">= 1.0" }],
  files: {
    "usr/bin/greet": "#!/bin/sh\necho hello\n",
    "usr/bin/hi": { link: "greet" },
    "etc/greet.conf": "tone=kind\n",
  },
};

Deno.test("an empty root is bootstrapped, looked at, checked and emptied again", async (t) => {
  await using world = await World.create();
  await world.publish([LIBRARY, TOOL]);
  const server = world.serve();

  await t.step("C-GLOB-15: a read command on an empty root answers and creates nothing", async () => {
    assert.deepEqual(await world.peipkg(["list"]), { status: 0, stdout: "no packages are installed\n", stderr: "" });
    assert.deepEqual([...Deno.readDirSync(world.root)], []);
  });

  await t.step("C-REPO-05, C-REPO-06: repo add compares the anchor and records the repository", async () => {
    const result = await world.expect([
      "repo",
      "add",
      "main",
      server.url,
      "--anchor",
      world.anchor,
      "--insecure",
      "-y",
    ]);
    assert.equal(result.stdout, 'added repository "main"\n');
    assert.match(result.stderr, /matches/);
    assert.equal(
      (await world.expect(["repo", "list"])).stdout,
      `main  ${server.url}  priority=50  required\n`,
    );
  });

  await t.step("C-SEARCH-01: search shows what is on offer", async () => {
    const { stdout } = await world.expect(["search", "greet"]);
    assert.equal(
      stdout,
      "greet     2.0-1  [main]  Test package greet\nlibgreet  1.0-1  [main]  Test package libgreet\n",
    );
  });

  await t.step("T-MODEL-12: a dry run shows the plan and changes nothing", async () => {
    const { stdout } = await world.expect(["install", "greet", "--dry-run"]);
    assert.equal(
      stdout,
      "the following changes will be made:\n  install    libgreet 1.0-1\n  install    greet 2.0-1\n" +
        "(dry run — no changes were made)\n",
    );
    assert.equal((await world.expect(["list"])).stdout, "no packages are installed\n");
  });

  await t.step("C-PROMPT-10: the routine question declines by default", async () => {
    const declined = await world.peipkg(["install", "greet"], "\n");
    assert.equal(declined.status, 0);
    assert.match(declined.stdout, /proceed\? \[y\/N\] \ncancelled\n$/);
    assert.equal(await exists(`${world.root}/usr`), false);
  });

  await t.step("C-INSTALL-01, C-PLAN-04: install brings the package and what it needs", async () => {
    const { stdout } = await world.expect(["install", "greet", "--yes"]);
    assert.match(stdout, /done — 2 operations applied\n$/);
    assert.equal(Deno.readTextFileSync(`${world.root}/usr/share/libgreet/words`), "hello\n");
    assert.equal(Deno.readLinkSync(`${world.root}/usr/bin/hi`), "greet");
    assert.equal((Deno.statSync(`${world.root}/usr/bin/greet`).mode ?? 0) & 0o7777, 0o755);
  });

  await t.step("C-LIST-01, C-FILES-01, C-OWNS-01, C-INFO-01: what is installed can be looked at", async () => {
    assert.equal((await world.expect(["list"])).stdout, "greet     2.0-1  noarch\nlibgreet  1.0-1  noarch\n");
    assert.equal((await world.expect(["owns", "/usr/bin/greet"])).stdout, "greet\n");
    assert.deepEqual(
      (await world.expect(["files", "greet"])).stdout.split("\n").filter((line) => line.includes("greet")),
      ["/etc/greet.conf", "/usr/bin/greet"],
    );
    const info = (await world.expect(["info", "greet"])).stdout;
    assert.match(info, /^name: {9}greet\nversion: {6}2.0-1\narchitecture: noarch\norigin: {7}main\n/);
    const listed = JSON.parse((await world.expect(["--json", "list"])).stdout);
    assert.deepEqual(
      listed.map((item: { name: string; automatic: boolean }) => [item.name, item.automatic]),
      [["greet", false], ["libgreet", true]],
    );
  });

  await t.step("C-OWNS-02: a path nobody owns is exit status 1", async () => {
    const result = await world.expect(["owns", "/usr/bin/nothing"], 1);
    assert.equal(result.stderr, 'peipkg: owns: no package owns "/usr/bin/nothing"\n');
  });

  await t.step("C-VERIFY-03: verify is clean, finds an edit, and tells which file", async () => {
    assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
    Deno.writeTextFileSync(`${world.root}/usr/share/libgreet/words`, "HELLO\n");
    const found = await world.expect(["verify"], 1);
    assert.equal(
      found.stdout,
      "libgreet: /usr/share/libgreet/words has been modified since install\nverify: 1 problem(s) found\n",
    );
    Deno.writeTextFileSync(`${world.root}/usr/share/libgreet/words`, "hello\n");
  });

  await t.step("C-INSTALL-12: installing again changes nothing", async () => {
    assert.equal(
      (await world.expect(["install", "greet", "--yes"])).stdout,
      "nothing to do — the request is already satisfied\n",
    );
  });

  await t.step("C-REMOVE-01: a package others need is not removed", async () => {
    const refused = await world.expect(["remove", "libgreet", "--yes"], 1);
    assert.match(refused.stderr, /^peipkg: remove: "libgreet" is needed by other installed packages\n {2}greet 2\.0-1/);
    assert.match(refused.stderr, /use --cascade to remove them too\n$/);
  });

  await t.step("C-REMOVE-05: removing takes the files and the emptied directories", async () => {
    await world.expect(["remove", "greet", "libgreet", "--yes"]);
    assert.equal((await world.expect(["list"])).stdout, "no packages are installed\n");
    assert.equal(await exists(`${world.root}/usr/share/libgreet`), false);
    assert.equal(await exists(`${world.root}/usr/bin/greet`), false);
    assert.equal(await exists(`${world.root}/etc/greet.conf`), false);
  });

  await t.step("C-HIST-01, C-HIST-03: history tells what was done", async () => {
    const lines = (await world.expect(["history"])).stdout.split("\n");
    assert.match(lines[0] ?? "", /^2 {2}\d{4}-.*Z {2}committed {4}remove greet, libgreet$/);
    assert.match(lines[1] ?? "", /^1 {2}\d{4}-.*Z {2}committed {4}install greet$/);
  });

  await t.step("C-REPO-11: repo remove forgets the repository", async () => {
    assert.equal((await world.expect(["repo", "remove", "main"])).stdout, 'removed repository "main"\n');
    assert.equal((await world.expect(["repo", "list"])).stdout, "no repositories configured\n");
  });
});

Deno.test("S-LOCAL-02: local package files satisfy each other without any repository", async () => {
  await using world = await World.create();
  const files = [await world.pack(LIBRARY), await world.pack(TOOL)];
  const { stdout } = await world.expect(["install", ...files, "--yes"]);
  assert.match(stdout, /install {4}libgreet 1\.0-1 {2}\(local file\)\n {2}install {4}greet 2\.0-1 {2}\(local file\)/);
  assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
});
