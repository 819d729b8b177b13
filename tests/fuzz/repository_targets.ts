/** Parsers of configuration files, repository documents and their signatures. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseRepositoryFile, renderRepositoryFile } from "../../core/config/repo_file.ts";
import { resolveSettings } from "../../core/config/settings.ts";
import { readFlatToml, renderTomlEntry } from "../../core/config/toml.ts";
import { PeipkgError } from "../../core/errors.ts";
import { parseDescriptor } from "../../core/repository/descriptor.ts";
import { verifyDetached } from "../../core/repository/detached.ts";
import { parseIndex, readEntryDetails } from "../../core/repository/index.ts";
import { indexText, KNOWN_EXPECTATION, outcomeOf, readBeside } from "../support/known_index.ts";
import { json } from "../support/package_builder.ts";
import { mutateJson } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const LOW = "0".repeat(64);
const HIGH = "f".repeat(64);
const TOML_WORDS = [
  "\n",
  " = ",
  '"',
  "'''",
  '"""',
  "[table]\n",
  "[[list]]\n",
  "{ a = 1 }",
  "[1, 2]",
  "true",
  "1979-05-27T07:32:00Z",
  "0x7f",
  "1e400",
  "nan",
  "9223372036854775808",
  "\\u0000",
  "#",
  "a.b",
  "__proto__ = 1\n",
];
const REPOSITORY_FILE = `base_url = "https://pkgs.example.org/x"
mirrors = ["http://127.0.0.1:8080/m"]
priority = 10
signature_policy = "required"
trust_anchors = ["${LOW}"]
max_trusted_age_days = 30
sd_allowed_sids = ["S-1-5-18"]
enabled = true
`;
const SETTINGS_FILE = `architecture = "x86_64"
fetch_rate = 1000000
critical_packages = ["peipkg", "base"]
layout = "both"
lock_wait = 3
state_dir = "/var/lib/x"
`;

const DESCRIPTOR = json({
  schema_version: 1,
  repo: {
    name: "main",
    description: "d",
    signing: {
      algorithm: "ed25519",
      keys: [
        { fingerprint: LOW, url: "/keys/a.pub", status: "active" },
        { fingerprint: HIGH, url: "/keys/b.pub", status: "transitioning", valid_until: "2027-01-01T00:00:00Z" },
      ],
    },
  },
  indexes: { active: { url: "/a", signature_url: "/a.sig" }, archive: { url: "/b", signature_url: "/b.sig" } },
});

const INDEX_ENTRY = {
  name: "app",
  version: "1.0-1",
  architecture: "x86_64",
  description: "An application",
  license: "MIT",
  homepage: "https://example.org/x",
  dependencies: [{ name: "lib", constraint: ">= 1.0, < 2" }],
  optional_dependencies: [{ name: "extras" }],
  conflicts: [{ name: "old-app", constraint: "< 1-1" }],
  provides: [{ name: "virtual(app)", version: "1" }],
  replaces: [{ name: "old-app" }],
  side_effects: ["ldconfig"],
  size_compressed: 1,
  size_installed: 2,
  hash: { algorithm: "sha256", value: LOW },
  url: "/p/app/1.0-1/app_1.0-1_x86_64.peipkg",
  build: { timestamp: "2026-01-01T00:00:00Z", farm_id: "f" },
};
const INDEX = json({
  schema_version: 1,
  repo: "main",
  kind: "active",
  index_version: 3,
  generated_at: "2026-01-01T00:00:00Z",
  packages: [INDEX_ENTRY, { ...INDEX_ENTRY, name: "lib", architecture: "noarch", replaces: [] }],
});
/** Enough entries for most of them to be left unread beside it. */
const KNOWN_INDEX = indexText(
  Array.from({ length: 40 }, (_, at) => ({ ...INDEX_ENTRY, name: `app${at + 10}`, url: `/${at}` })),
);

/** The example key of the format and its signatures over one document, in both forms. */
const KEY = Uint8Array.fromHex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
const FINGERPRINT = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c";
const SIGNED = encode('{"hello":"peipkg"}\n');
const ENVELOPE = json({
  schema_version: 1,
  algorithm: "ed25519",
  key_fingerprint: FINGERPRINT,
  signature: "yLQ577cbp1IMeI+LHOAk+l59U9SzGUYy11MJ0XsynyxeNx6nY2LUi6CPbAoIikTueQ45R/QHPEyKG/i77tVSDQ",
});
const BARE = "jYGGHD83pTtjyuf80mvTRcM3dgL+nkG5a6qdbf/pmJoezGHX8P2Jk2TXg88DUkrh310bdRWNKGA5CQVTY31zBA";
const NOW = Date.UTC(2026, 0, 1);

/** The targets of the configuration and repository rooms. */
export const REPOSITORY_TARGETS: readonly FuzzTarget[] = [
  {
    name: "toml",
    seeds: () => [REPOSITORY_FILE, SETTINGS_FILE].map(encode),
    words: TOML_WORDS,
    run(input) {
      const document = readFlatToml(input);
      if (document.kind === "malformed") return;
      for (const { key, value } of document.entries) {
        if (value === undefined) continue;
        const again = readFlatToml(encode(renderTomlEntry(key, value)));
        assert.ok(again.kind === "entries");
        assert.deepEqual(again.entries.map((entry) => [entry.key, entry.value]), [[key, value]]);
      }
    },
  },
  {
    name: "repository-file",
    seeds: () => [encode(REPOSITORY_FILE)],
    words: TOML_WORDS,
    run(input) {
      const configuration = parseRepositoryFile("x", input, "x.repo");
      const again = parseRepositoryFile("x", encode(renderRepositoryFile(configuration)), "x.repo");
      assert.deepEqual(again, configuration);
    },
  },
  {
    name: "settings-file",
    seeds: () => [encode(SETTINGS_FILE)],
    words: TOML_WORDS,
    run(input) {
      const { problems, values } = resolveSettings({
        options: new Map(),
        overrides: [],
        environment: new Map(),
        file: { path: "/conf/peipkg/peipkg.toml", bytes: input },
        version: "0.1.0",
      });
      assert.ok(values.length > 0);
      if (problems[0] !== undefined) throw problems[0];
    },
  },
  {
    name: "descriptor",
    seeds: () => [encode(DESCRIPTOR)],
    mutate: mutateJson,
    run(input) {
      const { keys } = parseDescriptor(input);
      assert.ok(keys.some((key) => key.status === "active"));
    },
  },
  {
    name: "index",
    seeds: () => [encode(INDEX)],
    mutate: mutateJson,
    run(input) {
      // With spaces no entry is read as producers write them.
      const spaced = Buffer.from(Buffer.from(input).toString("latin1").replaceAll('{"name":', '{ "name":'), "latin1");
      const outcomes = [input, spaced].map((bytes) => outcomeOf(() => parseIndex(bytes, KNOWN_EXPECTATION)));
      const [outcome, other] = outcomes.map((item) =>
        item instanceof PeipkgError ? item.detail.rule : [...item.packages]
      );
      assert.deepEqual(outcome, other);
      if (outcomes[0] instanceof PeipkgError) throw outcomes[0];
      for (const item of outcomes[0]?.packages ?? []) readEntryDetails(item.entry, "both");
    },
  },
  {
    name: "index-beside-known",
    seeds: () =>
      [KNOWN_INDEX, KNOWN_INDEX.replaceAll("1.0-1", "1.1-1"), KNOWN_INDEX.replace('"/15"', '"/x"')].map(encode),
    mutate: mutateJson,
    run(input) {
      const outcome = readBeside(input, encode(KNOWN_INDEX));
      if (outcome instanceof PeipkgError) throw outcome;
    },
  },
  {
    name: "detached-signature",
    seeds: () => [ENVELOPE, BARE, ` ${BARE}\n`].map(encode),
    mutate: mutateJson,
    run: (input) =>
      verifyDetached(
        { document: "descriptor", repository: "x", signature: input, bytes: SIGNED },
        [{ fingerprint: FINGERPRINT, publicKey: KEY, status: "active" }],
        NOW,
      ),
  },
];
