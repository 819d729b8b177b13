/** Packages carried to machines without network: bundles, downloads, and the promise of `--offline`. */
import assert from "node:assert/strict";
import { baseEnvironment, type CliResult, commandLine, expectRun, run } from "../support/cli.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";

const LIB1: PackageSpec = { name: "lib", version: "1.0-1", files: { "usr/share/lib/v": "1\n" } };
const LIB2: PackageSpec = { name: "lib", version: "2.0-1", files: { "usr/share/lib/v": "2\n" } };
const APP: PackageSpec = {
  name: "app",
  version: "1.0-1",
  dependencies: ["lib", "speaker"],
  files: { "usr/share/app/a": "app\n" },
};
const VOICE: PackageSpec = {
  name: "voice",
  version: "1.0-1",
  provides: ["speaker"],
  files: { "usr/share/voice/v": "voice\n" },
};
const OTHER: PackageSpec = { name: "other", version: "1.0-1", files: { "usr/share/other/o": "other\n" } };

/** A world with two published versions of `lib`, a repository added, and the site's own key. */
async function begin(): Promise<World> {
  const world = await World.create();
  await world.publish([APP, LIB1, VOICE, OTHER]);
  await world.publish([LIB2]);
  await world.addRepository(world.serve().url);
  await expectRun(["keygen", "--out", `${world.directory}/site`], 0, { program: "peipkg-repo" });
  await Deno.mkdir(`${world.directory}/target`);
  return world;
}

interface Bundle {
  readonly directory: string;
  /** The words of the last line after the program's name: what to run on the target. */
  readonly add: readonly string[];
  readonly stdout: string;
  readonly names: readonly string[];
}

async function bundle(world: World, name: string, args: readonly string[]): Promise<Bundle> {
  const directory = `${world.directory}/${name}`;
  const { stdout } = await world.expect(
    ["bundle", "--out", directory, "--sign-key", `${world.directory}/site`, "-y", ...args],
  );
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  assert.match(line, /^peipkg repo add [a-z0-9-]+ file:\/\/\/\S+ --anchor [0-9a-f]{64}$/);
  const document = JSON.parse(await Deno.readTextFile(`${directory}/bundle.json`));
  return {
    directory,
    add: line.split(" ").slice(1),
    stdout,
    names: document.packages.map((item: { name: string; version: string }) => `${item.name} ${item.version}`),
  };
}

/** Runs the program on the target machine: with the product's permissions but for the network. */
async function onTarget(world: World, args: readonly string[], status = 0): Promise<CliResult> {
  const full = ["--root", `${world.directory}/target`, ...args];
  const [command, ...leading] = commandLine("peipkg");
  if (!leading.includes("-P=peipkg")) return await expectRun(["--offline", ...full], status); // a built executable
  const config = `${world.directory}/no_network.json`;
  const project = JSON.parse(await Deno.readTextFile("deno.json"));
  const { net: _net, ...permissions } = project.permissions.peipkg;
  const { imports, compilerOptions } = project;
  await Deno.writeTextFile(config, JSON.stringify({ imports, compilerOptions, permissions: { peipkg: permissions } }));
  const words = leading.map((word) => word.startsWith("--config=") ? `--config=${config}` : word);
  const output = await new Deno.Command(command, {
    args: [...words.slice(0, -1), "--no-lock", ...words.slice(-1), ...full],
    clearEnv: true,
    env: baseEnvironment(),
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const result = {
    status: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
  assert.equal(result.status, status, `${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result;
}

Deno.test("C-BUNDLE-01, C-BUNDLE-02, C-BUNDLE-03, C-BUNDLE-05, R-TRANS-05: a bundle installs where no network is", async () => {
  await using world = await begin();
  const made = await bundle(world, "media", ["app"]);
  assert.deepEqual(made.names, ["app 1.0-1", "lib 2.0-1", "voice 1.0-1"]); // the closure, a capability included
  for (const name of ["repo.json", "index/active.json", "index/archive.json"]) {
    assert.ok(await exists(`${made.directory}/${name}`) && await exists(`${made.directory}/${name}.sig`), name);
  }
  const document = JSON.parse(await Deno.readTextFile(`${made.directory}/bundle.json`));
  assert.deepEqual([document.name, document.requested, document.packages[0].origin], ["bundle", ["app"], "main"]);
  // Bytes and signatures are the publisher's, so the publisher's key is listed and printed beside the site's.
  const copied = await Deno.readFile(`${made.directory}/p/app/1.0-1/app_1.0-1_noarch.peipkg`);
  assert.deepEqual(copied, await Deno.readFile(world.published(APP)));
  assert.match(made.stdout, new RegExp(`\nkeys the bundle lists:\n  [0-9a-f]{64}\n  ${world.anchor}\n`));
  assert.equal((await onTarget(world, made.add)).stderr.includes("record this trust"), false);
  await onTarget(world, ["install", "app", "--yes"]);
  assert.equal(await Deno.readTextFile(`${world.directory}/target/usr/share/lib/v`), "2\n");
  assert.equal((await onTarget(world, ["verify"])).stdout, "all recorded files are intact\n");
});

Deno.test("C-BUNDLE-02: --installed leaves out what the target has, --from reads the names", async () => {
  await using world = await begin();
  const first = await bundle(world, "first", ["--name", "site", "lib=1.0-1", "voice"]);
  await onTarget(world, first.add);
  await onTarget(world, ["install", "lib", "voice", "--yes"]);
  const list = `${world.directory}/list.json`;
  await Deno.writeTextFile(list, (await onTarget(world, ["export", "--json", "--versions"])).stdout);
  const minimal = await bundle(world, "minimal", ["--installed", list, "app"]);
  assert.deepEqual(minimal.names, ["app 1.0-1"]); // an older lib and another's voice serve it
  const newer = await bundle(world, "newer", ["--installed", list, "app", "lib"]);
  assert.deepEqual(newer.names, ["app 1.0-1", "lib 2.0-1"]); // named, so brought up to date
  const { stdout } = await world.expect([
    ...["bundle", "--out", `${world.directory}/none`, "--sign-key", `${world.directory}/site`, "-y"],
    ...["--installed", list, "voice"],
  ]);
  assert.equal(stdout, "nothing to do — the request is already satisfied\n");
  assert.equal(await exists(`${world.directory}/none`), false);
  const names = `${world.directory}/names`;
  await Deno.writeTextFile(names, "# for the site\nother\n\nlib=1.0-1\n");
  assert.deepEqual((await bundle(world, "named", ["--from", names])).names, ["lib 1.0-1", "other 1.0-1"]);
});

Deno.test("C-BUNDLE-03: --resign makes the site's key the only one to trust", async () => {
  await using world = await begin();
  const made = await bundle(world, "resigned", ["--resign", "app"]);
  assert.equal(made.stdout.includes(world.anchor), false);
  const stored = await Deno.readFile(`${made.directory}/p/app/1.0-1/app_1.0-1_noarch.peipkg`);
  assert.notDeepEqual(stored, await Deno.readFile(world.published(APP)));
  await onTarget(world, made.add);
  await onTarget(world, ["install", "app", "--yes"]);
  assert.equal(await Deno.readTextFile(`${world.directory}/target/usr/share/app/a`), "app\n");
  assert.equal((await onTarget(world, ["repo", "keys", "bundle"])).stdout.trim().split("\n").length, 1);
});

Deno.test("C-BUNDLE-02, C-BUNDLE-04: --previous makes a later bundle, --archive carries older versions", async () => {
  await using world = await begin();
  const first = await bundle(world, "first", ["--timestamp", "2026-01-02T03:04:05Z", "other"]);
  const version = async (directory: string) =>
    JSON.parse(await Deno.readTextFile(`${directory}/index/active.json`)).index_version;
  assert.equal(await version(first.directory), Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
  const again = ["--previous", first.directory, "--timestamp", "2026-01-02T03:04:05Z"];
  const later = await bundle(world, "later", [...again, "other"]);
  assert.equal(await version(later.directory), await version(first.directory) + 1);
  const early = await world.expect([
    ...["bundle", "--out", `${world.directory}/early`, "--sign-key", `${world.directory}/site`, "-y", "other"],
    ...["--previous", first.directory, "--timestamp", "2026-01-02T03:04:04Z"],
  ], 2);
  assert.match(early.stderr, /previous bundle is of 2026-01-02T03:04:05Z/);
  const archive = await bundle(world, "archive", ["--archive", "lib"]);
  assert.deepEqual(archive.names, ["lib 2.0-1", "lib 1.0-1"]);
  await onTarget(world, archive.add);
  await onTarget(world, ["install", "lib=1.0-1", "--yes"]);
  assert.equal(await Deno.readTextFile(`${world.directory}/target/usr/share/lib/v`), "1\n");
  // The next bundle at the same place is followed by an ordinary refresh and upgrade.
  const next = await bundle(world, "next", ["--previous", archive.directory, "lib"]);
  await Deno.remove(archive.directory, { recursive: true });
  await Deno.rename(next.directory, archive.directory);
  assert.equal((await onTarget(world, ["refresh"])).stdout, 'refreshed "bundle"\n');
  await onTarget(world, ["upgrade", "--yes"]);
  assert.equal(await Deno.readTextFile(`${world.directory}/target/usr/share/lib/v`), "2\n");
});

Deno.test("C-BUNDLE-01, C-PROMPT-10: a directory in use, a refusal and a wrong call leave nothing behind", async () => {
  await using world = await begin();
  const key = ["--sign-key", `${world.directory}/site`];
  const used = `${world.directory}/used`;
  await Deno.mkdir(used);
  await Deno.writeTextFile(`${used}/note`, "mine\n");
  const { stderr } = await world.expect(["bundle", "--out", used, ...key, "-y", "app"], 1);
  assert.match(stderr, /^peipkg: bundle: .*it is not empty$/m);
  assert.deepEqual([...Deno.readDirSync(used)].map(({ name }) => name), ["note"]);
  const out = `${world.directory}/refused`;
  const refused = await world.peipkg(["bundle", "--out", out, ...key, "app"], "n\n");
  assert.deepEqual([refused.status, /\ncancelled\n$/.test(refused.stdout)], [0, true]);
  assert.match(refused.stdout, /^the following packages will be bundled:\n {2}app 1\.0-1 {2}\d+ B\n/);
  const calls = [
    ["bundle", "--out", out, ...key],
    ["bundle", "--out", out, ...key, "--from", used, "app"],
    ["bundle", ...key, "app"],
    ["bundle", "--out", out, "app"],
    ["bundle", "--out", out, ...key, "--name", "Not/Good", "app"],
    ["fetch"],
    ["fetch", "--deps", "--all-deps", "app"],
    ["fetch", "app.peipkg"],
  ];
  for (const call of calls) await world.expect(call, 2);
  assert.equal(await exists(out), false);
  await Deno.writeTextFile(`${world.directory}/list`, "# peipkg export 1\nlib\n");
  const list = await world.expect([
    "bundle",
    "--out",
    out,
    ...key,
    "-y",
    "--installed",
    `${world.directory}/list`,
    "app",
  ], 1);
  assert.match(list.stderr, /it has no version of "lib"/);
});

Deno.test("C-FETCH-01: fetch writes verified files, closures as asked, and keeps what is there", async (t) => {
  await using world = await begin();
  const out = `${world.directory}/out`;
  const files = () => [...Deno.readDirSync(out)].map(({ name }) => name).sort();
  await t.step("the named package alone, after one question", async () => {
    const { stdout } = await world.peipkg(["fetch", "--out", out, "app"], "y\n");
    assert.match(
      stdout,
      /^the following packages will be fetched:\n {2}app 1\.0-1 {2}(\d+ B)\n {2}total: \1\nproceed\? \[y\/N\] \nfetched 1 package\(s\), \1\n$/,
    );
    assert.deepEqual(files(), ["app_1.0-1_noarch.peipkg"]);
    assert.deepEqual(await Deno.readFile(`${out}/app_1.0-1_noarch.peipkg`), await Deno.readFile(world.published(APP)));
  });
  await t.step("--all-deps is the whole closure, an exact version comes from the archive", async () => {
    await world.expect(["fetch", "--out", out, "--all-deps", "-y", "app"]);
    assert.deepEqual(files(), ["app_1.0-1_noarch.peipkg", "lib_2.0-1_noarch.peipkg", "voice_1.0-1_noarch.peipkg"]);
    await world.expect(["fetch", "--out", out, "-y", "lib=1.0-1"]);
    assert.ok(files().includes("lib_1.0-1_noarch.peipkg"));
  });
  await t.step("a file with the right digest is kept, a damaged one replaced", async () => {
    await Deno.writeTextFile(`${out}/lib_2.0-1_noarch.peipkg`, "damaged");
    const { stdout } = await world.expect(["--json", "fetch", "--out", out, "--all-deps", "-y", "app"]);
    const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
    const actions = events.filter(({ event }) => event === "file").map((item) => [item.package, item.action]);
    assert.deepEqual(actions, [["app", "kept"], ["lib", "written"], ["voice", "kept"]]);
    assert.equal(events.at(-1).event, "done");
    assert.deepEqual(await Deno.readFile(`${out}/lib_2.0-1_noarch.peipkg`), await Deno.readFile(world.published(LIB2)));
  });
  await t.step("--deps leaves out what is installed, --updates takes what upgrade would", async () => {
    await world.expect(["install", "lib=1.0-1", "--yes"]);
    const { stdout } = await world.expect(["fetch", "--deps", "-y", "app"]);
    assert.match(stdout, /fetched:\n {2}app 1\.0-1 .*\n {2}voice 1\.0-1 .*\n {2}total/);
    assert.match((await world.expect(["fetch", "--updates", "-y"])).stdout, /fetched:\n {2}lib 2\.0-1 .*\n {2}total/);
  });
  await t.step("--repository names a configured repository", async () => {
    const { stderr } = await world.expect(["fetch", "--repository", "mian", "-y", "app"], 1);
    assert.match(stderr, /^peipkg: fetch: repository "mian" is not configured$/m);
  });
  await t.step("what is in the cache needs no network any more", async () => {
    await world.expect(["--offline", "install", "app", "--yes"]);
    await world.expect(["--offline", "upgrade", "--yes"]);
    assert.equal(await Deno.readTextFile(`${world.root}/usr/share/lib/v`), "2\n");
    const { stdout } = await world.expect(["fetch", "--updates", "-y"]);
    assert.equal(stdout, "nothing to do — the request is already satisfied\n");
  });
});

Deno.test("--offline refuses every transfer with one error and reads file: repositories", async () => {
  await using world = await begin();
  const { stderr } = await world.expect(["--offline", "refresh"], 1);
  assert.match(stderr, /^peipkg: refreshing "main" failed: cannot fetch "http:\S+": --offline allows no network$/m);
  const failed = await world.expect(["--offline", "--json", "install", "other", "--yes"], 1);
  const last = JSON.parse(failed.stdout.trimEnd().split("\n").at(-1) ?? "");
  assert.deepEqual([last.code, last.details.rule], ["transport", "E_NETWORK"]);
  await world.expect(["repo", "add", "disk", `file://${world.repository()}`, "--anchor", world.anchor, "-y"]);
  assert.equal((await world.expect(["--offline", "refresh", "disk"])).stdout, 'refreshed "disk"\n');
  const mirrored = run(["--root", world.root, "--offline", "install", "other", "--repository", "disk", "--yes"]);
  assert.equal((await mirrored).status, 0);
});
