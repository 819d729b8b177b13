/** The program upgrades itself while it runs: from then on nothing is read from what was replaced. */
import assert from "node:assert/strict";
import { baseEnvironment } from "../support/cli.ts";
import { World } from "../support/e2e_world.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const PLACE = "usr/share/peipkg";

function sources(directory: string): readonly string[] {
  return [...Deno.readDirSync(`${HOME}/${directory}`)].flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    return isDirectory ? sources(path) : name.endsWith(".ts") ? [path] : [];
  });
}

Deno.test("T-COMMIT-30, T-SELF-01, T-SELF-03: a program replaced by one that does not work still ends well", async () => {
  await using world = await World.create();
  const paths = ["mod.ts", "deno.json", "deno.lock", ...sources("cli"), ...sources("core")];
  const pack = (version: string, content: (path: string) => string): Promise<string> => {
    const files = Object.fromEntries(paths.map((path) => [`${PLACE}/${path}`, content(path)]));
    return world.pack({ name: "peipkg", version, files });
  };
  const working = await pack("1.0-1", (path) => Deno.readTextFileSync(`${HOME}/${path}`));
  const broken = await pack("2.0-1", () => 'throw new Error("read after it was replaced");\n');
  await world.expect(["install", working, "--yes"]);
  const program = `${world.root}/${PLACE}`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--no-prompt", `--config=${program}/deno.json`, "-P=peipkg"],
      ...[`${program}/cli/main.ts`, "--root", world.root, "install", broken, "--yes"],
    ],
    clearEnv: true,
    env: baseEnvironment(),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.match(Deno.readTextFileSync(`${program}/mod.ts`), /read after it was replaced/);
  assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
});
