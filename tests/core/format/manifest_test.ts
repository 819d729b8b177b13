import assert from "node:assert/strict";
import type { Warning } from "../../../core/errors.ts";
import type { Layout } from "../../../core/format/destinations.ts";
import { parseFileList, writeFileList } from "../../../core/format/file_list.ts";
import { type Manifest, parseManifest } from "../../../core/format/manifest.ts";
import { writeManifest } from "../../../core/format/manifest_writer.ts";
import { findDescriptorFault } from "../../../core/format/security_descriptor.ts";
import { decodeBase64, encodeBase64 } from "../../../core/format/base64.ts";
import { DEMO_MANIFEST, type Fields, json, refusalOf } from "../../support/package_builder.ts";
import { ruleOf } from "../../support/refusals.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function parse(fields: Fields, layout: Layout = "base"): Manifest {
  return parseManifest(encode(json({ ...DEMO_MANIFEST, ...fields })), layout);
}

function refusal(fields: Fields, layout: Layout = "base"): string | undefined {
  return ruleOf(() => parse(fields, layout));
}

const OWNER_ONLY = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAA";

Deno.test("F-MAN-01: every required field is required, dependencies and conflicts among them", () => {
  const required = ["schema_version", "name", "version", "architecture", "dependencies", "conflicts", "size_installed"];
  for (const field of [...required, "build"]) {
    assert.equal(refusal({ [field]: undefined }), "E_FIELD_MISSING", field);
    assert.equal(refusal({ [field]: null }), "E_FIELD_TYPE", field);
  }
  for (const field of ["timestamp", "farm_id", "source_ref"]) {
    const build = { timestamp: "2026-01-02T03:04:05Z", farm_id: "", source_ref: "", [field]: undefined };
    assert.equal(refusal({ build }), "E_FIELD_MISSING", field);
  }
  const optional = [
    "description",
    "license",
    "homepage",
    "optional_dependencies",
    "provides",
    "replaces",
    "side_effects",
  ];
  for (const field of [...optional, "sd_overrides"]) assert.equal(refusal({ [field]: undefined }), undefined, field);
});

Deno.test("F-MAN-02, F-VNAME-05: relation arrays ascend by name, each name once, each with its own grammar", () => {
  for (const field of ["dependencies", "optional_dependencies", "conflicts", "provides", "replaces"]) {
    assert.equal(refusal({ [field]: [{ name: "aa" }, { name: "bb" }] }), undefined, field);
    assert.equal(refusal({ [field]: [{ name: "bb" }, { name: "aa" }] }), "E_MANIFEST_ORDER", field);
    assert.equal(refusal({ [field]: [{ name: "aa" }, { name: "aa" }] }), "E_MANIFEST_DUPLICATE", field);
    assert.equal(refusal({ [field]: [{}] }), "E_FIELD_MISSING", field);
    assert.equal(refusal({ [field]: ["aa"] }), "E_FIELD_TYPE", field);
    assert.equal(refusal({ [field]: {} }), "E_FIELD_TYPE", field);
  }
  for (const field of ["dependencies", "optional_dependencies", "provides"]) {
    assert.equal(refusal({ [field]: [{ name: "libGL.so.1" }] }), undefined, field);
    assert.equal(refusal({ [field]: [{ name: "_x" }] }), "E_VNAME", field);
  }
  for (const field of ["conflicts", "replaces"]) {
    assert.equal(refusal({ [field]: [{ name: "libGL.so.1" }] }), "E_NAME", field);
  }
});

Deno.test("F-MAN-03, F-ARCH-05: empty strings mean absent, the only qualifier is any", () => {
  const [dependency] = parse({ dependencies: [{ name: "aa", constraint: "", arch: "", root: "" }] }).dependencies;
  assert.deepEqual(dependency, { name: "aa", constraint: undefined, root: undefined, claims: [] });
  assert.equal(parse({ provides: [{ name: "aa", version: "" }] }).provides[0]?.version, undefined);
  assert.equal(parse({ homepage: "", default_root: "" }).defaultRoot, undefined);
  for (const field of ["dependencies", "optional_dependencies", "conflicts"]) {
    assert.equal(refusal({ [field]: [{ name: "aa", arch: "any" }] }), undefined, field);
    assert.equal(refusal({ [field]: [{ name: "aa", arch: "x86_64" }] }), "E_ARCH_QUALIFIER", field);
    assert.equal(refusal({ [field]: [{ name: "aa", constraint: "==1" }] }), "E_CONSTRAINT", field);
  }
  assert.equal(refusal({ provides: [{ name: "aa", version: "1.0 " }] }), "E_VERSION");
  assert.equal(parse({ provides: [{ name: "aa", version: "1.0" }] }).provides[0]?.version?.revision, undefined);
});

Deno.test("F-MAN-04: a description holds printable characters of any script and no others", () => {
  for (const text of ["", "plain text", "naïve café — 日本語 ∑", "a\u0301"]) {
    assert.equal(refusal({ description: text }), undefined, text);
  }
  const bad = [
    "a\nb",
    "\u001b[31m",
    "\u200b",
    "\u202e",
    "\u00a0",
    "\u2028",
    "\ufffd",
    "\ue000",
    "\u0378",
    "\t",
    "\u007f",
    "\u00ad",
  ];
  for (const text of bad) assert.equal(refusal({ description: text }), "E_MANIFEST_DESCRIPTION", JSON.stringify(text));
  const warned = (length: number) => {
    const warnings: Warning[] = [];
    parseManifest(encode(json({ ...DEMO_MANIFEST, description: "d".repeat(length) })), "base", (w) => warnings.push(w));
    return warnings.map((warning) => warning.rule);
  };
  assert.deepEqual(warned(79), []);
  assert.deepEqual(warned(80), ["W_DESCRIPTION_LENGTH"]);
});

Deno.test("F-MAN-05: a homepage is an http or https URL with a host", () => {
  const good = [
    "http://example.org",
    "HTTPS://Example.org:8080/a/b;c?d=e#f",
    "https://user@[2001:db8::1]/",
    "http://a.b/%41?x=/?#/?",
    "http://192.0.2.1",
    "http://a:/",
    "http://user:pass@a.b:1/",
    "http://a?q#f",
  ];
  for (const text of good) assert.equal(refusal({ homepage: text }), undefined, text);
  const bad = [
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/html,x",
    "example.org",
    "http:/x",
    "http://",
    "http:///x",
    "http://:80/",
    "http://exa mple.org",
    "http://exämple.org",
    "http://a/%4",
    "http://a/\n",
    "http://[::1",
    "http://[1:2]/",
    "http://a\\b",
    "//example.org",
    "http://a/[",
    "http://a#b#c",
    "http://a@b@c",
    "http://a:b/",
    "http://@",
    "http://a%zz/",
    "ftp://a/",
  ];
  for (const text of bad) assert.equal(refusal({ homepage: text }), "E_MANIFEST_HOMEPAGE", text);
});

Deno.test("F-MAN-05, F-ROOT-01: text of megabytes is judged like any other", () => {
  const long = 4_000_000;
  assert.equal(refusal({ homepage: `http://a/${"b".repeat(long)}` }), undefined);
  assert.equal(refusal({ homepage: `http://${"b".repeat(long)}^` }), "E_MANIFEST_HOMEPAGE");
  assert.equal(refusal({ default_root: `${"a.".repeat(long)}a` }), undefined);
  assert.equal(refusal({ default_root: `${"a.".repeat(long)}.a` }), "E_ROOT_REF");
  assert.equal(refusal({ version: `${"1.".repeat(long)}0-1` }), undefined);
});

Deno.test("F-MAN-06: the build timestamp has its one form", () => {
  const build = (timestamp: unknown) => ({ build: { timestamp, farm_id: "f", source_ref: "s" } });
  assert.equal(parse(build("2026-05-06T12:00:00Z")).build.seconds, 1778068800);
  for (const text of ["2026-05-06T12:00:00.5Z", "2026-02-30T00:00:00Z", "", "1969-12-31T23:59:59Z"]) {
    assert.equal(refusal(build(text)), "E_MANIFEST_TIMESTAMP", text);
  }
});

Deno.test("F-MAN-08, T-SIDE-01: side effects are known, each once, in any order", () => {
  assert.deepEqual(parse({ side_effects: ["man-db", "depmod", "ldconfig"] }).sideEffects, [
    "man-db",
    "depmod",
    "ldconfig",
  ]);
  for (const effects of [["ldconfig", "ldconfig"], ["update-grub"], ["LDCONFIG"]]) {
    assert.equal(refusal({ side_effects: effects }), "E_SIDE_EFFECT");
  }
  assert.equal(refusal({ side_effects: [1] }), "E_FIELD_TYPE");
});

Deno.test("F-JSON-10, F-LATE-03: unknown fields are ignored at every level, whatever they hold", () => {
  const odd = { unknown: -1.5e300, nested: [{ x: null }] };
  assert.equal(refusal({ ...odd, license_class: "free", special_system_package: 7, alternate_upgrade: [] }), undefined);
  assert.equal(
    refusal({ dependencies: [{ name: "aa", ...odd }], conflicts: [{ name: "bb", root: 7, claims: 3 }] }),
    undefined,
  );
  const build = {
    timestamp: "2026-01-02T03:04:05Z",
    farm_id: "",
    source_ref: "",
    recipe_ref: "r",
    builder: "b",
    ...odd,
  };
  assert.equal(refusal({ build }), undefined);
});

Deno.test("F-LATE-02, F-LATE-07: late fields count in the late profile only", () => {
  const fields = { special_system_package: true, alternate_upgrade: "use the installer" };
  const late = parse(fields, "late");
  assert.deepEqual([late.specialSystemPackage, late.alternateUpgrade], [true, "use the installer"]);
  const base = parse(fields);
  assert.deepEqual([base.specialSystemPackage, base.alternateUpgrade], [false, ""]);
  assert.equal(refusal({ special_system_package: 1 }, "late"), "E_FIELD_TYPE");
});

Deno.test("F-ROOT-01, F-ROOT-02: root references are read from the manifest and from dependencies", () => {
  const manifest = parse({ default_root: "web.cache", dependencies: [{ name: "aa", root: "db" }] });
  assert.equal(manifest.defaultRoot, "web.cache");
  assert.equal(manifest.dependencies[0]?.root, "db");
  assert.equal(refusal({ default_root: "/boot" }), "E_ROOT_REF");
  assert.equal(refusal({ dependencies: [{ name: "aa", root: "a/b" }] }), "E_ROOT_REF");
});

function claims(side: "dependencies" | "provides", value: unknown, layout: Layout = "base"): string | undefined {
  return refusal({ [side]: [{ name: "sh-role", claims: value }] }, layout);
}

Deno.test("F-CLM-01, F-CLM-02: slots are package names, each side has its own shape", () => {
  assert.equal(claims("dependencies", { sh: { path: "/usr/bin/sh", note: 1 } }), undefined);
  assert.equal(claims("provides", { sh: { target: "/usr/bin/dash" } }), undefined);
  assert.equal(claims("provides", { sh: { target: "/usr/bin/dash", path: "/usr/bin/sh" } }), undefined);
  for (const value of [null, [], "x", { sh: null }, { sh: "x" }, { sh: {} }, { sh: { path: 1 } }]) {
    assert.equal(claims("dependencies", value), "E_CLAIM_SHAPE", JSON.stringify(value));
  }
  assert.equal(claims("dependencies", { sh: { path: "/usr/bin/sh", target: "/usr/bin/dash" } }), "E_CLAIM_SHAPE");
  assert.equal(claims("provides", { sh: { path: "/usr/bin/sh" } }), "E_CLAIM_SHAPE");
  for (const slot of ["", "a", "Sh", "s_h", "a--b"]) {
    assert.equal(claims("dependencies", { [slot]: { path: "/usr/bin/sh" } }), "E_CLAIM_SLOT", slot);
  }
});

Deno.test("C-DECL-09: one claim path of a provider cannot have two targets", () => {
  const slots = (first: string, second: string) => ({
    aa: { path: "/usr/bin/sh", target: first },
    bb: { path: "/usr/bin/sh", target: second },
  });
  assert.equal(claims("provides", slots("/usr/bin/x", "/usr/bin/y")), "CLAIM_PATH_CONTESTED");
  assert.equal(claims("provides", slots("/usr/bin/x", "/usr/bin/x")), undefined);
  assert.equal(claims("provides", {}), undefined); // C-DECL-11
});

Deno.test("F-CLM-03: claim paths and targets are absolute and clean", () => {
  for (
    const path of ["usr/bin/sh", "/", "//usr/bin/sh", "/usr/bin/", "/usr/../bin/sh", "/usr/bin/%2e", "/.peipkg/x", ""]
  ) {
    assert.equal(claims("dependencies", { sh: { path } }), "E_CLAIM_PATH", path);
    assert.equal(claims("provides", { sh: { target: path } }), "E_CLAIM_PATH", path);
  }
});

Deno.test("F-CLM-05, F-LATE-04: claim paths lie below a destination or /run; late adds /init", () => {
  for (const path of ["/usr/bin/sh", "/etc/alternatives/x", "/run/x", "/boot/vmlinuz", "/usr/lib/x"]) {
    assert.equal(claims("dependencies", { sh: { path } }), undefined, path);
  }
  for (const path of ["/usr/bin", "/bin/sh", "/run", "/tmp/x", "/init", "/home/x", "/usr/etc/x"]) {
    assert.equal(claims("dependencies", { sh: { path } }), "E_CLAIM_PATH", path);
  }
  assert.equal(claims("dependencies", { sh: { path: "/init" } }, "late"), undefined);
  assert.equal(claims("dependencies", { sh: { path: "/init/x" } }, "late"), "E_CLAIM_PATH");
  assert.equal(claims("dependencies", { sh: { path: "/etc/x" } }, "late"), "E_CLAIM_PATH");
  assert.equal(claims("dependencies", { sh: { path: "/usr/etc/x" } }, "late"), undefined);
});

Deno.test("F-CLM-04, F-CLM-06: targets are files or links of this package, paths are not in its payload", async () => {
  const payload = [
    { name: "usr/", type: "dir" },
    { name: "usr/bin/", type: "dir" },
    { name: "usr/bin/dash" },
    { name: "usr/bin/sh", type: "symlink", target: "dash" },
  ] as const;
  const rule = (claim: Fields) =>
    refusalOf({ payload, manifest: { provides: [{ name: "sh-role", claims: { sh: claim } }] } });
  assert.equal(await rule({ target: "/usr/bin/dash", path: "/usr/bin/xx" }), undefined);
  assert.equal(await rule({ target: "/usr/bin/sh" }), undefined);
  assert.equal(await rule({ target: "/usr/bin" }), "E_CLAIM_TARGET");
  assert.equal(await rule({ target: "/usr/bin/absent" }), "E_CLAIM_TARGET");
  assert.equal(await rule({ target: "/usr/bin/dash", path: "/usr/bin/sh" }), "E_CLAIM_PATH");
});

Deno.test("F-CLM-08: claims change nothing about the name and constraint they stand beside", () => {
  const plain = parse({ dependencies: [{ name: "aa", constraint: ">=1" }] }).dependencies[0];
  const claiming =
    parse({ dependencies: [{ name: "aa", constraint: ">=1", claims: { sh: { path: "/run/x" } } }] }).dependencies[0];
  assert.deepEqual({ ...claiming, claims: [] }, plain);
});

Deno.test("F-SDO-02, F-SDO-03, F-SDO-04: overrides are sorted, base64 and valid descriptors", () => {
  const override = (path: string, sd = OWNER_ONLY) => ({ path, sd });
  assert.equal(refusal({ sd_overrides: [override("a"), override("b")] }), undefined);
  assert.equal(refusal({ sd_overrides: [override("b"), override("a")] }), "E_MANIFEST_ORDER");
  assert.equal(refusal({ sd_overrides: [override("a"), override("a")] }), "E_MANIFEST_DUPLICATE");
  assert.equal(refusal({ sd_overrides: [override("\u{10000}"), override("\uffff")] }), "E_MANIFEST_ORDER");
  assert.equal(refusal({ sd_overrides: [override("a", `${OWNER_ONLY}=`)] }), "E_BASE64");
  assert.equal(refusal({ sd_overrides: [override("a", "AAAA")] }), "E_SD_SYNTAX");
  assert.equal(refusal({ sd_overrides: [override("/a")] }), "E_PATH_ABSOLUTE");
  assert.equal(refusal({ sd_overrides: [override("a/../b")] }), "E_PATH_DOT");
  assert.equal(refusal({ sd_overrides: [{ path: "a" }] }), "E_FIELD_MISSING");
});

Deno.test("F-SDO-01, F-SDO-05: an override names a file or directory of the payload, never a link", async () => {
  const payload = [
    { name: "usr/", type: "dir" },
    { name: "usr/share/", type: "dir" },
    { name: "usr/share/f" },
    { name: "usr/share/l", type: "symlink", target: "f" },
  ] as const;
  const rule = (path: string) => refusalOf({ payload, manifest: { sd_overrides: [{ path, sd: OWNER_ONLY }] } });
  assert.equal(await rule("usr/share/f"), undefined);
  assert.equal(await rule("usr/share"), undefined);
  assert.equal(await rule("usr/share/l"), "E_SD_TARGET");
  assert.equal(await rule("usr/share/g"), "E_SD_TARGET");
});

/** A descriptor with one DACL that holds one ACE. */
function descriptor(ace: readonly number[], change: (bytes: Uint8Array<ArrayBuffer>) => void = () => {}) {
  const bytes = new Uint8Array(20 + 8 + ace.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  view.setUint16(2, 0x8004, true);
  view.setUint32(16, 20, true);
  bytes[20] = 2;
  view.setUint16(22, 8 + ace.length, true);
  view.setUint16(24, 1, true);
  bytes.set(ace, 28);
  change(bytes);
  return findDescriptorFault(bytes) === undefined;
}

Deno.test("F-SDO-04: descriptors, ACLs, ACEs and SIDs fill exactly what they say", () => {
  const everyone = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
  const mask = [0, 0, 0, 0];
  const ace = (type: number, ...body: readonly (readonly number[])[]) => {
    const bytes = body.flat();
    return [type, 0, 4 + bytes.length, 0, ...bytes];
  };
  const guid = new Array(16).fill(7);
  assert.equal(descriptor(ace(0x00, mask, everyone)), true);
  assert.equal(descriptor(ace(0x00, mask, everyone, [0, 0, 0, 0])), false);
  assert.equal(descriptor(ace(0x00, mask, everyone.slice(0, 8))), false);
  assert.equal(descriptor(ace(0x09, mask, everyone, [0, 0, 0, 0])), true);
  assert.equal(descriptor(ace(0x05, mask, [3, 0, 0, 0], guid, guid, everyone)), true);
  assert.equal(descriptor(ace(0x05, mask, [1, 0, 0, 0], guid, everyone)), true);
  assert.equal(descriptor(ace(0x05, mask, [3, 0, 0, 0], guid, everyone)), false);
  assert.equal(descriptor(ace(0x0b, mask, [0, 0, 0, 0], everyone, [1, 2, 3, 4])), true);
  assert.equal(descriptor(ace(0x12, mask, everyone, [1, 0, 0, 0])), true);
  assert.equal(descriptor(ace(0x12, mask, everyone)), false);
  assert.equal(descriptor(ace(0x12, mask, [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0], [1, 0, 0, 0])), false);
  assert.equal(descriptor(ace(0x77, [9, 9, 9, 9])), true);
  assert.equal(descriptor([0x77, 0, 4, 0]), true);
  assert.equal(descriptor([0x77, 0, 5, 0, 0, 0, 0, 0]), false);
  assert.equal(descriptor([0x77, 0, 0, 0]), false);
  const good = ace(0x00, mask, everyone);
  assert.equal(descriptor(good, (bytes) => void (bytes[0] = 2)), false);
  assert.equal(descriptor(good, (bytes) => void (bytes[3] = 0)), false);
  assert.equal(descriptor(good, (bytes) => void (bytes[16] = 19)), false);
  assert.equal(descriptor(good, (bytes) => void (bytes[4] = 255)), false);
  assert.equal(descriptor(good, (bytes) => void (bytes[24] = 2)), false);
  assert.equal(descriptor(good, (bytes) => void (bytes[37] = 16)), false);
  assert.equal(findDescriptorFault(decodeBase64(OWNER_ONLY) ?? new Uint8Array()), undefined);
  assert.notEqual(findDescriptorFault(new Uint8Array(65_536)), undefined);
});

Deno.test("F-PRO-08: writeManifest() writes every base field, leaves out what is empty, and is read back equal", () => {
  const { schema_version, name, version, architecture, description, license, homepage, ...rest } = DEMO_MANIFEST;
  const withClaims = (claims: Fields) =>
    json({
      ...{ schema_version, name, version, architecture, description, license, homepage, default_root: "web" },
      ...rest,
      dependencies: [{ name: "aa", constraint: ">=1", root: "r", claims }],
      provides: [
        { name: "p1", version: "2.0", claims: { sh: { path: "/run/x", target: "/usr/bin/x" } } },
        { name: "p2" },
      ],
      sd_overrides: [{ path: "usr/x", sd: OWNER_ONLY }],
      build: { timestamp: "2026-01-02T03:04:05Z", farm_id: "f", source_ref: "s", source_package: "src" },
    });
  const unsorted = withClaims({ "b-slot": { path: "/run/b" }, aa: { path: "/run/a" } });
  const manifest = parseManifest(encode(unsorted), "base");
  const written = new TextDecoder().decode(writeManifest(manifest));
  assert.equal(written, withClaims({ aa: { path: "/run/a" }, "b-slot": { path: "/run/b" } }));
  assert.deepEqual(parseManifest(encode(written), "base"), manifest);
  assert.equal(new TextDecoder().decode(writeManifest(parse({}))), json(DEMO_MANIFEST));
});

const ROW = { path: "a", size: 1, hash: "0".repeat(64) };

function listRefusal(fields: Fields): string | undefined {
  return ruleOf(() =>
    parseFileList(encode(json({ schema_version: 1, algorithm: "sha256", entries: [ROW], ...fields })))
  );
}

Deno.test("F-INT-01: the files document has its fields, order and hash syntax", () => {
  assert.equal(listRefusal({}), undefined);
  assert.equal(listRefusal({ entries: [] }), undefined);
  assert.equal(listRefusal({ entries: undefined }), "E_FIELD_MISSING");
  assert.equal(listRefusal({ entries: {} }), "E_FIELD_TYPE");
  assert.equal(listRefusal({ algorithm: "blake3" }), "E_FILES_ALGORITHM");
  assert.equal(listRefusal({ schema_version: 2, entries: [7] }), "E_SCHEMA_VERSION");
  assert.equal(listRefusal({ entries: [ROW, ROW] }), "E_FILES_ORDER");
  assert.equal(listRefusal({ entries: [{ ...ROW, path: "b" }, ROW] }), "E_FILES_ORDER");
  assert.equal(listRefusal({ entries: [{ ...ROW, path: "\uffff" }, { ...ROW, path: "\u{10000}" }] }), undefined);
  for (const hash of ["0".repeat(63), "0".repeat(65), "A".repeat(64), ""]) {
    assert.equal(listRefusal({ entries: [{ ...ROW, hash }] }), "E_FILES_HASH_SYNTAX", hash);
  }
  assert.equal(listRefusal({ entries: [{ ...ROW, size: -1 }] }), "E_JSON_INTEGER");
  const list = { paths: ["a", "b"], sizes: [1, 2], hashes: ["0".repeat(64), "f".repeat(64)] };
  assert.deepEqual(parseFileList(writeFileList(list)), list);
  assert.equal(encodeBase64(Uint8Array.of(0)), "AA");
});
