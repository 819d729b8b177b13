import assert from "node:assert/strict";
import { AuditTrail } from "../../../core/audit/sink.ts";
import { walkAuditLog } from "../../../core/audit/log.ts";
import type { AuditEvent } from "../../../core/audit/record.ts";
import { SystemCallError } from "../../../core/errors.ts";
import type { KernelEventResult } from "../../../core/system.ts";
import { type TestSession, testSession, TestSystem, type TestSystemOptions } from "../../support/fault_system.ts";
import { FaultControl } from "../../support/memory_root.ts";
import { refusedBy } from "../../support/refusals.ts";

const LOG = "/var/log/peipkg/audit.jsonl";

interface Fixture extends Disposable {
  readonly system: TestSystem;
  readonly session: TestSession;
  readonly trail: AuditTrail;
  readonly pauses: number[];
}

function openFixture(
  options: TestSystemOptions & {
    readonly hasInstallation?: boolean;
    readonly copyTo?: string;
    readonly session?: Partial<TestSession>;
  } = {},
): Fixture {
  const system = new TestSystem(options);
  const session = testSession(system);
  const root = system.openRoot("/");
  const pauses: number[] = [];
  const trail = AuditTrail.open(session, root, {
    hasInstallation: () => options.hasInstallation ?? true,
    pause(milliseconds) {
      pauses.push(milliseconds);
      system.advance(milliseconds);
    },
    ...(options.copyTo === undefined ? {} : {
      openEventLog: () => {
        const directory = root.openDirectory(options.copyTo ?? "/");
        return directory === undefined ? undefined : { directory, name: "events.jsonl" };
      },
    }),
  });
  return {
    system,
    session,
    trail,
    pauses,
    [Symbol.dispose]() {
      trail[Symbol.dispose]();
      root[Symbol.dispose]();
    },
  };
}

const removal: AuditEvent = {
  type: "peipkg.uninstall",
  outcome: "success",
  startedAt: 0,
  package: { name: "nginx", version: "1.0-1", architecture: "x86_64" },
};
const rejection: AuditEvent = {
  type: "peipkg.transaction-failed",
  outcome: "rejection",
  reason: "E_NO_CANDIDATE",
  startedAt: 0,
  packages: [],
};
const refused = (errno: string): KernelEventResult => ({ kind: "refused", errno });
const ACCEPTED: KernelEventResult = { kind: "accepted" };

function logText(fixture: Fixture, path = LOG): string {
  const slash = path.lastIndexOf("/");
  using root = fixture.system.openRoot("/");
  using directory = root.openDirectory(path.slice(0, slash) || "/");
  if (directory?.status(path.slice(slash + 1)) === undefined) return "";
  using file = directory.openFile(path.slice(slash + 1));
  const buffer = new Uint8Array(file.status().sizeBytes);
  file.readAt(buffer, 0);
  return new TextDecoder().decode(buffer);
}

function warnings(fixture: Fixture): readonly string[] {
  return fixture.session.events.flatMap((event) => event.kind === "warning" ? [event.warning.rule] : []);
}

Deno.test("A-SINK-01: a kernel that accepts an event is the only sink", () => {
  using fixture = openFixture({ kernelEvents: [ACCEPTED] });
  assert.deepEqual(fixture.trail.emit(removal), { stored: true });
  assert.equal(fixture.system.kernelEvents[0]?.type, "peipkg.uninstall");
  assert.equal(fixture.system.kernelEvents[0]?.payload[0], 0x88);
  assert.equal(logText(fixture), "");
  assert.deepEqual(warnings(fixture), []);
});

Deno.test("A-SINK-03, A-KMES-11: without kernel events the log is used, silently, and the kernel is not asked again", () => {
  using fixture = openFixture();
  assert.deepEqual(fixture.trail.emit(removal), { stored: true });
  fixture.trail.emit(removal);
  assert.equal(fixture.system.kernelEvents.length, 1);
  assert.equal(logText(fixture).split("\n").length, 3);
  assert.deepEqual(warnings(fixture), []);
});

Deno.test("A-SINK-02, A-KMES-12, A-KMES-15: a kernel that refuses gives one warning a run, and the log takes the events", async (t) => {
  for (const errno of ["EPERM", "EINVAL", "EFAULT"]) {
    await t.step(errno, () => {
      using fixture = openFixture({ kernelEvents: [refused(errno)] });
      assert.deepEqual(fixture.trail.emit(removal), { stored: true });
      fixture.trail.emit(removal);
      assert.equal(fixture.system.kernelEvents.length, 2);
      assert.deepEqual(warnings(fixture), ["AUDIT_WRITE_FAILED"]);
      assert.equal(logText(fixture).split("\n").length, 3);
    });
  }
});

Deno.test("A-KMES-13: EAGAIN is waited out five times, ever longer, then the log takes the event", () => {
  using patient = openFixture({ kernelEvents: [refused("EAGAIN"), refused("EAGAIN"), ACCEPTED] });
  patient.trail.emit(removal);
  assert.deepEqual(patient.pauses, [10, 20]);
  assert.equal(logText(patient), "");
  using givenUp = openFixture({ kernelEvents: [refused("EAGAIN")] });
  assert.deepEqual(givenUp.trail.emit(removal), { stored: true });
  assert.deepEqual(givenUp.pauses, [10, 20, 40, 80, 160]);
  assert.notEqual(logText(givenUp), "");
});

Deno.test("A-KMES-10, A-KMES-16: EINTR is repeated, ENOMEM once", () => {
  using fixture = openFixture({ kernelEvents: [refused("EINTR"), refused("ENOMEM"), ACCEPTED] });
  fixture.trail.emit(removal);
  assert.equal(fixture.system.kernelEvents.length, 3);
  using short = openFixture({ kernelEvents: [refused("ENOMEM")] });
  short.trail.emit(removal);
  assert.equal(short.system.kernelEvents.length, 2);
  assert.notEqual(logText(short), "");
});

Deno.test("A-KMES-14: ENOSPC cuts the detail, then divides the packages, then uses the log", () => {
  const failed: AuditEvent = {
    ...rejection,
    type: "peipkg.transaction-failed",
    outcome: "rejection",
    detail: "d".repeat(900),
    packages: ["aa", "bb", "cc"].map((name) => ({ name, version: "1-1", architecture: "noarch" })),
  };
  using cut = openFixture({ kernelEvents: [refused("ENOSPC"), ACCEPTED] });
  cut.trail.emit(failed);
  const [whole, shortened] = cut.system.kernelEvents.map(({ payload }) => payload.length);
  assert.ok(whole !== undefined && shortened !== undefined && whole - shortened > 600);
  using divided = openFixture({ kernelEvents: [refused("ENOSPC"), refused("ENOSPC"), ACCEPTED] });
  assert.deepEqual(divided.trail.emit(failed), { stored: true });
  assert.equal(divided.system.kernelEvents.length, 4);
  assert.equal(logText(divided), "");
  using full = openFixture({ kernelEvents: [refused("ENOSPC")] });
  assert.deepEqual(full.trail.emit(failed), { stored: true });
  assert.notEqual(logText(full), "");
});

Deno.test("A-SINK-04, A-EVENT-25: when both sinks fail nothing throws, and the loss is told once with its number", () => {
  using broken = openFixture({ kernelEvents: [refused("EPERM")] });
  broken.system.fileSystem.tree.root.entries.clear();
  using root = broken.system.openRoot("/");
  using top = root.openDirectory("/");
  top?.makeSymlink("var", "/elsewhere");
  assert.deepEqual(broken.trail.emit(removal), { stored: false });
  assert.deepEqual(broken.trail.emit(removal), { stored: false });
  broken.trail.finish(true);
  const texts = broken.session.events.flatMap((event) => event.kind === "warning" ? [event.warning.text] : []);
  assert.equal(texts.length, 2);
  assert.match(texts[1] ?? "", /^2 audit events were not recorded/);
});

Deno.test("A-LOG-08: a caller who may not write the log is bothered only when something was changed", () => {
  for (const [changed, expected] of [[false, []], [true, ["AUDIT_WRITE_FAILED"]]] as const) {
    const faults = new FaultControl((_n, call) => {
      if (call === "append" || call === "mkdirat") throw new SystemCallError("EACCES", call, "/");
    });
    using fixture = openFixture({ faults });
    assert.deepEqual(fixture.trail.emit(rejection), { stored: false });
    fixture.trail.finish(changed);
    assert.deepEqual(warnings(fixture), expected);
  }
});

Deno.test("A-AUTH-09: an elevated action without a transaction is refused when nothing keeps its evidence", () => {
  const evidence = {
    type: "peipkg.authorisation",
    outcome: "success",
    startedAt: 0,
    authorisation: { action: "AUTH_STALE_TRUST", subject: "official", statement: "old index", method: "flag" },
  } as const;
  using kept = openFixture();
  kept.trail.recordEvidence(evidence);
  assert.match(logText(kept), /AUTH_STALE_TRUST/);
  const faults = new FaultControl((_n, call) => {
    if (call === "append" || call === "mkdirat") throw new SystemCallError("EROFS", call, "/");
  });
  using refusedFixture = openFixture({ faults });
  assert.throws(
    () => refusedFixture.trail.recordEvidence(evidence),
    refusedBy("AUDIT_EVIDENCE_UNRECORDED"),
  );
});

Deno.test("T-DB-17: a refusal leaves an empty root empty", () => {
  using fixture = openFixture({ hasInstallation: false });
  assert.deepEqual(fixture.trail.emit(rejection), { stored: false });
  fixture.trail.finish(false);
  assert.equal(fixture.system.fileSystem.node("/var"), undefined);
  assert.deepEqual(warnings(fixture), []);
});

Deno.test("A-LOG-11: the named file receives a copy on every kernel, and its failure is one warning", () => {
  using fixture = openFixture({ kernelEvents: [ACCEPTED], copyTo: "/" });
  fixture.trail.emit(removal);
  fixture.trail.emit(removal);
  assert.equal(logText(fixture, "/events.jsonl").split("\n").length, 3);
  assert.equal(logText(fixture), "");
  using missing = openFixture({ copyTo: "/nowhere" });
  assert.deepEqual(missing.trail.emit(removal), { stored: true });
  missing.trail.emit(removal);
  assert.deepEqual(warnings(missing), ["AUDIT_WRITE_FAILED"]);
});

Deno.test("A-LOG-02: a line too long for the log is divided by its packages", () => {
  using fixture = openFixture();
  const packages = Array.from({ length: 900 }, (_, i) => ({
    name: `package-${i}`,
    version: "1.2.3-4",
    architecture: "x86_64",
    packageHash: "ab".repeat(32),
  }));
  fixture.trail.emit({ ...rejection, type: "peipkg.transaction-failed", outcome: "rejection", packages });
  const lines = logText(fixture).trimEnd().split("\n");
  assert.ok(lines.length > 1);
  assert.ok(lines.every((line) => new TextEncoder().encode(line).length < 64 * 1024));
  const parsed = lines.map((line) => JSON.parse(line));
  assert.equal(parsed.reduce((sum, { packages }) => sum + packages.length, 0), 900);
  assert.deepEqual(parsed.map(({ part }) => part), parsed.map((_, index) => index + 1));
  using root = fixture.system.openRoot("/");
  using directory = root.openDirectory("/var/log/peipkg");
  assert.ok(directory !== undefined);
  assert.equal(walkAuditLog(directory), undefined);
});
