/** What a directory holds, comparable with `deepEqual`: type, mode, bytes or link text of everything below it. */

/** @param without Logical paths left out, with everything below them. */
export async function snapshotDirectory(
  root: string,
  without: readonly string[] = [],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  await visit(root, "", without, found);
  return found;
}

async function visit(
  root: string,
  path: string,
  without: readonly string[],
  found: Map<string, string>,
): Promise<void> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(root + path)) names.push(entry.name);
  for (const name of names.sort()) {
    const child = `${path}/${name}`;
    if (without.includes(child)) continue;
    const status = await Deno.lstat(root + child);
    const mode = ((status.mode ?? 0) & 0o7777).toString(8);
    if (status.isSymlink) found.set(child, `link ${await Deno.readLink(root + child)}`);
    else if (status.isDirectory) {
      found.set(child, `dir ${mode}`);
      await visit(root, child, without, found);
    } else found.set(child, `file ${mode} ${await digest(root + child)}`);
  }
}

async function digest(path: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
