import { strict as assert } from "node:assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { PeipkgError } from "../../../core/errors.ts";
import { chooseProxy } from "../../../core/repository/proxy.ts";
import { FETCH_LIMITS, fetchDocument } from "../../../core/repository/transport.ts";
import {
  breaking,
  encoded,
  endless,
  honest,
  type RawServer,
  replaced,
  serveRepository,
  stalling,
  status,
} from "../../support/repository_server.ts";
import { openRepositoryWorld, type RepositoryWorld, streamOf } from "../../support/repository_world.ts";
import { refusedBy } from "../../support/refusals.ts";

interface Scene extends AsyncDisposable {
  readonly world: RepositoryWorld;
  readonly server: RawServer;
  fetch(path: string, options?: { limitBytes?: number; compressed?: boolean; insecure?: boolean }): Promise<string>;
}

function begin(settings: readonly string[] = []): Scene {
  const world = openRepositoryWorld();
  world.isOnline = true;
  const directory = `${world.rootPath}/srv`;
  Deno.mkdirSync(directory);
  Deno.writeTextFileSync(`${directory}/hello`, "hello, world");
  const server = serveRepository(directory);
  const workspace = world.open(settings);
  return {
    world,
    server,
    async fetch(path, options = {}) {
      const bytes = await fetchDocument(workspace, {
        url: path.includes("://") ? path : `${server.url}/${path}`,
        repository: "main",
        allowInsecureTransport: options.insecure ?? true,
        limitBytes: options.limitBytes ?? 1000,
        compressed: options.compressed ?? true,
      });
      return new TextDecoder().decode(bytes);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      world[Symbol.dispose]();
    },
  };
}

/** As the runtime gives them: a reader may bring the place for what it reads. */
function byteStreamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      for (const chunk of chunks) if (chunk.length > 0) controller.enqueue(chunk.slice());
      controller.close();
    },
  });
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
}

Deno.test("R-HTTP-01: fetchDocument() takes 200 for success and names any other status", async () => {
  await using scene = begin();
  assert.equal(await scene.fetch("hello"), "hello, world");
  await assert.rejects(scene.fetch("missing"), (error) => {
    refusedBy("E_HTTP_STATUS")(error);
    return error instanceof PeipkgError && error.detail.status === 404;
  });
  assert.deepEqual(scene.server.requests, ["hello", "missing"]); // R-HTTP-06: no retry on 404
  for (const line of ["206 Partial Content", "304 Not Modified", "204 No Content"]) {
    scene.server.behaviours.set("hello", status(line));
    await assert.rejects(scene.fetch("hello"), refusedBy("E_HTTP_STATUS"));
  }
});

Deno.test("R-HTTP-02: fetchDocument() stops at the limit, declared or not", async () => {
  await using scene = begin();
  assert.equal(await scene.fetch("hello", { limitBytes: 12 }), "hello, world");
  await assert.rejects(scene.fetch("hello", { limitBytes: 11 }), refusedBy("E_SIZE_BOUND"));
  scene.server.behaviours.set("hello", endless);
  await assert.rejects(scene.fetch("hello", { limitBytes: FETCH_LIMITS.signatureBytes }), refusedBy("E_SIZE_BOUND"));
});

Deno.test("R-HTTP-02, R-HTTP-03: fetchDocument() decodes what it offered and bounds the content", async () => {
  await using scene = begin();
  const bomb = new Uint8Array(64 * 1024 * 1024);
  const cases = [["gzip", gzipSync, [0x1f, 0x8b, 1, 2, 3, 4]], ["zstd", zstdCompressSync, [1, 2, 3, 4, 5]]] as const;
  for (const [coding, compress, damaged] of cases) {
    // Over the loopback the runtime may have decoded already; handed over directly the bytes are as sent.
    for (const isOnline of [true, false]) {
      scene.world.isOnline = isOnline;
      const answer = (body: Uint8Array) => {
        scene.server.behaviours.set("hello", encoded(coding, body));
        scene.world.serve = () => ({ headers: { "content-encoding": coding }, body });
      };
      answer(compress("hello, world"));
      assert.equal(await scene.fetch("hello"), "hello, world");
      await assert.rejects(scene.fetch("hello", { compressed: false }), refusedBy("E_HTTP_ENCODING"));
      answer(compress(bomb));
      await assert.rejects(scene.fetch("hello", { limitBytes: 1_000_000 }), refusedBy("E_SIZE_BOUND"));
      answer(new Uint8Array(damaged));
      if (!isOnline) await assert.rejects(scene.fetch("hello"), refusedBy("E_HTTP_ENCODING"));
    }
  }
  scene.world.isOnline = true;
  scene.server.behaviours.set("hello", encoded("br", new Uint8Array(3)));
  await assert.rejects(scene.fetch("hello"), refusedBy("E_HTTP_ENCODING"));
});

Deno.test("R-SIG-01, R-HTTP-02: fetchDocument() gives the bytes that came, whatever length was announced", async () => {
  await using scene = begin();
  scene.world.isOnline = false;
  const chunks = ["he", "", "llo, ", "wor", "ld"].map((text) => new TextEncoder().encode(text));
  for (const announced of [undefined, "0", "1", "7", "12", "999", "x", "-1"]) {
    const headers = announced === undefined ? {} : { "content-length": announced };
    for (const open of [streamOf, byteStreamOf]) {
      scene.world.serve = () => ({ headers, body: open(chunks) });
      assert.equal(await scene.fetch("hello"), "hello, world", announced);
      await assert.rejects(scene.fetch("hello", { limitBytes: 11 }), refusedBy("E_SIZE_BOUND"));
    }
  }
  // More than is read at once, and more than there is room for at first.
  const large = String.fromCharCode(...Array.from({ length: 100_000 }, (_, at) => 32 + at % 90)).repeat(10);
  for (const announced of ["1000000", "300000", "0"]) {
    const body = byteStreamOf([new TextEncoder().encode(large)]);
    scene.world.serve = () => ({ headers: { "content-length": announced }, body });
    assert.ok(await scene.fetch("hello", { limitBytes: 1_000_000 }) === large, announced);
  }
  scene.world.serve = () => ({ headers: { "content-length": "1001" }, body: streamOf(chunks) });
  await assert.rejects(scene.fetch("hello"), refusedBy("E_SIZE_BOUND"));
});

Deno.test("R-HTTP-04: fetchDocument() follows redirects only where they may lead", async () => {
  await using scene = begin();
  scene.server.behaviours.set("a", status("302 Found", { location: "/hello" }));
  assert.equal(await scene.fetch("a"), "hello, world");
  for (const location of ["file:///etc/passwd", "ftp://h/x", "data:text/plain,x"]) {
    scene.server.behaviours.set("a", status("301 Moved", { location }));
    await assert.rejects(scene.fetch("a"), refusedBy("E_REDIRECT"));
  }
  scene.server.behaviours.set("a", status("307 Temporary", { location: `${scene.server.url}/hello` }));
  await assert.rejects(scene.fetch("a", { insecure: false }), refusedBy("E_REDIRECT"));
  scene.server.behaviours.set("loop", status("302 Found", { location: "/loop" }));
  scene.server.requests.length = 0;
  await assert.rejects(scene.fetch("loop"), refusedBy("E_REDIRECT"));
  assert.equal(scene.server.requests.length, 11);
});

Deno.test("R-HTTP-05: fetchDocument() gives up on a server that falls silent", async () => {
  await using scene = begin(["fetch_timeout=1", "fetch_retries=0"]);
  scene.server.behaviours.set("hello", stalling);
  // A wait of one second is short enough to be skipped by the test's clock, so silence is noticed at once.
  await assert.rejects(scene.fetch("hello"), refusedBy("E_NETWORK_TIMEOUT"));
});

Deno.test("R-HTTP-05: a collection of garbage meanwhile leaves nobody waiting", async () => {
  await using scene = begin(["fetch_timeout=1", "fetch_retries=0"]);
  scene.server.behaviours.set("hello", async (connection, file) => {
    setTimeout(collectGarbage, 200);
    await stalling(connection, file);
  });
  await assert.rejects(scene.fetch("hello"), refusedBy("E_NETWORK_TIMEOUT"));
});

Deno.test("R-HTTP-05, R-HTTP-06: fetchDocument() retries a broken connection with growing waits", async () => {
  await using scene = begin();
  scene.server.behaviours.set("hello", breaking(3, 2));
  assert.equal(await scene.fetch("hello"), "hello, world");
  assert.deepEqual(scene.world.sleeps.filter((wait) => wait < 10_000), [1000, 2000]);
  scene.server.behaviours.set("hello", breaking(3));
  scene.server.requests.length = 0;
  await assert.rejects(scene.fetch("hello"), refusedBy("E_NETWORK"));
  assert.equal(scene.server.requests.length, 4);
});

Deno.test("R-HTTP-06: fetchDocument() retries 408, 429 and 5xx and honours Retry-After up to 30 s", async () => {
  await using scene = begin();
  const answers = [
    status("503 Busy", { "retry-after": "7" }),
    status("429 Slow", { "retry-after": "600" }),
    status("408 Late"),
  ];
  scene.server.behaviours.set("hello", (connection, file) => (answers.shift() ?? honest)(connection, file));
  assert.equal(await scene.fetch("hello"), "hello, world");
  assert.deepEqual(scene.world.sleeps.filter((wait) => wait <= 30_000), [7000, 30_000, 4000]);
});

Deno.test("R-MIR-05: fetchDocument() reads file: URLs within the same limits", async () => {
  await using scene = begin();
  const url = `file://${scene.server.directory}/hello`;
  assert.equal(await scene.fetch(url), "hello, world");
  await assert.rejects(scene.fetch(url, { limitBytes: 11 }), refusedBy("E_SIZE_BOUND"));
  await assert.rejects(scene.fetch(`${url}-not`), refusedBy("E_FILE_FETCH"));
  await assert.rejects(scene.fetch(`file://${scene.server.directory}`), refusedBy("E_FILE_FETCH"));
});

Deno.test("fetchDocument() ends at once when the session is aborted", async () => {
  using world = openRepositoryWorld();
  const stop = new AbortController();
  const reason = new PeipkgError("interrupted", "interrupted");
  const workspace = world.open();
  const session = { ...workspace.session, signal: stop.signal };
  world.serve = () => {
    stop.abort(reason);
    return { body: streamOf([new Uint8Array(1)]) };
  };
  const context = {
    session,
    settings: workspace.settings,
    startedAt: 0,
    certificates: undefined,
    rate: workspace.rate,
    openCache: () => undefined,
  };
  const request = {
    url: "https://h/x",
    repository: "m",
    allowInsecureTransport: false,
    limitBytes: 9,
    compressed: false,
  };
  await assert.rejects(fetchDocument(context, request), (error) => error === reason);
});

Deno.test("fetchDocument() sends the configured agent and offers codings for metadata only", async () => {
  await using scene = begin(["user_agent=probe/1"]);
  const seen: (string | undefined)[][] = [];
  scene.server.behaviours.set("hello", async (connection, file) => {
    seen.push([connection.headers.get("user-agent"), connection.headers.get("accept-encoding")]);
    await replaced(file ?? new Uint8Array())(connection, file);
  });
  await scene.fetch("hello");
  await scene.fetch("hello", { compressed: false });
  assert.deepEqual(seen, [["probe/1", "zstd, gzip"], ["probe/1", "identity"]]);
});

Deno.test("chooseProxy() prefers the key, then the variable of the scheme, and leaves out NO_PROXY hosts", () => {
  const proxies = {
    all: "",
    https: "http://s:1",
    http: "p:2",
    direct: ["internal.example", ".lan", "[::1]", "h.example:8443"],
  };
  const choose = (url: string, more = {}) => chooseProxy({ ...proxies, ...more }, new URL(url));
  assert.equal(choose("https://a.example/"), "http://s:1");
  assert.equal(choose("http://a.example/"), "http://p:2");
  assert.equal(choose("https://internal.example/"), undefined);
  assert.equal(choose("https://x.internal.example/"), undefined);
  assert.equal(choose("https://notinternal.example/"), "http://s:1");
  assert.equal(choose("https://box.lan/"), undefined);
  assert.equal(choose("https://h.example:8443/"), undefined);
  assert.equal(choose("https://h.example/"), "http://s:1");
  assert.equal(choose("https://internal.example/", { all: "http://all:3" }), "http://all:3");
  assert.equal(choose("https://a.example/", { direct: ["*"] }), undefined);
});
