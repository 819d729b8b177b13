/** What requests imply, through the real program: plans, reasons, locks, replacements, borders of trust, undo. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { runAtTerminal } from "../support/terminal.ts";

const pkg = (name: string, version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name,
  version: `${version}-1`,
  files: { [`usr/share/${name}/v`]: `${version}\n` },
  ...more,
});

async function prepare(specs: readonly PackageSpec[]): Promise<World> {
  const world = await World.create();
  await world.publish(specs);
  await world.addRepository(world.serve().url, "main", ["--priority", "10"]);
  return world;
}

/** Lines of the plan: what is done to which package. */
function operations(stdout: string): readonly string[] {
  return stdout.split("\n").filter((line) => /^ {2}(install|upgrade|downgrade|reinstall|remove|mark) /.test(line));
}

/** The last event of a failing command. */
async function failure(world: World, args: readonly string[]) {
  const { stdout } = await world.expect(["--json", ...args], 1);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

async function events(world: World): Promise<readonly { type: string; [member: string]: unknown }[]> {
  const text = await Deno.readTextFile(`${world.root}/var/log/peipkg/audit.jsonl`).catch(() => "");
  return text.trimEnd().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function installed(world: World): Promise<readonly string[]> {
  const list = JSON.parse((await world.expect(["--json", "list"])).stdout);
  return list.map((item: { name: string; version: string; automatic: boolean }) =>
    `${item.name} ${item.version}${item.automatic ? " automatic" : ""}`
  );
}

Deno.test("reasons, replacements and what is no longer needed", async (t) => {
  await using world = await prepare([
    pkg("app", "1.0", { dependencies: ["lib"] }),
    pkg("lib", "1.0"),
    pkg("old-tool", "1.0"),
  ]);
  await t.step("S-PLAN-01, S-REASON-01: dependencies come first in the plan and are marked automatic", async () => {
    const { stdout } = await world.expect(["install", "app", "old-tool", "--yes"]);
    assert.deepEqual(operations(stdout), [
      "  install    lib 1.0-1",
      "  install    app 1.0-1",
      "  install    old-tool 1.0-1",
    ]);
    assert.deepEqual(await installed(world), ["app 1.0-1", "lib 1.0-1 automatic", "old-tool 1.0-1"]);
  });
  await t.step("S-REPL-01, S-REPL-02, S-UPG-01, S-REPL-05: a full upgrade takes the successor", async () => {
    await world.publish([pkg("new-tool", "2.0", { replaces: ["old-tool"] })]);
    await world.expect(["refresh"]);
    const { stdout } = await world.expect(["upgrade", "--yes"]);
    assert.deepEqual(operations(stdout), ["  remove     old-tool 1.0-1", "  install    new-tool 2.0-1"]);
    assert.deepEqual(await installed(world), ["app 1.0-1", "lib 1.0-1 automatic", "new-tool 2.0-1"]);
    assert.equal(await exists(`${world.root}/usr/share/old-tool`), false);
  });
  await t.step("S-UNDO-01, S-UNDO-02: undo brings back what was replaced, as it was marked", async () => {
    const { stdout } = await world.expect(["undo", "--yes"]);
    assert.deepEqual(operations(stdout), ["  remove     new-tool 2.0-1", "  install    old-tool 1.0-1"]);
    assert.deepEqual(await installed(world), ["app 1.0-1", "lib 1.0-1 automatic", "old-tool 1.0-1"]);
  });
  await t.step("S-REASON-05, C-AUTOREMOVE-01, C-MARK-01: marks decide what autoremove takes", async () => {
    await world.expect(["remove", "app", "--yes"]);
    assert.equal((await world.expect(["mark", "manual", "lib"])).stdout, "marked lib manual\n");
    assert.match((await world.expect(["autoremove"])).stdout, /^nothing to do/);
    assert.equal((await world.expect(["mark", "auto", "lib"])).stdout, "marked lib auto\n");
    assert.equal((await world.expect(["-q", "autoremove", "--dry-run"])).stdout, "lib 1.0-1\n");
    assert.deepEqual(operations((await world.expect(["autoremove", "--yes"])).stdout), ["  remove     lib 1.0-1"]);
    await world.expect(["undo", "--yes"]);
    assert.deepEqual(await installed(world), ["lib 1.0-1 automatic", "old-tool 1.0-1"]);
  });
  await t.step(
    "S-REASON-03, S-REQ-04, C-MARK-02: asking for an automatic package marks it and does no more",
    async () => {
      assert.match(
        (await world.expect(["install", "lib"])).stdout,
        /lib is already installed; it is now marked manual/,
      );
      assert.deepEqual(await installed(world), ["lib 1.0-1", "old-tool 1.0-1"]);
    },
  );
});

Deno.test("S-HOLD-01, S-HOLD-02, S-UPG-05: a lock keeps a package, and what needs it to move stays behind", async () => {
  await using world = await prepare([
    pkg("nginx", "1.0"),
    pkg("nginx-mod", "1.0", { dependencies: ["nginx"] }),
    pkg("zlib", "1.0"),
  ]);
  await world.expect(["install", "nginx-mod", "nginx", "zlib", "--yes"]);
  await world.expect(["lock", "nginx"]);
  await world.publish([
    pkg("nginx", "2.0"),
    pkg("nginx-mod", "2.0", { dependencies: [{ name: "nginx", constraint: ">= 2" }] }),
    pkg("zlib", "1.1"),
  ]);
  await world.expect(["refresh"]);
  const { stdout } = await world.expect(["upgrade", "--yes"]); // worked example 77
  assert.deepEqual(operations(stdout), ["  upgrade    zlib 1.0-1 -> 1.1-1"]);
  assert.match(stdout, /held back: nginx 1\.0-1, 2\.0-1 available \(locked\)/);
  assert.match(stdout, /held back: nginx-mod 1\.0-1, 2\.0-1 available/);
  for (
    const args of [["remove", "nginx"], ["upgrade", "nginx"], ["upgrade", "nginx-mod"]]
  ) {
    assert.equal((await failure(world, [...args, "--yes"])).code, "locked", args.join(" "));
  }
  await world.expect(["unlock", "nginx"]);
  assert.deepEqual(operations((await world.expect(["upgrade", "--yes"])).stdout), [
    "  upgrade    nginx 1.0-1 -> 2.0-1",
    "  upgrade    nginx-mod 1.0-1 -> 2.0-1",
  ]);
});

Deno.test("paths of two packages", async (t) => {
  const run = { "usr/bin/run": "aa\n" };
  await using world = await prepare([
    pkg("aa", "1.0", { files: run }),
    pkg("shared", "1.0", { files: { "usr/bin/other": "x\n" } }),
    pkg("filed", "1.0", { files: { "usr/share/thing": "file\n" } }),
    pkg("foldered", "1.0", { files: { "usr/share/thing/inside": "x\n" } }),
  ]);
  await world.expect(["install", "aa", "--yes"]);
  await t.step("S-COLL-02: a path its owner gives up in the same plan is free (worked example 90)", async () => {
    await world.publish([
      pkg("aa", "2.0"),
      pkg("bb", "1.0", { dependencies: [{ name: "aa", constraint: ">= 2" }], files: { "usr/bin/run": "bb\n" } }),
    ]);
    await world.expect(["refresh"]);
    const { stdout } = await world.expect(["install", "bb", "--yes"]);
    assert.deepEqual(operations(stdout), ["  upgrade    aa 1.0-1 -> 2.0-1", "  install    bb 1.0-1"]);
    assert.equal(await Deno.readTextFile(`${world.root}/usr/bin/run`), "bb\n");
    assert.equal((await world.expect(["owns", "/usr/bin/run"])).stdout, "bb\n");
  });
  await t.step("S-COLL-03: directories are shared; a file where another package has a directory collides", async () => {
    await world.expect(["install", "shared", "filed", "--yes"]);
    const last = await failure(world, ["install", "foldered", "--yes"]);
    assert.deepEqual([last.code, last.details.rule], ["collision", "FILE_CONFLICT"]);
    assert.equal(await Deno.readTextFile(`${world.root}/usr/share/thing`), "file\n");
  });
});

Deno.test("a provider from a weaker repository", async (t) => {
  await using world = await prepare([
    pkg("mailapp", "1.0", { dependencies: [{ name: "smtp-server", constraint: ">= 2.0" }] }),
    pkg("smtp-server", "1.0"),
  ]);
  await world.publish([pkg("postfix", "3.8", { provides: [{ name: "smtp-server", version: "3.0" }] })], "extra");
  await world.addRepository(world.serve("extra").url, "extra", ["--priority", "50"]);
  const before = (await events(world)).length;
  await t.step("S-AUTH-06, S-EXPL-04: --yes without a terminal does not answer it (worked example 92)", async () => {
    const last = await failure(world, ["install", "mailapp", "--yes"]);
    assert.equal(last.code, "authorisation-required");
    assert.deepEqual(last.details.authorisations.map((item: { kind: string }) => item.kind), ["low-trust-provides"]);
    assert.deepEqual(await installed(world), []);
    assert.equal((await events(world)).slice(before).at(-1)?.type, "peipkg.transaction-failed");
  });
  await t.step("S-AUTH-05, S-PLAN-02, S-PLAN-06: anything but yes cancels, with status 0", async () => {
    for (const answer of ["n", "", "yess"]) {
      const { status, screen } = await runAtTerminal(["--root", world.root, "install", "mailapp"], [answer]);
      assert.equal(status, 0, screen);
      assert.match(screen, /cancelled — required authorisation was not given/);
    }
    assert.deepEqual(await installed(world), []);
  });
  await t.step(
    "S-AUTH-07, S-PLAN-01, S-PLAN-02, T-PLAN-06: the plan, the elevated question, the routine one, the audit",
    async () => {
      const { status, screen } = await runAtTerminal(["--root", world.root, "install", "mailapp"], ["YES", "y"]);
      assert.equal(status, 0, screen);
      const order = [/ {2}install {4}postfix 3\.8-1/, / {2}! elevated: /, /action\? \[y\/N\] /, /proceed\? \[y\/N\] /]
        .map((part) => screen.search(part));
      assert.ok(order.every((at, index) => at >= 0 && at > (order[index - 1] ?? -1)), screen);
      const authorised = (await events(world)).filter(({ type }) => type === "peipkg.authorisation");
      assert.ok(JSON.stringify(authorised.at(-1)).includes("postfix"), JSON.stringify(authorised));
      assert.deepEqual(await installed(world), ["mailapp 1.0-1", "postfix 3.8-1 automatic"]);
    },
  );
});

Deno.test("S-DOWN-03: an archive index that cannot be had is reported and skipped", async () => {
  await using world = await prepare([pkg("app", "1.0")]);
  await world.publish([pkg("other", "1.0")], "extra");
  await world.addRepository(world.serve("extra").url, "extra", ["--priority", "50"]);
  await world.publish([pkg("app", "2.0")]);
  await world.expect(["refresh"]);
  await world.expect(["install", "app", "--yes"]);
  await Deno.remove(`${world.repository("extra")}/index/archive.json`);
  const { status, screen } = await runAtTerminal(["--root", world.root, "downgrade", "app", "1.0"], ["y", "y"]);
  assert.equal(status, 0, screen);
  assert.match(screen, /warning: the archive of repository "extra" was left out/);
  assert.deepEqual(await installed(world), ["app 1.0-1"]);
});

Deno.test("S-LOCAL-01, S-PLAN-01: a local file is checked as a package, not as a repository's", async () => {
  await using world = await prepare([pkg("lib", "1.0")]);
  const file = await world.pack(pkg("app", "1.0", { dependencies: ["lib"] }), `${world.directory}/key`);
  const bytes = await Deno.readFile(file);
  await Deno.writeFile(`${world.directory}/cut.peipkg`, bytes.subarray(0, bytes.length - 9));
  const cut = await failure(world, ["install", `${world.directory}/cut.peipkg`, "--yes"]);
  assert.deepEqual([cut.code, cut.details.rule], ["format", "E_ZSTD_CORRUPT"]);
  const { stdout } = await world.expect(["install", file, "--yes"]);
  assert.deepEqual(operations(stdout), ["  install    lib 1.0-1", "  install    app 1.0-1  (local file)"]);
  const [detail] = [JSON.parse((await world.expect(["--json", "info", "app"])).stdout)].flat();
  assert.equal(detail.origin, "");
});

Deno.test("C-INSTALL-05, S-LOCAL-03: a file of the installed version is written again when asked to, and only then", async () => {
  await using world = await prepare([pkg("app", "1.0"), pkg("lib", "1.0")]);
  await world.expect(["install", "app", "--auto", "--yes"]);
  const file = await world.pack(pkg("app", "1.0", { files: { "usr/share/app/v": "rebuilt\n" } }));
  const content = () => Deno.readTextFile(`${world.root}/usr/share/app/v`);
  assert.match((await world.expect(["install", file, "--auto", "--yes"])).stdout, /^nothing to do/);
  assert.equal(await content(), "1.0\n");
  const { stdout } = await world.expect(["install", "--reinstall", file, "--auto", "--yes"]);
  assert.deepEqual(operations(stdout), ["  reinstall  app 1.0-1  (local file)"]);
  assert.equal(await content(), "rebuilt\n");
  assert.deepEqual(await installed(world), ["app 1.0-1 automatic"]);
  await Deno.writeTextFile(`${world.root}/usr/share/app/v`, "damaged\n");
  await world.expect(["install", "--reinstall", file, "--yes"]);
  assert.equal(await content(), "rebuilt\n");
  assert.deepEqual(await installed(world), ["app 1.0-1"], "S-REASON-01: asked for by file");
  await world.expect(["verify"]);
  // a name beside a file is written again as well; a file of a package that is not installed is just installed
  const lib = await world.pack(pkg("lib", "1.0"));
  const both = await world.expect(["install", "--reinstall", "app", lib, "--yes"]);
  assert.deepEqual(operations(both.stdout), ["  reinstall  app 1.0-1", "  install    lib 1.0-1  (local file)"]);
  assert.equal(await content(), "1.0\n");
  await world.expect(["lock", "lib"]);
  assert.equal((await failure(world, ["install", "--reinstall", lib, "--yes"])).code, "locked");
});

Deno.test("S-DET-02, S-PLAN-03: the plan a dry run shows is the plan carried out", async () => {
  await using world = await prepare([
    pkg("app", "1.0", { dependencies: ["lib", "tool"], optional: ["extras"] }),
    pkg("lib", "1.0"),
    pkg("tool", "1.0", { dependencies: ["lib"] }),
  ]);
  const planOf = async (args: readonly string[]) => {
    const { stdout } = await world.expect(["--json", "install", "app", ...args]);
    return stdout.split("\n").find((line) => line.includes('"event":"plan"'));
  };
  const shown = await planOf(["--dry-run"]);
  assert.deepEqual(await installed(world), []);
  assert.ok(shown !== undefined);
  assert.equal(await planOf(["--yes"]), shown);
  assert.deepEqual(await installed(world), ["app 1.0-1", "lib 1.0-1 automatic", "tool 1.0-1 automatic"]);
  assert.match((await world.expect(["install", "app"])).stdout, /^nothing to do/);
});

Deno.test("S-BOUND-03: a plan one package of which is not what the index says changes nothing", async () => {
  await using world = await prepare([pkg("app", "1.0", { dependencies: ["lib"] }), pkg("lib", "1.0")]);
  const file = world.published(pkg("app", "1.0"));
  const bytes = await Deno.readFile(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await Deno.writeFile(file, bytes);
  assert.equal((await failure(world, ["install", "app", "--yes"])).code, "hash");
  assert.equal(await exists(`${world.root}/usr`), false);
  assert.deepEqual(await installed(world), []);
});

Deno.test("S-EXPL-04, S-PLAN-06: a rejected request fetches nothing and is reported, but not under --dry-run", async () => {
  await using world = await World.create();
  await world.publish([pkg("app", "1.0", { dependencies: ["missing"] })]);
  const asked: string[] = [];
  const server = world.serve("main", (path) => {
    asked.push(path);
    return Promise.resolve();
  });
  await world.addRepository(server.url);
  const before = (await events(world)).length;
  assert.equal((await failure(world, ["install", "app", "--dry-run"])).code, "unresolvable");
  assert.equal((await events(world)).length, before);
  const last = await failure(world, ["install", "app", "--yes"]);
  assert.deepEqual([last.code, last.reason], ["unresolvable", "unsatisfiable"]);
  assert.deepEqual((await events(world)).slice(before).map(({ type }) => type), ["peipkg.transaction-failed"]);
  assert.deepEqual(asked.filter((path) => path.includes(".peipkg")), []);
  await world.expect(["install", "app", "--no-such-option"], 2);
});

Deno.test("C-WHY-01, S-EXPL-01: why-not says what stands in the way, or that nothing does", async () => {
  await using world = await prepare([
    pkg("app", "1.0", { dependencies: [{ name: "lib", constraint: ">= 9" }] }),
    pkg("lib", "1.0"),
  ]);
  const { stdout } = await world.expect(["why-not", "app"]);
  assert.equal(
    stdout,
    "app is not possible: app 1.0-1 needs lib >= 9, and nothing on offer fits\n  lib 1.0-1 [main]: does not fit\n",
  );
  assert.equal((await world.expect(["why-not", "lib"])).stdout, "nothing prevents lib 1.0-1; 1 package would change\n");
  await world.expect(["install", "lib", "--yes"]);
  assert.equal((await world.expect(["why-not", "lib"])).stdout, "nothing is on offer that would move lib\n");
  assert.match((await world.expect(["why-not", "lib=2.0"])).stdout, /^lib 2\.0 is not possible: no repository offers/);
  const json = JSON.parse((await world.expect(["--json", "why-not", "app"])).stdout);
  assert.deepEqual([json.possible, json.code, json.reason], [false, "unresolvable", "unsatisfiable"]);
  await world.expect(["why-not", "./x.peipkg"], 2);
});

Deno.test("C-PLAN-06, R-AGE-06: why-not is a reading: an old index is warned of, and nothing is fetched", async () => {
  await using world = await World.create();
  await world.publish([pkg("app", "1.0")]);
  const asked: string[] = [];
  const server = world.serve("main", (path) => Promise.resolve(void asked.push(path)));
  await world.addRepository(server.url);
  await world.publish([pkg("app", "2.0")]);
  asked.length = 0;
  const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`);
  database.exec("UPDATE repository SET last_refresh_at = last_refresh_at - 100 * 86400");
  database.close();
  const { stdout, stderr } = await world.expect(["-o", "auto_refresh_hours=1", "why-not", "app"]);
  assert.equal(stdout, "nothing prevents app 1.0-1; 1 package would change\n");
  assert.match(stderr, /^peipkg: warning: .*"main": last refreshed 100d ago/m);
  assert.deepEqual(asked, []);
});
