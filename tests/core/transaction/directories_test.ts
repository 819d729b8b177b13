import assert from "node:assert/strict";
import { SystemCallError } from "../../../core/errors.ts";
import type { RootDirectory } from "../../../core/system.ts";
import { DirectoryPool } from "../../../core/transaction/directories.ts";
import { memoryFileSystem } from "../../support/memory_root.ts";
import { refusedBy } from "../../support/refusals.ts";

/** A root with directories `/0` to `/99` of which at most `limit` can be open; `open` counts them. */
function narrowRoot(limit: number): { readonly root: RootDirectory; readonly open: () => number } {
  const fileSystem = memoryFileSystem();
  const inner = fileSystem.open("/");
  {
    using top = inner.openDirectory("/");
    for (let index = 0; index < 100; index++) top?.makeDirectory(String(index), 0o755);
  }
  const start = fileSystem.openHandles;
  const root: RootDirectory = {
    path: "/",
    hasKacs: false,
    foreignDirectories: [],
    openDirectory(path) {
      if (fileSystem.openHandles - start >= limit) throw new SystemCallError("EMFILE", "openat2", path);
      return inner.openDirectory(path);
    },
    [Symbol.dispose]: () => inner[Symbol.dispose](),
  };
  return { root, open: () => fileSystem.openHandles - start };
}

Deno.test("T-PATH-07: with few descriptors directories are closed and found again, never one in use", () => {
  const { root, open } = narrowRoot(20);
  {
    using pool = new DirectoryPool(root);
    for (let round = 0; round < 2; round++) {
      for (let index = 1; index < 100; index++) {
        const before = pool.need(`/${index - 1}`);
        const directory = pool.need(`/${index}`);
        assert.equal(before.selfStatus().type, "dir", "what was handed out before still works");
        assert.equal(directory.selfStatus().inode, directory.inode);
      }
    }
    assert.ok(open() <= 20);
  }
  assert.equal(open(), 0);
});

Deno.test("T-PATH-07: a pool leaves room for the other descriptors of the process", () => {
  const { root, open } = narrowRoot(1000);
  using pool = new DirectoryPool({
    ...root,
    openDirectory: (path) => root.openDirectory(path),
    raiseDescriptorLimit: () => 40,
  });
  for (let index = 0; index < 100; index++) pool.need(`/${index}`);
  assert.ok(open() <= 20, String(open()));
});

Deno.test("T-PATH-07: a directory that was exchanged while it was closed is PATH_CHANGED", () => {
  const { root } = narrowRoot(12);
  using pool = new DirectoryPool(root);
  pool.need("/7");
  for (let index = 20; index < 60; index++) pool.need(`/${index}`);
  const top = pool.need("/");
  top.removeDirectory("7");
  top.makeDirectory("7", 0o755);
  assert.throws(() => pool.need("/7"), refusedBy("PATH_CHANGED"));
});
