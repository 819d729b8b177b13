/** Packages that were changed on the way: refused with one clear error, and everything stays as it was. */
import assert from "node:assert/strict";
import { expectRun } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { snapshotDirectory } from "../support/directory_snapshot.ts";

const GOOD: PackageSpec = { name: "good", version: "1.0-1", files: { "usr/share/good/a": "a\n" } };
const FIRST: PackageSpec = { name: "bad", version: "1.0-1", files: { "usr/share/bad/data": "first\n".repeat(2000) } };
const SECOND: PackageSpec = { name: "bad", version: "1.0-2", files: { "usr/share/bad/data": noise(40_000) } };

/**
 * Text that does not compress. The size bound of a download leaves 1 %: of a package of a few hundred bytes another
 * signature alone may pass it, which would be refused as too large before its hash is known (R-PKG-01).
 */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(33 + state % 90);
  }).join("");
}

interface Alteration {
  readonly name: string;
  readonly rules: string;
  readonly code: string;
  readonly apply: (world: World, file: string) => Promise<void>;
}

const ALTERATIONS: readonly Alteration[] = [
  {
    name: "one bit changed",
    rules: "A-THREAT-01, F-INT-06",
    code: "hash",
    apply: async (_world, file) => {
      const bytes = await Deno.readFile(file);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10;
      await Deno.writeFile(file, bytes);
    },
  },
  {
    name: "truncated",
    rules: "R-NET-03",
    code: "hash",
    apply: async (_world, file) => await Deno.truncate(file, (await Deno.stat(file)).size >> 1),
  },
  {
    name: "signed by another key",
    rules: "A-THREAT-02",
    code: "hash",
    apply: async (world, file) => {
      const key = `${world.directory}/stranger`;
      await expectRun(["keygen", "--out", key], 0, { program: "peipkg-repo" });
      await Deno.copyFile(await world.pack(SECOND, key, `${world.directory}/strange`), file);
    },
  },
];

for (const alteration of ALTERATIONS) {
  Deno.test(`${alteration.rules}: an upgrade whose file was ${alteration.name} is refused`, async () => {
    await using world = await World.create();
    await world.publish([GOOD, FIRST]);
    await world.addRepository(world.serve().url);
    await world.expect(["install", "good", "bad", "--yes"]);
    await world.publish([SECOND]);
    await world.expect(["refresh"]);
    await alteration.apply(world, world.published(SECOND));
    const before = await snapshotDirectory(world.root, ["/var/log", "/var/lib/peipkg"]);
    const history = (await world.expect(["history", "--json"])).stdout;
    const result = await world.expect(["--json", "upgrade", "--yes"], 1);
    const last = JSON.parse(result.stdout.trimEnd().split("\n").at(-1) ?? "");
    assert.deepEqual([last.event, last.code, last.rolled_back], ["error", alteration.code, false], result.stdout);
    assert.match(JSON.stringify(last), /bad/);
    assert.deepEqual(await snapshotDirectory(world.root, ["/var/log", "/var/lib/peipkg"]), before);
    assert.equal((await world.expect(["history", "--json"])).stdout, history);
    assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
  });
}

Deno.test("T-VERIFY-01: one bad package keeps the good ones of the same request out", async () => {
  await using world = await World.create();
  await world.publish([GOOD, FIRST]);
  await world.addRepository(world.serve().url);
  const bytes = await Deno.readFile(world.published(FIRST));
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  await Deno.writeFile(world.published(FIRST), bytes);
  const result = await world.expect(["install", "good", "bad", "--yes"], 1);
  assert.match(result.stderr, /^peipkg: install: .*bad/m);
  assert.equal((await world.expect(["list"])).stdout, "no packages are installed\n");
  assert.deepEqual(await snapshotDirectory(`${world.root}`, ["/var", "/conf"]), new Map());
});
