/**
 * Schema of every document a command prints under `--json`, by the command's words joined with dashes; what the
 * producer tools print has their name in front. Streams of changing commands are all `event`, one line each.
 */
import { JSON_SCHEMA } from "./command.ts";
import { ERROR_CODES } from "./error_codes.ts";
import {
  ANY,
  DIGEST,
  errorSchema,
  eventSchema,
  JSON_SHAPES,
  listOf,
  oneOf,
  record,
  type Schema,
  shape,
  TEXT,
  TEXTS,
  TIME,
  WARNING_SCHEMA,
  WHOLE,
  wordOf,
  YES_NO,
} from "./json_schema.ts";

const PROBLEM = record({
  package: TEXT,
  path: TEXT,
  kind: wordOf("modified", "missing", "unreadable", "type", "target"),
  "expected?": TEXT,
  "actual?": TEXT,
});

const ROLE = record({
  role: TEXT,
  "holder?": TEXT,
  links: listOf(record({ path: TEXT, target: TEXT })),
  providers: TEXTS,
});

const OPERATIONS = listOf(record({ action: TEXT, name: TEXT, "from?": TEXT, "to?": TEXT, "origin?": TEXT }));

const TRANSACTION = record({
  id: WHOLE,
  state: wordOf("committed", "rolled-back", "pending", "abandoned"),
  started_at: TIME,
  "finished_at?": TIME,
  summary: TEXT,
  operations: OPERATIONS,
  by_version: TEXT,
  "files?": listOf(record({ path: TEXT, action: TEXT })),
});

const LIBRARY_USERS = listOf(record({ name: TEXT, version: TEXT }));
const LIBRARY = record({ library: TEXT, provides: LIBRARY_USERS, requires: LIBRARY_USERS });
const VALUE = oneOf(TEXT, WHOLE, YES_NO, TEXTS);
const NOTES = listOf(record({ name: TEXT, tag: TEXT, value: TEXT }));
const FINDINGS = listOf(record({ code: TEXT, "path?": TEXT, text: TEXT }));
const CHECKED = record({ ok: YES_NO, issues: FINDINGS, warnings: FINDINGS });
const PUBLISHED = listOf(record({ name: TEXT, version: TEXT, architecture: TEXT, file: TEXT, sha256: DIGEST }));

/** What a tool that makes something says (cli.md section 12). */
const made = (result: readonly string[], more: Readonly<Record<string, Schema>> = {}): Schema =>
  record({
    result: wordOf(...result),
    "index_version?": WHOLE,
    packages: PUBLISHED,
    "fingerprints?": listOf(DIGEST),
    ...more,
  });

const RECOVERY = record({
  "transaction?": record({
    id: WHOLE,
    kind: wordOf("package", "claim", "undo"),
    phase: wordOf("staging", "applying", "closed"),
    started_at: TIME,
    summary: TEXT,
    by_version: TEXT,
    indeterminate: YES_NO,
    "failure?": TEXT,
  }),
  operations: OPERATIONS,
  files: listOf(record({ path: TEXT, action: TEXT, final: TEXT, staged: TEXT, backup: TEXT, decision: TEXT })),
  differing: listOf(PROBLEM),
  database: TEXTS,
  strays: listOf(record({ path: TEXT, "transaction?": WHOLE, named: YES_NO })),
  retained: listOf(record({ transaction: WHOLE, "original?": TEXT, place: TEXT, exists: YES_NO })),
  filesystems: listOf(record({ mount: TEXT, available: WHOLE, inodes_free: WHOLE, read_only: YES_NO })),
  gaps: TEXTS,
  "saved_as?": TEXT,
});

const DOCUMENTS: Readonly<Record<string, Schema>> = {
  "list": listOf(shape("Package")),
  "info": oneOf(
    shape("PackageDetail"),
    shape("Available"),
    listOf(oneOf(shape("PackageDetail"), shape("Available"))),
  ),
  "files": listOf(
    record({ path: TEXT, type: wordOf("file", "dir", "symlink"), "target?": TEXT, "sha256?": DIGEST }),
  ),
  "owns": TEXTS,
  "search": listOf(shape("Available")),
  "why": record({ name: TEXT, version: TEXT, automatic: YES_NO, chains: listOf(TEXTS) }),
  "why-not": record({
    name: TEXT,
    "version?": TEXT,
    possible: YES_NO,
    "operations?": WHOLE,
    "code?": wordOf(...ERROR_CODES),
    "reason?": TEXT,
    "message?": TEXT,
    "details?": ANY,
    "hint?": TEXT,
  }),
  "stats": record({
    "local?": record({ packages: WHOLE, manual: WHOLE, automatic: WHOLE, size_installed: WHOLE, cache_size: WHOLE }),
    "repositories?": listOf(record({ name: TEXT, packages: WHOLE, size_download: WHOLE })),
  }),
  "verify": record({ packages: WHOLE, files: WHOLE, ok: YES_NO, problems: listOf(PROBLEM) }),
  "check": record({
    ok: YES_NO,
    problems: listOf(record({
      kind: wordOf("deps", "conflict", "files", "database", "stray"),
      "package?": TEXT,
      "path?": TEXT,
      text: TEXT,
    })),
  }),
  "query": listOf(oneOf(shape("PackageDetail"), shape("Available"))),
  "rquery": listOf(shape("Available")),
  "shlib": oneOf(LIBRARY, listOf(LIBRARY)),
  "export": record({
    export: WHOLE,
    architecture: TEXT,
    packages: listOf(record({ name: TEXT, version: TEXT, automatic: YES_NO, origin: TEXT })),
  }),
  "config": oneOf(
    record({
      options: listOf(record({ key: TEXT, value: VALUE, source: wordOf("default", "file", "environment", "option") })),
      repositories: listOf(shape("Repository")),
    }),
    record({ ok: YES_NO }),
  ),
  "history": oneOf(TRANSACTION, listOf(TRANSACTION)),
  "recover": RECOVERY,
  "claim": oneOf(ROLE, listOf(ROLE)),
  "repo-list": listOf(shape("Repository")),
  "repo-keys": listOf(record({ fingerprint: DIGEST, status: TEXT, "valid_until?": TIME })),
  "mark-list": listOf(record({ name: TEXT, version: TEXT, automatic: YES_NO })),
  "lock": listOf(record({ name: TEXT, version: TEXT })),
  "annotate-get": NOTES,
  "annotate-list": NOTES,
  "diff": listOf(record({ path: TEXT, new_path: TEXT, package: TEXT, version: TEXT, "diff?": TEXT })),
  "audit": record({
    source: TEXT,
    "generated?": TIME,
    packages: WHOLE,
    vulnerable: listOf(record({
      name: TEXT,
      version: TEXT,
      id: TEXT,
      aliases: TEXTS,
      "severity?": TEXT,
      summary: TEXT,
      "fixed_in?": TEXT,
      references: TEXTS,
      "required_by?": TEXTS,
    })),
  }),
  "self-verify": record({ path: TEXT, sha256: DIGEST, listed_as: TEXTS, signed_by: TEXT }),
  "peipkg-build-pack": made(["packed"]),
  "peipkg-build-inspect": record({
    manifest: ANY,
    files: listOf(
      record({
        path: TEXT,
        type: wordOf("file", "dir", "symlink"),
        mode: TEXT,
        size: WHOLE,
        "sha256?": DIGEST,
        "target?": TEXT,
      }),
    ),
    "signature?": ANY,
  }),
  "peipkg-build-verify": CHECKED,
  "peipkg-build-unpack": record({ result: wordOf("unpacked"), files: WHOLE, packages: PUBLISHED }),
  "peipkg-repo-keygen": made(["generated"]),
  "peipkg-repo-init": made(["initialised"]),
  "peipkg-repo-add": made(["added"], { skipped: PUBLISHED }),
  "peipkg-repo-publish": made(["published", "nothing"]),
  "peipkg-repo-rotate-key": made(["rotated", "revoked", "dropped"]),
  "peipkg-repo-verify": CHECKED,
  "peipkg-repo-mirror": made(["mirrored"], { fetched: WHOLE, present: WHOLE, left_out: WHOLE, not_mirrored: TEXTS }),
};

/** Documents that are not one command's. */
const GENERAL: Readonly<Record<string, Schema>> = {
  event: eventSchema(ERROR_CODES),
  error: errorSchema(ERROR_CODES),
  warning: WARNING_SCHEMA,
  version: record({ name: TEXT, version: TEXT, format: WHOLE, json_schema: WHOLE }),
};

const SCHEMAS: ReadonlyMap<string, Schema> = new Map([...Object.entries(GENERAL), ...Object.entries(DOCUMENTS)]);

/** Every schema there is, general ones first. */
export function schemaNames(): readonly string[] {
  return [...SCHEMAS.keys()];
}

/** Shapes a schema refers to, also through one another. */
function shapesIn(schema: Schema, found: Map<string, Schema>): Map<string, Schema> {
  const name = schema.$ref?.slice("#/$defs/".length);
  const known = Object.entries<Schema>(JSON_SHAPES).find(([key]) => key === name)?.[1];
  if (name !== undefined && known !== undefined && !found.has(name)) {
    found.set(name, known);
    shapesIn(known, found);
  }
  const inner = [...Object.values(schema.properties ?? {}), ...schema.anyOf ?? []];
  if (schema.items !== undefined) inner.push(schema.items);
  if (schema.additionalProperties !== undefined) inner.push(schema.additionalProperties);
  for (const part of inner) shapesIn(part, found);
  return found;
}

/** A schema document that stands for itself: the shapes it refers to are in it. */
export interface SchemaDocument extends Schema {
  readonly $schema: string;
  readonly $id: string;
  readonly title: string;
  readonly $defs: Readonly<Record<string, Schema>>;
}

/**
 * A schema by name.
 *
 * @returns `undefined` when there is none of that name.
 */
export function schemaDocument(name: string): SchemaDocument | undefined {
  const schema = SCHEMAS.get(name);
  if (schema === undefined) return undefined;
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `urn:peipkg:json:${JSON_SCHEMA}:${name}`,
    title: name,
    ...schema,
    $defs: Object.fromEntries([...shapesIn(schema, new Map())].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
