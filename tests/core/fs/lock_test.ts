import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import { acquireWriterLock, checkStateDirectory, readHolder } from "../../../core/fs/lock.ts";
import { realSystem } from "../../../core/runtime.ts";
import type { Directory, Machine, Session } from "../../../core/system.ts";
import { TEST_MACHINE, testSession, TestSystem, type TestSystemOptions } from "../../support/fault_system.ts";
import { FaultControl, type MemoryFileSystem, memoryFileSystem } from "../../support/memory_root.ts";
import { assertRule, open, put, take } from "./root_suite.ts";

const NO_WAIT = { waitSeconds: 0 };

/** A state directory in memory and a session that works on it. */
function world(options: TestSystemOptions & { readonly faults?: FaultControl } = {}) {
  const session = testSession(new TestSystem(options));
  const root = session.system.openRoot("/");
  const state = open(root, "/");
  return { session, system: session.system, files: session.system.fileSystem, state };
}

/** A file system without `flock`. */
function withoutFlock(errno = "ENOLCK"): FaultControl {
  return new FaultControl((n, call, path) => {
    if (call === "flock") FaultControl.failAt(1, errno).onCall(n, call, path);
  });
}

/** Writes what another process would have left. */
function leave(files: MemoryFileSystem, name: string, content: string | Readonly<Record<string, unknown>>): void {
  using root = files.open();
  using top = open(root, "/");
  if (top.status(name) !== undefined) top.unlink(name);
  put(top, name, typeof content === "string" ? content : JSON.stringify(content));
}

async function failure(promise: Promise<Disposable>): Promise<PeipkgError> {
  try {
    (await promise)[Symbol.dispose]();
  } catch (error) {
    assert.ok(error instanceof PeipkgError, String(error));
    return error;
  }
  assert.fail("the lock was taken");
}

async function assertFails(session: Session, state: Directory, rule: string): Promise<PeipkgError> {
  const error = await failure(acquireWriterLock(session, state, NO_WAIT));
  assert.equal(error.detail.rule, rule, error.message);
  return error;
}

const OTHER = {
  pid: 99,
  start_ticks: "7",
  boot_id: TEST_MACHINE.bootId,
  pid_ns: TEST_MACHINE.pidNamespace,
  hostname: TEST_MACHINE.hostname,
  version: "peipkg 0.1.0",
  command: "upgrade",
  started_at: "2026-01-02T03:04:05Z",
};

Deno.test("T-LOCK-04: the holder writes one JSON object about itself and empties the file on release", async () => {
  const { session, state, system } = world();
  {
    using lock = await acquireWriterLock(session, state, NO_WAIT);
    assert.equal(lock.kind, "flock");
    assert.deepEqual(JSON.parse(take(state, "lock")), {
      pid: 4242,
      start_ticks: "123456",
      boot_id: "00000000-1111-2222-3333-444444444444",
      pid_ns: "pid:[4026531836]",
      hostname: "testhost",
      version: "peipkg 0.1.0",
      command: "install",
      started_at: "2026-01-02T03:04:05Z",
    });
  }
  assert.equal(take(state, "lock"), "");
  assert.equal(state.status("lock")?.mode, 0o644);
  assert.equal(system.fileSystem.openHandles, 2);
});

Deno.test("T-LOCK-04: release truncates and never unlinks, so the inode stays the same", async () => {
  const { session, state } = world();
  (await acquireWriterLock(session, state, NO_WAIT))[Symbol.dispose]();
  const inode = state.status("lock")?.inode;
  const lock = await acquireWriterLock(session, state, { waitSeconds: 0, startedAt: 0 });
  assert.match(take(state, "lock"), /"started_at":"1970-01-01T00:00:00Z"/);
  lock[Symbol.dispose]();
  lock[Symbol.dispose]();
  assert.equal(state.status("lock")?.inode, inode);
});

Deno.test("T-LOCK-01, T-LOCK-05: a held lock is busy at once and names pid, command and start time", async () => {
  const { session, state, files } = world();
  using _held = await acquireWriterLock(session, state, NO_WAIT);
  const other = testSession(new TestSystem({ fileSystem: files }), { command: "remove" });
  const error = await assertFails(other, state, "LOCK_BUSY");
  assert.equal(error.code, "busy");
  assert.equal(error.detail.pid, 4242);
  assert.equal(error.detail.command, "install");
  assert.equal(error.detail.startedAt, "2026-01-02T03:04:05Z");
  assert.match(error.message, /4242.*install.*2026-01-02T03:04:05Z/);
  assert.deepEqual(other.system.sleeps, []);
  assert.deepEqual(other.events, []);
});

Deno.test("T-LOCK-05: waiting tells once for whom, polls, and takes the lock when it is free", async () => {
  const { session, state, files } = world();
  const held = await acquireWriterLock(session, state, NO_WAIT);
  const waiter = testSession(new TestSystem({ fileSystem: files }), { command: "remove" });
  waiter.system.onSleep = () => {
    if (waiter.system.sleeps.length === 5) held[Symbol.dispose]();
  };
  using lock = await acquireWriterLock(waiter, state, { waitSeconds: 60 });
  assert.equal(lock.kind, "flock");
  assert.equal(waiter.system.sleeps.length, 5);
  assert.deepEqual(waiter.events, [{ kind: "waiting-for-lock", pid: 4242, command: "install" }]);
  assert.match(take(state, "lock"), /"command":"remove"/);
});

Deno.test("T-LOCK-05: waiting ends in LOCK_BUSY at the deadline, not before and not later", async () => {
  const { session, state, files } = world();
  using _held = await acquireWriterLock(session, state, NO_WAIT);
  const waiter = testSession(new TestSystem({ fileSystem: files }));
  const error = await failure(acquireWriterLock(waiter, state, { waitSeconds: 2.25 }));
  assert.equal(error.detail.rule, "LOCK_BUSY");
  assert.equal(waiter.system.monotonic(), 2250);
  assert.equal(waiter.events.length, 1);
});

Deno.test("T-LOCK-05: waiting ends with the signal's reason when the session is aborted", async () => {
  const { session, state, files } = world();
  using _held = await acquireWriterLock(session, state, NO_WAIT);
  const controller = new AbortController();
  const waiter = testSession(new TestSystem({ fileSystem: files }), { signal: controller.signal });
  const reason = new PeipkgError("interrupted", "stopped");
  waiter.system.onSleep = () => controller.abort(reason);
  assert.equal(await failure(acquireWriterLock(waiter, state, { waitSeconds: 60 })), reason);
});

Deno.test("T-LOCK-06: a held lock never becomes stale, whatever its content and age say", async () => {
  const { session, state, files } = world();
  using _held = await acquireWriterLock(session, state, NO_WAIT);
  for (const content of ["", "{}", "not json", JSON.stringify({ ...OTHER, boot_id: "an older boot" })]) {
    files.node("/lock")?.truncate(0);
    files.node("/lock")?.append(new TextEncoder().encode(content));
    const later = testSession(new TestSystem({ fileSystem: files, now: 4_000_000_000_000 }));
    await assertFails(later, state, "LOCK_BUSY");
  }
});

Deno.test("T-LOCK-10: readHolder() takes no lock and changes nothing", () => {
  const calls: string[] = [];
  const files = memoryFileSystem();
  leave(files, "lock", OTHER);
  const { session, state } = world({ fileSystem: files, faults: new FaultControl((_n, call) => calls.push(call)) });
  calls.length = 0;
  readHolder(state, session.system.machine);
  assert.deepEqual([...new Set(calls)].sort(), ["openat", "pread", "statx"]);
});

Deno.test("T-LOCK-11: a lock that is a link, a directory or a device is STATE_UNSAFE", async () => {
  for (const kind of ["link", "dangling", "directory"]) {
    const { session, state } = world();
    put(state, "victim", "untouched");
    if (kind === "directory") state.makeDirectory("lock", 0o755);
    else state.makeSymlink("lock", kind === "link" ? "victim" : "nowhere");
    const error = await assertFails(session, state, "STATE_UNSAFE");
    assert.equal(error.code, "denied");
    assert.equal(take(state, "victim"), "untouched");
    assert.equal(state.status("nowhere"), undefined);
  }
});

Deno.test("T-LOCK-11: a lock that was replaced while it was being locked is STATE_UNSAFE", async () => {
  const files = memoryFileSystem();
  leave(files, "lock", "");
  const faults = new FaultControl((_n, call) => {
    if (call === "flock") leave(files, "lock", "");
  });
  const { session, state } = world({ fileSystem: files, faults });
  await assertFails(session, state, "STATE_UNSAFE");
  assert.equal(files.openHandles, 2);
});

Deno.test("T-LOCK-12: network file systems are refused by name", async () => {
  const types: readonly (readonly [bigint, string])[] = [
    [0x6969n, "NFS"],
    [0x517bn, "SMB"],
    [0xff534d42n, "SMB"],
    [0xfe534d42n, "SMB"],
    [0x5346414fn, "AFS"],
    [0x6b414653n, "AFS"],
    [0x00c36400n, "Ceph"],
    [0x01161970n, "GFS2"],
    [0x7461636fn, "OCFS2"],
    [0x0bd00bd0n, "Lustre"],
  ];
  for (const [type, name] of types) {
    const { session, state, files } = world();
    files.setFileSystem(state.device, { type });
    const error = await assertFails(session, state, "STATE_UNSAFE");
    assert.match(error.message, new RegExp(name));
    assert.equal(state.status("lock"), undefined);
  }
});

Deno.test("T-DB-11: STATE must belong to root or the caller and be closed to everybody else's writing", () => {
  const check = (uid: number, mode: number, euid: number, hasKacs = false) => {
    const files = memoryFileSystem({ euid, hasKacs });
    using root = files.open();
    using top = open(root, "/");
    top.makeDirectory("state", mode);
    top.changeOwner("state", uid, 0);
    using state = open(root, "/state");
    checkStateDirectory(state, { ...TEST_MACHINE, euid });
  };
  check(0, 0o755, 0);
  check(0, 0o755, 1000);
  check(1000, 0o700, 1000);
  check(77, 0o1777, 0, true);
  assertRule(() => check(1001, 0o755, 1000), "STATE_UNSAFE");
  assertRule(() => check(1000, 0o755, 0), "STATE_UNSAFE");
  assertRule(() => check(0, 0o775, 0), "STATE_UNSAFE");
  assertRule(() => check(0, 0o757, 1000), "STATE_UNSAFE");
  assertRule(() => check(0, 0o1777, 0), "STATE_UNSAFE");
});

Deno.test("FP-03: refusals are NOT_PERMITTED, everything else is LOCK_IO, and no handle stays open", async () => {
  const expected: Readonly<Record<string, string>> = {
    EACCES: "NOT_PERMITTED",
    EPERM: "NOT_PERMITTED",
    EROFS: "NOT_PERMITTED",
    ENOSPC: "LOCK_IO",
    EDQUOT: "LOCK_IO",
    EIO: "LOCK_IO",
  };
  for (const [errno, rule] of Object.entries(expected)) {
    for (const call of ["append", "ftruncate", "write"]) {
      const faults = FaultControl.failAt(1, errno, (name) => name === call);
      const { session, state, files } = world({ faults });
      await assertFails(session, state, rule);
      assert.equal(files.openHandles, 2);
      // The failed attempt holds nothing.
      (await acquireWriterLock(session, state, NO_WAIT))[Symbol.dispose]();
    }
  }
});

Deno.test("FP-57: release never fails, because the kernel drops the lock anyway", async () => {
  const faults = FaultControl.failAt(2, "EIO", (call) => call === "ftruncate");
  const { session, state } = world({ faults });
  (await acquireWriterLock(session, state, NO_WAIT))[Symbol.dispose]();
  assert.equal(faults.hasFired, true);
  (await acquireWriterLock(session, state, NO_WAIT))[Symbol.dispose]();
});

Deno.test("T-LOCK-07: without flock the lock is the exclusive creation of lock.pid", async () => {
  for (const errno of ["ENOLCK", "EOPNOTSUPP", "ENOSYS"]) {
    const { session, state } = world({ faults: withoutFlock(errno) });
    const lock = await acquireWriterLock(session, state, NO_WAIT);
    assert.equal(lock.kind, "file");
    assert.equal(JSON.parse(take(state, "lock.pid")).pid, 4242);
    assert.equal(state.status("lock.pid")?.mode, 0o644);
    const error = await assertFails(session, state, "LOCK_BUSY");
    assert.equal(error.detail.pid, 4242);
    lock[Symbol.dispose]();
    lock[Symbol.dispose]();
    assert.equal(state.status("lock.pid"), undefined);
  }
});

/** Whether a lock file with this content is broken by a machine that says so about its process. */
async function isBroken(
  content: string | Readonly<Record<string, unknown>>,
  machine: Partial<Machine> = {},
): Promise<boolean> {
  const files = memoryFileSystem();
  leave(files, "lock.pid", content);
  const { session, state } = world({ fileSystem: files, faults: withoutFlock(), machine });
  try {
    using _lock = await acquireWriterLock(session, state, NO_WAIT);
    assert.equal(JSON.parse(take(state, "lock.pid")).pid, 4242);
  } catch (error) {
    assert.ok(error instanceof PeipkgError && error.detail.rule === "LOCK_BUSY", String(error));
    assert.equal(take(state, "lock.pid"), typeof content === "string" ? content : JSON.stringify(content));
    return false;
  } finally {
    assert.equal(state.status("lock.break"), undefined);
  }
  return true;
}

Deno.test("T-LOCK-07: a holder is gone after another boot of the same host, or when its process is", async () => {
  assert.equal(await isBroken({ ...OTHER, boot_id: "an older boot" }), true);
  assert.equal(await isBroken(OTHER, { processState: () => "gone" }), true);
  // What the process's state is asked about.
  const asked: unknown[] = [];
  const processState = (pid: number, startTicks?: string) => {
    asked.push([pid, startTicks]);
    return "gone" as const;
  };
  assert.equal(await isBroken(OTHER, { processState }), true);
  assert.deepEqual(asked[0], [99, "7"]);
});

Deno.test("T-LOCK-07, T-LOCK-06: everything that is not proof means held", async () => {
  const gone: Partial<Machine> = { processState: () => "gone" };
  const { boot_id: _boot, ...withoutBoot } = OTHER;
  const { hostname: _host, ...withoutHost } = OTHER;
  const { pid_ns: _namespace, ...withoutNamespace } = OTHER;
  assert.equal(await isBroken(OTHER, { processState: () => "alive" }), false);
  assert.equal(await isBroken(OTHER, { processState: () => "unknown" }), false);
  assert.equal(await isBroken({ ...OTHER, hostname: "another" }, gone), false);
  assert.equal(await isBroken({ ...OTHER, hostname: "another", boot_id: "an older boot" }, gone), false);
  assert.equal(await isBroken({ ...OTHER, pid_ns: "pid:[1]" }, gone), false);
  assert.equal(await isBroken(withoutBoot, gone), false);
  assert.equal(await isBroken(withoutHost, gone), false);
  assert.equal(await isBroken({ ...withoutHost, boot_id: "an older boot" }, gone), false);
  assert.equal(await isBroken(withoutNamespace, gone), false);
  assert.equal(await isBroken(OTHER, { ...gone, bootId: undefined }), false);
  assert.equal(await isBroken(OTHER, { ...gone, hostname: undefined }), false);
  assert.equal(await isBroken(OTHER, { ...gone, pidNamespace: undefined }), false);
  assert.equal(
    await isBroken({ ...OTHER, started_at: "1970-01-01T00:00:00Z" }, { processState: () => "alive" }),
    false,
  );
});

Deno.test("A-INPUT-21: an empty, torn or hostile lock.pid means held", async () => {
  const gone: Partial<Machine> = { processState: () => "gone" };
  const contents = [
    "",
    "{",
    "null",
    "[]",
    "12",
    "{}",
    JSON.stringify({ ...OTHER, pid: "99" }),
    JSON.stringify({ ...OTHER, pid: -1 }),
    JSON.stringify({ ...OTHER, pid: 1.5 }),
    JSON.stringify({ ...OTHER, pid: 2 ** 40 }),
    JSON.stringify({ ...OTHER, command: "x".repeat(5000) }),
  ];
  for (const content of contents) assert.equal(await isBroken(content, gone), false, content.slice(0, 60));
});

Deno.test("T-LOCK-08: breaking happens under lock.break; a second breaker finds it and is busy", async () => {
  const files = memoryFileSystem();
  leave(files, "lock.pid", OTHER);
  leave(files, "lock.break", OTHER);
  const { session, state } = world({ fileSystem: files, faults: withoutFlock() });
  const error = await assertFails(session, state, "LOCK_BUSY");
  assert.match(error.detail.hint ?? "", /lock\.break/);
  assert.equal(JSON.parse(take(state, "lock.pid")).pid, 99);
  assert.notEqual(state.status("lock.break"), undefined);
});

Deno.test("T-LOCK-08: the content is checked again under lock.break, so two breakers cannot both succeed", async () => {
  const files = memoryFileSystem();
  leave(files, "lock.pid", OTHER);
  const winner = { ...OTHER, pid: 100 };
  const faults = new FaultControl((n, call, path) => {
    if (call === "flock") FaultControl.failAt(1, "ENOLCK").onCall(n, call, path);
    // Another breaker finishes between our look and our lock.break.
    if (call === "create" && path === "/lock.break") leave(files, "lock.pid", winner);
  });
  const machine: Partial<Machine> = { processState: (pid) => pid === 100 ? "alive" : "gone" };
  const { session, state } = world({ fileSystem: files, faults, machine });
  const error = await assertFails(session, state, "LOCK_BUSY");
  assert.equal(error.detail.pid, 100);
  assert.equal(JSON.parse(take(state, "lock.pid")).pid, 100);
  assert.equal(state.status("lock.break"), undefined);
});

Deno.test("T-LOCK-07: a lock.pid that could not be written is taken away again", async () => {
  for (const call of ["write", "fsync"]) {
    const failing = FaultControl.failAt(1, "ENOSPC", (name) => name === call);
    const faults = new FaultControl((n, name, path) => {
      if (name === "flock") FaultControl.failAt(1, "ENOLCK").onCall(n, name, path);
      failing.onCall(n, name, path);
    });
    const { session, state } = world({ faults });
    await assertFails(session, state, "LOCK_IO");
    assert.equal(state.status("lock.pid"), undefined);
  }
});

Deno.test("T-RECOV-06: readHolder() calls a holder dead only when nothing is written or it is certainly gone", () => {
  const read = (content: string | Readonly<Record<string, unknown>> | undefined, machine: Partial<Machine> = {}) => {
    const files = memoryFileSystem();
    if (content !== undefined) leave(files, "lock", content);
    using root = files.open();
    using state = open(root, "/");
    return readHolder(state, { ...TEST_MACHINE, ...machine });
  };
  const gone: Partial<Machine> = { processState: () => "gone" };
  assert.deepEqual(read(undefined), { alive: false, holder: undefined });
  assert.deepEqual(read(""), { alive: false, holder: undefined });
  assert.equal(read({ ...OTHER, boot_id: "an older boot" }).alive, false);
  assert.equal(read(OTHER, gone).alive, false);
  assert.equal(read(OTHER, gone).holder?.command, "upgrade");
  assert.equal(read(OTHER, { processState: () => "alive" }).alive, true);
  assert.equal(read(OTHER, { processState: () => "unknown" }).alive, true);
  assert.deepEqual(read("torn {", gone), { alive: true, holder: undefined });
  assert.equal(read({ ...OTHER, pid_ns: "pid:[1]" }, gone).alive, true);
  assert.equal(read(OTHER, { ...gone, bootId: undefined }).alive, true);
  assert.equal(read(OTHER, { ...gone, pidNamespace: undefined }).alive, true);
});

Deno.test("T-RECOV-06: readHolder() looks at lock.pid when the lock file is empty", () => {
  const files = memoryFileSystem();
  leave(files, "lock", "");
  leave(files, "lock.pid", OTHER);
  using root = files.open();
  using state = open(root, "/");
  const { alive, holder } = readHolder(state, { ...TEST_MACHINE, processState: () => "alive" });
  assert.equal(alive, true);
  assert.equal(holder?.pid, 99);
});

// --- Real processes --------------------------------------------------------------------------------------------------

async function startHolder(path: string) {
  const script = new URL("../../support/lock_holder.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", script, path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.stdout.getReader();
  const { value } = await output.read();
  assert.equal(new TextDecoder().decode(value), "held\n");
  return {
    pid: child.pid,
    async end(signal?: Deno.Signal) {
      await output.cancel();
      if (signal !== undefined) child.kill(signal);
      await child.stdin.close();
      await child.status;
    },
  };
}

function realSession(): { session: Session } & Disposable {
  const system = realSystem();
  const { signal } = new AbortController();
  const session = { system, emit: () => {}, signal, invocation: "00", version: "peipkg 0.1.0", command: "install" };
  return { session, [Symbol.dispose]: () => system[Symbol.dispose]() };
}

Deno.test("T-LOCK-01, T-LOCK-02: two processes exclude each other, and a killed holder leaves nothing behind", async () => {
  const path = await Deno.makeTempDir();
  try {
    using real = realSession();
    const { session } = real;
    using root = session.system.openRoot(path);
    using state = open(root, "/");
    for (const signal of [undefined, "SIGKILL"] as const) {
      const holder = await startHolder(path);
      try {
        const error = await assertFails(session, state, "LOCK_BUSY");
        assert.equal(error.detail.pid, holder.pid);
        assert.equal(error.detail.command, "upgrade");
        assert.equal(error.detail.startedAt, "2026-01-02T03:04:05Z");
        assert.equal(readHolder(state, session.system.machine).alive, true);
      } finally {
        await holder.end(signal);
      }
      assert.equal(take(state, "lock") === "", signal === undefined);
      assert.equal(readHolder(state, session.system.machine).alive, false);
      using lock = await acquireWriterLock(session, state, NO_WAIT);
      assert.equal(lock.kind, "flock");
    }
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("T-LOCK-03: a child started while the lock is held does not keep it", async () => {
  const path = await Deno.makeTempDir();
  try {
    using real = realSession();
    const { session } = real;
    using root = session.system.openRoot(path);
    using state = open(root, "/");
    const lock = await acquireWriterLock(session, state, NO_WAIT);
    const child = new Deno.Command("/bin/cat", { stdin: "piped", stdout: "null" }).spawn();
    try {
      lock[Symbol.dispose]();
      // The kernel may still be closing the child's descriptors; inherited, they would stay open to its end.
      (await acquireWriterLock(session, state, { waitSeconds: 10 }))[Symbol.dispose]();
    } finally {
      await child.stdin.close();
      await child.status;
    }
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});
