import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import {
  type PayloadVisitor,
  replayPackage,
  type VerifiedPackage,
  verifyPackage,
} from "../../../core/format/package_file.ts";
import { createRing, RingReader, SLOT_BYTES, SLOTS } from "../../../core/format/shared_ring.ts";
import { type FromThread, type ToThread, ZstdThread } from "../../../core/format/zstd_thread.ts";
import { buildPackage, type PackageSpec, sourceOf, verifyOptions } from "../../support/package_builder.ts";

/** Content of which no two parts are alike, so that the package is as large as it. */
const NOISE = new Uint8Array(randomBytes(700_000));
const PAYLOAD: PackageSpec["payload"] = [
  { name: "usr/share/demo/", type: "dir" },
  { name: "usr/share/demo/a", content: NOISE.subarray(0, 300_001) },
  { name: "usr/share/demo/b", content: "small" },
  { name: "usr/share/demo/c", type: "symlink", target: "a" },
  { name: "usr/share/demo/d", content: NOISE.subarray(300_001) },
  { name: "usr/share/demo/empty", content: "" },
];

/** As `buildPackage()`, in one frame whatever the size. */
async function build({ file, ...spec }: PackageSpec): Promise<Uint8Array<ArrayBuffer>> {
  let tar = new Uint8Array();
  await buildPackage({ ...spec, archive: (bytes) => tar = bytes });
  const params = { [constants.ZSTD_c_checksumFlag]: spec.checksum === true ? 1 : 0 };
  const bytes = new Uint8Array(zstdCompressSync(tar, { chunkSize: 8 * 1024 * 1024, params }));
  return file === undefined ? bytes : file(bytes);
}

/** Everything verification says, as text; the package itself as far as it is data. */
async function verdictOf(bytes: Uint8Array<ArrayBuffer>, thread: ZstdThread | undefined): Promise<string> {
  const options = await verifyOptions(thread === undefined ? {} : { thread });
  return await verifyPackage(sourceOf(bytes), options).then(
    ({ manifestBytes, signatureBytes: _signature, ...rest }) =>
      JSON.stringify([rest, manifestBytes.length], (_key, value) => typeof value === "bigint" ? String(value) : value),
    (error) => {
      if (!(error instanceof PeipkgError)) throw error;
      return `${error.code} ${error.detail.rule} ${error.message}`;
    },
  );
}

/** What a second reading hands over. */
class Content implements PayloadVisitor {
  readonly files = new Map<string, Uint8Array[]>();
  #chunks: Uint8Array[] = [];

  entry({ path, type }: { readonly path: string; readonly type: string }): boolean {
    this.#chunks = [];
    if (type === "file") this.files.set(path, this.#chunks);
    return true;
  }

  data(chunk: Uint8Array): void {
    this.#chunks.push(new Uint8Array(chunk));
  }

  end(): void {}

  lengthOf(path: string): number {
    return (this.files.get(path) ?? []).reduce((sum, { length }) => sum + length, 0);
  }
}

async function verified(bytes: Uint8Array<ArrayBuffer>): Promise<VerifiedPackage> {
  return await verifyPackage(sourceOf(bytes), await verifyOptions());
}

/** A thread that runs other code. */
function threadRunning(code: string, signal?: AbortSignal): ZstdThread {
  return new ZstdThread({ module: new URL(`data:application/javascript,${encodeURIComponent(code)}`), signal });
}

/** Greets like the real one, then takes what it is given and says no more. */
const SILENT = `addEventListener("message", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "sum") port.postMessage({ kind: "sum", digest: new Uint8Array(32) });
  };
});`;

/** Greets like the real one, then ends at the first piece of a file. */
const DYING = `addEventListener("message", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "sum") port.postMessage({ kind: "sum", digest: new Uint8Array(32) });
    if (data.kind === "write") throw new Error("out of luck");
  };
});`;

Deno.test("F-VFY-12, F-VFY-13: a package decoded in another thread gets the same verdict, damaged anywhere", async () => {
  using thread = new ZstdThread();
  const specs: readonly PackageSpec[] = [
    { payload: PAYLOAD },
    { payload: PAYLOAD, checksum: true },
    { payload: PAYLOAD, sign: false },
    { payload: PAYLOAD, manifest: { size_installed: 1 } },
    { payload: PAYLOAD, files: { entries: [] } },
    { payload: PAYLOAD, closing: new Uint8Array(512) },
    { payload: PAYLOAD, after: [{ name: ".peipkg/late", content: "x" }] },
    { payload: PAYLOAD, file: (bytes) => bytes.slice(0, -9) },
    { payload: PAYLOAD, file: (bytes) => new Uint8Array([...bytes, 1]) },
  ];
  for (const spec of specs) {
    const bytes = await build(spec);
    assert.ok(bytes.length > 600_000);
    assert.equal(await verdictOf(bytes, thread), await verdictOf(bytes, undefined));
  }
  const whole = await build({ payload: PAYLOAD });
  assert.match(await verdictOf(whole, thread), /"kind":"verified"/);
  for (let at = 0; at < whole.length; at += 20_011) {
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    const verdict = await verdictOf(damaged, thread);
    assert.equal(verdict, await verdictOf(damaged, undefined), `byte ${at}`);
  }
});

Deno.test("T-VERIFY-05, T-STAGE-02: a second reading in another thread hands over the same content", async () => {
  using thread = new ZstdThread();
  const bytes = await build({ payload: PAYLOAD });
  const [here, there] = [new Content(), new Content()];
  await replayPackage(sourceOf(bytes), await verified(bytes), here);
  await replayPackage(sourceOf(bytes), await verified(bytes), there, { thread });
  const joined = ({ files }: Content) =>
    [...files].map(([path, parts]) => [path, new Uint8Array(parts.flatMap((part) => [...part]))]);
  assert.deepEqual(joined(there), joined(here));
  assert.equal(there.lengthOf("usr/share/demo/d"), 399_999);
});

Deno.test("T-VERIFY-05: a file changed between its readings is refused whichever thread reads it", async () => {
  using thread = new ZstdThread();
  const bytes = await build({ payload: PAYLOAD });
  const other = await build({
    payload: (PAYLOAD ?? []).map((entry) => entry.name.endsWith("/b") ? { ...entry, content: "SMALL" } : entry),
  });
  const before = await verified(bytes);
  for (const changed of [other, bytes.slice(0, -1), new Uint8Array([...bytes, 0])]) {
    await assert.rejects(
      replayPackage(sourceOf(changed), before, new Content(), { thread }),
      (error) => error instanceof PeipkgError && error.detail.rule === "PKG_CHANGED",
    );
  }
});

/** The thread's code without what `ZstdThread` makes of it. */
class Bare implements Disposable {
  readonly #worker = new Worker(new URL("../../../core/format/zstd_worker.ts", import.meta.url), { type: "module" });
  readonly #port: MessagePort;
  readonly ring: RingReader;
  readonly #told: FromThread[] = [];
  #wake = () => {};

  constructor() {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<FromThread>) => {
      this.#told.push(data);
      this.#wake();
    };
    this.#port = port1;
    this.#worker.postMessage(undefined, [port2]);
    const ring = createRing();
    this.ring = new RingReader(ring);
    this.send({ kind: "begin", summed: "signed-range", ring });
  }

  send(message: ToThread): void {
    this.#port.postMessage(message);
  }

  write(piece: Uint8Array): void {
    this.ring.hand(piece);
    this.send({ kind: "write", bytes: piece.length });
  }

  /** The next message. */
  async told(): Promise<FromThread["kind"]> {
    for (;;) {
      const next = this.#told.shift();
      if (next !== undefined) return next.kind;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Sleeps until something holds that the thread brings about. */
  async until(holds: () => boolean): Promise<void> {
    for (;;) {
      const { news } = this.ring;
      if (holds()) return;
      this.ring.wait(news, 10);
      await new Promise<void>((resolve) => void setImmediate(resolve)); // starting the thread needs this one
    }
  }

  [Symbol.dispose](): void {
    this.ring.leave();
    this.#port.close();
    this.#worker.terminate();
  }
}

Deno.test("F-ZST-03: another thread decodes no further ahead than the memory it shares with who reads", async () => {
  using thread = new Bare();
  thread.write(new Uint8Array(zstdCompressSync(new Uint8Array(64 * 1024 * 1024))));
  await thread.until(() => thread.ring.waiting === SLOTS);
  thread.ring.leave();
  thread.send({ kind: "close" });
  while (await thread.told() !== "closed");
  assert.equal(thread.ring.waiting, SLOTS);
});

Deno.test("F-VFY-12: what stands before a fault arrives before it, however late it is read", async () => {
  const contentBytes = SLOTS * SLOT_BYTES + 10_000; // the last part waits in the thread, which has no room for it
  for (const more of [new Uint8Array(), new Uint8Array(2000).fill(0x28)]) {
    using thread = new Bare();
    thread.write(new Uint8Array(zstdCompressSync(new Uint8Array(contentBytes))));
    if (more.length > 0) thread.write(more);
    await thread.until(() => thread.ring.waiting === SLOTS);
    assert.equal(thread.ring.taken, 0);
    let receivedBytes = 0;
    const drain = () => thread.ring.read((bytes) => receivedBytes += bytes.length);
    drain();
    if (more.length > 0) assert.equal(await thread.told(), "failed");
    else await thread.until(() => thread.ring.taken === 1);
    drain();
    assert.equal(receivedBytes, contentBytes);
  }
});

Deno.test("a thread that cannot be started is done without", async () => {
  using thread = new ZstdThread({ module: new URL("file:///nowhere/zstd_worker.js") });
  const bytes = await build({ payload: PAYLOAD });
  assert.equal(await verdictOf(bytes, thread), await verdictOf(bytes, undefined));
});

Deno.test("a thread that was disposed is done without, also by those who waited for it", async () => {
  const thread = new ZstdThread();
  assert.ok(await thread.turn("signed-range") !== undefined);
  const waiting = [thread.turn("signed-range"), thread.turn("signed-range")];
  await new Promise((resolve) => setTimeout(resolve)); // so that they do wait
  thread[Symbol.dispose]();
  assert.deepEqual(await Promise.all([...waiting, thread.turn("signed-range")]), [undefined, undefined, undefined]);
});

Deno.test("a thread that ends at work is a failure of the operation, not of the package", async () => {
  using thread = threadRunning(DYING);
  const bytes = await build({ payload: PAYLOAD });
  assert.match(await verdictOf(bytes, thread), /^internal undefined cannot decompress: the thread that does it ended/);
  assert.match(await verdictOf(bytes, thread), /^internal /); // what comes later does not wait for it
  using shared = threadRunning(DYING);
  const verdicts = await Promise.all([1, 2, 3, 4].map(() => verdictOf(bytes, shared))); // nor what waits for a turn
  assert.deepEqual(verdicts.map((text) => text.split(" ", 1)[0]), ["internal", "internal", "internal", "internal"]);
  assert.match(await verdictOf(bytes, shared), /^internal /);
  using another = threadRunning(DYING);
  await assert.rejects(
    replayPackage(sourceOf(bytes), await verified(bytes), new Content(), { thread: another }),
    (error) => error instanceof PeipkgError && error.code === "internal",
  );
});

Deno.test("packages wait for their turn, and a failure of one lets the next begin", async () => {
  using thread = new ZstdThread();
  const whole = await build({ payload: PAYLOAD });
  const damaged = whole.slice();
  damaged.fill(0xff, 400_000, 400_100);
  const verdicts = await Promise.all([whole, damaged, whole, damaged, whole].map((bytes) => verdictOf(bytes, thread)));
  const expected = [await verdictOf(whole, undefined), await verdictOf(damaged, undefined)];
  assert.deepEqual(verdicts, [expected[0], expected[1], expected[0], expected[1], expected[0]]);
});

Deno.test("T-SIG-01: an interruption ends the waiting for a thread that says nothing", async () => {
  const bytes = await build({ payload: PAYLOAD });
  const known = await verified(bytes);
  for (const work of ["verify", "replay"]) {
    const abort = new AbortController();
    const { signal } = abort;
    using thread = threadRunning(SILENT, signal);
    const run = async (): Promise<unknown> =>
      work === "verify"
        ? await verifyPackage(sourceOf(bytes), { ...await verifyOptions({ thread }), signal })
        : await replayPackage(sourceOf(bytes), known, new Content(), { thread, signal });
    const waiting = [run(), run()]; // the second one for its turn
    setTimeout(() => abort.abort(new PeipkgError("interrupted", "interrupted", { signal: 2 })), 100);
    for (const result of await Promise.allSettled(waiting)) {
      assert.ok(result.status === "rejected" && result.reason === signal.reason, work);
    }
  }
});
