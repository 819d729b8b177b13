import assert from "node:assert/strict";
import { encodeBase64 } from "../../../core/format/base64.ts";
import { describedComponents, readDescriptor } from "../../../core/format/descriptor_reader.ts";
import { findDescriptorDanger } from "../../../core/format/descriptor_safety.ts";
import { findDescriptorFault } from "../../../core/format/security_descriptor.ts";
import { ADMINISTRATORS, descriptor, EVERYONE, FULL, READ, sidBytes, SYSTEM } from "../../support/descriptors.ts";
import { refusalOf } from "../../support/package_builder.ts";

/** What the two checks say: `fault`, `danger`, or nothing. */
function judge(bytes: Uint8Array): "fault" | "danger" | undefined {
  if (findDescriptorFault(bytes) !== undefined) return "fault";
  return findDescriptorDanger(bytes) === undefined ? undefined : "danger";
}

function edit(bytes: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  change(new DataView(copy.buffer), copy);
  return copy;
}

const PLAIN = descriptor({ owner: ADMINISTRATORS, group: SYSTEM, dacl: [{ mask: FULL, sid: SYSTEM }] });
/** Owner at 20 (16 bytes), group at 36 (12), DACL at 48 (8 + 20). */
const DACL_AT = 48;

Deno.test("A-SDF-10, A-SDF-04: revision 1, self-relative, 20 to 65,535 bytes", () => {
  assert.equal(judge(PLAIN), undefined);
  assert.equal(judge(edit(PLAIN, (_, bytes) => bytes[0] = 2)), "fault");
  assert.equal(judge(edit(PLAIN, (view) => view.setUint16(2, 0x0004, true))), "fault");
  assert.equal(judge(PLAIN.subarray(0, 19)), "fault");
  assert.equal(judge(new Uint8Array(65_536)), "fault");
  assert.equal(judge(descriptor({})), undefined);
});

Deno.test("A-SDF-11: parts lie inside and do not overlap, gaps are tolerated", () => {
  assert.equal(judge(edit(PLAIN, (view) => view.setUint32(4, 19, true))), "fault");
  assert.equal(judge(edit(PLAIN, (view) => view.setUint32(4, PLAIN.length, true))), "fault");
  assert.equal(judge(edit(PLAIN, (view) => view.setUint32(8, 20, true))), "danger"); // group over owner
  const gapped = new Uint8Array(PLAIN.length + 6);
  gapped.set(PLAIN.subarray(0, DACL_AT));
  gapped.set(PLAIN.subarray(DACL_AT), DACL_AT + 3);
  new DataView(gapped.buffer).setUint32(16, DACL_AT + 3, true);
  assert.equal(judge(gapped), undefined);
});

Deno.test("A-SDF-12: a list and the bit that announces it come together", () => {
  const withoutBit = edit(PLAIN, (view) => view.setUint16(2, 0x8000, true));
  const withoutList = edit(PLAIN, (view) => view.setUint32(16, 0, true));
  const saclBit = edit(PLAIN, (view) => view.setUint16(2, 0x8014, true));
  for (const bytes of [withoutBit, withoutList, saclBit]) assert.equal(judge(bytes), "danger");
});

Deno.test("A-SDF-13: owner and group are well-formed SIDs", () => {
  assert.equal(judge(edit(PLAIN, (_, bytes) => bytes[20] = 2)), "fault");
  assert.equal(judge(edit(PLAIN, (_, bytes) => bytes[37] = 16)), "fault");
});

Deno.test("A-SDF-14: a list has revision 2 to 4 and is filled by exactly its entries", () => {
  for (
    const [revision, wanted] of [[1, "danger"], [2, undefined], [3, undefined], [4, undefined], [5, "danger"]] as const
  ) {
    assert.equal(judge(edit(PLAIN, (_, bytes) => bytes[DACL_AT] = revision)), wanted, `revision ${revision}`);
  }
  assert.equal(judge(edit(PLAIN, (view) => view.setUint16(DACL_AT + 4, 2, true))), "fault");
  assert.equal(judge(edit(PLAIN, (view) => view.setUint16(DACL_AT + 4, 0, true))), "fault");
  assert.equal(judge(edit(PLAIN, (view) => view.setUint16(DACL_AT + 2, 7, true))), "fault");
});

Deno.test("A-SDF-15: an entry has at least 8 bytes, a multiple of 4, inside its list", () => {
  const entry = (body: readonly number[], type = 0x77) => judge(descriptor({ dacl: [{ type, body }] }));
  assert.equal(entry([]), "danger");
  assert.equal(entry([1, 2, 3, 4]), undefined);
  assert.equal(entry([1, 2, 3]), "fault");
  assert.equal(entry([0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9], 0x00), "fault");
});

/** A claim entry: name, one value. */
function claim(type: number, value: readonly number[], name = [65, 0, 0, 0]): readonly number[] {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint32(0, 20, true);
  view.setUint16(4, type, true);
  view.setUint32(12, 1, true);
  view.setUint32(16, 20 + name.length, true);
  return [...header, ...name, ...value];
}

Deno.test("A-SDF-16: a resource attribute names everyone and holds one sound claim", () => {
  const attribute = (data: readonly number[], sid = EVERYONE) =>
    judge(descriptor({ sacl: [{ type: 0x12, mask: 0, sid, data }] }));
  assert.equal(attribute(claim(1, [1, 0, 0, 0, 0, 0, 0, 0])), undefined);
  assert.equal(attribute(claim(3, [66, 0, 0, 0])), undefined);
  assert.equal(attribute(claim(0x10, [4, 0, 0, 0, 9, 9, 9, 9])), undefined);
  assert.equal(attribute([]), "fault");
  assert.equal(attribute(claim(1, [1, 0, 0, 0, 0, 0, 0, 0]), SYSTEM), "fault");
  assert.equal(attribute([0, 0, 0, 0]), "danger");
  assert.equal(attribute(claim(4, [1, 0, 0, 0, 0, 0, 0, 0])), "danger"); // no such value type
  assert.equal(attribute(claim(1, [1, 0, 0, 0])), "danger"); // the integer passes the end
  assert.equal(attribute(claim(3, [66, 0, 66, 0])), "danger"); // no terminator
  assert.equal(attribute(claim(0x10, [8, 0, 0, 0])), "danger");
  const long = [...new Array(256).fill([65, 0]).flat(), 0, 0, 0, 0];
  assert.equal(attribute(claim(1, [1, 0, 0, 0, 0, 0, 0, 0], long)), "danger"); // terminator after 512 bytes
  const many = claim(1, [1, 0, 0, 0, 0, 0, 0, 0]).slice();
  const wide = Uint8Array.from(many);
  new DataView(wide.buffer).setUint32(12, 1025, true);
  assert.equal(attribute([...wide]), "danger");
});

Deno.test("A-SDF-17, A-SDF-18: unknown types and very many entries are read", () => {
  const unknown = readDescriptor(descriptor({ dacl: [{ type: 0x77, body: [1, 2, 3, 4] }] })).dacl?.entries[0];
  assert.deepEqual([unknown?.family, unknown?.sid, unknown?.sizeBytes], ["opaque", undefined, 8]);
  const short = new Array(5000).fill({ type: 0x77, body: [1, 2, 3, 4] });
  const many = descriptor({ dacl: short });
  assert.equal(judge(many), undefined);
  assert.equal(readDescriptor(many).dacl?.entries.length, 5000);
});

Deno.test("readDescriptor() reads every family of entry", () => {
  const guid = new Array(16).fill(7);
  const read = readDescriptor(descriptor({
    owner: ADMINISTRATORS,
    dacl: [
      { type: 0x00, flags: 0x13, mask: READ, sid: "S-1-5-21-1-2-3-500" },
      { type: 0x0b, mask: 0x8000_0000, object: [2, 0, 0, 0, ...guid], sid: SYSTEM, data: [0x61, 0x72, 0x74, 0x78] },
    ],
  }));
  assert.equal(read.owner, ADMINISTRATORS);
  assert.equal(read.group, undefined);
  const [first, second] = read.dacl?.entries ?? [];
  assert.deepEqual([first?.sid, first?.flags, first?.mask], ["S-1-5-21-1-2-3-500", 0x13, READ]);
  assert.deepEqual([second?.objectType, second?.inheritedObjectType, second?.mask, second?.data.length], [
    undefined,
    "07".repeat(16),
    0x8000_0000,
    4,
  ]);
});

Deno.test("A-SDA-13: the components of a descriptor are exactly those it brings", () => {
  assert.equal(describedComponents(descriptor({})), 0);
  assert.equal(describedComponents(descriptor({ owner: SYSTEM, group: SYSTEM })), 3);
  assert.equal(describedComponents(PLAIN), 7);
  assert.equal(describedComponents(descriptor({ sacl: [{ type: 2 }] })), 8);
  // An announced but absent list is no component: setting it would mean access for everybody.
  assert.equal(describedComponents(edit(PLAIN, (view) => view.setUint32(16, 0, true))), 3);
});

Deno.test("findDescriptorFault() and findDescriptorDanger() read nothing outside the bytes", () => {
  const guid = new Array(16).fill(7);
  const bytes = descriptor({
    owner: ADMINISTRATORS,
    dacl: [{ sid: SYSTEM }, { type: 5, object: [3, 0, 0, 0, ...guid, ...guid] }],
    sacl: [{ type: 0x12, mask: 0, data: claim(3, [66, 0, 0, 0]) }],
  });
  assert.equal(judge(bytes), undefined);
  for (let length = 0; length < bytes.length; length++) judge(bytes.subarray(0, length));
  for (let at = 0; at < bytes.length; at++) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) judge(edit(bytes, (_, copy) => copy[at] = value));
  }
  assert.equal(sidBytes(SYSTEM).length, 12);
});

Deno.test("A-SDF-01, A-SDF-02, A-SDF-03, A-SDF-05, A-INPUT-09: verification refuses every fault of an override", async () => {
  const payload = [
    { name: "usr/share/", type: "dir" },
    { name: "usr/share/f" },
    { name: "usr/share/g" },
    { name: "usr/share/l", type: "symlink", target: "f" },
  ] as const;
  const sd = encodeBase64(PLAIN);
  const rule = (...overrides: readonly (readonly [path: string, sd: string])[]) =>
    refusalOf({ payload, manifest: { sd_overrides: overrides.map(([path, bytes]) => ({ path, sd: bytes })) } });
  assert.equal(await rule(["usr/share", sd], ["usr/share/f", sd]), undefined);
  assert.equal(await rule(["usr/share/g", sd], ["usr/share/f", sd]), "E_MANIFEST_ORDER");
  assert.equal(await rule(["usr/share/f", sd], ["usr/share/f", sd]), "E_MANIFEST_DUPLICATE");
  assert.equal(await rule(["usr/share/l", sd]), "E_SD_TARGET");
  assert.equal(await rule(["usr/share/h", sd]), "E_SD_TARGET");
  const whole = sd.slice(0, sd.length - sd.length % 4);
  for (const text of [`${sd}=`, ` ${sd}`, sd.replace(/.$/, "-"), `${whole}A`, `${whole}AB`]) {
    assert.equal(await rule(["usr/share/f", text]), "E_BASE64", text);
  }
  assert.equal(await rule(["usr/share/f", encodeBase64(PLAIN.subarray(0, 19))]), "E_SD_SYNTAX");
  const everybody = edit(PLAIN, (view) => view.setUint32(16, 0, true));
  assert.equal(await rule(["usr/share/f", encodeBase64(everybody)]), "SD_UNSAFE");
});
