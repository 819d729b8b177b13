/** Formats and expressions of `query`, apart from any database. */
import assert from "node:assert/strict";
import type { PackageRecord, RecordItem, RecordList } from "../../mod.ts";
import { parseExpression } from "../../cli/query/expression.ts";
import { fillFormat, parseFormat } from "../../cli/query/format.ts";
import { QueryFault, type RecordSource } from "../../cli/query/patterns.ts";

const LISTS: { readonly [kind in RecordList]?: readonly RecordItem[] } = {
  dependencies: [{ name: "pcre2", version: ">= 10" }, { name: "zlib", version: "" }],
  files: [{ path: "/usr/bin/x", type: "file", hash: "ab", target: "" }],
  provides: [{ name: "httpd", version: "2" }],
};

const NGINX: PackageRecord = {
  name: "nginx",
  version: "1.27.10-1",
  architecture: "x86_64",
  repository: "official",
  description: "HTTP server\u001b[31m",
  sizeInstalledBytes: 2048,
  sizeDownloadBytes: undefined,
  installed: { installedAt: 86_400, isAutomatic: false, isLocked: true },
  license: "BSD-2-Clause",
  homepage: "https://nginx.org",
  list: (kind) => LISTS[kind] ?? [],
};

const fill = (format: string, source: RecordSource = "installed"): readonly string[] =>
  fillFormat(parseFormat(format, source), NGINX, (value) => value);

const isTrue = (expression: string): boolean => parseExpression(expression, "installed")(NGINX);

Deno.test("C-QUERY-01: parseFormat() knows every pattern of the table", () => {
  assert.deepEqual(fill("%n|%v|%q|%R|%w|%l|%sb|%sh|%t|%T|%a|%k"), [
    "nginx|1.27.10-1|x86_64|official|https://nginx.org|BSD-2-Clause|2048|2.0 KiB|86400|1970-01-02T00:00:00Z|0|1",
  ]);
  assert.deepEqual(fill("%?d%?r %#d %#x"), ["10 2 0"]);
  assert.deepEqual(fill("%yn=%yv"), ["httpd=2"]);
});

Deno.test("C-QUERY-01: a list makes one line per element, braces join it on one", () => {
  assert.deepEqual(fill("%n needs %dn%dv"), ["nginx needs pcre2>= 10", "nginx needs zlib"]);
  assert.deepEqual(fill("%n: %{dn|, }"), ["nginx: pcre2, zlib"]);
  assert.deepEqual(fill("%n: %{dn|\\t} %Fp"), ["nginx: pcre2\tzlib /usr/bin/x"]);
  assert.deepEqual(fill("%n: %xn"), []);
});

Deno.test("C-QUERY-01: escapes and doubled signs stand for themselves, values are made safe", () => {
  assert.deepEqual(fill("a\\tb\\nc\\\\d%%e"), ["a\tb\nc\\d%e"]);
  assert.deepEqual(
    fillFormat(parseFormat("%c\\n", "installed"), NGINX, (value) => value.replace("\u001b", "ESC")),
    ["HTTP serverESC[31m\n"],
  );
});

const BAD_FORMATS: readonly (readonly [format: string, at: number, source?: RecordSource])[] = [
  ["%n %Q", 4],
  ["%", 1],
  ["%dn %Fp", 4],
  ["%#Q", 2],
  ["%?", 2],
  ["%{dn, }", 4],
  ["%{n|, }", 2],
  ["%{dn|, ", 7],
  ["\\q", 0],
  ["%Sb", 1],
  ["%t", 1, "offered"],
  ["%rn", 1, "file"],
  ["%Fp", 1, "offered"],
];

for (const [format, at, source = "installed"] of BAD_FORMATS) {
  Deno.test(`C-QUERY-01: parseFormat() refuses ${JSON.stringify(format)} and says where`, () => {
    assert.throws(() => parseFormat(format, source), (error) => error instanceof QueryFault && error.at === at);
  });
}

const TRUE: readonly string[] = [
  "%n = nginx",
  "%n == nginx",
  "%n != apache",
  "%n=~NGINX",
  "%n !=~ APACHE",
  "%n ~ ng*",
  "%n !~ ap?",
  "%sb > 2047 && %sb <= 2048",
  "%v > 1.27.9 && %v < 1.28-1",
  "%v >= 1.27.10",
  "!(%n = apache || %k = 0)",
  "%dn = zlib",
  "%dn != curl",
  "%dn ~ 'pcre*'",
  '%R = "official"',
  "%?d = 1 && %#d = 2",
  "%c ~ 'HTTP*'",
  "! %a=1",
];
const FALSE: readonly string[] = [
  "%dn != zlib",
  "%dn !~ z*",
  "%n = NGINX",
  "%v < 1.27.9",
  "%n = nginx && %n = apache",
  "%xn = a || %xn ~ *",
];

Deno.test("C-QUERY-02: parseExpression() compares as the operators say", () => {
  for (const expression of TRUE) assert.equal(isTrue(expression), true, expression);
  for (const expression of FALSE) assert.equal(isTrue(expression), false, expression);
});

const BAD_EXPRESSIONS: readonly (readonly [expression: string, at: number])[] = [
  ["", 0],
  ["nginx", 0],
  ["%n", 2],
  ["%n = ", 5],
  ["%n = 'x", 5],
  ["%n = a b", 7],
  ["(%n = a", 7],
  ["%n < 3", 3],
  ["%sb < many", 6],
  ["%v < 1,2", 5],
  ["%n = a &&", 9],
  ["%Sb > 1", 1],
  [`${"(".repeat(200)}%n = a`, 100],
];

for (const [expression, at] of BAD_EXPRESSIONS) {
  Deno.test(`C-QUERY-02: parseExpression() refuses ${JSON.stringify(expression.slice(0, 40))} and says where`, () => {
    assert.throws(
      () => parseExpression(expression, "installed"),
      (error) => error instanceof QueryFault && error.at === at,
    );
  });
}
