/** What every `RootDirectory` must do: run against the real file system, the in-memory one, and both behind faults. */
import assert from "node:assert/strict";
import { PeipkgError, SystemCallError } from "../../../core/errors.ts";
import type { Directory, RootDirectory } from "../../../core/system.ts";

/** One fresh, empty root; disposing it checks that no handle was forgotten and removes what lay in it. */
export interface SuiteWorld extends Disposable {
  readonly root: RootDirectory;
}

/** Asserts that a call is refused with one of these error numbers. */
export function assertErrno(act: () => unknown, ...errnos: string[]): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof SystemCallError, String(error));
    assert.ok(errnos.includes(error.errno), `${error.call} ${error.path}: ${error.errno}, not ${errnos}`);
    return true;
  });
}

/** Asserts that a call fails with a rule. */
export function assertRule(act: () => unknown, rule: string): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof PeipkgError, String(error));
    assert.equal(error.detail.rule, rule);
    return true;
  });
}

/** Opens a directory that must exist. */
export function open(root: RootDirectory, path: string): Directory {
  const directory = root.openDirectory(path);
  assert.ok(directory !== undefined, `${path} does not exist`);
  return directory;
}

export function put(directory: Directory, name: string, text: string, mode = 0o644): void {
  using file = directory.createFile(name, mode);
  file.write(new TextEncoder().encode(text));
}

export function take(directory: Directory, name: string): string {
  using file = directory.openFile(name);
  const buffer = new Uint8Array(file.status().sizeBytes + 1);
  return new TextDecoder().decode(buffer.subarray(0, file.readAt(buffer, 0)));
}

type Case = readonly [string, (root: RootDirectory, top: Directory) => void];

const PATHS: readonly Case[] = [
  ["T-PATH-02: openDirectory() opens nested directories and answers undefined for missing ones", (root, top) => {
    top.makeDirectory("a", 0o755);
    using a = open(root, "/a");
    a.makeDirectory("b", 0o755);
    using b = open(root, "/a/b");
    assert.equal(b.path, "/a/b");
    assert.equal(b.inode, a.status("b")?.inode);
    assert.equal(root.openDirectory("/a/none"), undefined);
    assert.equal(root.openDirectory("/none/below"), undefined);
    assert.equal(a.openDirectory("none"), undefined);
    using child = a.openDirectory("b");
    assert.equal(child?.inode, b.inode);
    assert.equal(child?.path, "/a/b");
  }],
  ["T-PATH-02: openDirectory() refuses a link and a file at every place of a path", (root, top) => {
    top.makeDirectory("real", 0o755);
    using real = open(root, "/real");
    real.makeDirectory("below", 0o755);
    put(top, "file", "x");
    top.makeSymlink("relative", "real");
    top.makeSymlink("absolute", "/");
    top.makeSymlink("dangling", "nowhere");
    top.makeSymlink("up", "..");
    for (const name of ["relative", "absolute", "dangling", "up", "file"]) {
      assertRule(() => root.openDirectory(`/${name}`), "PATH_SYMLINK");
      assertRule(() => root.openDirectory(`/${name}/below`), "PATH_SYMLINK");
      assertRule(() => top.openDirectory(name), "PATH_SYMLINK");
    }
  }],
  ["T-PATH-05: names that are empty, dots, slashes or NUL are refused everywhere", (root, top) => {
    for (const name of ["", ".", "..", "a/b", "/", "a\0b", "\ud800"]) {
      const acts: (() => unknown)[] = [
        () => root.openDirectory(`/${name}/x`),
        () => top.status(name),
        () => top.readLink(name),
        () => top.openDirectory(name),
        () => top.openFile(name),
        () => top.createFile(name, 0o600),
        () => top.appendFile(name, 0o600),
        () => top.makeDirectory(name, 0o700),
        () => top.makeSymlink(name, "t"),
        () => top.link(name, top, "n"),
        () => top.link("n", top, name),
        () => top.rename(name, top, "n"),
        () => top.rename("n", top, name),
        () => top.unlink(name),
        () => top.removeDirectory(name),
        () => top.changeMode(name, 0o700),
        () => top.changeOwner(name, 0, 0),
        () => top.setModified(name, 0n),
        () => top.createSecuredFile(name, new Uint8Array()),
      ];
      // Inside a path a slash only separates, so that name is no fault there.
      for (const act of acts.slice(name === "a/b" ? 1 : 0)) assertErrno(act, "EINVAL");
    }
    assertErrno(() => root.openDirectory("relative"), "EINVAL");
    assertErrno(() => root.openDirectory(""), "EINVAL");
    assert.deepEqual(top.list().names, []);
  }],
  ["T-PATH-06: a pinned directory stays the same directory when its name moves away", (root, top) => {
    top.makeDirectory("a", 0o755);
    using pinned = open(root, "/a");
    top.rename("a", top, "moved");
    top.makeSymlink("a", "/");
    put(pinned, "file", "inside");
    using moved = open(root, "/moved");
    assert.equal(take(moved, "file"), "inside");
    assert.equal(top.status("file"), undefined);
  }],
  ["T-PATH-10: a link at a final name is an object, never followed", (_root, top) => {
    put(top, "victim", "untouched");
    top.makeSymlink("name", "victim");
    assert.equal(top.status("name")?.type, "symlink");
    assert.equal(top.readLink("name"), "victim");
    assertErrno(() => top.openFile("name"), "ELOOP");
    assertErrno(() => top.appendFile("name", 0o600), "ELOOP");
    assertErrno(() => top.createFile("name", 0o600), "EEXIST");
    assertErrno(() => top.changeMode("name", 0o600), "EOPNOTSUPP");
    put(top, "staged", "fresh");
    top.rename("staged", top, "name");
    assert.equal(take(top, "name"), "fresh");
    assert.equal(take(top, "victim"), "untouched");
  }],
  ["T-PATH-10: a link to nowhere is not created through", (_root, top) => {
    top.makeSymlink("name", "nowhere");
    assertErrno(() => top.createFile("name", 0o600), "EEXIST");
    assertErrno(() => top.appendFile("name", 0o600), "ELOOP");
    assertErrno(() => top.makeDirectory("name", 0o700), "EEXIST");
    assert.equal(top.status("nowhere"), undefined);
  }],
];

const FILES: readonly Case[] = [
  ["T-STAGE-01: createFile() is exclusive and sets the mode whatever the umask", (_root, top) => {
    for (const mode of [0o600, 0o644, 0o755, 0o777, 0o666]) {
      const name = mode.toString(8);
      top.createFile(name, mode)[Symbol.dispose]();
      assert.equal(top.status(name)?.mode, mode, name);
    }
    assertErrno(() => top.createFile("600", 0o600), "EEXIST");
  }],
  ["T-STAGE-03: write() continues until everything is written, readAt() reads at offsets", (_root, top) => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    {
      using file = top.createFile("big", 0o600);
      file.write(bytes.subarray(0, 100_000));
      file.write(bytes.subarray(100_000));
      file.write(new Uint8Array());
      assert.equal(file.status().sizeBytes, bytes.length);
    }
    using file = top.openFile("big");
    const buffer = new Uint8Array(1000);
    assert.equal(file.readAt(buffer, 250_000), 1000);
    assert.deepEqual(buffer, bytes.slice(250_000, 251_000));
    assert.equal(file.readAt(buffer, bytes.length - 10), 10);
    assert.equal(file.readAt(buffer, bytes.length), 0);
    assert.equal(file.path, "/big");
  }],
  ["T-MODE-03: changeMode() sets exactly the mode, on a name and on an open file", (_root, top) => {
    using file = top.createFile("f", 0o600);
    file.changeMode(0o755);
    assert.equal(file.status().mode, 0o755);
    top.changeMode("f", 0o4711);
    assert.equal(file.status().mode, 0o4711);
    top.makeDirectory("d", 0o777);
    assert.equal(top.status("d")?.mode, 0o777);
    top.changeMode("d", 0o700);
    assert.equal(top.status("d")?.mode, 0o700);
  }],
  ["T-MODE-05: setModified() keeps nanoseconds, also of a link and before the epoch", (_root, top) => {
    put(top, "f", "x");
    top.makeSymlink("l", "f");
    top.setModified("f", 1_234_567_890_123_456_789n);
    top.setModified("l", 42n);
    assert.equal(top.status("f")?.mtime, 1_234_567_890_123_456_789n);
    assert.equal(top.status("l")?.mtime, 42n);
    using file = top.createFile("g", 0o600);
    file.setModified(-1n);
    assert.equal(file.status().mtime, -1n);
    file.setModified(0n);
    assert.equal(top.status("g")?.mtime, 0n);
  }],
  ["T-MODE-04: owners can be set to what they are, also of a link", (_root, top) => {
    const { uid, gid } = top.selfStatus();
    using file = top.createFile("f", 0o600);
    file.changeOwner(uid, gid);
    top.makeSymlink("l", "f");
    top.changeOwner("l", uid, gid);
    assert.equal(top.status("l")?.uid, uid);
    assert.equal(file.status().gid, gid);
  }],
  ["appendFile() creates once and then adds at the end", (_root, top) => {
    for (const text of ["one\n", "two\n"]) {
      using file = top.appendFile("log", 0o640);
      file.write(new TextEncoder().encode(text));
    }
    assert.equal(take(top, "log"), "one\ntwo\n");
    assert.equal(top.status("log")?.mode, 0o640);
    using file = top.appendFile("log", 0o600);
    file.truncate(0);
    file.write(new TextEncoder().encode("three"));
    assert.equal(take(top, "log"), "three");
    assert.equal(top.status("log")?.mode, 0o640);
  }],
  ["openFile() refuses what is no regular file", (_root, top) => {
    top.makeDirectory("d", 0o755);
    assertErrno(() => top.openFile("d"), "EISDIR");
    assertErrno(() => top.appendFile("d", 0o600), "EISDIR");
    assertErrno(() => top.openFile("none"), "ENOENT");
  }],
  ["T-LOCK-02: tryLock() is exclusive between open files and ends with the holder's", (_root, top) => {
    using first = top.appendFile("lock", 0o644);
    {
      using second = top.appendFile("lock", 0o644);
      assert.equal(second.tryLock(), true);
      assert.equal(second.tryLock(), true);
      assert.equal(first.tryLock(), false);
    }
    assert.equal(first.tryLock(), true);
  }],
];

const NAMES: readonly Case[] = [
  [
    "T-PATH-11: readFile() reads what the buffer holds, follows no link and refuses what is no regular file",
    (_root, top) => {
      put(top, "f", "0123456789");
      top.makeSymlink("link", "f");
      top.makeDirectory("d", 0o755);
      const buffer = new Uint8Array(16);
      assert.equal(top.readFile("f", buffer, 10), 10);
      assert.equal(new TextDecoder().decode(buffer.subarray(0, 10)), "0123456789");
      // Shorter than it was found to be, and longer than the buffer.
      assert.equal(top.readFile("f", buffer, 16), 10);
      assert.equal(top.readFile("f", buffer.subarray(0, 4), 4), 4);
      assertErrno(() => top.readFile("link", buffer, 1), "ELOOP");
      assertErrno(() => top.readFile("d", buffer, 1), "EISDIR");
      assertErrno(() => top.readFile("none", buffer, 1), "ENOENT");
      assertErrno(() => top.readFile("d/..", buffer, 1), "EINVAL");
    },
  ],

  ["list() with a text gives the names that contain it, however many do not", (_root, top) => {
    for (let index = 0; index < 1500; index++) put(top, `name-${index}`, "");
    assert.deepEqual(top.list(".peipkg-").names, []);
    put(top, "é.peipkg-staged-1", "");
    put(top, "x.peipkg-", "");
    assert.deepEqual([...top.list(".peipkg-").names].sort(), ["x.peipkg-", "é.peipkg-staged-1"]);
  }],

  ["list() gives every name once and no dots", (_root, top) => {
    const names = ["a", "b c", "ü", "\ufeffmark", "\u{1f600}", "-"];
    for (const name of names) put(top, name, "");
    assert.deepEqual([...top.list().names].sort(), [...names].sort());
    // A second look starts from the beginning.
    assert.equal(top.list().names.length, names.length);
    top.unlink("a");
    assert.equal(top.list().names.length, names.length - 1);
  }],
  ["T-COMMIT-21: rename() with noReplace leaves both in place", (_root, top) => {
    put(top, "old", "old");
    put(top, "new", "new");
    assertErrno(() => top.rename("new", top, "old", { noReplace: true }), "EEXIST");
    assert.equal(take(top, "old"), "old");
    top.rename("new", top, "free", { noReplace: true });
    assert.equal(take(top, "free"), "new");
    assert.equal(top.status("new"), undefined);
  }],
  ["T-COMMIT-22: link() and rename() replace without losing the old inode", (root, top) => {
    top.makeDirectory("d", 0o755);
    using d = open(root, "/d");
    put(top, "f", "old");
    const inode = top.status("f")?.inode;
    top.link("f", top, "backup");
    assert.equal(top.status("f")?.links, 2);
    put(top, "staged", "new");
    const stagedInode = top.status("staged")?.inode;
    top.rename("staged", top, "f");
    assert.equal(top.status("f")?.inode, stagedInode);
    assert.equal(top.status("backup")?.inode, inode);
    assert.equal(top.status("backup")?.links, 1);
    assertErrno(() => top.link("f", top, "backup"), "EEXIST");
    assertErrno(() => top.link("none", top, "x"), "ENOENT");
    assertErrno(() => top.link("d", top, "x"), "EPERM");
    top.link("f", d, "other");
    assert.equal(d.status("other")?.inode, stagedInode);
  }],
  ["T-COMMIT-08: link() of a link makes a second name of the link itself", (_root, top) => {
    put(top, "f", "x");
    top.makeSymlink("l", "f");
    top.link("l", top, "m");
    assert.equal(top.status("m")?.type, "symlink");
    assert.equal(top.status("m")?.inode, top.status("l")?.inode);
    assert.equal(top.status("f")?.links, 1);
  }],
  ["rename() of two names of one inode changes nothing", (_root, top) => {
    put(top, "f", "x");
    top.link("f", top, "g");
    top.rename("f", top, "g");
    assert.equal(top.status("f")?.links, 2);
    assertErrno(() => top.rename("f", top, "g", { noReplace: true }), "EEXIST");
  }],
  ["T-COMMIT-23: rename() knows what may replace what", (root, top) => {
    top.makeDirectory("empty", 0o755);
    top.makeDirectory("full", 0o755);
    using full = open(root, "/full");
    full.makeDirectory("inner", 0o755);
    put(top, "f", "x");
    using inner = open(root, "/full/inner");
    assertErrno(() => top.rename("f", top, "empty"), "EISDIR");
    assertErrno(() => top.rename("empty", top, "f"), "ENOTDIR");
    assertErrno(() => top.rename("empty", top, "full"), "ENOTEMPTY", "EEXIST");
    assertErrno(() => top.rename("full", inner, "x"), "EINVAL");
    assertErrno(() => top.rename("none", top, "x"), "ENOENT");
    top.rename("full", top, "empty");
    using moved = open(root, "/empty");
    assert.deepEqual(moved.list().names, ["inner"]);
  }],
  ["unlink() and removeDirectory() take only their own kind", (root, top) => {
    top.makeDirectory("d", 0o755);
    using d = open(root, "/d");
    put(d, "f", "x");
    assertErrno(() => top.unlink("d"), "EISDIR");
    assertErrno(() => top.removeDirectory("d"), "ENOTEMPTY", "EEXIST");
    assertErrno(() => d.removeDirectory("f"), "ENOTDIR");
    assertErrno(() => d.unlink("none"), "ENOENT");
    assertErrno(() => d.removeDirectory("none"), "ENOENT");
    d.unlink("f");
    top.removeDirectory("d");
    assert.equal(top.status("d"), undefined);
    // The pinned directory is still there, but nothing can be put into it.
    assertErrno(() => d.createFile("late", 0o600), "ENOENT");
    assertErrno(() => d.makeDirectory("late", 0o700), "ENOENT");
  }],
  ["makeDirectory() and makeSymlink() never replace", (_root, top) => {
    put(top, "f", "x");
    assertErrno(() => top.makeDirectory("f", 0o755), "EEXIST");
    assertErrno(() => top.makeSymlink("f", "t"), "EEXIST");
    assertErrno(() => top.makeSymlink("l", "a\0b"), "EINVAL");
    assertErrno(() => top.makeSymlink("l", ""), "ENOENT");
    top.makeSymlink("l", "../any where/ü");
    assert.equal(top.readLink("l"), "../any where/ü");
    assertErrno(() => top.readLink("f"), "EINVAL");
    assertErrno(() => top.readLink("none"), "ENOENT");
  }],
  ["T-NAME-02: 255 bytes are a name, 256 are too long", (root, top) => {
    const longest = "ü".repeat(127) + "x";
    put(top, longest, "x");
    assert.deepEqual(top.list().names, [longest]);
    assertErrno(() => top.createFile(`${longest}y`, 0o600), "ENAMETOOLONG");
    assertErrno(() => top.status(`${longest}y`), "ENAMETOOLONG");
    assertErrno(() => root.openDirectory(`/${longest}y`), "ENAMETOOLONG");
    assertErrno(() => top.makeSymlink("l", "x".repeat(4096)), "ENAMETOOLONG");
    assertErrno(() => top.makeSymlink("l", "x".repeat(100_000)), "ENAMETOOLONG");
    top.makeSymlink("l", "x".repeat(4095));
    assert.equal(top.readLink("l").length, 4095);
  }],
];

const SYSTEMS: readonly Case[] = [
  ["T-COMMIT-40: a barrier and directory syncs can be made as often as needed", (root, top) => {
    using barrier = top.openBarrier();
    top.makeDirectory("d", 0o755);
    using d = open(root, "/d");
    {
      using file = d.createFile("f", 0o600);
      file.write(new Uint8Array(10));
      file.sync();
    }
    d.sync();
    top.sync();
    barrier?.sync();
    barrier?.sync();
    assert.equal(barrier?.device ?? top.device, d.device);
  }],
  ["T-SPACE-02, T-SPACE-04: fileSystemStatus() tells fragments, available bytes and inodes", (_root, top) => {
    const status = top.fileSystemStatus();
    assert.ok(status.fragmentBytes >= 512 && Number.isInteger(status.fragmentBytes));
    assert.ok(status.availableBytes > 0);
    assert.ok(status.inodes === 0 || status.inodesFree <= status.inodes);
    assert.equal(status.readOnly, false);
  }],
  ["A-SDA-16: without the Peios access-control system its calls answer ENOSYS", (root, top) => {
    if (root.hasKacs) return;
    put(top, "f", "x");
    assert.equal(top.hasKacs, false);
    assertErrno(() => top.readSecurity("f", 7), "ENOSYS");
    assertErrno(() => top.readSecurity(undefined, 7), "ENOSYS");
    assertErrno(() => top.writeSecurity("f", 4, new Uint8Array(20)), "ENOSYS");
    assertErrno(() => top.createSecuredFile("g", new Uint8Array(20)), "ENOSYS");
    assertErrno(() => top.makeSecuredDirectory("h", new Uint8Array(20)), "ENOSYS");
    assert.deepEqual(top.list().names, ["f"]);
  }],
  ["disposed handles answer EBADF and may be disposed twice", (root, top) => {
    top.makeDirectory("d", 0o755);
    const d = open(root, "/d");
    const file = d.createFile("f", 0o600);
    const reader = d.openFile("f");
    for (const handle of [reader, file, d]) {
      handle[Symbol.dispose]();
      handle[Symbol.dispose]();
    }
    assertErrno(() => d.selfStatus(), "EBADF");
    assertErrno(() => d.status("f"), "EBADF");
    assertErrno(() => file.write(new Uint8Array(1)), "EBADF");
    assertErrno(() => reader.readAt(new Uint8Array(1), 0), "EBADF");
  }],
];

/**
 * Registers the suite.
 *
 * @param name Which implementation.
 * @param build Makes a fresh world for each test.
 */
export function rootSuite(name: string, build: () => SuiteWorld): void {
  for (const [title, act] of [...PATHS, ...FILES, ...NAMES, ...SYSTEMS]) {
    Deno.test(`${title} (${name})`, () => {
      using world = build();
      using top = open(world.root, "/");
      act(world.root, top);
    });
  }
}
