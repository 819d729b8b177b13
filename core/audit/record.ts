/**
 * What is reported: event types and their fields (A-EVENT, A-FIELD), and the one place that decides the order and
 * the shape of a record. Strings arrive as they are; what must not leave in a record is taken out here.
 */
import { formatTimestamp } from "../identity/timestamp.ts";
import type { Machine } from "../system.ts";
import type { AuditMap, AuditValue } from "./msgpack.ts";

/** A package of an event (A-FIELD-10). */
export interface AuditedPackage {
  readonly name: string;
  /** Version reached, or removed. */
  readonly version: string;
  readonly architecture: string;
  readonly fromVersion?: string | undefined;
  /** Origin handle; absent for a local file and for removals. */
  readonly repository?: string | undefined;
  readonly packageHash?: string | undefined;
  readonly reason?: "explicit" | "dependency" | undefined;
}

/** One repository of a refresh (A-FIELD-11). */
export interface AuditedRepository {
  readonly name: string;
  readonly result: "refreshed" | "unchanged" | "failed";
  readonly reason?: string | undefined;
  readonly indexVersion?: number | undefined;
}

/** Overrides named in an event (A-FIELD-19). */
export type AuditFlag =
  | "overwrite-unowned"
  | "allow-critical"
  | "cascade"
  | "allow-stale"
  | "allow-downgrade"
  | "modified-keep"
  | "modified-remove"
  | "sd-overrides-store"
  | "sd-overrides-ignore"
  | "side-effects-skip";

/** Fields any event may carry. */
interface CommonFields {
  /** Milliseconds since the epoch: the operation's start (T-CONV-02). */
  readonly startedAt: number;
  /** Error code, where the outcome is not `success`. */
  readonly reason?: string | undefined;
  readonly detail?: string | undefined;
  readonly transaction?: number | undefined;
  readonly undoOf?: number | undefined;
  readonly crossRootId?: string | undefined;
  readonly flags?: readonly AuditFlag[] | undefined;
  /** The event is emitted again after a crash; it repeats invocation and operator of then (A-EVENT-23). */
  readonly replayed?: { readonly invocation: string; readonly operator: AuditMap } | undefined;
}

/** Fields by type of event (A-EVENT-01 to A-EVENT-11). */
export type AuditEvent =
  & CommonFields
  & (
    | {
      readonly type: "peipkg.install";
      readonly outcome: "success";
      readonly package: AuditedPackage;
      readonly sdOverrides?: readonly string[] | undefined;
    }
    | {
      readonly type: "peipkg.upgrade";
      readonly outcome: "success";
      readonly direction: "upgrade" | "downgrade" | "reinstall";
      readonly package: AuditedPackage;
      readonly sdOverrides?: readonly string[] | undefined;
    }
    | {
      readonly type: "peipkg.uninstall";
      readonly outcome: "success";
      readonly package: AuditedPackage;
      readonly replacedBy?: string | undefined;
    }
    | {
      readonly type: "peipkg.refresh";
      readonly outcome: "success" | "rejection";
      readonly repositories: readonly AuditedRepository[];
    }
    | {
      readonly type: "peipkg.transaction-failed";
      readonly outcome: "rejection" | "rollback" | "indeterminate";
      readonly packages: readonly AuditedPackage[];
    }
    | {
      readonly type: "peipkg.recovery";
      readonly outcome: "success" | "rejection";
      readonly recovery: {
        readonly mode: "automatic" | "operator";
        readonly resolution: "rollback" | "accept" | "none";
        readonly problems: readonly string[];
      };
    }
    | {
      readonly type: "peipkg.authorisation";
      readonly outcome: "success" | "rejection";
      readonly authorisation: {
        readonly action: string;
        readonly subject: string;
        readonly statement: string;
        readonly method: "tty" | "driven" | "flag";
        readonly planDigest?: string | undefined;
      };
    }
    | {
      readonly type: "peipkg.repo-add" | "peipkg.repo-remove";
      readonly outcome: "success" | "rejection";
      readonly repository: string;
    }
    | {
      readonly type: "peipkg.config-change";
      readonly outcome: "success";
      readonly repository?: string | undefined;
      readonly change: {
        readonly setting: string;
        readonly old: string | undefined;
        readonly new: string | undefined;
        readonly via: "command" | "file";
      };
    }
    | {
      readonly type: "peipkg.claim";
      readonly outcome: "success" | "rejection" | "rollback";
      readonly claim: {
        readonly role: string;
        readonly oldHolder: string | undefined;
        readonly newHolder: string | undefined;
        readonly cause: "auto" | "force" | "grant" | "revoke" | "withdraw";
      };
    }
  );

/** What is the same in all events of one run. */
export interface RecordContext {
  readonly invocation: string;
  readonly root: string;
  readonly operator: AuditMap;
}

const PAYLOAD_VERSION = 1;
const DETAIL_BYTES = 1024;
const SHORT_DETAIL_BYTES = 256;
const MAX_SD_PATHS = 64;
/** `login_uid` of a process that belongs to no login (A-OPER-02). */
const NO_LOGIN = 4294967295;
const USER_INFO_REGEXP = /\b([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi;
/** Characters with no place in one line of text (C-ESC-02); the edge escapes the same, and may not be imported here. */
const ESCAPED_REGEXP =
  // deno-lint-ignore no-control-regex -- control characters are what is escaped
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\\]|[\ud800-\udfff]|[\u{e0000}-\u{e007f}]/gu;

/** Builds the record of an event; members that do not apply are absent (A-FIELD). */
export function buildPayload(event: AuditEvent, context: RecordContext): AuditMap {
  return withoutCredentials({
    v: PAYLOAD_VERSION,
    source: "peipkg",
    timestamp: formatTimestamp(Math.floor(event.startedAt / 1000)),
    invocation: event.replayed?.invocation ?? context.invocation,
    outcome: event.outcome,
    ...present("reason", event.outcome === "success" ? undefined : event.reason),
    ...present("detail", event.detail === undefined ? undefined : cutText(escapeText(event.detail), DETAIL_BYTES)),
    ...present("txn_id", event.transaction),
    root: context.root,
    ...present("packages", packagesOf(event)?.map(describePackage)),
    ...present("repo", "repository" in event ? event.repository : undefined),
    ...present("repositories", "repositories" in event ? event.repositories.map(describeRepository) : undefined),
    operator: event.replayed?.operator ?? context.operator,
    ...present("direction", "direction" in event ? event.direction : undefined),
    ...present("undo_of", event.undoOf),
    ...present("replaced_by", "replacedBy" in event ? event.replacedBy : undefined),
    ...present("cross_root_id", event.crossRootId),
    ...present("replayed", event.replayed === undefined ? undefined : true),
    ...describeSubject(event),
    ...present("sd_overrides", "sdOverrides" in event ? listSdPaths(event.sdOverrides) : undefined),
    ...present("flags", event.flags === undefined || event.flags.length === 0 ? undefined : event.flags),
  });
}

/** The same record with less detail, for a sink that found it too large (A-KMES-14). */
export function shortenDetail(payload: AuditMap): AuditMap {
  const detail = payload.detail;
  return typeof detail === "string" ? { ...payload, detail: cutText(detail, SHORT_DETAIL_BYTES) } : payload;
}

/**
 * The same record as several, the packages divided among them (A-KMES-14).
 *
 * @returns `undefined` when there are fewer packages than parts.
 */
export function splitPackages(payload: AuditMap, parts: number): readonly AuditMap[] | undefined {
  const packages = payload.packages;
  if (!Array.isArray(packages) || packages.length < parts) return undefined;
  const size = Math.ceil(packages.length / parts);
  const chunks = Array.from({ length: Math.ceil(packages.length / size) }, (_, index) => {
    return packages.slice(index * size, (index + 1) * size);
  });
  return chunks.map((chunk, index) => ({ ...payload, packages: chunk, part: index + 1, parts: chunks.length }));
}

/**
 * Who runs this process, as far as it can tell (A-OPER-02, A-OPER-03). What counts is the identity the kernel stamps.
 *
 * @param claimed Environment values that name someone else; marked as unverified by where they stand (A-OPER-04).
 */
export function describeOperator(machine: Machine, claimed: Readonly<Record<string, string>> = {}): AuditMap {
  const { loginUid } = machine;
  return {
    uid: machine.uid,
    euid: machine.euid,
    gid: machine.gid,
    ...present("login_uid", loginUid === NO_LOGIN ? undefined : loginUid),
    ...present("user", machine.userName),
    pid: machine.pid,
    ...present("tty", machine.terminal),
    ...present("host", machine.hostname),
    ...present("sid", machine.sid),
    ...present("claimed", Object.keys(claimed).length === 0 ? undefined : claimed),
  };
}

function packagesOf(event: AuditEvent): readonly AuditedPackage[] | undefined {
  if ("package" in event) return [event.package];
  return "packages" in event ? event.packages : undefined;
}

function describePackage(audited: AuditedPackage): AuditMap {
  return {
    name: audited.name,
    version: audited.version,
    arch: audited.architecture,
    ...present("from_version", audited.fromVersion),
    ...present("repo", audited.repository),
    ...present("package_hash", audited.packageHash),
    ...present("reason", audited.reason),
  };
}

function describeRepository(audited: AuditedRepository): AuditMap {
  return {
    name: audited.name,
    result: audited.result,
    ...present("reason", audited.reason),
    ...present("index_version", audited.indexVersion),
  };
}

/** The one map that says what an event of its type is about (A-FIELD-14 to A-FIELD-17). */
function describeSubject(event: AuditEvent): AuditMap {
  switch (event.type) {
    case "peipkg.recovery":
      return { recovery: { ...event.recovery } };
    case "peipkg.authorisation": {
      const { action, subject, statement, method, planDigest } = event.authorisation;
      return { authorisation: { action, subject, statement, method, ...present("plan_digest", planDigest) } };
    }
    case "peipkg.config-change": {
      const { setting, old, new: value, via } = event.change;
      return { change: { setting, ...present("old", old), ...present("new", value), via } };
    }
    case "peipkg.claim": {
      const { role, oldHolder, newHolder, cause } = event.claim;
      return { claim: { role, ...present("old_holder", oldHolder), ...present("new_holder", newHolder), cause } };
    }
    default:
      return {};
  }
}

/** A-FIELD-18 */
function listSdPaths(paths: readonly string[] | undefined): readonly string[] | undefined {
  if (paths === undefined || paths.length === 0) return undefined;
  const rest = paths.length - MAX_SD_PATHS;
  return rest > 0 ? [...paths.slice(0, MAX_SD_PATHS), `…+${rest}`] : paths;
}

function present(key: string, value: AuditValue | undefined): AuditMap {
  return value === undefined ? {} : { [key]: value };
}

function escapeText(text: string): string {
  return text.replace(ESCAPED_REGEXP, (character) => {
    if (character === "\\") return "\\\\";
    const code = character.codePointAt(0) ?? 0;
    const short = { 9: "\\t", 10: "\\n", 13: "\\r" }[code];
    if (short !== undefined) return short;
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code & 0xff).toString(16).toUpperCase()}`; // an ill-formed byte
    const hex = code.toString(16).toUpperCase();
    return code < 0x80 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}

/** Cuts at a character boundary so that the UTF-8 form is at most so many bytes. */
function cutText(text: string, limitBytes: number): string {
  const buffer = new Uint8Array(limitBytes);
  const { read } = new TextEncoder().encodeInto(text, buffer);
  return text.slice(0, read);
}

/** A-LOG-09: user-info of URLs is cut wherever one appears. */
function withoutCredentials(payload: AuditMap): AuditMap {
  return Object.fromEntries(Object.entries(payload).map(([key, value]) => [key, cleanValue(value)]));
}

function cleanValue(value: AuditValue): AuditValue {
  if (typeof value === "string") return value.replace(USER_INFO_REGEXP, "$1");
  if (typeof value === "number" || typeof value === "boolean") return value;
  return isList(value) ? value.map(cleanValue) : withoutCredentials(value);
}

function isList(value: readonly AuditValue[] | AuditMap): value is readonly AuditValue[] {
  return Array.isArray(value);
}
