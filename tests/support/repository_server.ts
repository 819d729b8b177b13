/**
 * Repositories made by code, and a server on the loopback that hands them out honestly or not. The server speaks HTTP
 * over a plain socket, because most of what an attacker does a well-behaved server cannot be talked into.
 */
import { packPackage, parseManifestDraft } from "../../core/format/pack.ts";
import { openSigningKey, type SigningKey } from "../../core/format/keys.ts";
import { addPackages } from "../../core/publish/add.ts";
import { initRepository } from "../../core/publish/init.ts";
import { publishRepository, type PublishRequest, type PublishResult } from "../../core/publish/publish.ts";
import type { PublishContext } from "../../core/publish/repository_tree.ts";
import type { Session } from "../../core/system.ts";
import type { Serve } from "./repository_world.ts";

/** What a test package is; everything else is the same for all. */
export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  readonly description?: string;
  /** Relation arrays as in a manifest. */
  readonly dependencies?: readonly { readonly name: string; readonly constraint?: string }[];
  readonly provides?: readonly { readonly name: string; readonly version?: string }[];
  readonly replaces?: readonly { readonly name: string }[];
  /** Payload: path below the root → content. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface TestRepository {
  readonly directory: string;
  readonly name: string;
  readonly key: SigningKey;
  readonly context: PublishContext;
  /** Packs, adds and publishes; the timestamp grows by a day with every call. */
  publish(packages: readonly TestPackage[], more?: Partial<PublishRequest>): Promise<PublishResult>;
  /** Files as they are now, by path: for replays. */
  snapshot(): ReadonlyMap<string, Uint8Array>;
}

/** A signing key from one repeated byte. */
export function testKey(byte: number): Promise<SigningKey> {
  return openSigningKey(new Uint8Array(32).fill(byte));
}

const FIRST_DAY = Date.UTC(2026, 2, 1);

/** The timestamp of a day of the tests' year. */
export function dayOf(day: number): string {
  return new Date(FIRST_DAY + day * 86_400_000).toISOString().replace(".000", "");
}

/** Makes an empty signed repository in a new directory below `parent`. */
export async function makeRepository(
  session: Session,
  parent: string,
  options: { readonly name?: string; readonly key?: SigningKey; readonly extraKeys?: readonly SigningKey[] } = {},
): Promise<TestRepository> {
  const name = options.name ?? "test";
  const directory = `${parent}/${name}`;
  const key = options.key ?? await testKey(1);
  const context: PublishContext = { session, layout: "base" };
  const extraKeys = (options.extraKeys ?? []).map((extra) => extra.publicKey);
  await initRepository(context, { directory, name, signingKey: key, extraKeys, timestamp: dayOf(0) });
  let day = 0;
  return {
    directory,
    name,
    key,
    context,
    async publish(packages, more = {}) {
      const files = `${parent}/${name}-files`;
      Deno.mkdirSync(files, { recursive: true });
      const paths: string[] = [];
      for (const item of packages) {
        const path = `${files}/${item.name}_${item.version}_${item.architecture ?? "x86_64"}.peipkg`;
        Deno.writeFileSync(path, await packTestPackage(item, more.signingKey ?? key));
        paths.push(path);
      }
      await addPackages(context, { directory, paths });
      return await publishRepository(context, { directory, signingKey: key, timestamp: dayOf(++day), ...more });
    },
    snapshot: () => new Map(readTree(directory)),
  };
}

function* readTree(directory: string, prefix = ""): Generator<readonly [string, Uint8Array]> {
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* readTree(path, `${prefix}${entry.name}/`);
    else yield [`${prefix}${entry.name}`, Deno.readFileSync(path)];
  }
}

/** The bytes of a package file. */
export async function packTestPackage(item: TestPackage, signingKey?: SigningKey): Promise<Uint8Array> {
  const manifest = {
    name: item.name,
    version: item.version,
    architecture: item.architecture ?? "x86_64",
    description: item.description ?? `Test package ${item.name}`,
    license: "MIT",
    homepage: "",
    dependencies: item.dependencies ?? [],
    optional_dependencies: [],
    conflicts: [],
    provides: item.provides ?? [],
    replaces: item.replaces ?? [],
    side_effects: [],
    build: { timestamp: dayOf(0), farm_id: "test", source_ref: "test" },
  };
  const chunks: Uint8Array[] = [];
  await packPackage({
    manifest: parseManifestDraft(new TextEncoder().encode(JSON.stringify(manifest)), "base"),
    entries: Object.entries(item.files ?? {}).map(([path, content]) => {
      const bytes = new TextEncoder().encode(content);
      return { type: "file" as const, path, sizeBytes: bytes.length, open: () => [bytes] };
    }),
    layout: "base",
    ...(signingKey === undefined ? {} : { signingKey }),
    level: 3,
    write: (chunk) => void chunks.push(chunk.slice()),
  });
  return new Uint8Array(await new Blob(chunks.map((chunk) => new Uint8Array(chunk))).arrayBuffer());
}

/** Serves files from memory or disk to a world, below one base. */
export function serveFiles(baseUrl: string, files: ReadonlyMap<string, Uint8Array> | string): Serve {
  return (url) => {
    if (!url.startsWith(`${baseUrl}/`)) return undefined;
    const path = decodeURIComponent(url.slice(baseUrl.length + 1));
    if (typeof files !== "string") {
      const body = files.get(path);
      return body === undefined ? undefined : { body };
    }
    try {
      return { body: Deno.readFileSync(`${files}/${path}`) };
    } catch {
      return undefined;
    }
  };
}

/** How one path is answered: the raw connection is the handler's. `range` is the start of a `Range` header. */
export type Behaviour = (connection: RawConnection, file: Uint8Array | undefined) => Promise<void>;

export interface RawConnection {
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Writes raw bytes or text; false when the other side has gone. */
  send(data: string | Uint8Array): Promise<boolean>;
  /** Waits until the other side closes the connection. */
  untilClosed(): Promise<void>;
}

export interface RawServer extends AsyncDisposable {
  readonly url: string;
  /** Paths requested, in order. */
  readonly requests: string[];
  /** Answers of single paths in place of the honest one. */
  readonly behaviours: Map<string, Behaviour>;
  directory: string;
}

/** Serves a directory over HTTP on the loopback. */
export function serveRepository(directory: string): RawServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const running = new Set<Promise<void>>();
  const server: RawServer = {
    url: `http://127.0.0.1:${listener.addr.port}`,
    requests: [],
    behaviours: new Map(),
    directory,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) close(connection);
      await Promise.allSettled([...running, accepting]);
    },
  };
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      const answer = answerConnection(server, connection).catch(() => {}).finally(() => {
        open.delete(connection);
        close(connection);
        running.delete(answer);
      });
      running.add(answer);
    }
  })().catch(() => {});
  return server;
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

async function answerConnection(server: RawServer, connection: Deno.Conn): Promise<void> {
  const head = await readHead(connection);
  const [request = "", ...lines] = head.split("\r\n");
  const path = decodeURIComponent(request.split(" ")[1] ?? "/").slice(1);
  server.requests.push(path);
  const headers = new Map(
    lines.filter((line) => line.includes(":")).map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
    }),
  );
  const send = async (data: string | Uint8Array) => {
    let bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    try {
      while (bytes.length > 0) bytes = bytes.subarray(await connection.write(bytes));
      return true;
    } catch {
      return false;
    }
  };
  const untilClosed = async () => {
    const buffer = new Uint8Array(16);
    while (await connection.read(buffer).catch(() => null) !== null) { /* nothing more is expected */ }
  };
  let file: Uint8Array | undefined;
  try {
    file = Deno.readFileSync(`${server.directory}/${path}`);
  } catch {
    file = undefined;
  }
  await (server.behaviours.get(path) ?? honest)({ path, headers, send, untilClosed }, file);
}

async function readHead(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(8192);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const count = await connection.read(buffer);
    if (count === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return head;
}

/** Answers as a static server does, `Range` with a matching `If-Range` included. */
export const honest: Behaviour = async ({ headers, send }, file) => {
  if (file === undefined) {
    await send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
  }
  const etag = `"${file.length}"`;
  const start = Number(/^bytes=([0-9]+)-$/.exec(headers.get("range") ?? "")?.[1] ?? "0");
  const partial = start > 0 && start < file.length && headers.get("if-range") === etag;
  const body = partial ? file.subarray(start) : file;
  const range = partial ? `Content-Range: bytes ${start}-${file.length - 1}/${file.length}\r\n` : "";
  const status = partial ? "206 Partial Content" : "200 OK";
  await send(
    `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${range}ETag: ${etag}\r\nConnection: close\r\n\r\n`,
  );
  await send(body);
};

/** A status and headers, no body. */
export function status(line: string, headers: Readonly<Record<string, string>> = {}): Behaviour {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return async ({ send }) => {
    await send(`HTTP/1.1 ${line}\r\n${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`);
  };
}

/** Between two bytes of a server that drips; far below the shortest `fetch_timeout`. */
const DRIP_MILLISECONDS = 20;

/** Data without end and without a declared length. */
export const endless: Behaviour = async ({ send }) => {
  await send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  const block = new Uint8Array(64 * 1024).fill(0x20);
  while (await send(block));
};

/** A head, a few bytes, then silence. */
export const stalling: Behaviour = async ({ send, untilClosed }, file) => {
  await send(`HTTP/1.1 200 OK\r\nContent-Length: ${file?.length ?? 1000}\r\n\r\n`);
  await send(file?.subarray(0, 10) ?? "0123456789");
  await untilClosed();
};

/** A head, then one byte at a time, without end: never silent, never done. */
export const dripping: Behaviour = async ({ send }) => {
  await send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  while (await send(" ")) await new Promise((resolve) => setTimeout(resolve, DRIP_MILLISECONDS));
};

/** Breaks off after some bytes of what was promised, as often as told; honest afterwards. */
export function breaking(bytes: number, times = Infinity): Behaviour {
  let left = times;
  return async (connection, file) => {
    if (file === undefined || left-- <= 0) return await honest(connection, file);
    const etag = `"${file.length}"`;
    await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${file.length}\r\nETag: ${etag}\r\n\r\n`);
    await connection.send(file.subarray(0, bytes));
  };
}

/** Answers 206 with a range that was not asked for. */
export const lyingRange: Behaviour = async ({ headers, send }, file) => {
  const bytes = file ?? new Uint8Array(0);
  if (!headers.has("range")) return await honest({ path: "", headers, send, untilClosed: async () => {} }, file);
  await send(
    `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-${bytes.length - 1}/${bytes.length}\r\n` +
      `Content-Length: ${bytes.length}\r\nETag: "${bytes.length}"\r\nConnection: close\r\n\r\n`,
  );
  await send(bytes);
};

/** Bytes under a content coding. */
export function encoded(coding: string, body: Uint8Array): Behaviour {
  return async ({ send }) => {
    await send(
      `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
    );
    await send(body);
  };
}

/** Other bytes than the file's. */
export function replaced(body: Uint8Array): Behaviour {
  return async (connection) => await honest(connection, body);
}
