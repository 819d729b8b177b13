/** Every configuration key with its type, default and range: the one table (cli.md section 3). */
/** How a key's text is understood. `path`: absolute, taken beneath the root when it comes from the file. */
export type SettingType =
  | { readonly kind: "boolean" }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  | { readonly kind: "word"; readonly words: readonly string[] }
  | { readonly kind: "text" }
  | { readonly kind: "path" }
  | { readonly kind: "list"; readonly items: "text" | "path" };

export type SettingRaw = boolean | number | string | readonly string[];

export interface SettingDefinition {
  readonly key: string;
  readonly type: SettingType;
  /** `""` and `[]` stand for "not set". */
  readonly default: SettingRaw;
  /** Whether `peipkg.toml` may set it (`root` and `config_dir` say where that file is). */
  readonly inFile: boolean;
  /** Long option that sets it, without dashes. */
  readonly option?: string;
  /** A variable may only tighten it (C-CONF-15). */
  readonly tightenOnly?: true;
  readonly description: string;
}

/** Largest value of an integer key without an upper limit of its own. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const BOOLEAN: SettingType = { kind: "boolean" };
const TEXT: SettingType = { kind: "text" };
const PATH: SettingType = { kind: "path" };
const integer = (min: number, max: number = NO_LIMIT): SettingType => ({ kind: "integer", min, max });
const word = (...words: readonly string[]): SettingType => ({ kind: "word", words });
const define = (
  key: string,
  type: SettingType,
  value: SettingRaw,
  description: string,
  more: { readonly option?: string; readonly inFile?: false; readonly tightenOnly?: true } = {},
): SettingDefinition => ({ key, type, default: value, description, ...more, inFile: more.inFile ?? true });

/** Every key, in the order of cli.md section 3 (C-CONFIG-01). */
export const SETTINGS: readonly SettingDefinition[] = [
  define("root", PATH, "/", "top directory of the installation", { option: "root", inFile: false }),
  define("config_dir", PATH, "", "directory of peipkg.toml and *.repo", { option: "config-dir", inFile: false }),
  define("state_dir", PATH, "", "directory of the database and the lock", { option: "state-dir" }),
  define("cache_dir", PATH, "", "directory of verified metadata and downloads", { option: "cache-dir" }),
  define("json", BOOLEAN, false, "machine output", { option: "json" }),
  define("quiet", BOOLEAN, false, "drop informational lines", { option: "quiet" }),
  define("verbose", integer(0, 2), 0, "level of detail", { option: "verbose" }),
  define("color", word("auto", "always", "never"), "auto", "when to colour", { option: "color" }),
  define("progress", BOOLEAN, true, "show a progress display", { option: "no-progress" }),
  define("assume_yes", BOOLEAN, false, "answer the routine question with yes", { option: "yes" }),
  define("lock_wait", integer(0, 86_400 * 365), 0, "seconds to wait for the writer lock", { option: "lock-wait" }),
  define("architecture", word("", "x86_64", "aarch64"), "", "primary architecture; empty: detected"),
  define("auto_refresh_hours", integer(0, 24 * 36_500), 0, "refresh before changes when older; 0 never"),
  define("max_trusted_age_days", integer(1, 36_500), 30, "oldest trusted refresh", { tightenOnly: true }),
  define("max_index_staleness_days", integer(1, 36_500), 90, "oldest trusted index", { tightenOnly: true }),
  define("backup_keep_transactions", integer(0), 3, "set-aside files: newest transactions kept"),
  define("backup_keep_days", integer(0, 36_500), 14, "set-aside files: days kept"),
  define("modified", word("ask", "keep", "remove", "abort"), "ask", "edited configuration files on removal", {
    option: "modified",
  }),
  define("critical_packages", { kind: "list", items: "text" }, ["peipkg"], "packages guarded from removal", {
    tightenOnly: true,
  }),
  define("side_effects", word("auto", "skip"), "auto", "whether maintenance tools run"),
  define(
    "fetch_timeout",
    integer(1, 86_400),
    60,
    "seconds without data, or short of 1000 B/s, before a request is given up",
  ),
  define("fetch_retries", integer(0, 100), 3, "extra attempts of a request"),
  define("fetch_parallel", integer(1, 64), 4, "simultaneous downloads"),
  define("fetch_rate", integer(0), 0, "bytes per second; 0 unlimited"),
  define("proxy", TEXT, "", "proxy for all requests; empty: from HTTPS_PROXY, HTTP_PROXY, NO_PROXY"),
  define("user_agent", TEXT, "", "User-Agent header; empty: peipkg/<version>"),
  define("ip_version", integer(0, 6), 0, "address family: 0, 4 or 6"),
  define("ca_file", PATH, "", "extra certificate authorities, PEM"),
  define("layout", word("base", "late", "both"), "base", "destination profiles", { tightenOnly: true }),
  define("dropin_directories", { kind: "list", items: "path" }, [], "more protected drop-in directories", {
    tightenOnly: true,
  }),
  define("max_decompressed_bytes", integer(4_294_967_296), 4_294_967_296, "cap of a package's content", {
    tightenOnly: true,
  }),
  define("event_log", PATH, "", "also append audit events to this file"),
  define("auto_remove", BOOLEAN, false, "plan autoremove together with remove and upgrade"),
  define("audit_source", TEXT, "repository", "where advisories come from"),
  define("audit_ecosystem", TEXT, "Peios", "ecosystem name in advisories"),
  define("audit_ignore", { kind: "list", items: "text" }, [], "advisories left out"),
  define("audit_max_age_days", integer(0, 36_500), 7, "oldest advisories without a warning"),
];
