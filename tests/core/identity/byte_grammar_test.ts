/** What is recognised in bytes is what parsing accepts, but for rare forms that are left to it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isConstraintAt,
  isPackageNameAt,
  isProvidedVersionAt,
  isVersionAt,
  isVirtualNameAt,
} from "../../../core/identity/byte_grammar.ts";
import { parseConstraint } from "../../../core/identity/constraint.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseProvidedVersion, parseVersion } from "../../../core/identity/version.ts";
import { parseVirtualName } from "../../../core/identity/virtual_name.ts";
import { ruleOf } from "../../support/refusals.ts";

const VECTORS = JSON.parse(
  Deno.readTextFileSync(new URL("../../fixtures/identity/versions.json", import.meta.url)),
);

type Check = (bytes: Uint8Array, from: number, to: number) => boolean;

/** As it stands in a document: between quotes, with more of it around. */
function recognises(check: Check, text: string): boolean {
  const encoded = new TextEncoder().encode(text);
  const before = new TextEncoder().encode('"');
  const bytes = new Uint8Array([...before, ...encoded, ...new TextEncoder().encode('"=,1')]);
  return check(bytes, before.length, before.length + encoded.length);
}

const accepts = (parse: (text: string) => unknown, text: string) => ruleOf(() => parse(text)) === undefined;

/** @param rare What is left to the parser. */
function compare(check: Check, parse: (text: string) => unknown, rare: RegExp): (text: string) => void {
  return (text) => {
    const accepted = accepts(parse, text);
    if (recognises(check, text)) assert.ok(accepted, JSON.stringify(text));
    else if (accepted) assert.match(text, rare, JSON.stringify(text));
  };
}

Deno.test("F-NAME-04, F-NAME-05, F-VNAME-01 … F-VNAME-04: names are recognised in bytes as parsing accepts them", () => {
  const isName = compare(isPackageNameAt, parsePackageName, /$^/);
  const isVirtual = compare(isVirtualNameAt, parseVirtualName, /$^/);
  const check = (text: string) => {
    isName(text);
    isVirtual(text);
  };
  const piece = fc.constantFrom(..."aZ0-.+_()/:é, ", "lib", "perl(", ")", "libssl.so.3", "a".repeat(30));
  for (const length of [63, 64, 65, 127, 128, 129]) check("a".repeat(length));
  for (const text of ["", "a", "ab", "a(b)", "a()", "(b)", "A(b)", "a1(b)", "1a(b)", "a(b", "a(b)c", "a(b))"]) {
    check(text);
  }
  const text = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(""));
  fc.assert(fc.property(text, check), { numRuns: 10_000, seed: 5 });
});

Deno.test("F-VER-01 … F-VER-06, F-CON-01 … F-CON-04: versions are recognised in bytes as parsing accepts them", () => {
  const longNumber = /[0-9]{18}/;
  const isVersion = compare(isVersionAt, parseVersion, longNumber);
  const isProvided = compare(isProvidedVersionAt, parseProvidedVersion, longNumber);
  const isConstraint = compare(isConstraintAt, parseConstraint, /[0-9]{18}|[\t\r\n]|^ | $| [,=]| {2}|[^,<>=] /);
  const check = (text: string) => {
    isVersion(text);
    isProvided(text);
    isConstraint(text);
  };
  const number = fc.constantFrom("0", "1", "01", "12", "9223372036854775807", "9223372036854775808", "9".repeat(40));
  const piece = fc.oneof(number, fc.constantFrom(..."aZ.+~-:_, \n<>=!é", ">=", "!=", "1.0-1", "2:1.0~rc1-3", ", "));
  const text = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(""));
  for (const { version } of [...VECTORS.valid_versions, ...VECTORS.invalid_versions]) check(version);
  for (const { constraint } of [...VECTORS.constraints, ...VECTORS.invalid_constraints]) check(constraint);
  fc.assert(fc.property(text, check), { numRuns: 10_000, seed: 5 });
});
