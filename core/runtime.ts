/**
 * The real world behind `System`: the runtime's clock, randomness, network and child processes, and the file-system
 * room's trees. Nothing is opened, read or loaded before it is first needed.
 */
import { SystemCallError } from "./errors.ts";
import { errnoName } from "./fs/errno.ts";
import { keepDescriptorsFromChildren, realMachine } from "./fs/machine.ts";
import { emitKernelEvent } from "./fs/peios.ts";
import { openOperatorFile, openRoot } from "./fs/root.ts";
import {
  type HttpRequest,
  type HttpResponse,
  type KernelEventResult,
  type Machine,
  NetworkError,
  type ReadableFile,
  type RootDirectory,
  type System,
  type ToolInvocation,
  type ToolResult,
} from "./system.ts";

export interface RealSystemOptions {
  /** Path of the running program as a package would own it, when it is not the running executable. */
  readonly programPath?: string;
}

/** The real world; disposing it closes the connections it keeps. */
export type RealSystem = System & Disposable;

/** The real world. */
export function realSystem(options: RealSystemOptions = {}): RealSystem {
  return new Runtime(options);
}

class Runtime implements System, Disposable {
  readonly machine: Machine;
  readonly #clients = new Map<string, Deno.HttpClient>();

  constructor(options: RealSystemOptions) {
    this.machine = realMachine(() => options.programPath ?? Deno.execPath());
  }

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  randomBytes(count: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(count));
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      // A timer too; the first call of setTimeout() takes 4 ms, because it loads node:timers.
      if (signal === undefined) {
        return AbortSignal.timeout(milliseconds).addEventListener("abort", () => resolve(), { once: true });
      }
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, milliseconds);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  async fetch(request: HttpRequest): Promise<HttpResponse> {
    const { signal } = request;
    let response: Response;
    try {
      response = await fetch(request.url, {
        client: this.#client(request),
        headers: request.headers,
        redirect: "manual",
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw networkError(error);
    }
    const { status, headers, body } = response;
    return { status, headers, body: body === null ? null : watchBody(body, signal) };
  }

  /** One client per way of connecting, so that connections are used again. */
  #client({ certificates, proxy, ipVersion = 0 }: HttpRequest): Deno.HttpClient {
    const key = JSON.stringify([certificates, proxy, ipVersion]);
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = withoutProxyVariables(() =>
        Deno.createHttpClient({
          ...(certificates === undefined ? {} : { caCerts: [certificates] }),
          ...(proxy === undefined ? {} : { proxy: proxyOf(proxy) }),
          // Binding the own end to one family leaves only addresses of that family to connect to.
          ...(ipVersion === 0 ? {} : { localAddress: ipVersion === 4 ? "0.0.0.0" : "::" }),
        })
      );
      this.#clients.set(key, client);
    }
    return client;
  }

  openRoot(path: string): RootDirectory {
    return openRoot(path);
  }

  openFile(path: string): ReadableFile {
    return openOperatorFile(path);
  }

  runTool(tool: ToolInvocation): Promise<ToolResult> {
    return runTool(tool);
  }

  emitKernelEvent(type: string, payload: Uint8Array): KernelEventResult {
    const result = emitKernelEvent(type, payload);
    return result < 0 ? { kind: "refused", errno: errnoName(-result) } : { kind: "accepted" };
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

// --- Network -------------------------------------------------------------------------------------------------------

const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/**
 * Runs `act` with the proxy variables hidden. The runtime mixes them into every client it makes, also into one with
 * a proxy of its own; which proxy a request takes is decided by the settings alone.
 */
function withoutProxyVariables<Result>(act: () => Result): Result {
  const hidden = PROXY_VARIABLES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [{ name, value }];
  });
  try {
    for (const { name } of hidden) Deno.env.delete(name);
    return act();
  } finally {
    for (const { name, value } of hidden) Deno.env.set(name, value);
  }
}

function proxyOf(text: string): Deno.Proxy {
  const url = new URL(text);
  const { username, password } = url;
  url.username = "";
  url.password = "";
  if (username === "") return { url: url.href };
  const basicAuth = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { url: url.href, basicAuth };
}

/** The runtime tells where a request failed only in words. */
const RESOLVE_REGEXP = /\bdns error\b/;
const TLS_REGEXP = /certificate|\btls\b|handshake|corrupt message|fatal alert|InvalidContentType/i;

function networkError(error: unknown): NetworkError {
  const source = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = source instanceof Error ? source.message : String(source);
  const reason = text.replace(/^.*client error \(\w+\): /, "");
  const phase = RESOLVE_REGEXP.test(text) ? "resolve" : TLS_REGEXP.test(reason) ? "tls" : "connect";
  return new NetworkError(phase, reason, error);
}

const BODY_CHUNK_BYTES = 64 * 1024;

/**
 * The same bytes; a stream that breaks off fails with `NetworkError`, one that is aborted with the signal's reason. The
 * runtime's own watch over the signal does not survive a collection of garbage while a body is read (measured with
 * 2.9.6: the abort is lost and the read never ends), so it is watched here.
 */
function watchBody(body: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  const reader = body.getReader({ mode: "byob" });
  const onAbort = () => void reader.cancel(signal.reason).catch(() => {}); // ends a pending read
  signal.addEventListener("abort", onAbort, { once: true });
  const forget = () => signal.removeEventListener("abort", onAbort);
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: BODY_CHUNK_BYTES, // for readers that bring no place of their own
    async pull(controller) {
      const request = controller.byobRequest;
      try {
        const { done, value } = await reader.read(request?.view ?? new Uint8Array(BODY_CHUNK_BYTES));
        signal.throwIfAborted();
        if (done) {
          forget();
          controller.close();
        }
        if (value !== undefined) request?.respondWithNewView(value);
      } catch (error) {
        forget();
        if (signal.aborted) throw signal.reason;
        throw new NetworkError("body", error instanceof Error ? error.message : String(error), error);
      }
    },
    cancel(reason) {
      forget();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

// --- Side-effect tools -----------------------------------------------------------------------------------------------

/** Exactly this and nothing inherited (T-SIDE-05). */
const TOOL_ENVIRONMENT = { LANG: "C", LC_ALL: "C", PATH: "/usr/bin" };
const TOOL_OUTPUT_BYTES = 64 * 1024;
/** How long output may keep coming after the tool itself ended: a child it left behind may hold the pipe. */
const TOOL_LINGER_MILLISECONDS = 1000;

async function runTool({ path, args, timeoutMilliseconds }: ToolInvocation): Promise<ToolResult> {
  const child = startTool(path, args);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill(child);
  }, timeoutMilliseconds); // T-SIDE-08
  const output = new BoundedOutput(TOOL_OUTPUT_BYTES);
  const readers = [child.stdout.getReader(), child.stderr.getReader()];
  const drained = Promise.all(readers.map((reader) => output.drain(reader)));
  const status = await child.status;
  clearTimeout(timer);
  const linger = setTimeout(() => readers.forEach((reader) => reader.cancel()), TOOL_LINGER_MILLISECONDS);
  await drained;
  clearTimeout(linger);
  return {
    ...(status.signal === null ? { status: status.code } : { signal: status.signal }),
    timedOut,
    output: output.bytes(),
  };
}

function startTool(path: string, args: readonly string[]): Deno.ChildProcess {
  keepDescriptorsFromChildren();
  try {
    return new Deno.Command(path, {
      args: [...args],
      clearEnv: true,
      env: TOOL_ENVIRONMENT,
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new SystemCallError("ENOENT", "execve", path);
    if (error instanceof Deno.errors.PermissionDenied) throw new SystemCallError("EACCES", "execve", path);
    throw error;
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It ended by itself in this moment.
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Keeps the first bytes of several streams in order of arrival, and reads the rest away so that nobody blocks. */
class BoundedOutput {
  readonly #buffer: Uint8Array;
  #length = 0;

  constructor(limitBytes: number) {
    this.#buffer = new Uint8Array(limitBytes);
  }

  async drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const kept = value.subarray(0, this.#buffer.length - this.#length);
      this.#buffer.set(kept, this.#length);
      this.#length += kept.length;
    }
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }
}
