/** Random sequences of calls on the real and the in-memory tree: same answers, same refusals, same tree. */
import assert from "node:assert/strict";
import { PeipkgError, SystemCallError } from "../../../core/errors.ts";
import { openRoot } from "../../../core/fs/root.ts";
import type { Directory, RootDirectory } from "../../../core/system.ts";
import { memoryFileSystem } from "../../support/memory_root.ts";
import { repeatableRandom } from "../../support/memory_tree.ts";
import { snapshotTree } from "../../support/tree_snapshot.ts";
import { open, put, take } from "./root_suite.ts";

const DIRECTORIES = ["/", "/a", "/b", "/a/b", "/a/c"];
const NAMES = ["a", "b", "c", "d"];

type Step = (root: RootDirectory) => string;

/** What a call answered, in words that are the same for both trees. */
function answer(act: () => unknown): string {
  try {
    return String(act());
  } catch (error) {
    if (error instanceof SystemCallError) return error.message;
    if (error instanceof PeipkgError) return `${error.detail.rule} ${error.message}`;
    throw error;
  }
}

function within(path: string, act: (directory: Directory) => unknown): Step {
  return (root) =>
    answer(() => {
      using directory = root.openDirectory(path);
      return directory === undefined ? "no directory" : act(directory);
    });
}

function between(path: string, other: string, act: (one: Directory, two: Directory) => unknown): Step {
  return within(path, (one) => {
    // The second directory is opened beside the first by its own path.
    using two = one.openDirectory(other);
    return two === undefined ? "no directory" : act(one, two);
  });
}

/** One random step; the same for the same numbers. */
function randomStep(random: () => number, serial: number): Step {
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    assert.ok(item !== undefined);
    return item;
  };
  const path = pick(DIRECTORIES);
  const [name, other, noReplace] = [pick(NAMES), pick(NAMES), random() < 0.4];
  const mode = pick([0o600, 0o644, 0o755]);
  const steps: readonly Step[] = [
    within(path, (directory) => put(directory, name, `content ${serial}`, mode)),
    within(path, (directory) => directory.makeDirectory(name, mode | 0o700)),
    within(path, (directory) => directory.makeSymlink(name, other)),
    within(path, (directory) => directory.link(name, directory, other)),
    within(path, (directory) => directory.rename(name, directory, other, { noReplace })),
    between(path, name, (one, two) => one.rename(other, two, name, { noReplace })),
    between(path, name, (one, two) => two.rename(other, one, name, { noReplace })),
    between(path, name, (one, two) => two.link(other, one, name)),
    within(path, (directory) => directory.unlink(name)),
    within(path, (directory) => directory.removeDirectory(name)),
    within(path, (directory) => directory.changeMode(name, mode | 0o700)),
    within(path, (directory) => directory.setModified(name, BigInt(serial))),
    within(path, (directory) => directory.readLink(name)),
    within(path, (directory) => take(directory, name)),
    within(path, (directory) => [...directory.list().names].sort()),
    within(path, (directory) => {
      const status = directory.status(name);
      if (status === undefined) return "absent";
      // What counts as a link of a directory is each file system's own affair.
      return [status.type, status.mode, status.uid, status.type === "dir" ? "" : status.links];
    }),
    within(path, (directory) => {
      using file = directory.appendFile(name, mode);
      file.write(new TextEncoder().encode("more"));
      return file.status().sizeBytes;
    }),
    within(path, (directory) => {
      using file = directory.appendFile(name, mode);
      file.truncate(3);
    }),
  ];
  return pick(steps);
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  Deno.test(`the in-memory tree answers 1500 random calls as the real one does (seed ${seed})`, () => {
    const path = Deno.makeTempDirSync();
    try {
      using real = openRoot(path, { withoutOpenat2: seed % 2 === 0 });
      using top = open(real, "/");
      const { uid, gid } = top.selfStatus();
      const system = memoryFileSystem({ euid: uid, egid: gid });
      using twin = system.open();
      const random = repeatableRandom(seed);
      for (let serial = 1; serial <= 1500; serial++) {
        const step = randomStep(random, serial);
        assert.equal(step(twin), step(real), `step ${serial}`);
        if (serial % 100 === 0) assert.deepEqual(snapshotTree(twin), snapshotTree(real), `after step ${serial}`);
      }
      assert.equal(system.openHandles, 1);
    } finally {
      Deno.removeSync(path, { recursive: true });
    }
  });
}
