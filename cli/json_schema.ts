/**
 * The machine output as data: shapes, events and errors, in a small part of JSON Schema 2020-12. `peipkg schema` prints
 * them, peipkg-json(7) lists them, and a test holds every command's output against them. A member may be added, never
 * renamed, retyped or removed without raising the schema's number (C-JSON-01).
 */
import type { ErrorCode } from "../mod.ts";

/** The part of JSON Schema that is used; `unknown` members are allowed wherever `properties` are listed. */
export interface Schema {
  readonly type?: "string" | "integer" | "boolean" | "object" | "array";
  readonly const?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** Schema of members that are not listed; absent: none is known. */
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
}

// --- Building --------------------------------------------------------------------------------------------------

export const TEXT: Schema = { type: "string" };
export const WHOLE: Schema = { type: "integer" };
export const YES_NO: Schema = { type: "boolean" };
/** RFC 3339, UTC, seconds (C-GEN-05). */
export const TIME: Schema = { type: "string", pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$" };
/** SHA-256 in lowercase hexadecimal; also a fingerprint. */
export const DIGEST: Schema = { type: "string", pattern: "^[0-9a-f]{64}$" };
/** Anything: a document of another specification. */
export const ANY: Schema = {};

export const listOf = (items: Schema): Schema => ({ type: "array", items });
export const wordOf = (...words: readonly string[]): Schema => ({ type: "string", enum: words });
const mapOf = (values: Schema): Schema => ({ type: "object", properties: {}, additionalProperties: values });
export const oneOf = (...anyOf: readonly Schema[]): Schema => ({ anyOf });
export const TEXTS: Schema = listOf(TEXT);

/** A record; a `?` after a name marks a member that may be absent (C-JSON-02). */
export function record(members: Readonly<Record<string, Schema>>): Schema {
  const names = Object.keys(members);
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(members).map(([name, schema]) => [name.replace("?", ""), schema])),
    required: names.filter((name) => !name.endsWith("?")),
  };
}

// --- Shapes of cli.md 6.2 --------------------------------------------------------------------------------------

const PACKAGE_MEMBERS = {
  name: TEXT,
  version: TEXT,
  architecture: TEXT,
  origin: TEXT,
  orphaned: YES_NO,
  installed_at: TIME,
  description: TEXT,
  size_installed: WHOLE,
  automatic: YES_NO,
  locked: YES_NO,
};

const KINDS = [
  "downgrade",
  "foreign-replaces",
  "foreign-conflicts",
  "low-trust-provides",
  "weaken-trust",
  "accept-state",
  "sd-override",
  "sd-unsupported",
  "claim-override",
  "purge",
];

/** Shapes that several documents share; schemas refer to them by name. */
export const JSON_SHAPES = {
  Package: record(PACKAGE_MEMBERS),
  PackageDetail: record({
    ...PACKAGE_MEMBERS,
    license: TEXT,
    homepage: TEXT,
    dependencies: TEXTS,
    optional_dependencies: TEXTS,
    conflicts: TEXTS,
    provides: TEXTS,
    replaces: TEXTS,
    required_by: TEXTS,
    roles: TEXTS,
    annotations: mapOf(TEXT),
    files: WHOLE,
    build: record({ timestamp: TEXT, farm_id: TEXT, source_ref: TEXT }),
    package_hash: TEXT,
    sd_overrides: listOf(record({ path: TEXT, state: TEXT })),
    "alternate_upgrade?": TEXT,
  }),
  Available: record({
    name: TEXT,
    version: TEXT,
    architecture: TEXT,
    repository: TEXT,
    description: TEXT,
    license: TEXT,
    homepage: TEXT,
    size_download: WHOLE,
    size_installed: WHOLE,
    "installed_version?": TEXT,
  }),
  Operation: record({
    kind: wordOf("install", "reinstall", "upgrade", "downgrade", "remove"),
    name: TEXT,
    "from?": TEXT,
    "to?": TEXT,
    "architecture?": TEXT,
    "repository?": TEXT,
    "local?": YES_NO,
    requested: YES_NO,
    cause: wordOf("requested", "upgrade", "dependency", "repair", "replaces", "conflict", "cascade"),
    "caused_by?": TEXT,
    automatic: YES_NO,
    "url?": TEXT,
    "sha256?": DIGEST,
    "size_download?": WHOLE,
    "size_installed?": WHOLE,
  }),
  Authorisation: record({ kind: wordOf(...KINDS), package: TEXT, text: TEXT, details: mapOf(TEXT) }),
  Repository: oneOf(
    record({
      name: TEXT,
      base_url: TEXT,
      priority: WHOLE,
      signature_policy: wordOf("required", "optional"),
      trust_anchors: listOf(DIGEST),
      allow_insecure_transport: YES_NO,
      enabled: YES_NO,
      trusted: YES_NO,
      "last_refresh?": TIME,
      "index_generated?": TIME,
      "index_version?": WHOLE,
      stale: YES_NO,
      packages: WHOLE,
    }),
    record({ name: TEXT, invalid: { type: "boolean", const: true } }),
  ),
} as const;

/** A reference to a shared shape. */
export const shape = (name: keyof typeof JSON_SHAPES): Schema => ({ $ref: `#/$defs/${name}` });

// --- Events of cli.md 6.3 --------------------------------------------------------------------------------------

const PLAN_MEMBERS = {
  operations: listOf(shape("Operation")),
  authorisations: listOf(shape("Authorisation")),
  notes: TEXTS,
  held_back: listOf(record({ name: TEXT, version: TEXT, available: TEXT, reason: TEXT })),
  suggestions: listOf(record({ for: TEXT, name: TEXT, "constraint?": TEXT })),
  claims: listOf(
    record({
      role: TEXT,
      "from?": TEXT,
      "to?": TEXT,
      "links?": listOf(record({ path: TEXT, "target?": TEXT, change: wordOf("create", "repoint", "remove") })),
    }),
  ),
  marks: listOf(record({ name: TEXT, automatic: YES_NO })),
  side_effects: TEXTS,
  download_size: WHOLE,
  size_change: WHOLE,
};

const EVENT_MEMBERS: readonly (readonly [event: string, members: Readonly<Record<string, Schema>>])[] = [
  ["start", {
    schema: WHOLE,
    version: TEXT,
    command: TEXT,
    root: TEXT,
    dry_run: YES_NO,
    "undoes?": WHOLE,
  }],
  ["plan", PLAN_MEMBERS],
  ["question", {
    id: WHOLE,
    kind: wordOf("proceed", "authorise", "modified", "trust"),
    "authorisation?": shape("Authorisation"),
    "token?": { type: "string", pattern: "^[0-9a-f]{32}$" },
    "package?": TEXT,
    "path?": TEXT,
    "repository?": TEXT,
    "fingerprints?": listOf(DIGEST),
  }],
  ["authorised", { kind: wordOf(...KINDS), package: TEXT, text: TEXT }],
  ["transaction", { id: WHOLE }],
  ["progress", {
    phase: wordOf("fetch", "verify", "stage", "apply", "commit", "finish"),
    step: WHOLE,
    steps: WHOLE,
    "package?": TEXT,
    "bytes?": WHOLE,
    "bytes_total?": WHOLE,
  }],
  ["committed", { transaction: WHOLE }],
  ["repository", {
    name: TEXT,
    result: wordOf("added", "removed", "refreshed", "unchanged", "failed"),
    "index_version?": WHOLE,
    "packages?": WHOLE,
    "code?": TEXT,
    "message?": TEXT,
  }],
  ["changed", { target: TEXT, field: TEXT, value: oneOf(TEXT, YES_NO, WHOLE) }],
  ["file", { path: TEXT, action: wordOf("written", "kept", "displaced", "removed"), "package?": TEXT }],
  ["warning", { code: TEXT, text: TEXT }],
  ["message", { text: TEXT }],
  [
    "done",
    {
      summary: TEXT,
      "transaction?": WHOLE,
      "operations?": WHOLE,
      "sd_overrides?": listOf(record({ path: TEXT, package: TEXT, state: wordOf("applied", "stored", "not-applied") })),
      dry_run: YES_NO,
    },
  ],
  ["cancelled", { reason: wordOf("declined", "authorisation-declined", "modified-abort", "trust-declined") }],
];

// --- Errors ----------------------------------------------------------------------------------------------------

const PATHS = listOf(record({ path: TEXT, "package?": TEXT, "other?": TEXT, "rule?": TEXT }));

/** Members of `details` that may come with any code; what a code promises beyond them is in `CODE_DETAILS`. */
const COMMON_DETAILS: Readonly<Record<string, Schema>> = {
  "rule?": TEXT,
  "hint?": TEXT,
  "violations?": listOf(record({ rule: TEXT, text: TEXT })),
  "package?": TEXT,
  "packages?": TEXTS,
  "repository?": TEXT,
  "document?": TEXT,
  "path?": TEXT,
  "paths?": PATHS,
  "field?": TEXT,
  "file?": TEXT,
  "line?": WHOLE,
  "key?": TEXT,
  "url?": TEXT,
  "status?": WHOLE,
};

const REJECTION_DETAILS: Readonly<Record<string, Schema>> = {
  chain: TEXTS,
  "requirement?": record({ package: TEXT, name: TEXT, "constraint?": TEXT }),
  considered: listOf(record({ name: TEXT, version: TEXT, "repository?": TEXT, excluded: TEXT })),
  "blockers?": listOf(record({ package: TEXT, dependency: TEXT })),
  "closure?": TEXTS,
  "members?": TEXTS,
};

/** What C-JSON-13 promises for single codes. */
const CODE_DETAILS: { readonly [code in ErrorCode]?: Readonly<Record<string, Schema>> } = {
  "unresolvable": REJECTION_DETAILS,
  "locked": REJECTION_DETAILS,
  "critical": REJECTION_DETAILS,
  "collision": { paths: PATHS },
  "unowned": { paths: PATHS },
  "modified": { paths: PATHS },
  "failed": { paths: PATHS },
  "indeterminate": { paths: PATHS },
  "no-space": { filesystems: listOf(record({ mount: TEXT, needed: WHOLE, available: WHOLE })) },
  "busy": { "pid?": WHOLE, "command?": TEXT, "started_at?": TEXT },
  "authorisation-required": { authorisations: listOf(shape("Authorisation")) },
  // A variable or an option can be what is wrong; then `key` alone says which.
  "config": { "file?": TEXT },
  "repo-config": { file: TEXT },
  "transport": { url: TEXT },
  // Of `audit` it is a list of advisories that is missing, which may be no repository's.
  "stale": { "repository?": TEXT },
  "untrusted": { repository: TEXT },
  "repository-unusable": { repository: TEXT },
  "anchor-mismatch": { repository: TEXT },
  "index-rollback": { repository: TEXT },
  "undo-unavailable": { packages: TEXTS },
};

/** One alternative for each code that promises something, and one for all the others. */
function byCode(codes: readonly ErrorCode[], members: Readonly<Record<string, Schema>>): Schema {
  const detailsOf = (own: Readonly<Record<string, Schema>>): Schema => {
    const names = new Set(Object.keys(own).map((name) => name.replace("?", "")));
    const common = Object.entries(COMMON_DETAILS).filter(([name]) => !names.has(name.replace("?", "")));
    return record({ ...Object.fromEntries(common), ...own });
  };
  const special = codes.filter((code) => CODE_DETAILS[code] !== undefined);
  const others = codes.filter((code) => CODE_DETAILS[code] === undefined);
  return oneOf(
    ...special.map((code) => {
      const own = CODE_DETAILS[code] ?? {};
      const isPromised = Object.keys(own).some((name) => !name.endsWith("?"));
      const details = detailsOf(code === "unresolvable" ? { ...own, "reason?": TEXT } : own);
      return record({ ...members, code: wordOf(code), [isPromised ? "details" : "details?"]: details });
    }),
    record({ ...members, code: wordOf(...others), "details?": detailsOf({}) }),
  );
}

/** The error object of reading commands and usage errors (C-JSON-04, C-JSON-08). */
export function errorSchema(codes: readonly ErrorCode[]): Schema {
  return record({ error: byCode(codes, { message: TEXT, command: TEXT }) });
}

/** A warning of a reading command (C-JSON-04). */
export const WARNING_SCHEMA = record({ warning: record({ code: TEXT, message: TEXT }) });

const event = (name: string): Schema => ({ type: "string", const: name });

/** One line of a changing command's output. */
export function eventSchema(codes: readonly ErrorCode[]): Schema {
  const failure = byCode(codes, {
    event: event("error"),
    message: TEXT,
    "reason?": TEXT,
    "transaction?": WHOLE,
    rolled_back: YES_NO,
  });
  return oneOf(
    ...EVENT_MEMBERS.map(([name, members]) => record({ event: event(name), ...members })),
    ...failure.anyOf ?? [],
  );
}

// --- In words --------------------------------------------------------------------------------------------------

const memberNames = (schema: Schema): string =>
  Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const mark = schema.required?.includes(name) === true ? "" : "?";
    const inner = member.items ?? member;
    const nested = inner.properties === undefined || Object.keys(inner.properties).length === 0
      ? ""
      : member.items === undefined
      ? ` {${memberNames(inner)}}`
      : ` [{${memberNames(inner)}}]`;
    return `${name}${mark}${nested}`;
  }).join(", ");

/** Name and members of every shared shape; `?` marks members that may be absent. */
export function shapeNotes(): readonly (readonly [name: string, members: string])[] {
  return Object.entries<Schema>(JSON_SHAPES).map(([name, schema]) => [
    name,
    (schema.anyOf ?? [schema]).map(memberNames).join("; or "),
  ]);
}

/** Name and members of every event, in the order they can come. */
export function eventNotes(): readonly (readonly [name: string, members: string])[] {
  return [
    ...EVENT_MEMBERS.map(([name, members]) => [name, memberNames(record(members))] as const),
    ["error", "code, message, reason?, details?, transaction?, rolled_back"],
  ];
}
