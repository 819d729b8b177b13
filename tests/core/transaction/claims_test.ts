import assert from "node:assert/strict";
import type { ErrorRule } from "../../../core/errors.ts";
import { readClaimLinks, readHolder } from "../../../core/store/roles.ts";
import { relativeTarget } from "../../../core/transaction/claims.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, type RunOptions, type Step, World } from "./world.ts";
import { refusedBy } from "../../support/refusals.ts";

const PATH = "/usr/bin/registryd";
const LORE: PackageSpec = provider("loregd");
const ALT: PackageSpec = provider("altregd");
const CONSUMER: PackageSpec = {
  name: "consumer",
  files: { "/usr/bin/consumer": "c" },
  optional: { registryd: { binary: { path: "/usr/libexec/consumer/registry" } } },
};

function provider(name: string, version = "1.0-1", target = `/usr/bin/${name}`): PackageSpec {
  return {
    name,
    version,
    files: { [target]: `${name} ${version}` },
    provides: { registryd: { binary: { target, path: PATH } } },
  };
}

const install = (spec: PackageSpec, requested = true): Step => ({ kind: "install", package: spec, requested });
const link = (world: World, path = PATH): string | undefined => world.tree()[path]?.split("-> ")[1];

async function refused(world: World, steps: readonly Step[], rule: ErrorRule, options: RunOptions = {}): Promise<void> {
  const before = [world.tree(), world.rows()];
  await assert.rejects(
    world.run(steps, options),
    refusedBy(rule),
    rule,
  );
  assert.deepEqual([world.tree(), world.rows()], before);
}

Deno.test("C-MAT-04: relativeTarget() is relative to the directory of the link", () => {
  assert.equal(relativeTarget("/usr/bin/registryd", "/usr/bin/loregd"), "loregd");
  assert.equal(relativeTarget("/run/x.sock", "/usr/lib/x"), "../usr/lib/x");
  assert.equal(relativeTarget("/usr/libexec/a/r", "/usr/bin/x"), "../../bin/x");
  assert.equal(relativeTarget("/init", "/usr/bin/x"), "usr/bin/x");
});

Deno.test("C-AUTO-01, C-MAT-01, C-REC-10: a new provider takes an unheld role and gets its links", async () => {
  using world = new World();
  const report = await world.run([install(LORE), install(CONSUMER)]);
  assert.equal(readHolder(world.database, "registryd"), "loregd");
  assert.equal(link(world), "loregd");
  assert.equal(link(world, "/usr/libexec/consumer/registry"), "../../bin/loregd");
  assert.deepEqual(report.holders, [{ role: "registryd", from: undefined, to: "loregd", cause: "auto" }]);
});

Deno.test("C-AUTO-02: a second provider changes nothing", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  await world.run([install(ALT)]);
  assert.equal(readHolder(world.database, "registryd"), "loregd");
  assert.equal(link(world), "loregd");
});

Deno.test("C-AUTO-04: named packages come before pulled in ones, then the smallest name", async () => {
  using world = new World();
  await world.run([install(LORE), install(ALT, false)]);
  assert.equal(readHolder(world.database, "registryd"), "loregd");
  using other = new World();
  await other.run([install(LORE), install(ALT)]);
  assert.equal(readHolder(other.database, "registryd"), "altregd");
});

Deno.test("C-AUTO-03: an upgrade does not take up a role that was left unheld", async () => {
  using world = new World();
  await world.run([install(LORE)], { claims: { none: true } });
  assert.equal(readHolder(world.database, "registryd"), undefined); // C-FLAG-02
  await world.run([{ kind: "upgrade", package: provider("loregd", "2.0-1") }]);
  assert.equal(readHolder(world.database, "registryd"), undefined);
  assert.equal(link(world), undefined);
});

Deno.test("C-AUTO-05, C-WD-02, T-RM-08: an arriving provider inherits, one installed before is never promoted", async () => {
  using world = new World();
  await world.run([install(LORE), install(CONSUMER)], {});
  await world.run([{ kind: "remove", name: "loregd" }, install(ALT)]);
  assert.equal(link(world), "altregd");
  using other = new World();
  await other.run([install(LORE)]);
  await other.run([install(ALT)]);
  const report = await other.run([{ kind: "remove", name: "loregd" }]);
  assert.equal(readHolder(other.database, "registryd"), undefined);
  assert.equal(link(other), undefined);
  const warning = report.warnings.find(({ rule }) => rule === "W_CLAIM_WITHDRAWN"); // C-WD-03
  assert.equal(
    warning?.text,
    `claim "registryd" withdrawn — packages altregd also provide it; ` +
      "run 'peipkg claim registryd grant altregd' to assign a new holder",
  );
});

Deno.test("C-AUTO-06, C-FLAG-03, C-FLAG-05, C-REC-12: a forced role passes over and its link is repointed", async () => {
  for (const claims of [{ forced: ["registryd"] }, { all: true }]) {
    using world = new World();
    await world.run([install(LORE)]);
    const before = world.tree({ inodes: true });
    const report = await world.run([install(ALT)], { claims });
    assert.equal(link(world), "altregd");
    assert.notEqual(world.tree({ inodes: true })[PATH], before[PATH]);
    assert.deepEqual(report.holders.map(({ cause }) => cause), ["force"]);
    const row = world.database.statement("SELECT action FROM txn_file WHERE txn_id = 2 AND final_path = ?").get(PATH);
    assert.equal(row?.action, "repoint");
  }
});

Deno.test("C-FLAG-07, C-FLAG-08: a forced role needs exactly one eligible named package", async () => {
  using world = new World();
  await refused(world, [install(CONSUMER)], "CLAIM_NOT_PROVIDER", { claims: { forced: ["registryd"] } });
  await refused(world, [install(LORE), install(ALT)], "CLAIM_AMBIGUOUS", { claims: { forced: ["registryd"] } });
});

Deno.test("C-CMD-02, C-CMD-03, C-CMD-08: grant and revoke move all links in one transaction of kind claim", async () => {
  using world = new World();
  await world.run([install(LORE), install(ALT), install(CONSUMER)]);
  const assign = (holder: string | undefined) => ({
    kind: "claim" as const,
    claims: { assign: [{ role: "registryd", holder, isUndo: false }] },
  });
  await world.run([], assign("loregd"));
  assert.equal(link(world), "loregd");
  assert.equal(link(world, "/usr/libexec/consumer/registry"), "../../bin/loregd");
  const row = world.database.statement("SELECT * FROM txn_op WHERE txn_id = 2").get();
  assert.deepEqual([row?.action, row?.subject, row?.from_version, row?.to_version], [
    "claim",
    "registryd",
    "altregd",
    "loregd",
  ]);
  await world.run([], assign(undefined));
  assert.equal(link(world), undefined);
  await refused(world, [], "CLAIM_NOT_HELD", assign(undefined));
  await refused(world, [], "CLAIM_NOT_PROVIDER", assign("consumer"));
  assert.equal(world.tree()["/usr/libexec/consumer"], undefined, "C-MAT-10: the emptied directory goes");
});

Deno.test("C-WD-05: a role a remaining package cannot do without is not withdrawn", async () => {
  using world = new World();
  const needy: PackageSpec = {
    name: "needy",
    files: { "/usr/bin/needy": "n" },
    depends: { registryd: { binary: { path: "/usr/libexec/needy/registry" } } },
  };
  await world.run([install(LORE), install(ALT), install(needy)]);
  const steps: readonly Step[] = [{ kind: "remove", name: "altregd" }];
  await refused(world, steps, "CLAIM_REQUIRED");
  await world.run(steps, { allowCritical: true });
  assert.equal(readHolder(world.database, "registryd"), undefined);
});

Deno.test("C-REC-02, C-WD-06: a consumer's links come and go with it", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  await world.run([install(CONSUMER)]);
  assert.equal(link(world, "/usr/libexec/consumer/registry"), "../../bin/loregd");
  await world.run([{ kind: "remove", name: "consumer" }]);
  assert.equal(link(world, "/usr/libexec/consumer/registry"), undefined);
  assert.equal(link(world), "loregd");
});

Deno.test("C-REC-03: an upgraded holder's links follow its target", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  await world.run([{ kind: "upgrade", package: provider("loregd", "2.0-1", "/usr/libexec/loregd") }]);
  assert.equal(link(world), "../libexec/loregd");
  await world.run([{
    kind: "upgrade",
    package: { name: "loregd", version: "3.0-1", files: { "/usr/bin/loregd": "x" } },
  }]);
  assert.equal(link(world), undefined);
  assert.equal(readHolder(world.database, "registryd"), undefined);
});

Deno.test("C-MAT-05, C-MAT-06, T-COLL-13, C-SEC-09: claim paths and payload paths never meet", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  await refused(world, [install({ name: "extra", files: { [PATH]: "mine" } })], "CLAIM_PATH_OWNED");
  await refused(world, [install({ name: "extra", files: { [`${PATH}/below`]: "mine" } })], "CLAIM_PATH_OWNED");
  using other = new World();
  await refused(other, [install(LORE), install({ name: "extra", files: { [PATH]: "mine" } })], "CLAIM_PATH_OWNED");
});

Deno.test("C-MAT-07: two targets for one path are contested", async () => {
  using world = new World();
  const rival: PackageSpec = {
    name: "rival",
    files: { "/usr/bin/rival": "r" },
    provides: { rivalry: { binary: { target: "/usr/bin/rival", path: PATH } } },
  };
  await refused(world, [install(LORE), install(rival)], "CLAIM_PATH_CONTESTED");
  await world.run([install(LORE)]);
  await refused(world, [install(rival)], "CLAIM_PATH_CONTESTED");
});

Deno.test("C-MAT-09, C-REC-11, C-REC-14: a fitting link is adopted, anything else is unowned", async () => {
  using world = new World({ tree: { [PATH]: { link: "loregd" } } });
  const before = world.tree({ inodes: true })[PATH];
  await world.run([install(LORE)]);
  assert.equal(world.tree({ inodes: true })[PATH], before);
  assert.equal(readClaimLinks(world.database).length, 1);
  using other = new World({ tree: { [PATH]: "mine" } });
  await refused(other, [install(LORE)], "UNOWNED_EXISTS");
  await other.run([install(LORE)], { overwriteUnowned: true });
  assert.equal(link(other), "loregd");
  assert.equal(other.tree()[`${PATH}.peipkg-backup-1`], 'file 0644 0:0 "mine"');
});

Deno.test("C-REC-13, C-REC-23: reconciling heals a lost link and does nothing when all is right", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  const reconcile = { kind: "claim" as const, claims: { reconcileAll: true } };
  assert.equal((await world.run([], reconcile)).transaction, undefined);
  world.remove(PATH);
  assert.equal((await world.run([], reconcile)).transaction, 2);
  assert.equal(link(world), "loregd");
});

Deno.test("C-REC-16, C-REC-17: a link somebody changed is left alone with a warning", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  world.remove(PATH);
  world.write({ [PATH]: { link: "elsewhere" } });
  const report = await world.run([{ kind: "remove", name: "loregd" }]);
  assert.equal(link(world), "elsewhere");
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["CLAIM_LINK_FOREIGN"]);
  assert.equal(readClaimLinks(world.database).length, 0);
});

Deno.test("C-REC-18: a link takes the place of a payload file that goes in the same transaction", async () => {
  using world = new World();
  await world.run([install({ name: "old", files: { [PATH]: "program" } })]);
  await world.run([{ kind: "remove", name: "old" }, install(LORE)]);
  assert.equal(link(world), "loregd");
  const rows = world.database.statement("SELECT action FROM txn_file WHERE txn_id = 2 AND final_path = ?").all(PATH);
  assert.deepEqual(rows.map(({ action }) => action), ["replace"]);
});

Deno.test("C-LIM-02, F-LIM-11: a role may have 256 links and no more", async () => {
  using world = new World();
  const consumer = (count: number): Step =>
    install({
      name: `consumer${count}`,
      files: { [`/usr/bin/c${count}`]: "c" },
      optional: { registryd: { binary: { path: `/usr/libexec/links/${count}` } } },
    });
  // the provider's own link is the first
  await world.run([install(LORE), ...Array.from({ length: 255 }, (_, count) => consumer(count))]);
  assert.equal(world.database.statement("SELECT count(*) AS n FROM claim_link").get()?.["n"], 256);
  await refused(world, [consumer(255)], "E_LIMIT_CLAIMS");
});

Deno.test("C-VOL-01, C-VOL-03: links below /run are made on the running root only", async () => {
  const spec: PackageSpec = {
    name: "sock",
    files: { "/usr/bin/sock": "s" },
    provides: { socket: { path: { target: "/usr/bin/sock", path: "/run/sock" } } },
  };
  using world = new World();
  await world.run([install(spec)], { isSystemRoot: false });
  assert.equal(link(world, "/run/sock"), undefined);
  assert.equal(readClaimLinks(world.database)[0]?.isVolatile, true);
  using system = new World();
  await system.run([install(spec)]);
  assert.equal(link(system, "/run/sock"), "../usr/bin/sock");
});

Deno.test("C-TXN-04: the holder of before is recorded", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  await world.run([install(ALT)], { claims: { forced: ["registryd"] } });
  const rows = world.database.statement("SELECT txn_id, role, holder FROM prior_holder ORDER BY txn_id").all();
  assert.deepEqual(rows.map((row) => ({ ...row })), [
    { txn_id: 1, role: "registryd", holder: null },
    { txn_id: 2, role: "registryd", holder: "loregd" },
  ]);
});

Deno.test("C-MAT-02, C-MAT-03: a slot the holder does not fill has no links", async () => {
  using world = new World();
  const wanting: PackageSpec = {
    name: "wanting",
    files: { "/usr/bin/wanting": "w" },
    optional: { registryd: { admin: { path: "/usr/libexec/wanting/admin" } } },
  };
  await world.run([install(LORE), install(wanting)]);
  assert.equal(link(world, "/usr/libexec/wanting/admin"), undefined);
  assert.deepEqual(readClaimLinks(world.database).map(({ path }) => path), [PATH]);
});

Deno.test("C-ELIG-03, C-CONC-09: a consumer alone holds nothing", async () => {
  using world = new World();
  await world.run([install(CONSUMER)]);
  assert.equal(readHolder(world.database, "registryd"), undefined);
  assert.equal(link(world, "/usr/libexec/consumer/registry"), undefined);
});

Deno.test("C-MAT-08: a target nobody owns is no target", async () => {
  using world = new World();
  const hollow: PackageSpec = { ...LORE, name: "hollow", files: { "/usr/bin/hollow": "h" } };
  await refused(world, [install(hollow)], "CLAIM_TARGET_NOT_OWNED");
});

Deno.test("C-FLAG-04: with --no-claim --claim only the named role is taken", async () => {
  using world = new World();
  const both: PackageSpec = {
    ...LORE,
    provides: { ...LORE.provides, other: { binary: { target: "/usr/bin/loregd", path: "/usr/bin/otherd" } } },
  };
  await world.run([install(both)], { claims: { none: true, forced: ["registryd"] } });
  assert.deepEqual([readHolder(world.database, "registryd"), readHolder(world.database, "other")], [
    "loregd",
    undefined,
  ]);
});

Deno.test("C-REC-22: a stored manifest that cannot be read blocks nothing", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  world.database.statement("UPDATE package SET manifest = '{\"claims\":' WHERE name = 'loregd'").run();
  const report = await world.run([install(CONSUMER)], { allowCritical: true });
  assert.ok(report.warnings.some(({ rule }) => rule === "W_MANIFEST_STALE"));
});

Deno.test("C-REC-20, C-TXN-03, FP-35: a repointed link is never absent", async () => {
  using world = new World();
  await world.run([install(LORE)]);
  let looks = 0;
  world.control(
    new FaultControl(() => {
      looks++;
      assert.ok(world.fileSystem.node(PATH) !== undefined);
    }),
  );
  await world.run([install(ALT)], { claims: { forced: ["registryd"] } });
  assert.ok(looks > 10);
});

Deno.test("C-TXN-07: a claim link that looks like a library makes ldconfig due", async () => {
  using world = new World();
  const spec: PackageSpec = {
    name: "blas",
    files: { "/usr/lib/x86_64-a-b/blas-fast": "b" },
    provides: {
      libblas: { library: { target: "/usr/lib/x86_64-a-b/blas-fast", path: "/usr/lib/x86_64-a-b/libblas.so.3" } },
    },
  };
  const report = await world.run([install(spec)]);
  assert.deepEqual(report.sideEffects.map(({ effect }) => effect), ["ldconfig"]);
});

Deno.test("C-MAT-12, C-SEC-03: a claim path in a drop-in directory needs an official package", async () => {
  using world = new World();
  const spec: PackageSpec = {
    name: "shell",
    files: { "/usr/bin/shell": "s" },
    provides: { profile: { script: { target: "/usr/bin/shell", path: "/etc/profile.d/shell.sh" } } },
    repository: "extra",
    official: false,
  };
  await refused(world, [install(spec)], "E_DEST_DROPIN");
  await world.run([install({ ...spec, official: true })]);
});
