/** What the kernel tells about this process and machine, asked when it is first needed (start-up costs nothing). */
import type { Machine } from "../system.ts";
import { ESRCH } from "./errno.ts";
import { AT_CWD } from "./native.ts";
import * as native from "./native.ts";
import { ownSid } from "./peios.ts";

/** Descriptors looked at one by one; the runtime itself holds some twenty. */
const LOW_DESCRIPTORS = 48;

/** `loginuid` of a process no login session started. */
const NO_LOGIN_UID = 4294967295;

/**
 * Facts of the running machine; anything absent or malformed in `/proc` is `undefined` (A-INPUT-21).
 *
 * @param programPath Path of the running program.
 * @see T-LOCK-04, A-OPER-02, A-OPER-05
 */
export function realMachine(programPath: () => string | undefined): Machine {
  return new RealMachine(programPath);
}

/** Fields of `/proc/<pid>/stat` after the command name, which may itself hold spaces and parentheses. */
function statFields(pid: number | "self"): readonly string[] | undefined {
  const text = native.readTextFile(`/proc/${pid}/stat`);
  const end = text?.lastIndexOf(")") ?? -1;
  return text === undefined || end < 0 ? undefined : text.slice(end + 2).trimEnd().split(" ");
}

/** Field 22, in clock ticks since boot. */
function startTicksOf(fields: readonly string[] | undefined): string | undefined {
  const ticks = fields?.[22 - 3];
  return ticks !== undefined && /^\d{1,20}$/.test(ticks) ? ticks : undefined;
}

/**
 * Device path of a controlling terminal.
 *
 * @param device Field 7 of `stat`: minor number in bits 0–7 and 20–31, major number in bits 8–19.
 */
export function terminalPath(device: number): string | undefined {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `/dev/pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `/dev/tty${minor}` : `/dev/ttyS${minor - 64}`;
  if (major === 229) return `/dev/hvc${minor}`;
  return undefined;
}

/**
 * Keeps from children what this process itself was started with beyond 0 to 2 (T-SIDE-05). What it opens of its own
 * never reaches them.
 */
export function keepDescriptorsFromChildren(): void {
  for (const descriptor of native.openDescriptors()) if (descriptor > 2) native.closeOnExec(descriptor);
}

/** Computes a value once, when it is first asked for. */
class Lazy<Value> {
  readonly #compute: () => Value;
  #known: { readonly value: Value } | undefined;

  constructor(compute: () => Value) {
    this.#compute = compute;
  }

  get value(): Value {
    this.#known ??= { value: this.#compute() };
    return this.#known.value;
  }
}

class RealMachine implements Machine {
  readonly #programPath: Lazy<string | undefined>;
  readonly #identity = new Lazy(native.identity);
  readonly #names = new Lazy(native.systemNames);
  readonly #stat = new Lazy(() => statFields("self"));
  readonly #bootId = new Lazy(() => {
    const text = native.readTextFile("/proc/sys/kernel/random/boot_id")?.trimEnd();
    return text !== undefined && /^[0-9a-f-]{36}$/.test(text) ? text : undefined;
  });
  readonly #pidNamespace = new Lazy(() => {
    const target = native.readLinkAt(AT_CWD, "/proc/self/ns/pid");
    return typeof target === "string" ? target : undefined;
  });
  readonly #loginUid = new Lazy(() => {
    const text = native.readTextFile("/proc/self/loginuid")?.trimEnd();
    const uid = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : NO_LOGIN_UID;
    return uid === NO_LOGIN_UID ? undefined : uid;
  });
  readonly #userName = new Lazy(() => {
    const uid = String(this.uid);
    const lines = native.readTextFile("/etc/passwd")?.split("\n") ?? [];
    return lines.map((line) => line.split(":")).find((fields) => fields[2] === uid)?.[0];
  });
  readonly #sid = new Lazy(ownSid);

  constructor(programPath: () => string | undefined) {
    this.#programPath = new Lazy(programPath);
  }

  get architecture(): string {
    return this.#names.value?.machine ?? "unknown";
  }
  get pid(): number {
    return this.#identity.value.pid;
  }
  get uid(): number {
    return this.#identity.value.uid;
  }
  get euid(): number {
    return this.#identity.value.euid;
  }
  get gid(): number {
    return this.#identity.value.gid;
  }
  get startTicks(): string | undefined {
    return startTicksOf(this.#stat.value);
  }
  get bootId(): string | undefined {
    return this.#bootId.value;
  }
  get pidNamespace(): string | undefined {
    return this.#pidNamespace.value;
  }
  get hostname(): string | undefined {
    return this.#names.value?.hostname;
  }
  get loginUid(): number | undefined {
    return this.#loginUid.value;
  }
  get userName(): string | undefined {
    return this.#userName.value;
  }
  get sid(): string | undefined {
    return this.#sid.value;
  }
  get terminal(): string | undefined {
    const device = Number(this.#stat.value?.[7 - 3]);
    return Number.isInteger(device) ? terminalPath(device) : undefined;
  }
  get programPath(): string | undefined {
    return this.#programPath.value;
  }
  get kernelRelease(): string | undefined {
    return this.#names.value?.release;
  }

  processState(pid: number, startTicks?: string): "alive" | "gone" | "unknown" {
    const result = native.probeProcess(pid);
    if (result === -ESRCH) return "gone";
    // EPERM: somebody else's process has that number; whether it is the one meant stays open (T-LOCK-07).
    if (result < 0) return "unknown";
    if (startTicks === undefined) return "alive";
    const current = startTicksOf(statFields(pid));
    if (current === undefined) return "unknown";
    return current === startTicks ? "alive" : "gone";
  }

  holdsOpenFile(device: bigint, inode: bigint): boolean {
    const isIt = (descriptor: number): boolean => {
      const status = native.statDescriptor(descriptor);
      return typeof status !== "number" && status.device === device && status.inode === inode;
    };
    // The lowest free number is given out first, so a young process need not ask for the list of them.
    for (let descriptor = 3; descriptor < LOW_DESCRIPTORS; descriptor++) if (isIt(descriptor)) return true;
    return native.openDescriptors().some(isIt);
  }
}
