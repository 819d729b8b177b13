/** Entries read without reading them as JSON give what the reader of any JSON gives, wherever they stand. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { type IndexExpectation, parseIndex } from "../../../core/repository/index.ts";
import { takePlainEntries } from "../../../core/repository/taken_entries.ts";
import { Random } from "../../fuzz/target.ts";
import { indexEntry as entry, indexText, numberedName as name } from "../../support/known_index.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("R-IDX-05, R-PROD-02: takePlainEntries() leaves what producers do not write", () => {
  const taken = (text: string) => {
    const found = takePlainEntries(encode(text));
    return found && { rest: decode(found.rest), runs: [...found.runs], count: found.entries.length };
  };
  const [a, b, c] = ["aa", "bb", "cc"].map((item) => JSON.stringify(entry(item)));
  const spaced = b?.replace("{", "{ ");
  assert.deepEqual(taken(`{"packages":[${a}, ${b} ,${spaced},${c}]}`), {
    rest: `{"packages":[null ,${spaced},null]}`,
    runs: [[0, 2], [2, 1]],
    count: 3,
  });
  assert.deepEqual(taken(`{"packages":[${spaced},null,${c},1,${a}]}`), {
    rest: `{"packages":[${spaced},null,null,1,${a}]}`,
    runs: [[2, 1]],
    count: 1,
  });
  assert.equal(taken(`{"packages":[${spaced}]}`), undefined);
  assert.equal(taken(`{"other":[${a}]}`), undefined);
  assert.equal(taken(`{"x":{"packages":[${a}]}}`), undefined);
  const cut = `{"packages":[${a},${b?.slice(0, 40)}`;
  assert.equal(taken(cut)?.rest, cut.replace(a ?? "", "null"));
});

/** What a test makes of an entry. */
const VARIANTS: readonly ((random: Random) => object)[] = [
  () => ({}),
  () => ({}),
  () => ({ description: "Éditeur de texte — ελ" }),
  () => ({ description: `Says "hello", \\ and é\n` }),
  () => ({ description: "A bell: \u0007" }),
  () => ({ license: `"MIT"` }),
  () => ({ provides: [{ name: "editor" }, { name: "vi", version: "2" }], replaces: [{ name: "old" }] }),
  () => ({ license: "MIT", homepage: "", side_effects: ["ldconfig", "man-db"] }),
  () => ({ side_effects: ["man-db", "ldconfig"] }),
  () => ({ build: { timestamp: "2026-01-01T00:00:00Z", farm_id: "é" } }),
  (random) => ({ version: `${random.below(3)}.${random.below(2)}0-1` }),
  () => ({ size_installed: 2 ** 53 - 1 }),
  () => ({ unknown: 1 }),
];
/** What is wrong with few of them. */
const FAULTS: readonly object[] = [
  { version: "1" },
  { provides: [{ name: "vi" }, { name: "editor" }] },
  { side_effects: ["ldconfig", "ldconfig"] },
  { url: "" },
];

Deno.test("R-IDX-05, R-IDX-07, R-ARC-02: plain entries give the rows and refusals of the reader of any JSON", () => {
  const outcome = (text: string, kind: IndexExpectation["kind"]) => {
    try {
      const index = parseIndex(encode(text), { handle: "x", kind, repositoryName: "main", layout: "both" });
      return { ...index, packages: [...index.packages], length: index.packages.length };
    } catch (error) {
      if (error instanceof PeipkgError) return [error.code, error.message, error.detail];
      throw error;
    }
  };
  const random = new Random(7);
  let refused = 0;
  for (let round = 0; round < 400; round++) {
    const kind = round % 2 === 0 ? "active" : "archive";
    let at = 0;
    const entries = Array.from({ length: 1 + random.below(30) }, () => {
      if (kind === "active" || random.below(3) > 0) at += random.below(50) === 0 ? 0 : 1;
      const variant = VARIANTS[random.below(VARIANTS.length)] ?? (() => ({}));
      const fault = random.below(150) === 0 ? FAULTS[random.below(FAULTS.length)] : {};
      return entry(name(at), { ...variant(random), ...fault });
    });
    const text = indexText(entries, { kind });
    // A space keeps an entry from being read as plain.
    const whole = outcome(text.replaceAll('{"name":"p', '{ "name":"p'), kind);
    if (Array.isArray(whole)) refused++;
    assert.deepEqual(outcome(text, kind), whole, text);
  }
  assert.ok(refused > 40 && refused < 360, `${refused} refused`);
});
