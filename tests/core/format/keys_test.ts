import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { decodeBase64, encodeBase64 } from "../../../core/format/base64.ts";
import { parseEnvelope, signDigest, writeEnvelope } from "../../../core/format/envelope.ts";
import { sha256 } from "../../../core/format/hash.ts";
import {
  checkFingerprint,
  isKeyAcceptable,
  openSigningKey,
  readPrivateKey,
  readPublicKey,
  type TrustedKey,
  verifySignature,
  verifyWithTrustedKeys,
  writePrivateKeyPem,
  writePublicKeyPem,
} from "../../../core/format/keys.ts";
import { EXAMPLE_SEED, exampleKey } from "../../support/package_builder.ts";
import { PeipkgError } from "../../../core/errors.ts";
import { ruleOf } from "../../support/refusals.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.fromHex(value.toString(16).padStart(64, "0")).reverse();
}

Deno.test("F-GEN-03, F-KEY-06: verifySignature() agrees with every Wycheproof case", async () => {
  const packed = Deno.readFileSync(new URL("../../fixtures/external/wycheproof-ed25519.json.zst", import.meta.url));
  const suite = JSON.parse(zstdDecompressSync(packed).toString());
  let count = 0;
  for (const group of suite.testGroups) {
    const key = Uint8Array.fromHex(group.publicKey.pk);
    for (const { tcId, msg, sig, result, comment } of group.tests) {
      count++;
      const valid = await verifySignature(key, Uint8Array.fromHex(msg), Uint8Array.fromHex(sig));
      assert.equal(valid, result === "valid", `case ${tcId}: ${comment}`);
    }
  }
  assert.equal(count, suite.numberOfTests);
});

Deno.test("F-KEY-06: S at or above the group order is refused", async () => {
  const key = await openSigningKey(EXAMPLE_SEED);
  const message = encode("x");
  const signature = await key.sign(message);
  assert.equal(await verifySignature(key.publicKey, message, signature), true);
  const s = BigInt(`0x${signature.slice(32).reverse().toHex()}`);
  const malleable = signature.slice();
  malleable.set(littleEndian(s + GROUP_ORDER), 32);
  assert.equal(await verifySignature(key.publicKey, message, malleable), false);
});

Deno.test("F-KEY-06: keys of small order and non-canonical points verify nothing", async () => {
  const prime = 2n ** 255n - 19n;
  const message = encode("anything");
  // An honest commitment R = r·B with S = r satisfies the equation under every key whose multiple vanishes.
  const honest = await (await openSigningKey(EXAMPLE_SEED)).sign(message);
  const prefix = createHash("sha512").update(EXAMPLE_SEED).digest().subarray(32);
  const r = createHash("sha512").update(prefix).update(message).digest();
  const forged = new Uint8Array(64);
  forged.set(honest.subarray(0, 32));
  forged.set(littleEndian(BigInt(`0x${new Uint8Array(r).reverse().toHex()}`) % GROUP_ORDER), 32);
  const orderEight = [
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ].map((hex) => Uint8Array.fromHex(hex));
  const points = [0n, 1n, prime - 1n, prime, prime + 1n, prime + 18n].flatMap((y) => [
    littleEndian(y),
    littleEndian(y | 1n << 255n),
  ]);
  for (const point of [...points, ...orderEight]) {
    assert.equal(await verifySignature(point, message, forged), false, point.toHex());
    const withPoint = honest.slice();
    withPoint.set(point);
    const { publicKey } = await openSigningKey(EXAMPLE_SEED);
    assert.equal(await verifySignature(publicKey, message, withPoint), false, point.toHex());
  }
});

Deno.test("verifySignature() answers no to keys and signatures of another length", async () => {
  const key = await openSigningKey(EXAMPLE_SEED);
  const signature = await key.sign(encode("x"));
  assert.equal(await verifySignature(key.publicKey.subarray(1), encode("x"), signature), false);
  assert.equal(await verifySignature(key.publicKey, encode("x"), signature.subarray(1)), false);
  assert.equal(await verifySignature(new Uint8Array(), encode("x"), signature), false);
});

Deno.test("F-KEY-01, F-KEY-02: public keys are raw or one PEM block, decided by content", async () => {
  const { publicKey } = await openSigningKey(EXAMPLE_SEED);
  const pem = writePublicKeyPem(publicKey);
  assert.deepEqual(readPublicKey(publicKey), publicKey);
  assert.deepEqual(readPublicKey(encode(`a comment\nanother\n${pem}`)), publicKey);
  assert.deepEqual(readPublicKey(encode(pem.replaceAll("\n", "\r\n"))), publicKey);
  const bad = [
    "",
    "x".repeat(31),
    "x".repeat(33),
    pem.replaceAll("PUBLIC", "PRIVATE"),
    pem.replaceAll("PUBLIC KEY", "CERTIFICATE"),
    pem.replace("END PUBLIC", "END OTHER"),
    pem.replace("MCow", "MCox"),
    pem.replace("bg=", "bg"),
    pem.replace("=", "A="),
    `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${pem}`,
    "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
  ];
  for (const text of bad) assert.equal(ruleOf(() => readPublicKey(encode(text))), "E_KEY_FORMAT", text);
  const padded = (length: number) => encode(`${" ".repeat(length - pem.length)}${pem}`);
  assert.deepEqual(readPublicKey(padded(65536)), publicKey);
  assert.equal(ruleOf(() => readPublicKey(padded(65537))), "E_KEY_FORMAT");
});

Deno.test("F-KEY-03: private keys are a raw seed or PKCS#8", () => {
  assert.deepEqual(readPrivateKey(EXAMPLE_SEED), EXAMPLE_SEED);
  const pem = writePrivateKeyPem(EXAMPLE_SEED);
  assert.deepEqual(readPrivateKey(encode(pem)), EXAMPLE_SEED);
  assert.equal(ruleOf(() => readPrivateKey(encode(pem.replaceAll("PRIVATE", "PUBLIC")))), "E_KEY_FORMAT");
  assert.equal(ruleOf(() => readPrivateKey(new Uint8Array(64))), "E_KEY_FORMAT");
});

Deno.test("F-KEY-04: a key under another fingerprint is refused", async () => {
  const { publicKey, fingerprint } = await openSigningKey(EXAMPLE_SEED);
  checkFingerprint(publicKey, fingerprint);
  assert.equal(ruleOf(() => checkFingerprint(publicKey, "0".repeat(64))), "E_KEY_FINGERPRINT");
});

async function trustRefusal(keys: readonly TrustedKey[], now = 0): Promise<string | undefined> {
  const key = await openSigningKey(EXAMPLE_SEED);
  const digest = sha256(encode("document"));
  const envelope = parseEnvelope(await signDigest(key, digest));
  return await verifyWithTrustedKeys(envelope, digest, keys, now).then(() => undefined, (cause) => {
    if (cause instanceof PeipkgError) return cause.detail.rule;
    throw cause;
  });
}

Deno.test("F-TRU-01, F-TRU-02: only the key the envelope names is used, and only from the set in scope", async () => {
  const own = await exampleKey();
  const other = await openSigningKey(EXAMPLE_SEED.slice().reverse());
  assert.equal(await trustRefusal([own]), undefined);
  assert.equal(await trustRefusal([]), "E_SIG_KEY_UNTRUSTED");
  const foreign: TrustedKey = { fingerprint: other.fingerprint, publicKey: other.publicKey, status: "active" };
  assert.equal(await trustRefusal([foreign]), "E_SIG_KEY_UNTRUSTED");
  assert.equal(await trustRefusal([{ ...own, publicKey: other.publicKey }]), "E_KEY_FINGERPRINT");
  assert.equal(await trustRefusal([{ ...own, publicKey: undefined }]), "E_KEY_UNAVAILABLE");
});

Deno.test("F-TRU-03: status and end of validity decide, whatever the cryptography says", async () => {
  assert.equal(await trustRefusal([await exampleKey({ status: "revoked" })]), "E_SIG_KEY_REVOKED");
  const until = await exampleKey({ status: "transitioning", validUntil: "2026-05-06T12:00:00.0015Z" });
  const end = Date.UTC(2026, 4, 6, 12) + 1;
  assert.equal(await trustRefusal([until], end), undefined);
  assert.equal(await trustRefusal([until], end + 1), "E_SIG_KEY_EXPIRED");
  assert.equal(isKeyAcceptable(await exampleKey({ status: "transitioning" }), 0), false);
});

Deno.test("F-GEN-04: base64 has one spelling per value", () => {
  for (const text of ["", "AA", "AAA", "AAAA", "+/+/", "/w"]) {
    const bytes = decodeBase64(text);
    assert.ok(bytes !== undefined, text);
    assert.equal(encodeBase64(bytes), text);
  }
  for (const text of ["A", "AAAAA", "AA==", "AAA=", "AA\n", " AA", "A A", "-_", "AB", "AAB", "é", "AA\u0100A"]) {
    assert.equal(decodeBase64(text), undefined, text);
  }
});

const ENVELOPE = {
  schema_version: 1,
  algorithm: "ed25519",
  key_fingerprint: "0123456789abcdef".repeat(4),
  signature: "A".repeat(86),
};

function envelopeRefusal(fields: Record<string, unknown>): string | undefined {
  return ruleOf(() => parseEnvelope(encode(`${JSON.stringify(fields)}\n`)));
}

Deno.test("F-SIG-06, F-JSON-10: an envelope has exactly four fields with exact values", () => {
  assert.equal(envelopeRefusal(ENVELOPE), undefined);
  assert.equal(envelopeRefusal({ ...ENVELOPE, extra: 1 }), "E_FIELD_UNKNOWN");
  for (const field of Object.keys(ENVELOPE)) {
    assert.equal(envelopeRefusal({ ...ENVELOPE, [field]: undefined }), "E_FIELD_MISSING", field);
    assert.equal(envelopeRefusal({ ...ENVELOPE, [field]: null }), "E_FIELD_TYPE", field);
  }
  assert.equal(envelopeRefusal({ ...ENVELOPE, schema_version: 2, extra: 1 }), "E_SCHEMA_VERSION");
  for (const algorithm of ["Ed25519", "none", "rsa", ""]) {
    assert.equal(envelopeRefusal({ ...ENVELOPE, algorithm }), "E_SIG_ALGORITHM", algorithm);
  }
  assert.equal(envelopeRefusal({ ...ENVELOPE, key_fingerprint: "A".repeat(64) }), "E_SIG_FINGERPRINT");
  assert.equal(ruleOf(() => parseEnvelope(encode('{"algorithm":"x","algorithm":"x"}'))), "E_JSON_DUPLICATE_KEY");
});

Deno.test("F-GEN-04: an envelope's signature is 86 characters of unpadded base64", () => {
  const bad = ["A".repeat(85), "A".repeat(87), `${"A".repeat(86)}==`, `${"A".repeat(85)}B`, `${"A".repeat(85)}-`, ""];
  for (const signature of bad) assert.equal(envelopeRefusal({ ...ENVELOPE, signature }), "E_SIG_ENCODING", signature);
});

Deno.test("F-SIG-07: a detached signature is an envelope over the SHA-256 of the exact bytes", async () => {
  const key = await openSigningKey(EXAMPLE_SEED);
  const bytes = encode('{"index_version":7}\n');
  const envelope = parseEnvelope(await signDigest(key, sha256(bytes)));
  const keys = [await exampleKey()];
  await verifyWithTrustedKeys(envelope, sha256(bytes), keys, 0);
  await assert.rejects(verifyWithTrustedKeys(envelope, sha256(bytes.subarray(1)), keys, 0), { code: "signature" });
  assert.deepEqual(parseEnvelope(writeEnvelope(envelope)), envelope);
});
