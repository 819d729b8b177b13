/** The late profile of the format, switched on by the key `layout`, through the real program. */
import assert from "node:assert/strict";
import { writeEnvelope } from "../../core/format/envelope.ts";
import { sha256 } from "../../core/format/hash.ts";
import { openSigningKey, readPrivateKey } from "../../core/format/keys.ts";
import { packPackage, parseManifestDraft } from "../../core/format/pack.ts";
import { run } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";

/** Packs a package as a producer of the late profile would; returns its file. */
async function packLate(world: World, name: string, path: string, fields: Record<string, unknown> = {}) {
  const content = new TextEncoder().encode(`${name}\n`);
  const draft = {
    schema_version: 1,
    name,
    version: "1.0-1",
    architecture: "noarch",
    dependencies: [],
    conflicts: [],
    build: { timestamp: "2026-01-02T03:04:05Z", farm_id: "f", source_ref: "s" },
    ...fields,
  };
  const chunks: Uint8Array[] = [];
  await packPackage({
    manifest: parseManifestDraft(new TextEncoder().encode(JSON.stringify(draft)), "both"),
    entries: [{ type: "file", path, sizeBytes: content.length, open: () => [content] }],
    layout: "both",
    write: (chunk) => void chunks.push(chunk.slice()),
  });
  const file = `${world.directory}/${name}_1.0-1_noarch.peipkg`;
  await Deno.writeFile(file, await new Blob(chunks.map((chunk) => new Uint8Array(chunk))).bytes());
  return file;
}

async function configure(world: World, layout: string): Promise<void> {
  await Deno.mkdir(`${world.root}/conf/peipkg`, { recursive: true });
  await Deno.writeTextFile(`${world.root}/conf/peipkg/peipkg.toml`, `layout = "${layout}"\n`);
}

/** The last event of a failing `install --json`. */
async function refusal(world: World, args: readonly string[]) {
  const { stdout } = await world.expect(["--json", ...args, "--yes"], 1);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** Adds a field to a package of the published active index, and signs it again. */
async function amendIndex(world: World, name: string, field: Record<string, unknown>): Promise<void> {
  const path = `${world.repository()}/index/active.json`;
  const index = JSON.parse(await Deno.readTextFile(path));
  Object.assign(index.packages.find((item: { name: string }) => item.name === name), field);
  const bytes = new TextEncoder().encode(`${JSON.stringify(index)}\n`);
  const key = await openSigningKey(readPrivateKey(await Deno.readFile(`${world.directory}/key`)));
  await Deno.writeFile(path, bytes);
  const signature = await key.sign(sha256(bytes));
  await Deno.writeFile(`${path}.sig`, writeEnvelope({ fingerprint: key.fingerprint, signature }));
}

Deno.test("F-LATE-01, F-DST-01: the key layout decides where packages may write", async () => {
  await using world = await World.create();
  const late = await packLate(world, "late-app", "usr/conf/app.conf");
  const base = await packLate(world, "base-app", "etc/app.conf");
  const cases = [["base", late], ["late", base]] as const;
  for (const [layout, file] of cases) {
    await configure(world, layout);
    const last = await refusal(world, ["install", file]);
    assert.deepEqual([last.code, last.details.rule], ["format", "E_DEST"], layout);
  }
  await configure(world, "late");
  await world.expect(["install", late, "--yes"]);
  assert.equal(await Deno.readTextFile(`${world.root}/usr/conf/app.conf`), "late-app\n");
  await configure(world, "both");
  await world.expect(["install", base, "--yes"]);
  assert.match((await world.expect(["config"])).stdout, /layout +(= )?"?both/);
  assert.match((await world.expect(["verify"])).stdout, /intact/);
});

Deno.test("F-LATE-07, C-ESC-01: a package that declares another upgrade path is refused, its text escaped", async () => {
  await using world = await World.create();
  const file = await packLate(world, "kernel", "boot/kernel", { alternate_upgrade: "run\nthe \u001b[2Jinstaller" });
  await configure(world, "late");
  const last = await refusal(world, ["install", file]);
  assert.deepEqual([last.code, last.details.package, last.details.message], [
    "alternate-upgrade",
    "kernel",
    "run\nthe \u001b[2Jinstaller",
  ]);
  const { stderr } = await world.expect(["install", file, "--yes"], 1);
  assert.equal(
    stderr.replace(/^peipkg: warning: .*\n/gm, ""),
    "peipkg: install: cannot install kernel 1.0-1: it declares another upgrade path\n" +
      "  run\n  the \\x1B[2Jinstaller\n" +
      "  this text is the package's own; such a path may bypass these protections\n",
  );
  await configure(world, "base");
  await world.expect(["install", file, "--yes"]);
});

Deno.test("F-LATE-07: an index that declares another upgrade path holds a full upgrade back and refuses a named one", async () => {
  await using world = await World.create();
  const kernel: PackageSpec = { name: "kernel", version: "1.0-1", files: { "boot/kernel": "1\n" } };
  const lib: PackageSpec = { name: "lib", version: "1.0-1", files: { "usr/share/lib/v": "1\n" } };
  await world.publish([kernel, lib]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "kernel", "lib", "--yes"]);
  await world.publish([
    { ...kernel, version: "2.0-1", files: { "boot/kernel": "2\n" } },
    { ...lib, version: "2.0-1", files: { "usr/share/lib/v": "2\n" } },
  ]);
  await amendIndex(world, "kernel", { alternate_upgrade: "use the installer" });
  await configure(world, "late");
  await world.expect(["refresh"]);
  const { stdout } = await world.expect(["upgrade", "--yes"]);
  assert.match(stdout, /upgrade {4}lib 1\.0-1 -> 2\.0-1/);
  assert.match(stdout, /held back: kernel 1\.0-1, 2\.0-1 available/);
  assert.equal(await Deno.readTextFile(`${world.root}/boot/kernel`), "1\n");
  const named = await refusal(world, ["upgrade", "kernel"]);
  assert.deepEqual([named.code, named.details.message], ["alternate-upgrade", "use the installer"]);
  await world.expect(["remove", "kernel", "--yes"]);
  assert.equal((await refusal(world, ["install", "kernel"])).code, "alternate-upgrade");
});

Deno.test("F-DROP-04, F-DROP-01: what a package does cannot change the list of drop-in directories", async () => {
  await using world = await World.create();
  const place = `${world.root}/conf/peipkg/peipkg.toml`;
  const text = 'layout = "both"\ndropin_directories = ["/usr/share/app.d"]\n';
  await configure(world, "both");
  await Deno.writeTextFile(place, text);
  const intruder = await packLate(world, "intruder", "usr/share/app.d/x.conf");
  assert.equal((await refusal(world, ["install", intruder])).details.rule, "E_DEST_DROPIN");
  // neither a variable nor a package takes an entry away
  const { stdout } = await run(["--root", world.root, "--json", "install", intruder, "--yes"], {
    env: { PEIPKG_DROPIN_DIRECTORIES: "" },
  });
  assert.match(stdout, /E_DEST_DROPIN/);
  await assert.rejects(packLate(world, "writer", "conf/peipkg/peipkg.toml"), { name: "PeipkgError" });
  const fine = await packLate(world, "fine", "usr/share/fine/x");
  await world.expect(["install", fine, "--yes"]);
  await world.expect(["remove", "fine", "--yes"]);
  assert.equal(await Deno.readTextFile(place), text);
});
