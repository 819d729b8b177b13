/**
 * The real program on roots somebody prepared to harm it, or that cannot take what it wants to write. What needs
 * privileges (mounts, other users) runs as uid 0 and is left out elsewhere with a line that says so.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { baseEnvironment, commandLine, run } from "../support/cli.ts";
import { snapshotDirectory } from "../support/directory_snapshot.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { fromFileUrl } from "../support/paths.ts";
import { signalQuietly, watch, type WatchedResult } from "../support/watched_process.ts";

const OWN = ["/var/lib/peipkg", "/var/log/peipkg"];
const HOME = fromFileUrl(import.meta.url, 3);
const IS_ROOT = Deno.uid() === 0;
const NOBODY = 65534;

const APP: PackageSpec = {
  name: "app",
  version: "1.0-1",
  files: { "usr/bin/app": "app\n", "usr/share/app/data/a": "a\n", "etc/app.conf": "x\n" },
};
const APP2: PackageSpec = {
  ...APP,
  version: "2.0-1",
  files: { "usr/bin/app": "app 2\n", "usr/share/app/data/a": "a 2\n", "etc/app.conf": "y\n" },
};
/** More than the small file systems of these tests hold. */
const HEAVY: PackageSpec = { name: "heavy", version: "1.0-1", files: { "usr/share/heavy/blob": noise(20_000_000) } };

/** Bytes no compression shortens. */
function noise(size: number): Uint8Array {
  let state = 12345;
  return Uint8Array.from({ length: size }, () => (state = Math.imul(state, 1664525) + 1013904223) >>> 24);
}

interface Outcome {
  readonly status: number;
  readonly last: Readonly<Record<string, unknown>>;
  readonly rule: unknown;
  readonly stderr: string;
}

let roots = 0;

/** An empty root of its own below the world's directory. */
async function newRoot(world: World, ...directories: readonly string[]): Promise<string> {
  const root = `${world.directory}/root-${++roots}`;
  await Deno.mkdir(root);
  for (const directory of directories) await Deno.mkdir(`${root}/${directory}`, { recursive: true });
  return root;
}

/** Runs a change with `--json`, perhaps through another program in front (a different user, a limit). */
async function change(root: string, args: readonly string[], front: readonly string[] = []): Promise<Outcome> {
  const [command = "", ...rest] = [...front, ...commandLine("peipkg"), "--root", root, "--json", ...args];
  const output = await new Deno.Command(command, {
    args: rest,
    clearEnv: true,
    env: { ...baseEnvironment(), PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    cwd: "/",
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trimEnd();
  const line = decode(output.stdout).split("\n").at(-1) ?? "";
  const stderr = decode(output.stderr);
  const last = line.startsWith("{") ? JSON.parse(line) : {};
  return { status: output.code, last, rule: last.details?.rule, stderr };
}

async function peipkg(root: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(["--root", root, ...args], { cwd: "/" });
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function system(command: string, ...args: readonly string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Says why something is left out; as a step, because its name is printed whatever the verbosity of the run. */
async function skip(t: Deno.TestContext, reason: string): Promise<void> {
  await t.step(`skipped: ${reason}`, () => {});
}

/** Mounts a small file system for the time of some work, where that is permitted. */
async function withMount(t: Deno.TestContext, path: string, options: string, work: () => Promise<void>): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
  if (!IS_ROOT || !(await system("mount", "-t", "tmpfs", "-o", options, "tmpfs", path))) {
    return await skip(t, "mounting a tmpfs needs uid 0 and the permission to mount");
  }
  try {
    await work();
  } finally {
    assert.ok(await system("umount", path));
  }
}

/**
 * `setpriv` for an ordinary user who may read everything, because the runtime may lie in a private directory; its
 * cache is copied, because it has to be writable. Says so and returns `undefined` where that is not permitted.
 */
async function asNobody(t: Deno.TestContext, world: World): Promise<readonly string[] | undefined> {
  const capability = "+dac_read_search";
  const front = [
    ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
    ...[`--inh-caps=${capability}`, `--ambient-caps=${capability}`, "env", `DENO_DIR=${world.directory}/cache`],
  ];
  if (!IS_ROOT || !(await system(front[0] ?? "", ...front.slice(1), "true"))) {
    await skip(t, "another user needs uid 0 and setpriv(1)");
    return undefined;
  }
  await Deno.chmod(world.directory, 0o755);
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  if (!(await exists(`${world.directory}/cache`))) {
    await Deno.mkdir(`${world.directory}/cache`);
    await system("cp", "-a", `${cache}/npm`, `${world.directory}/cache/npm`);
    await system("chown", "-R", `${NOBODY}:${NOBODY}`, `${world.directory}/cache`);
  }
  return front;
}

Deno.test("T-PATH-02, T-PATH-09, T-DB-09…T-DB-11, FP-01, FP-22: hostile roots", async (t) => {
  await using world = await World.create();
  const [app, app2, heavy] = await Promise.all([APP, APP2, HEAVY].map((spec) => world.pack(spec)));
  if (app === undefined || app2 === undefined || heavy === undefined) throw new Error("not packed");

  await t.step("T-PATH-02, T-PATH-11, A-THREAT-05: links in parent directories redirect nothing", async () => {
    const outside = await newRoot(world, "share/app");
    const links = ["usr", "usr/share", "usr/share/app", "etc", "var", "var/lib", "var/lib/peipkg", "conf"];
    for (const link of links) {
      const root = await newRoot(world, ...link.includes("/") ? [link.slice(0, link.lastIndexOf("/"))] : []);
      await Deno.symlink(outside, `${root}/${link}`);
      const before = await snapshotDirectory(root);
      const result = await change(root, ["install", app, "--yes"]);
      assert.equal(result.status, 1, link);
      assert.ok(["PATH_SYMLINK", "STATE_UNSAFE"].includes(String(result.rule)), `${link}: ${result.rule}`);
      assert.deepEqual([...(await snapshotDirectory(outside)).keys()], ["/share", "/share/app"], link);
      assert.deepEqual(await snapshotDirectory(root, OWN.concat("/var")), without(before, "/var"), link);
    }
  });

  await t.step("T-PATH-07, T-PATH-02: a neighbour that swaps directories for links redirects nothing", async () => {
    const outside = await newRoot(world, "data");
    const root = await newRoot(world, "usr/share/app/data");
    const script = `${HOME}/tests/support/swap_link.ts`;
    const swapper = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-config", "-A", script, `${root}/usr/share/app`, outside],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const started = swapper.stdout.getReader();
    await started.read();
    const statuses: number[] = [];
    for (let round = 0; round < 6; round++) {
      const { status, rule } = await change(root, ["install", round % 2 === 0 ? app : app2, "--yes"]);
      statuses.push(status);
      if (status !== 0) assert.ok(typeof rule === "string", `round ${round}`);
      assert.deepEqual([...(await snapshotDirectory(outside)).keys()], ["/data"], `round ${round}: ${rule}`);
    }
    await started.cancel();
    await swapper.stdin.close();
    await swapper.status;
    // The neighbour is gone: whatever was left undone is put right, and the next change works.
    await peipkg(root, "recover");
    await peipkg(root, "install", app2, "--yes");
    await peipkg(root, "verify");
    const names = [...(await snapshotDirectory(root, OWN)).keys()];
    assert.deepEqual(names.filter((name) => name.includes(".peipkg-")), [], statuses.join(" "));
    assert.deepEqual([...(await snapshotDirectory(outside)).keys()], ["/data"]);
  });

  await t.step(
    "T-COMMIT-40, T-SPACE-02, T-RETAIN-03, T-PATH-04: a destination on a file system of its own",
    async (t) => {
      const root = await newRoot(world);
      const mount = `${root}/usr/share`;
      await withMount(t, mount, "size=64m,mode=755", async () => {
        await peipkg(root, "install", app, "--yes");
        await peipkg(root, "install", app2, "--yes");
        assert.equal(Deno.readTextFileSync(`${mount}/app/data/a`), "a 2\n");
        assert.ok(await exists(`${mount}/.peipkg-retained`), "kept on its own file system");
        await peipkg(root, "verify");
        await peipkg(root, "remove", "app", "--yes");
        assert.equal(await exists(`${mount}/app`), false);
        assert.ok(await exists(mount), "T-RM-07: a mount point is never removed");
      });
    },
  );

  await t.step(
    "T-SPACE-02, T-SPACE-06, FP-11: too little space on one file system is found before staging",
    async (t) => {
      const root = await newRoot(world);
      await withMount(t, `${root}/usr/share`, "size=4m,mode=755", async () => {
        const before = await snapshotDirectory(root, OWN);
        const result = await change(root, ["install", heavy, "--yes"]);
        assert.deepEqual([result.status, result.last.code, result.rule], [1, "no-space", "DISK_SPACE"]);
        assert.equal(result.last.rolled_back, false);
        assert.deepEqual(await snapshotDirectory(root, [...OWN, "/var"]), before);
      });
    },
  );

  await t.step(
    "T-SPACE-08, FP-20, FP-23, T-FAIL-02: a file system that fills up while staging rolls back",
    async (t) => {
      const root = await newRoot(world);
      const mount = `${root}/usr/share`;
      await withMount(t, mount, "size=64m,mode=755", async () => {
        await peipkg(root, "install", app, "--yes");
        const before = await snapshotDirectory(root, OWN);
        // Space was checked when the transaction is announced; the process is stopped while somebody takes it away. It
        // may be too fast for that, so a few rounds are allowed.
        const attempt = (): Promise<WatchedResult> =>
          watch(["--root", root, "install", heavy, "--yes"], {
            cwd: "/",
            onEvent(event, child) {
              if (event.event !== "transaction") return;
              signalQuietly(child, "SIGSTOP");
              fill(`${mount}/filler`);
              signalQuietly(child, "SIGCONT");
            },
          });
        let result = await attempt();
        for (let round = 0; round < 5 && result.status === 0; round++) {
          await Deno.remove(`${mount}/filler`);
          await peipkg(root, "-o", "backup_keep_days=0", "remove", "heavy", "--yes");
          result = await attempt();
        }
        if (result.status === 0) return await skip(t, "the process was faster than the filling every time");
        assert.deepEqual([result.status, result.last.code, result.last.rolled_back], [1, "no-space", true]);
        await Deno.remove(`${mount}/filler`);
        assert.deepEqual(await snapshotDirectory(root, OWN), before);
        assert.match(await peipkg(root, "history", "-n", "1"), /rolled-back {2}install heavy\n$/);
        await peipkg(root, "install", heavy, "--yes");
      });
    },
  );

  await t.step("T-PATH-09: a directory everybody may write to is refused", async (t) => {
    if (!IS_ROOT) return await skip(t, "the rule is for uid 0");
    const root = await newRoot(world, "usr/share/app");
    await Deno.chmod(`${root}/usr/share`, 0o777);
    const before = await snapshotDirectory(root);
    const result = await change(root, ["install", app, "--yes"]);
    assert.deepEqual([result.status, result.last.code, result.rule], [1, "failed", "PATH_UNSAFE_DIR"]);
    assert.deepEqual(await snapshotDirectory(root, ["/var"]), before);
  });

  await t.step("T-DB-11, T-LOCK-11, A-THREAT-38: a state others may write to is refused to writers", async () => {
    const root = await newRoot(world);
    await peipkg(root, "install", app, "--yes");
    const state = `${root}/var/lib/peipkg`;
    await Deno.chmod(state, 0o775);
    const result = await change(root, ["remove", "app", "--yes"]);
    assert.deepEqual([result.status, result.last.code, result.rule], [1, "denied", "STATE_UNSAFE"]);
    await Deno.chmod(state, 0o755);
    await Deno.remove(`${state}/lock`);
    await Deno.symlink("/etc/passwd", `${state}/lock`);
    assert.equal((await change(root, ["remove", "app", "--yes"])).rule, "STATE_UNSAFE");
    assert.equal(Deno.readTextFileSync(`${root}/usr/bin/app`), "app\n");
  });

  await t.step("T-DB-09, T-INDET-01, A-THREAT-38: a database with a trigger of its own is not used", async () => {
    const root = await newRoot(world);
    await peipkg(root, "install", app, "--yes");
    edit(root, "CREATE TRIGGER evil AFTER DELETE ON package BEGIN SELECT 1; END");
    const before = await snapshotDirectory(root, OWN);
    for (const args of [["remove", "app", "--yes"], ["install", app2, "--yes"]]) {
      const result = await change(root, args);
      assert.deepEqual([result.status, result.last.code, result.rule], [1, "database", "DB_SCHEMA_TAMPERED"]);
    }
    assert.deepEqual(await snapshotDirectory(root, OWN), before);
  });

  await t.step("T-DB-10, A-THREAT-38: recorded paths that lead elsewhere remove nothing", async () => {
    for (const path of ["/usr/../../victim", "/usr/share/app/data/../../../../../victim"]) {
      const root = await newRoot(world);
      await peipkg(root, "install", app, "--yes");
      await Deno.writeTextFile(`${world.directory}/victim`, "precious\n");
      edit(root, `UPDATE package_file SET path = '${path}' WHERE path = '/usr/share/app/data/a'`);
      const result = await change(root, ["remove", "app", "--yes"]);
      assert.equal(result.status, 1, JSON.stringify(result.last));
      assert.equal(Deno.readTextFileSync(`${world.directory}/victim`), "precious\n");
      assert.ok(await exists(`${root}/usr/bin/app`));
    }
  });

  await t.step("T-INDET-01, T-INDET-11, T-DB-02: a damaged database is neither used nor replaced", async () => {
    const root = await newRoot(world);
    await peipkg(root, "install", app, "--yes");
    const state = `${root}/var/lib/peipkg`;
    for (const name of ["db.sqlite-wal", "db.sqlite-shm"]) await Deno.remove(`${state}/${name}`).catch(() => {});
    await Deno.writeFile(`${state}/db.sqlite`, noise(20_000));
    const bytes = await Deno.readFile(`${state}/db.sqlite`);
    const result = await change(root, ["remove", "app", "--yes"]);
    assert.deepEqual([result.status, result.last.code, result.rule], [1, "database", "DB_CORRUPT"]);
    assert.deepEqual(await Deno.readFile(`${state}/db.sqlite`), bytes);
    assert.ok(await exists(`${root}/usr/bin/app`));
  });

  await t.step("T-MODEL-10, FP-03, FP-04: a caller who may write nothing is refused by the kernel alone", async (t) => {
    const nobody = await asNobody(t, world);
    if (nobody === undefined) return;
    const root = await newRoot(world);
    await peipkg(root, "install", app, "--yes");
    const before = await snapshotDirectory(root);
    for (const args of [["install", app2, "--yes"], ["remove", "app", "--yes"]]) {
      const result = await change(root, args, nobody);
      assert.deepEqual([result.status, result.last.code, result.last.rolled_back], [1, "denied", false], result.stderr);
    }
    const report = await change(root, ["recover"], nobody);
    assert.deepEqual([report.status, report.last.code], [1, "denied"]);
    assert.deepEqual(await snapshotDirectory(root), before);
  });

  await t.step("FP-20, FP-22, FP-34, T-MODE-04: denied halfway, everything is as it was", async (t) => {
    const nobody = await asNobody(t, world);
    if (nobody === undefined) return;
    const root = await newRoot(world);
    await Deno.chown(root, NOBODY, NOBODY);
    const installed = await change(root, ["install", app, "--yes"], nobody);
    assert.equal(installed.status, 0, installed.stderr);
    assert.equal(Deno.lstatSync(`${root}/usr/bin/app`).uid, NOBODY);
    // One of three destinations belongs to somebody else.
    await Deno.chown(`${root}/usr/share/app/data`, 0, 0);
    const before = await snapshotDirectory(root, OWN);
    for (const args of [["install", app2, "--yes"], ["remove", "app", "--yes"]]) {
      const result = await change(root, args, nobody);
      assert.deepEqual([result.status, result.last.code, result.rule], [1, "denied", "NOT_PERMITTED"]);
      assert.equal(result.last.rolled_back, true);
      assert.deepEqual(await snapshotDirectory(root, OWN), before);
    }
    await Deno.chown(`${root}/usr/share/app/data`, NOBODY, NOBODY);
    assert.equal((await change(root, ["install", app2, "--yes"], nobody)).status, 0);
  });

  await t.step("FP-31, FP-22: a file system that is read only refuses, and nothing is half done", async (t) => {
    const root = await newRoot(world);
    const mount = `${root}/usr/share`;
    await withMount(t, mount, "size=64m,mode=755", async () => {
      await peipkg(root, "install", app, "--yes");
      assert.ok(await system("mount", "-o", "remount,ro", mount));
      const before = await snapshotDirectory(root, OWN);
      for (const args of [["install", app2, "--yes"], ["remove", "app", "--yes"]]) {
        const result = await change(root, args);
        assert.deepEqual([result.status, result.last.code, result.rule], [1, "denied", "NOT_PERMITTED"]);
        assert.deepEqual(await snapshotDirectory(root, OWN), before);
      }
      assert.ok(await system("mount", "-o", "remount,rw", mount));
      await peipkg(root, "install", app2, "--yes");
    });
  });

  await t.step("T-PATH-07: few descriptors are enough for many directories", async () => {
    const root = await newRoot(world);
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`usr/share/wide/${i}/f`, `${i}\n`]));
    const wide = await world.pack({ name: "wide", version: "1.0-1", files });
    const limited = ["/bin/sh", "-c", 'ulimit -n 128 && exec "$@"', "sh"];
    const result = await change(root, ["install", wide, "--yes"], limited);
    assert.equal(result.status, 0, `${result.stderr}\n${JSON.stringify(result.last)}`);
    await peipkg(root, "verify");
    assert.equal((await change(root, ["remove", "wide", "--yes"], limited)).status, 0);
    assert.equal(await exists(`${root}/usr/share/wide`), false);
  });
});

function without(tree: ReadonlyMap<string, string>, prefix: string): ReadonlyMap<string, string> {
  return new Map([...tree].filter(([path]) => path !== prefix && !path.startsWith(`${prefix}/`)));
}

/** Changes a root's database behind the product's back. */
function edit(root: string, sql: string): void {
  const database = new DatabaseSync(`${root}/var/lib/peipkg/db.sqlite`, { enableForeignKeyConstraints: false });
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

/** Writes a file until its file system is full. */
function fill(path: string): void {
  using file = Deno.openSync(path, { create: true, write: true });
  for (let size = 1 << 20; size > 0; size >>= 4) {
    try {
      const block = new Uint8Array(size);
      for (;;) file.writeSync(block);
    } catch {
      // no room for a block of this size any more
    }
  }
}
