import assert from "node:assert/strict";
import {
  appendEvents,
  AUDIT_LOG_FILE,
  type LogEvent,
  type LogFile,
  MAX_LOG_BYTES,
  UnsafeLogError,
  walkAuditLog,
} from "../../../core/audit/log.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import { SystemCallError } from "../../../core/errors.ts";
import { realSystem } from "../../../core/runtime.ts";
import type { Directory, WritableFile } from "../../../core/system.ts";
import { TestSystem } from "../../support/fault_system.ts";
import { FaultControl } from "../../support/memory_root.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Fixture extends Disposable {
  readonly system: TestSystem;
  readonly directory: Directory;
  readonly log: LogFile;
  append(text?: string, log?: LogFile): void;
  write(name: string, text: string, mode?: number): void;
  read(name?: string): string;
}

function openFixture(faults?: FaultControl): Fixture {
  const system = new TestSystem(faults === undefined ? {} : { faults });
  const root = system.openRoot("/");
  const top = root.openDirectory("/");
  top?.makeDirectory("log", 0o700);
  const directory = root.openDirectory("/log");
  if (top === undefined || directory === undefined) throw new Error("no directory");
  const log: LogFile = { directory, name: AUDIT_LOG_FILE, rotates: true, ignoresModes: false };
  return {
    system,
    directory,
    log,
    append: (text = "x", target = log) => appendEvents(system, target, (ms) => system.advance(ms), [event(text)]),
    write(name, text, mode = 0o600) {
      if (directory.status(name) !== undefined) directory.unlink(name);
      using file = directory.createFile(name, mode);
      file.write(encoder.encode(text));
    },
    read(name = AUDIT_LOG_FILE) {
      using file = directory.openFile(name);
      const buffer = new Uint8Array(file.status().sizeBytes);
      file.readAt(buffer, 0);
      return decoder.decode(buffer);
    },
    [Symbol.dispose]() {
      for (const handle of [directory, top, root]) handle[Symbol.dispose]();
    },
  };
}

const event = (detail: string): LogEvent => ({ type: "peipkg.refresh", payload: { v: 1, detail } });

const sha256 = (text: string) => sha256Hex(encoder.encode(text));

Deno.test("A-LOG-02, A-LOG-03: lines begin with seq, prev and type, count from 1, and name the hash of the line before", () => {
  using fixture = openFixture();
  fixture.append("one");
  fixture.append("two");
  const [first, second] = fixture.read().split("\n");
  assert.equal(first, `{"seq":1,"prev":"${"0".repeat(64)}","type":"peipkg.refresh","v":1,"detail":"one"}`);
  assert.equal(second, `{"seq":2,"prev":"${sha256(`${first}\n`)}","type":"peipkg.refresh","v":1,"detail":"two"}`);
  assert.equal(walkAuditLog(fixture.directory), undefined);
});

Deno.test("A-LOG-02: no control character stands raw in a line", () => {
  using fixture = openFixture();
  fixture.append("\u0000\u001b\u007f\u009b\u202e\u{e0041}\n");
  assert.match(fixture.read(), /"\\u0000\\u001b\\u007f\\u009b\\u202e\\udb40\\udc41\\n"/);
  assert.equal(JSON.parse(fixture.read()).detail, "\u0000\u001b\u007f\u009b\u202e\u{e0041}\n");
});

Deno.test("A-LOG-06: a torn last line is closed, and the line after it says so", async (t) => {
  await t.step("cut in the middle", () => {
    using fixture = openFixture();
    fixture.append("one");
    const torn = '{"seq":2,"prev":"ab';
    fixture.write(AUDIT_LOG_FILE, fixture.read() + torn);
    fixture.append("three");
    const [, second, third] = fixture.read().split("\n");
    assert.equal(second, torn);
    const line = JSON.parse(third ?? "");
    assert.deepEqual([line.seq, line.prev, line.after_torn_line], [2, sha256(`${torn}\n`), true]);
    assert.equal(walkAuditLog(fixture.directory), undefined);
  });
  await t.step("only the newline is missing", () => {
    using fixture = openFixture();
    fixture.append("one");
    fixture.write(AUDIT_LOG_FILE, fixture.read().slice(0, -1));
    fixture.append("two");
    assert.equal(JSON.parse(fixture.read().split("\n")[1] ?? "").seq, 2);
    assert.equal(walkAuditLog(fixture.directory), undefined);
  });
});

Deno.test("A-LOG-07: at 10 MiB a new file begins, the chain goes on, and eight old ones stay", () => {
  using fixture = openFixture();
  fixture.append("last of the old file");
  const last = fixture.read();
  fixture.write(AUDIT_LOG_FILE, `${"#".repeat(MAX_LOG_BYTES - last.length - 1)}\n${last}`, 0o640);
  for (let number = 1; number <= 8; number++) fixture.write(`${AUDIT_LOG_FILE}.${number}`, `old ${number}\n`);
  fixture.append("first of the new file");
  const line = JSON.parse(fixture.read());
  assert.deepEqual([line.seq, line.prev], [2, sha256(last)]);
  assert.equal(fixture.directory.status(AUDIT_LOG_FILE)?.mode, 0o640);
  assert.ok(fixture.read(`${AUDIT_LOG_FILE}.1`).endsWith(last));
  assert.equal(fixture.read(`${AUDIT_LOG_FILE}.2`), "old 1\n");
  assert.equal(fixture.read(`${AUDIT_LOG_FILE}.8`), "old 7\n");
  assert.equal(fixture.directory.status(`${AUDIT_LOG_FILE}.9`), undefined);
});

Deno.test("A-LOG-04, A-LOG-05: events that come together are one write each, and durable before the lock goes", () => {
  const calls: string[] = [];
  using fixture = openFixture(
    new FaultControl((_n, call) => {
      if (call === "write" || call === "fsync" || call === "flock") calls.push(call);
    }),
  );
  appendEvents(fixture.system, fixture.log, () => {}, ["one", "two", "three"].map(event));
  assert.deepEqual(calls, ["flock", "write", "write", "write", "fsync"]);
  const lines = fixture.read().trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => [JSON.parse(line).seq, JSON.parse(line).detail]), [
    [1, "one"],
    [2, "two"],
    [3, "three"],
  ]);
  assert.equal(walkAuditLog(fixture.directory), undefined);
});

Deno.test("A-LOG-07, A-LOG-06: a file may be full, or torn, in the middle of events that come together", () => {
  using fixture = openFixture();
  fixture.append("first");
  const first = fixture.read();
  const torn = '{"seq":2,"prev":"ab';
  // Room for the line that closes the torn one, but not for the next.
  const filler = "#".repeat(MAX_LOG_BYTES - 2 * first.length - torn.length - 40);
  fixture.write(AUDIT_LOG_FILE, `${filler}\n${first}${torn}`);
  appendEvents(fixture.system, fixture.log, () => {}, ["two", "three", "four"].map(event));
  const two = fixture.read(`${AUDIT_LOG_FILE}.1`).split("\n")[3] ?? "";
  const [three = "", four = ""] = fixture.read().split("\n");
  assert.deepEqual([JSON.parse(two).seq, JSON.parse(two).after_torn_line, JSON.parse(two).detail], [2, true, "two"]);
  assert.deepEqual([JSON.parse(three).seq, JSON.parse(three).prev], [3, sha256(`${two}\n`)]);
  assert.deepEqual([JSON.parse(four).seq, JSON.parse(four).prev], [4, sha256(`${three}\n`)]);
});

Deno.test("A-LOG-07, A-LOG-03: a rotation cut short after its rename goes on from the rotated file", () => {
  using fixture = openFixture();
  fixture.append("one");
  fixture.directory.rename(AUDIT_LOG_FILE, fixture.directory, `${AUDIT_LOG_FILE}.1`);
  fixture.append("two");
  assert.equal(JSON.parse(fixture.read()).seq, 2);
  assert.equal(walkAuditLog(fixture.directory), undefined);
});

Deno.test("A-LOG-11: the copy is not rotated", () => {
  using fixture = openFixture();
  const copy = { ...fixture.log, name: "copy.jsonl", rotates: false };
  fixture.write("copy.jsonl", `${"#".repeat(MAX_LOG_BYTES)}\n`);
  fixture.append("one", copy);
  assert.equal(fixture.directory.status("copy.jsonl.1"), undefined);
  assert.ok(fixture.read("copy.jsonl").length > MAX_LOG_BYTES + 1);
});

Deno.test("A-LOG-01, A-LOG-04: a log that is a link, a directory or writable by others is unsafe", () => {
  using link = openFixture();
  link.directory.makeSymlink(AUDIT_LOG_FILE, "/etc/passwd");
  assert.throws(() => link.append(), UnsafeLogError);
  using directory = openFixture();
  directory.directory.makeDirectory(AUDIT_LOG_FILE, 0o700);
  assert.throws(() => directory.append(), UnsafeLogError);
  using open = openFixture();
  open.write(AUDIT_LOG_FILE, "", 0o662);
  assert.throws(() => open.append(), UnsafeLogError);
  // Read access for a group is left as it is.
  using grouped = openFixture();
  grouped.write(AUDIT_LOG_FILE, "", 0o640);
  grouped.append();
  assert.equal(grouped.directory.status(AUDIT_LOG_FILE)?.mode, 0o640);
});

Deno.test("A-LOG-01: a new log is for its owner alone, whatever the umask", () => {
  const path = Deno.makeTempDirSync();
  const before = Deno.umask(0);
  try {
    using system = realSystem();
    using root = system.openRoot(path);
    using directory = root.openDirectory("/");
    assert.ok(directory !== undefined);
    const log = { directory, name: AUDIT_LOG_FILE, rotates: true, ignoresModes: false };
    appendEvents(system, log, () => {}, [event("one")]);
    appendEvents(system, log, () => {}, [event("two")]);
    assert.equal((Deno.statSync(`${path}/${AUDIT_LOG_FILE}`).mode ?? 0) & 0o777, 0o600);
    assert.equal(walkAuditLog(directory), undefined);
  } finally {
    Deno.umask(before);
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("A-LOG-05: an append waits at most five seconds for the lock of the file", () => {
  using fixture = openFixture();
  fixture.append("one");
  using holder = fixture.directory.appendFile(AUDIT_LOG_FILE, 0o600);
  assert.ok(holder.tryLock());
  assert.throws(
    () => fixture.append("two"),
    (error) => error instanceof SystemCallError && error.errno === "EWOULDBLOCK",
  );
  assert.ok(fixture.system.monotonic() >= 5000 && fixture.system.monotonic() < 6000);
});

Deno.test("A-LOG-05: a line goes into the file that has the name once the lock is held, not into a rotated one", () => {
  using fixture = openFixture();
  fixture.append("one");
  let holder: WritableFile | undefined = fixture.directory.appendFile(AUDIT_LOG_FILE, 0o600);
  assert.ok(holder.tryLock());
  // While the append waits, whoever holds the lock rotates the file away and lets go.
  const pause = () => {
    fixture.directory.rename(AUDIT_LOG_FILE, fixture.directory, `${AUDIT_LOG_FILE}.1`);
    holder?.[Symbol.dispose]();
    holder = undefined;
  };
  appendEvents(fixture.system, fixture.log, pause, [event("two")]);
  assert.equal(fixture.read(`${AUDIT_LOG_FILE}.1`).split("\n").length, 2);
  assert.equal(JSON.parse(fixture.read()).detail, "two");
  assert.equal(walkAuditLog(fixture.directory), undefined);
});

Deno.test("A-LOG-10, A-LOG-03: walkAuditLog() reports the first edited, removed or unreadable line", async (t) => {
  const cases: readonly (readonly [string, (lines: string[]) => string[], object])[] = [
    ["edited", (lines) => lines.map((line) => line.replace("line 2", "line 9")), { line: 3, found: "previous" }],
    ["removed", (lines) => lines.filter((line) => !line.includes("line 2")), { line: 2, found: "sequence" }],
    ["garbage", (lines) => lines.toSpliced(1, 1, "not json"), { line: 2, found: "unreadable-line" }],
    ["garbage at the end", (lines) => lines.toSpliced(3, 1, "not json"), { line: 4, found: "unreadable-line" }],
    ["swapped", ([a, b, c, d]) => [a ?? "", c ?? "", b ?? "", d ?? ""], { line: 2, found: "sequence" }],
  ];
  for (const [name, change, expected] of cases) {
    await t.step(name, () => {
      using fixture = openFixture();
      for (let line = 1; line <= 4; line++) fixture.append(`line ${line}`);
      const lines = change(fixture.read().trimEnd().split("\n"));
      fixture.write(AUDIT_LOG_FILE, `${lines.join("\n")}\n`);
      assert.deepEqual(walkAuditLog(fixture.directory), { file: AUDIT_LOG_FILE, ...expected });
    });
  }
});
