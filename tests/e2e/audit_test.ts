/** `peipkg audit`: advisories from a file, a URL and repositories, against what is installed and on offer. */
import assert from "node:assert/strict";
import { openSigningKey, readPrivateKey } from "../../core/format/keys.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { zipOf } from "../support/zip_writer.ts";

const NGINX: PackageSpec = { name: "nginx", version: "1.27.4-1", files: { "usr/share/nginx/a": "a\n" } };
const SITE: PackageSpec = {
  name: "site",
  version: "1.0-1",
  dependencies: ["nginx"],
  files: { "usr/share/site/a": "a" },
};

const advisory = (more: Readonly<Record<string, unknown>> = {}) => ({
  id: "PEI-2026-0012",
  modified: "2026-05-01T00:00:00Z",
  aliases: ["CVE-2026-1234"],
  summary: "request smuggling in the HTTP/2 parser",
  severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }],
  references: [{ type: "WEB", url: "https://peios.org/advisories/PEI-2026-0012" }],
  affected: [{
    package: { ecosystem: "Peios", name: "nginx" },
    ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "1.27.5-1" }] }],
  }],
  ...more,
});

const FOUND = `nginx 1.27.4-1 is vulnerable:
  PEI-2026-0012  HIGH  request smuggling in the HTTP/2 parser
    also known as: CVE-2026-1234
    fixed in:      1.27.5-1
    see:           https://peios.org/advisories/PEI-2026-0012
audit: 1 problem(s) in 1 package(s) found
`;

Deno.test("installed packages are compared with advisories of a file", async (t) => {
  await using world = await World.create();
  await world.expect(["install", await world.pack(NGINX), await world.pack(SITE), "--yes"]);
  const file = `${world.directory}/osv.json`;
  const write = (value: unknown): void => Deno.writeTextFileSync(file, JSON.stringify(value));
  write([advisory()]);

  await t.step("C-AUDIT-01, C-AUDIT-04: findings, exit 1", async () => {
    assert.deepEqual(await world.peipkg(["audit", "--file", file]), { status: 1, stdout: FOUND, stderr: "" });
  });

  await t.step("C-AUDIT-04: the document", async () => {
    const { stdout } = await world.expect(["audit", "--file", file, "--json", "--recursive"], 1);
    assert.deepEqual(JSON.parse(stdout), {
      source: file,
      generated: "2026-05-01T00:00:00Z",
      packages: 2,
      vulnerable: [{
        name: "nginx",
        version: "1.27.4-1",
        id: "PEI-2026-0012",
        aliases: ["CVE-2026-1234"],
        severity: "HIGH",
        summary: "request smuggling in the HTTP/2 parser",
        fixed_in: "1.27.5-1",
        references: ["https://peios.org/advisories/PEI-2026-0012"],
        required_by: ["site"],
      }],
    });
  });

  await t.step("C-AUDIT-03: --recursive names dependents", async () => {
    const { stdout } = await world.expect(["audit", "--file", file, "--recursive"], 1);
    assert.match(stdout, /\n {4}needed by: {5}site\n/);
  });

  await t.step("C-AUDIT-01: an advisory may be ignored by identifier or alias, a package may be named", async () => {
    const clean = "audit: no known vulnerabilities in 2 package(s)\n";
    assert.equal((await world.expect(["audit", "--file", file, "--ignore", "CVE-2026-1234"])).stdout, clean);
    assert.equal((await world.expect(["-o", "audit_ignore=PEI-2026-0012", "audit", "--file", file])).stdout, clean);
    assert.equal((await world.expect(["audit", "--file", file, "-q", "site"])).stdout, "");
    assert.match((await world.expect(["audit", "--file", file, "ghost"], 1)).stderr, /"ghost" is not installed/);
  });

  await t.step("C-AUDIT-02: other ecosystems do not count, other ranges warn", async () => {
    const clean = await world.expect(["-o", "audit_ecosystem=Other", "audit", "--file", file]);
    assert.equal(clean.stdout, "audit: no known vulnerabilities in 2 package(s)\n");
    write(advisory({ affected: [{ package: { ecosystem: "Peios", name: "nginx" }, ranges: [{ type: "SEMVER" }] }] }));
    const { stderr } = await world.expect(["audit", "--file", file]);
    assert.equal(
      stderr,
      "peipkg: warning: 1 version range(s) of advisories cannot be compared with versions of packages\n",
    );
  });

  await t.step("C-ESC-01: hostile text cannot reach the terminal as it is", async () => {
    write(advisory({ summary: "\u001b[2Jgone\nmore", aliases: ["\u202eCVE"] }));
    const { stdout } = await world.expect(["audit", "--file", file], 1);
    assert.match(stdout, /\\x1B\[2Jgone\\nmore\n {4}also known as: \\u\{202E\}CVE\n/);
  });

  await t.step("C-AUDIT-01: a zip of records, and what is none", async () => {
    Deno.writeFileSync(file, await zipOf({ "1.json": new TextEncoder().encode(JSON.stringify(advisory())) }));
    assert.equal((await world.expect(["audit", "--file", file], 1)).stdout, FOUND);
    Deno.writeTextFileSync(file, "<html>");
    assert.match((await world.expect(["audit", "--file", file], 1)).stderr, /line 1 is no JSON/);
    assert.match((await world.expect(["audit", "--file", `${file}.none`], 1)).stderr, /does not exist/);
    assert.match((await world.expect(["audit", "--fetch", "--file", file], 2)).stderr, /--file/);
  });

  await t.step("C-AUDIT-01: an old copy warns", async () => {
    write([]);
    Deno.utimeSync(file, 1_700_000_000, 1_700_000_000);
    assert.match(
      (await world.expect(["audit", "--file", file])).stderr,
      /warning: the advisories of .* \d+d old \(maximum 7d\)/,
    );
  });
});

Deno.test("advisories come from repositories, proven by their keys", async (t) => {
  await using world = await World.create();
  await world.publish([NGINX, { ...NGINX, name: "other" }]);
  const server = world.serve();
  await world.addRepository(server.url);
  await world.expect(["install", "nginx", "--yes"]);
  const place = `${world.repository()}/advisories`;
  const publish = async (value: unknown): Promise<void> => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const key = await openSigningKey(readPrivateKey(Deno.readFileSync(`${world.directory}/key`)));
    Deno.mkdirSync(place, { recursive: true });
    Deno.writeFileSync(`${place}/osv.json`, bytes);
    Deno.writeTextFileSync(`${place}/osv.json.sig`, (await key.sign(bytes)).toBase64({ omitPadding: true }));
  };

  await t.step("C-AUDIT-01: without a copy it fails, also when nobody publishes any", async () => {
    assert.match((await world.expect(["audit"], 1)).stderr, /no copy of advisories .*\nuse --fetch/);
    const failure = JSON.parse((await world.expect(["audit", "--fetch", "--json"], 1)).stderr);
    assert.equal(failure.error.code, "stale");
  });

  await t.step("C-AUDIT-01: --fetch keeps a copy, which serves offline", async () => {
    await publish([advisory()]);
    assert.equal((await world.expect(["audit", "--fetch"], 1)).stdout, FOUND);
    await publish([]);
    assert.equal((await world.expect(["audit"], 1)).stdout, FOUND);
    assert.match((await world.expect(["audit", "--fetch"])).stdout, /no known vulnerabilities/);
  });

  await t.step("C-AUDIT-03: --available checks what is on offer", async () => {
    await publish(advisory({ affected: [{ package: { ecosystem: "Peios", name: "other" }, versions: ["1.27.4-1"] }] }));
    const { stdout } = await world.expect(["audit", "--fetch", "--available"], 1);
    assert.match(stdout, /^other 1\.27\.4-1 is vulnerable:\n/);
    assert.equal((await world.expect(["audit"])).stdout, "audit: no known vulnerabilities in 1 package(s)\n");
  });

  await t.step("C-AUDIT-01: a signature that does not verify, at the source or in the cache", async () => {
    Deno.writeTextFileSync(`${place}/osv.json`, "[]");
    assert.match((await world.expect(["audit", "--fetch"], 1)).stderr, /cannot trust the advisories of "main"/);
    const copy = `${world.root}/var/lib/peipkg/cache/advisories/main.json`;
    Deno.writeTextFileSync(copy, "[]");
    assert.match((await world.expect(["audit"], 1)).stderr, /cannot trust the advisories of "main"/);
    Deno.removeSync(`${place}/osv.json.sig`);
    assert.match((await world.expect(["audit", "--fetch"], 1)).stderr, /has no signature/);
  });

  await t.step("R-RM-01: the copy goes with the repository", async () => {
    await world.expect(["repo", "remove", "main"]);
    assert.deepEqual([...Deno.readDirSync(`${world.root}/var/lib/peipkg/cache/advisories`)], []);
  });
});

Deno.test("C-AUDIT-01: advisories of one URL are kept like those of repositories", async () => {
  await using world = await World.create();
  await world.expect(["install", await world.pack(NGINX), "--yes"]);
  const file = `${world.directory}/feed.json`;
  Deno.writeTextFileSync(file, JSON.stringify({ vulns: [advisory()] }));
  const audit = (status: number, ...more: string[]) =>
    world.expect(["-o", `audit_source=file://${file}`, "audit", ...more], status);
  assert.match((await audit(1)).stderr, /no copy of advisories of file:/);
  assert.equal((await audit(1, "--fetch")).stdout, FOUND);
  Deno.removeSync(file);
  assert.equal((await audit(1)).stdout, FOUND);
  const insecure = await world.expect(["-o", "audit_source=http://example.com/x", "audit", "--fetch"], 1);
  assert.match(insecure.stderr, /cannot use audit_source/);
});

Deno.test("C-UPGRADE-05: upgrade --vulnerable moves what audit reports and nothing else", async () => {
  await using world = await World.create();
  const other: PackageSpec = { name: "other", version: "1-1", files: { "usr/share/other/a": "1" } };
  await world.publish([NGINX, other]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "nginx", "other", "--yes"]);
  await world.publish([{ ...NGINX, version: "1.27.5-1" }, { ...other, version: "2-1" }]);
  await world.expect(["refresh"]);
  const file = `${world.directory}/osv.json`;
  Deno.writeTextFileSync(file, JSON.stringify(advisory()));
  const upgrade = (...more: string[]) =>
    world.expect(["-o", `audit_source=${file}`, "upgrade", "--vulnerable", "--yes", ...more]);
  assert.match((await upgrade("other")).stdout, /^nothing to do — no package is known to be vulnerable\n$/);
  await upgrade();
  assert.equal((await world.expect(["query", "%n %v"])).stdout, "nginx 1.27.5-1\nother 1-1\n");
  assert.match((await upgrade()).stdout, /^nothing to do — no package is known to be vulnerable\n$/);
});
