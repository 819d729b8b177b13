/** What the bundled program reads before its first line runs, and for one command: what start-up costs. */
import assert from "node:assert/strict";
import { bundle, stageSources } from "../../.build/bundle.ts";

const HOME = new URL("../..", import.meta.url).pathname;
const IMPORT_REGEXP = /(?:^import |^\} from |^import \{[^}]*\} from |^export \{[^}]*\} from )"\.\/([\w.-]+\.js)";$/gm;
const decoder = new TextDecoder();

/** Text of a file and of everything it loads with itself. */
function loadedWith(files: ReadonlyMap<string, string>, name: string, seen = new Set<string>()): string {
  const text = files.get(name) ?? assert.fail(`${name} is imported and not there`);
  if (seen.has(name)) return "";
  seen.add(name);
  return text + [...text.matchAll(IMPORT_REGEXP)].map(([, target = ""]) => loadedWith(files, target, seen)).join("");
}

Deno.test("a bundled program reads no room of the library before a command needs it", async () => {
  const staged = await Deno.makeTempDir({ prefix: "peipkg-start-" });
  try {
    await stageSources(HOME, staged, { version: "0.1.0", commit: "test", form: "source" });
    const files = new Map((await bundle(staged)).files.map(({ name, content }) => [name, decoder.decode(content)]));
    for (const name of ["main.js", "build_main.js", "repo_main.js"]) {
      const text = loadedWith(files, name);
      assert.match(text, /^\/\/ cli\/run\.ts$/m, `${name}: its imports were not found`);
      assert.doesNotMatch(text, /^\/\/ core\//m, `${name} loads a room of the library at start`);
    }
    // The runtime reads ahead whatever it can tell, however late the import.
    for (const [name, text] of files) assert.doesNotMatch(text, /\bimport\(["']\.\//, name);
    const list = [...files].find(([, text]) => text.includes("// cli/commands/list.ts"))?.[0] ?? assert.fail();
    const reader = loadedWith(files, list);
    assert.match(reader, /^\/\/ core\/operations\/query\.ts$/m);
    assert.doesNotMatch(reader, /^\/\/ core\/(?:transaction|resolver|publish)\//m, "list loads what changes need");
  } finally {
    await Deno.remove(staged, { recursive: true });
  }
});
