/** `build.ts` as a release runs it, in copies of the tree at two places. */
import assert from "node:assert/strict";
import { loaderOf, sha256 } from "../../.build/runtime.ts";
import { gunzipSync } from "node:zlib";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const decoder = new TextDecoder();

interface Built {
  readonly status: number;
  readonly output: string;
  readonly out: string;
}

async function run(command: string, ...args: readonly string[]): Promise<void> {
  assert.equal((await new Deno.Command(command, { args: [...args] }).output()).success, true);
}

/** Copies what a build reads to `directory` and builds there; what was fetched and packed before is shared. */
async function buildIn(directory: string, ...args: readonly string[]): Promise<Built> {
  await Deno.mkdir(directory, { recursive: true });
  for (const name of ["cli", "core", ".build", "build.ts", "mod.ts", "deno.json", "deno.lock", "LICENSE"]) {
    await run("cp", "-R", `${HOME}/${name}`, `${directory}/${name}`);
  }
  await Deno.mkdir(`${HOME}/.cache/build`, { recursive: true });
  await Deno.symlink(`${HOME}/.cache`, `${directory}/.cache`);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--no-check", "build.ts", ...args],
    cwd: directory,
    env: { PEIPKG_COMMIT: "0123abcd", SOURCE_DATE_EPOCH: "1767323045", NO_COLOR: "1" },
  }).output();
  return { status: code, output: decoder.decode(stdout) + decoder.decode(stderr), out: `${directory}/dist` };
}

Deno.test("build.ts gives equal bytes wherever the tree lies, and the result is the program", async () => {
  const work = await Deno.makeTempDir({ prefix: "peipkg-build-" });
  try {
    const builds = [
      await buildIn(`${work}/one`, "--self-extracting"),
      await buildIn(`${work}/somewhere/else/two`, "--self-extracting"),
    ];
    for (const { status, output } of builds) assert.equal(status, 0, output);
    const sums = builds.map(({ out }) => Deno.readTextFileSync(`${out}/SHA256SUMS`));
    assert.equal(sums[0], sums[1]);
    const name = `peipkg-${Deno.build.arch}`;
    const bytes = await Deno.readFile(`${builds[0]?.out}/${name}`);
    assert.equal(sums[0]?.includes(`${sha256(bytes)}  ${name}\n`), true);
    assert.equal(decoder.decode(bytes.subarray(0, 200)).includes("(commit 0123abcd)"), true);
    const told = await new Deno.Command(`${builds[0]?.out}/bin-${Deno.build.arch}/peipkg-repo`, {
      args: ["--version", "-v"],
      clearEnv: true,
      env: { PEIPKG_RUNTIME_DIR: `${work}/runtime` },
    }).output();
    assert.match(decoder.decode(told.stdout), /^peipkg-repo \d+\.\d+\.\d+\n(.*\n)*commit: 0123abcd\n$/);
    assert.equal(JSON.parse(Deno.readTextFileSync(`${builds[0]?.out}/${name}.cdx.json`)).bomFormat, "CycloneDX");
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

/** Where the cross-compiler's C library lies, for the emulator. */
const AARCH64_LIBRARIES = "/usr/aarch64-linux-gnu";

/** Takes the program out of an executable, as its head does, and runs it with its runtime under emulation. */
async function runEmulated(file: Uint8Array, runtime: Uint8Array, directory: string): Promise<void> {
  const emulator = "/usr/bin/qemu-aarch64-static";
  for (const path of [emulator, `${AARCH64_LIBRARIES}/lib/libgcc_s.so.1`]) {
    if (await Deno.stat(path).then(() => true, () => false)) continue;
    console.log(`skipped: the aarch64 program was not run: there is no ${path}`);
    return;
  }
  const [, start = "", size = ""] = /"\$self" (\d+) +(\d+) "\$1"/.exec(decoder.decode(file.subarray(0, 40_000))) ?? [];
  const program = gunzipSync(file.subarray(Number(start) - 1, Number(start) - 1 + Number(size)));
  const table: readonly (readonly [string, number])[] = JSON.parse(
    decoder.decode(program.subarray(0, program.indexOf(10))),
  );
  await Deno.mkdir(`${directory}/root`, { recursive: true });
  let offset = program.indexOf(10) + 1;
  for (const [name, length] of table) {
    await Deno.writeFile(`${directory}/${name}`, program.subarray(offset, offset + length));
    offset += length;
  }
  await Deno.writeFile(`${directory}/deno`, runtime, { mode: 0o755 });
  const leading = [
    "-L",
    AARCH64_LIBRARIES,
    `${directory}/deno`,
    "run",
    "-q",
    "--no-prompt",
    "--no-lock",
    "--no-remote",
  ];
  const permissions = [`--config=${directory}/permissions.json`, "-P=peipkg", `${directory}/main.js`];
  const told: string[] = [];
  for (const args of [["--version"], ["--root", `${directory}/root`, "list"]]) {
    const { stdout, stderr } = await new Deno.Command(emulator, {
      args: [...leading, ...permissions, ...args],
      clearEnv: true,
      env: { DENO_DIR: `${directory}/deno-dir`, NO_COLOR: "1" },
    }).output();
    told.push(decoder.decode(stdout) + decoder.decode(stderr));
  }
  assert.match(told[0] ?? "", /^peipkg \d+\.\d+\.\d+\n$/);
  assert.equal(told[1], "no packages are installed\n");
}

Deno.test("build.ts makes the aarch64 file from the aarch64 runtime, and it runs", async () => {
  const work = await Deno.makeTempDir({ prefix: "peipkg-build-" });
  try {
    const { status, output, out } = await buildIn(`${work}/tree`, "--self-extracting", "--target", "aarch64");
    if (status !== 0 && output.includes("with npm")) {
      console.log(`skipped: ${output.trim()}`);
      return;
    }
    assert.equal(status, 0, output);
    const file = await Deno.readFile(`${out}/peipkg-aarch64`);
    const [, start = ""] = /tail -c \+(\d+)/.exec(decoder.decode(file.subarray(0, 40_000))) ?? [];
    const runtime = new Uint8Array(gunzipSync(file.subarray(Number(start) - 1)));
    assert.equal(new DataView(runtime.buffer).getUint16(18, true), 183); // EM_AARCH64
    assert.equal(loaderOf(runtime), "/lib/ld-linux-aarch64.so.1");
    await runEmulated(file, runtime, `${work}/run`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

Deno.test("build.ts refuses a target it does not know", async () => {
  const work = await Deno.makeTempDir({ prefix: "peipkg-build-" });
  try {
    const { status, output } = await buildIn(`${work}/tree`, "--target", "riscv64");
    assert.deepEqual([status, output], [1, 'build: cannot build for "riscv64": targets are x86_64, aarch64, all\n']);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

Deno.test("build.ts --compiled makes the compiled form, or says in one line why not and makes the other", async () => {
  const work = await Deno.makeTempDir({ prefix: "peipkg-build-" });
  try {
    const { status, output, out } = await buildIn(`${work}/tree`, "--compiled");
    assert.equal(status, 0, output);
    const names = [...Deno.readDirSync(out)].map((entry) => entry.name);
    const compiled = names.includes(`peipkg-${Deno.build.arch}-compiled`);
    assert.equal(names.includes(`peipkg-${Deno.build.arch}`), !compiled);
    if (!compiled) {
      assert.match(output, /^build: no compiled executable for \S+: no base for deno compile \(.+\); the/m);
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
