import assert from "node:assert/strict";
import { escapeText } from "../../../cli/escape.ts";
import {
  type AuditEvent,
  buildPayload,
  describeOperator,
  shortenDetail,
  splitPackages,
} from "../../../core/audit/record.ts";
import { TEST_MACHINE } from "../../support/fault_system.ts";

const STARTED_AT = Date.UTC(2026, 4, 19, 14, 2, 10, 987);
const CONTEXT = { invocation: "00".repeat(16), root: "/", operator: { uid: 0 } };
const nginx = { name: "nginx", version: "1.27.5-1", architecture: "x86_64" };

function payload(event: AuditEvent) {
  return buildPayload(event, CONTEXT);
}

Deno.test("A-EVENT-01, A-EVENT-24, A-FIELD-01, A-FIELD-02, A-FIELD-03, A-FIELD-04, A-FIELD-05, A-FIELD-08, A-FIELD-09, A-FIELD-10, A-FIELD-12: an install has its fields in canonical order and no others", () => {
  const record = payload({
    type: "peipkg.install",
    outcome: "success",
    startedAt: STARTED_AT,
    transaction: 49,
    package: { ...nginx, repository: "official", packageHash: "ab".repeat(32), reason: "explicit" },
    sdOverrides: [],
    flags: [],
  });
  assert.equal(
    JSON.stringify(record),
    '{"v":1,"source":"peipkg","timestamp":"2026-05-19T14:02:10Z","invocation":"' + "00".repeat(16) +
      '","outcome":"success","txn_id":49,"root":"/","packages":[{"name":"nginx","version":"1.27.5-1","arch":"x86_64",' +
      '"repo":"official","package_hash":"' + "ab".repeat(32) + '","reason":"explicit"}],"operator":{"uid":0}}',
  );
});

Deno.test("A-EVENT-02, A-EVENT-21, A-FIELD-13, A-FIELD-18, A-FIELD-19: an upgrade of an undo names direction, origin and flags", () => {
  const record = payload({
    type: "peipkg.upgrade",
    outcome: "success",
    direction: "downgrade",
    startedAt: STARTED_AT,
    undoOf: 47,
    package: { ...nginx, fromVersion: "1.27.6-1" },
    sdOverrides: Array.from({ length: 70 }, (_, i) => `/p${i}`),
    flags: ["overwrite-unowned"],
  });
  assert.equal(record.direction, "downgrade");
  assert.equal(record.undo_of, 47);
  assert.deepEqual(record.packages, [{ name: "nginx", version: "1.27.5-1", arch: "x86_64", from_version: "1.27.6-1" }]);
  assert.ok(Array.isArray(record.sd_overrides));
  assert.equal(record.sd_overrides.length, 65);
  assert.equal(record.sd_overrides[64], "…+6");
  assert.deepEqual(record.flags, ["overwrite-unowned"]);
});

Deno.test("A-EVENT-03: a removal names what replaced the package", () => {
  const record = payload({
    type: "peipkg.uninstall",
    outcome: "success",
    startedAt: 0,
    package: nginx,
    replacedBy: "angie",
  });
  assert.equal(record.replaced_by, "angie");
  assert.equal(record.timestamp, "1970-01-01T00:00:00Z");
});

Deno.test("A-EVENT-04, A-EVENT-26, A-FIELD-11: a refresh names every repository with its own result", () => {
  const record = payload({
    type: "peipkg.refresh",
    outcome: "rejection",
    reason: "transport",
    startedAt: 0,
    repositories: [
      { name: "official", result: "refreshed", indexVersion: 8 },
      { name: "extra", result: "failed", reason: "E_NETWORK" },
    ],
  });
  assert.deepEqual(record.repositories, [
    { name: "official", result: "refreshed", index_version: 8 },
    { name: "extra", result: "failed", reason: "E_NETWORK" },
  ]);
  assert.equal(record.reason, "transport");
});

Deno.test("A-FIELD-06: a reason is given only where the outcome is no success", () => {
  const record = payload({ type: "peipkg.refresh", outcome: "success", reason: "x", startedAt: 0, repositories: [] });
  assert.equal("reason" in record, false);
});

Deno.test("A-EVENT-05, A-EVENT-06, A-EVENT-07, A-FIELD-14, A-FIELD-15: failures, recoveries and answers", () => {
  const failed = payload({
    type: "peipkg.transaction-failed",
    outcome: "rollback",
    reason: "DISK_SPACE",
    startedAt: 0,
    packages: [nginx, { ...nginx, name: "zlib" }],
  });
  assert.ok(Array.isArray(failed.packages) && failed.packages.length === 2);
  const recovery = { mode: "automatic", resolution: "rollback", problems: ["ROLLBACK_FAILED"] } as const;
  assert.deepEqual(
    payload({ type: "peipkg.recovery", outcome: "success", startedAt: 0, recovery }).recovery,
    recovery,
  );
  const answer = payload({
    type: "peipkg.authorisation",
    outcome: "rejection",
    reason: "AUTH_DECLINED",
    startedAt: 0,
    authorisation: { action: "AUTH_DOWNGRADE", subject: "nginx", statement: "moves back", method: "tty" },
  });
  assert.deepEqual(answer.authorisation, {
    action: "AUTH_DOWNGRADE",
    subject: "nginx",
    statement: "moves back",
    method: "tty",
  });
});

Deno.test("A-EVENT-08, A-EVENT-09, A-EVENT-10, A-EVENT-11, A-FIELD-16, A-FIELD-17: repositories, settings and claims", () => {
  const added = payload({ type: "peipkg.repo-add", outcome: "success", startedAt: 0, repository: "official" });
  assert.equal(added.repo, "official");
  const removed = payload({ type: "peipkg.repo-remove", outcome: "success", startedAt: 0, repository: "official" });
  assert.equal(removed.repo, "official");
  const change = payload({
    type: "peipkg.config-change",
    outcome: "success",
    startedAt: 0,
    change: { setting: "package:nginx:locked", old: "false", new: "true", via: "command" },
  });
  assert.deepEqual(change.change, { setting: "package:nginx:locked", old: "false", new: "true", via: "command" });
  const claim = payload({
    type: "peipkg.claim",
    outcome: "success",
    startedAt: 0,
    claim: { role: "registryd", oldHolder: undefined, newHolder: "loregd", cause: "auto" },
  });
  assert.deepEqual(claim.claim, { role: "registryd", new_holder: "loregd", cause: "auto" });
});

Deno.test("A-EVENT-23: a replayed event repeats the invocation and the operator of then", () => {
  const record = payload({
    type: "peipkg.uninstall",
    outcome: "success",
    startedAt: 0,
    package: nginx,
    replayed: { invocation: "ff".repeat(16), operator: { uid: 1000 } },
  });
  assert.equal(record.replayed, true);
  assert.equal(record.invocation, "ff".repeat(16));
  assert.deepEqual(record.operator, { uid: 1000 });
});

Deno.test("A-FIELD-07: detail is escaped and cut at a character within 1024 bytes", () => {
  const detail = `a\u001b[31m\n\\\u202e${"é".repeat(600)}`;
  const record = payload({
    type: "peipkg.transaction-failed",
    outcome: "rejection",
    startedAt: 0,
    packages: [],
    detail,
  });
  assert.ok(typeof record.detail === "string");
  assert.ok(record.detail.startsWith("a\\x1B[31m\\n\\\\\\u{202E}é"));
  const bytes = new TextEncoder().encode(record.detail).length;
  assert.ok(bytes <= 1024 && bytes > 1020 && record.detail.endsWith("é"));
});

Deno.test("A-FIELD-07, C-ESC-02: detail is escaped as a terminal's text is, whatever the character", () => {
  for (const base of [0, 0xe0000]) {
    for (let code = base; code < base + 0x10000; code += 64) {
      const text = String.fromCodePoint(...Array.from({ length: 64 }, (_, at) => code + at));
      const record = payload({
        type: "peipkg.transaction-failed",
        outcome: "rejection",
        startedAt: 0,
        packages: [],
        detail: text,
      });
      assert.equal(record.detail, escapeText(text), `from U+${code.toString(16)}`);
    }
  }
});

Deno.test("A-LOG-09: user-info of URLs is cut wherever one appears", () => {
  const record = payload({
    type: "peipkg.config-change",
    outcome: "success",
    startedAt: 0,
    detail: "from https://user:secret@host/x",
    change: { setting: "base_url", old: "https://u:p@a.example/", new: "https://b.example/@x", via: "file" },
  });
  assert.equal(JSON.stringify(record).includes("secret"), false);
  assert.deepEqual(record.change, {
    setting: "base_url",
    old: "https://a.example/",
    new: "https://b.example/@x",
    via: "file",
  });
});

Deno.test("A-OPER-02, A-OPER-03, A-OPER-04: the operator holds what is known and nothing for the rest", () => {
  assert.deepEqual(describeOperator({ ...TEST_MACHINE, loginUid: 4294967295, terminal: "/dev/pts/3" }), {
    uid: 0,
    euid: 0,
    gid: 0,
    user: "root",
    pid: 4242,
    tty: "/dev/pts/3",
    host: "testhost",
  });
  const operator = describeOperator({ ...TEST_MACHINE, loginUid: 1000, sid: "S-1-5-18" }, { SUDO_USER: "anna" });
  assert.deepEqual([operator.login_uid, operator.sid, operator.claimed], [1000, "S-1-5-18", { SUDO_USER: "anna" }]);
});

Deno.test("A-KMES-14: a record is made smaller by its detail, then divided by its packages", () => {
  const packages = Array.from({ length: 5 }, (_, i) => ({ ...nginx, name: `p${i}x` }));
  const record = payload({
    type: "peipkg.transaction-failed",
    outcome: "rejection",
    startedAt: 0,
    packages,
    detail: "d".repeat(1000),
  });
  const short = shortenDetail(record);
  assert.equal(short.detail, "d".repeat(256));
  const parts = splitPackages(short, 2);
  assert.deepEqual(
    parts?.map(({ part, parts: of, packages }) => [part, of, Array.isArray(packages) && packages.length]),
    [
      [1, 2, 3],
      [2, 2, 2],
    ],
  );
  assert.equal(splitPackages(short, 6), undefined);
});
