import assert from "node:assert/strict";
import {
  isArchitecture,
  isArchitectureSyntax,
  isInstallableOn,
  KNOWN_ARCHITECTURES,
  matchesQualifierAny,
  parseArchitecture,
  tripletOf,
} from "../../../core/identity/architecture.ts";
import { groupFingerprint, parseFingerprint } from "../../../core/identity/fingerprint.ts";
import { formatPackageFileName, parsePackageFileName } from "../../../core/identity/package_file_name.ts";
import { isPackageName, parsePackageName } from "../../../core/identity/package_name.ts";
import { parseRootReference } from "../../../core/identity/root_reference.ts";
import { isVirtualName, parseVirtualName } from "../../../core/identity/virtual_name.ts";
import { ruleOf } from "../../support/refusals.ts";

const VECTORS = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/identity/names.json", import.meta.url)),
);

Deno.test("F-NAME-01, F-NAME-02, F-NAME-03: parsePackageName() follows every published vector", () => {
  for (const name of VECTORS.package_names.valid) assert.equal(parsePackageName(name), name);
  for (const { name, reason } of VECTORS.package_names.invalid) {
    assert.equal(ruleOf(() => parsePackageName(name)), "E_NAME", `${JSON.stringify(name)}: ${reason}`);
  }
});

Deno.test("F-NAME-03, F-NAME-05: separators may not touch, a plus may stand anywhere but first", () => {
  for (const name of ["ab", "g++", "libstdc++", "a-+b", "c++-dev", "0ad", "lib32-foo", "a.b.c"]) {
    assert.equal(isPackageName(name), true, name);
  }
  for (const name of ["a", "+a", "a-", "a--b", "a.-b", "a-.b", "a..b", "A1", "a_b", "ab\n", "é1"]) {
    assert.equal(isPackageName(name), false, name);
  }
});

Deno.test("F-NAME-04: names have 2 to 64 characters", () => {
  assert.equal(isPackageName("a".repeat(64)), true);
  assert.equal(isPackageName("a".repeat(65)), false);
  assert.equal(isPackageName("aa"), true);
});

Deno.test("F-NAME-06: names that differ in case are not the same, and only lower case is a name", () => {
  assert.equal(isPackageName("nginx"), true);
  assert.equal(isPackageName("Nginx"), false);
});

Deno.test("F-NAME-07: the suffix conventions are ordinary names", () => {
  for (const suffix of ["-doc", "-debug", "-dev", "-source"]) {
    assert.equal(parsePackageName(`foo${suffix}`), `foo${suffix}`);
  }
});

Deno.test("F-VNAME-01, F-VNAME-02, F-VNAME-03: parseVirtualName() follows every published vector", () => {
  for (const name of VECTORS.virtual_names.valid) assert.equal(parseVirtualName(name), name);
  for (const name of VECTORS.package_names.valid) assert.equal(isVirtualName(name), true, name);
  for (const { name, reason } of VECTORS.virtual_names.invalid) {
    assert.equal(ruleOf(() => parseVirtualName(name)), "E_VNAME", `${JSON.stringify(name)}: ${reason}`);
  }
});

Deno.test("F-VNAME-04: virtual names have 2 to 128 characters and keep their case", () => {
  assert.equal(isVirtualName("a".repeat(128)), true);
  assert.equal(isVirtualName("a".repeat(129)), false);
  assert.equal(isVirtualName(`p(${"x".repeat(125)})`), true);
  assert.equal(isVirtualName(`p(${"x".repeat(126)})`), false);
  assert.equal(isVirtualName("a"), false);
  assert.notEqual(parseVirtualName("libGL.so.1"), parseVirtualName("libgl.so.1"));
});

Deno.test("F-VNAME-06: sonames and pkg-config modules are virtual names", () => {
  for (const name of ["libssl.so.3", "libgcc_s.so.1", "pkgconfig(gtk+-3.0)", "perl(Foo::Bar)"]) {
    assert.equal(isVirtualName(name), true, name);
  }
});

Deno.test("F-ARCH-01, F-ARCH-02: parseArchitecture() tells spelling from knowledge", () => {
  for (const { identifier, canonical } of VECTORS.architectures.valid) {
    assert.equal(isArchitectureSyntax(identifier), true, identifier);
    assert.equal(isArchitecture(identifier), canonical === true, identifier);
    const expected = canonical === true ? undefined : "E_ARCH_UNKNOWN";
    assert.equal(ruleOf(() => parseArchitecture(identifier)), expected, identifier);
  }
  for (const { identifier, reason } of VECTORS.architectures.invalid) {
    assert.equal(ruleOf(() => parseArchitecture(identifier)), "E_ARCH_SYNTAX", `${identifier}: ${reason}`);
  }
  assert.deepEqual([...KNOWN_ARCHITECTURES], ["x86_64", "aarch64", "noarch"]);
});

Deno.test("F-ARCH-03: tripletOf() gives <identifier>-linux-peios, nothing for noarch", () => {
  assert.equal(tripletOf("x86_64"), "x86_64-linux-peios");
  assert.equal(tripletOf("aarch64"), "aarch64-linux-peios");
  assert.equal(tripletOf("noarch"), undefined);
});

Deno.test("F-ARCH-04: a package installs on its own architecture, a noarch package everywhere", () => {
  assert.equal(isInstallableOn("x86_64", "x86_64"), true);
  assert.equal(isInstallableOn("noarch", "aarch64"), true);
  assert.equal(isInstallableOn("aarch64", "x86_64"), false);
});

Deno.test("F-ARCH-05: a noarch package is satisfied by noarch packages only", () => {
  assert.equal(matchesQualifierAny("x86_64", "x86_64"), true);
  assert.equal(matchesQualifierAny("noarch", "x86_64"), true);
  assert.equal(matchesQualifierAny("x86_64", "noarch"), false);
  assert.equal(matchesQualifierAny("noarch", "noarch"), true);
});

Deno.test("F-FILE-01, F-FILE-02: parsePackageFileName() splits at the first and second underscore", () => {
  for (const { filename, name, version, architecture } of VECTORS.filenames.valid) {
    const parsed = parsePackageFileName(filename);
    assert.deepEqual([parsed.name, parsed.version.raw, parsed.architecture], [name, version, architecture]);
    assert.equal(formatPackageFileName(name, version, architecture), filename);
  }
  for (const { filename, reason } of VECTORS.filenames.invalid) {
    assert.equal(ruleOf(() => parsePackageFileName(filename)), "E_FILENAME", `${filename}: ${reason}`);
  }
});

Deno.test("F-ROOT-01: parseRootReference() takes dotted names and no paths", () => {
  for (const text of ["a", "0", "a.b", "web_1.cache-2", "a-b.c"]) assert.equal(parseRootReference(text), text);
  for (const text of ["", ".", "a.", ".a", "a..b", "/a", "a/b", "A", "-a", "a.-b", "a b", "a\n"]) {
    assert.equal(ruleOf(() => parseRootReference(text)), "E_ROOT_REF", text);
  }
});

Deno.test("F-GEN-02: parseFingerprint() refuses upper case and every other length", () => {
  const fingerprint = "0123456789abcdef".repeat(4);
  assert.equal(parseFingerprint(fingerprint), fingerprint);
  for (const text of [fingerprint.toUpperCase(), fingerprint.slice(1), `${fingerprint}0`, "", `${fingerprint}\n`]) {
    assert.equal(ruleOf(() => parseFingerprint(text)), "E_FINGERPRINT", text);
  }
  assert.equal(ruleOf(() => parseFingerprint("x", "E_SIG_FINGERPRINT")), "E_SIG_FINGERPRINT");
});

Deno.test("F-KEY-05: groupFingerprint() groups in fours", () => {
  assert.equal(groupFingerprint("0123456789ab"), "0123 4567 89ab");
});
