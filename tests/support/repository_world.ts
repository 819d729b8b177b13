/**
 * An installation in a temporary directory with the real file system and database, whose network and clock the test
 * decides. Short waits (retries, the pause of a publish in progress) pass at once; long ones are real and are given
 * up with their request.
 */
import { parseArchitecture } from "../../core/identity/architecture.ts";
import { parsePackageName } from "../../core/identity/package_name.ts";
import { parseVersion } from "../../core/identity/version.ts";
import type { PlannedPackage } from "../../core/operations/available.ts";
import { commitRepositoryAdd, fetchRepositoryAdd, planRepositoryAdd } from "../../core/operations/repositories.ts";
import type { RepositoryAddRequest } from "../../core/operations/repositories.ts";
import type { RepositoryAuditEvent } from "../../core/operations/repository_access.ts";
import { openWorkspace, type Workspace } from "../../core/operations/workspace.ts";
import { realSystem } from "../../core/runtime.ts";
import { type CataloguePackage, packagesNamed } from "../../core/store/catalogue.ts";
import type { ProgressEvent } from "../../core/events.ts";
import { type HttpRequest, type HttpResponse, NetworkError, type Session, type System } from "../../core/system.ts";

/** What a served file is; `undefined` is 404. */
export type Serve = (url: string, request: HttpRequest) => Answer | undefined | Promise<Answer | undefined>;

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
}

export interface RepositoryWorld extends Disposable {
  readonly rootPath: string;
  readonly session: Session;
  readonly events: ProgressEvent[];
  readonly audited: RepositoryAuditEvent[];
  /** URLs requested so far. */
  readonly requests: string[];
  /** Waits asked for, milliseconds. */
  readonly sleeps: number[];
  /** Milliseconds since the epoch. */
  now: number;
  serve: Serve;
  /** Requests go to the real network (the loopback) instead of `serve`. */
  isOnline: boolean;
  /** A fresh view of the installation, as the next command would open it. */
  open(overrides?: readonly string[]): Workspace;
  /** Runs the whole ceremony, answering yes. */
  add(request: RepositoryAddRequest): Promise<{ readonly indexVersion: number; readonly packages: number }>;
  /** Warning rules emitted so far; emptied by the call. */
  takeWarnings(): string[];
}

export const WORLD_NOW = Date.UTC(2026, 2, 20, 12, 0, 0);
/** Waits up to this long pass at once, but in a turn of their own. */
const SKIPPED_MILLISECONDS = 31_000;

export function openRepositoryWorld(serve: Serve = () => undefined): RepositoryWorld {
  const rootPath = Deno.makeTempDirSync({ prefix: "peipkg-world-" });
  const real = realSystem();
  const events: ProgressEvent[] = [];
  const audited: RepositoryAuditEvent[] = [];
  const requests: string[] = [];
  const sleeps: number[] = [];
  const opened: Workspace[] = [];
  const overridden: Partial<System> = {
    now: () => world.now,
    sleep(milliseconds, signal) {
      sleeps.push(milliseconds);
      return milliseconds > SKIPPED_MILLISECONDS ? real.sleep(milliseconds, signal) : real.sleep(0, signal);
    },
    async fetch(request) {
      requests.push(request.url.href);
      if (world.isOnline) return await real.fetch(request);
      const answer = await world.serve(request.url.href, request) ?? { status: 404 };
      request.signal.throwIfAborted();
      return response(answer);
    },
  };
  const system = new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(key in overridden ? overridden : target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const session: Session = {
    system,
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    invocation: "00112233445566778899aabbccddeeff",
    version: "0.1.0",
    command: "test",
  };
  const world: RepositoryWorld = {
    rootPath,
    session,
    events,
    audited,
    requests,
    sleeps,
    now: WORLD_NOW,
    serve,
    isOnline: false,
    open(overrides = []) {
      const workspace = openWorkspace(session, {
        options: new Map([["root", rootPath]]),
        overrides,
        environment: new Map(),
        version: "0.1.0",
      });
      workspace.audit = (event) => void audited.push(event);
      opened.push(workspace);
      return workspace;
    },
    async add(request) {
      const workspace = world.open();
      const plan = planRepositoryAdd(workspace, request);
      return await commitRepositoryAdd(workspace, await fetchRepositoryAdd(workspace, plan, plan.weakenings));
    },
    takeWarnings() {
      const rules = events.flatMap((event) => event.kind === "warning" ? [event.warning.rule] : []);
      events.length = 0;
      return rules;
    },
    [Symbol.dispose]() {
      for (const workspace of opened) workspace[Symbol.dispose]();
      real[Symbol.dispose]();
      Deno.removeSync(rootPath, { recursive: true });
    },
  };
  return world;
}

function response(answer: Answer): HttpResponse {
  const { body } = answer;
  const headers = new Headers(answer.headers ?? {});
  return {
    status: answer.status ?? 200,
    headers,
    body: body instanceof Uint8Array ? streamOf([body]) : body ?? null,
  };
}

/** A body of these chunks; an error breaks it off. */
export function streamOf(chunks: readonly (Uint8Array | Error)[]): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      const next = left.shift();
      if (next === undefined) controller.close();
      else if (next instanceof Error) controller.error(next);
      else controller.enqueue(next);
    },
  });
}

/** A body that breaks off after some bytes. */
export function brokenBody(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return streamOf([bytes, new NetworkError("body", "connection reset")]);
}

/** A row of the catalogue as a plan names it. */
export function plannedAs(row: CataloguePackage): PlannedPackage {
  return {
    name: parsePackageName(row.name),
    version: parseVersion(row.version),
    architecture: parseArchitecture(row.architecture),
    hash: row.hash,
    origin: { kind: "repository", repository: row.repository },
  };
}

/** The first package of this name that a repository offers, as a plan names it. */
export function offered(workspace: Workspace, name: string, repository = "main"): PlannedPackage | undefined {
  const rows = workspace.read((database) => database === undefined ? [] : packagesNamed(database, name));
  const row = rows.find((item) => item.repository === repository);
  return row === undefined ? undefined : plannedAs(row);
}
