/**
 * Prepares the staged tree for a program that starts fast: a command loads what it needs, in few files.
 *
 * - `cli/` imports everything from `mod.ts`, so that the library has one surface; loaded through it, all rooms would be
 *   read to list three packages. Every import is led to the module that has the name.
 * - The bundler cuts by who reaches which module, and each further file costs a tenth of a millisecond at start. So
 *   whatever is loaded late also names what is loaded by then in any case: the command line's own part, and of the
 *   library what every command opens. Both stay whole.
 */
import { dirname, join, relative } from "node:path";

/** What every command opens, and what the commands that are over soonest need beyond it. */
const START = ["core/operations/workspace.ts", "core/runtime.ts", "core/operations/query.ts"] as const;
const START_FILE = "core/start.ts";
/** Loads all of the command line that runs before a command does. */
const COMMAND_LINE = "cli/process.ts";

const EXPORT_REGEXP = /^export (type )?(\*|\{[^}]*\}) from "\.\/([^"]+)";$/gms;
const DECLARED_REGEXP = /^export (?:async )?(?:function\*?|const|class) (\w+)/gm;
const IMPORTED_REGEXP = /^(?:import|export) (?!type )(?:\*(?: as \w+)?|\{([^}]*)\}) from "(\.{1,2}\/[^"]+)";$/gms;
const DOOR_IMPORT_REGEXP = /^import (type )?\{([^}]*)\} from "(?:\.\.\/)+mod\.ts";$/gms;
const LATE_IMPORT_REGEXP = /\bimport\("(\.{1,2}\/[^"]+\.ts)"\)/g;
const LATE_DOOR_IMPORT_REGEXP = /\{([^{}]*)\} = await import\("(?:\.\.\/)+mod\.ts"\)/g;

/** Names in braces that are values, `name` or `name as other`; types vanish. */
function valueNames(list: string): readonly string[] {
  return list.split(",").map((name) => name.trim()).filter((name) => name !== "" && !name.startsWith("type "));
}

/** Module of every value the door offers. */
async function readDoor(staged: string): Promise<Map<string, string>> {
  const modules = new Map<string, string>();
  const door = await Deno.readTextFile(`${staged}/mod.ts`);
  for (const [, isType, names = "", path = ""] of door.matchAll(EXPORT_REGEXP)) {
    if (isType !== undefined) continue;
    if (names !== "*") {
      for (const name of valueNames(names.slice(1, -1))) modules.set(name, path);
      continue;
    }
    const text = await Deno.readTextFile(`${staged}/${path}`);
    for (const [, name = ""] of text.matchAll(DECLARED_REGEXP)) modules.set(name, path);
  }
  return modules;
}

/** Modules a module loads with itself, itself included. */
async function collectLoaded(staged: string, path: string, loaded: Set<string>): Promise<void> {
  if (loaded.has(path)) return;
  loaded.add(path);
  for (const [, names, target = ""] of (await Deno.readTextFile(`${staged}/${path}`)).matchAll(IMPORTED_REGEXP)) {
    if (names !== undefined && valueNames(names).length === 0) continue;
    await collectLoaded(staged, join(dirname(path), target), loaded);
  }
}

async function* walk(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* walk(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

/** Rewrites the staged tree. */
export async function prepareStart(staged: string): Promise<void> {
  await leadPastDoor(staged);
  const early = new Set<string>();
  for (const path of [START_FILE, COMMAND_LINE]) await collectLoaded(staged, path, early);
  for (const path of await lateModules(staged)) {
    if (early.has(path)) continue;
    const first = path.startsWith("cli/") ? COMMAND_LINE : START_FILE;
    const text = await Deno.readTextFile(`${staged}/${path}`);
    await Deno.writeTextFile(`${staged}/${path}`, `import "./${relative(dirname(path), first)}";\n${text}`);
  }
}

/** Modules that are loaded late by some other, relative to the staged tree. */
async function lateModules(staged: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const room of ["cli", "core"]) {
    for await (const path of walk(`${staged}/${room}`)) {
      for (const [, target = ""] of (await Deno.readTextFile(path)).matchAll(LATE_IMPORT_REGEXP)) {
        found.add(relative(staged, join(dirname(path), target)));
      }
    }
  }
  return found;
}

async function leadPastDoor(staged: string): Promise<void> {
  const modules = await readDoor(staged);
  const start = new Set<string>();
  for (const path of START) await collectLoaded(staged, path, start);
  const started = [...modules].filter(([, path]) => start.has(path));
  await Deno.writeTextFile(
    `${staged}/${START_FILE}`,
    started.map(([name, path]) => `export { ${name} } from "../${path}";\n`).join(""),
  );
  for (const [name] of started) modules.set(name, START_FILE);
  for await (const path of walk(`${staged}/cli`)) {
    const text = await Deno.readTextFile(path);
    if (text.includes("mod.ts")) await Deno.writeTextFile(path, leadPast(text, path, staged, modules));
  }
}

function leadPast(text: string, path: string, staged: string, modules: ReadonlyMap<string, string>): string {
  const to = (module: string) => relative(dirname(path), `${staged}/${module}`);
  /** The names of one import by the module that has them. */
  const byModule = (list: string): readonly (readonly [string, string])[] => {
    const groups = new Map<string, string[]>();
    for (const name of valueNames(list)) {
      const module = modules.get(/^\w+/.exec(name)?.[0] ?? "");
      if (module === undefined) throw new Error(`${path}: mod.ts has no value "${name}"`);
      groups.set(module, [...groups.get(module) ?? [], name]);
    }
    return [...groups].map(([module, names]) => [to(module), names.join(", ")]);
  };
  const led = text
    .replace(DOOR_IMPORT_REGEXP, (_all, isType: string | undefined, list: string) => {
      const groups = isType === undefined ? byModule(list) : [];
      if (groups.length === 0) return "";
      // Whole: see above.
      return [`import "${to(START_FILE)}";`, ...groups.map(([from, names]) => `import { ${names} } from "${from}";`)]
        .join("\n");
    })
    .replace(LATE_DOOR_IMPORT_REGEXP, (_all, list: string) => {
      const groups = byModule(list);
      const names = groups.map(([, list]) => `{ ${list} }`).join(", ");
      return `[${names}] = await Promise.all([${groups.map(([from]) => `import("${from}")`).join(", ")}])`;
    });
  if (/["'](?:\.\.\/)+mod\.ts["']/.test(led)) throw new Error(`${path}: an import of mod.ts is written in another way`);
  return led;
}
