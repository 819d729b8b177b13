/**
 * The self-extracting executable as its users meet it: bare systems, hostile surroundings, several starts at once.
 * The program inside is a stub that tells how it was started; the runtime is the real one.
 */
import assert from "node:assert/strict";
import { layOut, pack } from "../../.build/executable.ts";
import { fromFileUrl } from "../support/paths.ts";
import { canMountRoots } from "../support/privileges.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const STUB = `const umask = Deno.umask();
console.log(JSON.stringify({ entry: ENTRY, args: Deno.args, umask, variable: Deno.env.get("PEIPKG_RUNTIME_DIR") ?? null,
  program: Deno.env.get("_PEIPKG_PROGRAM"), path: import.meta.filename }));
if (Deno.args[0] === "fail") Deno.exit(7);
`;
const PERMISSIONS = '{"permissions":{"peipkg":{"read":true,"env":true,"sys":["umask"]}}}';
const encoder = new TextEncoder();

interface Start {
  readonly status: number;
  readonly stderr: string;
  readonly told: {
    readonly entry: string;
    readonly args: readonly string[];
    readonly umask: number;
    readonly variable: string | null;
    readonly program: string;
    readonly path: string;
  } | undefined;
}

async function makeExecutable(): Promise<Uint8Array> {
  const stub = (entry: string): Uint8Array => encoder.encode(STUB.replace("ENTRY", JSON.stringify(entry)));
  const runtime = await Deno.readFile(Deno.execPath());
  const program = [
    ...["build_main", "main"].map((name) => ({ name: `${name}.js`, content: stub(name) })),
    { name: "permissions.json", content: encoder.encode(PERMISSIONS) },
    { name: "repo_main.js", content: stub("repo_main") },
  ];
  const [head, unpacker] = await Promise.all(
    ["head.sh", "unpack.js"].map((name) => Deno.readTextFile(`${HOME}/.build/${name}`)),
  );
  const parts = { title: "stub", runtime, program, permissions: [], head: head ?? "", unpacker: unpacker ?? "" };
  return layOut(parts, pack(runtime, 1));
}

/** Not root, so that nothing can land in the machine's own cache. */
const ORDINARY = Deno.uid() === 0 ? 65534 : Deno.uid() ?? 65534;
const AS_ORDINARY_USER = Deno.uid() === 0
  ? ["setpriv", `--reuid=${ORDINARY}`, `--regid=${ORDINARY}`, "--clear-groups"]
  : [];

let made: Promise<Uint8Array> | undefined;

interface World extends AsyncDisposable {
  readonly directory: string;
  readonly executable: string;
  start(options?: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly umask?: string;
    readonly via?: readonly string[];
  }): Promise<Start>;
}

async function openWorld(): Promise<World> {
  made ??= makeExecutable();
  const directory = await Deno.makeTempDir({ prefix: "peipkg-exe-" });
  await Deno.chmod(directory, 0o755);
  const executable = `${directory}/peipkg`;
  await Deno.writeFile(executable, await made);
  await Deno.chmod(executable, 0o755);
  return {
    directory,
    executable,
    async start({ args = [], env = { PEIPKG_RUNTIME_DIR: `${directory}/runtime` }, umask = "022", via = [] } = {}) {
      const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
        args: ["-c", 'umask "$1"; shift; exec "$@"', "sh", umask, ...via, executable, ...args],
        clearEnv: true,
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout);
      return {
        status: code,
        stderr: new TextDecoder().decode(stderr),
        told: text === "" ? undefined : JSON.parse(text),
      };
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o7777;
}

function treeOf(base: string): string {
  const names = [...Deno.readDirSync(base)].map((entry) => entry.name).filter((name) => /^[0-9a-f]{64}$/.test(name));
  assert.equal(names.length, 1);
  return `${base}/${names[0]}`;
}

Deno.test("the first start unpacks into a private directory, the next one starts from it", async () => {
  await using world = await openWorld();
  const first = await world.start({ args: ["a", "b c"] });
  assert.equal(first.stderr, "");
  assert.deepEqual([first.told?.entry, first.told?.args], ["main", ["a", "b c"]]);
  assert.deepEqual([first.told?.variable, first.told?.program], [null, world.executable]);
  const tree = treeOf(`${world.directory}/runtime`);
  assert.deepEqual([modeOf(`${world.directory}/runtime`), modeOf(tree), modeOf(`${tree}/program`)], [
    0o700,
    0o700,
    0o700,
  ]);
  assert.deepEqual([modeOf(`${tree}/deno`), modeOf(`${tree}/program/main.js`)], [0o500, 0o400]);
  const inode = Deno.lstatSync(`${tree}/deno`).ino;
  const second = await world.start({ args: ["fail"] });
  assert.equal(second.status, 7);
  assert.equal(Deno.lstatSync(`${tree}/deno`).ino, inode);
  assert.equal(second.told?.path, `${tree}/program/main.js`);
});

Deno.test("the executable is the program whose name it goes by or is told", async () => {
  await using world = await openWorld();
  const entries: (string | undefined)[] = [];
  for (const name of ["peipkg-build", "peipkg-repo", "peipkg-x86_64", "peipkg-repo-aarch64"]) {
    await Deno.symlink("peipkg", `${world.directory}/${name}`);
    const { stdout } = await new Deno.Command(`${world.directory}/${name}`, {
      clearEnv: true,
      env: { PEIPKG_RUNTIME_DIR: `${world.directory}/runtime` },
    }).output();
    entries.push(JSON.parse(new TextDecoder().decode(stdout)).entry);
  }
  assert.deepEqual(entries, ["build_main", "repo_main", "main", "repo_main"]);
  const told = await world.start({ args: ["--as=peipkg-build", "pack"] });
  assert.deepEqual([told.told?.entry, told.told?.args], ["build_main", ["pack"]]);
});

for (const umask of ["0777", "0000"]) {
  Deno.test(`a umask of ${umask} neither opens nor spoils the directory, and reaches the program`, async () => {
    await using world = await openWorld();
    for (let round = 0; round < 2; round++) {
      const { status, told } = await world.start({ umask });
      assert.deepEqual([status, told?.umask], [0, parseInt(umask, 8)]);
    }
    const base = `${world.directory}/runtime`;
    assert.deepEqual([modeOf(base), modeOf(treeOf(base)), modeOf(`${treeOf(base)}/deno`)], [0o700, 0o700, 0o500]);
  });
}

Deno.test("six first starts at once all succeed and leave one tree", async () => {
  await using world = await openWorld();
  const starts = await Promise.all(Array.from({ length: 6 }, () => world.start()));
  assert.deepEqual(starts.map(({ status }) => status), [0, 0, 0, 0, 0, 0]);
  const base = `${world.directory}/runtime`;
  const tree = treeOf(base).slice(base.length + 1);
  const names = [...Deno.readDirSync(base)].map((entry) => entry.name).sort();
  assert.deepEqual(names, [tree, `${tree}.stamp`, "deno-dir"].sort());
  const leftovers = [...Deno.readDirSync(world.directory)].map((entry) => entry.name).sort();
  assert.deepEqual(leftovers, ["peipkg", "runtime"]);
});

Deno.test("a tree that changed since it was checked is put in place again", async () => {
  await using world = await openWorld();
  await world.start();
  const tree = treeOf(`${world.directory}/runtime`);
  const later = new Date(Date.now() + 5000);
  const damages: readonly ((path: string) => void)[] = [
    () => Deno.truncateSync(`${tree}/deno`, 1000),
    () => {
      Deno.chmodSync(`${tree}/program/main.js`, 0o600);
      Deno.writeTextFileSync(`${tree}/program/main.js`, "console.log('null')");
      Deno.utimeSync(`${tree}/program/main.js`, later, later);
    },
    () => Deno.removeSync(`${tree}/program/main.js`),
    () => Deno.removeSync(`${tree}.stamp`),
    () => Deno.chmodSync(tree, 0o777),
  ];
  for (const damage of damages) {
    damage(tree);
    const { status, told } = await world.start();
    assert.deepEqual([status, told?.entry], [0, "main"]);
    assert.equal(modeOf(tree), 0o700);
  }
});

Deno.test("a directory others may write to is passed over for the next candidate", async () => {
  await using world = await openWorld();
  const [open, home] = [`${world.directory}/runtime`, `${world.directory}/home`];
  for (const [path, mode] of [[open, 0o777], [home, 0o700]] as const) {
    await Deno.mkdir(path);
    await Deno.chmod(path, mode);
    await Deno.chown(path, ORDINARY, ORDINARY);
  }
  const { status, told } = await world.start({
    env: { PEIPKG_RUNTIME_DIR: open, XDG_CACHE_HOME: home },
    via: AS_ORDINARY_USER,
  });
  assert.deepEqual([status, told?.path?.startsWith(`${home}/peipkg/`)], [0, true]);
  assert.deepEqual([...Deno.readDirSync(open)], []);
});

Deno.test("an executable that is cut short is refused with the reason", async () => {
  await using world = await openWorld();
  await Deno.truncate(world.executable, Deno.statSync(world.executable).size - 1000);
  const { status, stderr } = await world.start({ via: AS_ORDINARY_USER });
  assert.equal(status === 0, false);
  assert.match(stderr, /^peipkg: cannot unpack the runtime: .+\nhint: name a directory/);
});

Deno.test("a relative PEIPKG_RUNTIME_DIR is a usage error", async () => {
  await using world = await openWorld();
  const { status, stderr } = await world.start({ env: { PEIPKG_RUNTIME_DIR: "here" } });
  assert.deepEqual([status, stderr], [2, 'peipkg: PEIPKG_RUNTIME_DIR must be an absolute path: "here"\n']);
});

Deno.test({
  name: "a bare root with sh, tail, gzip and the C library is enough, for root and for others",
  ignore: !canMountRoots(),
  async fn() {
    await using world = await openWorld();
    const root = `${world.directory}/bare`;
    const { stdout } = await new Deno.Command("ldd", {
      args: ["/bin/sh", "/usr/bin/tail", "/bin/gzip", Deno.execPath()],
    })
      .output();
    const libraries = new Set(new TextDecoder().decode(stdout).match(/\/\S*\.so\S*/g) ?? []);
    for (const path of ["/bin/sh", "/bin/tail", "/bin/gzip", ...libraries]) {
      await Deno.mkdir(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      await Deno.copyFile(
        await Deno.realPath(path.replace("/bin/tail", "/usr/bin/tail")),
        `${root}${path.replace(/:$/, "")}`,
      );
    }
    await Deno.copyFile(world.executable, `${root}/peipkg`);
    for (const name of ["proc", "tmp"]) await Deno.mkdir(`${root}/${name}`);
    await Deno.chmod(`${root}/tmp`, 0o1777);
    const script = 'mount -t proc proc "$1/proc" && exec chroot --userspec="$2" "$1" /peipkg here';
    for (const user of ["0:0", "65534:65534"]) {
      for (let round = 0; round < 2; round++) {
        const { code, stdout, stderr } = await new Deno.Command("unshare", {
          args: [
            "--mount",
            "env",
            "-i",
            "/bin/sh",
            "-c",
            `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${script}`,
            "sh",
            root,
            user,
          ],
        }).output();
        assert.equal(new TextDecoder().decode(stderr), "");
        const told = JSON.parse(new TextDecoder().decode(stdout));
        const place = user === "0:0" ? "/var/cache/peipkg/runtime/" : "/tmp/peipkg-runtime-65534/";
        assert.deepEqual([code, told.args, told.path.startsWith(place)], [0, ["here"], true]);
      }
    }
  },
});
