import { strict as assert } from "node:assert";
import { mirrorUrls, resolveReference } from "../../../core/repository/urls.ts";
import { ruleOf } from "../../support/refusals.ts";

const bases = (baseUrl: string, more: { mirrors?: readonly string[]; insecure?: boolean } = {}) => ({
  handle: "main",
  baseUrl,
  mirrors: more.mirrors ?? [],
  allowInsecureTransport: more.insecure ?? false,
});

Deno.test("R-URL-02, R-URL-03, R-URL-05, R-URL-06, R-DESC-10: resolveReference() keeps the base's path prefix", () => {
  const cases = [ // the first four are C22
    ["/p/a", "https://h/x/p/a"],
    ["p/a", "https://h/x/p/a"],
    ["https://c/p/a", "https://c/p/a"],
    ["./p/a", "https://h/x/p/a"],
    ["?q", "https://h/x/repo.json?q"],
    ["/p/a%20b", "https://h/x/p/a%20b"],
    ["/p/ä", "https://h/x/p/%C3%A4"],
  ];
  for (const [reference, url] of cases) assert.equal(resolveReference(bases("https://h/x"), reference ?? ""), url);
  assert.equal(resolveReference(bases("file:///srv/r"), "/p/a"), "file:///srv/r/p/a");
});

Deno.test("R-URL-04, R-URL-07: resolveReference() refuses other hosts by path and dot segments however written", () => {
  const bad = [
    "//c/p/a",
    "/../a",
    "/p/./a",
    "/p/%2e%2e/a",
    "/p/.%2E/a",
    "/p%2f..%2fa",
    "/p\\a",
    "/p/%5ca",
    "/p/%00",
    "/p/\u0000",
    "p/%2e%2e/a",
    "https://c/../a",
    "https://c/%2e/a",
    "/p/ a",
    "/p\ta",
    "https://",
    "/p\n",
  ];
  for (const reference of bad) {
    assert.equal(ruleOf(() => resolveReference(bases("https://h/x"), reference)), "E_URL", reference);
  }
});

Deno.test("R-URL-08, R-TRANS-01: resolveReference() takes only schemes the repository may use", () => {
  const ask = (base: string, reference: string, insecure = false) =>
    ruleOf(() => resolveReference(bases(base, { insecure }), reference));
  assert.equal(ask("https://h", "http://c/a"), "E_INSECURE_TRANSPORT"); // C23
  assert.equal(ask("https://h", "http://c/a", true), undefined);
  assert.equal(ask("https://h", "file:///etc/passwd"), "E_URL_SCHEME");
  assert.equal(ask("file:///srv", "file:///other"), undefined);
  assert.equal(ask("file:///srv", "https://c/a"), undefined);
  for (const reference of ["javascript:x", "data:text/plain,x", "ftp://c/a"]) {
    assert.equal(ask("https://h", reference, true), "E_URL_SCHEME", reference);
  }
});

Deno.test("R-MIR-06: mirrorUrls() moves what lies below the base, and nothing else", () => {
  const given = bases("https://h/x", { mirrors: ["https://m/y", "file:///srv"] });
  assert.deepEqual(mirrorUrls(given, "https://h/x/p/a"), ["https://h/x/p/a", "https://m/y/p/a", "file:///srv/p/a"]);
  assert.deepEqual(mirrorUrls(given, "https://h/xy/p/a"), ["https://h/xy/p/a"]);
  assert.deepEqual(mirrorUrls(given, "https://c/p/a"), ["https://c/p/a"]);
});
