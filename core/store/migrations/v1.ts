/**
 * Layout of database schema version 1, word for word as specified. A released migration is never edited
 * (T-SCHEMA-02): a later layout is a file of its own, with the statements that lead there from the one before.
 */
import type { Migration } from "../schema.ts";

const SCHEMA = `\
CREATE TABLE meta (                       -- schema_version, primary_arch, generation, created_at,
  key   TEXT PRIMARY KEY,                 -- created_by_version, last_writer_version,
  value TEXT NOT NULL                     -- accepted_settings (JSON: trust-relevant keys of peipkg.toml, A-EVENT-10)
) STRICT, WITHOUT ROWID;

CREATE TABLE package (
  name           TEXT PRIMARY KEY,
  version        TEXT NOT NULL,
  architecture   TEXT NOT NULL,
  origin_repo    TEXT,                    -- handle; NULL: local file. Not a foreign key: outlives the repository.
  install_reason TEXT NOT NULL CHECK (install_reason IN ('explicit','dependency')),
  held           INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0,1)),   -- version lock by the operator
  installed_at   INTEGER NOT NULL,
  installed_txn  INTEGER NOT NULL,
  package_hash   TEXT NOT NULL CHECK (length(package_hash) = 64),
  manifest       TEXT NOT NULL            -- verbatim manifest bytes (UTF-8)
) STRICT;
CREATE INDEX package_by_origin ON package(origin_repo);

CREATE TABLE package_relation (           -- derived from manifest, so that planning reads names, not every manifest
  package_name TEXT NOT NULL REFERENCES package(name) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('dependency','optional','conflict','provides','replaces')),
  name TEXT NOT NULL,
  PRIMARY KEY (package_name, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX package_relation_by_name ON package_relation(name, kind);

CREATE TABLE annotation (                 -- cli.md C-ANNOTATE
  package_name TEXT NOT NULL REFERENCES package(name) ON DELETE CASCADE,
  tag TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (package_name, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE package_file (
  package_name   TEXT NOT NULL REFERENCES package(name) ON DELETE CASCADE,
  path           TEXT NOT NULL CHECK (substr(path,1,1) = '/'),
  type           TEXT NOT NULL CHECK (type IN ('file','dir','symlink')),
  size           INTEGER,
  hash           TEXT,                    -- hash of the DELIVERED content (pristine), never of an operator edit
  symlink_target TEXT,
  preserved_hash TEXT,                    -- set when an operator-edited file was kept: hash of the kept content
  new_default_of TEXT,                    -- set on a '.peipkg-new' row: the path it belongs to
  PRIMARY KEY (package_name, path),
  CHECK (type <> 'file'    OR (hash IS NOT NULL AND size IS NOT NULL AND symlink_target IS NULL)),
  CHECK (type <> 'symlink' OR (symlink_target IS NOT NULL AND hash IS NULL AND size IS NULL)),
  CHECK (type <> 'dir'     OR (hash IS NULL AND size IS NULL AND symlink_target IS NULL)),
  CHECK (type = 'file'     OR (preserved_hash IS NULL AND new_default_of IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX package_file_one_owner ON package_file(path) WHERE type <> 'dir';
CREATE INDEX        package_file_by_path   ON package_file(path);

CREATE TABLE repository (                 -- one row per trust ceremony passed; configuration lives in files
  name             TEXT PRIMARY KEY,      -- handle
  repo_name        TEXT NOT NULL,         -- the name in the descriptor (R-DESC-11)
  added_at         INTEGER NOT NULL,
  last_refresh_at  INTEGER,               -- last progress (R-FRESH-02/03)
  active_version   INTEGER NOT NULL DEFAULT 0,  active_generated  TEXT,   -- floors V and G of section 5.1; text as signed
  archive_version  INTEGER NOT NULL DEFAULT 0,  archive_generated TEXT,   -- separate floor (R-ARC-06)
  accepted_config  TEXT NOT NULL          -- JSON: last accepted base_url, priority, signature_policy, trust_anchors,
) STRICT;                                 --   insecure flag, minimum, age limits, SD keys (R-TRANS-04, A-EVENT-10)

CREATE TABLE repository_key (             -- the trust set: keys of the last verified descriptor
  repository  TEXT NOT NULL REFERENCES repository(name) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
  public_key  BLOB CHECK (public_key IS NULL OR length(public_key) = 32),   -- NULL: never fetched (R-KEY-03)
  status      TEXT NOT NULL CHECK (status IN ('active','transitioning','revoked')),
  valid_until TEXT,                       -- text as signed
  PRIMARY KEY (repository, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE TABLE repository_revocation (      -- sticky (R-KEY-05): survives descriptors that omit the key
  repository  TEXT NOT NULL REFERENCES repository(name) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
  recorded_at INTEGER NOT NULL,
  PRIMARY KEY (repository, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalogue (                  -- one row per cached index, written with its packages in one transaction
  id            INTEGER PRIMARY KEY,
  repository    TEXT NOT NULL REFERENCES repository(name) ON DELETE CASCADE,
  kind          TEXT NOT NULL CHECK (kind IN ('active','archive')),
  digest        TEXT NOT NULL CHECK (length(digest) = 64),   -- SHA-256 of the exact bytes verified and parsed
  signer        TEXT,                     -- fingerprint; NULL in unsigned mode
  index_version INTEGER NOT NULL,
  generated_at  TEXT NOT NULL,
  UNIQUE (repository, kind)
) STRICT;
CREATE TABLE catalogue_package (
  id              INTEGER PRIMARY KEY,
  catalogue_id    INTEGER NOT NULL REFERENCES catalogue(id) ON DELETE CASCADE,
  name TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL,
  description     TEXT NOT NULL,
  size_compressed INTEGER NOT NULL, size_installed INTEGER NOT NULL,
  hash            TEXT NOT NULL CHECK (length(hash) = 64),
  url             TEXT NOT NULL,          -- as in the index
  entry           TEXT NOT NULL           -- the other known fields of the entry, canonical JSON
) STRICT;
CREATE INDEX catalogue_package_by_name      ON catalogue_package(name);
CREATE INDEX catalogue_package_by_catalogue ON catalogue_package(catalogue_id, name);
CREATE TABLE catalogue_relation (         -- found by name: providers, and packages that replace one
  name       TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('provides','replaces')),
  package_id INTEGER NOT NULL REFERENCES catalogue_package(id) ON DELETE CASCADE,
  PRIMARY KEY (name, kind, package_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX catalogue_relation_by_package ON catalogue_relation(package_id);

CREATE TABLE txn (
  id                     INTEGER PRIMARY KEY AUTOINCREMENT,   -- never reused: names on disk refer to it
  state                  TEXT NOT NULL CHECK (state IN ('pending','committed','rolled-back','abandoned')),
  phase                  TEXT NOT NULL CHECK (phase IN ('staging','applying','closed')),
  kind                   TEXT NOT NULL CHECK (kind IN ('package','claim','undo')),
  undo_of                INTEGER REFERENCES txn(id),
  started_at             INTEGER NOT NULL,
  finished_at            INTEGER,
  op_summary             TEXT NOT NULL,
  operator               TEXT NOT NULL,                       -- JSON, see audit-and-security.md A-FIELD-12
  invocation             TEXT NOT NULL,                       -- A-FIELD-04; a replayed event repeats it
  started_by_version     TEXT NOT NULL,
  journal_schema_version INTEGER NOT NULL,
  boot_id                TEXT NOT NULL,
  failure_code           TEXT,
  failure_detail         TEXT,
  indeterminate          INTEGER NOT NULL DEFAULT 0 CHECK (indeterminate IN (0,1)),
  cleanup_done           INTEGER NOT NULL DEFAULT 0 CHECK (cleanup_done IN (0,1)),
  audited                INTEGER NOT NULL DEFAULT 0 CHECK (audited IN (0,1)),
  cross_root_id          TEXT,
  CHECK ((state = 'pending') = (finished_at IS NULL)),
  CHECK ((state = 'pending') = (phase <> 'closed')),
  CHECK (indeterminate = 0 OR state = 'pending')
) STRICT;
CREATE UNIQUE INDEX txn_single_pending ON txn(state) WHERE state = 'pending';

CREATE TABLE txn_op (                     -- per package (or per role, action 'claim')
  txn_id INTEGER NOT NULL REFERENCES txn(id) ON DELETE CASCADE,
  seq    INTEGER NOT NULL,
  subject TEXT NOT NULL,                  -- package or role name; no foreign key: history outlives packages
  action TEXT NOT NULL CHECK (action IN ('install','reinstall','upgrade','downgrade','remove','claim')),
  from_version TEXT, to_version TEXT,     -- package versions; of action 'claim': old and new holder, NULL: unheld
  architecture TEXT, origin_repo TEXT,
  cause TEXT NOT NULL, caused_by TEXT,    -- S-PLAN-04 (a replaced package: 'remove', 'replaces'); of 'claim': A-FIELD-17
  PRIMARY KEY (txn_id, seq),
  UNIQUE (txn_id, subject, action),
  CHECK (action <> 'install' OR (from_version IS NULL AND to_version IS NOT NULL)),
  CHECK (action <> 'remove'  OR (from_version IS NOT NULL AND to_version IS NULL)),
  CHECK (action NOT IN ('reinstall','upgrade','downgrade') OR (from_version IS NOT NULL AND to_version IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE txn_file (                   -- the journal proper: the backup map
  txn_id INTEGER NOT NULL, seq INTEGER NOT NULL, op_seq INTEGER NOT NULL,
  final_path  TEXT NOT NULL CHECK (substr(final_path,1,1) = '/'),
  action      TEXT NOT NULL CHECK (action IN ('create','replace','remove','repoint')),
  staged_path TEXT, backup_path TEXT,
  keep_backup INTEGER NOT NULL DEFAULT 0 CHECK (keep_backup IN (0,1)),
  new_type TEXT CHECK (new_type IN ('file','symlink','dir')),
  new_hash TEXT, new_size INTEGER, new_target TEXT,
  staged_ino INTEGER,                     -- filled by the phase flip, NULL before
  old_type TEXT CHECK (old_type IN ('file','symlink','dir')),
  old_ino INTEGER, old_size INTEGER, old_mtime INTEGER /* ns */, old_target TEXT,
  PRIMARY KEY (txn_id, seq),
  UNIQUE (txn_id, final_path),
  FOREIGN KEY (txn_id, op_seq) REFERENCES txn_op(txn_id, seq) ON DELETE CASCADE,
  CHECK (action <> 'create'  OR (staged_path IS NOT NULL AND backup_path IS NULL     AND new_type IS NOT NULL AND old_type IS NULL)),
  CHECK (action <> 'replace' OR (staged_path IS NOT NULL AND backup_path IS NOT NULL AND new_type IS NOT NULL AND old_type IS NOT NULL)),
  CHECK (action <> 'remove'  OR (staged_path IS NULL     AND backup_path IS NOT NULL AND new_type IS NULL     AND old_type IS NOT NULL)),
  CHECK (action <> 'repoint' OR (staged_path IS NOT NULL AND backup_path IS NULL     AND new_target IS NOT NULL AND old_target IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE txn_dir (
  txn_id INTEGER NOT NULL REFERENCES txn(id) ON DELETE CASCADE,
  seq    INTEGER NOT NULL,                -- parents before children
  path   TEXT NOT NULL CHECK (substr(path,1,1) = '/'),
  action TEXT NOT NULL CHECK (action IN ('create','set-sd','reclaim')),
  old_sd BLOB, new_sd BLOB,
  PRIMARY KEY (txn_id, seq),
  UNIQUE (txn_id, path, action),
  CHECK (action <> 'set-sd' OR (old_sd IS NOT NULL AND new_sd IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- what undo needs: the package rows as they were before the transaction
CREATE TABLE prior_package (
  txn_id INTEGER NOT NULL REFERENCES txn(id) ON DELETE CASCADE,
  name TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL, origin_repo TEXT,
  install_reason TEXT NOT NULL, held INTEGER NOT NULL, installed_at INTEGER NOT NULL,
  package_hash TEXT NOT NULL, manifest TEXT NOT NULL,
  PRIMARY KEY (txn_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE prior_file (
  txn_id INTEGER NOT NULL, package_name TEXT NOT NULL, path TEXT NOT NULL, type TEXT NOT NULL,
  size INTEGER, hash TEXT, symlink_target TEXT, preserved_hash TEXT, new_default_of TEXT,
  retained_path TEXT,                     -- where the old content is kept (T-RETAIN-09), NULL if it is not
  PRIMARY KEY (txn_id, package_name, path),
  FOREIGN KEY (txn_id, package_name) REFERENCES prior_package(txn_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE prior_holder (
  txn_id INTEGER NOT NULL REFERENCES txn(id) ON DELETE CASCADE,
  role TEXT NOT NULL, holder TEXT,        -- NULL: the role was unheld
  PRIMARY KEY (txn_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE displaced_file (             -- unowned files moved aside under --overwrite-unowned; never pruned
  txn_id INTEGER NOT NULL REFERENCES txn(id),
  original TEXT NOT NULL, kept_at TEXT NOT NULL,
  PRIMARY KEY (txn_id, original)
) STRICT, WITHOUT ROWID;

CREATE TABLE side_effect (
  txn_id   INTEGER NOT NULL REFERENCES txn(id) ON DELETE CASCADE,
  effect   TEXT NOT NULL CHECK (effect IN ('ldconfig','depmod','man-db')),
  argument TEXT NOT NULL DEFAULT '',      -- kernel version for depmod
  state    TEXT NOT NULL CHECK (state IN ('due','done','failed','skipped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  detail   TEXT,
  PRIMARY KEY (txn_id, effect, argument)
) STRICT, WITHOUT ROWID;

CREATE TABLE authorisation (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  txn_id INTEGER REFERENCES txn(id),
  action_code TEXT NOT NULL, subject TEXT NOT NULL, statement TEXT NOT NULL,
  method TEXT NOT NULL CHECK (method IN ('tty','driven','flag')),
  plan_digest TEXT, invocation TEXT NOT NULL,
  decided_at INTEGER NOT NULL, operator TEXT NOT NULL          -- terminal: in operator
) STRICT;

CREATE TABLE sd_override (                -- which objects carry a package-declared descriptor
  path TEXT NOT NULL, package_name TEXT NOT NULL, sd BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('applied','stored','not-applied')),
  txn_id INTEGER NOT NULL,
  PRIMARY KEY (path, package_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE claim_holder (
  role TEXT PRIMARY KEY,
  holder TEXT NOT NULL REFERENCES package(name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE claim_link (
  path TEXT PRIMARY KEY CHECK (substr(path,1,1) = '/'),
  role TEXT NOT NULL REFERENCES claim_holder(role) ON DELETE CASCADE,
  slot TEXT NOT NULL, target TEXT NOT NULL,
  is_volatile INTEGER NOT NULL DEFAULT 0 CHECK (is_volatile IN (0,1))
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_link_by_role ON claim_link(role);
`;

/** First layout: what a new database is created with. */
export const MIGRATION_1: Migration = { version: 1, schema: SCHEMA, upgrade: SCHEMA };
