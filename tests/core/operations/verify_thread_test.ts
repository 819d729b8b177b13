import assert from "node:assert/strict";
import { FileInspector, type Finding } from "../../../core/operations/file_inspector.ts";
import { verifyInstalled } from "../../../core/operations/verify.ts";
import { type Part, VerifyThread } from "../../../core/operations/verify_thread.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import { realSystem } from "../../../core/runtime.ts";
import type { InstalledFile } from "../../../core/store/installed.ts";
import type { RootDirectory } from "../../../core/system.ts";
import { type InstallationFixture, openInstallation } from "./installation_fixture.ts";

interface Tree extends Disposable {
  readonly path: string;
  readonly root: RootDirectory;
}

function openTree(): Tree {
  const path = Deno.makeTempDirSync();
  const system = realSystem();
  const root = system.openRoot(path);
  return {
    path,
    root,
    [Symbol.dispose]() {
      root[Symbol.dispose]();
      system[Symbol.dispose]();
      Deno.removeSync(path, { recursive: true });
    },
  };
}

function recorded(path: string, text: string): InstalledFile {
  const bytes = new TextEncoder().encode(text);
  return {
    path,
    type: "file",
    sizeBytes: bytes.length,
    hash: sha256Hex(bytes),
    target: undefined,
    preservedHash: undefined,
    newDefaultOf: undefined,
  };
}

const partOf = (...files: readonly InstalledFile[]): Part => ({ files, findings: undefined });
const noSignal = new AbortController().signal;

/** Offers until the thread has started; what it then does is waited for by `finish()`. */
async function give(thread: VerifyThread, part: Part): Promise<void> {
  while (!thread.offer(part)) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Runs other code than the one that looks. */
function moduleOf(code: string): URL {
  return new URL(`data:application/javascript,${encodeURIComponent(code)}`);
}

/** Says that it has started, then does as told with the first part. */
const started = (onPart: string) =>
  moduleOf(`addEventListener("message", ({ ports: [port] }) => {
    port.onmessage = ({ data }) => {
      if (data.kind === "begin") Atomics.store(new Int32Array(data.counters), 0, 1);
      else { ${onPart} }
    };
  });`);

Deno.test("T-VRFY-01, T-PATH-01: another thread finds what this one finds, in the tree that was opened", async () => {
  using tree = openTree();
  Deno.mkdirSync(`${tree.path}/usr`);
  Deno.writeTextFileSync(`${tree.path}/usr/right`, "right");
  Deno.writeTextFileSync(`${tree.path}/usr/wrong`, "wrong");
  Deno.writeTextFileSync(`${tree.path}/usr/open`, "open");
  Deno.chmodSync(`${tree.path}/usr/open`, 0o757);
  const files = [
    recorded("/usr/absent", "x"),
    recorded("/usr/open", "open"),
    recorded("/usr/right", "right"),
    recorded("/usr/wrong", "WRONG"),
  ];
  using inspector = new FileInspector(tree.root, false);
  const own = files.map((file) => inspector.inspect(file)).filter((finding): finding is Finding =>
    finding !== undefined
  );
  // Whatever has the name meanwhile is another tree.
  const aside = `${tree.path}-aside`;
  Deno.renameSync(tree.path, aside);
  try {
    using thread = VerifyThread.start(tree.root);
    assert.ok(thread !== undefined);
    const part = partOf(...files);
    await give(thread, part);
    assert.deepEqual(await thread.finish(noSignal), []);
    assert.deepEqual(part, { files: [], findings: own });
    assert.deepEqual(own.map(({ difference, mode }) => difference?.kind ?? mode), [
      "missing",
      "is writable by others",
      "modified",
    ]);
  } finally {
    Deno.renameSync(aside, tree.path);
  }
});

Deno.test("a thread that never starts is given nothing and not waited for", async () => {
  using tree = openTree();
  using thread = VerifyThread.start(tree.root, moduleOf("throw new Error('no')"));
  assert.ok(thread !== undefined);
  assert.equal(thread.offer(partOf()), false);
  assert.deepEqual(await thread.finish(noSignal), []);
});

Deno.test("T-VRFY-09: parts a thread took and did not answer come back", async () => {
  using tree = openTree();
  using thread = VerifyThread.start(tree.root, started("throw new Error('in the middle')"));
  assert.ok(thread !== undefined);
  const part = partOf(recorded("/a", "a"));
  await give(thread, part);
  assert.deepEqual(await thread.finish(noSignal), [part]);
  assert.equal(part.files.length, 1);
});

Deno.test("a thread takes few parts ahead, and a signal ends the waiting for it", async () => {
  using tree = openTree();
  using thread = VerifyThread.start(tree.root, started(""));
  assert.ok(thread !== undefined);
  await give(thread, partOf());
  assert.deepEqual([1, 2, 3].map(() => thread.offer(partOf())), [true, true, false]);
  const abort = new AbortController();
  const waiting = thread.finish(abort.signal);
  abort.abort(new Error("stop"));
  await assert.rejects(waiting, /^Error: stop$/);
  await assert.rejects(thread.finish(abort.signal), /^Error: stop$/);
});

/** Packages of which some files are edited, missing or writable by others. */
async function damaged(): Promise<InstallationFixture> {
  const fixture = openInstallation();
  for (const name of ["aa", "bb", "cc"]) {
    const paths = Array.from({ length: 400 }, (_, index) => `/usr/${name}/${index % 7}/${index}`);
    await fixture.install({ name, files: Object.fromEntries(paths.map((path) => [path, { text: path }])) });
    for (const [index, path] of paths.entries()) {
      if (index % 50 === 0) Deno.writeTextFileSync(`${fixture.rootPath}${path}`, "?".repeat(path.length));
      if (index % 90 === 1) Deno.removeSync(`${fixture.rootPath}${path}`);
      if (index % 110 === 2) Deno.chmodSync(`${fixture.rootPath}${path}`, 0o757);
    }
  }
  return fixture;
}

Deno.test("T-VRFY-09, T-VRFY-08: with a second thread the same is said in the same order", async () => {
  using fixture = await damaged();
  let told = 0;
  const said = () => {
    const warnings = fixture.events.slice(told).filter(({ kind }) => kind === "warning");
    told = fixture.events.length;
    return warnings;
  };
  const alone = await verifyInstalled(fixture.workspace, [], { muchBytes: Infinity });
  const saidAlone = said();
  assert.equal(alone.problems.length, 3 * (8 + 5));
  assert.equal(saidAlone.length, 3 * 4);
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(await verifyInstalled(fixture.workspace, [], { muchBytes: 0 }), alone);
    assert.deepEqual(said(), saidAlone);
  }
});
