/** A file server on loopback that streams, so that serving a large file costs no memory. */
export interface FileServer extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
}

export function serveFiles(directory: string): FileServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    if (path.split("/").includes("..")) return new Response("refused\n", { status: 400 });
    try {
      const file = await Deno.open(directory + path);
      const { size, isFile } = await file.stat();
      if (isFile) return new Response(file.readable, { headers: { "content-length": String(size) } });
      file.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return new Response("not found\n", { status: 404 });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}
