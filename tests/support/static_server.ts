/** A static HTTP server for one directory on 127.0.0.1, with `Range`, `ETag` and conditional requests. */
export interface StaticServer extends AsyncDisposable {
  readonly url: string;
  /** Paths requested so far, in order. */
  readonly requests: readonly string[];
}

/** @param before Awaited before a path is answered: lets a test hold a download. */
export function serveDirectory(
  directory: string,
  before: (path: string) => Promise<void> = () => Promise.resolve(),
): StaticServer {
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    requests.push(path);
    await before(path);
    if (path.split("/").some((part) => part === "..")) return new Response("refused\n", { status: 400 });
    let bytes: Uint8Array<ArrayBuffer>;
    let etag: string;
    try {
      const status = await Deno.stat(directory + path);
      etag = `"${status.size}-${status.mtime?.getTime() ?? 0}"`;
      bytes = await Deno.readFile(directory + path);
    } catch {
      return new Response("not found\n", { status: 404 });
    }
    if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: { etag } });
    const range = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "");
    const condition = request.headers.get("if-range");
    if (range !== null && (condition === null || condition === etag)) {
      const from = Number(range[1]);
      if (from >= bytes.length) {
        return new Response(null, { status: 416, headers: { "content-range": `bytes */${bytes.length}` } });
      }
      return new Response(bytes.subarray(from), {
        status: 206,
        headers: { etag, "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
      });
    }
    return new Response(bytes, { headers: { etag, "content-type": "application/octet-stream" } });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
