import assert from "node:assert/strict";
import type { CommandSpec, Program } from "../../cli/command.ts";
import { STATUS_CLOSED_OUTPUT } from "../../cli/exit.ts";
import type { Invocation } from "../../cli/invocation.ts";
import { PEIPKG } from "../../cli/table.ts";
import { runFake } from "./support/fake_world.ts";
import { recordedTerminal } from "./support/recorded_terminal.ts";

/** A program with one command that does what a test says. */
function programOf(run: (invocation: Invocation) => Promise<0 | 1>, more: Partial<CommandSpec> = {}): Program {
  const command: CommandSpec = {
    name: "work",
    group: "changes",
    summary: "work",
    operands: [],
    options: [{ name: "yes", short: "y", summary: "yes" }, { name: "dry-run", summary: "dry" }],
    needs: "nothing",
    output: "events",
    examples: [],
    load: () => Promise.resolve({ run }),
    ...more,
  };
  return { ...PEIPKG, commands: [command] };
}

const lines = (text: string): readonly unknown[] => text.trimEnd().split("\n").map((line) => JSON.parse(line));

Deno.test("C-GEN-06: no command is an error line and the usage text on stderr, exit 2", async () => {
  const { status, stdout, stderr } = await runFake(PEIPKG, []);
  assert.deepEqual([status, stdout], [2, ""]);
  const [first, second] = stderr.split("\n");
  assert.deepEqual([first, second], [
    "peipkg: a command is required",
    "usage: peipkg [global options] <command> [subcommand] [options and operands]",
  ]);
  assert.match(stderr, /\npackage changes:\n/);
});

Deno.test("C-GEN-06: every other usage error is one line and the command's usage lines", async () => {
  assert.equal(
    (await runFake(PEIPKG, ["search"])).stderr,
    "peipkg: search: exactly one search term is required\nusage: peipkg search [options] <term>\n",
  );
});

Deno.test("C-GEN-07: an unknown command has a suggestion on the second line and nothing else", async () => {
  assert.deepEqual(await runFake(PEIPKG, ["instal"]), {
    status: 2,
    stdout: "",
    stderr: 'peipkg: unknown command "instal"\ndid you mean "install"?\n',
  });
});

Deno.test("C-ESC-01: command-line echoes are escaped", async () => {
  assert.equal((await runFake(PEIPKG, ["a\x1b[2J\nb"])).stderr, 'peipkg: unknown command "a\\x1B[2J\\nb"\n');
});

Deno.test("C-JSON-08: a usage error under --json is one object on stderr", async () => {
  const { status, stdout, stderr } = await runFake(PEIPKG, ["list", "--nope", "--json"]);
  assert.deepEqual([status, stdout], [2, ""]);
  assert.deepEqual(lines(stderr), [{
    error: { code: "usage", message: 'unknown option "--nope"', command: "list" },
  }]);
  const operand = await runFake(PEIPKG, ["search", "--", "--json", "x"]);
  assert.match(operand.stderr, /^peipkg: search: /);
});

Deno.test("C-JSON-08: a usage error found by the command itself leaves stdout empty too", async () => {
  const { UsageError } = await import("../../cli/arguments.ts");
  const program = programOf(() => Promise.reject(new UsageError("", "that will not do")));
  assert.deepEqual(await runFake(program, ["work", "--json"]), {
    status: 2,
    stdout: "",
    stderr: '{"error":{"code":"usage","message":"that will not do","command":"work"}}\n',
  });
});

Deno.test("C-GLOB-12: --version needs nothing of the library", async () => {
  assert.deepEqual(await runFake(PEIPKG, ["--version"]), { status: 0, stdout: "peipkg 0.1.0\n", stderr: "" });
  const json = await runFake(PEIPKG, ["--version", "--json"]);
  assert.deepEqual(JSON.parse(json.stdout), { name: "peipkg", version: "0.1.0", format: 1, json_schema: 1 });
  const verbose = (await runFake(PEIPKG, ["--version", "-v"])).stdout.split("\n");
  assert.deepEqual(verbose.map((line) => line.split(":")[0]).slice(1, 4), [
    "runtime",
    "database library",
    "package format",
  ]);
});

Deno.test("C-GLOB-11: --help is on stdout with status 0 and needs nothing of the library", async () => {
  const { status, stdout, stderr } = await runFake(PEIPKG, ["install", "--help"]);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^usage: peipkg install /);
  assert.equal(stdout, (await runFake(PEIPKG, ["help", "install"])).stdout);
});

Deno.test("C-OUT-03: a closed stdout ends a reading command with status 141 and in silence", async () => {
  const program = programOf(({ screen }) => {
    screen.line("data");
    return Promise.resolve(0);
  }, { output: "document" });
  const terminal = recordedTerminal({ closed: ["stdout"] });
  assert.deepEqual(await runFake(program, ["work"], terminal), {
    status: STATUS_CLOSED_OUTPUT,
    stdout: "",
    stderr: "",
  });
});

Deno.test("C-OUT-03: a change that has passed its prompt goes on with a closed stdout", async () => {
  let isDone = false;
  const program = programOf(({ screen }) => {
    screen.passPrompts();
    screen.line("done");
    isDone = true;
    return Promise.resolve(0);
  });
  const { status } = await runFake(program, ["work"], recordedTerminal({ closed: ["stdout"] }));
  assert.deepEqual([status, isDone], [0, true]);
});

Deno.test("C-JSON-10: exactly one last event ends every stream", async () => {
  const cases: readonly (readonly [(invocation: Invocation) => Promise<0 | 1>, string, number])[] = [
    [() => Promise.resolve(0), "done", 0],
    [() => Promise.reject(new Error("a defect")), "error", 1],
    [
      ({ screen }) => {
        screen.end("cancelled", { reason: "declined" });
        screen.end("done", { summary: "again" });
        return Promise.resolve(0);
      },
      "cancelled",
      0,
    ],
  ];
  for (const [run, last, expected] of cases) {
    const { status, stdout, stderr } = await runFake(programOf(run), ["work", "--json"]);
    const events = lines(stdout).map((event) => Object(event).event);
    assert.deepEqual([status, events, stderr], [expected, ["start", last], ""]);
  }
});

Deno.test("C-JSON-06: a question nobody will answer is refused before anything is done", async () => {
  let runs = 0;
  const program = programOf(() => {
    runs += 1;
    return Promise.resolve(0);
  }, { asks: true });
  const refused = await runFake(program, ["work", "--json"]);
  assert.deepEqual([refused.status, refused.stdout, runs], [2, "", 0]);
  assert.deepEqual(lines(refused.stderr).map((line) => Object(line).error.code), ["confirmation-required"]);
  assert.equal((await runFake(program, ["work", "--json", "--yes"])).status, 0);
  assert.equal((await runFake(program, ["work", "--json", "--dry-run"])).status, 0);
  assert.equal(runs, 2);
});

Deno.test("C-ERR-03: a defect asks for a report and shows its cause only with -vv", async () => {
  const program = programOf(() => Promise.reject(new TypeError("x is not a function")), { output: "document" });
  assert.equal(
    (await runFake(program, ["work"])).stderr,
    "peipkg: work: a defect of this program stopped it\n" +
      "report it together with the output of the same command and -vv\n",
  );
  assert.match((await runFake(program, ["work", "-vv"])).stderr, /\[internal\]\n {2}caused by: TypeError: x is not/);
});

Deno.test("C-JSON-03: a document is indented by two and ends with a newline", async () => {
  const program = programOf(({ screen }) => {
    screen.document([{ name: "a", absent: undefined }]);
    screen.line("not shown");
    return Promise.resolve(1);
  }, { output: "document" });
  const { status, stdout } = await runFake(program, ["work", "--json"]);
  assert.deepEqual([status, stdout], [1, '[\n  {\n    "name": "a"\n  }\n]\n']);
});

Deno.test("C-GLOB-13, C-DRV-04: --driven takes no --yes, needs none, and implies --json", async () => {
  const program = programOf(({ screen, assumeYes }) => {
    screen.event("message", { text: String(assumeYes) });
    return Promise.resolve(0);
  }, { asks: true });
  const refused = await runFake(program, ["work", "--driven", "--yes"]);
  assert.deepEqual([refused.status, refused.stdout], [2, ""]);
  const { status, stdout } = await runFake(program, ["work", "--driven"]);
  assert.deepEqual([status, lines(stdout).map((event) => Object(event).event)], [0, ["start", "message", "done"]]);
  assert.match(stdout, /"text":"false"/);
});
