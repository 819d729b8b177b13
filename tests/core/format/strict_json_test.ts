import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { PeipkgError } from "../../../core/errors.ts";
import {
  checkNewline,
  checkSchemaVersion,
  elementPlace,
  fieldPath,
  readDocument,
  readInteger,
  readObject,
  readOptionalArray,
  readOptionalString,
  readString,
  refuseUnknownFields,
} from "../../../core/format/document.ts";
import { JsonFields, type JsonOutput, writeDocument } from "../../../core/format/json_writer.ts";
import { JsonNumber, JsonObject, type JsonValue, readJson, shapeOf } from "../../../core/format/strict_json.ts";
import { refusedBy, ruleOf } from "../../support/refusals.ts";

const KIND = { document: "test" };
const encode = (text: string) => new TextEncoder().encode(text);

/** Refusing rule of a text, or `undefined`. */
function refusal(text: string | Uint8Array): string | undefined {
  return ruleOf(() => readJson(typeof text === "string" ? encode(text) : text, KIND));
}

/** What the platform's parser would give. */
function plain(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.token);
  if (value instanceof JsonObject) {
    const result: Record<string, unknown> = Object.create(null);
    for (const key of value.keys) result[key] = plain(value.get(key) ?? null);
    return { ...result };
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

/** `y_` files our stricter rules refuse. */
const STRICTER: ReadonlyMap<string, string> = new Map([
  ["y_object_duplicated_key.json", "E_JSON_DUPLICATE_KEY"],
  ["y_object_duplicated_key_and_value.json", "E_JSON_DUPLICATE_KEY"],
]);

Deno.test("F-JSON-01: the public parsing suite is accepted and refused as it says, but for our stricter rules", () => {
  const packed = Deno.readFileSync(new URL("../../fixtures/external/json-parsing.json.zst", import.meta.url));
  const suite: Record<string, string> = JSON.parse(zstdDecompressSync(packed).toString());
  assert.equal(Object.keys(suite).length, 318);
  for (const [name, content] of Object.entries(suite)) {
    const bytes = new Uint8Array(Buffer.from(content, "base64"));
    const rule = refusal(bytes);
    if (name.startsWith("y_")) assert.equal(rule, STRICTER.get(name), name);
    if (name.startsWith("n_")) assert.notEqual(rule, undefined, name);
    if (name.startsWith("y_") && rule === undefined) {
      const expected = JSON.parse(new TextDecoder().decode(bytes));
      assert.deepEqual(plain(readJson(bytes, KIND)), expected, name);
    }
  }
});

Deno.test("F-JSON-01: one value, no comments, commas, NaN or byte order mark", () => {
  const texts = ["", " ", "{} {}", "[1,]", '{"a":1,}', "NaN", "-Infinity", "\ufeff{}", "{}//", "'a'", "01", "1.", ".5"];
  for (const text of [...texts, "+1", "1e", "tru", "[1 2]", '{"a" 1}', "{1:2}", '"\t"', '"\\x"', '"\\u12"', "-", '"']) {
    assert.equal(refusal(text), "E_JSON_SYNTAX", text);
  }
  for (const text of ["{}", " [ ] \n", "-0", "1E+2", "null", '"\\u0000"', "\r\n\t 1 "]) {
    assert.equal(refusal(text), undefined, text);
  }
});

Deno.test("F-JSON-02: overlong forms, encoded surrogates and stray bytes are refused", () => {
  const bad = [[0x22, 0xc0, 0xaf, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xff, 0x22], [0x22, 0xe2, 0x82, 0x22]];
  for (const bytes of bad) assert.equal(refusal(Uint8Array.from(bytes)), "E_JSON_UTF8");
  assert.equal(refusal('"𝒳é"'), undefined);
});

Deno.test("F-JSON-03: keys repeated after unescaping are found at any depth, also among very many keys", () => {
  for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"x":{"y":[{"k":0,"k":0}]}}]']) {
    assert.equal(refusal(text), "E_JSON_DUPLICATE_KEY", text);
  }
  const many = Array.from({ length: 60 }, (_, i) => `"k${i}":${i}`);
  assert.equal(refusal(`{${many.join(",")}}`), undefined);
  for (const repeated of [0, 23, 24, 25, 59]) {
    assert.equal(refusal(`{${many.join(",")},"k${repeated}":0}`), "E_JSON_DUPLICATE_KEY");
  }
  assert.equal(refusal('{"__proto__":1,"constructor":2,"__proto":3}'), undefined);
});

Deno.test("F-JSON-04, F-LIM-12: depth 64 is accepted, 65 refused", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const objects = (depth: number) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  assert.equal(refusal(nested(64)), undefined);
  assert.equal(refusal(nested(65)), "E_JSON_DEPTH");
  assert.equal(refusal(objects(64)), undefined);
  assert.equal(refusal(objects(65)), "E_JSON_DEPTH");
  assert.equal(refusal("[".repeat(5_000_000)), "E_JSON_DEPTH");
});

Deno.test("F-JSON-05: integer fields are plain digits up to 2^64-1", () => {
  const integer = (token: string) => readInteger(readDocument(encode(`{"n":${token}}`), KIND), "n");
  for (const token of ["0", "1", "999999999999999", "1000000000000000", "9007199254740991"]) {
    assert.equal(integer(token), Number(token));
  }
  assert.equal(integer("18446744073709551615"), 18446744073709551615);
  assert.ok(integer("9007199254740993") > Number.MAX_SAFE_INTEGER);
  for (
    const token of ["-1", "-0", "1.0", "1e0", "1E3", "18446744073709551616", "99999999999999999999999", "0.5", "0e0"]
  ) {
    assert.equal(ruleOf(() => integer(token)), "E_JSON_INTEGER", token);
  }
  assert.equal(ruleOf(() => integer("00")), "E_JSON_SYNTAX");
});

Deno.test("F-JSON-06: escapes resolve to scalar values, surrogates only as a pair", () => {
  assert.equal(readJson(encode('"\\ud835\\udcb3\\u00e9\\n\\/"'), KIND), "𝒳é\n/");
  for (
    const text of ['"\\ud800"', '"\\udc00"', '"\\ud800\\u0041"', '"\\ud800x"', '"\\udc00\\ud800"', '{"\\ud800":1}']
  ) {
    assert.equal(refusal(text), "E_JSON_UNICODE", text);
  }
});

Deno.test("F-JSON-08: the top level is an object, types are as declared, null is no value of a known field", () => {
  for (const text of ["[]", "1", "null", '"x"', "true"]) {
    assert.equal(ruleOf(() => readDocument(encode(text), KIND)), "E_FIELD_TYPE", text);
  }
  const place = readDocument(encode('{"s":null,"n":"1","a":{},"o":[],"e":[1]}'), KIND);
  assert.equal(ruleOf(() => readString(place, "s")), "E_FIELD_TYPE");
  assert.equal(ruleOf(() => readOptionalString(place, "s")), "E_FIELD_TYPE");
  assert.equal(ruleOf(() => readInteger(place, "s")), "E_FIELD_TYPE");
  assert.equal(ruleOf(() => readInteger(place, "n")), "E_FIELD_TYPE");
  assert.equal(ruleOf(() => readOptionalArray(place, "a")), "E_FIELD_TYPE");
  assert.equal(ruleOf(() => readObject(place, "o")), "E_FIELD_TYPE");
  assert.equal(ruleOf(() => elementPlace(place, "e", 1, 0)), "E_FIELD_TYPE");
});

Deno.test("F-JSON-09: an absent required field is named", () => {
  const place = readDocument(encode('{"build":{}}'), KIND);
  assert.equal(ruleOf(() => readString(place, "name")), "E_FIELD_MISSING");
  assert.equal(ruleOf(() => readInteger(place, "size")), "E_FIELD_MISSING");
  assert.equal(fieldPath(readObject(place, "build"), "timestamp"), "build.timestamp");
});

Deno.test("F-JSON-10: unknown fields are refused where a document is closed", () => {
  const place = readDocument(encode('{"a":1,"b":1.5e9}'), KIND);
  assert.equal(ruleOf(() => refuseUnknownFields(place, ["a"])), "E_FIELD_UNKNOWN");
  assert.equal(ruleOf(() => refuseUnknownFields(place, ["a", "b"])), undefined);
});

Deno.test("F-JSON-11: an unknown schema version outranks what a visitor of elements says", () => {
  const visitor = {
    field: "entries",
    visit() {
      throw new Error("an element is wrong");
    },
  };
  const newer = encode('{"entries":[1,2],"schema_version":2}');
  assert.equal(ruleOf(() => readDocument(newer, KIND, visitor)), "E_SCHEMA_VERSION");
  assert.throws(() => readDocument(encode('{"entries":[1],"schema_version":1}'), KIND, visitor), /an element is wrong/);
  assert.equal(ruleOf(() => readDocument(encode('{"entries":[1],'), KIND, visitor)), "E_JSON_SYNTAX");
  assert.equal(
    ruleOf(() => checkSchemaVersion(readDocument(encode('{"schema_version":0}'), KIND))),
    "E_SCHEMA_VERSION",
  );
});

Deno.test("readDocument() visits the elements of one top-level field in order and keeps none", () => {
  const seen: [JsonValue, number][] = [];
  const place = readDocument(encode('{"x":{"entries":[9]},"entries":[1,"a",[]],"y":2}'), KIND, {
    field: "entries",
    visit: (element, index) => void seen.push([element, index]),
  });
  assert.deepEqual(seen, [[1, 0], ["a", 1], [[], 2]]);
  assert.deepEqual(place.object.get("entries"), []);
  assert.equal(place.object.get("y"), 2);
});

Deno.test("R-DESC-02, R-IDX-01: a document's own rules replace those of syntax and fields, not those of keys and depth", () => {
  const kind = {
    document: "index",
    syntaxRule: "E_INDEX_JSON",
    fieldRule: "E_INDEX_FIELD",
    integerRule: "E_INDEX_FIELD",
  } as const;
  const read = (text: string | Uint8Array) =>
    ruleOf(() => {
      const place = readDocument(typeof text === "string" ? encode(text) : text, kind);
      readInteger(place, "n");
    });
  assert.equal(read("{"), "E_INDEX_JSON");
  assert.equal(read(Uint8Array.of(0xff)), "E_INDEX_JSON");
  assert.equal(read('{"a":"\\ud800"}'), "E_INDEX_JSON");
  assert.equal(read("[]"), "E_INDEX_FIELD");
  assert.equal(read("{}"), "E_INDEX_FIELD");
  assert.equal(read('{"n":-1}'), "E_INDEX_FIELD");
  assert.equal(read('{"n":1,"n":1}'), "E_JSON_DUPLICATE_KEY");
  assert.equal(read("[".repeat(70)), "E_JSON_DEPTH");
});

Deno.test("F-JSON-12: order of fields and whitespace carry no meaning", () => {
  const a = readDocument(encode('{"a":1,"b":"x"}'), KIND);
  const b = readDocument(encode('\n{ "b" : "x",\t"a":1 }\r\n'), KIND);
  assert.deepEqual([readInteger(a, "a"), readString(a, "b")], [readInteger(b, "a"), readString(b, "b")]);
});

Deno.test("F-JSON-13: anything but exactly one line feed at the end is warned of", () => {
  const warned = (text: string) => {
    let count = 0;
    checkNewline(encode(text), "test", () => void count++);
    return count;
  };
  assert.deepEqual([warned("{}\n"), warned("{}"), warned("{}\n\n"), warned("{}\r")], [0, 1, 1, 1]);
});

Deno.test("F-GEN-06: an error names document and field path, and keeps foreign text out of its code", () => {
  const place = readDocument(encode('{"build":{"timestamp":7}}'), { document: "manifest" });
  try {
    readString(readObject(place, "build"), "timestamp");
    assert.fail("accepted");
  } catch (cause) {
    assert.ok(cause instanceof PeipkgError);
    assert.deepEqual([cause.detail.document, cause.detail.field, cause.code], [
      "manifest",
      "build.timestamp",
      "format",
    ]);
  }
});

Deno.test("F-PRO-07: writeDocument() escapes exactly what must be escaped", () => {
  const written = (text: string) => new TextDecoder().decode(writeDocument(new JsonFields([["k", text]])));
  assert.equal(written('"\\\n\r\t'), '{"k":"\\"\\\\\\n\\r\\t"}\n');
  assert.equal(written("\u0000\u001f\u000b"), '{"k":"\\u0000\\u001f\\u000b"}\n');
  assert.equal(written("\u2028\u2029"), '{"k":"\\u2028\\u2029"}\n');
  assert.equal(written("<>&/\u007fé𝒳\u2027\u202a"), '{"k":"<>&/\u007fé𝒳\u2027\u202a"}\n');
});

Deno.test("F-PRO-06: writeDocument() is compact, ordered, and read back as it was written", () => {
  const fields = new JsonFields([
    ["b", 1],
    ["a", [true, new JsonFields([]), "x"]],
    ["none", undefined],
    ["big", 18446744073709551615n],
  ]);
  assert.equal(
    new TextDecoder().decode(writeDocument(fields)),
    '{"b":1,"a":[true,{},"x"],"big":18446744073709551615}\n',
  );
  const leaf = fc.oneof(fc.string({ unit: "grapheme" }), fc.nat(), fc.boolean());
  fc.assert(
    fc.property(fc.array(leaf), (values: JsonOutput[]) => {
      const place = readDocument(writeDocument(new JsonFields([["v", values]])), KIND);
      assert.deepEqual(place.object.get("v"), values);
    }),
    { seed: 3, numRuns: 500 },
  );
});

Deno.test("readJson() agrees with the platform's parser on every JSON value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(JSON.stringify(plain(readJson(encode(text), KIND))), JSON.stringify(JSON.parse(text)));
    }),
    { seed: 5, numRuns: 2000 },
  );
});

Deno.test("F-JSON-10, F-JSON-03, F-JSON-04: readJson() leaves out what is outside the shape, and checks it all the same", () => {
  const shape = shapeOf(["a"], {
    list: { elements: shapeOf(["b"]) },
    open: { anyField: shapeOf(["c"]) },
  });
  const read = (text: string) => readJson(new TextEncoder().encode(text), { document: "test", shape });
  const many = Array.from({ length: 40 }, (_, at) => `"k${at}":{"x":[${at}]}`).join();
  const text = `{${many},"a":{"x":1},"list":[{"b":1,"x":[2]},{"x":1}],"open":{"s":{"c":"1","d":2},"t":{}},"x":[{}]}`;
  const value = read(text);
  assert.ok(value instanceof JsonObject);
  assert.deepEqual(value.keys, ["a", "list", "open"]);
  assert.deepEqual(value.get("a"), new JsonObject([], []));
  assert.deepEqual(value.get("list"), [new JsonObject(["b"], [1]), new JsonObject([], [])]);
  const open = value.get("open");
  assert.ok(open instanceof JsonObject);
  assert.deepEqual(open.keys, ["s", "t"]);
  assert.deepEqual(open.get("s"), new JsonObject(["c"], ["1"]));
  for (
    const [bad, rule] of [
      ['{"x":{"y":1,"y":2}}', "E_JSON_DUPLICATE_KEY"],
      [`{${many},"a":1,"k7":2}`, "E_JSON_DUPLICATE_KEY"],
      ['{"x":1,"a":1,"x":2}', "E_JSON_DUPLICATE_KEY"],
      ['{"x":[1,]}', "E_JSON_SYNTAX"],
      ['{"x":{"y":"\\ud800"}}', "E_JSON_UNICODE"],
      [`{"x":${"[".repeat(64)}${"]".repeat(64)}}`, "E_JSON_DEPTH"],
    ] as const
  ) {
    assert.throws(() => read(bad), refusedBy(rule), bad);
  }
});
