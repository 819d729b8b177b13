import assert from "node:assert/strict";
import { readDescriptor } from "../../../core/format/descriptor_reader.ts";
import { isSid, sidText } from "../../../core/identity/sid.ts";
import { describePrincipal, isWellKnownSid } from "../../../core/identity/well_known_sid.ts";
import {
  describeDescriptor,
  describeRights,
  renderSddl,
  summariseDescriptor,
} from "../../../core/transaction/descriptor_display.ts";
import { type DescriptorSource, findConcerns } from "../../../core/transaction/descriptor_policy.ts";
import { inheritEntries, inheritThrough } from "../../../core/transaction/inheritance.ts";
import {
  ADMINISTRATORS,
  descriptor,
  type DescriptorSpec,
  EVERYONE,
  FULL,
  INHERITABLE,
  READ,
  sidBytes,
  SYSTEM,
  USERS,
} from "../../support/descriptors.ts";

const DOMAIN_USER = "S-1-5-21-1-2-3-1001";
const CUSTOM: DescriptorSource = { kind: "repository", trust: { isAllowed: true, allowedSids: [] } };

const read = (spec: DescriptorSpec) => readDescriptor(descriptor(spec));
const concerns = (spec: DescriptorSpec, source: DescriptorSource = CUSTOM, operator?: string) =>
  findConcerns(read(spec), source, operator).length;

// --- Policy ------------------------------------------------------------------------------------------------------

Deno.test("A-SDP-03: the official repository is not asked about, a local file always", () => {
  const spec = { owner: DOMAIN_USER, dacl: [{ sid: EVERYONE, mask: FULL }] };
  assert.equal(concerns(spec, { kind: "official", trust: { isAllowed: true, allowedSids: [] } }), 0);
  assert.equal(concerns({ dacl: [{ sid: SYSTEM }] }, { kind: "local-file" }), 1);
});

Deno.test("F-SDP-04, A-SDP-04, A-SDP-05: only grants to well-known or listed principals pass", () => {
  assert.equal(concerns({ owner: SYSTEM, dacl: [{ sid: ADMINISTRATORS, mask: FULL }, { sid: USERS }] }), 0);
  assert.equal(concerns({ dacl: [{ sid: DOMAIN_USER }] }), 1);
  const listed: DescriptorSource = { kind: "repository", trust: { isAllowed: true, allowedSids: [DOMAIN_USER] } };
  assert.equal(concerns({ dacl: [{ sid: DOMAIN_USER, mask: FULL }] }, listed), 0);
  for (const type of [0x05, 0x09, 0x0b]) {
    const object = type === 0x09 ? [] : [0, 0, 0, 0];
    assert.notEqual(concerns({ dacl: [{ type, object, sid: DOMAIN_USER }] }), 0, `type ${type}`);
  }
  assert.equal(concerns({ dacl: [{ type: 0x01, sid: DOMAIN_USER }] }), 0); // a refusal grants nothing
  for (const sid of ["S-1-5-80-1-2-3-4-5", "S-1-5-5-0-99", "S-1-15-3-1", DOMAIN_USER]) {
    assert.equal(isWellKnownSid(sid), false, sid);
  }
});

Deno.test("A-SDP-06: what cannot be judged, or reaches beyond rights, is a question", () => {
  const ask: readonly DescriptorSpec[] = [
    { dacl: [{ type: 0x77, body: [0, 0, 0, 0] }] },
    { dacl: [{ type: 0x09, sid: SYSTEM, data: [0x61, 0x72, 0x74, 0x78] }] },
    { dacl: [{ type: 0x0a, sid: SYSTEM }] },
    { sacl: [{ type: 0x02, sid: EVERYONE }] },
    { control: 0x0080, dacl: [{ sid: SYSTEM }] },
    { dacl: [{ sid: SYSTEM, mask: 0x0200_0000 }] },
    { dacl: [{ sid: SYSTEM, mask: 0x0020_0000 }] },
    { dacl: [{ sid: SYSTEM, mask: 0x0800_0000 }] },
    { dacl: new Array(4097).fill({ type: 0x77, body: [0, 0, 0, 0] }) },
  ];
  for (const [index, spec] of ask.entries()) assert.notEqual(concerns(spec), 0, `case ${index}`);
});

Deno.test("A-SDP-07: nobody broad may change anything without a question", () => {
  const broad = [EVERYONE, "S-1-5-7", "S-1-5-11", USERS, "S-1-5-32-546", "S-1-5-2", "S-1-5-4", "S-1-2-0", "S-1-5-3"];
  for (const sid of [...broad, "S-1-5-6", "S-1-5-12", "S-1-15-2-1", "S-1-15-2-2"]) {
    assert.equal(concerns({ dacl: [{ sid, mask: READ }] }), 0, sid);
    assert.equal(concerns({ dacl: [{ sid, mask: FULL }] }), 1, sid);
  }
  const changing = [0x2, 0x4, 0x10, 0x40, 0x100, 0x10000, 0x40000, 0x80000, 0x4000_0000, 0x1000_0000];
  for (const mask of changing) {
    assert.equal(concerns({ dacl: [{ sid: EVERYONE, mask }] }), 1, mask.toString(16));
    assert.equal(concerns({ dacl: [{ sid: SYSTEM, mask }] }), 0, mask.toString(16));
  }
});

Deno.test("A-SDP-08: an owner other than the system, the administrators or the operator is a question", () => {
  for (const owner of [SYSTEM, ADMINISTRATORS]) assert.equal(concerns({ owner }), 0);
  assert.equal(concerns({ owner: USERS }), 1);
  assert.equal(concerns({ owner: DOMAIN_USER }), 1);
  assert.equal(concerns({ owner: DOMAIN_USER }, CUSTOM, DOMAIN_USER), 0);
});

// --- Words -------------------------------------------------------------------------------------------------------

Deno.test("A-SDD-02: principals by name and SID, families by their kind, others by SID alone", () => {
  const names: readonly (readonly [string, string])[] = [
    ["S-1-0-0", "Nobody"],
    [EVERYONE, "Everyone"],
    ["S-1-2-0", "Local"],
    ["S-1-2-1", "Console Logon"],
    ["S-1-3-0", "Creator Owner"],
    ["S-1-3-1", "Creator Group"],
    ["S-1-3-4", "Owner Rights"],
    ["S-1-5-2", "Network"],
    ["S-1-5-3", "Batch"],
    ["S-1-5-4", "Interactive"],
    ["S-1-5-6", "Service"],
    ["S-1-5-7", "Anonymous"],
    ["S-1-5-9", "Enterprise Domain Controllers"],
    ["S-1-5-10", "Principal Self"],
    ["S-1-5-11", "Authenticated Users"],
    ["S-1-5-12", "Restricted Code"],
    ["S-1-5-17", "IUSR"],
    [SYSTEM, "Local System"],
    ["S-1-5-19", "Local Service"],
    ["S-1-5-20", "Network Service"],
    [ADMINISTRATORS, "Administrators"],
    [USERS, "Users"],
    ["S-1-5-32-552", "Replicators"],
    ["S-1-15-2-1", "All Application Packages"],
    ["S-1-16-12288", "Integrity High"],
    ["S-1-5-80-1-2-3-4-5", "Service"],
    ["S-1-5-5-0-99", "Logon session"],
    ["S-1-19-512-4096", "Process trust label"],
  ];
  for (const [sid, name] of names) assert.equal(describePrincipal(sid), `${name} (${sid})`);
  assert.equal(describePrincipal(DOMAIN_USER), DOMAIN_USER);
});

Deno.test("sidText() writes an authority above 32 bits in hex and isSid() reads what it writes", () => {
  assert.equal(sidText(Uint8Array.from([1, 1, 0, 1, 0, 0, 0, 5, 7, 0, 0, 0])), "S-1-0x000100000005-7");
  assert.equal(sidText(Uint8Array.from(sidBytes(DOMAIN_USER))), DOMAIN_USER);
  for (const sid of ["S-1-0x000100000005-7", DOMAIN_USER, "S-1-5"]) assert.equal(isSid(sid), true, sid);
  for (const text of ["", "S-2-5", "S-1-", "S-1-05", "S-1-5-4294967296", "s-1-5", `S-1-5${"-1".repeat(16)}`]) {
    assert.equal(isSid(text), false, text);
  }
});

Deno.test("A-SDD-03: rights in words, generic ones written out, unknown ones in hex", () => {
  const cases: readonly (readonly [number, string])[] = [
    [FULL, "full control"],
    [0x1000_0000, "full control"],
    [0x0013_01bf, "modify"],
    [0x0012_00a9, "read & execute"],
    [READ, "read"],
    [0x8000_0000, "read"],
    [0x0012_0116, "write"],
    [READ | 0x0012_0116, "read, write"],
    [READ | 0x0001_0000, "read, delete"],
    [0x0004_0000, "write DAC"],
    [0, "nothing"],
    [0x0800_0200, "0x8000200"],
    [FULL | 0x0100_0000, "full control, access system security"],
  ];
  for (const [mask, words] of cases) assert.equal(describeRights(mask >>> 0, "file"), words, mask.toString(16));
  assert.equal(describeRights(0x27, "dir"), "list directory, add file, add subdirectory, traverse");
  assert.equal(describeRights(0x27, "file"), "read data, write data, append, execute");
});

Deno.test("A-SDD-01, A-SDD-06: a descriptor in full, with what changes against inheritance", () => {
  const bytes = descriptor({
    owner: ADMINISTRATORS,
    group: SYSTEM,
    control: 0x1000,
    dacl: [
      { sid: ADMINISTRATORS, mask: FULL, flags: INHERITABLE },
      { type: 1, sid: "S-1-5-7", mask: FULL },
      { sid: DOMAIN_USER, mask: READ, flags: 0x0b },
    ],
    sacl: [{ type: 2, flags: 0x40, sid: EVERYONE, mask: 0x2 }],
  });
  const inherited = inheritThrough(
    read({ dacl: [{ sid: ADMINISTRATORS, mask: READ, flags: INHERITABLE }, { sid: USERS, flags: INHERITABLE }] }),
    0,
    "dir",
    {},
  );
  assert.deepEqual(
    describeDescriptor("/usr/lib/demo", "dir", readDescriptor(bytes), bytes.length, inherited, "S-1-5-18"),
    [
      "/usr/lib/demo (directory, descriptor of 164 bytes)",
      "  owner: Administrators (S-1-5-32-544)",
      "  group: Local System (S-1-5-18)",
      "  does not inherit",
      "  allow Administrators (S-1-5-32-544): full control; this directory, subdirectories, files",
      "  deny Anonymous (S-1-5-7): full control; this directory",
      "  allow S-1-5-21-1-2-3-1001: read; subdirectories, files",
      "  audit success of Everyone (S-1-1-0): add file; this directory",
      "  against inheritance, Administrators (S-1-5-32-544) gains: add file, add subdirectory, write EA, traverse, " +
      "delete child, write attributes, delete, write DAC, write owner",
      "  against inheritance, Users (S-1-5-32-545) loses: read",
      "  O:BAG:SYD:P(A;OICI;FA;;;BA)(D;;FA;;;AN)(A;OICIIO;FR;;;S-1-5-21-1-2-3-1001)S:(AU;SA;0x2;;;WD)",
    ],
  );
});

Deno.test("A-SDA-21, A-SDA-22, A-SDD-06: a default or an unknown inheritance is said", () => {
  const lines = (inherited: Parameters<typeof describeDescriptor>[4]) =>
    describeDescriptor("/f", "file", read({ dacl: [{ sid: SYSTEM }] }), 48, inherited, "S-1-5-21-9").join("\n");
  assert.match(lines({ kind: "unknown" }), /inheritance unknown/);
  assert.match(lines({ kind: "default" }), /default of S-1-5-21-9/);
  assert.match(lines(inheritThrough(read({ dacl: [{ sid: SYSTEM, flags: 1 }] }), 0, "file", {})), /keeps its rights/);
});

Deno.test("A-SDD-04: conditional and unknown entries say how much is not shown", () => {
  const shown = describeDescriptor(
    "/f",
    "file",
    read({
      dacl: [{ type: 0x09, sid: USERS, data: [0x61, 0x72, 0x74, 0x78] }, { type: 0x77, body: [0, 0, 0, 0] }],
    }),
    60,
    { kind: "unknown" },
    "",
  );
  assert.ok(shown.includes("  allow Users (S-1-5-32-545): read; conditional, 4 bytes, not shown"));
  assert.ok(shown.includes("  unknown entry of type 0x77, 8 bytes"));
});

Deno.test("A-SDF-18: entries beyond the limit are counted, not shown", () => {
  const entries = new Array(4100).fill({ type: 0x77, body: [0, 0, 0, 0] });
  const lines = describeDescriptor("/f", "file", read({ dacl: entries }), 1, { kind: "unknown" }, "");
  assert.equal(lines.filter((line) => line.includes("unknown entry")).length, 4096);
  assert.ok(lines.includes("  and 4 more entries, not shown"));
});

Deno.test("A-SDD-01: the summary and the line for experts", () => {
  const short = read({ owner: SYSTEM, dacl: [{ sid: EVERYONE }] });
  assert.equal(summariseDescriptor(short, "file"), "owner Local System (S-1-5-18); allow Everyone (S-1-1-0) read");
  assert.equal(renderSddl(short), "O:SYD:(A;;FR;;;WD)");
  assert.equal(
    renderSddl(read({ control: 0x0500, dacl: [{ mask: 3, sid: DOMAIN_USER }] })),
    `D:ARAI(A;;0x3;;;${DOMAIN_USER})`,
  );
  assert.equal(summariseDescriptor(read({ dacl: [] }), "file"), "nobody has rights");
  assert.equal(
    summariseDescriptor(read({ owner: SYSTEM }), "dir"),
    "owner Local System (S-1-5-18); rights as inherited",
  );
  const many = read({ dacl: new Array(6).fill({ sid: SYSTEM }) });
  assert.match(summariseDescriptor(many, "file"), /; 2 more$/);
});

// --- Inheritance -------------------------------------------------------------------------------------------------

Deno.test("A-SDA-20: a file takes entries for files, a directory those for directories and passes the others on", () => {
  const parent = read({
    dacl: [
      { sid: SYSTEM, flags: 0x01 },
      { sid: USERS, flags: 0x02 },
      { sid: EVERYONE, flags: 0x03 },
      { sid: ADMINISTRATORS, flags: 0x07 },
      { sid: "S-1-5-2", flags: 0x0b },
      { sid: "S-1-5-4", flags: 0 },
      { sid: "S-1-5-6", flags: 0x05 },
    ],
  }).dacl?.entries ?? [];
  const seen = (kind: "file" | "dir") => inheritEntries(parent, kind, {}).map(({ sid, flags }) => [sid, flags]);
  assert.deepEqual(seen("file"), [
    [SYSTEM, 0x10],
    [EVERYONE, 0x10],
    [ADMINISTRATORS, 0x10],
    ["S-1-5-2", 0x10],
    ["S-1-5-6", 0x10],
  ]);
  assert.deepEqual(seen("dir"), [
    [SYSTEM, 0x19], // inherit-only, for files further down
    [USERS, 0x12],
    [EVERYONE, 0x13],
    [ADMINISTRATORS, 0x10], // one level
    ["S-1-5-2", 0x13],
  ]);
});

Deno.test("A-SDA-20: creators become who they are, generic rights are written out, object types do not matter", () => {
  const parent = read({
    dacl: [
      { sid: "S-1-3-0", mask: 0x1000_0000, flags: 0x01 },
      { sid: "S-1-3-1", mask: 0x8000_0000, flags: 0x01 },
      { type: 5, object: [2, 0, 0, 0, ...new Array(16).fill(1)], sid: SYSTEM, flags: 0x01 },
    ],
  }).dacl?.entries ?? [];
  const children = inheritEntries(parent, "file", { owner: DOMAIN_USER, group: USERS });
  assert.deepEqual(children.map(({ sid, mask }) => [sid, mask]), [[DOMAIN_USER, FULL], [USERS, READ], [SYSTEM, READ]]);
});

Deno.test("A-SDA-20 to A-SDA-22: through several directories, down to nothing, or unknown", () => {
  const oneLevel = read({ dacl: [{ sid: USERS, flags: 0x07 }] });
  assert.equal(inheritThrough(oneLevel, 0, "file", {}).kind, "descriptor");
  assert.equal(inheritThrough(oneLevel, 1, "file", {}).kind, "default");
  assert.equal(inheritThrough(read({ dacl: [{ sid: USERS, flags: 0x01 }] }), 2, "file", {}).kind, "descriptor");
  assert.equal(inheritThrough(read({ owner: SYSTEM }), 0, "file", {}).kind, "unknown");
});
