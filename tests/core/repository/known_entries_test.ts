import { strict as assert } from "node:assert";
import { PeipkgError } from "../../../core/errors.ts";
import { mutateJson } from "../../fuzz/mutate.ts";
import { Random } from "../../fuzz/target.ts";
import { indexEntry, indexText, numberedName as name, readBeside } from "../../support/known_index.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const entry = (name: string, more: object = {}) =>
  indexEntry(name, { description: `Says "${name}", \\ and é`, ...more });
const ENTRIES = Array.from({ length: 60 }, (_, at) => entry(name(at)));
const KNOWN = encode(`${indexText(ENTRIES)}\n`);

/** Names read although another index is known, or the rule of the refusal. */
function read(text: string, known = KNOWN): readonly string[] | string {
  const outcome = readBeside(encode(text), known);
  return outcome instanceof PeipkgError ? outcome.detail.rule ?? "" : outcome.map((item) => item.name);
}

Deno.test("R-CACHE-02, R-IDX-05: parseIndex() gives what changed since the known index", () => {
  const changed = ENTRIES.map((item, at) => at === 30 ? entry(item.name, { version: "2.0-1" }) : item);
  assert.deepEqual(read(indexText(ENTRIES, { index_version: 4 })), []);
  assert.deepEqual(read(indexText(changed)), [name(30)]);
  const added = [...ENTRIES.slice(0, 20), entry("p019a"), ...ENTRIES.slice(20), entry("zz")];
  assert.deepEqual(read(indexText(added)), ["p019a", "zz"]);
  assert.deepEqual(read(indexText(ENTRIES.filter((_, at) => at !== 0 && at !== 30 && at < 58))), []);
  assert.deepEqual(
    read(indexText(ENTRIES.map((item, at) => at % 4 === 0 ? entry(item.name, { url: "/q" }) : item))).length,
    60,
  );
});

Deno.test("F-CLM-05, F-LATE-07: what is read by the layout profile is read again", () => {
  const claims = { provides: [{ name: "editor", claims: { editor: { target: "/usr/bin/x" } } }] };
  const several = ENTRIES.map((item, at) =>
    at === 10 ? entry(item.name, claims) : at === 40 ? entry(item.name, { alternate_upgrade: "see x" }) : item
  );
  const text = indexText(several);
  const names = [10, 40].map(name);
  assert.deepEqual(read(text, encode(text)), names);
  const escaped = text.replace('"claims"', '"cl\\u0061ims"').replace(
    '"alternate_upgrade"',
    '"alternate\\u005fupgrade"',
  );
  assert.deepEqual(read(escaped, encode(escaped)), names);
});

Deno.test("R-IDX-07: parseIndex() compares the order of changed entries with that of known ones", () => {
  const [first, ...others] = ENTRIES;
  assert.equal(read(indexText([...others, first])), "E_INDEX_ORDER");
  assert.equal(read(indexText([...ENTRIES, ENTRIES[59]])), "E_INDEX_DUPLICATE");
  assert.equal(read(indexText([...ENTRIES.slice(0, 30), ...ENTRIES.slice(20)])), "E_INDEX_ORDER");
  assert.equal(read(indexText([...ENTRIES.slice(0, 30), entry("a0"), ...ENTRIES.slice(30)])), "E_INDEX_ORDER");
});

Deno.test("F-JSON-01, F-JSON-03, R-IDX-01: known entries make nothing valid that is not", () => {
  const text = indexText(ENTRIES);
  const later = text.indexOf('{"name":"p030"');
  const put = (more: string, at = later) => text.slice(0, at) + more + text.slice(at);
  assert.equal(read(put("null,")), "E_INDEX_FIELD");
  assert.equal(read(put(",")), "E_INDEX_JSON");
  assert.equal(read(put("]")), "E_INDEX_JSON");
  assert.equal(read(put('"')), "E_INDEX_JSON");
  assert.equal(read(text.slice(0, later)), "E_INDEX_JSON");
  assert.equal(read(`${text.slice(0, -2)}`), "E_INDEX_JSON");
  assert.equal(read(`${text}]`), "E_INDEX_JSON");
  assert.equal(read(text.replace('{"schema_version"', '{"repo":"main","schema_version"')), "E_JSON_DUPLICATE_KEY");
  assert.equal(read(text.replace('"schema_version":1', '"schema_version":2')), "E_SCHEMA_VERSION");
  // The same array somewhere else: its elements are no entries, the ones that count are.
  const other = `{"x":${text.slice(0, -1)}},${text.slice(1)}`;
  assert.equal(read(other.replace(/(.*)"packages":\[/s, '$1"packages":[null,')), "E_INDEX_FIELD");
  const beside = (packages: unknown) => `{"x\\"packages":${JSON.stringify(ENTRIES)},${indexText(packages).slice(1)}`;
  assert.equal(read(beside([ENTRIES[0], null, ENTRIES[2]]), encode(beside(ENTRIES))), "E_INDEX_FIELD");
});

Deno.test("R-IDX-05: reading beside a known index gives what reading it whole gives, whatever was changed", () => {
  const random = new Random(11);
  const seeds = [
    KNOWN,
    encode(JSON.stringify(JSON.parse(new TextDecoder().decode(KNOWN)), undefined, 1)),
    encode(indexText(ENTRIES.map((item, at) => at % 11 === 5 ? entry(item.name, { url: "/q" }) : item))),
  ];
  for (let round = 0; round < 1500; round++) readBeside(mutateJson(random.pick(seeds), random), KNOWN);
});
