/** Packages large enough to be decoded by the second thread, through the real program. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type PackageSpec, World } from "../support/e2e_world.ts";

const MIB = 1024 * 1024;

/** Together more than a change keeps in memory, so that each is read twice; large also when compressed. */
function large(name: string, version: string): PackageSpec {
  const zeros = new Uint8Array(36 * MIB);
  zeros.set(new TextEncoder().encode(version));
  const noise = new Uint8Array(MIB);
  for (let at = 0; at < MIB; at += 65_536) noise.set(randomBytes(65_536), at);
  return {
    name,
    version: `${version}-1`,
    files: { [`usr/share/${name}/data`]: zeros, [`usr/share/${name}/noise`]: noise, [`usr/share/${name}/v`]: version },
  };
}

Deno.test("T-VERIFY-05, T-STAGE-02: large packages are installed and replaced", async () => {
  await using world = await World.create();
  await world.publish([large("one", "1.0"), large("two", "1.0"), { name: "small", version: "1.0-1", files: {} }]);
  await world.addRepository(world.serve().url);
  const isWhole = async (version: string) => {
    await world.expect(["verify"]);
    for (const name of ["one", "two"]) {
      assert.equal(await Deno.readTextFile(`${world.root}/usr/share/${name}/v`), version);
    }
  };
  const { stderr } = await world.expect(["install", "one", "small", "two", "--yes"]);
  assert.doesNotMatch(stderr, /worker/, "the thread did not start, and was done without");
  await isWhole("1.0");
  await world.publish([large("one", "2.0"), large("two", "2.0")]);
  await world.expect(["refresh"]);
  await world.expect(["upgrade", "--yes"]);
  await isWhole("2.0");
});
