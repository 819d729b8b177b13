import assert from "node:assert/strict";
import { SystemCallError } from "../../core/errors.ts";
import { sidText } from "../../core/identity/sid.ts";
import { terminalPath } from "../../core/fs/machine.ts";
import { errnoName } from "../../core/fs/errno.ts";
import { type RealSystem, realSystem } from "../../core/runtime.ts";
import { type HttpRequest, type HttpResponse, NetworkError } from "../../core/system.ts";

const TEXT = new TextDecoder();
const FIXTURES = new URL("../fixtures/tls/", import.meta.url);
const readFixture = (name: string) => Deno.readTextFileSync(new URL(name, FIXTURES));

function get(
  system: RealSystem,
  url: string,
  options: Partial<Omit<HttpRequest, "url">> = {},
): Promise<HttpResponse> {
  const request = { url: new URL(url), headers: {}, signal: new AbortController().signal, ...options };
  return system.fetch(request);
}

async function text(response: HttpResponse): Promise<string> {
  return response.body === null ? "" : await new Response(response.body).text();
}

/** The phase a request fails in. */
async function phaseOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof NetworkError, String(error));
    return error.phase;
  }
  assert.fail("the request did not fail");
}

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly requests: { readonly method: string; readonly headers: Headers }[];
}

function serve(respond: (request: Request) => Response, tls?: { cert: string; key: string }): Server {
  const requests: Server["requests"] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {}, ...tls }, (request) => {
    // A request cannot be read any more once it is answered.
    requests.push({ method: request.method, headers: new Headers(request.headers) });
    return respond(request);
  });
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Accepts connections and sends these bytes to each after its request, then closes. */
function serveRaw(answer: string): Server {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    for await (const connection of listener) {
      using opened = connection;
      await opened.read(new Uint8Array(4096));
      await opened.write(new TextEncoder().encode(answer));
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    requests: [],
    async [Symbol.asyncDispose]() {
      listener.close();
      await done;
    },
  };
}

Deno.test("R-HTTP-03: fetch() sends the headers given and hands over raw bytes with their coding", async () => {
  using system = realSystem();
  await using server = serve(() =>
    new Response(new Uint8Array([0x28, 0xb5, 1]), { headers: { "content-encoding": "zstd", etag: '"x"' } })
  );
  const headers = { "accept-encoding": "zstd", "user-agent": "peipkg/0.1.0" };
  const response = await get(system, `${server.url}/index.json`, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-encoding"), "zstd");
  assert.equal(response.headers.get("ETag"), '"x"');
  assert.equal(response.headers.get("none"), null);
  assert.ok(response.body);
  assert.deepEqual(await new Response(response.body).bytes(), new Uint8Array([0x28, 0xb5, 1]));
  const [request] = server.requests;
  assert.equal(request?.method, "GET");
  assert.equal(request?.headers.get("accept-encoding"), "zstd");
  assert.equal(request?.headers.get("user-agent"), "peipkg/0.1.0");
});

Deno.test("R-HTTP-04: fetch() follows no redirect and reports every status as it is", async () => {
  using system = realSystem();
  await using server = serve((request) => {
    const status = Number(new URL(request.url).pathname.slice(1));
    return new Response(null, { status, headers: { location: "/200" } });
  });
  for (const status of [200, 204, 301, 302, 307, 404, 416, 503]) {
    const response = await get(system, `${server.url}/${status}`);
    assert.equal(response.status, status);
    if (status === 302) assert.equal(response.headers.get("location"), "/200");
    await response.body?.cancel();
  }
});

Deno.test("R-HTTP-05: fetch() tells where a request failed", async () => {
  using system = realSystem();
  // A label of 64 characters fails in the resolver without a question to anybody.
  assert.equal(await phaseOf(get(system, `http://${"a".repeat(64)}.invalid/`)), "resolve");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  assert.equal(await phaseOf(get(system, `http://127.0.0.1:${port}/`)), "connect");
  await using silent = serveRaw("");
  assert.equal(await phaseOf(get(system, silent.url)), "connect");
  await using plain = serveRaw("HTTP/1.1 400 Bad Request\r\n\r\n");
  assert.equal(await phaseOf(get(system, plain.url.replace("http:", "https:"))), "tls");
});

Deno.test("R-HTTP-05: a body that breaks off is a NetworkError of phase body", async () => {
  using system = realSystem();
  await using server = serveRaw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this");
  const response = await get(system, server.url);
  assert.equal(response.status, 200);
  assert.equal(await phaseOf(text(response)), "body");
});

Deno.test("fetch() ends with the signal's reason when aborted before, while waiting and in the body", async () => {
  using system = realSystem();
  const reason = new Error("enough");
  await assert.rejects(get(system, "http://127.0.0.1:9/", { signal: AbortSignal.abort(reason) }), reason);

  const waiting = new AbortController();
  await using server = serve((request) => {
    if (new URL(request.url).pathname === "/wait") {
      queueMicrotask(() => waiting.abort(reason));
      return new Response(new ReadableStream());
    }
    return new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("begin")),
      }),
    );
  });
  const promise = get(system, `${server.url}/wait`, { signal: waiting.signal }).then(text);
  await assert.rejects(promise, reason);

  const reading = new AbortController();
  const response = await get(system, `${server.url}/body`, { signal: reading.signal });
  const reader = response.body?.getReader();
  assert.equal(TEXT.decode((await reader?.read())?.value), "begin");
  reading.abort(reason);
  await assert.rejects(async () => await reader?.read(), reason);
});

Deno.test("fetch() trusts the extra authorities given, and nothing it was not given", async () => {
  using system = realSystem();
  await using server = serve(() => new Response("secret"), {
    cert: readFixture("server.pem"),
    key: readFixture("server.key"),
  });
  assert.equal(await phaseOf(get(system, server.url)), "tls");
  const certificates = readFixture("authority.pem");
  assert.equal(await text(await get(system, server.url, { certificates })), "secret");
  // A client once made with the authority is not used for a request without it.
  assert.equal(await phaseOf(get(system, server.url)), "tls");
});

Deno.test("fetch() goes through the proxy given and ignores the proxy variables itself", async () => {
  const variables = { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9", NO_PROXY: "peios.example" };
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  await using server = serve((request) => new Response(`${request.url} ${request.headers.get("proxy-authorization")}`));
  try {
    for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
    using system = realSystem();
    assert.equal(await text(await get(system, `${server.url}/direct`)), `${server.url}/direct null`);
    const proxied = await get(system, "http://peios.example/x", { proxy: server.url });
    assert.equal(await text(proxied), "http://peios.example/x null");
    const proxy = server.url.replace("//", "//user:p%40ss@");
    const authorised = await get(system, "http://peios.example/x", { proxy });
    assert.equal(await text(authorised), `http://peios.example/x Basic ${btoa("user:p@ss")}`);
    assert.equal(Deno.env.get("HTTP_PROXY"), "http://127.0.0.1:9");
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});

Deno.test("fetch() keeps to the address family asked for", async () => {
  using system = realSystem();
  await using server = serve(() => new Response("four"));
  assert.equal(await text(await get(system, server.url, { ipVersion: 4 })), "four");
  assert.equal(await phaseOf(get(system, server.url, { ipVersion: 6 })), "connect");
});

Deno.test("T-SIDE-05: a tool gets exactly its environment, /, no input and no descriptors beyond 0-2", async () => {
  using system = realSystem();
  Deno.env.set("PEIPKG_TEST_LEAK", "x");
  const tool = async (path: string, ...args: string[]) => {
    const { output, ...rest } = await system.runTool({ path, args, timeoutMilliseconds: 10_000 });
    assert.deepEqual(rest, { status: 0, timedOut: false });
    return TEXT.decode(output);
  };
  try {
    const variables = (await tool("/usr/bin/env")).trim().split("\n").sort();
    assert.deepEqual(variables, ["LANG=C", "LC_ALL=C", "PATH=/usr/bin"]);
  } finally {
    Deno.env.delete("PEIPKG_TEST_LEAK");
  }
  assert.equal(await tool("/bin/pwd"), "/\n");
  assert.equal(await tool("/bin/cat"), "");
  assert.equal(await tool("/usr/bin/readlink", "/proc/self/fd/0"), "/dev/null\n");
  // The fourth is the listing's own.
  assert.deepEqual((await tool("/bin/ls", "/proc/self/fd")).trim().split("\n"), ["0", "1", "2", "3"]);
  assert.equal(await tool("/bin/echo", "two words", "$HOME"), "two words $HOME\n");
});

Deno.test("T-SIDE-05: a tool does not inherit what the program itself was started with", async () => {
  const script = new URL("../support/tool_descriptors.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$0" run -q -A --no-check "$1" 9</dev/null', Deno.execPath(), script],
  }).output();
  assert.equal(TEXT.decode(stdout), "0 1 2 3\n");
});

Deno.test("T-SIDE-05: output of both streams is kept up to 64 KiB, and a tool that writes more still ends", async () => {
  using system = realSystem();
  const script = "head -c 50000 /dev/zero; head -c 50000 /dev/zero >&2; head -c 3000000 /dev/zero";
  const result = await system.runTool({ path: "/bin/sh", args: ["-c", script], timeoutMilliseconds: 30_000 });
  assert.equal(result.status, 0);
  assert.equal(result.output.length, 64 * 1024);
});

Deno.test("T-SIDE-09: status, signal and a missing tool are told apart", async () => {
  using system = realSystem();
  const run = (path: string, ...args: string[]) => system.runTool({ path, args, timeoutMilliseconds: 10_000 });
  const failed = await run("/bin/sh", "-c", "echo out; echo err >&2; exit 3");
  assert.equal(failed.status, 3);
  assert.deepEqual(TEXT.decode(failed.output).trim().split("\n").sort(), ["err", "out"]);
  const killed = await run("/bin/sh", "-c", "kill -TERM $$");
  assert.deepEqual([killed.status, killed.signal, killed.timedOut], [undefined, "SIGTERM", false]);
  const refusal = (errno: string) => (error: unknown) => error instanceof SystemCallError && error.errno === errno;
  await assert.rejects(run("/nowhere/ldconfig"), refusal("ENOENT"));
  await assert.rejects(run("/etc/passwd"), refusal("EACCES"));
});

Deno.test("T-SIDE-08: a tool is killed when its time is over, whatever it left behind", async () => {
  using system = realSystem();
  // The shell's child keeps the pipes open when the shell itself is gone.
  const args = ["-c", "echo begun; sleep 3; echo never"];
  const result = await system.runTool({ path: "/bin/sh", args, timeoutMilliseconds: 100 });
  assert.deepEqual([result.status, result.signal, result.timedOut], [undefined, "SIGKILL", true]);
  assert.equal(TEXT.decode(result.output), "begun\n");
});

Deno.test("T-LOCK-04: the machine tells what /proc says about this process", () => {
  using system = realSystem();
  const { machine } = system;
  const read = (path: string) => Deno.readTextFileSync(path).trim();
  assert.equal(machine.pid, Deno.pid);
  assert.equal(machine.uid, Deno.uid());
  assert.equal(machine.gid, Deno.gid());
  assert.equal(machine.architecture, Deno.build.arch);
  assert.equal(machine.bootId, read("/proc/sys/kernel/random/boot_id"));
  assert.equal(machine.startTicks, read("/proc/self/stat").replace(/^.*\) /, "").split(" ")[19]);
  assert.equal(machine.pidNamespace, Deno.readLinkSync("/proc/self/ns/pid"));
  assert.equal(machine.hostname, Deno.hostname());
  assert.equal(machine.kernelRelease, Deno.osRelease());
  assert.equal(machine.programPath, Deno.execPath());
  assert.equal(realSystem({ programPath: "/usr/bin/peipkg" }).machine.programPath, "/usr/bin/peipkg");
});

Deno.test("T-LOCK-07: processState() is gone for no process and for another start, alive for the same", async () => {
  using system = realSystem();
  const { machine } = system;
  assert.equal(machine.processState(machine.pid, machine.startTicks), "alive");
  assert.equal(machine.processState(machine.pid), "alive");
  assert.equal(machine.processState(machine.pid, "1"), "gone");
  const child = new Deno.Command("/bin/true").spawn();
  await child.status;
  assert.equal(machine.processState(child.pid, "1"), "gone");
});

Deno.test("T-DB-01: holdsOpenFile() finds a descriptor by device and inode and opens nothing", async () => {
  using system = realSystem();
  const path = await Deno.makeTempDir();
  try {
    using root = system.openRoot(path);
    using top = root.openDirectory("/");
    assert.ok(top);
    const { device, inode } = (() => {
      using file = top.createFile("db.sqlite", 0o644);
      const status = file.status();
      assert.equal(system.machine.holdsOpenFile(status.device, status.inode), true);
      return status;
    })();
    assert.equal(system.machine.holdsOpenFile(device, inode), false);
    using opened = system.openFile(`${path}/db.sqlite`);
    assert.equal(system.machine.holdsOpenFile(device, inode), true);
    assert.equal(system.machine.holdsOpenFile(device + 1n, inode), false);
    assert.equal(opened.path, `${path}/db.sqlite`);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("A-OPER-02: terminals are named from their device number", () => {
  assert.equal(terminalPath(34816), "/dev/pts/0");
  assert.equal(terminalPath(34816 + 7), "/dev/pts/7");
  assert.equal(terminalPath(0x0010_8801), "/dev/pts/257");
  assert.equal(terminalPath(0x0401), "/dev/tty1");
  assert.equal(terminalPath(0x0440), "/dev/ttyS0");
  assert.equal(terminalPath(0), undefined);
});

Deno.test("A-OPER-03: a SID is printed as text, and bytes that are none are absent", () => {
  const system = new Uint8Array([1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]);
  assert.equal(sidText(system), "S-1-5-18");
  const user = new Uint8Array([1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 9]);
  assert.equal(sidText(user), "S-1-5-21-4294967295");
  for (const bytes of [[], [1], [2, 0, 0, 0, 0, 0, 0, 5], [1, 2, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0], [1, 16]]) {
    assert.equal(sidText(new Uint8Array(bytes)), undefined);
  }
});

Deno.test("A-KMES-11: a kernel without events answers ENOSYS", { ignore: /peios/i.test(Deno.osRelease()) }, () => {
  using system = realSystem();
  const result = system.emitKernelEvent("peipkg.package.install", new Uint8Array([0x80]));
  assert.deepEqual(result, { kind: "refused", errno: "ENOSYS" });
  assert.equal(system.machine.sid, undefined);
});

Deno.test("errnoName() knows the kernel's numbers", () => {
  const numbers = [1, 2, 11, 17, 18, 28, 30, 36, 38, 39, 40, 41, 42, 61, 84, 95, 110, 122, 133, 134, 999];
  assert.deepEqual(numbers.map(errnoName), [
    "EPERM",
    "ENOENT",
    "EAGAIN",
    "EEXIST",
    "EXDEV",
    "ENOSPC",
    "EROFS",
    "ENAMETOOLONG",
    "ENOSYS",
    "ENOTEMPTY",
    "ELOOP",
    "E41",
    "ENOMSG",
    "ENODATA",
    "EILSEQ",
    "EOPNOTSUPP",
    "ETIMEDOUT",
    "EDQUOT",
    "EHWPOISON",
    "E134",
    "E999",
  ]);
});

Deno.test("sleep() waits, ends early with the signal's reason, and does not begin when aborted", async () => {
  using system = realSystem();
  const before = system.monotonic();
  await system.sleep(5);
  assert.ok(system.monotonic() - before >= 4);
  const reason = new Error("enough");
  const controller = new AbortController();
  const sleeping = system.sleep(60_000, controller.signal);
  controller.abort(reason);
  await assert.rejects(sleeping, reason);
  await assert.rejects(system.sleep(60_000, controller.signal), reason);
});

Deno.test("now() and randomBytes() are the real ones", () => {
  using system = realSystem();
  assert.ok(Math.abs(system.now() - Date.now()) < 1000);
  assert.equal(system.randomBytes(16).length, 16);
  assert.notDeepEqual(system.randomBytes(16), system.randomBytes(16));
});
