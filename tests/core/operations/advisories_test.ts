import assert from "node:assert/strict";
import { type Advisory, AdvisoryReader, type AdvisorySet, matchAdvisory } from "../../../core/operations/advisories.ts";
import { baseScore, severityOfScore, severityWord } from "../../../core/operations/cvss.ts";
import { PeipkgError } from "../../../core/errors.ts";
import { zipOf } from "../../support/zip_writer.ts";

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function read(...documents: readonly Uint8Array[]): Promise<AdvisorySet> {
  const reader = new AdvisoryReader("Peios", (name) => name === "nginx");
  for (const document of documents) await reader.read(document, "test");
  return reader.finish();
}

const record = (more: Readonly<Record<string, unknown>> = {}, affected: Readonly<Record<string, unknown>> = {}) => ({
  id: "PEI-1",
  modified: "2026-01-02T03:04:05Z",
  affected: [{
    package: { ecosystem: "Peios", name: "nginx" },
    ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "1.27.5" }] }],
    ...affected,
  }],
  ...more,
});

async function only(...documents: readonly Uint8Array[]): Promise<Advisory> {
  const found = (await read(...documents)).byName.get("nginx") ?? [];
  assert.equal(found.length, 1);
  const [advisory] = found;
  assert.ok(advisory);
  return advisory;
}

Deno.test("C-AUDIT-01: AdvisoryReader takes a record, a list, an object, JSON Lines and a zip", async () => {
  const one = record();
  const lines = new TextEncoder().encode(`${JSON.stringify(one)}\n\n${JSON.stringify({ ...one, id: "PEI-2" })}\n`);
  assert.equal((await only(encode(one))).id, "PEI-1");
  assert.equal((await only(encode([one]))).id, "PEI-1");
  assert.equal((await only(encode({ vulns: [one] }))).id, "PEI-1");
  assert.equal((await read(lines)).byName.get("nginx")?.length, 2);
  const archive = await zipOf({ "a.json": encode(one), "README": encode("no"), "dir/": new Uint8Array(0) });
  assert.equal((await only(archive)).id, "PEI-1");
  assert.equal((await read(encode([]))).byName.size, 0);
  assert.equal(
    (await read(encode([one, { ...one, modified: "2026-05-01T00:00:00Z" }]))).generated,
    "2026-05-01T00:00:00Z",
  );
});

Deno.test("C-AUDIT-01: what cannot be read is an error, not silence", async () => {
  const bad: readonly Uint8Array[] = [
    encode("text"),
    encode([{}]),
    encode([{ id: 7 }]),
    new TextEncoder().encode("{\n"),
    new Uint8Array([0xff, 0xfe]),
    (await zipOf({ "a.json": encode(record()) })).subarray(0, 60),
    await zipOf({ "a.json": encode({}) }),
  ];
  for (const bytes of bad) {
    await assert.rejects(read(bytes), (error) => error instanceof PeipkgError && error.code === "format");
  }
});

Deno.test("C-AUDIT-02: withdrawn records, other ecosystems and other names do not count", async () => {
  const found = await read(encode([
    record({ withdrawn: "2026-01-03T00:00:00Z" }),
    record({}, { package: { ecosystem: "Debian", name: "nginx" } }),
    record({}, { package: { ecosystem: "Peios", name: "apache" } }),
    record({ affected: "no list" }),
    record({ affected: [null, { package: "nginx" }] }),
  ]));
  assert.equal(found.byName.size, 0);
});

Deno.test("C-AUDIT-02: other range types and unreadable versions are ignored and counted", async () => {
  const found = await read(encode(record({}, {
    versions: ["1.0-1"],
    ranges: [
      { type: "SEMVER", events: [{ introduced: "0" }] },
      { type: "GIT", events: [{ introduced: "abc" }] },
      { type: "ECOSYSTEM", events: [{ introduced: "not a version" }] },
      "nonsense",
    ],
  })));
  assert.equal(found.ignoredRanges, 4);
  const [advisory] = found.byName.get("nginx") ?? [];
  assert.ok(advisory);
  assert.deepEqual(matchAdvisory(advisory, "1.0-1"), { fixedIn: undefined });
  assert.equal(matchAdvisory(advisory, "1.0-2"), undefined);
});

const CASES: readonly (readonly [events: readonly Readonly<Record<string, string>>[], hits: string, misses: string])[] =
  [
    [[{ introduced: "0" }, { fixed: "1.27.5" }], "1-1 1.27.4-9", "1.27.5-1 1.27.10-1 1:1-1"],
    [[{ introduced: "0" }, { fixed: "1.27.5-2" }], "1.27.5-1", "1.27.5-2"],
    [[{ introduced: "2.0" }], "2.0-1 9-1", "1.9-1"],
    [[{ introduced: "0" }, { last_affected: "1.5-1" }], "1.5-1 1-1", "1.5-2 1.6-1"],
    [[{ fixed: "3.0" }, { introduced: "2.0" }, { fixed: "1.0" }, { introduced: "0" }], "0.9-1 2.5-1", "1.5-1 3.0-1"],
    [[{ introduced: "1.10" }, { fixed: "1.11" }], "1.10-1", "1.9-1 1.11-1"],
    [[], "", "1-1"],
    [[{ fixed: "2" }], "", "1-1"],
  ];

Deno.test("C-AUDIT-02: ranges are compared by peipkg's version order", async () => {
  for (const [events, hits, misses] of CASES) {
    const advisory = await only(encode(record({}, { ranges: [{ type: "ECOSYSTEM", events }] })));
    const words = (text: string): readonly string[] => text === "" ? [] : text.split(" ");
    for (const version of words(hits)) {
      assert.ok(matchAdvisory(advisory, version), `${JSON.stringify(events)} ${version}`);
    }
    for (const version of words(misses)) assert.equal(matchAdvisory(advisory, version), undefined, version);
  }
});

Deno.test("C-AUDIT-04: fixedIn is the next bound above the version", async () => {
  const events = [{ introduced: "0" }, { fixed: "1.5" }, { introduced: "2.0" }, { fixed: "2.4-1" }];
  const advisory = await only(encode(record({}, { ranges: [{ type: "ECOSYSTEM", events }] })));
  assert.deepEqual(matchAdvisory(advisory, "1.0-1"), { fixedIn: "1.5" });
  assert.deepEqual(matchAdvisory(advisory, "2.1-1"), { fixedIn: "2.4-1" });
});

Deno.test("C-AUDIT-04: severity is the record's own word, else from a score", async () => {
  const vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
  const cases: readonly (readonly [Readonly<Record<string, unknown>>, string | undefined])[] = [
    [{ database_specific: { severity: "Moderate" }, severity: [{ type: "CVSS_V3", score: vector }] }, "MODERATE"],
    [{ severity: [{ type: "CVSS_V3", score: vector }] }, "CRITICAL"],
    [{ severity: [{ type: "CVSS_V4", score: "CVSS:4.0/AV:N" }, { type: "CVSS_V2", score: "5.0" }] }, "MEDIUM"],
    [{ database_specific: { severity: "\u001b[31m" } }, undefined],
    [{}, undefined],
  ];
  for (const [more, expected] of cases) assert.equal((await only(encode(record(more)))).severity, expected);
});

Deno.test("C-AUDIT-04: baseScore() gives the published scores", () => {
  const cases: readonly (readonly [vector: string, score: number | undefined])[] = [
    ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8],
    ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10],
    ["CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1],
    ["CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H/E:P", 5.5],
    ["CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6],
    ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0],
    ["AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5],
    ["AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3],
    ["AV:N/AC:L/Au:N/C:C/I:C/A:C", 10],
    ["CVSS:3.1/AV:N/AC:L", undefined],
    ["CVSS:3.1/AV:constructor/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", undefined],
    ["CVSS:4.0/AV:N/AC:L", undefined],
    ["", undefined],
  ];
  for (const [vector, score] of cases) assert.equal(baseScore(vector), score, vector);
});

Deno.test("C-AUDIT-04: words of scores change at 4, 7 and 9", () => {
  const words = ["0.0", "3.9", "4.0", "6.9", "7.0", "8.9", "9.0", "10.0", "11"].map(severityOfScore);
  assert.deepEqual(words, [undefined, "LOW", "MEDIUM", "MEDIUM", "HIGH", "HIGH", "CRITICAL", "CRITICAL", undefined]);
  assert.equal(severityWord("high"), "HIGH");
});
