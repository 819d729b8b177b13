/** Fresh images: one command takes an empty directory to a working root, and files are held to a signature. */
import assert from "node:assert/strict";
import { expectRun } from "../support/cli.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const BASE: PackageSpec = {
  name: "base",
  version: "1.0-1",
  dependencies: ["words"],
  files: { "usr/bin/base": "base\n" },
};
const WORDS: PackageSpec = { name: "words", version: "1.0-1", files: { "usr/share/words/list": "words\n" } };

function repositoryFile(world: World, url: string): string {
  const path = `${world.directory}/main.repo`;
  Deno.writeTextFileSync(
    path,
    `base_url = "${url}"\ntrust_anchors = ["${world.anchor}"]\nallow_insecure_transport = true\n`,
  );
  return path;
}

/** Everything below the root but the log and the database, which tell the time. */
function filesOf(root: string): readonly string[] {
  const walk = (directory: string): string[] =>
    [...Deno.readDirSync(directory)].flatMap((entry) => {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory) return [path, ...walk(path)];
      return [entry.isFile ? `${path} ${Deno.readTextFileSync(path)}` : path];
    });
  return walk(root).filter((line) => !/\/var\/(?:log|lib)\//.test(line)).sort();
}

Deno.test("C-REPO-05, C-INSTALL-01: install --repo-file takes an empty directory to a working root; twice is once", async () => {
  await using world = await World.create();
  await world.publish([BASE, WORDS]);
  const server = world.serve();
  const file = repositoryFile(world, server.url);
  const command = ["install", "--repo-file", file, "base", "--yes"];
  const first = await world.expect(command);
  assert.match(first.stderr, /configured in trust_anchors\n {2}.* {2}matches\n/);
  assert.match(first.stdout, /^added repository "main"\n[^]*done — 2 operations applied\n$/);
  assert.equal((await world.expect(["verify"])).stdout, "all recorded files are intact\n");
  assert.equal(await exists(`${world.root}/conf/peipkg/main.repo`), true);
  const before = filesOf(world.root);
  await server[Symbol.asyncDispose](); // what is settled needs no network
  const second = await world.expect(command);
  assert.equal(second.stdout, "nothing to do — the request is already satisfied\n");
  assert.doesNotMatch(second.stderr, /matches/);
  assert.deepEqual(filesOf(world.root), before);
  assert.equal((await world.expect(["history"])).stdout.trimEnd().split("\n").length, 1);
});

Deno.test("C-REPO-01, R-ADD-04: install --repo compares the anchors on the command line", async (t) => {
  await using world = await World.create();
  await world.publish([BASE, WORDS]);
  const repository = `main=file://${world.repository()}`;
  await t.step("a wrong anchor stops it and leaves nothing", async () => {
    const result = await world.expect(
      ["install", "--repo", repository, "--anchor", "0".repeat(64), "base", "--yes", "--json"],
      1,
    );
    assert.match(result.stdout, /"code":"anchor-mismatch"/);
    assert.deepEqual([...Deno.readDirSync(world.root)], []);
  });
  await t.step("the right one is grouped as people compare it", async () => {
    const grouped = world.anchor.replace(/(.{4})/g, "$1 ");
    const { stderr } = await world.expect(["install", "--repo", repository, "--anchor", grouped, "base", "--yes"]);
    assert.match(stderr, /given --anchor\n {2}.* {2}matches\n/);
    assert.equal((await world.expect(["list"])).stdout, "base   1.0-1  noarch\nwords  1.0-1  noarch\n");
  });
  await t.step("C-REPO-07: other settings under the same name are refused", async () => {
    const other = ["install", "--repo", `main=file://${world.directory}`, "--anchor", world.anchor, "base", "--yes"];
    assert.match((await world.expect(other, 1)).stderr, /repository "main" is configured with other settings/);
  });
});

Deno.test("R-TRANS-01: install --repo refuses plain http unless it is allowed", async () => {
  await using world = await World.create();
  await world.publish([WORDS]);
  const typed = ["--repo", `main=${world.serve().url}`, "--anchor", world.anchor];
  assert.match((await world.expect(["install", ...typed, "words", "--yes"], 1)).stderr, /is plain http/);
  await world.expect(["install", ...typed, "--insecure", "words", "--yes"]);
});

Deno.test("C-GEN-04: repositories given to install are checked before anything is read", async () => {
  await using world = await World.create();
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--anchor", "0".repeat(64)], /--anchor needs --repo NAME=URL beside it/],
    [["--insecure"], /--insecure needs --repo NAME=URL beside it/],
    [["--repo", "https://example.org"], /--repo "https:\/\/example\.org" is not NAME=URL/],
    [["--repo", "UP=https://example.org", "--anchor", "0".repeat(64)], /cannot use repository name "UP"/],
    [["--repo", "main=https://example.org", "--anchor", "zz"], /expected 64 hexadecimal digits/],
    [["--repo", "main=https://example.org"], /no --anchor is given/],
    [["--repo-file", "main.toml"], /a repository file is named NAME\.repo/],
    [["--repo-file", "main.repo", "--dry-run"], /--repo-file .*--dry-run|--dry-run .*--repo-file/],
  ];
  for (const [options, expected] of cases) {
    const { stderr } = await world.expect(["install", ...options, "base"], 2);
    assert.match(stderr, expected);
  }
  assert.deepEqual([...Deno.readDirSync(world.root)], []);
});

Deno.test("R-ADD-02, C-CONF-20: a faulty repository file stops the install", async () => {
  await using world = await World.create();
  const cases: readonly (readonly [string, RegExp])[] = [
    ['base_url = "https://example.org"\n', /"trust_anchors" is empty/],
    ['base_url = "https://example.org"\nanchors = []\n', /unknown key "anchors"/],
    ["base_url = ", /main\.repo" line 1/],
    ['base_url = "http://example.org"\nsignature_policy = "optional"\n', /is plain http/],
  ];
  for (const [text, expected] of cases) {
    Deno.writeTextFileSync(`${world.directory}/main.repo`, text);
    assert.match((await world.expect(["install", "--repo-file", "main.repo", "base", "--yes"], 1)).stderr, expected);
  }
  assert.match((await world.expect(["install", "--repo-file", "gone.repo", "base", "--yes"], 1)).stderr, /not exist/);
});

Deno.test("F-TRU-04, F-VFY-03: --require-signature holds package files to keys of configured repositories", async (t) => {
  await using world = await World.create();
  await world.publish([WORDS]);
  const signed = [await world.pack(WORDS), await world.pack(BASE)];
  const command = ["install", "--require-signature", "--yes", "--json"];
  const refused = async (file: string, code: string, message: RegExp) => {
    const { stdout } = await world.expect([...command, file], 1);
    const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    assert.deepEqual([last.event, last.code], ["error", code]);
    assert.match(last.message, message);
    assert.equal((await world.expect(["list"])).stdout, "no packages are installed\n");
  };
  await t.step("without a repository no key is known", () => refused(signed[0] ?? "", "signature", /./));
  await world.addRepository(`file://${world.repository()}`);
  await t.step("a file signed by somebody else", async () => {
    await expectRun(["keygen", "--out", `${world.directory}/other`], 0, { program: "peipkg-repo" });
    const file = await world.pack(WORDS, `${world.directory}/other`, `${world.directory}/others`);
    await refused(file, "signature", /./);
  });
  await t.step("an unsigned file", async () => {
    const tree = `${world.directory}/tree`;
    await expectRun(["unpack", signed[0] ?? "", tree], 0, { program: "peipkg-build" });
    const { stdout } = await expectRun(["inspect", "--manifest", signed[0] ?? ""], 0, { program: "peipkg-build" });
    Deno.writeTextFileSync(`${world.directory}/words.json`, stdout);
    const file = `${world.directory}/words_1.0-1_noarch.peipkg`;
    await expectRun(["pack", "--manifest", `${world.directory}/words.json`, "--staged", tree, "--out", file], 0, {
      program: "peipkg-build",
    });
    await refused(file, "signature", /is not signed/);
    assert.equal((await world.expect(["install", "--dry-run", file])).status, 0);
  });
  await t.step("a file changed by one bit", async () => {
    const bytes = Deno.readFileSync(signed[0] ?? "");
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    const file = `${world.directory}/changed.peipkg`;
    Deno.writeFileSync(file, bytes);
    const { stdout } = await world.expect([...command, file], 1);
    assert.match(stdout, /"code":"(?:format|signature|hash)"/);
  });
  await t.step("files signed by the repository's key, satisfying each other", async () => {
    await world.expect([...command, ...signed]);
    assert.equal((await world.expect(["list"])).stdout, "base   1.0-1  noarch\nwords  1.0-1  noarch\n");
  });
});
