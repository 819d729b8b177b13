/** Recordings of a real terminal, whole, with what differs from run to run put out of sight. */
import assert from "node:assert/strict";
import { run, spawn } from "../support/cli.ts";
import { exists, type PackageSpec, World } from "../support/e2e_world.ts";
import { assertScreens, normalise, type Screen } from "../support/golden.ts";
import { runInProcess } from "../support/in_process.ts";
import { runAtTerminal, type TerminalOptions } from "../support/terminal.ts";

const ESCAPE = "\x1b";
const lib = (version: string): PackageSpec => ({ name: "lib", version, files: { "usr/share/lib/v": `${version}\n` } });
const app = (version: string): PackageSpec => ({
  name: "app",
  version,
  dependencies: ["lib"],
  optional: ["extras"],
  files: { "usr/bin/app": `app ${version}\n`, "etc/app.conf": "level=1\n" },
});
/** Incompressible, so that fetching it takes more than one chunk. */
const BIG: PackageSpec = { name: "big", version: "1.0-1", files: { "usr/share/big/data": noise(3 << 20) } };

function noise(bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let state = 1;
  for (let index = 0; index < bytes; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[index] = state >>> 24;
  }
  return out;
}

/** What a terminal shows in the end: a return goes back, and what is drawn over is gone. */
function settled(screen: string): string {
  return screen.split("\n").map((line) => line.slice(line.lastIndexOf("\r") + 1)).join("\n").replaceAll(
    `${ESCAPE}[K`,
    "",
  );
}

class Recorder {
  readonly screens: Screen[] = [];

  constructor(readonly world: World) {}

  async record(
    title: string,
    args: readonly string[],
    answers: readonly string[],
    status: number,
    options: TerminalOptions = {},
  ): Promise<string> {
    const result = await runAtTerminal(["--root", this.world.root, ...args], answers, options);
    const shown = normalise(settled(result.screen), this.world.directory);
    assert.equal(result.status, status, `${title}\n${result.screen}`);
    this.screens.push({
      title,
      text: `$ peipkg ${normalise(args.join(" "), this.world.directory)}\n${shown}status ${result.status}\n`,
    });
    return result.screen;
  }
}

// C-GLOB-08, C-GLOB-09, C-PROG-01, C-PROG-02, C-PROG-03, C-PROG-04, C-COL-01, C-COL-02, C-COL-03 and C-OUT-03 follow in the same world.
Deno.test("C-PROMPT-01, C-PROMPT-02, C-PROMPT-03, C-AUTH-01, C-AUTH-05, C-PROMPT-20, C-SIG-01, C-SIG-02: a session at a terminal", async () => {
  await using world = await World.create(runInProcess);
  await world.publish([lib("1.0-1"), app("1.0-1"), BIG]);
  let asked = (): void => {};
  let release: Promise<void> = Promise.resolve();
  const server = world.serve("main", async (path) => {
    if (!path.endsWith("big_1.0-1_noarch.peipkg")) return;
    asked();
    await release;
  });
  const recorder = new Recorder(world);
  const { record } = { record: recorder.record.bind(recorder) };
  const add = ["repo", "add", "main", server.url, "--anchor", world.anchor, "--insecure"];
  await record("repo add, declined", add, ["n"], 0);
  await record("repo add, interrupted at the question", add, ["\x03"], 130);
  assert.equal((await world.expect(["repo", "list"])).stdout, "no repositories configured\n");
  await record("repo add", add, ["y"], 0);
  const weaken = [...add, "--policy", "optional", "--replace"];
  await record("repo add, a weaker policy refused", weaken, ["n"], 0);
  await record("repo add, interrupted at the elevated question", weaken, ["\x03"], 130);
  assert.match((await world.expect(["repo", "list"])).stdout, / required\n$/);
  const list = async (): Promise<string> => (await world.expect(["list"])).stdout;

  await record("install, declined", ["install", "app"], ["n"], 0);
  await record("install, interrupted at the question", ["install", "app"], ["\x03"], 130);
  assert.equal(await list(), "no packages are installed\n");
  await record("install", ["install", "app"], ["y"], 0);

  await world.publish([lib("2.0-1"), app("2.0-1")]);
  await world.expect(["refresh"]);
  await record("upgrade", ["upgrade"], ["YES"], 0);
  await record("downgrade, refused", ["downgrade", "lib", "1.0-1"], ["n"], 0);
  await record("downgrade, interrupted at the elevated question", ["downgrade", "lib", "1.0-1"], ["\x03"], 130);
  await record("downgrade, authorised, then declined", ["downgrade", "lib", "1.0-1"], ["y", ""], 0);
  await record("downgrade", ["downgrade", "lib", "1.0"], ["y", "y"], 0);
  assert.match(await list(), /lib {2}1\.0-1/);

  const conf = `${world.root}/etc/app.conf`;
  await Deno.writeTextFile(conf, "level=9\n");
  await record("remove with an edited configuration file, aborted", ["remove", "app"], ["A"], 0);
  await record("remove, interrupted at that question", ["remove", "app"], ["\x03"], 130);
  await record("remove, the file kept", ["remove", "app"], ["k", "y"], 0);
  assert.equal(await Deno.readTextFile(conf), "level=9\n");
  await Deno.remove(conf);
  await world.expect(["install", "app", "--yes"]);
  await Deno.writeTextFile(conf, "level=9\n");
  await record("remove, the file removed", ["remove", "app", "--yes"], ["remove"], 0);
  assert.equal(await exists(conf), false);

  let free = (): void => {};
  release = new Promise((resolve) => free = resolve);
  const interruptAfter = new Promise<void>((resolve) => asked = resolve);
  await record("install, interrupted while fetching", ["install", "big"], ["y"], 130, { interruptAfter });
  free();
  assert.equal(await exists(`${world.root}/usr/share/big`), false);
  assert.match((await world.expect(["recover"])).stdout, /^no interrupted transaction/);
  assertScreens("terminal", recorder.screens);

  await progress(world);
  await colours(world);
  await closedOutput(world);
  await stopAndContinue(world);
});

/** C-PROG-01 … C-PROG-04 */
async function progress(world: World): Promise<void> {
  const env = { TERM: "xterm" };
  const at = ["--root", world.root];
  const drawn = await runAtTerminal([...at, "install", "big", "--yes"], [], { env, columns: 30 });
  assert.equal(drawn.status, 0, drawn.screen);
  const lines = drawn.screen.split("\r").filter((part) => part.startsWith(`${ESCAPE}[K`)).map((part) => part.slice(3));
  const progressLines = lines.filter((line) => line.startsWith("["));
  assert.ok(progressLines.some((line) => /^\[1\/1\] (?:fetching|verifying|staging) big/.test(line)), drawn.screen);
  assert.deepEqual(
    progressLines.filter((line) => line.indexOf("\n") > 29 || (!line.includes("\n") && line.length > 29)),
    [],
    "cut to the width",
  );
  assert.ok(drawn.screen.includes(`\r${ESCAPE}[Kdone — 1 operation applied\n`), "erased before other output");
  assert.ok(!settled(drawn.screen).includes("fetching"));
  for (const more of [["--no-progress"], ["-q"], ["--json"]]) {
    const { screen } = await runAtTerminal([...at, "install", "big", "--reinstall", "--yes", ...more], [], { env });
    assert.ok(!screen.includes(`${ESCAPE}[K`), more.join());
  }
  const { stderr } = await run([...at, "install", "big", "--reinstall", "--yes", "-v"]);
  assert.match(stderr, /^peipkg: verifying big 1\.0-1 \(1\/1\)$/m);
  assert.ok(!stderr.includes(ESCAPE));
}

/** C-COL-01, C-COL-02, C-COL-03 */
async function colours(world: World): Promise<void> {
  const plan = ["--root", world.root, "install", "app", "--dry-run", "--no-progress"];
  const at = async (env: Record<string, string>, more: readonly string[] = []): Promise<string> =>
    (await runAtTerminal([...plan, ...more], [], { env: { NO_COLOR: "", TERM: "xterm", ...env } })).screen;
  const coloured = await at({});
  assert.ok(coloured.includes(`  ${ESCAPE}[32minstall${ESCAPE}[0m    app 2.0-1\n`), coloured);
  const plain = await at({}, ["--color", "never"]);
  assert.equal(coloured.replace(new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g"), ""), plain);
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }, { TERM: "" }]) assert.equal(await at(env), plain);
  assert.equal(await at({ NO_COLOR: "1" }, ["--color", "always"]), coloured);
  assert.equal((await run(plan)).stdout.includes(ESCAPE), false);
  assert.ok((await run([...plan, "--color=always"])).stdout.includes(`${ESCAPE}[32minstall`));
}

/** C-OUT-03: a reading command whose reader has gone stops in silence with status 141. */
async function closedOutput(world: World): Promise<void> {
  const child = spawn(["--root", world.root, "list"]);
  await child.stdout.cancel();
  const { code, stderr } = await readRest(child);
  assert.deepEqual([code, stderr], [141, ""]);
}

async function readRest(child: Deno.ChildProcess): Promise<{ readonly code: number; readonly stderr: string }> {
  const stderr = await new Response(child.stderr).text();
  return { code: (await child.status).code, stderr };
}

/** C-SIG-07: stopping, continuing and a new size change nothing about what is being done. */
async function stopAndContinue(world: World): Promise<void> {
  const child = spawn(["--root", world.root, "install", "app"], { stdin: "" });
  const writer = child.stdin.getWriter();
  let stdout = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += chunk;
    if (!stdout.endsWith("[y/N] ")) continue;
    for (const signal of ["SIGTSTP", "SIGCONT", "SIGWINCH"] as const) child.kill(signal);
    await writer.write(new TextEncoder().encode("y\n"));
  }
  await writer.close().catch(() => {});
  const { code, stderr } = await readRest(child);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /done — 1 operation applied\n$/);
}
