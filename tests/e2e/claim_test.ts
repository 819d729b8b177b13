/** Roles and claims through the real program, from the first provider to a hostile one. */
import assert from "node:assert/strict";
import { drive, lastEvent, questionsOf, yes } from "../support/drive.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const slots = (name: string): Record<string, unknown> => ({
  name: "registryd",
  claims: { binary: { target: `/usr/bin/${name}`, path: "/usr/bin/registryd" } },
});

function provider(name: string, version = "1.0-1", more: Partial<PackageSpec> = {}): PackageSpec {
  return { name, version, files: { [`usr/bin/${name}`]: `${name} ${version}\n` }, provides: [slots(name)], ...more };
}

function consumer(name: string, path: string, required = false): PackageSpec {
  const entry = { name: "registryd", claims: { binary: { path } } };
  return {
    name,
    version: "1.0-1",
    files: { [`usr/bin/${name}`]: `${name}\n` },
    ...(required ? { dependencies: [entry] } : { optional: [entry] }),
  };
}

interface LogLine {
  readonly type: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly txn_id?: number;
  readonly invocation: string;
  readonly claim?: Readonly<Record<string, string>>;
}

function log(world: World): readonly LogLine[] {
  const text = Deno.readTextFileSync(`${world.root}/var/log/peipkg/audit.jsonl`);
  return text.trimEnd().split("\n").map((line): LogLine => JSON.parse(line));
}

const claimEvents = (world: World) =>
  log(world).filter(({ type }) => type === "peipkg.claim").map(({ claim }) => claim);
const link = (world: World, path = "usr/bin/registryd") =>
  Deno.readLink(`${world.root}/${path}`).catch(() => undefined);

Deno.test("a role goes through its life", async (t) => {
  await using world = await World.create();
  await world.publish([
    provider("loregd"),
    provider("altregd"),
    provider("thirdregd", "1.0-1", {
      provides: [slots("thirdregd"), {
        name: "spare",
        claims: { main: { target: "/usr/bin/thirdregd", path: "/run/spare" } },
      }],
    }),
    consumer("user", "/usr/libexec/user/registry"),
    consumer("needy", "/usr/libexec/needy/registry", true),
  ]);
  await world.addRepository(world.serve().url);

  await t.step("C-FLAG-01, C-AUTO-01, C-AUTO-08: the first provider takes the role, and the plan says so", async () => {
    const { stdout } = await world.expect(["install", "loregd", "-y"]);
    assert.match(stdout, /registryd/);
    assert.equal(await link(world), "loregd");
    assert.deepEqual(claimEvents(world).at(-1), { role: "registryd", new_holder: "loregd", cause: "auto" });
  });

  await t.step("C-AUTO-02, C-SEC-05: a second provider changes nothing", async () => {
    await world.expect(["install", "altregd", "-y"]);
    assert.equal(await link(world), "loregd");
  });

  await t.step("C-REC-02: a consumer's path appears at once", async () => {
    await world.expect(["install", "user", "-y"]);
    assert.equal(await link(world, "usr/libexec/user/registry"), "../../bin/loregd");
  });

  await t.step("C-CMD-01, C-CMD-10, C-CLAIM-07: one role, for people and programs", async () => {
    const { stdout } = await world.expect(["claim", "registryd", "-v"]);
    assert.equal(
      stdout,
      "role registryd is held by loregd\n" +
        "  /usr/bin/registryd -> /usr/bin/loregd  [binary, ok]\n" +
        "  /usr/libexec/user/registry -> /usr/bin/loregd  [binary, ok]\n" +
        "eligible providers: altregd, loregd\n" +
        "consumer: user binary /usr/libexec/user/registry (optional)\n",
    );
    const json = JSON.parse((await world.expect(["claim", "registryd", "--json"])).stdout);
    assert.deepEqual([json.role, json.holder, json.providers], ["registryd", "loregd", ["altregd", "loregd"]]);
    assert.deepEqual(json.links, [
      { path: "/usr/bin/registryd", target: "/usr/bin/loregd" },
      { path: "/usr/libexec/user/registry", target: "/usr/bin/loregd" },
    ]);
    await world.expect(["claim", "nothing"], 1);
  });

  await t.step("C-CMD-04, C-CLAIM-02: all roles", async () => {
    assert.match((await world.expect(["claim"])).stdout, /^registryd +loregd +altregd, loregd$/m);
  });

  await t.step("C-TXN-05: owns names holder and role, files does not list the link", async () => {
    const { stdout } = await world.expect(["owns", "/usr/bin/registryd"]);
    assert.match(stdout, /loregd.*registryd/);
    assert.doesNotMatch((await world.expect(["files", "loregd"])).stdout, /registryd/);
  });

  await t.step(
    "C-CMD-02, C-CMD-08, C-CLAIM-03, C-REC-12: a grant asks once, repoints every link, and is recorded",
    async () => {
      assert.equal((await world.peipkg(["claim", "registryd", "grant", "altregd"], "n\n")).status, 0);
      assert.equal(await link(world), "loregd");
      await world.expect(["claim", "registryd", "grant", "altregd", "--dry-run"]);
      assert.equal(await link(world), "loregd");
      const { stdout } = await world.expect(["claim", "registryd", "grant", "altregd", "-y"]);
      assert.match(stdout, /granted claim registryd to altregd/);
      assert.deepEqual([await link(world), await link(world, "usr/libexec/user/registry")], [
        "altregd",
        "../../bin/altregd",
      ]);
      assert.deepEqual(claimEvents(world).at(-1), {
        role: "registryd",
        old_holder: "loregd",
        new_holder: "altregd",
        cause: "grant",
      });
      const again = await world.expect(["claim", "registryd", "grant", "altregd", "-y"]);
      assert.match(again.stdout, /nothing to do — altregd already holds registryd/);
    },
  );

  await t.step("C-CMD-02, A-EVENT-11: a grant that fails is reported under its own name", async () => {
    await world.expect(["claim", "registryd", "grant", "user", "-y"], 1);
    const failed = log(world).filter(({ type }) => type === "peipkg.claim").at(-1);
    assert.deepEqual([failed?.outcome, failed?.reason], ["rejection", "CLAIM_NOT_PROVIDER"]);
    await world.expect(["claim", "registryd", "grant", "absent", "-y"], 1);
    await world.expect(["claim", "spare", "revoke", "-y"], 1);
  });

  await t.step("C-CMD-06: anything else is a usage error", async () => {
    for (
      const args of [["registryd", "take"], ["registryd", "grant"], ["registryd", "revoke", "x"], ["--reconcile", "x"]]
    ) {
      await world.expect(["claim", ...args], 2);
    }
  });

  await t.step("C-TXN-04, C-CLAIM-06: undo gives the role back", async () => {
    await world.expect(["undo", "-y"]);
    assert.equal(await link(world), "loregd");
    assert.match((await world.expect(["claim", "registryd"])).stdout, /held by loregd/);
  });

  await t.step(
    "C-TXN-05, T-VRFY-04, C-CMD-05, C-REC-13: verify sees a lost link, reconcile heals it without a question",
    async () => {
      await Deno.remove(`${world.root}/usr/bin/registryd`);
      assert.match((await world.expect(["verify"], 1)).stdout, /\/usr\/bin\/registryd/);
      await world.expect(["claim", "--reconcile"]);
      assert.equal(await link(world), "loregd");
      await world.expect(["verify"]);
      assert.match((await world.expect(["claim", "--reconcile"])).stdout, /nothing to do/);
    },
  );

  await t.step("C-FLAG-06: contradictory flags are a usage error", async () => {
    for (const other of [["--claim", "registryd"], ["--no-claim"]]) {
      await world.expect(["install", "thirdregd", "--claim-all", ...other, "-y"], 2);
    }
    await world.expect(["install", "thirdregd", "--claim", "registryd,", "-y"], 2); // C-FLAG-09
  });

  await t.step(
    "C-FLAG-04, C-VOL-03: --no-claim --claim takes only that; /run links are recorded and not made under --root",
    async () => {
      await world.expect(["install", "thirdregd", "--no-claim", "--claim", "spare", "-y"]);
      assert.equal(await link(world), "loregd");
      assert.equal(await exists(`${world.root}/run/spare`), false);
      const { stdout } = await world.expect(["claim", "spare", "-v"]);
      assert.match(stdout, /role spare is held by thirdregd/);
      assert.match(stdout, /\/run\/spare -> \/usr\/bin\/thirdregd {2}\[main, volatile\]/);
      await world.expect(["verify"]);
    },
  );

  await t.step("C-FLAG-03, C-AUTO-06: --claim takes a held role", async () => {
    await world.expect(["install", "thirdregd", "--reinstall", "--claim", "registryd", "-y"]);
    assert.equal(await link(world), "thirdregd");
    await world.expect(["claim", "registryd", "grant", "loregd", "-y"]);
  });

  await t.step("C-WD-05: a role a required consumer needs is not given up without saying so", async () => {
    await world.expect(["install", "needy", "-y"]);
    const { stderr } = await world.expect(["remove", "loregd", "-y", "-vv"], 1);
    assert.match(stderr, /critical: CLAIM_REQUIRED/);
    await world.expect(["claim", "registryd", "revoke", "-y"], 1);
    assert.equal(await link(world), "loregd");
    await world.expect(["remove", "needy", "-y"]);
    assert.equal(await exists(`${world.root}/usr/libexec/needy`), false); // C-WD-06
  });

  await t.step(
    "C-WD-01, C-WD-02, C-WD-03, C-SEC-06: removing the holder unholds the role and names the way out",
    async () => {
      const { stderr } = await world.expect(["remove", "loregd", "-y"]);
      assert.match(
        stderr,
        /claim "registryd" withdrawn — packages altregd, thirdregd also provide it; run 'peipkg claim registryd grant altregd' to assign a new holder/,
      );
      assert.equal(await link(world), undefined);
      assert.deepEqual(claimEvents(world).at(-1), { role: "registryd", old_holder: "loregd", cause: "withdraw" });
      assert.match((await world.expect(["claim", "registryd"])).stdout, /^role registryd is unheld$/m);
    },
  );

  await t.step("C-CMD-03, C-CLAIM-04, C-WD-07: revoke", async () => {
    await world.expect(["claim", "registryd", "grant", "altregd", "-y"]);
    assert.match((await world.expect(["claim", "registryd", "revoke", "-y"])).stdout, /revoked claim registryd/);
    assert.equal(await link(world), undefined);
    assert.deepEqual(claimEvents(world).at(-1), { role: "registryd", old_holder: "altregd", cause: "revoke" });
    await world.expect(["claim", "registryd", "revoke", "-y"], 1);
  });

  await t.step("C-FLAG-05: --claim-all", async () => {
    await world.expect(["install", "altregd", "--reinstall", "--claim-all", "-y"]);
    assert.equal(await link(world), "altregd");
  });

  await t.step("C-TXN-06, A-EVENT-20, A-EVENT-01, A-EVENT-03: history and log tell the same", async () => {
    const history = JSON.parse((await world.expect(["history", "--json"])).stdout);
    const committed = history.filter(({ state }: { state: string }) => state === "committed");
    const told = new Set(
      log(world).filter(({ outcome, txn_id: id }) => outcome === "success" && id !== undefined).map(({ txn_id: id }) =>
        id
      ),
    );
    assert.deepEqual(
      committed.map(({ id, transaction }: { id?: number; transaction?: number }) => id ?? transaction).sort(),
      [...told].sort(),
    );
  });
});

Deno.test("C-AUTO-09, A-AUTH-A13, A-THREAT-33: a weaker repository takes a role only by a yes of its own", async () => {
  await using world = await World.create();
  await world.publish([provider("loregd")]);
  await world.publish([provider("weakregd")], "weak");
  await world.addRepository(world.serve().url, "main", ["--priority", "10"]);
  await world.addRepository(world.serve("weak").url, "weak", ["--priority", "50"]);
  await world.expect(["install", "loregd", "-y"]);
  const { stderr } = await world.expect(["install", "weakregd", "--claim", "registryd", "-y"], 1);
  assert.match(
    stderr,
    /role "registryd" would pass from "loregd", from higher-priority repository "main", to "weakregd" from repository "weak"/,
  );
  assert.equal(await link(world), "loregd");
  await world.expect(["install", "weakregd", "-y"]);
  await world.expect(["claim", "registryd", "grant", "weakregd", "-y"], 1);
  const granted = await drive(world, ["claim", "registryd", "grant", "weakregd"], yes);
  assert.deepEqual(questionsOf(granted).map(({ kind }) => kind), ["authorise", "proceed"]);
  assert.equal(lastEvent(granted)?.event, "done");
  assert.equal(await link(world), "weakregd");
});

Deno.test("C-SEC-01, C-SEC-02, C-SEC-03, C-SEC-09: hostile declarations change nothing", async () => {
  await using world = await World.create();
  const claims = (path: string) => ({ name: "registryd", claims: { binary: { path } } });
  const hostile = (name: string, more: Partial<PackageSpec>): PackageSpec => ({
    name,
    version: "1.0-1",
    files: { [`usr/bin/${name}`]: "x" },
    ...more,
  });
  // A target that is somebody else's file cannot even be packed.
  await assert.rejects(
    world.pack(
      hostile("thief", { provides: [{ name: "registryd", claims: { binary: { target: "/usr/bin/loregd" } } }] }),
    ),
    /which is no file or symlink of it/,
  );
  await world.publish([
    provider("loregd"),
    hostile("over-file", { optional: [claims("/etc/passwd")] }),
    hostile("over-package", { optional: [claims("/usr/bin/loregd")] }),
    hostile("ships-path", { files: { "usr/bin/registryd": "mine" } }),
  ]);
  await world.addRepository(world.serve().url);
  await Deno.mkdir(`${world.root}/etc`, { recursive: true });
  await Deno.writeTextFile(`${world.root}/etc/passwd`, "root\n");
  await world.expect(["install", "loregd", "-y"]);
  for (
    const [name, rule] of [["over-file", "UNOWNED_EXISTS"], ["over-package", "CLAIM_PATH_OWNED"], [
      "ships-path",
      "CLAIM_PATH_OWNED",
    ]] as const
  ) {
    const { stderr } = await world.expect(["install", name, "-y", "-vv"], 1);
    assert.match(stderr, new RegExp(rule), name);
  }
  assert.equal(await Deno.readTextFile(`${world.root}/etc/passwd`), "root\n");
  assert.equal(await link(world), "loregd");
});
