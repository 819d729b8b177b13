/** `peipkg-build` through the real program: packing, and files nobody should trust. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { sha256Hex } from "../../core/format/hash.ts";
import { Random } from "../fuzz/target.ts";
import { mutateArchive, mutateBytes } from "../fuzz/mutate.ts";
import { type CliResult, run } from "../support/cli.ts";
import { buildPackage, compress, DEMO_PAYLOAD, type PackageSpec } from "../support/package_builder.ts";

const ESCAPE = "\u001b";

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "peipkg-tools-" });
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const build = (directory: string, args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
  run(args, { program: "peipkg-build", cwd: directory, env });

const PACK = ["pack", "--manifest", "manifest.json", "--staged", "tree", "--out", "o.peipkg"];

/** Nothing that a terminal obeys, no defect of the program, no trace of its inside. */
function assertCalm({ stdout, stderr }: CliResult, label: string): void {
  // deno-lint-ignore no-control-regex -- what must not be printed
  assert.doesNotMatch(stdout + stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, label);
  assert.doesNotMatch(stderr, /defect of this program|at file:|\.ts:\d+/, label);
}

const MANIFEST = {
  schema_version: 1,
  name: "demo",
  version: "1.0-1",
  architecture: "noarch",
  description: "Demonstration",
  license: "MIT",
  dependencies: [{ name: "zz" }, { name: "aa" }],
  conflicts: [],
  build: { timestamp: "2026-01-02T03:04:05Z", farm_id: "f", source_ref: "s" },
};

Deno.test("C-BUILD-01, F-PRO-16: pack refuses what a consumer would, and lists all of it", () =>
  inDirectory(async (directory) => {
    for (const path of ["bin", "usr/lib", "home"]) await Deno.mkdir(`${directory}/tree/${path}`, { recursive: true });
    await Deno.writeTextFile(`${directory}/tree/bin/x`, "x");
    await Deno.writeTextFile(`${directory}/tree/home/y`, "y");
    await Deno.symlink("/etc/passwd", `${directory}/tree/usr/lib/os-release`);
    await Deno.writeTextFile(`${directory}/manifest.json`, JSON.stringify(MANIFEST));
    const result = await build(directory, PACK);
    assert.equal(result.status, 1);
    for (const path of ["bin/x", "home/y", "usr/lib/os-release"]) {
      assert.ok(result.stderr.includes(path), result.stderr);
    }
    assertCalm(result, "pack");
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["manifest.json", "tree"]);
    for (const text of ["", "{", '{"name":1}', JSON.stringify({ ...MANIFEST, version: "1" })]) {
      await Deno.writeTextFile(`${directory}/manifest.json`, text);
      const bad = await build(directory, PACK);
      assert.equal(bad.status, 1, text);
      assertCalm(bad, text);
    }
  }));

Deno.test("C-BUILD-01, F-PRO-01, F-PRO-05: equal input gives equal bytes, wherever and whenever it lies", () =>
  inDirectory(async (directory) => {
    const files = [["usr/bin/demo", "#!/bin/sh\n"], ["usr/share/demo/é", "1"], ["usr/share/demo/a", "2"]] as const;
    await run(["keygen", "--out", `${directory}/key`], { program: "peipkg-repo" });
    const hashes = new Set<string>();
    for (const [index, order] of [files, [...files].reverse()].entries()) {
      const place = `${directory}/${"deep/".repeat(index * 3)}t`;
      for (const [path, content] of order) {
        await Deno.mkdir(`${place}/tree/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
        await Deno.writeTextFile(`${place}/tree/${path}`, content, { mode: index === 0 ? 0o755 : 0o600 });
        await Deno.utime(`${place}/tree/${path}`, index * 1e9, index * 1e9);
      }
      await Deno.symlink("../share/demo/a", `${place}/tree/usr/bin/link`);
      const { dependencies, ...rest } = MANIFEST;
      const fields = index === 0 ? { ...rest, dependencies } : { dependencies: [...dependencies].reverse(), ...rest };
      await Deno.writeTextFile(`${place}/m.json`, JSON.stringify(fields, null, index * 2));
      const env = index === 0 ? { LC_ALL: "C", TZ: "UTC" } : { LC_ALL: "sv_SE.UTF-8", LANG: "tr_TR", TZ: "Asia/Tokyo" };
      const options = ["--manifest", "m.json", "--staged", "tree", "--out", ".", "--sign-key", `${directory}/key`];
      const result = await build(place, ["pack", ...options], env);
      assert.equal(result.status, 0, result.stderr);
      hashes.add(sha256Hex(await Deno.readFile(`${place}/demo_1.0-1_noarch.peipkg`)));
    }
    assert.equal(hashes.size, 1);
  }));

Deno.test("C-BUILD-02, C-ESC-01: inspect escapes what it prints of a package", () =>
  inDirectory(async (directory) => {
    const license = `MIT${ESCAPE}[2J${ESCAPE}]0;title\u0007 \u202e\u009b`;
    const file = "demo_1.0-1_noarch.peipkg";
    const build_ = { timestamp: "2026-01-02T03:04:05Z", farm_id: `f${ESCAPE}c`, source_ref: "s" };
    await Deno.writeFile(`${directory}/${file}`, await buildPackage({ manifest: { license, build: build_ } }));
    for (const options of [[], ["--files"], ["--signature"], ["--json"]]) {
      const result = await build(directory, ["inspect", file, ...options]);
      assert.equal(result.status, 0, result.stderr);
      assertCalm(result, options.join());
    }
    const shown = await build(directory, ["inspect", file]);
    assert.ok(shown.stdout.includes("\\x1B[2J"), shown.stdout);
    const { manifest } = JSON.parse((await build(directory, ["inspect", file, "--json"])).stdout);
    assert.equal(manifest.license, license);
  }));

Deno.test("C-BUILD-03, F-VFY-13: verify lists every violation with its rule", () =>
  inDirectory(async (directory) => {
    const payload = [
      { name: "bin/x", content: "x" },
      ...DEMO_PAYLOAD,
      { name: "usr/share/demo/link", type: "symlink", target: "../../../../x" } as const,
    ];
    const row = (path: string, size: number) => ({ path, size, hash: "0".repeat(64) });
    const specs: readonly PackageSpec[] = [{
      payload,
      files: { entries: [row("bin/x", 9), row("usr/share/demo/hello.txt", 6), row("usr/zz", 1)] },
      manifest: { size_installed: 99, build: { timestamp: "2026-01-02T03:04:06Z", farm_id: "f", source_ref: "s" } },
    }, {}];
    for (const [index, spec] of specs.entries()) {
      await Deno.writeFile(`${directory}/${index}.peipkg`, await buildPackage(spec));
    }
    const result = await build(directory, ["verify", "--json", "0.peipkg", "1.peipkg", "absent.peipkg"]);
    assert.equal(result.status, 1);
    const { ok, issues } = JSON.parse(result.stdout);
    assert.equal(ok, false);
    const codes = (path: string) =>
      issues.filter((item: { path: string }) => item.path === path).map((item: { code: string }) => item.code).sort();
    assert.deepEqual([...new Set(codes("0.peipkg"))], [
      "E_DEST",
      "E_FILES_ORPHAN",
      "E_FILE_HASH",
      "E_FILE_SIZE",
      "E_SIZE_INSTALLED",
      "E_SYMLINK_ESCAPE",
      "E_TAR_MTIME",
    ]);
    assert.deepEqual(codes("1.peipkg"), []);
    assert.equal(codes("absent.peipkg").length, 1);
    const text = await build(directory, ["verify", "0.peipkg", "1.peipkg"]);
    assert.match(text.stdout, /^1\.peipkg: OK \(signature not checked\)\n$/);
    assert.ok(text.stderr.split("\n").filter((line) => line.startsWith("0.peipkg: FAILED: ")).length >= 7, text.stderr);
  }));

Deno.test("C-BUILD-02, C-BUILD-03, F-VFY-11: hostile files are refused calmly, and unpacking them leaves nothing", () =>
  inDirectory(async (directory) => {
    const random = new Random(20261120);
    const whole = await buildPackage();
    const tar = new Uint8Array(zstdDecompressSync(whole));
    const names: string[] = [];
    for (let index = 0; index < 200; index++) {
      const bytes = index % 2 === 0 ? mutateBytes(whole, random, []) : compress(mutateArchive(tar, random));
      names.push(`h${index}.peipkg`);
      await Deno.writeFile(`${directory}/h${index}.peipkg`, bytes);
    }
    const result = await build(directory, ["verify", "--json", ...names]);
    assert.equal(result.status, 1);
    const { issues } = JSON.parse(result.stdout);
    assert.ok(new Set(issues.map(({ path }: { path: string }) => path)).size > 150);
    for (const { code, path } of issues) assert.match(code, /^[A-Z]+_[A-Z0-9_]+$/, `${path}: ${code}`);
    const refused = names.filter((name) => issues.some(({ path }: { path: string }) => path === name)).slice(0, 6);
    await Deno.writeFile(`${directory}/empty.peipkg`, new Uint8Array());
    await Deno.mkdir(`${directory}/folder.peipkg`);
    for (const name of [...refused, "empty.peipkg", "folder.peipkg", "absent.peipkg"]) {
      for (const args of [["inspect", name], ["unpack", name, "out"]]) {
        const bad = await build(directory, args);
        assert.equal(bad.status, 1, args.join(" "));
        assertCalm(bad, args.join(" "));
      }
      assert.equal(await Deno.lstat(`${directory}/out`).then(() => true, () => false), false, name);
    }
  }));

Deno.test("C-ESC-02, F-PATH-04: a name that is not UTF-8 is quoted byte by byte, for a person and in JSON", () =>
  inDirectory(async (directory) => {
    const patch = (block: Uint8Array) => block.set([0x2f, 0xc3, 0x28, 0xff, 0x1b, 0x5b], 3); // usr/\xC3(\xFF ESC [
    const payload = [{ name: "usr/", type: "dir" }, { name: "usr/abcdef", content: "", patch }] as const;
    await Deno.writeFile(`${directory}/x.peipkg`, await buildPackage({ payload, sign: false }));
    const { status, stderr } = await build(directory, ["inspect", "x.peipkg"]);
    assert.equal(status, 1);
    assert.ok(stderr.includes('name "usr/\\xC3(\\xFF\\x1B[f" is not valid UTF-8'), stderr);
    const json = await build(directory, ["--json", "inspect", "x.peipkg"]);
    assert.ok(JSON.parse(json.stderr).error.message.includes('"usr/\\xC3(\\xFF\u001b[f"'), json.stderr);
  }));

Deno.test("F-NAME-01, F-VNAME-01, F-VER-01, F-ARCH-01, F-CON-01: the published names and versions through verify", () =>
  inDirectory(async (directory) => {
    const read = (name: string) =>
      JSON.parse(Deno.readTextFileSync(new URL(`../fixtures/identity/${name}.json`, import.meta.url)));
    const { package_names: names, virtual_names: virtual, architectures } = read("names");
    const { valid_versions, invalid_versions, constraints, invalid_constraints } = read("versions");
    const cases: { readonly fields: Record<string, unknown>; readonly good: boolean; readonly label: string }[] = [];
    const add = (fields: Record<string, unknown>, good: boolean) =>
      cases.push({ fields, good, label: JSON.stringify(fields) });
    const dependency = (name: string, constraint?: string) => ({ dependencies: [{ name, constraint }] });
    for (const name of names.valid) add({ name }, true);
    for (const { name } of names.invalid) add({ name }, false);
    for (const name of virtual.valid) add(dependency(name), true);
    for (const { name } of virtual.invalid) add(dependency(name), false);
    for (const { version } of valid_versions) add({ version }, true);
    for (const { version } of invalid_versions) add({ version }, false);
    for (const { constraint } of constraints) add(dependency("zz", constraint), true);
    // F-MAN-03: in a document an empty constraint is an absent one
    for (const { constraint } of invalid_constraints) add(dependency("zz", constraint), constraint === "");
    for (const { identifier, canonical } of architectures.valid) add({ architecture: identifier }, canonical);
    for (const { identifier } of architectures.invalid) add({ architecture: identifier }, false);
    for (const [index, { fields }] of cases.entries()) {
      const bytes = await buildPackage({ manifest: fields, sign: false });
      await Deno.writeFile(`${directory}/${index}.peipkg`, bytes);
    }
    const result = await build(directory, ["verify", "--json", ...cases.map((_item, index) => `${index}.peipkg`)]);
    const refused = new Set(JSON.parse(result.stdout).issues.map(({ path }: { path: string }) => path));
    const wrong = cases.filter(({ good }, index) => refused.has(`${index}.peipkg`) === good);
    assert.deepEqual(wrong.map(({ label, good }) => `${label}: ${good}`), []);
    assert.ok(cases.length > 350);
  }));

Deno.test("unpack gives back what was packed, into an empty directory alone", () =>
  inDirectory(async (directory) => {
    await Deno.writeFile(`${directory}/demo_1.0-1_noarch.peipkg`, await buildPackage());
    assert.equal((await build(directory, ["unpack", "demo_1.0-1_noarch.peipkg", "out"])).status, 0);
    assert.equal(await Deno.readTextFile(`${directory}/out/usr/share/demo/hello.txt`), "hello\n");
    const again = await build(directory, ["unpack", "demo_1.0-1_noarch.peipkg", "out"]);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /it is not empty/);
  }));
