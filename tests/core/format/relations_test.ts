/** The five relation arrays: the same checks on a manifest and on an index entry. */
import assert from "node:assert/strict";
import { readDocument } from "../../../core/format/document.ts";
import { readRelations, type Relations } from "../../../core/format/relations.ts";
import { parseIndex } from "../../../core/repository/index.ts";
import { parseManifest } from "../../../core/format/manifest.ts";
import { ruleOf } from "../../support/refusals.ts";

const encode = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value)}\n`);
const COMMON = { name: "app", version: "1.0-1", architecture: "x86_64", dependencies: [], conflicts: [] };

function manifestRefusal(fields: Record<string, unknown>): string | undefined {
  const build = { timestamp: "2026-01-01T00:00:00Z", farm_id: "f", source_ref: "s" };
  return ruleOf(() =>
    parseManifest(encode({ schema_version: 1, ...COMMON, size_installed: 0, build, ...fields }), "base")
  );
}

function indexRefusal(fields: Record<string, unknown>): string | undefined {
  const entry = {
    ...COMMON,
    size_compressed: 1,
    size_installed: 2,
    hash: { algorithm: "sha256", value: "0".repeat(64) },
    url: "/p",
    ...fields,
  };
  const head = { schema_version: 1, repo: "m", kind: "active", index_version: 1, generated_at: "2026-01-01T00:00:00Z" };
  const expected = { handle: "m", kind: "active", repositoryName: "m", layout: "base" } as const;
  return ruleOf(() => parseIndex(encode({ ...head, packages: [entry] }), expected));
}

/** Both readers' verdict; an index reports fields of its own under one rule (R-IDX-01). */
function refusal(fields: Record<string, unknown>): string | undefined {
  const inManifest = manifestRefusal(fields);
  const inIndex = indexRefusal(fields);
  const isField = inManifest === "E_FIELD_MISSING" || inManifest === "E_FIELD_TYPE";
  assert.equal(inIndex, isField ? "E_INDEX_FIELD" : inManifest, JSON.stringify(fields).slice(0, 200));
  return inManifest;
}

function relations(fields: Record<string, unknown>): Relations {
  return readRelations(readDocument(encode({ ...COMMON, ...fields }), { document: "manifest" }), "base");
}

const FIELDS = ["dependencies", "optional_dependencies", "conflicts", "provides", "replaces"] as const;

Deno.test("S-REL-01: name is required and a string; unknown members are ignored", () => {
  for (const field of FIELDS) {
    assert.equal(refusal({ [field]: [{}] }), "E_FIELD_MISSING");
    assert.equal(refusal({ [field]: [{ name: 7 }] }), "E_FIELD_TYPE");
    assert.equal(refusal({ [field]: ["aa"] }), "E_FIELD_TYPE");
    assert.equal(refusal({ [field]: [{ name: "aa", future: { a: null }, root_hint: [1] }] }), undefined);
  }
  assert.equal(refusal({ dependencies: [{ name: "aa", constraint: 1 }] }), "E_FIELD_TYPE");
  assert.equal(refusal({ provides: [{ name: "aa", version: null }] }), "E_FIELD_TYPE");
});

Deno.test("S-REL-02: conflicts and replaces take package names, the others virtual names as well", () => {
  for (const field of FIELDS) {
    const takesVirtual = field !== "conflicts" && field !== "replaces";
    assert.equal(refusal({ [field]: [{ name: "libGL.so.1" }] }), takesVirtual ? undefined : "E_NAME");
    assert.equal(refusal({ [field]: [{ name: "pkgconfig(x)" }] }), takesVirtual ? undefined : "E_NAME");
    assert.equal(refusal({ [field]: [{ name: "_x" }] }), takesVirtual ? "E_VNAME" : "E_NAME");
    assert.equal(refusal({ [field]: [{ name: "libc++" }] }), undefined);
  }
});

Deno.test("S-REL-03: package names have 2 to 64 characters and no adjacent separators", () => {
  const good = ["ab", "0ad", "g++", "a-+b", "a.b-c", "x".repeat(64)];
  const bad = ["a", "x".repeat(65), "+a", "a-", "a.", "a--b", "a.-b", "A1", "a_b", "é0", ""];
  for (const name of good) assert.equal(refusal({ conflicts: [{ name }] }), undefined, name);
  for (const name of bad) assert.equal(refusal({ conflicts: [{ name }] }), "E_NAME", name);
});

Deno.test("S-REL-05: entries ascend by name, one for each name", () => {
  for (const field of FIELDS) {
    assert.equal(refusal({ [field]: [{ name: "bb" }, { name: "aa" }] }), "E_MANIFEST_ORDER");
    assert.equal(refusal({ [field]: [{ name: "aa" }, { name: "aa" }] }), "E_MANIFEST_DUPLICATE");
    assert.equal(refusal({ [field]: [{ name: "a-b" }, { name: "a.b" }, { name: "ab" }] }), undefined);
  }
});

Deno.test("S-REL-06: 10,000 entries, of replaces 1,000", () => {
  const entries = (count: number) => Array.from({ length: count }, (_, at) => ({ name: `n${10_000_000 + at}` }));
  for (const field of FIELDS) {
    const limit = field === "replaces" ? 1_000 : 10_000;
    assert.equal(refusal({ [field]: entries(limit) }), undefined, field);
    assert.equal(refusal({ [field]: entries(limit + 1) }), "E_LIMIT_ARRAY", field);
  }
});

Deno.test("S-REL-07: the qualifier is any or absent", () => {
  for (const field of ["dependencies", "optional_dependencies", "conflicts"]) {
    assert.equal(refusal({ [field]: [{ name: "aa", arch: "any" }] }), undefined);
    for (const arch of ["x86_64", "noarch", "ANY", "native"]) {
      assert.equal(refusal({ [field]: [{ name: "aa", arch }] }), "E_ARCH_QUALIFIER", arch);
    }
  }
});

Deno.test("F-ARCH-05: no field of a dependency goes unread beside a name or a constraint", () => {
  const faults = { arch: "x86_64", root: "-", claims: [] };
  for (const [field, value] of Object.entries(faults)) {
    const rule = { arch: "E_ARCH_QUALIFIER", root: "E_ROOT_REF", claims: "E_CLAIM_SHAPE" }[field];
    for (const others of [{}, { constraint: "" }, { constraint: ">= 1" }, { unknown: 1 }]) {
      assert.equal(refusal({ dependencies: [{ name: "aa", ...others, [field]: value }] }), rule, field);
      assert.equal(refusal({ dependencies: [{ [field]: value, ...others, name: "aa" }] }), rule, field);
    }
  }
});

Deno.test("S-REL-08: a constraint that is there must parse; an empty string counts as absent", () => {
  for (const field of ["dependencies", "optional_dependencies", "conflicts", "replaces"]) {
    assert.equal(refusal({ [field]: [{ name: "aa", constraint: ">= 1, < 2" }] }), undefined);
    for (const constraint of [">=", "==1", "1,", " ", "~> 1"]) {
      assert.equal(refusal({ [field]: [{ name: "aa", constraint }] }), "E_CONSTRAINT", constraint);
    }
  }
  const read = relations({
    dependencies: [{ name: "aa", constraint: "", arch: "" }, { name: "bb" }],
    provides: [{ name: "cc", version: "" }],
  });
  assert.deepEqual(read.dependencies.map((entry) => entry.constraint), [undefined, undefined]);
  assert.equal(read.provides[0]?.version, undefined);
});

Deno.test("S-REL-13: an omitted field equals an empty array, but dependencies and conflicts are written out", () => {
  assert.deepEqual(relations({}), relations({ optional_dependencies: [], provides: [], replaces: [] }));
  assert.equal(refusal({}), undefined);
  for (const field of ["dependencies", "conflicts"]) {
    assert.equal(refusal({ [field]: undefined }), "E_FIELD_MISSING", field);
  }
});
