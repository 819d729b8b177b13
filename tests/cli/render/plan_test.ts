import assert from "node:assert/strict";
import { planEvent, renderPlan } from "../../../cli/render/plan.ts";
import { install, move, name, remove, shownChange, version } from "../support/plans.ts";
import { screenOf } from "../support/screens.ts";

const OPERATIONS = [
  remove("oldtool 1.0-2"),
  install("pcre2 10.44-1", "official"),
  install("tool 2.0-1"),
  move("upgrade", "zlib 1.3.1-1", "zlib 1.3.2-1"),
  move("downgrade", "nginx 1.27.5-1", "nginx 1.27.4-1"),
  move("reinstall", "curl 8.0-1", "curl 8.0-1"),
];

const CHANGE = shownChange(OPERATIONS, {
  plan: {
    kind: "plan",
    operations: OPERATIONS,
    authorisations: [{ action: "AUTH_DOWNGRADE", subject: "nginx", data: { from: "1.27.5-1", to: "1.27.4-1" } }],
    heldBack: [{ name: name("perl"), version: version("5.40-1"), available: version("5.42-1"), reason: "held" }],
    suggestions: [{ for: name("nginx"), name: "geoip", constraint: undefined }],
    marks: [{ name: name("lib"), reason: "explicit" }],
    warnings: [],
  },
  claims: [
    { role: "registryd", from: "loregd", to: "altregd" },
    { role: "cron", from: "vixie", to: undefined },
    { role: "mta", from: undefined, to: "postfix" },
  ],
  notes: [
    { kind: "local-file-offered", name: "tool", version: "2.0-1", repository: "official", offered: "1.9-1" },
    { kind: "orphaned", name: "oldtool", origin: "internal" },
    { kind: "optional", for: "nginx", names: ["geoip", "brotli"] },
  ],
  sideEffects: ["ldconfig"],
  downloadBytes: 10_276_045,
  sizeChangeBytes: 32_715_571,
});

Deno.test("C-PLAN-01, C-PLAN-02, C-PLAN-09, C-AUTH-07: the plan block, whole", () => {
  assert.deepEqual(renderPlan(screenOf(), CHANGE), [
    "the following changes will be made:",
    "  remove     oldtool 1.0-2",
    "  install    pcre2 10.44-1",
    "  install    tool 2.0-1  (local file)",
    "  upgrade    zlib 1.3.1-1 -> 1.3.2-1",
    "  downgrade  nginx 1.27.5-1 -> 1.27.4-1",
    "  reinstall  curl 8.0-1",
    "  claim      registryd -> altregd  (was loregd)",
    "  claim      cron -> -  (was vixie)",
    "  claim      mta -> postfix",
    "  mark       lib manual",
    "  ! elevated: nginx would move backward from 1.27.5-1 to 1.27.4-1",
    "  note: optional for nginx: geoip, brotli",
    "  note: held back: perl 5.40-1, 5.42-1 available (locked)",
    "  note: oldtool is orphaned: internal is no longer configured; check it before relying on it",
    "  note: tool 2.0-1 is a local file; official offers 1.9-1",
  ]);
});

Deno.test("section 5.2: -v adds the repository and the totals", () => {
  const lines = renderPlan(screenOf({ verbose: 1 }), CHANGE);
  assert.equal(lines[2], "  install    pcre2 10.44-1 [official]");
  assert.equal(lines[3], "  install    tool 2.0-1  (local file)");
  assert.equal(lines.at(-1), "total: download 9.8 MiB, disk +31.2 MiB");
});

Deno.test("C-COL-02, C-COL-03: colour adds SGR sequences and nothing else", () => {
  const plain = renderPlan(screenOf(), CHANGE).join("\n");
  const coloured = renderPlan(screenOf({ colour: { stdout: true, stderr: true } }), CHANGE).join("\n");
  assert.ok(coloured.includes("\x1b[31mremove\x1b[0m     oldtool"));
  assert.ok(coloured.includes("\x1b[36mupgrade\x1b[0m    zlib"));
  assert.ok(coloured.includes("\x1b[33mdowngrade\x1b[0m  nginx"));
  assert.ok(coloured.includes("\x1b[1;31m! elevated:\x1b[0m nginx"));
  const escape = String.fromCharCode(27);
  assert.equal(coloured.replaceAll(new RegExp(`${escape}\\[[0-9;]*m`, "g"), ""), plain);
});

Deno.test("C-ESC-01: names and notes in a plan are escaped", () => {
  const change = shownChange([], { notes: [{ kind: "orphaned", name: "a\x1b[2J", origin: "b\n" }] });
  assert.equal(
    renderPlan(screenOf(), change).at(-1),
    "  note: a\\x1B[2J is orphaned: b\\n is no longer configured; check it before relying on it",
  );
});

Deno.test("C-JSON-02: the plan event has every member and none that is null", () => {
  const event = JSON.parse(JSON.stringify(planEvent(CHANGE)));
  assert.deepEqual(Object.keys(event), [
    "operations",
    "authorisations",
    "notes",
    "held_back",
    "suggestions",
    "claims",
    "marks",
    "side_effects",
    "download_size",
    "size_change",
  ]);
  assert.deepEqual(event.operations[0], {
    kind: "remove",
    name: "oldtool",
    from: "1.0-2",
    architecture: "x86_64",
    repository: "official",
    requested: true,
    cause: "requested",
    automatic: false,
  });
  assert.deepEqual(event.operations[3], {
    kind: "upgrade",
    name: "zlib",
    from: "1.3.1-1",
    to: "1.3.2-1",
    architecture: "x86_64",
    repository: "official",
    local: false,
    requested: false,
    cause: "dependency",
    caused_by: "tool",
    automatic: true,
    url: "/p/zlib",
    sha256: "0".repeat(64),
    size_download: 100,
    size_installed: 200,
  });
  assert.deepEqual(event.held_back, [{ name: "perl", version: "5.40-1", available: "5.42-1", reason: "locked" }]);
  assert.deepEqual(event.claims[1], { role: "cron", from: "vixie" });
  assert.deepEqual(event.marks, [{ name: "lib", automatic: false }]);
  assert.deepEqual(event.suggestions, [{ for: "nginx", name: "geoip" }]);
});
