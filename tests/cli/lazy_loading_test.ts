/** What a start loads: `--version` and `--help` touch neither database nor network, and load nothing of the library. */
import assert from "node:assert/strict";
import { baseEnvironment } from "../support/cli.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const IMPORT_REGEXP = /^(?:import|export)\s+(?!type\b)([^;"']*?\sfrom\s+)?["']([^"']+)["']/gm;

/** Everything a module loads at once, itself included; imports of types alone load nothing. */
function loadedBy(path: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  if (!path.startsWith(HOME) || !path.endsWith(".ts")) return seen;
  for (const [, names = "", specifier = ""] of Deno.readTextFileSync(path).matchAll(IMPORT_REGEXP)) {
    const listed = /\{([^}]*)\}/.exec(names)?.[1]?.split(",").map((name) => name.trim()).filter((name) => name !== "");
    if (listed !== undefined && listed.length > 0 && listed.every((name) => name.startsWith("type "))) continue;
    loadedBy(specifier.startsWith(".") ? new URL(specifier, `file://${path}`).pathname : specifier, seen);
  }
  return seen;
}

Deno.test("starting a program loads its tables and nothing of the library, the database or a package", () => {
  for (const entry of ["main", "build_main", "repo_main"]) {
    // Help and version are written by these, which are loaded when they are needed.
    for (const path of [`cli/${entry}.ts`, "cli/help.ts"]) {
      const loaded = [...loadedBy(`${HOME}/${path}`)].map((name) => name.replace(`${HOME}/`, ""));
      assert.ok(loaded.length > 1, path);
      assert.deepEqual(loaded.filter((name) => !name.startsWith("cli/") && name !== "deno.json"), [], path);
    }
  }
});

Deno.test("C-GLOB-11, C-GLOB-12: --help and --version work without leave to read, to connect or to call the system", async () => {
  for (const args of [["--version"], ["--help"], ["help", "install"]]) {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        "--no-check",
        "--no-prompt",
        `--config=${HOME}/deno.json`,
        "--allow-env",
        "--allow-sys",
        `${HOME}/cli/main.ts`,
        "--root=/nonexistent",
        ...args,
      ],
      clearEnv: true,
      env: baseEnvironment(),
    }).output();
    assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""], args.join(" "));
    assert.ok(stdout.length > 10);
  }
});
