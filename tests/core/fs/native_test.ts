import assert from "node:assert/strict";
import { EINVAL, ELOOP, ENOENT, ENOSYS, ENOTDIR, EPERM, EXDEV } from "../../../core/fs/errno.ts";
import * as native from "../../../core/fs/native.ts";
import { AT_CWD, OPEN } from "../../../core/fs/native.ts";
import { hasKacs } from "../../../core/fs/peios.ts";
import { openRoot } from "../../../core/fs/root.ts";
import { open } from "./root_suite.ts";

/** Runs `act` with an open temporary directory. */
async function withDescriptor(act: (directory: number, path: string) => void): Promise<void> {
  const path = await Deno.makeTempDir();
  const directory = native.openAt(AT_CWD, path, OPEN.readOnly | OPEN.directory);
  try {
    assert.ok(directory >= 0);
    act(directory, path);
  } finally {
    native.closeDescriptor(directory);
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("T-PATH-03: openBeneath() refuses links with ELOOP and every way out with EXDEV", async () => {
  await withDescriptor((directory, path) => {
    Deno.mkdirSync(`${path}/real/below`, { recursive: true });
    Deno.symlinkSync("real", `${path}/link`);
    Deno.symlinkSync("/", `${path}/real/absolute`);
    Deno.writeTextFileSync(`${path}/file`, "x");
    const attempt = (name: string) => {
      const result = native.openBeneath(directory, name, OPEN.readOnly | OPEN.directory);
      if (result >= 0) native.closeDescriptor(result);
      return result < 0 ? result : "opened";
    };
    if ([-ENOSYS, -EPERM].includes(Number(attempt(".")))) return;
    assert.equal(attempt("."), "opened");
    assert.equal(attempt("real/below"), "opened");
    assert.equal(attempt("link"), -ELOOP);
    assert.equal(attempt("link/below"), -ELOOP);
    assert.equal(attempt("real/absolute"), -ELOOP);
    assert.equal(attempt("real/absolute/etc"), -ELOOP);
    assert.equal(attempt("/etc"), -EXDEV);
    assert.equal(attempt(".."), -EXDEV);
    assert.equal(attempt("real/../.."), -EXDEV);
    assert.equal(attempt("none"), -ENOENT);
    assert.equal(attempt("file"), -ENOTDIR);
    assert.equal(attempt("file/below"), -ENOTDIR);
  });
});

Deno.test("T-PATH-03: openBeneath() refuses the links of /proc that are no text", () => {
  const directory = native.openAt(AT_CWD, "/proc/self", OPEN.readOnly | OPEN.directory);
  try {
    assert.equal(native.openBeneath(directory, "root", OPEN.readOnly | OPEN.directory), -ELOOP);
    assert.equal(native.openBeneath(directory, "cwd/x", OPEN.readOnly | OPEN.directory), -ELOOP);
  } finally {
    native.closeDescriptor(directory);
  }
});

Deno.test("error numbers belong to the call that failed, over many alternating failures", async () => {
  await withDescriptor((directory, path) => {
    Deno.writeTextFileSync(`${path}/file`, "x");
    for (let round = 0; round < 20_000; round++) {
      assert.equal(native.openAt(directory, "none", OPEN.readOnly), -ENOENT);
      assert.equal(native.openAt(directory, "file/x", OPEN.readOnly), -ENOTDIR);
      assert.equal(typeof native.statAt(directory, "file"), "object");
      assert.equal(native.readLinkAt(directory, "file"), -EINVAL);
    }
  });
});

Deno.test("status agrees with the runtime's own, nanoseconds aside", async () => {
  await withDescriptor((directory, path) => {
    Deno.writeTextFileSync(`${path}/file`, "twelve bytes");
    Deno.linkSync(`${path}/file`, `${path}/second`);
    for (const name of ["/dev", "/proc", "/dev/null", `${path}/file`]) {
      const parent = native.openAt(AT_CWD, name, OPEN.pathOnly);
      const status = native.statDescriptor(parent);
      native.closeDescriptor(parent);
      const expected = Deno.statSync(name);
      assert.ok(typeof status === "object");
      assert.equal(status.device, BigInt(expected.dev), name);
      assert.equal(status.inode, BigInt(expected.ino ?? -1), name);
      assert.equal(status.mode, (expected.mode ?? 0) & 0o7777, name);
    }
    const status = native.statAt(directory, "second");
    assert.ok(typeof status === "object");
    assert.equal(status.links, 2);
    assert.equal(status.sizeBytes, 12);
    assert.equal(status.mtime / 1_000_000n, BigInt(Deno.statSync(`${path}/file`).mtime?.getTime() ?? -1));
  });
});

Deno.test("T-COMMIT-42: a directory that refuses fsync is synced with its file system", () => {
  const directory = native.openAt(AT_CWD, "/proc/sys", OPEN.readOnly | OPEN.directory);
  const refused = native.syncDescriptor(directory);
  native.closeDescriptor(directory);
  assert.equal(refused, -EINVAL);
  using root = openRoot("/proc");
  using sys = open(root, "/sys");
  sys.sync();
});

Deno.test("T-PATH-07: descriptors that are synced are not opened for their path alone", async () => {
  await withDescriptor((_directory, path) => {
    using root = openRoot(path);
    using top = open(root, "/");
    top.sync();
    using barrier = top.openBarrier();
    barrier?.sync();
    const pathOnly = native.openAt(AT_CWD, path, OPEN.pathOnly);
    assert.ok(native.syncDescriptor(pathOnly) < 0);
    native.closeDescriptor(pathOnly);
  });
});

Deno.test("T-MODE-02, A-SDA-16: any error of the probe means not detected", () => {
  // No descriptor, no answer: whatever the kernel.
  assert.equal(hasKacs(-1), false);
});

Deno.test("T-SPACE-04: fileSystemOf() gives what is available to this caller, in whole numbers", () => {
  const directory = native.openAt(AT_CWD, "/", OPEN.readOnly | OPEN.directory);
  const status = native.fileSystemOf(directory);
  native.closeDescriptor(directory);
  assert.ok(typeof status === "object");
  const { stdout } = new Deno.Command("/usr/bin/stat", { args: ["-f", "-c", "%t %S %c", "/"] }).outputSync();
  const [type, fragment, inodes] = new TextDecoder().decode(stdout).trim().split(" ");
  assert.deepEqual(
    [status.type.toString(16), status.fragmentBytes, status.inodes],
    [type, Number(fragment), Number(inodes)],
  );
});
