/** The in-memory tree's own promises: what tests of crashes and power cuts build on. */
import assert from "node:assert/strict";
import { descriptor, SYSTEM } from "../../support/descriptors.ts";
import { CrashError, FaultControl, memoryFileSystem } from "../../support/memory_root.ts";
import { snapshotTree, writeTree } from "../../support/tree_snapshot.ts";
import { assertErrno, open, put, take } from "./root_suite.ts";

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

Deno.test("powerCut() keeps only what was synced: names by their directory, content by its file", () => {
  const system = memoryFileSystem();
  using root = system.open();
  using top = open(root, "/");
  for (const [name, syncsFile, syncsName] of [["both", true, true], ["name", false, true]] as const) {
    using file = top.createFile(name, 0o644);
    file.write(new TextEncoder().encode("content"));
    if (syncsFile) file.sync();
    if (syncsName) top.sync();
  }
  using file = top.createFile("content only", 0o644);
  file.write(new Uint8Array(3));
  file.sync();
  const after = system.powerCut();
  using root2 = after.open();
  using top2 = open(root2, "/");
  assert.deepEqual([...top2.list().names].sort(), ["both", "name"]);
  assert.equal(take(top2, "both"), "content");
  assert.equal(take(top2, "name"), "");
  // The system that went on is not touched.
  assert.equal(take(top, "name"), "content");
});

Deno.test("powerCut() with a seed is repeatable, and over seeds shows old, new, torn and zeroed content", () => {
  const system = memoryFileSystem();
  using root = system.open();
  using top = open(root, "/");
  put(top, "f", "old!");
  system.tree.syncAll();
  using file = top.appendFile("f", 0o644);
  file.write(new TextEncoder().encode("+ new text"));
  const contents = SEEDS.map((seed) => {
    using cut = system.powerCut(seed).open();
    using again = system.powerCut(seed).open();
    assert.deepEqual(snapshotTree(cut), snapshotTree(again));
    using cutTop = open(cut, "/");
    return take(cutTop, "f");
  });
  assert.ok(contents.includes("old!"));
  assert.ok(contents.includes("old!+ new text"));
  assert.ok(contents.includes("\0".repeat(14)));
  assert.ok(contents.some((text) => /^old!\+[^\0]*\0+$/.test(text)));
});

Deno.test("powerCut() may lose a backup's name and keep the replacement, but never half a rename", () => {
  const system = memoryFileSystem();
  using root = system.open();
  using top = open(root, "/");
  put(top, "f", "old");
  put(top, "staged", "new");
  system.tree.syncAll();
  top.link("f", top, "backup");
  top.rename("staged", top, "f");
  const worlds = SEEDS.map((seed) => {
    using cut = system.powerCut(seed).open();
    using cutTop = open(cut, "/");
    const names = [...cutTop.list().names].sort().join(" ");
    return `${names}: ${take(cutTop, "f")}`;
  });
  assert.deepEqual([...new Set(worlds)].sort(), [
    "backup f staged: old",
    "backup f: new",
    "f staged: old",
    "f: new",
  ]);
});

Deno.test("powerCut() keeps hard links one inode and a moved directory in one place", () => {
  const system = memoryFileSystem();
  using root = system.open();
  writeTree(root, { "/a/d/f": "x", "/b/": { mode: 0o755 } });
  system.tree.syncAll();
  using a = open(root, "/a");
  using b = open(root, "/b");
  using d = open(root, "/a/d");
  d.link("f", b, "g");
  a.rename("d", b, "moved");
  b.sync();
  for (const seed of [0, ...SEEDS]) {
    using cut = system.powerCut(seed).open();
    const snapshot = snapshotTree(cut);
    assert.deepEqual(Object.keys(snapshot), ["/a", "/b", "/b/g", "/b/moved", "/b/moved/f"]);
    assert.match(snapshot["/b/moved/f"] ?? "", /links 2 first \/b\/g/);
  }
});

Deno.test("a barrier makes a whole device durable and nothing beyond", () => {
  const system = memoryFileSystem();
  using root = system.open();
  writeTree(root, { "/mnt/": { mode: 0o755 } });
  system.mount("/mnt");
  using top = open(root, "/");
  using barrier = top.openBarrier();
  system.tree.syncAll();
  writeTree(root, { "/a/b": "here", "/mnt/c": "there" });
  barrier?.sync();
  using cut = system.powerCut().open();
  assert.deepEqual(Object.keys(snapshotTree(cut)), ["/a", "/a/b", "/mnt"]);
});

Deno.test("a crash ends every later call, and restart() keeps everything but handles and locks", () => {
  const system = memoryFileSystem();
  const faults = FaultControl.crashAt(2, (call) => call === "write");
  {
    using root = system.open("/", faults);
    using top = open(root, "/");
    using lock = top.appendFile("lock", 0o644);
    assert.equal(lock.tryLock(), true);
    put(top, "one", "1");
    assert.throws(() => put(top, "two", "2"), CrashError);
    assert.throws(() => top.status("one"), CrashError);
    assert.throws(() => root.openDirectory("/"), CrashError);
    const after = system.restart();
    using root2 = after.open();
    using top2 = open(root2, "/");
    assert.equal(take(top2, "one"), "1");
    assert.equal(take(top2, "two"), "");
    using lock2 = top2.appendFile("lock", 0o644);
    assert.equal(lock2.tryLock(), true);
  }
  assert.equal(system.openHandles, 0);
});

Deno.test("failAt() refuses exactly the chosen call", () => {
  const system = memoryFileSystem();
  const faults = FaultControl.failAt(2, "EIO", (call, path) => call === "create" && path.startsWith("/f"));
  using root = system.open("/", faults);
  using top = open(root, "/");
  put(top, "other", "");
  put(top, "f1", "");
  assertErrno(() => put(top, "f2", ""), "EIO");
  put(top, "f2", "");
  assert.equal(faults.hasFired, true);
});

Deno.test("snapshotTree() tells types, modes, owners, links, targets, content, and on request inodes and times", () => {
  const system = memoryFileSystem();
  using root = system.open();
  writeTree(root, {
    "/d/f": "text",
    "/d/big": new Uint8Array(1000),
    "/d/l": { link: "f" },
    "/x": { mode: 0o600, text: "y" },
  });
  using d = open(root, "/d");
  d.link("f", d, "g");
  d.setModified("f", 5n);
  const big = "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53";
  assert.deepEqual(snapshotTree(root), {
    "/d": "dir 0755 0:0",
    "/d/big": `file 0644 0:0 1000 bytes sha256 ${big}`,
    "/d/f": 'file 0644 0:0 links 2 first /d/f "text"',
    "/d/g": 'file 0644 0:0 links 2 first /d/f "text"',
    "/d/l": "symlink 0777 0:0 -> f",
    "/x": 'file 0600 0:0 "y"',
  });
  const detailed = snapshotTree(root, { inodes: true, times: true, except: ["/x"] }, "/");
  assert.match(detailed["/d/f"] ?? "", /^file 0644 0:0 inode \d+ mtime 5 links 2/);
  assert.equal(detailed["/x"], undefined);
});

Deno.test("the simulated access-control system keeps descriptors across a synced power cut", () => {
  const system = memoryFileSystem({ hasKacs: true });
  using root = system.open();
  using top = open(root, "/");
  const bytes = descriptor({ dacl: [{ sid: SYSTEM }] });
  {
    using file = top.createSecuredFile("f", bytes);
    file.sync();
  }
  top.makeSecuredDirectory("d", bytes);
  top.writeSecurity(undefined, 4, bytes);
  top.sync();
  using cut = system.powerCut().open();
  using cutTop = open(cut, "/");
  for (const name of ["f", "d", undefined]) assert.deepEqual(cutTop.readSecurity(name, 7), bytes);
  assert.equal(cutTop.status("f")?.mode, 0o600);
  assert.equal(cutTop.status("d")?.mode, 0o700);
});
