/**
 * Failures as a person or a program reads them: the sentence, its particulars, the way on, and under `--json` the
 * same as data.
 *
 * @see C-ERR-01 to C-ERR-09, C-JSON-04, C-JSON-13
 */
import type { ErrorCode, ErrorDetail, PeipkgError, UnresolvableReason } from "../../mod.ts";
import { UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import { codeTail, type Screen } from "../screen.ts";

/** A failure ready to be shown. All text is unescaped. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly rule: string | undefined;
  readonly reason: UnresolvableReason | undefined;
  /** Particulars, one per indented line. */
  readonly lines: readonly string[];
  /** What may have been meant. */
  readonly suggestion: string | undefined;
  /** The way on. */
  readonly hint: string | undefined;
  /** Members of `details` beside `rule` and `hint`, in snake_case. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly transaction: number | undefined;
  readonly rolledBack: boolean;
  readonly signal: number | undefined;
  /** Sentences of the failures behind it, outermost first; shown with `-vv` only. */
  readonly causes: readonly string[];
}

/** Members of `details` that are always present for a code (C-JSON-13, C-JSON-02). */
const REQUIRED_DETAILS: { readonly [code in ErrorCode]?: Readonly<Record<string, readonly never[]>> } = {
  "unresolvable": { chain: [], considered: [] },
  "locked": { chain: [], considered: [] },
  "critical": { chain: [], considered: [] },
  "collision": { paths: [] },
  "unowned": { paths: [] },
  "modified": { paths: [] },
  "failed": { paths: [] },
  "indeterminate": { paths: [] },
  "no-space": { filesystems: [] },
  "authorisation-required": { authorisations: [] },
  "undo-unavailable": { packages: [] },
};

/** A failure of our own kind. Told by name: loading the library just to compare classes would slow every fault. */
function isPeipkgError(error: unknown): error is PeipkgError {
  return error instanceof Error && error.name === "PeipkgError" && "code" in error && "detail" in error;
}

/** `startedAt` → `started_at`, in every record of a value. */
export function toSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toSnakeCase);
  // 64-bit counters pass what JSON numbers can hold.
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), toSnakeCase(member)]),
  );
}

function detailMembers(detail: ErrorDetail): Readonly<Record<string, unknown>> {
  const { rule: _rule, hint: _hint, lines: _lines, cause: _cause, reason: _reason, ...rest } = detail;
  const { transaction: _transaction, signal: _signal, rolledBack: _rolledBack, more, ...members } = rest;
  const snake = toSnakeCase({ ...members, ...more });
  return typeof snake === "object" && snake !== null ? { ...snake } : {};
}

/** Everything found wrong with one thing, where the failure carries more than the first (C-BUILD-01). */
function violationsOf(detail: ErrorDetail): readonly PeipkgError[] {
  const violations = detail.more?.["violations"];
  const found = Array.isArray(violations) ? violations.filter(isPeipkgError) : [];
  // A single one is the sentence itself.
  return found.length > 1 ? found : [];
}

function causeChain(error: unknown): readonly string[] {
  const sentences: string[] = [];
  // A chain that leads back to itself must not hold up the message.
  for (let cause = error; cause instanceof Error && sentences.length < 10; cause = cause.cause) {
    sentences.push(`${cause.name}: ${cause.message}`);
  }
  return sentences;
}

const SYSTEM_CALL_CODES: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  ["EACCES", ["denied", "access was refused"]],
  ["EPERM", ["denied", "the system does not permit it"]],
  ["EROFS", ["denied", "the file system is read-only"]],
  ["ENOSPC", ["no-space", "the file system is full"]],
  ["EDQUOT", ["no-space", "the quota is used up"]],
  ["ENOENT", ["io", "it does not exist"]],
]);

/** A refused system call that nobody gave a meaning: still a sentence of ours, never the raw exception (C-ERR-03). */
function describeSystemCall(error: Error): Pick<Failure, "code" | "message"> | undefined {
  if (error.name !== "SystemCallError" || !("errno" in error) || !("path" in error)) return undefined;
  const [code, text] = SYSTEM_CALL_CODES.get(String(error.errno)) ?? ["io", `the system answered ${error.errno}`];
  return { code, message: `cannot use "${error.path}": ${text}` };
}

const EMPTY = {
  rule: undefined,
  reason: undefined,
  lines: [],
  suggestion: undefined,
  hint: undefined,
  details: {},
  transaction: undefined,
  rolledBack: false,
  signal: undefined,
  causes: [],
} as const;

/** A fault of the call, whoever found it; `undefined` for every other failure. */
export function usageErrorOf(error: unknown): UsageError | undefined {
  if (error instanceof UsageError) return error;
  if (!isPeipkgError(error) || error.code !== "usage") return undefined;
  const { rule, hint, lines } = error.detail;
  return new UsageError("", error.message, {
    ...(rule === undefined ? {} : { rule }),
    ...(hint === undefined ? {} : { hint }),
    ...(lines === undefined ? {} : { lines }),
  });
}

/** Turns whatever was thrown into a failure to show. What is not one of ours is a defect, and says so. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError) {
    const { code = "usage", rule, suggestion, hint, lines = [] } = error.extra;
    return { ...EMPTY, code, message: error.message, rule, suggestion, hint, lines };
  }
  if (isPeipkgError(error)) {
    const { detail } = error;
    const violations = violationsOf(detail);
    const listed = violations.map(({ code, message, detail: { rule } }) => ({ rule: rule ?? code, text: message }));
    return {
      code: error.code,
      message: error.message,
      rule: detail.rule,
      reason: detail.reason,
      lines: [...detail.lines ?? [], ...violations.map(({ message }) => message)],
      suggestion: undefined,
      hint: detail.hint,
      details: {
        ...REQUIRED_DETAILS[error.code],
        ...detailMembers(detail),
        ...(listed.length === 0 ? {} : { violations: listed }),
      },
      transaction: detail.transaction,
      rolledBack: detail.rolledBack ?? false,
      signal: detail.signal,
      causes: causeChain(detail.cause),
    };
  }
  const system = error instanceof Error ? describeSystemCall(error) : undefined;
  if (system !== undefined) {
    return { ...EMPTY, ...system, details: REQUIRED_DETAILS[system.code] ?? {}, causes: causeChain(error) };
  }
  return {
    ...EMPTY,
    code: "internal",
    message: "a defect of this program stopped it",
    hint: "report it together with the output of the same command and -vv",
    causes: causeChain(error),
  };
}

/** Edits between a word and what is suggested for it (C-GEN-07). */
const SUGGESTION_DISTANCE = 2;

/** A fault of the call as a failure to show, with the word that was probably meant: the better way on, if there is one. */
export async function describeUsage(error: UsageError): Promise<Failure> {
  const failure = describeFailure(error);
  const { near } = error.extra;
  if (near === undefined) return failure;
  const { nearestName } = await import("../../mod.ts");
  const suggestion = nearestName(near.word, near.among, SUGGESTION_DISTANCE);
  return suggestion === undefined ? failure : { ...failure, suggestion, hint: undefined };
}

/** `peipkg: info: ` (C-ERR-01) */
function prefix(screen: Screen): string {
  const { program, words } = screen.mode;
  return `${screen.style("stderr", "error", `${program}:`)} ${words === "" ? "" : `${escapeText(words)}: `}`;
}

/** The lines of a failure for a person (C-ERR-02). */
export function renderFailure(screen: Screen, failure: Failure): readonly string[] {
  const { verbose } = screen.mode;
  const lines = [
    `${prefix(screen)}${escapeText(failure.message)}${codeTail(verbose, failure.code, failure.rule)}`,
    ...failure.lines.map((line) => `  ${escapeText(line)}`),
  ];
  if (verbose > 1) lines.push(...failure.causes.map((cause) => `  caused by: ${escapeText(cause)}`));
  if (failure.suggestion !== undefined) lines.push(`did you mean "${escapeText(failure.suggestion)}"?`);
  if (failure.hint !== undefined) lines.push(escapeText(failure.hint));
  return lines;
}

function details(failure: Failure): Readonly<Record<string, unknown>> | undefined {
  const hint = failure.hint ?? (failure.suggestion === undefined ? undefined : `did you mean "${failure.suggestion}"?`);
  const members = { ...(failure.rule === undefined ? {} : { rule: failure.rule }), ...failure.details };
  const all = hint === undefined ? members : { ...members, hint };
  return Object.keys(all).length === 0 ? undefined : all;
}

/** The error object of a failed read command or usage error (C-JSON-04). */
export function failureDocument(words: string, failure: Failure): unknown {
  const members = details(failure);
  const reason = failure.reason === undefined ? {} : { reason: failure.reason };
  return {
    error: {
      code: failure.code,
      message: failure.message,
      command: words,
      ...(members === undefined && failure.reason === undefined ? {} : { details: { ...reason, ...members } }),
    },
  };
}

/** Members of the `error` event (6.3). */
export function failureEvent(failure: Failure): Readonly<Record<string, unknown>> {
  return {
    code: failure.code,
    message: failure.message,
    reason: failure.reason,
    details: details(failure),
    transaction: failure.transaction,
    rolled_back: failure.rolledBack,
  };
}
