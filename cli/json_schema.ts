/**
 * The machine output as data, for peipkg-json(7): shapes of documents and the events of change commands. A field may
 * be added, never renamed, retyped or removed without raising the schema's number (C-JSON-01).
 */

/** Shapes used by several documents; `?` marks members that may be absent. */
export const JSON_SHAPES: readonly (readonly [name: string, fields: string])[] = [
  [
    "Package",
    "name, version, architecture, origin, orphaned, installed_at, description, size_installed, automatic, locked",
  ],
  [
    "PackageDetail",
    "the members of Package, license, homepage, dependencies, optional_dependencies, conflicts, provides, replaces, " +
    "required_by, roles, annotations, files, build {timestamp, farm_id, source_ref}, package_hash, " +
    "sd_overrides [{path, state}], alternate_upgrade?",
  ],
  [
    "Available",
    "name, version, architecture, repository, description, license, homepage, size_download, size_installed, " +
    "installed_version?",
  ],
  [
    "Operation",
    "kind, name, from?, to?, architecture?, repository?, local?, requested, cause, caused_by?, automatic, url?, " +
    "sha256?, size_download?, size_installed?",
  ],
  ["Authorisation", "kind, package, text, details"],
];

/** Events of change commands, in the order they can come. */
export const JSON_EVENTS: readonly (readonly [name: string, fields: string])[] = [
  ["start", "schema, version, command, root, dry_run, undoes?"],
  [
    "plan",
    "operations, authorisations, notes, held_back [{name, version, available, reason}], " +
    "suggestions [{for, name, constraint?}], claims [{role, from?, to?}], marks [{name, automatic}], side_effects, " +
    "download_size, size_change",
  ],
  ["question", "with --driven: id, kind, authorisation?, token?, package?, path?, repository?, fingerprints?"],
  ["authorised", "kind, package, text"],
  ["transaction", "id"],
  ["progress", "phase, step, steps, package?, bytes?, bytes_total?"],
  ["committed", "transaction"],
  ["repository", "name, result, index_version?, packages?, code?, message?"],
  ["changed", "target, field, value"],
  ["file", "path, action, package?"],
  ["warning", "code, text"],
  ["message", "text"],
  ["done", "summary, transaction?, operations?, dry_run"],
  ["cancelled", "reason"],
  ["error", "code, message, reason?, details?, transaction?, rolled_back"],
];
