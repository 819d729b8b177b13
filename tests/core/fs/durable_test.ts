import assert from "node:assert/strict";
import { SystemCallError } from "../../../core/errors.ts";
import {
  openOrCreateChild,
  openOrCreateDirectory,
  readSmallFile,
  removeDurably,
  writeFileDurably,
} from "../../../core/fs/durable.ts";
import { openRoot } from "../../../core/fs/root.ts";
import type { Directory, RootDirectory } from "../../../core/system.ts";
import { CrashError, FaultControl, memoryFileSystem } from "../../support/memory_root.ts";
import { assertErrno, assertRule, open, put, take } from "./root_suite.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function withTop(act: (top: Directory, root: RootDirectory) => void): void {
  const path = Deno.makeTempDirSync();
  try {
    for (const root of [openRoot(path), memoryFileSystem().open()]) {
      using opened = root;
      using top = open(opened, "/");
      act(top, opened);
    }
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

Deno.test("writeFileDurably() creates and replaces with the mode given and leaves no sibling", () => {
  withTop((top) => {
    writeFileDurably(top, "f", encode("one"), 0o600);
    assert.equal(take(top, "f"), "one");
    writeFileDurably(top, "f", encode("two"), 0o644);
    assert.equal(take(top, "f"), "two");
    assert.equal(top.status("f")?.mode, 0o644);
    assert.deepEqual(top.list().names, ["f"]);
  });
});

Deno.test("T-PATH-11: writeFileDurably() replaces a link instead of writing through it", () => {
  withTop((top) => {
    put(top, "victim", "untouched");
    top.makeSymlink("f", "victim");
    top.makeSymlink("f.peipkg-write", "victim");
    writeFileDurably(top, "f", encode("mine"), 0o644);
    assert.equal(top.status("f")?.type, "file");
    assert.equal(take(top, "victim"), "untouched");
  });
});

Deno.test("writeFileDurably() leaves the old file and no sibling when a call is refused", () => {
  for (let n = 1;; n++) {
    const faults = FaultControl.failAt(n, "ENOSPC", (call) => call !== "openat2");
    const system = memoryFileSystem();
    {
      using root = system.open();
      using top = open(root, "/");
      put(top, "f", "old");
    }
    using root = system.open("/", faults);
    using top = open(root, "/");
    let isRefused = false;
    try {
      writeFileDurably(top, "f", encode("new"), 0o644);
    } catch (error) {
      assert.ok(error instanceof SystemCallError);
      isRefused = true;
    }
    if (!faults.hasFired) break;
    assert.ok(isRefused);
    // Only the very last sync comes after the replacement.
    const isAfter = system.node("/f")?.sizeBytes === 3 && take(top, "f") === "new";
    assert.equal(take(top, "f"), isAfter ? "new" : "old", `call ${n}`);
    assert.deepEqual(top.list().names, ["f"], `call ${n}`);
  }
});

Deno.test("writeFileDurably() shows the old or the new bytes whole after a crash or power cut at any call", () => {
  const old = "old content";
  const fresh = "new content, which is longer";
  for (let n = 1;; n++) {
    const faults = FaultControl.crashAt(n);
    const system = memoryFileSystem();
    {
      using root = system.open();
      using top = open(root, "/");
      put(top, "f", old);
      system.tree.syncAll();
    }
    let isDone = false;
    try {
      using root = system.open("/", faults);
      using top = open(root, "/");
      writeFileDurably(top, "f", encode(fresh), 0o644);
      isDone = true;
    } catch (error) {
      assert.ok(error instanceof CrashError);
    }
    for (const after of [system.restart(), ...Array.from({ length: 20 }, (_, seed) => system.powerCut(seed))]) {
      using root = after.open();
      using top = open(root, "/");
      const found = take(top, "f");
      assert.ok(isDone ? found === fresh : found === old || found === fresh, `call ${n}: ${found}`);
      // A leftover of the crash is in nobody's way.
      writeFileDurably(top, "f", encode("next"), 0o644);
      assert.deepEqual(top.list().names, ["f"]);
    }
    if (!faults.hasFired) break;
  }
});

Deno.test("removeDurably() removes for good and tells whether there was anything", () => {
  withTop((top) => {
    put(top, "f", "x");
    assert.equal(removeDurably(top, "f"), true);
    assert.equal(removeDurably(top, "f"), false);
    top.makeDirectory("d", 0o755);
    assertErrno(() => removeDurably(top, "d"), "EISDIR");
  });
  const system = memoryFileSystem();
  using root = system.open();
  using top = open(root, "/");
  put(top, "f", "x");
  system.tree.syncAll();
  removeDurably(top, "f");
  assert.equal(system.powerCut().node("/f"), undefined);
});

Deno.test("T-DB-17: openOrCreateDirectory() creates missing ancestors with their mode, durably, and follows no link", () => {
  withTop((top, root) => {
    top.makeDirectory("var", 0o700);
    using created = openOrCreateDirectory(root, "/var/lib/peipkg", 0o755);
    assert.equal(created.path, "/var/lib/peipkg");
    assert.equal(created.selfStatus().mode, 0o755);
    assert.equal(top.status("var")?.mode, 0o700);
    using again = openOrCreateDirectory(root, "/var/lib/peipkg", 0o700);
    assert.equal(again.inode, created.inode);
    assert.equal(again.selfStatus().mode, 0o755);
    using whole = openOrCreateDirectory(root, "/", 0o755);
    assert.equal(whole.inode, top.inode);
    top.makeSymlink("link", "var");
    put(top, "file", "x");
    assertRule(() => openOrCreateDirectory(root, "/link/x", 0o755), "PATH_SYMLINK");
    assertRule(() => openOrCreateDirectory(root, "/file/x", 0o755), "PATH_SYMLINK");
    assertRule(() => openOrCreateChild(top, "link", 0o755), "PATH_SYMLINK");
  });
  const system = memoryFileSystem();
  using root = system.open();
  openOrCreateDirectory(root, "/var/lib/peipkg", 0o755)[Symbol.dispose]();
  assert.equal(system.powerCut().node("/var/lib/peipkg")?.mode, 0o755);
});

Deno.test("openOrCreateChild() accepts a directory that somebody else made in between", () => {
  const system = memoryFileSystem();
  const faults = new FaultControl((_n, call, path) => {
    if (call !== "mkdirat" || system.node(path) !== undefined) return;
    using root = system.open();
    using top = open(root, "/");
    top.makeDirectory("d", 0o750);
  });
  using root = system.open("/", faults);
  using top = open(root, "/");
  using child = openOrCreateChild(top, "d", 0o755);
  assert.equal(child.selfStatus().mode, 0o750);
});

Deno.test("readSmallFile() reads up to its limit and not one byte more", () => {
  withTop((top) => {
    put(top, "empty", "");
    put(top, "ten", "0123456789");
    top.makeSymlink("link", "ten");
    top.makeDirectory("d", 0o755);
    assert.equal(readSmallFile(top, "none", 10), undefined);
    assert.deepEqual(readSmallFile(top, "empty", 0), new Uint8Array());
    assert.deepEqual(readSmallFile(top, "ten", 10), encode("0123456789"));
    assertErrno(() => readSmallFile(top, "ten", 9), "EFBIG");
    assertErrno(() => readSmallFile(top, "link", 10), "ELOOP");
    assertErrno(() => readSmallFile(top, "d", 10), "EISDIR");
  });
});

Deno.test("readSmallFile() notices a file that grows while it is read", () => {
  const system = memoryFileSystem();
  const faults = new FaultControl((_n, call) => {
    if (call === "pread") system.node("/f")?.append(new Uint8Array(100));
  });
  {
    using root = system.open();
    using top = open(root, "/");
    put(top, "f", "small");
  }
  using root = system.open("/", faults);
  using top = open(root, "/");
  assertErrno(() => readSmallFile(top, "f", 50), "EFBIG");
});
