/** Security descriptors inside transactions: gates, questions, application, rollback, records. */
import assert from "node:assert/strict";
import { PeipkgError, SystemCallError } from "../../../core/errors.ts";
import { readSdOverrides } from "../../../core/store/roles.ts";
import type { Evidence, TransactionInput, TransactionQuestion } from "../../../core/transaction/input.ts";
import {
  ADMINISTRATORS,
  descriptor,
  EVERYONE,
  FULL,
  INHERITABLE,
  READ,
  SYSTEM,
  USERS,
} from "../../support/descriptors.ts";
import { resolveIndeterminate } from "../../../core/transaction/resolution.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type PackageSpec, type RunOptions, World } from "./world.ts";

const USER = "S-1-5-21-1-2-3-1001";
const CLOSED = descriptor({
  owner: ADMINISTRATORS,
  control: 0x1000,
  dacl: [{ sid: SYSTEM, mask: FULL, flags: INHERITABLE }],
});
const OPEN = descriptor({ dacl: [{ sid: EVERYONE, mask: FULL }] });
const READABLE = descriptor({ dacl: [{ sid: USERS, mask: READ }] });
const TO_USER = descriptor({ dacl: [{ sid: USER, mask: READ }] });

const trust = (isOfficial: boolean, isAllowed: boolean, allowedSids: readonly string[] = []) => ({
  isOfficial,
  isAllowed,
  allowedSids,
});
const TRUST: NonNullable<TransactionInput["options"]["descriptorTrust"]> = new Map([
  ["official", trust(true, true)],
  ["extra", trust(false, true)],
  ["listed", trust(false, true, [USER])],
  ["closed", trust(false, false)],
]);

const OPTIONS: RunOptions = { descriptorTrust: TRUST };

/** Refuses one kind of call, from its n-th time on. */
function refusing(call: string, errno: string, from = 1, where: (path: string) => boolean = () => true): FaultControl {
  let count = 0;
  return new FaultControl((_, name, path) => {
    if (name === call && where(path) && ++count >= from) throw new SystemCallError(errno, call, path);
  });
}

/** An operator who answers and remembers the questions. */
class Operator {
  readonly questions: Extract<TransactionQuestion, { readonly kind: "authorise" }>[] = [];
  constructor(readonly answer: "yes" | "no" | "unavailable" = "yes") {}

  readonly ask: TransactionInput["ask"] = (question) => {
    if (question.kind !== "authorise") throw new Error("an unexpected question");
    this.questions.push(question);
    if (this.answer !== "yes") return Promise.resolve({ kind: "authorise", answer: this.answer });
    const evidence: Evidence = {
      action: question.action,
      subject: question.subject,
      statement: `${question.action} ${question.data["path"] ?? ""}`,
      method: "tty",
      planDigest: "d1",
    };
    return Promise.resolve({ kind: "authorise", answer: "yes", evidence });
  };

  get subjects(): readonly string[] {
    return this.questions.map(({ action, subject }) => `${action} ${subject}`);
  }
}

function demo(overrides: Readonly<Record<string, Uint8Array>>, more: Partial<PackageSpec> = {}): PackageSpec {
  return {
    name: "demo",
    files: { "/usr/lib/demo/": null, "/usr/lib/demo/tool": "tool", "/usr/bin/demo": "demo" },
    sdOverrides: overrides,
    ...more,
  };
}

const kacs = (tree = {}) => new World({ hasKacs: true, tree });
const states = (world: World) =>
  readSdOverrides(world.database).map(({ path, package: name, state }) => `${name} ${path} ${state}`);

async function refusal(promise: Promise<unknown>): Promise<PeipkgError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PeipkgError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

// --- Application on a kernel that has it -------------------------------------------------------------------------

Deno.test("F-SDP-01, A-SDA-10, A-SDA-11, A-SDA-12, A-SDA-17: objects are made with their descriptor, others inherit", async () => {
  using world = kacs();
  const calls: string[] = [];
  world.control(new FaultControl((_, call, path) => void calls.push(`${call} ${path}`)));
  const report = await world.run([{
    kind: "install",
    package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }),
  }], OPTIONS);
  assert.deepEqual(world.securities(), {
    "/usr/bin/demo": "D:(A;;FR;;;BU)",
    "/usr/lib/demo": "O:BAD:P(A;OICI;FA;;;SY)",
  });
  assert.deepEqual(states(world), ["demo /usr/bin/demo applied", "demo /usr/lib/demo applied"]);
  assert.deepEqual(report.descriptors.map(({ path, state }) => [path, state]), [
    ["/usr/bin/demo", "applied"],
    ["/usr/lib/demo", "applied"],
  ]);
  // A-SDA-14: the directory's descriptor is there before any file of the transaction.
  const made = calls.indexOf("kacs_open /usr/lib/demo");
  const written = calls.findIndex((call) => call.startsWith("write "));
  assert.ok(made >= 0 && made < written, calls.join("\n"));
});

Deno.test("T-MODE-03: a native creation's mode does not show through", async () => {
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) }], OPTIONS);
  assert.equal(world.fileSystem.node("/usr/bin/demo")?.mode, 0o777);
  assert.equal(world.fileSystem.node("/usr/lib/demo")?.mode, 0o777);
});

Deno.test("A-SDA-12, A-SDA-13: a directory that is there gets exactly the components declared, and back", async () => {
  using world = kacs({ "/usr/lib/demo/": "" });
  const before = world.fileSystem.node("/usr/lib/demo");
  assert.ok(before !== undefined);
  before.security = descriptor({
    owner: USERS,
    group: USERS,
    dacl: [{ sid: USERS }],
    sacl: [{ type: 2, flags: 0x40 }],
  });
  await world.run([{ kind: "install", package: demo({ "usr/lib/demo": READABLE }) }], OPTIONS);
  assert.equal(world.securities()["/usr/lib/demo"], "O:BUG:BUD:(A;;FR;;;BU)S:(AU;SA;FR;;;WD)");
  const row = world.database.statement("SELECT path, action, hex(old_sd) AS old FROM txn_dir WHERE action = 'set-sd'")
    .all();
  assert.equal(row.length, 1);
});

Deno.test("F-SDP-06, A-SDA-15, FP-21: a kernel that refuses fails the transaction and everything is as before", async () => {
  using world = kacs({ "/usr/lib/demo/": "", "/usr/lib/first/": "" });
  for (const path of ["/usr/lib/demo", "/usr/lib/first"]) {
    const node = world.fileSystem.node(path);
    assert.ok(node !== undefined);
    node.security = descriptor({ owner: USERS, dacl: [{ sid: USERS, mask: FULL }] });
  }
  const before = { tree: world.tree({ inodes: true }), securities: world.securities(), rows: world.rows() };
  // The second of the two is refused; putting the first back is not.
  world.control(refusing("kacs_set_sd", "EPERM", 1, (path) => path === "/usr/lib/first"));
  const error = await refusal(world.run([{
    kind: "install",
    package: demo({ "usr/lib/demo": CLOSED, "usr/lib/first": CLOSED }, {
      files: { "/usr/lib/demo/tool": "tool", "/usr/lib/first/": null },
    }),
  }], OPTIONS));
  assert.deepEqual([error.code, error.detail.rule, error.detail.rolledBack], ["denied", "SD_APPLY_FAILED", true]);
  assert.deepEqual(error.detail.paths?.map(({ path }) => path), ["/usr/lib/first"]);
  assert.deepEqual({ tree: world.tree({ inodes: true }), securities: world.securities(), rows: world.rows() }, before);
});

Deno.test("FP-63: a directory whose descriptor cannot be put back is left to the operator, and comes back later", async () => {
  using world = kacs({ "/usr/lib/demo/": "", "/usr/lib/first/": "" });
  for (const path of ["/usr/lib/demo", "/usr/lib/first"]) {
    const node = world.fileSystem.node(path);
    assert.ok(node !== undefined);
    node.security = descriptor({ owner: USERS, dacl: [{ sid: USERS, mask: FULL }] });
  }
  const before = { tree: world.tree({ inodes: true }), securities: world.securities(), rows: world.rows() };
  // The second directory is refused, and so is everything after it: the first cannot be put back.
  world.control(refusing("kacs_set_sd", "EPERM", 2));
  const error = await refusal(world.run([{
    kind: "install",
    package: demo({ "usr/lib/demo": CLOSED, "usr/lib/first": CLOSED }, {
      files: { "/usr/lib/demo/tool": "tool", "/usr/lib/first/": null },
    }),
  }], OPTIONS));
  assert.deepEqual([error.code, error.detail.rule, error.detail.rolledBack], [
    "indeterminate",
    "ROLLBACK_FAILED",
    false,
  ]);
  world.restart();
  const outcome = await resolveIndeterminate(world.recoveryContext(), "{}", () => assert.fail("nothing to ask"));
  assert.equal(outcome.kind, "rolled-back");
  assert.deepEqual({ tree: world.tree({ inodes: true }), securities: world.securities(), rows: world.rows() }, before);
});

Deno.test("A-SDA-15, FP-25: a refused creation is SD_APPLY_FAILED, a full disk is a full disk", async () => {
  for (
    const [errno, rule] of [["EPERM", "SD_APPLY_FAILED"], ["EINVAL", "SD_APPLY_FAILED"], [
      "ENOSPC",
      "DISK_SPACE",
    ]] as const
  ) {
    for (const [call, from] of [["kacs_open", 1], ["kacs_open", 2]] as const) {
      using world = kacs();
      world.control(refusing(call, errno, from)); // the directory, then the file
      const error = await refusal(
        world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) }], OPTIONS),
      );
      assert.equal(error.detail.rule, rule, `${call} ${from} ${errno}`);
      assert.deepEqual(Object.keys(world.securities()), []);
    }
  }
});

Deno.test("A-SDA-18: a replaced file is made with its descriptor, an untouched one is given it", async () => {
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE }) }], OPTIONS);
  const inode = world.fileSystem.node("/usr/bin/demo")?.inode;
  await world.run([{ kind: "upgrade", package: demo({ "usr/bin/demo": CLOSED }, { version: "2.0-1" }) }], OPTIONS);
  assert.equal(world.fileSystem.node("/usr/bin/demo")?.inode, inode);
  assert.equal(world.securities()["/usr/bin/demo"], "O:BAD:P(A;OICI;FA;;;SY)");
  const files = { "/usr/lib/demo/tool": "tool", "/usr/bin/demo": "new demo" };
  await world.run([
    { kind: "upgrade", package: demo({ "usr/bin/demo": READABLE }, { version: "3.0-1", files }) },
  ], OPTIONS);
  assert.notEqual(world.fileSystem.node("/usr/bin/demo")?.inode, inode);
  assert.equal(world.securities()["/usr/bin/demo"], "D:(A;;FR;;;BU)");
});

Deno.test("A-SDA-18, A-SDA-17: a file whose descriptor is dropped is made anew and inherits", async () => {
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) }], OPTIONS);
  const inode = world.fileSystem.node("/usr/bin/demo")?.inode;
  await world.run([{ kind: "upgrade", package: demo({ "usr/lib/demo": CLOSED }, { version: "2.0-1" }) }], OPTIONS);
  assert.notEqual(world.fileSystem.node("/usr/bin/demo")?.inode, inode);
  assert.deepEqual(world.securities(), { "/usr/lib/demo": "O:BAD:P(A;OICI;FA;;;SY)" });
  assert.deepEqual(states(world), ["demo /usr/lib/demo applied"]);
});

Deno.test("A-SDA-17, T-CLEAN-06: rows go with their objects; a directory that stays keeps its row", async () => {
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) }], OPTIONS);
  world.write({ "/usr/lib/demo/mine": "mine" });
  await world.run([{ kind: "remove", name: "demo" }], OPTIONS);
  assert.deepEqual(states(world), ["demo /usr/lib/demo applied"]);
  world.remove("/usr/lib/demo/mine");
  await world.run([{ kind: "install", package: demo({}) }], OPTIONS);
  await world.run([{ kind: "remove", name: "demo" }], OPTIONS);
  assert.deepEqual(states(world), []);
  assert.equal(world.fileSystem.node("/usr/lib/demo"), undefined);
});

Deno.test("T-ETC-03: an edited file and the new default beside it both get the declared descriptor", async () => {
  using world = kacs();
  const conf = (text: string, version: string, sd: Uint8Array): PackageSpec =>
    demo({ "etc/demo.conf": sd }, { version, files: { "/etc/demo.conf": text } });
  await world.run([{ kind: "install", package: conf("one\n", "1.0-1", READABLE) }], OPTIONS);
  world.edit("/etc/demo.conf", "mine\n");
  await world.run([{ kind: "upgrade", package: conf("two\n", "2.0-1", CLOSED) }], OPTIONS);
  assert.deepEqual(world.securities(), {
    "/etc/demo.conf": "O:BAD:P(A;OICI;FA;;;SY)",
    "/etc/demo.conf.peipkg-new": "O:BAD:P(A;OICI;FA;;;SY)",
  });
});

Deno.test("T-COLL-06: an adopted file gets the declared descriptor", async () => {
  using world = kacs({ "/usr/bin/demo": { mode: 0o755, text: "demo" } });
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE }) }], OPTIONS);
  assert.equal(world.securities()["/usr/bin/demo"], "D:(A;;FR;;;BU)");
});

// --- Kernels without it ------------------------------------------------------------------------------------------

Deno.test("A-SDA-30, A-SDA-34, A-THREAT-32: without access control such a package is refused, others are not", async () => {
  using world = new World();
  const spec = demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED });
  const error = await refusal(world.run([{ kind: "install", package: spec }], OPTIONS));
  assert.deepEqual([error.code, error.detail.rule, error.detail.package], [
    "sd-override",
    "SD_UNSUPPORTED_KERNEL",
    "demo",
  ]);
  assert.deepEqual(error.detail.lines, ["/usr/bin/demo", "/usr/lib/demo"]);
  assert.equal(world.fileSystem.node("/usr/bin/demo"), undefined);
  await world.run([{ kind: "install", package: demo({}) }], OPTIONS);
});

Deno.test("A-SDA-16: an unclear answer of the kernel is no permission to store or ignore", async () => {
  for (const sdOverrides of ["store", "ignore"] as const) {
    using world = new World();
    world.control(refusing("kacs_get_sd", "EACCES"));
    const error = await refusal(
      world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE }) }], { ...OPTIONS, sdOverrides }),
    );
    assert.equal(error.detail.rule, "SD_APPLY_FAILED", sdOverrides);
  }
});

Deno.test("A-SDA-31: store writes the attribute of files and directories, new and old", async () => {
  using world = new World({ tree: { "/usr/lib/demo/": "" } });
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) }], {
    ...OPTIONS,
    sdOverrides: "store",
  });
  assert.deepEqual(world.securities(), {
    "/usr/bin/demo": "stored D:(A;;FR;;;BU)",
    "/usr/lib/demo": "stored O:BAD:P(A;OICI;FA;;;SY)",
  });
  assert.deepEqual(states(world), ["demo /usr/bin/demo stored", "demo /usr/lib/demo stored"]);
});

Deno.test("A-SDA-31: a refused attribute rolls back, and what was stored before is there again", async () => {
  for (const old of [undefined, READABLE]) {
    for (const errno of ["EPERM", "ENOTSUP", "ENOSPC", "ERANGE"]) {
      using world = new World({ tree: { "/usr/lib/demo/": "" } });
      const node = world.fileSystem.node("/usr/lib/demo");
      if (old !== undefined) node?.attributes.set("security.peios.sd", old);
      const before = world.securities();
      // The directory takes it, the file does not.
      world.control(refusing("fsetxattr", errno, 1, (path) => path !== "/usr/lib/demo"));
      const error = await refusal(
        world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) }], {
          ...OPTIONS,
          sdOverrides: "store",
        }),
      );
      assert.equal(error.detail.rolledBack, true, errno);
      assert.equal(error.detail.rule, errno === "ENOSPC" ? "DISK_SPACE" : "SD_APPLY_FAILED");
      assert.deepEqual(world.securities(), before);
    }
  }
});

Deno.test("A-SDA-32, A-AUTH-A12: ignore is asked for each package and recorded", async () => {
  using world = new World();
  const operator = new Operator();
  const options: RunOptions = { ...OPTIONS, sdOverrides: "ignore", ask: operator.ask };
  const other: PackageSpec = {
    name: "other",
    files: { "/usr/bin/other": "o" },
    sdOverrides: { "usr/bin/other": READABLE },
  };
  const report = await world.run([
    { kind: "install", package: demo({ "usr/bin/demo": READABLE, "usr/lib/demo": CLOSED }) },
    { kind: "install", package: other },
  ], options);
  assert.deepEqual(operator.subjects, ["AUTH_SD_UNSUPPORTED demo", "AUTH_SD_UNSUPPORTED other"]);
  assert.deepEqual(operator.questions[0]?.data, { package: "demo", version: "1.0-1", count: "2" });
  assert.deepEqual(world.securities(), {});
  assert.deepEqual(states(world), [
    "demo /usr/bin/demo not-applied",
    "demo /usr/lib/demo not-applied",
    "other /usr/bin/other not-applied",
  ]);
  assert.ok(report.descriptors.every(({ state }) => state === "not-applied"));
  const rows = world.database.statement(
    "SELECT action_code, subject, method, plan_digest FROM authorisation ORDER BY id",
  ).all();
  assert.deepEqual(rows.map((row) => [row["action_code"], row["subject"], row["method"], row["plan_digest"]]), [
    ["AUTH_SD_UNSUPPORTED", "demo", "tty", "d1"],
    ["AUTH_SD_UNSUPPORTED", "other", "tty", "d1"],
  ]);
});

Deno.test("A-SDA-33: store and ignore pass both gates too", async () => {
  for (const sdOverrides of ["store", "ignore"] as const) {
    using world = new World();
    const operator = new Operator();
    const options: RunOptions = { ...OPTIONS, sdOverrides, ask: operator.ask };
    const spec = demo({ "usr/bin/demo": OPEN }, { repository: "extra", official: false });
    await world.run([{ kind: "install", package: spec }], options);
    assert.equal(operator.subjects[0], "AUTH_SD_OVERRIDE /usr/bin/demo");
    assert.ok(operator.questions[0]?.display.includes("  inheritance unknown"));
    const closed = { ...spec, name: "other", files: { "/usr/bin/other": "" }, sdOverrides: { "usr/bin/other": OPEN } };
    const error = await refusal(
      world.run([{ kind: "install", package: { ...closed, repository: "closed" } }], options),
    );
    assert.equal(error.detail.rule, "E_SD_POLICY");
  }
});

// --- Gates -------------------------------------------------------------------------------------------------------

Deno.test("A-SDP-03, A-SDP-09, A-SDP-12: gate 1 refuses the package and names the key", async () => {
  for (const repository of ["closed", "unknown"]) {
    using world = kacs();
    const spec = demo({ "usr/bin/demo": READABLE }, { repository, official: true });
    const innocent: PackageSpec = { name: "innocent", files: { "/usr/bin/innocent": "i" }, repository };
    const error = await refusal(
      world.run([{ kind: "install", package: innocent }, { kind: "install", package: spec }], OPTIONS),
    );
    assert.deepEqual([error.code, error.detail.rule, error.detail.repository], [
      "sd-override",
      "E_SD_POLICY",
      repository,
    ]);
    assert.match(error.message, /allow_sd_overrides/);
    assert.equal(world.fileSystem.node("/usr/bin/innocent"), undefined, "the transaction goes with it");
    await world.run([{ kind: "install", package: innocent }], OPTIONS);
  }
});

Deno.test("F-SDP-02, A-SDP-01, A-SDP-02, A-SDP-04, A-AUTH-02, A-AUTH-A11: each path that needs it is shown and asked on its own", async () => {
  using world = kacs();
  const operator = new Operator();
  const spec = demo({ "usr/bin/demo": OPEN, "usr/lib/demo": CLOSED, "usr/lib/demo/tool": TO_USER }, {
    repository: "extra",
    official: false,
  });
  await world.run([{ kind: "install", package: spec }], { ...OPTIONS, ask: operator.ask });
  assert.deepEqual(operator.subjects, ["AUTH_SD_OVERRIDE /usr/bin/demo", "AUTH_SD_OVERRIDE /usr/lib/demo/tool"]);
  assert.equal(operator.questions[0]?.data["summary"], "allow Everyone (S-1-1-0) full control");
  assert.ok(operator.questions[0]?.display.some((line) => line.includes("allow Everyone (S-1-1-0): full control")));
  assert.equal(operator.questions[0]?.pending?.length, 2);
});

Deno.test("F-SDP-03, A-SDP-03: the official repository is applied and reported without a question", async () => {
  using world = kacs();
  const report = await world.run([{ kind: "install", package: demo({ "usr/bin/demo": OPEN }) }], OPTIONS);
  assert.deepEqual(report.descriptors.map(({ path }) => path), ["/usr/bin/demo"]);
});

Deno.test("A-SDP-03: a local file is asked about for each of its paths, also harmless ones", async () => {
  using world = kacs();
  const operator = new Operator();
  const spec = demo({ "usr/bin/demo": READABLE, "usr/lib/demo/tool": READABLE }, { repository: null, official: false });
  await world.run([{ kind: "install", package: spec }], { ...OPTIONS, ask: operator.ask });
  assert.equal(operator.questions.length, 2);
});

Deno.test("A-SDP-05: SIDs of the configuration count for their repository alone", async () => {
  using world = kacs();
  const operator = new Operator();
  const spec = (name: string, repository: string): PackageSpec => ({
    name,
    files: { [`/usr/bin/${name}`]: name },
    sdOverrides: { [`usr/bin/${name}`]: TO_USER },
    repository,
    official: false,
  });
  await world.run([
    { kind: "install", package: spec("one", "listed") },
    { kind: "install", package: spec("two", "extra") },
  ], { ...OPTIONS, ask: operator.ask });
  assert.deepEqual(operator.subjects, ["AUTH_SD_OVERRIDE /usr/bin/two"]);
});

Deno.test("A-AUTH-05, A-AUTH-06, A-SDP-09: a no leaves everything as it was, nobody to ask is a refusal", async () => {
  using world = kacs();
  const before = { tree: world.tree(), rows: world.rows() };
  const spec = demo({ "usr/bin/demo": OPEN }, { repository: "extra", official: false });
  const report = await world.run([{ kind: "install", package: spec }], { ...OPTIONS, ask: new Operator("no").ask });
  assert.deepEqual([report.kind, report.cancelReason], ["cancelled", "authorisation-declined"]);
  const error = await refusal(
    world.run([{ kind: "install", package: spec }], { ...OPTIONS, ask: new Operator("unavailable").ask }),
  );
  assert.equal(error.detail.rule, "E_AUTH_REQUIRED");
  assert.deepEqual({ tree: world.tree(), rows: world.rows() }, before);
  assert.equal(world.database.statement("SELECT id FROM txn").all().length, 0);
});

Deno.test("A-SDP-13: an upgrade asks again only for other bytes or another repository", async () => {
  using world = kacs();
  const run = async (kind: "install" | "upgrade", spec: PackageSpec) => {
    const operator = new Operator();
    await world.run([{ kind, package: spec }], { ...OPTIONS, ask: operator.ask });
    return operator.questions.length;
  };
  const at = (version: string, sd: Uint8Array, repository = "extra") =>
    demo({ "usr/bin/demo": sd }, { version, repository, official: false });
  assert.equal(await run("install", at("1.0-1", OPEN)), 1);
  assert.equal(await run("upgrade", at("2.0-1", OPEN)), 0);
  assert.equal(await run("upgrade", at("3.0-1", TO_USER)), 1);
  assert.equal(await run("upgrade", at("4.0-1", TO_USER, "listed")), 0); // asked nothing: its SID is listed there
  assert.equal(await run("upgrade", at("5.0-1", OPEN, "listed")), 1);
  assert.equal(await run("upgrade", at("6.0-1", OPEN, "extra")), 1);
});

Deno.test("A-SDP-11, T-COLL-15: reserved places are refused for everyone", async () => {
  using world = kacs();
  for (const path of ["var/lib/peipkg", "conf/peipkg/x"]) {
    const spec = demo({ [path]: READABLE }, { files: { [`/${path}/`]: null } });
    const error = await refusal(world.run([{ kind: "install", package: spec }], OPTIONS));
    assert.equal(error.detail.rule, "PATH_RESERVED", path);
  }
});

Deno.test("F-SDP-05, A-SDP-10, A-THREAT-30: what a package's directory passes on is judged with the newcomer's key", async () => {
  const shared = descriptor({ dacl: [{ sid: USER, mask: FULL, flags: INHERITABLE }] });
  const base = demo({ "usr/lib/demo": shared });
  const plugin = (repository: string | null, files = { "/usr/lib/demo/plug/in": "p" }): PackageSpec => ({
    name: "plugin",
    files,
    repository,
    official: false,
  });
  for (const sameTransaction of [false, true]) {
    using world = kacs();
    const install = async (spec: PackageSpec, operator: Operator) => {
      const steps = [{ kind: "install" as const, package: spec }];
      if (sameTransaction) steps.unshift({ kind: "install", package: base });
      else await world.run([{ kind: "install", package: base }], OPTIONS);
      return await world.run(steps, { ...OPTIONS, ask: operator.ask });
    };
    const asked = new Operator();
    await install(plugin("extra"), asked);
    // The directory made in between and the file in it inherit differently: one question each.
    assert.deepEqual(asked.subjects.toSorted(), [
      "AUTH_SD_OVERRIDE /usr/lib/demo/plug",
      "AUTH_SD_OVERRIDE /usr/lib/demo/plug/in",
    ]);
    assert.match(asked.questions[0]?.data["summary"] ?? "", /inherited from \/usr\/lib\/demo$/);
  }
  for (
    const [repository, expected] of [["closed", "E_SD_POLICY"], ["listed", undefined], ["official", undefined]] as const
  ) {
    using world = kacs();
    await world.run([{ kind: "install", package: base }], OPTIONS);
    const operator = new Operator("no");
    const result = world.run([{ kind: "install", package: plugin(repository) }], { ...OPTIONS, ask: operator.ask });
    if (expected === undefined) {
      assert.equal((await result).kind, "committed", repository);
      assert.equal(operator.questions.length, 0);
    } else assert.equal((await refusal(result)).detail.rule, expected);
  }
});

Deno.test("A-SDP-10: nothing inheritable concerns nobody; what cannot be computed is a question", async () => {
  const plugin: PackageSpec = {
    name: "plugin",
    files: { "/usr/lib/demo/in": "p" },
    repository: "closed",
    official: false,
  };
  {
    using world = kacs();
    await world.run([{ kind: "install", package: demo({ "usr/lib/demo": TO_USER }) }], OPTIONS);
    await world.run([{ kind: "install", package: plugin }], OPTIONS);
  }
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/lib/demo": descriptor({ owner: SYSTEM }) }) }], OPTIONS);
  const operator = new Operator();
  await world.run([{ kind: "install", package: { ...plugin, repository: "extra" } }], {
    ...OPTIONS,
    ask: operator.ask,
  });
  assert.deepEqual(operator.subjects, ["AUTH_SD_OVERRIDE /usr/lib/demo/in"]);
});

Deno.test("A-INPUT-14, A-SDP-10: a recorded descriptor that is none is a question, not a crash", async () => {
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/lib/demo": CLOSED }) }], OPTIONS);
  world.database.statement("UPDATE sd_override SET sd = x'0102'").run();
  const plugin: PackageSpec = {
    name: "plugin",
    files: { "/usr/lib/demo/in": "p" },
    repository: "extra",
    official: false,
  };
  const operator = new Operator();
  await world.run([{ kind: "install", package: plugin }], { ...OPTIONS, ask: operator.ask });
  assert.deepEqual(operator.subjects, ["AUTH_SD_OVERRIDE /usr/lib/demo/in"]);
});

Deno.test("A-SDA-20, A-SDA-22, A-SDD-06: the question shows what inheritance would give, if it can be read", async () => {
  using world = kacs();
  const bin = world.fileSystem.node("/usr/bin");
  assert.ok(bin !== undefined);
  bin.security = descriptor({ dacl: [{ sid: ADMINISTRATORS, mask: FULL, flags: INHERITABLE }] });
  const spec = demo({ "usr/bin/demo": OPEN }, { repository: "extra", official: false });
  const shown = new Operator("no");
  await world.run([{ kind: "install", package: spec }], { ...OPTIONS, ask: shown.ask });
  const text = shown.questions[0]?.display.join("\n") ?? "";
  assert.match(text, /Everyone \(S-1-1-0\) gains: full control/);
  assert.match(text, /Administrators \(S-1-5-32-544\) loses: full control/);
  world.control(refusing("kacs_get_sd", "EACCES"));
  const unknown = new Operator("no");
  await world.run([{ kind: "install", package: spec }], { ...OPTIONS, ask: unknown.ask });
  assert.match(unknown.questions[0]?.display.join("\n") ?? "", /inheritance unknown/);
});

Deno.test("T-UNDO-06: kept content is put back with the descriptor declared for it, not the one it had", async () => {
  using world = kacs();
  await world.run([{ kind: "install", package: demo({ "usr/bin/demo": READABLE }) }], OPTIONS);
  const node = world.fileSystem.node("/usr/bin/demo");
  assert.ok(node !== undefined);
  await world.run([
    { kind: "upgrade", package: demo({}, { version: "2.0-1", files: { "/usr/bin/demo": "two" } }) },
  ], OPTIONS);
  node.security = OPEN; // changed while it was kept
  const { openKeptContent } = await import("../../../core/transaction/undo_source.ts");
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, 2);
  await world.run([{ kind: "downgrade", package: demo({ "usr/bin/demo": READABLE }) }], {
    ...OPTIONS,
    kind: "undo",
    undoOf: 2,
    contents: kept.contents,
  });
  assert.equal(world.securities()["/usr/bin/demo"], "D:(A;;FR;;;BU)");
});
