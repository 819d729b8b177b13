import assert from "node:assert/strict";
import { listenFor, renderStep } from "../../cli/listen.ts";
import {
  elevatedQuestion,
  isYes,
  modifiedQuestion,
  parseModifiedAnswer,
  type Question,
  ROUTINE_QUESTION,
} from "../../cli/prompt.ts";
import { createProgressDisplay, cutCarefully, renderProgress } from "../../cli/render/progress.ts";
import { renderColumns } from "../../cli/render/listing.ts";
import { cutToWidth, displayWidth } from "../../cli/render/width.ts";
import { Screen } from "../../cli/screen.ts";
import { LineReader, type Terminal } from "../../cli/terminal.ts";
import { WARNING_CODES } from "../../mod.ts";
import { recordedTerminal } from "./support/recorded_terminal.ts";
import { MODE, screenOf } from "./support/screens.ts";

Deno.test("C-PROMPT-01: only y and yes mean yes", () => {
  for (const answer of ["y", "Y", "yes", " YES ", "yEs\r"]) assert.ok(isYes(answer), answer);
  for (const answer of ["", "n", "yy", "ye", "yes please", "ja", "1", undefined]) assert.ok(!isYes(answer));
});

Deno.test("C-PROMPT-01: a line over 1024 bytes refuses, and the next line is still read", async () => {
  const encoder = new TextEncoder();
  const chunks = [encoder.encode("y".repeat(1000)), encoder.encode("y".repeat(1000)), encoder.encode("\nyes\nlast")];
  const reader = new LineReader(() => Promise.resolve(chunks.shift()));
  const { signal } = new AbortController();
  assert.deepEqual(
    [await reader.line(signal), await reader.line(signal), await reader.line(signal), await reader.line(signal)],
    [undefined, "yes", "last", undefined],
  );
});

Deno.test("C-PROMPT-20: anything but remove and keep aborts", () => {
  assert.deepEqual(["r", "REMOVE", "k", " keep "].map(parseModifiedAnswer), ["remove", "remove", "keep", "keep"]);
  for (const answer of ["", "a", "y", "yes", undefined]) assert.equal(parseModifiedAnswer(answer), "abort");
});

Deno.test("C-PROMPT-02: a prompt ends with one space; a newline follows an answer that was not typed", async () => {
  const piped = recordedTerminal({ lines: ["y"] });
  assert.equal(await screenOf({}, piped).ask(ROUTINE_QUESTION), "y");
  assert.deepEqual(piped.output, { stdout: "proceed? [y/N] \n", stderr: "" });
  const typed = recordedTerminal({ lines: ["y"], terminals: ["stdin", "stdout"] });
  await screenOf({}, typed).ask(ROUTINE_QUESTION);
  assert.equal(typed.output.stdout, "proceed? [y/N] ");
});

Deno.test("C-AUTH-03: an elevated question needs a terminal on both sides and takes only fresh input", async () => {
  const cases: readonly (readonly [readonly ("stdin" | "stdout" | "stderr")[], boolean, boolean])[] = [
    [[], false, false],
    [["stdin"], false, false],
    [["stdout", "stderr"], false, false],
    [["stdin", "stdout"], false, true],
    [["stdin", "stderr"], false, true], // the question goes to stderr then
    [["stdin", "stdout"], true, false], // under --json it goes to stderr, which nobody sees
    [["stdin", "stderr"], true, true],
  ];
  for (const [terminals, json, expected] of cases) {
    assert.equal(screenOf({ json }, recordedTerminal({ terminals })).canAskElevated, expected, terminals.join());
  }
  const terminal = recordedTerminal({ lines: ["yes"], terminals: ["stdin", "stdout"] });
  await screenOf({}, terminal).ask(elevatedQuestion("nginx would move backward from 2-1 to 1-1"), true);
  assert.equal(terminal.discards.count, 1);
  assert.equal(
    terminal.output.stdout,
    "\nthis operation requires elevated authorisation:\n" +
      "  nginx would move backward from 2-1 to 1-1\nauthorise this specific action? [y/N] ",
  );
});

Deno.test("C-PROMPT-20: the question about an edited file", () => {
  assert.deepEqual(modifiedQuestion("/etc/a\x1b", "nginx"), {
    before: [
      "",
      "/etc/a\\x1B has been modified since nginx was installed, and removing the package would delete it.",
    ],
    prompt: "remove it, keep it (it will belong to no package), or abort? [r/k/A] ",
    driven: {
      kind: "modified",
      fields: { package: "nginx", path: "/etc/a\x1b" },
      answers: ["remove", "keep", "abort"],
    },
  });
});

Deno.test("C-SIG-01: a signal at a prompt ends the wait with its reason", async () => {
  const abort = new AbortController();
  const reader = new LineReader(() => new Promise(() => {}));
  const terminal: Terminal = { ...recordedTerminal(), readLine: (signal) => reader.line(signal) };
  const screen = new Screen(terminal, MODE, abort.signal);
  const answer = screen.ask(ROUTINE_QUESTION);
  abort.abort(new Error("interrupted"));
  await assert.rejects(answer, /interrupted/);
});

Deno.test("section 5.2, C-OUT-10: quiet drops informational lines; no line ends in a blank", () => {
  const terminal = recordedTerminal();
  const screen = screenOf({ quiet: true }, terminal);
  screen.info("done — 1 operation applied");
  screen.line("data  ");
  assert.equal(terminal.output.stdout, "data\n");
});

Deno.test("C-ERR-04, C-JSON-04: a warning in each form, and only once", () => {
  const human = recordedTerminal();
  const screen = screenOf({}, human);
  screen.warn("W_UNSIGNED_REPO", "unsigned-repo", 'repository "a\x1b" is unsigned');
  screen.warn("W_UNSIGNED_REPO", "unsigned-repo", 'repository "a\x1b" is unsigned');
  assert.deepEqual(human.output, { stdout: "", stderr: 'peipkg: warning: repository "a\\x1B" is unsigned\n' });
  const document = recordedTerminal();
  screenOf({ json: true, output: "document" }, document).warn("W_UNSIGNED_REPO", "unsigned-repo", "text");
  assert.deepEqual(document.output, {
    stdout: "",
    stderr: '{"warning":{"code":"unsigned-repo","message":"text"}}\n',
  });
});

Deno.test("C-JSON-05, C-UNDO-06: events held back come after a start that knows more", () => {
  const terminal = recordedTerminal();
  const screen = screenOf({ json: true }, terminal);
  screen.hold();
  screen.warn("W_ORPHANED", "orphaned", "text");
  assert.equal(terminal.output.stdout, "");
  screen.begin({ undoes: 47 });
  screen.end("done", { summary: "x" });
  assert.equal(
    terminal.output.stdout,
    '{"event":"start","undoes":47}\n{"event":"warning","code":"orphaned","text":"text"}\n' +
      '{"event":"done","summary":"x"}\n',
  );
});

Deno.test("C-JSON-05: progress is told once per step and at most four times a second", () => {
  const terminal = recordedTerminal();
  const screen = screenOf({ json: true }, terminal);
  screen.begin({});
  let now = 0;
  const emit = listenFor(screen, WARNING_CODES, () => now);
  for (const at of [0, 100, 200, 260, 300, 600]) {
    now = at;
    emit({ kind: "progress", phase: "fetch", step: 1, steps: 2, subject: "nginx", bytes: at, bytesTotal: 600 });
  }
  emit({ kind: "progress", phase: "fetch", step: 2, steps: 2, subject: "zlib" });
  const bytes = terminal.output.stdout.trim().split("\n").slice(1).map((line) => JSON.parse(line).bytes);
  assert.deepEqual(bytes, [0, 260, 600, undefined]);
});

Deno.test("C-PROG-03, C-PROG-05: the progress line", () => {
  const step = { kind: "progress", phase: "fetch", step: 3, steps: 12, subject: "nginx", version: "1.27.5-1" } as const;
  const mebibyte = 1024 * 1024;
  assert.equal(
    renderProgress({ ...step, bytes: 4.1 * mebibyte, bytesTotal: 9.8 * mebibyte }, 1.3 * mebibyte),
    "[3/12] fetching nginx 1.27.5-1  4.1 MiB of 9.8 MiB  41%  1.3 MiB/s",
  );
  assert.equal(
    renderProgress({ ...step, bytes: 4.1 * mebibyte }, undefined),
    "[3/12] fetching nginx 1.27.5-1  4.1 MiB",
  );
  assert.equal(renderProgress({ ...step, phase: "stage" }, undefined), "[3/12] staging nginx 1.27.5-1");
  assert.equal(renderStep(step), "fetching nginx 1.27.5-1 (3/12)");
});

Deno.test("C-PROG-02: the line is cut to the width and erased before other output", () => {
  assert.equal(cutToWidth("漢字漢字", 5), "漢字");
  assert.equal(cutToWidth("plain", 5), "plain");
  assert.equal(cutCarefully("漢字漢字", 5), "漢字");
  assert.equal(cutCarefully("plain text", 5), "plain");
  assert.deepEqual(renderColumns([["漢字", "a"], ["abc", "b"]], [], displayWidth), ["漢字  a", "abc   b"]);
  const terminal = recordedTerminal({ terminals: ["stderr"], width: 20 });
  let now = 0;
  const display = createProgressDisplay(terminal, () => now);
  const screen = new Screen(terminal, MODE, new AbortController().signal, display);
  screen.draw({ kind: "progress", phase: "stage", step: 1, steps: 2, subject: "a-rather-long-name" });
  now = 50; // too soon to draw again
  screen.draw({ kind: "progress", phase: "stage", step: 2, steps: 2, subject: "b" });
  screen.line("data");
  assert.equal(terminal.output.stderr, "\r\x1b[K[1/2] staging a-rat\r\x1b[K");
  assert.equal(terminal.output.stdout, "data\n");
});

Deno.test("C-PROG-04: -v gives one plain line per step on stderr", () => {
  const terminal = recordedTerminal();
  const emit = listenFor(screenOf({ verbose: 1 }, terminal), WARNING_CODES, () => 0);
  const step = { kind: "progress", phase: "fetch", step: 3, steps: 12, subject: "nginx", version: "1.27.5-1" } as const;
  emit(step);
  emit({ ...step, bytes: 5 });
  assert.equal(terminal.output.stderr, "peipkg: fetching nginx 1.27.5-1 (3/12)\n");
});

Deno.test("C-PROG-03: committing and side effects have lines of their own", () => {
  const terminal = recordedTerminal({ terminals: ["stderr"] });
  const display = createProgressDisplay(terminal, () => 0);
  display.show({ kind: "transaction", id: 51 });
  display.show({ kind: "progress", phase: "commit", step: 1, steps: 1 });
  display.show({ kind: "side-effects", names: ["ldconfig", "man-db"] });
  display.erase();
  assert.equal(
    terminal.output.stderr,
    "\r\x1b[Kcommitting transaction 51\r\x1b[Krunning side effects: ldconfig, man-db\r\x1b[K",
  );
});

Deno.test("C-AUTH-03: what was typed ahead is thrown away, what is typed after the question is not", async () => {
  const encoder = new TextEncoder();
  const early = [encoder.encode("y\ny\n"), encoder.encode("y\n")];
  let answer: (chunk: Uint8Array) => void = () => {};
  const reader = new LineReader(() => {
    const chunk = early.shift();
    return chunk === undefined ? new Promise((resolve) => answer = resolve) : Promise.resolve(chunk);
  });
  await reader.discard();
  const line = reader.line(new AbortController().signal);
  answer(encoder.encode("no\n"));
  assert.equal(await line, "no");
});

/** Asks one question of a driver whose answers are made from the question it was sent. */
async function drive(question: Question, answer: (asked: { id: number; token?: string }) => string | undefined) {
  const encoder = new TextEncoder();
  const terminal = recordedTerminal();
  let asked = 0;
  const reader = new LineReader(() => {
    const last = JSON.parse(terminal.output.stdout.trimEnd().split("\n").at(-1) ?? "{}");
    const line = asked++ === 0 ? answer(last) : undefined;
    return Promise.resolve(line === undefined ? undefined : encoder.encode(`${line}\n`));
  });
  const driven: Terminal = { ...terminal, readLine: (signal) => reader.line(signal) };
  const screen = screenOf({ json: true, driven: true }, driven);
  screen.begin({});
  const given = await screen.ask(question);
  const events = terminal.output.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  return { given, question: events[1], warnings: events.slice(2) };
}

Deno.test("C-DRV-01, C-DRV-02: a question is an event, and anything but its answer is a refusal with a warning", async () => {
  const good = await drive(ROUTINE_QUESTION, ({ id }) => JSON.stringify({ id, answer: "yes" }));
  assert.deepEqual(good, { given: "yes", question: { event: "question", id: 1, kind: "proceed" }, warnings: [] });
  const bad = ['{"id":2,"answer":"yes"}', '{"id":1,"answer":"y"}', '{"id":1,"answer":true}', "yes", "{", undefined];
  for (const line of bad) {
    const { given, warnings } = await drive(ROUTINE_QUESTION, () => line);
    assert.deepEqual([given, warnings.map(({ code }) => code)], [undefined, ["answer-refused"]], line);
  }
  const modified = await drive(modifiedQuestion("/etc/x", "nginx"), () => '{"id":1,"answer":"keep"}');
  assert.deepEqual([modified.given, modified.question.path], ["keep", "/etc/x"]);
});

Deno.test("C-DRV-03: an elevated yes counts only with the fresh token of its question", async () => {
  const question = elevatedQuestion("nginx would move backward", [], { kind: "downgrade" });
  const tokens = new Set<unknown>();
  const good = await drive(question, ({ id, token }) => {
    tokens.add(token);
    return JSON.stringify({ id, answer: "yes", token });
  });
  assert.equal(good.given, "yes");
  assert.match(good.question.token, /^[0-9a-f]{32}$/);
  assert.deepEqual(good.question.authorisation, { kind: "downgrade" });
  for (const token of [undefined, "0".repeat(32)]) {
    const { given } = await drive(question, (asked) => {
      tokens.add(asked.token);
      return JSON.stringify({ id: asked.id, answer: "yes", token });
    });
    assert.equal(given, undefined);
  }
  assert.equal(tokens.size, 3);
});
