/**
 * A `System` in which nothing is real: a clock that moves only when somebody sleeps, repeatable randomness, roots and
 * files in memory, scripted responses, and tools and kernel events that are only recorded.
 */
import { SystemCallError } from "../../core/errors.ts";
import type { ProgressEvent } from "../../core/events.ts";
import {
  type HttpRequest,
  type HttpResponse,
  type KernelEventResult,
  type Machine,
  NetworkError,
  type ReadableFile,
  type RootDirectory,
  type Session,
  type System,
  type ToolInvocation,
  type ToolResult,
} from "../../core/system.ts";
import type { FaultControl } from "./fault_root.ts";
import { MemoryFileSystem, memoryFileSystem } from "./memory_root.ts";
import { repeatableRandom } from "./memory_tree.ts";

/** A body and status to answer a request with. */
export interface ScriptedResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text or bytes of the body; an error breaks it off after the bytes before it. */
  readonly body?: string | Uint8Array | readonly (Uint8Array | Error)[];
}

export interface TestSystemOptions {
  /** Milliseconds since the epoch at the start; 2026-01-02T03:04:05Z when absent. */
  readonly now?: number;
  readonly seed?: number;
  readonly machine?: Partial<Machine>;
  /** What `openRoot()` opens, whatever the path; a fresh one when absent. */
  readonly fileSystem?: MemoryFileSystem;
  /** Opens roots in place of the file system, e.g. real directories. */
  readonly openRoot?: (path: string) => RootDirectory;
  /** Counts and refuses the calls on roots. */
  readonly faults?: FaultControl;
  /** Answers requests; the default knows no server. */
  readonly respond?: (request: HttpRequest) => ScriptedResponse | NetworkError | Promise<ScriptedResponse>;
  /** Answers tools; the default ends with status 0 and no output. */
  readonly runTool?: (tool: ToolInvocation) => ToolResult;
  /** Answers kernel events in order, the last one for ever; the default is a kernel without them. */
  readonly kernelEvents?: readonly KernelEventResult[];
  /** Operands of `openFile()`. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

/** The machine of a `TestSystem`; a process is alive when it is listed. */
export const TEST_MACHINE: Machine = {
  architecture: "x86_64",
  pid: 4242,
  startTicks: "123456",
  bootId: "00000000-1111-2222-3333-444444444444",
  pidNamespace: "pid:[4026531836]",
  hostname: "testhost",
  uid: 0,
  euid: 0,
  gid: 0,
  userName: "root",
  programPath: "/usr/bin/peipkg",
  kernelRelease: "6.18.0",
  processState: (pid) => (pid === 4242 ? "alive" : "gone"),
  holdsOpenFile: () => true,
};

/** See the file comment. Everything asked of it is kept in its members. */
export class TestSystem implements System {
  readonly machine: Machine;
  readonly fileSystem: MemoryFileSystem;
  /** Requests, tools, events and sleeps so far. */
  readonly requests: HttpRequest[] = [];
  readonly tools: ToolInvocation[] = [];
  readonly kernelEvents: { readonly type: string; readonly payload: Uint8Array }[] = [];
  readonly sleeps: number[] = [];
  /** Called at each sleep, for what happens meanwhile. */
  onSleep: (milliseconds: number) => void = () => {};
  #time: number;
  #elapsed = 0;
  readonly #options: TestSystemOptions;
  readonly #random: () => number;

  constructor(options: TestSystemOptions = {}) {
    this.#options = options;
    this.#time = options.now ?? 1_767_323_045_000;
    this.#random = repeatableRandom(options.seed ?? 1);
    this.machine = { ...TEST_MACHINE, ...options.machine };
    this.fileSystem = options.fileSystem ?? memoryFileSystem({ euid: this.machine.euid, egid: this.machine.gid });
  }

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** Moves both clocks. */
  advance(milliseconds: number): void {
    this.#time += milliseconds;
    this.#elapsed += milliseconds;
  }

  randomBytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.#random() * 256));
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.sleeps.push(milliseconds);
    this.advance(milliseconds);
    this.onSleep(milliseconds);
    return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve();
  }

  async fetch(request: HttpRequest): Promise<HttpResponse> {
    if (request.signal.aborted) throw request.signal.reason;
    this.requests.push(request);
    const respond = this.#options.respond ?? (() => new NetworkError("connect", "no server is scripted"));
    const response = await respond(request);
    if (response instanceof NetworkError) throw response;
    return {
      status: response.status ?? 200,
      headers: new Headers(response.headers),
      body: scriptedBody(response.body, request.signal),
    };
  }

  openRoot(path: string): RootDirectory {
    return this.#options.openRoot?.(path) ?? this.fileSystem.open(path, this.#options.faults);
  }

  openFile(path: string): ReadableFile {
    const bytes = this.#options.files?.get(path);
    if (bytes === undefined) throw new SystemCallError("ENOENT", "openat", path);
    const system = memoryFileSystem();
    using root = system.open();
    using directory = root.openDirectory("/");
    if (directory === undefined) throw new SystemCallError("ENOENT", "openat", path);
    using file = directory.createFile("file", 0o644);
    file.write(bytes);
    return directory.openFile("file");
  }

  runTool(tool: ToolInvocation): Promise<ToolResult> {
    this.tools.push(tool);
    const result = this.#options.runTool?.(tool);
    return Promise.resolve(result ?? { status: 0, timedOut: false, output: new Uint8Array() });
  }

  emitKernelEvent(type: string, payload: Uint8Array): KernelEventResult {
    const script = this.#options.kernelEvents ?? [{ kind: "refused", errno: "ENOSYS" }];
    const result = script[Math.min(this.kernelEvents.length, script.length - 1)];
    this.kernelEvents.push({ type, payload: payload.slice() });
    return result ?? { kind: "refused", errno: "ENOSYS" };
  }
}

function scriptedBody(body: ScriptedResponse["body"], signal: AbortSignal): ReadableStream<Uint8Array> | null {
  if (body === undefined) return null;
  const parts = typeof body === "string"
    ? [new TextEncoder().encode(body)]
    : body instanceof Uint8Array
    ? [body]
    : [...body];
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (signal.aborted) throw signal.reason;
      const part = parts.shift();
      if (part === undefined) controller.close();
      else if (part instanceof Error) controller.error(part);
      else controller.enqueue(part);
    },
  }, { highWaterMark: 0 });
}

/** A session over a test system, with what it emitted. */
export interface TestSession extends Session {
  readonly system: TestSystem;
  readonly events: readonly ProgressEvent[];
}

/** A session whose events are kept. */
export function testSession(
  system = new TestSystem(),
  overrides: Partial<Omit<Session, "system" | "emit">> = {},
): TestSession {
  const events: ProgressEvent[] = [];
  return {
    system,
    events,
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    invocation: "000102030405060708090a0b0c0d0e0f",
    version: "peipkg 0.1.0",
    command: "install",
    ...overrides,
  };
}
