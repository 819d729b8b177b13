import { strict as assert } from "node:assert";
import { PeipkgError } from "../../../core/errors.ts";
import { sha256 } from "../../../core/format/hash.ts";
import { encodeBase64 } from "../../../core/format/base64.ts";
import { parseDescriptor } from "../../../core/repository/descriptor.ts";
import { verifyDetached } from "../../../core/repository/detached.ts";
import { parseIndex, readEntryDetails } from "../../../core/repository/index.ts";
import { isAcceptable } from "../../../core/repository/trust_set.ts";
import { indexText } from "../../support/known_index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ruleOf = (error: unknown) => error instanceof PeipkgError ? error.detail.rule : String(error);

async function outcome(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    return ruleOf(error) ?? "none";
  }
}

// The vector of section 2.
const KEY = Uint8Array.fromHex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
const FINGERPRINT = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c";
const DOCUMENT = bytes('{"hello":"peipkg"}\n');
const SIGNATURE_E = "yLQ577cbp1IMeI+LHOAk+l59U9SzGUYy11MJ0XsynyxeNx6nY2LUi6CPbAoIikTueQ45R/QHPEyKG/i77tVSDQ";
const SIGNATURE_B = "jYGGHD83pTtjyuf80mvTRcM3dgL+nkG5a6qdbf/pmJoezGHX8P2Jk2TXg88DUkrh310bdRWNKGA5CQVTY31zBA";
const ENVELOPE = JSON.stringify({
  schema_version: 1,
  algorithm: "ed25519",
  key_fingerprint: FINGERPRINT,
  signature: SIGNATURE_E,
});
const NOW = Date.UTC(2026, 0, 1);

type Status = "active" | "transitioning" | "revoked";
const key = (status: Status = "active", validUntil?: string) => ({
  fingerprint: FINGERPRINT,
  publicKey: KEY,
  status,
  ...(validUntil === undefined ? {} : { validUntil }),
});
const verify = (signature: string, keys = [key()], document = DOCUMENT) =>
  outcome(() =>
    verifyDetached({ document: "descriptor", repository: "x", signature: bytes(signature), bytes: document }, keys, NOW)
  );

Deno.test("R-SIG-01, R-SIG-03: verifyDetached() accepts both forms of the published vector", async () => {
  assert.equal(await verify(ENVELOPE), "ok");
  assert.equal(await verify(SIGNATURE_B), "ok");
  assert.equal(await verify(SIGNATURE_E), "E_SIG_INVALID"); // the digest's signature is not the document's
  assert.equal(await verify(ENVELOPE, [key()], bytes('{"hello":"peipkg"}')), "E_SIG_INVALID");
});

Deno.test("R-SIG-06, R-SIG-07, R-CACHE-02: beside a known digest the bytes are read for a bare signature alone", async () => {
  const digest = sha256(DOCUMENT);
  let reads = 0;
  const document = () => {
    reads++;
    return DOCUMENT;
  };
  const about = { document: "descriptor", repository: "main", bytes: document, digest };
  await verifyDetached({ ...about, signature: bytes(ENVELOPE) }, [key()], NOW);
  assert.equal(reads, 0);
  await verifyDetached({ ...about, signature: bytes(SIGNATURE_B) }, [key()], NOW);
  assert.equal(reads, 1);
  const others = { ...about, bytes: () => bytes("{}"), signature: bytes(SIGNATURE_B) };
  await assert.rejects(verifyDetached(others, [key()], NOW), (error) => ruleOf(error) === "E_SIG_INVALID");
});

Deno.test("R-SIG-02, R-SIG-04: verifyDetached() tolerates surrounding whitespace and nothing else", async () => {
  assert.equal(await verify(` \t\r\n${ENVELOPE}\r\n`), "ok");
  assert.equal(await verify(`\n${SIGNATURE_B}\n \t`), "ok");
  assert.equal(await verify(`${SIGNATURE_B}==`), "E_SIG_ENCODING");
  assert.equal(await verify(SIGNATURE_B.replaceAll("/", "_")), "E_SIG_ENCODING");
  assert.equal(await verify(`${SIGNATURE_B.slice(0, 40)}\n${SIGNATURE_B.slice(40)}`), "E_SIG_ENCODING");
  assert.equal(await verify(`${SIGNATURE_B} x`), "E_SIG_ENCODING");
  assert.equal(await verify(SIGNATURE_B.slice(4)), "E_SIG_ENCODING");
  assert.equal(await verify(""), "E_SIG_ENCODING");
  assert.equal(await verify(`${ENVELOPE} x`), "E_JSON_SYNTAX");
});

Deno.test("R-SIG-05: an envelope is parsed strictly, its field order is free", async () => {
  const fields = { signature: SIGNATURE_E, key_fingerprint: FINGERPRINT, algorithm: "ed25519", schema_version: 1 };
  assert.equal(await verify(JSON.stringify(fields)), "ok");
  assert.equal(await verify(JSON.stringify({ ...fields, more: 1 })), "E_FIELD_UNKNOWN");
  assert.equal(await verify(JSON.stringify({ ...fields, schema_version: 2 })), "E_SCHEMA_VERSION");
  assert.equal(await verify(JSON.stringify({ ...fields, algorithm: "rsa" })), "E_SIG_ALGORITHM");
  assert.equal(await verify(JSON.stringify({ ...fields, key_fingerprint: "x" })), "E_SIG_FINGERPRINT");
  assert.equal(await verify(JSON.stringify({ ...fields, signature: undefined })), "E_FIELD_MISSING");
});

Deno.test("R-SIG-06, R-SIG-07, R-SIG-08, R-KEY-06: the failure says what is wrong with the key", async () => {
  for (const signature of [ENVELOPE, SIGNATURE_B]) {
    assert.equal(await verify(signature, [key("revoked")]), "E_SIG_KEY_REVOKED");
    assert.equal(await verify(signature, [key("transitioning", "2025-12-31T23:59:59Z")]), "E_SIG_KEY_EXPIRED");
    assert.equal(await verify(signature, [key("transitioning", "2026-01-01T00:00:00Z")]), "ok");
  }
  assert.equal(await verify(ENVELOPE, []), "E_SIG_KEY_UNTRUSTED");
  assert.equal(await verify(SIGNATURE_B, []), "E_SIG_INVALID");
  const flipped = encodeBase64(new Uint8Array(64).fill(1));
  assert.equal(await verify(flipped), "E_SIG_INVALID");
});

Deno.test("R-KEY-06: isAcceptable() counts the deadline itself", () => { // C16
  assert.equal(isAcceptable(key("transitioning", "2026-01-01T00:00:00Z"), NOW), true);
  assert.equal(isAcceptable(key("transitioning", "2025-12-31T23:59:59Z"), NOW), false);
  assert.equal(isAcceptable(key("transitioning", "2026-01-01T00:00:00.5Z"), NOW + 500), true);
  assert.equal(isAcceptable(key("transitioning", "2026-01-01T00:00:00.5Z"), NOW + 501), false);
  assert.equal(isAcceptable(key("active"), NOW), true);
  assert.equal(isAcceptable(key("revoked"), NOW), false);
  assert.equal(isAcceptable({ status: "transitioning" }, NOW), false);
});

const [LOW, HIGH] = ["1".repeat(64), "2".repeat(64)];
const listed = (fingerprint: string, more = {}) => ({ fingerprint, url: "/keys/k.pub", status: "active", ...more });
function descriptor(
  change: (document: Record<string, unknown>) => void = () => {},
  keys: unknown = [listed(LOW)],
): Uint8Array {
  const document = {
    schema_version: 1,
    repo: { name: "main", signing: { algorithm: "ed25519", keys } },
    indexes: { active: { url: "/a", signature_url: "/a.sig" }, archive: { url: "/b", signature_url: "/b.sig" } },
  };
  change(document);
  return bytes(`${JSON.stringify(document)}\n`);
}

Deno.test("R-DESC-02, R-DESC-03, R-DESC-09: parseDescriptor() requires its fields and ignores unknown ones", async () => {
  const parsed = parseDescriptor(descriptor((document) => document.future = { a: 1 }));
  assert.deepEqual([parsed.repositoryName, parsed.description, parsed.archive], ["main", "", {
    url: "/b",
    signatureUrl: "/b.sig",
  }]);
  const check = async (change: (document: Record<string, unknown>) => void) =>
    await outcome(() => parseDescriptor(descriptor(change)));
  assert.equal(await check((document) => document.schema_version = 2), "E_SCHEMA_VERSION");
  assert.equal(await check((document) => delete document.repo), "E_DESC_FIELD");
  assert.equal(
    await check((document) => document.indexes = { active: { url: "/a", signature_url: "/s" } }),
    "E_DESC_FIELD",
  );
  assert.equal(
    await check((document) => document.indexes = { active: { url: "", signature_url: "/s" }, archive: {} }),
    "E_DESC_FIELD",
  );
  assert.equal(
    await check((document) => document.repo = { name: "", signing: { algorithm: "ed25519", keys: [listed(LOW)] } }),
    "E_DESC_FIELD",
  );
  assert.equal(
    await check((document) => document.repo = { name: "m", signing: { algorithm: "rsa", keys: [listed(LOW)] } }),
    "E_ALGORITHM",
  );
  assert.equal(await outcome(() => parseDescriptor(bytes("[]"))), "E_DESC_FIELD");
  assert.equal(await outcome(() => parseDescriptor(bytes("{"))), "E_DESC_JSON");
  assert.equal(await outcome(() => parseDescriptor(bytes('{"a":1,"a":2}'))), "E_JSON_DUPLICATE_KEY");
});

Deno.test("R-DESC-04 … R-DESC-08: parseDescriptor() checks its keys one by one and together", async () => {
  const check = async (keys: unknown) => await outcome(() => parseDescriptor(descriptor(() => {}, keys)));
  assert.equal(await check([listed(LOW), listed(HIGH)]), "ok");
  assert.equal(await check([listed(HIGH), listed(LOW)]), "E_DESC_KEY_ORDER"); // C17, R-DESC-05
  assert.equal(await check([listed(LOW), listed(LOW)]), "E_DESC_KEY_DUPLICATE");
  assert.equal(await check([]), "E_DESC_NO_ACTIVE_KEY");
  assert.equal(await check([listed(LOW, { status: "revoked" })]), "E_DESC_NO_ACTIVE_KEY");
  assert.equal(await check([listed("A".repeat(64))]), "E_FINGERPRINT"); // R-DESC-06
  assert.equal(await check([listed(LOW, { status: "retired" })]), "E_KEY_STATUS"); // R-DESC-07
  assert.equal(await check([listed(LOW), listed(HIGH, { status: "transitioning" })]), "E_KEY_VALID_UNTIL");
  assert.equal(
    await check([listed(LOW), listed(HIGH, { status: "transitioning", valid_until: "tomorrow" })]),
    "E_KEY_VALID_UNTIL",
  );
  assert.equal(await check([listed(LOW, { valid_until: 7 })]), "ok"); // R-DESC-08
});

const entry = (name: string, version: string, more = {}) => ({
  name,
  version,
  architecture: "x86_64",
  dependencies: [],
  conflicts: [],
  size_compressed: 1,
  size_installed: 2,
  hash: { algorithm: "sha256", value: LOW },
  url: "/p",
  ...more,
});
const index = (packages: unknown, more = {}) => bytes(indexText(packages, more));
const parse = (document: Uint8Array, kind: "active" | "archive" = "active") =>
  parseIndex(document, { handle: "x", kind, repositoryName: "main", layout: "base" });
const check = async (packages: unknown, more = {}, kind: "active" | "archive" = "active") =>
  await outcome(() => parse(index(packages, more), kind));

Deno.test("R-IDX-01, R-IDX-02, R-IDX-03, R-IDX-04: parseIndex() checks the head and ignores unknown fields", async () => {
  assert.equal(await check([], { future: [1] }), "ok");
  assert.equal(await check([], { repo: "other" }), "E_INDEX_REPO_NAME");
  assert.equal(await check([], { kind: "archive" }), "E_INDEX_KIND");
  assert.equal(await check([], { index_version: 0 }), "E_INDEX_FIELD");
  assert.equal(await check([], { index_version: 2 ** 53 - 1 }), "ok");
  assert.equal(
    await outcome(() =>
      parse(bytes(new TextDecoder().decode(index([])).replace('"index_version":3', '"index_version":9007199254740992')))
    ),
    "E_INDEX_FIELD",
  );
  assert.equal(await check([], { generated_at: "2026-01-01T00:00:00+00:00" }), "E_INDEX_FIELD");
  assert.equal(await check([], { schema_version: 2 }), "E_SCHEMA_VERSION");
  assert.equal(await check({}), "E_INDEX_FIELD");
  assert.equal(await check(undefined), "E_INDEX_FIELD");
  assert.equal(await outcome(() => parse(bytes("not json"))), "E_INDEX_JSON");
  assert.equal(await check([entry("bad name", "1-1")], { kind: "archive" }), "E_INDEX_KIND");
});

Deno.test("R-IDX-05, R-IDX-06: one bad entry rejects the whole index", async () => {
  const bad = async (more: object) => await check([entry("good", "1-1"), entry("name", "1-1", more)]);
  assert.equal(await bad({ future: { a: null } }), "ok");
  assert.equal(await bad({ name: "X" }), "E_INDEX_FIELD");
  assert.equal(await bad({ version: "1" }), "E_INDEX_FIELD");
  assert.equal(await bad({ architecture: "mips" }), "E_INDEX_FIELD");
  assert.equal(await bad({ size_compressed: -1 }), "E_INDEX_FIELD");
  assert.equal(await bad({ size_installed: 1.5 }), "E_INDEX_FIELD");
  assert.equal(await bad({ url: "" }), "E_INDEX_FIELD");
  assert.equal(await bad({ conflicts: undefined }), "E_INDEX_FIELD");
  assert.equal(await bad({ hash: { algorithm: "md5", value: LOW } }), "E_ALGORITHM");
  assert.equal(await bad({ hash: { algorithm: "sha256", value: "A".repeat(64) } }), "E_INDEX_FIELD");
  assert.equal(await bad({ side_effects: ["ldconfig", "ldconfig"] }), "E_INDEX_FIELD");
  assert.equal(await bad({ side_effects: ["reboot"] }), "E_INDEX_FIELD");
  assert.equal(await bad({ dependencies: [{ name: "bb" }, { name: "aa" }] }), "E_MANIFEST_ORDER");
  assert.equal(await bad({ dependencies: [{ name: "aa", constraint: "~1" }] }), "E_CONSTRAINT");
});

Deno.test("R-IDX-07: the active index is in byte order and names each package once", async () => {
  assert.equal(await check([entry("a-b", "1-1"), entry("a.b", "1-1"), entry("ab", "1-1")]), "ok");
  assert.equal(await check([entry("bb", "1-1"), entry("aa", "1-1")]), "E_INDEX_ORDER");
  assert.equal(await check([entry("aa", "2-1"), entry("aa", "1-1")]), "E_INDEX_DUPLICATE");
});

Deno.test("R-ARC-01, R-ARC-02: the archive index repeats names, newest version first", async () => {
  const archive = async (packages: unknown) => await check(packages, { kind: "archive" }, "archive");
  assert.equal(await archive([entry("aa", "1.10-1"), entry("aa", "1.9-1"), entry("bb", "1-1")]), "ok");
  assert.equal(await archive([entry("aa", "1.9-1"), entry("aa", "1.10-1")]), "E_INDEX_ORDER");
  assert.equal(await archive([entry("aa", "1-1"), entry("aa", "1-1")]), "E_INDEX_DUPLICATE");
  assert.equal(await archive([entry("aa", "1-1"), entry("aa", "1-1", { architecture: "aarch64" })]), "ok");
  assert.equal(
    await archive([entry("aa", "1.0-1"), entry("aa", "1.00-1"), entry("aa", "1.0-1", { architecture: "aarch64" })]),
    "ok",
  );
});

Deno.test("R-CACHE-01: readEntryDetails() reads back what was stored of an entry", () => {
  const [stored] = parse(index([entry("app", "1-1", {
    license: "MIT",
    dependencies: [{ name: "lib", constraint: ">= 1.0, < 2" }],
    provides: [{ name: "virtual(app)", version: "1" }, { name: "zed" }],
    replaces: [{ name: "old-app", constraint: "< 1-1" }],
    side_effects: ["ldconfig"],
    build: { timestamp: "2026-01-01T00:00:00Z", farm_id: "f" },
  })])).packages;
  assert.ok(stored !== undefined);
  assert.deepEqual([stored.provides, stored.replaces], [["virtual(app)", "zed"], ["old-app"]]);
  const details = readEntryDetails(stored.entry, "base");
  assert.deepEqual(details.dependencies.map((item) => [item.name, item.constraint?.raw]), [["lib", ">= 1.0, < 2"]]);
  assert.deepEqual(details.provides.map((item) => [item.name, item.version?.raw]), [["virtual(app)", "1"], [
    "zed",
    undefined,
  ]]);
  assert.deepEqual([details.license, details.homepage, details.sideEffects], ["MIT", "", ["ldconfig"]]);
  assert.deepEqual(details.build, { timestamp: "2026-01-01T00:00:00Z", farmId: "f" });
});

Deno.test("R-IDX-05, R-IDX-06, R-PROD-02: entries written as producers write them read like any other", () => {
  const written = (more: object) => ({
    name: "app",
    version: "2:1.0-rc.1-1",
    architecture: "x86_64",
    description: "An é \u{1f600} application",
    license: "",
    homepage: "https://h",
    dependencies: [{ name: "lib", constraint: ">= 1.0, < 2" }, { name: "pkgconfig(x)" }],
    optional_dependencies: [],
    conflicts: [{ name: "old", constraint: "1:1-1" }],
    provides: [{ name: "virtual(app)", version: "1" }, { name: "zed" }],
    replaces: [],
    side_effects: [],
    size_compressed: 0,
    size_installed: 2 ** 53 - 1,
    hash: { algorithm: "sha256", value: LOW },
    url: "/p",
    ...more,
  });
  const relation = (more: object) => ({ dependencies: [{ name: "lib", ...more }] });
  const cases: readonly object[] = [
    {},
    ...["a", "A", "a_", "a--b", "g++", "", 1].map((name) => ({ name })),
    ...["1", "1-0", "1-01", "1--1", "01:1-1", ":1-1", "1-9223372036854775807", "1-9223372036854775808", "1-1 "]
      .map((version) => ({ version })),
    ...["noarch", "mips", "X", null].map((architecture) => ({ architecture })),
    ...["", 'a "b"', "a\\b", "a\u0007", "\u007f\u2028", null].map((description) => ({ description })),
    ...["MIT", 'a"b', 5].map((license) => ({ license })),
    ...["", "=", "==1", "1 1", ">= 1,", ">=1,<2", " 1 , 2 ", "1-99999999999999999999", "99999999999999999999:1", "é"]
      .map((constraint) => relation({ constraint })),
    ...["any", "", "x86_64"].map((arch) => relation({ constraint: "1", arch })),
    ...["lib_", "_a", "a(b)", "a()", "A(b)", "x", "a".repeat(128), "a".repeat(129), "é1"].map((name) =>
      relation({ name })
    ),
    relation({ root: "/x" }),
    relation({ claims: { editor: { path: "/usr/bin/editor" } } }),
    relation({ unknown: [null] }),
    ...["dependencies", "optional_dependencies", "conflicts", "provides", "replaces"].flatMap((field) => [
      { [field]: [{ name: "aa" }, { name: "aab" }, { name: "ab" }] },
      { [field]: [{ name: "ab" }, { name: "aa" }] },
      { [field]: [{ name: "aa" }, { name: "aa" }] },
      { [field]: [{ name: "Virtual.so_1" }] },
      { [field]: [{ name: "aa", constraint: "< 1" }] },
      { [field]: [{ name: "aa", version: "1-1" }] },
      { [field]: [{ name: "aa", version: "" }] },
      { [field]: [{ name: "aa", version: "-" }] },
      { [field]: [{}] },
      { [field]: [[]] },
      { [field]: undefined },
      { [field]: null },
      { [field]: Array.from({ length: 1001 }, (_, at) => ({ name: `n${at + 1000}` })) },
    ]),
    ...[["ldconfig"], ["ldconfig", "depmod", "man-db"], ["man-db", "ldconfig"], ["depmod", "depmod"], ["x"], [""]]
      .map((side_effects) => ({ side_effects })),
    ...[-1, 1.5, 2 ** 53, "1", 999999999999999].map((size_compressed) => ({ size_compressed })),
    { hash: { algorithm: "sha512", value: LOW } },
    { hash: { value: LOW, algorithm: "sha256" } },
    { hash: { algorithm: "sha256", value: `${LOW}0` } },
    { hash: { algorithm: "sha256", value: LOW.toUpperCase().replace("0", "A") } },
    ...["", 'x"y', null].map((url) => ({ url })),
    { build: { timestamp: "2026-01-01T00:00:00Z", farm_id: "f" } },
    { build: { timestamp: "2026-01-01T00:00:00Z", farm_id: "" } },
    { build: { farm_id: "f" } },
    { build: {} },
    { alternate_upgrade: "see x" },
    { unknown: 1 },
  ];
  const read = (text: string) => {
    try {
      const expected = { handle: "x", kind: "active", repositoryName: "main", layout: "both" } as const;
      return [...parseIndex(bytes(text), expected).packages];
    } catch (error) {
      return error instanceof PeipkgError ? [error.detail.rule, error.message] : error;
    }
  };
  for (const more of cases) {
    const text = new TextDecoder().decode(index([written(more)]));
    // A space keeps the entry from being read as plain.
    assert.deepEqual(read(text), read(text.replace('"packages":[{', '"packages":[{ ')), JSON.stringify(more));
  }
});
