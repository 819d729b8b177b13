/** Roles and claims inside transactions: eligibility, reconciliation, withdrawal, hostile declarations. */
import assert from "node:assert/strict";
import type { ErrorRule } from "../../../core/errors.ts";
import { readOperations } from "../../../core/store/history.ts";
import { journalFiles } from "../../../core/store/journal.ts";
import { readClaimLinks, readHolder, readHolders } from "../../../core/store/roles.ts";
import { openKeptContent } from "../../../core/transaction/undo_source.ts";
import { descriptor, SYSTEM } from "../../support/descriptors.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, type RunOptions, type Step, World } from "./world.ts";
import { refusedBy } from "../../support/refusals.ts";

const PATH = "/usr/bin/registryd";
const install = (spec: PackageSpec, requested = true): Step => ({ kind: "install", package: spec, requested });
const upgrade = (spec: PackageSpec): Step => ({ kind: "upgrade", package: spec });
const remove = (name: string): Step => ({ kind: "remove", name });
const link = (world: World, path = PATH): string | undefined => world.tree()[path]?.split("-> ")[1];
const holder = (world: World, role = "registryd"): string | undefined => readHolder(world.database, role);

function provider(name: string, more: Partial<PackageSpec> = {}): PackageSpec {
  return {
    name,
    files: { [`/usr/bin/${name}`]: name },
    provides: { registryd: { binary: { target: `/usr/bin/${name}`, path: PATH } } },
    ...more,
  };
}

function consumer(name: string, path: string, required = false): PackageSpec {
  const slots = { registryd: { binary: { path } } };
  return { name, files: { [`/usr/bin/${name}`]: name }, ...(required ? { depends: slots } : { optional: slots }) };
}

const grant = (role: string, name: string | undefined): RunOptions => ({
  kind: "claim",
  claims: { assign: [{ role, holder: name, isUndo: false }] },
});

async function refused(world: World, steps: readonly Step[], rule: ErrorRule, options: RunOptions = {}): Promise<void> {
  const before = [world.tree(), world.rows()];
  const check = refusedBy(rule);
  await assert.rejects(world.run(steps, options), check, rule);
  assert.deepEqual([world.tree(), world.rows()], before, rule);
}

Deno.test("C-ELIG-01, C-ELIG-02: only an installed package that declares a target can hold", async () => {
  using world = new World();
  const bare: PackageSpec = { name: "bare", files: { "/usr/bin/bare": "b" }, provides: { registryd: {} } };
  await world.run([install(bare), install(consumer("user", "/usr/libexec/user/r"))]);
  assert.equal(holder(world), undefined);
  await refused(world, [], "CLAIM_NOT_PROVIDER", grant("registryd", "bare"));
  await refused(world, [], "CLAIM_NOT_PROVIDER", grant("registryd", "user"));
  await refused(world, [], "CLAIM_NOT_PROVIDER", grant("registryd", "absent"));
});

Deno.test("C-ELIG-05: depending on a role is enough to declare a path for it", async () => {
  using world = new World();
  await world.run([install(provider("loregd")), install(consumer("user", "/usr/libexec/user/r", true))]);
  assert.equal(link(world, "/usr/libexec/user/r"), "../../bin/loregd");
});

Deno.test("C-REC-01, C-REC-04: every role whose inputs change moves with all its links in one transaction", async () => {
  using world = new World();
  const two = (name: string): PackageSpec =>
    provider(name, {
      provides: {
        registryd: { binary: { target: `/usr/bin/${name}`, path: PATH } },
        other: { main: { target: `/usr/bin/${name}`, path: "/usr/bin/other" } },
      },
    });
  await world.run([install(two("loregd")), install(consumer("user", "/usr/libexec/user/r"))]);
  await world.run([install(two("altregd"))], { claims: { all: true } });
  assert.deepEqual(readHolders(world.database).map(({ role, holder }) => [role, holder as string]), [
    ["other", "altregd"],
    ["registryd", "altregd"],
  ]);
  assert.deepEqual(
    [link(world), link(world, "/usr/bin/other"), link(world, "/usr/libexec/user/r")],
    ["altregd", "altregd", "../../bin/altregd"],
  );
});

Deno.test("C-REC-15, C-WD-01, C-MAT-10: a withdrawn role loses its links and the directories made for them", async () => {
  using world = new World();
  await world.run([install(provider("loregd")), install(consumer("user", "/usr/libexec/user/deep/r"))]);
  const report = await world.run([remove("loregd")]);
  assert.equal(holder(world), undefined);
  assert.deepEqual([link(world), link(world, "/usr/libexec/user/deep/r")], [undefined, undefined]);
  assert.equal(world.tree()["/usr/libexec/user"], undefined);
  assert.deepEqual(readClaimLinks(world.database), []);
  assert.deepEqual(report.holders, [{ role: "registryd", from: "loregd", to: undefined, cause: "withdraw" }]);
});

Deno.test("C-REC-21, T-ROLL-44: claim operations are journal rows and are undone with the rest", async () => {
  using world = new World();
  await world.run([install(provider("loregd")), install(consumer("user", "/usr/libexec/user/r"))]);
  const before = [world.tree(), world.rows()];
  world.control(FaultControl.failAt(2, "EIO", (call) => call === "renameat2"));
  await assert.rejects(world.run([install(provider("altregd"))], { claims: { forced: ["registryd"] } }));
  assert.deepEqual([world.tree(), world.rows()], before);
  const rows = [...journalFiles(world.database, 2)].map(({ path, action }) => [path, action]);
  assert.deepEqual(rows.sort(), [
    ["/usr/bin/altregd", "create"],
    ["/usr/bin/registryd", "repoint"],
    ["/usr/libexec/user/r", "repoint"],
  ]);
});

Deno.test("C-AUTO-07, C-FLAG-01, C-FLAG-03: forced roles and unheld ones together", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  const both = provider("altregd", {
    provides: {
      registryd: { binary: { target: "/usr/bin/altregd", path: PATH } },
      free: { main: { target: "/usr/bin/altregd", path: "/usr/bin/free" } },
    },
  });
  const report = await world.run([install(both)], { claims: { forced: ["registryd"] } });
  assert.deepEqual(report.holders.map(({ role, cause }) => [role, cause]), [["free", "auto"], ["registryd", "force"]]);
});

Deno.test("C-FLAG-01, C-FLAG-02, C-CMD-09: nothing else ever changes the holder of a held role", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  await world.run([install(provider("altregd"))], { claims: { none: true } });
  await world.run([install(provider("thirdregd"), false)], { claims: { all: true } }); // pulled in: forces nothing
  await world.run([upgrade(provider("altregd", { version: "2.0-1" }))]);
  await world.run([{ kind: "reinstall", package: provider("altregd", { version: "2.0-1" }) }]);
  await world.run([remove("thirdregd")]);
  assert.equal(holder(world), "loregd");
  assert.equal(link(world), "loregd");
});

Deno.test("C-CMD-07: a grant moves all slots and paths of the role together", async () => {
  using world = new World();
  const slots = (name: string): PackageSpec =>
    provider(name, {
      files: { [`/usr/bin/${name}`]: name, [`/usr/bin/${name}ctl`]: name },
      provides: {
        registryd: {
          binary: { target: `/usr/bin/${name}`, path: PATH },
          tool: { target: `/usr/bin/${name}ctl`, path: "/usr/bin/registryctl" },
        },
      },
    });
  await world.run([install(slots("loregd")), install(slots("altregd"))]);
  await world.run([], grant("registryd", "altregd"));
  assert.deepEqual([link(world), link(world, "/usr/bin/registryctl")], ["altregd", "altregdctl"]);
});

Deno.test("C-WD-03, C-WD-04: withdrawal names the other providers and the command, and optional users do not mind", async () => {
  using world = new World();
  for (const name of ["thirdregd", "loregd", "altregd"]) {
    await world.run([install(provider(name))], name === "thirdregd" ? { claims: { none: true } } : {});
  }
  await world.run([install(consumer("user", "/usr/libexec/user/r"))]);
  const report = await world.run([remove("loregd")]);
  assert.deepEqual(report.warnings.map(({ text }) => text), [
    'claim "registryd" withdrawn — packages altregd, thirdregd also provide it; ' +
    "run 'peipkg claim registryd grant altregd' to assign a new holder",
  ]);
  assert.equal(holder(world), undefined);
});

Deno.test("C-WD-07: a revoke and a withdrawal are told apart", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  const revoked = await world.run([], grant("registryd", undefined));
  await world.run([], grant("registryd", "loregd"));
  const withdrawn = await world.run([remove("loregd")]);
  assert.deepEqual([revoked.holders[0]?.cause, withdrawn.holders[0]?.cause], ["revoke", "withdraw"]);
  const causes = [1, 2, 3, 4].map((id) =>
    readOperations(world.database, id).filter(({ action }) => action === "claim").map(({ cause }) => cause)
  );
  assert.deepEqual(causes, [["auto"], ["revoke"], ["grant"], ["withdraw"]]);
});

Deno.test("C-TXN-02: holders and links change with the boundary and not before", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  const seen = new Set<string>();
  world.control(
    new FaultControl(() => {
      seen.add(
        JSON.stringify([readHolders(world.database), readClaimLinks(world.database).map(({ target }) => target)]),
      );
    }),
  );
  await world.run([install(provider("altregd"))], { claims: { forced: ["registryd"] } });
  assert.ok(seen.has('[[{"role":"registryd","holder":"loregd"}],["/usr/bin/loregd"]]'));
  assert.equal(seen.size, 2, "only the states before and after are ever seen");
});

Deno.test("C-VOL-02, C-VOL-04, C-VOL-05: links below /run come back by reconciling, and without a word", async () => {
  const volatile = provider("loregd", {
    provides: { registryd: { binary: { target: "/usr/bin/loregd", path: "/run/registryd" } } },
  });
  {
    using world = new World();
    await world.run([install(volatile), install(consumer("user", "/usr/libexec/user/r"))]);
    world.remove("/run/registryd");
    const report = await world.run([], { kind: "claim", claims: { reconcileAll: true } });
    assert.equal(link(world, "/run/registryd"), "../usr/bin/loregd");
    assert.deepEqual(report.files, []);
    // A repoint of a missing volatile link is a creation.
    world.remove("/run/registryd");
    const moved = { ...volatile, version: "2.0-1", files: { "/usr/bin/loregd2": "2" } };
    await world.run([
      upgrade({
        ...moved,
        provides: { registryd: { binary: { target: "/usr/bin/loregd2", path: "/run/registryd" } } },
      }),
    ]);
    assert.equal(link(world, "/run/registryd"), "../usr/bin/loregd2");
  }
  using world = new World();
  await world.run([install(volatile), install(consumer("user", "/usr/libexec/user/r"))], { isSystemRoot: false });
  assert.equal(link(world, "/run/registryd"), undefined);
  assert.equal(link(world, "/usr/libexec/user/r"), "../../bin/loregd");
});

Deno.test("C-LIM-01, C-LIM-04, C-SEC-07: the limit counts the union over all consumers", async () => {
  using world = new World();
  const users = Array.from({ length: 255 }, (_, n) => consumer(`user-${n}`, `/usr/libexec/u${n}/p`));
  await world.run([install(provider("loregd")), ...users.map((spec) => install(spec))]);
  assert.equal(readClaimLinks(world.database).length, 256);
  await refused(world, [install(consumer("last-user", "/usr/libexec/last/p"))], "E_LIMIT_CLAIMS");
});

Deno.test("C-MAT-11, C-SEC-04, C-SEC-08: nothing is written through a link, and what was exchanged is not ours", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  world.write({ "/usr/libexec": { link: "../etc" } });
  await assert.rejects(
    world.run([install(consumer("user", "/usr/libexec/user/r"))]),
    refusedBy("PATH_SYMLINK"),
  );
  assert.equal(world.tree()["/etc/user"], undefined);
  world.remove("/usr/libexec");
  world.remove(PATH);
  world.write({ [PATH]: { link: "/etc/passwd" } });
  await refused(world, [install(provider("altregd"))], "UNOWNED_EXISTS", { claims: { forced: ["registryd"] } });
  const report = await world.run([remove("loregd")]);
  assert.equal(link(world), "/etc/passwd");
  assert.deepEqual(report.warnings.map(({ rule }) => rule), ["CLAIM_LINK_FOREIGN"]);
});

Deno.test("C-SEC-02, C-MAT-05, C-MAT-09: a claim path over a system file or another's file is refused", async () => {
  using world = new World({ tree: { "/etc/passwd": "root" } });
  await world.run([install(provider("loregd")), install({ name: "owner", files: { "/usr/bin/owned": "o" } })]);
  await refused(world, [install(consumer("user", "/etc/passwd"))], "UNOWNED_EXISTS");
  await refused(world, [install(consumer("user", "/usr/bin/owned"))], "CLAIM_PATH_OWNED");
  await refused(world, [install(consumer("user", "/usr/bin/owned/below"))], "PATH_SYMLINK"); // a file is no directory
  await refused(world, [install(consumer("user", "/usr/bin"))], "CLAIM_PATH_OWNED");
  await refused(world, [install(consumer("user", "/var/lib/peipkg/x"))], "PATH_RESERVED");
});

Deno.test("C-SEC-04, C-MAT-06: no claim path lies below another, and no payload below a claim path", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  await refused(world, [install(consumer("user", `${PATH}/below`))], "CLAIM_PATH_OWNED");
  await refused(world, [install({ name: "deep", files: { [`${PATH}/file`]: "x" } })], "CLAIM_PATH_OWNED");
});

Deno.test("C-SEC-05, C-SEC-06, C-AUTO-02, C-WD-02: a live name is neither taken over nor handed on silently", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  await world.run([install(provider("evilregd", { version: "99.0-1" }))]);
  assert.equal(link(world), "loregd");
  await world.run([remove("loregd")]);
  assert.deepEqual([link(world), holder(world)], [undefined, undefined]);
});

Deno.test("C-MAT-13: a claim link carries no descriptor of its own", async () => {
  using world = new World({ hasKacs: true });
  await world.run([
    install(provider("loregd", { sdOverrides: { "usr/bin/loregd": descriptor({ dacl: [{ sid: SYSTEM }] }) } })),
  ], { descriptorTrust: new Map([["official", { isOfficial: true, isAllowed: true, allowedSids: [] }]]) });
  assert.deepEqual(Object.keys(world.securities()), ["/usr/bin/loregd"]);
});

Deno.test("C-TXN-04, C-DEC-03: undo gives a role back to its holder of before, if it can hold it", async () => {
  using world = new World();
  await world.run([install(provider("loregd"))]);
  await world.run([install(provider("altregd"))], { claims: { forced: ["registryd"] } });
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  await world.run([remove("altregd")], {
    kind: "undo",
    undoOf: 2,
    contents: kept.contents,
    claims: { none: true, assign: [{ role: "registryd", holder: "loregd", isUndo: true }] },
  });
  assert.deepEqual([holder(world), link(world)], ["loregd", "loregd"]);
  const report = await world.run([], {
    kind: "undo",
    claims: { none: true, assign: [{ role: "registryd", holder: "altregd", isUndo: true }] },
  });
  assert.equal(holder(world), undefined);
  // One says that it stays unheld, the other who else could hold it.
  assert.match(report.warnings[0]?.text ?? "", /stays unheld: altregd cannot hold it/);
  assert.match(report.warnings[1]?.text ?? "", /claim registryd grant loregd/);
});
