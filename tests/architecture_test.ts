/**
 * The direction of dependencies, as data: which room may import which, and which files may name the runtime.
 * A new room or file that breaks the table fails here, with the place named.
 */
import assert from "node:assert/strict";

/** Room → rooms it may import (besides itself). `types` are rooms of which only types may be imported. */
const ROOMS: Readonly<Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }>> = {
  errors: { may: [] },
  events: { may: [], types: ["errors"] },
  system: { may: [], types: ["events"] },
  identity: { may: ["errors"] },
  format: { may: ["identity", "errors"] },
  fs: { may: ["identity", "errors", "system", "events"] },
  config: { may: ["identity", "fs", "errors"], types: ["system", "format"] },
  store: { may: ["identity", "errors", "system", "fs", "format"], types: ["resolver"] },
  repository: { may: ["identity", "format", "config", "store", "fs", "events", "errors", "system", "audit"] },
  publish: { may: ["identity", "format", "repository", "fs", "errors", "events", "system"] },
  resolver: { may: ["identity", "errors"], types: ["format"] },
  // `format` for its SHA-256: the log chains its lines by it.
  audit: { may: ["identity", "format", "errors", "system", "fs"] },
  transaction: {
    may: ["identity", "format", "store", "fs", "audit", "events", "errors", "system"],
    types: ["resolver", "repository"],
  },
  operations: {
    may: [
      "identity",
      "format",
      "config",
      "fs",
      "store",
      "repository",
      "publish",
      "resolver",
      "audit",
      "transaction",
      "events",
      "errors",
      "system",
    ],
  },
  runtime: { may: ["system", "fs", "errors"] },
};

/** Files of `core/` that may name the runtime, a codec, a system call or the database driver (marked ◊). */
const RUNTIME_FILES = new Set([
  "core/runtime.ts",
  "core/format/zstd_codec.ts",
  "core/format/hash.ts",
  "core/format/keys.ts",
  "core/fs/libc.ts",
  "core/fs/native.ts",
  "core/store/database.ts",
]);

const IMPORT_REGEXP = /^\s*(?:import|export)\s+(type\s+)?([^;]*?\sfrom\s+)?["']([^"']+)["']/gm;
const DYNAMIC_IMPORT_REGEXP = /\bimport\(\s*["']([^"']+)["']\s*\)/g;
const AMBIENT_REGEXP = /\bDeno\.|\bnew Date\b|\bDate\.|\bMath\.random\b|\bconsole\.|(?:await|return|[=(,:?]) fetch\(/g;

async function* sourceFiles(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

/** `core/format/tar.ts` → `format`; `core/errors.ts` → `errors`. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return (parts[1] ?? "").replace(/\.ts$/, "");
}

function resolveImport(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Comments and strings removed, so that prose may speak of what code may not do. */
function codeOnly(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/(["'`])(?:\\.|(?!\1)[^\\\n])*\1/g, '""');
}

Deno.test("rooms import only what the table allows", async () => {
  const faults: string[] = [];
  for await (const path of sourceFiles("core")) {
    const room = roomOf(path);
    const allowed = ROOMS[room];
    if (allowed === undefined) {
      faults.push(`${path}: room "${room}" is not in the table`);
      continue;
    }
    const text = await Deno.readTextFile(path);
    const imports = [...text.matchAll(IMPORT_REGEXP)].map((match) => ({
      specifier: match[3] ?? "",
      typeOnly: match[1] !== undefined || /^\s*\{\s*type\s[^,]*\}\s*from/.test(match[2] ?? ""),
    })).concat([...text.matchAll(DYNAMIC_IMPORT_REGEXP)].map((match) => ({
      specifier: match[1] ?? "",
      typeOnly: text.slice(0, match.index).endsWith(": ") || /^[^\n]*\)\./.test(text.slice(match.index)),
    })));
    for (const { specifier, typeOnly } of imports) {
      if (!specifier.startsWith(".")) {
        if (specifier.startsWith("node:") && RUNTIME_FILES.has(path)) continue;
        if (path === "core/format/hash.ts" && specifier.startsWith("@noble/hashes/")) continue;
        if (path === "core/config/toml.ts" && specifier === "smol-toml") continue;
        if (path === "core/operations/licence.ts" && specifier.startsWith("spdx-")) continue;
        faults.push(`${path}: imports "${specifier}"`);
        continue;
      }
      const target = roomOf(resolveImport(path, specifier));
      if (target === room || allowed.may.includes(target)) continue;
      if (typeOnly && allowed.types?.includes(target)) continue;
      faults.push(`${path}: room ${room} may not import ${typeOnly ? "types of " : ""}${target} (${specifier})`);
    }
  }
  assert.deepEqual(faults, []);
});

Deno.test("the command line imports the library through its door only", async () => {
  const faults: string[] = [];
  for await (const path of sourceFiles("cli")) {
    const text = await Deno.readTextFile(path);
    for (const match of text.matchAll(IMPORT_REGEXP)) {
      const specifier = match[3] ?? "";
      if (!specifier.startsWith(".")) continue;
      const target = resolveImport(path, specifier);
      if (target.startsWith("cli/") || target === "mod.ts" || target === "deno.json") continue;
      faults.push(`${path}: imports ${target}`);
    }
  }
  assert.deepEqual(faults, []);
});

Deno.test("only the marked files of core name the runtime's globals", async () => {
  const faults: string[] = [];
  for await (const path of sourceFiles("core")) {
    if (RUNTIME_FILES.has(path)) continue;
    for (const match of codeOnly(await Deno.readTextFile(path)).matchAll(AMBIENT_REGEXP)) {
      faults.push(`${path}: ${match[0]}`);
    }
  }
  assert.deepEqual(faults, []);
});

Deno.test("modules of core and cli export by name and do not re-export", async () => {
  const faults: string[] = [];
  for (const directory of ["core", "cli"]) {
    for await (const path of sourceFiles(directory)) {
      const text = codeOnly(await Deno.readTextFile(path));
      if (/^\s*export default\b/m.test(text)) faults.push(`${path}: default export`);
      if (/^\s*export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*from\b/m.test(text)) faults.push(`${path}: re-export`);
    }
  }
  assert.deepEqual(faults, []);
});
