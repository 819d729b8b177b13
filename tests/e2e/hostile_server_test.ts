/** A server that cheats, seen from the command line: one expected failure each, and everything stays as it was. */
import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import type { CliResult } from "../support/cli.ts";
import { snapshotDirectory } from "../support/directory_snapshot.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { runInProcess } from "../support/in_process.ts";
import {
  type Behaviour,
  breaking,
  dripping,
  encoded,
  endless,
  lyingRange,
  serveRepository,
  stalling,
  status,
} from "../support/repository_server.ts";

const TOOL: PackageSpec = { name: "tool", version: "1.0-1", files: { "usr/share/tool/t": "1\n" } };
const TOOL2: PackageSpec = { name: "tool", version: "2.0-1", files: { "usr/share/tool/t": "two\n".repeat(3000) } };
const FILE2 = "p/tool/2.0-1/tool_2.0-1_noarch.peipkg";
const IMPATIENT = ["-o", "fetch_timeout=1", "-o", "fetch_retries=0"];
const DAY = 86_400_000;

/** More bytes than were announced. */
const tooLong: Behaviour = async ({ send }, file) => {
  await send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  await send(file ?? "");
  await send(new Uint8Array(64 * 1024));
};

interface Attack {
  readonly name: string;
  readonly path: string;
  readonly behaviour: Behaviour;
  readonly args: readonly string[];
  readonly code: string;
  readonly rule: string;
}

const refresh = (name: string, path: string, behaviour: Behaviour, rule: string): Attack => ({
  ...{ name, path, behaviour, rule },
  args: [...IMPATIENT, "refresh"],
  code: "transport",
});
const upgrade = (name: string, behaviour: Behaviour, rule: string): Attack => ({
  ...{ name, path: FILE2, behaviour, rule },
  args: [...IMPATIENT, "upgrade", "--yes"],
  code: "transport",
});

const ATTACKS: readonly Attack[] = [
  refresh("R-HTTP-05: a server that begins and falls silent", "index/active.json", stalling, "E_NETWORK_TIMEOUT"),
  refresh("A-INPUT-12: a document that drips", "index/active.json", dripping, "E_NETWORK_TIMEOUT"),
  refresh(
    "R-HTTP-04: a redirect to a local file",
    "repo.json",
    status("302 Found", { Location: "file:///etc/passwd" }),
    "E_REDIRECT",
  ),
  refresh("R-HTTP-05: fewer bytes than announced", "index/active.json", breaking(20), "E_NETWORK"),
  refresh("R-HTTP-02: endless data", "repo.json", endless, "E_SIZE_BOUND"),
  refresh(
    "R-HTTP-02: a compression bomb",
    "index/active.json",
    encoded("zstd", zstdCompressSync(new Uint8Array(80 * 1024 * 1024))),
    "E_SIZE_BOUND",
  ),
  refresh(
    "R-HTTP-03: a coding nobody offered",
    "index/active.json",
    encoded("br", new Uint8Array(10)),
    "E_HTTP_ENCODING",
  ),
  upgrade("R-HTTP-05: a package that stops arriving", stalling, "E_NETWORK_TIMEOUT"),
  upgrade("A-INPUT-12: a package that drips", dripping, "E_NETWORK_TIMEOUT"),
  upgrade("R-PKG-01: a package longer than its index says", tooLong, "E_LIMIT_COMPRESSED"),
  upgrade("R-PKG-01: a package without end", endless, "E_LIMIT_COMPRESSED"),
  upgrade(
    "R-HTTP-04: a package behind a redirect to a local file",
    status("307 Temporary Redirect", { Location: "file:///etc/passwd" }),
    "E_REDIRECT",
  ),
];

/** What an operator and the next operation can see of an installation. */
async function stateOf(world: World): Promise<unknown> {
  const told = async (...args: readonly string[]) => (await world.expect([...args, "--json"])).stdout;
  return {
    packages: await told("list"),
    repositories: await told("repo", "list"),
    history: await told("history"),
    metadata: await snapshotDirectory(`${world.root}/var/lib/peipkg/cache/metadata`, []),
    tree: await snapshotDirectory(world.root, ["/var/lib/peipkg", "/var/log"]),
  };
}

const lastOf = ({ stdout }: CliResult) => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "{}");

Deno.test("a cheating server changes nothing", async (t) => {
  await using world = await World.create(runInProcess);
  await world.publish([TOOL]);
  await using server = serveRepository(world.repository());
  await world.addRepository(server.url);
  await world.expect(["install", "tool", "--yes"]);
  await world.publish([TOOL2]);
  await world.expect(["refresh"]);
  const before = await stateOf(world);
  for (const attack of ATTACKS) {
    await t.step(attack.name, async () => {
      server.behaviours.set(attack.path, attack.behaviour);
      const result = await world.peipkg(["--json", ...attack.args]);
      server.behaviours.clear();
      const last = lastOf(result);
      assert.deepEqual(
        [result.status, last.event, last.code, last.details?.rule],
        [1, "error", attack.code, attack.rule],
        result.stdout,
      );
      assert.deepEqual(await stateOf(world), before);
    });
  }
  await t.step("A-MISC-02, R-AGE-03: a clock in the past is called wrong, not the signatures", async () => {
    const past = Math.floor(Date.now() / DAY) - 18_000; // days back to about 2019
    const args = ["--root", world.root, "--json", ...IMPATIENT, "upgrade", "--yes"];
    const result = await runInProcess(args, { clockAhead: -past * DAY });
    assert.match(result.stdout, /"code":"clock-suspect"/);
    const last = lastOf(result);
    assert.deepEqual([result.status, last.code, last.details.rule], [1, "stale", "E_TRUST_AGE"], result.stdout);
    assert.deepEqual(await stateOf(world), before);
  });
  await t.step("R-HTTP-07: a download that broke off survives a server that lies about ranges", async () => {
    server.behaviours.set(FILE2, breaking(100));
    assert.equal(lastOf(await world.peipkg(["--json", ...IMPATIENT, "upgrade", "--yes"])).details.rule, "E_NETWORK");
    assert.deepEqual(await stateOf(world), before);
    server.behaviours.set(FILE2, lyingRange);
    await world.expect(["upgrade", "--yes"]);
    assert.equal(await Deno.readTextFile(`${world.root}/usr/share/tool/t`), "two\n".repeat(3000));
    await world.expect(["verify"]);
  });
});
