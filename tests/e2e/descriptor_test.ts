/** Packages with security descriptors from a custom repository through the real program, on a kernel without them. */
import assert from "node:assert/strict";
import { realSystem } from "../../core/runtime.ts";
import { descriptor, EVERYONE, FULL, SYSTEM } from "../support/descriptors.ts";
import { drive, lastEvent, questionsOf, yes } from "../support/drive.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { runAtTerminal } from "../support/terminal.ts";

const OPEN = descriptor({ dacl: [{ sid: EVERYONE, mask: FULL }] });
const HARMLESS = descriptor({ dacl: [{ sid: SYSTEM, mask: FULL }] });
const NULL_LIST = descriptor({ control: 0x0004 });

const guarded = (version: string, sd: Uint8Array): PackageSpec => ({
  name: "guarded",
  version,
  files: { "usr/bin/guarded": `guarded ${version}\n`, "usr/share/guarded/data": "data\n" },
  sdOverrides: { "usr/bin/guarded": sd, "usr/share/guarded": HARMLESS },
});

interface LogLine {
  readonly type: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly flags?: readonly string[];
  readonly sd_overrides?: readonly string[];
  readonly authorisation?: Readonly<Record<string, string>>;
}

function log(world: World): readonly LogLine[] {
  const text = Deno.readTextFileSync(`${world.root}/var/log/peipkg/audit.jsonl`);
  return text.trimEnd().split("\n").map((line): LogLine => JSON.parse(line));
}

const authorisations = (world: World) => log(world).filter(({ type }) => type === "peipkg.authorisation");

/** The stored descriptor of a path, or a sign that this file system keeps none for this user. */
function storedAt(world: World, path: string): Uint8Array | undefined {
  using system = realSystem();
  using root = system.openRoot(world.root);
  using directory = root.openDirectory(path.slice(0, path.lastIndexOf("/")));
  return directory?.readAttribute(path.slice(path.lastIndexOf("/") + 1), "security.peios.sd");
}

function canStore(world: World): boolean {
  try {
    using system = realSystem();
    using root = system.openRoot(world.root);
    using directory = root.openDirectory("/");
    directory?.writeAttribute(undefined, "security.peios.sd", HARMLESS);
    directory?.writeAttribute(undefined, "security.peios.sd", undefined);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a package with descriptors from a custom repository: nothing dropped, nothing assumed", async (t) => {
  await using world = await World.create();
  await world.publish([guarded("1.0-1", OPEN)]);
  await world.addRepository(world.serve().url);
  const repositoryFile = `${world.root}/conf/peipkg/main.repo`;
  const config = await Deno.readTextFile(repositoryFile);

  await t.step("A-SDA-30, A-THREAT-32: by default it is refused, naming package and paths", async () => {
    const { stderr } = await world.expect(["install", "guarded", "-y", "-vv"], 1);
    assert.match(stderr, /SD_UNSUPPORTED_KERNEL/);
    assert.match(stderr, /cannot install guarded/);
    assert.match(stderr, /\/usr\/bin\/guarded/);
    assert.equal(await exists(`${world.root}/usr/bin/guarded`), false);
    const failed = log(world).at(-1);
    assert.deepEqual([failed?.type, failed?.outcome, failed?.reason], [
      "peipkg.transaction-failed",
      "rejection",
      "SD_UNSUPPORTED_KERNEL",
    ]);
  });

  await t.step("A-SDP-03, A-SDP-09: the repository's key is false, so no option helps", async () => {
    for (const mode of ["store", "ignore"]) {
      const { stderr } = await world.expect(["install", "guarded", "-y", "--sd-overrides", mode, "-vv"], 1);
      assert.match(stderr, /allow_sd_overrides/);
      assert.match(stderr, /sd-override: E_SD_POLICY/);
    }
  });

  await Deno.writeTextFile(repositoryFile, `${config}\nallow_sd_overrides = true\n`);

  await t.step("A-EVENT-10: the edited key is reported by the next writer", async () => {
    await world.peipkg(["install", "guarded", "-y"]);
    const change = log(world).find(({ type }) => type === "peipkg.config-change");
    assert.match(JSON.stringify(change), /"setting":"allow_sd_overrides","old":"false","new":"true","via":"file"/);
  });

  await t.step("A-AUTH-03, A-AUTH-06, A-THREAT-42: --yes and piped input answer nothing", async () => {
    for (const [args, input] of [[["-y"], undefined], [[], "y\ny\ny\ny\n"]] as const) {
      const result = await world.peipkg(["install", "guarded", "--sd-overrides", "store", ...args], input);
      assert.equal(result.status, 1);
      assert.match(result.stderr, /elevated authorisation is needed and there is no terminal to give it on/);
      assert.match(
        result.stderr,
        /"guarded" 1\.0-1 would set a security descriptor on \/usr\/bin\/guarded: allow Everyone \(S-1-1-0\) full control/,
      );
    }
    assert.equal(await exists(`${world.root}/usr/bin/guarded`), false);
    assert.deepEqual([authorisations(world).at(-1)?.outcome, authorisations(world).at(-1)?.reason], [
      "rejection",
      "E_AUTH_REQUIRED",
    ]);
  });

  await t.step("A-SDA-32, A-EVENT-07: ignoring is asked by itself, and a no is recorded", async () => {
    const before = authorisations(world).length;
    const refused = await drive(
      world,
      ["install", "guarded", "--sd-overrides", "ignore"],
      (question) => question["kind"] === "proceed" ? yes(question) : { id: question["id"], answer: "no" },
    );
    assert.deepEqual([lastEvent(refused)?.event, lastEvent(refused)?.["reason"], refused.status], [
      "cancelled",
      "authorisation-declined",
      0,
    ]);
    const [declined] = authorisations(world).slice(before);
    assert.deepEqual([declined?.outcome, declined?.reason], ["rejection", "AUTH_DECLINED"]);
    assert.match(declined?.authorisation?.["plan_digest"] ?? "", /^[0-9a-f]{64}$/);
  });

  await t.step("A-SDD-01, A-AUTH-02, A-SDA-32: each question is readable; what is left out is recorded", async () => {
    const done = await drive(world, ["install", "guarded", "--sd-overrides", "ignore"], yes);
    const asked = questionsOf(done).filter(({ kind }) => kind === "authorise");
    assert.deepEqual(
      asked.map((question) => JSON.stringify(question["authorisation"])).map((text) =>
        /"kind":"([a-z-]+)"/.exec(text)?.[1]
      ),
      ["sd-override", "sd-unsupported"],
    );
    assert.match(JSON.stringify(asked[0]), /D:\(A;;FA;;;WD\)/);
    assert.match(JSON.stringify(asked[0]), /allow Everyone \(S-1-1-0\): full control.*inheritance unknown/);
    assert.equal(lastEvent(done)?.event, "done");
    assert.deepEqual(lastEvent(done)?.["sd_overrides"], [
      { path: "/usr/bin/guarded", package: "guarded", state: "not-applied" },
      { path: "/usr/share/guarded", package: "guarded", state: "not-applied" },
    ]);
    const { stdout } = await world.expect(["info", "guarded", "--json"]);
    assert.deepEqual(JSON.parse(stdout).sd_overrides, [
      { path: "/usr/bin/guarded", state: "not-applied" },
      { path: "/usr/share/guarded", state: "not-applied" },
    ]);
    assert.match((await world.expect(["info", "guarded"])).stdout, /descriptors: +\/usr\/bin\/guarded not applied/);
    assert.match((await world.expect(["verify"])).stderr, /declares for \/usr\/bin\/guarded was not applied/);
    const installed = log(world).find(({ type }) => type === "peipkg.install");
    assert.deepEqual([installed?.flags, installed?.sd_overrides], [["sd-overrides-ignore"], undefined]);
  });

  await t.step("A-AUTH-07: the rows of the transaction and the events carry the same digest", async () => {
    const granted = authorisations(world).filter(({ outcome }) => outcome === "success").slice(-2);
    assert.deepEqual(granted.map((line) => line.authorisation?.["action"]), [
      "AUTH_SD_OVERRIDE",
      "AUTH_SD_UNSUPPORTED",
    ]);
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`, { readOnly: true });
    const rows = database.prepare(
      "SELECT action_code, plan_digest, statement, method, operator FROM authorisation WHERE action_code LIKE 'AUTH_%'",
    ).all();
    database.close();
    assert.deepEqual(
      rows.map((row) => [row["action_code"], row["plan_digest"], row["statement"], row["method"]]),
      granted.map(({ authorisation }) => [
        authorisation?.["action"],
        authorisation?.["plan_digest"],
        authorisation?.["statement"],
        "driven",
      ]),
    );
    assert.match(String(rows[0]?.["operator"]), /"uid"/);
  });

  await t.step("A-SDA-31: store keeps them for a kernel that knows them", async (t) => {
    if (!canStore(world)) return void await t.step({ name: "no attributes here", ignore: true, fn: () => {} });
    await drive(world, ["remove", "guarded"], yes);
    const done = await drive(world, ["install", "guarded", "--sd-overrides", "store"], yes);
    assert.equal(lastEvent(done)?.event, "done");
    assert.deepEqual(storedAt(world, "/usr/bin/guarded"), OPEN);
    assert.deepEqual(storedAt(world, "/usr/share/guarded"), HARMLESS);
    const installed = log(world).findLast(({ type }) => type === "peipkg.install");
    assert.deepEqual(installed?.sd_overrides, ["/usr/bin/guarded", "/usr/share/guarded"]);

    // A-SDP-13: the same bytes again ask nothing.
    await world.publish([guarded("2.0-1", OPEN)]);
    await world.expect(["refresh"]);
    const upgraded = await drive(world, ["upgrade", "--sd-overrides", "store"], yes);
    assert.deepEqual(questionsOf(upgraded).map(({ kind }) => kind), ["proceed"]);
    assert.deepEqual(storedAt(world, "/usr/bin/guarded"), OPEN);
  });
});

Deno.test("A-SDF-05, A-SDF-12, A-THREAT-31: what reads as everybody's is neither packed nor installed", async () => {
  await using world = await World.create();
  const spec: PackageSpec = { name: "unsafe", version: "1.0-1", files: { "usr/bin/unsafe": "x" } };
  await assert.rejects(
    world.pack({ ...spec, sdOverrides: { "usr/bin/unsafe": NULL_LIST } }),
    /the security descriptor for "usr\/bin\/unsafe" is unsafe: its DACL and the bit that announces it differ/,
  );
});

Deno.test("A-SDP-03: each descriptor of a local file is a question, and --yes is no answer", async () => {
  await using world = await World.create();
  const file = await world.pack(guarded("1.0-1", HARMLESS));
  await world.expect(["install", file, "-y", "--sd-overrides", "ignore"], 1);
  const done = await drive(world, ["install", file, "--sd-overrides", "ignore"], yes);
  const kinds = questionsOf(done).map((question) => /"kind":"(sd-[a-z]+)"/.exec(JSON.stringify(question))?.[1]);
  assert.deepEqual(kinds.filter((kind) => kind !== undefined), ["sd-override", "sd-override", "sd-unsupported"]);
});

Deno.test("A-SDD-01, A-SDP-02, A-AUTH-02, C-AUTH-08: at a terminal each descriptor is read before it is answered", async () => {
  await using world = await World.create();
  await world.publish([guarded("1.0-1", OPEN)]);
  await world.addRepository(world.serve().url);
  const file = `${world.root}/conf/peipkg/main.repo`;
  await Deno.writeTextFile(file, `${await Deno.readTextFile(file)}\nallow_sd_overrides = true\n`);
  const args = ["--root", world.root, "install", "guarded", "--sd-overrides", "ignore", "-y"];
  const { status, screen } = await runAtTerminal(args, ["y", "y"], { cwd: world.directory });
  assert.equal(status, 0, screen);
  const text = screen.replaceAll("\u001b[K", "");
  const start = text.indexOf("  /usr/bin/guarded (file");
  assert.equal(
    text.slice(start).replace(/\r/g, ""),
    `  /usr/bin/guarded (file, descriptor of 48 bytes)
    owner: not set
    group: not set
    inherits
    allow Everyone (S-1-1-0): full control
    inheritance unknown
    D:(A;;FA;;;WD)
    asked because it lets Everyone (S-1-1-0) make changes
this operation requires elevated authorisation:
  "guarded" 1.0-1 would set a security descriptor on /usr/bin/guarded: allow Everyone (S-1-1-0) full control
authorise this specific action? [y/N] y

  /usr/bin/guarded
  /usr/share/guarded
this operation requires elevated authorisation:
  "guarded" 1.0-1 declares 2 security descriptors that this kernel cannot apply; they would be ignored
authorise this specific action? [y/N] y
"guarded" 1.0-1 goes without its security descriptor on /usr/bin/guarded: allow Everyone (S-1-1-0) full control
"guarded" 1.0-1 goes without its security descriptor on /usr/share/guarded: allow Local System (S-1-5-18) full control
done — 1 operation applied
security descriptor on /usr/bin/guarded (guarded): not applied
security descriptor on /usr/share/guarded (guarded): not applied
`,
  );
});
