/**
 * Where events go: the kernel where it takes them, else the log of the root, and a copy to a file of the operator's
 * choice (A-SINK). Reporting never fails an operation (A-EVENT-25); only evidence of an elevated action that no
 * transaction records is refused when nothing can keep it (A-AUTH-09).
 */
import { PeipkgError, ruleError, SystemCallError, type Warning } from "../errors.ts";
import { openOrCreateChild, openOrCreateDirectory } from "../fs/durable.ts";
import type { Directory, RootDirectory, Session } from "../system.ts";
import {
  appendEvents,
  AUDIT_LOG_FILE,
  lineBytes,
  type LogEvent,
  type LogFile,
  MAX_LINE_BYTES,
  type Pause,
  UnsafeLogError,
} from "./log.ts";
import { type AuditMap, encodeMessagePack } from "./msgpack.ts";
import { type AuditEvent, buildPayload, describeOperator, shortenDetail, splitPackages } from "./record.ts";

export interface AuditOptions {
  /** Opens the file of the key `event_log` (A-LOG-11); `undefined`: its directory does not exist. */
  readonly openEventLog?: (() => { readonly directory: Directory; readonly name: string } | undefined) | undefined;
  /** Whether anything is installed or configured here: a refusal leaves an empty root empty (T-DB-17). */
  readonly hasInstallation: () => boolean;
  /** Environment values naming someone else (A-OPER-04). */
  readonly claimed?: Readonly<Record<string, string>>;
  /** Blocks the thread; tests pass one that does not. */
  readonly pause?: Pause;
}

const LOG_PARENT = "/var/log";
const LOG_DIRECTORY = "peipkg";
/** Directory of the log and its rotated files, logical path. */
export const AUDIT_DIRECTORY = `${LOG_PARENT}/${LOG_DIRECTORY}`;
const LOG_PARENT_MODE = 0o755;
const LOG_DIRECTORY_MODE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;
/** Waits after `EAGAIN`, in milliseconds (A-KMES-13). */
const RATE_WAITS = [10, 20, 40, 80, 160] as const;
/** More parts than this are not tried: one package alone is too large then. */
const MAX_PARTS = 4096;
const MAX_INTERRUPTIONS = 100;

/** The audit sinks of one run. Emission is synchronous: the order of events is the order of what they tell. */
export class AuditTrail implements Disposable {
  readonly #session: Session;
  readonly #root: RootDirectory;
  readonly #options: AuditOptions;
  readonly #operator: AuditMap;
  readonly #pause: Pause;
  #log: LogFile | undefined;
  #copy: LogFile | "failed" | undefined;
  #kernel: "untried" | "present" | "absent" = "untried";
  #hasWarnedKernel = false;
  #lost = 0;
  #firstLoss: { readonly warning: Warning; readonly isDenied: boolean } | undefined;

  private constructor(session: Session, root: RootDirectory, options: AuditOptions) {
    this.#session = session;
    this.#root = root;
    this.#options = options;
    this.#operator = describeOperator(session.system.machine, options.claimed);
    this.#pause = options.pause ?? blockThread;
  }

  /** Prepares the sinks; nothing is opened before the first event. */
  static open(session: Session, root: RootDirectory, options: AuditOptions): AuditTrail {
    return new AuditTrail(session, root, options);
  }

  /** Who runs this process, as recorded with transactions and events (A-FIELD-12). */
  get operator(): AuditMap {
    return this.#operator;
  }

  /**
   * Records one event.
   *
   * @returns Whether some sink has it. `false` is not a failure of the operation (A-EVENT-25).
   */
  emit(event: AuditEvent): { readonly stored: boolean } {
    return this.emitAll([event]);
  }

  /**
   * Records events that belong together, in their order.
   *
   * @returns Whether each of them is in some sink.
   */
  emitAll(events: readonly AuditEvent[]): { readonly stored: boolean } {
    const { invocation } = this.#session;
    const forLog: LogEvent[] = [];
    const forCopy: LogEvent[] = [];
    let stored = true;
    for (const event of events) {
      const { type } = event;
      const payload = buildPayload(event, { invocation, root: this.#root.path, operator: this.#operator });
      const inKernel = this.#emitToKernel(type, payload);
      if (event.outcome === "rejection" && !inKernel && !this.#options.hasInstallation()) {
        stored = false;
        continue;
      }
      if (!inKernel) forLog.push({ type, payload });
      forCopy.push({ type, payload });
    }
    if (!this.#emitToLog(forLog)) stored = false;
    this.#emitCopy(forCopy);
    return { stored };
  }

  /**
   * Records evidence of an elevated action that opens no transaction.
   *
   * @throws {PeipkgError} `failed` (`AUDIT_EVIDENCE_UNRECORDED`): the action must not be carried out (A-AUTH-09).
   */
  recordEvidence(event: AuditEvent & { readonly type: "peipkg.authorisation" }): void {
    if (this.emit(event).stored) return;
    throw ruleError(
      "AUDIT_EVIDENCE_UNRECORDED",
      `cannot carry out "${event.authorisation.action}" for "${event.authorisation.subject}": no audit sink accepts its evidence`,
    );
  }

  /**
   * Reports losses once, with their number (A-SINK-04). A caller who may not write the log and changed nothing is not
   * bothered (A-LOG-08).
   */
  finish(changedSomething: boolean): void {
    const loss = this.#firstLoss;
    this.#firstLoss = undefined;
    if (loss === undefined || (loss.isDenied && !changedSomething)) return;
    const count = this.#lost === 1 ? "1 audit event was" : `${this.#lost} audit events were`;
    this.#warn({ rule: loss.warning.rule, text: `${count} not recorded: ${loss.warning.text}` });
  }

  [Symbol.dispose](): void {
    this.#log?.directory[Symbol.dispose]();
    this.#log = undefined;
    if (typeof this.#copy === "object") this.#copy.directory[Symbol.dispose]();
    this.#copy = undefined;
  }

  #warn(warning: Warning): void {
    this.#session.emit({ kind: "warning", warning });
  }

  // --- Kernel (A-KMES) ---

  #emitToKernel(type: string, payload: AuditMap): boolean {
    if (this.#kernel === "absent") return false; // A-KMES-11: remembered for the run
    let errno = this.#sendToKernel(type, payload);
    if (errno === "ENOSPC") errno = this.#sendDivided(type, shortenDetail(payload)); // A-KMES-14
    if (errno === undefined) return true;
    if (errno === "ENOSYS") { // A-SINK-03: no warning, but the log takes it
      this.#kernel = "absent";
      return false;
    }
    if (!this.#hasWarnedKernel) { // A-SINK-02
      this.#hasWarnedKernel = true;
      const text = `the kernel refuses audit events (${errno}); they are written to the audit log instead`;
      this.#warn({ rule: "AUDIT_WRITE_FAILED", text });
    }
    return false;
  }

  /** The whole record, then the packages in ever more parts. A part sent in vain is a duplicate, never a loss. */
  #sendDivided(type: string, payload: AuditMap): string | undefined {
    let errno = this.#sendToKernel(type, payload);
    for (let parts = 2; errno === "ENOSPC" && parts <= MAX_PARTS; parts *= 2) {
      const pieces = splitPackages(payload, parts) ?? splitPackages(payload, packageCount(payload));
      if (pieces === undefined || pieces.length < 2) return errno;
      errno = undefined;
      for (const piece of pieces) {
        errno = this.#sendToKernel(type, piece);
        if (errno !== undefined) break;
      }
      if (pieces.length < parts) return errno;
    }
    return errno;
  }

  /** @returns The errno of a final refusal; `undefined` when accepted. */
  #sendToKernel(type: string, payload: AuditMap): string | undefined {
    const bytes = encodeMessagePack(payload);
    let waits = 0, interruptions = 0, hasRetriedMemory = false;
    for (;;) {
      const result = this.#session.system.emitKernelEvent(type, bytes);
      if (result.kind === "accepted") return undefined;
      const wait = RATE_WAITS[waits];
      if (result.errno === "EINTR" && interruptions++ < MAX_INTERRUPTIONS) continue; // A-KMES-10
      if (result.errno === "EAGAIN" && wait !== undefined) { // A-KMES-13
        waits++;
        this.#pause(wait);
        continue;
      }
      if (result.errno === "ENOMEM" && !hasRetriedMemory) { // A-KMES-16
        hasRetriedMemory = true;
        continue;
      }
      return result.errno;
    }
  }

  // --- Log (A-LOG) ---

  #emitToLog(events: readonly LogEvent[]): boolean {
    const lines: LogEvent[] = [];
    let lost = 0;
    for (const event of events) {
      try {
        lines.push(...fitToLines(event));
      } catch (error) {
        this.#noteLoss(error, 1);
        lost++;
      }
    }
    if (lines.length === 0) return lost === 0;
    try {
      this.#log ??= this.#openLog();
      appendEvents(this.#session.system, this.#log, this.#pause, lines);
      return lost === 0;
    } catch (error) {
      this.#noteLoss(error, events.length - lost);
      return false;
    }
  }

  #openLog(): LogFile {
    using parent = openOrCreateDirectory(this.#root, LOG_PARENT, LOG_PARENT_MODE);
    const directory = openOrCreateChild(parent, LOG_DIRECTORY, LOG_DIRECTORY_MODE);
    const ignoresModes = this.#root.hasKacs;
    if (!ignoresModes && (directory.selfStatus().mode & WRITABLE_BY_OTHERS) !== 0) {
      directory[Symbol.dispose]();
      throw new UnsafeLogError("its directory is writable by others");
    }
    return { directory, name: AUDIT_LOG_FILE, rotates: true, ignoresModes };
  }

  #emitCopy(events: readonly LogEvent[]): void {
    if (this.#options.openEventLog === undefined || this.#copy === "failed" || events.length === 0) return;
    try {
      this.#copy ??= this.#openCopy(this.#options.openEventLog());
      appendEvents(this.#session.system, this.#copy, this.#pause, events.flatMap(fitToLines));
    } catch (error) {
      const { warning } = describeLoss(error);
      this.#warn({ rule: warning.rule, text: `the event log could not be written: ${warning.text}` });
      if (typeof this.#copy === "object") this.#copy.directory[Symbol.dispose]();
      this.#copy = "failed"; // one warning a run
    }
  }

  #openCopy(opened: { readonly directory: Directory; readonly name: string } | undefined): LogFile {
    if (opened === undefined) throw new SystemCallError("ENOENT", "open", "event log");
    return { ...opened, rotates: false, ignoresModes: this.#root.hasKacs };
  }

  #noteLoss(error: unknown, count: number): void {
    const loss = describeLoss(error);
    this.#lost += count;
    this.#firstLoss ??= loss;
  }
}

/** An event as lines that are short enough (A-LOG-02), by the same steps a kernel event is made smaller. */
function fitToLines({ type, payload }: LogEvent): readonly LogEvent[] {
  const fits = (piece: AuditMap) => lineBytes(type, piece) <= MAX_LINE_BYTES;
  if (fits(payload)) return [{ type, payload }];
  const shortened = shortenDetail(payload);
  for (let parts = 1; parts <= MAX_PARTS; parts *= 2) {
    const pieces = parts === 1 ? [shortened] : splitPackages(shortened, Math.min(parts, packageCount(shortened)));
    if (pieces === undefined) break;
    if (pieces.every(fits)) return pieces.map((piece) => ({ type, payload: piece }));
    if (pieces.length < parts) break;
  }
  throw new SystemCallError("EFBIG", "write", AUDIT_LOG_FILE);
}

function packageCount(payload: AuditMap): number {
  return Array.isArray(payload.packages) ? payload.packages.length : 1;
}

function describeLoss(error: unknown): { readonly warning: Warning; readonly isDenied: boolean } {
  if (error instanceof UnsafeLogError) {
    return { warning: { rule: "AUDIT_LOG_UNSAFE", text: error.message }, isDenied: false };
  }
  if (error instanceof SystemCallError) {
    const isDenied = ["EACCES", "EPERM", "EROFS"].includes(error.errno);
    return { warning: { rule: "AUDIT_WRITE_FAILED", text: `${error.call} reports ${error.errno}` }, isDenied };
  }
  // A link on the way to the log (T-PATH-02).
  if (error instanceof PeipkgError) {
    return { warning: { rule: "AUDIT_LOG_UNSAFE", text: error.message }, isDenied: error.code === "denied" };
  }
  throw error;
}

function blockThread(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
