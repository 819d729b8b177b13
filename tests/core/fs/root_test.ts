import assert from "node:assert/strict";
import { openOperatorFile, openRoot } from "../../../core/fs/root.ts";
import { reportsSyncErrors } from "../../../core/fs/files.ts";
import { FaultControl, faultRoot } from "../../support/fault_root.ts";
import { memoryFileSystem } from "../../support/memory_root.ts";
import { assertErrno, assertRule, open, put, rootSuite, type SuiteWorld, take } from "./root_suite.ts";

function realWorld(wrap: boolean, withoutOpenat2 = false): SuiteWorld {
  const path = Deno.makeTempDirSync();
  const plain = openRoot(path, { withoutOpenat2 });
  return {
    root: wrap ? faultRoot(plain, new FaultControl()) : plain,
    [Symbol.dispose]() {
      plain[Symbol.dispose]();
      Deno.removeSync(path, { recursive: true });
    },
  };
}

function memoryWorld(wrap: boolean): SuiteWorld {
  const system = memoryFileSystem();
  const root = system.open("/", wrap ? () => {} : undefined);
  return {
    root,
    [Symbol.dispose]() {
      root[Symbol.dispose]();
      // The suite's own handle of the top directory is disposed before this one.
      assert.equal(system.openHandles, 0);
    },
  };
}

rootSuite("real", () => realWorld(false));
rootSuite("real, walking name by name as T-PATH-05 says", () => realWorld(false, true));
rootSuite("real behind faults", () => realWorld(true));
rootSuite("in memory", () => memoryWorld(false));
rootSuite("in memory behind faults", () => memoryWorld(true));

Deno.test("T-COMMIT-40: reportsSyncErrors() is true from Linux 5.8 on", () => {
  const releases = ["6.18.0", "5.8.0-rc1", "5.8", "10.0.1", "5.7.19", "4.19.0-21-amd64", "", undefined];
  assert.deepEqual(releases.map(reportsSyncErrors), [true, true, true, true, false, false, false, false]);
});

/** Runs `act` with a fresh temporary directory, removed afterwards. */
async function withDirectory(act: (path: string) => void | Promise<void>, parent?: string): Promise<void> {
  const path = await Deno.makeTempDir(parent === undefined ? {} : { dir: parent });
  try {
    await act(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args }).output();
  assert.ok(success, program);
}

const isRoot = Deno.uid() === 0;

Deno.test("T-PATH-01: openRoot() follows links in the operator's path and pins what it found", async () => {
  await withDirectory(async (path) => {
    await Deno.mkdir(`${path}/real`);
    await Deno.mkdir(`${path}/other`);
    await Deno.symlink("real", `${path}/link`);
    using root = openRoot(`${path}/link`);
    await Deno.remove(`${path}/link`);
    await Deno.symlink("other", `${path}/link`);
    using top = open(root, "/");
    put(top, "f", "x");
    assert.equal(await Deno.readTextFile(`${path}/real/f`), "x");
    assert.equal(root.path, `${path}/link`);
    assertErrno(() => openRoot(`${path}/none`), "ENOENT");
    assertErrno(() => openRoot(`${path}/real/f`), "ENOTDIR");
  });
});

Deno.test("T-PATH-02: a process that swaps a directory for a link never redirects a write", async () => {
  await withDirectory(async (path) => {
    for (const name of ["tree/d/inner", "outside/inner"]) await Deno.mkdir(`${path}/${name}`, { recursive: true });
    const script = new URL("../../support/swap_link.ts", import.meta.url).pathname;
    const swapper = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-config", "-A", script, `${path}/tree/d`, `${path}/outside`],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const started = swapper.stdout.getReader();
    await started.read();
    let refused = 0;
    let created = 0;
    for (const withoutOpenat2 of [false, true]) {
      using root = openRoot(`${path}/tree`, { withoutOpenat2 });
      // As long as it takes to have met both states, within bounds: the neighbour may be slow to get its turn.
      const isEnough = (attempt: number) => attempt >= 2000 && created > 0 && refused > 0;
      for (let attempt = 0; attempt < 200_000 && !isEnough(attempt); attempt++) {
        try {
          using inner = root.openDirectory("/d/inner");
          if (inner === undefined) continue;
          inner.createFile(`f${withoutOpenat2}${attempt}`, 0o600)[Symbol.dispose]();
          created++;
        } catch (error) {
          assertRule(() => {
            throw error;
          }, "PATH_SYMLINK");
          refused++;
        }
      }
    }
    await started.cancel();
    await swapper.stdin.close();
    await swapper.status;
    assert.deepEqual([...Deno.readDirSync(`${path}/outside/inner`)], []);
    assert.deepEqual([...Deno.readDirSync(`${path}/outside`)].map(({ name }) => name), ["inner"]);
    assert.ok(created > 0, "no attempt hit the directory");
    assert.ok(refused > 0, "no attempt hit the link");
  });
});

Deno.test({
  name: "T-PATH-09: a directory everybody may write to is refused to uid 0 unless it is sticky (real)",
  ignore: !isRoot,
  fn: () =>
    withDirectory(async (path) => {
      await Deno.mkdir(`${path}/a/open/below`, { recursive: true });
      await Deno.chmod(`${path}/a/open`, 0o777);
      using root = openRoot(path);
      assertRule(() => root.openDirectory("/a/open"), "PATH_UNSAFE_DIR");
      assertRule(() => root.openDirectory("/a/open/below"), "PATH_UNSAFE_DIR");
      using a = open(root, "/a");
      assertRule(() => a.openDirectory("open"), "PATH_UNSAFE_DIR");
      await Deno.chmod(`${path}/a/open`, 0o1777);
      open(root, "/a/open/below")[Symbol.dispose]();
      assert.deepEqual(root.foreignDirectories, []);
      await Deno.mkdir(`${path}/foreign`);
      await Deno.chown(`${path}/foreign`, 12345, 12345);
      open(root, "/foreign")[Symbol.dispose]();
      open(root, "/foreign")[Symbol.dispose]();
      assert.deepEqual(root.foreignDirectories, ["/foreign"]);
      await Deno.chmod(path, 0o777);
      assertRule(() => openRoot(path), "PATH_UNSAFE_DIR");
    }),
});

Deno.test("T-PATH-09: a directory everybody may write to is refused to uid 0 alone (in memory)", () => {
  for (const options of [{ euid: 0 }, { euid: 1000, egid: 1000 }, { euid: 0, hasKacs: true }]) {
    const system = memoryFileSystem(options);
    using root = system.open();
    using top = open(root, "/");
    top.makeDirectory("open", 0o777);
    top.makeDirectory("sticky", 0o1777);
    top.makeDirectory("foreign", 0o755);
    top.changeOwner("foreign", 12345, 0);
    open(root, "/sticky")[Symbol.dispose]();
    open(root, "/foreign")[Symbol.dispose]();
    if (options.euid === 0 && options.hasKacs !== true) {
      assertRule(() => root.openDirectory("/open"), "PATH_UNSAFE_DIR");
      assertRule(() => top.openDirectory("open"), "PATH_UNSAFE_DIR");
      assert.deepEqual(root.foreignDirectories, ["/foreign"]);
    } else {
      open(root, "/open")[Symbol.dispose]();
      assert.deepEqual(root.foreignDirectories, []);
    }
  }
});

Deno.test("openFile() and appendFile() neither block on a FIFO nor take it for a file", async () => {
  await withDirectory(async (path) => {
    await run("/usr/bin/mkfifo", `${path}/fifo`);
    using root = openRoot(path);
    using top = open(root, "/");
    assert.equal(top.status("fifo")?.type, "other");
    assertErrno(() => top.openFile("fifo"), "ENXIO");
    assertErrno(() => top.appendFile("fifo", 0o600), "ENXIO");
    assertErrno(() => openOperatorFile(`${path}/fifo`), "ENXIO");
  });
});

Deno.test("openOperatorFile() follows links and refuses directories", async () => {
  await withDirectory(async (path) => {
    await Deno.writeTextFile(`${path}/file`, "text");
    await Deno.symlink("file", `${path}/link`);
    using file = openOperatorFile(`${path}/link`);
    assert.equal(file.status().sizeBytes, 4);
    assertErrno(() => openOperatorFile(path), "EISDIR");
    assertErrno(() => openOperatorFile(`${path}/none`), "ENOENT");
  });
});

const hasOtherFileSystem = (() => {
  try {
    return Deno.statSync("/dev/shm").dev !== Deno.statSync(Deno.env.get("TMPDIR") ?? "/tmp").dev;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "T-COMMIT-28: link() and rename() across file systems are EXDEV (real)",
  ignore: !hasOtherFileSystem,
  fn: () =>
    withDirectory((here) =>
      withDirectory((there) => {
        using one = openRoot(here);
        using other = openRoot(there);
        using from = open(one, "/");
        using to = open(other, "/");
        put(from, "f", "x");
        assert.notEqual(from.device, to.device);
        assertErrno(() => from.link("f", to, "g"), "EXDEV");
        assertErrno(() => from.rename("f", to, "g"), "EXDEV");
        assert.equal(take(from, "f"), "x");
      }, "/dev/shm")
    ),
});

Deno.test("T-PATH-04, T-COMMIT-28: mounts are walked through, but not linked or renamed across (in memory)", () => {
  const system = memoryFileSystem();
  using root = system.open();
  using top = open(root, "/");
  top.makeDirectory("mnt", 0o755);
  const device = system.mount("/mnt", { availableBytes: 4096 });
  using mounted = open(root, "/mnt");
  put(top, "f", "x");
  assert.equal(mounted.device, device);
  assert.equal(mounted.fileSystemStatus().availableBytes, 4096);
  assertErrno(() => top.link("f", mounted, "f"), "EXDEV");
  assertErrno(() => top.rename("f", mounted, "f"), "EXDEV");
  assertErrno(() => top.removeDirectory("mnt"), "EBUSY");
  assertErrno(() => top.rename("mnt", top, "moved"), "EBUSY");
});

Deno.test("T-PATH-04: openDirectory() walks through mounts (real)", () => {
  using root = openRoot("/");
  for (const withoutOpenat2 of [false, true]) {
    using again = openRoot("/", { withoutOpenat2 });
    using directory = again.openDirectory("/proc/sys");
    if (directory === undefined) continue;
    using top = open(root, "/");
    assert.notEqual(directory.device, top.device);
  }
});

Deno.test({
  name: "A-SDA-31: extended attributes are written, read and removed on files and directories",
  ignore: !isRoot,
  fn: () =>
    withDirectory((path) => {
      using root = openRoot(path);
      using top = open(root, "/");
      put(top, "f", "x");
      top.makeDirectory("d", 0o755);
      for (const name of ["f", "d", undefined]) {
        assert.equal(top.readAttribute(name, "security.peios.sd"), undefined);
        top.writeAttribute(name, "security.peios.sd", undefined);
        top.writeAttribute(name, "security.peios.sd", new Uint8Array([1, 2, 3]));
        top.writeAttribute(name, "security.peios.sd", new Uint8Array([4, 5]));
        assert.deepEqual(top.readAttribute(name, "security.peios.sd"), new Uint8Array([4, 5]));
        top.writeAttribute(name, "security.peios.sd", undefined);
        assert.equal(top.readAttribute(name, "security.peios.sd"), undefined);
      }
      top.makeSymlink("l", "f");
      assertErrno(() => top.writeAttribute("l", "security.peios.sd", new Uint8Array([1])), "ELOOP");
    }),
});

Deno.test("list() leaves out names that are not UTF-8 and counts them", async () => {
  await withDirectory(async (path) => {
    await run("/bin/sh", "-c", `cd "$1" && : > "$(printf 'bad\\377')" && : > good`, "sh", path);
    using root = openRoot(path);
    using top = open(root, "/");
    assert.deepEqual(top.list(), { names: ["good"], undecodable: 1 });
  });
});

Deno.test("T-LOCK-03: no descriptor is inherited by a child process", async () => {
  await withDirectory(async (path) => {
    using root = openRoot(path);
    using top = open(root, "/");
    using file = top.createFile("f", 0o600);
    using barrier = top.openBarrier();
    const { stdout } = await new Deno.Command("/bin/ls", { args: ["-l", "/proc/self/fd"], stdin: "null" }).output();
    assert.ok(!new TextDecoder().decode(stdout).includes(path), file.path + barrier?.device);
  });
});

Deno.test("T-MODE-05: setModified() leaves the access time alone", async () => {
  await withDirectory(async (path) => {
    using root = openRoot(path);
    using top = open(root, "/");
    put(top, "f", "x");
    const before = await Deno.lstat(`${path}/f`);
    top.setModified("f", 1_000_000_000n);
    const after = await Deno.lstat(`${path}/f`);
    assert.deepEqual(after.atime, before.atime);
    assert.equal(after.mtime?.getTime(), 1000);
  });
});

Deno.test("T-PATH-07: openRoot() raises the soft limit of open descriptors to the hard one", async () => {
  const script = new URL("../../support/descriptor_limit.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", 'ulimit -Sn 100; ulimit -Hn 512; exec "$0" run -q -A --no-check "$1"', Deno.execPath(), script],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "512 512\n");
});
