/**
 * Repository files: one `<handle>.repo` per repository in the configuration directory. The file says what the
 * operator wants; what was accepted and verified lives in the database.
 *
 * @see R-CONF-01 … R-CONF-06
 */
import { PeipkgError, ruleError, SystemCallError } from "../errors.ts";
import { readSmallFile, removeDurably, writeFileDurably } from "../fs/durable.ts";
import {
  DEFAULT_REPOSITORY_SETTINGS as DEFAULTS,
  MAX_PRIORITY,
  REPOSITORY_SETTING_KEYS,
  type RepositorySettings,
} from "../identity/repository_settings.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { isSid } from "../identity/sid.ts";
import { isFingerprint } from "../identity/fingerprint.ts";
import type { Directory } from "../system.ts";
import { parseBaseUrl } from "./base_url.ts";
import { nearestName } from "../identity/near_name.ts";
import { CONFIGURATION_BYTES, readFlatToml, renderTomlEntry, type TomlEntry } from "./toml.ts";

/** One repository file. */
export interface RepositoryConfiguration extends RepositorySettings {
  /** Local name: the stem of the file. */
  readonly handle: string;
}

/** One `.repo` file as found. */
export type RepositoryFile =
  | { readonly kind: "valid"; readonly handle: string; readonly configuration: RepositoryConfiguration }
  /** `handle` is the stem even when it is no valid handle. */
  | { readonly kind: "invalid"; readonly handle: string; readonly problem: PeipkgError };

const MAX_DAYS = 36_500;
const SUFFIX = ".repo";
const HANDLE_REGEXP = /^[a-z0-9-]{1,64}$/;
const FILE_MODE = 0o644;

/** Keys in the order they are written. */
export const REPOSITORY_KEYS = REPOSITORY_SETTING_KEYS.map(([key]) => key);

/**
 * Checks a handle.
 *
 * @throws {PeipkgError} `repo-config` (`E_REPO_HANDLE`)
 * @see R-CONF-01
 */
export function parseHandle(text: string): string {
  if (HANDLE_REGEXP.test(text)) return text;
  throw ruleError(
    "E_REPO_HANDLE",
    `cannot use repository name "${text}": expected 1 to 64 lowercase letters, digits and hyphens`,
    { repository: text },
  );
}

/** Name of the file of a handle. */
export function repositoryFileName(handle: string): string {
  return `${handle}${SUFFIX}`;
}

/** Whether a repository has a file, whatever is in it (R-CONF-01). */
export function hasRepositoryFile(directory: Directory, handle: string): boolean {
  if (!HANDLE_REGEXP.test(handle)) return false;
  const status = directory.status(repositoryFileName(handle));
  return status !== undefined && status.type !== "dir";
}

/**
 * Reads every repository file, invalid ones included, by ascending priority, then handle; invalid files come last
 * (R-CONF-04, C-CONF-21).
 *
 * @param directory `undefined`: there is no configuration directory, hence no repository.
 */
export function readRepositoryFiles(directory: Directory | undefined): readonly RepositoryFile[] {
  if (directory === undefined) return [];
  const files: RepositoryFile[] = [];
  for (const name of [...directory.list().names].sort(compareBytes)) {
    // R-CONF-01: other endings, hidden files and subdirectories are no repositories.
    if (!name.endsWith(SUFFIX) || name.startsWith(".")) continue;
    if (directory.status(name)?.type === "dir") continue;
    files.push(readRepositoryFile(directory, name));
  }
  return refuseSecondOfficial(files).sort(compareFiles);
}

/**
 * The configured repositories, for an operation that consults them: any invalid file stops it, since leaving one
 * out could shift priorities (R-CONF-03).
 *
 * @throws {PeipkgError} `repo-config`
 */
export function requireRepositories(files: readonly RepositoryFile[]): readonly RepositoryConfiguration[] {
  const found: RepositoryConfiguration[] = [];
  for (const file of files) {
    if (file.kind === "invalid") throw file.problem;
    found.push(file.configuration);
  }
  return found;
}

function readRepositoryFile(directory: Directory, name: string): RepositoryFile {
  const handle = name.slice(0, -SUFFIX.length);
  try {
    parseHandle(handle);
    const bytes = readSmallFile(directory, name, CONFIGURATION_BYTES);
    if (bytes === undefined) throw new PeipkgError("repo-config", `cannot read "${name}": it is gone`);
    return { kind: "valid", handle, configuration: parseRepositoryFile(handle, bytes, name) };
  } catch (error) {
    const problem = error instanceof SystemCallError
      ? new PeipkgError("repo-config", `cannot read "${name}": ${error.message}`, { repository: handle, file: name })
      : error;
    if (!(problem instanceof PeipkgError)) throw problem;
    return { kind: "invalid", handle, problem };
  }
}

function refuseSecondOfficial(files: readonly RepositoryFile[]): RepositoryFile[] {
  let first: string | undefined;
  return files.map((file) => {
    if (file.kind === "invalid" || !file.configuration.official) return file;
    if (first === undefined) {
      first = file.handle;
      return file;
    }
    const problem = ruleError(
      "E_CONFIG_VALUE",
      `cannot read "${file.handle}${SUFFIX}": "official" is set there and in "${first}${SUFFIX}", expected one at most`,
      { repository: file.handle, file: `${file.handle}${SUFFIX}`, key: "official" },
    );
    return { kind: "invalid", handle: file.handle, problem };
  });
}

function compareFiles(a: RepositoryFile, b: RepositoryFile): number {
  const priority = (file: RepositoryFile) => file.kind === "valid" ? file.configuration.priority : Infinity;
  const [left, right] = [priority(a), priority(b)];
  return left === right ? compareBytes(a.handle, b.handle) : left < right ? -1 : 1;
}

/**
 * Parses one repository file.
 *
 * @param file Its name, for messages.
 * @throws {PeipkgError} `repo-config` (`E_CONFIG_SYNTAX`, `E_CONFIG_KEY`, `E_CONFIG_VALUE`, `E_BASE_URL`)
 * @see R-CONF-02, C-CONF-20
 */
export function parseRepositoryFile(handle: string, bytes: Uint8Array, file: string): RepositoryConfiguration {
  const document = readFlatToml(bytes);
  if (document.kind === "malformed") {
    const at = document.line === undefined ? "" : ` line ${document.line}`;
    const line = document.line === undefined ? {} : { line: document.line };
    throw ruleError("E_CONFIG_SYNTAX", `cannot read "${file}"${at}: ${document.problem}`, {
      repository: handle,
      file,
      ...line,
    });
  }
  const entries = new Map<string, TomlEntry>();
  for (const entry of document.entries) {
    const known = REPOSITORY_KEYS.some((key) => key === entry.key);
    if (!known || entry.found === "table") throw unexpectedKey(handle, file, entry, known);
    entries.set(entry.key, entry);
  }
  return buildConfiguration(handle, new EntryReader(handle, file, entries));
}

function unexpectedKey(handle: string, file: string, entry: TomlEntry, known: boolean): PeipkgError {
  const near = known ? undefined : nearestName(entry.key, REPOSITORY_KEYS);
  const found = entry.found === "table" ? `"${entry.key}" is a table` : `unknown key "${entry.key}"`;
  return ruleError("E_CONFIG_KEY", `cannot read "${file}" line ${entry.line}: ${found}`, {
    repository: handle,
    file,
    line: entry.line,
    key: entry.key,
    ...(near === undefined ? {} : { hint: `did you mean "${near}"?` }),
  });
}

function buildConfiguration(handle: string, read: EntryReader): RepositoryConfiguration {
  const baseUrl = read.text("base_url", undefined);
  if (baseUrl === undefined) throw read.wrong("base_url", "it is missing");
  const policy = read.text("signature_policy", DEFAULTS.signaturePolicy);
  if (policy !== "required" && policy !== "optional") { // R-POL-04
    throw read.wrong("signature_policy", `it is "${policy}", expected "required" or "optional"`);
  }
  const anchors = read.texts("trust_anchors");
  for (const anchor of anchors) {
    if (!isFingerprint(anchor)) throw read.wrong("trust_anchors", `"${anchor}" is not 64 lowercase hex digits`);
  }
  return {
    handle,
    baseUrl: read.url("base_url", baseUrl),
    mirrors: read.texts("mirrors").map((mirror) => read.url("mirrors", mirror)),
    priority: read.count("priority", 1, MAX_PRIORITY) ?? DEFAULTS.priority,
    signaturePolicy: policy,
    trustAnchors: anchors,
    allowInsecureTransport: read.flag("allow_insecure_transport", DEFAULTS.allowInsecureTransport),
    minIndexVersion: read.count("min_index_version", 0, Number.MAX_SAFE_INTEGER) ?? DEFAULTS.minIndexVersion,
    maxTrustedAgeDays: read.count("max_trusted_age_days", 1, MAX_DAYS),
    maxIndexStalenessDays: read.count("max_index_staleness_days", 1, MAX_DAYS),
    allowSdOverrides: read.flag("allow_sd_overrides", DEFAULTS.allowSdOverrides),
    sdAllowedSids: read.sids("sd_allowed_sids"),
    official: read.flag("official", DEFAULTS.official),
    enabled: read.flag("enabled", DEFAULTS.enabled),
  };
}

/** Typed access to the entries of one file; every refusal names file, line and key. */
class EntryReader {
  constructor(
    private readonly handle: string,
    private readonly file: string,
    private readonly entries: ReadonlyMap<string, TomlEntry>,
  ) {}

  wrong(key: string, found: string): PeipkgError {
    const line = this.entries.get(key)?.line;
    const at = line === undefined ? "" : ` line ${line}`;
    return ruleError("E_CONFIG_VALUE", `cannot read "${this.file}"${at}: "${key}": ${found}`, {
      repository: this.handle,
      file: this.file,
      key,
      ...(line === undefined ? {} : { line }),
    });
  }

  text(key: string, fallback: string | undefined): string | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return fallback;
    if (typeof entry.value !== "string") throw this.wrong(key, "expected a string");
    return entry.value;
  }

  flag(key: string, fallback: boolean): boolean {
    const entry = this.entries.get(key);
    if (entry === undefined) return fallback;
    if (typeof entry.value !== "boolean") throw this.wrong(key, "expected true or false");
    return entry.value;
  }

  count(key: string, min: number, max: number): number | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const { value } = entry;
    if (typeof value !== "bigint" || value < BigInt(min) || value > BigInt(max)) {
      throw this.wrong(key, `expected an integer from ${min} to ${max}`);
    }
    return Number(value);
  }

  texts(key: string): readonly string[] {
    const entry = this.entries.get(key);
    if (entry === undefined) return [];
    const items: readonly unknown[] = Array.isArray(entry.value) ? entry.value : [undefined];
    const texts = items.filter((item) => typeof item === "string");
    if (texts.length !== items.length) throw this.wrong(key, "expected a list of strings");
    return texts;
  }

  sids(key: string): readonly string[] {
    const texts = this.texts(key);
    const odd = texts.find((text) => !isSid(text));
    if (odd !== undefined) throw this.wrong(key, `"${odd}" is no SID, expected S-1-5-21-… with numbers`);
    return texts;
  }

  url(key: string, text: string): string {
    try {
      return parseBaseUrl(text);
    } catch (error) {
      if (!(error instanceof PeipkgError)) throw error;
      const line = this.entries.get(key)?.line;
      throw ruleError("E_BASE_URL", `cannot read "${this.file}": ${error.message}`, {
        repository: this.handle,
        file: this.file,
        key,
        url: text,
        ...(line === undefined ? {} : { line }),
      });
    }
  }
}

/** Renders a configuration; keys at their default are left out. */
export function renderRepositoryFile(configuration: RepositoryConfiguration): string {
  const defaults: Partial<RepositorySettings> = DEFAULTS;
  return REPOSITORY_SETTING_KEYS.flatMap(([key, field]) => {
    const value = configuration[field];
    if (value === undefined || JSON.stringify(value) === JSON.stringify(defaults[field])) return [];
    return [`${renderTomlEntry(key, typeof value === "number" ? BigInt(value) : value)}\n`];
  }).join("");
}

/** Writes a repository file whole (R-CONF-06, C-CONF-13). */
export function writeRepositoryFile(directory: Directory, configuration: RepositoryConfiguration): void {
  const bytes = new TextEncoder().encode(renderRepositoryFile(configuration));
  writeFileDurably(directory, repositoryFileName(parseHandle(configuration.handle)), bytes, FILE_MODE);
}

/**
 * Deletes a repository file.
 *
 * @returns false when there was none.
 */
export function removeRepositoryFile(directory: Directory, handle: string): boolean {
  return removeDurably(directory, repositoryFileName(handle));
}
